"""Transition instructions written from a plan: templates, frames, and how an expression is named in them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from ...face.facs.vocabulary import EMOTIONS
from ..performer.transitions import Plan
from ..tables import read_table
from .feelings import adjectives, nouns
from .lexicon import EMOTION_ADV, EMOTION_QUANT
from .phrases import Phrase, article


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


FRAMES = read_table(__package__, "words/transitions.yaml", _Words)
"""Frames and words of the instructions; the notation is described at the head of ``words/transitions.yaml``."""
TEMPLATES: tuple[str, ...] = FRAMES.templates
"""Table I of Vo et al., https://arxiv.org/abs/2601.08179; ``{a}`` and ``{b}`` take the nouns of the eight emotions."""
_MEASURED = re.compile(r"(?:to|become|becomes|turns|be|into|end) \{[bcBC]\}|Make .*\{B\}|^\{?Now")
"""Frames in which a percentage or "half-way" can stand before the last expression."""


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
    if plan.plain and len(plan.blends) == 2 and rng.random() < templates:
        return instruction(plan.blends[0][0][0], plan.blends[1][0][0], int(rng.integers(len(TEMPLATES))))
    frame = str(rng.choice(_frames(plan, test)))
    subject = FRAMES.subjects[int(rng.integers(len(FRAMES.subjects)))]
    slots: dict[str, str] = {}
    said: list[str] = []
    letters = "abc" if len(plan.blends) > 1 else "b"
    for letter, blend in zip(letters, plan.blends, strict=False):
        as_noun = f"{{{letter}}}" in frame or f"{{{letter}!}}" in frame
        said.append(_blend_words(blend, rng, as_noun, test))
        slots[letter if as_noun else letter.upper()] = said[-1]
    if plan.half:
        last = letters[len(plan.blends) - 1]
        half = str(rng.choice(FRAMES.half))
        frame = re.sub(rf"\b(to|into) (\{{{last}\}}|\{{{last.upper()}\}})", rf"{half} \1 \2", frame)
        if half not in frame:
            slots[last if last in slots else last.upper()] = f"{half} {said[-1]}"
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
        out += _hold(said[index], seconds, letters[index] in slots, rng)
    return out


def _frames(plan: Plan, test: bool) -> tuple[str, ...]:
    """The frames that suit a plan, of the training or of the test split."""
    frames = {1: FRAMES.singles, 2: (*TEMPLATES, *FRAMES.pairs), 3: FRAMES.triples}[len(plan.blends)]
    frames = tuple(f[1:] if test else f for f in frames if f.startswith("*") == test)
    mixed = any(len(b) > 1 or isinstance(b[0][1], int) for b in plan.blends)
    if mixed or plan.half:  # percentages and half-ways are adjectives or nouns behind "to"
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
    words = nouns if as_noun else adjectives
    fit = [p for p in words(emotion, held) if level in p.levels] or list(words(emotion, False)[:1])
    if emotion == "neutral":
        return str(rng.choice([p.head for p in fit[:8]]))
    # the first word is the plain one and comes often; a word that says a strength needs no adverb
    pick: Phrase = fit[0] if rng.random() < 0.35 and not held else fit[int(rng.integers(len(fit)))]
    if level == "medium" or pick.says_level and level in pick.levels or as_noun and " " in pick.head:
        return pick.head
    return f"{rng.choice((EMOTION_QUANT if as_noun else EMOTION_ADV)[level])} {pick.head}"


def _fill(frame: str, slots: Mapping[str, str], subject: tuple[str, str, str, str]) -> str:
    text = frame
    if subject[0] == "They":
        for verb, plural in FRAMES.plural.items():
            text = re.sub(rf"((?:\{{S\}}|\{{s\}}|then|but) (?:then )?){verb}", rf"\1{plural}", text)
    for letter in "abc":
        word = slots.get(letter, "")
        text = text.replace(f"{{{letter}!}}", word[:1].upper() + word[1:]).replace(f"{{{letter}}}", word)
    for letter in "ABC":
        word = slots.get(letter, "")
        text = text.replace(f"a {{{letter}}}", f"{article(word)} {{{letter}}}").replace(f"{{{letter}}}", word)
    for slot, word in zip(("{S}", "{s}", "{o}", "{p}", "{p!}"), (*subject, subject[3].capitalize()), strict=True):
        text = text.replace(slot, word)
    return text
