"""Prompts to videos: text-to-video models and rendered clips. Imports data_gen/prompts, data_gen/performer and face."""
