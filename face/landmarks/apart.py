"""What of a face's unlikeness to the model is expression: a second solve for pictures that do not show the face at rest.

A fit leaves offsets of its landmarks: a person's own form, and expression that it missed. Some of them say which: lips meet
at rest, the mouth's corners lie near its line, brows run level. A small bounded least-squares problem moves offsets that
break this into the expression, around the one that was fitted (Tikhonov).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear
from threadpoolctl import threadpool_limits

from ..clip.sequence import FaceSequence
from ..head.model import HeadModel
from .points import Embedding, Floats

Array = NDArray[np.float32]

_LIPS = tuple(((a, 1.0), (b, -1.0)) for a, b in ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402)))
_CORNERS = tuple(((corner, 1.0), (13, -0.5), (14, -0.5)) for corner in (61, 291))
_BROWS = tuple(((inner, 1.0), (outer, -1.0)) for inner, outer in ((107, 46), (336, 276)))
_RULES = ((_LIPS, 4e-4), (_CORNERS, 1.5e-3), (_BROWS, 3e-3))
"""Heights of points (MediaPipe's numbers with factors) that a face at rest has as the model has them, and the spread, m."""
_OWN, _SHARE = 3e-3, 0.03
"""m: a person's own offsets, and what one of them counts, since neighbours agree."""
_CHANGE = 0.08
"""How far a coefficient may be from what was fitted, 1 sigma."""
_FREE: dict[str, float] = {"mouthUpperUp": 0.5, "mouthLowerDown": 0.5, "mouthFrown": 0.35, "mouthSmile": 0.3, "browInnerUp": 0.3,
                           "browDown": 0.2, "mouthPress": 0.3, "mouthRoll": 0.4, "mouthStretch": 0.2}
_JAW, _JAW_MOST = 0.08, 0.5
"""rad, 1 sigma, and the most that a jaw opens."""
_STEP = 0.05


@dataclass(frozen=True, eq=False)
class Apart:
    """Expression ``(E,)`` and the jaw's opening, rad."""

    expr: Array
    jaw: float


def expression_apart(head: HeadModel, embedding: Embedding, pose: FaceSequence, offset: Floats) -> Apart:
    """The expression of one picture with what its landmarks' offsets say of it.

    Args:
        head: whose expressions are named as ARKit's shapes.
        embedding: its landmarks.
        pose: one frame, as fitted.
        offset: ``(L,3)`` m in the head's frame: seen less modelled.
    """
    n = head.n_expr
    expr, jaw = pose.expr[0].astype(np.float64), float(pose.jaw_pose[0, 0])
    tries = np.tile(expr, (n + 2, 1))
    tries[np.arange(n) + 1, np.arange(n)] += _STEP
    angles = np.tile(pose.jaw_pose[:1], (n + 2, 1))
    angles[-1, 0] += _STEP
    vertices = head.vertices(expr=tries.astype(np.float32), jaw_pose=angles, shape=pose.shape)
    at = embedding.positions(vertices.astype(np.float64), head.faces)
    slope = (at[1:] - at[0]) / _STEP  # (E + 1, L, 3)
    rows: list[NDArray[np.float64]] = []
    right: list[NDArray[np.float64]] = []
    for rules, sigma in _RULES:
        for rule in rules:
            places = [(embedding.row[point], factor) for point, factor in rule]
            if min(p for p, _ in places) < 0:
                continue
            rows.append(sum(f * slope[:, p, 1] for p, f in places)[None] / sigma)  # type: ignore[index]
            right.append(np.array([sum(f * offset[p, 1] for p, f in places)]) / sigma)
    own = np.sqrt(_SHARE) / _OWN
    rows.append(own * slope[:, :, :2].reshape(n + 1, -1).T)
    right.append(own * np.nan_to_num(offset[:, :2]).ravel())
    spread = np.array([next((s for start, s in _FREE.items() if name.startswith(start)), _CHANGE) for name in head.expr_names])
    spread = np.append(spread, _JAW)
    rows.append(np.diag(1 / spread))
    right.append(np.zeros(n + 1))
    low = np.append(-np.maximum(expr, 0), -max(jaw, 0.0)) - 1e-6
    high = np.append(np.maximum(1 - expr, 0), max(_JAW_MOST - jaw, 0.0)) + 1e-6
    found = bounded(np.concatenate(rows), np.concatenate(right), low, high)
    return Apart(np.clip(expr + found[:-1], 0, 1).astype(np.float32), max(0.0, float(jaw + found[-1])))


@threadpool_limits.wrap(limits=1)  # small systems: more threads wait for one another
def bounded(rows: Floats, right: Floats, low: Floats, high: Floats) -> NDArray[np.float64]:
    """``(N,)`` between ``low`` and ``high`` that brings ``rows (M,N)`` times it nearest to ``right (M,)``.

    The rows are reduced to a triangle first, since the active-set method solves with them again and again.
    """
    q, r = np.linalg.qr(np.asarray(rows, np.float64))
    return np.asarray(lsq_linear(r, q.T @ right, (low, high), method="bvls", max_iter=100).x)
