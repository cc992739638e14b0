"""T2M-GPT (Zhang et al., CVPR 2023, https://arxiv.org/abs/2301.06052): a VQ-VAE, and a GPT over its codes.

The sentence's embedding is the first token; the codes follow, and an end token. In training a share of the input codes is
replaced by random ones, so that the model bears its own mistakes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ....llm.base import BaseModel
from .codec import Codec
from .config import GPTConfig, Recipe
from .data import Draws
from .nets import Stack, sinusoids
from .peer import Batch, CodecPeer


def corrupt(codes: Tensor, share: float, n_codes: int) -> Tensor:
    """Codes ``(B, T)`` of which each is replaced by a random one with this probability."""
    replaced = torch.rand(codes.shape, device=codes.device) < share
    return torch.where(replaced, torch.randint_like(codes, n_codes), codes)


def targets(codes: Tensor, end: int) -> Tensor:
    """What follows the sentence and each code: ``(B, T)`` codes, -1 after the end -> ``(B, T + 1)``, -1 where nothing counts."""
    steps = (codes >= 0).sum(1, keepdim=True)
    after = F.pad(codes, (0, 1), value=-1)
    return after.scatter(1, steps, end)


class GPT(nn.Module):
    """A causal transformer over ``n_codes`` codes and an end."""

    def __init__(self, config: GPTConfig, n_codes: int, text_dim: int) -> None:
        super().__init__()
        self.config, self.n_codes, self.end = config, n_codes, n_codes
        width = config.net.width
        self.sentence_in = nn.Linear(text_dim, width)
        self.code = nn.Embedding(n_codes, width)
        self.stack = Stack(config.net, first=True, causal=True)
        self.out = nn.Linear(width, n_codes + 1)

    def forward(self, sentence: Tensor, codes: Tensor) -> Tensor:
        """``(B, D)`` and ``(B, T)`` codes -> logits ``(B, T + 1, n_codes + 1)`` of what comes next, the end last."""
        x = torch.cat([self.sentence_in(sentence)[:, None], self.code(codes)], 1)
        x = x + sinusoids(x.shape[1], x.shape[2]).to(x)
        logits: Tensor = self.out(self.stack(x))
        return logits

    def loss(self, sentence: Tensor, codes: Tensor) -> Tensor:
        """Mean cross-entropy of codes ``(B, T)`` (-1 after the end) and ends, from corrupted codes."""
        seen = corrupt(codes.clamp(min=0), self.config.corruption, self.n_codes)
        return F.cross_entropy(self(sentence, seen).float().transpose(1, 2), targets(codes, self.end), ignore_index=-1)

    @torch.no_grad()
    def draw(self, sentence: Tensor, steps: Sequence[int | None], longest: int, noise: Tensor) -> list[Tensor]:
        """Codes ``(T,)`` for each sentence, until the end is drawn, or of exactly ``steps`` where given.

        Args:
            noise: Gumbel's, ``(B, longest, n_codes + 1)``.
        """
        made = torch.zeros(len(sentence), 0, dtype=torch.long, device=sentence.device)
        most = [longest if s is None else s for s in steps]
        ends = list(most)
        free = torch.tensor([s is None for s in steps], device=sentence.device)
        done = torch.zeros(len(sentence), dtype=torch.bool, device=sentence.device)
        for t in range(max(most)):
            logits = self(sentence, made)[:, -1].float() / self.config.temperature + noise[:, t]
            logits[:, self.end] = logits[:, self.end].masked_fill(~free | (t == 0), float("-inf"))
            drawn = logits.argmax(-1)
            for i in torch.nonzero((drawn == self.end) & ~done).flatten().tolist():
                ends[i] = min(ends[i], t)
            done |= drawn == self.end
            if bool(done.all()):
                break
            made = torch.cat([made, drawn.masked_fill(drawn == self.end, 0)[:, None]], 1)
        return [row[:n] for row, n in zip(made, ends, strict=True)]


class T2MGPT(CodecPeer):
    """T2M-GPT."""

    KIND, TITLE, STAGES = "t2mgpt", "T2M-GPT", ("codec", "gpt")

    def __init__(self, recipe: Recipe, base: BaseModel) -> None:
        super().__init__(recipe, base)
        self.codec = Codec(recipe.codec)
        self.gpt = GPT(recipe.gpt, recipe.codec.codes, self.text_dim)

    def loss(self, stage: str, batch: Batch) -> Tensor:
        return self.codec.loss(batch.frames) if stage == "codec" else self.gpt.loss(batch.sentence, batch.codes[..., 0])

    def sample(self, texts: Sequence[str], frames: Sequence[int | None], draws: Draws) -> list[Tensor]:
        longest = -(-self.longest // self.step())
        steps = [None if n is None else -(-n // self.step()) for n in frames]
        drawn = self.gpt.draw(self.sentences(texts), steps, longest, draws.gumbel(longest, self.gpt.n_codes + 1))
        return [self.codec.decode(one[None, :, None])[0] for one in drawn]
