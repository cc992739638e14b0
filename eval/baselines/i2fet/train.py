"""Training I2FET, using it, and keeping it in a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ....common.progress import Progress
from ....face.head.model import HeadModel
from .arrays import Arrays, Samples, check_arrays
from .config import Recipe
from .loop import Losses, device_of, fingerprint
from .losses import VertexLoss, loss_terms
from .model import I2FET
from .text import TextEncoder
from .trained import TextDriven

KEEP_BYTES = 512 << 20
"""True vertices are computed once where they fit into this."""

FloatArray = NDArray[np.float32]


@dataclass
class TrainedI2FET(TextDriven[I2FET]):
    """A trained I2FET."""

    FORMAT = "facelm-i2fet"
    TITLE = "I2FET"
    SIZES = ("n_expr", "text_dim", "m")

    def sizes(self) -> dict[str, int]:
        return {"n_expr": self.model.n_expr, "text_dim": len(self.model.text_scale.mean), "m": self.model.m}

    @classmethod
    def build(cls, recipe: Recipe, sizes: dict[str, int]) -> I2FET:
        return I2FET(recipe.ifed, recipe.vae, sizes["n_expr"], sizes["text_dim"], sizes["m"], recipe.text.pool)

    def read(self, instructions: Sequence[str]) -> Tensor:
        """:meth:`I2FET.read`'s rows of any sentences, ``(B, m, width)``.

        Raises:
            ValueError: not text, or a text encoder of another width than in training.
        """
        def rows(features: Tensor, mask: Tensor) -> Tensor:
            longest = int(mask.any(0).nonzero().max()) + 1
            with torch.no_grad():
                return self.model.read(features[:, :longest], mask[:, :longest])

        return self.of_sentences(instructions, rows)

    def generate(self, instructions: Sequence[str], seed: int = 0) -> tuple[FloatArray, FloatArray]:
        """The expressions that instructions name, z drawn from N(0, I).

        Args:
            instructions: any sentences; new ones are encoded, seen ones are looked up.
            seed: of the latents.

        Returns:
            expr ``(B, 2, E)`` and pose ``(B, 2, 6)`` (global rotation and jaw, rad).
        """
        expr, pose = self.model.sample(self.read(instructions), torch.Generator().manual_seed(seed))
        return expr.cpu().numpy(), pose.cpu().numpy()

    @torch.no_grad()
    def latents(self, instructions: Sequence[str], expr: ArrayLike, pose: ArrayLike, kind: str = "condition") -> FloatArray:
        """Latent vectors of samples for t-SNE (Fig. 7).

        Args:
            instructions: ``B`` sentences; expr ``(B, m, E)``, pose ``(B, m, 6)`` the parameters they go with.
            kind: ``condition``: x_emb, what IFED makes of parameters and instruction (without IFED: of the
                instruction), ``(B, m, E + 6)``; ``posterior``: the latents' means, ``(B, m, 2 latent)``.

        Raises:
            ValueError: an unknown kind.
        """
        if kind not in ("condition", "posterior"):
            raise ValueError(f"kind is {kind!r}; allowed: condition, posterior")
        net, text = self.model, self.read(instructions)
        e = net.expr_scale(torch.as_tensor(np.asarray(expr, np.float32)).to(text.device))
        p = net.pose_scale(torch.as_tensor(np.asarray(pose, np.float32)).to(text.device))
        if kind == "condition":
            return torch.cat(net.conditions(e, p, text), -1).cpu().numpy()
        q = net.encode(e, p, text)
        return torch.cat([q.mean_e, q.mean_p], -1).cpu().numpy()


def train_i2fet(config: Recipe, samples: Samples, head: HeadModel, out: str | os.PathLike[str] | None = None,
                progress: Progress | None = None, encoder: TextEncoder | None = None) -> TrainedI2FET:
    """Train I2FET on tuples (instruction, two expressions, two poses).

    Args:
        config: sections ``ifed``, ``vae``, ``loss``, ``fit`` and ``text`` are used.
        samples: the tuples.
        head: whose parameters these are.
        out: folder: a finished training of the same configuration and data is loaded, an interrupted one resumed,
            and the result is saved there. None keeps nothing.
        progress: called with (epochs done, of all); None shows a bar on a terminal.
        encoder: that made the features; it then reads what :meth:`TrainedI2FET.generate` is given.

    Raises:
        ValueError: wrong shapes or values, another run's folder.
    """
    data = check_arrays(samples, head, device_of(config.fit))
    key = fingerprint([config.to_dict()[s] for s in ("text", "ifed", "vae", "loss", "fit")] + [head.sha256], *data.values())
    sizes = {"n_expr": head.n_expr, "text_dim": data.features.shape[-1], "m": data.expr.shape[1]}

    def prepare(model: I2FET) -> Losses:
        known = data.text[data.train].unique()
        model.text_scale.measure(data.features[known].flatten(0, 1)[data.mask[known].flatten()])
        if config.vae.normalise:
            model.expr_scale.measure(data.expr[data.train].flatten(0, 1))
            model.pose_scale.measure(data.pose[data.train].flatten(0, 1))
        return _losses(model, config, data, head)

    made = TrainedI2FET.learn(config, sizes, config.fit, prepare, data.train, data.val, head=head, key=key, out=out,
                              progress=progress, encoder_name=encoder.name if encoder else "")
    return made.with_encoder(encoder)


def true_vertices(vertex: VertexLoss | None, data: Arrays) -> Tensor | None:
    """``(T, m, V, 3)`` of all tuples where they fit into memory, else None: computed in every batch."""
    if vertex is None or data.expr[..., 0].numel() * vertex.layer.n_out * 12 > KEEP_BYTES:
        return None
    with torch.no_grad():
        return torch.cat([vertex.vertices(e, p, s) for e, p, s in
                          zip(data.expr.split(256), data.pose.split(256), data.shape.split(256), strict=True)])


def _losses(model: I2FET, config: Recipe, data: Arrays, head: HeadModel) -> Losses:
    vertex = None
    if "v" in config.loss.terms:
        vertex = VertexLoss(head, config.loss.vertices, config.loss.vertex_unit).to(data.expr.device)
    true = true_vertices(vertex, data)
    expr, pose = model.expr_scale(data.expr), model.pose_scale(data.pose)

    def losses(index: Tensor) -> dict[str, Tensor]:
        sentences, place = data.text[index].unique(return_inverse=True)
        text = model.read(data.features[sentences], data.mask[sentences])[place]
        e, p = expr[index], pose[index]
        return loss_terms(model, config.loss, e, p, model(e, p, text), vertex, data.shape[index],
                          None if true is None else true[index])

    return losses
