"""CSV tables: with or without a header, with commas, semicolons or tabs, with decimal points or commas."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....common.files import read_text

MAX_BYTES = 1 << 28
"""Of a JSON, CSV or MATLAB file."""
MAX_CELLS = 15_000_000
"""More than an hour of 61 columns at 60 fps."""
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2}(?:[.,]\d{1,9})?)")
_COMMENT = ("#", "//")
_SEPARATOR = re.compile(r"(?i)sep=(.)")
"""A first line by which Excel knows the separator."""


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
            row[: len(line)] = [number(c) for c in line[:width]]
        return out

    def column(self, name: str) -> list[str]:
        """The cells of a column, by its name in any case; "" where a row is too short."""
        at = [h.lower() for h in self.header].index(name.lower())
        return [line[at] if len(line) > at else "" for line in self.cells]

    def has(self, *names: str) -> bool:
        """Whether all these columns are there, in any case."""
        return {n.lower() for n in names} <= {h.lower() for h in self.header}


def number(cell: str) -> float:
    """The number in a cell, with a decimal point or comma, in percent (``70 %``), or of a clock (``00:01:02.5``), in seconds."""
    if cell.endswith("%"):
        return number(cell[:-1].rstrip()) / 100
    if ":" in cell and (clock := _CLOCK.fullmatch(cell)):
        return 3600.0 * int(clock[1] or 0) + 60.0 * int(clock[2]) + float(clock[3].replace(",", "."))
    try:
        return float(cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell)
    except ValueError:
        return float("nan")


def first_line(text: str) -> str:
    """The first line of a table's text that is neither blank nor a comment."""
    return next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(_COMMENT)
                 and not _SEPARATOR.fullmatch(line.strip())), "")


def _without_comments(text: str) -> tuple[str, str]:
    """The text from its first line that is no comment, and the last comment before it, without its mark."""
    said, rest = "", text.lstrip()
    while rest.startswith(_COMMENT) or _SEPARATOR.match(rest):
        line, _, rest = rest.partition("\n")
        said = line.lstrip("#/ \t") if line.startswith(_COMMENT) else said
        rest = rest.lstrip()
    return rest, said


def read_table(path: Path) -> Table:
    """Read a CSV file in UTF-8 or UTF-16; blank lines, and comments before the header, are left out.

    Raises:
        ValueError: another encoding, no CSV, or no rows; the message names the file.
    """
    text, comment = _without_comments(read_text(path, MAX_BYTES))
    try:
        mark = max(";\t,", key=first_line(text).count)
        if text.count(mark) > MAX_CELLS:
            raise ValueError(f"{path} has {text.count(mark)} cells; at most {MAX_CELLS} are read: cut it into parts")
        lines = [[c.strip() for c in line] for line in csv.reader(io.StringIO(text), delimiter=mark)]
    except csv.Error as err:
        raise ValueError(f"{path} is not a readable CSV file: {err}") from None
    lines = [line for line in lines if any(line)]
    if not lines:
        raise ValueError(f"{path} holds no rows")
    if _named(lines[0]):
        return Table(tuple(lines[0]), lines[1:])
    header = [c.strip() for c in comment.split(mark)]  # as numpy.savetxt writes one
    return Table(tuple(header) if len(header) == len(lines[0]) > 1 and _named(header) else (), lines)


def _named(cells: list[str]) -> bool:
    """Whether a line holds names, not numbers."""
    return any(re.search(r"[A-Za-z_]", c) and not re.fullmatch(r"(?i)nan|[+-]?inf(inity)?|[+-]?[\d.,]+e[+-]?\d+|\d.*:.*", c)
               for c in cells)
