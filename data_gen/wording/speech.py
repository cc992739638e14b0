"""Quoted speech in a text, and how many syllables it has."""

from __future__ import annotations

import re
import unicodedata

from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from .. import text as texts
from ..tables import read_table
from .numbers import ONES, TENS

QUOTE = re.compile(r"\"[^\"\n]{1,400}\"|“[^”\n]{1,400}”|(?<!\w)['‘](?=\S)[^\"\n]{1,400}?(?<=\S)['’](?!\w)")


@dataclass(frozen=True, config=SETTINGS)
class _Tables:
    beginnings: tuple[str, ...]
    words: tuple[str, ...]
    syllables: dict[str, int]


_TABLES = read_table(texts.__name__, "words/speech.yaml", _Tables)
_SAYS = re.compile(rf"\b(?:{'|'.join(_TABLES.beginnings)}|(?:{'|'.join(_TABLES.words)})\b)", re.IGNORECASE)

_NAMES = {v: w for table in (TENS, ONES) for w, v in reversed(table.items())}
"""Numbers up to 90 -> their words; of several spellings the first, which is the right one."""


def syllables(text: str) -> int:
    """The number of syllables of English words, by their groups of vowels; of numbers as they are read aloud."""
    total = sum(_digits(d) for d in re.findall(r"\d+", text))
    plain = "".join(c for c in unicodedata.normalize("NFD", text.lower().replace("é", "ay")) if not unicodedata.combining(c))
    for word in re.findall(r"[a-z]+(?:['’][a-z]+)?", plain):
        word = word.replace("’", "'")
        if word in _TABLES.syllables:
            total += _TABLES.syllables[word]
            continue
        word = re.sub(r"(?<=[^aeiou])e(?=(?:ful|less|ly|ment|ness)\b)", "", word)
        bare = re.sub(r"(?:[^laeiouy]|[aeiou]l)e$|(?<=[^aeiouytd])ed$|(?<=[^aeiouysxzc])es$", "", word.replace("'", ""))
        bare = re.sub(r"(?<=[aeiou])y(?=[aeiou])", "-", re.sub(r"(?<![aeiou])ying$", "i-ing", bare))
        groups = len(re.findall(r"[aeiouy]+", bare))
        groups += len(re.findall(r"i[ao](?!u)|(?<![tscxg])iou|eo|ua[^r]|uo", bare))
        groups -= len(re.findall(r"[tsc]io(?!u)|[tc]ia|gio", bare))
        groups += len(re.findall(r"[^aeiou]n't$", word))
        total += max(1, groups)
    return total


def _digits(number: str) -> int:
    """Syllables of a number: up to 99 as a word, of a longer one digit by digit."""
    value = int(number)
    if len(number) > 2 or number[0] == "0":
        return sum(2 if d in "07" else 1 for d in number)
    return sum(syllables(_NAMES[v]) for v in ((value,) if value < 20 else (value - value % 10, value % 10)) if v or value == 0)


def speeches(text: str) -> list[tuple[int, int]]:
    """Where the words of quoted speech stand, without their quotation marks and last point.

    A quotation is speech where the text has a word of speech outside of it, and where it ends as a sentence does;
    other words in quotation marks may be what the face should do.
    """
    quotes = list(QUOTE.finditer(text))
    speaks = bool(quotes and _SAYS.search(QUOTE.sub("", text)))
    out = []
    for m in quotes:
        if speaks or m[0][-2] in ".,!?…-":
            start, end = m.start() + 1, m.end() - 1
            out.append((start, start + len(text[start:end].rstrip(".,!?…- ")) or end))
    return out
