"""The lexicon's notation parsed into phrases, and English inflection."""

from __future__ import annotations

from dataclasses import dataclass

from .lexicon import (
    EMOTION_ADJECTIVES,
    EMOTION_NOUNS,
    EMOTION_NP_ADJ,
    EMOTION_NP_NOUN,
    EMOTION_PARTS,
    EMOTION_VERBS_ADJ,
    EMOTION_VERBS_NOUN,
    LEXICON,
    NEUTRAL_NOUNS,
    NEUTRAL_VERBS,
)

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


_NEVER_BEFORE_A_NOUN = frozenset({"afraid", "glad", "content", "mad", "pleased"})
_DOUBLED = frozenset({"nod", "grin", "bat", "shut", "let", "put", "drop", "tip", "chat", "get", "knit", "wag", "bob",
                      "jut", "sag", "begin", "dip"})
_PAST = {"break": "broke broken", "give": "gave given", "draw": "drew drawn", "shut": "shut", "let": "let",
         "keep": "kept", "do": "did done", "make": "made", "blow": "blew blown", "stick": "stuck", "put": "put",
         "thrust": "thrust", "say": "said", "speak": "spoke spoken", "shake": "shook shaken", "swing": "swung",
         "bend": "bent", "hang": "hung", "cast": "cast", "bring": "brought", "go": "went gone", "rise": "rose risen",
         "fall": "fell fallen", "come": "came", "get": "got", "knit": "knit", "become": "became", "slide": "slid",
         "swell": "swelled swollen", "show": "showed shown"}
PLURAL_PARTS: tuple[str, ...] = ("eyebrows", "brows", "eyes", "eyelids", "lips", "cheeks", "corners")


def third(verb: str) -> str:
    """Third person singular: "smile" -> "smiles"."""
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + "s"


def gerund(verb: str) -> str:
    """"smile" -> "smiling"."""
    if verb in _DOUBLED:
        return verb + verb[-1] + "ing"
    if verb.endswith("e") and not verb.endswith("ee"):
        return verb[:-1] + "ing"
    return verb + "ing"


def past_forms(verb: str) -> tuple[str, ...]:
    """Past and participle, for reading only."""
    if verb in _PAST:
        return tuple(_PAST[verb].split())
    if verb in _DOUBLED:
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
                if "{an}" in frame and (" " in word or word in _NEVER_BEFORE_A_NOUN):
                    continue
                # The slot marks whether an adverb ("very") or a quantity ("a hint of") goes before the word.
                if len(levels) == 1 or "of {e}" in frame:
                    filled = frame.replace("{e}", word)
                else:
                    filled = frame.replace("{e}", f"{slot} {word}")
                p = parse_phrase(name, filled, noun_frame)
                out.append(Phrase(name, p.kind, p.head, p.rest, p.part, word_held or frame_held, levels))

    adjectives, nouns = EMOTION_ADJECTIVES[name], EMOTION_NOUNS[name]
    add(adjectives, EMOTION_VERBS_ADJ, False, "{v}")
    add(adjectives, EMOTION_PARTS, False, "{v}")
    add(nouns, EMOTION_VERBS_NOUN, False, "{q}")
    add(adjectives, EMOTION_NP_ADJ, True, "{v}")
    add(nouns, EMOTION_NP_NOUN, True, "{q}")
    return tuple(out)


def _build() -> dict[str, tuple[Phrase, ...]]:
    out: dict[str, tuple[Phrase, ...]] = {}
    for name, entry in LEXICON.items():
        out[name] = tuple(parse_phrase(name, t) for t in entry.verbs + entry.parts) + tuple(
            parse_phrase(name, t, noun=True) for t in entry.nouns)
    for name in EMOTION_ADJECTIVES:
        out[name] = _emotion_phrases(name)
    out["neutral"] = tuple(parse_phrase("neutral", t) for t in NEUTRAL_VERBS) + tuple(
        parse_phrase("neutral", t, noun=True) for t in NEUTRAL_NOUNS)
    return out


PHRASES: dict[str, tuple[Phrase, ...]] = _build()


def emotion_words(name: str) -> tuple[str, ...]:
    """Adjectives and nouns that name an emotion, held-out ones included."""
    return tuple(_split(w)[0] for w in EMOTION_ADJECTIVES[name] + EMOTION_NOUNS[name])
