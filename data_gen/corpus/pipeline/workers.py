"""The same work in this process, in several, or on a Ray cluster."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Protocol, TypeVar

J = TypeVar("J")
R = TypeVar("R")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
           "OPENCV_FOR_THREADS_NUM")
"""One thread a process: the arrays are small, and the number of threads must not change a result."""


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """Processes started inside use one thread each."""
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


def start_worker(parent: int) -> None:
    """Let a worker process end when the one that started it is gone.

    Otherwise the workers of a killed build would wait for ever, or write beside the next one.
    """
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.25)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Crew(Protocol):
    """Who does the work; a context manager."""

    def __enter__(self) -> Crew: ...

    def __exit__(self, *error: object) -> None: ...

    def run(self, work: Callable[[J], R], jobs: Sequence[J], died: Callable[[J], R]) -> Iterator[R]:
        """Results of all jobs, in any order; ``died(job)`` stands for one that kills its process every time."""
        ...


class Alone:
    """This process, one job after the other."""

    def __enter__(self) -> Alone:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(self, work: Callable[[J], R], jobs: Sequence[J], died: Callable[[J], R]) -> Iterator[R]:
        """See :class:`Crew`."""
        for job in jobs:
            yield work(job)


class Processes:
    """Several processes of this machine, kept from the first job to the last.

    A process that dies (a crash in a decoder, the kernel's out-of-memory killer) takes no other job with
    it: those that were at work then are done again one by one, and one that kills its process twice more
    becomes ``died(job)``.

    Args:
        workers: how many.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *error: object) -> None:
        self._drop()

    def _drop(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _submit(self, work: Callable[[J], R], job: J) -> Future[R]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"), initializer=start_worker,
                                             initargs=(os.getpid(),))
        return self._pool.submit(work, job)  # starts processes, which inherit the environment of this moment

    def run(self, work: Callable[[J], R], jobs: Sequence[J], died: Callable[[J], R]) -> Iterator[R]:
        """See :class:`Crew`."""
        todo, suspects = list(reversed(jobs)), list[tuple[J, int]]()
        with single_threaded():
            while todo or suspects:
                # suspects go one at a time, so that the next death has one possible cause
                suspect = suspects.pop() if suspects else None
                queue, most = ([suspect[0]], 1) if suspect else (todo, 2 * self.workers)
                running: dict[Future[R], J] = {}
                try:
                    while queue or running:
                        while queue and len(running) < most:
                            running[self._submit(work, queue[-1])] = queue[-1]
                            queue.pop()
                        for future in wait(running, return_when=FIRST_COMPLETED).done:
                            result = future.result()
                            running.pop(future)
                            yield result
                except BrokenProcessPool:
                    self._drop()
                    if suspect is None:
                        suspects += [(job, 0) for job in running.values()]
                    elif suspect[1] == 0:  # once is chance: it may not even have begun when the others' process died
                        suspects.append((suspect[0], 1))
                    else:
                        yield died(suspect[0])


class OnRay:
    """Ray Data; see scale.py.

    Args:
        address: of a cluster; None starts one on this machine.
        workers: CPUs of the local cluster, and the most jobs at once.
    """

    def __init__(self, address: str | None, workers: int) -> None:
        from .scale import connect

        self.address, self.workers = address, workers
        self._leave = connect(address, workers)

    def __enter__(self) -> OnRay:
        return self

    def __exit__(self, *error: object) -> None:
        self._leave()

    def run(self, work: Callable[[J], R], jobs: Sequence[J], died: Callable[[J], R]) -> Iterator[R]:
        """See :class:`Crew`; Ray itself repeats what a dead worker was at."""
        from .scale import ray_map

        return ray_map(work, jobs, self.workers)


def crew(workers: int, ray: str | None) -> Crew:
    """Choose: ``ray`` None, an address or "local"; ``workers`` 0 for this process alone."""
    if ray is not None:
        return OnRay(None if ray == "local" else ray, workers)
    return Processes(workers) if workers else Alone()
