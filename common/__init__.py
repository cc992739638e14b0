"""Lowest floor: configuration, files, store, progress, training loop, optional dependencies; imports nothing of facelm."""
