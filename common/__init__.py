"""Lowest floor: configuration, files, progress and optional dependencies; imports nothing of facelm."""
