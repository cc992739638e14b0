"""English for performance scripts: captions in several registers, and descriptions.

A caption names every event of its script once, in an order that the words state, and says
nothing that is not so: strengths, counts, sides and durations come from the script. The
property test reads every caption back with parser.py.
"""

from __future__ import annotations

import re
from itertools import accumulate

import numpy as np
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from ...face.facs.schedule import Event, Schedule, level_of
from ..tables import read_table
from .lexicon import COUNTABLE, EMOTION_NOUNS, FACS, UNGRADED
from .phrasing import COMMAND, Group, Speaker, Voice, canonical_order, groups

SHARES: dict[str, float] = {"command": 0.34, "plain": 0.42, "director": 0.07, "clinical": 0.09, "timed": 0.08}
"""How often each register is drawn; the long ones are the minority."""
REGISTERS: tuple[str, ...] = tuple(SHARES)
SPLITS: tuple[str, ...] = ("train", "val", "test")
HELD_OUT_SHARE = 1 / 3
"""Share of the test captions that prefer held-out phrases."""


@dataclass(frozen=True, config=SETTINGS)
class _Captions:
    voices: dict[str, tuple[Voice, ...]]
    objects: dict[str, tuple[str, str, str]]
    ways: dict[str, tuple[str, ...]]
    holds: dict[str, tuple[float, float]]


_TABLE = read_table(__package__, "words/captions.yaml", _Captions)
_WAYS = _TABLE.ways


class _Story:
    """Worded events joined into sentences, which need a subject where it changes."""

    def __init__(self, speaker: Speaker, form: str) -> None:
        self.s, self.form = speaker, form
        self.last = ""
        """"" at the start of a sentence, then whole (the person) or part (of the face)."""
        self.first = True
        self.parted = False
        """A part of the face came first, so the person is already known ("her eyes widen, then she ...")."""
        self.plural = False

    def say(self, event: Event, *, parts: bool = True) -> str:
        """The next main clause, with its subject where one is needed."""
        v = self.s.voice
        if self.form != "third":
            return self.s.clause(event, self.form, parts=parts).text
        named, fresh = self.last != "whole", self.first and not self.parted
        plural = (v.plural if fresh else v.again_plural) if named else self.plural
        clause = self.s.clause(event, "third", parts=parts, plural=plural)
        if clause.own_subject:
            self.last, self.parted = "part", True
            return clause.text
        self.last, self.first, self.plural = "whole", False, plural
        return f"{(v.first if fresh else v.again) if named else ''} {clause.text}".strip()

    def with_subject(self, event: Event) -> str:
        """A clause after "as": always with its own subject."""
        v = self.s.voice
        clause = self.s.clause(event, "third", plural=v.again_plural)
        return clause.text if clause.own_subject else f"{v.again} {clause.text}"

    def doing(self, event: Event) -> str:
        """A participle that may follow "while" or "before"."""
        return self.s.clause(event, "ger", parts=False).text

    def group(self, group: Group) -> str:
        """The clause of one group, simultaneity included."""
        events = list(group.events)
        if len(events) == 1:
            return self.say(events[0])
        s = self.s
        if s.chance(0.5):
            events.reverse()
        main, other, *more = events
        if more:
            start, *doing = self.say(main), *(self.doing(e) for e in events[1:])
            return f"{start} while {', '.join(doing[:-1])} and {doing[-1]}"
        way = s.pick(["while", "while", "same", "with", *["as"] * (self.form == "third"), *["simultaneously"] * 2 * s.held_out])
        if way == "with" and other.name not in COUNTABLE and other.name != "talking" and (noun := s.noun(other)):
            return f"{self.say(main)} with {noun}"
        if way == "as":
            return f"{self.say(main)} as {self.with_subject(other)}"
        if way == "same":
            return f"{self.say(main)} and {self.say(other)} at the same time"
        if way == "simultaneously":
            return f"{self.say(main)}, simultaneously {self.doing(other)}"
        return f"{self.say(main)} while {self.doing(other)}"

    def after(self, group: Group, before: Group, last: bool) -> str:
        """Connective and clause for a group that follows another."""
        s, single = self.s, len(group.events) == 1
        if group.relation == "into" and s.chance(0.4) and (noun := s.noun(group.events[0])):
            self.last = "whole"
            return f", {s.pick(_WAYS['into'])} {noun}"
        holdable = len(before.events) == 1 and not before.events[0].cycles
        if group.relation == "during" and s.chance(0.7):
            if holdable and single and self.form == "third" and s.chance(0.4):
                return f", holding it as {self.with_subject(group.events[0])}"
            if holdable:
                return s.pick(_WAYS["holding_imp" if self.form == "imp" else "holding"]) + self.group(group)
            return s.pick(_WAYS["meanwhile"]) + self.group(group)
        ways = list(_WAYS["then"])
        if last:
            ways.append(", and finally " if not self.first and s.chance(0.3) else ", then ")
        way = s.pick(ways + list(_WAYS["then_held_out"]) * s.held_out)
        if way == "followed" and single and (noun := s.noun(group.events[0])):
            self.last = "part"
            return f", followed by {noun}"
        if way == "before" and last and single and self.last != "part":
            return f" before {self.doing(group.events[0])}"
        if way in ("followed", "before") or (way == ", after which " and self.form != "third"):
            way = ", then "
        if way.startswith(".") or way == ", after which ":
            self.last = ""
        return way + self.group(group)

    def ending(self, script: Schedule) -> str:
        """How the clip ends, sometimes."""
        s, third = self.s, "_third" if self.form == "third" and not self.plural else ""
        if script.events[-1].stays and self.last != "part" and s.chance(0.4):
            return s.pick(_WAYS[f"stays{third}"])
        if _rests_at_end(script) and self.last != "part" and s.chance(0.12):
            return s.pick(_WAYS[f"rests{third}"])
        return ""

    def story(self, script: Schedule) -> str:
        """All groups in one or more sentences, without the final period."""
        parts, s = groups(script), self.s
        if len(parts) == 2 and all(len(g.events) == 1 for g in parts):
            a, b = parts[0].events[0], parts[1].events[0]
            if parts[1].relation == "then" and s.chance(0.12):
                if s.chance(0.5):
                    return f"after {self.doing(a)}, {_lower(self.say(b, parts=False))}"
                return f"{self.say(b, parts=False)} after {self.doing(a)}"
            if parts[1].relation == "into" and s.chance(0.6):
                return self._transition(a, b)
        text = self.group(parts[0])
        for i, g in enumerate(parts[1:], start=1):
            text += self.after(g, parts[i - 1], i == len(parts) - 1)
        return text + self.ending(script)

    def _transition(self, a: Event, b: Event) -> str:
        s, v = self.s, self.s.voice
        x, y = s.emotion_pair(a, b)
        if self.form == "third":
            verb = s.pick(_WAYS["go_third"])
            self.first, self.last, self.plural = False, "whole", v.plural
            return f"{v.first} {verb if v.plural else 'goes' if verb == 'go' else verb + 's'} from {x} to {y}"
        return f"{s.pick(_WAYS['go_face' if s.chance(0.5) else 'go'])} {x} to {y}"


def _rests_at_end(script: Schedule) -> bool:
    """Whether the face is back at rest for at least a quarter of a second when the clip ends."""
    return max(e.end(script.seconds) for e in script.events) <= script.seconds - 0.25


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _upper(text: str) -> str:
    """Capitals at the beginning of sentences, and only there."""
    text = re.sub(r"(?<![.] )\b(She|He|They|It|The|A|Someone)\b", lambda m: m[0].lower(), text)
    return re.sub(r"(^|[.] )([a-z])", lambda m: m[1] + m[2].upper(), text)


def _voice(script: Schedule, rng: np.random.Generator) -> Voice:
    options = _TABLE.voices[script.subject]
    return _TABLE.voices["face"][0] if rng.random() < 0.1 else options[int(rng.integers(len(options)))]


def _plain(script: Schedule, rng: np.random.Generator, held: bool) -> str:
    speaker = Speaker(rng, _voice(script, rng), held_out=held)
    if not script.events:
        v = speaker.voice
        return f"{v.first} {'stay' if v.plural else 'stays'} neutral."
    return _upper(_Story(speaker, "third").story(script)) + "."


def _command(script: Schedule, rng: np.random.Generator, held: bool) -> str:
    voices = _TABLE.voices["command"]
    speaker = Speaker(rng, voices[int(rng.integers(len(voices)))], held_out=held, mark=0.8)
    if not script.events:
        return speaker.pick(_WAYS["command_nothing"])
    roll = rng.random()
    parts = groups(script)
    if roll < 0.15 and all(g.relation in ("first", "then") for g in parts):
        nouns = [[speaker.noun(e) for e in g.events] for g in parts]
        if all(all(n) for n in nouns):
            text = ", then ".join(" with ".join(str(n) for n in group) for group in nouns)
            return text if speaker.chance(0.6) else _upper(text) + "."
    if roll > 0.9:
        possessive, *whom = _TABLE.objects[script.subject]
        speaker.voice = Voice("", "", possessive)
        text = _Story(speaker, "imp").story(script)
        if text.startswith(("let ", "turn this", "take the", "bring the", "after ")):
            return _upper(text) + "."
        return f"{speaker.pick(('Make', 'Have'))} {speaker.pick(whom)} {text}."
    text = _Story(speaker, "imp").story(script)
    return _upper(text) + "." if ". " in text or speaker.chance(0.5) else text


def _director(script: Schedule, rng: np.random.Generator, held: bool) -> str:
    speaker = Speaker(rng, COMMAND, held_out=held, tempo=0.35)
    if not script.events:
        return speaker.pick(_WAYS["director_nothing"])
    story = _Story(speaker, "imp")
    steps = [speaker.pick(_WAYS["begin"])]
    parts = groups(script)
    for i, g in enumerate(parts):
        event, single = g.events[0], len(g.events) == 1
        later = parts[i + 1].relation if i + 1 < len(parts) else ""
        noun = speaker.noun(event) if single and event.name not in COUNTABLE and speaker.chance(0.4) else None
        text = speaker.pick(_WAYS["appear"]).format(noun) if noun else story.group(g)
        if g.relation == "during":
            text = speaker.pick(_WAYS["over"]) + text
        elif i and speaker.chance(0.7):
            text = "then " + text
        steps.append(text)
        if single and not event.cycles and later != "during":
            steps += _holding(event, speaker, last=not later)
    if _rests_at_end(script) and speaker.chance(0.3):
        steps.append(speaker.pick(_WAYS["end"]))
    return ", ".join(steps) + "."


def _holding(event: Event, speaker: Speaker, *, last: bool) -> list[str]:
    if event.stays:
        return [speaker.pick(_WAYS["keep"])] if last else []
    if event.name in COUNTABLE:
        return []
    for text, (low, high) in _TABLE.holds.items():
        if low <= event.hold <= high and speaker.chance(0.6):
            return [text]
    if event.hold >= 0.6 and speaker.chance(0.4):
        return ["hold it"]
    if event.rise + event.hold + event.fall <= 1.3 and event.hold <= 0.35 and speaker.chance(0.25):
        return ["only briefly"]
    return ["let it go"] if speaker.chance(0.15) else []


def _code(event: Event, speaker: Speaker) -> str:
    if event.name == "neutral":
        return "neutral"
    level, graded = level_of(event.intensity), event.name not in UNGRADED
    code = speaker.pick(FACS.get(event.name, _WAYS["emotion"]))
    if graded and code[:2] == "AU" and code[-1].isdigit() and speaker.chance(0.3):
        code += {"slight": "B", "medium": "C", "strong": "E"}[level]
    elif graded and level != "medium" and speaker.chance(0.9):
        code += f" ({level})"
    if event.is_emotion:
        return code.format(EMOTION_NOUNS[event.name][0])
    return f"{code} x{event.cycles}" if event.name in COUNTABLE and event.cycles > 1 else code


def _clinical(script: Schedule, rng: np.random.Generator, held: bool) -> str:
    speaker = Speaker(rng, COMMAND, held_out=held)
    if not script.events:
        return speaker.pick(_WAYS["clinical_nothing"])
    kind = "_held_out" if held else ""
    seq, sim = speaker.pick(_WAYS[f"after{kind}"]), speaker.pick(_WAYS[f"beside{kind}"])
    text = ""
    for g in groups(script):
        if text:
            text += speaker.pick(_WAYS["overlap"]) if g.relation == "during" else seq
        text += sim.join(_code(e, speaker) for e in g.events)
    return _upper(text) + ("." if speaker.chance(0.6) else "")


def _timed(script: Schedule, rng: np.random.Generator, held: bool) -> str:
    voice = _voice(script, rng)
    speaker = Speaker(rng, voice, held_out=held, mark=0.75, tempo=0.0)
    total = f"{script.seconds:.1f}"
    if not script.events:
        return f"For {total} s {_lower(voice.first)} {'stay' if voice.plural else 'stays'} neutral."
    style = speaker.pick(_WAYS["timed"])
    items: list[str] = []
    for i, e in enumerate(script.events):
        start, end = f"{e.start:.1f}", f"{e.end(script.seconds):.1f}"
        if style in ("list", "after"):
            speaker.voice = COMMAND
            text = speaker.clause(e, "imp").text
            items.append(f"{start} s: {text}" if style == "list" else f"{text} at {start} s")
            continue
        clause = speaker.clause(e, "third", plural=voice.again_plural if i else voice.plural)
        subject = "" if clause.own_subject else f"{voice.again if i else _lower(voice.first)} "
        when = f"at {start} s" if style == "at" else f"from {start} s on" if e.stays else f"from {start} to {end} s"
        items.append(f"{when} {subject}{clause.text}")
    joined = ("; " if style != "after" else ", ").join(items)
    if speaker.chance(0.3):
        joined = speaker.pick(_WAYS["length"]).format(total) + joined
    return _upper(joined) + "."


_WRITERS = {"plain": _plain, "command": _command, "director": _director, "clinical": _clinical, "timed": _timed}


def draw_register(rng: np.random.Generator) -> str:
    """One of REGISTERS, by SHARES."""
    roll = rng.random()
    return next((name for name, upto in zip(SHARES, accumulate(SHARES.values()), strict=True) if roll < upto), "plain")


def caption(script: Schedule, rng: np.random.Generator, register: str | None = None, split: str = "train") -> str:
    """One English text for a script; the same state of ``rng`` gives the same text.

    Args:
        register: one of REGISTERS; None draws one.
        split: train | val | test. About a third of the test texts prefer phrases that never
            occur in the others.

    Raises:
        ValueError: unknown register or split.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; allowed: {', '.join(SPLITS)}")
    name = register or draw_register(rng)
    if name not in _WRITERS:
        raise ValueError(f"register is {name!r}; allowed: {', '.join(REGISTERS)}")
    held = split == "test" and bool(rng.random() < HELD_OUT_SHARE)
    return _WRITERS[name](script, rng, held)


def describe(script: Schedule, rng: np.random.Generator | None = None) -> str:
    """A compact description in one uniform style, the target of Motion2Language.

    Motion does not show who moves, so no subject is named: "Smiles strongly, then nods twice
    while looking left." ``rng`` varies the phrases mildly; None gives the one canonical text.
    """
    speaker = Speaker(rng or np.random.default_rng(0), Voice("", "", "the"), mark=1.0, tempo=0.0,
                      canonical=1 if rng is None else 3)
    if not script.events:
        return "Stays neutral."
    text = ""
    for g in groups(script):
        main, *others = canonical_order(g.events)
        if text:
            text += ", and meanwhile " if g.relation == "during" else ", then "
        text += speaker.clause(main, "third", parts=False).text
        if others:
            text += " while " + " and ".join(speaker.clause(e, "ger", parts=False).text for e in others)
    return _upper(text + (" and holds it" if script.events[-1].stays else "")) + "."
