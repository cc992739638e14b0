"""Texts as they are typed in a hurry: misspellings, capitals, missing points, articles and spaces, and the spellings of messages.

The meaning stays: quantities, sides and negations are never touched, and no word becomes one of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from .. import text as texts
from ..asked import Draw
from ..tables import read_table
from ..text.quantities import Span, find_spans


@dataclass(frozen=True, config=SETTINGS)
class _Tables:
    rows: tuple[str, ...]
    kept: frozenset[str]
    messages: dict[str, tuple[str, ...]]
    spellings: dict[str, str]


_TABLES = read_table(texts.__name__, "words/noise.yaml", _Tables)
_WORD = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?")
_MARK = re.compile("[\ue000-\uf8ff]")
_ARTICLE = re.compile(r"\b(?:a|an|the) (?=[a-z])", re.IGNORECASE)
_DECISIVE = re.compile(r"\b(?:left|right|up|down|no|not|never|none|nothing|without|neither|nor|only|just|before|after|until)\b"
                       r"|n['’]t\b")
SHORTEST = 4
"""Letters of the shortest word that is misspelt."""


def _neighbours() -> dict[str, str]:
    out: dict[str, str] = {}
    for y, row in enumerate(_TABLES.rows):
        for x, key in enumerate(row):
            near = row[max(0, x - 1):x] + row[x + 1:x + 2]
            for other in _TABLES.rows[max(0, y - 1):y] + _TABLES.rows[y + 1:y + 2]:
                near += other[max(0, x - 1):x + 1]
            out[key] = "".join(c for c in near if c.isalpha())
    return out


_NEAR = _neighbours()


class _Typist(Draw):
    """Random slips of one hand."""

    def slip(self, word: str) -> str:
        """One slip within a word; its first letter mostly stays."""
        at = int(self.rng.random() * (len(word) - 1)) + (0 if self.chance(0.1) else 1)
        at = min(at, len(word) - 1)
        kind = self.pick(["swap", "swap", "drop", "drop", "double", "near", "near", "miss"])
        if kind == "swap" and at + 1 < len(word):
            return word[:at] + word[at + 1] + word[at] + word[at + 2:]
        if kind == "drop":
            return word[:at] + word[at + 1:]
        if kind == "double":
            return word[:at] + 2 * word[at] + word[at + 1:]
        near = _NEAR.get(word[at].lower(), "")
        if not near:
            return word
        key = self.pick(near)
        key = key.upper() if word[at].isupper() else key
        return word[:at] + key + word[at + (1 if kind == "near" else 0):]

    def misspelt(self, word: str) -> str:
        """A word with a slip that makes it no word that counts."""
        if word.lower() in _TABLES.spellings and self.chance(0.4):
            return _like(word, _TABLES.spellings[word.lower()])
        for _ in range(4):
            made = self.slip(word)
            if made != word and made.lower() not in _TABLES.kept:
                return made
        return word


def _like(old: str, new: str) -> str:
    """A word with the capitals of another."""
    return new.upper() if len(old) > 1 and old.isupper() else new[:1].upper() + new[1:] if old[:1].isupper() else new


def noisy(text: str, rng: np.random.Generator, rate: float | None = None, keep: Sequence[str] = ()) -> str:
    """A text with slips.

    Args:
        text: with its quantities as numbers or as marks; both stay as they are.
        rng: source of randomness.
        rate: share of the words that are misspelt; None draws one, small for most texts.
        keep: phrases that stay as they are, e.g. the words that a script calls unknown.
    """
    hand = _Typist(rng)
    rate = hand.pick([0.03, 0.08, 0.15, 0.3]) if rate is None else rate
    for _ in range(3):
        changed = _words(text, hand, rate, keep)
        for change, share in _CHANGES:
            if hand.chance(share):
                changed = change(changed, hand, keep)
        if _same(text, changed):
            return changed
    return text


def _spans(text: str) -> tuple[Span, ...]:
    return find_spans(_MARK.sub("#", text))


def _same(old: str, new: str) -> bool:
    """Whether two texts have the same quantities, marks, sides and negations in the same order."""
    if any(p.findall(old.lower()) != p.findall(new.lower()) for p in (_MARK, _DECISIVE)):
        return False
    return [(s.kind, s.value) for s in _spans(old)] == [(s.kind, s.value) for s in _spans(new)]


def _held(text: str, keep: Sequence[str]) -> list[tuple[int, int]]:
    """Places that stay as they are: quantities, marks, and phrases to keep."""
    spans = [(s.start, s.end) for s in _spans(text)] + [m.span() for m in _MARK.finditer(text)]
    for phrase in keep:
        spans += [m.span() for m in re.finditer(re.escape(phrase), text)]
    return spans


def _each(text: str, keep: Sequence[str], pattern: re.Pattern[str], change: Callable[[re.Match[str]], str]) -> str:
    """Matches outside of what stays, changed."""
    spans = _held(text, keep)
    return pattern.sub(lambda m: change(m) if all(m.end() <= a or m.start() >= b for a, b in spans) else m[0], text)


def _words(text: str, hand: _Typist, rate: float, keep: Sequence[str]) -> str:
    def slipped(m: re.Match[str]) -> str:
        word = m[0]
        own = word.lower() in _TABLES.kept or word.lower().endswith(("n't", "n’t")) or len(word) < SHORTEST
        return word if own or not hand.chance(rate) else hand.misspelt(word)

    return _each(text, keep, _WORD, slipped)


def _articles(text: str, hand: _Typist, keep: Sequence[str]) -> str:
    """Without articles, as many type whose language has none."""
    return _each(text, keep, _ARTICLE, lambda m: "" if hand.chance(0.7) else m[0])


def _messages(text: str, hand: _Typist, keep: Sequence[str]) -> str:
    """With the spellings of short messages ("pls", "u", "ur")."""
    def short(m: re.Match[str]) -> str:
        options = _TABLES.messages.get(m[0].lower())
        return _like(m[0], hand.pick(options)) if options and hand.chance(0.6) else m[0]

    return _each(text, keep, _WORD, short)


def _points(text: str, hand: _Typist, keep: Sequence[str]) -> str:
    """Without points or commas; what ends a sentence within the text becomes a comma or stays."""
    if hand.chance(0.7):
        text = text.rstrip(".!") if not any(text.endswith(p) for p in keep) else text
    if hand.chance(0.4):
        text = _each(text, keep, re.compile(r"(?<=[a-z]), (?=(?:then|and|but|while|please)\b)"), lambda m: " ")
    if hand.chance(0.15):
        text = _each(text, keep, re.compile(r"(?<=[a-z])'(?=s\b)"), lambda m: "")
    if hand.chance(0.15):
        text += hand.pick(["...", "!!", "!", " thx", " please"])
    return text


def _spaces(text: str, hand: _Typist, keep: Sequence[str]) -> str:
    """With a space too many or one after a comma missing."""
    if hand.chance(0.5):
        return _each(text, keep, re.compile(r"(?<=[a-z]) (?=[a-z])"), lambda m: "  " if hand.chance(0.12) else " ")
    return _each(text, keep, re.compile(r"(?<=[a-z]),( )(?=[a-z])"), lambda m: "," if hand.chance(0.5) else m[0])


def _case(text: str, hand: _Typist, keep: Sequence[str]) -> str:
    """In small letters, or in capitals."""
    change = str.upper if hand.chance(0.12) and not keep else str.lower
    spans = [m.span() for phrase in keep for m in re.finditer(re.escape(phrase), text)]
    return "".join(c if any(a <= i < b for a, b in spans) or _MARK.match(c) or change is str.lower and c in "LRAUD" and
                   re.match(r"(?:[AD]?[UD]?\d|[LR]\b)", text[i:]) else change(c) for i, c in enumerate(text))


_CHANGES: tuple[tuple[Callable[[str, _Typist, Sequence[str]], str], float], ...] = (
    (_articles, 0.25), (_messages, 0.2), (_points, 0.45), (_spaces, 0.15), (_case, 0.55))
"""What else may befall a text, and in which share of them."""
