"""The words of the prompt suite: people, framing, light, background and sentences, read from ``words/prompts.yaml``."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from ..tables import read_table
from ..text.feelings import FAMILIES, NONE, OTHER, WORDS, WORDS_OF

__all__ = ["FAMILIES", "NONE", "OTHER", "TABLE", "WORDS", "WORDS_OF"]
Words = tuple[str, ...]
Verb = tuple[str, str, str]


@dataclass(frozen=True, config=SETTINGS)
class _Prompts:
    people: dict[str, dict[str, Words]]
    pronouns: dict[str, tuple[str, str, str]]
    skins: Words
    hairs: Words
    glasses: Words
    beards: dict[str, str]
    framings: dict[str, Words]
    lights: dict[str, Words]
    backgrounds: dict[str, Words]
    needs: dict[str, dict[str, dict[str, Words]]]
    opposite: tuple[tuple[str, str], ...]
    after_verb_only: frozenset[str]
    adverbs: dict[str, Words]
    be: tuple[Verb, ...]
    have: tuple[Verb, ...]
    keep: tuple[Verb, ...]
    speak: Words
    speak_participle: Words
    silent: Words
    notes: Words


TABLE = read_table(__package__, "words/prompts.yaml", _Prompts)
"""People and picture: the values of each factor with their words; the values that exclude each other; parts of sentences."""
