"""MotionCLIP (Tevet et al., ECCV 2022, arXiv 2203.08063) as a baseline for facial expression transitions.

May import eval/baselines, llm, face and common.
"""
