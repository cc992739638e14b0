"""Settings of the motion tokenizer and of its training."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from math import prod

from ..common.config import build, read_yaml
from ..face.clip.channels import STREAMS

GROUPINGS: dict[str, tuple[tuple[str, ...], ...]] = {
    "six": tuple((s.name,) for s in STREAMS),
    "three": (("mouth", "jaw"), ("brows", "lids"), ("head", "gaze")),
    "two": (("brows", "lids", "mouth", "jaw"), ("head", "gaze")),
    "one": (tuple(s.name for s in STREAMS),),
}


@dataclass(frozen=True)
class TokenizerConfig:
    """Architecture; saved with the weights."""

    grouping: str = "six"
    """How regions share codes: six | three | two | one."""
    quantizer: str = "fsq"
    """fsq | vq | rvq."""
    levels: tuple[int, ...] = (5, 5, 5, 5)
    """FSQ levels of each latent dimension."""
    small_levels: tuple[int, ...] = (5, 5, 5)
    """FSQ levels of the streams of few channels (brows, gaze); used with grouping six."""
    wide_levels: tuple[int, ...] = (5, 5, 5, 5, 5)
    """FSQ levels of the group that holds the mouth, which has the most independent shapes."""
    codebook_size: int = 512
    """VQ and RVQ: entries of each codebook."""
    quantizers: int = 2
    """RVQ: residual stages."""
    frames_per_step: int = 4
    """Frames that one code covers."""
    hidden: int = 48
    """Width of the convolutions."""
    fps: float = 25.0
    """Frame rate that the tokenizer works at; clips of other rates are resampled."""

    def __post_init__(self) -> None:
        if self.grouping not in GROUPINGS:
            raise ValueError(f"grouping is {self.grouping!r}; allowed: {', '.join(GROUPINGS)}")
        if self.quantizer not in ("fsq", "vq", "rvq"):
            raise ValueError(f"quantizer is {self.quantizer!r}; allowed: fsq, vq, rvq")
        if not 1 <= self.frames_per_step <= 16:
            raise ValueError(f"frames_per_step is {self.frames_per_step}; allowed: 1 to 16")
        if any(n < 2 for n in (*self.levels, *self.small_levels, *self.wide_levels)):
            raise ValueError(f"levels are {self.levels}, {self.small_levels} and {self.wide_levels}; each needs at least 2")
        sizes = (self.codebook_size, *(prod(x) for x in (self.levels, self.small_levels, self.wide_levels)))
        if not 1 <= self.hidden <= 1024 or not 1 <= self.quantizers <= 16 or min(sizes) < 1 or max(sizes) > 65536:
            raise ValueError(f"hidden is {self.hidden}, quantizers {self.quantizers} and the codes are {max(sizes)}; "
                             "allowed: up to 1024, 16 and 65536")
        if not 1.0 <= self.fps <= 240.0:
            raise ValueError(f"fps is {self.fps}; allowed: 1 to 240")


@dataclass(frozen=True)
class TokenizerTrainConfig:
    """Training; recorded with the weights."""

    steps: int = 3500
    """Optimiser steps."""
    batch: int = 20
    """Windows a step."""
    window_steps: int = 12
    """Length of a window in tokenizer steps."""
    lr: float = 4e-3
    """Peak AdamW rate; cosine to zero."""
    seed: int = 0
    clips: int = 4000
    """Performer clips that are drawn for training when no corpus is given."""
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
    keep_share: float = 0.99
    """Share of all written codes that the kept codes must cover; 0.9995 kept 968 symbols instead of
    about 600 and reconstructed no better."""
    idle_share: float = 0.3
    """Share of training clips that first got idle motion and had it filtered again."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or self.window_steps < 2:
            raise ValueError("steps and batch must be at least 1, window_steps at least 2")
        if not 0 <= self.idle_share <= 1 or not 0 < self.keep_share <= 1:
            raise ValueError(f"idle_share is {self.idle_share} and keep_share {self.keep_share}; allowed: 0 to 1")


@dataclass(frozen=True)
class TokenizerRecipe:
    """What a ``configs/tokenizer_*.yaml`` file holds."""

    model: TokenizerConfig = field(default_factory=TokenizerConfig)
    train: TokenizerTrainConfig = field(default_factory=TokenizerTrainConfig)


def load_recipe(path: str | os.PathLike[str]) -> TokenizerRecipe:
    """Parse a recipe file; see :func:`facelm.common.config.read_yaml`."""
    return build(TokenizerRecipe, read_yaml(path), str(path))
