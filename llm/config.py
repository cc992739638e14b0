"""Training configuration: frozen dataclasses, read from YAML files that state only what differs from their base.

A file may name another one under ``base:`` (relative to itself); its own entries win.
Unknown keys are refused with the names that are allowed.
"""

from __future__ import annotations

import dataclasses
import math
import os
import reprlib
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from ..common.config import read_yaml
from .lora import LoraConfig


@dataclass(frozen=True)
class ModelConfig:
    """Which base, and how much of it.

    Attributes:
        name: directory or Hugging Face id; None searches (``llm.base.find_base``).
        keep_first, keep_last: layers kept; 0 and 0 keep all.
    """

    name: str | None = None
    keep_first: int = 0
    keep_last: int = 0


@dataclass(frozen=True)
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

    lr: float = 1e-3
    b_ratio: float = 1.0
    rows_ratio: float = 4.0
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.0
    clip: float = 1.0
    warmup_steps: int = 50
    schedule: str = "cosine"
    decay: float = 0.3
    floor: float = 0.02

    def __post_init__(self) -> None:
        if self.schedule not in ("cosine", "linear", "wsd"):
            raise ValueError(f"optim.schedule is {self.schedule!r}; allowed: cosine, linear, wsd")
        if self.lr <= 0 or self.b_ratio <= 0 or self.rows_ratio <= 0 or self.clip <= 0:
            raise ValueError("optim: lr, b_ratio, rows_ratio and clip must be positive")
        if not 0 <= self.floor <= 1 or not 0 < self.decay <= 1:
            raise ValueError(f"optim: floor {self.floor} and decay {self.decay} are shares between 0 and 1")


@dataclass(frozen=True)
class DataConfig:
    """What a training sequence holds.

    Attributes:
        perform, understand: weights of the two kinds of sequence (words -> motion; motion -> words).
        transition: weight of sequences of transitions (instruction -> motion), in addition to those two.
        transition_reading: share of the transition sequences that read the instruction off the motion.
        seconds: share of perform and transition sequences that state the length.
        describe: share of understand sequences that begin with a description.
        caption: share of understand sequences that only ask for a caption, any wording of it; they teach how
            likely a prompt is for a motion, which choosing among candidates needs (``llm/rerank.py``).
        questions: most questions in an understand sequence.
        max_tokens: longest sequence; questions that would not fit are left out, longer clips are skipped.
        batch_tokens: padded tokens in a batch.
        window: sequences that are made, sorted by length and cut into batches at a time.
        easy_examples: sequences drawn from clips of one event, then as many from clips of at most two,
            before all clips are used; 0 uses all from the start.
    """

    perform: float = 0.6
    understand: float = 0.4
    transition: float = 0.0
    transition_reading: float = 0.15
    seconds: float = 0.5
    describe: float = 0.6
    caption: float = 0.0
    questions: int = 3
    max_tokens: int = 320
    batch_tokens: int = 800
    window: int = 256
    easy_examples: int = 0

    def __post_init__(self) -> None:
        if self.perform < 0 or self.understand < 0 or self.perform + self.understand <= 0:
            raise ValueError(
                f"data: perform {self.perform} and understand {self.understand} must not be negative, nor both 0"
            )
        if self.transition < 0:
            raise ValueError(f"data.transition is {self.transition:g}; it must not be negative")
        if not all(0 <= share <= 1 for share in (self.seconds, self.describe, self.caption, self.transition_reading)):
            raise ValueError("data: seconds, describe, caption and transition_reading are shares between 0 and 1")
        if self.max_tokens < 8 or self.batch_tokens < 8 or self.window < 1:
            raise ValueError("data: max_tokens and batch_tokens must be at least 8, window at least 1")
        if self.questions < 0 or self.easy_examples < 0:
            raise ValueError("data: questions and easy_examples must not be negative")


@dataclass(frozen=True)
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
    """

    max_steps: int = 0
    max_minutes: float = 10.0
    save_minutes: float = 5.0
    val_minutes: float = 10.0
    val_examples: int = 64
    seed: int = 0
    threads: int = 0

    def __post_init__(self) -> None:
        if self.max_steps < 0 or self.max_minutes < 0 or self.max_steps + self.max_minutes <= 0:
            raise ValueError(f"run: max_steps {self.max_steps} or max_minutes {self.max_minutes} must say when to stop")


@dataclass(frozen=True)
class TrainConfig:
    """One section for each concern."""

    model: ModelConfig = field(default_factory=ModelConfig)
    lora: LoraConfig = field(default_factory=LoraConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    data: DataConfig = field(default_factory=DataConfig)
    run: RunConfig = field(default_factory=RunConfig)


def load_config(path: str | os.PathLike[str], overrides: dict[str, Any] | None = None) -> TrainConfig:
    """Reads a YAML file and what it is based on.

    Args:
        path: the file.
        overrides: sections that win over the file's, ``{"run": {"max_minutes": 1}}``.

    Raises:
        FileNotFoundError: no such file; ValueError: not YAML, an unknown key or a bad value.
    """
    data = read_yaml(path)
    for section, entries in (overrides or {}).items():
        data[section] = {**data.get(section, {}), **entries}
    return parse_config(data, str(path))


def parse_config(data: dict[str, Any], where: str = "the configuration") -> TrainConfig:
    """Nested dictionaries -> ``TrainConfig``; refuses unknown keys and wrong types."""
    sections = get_type_hints(TrainConfig)
    _known(data, sections, where)
    return TrainConfig(**{name: _section(sections[name], data[name], f"{where}, section {name}") for name in data})


def _section(kind: Any, entries: Any, where: str) -> Any:
    if not isinstance(entries, dict):
        raise ValueError(f"{where}: a mapping is needed, not {reprlib.repr(entries)}")
    hints = get_type_hints(kind)
    _known(entries, hints, where)
    values = {}
    for name, value in entries.items():
        wanted = str(hints[name])
        if isinstance(value, str) and ("float" in wanted):  # YAML reads 1e-3 as text
            try:
                value = float(value)
            except ValueError:
                raise ValueError(f"{where}: {name} is {value!r}; a number is needed") from None
        if "tuple" in wanted:
            if not isinstance(value, list | tuple):
                raise ValueError(f"{where}: {name} is {reprlib.repr(value)}; a list is needed")
            try:
                value = tuple(float(x) for x in value)
            except (TypeError, ValueError):
                raise ValueError(f"{where}: {name} is {reprlib.repr(value)}; a list of numbers is needed") from None
        elif hints[name] in (int, float, bool):
            kinds = (int, float) if hints[name] is float else hints[name]
            if isinstance(value, bool) != (hints[name] is bool) or not isinstance(value, kinds):
                raise ValueError(f"{where}: {name} is {reprlib.repr(value)}; {hints[name].__name__} is needed")
        elif not (value is None or isinstance(value, str)):
            raise ValueError(f"{where}: {name} is {reprlib.repr(value)}; text is needed")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{where}: {name} is {value}; a finite number is needed")
        values[name] = value
    return kind(**values)


def _known(data: dict[str, Any], allowed: Any, where: str) -> None:
    unknown = [key for key in data if key not in allowed]
    if unknown:
        raise ValueError(f"{where}: unknown key {unknown[0]!r}; allowed: {', '.join(allowed)}")


def to_dict(config: TrainConfig) -> dict[str, Any]:
    """The inverse of ``parse_config``, for metadata."""
    return dataclasses.asdict(config)
