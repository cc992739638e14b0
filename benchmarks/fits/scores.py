"""A fitted clip against the true one: actions, angles, millimetres. Used by ``fit.py``."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.transform import Rotation

from ...face.clip.rotation import rotation_matrices
from ...face.clip.sequence import FaceSequence
from ...face.facs.measured import MeasuredAction, Measurement
from ...face.facs.vocabulary import ACTION, ACTIONS
from ...face.head.model import HeadModel
from ...face.render.camera import PinholeCamera
from ..report import Counts

Array = NDArray[np.float64]
GROUPS: tuple[str, ...] = ("expression", "blink", "gaze", "head")
"""``expression`` is every action but head movements and gaze, blinks included: the gate is on it."""
CLEAR = 0.35
"""Intensity from which an action counts as clear; the measurement's threshold is 0.24."""
SLACK = 0.08
"""Intervals may miss each other by this many seconds and still be one action (a blink lasts 0.3 s)."""


def group_of(name: str) -> str:
    """Which of GROUPS an action is reported under (blinks and closed eyes apart from the rest)."""
    if name == "blink":
        return "blink"
    region = ACTION[name].region
    return region if region in ("head", "gaze") else "expression"


@dataclass
class ActionMatch:
    """The actions of two clips set against each other.

    Attributes:
        counts: by name. clear: the same where an action without a partner counts only from CLEAR on.
        wrong: what was missed or invented, with times and intensities.
        onset: absolute differences of the onsets of matched actions, s; intensity: fitted minus true.
    """

    counts: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    clear: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    wrong: list[dict[str, Any]] = field(default_factory=list)
    onset: list[float] = field(default_factory=list)
    intensity: list[float] = field(default_factory=list)

    def __add__(self, other: ActionMatch) -> ActionMatch:
        return ActionMatch(_summed(self.counts, other.counts), _summed(self.clear, other.clear), self.wrong + other.wrong,
                           self.onset + other.onset, self.intensity + other.intensity)


def _summed(a: dict[str, Counts], b: dict[str, Counts]) -> dict[str, Counts]:
    return defaultdict(Counts, {k: a.get(k, Counts()) + b.get(k, Counts()) for k in [*a, *b]})


def match_actions(true: Measurement, found: Measurement) -> ActionMatch:
    """Pair actions of one name that overlap in time, one to one, for the largest total overlap."""
    out = ActionMatch()
    for name in ACTIONS:
        a, b = true.of(name), found.of(name)
        if not a and not b:
            continue
        shared = np.array([[_overlap(x, y) for y in b] for x in a]).reshape(len(a), len(b))
        rows, columns = linear_sum_assignment(-shared)
        pairs = [(i, j) for i, j in zip(rows, columns, strict=True) if shared[i, j] > 0]
        for i, j in pairs:
            out.onset.append(abs(a[i].onset - b[j].onset))
            out.intensity.append(b[j].intensity - a[i].intensity)
        lost = [x for i, x in enumerate(a) if i not in {p[0] for p in pairs}]
        made = [x for j, x in enumerate(b) if j not in {p[1] for p in pairs}]
        out.counts[name] += Counts(len(pairs), len(made), len(lost))
        out.clear[name] += Counts(len(pairs), *(sum(x.intensity >= CLEAR for x in some) for some in (made, lost)))
        for kind, actions in (("missed", lost), ("invented", made)):
            out.wrong += [{"kind": kind, "name": name, "onset": round(x.onset, 2), "offset": round(x.offset, 2),
                           "intensity": round(x.intensity, 2)} for x in actions]
    return out


def _overlap(a: MeasuredAction, b: MeasuredAction) -> float:
    return max(0.0, min(a.offset, b.offset) - max(a.onset, b.onset) + SLACK)


def grouped(counts: dict[str, Counts]) -> dict[str, Counts]:
    """Sums over GROUPS; expression holds blinks, too."""
    out = {g: Counts() for g in GROUPS}
    for name, c in counts.items():
        group = group_of(name)
        out[group] += c
        if group == "blink":
            out["expression"] += c
    return out


# -- geometry ---------------------------------------------------------------------------
def rigid_onto(moving: Array, fixed: Array, index: NDArray[np.int64]) -> Array:
    """``moving (T, V, 3)`` rotated and translated, not scaled, so that its points ``index`` best meet ``fixed``'s.

    Kabsch 1976, https://doi.org/10.1107/S0567739476001873
    """
    a, b = moving[:, index], fixed[:, index]
    ma, mb = a.mean(1, keepdims=True), b.mean(1, keepdims=True)
    u, _, vt = np.linalg.svd(np.einsum("tni,tnj->tij", b - mb, a - ma))
    sign = np.ones((len(a), 3))
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rot = (u * sign[:, None]) @ vt
    return np.asarray((moving - ma) @ rot.transpose(0, 2, 1) + mb)


@dataclass(frozen=True)
class Geometry:
    """Errors of one clip over frames where a face was fitted. Millimetres and degrees, means unless said.

    Attributes:
        rotation: geodesic error of the head's orientation in the camera's frame, degrees, mean; rotation_p95.
        turn: the same after the clip's mean difference is taken out: error of the motion alone.
        lips, lids, face: vertices after rigid alignment (no scale) of the face region, fitted identity and motion;
            _p95 over frames.
        lips_motion, lids_motion: vertices of the true identity under fitted against true motion.
        identity: neutral face, fitted against true, aligned.
        jaw: opening angle, degrees; gaze: angle between mean gaze directions relative to the head, degrees.
        focal: fitted over true focal length, minus 1; depth: the same of the distance.
        jitter, jitter_true: mean second difference of the lip, lid and brow vertices in the head's frame, mm.
    """

    rotation: float
    rotation_p95: float
    turn: float
    lips: float
    lips_p95: float
    lids: float
    lids_p95: float
    face: float
    lips_motion: float
    lids_motion: float
    identity: float
    jaw: float
    gaze: float
    focal: float
    depth: float
    jitter: float
    jitter_true: float


def geometry(true: FaceSequence, camera: PinholeCamera, found: FaceSequence, fitted: PinholeCamera, head: HeadModel,
             use: NDArray[np.bool_]) -> Geometry:
    """Compare two clips of one head; ``use (T,)`` says which frames count."""
    at = np.flatnonzero(use)
    t, f = (s.replace(**s.parameters(at), valid=s.valid[at]) for s in (true, found))
    rot_t, rot_f = orientation(t), orientation(f)
    gap = rot_f * rot_t.inv()
    angle = np.degrees(gap.magnitude())
    turn = np.degrees((gap.mean().inv() * gap).magnitude())
    face = np.asarray(head.masks["face"], np.int64)
    lips, lids = (np.asarray(head.masks[k], np.int64) for k in ("lips", "lids"))
    verts_t, verts_f = _still(t, t.shape, head), _still(f, f.shape, head)
    own = _still(f, t.shape, head)
    miss = 1000 * np.linalg.norm(rigid_onto(verts_f, verts_t, face) - verts_t, axis=-1)
    moved = 1000 * np.linalg.norm(own - verts_t, axis=-1)
    rest_t, rest_f = (np.asarray(head.vertices(shape=s), np.float64) for s in (_identity(t, head), _identity(f, head)))
    identity = 1000 * np.linalg.norm(rigid_onto(rest_f, rest_t, face) - rest_t, axis=-1)[0, face].mean()
    middle = [np.asarray(head.sequence_landmarks(s))[:, head.landmark_index("ibug_30"), 2] for s in (t, f)]
    soft = np.unique(np.concatenate([lips, lids, np.asarray(head.masks["brows"], np.int64)]))
    return Geometry(
        rotation=float(angle.mean()), rotation_p95=float(np.percentile(angle, 95)), turn=float(turn.mean()),
        lips=float(miss[:, lips].mean()), lips_p95=float(np.percentile(miss[:, lips].mean(1), 95)),
        lids=float(miss[:, lids].mean()), lids_p95=float(np.percentile(miss[:, lids].mean(1), 95)),
        face=float(miss[:, face].mean()), lips_motion=float(moved[:, lips].mean()), lids_motion=float(moved[:, lids].mean()),
        identity=float(identity), jaw=float(np.degrees(np.abs(f.jaw_pose[:, 0] - t.jaw_pose[:, 0]).mean())),
        gaze=float(np.degrees(_gaze_angle(t, f).mean())), focal=fitted.focal / camera.focal - 1,
        depth=float((middle[1] / middle[0]).mean() - 1),
        jitter=_jitter(verts_f[:, soft], at), jitter_true=_jitter(verts_t[:, soft], at))


def orientation(seq: FaceSequence) -> Rotation:
    """R(rotation) R(neck_pose) of each frame."""
    return Rotation.from_rotvec(seq.rotation.astype(float)) * Rotation.from_rotvec(seq.neck_pose.astype(float))


def _identity(seq: FaceSequence, head: HeadModel) -> NDArray[np.float32]:
    return seq.shape if len(seq.shape) else np.zeros(head.n_shape, np.float32)


def _still(seq: FaceSequence, shape: NDArray[np.float32], head: HeadModel) -> Array:
    """(T, V, 3) m: the face's own motion on an identity, head held still."""
    return np.asarray(head.vertices(expr=seq.expr, jaw_pose=seq.jaw_pose, eyes_pose=seq.eyes_pose,
                                    shape=shape if len(shape) else None), np.float64)


def _gaze_angle(a: FaceSequence, b: FaceSequence) -> Array:
    ahead = []
    for seq in (a, b):
        both = rotation_matrices(seq.eyes_pose.reshape(-1, 2, 3).astype(np.float32))[..., 2].mean(1).astype(np.float64)
        ahead.append(both / np.linalg.norm(both, axis=-1, keepdims=True))
    return np.arccos(np.clip((ahead[0] * ahead[1]).sum(-1), -1, 1))


def _jitter(verts: Array, at: NDArray[np.int64]) -> float:
    run = (np.diff(at)[1:] == 1) & (np.diff(at)[:-1] == 1)
    if not run.any():
        return float("nan")
    return float(1000 * np.linalg.norm(verts[2:] - 2 * verts[1:-1] + verts[:-2], axis=-1)[run].mean())


def channel_gains(pairs: list[tuple[FaceSequence, FaceSequence]], names: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """How much of each expression channel comes through, and how much appears where there is none.

    ``gain`` is the least-squares slope of fitted on true; ``leak`` the mean fitted value where the true one is
    below 0.05; ``seen`` how many frames the channel is above 0.2 in.
    """
    if not pairs:
        return {}
    true = np.concatenate([t.expr[f.valid] for t, f in pairs]).astype(np.float64)
    found = np.concatenate([f.expr[f.valid] for _, f in pairs]).astype(np.float64)
    out = {}
    for i, name in enumerate(names):
        x, y = true[:, i], found[:, i]
        quiet = x < 0.05
        out[name] = {"gain": float((x * y).sum() / max((x * x).sum(), 1e-9)) if (x > 0.2).any() else float("nan"),
                     "leak": float(y[quiet].mean()) if quiet.any() else float("nan"), "seen": int((x > 0.2).sum())}
    return out
