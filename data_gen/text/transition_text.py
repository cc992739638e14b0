"""Transition instructions read back: stages, duration, warnings.

Reading is by words, for checks, warnings and durations; what a face then does is the language model's
own reading of the sentence. transition_words.py writes them.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from functools import cache
from typing import NoReturn

from ...face.facs.poses import ACTION_POSES
from ...face.facs.vocabulary import ACTION, EMOTIONS
from ..performer.transitions import EMOTION_CHANNELS
from .feelings import adjectives, emotion_of, outside
from .lexicon import EMOTION_ADV, EMOTION_QUANT
from .parser import actions_in_text
from .transition_words import FRAMES, TEMPLATES, instruction, paraphrase, word_plan

__all__ = ["TEMPLATES", "AskedStage", "Instruction", "TransitionRequest", "find_emotions", "instruction", "is_transition",
           "paraphrase", "parse", "parse_instruction", "word_plan"]

Blend = tuple[tuple[str, float], ...]
"""Emotions with their intensities, 0 to 1."""


@dataclass(frozen=True)
class AskedStage:
    """An expression that an instruction names.

    Attributes:
        blend: emotions with intensities, 0 to 1.
        words: how it was said.
    """

    blend: Blend
    words: str

    @property
    def name(self) -> str:
        """The strongest emotion."""
        return max(self.blend, key=lambda item: item[1])[0]


@dataclass(frozen=True)
class Instruction:
    """What an instruction asks.

    Attributes:
        text: the instruction for the language model: durations taken out, words outside the eight emotions
            replaced by the nearest.
        stages: the named expressions in order, a neutral one on the way included.
        via_neutral: a neutral face was asked for between the first and the last.
        seconds: the asked duration, or None.
        warnings: one sentence for each word that was replaced.
        actions: what it names beside expressions ("nod"), which is no part of a transition.
        is_change: it says that one expression becomes another, or that "this face" becomes one.
    """

    text: str
    stages: tuple[AskedStage, ...]
    via_neutral: bool
    seconds: float | None
    warnings: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    is_change: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The stages' strongest emotions."""
        return tuple(s.name for s in self.stages)

    @property
    def channels(self) -> frozenset[str]:
        """Channels beyond those of the emotions that ``actions`` move."""
        return frozenset(c for n in self.actions for c in ACTION_POSES[n]) - EMOTION_CHANNELS

    def through_neutral(self) -> Instruction:
        """The same with a neutral face before the last expression; itself where there is one already."""
        if self.via_neutral or "neutral" in self.names[:-1]:
            return self
        first, mark, rest = self.text.partition(".")
        return replace(self, text=f"{first.rstrip(' ?!')} via neutral{mark or '.'}{rest}", via_neutral=True,
                       stages=(*self.stages[:-1], _NEUTRAL, self.stages[-1]))


TransitionRequest = Instruction
_NEUTRAL = AskedStage((("neutral", 1.0),), "neutral")
_VIA = re.compile(
    r"(?:,?\s*(?:via|through|by way of|passing through)\s+(?:a\s+|the\s+)?(?:neutral|resting|rest|relaxed)"
    r"(?:\s+(?:face|expression|state))?(?:\s+in between)?|\s*with\s+(?:a\s+|the\s+)?(?:neutral|resting|relaxed)\s+"
    r"(?:face|expression|state)\s+in between|,?\s*relaxing in between)", re.IGNORECASE)
_DURATION = re.compile(
    r"[,\s]*\b(?:in|over|within|during|lasting|taking|for)\s+(?:about\s+|exactly\s+)?(\d+(?:\.\d+)?|half a|one and a half|"
    r"one|a|two|three|four|five)\s*(seconds?|secs?|s|milliseconds?|ms)\b", re.IGNORECASE)
_KEEPING = re.compile(r"\b(?:hold|holding|keep|keeping|stay|staying)\b", re.IGNORECASE)
_HOLD = re.compile(_KEEPING.pattern + r"[^.]*", re.IGNORECASE)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|per ?cent)\s*$", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+(?:[-'][a-z]+)*", re.IGNORECASE)
_SHARES = {"slight": 0.45, "medium": 0.7, "strong": 1.0}
_LEVEL = {text: _SHARES[level] for level in ("slight", "strong") for text in (*EMOTION_ADV[level], *EMOTION_QUANT[level])}
_TARGET = re.compile(r"\b(?:to|into)\s+((?:a |an |very |slightly |half-way )*)([a-z][a-z-]+)(?=[.,;!?]|$)", re.IGNORECASE)
_START = re.compile(r"\bfrom\s+((?:[a-z-]+\s+){0,3}?[a-z-]+)\s+(?:to|into|through)\b", re.IGNORECASE)
_HALF_FROM = re.compile(r"\b(half[- ]?way)\s+from\s+(.+?)\s+(?:to|into)\s+", re.IGNORECASE)
_AND = re.compile(r"[\s,]*(?:and|plus|,|&)\s*(?:\d+(?:\.\d+)?\s*(?:%|per ?cent))?\s*")
_SEVERAL = re.compile(r"\bfrom\b.*\b(?:to|into|through)\b|\b(?:turn|change|convert)s?\b.*\b(?:to|into)\b|\bmelts? into\b"
                      r"|\bgives? way to\b|\bthis face\b", re.IGNORECASE)
_ONE = re.compile(r"\b(?:turn|change|transform|morph|modify|make|bring)\b.*\b(?:this|the) (?:face|expression)\b"
                  r"|\bnow (?:change|turn|make) it\b", re.IGNORECASE)


@cache
def _feelings() -> re.Pattern[str]:
    """The words that name a feeling, the longest first."""
    words = sorted({*emotion_of(), *outside()}, key=lambda w: (-len(w), w))
    return re.compile(rf"(?<![a-z-])(?:{'|'.join(map(re.escape, words))})(?![a-z-])")


def find_emotions(text: str) -> list[tuple[int, int, str]]:
    """Places in a text that name a feeling: (start, end, word in lower case), the longest where several match, in order."""
    return [(m.start(), m.end(), m[0]) for m in _feelings().finditer(text.lower())]


def parse(text: str) -> Instruction:
    """Read a transition instruction.

    Words for feelings outside the eight emotions ("sleepy") are replaced by the nearest of them, with a warning.

    Raises:
        ValueError: an empty or very long text, an unknown word where an expression is named ("from xyz to anger"),
            no expression at all, more than four, or a duration out of 0.2 to 20 s.
    """
    said = " ".join(text.split())
    if not said:
        raise ValueError('the instruction is empty; write e.g. "Turn this face from anger to happiness."')
    if len(said) > 1000:
        raise ValueError(f"the instruction has {len(said)} characters; at most 1000 are read")
    seconds, said = _take_duration(said)
    said = _HALF_FROM.sub(r"from \2 \1 to ", said)  # "half-way from a to b" is "from a half-way to b"
    said, warnings = _nearest(said)
    _refuse_unknown(said)
    body = _HOLD.sub(lambda m: " " * len(m[0]), said)
    via = bool(_VIA.search(body))
    body = _VIA.sub(lambda m: " " * len(m[0]), body)
    stages = _stages(body)
    if not stages:
        raise ValueError(f"the instruction names no expression: {text!r}; known: {_KNOWN}")
    if len(stages) > 4:
        raise ValueError(f"the instruction names {len(stages)} expressions; at most 4 can follow each other")
    if via:
        stages.insert(len(stages) - 1, _NEUTRAL)
    actions = tuple(n for n in dict.fromkeys(actions_in_text(said)) if n in ACTION)
    is_change = bool((_SEVERAL if len(stages) > 1 else _ONE).search(text))
    return Instruction(said, tuple(stages), via, seconds, warnings, actions, is_change)


parse_instruction = parse


def is_transition(text: str) -> bool:
    """Whether a sentence asks for a transition from one expression to another.

    It is strict: two feelings are named and joined as a change, or "this face" is made into one.
    """
    try:
        return parse(text).is_change
    except ValueError:
        return False


_EIGHT = ", ".join(EMOTIONS)
_KNOWN = f"{_EIGHT}, and words for them (furious, relieved, scared ...)"


def _nearest(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with words outside the eight emotions replaced by the nearest, and a warning for each."""
    warnings: list[str] = []
    for start, end, word in reversed(find_emotions(text)):
        if word not in emotion_of():
            nearest = outside()[word]
            plain = adjectives(nearest)[0].head if nearest != "neutral" and _adjectival(text, start) else nearest
            warnings.insert(0, f"{text[start:end]!r} is not one of the expressions known here ({_EIGHT}); "
                               f"{nearest} is the nearest and is used")
            text = text[:start] + plain + text[end:]
    return text, tuple(warnings)


def _adjectival(text: str, start: int) -> bool:
    word = _WORD.match(text, start)
    return word is not None and not word[0].lower().endswith(("ion", "ness", "ment", "dom", "ght", "ity", "hy", "ain"))


def _take_duration(text: str) -> tuple[float | None, str]:
    """The duration of the whole, taken out of the text; one that says how long something is held stays."""
    for match in _DURATION.finditer(text):
        before = text[:match.start()]
        if _KEEPING.search(re.split(r"[.;]", before)[-1]):
            continue
        number = match[1].lower()
        value = FRAMES.numbers[number] if number in FRAMES.numbers else float(number)
        value /= 1000.0 if match[2].lower().startswith("m") else 1.0
        if not 0.2 <= value <= 20.0:
            raise ValueError(f"the instruction asks for {value:g} s; allowed: 0.2 to 20 s")
        return value, (before + text[match.end():]).strip()
    return None, text


def _refuse_unknown(text: str) -> None:
    """An unknown word where an expression is expected is named, with the closest known ones."""
    spans = find_emotions(text)
    for match in _START.finditer(text):
        low, high = match.span(1)
        if not any(low <= s < high for s, _, _ in spans):
            _unknown(match[1])
    for match in _TARGET.finditer(text):
        low, high = match.span(2)
        if not any(s < high and low < e for s, e, _ in spans):
            _unknown(match[2])


def _unknown(word: str) -> NoReturn:
    words = sorted({*emotion_of(), *outside()}, key=lambda w: (-len(w), w))
    close = difflib.get_close_matches(word.lower().split()[-1], words, 3, 0.72)
    hint = f" (did you mean {' or '.join(close)}?)" if close else ""
    raise ValueError(f"{word!r} is not an expression known here{hint}; known: {_KNOWN}")


def _share(emotion: str, levels: frozenset[str], before: str) -> float:
    """The intensity of a word that names an emotion, given what stands before it."""
    if emotion == "neutral":
        return 1.0
    share = _SHARES[next(iter(levels))] if len(levels) == 1 else _SHARES["medium"]
    return next((v for adverb, v in reversed(_LEVEL.items()) if before.rstrip().endswith(adverb)), share)


def _stages(text: str) -> list[AskedStage]:
    stages: list[AskedStage] = []
    last_end = 0
    for start, end, word in find_emotions(text):
        emotion, levels = emotion_of()[word]
        before = text[last_end:start].lower()
        last_end = end
        percent = _PERCENT.search(before.rstrip())
        share = float(percent[1]) / 100.0 if percent else _share(emotion, levels, before)
        if percent and not 0.0 < share <= 1.0:
            raise ValueError(f"{percent[1]} % is not a share; allowed: above 0, up to 100")
        if stages and percent and _AND.fullmatch(before):
            stages[-1] = AskedStage((*stages[-1].blend, (emotion, share)), f"{stages[-1].words} and {word}")
            continue
        blend: Blend = ((emotion, share),)
        if any(h in before for h in FRAMES.half):
            mixed = (*(stages[-1].blend if stages else ()), *blend)
            blend = tuple((n, x / 2) for n, x in mixed if n != "neutral" or not stages) or blend
        stages.append(AskedStage(blend, word))
    return stages
