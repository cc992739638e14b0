"""notebooks/03_transitions.ipynb runs, shows its pictures and prints its tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_notebooks import ROOT, code_of, needs_models, printed

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")


@pytest.mark.slow
@needs_models
def test_transitions_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / "notebooks/03_transitions.ipynb", as_version=4)
    folder = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=folder).execute()
    text = printed(notebook)
    pictures = sum("image/png" in o.get("data", {}) for c in code_of(notebook) for o in c.outputs)
    assert pictures == 3
    assert "('anger', 'happiness')" in text[1] and text[1].strip().endswith("75")
    assert "first frame is the source: True" in text[2] and "identity kept: True" in text[2]
    assert "'sleepy'" in text[3]
    assert all(curve in text[4] for curve in ("learned", "linear", "minjerk"))
    assert "I2FET" in text[5] and "MotionCLIP" in text[5] and "surrogate" in text[5]
    assert {p.name for p in tmp_path.iterdir()} == {"out"}, "everything is written below out/"
