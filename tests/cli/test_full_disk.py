"""A full disk: exit code 1, one line that names the file, and nothing half-written, whatever is written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from facelm.common.files import atomic_file, atomic_folder, write_text
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel

CHILD = """
import contextlib, io, json, resource, sys
from facelm.cli.main import main
lines = json.loads(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
for line in lines:
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main(line)
    print(json.dumps([line, code, said.getvalue()]))
"""


def on_a_disk_of(size: int, folder: Path, lines: list[list[str]]) -> list[tuple[list[str], int, str]]:
    """Exit code and stderr of commands that cannot write files of more than ``size`` bytes."""
    pytest.importorskip("resource", reason="no limits of file sizes on this system")
    done = subprocess.run([sys.executable, "-c", CHILD, str(size), json.dumps(lines)], cwd=folder, capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.fixture()
def clip(tmp_path: Path) -> Path:
    import numpy as np

    rest = FaceSequence.rest(60, HeadModel.default().ref)
    moving = np.random.default_rng(0).uniform(0, 1, rest.expr.shape).astype(np.float32)
    return rest.replace(expr=moving).save(tmp_path / "clip.npz")


def test_every_writer_says_so_and_leaves_nothing(tmp_path: Path, clip: Path) -> None:
    files = ["out.mp4", "out.gif", "out.png"]
    others = ["out.csv", "out.json", "out.glb", "out.vrma", "out.bvh", "copy.npz", "frames"]
    lines = [["render", "clip.npz", "-o", name, "--size", "96"] for name in files]
    lines += [["export", "clip.npz", "-o", name] for name in others]
    lines.append(["resample", "clip.npz", "--fps", "50", "-o", "slow.npz"])
    try:
        import pxr  # noqa: F401

        lines += [["export", "clip.npz", "-o", name] for name in ("out.usda", "out.usdc")]
    except ImportError:
        pass
    for line, code, said in on_a_disk_of(4000, tmp_path, lines):
        name = line[line.index("-o") + 1]
        assert code == 1 and said.count("\n") == 1 and name in said and "Traceback" not in said, (line, code, said)
        assert "part" not in said.split(name)[0], "the hidden name says nothing to a user"
    assert [p.name for p in tmp_path.iterdir()] == ["clip.npz"], "nothing half-written"


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_video_that_is_cut_short_anywhere_is_refused(tmp_path: Path, clip: Path, share: float) -> None:
    from facelm.cli.main import main

    assert main(["render", str(clip), "-o", str(tmp_path / "whole.mp4"), "--size", "96"]) == 0
    size = int(share * (tmp_path / "whole.mp4").stat().st_size)
    ((_, code, said),) = on_a_disk_of(size, tmp_path, [["render", "clip.npz", "-o", "cut.mp4", "--size", "96"]])
    assert code == 1 and "cut.mp4" in said and said.count("\n") == 1, said
    assert not (tmp_path / "cut.mp4").exists()


def test_written_files_have_the_usual_mode(tmp_path: Path) -> None:
    """Some writers (safetensors, temporary files) make files that nobody else may read."""
    write_text(tmp_path / "usual", "x")
    usual = (tmp_path / "usual").stat().st_mode & 0o777
    with atomic_file(tmp_path / "a") as partial:
        partial.unlink()
        partial.touch(mode=0o600)
    with atomic_folder(tmp_path / "d") as work:
        (work / "b").touch(mode=0o600)
        (work / "inner").mkdir(mode=0o700)
    assert (tmp_path / "a").stat().st_mode & 0o777 == (tmp_path / "d/b").stat().st_mode & 0o777 == usual
    assert (tmp_path / "d/inner").stat().st_mode == (tmp_path / "d").stat().st_mode
