"""Two clips compared: what only one of them has, and what of the same is stronger, longer, earlier or on another side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ....common.text import often
from ..measured import Measurement
from ..vocabulary import ACTION, EMOTION_ACTIONS
from .happenings import Shown, happenings

STRENGTH, TIME = 0.05, 0.12
"""Share of full scale and seconds by which two occurrences must differ for a difference to be told."""


@dataclass(frozen=True)
class Difference:
    """One difference between two clips.

    Attributes:
        name: an action or emotion; empty for the clips' lengths.
        label: the same in words.
        what: presence, count, strength, start, seconds, side or length.
        first, second: its value in each clip; None where it is absent. Seconds, shares of full scale, counts, or words.
    """

    name: str
    label: str
    what: str
    first: Any
    second: Any

    @property
    def text(self) -> str:
        """In a few words."""
        if self.what == "presence":
            shown = self.first if self.second is None else self.second
            return f"{self.label}: only in the {'first' if self.second is None else 'second'} (at {shown:.1f} s)"
        word = {"start": " begins at", "seconds": " lasts", "length": " lasts"}.get(self.what, "")
        return f"{self.label}{word} {self._said(self.first)} -> {self._said(self.second)}"

    def _said(self, value: Any) -> str:
        if self.what == "strength":
            return f"{100 * value:.0f} %"
        if self.what == "count":
            return often(value)
        return str(value) if self.what == "side" else f"{value:.1f} s"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def differences(first: Measurement, second: Measurement) -> list[Difference]:
    """Where two clips differ, in the order of the first clip; occurrences of one name are paired in order.

    Blinks, which mean little, are compared by their number.
    """
    a, b = happenings(first), happenings(second)
    out: list[Difference] = []
    if abs(first.seconds - second.seconds) > TIME:
        out.append(Difference("", "the clip", "length", round(first.seconds, 2), round(second.seconds, 2)))
    for name in dict.fromkeys([s.name for s in a] + [s.name for s in b]):
        mine, other = ([s for s in rows if s.name == name] for rows in (a, b))
        if name == "blink":
            if len(mine) != len(other):
                out.append(Difference(name, "blink", "count", len(mine), len(other)))
            continue
        for k in range(max(len(mine), len(other))):
            out += _pair(mine[k] if k < len(mine) else None, other[k] if k < len(other) else None)
    told = {(d.name, d.what) for d in out}  # an emotion that changes as an action of it does is no second difference
    return [d for d in out if not any((a, d.what) in told for a in EMOTION_ACTIONS.get(d.name, ()))]


def _pair(a: Shown | None, b: Shown | None) -> list[Difference]:
    one = a or b
    assert one is not None
    label = ACTION[one.name].label if one.name in ACTION else one.name
    if a is None or b is None:
        return [Difference(one.name, label, "presence", None if a is None else round(a.start, 2),
                           None if b is None else round(b.start, 2))]
    rows: Sequence[tuple[str, Any, Any, bool]] = (
        ("side", a.side, b.side, a.side != b.side), ("count", a.times, b.times, a.times != b.times),
        ("strength", round(a.strength, 2), round(b.strength, 2), abs(a.strength - b.strength) > STRENGTH),
        ("start", round(a.start, 2), round(b.start, 2), abs(a.start - b.start) > TIME),
        ("seconds", round(a.end - a.start, 2), round(b.end - b.start, 2), abs((a.end - a.start) - (b.end - b.start)) > 2 * TIME))
    return [Difference(one.name, label, what, x, y) for what, x, y, differ in rows if differ]
