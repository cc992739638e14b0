"""The suite of text-to-video prompts with their attributes. Imports data_gen/text and data_gen/performer."""
