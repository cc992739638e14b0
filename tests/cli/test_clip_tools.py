"""concat, slice, resample and mirror: what they keep, frame by frame."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from facelm.cli.main import main
from facelm.face.clip.channels import EXPR_INDEX
from facelm.face.clip.sequence import FaceSequence, HeadRef
from inputs import command


@pytest.fixture()
def two(random_clip: FaceSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[FaceSequence, FaceSequence]:
    """Two clips of one identity, saved as a.npz and b.npz."""
    monkeypatch.chdir(tmp_path)
    other = random_clip.slice(5, 20)
    random_clip.save("a.npz")
    other.save("b.npz")
    return random_clip, other


def test_concat(two: tuple[FaceSequence, FaceSequence], capsys: pytest.CaptureFixture[str]) -> None:
    assert command("concat", "a.npz", "b.npz", "a.npz", "-o", "out/c.npz", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    done = FaceSequence.load("out/c.npz")
    assert told["frames"] == len(done) == 75 and told["starts"] == pytest.approx([0, 1.2, 1.8])
    assert np.array_equal(done.expr[30:45], two[1].expr) and np.array_equal(done.rotation[45:], two[0].rotation)


def test_concat_brings_rates_together_and_names_the_clip_that_does_not_fit(two: tuple[FaceSequence, FaceSequence]) -> None:
    two[1].resample(29.97).save("c.npz")
    with pytest.raises(ValueError, match="c.npz has 29.97 fps and a.npz 25; --fps"):
        command("concat", "a.npz", "c.npz", "-o", "d.npz")
    assert command("concat", "a.npz", "c.npz", "-o", "d.npz", "--fps", "29.97") == 0
    assert FaceSequence.load("d.npz").fps == 29.97 and FaceSequence.load("d.npz").seconds == pytest.approx(1.8, abs=0.05)
    two[1].replace(head=HeadRef("x", "1", "0" * 64)).save("e.npz")
    with pytest.raises(ValueError, match=r"e\.npz: cannot join clips of different heads"):
        command("concat", "a.npz", "e.npz", "-o", "d2.npz")
    assert not Path("d2.npz").exists()


@pytest.mark.parametrize(("asked", "first", "last"), [
    (["--from", "0.4", "--to", "0.8"], 10, 20), (["--from", "1"], 25, 30), (["--to", "0.2"], 0, 5), (["--frames", "3:7"], 3, 7),
    (["--frames", ":7"], 0, 7), (["--frames", "28:"], 28, 30)])
def test_slice(two: tuple[FaceSequence, FaceSequence], asked: list[str], first: int, last: int) -> None:
    assert command("slice", "a.npz", "-o", "c.npz", *asked) == 0
    done = FaceSequence.load("c.npz")
    assert np.array_equal(done.expr, two[0].expr[first:last]) and np.array_equal(done.valid, two[0].valid[first:last])


def test_resample_and_mirror_many(two: tuple[FaceSequence, FaceSequence], capsys: pytest.CaptureFixture[str]) -> None:
    assert command("resample", "a.npz", "b.npz", "--fps", "29.97", "-o", "out") == 0
    for name, clip in zip("ab", two, strict=True):
        done = FaceSequence.load(f"out/{name}.npz")
        assert done.fps == 29.97 and len(done) == round(clip.seconds * 29.97) and np.allclose(done.expr[0], clip.expr[0])
    capsys.readouterr()
    assert command("mirror", "a.npz", "b.npz", "-o", "mirrored", "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [t["frames"] for t in told] == [30, 15]
    done = FaceSequence.load("mirrored/a.npz")
    assert np.array_equal(done.expr[:, EXPR_INDEX["eyeBlinkLeft"]], two[0].expr[:, EXPR_INDEX["eyeBlinkRight"]])
    assert np.allclose(done.rotation, two[0].rotation * [1, -1, -1]) and np.array_equal(done.eyes_pose[:, 0],
                                                                                        two[0].eyes_pose[:, 3])
    assert command("mirror", "mirrored/a.npz", "-o", "again.npz") == 0
    assert np.allclose(FaceSequence.load("again.npz").expr, two[0].expr)


def test_one_that_fails_does_not_stop_the_others(two: tuple[FaceSequence, FaceSequence],
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.npz").write_text("no clip")
    assert command("resample", "a.npz", "bad.npz", "b.npz", "--fps", "50", "-o", "out") == 1
    assert "bad.npz" in capsys.readouterr().err and sorted(p.name for p in Path("out").iterdir()) == ["a.npz", "b.npz"]


def test_a_head_without_sides_cannot_be_mirrored(two: tuple[FaceSequence, FaceSequence]) -> None:
    two[0].replace(head=HeadRef("x", "1", "0" * 64)).save("e.npz")
    with pytest.raises(ValueError, match=r"e\.npz: this clip is of the head"):
        command("mirror", "e.npz", "-o", "c.npz")


def test_messages_hold_nothing_that_acts_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                       capsys: pytest.CaptureFixture[str]) -> None:
    """Escapes in file names, in columns and in values are written out."""
    monkeypatch.chdir(tmp_path)
    Path("a\x1b[31mb.csv").write_text("x\x1b]0;owned\x07,y\n1,2\n")
    for argv in (["convert", "a\x1b[31mb.csv", "-o", "c.npz"], ["convert", "none\x1b[2J.csv", "-o", "c.npz"],
                 ["slice", "none.npz", "-o", "c.npz", "--frames", "\x1b[1m"], ["dance\x1b[31m"]):
        assert main(argv) != 0
        said = capsys.readouterr()
        assert said.err and not {"\x1b", "\x07"} & set(said.err + said.out)
    assert main(["convert", "a\x1b[31mb.csv", "-o", "c.npz"]) == 1
    assert "a\\x1b[31mb.csv" in capsys.readouterr().err
