"""Heads of other tools: FLAME pickles and ICT-FaceKit. Imports face/head, face/clip and common."""
