"""Figures of the docs that come from the benchmark are those of the committed run (docs/benchmark_results.json)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from facelm.eval.bench.report.figures import Sheet

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "benchmark_results.json"
PAGES = ("README.md", "docs/results.md", "docs/benchmark.md")
MARK = re.compile(r"<!-- bench: (.+?) -->\n(.*?)<!-- end -->", re.DOTALL)
"""A table that the benchmark printed, between marks that name it."""


def tables() -> dict[str, Sheet]:
    return {s["name"]: Sheet.from_dict(s) for s in json.loads(RESULTS.read_text(encoding="utf-8"))["tables"]}


def figures(text: str) -> list[tuple[str, str, str]]:
    """(row, column, cell) of a Markdown table."""
    lines = [[c.strip() for c in line.strip().strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return [(row[0], column, cell) for row in lines[2:] for column, cell in zip(lines[0][1:], row[1:], strict=True)]


def wrong(pages: dict[str, str], known: dict[str, Sheet]) -> list[str]:
    out = []
    for page, text in pages.items():
        for name, body in MARK.findall(text):
            rows = {r.name: r for r in known[name].rows}
            digits = {c.name: c.digits for c in known[name].columns}
            for row, column, cell in figures(body):
                found = rows[row].figures.get(column)
                if cell != ("-" if found is None else found.text(digits[column])):
                    out.append(f"{page}, {name}, {row}, {column}: {cell}")
    return out


def test_the_docs_show_the_committed_run() -> None:
    pages = {p: (ROOT / p).read_text(encoding="utf-8") for p in PAGES}
    assert sum(len(MARK.findall(t)) for t in pages.values()) >= 2, "the tables were not found"
    assert wrong(pages, tables()) == []


def test_another_figure_is_noticed() -> None:
    text = (ROOT / "docs/benchmark.md").read_text(encoding="utf-8")
    name, body = MARK.findall(text)[0]
    row, column, cell = next(f for f in figures(body) if f[2] != "-")
    changed = text.replace(cell, "0.4321", 1)
    assert any(f"{name}, {row}, {column}" in w for w in wrong({"x": changed}, tables()))


@pytest.mark.parametrize("name", ["ground truth", "random"])
def test_the_committed_run_holds_the_references(name: str) -> None:
    words = [s for s in tables().values() if s.name.startswith("words")]
    assert words and all(name in {r.name for r in s.rows} for s in words)
    assert all(r.command.startswith("facelm bench ") for s in words for r in s.rows)
