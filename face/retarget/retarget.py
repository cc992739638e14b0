"""Retargeting: a clip of one head becomes a clip of another.

Head angles and gaze are carried by the joints, exactly; jaw and expression through corresponding points of the two
faces, in the target's proportions (see fit.py). Everything is a function of the frame alone, continuous and
zero at rest, so the result is as smooth as the clip, and the same clip always gives the same result.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass as settings

from ...common.config import SETTINGS
from ..clip.rotation import rotation_matrices
from ..clip.sequence import FaceSequence
from ..head.model import HeadModel
from . import calibration
from .fit import (
    REGIONS,
    JawMap,
    Pair,
    Solver,
    gaze_features,
    jaw_features,
    jaw_map,
    joint_offsets,
    pair_of,
    solver_of,
)

Floats = NDArray[np.float64]
IDENTITIES = ("fit", "average")
_SHOWN = 48
"""Frames of a clip that a report looks at."""
_WORST = 6
"""Shapes whose errors are told."""
_USED = 1e-2
"""Coefficient, or angle in radians, from which a shape counts as used."""


Trust = Annotated[float, Field(ge=0, le=1e6)]
Positive = Annotated[float, Field(gt=0, le=1e3)]


@settings(frozen=True, config=SETTINGS)
class RetargetConfig:
    """How expression is solved."""

    trust: Trust = 3.0
    """How much the mapping by name counts against the geometry between two heads with ARKit's names: 0 is geometry
    alone, 100 nearly names alone (docs/retarget.md has both errors for several values)."""
    ridge: Positive = 3e-4
    """Pull towards 0 on columns without a namesake, m a unit."""
    limit: Positive = 4.0
    """Largest coefficient on a head without ARKit names."""
    jaw_trust: Trust = 0.3
    """How much the ratio of the two ``jawOpen`` angles counts against where the chin goes."""
    identity_ridge: Positive = 1e-3
    """Pull towards the average face when an identity is carried over, m a unit."""


@dataclass(frozen=True)
class RegionError:
    """Distance between where a region's points should be and where they are, mm."""

    mean: float
    p95: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} (p95 {self.p95:.2f})"


@dataclass(frozen=True)
class Report:
    """Errors by region, and of each of the source's shapes that the clip uses."""

    regions: dict[str, RegionError]
    frames: int
    shapes: dict[str, float]
    """mm: of a shape alone, as strong as the clip has it, on average over the points that it moves; the largest first."""

    def to_dict(self) -> dict[str, object]:
        """JSON-like."""
        return {"frames_compared": self.frames, "regions_mm": {
            name: {"mean": round(e.mean, 3), "p95": round(e.p95, 3)} for name, e in self.regions.items()},
                "shapes_mm": {name: round(e, 3) for name, e in self.shapes.items()}}

    def __str__(self) -> str:
        text = "off by " + ", ".join(f"{name} {e.mean:.2f}" for name, e in self.regions.items()) + " mm"
        worst = [f"{name} {e:.2f}" for name, e in list(self.shapes.items())[:_WORST]]
        more = f" and {len(self.shapes) - _WORST} more below" if len(self.shapes) > _WORST else ""
        return text + (f"; by shape {', '.join(worst)}{more}" if worst else "")


def by_region(error: Floats, region: NDArray[np.str_]) -> dict[str, RegionError]:
    """Mean and 95th percentile, mm, of distances ``(T, N)`` m over the points of each region."""
    out = {}
    for name in REGIONS:
        own = error[:, region == name]
        if own.size:
            out[name] = RegionError(1e3 * float(own.mean()), 1e3 * float(np.quantile(own, 0.95)))
    return out


@dataclass(frozen=True, eq=False)
class Retargeting:
    """A calibrated map from clips of ``a`` to clips of ``b``; build once, apply to any number of clips."""

    a: HeadModel
    b: HeadModel
    config: RetargetConfig
    pair: Pair
    jaws: JawMap
    solve: Solver

    @classmethod
    def between(cls, a: HeadModel, b: HeadModel, config: RetargetConfig | None = None) -> Retargeting:
        """Calibrate; a few seconds, and none where the same two heads were calibrated before (``FACELM_CACHE``).

        Raises:
            ValueError: a head lacks the 68 iBUG landmarks, or the two have no jaw in common.
        """
        cfg = config or RetargetConfig()
        path = calibration.place(a, b, cfg)
        made = calibration.load(path, a, b)
        if made is None:
            pair = pair_of(a, b)
            jaws = jaw_map(pair, cfg.jaw_trust)
            made = pair, jaws, solver_of(pair, joint_offsets(pair, jaws), cfg.trust, cfg.ridge, cfg.limit)
            calibration.keep(path, made)
        return cls(a, b, cfg, *made)

    def apply(self, seq: FaceSequence, identity: str | np.ndarray = "fit") -> FaceSequence:
        """The clip on head ``b``.

        Args:
            seq: a clip of head ``a``.
            identity: ``"fit"`` carries the clip's identity over (an average face stays average), ``"average"`` drops
                it, an array ``(S_b,)`` sets one.

        Raises:
            ValueError: the clip is of another head, or the identity has the wrong size.
        """
        seq.require_head(self.a.ref)
        expr = self.solve(seq.expr, np.c_[jaw_features(seq.jaw_pose), gaze_features(seq.eyes_pose)])
        shape = self._identity(seq.shape, identity)
        return seq.replace(expr=expr, jaw_pose=self.jaws(seq.jaw_pose).astype(np.float32), shape=shape,
                           translation=self._place(seq, shape), head=self.b.ref)

    def _identity(self, shape: np.ndarray, identity: str | np.ndarray) -> NDArray[np.float32]:
        if isinstance(identity, str):
            if identity not in IDENTITIES:
                raise ValueError(f"identity is {identity!r}; allowed: {', '.join(IDENTITIES)}, or coefficients of the target")
            if identity == "average" or not len(shape) or not np.any(shape) or not self.b.n_shape:
                return np.zeros(self.b.n_shape, np.float32)
            return self._fit_identity(shape)
        out = np.asarray(identity, np.float32)
        if out.shape != (self.b.n_shape,):
            raise ValueError(f"identity has shape {out.shape}; head {self.b.ref} needs ({self.b.n_shape},)")
        return out

    @cached_property
    def _identity_map(self) -> Floats:
        """(S_b, N * 3): displacements of b's points to coefficients, by ridge."""
        basis = self.pair.b.identity.reshape(-1, self.b.n_shape)
        n = len(self.pair.region)
        system = basis.T @ basis / n + self.config.identity_ridge**2 * np.eye(self.b.n_shape)
        return np.asarray(np.linalg.solve(system, basis.T / n), np.float64)

    def _fit_identity(self, shape: np.ndarray) -> NDArray[np.float32]:
        moves = self.pair.a.identity @ shape.astype(np.float64)
        found = self._identity_map @ self.pair.carried(moves[None])[0].ravel()
        return found.clip(-10, 10).astype(np.float32)

    def _place(self, seq: FaceSequence, shape: NDArray[np.float32]) -> NDArray[np.float32]:
        """A clip placed in the world (fitted, filmed) keeps the middle of its eyes where it is; others stay at 0."""
        if not (seq.translation.any() or seq.rotation.any()):
            return seq.translation
        turn = rotation_matrices(seq.rotation.astype(np.float64))
        arms = []
        for head, identity in ((self.a, seq.shape), (self.b, shape)):
            joints = head.joints(identity if len(identity) else None).astype(np.float64)
            arms.append((joints[3:].mean(0) - joints[0], joints[0]))
        (arm_a, base_a), (arm_b, base_b) = arms
        return (seq.translation + base_a - base_b + turn @ (arm_a - arm_b)).astype(np.float32)

    # -- errors -----------------------------------------------------------------------------
    def _moves(self, seq: FaceSequence, frames: NDArray[np.int64], source: bool) -> Floats:
        points = self.pair.a if source else self.pair.b
        return points.posed(expr=seq.expr[frames], jaw_pose=seq.jaw_pose[frames], eyes_pose=seq.eyes_pose[frames]) - points.rest

    def report(self, seq: FaceSequence, done: FaceSequence | None = None) -> Report:
        """Distance, by region, between where the clip's motion takes b's points and where b's own shapes take them.

        Measured on average faces and without head motion, at up to 48 frames of the clip.

        Args:
            seq: a clip of ``a``; done: the same on ``b`` (None: it is made).
        """
        done = self.apply(seq, "average") if done is None else done
        frames = np.unique(np.linspace(0, len(seq) - 1, min(len(seq), _SHOWN)).round().astype(np.int64))
        error = np.linalg.norm(self.pair.carried(self._moves(seq, frames, True)) - self._moves(done, frames, False), axis=-1)
        return Report(by_region(error, self.pair.region), len(frames), self._by_shape(seq))

    def _by_shape(self, seq: FaceSequence) -> dict[str, float]:
        """mm: the error of each shape that a clip uses, alone and as strong as the clip has it."""
        strongest = np.take_along_axis(seq.expr, np.abs(seq.expr).argmax(0)[None], 0)[0]
        used = np.flatnonzero(np.abs(strongest) > _USED)
        joints = {name: getattr(seq, field)[np.abs(getattr(seq, field)[:, at]).max(1).argmax()]
                  for name, field, at in (("jaw", "jaw_pose", slice(3)), ("eyes", "eyes_pose", slice(6)))}
        joints = {name: pose for name, pose in joints.items() if np.abs(pose).max() > _USED}
        names = [*(self.a.expr_names[k] for k in used), *joints]
        if not names:
            return {}
        alone = FaceSequence.rest(len(names), self.a.ref, n_expr=self.a.n_expr, n_shape=self.a.n_shape)
        expr, jaw, eyes = alone.expr.copy(), alone.jaw_pose.copy(), alone.eyes_pose.copy()
        expr[np.arange(len(used)), used] = strongest[used]
        for k, (name, pose) in enumerate(joints.items(), len(used)):
            (jaw if name == "jaw" else eyes)[k] = pose
        alone = alone.replace(expr=expr, jaw_pose=jaw, eyes_pose=eyes)
        every = np.arange(len(names))
        goal = self.pair.carried(self._moves(alone, every, True))
        gap = np.linalg.norm(goal - self._moves(self.apply(alone, "average"), every, False), axis=-1)
        size = np.linalg.norm(goal, axis=-1)
        moved = size > 0.2 * size.max(1, keepdims=True)
        errors = {name: 1e3 * float(row[there].mean()) for name, row, there in zip(names, gap, moved, strict=True) if there.any()}
        return dict(sorted(errors.items(), key=lambda e: -e[1]))
