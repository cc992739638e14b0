"""Least squares with bounds, many problems of one matrix at once."""

from __future__ import annotations

import numpy as np


def box_least_squares(gram: np.ndarray, target: np.ndarray, x: np.ndarray, low: float, high: float, sweeps: int = 200,
                      tolerance: float = 1e-6) -> np.ndarray:
    """Minimise ``x'Gx/2 - t'x`` with ``low <= x <= high`` by cyclic coordinate descent, every column a problem.

    Franc, Hlavac & Navara, "Sequential coordinate-wise algorithm for the non-negative least squares problem",
    CAIP 2005, https://doi.org/10.1007/11556121_50. The problem is strictly convex, so the answer depends on the
    target only, and continuously.

    Args:
        gram: ``(E, E)`` positive definite; target, x: ``(E, T)``; x is the start and is overwritten.
        low, high: the bounds; may be infinite.
        sweeps: at most so many rounds over the coefficients.
        tolerance: largest step of the last round; 0 makes every round.
    """
    slope = gram @ x - target
    for _ in range(sweeps):
        most = 0.0
        for k in range(len(x)):
            new = (x[k] - slope[k] / gram[k, k]).clip(low, high)
            step = new - x[k]
            largest = float(np.abs(step).max(initial=0.0))
            if largest > 0.1 * tolerance:
                slope += gram[:, k, None] * step
                x[k] = new
            most = max(most, largest)
        if most < tolerance:
            break
    return x
