"""Avatars and moved photos against films of the same person. Imports data_gen, face, eval's judges, and common."""
