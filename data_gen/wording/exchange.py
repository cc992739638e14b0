"""Words of a text exchanged for others in the same form: a name's phrase for another's, a feeling, a pronoun."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

import numpy as np
from pydantic.dataclasses import dataclass as checked

from ...common.config import SETTINGS
from ...face.facs.script import Cue
from ...face.facs.vocabulary import BEHAVIOUR, DIRECTIONS, EMOTIONS, FEELING
from .. import text as texts
from ..tables import read_table
from ..text import lexicon
from .phrases import felt, inflect, nouns, verbs

Words = tuple[str, ...]
POSSESSIVES = "her|his|their|its|your|my|the"


@checked(frozen=True, config=SETTINGS)
class Tables:
    """Words for who is spoken of, and for left and right that are no sides; see ``words/multiply.yaml``."""

    not_sides: Words
    unnamed_side: str
    female: Words
    male: Words
    women: Words
    men: Words
    possessed: Words
    before_object: Words


TABLES = read_table(texts.__name__, "words/multiply.yaml", Tables)


# -- names ------------------------------------------------------------------------------
_NEXT = (r"(?=\s*(?:$|[.,;:!?)\n]|(?:-|–|->|>|\+|&)\s|"
         r"\b(?:and(?! (?:to|left|right|up|down|back|the|around|over|out|in|at|with|from)\b)|then|while|whilst|before|after|"
         r"for|at|until|till|twice|once|thrice|two|three|four|five|six|seven|eight|nine|ten|\d+|x\d+|please|pls|slowly|quickly|again|when|but|from|"
         r"over|several|repeatedly)\b))")
_BEFORE = {
    "base": r"(?:^\W*|[.;!?\n]\s*|\b(?:to|please|then|must|should|can you|could you|would you|now|just|you|they)\s+)",
    "third": r"(?:\b(?:she|he|it|and|then|who|woman|man|girl|boy|avatar|character|robot|queen|king|lady|actor|actress|teacher|"
             r"doctor|nurse|"
             r"child|villain|player|patient|speaker|detective|witch|prince|princess|clown|guard|mother|father)\s+|,\s+)",
    "ger": r"(?:^\W*|\b(?:while|whilst|and|then|before|after|is|by|starts|begins|start|begin|keep)\s+|,\s+)",
    "noun": r"(?:^\W*|\s)"}


@cache
def _forms(name: str, sided: bool) -> tuple[tuple[str, str, str], ...]:
    """Form, words before the side and possessive are put in, and pattern of each phrase of a name."""
    out: list[tuple[str, str]] = []
    for p in verbs(name, sided):
        if "{a}" not in p.rest and "{d}" not in p.rest:
            out += [(form, f"{inflect(p.head, form)} {p.rest}".strip()) for form in ("base", "third", "ger")]
    out += [("noun", re.sub(r"\{[ad]\} ?", "", t)) for t in nouns(name, sided)
            if "{p}" not in t and t.startswith(("a ", "an "))]
    return tuple((form, words, re.escape(words).replace(r"\{p\}", f"(?P<p>{POSSESSIVES})", 1)
                  .replace(r"\{p\}", f"(?:{POSSESSIVES})")
                  .replace(r"\{s\}", "(?P<s>left|right)", 1)) for form, words in out)


@cache
def _pattern(form: str, pattern: str) -> re.Pattern[str]:
    return re.compile(f"(?P<before>{_BEFORE[form]})(?P<words>{pattern}){_NEXT}", re.IGNORECASE)


def kind(name: str) -> str:
    """The kind of a name: ``feeling`` (an emotion too), ``direction``, ``behaviour`` or ``action``."""
    return ("feeling" if name in EMOTIONS or name in FEELING else "direction" if name in DIRECTIONS else
            "behaviour" if name in BEHAVIOUR else "action")


def refeel(text: str, cue: Cue, other: str, rng: np.random.Generator) -> str | None:
    """A feeling's adjective or noun exchanged for one of the same part of speech."""
    for own, new in zip(felt(cue.name), felt(other), strict=True):
        fresh = [w for w in new if " " not in w]
        for word in own:
            found = list(re.finditer(rf"(?<![\w-]){re.escape(word)}(?![\w-]|['’]|\s(?:as|like|of)\b)", text, re.IGNORECASE))
            if len(found) == 1 and fresh:
                said = fresh[int(rng.random() * len(fresh))]
                return _replaced(text, found[0].start(), found[0].end(), said)
    return None


def redo(text: str, cue: Cue, other: str, rng: np.random.Generator) -> str | None:
    """A phrase of an action or behaviour exchanged for one of another in the same form."""
    sided = cue.side != "both"
    if sided and kind(cue.name) != "direction" or cue.strength is not None and "%" not in text:
        return None
    low = text.lower()
    for form, words, pattern in _forms(cue.name, sided):
        if words.split()[form == "noun"] not in low:
            continue
        match = _pattern(form, pattern).search(text)
        if not match or sided and ("s" not in match.groupdict() or match["s"].lower() != cue.side):
            continue
        if re.search(r"\b(?:not|never|no|without|don['’]t|doesn['’]t)\s+$", text[:match.start("words")], re.IGNORECASE):
            continue
        whose = match.groupdict().get("p") or _whose(text, form)
        fresh = [w for f, w, _ in _forms(other, sided) if f == form and (not sided or "{s}" in w) and (whose or "{p}" not in w)]
        if not fresh:
            continue
        said = fresh[int(rng.random() * len(fresh))].replace("{p}", whose.lower()).replace("{s}", cue.side)
        return _replaced(text, match.start("words"), match.end("words"), said)
    return None


def _replaced(text: str, start: int, end: int, said: str) -> str:
    """A part of a text replaced, with its capitals and the article before it."""
    old = text[start:end]
    said = said.upper() if old.isupper() and len(old) > 2 else said[0].upper() + said[1:] if old[0].isupper() else said
    before = text[:start]
    if match := re.search(r"\b(an?) $", before, re.IGNORECASE):
        article = lexicon.article(said.lower())
        article = article.upper() if match[1].isupper() and len(old) > 1 and old.isupper() else \
            article.capitalize() if match[1][0].isupper() else article
        before = before[:match.start()] + article + " "
    return before + said + text[end:]


def _whose(text: str, form: str) -> str:
    """The possessive that suits a text, or nothing where it is unclear."""
    found = {p for p, words in {"her": r"she|her|herself|woman|girl", "his": r"he|his|him|himself|man|boy",
                                "their": r"they|their|them", "its": r"its"}.items()
             if re.search(rf"\b(?:{words})\b", text, re.IGNORECASE)}
    return next(iter(found)) if len(found) == 1 else "" if found or form != "base" else "your"


# -- who --------------------------------------------------------------------------------
SHE = re.compile(r"\b(?:she|her|hers|herself)\b", re.IGNORECASE)
HE = re.compile(r"\b(?:he|him|his|himself)\b", re.IGNORECASE)
_NOUNS = [dict(zip(a, b, strict=True)) for a, b in ((TABLES.female, TABLES.male), (TABLES.male, TABLES.female))]


def has(text: str, words: Iterable[str]) -> bool:
    """Whether one of the words is in a text."""
    return any(re.search(rf"\b{w}\b", text, re.IGNORECASE) for w in words)


def _cased(old: str, new: str) -> str:
    return new.upper() if old.isupper() and len(old) > 1 else new.capitalize() if old[0].isupper() else new


def _swap_nouns(text: str, table: dict[str, str]) -> str:
    words = "|".join(sorted(table, key=len, reverse=True))
    text = re.sub(rf"\b({words})\b", lambda m: _cased(m[0], table[m[0].lower()]), text, flags=re.IGNORECASE)
    return re.sub(r"\b([Aa])n? (?=([a-z]))", lambda m: f"{m[1]}n " if m[2] in "aeiou" else f"{m[1]} ", text)


def to_women(text: str) -> str | None:
    """A text about a man as one about a woman; None where "his" may be "hers"."""
    table = {"he": "she", "his": "her", "him": "her", "himself": "herself"}
    if re.search(r"\bhis\b(?=\s*(?:$|[.,;!?]))", text, re.IGNORECASE):
        return None
    return _swap_nouns(HE.sub(lambda m: _cased(m[0], table[m[0].lower()]), text), _NOUNS[1])


def to_men(text: str) -> str | None:
    """A text about a woman as one about a man; None where "her" may be "his" or "him"."""
    unclear = False

    def changed(m: re.Match[str]) -> str:
        nonlocal unclear
        word = m[0].lower()
        if word != "her":
            return _cased(m[0], {"she": "he", "hers": "his", "herself": "himself"}[word])
        after = re.match(r"\W*([a-z]*)", text[m.end():], re.IGNORECASE)
        following = after[1].lower() if after and not re.match(r"\s*[.,;:!?)]", text[m.end():]) else ""
        before = re.search(r"([a-z]+)\s*$", text[:m.start()], re.IGNORECASE)
        if following in TABLES.possessed:
            return _cased(m[0], "his")
        if not following or before and before[1].lower() in TABLES.before_object:
            return _cased(m[0], "him")
        unclear = True
        return m[0]

    out = SHE.sub(changed, text)
    return None if unclear else _swap_nouns(out, _NOUNS[0])
