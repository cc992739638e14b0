"""The expression classifier that scores transitions: a ResNet on shape images, plain or with a reweighted focal loss.

Vo et al. (Sec. IV-C and IV-G, https://arxiv.org/abs/2601.08179) train ResNet-101 (He et al. 2016,
https://arxiv.org/abs/1512.03385) with Adam, rate 1e-4 and batch 64, once with cross entropy and once with what they call
reweighted focal loss (RFL): focal loss (Lin et al. 2017, https://arxiv.org/abs/1708.02002) with the class weights of the
effective number of samples (Cui et al. 2019, https://arxiv.org/abs/1901.05555). The backbone comes from transformers'
``ResNetConfig``; any size of it is a matter of configuration, and nothing here is pretrained.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .metrics import accuracy, g_mean

LOSSES: tuple[str, ...] = ("ce", "rfl")
LABELS: dict[str, str] = {"ce": "cross entropy", "rfl": "reweighted focal loss (RFL)"}
FORMAT = "facelm-expression-classifier"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ClassifierConfig:
    """Backbone, loss and training. The defaults are the CPU recipe."""

    size: int = 96
    """Side of the shape images, px."""
    embedding: int = 16
    """Channels after the stem."""
    hidden: tuple[int, ...] = (16, 32, 64, 128)
    """Channels of the stages."""
    depths: tuple[int, ...] = (1, 1, 1, 1)
    """Blocks of the stages; ResNet-101 is 3, 4, 23, 3 with bottlenecks."""
    layer: str = "basic"
    """``basic`` or ``bottleneck``."""
    loss: str = "rfl"
    """``ce`` or ``rfl``."""
    beta: float = 0.999
    """Of the effective number; 0 gives every class the same weight, near 1 the inverse of its count."""
    gamma: float = 2.0
    """Of the focal loss; 0 is cross entropy."""
    epochs: int = 24
    steps: int = 0
    """At least so many steps of the optimiser: few pictures are read more often than ``epochs`` says."""
    batch: int = 64
    lr: float = 1e-3
    """Of Adam; 1e-4 in the paper, for a network twenty times as deep."""
    schedule: str = "cosine"
    """``constant``, or ``cosine``: the rate falls to 2 % of ``lr``."""
    flip: bool = True
    """Mirror half of the training pictures."""
    shift: int = 4
    """Move training pictures by up to so many px; rotations are left out, so that Table X tests them unseen."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (("size", 32, 1024), ("embedding", 4, 1024), ("epochs", 1, 10_000), ("steps", 0, 1_000_000),
                                ("batch", 2, 4096)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"classifier.{name} is {value}; allowed: {low} to {high}")
        if self.loss not in LOSSES:
            raise ValueError(f"classifier.loss is {self.loss!r}; allowed: {', '.join(LOSSES)}")
        if self.schedule not in ("constant", "cosine"):
            raise ValueError(f"classifier.schedule is {self.schedule!r}; allowed: constant, cosine")
        if self.layer not in ("basic", "bottleneck"):
            raise ValueError(f"classifier.layer is {self.layer!r}; allowed: basic, bottleneck")
        if not self.hidden or len(self.hidden) != len(self.depths) or min(*self.hidden, *self.depths) < 1:
            raise ValueError(f"classifier: hidden {self.hidden} and depths {self.depths} must be as many numbers of 1 or more")
        if not 0.0 <= self.beta < 1.0:
            raise ValueError(f"classifier.beta is {self.beta}; allowed: 0 up to, but not, 1")
        if not 0 <= self.shift <= self.size // 4:
            raise ValueError(f"classifier.shift is {self.shift}; allowed: 0 to a quarter of its size {self.size}")
        if self.gamma < 0.0 or not 0.0 < self.lr < 1.0:
            raise ValueError(f"classifier: gamma {self.gamma} must not be negative and lr {self.lr} lies between 0 and 1")

    def for_pictures(self, count: int) -> ClassifierConfig:
        """The same with the epochs that ``count`` training pictures need for ``steps``."""
        return replace(self, epochs=max(self.epochs, math.ceil(self.steps / max(1, math.ceil(count / self.batch)))))

    @property
    def title(self) -> str:
        """What tables call it, e.g. ``ResNet-10 with RFL``: layers as He et al. count them."""
        layers = 2 + sum(self.depths) * (3 if self.layer == "bottleneck" else 2)
        return f"ResNet-{layers}" + (" with RFL" if self.loss == "rfl" else "")


def class_weights(counts: NDArray[np.integer[Any]], beta: float) -> NDArray[np.float64]:
    """(C,) weights (1 - beta) / (1 - beta^n), scaled to sum to C (Cui et al., eq. 2 and Sec. 4); 0 for an empty class."""
    n = np.asarray(counts, np.float64)
    if beta == 0.0:
        weights = np.where(n > 0, 1.0, 0.0)
    else:
        weights = np.where(n > 0, (1.0 - beta) / np.maximum(1.0 - np.power(beta, np.maximum(n, 1.0)), 1e-300), 0.0)
    total = weights.sum()
    return weights if total == 0 else weights * len(n) / total


def focal_loss(logits: Tensor, labels: Tensor, gamma: float, weights: Tensor | None = None) -> Tensor:
    """Mean of -w_y (1 - p_y)^gamma log p_y over a batch (Lin et al., eq. 4, on softmax probabilities).

    Args:
        logits: ``(B, C)``; labels: ``(B,)`` int. weights: ``(C,)``; None is 1 for all.
    """
    log_p = torch.log_softmax(logits, 1).gather(1, labels[:, None])[:, 0]
    loss = -log_p if gamma == 0 else -((1.0 - log_p.exp()).clamp(min=0) ** gamma) * log_p
    return (loss if weights is None else loss * weights[labels]).mean()


def backbone(config: ClassifierConfig, labels: tuple[str, ...]) -> nn.Module:
    """The untrained network for 1-channel pictures."""
    from transformers import ResNetConfig, ResNetForImageClassification

    settings = ResNetConfig(num_channels=1, embedding_size=config.embedding, hidden_sizes=list(config.hidden),
                            depths=list(config.depths), layer_type=config.layer)
    settings.num_labels = len(labels)
    return ResNetForImageClassification(settings)


def _input(pictures: NDArray[np.uint8]) -> Tensor:
    """(B,1,H,W) float32 of (B,H,W) uint8; mean and spread are about those of shape images."""
    return (torch.from_numpy(np.ascontiguousarray(pictures)).float()[:, None] / 255.0 - 0.42) / 0.25


def rate(config: ClassifierConfig, epoch: float) -> float:
    """The learning rate at a time in epochs."""
    if config.schedule == "constant":
        return config.lr
    return config.lr * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, epoch / config.epochs))))


def varied(pictures: NDArray[np.uint8], config: ClassifierConfig, rng: np.random.Generator) -> NDArray[np.uint8]:
    """``(B, H, W)`` training pictures as :class:`ClassifierConfig` varies them; what moves in from outside is black."""
    out, s = pictures, config.shift
    if config.flip:
        out = np.where((rng.random(len(out)) < 0.5)[:, None, None], out[:, :, ::-1], out)
    if s:
        wide = np.pad(out, ((0, 0), (s, s), (s, s)))
        side = out.shape[1]
        at = rng.integers(0, 2 * s + 1, (len(out), 2))
        out = np.stack([w[y:y + side, x:x + side] for w, (y, x) in zip(wide, at, strict=True)])
    return out


@dataclass
class Classifier:
    """A trained classifier and how its training went."""

    config: ClassifierConfig
    labels: tuple[str, ...]
    model: nn.Module
    history: list[dict[str, float]]
    """One entry an epoch: epoch, train_loss, val_acc1, val_g_mean."""

    def logits(self, pictures: NDArray[np.uint8], batch: int = 256) -> NDArray[np.float32]:
        """``(N, C)`` scores of ``(N, size, size)`` shape images.

        Raises:
            ValueError: another size than it was trained on.
        """
        side = self.config.size
        if pictures.ndim != 3 or pictures.shape[1:] != (side, side):
            raise ValueError(f"pictures have shape {pictures.shape}; this classifier needs (N, {side}, {side})")
        self.model.eval()
        with torch.inference_mode():
            parts = [self.model(pixel_values=_input(pictures[k:k + batch])).logits.float()
                     for k in range(0, len(pictures), batch)]
        return torch.cat(parts).numpy() if parts else np.zeros((0, len(self.labels)), np.float32)

    def predict(self, pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
        """``(N,)`` index into ``labels``."""
        return self.logits(pictures).argmax(1).astype(np.int64)

    def save(self, folder: Path) -> None:
        """Write ``config.json`` and ``model.safetensors``; each appears whole."""
        folder.mkdir(parents=True, exist_ok=True)
        _write_tensors(folder / "model.safetensors", self.model.state_dict())
        _write_json(folder / "config.json", {"format": FORMAT, "config": asdict(self.config), "labels": self.labels,
                                             "history": self.history})

    @classmethod
    def load(cls, folder: Path) -> Classifier:
        """Read a saved classifier.

        Raises:
            FileNotFoundError: nothing there. ValueError: another thing, or damaged.
        """
        from safetensors.torch import load_file

        from ...common.config import build

        about = folder / "config.json"
        if not about.is_file():
            raise FileNotFoundError(f"{folder} holds no expression classifier (config.json is missing)")
        try:
            raw = json.loads(about.read_text(encoding="utf-8"))
            if raw.get("format") != FORMAT:
                raise ValueError(f"its format is {raw.get('format')!r}, not {FORMAT!r}")
            config = build(ClassifierConfig, raw["config"], "classifier")
            out = cls(config, tuple(raw["labels"]), backbone(config, tuple(raw["labels"])), list(raw["history"]))
            out.model.load_state_dict(load_file(folder / "model.safetensors"))
        except (KeyError, TypeError, AttributeError, ValueError, OSError, RuntimeError) as err:
            raise ValueError(f"{folder} is not a saved expression classifier, or is damaged: {str(err)[:200]}") from err
        except Exception as err:  # safetensors raises a type of its own
            raise ValueError(f"{folder} is damaged: {str(err)[:200]}") from err
        return out


def train_classifier(
    config: ClassifierConfig, pictures: NDArray[np.uint8], label: NDArray[np.integer[Any]], val_pictures: NDArray[np.uint8],
    val_label: NDArray[np.integer[Any]], labels: tuple[str, ...], out: Path | None = None, progress: Progress | None = None,
    stop_after: int | None = None,
) -> Classifier:
    """Train on shape images; the epoch with the best validation accuracy and G-mean (their sum) is kept.

    With ``out`` a checkpoint follows every epoch, a later call goes on from it, and a finished classifier is read
    instead of trained; the result is the same as without the interruption.

    Args:
        pictures: ``(N, size, size)`` uint8; label: ``(N,)``. val_pictures, val_label: the same for validation; without
            any, the last epoch is kept.
        labels: names of the classes.
        out: folder for checkpoint and result.
        progress: called with ("classifier", epochs done, epochs).
        stop_after: stop after so many epochs of this call (for tests of resuming); returns what there is.

    Raises:
        ValueError: no pictures, or labels out of range.
    """
    label = np.asarray(label, np.int64)
    if len(pictures) < 2 or len(pictures) != len(label):
        raise ValueError(f"the classifier needs 2 or more pictures with a label each; got {len(pictures)} and {len(label)}")
    if label.min() < 0 or label.max() >= len(labels):
        raise ValueError(f"labels run from {label.min()} to {label.max()}; allowed: 0 to {len(labels) - 1}")
    if out is not None and (out / "config.json").is_file():
        return Classifier.load(out)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = backbone(config, labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
    weights = None
    if config.loss == "rfl":
        weights = torch.tensor(class_weights(np.bincount(label, minlength=len(labels)), config.beta), dtype=torch.float32)
    gamma = config.gamma if config.loss == "rfl" else 0.0
    history: list[dict[str, float]] = []
    best: dict[str, Tensor] = {}
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        history, best = _resume(out / "checkpoint.safetensors", config, model, optimizer)
    targets = torch.from_numpy(label)
    for _ in range(stop_after if stop_after is not None else config.epochs):
        epoch = len(history)
        if epoch >= config.epochs:
            break
        chance = np.random.default_rng([config.seed, epoch])
        order = chance.permutation(len(label))
        model.train()
        losses = []
        for k in range(0, len(order), config.batch):
            rows = order[k:k + config.batch]
            for group in optimizer.param_groups:
                group["lr"] = rate(config, epoch + k / len(order))
            if len(rows) < 2:  # batch normalisation needs two
                continue
            shown = varied(pictures[rows], config, chance)
            loss = focal_loss(model(pixel_values=_input(shown)).logits, targets[rows], gamma, weights)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        now = Classifier(config, labels, model, history)
        found = now.predict(val_pictures) if len(val_pictures) else np.zeros(0, np.int64)
        entry = {"epoch": float(epoch + 1), "train_loss": float(np.mean(losses)),
                 "val_acc1": accuracy(val_label, found) if len(found) else float("nan"),
                 "val_g_mean": g_mean(val_label, found, len(labels)) if len(found) else float("nan")}
        if not len(found) or _rank(entry) >= max((_rank(h) for h in history), default=-1.0):
            best = {k: v.detach().clone() for k, v in model.state_dict().items()}
        history.append(entry)
        if out is not None:
            _checkpoint(out / "checkpoint.safetensors", config, model, optimizer, history, best)
        if progress:
            progress("classifier", len(history), config.epochs)
    model.load_state_dict(best)
    trained = Classifier(config, labels, model, history)
    if out is not None and len(history) >= config.epochs:
        trained.save(out)
        (out / "checkpoint.safetensors").unlink(missing_ok=True)
    return trained


def _rank(entry: dict[str, float]) -> float:
    """Both count: with a few validation pictures of a rare class, G-mean alone is chance."""
    return entry["val_g_mean"] + entry["val_acc1"]


def _checkpoint(path: Path, config: ClassifierConfig, model: nn.Module, optimizer: torch.optim.Adam,
                history: list[dict[str, float]], best: dict[str, Tensor]) -> None:
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()} | {f"best.{k}": v for k, v in best.items()}
    for i, state in optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{i}.{k}": torch.as_tensor(v) for k, v in state.items()}
    _write_tensors(path, tensors, {"config": json.dumps(asdict(config)), "history": json.dumps(history)})


def _resume(path: Path, config: ClassifierConfig, model: nn.Module,
            optimizer: torch.optim.Adam) -> tuple[list[dict[str, float]], dict[str, Tensor]]:
    """Bring model and optimizer to the checkpoint's state; an unreadable or foreign one is ignored."""
    from safetensors import safe_open

    if not path.is_file():
        return [], {}
    try:
        with safe_open(path, "pt") as handle:
            about = handle.metadata() or {}
            tensors = {k: handle.get_tensor(k) for k in handle.keys()}  # noqa: SIM118 - not a dict
        if about.get("config") != json.dumps(asdict(config)):
            return [], {}
        history = json.loads(about["history"])
        groups: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "adam": {}}
        for key, value in tensors.items():
            head, _, rest = key.partition(".")
            groups[head][rest] = value
        model.load_state_dict(groups["model"])
        state = optimizer.state_dict()
        state["state"] = {}
        for key, value in groups["adam"].items():
            index, _, name = key.partition(".")
            state["state"].setdefault(int(index), {})[name] = value
        optimizer.load_state_dict(state)
        return history, groups["best"]
    except Exception:  # cut short or another format: training starts anew
        return [], {}


def _write_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, str] | None = None) -> None:
    from safetensors.torch import save_file

    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, partial, metadata=about)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _write_json(path: Path, value: object) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(json.dumps(value, indent=1), encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def rotated(pictures: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """``(N, H, W)`` uint8 turned in the picture's plane about its middle, counter-clockwise as seen; bilinear, black outside."""
    if degrees == 0:
        return pictures
    angle = np.deg2rad(degrees)
    # grid_sample maps output to input: turn the other way; x to the right and y down
    turn = torch.tensor([[np.cos(angle), -np.sin(angle), 0.0], [np.sin(angle), np.cos(angle), 0.0]], dtype=torch.float32)
    out = []
    for k in range(0, len(pictures), 256):
        part = torch.from_numpy(np.ascontiguousarray(pictures[k:k + 256])).float()[:, None]
        grid = torch.nn.functional.affine_grid(turn.expand(len(part), 2, 3), list(part.shape), align_corners=False)
        moved = torch.nn.functional.grid_sample(part, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        out.append(moved.round().clamp(0, 255).to(torch.uint8)[:, 0].numpy())
    return np.concatenate(out) if out else pictures.copy()


def rotation_study(classifier: Classifier, pictures: NDArray[np.uint8], label: NDArray[np.integer[Any]],
                   angles: tuple[float, ...] = (0.0, 10.0, 15.0, 30.0)) -> dict[float, tuple[float, float]]:
    """Table X: (Acc1, G-mean) by angle; the pictures of +angle and -angle are taken together."""
    out = {}
    for angle in angles:
        turns = (0.0,) if angle == 0 else (angle, -angle)
        found = np.concatenate([classifier.predict(rotated(pictures, t)) for t in turns])
        true = np.tile(np.asarray(label, np.int64), len(turns))
        out[float(angle)] = (accuracy(true, found), g_mean(true, found, len(classifier.labels)))
    return out
