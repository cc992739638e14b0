"""A head of one person: the fitted identity plus a smooth displacement that puts the mesh where the points are seen.

The displacement minimises ``|w L L D|^2 + |B D - d|^2``: thin-plate smoothness of the umbrella Laplacian L against the
landmarks' own offsets d (Tikhonov; Botsch and Sorkine 2008, "On Linear Variational Surface Deformation Methods",
https://doi.org/10.1109/TVCG.2007.1054). The matrix depends on the head alone, and is factorised once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.sparse.linalg import SuperLU, splu

from ..head.model import HeadModel
from .points import Embedding, Floats, embedding_for, mirror_index

Array = NDArray[np.float32]

_STIFF, _HOLD, _OUTLINE = 8.0, 0.02, 0.35
"""Weights of smoothness and of staying, against one for a landmark; and that of the face's outline, which slides."""
_SIDES = ("left", "right")
_LIPS = ("teeth_upper", "teeth_lower", "gums_upper", "gums_lower", "tongue")
_FOLLOW: dict[str, str] = {"teeth_upper": "lips_upper", "gums_upper": "lips_upper"}
_SYMMETRY, _NOISE, _DEPTH = 1.5e-3, 4e-4, 18e-3
"""m: how unlike a person's sides are, how exact a landmark is, how far it may lie before or behind the model."""


@dataclass(frozen=True, eq=False)
class View:
    """What one picture says of the landmarks.

    Attributes:
        axes: ``(2,3)`` the picture's right and up in the head's frame.
        offset: ``(L,2)`` m along them, seen less modelled; NaN where a point is not seen.
    """

    axes: Floats
    offset: Floats


class Field:
    """Spreads offsets of landmarks over a head's vertices."""

    def __init__(self, head: HeadModel, embedding: Embedding) -> None:
        self.head, self.embedding = head, embedding
        n, rows = head.n_vertices, np.arange(len(embedding))
        iris = np.char.startswith(embedding.region.astype(str), "iris")
        self.used = np.flatnonzero(~iris)
        weight = np.where(embedding.region == "oval", _OUTLINE, 1.0)
        keep = rows[self.used]
        corners = head.faces[embedding.faces[keep]]
        self.points = csr_matrix((embedding.bary[keep].astype(np.float64).ravel(),
                                  (np.repeat(np.arange(len(keep)), 3), corners.ravel())), shape=(len(keep), n))
        self.weight = weight[keep] ** 2
        smooth = umbrella(n, head.faces)
        smooth = _STIFF * (smooth @ smooth)
        matrix = smooth.T @ smooth + self.points.T @ diags(self.weight) @ self.points + diags(np.full(n, _HOLD**2))
        self._solver: SuperLU = splu(matrix.tocsc())

    def spread(self, offset: Floats) -> NDArray[np.float64]:
        """``(V,3)`` m from ``(L,3)`` m."""
        right = self.points.T @ (self.weight[:, None] * offset[self.used])
        out = self._solver.solve(np.ascontiguousarray(right))
        return np.asarray(out, np.float64)

    def moved(self, offset: Floats) -> NDArray[np.float64]:
        """The same, with eyeballs that follow their lids rigidly, and teeth and tongue the lips."""
        head, move = self.head, self.spread(offset)
        region = self.embedding.region.astype(str)
        for side in _SIDES:
            rows = np.flatnonzero(region == f"eye_{side}")
            if f"eyeball_{side}" in head.masks and len(rows):
                move[head.masks[f"eyeball_{side}"]] = offset[rows].mean(0)
        for part in _LIPS:
            lips = head.masks.get(_FOLLOW.get(part, "lips_lower"))
            if part in head.masks and lips is not None:
                move[head.masks[part]] = move[lips].mean(0)
        return move


@lru_cache(maxsize=2)
def field_for(head: HeadModel) -> Field:
    """The field of a head; factorised once (0.3 s)."""
    return Field(head, embedding_for(head))


def umbrella(n: int, faces: NDArray[np.int32]) -> csr_matrix:
    """``(V,V)`` each vertex less the mean of its neighbours."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ends = np.unique(np.sort(ends, 1), axis=0)
    both = np.concatenate([ends, ends[:, ::-1]])
    near = coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(n, n)).tocsr()
    degree = np.asarray(near.sum(1)).ravel()
    return diags((degree > 0).astype(np.float64)) - diags(1 / np.maximum(degree, 1)) @ near


def joint_offsets(views: list[View], embedding: Embedding, noise: float = _NOISE, reach: float = _DEPTH) -> NDArray[np.float64]:
    """Offset of each landmark that explains all views, its depth from the other side of the face where views differ.

    Args:
        views: what each picture says.
        embedding: the landmarks.
        noise: m, 1 sigma of a landmark in one view; what views of different expressions leave unexplained is noise as well.
        reach: m, 1 sigma of an offset before anything is seen: views that hardly differ say nothing of depth.

    Returns:
        ``(L,3)`` m in the head's frame; zero where no view shows the point.
    """
    n = len(embedding)
    h = np.tile(np.eye(3) / reach**2, (n, 1, 1))
    g = np.zeros((n, 3))
    for view in views:
        seen = np.isfinite(view.offset).all(1)
        h[seen] += view.axes.T @ view.axes / noise**2
        g[seen] += view.offset[seen] @ view.axes / noise**2
    other = embedding.row[mirror_index()[embedding.index]]
    flip = np.diag([-1.0, 1.0, 1.0])
    paired = np.flatnonzero(other >= 0)
    out = np.asarray(np.linalg.solve(h, g[..., None])[..., 0], np.float64)
    for _ in range(30):  # each side given the other; the chain converges since every row has data or the depth's prior
        mate = out[other[paired]] @ flip
        out[paired] = np.linalg.solve(h[paired] + np.eye(3) / _SYMMETRY**2, (g[paired] + mate / _SYMMETRY**2)[..., None])[..., 0]
    return out


def personal_head(head: HeadModel, shape: Floats, offset: Floats) -> HeadModel:
    """A head whose rest is this person: use it with ``shape`` zero.

    Eyeballs follow their lids rigidly, teeth and tongue the lips, and the blink moves the lids as far as this person's
    eyes are open, so that closed lids meet.

    Args:
        head: the general head.
        shape: ``(S,)`` identity.
        offset: ``(L,3)`` m, what each landmark lies off that, see :func:`joint_offsets`.
    """
    spread = field_for(head)
    move = spread.moved(offset)
    identity = head.v_template + head.shapedirs[..., :head.n_shape] @ np.asarray(shape, np.float32)
    rest = (identity + move).astype(np.float32)
    base = replace(head, name="personal", v_template=rest, meta={**head.meta, "of": head.ref.name})
    return replace(base, shapedirs=_closing(head, base, spread))


def _closing(head: HeadModel, own: HeadModel, spread: Field) -> Array:
    """Expression columns whose full blink brings this person's lids as near as the general head's."""
    out = own.shapedirs.copy()
    embedding = spread.embedding
    for side, pairs in zip(_SIDES, _LID_PAIRS, strict=True):
        name = f"eyeBlink{side.title()}"
        if name not in head.expr_names:
            continue
        column = head.n_shape + head.expr_names.index(name)
        upper, lower = embedding.row[np.array(pairs)].T
        ok = (upper >= 0) & (lower >= 0)
        upper, lower = upper[ok], lower[ok]
        closed = embedding.positions(own.v_template + own.shapedirs[..., column], head.faces)
        wanted = embedding.positions(head.v_template + head.shapedirs[..., column], head.faces)
        miss = np.zeros((len(embedding), 3))
        miss[upper] = (wanted[upper] - wanted[lower]) - (closed[upper] - closed[lower])
        lids = np.zeros(head.n_vertices)
        lids[head.masks["lids"]] = 1.0
        extra = spread.spread(miss) * lids[:, None]
        # only lids that the column moves: the other eye's stay
        active = np.linalg.norm(head.shapedirs[..., column], axis=1) > 1e-5
        out[active, :, column] += extra[active].astype(np.float32)
    return out


_LID_PAIRS = (((466, 249), (388, 390), (387, 373), (386, 374), (385, 380), (384, 381), (398, 382)),
              ((246, 7), (161, 163), (160, 144), (159, 145), (158, 153), (157, 154), (173, 155)))
"""MediaPipe's upper and lower points of the left and the right eye's lids, from the outer corner to the inner one."""
