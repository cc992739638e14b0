"""Figures of the docs that come from the benchmark are those of the committed runs (docs/*_results.json)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_tables", ROOT / "scripts" / "benchmark_tables.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_docs_show_the_committed_run(script: ModuleType) -> None:
    known = {p: script.tables(f) for p, f in script.PAGES.items()}
    pages = {p: (ROOT / p).read_text(encoding="utf-8") for p in script.PAGES}
    assert sum(map(script.count, pages.values())) >= 1, "no table was found"
    assert {p: script.filled(t, known[p]) == t for p, t in pages.items()} == dict.fromkeys(pages, True), (
        "run python scripts/benchmark_tables.py")
    assert all(r.command.startswith("facelm bench ") for of in known.values() for s in of.values() for r in s.rows if r.command)


def test_another_figure_is_noticed(script: ModuleType) -> None:
    known = script.tables()
    text = (ROOT / "docs/benchmark.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| ours |"))
    changed = text.replace(row, row.replace("0.", "0.9", 1))
    assert changed != text and script.filled(changed, known) == text
