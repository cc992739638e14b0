"""Dual mappers of He et al. 2026 on a textured head, and the networks that judge them. Imports data_gen, face and common."""
