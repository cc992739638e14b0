"""The one way to print a table: plain text, Markdown, or plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """Cells as text, ready to print."""

    name: str
    """Short, for selection: ``II``, ``quality``."""
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(len(r) != len(self.columns) for r in self.rows):
            raise ValueError(f"table {self.name}: every row needs {len(self.columns)} cells")

    def text(self) -> str:
        """Plain text with aligned columns."""
        width = [max(map(len, cells)) for cells in zip(self.columns, *self.rows, strict=True)]

        def line(row: tuple[str, ...]) -> str:
            cells = [row[0].ljust(width[0]), *(c.rjust(w) for c, w in zip(row[1:], width[1:], strict=True))]
            return ("  " + "  ".join(cells)).rstrip()

        rule = "  " + "  ".join("-" * w for w in width)
        return "\n".join([self.title, line(self.columns), rule, *map(line, self.rows), *(f"  {n}" for n in self.notes)])

    def markdown(self) -> str:
        """A Markdown table under its title."""
        lines = [self.columns, ("---", *("---:" for _ in self.columns[1:])), *self.rows]
        body = ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in lines]
        return "\n".join([f"**{self.title}**", "", *body, *(f"\n{n}" for n in self.notes)])

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)
