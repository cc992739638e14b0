"""Joints, skinning weights and pose correctives of an ICT-style head, read off its jaw and gaze shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ...clip.rotation import rigid, rotation_matrices
from ...head.correspond import Correspondence
from ...head.model import HeadModel
from ...head.surface import sphere
from .ict_file import Flags, Floats, IctFile

JAW_OPEN = float(np.radians(25.3))
"""Angle of ``jawOpen`` about +x: that of the rigid lower teeth of the full ICT-FaceKit, for files without teeth."""
EYE_RADIUS = 0.0145
"""m: about an adult's eye, in proportion to these heads; where the search for an eye's ball starts."""
_ON_BALL = 2.5e-4
"""m: a vertex this close to a ball lies on it."""
NEGLIGIBLE = 2e-5
"""m: pose correctives smaller than this at the full shape are left out."""


@dataclass(frozen=True)
class OwnParts:
    """Which of the file's vertices are loose parts; everything else is skin. All ``(V,)`` bool."""

    eyes: tuple[Flags, Flags]
    """Left, right eyeball."""
    lower: Flags
    """Lower teeth (and gums): what ``jawOpen`` turns rigidly."""
    upper: Flags
    tongue: Flags

    @property
    def skin(self) -> Flags:
        """What is no loose part."""
        return ~(self.eyes[0] | self.eyes[1] | self.lower | self.upper | self.tongue)


@dataclass(frozen=True)
class Rig:
    """The joints and what they do to the file's vertices."""

    joints: Floats  # (5, 3) m
    eye_radius: float  # m
    weights: Floats  # (V, 5)
    posedirs: Floats  # (V, 3, 36)
    angles: dict[str, float]
    """Joint angle, rad, that performs each ARKit shape which is a joint here."""
    forward_share: float
    """How much ``jawForward`` belongs to a full ``jawLeft`` or ``jawRight``."""
    report: dict[str, float]  # mm


def own_parts(file: IctFile) -> OwnParts:
    """Loose parts among the file's connected pieces."""
    n, f = len(file.v), file.faces
    pairs = np.concatenate([f[:, [0, 1]], f[:, [1, 2]]])
    piece = connected_components(coo_matrix((np.ones(len(pairs)), pairs.T), shape=(n, n)), directed=False)[1]
    used = np.zeros(n, bool)
    used[f.ravel()] = True
    biggest = np.bincount(piece[used]).argmax()
    opened = file.shapes["jawOpen"]
    marks = file.v[file.marks]
    out = {k: np.zeros(n, bool) for k in ("left", "right", "lower", "upper", "tongue")}
    for k in np.unique(piece[used]):
        own = piece == k
        if k == biggest or own.sum() < 12:
            continue
        p = file.v[own]
        centre, radius, off = sphere(p)
        eye = next((s for s, at in (("left", slice(42, 48)), ("right", slice(36, 42)))
                    if np.linalg.norm(marks[at].mean(0) - centre) < 0.03), None)
        rot, moved = (x[0] for x in rigid((p + opened[own])[None], p))
        slack = float(np.linalg.norm(p @ rot.T + moved - p - opened[own], axis=1).max())
        if eye and 0.008 < radius < 0.022 and off < 0.05 * radius:
            out[eye] |= own
        elif np.linalg.norm(opened[own], axis=1).max() < 1e-4:
            out["upper"] |= own
        elif slack < 2e-4 and np.arctan2(rot[2, 1], rot[1, 1]) > np.radians(5):
            out["lower"] |= own
        else:
            out["tongue"] |= own
    return OwnParts((out["left"], out["right"]), out["lower"], out["upper"], out["tongue"])


def _jaw(file: IctFile, own: OwnParts) -> tuple[Floats, float]:
    """Place (3) of the jaw joint and its angle at ``jawOpen``."""
    opened = file.shapes["jawOpen"]
    if own.lower.any():
        p = file.v[own.lower]
        rot, trans = (x[0] for x in rigid((p + opened[own.lower])[None], p))
        angle = float(np.arctan2(rot[2, 1], rot[1, 1]))
    else:
        # Skin stretches, so its own rotation says little; with the teeth's angle known, the axis is where a turn
        # by that angle takes the chin and the lower lip to where the shape takes them.
        angle = JAW_OPEN
        moved = np.linalg.norm(opened, axis=1)
        far = moved > 0.85 * moved.max()
        p = file.v[far]
        trans = (p + opened[far] - p @ turn(0, angle).T).mean(0)
    flat = turn(0, angle)[1:, 1:]
    return np.r_[0.0, np.linalg.solve(np.eye(2) - flat, trans[1:])], angle


def _eye(file: IctFile, own: Flags, marks: Floats) -> tuple[Floats, float]:
    """Centre and radius of an eye, from its ball or from the socket behind the lids, which is a part of a ball.

    Fischler & Bolles, "Random sample consensus", CACM 24(6), 1981, https://doi.org/10.1145/358669.358692.
    """
    if own.any():
        return sphere(file.v[own])[:2]
    guess = marks.mean(0) - [0, 0, 0.8 * EYE_RADIUS]
    near = np.linalg.norm(file.v - guess, axis=1) < 1.6 * EYE_RADIUS
    behind = file.v[near & (file.v[:, 2] < marks[:, 2].max())]
    rng = np.random.default_rng(0)
    best: Floats | None = None
    most = 24
    for _ in range(400 if len(behind) >= most else 0):  # RANSAC: the ball that most vertices lie on
        centre, radius, _ = sphere(behind[rng.choice(len(behind), 5, replace=False)])
        if 0.6 * EYE_RADIUS < radius < 1.4 * EYE_RADIUS and np.linalg.norm(centre - guess) < 0.7 * EYE_RADIUS:
            on = np.abs(np.linalg.norm(behind - centre, axis=1) - radius) < _ON_BALL
            if on.sum() > most:
                best, most = behind[on], int(on.sum())
    if best is None:
        raise ValueError("the head has neither eyeballs nor eye sockets; eye joints cannot be placed")
    for _ in range(3):
        centre, radius, _ = sphere(best)
        best = behind[np.abs(np.linalg.norm(behind - centre, axis=1) - radius) < 2 * _ON_BALL]
    return sphere(best)[:2]


def smooth(values: np.ndarray, faces: np.ndarray, rounds: int) -> Floats:
    """(V, ...) averaged with the neighbours' ``rounds`` times."""
    e = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    n = len(values)
    links = coo_matrix((np.ones(2 * len(e)), (np.r_[e[:, 0], e[:, 1]], np.r_[e[:, 1], e[:, 0]])), shape=(n, n)).tocsr()
    degree = np.maximum(np.asarray(links.sum(1)).ravel(), 1)
    out = np.asarray(values, np.float64)
    for _ in range(rounds):
        out = 0.5 * out + 0.5 * (links @ out) / degree
    return out


def fit_rig(file: IctFile, own: OwnParts, same: Correspondence, default: HeadModel) -> Rig:
    """Joints, weights and correctives; ``same`` leads to the default head, whose neck says where this one's is."""
    v, n = file.v, len(file.v)
    report: dict[str, float] = {}
    jaw, angle = _jaw(file, own)
    marks = v[file.marks]
    left, r_left = _eye(file, own.eyes[0], marks[42:48])
    right, r_right = _eye(file, own.eyes[1], marks[36:42])
    fit = same.similarity
    base = ((default.joints()[:2] - fit.translation) @ fit.rotation) / fit.scale
    joints = np.stack([base[0], base[1], jaw, left, right])
    joints[:3, 0] = 0.5 * (left[0] + right[0])
    weights = _weights(file, own, same, default, jaw, angle)
    posedirs = np.zeros((n, 3, 36))
    angles: dict[str, float] = {}
    bare = own.eyes[0] | own.eyes[1] | own.upper
    share = _jaw_correctives(file, Hinge(v, jaw, weights[:, 2], posedirs, bare), angle, angles, report)
    _gaze_correctives(file, own, posedirs, angles, bare, default, report)
    return Rig(joints, 0.5 * (r_left + r_right), weights, posedirs, angles, share, report)


def _weights(file: IctFile, own: OwnParts, same: Correspondence, default: HeadModel, jaw: Floats, angle: float) -> Floats:
    """(V, 5): the jaw's share is how far ``jawOpen`` takes each vertex along its turn."""
    turned = (file.v - jaw) @ (turn(0, angle) - np.eye(3)).T
    w_jaw = ((file.shapes["jawOpen"] * turned).sum(1) / ((turned * turned).sum(1) + 1e-8)).clip(0, 1)
    w_jaw[w_jaw < 2e-3] = 0
    w_jaw[own.lower], w_jaw[own.upper] = 1, 0
    w_head = smooth(same.carry_values(1.0 - default.weights[:, 0].astype(np.float64)), file.faces, 8)
    w_head[w_head > 0.995] = 1
    w_head[~own.skin] = 1
    w_head = np.maximum(w_head.clip(0, 1), w_jaw)
    out = np.zeros((len(file.v), 5))
    out[:, 0], out[:, 1], out[:, 2] = 1 - w_head, w_head - w_jaw, w_jaw
    for joint, eye in ((3, own.eyes[0]), (4, own.eyes[1])):
        out[eye] = np.eye(5)[joint]
    return out


def error_mm(a: Floats, b: Floats, moved: Floats | Flags) -> float:
    """Mean distance of points ``(V, 3)`` over those that a shape moves (or that are marked)."""
    moving = moved if moved.dtype == bool else np.linalg.norm(moved, axis=1) > 1e-4
    return float(np.linalg.norm(a - b, axis=1)[moving].mean() * 1000) if moving.any() else 0.0


def turn(axis: int, angle: float) -> Floats:
    """Rotation (3, 3) about an axis."""
    return rotation_matrices(angle * np.eye(3)[axis])


@dataclass(frozen=True)
class Hinge:
    """A jaw joint with its skinning, for fitting its pose correctives (in ``posedirs``, on R21 and R02 of its block)."""

    v: Floats
    jaw: Floats
    weight: Floats
    """(V,)"""
    posedirs: Floats
    bare: Flags
    """(V,) what correctives leave alone."""

    def skinned(self, rot: Floats, shape: Floats) -> Floats:
        """The mesh turned by the joint, without correctives."""
        return shape + self.weight[:, None] * ((shape - self.jaw) @ (rot - np.eye(3)).T)

    def posed(self, rot: Floats) -> Floats:
        """The mesh turned by the joint."""
        return self.skinned(rot, self.v + np.einsum("vck,k->vc", self.posedirs[:, :, 9:18], (rot - np.eye(3)).ravel()))

    def corrective(self, rot: Floats, goal: Floats) -> Floats:
        """Offsets in the rest pose that make the skinned mesh hit ``goal``."""
        blend = np.eye(3) + self.weight[:, None, None] * (rot - np.eye(3))
        return np.asarray(np.linalg.solve(blend, (goal - self.skinned(rot, self.v))[..., None])[..., 0], np.float64)

    def keep(self, column: int, offsets: Floats, sine: float) -> None:
        """Store a corrective that is full where its pose feature is ``sine``."""
        offsets = np.where((np.linalg.norm(offsets, axis=1) < NEGLIGIBLE)[:, None], 0.0, offsets)
        offsets[self.bare] = 0
        self.posedirs[:, :, 9 + column] = offsets / sine


def odd_corrective(a: Floats, b: Floats, sa: float, sb: float, bare: Flags) -> Floats:
    """The offsets which, times the sines of two opposite angles, come closest to the shapes at these."""
    p = (a * sa + b * sb) / (sa * sa + sb * sb)
    p[(np.linalg.norm(p, axis=1) * max(abs(sa), abs(sb)) < NEGLIGIBLE) | bare] = 0
    return p


def _jaw_correctives(file: IctFile, hinge: Hinge, angle: float, angles: dict[str, float], report: dict[str, float]) -> float:
    """Fill the jaw's block of ``posedirs``; returns the share of ``jawForward`` in the sideways shapes."""
    v, opened = file.v, file.shapes["jawOpen"]
    # jawOpen turns about +x; its corrective rides on R21 = sin(angle).
    hinge.keep(7, hinge.corrective(turn(0, angle), v + opened), np.sin(angle))
    angles["jawOpen"] = angle
    report["jaw_open_error_mm_skinning_only"] = error_mm(hinge.skinned(turn(0, angle), v), v + opened, opened)
    report["jaw_open_error_mm"] = error_mm(hinge.posed(turn(0, angle)), v + opened, opened)
    report["jaw_half_open_error_mm"] = error_mm(hinge.posed(turn(0, angle / 2)), v + opened / 2, opened)
    if "jawLeft" not in file.shapes or "jawRight" not in file.shapes:
        return 0.0

    # Sideways: about +y, the odd part; the even part would grow with the square of the angle.
    left, right = file.shapes["jawLeft"], file.shapes["jawRight"]
    trial = np.radians(np.linspace(0.5, 15, 291))
    lever = hinge.weight[:, None] * (v - hinge.jaw)
    cost = [np.linalg.norm(lever @ (turn(1, a) - np.eye(3)).T - (left - right) / 2) for a in trial]
    side = float(trial[int(np.argmin(cost))])
    angles["jawLeft"], angles["jawRight"] = side, -side
    hinge.keep(2, (hinge.corrective(turn(1, side), v + left) - hinge.corrective(turn(1, -side), v + right)) / 2, np.sin(side))
    forward, share = file.shapes.get("jawForward", np.zeros_like(v)), 0.0
    if (forward * forward).sum() > 0:
        share = float(np.clip((((left + right) / 2) * forward).sum() / (forward * forward).sum(), 0, 1))
    for name, shape, by in (("left", left, side), ("right", right, -side)):
        report[f"jaw_{name}_error_mm"] = error_mm(hinge.posed(turn(1, by)), v + shape - share * forward, shape)
    return share


def _gaze_correctives(file: IctFile, own: OwnParts, posedirs: Floats, angles: dict[str, float], bare: Flags,
                      default: HeadModel, report: dict[str, float]) -> None:
    """Lids follow the gaze: odd in pitch on R21, odd in yaw on R02 of each eye joint.

    The angle of a full ``eyeLook*`` is what its shape turns the eyeball by; without an eyeball it is the default head's.
    """
    known: dict[str, float] = default.meta["arkit_angles"]
    for joint, eye, label in ((3, own.eyes[0], "Left"), (4, own.eyes[1], "Right")):
        names = [f"eyeLook{way}{label}" for way in ("Up", "Down", "In", "Out")]
        if any(name not in file.shapes for name in names):
            continue
        for name in names:
            angles[name] = known[name]
            if eye.any() and np.linalg.norm(file.shapes[name][eye], axis=1).max() > 1e-4:
                p = file.v[eye]
                q = rigid((p + file.shapes[name][eye])[None], p)[0][0]
                angles[name] = float(np.arctan2(q[2, 1], q[1, 1]) if name[7:9] in ("Up", "Do")
                                     else np.arctan2(q[0, 2], q[0, 0]))
        pairs = ((names[1], names[0], 7), (names[3], names[2], 2) if label == "Left" else (names[2], names[3], 2))
        for a, b, column in pairs:
            sa, sb = np.sin(angles[a]), np.sin(angles[b])
            p = posedirs[:, :, 9 * (joint - 1) + column] = odd_corrective(file.shapes[a], file.shapes[b], sa, sb, bare)
            for name, s in ((a, sa), (b, sb)):
                moving = (np.linalg.norm(file.shapes[name], axis=1) > 1e-4) & ~bare
                report[f"lid_{name[7:].lower()}_error_mm"] = error_mm(p * s, file.shapes[name], moving)


def regressor(file: IctFile, rig: Rig, own: OwnParts) -> Floats:
    """(5, V): each joint as a mix of vertices near it, so that it follows identity."""
    v, n = file.v, len(file.v)
    out = np.zeros((5, n))
    skin = np.flatnonzero(own.skin)
    used = np.zeros(n, bool)
    used[file.faces.ravel()] = True
    skin = skin[used[skin]]
    low = v[skin, 1]
    rings = {0: skin[np.argsort(low, kind="stable")[: max(24, len(skin) // 50)]],
             1: skin[np.argsort(np.abs(low - rig.joints[1, 1]), kind="stable")[: max(24, len(skin) // 50)]],
             2: _nearest(v, skin, rig.joints[2], 80, beside=0.035)}
    for joint, eye in ((3, own.eyes[0]), (4, own.eyes[1])):
        rings[joint] = np.flatnonzero(eye) if eye.any() else _nearest(v, skin, rig.joints[joint], 120)
    for joint, chosen in rings.items():
        out[joint] = regress(v, chosen, rig.joints[joint])
    return out


def _nearest(v: Floats, chosen: NDArray[np.int64], where: Floats, count: int, beside: float = 0.0) -> NDArray[np.int64]:
    gap = np.linalg.norm((v[chosen] - where)[:, 1:], axis=1) if beside else np.linalg.norm(v[chosen] - where, axis=1)
    gap = np.where(np.abs(v[chosen, 0] - where[0]) < beside, np.inf, gap) if beside else gap
    return chosen[np.argsort(gap, kind="stable")[:count]]


def regress(points: Floats, chosen: NDArray[np.int64], where: Floats) -> Floats:
    """Row (V,) on the chosen vertices, summing to one, that gives ``where``; as even as possible."""
    count = len(chosen)
    a = np.concatenate([np.ones((1, count)), points[chosen].T])
    even = np.full(count, 1.0 / count)
    row = np.zeros(len(points))
    row[chosen] = even + np.linalg.pinv(a) @ (np.r_[1.0, where] - a @ even)
    return row
