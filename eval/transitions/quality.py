"""What a transition is like as a movement: pure functions on clips, no classifier and no model.

A clip's state at a frame is its expression coefficients and the jaw's rotation over 15 degrees, so that both are shares of a
full action. ``first`` and ``last`` are the frames at which two successive expressions are fully there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...data_gen.performer.dynamics import minimum_jerk
from ...face.clip.canonical import orientation
from ...face.clip.sequence import FaceSequence
from ...face.clip.trajectory import state
from ...face.facs.measure import measure
from ...face.facs.vocabulary import EMOTION_ACTIONS, allowed_with
from ...face.head.model import HeadModel

Array = NDArray[np.float64]


def _span(clip: FaceSequence, first: int, last: int) -> tuple[int, int]:
    if not 0 <= first < len(clip) or not 0 <= last < len(clip):
        raise ValueError(f"frames {first} and {last}: the clip has frames 0 to {len(clip) - 1}")
    return first, last


# -- by facial actions ------------------------------------------------------------------
@dataclass(frozen=True)
class FacsCheck:
    """The measured actions at one frame against an emotion's prototype (``face/facs/vocabulary.py``)."""

    wanted: tuple[str, ...]
    shown: tuple[str, ...]
    """Every action that is on at that frame."""
    found: float
    """Share of the wanted ones that are shown; for neutral 1 when nothing is shown, else 0."""
    foreign: int
    """Shown ones that are not in the emotion's character."""


def facs_check(clip: FaceSequence, frames: Sequence[int], emotions: Sequence[str],
               head: HeadModel | None = None) -> list[FacsCheck]:
    """Measure a clip (``face/facs/measure.py``: geometry only) and read its actions off at some frames.

    Raises:
        ValueError: an unknown emotion, or a frame that the clip has not.
    """
    actions = measure(clip, head).actions
    out = []
    for frame, emotion in zip(frames, emotions, strict=True):
        _span(clip, frame, frame)
        may = allowed_with(emotion)
        t = frame / clip.fps
        shown = tuple(dict.fromkeys(a.name for a in actions if a.onset - 0.5 / clip.fps <= t <= a.offset + 0.5 / clip.fps))
        wanted = EMOTION_ACTIONS[emotion]
        found = float(np.mean([w in shown for w in wanted])) if wanted else float(not shown)
        out.append(FacsCheck(wanted, shown, found, sum(s not in may for s in shown)))
    return out


# -- the way from one expression to the next --------------------------------------------
def progress(clip: FaceSequence, first: int, last: int) -> Array:
    """``(last - first + 1,)`` share of the way from the state at ``first`` to that at ``last``, by projection on the line.

    All zero where the two states are the same.
    """
    first, last = _span(clip, first, last)
    x = state(clip)[first:last + 1]
    if len(x) < 2:
        return np.zeros(len(x))
    way = x[-1] - x[0]
    length = float(way @ way)
    return np.zeros(len(x)) if length < 1e-8 else (x - x[0]) @ way / length


def monotonic(clip: FaceSequence, first: int, last: int, tolerance: float = 0.02) -> float:
    """Share of the frames after ``first`` at which the progress is not behind the farthest so far by more than ``tolerance``."""
    p = progress(clip, first, last)
    if len(p) < 2:
        return 1.0
    return float((p[1:] >= np.maximum.accumulate(p)[1:] - tolerance).mean())


def smoothness(clip: FaceSequence, first: int, last: int) -> float:
    """Log dimensionless jerk of the movement, higher is smoother; a minimum-jerk stroke has -5.1.

    -ln(D^3 / v^2 * integral |jerk|^2 dt) with duration D and peak speed v (Balasubramanian et al., "A robust and sensitive
    metric for quantifying movement smoothness", IEEE TBME 59(8), 2012, https://doi.org/10.1109/TBME.2011.2179545). The face
    counts as held before and after the span, so that a corner at either end is jerk; D is the part of the span that moves
    (:func:`moving`). A straight line has corners only, whose jerk is bounded by the frame rate alone: compare clips of one
    rate. NaN where nothing moves or fewer than 5 frames do.
    """
    a, b = moving(clip, first, last)
    if b - a < 4:
        return math.nan
    x = state(clip)[first:last + 1]
    x = np.concatenate([np.repeat(x[:1], 3, 0), x, np.repeat(x[-1:], 3, 0)])
    dt = 1.0 / clip.fps
    speed = np.linalg.norm(np.diff(x, axis=0), axis=1) / dt
    jerk = np.diff(x, 3, axis=0) / dt**3
    integral = float((jerk**2).sum()) * dt
    peak, duration = float(speed.max()), (b - a) * dt
    return math.nan if peak < 1e-6 or integral <= 0 else -math.log(duration**3 / peak**2 * integral)


def moving(clip: FaceSequence, first: int, last: int, share: float = 0.02) -> tuple[int, int]:
    """The part of a span in which the speed is above ``share`` of its peak, as first and last frame."""
    first, last = _span(clip, first, last)
    if last - first < 1:
        return first, first
    speed = np.linalg.norm(np.diff(state(clip)[first:last + 1], axis=0), axis=1)
    if speed.max() < 1e-6:
        return first, first
    on = np.flatnonzero(speed > share * speed.max())
    return first + int(on[0]), first + int(on[-1]) + 1


# -- what is to stay --------------------------------------------------------------------
def identity_kept(clip: FaceSequence, source: FaceSequence) -> bool:
    """Whether the identity coefficients are exactly the source's."""
    return bool(np.array_equal(clip.shape, source.shape))


def head_drift(clip: FaceSequence, source: FaceSequence) -> float:
    """Largest angle, degrees, between the head's orientation in the clip and in the source's last frame."""
    turns: Rotation = orientation(source)[-1].inv() * orientation(clip)
    return float(np.degrees(turns.magnitude()).max())


# -- timing -----------------------------------------------------------------------------
def timing_error(keys: Sequence[int], fps: float, wanted: Sequence[tuple[float, float]]) -> float:
    """Mean distance, s, of the key frames from the times ``(from, to)`` within which they are due; 0 inside."""
    if len(keys) != len(wanted) or not len(keys):
        raise ValueError(f"{len(keys)} key frames for {len(wanted)} wanted times; needed: as many of both, at least 1")
    return float(np.mean([max(0.0, low - k / fps, k / fps - high) for k, (low, high) in zip(keys, wanted, strict=True)]))


# -- dynamics ---------------------------------------------------------------------------
@dataclass(frozen=True)
class Dynamics:
    """One movement in time, of which only the course counts and neither size nor duration."""

    profile: Array
    """``(P,)`` speed over the movement, evenly sampled, mean 1."""
    peak: float
    """When the speed is highest, share of the movement."""
    asymmetry: float
    """Share of the way that is covered in the first half of the time, minus a half: above 0 starts fast."""
    smoothness: float
    """See :func:`smoothness`."""
    seconds: float


def dynamics(clip: FaceSequence, first: int, last: int, points: int = 40) -> Dynamics | None:
    """The course of the movement between two frames; None where nothing moves or fewer than 5 frames do."""
    a, b = moving(clip, first, last)
    if b - a < 4:
        return None
    speed = np.linalg.norm(np.diff(state(clip)[a:b + 1], axis=0), axis=1)
    at = (np.arange(len(speed)) + 0.5) / len(speed)
    grid = (np.arange(points) + 0.5) / points
    profile = np.interp(grid, at, speed)
    profile /= max(float(profile.mean()), 1e-12)
    half = float(np.interp(0.5, np.concatenate([[0.0], np.arange(1, len(speed) + 1) / len(speed)]),
                           np.concatenate([[0.0], np.cumsum(speed) / speed.sum()])))
    return Dynamics(profile, float(at[int(speed.argmax())]), half - 0.5, smoothness(clip, first, last), (b - a) / clip.fps)


@dataclass(frozen=True)
class DynamicsScore:
    """Movements against reference movements of the same pairs. Means over pairs."""

    correlation: float
    """Of the speed profiles (Pearson); 0 for a constant speed, which correlates with nothing."""
    jerk_gap: float
    """Mean absolute difference of the log dimensionless jerk."""
    peak_gap: float
    """Of when the speed is highest, share of the movement."""
    asymmetry_gap: float
    """Of the asymmetry."""
    smoothness: float
    """Mean log dimensionless jerk of the movements themselves."""
    count: int


def compare_dynamics(made: Sequence[Dynamics | None], real: Sequence[Dynamics | None]) -> DynamicsScore:
    """Pair by pair; pairs of which one does not move are left out."""
    both = [(m, r) for m, r in zip(made, real, strict=True) if m is not None and r is not None]
    if not both:
        return DynamicsScore(math.nan, math.nan, math.nan, math.nan, math.nan, 0)

    def correlation(m: Array, r: Array) -> float:
        return 0.0 if m.std() < 1e-3 or r.std() < 1e-3 else float(np.corrcoef(m, r)[0, 1])

    return DynamicsScore(
        float(np.mean([correlation(m.profile, r.profile) for m, r in both])),
        float(np.nanmean([abs(m.smoothness - r.smoothness) for m, r in both])),
        float(np.mean([abs(m.peak - r.peak) for m, r in both])),
        float(np.mean([abs(m.asymmetry - r.asymmetry) for m, r in both])),
        float(np.nanmean([m.smoothness for m, _ in both])), len(both))


def course(clip: FaceSequence, first: int, last: int, curve: str) -> FaceSequence:
    """The same clip with the movement between two frames replaced: ``linear`` (eq. 16 of the paper) or ``minjerk``.

    Only expression and jaw are replaced; where the movement begins and ends stays (:func:`moving`).

    Raises:
        ValueError: another curve.
    """
    if curve not in ("linear", "minjerk"):
        raise ValueError(f"curve is {curve!r}; allowed: linear, minjerk")
    a, b = moving(clip, first, last)
    share = np.linspace(0.0, 1.0, b - a + 1)
    share = share if curve == "linear" else minimum_jerk(share)
    expr, jaw = clip.expr.copy(), clip.jaw_pose.copy()
    for x in (expr, jaw):
        start, end = x[first].copy(), x[last].copy()
        x[first:a], x[b + 1:last + 1] = start, end
        x[a:b + 1] = (1 - share)[:, None] * start + share[:, None] * end
    return clip.replace(expr=expr, jaw_pose=jaw)
