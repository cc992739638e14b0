"""I2FET: the instruction-conditioned variational autoencoder, eqs. (5)-(10) of arXiv 2601.08179.

Shapes as in ``ifed.py``. Expression and pose go through the network in the units of :class:`Scale`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .config import IFEDConfig, VAEConfig
from .ifed import IFED
from .text import pooled

POSE = 6
"""Global rotation and jaw, axis-angle, rad."""


class Scale(nn.Module):
    """Columns to mean 0 and deviation 1, and back; the identity until :meth:`measure`.

    FLAME's expression coefficients, the paper's, already are in deviations of their population; the columns of other
    heads (blend-shape weights 0..1, of which some barely move) and radians are not. A column that moves less than a
    tenth of the typical one is scaled as if it moved that much: its noise is not blown up.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    mean: Tensor
    deviation: Tensor

    def measure(self, rows: Tensor) -> None:
        """Take both from ``(N, width)`` rows."""
        rows = rows.double()
        spread = rows.std(0, unbiased=False)
        floor = 0.1 * spread.square().mean().sqrt()
        self.mean.copy_(rows.mean(0))
        self.deviation.copy_(spread.clamp(min=floor) if floor > 0 else torch.ones_like(spread))

    def forward(self, rows: Tensor) -> Tensor:
        """``(..., width)`` in its own units -> scaled."""
        return (rows - self.mean) / self.deviation

    def back(self, rows: Tensor) -> Tensor:
        """The inverse of :meth:`forward`."""
        return rows * self.deviation + self.mean


@dataclass(frozen=True)
class Posterior:
    """Normal distributions of the two latents: means and log-variances ``(B, m, latent)``."""

    mean_e: Tensor
    logvar_e: Tensor
    mean_p: Tensor
    logvar_p: Tensor


@dataclass(frozen=True)
class Output:
    """One pass: reconstructed expression ``(B, m, E)`` and pose ``(B, m, 6)``, scaled, and the latents' distributions."""

    expr: Tensor
    pose: Tensor
    posterior: Posterior


def perceptron(width: int, hidden: int, out: int, layers: int = 3) -> nn.Sequential:
    """Fully connected layers with GELU between them, applied to every row by itself."""
    widths = [width, *[hidden] * (layers - 1), out]
    parts = [part for a, b in zip(widths, widths[1:], strict=False) for part in (nn.Linear(a, b), nn.GELU())]
    return nn.Sequential(*parts[:-1])


class I2FET(nn.Module):
    """The network.

    Args:
        n_expr: E; text_dim: width of the text features; m: expressions of an instruction.
        pool: see :func:`..text.pooled`; used where IFED is off.
    """

    def __init__(self, ifed: IFEDConfig, vae: VAEConfig, n_expr: int, text_dim: int, m: int = 2, pool: str = "mean") -> None:
        super().__init__()
        self.n_expr, self.m, self.latent, self.pool = n_expr, m, vae.latent, pool
        self.text_scale, self.expr_scale, self.pose_scale = Scale(text_dim), Scale(n_expr), Scale(POSE)
        self.ifed = IFED(ifed, n_expr, POSE, text_dim, m) if ifed.on else None
        self.plain = None if ifed.on else nn.Linear(text_dim, m * (n_expr + POSE))
        self.encode_expr = perceptron(2 * n_expr, vae.hidden, 2 * vae.latent)  # eq. (5)
        self.encode_pose = perceptron(2 * POSE, vae.hidden, 2 * vae.latent)  # eq. (6)
        self.map_expr = nn.Linear(vae.latent, n_expr)  # T_e
        self.map_pose = nn.Linear(vae.latent, POSE)  # T_p
        self.decode_pose = perceptron(vae.latent + POSE, vae.hidden, POSE)  # eq. (9)
        self.decode_expr = perceptron(vae.latent + n_expr, vae.hidden, n_expr)  # eq. (10)

    def read(self, features: Tensor, mask: Tensor) -> Tensor:
        """What the network keeps of each sentence: ``(U, L, dim)``, ``(U, L)`` -> ``(U, m, width)``.

        With IFED its text branch's output; without, the two conditions side by side.
        """
        x = self.text_scale(features)
        if self.ifed is not None:
            return self.ifed.read(x, mask)
        assert self.plain is not None
        return self.plain(pooled(x, mask, self.pool)).unflatten(-1, (self.m, -1))

    def conditions(self, expr: Tensor, pose: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """x_emb^e ``(B, m, E)`` and x_emb^p ``(B, m, 6)`` of scaled parameters and :meth:`read`'s rows."""
        if self.ifed is None:
            return text[..., :self.n_expr], text[..., self.n_expr:]
        face: tuple[Tensor, Tensor] = self.ifed(torch.cat([expr, pose[..., 3:]], -1), text)
        return face

    def encode(self, expr: Tensor, pose: Tensor, text: Tensor) -> Posterior:
        """Eqs. (5) and (6)."""
        on_expr, on_pose = self.conditions(expr, pose, text)
        mean_e, logvar_e = self.encode_expr(torch.cat([expr, on_expr], -1)).chunk(2, -1)
        mean_p, logvar_p = self.encode_pose(torch.cat([pose, on_pose], -1)).chunk(2, -1)
        # far outside what training visits; keeps a single bad step from overflowing exp
        return Posterior(mean_e, logvar_e.clamp(-12, 8), mean_p, logvar_p.clamp(-12, 8))

    def decode(self, z_e: Tensor, z_p: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Eqs. (7), right-hand maps, to (10): latents ``(B, m, latent)`` -> scaled expression and pose."""
        on_expr, on_pose = self.conditions(self.map_expr(z_e), self.map_pose(z_p), text)
        return self.decode_expr(torch.cat([z_e, on_expr], -1)), self.decode_pose(torch.cat([z_p, on_pose], -1))

    def forward(self, expr: Tensor, pose: Tensor, text: Tensor) -> Output:
        """Encode, draw the latents (eq. 7), decode; scaled parameters in and out."""
        q = self.encode(expr, pose, text)
        z_e = q.mean_e + (0.5 * q.logvar_e).exp() * torch.randn_like(q.mean_e)
        z_p = q.mean_p + (0.5 * q.logvar_p).exp() * torch.randn_like(q.mean_p)
        made_expr, made_pose = self.decode(z_e, z_p, text)
        return Output(made_expr, made_pose, q)

    @torch.no_grad()
    def sample(self, text: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Inference: z from N(0, I) and text only.

        Args:
            text: ``(B, m, width)`` of :meth:`read`.

        Returns:
            expression ``(B, m, E)`` and pose ``(B, m, 6)`` (rad), in the head's units.
        """
        noise = torch.randn(2, len(text), self.m, self.latent, generator=generator).to(text.device)
        expr, pose = self.decode(noise[0], noise[1], text)
        return self.expr_scale.back(expr), self.pose_scale.back(pose)
