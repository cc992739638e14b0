"""Training of the motion tokenizer, on the loop of ``common/training.py``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..common.progress import Progress
from ..common.training import Losses, Plan, Reached, Run, Task, cosine, fit
from ..face.clip.channels import EXPR_NAMES
from ..face.head.layer import HeadLayer
from ..face.head.model import HeadModel
from .codec import FaceTokenizer, find_kept
from .config import TokenizerRecipe, TokenizerTrainConfig
from .features import ANGLE_SCALE, FEATURE_NAMES, N_FEATURES
from .model import MotionVQVAE

Features = NDArray[np.float32]


class VertexLoss:
    """Vertex error in mm over evenly spread vertices of lips, lids, brows and cheeks (lips and lids weighted twice).

    TDMM-LM (arXiv 2603.16936) quantizes geometry rather than coefficients for the same reason:
    a coefficient's error says little about what is seen.
    """

    def __init__(self, head: HeadModel, per_region: int = 60) -> None:
        chosen, weights = [], []
        for region, weight in (("lips", 2.0), ("lids", 2.0), ("brows", 1.0), ("cheeks", 1.0)):
            index = np.asarray(head.masks[region])
            picked = index[np.linspace(0, len(index) - 1, min(per_region, len(index))).astype(int)]
            chosen.append(picked)
            weights.append(np.full(len(picked), weight))
        self.layer = HeadLayer(head, vertex_idx=np.concatenate(chosen))
        self.weights = torch.tensor(np.concatenate(weights) / np.mean(np.concatenate(weights)), dtype=torch.float32)
        jaw = ("jaw_x", "jaw_y", "jaw_z")
        self.expr_at = torch.tensor([FEATURE_NAMES.index(n) for n in EXPR_NAMES])
        self.jaw_at = torch.tensor([FEATURE_NAMES.index(n) for n in jaw])
        self.jaw_scale = torch.tensor([ANGLE_SCALE[n] for n in jaw], dtype=torch.float32)

    def vertices(self, x: Tensor) -> Tensor:
        """``(N, F)`` features -> ``(N, V', 3)`` in mm, head upright."""
        return 1000.0 * self.layer(expr=x[:, self.expr_at], jaw_pose=x[:, self.jaw_at] * self.jaw_scale)

    def __call__(self, x: Tensor, y: Tensor, dead_zone_mm: float) -> Tensor:
        distance = (self.vertices(x) - self.vertices(y)).square().sum(-1).add(1e-8).sqrt()
        return ((distance - dead_zone_mm).clamp(min=0) * self.weights).mean()


class WindowSampler:
    """Draws training windows group by group.

    The groups are coded independently, and each rests most of the time: every group's columns
    come from a clip of their own, in which the group mostly moves. A batch of mixed faces then
    teaches each codec several times more than a batch of whole clips.
    """

    def __init__(self, clips: Sequence[Features], columns: Sequence[NDArray[np.int64]]) -> None:
        self.clips, self.columns = clips, columns
        active = [np.flatnonzero([np.abs(c[:, cols]).max() > 0.05 for c in clips]) for cols in columns]
        self.moving = [a if len(a) else np.arange(len(clips)) for a in active]  # for each group, the clips in which it moves

    def draw(self, frames: int, batch: int, rng: np.random.Generator) -> Tensor:
        """``(batch, frames, F)``; a short clip is extended by its last frame."""
        out = np.empty((batch, frames, N_FEATURES), np.float32)
        for cols, moving in zip(self.columns, self.moving, strict=True):
            for row in range(batch):
                pool = moving if rng.random() < 0.9 else None
                clip = self.clips[int(rng.integers(len(self.clips)) if pool is None else pool[rng.integers(len(pool))])]
                start = int(rng.integers(max(1, len(clip) - frames + 1)))
                part = clip[start:start + frames, cols]
                out[row, :len(part), cols] = part.T
                out[row, len(part):, cols] = part[-1][:, None]
        return torch.from_numpy(out)


def losses(model: MotionVQVAE, x: Tensor, vertex: VertexLoss, config: TokenizerTrainConfig) -> dict[str, Tensor]:
    """All weighted terms of one batch."""
    y, aux = model(x)
    error = (y - x).abs()
    zone = (error - config.dead_zone).clamp(min=0)
    velocity = ((y[:, 1:] - y[:, :-1]) - (x[:, 1:] - x[:, :-1])).abs()
    # every second frame is enough for the vertices, and halves their cost
    flat_x, flat_y = x[:, ::2].reshape(-1, N_FEATURES), y[:, ::2].reshape(-1, N_FEATURES)
    return {
        # summed over channels, as few of the many channels move at a time
        "params": zone.sum(-1).mean() + 4.0 * zone.square().sum(-1).mean(),
        "velocity": config.velocity_weight * velocity.sum(-1).mean(),
        "vertices": config.vertex_weight * vertex(flat_x, flat_y, config.dead_zone_mm),
        "change": config.change_penalty * aux["change"],
        "commitment": 0.25 * aux["commitment"],
    }


class TokenizerTask(Task):
    """A motion VQ-VAE on windows of clips, by AdamW with a cosine schedule."""

    title = "motion tokenizer"
    model: MotionVQVAE

    def __init__(self, model: MotionVQVAE, clips: Sequence[Features], head: HeadModel, config: TokenizerTrainConfig) -> None:
        self.model, self.config = model, config
        self.vertex = VertexLoss(head)
        self.sampler = WindowSampler(clips, [c.numpy() for c in model.columns])
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr, betas=(0.9, 0.98), weight_decay=1e-4)

    def batches(self, reached: Reached) -> Iterator[tuple[Tensor, None]]:
        """Always from the start: no checkpoint is written in the minutes that this takes."""
        rng = np.random.default_rng(self.config.seed)
        frames = self.config.window_steps * self.model.config.frames_per_step
        while True:
            yield self.sampler.draw(frames, self.config.batch, rng), None

    def losses(self, batch: Tensor) -> Losses:
        parts = losses(self.model, batch, self.vertex, self.config)
        return Losses(torch.stack(list(parts.values())).sum())

    def rate(self, share: float, step: int) -> float:
        return min(1.0, (step + 1) / 100) * cosine(share)


def train_tokenizer(recipe: TokenizerRecipe, clips: Sequence[Features], head: HeadModel,
                    progress: Progress | None = None) -> FaceTokenizer:
    """Train a tokenizer on feature matrices ``(T, F)`` and keep the codes that occur in them."""
    if not clips:
        raise ValueError("no clips to train the tokenizer on")
    torch.manual_seed(recipe.train.seed)
    model = MotionVQVAE(recipe.model)
    run = Run(TokenizerTask(model, clips, head, recipe.train), Plan(steps=recipe.train.steps, clip=1.0))
    fit(run, progress)
    run.finish()
    return FaceTokenizer(model, find_kept(model, list(clips), recipe.train.keep_share), head.sha256)


def recipe_record(recipe: TokenizerRecipe) -> dict[str, object]:
    """JSON form of a recipe, stored beside the weights."""
    return asdict(recipe)
