"""The autoencoder of MotionCLIP, https://arxiv.org/abs/2203.08063, over sequences of face parameters.

A transformer encoder reads a learned token and the frames; that token's output is the latent. A transformer decoder
has positions alone as queries and attends to the latent. The latent is trained to point where the sentence's
embedding points, so that at inference the embedding takes its place.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..i2fet.config import MotionCLIPConfig
from ..i2fet.model import POSE, Scale


def sinusoids(count: int, width: int) -> Tensor:
    """``(count, width)`` sine and cosine positions (https://arxiv.org/abs/1706.03762, 3.5)."""
    place = torch.arange(count)[:, None]
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    return torch.stack([(place * rate).sin(), (place * rate).cos()], -1).flatten(1)


class MotionCLIP(nn.Module):
    """The network.

    Args:
        n_expr: E; text_dim: width of a sentence's embedding, which is also the latent's.
    """

    def __init__(self, config: MotionCLIPConfig, n_expr: int, text_dim: int) -> None:
        super().__init__()
        width = config.width
        self.n_expr, self.width = n_expr, width
        self.expr_scale, self.pose_scale, self.text_scale = Scale(n_expr), Scale(POSE), Scale(text_dim)
        self.frame_in = nn.Linear(n_expr + POSE, width)
        self.token = nn.Parameter(torch.randn(1, 1, width) / width ** 0.5)
        reader = nn.TransformerEncoderLayer(width, config.heads, config.ff, config.dropout, "gelu", batch_first=True)
        writer = nn.TransformerDecoderLayer(width, config.heads, config.ff, config.dropout, "gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(reader, config.layers, enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(writer, config.layers)
        self.latent_out, self.latent_in = nn.Linear(width, text_dim), nn.Linear(text_dim, width)
        self.frame_out = nn.Linear(width, n_expr + POSE)

    def direction(self, sentence: Tensor) -> Tensor:
        """A sentence's embedding ``(B, text_dim)`` as the latent it stands for: scaled, of length sqrt(text_dim).

        The embeddings of a language model all point nearly the same way; scaled by the training sentences' mean and
        deviation, their cosines differ.
        """
        return self._sphere(self.text_scale(sentence))

    @staticmethod
    def _sphere(z: Tensor) -> Tensor:
        return F.normalize(z, dim=-1) * z.shape[-1] ** 0.5

    def encode(self, frames: Tensor) -> Tensor:
        """Scaled frames ``(B, T, E + 6)`` -> latents ``(B, text_dim)`` of length sqrt(text_dim)."""
        x = torch.cat([self.token.expand(len(frames), -1, -1), self.frame_in(frames)], 1)
        x = self.encoder(x + sinusoids(x.shape[1], self.width).to(x))
        return self._sphere(self.latent_out(x[:, 0]))

    def decode(self, latent: Tensor, frames: int) -> Tensor:
        """Latents ``(B, text_dim)`` -> scaled frames ``(B, frames, E + 6)``."""
        asked = sinusoids(frames, self.width).to(latent).expand(len(latent), -1, -1)
        return self.frame_out(self.decoder(asked, self.latent_in(latent)[:, None]))

    def scale(self, expr: Tensor, pose: Tensor) -> Tensor:
        """``(..., E)`` and ``(..., 6)`` rad -> scaled ``(..., E + 6)``."""
        return torch.cat([self.expr_scale(expr), self.pose_scale(pose)], -1)

    def physical(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """The inverse of :meth:`scale`."""
        return self.expr_scale.back(frames[..., :self.n_expr]), self.pose_scale.back(frames[..., self.n_expr:])
