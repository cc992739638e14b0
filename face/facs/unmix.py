"""From landmark displacements to blend-shape amounts: regularised and non-negative least squares.

The way a face tracker solves for blend shapes (Lewis et al., "Practice and Theory of Blendshape
Facial Models", Eurographics STAR 2014, https://doi.org/10.2312/egst.20141042).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..clip.channels import EXPR_NAMES
from ..head.bounded import box_least_squares
from ..head.model import HeadModel
from ..head.probe import HeadProbe, Neutral, probe_for

Array = NDArray[np.float32]

_RIDGE_NAMED = 1e-4
"""Ridge of the unmixing on a head's own shapes, m of landmark displacement per unit."""
_RIDGE_FOREIGN = 1.5e-3
"""The same with another head's shapes, whose displacements only resemble this one's."""
_DEPTH, _CONTOUR, _CORNERS = 0.25, 0.3, 2.0
"""Weights of z, of the jaw contour and of the mouth corners when the shapes are another head's:
depth and contour differ most between heads, the corners say most about the mouth (found on
ICT-FaceKit with its columns mixed: 61 of 63 single actions, against 60 unweighted)."""


def unmix(probe: HeadProbe, neutral: Neutral, landmarks: Array) -> Array:
    """Blend-shape amounts of every frame.

    Args:
        probe: the head.
        neutral: the identity's neutral face.
        landmarks: (T, L, 3) m, head frame, jaw closed (what the jaw did taken away).

    Returns:
        (T, 41), columns in EXPR_NAMES order; shapes that the head lacks are 0.
    """
    solver = _solver(probe)
    scale = 1.0 if probe.named else solver.scale / neutral.scale
    moved = (landmarks - neutral.landmarks)[:, solver.rows] * np.float32(scale)
    flat: Array = moved.reshape(len(moved), -1).astype(np.float32, copy=False)
    found: Array = flat @ solver.inverse
    if solver.gram is not None:
        start = np.ascontiguousarray(found.clip(0.0).T)
        found = box_least_squares(solver.gram, (flat @ solver.basis).T, start, 0.0, np.inf, sweeps=40, tolerance=0.0).T
    out = np.zeros((len(landmarks), len(EXPR_NAMES)), np.float32)
    out[:, solver.columns] = found
    return out


@dataclass(frozen=True)
class _Solver:
    rows: NDArray[np.int64]
    """Landmarks used."""
    columns: NDArray[np.int64]
    """Indices in EXPR_NAMES of the solved shapes."""
    basis: Array
    """(rows * 3, K) weighted displacements."""
    inverse: Array
    """(rows * 3, K) regularised pseudo-inverse, transposed."""
    gram: Array | None
    """(K, K) for the non-negative solve; None where plain least squares is exact."""
    scale: float
    """Distance of the outer eye corners on the head whose shapes these are, m."""


@lru_cache(maxsize=8)
def _solver(probe: HeadProbe) -> _Solver:
    return _own_solver(probe) if probe.named else _foreign_solver(probe)


def _own_solver(probe: HeadProbe) -> _Solver:
    """With the head's own shapes: every one that moves a landmark, exact up to rounding."""
    rows = np.flatnonzero(probe.solvable)
    return _build(probe, rows, rows, np.ones((len(rows), 3)), _RIDGE_NAMED, False)


def _foreign_solver(probe: HeadProbe) -> _Solver:
    """With the default head's shapes on the landmarks that both heads have."""
    source = probe_for(HeadModel.default())
    rows = np.array(
        [i for i, n in enumerate(probe.names) if probe.solvable[i] and n in source.index and source.solvable[source.index[n]]]
    )
    weights = np.ones((len(rows), 3))
    weights[:, 2] = _DEPTH
    weights[rows < 17] *= _CONTOUR
    weights[np.isin(rows, (48, 54, 60, 64))] *= _CORNERS
    picked = np.array([source.index[probe.names[i]] for i in rows])
    return _build(source, rows, picked, weights, _RIDGE_FOREIGN, True)


def _build(
    source: HeadProbe,
    rows: NDArray[np.int64],
    picked: NDArray[np.int64],
    weights: NDArray[np.float64],
    ridge: float,
    nonnegative: bool,
) -> _Solver:
    names = [n for n in EXPR_NAMES if n in source.columns]
    wide = source.basis[picked][:, :, [source.columns.index(n) for n in names]].astype(np.float64)
    wide = wide.reshape(len(picked) * 3, -1)
    seen = np.sqrt((wide**2).sum(axis=0)) > 1e-4
    wide, names = wide[:, seen], [n for n, s in zip(names, seen, strict=True) if s]
    weighted = wide * weights.reshape(-1, 1) ** 2
    gram = wide.T @ weighted + ridge**2 * np.eye(wide.shape[1])
    return _Solver(
        rows=rows,
        columns=np.array([EXPR_NAMES.index(n) for n in names]),
        basis=weighted.astype(np.float32),
        inverse=np.linalg.solve(gram, weighted.T).T.astype(np.float32),
        gram=gram.astype(np.float32) if nonnegative else None,
        scale=source.neutral(np.zeros(source.n_shape, np.float32)).scale,
    )
