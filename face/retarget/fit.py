"""Calibration of a pair of heads: corresponding points, how one's motion looks on the other, and the solve.

Motion is carried as displacements of corresponding points, in the proportions of the target: what a blend shape does
on the source is sent through the smooth map between the two faces, in the spirit of deformation transfer (Sumner &
Popovic, SIGGRAPH 2004, https://doi.org/10.1145/1015706.1015736), and the target's own shapes are fitted to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from ..clip.rotation import rotation_matrices
from ..head.bounded import box_least_squares
from ..head.correspond import correspondence
from ..head.model import HeadModel
from ..head.surface import spread

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SAMPLES: dict[str, int] = {
    # points taken from each region of the default head, in order: a vertex belongs to the first that has it
    "lips_upper": 90, "lips_lower": 90, "lids": 200, "brows": 60, "nose": 60, "teeth_lower": 12, "cheeks": 50, "forehead": 40,
    "jaw": 90, "face": 130,
}
SHARE: dict[str, float] = {
    # what a region weighs in the fit, whatever the number of its points
    "lips_upper": 3.0, "lips_lower": 3.0, "lids": 3.0, "brows": 1.5, "nose": 1.0, "teeth_lower": 0.0, "cheeks": 1.0,
    "forehead": 0.5, "jaw": 1.0, "face": 0.7,
}
REGIONS = tuple(n for n in SAMPLES if n != "teeth_lower")
_FAR = 0.012
"""m: points whose places on a head are further than this from where the map put them are left out."""
_UNIT = 0.01
"""m: the smooth map is computed in centimetres."""
_SOFT = 0.01
"""Smoothing of that map, cm^3."""
_KNOTS = np.radians([0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 25.0, 30.0])
_QUIET = 1e-6
"""Coefficients smaller than this are rounding."""
_SIDE = float(np.radians(5.0))
"""Where the jaw's sideways turns are calibrated."""
_GAZE = float(np.radians(12.0))
"""Where the lids' following of the gaze is calibrated."""


@dataclass(frozen=True, eq=False)
class Points:
    """Some surface points of a head."""

    head: HeadModel
    faces: Ints
    """(N,)"""
    bary: Floats
    """(N, 3)"""

    @cached_property
    def _part(self) -> tuple[object, Ints]:
        corners = self.head.faces[self.faces]
        needed, where = np.unique(corners, return_inverse=True)
        return self.head.subset(needed), where.reshape(corners.shape)

    def posed(self, **parameters: np.ndarray | None) -> Floats:
        """(T, N, 3) m; parameters as ``HeadModel.vertices`` takes them."""
        part, where = self._part
        verts = part.vertices(**parameters)  # type: ignore[attr-defined]
        return np.asarray(np.einsum("tnkc,nk->tnc", verts[:, where].astype(np.float64), self.bary))

    def mixed(self, values: np.ndarray) -> Floats:
        """Values per vertex ``(V, ...)`` at the points."""
        return np.asarray(np.einsum("nk...,nk->n...", values[self.head.faces[self.faces]].astype(np.float64), self.bary))

    @cached_property
    def rest(self) -> Floats:
        """(N, 3) m on the average face."""
        return self.mixed(self.head.v_template)

    @cached_property
    def expression(self) -> Floats:
        """(N, 3, E) m."""
        return self.mixed(self.head.shapedirs[:, :, self.head.n_shape:])

    @cached_property
    def identity(self) -> Floats:
        """(N, 3, S) m."""
        return self.mixed(self.head.shapedirs[:, :, : self.head.n_shape])

    @cached_property
    def jaw(self) -> Floats:
        """(N,) share of the jaw joint."""
        return self.mixed(self.head.weights[:, 2])


@dataclass(frozen=True, eq=False)
class Pair:
    """The same points on two heads."""

    a: Points
    b: Points
    region: NDArray[np.str_]
    """(N,) names of SAMPLES."""
    weight: Floats
    """(N,) what each point weighs; sums to 1."""

    @cached_property
    def warp(self) -> RBFInterpolator:
        """Smooth map of space from a's face to b's, in cm."""
        away = (self.b.rest - self.a.rest) / _UNIT
        return RBFInterpolator(self.a.rest / _UNIT, away, kernel="cubic", degree=1, smoothing=_SOFT)

    @cached_property
    def _mapped(self) -> Floats:
        return self._map(self.a.rest)

    def _map(self, points: Floats) -> Floats:
        return np.asarray(points + _UNIT * self.warp(points.reshape(-1, 3) / _UNIT).reshape(points.shape))

    def carried(self, moves: Floats) -> Floats:
        """Displacements ``(..., N, 3)`` m of a's points as displacements of b's, in b's proportions."""
        out = np.zeros_like(moves)
        moving = np.linalg.norm(moves, axis=-1) > 1e-6
        start = np.broadcast_to(self.a.rest, moves.shape)[moving]
        out[moving] = self._map(start + moves[moving]) - np.broadcast_to(self._mapped, moves.shape)[moving]
        return out


def pair_of(a: HeadModel, b: HeadModel) -> Pair:
    """Corresponding points of two heads, chosen on the default head, which knows the regions."""
    hub = HeadModel.default()
    taken: set[int] = set()
    index: list[int] = []
    region: list[str] = []
    for name, count in SAMPLES.items():
        free = np.array([k for k in hub.masks[name].tolist() if k not in taken])
        taken |= set(free.tolist())
        picked = np.sort(spread(hub.v_template, free, count))
        index += picked.tolist()
        region += [name] * len(picked)
    corner = {int(k): (f, c) for f, tri in enumerate(hub.faces.tolist()) for c, k in enumerate(tri)}
    faces = np.array([corner[k][0] for k in index])
    bary = np.eye(3)[[corner[k][1] for k in index]]
    places, good = [], np.ones(len(index), bool)
    for head in (a, b):
        if head.sha256 == hub.sha256:
            places.append(Points(head, faces, bary))
            continue
        same = correspondence(hub, head)
        placed = same.place(faces, bary)
        good &= (placed.distance < _FAR) & same.alike[index]
        places.append(Points(head, placed.faces.astype(np.int64), placed.bary))
    names = np.array(region)[good]
    if not {"lips_upper", "lips_lower", "lids"} <= set(names.tolist()):
        raise ValueError(f"heads {a.name!r} and {b.name!r} have too little face in common; check their landmarks")
    weight = np.array([SHARE[n] / (names == n).sum() for n in names])
    first, second = (Points(p.head, p.faces[good], p.bary[good]) for p in places)
    return Pair(first, second, names, weight / weight.sum())


@dataclass(frozen=True)
class JawMap:
    """The source's jaw angles to the target's: a curve for opening, factors for the two other axes."""

    knots: Floats
    """(K,) rad."""
    opening: Floats
    """(K,) rad."""
    side: Floats
    """(2,) factors of the y and z angles."""

    def __call__(self, jaw: np.ndarray) -> Floats:
        """(T, 3) to (T, 3)."""
        x = np.asarray(jaw[:, 0], np.float64)
        first, last = (self.opening[1] / self.knots[1],
                       (self.opening[-1] - self.opening[-2]) / (self.knots[-1] - self.knots[-2]))
        out = np.interp(x, self.knots, self.opening)
        out = np.where(x < 0, first * x, np.where(x > self.knots[-1], self.opening[-1] + last * (x - self.knots[-1]), out))
        return np.c_[out, jaw[:, 1:] * self.side]


def _axis(index: int, angles: Floats) -> NDArray[np.float32]:
    out = np.zeros((len(angles), 3), np.float32)
    out[:, index] = angles
    return out


def _named_angle(head: HeadModel, name: str) -> float | None:
    value = head.meta.get("arkit_angles", {}).get(name) if isinstance(head.meta, dict) else None
    return float(value) if isinstance(value, (int, float)) and abs(value) > 1e-3 else None


def jaw_map(pair: Pair, prior: float) -> JawMap:
    """Fit the target's jaw angles to where the source's jaw takes the chin, the lower lip and the lower teeth.

    ``prior`` pulls towards the ratio of the two heads' ``jawOpen`` angles, where both are known.
    """
    follow = (np.isin(pair.region, ["jaw", "lips_lower", "teeth_lower"])) & (pair.a.jaw > 0.5) & (pair.b.jaw > 0.5)
    if follow.sum() < 10:
        raise ValueError(f"heads {pair.a.head.name!r} and {pair.b.head.name!r}: no jaw in common; "
                         "their jaw joints move too little of the chin")

    def goal(jaw: NDArray[np.float32]) -> Floats:
        return pair.carried(pair.a.posed(jaw_pose=jaw) - pair.a.rest)[:, follow]

    def fitted(axis: int, aims: Floats, guess: Floats, named: float | None) -> Floats:
        angle, step = guess.copy(), 0.01
        for _ in range(8):
            now = pair.b.posed(jaw_pose=_axis(axis, angle))[:, follow] - pair.b.rest[follow]
            slope = (pair.b.posed(jaw_pose=_axis(axis, angle + step))[:, follow] - pair.b.rest[follow] - now) / step
            energy = (slope * slope).sum((1, 2))
            pull = prior * energy * (named * guess - angle) if named is not None else 0.0
            angle = angle + ((slope * (aims - now)).sum((1, 2)) + pull) / (energy * (1 + (prior if named is not None else 0)))
        return np.asarray(angle)

    ratio = {}
    for name in ("jawOpen", "jawLeft"):
        here, there = _named_angle(pair.a.head, name), _named_angle(pair.b.head, name)
        ratio[name] = there / here if here and there else None
    opening = np.r_[0.0, fitted(0, goal(_axis(0, _KNOTS[1:])), _KNOTS[1:], ratio["jawOpen"])]
    turn = np.array([_SIDE])
    sides = [float(fitted(k, goal(_axis(k, turn)), turn, ratio["jawLeft"] if k == 1 else None)[0]) / _SIDE for k in (1, 2)]
    return JawMap(_KNOTS, np.maximum.accumulate(opening), np.clip(sides, 0.2, 5.0))


def jaw_features(jaw: np.ndarray) -> Floats:
    """(T, K + 1): hat functions of the opening at the knots but the first, then the two sideways angles."""
    x = np.asarray(jaw[:, 0], np.float64).clip(0, _KNOTS[-1])
    hats = np.stack([np.interp(x, _KNOTS, row) for row in np.eye(len(_KNOTS))[1:]], 1)
    return np.c_[hats, jaw[:, 1:] / _SIDE]


def gaze_features(eyes: np.ndarray) -> Floats:
    """(T, 4): sine of pitch and yaw of the left and the right eye, 1 where the calibration was made."""
    return np.asarray(np.sin(eyes[:, [0, 1, 3, 4]].astype(np.float64)) / np.sin(_GAZE))


def joint_offsets(pair: Pair, jaws: JawMap) -> Floats:
    """(J, N, 3) m at rest: what the target's shapes must add where its joints move its skin otherwise than the source's.

    Rows in the order of :func:`jaw_features`, then :func:`gaze_features`.
    """
    poses = np.concatenate([_axis(0, _KNOTS[1:]), _axis(1, np.array([_SIDE])), _axis(2, np.array([_SIDE]))])
    aims = pair.carried(pair.a.posed(jaw_pose=poses) - pair.a.rest)
    there = jaws(poses).astype(np.float32)
    off = aims - (pair.b.posed(jaw_pose=there) - pair.b.rest)
    turn = np.eye(3) + pair.b.jaw[None, :, None, None] * (rotation_matrices(there.astype(np.float64))[:, None] - np.eye(3))
    jaw_rows = np.linalg.solve(turn, off[..., None])[..., 0]
    jaw_rows[:, pair.region == "teeth_lower"] = 0
    eyes = np.zeros((4, 6), np.float32)
    eyes[np.arange(4), [0, 1, 3, 4]] = _GAZE
    aims = pair.carried(pair.a.posed(eyes_pose=eyes) - pair.a.rest)
    gaze_rows = aims - (pair.b.posed(eyes_pose=eyes) - pair.b.rest)
    return np.concatenate([jaw_rows, gaze_rows])


@dataclass(frozen=True, eq=False)
class Solver:
    """Box-constrained least squares for the target's expression, all frames at once."""

    gram: Floats
    """(E, E) with the prior."""
    from_expr: Floats
    """(E_source, E): right-hand side of each unit of the source's columns, the prior's start included."""
    from_joints: Floats
    """(J, E): right-hand side of each joint feature."""
    low: float
    high: float

    def __call__(self, expr: np.ndarray, joints: np.ndarray) -> NDArray[np.float32]:
        """(T, E) coefficients of the target from (T, E_source) of the source and (T, J) joint features."""
        target = (expr.astype(np.float64) @ self.from_expr + joints @ self.from_joints).T
        x = np.linalg.solve(self.gram, target)
        outside = np.flatnonzero(((x < self.low) | (x > self.high)).any(0))
        if len(outside):  # where the box does not bind, that was the answer
            start = np.ascontiguousarray(x[:, outside].clip(self.low, self.high))
            x[:, outside] = box_least_squares(self.gram, np.ascontiguousarray(target[:, outside]), start, self.low, self.high)
        x[np.abs(x) < _QUIET] = 0.0
        return x.T.astype(np.float32)


def solver_of(pair: Pair, offsets: Floats, trust: float, ridge: float, limit: float) -> Solver:
    """Arrange the solve.

    Args:
        pair: the heads; offsets: of :func:`joint_offsets`.
        trust: how much the mapping by name counts against the geometry, where both heads have ARKit's names;
            in units of each column's own energy.
        ridge: pull towards 0 of columns without a namesake, m a unit.
        limit: largest coefficient of a head without ARKit names.
    """
    basis = pair.b.expression * np.sqrt(pair.weight)[:, None, None]
    flat = basis.reshape(-1, basis.shape[2])
    names_a, names_b = pair.a.head.expr_names, pair.b.head.expr_names
    both = pair.a.head.named and pair.b.head.named
    start = np.zeros((len(names_a), len(names_b)))
    if both:
        for j, name in enumerate(names_b):
            if name in names_a:
                start[names_a.index(name), j] = 1
    gram = flat.T @ flat
    energy = np.diag(gram).copy()
    pull = np.where(start.any(0), trust * energy + 1e-10, ridge**2)
    moves = pair.carried(pair.a.expression.transpose(2, 0, 1))
    side = (moves * np.sqrt(pair.weight)[:, None]).reshape(len(moves), -1) @ flat
    joints = (offsets * np.sqrt(pair.weight)[:, None]).reshape(len(offsets), -1) @ flat
    box = (0.0, 1.0) if pair.b.head.named else (-limit, limit)
    return Solver(gram + np.diag(pull), side + start * pull, joints, *box)
