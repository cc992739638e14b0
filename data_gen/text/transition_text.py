"""Transition instructions: written from a plan, and read back as stages, duration and warnings.

Reading is by words: expressions with their strengths, holds and durations, the speed, and actions beside them.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping
from functools import cache
from typing import NoReturn

import numpy as np
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from ...face.facs.poses import ACTION_POSES
from ...face.facs.schedule import LEVELS
from ...face.facs.script import MAX_SECONDS, SPEEDS
from ...face.facs.vocabulary import ACTION, EMOTIONS
from ..performer.transitions import EMOTION_CHANNELS, Plan, Stage
from ..tables import read_table
from .lexicon import EMOTION_ADV, EMOTION_QUANT, adjectives, article, emotion_of, nouns, outside
from .parser import actions_in_text


@dataclass(frozen=True, config=SETTINGS)
class _Words:
    templates: tuple[str, ...]
    pairs: tuple[str, ...]
    singles: tuple[str, ...]
    triples: tuple[str, ...]
    via: tuple[str, ...]
    slow: tuple[str, ...]
    quick: tuple[str, ...]
    half: tuple[str, ...]
    subjects: tuple[tuple[str, str, str, str], ...]
    plural: dict[str, str]
    numbers: dict[str, float]
    holds: dict[str, tuple[str, ...]]
    reading: dict[str, str]


FRAMES = read_table(__package__, "words/transitions.yaml", _Words)
"""Frames and words of the instructions; the notation is described at the head of ``words/transitions.yaml``."""
TEMPLATES: tuple[str, ...] = FRAMES.templates
"""Table I of Vo et al., https://arxiv.org/abs/2601.08179; ``{a}`` and ``{b}`` take the nouns of the eight emotions."""
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
    """A free wording of "from a to b".

    With ``split="test"`` it is a frame that no training example has, and now and then a word that none has;
    otherwise one of the training frames.
    """
    return word_plan(Plan((((a, "medium"),), ((b, "medium"),))), rng, split, templates=0.0)


def word_plan(plan: Plan, rng: np.random.Generator, split: str = "train", templates: float = 0.3) -> str:
    """A wording of a plan.

    Args:
        plan: what the transition is.
        rng: source of randomness.
        split: ``test`` uses held-out frames, and held-out words in half of the cases.
        templates: share of plain pairs in one of the five templates of Table I.
    """
    test = split == "test"
    if plan.plain and len(plan.blends) == 2 and rng.random() < templates:
        return instruction(plan.blends[0][0][0], plan.blends[1][0][0], int(rng.integers(len(TEMPLATES))))
    frame = str(rng.choice(_frames(plan, test)))
    subject = FRAMES.subjects[int(rng.integers(len(FRAMES.subjects)))]
    slots: dict[str, str] = {}
    letters = "abc" if len(plan.blends) > 1 else "b"
    for letter, blend in zip(letters, plan.blends, strict=False):
        as_noun = f"{{{letter}}}" in frame or f"{{{letter}!}}" in frame
        slots[letter if as_noun else letter.upper()] = _blend_words(blend, rng, as_noun, test)
    said = list(slots.items())
    if plan.half:
        last, words = said[-1]
        half = str(rng.choice(FRAMES.half))
        frame = re.sub(rf"\b(to|into) (\{{{last.lower()}\}}|\{{{last.upper()}\}})", rf"{half} \1 \2", frame)
        if half not in frame:
            slots[last] = f"{half} {words}"
    text = _fill(frame, slots, subject)
    body, end = text.rstrip(".?"), text[-1]
    if plan.via_neutral:
        body += _choose(rng, FRAMES.via, test)
    if plan.speed:
        word = _choose(rng, FRAMES.slow if plan.speed == "slow" else FRAMES.quick, test)
        body = f"{word.capitalize()} {body[0].lower()}{body[1:]}" if rng.random() < 0.4 and not body.startswith("I ") \
            else f"{body}{',' if rng.random() < 0.4 else ''} {word}"
    out = body + (end if end in ".?" else ".")
    for index, seconds in plan.holds.items():
        slot, words = said[index]
        out += _hold(words, seconds, slot.islower(), rng)
    return out


def _frames(plan: Plan, test: bool) -> tuple[str, ...]:
    """The frames that suit a plan, of the training or of the test split."""
    frames = {1: FRAMES.singles, 2: (*TEMPLATES, *FRAMES.pairs), 3: FRAMES.triples}[len(plan.blends)]
    frames = tuple(f[1:] if test else f for f in frames if f.startswith("*") == test)
    if plan.half or any(len(b) > 1 or isinstance(b[0][1], int) for b in plan.blends):
        # percentages and half-ways are adjectives or nouns behind "to"
        frames = tuple(f for f in frames if _MEASURED.search(f) and "{a!}" not in f)
    return frames


def _hold(said: str, seconds: float, as_noun: bool, rng: np.random.Generator) -> str:
    number = next((k for k, v in FRAMES.numbers.items() if v == seconds and rng.random() < 0.5), f"{seconds:g}")
    what = re.sub(r"^\d+ ?(?:%|percent) |^an? (?!little|bit|hint)", "", said.split(" and ")[0])
    frame = str(rng.choice(FRAMES.holds["noun" if as_noun else "adjective"]))
    return f" {frame.replace('{w}', what)} for {number} {'second' if seconds <= 1 else 'seconds'}."


def _choose(rng: np.random.Generator, options: tuple[str, ...], test: bool) -> str:
    kept = [o[1:] if test else o for o in options if o.startswith("*") == test]
    return str(rng.choice(kept or [o for o in options if not o.startswith("*")]))


def _blend_words(blend: tuple[tuple[str, str | int], ...], rng: np.random.Generator, as_noun: bool, test: bool) -> str:
    parts = []
    for emotion, said in blend:
        if isinstance(said, str):
            parts.append(_word(emotion, said, rng, as_noun, test))
            continue
        sign = "%" if rng.random() < 0.6 else " percent"
        plain = [p.head for p in (nouns if as_noun else adjectives)(emotion, False)
                 if len(p.levels) == 3 and " " not in p.head]
        parts.append(f"{said}{sign} {rng.choice(plain[:4])}")
    return " and ".join(parts)


def _word(emotion: str, level: str, rng: np.random.Generator, as_noun: bool, test: bool) -> str:
    """A word or two for an emotion at a strength."""
    held = test and emotion != "neutral" and rng.random() < 0.5
    words = nouns if as_noun else adjectives
    fit = [p for p in words(emotion, held) if level in p.levels] or list(words(emotion, False)[:1])
    if emotion == "neutral":
        return str(rng.choice([p.head for p in fit[:8]]))
    # the first word is the plain one and comes often; a word that says a strength needs no adverb
    pick = fit[0] if rng.random() < 0.35 and not held else fit[int(rng.integers(len(fit)))]
    if level == "medium" or pick.says_level or as_noun and " " in pick.head:
        return pick.head
    return f"{rng.choice((EMOTION_QUANT if as_noun else EMOTION_ADV)[level])} {pick.head}"


def _fill(frame: str, slots: Mapping[str, str], subject: tuple[str, str, str, str]) -> str:
    text = frame
    if subject[0] == "They":
        for verb, plural in FRAMES.plural.items():
            text = re.sub(rf"((?:\{{S\}}|\{{s\}}|then|but) (?:then )?){verb}", rf"\1{plural}", text)
    for slot, word in slots.items():
        if slot.isupper():
            text = text.replace(f"a {{{slot}}}", f"{article(word)} {{{slot}}}")
        text = text.replace(f"{{{slot}!}}", word[:1].upper() + word[1:]).replace(f"{{{slot}}}", word)
    for slot, word in zip(("{S}", "{s}", "{o}", "{p}", "{p!}"), (*subject, subject[3].capitalize()), strict=True):
        text = text.replace(slot, word)
    return text


# -- reading ----------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Expression:
    """An expression that an instruction names; what is None was not said.

    Attributes:
        blend: emotions with their strengths, 0 to 1.
        hold: seconds that it is held.
    """

    blend: tuple[tuple[str, float | None], ...]
    hold: float | None = None

    @property
    def stage(self) -> Stage:
        """The expression with the usual strengths where none were said."""
        return Stage(tuple((n, x if x is not None else 1.0 if n == "neutral" else LEVELS["medium"]) for n, x in self.blend))


@dataclasses.dataclass(frozen=True)
class Instruction:
    """What an instruction asks.

    Attributes:
        text: the instruction with its duration taken out, and words outside the eight emotions replaced by the nearest.
        expressions: the named expressions in order, a neutral one on the way (``via_neutral``) included.
        seconds: the asked duration, or None.
        warnings: one sentence for each word that was replaced.
        actions: what it names beside expressions ("nod"), by the names of ``vocabulary.ACTION``.
        is_change: it says that one expression becomes another, or that "this face" becomes one.
        speed: how fast the expressions come, 1 being usual; None where it is not said.
    """

    text: str
    expressions: tuple[Expression, ...]
    via_neutral: bool
    seconds: float | None
    warnings: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    is_change: bool = False
    speed: float | None = None

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The expressions as stages of a transition."""
        return tuple(e.stage for e in self.expressions)

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
        return dataclasses.replace(self, text=f"{first.rstrip(' ?!')} via neutral{mark or '.'}{rest}", via_neutral=True,
                                   expressions=(*self.expressions[:-1], _NEUTRAL, self.expressions[-1]))


_NEUTRAL = Expression((("neutral", None),))
_LEVEL = {text: LEVELS[level] for level in ("slight", "strong") for text in (*EMOTION_ADV[level], *EMOTION_QUANT[level])}
_RE = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in FRAMES.reading.items()}


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
            no expression at all, more than four, or a duration out of 0.2 to 600 s.
    """
    said = " ".join(text.split())
    if not said:
        raise ValueError('the instruction is empty; write e.g. "Turn this face from anger to happiness."')
    if len(said) > 1000:
        raise ValueError(f"the instruction has {len(said)} characters; at most 1000 are read")
    seconds, said = _take_duration(said)
    said = _RE["half_from"].sub(r"from \2 \1 to ", said)  # "half-way from a to b" is "from a half-way to b"
    said, warnings = _nearest(said)
    _refuse_unknown(said)
    body = _without_holds(said)
    via = bool(_RE["via"].search(body))
    body = _RE["via"].sub(lambda m: " " * len(m[0]), body)
    stages, starts = _expressions(body)
    if not stages:
        raise ValueError(f"the instruction names no expression: {text!r}; known: {_KNOWN}")
    if len(stages) > 4:
        raise ValueError(f"the instruction names {len(stages)} expressions; at most 4 can follow each other")
    stages = _held(stages, starts, said)
    if via:
        stages.insert(len(stages) - 1, _NEUTRAL)
    actions = tuple(n for n in dict.fromkeys(actions_in_text(said)) if n in ACTION)
    is_change = bool((_RE["several"] if len(stages) > 1 else _RE["one"]).search(text))
    return Instruction(said, tuple(stages), via, seconds, warnings, actions, is_change, _speed(body))


def _speed(text: str) -> float | None:
    for words, name in ((FRAMES.slow, "slow"), (FRAMES.quick, "fast")):
        if re.search(rf"\b(?:{'|'.join(w.lstrip('*') for w in words)})\b", text, re.IGNORECASE):
            return SPEEDS[name]
    return None


def _without_holds(text: str) -> str:
    """The text with blanks for clauses that say how long an expression is held which is named outside of them."""
    bare = _RE["hold"].sub(lambda m: " " * len(m[0]), text)
    named = {emotion_of()[word][0] for *_, word in find_emotions(bare)}

    def clause(match: re.Match[str]) -> str:
        held = [emotion_of()[word][0] for *_, word in find_emotions(match[0])]
        return " " * len(match[0]) if named and set(held) <= named else match[0]

    return _RE["hold"].sub(clause, text)


def _held(expressions: list[Expression], starts: list[int], text: str) -> list[Expression]:
    """The expressions with how long each is held: the one that a clause names, else the last before it."""
    out = list(expressions)
    for match in _RE["hold"].finditer(text):
        if not (time := _RE["duration"].search(match[0])):
            continue
        named = [emotion_of()[word][0] for *_, word in find_emotions(match[0])]
        at = [k for k, e in enumerate(out) if named and named[0] in dict(e.blend)][-1:] or (
            range(len(out)) if re.search(r"\b(?:each|every|all)\b", match[0], re.IGNORECASE)
            else [max(sum(s < match.start() for s in starts) - 1, 0)])
        for k in at:
            out[k] = dataclasses.replace(out[k], hold=_number_of_seconds(time))
    return out


def _number_of_seconds(match: re.Match[str]) -> float:
    number = match[1].lower()
    value = FRAMES.numbers[number] if number in FRAMES.numbers else float(number)
    return value / (1000.0 if match[2].lower().startswith("m") else 1.0)


_EIGHT = ", ".join(EMOTIONS)
_KNOWN = f"{_EIGHT}, and words for them (furious, relieved, scared ...)"


def _nearest(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with words outside the eight emotions replaced by the nearest, and a warning for each."""
    warnings: list[str] = []
    for start, end, word in reversed(find_emotions(text)):
        if word not in emotion_of():
            nearest = outside()[word]
            first = _RE["word"].match(text, start)
            noun = first is None or first[0].lower().endswith(("ion", "ness", "ment", "dom", "ght", "ity", "hy", "ain"))
            plain = nearest if nearest == "neutral" or noun else adjectives(nearest)[0].head
            warnings.insert(0, f"{text[start:end]!r} is not one of the expressions known here ({_EIGHT}); "
                               f"{nearest} is the nearest and is used")
            text = text[:start] + plain + text[end:]
    return text, tuple(warnings)


def _take_duration(text: str) -> tuple[float | None, str]:
    """The duration of the whole, taken out of the text; one that says how long something is held stays."""
    for match in _RE["duration"].finditer(text):
        before = text[:match.start()]
        if _RE["keeping"].search(re.split(r"[.;]", before)[-1]):
            continue
        value = _number_of_seconds(match)
        if not 0.2 <= value <= MAX_SECONDS:
            raise ValueError(f"the instruction asks for {value:g} s; allowed: 0.2 to {MAX_SECONDS:g} s")
        return value, (before + text[match.end():]).strip()
    return None, text


def _refuse_unknown(text: str) -> None:
    """An unknown word where an expression is expected is named, with the closest known ones."""
    spans = find_emotions(text)
    for expected, group in (("start", 1), ("target", 2)):
        for match in _RE[expected].finditer(text):
            low, high = match.span(group)
            if not any(start < high and low < end for start, end, _ in spans):
                _unknown(match[group])


def _unknown(word: str) -> NoReturn:
    words = sorted({*emotion_of(), *outside()}, key=lambda w: (-len(w), w))
    close = difflib.get_close_matches(word.lower().split()[-1], words, 3, 0.72)
    hint = f" (did you mean {' or '.join(close)}?)" if close else ""
    raise ValueError(f"{word!r} is not an expression known here{hint}; known: {_KNOWN}")


def _share(emotion: str, levels: frozenset[str], before: str) -> float | None:
    """The strength of a word that names an emotion, given what stands before it; None where neither says one."""
    if emotion == "neutral":
        return None
    share = LEVELS[next(iter(levels))] if len(levels) == 1 else None
    return next((v for adverb, v in reversed(_LEVEL.items()) if before.rstrip().endswith(adverb)), share)


def _expressions(text: str) -> tuple[list[Expression], list[int]]:
    """The named expressions, and where in the text each begins."""
    found: list[Expression] = []
    starts: list[int] = []
    last_end = 0
    for start, end, word in find_emotions(text):
        emotion, levels = emotion_of()[word]
        before = text[last_end:start].lower()
        last_end = end
        percent = _RE["percent"].search(before.rstrip())
        share = float(percent[1]) / 100.0 if percent else _share(emotion, levels, before)
        if percent and not 0.0 < float(percent[1]) <= 100.0:
            raise ValueError(f"{percent[1]} % is not a share; allowed: above 0, up to 100")
        if found and percent and _RE["and"].fullmatch(before):
            found[-1] = Expression((*found[-1].blend, (emotion, share)))
            continue
        blend: tuple[tuple[str, float | None], ...] = ((emotion, share),)
        if any(h in before for h in FRAMES.half):
            mixed = (*(found[-1].stage.blend if found else ()), *Expression(blend).stage.blend)
            blend = tuple((n, x / 2) for n, x in mixed if n != "neutral" or not found) or blend
        found.append(Expression(blend))
        starts.append(start)
    return found, starts
