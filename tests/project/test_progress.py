"""Progress bars are for terminals: none goes into a file that stderr is sent to."""

from __future__ import annotations

import ast
import io
import sys
from pathlib import Path

import pytest
from facelm.cli.output import bars

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("agent", "cli", "common", "data_gen", "eval", "face", "llm", "tokenizer")


def test_every_bar_says_when_it_is_shown() -> None:
    calls = [(path.name, node.lineno, {k.arg for k in node.keywords})
             for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")
             for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
             if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in ("tqdm", "trange")]
    assert len(calls) > 3 and all("disable" in words for _, _, words in calls), calls


def test_the_bars_of_the_command_line_are_silent_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    show = bars("work")
    for k in range(5):
        show(k + 1, 5)
    assert log.getvalue() == ""
