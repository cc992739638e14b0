"""The words for actions, emotions and shades of feeling, read from ``words/*.yaml``, and English inflection.

One table serves both directions: phrasing.py writes with it and parser.py reads with it. The notation of a
phrase is described at the head of ``words/actions.yaml``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from functools import cache

from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from ...face.facs.vocabulary import EMOTIONS
from ..tables import read_table

Words = tuple[str, ...]
LEVEL_NAMES: Words = ("slight", "medium", "strong")
OTHER, NONE = "other", "none"
"""Emotions of words beside EMOTIONS: a feeling outside the eight, and no emotion at all."""


# -- tables -----------------------------------------------------------------------------
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
        return dataclasses.replace(self, sides=False, **{kind: tuple(p.replace("{s}", side) for p in getattr(self, kind))
                                                         for kind in ("verbs", "parts", "nouns")})


@dataclass(frozen=True, config=SETTINGS)
class Family:
    """Words of one shade of feeling."""

    name: str
    emotion: str
    """One of EMOTIONS, or ``other``."""
    words: Words
    lexicon: bool = False
    """Whether the emotion's own adjectives belong to it, before ``words``."""
    shows: Words = ()
    """Actions by which the procedural animator shows a family outside the eight emotions."""
    nearest: str | None = None
    """The nearest of EMOTIONS, for a family outside them."""

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """All its words, without those that are held out for the test split."""
        own = tuple(w for w in EMOTION_ADJECTIVES[self.emotion] if not w.startswith("*")) if self.lexicon else ()
        return tuple(map(parse_phrase, own + self.words))


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


@dataclass(frozen=True, config=SETTINGS)
class _Feelings:
    families: tuple[Family, ...]
    nouns: dict[str, Words]
    neutral: Words


@dataclass(frozen=True, config=SETTINGS)
class _Grammar:
    doubled: frozenset[str]
    past: dict[str, Words]
    plural_parts: Words
    after_verb_only: frozenset[str]


_ACTIONS = read_table(__package__, "words/actions.yaml", _Actions)
_FRAMES = read_table(__package__, "words/emotions.yaml", _Emotions)
_FEELINGS = read_table(__package__, "words/feelings.yaml", _Feelings)
_GRAMMAR = read_table(__package__, "words/grammar.yaml", _Grammar)
LEXICON: dict[str, Entry] = {
    key: made for name, entry in _ACTIONS.phrases.items()
    for key, made in ([(f"{name}_{s}", entry.on(s)) for s in ("left", "right")] if entry.sides else [(name, entry)])}
COUNTABLE, UNGRADED = _ACTIONS.countable, _ACTIONS.ungraded
"""Actions whose repetitions a person counts, and names whose strength is not spoken of."""
FACS, LABELS = _ACTIONS.facs, _ACTIONS.labels
"""FACS codes of the clinical register (sided ones carry L or R), and short noun labels for questions and answers."""
COUNTS, NUMBERS = _ACTIONS.counts, _ACTIONS.numbers
EMOTION_ADJECTIVES, EMOTION_NOUNS = _FRAMES.adjectives, _FRAMES.nouns
EMOTION_ADV, EMOTION_QUANT = _FRAMES.adverbs, _FRAMES.quantities
"""Words of strength before an adjective and before a noun, by level."""
PLURAL_PARTS = _GRAMMAR.plural_parts
FAMILIES = _FEELINGS.families
NEAREST: dict[str, str] = {f.name: f.nearest for f in FAMILIES if f.nearest}
"""Families of feelings outside the eight -> the nearest of the eight."""


# -- inflection -------------------------------------------------------------------------
def third(verb: str) -> str:
    """Third person singular: "smile" -> "smiles"."""
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return verb + "es"
    return verb[:-1] + "ies" if _consonant_y(verb) else verb + "s"


def _doubled(verb: str) -> bool:
    """Whether the last consonant is doubled before an ending: one syllable with one short vowel."""
    return verb in _GRAMMAR.doubled or bool(re.fullmatch(r"(?:[^aeiouy]|qu)*[aeiou][^aeiouwxy]", verb))


def gerund(verb: str) -> str:
    """"smile" -> "smiling"."""
    if _doubled(verb):
        return verb + verb[-1] + "ing"
    return (verb[:-1] if verb.endswith("e") and not verb.endswith("ee") else verb) + "ing"


def past_forms(verb: str) -> Words:
    """Past and participle, for reading only."""
    if verb in _GRAMMAR.past:
        return _GRAMMAR.past[verb]
    if _doubled(verb):
        return (verb + verb[-1] + "ed",)
    if verb.endswith("e"):
        return (verb + "d",)
    return (verb[:-1] + "ied" if _consonant_y(verb) else verb + "ed",)


def _consonant_y(verb: str) -> bool:
    return verb.endswith("y") and verb[-2] not in "aeiou"


def article(word: str) -> str:
    """"a" or "an" for what follows."""
    return "an" if word[:1] in "aeiou" else "a"


# -- phrases ----------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Phrase:
    """One way to say an action."""

    name: str
    kind: str
    """verb | part | noun"""
    head: str
    """The verb (base form), or the whole noun phrase."""
    rest: str = ""
    """What follows the verb."""
    part: str = ""
    """The subject, for kind ``part``."""
    held_out: bool = False
    levels: frozenset[str] = frozenset(LEVEL_NAMES)

    @property
    def says_level(self) -> bool:
        """True when the phrase itself names one strength ("beam")."""
        return len(self.levels) == 1


def parse_phrase(text: str, name: str = "", noun: bool = True) -> Phrase:
    """Read one entry in the lexicon's notation; an emotion word is a noun whose head is the word."""
    body, _, digits = text.removeprefix("*").partition("@")
    kind, part, rest = "noun", "", ""
    if not noun:
        part, colon, verb = body.rpartition(":")
        kind = "part" if colon else "verb"
        body, _, rest = verb.partition(" " if colon else "|")
    levels = frozenset(LEVEL_NAMES[int(d) - 1] for d in digits or "123")
    return Phrase(name, kind, body, rest, part, text.startswith("*"), levels)


def _emotion_phrases(name: str) -> Iterable[Phrase]:
    adjectives, nouns = (tuple(map(parse_phrase, table[name])) for table in (EMOTION_ADJECTIVES, EMOTION_NOUNS))
    # the slot marks whether an adverb ("very") or a quantity ("a hint of") goes before the word
    for words, frames, noun, slot in (
            (adjectives, _FRAMES.verbs_adj, False, "{v}"), (adjectives, _FRAMES.parts, False, "{v}"),
            (nouns, _FRAMES.verbs_noun, False, "{q}"), (adjectives, _FRAMES.np_adj, True, "{v}"),
            (nouns, _FRAMES.np_noun, True, "{q}")):
        for word in words:
            for frame in map(parse_phrase, frames):
                if "{an}" in frame.head and (" " in word.head or word.head in _GRAMMAR.after_verb_only):
                    continue
                plain = word.says_level or "of {e}" in frame.head
                said = parse_phrase(frame.head.replace("{e}", word.head if plain else f"{slot} {word.head}"), name, noun)
                yield dataclasses.replace(said, held_out=word.held_out or frame.held_out, levels=word.levels)


def _phrases(name: str, verbs: Words, nouns: Words) -> tuple[Phrase, ...]:
    return tuple(parse_phrase(t, name, noun) for texts, noun in ((verbs, False), (nouns, True)) for t in texts)


PHRASES: dict[str, tuple[Phrase, ...]] = {
    **{name: _phrases(name, e.verbs + e.parts, e.nouns) for name, e in LEXICON.items()},
    **{name: tuple(_emotion_phrases(name)) for name in EMOTION_ADJECTIVES},
    # a neutral face is the absence of action: it is worded, and read as nothing
    "neutral": _phrases("neutral", _ACTIONS.neutral["verbs"], _ACTIONS.neutral["nouns"])}


def emotion_words(name: str) -> Words:
    """Adjectives and nouns that name an emotion, held-out ones included."""
    return tuple(parse_phrase(w).head for w in EMOTION_ADJECTIVES[name] + EMOTION_NOUNS[name])


# -- feelings ---------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class EmotionWord(Phrase):
    """One emotion word (``head``), how strong it can be meant, and what it belongs to."""

    emotion: str = ""
    family: str = ""
    shows: Words = ()

    @property
    def graded(self) -> bool:
        """Whether strength is spoken of at all; a neutral face has none."""
        return self.emotion != "neutral"


WORDS: dict[str, EmotionWord] = {
    p.head: EmotionWord(**vars(p), emotion=f.emotion, family=f.name, shows=f.shows) for f in FAMILIES for p in f.phrases}
WORDS_OF: dict[str, Words] = {e: tuple(w.head for w in WORDS.values() if w.emotion == e) for e in (*EMOTIONS, OTHER)}


@cache
def nouns(emotion: str, held_out: bool | None = None) -> tuple[Phrase, ...]:
    """Nouns that name an emotion, with the strengths they may mean; the plain one first."""
    made = map(parse_phrase, (*EMOTION_NOUNS.get(emotion, ()), *_FEELINGS.nouns[emotion]))
    return tuple(p for p in made if held_out is None or p.held_out == held_out)


@cache
def adjectives(emotion: str, held_out: bool | None = None) -> tuple[Phrase, ...]:
    """Adjectives that name an emotion: the lexicon's, then the families' of the prompt suite."""
    found: dict[str, Phrase] = {}
    own = map(parse_phrase, EMOTION_ADJECTIVES.get(emotion, ()))
    for p in (*own, *(p for family in FAMILIES if family.emotion == emotion for p in family.phrases)):
        found.setdefault(p.head, p)
    return tuple(p for p in found.values() if held_out is None or p.held_out == held_out)


@cache
def emotion_of() -> dict[str, tuple[str, frozenset[str]]]:
    """Word (lower case) -> the emotion that it names and the strengths that it may mean."""
    out: dict[str, tuple[str, frozenset[str]]] = {}
    for emotion in EMOTIONS:
        for p in (*nouns(emotion), *adjectives(emotion)):
            out.setdefault(p.head.lower(), (emotion, p.levels))
    for word in _FEELINGS.neutral:
        out.setdefault(word, ("neutral", frozenset({"medium"})))
    return out


@cache
def outside() -> dict[str, str]:
    """Words for feelings outside the eight emotions -> the nearest of the eight."""
    return {**NEAREST, **{w.head.lower(): NEAREST[w.family] for w in WORDS.values() if w.emotion == OTHER}}
