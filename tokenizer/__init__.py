"""The motion tokenizer: clips as symbols and back; imports face and common."""
