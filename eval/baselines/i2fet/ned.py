"""NED: the neutral encoder-decoder, section IV-F of arXiv 2601.08179: any expression of a person to their neutral face."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from ....common.progress import Progress
from ....face.head.model import HeadModel
from .arrays import check_rows
from .config import NEDConfig, Recipe
from .loop import Losses, device_of, fingerprint
from .model import POSE, Scale, perceptron
from .trained import Trained

FloatArray = NDArray[np.float32]


class NED(nn.Module):
    """A four-layer encoder of expression and pose, and four layers each for the neutral expression and pose."""

    def __init__(self, config: NEDConfig, n_expr: int) -> None:
        super().__init__()
        self.expr_scale, self.pose_scale = Scale(n_expr), Scale(POSE)
        self.encode = perceptron(n_expr + POSE, config.hidden, config.latent, layers=4)
        self.decode_expr = perceptron(config.latent, config.hidden, n_expr, layers=4)
        self.decode_pose = perceptron(config.latent, config.hidden, POSE, layers=4)

    def forward(self, expr: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled ``(B, E)`` and ``(B, 6)`` -> scaled neutral expression and pose."""
        z = self.encode(torch.cat([expr, pose], -1))
        return self.decode_expr(z), self.decode_pose(z)


@dataclass
class TrainedNED(Trained[NED]):
    """A trained :class:`NED`."""

    FORMAT = "facelm-ned"
    TITLE = "NED"
    SIZES = ("n_expr",)

    def sizes(self) -> dict[str, int]:
        return {"n_expr": len(self.model.expr_scale.mean)}

    @classmethod
    def build(cls, recipe: Recipe, sizes: dict[str, int]) -> NED:
        return NED(recipe.ned, sizes["n_expr"])

    @torch.no_grad()
    def neutral(self, expr: ArrayLike, pose: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Neutral expression ``(B, E)`` and pose ``(B, 6)`` (rad) of ``(B, E)`` and ``(B, 6)``.

        Raises:
            ValueError: other widths, or values that are not finite.
        """
        net = self.model
        e, p = check_rows(expr, pose, len(net.expr_scale.mean))
        device = net.expr_scale.mean.device
        made = net(net.expr_scale(torch.from_numpy(e).to(device)), net.pose_scale(torch.from_numpy(p).to(device)))
        return net.expr_scale.back(made[0]).cpu().numpy(), net.pose_scale.back(made[1]).cpu().numpy()


def train_ned(config: Recipe, expr: ArrayLike, pose: ArrayLike, neutral_expr: ArrayLike, neutral_pose: ArrayLike,
              head: HeadModel, split: ArrayLike | None = None, out: str | os.PathLike[str] | None = None,
              progress: Progress | None = None) -> TrainedNED:
    """Train NED by squared error on pairs of an expression and the same person's neutral face.

    Args:
        config: section ``ned`` is used.
        expr, neutral_expr: ``(N, E)``; pose, neutral_pose: ``(N, 6)`` rad.
        split: ``(N,)`` of train, val, test; None trains on all.
        out, progress: as ``train.train_i2fet``.

    Raises:
        ValueError: wrong shapes or values, another run's folder.
    """
    e, p = check_rows(expr, pose, head.n_expr)
    ne, np_ = check_rows(neutral_expr, neutral_pose, head.n_expr)
    names = np.full(len(e), "train") if split is None else np.asarray(split)
    if len(ne) != len(e) or names.shape != (len(e),):
        raise ValueError(f"there are {len(e)} expressions, {len(ne)} neutral faces and {names.shape} splits; as many are needed")
    device = device_of(config.ned.fit)
    key = fingerprint([config.to_dict()["ned"], head.sha256], e, p, ne, np_, names)
    train, val = (torch.from_numpy(np.flatnonzero(names == part)).to(device) for part in ("train", "val"))
    faces, goals = ([torch.from_numpy(a).to(device) for a in pair] for pair in ((e, p), (ne, np_)))

    def prepare(model: NED) -> Losses:
        scales = (model.expr_scale, model.pose_scale)
        for scale, face, goal in zip(scales, faces, goals, strict=True):
            scale.measure(torch.cat([face[train], goal[train]]))
        x, y = ([scale(v) for scale, v in zip(scales, values, strict=True)] for values in (faces, goals))

        def losses(index: Tensor) -> dict[str, Tensor]:
            made = model(x[0][index], x[1][index])
            return {"expr": (made[0] - y[0][index]).square().mean(), "pose": (made[1] - y[1][index]).square().mean()}

        return losses

    return TrainedNED.learn(config, {"n_expr": head.n_expr}, config.ned.fit, prepare, train, val, head=head, key=key, out=out,
                            progress=progress)
