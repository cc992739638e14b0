"""Heads in FLAME's layout, with and without eyelids, and the folder of rebuilt cases where it is there."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from facelm.face.head.model import HeadModel
from facelm.face.io.heads.flame import EYELIDS, import_head
from flame_files import export_flame_layout


@pytest.fixture(scope="session")
def flame(tmp_path_factory: pytest.TempPathFactory) -> HeadModel:
    """The default head in FLAME's layout: 300 identity and 100 expression columns."""
    files = export_flame_layout(HeadModel.default(), tmp_path_factory.mktemp("flame") / "m.pkl")
    return import_head(files.model, files.landmarks)


@pytest.fixture(scope="session")
def lidded(flame: HeadModel) -> HeadModel:
    """The same with eyelid columns."""
    lids = np.random.default_rng(0).normal(0, 1e-3, (flame.n_vertices, 3, 2)).astype(np.float32)
    return replace(flame, shapedirs=np.concatenate([flame.shapedirs, lids], 2), expr_names=(*flame.expr_names, *EYELIDS))


@pytest.fixture(scope="session")
def data() -> Path:
    """Test data beside the project."""
    folder = Path(os.environ.get("FACELM_TEST_DATA") or Path(__file__).resolve().parents[4].parent.parent / "shared" / "data")
    if not (folder / "cases").is_dir():
        pytest.skip(f"no test data in {folder}")
    return folder
