"""The actions, emotions and rests of a measurement as spans of time.

No face is looked at here, only the timeline that measure.py found.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..emotions import EmotionSegment
from ..measured import MeasuredAction, Measurement
from ..timeline import Level
from ..vocabulary import EMOTION_ACTIONS, EMOTIONS, Side

REST_SECONDS = 0.08
"""A rest shorter than two frames at 25 a second cannot be told from a change of direction."""
_EDGE = 0.7
"""Seconds by which an action may begin before the emotion that it shows can be seen, or end after it."""
TOGETHER_SHARE = 0.5
"""Two spans are at the same time when this share of the shorter one lies in the other."""
SPOKEN = 0.78
"""The mean opening of the jaw between its closures, as a share of the strength of talking: syllables open it to 0.65 to 1."""
IDLE = frozenset({"blink"})
"""What the idle layer does that is measured (face/clip/spontaneous.py); its gaze stays below the thresholds."""


@dataclass(frozen=True)
class Span:
    """One stretch of time in which something was measured. Times in seconds."""

    name: str
    start: float
    apex: float
    end: float
    strength: float
    """Share of full scale."""
    side: Side = "both"
    count: int = 1
    actions: frozenset[int] = frozenset()
    """Indices in ``Measurement.everything``."""
    levels: tuple[Level, ...] = ()
    """Where its strength stays, when that is at several levels."""
    sides: tuple[float, float] | None = None
    """Strengths of the left and the right side, of a paired action."""

    @property
    def seconds(self) -> float:
        """Its duration."""
        return self.end - self.start

    def on(self, side: Side) -> float:
        """Strength on one side, where both are known."""
        return self.strength if self.sides is None or side == "both" else self.sides[side == "right"]

    def shared(self, start: float, end: float) -> float:
        """Seconds of it between two times; negative is the distance to them."""
        return min(self.end, end) - max(self.start, start)

    def together(self, other: Span) -> bool:
        """Whether the two are at the same time."""
        shorter = min(self.seconds, other.seconds)
        return self.shared(other.start, other.end) >= max(TOGETHER_SHARE * shorter, 1e-3)


def span_of(index: int, a: MeasuredAction) -> Span:
    """A measured action as a span."""
    strength = min(a.intensity / SPOKEN, 1.0) if a.name == "talking" else a.intensity
    return Span(a.name, a.onset, a.apex, a.offset, strength, a.side, a.cycles or 1, frozenset({index}), a.levels,
                a.sides)


def joined(spans: Iterable[Span], name: str = "") -> Span:
    """Several spans as one, from the first one's start to the last one's end; counts add up."""
    rows = sorted(spans, key=lambda s: s.start)
    sides = {s.side for s in rows}
    return Span(name or rows[0].name, rows[0].start, rows[0].apex, max(s.end for s in rows), max(s.strength for s in rows),
                sides.pop() if len(sides) == 1 else "both", sum(s.count for s in rows),
                frozenset().union(*(s.actions for s in rows)), rows[0].levels if len(rows) == 1 else (),
                max((s.sides for s in rows if s.sides is not None), key=max, default=None))


def at_levels(span: Span) -> list[Span]:
    """A span as one for each level of its strength."""
    levels = span.levels
    if not levels:
        return [span]
    # a faint first level is no part of the span
    starts = [min(span.start, levels[0].start), *(v.end for v in levels[:-1])]
    ends = [*(v.end for v in levels[:-1]), span.end]
    return [replace(span, start=a, apex=max(v.start, a), end=b, strength=v.value, levels=())
            for a, b, v in zip(starts, ends, levels, strict=True)]


def all_spans(m: Measurement, without: frozenset[str] = frozenset()) -> dict[str, list[Span]]:
    """The spans of every measured action and emotion by name, in order of their start.

    Args:
        m: the measurement.
        without: actions that should never happen; an emotion is then seen by its others.
    """
    out: dict[str, list[Span]] = {}
    acts = [span_of(i, a) for i, a in enumerate(m.everything)]
    for s in acts:
        out.setdefault(s.name, []).append(s)
    for e in m.emotion.timeline:
        if e.name in EMOTIONS and e.name != "neutral":
            out.setdefault(e.name, []).append(_emotion_span(e, acts))
    for name in EMOTIONS:
        for s in shown_by(name, acts, without):
            if not any(s.shared(o.start, o.end) > 0 for o in out.get(name, [])):
                out.setdefault(name, []).append(s)
    out["neutral"] = _rests(acts, m.seconds)
    return {name: sorted(rows, key=lambda s: s.start) for name, rows in out.items()}


def _emotion_span(e: EmotionSegment, acts: list[Span]) -> Span:
    """An estimated emotion with the actions that show it; it begins and ends with them."""
    name, start, end = e.name, e.start, e.end
    own = [a for a in acts if a.name in EMOTION_ACTIONS[name] and a.shared(start, end) > 0.5 * min(a.seconds, end - start)]
    # an action that was there before or stays on afterwards does not make the emotion last as long
    begin = min([a.start for a in own if a.start > start - _EDGE], default=start)
    until = max([a.end for a in own if a.end < end + _EDGE], default=end)
    apex = max([a.apex for a in own if a.apex <= end], default=start)
    return Span(name, min(begin, start), min(max(apex, begin), until), max(until, end), e.strength,
                actions=frozenset().union(*(a.actions for a in own)), levels=e.levels)


def shown_by(name: str, acts: list[Span], without: frozenset[str] = frozenset(), share: float = 1.0) -> list[Span]:
    """Where the defining actions of an emotion (or a share of them) are measured at once.

    Contempt, a smile of one side, has but one; the estimate sees it.
    """
    names = [n for n in EMOTION_ACTIONS[name] if n not in without]
    if len(EMOTION_ACTIONS[name]) < 2:
        return []
    out: list[Span] = []
    for first in (a for a in acts if a.name in names and a.side == "both"):
        others = [next((a for a in acts if a.name == n and a.side == "both" and a.together(first)), None)
                  for n in names if n != first.name]
        rows = [first, *(o for o in others if o is not None)]
        if len(rows) >= share * len(names) and not any(first.actions <= o.actions for o in out):
            out.append(Span(name, min(r.start for r in rows), max(r.apex for r in rows), max(r.end for r in rows),
                            min(r.strength for r in rows), actions=frozenset().union(*(r.actions for r in rows))))
    return out


def _rests(acts: list[Span], seconds: float) -> list[Span]:
    """Stretches in which nothing but idle blinks is measured, as spans of ``neutral``."""
    out, at = [], 0.0
    for s in sorted((a for a in acts if a.name not in IDLE), key=lambda s: s.start):
        if s.start - at >= REST_SECONDS:
            out.append(Span("neutral", at, at, s.start, 1.0))
        at = max(at, s.end)
    if seconds - at >= 0.5 * REST_SECONDS:
        out.append(Span("neutral", at, at, seconds, 1.0))
    return out
