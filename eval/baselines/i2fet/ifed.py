"""IFED: the instruction-driven facial expression decomposer, eqs. (1)-(4) of arXiv 2601.08179.

Shapes: B samples, m expressions of an instruction (2), E expression columns, d_f = E + 3 (expression and jaw),
d_t the text branch's width. docs/i2fet.md lists what the paper leaves open and how it is read here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import IFEDConfig


class Attention(nn.Module):
    """Multi-head attention whose heads have a width of their own, so that any branch width is allowed.

    Args:
        width: of queries, keys, values and the result.
    """

    def __init__(self, width: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * head_width
        self.query = nn.Linear(width, inner)
        self.key_value = nn.Linear(width, 2 * inner)
        self.out = nn.Linear(inner, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Queries ``(B, Q, width)`` and context ``(B, K, width)`` -> ``(B, Q, width)``."""
        q = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.key_value(context).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """Eq. (1): ``y = x + MSA(LN(x))``, then ``y + FFN(LN(y))``."""

    def __init__(self, width: int, heads: int, head_width: int, ffn_ratio: int) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads, head_width)
        self.norm_ffn = nn.LayerNorm(width)
        self.ffn = nn.Sequential(nn.Linear(width, ffn_ratio * width), nn.GELU(), nn.Linear(ffn_ratio * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, m, width)`` -> the same."""
        h = self.norm_attention(x)
        y = x + self.attention(h, h)
        return y + self.ffn(self.norm_ffn(y))


class CrossFusion(nn.Module):
    """One direction of eq. (2): a branch's first element attends to the other branch's remainder.

    ``y = h(own_0)``; ``result = [g(CA([y, other_1..]) + y), own_1..]``, where the query is y alone, as in CrossViT
    (https://arxiv.org/abs/2103.14899).

    Args:
        own: width of the branch whose first element is renewed.
        other: width of the branch that it reads.
    """

    def __init__(self, own: int, other: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.project = nn.Linear(own, other)  # h
        self.attention = Attention(other, heads, head_width)  # CA
        self.back = nn.Linear(other, own)  # g

    def forward(self, own: Tensor, other: Tensor) -> Tensor:
        """``(B, m, own)`` and ``(B, m, other)`` -> ``(B, m, own)``."""
        y = self.project(own[:, :1])
        fused = self.attention(y, torch.cat([y, other[:, 1:]], 1)) + y
        return torch.cat([self.back(fused), own[:, 1:]], 1)


class CAFT(nn.Module):
    """Eq. (2), both directions; each reads the other branch as it came in."""

    def __init__(self, face: int, text: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.face = CrossFusion(face, text, heads, head_width)  # h^f2t, g^t2f
        self.text = CrossFusion(text, face, heads, head_width)  # h^t2f, g^f2t

    def forward(self, face: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, m, d_f)`` and ``(B, m, d_t)`` -> x_o^f and x_o^t of the same shapes."""
        return self.face(face, text), self.text(text, face)


class TextCopies(nn.Module):
    """P_t: the tokens of one sentence, replicated for the m expressions, to ``(m, d_t)``.

    ``attention``: copy i pools the tokens with its own query (one for each head), then one linear map for all copies
    and an offset for each. ``mean``: the tokens' mean, then a linear map of its own for each copy.
    """

    def __init__(self, dim: int, width: int, m: int, heads: int, how: str) -> None:
        super().__init__()
        self.how, self.m = how, m
        if how == "attention":
            self.heads = heads if dim % heads == 0 else 1
            self.query = nn.Parameter(torch.randn(m, self.heads, dim // self.heads))
            self.project = nn.Linear(dim, width)
            self.offset = nn.Parameter(torch.zeros(m, width))
        else:
            self.project = nn.Linear(dim, m * width)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """``(U, L, dim)`` features and ``(U, L)`` mask -> ``(U, m, d_t)``."""
        if self.how == "mean":
            mean = (features * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            return self.project(mean).unflatten(-1, (self.m, -1))
        parts = features.unflatten(-1, (self.heads, -1))
        score = torch.einsum("ulhd,mhd->umhl", parts, self.query) / self.query.shape[-1] ** 0.5
        weight = score.masked_fill(~mask[:, None, None], float("-inf")).softmax(-1)
        return self.project(torch.einsum("umhl,ulhd->umhd", weight, parts).flatten(2)) + self.offset


class IFED(nn.Module):
    """Eqs. (1)-(4): face parameters and an instruction to the two conditions.

    Args:
        n_expr: E; n_pose: width of the pose condition (6).
        text_dim: width of the text features.
        m: expressions of an instruction.
    """

    def __init__(self, config: IFEDConfig, n_expr: int, n_pose: int, text_dim: int, m: int = 2) -> None:
        super().__init__()
        face, text = n_expr + 3, config.text_width or text_dim
        self.face_width, self.text_width, self.m = face, text, m
        attention = (config.heads, config.head_width)
        self.copies = TextCopies(text_dim, text, m, config.heads, config.copies)
        self.text_layers = nn.ModuleList(EncoderLayer(text, *attention, config.ffn_ratio) for _ in range(config.M))
        self.face_layers = nn.ModuleList(EncoderLayer(face, *attention, config.ffn_ratio) for _ in range(config.N))
        self.fusions = nn.ModuleList(CAFT(face, text, *attention) for _ in range(config.caft_layers))
        self.norm_text, self.norm_face = nn.LayerNorm(text), nn.LayerNorm(face)
        self.to_expr, self.to_pose = nn.Linear(text + face, n_expr), nn.Linear(text + face, n_pose)  # P_e, P_p

    def read(self, features: Tensor, mask: Tensor) -> Tensor:
        """The text branch up to the fusion: ``(U, L, dim)`` and ``(U, L)`` bool -> ``(U, m, d_t)``.

        It depends on the sentence alone, so that one evaluation serves every sample with that sentence and both
        calls of a training step.
        """
        x: Tensor = self.copies(features, mask)
        for layer in self.text_layers:
            x = layer(x)
        return x

    def fuse(self, params: Tensor, text: Tensor) -> Tensor:
        """x^fused, eq. (3): ``(B, m, E + 3)`` and ``(B, m, d_t)`` -> ``(B, m, d_t + E + 3)``.

        Raises:
            ValueError: other shapes.
        """
        if params.shape[1:] != (self.m, self.face_width) or text.shape != (len(params), self.m, self.text_width):
            raise ValueError(f"IFED was given parameters {tuple(params.shape)} and text {tuple(text.shape)}; needed: "
                             f"(B, {self.m}, {self.face_width}) and (B, {self.m}, {self.text_width})")
        for layer in self.face_layers:
            params = layer(params)
        for fusion in self.fusions:
            params, text = fusion(params, text)
        return torch.cat([self.norm_text(text), self.norm_face(params)], -1)

    def forward(self, params: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """The conditions x_emb^e ``(B, m, E)`` and x_emb^p ``(B, m, 6)``, eq. (4); arguments as :meth:`fuse`."""
        fused = self.fuse(params, text)
        return self.to_expr(fused), self.to_pose(fused)
