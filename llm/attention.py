"""Attention as two batched products, for CPUs.

PyTorch's CPU flash kernel has a slow backward (a sixth of a training step at 100 tokens),
and with grouped queries it wants the keys repeated. Here the query heads of a group become
rows of one product, so nothing is repeated (grouped queries: https://arxiv.org/abs/2305.13245).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

NAME = "facelm_grouped"


def grouped_attention(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None,
                      scaling: float | None = None, dropout: float = 0.0, **_: Any) -> tuple[Tensor, None]:
    """Transformers' attention interface: ``(B, heads, T, D)`` -> ``(B, T, heads, D)``.

    ``attention_mask`` is None (causal) or added to the scores, ``(B, 1, T, S)``.
    """
    batch, heads, length, width = query.shape
    groups, span = key.shape[1], key.shape[2]
    rows = heads // groups * length
    scores = torch.bmm(query.reshape(batch * groups, rows, width), key.reshape(batch * groups, span, width).transpose(1, 2))
    scores = scores.view(batch, groups, heads // groups, length, span)
    if attention_mask is None:
        mask = torch.full((length, span), float("-inf"), dtype=scores.dtype, device=scores.device).triu(span - length + 1)
    else:
        mask = attention_mask[:, :, None]
    weights = torch.softmax(scores * (width**-0.5 if scaling is None else scaling) + mask, -1)
    out = torch.bmm(weights.view(batch * groups, rows, span), value.reshape(batch * groups, span, width))
    return out.view(batch, heads, length, width).transpose(1, 2), None


def use_grouped_attention(model: Any) -> bool:
    """Switch ``model`` to this attention when it is a kind it is right for; say whether it was."""
    config = model.config
    if config.model_type not in ("llama", "qwen2", "qwen3", "smollm3") or getattr(config, "use_sliding_window", False):
        return False
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, grouped_attention)
    model.set_attn_implementation(NAME)
    return True
