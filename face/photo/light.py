"""The light on a face, and how brightness changes when the surface turns.

Nine spherical harmonics of the normals (Ramamoorthi and Hanrahan 2001, https://doi.org/10.1145/383259.383317); the change is
the expression ratio image of Liu et al. 2001 (https://doi.org/10.1145/383259.383296), from geometry instead of a second photo.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

_ROUNDS, _KEEP = 4, 2.5
_LEAST = 0.3
"""Of the usual brightness; no part of a face is taken for darker."""


def harmonics(normals: NDArray[np.floating]) -> Image:
    """(...,9) of unit normals (...,3)."""
    x, y, z = (np.asarray(normals[..., k], np.float32) for k in range(3))
    return np.stack([np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1], -1)


@dataclass(frozen=True, eq=False)
class Light:
    """Brightness of skin by its normal: ``weights (9,)``, and ``usual``, that of most of this face; linear light."""

    weights: NDArray[np.float64]
    usual: float

    @classmethod
    def of(cls, normals: NDArray[np.floating], brightness: NDArray[np.floating]) -> Light:
        """Fit to skin: ``normals (N,3)`` and linear ``brightness (N,)``; shadows, beards and highlights lose their vote."""
        usual = float(np.median(brightness)) if len(brightness) else 0.5
        basis, y = harmonics(normals).astype(np.float64), np.asarray(brightness, np.float64)
        weights = np.zeros(9)
        weights[0] = usual
        if len(y) < 200:
            return cls(weights, max(usual, 1e-3))
        keep = np.ones(len(y), bool)
        for _ in range(_ROUNDS):
            part = basis[keep]
            stiff = np.diag([1e-3] + [5e-2] * 8) * len(part)
            weights = np.linalg.solve(part.T @ part + stiff, part.T @ y[keep])
            miss = np.abs(y - basis @ weights)
            keep = miss < _KEEP * 1.48 * np.median(miss[keep]) + 1e-6
        return cls(weights, max(usual, 1e-3))

    def at(self, normals: NDArray[np.floating]) -> Image:
        """Brightness against the usual one; at least 0.3."""
        shown = harmonics(normals) @ self.weights.astype(np.float32)
        return np.asarray(np.maximum(shown / self.usual, _LEAST), np.float32)

    def ratio(self, before: NDArray[np.floating], after: NDArray[np.floating]) -> Image:
        """What a surface's brightness is multiplied by when its normal turns from ``before`` to ``after``."""
        return np.asarray(np.clip(self.at(after) / self.at(before), 0.6, 1.5), np.float32)
