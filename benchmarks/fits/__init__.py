"""Benchmarks of the fit of video: against the truth, on real clips, and what its noise does; may import anything of facelm."""
