"""A text-motion retrieval model and the field's learned scores on its features. Imports data_gen and below."""
