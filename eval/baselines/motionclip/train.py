"""Training MotionCLIP on trajectories between two expressions, using it, and keeping it in a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional as F

from ....common.progress import Progress
from ....face.head.model import HeadModel
from ..i2fet.arrays import Arrays, Samples, check_arrays
from ..i2fet.config import Recipe
from ..i2fet.loop import Losses, device_of, fingerprint
from ..i2fet.losses import VertexLoss
from ..i2fet.text import TextEncoder, pooled
from ..i2fet.train import true_vertices
from ..i2fet.trained import TextDriven
from .model import MotionCLIP

FloatArray = NDArray[np.float32]


@dataclass
class TrainedMotionCLIP(TextDriven[MotionCLIP]):
    """A trained :class:`MotionCLIP`."""

    FORMAT = "facelm-motionclip"
    TITLE = "MotionCLIP"
    SIZES = ("n_expr", "text_dim")

    def sizes(self) -> dict[str, int]:
        return {"n_expr": self.model.n_expr, "text_dim": len(self.model.text_scale.mean)}

    @classmethod
    def build(cls, recipe: Recipe, sizes: dict[str, int]) -> MotionCLIP:
        return MotionCLIP(recipe.motionclip, sizes["n_expr"], sizes["text_dim"])

    @torch.no_grad()
    def sequence(self, instructions: Sequence[str]) -> FloatArray:
        """The motion that instructions name: ``(B, frames, E + 6)`` expression, global rotation and jaw (rad).

        Raises:
            ValueError: not text, or a text encoder of another width.
        """
        sentences = self.of_sentences(instructions, lambda features, mask: pooled(features, mask, self.recipe.text.pool))
        latent = self.model.direction(sentences)
        return torch.cat(self.model.physical(self.model.decode(latent, self.recipe.motionclip.frames)), -1).cpu().numpy()

    def generate(self, instructions: Sequence[str], seed: int = 0) -> tuple[FloatArray, FloatArray]:
        """First and last key frame: expr ``(B, 2, E)`` and pose ``(B, 2, 6)``.

        Args:
            seed: has no effect: MotionCLIP's decoder is deterministic. It is there so that all baselines are called alike.
        """
        frames = self.sequence(instructions)[:, [0, -1]]
        return frames[..., :self.model.n_expr], frames[..., self.model.n_expr:]

    @torch.no_grad()
    def latents(self, instructions: Sequence[str], expr: ArrayLike, pose: ArrayLike) -> FloatArray:
        """Latents ``(B, dim)`` of the trajectories between two expressions ``(B, 2, E)``, ``(B, 2, 6)``, for t-SNE."""
        device = self.model.token.device
        keys = self.model.scale(*(torch.as_tensor(np.asarray(v, np.float32)).to(device) for v in (expr, pose)))
        return self.model.encode(between(keys, self.recipe.motionclip.frames)).cpu().numpy()


def between(keys: Tensor, frames: int) -> Tensor:
    """Straight lines: ``(B, 2, W)`` -> ``(B, frames, W)``, eq. (16) of arXiv 2601.08179."""
    share = torch.linspace(0, 1, frames, device=keys.device)[:, None]
    return keys[:, :1] * (1 - share) + keys[:, 1:] * share


def train_motionclip(config: Recipe, samples: Samples, head: HeadModel, out: str | os.PathLike[str] | None = None,
                     progress: Progress | None = None, encoder: TextEncoder | None = None) -> TrainedMotionCLIP:
    """Train MotionCLIP; arguments, folder and errors as ``i2fet.train.train_i2fet``; section ``motionclip`` is used.

    The vertex loss (the original's mesh loss) is measured at both ends of a trajectory.
    """
    settings = config.motionclip
    data = check_arrays(samples, head, device_of(settings.fit))
    if data.expr.shape[1] != 2:
        raise ValueError(f"MotionCLIP needs pairs of expressions, not {data.expr.shape[1]} each")
    key = fingerprint([config.to_dict()[s] for s in ("text", "motionclip", "loss")] + [head.sha256], *data.values())
    sentences = pooled(data.features, data.mask, config.text.pool)
    sizes = {"n_expr": head.n_expr, "text_dim": sentences.shape[-1]}

    def prepare(model: MotionCLIP) -> Losses:
        model.text_scale.measure(sentences[data.text[data.train].unique()])
        model.expr_scale.measure(data.expr[data.train].flatten(0, 1))
        model.pose_scale.measure(data.pose[data.train].flatten(0, 1))
        return _losses(model, config, data, head, sentences)

    made = TrainedMotionCLIP.learn(config, sizes, settings.fit, prepare, data.train, data.val, head=head, key=key, out=out,
                                   progress=progress, encoder_name=encoder.name if encoder else "")
    return made.with_encoder(encoder)


def _losses(model: MotionCLIP, config: Recipe, data: Arrays, head: HeadModel, sentences: Tensor) -> Losses:
    settings = config.motionclip
    keys, goal = model.scale(data.expr, data.pose), model.direction(sentences)
    vertex = None
    if settings.vertex:
        vertex = VertexLoss(head, config.loss.vertices, config.loss.vertex_unit).to(data.expr.device)
    true = true_vertices(vertex, data)

    def losses(index: Tensor) -> dict[str, Tensor]:
        x = between(keys[index], settings.frames)
        latent = model.encode(x)
        y = model.decode(latent, settings.frames)
        terms = {"frames": (x - y).square().mean(),
                 "velocity": settings.velocity * (x.diff(dim=1) - y.diff(dim=1)).square().mean(),
                 "align": settings.align * (1 - F.cosine_similarity(latent, goal[data.text[index]])).mean()}
        if vertex is not None:
            shape = data.shape[index]
            wanted = vertex.vertices(data.expr[index], data.pose[index], shape) if true is None else true[index]
            terms["vertex"] = settings.vertex * vertex(wanted, vertex.vertices(*model.physical(y[:, [0, -1]]), shape)).mean()
        return terms

    return losses
