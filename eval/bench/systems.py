"""What is compared: anything that turns words into face motion, and the references that stand in every table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...data_gen.performer.animator import perform
from ...face.clip.normalise import Normalised
from ...face.clip.sequence import FaceSequence
from ...face.facs.schedule import Schedule
from ...face.facs.script import Script
from ...face.head.model import HeadModel
from ..items import Item
from ..retrieval import nearest

TRUTH, REBUILT, RETRIEVAL, RANDOM = "ground truth", "through the tokenizer", "retrieval", "random"
REFERENCES = (TRUTH, REBUILT, RETRIEVAL, RANDOM)
"""Rows of every table that no model of language is needed for."""


class System(Protocol):
    """Words to motion."""

    @property
    def name(self) -> str:
        """As the tables call it."""

    def perform(self, texts: Sequence[str], seconds: Sequence[float | None], seed: int) -> list[FaceSequence]:
        """One clip of the default head for each text, without spontaneous motion.

        Args:
            texts: what the faces should do.
            seconds: lengths of the clips; None: the system chooses.
            seed: text ``i`` is performed with ``seed + i``.

        Raises:
            ValueError: a text that the system refuses; the benchmark then asks for each text alone.
        """


class Tokenizer(Protocol):
    """A motion codec, whose losses all clips of a system that uses it share (``facelm.tokenizer``)."""

    def encode(self, clip: Normalised, /) -> Any: ...
    def decode(self, tokens: Any, /, *, head: HeadModel) -> FaceSequence: ...


@dataclass(frozen=True)
class Truth:
    """The procedural animator, told the true script: what a perfect reader of words would get.

    Args:
        schedules: by text.
        head: the head.
        tokenizer: where given, the clips pass through it.
    """

    schedules: Mapping[str, Schedule]
    head: HeadModel
    tokenizer: Tokenizer | None = None

    @property
    def name(self) -> str:
        """As the tables call it."""
        return REBUILT if self.tokenizer else TRUTH

    def perform(self, texts: Sequence[str], seconds: Sequence[float | None], seed: int) -> list[FaceSequence]:
        """The scripts' own clips; they have the scripts' lengths, and one performance each."""
        clips = [perform(self.schedules[t], self.head) for t in texts]
        return [through(self.tokenizer, c, self.head) for c in clips] if self.tokenizer else clips


def through(tokenizer: Tokenizer, clip: FaceSequence, head: HeadModel) -> FaceSequence:
    """What is left of a clip in tokens."""
    return tokenizer.decode(tokenizer.encode(Normalised(clip)), head=head).slice(0, len(clip))


@dataclass(frozen=True)
class Retrieval:
    """The training clip whose text is most like the one asked for."""

    known: Sequence[Item]
    name: str = RETRIEVAL

    def perform(self, texts: Sequence[str], seconds: Sequence[float | None], seed: int) -> list[FaceSequence]:
        """The nearest clips, as they are."""
        return [self.known[k].clip for k in nearest([i.prompt for i in self.known], texts)]


@dataclass(frozen=True)
class Chance:
    """A training clip drawn at random."""

    known: Sequence[Item]
    name: str = RANDOM

    def perform(self, texts: Sequence[str], seconds: Sequence[float | None], seed: int) -> list[FaceSequence]:
        """Random clips, as they are."""
        return [self.known[self.place(seed + i)].clip for i in range(len(texts))]

    def place(self, seed: int) -> int:
        """Which one a seed draws."""
        return int(np.random.default_rng(seed).integers(len(self.known)))


@dataclass(frozen=True)
class Language:
    """A :class:`facelm.FaceLM` (handed in): words to a script, the script performed.

    Attributes:
        name: as the tables call it.
        lm: anything with its ``read_many`` and ``perform_many``.
        tries: readings of a text; 1 takes the likeliest.
        options: of ``perform_many``.
    """

    name: str
    lm: Any
    tries: int | None = None
    options: Mapping[str, Any] | None = None

    def perform(self, texts: Sequence[str], seconds: Sequence[float | None], seed: int) -> list[FaceSequence]:
        """Read and perform."""
        scripts: list[Script] = self.lm.read_many(texts, **({} if self.tries is None else {"tries": self.tries}))
        made = self.lm.perform_many(scripts, list(seconds), seed=seed, idle=False, **(self.options or {}))
        return [p.clip for p in made]


def load_peer(folder: str | os.PathLike[str]) -> System:
    """A trained peer (``eval/baselines/motion``).

    Raises:
        FileNotFoundError, ValueError: no peer there, or a damaged one.
    """
    from ..baselines.motion import load  # type: ignore[import-not-found, unused-ignore]

    system: System = load(folder)
    return system
