"""Speed and quality benchmarks, run as ``python -m facelm.benchmarks NAME``; may import anything of facelm."""
