"""What texts of asked scripts are made of: phrases of all names, clauses, number patterns, exchanges. Imports data_gen/text."""
