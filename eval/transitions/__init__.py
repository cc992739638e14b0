"""Evaluation of instruction-driven transitions: classifier, metrics, tables. May import eval, data_gen, face and common."""
