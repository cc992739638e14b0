"""Files rebuilt from public reports of people who could not read them: each gives the value that its README says."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from facelm.face.clip.channels import EXPR_INDEX
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.face.io.convert import read
from inputs import command
from scipy.spatial.transform import Rotation


def moments(clip: FaceSequence) -> dict[str, float]:
    """Seconds of the blink's apex, of the widest jaw's middle and of the smile's half, and the smile's size."""
    blink, smile = clip.expr[:, EXPR_INDEX["eyeBlinkLeft"]], clip.expr[:, EXPR_INDEX["mouthSmileLeft"]]
    jaw = np.flatnonzero(clip.jaw_pose[:, 0] > clip.jaw_pose[:, 0].max() - 1e-3)
    return {"blink": blink.argmax() / clip.fps, "jaw": float(jaw.mean()) / clip.fps, "smile": float(smile.max())}


@pytest.mark.parametrize(("name", "fps", "frames"), [
    ("15fps_4s", 15, 60), ("25fps_1.8s", 25, 45), ("25fps_4s", 25, 100), ("29.97fps_4s", 30, 120), ("30fps_4s", 30, 120),
    ("50fps_4s", 50, 200), ("60fps_4s", 60, 240)])
def test_01_every_row_is_a_frame(data: Path, name: str, fps: int, frames: int) -> None:
    path = data / "cases" / "01-landmark-link-fps" / f"video_{name}.csv"
    got = read(path).sequence
    assert (len(got), got.fps, got.valid.all()) == (frames, fps, True)
    found = moments(got)
    assert found["blink"] == pytest.approx(0.6, abs=0.5 / fps) and found["jaw"] == pytest.approx(1.5, abs=0.6 / fps)
    assert found["smile"] == pytest.approx(0.8, abs=1e-6)
    asked = read(path, fps=29.97).sequence
    assert len(asked) == frames and asked.fps == 29.97, "--fps says the rate and changes no frame"


def test_01_the_case_of_the_report(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = data / "cases" / "01-landmark-link-fps" / "video_25fps_1.8s.csv"
    for asked in ((), ("--fps", "25")):
        assert command("convert", path, "-o", tmp_path / "c.npz", *asked, "--json") == 0
        told = json.loads(capsys.readouterr().out)
        clip = FaceSequence.load(tmp_path / "c.npz")
        assert told["frames"] == len(clip) == 45 and clip.seconds == pytest.approx(1.8)
        assert moments(clip)["blink"] == pytest.approx(0.6)


def test_02_metrical_tracker(data: Path, lidded: HeadModel) -> None:
    import torch

    folder = data / "cases" / "02-metrical-tracker"
    got = read(folder, lidded, fps=25)
    assert got.format == "metrical-tracker" and len(got.sequence) == 50
    frames = [torch.load(p, weights_only=False) for p in sorted((folder / "checkpoint").glob("*.frame"))]  # our own files
    seq = got.sequence
    assert np.allclose(seq.expr[:, :100], np.concatenate([f["flame"]["exp"] for f in frames]), atol=1e-6)
    assert np.allclose(seq.expr[:, -2:], np.concatenate([f["flame"]["eyelids"] for f in frames]))
    sines = np.concatenate([f["flame"]["jaw"] for f in frames])[:, 5]  # the second row of a turn about x: 0, cos, -sin
    assert np.allclose(seq.jaw_pose, np.c_[np.arcsin(-sines), np.zeros((50, 2))], atol=1e-3)
    assert np.allclose(seq.eyes_pose[:, 1], np.arcsin(np.concatenate([f["flame"]["eyes"] for f in frames])[:, 2]), atol=2e-3)
    yaw = Rotation.from_rotvec(seq.rotation).as_euler("YXZ")[:, 0]
    assert np.allclose(np.sin(yaw), [f["opencv"]["R"][0, 0, 2] for f in frames], atol=2e-3)
    one = read(folder / "checkpoint" / "00015.frame", lidded).sequence
    assert len(one) == 1 and np.allclose(one.expr[0], seq.expr[15])


def test_03_names_and_frames(data: Path) -> None:
    got = read(data / "cases" / "03-names-frames-json" / "lam_bsdata.json")
    assert (len(got.sequence), got.sequence.fps) == (120, 30) and not got.warnings
    assert moments(got.sequence) == pytest.approx({"blink": 0.6, "jaw": 1.5, "smile": 0.8}, abs=0.02)


def test_05_beat2(data: Path, flame: HeadModel) -> None:
    path = data / "cases" / "05-beat2-npz" / "2_speaker_0_1_1.npz"
    got = read(path, flame)
    with np.load(path) as given:
        assert np.allclose(got.sequence.expr, given["expressions"], atol=1e-6)
        assert np.allclose(got.sequence.jaw_pose, given["poses"][:, 66:69], atol=1e-6) and got.sequence.fps == 30
    assert got.sequence.jaw_pose[:, 0].max() == pytest.approx(0.1997, abs=1e-4) and not got.sequence.shape.any()


@pytest.mark.parametrize("name", ["animation_frames.csv", "a2f_export_bsweight.json"])
def test_06_audio2face(data: Path, name: str) -> None:
    got = read(data / "cases" / "06-a2f3d-csv" / name)
    assert (len(got.sequence), got.sequence.fps) == (120, 30) and not got.warnings
    assert moments(got.sequence) == pytest.approx({"blink": 0.6, "jaw": 1.5, "smile": 0.8}, abs=0.02)


@pytest.mark.parametrize("name", ["issue2809_flat16", "issue2809_python_rows"])
def test_07_true_yaw(data: Path, name: str) -> None:
    seq = read(data / "cases" / "07-mediapipe-js-matrix" / f"{name}.json", fps=30).sequence
    yaw = Rotation.from_rotvec(seq.rotation).as_euler("YXZ", degrees=True)[:, 0]
    assert yaw == pytest.approx(np.full(3, -56.2), abs=0.1), "to the subject's right"
    nose = HeadModel.default().sequence_landmarks(seq)[:, 30] - HeadModel.default().sequence_landmarks(seq)[:, 27]
    assert (nose[:, 0] < 0).all()


@pytest.mark.parametrize("name", ["js_result", "js_data_flat16", "python_rows"])
def test_07_web_and_python_agree(data: Path, name: str) -> None:
    got = read(data / "cases" / "07-mediapipe-js-matrix" / f"{name}.json", fps=None if name == "js_result" else 15)
    assert (len(got.sequence), got.sequence.seconds) == (30, pytest.approx(2.0)) and got.sequence.fps == pytest.approx(15)
    turn = Rotation.from_rotvec(got.sequence.rotation).as_euler("YXZ", degrees=True)
    assert turn[15] == pytest.approx([20, 10, 0], abs=0.01) and moments(got.sequence)["blink"] == pytest.approx(0.6)


def test_07_without_times_the_rate_is_asked_for(data: Path) -> None:
    got = read(data / "cases" / "07-mediapipe-js-matrix" / "python_rows.json")
    assert len(got.sequence) == 30 and any("--fps" in w for w in got.warnings)


def test_20_damaged_files_are_one_line(data: Path, flame: HeadModel, tmp_path: Path) -> None:
    for name, words in (("mini.mat", "damaged"), ("2_1317_conv_vhap.npz", "plain numbers")):
        path = shutil.copy(data / "cases" / "20-damaged" / name, tmp_path / name)
        with pytest.raises(ValueError, match=words) as caught:
            read(path, flame)
        said = str(caught.value)
        assert str(path) in said and re.fullmatch(r"[\x20-\x7e]+", said)


@pytest.mark.parametrize(("name", "fps", "rows", "gap"), [("range_of_motion_30fps.csv", 30, 1199, 596),
                                                          ("speech_60fps.csv", 60, 328, 0)])
def test_real_takes_keep_every_row(data: Path, name: str, fps: int, rows: int, gap: int) -> None:
    path = data / "recordings" / name
    got = read(path)
    lines = path.read_text().splitlines()
    assert len(got.sequence) == len(lines) - 1 == rows and got.sequence.fps == fps and got.sequence.valid.all()
    at = lines[0].split(",").index("MouthSmileLeft")
    weights = np.array([float(line.split(",")[at]) for line in lines[1:]])
    assert np.allclose(got.sequence.expr[:, EXPR_INDEX["mouthSmileLeft"]], weights, atol=1e-6)
    assert any(f"after row {gap})" in w for w in got.warnings) if gap else not got.warnings
