"""Clips of facial motion: the sequence type, its channels, cleaning and spontaneous motion. Imports common."""
