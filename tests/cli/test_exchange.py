"""`facelm export` and what else writes the same files."""

# ruff: noqa: F811 (fixtures are imported by name)
from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_fixtures import files, in_a_folder_of_its_own  # noqa: F401
from facelm.cli.main import main
from facelm.face.clip.channels import EXPR_NAMES
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
