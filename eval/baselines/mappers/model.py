"""The dual mappers and their losses, after He et al. 2026 (https://arxiv.org/abs/2603.14781).

Our copy of the paper has lost its symbols and the bodies of equations 1 to 11, the losses' weights and the augmentation power.
What stands here is rebuilt from the words around them; eq. 9 is the least certain. CLIP-PAE, which eq. 7 to 9 follow: Zhou et
al. 2023, https://arxiv.org/abs/2210.03919.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Mapper(nn.Module):
    """Tokens (B,N,d) that are asked about others (B,M,d): softmax(Q K^T / sqrt d) V, then an MLP of three layers, (B,N,out)."""

    def __init__(self, width: int, out: int, attention: bool) -> None:
        super().__init__()
        self.width, self.attention = width, attention
        self.q, self.k, self.v = (nn.Linear(width, width, bias=False) for _ in range(3))
        last = nn.Linear(width, out)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2), last)
        nn.init.zeros_(last.weight)  # an untrained mapper changes nothing
        nn.init.zeros_(last.bias)

    def attend(self, own: Tensor, other: Tensor) -> Tensor:
        """Eq. 5 (rebuilt): the query is the code that is edited, key and value are the other one."""
        weight = (self.q(own) @ self.k(other).transpose(1, 2) / math.sqrt(self.width)).softmax(-1)
        return weight @ self.v(other)

    def forward(self, own: Tensor, other: Tensor) -> Tensor:
        return self.mlp(self.attend(own, other) if self.attention else own)


class DualMappers(nn.Module):
    """Texture mapper and emotion mapper, each conditioned on the other's code; of any generator's sizes.

    Args:
        codes: tokens and width of w.
        expressions: numbers of psi.
        actions: (A,E) rows that changes of psi are kept in the span of; None: any change.
        width: of tokens.
        attention: without it each mapper sees its own code alone (the ablation "w/o cross-attention").
        limits: of psi.
    """

    def __init__(self, codes: tuple[int, int], expressions: int, actions: Tensor | None = None, width: int = 32,
                 attention: bool = True, limits: tuple[float, float] = (-math.inf, math.inf)) -> None:
        super().__init__()
        self.limits = limits
        tokens, channels = codes
        self.from_w, self.from_psi = nn.Linear(channels, width), nn.Linear(1, width)
        self.at_w, self.at_psi = (nn.Parameter(0.5 * torch.randn(n, width)) for n in (tokens, expressions))
        self.texture, self.emotion = _Mapper(width, channels, attention), _Mapper(width, 1, attention)
        span = torch.eye(expressions) if actions is None else torch.linalg.pinv(actions) @ actions
        self.register_buffer("span", span, persistent=False)

    span: Tensor

    def forward(self, w: Tensor, psi: Tensor) -> tuple[Tensor, Tensor]:
        """Changes of w (B,N,C) and psi (B,E), in the same shapes."""
        of_w, of_psi = self.from_w(w) + self.at_w, self.from_psi(psi[..., None]) + self.at_psi
        return self.texture(of_w, of_psi), self.emotion(of_psi, of_w)[..., 0] @ self.span

    def edit(self, w: Tensor, psi: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Codes after editing: w + its change, psi + its change (within its limits), and the changes."""
        dw, dpsi = self(w, psi)
        return w + dw, (psi + dpsi).clamp(*self.limits), dw, dpsi


def norm_loss(dw: Tensor, dpsi: Tensor) -> Tensor:
    """Eq. 6 (rebuilt): |change of w|_2 + |change of psi|_2, mean over the batch."""
    return (dw.flatten(1).norm(dim=1) + dpsi.norm(dim=1)).mean()


def subspace(texts: Tensor) -> Tensor:
    """(n,D) orthonormal rows spanning embeddings of texts (n,D), by Gram-Schmidt; rows that add nothing are left out."""
    rows: list[Tensor] = []
    for text in texts:
        for row in rows:
            text = text - (text @ row) * row
        if text.norm() > 1e-5:
            rows.append(text / text.norm())
    return torch.stack(rows)


def augmented(projected: Tensor, text: Tensor, basis: Tensor, power: float) -> Tensor:
    """Eq. 9 (rebuilt from "weaken attributes in p that are unrelated to e_T, enhancing those that e_T represents").

    With orthonormal ``basis`` (n,D), coordinates c of p and d of the text's embedding, and a coordinate's relation to the text
    s = |d| / max |d|: sum of ((1 - min(power, 1) (1 - s)) c + power d) q over the basis' rows q.

    Args:
        projected: (B,D); text: (D,).
    """
    c, d = projected @ basis.T, text @ basis.T
    related = d.abs() / d.abs().max().clamp_min(1e-9)
    return ((1 - min(power, 1.0) * (1 - related)) * c + power * d) @ basis


def aim_of(initial: Tensor, text: Tensor, basis: Tensor | None, power: float) -> Tensor:
    """Unit vectors (B,D) that edited pictures should have.

    Eq. 7 and 8 (rebuilt): p = projection of the initial picture's embedding onto the subspace, r = the rest, and the aim
    is augmented(p) + r. Without a basis, the text's own embedding (the ablation "w/o projection").

    Args:
        initial: (B,D) unit vectors; text: (D,).
    """
    if basis is None:
        return text.expand_as(initial)
    projected = initial @ basis.T @ basis
    return F.normalize(augmented(projected, text, basis, power) + (initial - projected), dim=-1)


def text_loss(edited: Tensor, aim: Tensor) -> Tensor:
    """1 - cosine of embeddings (B,D), mean."""
    return (1 - F.cosine_similarity(edited, aim, dim=-1)).mean()


def identity_loss(initial: Tensor, edited: Tensor) -> Tensor:
    """Eq. 10 (rebuilt): 1 - cosine of a recogniser's numbers (B,D), mean."""
    return (1 - F.cosine_similarity(initial, edited, dim=-1)).mean()
