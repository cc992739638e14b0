"""Scores that compare what was asked with what a face is measured to do, and what a text says.

All of them rest on the geometric measurement (``face/facs/measure.py``) and on the script's facts;
no learned model is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

from ..face.facs.schedule import Schedule
from ..face.facs.vocabulary import EMOTION_ACTIONS

APART = 0.25
"""Two events whose starts differ by less (s) count as simultaneous; their order is not scored."""
MOST_PAIRINGS = 5000
"""A clip that shows one action dozens of times is not searched for ever."""


@dataclass(frozen=True)
class Detection:
    """One measured action: its name and when it begins (s)."""

    name: str
    onset: float


@dataclass(frozen=True)
class Counts:
    """Micro-averaged counts; add them up with ``+``."""

    hits: int = 0
    """Expected and found."""
    missed: int = 0
    """Expected and not found."""
    invented: int = 0
    """Found, neither expected nor a known side effect of what was expected."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.hits + other.hits, self.missed + other.missed, self.invented + other.invented)

    @property
    def recall(self) -> float:
        return self.hits / max(1, self.hits + self.missed)

    @property
    def precision(self) -> float:
        return self.hits / max(1, self.hits + self.invented)

    @property
    def f1(self) -> float:
        return 2 * self.hits / max(1, 2 * self.hits + self.missed + self.invented)


def count_actions(script: Schedule, found: Iterable[str], spontaneous: bool = True) -> Counts:
    """Compare a set of action names with what a script asks for.

    Side effects (``Action.entails``, ``EMOTION_MAY_SHOW``) count neither for nor against.

    Args:
        spontaneous: leave out blinks that were not asked for.
    """
    expected = set(script.expected_actions())
    seen = set(found)
    if spontaneous and "blink" not in expected:
        seen.discard("blink")
    extra = seen - expected - script.allowed_actions()
    return Counts(len(seen & expected), len(expected - seen), len(extra))


@dataclass(frozen=True)
class OrderScore:
    """Order of a script's events in a measurement.

    ``scored``: at least two events that are apart were found; ``right``: all such pairs in order; ``complete``: no event
    of the script is missing.
    """

    scored: bool
    right: bool
    complete: bool


def actions_of(name: str) -> tuple[str, ...]:
    """What an action or emotion must show."""
    return EMOTION_ACTIONS.get(name, (name,))


def event_onsets(script: Schedule, detections: Sequence[Detection],
                 due: Sequence[float] | None = None) -> list[float | None]:
    """For each event, when it begins in the measurement; None when it is absent.

    Events that need the same action share its occurrences out: in time order, one each, so that
    they lie as close as possible to when they are due (with as many occurrences as events the n-th
    event takes the n-th one; a side effect of another event, such as the squint of a wink, is left
    over). An event of several actions begins with the one that is closest to its time. The due
    times only choose among occurrences: they never make a wrong order right.

    Args:
        due: when each event is due on the detections' clock; the script's own times when None.
    """
    clock = [e.start for e in script.events] if due is None else list(due)
    out: list[float | None] = [None] * len(clock)
    for name in {a for e in script.events for a in actions_of(e.name)}:
        asked = [k for k, e in enumerate(script.events) if name in actions_of(e.name)]
        times = sorted(d.onset for d in detections if d.name == name)
        few = min(len(asked), len(times))
        pairings = [list(zip(who, when, strict=True)) for who in combinations(asked, few)
                    for when in islice(combinations(times, few), MOST_PAIRINGS)]
        for k, onset in min(pairings, key=lambda pairs: sum(abs(t - clock[k]) for k, t in pairs)):
            best = out[k]
            if best is None or abs(onset - clock[k]) < abs(best - clock[k]):
                out[k] = onset
    return out


def order_score(script: Schedule, detections: Sequence[Detection], due: Sequence[float] | None = None) -> OrderScore | None:
    """Are the events of a script in its order? None when it has no order to keep.

    Args:
        due: see :func:`event_onsets`.
    """
    pairs = [(i, j) for i in range(len(script.events)) for j in range(i + 1, len(script.events))
             if script.events[j].start - script.events[i].start >= APART]
    if not pairs:
        return None
    onsets = event_onsets(script, detections, due)
    scored = [(a, b) for i, j in pairs if (a := onsets[i]) is not None and (b := onsets[j]) is not None]
    right = all(a < b for a, b in scored)
    missing = any(o is None and actions_of(e.name) for e, o in zip(script.events, onsets, strict=True))
    return OrderScore(bool(scored), right and bool(scored), not missing)


def expand(names: Iterable[str]) -> set[str]:
    """Action names of a text: an emotion stands for the actions of its prototype."""
    out: set[str] = set()
    for name in names:
        out.update(actions_of(name))
    return out


def bootstrap_interval(values: Sequence[Counts], what: str, seed: int = 0, rounds: int = 500) -> tuple[float, float]:
    """95 % interval of a micro-averaged score (``recall``, ``precision`` or ``f1``) over items."""
    import numpy as np

    table = np.array([(c.hits, c.missed, c.invented) for c in values])
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(table), size=(rounds, len(table)))
    scores = [getattr(Counts(*map(int, table[p].sum(0))), what) for p in picks]
    return float(np.quantile(scores, 0.025)), float(np.quantile(scores, 0.975))
