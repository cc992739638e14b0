"""The convolutional VQ-VAE of T2M-GPT (https://arxiv.org/abs/2301.06052), with one codebook or residual ones (MoMask).

Codebooks are vector-quantize-pytorch's: straight-through gradients, a commitment loss, exponential moving averages, and codes
that fell out of use drawn anew from the batch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from vector_quantize_pytorch import ResidualVQ, VectorQuantize

from ....tokenizer.features import N_FEATURES
from .config import CodecConfig


class ResidualConv(nn.Module):
    """A residual block: ReLU, a dilated convolution of 3 frames, ReLU, a convolution of 1."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.wide = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.mix(F.relu(self.wide(F.relu(x))))
        return out


def _blocks(config: CodecConfig) -> list[nn.Module]:
    """The dilated blocks after a halving, the widest first, as in the paper's code."""
    return [ResidualConv(config.width, config.dilation ** d) for d in reversed(range(config.depth))]


class Codec(nn.Module):
    """Scaled features ``(B, T, F)`` <-> codes ``(B, T / step, layers)``; T a multiple of the step."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config, self.step = config, 2 ** config.halvings
        self._set = False
        width = config.width
        down: list[nn.Module] = [nn.Conv1d(N_FEATURES, width, 3, padding=1), nn.ReLU()]
        up: list[nn.Module] = [nn.Conv1d(config.dim, width, 3, padding=1), nn.ReLU()]
        for _ in range(config.halvings):
            down += [nn.Conv1d(width, width, 4, stride=2, padding=1), *_blocks(config)]
            up += [*_blocks(config), nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv1d(width, width, 3, padding=1)]
        self.encoder = nn.Sequential(*down, nn.Conv1d(width, config.dim, 3, padding=1))
        self.decoder = nn.Sequential(*up, nn.Conv1d(width, width, 3, padding=1), nn.ReLU(),
                                     nn.Conv1d(width, N_FEATURES, 3, padding=1))
        usual: dict[str, Any] = dict(dim=config.dim, codebook_size=config.codes, decay=config.decay, rotation_trick=False,
                                     threshold_ema_dead_code=config.reset, kmeans_init=True, kmeans_iters=4)
        self.quantizer: Any = (VectorQuantize(**usual) if config.layers == 1 else
                               ResidualVQ(num_quantizers=config.layers, quantize_dropout=config.dropout > 0, **usual))

    def latents(self, x: Tensor) -> Tensor:
        """``(B, T, F)`` -> ``(B, T / step, dim)``."""
        out: Tensor = self.encoder(x.transpose(1, 2)).transpose(1, 2)
        return out

    def frames(self, quantized: Tensor) -> Tensor:
        """``(B, T / step, dim)`` -> ``(B, T, F)``."""
        out: Tensor = self.decoder(quantized.transpose(1, 2)).transpose(1, 2)
        return out

    def quantize(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``(B, T', dim)`` -> quantised ``(B, T', dim)``, codes ``(B, T', layers)``, mean commitment loss (a scalar).

        In training, the last codebooks are left out of a share ``dropout`` of the batches (not of the first, which sets them).
        """
        if self.config.layers > 1:
            self._set = self._set or all(bool(one._codebook.initted) for one in self.quantizer.layers)
            left_out = float(torch.rand(())) < self.config.dropout
            self.quantizer.quantize_dropout = self.training and left_out and self._set
        with torch.autocast(latents.device.type, enabled=False):
            quantized, codes, loss = self.quantizer(latents.float())
        return quantized, codes if codes.ndim == 3 else codes[..., None], loss.mean()

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """``(B, T, F)`` -> codes; in evaluation mode."""
        return self.quantize(self.latents(x))[1]

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Codes -> ``(B, T, F)``."""
        points = (self.quantizer.get_codes_from_indices(codes[..., 0]) if self.config.layers == 1 else
                  self.quantizer.get_output_from_indices(codes))
        return self.frames(points)

    def loss(self, x: Tensor) -> Tensor:
        """Smooth L1 of the motion, of its velocity, and the commitment (eqs. 2 and 4 of the paper)."""
        quantized, _, commitment = self.quantize(self.latents(x))
        return codec_loss(x, self.frames(quantized).float(), commitment, self.config)


def codec_loss(x: Tensor, y: Tensor, commitment: Tensor, config: CodecConfig) -> Tensor:
    """``L1s(x, y) + velocity L1s(dx, dy) + commitment``, of features ``(B, T, F)``."""
    return (F.smooth_l1_loss(y, x) + config.velocity * F.smooth_l1_loss(y.diff(dim=1), x.diff(dim=1))
            + config.commitment * commitment)
