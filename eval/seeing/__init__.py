"""Is what is measured on real people there? Events annotated by eye, the measurement against them; imports data_gen and below."""
