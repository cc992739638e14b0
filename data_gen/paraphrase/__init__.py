"""Captions in other words, checked against their facts. Imports data_gen/text and data_gen/corpus."""
