"""notebooks/02 and 05 run and show what they promise."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_notebooks import ROOT, code_of, needs_models, printed

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")


@pytest.mark.slow
@needs_models
def test_trajectory_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / "notebooks/02_prompt_to_trajectory.ipynb", as_version=4)
    folder = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=folder).execute()
    text = printed(notebook)
    assert sum("image/png" in o.get("data", {}) for c in code_of(notebook) for o in c.outputs) == 3
    assert "smile" in text[1] and "nod x2" in text[1] and "wink" in text[1]
    assert int(text[2].split()[0]) >= 4
    assert "everything as asked: True" in text[3]


@pytest.mark.slow
@needs_models
def test_benchmark_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / "notebooks/05_benchmark.ipynb", as_version=4)
    folder = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3", resources=folder).execute()
    text, outputs = printed(notebook), [o.get("data", {}) for c in code_of(notebook) for o in c.outputs]
    assert "R-precision@1" in text[0]
    assert "ground truth" in text[1] and "1.00" in text[1].splitlines()[0] and "agent" in text[1]
    assert any("<svg" in o.get("text/html", "") for o in outputs)
    assert any("| wholly right" in o.get("text/markdown", "") for o in outputs)
    assert sum("image/png" in o for o in outputs) == 1
    assert text[4].count("('brow_raise', ") == 2
