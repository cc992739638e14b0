"""Questions about a clip whose answers come from its script and from what was measured.

An answer is short and has one right form; a question that cannot be answered without doubt
is not asked (two turns of the head leave "to which side?" open).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic.dataclasses import dataclass as checked

from ...common.config import SETTINGS
from ...face.facs.schedule import Event, Schedule, level_of
from ...face.facs.vocabulary import ACTION, ACTIONS, EMOTIONS
from ..tables import read_table
from .captions import HELD_OUT_SHARE, SPLITS
from .lexicon import COUNTABLE, COUNTS, LABELS, NUMBERS, UNGRADED
from .parser import actions_in_text
from .phrasing import Speaker, Voice, canonical_order, groups

Fact = Mapping[str, Any]
"""A measured action: name, onset, apex, offset (s), intensity, cycles."""


@checked(frozen=True, config=SETTINGS)
class Sides:
    """Actions that differ in their side alone."""

    ask: tuple[str, ...]
    answers: dict[str, str]
    """Name -> the answer that names it."""


@checked(frozen=True, config=SETTINGS)
class _Questions:
    kinds: dict[str, float]
    face: tuple[str, ...]
    ask: dict[str, tuple[str, ...]]
    strengths: dict[str, tuple[str, str]]
    sides: tuple[Sides, ...]


_TABLE = read_table(__package__, "words/questions.yaml", _Questions)
KINDS: tuple[str, ...] = tuple(_TABLE.kinds)
SIDES = _TABLE.sides
_NEAR = 0.45
"""Seconds between a commanded start and the measured onset that is taken for it."""


@dataclass(frozen=True)
class QA:
    """A question, its one right answer, and its kind, one of ``KINDS``."""

    question: str
    answer: str
    kind: str


def as_facts(measurement: Any) -> list[dict[str, Any]]:
    """Plain dicts (rounded to the millisecond) of a Measurement's actions."""
    return [{"name": a.name, **{key: round(float(getattr(a, key)), 3) for key in ("onset", "apex", "offset", "intensity")},
             **({} if a.cycles is None else {"cycles": int(a.cycles)})} for a in measurement.actions]


def _verb(speaker: Speaker, event: Event, form: str) -> str:
    return speaker.clause(replace(event, intensity=0.7, cycles=0), form, parts=False).text


_Asked = tuple[str, str] | None
"""A question with its answer, if there is one to ask."""


class _Questioner:
    """Draws questions on one clip; a method for each of ``KINDS``."""


    def __init__(self, script: Schedule, facts: Sequence[Fact] | None, rng: np.random.Generator, split: str) -> None:
        held = split == "test" and bool(rng.random() < HELD_OUT_SHARE)
        self.script, self.facts, self.groups = script, facts, groups(script)
        self.s = Speaker(rng, Voice("", "", "its"), held_out=held, mark=0.0, tempo=0.0, canonical=0 if held else 4)
        names = [e.name for e in script.events]
        self.single = [e for e in script.events if names.count(e.name) == 1 and e.name != "neutral"]
        self.face = self.s.pick(_TABLE.face)

    # -- wording ------------------------------------------------------------------------
    def do(self, event: Event) -> str:
        """The action as a verb, without strength and count, which would give answers away."""
        return _verb(self.s, event, "base")

    @staticmethod
    def label(event: Event) -> str:
        return LABELS[event.name] if event.is_emotion else f"the {LABELS[event.name]}"

    def fact(self, event: Event) -> Fact | None:
        """The measured action of a commanded one, when there is one."""
        near = [f for f in self.facts or () if f["name"] == event.name and abs(f["onset"] - event.start) < _NEAR]
        return min(near, key=lambda f: abs(f["onset"] - event.start)) if near else None

    def some(self, events: Sequence[Event]) -> Event | None:
        return self.s.pick(events) if events else None

    def ask(self, key: str, **slots: str) -> str:
        return self.s.pick(_TABLE.ask[key]).format(face=self.face, **slots)

    # -- kinds --------------------------------------------------------------------------
    def what(self) -> _Asked:
        short = Speaker(self.s.rng, Voice("", "", "its"), mark=0.0, tempo=0.0, canonical=1)  # the one wording of answers
        words = [" while ".join(_verb(short, e, "ger" if k else "third") for k, e in enumerate(canonical_order(g.events)))
                 for g in self.groups]
        return self.ask("what"), f"It {', then '.join(words)}." if words else "It stays neutral."

    def when(self) -> _Asked:
        """Start, end or peak of an event, as measured where it was measured."""
        event = self.some(self.single)
        found = self.fact(event) if event else None
        if event is None or self.facts is not None and found is None and not event.is_emotion:
            return None
        end = event.end(self.script.seconds)
        start, apex, stop = event.start, event.apex, end
        if found:
            # repeated blinks and winks are measured one by one: the last one's end counts
            again = [f["offset"] for f in self.facts or () if f["name"] == event.name and f["onset"] <= end + 0.1]
            start, apex = found["onset"], found["apex"]
            stop = max(again) if event.name in COUNTABLE and event.cycles > 1 else found["offset"]
        slots = {"do": self.do(event), "label": self.label(event)}
        which = self.s.pick(("start", "start", "end", "span", "apex"))
        if which == "apex" and not event.cycles:
            return self.ask("when_done" if event.name in UNGRADED else "when_apex", **slots), f"At {apex:.1f} s."
        if which == "span" and not event.stays:
            return self.ask("when_span", **slots), f"From {start:.1f} to {stop:.1f} s."
        if which == "end":
            answer = "It lasts to the end." if event.stays else f"At {stop:.1f} s."
            return self.ask("when_end", **slots), answer
        return self.ask("when_start", **slots), f"At {start:.1f} s."

    def which_side(self) -> _Asked:
        """The side of an action that is done to one side only."""
        names = [e.name for e in self.script.events]
        for event in (self.single[i] for i in self.s.rng.permutation(len(self.single))):
            sides = next((f for f in SIDES if event.name in f.answers), None)
            if sides is not None and sum(names.count(n) for n in sides.answers) == 1:
                return self.s.pick(sides.ask).format(face=self.face), sides.answers[event.name]
        return None

    def how_strong(self) -> _Asked:
        event = self.some([e for e in self.single if e.name not in UNGRADED])
        if event is None:
            return None
        adverb, adjective = _TABLE.strengths[level_of(event.intensity)]
        by_noun = self.s.chance(0.5)
        return (self.ask("how_strong", label=self.label(event)), adjective) if by_noun else (
            self.ask("how_strongly", do=self.do(event)), adverb)

    def how_often(self) -> _Asked:
        event = self.some([e for e in self.single if e.name in COUNTABLE and 1 <= e.cycles < len(COUNTS)])
        found = self.fact(event) if event else None
        if event is None or found and event.name in ("nod", "shake") and found.get("cycles", event.cycles) != event.cycles:
            return None
        ways = [w.format(face=self.face, do=self.do(event)) for w in _TABLE.ask["how_often"]]
        return self.s.pick(ways), COUNTS[event.cycles].capitalize() + "."

    def _group_label(self, *events: Event) -> str:
        text = " and ".join(self.label(e) for e in canonical_order(events))
        return text[:1].upper() + text[1:] + "."

    def order(self) -> _Asked:
        """What comes first, last, after, before or at the same time."""
        together = [g for g in self.groups if len(g.events) == 2]
        if together and (len(self.groups) == 1 or self.s.chance(0.4)):
            group = self.s.pick(together)
            i = int(self.s.rng.integers(2))
            return self.ask("together", label=self.label(group.events[i])), self._group_label(group.events[1 - i])
        if len(self.groups) < 2 or len({e.name for e in self.script.events}) < len(self.script.events):
            return None
        at = int(self.s.rng.integers(1, len(self.groups)))
        before, after = self.groups[at - 1].events, self.groups[at].events
        way = self.s.pick(("first", "last", "which", "after", "before"))
        if way in ("first", "last"):
            return self.ask(way), self._group_label(*self.groups[0 if way == "first" else -1].events)
        if way == "which":
            a, b = self.s.pick(before), self.s.pick(after)
            x, y = (a, b) if self.s.chance(0.5) else (b, a)
            return self.ask("which", label=self.label(x), other=self.label(y)), self._group_label(a)
        if way == "after" and len(before) == 1:
            return self.ask("after", label=self.label(before[0])), self._group_label(*after)
        if len(after) == 1:
            return self.ask("before", label=self.label(after[0])), self._group_label(*before)
        return None

    def present(self) -> _Asked:
        event = self.some(self.single)
        if event is None:
            return None
        if event.is_emotion and self.s.chance(0.5):
            return self.ask("sign", label=LABELS[event.name]), "Yes."
        return self.ask("does", do=self.do(event)), "Yes."

    def absent(self) -> _Asked:
        seen = set(self.script.allowed_actions()) | {e.name for e in self.script.events}
        seen |= {f["name"] for f in self.facts or ()}
        for name in tuple(seen):
            seen |= ACTION[name].entails if name in ACTION else set()
        emotional = any(e.is_emotion for e in self.script.events) or self._regions() <= {"head", "gaze"}
        # without a felt event, single actions may look like an emotion; then it is not asked
        names = EMOTIONS[1:] if emotional and self.s.chance(0.25) else ACTIONS
        options = [n for n in names if n not in seen]
        if not options:
            return None
        name = self.s.pick(options)
        question = self.ask("does", do=self.do(Event(name, 0.0, 0.4, 0.4, 0.4)))
        if name in EMOTIONS and self.s.chance(0.5):
            question = self.ask("sign", label=LABELS[name])
        return question, "No."

    def _regions(self, but: str = "") -> set[str]:
        """The regions of the face that the script's actions other than ``but`` move."""
        return {ACTION[e.name].region for e in self.script.events if e.name in ACTION and e.name != but}

    def count(self) -> _Asked:
        events = [e for e in self.script.events if e.name != "neutral"]
        return (self.ask("count"), f"{NUMBERS[len(events)].capitalize()}.") if len(events) < len(NUMBERS) else None

    def emotion(self) -> _Asked:
        felt = [e.name for e in self.script.events if e.is_emotion and e.name != "neutral"]
        ask = self.ask("emotion")
        if felt:
            return ask, ", then ".join(dict.fromkeys(felt)).capitalize() + "."
        return (ask, "None, it is neutral.") if self._regions("blink") <= {"head", "gaze"} else None

    def duration(self) -> _Asked:
        return self.ask("duration"), f"{self.script.seconds:.1f} s."

    def draw(self) -> Iterator[QA]:
        """Questions in random order; some come again."""
        weights = np.array(list(_TABLE.kinds.values()))
        for _ in range(200):
            at = int(self.s.rng.choice(len(KINDS), p=weights / weights.sum()))
            make: Callable[[], _Asked] = getattr(self, KINDS[at])
            if (asked := make()) is not None:
                yield QA(*asked, KINDS[at])
                if KINDS[at] in ("what", "count", "duration", "emotion"):
                    weights[at] = 0.0


def questions(script: Schedule, facts: Sequence[Fact] | None, rng: np.random.Generator, n: int = 6,
              split: str = "train") -> list[QA]:
    """Up to ``n`` different questions on one clip, with their answers.

    Args:
        script: what was performed.
        facts: what was measured (see :func:`as_facts`); None asks from the script alone.
        n: how many; fewer come back when the clip does not give so many.
        split: train | val | test; a third of the test clips are asked in held-out phrases.

    Raises:
        ValueError: unknown split or a negative ``n``.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; allowed: {', '.join(SPLITS)}")
    if n < 0:
        raise ValueError(f"n is {n}; allowed: 0 or more")
    out: dict[str, QA] = {}
    paraphrases: dict[str, QA] = {}
    asked: Counter[tuple[str, ...]] = Counter()
    fact: tuple[str, ...]
    for qa in _Questioner(script, facts, rng, split).draw() if n else ():
        # One question a fact, and no more denials than there are things to affirm.
        fact, most = ("absent",), max(1, len(script.events))
        if qa.kind != "absent":
            about = actions_in_text(qa.question) if qa.kind in ("present", "how_strong", "how_often") else ()
            fact, most = (qa.kind, qa.answer, *about), 1
        if asked[fact] < most and qa.question not in out:
            asked[fact] += 1
            out[qa.question] = qa
        else:
            paraphrases.setdefault(qa.question, qa)
        if len(out) == n:
            break
    return [*out.values(), *(qa for question, qa in paraphrases.items() if question not in out)][:n]
