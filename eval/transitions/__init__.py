"""Evaluation of instruction-driven transitions: classifier, metrics, tables and the runner of `facelm eval transitions`."""
