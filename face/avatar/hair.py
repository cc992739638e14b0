"""Where hair grows on the packaged head, and how far a person's stands out: a shell on the scalp up to the silhouette.

The same as the linear offsets of Khakhulin et al., "Realistic One-shot Mesh-based Head Avatars" (ECCV 2022,
https://arxiv.org/abs/2206.08343), but measured on the picture instead of predicted. A bald head's shell is thin by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import diags
from scipy.sparse.linalg import splu

from ..head.model import HeadModel
from ..head.surface import vertex_normals
from ..landmarks.personal import umbrella
from .views import View

Floats = NDArray[np.float64]

_LINE = np.array([  # the scalp's border seen from the side, z and y in m: brow line, temple, ear, nape, crown
    [0.095, 0.070], [0.060, 0.052], [0.048, 0.020], [0.040, -0.012], [0.022, 0.004], [0.010, 0.030], [-0.004, 0.034],
    [-0.016, 0.016], [-0.020, -0.030], [-0.035, -0.075], [-0.130, -0.085], [-0.130, 0.130], [0.060, 0.130], [0.100, 0.100]])
_EAR = ((-0.03, 0.03), (-0.045, 0.035), 0.072)
"""z and y that ears lie between, and how far from the middle, m."""
CAP = 0.055
"""Hair stands out by at most this, m."""
_GRAZING = 0.45
"""Cosine to the line of sight below which a vertex is near the silhouette."""
_HANGS = 0.35
"""How far down its normal may point in the picture: below that, hair hangs, and is not measured."""
_RISE = 12
"""Rounds of averaging over which the shell rises from the hairline."""
_SMOOTH, _EVEN, _PINNED = 6.0, 0.3, 30.0
"""Weights against one for a measured vertex: bending, stretching, and staying bald off the scalp."""


def _within(points: Floats, polygon: Floats) -> NDArray[np.bool_]:
    """(N,) which points (N,2) lie in a polygon (M,2), by the even-odd rule."""
    x, y = points.T[:, :, None]
    (x0, y0), (x1, y1) = polygon.T, np.roll(polygon, -1, 0).T
    with np.errstate(divide="ignore", invalid="ignore"):
        crosses = ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return np.asarray(crosses.sum(1) % 2 == 1)


@lru_cache(maxsize=1)
def scalp() -> Floats:
    """(V,) in 0..1: how surely hair grows on each vertex of the packaged head's mesh; ears, face and neck are 0."""
    head = HeadModel.default()
    v = head.v_template.astype(np.float64)
    out = (_within(v[:, [2, 1]], _LINE) & ~ears()).astype(np.float64)
    out[np.setdiff1d(np.arange(len(v)), head.masks["skin"])] = 0
    return _soft(out, 2)


@lru_cache(maxsize=1)
def ears() -> NDArray[np.bool_]:
    """(V,) which vertices of the packaged head's mesh are of its ears."""
    x, y, z = HeadModel.default().v_template.T.astype(np.float64)
    (back, front), (low, high), aside = _EAR
    return np.asarray((np.abs(x) > aside) & (z > back) & (z < front) & (y > low) & (y < high))


def _soft(values: Floats, rounds: int) -> Floats:
    """(V,) averaged with their neighbours."""
    head = HeadModel.default()
    step = umbrella(head.n_vertices, head.faces)
    for _ in range(rounds):
        values = values - 0.5 * (step @ values)
    return np.clip(values, 0, 1)


def _standing_out(view: View) -> Floats:
    """(V,) m from the bald head's silhouette to the person's; NaN where this view does not tell."""
    v = view.vertices.astype(np.float64)
    normals = vertex_normals(v, HeadModel.default().faces)
    out = np.full(len(v), np.nan)
    facing = (normals * -v).sum(1) / np.linalg.norm(v, axis=1)
    px, tip = view.project(v), view.project(v + 0.01 * normals)
    way = tip - px
    way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
    scale = view.focal / -v[:, 2]  # px a metre
    h, w = view.person.shape
    bald = view.buffer(np.array(HeadModel.default().faces, np.int32))[1] >= 0
    for i in np.flatnonzero((scalp() > 0.5) & (np.abs(facing) < _GRAZING) & (way[:, 1] <= _HANGS)):
        steps = np.arange(0, CAP * scale[i], 0.5)
        at = px[i] + steps[:, None] * way[i]
        beyond = (at < 1).any(1) | (at[:, 0] > w - 2) | (at[:, 1] > h - 2)
        col, row = np.clip(at, 0, [w - 1, h - 1]).astype(int).T
        ends = np.flatnonzero((view.person[row, col] < 0.5) | beyond)
        if len(ends) and beyond[ends[0]]:  # the picture ends before the hair does
            continue
        own = np.flatnonzero(~bald[row, col])
        length = (steps[ends[0]] if len(ends) else CAP * scale[i]) - (steps[own[0]] if len(own) else 0)
        out[i] = max(length, 0) / scale[i] / np.sqrt(max(1 - facing[i] ** 2, 0.2))
    return out


def hair_shell(views: Sequence[View]) -> Floats:
    """(V,) m: how far hair stands out along the normals; from the views' silhouettes, smooth between them.

    The nape is kept thin: nothing of it is seen from the front.
    """
    head, seen = HeadModel.default(), np.stack([_standing_out(v) for v in views])
    known = np.isfinite(seen).any(0)
    if not known.any():
        return np.zeros(head.n_vertices)
    found = np.zeros(head.n_vertices)
    found[known] = np.nanmedian(seen[:, known], 0)
    grows = scalp()
    step = umbrella(head.n_vertices, head.faces)
    bend = _SMOOTH * (step @ step)
    pinned = np.where(grows < 0.05, _PINNED, 0.0)
    matrix = diags(known + pinned + 1e-6) + bend.T @ bend + _EVEN * (step.T @ step)
    out = np.clip(splu(matrix.tocsc()).solve(found), 0, CAP)
    _, y, z = head.v_template.T.astype(np.float64)
    known_at = np.where(known, z, -0.06)  # behind the silhouette hair is guessed, and less than at it
    behind = np.clip(-(z - max(float(np.median(known_at[known])), -0.03)) / 0.08, 0, 1)
    nape = np.clip(-y / 0.06, 0, 1) * np.clip(-z / 0.03, 0, 1)
    rise = np.clip(2 * _soft(grows, _RISE) - 1, 0, 1)  # no step at the hairline
    return np.asarray(out * np.sqrt(rise) * np.clip(1.5 * grows, 0, 1) * (1 - 0.7 * nape) * (1 - 0.5 * behind))
