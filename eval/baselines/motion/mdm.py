"""MDM (Tevet et al., ICLR 2023, https://arxiv.org/abs/2209.14916): diffusion of whole motions by a transformer encoder.

The network predicts the clean motion itself; geometric losses are on that prediction. Feet that touch the ground have no
counterpart in a face; positions are those of vertices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ....face.head.model import HeadModel
from ....llm.base import BaseModel
from ....tokenizer.features import N_FEATURES
from ....tokenizer.train import VertexLoss
from .config import MDMConfig, Recipe
from .data import Draws
from .nets import LengthEstimator, Stack, drop_sentences, guided, padding, sinusoids
from .peer import Batch, Peer

LENGTH_STEP = 4
"""Frames of a class of the length estimator."""
SEEN_FRAMES = 4
"""Frames of each clip whose vertices are compared."""
CM = 10.0
"""mm."""


def cosine_schedule(steps: int) -> Tensor:
    """``(steps,)`` shares of the signal's variance that are left (https://arxiv.org/abs/2102.09672, eq. 17; betas to 0.999)."""
    def left(t: float) -> float:
        return math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2

    beta = torch.tensor([min(1 - left(t + 1) / left(t), 0.999) for t in range(steps)], dtype=torch.float64)
    return (1 - beta).cumprod(0).float()


def noised(clean: Tensor, noise: Tensor, left: Tensor) -> Tensor:
    """``q(x_t | x_0)``: ``sqrt(left) clean + sqrt(1 - left) noise``; ``left`` is ``(B,)``."""
    left = left[:, None, None]
    return left.sqrt() * clean + (1 - left).sqrt() * noise


def previous(x: Tensor, clean: Tensor, noise: Tensor, t: int, left: Tensor) -> Tensor:
    """A draw of ``q(x_{t-1} | x_t, x_0)`` (https://arxiv.org/abs/2006.11239, eqs. 6 and 7); ``left`` is the whole schedule."""
    now, before = left[t], left[t - 1] if t else torch.ones_like(left[0])
    beta = 1 - now / before
    mean = before.sqrt() * beta / (1 - now) * clean + (now / before).sqrt() * (1 - before) / (1 - now) * x
    return mean + (beta * (1 - before) / (1 - now)).sqrt() * noise


def masked_mean(error: Tensor, hidden: Tensor) -> Tensor:
    """Mean of ``(B, T, F)`` over the places that are not hidden ``(B, T)``."""
    seen = (~hidden)[..., None].to(error)
    return (error * seen).sum() / (seen.sum() * error.shape[-1]).clamp(min=1)


class Denoiser(nn.Module):
    """The transformer encoder; the first token is the sum of the step's and the sentence's embeddings."""

    left: Tensor

    def __init__(self, config: MDMConfig, text_dim: int, longest: int) -> None:
        super().__init__()
        self.config = config
        width = config.net.width
        self.register_buffer("left", cosine_schedule(config.steps), persistent=False)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.sentence_in = nn.Linear(text_dim, width)
        self.frame_in, self.frame_out = nn.Linear(N_FEATURES, width), nn.Linear(width, N_FEATURES)
        self.stack = Stack(config.net)
        self.length = LengthEstimator(text_dim, -(-longest // LENGTH_STEP))

    def forward(self, x: Tensor, t: Tensor, sentence: Tensor, hidden: Tensor) -> Tensor:
        """Noised ``(B, T, F)``, steps ``(B,)``, sentences ``(B, D)`` (zeros: none), hidden ``(B, T)`` -> clean ``(B, T, F)``."""
        token = self.time(sinusoids(self.config.steps, self.config.net.width).to(x)[t]) + self.sentence_in(sentence)
        h = torch.cat([token[:, None], self.frame_in(x)], 1)
        h = self.stack(h + sinusoids(h.shape[1], h.shape[2]).to(h), nn.functional.pad(hidden, (1, 0)))
        out: Tensor = self.frame_out(h[:, 1:])
        return out

    def predict(self, clean: Tensor, sentence: Tensor, hidden: Tensor) -> Tensor:
        """The clean motion from a random step of noise, with some sentences left out."""
        t = torch.randint(self.config.steps, (len(clean),), device=clean.device)
        x = noised(clean, torch.randn_like(clean), self.left[t])
        return self(x, t, drop_sentences(sentence, self.config.unconditional), hidden)

    @torch.no_grad()
    def draw(self, sentence: Tensor, frames: Tensor, noise: Tensor) -> Tensor:
        """Motions ``(B, T, F)`` for sentences; ``noise`` is ``(B, steps + 1, T, F)``, ``frames`` ``(B,)``."""
        hidden = padding(frames, noise.shape[2])
        twice, nothing = hidden.repeat(2, 1), torch.zeros_like(sentence)
        x = noise[:, -1]
        for t in reversed(range(self.config.steps)):
            at = torch.full((2 * len(x),), t, device=x.device)
            both = self(x.repeat(2, 1, 1), at, torch.cat([sentence, nothing]), twice).float()
            clean = guided(both, self.config.guidance)
            x = previous(x, clean, noise[:, t], t, self.left)
        return x


class MDM(Peer):
    """MDM."""

    KIND, TITLE, STAGES = "mdm", "MDM", ("diffusion",)

    def __init__(self, recipe: Recipe, base: BaseModel) -> None:
        super().__init__(recipe, base)
        self.diffusion = Denoiser(recipe.mdm, self.text_dim, self.longest)
        self._vertices: VertexLoss | None = None

    def loss(self, stage: str, batch: Batch) -> Tensor:
        """Eqs. 2, 3 and 5 of the paper, and the length estimator's."""
        config = self.recipe.mdm
        hidden = padding(batch.length, batch.frames.shape[1])
        made = self.diffusion.predict(batch.frames, batch.sentence, hidden).float()
        total = masked_mean((made - batch.frames).square(), hidden)
        total = total + config.velocity * masked_mean((made.diff(dim=1) - batch.frames.diff(dim=1)).square(), hidden[:, 1:])
        if config.vertex:
            total = total + config.vertex * self._vertex(batch.frames, made, batch.length)
        steps = -(-batch.length // LENGTH_STEP)
        return total + self.diffusion.length.loss(batch.sentence, steps)

    def _vertex(self, x: Tensor, y: Tensor, length: Tensor) -> Tensor:
        """Mean squared distance of vertices in cm at some frames of each clip, head upright."""
        if self._vertices is None:
            self._vertices = VertexLoss(HeadModel.default())
            self._vertices.layer.to(x.device)
            for name in ("expr_at", "jaw_at", "jaw_scale"):
                setattr(self._vertices, name, getattr(self._vertices, name).to(x.device))
        at = (torch.rand(len(x), SEEN_FRAMES, device=x.device) * length[:, None]).long()
        row = torch.arange(len(x), device=x.device)[:, None]
        with torch.autocast(x.device.type, enabled=False):
            a, b = (self._vertices.vertices(self.scale.back(v[row, at]).flatten(0, 1)) / CM for v in (x, y))
            return (a - b).square().sum(-1).mean()

    def sample(self, texts: Sequence[str], frames: Sequence[int | None], draws: Draws) -> list[Tensor]:
        sentence = self.sentences(texts)
        chosen = LENGTH_STEP * self.diffusion.length.draw(sentence, draws.gumbel(-(-self.longest // LENGTH_STEP)))
        length = torch.tensor([int(c) if n is None else n for n, c in zip(frames, chosen, strict=True)], device=self.device)
        longest = int(length.max())
        noise = draws.normal(self.recipe.mdm.steps + 1, max(self.longest, longest), N_FEATURES)[:, :, :longest]
        made = self.diffusion.draw(sentence, length, noise)
        return [row[:n] for row, n in zip(made, length.tolist(), strict=True)]
