"""What `facelm eval transitions` is asked for, and the recipe it follows."""

from __future__ import annotations

import dataclasses
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS, read_settings
from ..baselines.i2fet.config import Recipe
from ..datasets.expressions import dataset_name
from ..datasets.tuples import Split

TABLES: tuple[str, ...] = ("II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "quality", "dynamics")
"""The paper's tables, then two of our own: the movement itself, and its course in time."""
RECIPES = Path(__file__).resolve().parents[2] / "configs" / "transitions"


def tables_of(data: str) -> tuple[str, ...]:
    """The tables that a data set can fill: Table II and VIII are about CK+, Table III about CelebV-HQ."""
    other = {"II", "VIII"} if data.endswith("celebvhq") else {"III"}
    return tuple(t for t in TABLES if t not in other)


Loss = Literal["ce", "rfl"]
"""Of the classifier: cross entropy, or reweighted focal loss."""


@dataclass(frozen=True, config=SETTINGS)
class ClassifierConfig:
    """Backbone, loss and training. The defaults are the CPU recipe."""

    size: Annotated[int, Field(ge=32, le=1024)] = 96
    """Side of the shape images, px."""
    embedding: Annotated[int, Field(ge=4, le=1024)] = 16
    """Channels after the stem."""
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (16, 32, 64, 128)
    """Channels of the stages."""
    depths: tuple[PositiveInt, ...] = (1, 1, 1, 1)
    """Blocks of the stages; ResNet-101 is 3, 4, 23, 3 with bottlenecks."""
    layer: Literal["basic", "bottleneck"] = "basic"
    loss: Loss = "rfl"
    beta: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Of the effective number; 0 gives every class the same weight, near 1 the inverse of its count."""
    gamma: NonNegativeFloat = 2.0
    """Of the focal loss; 0 is cross entropy."""
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 24
    steps: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """At least so many steps of the optimiser: few pictures are read more often than ``epochs`` says."""
    batch: Annotated[int, Field(ge=2, le=4096)] = 64
    lr: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    """Of Adam; 1e-4 in the paper, for a network twenty times as deep."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """``constant``, or ``cosine``: the rate falls to 2 % of ``lr``."""
    flip: bool = True
    """Mirror half of the training pictures."""
    shift: NonNegativeInt = 4
    """Move training pictures by up to so many px; rotations are left out, so that Table X tests them unseen."""
    seed: NonNegativeInt = 0

    def __post_init__(self) -> None:
        if len(self.hidden) != len(self.depths):
            raise ValueError(f"hidden {self.hidden} and depths {self.depths} must be as many numbers")
        if self.shift > self.size // 4:
            raise ValueError(f"shift is {self.shift}; allowed: 0 to a quarter of the size {self.size}")

    def for_pictures(self, count: int) -> ClassifierConfig:
        """The same with the epochs that ``count`` training pictures need for ``steps``."""
        return replace(self, epochs=max(self.epochs, math.ceil(self.steps / max(1, math.ceil(count / self.batch)))))

    @property
    def title(self) -> str:
        """What tables call it, e.g. ``ResNet-10 with RFL``: layers as He et al. count them."""
        layers = 2 + sum(self.depths) * (3 if self.layer == "bottleneck" else 2)
        return f"ResNet-{layers}" + (" with RFL" if self.loss == "rfl" else "")


@dataclass(frozen=True, config=SETTINGS)
class TransitionRecipe:
    """Sizes and numbers of repeats; read from ``configs/transitions/*.yaml``."""

    baselines: str = "../i2fet/cpu.yaml"
    """Recipe of I2FET, NED and MotionCLIP, relative to this recipe's file."""
    tuples: NonNegativeInt = 4000
    """Samples that are made of the data; 0 is the paper's number, or all there are."""
    split: Split = "random"
    """``random`` as the paper's, or by ``subject``."""
    test_items: NonNegativeInt = 300
    """Test samples for the baselines; 0 is all of them."""
    items: PositiveInt = 60
    """Test samples for the language model, the first of the same ones."""
    repeats: PositiveInt = 3
    """Sampling seeds of each trained baseline, and of the language model where it samples."""
    retrainings: PositiveInt = 1
    """Training seeds of each baseline."""
    pictures: PositiveInt = 24
    """Samples of Tables IV and IX."""
    picture_size: Annotated[int, Field(ge=32, le=1024)] = 176
    """Side of their pictures, px; MS-SSIM needs 161."""
    quality: PositiveInt = 24
    """Samples of the tables on the movement."""
    seed: NonNegativeInt = 0
    """Of the samples, the classifier's held-out records and the paraphrases."""
    classifier: ClassifierConfig = Field(default_factory=ClassifierConfig)


def load_recipe(path: str | os.PathLike[str] | None = None) -> tuple[TransitionRecipe, Recipe]:
    """A recipe and the baselines' one that it names.

    Args:
        path: a YAML file; None is the CPU's (``configs/transitions/cpu.yaml``).

    Raises:
        FileNotFoundError: it, its base or the baselines' recipe does not exist.
        ValueError: unknown entries or bad values.
    """
    where = Path(path) if path is not None else RECIPES / "cpu.yaml"
    recipe = read_settings(TransitionRecipe, where)
    return recipe, read_settings(Recipe, (where.resolve().parent / recipe.baselines).resolve())


@dataclasses.dataclass(frozen=True)
class TransitionOptions:
    """One evaluation.

    Raises:
        ValueError: an unknown data set or table, or numbers below 1.
    """

    data: str
    """One of ``eval.datasets.expressions.DATASETS``."""
    work: Path
    """Everything made on the way is kept here and found again: surrogates, fits, shape images, models, results."""
    root: Path | None = None
    """Folder of the data as distributed; surrogates need none."""
    recipe: Path | None = None
    """YAML file; None is the CPU recipe."""
    params: str = "fit"
    """``fit``, ``true`` (surrogates only), or a folder of parameter files."""
    expressions: Path | None = None
    """A saved expression set (.npz) of this data, instead of reading the data."""
    items: int | None = None
    """Test samples for the language model; None is the recipe's number."""
    repeats: int | None = None
    """None is the recipe's number."""
    tables: tuple[str, ...] | None = None
    """Which tables; None is all that the data can fill."""
    lm_name: str = "language model"
    """What tables call it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", dataset_name(self.data))
        object.__setattr__(self, "work", Path(self.work))
        known = tables_of(self.data)
        for name in self.tables or ():
            if name not in known:
                why = "is about the other data set" if name in TABLES else "is not known"
                raise ValueError(f"table {name} {why}; {self.data} fills {', '.join(known)}")
        if self.tables is not None and not self.tables:
            raise ValueError(f"no table is asked for; allowed for {self.data}: {', '.join(known)}")
        for name, value in (("items", self.items), ("repeats", self.repeats)):
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; allowed: 1 or more")

    @property
    def wanted(self) -> tuple[str, ...]:
        """The tables to fill, in the paper's order."""
        known = tables_of(self.data)
        return known if self.tables is None else tuple(t for t in known if t in self.tables)
