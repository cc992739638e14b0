"""`facelm export` and what else writes the same files."""

# ruff: noqa: F811 (fixtures are imported by name)
from __future__ import annotations

import errno
import json
import math
from pathlib import Path

import pytest
from cli_fixtures import files, in_a_folder_of_its_own  # noqa: F401
from facelm.agent.media import load_motion
from facelm.cli.main import main
from facelm.face.clip.channels import ARKIT_52, EXPR_NAMES
from facelm.face.clip.sequence import FaceSequence
from facelm.face.io.export import FORMATS, table


def test_the_list_is_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--list"]) == 0
    assert capsys.readouterr().out == table()
    assert main(["export", "--list", "--json"]) == 0
    assert [f["name"] for f in json.loads(capsys.readouterr().out)["formats"]] == [f.name for f in FORMATS]


@pytest.mark.parametrize(("kind", "target"), [(f, t) for f in FORMATS for t in f.targets if t != "flame"],
                         ids=lambda x: x if isinstance(x, str) else x.name)
def test_every_format_is_written_whole_and_named(kind, target: str, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if kind.suffix.startswith(".usd"):
        pytest.importorskip("pxr")
    out = Path("deep") / f"take{kind.suffix}"
    assert main(["export", str(files / "clip.npz"), "-o", str(out), "--format", kind.name, "--target", target, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    seq = FaceSequence.load(files / "clip.npz")
    assert (said["out"], said["format"], said["target"]) == (str(out), kind.name, target)
    assert (said["frames"], said["fps"]) == (len(seq), seq.fps)
    assert [p.name for p in Path("deep").iterdir()] == [out.name], "something is left beside the file"
    assert len(list(out.iterdir())) == len(seq) if out.is_dir() else out.stat().st_size > 100


def test_export_says_what_it_changes(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(files / "clip.npz"), "-o", "a.glb", "--targets", "arkit52", "--fps", "24"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("a.glb: GLB (glTF 2.0), ") and out[0].endswith("frames at 24 fps (arkit52)")
    assert out[1] == "note: resampled from 25 to 24 fps, linear between frames"
    assert any(line.startswith("note: jaw and eyes move in straight lines") and line.endswith("mm") for line in out)


def test_render_writes_the_same_files(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", str(files / "clip.npz"), "-o", "a.csv"]) == 0
    assert main(["export", str(files / "clip.npz"), "-o", "b.csv"]) == 0
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()


def test_files_of_other_tools_go_straight_out(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(files / "clip.npz"), "-o", "take.csv", "--fps", "30"]) == 0
    assert main(["export", "take.csv", "-o", "a.json", "--format", "audio2face"]) == 0
    out = capsys.readouterr().out.splitlines()
    seq = FaceSequence.load(files / "clip.npz").resample(30)
    assert f"a.json: Audio2Face JSON, {len(seq)} frames at 30 fps (arkit52)" in out
    assert any(line.startswith("note: read as Live Link Face") for line in out)
    weights = json.loads(Path("a.json").read_text())
    smile = [row[weights["facsNames"].index("mouthSmileLeft")] for row in weights["weightMat"]]
    assert smile == pytest.approx(seq.expr[:, EXPR_NAMES.index("mouthSmileLeft")].tolist(), abs=1e-5)


def take(path: str) -> None:
    """An ARKit CSV with a time column, made by hand: the jaw opens by 0.7 at 1.2 s."""
    lines = ["time," + ",".join(ARKIT_52)]
    for k in range(90):
        jaw = 0.7 * math.exp(-(((k / 30 - 1.2) / 0.25) ** 2))
        lines.append(f"{k / 30:.6f}," + ",".join(f"{jaw if n == 'jawOpen' else 0.0:.6f}" for n in ARKIT_52))
    Path(path).write_text("\n".join(lines) + "\n")


def test_what_reads_clips_reads_files_of_other_tools(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    take("a.csv")
    assert main(["measure", "a.csv", "--json"]) == 0
    got, = [a for a in json.loads(capsys.readouterr().out)["actions"] if a["name"] == "mouth_open"]
    assert got["apex"] == pytest.approx(1.2, abs=0.05)
    assert main(["measure", "a.csv"]) == 0
    assert "a.csv: read as ARKit / MediaPipe blend shapes" in capsys.readouterr().err
    assert main(["render", "a.csv", "-o", "a.png"]) == 0 and Path("a.png").stat().st_size > 1000
    loaded = load_motion("a.csv")
    assert len(loaded.seq) == 90 and not loaded.shots and loaded.note.startswith("read as ARKit")


def test_a_clip_with_other_columns_is_told_in_one_line(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = FaceSequence.load(files / "clip.npz")
    clip.replace(expr=clip.expr[:, :10]).save("a.npz")
    for command in (["measure", "a.npz"], ["export", "a.npz", "-o", "b.csv"], ["slice", "a.npz", "-o", "b.npz", "--to", "1"],
                    ["concat", "a.npz", "a.npz", "-o", "b.npz"], ["mirror", "a.npz", "-o", "b.npz"]):
        assert main(command) == 1
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1 and f"a.npz: expr has shape ({len(clip)}, 10), needed (T, 41)" in said[0], said
    assert not Path("b.csv").exists() and not Path("b.npz").exists()


def test_a_folder_with_other_files_is_not_said_to_be_replaced(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    Path("mine", "letter.txt").write_text("x")
    assert main(["export", str(files / "clip.npz"), "-o", "mine", "--format", "obj"]) == 1
    said = capsys.readouterr().err
    assert "holds something else (letter.txt)" in said and "is replaced" not in said
    assert [p.name for p in Path("mine").iterdir()] == ["letter.txt"]


def test_one_frame_is_no_frames(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    FaceSequence.load(files / "clip.npz").slice(0, 1).save("one.npz")
    assert main(["export", "one.npz", "-o", "a.csv"]) == 0 and main(["mirror", "one.npz", "-o", "b.npz"]) == 0
    out = capsys.readouterr().out
    assert out.count("1 frame at") + out.count("1 frame,") == 2 and "1 frames" not in out


def test_an_unknown_host_is_told_with_its_option(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--livelink", "--vmc"):
        assert main(["stream", str(files / "clip.npz"), option, "abc.invalid"]) == 1
        said = capsys.readouterr().err
        assert f"{option} is 'abc.invalid'" in said and "allowed: HOST:PORT" in said and "Errno" not in said


def test_a_read_only_target_is_named_as_the_user_did(files: Path, monkeypatch: pytest.MonkeyPatch,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    def refused(self: Path, *args: object, **options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "touch", refused)
    monkeypatch.setattr(Path, "unlink", refused)
    assert main(["export", str(files / "clip.npz"), "-o", "take.csv"]) == 1
    said = capsys.readouterr().err
    assert "Read-only file system: 'take.csv'" in said and ".part" not in said
