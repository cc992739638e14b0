"""CSV tables: with or without a header, with commas, semicolons or tabs, with decimal points or commas."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MAX_CELLS = 15_000_000
"""More than an hour of 61 columns at 60 fps."""
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class Table:
    """A CSV file: its header (empty without one) and its cells."""

    header: tuple[str, ...]
    cells: list[list[str]]

    def values(self) -> np.ndarray:
        """(T, W) float64, as wide as the header or the longest row; cells that hold no number are not a number.

        Raises:
            ValueError: no rows, or rows longer than the header.
        """
        if not self.cells:
            raise ValueError("the table has 0 frames; at least 1 is needed")
        width = len(self.header) or max(map(len, self.cells))
        for k, line in enumerate(self.cells):
            if len(line) > width and any(line[width:]):
                raise ValueError(f"row {k + 1} has {len(line)} cells, the header {width}; a table with decimal commas needs "
                                 "another separator: save it with semicolons")
        out = np.full((len(self.cells), width), np.nan)
        for row, line in zip(out, self.cells, strict=True):
            row[: len(line)] = [_number(c) for c in line[:width]]
        return out

    def column(self, name: str) -> list[str]:
        """The cells of a column, by its name in any case; "" where a row is too short."""
        at = [h.lower() for h in self.header].index(name.lower())
        return [line[at] if len(line) > at else "" for line in self.cells]

    def has(self, *names: str) -> bool:
        """Whether all these columns are there, in any case."""
        return {n.lower() for n in names} <= {h.lower() for h in self.header}


def _number(cell: str) -> float:
    try:
        return float(cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell)
    except ValueError:
        return float("nan")


def read_table(path: Path) -> Table:
    """Read a CSV file in UTF-8.

    Raises:
        ValueError: not UTF-8, no CSV, or no rows; the message names the file.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        mark = max(";\t,", key=text.split("\n", 1)[0].count)
        if text.count(mark) > MAX_CELLS:
            raise ValueError(f"{path} has {text.count(mark)} cells; at most {MAX_CELLS} are read: cut it into parts")
        lines = [[c.strip() for c in line] for line in csv.reader(io.StringIO(text), delimiter=mark)]
    except (UnicodeDecodeError, csv.Error) as err:
        raise ValueError(f"{path} is not a readable CSV file in UTF-8: {err}") from None
    lines = [line for line in lines if any(line)]
    if not lines:
        raise ValueError(f"{path} holds no rows")
    named = any(re.search(r"[A-Za-z_]", c) and not re.fullmatch(r"(?i)nan|[+-]?inf(inity)?|[+-]?[\d.,]+e[+-]?\d+|\d.*:.*", c)
                for c in lines[0])
    return Table(tuple(lines[0]) if named else (), lines[1:] if named else lines)
