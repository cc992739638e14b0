"""The language model that reads and writes motion beside words; imports tokenizer and common."""
