"""The suites' parts: each measures one thing and returns tables. Imports eval's scores, data_gen and below."""
