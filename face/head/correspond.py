"""Which point of one head is which point of another: a dense map between heads of different meshes.

Both heads need the 68 iBUG landmarks. Steps: (1) a similarity from the landmarks; (2) a smooth warp through the
landmarks (biharmonic radial basis functions, Carr et al., "Reconstruction and representation of 3D objects with
radial basis functions", SIGGRAPH 2001, https://doi.org/10.1145/383259.383266); (3) rounds of closest points, each
refitting the smooth warp, as in non-rigid ICP (Amberg, Romdhani & Vetter, CVPR 2007,
https://doi.org/10.1109/CVPR.2007.383165); (4) every vertex goes to the closest compatible surface point.
Compatible means: of the same part (skin, eyeball, teeth, tongue), with a similar normal, and near the mouth on the
same side of the lips, which the jaw joint's skinning tells apart even where the lips touch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from ..clip.rotation import Similarity, similarity
from .model import IBUG, HeadModel
from .surface import (
    EYE_LEFT,
    EYE_RIGHT,
    SKIN,
    Floats,
    Ints,
    Placed,
    Surface,
    ibug,
    jaw_side,
    labels,
    sphere,
    vertex_normals,
)

_CONTROLS = 700
"""Most skin points that steer the warp."""
_ROUNDS = (6e-3, 3e-3, 1.5e-3, 1e-3)
"""Stiffness of the warp at its skin controls, m, one value a round."""
_REACH = (0.02, 0.014, 0.009, 0.007)
"""Skin controls further than this from their match are left out, m, one value a round."""
_STIFF = np.r_[np.full(17, 8e-3), np.full(10, 1.5e-3), np.full(9, 5e-4), np.full(12, 5e-5), np.full(20, 5e-5)]
"""Stiffness at the landmarks: contour and brow points are set by eye and differ between heads, lids and lips do not."""


@dataclass(frozen=True, eq=False)
class Correspondence:
    """Every vertex of ``source`` on the surface of ``target``, both at rest; see :func:`correspondence`."""

    source: HeadModel
    target: HeadModel
    similarity: Similarity
    """Source's frame to target's."""
    warped: Floats
    """(V, 3) m: the source's vertices after the warp, before they are put on the surface."""
    faces: Ints
    """(V,) face of the target that each source vertex corresponds to."""
    bary: Floats
    """(V, 3) barycentric coordinates there."""
    alike: NDArray[np.bool_]
    """(V,) False where the target lacks the part (no tongue, no eyeball), or where nothing compatible is near."""
    quality: dict[str, float]
    """mm: ``landmarks`` (mean distance of the inner 51 after the map), ``skin`` (mean distance over the face),
    ``skin_p95``, and ``matched`` (share of the vertices that are alike)."""

    @cached_property
    def _surface(self) -> Surface:
        return surface_of(self.target)

    @cached_property
    def points(self) -> Floats:
        """(V, 3) m: where each source vertex is on the target's template."""
        return np.asarray(np.einsum("nkc,nk->nc", self._surface.v[self.target.faces[self.faces]], self.bary))

    def carry_points(self, faces: np.ndarray, bary: np.ndarray) -> tuple[Ints, Floats]:
        """Points on the source's surface to points on the target's.

        Args:
            faces: ``(N,)`` faces of the source; bary: ``(N, 3)`` barycentric coordinates.

        Returns:
            ``(N,)`` int32 faces of the target and ``(N, 3)`` barycentric coordinates.
        """
        placed = self.place(faces, bary)
        return placed.faces, placed.bary

    def place(self, faces: np.ndarray, bary: np.ndarray) -> Placed:
        """Like :meth:`carry_points`, with places and distances."""
        index, weight = np.asarray(faces, np.int64), np.asarray(bary, np.float64)
        if index.ndim != 1 or weight.shape != (len(index), 3):
            raise ValueError(f"faces {index.shape} and bary {weight.shape} do not fit; needed (N,) and (N, 3)")
        if len(index) and (index.min() < 0 or index.max() >= len(self.source.faces)):
            raise ValueError(f"face numbers reach {int(index.max())}; head {self.source.name!r} has "
                             f"0..{len(self.source.faces) - 1}")
        corners = self.source.faces[index]
        mix = lambda values: np.einsum("nk...,nk->n...", values[corners], weight)  # noqa: E731
        lead = corners[np.arange(len(corners)), weight.argmax(1)]
        normals = vertex_normals(self.warped, self.source.faces)
        return self._surface.place(mix(self.warped), _unit(mix(normals)), mix(jaw_side(self.source)),
                                   labels(self.source)[lead])

    def carry_values(self, values: np.ndarray) -> np.ndarray:
        """Values at the target's vertices ``(V_target, ...)`` read at the source's vertices: ``(V_source, ...)``."""
        return np.asarray(np.einsum("nk...,nk->n...", np.asarray(values)[self.target.faces[self.faces]], self.bary))

    def carry_mask(self, index: np.ndarray) -> Ints:
        """The source's vertices that lie in a region ``(n,)`` of the target's vertices."""
        inside = np.zeros(self.target.n_vertices)
        inside[index] = 1
        return np.flatnonzero((self.carry_values(inside) > 0.5) & self.alike).astype(np.int32)


def _unit(v: np.ndarray) -> Floats:
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-20))


@lru_cache(maxsize=6)
def surface_of(head: HeadModel) -> Surface:
    """The search structure of a head; remembered."""
    return Surface(head)


@lru_cache(maxsize=6)
def correspondence(source: HeadModel, target: HeadModel) -> Correspondence:
    """The dense map from one head's surface to another's; a second or two, remembered for the last few pairs.

    Raises:
        ValueError: a head lacks the 68 iBUG landmarks.
    """
    return _match(source, target)


def _face_samples(v: np.ndarray, faces: np.ndarray, label: np.ndarray, marks: np.ndarray) -> NDArray[np.int64]:
    """Skin vertices to steer the warp by: spread out, denser around eyes and mouth."""
    used = np.zeros(len(v), bool)
    used[faces.ravel()] = True
    skin = np.flatnonzero((label == SKIN) & used)
    size = float(np.linalg.norm(marks[36] - marks[45]))
    gap = cKDTree(marks[17:]).query(v[skin])[0] / size
    spacing = size * (0.04 + 0.12 * np.minimum(gap, 1.5))
    rng = np.random.default_rng(0)
    order = rng.permutation(len(skin))
    kept: list[int] = []
    taken = np.zeros(len(skin), bool)
    tree = cKDTree(v[skin])
    for i in order:
        if not taken[i]:
            kept.append(int(skin[i]))
            taken[tree.query_ball_point(v[skin[i]], spacing[i])] = True
    return np.array(kept[:_CONTROLS])


def _match(source: HeadModel, target: HeadModel) -> Correspondence:
    marks, goals = ibug(source), ibug(target)
    weight = np.r_[np.arange(17, IBUG), [8]]  # the contour is set by eye; the chin alone is safe
    fit = similarity(marks[weight], goals[weight])
    start, aligned = fit(source.v_template), fit(marks)
    label, lower = labels(source), jaw_side(source)
    surface = surface_of(target)
    controls = _face_samples(start, source.faces, label, aligned)
    normals = vertex_normals(start, source.faces)[controls]  # the warp is smooth: it hardly turns them
    warp = RBFInterpolator(aligned, goals, smoothing=_STIFF, kernel="linear", degree=1)
    for stiff, reach in zip(_ROUNDS, _REACH, strict=True):
        placed = surface.place(warp(start[controls]), normals, lower[controls], label[controls])
        facing = (placed.normals * normals).sum(1)
        good = (placed.distance < reach) & (facing > 0.4)
        at = np.concatenate([aligned, start[controls[good]]])
        to = np.concatenate([goals, placed.points[good]])
        at, first = np.unique(at.round(7), axis=0, return_index=True)
        stiffness = np.concatenate([_STIFF, np.full(int(good.sum()), stiff)])[first]
        warp = RBFInterpolator(at, to[first], smoothing=stiffness, kernel="linear", degree=1)
    warped = warp(start)
    for part in (EYE_LEFT, EYE_RIGHT):
        _lay_eyeball(source, part, label, surface, warped, fit)
    normals = vertex_normals(warped, source.faces)
    placed = surface.place(warped, normals, lower, label)
    alike = np.isin(label, list(surface.parts)) & (placed.distance < 0.02)
    moved = np.linalg.norm(_at(source, placed)[17:] - goals[17:], axis=1)
    near = alike & (label == SKIN) & ~_inside(source) & (cKDTree(goals[17:]).query(warped)[0] < 0.04)
    skin = placed.distance[near] if near.any() else np.zeros(1)
    quality = {"landmarks": 1e3 * float(moved.mean()), "skin": 1e3 * float(skin.mean()),
               "skin_p95": 1e3 * float(np.quantile(skin, 0.95)), "matched": float(alike.mean())}
    return Correspondence(source, target, fit, warped, placed.faces, placed.bary, alike, quality)


def _inside(head: HeadModel) -> NDArray[np.bool_]:
    """(V,) the bag of the mouth, where the head says so; no two heads agree about it."""
    names = [k for k, n in enumerate(head.part_names) if "inside" in n.lower()]
    return np.asarray(np.isin(head.part, names))


def _at(source: HeadModel, placed: Placed) -> Floats:
    """(68, 3) the source's landmarks on the target's surface, from its vertices' places."""
    at = source.ibug_index()
    corners = source.faces[source.lmk_faces[at]]
    return np.asarray(np.einsum("lkc,lk->lc", placed.points[corners], source.lmk_bary[at].astype(np.float64)))


def _lay_eyeball(source: HeadModel, part: int, label: Ints, surface: Surface, warped: Floats, fit: Similarity) -> None:
    """Eyeballs turn about their centres, so they are matched as balls, by direction."""
    own, other = label == part, surface.labels == part
    if min(own.sum(), other.sum()) < 12:
        return
    here, size, _ = sphere(source.v_template[own].astype(np.float64))
    there, goal, _ = sphere(surface.v[other])
    warped[own] = there + goal / max(size, 1e-9) * ((source.v_template[own] - here) @ fit.rotation.T)
