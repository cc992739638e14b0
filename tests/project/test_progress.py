"""Progress bars are for terminals: none goes into a file that stderr is sent to."""

from __future__ import annotations

import ast
import io
import sys
from pathlib import Path

import pytest
from cli_fixtures import files, in_a_folder_of_its_own  # noqa: F401 (fixtures)
from facelm.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("agent", "cli", "common", "data_gen", "eval", "face", "llm", "tokenizer")


def test_every_bar_says_when_it_is_shown() -> None:
    bars = [(path.name, node.lineno, {k.arg for k in node.keywords})
            for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in ("tqdm", "trange")]
    assert len(bars) > 3 and all("disable" in words for _, _, words in bars), bars


def test_nothing_in_a_log_file_moves_the_cursor(files: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # noqa: F811
    monkeypatch.setenv("FACELM_WEIGHTS", str(files / "w"))
    monkeypatch.setenv("FACELM_BASE", str(files / "base"))
    for argv in (["data", "synth", "-o", "c", "--count", "4"], ["tokenizer", "train", files / "tok.yaml", "-o", "t"],
                 ["train", files / "lm.yaml", "--corpus", files / "corpus", "--tokenizer", files / "w/tokenizer", "-o", "l"],
                 ["perform", "1 s; smile", "-o", "a.npz"], ["render", files / "clip.npz", "-o", "a.gif", "--size", "64"],
                 ["tokenizer", "eval", files / "w/tokenizer", "--corpus", files / "corpus"]):
        log = io.StringIO()  # as a file: no terminal
        monkeypatch.setattr(sys, "stderr", log)
        assert main([str(a) for a in argv]) == 0, log.getvalue()
        assert "\r" not in log.getvalue() and "%|" not in log.getvalue() and "it/s" not in log.getvalue(), (argv, log.getvalue())
