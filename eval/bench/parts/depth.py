"""How deep lips go into each other, and lids into the eyeballs, on the mesh."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ....face.clip.sequence import FaceSequence
from ....face.head.model import HeadModel

EVERY = 0.12
"""Seconds between the frames that are looked at."""
NEAR = 0.004
"""Metres: a point that is farther from the other lip is not in it."""
Floats = NDArray[np.floating]


class Contact:
    """The vertices of lips and lids of a head, evaluated alone, and what they overlap by at rest."""

    def __init__(self, head: HeadModel) -> None:
        names = ("lips_upper", "lips_lower", "lids", "eyeball_left", "eyeball_right")
        self.able = all(n in head.masks for n in names)
        """Whether the head says where its lips, lids and eyeballs are."""
        if not self.able:
            return
        index = np.unique(np.concatenate([head.masks[n] for n in names]))
        place = np.full(head.n_vertices, -1)
        place[index] = np.arange(len(index))
        self.part = head.subset(index)
        self.upper, self.lower, self.lids, left, right = (place[head.masks[n]] for n in names)
        faces = place[head.faces]
        self.faces = faces[np.isin(faces, self.upper).all(1)]
        rest = self.part.vertices(expr=np.zeros((1, head.n_expr), np.float32))[0]
        self.balls = [_sphere(rest[ball]) for ball in (left, right)]
        self.rest = (0.0, 0.0)
        self.rest = self.depths(rest)

    def of(self, clip: FaceSequence) -> tuple[float, float]:
        """Mean over frames of the deepest point, mm, of lips and of lids, beyond what they overlap by at rest."""
        rows = np.arange(0, len(clip), max(round(EVERY * clip.fps), 1))
        posed = self.part.vertices(expr=clip.expr[rows], jaw_pose=clip.jaw_pose[rows])
        lips, lids = np.mean([self.depths(v) for v in posed], axis=0)
        return float(lips), float(lids)

    def depths(self, vertices: Floats) -> tuple[float, float]:
        """The deepest point of lips and of lids in one frame, mm, beyond rest."""
        upper, lower = vertices[self.upper], vertices[self.lower]
        away, near = cKDTree(upper).query(lower, distance_upper_bound=NEAR)
        close = np.isfinite(away)
        normals = self._normals(vertices)[self.upper]
        inward = -((lower[close] - upper[near[close]]) * normals[near[close]]).sum(1)
        lips = max(float(inward.max(initial=0.0)), 0.0)
        lids = vertices[self.lids]
        inside = [radius - np.linalg.norm(lids - centre, axis=1) for centre, radius in self.balls]
        deepest = max(float(np.max(inside)), 0.0)
        return max(1000.0 * lips - self.rest[0], 0.0), max(1000.0 * deepest - self.rest[1], 0.0)

    def _normals(self, vertices: Floats) -> Floats:
        """Unit normals of the upper lip's vertices, outward; 0 elsewhere."""
        a, b, c = (vertices[self.faces[:, k]] for k in range(3))
        own = np.cross(b - a, c - a)
        out = np.zeros_like(vertices)
        for k in range(3):
            np.add.at(out, self.faces[:, k], own)
        return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12))


def _sphere(points: Floats) -> tuple[Floats, float]:
    """Centre and radius of the sphere that fits points best (least squares)."""
    p = points.astype(np.float64)
    solved, *_ = np.linalg.lstsq(np.hstack([2 * p, np.ones((len(p), 1))]), (p ** 2).sum(1), rcond=None)
    centre = solved[:3]
    return centre, float(np.sqrt(solved[3] + centre @ centre))


@lru_cache(4)
def contact(head: HeadModel) -> Contact:
    """The same for a head, made once."""
    return Contact(head)
