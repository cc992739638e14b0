"""The benchmark: systems, suites, scores, tables, and one page of them. Imports data_gen and below; models are handed in."""
