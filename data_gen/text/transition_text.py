"""Transition instructions: written from a plan, and read back.

Reading is by words, for checks, warnings and durations; what a face then does is the language model's
own reading of the sentence.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

import numpy as np

from ...face.facs.vocabulary import EMOTIONS
from ..performer.transitions import Plan
from .lexicon import EMOTION_ADV, EMOTION_QUANT
from .phrases import Phrase, article
from .transition_words import (
    HALF,
    PAIR_FRAMES,
    QUICK,
    SINGLE_FRAMES,
    SLOW,
    TEMPLATES,
    TRIPLE_FRAMES,
    VIA,
    adjectives,
    emotion_of,
    nouns,
    outside,
)

_SUBJECTS = (("She", "she", "her", "her"), ("He", "he", "him", "his"), ("They", "they", "them", "their"))
_NUMBERS = {"half a": 0.5, "one": 1.0, "a": 1.0, "one and a half": 1.5, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0}


_MEASURED = re.compile(r"(?:to|become|becomes|turns|be|into|end) \{[bcBC]\}|Make .*\{B\}|^\{?Now")
"""Frames in which a percentage or "half-way" can stand before the last expression."""


# -- writing ----------------------------------------------------------------------------
def instruction(a: str, b: str, template: int = 0) -> str:
    """One of the paper's five sentences (Table I) for two emotions.

    Raises:
        ValueError: unknown emotions or template.
    """
    for name in (a, b):
        if name not in EMOTIONS:
            raise ValueError(f"unknown emotion {name!r}; known: {', '.join(EMOTIONS)}")
    if not 0 <= template < len(TEMPLATES):
        raise ValueError(f"template is {template}; allowed: 0 to {len(TEMPLATES) - 1}")
    return TEMPLATES[template].format(a=a, b=b)


def paraphrase(a: str, b: str, rng: np.random.Generator, split: str = "test") -> str:
    """A free wording of "from a to b": with ``split="test"`` a frame that no training example has, and now and
    then a word that none has; otherwise one of the training frames."""
    plan = Plan((((a, "medium"),), ((b, "medium"),)))
    return word_plan(plan, rng, split, templates=0.0)


def word_plan(plan: Plan, rng: np.random.Generator, split: str = "train", templates: float = 0.3) -> str:
    """A wording of a plan.

    Args:
        plan: what the transition is.
        rng: source of randomness.
        split: ``test`` uses held-out frames, and held-out words in half of the cases.
        templates: share of plain pairs in one of the five templates of Table I.
    """
    test = split == "test"
    plain = len(plan.blends) == 2 and all(len(b) == 1 and b[0][1] == "medium" for b in plan.blends) and not (
        plan.via_neutral or plan.half or plan.speed or plan.holds)
    if plain and rng.random() < templates:
        return instruction(plan.blends[0][0][0], plan.blends[1][0][0], int(rng.integers(len(TEMPLATES))))
    frames = {1: SINGLE_FRAMES, 2: (*TEMPLATES, *PAIR_FRAMES), 3: TRIPLE_FRAMES}[len(plan.blends)]
    frames = tuple(f[1:] if test else f for f in frames if f.startswith("*") == test)
    mixed = any(len(b) > 1 or isinstance(b[0][1], int) for b in plan.blends)
    if mixed or plan.half:  # percentages and half-ways are adjectives or nouns behind "to"
        frames = tuple(f for f in frames if _MEASURED.search(f) and "{a!}" not in f)
    frame = str(rng.choice(frames))
    subject = _SUBJECTS[int(rng.integers(len(_SUBJECTS)))]
    slots: dict[str, str] = {}
    said: list[str] = []
    for letter, blend in zip("abc" if len(plan.blends) > 1 else "b", plan.blends, strict=False):
        as_noun = f"{{{letter}}}" in frame or f"{{{letter}!}}" in frame
        text = _blend_words(blend, rng, as_noun, test)
        said.append(text)
        slots[letter if as_noun else letter.upper()] = text
    if plan.half:
        last = "bc"[len(plan.blends) - 2]
        half = str(rng.choice(HALF))
        frame = re.sub(rf"\b(to|into) (\{{{last}\}}|\{{{last.upper()}\}})", rf"{half} \1 \2", frame)
        if half not in frame:
            slots[last if last in slots else last.upper()] = f"{half} {said[-1]}"
    text = _fill(frame, slots, subject)
    end = text[-1]
    body = text.rstrip(".?")
    if plan.via_neutral:
        body += _choose(rng, VIA, test)
    if plan.speed:
        word = _choose(rng, SLOW if plan.speed == "slow" else QUICK, test)
        body = f"{word.capitalize()} {body[0].lower()}{body[1:]}" if rng.random() < 0.4 and not body.startswith("I ") \
            else f"{body}{',' if rng.random() < 0.4 else ''} {word}"
    out = body + (end if end in ".?" else ".")
    for index, seconds in plan.holds.items():
        number = next((k for k, v in _NUMBERS.items() if v == seconds and rng.random() < 0.5), f"{seconds:g}")
        what = re.sub(r"^\d+ ?(?:%|percent) |^an? (?!little|bit|hint)", "", said[index].split(" and ")[0])
        letter = "abc"[index] if len(plan.blends) > 1 else "b"
        frames = ("Hold the {w}", "Keep the {w}") if letter in slots else ("Stay {w}", "Keep looking {w}")
        out += f" {str(rng.choice(frames)).replace('{w}', what)} for {number} {'second' if seconds <= 1 else 'seconds'}."
    return out


def _choose(rng: np.random.Generator, options: tuple[str, ...], test: bool) -> str:
    kept = [o[1:] if test else o for o in options if o.startswith("*") == test]
    return str(rng.choice(kept or [o for o in options if not o.startswith("*")]))


def _blend_words(blend: tuple[tuple[str, str | int], ...], rng: np.random.Generator, as_noun: bool, test: bool) -> str:
    parts = []
    for emotion, said in blend:
        if isinstance(said, int):
            sign = "%" if rng.random() < 0.6 else " percent"
            parts.append(f"{said}{sign} {_plain(emotion, rng, as_noun)}".replace("%  ", "% "))
        else:
            parts.append(_word(emotion, said, rng, as_noun, test))
    return " and ".join(parts)


def _plain(emotion: str, rng: np.random.Generator, as_noun: bool) -> str:
    pool = [p for p in (nouns if as_noun else adjectives)(emotion, False) if len(p.levels) == 3 and " " not in p.head]
    return str(rng.choice([p.head for p in pool[:4]])) if pool else emotion


def _word(emotion: str, level: str, rng: np.random.Generator, as_noun: bool, test: bool) -> str:
    """A word or two for an emotion at a strength."""
    held = test and emotion != "neutral" and rng.random() < 0.5
    options = (nouns if as_noun else adjectives)(emotion, held)
    fit = [p for p in options if level in p.levels] or list((nouns if as_noun else adjectives)(emotion, False)[:1])
    if emotion == "neutral":
        return str(rng.choice([p.head for p in fit[:8]]))
    # the first word is the plain one and comes often; a word that says a strength needs no adverb
    pick: Phrase = fit[0] if rng.random() < 0.35 and not held else fit[int(rng.integers(len(fit)))]
    if level == "medium" or (level in pick.levels and len(pick.levels) == 1):
        return pick.head
    graded = EMOTION_QUANT[level] if as_noun else EMOTION_ADV[level]
    if as_noun and " " in pick.head:
        return pick.head
    return f"{rng.choice(graded)} {pick.head}"


def _fill(frame: str, slots: Mapping[str, str], subject: tuple[str, str, str, str]) -> str:
    text = frame
    if subject[0] == "They":
        for verb, plural in (("goes", "go"), ("looks", "look"), ("turns", "turn"), ("becomes", "become"),
                             ("starts", "start"), ("ends", "end"), ("is ", "are "), ("was ", "were ")):
            text = re.sub(rf"((?:\{{S\}}|\{{s\}}|then|but) (?:then )?){verb}", rf"\1{plural}", text)
    for letter in "abc":
        word = slots.get(letter, "")
        text = text.replace(f"{{{letter}!}}", word[:1].upper() + word[1:]).replace(f"{{{letter}}}", word)
    for letter in "ABC":
        word = slots.get(letter, "")
        text = text.replace(f"a {{{letter}}}", f"{article(word)} {{{letter}}}").replace(f"{{{letter}}}", word)
    text = text.replace("{S}", subject[0]).replace("{s}", subject[1]).replace("{o}", subject[2])
    text = text.replace("{p!}", subject[3].capitalize()).replace("{p}", subject[3])
    return text


# -- reading ----------------------------------------------------------------------------
@dataclass(frozen=True)
class AskedStage:
    """An expression that an instruction names.

    Attributes:
        blend: emotions with intensities, 0 to 1.
        words: how it was said.
    """

    blend: tuple[tuple[str, float], ...]
    words: str

    @property
    def name(self) -> str:
        return max(self.blend, key=lambda item: item[1])[0]


@dataclass(frozen=True)
class TransitionRequest:
    """What an instruction asks.

    Attributes:
        text: the instruction for the language model: durations taken out, words outside the eight emotions
            replaced by the nearest.
        stages: the named expressions in order, a neutral one on the way included.
        via_neutral: a neutral face was asked for between the first and the last.
        seconds: the asked duration, or None.
        warnings: one sentence for each word that was replaced.
    """

    text: str
    stages: tuple[AskedStage, ...]
    via_neutral: bool
    seconds: float | None
    warnings: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(s.name for s in self.stages)


_VIA = re.compile(
    r"(?:,?\s*(?:via|through|by way of|passing through)\s+(?:a\s+|the\s+)?(?:neutral|resting|rest|relaxed)"
    r"(?:\s+(?:face|expression|state))?(?:\s+in between)?|\s*with\s+(?:a\s+|the\s+)?(?:neutral|resting|relaxed)\s+"
    r"(?:face|expression|state)\s+in between|,?\s*relaxing in between)", re.IGNORECASE)
_DURATION = re.compile(
    r"[,\s]*\b(?:in|over|within|during|lasting|taking|for)\s+(?:about\s+|exactly\s+)?(\d+(?:\.\d+)?|half a|one and a half|"
    r"one|a|two|three|four|five)\s*(seconds?|secs?|s|milliseconds?|ms)\b", re.IGNORECASE)
_HOLD = re.compile(r"\b(?:hold|holding|keep|keeping|stay|staying)\b[^.]*", re.IGNORECASE)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|per ?cent)\s*$", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+(?:[-'][a-z]+)*", re.IGNORECASE)
_LEVEL: dict[str, float] = {}
for _level, _value in (("slight", 0.45), ("strong", 1.0)):
    for _text in (*EMOTION_ADV[_level], *EMOTION_QUANT[_level]):
        _LEVEL[_text] = _value
_TARGET = re.compile(r"\b(?:to|into)\s+((?:a |an |very |slightly |half-way )*)([a-z][a-z-]+)(?=[.,;!?]|$)", re.IGNORECASE)
_START = re.compile(r"\bfrom\s+((?:[a-z-]+\s+){0,3}?[a-z-]+)\s+(?:to|into|through)\b", re.IGNORECASE)
_HALF_FROM = re.compile(r"\b(half[- ]?way)\s+from\s+(.+?)\s+(?:to|into)\s+", re.IGNORECASE)
_AND = re.compile(r"[\s,]*(?:and|plus|,|&)\s*(?:\d+(?:\.\d+)?\s*(?:%|per ?cent))?\s*")


@cache
def _vocabulary() -> tuple[tuple[str, ...], dict[str, tuple[str, frozenset[str]]], dict[str, str]]:
    known, other = emotion_of(), outside()
    words = sorted({*known, *other}, key=lambda w: (-len(w), w))
    return tuple(words), known, other


def known_words() -> str:
    """The eight emotions, for messages."""
    return ", ".join(EMOTIONS)


def find_emotions(text: str) -> list[tuple[int, int, str]]:
    """Places in a text that name a feeling: (start, end, word in lower case), longest match first, in order."""
    words, _, _ = _vocabulary()
    low = text.lower()
    taken = np.zeros(len(low), bool)
    found = []
    for word in words:
        for match in re.finditer(rf"(?<![a-z-]){re.escape(word)}(?![a-z-])", low):
            if not taken[match.start():match.end()].any():
                taken[match.start():match.end()] = True
                found.append((match.start(), match.end(), word))
    return sorted(found)


def parse_instruction(text: str) -> TransitionRequest:
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
    _, known, other = _vocabulary()
    warnings: list[str] = []
    for start, end, word in reversed(find_emotions(said)):
        if word not in known:
            nearest = other[word]
            plain = "neutral" if nearest == "neutral" else adjectives(nearest)[0].head if _adjectival(said, start) else nearest
            warnings.insert(0, f"{said[start:end]!r} is not one of the expressions known here ({known_words()}); "
                               f"{nearest} is the nearest and is used")
            said = said[:start] + plain + said[end:]
    _refuse_unknown(said)
    body = _HOLD.sub(lambda m: " " * len(m[0]), said)
    via = bool(_VIA.search(body))
    body = _VIA.sub(lambda m: " " * len(m[0]), body)
    found = find_emotions(body)
    if not found:
        raise ValueError(f"the instruction names no expression: {text!r}; known: {known_words()}, and words for them "
                         "(furious, relieved, scared ...)")
    stages = _stages(body, found)
    if len(stages) > 4:
        raise ValueError(f"the instruction names {len(stages)} expressions; at most 4 can follow each other")
    if via:
        stages.insert(len(stages) - 1, AskedStage((("neutral", 1.0),), "neutral"))
    return TransitionRequest(said, tuple(stages), via, seconds, tuple(warnings))


def is_transition(text: str) -> bool:
    """Whether a sentence asks for a transition from one expression to another (strict: two feelings named and
    joined as a change, or "this face" made into one)."""
    try:
        request = parse_instruction(text)
    except ValueError:
        return False
    if len([s for s in request.stages if s.words]) >= 2 or request.via_neutral:
        return bool(re.search(r"\bfrom\b.*\b(?:to|into|through)\b|\b(?:turn|change|convert)s?\b.*\b(?:to|into)\b|\bmelts? into\b"
                              r"|\bgives? way to\b|\bthis face\b", text, re.IGNORECASE))
    return bool(re.search(r"\b(?:turn|change|transform|morph|modify|make|bring)\b.*\b(?:this|the) (?:face|expression)\b"
                          r"|\bnow (?:change|turn|make) it\b", text, re.IGNORECASE))


def _adjectival(text: str, start: int) -> bool:
    word = _WORD.match(text, start)
    return word is not None and not word[0].lower().endswith(("ion", "ness", "ment", "dom", "ght", "ity", "hy", "ain"))


def _take_duration(text: str) -> tuple[float | None, str]:
    """The duration of the whole, taken out of the text; one that says how long something is held stays."""
    for match in _DURATION.finditer(text):
        before = text[:match.start()]
        clause = re.split(r"[.;]", before)[-1]
        if re.search(r"\b(?:hold|holding|keep|keeping|stay|staying)\b", clause, re.IGNORECASE):
            continue
        number = match[1].lower()
        value = _NUMBERS[number] if number in _NUMBERS else float(number)
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
    close = difflib.get_close_matches(word.lower().split()[-1], _vocabulary()[0], 3, 0.72)
    hint = f" (did you mean {' or '.join(close)}?)" if close else ""
    raise ValueError(f"{word!r} is not an expression known here{hint}; known: {known_words()}, and words for them "
                     "(furious, relieved, scared ...)")


def _stages(text: str, found: list[tuple[int, int, str]]) -> list[AskedStage]:
    _, known, _ = _vocabulary()
    stages: list[AskedStage] = []
    last_end = 0
    half = False
    for start, end, word in found:
        emotion, levels = known[word]
        before = text[last_end:start].lower()
        percent = _PERCENT.search(before.rstrip())
        if percent:
            share = float(percent[1]) / 100.0
            if not 0.0 < share <= 1.0:
                raise ValueError(f"{percent[1]} % is not a share; allowed: above 0, up to 100")
        elif emotion == "neutral":
            share = 1.0
        else:
            own = {"slight": 0.45, "medium": 0.7, "strong": 1.0}
            share = own[next(iter(levels))] if len(levels) == 1 else 0.7
            for adverb, value in _LEVEL.items():
                if before.rstrip().endswith(adverb):
                    share = value
        joined = bool(stages) and _AND.fullmatch(before) is not None
        if joined and percent:
            stages[-1] = AskedStage((*stages[-1].blend, (emotion, share)), f"{stages[-1].words} and {word}")
        else:
            half = any(h in before for h in HALF)
            blend: tuple[tuple[str, float], ...] = ((emotion, share),)
            if half and stages:
                blend = tuple((n, x / 2) for n, x in (*stages[-1].blend, *blend) if n != "neutral") or blend
            elif half:
                blend = ((emotion, share / 2),)
            stages.append(AskedStage(blend, word))
        last_end = end
    return stages
