"""In-betweens of two textured meshes as in the thesis, the baseline of this project's own curves and folds.

A. Syed, "From Words to 3D Faces" (2025), section 3.5: V_i = V_A + i/N (V_B - V_A), normals made anew, and
T_i(p) = (1 - w_i(p)) T_A(p) + w_i(p) T_B(p) with w_i = i/N, but in regions that change (mouth, brows) "w remains 0 for longer and
then quickly transitions to 1". How long and how quickly is not said: :func:`eased` is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ....face.head.surface import vertex_normals

Floats = NDArray[np.float64]
STEPS = (5, 10)
"""N of the thesis, least and most."""
_THRESHOLD, _SOFT = 24.0, 0.004
"""Difference of two textures, of 255, from which a region changes; softness of its border, share of the side."""
_HALF, _QUICK = 0.5, 0.25
"""Share of the way at which a changing region turns, and over which share it does."""


@dataclass(frozen=True, eq=False)
class Between:
    """One in-between: vertices (V,3) m, unit normals (V,3), texture (T,T,3) uint8."""

    vertices: Floats
    normals: Floats
    texture: NDArray[np.uint8]


def changing(first: NDArray[np.uint8], second: NDArray[np.uint8], threshold: float = _THRESHOLD) -> Floats:
    """(T,T) in [0,1]: where two textures (T,T,3) differ by more than a threshold, feathered."""
    far = np.abs(first.astype(float) - second.astype(float)).mean(-1) > threshold
    return np.asarray(np.clip(gaussian_filter(far.astype(float), _SOFT * len(far)), 0, 1))


def eased(share: float) -> float:
    """W of a changing region at a share of the way: 0, then quickly to 1 around the half."""
    t = float(np.clip((share - _HALF) / _QUICK + 0.5, 0, 1))
    return t * t * (3 - 2 * t)


def in_betweens(first: Floats, second: Floats, faces: NDArray[np.integer], textures: tuple[NDArray[np.uint8], NDArray[np.uint8]],
                steps: int = STEPS[1], region: Floats | None = None) -> Iterator[Between]:
    """The steps i = 1 to N from one textured mesh to another; the last is the second itself.

    Args:
        first, second: vertices (V,3), m, of one topology.
        faces: (F,3).
        textures: their textures (T,T,3) uint8.
        steps: N.
        region: (T,T) in [0,1], where w is eased; None: where the textures differ.

    Raises:
        ValueError: shapes differ, or N is below 1.
    """
    a, b = textures
    if first.shape != second.shape or a.shape != b.shape:
        raise ValueError(f"vertices are {first.shape} and {second.shape}, textures {a.shape} and {b.shape}; needed: equal shapes")
    if steps < 1:
        raise ValueError(f"steps is {steps}; allowed: 1 or more (the thesis takes {STEPS[0]} to {STEPS[1]})")
    where = changing(a, b) if region is None else np.asarray(region, float)
    for i in range(1, steps + 1):
        share = i / steps
        weight = (share + where * (eased(share) - share))[..., None]
        vertices = first + share * (second - first)
        texture = np.round((1 - weight) * a + weight * b).astype(np.uint8)
        yield Between(vertices, vertex_normals(vertices, faces), texture)
