"""Labelled expressions: CK+, CelebV-HQ and their surrogates. May import data_gen, face and common."""
