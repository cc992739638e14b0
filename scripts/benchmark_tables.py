"""Write the benchmark's tables into the docs: ``python scripts/benchmark_tables.py [RESULTS.json]``.

A table stands between ``<!-- bench: TABLE; column; column -->`` and ``<!-- end -->``. RESULTS.json is that of a run of
``facelm bench``; it is copied to ``docs/benchmark_results.json`` (of the suite ``peers``: ``docs/peers_results.json``), which the
tables of the docs are compared with.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from facelm.eval.bench.report.figures import Sheet

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "benchmark_results.json"
PEERS = ROOT / "docs" / "peers_results.json"
PAGES = {"README.md": RESULTS, "docs/results.md": RESULTS, "docs/benchmark.md": RESULTS, "docs/peers.md": PEERS}
_TABLE = re.compile(r"(<!-- bench: ([^;>]+)((?:; [^;>]+)*) -->\n).*?(<!-- end -->)", re.DOTALL)


def tables(path: Path = RESULTS) -> dict[str, Sheet]:
    """The tables of a run, by name."""
    return {s["name"]: Sheet.from_dict(s) for s in json.loads(path.read_text(encoding="utf-8"))["tables"]}


def count(text: str) -> int:
    """How many tables a page has."""
    return len(_TABLE.findall(text))


def filled(text: str, known: dict[str, Sheet]) -> str:
    """A page with its tables as they were measured."""
    def table(found: re.Match[str]) -> str:
        sheet = known[found[2]]
        names = [c for c in found[3].split("; ") if c]
        columns = [next(c for c in sheet.columns if c.name == name) for name in names] or list(sheet.columns)
        lines = replace(sheet, columns=tuple(columns)).markdown().splitlines()
        return found[1] + "\n".join(line for line in lines if line.startswith("|")) + "\n" + found[4]

    return _TABLE.sub(table, text)


def main() -> int:
    """Rewrite the pages."""
    if len(sys.argv) > 1:
        suite = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["suite"]
        shutil.copyfile(sys.argv[1], PEERS if suite == "Peers" else RESULTS)
    for page, results in PAGES.items():
        known = tables(results)
        text = (ROOT / page).read_text(encoding="utf-8")
        if (made := filled(text, known)) != text:
            (ROOT / page).write_text(made, encoding="utf-8")
            print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
