"""Clips of one head as clips of another. Imports face/clip and face/head."""
