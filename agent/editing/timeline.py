"""The schedule of an edited script: what an edit does not touch keeps its times, or is moved as a whole to make room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import ceil

from ...data_gen.performer.items import CYCLES
from ...data_gen.performer.layout import lay_out
from ...face.facs.schedule import Event, Schedule
from ...face.facs.script import Cue, Script
from ...face.facs.vocabulary import ACTION, DIRECTIONS, USUAL_STRENGTH
from .operations import Edited

FRAME = 0.04
"""Seconds by which what comes later is moved are a multiple of this."""
REST = 0.32
"""Rest before and after what is new."""
_PLACE = frozenset({"join", "start", "pause"})
"""Fields of a cue that say when it is done, not how."""


@dataclass(frozen=True)
class Rescheduled:
    """The schedule of an edited script.

    Attributes:
        schedule: all events.
        moved: for each cue by how many seconds it is moved and otherwise the same; None for one that is made anew.
        afresh: whether all of it is new.
    """

    schedule: Schedule
    moved: tuple[float | None, ...]
    afresh: bool = False


def rescheduled(before: Schedule, old: Script, new: Edited, seed: int, step: float) -> Rescheduled:
    """Times for an edited script.

    Args:
        before: how the script was performed.
        old: the script.
        new: what it became.
        seed: of what is laid out anew.
        step: seconds between the points of the grid for that.

    Raises:
        ValueError: it cannot be done in its length, or contradicts itself.
    """
    cues = new.script.cues
    if new.afresh or _woven(old, new):
        return _afresh(new.script, seed, step)
    lay_out(new.script, seed, step)  # refuses what cannot be done
    events: list[Event] = []
    moved: list[float | None] = []
    delta, reach, last_end, begun = 0.0, 0.0, 0.0, 0.0
    for j, (cue, origin, place) in enumerate(zip(cues, new.origins, new.places, strict=True)):
        was = old.cues[origin] if origin is not None else None
        own = before.of_cue(origin) if origin is not None else []
        since = min((e.start for e in before.of_cue(place)), default=0.0) if place is not None else None
        if cue.start is not None:
            start = cue.start
        elif was is not None and cue.pause != was.pause or since is None and cue.pause is not None:
            start = last_end + (cue.pause or REST)
        elif since is not None:
            start = since + delta
            if cue.join != "with" and reach > start - REST and j:
                gap = min(REST, max(since - _end_before(before, place), 0.0)) if place else REST
                if start < reach + gap:
                    delta += FRAME * ceil((reach + gap - start) / FRAME - 1e-6)
                    start = since + delta
        else:
            start = begun if cue.join == "with" else max(last_end, reach) + REST if j else REST
        begun = start if cue.join != "with" else begun
        made = _moved(own, start, j) if was is not None and _alike(was, cue) else _changed(own, was, cue, start, j) or _alone(
            new.script, cue, start, j, seed, step)
        events += made
        shift = start - own[0].start if own else 0.0
        moved.append(round(shift, 3) if was is not None and _alike(was, cue) and own else None)
        over = max((e.start + e.rise + e.hold + e.fall for e in made), default=start)
        if moved[-1] is None:
            reach = max(reach, over)
        last_end = max(last_end, over)
    seconds = new.script.seconds
    if seconds is None:
        seconds = before.seconds + delta if old.seconds is None else before.seconds
        seconds = max(seconds, FRAME * ceil((last_end + REST) / FRAME - 1e-6))
    elif last_end > seconds + 0.02:
        return _afresh(new.script, seed, step)
    order = sorted(events, key=lambda e: (e.start, e.cue))
    return Rescheduled(Schedule(round(seconds, 3), tuple(order), before.subject, before.style, before.seed), tuple(moved))


def _afresh(script: Script, seed: int, step: float) -> Rescheduled:
    return Rescheduled(lay_out(script, seed, step), (None,) * len(script.cues), True)


def _woven(old: Script, new: Edited) -> bool:
    """Whether something that is touched is woven into what comes before or after it: one lets go of the other."""
    def letting_go(cues: Sequence[Cue], i: int) -> bool:
        return any(0 <= k < len(cues) and (cues[k].join == "into" or cues[k].name == "neutral" or cues[k].held)
                   for k in (i, i + 1))

    gone = set(range(len(old.cues))) - {o for o in new.origins if o is not None}
    touched = [j for j, o in enumerate(new.origins) if o is None or new.script.cues[j] != old.cues[o]]
    kept = [o for o in new.origins if o is not None]
    return kept != sorted(kept) or any(letting_go(old.cues, i) for i in gone) or any(
        letting_go(new.script.cues, j) and len(new.script.cues) != j + 1 for j in touched)


def _end_before(before: Schedule, cue: int) -> float:
    """When the cues before one were over, s."""
    ends = [e.start + e.rise + e.hold + e.fall for e in before.events if 0 <= e.cue < cue and not e.stays]
    return max(ends, default=0.0)


def _alike(a: Cue, b: Cue) -> bool:
    """Whether two cues differ in nothing but their place."""
    return all(getattr(a, f.name) == getattr(b, f.name) for f in fields(Cue) if f.name not in _PLACE)


def _moved(events: Sequence[Event], start: float, cue: int) -> list[Event]:
    shift = start - events[0].start if events else 0.0
    return [replace(e, start=round(max(e.start + shift, 0.0), 3), cue=cue) for e in events]


def _changed(events: Sequence[Event], was: Cue | None, cue: Cue, start: float, index: int) -> list[Event] | None:
    """The same events stronger, faster or on another side; None where the cue has to be laid out anew."""
    if was is None or not events:
        return None
    other = {f.name for f in fields(Cue) if f.name not in _PLACE and getattr(was, f.name) != getattr(cue, f.name)}
    out = _moved(events, start, index)
    if other == {"strength"}:
        share = (cue.strength or USUAL_STRENGTH) / (was.strength or USUAL_STRENGTH)
        return [replace(e, intensity=round(min(max(e.intensity * share, 0.01), 1.0), 3)) for e in out]
    if other == {"speed"}:
        slower = (was.speed or 1.0) / (cue.speed or 1.0)
        if events[0].name in CYCLES and events[0].cycles:  # a shake that is too slow is turns of the head
            kind, period = CYCLES[events[0].name], (events[0].rise + events[0].hold + events[0].fall) / events[0].cycles
            slower = min(max(period * slower, kind.least), kind.most) / period
        return [replace(e, start=round(start + (e.start - start) * slower, 3), rise=round(e.rise * slower, 3),
                        hold=round(e.hold * slower, 3), fall=e.fall and max(round(e.fall * slower, 3), 0.001)) for e in out]
    if other == {"side"} and cue.kind == "action" and len(out) == 1:
        if cue.name in DIRECTIONS:
            return [replace(out[0], name=cue.action)]
        return [replace(out[0], side=cue.side)] if out[0].name in ACTION and ACTION[out[0].name].paired else None
    return None


def _alone(script: Script, cue: Cue, start: float, index: int, seed: int, step: float) -> list[Event]:
    """The events of one cue laid out by itself from a time on."""
    over = None if cue.end is None or cue.end <= start else cue.end
    one = Script((replace(cue, start=round(start, 3), join="then", pause=None, end=over),), never=script.never)
    laid = lay_out(one, seed + 31 * index, step)
    return [replace(e, cue=index) for e in laid.events]
