"""The stages of a build on Ray Data: a local cluster, or a real one over a shared file system."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from .workers import single_threaded

J = TypeVar("J")
R = TypeVar("R")
_BLOCK = 4
"""Jobs in one Ray task: a job takes seconds, and a task that dies is repeated whole."""


def connect(address: str | None, workers: int) -> Callable[[], None]:
    """Join a cluster, or start one; returns the function that leaves it.

    Args:
        address: of a running cluster (``auto``, ``ray://host:10001``); None starts one on this machine.
        workers: CPUs of a local cluster; 0 takes all that there are.

    Raises:
        ImportError: Ray is not installed.
        ValueError: no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported: nothing is reported to anybody
    try:
        import ray
        import ray.data  # noqa: F401
    except ImportError as err:
        raise ImportError("--ray needs Ray: pip install 'facelm[ray]'") from err
    if ray.is_initialized():
        return lambda: None
    if address is not None:
        _answers(address)
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
    return ray.shutdown


def _answers(address: str) -> None:
    """Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as err:
            raise ValueError(f"no Ray cluster answers at {address!r} ({err}); {_HINT}") from err


def ray_map(work: Callable[[J], R], jobs: Sequence[J], workers: int) -> Iterator[R]:
    """Results of all jobs, in the order in which Ray delivers them.

    Args:
        work: a function of a module.
        jobs: picklable.
        workers: most jobs at once; 0 leaves that to Ray.
    """
    if not jobs:
        return
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    data = ray.data.from_items([{"job": j} for j in jobs], override_num_blocks=-(-len(jobs) // _BLOCK))
    done = data.map(_Work(work).__call__, num_cpus=1, concurrency=workers or None)
    for row in done.iter_rows():
        yield row["done"]


_HINT = "start one with `ray start --head`, or leave the address out for a local one"


class _Work:
    """A row's job done, as a callable that Ray can send to a worker."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.work = work

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"done": self.work(row["job"])}
