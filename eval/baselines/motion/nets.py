"""What the peers' transformers share: stacks, sinusoids, the draw of a code, and the length of a motion from its sentence."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..motionclip.model import sinusoids
from .config import NetConfig

__all__ = ["LengthEstimator", "Stack", "drop_sentences", "guided", "padding", "sinusoids"]


class Stack(nn.Module):
    """Transformer layers over ``(B, T, width)``.

    Args:
        first: normalise before each block (GPT) instead of after it (https://arxiv.org/abs/1706.03762).
        causal: a place sees only those before it and itself.
    """

    def __init__(self, config: NetConfig, first: bool = False, causal: bool = False) -> None:
        super().__init__()
        self.causal = causal
        layer = nn.TransformerEncoderLayer(config.width, config.heads, config.ratio * config.width, config.dropout, "gelu",
                                           batch_first=True, norm_first=first)
        self.layers = nn.TransformerEncoder(layer, config.layers, nn.LayerNorm(config.width) if first else None,
                                            enable_nested_tensor=False)

    def forward(self, x: Tensor, hidden: Tensor | None = None) -> Tensor:
        """``hidden`` ``(B, T)`` bool: places that nobody sees."""
        mask = None
        if self.causal:
            mask = torch.full((x.shape[1], x.shape[1]), float("-inf"), device=x.device, dtype=x.dtype).triu(1)
        out: Tensor = self.layers(x, mask=mask, src_key_padding_mask=hidden, is_causal=self.causal)
        return out


def padding(length: Tensor, longest: int) -> Tensor:
    """``(B, longest)`` bool: places at and after each row's length."""
    return torch.arange(longest, device=length.device)[None] >= length[:, None]


def drop_sentences(sentence: Tensor, share: float) -> Tensor:
    """Sentences ``(B, D)`` of which a random share is all zeros: the condition that is left out."""
    return sentence * (torch.rand(len(sentence), 1, device=sentence.device) >= share)


def guided(both: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (https://arxiv.org/abs/2207.12598): ``without + scale (with_text - without)``.

    Args:
        both: ``(2 B, ...)``, the predictions with their texts and then those without.
    """
    with_text, without = both.chunk(2)
    return without + scale * (with_text - without)


class LengthEstimator(nn.Module):
    """The number of steps of a motion from its sentence, as classes (https://arxiv.org/abs/2207.01696, and MoMask's)."""

    def __init__(self, text_dim: int, longest: int, width: int = 256) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(text_dim, width), nn.LayerNorm(width), nn.LeakyReLU(0.2), nn.Dropout(0.2),
                                 nn.Linear(width, longest))

    def forward(self, sentence: Tensor) -> Tensor:
        """``(B, D)`` -> ``(B, longest)`` logits; class ``i`` is ``i + 1`` steps."""
        out: Tensor = self.net(sentence)
        return out

    def loss(self, sentence: Tensor, steps: Tensor) -> Tensor:
        """Cross-entropy of the true numbers of steps ``(B,)``."""
        return F.cross_entropy(self(sentence).float(), steps - 1)

    def draw(self, sentence: Tensor, noise: Tensor) -> Tensor:
        """``(B,)`` numbers of steps, drawn; ``noise`` is Gumbel's, ``(B, longest)``."""
        return (self(sentence).float() + noise).argmax(-1) + 1
