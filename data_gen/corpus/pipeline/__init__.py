"""The corpus machine: prompts, video, fit, facts, words and shards in resumable stages."""
