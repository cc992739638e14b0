"""Eqs. (11)-(15) of arXiv 2601.08179: squared error, Kullback-Leibler divergence, and the vertices' error."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ....face.head.layer import HeadLayer
from ....face.head.model import HeadModel
from .config import LossConfig
from .model import I2FET, Output


def kl_divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """The bracket of eqs. (11) and (12) for each sample: ``0.5 [-sum(log s^2 + 1) + sum s^2 + sum mean^2]``.

    Args:
        mean, logvar: ``(B, m, latent)``; the sum runs over a sample's m x latent numbers.

    Returns:
        ``(B,)``; zero where the latent is N(0, I).
    """
    return 0.5 * (logvar.exp() + mean.square() - 1 - logvar).flatten(1).sum(1)


def squared_error(true: Tensor, made: Tensor, reduction: str) -> Tensor:
    """``(B, ...)`` -> ``(B,)``: summed over a sample's numbers, or their mean."""
    error = (true - made).square().flatten(1)
    return error.sum(1) if reduction == "sum" else error.mean(1)


def moving_vertices(head: HeadModel, count: int) -> np.ndarray | None:
    """``count`` evenly chosen skin vertices among those that expressions move; None for all (``count`` 0)."""
    if count == 0 or count >= head.n_vertices:
        return None
    reach = np.abs(head.shapedirs[:, :, head.n_shape:]).max((1, 2))
    moving = reach > 0.1 * reach.max()
    if "skin" in head.masks:
        skin = np.zeros(head.n_vertices, bool)
        skin[np.asarray(head.masks["skin"])] = True
        moving &= skin
    index = np.flatnonzero(moving)
    return index[np.linspace(0, len(index) - 1, min(count, len(index))).astype(int)]


class VertexLoss(nn.Module):
    """Eq. (14): mean squared error of the vertices' coordinates that eq. (13) gives.

    Args:
        vertices: see :func:`moving_vertices`; unit: metres per unit of error.
    """

    def __init__(self, head: HeadModel, vertices: int, unit: float) -> None:
        super().__init__()
        self.layer = HeadLayer(head, vertex_idx=moving_vertices(head, vertices))
        self.unit = unit

    def vertices(self, expr: Tensor, pose: Tensor, shape: Tensor) -> Tensor:
        """``(B, m, E)``, ``(B, m, 6)`` rad, ``(B, S)`` -> ``(B, m, V, 3)`` in units of ``unit``."""
        m = expr.shape[1]
        flat = pose.flatten(0, 1)
        made = self.layer(expr=expr.flatten(0, 1), rotation=flat[:, :3], jaw_pose=flat[:, 3:],
                          shape=shape.repeat_interleave(m, 0))
        return made.unflatten(0, (-1, m)) / self.unit

    def forward(self, true: Tensor, made: Tensor) -> Tensor:
        """Vertices ``(B, m, V, 3)`` twice -> ``(B,)``."""
        return (true - made).square().flatten(1).mean(1)


def loss_terms(model: I2FET, config: LossConfig, expr: Tensor, pose: Tensor, out: Output, vertex: VertexLoss | None,
               shape: Tensor, true_vertices: Tensor | None) -> dict[str, Tensor]:
    """The terms of eq. (15) as means over the batch, by name; their sum is the loss.

    Args:
        expr, pose: scaled, as the network sees them.
        shape: ``(B, S)``; used by the vertex term only.
        true_vertices: of the samples, where they were computed before.
    """
    terms: dict[str, Tensor] = {}
    q = out.posterior
    if "e" in config.terms:
        terms["expr"] = squared_error(expr, out.expr, config.reduction).mean()
        terms["kl_expr"] = config.kl_weight * kl_divergence(q.mean_e, q.logvar_e).mean()
    if "p" in config.terms:
        terms["pose"] = squared_error(pose, out.pose, config.reduction).mean()
        terms["kl_pose"] = config.kl_weight * kl_divergence(q.mean_p, q.logvar_p).mean()
    if "v" in config.terms:
        assert vertex is not None
        if true_vertices is None:
            with torch.no_grad():
                true_vertices = vertex.vertices(model.expr_scale.back(expr), model.pose_scale.back(pose), shape)
        made = vertex.vertices(model.expr_scale.back(out.expr), model.pose_scale.back(out.pose), shape)
        terms["vertex"] = vertex(true_vertices, made).mean()
    return terms
