"""Asked scripts drawn at random: what users could want of a face, in natural combinations and shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeVar

import numpy as np

from ..face.facs.script import BRIEF, LONG, SPEEDS, STRENGTHS, Cue, Never, Script
from ..face.facs.vocabulary import ACTION, BEHAVIOUR, DIRECTIONS, EMOTIONS, FEELING, NAMES, PAIRED, sideless
from .wording.phrases import ASKED, felt, inflect, nouns

T = TypeVar("T")
_SIZES = (0.3, 0.32, 0.2, 0.09, 0.05, 0.025, 0.015)
"""Shares of scripts with 1 to 7 cues."""
_KINDS = {"action": 0.47, "emotion": 0.13, "feeling": 0.2, "behaviour": 0.2}
_DURATIONS = (0.3, 0.5, 0.5, 0.8, 1, 1, 1, 1.2, 1.5, 1.5, 2, 2, 2, 2, 2.5, 3, 3, 3, 4, 4, 5, 5, 6, 7, 8, 10, 12, 15, 20)
_BRISK = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.5, 0.7, 1, 1.5, 2)
_UNGRADED = frozenset({"blink", "wink", "neutral", "talking", "mad_with_joy", "in_awe"})
_SAME = ({"smile", "lip_corner_depress"}, {"brow_raise", "brow_lower"}, {"eye_close", "eye_widen", "blink", "squint", "wink"},
         {"nod", "shake", "look_up", "look_down"}, {"gaze_up", "gaze_down", "gaze"})


class Draw:
    """Random choices of one generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def pick(self, options: Sequence[T]) -> T:
        """One of several, all as likely."""
        return options[int(self.rng.random() * len(options))]

    def chance(self, p: float) -> bool:
        """True with probability ``p``."""
        return bool(self.rng.random() < p)

    def weighted(self, options: Sequence[T], shares: Sequence[float]) -> T:
        """One of several by their shares."""
        at = self.rng.random() * sum(shares)
        for option, share in zip(options, shares, strict=True):
            at -= share
            if at <= 0:
                return option
        return options[-1]


@cache
def names(kind: str) -> tuple[str, ...]:
    """The names of one kind: action, emotion, feeling or behaviour."""
    if kind == "action":
        actions = dict.fromkeys(map(sideless, ACTION))
        common = ("smile", "nod", "shake", "blink", "wink", "turn", "tilt", "gaze", "brow_raise", "brow_lower", "eye_close",
                  "mouth_open", "talking", "gaze_down", "gaze_up")
        return (*actions, *common, *common)
    if kind == "emotion":
        return EMOTIONS
    return tuple(n for n in (FEELING if kind == "feeling" else BEHAVIOUR) if n in NAMES)


def graded(name: str) -> bool:
    """Whether a strength of it is spoken of."""
    if name in _UNGRADED or name in ASKED.states:
        return False
    return name not in FEELING or any(" " not in w for w in felt(name)[0])


def counted(name: str) -> bool:
    """Whether people say how often it is done."""
    if name in BEHAVIOUR:
        return name in ASKED.counted and name not in ASKED.states
    return name not in EMOTIONS and name not in FEELING and name != "talking"


def _region(name: str) -> str:
    return ACTION[name if name in ACTION else f"{name}_left"].region


def _clash(a: str, b: str) -> bool:
    """Whether two things cannot be done at once."""
    kinds = {n: "state" if n in EMOTIONS or n in FEELING else "behaviour" if n in BEHAVIOUR else "action" for n in (a, b)}
    if a == b or kinds[a] == kinds[b] != "action" or "neutral" in (a, b):
        return True
    if "behaviour" in kinds.values():
        return kinds[a] == kinds[b] or "state" not in kinds.values() and _heads(a, b)
    if "state" in kinds.values():
        return False
    return any({a, b} <= group for group in _SAME) or _region(a) == _region(b)


def _heads(a: str, b: str) -> bool:
    """Whether a behaviour and an action are unlikely together: all but the head and the eyes' directions."""
    action = b if a in BEHAVIOUR else a
    return action not in ("nod", "shake", "tilt", "turn", "look_up", "look_down", "gaze", "gaze_up", "gaze_down")


@dataclass
class _Plan(Draw):
    """One script in the making."""

    rng: np.random.Generator
    taken: list[str] = field(default_factory=list)

    def name(self, beside: Sequence[str] = (), kind: str = "") -> str:
        """A name that can be done beside others."""
        for _ in range(30):
            chosen = self.pick(names(kind or self.weighted(list(_KINDS), list(_KINDS.values()))))
            if not any(_clash(chosen, b) for b in beside) and (chosen not in self.taken[-1:] or beside):
                return chosen
        return "blink" if "blink" not in beside else "nod"

    def attributes(self, name: str) -> dict[str, Any]:
        """Side, strength, count and speed of a cue."""
        said: dict[str, Any] = {}
        if name in DIRECTIONS or name in PAIRED and self.chance(0.5):
            said["side"] = self.pick(["left", "right"])
        if graded(name) and self.chance(0.27):
            share = self.chance(0.3)
            word = self.weighted(["slight", "strong", "faint", "medium"], [0.36, 0.42, 0.12, 0.1])
            said["strength"] = round(0.05 * int(self.rng.integers(1, 21)), 2) if share else STRENGTHS[word]
        if counted(name) and self.chance(0.22):
            said["count"] = int(self.weighted([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20],
                                              [2, 8, 6, 3, 2.5, 1.5, 1, 1, 0.6, 1, 0.5, 0.4, 0.3]))
        elif self.chance(0.1) and name not in EMOTIONS and name not in FEELING and name not in ASKED.states:
            said["speed"] = SPEEDS[self.pick(["slow", "fast"])]
        return said

    def cues(self) -> list[Cue]:
        """The cues without times."""
        size = self.weighted(range(1, 8), _SIZES)
        out: list[Cue] = []
        beside: list[str] = []
        while len(out) < size:
            join = "then"
            if out:
                join = self.weighted(["then", "with", "into"], [0.66, 0.26, 0.08])
            if join == "with" and len(beside) >= 3:
                join = "then"
            if join == "into":
                before = out[-1]
                options = ["emotion", "feeling"] if before.kind in ("emotion", "feeling") else ["emotion", "feeling", "action"]
                name = self.name(kind=self.pick(options))
                if before.join == "with" or name in DIRECTIONS or name == before.name or not _has_noun(name):
                    join = "then"
            else:
                name = self.name(beside if join == "with" else ())
            if join != "with":
                beside = []
            beside.append(name)
            self.taken.append(name)
            said = self.attributes(name)
            if join == "into":
                said.pop("count", None)
            out.append(Cue(name, join=join, **said))  # type: ignore[arg-type]
        return out

    def timed(self, cues: list[Cue]) -> list[Cue]:
        """The cues with the times of one plan: none, durations, starts, spans, or the shape of one movement."""
        plan = self.weighted(["none", "durations", "starts", "spans", "shape", "held"], [0.5, 0.15, 0.12, 0.08, 0.06, 0.09])
        if plan == "none":
            return cues
        if plan == "durations":
            return [replace(c, seconds=self.pick(_DURATIONS)) if self.chance(0.7) and c.name != "blink" and not (c.count or 0) > 1
                    else replace(c, seconds=self.pick([BRIEF, LONG])) if self.chance(0.3) and not c.count else c for c in cues]
        if plan in ("starts", "spans"):
            return self._placed(cues, plan == "spans")
        at = int(self.rng.integers(len(cues)))
        if plan == "shape":
            cue = cues[at]
            if not cue.count and cue.name not in ("blink", "wink", "talking"):
                chosen = [n for n in ("onset", "hold", "offset") if self.chance(0.5)] or ["hold"]
                times: dict[str, Any] = {n: self.pick(_BRISK if n != "hold" else _DURATIONS) for n in chosen}
                cues[at] = replace(cue, **times)
            return cues
        lasting = len(cues) > 1 and cues[1].join == "with" and not cues[0].count and self.chance(0.6)
        at = 0 if lasting else len(cues) - 1
        if not cues[at].count and cues[at].name not in ("blink", "wink"):
            cues[at] = replace(cues[at], held=True)
        return cues

    def _placed(self, cues: list[Cue], spans: bool) -> list[Cue]:
        """Starts in the order of the cues; those at the same time share theirs."""
        out: list[Cue] = []
        cues = cues[:5]
        step = self.pick([0.5, 1, 1, 1, 2])
        at = self.pick([0, 0, 1, 1, 2, 3, step]) if len(cues) > 1 or spans else self.pick(_DURATIONS)
        all_placed = spans or self.chance(0.6)
        for k, cue in enumerate(cues):
            if cue.join == "with" and out:
                both = out[-1].start is not None and out[-1].end is not None
                out.append(replace(cue, start=out[-1].start, end=out[-1].end) if both else cue)
                continue
            span = step * int(self.rng.integers(1, 4))
            if not all_placed and k and self.chance(0.5):
                out.append(cue)
                at += span
                continue
            start, end = float(round(at, 2)), float(round(at + span, 2))
            out.append(replace(cue, join="then", start=start, end=end if spans else None))
            at += span
        return out

    def script(self) -> Script:
        """All of it."""
        cues = self.timed(self.cues())
        for k, cue in enumerate(cues):
            if k and cue.join == "then" and cue.start is None and self.chance(0.1):
                cues[k] = replace(cue, pause=self.pick([BRIEF, BRIEF, LONG, *_DURATIONS[3:20]]))
        never: list[Never] = []
        if self.chance(0.09):
            never = self.forbidden([c.name for c in cues])
        seconds = None
        if self.chance(0.08):
            last = max((c.end or c.start or 0.0) for c in cues) + sum((c.seconds or 0.5) + (c.pause or 0.0) for c in cues)
            seconds = float(self.pick([t for t in (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30) if t > last][:6] or [round(last) + 5]))
        unknown = self.unknown() if self.chance(0.1) else ()
        if unknown:
            cues = [] if self.chance(0.1) else [replace(c, start=None, end=None) for c in cues]
        still = not never and not unknown and self.chance(0.05)
        return Script(tuple(cues), seconds, tuple(never), still, unknown)

    def unknown(self) -> tuple[str, ...]:
        """One or two things that no face does, in one form of the verb."""
        form = self.pick(["base", "base", "third", "third", "ger"])
        acts = [self.pick(ASKED.unknown) for _ in range(self.pick([1, 1, 1, 1, 2]))]
        return tuple(dict.fromkeys(" ".join([inflect(verb, form), *rest]) for verb, *rest in (act.split() for act in acts)))

    def forbidden(self, done: list[str]) -> list[Never]:
        """What should not happen: nothing that the cues do or need."""
        plain = all(n not in BEHAVIOUR for n in done)
        out: list[str] = []
        options = ["blink"] * 4 + ["smile", "nod", "talking", "brow_lower", "mouth_open", "laugh", "cry", "look_away", "eye_roll",
                                   "shake"]
        for _ in range(self.pick([1, 1, 1, 2])):
            name = self.pick(options)
            moves = {_region(n) for n in done if n not in EMOTIONS and n not in FEELING and n not in BEHAVIOUR}
            states = any(n in EMOTIONS or n in FEELING for n in done)
            if plain and self.chance(0.3):
                free = [g for g in ASKED.group_still if g not in moves and (g in ("head", "gaze") or not states) and
                        not (g in ("eyes", "lids") and moves & {"lids", "gaze"}) and not (g == "mouth" and "jaw" in moves)]
                name = self.pick(free) if free else name
            if states and name not in ("blink", "nod", "talking", "head", "gaze", "laugh", "cry", "shake"):
                continue
            if name not in done and name not in out:
                out.append(name)
        return [Never(n) for n in out]


@cache
def _has_noun(name: str) -> bool:
    return bool(felt(name)[0]) if name in FEELING or name in EMOTIONS else bool(nouns(name, False))


def sample(rng: np.random.Generator) -> Script:
    """A script that a user could ask for: mostly one to three cues, all names, sides often, times and counts now and then."""
    return _Plan(rng).script()
