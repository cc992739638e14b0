"""Training configuration, read from YAML files that state only what differs from the file they name under ``base:``."""

from __future__ import annotations

import os
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ..common.config import SETTINGS, parse, read_yaml
from .lora import LoraConfig

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, config=SETTINGS)
class ModelConfig:
    """Which base, and how much of it.

    Attributes:
        name: directory or Hugging Face id; None searches (``llm.base.find_base``).
        keep_first, keep_last: layers kept; 0 and 0 keep all.
    """

    name: str | None = None
    keep_first: Count = 0
    keep_last: Count = 0


@dataclass(frozen=True, config=SETTINGS)
class OptimConfig:
    """AdamW and its schedule.

    Attributes:
        lr: of the adapter's A matrices, at its highest.
        b_ratio: the B matrices' rate relative to it (LoRA+, https://arxiv.org/abs/2402.12354).
        rows_ratio: the motion rows' rate relative to ``lr``.
        betas, weight_decay, clip: AdamW's; ``clip`` is the largest gradient norm.
        warmup_steps: of linear warm-up.
        schedule: ``cosine``, ``linear`` or ``wsd`` (constant, then linear) down to ``floor`` of the highest rate.
        decay: ``wsd``'s share of the run that decays.
        floor: last rate as a share of the highest.
    """

    lr: Positive = 1e-3
    b_ratio: Positive = 1.0
    rows_ratio: Positive = 4.0
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.0
    clip: Positive = 1.0
    warmup_steps: int = 50
    schedule: Literal["cosine", "linear", "wsd"] = "cosine"
    decay: Annotated[float, Field(gt=0, le=1)] = 0.3
    floor: Share = 0.02


@dataclass(frozen=True, config=SETTINGS)
class DataConfig:
    """What a training sequence holds.

    Attributes:
        read, perform, see, understand, plan: weights of the kinds of sequence (words -> script; schedule window -> motion;
            motion -> schedule window; motion -> words; a line of a conversation -> what it asks for).
        describe: share of understand sequences that begin with a description.
        questions: most questions in an understand sequence.
        max_tokens: longest sequence; questions that would not fit are left out, longer clips are skipped.
        batch_tokens: padded tokens in a batch.
        window: sequences that are made, sorted by length and cut into batches at a time.
    """

    read: NotNegative = 0.45
    perform: NotNegative = 0.4
    see: NotNegative = 0.05
    understand: NotNegative = 0.1
    plan: NotNegative = 0.0
    describe: Share = 0.6
    questions: Count = 3
    max_tokens: Annotated[int, Field(ge=8)] = 320
    batch_tokens: Annotated[int, Field(ge=8)] = 800
    window: Annotated[int, Field(ge=1)] = 256

    def __post_init__(self) -> None:
        if self.read + self.perform + self.see + self.understand + self.plan <= 0:
            raise ValueError("read, perform, see, understand and plan are all 0; one of them must be positive")


@dataclass(frozen=True, config=SETTINGS)
class MakeConfig:
    """How much training data is made.

    Attributes:
        readings: texts with their scripts.
        plans: lines of conversations with what they ask for.
        recent: files of such lines (``edits_a``) that seven of ten are drawn from, for weights that know the others.
        schedules: random schedules, each of one or more windows with their motion.
        by_hand: share of the readings that comes from prompts written by hand; the rest is worded by templates.
        spontaneous: the motion of schedules is with drift, micro-saccades and blinks that nobody asked for.
    """

    readings: Count = 60_000
    plans: Count = 60_000
    recent: tuple[str, ...] = ()
    schedules: Count = 30_000
    by_hand: Share = 0.7
    spontaneous: bool = False


@dataclass(frozen=True, config=SETTINGS)
class RunConfig:
    """How long, and what is kept.

    Attributes:
        max_steps: optimiser steps; 0: until ``max_minutes``.
        max_minutes: wall-clock budget, training and checkpoints; 0: until ``max_steps``. The schedule ends with
            whichever comes first.
        save_minutes, val_minutes: between checkpoints, between validations.
        val_examples: validation sequences of each kind.
        seed: of everything random.
        threads: CPU threads; 0 leaves PyTorch's choice.
        workers: processes that make batches ahead; 0 makes them in between.
    """

    max_steps: Count = 0
    max_minutes: NotNegative = 10.0
    save_minutes: float = 5.0
    val_minutes: float = 10.0
    val_examples: Count = 64
    seed: Count = 0
    threads: Count = 0
    workers: Count = 0

    def __post_init__(self) -> None:
        if self.max_steps + self.max_minutes <= 0:
            raise ValueError("max_steps and max_minutes are both 0; one of them must say when to stop")


@dataclass(frozen=True, config=SETTINGS)
class TrainConfig:
    """One section for each concern."""

    model: ModelConfig = field(default_factory=ModelConfig)
    lora: LoraConfig = field(default_factory=LoraConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    data: DataConfig = field(default_factory=DataConfig)
    make: MakeConfig = field(default_factory=MakeConfig)
    run: RunConfig = field(default_factory=RunConfig)


def load_config(path: str | os.PathLike[str]) -> TrainConfig:
    """Read a YAML file and what it is based on.

    Raises:
        FileNotFoundError: no such file; ValueError: not YAML, an unknown entry or a bad value.
    """
    return parse_config(read_yaml(path), str(path))


def parse_config(data: dict[str, Any], where: str = "the configuration") -> TrainConfig:
    """Nested dictionaries -> ``TrainConfig``; unknown entries and wrong types are refused."""
    return parse(TrainConfig, data, where)
