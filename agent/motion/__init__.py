"""Motion from scripts: reading, performing, checking, repairing, transitions. Imports llm, data_gen and below."""
