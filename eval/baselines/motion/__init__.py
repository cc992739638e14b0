"""Peers of words-to-motion, each after its paper and trained into a folder: T2M-GPT, MDM, MoMask, MotionGPT.

May import eval/baselines, llm, data_gen, tokenizer, face and common.
"""

from .peers import load as load
