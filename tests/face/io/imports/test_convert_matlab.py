"""MATLAB files: read right, and no damage to one can take the process along."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from facelm.face.head.model import HeadModel
from facelm.face.io.convert import read
from facelm.face.io.convert.matlab import read_matlab
from scipy.io import savemat

DECA = {"exp": np.linspace(0, 1, 350).reshape(7, 50), "pose": np.zeros((7, 6)), "shape": np.zeros((7, 100))}


def test_a_struct_and_a_folder(tmp_path: Path, flame: HeadModel) -> None:
    savemat(tmp_path / "a.mat", {"codedict": DECA})
    assert np.allclose(read(tmp_path / "a.mat", flame).sequence.expr[:, :50], DECA["exp"])
    (tmp_path / "frames").mkdir()
    for t in range(7):
        savemat(tmp_path / "frames" / f"{t}.mat", {k: v[t: t + 1] for k, v in DECA.items()})
    begin = time.monotonic()
    assert np.allclose(read(tmp_path / "frames", flame).sequence.expr[:, :50], DECA["exp"])
    assert time.monotonic() - begin < 20, "one process reads all"


@pytest.mark.parametrize("compressed", [False, True])
def test_changed_bytes(tmp_path: Path, flame: HeadModel, compressed: bool) -> None:
    savemat(tmp_path / "good.mat", DECA, do_compression=compressed)
    raw = (tmp_path / "good.mat").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for at in (*range(128, 200, 12), *rng.integers(0, len(raw), 6)):
        data = bytearray(raw)
        data[at] = 0 if data[at] else 0xFF
        path = tmp_path / "a.mat"
        path.write_bytes(data)
        try:
            assert len(read(path, flame).sequence) >= 1
        except ValueError as err:
            refused += 1
            assert str(path) in str(err) and str(err).isprintable()
    assert refused >= 3


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    """Two MB that unpack to two GB."""
    savemat(tmp_path / "bomb.mat", {"exp": np.zeros((20_000, 4000)), "pose": np.zeros((20_000, 6000))}, do_compression=True)
    assert (tmp_path / "bomb.mat").stat().st_size < 3 << 20
    with pytest.raises(ValueError, match="bomb.mat unpacks to more than is read"):
        read_matlab([tmp_path / "bomb.mat"])
