"""What all benchmarks share: tables of rows, counts of found actions, and timing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

Row = dict[str, Any]
Tables = Mapping[str, list[Row]]
"""Title -> rows. Cells that are lists or mappings appear in the JSON only."""


def plain(value: Any) -> Any:
    """A value as JSON has it: NaN and infinity become None, NumPy's numbers Python's."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def markdown(tables: Tables) -> str:
    """The tables as Markdown, each under its title."""
    return "\n\n".join(f"### {title}\n\n{_table(rows)}" for title, rows in tables.items() if rows)


def _table(rows: list[Row]) -> str:
    columns = [c for c in dict.fromkeys(c for row in rows for c in row)
               if not any(isinstance(row.get(c), (list, dict)) for row in rows)]
    lines = [" | ".join(columns), "|".join(["---"] * len(columns))]
    lines += [" | ".join(_cell(row.get(c)) for c in columns) for row in rows]
    return "\n".join(f"| {line} |" if k != 1 else f"|{line}|" for k, line in enumerate(lines))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


@dataclass(frozen=True)
class Counts:
    """Actions in both clips, only in the second, only in the first; they add up with ``+``."""

    hit: int = 0
    invented: int = 0
    missed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.hit + other.hit, self.invented + other.invented, self.missed + other.missed)

    @property
    def precision(self) -> float:
        """1 where nothing was found."""
        return self.hit / (self.hit + self.invented) if self.hit + self.invented else 1.0

    @property
    def recall(self) -> float:
        """1 where there was nothing to find."""
        return self.hit / (self.hit + self.missed) if self.hit + self.missed else 1.0

    @property
    def f1(self) -> float:
        """1 when neither clip has any."""
        total = 2 * self.hit + self.invented + self.missed
        return 2 * self.hit / total if total else 1.0

    def row(self) -> Row:
        """Counts and scores."""
        return {**asdict(self), "precision": self.precision, "recall": self.recall, "f1": self.f1}


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long one call takes."""
    start = clock()
    work()
    return clock() - start
