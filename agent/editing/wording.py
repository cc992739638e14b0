"""The words of wishes about what was performed, by ``wishes.yaml``, and what they name of its script."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from pydantic.dataclasses import dataclass as checked

from ...common.config import SETTINGS
from ...data_gen.reading.rules import read_rules
from ...data_gen.tables import read_table
from ...data_gen.text.quantities import Marked, find_quantities
from ...face.facs.script import Cue, Script, mark
from ...face.facs.vocabulary import DIRECTIONS, EMOTIONS, FEELING, NAMES
from .operations import Op, same_name

Reader = Callable[[str], Script]
_TWICE = ((re.compile(r"\b(?:twice|two times|2 times|2x) (?:as|so|the)\b", re.IGNORECASE), "double as"),
          (re.compile(r"\b(?:three times|3 times|3x|thrice) (?:as|the)\b", re.IGNORECASE), "triple as"))
_ORDINALS = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "last": -1, "final": -1}
_FELT = re.compile(r"\b(?:happy|sad|angry|scared|surprised)\b")
_ROOTS = {"happier": "happy", "sadder": "sad", "angrier": "angry", "crosser": "angry", "scareder": "scared"}


@checked(frozen=True, config=SETTINGS)
class _Table:
    more: list[tuple[str, str, str]]
    fillers: list[str]
    too: str
    meant: str
    noun: str
    directed: str
    greatly: str
    slightly: str
    side: str
    mirror: str
    which: str
    only_edits: str
    subject: str
    corrects: str
    it: str
    remove: str
    dont: str
    instead: str
    replace: str
    instead_after: str
    add: str
    again: str
    pause: str
    together: str
    during: str
    not_side: str
    between: str
    relative: str
    move: str
    exchange: str
    bare: str
    reverse: str
    wishes: str
    length: str
    whole: str
    beside: str
    first: str
    last: str
    hold: str
    endless: str
    let_go: str
    only: str
    blend: str
    goes_on: str
    directly: str
    changes: str
    placed: dict[str, str]
    levels: dict[str, float]
    parts: dict[str, list[str]]


TABLE = read_table(__package__, "wishes.yaml", _Table)
RULES = {name: re.compile(value, re.IGNORECASE) for name, value in vars(TABLE).items() if isinstance(value, str)}
MORE: tuple[tuple[Op, float, re.Pattern[str]], ...] = tuple(
    (cast(Op, op), 1.0 if sign == "+" else -1.0, re.compile(words)) for op, sign, words in TABLE.more)
_FILLERS = tuple(map(re.compile, TABLE.fillers))


def wants_change(text: str) -> bool:
    """Whether a line speaks of something to change rather than to perform."""
    return bool(RULES["changes"].search(without_fillers(text)))


@lru_cache(maxsize=256)
def without_fillers(text: str) -> str:
    """What a line asks for, in lower case, without the words that only lead to it."""
    plain = re.sub(r"\s+", " ", text.strip().lower()).rstrip(" .!?")
    for _ in range(4):
        before = plain
        for words in _FILLERS:
            plain = words.sub("", plain).strip(" ,")
        if plain == before:
            break
    return plain


def more_in(words: str) -> bool:
    """Whether words compare something with what it is."""
    return any(pattern.search(words) for _, _, pattern in MORE)


def sided_cues(plain: str, script: Script) -> tuple[str, ...]:
    """The cues whose side is meant where none is named: of the part of the face that is, or those that have one."""
    part = next((names for word, names in TABLE.parts.items() if re.search(rf"\b{word}", plain)), [])
    return tuple(c.name for c in script.cues if c.name in part) or tuple(c.name for c in script.cues if c.side != "both")


@dataclass
class Wording:
    """One wish about a script, and what its words name of it."""

    text: str
    script: Script
    read: Reader

    def __post_init__(self) -> None:
        text = self.text
        for words, plain in _TWICE:
            text = words.sub(plain, text)
        self.marked = find_quantities(text)
        self.plain = without_fillers(self.marked.text)
        self.seconds = self.marked.t[0] if self.marked.t else None

    # -- what is meant --------------------------------------------------------------------
    def names(self, words: str) -> tuple[str, ...]:
        """What some words name."""
        words = re.sub(r"\b(?:tone|slow|speed|dial|turn|crank|calm|ramp)\b(.*?)\b(?:down|up|back)\b", r"\1", words.lower())
        for _, _, pattern in MORE:
            words = pattern.sub(
                lambda m: f" {_ROOTS[m[0]]} " if m[0] in _ROOTS else " " + " ".join(_FELT.findall(m[0])) + " ", words)
        words = " ".join(RULES["only_edits"].sub(" ", words).split()).strip(" ,.")
        if not words:
            return ()
        if (one := words.replace(" ", "_")) in NAMES:
            return (one,)
        found = read_rules(Marked(words, self.marked.t, self.marked.p, self.marked.c), 0.2)
        own = [*(c.name for c in found.script.cues), *(n.name for n in found.script.never)] if found else []
        directed = [{"glanc": "gaze"}.get(m[1], m[1]) for m in RULES["directed"].finditer(words)]
        return tuple(dict.fromkeys([*own, *(d for d in directed if d not in own)]))

    def own(self, words: str) -> tuple[str, ...]:
        """What some words name of the script: exactly, else by a part of the face, or by its place."""
        named = self.names(words)
        exact = tuple(n for n in named if any(n in (c.name, c.action) for c in self.script.cues))
        near = exact or tuple(n for n in named if any(same_name(c, n) for c in self.script.cues))
        if near:
            return near
        if placed := self._placed_cue(words):
            return (placed.name,)
        return tuple(dict.fromkeys(
            c.name for part, names in TABLE.parts.items() if re.search(rf"\b{part}", words) for c in self.script.cues
            if c.name in names and not (set(named) - set(names) - DIRECTIONS)))

    def _placed_cue(self, words: str) -> Cue | None:
        """The cue that words place: the last thing, the bit before the nod, the emotion."""
        cues = self.script.cues
        for kind, pattern in TABLE.placed.items():
            m = re.search(pattern, words)
            if m is None:
                continue
            if kind in ("first", "last", "middle"):
                return cues[{"first": 0, "last": -1, "middle": len(cues) // 2}[kind]]
            if kind == "feeling":
                return next((c for c in cues if c.name in EMOTIONS or c.name in FEELING), None)
            if kind == "at":
                times = [(abs((c.start or 0.0) - self.marked.t[0]), k) for k, c in enumerate(cues) if c.start is not None] if (
                    self.marked.t) else []
                return cues[min(times)[1]] if times else None
            near = [k for k, c in enumerate(cues) for n in self.names(m["what"]) if same_name(c, n)]
            at = (near[0] - 1 if kind == "before" else near[-1] + 1) if near else -1
            if 0 <= at < len(cues):
                return cues[at]
        return None

    def which(self, words: str) -> int | None:
        """Which of several is meant."""
        m = RULES["which"].search(words)
        return _ORDINALS[m[1].lower()] if m else None

    def absent(self, words: str) -> ValueError:
        there = ", ".join(c.name for c in self.script.cues)
        return ValueError(f"there is no {words.replace('_', ' ')} in what was performed: {there}")

    def back(self, words: str) -> str:
        """Words with their quantities in place of the marks."""
        for kind, values, form in (
                ("t", self.marked.t, "{:g} s"), ("p", self.marked.p, "{:.0%}"), ("c", self.marked.c, "{:g} times")):
            for k, v in enumerate(values):
                words = words.replace(mark(kind, k), form.format(v))
        return words

    def new(self, words: str) -> Script:
        """What is to be added."""
        words = re.sub(r"^(?:an?|the|some|one more|another|with|in|on|have (?:her|him)|could you have (?:her|him|them))\s+", "",
                       words.strip(" ,"))
        return self.read(self.back(words))
