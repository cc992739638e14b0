"""The expression classifier that scores transitions: a ResNet on shape images, plain or with a reweighted focal loss.

Vo et al. (Sec. IV-C and IV-G, https://arxiv.org/abs/2601.08179) train ResNet-101 (He et al. 2016,
https://arxiv.org/abs/1512.03385) with Adam, rate 1e-4 and batch 64, once with cross entropy and once with what they call
reweighted focal loss (RFL): focal loss (Lin et al. 2017, https://arxiv.org/abs/1708.02002) with the class weights of the
effective number of samples (Cui et al. 2019, https://arxiv.org/abs/1901.05555). The backbone comes from transformers'
``ResNetConfig``; any size of it is a matter of configuration, and nothing here is pretrained.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...common.config import parse
from ...common.progress import Progress
from ...common.training import Every, Losses, Plan, Reached, Run, Task, by_epoch, cosine, fit
from ..baselines.i2fet.loop import load_weights, read_config, save_model
from .metrics import accuracy, g_mean
from .options import ClassifierConfig

FORMAT = "facelm-expression-classifier"


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
        """Write ``model.safetensors`` and then ``config.json``; each appears whole."""
        history = [{k: None if math.isnan(v) else v for k, v in entry.items()} for entry in self.history]
        save_model(folder, self.model, {"format": FORMAT, "version": 1, "config": asdict(self.config), "labels": self.labels,
                                        "history": history})

    @classmethod
    def load(cls, folder: Path) -> Classifier:
        """Read a saved classifier.

        Raises:
            FileNotFoundError: nothing there. ValueError: another thing, or damaged.
        """
        raw = read_config(folder, FORMAT)
        try:
            config, labels = parse(ClassifierConfig, raw["config"], "classifier"), tuple(raw["labels"])
            history = [{k: math.nan if v is None else v for k, v in entry.items()} for entry in raw["history"]]
            out = cls(config, labels, backbone(config, labels), history)
        except (KeyError, TypeError, AttributeError, ValueError) as err:
            raise ValueError(f"{folder}: config.json is not that of an expression classifier ({err})") from err
        load_weights(folder, out.model)
        return out


@dataclass(frozen=True)
class Labelled:
    """Shape images ``(N, size, size)`` uint8 and their ``(N,)`` labels."""

    pictures: NDArray[np.uint8]
    label: NDArray[np.integer[Any]]


class ClassifierTask(Task):
    """Shape images in random order; every epoch draws from a generator of its own."""

    def __init__(self, config: ClassifierConfig, labels: tuple[str, ...], train: Labelled, val: Labelled) -> None:
        self.config, self.labels, self.train, self.val = config, labels, train, val
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.model = backbone(config, labels)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.lr)
        self.title, self.key = config.title, {"config": asdict(config)}
        self.targets = torch.from_numpy(np.asarray(train.label, np.int64))
        self.weights: Tensor | None = None
        if config.loss == "rfl":
            counts = np.bincount(train.label, minlength=len(labels))
            self.weights = torch.tensor(class_weights(counts, config.beta), dtype=torch.float32)
        count = len(train.label)
        self.steps = count // config.batch + (count % config.batch > 1)  # batch normalisation needs two pictures

    def batches(self, reached: Reached) -> Iterator[tuple[tuple[NDArray[np.uint8], Tensor], None]]:
        epoch = reached.step // self.steps
        while True:
            chance = np.random.default_rng([self.config.seed, epoch])
            order = chance.permutation(len(self.targets))
            for k in range(self.steps):
                rows = order[k * self.config.batch:(k + 1) * self.config.batch]
                yield (varied(self.train.pictures[rows], self.config, chance), self.targets[rows]), None
            epoch += 1

    def losses(self, batch: tuple[NDArray[np.uint8], Tensor]) -> Losses:
        shown, targets = batch
        gamma = self.config.gamma if self.config.loss == "rfl" else 0.0
        return Losses(focal_loss(self.model(pixel_values=_input(shown)).logits, targets, gamma, self.weights))

    def rate(self, share: float, step: int) -> float:
        if self.config.schedule == "constant":
            return 1.0
        epoch, k = divmod(step, self.steps)  # by the pictures seen: an epoch's last step may be smaller than the others
        return cosine((epoch + k * self.config.batch / len(self.targets)) / self.config.epochs)

    def validate(self) -> dict[str, float]:
        if not len(self.val.label):
            return {"val_acc1": math.nan, "val_g_mean": math.nan}
        found = Classifier(self.config, self.labels, self.model, []).predict(self.val.pictures)
        return {"val_acc1": accuracy(self.val.label, found), "val_g_mean": g_mean(self.val.label, found, len(self.labels))}

    def score(self, entry: Mapping[str, float]) -> float | None:
        """Both count: with a few validation pictures of a rare class, G-mean alone is chance."""
        return -(entry["val_g_mean"] + entry["val_acc1"]) if len(self.val.label) else None


def train_classifier(config: ClassifierConfig, train: Labelled, val: Labelled, labels: tuple[str, ...], out: Path | None = None,
                     progress: Progress | None = None) -> Classifier:
    """Train on shape images; the epoch with the best validation accuracy and G-mean (their sum) is kept.

    With ``out`` a checkpoint follows every epoch, a later call goes on from it, and a finished classifier is read
    instead of trained; the result is the same as without the interruption.

    Args:
        train: training pictures. val: for validation; without any, the last epoch is kept.
        labels: names of the classes.
        out: folder for checkpoint and result.
        progress: called with (epochs done, of all); None shows a bar on a terminal.

    Raises:
        ValueError: no pictures, labels out of range, or a damaged checkpoint.
    """
    pictures, label = train.pictures, np.asarray(train.label, np.int64)
    if len(pictures) < 2 or len(pictures) != len(label):
        raise ValueError(f"the classifier needs 2 or more pictures with a label each; got {len(pictures)} and {len(label)}")
    if label.min() < 0 or label.max() >= len(labels):
        raise ValueError(f"labels run from {label.min()} to {label.max()}; allowed: 0 to {len(labels) - 1}")
    if out is not None and (out / "config.json").is_file():
        return Classifier.load(out)
    task = ClassifierTask(config, labels, train, val)
    plan = Plan(config.epochs * task.steps, save=Every(task.steps), validate=Every(task.steps))
    run = Run(task, plan, out).resume()
    fit(run, by_epoch(progress, task.steps))
    history = [{"epoch": float(i + 1), "train_loss": e["train"], "val_acc1": e["val_acc1"], "val_g_mean": e["val_g_mean"]}
               for i, e in enumerate(run.reached.history)]
    trained = Classifier(config, labels, task.model, history)
    run.finish()
    if out is not None:
        trained.save(out)
    return trained


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
