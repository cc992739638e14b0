"""Importing head files: FLAME pickles and ICT-FaceKit. Imports face/head and face/clip."""
