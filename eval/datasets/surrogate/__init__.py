"""Synthetic data sets in the folder layouts of CK+ and CelebV-HQ; may import eval.datasets, data_gen, face and common."""
