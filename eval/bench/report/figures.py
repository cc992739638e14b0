"""Figures with their intervals, and tables of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROUNDS = 500
_Z = 1.96
"""Standard deviations on both sides of 95 %."""
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Figure:
    """A measured value and its 95 % interval over items."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 0
    """Items that it is of."""

    def text(self, digits: int = 3) -> str:
        """The value, and its interval in brackets."""
        interval = "" if self.low is None or self.high is None else f" ({self.low:.{digits}f} to {self.high:.{digits}f})"
        return f"{self.value:.{digits}f}{interval}"

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Figure:
        """Read plain values."""
        return cls(float(raw["value"]), raw["low"], raw["high"], int(raw["n"]))


def mean_of(values: Sequence[float | bool], seed: int = 0) -> Figure | None:
    """The mean; None of nothing."""
    if not len(values):
        return None
    rows = np.asarray(values, np.float64)
    if all(isinstance(v, (bool, np.bool_)) for v in values) and rows.min() == rows.max():
        return _all_or_none(rows)
    return figure_of(rows, lambda r: float(r.mean()), seed)


def _all_or_none(rows: Floats) -> Figure:
    """A share of 0 or 1, of which resamples say nothing, with Wilson's 95 % interval (1927)."""
    edge = 1 / (1 + _Z ** 2 / len(rows))
    return Figure(float(rows[0]), *((edge, 1.0) if rows[0] else (0.0, 1.0 - edge)), len(rows))


def ratio_of(parts: Sequence[tuple[float, float]], seed: int = 0) -> Figure | None:
    """A sum over a sum, such as facts that are right of all facts; items of which nothing is asked do not count, None of none."""
    rows = np.asarray(parts, np.float64).reshape(-1, 2)
    rows = rows[rows[:, 1] != 0]
    if not len(rows):
        return None
    return figure_of(rows, lambda r: float(r[:, 0].sum() / r[:, 1].sum()), seed)


def figure_of(rows: Floats, statistic: Callable[[Floats], float], seed: int = 0, rounds: int = ROUNDS,
              biased: bool = False) -> Figure:
    """Any statistic of items, with the percentile interval of ``rounds`` resamples of the items (Efron 1979).

    Args:
        rows: ``(N, ...)``, one entry an item.
        statistic: of such rows.
        seed: of the resampling.
        rounds: resamples; 0 gives no interval.
        biased: the statistic grows when items repeat, as distances of distributions do: the interval is moved so that the median
            of the resamples lies on the value, and does not go below 0 for a value that is not below.
    """
    value = statistic(rows)
    if rounds == 0 or len(rows) < 2:
        return Figure(value, None, None, len(rows))
    rng = np.random.default_rng(seed)
    drawn = [statistic(rows[rng.integers(len(rows), size=len(rows))]) for _ in range(rounds)]
    low, middle, high = (float(q) for q in np.quantile(drawn, [0.025, 0.5, 0.975]))
    if biased:
        low, high = low - middle + value, high - middle + value
        low = max(low, 0.0) if value >= 0 else low
    return Figure(value, low, high, len(rows))


@dataclass(frozen=True)
class Column:
    """What a column holds."""

    name: str
    better: str = "more"
    """more, less, or nothing where no direction is better."""
    digits: int = 3


@dataclass(frozen=True)
class Row:
    """One system's figures."""

    name: str
    figures: dict[str, Figure]
    """By column; a column that is missing could not be measured."""
    command: str = ""
    """Prints this row again."""
    seed: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """One table of the benchmark."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    about: str = ""
    """What it is measured on, in a sentence or two."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Plain values for plots: confusions, examples."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Sheet:
        """Read :meth:`to_dict`'s values."""
        rows = tuple(Row(r["name"], {k: Figure.from_dict(f) for k, f in r["figures"].items()}, r["command"], r["seed"],
                         tuple(r["notes"])) for r in raw["rows"])
        return cls(raw["name"], raw["title"], tuple(Column(**c) for c in raw["columns"]), rows, raw["about"], dict(raw["extra"]))

    def used(self) -> tuple[Column, ...]:
        """The columns in which at least one row has a figure."""
        return tuple(c for c in self.columns if any(c.name in r.figures for r in self.rows))

    def markdown(self) -> str:
        """A Markdown table under its title, each figure with its interval."""
        columns = self.used()
        lines = ["| | " + " | ".join(c.name for c in columns) + " |", "|---|" + "---:|" * len(columns)]
        for row in self.rows:
            cells = [row.figures[c.name].text(c.digits) if c.name in row.figures else "-" for c in columns]
            lines.append("| " + " | ".join((row.name, *cells)) + " |")
        notes = [f"\n{row.name}: {note}" for row in self.rows for note in row.notes]
        return "\n".join([f"## {self.title}", "", *([self.about, ""] if self.about else []), *lines, *notes])


def rows_of(figures: Mapping[str, Figure | None]) -> dict[str, Figure]:
    """Only what could be measured."""
    return {k: v for k, v in figures.items() if v is not None}
