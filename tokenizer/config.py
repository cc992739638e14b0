"""Settings of the motion tokenizer and of its training."""

from __future__ import annotations

from dataclasses import field
from math import prod
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ..common.config import SETTINGS
from ..face.clip.channels import MOUTH_PARTS, STREAMS

GROUPINGS: dict[str, tuple[tuple[str, ...], ...]] = {
    "eight": tuple((name,) for s in STREAMS for name in (MOUTH_PARTS if s.name == "mouth" else (s.name,))),
    "six": tuple((s.name,) for s in STREAMS),
    "three": (("mouth", "jaw"), ("brows", "lids"), ("head", "gaze")),
    "two": (("brows", "lids", "mouth", "jaw"), ("head", "gaze")),
    "one": (tuple(s.name for s in STREAMS),),
}
MOST_CODES = 65_536
AtLeastOne = Annotated[int, Field(ge=1)]
Levels = Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)]


@dataclass(frozen=True, config=SETTINGS)
class TokenizerConfig:
    """Architecture; saved with the weights."""

    grouping: Literal["eight", "six", "three", "two", "one"] = "six"
    """How regions share codes: eight (the mouth in three parts) | six | three | two | one."""
    quantizer: Literal["fsq", "vq", "rvq"] = "fsq"
    """fsq | vq | rvq."""
    levels: Levels = (5, 5, 5, 5)
    """FSQ levels of each latent dimension."""
    small_levels: Levels = (5, 5, 5)
    """FSQ levels of the streams of few channels (brows, gaze); used with grouping six."""
    wide_levels: Levels = (5, 5, 5, 5, 5)
    """FSQ levels of the groups with the most independent channels, which ``wide`` names."""
    wide: tuple[str, ...] = ("mouth",)
    codebook_size: Annotated[int, Field(ge=1, le=MOST_CODES)] = 512
    """VQ and RVQ: entries of each codebook."""
    quantizers: Annotated[int, Field(ge=1, le=16)] = 2
    """RVQ: residual stages."""
    frames_per_step: Annotated[int, Field(ge=1, le=16)] = 4
    """Frames that one code covers."""
    hidden: Annotated[int, Field(ge=1, le=1024)] = 48
    """Width of the convolutions."""
    fps: Annotated[float, Field(ge=1, le=240)] = 25.0
    """Frame rate that the tokenizer works at; clips of other rates are resampled."""

    def __post_init__(self) -> None:
        for levels in (self.levels, self.small_levels, self.wide_levels):
            if prod(levels) > MOST_CODES:
                raise ValueError(f"levels {levels} make {prod(levels)} codes; allowed: up to {MOST_CODES}")


@dataclass(frozen=True, config=SETTINGS)
class TokenizerTrainConfig:
    """Training; recorded with the weights."""

    steps: AtLeastOne = 3500
    """Optimiser steps."""
    batch: AtLeastOne = 20
    """Windows a step."""
    window_steps: Annotated[int, Field(ge=2)] = 12
    """Length of a window in tokenizer steps."""
    lr: float = 4e-3
    """Peak AdamW rate; cosine to zero."""
    seed: int = 0
    clips: int = 4000
    """Clips of the procedural animator that are drawn for training when no corpus is given."""
    change_penalty: float = 0.02
    """Weight of the L1 between consecutive latents (in units of one FSQ level)."""
    dead_zone: float = 0.02
    """Parameter error that costs nothing, in units of full scale (a full action or 20 degrees)."""
    dead_zone_mm: float = 0.15
    """Vertex error that costs nothing, in mm; an eye at arm's length resolves about 0.2 mm."""
    vertex_weight: float = 0.3
    """Weight of the vertex loss (per mm; lips and lids weighted twice)."""
    velocity_weight: float = 0.5
    """Weight of the frame-to-frame difference loss."""
    keep_share: Annotated[float, Field(gt=0, le=1)] = 0.99
    """Share of all written codes that the kept codes must cover; 0.9995 kept 968 symbols instead of
    about 600 and reconstructed no better."""
    idle_share: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Share of training clips that first got idle motion and had it filtered again."""


@dataclass(frozen=True, config=SETTINGS)
class TokenizerRecipe:
    """What a ``configs/tokenizer_*.yaml`` file holds."""

    model: TokenizerConfig = field(default_factory=TokenizerConfig)
    train: TokenizerTrainConfig = field(default_factory=TokenizerTrainConfig)
