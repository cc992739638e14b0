"""The same work in this process, in several, or on a Ray cluster."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from typing import Any, TypeVar

from ...common.optional import require
from ...common.threads import interrupts_blocked, single_threaded

J = TypeVar("J")
R = TypeVar("R")
_BLOCK = 4
"""Jobs in one Ray task: a job takes seconds, and a task that dies is repeated whole."""
_HINT = "start one with `ray start --head`, or leave the address out for a local one"


class WorkerPool:
    """Whoever does the jobs, from the first to the last; a context manager.

    A process that dies (a crash in a decoder, the kernel's out-of-memory killer) takes no other job with
    it: those that were at work then are done again one by one, and one that kills its process twice more
    becomes ``died(job)``. Ray itself repeats what a dead worker was at.

    Args:
        workers: processes of this machine; 0 for this one alone. With ``ray`` the CPUs of a local cluster, and
            the most jobs at once.
        ray: None, ``local``, or the address of a cluster (``auto``, ``ray://host:10001``).

    Raises:
        ImportError: Ray is not installed.
        ValueError: no cluster at the address.
    """

    def __init__(self, workers: int, ray: str | None = None) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._leave = None if ray is None else _connect(None if ray == "local" else ray, workers)

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        started = self._pool is not None
        self._drop()
        if started and kind is KeyboardInterrupt:  # what is at work would be waited for
            for process in active_children():
                process.terminate()
        if self._leave is not None:
            self._leave()

    def run(self, work: Callable[[J], R], jobs: Sequence[J], died: Callable[[J], R]) -> Iterator[R]:
        """Results of all jobs, in any order; ``died(job)`` replaces that of one that kills its process every time."""
        if self._leave is not None:
            return _ray_map(work, jobs, self.workers)
        return self._spread(work, jobs, died) if self.workers else map(work, jobs)

    def _drop(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _submit(self, work: Callable[[J], R], job: J) -> Future[R]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"), initializer=_start_worker,
                                             initargs=(os.getpid(),))
        with interrupts_blocked():
            return self._pool.submit(work, job)  # starts processes, which inherit the environment of this moment

    def _spread(self, work: Callable[[J], R], jobs: Sequence[J], died: Callable[[J], R]) -> Iterator[R]:
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


def _start_worker(parent: int) -> None:
    """Let a worker process end when the one that started it is gone.

    Otherwise the workers of a killed build would wait for ever, or write beside the next one.
    """
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.25)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


# -- Ray ------------------------------------------------------------------------------------
def _connect(address: str | None, workers: int) -> Callable[[], None]:
    """Join a cluster, or start one; returns the function that leaves it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported: nothing is reported to anybody
    require("ray.data", "ray", "--ray needs Ray")
    ray = require("ray", "ray")
    if ray.is_initialized():
        return lambda: None
    if address is not None:
        _check_address(address)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        with single_threaded():  # a local cluster's workers inherit it; elsewhere Ray gives a task its one CPU's worth of threads
            if address is None:
                # Ray's workers step back behind everything else on the machine; here they are the work
                os.environ.setdefault("RAY_worker_niceness", "0")
                # with one CPU Ray Data keeps it for itself and waits for ever; `concurrency` below still sets one job at a time
                ray.init(num_cpus=max(2, workers) if workers else None, include_dashboard=False, **quiet)
            else:
                ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as err:
        raise ValueError(f"no Ray cluster answers at {address!r} ({' '.join(str(err).split())[:200]}); {_HINT}") from err
    leave: Callable[[], None] = ray.shutdown
    return leave


def _check_address(address: str) -> None:
    """Refuse an address at which nothing listens; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as err:
            raise ValueError(f"no Ray cluster answers at {address!r} ({err}); {_HINT}") from err


def _ray_map(work: Callable[[J], R], jobs: Sequence[J], workers: int) -> Iterator[R]:
    """Results of all jobs (picklable), in the order in which Ray delivers them; ``work`` is a function of a module."""
    if not jobs:
        return
    data = require("ray.data", "ray", "--ray needs Ray")
    data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    blocks = data.from_items([{"job": j} for j in jobs], override_num_blocks=-(-len(jobs) // _BLOCK))
    for row in blocks.map(_Work(work).__call__, num_cpus=1, concurrency=workers or None).iter_rows():
        yield row["done"]


class _Work:
    """A row's job done, as a callable that Ray can send to a worker."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.work = work

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"done": self.work(row["job"])}
