"""Random schedules: everything that scripts lay out, and more.

Where ``sampler`` draws what words can tell apart, this draws what a motion tokenizer and a model that performs schedules should
be able to render: scripts that people wrote, and every action at any strength, on one side or both, once or repeated, beside any
others.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...face.facs.schedule import Event, Schedule, Side, Style
from ...face.facs.vocabulary import ACTION
from ..text.written import written
from .layout import lay_out
from .sampler import FELT, STEP, SamplerConfig, sample_script, snap

_SHARES = {"written": 0.5, "mixture": 0.35, "sampled": 0.15}
"""Where schedules come from: scripts of prompts written by hand, any events together, events that words can tell apart."""
LONGEST = 40.0
_CYCLES = {"nod": (1, 6), "shake": (2, 6), "talking": (3, 12)}
_PERIODS = {"nod": (0.4, 0.8), "shake": (0.4, 0.8), "talking": (0.22, 0.34), "blink": (0.35, 0.7)}


def _event(rng: np.random.Generator, name: str, seconds: float, step: float) -> Event | None:
    start = snap(float(rng.uniform(0, max(step, seconds - 0.8))), step)
    level = float(rng.integers(4, 21)) / 20
    one = name in ACTION and ACTION[name].paired and rng.random() < 0.5
    side: Side = ("left" if rng.random() < 0.5 else "right") if one else "both"
    cyclic = name in ACTION and (ACTION[name].cyclic or rng.random() < 0.2)
    if cyclic:
        count = int(rng.integers(*_CYCLES.get(name, (2, 6))))
        period = float(rng.uniform(*_PERIODS.get(name, (0.55, 1.0))))
        if start + count * period > seconds:
            count = int((seconds - start) / period)
        if count < 1:
            return None
        quarter = period / (4 if name == "shake" else 2)
        ends, hold = round(quarter, 3), round(count * period - 2 * quarter, 3)
        return Event(name, start, ends, hold, ends, level, count, side)
    if name in ("blink", "wink_left", "wink_right"):
        return Event(name, start, 0.08, float(rng.uniform(0.02, 0.2)), 0.14, 1.0)
    slow = 1.6 if name in FELT or ACTION[name].region == "head" else 1.0
    rise, fall = (snap(slow * float(rng.uniform(0.14, 0.8)), step) for _ in range(2))
    hold = snap(float(rng.exponential(0.7)), step)
    rise, fall = max(rise, 0.08), max(fall, 0.08)
    if start + rise + hold + fall > seconds - step / 2:
        return Event(name, start, rise, hold, 0.0, level, 0, side) if start + rise < seconds and rng.random() < 0.6 else None
    return Event(name, start, rise, hold, fall, level, 0, side)


def sample_mixture(rng: np.random.Generator, step: float = STEP) -> Schedule:
    """Draw a schedule of 1.5 to 7 s with 1 to 7 events of any kind; the same state of ``rng`` gives the same one."""
    while True:
        seconds = snap(float(rng.uniform(1.5, 7.0)), step)
        count = int(rng.choice([1, 2, 3, 4, 5, 6, 7], p=[0.2, 0.22, 0.2, 0.15, 0.1, 0.08, 0.05]))
        events: list[Event] = []
        for _ in range(count):
            name = str(rng.choice(FELT)) if rng.random() < 0.2 else str(rng.choice(list(ACTION)))
            event = _event(rng, name, seconds, step)
            if event is not None and not any(e.name == name and e.start < event.end(seconds) + 0.2
                                             and event.start < e.end(seconds) + 0.2 for e in events):
                events.append(event)
        if events:
            events.sort(key=lambda e: e.start)
            return Schedule(round(seconds, 3), tuple(events), seed=int(rng.integers(0, 2**31)))


def sample_schedule(rng: np.random.Generator, step: float = STEP, split: str = "train") -> Schedule:
    """Draw a schedule of at most 40 s in the usual style; the same state of ``rng`` gives the same one."""
    kind = str(rng.choice(list(_SHARES), p=list(_SHARES.values())))
    while True:
        if kind == "mixture":
            made = sample_mixture(rng, step)
        elif kind == "sampled":
            made = sample_script(rng, config=SamplerConfig(step=step))
        else:
            pool = written(split)
            script = pool[int(rng.integers(len(pool)))].script
            if rng.random() < 0.5:  # strengths that were not said are drawn, so that all of them occur
                script = replace(script, cues=tuple(
                    replace(c, strength=float(rng.integers(6, 21)) / 20) if c.strength is None and rng.random() < 0.5 else c
                    for c in script.cues))
            try:
                made = lay_out(script, int(rng.integers(2**31)), step)
            except ValueError:  # a script that cannot be done in its length
                continue
        if made.events and made.seconds <= LONGEST:
            return replace(made, style=Style())
