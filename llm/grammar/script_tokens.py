"""Scripts as tokens: one row for each name, side, strength, count and time, and the grammar that binds them.

Two forms share the rows. A *script* (``face/facs/script.py``) is what words are read as; its times, percentages and
counts are slots, marks that stand for the quantities of a text (``data_gen/text/quantities.py`` finds them and knows their
values, so the model copies a mark and never a number). A *schedule window* is what motion is performed from and read as: the
primitive events of a few seconds, with times in tokenizer steps.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...face.facs.script import BRIEF, FIRST_MARK, LONG, MARKS, SLOTS, SPEEDS, STRENGTHS, Cue, Never, Script
from ...face.facs.vocabulary import DIRECTIONS, GROUPS, NAMES, PAIRED

OPEN, CLOSE = "<script>", "</script>"
MAX_COUNT = 12
LEVELS = 20
"""Strengths of a schedule window: shares of full scale in steps of 5 %."""
MAX_STEPS = 64
"""Longest time in a schedule window, in tokenizer steps."""
_TIMES = {"at": "start", "until": "end", "for": "seconds", "pause": "pause", "onset": "onset", "hold": "hold", "offset": "offset"}
_VALUES = {"brief": BRIEF, "long": LONG, "zero": 0.0}

_PLAIN = {
    # token -> the words whose meaning it begins with
    OPEN: "script", CLOSE: "end", "with": "while", "into": "into", "never": "not", "still": "still", "length": "long",
    "unknown": "unknown", "at": "at", "until": "until", "for": "for", "pause": "pause", "onset": "over", "hold": "hold",
    "offset": "fade", "held": "stays", "on": "already", "left": "left", "right": "right", "slow": "slowly", "fast": "quickly",
    "brief": "briefly", "long": "long", "zero": "start", **{f"={w}": w for w in STRENGTHS}}


_PLAN_WORDS = ("all", "bit", "much", "full", "double", "half", "both", "other", "not", "more", "less", "same", "between", "start",
               "end", "length", "strength", "count", "speed", "head", "eyes", "brows", "mouth")
ORDINALS = {"#1": "first", "#2": "second", "#3": "third", "#4": "fourth", "#5": "fifth", "#last": "last"}
"""Which occurrence of a name a plan means."""
_COMMANDS = (
    "stronger weaker strength faster slower longer shorter lasts earlier later starts hold side count more fewer remove "
    "only never add-end add-start add-with add-after add-before replace move-first move-last move-before move-after swap "
    "together pause blend reverse continue again length length-longer length-shorter transition ask-whether ask-count "
    "ask-when ask-until ask-long ask-strong ask-fast ask-side ask-first ask-last ask-after ask-before ask-during ask-list "
    "ask-always ask-order ask-together ask-either ask-compare ask-gap ask-emotion ask-length ask-unseen perform describe "
    "undo redo clips changed goto name compare-clips join export talk refuse unclear")
COMMANDS = frozenset(f"!{c}" for c in _COMMANDS.split())
"""The tokens that begin a step of a plan (``plans.py``)."""


def mark_pattern() -> re.Pattern[str]:
    """Matches one mark, as a group of its own so that ``split`` keeps it."""
    return re.compile(f"([{chr(FIRST_MARK)}-{chr(FIRST_MARK + len(MARKS) - 1)}])")


def slot_of(character: str) -> str:
    """The slot that a mark stands for."""
    return MARKS[ord(character) - FIRST_MARK]


def default_tokens() -> dict[str, str]:
    """Every token and the words whose rows it starts from."""
    out = dict(_PLAIN)
    out |= {m: {"t": "seconds", "p": "percent", "c": "times"}[m[0]] for m in MARKS}
    out |= {f"x{k}": f"{k} times" for k in range(1, MAX_COUNT + 1)}
    out |= {f"s{k}": f"{5 * k} percent" for k in range(1, LEVELS + 1)}
    out |= {f"n{k}": str(k) for k in range(MAX_STEPS + 1)}
    out |= {f"@{name}": name.replace("_", " ") for name in (*NAMES, *(g for g in GROUPS if g not in NAMES))}
    out |= {f"!{c}": c.replace("-", " ") for c in _COMMANDS.split()} | ORDINALS | {f"~{w}": w for w in _PLAN_WORDS}
    return out


@dataclass(frozen=True)
class ScriptTokens:
    """The script rows of a vocabulary: names in the order of their rows.

    Models keep their own list, so that a vocabulary that grows later does not move the rows of an older model.
    """

    names: tuple[str, ...] = ()

    @classmethod
    def default(cls) -> ScriptTokens:
        """Rows for everything that a script can say today."""
        return cls(tuple(default_tokens()))

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def at(self) -> dict[str, int]:
        """Row of each name."""
        return {name: i for i, name in enumerate(self.names)}

    def rows(self, names: Sequence[str]) -> list[int]:
        """Rows of names.

        Raises:
            ValueError: a name that this vocabulary lacks.
        """
        if lacking := [n for n in names if n not in self.at]:
            raise ValueError(f"the model's vocabulary has no {lacking[0]!r}; train one that knows it")
        return [self.at[n] for n in names]

    def mask(self, names: set[str]) -> NDArray[np.bool_]:
        """Which rows have these names, ``(rows,)``."""
        out = np.zeros(len(self.names), bool)
        out[[self.at[n] for n in names if n in self.at]] = True
        return out


@dataclass(frozen=True)
class Quantities:
    """What a text's marks stand for: seconds, shares (0 to 1) and counts, by slot."""

    t: tuple[float, ...] = ()
    p: tuple[float, ...] = ()
    c: tuple[float, ...] = ()

    def marks(self) -> set[str]:
        """Slots that have a value."""
        return {f"{k}{i}" for k in SLOTS for i in range(min(len(getattr(self, k)), SLOTS[k]))}

    def find(self, kind: str, value: float, used: set[str]) -> str | None:
        """The slot of a value, one not used before where there are several."""
        same = [f"{kind}{i}" for i, v in enumerate(getattr(self, kind)[:SLOTS[kind]]) if abs(v - value) < 1e-6]
        return next((m for m in same if m not in used), same[-1] if same else None)

    def value(self, token: str) -> float:
        """The value of a slot."""
        return float(getattr(self, token[0])[int(token[1:])])


# -- scripts ----------------------------------------------------------------------------
Item = str | tuple[str, str]
"""A token, or ``("text", words)``: the words after ``unknown``, written with the base model's own tokens."""


def write(script: Script, quantities: Quantities) -> list[Item]:
    """A script as tokens, without ``OPEN`` and ``CLOSE``.

    Raises:
        ValueError: it says a time, share or count that is none of the text's quantities and has no token of its own.
    """
    used: set[str] = set()

    def slot(kind: str, value: float, what: str) -> str:
        found = quantities.find(kind, value, used)
        if found is None:
            raise ValueError(f"{what} is {value:g}, which is no quantity of the text")
        used.add(found)
        return found

    out: list[Item] = []
    if script.seconds is not None:
        out += ["length", slot("t", script.seconds, "length")]
    for i, cue in enumerate(script.cues):
        if cue.join != "then" and i:
            out.append(cue.join)
        out.append(f"@{cue.name}")
        if cue.side != "both":
            out.append(cue.side)
        if cue.strength is not None:
            word = next((f"={w}" for w, v in STRENGTHS.items() if v == cue.strength), None)
            said = quantities.find("p", cue.strength, used)
            out.append(said or word or slot("p", cue.strength, f"strength of {cue.name}"))
            used.add(said or "")
        if cue.count is not None:
            found = quantities.find("c", cue.count, used)
            if found is None and cue.count > MAX_COUNT:
                raise ValueError(f"{cue.name} is to be done {cue.count} times, which the text does not say")
            out.append(found or f"x{cue.count}")
            used.add(found or "")
        if cue.speed is not None:
            word = next((w for w, v in SPEEDS.items() if v == cue.speed), None)
            if word is None:
                raise ValueError(f"speed of {cue.name} is {cue.speed:g}; words say {', '.join(SPEEDS)}")
            out.append(word)
        for word, name in _TIMES.items():
            if (value := getattr(cue, name)) is not None:
                found = quantities.find("t", value, used)
                own = next((w for w, v in _VALUES.items() if v == value), None)
                out += [word, found or own or slot("t", value, f"{word} of {cue.name}")]
                used.add(found or "")
        if cue.held:
            out.append("held")
    for n in script.never:
        out += ["never", f"@{n.name}", *([n.side] if n.side != "both" else [])]
    if script.still:
        out.append("still")
    for words in script.unknown:
        out += ["unknown", ("text", words)]
    return out


def read(items: Sequence[Item], quantities: Quantities) -> Script:
    """The script that tokens (without ``OPEN`` and ``CLOSE``) say; the grammar's inverse of :func:`write`.

    Raises:
        ValueError: tokens that the grammar does not allow.
    """
    cues: list[dict[str, object]] = []
    never: list[Never] = []
    unknown: list[str] = []
    seconds: float | None = None
    still, join = False, "then"
    state = Grammar(frozenset(quantities.marks()))
    rest = list(items)
    while rest:
        item = rest.pop(0)
        if isinstance(item, tuple):
            unknown.append(item[1])
            continue
        before, state = state, state.take(item)
        if item in ("with", "into"):
            join = item
        elif item == "still":
            still = True
        elif item.startswith("@"):
            if before.phase == "never":
                never.append(Never(item[1:]))
            else:
                cues.append({"name": item[1:], "join": join if cues else "then"})
                join = "then"
        elif item in ("left", "right"):
            if state.phase == "never-side":
                never[-1] = replace(never[-1], side=item)  # type: ignore[arg-type]
            else:
                cues[-1]["side"] = item
        elif before.phase == "time":
            value = _VALUES.get(item)
            value = quantities.value(item) if value is None else value
            if before.key == "length":
                seconds = value
            else:
                cues[-1][_TIMES[before.key]] = value
        elif item[0] == "=":
            cues[-1]["strength"] = STRENGTHS[item[1:]]
        elif item[0] == "p" and item[1:].isdigit():
            cues[-1]["strength"] = quantities.value(item)
        elif item[0] in "cx" and item[1:].isdigit():
            cues[-1]["count"] = int(quantities.value(item) if item[0] == "c" else int(item[1:]))
        elif item in SPEEDS:
            cues[-1]["speed"] = SPEEDS[item]
        elif item == "held":
            cues[-1]["held"] = True
    return Script(tuple(_cue(c) for c in cues), _length(seconds), tuple(dict.fromkeys(never)), still, tuple(unknown))


def _length(seconds: float | None) -> float | None:
    return None if seconds is None else min(max(seconds, 0.2), 600.0)


def _cue(said: dict[str, object]) -> Cue:
    """A cue of what was read; an end before its start, which the grammar cannot see, is left out."""
    start, end = said.get("start"), said.get("end")
    if start is not None and end is not None and float(end) <= float(start):  # type: ignore[arg-type]
        said.pop("end")
    strength = said.get("strength")
    if strength is not None:
        said["strength"] = min(max(float(strength), 0.05), 1.0)  # type: ignore[arg-type]
    if "count" in said:
        said["count"] = min(max(int(said["count"]), 1), 100)  # type: ignore[call-overload]
    for name in ("start", "end", "seconds", "pause", "onset", "hold", "offset"):
        if name in said and (float(said[name]) > 600 or name != "start" and float(said[name]) <= 0):  # type: ignore[arg-type]
            said.pop(name)
    return Cue(**said)  # type: ignore[arg-type]


_ATTRIBUTES = ("side", "strength", "count", "speed", *_TIMES, "held")
_STRENGTH = frozenset(f"={w}" for w in STRENGTHS)
_COUNTS = frozenset(f"x{k}" for k in range(1, MAX_COUNT + 1))
_CUES = frozenset(f"@{n}" for n in NAMES)
_NEVER = frozenset(f"@{n}" for n in (*NAMES, *GROUPS))
MAX_CUES = 60


@dataclass(frozen=True)
class Grammar:
    """What may follow in a script; immutable. ``CLOSE`` ends it."""

    marks: frozenset[str] = frozenset()
    """Slots of the text that have a value."""
    phase: str = "start"
    """start | cues | name | attributes | time | never | never-name | never-side | still | unknown"""
    key: str = ""
    """The name of the cue or the word before a time."""
    done: int = -1
    """The last attribute of the cue, by its place in the order."""
    cues: int = 0
    nevers: int = 0
    seen: frozenset[str] = frozenset()
    """What has been forbidden already."""

    def allowed(self) -> set[str]:
        """Tokens that may come next."""
        times = {m for m in self.marks if m[0] == "t"}
        if self.phase == "time":
            return times | ({"zero"} if self.key == "at" else {"brief", "long"} if self.key != "length" else set())
        if self.phase == "name":
            return set(_CUES)
        if self.phase == "never":
            return set(_NEVER) - self.seen
        out = {CLOSE}
        if self.phase == "start":
            out |= {"length"} if times else set()
        if self.phase in ("start", "cues", "attributes") and self.cues < MAX_CUES:
            out |= _CUES
            if self.cues:
                out |= {"with", "into"}
        if self.phase == "attributes":
            name = self.key
            if name in DIRECTIONS and self.done < 0:
                return {"left", "right"}
            if self.done < 0 and name in PAIRED:
                out |= {"left", "right"}
            later = _ATTRIBUTES[self.done + 1:]
            if "strength" in later:
                out |= _STRENGTH | {m for m in self.marks if m[0] == "p"}
            if "count" in later:
                out |= _COUNTS | {m for m in self.marks if m[0] == "c"}
            if "speed" in later:
                out |= set(SPEEDS)
            out |= {w for w in _TIMES if w in later and (times or w != "until")}
            if "held" in later:
                out.add("held")
        if self.phase == "never-name":
            out |= {"left", "right"} if self.key in DIRECTIONS | PAIRED else set()
        if self.phase != "unknown" and self.phase != "still" and self.nevers < 12:
            out.add("never")
        if self.phase not in ("still", "unknown"):
            out.add("still")
        out.add("unknown")
        return out

    def take(self, token: str) -> Grammar:
        """The state after a token.

        Raises:
            ValueError: it is not allowed here.
        """
        if token not in self.allowed():
            raise ValueError(f"{token!r} may not follow in a script here ({self.phase} {self.key})")
        if self.phase == "time":
            return replace(self, phase="cues" if self.key == "length" else "attributes")
        if token in ("with", "into"):
            return replace(self, phase="name")
        if token == "length":
            return replace(self, phase="time", key="length")
        if token == "never":
            return replace(self, phase="never", nevers=self.nevers + 1)
        if token in ("still", "unknown"):
            return replace(self, phase=token)
        if token.startswith("@"):
            if self.phase == "never":
                return replace(self, phase="never-name", key=token[1:], seen=self.seen | {token})
            return replace(self, phase="attributes", key=token[1:], done=-1, cues=self.cues + 1)
        if token in ("left", "right"):
            return replace(self, phase="never-side") if self.phase == "never-name" else replace(self, done=0)
        if token in _TIMES:
            return replace(self, phase="time", key=token, done=_ATTRIBUTES.index(token))
        kind = ("strength" if token in _STRENGTH or token[0] == "p" and token[1:].isdigit() else
                "count" if token in _COUNTS or token[0] == "c" and token[1:].isdigit() else
                "speed" if token in SPEEDS else "held")
        return replace(self, done=_ATTRIBUTES.index(kind))

