"""The lexicon's notation parsed into phrases, and English inflection."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic.dataclasses import dataclass as checked

from ...common.config import SETTINGS
from ..tables import read_table
from .lexicon import EMOTION_ADJECTIVES, EMOTION_NOUNS, EMOTION_WORDS, LEXICON, NEUTRAL

LEVEL_NAMES: tuple[str, ...] = ("slight", "medium", "strong")


@dataclass(frozen=True)
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


@checked(frozen=True, config=SETTINGS)
class _Grammar:
    doubled: frozenset[str]
    past: dict[str, tuple[str, ...]]
    plural_parts: tuple[str, ...]
    after_verb_only: frozenset[str]


_GRAMMAR = read_table(__package__, "words/grammar.yaml", _Grammar)
PLURAL_PARTS = _GRAMMAR.plural_parts


def third(verb: str) -> str:
    """Third person singular: "smile" -> "smiles"."""
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + "s"


def gerund(verb: str) -> str:
    """"smile" -> "smiling"."""
    if verb in _GRAMMAR.doubled:
        return verb + verb[-1] + "ing"
    if verb.endswith("e") and not verb.endswith("ee"):
        return verb[:-1] + "ing"
    return verb + "ing"


def past_forms(verb: str) -> tuple[str, ...]:
    """Past and participle, for reading only."""
    if verb in _GRAMMAR.past:
        return _GRAMMAR.past[verb]
    if verb in _GRAMMAR.doubled:
        return (verb + verb[-1] + "ed",)
    if verb.endswith("e"):
        return (verb + "d",)
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return (verb[:-1] + "ied",)
    return (verb + "ed",)


def _split(text: str) -> tuple[str, bool, frozenset[str]]:
    """Take ``*`` and ``@`` off: (phrase, held out, strengths)."""
    held = text.startswith("*")
    body, _, digits = text.removeprefix("*").partition("@")
    levels = frozenset(LEVEL_NAMES[int(d) - 1] for d in digits) if digits else frozenset(LEVEL_NAMES)
    return body, held, levels


def parse_phrase(name: str, text: str, noun: bool = False) -> Phrase:
    """Read one entry in the notation of this module."""
    body, held, levels = _split(text)
    if noun:
        return Phrase(name, "noun", body, held_out=held, levels=levels)
    if ":" in body:
        part, _, verb_text = body.partition(":")
        verb, _, rest = verb_text.partition(" ")
        return Phrase(name, "part", verb, rest, part, held, levels)
    verb, _, rest = body.partition("|")
    return Phrase(name, "verb", verb, rest, "", held, levels)


def split_word(text: str) -> Phrase:
    """An emotion word in this module's notation, as a phrase whose head is the word."""
    body, held, levels = _split(text)
    return Phrase("", "noun", body, held_out=held, levels=levels)


def article(word: str) -> str:
    """"a" or "an" for what follows."""
    return "an" if word[:1] in "aeiou" else "a"


def _emotion_phrases(name: str) -> tuple[Phrase, ...]:
    out: list[Phrase] = []

    def add(words: tuple[str, ...], frames: tuple[str, ...], noun_frame: bool, slot: str) -> None:
        for word_text in words:
            word, word_held, levels = _split(word_text)
            for frame_text in frames:
                frame, frame_held, _ = _split(frame_text)
                if "{an}" in frame and (" " in word or word in _GRAMMAR.after_verb_only):
                    continue
                # The slot marks whether an adverb ("very") or a quantity ("a hint of") goes before the word.
                if len(levels) == 1 or "of {e}" in frame:
                    filled = frame.replace("{e}", word)
                else:
                    filled = frame.replace("{e}", f"{slot} {word}")
                p = parse_phrase(name, filled, noun_frame)
                out.append(Phrase(name, p.kind, p.head, p.rest, p.part, word_held or frame_held, levels))

    adjectives, nouns, frames = EMOTION_ADJECTIVES[name], EMOTION_NOUNS[name], EMOTION_WORDS
    add(adjectives, frames.verbs_adj, False, "{v}")
    add(adjectives, frames.parts, False, "{v}")
    add(nouns, frames.verbs_noun, False, "{q}")
    add(adjectives, frames.np_adj, True, "{v}")
    add(nouns, frames.np_noun, True, "{q}")
    return tuple(out)


def _phrases(name: str, verbs: tuple[str, ...], nouns: tuple[str, ...]) -> tuple[Phrase, ...]:
    return (*(parse_phrase(name, t) for t in verbs), *(parse_phrase(name, t, noun=True) for t in nouns))


PHRASES: dict[str, tuple[Phrase, ...]] = {
    **{name: _phrases(name, e.verbs + e.parts, e.nouns) for name, e in LEXICON.items()},
    **{name: _emotion_phrases(name) for name in EMOTION_ADJECTIVES},
    "neutral": _phrases("neutral", NEUTRAL["verbs"], NEUTRAL["nouns"])}


def emotion_words(name: str) -> tuple[str, ...]:
    """Adjectives and nouns that name an emotion, held-out ones included."""
    return tuple(_split(w)[0] for w in EMOTION_ADJECTIVES[name] + EMOTION_NOUNS[name])
