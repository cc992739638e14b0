"""A child process with limits of time and memory, for decoders that may crash or blow up on a damaged file."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence

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


def alive(process: int) -> bool:
    """Whether a process runs; where that cannot be asked without harm (Windows), True."""
    if not Warm.able:
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class Warm:
    """A Python process that has imported what tasks need, and does each in a fork of its own; started with the first task.

    Args:
        arguments: of the interpreter; what they run calls :func:`forked`.
    """

    able = hasattr(os, "fork")
    """Whether this system forks; else there is only :func:`lines`."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments, self._busy = arguments, threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def lines(self, task: str, seconds: float) -> Generator[str]:
        """The lines that a task prints, as :func:`lines` yields them; one task at a time, others wait.

        Args:
            task: one line, which the fork is given.
            seconds: of the clock, from when its turn has come.

        Raises:
            TimeoutError: it ran longer than ``seconds``.
            ChildProcessError: the process itself died; a fork that crashes only ends its lines.
        """
        with self._busy:
            child, done = self._started(), False
            late = threading.Timer(seconds, _killed, (child,))
            ends = time.monotonic() + seconds
            late.start()
            try:
                assert child.stdin is not None and child.stdout is not None
                child.stdin.write(task + "\n")
                child.stdin.flush()
                for line in child.stdout:
                    if line == _END:
                        done = True
                        break
                    yield line
            except BrokenPipeError:
                pass
            finally:
                late.cancel()
                if not done:
                    _killed(child)
                    child.wait()
        if not done:
            raise TimeoutError if time.monotonic() >= ends else ChildProcessError("it died")

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen([sys.executable, *self._arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=QUIET, text=True, start_new_session=True)
        return self._process


_END = "\x04\n"


def _killed(child: subprocess.Popen[str]) -> None:
    """End a process with its forks."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)


def forked(task: Callable[[str], None]) -> None:
    """Do each line of the standard input as a task in a fork of this process, until the input ends."""
    for line in iter(sys.stdin.readline, ""):
        if not (child := os.fork()):
            try:
                task(line.rstrip("\n"))
                sys.stdout.flush()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        sys.stdout.write(_END)
        sys.stdout.flush()


def give_back() -> bool:
    """Return freed memory to the system, which glibc otherwise keeps in pieces; whether there was any, and a glibc to do so."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError, TypeError):  # another C library
        return False
