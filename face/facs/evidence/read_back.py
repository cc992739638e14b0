"""A clip read as a script: the cues that would make what a measurement shows.

The inverse of performing, by code alone: names, sides, counts, strengths and times. What an emotion
or an action brings along by itself (``poses.py``) is no cue of its own. Behaviours and feelings have
no shape of their own; what they are made of is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from ..measured import Measurement
from ..poses import ACTION_POSES, EMOTION_POSES
from ..script import Cue, Join, Script
from ..signals import pose_signals
from ..vocabulary import ACTION, DIRECTIONS, EMOTION_ACTIONS, EMOTIONS, allowed_with
from .match import GAP, PERIOD
from .spans import Span, all_spans, at_levels

STEP = 0.05
"""Strengths are read to the nearest of this; a measurement is not more exact."""
SECOND = 0.1
"""Times likewise."""
CROSS = 1.0
"""Two emotions of which one turns into the other overlap for at most this many seconds."""
SLACK = 0.18
"""An action this much stronger than what others bring along is done for itself."""
FAINT = 0.4
"""Anything weaker that another action entails, such as lids that follow a raised gaze, is part of it."""
ALIKE = 0.2
"""Occurrences whose strengths differ by less are one action repeated."""
_CYCLIC = frozenset(n for n, a in ACTION.items() if a.cyclic)
_LIDS = frozenset({"blink", "wink_left", "wink_right", "eye_close"})
"""What is done in full unless it is said otherwise."""


@dataclass(frozen=True)
class _Read:
    span: Span
    join: Join | None = None
    """None: by its time."""


def read_back(measurement: Measurement, *, times: bool = True, blinks: bool = True) -> Script:
    """The script of a clip.

    Args:
        measurement: what the clip shows.
        times: whether each cue says when it begins and ends; without them only what comes after, with or instead of what.
        blinks: whether blinks are cues; not in a clip with idle motion, whose blinks mean nothing.

    Returns:
        A script of actions and emotions; performed, it gives the clip again.
    """
    spans = all_spans(measurement)
    felt = [s for name in EMOTIONS if name != "neutral" for s in spans.get(name, []) if _is_felt(s, spans)]
    felt = [s for s in felt if not any(_within(s, o, spans) for o in felt if o is not s)]
    acts = sorted((s for n in ACTION for s in spans.get(n, []) if blinks or n != "blink"), key=lambda s: (s.start, -s.strength))
    own = [s for s in acts if not any(_brought(s, o) for o in [*felt, *acts] if o is not s) and not _runs_through(s, felt)]
    rows = _repeated(sorted([*felt, *own], key=lambda s: s.start))
    found = [_Read(part, "into" if k else None) for s in rows for k, part in enumerate(at_levels(s))]
    found.sort(key=lambda r: r.span.start)
    cues: list[Cue] = []
    for i, r in enumerate(found):
        before = found[i - 1].span if i else None
        cues.append(_cue(r.span, r.join or _join(before, r.span), measurement.seconds, times))
    return Script(tuple(cues), round(measurement.seconds, 2))


def _is_felt(s: Span, spans: dict[str, list[Span]]) -> bool:
    """Whether a span of an emotion has all that defines it: a smile without raised cheeks is a smile."""
    near = {a.name for n in EMOTION_ACTIONS[s.name] for a in spans.get(n, []) if a.shared(s.start, s.end) > 0}
    return near.issuperset(EMOTION_ACTIONS[s.name]) and (s.name != "contempt" or _on_its_side(s, spans))


def _within(s: Span, other: Span, spans: dict[str, list[Span]]) -> bool:
    """Whether a stronger emotion at the same time may show all that shows this one: fear has surprise's brows and eyes."""
    names = {n for n, rows in spans.items() if n in ACTION for a in rows if a.actions & s.actions}
    return s.strength < other.strength and s.together(other) and names <= allowed_with(other.name)


def _on_its_side(s: Span, spans: dict[str, list[Span]]) -> bool:
    return any(a.side == "left" and a.shared(s.start, s.end) > 0 for a in spans.get("smile", []))


@lru_cache(maxsize=512)
def _brings(name: str, side: str, strength: float) -> dict[str, float]:
    """The signals of an action or emotion at a strength."""
    other = {"left": "Right", "right": "Left"}.get(side)
    pose = EMOTION_POSES[name] if name in EMOTIONS else ACTION_POSES[name]
    return pose_signals({k: v * strength for k, v in pose.items() if other is None or not k.endswith(other)})


def _brought(s: Span, by: Span) -> bool:
    """Whether a measured action is no more than what another action or an emotion at that time brings along."""
    if s.name == by.name or s.name not in allowed_with(by.name) or s.shared(by.start - GAP, by.end + GAP) < 0.6 * s.seconds:
        return False
    if s.strength < FAINT and s.strength < 0.6 * by.strength:
        return True
    if by.name in EMOTIONS and s.actions <= by.actions and not s.levels:
        return s.strength <= _brings(by.name, "both", round(by.strength, 2)).get(s.name, 0.0) + SLACK
    full = _brings(by.name, by.side, round(by.strength, 2)).get(s.name, 0.0)
    if s.side != "both":  # what one side does alone is measured in full, the mean of both is half of it
        full *= 2.0 if by.side == s.side or by.name.endswith(s.side) else 1.0
    return s.strength <= full + SLACK and (by.name in EMOTIONS or s.strength < by.strength or ACTION[by.name].cyclic)


def _runs_through(s: Span, felt: list[Span]) -> bool:
    """Whether an action belongs to one emotion after the other, as the squint of anger that turns into happiness."""
    owners = [o for o in felt if s.name in allowed_with(o.name) and s.shared(o.start, o.end) > 0]
    most = max((_brings(o.name, "both", round(o.strength, 2)).get(s.name, 0.0) for o in owners), default=0.0)
    return s.strength <= most + SLACK and sum(s.shared(o.start, o.end) for o in owners) >= 0.8 * s.seconds


def _repeated(acts: list[Span]) -> list[Span]:
    """Occurrences of one action or emotion that follow each other, with nothing else between, as one span with a count."""
    out: list[Span] = []
    for s in acts:
        last = next((o for o in reversed(out) if o.name == s.name), None)
        between = last is not None and any(o.start > last.start and o is not s and o.name != s.name and o.start < s.start
                                           and o.start >= last.end for o in acts)
        if (last is not None and not between and s.name not in _CYCLIC and not (last.levels or s.levels)
                and last.side == s.side and s.start - last.end < PERIOD and abs(last.strength - s.strength) < ALIKE):
            out[out.index(last)] = replace(last, end=s.end, count=last.count + 1, strength=max(last.strength, s.strength),
                                           actions=last.actions | s.actions)
        else:
            out.append(s)
    return out


def _join(before: Span | None, s: Span) -> Join:
    if before is None:
        return "then"
    if before.end - s.start <= CROSS and s.start - before.end <= GAP and s.end > before.end and s.start > before.apex and (
            before.name != s.name and {before.name, s.name} <= set(EMOTIONS)):
        return "into"
    return "with" if s.together(before) else "then"


def _cue(s: Span, join: Join, seconds: float, times: bool) -> Cue:
    stem, _, way = s.name.rpartition("_")
    name, side = (stem, way) if stem in DIRECTIONS and way in ("left", "right") else (s.name, s.side)
    strength = min(max(round(s.strength / STEP) * STEP, STEP), 1.0)
    full = s.name in _LIDS and strength > 0.85
    count = s.count if s.count > 1 or s.name in _CYCLIC else None
    held = s.end >= seconds - SECOND and s.name not in _CYCLIC | {"blink"}
    start, end = (round(round(t / SECOND) * SECOND, 2) for t in (s.start, s.end))
    return Cue(name, side, join, None if full else round(strength, 2), count,  # type: ignore[arg-type]
               start=start if times else None, end=max(end, start + SECOND) if times and not held else None, held=held)
