"""The words of transition instructions: templates, frames, and how an expression is named in them.

The five templates are those of Vo et al., "Instruction-Driven 3D Facial Expression Generation and
Transition", IEEE TMM 2025, https://arxiv.org/abs/2601.08179, Table I. Frames marked ``*`` are never
used in training; ``paraphrase`` of the test split draws from them.

A frame's slots: ``{a}``, ``{b}``, ``{c}`` are nouns ("anger"), ``{A}``, ``{B}``, ``{C}`` adjectives
("angry"), ``{S}``, ``{s}`` the subject ("She", "she"), ``{o}`` the object ("her"), ``{p}`` the possessive.
"""

from __future__ import annotations

from functools import cache

from ...face.facs.vocabulary import EMOTIONS
from ..prompts.words import FAMILIES, OTHER, WORDS
from .lexicon import EMOTION_ADJECTIVES, EMOTION_NOUNS
from .phrases import Phrase, split_word

TEMPLATES: tuple[str, ...] = (
    "Turn this face from {a} to {b}.",
    "Change this face from {a} to {b}.",
    "Transform this face from {a} to {b}.",
    "Modify this face, changing it from {a} to {b}.",
    "Replace this face from {a} to {b}.",
)
"""Table I of the paper; ``{a}`` and ``{b}`` take the nouns of the eight emotions."""

PAIR_FRAMES: tuple[str, ...] = (
    "Go from {a} to {b}.", "Go from {A} to {B}.", "Take this face from {a} to {b}.", "Make this face go from {a} to {b}.",
    "{S} goes from {A} to {B}.", "{S} goes from {a} to {b}.", "Make {o} go from {A} to {B}.", "From {a} to {b}.",
    "From {A} to {B}.", "The face changes from {a} to {b}.", "The expression changes from {a} to {b}.",
    "Let the face move from {a} to {b}.", "Switch from {a} to {b}.", "First {a}, then {b}.", "First {A}, then {B}.",
    "Start {A} and end {B}.", "Start with {a} and end with {b}.", "{S} looks {A}, then turns {B}.",
    "{S} is {A} at first and then becomes {B}.", "{a!} turns into {b}.", "{p!} {a} becomes {b}.", "{p!} {a} turns to {b}.",
    "Change {p} expression from {a} to {b}.", "Move {p} face from {A} to {B}.", "Turn {A} into {B}.",
    "Have the face change from {A} to {B}.", "The face goes from {A} to {B}.", "Let {a} change to {b}.",
    "Transition from {a} to {b}.", "Transition this face from {A} to {B}.", "A change from {a} to {b}.",
    "*Morph this face from {a} into {b}.", "*Bring this face over from {a} to {b}.", "*Shift {p} look from {A} to {B}.",
    "*I want this face to begin with {a} and finish with {b}.", "*Could you make this face slide from {a} to {b}?",
    "*{S} starts out {A} but ends up {B}.", "*Let {a} give way to {b}.", "*An expression of {a} that melts into {b}.",
    "*Convert the {A} face to a {B} one.", "*{S} was {A}; now {s} becomes {B}.", "*Please animate it from {a} over to {b}.",
)
SINGLE_FRAMES: tuple[str, ...] = (
    "Turn this face to {b}.", "Change this face to {b}.", "Make this face {B}.", "Make {o} {B}.", "Make {o} look {B}.",
    "Turn {B}.", "Become {B}.", "Now {B}.", "Now {b}.", "Change to {b}.", "Change {p} expression to {b}.", "Go to {b}.",
    "Turn this face {B}.", "Transform this face to {b}.", "{S} becomes {B}.",
    "*Bring this face to {b}.", "*Let {o} end up {B}.", "*Morph to {b}.",
)
TRIPLE_FRAMES: tuple[str, ...] = (
    "Turn this face from {a} to {b} to {c}.", "Change this face from {a} to {b} and then to {c}.",
    "Go from {A} to {B} to {C}.", "First {a}, then {b}, then {c}.", "From {a} through {b} to {c}.",
    "{S} goes from {A} to {B} and then to {C}.", "Transform this face from {a} to {b}, then to {c}.",
    "*Start {A}, turn {B}, end up {C}.", "*Morph from {a} into {b} and on to {c}.",
)
VIA: tuple[str, ...] = (
    " via neutral", " through neutral", ", passing through neutral", " with a neutral face in between", ", relaxing in between",
    " via a neutral face", "* by way of a resting face",
)
SLOW: tuple[str, ...] = ("slowly", "gradually", "*little by little")
QUICK: tuple[str, ...] = ("quickly", "suddenly", "*abruptly")
HALF: tuple[str, ...] = ("half-way", "halfway", "half way")

NEAREST: dict[str, str] = {
    "confusion": "surprise", "suspicion": "contempt", "thought": "neutral", "curiosity": "surprise", "tiredness": "neutral",
    "boredom": "neutral", "determination": "anger", "embarrassment": "sadness", "pain": "disgust", "sympathy": "sadness",
}
"""Families of feelings outside the eight -> the nearest of the eight by the muscles that show them."""
_NEUTRAL_NOUNS = ("neutral", "a neutral face", "a neutral expression", "calm@2")
_EXTRA_NOUNS: dict[str, tuple[str, ...]] = {
    "happiness": ("relief@12", "amusement@12", "pride@2", "excitement@3", "contentment@12"),
    "sadness": ("disappointment@12", "despair@3"),
    "anger": ("frustration@12", "annoyance@1"),
    "fear": ("anxiety@12", "horror@3", "worry@1"),
    "surprise": ("disbelief@2",),
    "disgust": ("nausea@2", "aversion@2"),
    "contempt": ("arrogance@2", "mockery@2"),
}


@cache
def nouns(emotion: str, held_out: bool | None = None) -> tuple[Phrase, ...]:
    """Nouns that name an emotion, with the strengths they may mean; the plain one first."""
    if emotion == "neutral":
        texts: tuple[str, ...] = _NEUTRAL_NOUNS
    else:
        texts = (*EMOTION_NOUNS[emotion], *_EXTRA_NOUNS[emotion])
    made = tuple(split_word(t) for t in texts)
    return tuple(p for p in made if held_out is None or p.held_out == held_out)


@cache
def adjectives(emotion: str, held_out: bool | None = None) -> tuple[Phrase, ...]:
    """Adjectives that name an emotion: the lexicon's, then the families' of the prompt suite."""
    made = [split_word(t) for t in EMOTION_ADJECTIVES.get(emotion, ())]
    known = {p.head for p in made}
    for family in FAMILIES:
        if family.emotion == emotion:
            made += [p for t in family.words.split(", ") if (p := split_word(t)).head not in known]
    return tuple(p for p in made if held_out is None or p.held_out == held_out)


@cache
def emotion_of() -> dict[str, tuple[str, frozenset[str]]]:
    """Word (lower case) -> the emotion that it names and the strengths that it may mean."""
    out: dict[str, tuple[str, frozenset[str]]] = {}
    for emotion in EMOTIONS:
        for p in (*nouns(emotion), *adjectives(emotion)):
            out.setdefault(p.head.lower(), (emotion, p.levels))
    out.setdefault("a resting face", ("neutral", frozenset({"medium"})))
    for word in ("rest", "relaxed", "resting", "neutrality"):
        out.setdefault(word, ("neutral", frozenset({"medium"})))
    return out


@cache
def outside() -> dict[str, str]:
    """Words for feelings outside the eight emotions -> the nearest of the eight."""
    out = {w.word.lower(): NEAREST[w.family] for w in WORDS.values() if w.emotion == OTHER}
    out.update({family: NEAREST[family] for family in NEAREST if family not in out})
    return out
