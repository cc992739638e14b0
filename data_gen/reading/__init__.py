"""Plain English about faces read into scripts by rules, as far as code can be sure. Imports data_gen/wording and data_gen/text."""
