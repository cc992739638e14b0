"""Text-motion corpora: synthesis, splits, transitions and the staged pipeline. Imports the rest of data_gen."""
