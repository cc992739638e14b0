"""MoMask (Guo et al., CVPR 2024, https://arxiv.org/abs/2312.00063): residual VQ, a masked transformer, a residual transformer.

The masked transformer fills in the codes of the first codebook, a few at a time, the surest first; the residual transformer
adds those of the other codebooks, one codebook after another. The length comes from an estimator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ....llm.base import BaseModel
from .codec import Codec
from .config import MaskConfig, Recipe
from .data import Draws
from .nets import LengthEstimator, Stack, drop_sentences, guided, padding, sinusoids
from .peer import Batch, CodecPeer

RANDOM, AS_IT_WAS = 0.1, 0.1
"""Of the codes that are to be predicted, how many are replaced by a random one, and how many stay (BERT's remasking)."""
SURE = 1e5


def masked_share(progress: Tensor) -> Tensor:
    """The cosine schedule: share of codes that are masked at a progress in [0, 1] of the unmasking."""
    return (progress * math.pi / 2).cos()


def masked_count(progress: Tensor, steps: Tensor) -> Tensor:
    """``ceil(share steps)``, at least 1."""
    return (masked_share(progress) * steps - 1e-6).ceil().long().clamp(min=1)


def lowest(scores: Tensor, count: Tensor) -> Tensor:
    """``(B, T)`` bool: the ``count`` ``(B,)`` places of lowest score in each row."""
    return scores.argsort(1).argsort(1) < count[:, None]


def remasked(codes: Tensor, chosen: Tensor, mask: int) -> Tensor:
    """Codes ``(B, T)`` whose chosen places are masked (80 %), random (10 %) or left (10 %); ``mask`` is the number of codes."""
    at = torch.rand(codes.shape, device=codes.device)
    out = torch.where(chosen & (at < RANDOM), torch.randint_like(codes, mask), codes)
    return out.masked_fill(chosen & (at >= RANDOM + AS_IT_WAS), mask)


class Masked(nn.Module):
    """The masked transformer over the first codebook's codes; the code after the last is the mask."""

    def __init__(self, config: MaskConfig, n_codes: int, text_dim: int, longest: int) -> None:
        super().__init__()
        self.config, self.mask = config, n_codes
        width = config.net.width
        self.sentence_in, self.code = nn.Linear(text_dim, width), nn.Embedding(n_codes + 1, width)
        self.stack, self.out = Stack(config.net), nn.Linear(width, n_codes)
        self.length = LengthEstimator(text_dim, longest)

    def forward(self, sentence: Tensor, codes: Tensor, hidden: Tensor) -> Tensor:
        """``(B, D)``, ``(B, T)`` codes and masks, hidden ``(B, T)`` -> logits ``(B, T, n_codes)``."""
        x = torch.cat([self.sentence_in(sentence)[:, None], self.code(codes)], 1)
        x = self.stack(x + sinusoids(x.shape[1], x.shape[2]).to(x), F.pad(hidden, (1, 0)))
        logits: Tensor = self.out(x[:, 1:])
        return logits

    def loss(self, sentence: Tensor, codes: Tensor) -> Tensor:
        """Mean cross-entropy of a random share of codes ``(B, T)`` (-1 after the end), and the length's (eq. 2)."""
        hidden, steps = codes < 0, (codes >= 0).sum(1)
        count = masked_count(torch.rand(len(codes), device=codes.device), steps)
        chosen = lowest(torch.rand(codes.shape, device=codes.device).masked_fill(hidden, 2.0), count)
        seen = remasked(codes.clamp(min=0), chosen, self.mask)
        logits = self(drop_sentences(sentence, self.config.unconditional), seen, hidden).float()
        return F.cross_entropy(logits[chosen], codes[chosen]) + self.length.loss(sentence, steps)

    @torch.no_grad()
    def draw(self, sentence: Tensor, steps: Tensor, noise: Tensor) -> Tensor:
        """Codes ``(B, T)`` for sentences; ``noise`` is Gumbel's, ``(B, iterations, T, n_codes)``."""
        hidden = padding(steps, noise.shape[2])
        codes = torch.full(hidden.shape, self.mask, device=hidden.device)
        scores = torch.zeros(hidden.shape, device=hidden.device)
        nothing = torch.zeros_like(sentence)
        for i in range(self.config.iterations):
            count = masked_count(torch.tensor(i / self.config.iterations, device=hidden.device), steps)
            masked = lowest(scores.masked_fill(hidden, 2 * SURE), count)
            codes = codes.masked_fill(masked, self.mask)
            both = self(torch.cat([sentence, nothing]), codes.repeat(2, 1), hidden.repeat(2, 1)).float()
            logits = guided(both, self.config.guidance) / self.config.temperature
            drawn = (logits + noise[:, i]).argmax(-1)
            codes = torch.where(masked, drawn, codes)
            sure = logits.softmax(-1).gather(-1, drawn[..., None])[..., 0]
            scores = torch.where(masked, sure, torch.full_like(sure, SURE))
        return codes.masked_fill(hidden, 0)


class Residual(nn.Module):
    """The residual transformer: the codes of codebook ``j`` from the sum of those before."""

    def __init__(self, config: MaskConfig, n_codes: int, layers: int, text_dim: int) -> None:
        super().__init__()
        self.config, self.layers = config, layers
        width = config.residual.width
        self.sentence_in = nn.Linear(text_dim, width)
        self.code = nn.ModuleList(nn.Embedding(n_codes, width) for _ in range(layers - 1))
        self.which = nn.Embedding(layers, width)
        self.stack = Stack(config.residual)
        self.out = nn.ModuleList(nn.Linear(width, n_codes) for _ in range(layers - 1))

    def forward(self, sentence: Tensor, codes: Tensor, j: int, hidden: Tensor) -> Tensor:
        """``(B, D)``, codes ``(B, T, j or more)``, hidden ``(B, T)`` -> logits ``(B, T, n_codes)`` of codebook ``j`` (1 ...)."""
        x = torch.stack([self.code[i](codes[..., i]) for i in range(j)]).sum(0)
        which = self.which.weight[j].expand(len(x), 1, -1)
        x = torch.cat([self.sentence_in(sentence)[:, None], which.to(x), x], 1)
        x = self.stack(x + sinusoids(x.shape[1], x.shape[2]).to(x), F.pad(hidden, (2, 0)))
        logits: Tensor = self.out[j - 1](x[:, 2:])
        return logits

    def loss(self, sentence: Tensor, codes: Tensor) -> Tensor:
        """Mean cross-entropy of the codes of a random codebook after the first (eq. 3); codes ``(B, T, layers)``."""
        j = int(torch.randint(1, self.layers, ()))
        hidden = codes[..., 0] < 0
        logits = self(drop_sentences(sentence, self.config.unconditional), codes.clamp(min=0), j, hidden).float()
        return F.cross_entropy(logits[~hidden], codes[..., j][~hidden])

    @torch.no_grad()
    def draw(self, sentence: Tensor, first: Tensor, steps: Tensor, noise: Tensor) -> Tensor:
        """Codes ``(B, T, layers)`` from those of the first codebook ``(B, T)``; ``noise`` ``(B, layers - 1, T, n_codes)``."""
        hidden, codes = padding(steps, first.shape[1]), first[..., None]
        nothing = torch.zeros_like(sentence)
        for j in range(1, self.layers):
            both = self(torch.cat([sentence, nothing]), codes.repeat(2, 1, 1), j, hidden.repeat(2, 1)).float()
            logits = guided(both, self.config.residual_guidance) / self.config.temperature
            codes = torch.cat([codes, (logits + noise[:, j - 1]).argmax(-1)[..., None]], -1)
        return codes


class MoMask(CodecPeer):
    """MoMask."""

    KIND, TITLE, STAGES = "momask", "MoMask", ("codec", "masked", "residual")

    def __init__(self, recipe: Recipe, base: BaseModel) -> None:
        super().__init__(recipe, base)
        config = recipe.residual_codec
        if config.layers < 2:
            raise ValueError(f"residual_codec.layers is {config.layers}; MoMask needs at least 2")
        self.codec = Codec(config)
        self.masked = Masked(recipe.masked, config.codes, self.text_dim, -(-self.longest // self.codec.step))
        self.residual = Residual(recipe.masked, config.codes, config.layers, self.text_dim)

    def loss(self, stage: str, batch: Batch) -> Tensor:
        if stage == "codec":
            return self.codec.loss(batch.frames)
        if stage == "masked":
            return self.masked.loss(batch.sentence, batch.codes[..., 0])
        return self.residual.loss(batch.sentence, batch.codes)

    def sample(self, texts: Sequence[str], frames: Sequence[int | None], draws: Draws) -> list[Tensor]:
        config, masked = self.recipe.residual_codec, self.recipe.masked
        sentence, longest = self.sentences(texts), -(-self.longest // self.step())
        chosen = self.masked.length.draw(sentence, draws.gumbel(longest))
        steps = torch.tensor([int(c) if n is None else -(-n // self.step()) for n, c in zip(frames, chosen, strict=True)],
                             device=self.device)
        most = int(steps.max())
        first = self.masked.draw(sentence, steps, draws.gumbel(masked.iterations, longest, config.codes)[:, :, :most])
        noise = draws.gumbel(config.layers - 1, longest, config.codes)[:, :, :most]
        codes = self.residual.draw(sentence, first, steps, noise)
        return [self.codec.decode(row[None, :n])[0] for row, n in zip(codes, steps.tolist(), strict=True)]
