"""What happens in a clip, in order, and which of it something names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ..emotions import UNCLEAR
from ..measured import MeasuredAction, Measurement
from ..vocabulary import ACTION, BEHAVIOUR, EMOTIONS, FEELING, Side, allowed_with

_OWN = 0.4
"""From this strength on an action is one of its own, whatever else happens."""
SLACK = 0.2
"""Seconds: what begins nearer than this together is neither before nor after."""
PLURAL = ("lips", "brows", "eyes", "cheeks", "corners")
_BARE = ("talking", "tongue out", "head up", "head down", "gaze", "jaw to", *PLURAL)


_ALIKE = {"happiness": ("smile",), "smile": ("happiness",), "anger": ("brow_lower",), "sadness": ("lip_corner_depress",),
          "grin_teeth": ("smile",), "kiss": ("lip_pucker",)}
"""What a word may mean where what it names is not there: who is happy smiles."""


@dataclass(frozen=True)
class Thing:
    """What a question is about: an action or emotion, on a side, and which of its occurrences."""

    names: tuple[str, ...]
    """Any of these; several where the side of a wink or turn is not said."""
    label: str
    side: Side = "both"
    which: int | None = None
    """0 the first, 1 the second, -1 the last; None all of them."""
    at: float | None = None
    """Only what happens at this second."""
    part: str = ""
    """Only what happens in the clip's "start" or "end"."""
    whole: bool = False
    """Whether ``which`` counts chains of nods even where there is only one."""
    made_of: str = ""
    """Of a behaviour or feeling, which cannot be measured as such: that it is several actions, and which."""


@dataclass(frozen=True)
class Shown:
    """An occurrence of an action, or a stretch of an emotion."""

    name: str
    label: str
    start: float
    end: float
    strength: float
    times: int
    side: Side
    hertz: float = 0.0
    apex: float | None = None
    """When it is strongest, where that is known."""
    degrees: float = 0.0
    """How far the head turns, where it does."""


def occurrences(rows: Sequence[Shown], thing: Thing) -> list[Shown]:
    """The occurrences of a thing among all that happens, or the one that is meant."""
    own = [s for s in rows if s.name in thing.names and (thing.side == "both" or s.side in ("both", thing.side))]
    if thing.at is not None:
        own = [s for s in own if s.start - SLACK <= thing.at <= s.end + SLACK]
    if thing.which is None:
        return own
    if not (thing.whole or len(own) > 1 and -len(own) <= thing.which < len(own)):
        own = [one for s in own for one in _cycles(s)]  # of one chain of nods, or beyond them, single nods
    return own[thing.which:][:1] if -len(own) <= thing.which < len(own) else []


def happenings(m: Measurement, between: tuple[float, float] | None = None) -> list[Shown]:
    """All that happens, or all that happens within some seconds, in order; not what others bring along."""
    felt = [Shown(s.name, s.name, s.start, s.end, s.strength, 1, "both") for s in m.emotion.timeline
            if s.name not in ("neutral", UNCLEAR) and m.named is None]
    known = [Shown(n.name, n.name.replace("_", " ") + (f" on the {n.side}" if n.side != "both" else ""), n.onset, n.offset,
                   n.intensity, n.count, n.side) for n in m.named or ()]
    own = [s for s in [*map(_shown, m.everything), *felt] if not any(n.covers(s.name, s.start, s.end) for n in m.named or ())]
    rows = sorted([*own, *known], key=lambda s: s.start)
    low, high = between or (0.0, m.seconds)
    seen = [s for s in rows if between is None or min(s.end, high) - max(s.start, low) > 0.5 * min(s.end - s.start, high - low)]
    return [s for s in seen if not any(_entails(other, s) for other in seen)]


def _entails(other: Shown, s: Shown) -> bool:
    """Whether something weak is only what another action brings along at the same time (the brow of a wink)."""
    if other is s or s.strength >= min(_OWN, other.strength) or s.name not in ACTION or other.name not in ACTION:
        return False
    shared = min(s.end, other.end) - max(s.start, other.start)
    return s.name in allowed_with(other.name) and shared > 0.5 * (s.end - s.start)


def _cycles(s: Shown) -> list[Shown]:
    """Each nod of several, and each syllable."""
    step = (s.end - s.start) / s.times
    return [replace(s, start=s.start + k * step, end=s.start + (k + 1) * step, times=1) for k in range(s.times)]


def _shown(a: MeasuredAction) -> Shown:
    side = f" on the {a.beside}" if a.beside else ""
    return Shown(a.name, noun(ACTION[a.name].label) + side, a.onset, a.offset, a.intensity, a.cycles or 1, a.side,
                  a.value if a.cycles else 0.0, a.apex, abs(a.value) if ACTION[a.name].unit == "deg" and not a.cycles else 0.0)


def noun(label: str) -> str:
    """A label with its article, where it takes one."""
    if any(b in label for b in _BARE):
        return label
    return f"{'an' if label[0] in 'aeiou' else 'a'} {label}"


def in_region(s: Shown, region: str) -> bool:
    """Whether an action, or what a behaviour has to show, is in a part of the face."""
    places = {"head": ("head",), "eyes": ("lids", "gaze"), "brows": ("brows",), "mouth": ("mouth", "jaw")}[region]
    if s.name in BEHAVIOUR:
        return any(re.split(r"[.*]", n)[0] in ACTION and ACTION[re.split(r"[.*]", n)[0]].region in places
                   for group in BEHAVIOUR[s.name].must for n in group)
    return s.name in ACTION and ACTION[s.name].region in places


class Sided(Protocol):
    """What goes to a side by its name ("wink_left"), or has one."""

    @property
    def name(self) -> str: ...
    @property
    def side(self) -> str: ...


def side_of(s: Sided) -> str:
    """left, right or both."""
    end = s.name.rpartition("_")[2]
    return end if end in ("left", "right") else s.side


def meant(rows: Sequence[Shown]) -> Sequence[Shown]:
    """What happens besides blinks, which mean little, if anything does."""
    return [s for s in rows if s.name != "blink"] or rows


def alike(name: str) -> tuple[str, ...]:
    """What a word may mean where what it names is not there; of a feeling that is mostly an emotion, this emotion."""
    if name not in FEELING:
        return _ALIKE.get(name, ())
    blend = FEELING[name].blend
    most = max(blend, key=lambda n: blend[n])
    return (most, *_ALIKE.get(most, ())) if most in EMOTIONS and most != "neutral" else ()


def shown_as(rows: Sequence[Shown], thing: Thing) -> list[Shown]:
    """The occurrences of a thing, or of what its word may mean where it is not there."""
    return occurrences(rows, thing) or occurrences(rows, replace(thing, names=alike(thing.names[0])))


def on_side(side: str) -> str:
    """A side in words."""
    return "both sides" if side == "both" else f"the {side}"


def which_one(thing: Thing) -> str:
    """What a question names, with which of several, when and on which side."""
    order = {0: "first ", 1: "second ", 2: "third ", -1: "last "}.get(thing.which if thing.which is not None else 9, "")
    moment = f" at the {thing.part}" if thing.part else "" if thing.at is None else f" at {thing.at:g} s"
    side = f" on the {thing.side}" if thing.side != "both" and thing.side not in thing.label else ""
    return order + thing.label + moment + side
