"""Whether a prompt is in another language than English."""

from __future__ import annotations

import re
import unicodedata

from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from ..tables import read_table

_SCRIPTS = {
    "CYRILLIC": "in Cyrillic script", "CJK": "Chinese or Japanese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese",
    "HANGUL": "Korean", "ARABIC": "in Arabic script", "HEBREW": "Hebrew", "DEVANAGARI": "Hindi", "GREEK": "Greek", "THAI": "Thai",
    "BENGALI": "Bengali", "TAMIL": "Tamil", "GEORGIAN": "Georgian", "ARMENIAN": "Armenian"}


@dataclass(frozen=True, config=SETTINGS)
class _Languages:
    languages: dict[str, tuple[str, ...]]


_WORDS = {name: frozenset(words) for name, words in read_table(__package__, "words/languages.yaml", _Languages).languages.items()}
_ENGLISH = frozenset([
    "the", "a", "an", "she", "he", "her", "his", "they", "their", "and", "then", "with", "is", "to", "of", "in", "on", "at", "it",
    "you", "your", "face", "head", "eyes", "smile", "smiles", "nod", "nods", "look", "looks", "for", "as", "but", "not", "no",
    "very", "make", "let", "please", "left", "right", "while", "before", "after"])


def other_language(text: str) -> str | None:
    """The language that a text is in when that is clearly not English, as ``German`` or ``in Cyrillic script``; else None.

    Names and single foreign words do not count; a text without letters (emoji, numbers) has no language.
    """
    letters = [c for c in text if c.isalpha()]
    if not letters:
        return None
    foreign = [k for c in letters if not unicodedata.name(c, "").startswith("LATIN")
               for k in (unicodedata.name(c, "").split(" ")[0].split("-")[0],) if k in _SCRIPTS]
    if len(foreign) > max(1, 0.5 * len(letters)):  # a single one is an emoticon
        return _SCRIPTS[max(set(foreign), key=foreign.count)]
    words = re.findall(r"[^\W\d_]+", text.lower())
    found = {name: sum(w in known for w in words) for name, known in _WORDS.items()}
    best = max(found, key=lambda n: found[n])
    distinct = len({w for w in words if w in _WORDS[best]})
    english = sum(w in _ENGLISH for w in words)
    return best if distinct >= 2 and found[best] > 2 * english and found[best] >= 0.3 * len(words) else None
