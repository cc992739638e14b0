"""Damaged and odd variants of every kind of file: a clip, or one line that names the file; in bounded time and memory.

By fixed seeds, 600 variants in the fast suite and 12,000 with --slow.
"""

from __future__ import annotations

import json
import resource
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from facelm.cli.main import main
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.face.io.convert import read
from facelm.face.io.convert.recognise import UNFORESEEN
from facelm.face.io.heads.flame import import_head
from flame_files import export_flame_layout
from foreign_files import EXAMPLES, EXP, POSE, WEIGHTS, T
from inputs import save
from mutations import variants

LONGEST = 20.0
"""Seconds for one file."""
MOST = 2 << 30
"""Bytes of the whole process."""
DECA = {"exp": EXP, "pose": POSE, "shape": np.zeros((T, 100), np.float32), "cam": np.zeros((T, 3)), "fps": np.float64(30)}
FRAMES = [{"timestampMs": 40.0 * t, "faceBlendshapes": [{"categories": [
    {"index": k, "categoryName": n, "displayName": "", "score": float(v[t])} for k, (n, v) in enumerate(WEIGHTS.items())]}],
    "facialTransformationMatrixes": [{"rows": 4, "columns": 4, "data": np.eye(4).ravel().tolist()}]} for t in range(6)]


def sources(folder: Path) -> Iterator[tuple[str, Path, Any]]:
    """(name, file, its content where it can be varied from inside)."""
    for k, (name, write) in enumerate(EXAMPLES.items()):
        place = folder / f"example-{k}"
        place.mkdir()
        path = write(place)
        content: Any = None
        if path.suffix == ".npz":
            with np.load(path) as data:
                content = dict(data)
        elif path.suffix == ".json":
            content = json.loads(path.read_text())
        yield name, path, content
    for suffix in (".npz", ".npy", ".pkl", ".pt"):
        yield f"DECA {suffix}", save(folder / f"deca{suffix}", DECA), DECA
    yield "MediaPipe", save(folder / "frames.json", FRAMES), FRAMES
    named = {"names": list(WEIGHTS), "metadata": {"fps": 30}, "frames": [
        {"weights": [float(v[t]) for v in WEIGHTS.values()], "time": t / 30, "rotation": []} for t in range(6)]}
    yield "names and frames", save(folder / "named.json", named), named
    matrix = {"facsNames": list(WEIGHTS), "weightMat": np.stack(list(WEIGHTS.values()), 1).tolist()[:6], "exportFps": 30}
    yield "Audio2Face", save(folder / "matrix.json", matrix), matrix


def checked(path: Path, head: HeadModel) -> str:
    """Read one file; what came of it."""
    begin = time.monotonic()
    try:
        got = read(path, head)
    except (ValueError, FileNotFoundError) as err:
        said = str(err)
        assert str(path) in said, said
        assert said.isprintable() and len(said) < 2000, said
        assert UNFORESEEN not in said, f"a reader ends by a traceback's error: {said}"
        out = "refused"
    else:
        assert isinstance(got.sequence, FaceSequence) and len(got.sequence) >= 1
        assert all("\n" not in n for n in (*got.notes, *got.warnings))
        out = "read"
    assert time.monotonic() - begin < LONGEST, path
    return out


def attack(folder: Path, flame: HeadModel, count: int) -> Counter[str]:
    """``count`` variants spread over all sources."""
    heads = {True: flame, False: HeadModel.default()}
    made = list(sources(folder))
    found: Counter[str] = Counter()
    for k, (name, path, content) in enumerate(made):
        work = folder / f"work-{k}"
        work.mkdir()
        drives = name.split(" .")[0] in ("DECA",) or name in {f for f in EXAMPLES if f in (
            "metrical-tracker", "flame-head-tracker", "BEAT2 / EMAGE", "ARTalk", "VHAP / GaussianAvatars", "SMIRK",
            "TDMM-LM / Open3DFaceVid", "EMOCA", "DECA / SPECTRE / DiffPoseTalk")}
        for variant in variants(path, content, work, count // len(made) + 1, seed=100 + k):
            try:
                found[checked(variant, heads[drives])] += 1
            except Exception as err:
                kept = folder / f"failed-{k}{variant.suffix}"
                if variant.is_file():
                    kept.write_bytes(variant.read_bytes())
                raise AssertionError(f"{name}: {type(err).__name__}: {err} (kept as {kept})") from err
    return found


def test_600_variants(tmp_path: Path, flame: HeadModel) -> None:
    found = attack(tmp_path, flame, 600)
    assert found["refused"] > 200 and found["read"] > 60 and sum(found.values()) >= 600


@pytest.mark.slow
def test_12000_variants(tmp_path: Path, flame: HeadModel) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = attack(tmp_path, flame, 12_000)
    assert found["refused"] > 4000 and found["read"] > 1000
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < MOST


@pytest.mark.slow
def test_variants_of_matlab_files_and_heads(tmp_path: Path, flame: HeadModel) -> None:
    """The same for .mat, each in a process of its own, and for FLAME files and heads."""
    (tmp_path / "w").mkdir()
    for variant in variants(save(tmp_path / "deca.mat", DECA), DECA, tmp_path / "w", 150, seed=1):
        checked(variant, flame)
    files = export_flame_layout(HeadModel.default(), tmp_path / "m.pkl")
    flame.save(tmp_path / "head.npz")
    for k, source in enumerate((files.model, tmp_path / "head.npz")):
        (tmp_path / f"h{k}").mkdir()
        for variant in variants(source, None, tmp_path / f"h{k}", 60, seed=2 + k):
            for reader in (import_head, HeadModel.load):
                try:
                    reader(variant)
                except (ValueError, FileNotFoundError) as err:
                    assert str(variant) in str(err) and "\n" not in str(err)


@pytest.mark.parametrize("count", [60, pytest.param(600, marks=pytest.mark.slow)])
def test_the_command_writes_nothing_of_a_file_that_it_refuses(tmp_path: Path, count: int, capsys: pytest.CaptureFixture[str],
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w").mkdir()
    path = EXAMPLES["Live Link Face"](tmp_path)
    for variant in variants(path, None, tmp_path / "w", count, seed=9):
        code = main(["convert", str(variant), "-o", "out/clip.npz"])
        said = capsys.readouterr()
        assert code in (0, 1) and "Traceback" not in said.err and "\x1b" not in said.err + said.out
        made = sorted(p.name for p in tmp_path.joinpath("out").glob("*")) if (tmp_path / "out").is_dir() else []
        assert made == (["clip.npz"] if code == 0 else []), made
        if code:
            assert said.err.count("\n") == 1 and said.out == ""
        else:
            FaceSequence.load("out/clip.npz")
            Path("out/clip.npz").unlink()


def test_archives_that_unpack_to_gigabytes_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", **{f"a{k}": np.zeros(1 << 27, np.uint8) for k in range(5)})
    (tmp_path / "bomb.csv").write_text("0," * 16_000_000)
    (tmp_path / "bomb.json").write_text("[" + "{}," * 21_000_000 + "{}]")
    for name, word in (("bomb.npz", "unpacks to more than 512 MiB"), ("bomb.csv", "16000000 cells"), ("bomb.json", "values")):
        with pytest.raises(ValueError, match=word):
            read(tmp_path / name)


def test_records_in_clips_and_heads_are_one_line(tmp_path: Path, flame: HeadModel) -> None:
    FaceSequence.rest(3, HeadModel.default().ref).save(tmp_path / "clip.npz")
    flame.save(tmp_path / "head.npz")
    for name, key, load in (("clip.npz", "expr", FaceSequence.load), ("head.npz", "faces", HeadModel.load),
                            ("head.npz", "faces", import_head)):
        with np.load(tmp_path / name) as data:
            arrays = dict(data)
        np.savez(tmp_path / "odd.npz", **{**arrays, key: np.zeros(arrays[key].shape[:1], [("a", "<f4"), ("b", "<i4")])})
        with pytest.raises(ValueError, match=r"odd\.npz.*(store plain numbers|numbers)"):
            load(tmp_path / "odd.npz")


def test_an_error_that_no_reader_foresaw_is_one_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("\x1b[31m\nx")

    monkeypatch.setattr("facelm.face.io.convert.recognise.finish", broken)
    with pytest.raises(ValueError, match="laid out in a way that is not known") as caught:
        read(save(tmp_path / "a.json", FRAMES))
    assert str(caught.value).isprintable() and str(tmp_path) in str(caught.value)
