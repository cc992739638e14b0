"""I2FET with IFED: instruction to facial expression transition, after Vo et al., arXiv 2601.08179 (IEEE TMM 2025).

May import eval/baselines, llm, face and common.
"""
