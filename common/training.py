"""The one training loop: setup -> main -> fit -> validate, with exact resume (needs torch).

A :class:`Task` says what is learned, a :class:`Plan` how long; :func:`fit` runs them. A run that was stopped and
resumed gives the weights of one that was not, as long as a task's batches and losses depend on nothing but what
:class:`Reached` holds.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from .progress import Progress
from .tensors import load_tensors, save_tensors

CHECKPOINT = "checkpoint.safetensors"
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Every:
    """How often something is done: every so many steps, or minutes; 0 is never."""

    steps: int = 0
    minutes: float = 0.0

    def due(self, reached: Reached, last: float) -> bool:
        """Whether it is time, after it was last done at ``last`` seconds."""
        by_steps = self.steps > 0 and reached.step % self.steps == 0
        return by_steps or (self.minutes > 0 and reached.seconds - last >= 60 * self.minutes)


@dataclass(frozen=True)
class Plan:
    """How long a run lasts and what is done on the way.

    Attributes:
        steps, minutes: budget of optimiser steps and of time, 0 is none; the run ends with what is used up first.
        clip: largest gradient norm; 0 does not clip.
        save, validate, log: when; lines of the log go to ``log.jsonl`` in the run's folder.
    """

    steps: int = 0
    minutes: float = 0.0
    clip: float = 0.0
    save: Every = Every()
    validate: Every = Every()
    log: Every = Every()

    def share(self, reached: Reached) -> float:
        """Share of the budget that is used, in [0, 1]."""
        by_steps = reached.step / self.steps if self.steps else 0.0
        by_time = reached.seconds / (60 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(by_steps, by_time))


@dataclass
class Reached:
    """How far a run is; saved with each checkpoint.

    Attributes:
        step: optimiser steps.
        seconds: training time over all resumptions.
        position: plain values from which the task's batches go on.
        counts: totals of :attr:`Losses.counts`.
        history: an entry for each validation: ``train``, the mean loss since the one before, and what it measured.
        best: the entry whose weights are kept, -1 when none is.
    """

    step: int = 0
    seconds: float = 0.0
    position: Any = None
    counts: dict[str, int] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best: int = -1


@dataclass(frozen=True)
class Losses:
    """What a batch gave.

    Attributes:
        loss: is minimised.
        weight: of this batch in the mean of the training loss.
        sums: numbers that are summed up between two lines of the log.
        counts: the same, and over the whole run.
    """

    loss: Tensor
    weight: float = 1.0
    sums: Mapping[str, Tensor] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


class Task:
    """What is learned; a subclass says how.

    Attributes:
        model, optimizer: trained in place; each group's rate is ``peak`` (its ``lr`` at the start) times :meth:`rate`.
        title: for the progress bar.
        key: plain values by name that a checkpoint must have been written with.
        first: False in all but the first process of a distributed run, which alone writes files.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    title: str = "training"
    key: Mapping[str, Any] = {}
    first: bool = True

    def batches(self, reached: Reached) -> Iterator[tuple[Any, Any]]:
        """Endless batches from where the run stands on, each with the position after it."""
        raise NotImplementedError

    def losses(self, batch: Any) -> Losses:
        """The losses of one batch."""
        raise NotImplementedError

    def rate(self, share: float, step: int) -> float:
        """Factor on the learning rate at a share of the budget."""
        return 1.0

    def validate(self) -> dict[str, float]:
        """Measure the model as it is; may leave it in evaluation mode."""
        return {}

    def score(self, entry: Mapping[str, float]) -> float | None:
        """What the best entry of the history has least of; None keeps the last weights."""
        return None

    def line(self, sums: Mapping[str, float], seconds: float) -> dict[str, float]:
        """Entries of a log line, of the sums and counts since the one before, ``seconds`` ago."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint."""
        return self.model.state_dict()

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take what :meth:`state` gave.

        Raises:
            ValueError or RuntimeError: it does not fit.
        """
        self.model.load_state_dict(state)

    def agree(self, share: float) -> float:
        """The first process's share, so that all processes stop at the same step."""
        return share


@dataclass
class Run:
    """A task under way; ``best`` is the state of the history's best entry."""

    task: Task
    plan: Plan
    folder: Path | None = None
    reached: Reached = field(default_factory=Reached)
    best: dict[str, Tensor] = field(default_factory=dict)

    def resume(self) -> Run:
        """Go on from the checkpoint in the folder, if there is one.

        Raises:
            ValueError: it is damaged, or was written with another key.
        """
        if self.folder is None or not (self.folder / CHECKPOINT).is_file():
            return self
        file = self.folder / CHECKPOINT
        try:
            found = load_tensors(file)
            key, reached = json.loads(found.about["key"]), Reached(**json.loads(found.about["reached"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"the checkpoint {file} is damaged ({error}); delete it") from error
        _same(file, key, json.loads(json.dumps(self.task.key)))
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
        try:
            for name, value in found.tensors.items():
                part, _, rest = name.partition(".")
                parts[part][rest] = value
            self.task.load_state(parts["model"])
            _load_moments(self.task.optimizer, parts["optimizer"])
        except (KeyError, ValueError, RuntimeError, AttributeError) as error:
            raise ValueError(f"the checkpoint {file} does not fit ({' '.join(str(error).split())[:200]}); delete it") from error
        device = next(self.task.model.parameters()).device
        self.best = {name: value.to(device) for name, value in parts["best"].items()}
        self.reached = reached
        return self

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        if self.folder is None or not self.task.first:
            return
        tensors = {f"model.{name}": value for name, value in self.task.state().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for number, moments in self.task.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in moments.items()}
        about = {"key": json.dumps(self.task.key), "reached": json.dumps(asdict(self.reached))}
        self.folder.mkdir(parents=True, exist_ok=True)
        save_tensors(self.folder / CHECKPOINT, tensors, about)

    def finish(self) -> Reached:
        """Leave the model with its best state, in evaluation mode, and remove the checkpoint."""
        if self.best:
            self.task.load_state(self.best)
        self.task.model.eval()
        if self.folder is not None and self.task.first:
            (self.folder / CHECKPOINT).unlink(missing_ok=True)
        return self.reached

    def validate(self, train: float) -> dict[str, float]:
        """Add an entry to the history and keep the weights if it is the best.

        Raises:
            ValueError: the training loss is not finite.
        """
        if not math.isfinite(train):
            raise ValueError(f"{self.task.title}: the loss is not finite after step {self.reached.step}; lower lr or set clip")
        entry = {"train": train, **self.task.validate()}
        self.task.model.train()
        history, score = self.reached.history, self.task.score(entry)
        history.append(entry)
        if score is not None and (self.reached.best < 0 or score <= (self.task.score(history[self.reached.best]) or 0.0)):
            self.reached.best = len(history) - 1
            self.best = {name: value.detach().clone() for name, value in self.task.state().items()}
        return entry


def fit(run: Run, progress: Progress | None = None) -> Reached:
    """Take steps until the budget is used, with validations, checkpoints and a log on the way.

    Args:
        run: where it begins, and what is brought up to date.
        progress: called with (steps done, of all; 0 when only time bounds the run); None shows a bar on a terminal.

    Raises:
        ValueError: the loss is not finite.
    """
    task, plan, reached = run.task, run.plan, run.reached
    for group in task.optimizer.param_groups:
        group.setdefault("peak", group["lr"])
    started = time.monotonic() - reached.seconds
    saved = validated = reached.seconds
    recent, since = _Sums(reached.seconds), _Sums(reached.seconds)  # of the log, and of the validation
    batches = task.batches(reached)
    task.model.train()
    with tqdm(total=plan.steps or None, initial=reached.step, desc=task.title, unit="step", mininterval=5,
              disable=None if progress is None and task.first else True) as bar:
        while (share := task.agree(plan.share(reached))) < 1:
            batch, position = next(batches)
            found, norm = _step(task, plan.clip, batch, share, reached.step)
            reached.step += 1
            reached.position = position
            for name, count in found.counts.items():
                reached.counts[name] = reached.counts.get(name, 0) + count
            reached.seconds = time.monotonic() - started
            recent.add(found)
            since.add(found)
            if plan.log.due(reached, 0.0):
                line = {"done": round(share, 4), **task.line(recent.totals(), max(1e-9, reached.seconds - recent.started)),
                        "grad_norm": round(float(norm), 3)}
                _log(run, line)
                bar.set_postfix({name: f"{value:.4g}" for name, value in line.items()}, refresh=False)
                recent = _Sums(reached.seconds)
            if plan.validate.due(reached, validated):
                entry = run.validate(since.mean())
                _log(run, {"validation": entry})
                bar.set_postfix({name: f"{value:.4g}" for name, value in entry.items()}, refresh=False)
                validated = reached.seconds = time.monotonic() - started
                since = _Sums(reached.seconds)
            if plan.save.due(reached, saved) and plan.share(reached) < 1:
                run.save()
                saved = reached.seconds
            bar.update()
            if progress is not None:
                progress(reached.step, plan.steps)
    return reached


def cosine(share: float, floor: float = 0.02) -> float:
    """Half a cosine from 1 down to ``floor``, at a share of the run."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * share))


def by_epoch(progress: Progress | None, steps: int) -> Progress | None:
    """A callback for :func:`fit` that passes on epochs of so many steps."""
    if progress is None:
        return None

    def tell(done: int, of: int, stage: str = "", /) -> None:
        if done % steps == 0:
            progress(done // steps, of // steps)

    return tell


def _step(task: Task, clip: float, batch: Any, share: float, step: int) -> tuple[Losses, Tensor | float]:
    """The losses of one optimiser step, and the gradient's norm."""
    factor = task.rate(share, step)
    for group in task.optimizer.param_groups:
        group["lr"] = group["peak"] * factor
    found = task.losses(batch)
    found.loss.backward()
    norm = nn.utils.clip_grad_norm_(task.model.parameters(), clip) if clip else 0.0
    task.optimizer.step()
    task.optimizer.zero_grad(set_to_none=True)
    return found, norm


class _Sums:
    """Numbers summed over steps; on their device until they are read, so that a GPU need not wait."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.loss: Any = 0.0
        self.weight = 0.0
        self.values: dict[str, Any] = {}

    def add(self, found: Losses) -> None:
        self.loss = self.loss + found.loss.detach() * found.weight
        self.weight += found.weight
        for name, value in (*found.sums.items(), *found.counts.items()):
            self.values[name] = self.values.get(name, 0) + value

    def totals(self) -> dict[str, float]:
        return {name: float(value) for name, value in self.values.items()}

    def mean(self) -> float:
        return float(self.loss) / max(self.weight, 1e-9)


def _log(run: Run, line: dict[str, Any]) -> None:
    if not run.task.first:
        return
    line = {"step": run.reached.step, "seconds": round(run.reached.seconds, 1), **line}
    LOG.info("%s: %s", run.task.title, line)
    if run.folder is not None and run.plan.log != Every():
        run.folder.mkdir(parents=True, exist_ok=True)
        with (run.folder / "log.jsonl").open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(line) + "\n")


def _same(file: Path, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            raise ValueError(f"{file} belongs to another configuration or other data: {name} was {then.get(name)} and is "
                             f"{now.get(name)}; delete it, or use another folder")


def _load_moments(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The optimiser's state but not its groups: rates are those of this run."""
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, _, kind = name.partition(".")
        moments.setdefault(int(number), {})[kind] = value
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
