"""Words for scripts and scripts for words: lexicon, captions, parser, questions. Imports data_gen/performer and face."""
