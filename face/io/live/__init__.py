"""Clips sent to other programs in real time, over UDP. Imports face/io/export and what is below it."""
