"""Scores that compare what was asked with what a face is measured to do, and what a text says.

All of them rest on the geometric measurement (``face/actions.py``) and on the script's facts;
no learned model judges another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..data_gen.script import Script
from ..face.vocabulary import EMOTION_ACTIONS

APART = 0.25
"""Two events whose starts differ by less (s) count as simultaneous; their order is not scored."""


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


def count_actions(script: Script, found: Iterable[str]) -> Counts:
    """Compare a set of action names with what a script asks for.

    Side effects (``Action.entails``, ``EMOTION_MAY_SHOW``) count neither for nor against;
    blinks that were not asked for are spontaneous and are left out.
    """
    expected = set(script.expected_actions())
    seen = set(found)
    if "blink" not in expected:
        seen.discard("blink")
    extra = seen - expected - script.allowed_actions()
    return Counts(len(seen & expected), len(expected - seen), len(extra))


@dataclass(frozen=True)
class OrderScore:
    """``scored``: at least two events that are apart were found; ``right``: all such pairs in order;
    ``complete``: no event of the script is missing."""

    scored: bool
    right: bool
    complete: bool


def event_onsets(script: Script, detections: Sequence[Detection]) -> list[float | None]:
    """For each event, when the first of its actions begins in the measurement; None when absent.

    The n-th event that needs an action takes the n-th occurrence of it (the last one when the
    measurement has fewer).
    """
    used: dict[str, int] = {}
    out: list[float | None] = []
    for event in script.events:
        onsets: list[float] = []
        for name in EMOTION_ACTIONS[event.name] if event.is_emotion else (event.name,):
            times = sorted(d.onset for d in detections if d.name == name)
            nth = used.get(name, 0)
            used[name] = nth + 1
            if nth < len(times):
                onsets.append(times[nth])
        out.append(min(onsets) if onsets else None)
    return out


def order_score(script: Script, detections: Sequence[Detection]) -> OrderScore | None:
    """Are the events of a script performed in its order? None when it has no order to keep."""
    pairs = [(i, j) for i in range(len(script.events)) for j in range(i + 1, len(script.events))
             if script.events[j].start - script.events[i].start >= APART]
    if not pairs:
        return None
    onsets = event_onsets(script, detections)
    scored = [(onsets[i], onsets[j]) for i, j in pairs if onsets[i] is not None and onsets[j] is not None]
    right = all(a < b for a, b in scored)  # type: ignore[operator]
    return OrderScore(bool(scored), right and bool(scored), all(o is not None for o in onsets))


def expand(names: Iterable[str]) -> set[str]:
    """Action names of a text: an emotion stands for the actions of its prototype."""
    out: set[str] = set()
    for name in names:
        out.update(EMOTION_ACTIONS.get(name, (name,)))
    return out


def bootstrap_interval(values: Sequence[Counts], what: str, seed: int = 0, rounds: int = 500) -> tuple[float, float]:
    """95 % interval of a micro-averaged score (``recall``, ``precision`` or ``f1``) over items."""
    import numpy as np

    table = np.array([(c.hits, c.missed, c.invented) for c in values])
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(table), size=(rounds, len(table)))
    scores = [getattr(Counts(*map(int, table[p].sum(0))), what) for p in picks]
    return float(np.quantile(scores, 0.025)), float(np.quantile(scores, 0.975))
