"""What the procedural animator does for a prompt: the prompt's attributes as a timed script."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...face.facs.schedule import Event, Schedule
from ...face.facs.vocabulary import ACTION, EMOTION_ACTIONS
from ..performer.sampler import FELT, STEP, compatible, sample_event, sample_style, snap, up
from ..text.lexicon import WORDS
from .factors import Attributes

SHORTEST, LONGEST = 2.4, 4.0
"""Seconds of a performed prompt."""


def _names(a: Attributes) -> list[tuple[str, str]]:
    """(name, level) of everything asked for. An action that the emotion itself shows is not asked for twice."""
    names: list[str] = [a.emotion] if a.emotion in FELT else []
    if a.emotion is None and a.emotion_word in WORDS:
        names = [s for s in WORDS[a.emotion_word].shows if s not in a.actions]
    names += [n for n in a.actions if n not in EMOTION_ACTIONS.get(a.emotion or "", ())]
    speech = ["talking"] if a.speaking else []
    return [*((n, a.intensity) for n in names), *((n, "medium") for n in (*a.head, *a.gaze, *speech))]


def _event(rng: np.random.Generator, name: str, level: str, tight: bool) -> Event:
    event = sample_event(rng, name, 0.0, level=level)
    if name == "talking" and (tight or event.cycles > 7):
        cycles = 4 if tight else 6
        return replace(event, hold=round((cycles - 1) * event.rise * 2, 3), cycles=cycles)
    if name in ("nod", "shake"):
        period = 0.48 if tight else 0.64
        quarter = period / (2 if name == "nod" else 4)
        return replace(event, rise=quarter, hold=round(2 * period - 2 * quarter, 3), fall=quarter, cycles=2)
    if name in ("blink", "wink_left", "wink_right"):
        hold = event.hold if event.cycles == 1 else event.hold - (event.cycles - 1) * (0.48 if name == "blink" else 0.80)
        return replace(event, hold=round(hold, 3), cycles=1)
    if name in ACTION and ACTION[name].region == "gaze":
        return replace(event, hold=min(event.hold, 0.64))
    limits = (0.32, 0.32, 0.32) if tight else (0.48, 0.8, 0.48)
    rise, hold, fall = (min(v, m) for v, m in zip((event.rise, event.hold, event.fall), limits, strict=True))
    return replace(event, rise=rise, hold=hold, fall=fall)


def _length(e: Event) -> float:
    return e.rise + e.hold + e.fall


def _over(e: Event) -> float:
    return e.start + _length(e)


def _schedule(rng: np.random.Generator, events: list[Event], pause: float) -> list[Event]:
    """Starts: each event as early as nothing that excludes it is going on, with a pause between such two."""
    lead = snap(STEP * int(rng.integers(1, 3)))
    placed: list[Event] = []
    for event in events:
        start = lead
        for other in sorted(placed, key=_over):
            clash = not compatible(event.name, other.name)
            if clash and start < _over(other) + pause and other.start < start + _length(event) + pause:
                start = up(_over(other) + pause)
        placed.append(replace(event, start=round(start, 3)))
    return sorted(placed, key=lambda e: e.start)


def script_for(attributes: Attributes, seed: int = 0) -> Schedule:
    """A performance of what a prompt asks for.

    What can be shown at the same time is; what cannot (speech and a full facial emotion) follows one
    another, so that every part can be measured.

    Args:
        seed: timing, style and idle motion; the same seed gives the same script.

    Returns:
        A script of 2.4 to 4 s whose events are the emotion, the actions, head, gaze and speech asked for.
    """
    rng = np.random.default_rng([seed, 4])
    names = _names(attributes)
    if attributes.speaking:  # speech first: the emotion that follows can then stay
        names = [names[-1], *names[:-1]]
    for tight in (False, False, True, True):
        events = [_event(rng, n, level, tight) for n, level in names]
        best = _schedule(rng, events, snap(STEP if tight else 2 * STEP))
        if not best or max(map(_over, best)) <= LONGEST - STEP:
            break
    ends = max(map(_over, best), default=0.0)
    last = max(best, key=_over, default=None)
    if last is not None and last.name in FELT and rng.random() < 0.4:
        best = [replace(e, fall=0.0) if e is last else e for e in best]
    seconds = float(np.clip(up(ends + 2 * STEP), SHORTEST, LONGEST))
    return Schedule(round(seconds, 3), tuple(best), attributes.gender, sample_style(rng), seed)
