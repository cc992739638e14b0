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

from ...face.facs.script import Event, Script, level_of
from ...face.facs.vocabulary import ACTION, ACTIONS, EMOTIONS
from .captions import HELD_OUT_SHARE, SPLITS
from .lexicon import COUNTABLE, COUNTS, LABELS, NUMBERS, UNGRADED
from .parser import actions_in_text
from .phrasing import Speaker, Voice
from .relations import Group, canonical_order, groups

Fact = Mapping[str, Any]
"""A measured action: name, onset, apex, offset (s), intensity, cycles."""

KINDS: tuple[str, ...] = ("what", "when", "which_side", "how_strong", "how_often", "order", "present", "absent",
                          "count", "emotion", "duration")
_WEIGHTS: dict[str, float] = {"what": 1.0, "when": 2.0, "which_side": 1.0, "how_strong": 1.2, "how_often": 1.4,
                              "order": 1.6, "present": 1.5, "absent": 1.5, "count": 0.7, "emotion": 1.2,
                              "duration": 0.6}
_SAID_STRENGTH = {"slight": "Slightly.", "medium": "Moderately.", "strong": "Strongly."}
_ADJECTIVE = {"slight": "Slight", "medium": "Moderate", "strong": "Strong"}
_NEAR = 0.45
"""Seconds between a commanded start and the measured onset that is taken for it."""


@dataclass(frozen=True)
class QA:
    question: str
    answer: str
    kind: str


def as_facts(measurement: Any) -> list[dict[str, Any]]:
    """Plain dicts (rounded to the millisecond) of a Measurement's actions."""
    out = []
    for a in measurement.actions:
        fact = {"name": a.name, "onset": round(float(a.onset), 3), "apex": round(float(a.apex), 3),
                "offset": round(float(a.offset), 3), "intensity": round(float(a.intensity), 3)}
        if a.cycles is not None:
            fact["cycles"] = int(a.cycles)
        out.append(fact)
    return out


class _Asker:
    def __init__(self, script: Script, facts: Sequence[Fact] | None, rng: np.random.Generator, split: str) -> None:
        held = split == "test" and bool(rng.random() < HELD_OUT_SHARE)
        self.script, self.facts, self.groups = script, facts, groups(script)
        self.s = Speaker(rng, Voice("", "", "its"), held_out=held, mark=0.0, tempo=0.0, canonical=0 if held else 4)
        self.short = Speaker(rng, Voice("", "", "its"), mark=0.0, tempo=0.0, canonical=1)
        names = [e.name for e in script.events]
        self.single = [e for e in script.events if names.count(e.name) == 1 and e.name != "neutral"]
        self.face = self.s.pick(("the face", "the face", "it", "this face"))

    # -- wording ------------------------------------------------------------------------
    @staticmethod
    def _plain(event: Event) -> Event:
        return replace(event, intensity=0.7, cycles=0)

    def do(self, event: Event, form: str = "base") -> str:
        return self.s.clause(self._plain(event), form, parts=False).text

    def answer(self, event: Event, form: str = "third") -> str:
        return self.short.clause(self._plain(event), form, parts=False).text

    @staticmethod
    def label(event: Event) -> str:
        text = LABELS[event.name]
        return text if event.is_emotion else f"the {text}"

    def fact(self, event: Event) -> Fact | None:
        """The measured action of a commanded one, when there is one."""
        near = [f for f in self.facts or () if f["name"] == event.name and abs(f["onset"] - event.start) < _NEAR]
        return min(near, key=lambda f: abs(f["onset"] - event.start)) if near else None

    def some(self, events: Sequence[Event]) -> Event | None:
        return self.s.pick(events) if events else None

    # -- kinds --------------------------------------------------------------------------
    def what(self) -> QA | None:
        words = []
        for g in self.groups:
            main, *others = canonical_order(g)
            words.append(self.answer(main) + "".join(f" while {self.answer(e, 'ger')}" for e in others))
        answer = f"It {', then '.join(words)}." if words else "It stays neutral."
        return QA(self.s.pick((f"What does {self.face} do?", "What happens in this clip?", "What is going on?")),
                  answer, "what")

    def when(self) -> QA | None:
        event = self.some(self.single)
        if event is None:
            return None
        found = self.fact(event)
        if self.facts is not None and found is None and not event.is_emotion:
            return None
        end = event.end(self.script.seconds)
        start, apex, stop = event.start, event.apex, end
        if found:
            # repeated blinks and winks are measured one by one: the last one's end counts
            again = [f["offset"] for f in self.facts or () if f["name"] == event.name and f["onset"] <= end + 0.1]
            start, apex = found["onset"], found["apex"]
            stop = max(again) if event.name in COUNTABLE and event.cycles > 1 else found["offset"]
        do, label = self.do(event), self.label(event)
        which = self.s.pick(("start", "start", "end", "span", "apex"))
        if which == "apex" and not event.cycles:
            return QA(f"When does {label} peak?" if event.name not in UNGRADED else f"When is {label} complete?",
                      f"At {apex:.1f} s.", "when")
        if which == "span" and not event.stays:
            return QA(f"From when to when does {self.face} {do}?", f"From {start:.1f} to {stop:.1f} s.", "when")
        if which == "end":
            answer = "It lasts to the end." if event.stays else f"At {stop:.1f} s."
            return QA(self.s.pick((f"When does {label} end?", f"When is {label} over?")), answer, "when")
        question = self.s.pick((f"When does {self.face} {do}?", f"When does {label} begin?",
                                f"At what time does {self.face} {do}?"))
        return QA(question, f"At {start:.1f} s.", "when")

    def which_side(self) -> QA | None:
        names = [e.name for e in self.script.events]

        def alone(event: Event, family: tuple[str, ...]) -> bool:
            return sum(names.count(f) for f in family) == 1 and event.name in family

        for event in (self.single[i] for i in self.s.rng.permutation(len(self.single))):
            side = event.name.rsplit("_", 1)[-1]
            if alone(event, ("wink_left", "wink_right")):
                return QA(self.s.pick(("Which eye winks?", f"With which eye does {self.face} wink?")),
                          f"The {side} eye.", "which_side")
            if alone(event, ("turn_left", "turn_right")):
                return QA(self.s.pick(("Which way does the head turn?", "To which side does the head turn?")),
                          f"To the {side}.", "which_side")
            if alone(event, ("tilt_left", "tilt_right")):
                return QA(self.s.pick(("Which way does the head tilt?", "To which side does the head tilt?")),
                          f"To the {side}.", "which_side")
            if alone(event, ("jaw_left", "jaw_right")):
                return QA(self.s.pick(("Which way does the jaw move?", "To which side does the jaw move?")),
                          f"To the {side}.", "which_side")
            if alone(event, ("look_up", "look_down")):
                return QA("Does the head go up or down?", f"{side.capitalize()}.", "which_side")
            if alone(event, ("gaze_left", "gaze_right", "gaze_up", "gaze_down")):
                answer = f"{side.capitalize()}." if side in ("up", "down") else f"To the {side}."
                ask = self.s.pick(("Where do the eyes look?", f"Where does {self.face} look?"))
                return QA(ask, answer, "which_side")
        return None

    def how_strong(self) -> QA | None:
        event = self.some([e for e in self.single if e.name not in UNGRADED])
        if event is None:
            return None
        level = level_of(event.intensity)
        if self.s.chance(0.5):
            return QA(f"How strong is {self.label(event)}?", f"{_ADJECTIVE[level]}.", "how_strong")
        return QA(f"How strongly does {self.face} {self.do(event)}?", _SAID_STRENGTH[level], "how_strong")

    def how_often(self) -> QA | None:
        events = [e for e in self.single if e.name in COUNTABLE and 1 <= e.cycles < len(COUNTS)]
        event = self.some(events)
        if event is None:
            return None
        found = self.fact(event)
        if found is not None and event.name in ("nod", "shake") and found.get("cycles", event.cycles) != event.cycles:
            return None
        question = self.s.pick((f"How many times does {self.face} {self.do(event)}?",
                                f"How often does {self.face} {self.do(event)}?"))
        return QA(question, COUNTS[event.cycles].capitalize() + ".", "how_often")

    def _group_label(self, group: Group) -> str:
        text = " and ".join(self.label(e) for e in canonical_order(group))
        return text[:1].upper() + text[1:] + "."

    def order(self) -> QA | None:
        if not self.groups:
            return None
        names = [e.name for e in self.script.events]
        together = [g for g in self.groups if len(g.events) == 2]
        if together and (len(self.groups) == 1 or self.s.chance(0.4)):
            group = self.s.pick(together)
            i = int(self.s.rng.integers(2))
            return QA(f"What happens at the same time as {self.label(group.events[i])}?",
                      self._group_label(Group((group.events[1 - i],), "then")), "order")
        if len(self.groups) < 2 or len(set(names)) < len(names):
            return None
        at = int(self.s.rng.integers(1, len(self.groups)))
        before, after = self.groups[at - 1], self.groups[at]
        way = self.s.pick(("first", "last", "which", "after", "before"))
        if way == "first":
            ask = self.s.pick(("What comes first?", "What happens first?"))
            return QA(ask, self._group_label(self.groups[0]), "order")
        if way == "last":
            ask = self.s.pick(("What comes last?", "What happens last?"))
            return QA(ask, self._group_label(self.groups[-1]), "order")
        if way == "which":
            a, b = self.s.pick(before.events), self.s.pick(after.events)
            x, y = (a, b) if self.s.chance(0.5) else (b, a)
            return QA(f"Which comes first, {self.label(x)} or {self.label(y)}?",
                      self._group_label(Group((a,), "then")), "order")
        if way == "after" and len(before.events) == 1:
            return QA(f"What comes after {self.label(before.events[0])}?", self._group_label(after), "order")
        if len(after.events) == 1:
            return QA(f"What comes before {self.label(after.events[0])}?", self._group_label(before), "order")
        return None

    def present(self) -> QA | None:
        event = self.some(self.single)
        if event is None:
            return None
        if event.is_emotion and self.s.chance(0.5):
            return QA(f"Is there any sign of {LABELS[event.name]}?", "Yes.", "present")
        return QA(f"Does {self.face} {self.do(event)}?", "Yes.", "present")

    def absent(self) -> QA | None:
        seen = set(self.script.allowed_actions()) | {e.name for e in self.script.events}
        seen |= {f["name"] for f in self.facts or ()}
        for name in tuple(seen):
            seen |= ACTION[name].entails if name in ACTION else set()
        emotional = any(e.is_emotion for e in self.script.events) or all(
            ACTION[e.name].region in ("head", "gaze") for e in self.script.events if e.name in ACTION)
        options = [n for n in ACTIONS if n not in seen]
        if emotional and self.s.chance(0.25):
            # without a felt event, single actions may look like an emotion; then it is not asked
            options = [n for n in EMOTIONS[1:] if n not in seen]
        if not options:
            return None
        name = self.s.pick(options)
        question = f"Does {self.face} {self.do(Event(name, 0.0, 0.4, 0.4, 0.4))}?"
        if name in EMOTIONS and self.s.chance(0.5):
            question = f"Is there any sign of {LABELS[name]}?"
        return QA(question, "No.", "absent")

    def count(self) -> QA | None:
        events = [e for e in self.script.events if e.name != "neutral"]
        if len(events) >= len(NUMBERS):
            return None
        return QA(self.s.pick(("How many different things does the face do?", "How many events are there?")),
                  f"{NUMBERS[len(events)].capitalize()}.", "count")

    def emotion(self) -> QA | None:
        felt = [e.name for e in self.script.events if e.is_emotion and e.name != "neutral"]
        ask = self.s.pick((f"What emotion does {self.face} show?", "Which emotion can be seen?",
                           f"What does {self.face} feel?"))
        if felt:
            text = ", then ".join(dict.fromkeys(felt))
            return QA(ask, text.capitalize() + ".", "emotion")
        if all(ACTION[e.name].region in ("head", "gaze") or e.name == "blink"
               for e in self.script.events if e.name in ACTION):
            return QA(ask, "None, it is neutral.", "emotion")
        return None

    def duration(self) -> QA | None:
        return QA(self.s.pick(("How long is the clip?", "How many seconds does the clip last?")),
                  f"{self.script.seconds:.1f} s.", "duration")

    def draw(self) -> Iterator[QA]:
        makers: dict[str, Callable[[], QA | None]] = {k: getattr(self, k) for k in KINDS}
        weights = np.array([_WEIGHTS[k] for k in KINDS])
        once = ("what", "count", "duration", "emotion")
        for _ in range(200):
            kind = KINDS[int(self.s.rng.choice(len(KINDS), p=weights / weights.sum()))]
            if (qa := makers[kind]()) is not None:
                yield qa
                if kind in once:
                    weights[KINDS.index(kind)] = 0.0


def _named(qa: QA) -> tuple[str, ...]:
    """What a question is about, as far as it matters for asking it once."""
    return tuple(actions_in_text(qa.question)) if qa.kind in ("present", "how_strong", "how_often") else ()


def questions(script: Script, facts: Sequence[Fact] | None, rng: np.random.Generator, n: int = 6,
              split: str = "train") -> list[QA]:
    """Up to ``n`` different questions on one clip, with their answers.

    Args:
        script: what was performed.
        facts: what was measured (see :func:`as_facts`); None asks from the script alone.
        rng: source of randomness.
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
    for qa in _Asker(script, facts, rng, split).draw() if n else ():
        # One question a fact, and no more denials than there are things to affirm.
        fact = ("absent",) if qa.kind == "absent" else (qa.kind, qa.answer, *_named(qa))
        most = max(1, len(script.events)) if qa.kind == "absent" else 1
        if asked[fact] < most and qa.question not in out:
            asked[fact] += 1
            out[qa.question] = qa
        else:
            paraphrases.setdefault(qa.question, qa)
        if len(out) == n:
            break
    for question, qa in paraphrases.items():
        if len(out) < n:
            out.setdefault(question, qa)
    return list(out.values())
