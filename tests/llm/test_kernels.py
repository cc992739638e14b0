"""Memory of bf16 products does not grow with the number of their sizes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

WORK = """
import sys
from facelm.llm.decode import few_kernels
if sys.argv[1] == "few":
    few_kernels()
import torch
torch.set_num_threads(1)
rows = [torch.randn(n, 576, dtype=torch.bfloat16) for n in (576, 1536)]
def held():
    return next(int(x.split()[1]) for x in open("/proc/self/status") if x.startswith("RssAnon")) / 1024
with torch.inference_mode():
    for low in (1, 41):
        for size in range(low, low + 40 if low == 1 else low + 120):
            for row in rows:
                torch.nn.functional.linear(torch.ones(size, 576, dtype=torch.bfloat16), row)
        before, now = (held(), 0.0) if low == 1 else (before, held())
print(now - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_many_sizes_of_products_take_no_more_memory_than_few() -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY")}

    def grown(kept: str) -> float:
        return float(subprocess.run([sys.executable, "-c", WORK, kept], capture_output=True, text=True, check=True, timeout=300,
                                    env=environment).stdout)

    if (most := grown("all")) < 40:
        pytest.skip("this processor's products need no kernel of their own")
    assert grown("few") < 0.6 * most
