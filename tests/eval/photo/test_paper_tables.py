"""The tables of the two photo systems: published figures as printed, ours from known pictures, whole runs of tiny networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusion_tiny import tiny_diffusion
from facelm.eval.baselines.picture.diffedit import DiffEditOptions
from facelm.eval.baselines.picture.kdef import make_stand_in
from facelm.eval.baselines.picture.slots import EditedPicture
from facelm.eval.photo.mappers import kernel_distance, mapper_report
from facelm.eval.photo.papers import EXPRESSIONS, papers, shown
from facelm.eval.photo.thesis import CASTS, Subject, diffusion_editors, subjects_of, thesis_report
from facelm.face.render.folds import Folds, fold_drives, fold_maps


def test_published_figures_agree_with_their_means() -> None:
    """Their own averages, which a slip in copying would break (0.01: they are rounded)."""
    of = papers().mappers
    assert len(of.accuracy) == len(of.score) == 7 and len(of.ablation) == 5
    assert of.accuracy["Morphable Diffusion"][6] == 0.49, "as printed; its five numbers have the mean 0.47"
    rows = [*(v for n, v in of.accuracy.items() if n != "Morphable Diffusion"), *of.score.values(),
            *(v for a in of.ablation.values() for v in (a.accuracy, a.score))]
    for row in rows:
        six = [v for v in row[:6] if v is not None]
        assert row[6] == pytest.approx(np.mean(six), abs=0.0151), row
    assert of.accuracy["He et al."][0] == 0.91 and of.ablation["full"].quality == (30.13, 0.017)
    thesis = papers().thesis
    assert np.mean(thesis.ssim) == pytest.approx(0.912, abs=5e-4) and np.mean(thesis.psnr) == pytest.approx(36.8, abs=0.05)
    assert np.array(thesis.cosine)[:, 1].mean() == pytest.approx(0.728, abs=5e-4)
    assert EXPRESSIONS[3] == "close eyes" and all(r[3] is None for r in of.accuracy.values()) and shown(None) == "-"


class Lighter:
    """Makes the middle 20 levels brighter."""

    name = "lighter"

    def edit(self, rgb: np.ndarray, prompt: str, seed: int = 0) -> EditedPicture:
        out, mask = rgb.copy(), np.zeros(rgb.shape[:2], np.float32)
        mask[40:120, 30:80] = 1
        out[mask > 0] += 20
        return EditedPicture(out, mask)


def test_the_thesis_table_measures_pictures(tmp_path: Path) -> None:
    skin = np.clip(np.array([170, 120, 100]) + np.random.default_rng(0).normal(0, 4, (152, 112, 3)), 0, 220).astype(np.uint8)
    report = thesis_report([Subject("a", skin, {}), Subject("b", skin.copy(), {})], [Lighter()])
    share = 80 * 50 / (152 * 112)
    assert len(report.rows) == 6 and report.rows[0]["cosine"] is None
    assert report.rows[0]["psnr"] == pytest.approx(10 * np.log10(255**2 / (share * 20**2)), abs=0.05)
    assert report.rows[0]["touched"] == pytest.approx(share)
    for row in report.rows:
        for cast in row["casts"]:
            assert cast["before"] > 3 and cast["transport"] < 0.5 * cast["before"]
    one, two = report.tables
    assert [r[0] for r in one.rows] == ["angry", "happy", "sad", "mean"] and len(two.rows) == 1 + len(CASTS)
    column = one.columns.index("PSNR dB, thesis")
    assert [r[column] for r in one.rows] == ["36.7", "36.5", "37.3", "36.8"] and "--judges FOLDER" in report.table()
    with pytest.raises(ValueError, match="no pictures"):
        thesis_report([])


def test_subjects_are_kdefs_or_made_up(tmp_path: Path) -> None:
    make_stand_in(tmp_path / "kdef", 3, size=(112, 152))
    found = subjects_of(tmp_path / "kdef", None, tmp_path, 2)
    assert [s.name for s in found] == ["F01", "F02"] and set(found[0].true) == {"AN", "HA", "SA"}
    for other in (tmp_path / "kdef").glob("*NES.JPG"):
        other.unlink()
    with pytest.raises(ValueError, match="no neutral picture"):
        subjects_of(tmp_path / "kdef", None, tmp_path, 2)


@pytest.mark.slow
def test_diffedit_trains_its_lora_and_gets_a_column(tmp_path: Path) -> None:
    make_stand_in(tmp_path / "kdef", 2, size=(112, 152))
    folder = tiny_diffusion(tmp_path / "sd")
    from facelm.eval.baselines.picture import lora

    quick, usual = lora.LoraOptions(epochs=1, side=64, maps=1), lora.LoraOptions
    lora.LoraOptions = lambda: quick  # type: ignore[assignment,misc]
    try:
        editors = diffusion_editors(str(folder), str(tmp_path / "lora"), tmp_path / "kdef", tmp_path, None)
    finally:
        lora.LoraOptions = usual  # type: ignore[misc]
    assert (tmp_path / "lora" / "training.json").is_file() and [e.name for e in editors][1] == "DiffEdit"
    again = diffusion_editors(str(folder), str(tmp_path / "lora"), None, tmp_path, None)[1]
    again.options = DiffEditOptions(steps=4, side=64, maps=1)  # type: ignore[attr-defined]
    report = thesis_report(subjects_of(tmp_path / "kdef", None, tmp_path, 1), [again])
    assert "PSNR dB, DiffEdit" in report.tables[0].columns and np.isfinite(report.rows[0]["ssim"])


def test_the_kernel_distance_is_kids() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, (5, 3)), rng.normal(0.5, 1, (6, 3))
    k = lambda x, y: (x @ y / 3 + 1) ** 3  # noqa: E731
    own = np.mean([k(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j])
    other = np.mean([k(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j])
    want = own + other - 2 * np.mean([k(x, y) for x in a for y in b])
    assert kernel_distance(torch.tensor(a), torch.tensor(b)) == pytest.approx(want)


@pytest.mark.slow
def test_both_tables_are_filled_by_tiny_networks(tmp_path: Path) -> None:
    report = mapper_report("002-I", tmp_path, count=3, quick=True)
    one, two = report.tables
    assert [r[0] for r in one.rows] == [*EXPRESSIONS, "mean"] and one.columns[1] == "paper: DiscoFaceGAN"
    assert one.rows[0][one.columns.index("paper: He et al.")] == "0.91"
    assert one.rows[0][one.columns.index("script's pose, by geometry")] == "1.00"
    assert one.rows[0][one.columns.index("neutral face, by geometry")] == "0.00"
    assert {r["method"] for r in report.rows[1:]} == {"neutral", "script", "full"}
    four = mapper_report("002-IV", tmp_path, count=3, quick=True)
    assert [r[0] for r in four.tables[0].rows] == ["full", "w/o identity loss", "w/o projection", "w/o cross-attention",
                                                   "w/o EMOCA", "script's pose (no mappers)"]
    assert "Against the script's pose the mappers give" in four.table()
    with pytest.raises(ValueError, match="allowed: 002-I, 002-IV"):
        mapper_report("002-V", tmp_path)


def test_fold_maps_and_drives_are_those_of_the_renderer() -> None:
    from facelm.face.head.model import HeadModel

    head, names = HeadModel.default(), list(fold_maps(256))
    expr = np.zeros(head.n_expr, np.float32)
    for column, name in enumerate(head.expr_names):
        expr[column] = 0.8 if name.startswith("browDown") else 0.0
    drives = fold_drives(expr, head.expr_names)
    folds = Folds(head, np.ones((256, 256, 3), np.float32), 1.0)
    change = folds.at(expr)[..., 0] - 1
    want = sum(drives[n] * fold_maps(256)[n] for n in names)
    assert drives["glabella"] > 0.5 and drives["nasolabial"] == 0
    assert np.abs(change - np.clip(want, -0.8, 1)).max() < 1e-5
