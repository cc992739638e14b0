"""Training of all transition baselines on the loop of ``common/training.py``: epochs, best validation state, saved folders."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ....common import training
from ....common.files import atomic_file, parse_json, read_text, write_json
from ....common.progress import Progress
from ....common.training import Every, Plan, Reached, Run, Task, by_epoch, cosine
from .config import FitConfig

Losses = Callable[[Tensor], dict[str, Tensor]]
"""The weighted terms of the samples with these indices; their sum is minimised."""


@dataclass
class History:
    """What training measured (Fig. 15 of the paper is drawn of it).

    Attributes:
        train, val: total loss after each epoch.
        terms: the validation loss's terms after each epoch.
        best: the epoch, from 0, whose weights are kept: the lowest validation loss.
        seconds: of training, over all resumptions.
    """

    train: list[float] = field(default_factory=list)
    val: list[float] = field(default_factory=list)
    terms: list[dict[str, float]] = field(default_factory=list)
    best: int = -1
    seconds: float = 0.0

    @classmethod
    def of(cls, reached: Reached) -> History:
        """The history of a run."""
        entries = reached.history
        terms = [{k: v for k, v in e.items() if k not in ("train", "val")} for e in entries]
        return cls([e["train"] for e in entries], [e["val"] for e in entries], terms, reached.best, reached.seconds)


def device_of(config: FitConfig) -> torch.device:
    """The device that a recipe names; ``auto`` takes CUDA where there is one."""
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is 'cuda' and there is none here; use device: cpu or auto")
    return torch.device("cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu")


def fingerprint(*parts: object) -> str:
    """Short hash (hex) of plain values and arrays: a run is only resumed with the same configuration and data."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode() + np.ascontiguousarray(part).tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True).encode())
    return digest.hexdigest()[:16]


class Baseline(Task):
    """A network whose samples are known by their indices.

    Every epoch draws from torch's generator, seeded by the recipe's seed and the epoch's number.
    """

    def __init__(self, model: nn.Module, terms: Losses, train: Tensor, val: Tensor, config: FitConfig) -> None:
        self.model, self.terms, self.config = model, terms, config
        self.train, self.val = train, val if len(val) else train
        self.steps = math.ceil(len(train) / config.batch)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=config.lr, fused=True)

    def batches(self, reached: Reached) -> Iterator[tuple[Tensor, None]]:
        epoch = reached.step // self.steps
        while True:
            torch.manual_seed(1_000_003 * self.config.seed + epoch)
            order = self.train[torch.randperm(len(self.train)).to(self.train.device)]
            yield from ((index, None) for index in order.split(self.config.batch))
            epoch += 1

    def losses(self, batch: Tensor) -> training.Losses:
        return training.Losses(torch.stack(list(self.terms(batch).values())).sum(), len(batch))

    def rate(self, share: float, step: int) -> float:
        return cosine(share) if self.config.schedule == "cosine" else 1.0

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        torch.manual_seed(self.config.seed)  # the same noise in every validation
        self.model.eval()
        sums: dict[str, float] = {}
        for index in self.val.split(4 * self.config.batch):
            for name, value in self.terms(index).items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(index)
        means = {name: value / len(self.val) for name, value in sums.items()}
        return {"val": sum(means.values()), **means}

    def score(self, entry: Mapping[str, float]) -> float:
        if not math.isfinite(entry["val"]):
            raise ValueError(f"{self.title}: the validation loss is not finite; lower lr or set clip: 1")
        return entry["val"]


def fit(model: nn.Module, losses: Losses, train: Tensor, val: Tensor, config: FitConfig, *, key: str = "",
        out: Path | None = None, progress: Progress | None = None, title: str = "training") -> History:
    """Train in place and leave the model with its best validation state.

    Args:
        losses: see :data:`Losses`.
        train, val: indices of the samples; with no val the training loss chooses.
        key: of :func:`fingerprint`; a checkpoint with another one is refused.
        out: folder of the checkpoint; None writes nothing. A checkpoint that is there is resumed.
        progress: called with (epochs done, of all).

    Raises:
        ValueError: no training samples, a checkpoint of another run, or a loss that is not finite.
    """
    if not len(train):
        raise ValueError("no training samples: the split has no 'train'")
    task = Baseline(model, losses, train, val, config)
    task.title, task.key = title, {"run": key}
    steps = task.steps
    plan = Plan(config.epochs * steps, clip=config.clip, save=Every(config.save_epochs * steps), validate=Every(steps))
    with torch.random.fork_rng(devices=[train.device] if train.device.type == "cuda" else []):
        run = Run(task, plan, out).resume()
        training.fit(run, by_epoch(progress, steps))
    return History.of(run.finish())


def save_model(folder: str | os.PathLike[str], model: nn.Module, config: dict[str, Any]) -> None:
    """``model.safetensors`` and, after it, ``config.json``."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / "model.safetensors") as partial:
        save_file({k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}, partial)
    write_json(folder / "config.json", config, indent=1)


def read_config(folder: str | os.PathLike[str], form: str) -> dict[str, Any]:
    """``config.json`` of a folder of :func:`save_model`.

    Args:
        form: what its entry ``format`` must say.

    Raises:
        FileNotFoundError: no such file; ValueError: not of this format.
    """
    folder = Path(folder)
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} holds no {form} model: {name} is missing")
    raw = parse_json(read_text(folder / "config.json"), folder / "config.json")
    if not isinstance(raw, dict) or raw.get("format") != form or raw.get("version") != 1:
        raise ValueError(f"{folder / 'config.json'} is not of format {form}, version 1")
    return raw


def load_weights(folder: str | os.PathLike[str], model: nn.Module) -> None:
    """Strictly: every weight must be there, fit and be finite."""
    file = Path(folder) / "model.safetensors"
    try:
        state = load_file(file)
        model.load_state_dict(state, strict=True)
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"{file} does not hold this model's weights: {' '.join(str(error).split())[:300]}") from error
    if broken := [k for k, v in state.items() if v.is_floating_point() and not v.isfinite().all()]:
        raise ValueError(f"{file}: {broken[0]} holds values that are not finite")
    model.eval()
