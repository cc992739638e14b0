"""The few points of a head that measuring needs, and what each expression column does to them.

A :class:`HeadProbe` restricts a head to its landmark vertices, to *anchors* (vertices of the
skull that no expression moves, which give the rigid head motion) and to *jaw points*
(vertices that move with the jaw joint only, the lower teeth where a head has them) and to
points of the eyeballs. All are chosen from the head's own weights and bases, so that any head
in FLAME's layout works.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from .model import HeadModel
from .surface import spread

Array = NDArray[np.float32]

N_ANCHORS = 24
N_JAW = 12
N_EYE = 8
_JAW_STEPS = 4
_JAW_RIDGE = 1e-3
MAX_IDENTITIES = 64
"""Neutral faces kept in memory per head."""
_NOT_SOLVED = ("pupil_left", "pupil_right")
"""Landmarks that the eye joints move; no expression does."""


@dataclass(frozen=True)
class Neutral:
    """The neutral face of one identity; metres, head frame."""

    shape: Array
    landmarks: Array
    """(L, 3)"""
    anchors: Array
    """(A, 3)"""
    jaw: Array
    """(Q, 3)"""
    eyes: tuple[Array, ...]
    """Points of the left and of the right eyeball, (N, 3) each; empty without eyeballs."""

    @cached_property
    def scale(self) -> float:
        """Distance of the outer eye corners, m."""
        return float(np.linalg.norm(self.landmarks[36] - self.landmarks[45]))


@dataclass(frozen=True)
class Tracked:
    """The probe points of a clip, m: landmarks (T, L, 3), anchors (T, A, 3), jaw (T, Q, 3), eyes (T, N, 3)."""

    landmarks: Array
    anchors: Array
    jaw: Array
    eyes: tuple[Array, ...]


class HeadProbe:
    """Measuring geometry of one head; build once, use for every clip (see :func:`probe_for`).

    Raises:
        ValueError: the head lacks the 68 iBUG landmarks.
    """

    def __init__(self, head: HeadModel) -> None:
        names, marks = list(head.lmk_names), head.ibug_index()
        order = marks + [i for i in range(len(names)) if i not in marks]
        self.names: tuple[str, ...] = tuple(names[i] for i in order)
        self.index: dict[str, int] = {n: i for i, n in enumerate(self.names)}
        tri = np.asarray(head.faces)[np.asarray(head.lmk_faces)[order]]
        self.bary = np.asarray(head.lmk_bary, np.float32)[order]
        weights = np.asarray(head.weights)
        bases = np.asarray(head.shapedirs)[:, :, head.n_shape :]
        moved = np.sqrt((bases.astype(np.float64) ** 2).sum(axis=(1, 2)))
        template = np.asarray(head.v_template)
        anchors = spread(template, _quietest(moved, weights[:, 1], 200), N_ANCHORS)
        jaw = spread(template, _quietest(moved, weights[:, 2], 40), N_JAW)
        has_eyes = min(float(weights[:, 3].max()), float(weights[:, 4].max())) > 0.9
        eyes = [spread(template, _quietest(moved, weights[:, k], 40), N_EYE) for k in (3, 4)] if has_eyes else []
        keep, where = np.unique(np.concatenate([tri.ravel(), anchors, jaw, *eyes]), return_inverse=True)
        parts = np.split(where, np.cumsum([tri.size, len(anchors), len(jaw), *map(len, eyes)])[:-1])
        self._tri = parts[0].reshape(-1, 3)
        self._anchors, self._jaw, self._eyes = parts[1], parts[2], parts[3:]
        self._part = head.subset(keep)
        self._jaw_part = head.subset(jaw)
        self._jaw_basis = bases[jaw].reshape(-1, bases.shape[2])
        self._n_expr = bases.shape[2]
        self.n_shape: int = head.n_shape
        self.named: bool = head.named
        mixed = (weights[tri] * self.bary[..., None]).sum(axis=1)
        self.jaw_weight: Array = mixed[:, 2].astype(np.float32)
        """(L,) how far each landmark follows the jaw joint."""
        self.follows_head: NDArray[np.bool_] = mixed[:, 1:].sum(axis=1) > 0.98
        """(L,) False for landmarks low on the neck that stay when the head turns."""
        self.columns: tuple[str, ...] = tuple(head.expr_names)
        self.basis: Array = (bases[tri] * self.bary[..., None, None]).sum(axis=1).astype(np.float32)
        """(L, 3, E) landmark displacement of each expression column, m."""
        self._neutral: dict[bytes, Neutral] = {}
        self._jaw_maps: dict[bytes, Array] = {}

    @property
    def solvable(self) -> NDArray[np.bool_]:
        """(L,) landmarks that expressions move and that the unmixing may use."""
        return self.follows_head & np.array([n not in _NOT_SOLVED for n in self.names])

    def _points(self, vertices: Array) -> Tracked:
        corners = vertices[:, self._tri]
        landmarks = (corners * self.bary[None, :, :, None]).sum(axis=2)
        return Tracked(
            landmarks, vertices[:, self._anchors], vertices[:, self._jaw], tuple(vertices[:, e] for e in self._eyes)
        )

    def track(self, **parameters: Array) -> Tracked:
        """Points of a clip from head parameters (the names that ``HeadModel.vertices`` takes)."""
        return self._points(self._part.vertices(**parameters))

    def neutral(self, shape: Array) -> Neutral:
        """The neutral face of ``shape (S,)``; remembered."""
        key = shape.tobytes()
        found = self._neutral.get(key)
        if found is None:
            at = self.track(expr=np.zeros((1, self._n_expr), np.float32), shape=shape)
            found = Neutral(shape, at.landmarks[0], at.anchors[0], at.jaw[0], tuple(e[0] for e in at.eyes))
            if len(self._neutral) >= MAX_IDENTITIES:
                self._neutral.pop(next(iter(self._neutral)))
            self._neutral[key] = found
        return found

    def jaw_pose(self, seen: Array, neutral: Neutral) -> Array:
        """(T, 3) jaw rotation, axis-angle in rad, that puts the jaw points where they are seen.

        Gauss-Newton on the head's own jaw (joint, skinning and pose correctives), with the
        expression columns that move these points as nuisance: a jaw need not turn rigidly.

        Args:
            seen: (T, Q, 3) jaw points in the head's frame, m.
            neutral: of the same identity.
        """
        out = np.zeros((len(seen), 3), np.float32)
        offset = (seen - neutral.jaw).reshape(len(seen), -1)
        moves = np.flatnonzero(np.abs(offset).max(axis=1) > 5e-5)
        if len(moves) == 0:
            return out
        inverse = self._jaw_inverse(neutral)
        pose = offset[moves] @ inverse
        for _ in range(_JAW_STEPS):
            now = self._jaw_part.vertices(jaw_pose=pose, shape=neutral.shape)
            step = (seen[moves] - now).reshape(len(moves), -1) @ inverse
            pose = pose + step
            if float(np.abs(step).max()) < 3e-4:
                break
        out[moves] = pose
        return out

    def _jaw_inverse(self, neutral: Neutral) -> Array:
        """(Q * 3, 3) least-squares map from displacements of the jaw points to a jaw rotation."""
        found = self._jaw_maps.get(neutral.shape.tobytes())
        if found is None:
            size = 0.12
            ends = self._jaw_part.vertices(jaw_pose=size * np.concatenate([np.eye(3), -np.eye(3)]), shape=neutral.shape)
            slope = ((ends[:3] - ends[3:]) / (2 * size)).reshape(3, -1).T.astype(np.float64)
            # An expression shares in the jaw points only where the head lets it (jawForward, a PCA's chin);
            # the ridge keeps it from explaining away a rotation.
            system = np.concatenate([slope, self._jaw_basis], axis=1)
            ridge = np.diag([0.0] * 3 + [_JAW_RIDGE**2] * self._jaw_basis.shape[1])
            found = np.linalg.solve(system.T @ system + ridge, system.T)[:3].T.astype(np.float32)
            if len(self._jaw_maps) >= MAX_IDENTITIES:
                self._jaw_maps.pop(next(iter(self._jaw_maps)))
            self._jaw_maps[neutral.shape.tobytes()] = found
        return found


@lru_cache(maxsize=8)
def probe_for(head: HeadModel) -> HeadProbe:
    """The probe of ``head``, built on first use."""
    return HeadProbe(head)


def _quietest(moved: NDArray[np.float64], weight: Array, count: int) -> NDArray[np.int64]:
    """The vertices that follow a joint most closely and that expressions move least."""
    close = np.flatnonzero(weight > 0.99 * weight.max())
    if len(close) < count:
        close = np.argsort(-weight, kind="stable")[:count]
    limit = max(float(np.sort(moved[close])[min(count, len(close)) - 1]), 1e-7)
    return close[moved[close] <= limit]


def forward(points: Array, reference: Array) -> Array:
    """(T, 3) unit vectors: where +z points after the motion of ``reference (N, 3)`` to ``points (T, N, 3)``.

    A least-squares linear map, enough for points that move rigidly and cheaper than :func:`rigid`.
    """
    middle = reference - reference.mean(axis=0)
    ahead = (points - points.mean(axis=1, keepdims=True)).transpose(0, 2, 1) @ np.linalg.pinv(middle).T[:, 2]
    return ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
