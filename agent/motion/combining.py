"""Two clips made into one: one after the other, or what would be between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...face.clip.channels import MOTION_FIELDS
from ...face.clip.rotation import slerp
from ...face.clip.sequence import FaceSequence
from ...face.facs.schedule import Schedule
from ...face.facs.script import Cue, Script
from ...face.facs.vocabulary import USUAL_STRENGTH

_RUN_IN = 0.24
"""Seconds over which a clip runs out of the one before it."""


def joined(first: FaceSequence, second: FaceSequence) -> FaceSequence:
    """One clip after the other, at the first one's frame rate and with its identity; the second begins where the first ends."""
    after = second.resample(first.fps).replace(shape=first.shape)
    n = min(max(2, round(_RUN_IN * after.fps)), len(after))
    weight = (0.5 + 0.5 * np.cos(np.pi * (np.arange(n) + 1) / (n + 1))).astype(np.float32)[:, None]
    out = {}
    for name in ("expr", *MOTION_FIELDS):
        rows = np.array(getattr(after, name))
        rows[:n] += weight * (getattr(first, name)[-1] - rows[0])
        out[name] = rows
    return first.concat(after.replace(**out))


def blended(first: FaceSequence, second: FaceSequence, share: float) -> FaceSequence:
    """What is between two clips, moment by moment of their durations: as long as the share says, rotations on the shortest arc.

    Args:
        first, second: of one head; the result has the first one's frame rate and identity.
        share: 0 is the first, 1 the second.

    Raises:
        ValueError: clips of different heads.
    """
    second.require_head(first.head)
    fps = first.fps
    other = second.resample(fps)
    frames = max(round((1.0 - share) * len(first) + share * len(other)), 2)
    a, b = _lasting(first, frames), _lasting(other, frames)
    out: dict[str, object] = {"valid": a.valid & b.valid}
    for name in ("expr", *MOTION_FIELDS):
        x, y = getattr(a, name).astype(np.float64), getattr(b, name).astype(np.float64)
        mixed = (1.0 - share) * x + share * y if name in ("expr", "translation") else np.concatenate(
            [_between_turns(x[:, k:k + 3], y[:, k:k + 3], share) for k in range(0, x.shape[1], 3)], axis=1)
        out[name] = mixed.astype(np.float32)
    return a.replace(**out)


def _lasting(clip: FaceSequence, frames: int) -> FaceSequence:
    """A clip in so many frames."""
    at = np.linspace(0.0, len(clip) - 1.0, frames)
    low = at.astype(int)
    high, mix = np.minimum(low + 1, len(clip) - 1), (at - low)[:, None]
    out: dict[str, object] = {"valid": clip.valid[low] & clip.valid[high]}
    for name in ("expr", *MOTION_FIELDS):
        value = getattr(clip, name).astype(np.float64)
        if name in ("expr", "translation") or len(clip) == 1:
            out[name] = (value[low] * (1.0 - mix) + value[high] * mix).astype(np.float32)
        else:
            out[name] = slerp(value, at).astype(np.float32)
    return clip.replace(**out)


def _between_turns(x: NDArray[np.float64], y: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Rotation vectors, rad ``(frames, 3)``, a share of the shortest way from ``x`` to ``y``."""
    start = Rotation.from_rotvec(x)
    way = (start.inv() * Rotation.from_rotvec(y)).as_rotvec()
    out: NDArray[np.float64] = (start * Rotation.from_rotvec(share * way)).as_rotvec()
    return out


def between_scripts(first: Script, second: Script, times: tuple[Schedule, Schedule], share: float) -> Script | None:
    """The script between two that have the same cues; None where they have not.

    Args:
        first, second: scripts that were performed.
        times: when; for what only one of them says.
        share: 0 is the first, 1 the second.
    """
    if [(c.name, c.side, c.join) for c in first.cues] != [(c.name, c.side, c.join) for c in second.cues] or not first.cues:
        return None
    if first.still != second.still:
        return None

    def mix(a: float, b: float) -> float:
        return round((1.0 - share) * a + share * b, 3)

    seconds = None
    if first.seconds is not None or second.seconds is not None:
        seconds = mix(first.seconds or times[0].seconds, second.seconds or times[1].seconds)
    return replace(first, cues=tuple(_between(a, b, k, times, mix) for k, (a, b) in enumerate(
        zip(first.cues, second.cues, strict=True))), seconds=seconds,
        never=tuple(n for n in first.never if n in second.never), unknown=())


def _between(a: Cue, b: Cue, index: int, times: tuple[Schedule, Schedule], mix: Callable[[float, float], float]) -> Cue:
    usual = {"strength": USUAL_STRENGTH, "speed": 1.0, "count": 1.0}
    out: dict[str, Any] = {"held": a.held and b.held}
    for name in ("strength", "speed", "count", "start", "end", "pause", "seconds", "onset", "hold", "offset"):
        x, y = getattr(a, name), getattr(b, name)
        if x is None and y is None:
            continue
        if name in usual:
            x, y = (usual[name] if v is None else v for v in (x, y))
        elif name in ("start", "end", "seconds"):  # known also where it was not said
            x, y = (_measured(name, index, t) if v is None else v for v, t in ((x, times[0]), (y, times[1])))
        out[name] = None if x is None or y is None else mix(x, y)
    if (count := out.get("count")) is not None:
        out["count"] = int(count + 0.5)
    return replace(a, **out)


def _measured(name: str, index: int, schedule: Schedule) -> float | None:
    own = schedule.of_cue(index)
    if not own:
        return None
    start, end = min(e.start for e in own), max(e.end(schedule.seconds) for e in own)
    return {"start": start, "end": end, "seconds": end - start}[name]
