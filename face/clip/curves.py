"""Small tools on curves over time that know nothing about faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def minimum_jerk(x: ArrayLike) -> NDArray[np.float64]:
    """Minimum-jerk position, 0 at x <= 0 and 1 at x >= 1.

    Flash & Hogan, "The coordination of arm movements", J. Neurosci. 5(7), 1985,
    https://doi.org/10.1523/JNEUROSCI.05-07-01688.1985.

    Args:
        x: time as a share of the stroke's duration, any shape.
    """
    u = np.clip(np.asarray(x, np.float64), 0.0, 1.0)
    return np.asarray(u * u * u * (10.0 + u * (6.0 * u - 15.0)))


def filled(values: np.ndarray, known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Columns of ``values (T, C)`` where frames that are not ``known (T,)`` are interpolated between those that are."""
    at, good = np.arange(len(values)), np.flatnonzero(known)
    return np.stack([np.interp(at, good, column[good]) for column in values.T], axis=1).astype(np.float32)


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open index ranges in which ``mask (T,)`` is true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
