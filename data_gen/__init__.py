"""Making data: the procedural animator, words, prompts, video, fit, corpora. May import tokenizer, face and common."""
