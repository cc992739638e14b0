"""Random performance scripts: balanced over actions, natural in timing, measurable.

Every script that this module draws can be told from its motion: events that overlap use
different regions and do not hide each other, events of one region are separated by rest, and
events begin in the order in which they are written.

Times lie on a grid whose step is that of the motion tokens, 0.16 s by default (four frames at 25 fps),
which is fine enough for words and keeps the number of ways to perform one action small.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from math import degrees
from typing import Annotated

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from ...face.facs.poses import ACTION_POSES
from ...face.facs.schedule import LEVELS, Event, Schedule, Style
from ...face.facs.vocabulary import ACTION, ACTIONS, EMOTION_ACTIONS, EMOTIONS
from ..tables import read_table
from .dynamics import BLINK, WINK, main_sequence

STEP = 0.16
"""Seconds; the default step of the grid, that of the released tokenizer. Durations are drawn as multiples of it and rounded
to the grid, so that another step changes their resolution and not how long things take."""
FELT: tuple[str, ...] = tuple(e for e in EMOTIONS if e != "neutral")
NAMES: tuple[str, ...] = ACTIONS + FELT
MIN_SECONDS, MAX_SECONDS = 1.44, 8.0


def snap(seconds: float, step: float = STEP) -> float:
    """The nearest point of the grid."""
    return step * round(seconds / step)


def up(seconds: float, step: float = STEP) -> float:
    """The next point of the grid."""
    return step * float(np.ceil(round(seconds / step, 4)))


@dataclass(frozen=True, config=SETTINGS)
class Choice:
    """Values with the share of each."""

    values: tuple[float, ...]
    shares: tuple[float, ...]

    def draw(self, rng: np.random.Generator) -> float:
        """One of the values."""
        return float(rng.choice(np.array(self.values), p=np.array(self.shares)))

    def time(self, rng: np.random.Generator, step: float) -> float:
        """A time on the grid, drawn as a number of ``STEP``."""
        return snap(STEP * int(self.draw(rng)), step)


@dataclass(frozen=True, config=SETTINGS)
class _Behaviours:
    hides: dict[str, tuple[str, ...]]
    mouth_with_jaw: frozenset[frozenset[str]]
    regions: dict[str, frozenset[str]]
    lids: frozenset[str]
    full: frozenset[str]
    events: Choice
    together: float
    transitions: float
    emotions: float
    stays: float
    cycles: dict[str, Choice]
    times: dict[str, Choice]
    sources: dict[str, tuple[str, ...]]


_TABLE = read_table(__package__, "behaviours.yaml", _Behaviours)
_TIMES = _TABLE.times
SOURCES = _TABLE.sources
"""Actions of faces that a transition may start from."""
_HIDES = frozenset(frozenset({a, b}) for a, others in _TABLE.hides.items() for b in others)


def regions(name: str) -> frozenset[str]:
    """The regions of the face that an action or emotion occupies."""
    if name in ACTION:
        return frozenset({ACTION[name].region})
    if name in _TABLE.regions:
        return _TABLE.regions[name]
    raise ValueError(f"no action or emotion {name!r}; known: {', '.join(NAMES)}")


def compatible(a: str, b: str) -> bool:
    """Whether two actions or emotions can be performed, and measured, at the same time."""
    pair = frozenset({a, b})
    ra, rb = regions(a), regions(b)
    if ra & rb or pair in _HIDES or (a in FELT and b in FELT):
        return False
    if {"mouth", "jaw"} <= ra | rb and not (a in FELT or b in FELT) and pair not in _TABLE.mouth_with_jaw:
        return False
    return not (pair & _TABLE.lids and pair & {"gaze_up", "gaze_down"})


COMPATIBLE: dict[str, frozenset[str]] = {a: frozenset(b for b in NAMES if b != a and compatible(a, b)) for a in NAMES}
"""For each action and emotion, what may be performed at the same time."""


@dataclass(frozen=True, config=SETTINGS)
class SamplerConfig:
    """How scripts are distributed; the shares of what they hold are in behaviours.yaml."""

    avoid: frozenset[frozenset[str]] = frozenset()
    """Pairs of names that never share a script (combinations held out for a test)."""
    step: Annotated[float, Field(ge=0.02, le=0.32)] = STEP
    """Seconds between points of the grid; the tokenizer's ``step_seconds``."""


def sample_event(rng: np.random.Generator, name: str, start: float, *, level: str | None = None,
                 step: float = STEP) -> Event:
    """One event with natural durations: an action or emotion other than neutral.

    Args:
        start, step: its begin and the step of the grid, seconds.
        level: slight, medium or strong; None draws one.
    """
    x = 1.0
    if name not in _TABLE.full:
        chosen = level or str(rng.choice(list(LEVELS), p=[0.3, 0.4, 0.3]))
        x = float(np.clip(round(LEVELS[chosen] + rng.uniform(-0.04, 0.04), 2), 0.4, 1.0))

    def event(rise: float, hold: float, fall: float, cycles: int = 0) -> Event:
        return Event(name, round(start, 3), round(rise, 3), round(hold, 3), round(fall, 3), x, cycles)

    if name in ("nod", "shake"):
        cycles, period = int(_TABLE.cycles[name].draw(rng)), _TIMES["swing"].draw(rng)
        quarter = period / (2 if name == "nod" else 4)
        return event(quarter, cycles * period - 2 * quarter, quarter, cycles)
    if name == "talking":
        period = _TIMES["syllable"].draw(rng)
        cycles = int(rng.integers(4, 11)) if period > 0.3 else 2 * int(rng.integers(3, 8))
        return event(period / 2, (cycles - 1) * period, period / 2, cycles)
    if name in ("blink", "wink_left", "wink_right"):
        once, period = (BLINK, 0.48) if name == "blink" else (WINK, 0.80)
        cycles = int(_TABLE.cycles[name.partition("_")[0]].draw(rng))
        return event(once[0], (cycles - 1) * period + once[1], once[2], cycles)
    hold = _TIMES["hold"].time(rng, step)
    if name in ACTION and ACTION[name].region == "gaze":
        angle = degrees(max(abs(v) for v in ACTION_POSES[name].values())) * x
        rise = round(main_sequence(angle), 2)
        return event(rise, hold + snap(STEP, step) - rise, rise)
    onset = _TIMES["onset_slow"] if name in FELT or ACTION[name].region == "head" else _TIMES["onset"]
    rise, fall = onset.time(rng, step), onset.time(rng, step)
    if name == "eye_close":
        rise, fall, hold = snap(2 * STEP, step), snap(2 * STEP, step), max(hold, snap(3 * STEP, step))
    return event(rise, hold, fall)


def _name(rng: np.random.Generator, allowed: Collection[str]) -> str | None:
    """A name out of ``allowed``, emotions and actions in their shares, even within each."""
    felt, acts = ([n for n in names if n in allowed] for names in (FELT, ACTIONS))
    pool = felt if felt and (not acts or rng.random() < _TABLE.emotions) else acts
    return str(rng.choice(pool)) if pool else None


def _may_follow(rng: np.random.Generator, before: list[str], name: str, config: SamplerConfig) -> bool:
    """Whether ``name`` may come later in a script that has ``before``."""
    if name in before or any(frozenset({b, name}) in config.avoid for b in before):
        return False
    for b in before:
        # an earlier event already shows it a little: its order could not be told, so it is rare
        shown = (b,) if b in ACTION else EMOTION_ACTIONS[b]
        if any(name == a or name in ACTION[a].entails for a in shown) and rng.random() < 0.9:
            return False
    return True


def _plan(rng: np.random.Generator, config: SamplerConfig, required: tuple[str, ...]) -> list[tuple[str, str]]:
    """Names and how each is joined to the one before: first, then, with (overlapping), into (transition)."""
    count = max(int(_TABLE.events.draw(rng)), len(required))
    transition = not required and rng.random() < _TABLE.transitions
    count = max(count, 2) if transition else count
    joins = ["first", *["then"] * (count - 1)]
    # the rate is per script with several events, transitions of two events leave no room for overlap
    overlap = count >= 2 and rng.random() < _TABLE.together and not (transition and count == 2)
    if transition:
        joins[int(rng.integers(1, count))] = "into"
    free = [i for i in range(1, count) if joins[i] == "then" and "into" not in (joins[i - 1], *joins[i + 1:i + 2])]
    if overlap and free:
        joins[int(rng.choice(free))] = "with"
    names: list[str] = []
    for i, join in enumerate(joins):
        for _ in range(60):
            if i < len(required):
                name: str | None = required[i]
            elif join == "into" or joins[i + 1:i + 2] == ["into"]:
                name = str(rng.choice(FELT))
            else:
                name = _name(rng, COMPATIBLE[names[-1]] if join == "with" else NAMES)
            if name is not None and (i < len(required) or _may_follow(rng, names, name, config)):
                break
        else:
            break
        if join == "with" and name not in COMPATIBLE[names[-1]]:
            joins[i] = "then"
        names.append(name)
    return list(zip(names, joins, strict=False))


def _place(rng: np.random.Generator, plan: list[tuple[str, str]], step: float) -> list[Event]:
    """Events on the time line."""
    events: list[Event] = []
    clock = _TIMES["lead"].time(rng, step)
    for name, join in plan:
        start = clock
        if join == "with":
            host = events[-1]
            room = round((host.rise + host.hold) / step)
            late = 0 if rng.random() < 0.7 else int(rng.integers(0, max(1, min(room, round(5 * STEP / step)))))
            start = host.start + step * late
        elif join == "into":
            before = events[-1]
            rise = _TIMES["hand_over"].time(rng, step)
            events[-1] = replace(before, fall=rise)  # the first emotion's offset and the second's onset are one movement
            start = before.apex + before.hold
        elif join == "then":
            same = any(regions(name) & regions(e.name) for e in events[-2:])
            pause = _TIMES["pause_same"] if same else _TIMES["pause"]
            start = up(max(_over(e) for e in events), step) + pause.time(rng, step)
        event = sample_event(rng, name, start, step=step)
        if join == "into":
            event = replace(event, rise=rise)
        events.append(event)
    return events


def _over(event: Event) -> float:
    return event.start + event.rise + event.hold + event.fall


def sample_style(rng: np.random.Generator) -> Style:
    """How a person moves: a few percent around the average."""
    tempo, asymmetry, expressiveness = (
        float(np.clip(round(rng.normal(mean, spread), 3), mean - most, mean + most))
        for mean, spread, most in ((1.0, 0.04, 0.1), (0.0, 0.025, 0.08), (1.0, 0.015, 0.05)))
    return Style(tempo, asymmetry, expressiveness)


def sample_script(rng: np.random.Generator, *, config: SamplerConfig | None = None,
                  required: tuple[str, ...] = ()) -> Schedule:
    """Draw a script of 1.44 to 8 s with 1 to 4 events in order of their start; the same state of ``rng`` gives the same one.

    Args:
        config: pairs to avoid, and the grid.
        required: names that the script begins with, in this order (coverage of a pair, tests).

    Raises:
        ValueError: unknown required names, or more than four.
    """
    cfg = config or SamplerConfig()
    if len(required) > 4 or any(n not in NAMES for n in required):
        raise ValueError(f"required is {required}; allowed: up to 4 of {', '.join(NAMES)}")
    while True:
        events = _place(rng, _plan(rng, cfg, required), cfg.step)
        tail = _TIMES["tail"].time(rng, cfg.step)
        last, ends = events[-1], max(_over(e) for e in events)
        cyclic = last.cycles > 0 or (last.name in ACTION and ACTION[last.name].cyclic)
        if not cyclic and _over(last) >= ends - 1e-6 and rng.random() < _TABLE.stays:
            events[-1] = replace(last, fall=0.0)
            ends = max([last.apex + max(last.hold, 0.64), *(_over(e) for e in events[:-1])])
            tail = 0.0
        seconds = max(round(up(MIN_SECONDS, cfg.step), 3), round(up(ends, cfg.step) + tail, 3))
        if seconds <= MAX_SECONDS:
            subject = str(rng.choice(["woman", "man", "person"]))
            return Schedule(seconds, tuple(events), subject, sample_style(rng), int(rng.integers(0, 2**31)))
