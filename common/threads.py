"""One thread a process for the numerical libraries."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
           "OPENCV_FOR_THREADS_NUM")
"""Environment variables that the libraries read when they are imported."""


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """Processes started inside use one thread each: arrays are small, and the number of threads must not change a result."""
    before = {k: os.environ.get(k) for k in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
