"""Conversations with written expectations, and what of them comes out right. Imports agent, data_gen, face and eval's tables."""
