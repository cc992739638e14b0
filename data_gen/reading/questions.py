"""Questions in English about what a face does, read into typed queries by rules (``questions.yaml``)."""

from __future__ import annotations

import re
from dataclasses import replace

from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from ...face.facs.evidence.query import Asked, By, Part, Query, Thing
from ...face.facs.script import Cue
from ...face.facs.vocabulary import ACTION, BEHAVIOUR, DIRECTIONS, EMOTIONS, FEELING
from ..tables import read_table
from ..text.quantities import Marked, find_quantities
from .rules import read_rules

Patterns = tuple[str, ...]
_LEAST = 0.2
"""Share of a question's words that what it names explains at least."""
_PARTS: tuple[tuple[Part, str], ...] = (("start", r"\bat the (?:start|beginning|very start)\b|\binitially\b"),
                                        ("end", r"\bat the (?:very )?end\b|\bfinally\b"))
_DIRECTED = re.compile(r"\b(tilt|turn|wink)(?:s|ed|ing)?\b")
"""What goes to either side, where none is said."""
_INSTANT = 0.1
"""Seconds on both sides of a moment that is asked about."""


@dataclass(frozen=True, config=SETTINGS)
class _Questions:
    unseen: dict[str, Patterns]
    described: Patterns
    asked: dict[Asked, Patterns]
    always: Patterns
    polite: Patterns
    asking: Patterns
    ordinals: dict[str, int]


_TABLE = read_table(__package__, "questions.yaml", _Questions)


def read_question(text: str) -> Query | None:
    """What a question asks of a measurement.

    Args:
        text: English.

    Returns:
        The query; None where the question is about nothing that is measured, and about nothing that is known to be unseen.
    """
    marked = find_quantities(text)
    plain = re.sub(r"\s+", " ", marked.text.lower()).strip()
    plain = re.sub(r"\bwhat'?s\b", "what is", plain)
    for words in _TABLE.polite:
        plain = re.sub(words, "", plain)
    asked = next((kind for kind, patterns in _TABLE.asked.items() if _has(plain, patterns)), None)
    if asked == "length":
        return Query("length")
    things = _things(plain, marked)
    for why, patterns in _TABLE.unseen.items():
        if _has(plain, patterns) and not (things and why in _TABLE.described):
            return Query("unseen", why=why)
    if asked is None:
        return None
    between = _between(plain, marked)
    part: Part = next((p for p, words in _PARTS if not between and re.search(words, plain)), "")
    if len(things) >= 2 and re.search(r"\b(?:first|earlier|sooner)\b", plain):
        return Query("compare", tuple(replace(t, which=None) for t in things), between, "start")
    if not things and (made := _made_of(plain, marked)):
        return Query("several", why=made)
    if asked == "gap":
        return Query("gap", tuple(things), between) if len(things) >= 2 else None
    if asked == "whether" and len(things) >= 2 and re.search(r"\b(?:while|during|at the same time|together|as)\b", plain):
        return Query("together", tuple(things), between)
    if asked == "whether" and len(things) >= 2 and re.search(r"\bor\b", plain):
        return Query("which", tuple(things), between)
    if asked == "whether" and things and re.search(r"\b(?:strong|big|broad|wide|slight|small|faint|weak|intense)\b", plain):
        asked = "how_strong"
    if asked == "whether" and len(things) >= 2 and re.search(r"\b(?:before|after)\b", plain):
        return Query("order", (things[1], things[0]) if "after" in plain else (things[0], things[1]), between)
    if asked == "whether" and _has(plain, _TABLE.always):
        asked = "always"
    if asked in ("after", "before", "during") and not things:
        asked = "list"
    if asked in ("first", "last") and things:
        asked = "when"
    if asked in ("list", "first", "last", "emotion"):
        return Query("list" if between and asked != "emotion" else asked, (), between, part="" if asked == "last" else part)
    by: By = ("length" if re.search(r"\b(?:longer|shorter)\b", plain) else
              "count" if re.search(r"\boften\b|\bmore times\b", plain) else "strength")
    return Query(asked, tuple(things), between, by, part) if things else None


def _made_of(plain: str, marked: Marked) -> str:
    """That a behaviour or feeling is several actions, and which."""
    found = read_rules(Marked(_named(plain), marked.t, marked.p, marked.c), _LEAST)
    name = next((c.name for c in (found.script.cues if found else ()) if c.name in BEHAVIOUR or c.name in FEELING), "")
    if not name:
        return ""
    parts = [g[0] for g in BEHAVIOUR[name].must] if name in BEHAVIOUR else list(FEELING[name].blend)
    said = ", ".join(dict.fromkeys(ACTION[n].label if n in ACTION else n for n in (re.split(r"[.*]", p)[0] for p in parts)))
    return f"{name.replace('_', ' ')} is several actions together ({said})"


def _named(plain: str) -> str:
    """A question without the words that only ask."""
    for words in _TABLE.asking:
        plain = re.sub(words, " ", plain)
    return plain


def _has(text: str, patterns: Patterns) -> bool:
    return any(re.search(p, text) for p in patterns)


def _things(plain: str, marked: Marked) -> list[Thing]:
    """What a question names, in the order of its words."""
    out: list[Thing] = []
    for piece in re.split(r"[,;?]|\b(?:and|before|after|while|during|or)\b", _named(plain)):
        words_ = piece.split()
        order = next((_TABLE.ordinals[w] for w in words_ if w in _TABLE.ordinals), None)
        kept = " ".join(w for w in words_ if w not in _TABLE.ordinals)
        found = read_rules(Marked(kept, marked.t, marked.p, marked.c), _LEAST) if kept else None
        own = [t for cue in (found.script.cues if found else ()) if (t := _thing(cue, order, kept))]
        if not own and (m := _DIRECTED.search(kept)):
            own = [t for t in [_thing(Cue(m[1], "left"), order, kept)] if t]
        out += own
    return out


def _thing(cue: Cue, order: int | None, words: str) -> Thing | None:
    if cue.name in EMOTIONS and cue.name != "neutral":
        return Thing((cue.name,), cue.name, "both", order)
    if cue.name in DIRECTIONS:
        said = re.search(r"\b(left|right)\b", words)
        names = tuple(f"{cue.name}_{s}" for s in ((said[1],) if said else ("left", "right")))
        label = ACTION[names[0]].label
        return Thing(names, label if said else re.sub(r" (?:to|of) the .*", "", label), "both", order)
    return Thing((cue.name,), ACTION[cue.name].label, cue.side, order) if cue.name in ACTION else None


def _between(plain: str, marked: Marked) -> tuple[float, float] | None:
    """The seconds that a question is limited to."""
    times = marked.t
    if not times:
        return None
    if len(times) >= 2 and re.search(r"\b(?:between|from)\b", plain):
        return min(times[:2]), max(times[:2])
    if re.search(r"\b(?:first|before|until|till)\b", plain):
        return 0.0, times[0]
    return (times[0], 1e9) if re.search(r"\bafter\b", plain) else (max(times[0] - _INSTANT, 0.0), times[0] + _INSTANT)
