"""Held-out prompts and what is scored on them: script read, performed, repaired. Imports data_gen, face and eval's tables."""
