"""Training MotionCLIP on trajectories between two expressions, using it, and keeping it in a folder."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional as F

from ....face.head import HeadModel
from ..i2fet.arrays import Arrays, check_arrays, identity_of
from ..i2fet.config import Recipe, parse_recipe
from ..i2fet.loop import History, Losses, Progress, device_of, fingerprint, fit, load_weights, read_config, save_model
from ..i2fet.losses import VertexLoss
from ..i2fet.text import TextEncoder, pooled, text_encoder
from ..i2fet.train import refuse_other_head, true_vertices
from .model import MotionCLIP

FORMAT = "facelm-motionclip"
FloatArray = NDArray[np.float32]


@dataclass
class TrainedMotionCLIP:
    """A trained :class:`MotionCLIP`; fields as ``i2fet.train.TrainedI2FET``."""

    model: MotionCLIP
    recipe: Recipe
    head: str
    head_sha256: str
    history: History = field(default_factory=History)
    encoder: TextEncoder | None = None
    encoder_name: str = ""
    key: str = ""

    @torch.no_grad()
    def sequence(self, instructions: Sequence[str], frames: int | None = None) -> FloatArray:
        """The motion that instructions name.

        Args:
            instructions: ``B`` sentences.
            frames: None: as many as it was trained with; another number reads the same motion at other rates.

        Returns:
            ``(B, frames, E + 6)``: expression, global rotation and jaw (rad).

        Raises:
            ValueError: not text, a text encoder of another width, or fewer than 2 frames.
        """
        learned = self.recipe.motionclip.frames
        if frames is not None and frames < 2:
            raise ValueError(f"frames is {frames}; at least 2 are needed")
        sentences = list(dict.fromkeys(instructions))
        rows = self.model.decode(self.model.direction(self._embed(sentences)), learned)
        number = {s: i for i, s in enumerate(sentences)}
        made = torch.cat(self.model.physical(rows), -1)[torch.tensor([number[s] for s in instructions])]
        if frames is not None and frames != learned:
            made = F.interpolate(made.transpose(1, 2), size=frames, mode="linear", align_corners=True).transpose(1, 2)
        return made.cpu().numpy()

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

    def _embed(self, sentences: list[str]) -> Tensor:
        if self.encoder is None:
            self.encoder = text_encoder(self.recipe.text)
        features, mask = self.encoder.encode(sentences)
        if features.shape[-1] != len(self.model.text_scale.mean):
            raise ValueError(f"the text encoder {self.encoder.name} gives {features.shape[-1]} columns; this model was trained "
                             f"with {len(self.model.text_scale.mean)} of {self.encoder_name or 'another encoder'}")
        return pooled(features, mask, self.recipe.text.pool).to(self.model.token.device)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """``model.safetensors`` and ``config.json``; the text encoder is named, not copied."""
        save_model(folder, self.model, {
            "format": FORMAT, "version": 1, "recipe": self.recipe.to_dict(), "head": self.head, "head_sha256": self.head_sha256,
            "text_encoder": self.encoder_name, "text_dim": len(self.model.text_scale.mean), "n_expr": self.model.n_expr,
            "key": self.key, "history": dataclasses.asdict(self.history)})

    @classmethod
    def load(cls, folder: str | os.PathLike[str], encoder: TextEncoder | None = None,
             head: HeadModel | None = None) -> TrainedMotionCLIP:
        """What :meth:`save` wrote; see ``i2fet.train.TrainedI2FET.load``."""
        raw = read_config(folder, FORMAT)
        try:
            recipe = parse_recipe(raw["recipe"], f"{folder}, recipe")
            sizes = int(raw["n_expr"]), int(raw["text_dim"])
            if not all(1 <= size <= 8192 for size in sizes):
                raise ValueError(f"sizes {sizes} are not 1 to 8192")
            made = cls(MotionCLIP(recipe.motionclip, *sizes), recipe, str(raw["head"]), str(raw["head_sha256"]),
                       History(**raw["history"]), encoder, str(raw["text_encoder"]), str(raw["key"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{folder}: config.json is not that of a MotionCLIP model ({error})") from error
        load_weights(folder, made.model)
        if head is not None:
            refuse_other_head(made.head, made.head_sha256, head)
        return made


def between(keys: Tensor, frames: int) -> Tensor:
    """Straight lines: ``(B, 2, W)`` -> ``(B, frames, W)``, eq. (16) of arXiv 2601.08179."""
    share = torch.linspace(0, 1, frames, device=keys.device)[:, None]
    return keys[:, :1] * (1 - share) + keys[:, 1:] * share


def train_motionclip(config: Recipe, expr: ArrayLike, pose: ArrayLike, shape: ArrayLike, text: ArrayLike, features: Tensor,
                     mask: Tensor, head: HeadModel, split: ArrayLike, out: str | os.PathLike[str] | None = None,
                     progress: Progress | None = None, encoder: TextEncoder | None = None) -> TrainedMotionCLIP:
    """Train MotionCLIP; arguments, folder and errors as ``i2fet.train.train_i2fet``; section ``motionclip`` is used.

    The vertex loss (the original's mesh loss) is measured at both ends of a trajectory.
    """
    settings = config.motionclip
    device = device_of(settings.fit)
    data = check_arrays(expr, pose, shape, text, features, mask, head, split, device)
    if data.expr.shape[1] != 2:
        raise ValueError(f"MotionCLIP needs pairs of expressions, not {data.expr.shape[1]} each")
    key = fingerprint([config.to_dict()[s] for s in ("text", "motionclip", "loss")] + [head.sha256], identity_of(data))
    folder = None if out is None else Path(out)
    if folder is not None and (folder / "config.json").is_file():
        found = TrainedMotionCLIP.load(folder, encoder, head)
        if found.key != key:
            raise ValueError(f"{folder} holds a model of another configuration or other data; delete it or use another folder")
        found.model.to(device)
        return found
    sentences = pooled(data.features, data.mask, config.text.pool)
    with torch.random.fork_rng():
        torch.manual_seed(settings.fit.seed)
        model = MotionCLIP(settings, head.n_expr, sentences.shape[-1])
    model.to(device)
    model.text_scale.measure(sentences[data.text[data.train].unique()])
    model.expr_scale.measure(data.expr[data.train].flatten(0, 1))
    model.pose_scale.measure(data.pose[data.train].flatten(0, 1))
    history = fit(model, _losses(model, config, data, head, sentences), data.train, data.val, settings.fit, key=key, out=folder,
                  progress=progress, title="MotionCLIP")
    made = TrainedMotionCLIP(model, config, str(head.ref), head.sha256, history, encoder, encoder.name if encoder else "", key)
    if folder is not None:
        made.save(folder)
    return made


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
