"""What the fit minimises, as normal equations: residuals, their derivatives, priors and smoothness.

Every frame has ``P = 13 + E + K`` unknowns: rotation (3, applied on the left of the current one), position (3),
jaw (3), pitch and yaw of each eye (4), expression (E), and the detector's K bias modes (face/landmarks/response.py). A
clip's equations are block-banded: frames meet only through second differences, so a whole window is one banded
Cholesky solve.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from ...face.clip.channels import EXPR_INDEX, EXPR_NAMES
from ...face.clip.rotation import rotation_matrices
from ...face.facs.poses import ACTION_POSES, EMOTION_POSES
from ...face.landmarks.points import Embedding
from .config import FitConfig
from .points import LID_PAIRS, PointModel

Array = NDArray[np.float32]

ROT, POS, JAW, EYES, EXPR = slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 13), 13
LIDS = tuple(i for i, n in enumerate(EXPR_NAMES) if n.startswith("eyeBlink"))
_FAINT: dict[str, float] = {"browInnerUp": 0.5, "cheekPuff": 1.5, "mouthPucker": 0.5, "noseSneerLeft": 0.5, "noseSneerRight": 0.5,
                          "eyeSquintLeft": 0.3, "eyeSquintRight": 0.3, "mouthUpperUpLeft": 0.3, "mouthUpperUpRight": 0.3}
"""Shapes that move few points by little, or that the detector shows by half: the same prior would shrink them most."""


def _sides(side: str = "", **shapes: float) -> dict[str, float]:
    return {name + s: x for name, x in shapes.items() for s in ((side,) if side else ("Left", "Right"))}


_TOGETHER: dict[str, dict[str, float]] = {
    "smile": _sides(mouthSmile=0.95, mouthDimple=0.15), "wink_left": _sides("Left", eyeBlink=1, cheekSquint=0.5),
    "wink_right": _sides("Right", eyeBlink=1, cheekSquint=0.5),
    "happiness": _sides(mouthSmile=0.9, cheekSquint=0.7, eyeSquint=0.55, mouthDimple=0.15),
    "disgust": _sides(noseSneer=1, mouthUpperUp=0.75, browDown=0.3) | {"mouthShrugLower": 0.15}}
"""What goes together on a face that is fitted, where it differs from what facelm performs (face/assets/facs.yaml): people also
smile with closed lips, and a prior that ties the lips to the smile would part them. The learned prior was made with these."""
_JAW_RANGE = ((-0.03, 0.55), (-0.15, 0.15), (-0.08, 0.08))
_GAZE_LIMIT = 0.7

# MediaPipe's numbering, https://github.com/google-ai-edge/mediapipe (face mesh topology): upper and lower points of
# the inner lips, the mouth's corners, each iris with the corners of its eye.
_LIP_PAIRS = ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402), (61, 291))
_IRISES = ((468, 33, 133), (473, 362, 263))


@dataclass(frozen=True)
class Observed:
    """A window of landmarks, ready for the fit.

    Attributes:
        points: ``(T, L, 2)`` px from the principal point, x right and y up; zero where nothing was seen.
        seen: ``(T, L)`` bool.
        scale: ``(T,)`` px a metre at the face.
        open: ``(T, 2)`` in 0..1, how far the left and the right eye show their iris.
        expr: ``(T, E)`` what the detector's blend shapes say, and ``expr_sigma (E,)``; inf where they say nothing.
        prior: ``(T, 7 + E)`` mean of the learned prior on jaw, eyes and expression (learned_prior.py), and
            ``prior_weight``, its inverse variances; None: there is none.
    """

    points: Array
    seen: NDArray[np.bool_]
    scale: Array
    open: Array
    expr: Array
    expr_sigma: Array
    prior: Array | None = None
    prior_weight: Array | None = None

    def __len__(self) -> int:
        return len(self.points)

    def part(self, index: NDArray[np.int64] | slice) -> Observed:
        """Some of the frames."""
        names = [f.name for f in fields(self) if f.name != "expr_sigma" and getattr(self, f.name) is not None]
        cut: dict[str, Any] = {name: getattr(self, name)[index] for name in names}
        return replace(self, **cut)


@dataclass(frozen=True)
class Pose:
    """Unknowns of T frames.

    Attributes:
        rot: ``(T, 3, 3)``; pos: ``(T, 3)`` m, where the head's pivot is, camera frame.
        jaw: ``(T, 3)`` rad; eyes: ``(T, 6)`` rad, left then right; expr: ``(T, E + K)``, expression then bias modes.
    """

    rot: Array
    pos: Array
    jaw: Array
    eyes: Array
    expr: Array

    def part(self, index: NDArray[np.int64] | slice) -> Pose:
        """Some of the frames."""
        return Pose(*(getattr(self, f.name)[index] for f in fields(self)))

    def moved(self, step: NDArray[np.float64]) -> Pose:
        """After a step ``(T, P)``, limited to what stays within the linearisation."""
        s = np.asarray(step, np.float32)
        turn = s[:, ROT] * np.minimum(1.0, 0.4 / np.maximum(np.linalg.norm(s[:, ROT], axis=1, keepdims=True), 1e-9))
        eyes = self.eyes.copy()
        eyes[:, (0, 1, 3, 4)] = np.clip(eyes[:, (0, 1, 3, 4)] + np.clip(s[:, EYES], -0.3, 0.3), -_GAZE_LIMIT, _GAZE_LIMIT)
        return Pose((rotation_matrices(turn) @ self.rot).astype(np.float32), self.pos + s[:, POS],
                    self.jaw + np.clip(s[:, JAW], -0.15, 0.15), eyes, self.expr + np.clip(s[:, EXPR:], -0.6, 0.6))


@dataclass(frozen=True)
class Person:
    """What a clip shares: identity ``shape (S,)``, ``offset (L, 3)`` m (see ``solve``), log focal length."""

    shape: Array
    offset: Array
    log_focal: float


@dataclass(frozen=True)
class Equations:
    """``H (T, P, P)`` and ``g (T, P)`` of the data and prior terms; identity's when asked (``shared``)."""

    hessian: NDArray[np.float32]
    gradient: NDArray[np.float32]
    residual: Array
    """``(T, L, 2)`` m on the face, what is seen minus what the model shows."""
    cross: NDArray[np.float32] | None = None
    """``(T, P, S + 1)``"""
    shared: NDArray[np.float64] | None = None
    """``(S + 1, S + 1)``"""
    shared_gradient: NDArray[np.float64] | None = None


class Energy:
    """The terms of one head and embedding under a configuration."""

    def __init__(self, model: PointModel, config: FitConfig, focal_guess: float) -> None:
        self.model, self.config, self.log_focal_guess = model, config, float(np.log(focal_guess))
        embedding: Embedding = model.embedding
        place = {int(p): i for i, p in enumerate(embedding.index)}
        data = config.data
        sigma = np.maximum(embedding.spread if model.response is None else model.response.sigma, data.floor)
        self.weight = (data.share / sigma**2).astype(np.float32)
        self.sigma = sigma.astype(np.float32)
        rows: list[tuple[tuple[int, int, int], float]] = []
        for pairs, s in ((LID_PAIRS, data.lid_gap), (_LIP_PAIRS, data.lip_gap)):
            rows += [((place[a], place[b], place[b]), s) for a, b in pairs if a in place and b in place]
        rows += [((place[i], place[a], place[b]), data.iris) for i, a, b in _IRISES if {i, a, b} <= place.keys()]
        self.triples = np.array([r[0] for r in rows], np.int64).reshape(-1, 3)
        """A point against the middle of two others (twice the same: against that one)."""
        self.triple_weight = np.array([0.5 / r[1] ** 2 for r in rows], np.float32)
        region = np.array(embedding.region)
        self.irises = [np.flatnonzero(region == name) for name in ("iris_left", "iris_right")]
        iris_rows = {place[i]: side for side, (i, _, _) in enumerate(reversed(_IRISES)) if i in place}
        self.triple_eye = np.array([iris_rows.get(int(a), -1) for a in self.triples[:, 0]], np.int64)
        """Which eye's iris a row is of, left 0 and right 1; -1 for the others."""
        self.pivot = model.template.mean(0)
        named = model.head.expr_names == EXPR_NAMES
        self.bounded = named
        """ARKit-like columns live in 0..1; those of a statistical head do not."""
        self.lids = np.array(LIDS if named else (), np.int64)
        self.precision = _precision(config, model.n_expr, named)

    # -- residuals -----------------------------------------------------------------------------
    def residuals(self, seen: Observed, pose: Pose, person: Person) -> Array:
        """``(T, L, 2)`` m on the face."""
        neutral, joints = self.model.neutral(person.shape, person.offset), self.model.joints(person.shape)
        at = self.model.viewed(self.model.local(neutral, joints, pose.expr, pose.jaw, pose.eyes).at, pose.rot)
        world = (at - self.pivot) @ pose.rot.transpose(0, 2, 1) + pose.pos[:, None]
        return self._miss(seen, world, person)

    def _miss(self, seen: Observed, world: Array, person: Person) -> Array:
        depth = np.maximum(-world[..., 2:], 0.02)
        shown = np.float32(np.exp(person.log_focal)) * world[..., :2] / depth
        return ((seen.points - shown) / seen.scale[:, None, None]).astype(np.float32)

    def build(self, seen: Observed, pose: Pose, person: Person, shared: bool = False) -> Equations:
        """The normal equations around ``pose``; with identity and focal length when ``shared``."""
        model = self.model
        neutral, joints = model.neutral(person.shape, person.offset), model.joints(person.shape)
        posed = model.local(neutral, joints, pose.expr, pose.jaw, pose.eyes)
        turned = (model.viewed(posed.at, pose.rot) - self.pivot) @ pose.rot.transpose(0, 2, 1)
        world = turned + pose.pos[:, None]
        residual = self._miss(seen, world, person)
        frames, n = len(seen), model.n_points
        size = EXPR + model.n_columns
        # d(shown)/d(world), 2x3, in metres on the face
        depth = np.maximum(-world[..., 2], 0.02)
        gain = np.float32(np.exp(person.log_focal)) / depth / seen.scale[:, None]
        lens = np.zeros((frames, n, 2, 3), np.float32)
        lens[..., 0, 0] = lens[..., 1, 1] = gain
        lens[..., 0, 2], lens[..., 1, 2] = gain * world[..., 0] / depth, gain * world[..., 1] / depth
        slope = np.empty((frames, n, 2, size), np.float32)
        x, y, z = turned[..., 0, None], turned[..., 1, None], turned[..., 2, None]
        a, b, c = lens[..., 0], lens[..., 1], lens[..., 2]
        slope[..., 0], slope[..., 1], slope[..., 2] = c * y - b * z, a * z - c * x, b * x - a * y
        slope[..., POS] = lens
        head = (lens.reshape(frames, -1, 3) @ pose.rot).reshape(frames, n, 2, 3)
        angles = model.angle_slopes(posed, joints, pose.jaw, pose.eyes)
        slope[..., 6:13] = head @ angles
        skinned = head @ posed.blend
        basis = model.expr_by_point
        expr = slope[..., EXPR:]
        np.multiply(skinned[..., 0, None], basis[:, None, 0], out=expr)
        expr += skinned[..., 1, None] * basis[:, None, 1]
        expr += skinned[..., 2, None] * basis[:, None, 2]
        extra = None
        if shared:
            extra = np.empty((frames, n, 2, model.n_shape + 1), np.float32)
            extra[..., :-1] = skinned @ model.shape_by_point[:, None].reshape(n, 3, -1)
            extra[..., -1] = (lens[..., :2] @ world[..., :2, None])[..., 0]
        return self._normal(seen, pose, person, residual, slope, extra)

    def _normal(self, seen: Observed, pose: Pose, person: Person, residual: Array, slope: Array,
                extra: Array | None) -> Equations:
        """Weighted sums over the rows, then the priors."""
        frames = len(seen)
        a, b, c = self.triples.T
        gap = residual[:, a] - 0.5 * (residual[:, b] + residual[:, c])
        both = seen.seen[:, a] & seen.seen[:, b] & seen.seen[:, c]
        k = self.config.data.robust
        far = (residual**2).sum(-1) / (k * self.sigma) ** 2
        weight = np.where(seen.seen, self.weight / (1 + far) ** 2, 0.0).astype(np.float32)
        shows = seen.open**2
        for side, points in enumerate(self.irises):  # behind a closed lid the detected iris moves with it
            weight[:, points] *= shows[:, side, None]
        gap_far = (gap**2).sum(-1) * self.triple_weight * 2 / k**2 / 4
        gap_weight = np.where(both, self.triple_weight / (1 + gap_far) ** 2, 0.0).astype(np.float32)
        for side in (0, 1):
            gap_weight[:, self.triple_eye == side] *= shows[:, side, None]

        def rows(of: Array) -> Array:
            gaps = of[:, a] - 0.5 * (of[:, b] + of[:, c])
            joined = np.concatenate([of * np.sqrt(weight)[..., None, None], gaps * np.sqrt(gap_weight)[..., None, None]], 1)
            return joined.reshape(frames, -1, of.shape[-1])

        j = rows(slope)
        r = np.concatenate([residual * np.sqrt(weight)[..., None], gap * np.sqrt(gap_weight)[..., None]], 1).reshape(
            frames, -1, 1)
        jt = j.transpose(0, 2, 1)
        hessian, gradient = jt @ j, (jt @ r)[..., 0]
        self._priors(seen, pose, hessian, gradient)
        if extra is None:
            return Equations(hessian, gradient, residual)
        q = rows(extra)
        shared = np.einsum("tra,trb->ab", q, q, optimize=True).astype(np.float64)
        shared_gradient = np.einsum("tra,tr->a", q, r[..., 0], optimize=True).astype(np.float64)
        p = self.config.priors
        s = self.model.n_shape
        shared[np.arange(s), np.arange(s)] += 1 / p.identity**2
        shared_gradient[:s] -= person.shape / p.identity**2
        stiff = 1 / max(p.focal, 1e-3) ** 2
        shared[s, s] += stiff
        shared_gradient[s] -= (person.log_focal - self.log_focal_guess) * stiff
        return Equations(hessian, gradient, residual, jt @ q, shared, shared_gradient)

    def _priors(self, seen: Observed, pose: Pose, hessian: Array, gradient: Array) -> None:
        """Quadratic priors on single unknowns; added in place."""
        p = self.config.priors
        at = np.arange(hessian.shape[1])
        stiff = np.zeros((len(seen), len(at)), np.float32)
        pull = np.zeros_like(stiff)

        def add(where: slice | NDArray[np.int64], value: Array, sigma: float | Array) -> None:
            inverse = np.float32(1) / np.square(np.asarray(sigma, np.float32))
            stiff[:, where] += inverse
            pull[:, where] -= value * inverse

        def limit(where: slice, value: Array, low: Array | float, high: Array | float, sigma: float) -> None:
            over = value - np.clip(value, low, high)
            stiff[:, where] += (over != 0) / np.float32(sigma**2)
            pull[:, where] -= over / np.float32(sigma**2)

        stiff[:, ROT] += 1e-2
        stiff[:, POS] += 1e-2
        add(JAW, pose.jaw, np.array([p.jaw, p.jaw_side, p.jaw_side], np.float32))
        low, high = np.array(_JAW_RANGE, np.float32).T
        limit(JAW, pose.jaw, low, high, 0.01)
        eyes = pose.eyes[:, (0, 1, 3, 4)]
        add(EYES, eyes, p.gaze)
        n = self.model.n_expr
        expr, shown = slice(EXPR, EXPR + n), pose.expr[:, :n]
        hessian[:, expr, expr] += self.precision
        pull[:, expr] -= shown @ self.precision
        add(slice(EXPR + n, None), pose.expr[:, n:], p.habits)
        if self.bounded:
            limit(expr, shown, 0.0, 1.0, p.limits)
        if p.blendshapes > 0:
            add(expr, shown - seen.expr[:, :n], np.where(np.isfinite(seen.expr_sigma), seen.expr_sigma * p.blendshapes, 1e6))
        if seen.prior is not None and seen.prior_weight is not None:
            own = slice(JAW.start, EXPR + n)
            stiff[:, own] += seen.prior_weight
            pull[:, own] -= (np.concatenate([pose.jaw, eyes, shown], 1) - seen.prior) * seen.prior_weight
        hessian[:, at, at] += stiff
        gradient += pull
        # both eyes look the same way
        together = np.float32(1 / p.vergence**2)
        for left, right in ((9, 11), (10, 12)):
            apart = pose.eyes[:, left - 9] - pose.eyes[:, right - 8]
            for i, k, sign in ((left, right, -1.0), (right, left, 1.0)):
                hessian[:, i, i] += together
                hessian[:, i, k] -= together
                gradient[:, i] += np.float32(sign) * apart * together

    # -- time ----------------------------------------------------------------------------------
    def stiffness(self, fps: float) -> NDArray[np.float64]:
        """``(P,)`` weights of squared second differences at this frame rate."""
        s = self.config.smooth
        sigma = np.full(EXPR + self.model.n_columns, s.expression)
        sigma[ROT], sigma[POS], sigma[JAW], sigma[EYES] = s.rotation, s.translation, s.jaw, s.gaze
        sigma[5] = s.translation  # depth is noisier than the rest by far; the same bound is a stiffer one
        sigma[EXPR + self.lids] = s.lids
        sigma[EXPR + self.model.n_expr:] = s.habits
        return 1 / (sigma * (25.0 / fps) ** 2) ** 2

    def time_gradient(self, pose: Pose, stiff: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(T, P)`` minus the gradient of the smoothness at ``pose``."""
        frames = len(pose.pos)
        second = np.zeros((max(frames - 2, 0), len(stiff)))
        if frames < 3:
            return np.zeros((frames, len(stiff)))
        for where, value in ((POS, pose.pos), (JAW, pose.jaw), (EYES, pose.eyes[:, (0, 1, 3, 4)]),
                             (slice(EXPR, None), pose.expr)):
            second[:, where] = value[2:] - 2 * value[1:-1].astype(np.float64) + value[:-2]
        second[:, ROT] = _turns(pose.rot[1:-1], pose.rot[2:]) - _turns(pose.rot[:-2], pose.rot[1:-1])
        second *= stiff
        out = np.zeros((frames, len(stiff)))
        out[2:] -= second
        out[1:-1] += 2 * second
        out[:-2] -= second
        return out


def _precision(config: FitConfig, size: int, named: bool) -> Array:
    """``(E, E)`` inverse covariance of the expression: single columns, and actions that move several together."""
    p = config.priors
    if not named:  # the columns of a statistical head are in standard deviations, and independent
        return np.eye(size, dtype=np.float32)
    moves = np.zeros((len(ACTION_POSES) + len(EMOTION_POSES), size))
    for row, (of, pose) in zip(moves, [*ACTION_POSES.items(), *EMOTION_POSES.items()], strict=True):
        for name, weight in (_TOGETHER.get(of) or pose).items():
            if name in EXPR_INDEX:
                row[EXPR_INDEX[name]] = weight
    common = moves.T @ moves + 1e-3 * np.eye(size)
    scale = np.sqrt(np.diag(common))
    correlation = (1 - p.together) * np.eye(size) + p.together * common / np.outer(scale, scale)
    sigma = np.full(size, p.expression)
    for name, gain in _FAINT.items():
        sigma[EXPR_INDEX[name]] *= p.shy ** gain
    sigma[list(LIDS)] = p.blink
    out = np.linalg.inv(correlation * np.outer(sigma, sigma))
    left, right = LIDS
    out[[left, right], [left, right]] += 1 / p.wink**2
    out[[left, right], [right, left]] -= 1 / p.wink**2
    return out.astype(np.float32)


def _turns(a: Array, b: Array) -> NDArray[np.float64]:
    """``(T, 3)`` rad: the rotation that takes ``a`` to ``b``, small angles."""
    r = b.astype(np.float64) @ a.transpose(0, 2, 1)
    return np.stack([r[:, 2, 1] - r[:, 1, 2], r[:, 0, 2] - r[:, 2, 0], r[:, 1, 0] - r[:, 0, 1]], 1) / 2


def solve_window(hessian: NDArray[np.floating], gradient: NDArray[np.floating], stiff: NDArray[np.float64],
                 damping: float = 1e-4) -> NDArray[np.float64]:
    """The step of all frames together: a banded Cholesky solve (LAPACK ``pbsv``).

    Args:
        hessian: ``(T, P, P)``; gradient: ``(T, P)``; stiff: ``(P,)`` weights of squared second differences.

    Returns:
        ``(T, P)``.
    """
    frames, size = gradient.shape
    band = np.zeros((2 * size + 1, frames * size))
    column = np.arange(frames)[:, None] * size
    for d in range(size):  # diagonal d below the main one, within a frame
        i = np.arange(size - d)
        band[d, (column + i).ravel()] = hessian[:, i + d, i].ravel()
    band[0] *= 1 + damping
    if frames > 2:
        count = np.zeros((frames, 3))  # how often x_t^2, x_t x_{t+1}, x_t x_{t+2} occur in the sum of squares
        for offset, (own, near, far) in enumerate(((1, -2, 1), (4, -2, 0), (1, 0, 0))):
            rows = slice(offset, frames - 2 + offset)
            count[rows, 0] += own
            count[rows, 1] += near
            count[rows, 2] += far
        for k in range(3):
            band[k * size] += (count[:, k, None] * stiff).ravel()
    step = solveh_banded(band, gradient.astype(np.float64).ravel(), lower=True, overwrite_ab=True, check_finite=False)
    return step.reshape(frames, size)
