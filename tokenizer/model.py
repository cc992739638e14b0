"""The motion VQ-VAE: one small convolutional codec for each group of face regions.

The codecs of all groups have the same architecture and run side by side as one batched
matrix product (activations ``(G, B, T, C)``), which trains several times faster on a CPU
than six sets of small convolutions.

Quantizers come from vector-quantize-pytorch: FSQ (Mentzer et al. 2023,
https://arxiv.org/abs/2309.15505), VQ (van den Oord et al. 2017,
https://arxiv.org/abs/1711.00937) and residual VQ (Zeghidour et al. 2021,
https://arxiv.org/abs/2107.03312). FSQ's fixed grid leaves a resting face on one code;
ScaMo (https://arxiv.org/abs/2412.14559) uses it for body motion.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from vector_quantize_pytorch import FSQ, ResidualVQ, VectorQuantize

from .config import GROUPINGS, TokenizerConfig
from .features import N_FEATURES, STREAM_COLUMNS

SMALL = ("brows", "gaze", "head")
CONTEXT = 3
"""Steps that the decoder sees on either side: 1 + 1 by its two step convolutions, and 3 frames rounded up to a step."""


class GroupedConv(nn.Module):
    """A 1D convolution over time for every group at once; ``(G, B, T, C)`` in and out.

    Replicate padding, so that a constant stays constant.
    """

    def __init__(self, groups: int, inputs: int, outputs: int, kernel: int = 1) -> None:
        super().__init__()
        self.kernel = kernel
        bound = (inputs * kernel) ** -0.5
        self.weight = nn.Parameter(torch.empty(groups, kernel * inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(groups, 1, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        g, b, t, _ = x.shape
        if self.kernel > 1:
            side = self.kernel // 2
            x = torch.cat([x[:, :, :1].expand(-1, -1, side, -1), x, x[:, :, -1:].expand(-1, -1, side, -1)], 2)
            x = torch.cat([x[:, :, i:i + t] for i in range(self.kernel)], -1)
        return torch.baddbmm(self.bias, x.reshape(g, b * t, -1), self.weight).view(g, b, t, -1)


class Block(nn.Module):
    """Residual convolution over time."""

    def __init__(self, groups: int, width: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = GroupedConv(groups, width, width, kernel)
        self.mix = GroupedConv(groups, width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(F.silu(self.conv(F.silu(x))))


class MotionVQVAE(nn.Module):
    """All groups side by side. Features ``(B, T, N_FEATURES)`` in and out, T a multiple of the step.

    The decoder's answer to the resting codes is subtracted, so that resting codes decode to
    a face exactly at rest.
    """

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.config = config
        self.groups = GROUPINGS[config.grouping]
        self.columns = [torch.tensor([c for s in g for c in STREAM_COLUMNS[s]]) for g in self.groups]
        n, width, step = len(self.groups), config.hidden, config.frames_per_step
        channels = max(len(c) for c in self.columns)
        gather = torch.full((n, channels), N_FEATURES)  # N_FEATURES points at a column of zeros
        scatter = torch.empty(N_FEATURES, dtype=torch.long)
        for g, cols in enumerate(self.columns):
            gather[g, :len(cols)] = cols
            scatter[cols] = g * channels + torch.arange(len(cols))
        self.register_buffer("_gather", gather, persistent=False)
        self.register_buffer("_scatter", scatter, persistent=False)
        levels = [list(config.wide_levels if set(g) & set(config.wide) else
                       config.small_levels if len(g) == 1 and g[0] in SMALL else config.levels) for g in self.groups]
        self.dims = [len(one) for one in levels] if config.quantizer == "fsq" else [16] * n
        dim = max(self.dims)
        self.enc_in = GroupedConv(n, channels, width, 3)
        self.enc_frame = Block(n, width)
        self.enc_down = GroupedConv(n, width * step, width)
        self.enc_step = Block(n, width)
        self.enc_out = GroupedConv(n, width, dim)
        with torch.no_grad():  # start with latents that use the grid, or the first hundreds of steps see one code only
            self.enc_out.weight.mul_(3.0)
        self.dec_in = GroupedConv(n, dim, width, 3)
        self.dec_step = Block(n, width)
        self.dec_up = GroupedConv(n, width, width * step)
        self.dec_frame = Block(n, width, 5)
        self.dec_out = GroupedConv(n, width, channels, 3)
        size = config.codebook_size
        self.sizes: list[tuple[int, ...]]
        if config.quantizer == "fsq":
            self.quantizers = nn.ModuleList(FSQ(one) for one in levels)
            self.sizes = [(prod(one),) for one in levels]
        elif config.quantizer == "vq":
            self.quantizers = nn.ModuleList(
                VectorQuantize(dim, size, decay=0.95, threshold_ema_dead_code=2) for _ in range(n))
            self.sizes = [(size,)] * n
        else:
            self.quantizers = nn.ModuleList(
                ResidualVQ(dim=dim, num_quantizers=config.quantizers, codebook_size=size, decay=0.95,
                           threshold_ema_dead_code=2) for _ in range(n))
            self.sizes = [(size,) * config.quantizers] * n

    @property
    def code_sizes(self) -> tuple[int, ...]:
        """Codebook size of each code column (one a group, or one a group and RVQ stage)."""
        return tuple(n for sizes in self.sizes for n in sizes)

    _gather: Tensor
    _scatter: Tensor

    # -- parts ------------------------------------------------------------------------
    def _latents(self, x: Tensor) -> Tensor:
        """``(B, T, F)`` -> ``(G, B, T', D)``."""
        padded = F.pad(x, (0, 1))
        h = padded[..., self._gather].permute(2, 0, 1, 3)
        h = self.enc_frame(self.enc_in(h))
        g, b, t, c = h.shape
        h = self.enc_down(h.reshape(g, b, t // self.config.frames_per_step, c * self.config.frames_per_step))
        return self.enc_out(self.enc_step(h))

    def _quantize(self, latents: Tensor) -> tuple[Tensor, list[Tensor], Tensor, Tensor]:
        """Quantized ``(G, B, T', D)``, codes ``(B, T', Q)`` a group, change and commitment losses."""
        quantized, codes = [], []
        change = commitment = latents.new_zeros(())
        quantizer: Any
        for g, (quantizer, dim) in enumerate(zip(self.quantizers, self.dims, strict=True)):
            z = latents[g, ..., :dim]
            if self.config.quantizer == "fsq":
                q, code = quantizer(z)
                z = quantizer.bound(z)
            else:
                q, code, loss = quantizer(z)
                commitment = commitment + loss.sum()
            change = change + (z[:, 1:] - z[:, :-1]).abs().mean()
            quantized.append(F.pad(q, (0, latents.shape[-1] - dim)))
            codes.append(code if code.ndim == 3 else code[..., None])
        n = len(self.quantizers)
        return torch.stack(quantized), codes, change / n, commitment / n

    def _frames(self, quantized: Tensor) -> Tensor:
        """``(G, B, T', D)`` -> ``(B, T, F)``."""
        h = self.dec_up(self.dec_step(self.dec_in(quantized)))
        g, b, t, _ = h.shape
        h = h.view(g, b, t * self.config.frames_per_step, self.config.hidden)
        y = self.dec_out(self.dec_frame(h))
        return y.permute(1, 2, 0, 3).reshape(b, y.shape[2], -1)[..., self._scatter]

    def _rest_frames(self, quantized: Tensor) -> Tensor:
        """``(1, step, F)``: the decoder's answer to one resting step ``(G, 1, 1, D)``."""
        step = self.config.frames_per_step
        return self._frames(quantized.expand(-1, -1, 7, -1))[:, 3 * step:4 * step]

    def _resting(self) -> Tensor:
        return torch.zeros(1, 5 * self.config.frames_per_step, N_FEATURES)

    # -- use --------------------------------------------------------------------------
    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """``(B, T, F)`` -> ``(B, T', K)`` int64 codes; K is one a group, or one a group and RVQ stage."""
        return torch.cat(self._quantize(self._latents(x))[1], -1)

    @torch.no_grad()
    def rest_codes(self) -> Tensor:
        """``(K,)`` codes of a face at rest."""
        return self.encode(self._resting())[0, 2]

    @torch.no_grad()
    def points(self, group: int, codes: Tensor) -> Tensor:
        """``(..., Q)`` codes of a group -> ``(..., D)`` quantized latents."""
        quantizer: Any = self.quantizers[group]
        if self.config.quantizer == "fsq":
            out: Tensor = quantizer.indices_to_codes(codes[..., 0])
        elif self.config.quantizer == "vq":
            out = quantizer.get_codes_from_indices(codes[..., 0])
        else:
            out = quantizer.get_output_from_indices(codes)
        return out

    def _from_codes(self, codes: Tensor) -> Tensor:
        out, at, dim = [], 0, max(self.dims)
        for g, sizes in enumerate(self.sizes):
            point = self.points(g, codes[..., at:at + len(sizes)])
            out.append(F.pad(point, (0, dim - point.shape[-1])))
            at += len(sizes)
        return torch.stack(out)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """``(B, T', K)`` -> ``(B, T, F)``; before and after, the first and last codes go on.

        Without that context the first and last frames would see the convolutions' own padding,
        which repeats one frame of a step instead of the step.
        """
        rest = self._rest_frames(self._from_codes(self.rest_codes()[None, None]))
        side, step = CONTEXT, self.config.frames_per_step
        around = torch.cat([codes[:, :1].expand(-1, side, -1), codes, codes[:, -1:].expand(-1, side, -1)], 1)
        frames = self._frames(self._from_codes(around))[:, side * step:-side * step]
        return frames - rest.repeat(1, codes.shape[1], 1)

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Reconstruction ``(B, T, F)`` and the auxiliary losses ``change`` and ``commitment``."""
        quantized, _, change, commitment = self._quantize(self._latents(x))
        y = self._frames(quantized)
        if self.config.quantizer == "fsq":  # the learned codebooks of the others must not be fed with rest alone
            rest = self._quantize(self._latents(self._resting()))[0][:, :, 2:3]
            y = y - self._rest_frames(rest).repeat(1, quantized.shape[2], 1)
        return y, {"change": change, "commitment": commitment}
