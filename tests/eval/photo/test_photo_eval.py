"""The evaluation of edited photos: its measures against known values, its networks against their formulas, one whole run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from facelm.eval.photo.edits import EXPRESSIONS, WAYS, EditRow, PhotoReport, evaluate_photos, photos_in, ssim
from facelm.eval.photo.judges import _FIVE, Lpips, Recogniser, _chip, judges_in
from photos import astronaut, pixels
from safetensors.torch import save_file

RECOGNISER = {"conv32_down": (7, 3, 32), **{f"conv32_{k}": (3, 32, 32) for k in (1, 2, 3)}, "conv64_down": (3, 32, 64),
              **{f"conv64_{k}": (3, 64, 64) for k in (1, 2, 3)}, "conv128_down": (3, 64, 128),
              **{f"conv128_{k}": (3, 128, 128) for k in (1, 2)}, "conv256_down": (3, 128, 256),
              **{f"conv256_{k}": (3, 256, 256) for k in (1, 2)}, "conv256_down_out": (3, 256, 256)}


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks of the right shapes with random weights."""
    folder, draw = tmp_path_factory.mktemp("judges"), torch.Generator().manual_seed(0)
    sizes = ((11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256))
    alex: dict[str, torch.Tensor] = {}
    for k, (side, low, high) in enumerate(sizes):
        alex[f"AlexNet_0/Conv_{k}/kernel"] = torch.randn(side, side, low, high, generator=draw) / (side * low**0.5)
        alex[f"AlexNet_0/Conv_{k}/bias"] = torch.zeros(high)
        alex[f"NetLinLayer_{k}/Conv_0/kernel"] = torch.rand(1, 1, high, 1, generator=draw)
    save_file(alex, folder / "lpips_alex.safetensors")
    faces: dict[str, torch.Tensor] = {"fc": torch.randn(256, 128, generator=draw) / 16}
    for name, (side, low, high) in RECOGNISER.items():
        whole = name == "conv32_down"
        for part, (a, b) in {"": (low, high)}.items() if whole else {"/conv1": (low, high), "/conv2": (high, high)}.items():
            faces[f"{name}{part}/conv/filters"] = torch.randn(side, side, a, b, generator=draw) / (side * a**0.5)
            faces[f"{name}{part}/conv/bias"] = torch.zeros(b)
            faces[f"{name}{part}/scale/weights"] = torch.ones(b)
            faces[f"{name}{part}/scale/biases"] = torch.zeros(b)
    save_file(faces, folder / "face_recognition.safetensors")
    return folder


def test_networks_know_same_from_other(judges: Path) -> None:
    lpips, recogniser = judges_in(judges)
    rng = np.random.default_rng(0)
    a = rng.integers(0, 255, (96, 96, 3), np.uint8)
    noisy = np.clip(a + rng.normal(0, 6, a.shape), 0, 255).astype(np.uint8)
    worse = np.clip(a + rng.normal(0, 60, a.shape), 0, 255).astype(np.uint8)
    assert lpips(a, a) == 0 < lpips(a, noisy) < lpips(a, worse)
    points = np.zeros((478, 2))
    points[[k for k, _, _ in _FIVE]] = [(20 + 60 * x, 20 + 60 * y) for _, x, y in _FIVE]
    own = recogniser(a, points)
    assert own.shape == (128,) and np.allclose(own, recogniser(a, points))
    assert np.linalg.norm(own - recogniser(worse, points)) > 0.05
    with pytest.raises(FileNotFoundError, match="fetch_judges.py"):
        Lpips(judges / "none")
    with pytest.raises(FileNotFoundError, match="fetch_judges.py"):
        Recogniser(judges / "none")


def test_faces_are_aligned_as_dlib_does() -> None:
    """A face that is turned and scaled lands on the same chip; its five points fall on the template's places."""
    y, x = np.mgrid[0:200, 0:200]
    picture = np.stack([x, y, (x + y) // 2], -1).astype(np.uint8)
    angle, size, shift = 0.3, 90.0, np.array([55.0, 40.0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.zeros((478, 2))
    for k, u, v in _FIVE:
        points[k] = turn @ (size * np.array([u, v])) + shift
    chip = _chip(picture, points)
    for k, u, v in _FIVE:
        place = ((0.25 + np.array([u, v])) / 1.5 * 150).round().astype(int)
        assert np.abs(chip[place[1], place[0], :2].astype(float) - points[k]).max() < 1.5


def test_ssim_is_wangs() -> None:
    rng = np.random.default_rng(1)
    a = rng.integers(0, 255, (64, 64, 3), np.uint8)
    assert ssim(a, a) == pytest.approx(1)
    flat, brighter = np.full((64, 64, 3), 100, np.uint8), np.full((64, 64, 3), 140, np.uint8)
    c1 = (0.01 * 255) ** 2  # of flat pictures only the luminance term remains
    assert ssim(flat, brighter) == pytest.approx((2 * 100 * 140 + c1) / (100**2 + 140**2 + c1), abs=1e-3)


@pytest.mark.slow
def test_a_run_tells_the_edit_from_the_photo(judges: Path) -> None:
    report = evaluate_photos([astronaut()], judges)
    assert len(report.rows) == len(EXPRESSIONS) * len(WAYS) and report.judged
    of = {(r.expression, r.way): r for r in report.rows}
    for name in EXPRESSIONS:
        still, made = of[name, WAYS[0]], of[name, WAYS[2]]
        assert still.lpips == 0 and still.unchanged == 1 and still.background == made.background == 0
        assert 0.85 < made.unchanged < 1 and made.psnr < still.psnr and 0.5 < made.ssim < 1
    found = [sum(of[name, way].found for name in EXPRESSIONS) for way in WAYS]
    assert found[0] <= 2, "the astronaut smiles; her fit also lowers the brows a little"
    assert found[2] >= found[0] + 4 and found[2] >= found[1]
    table = report.table()
    assert "He et al. 2026" in table and "calibrated, by fit" in table and "untouched" in table


def test_a_report_counts_what_is_found() -> None:
    row = EditRow("a", "smile", WAYS[2], True, False, 1.0, 30.0, 0.95, None, None, 0.9, 0, 1.2, 0.8)
    other = EditRow("b", "smile", WAYS[2], False, False, 0.5, 20.0, 0.85, None, None, 0.8, 3, 1.6, 1.2)
    table = PhotoReport((row, other), (1.0,), False).table()
    line = next(t for t in table.splitlines() if t.strip().startswith("calibrated, by fit"))
    assert line.split()[3] == "0.50" and "25.0" in table and "--judges FOLDER" in table


def test_photos_are_found(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.png", "c.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in photos_in(tmp_path)] == ["a.png", "b.jpg"]
    assert pixels(photos_in(None)[0]).shape == (512, 512, 3) if astronaut() else True
