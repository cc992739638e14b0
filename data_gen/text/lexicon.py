"""The words for each action and emotion: phrases, strengths, codes and labels, read from ``words/*.yaml``.

One table serves both directions: phrasing.py writes with it and parser.py reads with it. The notation of a
phrase is described at the head of ``words/actions.yaml``; phrases.py parses it.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from ..tables import read_table

Words = tuple[str, ...]


@dataclass(frozen=True, config=SETTINGS)
class Entry:
    """All phrases of one action and the adverbs and adjectives of strength that suit it."""

    verbs: Words
    parts: Words = ()
    nouns: Words = ()
    slight: Words = ("slightly", "a little")
    strong: Words = ("strongly", "a lot")
    slight_adj: Words = ("slight", "small")
    strong_adj: Words = ("strong", "big")
    sides: bool = False
    """Whether the entry is two actions, left and right; ``{s}`` is the side."""

    def on(self, side: str) -> Entry:
        """The entry of one side."""
        return replace(self, sides=False, **{kind: tuple(p.replace("{s}", side) for p in getattr(self, kind))
                                             for kind in ("verbs", "parts", "nouns")})


@dataclass(frozen=True, config=SETTINGS)
class _Actions:
    phrases: dict[str, Entry]
    countable: frozenset[str]
    ungraded: frozenset[str]
    facs: dict[str, Words]
    labels: dict[str, str]
    neutral: dict[str, Words]
    counts: Words
    numbers: Words


@dataclass(frozen=True, config=SETTINGS)
class _Emotions:
    adjectives: dict[str, Words]
    nouns: dict[str, Words]
    verbs_adj: Words
    verbs_noun: Words
    parts: Words
    np_adj: Words
    np_noun: Words
    adverbs: dict[str, Words]
    quantities: dict[str, Words]


_ACTIONS = read_table(__package__, "words/actions.yaml", _Actions)
LEXICON: dict[str, Entry] = {
    key: made for name, entry in _ACTIONS.phrases.items()
    for key, made in ([(f"{name}_{s}", entry.on(s)) for s in ("left", "right")] if entry.sides else [(name, entry)])}
COUNTABLE = _ACTIONS.countable
"""Actions whose repetitions a person counts."""
UNGRADED = _ACTIONS.ungraded
"""Names whose strength is not spoken of."""
FACS = _ACTIONS.facs
"""FACS codes of the clinical register; sided codes carry L or R."""
LABELS = _ACTIONS.labels
"""Short noun labels, for questions and answers."""
NEUTRAL = _ACTIONS.neutral
"""Verbs and nouns for a neutral face, which is the absence of action: it is worded, and read as nothing."""
COUNTS, NUMBERS = _ACTIONS.counts, _ACTIONS.numbers

EMOTION_WORDS = read_table(__package__, "words/emotions.yaml", _Emotions)
"""Words and frames of the emotions."""
EMOTION_ADJECTIVES, EMOTION_NOUNS = EMOTION_WORDS.adjectives, EMOTION_WORDS.nouns
EMOTION_ADV, EMOTION_QUANT = EMOTION_WORDS.adverbs, EMOTION_WORDS.quantities
"""Words of strength before an adjective and before a noun, by level."""
