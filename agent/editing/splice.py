"""A clip after an edit: frames that the edit does not touch are those of the clip before, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...face.clip.curves import runs
from ...face.clip.sequence import MOTION_FIELDS, FaceSequence
from ...face.facs.schedule import Event, Schedule
from .timeline import Rescheduled

FADE = 6
"""Frames over which what is new takes over from what was there."""
_MARGIN = 2
"""Frames around an event that belong to it."""
_LEAST = 4
"""Shorter stretches are not worth keeping."""


@dataclass(frozen=True, eq=False)
class Spliced:
    """The clip, and for each of its frames the one of the clip before that it is, -1 for a new one."""

    clip: FaceSequence
    source: NDArray[np.int64]


def spliced(before: FaceSequence, schedule: Schedule, new: Rescheduled, origins: Sequence[int | None], fresh: FaceSequence
            ) -> Spliced:
    """Keep of a clip what an edit leaves as it was.

    Args:
        before: the clip, and ``schedule``, how it was performed.
        new: the schedule after the edit.
        origins: which cue of ``schedule`` each cue was.
        fresh: all of it performed anew.
    """
    source = np.full(len(fresh), -1) if new.afresh else _sources(len(before), schedule, new, origins, len(fresh), before.fps)
    kept = source >= 0
    fields = {name: np.array(getattr(fresh, name)) for name in ("expr", *MOTION_FIELDS)}
    for name, rows in fields.items():
        old = getattr(before, name)
        rows[kept] = old[source[kept]]
        for low, high in runs(~kept):
            _fade(rows, getattr(fresh, name), old, source, low, high)
        if name == "expr":
            made = ~kept
            rows[made] = np.clip(rows[made], np.minimum(fresh.expr[made], 0.0), np.maximum(fresh.expr[made], 1.0))
    return Spliced(fresh.replace(**fields, valid=np.where(kept, before.valid[np.maximum(source, 0)], fresh.valid)), source)


def _fade(rows: NDArray[np.float32], fresh: NDArray[np.float32], old: NDArray[np.float32], source: NDArray[np.int64], low: int,
          high: int) -> None:
    """Let new frames begin and end where the kept ones beside them are."""
    n = min(FADE, (high - low) // 2 or 1)
    weight = (0.5 + 0.5 * np.cos(np.pi * (np.arange(n) + 1) / (n + 1))).astype(np.float32)[:, None]
    if low > 0:
        rows[low:low + n] += weight[:high - low] * (old[source[low - 1]] - fresh[low - 1])
    if high < len(rows):
        rows[high - n:high] += weight[::-1][:high - low] * (old[source[high]] - fresh[high])


def _sources(count: int, schedule: Schedule, new: Rescheduled, origins: Sequence[int | None], frames: int, fps: float
             ) -> NDArray[np.int64]:
    """For each frame after the edit the frame before that shows the same, -1 where there is none."""
    whole = [m if m is None or abs(m * fps - round(m * fps)) < 1e-3 else None for m in new.moved]
    back = {o: j for j, o in enumerate(origins) if o is not None and whole[j] is not None}
    after = _active(new.schedule, frames, fps, {j: j if m is not None else -1 for j, m in enumerate(whole)})
    earlier = _active(schedule, count, fps, {e.cue: back.get(e.cue, -1) for e in schedule.events})
    shifts = [round((m or 0.0) * fps) for m in whole]
    others = list(dict.fromkeys([0, *(shifts[j] for j in sorted(back.values()))]))
    out, last = np.full(frames, -1), 0
    for f in range(frames):
        own = after[f]
        if -1 in own:
            continue
        wanted = {shifts[j] for j in own} if own else dict.fromkeys([last, *others])
        if own and len(wanted) > 1:
            continue
        for shift in wanted:
            at = f - shift
            if 0 <= at < count and earlier[at] == own:
                out[f], last = at, shift
                break
    _apart(out)
    return out


def _active(schedule: Schedule, frames: int, fps: float, labels: dict[int, int]) -> list[frozenset[int]]:
    """Which cues each frame shows, by their labels."""
    rows: list[set[int]] = [set() for _ in range(frames)]
    for e in schedule.events:
        low, high = _span(e, schedule.seconds, fps)
        for f in range(max(low, 0), min(high, frames)):
            rows[f].add(labels.get(e.cue, -1))
    return [frozenset(r) for r in rows]


def _span(event: Event, seconds: float, fps: float) -> tuple[int, int]:
    return int(event.start * fps) - _MARGIN, int(np.ceil(event.end(seconds) * fps)) + _MARGIN


def _apart(source: NDArray[np.int64]) -> None:
    """Between stretches that were moved differently some frames are new, and so are stretches that are hardly any."""
    jumps = [f for f in range(1, len(source)) if source[f] >= 0 and source[f - 1] >= 0 and source[f] != source[f - 1] + 1]
    for f in jumps:
        source[max(f - FADE // 2, 0):f + FADE // 2] = -1
    for low, high in runs(source >= 0):
        if high - low < _LEAST:
            source[low:high] = -1
