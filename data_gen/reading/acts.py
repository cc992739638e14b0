"""Acts and clauses: what a text asks for, before its order is resolved."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ...face.facs.script import Cue
from ...face.facs.vocabulary import DIRECTIONS, EMOTIONS, FEELING, PAIRED
from .units import Unit
from .words import RULES, SKIPPED, stem

PART_WORDS = frozenset(stem(w) for words in RULES.parts.values() for phrase in words for w in phrase.split()) - {
    "stare",
    "of",
    "in",
}
"""Stems of the words for parts of the face."""


@dataclass
class Act:
    """A cue in the making, and the units from which it comes."""

    cue: Cue
    at: int
    state: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    never: bool = False
    going: bool = False
    """Said as what is going on ("thinking")."""
    part: bool = False
    """Said as the state of a part of the face ("eyes closed")."""

    @property
    def felt(self) -> bool:
        """Whether it is an emotion or feeling."""
        return self.cue.name in FEELING or self.cue.name in EMOTIONS

    def made(self) -> Cue:
        """The cue with all that is said of it, without its join."""
        said = dict(self.fields)
        side = said.pop("side", None)
        if side in ("left", "right") and (self.cue.name in PAIRED or self.cue.name in DIRECTIONS):
            said["side"] = side
        return replace(self.cue, **said)


@dataclass
class Clause:
    """What stands between two joins."""

    join: str
    first: bool
    acts: list[Act] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    together: bool = False
    sentence: bool = False
    negated: bool = False


def part_first(unit: Unit) -> bool:
    """Whether a unit names a part of the face before its state ("eyes closed"), or the state as its adjective."""
    words = [w for w in unit.text.split() if w not in SKIPPED]
    if len(words) < 2:
        return False
    shaped = words[0].endswith("ed") or words[0] in ("open", "shut", "wide")
    return stem(words[0]) in PART_WORDS or shaped and stem(words[-1]) in PART_WORDS and len(words) == len(unit.text.split())
