"""One training loop for all transition baselines: epochs, best validation state, checkpoints, history, saved folders."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from .config import FitConfig

Progress = Callable[[int, int, dict[str, float]], None]
"""Called after every epoch: its number from 1, the number of epochs, the losses."""
Losses = Callable[[Tensor], dict[str, Tensor]]
"""The weighted terms of the samples with these indices; their sum is minimised."""

CHECKPOINT = "checkpoint.safetensors"


@dataclass
class History:
    """What training saw (Fig. 15 of the paper is drawn of it).

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


def device_of(config: FitConfig) -> torch.device:
    """The device that a recipe names; ``auto`` takes CUDA where there is one."""
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is 'cuda' and there is none here; use device: cpu or auto")
    return torch.device("cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu")


def fingerprint(recipe: Any, arrays: Iterable[np.ndarray]) -> str:
    """Of configuration and data: a run is only resumed with the same ones."""
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode())
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def fit(model: nn.Module, losses: Losses, train: Tensor, val: Tensor, config: FitConfig, *, key: str = "",
        out: Path | None = None, progress: Progress | None = None, title: str = "training") -> History:
    """Train in place and leave the model with its best validation state.

    Every epoch draws from a generator of its own (seed and number of the epoch), so that a resumed run equals one
    that was never stopped.

    Args:
        losses: see :data:`Losses`.
        train, val: indices of the samples; with no val the training loss chooses.
        key: of :func:`fingerprint`; a checkpoint with another one is refused.
        out: folder of the checkpoint; None writes nothing. A checkpoint that is there is resumed.

    Raises:
        ValueError: no training samples, a checkpoint of another run, or a loss that is not finite.
    """
    if not len(train):
        raise ValueError("no training samples: the split has no 'train'")
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr, fused=True)
    history, best = History(), {k: v.detach().clone() for k, v in model.state_dict().items()}
    file = None if out is None else out / CHECKPOINT
    if file is not None and file.is_file():
        history, best = _resume(file, key, model, optimizer)
    steps = math.ceil(len(train) / config.batch)
    done = len(history.train)
    with tqdm(total=config.epochs, initial=done, desc=title, unit="epoch", disable=None if progress is None else True) as bar:
        for epoch in range(done, config.epochs):
            start = time.perf_counter()
            with torch.random.fork_rng(devices=_forked(train)):
                torch.manual_seed(1_000_003 * config.seed + epoch)
                total = _epoch(model, losses, train, config, optimizer, epoch, steps)
                torch.manual_seed(config.seed)  # the same noise in every validation
                terms = _validate(model, losses, val if len(val) else train, 4 * config.batch)
            if not math.isfinite(total) or not all(math.isfinite(v) for v in terms.values()):
                raise ValueError(f"{title}: the loss is not finite after epoch {epoch + 1}; lower lr or set clip: 1")
            history.train.append(total)
            history.terms.append(terms)
            history.val.append(sum(terms.values()))
            if history.best < 0 or history.val[-1] < history.val[history.best]:
                history.best = epoch
                best = {k: v.detach().clone() for k, v in model.state_dict().items()}
            history.seconds += time.perf_counter() - start
            if file is not None and (epoch + 1) % config.save_epochs == 0 and epoch + 1 < config.epochs:
                _checkpoint(file, key, model, optimizer, best, history)
            bar.set_postfix(train=f"{total:.4g}", val=f"{history.val[-1]:.4g}", refresh=False)
            bar.update()
            if progress is not None:
                progress(epoch + 1, config.epochs, {"train": total, "val": history.val[-1], **terms})
    model.load_state_dict(best)
    model.eval()
    if file is not None:
        file.unlink(missing_ok=True)
    return history


def _forked(index: Tensor) -> list[torch.device]:
    return [index.device] if index.device.type == "cuda" else []


def _epoch(model: nn.Module, losses: Losses, train: Tensor, config: FitConfig, optimizer: torch.optim.Optimizer,
           epoch: int, steps: int) -> float:
    model.train()
    order = train[torch.randperm(len(train)).to(train.device)]
    total = torch.zeros((), device=train.device)
    for step, index in enumerate(order.split(config.batch)):
        if config.schedule == "cosine":
            share = (epoch * steps + step) / (config.epochs * steps)
            for group in optimizer.param_groups:
                group["lr"] = config.lr * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        loss = torch.stack(list(losses(index).values())).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if config.clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        total += loss.detach() * len(index)
    return float(total) / len(train)


@torch.no_grad()
def _validate(model: nn.Module, losses: Losses, val: Tensor, batch: int) -> dict[str, float]:
    model.eval()
    sums: dict[str, float] = {}
    for index in val.split(batch):
        for name, value in losses(index).items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(index)
    return {name: value / len(val) for name, value in sums.items()}


# -- files --------------------------------------------------------------------------------
def _checkpoint(file: Path, key: str, model: nn.Module, optimizer: torch.optim.Optimizer, best: dict[str, Tensor],
                history: History) -> None:
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()} | {f"best.{k}": v for k, v in best.items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{k}": v for k, v in moments.items()}
    meta = {"key": key, "history": json.dumps(dataclasses.asdict(history))}
    write(file, lambda path: save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, path, metadata=meta))


def _resume(file: Path, key: str, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[History, dict[str, Tensor]]:
    try:
        with safe_open(file, framework="pt") as opened:
            meta = opened.metadata() or {}
            tensors = {k: opened.get_tensor(k) for k in opened.keys()}  # noqa: SIM118  (not a mapping)
        if meta["key"] != key:
            raise ValueError(f"{file} belongs to another configuration or other data; delete it or use another folder")
        model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("adam."):
                _, number, kind = name.split(".")
                moments.setdefault(int(number), {})[kind] = value
        state = optimizer.state_dict()
        optimizer.load_state_dict({"state": moments, "param_groups": state["param_groups"]})
        device = next(model.parameters()).device
        best = {k[5:]: v.to(device) for k, v in tensors.items() if k.startswith("best.")}
        return History(**json.loads(meta["history"])), best
    except (SafetensorError, KeyError, TypeError, RuntimeError, OSError) as error:
        raise ValueError(f"the checkpoint {file} is damaged ({type(error).__name__}); delete it") from error


def write(file: Path, save: Callable[[str], None]) -> None:
    """Write through a temporary name in the same folder, then rename: a file is whole or not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    os.close(handle)
    try:
        save(name)
        os.chmod(name, 0o644)
        os.replace(name, file)
    finally:
        Path(name).unlink(missing_ok=True)


def save_model(folder: str | os.PathLike[str], model: nn.Module, config: dict[str, Any]) -> None:
    """``model.safetensors`` and, after it, ``config.json``."""
    folder = Path(folder)
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    write(folder / "model.safetensors", lambda path: save_file(state, path))
    text = json.dumps(config, indent=1) + "\n"
    write(folder / "config.json", lambda path: _write_text(path, text))


def _write_text(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="utf-8")


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
    try:
        raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{folder / 'config.json'} is not JSON ({error})") from error
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
