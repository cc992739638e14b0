"""The one shape of a progress callback."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A callback with (done, of, stage).

    Work of one stage calls it with two arguments; where there are several, the third names the present one.
    """

    def __call__(self, done: int, of: int, stage: str = ..., /) -> None: ...


def silent(done: int, of: int, stage: str = "", /) -> None:
    """Report nothing."""
