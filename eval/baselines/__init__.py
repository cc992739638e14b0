"""Baselines of the transition task, each in a folder. May import llm, data_gen, tokenizer, face and common."""
