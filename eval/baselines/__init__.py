"""Baselines of transitions (i2fet, motionclip) and peers of words to motion (motion), each in a folder.

May import llm, data_gen, tokenizer, face and common.
"""
