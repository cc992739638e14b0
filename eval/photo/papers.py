"""What the papers of the two photo systems publish, read once; tables show it in columns of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic.dataclasses import dataclass as settings

from ...common.config import SETTINGS, read_settings
from ..table import Table

DASH = "-"
EXPRESSIONS: tuple[str, ...] = ("smile", "angry", "sad", "close eyes", "raise brow", "frown brow")
"""Of He et al., in the order of their tables."""
Seven = tuple[float | None, float | None, float | None, float | None, float | None, float | None, float | None]
"""Six expressions and their mean."""
Three = tuple[float, float, float]
"""Angry, happy, sad."""


@settings(frozen=True, config=SETTINGS)
class Ablation:
    """One row of He et al.'s Table IV."""

    name: str
    accuracy: Seven
    score: Seven
    quality: tuple[float, float]
    """FID, KID."""


@settings(frozen=True, config=SETTINGS)
class Mappers:
    """He et al. 2026."""

    url: str
    accuracy: dict[str, Seven]
    score: dict[str, Seven]
    ablation: dict[str, Ablation]


@settings(frozen=True, config=SETTINGS)
class Thesis:
    """Syed 2025: four photographs."""

    title: str
    cosine: tuple[Three, Three, Three, Three]
    ssim: tuple[Three, Three, Three, Three]
    psnr: tuple[Three, Three, Three, Three]
    toned: tuple[Three, Three, Three, Three]
    lpips: str


@settings(frozen=True, config=SETTINGS)
class Papers:
    """Both."""

    mappers: Mappers
    thesis: Thesis


@cache
def papers() -> Papers:
    """The figures, read once."""
    return read_settings(Papers, Path(__file__).with_name("papers.yaml"))


@dataclass(frozen=True)
class PaperReport:
    """Tables of one paper, filled."""

    tables: tuple[Table, ...]
    rows: tuple[dict[str, Any], ...]
    """Single measurements."""

    def table(self) -> str:
        """As text."""
        return "\n\n".join(t.text() for t in self.tables)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def shown(value: float | None, digits: int = 2) -> str:
    """A figure, or a dash for none."""
    return DASH if value is None or value != value else f"{value:.{digits}f}"
