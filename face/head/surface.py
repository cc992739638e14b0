"""A head's surface at rest: its parts, and the closest compatible point on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .model import HeadModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

SKIN, EYE_LEFT, EYE_RIGHT, UPPER_TEETH, LOWER_TEETH, TONGUE = range(6)
_NORMAL = 0.006
"""m that two opposite halves of a normal's difference count for in a match."""
_LIPS = 0.03
"""m that being on the other lip counts for."""
_MOUTH = 0.012
"""m around the line between the lips within which the two sides are kept apart."""


def farthest(points: np.ndarray, count: int, chosen: Sequence[int]) -> list[int]:
    """Choose ``count`` of ``points (N, C)``, each next one the farthest from those chosen before.

    Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985,
    https://doi.org/10.1016/0304-3975(85)90224-5. Ends early when every point equals one that is chosen.

    Args:
        points: to choose from.
        count: how many.
        chosen: the first ones.
    """
    out = list(chosen)
    distance = np.min([((points - points[i]) ** 2).sum(axis=1) for i in out], axis=0)
    while len(out) < count and distance.max() > 0:
        out.append(int(np.argmax(distance)))
        distance = np.minimum(distance, ((points - points[out[-1]]) ** 2).sum(axis=1))
    return out


def spread(points: np.ndarray, candidates: np.ndarray, count: int) -> NDArray[np.int64]:
    """At most ``count`` of the candidate points ``(n,)``, as far apart as can be, from the outermost on."""
    at = points[candidates]
    first = int(np.argmax(((at - at.mean(axis=0)) ** 2).sum(axis=1)))
    return np.asarray(candidates[farthest(at, min(count, len(candidates)), [first])], np.int64)


def sphere(points: np.ndarray) -> tuple[Floats, float, float]:
    """The least-squares sphere through ``(N, 3)`` points: centre, radius and their mean distance from it."""
    middle = points.mean(0)
    p = points - middle
    x = np.linalg.lstsq(np.c_[2 * p, np.ones(len(p))], (p * p).sum(1), rcond=None)[0]
    radius = float(np.sqrt(max(x[3] + x[:3] @ x[:3], 1e-12)))
    return x[:3] + middle, radius, float(np.abs(np.linalg.norm(p - x[:3], axis=1) - radius).mean())


def vertex_normals(points: np.ndarray, faces: np.ndarray) -> Floats:
    """(V, 3) unit normals, each the area-weighted mean of its faces'."""
    tri = np.asarray(points, np.float64)[faces]
    normal = np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0])
    out = np.stack([np.bincount(faces.ravel(), np.repeat(normal[:, c], 3), len(points)) for c in range(3)], 1)
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-20))


def ibug(head: HeadModel) -> Floats:
    """(68, 3) m: the landmarks of the template.

    Raises:
        ValueError: the head lacks some of them.
    """
    at = head.ibug_index()
    tri = head.v_template[head.faces[head.lmk_faces[at]]].astype(np.float64)
    return np.asarray(np.einsum("lkc,lk->lc", tri, head.lmk_bary[at].astype(np.float64)))


def labels(head: HeadModel) -> Ints:
    """(V,) SKIN, EYE_LEFT, EYE_RIGHT, UPPER_TEETH, LOWER_TEETH (with gums) or TONGUE of each vertex."""
    out = np.full(head.n_vertices, SKIN, np.int32)
    names = np.array([n.lower() for n in head.part_names])[head.part] if len(head.part_names) else np.array([])
    if len(names):
        hard = np.char.startswith(names, "teeth") | np.char.startswith(names, "gum")
        lower = head.weights[:, 2] > 0.5
        out[hard & lower], out[hard & ~lower] = LOWER_TEETH, UPPER_TEETH
        out[names == "tongue"] = TONGUE
    for label, joint in ((EYE_LEFT, 3), (EYE_RIGHT, 4)):
        out[head.weights[:, joint] > 0.5] = label
    return out


def closest_on_triangles(points: np.ndarray, tri: np.ndarray) -> Floats:
    """(N, 3) barycentric coordinates of the point of each triangle ``tri (N, 3, 3)`` closest to ``points (N, 3)``."""
    a, ab, ac = tri[:, 0], tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0]
    ap = points - a
    d00, d01, d11 = (ab * ab).sum(1), (ab * ac).sum(1), (ac * ac).sum(1)
    d20, d21 = (ap * ab).sum(1), (ap * ac).sum(1)
    area = np.maximum(d00 * d11 - d01 * d01, 1e-30)
    v, w = (d11 * d20 - d01 * d21) / area, (d00 * d21 - d01 * d20) / area
    out = np.stack([1 - v - w, v, w], 1)
    outside = np.flatnonzero(out.min(1) < 0)
    if len(outside):  # the closest point is on one of the three edges
        t = tri[outside]
        best = np.full(len(outside), np.inf)
        found = np.zeros((len(outside), 3))
        for i, j in ((0, 1), (1, 2), (2, 0)):
            edge = t[:, j] - t[:, i]
            along = ((points[outside] - t[:, i]) * edge).sum(1) / np.maximum((edge * edge).sum(1), 1e-30)
            along = along.clip(0, 1)
            gap = ((t[:, i] + along[:, None] * edge - points[outside]) ** 2).sum(1)
            nearer = gap < best
            best[nearer] = gap[nearer]
            found[nearer] = 0
            found[nearer, i], found[nearer, j] = 1 - along[nearer], along[nearer]
        out[outside] = found
    return out


@dataclass(frozen=True)
class Placed:
    """Points on a surface."""

    faces: Ints
    """(N,) faces."""
    bary: Floats
    """(N, 3) barycentric coordinates."""
    points: Floats
    """(N, 3) m."""
    normals: Floats
    """(N, 3) normals of the faces."""
    distance: Floats
    """(N,) m from where the points were."""


class Surface:
    """A head at rest, to project points on: one search tree a part."""

    def __init__(self, head: HeadModel) -> None:
        self.head = head
        self.v = head.v_template.astype(np.float64)
        self.faces = head.faces
        self.labels = labels(head)
        self.normals = vertex_normals(self.v, self.faces)
        tri = self.v[self.faces]
        normal = np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0])
        self.face_normals = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
        self.mouth = _curve(ibug(head)[60:68])
        self.lower = jaw_side(head)
        order = np.argsort(self.faces.ravel(), kind="stable")
        counts = np.bincount(self.faces.ravel(), minlength=len(self.v))
        self._first = np.r_[0, np.cumsum(counts)]
        self._around = order // 3
        self.feature = self.features(self.v, self.normals, self.lower)
        self._nearby = self.feature[:, [0, 1, 2, 6]][self.faces]
        used = counts > 0
        self._trees = {}
        for label in np.unique(self.labels[used]):
            own = np.flatnonzero((self.labels == label) & used)
            self._trees[int(label)] = (cKDTree(self.feature[own]), own)

    @property
    def parts(self) -> frozenset[int]:
        """Labels that this head has any surface of."""
        return frozenset(self._trees)

    def features(self, points: np.ndarray, normals: np.ndarray, lower: np.ndarray) -> Floats:
        """(N, 7): place, normal and side of the lips, in metres, so that near in all is near in sum."""
        gap = cKDTree(self.mouth).query(points)[0]
        side = _LIPS * np.exp(-((gap / _MOUTH) ** 2)) * (np.asarray(lower, np.float64) - 0.5)
        return np.c_[points, _NORMAL * normals, side]

    def place(self, points: np.ndarray, normals: np.ndarray, lower: np.ndarray, label: np.ndarray, k: int = 4) -> Placed:
        """The closest compatible surface points.

        Args:
            points, normals: ``(N, 3)``; lower: ``(N,)`` 0 above the line of the lips, 1 below it;
            label: ``(N,)`` parts; a part that this head lacks is placed on the skin.
        """
        n = len(points)
        wanted = np.where(np.isin(label, list(self._trees)), label, SKIN)
        feature = self.features(points, normals, lower)
        faces, bary = np.zeros(n, np.int32), np.zeros((n, 3))
        for part in np.unique(wanted):
            tree, own = self._trees[int(part)]
            rows = np.flatnonzero(wanted == part)
            near = own[tree.query(feature[rows], min(k, len(own)))[1].reshape(len(rows), -1)]
            for chunk in np.array_split(np.arange(len(rows)), max(1, len(rows) // 4000)):
                faces[rows[chunk]], bary[rows[chunk]] = self._best(feature[rows[chunk]], near[chunk])
        at = np.einsum("nkc,nk->nc", self.v[self.faces[faces]], bary)
        return Placed(faces, bary, at, self.face_normals[faces], np.linalg.norm(at - points, axis=1))

    def _best(self, feature: Floats, near: np.ndarray) -> tuple[Ints, Floats]:
        """Among the triangles around the vertices ``near (N, k)``, the point with the nearest feature."""
        counts = (self._first[near + 1] - self._first[near]).ravel()
        start = np.cumsum(counts) - counts
        flat = self._around[np.arange(counts.sum()) - np.repeat(start - self._first[near].ravel(), counts)]
        point = np.repeat(np.arange(len(feature)), counts.reshape(near.shape).sum(1))
        bary = closest_on_triangles(feature[point, :3], self.v[self.faces[flat]])
        corners = self._nearby[flat]
        gap = np.einsum("nkc,nk->nc", corners, bary) - feature[point][:, [0, 1, 2, 6]]
        cost = (gap * gap).sum(1) + ((_NORMAL * self.face_normals[flat] - feature[point, 3:6]) ** 2).sum(1)
        order = np.lexsort((cost, point))
        first = order[np.r_[0, np.flatnonzero(np.diff(point[order])) + 1]]
        return flat[first].astype(np.int32), bary[first]


def jaw_side(head: HeadModel) -> Floats:
    """(V,) 0..1: whether the jaw joint carries a vertex; what tells the lower lip from the upper one."""
    most = max(float(head.weights[:, 2].max()), 1e-6)
    t = ((head.weights[:, 2] / most - 0.25) / 0.35).clip(0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float64)


def _curve(points: np.ndarray, steps: int = 12) -> Floats:
    """A closed polyline, sampled."""
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    following = np.roll(points, -1, axis=0)
    return np.asarray((points[:, None] * (1 - t) + following[:, None] * t).reshape(-1, 3))
