"""The words that name a feeling: families of emotion words, and which emotion and strength a word means."""

from __future__ import annotations

import dataclasses
from functools import cache

from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from ...face.facs.vocabulary import EMOTIONS
from ..tables import read_table
from .lexicon import EMOTION_ADJECTIVES, EMOTION_NOUNS
from .phrases import Phrase, split_word

OTHER, NONE = "other", "none"
"""Values of the factor emotion beside EMOTIONS: a word outside the eight, and no emotion at all."""


@dataclass(frozen=True, config=SETTINGS)
class Family:
    """Words of one shade of feeling."""

    name: str
    emotion: str
    """One of EMOTIONS, or ``other``."""
    words: tuple[str, ...]
    lexicon: bool = False
    """Whether the emotion's own adjectives belong to it, before ``words``."""
    shows: tuple[str, ...] = ()
    """Actions by which the procedural animator shows a family outside the eight emotions."""
    nearest: str | None = None
    """The nearest of EMOTIONS, for a family outside them."""

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """All its words, without those that are held out for the test split."""
        own = tuple(w for w in EMOTION_ADJECTIVES[self.emotion] if not w.startswith("*")) if self.lexicon else ()
        return tuple(map(split_word, own + self.words))


@dataclasses.dataclass(frozen=True)
class EmotionWord:
    """One emotion word, how strong it can be meant, and what it belongs to."""

    word: str
    emotion: str
    family: str
    levels: frozenset[str]
    shows: tuple[str, ...] = ()

    @property
    def says_level(self) -> bool:
        """The word alone names a strength ("furious")."""
        return len(self.levels) == 1

    @property
    def graded(self) -> bool:
        """Whether strength is spoken of at all; a neutral face has none."""
        return self.emotion != "neutral"


@dataclass(frozen=True, config=SETTINGS)
class _Feelings:
    families: tuple[Family, ...]
    nouns: dict[str, tuple[str, ...]]
    neutral: tuple[str, ...]


_TABLE = read_table(__package__, "words/feelings.yaml", _Feelings)
FAMILIES = _TABLE.families
NEAREST: dict[str, str] = {f.name: f.nearest for f in FAMILIES if f.nearest}
"""Families of feelings outside the eight -> the nearest of the eight."""


def _words() -> dict[str, EmotionWord]:
    out: dict[str, EmotionWord] = {}
    for family in FAMILIES:
        for p in family.phrases:
            if p.head in out:
                raise ValueError(f"emotion word {p.head!r} is in two families: {out[p.head].family} and {family.name}")
            out[p.head] = EmotionWord(p.head, family.emotion, family.name, p.levels, family.shows)
    return out


WORDS: dict[str, EmotionWord] = _words()
WORDS_OF: dict[str, tuple[str, ...]] = {
    e: tuple(w.word for w in WORDS.values() if w.emotion == e) for e in (*EMOTIONS, OTHER)}


@cache
def nouns(emotion: str, held_out: bool | None = None) -> tuple[Phrase, ...]:
    """Nouns that name an emotion, with the strengths they may mean; the plain one first."""
    made = map(split_word, (*EMOTION_NOUNS.get(emotion, ()), *_TABLE.nouns[emotion]))
    return tuple(p for p in made if held_out is None or p.held_out == held_out)


@cache
def adjectives(emotion: str, held_out: bool | None = None) -> tuple[Phrase, ...]:
    """Adjectives that name an emotion: the lexicon's, then the families' of the prompt suite."""
    made = [split_word(t) for t in EMOTION_ADJECTIVES.get(emotion, ())]
    known = {p.head for p in made}
    made += [p for family in FAMILIES if family.emotion == emotion for p in family.phrases if p.head not in known]
    return tuple(p for p in made if held_out is None or p.held_out == held_out)


@cache
def emotion_of() -> dict[str, tuple[str, frozenset[str]]]:
    """Word (lower case) -> the emotion that it names and the strengths that it may mean."""
    out: dict[str, tuple[str, frozenset[str]]] = {}
    for emotion in EMOTIONS:
        for p in (*nouns(emotion), *adjectives(emotion)):
            out.setdefault(p.head.lower(), (emotion, p.levels))
    for word in _TABLE.neutral:
        out.setdefault(word, ("neutral", frozenset({"medium"})))
    return out


@cache
def outside() -> dict[str, str]:
    """Words for feelings outside the eight emotions -> the nearest of the eight."""
    out = {w.word.lower(): NEAREST[w.family] for w in WORDS.values() if w.emotion == OTHER}
    return {**NEAREST, **out}
