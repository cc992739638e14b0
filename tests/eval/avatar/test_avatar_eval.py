"""The evaluation of avatars on films: its measures against known values, and a whole run on a film with known faces."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from facelm.eval.avatar.evaluate import AVATAR, MOVED, ONTO, STILL, AvatarReport, Likeness, compared, evaluate_avatars, films_in
from facelm.eval.avatar.films import Pair, spread_out
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from shared_data import shared

HEAD = HeadModel.default()


def pair(change: int = 0) -> Pair:
    """Noise, and the same but for a square of 40 px, which differs by some grey levels."""
    true = np.random.default_rng(0).integers(40, 200, (120, 160, 3), np.uint8)
    face = np.zeros((120, 160), bool)
    face[30:70, 50:90] = True
    return Pair(np.where(face[..., None], true + np.uint8(change), true), true, face, np.zeros((478, 2), np.float32))


def test_measures_are_those_of_the_difference() -> None:
    same = compared(pair(), "a.mp4", "view", STILL, 3, 25.04, None)
    assert (same.l1, same.psnr, same.lpips, same.identity, same.turn) == (0, 100, None, None, 25.0) and same.ms_ssim > 0.999
    assert pair().box == (slice(24, 76), slice(44, 96))  # 6 px around it
    off = compared(pair(51), "a.mp4", "view", STILL, 3, 25.0, None)
    share = 40 * 40 / (52 * 52)
    assert off.inner_psnr == pytest.approx(-20 * np.log10(0.2)) and off.l1 == pytest.approx(0.2 * share)
    assert off.psnr == pytest.approx(-10 * np.log10(0.04 * share)) and off.ms_ssim < same.ms_ssim


def test_frames_differ_from_one_another() -> None:
    expr = np.zeros((60, HEAD.n_expr), np.float32)
    expr[20:30, 3], expr[40:45, 7] = 1, 1
    seq = FaceSequence.rest(60, HEAD.ref, n_expr=HEAD.n_expr, n_shape=HEAD.n_shape).replace(expr=expr)
    film = SimpleNamespace(result=SimpleNamespace(seq=seq), known=np.arange(60))
    found = spread_out(film, 0, 2)  # type: ignore[arg-type]
    assert 20 <= found[0] < 30 and 40 <= found[1] < 45
    assert spread_out(film, 0, 5, np.array([22, 41])).tolist() == [22, 41]  # type: ignore[arg-type]


def test_tables_keep_theirs_apart() -> None:
    row = Likeness("a.mp4", "reenactment", MOVED, 1, 5.0, 0.02, 27.5, 25.0, 0.95, 0.05, 0.2)
    other = Likeness("b.mp4", "reenactment", MOVED, 1, 5.0, 0.04, 25.5, 25.0, 0.93, None, None)
    one, rendering = AvatarReport((row, other), ("b.mp4: no view",)).tables()
    mean = next(r for r in one.rows if r[0] == f"{MOVED}, mean of films")
    assert mean[1:6] == ("2", "0.030", "26.5", "0.050", "0.940") and one.notes == ("b.mp4: no view",)
    theirs = next(r for r in rendering.rows if r[0] == "Ours+CVTHead on ckplus")
    assert theirs[1:] == ("-", "-", "-", "-", "0.005", "33.74", "0.021", "0.978")  # printed in the paper's Table IV
    assert all((r[1] == "-") != (r[5] == "-") for r in rendering.rows if r[0] not in (AVATAR, ONTO))


def test_films_are_found(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.MOV", "c.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in films_in(tmp_path)] == ["a.MOV", "b.mp4"]
    with pytest.raises(FileNotFoundError, match="no such film"):
        films_in(tmp_path / "x.mp4")
    with pytest.raises(ValueError, match="no films to evaluate"):
        evaluate_avatars([])


@pytest.mark.slow
def test_a_moved_frame_is_truer_than_a_copied_one() -> None:
    film = shared("t2v/disappointed.mp4")
    if film is None:
        pytest.skip("the shared films are not there")
    pytest.importorskip("mediapipe")
    report = evaluate_avatars([film])
    mean = {way: np.mean([r.psnr for r in report.rows if r.way == way]) for way in (STILL, MOVED, AVATAR)}
    assert mean[MOVED] > 25.5 and mean[MOVED] > mean[STILL] + 4 and mean[AVATAR] > mean[STILL] + 2
    assert "no held-out view" in report.notes[-1] and "published PSNR dB" in report.table()
