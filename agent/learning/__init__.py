"""From a corpus, prompts and schedules to training data, and the training itself. Imports llm, data_gen and below."""
