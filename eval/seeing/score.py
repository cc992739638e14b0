"""Measured actions against annotated ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...face.facs.emotions import EmotionSegment
from ...face.facs.measured import MeasuredAction
from .annotations import AnnotatedClip, Pass, SeenEvent, Span

SLACK = 0.2
"""Seconds by which an event and a claim of it may miss each other; what lasts for less than a blink is annotated no better."""
SAME = {"wink_left": "eye_close", "wink_right": "eye_close"}
"""Claims under another name of the same thing: how long a lid must stay down to be closed rather than winking is a convention."""


@dataclass
class Score:
    """What became of the events and claims of one action."""

    events: int = 0
    found: int = 0
    claims: int = 0
    true: int = 0
    onsets: list[float] = field(default_factory=list)
    """Seconds from each found event's start to its first claim's onset."""
    sides: list[bool] = field(default_factory=list)
    """Whether a one-sided event's claim is on its side, and a two-sided one's on both."""

    def __add__(self, other: Score) -> Score:
        return Score(self.events + other.events, self.found + other.found, self.claims + other.claims, self.true + other.true,
                     self.onsets + other.onsets, self.sides + other.sides)

    @property
    def recall(self) -> float:
        """Share of the events that were found; nan without any."""
        return self.found / self.events if self.events else float("nan")

    @property
    def precision(self) -> float:
        """Share of the claims that are true; nan without any."""
        return self.true / self.claims if self.claims else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both > 0 else 0.0

    @property
    def onset(self) -> float:
        """Median distance of the onsets, s."""
        return float(np.median(np.abs(self.onsets))) if self.onsets else float("nan")

    @property
    def side(self) -> float:
        """Share of the found events whose claim is on their side; nan without any."""
        return float(np.mean(self.sides)) if self.sides else float("nan")


def claims_of(actions: Iterable[MeasuredAction]) -> list[SeenEvent]:
    """Measured actions in the annotations' form; one that is over in no time gets a hundredth of a second."""
    return [SeenEvent(a.name, a.onset, max(a.offset, a.onset + 0.01), a.side, 1 + (a.intensity > 0.35) + (a.intensity > 0.7))
            for a in actions]


def score_clip(clip: AnnotatedClip, claims: Sequence[SeenEvent], truth: Pass | None = None) -> dict[str, Score]:
    """Scores by action, within the annotated seconds.

    A claim is true when an event of its name overlaps it; several claims may be parts of one event. A claim of what the annotator
    found unclear counts for nothing, and so does an event that only the unclear ones hold.

    Args:
        claims: what is said to be there, with the times of the whole clip.
        truth: the pass to judge against; None: the clip's first.
    """
    truth = truth or clip.first
    spans = truth.spans or clip.spans
    events = [e for e in truth.events if _inside(e, spans)]
    out: dict[str, Score] = {}
    for event in events:
        own = [c for c in claims if _same(c, event)]
        score = out.setdefault(_name(event.name), Score())
        score.events += 1
        if own:
            score.found += 1
            best = min(own, key=lambda c: abs(c.start - event.start))
            score.onsets.append(best.start - event.start)
            score.sides.append(best.side == event.side)
    for claim in claims:
        if not _inside(claim, spans):
            continue
        true = any(_same(claim, e) for e in truth.events)
        if true or not any(_same(claim, e) for e in truth.unclear):
            score = out.setdefault(_name(claim.name), Score())
            score.claims += 1
            score.true += true
    return out


def agreement(clip: AnnotatedClip, first: str, second: str) -> dict[str, Score]:
    """One annotator's events as claims, judged by another's: what two people reach is the most that can be asked."""
    judge, other = clip.passes[first], clip.passes[second]
    spans = other.spans or clip.spans
    return score_clip(clip, other.events, Pass(judge.events, judge.unclear, spans))


def summed(scores: Iterable[dict[str, Score]]) -> dict[str, Score]:
    """Scores of several clips by action."""
    out: dict[str, Score] = {}
    for one in scores:
        for name, score in one.items():
            out[name] = out.get(name, Score()) + score
    return out


def total(scores: dict[str, Score]) -> Score:
    """All actions together."""
    return sum(scores.values(), Score())


def rest_claims(clip: AnnotatedClip, claims: Sequence[SeenEvent]) -> tuple[int, float]:
    """Claims other than blinks while the face rests, and the seconds of it."""
    wrong = [c for c in claims if c.name != "blink" and any(c.start >= a and c.end <= b for a, b in clip.rest)]
    return len(wrong), sum(b - a for a, b in clip.rest)


def felt_times(clip: AnnotatedClip, timeline: Sequence[EmotionSegment]) -> dict[tuple[str, str], float]:
    """Seconds of each annotated emotion (first) in which the estimate says what (second)."""
    out: dict[tuple[str, str], float] = {}
    for name, start, end in clip.emotion:
        for s in timeline:
            if (shared := min(s.end, end) - max(s.start, start)) > 0:
                out[name, s.name] = out.get((name, s.name), 0.0) + shared
    return out


def reliability(clip: AnnotatedClip, actions: Iterable[MeasuredAction]) -> list[tuple[float, bool]]:
    """Confidence of each claim of the clip that counts, those below one half too, and whether it is true."""
    out = []
    for action, claim in ((a, claims_of([a])[0]) for a in actions):
        true = any(_same(claim, e) for e in clip.first.events)
        if _inside(claim, clip.spans) and (true or not any(_same(claim, e) for e in clip.first.unclear)):
            out.append((action.confidence, true))
    return out


def _name(name: str) -> str:
    return SAME.get(name, name)


def _same(a: SeenEvent, b: SeenEvent) -> bool:
    return _name(a.name) == _name(b.name) and a.start < b.end + SLACK and b.start < a.end + SLACK


def _inside(event: SeenEvent, spans: Sequence[Span]) -> bool:
    middle = 0.5 * (event.start + event.end)
    return any(a <= middle <= b for a, b in spans)
