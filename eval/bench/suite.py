"""Suites as data: what is measured, on what, and with whom (``eval/suites/*.yaml``, or a file of the user's own)."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS, load_yaml, parse, read_yaml
from .systems import RANDOM, REBUILT, RETRIEVAL, TRUTH

Count = Annotated[int, Field(ge=1)]
Number = Annotated[int, Field(ge=0)]
ALONE, AGENT, UNTUNED = "model alone", "agent", "untuned base model"
SYSTEMS = (TRUTH, REBUILT, RETRIEVAL, RANDOM, UNTUNED, ALONE, AGENT)
"""Those that need no folder or program; peers and programs are added by the command line."""
SOURCES = ("heldout", "templates", "captions")
"""Prompts: held out and written by hand; scripts worded by templates; captions of a corpus' test split."""


@dataclass(frozen=True, config=SETTINGS)
class WordsPart:
    """Prompts to perform."""

    prompts: str = "heldout"
    """heldout, templates, captions, or FILE.yaml with kinds of rows [text, script line]."""
    each: Count | None = None
    """Of a file: at most so many prompts of each kind, drawn by the seed."""
    count: Count = 300
    """Of templates and captions: so many."""
    systems: tuple[str, ...] | None = None
    """Only these; None: the suite's."""
    varied: Number = 0
    """So many of the texts are performed three times, for multimodality."""
    name: str = ""
    """Title; the source's name when empty."""

    @property
    def title(self) -> str:
        """As the tables call it."""
        named = {"heldout": "held-out prompts by hand", "templates": "template prompts", "captions": "captions of the test split"}
        return self.name or named.get(self.prompts, Path(self.prompts).stem)


@dataclass(frozen=True, config=SETTINGS)
class CountPart:
    """Test clips to describe, to tokenize, or performances to compare."""

    count: Count = 300


@dataclass(frozen=True, config=SETTINGS)
class QuestionPart:
    """Conversations about clips (``eval/dialogue``)."""

    sets: tuple[str, ...] = ("questions",)
    each: Count | None = None
    """At most so many conversations of each kind, drawn by the seed; None: all."""


@dataclass(frozen=True, config=SETTINGS)
class FacesPart:
    """Annotated footage of real faces; skipped without --footage."""

    split: str = "judge"


@dataclass(frozen=True, config=SETTINGS)
class SpeedPart:
    """Ratios of times of one run."""

    repeats: Count = 3


@dataclass(frozen=True, config=SETTINGS)
class Suite:
    """What one run of the benchmark measures."""

    title: str
    seed: Number = 0
    known: Count = 4000
    """Training clips that retrieval and chance draw from."""
    corpus: str | None = None
    """A corpus of `facelm data synth` for captions, retrieval and chance; None: fresh clips of the same splits."""
    systems: tuple[str, ...] = SYSTEMS
    words: tuple[WordsPart, ...] = ()
    descriptions: CountPart | None = None
    questions: QuestionPart | None = None
    tokenizer: CountPart | None = None
    kinematics: CountPart | None = None
    faces: FacesPart | None = None
    speed: SpeedPart | None = None

    def __post_init__(self) -> None:
        for name in (*self.systems, *(s for w in self.words for s in w.systems or ())):
            if name not in SYSTEMS:
                raise ValueError(f"no system {name!r}; allowed: {', '.join(SYSTEMS)}; peers and programs go on the command line")
        titles = [w.title for w in self.words]
        if twice := [t for t in titles if titles.count(t) > 1]:
            raise ValueError(f"two parts of words are named {twice[0]!r}; give one of them another name")

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts that this suite has."""
        return tuple(name for name in PARTS if getattr(self, name))


PARTS = ("words", "descriptions", "questions", "tokenizer", "kinematics", "faces", "speed")


def shipped() -> list[str]:
    """Names of the shipped suites."""
    return sorted(f.name.removesuffix(".yaml") for f in files("facelm").joinpath("eval", "suites").iterdir()
                  if f.name.endswith(".yaml"))


def load_suite(name: str | os.PathLike[str]) -> Suite:
    """A shipped suite by its name, or a file (with ``base:`` for what it builds on).

    Raises:
        FileNotFoundError: no such file. ValueError: one line that names the entry, the value and what is allowed.
    """
    text = os.fspath(name)
    if text in shipped():
        own = files("facelm").joinpath("eval", "suites", f"{text}.yaml").read_text(encoding="utf-8")
        return parse(Suite, load_yaml(own), text)
    if not text.endswith((".yaml", ".yml")):
        raise ValueError(f"no suite {text!r}; allowed: {', '.join(shipped())}, or SUITE.yaml")
    return parse(Suite, read_yaml(text), text)
