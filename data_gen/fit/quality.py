"""How good a fit is: reprojection, jitter, blinks and mouth against the landmarks' own, and the gate on all of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass as settings

from ...common.config import SETTINGS
from ...face.facs.timeline import hysteresis
from ...face.head.model import HeadModel
from ...face.landmarks.points import lid_aperture, lip_aperture
from .detect import Detections
from .solve import Fitted

Array = NDArray[np.float32]
_Percent = Annotated[float, Field(ge=0.1, le=100.0)]
_Share = Annotated[float, Field(ge=0.0, le=1.0)]
_CLOSED, _OPEN = 0.45, 0.7
"""A lid is closed below this share of its open aperture, and open again above the other."""
_SHORTEST_BLINK, _LONGEST_BLINK = 0.04, 0.6
"""Seconds."""
_SLACK = 0.12
"""Blinks this far apart, s, are the same blink."""


@settings(frozen=True, config=SETTINGS)
class Gate:
    """What a fitted clip must reach to be used."""

    reprojection: _Percent = 5.0
    """Most median reprojection error of the clip, % of inter-ocular distance."""
    frame_reprojection: _Percent = 9.0
    """A frame above this is marked invalid, % of inter-ocular distance."""
    valid: _Share = 0.7
    """Least share of frames with a trusted fit."""
    blink: _Share = 0.5
    """Least F1 of blinks, where the landmarks show three or more."""
    turn: Annotated[float, Field(ge=1.0, le=180.0)] = 60.0
    """Frames turned further than this from the camera are not trusted, degrees."""


@dataclass(frozen=True)
class Agreement:
    """Events found in the fit against those in the landmarks."""

    seen: int
    fitted: int
    matched: int

    @property
    def f1(self) -> float:
        """1 when neither has any."""
        total = self.seen + self.fitted
        return 1.0 if total == 0 else 2 * self.matched / total


@dataclass(frozen=True)
class Quality:
    """The report of a fit.

    Attributes:
        frames, found: frames in all and with a detected face; trusted: with a trusted fit.
        reprojection_px: median over trusted frames; reprojection: the same in % of inter-ocular distance.
        jitter, raw_jitter: mean size of the second difference of the points, % of inter-ocular distance, fit and detector.
        blinks: closures of the lids, fit against landmarks.
        mouth: correlation of the mouth's opening with the landmarks'; NaN where the mouth hardly moves.
        confidence: ``(T,)`` in 0..1; valid: ``(T,)`` whether the fit is trusted.
        ok: whether the gate is passed; reasons: why not.
    """

    frames: int
    found: int
    trusted: int
    reprojection_px: float
    reprojection: float
    jitter: float
    raw_jitter: float
    blinks: Agreement
    mouth: float
    confidence: Array
    valid: NDArray[np.bool_]
    ok: bool
    reasons: tuple[str, ...]
    events: tuple[tuple[str, int], ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON; the confidence is summed up by its mean, NaN becomes None."""
        out = asdict(self) | {"confidence": float(self.confidence.mean()), "blink_f1": self.blinks.f1,
                              "events": [{"kind": k, "frame": f} for k, f in self.events], "reasons": list(self.reasons)}
        del out["valid"]
        return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in out.items()}

    def summary(self) -> str:
        """One line."""
        text = (f"{self.trusted} of {self.frames} frames fitted, reprojection {self.reprojection_px:.2f} px "
                f"({self.reprojection:.2f} % of inter-ocular distance)")
        return text if self.ok else f"{text}; not good enough: {'; '.join(self.reasons)}"


def assess(seen: Detections, fitted: Fitted, head: HeadModel, gate: Gate | None = None) -> Quality:
    """Compare a fit with the landmarks it was made from."""
    gate = gate or Gate()
    frames = len(seen.valid)
    distance = eye_distance(fitted, head)
    error = 100 * fitted.residual / distance
    facing = np.cos(np.linalg.norm(fitted.seq.rotation[:, :2], axis=1)) > np.cos(np.radians(gate.turn))
    known = fitted.seq.valid
    valid = known & (np.nan_to_num(error, nan=np.inf) <= gate.frame_reprojection) & facing
    confidence = np.where(known, np.exp(-np.square(np.nan_to_num(error, nan=99.0) / gate.frame_reprojection)), 0.0)
    shown = np.full_like(seen.points, np.nan)
    shown[:, fitted.index] = fitted.points
    raw = np.full_like(seen.points, np.nan)
    raw[:, fitted.index] = seen.points[:, fitted.index]
    use = valid if valid.any() else known
    blinks = blink_agreement(lid_aperture(raw), lid_aperture(shown), use, seen.fps)
    mouth = _correlation(lip_aperture(raw)[use], lip_aperture(shown)[use])
    quality = Quality(
        frames=frames, found=int(seen.valid.sum()), trusted=int(valid.sum()),
        reprojection_px=float(np.median(fitted.residual[use])), reprojection=float(np.median(error[use])),
        jitter=jitter(fitted.points, use, distance), raw_jitter=jitter(seen.points[:, fitted.index], use, distance),
        blinks=blinks, mouth=mouth, confidence=confidence.astype(np.float32), valid=valid, ok=True, reasons=(),
        events=tuple((e.kind, e.frame) for e in seen.events))
    reasons = _reasons(quality, gate)
    return replace(quality, ok=not reasons, reasons=reasons)


def _reasons(q: Quality, gate: Gate) -> tuple[str, ...]:
    out = []
    if q.trusted < gate.valid * q.frames:
        out.append(f"only {q.trusted} of {q.frames} frames have a trusted fit (at least {gate.valid:.0%} wanted)")
    if not q.reprojection <= gate.reprojection:
        out.append(f"reprojection {q.reprojection:.1f} % of inter-ocular distance (at most {gate.reprojection:g} wanted)")
    if q.blinks.seen >= 3 and q.blinks.f1 < gate.blink:
        out.append(f"blinks agree with F1 {q.blinks.f1:.2f} only (at least {gate.blink:g} wanted)")
    return tuple(out)


def eye_distance(fitted: Fitted, head: HeadModel) -> Array:
    """``(T,)`` px between the outer eye corners of this person when seen from the front at the frame's distance."""
    if {"ibug_36", "ibug_45"} <= set(head.lmk_names):
        at = head.landmark_positions(shape=fitted.seq.shape)[0]
        size = np.linalg.norm(at[head.landmark_index("ibug_36")] - at[head.landmark_index("ibug_45")])
    else:
        joints = head.joints(fitted.seq.shape)
        size = 1.45 * np.linalg.norm(joints[3] - joints[4])  # outer corners against eyeball centres, on the default head
    return np.maximum(fitted.scale * np.float32(size), 1e-3)


def jitter(points: Array, use: NDArray[np.bool_], distance: Array) -> float:
    """Mean size of the second difference of ``(T, L, 2)`` over runs of three used frames, % of ``distance (T,)``."""
    if len(points) < 3:
        return float("nan")
    run = use[2:] & use[1:-1] & use[:-2]
    if not run.any():
        return float("nan")
    second = np.linalg.norm(points[2:] - 2 * points[1:-1] + points[:-2], axis=-1)[run]
    return float(100 * np.nanmean(second / distance[1:-1][run, None]))


def blinks_of(aperture: Array, use: NDArray[np.bool_], fps: float) -> list[float]:
    """Times (s) of the blinks in a lid aperture ``(T,)``."""
    aperture = np.where(use & np.isfinite(aperture), aperture, np.nan)
    if np.isfinite(aperture).sum() < 5:
        return []
    level = np.nanquantile(aperture, 0.85)
    if not level > 0:
        return []
    share = np.nan_to_num(aperture / level, nan=1.0).astype(np.float32)
    closed = hysteresis(1 - share, 1 - _CLOSED, 1 - _OPEN)
    return [float((a + np.argmin(share[a:b])) / fps) for a, b in closed
            if _SHORTEST_BLINK <= (b - a) / fps <= _LONGEST_BLINK + 2 / fps]


def blink_agreement(raw: Array, shown: Array, use: NDArray[np.bool_], fps: float) -> Agreement:
    """Blinks of the landmarks' lid aperture ``(T, 2)`` against those of the fitted head's."""
    a = blinks_of(raw.mean(1), use, fps)
    b = blinks_of(shown.mean(1), use, fps)
    free, matched = list(b), 0
    for at in a:
        near = [t for t in free if abs(t - at) <= max(_SLACK, 2 / fps)]
        if near:
            free.remove(min(near, key=lambda t: abs(t - at)))
            matched += 1
    return Agreement(len(a), len(b), matched)


def _correlation(a: Array, b: Array) -> float:
    ok = np.isfinite(a) & np.isfinite(b)
    if ok.sum() < 5 or a[ok].std() < 0.01 or b[ok].std() < 1e-4:
        return float("nan")
    return float(np.corrcoef(a[ok], b[ok])[0, 1])
