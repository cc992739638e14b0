"""The command line, thin over agent/tools; may import every other package."""
