"""Recipes of the transition baselines: frozen dataclasses, read from ``configs/i2fet/*.yaml``.

A file states only what differs from the one it names under ``base:``; unknown entries are refused.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from typing import Any

from ....common.config import build, read_yaml

TERMS = ("e", "p", "v")
"""The losses of eqs. (11), (12) and (14)."""


def _one_of(where: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{where} is {value!r}; allowed: {', '.join(allowed)}")


def _at_least(where: str, least: float, **values: float) -> None:
    for name, value in values.items():
        if value < least:
            raise ValueError(f"{where}.{name} is {value}; at least {least} is needed")


@dataclass(frozen=True)
class TextConfig:
    """Where the token features of an instruction come from.

    Attributes:
        encoder: ``base`` (hidden states of the base language model) or ``clip`` (CLIP's text model).
        model: directory or Hugging Face id; None: what ``llm.base.find_base`` finds, or CLIP ViT-L/14.
        layer: of the base model, as in ``hidden_states``; -1: the last, behind the model's final norm.
        tokens: rows of every sentence, shorter ones are padded, longer ones cut (CLIP: 77).
        pool: how one vector is made of a sentence's tokens: their ``mean``, or the ``last`` one.
    """

    encoder: str = "base"
    model: str | None = None
    layer: int = -1
    tokens: int = 32
    pool: str = "mean"

    def __post_init__(self) -> None:
        _one_of("text.encoder", self.encoder, ("base", "clip"))
        _one_of("text.pool", self.pool, ("mean", "last"))
        _at_least("text", 2, tokens=self.tokens)


@dataclass(frozen=True)
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
    N: int = 2
    M: int = 1
    caft_layers: int = 1
    text_width: int = 0
    heads: int = 4
    head_width: int = 16
    ffn_ratio: int = 4
    copies: str = "attention"

    def __post_init__(self) -> None:
        _one_of("ifed.copies", self.copies, ("attention", "mean"))
        _at_least("ifed", 0, N=self.N, M=self.M, caft_layers=self.caft_layers, text_width=self.text_width)
        _at_least("ifed", 1, heads=self.heads, head_width=self.head_width, ffn_ratio=self.ffn_ratio)


@dataclass(frozen=True)
class VAEConfig:
    """The conditional VAE, eqs. (5)-(10).

    Attributes:
        latent: width of each of the two latents.
        hidden: width of the two hidden layers of every encoder and decoder.
        normalise: bring every parameter column to mean 0 and deviation 1 of the training tuples.
    """

    latent: int = 16
    hidden: int = 256
    normalise: bool = True

    def __post_init__(self) -> None:
        _at_least("vae", 1, latent=self.latent, hidden=self.hidden)


@dataclass(frozen=True)
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
    reduction: str = "sum"
    kl_weight: float = 1.0
    vertices: int = 240
    vertex_unit: float = 0.001

    def __post_init__(self) -> None:
        if not self.terms or any(t not in TERMS for t in self.terms) or len(set(self.terms)) < len(self.terms):
            raise ValueError(f"loss.terms is {list(self.terms)}; allowed: some of {', '.join(TERMS)}, each once")
        _one_of("loss.reduction", self.reduction, ("sum", "mean"))
        _at_least("loss", 0, kl_weight=self.kl_weight, vertices=self.vertices)
        if self.vertex_unit <= 0:
            raise ValueError(f"loss.vertex_unit is {self.vertex_unit}; a positive number of metres is needed")


@dataclass(frozen=True)
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

    epochs: int = 200
    batch: int = 128
    lr: float = 8e-4
    schedule: str = "constant"
    clip: float = 0.0
    seed: int = 0
    save_epochs: int = 10
    device: str = "auto"

    def __post_init__(self) -> None:
        _one_of("schedule", self.schedule, ("constant", "cosine"))
        _one_of("device", self.device, ("cpu", "cuda", "auto"))
        _at_least("training", 1, epochs=self.epochs, batch=self.batch, save_epochs=self.save_epochs)
        if self.lr <= 0 or self.clip < 0:
            raise ValueError(f"training: lr is {self.lr} and clip {self.clip}; lr must be positive, clip not negative")


@dataclass(frozen=True)
class NEDConfig:
    """The neutral encoder-decoder: widths of its four-layer encoder and decoders."""

    hidden: int = 256
    latent: int = 32
    fit: FitConfig = field(default_factory=lambda: FitConfig(epochs=100))

    def __post_init__(self) -> None:
        _at_least("ned", 1, hidden=self.hidden, latent=self.latent)


@dataclass(frozen=True)
class MotionCLIPConfig:
    """The MotionCLIP baseline (https://arxiv.org/abs/2203.08063).

    Attributes:
        frames: of the trajectory between the two expressions that it learns.
        width, layers, heads, ff, dropout: of the transformer encoder and of the decoder.
        velocity, vertex, align: weights of those losses beside the reconstruction's 1. A moving vertex is a few mm off
            where a frame's columns are one deviation off: 0.02 for its square puts both on one scale.
        fit: its training.
    """

    frames: int = 60
    width: int = 512
    layers: int = 8
    heads: int = 4
    ff: int = 1024
    dropout: float = 0.1
    velocity: float = 1.0
    vertex: float = 0.02
    align: float = 0.01
    fit: FitConfig = field(default_factory=lambda: FitConfig(lr=1e-4))

    def __post_init__(self) -> None:
        _at_least("motionclip", 1, width=self.width, layers=self.layers, heads=self.heads, ff=self.ff)
        _at_least("motionclip", 0, velocity=self.velocity, vertex=self.vertex, align=self.align)
        _at_least("motionclip", 2, frames=self.frames)
        if self.width % 2 or self.width % self.heads:
            raise ValueError(f"motionclip.width is {self.width}; an even multiple of its {self.heads} heads is needed")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"motionclip.dropout is {self.dropout}; allowed: 0 up to, not with, 1")


@dataclass(frozen=True)
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
        """Plain values, as JSON keeps them; the inverse of :func:`parse_recipe`."""
        plain = dataclasses.asdict(self)
        plain["loss"]["terms"] = list(self.loss.terms)
        return plain

    def change(self, **sections: dict[str, Any]) -> Recipe:
        """A copy with some entries changed: ``recipe.change(ifed={"on": False}, fit={"seed": 3})``.

        Raises:
            ValueError: an unknown section or entry, or a bad value.
        """
        raw = self.to_dict()
        for name, entries in sections.items():
            if name not in raw:
                raise ValueError(f"the recipe has no section {name!r}; known: {', '.join(raw)}")
            for key, value in entries.items():
                both = isinstance(value, dict) and isinstance(raw[name].get(key), dict)
                raw[name][key] = {**raw[name][key], **value} if both else value
        return parse_recipe(raw)


def parse_recipe(raw: dict[str, Any], where: str = "recipe") -> Recipe:
    """Nested dictionaries -> :class:`Recipe`.

    Raises:
        ValueError: unknown entries, wrong types or values, named.
    """
    return build(Recipe, raw, where)


def load_recipe(path: str | os.PathLike[str]) -> Recipe:
    """Read a YAML file and what it is based on.

    Raises:
        FileNotFoundError: no such file; ValueError: not YAML, an unknown entry or a bad value.
    """
    return parse_recipe(read_yaml(path), str(path))
