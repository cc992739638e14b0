"""What `facelm eval transitions` is asked for, and the recipe it follows."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...common.config import build, read_yaml
from ..datasets.expressions import DATASETS
from .classifier import ClassifierConfig

TABLES: tuple[str, ...] = ("II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "quality", "dynamics")
"""The paper's tables, then two of our own: the movement itself, and its course in time."""
RECIPES = Path(__file__).resolve().parents[2] / "configs" / "transitions"


def tables_of(data: str) -> tuple[str, ...]:
    """The tables that a data set can fill: Table II and VIII are about CK+, Table III about CelebV-HQ."""
    other = {"II", "VIII"} if data.endswith("celebvhq") else {"III"}
    return tuple(t for t in TABLES if t not in other)


@dataclass(frozen=True)
class TransitionRecipe:
    """Sizes and numbers of repeats; read from ``configs/transitions/*.yaml``."""

    baselines: str = "../i2fet/cpu.yaml"
    """Recipe of I2FET, NED and MotionCLIP, relative to this recipe's file."""
    tuples: int = 4000
    """Samples that are made of the data; 0 is the paper's number, or all there are."""
    split: str = "random"
    """``random`` as the paper's, or ``subject``."""
    test_items: int = 300
    """Test samples for the baselines; 0 is all of them."""
    items: int = 60
    """Test samples for the language model, the first of the same ones."""
    repeats: int = 3
    """Sampling seeds of each trained baseline, and of the language model where it samples."""
    retrainings: int = 1
    """Training seeds of each baseline."""
    pictures: int = 24
    """Samples of Tables IV and IX."""
    picture_size: int = 176
    """Side of their pictures, px; MS-SSIM needs 161."""
    quality: int = 24
    """Samples of the tables on the movement."""
    seed: int = 0
    """Of the samples, the classifier's held-out records and the paraphrases."""
    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)

    def __post_init__(self) -> None:
        if self.split not in ("random", "subject"):
            raise ValueError(f"split is {self.split!r}; allowed: random, subject")
        for name, low in (("tuples", 0), ("test_items", 0), ("items", 1), ("repeats", 1), ("retrainings", 1), ("pictures", 1),
                          ("quality", 1), ("seed", 0)):
            if getattr(self, name) < low:
                raise ValueError(f"{name} is {getattr(self, name)}; allowed: {low} or more")
        if not 32 <= self.picture_size <= 1024:
            raise ValueError(f"picture_size is {self.picture_size}; allowed: 32 to 1024 px")


def load_recipe(path: str | os.PathLike[str] | None = None) -> tuple[TransitionRecipe, Any]:
    """A recipe and the baselines' one that it names.

    Args:
        path: a YAML file; None is the CPU's (``configs/transitions/cpu.yaml``).

    Raises:
        FileNotFoundError: it, its base or the baselines' recipe does not exist.
        ValueError: unknown entries or bad values.
    """
    from ..baselines.i2fet.config import load_recipe as load_baselines

    where = Path(path) if path is not None else RECIPES / "cpu.yaml"
    recipe = build(TransitionRecipe, read_yaml(where), str(where))
    return recipe, load_baselines((where.resolve().parent / recipe.baselines).resolve())


@dataclass(frozen=True)
class TransitionOptions:
    """One evaluation.

    Raises:
        ValueError: an unknown data set or table, or numbers below 1.
    """

    data: str
    """One of ``eval.datasets.expressions.DATASETS``."""
    work: Path
    """Everything made on the way is kept here and found again: stand-ins, fits, shape images, models, results."""
    root: Path | None = None
    """Folder of the data as distributed; stand-ins need none."""
    recipe: Path | None = None
    """YAML file; None is the CPU recipe."""
    params: str = "fit"
    """``fit``, ``true`` (stand-ins only), or a folder of parameter files."""
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
        object.__setattr__(self, "work", Path(self.work))
        if self.data not in DATASETS:
            raise ValueError(f"data set {self.data!r} is not known; allowed: {', '.join(DATASETS)}")
        known = tables_of(self.data)
        for name in self.tables or ():
            if name not in TABLES:
                raise ValueError(f"table {name!r} is not known; allowed for {self.data}: {', '.join(known)}")
            if name not in known:
                raise ValueError(f"table {name} is about the other data set; {self.data} fills {', '.join(known)}")
        if self.tables is not None and not self.tables:
            raise ValueError(f"no table is asked for; allowed for {self.data}: {', '.join(known)}")
        for name in ("items", "repeats"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; allowed: 1 or more")

    @property
    def wanted(self) -> tuple[str, ...]:
        """The tables to fill, in the paper's order."""
        known = tables_of(self.data)
        return known if self.tables is None else tuple(t for t in known if t in self.tables)
