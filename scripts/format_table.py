"""Write the table of formats that are read into docs/formats.md, from the code.

Usage: python scripts/format_table.py
"""

from __future__ import annotations

from pathlib import Path

from facelm.face.io.convert import format_table

PAGE = Path(__file__).resolve().parent.parent / "docs" / "formats.md"
BEGIN, END = "<!-- formats that are read: scripts/format_table.py -->\n", "<!-- end -->\n"


def page() -> str:
    """The page with the table of the code."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{format_table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
