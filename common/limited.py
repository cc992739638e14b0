"""A child process with limits of time and memory, for decoders that may crash or blow up on a damaged file."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence

QUIET = subprocess.DEVNULL


def limit(memory: int, processor: float) -> None:
    """Bound this process: bytes of address space, seconds of the processor, no core file. Does nothing on Windows."""
    try:
        import resource
    except ImportError:
        return
    for kind, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, int(processor)), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def lines(arguments: Sequence[str], seconds: float, single: bool = False) -> Generator[str]:
    """Run Python with ``arguments`` and yield the lines that it prints; it is killed when the caller stops or time is up.

    Args:
        arguments: of the interpreter.
        seconds: of the clock.
        single: keep numpy's libraries to one thread, which needs less address space.

    Raises:
        TimeoutError: it ran longer than ``seconds``.
        ChildProcessError: it crashed or was killed by a limit.
    """
    few = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")} if single else {}
    ends = time.monotonic() + seconds
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=QUIET, stdin=QUIET, text=True,
                          env={**os.environ, **few}) as child:
        assert child.stdout is not None
        late = threading.Timer(seconds, child.kill)  # a child that prints nothing is not waited for either
        late.start()
        try:
            yield from child.stdout
            code = child.wait()
        finally:
            late.cancel()
            if child.poll() is None:
                child.kill()
    if code and time.monotonic() >= ends:
        raise TimeoutError
    if code:
        raise ChildProcessError(f"exit code {code}")
