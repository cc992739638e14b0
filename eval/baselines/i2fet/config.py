"""Recipes of the transition baselines, read from ``configs/i2fet/*.yaml``.

A file states only what differs from the one it names under ``base:``; unknown entries are refused.
"""

from __future__ import annotations

import dataclasses
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ....common.config import SETTINGS, merge, parse

TERMS = ("e", "p", "v")
"""The losses of eqs. (11), (12) and (14)."""
Count = Annotated[int, Field(ge=0)]
Size = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, config=SETTINGS)
class TextConfig:
    """Where the token features of an instruction come from.

    Attributes:
        encoder: ``base`` (hidden states of the base language model) or ``clip`` (CLIP's text model).
        model: directory or Hugging Face id; None: what ``llm.base.find_base`` finds, or CLIP ViT-L/14.
        layer: of the base model, as in ``hidden_states``; -1: the last, behind the model's final norm.
        tokens: rows of every sentence, shorter ones are padded, longer ones cut (CLIP: 77).
        pool: how one vector is made of a sentence's tokens: their ``mean``, or the ``last`` one.
    """

    encoder: Literal["base", "clip"] = "base"
    model: str | None = None
    layer: int = -1
    tokens: Annotated[int, Field(ge=2)] = 32
    pool: Literal["mean", "last"] = "mean"


@dataclass(frozen=True, config=SETTINGS)
class IFEDConfig:
    """The decomposer, eqs. (1)-(4).

    Attributes:
        on: False: no IFED; the condition is a linear map of the pooled sentence.
        N, M: encoder layers of the parameter and of the text branch.
        caft_layers: cross-attention fusions in a row.
        text_width: d_t, the text branch's width; 0: the text encoder's own, as in the paper.
        heads, head_width: of every attention (53 is a prime, so heads do not divide the branch's width).
        ffn_ratio: a feed-forward network's hidden width relative to its branch's.
        copies: how a sentence's tokens become m rows: ``attention`` (each copy pools with its own query) or
            ``mean`` (the tokens' mean, then a linear map of its own for each copy).
    """

    on: bool = True
    N: Count = 2
    M: Count = 1
    caft_layers: Count = 1
    text_width: Count = 0
    heads: Size = 4
    head_width: Size = 16
    ffn_ratio: Size = 4
    copies: Literal["attention", "mean"] = "attention"


@dataclass(frozen=True, config=SETTINGS)
class VAEConfig:
    """The conditional VAE, eqs. (5)-(10).

    Attributes:
        latent: width of each of the two latents.
        hidden: width of the two hidden layers of every encoder and decoder.
        normalise: bring every parameter column to mean 0 and deviation 1 of the training tuples.
    """

    latent: Size = 16
    hidden: Size = 256
    normalise: bool = True


@dataclass(frozen=True, config=SETTINGS)
class LossConfig:
    """Eqs. (11)-(15).

    Attributes:
        terms: which of ``e``, ``p`` and ``v`` are added.
        reduction: the squared error's; ``sum`` over a sample's columns (the VAE's bound) or their ``mean``.
        kl_weight: of the Kullback-Leibler terms.
        vertices: evenly chosen vertices of the moving face; 0: all of the head.
        vertex_unit: metres per unit of the vertex error: 0.001 measures in mm.
    """

    terms: tuple[str, ...] = TERMS
    reduction: Literal["sum", "mean"] = "sum"
    kl_weight: NotNegative = 1.0
    vertices: Count = 240
    vertex_unit: Positive = 0.001

    def __post_init__(self) -> None:
        if not self.terms or any(t not in TERMS for t in self.terms) or len(set(self.terms)) < len(self.terms):
            raise ValueError(f"terms is {list(self.terms)}; allowed: some of {', '.join(TERMS)}, each once")


@dataclass(frozen=True, config=SETTINGS)
class FitConfig:
    """How long and how fast a network is trained (Adam, https://arxiv.org/abs/1412.6980).

    Attributes:
        epochs, batch, lr: as named.
        schedule: ``constant``, or ``cosine`` down to 2 % of ``lr``.
        clip: largest gradient norm; 0: none.
        seed: of weights, order and noise.
        save_epochs: epochs between checkpoints.
        device: ``cpu``, ``cuda`` or ``auto``.
    """

    epochs: Size = 200
    batch: Size = 128
    lr: Positive = 8e-4
    schedule: Literal["constant", "cosine"] = "constant"
    clip: NotNegative = 0.0
    seed: Count = 0
    save_epochs: Size = 10
    device: Literal["cpu", "cuda", "auto"] = "auto"


@dataclass(frozen=True, config=SETTINGS)
class NEDConfig:
    """The neutral encoder-decoder: widths of its four-layer encoder and decoders."""

    hidden: Size = 256
    latent: Size = 32
    fit: FitConfig = field(default_factory=lambda: FitConfig(epochs=100))


@dataclass(frozen=True, config=SETTINGS)
class MotionCLIPConfig:
    """The MotionCLIP baseline (https://arxiv.org/abs/2203.08063).

    Attributes:
        frames: of the trajectory between the two expressions that it learns.
        width, layers, heads, ff, dropout: of the transformer encoder and of the decoder.
        velocity, vertex, align: weights of those losses beside the reconstruction's 1. A moving vertex is a few mm off
            where a frame's columns are one deviation off: 0.02 for its square puts both on one scale.
        fit: its training.
    """

    frames: Annotated[int, Field(ge=2)] = 60
    width: Size = 512
    layers: Size = 8
    heads: Size = 4
    ff: Size = 1024
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    velocity: NotNegative = 1.0
    vertex: NotNegative = 0.02
    align: NotNegative = 0.01
    fit: FitConfig = field(default_factory=lambda: FitConfig(lr=1e-4))

    def __post_init__(self) -> None:
        if self.width % 2 or self.width % self.heads:
            raise ValueError(f"width is {self.width}; an even multiple of its {self.heads} heads is needed")


@dataclass(frozen=True, config=SETTINGS)
class Recipe:
    """Everything that the baselines of the transition task are trained with; the defaults are the paper's."""

    text: TextConfig = field(default_factory=TextConfig)
    ifed: IFEDConfig = field(default_factory=IFEDConfig)
    vae: VAEConfig = field(default_factory=VAEConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    ned: NEDConfig = field(default_factory=NEDConfig)
    motionclip: MotionCLIPConfig = field(default_factory=MotionCLIPConfig)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; which make an equal recipe again."""
        return dataclasses.asdict(self)

    def change(self, **sections: dict[str, Any]) -> Recipe:
        """A copy with some entries changed: ``recipe.change(ifed={"on": False}, fit={"seed": 3})``.

        Raises:
            ValueError: an unknown section or entry, or a bad value.
        """
        return parse(Recipe, merge(self.to_dict(), sections), "recipe")
