"""notebooks/04_chat_with_a_clip.ipynb runs: it performs, answers, changes, compares, plots, and shows a player each time."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from test_notebooks import ROOT, code_of, needs_models, printed

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("anywidget")


@pytest.mark.slow
@needs_models
def test_chat_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / "notebooks/04_chat_with_a_clip.ipynb", as_version=4)
    folder = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=folder).execute()
    text = printed(notebook)
    assert "nods twice" in text[1] and "'tool': 'perform'" in text[1]
    answers = text[2].strip().splitlines()
    assert answers[0].endswith("2") and "[" in answers[1] and "cannot be seen" in answers[3]
    assert all(f"'op': '{op}'" in text[3] for op in ("strength", "count", "add")) and "wink" in text[3]
    assert "Clip 1" in text[4] and "clip 2" in text[4] and "of the way" in text[4]
    outputs = [o.get("data", {}) for c in code_of(notebook) for o in c.outputs]
    shown = [d["application/vnd.jupyter.widget-view+json"]["model_id"] for d in outputs
             if "application/vnd.jupyter.widget-view+json" in d]
    assert len(shown) == 3 and sum("image/png" in d for d in outputs) == 1
    states = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    for model in shown:
        state = states[model]
        sizes = {tuple(b["path"]): len(base64.b64decode(b["data"])) for b in state["buffers"]}
        assert sizes[("head",)] > 100_000 and sizes[("motion",)] > 10_000 and "three.module.min.js" in state["state"]["_esm"]
    assert {p.name for p in tmp_path.iterdir()} == {"out"}, "everything is written below out/"
