"""From one event of a script to a clause, and how the events of a script relate in time.

The vocabulary of relations is that of speech: an event comes first, together with the one
before it, during it, straight out of it (one expression turning into another) or after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np

from ...face.facs.schedule import Event, Schedule, level_of
from ...face.facs.vocabulary import ACTION
from . import lexicon
from .lexicon import COUNTABLE, LEXICON, PHRASES, UNGRADED, Phrase

T = TypeVar("T")

_DIRECTION = re.compile(r"(?<!\S)((?:to the )?(?:left|right|up|down|back|forward|out))$")
_COUNTED = re.compile(r"\ba(?:n)? (\{a\} )?((?:head |(?:left|right)-eye )?)(nod|shake|wink|blink)\b")
_BEFORE_DIRECTION = frozenset({"far", "slightly", "a little", "a bit", "all the way"})


@dataclass(frozen=True)
class Voice:
    """Who is spoken of, and how."""

    first: str
    """The subject at its first mention ("The woman"); empty for a command."""
    again: str
    """The subject later ("she"); empty for a command."""
    possessive: str
    plural: bool = False
    """Whether ``first`` takes a plural verb ("They smile")."""
    again_plural: bool = False


COMMAND = Voice("", "", "your")
TOGETHER = 0.2
"""Seconds; events that start closer than this are said to happen at the same time."""
_REGION_ORDER = ("mouth", "jaw", "brows", "lids", "head", "gaze")


# -- relations --------------------------------------------------------------------------
@dataclass(frozen=True)
class Group:
    """Events that start together, and their relation to what comes before."""

    events: tuple[Event, ...]
    relation: str
    """first | then | during (the previous group is still held) | into (one emotion turns into another)"""


def groups(script: Schedule) -> tuple[Group, ...]:
    """The script's events in groups of simultaneous starts, in order of time."""
    clusters: list[list[Event]] = []
    for e in script.events:
        if clusters and e.start - clusters[-1][0].start <= TOGETHER:
            clusters[-1].append(e)
        else:
            clusters.append([e])
    return tuple(Group(tuple(c), _relation(clusters[i - 1], c, script.seconds) if i else "first")
                 for i, c in enumerate(clusters))


def _relation(before: list[Event], after: list[Event], seconds: float) -> str:
    start = after[0].start
    if start < max(seconds if e.stays else e.start + e.rise + e.hold for e in before) - 0.01:
        return "during"
    felt = len(before) == len(after) == 1 and before[0].is_emotion and after[0].is_emotion
    return "into" if felt and start < before[0].end(seconds) - 0.01 else "then"


def canonical_order(events: Sequence[Event]) -> list[Event]:
    """Simultaneous events in a fixed order (emotions, mouth, jaw, brows, lids, head, gaze).

    Motion does not show which of them was written first, so a uniform text must not either.
    """
    return sorted(events, key=lambda e: (not e.is_emotion, e.name in ACTION and _REGION_ORDER.index(ACTION[e.name].region),
                                         e.name))


# -- clauses ----------------------------------------------------------------------------
@dataclass(frozen=True)
class Clause:
    """A worded event."""

    text: str
    own_subject: bool = False
    """True when a part of the face is the subject ("her eyes widen")."""


@cache
def _choices(name: str, level: str, kinds: tuple[str, ...], held_out: bool) -> tuple[Phrase, ...]:
    return tuple(p for p in PHRASES[name] if p.kind in kinds and level in p.levels and p.held_out == held_out)


def _counted(text: str, count: int) -> str:
    """"a nod" as "two nods"; the text itself when it has no such noun."""
    return _COUNTED.sub(lambda m: f"{lexicon.NUMBERS[count]} {m[1] or ''}{m[2]}{m[3]}s", text)


class Speaker:
    """Words events with one source of randomness.

    Args:
        held_out: prefer the phrases that are held out for the test split.
        mark, tempo: chances to say a strength other than medium, and that an onset is quick or slow.
        canonical: choose among this many first phrases only, with one adverb for each
            strength, for descriptions in a uniform style; 0 is off.
    """

    def __init__(self, rng: np.random.Generator, voice: Voice, *, held_out: bool = False, mark: float = 0.85,
                 tempo: float = 0.08, canonical: int = 0) -> None:
        self.rng, self.voice, self.held_out = rng, voice, held_out
        self.mark, self.tempo, self.canonical = mark, tempo, canonical

    def pick(self, options: Sequence[T]) -> T:
        """One of several, all as likely."""
        return options[int(self.rng.integers(len(options)))]

    def chance(self, p: float) -> bool:
        """True with probability ``p``."""
        return bool(self.rng.random() < p)

    # -- words --------------------------------------------------------------------------
    def phrase(self, event: Event, kinds: tuple[str, ...]) -> Phrase | None:
        """A phrase of one of ``kinds``, or None when the lexicon has none."""
        level = "medium" if event.name in UNGRADED else level_of(event.intensity)
        options = _choices(event.name, level, kinds, False)
        if self.canonical:  # for emotions "looks ...", for actions the first ones
            plain = [p for p in options if not p.says_level]
            options = tuple(dict.fromkeys(p for p in plain if p.name in LEXICON or p.head == plain[0].head))[: self.canonical]
        elif self.held_out and self.chance(0.75):
            options = _choices(event.name, level, kinds, True) or options
        return self.pick(options) if options else None

    def _strength(self, event: Event, phrase: Phrase) -> str:
        """The level to say, or "" for none."""
        level = level_of(event.intensity)
        graded = event.name not in UNGRADED and not phrase.says_level and level != "medium"
        return level if graded and (self.canonical or self.chance(self.mark)) else ""

    def _tempo(self, event: Event) -> str:
        if self.canonical or event.name not in LEXICON or event.name == "talking" or not self.chance(self.tempo):
            return ""
        if event.name in ("nod", "shake") and event.cycles:
            period = (event.rise + event.hold + event.fall) / event.cycles
            return "quickly" if period < 0.52 else "slowly" if period > 0.75 else ""
        if event.name in COUNTABLE or (event.name in ACTION and ACTION[event.name].region == "gaze"):
            return ""
        return "quickly" if event.rise <= 0.33 else "slowly" if event.rise >= 0.63 else ""

    def _count(self, event: Event) -> int:
        """How often to say; 0 for nothing."""
        if event.name not in COUNTABLE or not 1 <= event.cycles < len(lexicon.COUNTS):
            return 0
        said = event.cycles > 1 if self.canonical else self.chance(0.9 if event.cycles > 1 else 0.25)
        return event.cycles if said else 0

    def _fill(self, text: str, event: Event, strength: str) -> tuple[str, bool]:
        """Put possessive, adjective and adverb in; says whether the strength has been said."""
        said, entry = False, LEXICON.get(event.name)
        if "{v}" in text or "{q}" in text:
            table = lexicon.EMOTION_ADV if "{v}" in text else lexicon.EMOTION_QUANT
            words = [w for w in table[strength or "medium"] if "{an}" not in text or " " not in w]
            word = (words[0] if self.canonical else self.pick(words)) if words else ""
            text, said = text.replace("{v}", word).replace("{q}", word), True
        adjectives = {"slight": entry.slight_adj, "strong": entry.strong_adj} if entry else {}
        for slot, graded in (("{a}", adjectives), ("{d}", {"slight": ("slightly",), "strong": ("strongly",)})):
            if slot in text:
                options = graded.get(strength)
                text, said = text.replace(slot, self.pick(options) if options else ""), True
        text = " ".join(text.replace("{p}", self.voice.possessive).split())
        if "{an}" in text:
            text = text.replace("{an}", lexicon.article(text.partition("{an} ")[2]))
        return re.sub(r"\ba (?=[aeiou])", "an ", text), said

    # -- clauses ------------------------------------------------------------------------
    def clause(self, event: Event, form: str, *, parts: bool = True, plural: bool = False) -> Clause:
        """Word an event.

        Args:
            event: what happens.
            form: lexicon.third ("smiles"), base ("smile"), imp (the same; parts with "let") or ger ("smiling").
            parts: whether a part of the face may be the subject.
            plural: in the form lexicon.third, the subject is a plural ("they smile").
        """
        use_part = parts and not self.canonical and self.chance(0.2)
        phrase = (self.phrase(event, ("part",)) if use_part else None) or self.phrase(event, ("verb",))
        assert phrase is not None, event.name
        strength, count = self._strength(event, phrase), self._count(event)
        tempo = "" if strength else self._tempo(event)
        rest = phrase.rest
        if count > 1 and _COUNTED.search(rest):
            rest, count = _counted(rest, count), 0
        rest, said = self._fill(rest, event, strength)
        before = adverb = ""
        if strength and not said and (entry := LEXICON.get(event.name)):
            adverbs = entry.slight if strength == "slight" else entry.strong
            adverb = "" if not adverbs else adverbs[0] if self.canonical else self.pick(adverbs)
        if adverb in _BEFORE_DIRECTION and _DIRECTION.search(rest):
            rest, adverb = _DIRECTION.sub(rf"{adverb} \1", rest), ""
        elif adverb.endswith("ly") and not self.canonical and self.chance(0.3):
            before, adverb = adverb, ""
        if tempo and not before and self.chance(0.5):
            before, tempo = tempo, ""
        own = phrase.kind == "part"
        plural = phrase.part.endswith(lexicon.PLURAL_PARTS) if own else plural
        inflect = {"ger": lexicon.gerund, "third": str if plural else lexicon.third}.get(form, str)
        words = [before, inflect(phrase.head), rest, adverb, tempo, lexicon.COUNTS[count] if count else ""]
        text = " ".join(w for w in words if w)
        if own:
            text = {"imp": "let ", "ger": "with "}.get(form, "") + f"{self.voice.possessive} {phrase.part} {text}"
        return Clause(text, own)

    def noun(self, event: Event) -> str | None:
        """A noun phrase ("a broad smile", "two nods"), or None when there is none."""
        phrase = self.phrase(event, ("noun",))
        if phrase is None:
            return None
        strength, count, text = self._strength(event, phrase), self._count(event), phrase.head
        if event.cycles > 1 and event.name in COUNTABLE:
            if not _COUNTED.search(text):
                return None
            text = _counted(text, count or event.cycles)  # "a nod" would say one
        return self._fill(text, event, strength)[0]

    def emotion_pair(self, a: Event, b: Event) -> tuple[str, str]:
        """Two emotions in the same part of speech, for "from ... to ..."."""
        adjective = self.chance(0.5)

        def word(event: Event) -> str:
            level = level_of(event.intensity)
            table = lexicon.EMOTION_ADJECTIVES if adjective else lexicon.EMOTION_NOUNS
            plain = [p for p in map(lexicon.parse_phrase, table[event.name]) if level in p.levels and p.held_out <= self.held_out]
            chosen = self.pick(plain)
            strength = "" if level == "medium" or len(chosen.levels) == 1 or not self.chance(self.mark) else level
            scale = lexicon.EMOTION_ADV if adjective else lexicon.EMOTION_QUANT
            return f"{self.pick(scale[strength])} {chosen.head}" if strength else chosen.head

        return word(a), word(b)
