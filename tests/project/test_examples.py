"""The examples run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_notebooks import ROOT, needs_models

EXAMPLES = sorted(p for p in (ROOT / "examples").glob("*.py") if p.name != "live_chat.py")
"""What needs no server; the live chat runs in tests/agent/server."""


@pytest.mark.slow
@needs_models
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(path)], cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""}, text=True,
                          capture_output=True, timeout=300)
    assert done.returncode == 0 and " s" in done.stdout, done.stderr
    if path.name == "prompt_to_animation.py":
        assert (tmp_path / "out/example/clip.glb").read_bytes()[:4] == b"glTF"
