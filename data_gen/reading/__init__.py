"""Plain English about faces read into scripts by rules. Imports data_gen/wording and data_gen/text."""
