"""Readers of blend shapes, controls and action units, a file a layout. Imports face/io/convert's base and arkit."""
