"""Parameters of other tools: recognised by content, carried over exactly, refused in one line when they do not fit."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from facelm.face.clip.channels import ARKIT_52
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.face.io.convert import FORMATS, read
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import command, save
from scipy.spatial.transform import Rotation

T = 7
RNG = np.random.default_rng(0)


def some(*shape: int, size: float = 0.2) -> np.ndarray:
    return RNG.normal(0, size, shape).astype(np.float32)


def vhap(frames: int = T) -> dict[str, np.ndarray]:
    return {"shape": some(300), "expr": some(frames, 100), "rotation": some(frames, 3), "neck_pose": some(frames, 3),
            "jaw_pose": some(frames, 3), "eyes_pose": some(frames, 6), "translation": some(frames, 3),
            "static_offset": np.zeros((1, 5143, 3), np.float32)}


def deca(frames: int = T) -> dict[str, np.ndarray]:
    return {"shape": np.repeat(some(1, 100), frames, 0), "tex": some(frames, 50), "exp": some(frames, 50),
            "pose": some(frames, 6), "cam": some(frames, 3), "light": some(frames, 9, 3)}


def smirk(frames: int = T) -> dict[str, np.ndarray]:
    return {"pose_params": some(frames, 3), "cam": some(frames, 3), "shape_params": np.repeat(some(1, 300), frames, 0),
            "expression_params": some(frames, 50), "eyelid_params": np.abs(some(frames, 2)), "jaw_params": some(frames, 3)}


def tdmm(frames: int = T) -> dict[str, list[np.ndarray]]:
    s = smirk(frames)
    names = {"expression": "expression_params", "pose": "pose_params", "eyelid": "eyelid_params", "jaw": "jaw_params",
             "identity": "shape_params", "camera_pose": "cam"}
    return {new: list(s[old]) for new, old in names.items()}


# -- FLAME parameters -----------------------------------------------------------------------
@pytest.mark.parametrize("suffix", [".npz", ".npy", ".pkl", ".mat", ".pt"])
@pytest.mark.parametrize(("make", "name"), [(vhap, "VHAP / GaussianAvatars"), (smirk, "SMIRK"),
                                             (deca, "DECA / SPECTRE / DiffPoseTalk")])
def test_every_container(tmp_path: Path, flame: HeadModel, suffix: str, make: Callable[[], dict[str, Any]], name: str) -> None:
    content = make()
    got = read(save(tmp_path / f"in{suffix}", content), flame)
    assert got.format == name and len(got.sequence) == T and got.sequence.head == flame.ref and got.sequence.fps == 25
    expr = content.get("expr", content.get("exp", content.get("expression_params")))
    assert np.array_equal(got.sequence.expr[:, : expr.shape[1]], expr) and not got.sequence.expr[:, expr.shape[1]:].any()
    assert any("frame rate" in n for n in got.warnings)


def test_vhap_is_kept_exactly(tmp_path: Path, flame: HeadModel) -> None:
    content = vhap()
    got = read(save(tmp_path / "a.npz", content), flame).sequence
    for name in ("expr", "rotation", "neck_pose", "jaw_pose", "eyes_pose", "translation", "shape"):
        assert np.array_equal(getattr(got, name), content[name]), name
    noted = read(save(tmp_path / "b.npz", content | {"static_offset": some(1, 5143, 3)}), flame)
    assert any("static_offset" in n for n in noted.warnings)


def test_a_folder_of_frames(tmp_path: Path, flame: HeadModel) -> None:
    whole = vhap(12)
    (tmp_path / "data" / "flame_param").mkdir(parents=True)
    for t in range(12):  # without leading zeros: 10 comes after 9, not after 1
        frame = {k: v if k in ("shape", "static_offset") else v[t: t + 1] for k, v in whole.items()}
        np.savez(tmp_path / "data" / "flame_param" / f"{t}.npz", **frame)
    for folder in (tmp_path / "data", tmp_path / "data" / "flame_param"):
        got = read(folder, flame).sequence
        assert np.array_equal(got.expr, whole["expr"]) and np.allclose(got.shape, whole["shape"], atol=1e-6)


def test_deca_pose_is_the_head_then_the_jaw(tmp_path: Path, flame: HeadModel) -> None:
    """Axis-angle in FLAME's own frame: a turn about +y moves the nose to the subject's left, +x of the jaw opens it."""
    content = deca(2)
    content["exp"][:], content["pose"][:] = 0, 0
    content["pose"][0, 1], content["pose"][1, 3] = 0.5, 0.3
    seq = read(save(tmp_path / "a.pkl", content), flame).sequence
    assert np.allclose(seq.rotation[0], [0, 0.5, 0]) and np.allclose(seq.jaw_pose[1], [0.3, 0, 0]) and not seq.translation.any()
    marks, rest = flame.sequence_landmarks(seq), flame.landmark_positions(shape=seq.shape)[0]
    assert marks[0, 30, 0] > rest[30, 0] + 0.02 and marks[1, 8, 1] < rest[8, 1] - 0.005


@pytest.mark.parametrize("made", ["file", "folder of folders", "one folder"])
def test_emoca(tmp_path: Path, flame: HeadModel, made: str) -> None:
    exp, pose, shape = some(T, 50), some(T, 6), some(T, 100)
    if made == "file":
        path = save(tmp_path / "a.npz", {"expcode": exp, "posecode": pose, "shapecode": shape})
    else:
        path = tmp_path / "out"
        for t in range(T):
            folder = path / f"{t:06d}_00" if made != "one folder" else path
            folder.mkdir(parents=True, exist_ok=True)
            keep = slice(None) if made == "one folder" else t
            for name, value in (("exp", exp), ("pose", pose), ("shape", shape), ("tex", some(T, 50))):
                np.save(folder / f"{name}.npy", value[keep])
    got = read(path, flame)
    assert got.format == "EMOCA" and np.array_equal(got.sequence.expr[:, :50], exp) and np.array_equal(got.sequence.jaw_pose,
                                                                                                       pose[:, 3:])
    assert np.allclose(got.sequence.shape[:100], shape.mean(0), atol=1e-6)
    assert any("differs from frame to frame" in n for n in got.notes)


@pytest.mark.parametrize("protocol", range(6))
def test_tdmm_pickles(tmp_path: Path, flame: HeadModel, lidded: HeadModel, protocol: int) -> None:
    content = tdmm()
    path = tmp_path / "0000_happy.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    got = read(path, flame, fps=24)
    assert got.format.startswith("TDMM-LM") and got.sequence.fps == 24
    assert np.array_equal(got.sequence.expr[:, :50], np.stack(content["expression"]))
    assert np.array_equal(got.sequence.rotation, np.stack(content["pose"]))
    assert np.array_equal(got.sequence.jaw_pose, np.stack(content["jaw"]))
    assert any("eyelid" in n for n in got.warnings) and any("camera" in n for n in got.notes)
    kept = read(path, lidded)
    assert np.array_equal(kept.sequence.expr[:, -2:], np.stack(content["eyelid"])) and not any("eyelid" in n
                                                                                               for n in kept.warnings)


def test_six_numbers_of_a_rotation(tmp_path: Path, flame: HeadModel) -> None:
    content = tdmm()
    turn = Rotation.from_rotvec(np.stack(content["jaw"]))
    content["jaw"] = list(turn.as_matrix()[:, :2].reshape(T, 6).astype(np.float32))
    got = read(save(tmp_path / "a.pkl", content), flame).sequence
    assert np.allclose(got.jaw_pose, turn.as_rotvec(), atol=1e-5)
    content["jaw"] = [np.zeros(6, np.float32)] * T
    with pytest.raises(ValueError, match="no 6D rotation"):
        read(save(tmp_path / "a.pkl", content), flame)


def test_flame_needs_its_head(tmp_path: Path, flame: HeadModel) -> None:
    path = save(tmp_path / "a.npz", deca())
    with pytest.raises(ValueError, match=r"DECA.*facelm head import.*--head"):
        read(path)
    with pytest.raises(ValueError, match="is not one"):
        read(path, HeadModel.default())


@pytest.mark.parametrize(("change", "word"), [
    ({"exp": some(T, 101)}, "101 coefficients"), ({"pose": some(T, 5)}, "5 values"),
    ({"pose": some(T + 1, 6)}, f"{T + 1} frames"),
    ({"exp": some(0, 50)}, "0 frames"), ({"shape": some(1, 301)}, "301 coefficients"), ({"exp": np.array(["a"])}, "numbers"),
    ({"exp": some(T, 2, 50)}, "shape"), ({"exp": np.full((T, 50), np.nan)}, "no frame"),
    ({"shape": np.full((T, 100), np.inf)}, "finite"), ({"exp": np.zeros((1_000_001, 1))}, "cut it")])
def test_what_does_not_fit(tmp_path: Path, flame: HeadModel, change: dict[str, Any], word: str) -> None:
    path = save(tmp_path / "a.npz", deca() | change)
    with pytest.raises(ValueError, match=word) as caught:
        read(path, flame)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_bad_frames_are_marked_and_bridged(tmp_path: Path, flame: HeadModel) -> None:
    content = vhap(9)
    content["expr"][3, 5], content["jaw_pose"][4, 0], content["expr"][8] = np.nan, np.inf, 1e6
    got = read(save(tmp_path / "a.npz", content), flame)
    assert got.sequence.valid.tolist() == [True] * 3 + [False] * 2 + [True] * 3 + [False]
    assert np.array_equal(got.sequence.expr[3], content["expr"][2]) and np.array_equal(got.sequence.expr[4], content["expr"][5])
    assert np.array_equal(got.sequence.expr[8], content["expr"][7]) and any("3 of 9" in n for n in got.warnings)


@given(st.lists(st.integers(0, 29), min_size=1, max_size=29))
@settings(max_examples=25, deadline=None)
def test_any_pattern_of_bad_frames(tmp_path_factory: pytest.TempPathFactory, flame: HeadModel, bad: list[int]) -> None:
    content = vhap(30)
    content["rotation"][bad] = np.nan
    got = read(save(tmp_path_factory.mktemp("x") / "a.npz", content), flame).sequence
    assert np.array_equal(~got.valid, np.isin(np.arange(30), bad)) and np.isfinite(got.rotation).all()
    assert np.array_equal(got.rotation[got.valid], content["rotation"][got.valid])


# -- unknown and hostile --------------------------------------------------------------------
@pytest.mark.parametrize(("name", "content", "word"), [
    ("a.json", b'{"a": 1}', "keys a"), ("a.json", b"[[[[", "not valid JSON"), ("a.json", b"[1, 2]", "a list of 2"),
    ("a.csv", b"x,y\n1,2\n", "columns x, y"), ("a.csv", b"1,2,3\n", "3 columns"), ("a.csv", b"\n\n", "no rows"),
    ("a.npz", b"", "empty"),
    ("a.npz", b"PK\x03\x04junk", "damaged"), ("a.mat", b"MATLAB 5.0 MAT-file" + b"\0" * 200, "damaged"),
    ("a.mat", b"\x89HDF\r\n", "7.3"), ("a.pkl", b"\x80\x04]\x94.", "list"), ("a.bin", b"\xff" * 50, "not a pickle"),
    ("a.json", b"[" * 100_000, "not valid JSON"), ("a.csv", b"\xff,\n" * 9, "UTF-8")])
def test_unknown_content(tmp_path: Path, name: str, content: bytes, word: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=word) as caught:
        read(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_unknown_keys_name_the_known_formats(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", poses=np.zeros((3, 156)), betas=np.zeros(10))
    with pytest.raises(ValueError, match="keys poses, betas") as caught:
        read(tmp_path / "a.npz")
    assert all(f.name in str(caught.value) for f in FORMATS)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none")
    (tmp_path / "e").mkdir()
    with pytest.raises(ValueError, match="folder without"):
        read(tmp_path / "e")
    with pytest.raises(ValueError, match="fps is 0"):
        read(tmp_path / "a.npz", fps=0)


def test_a_clip_is_no_foreign_format(tmp_path: Path) -> None:
    head = HeadModel.default()
    FaceSequence.rest(3, head.ref).save(tmp_path / "clip.npz")
    with pytest.raises(ValueError, match="clip already"):
        read(tmp_path / "clip.npz")


def test_hostile_files_do_not_run(tmp_path: Path, flame: HeadModel) -> None:
    import os

    class Run:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    content = {**tdmm(), "extra": Run()}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    np.save(tmp_path / "a.npy", np.array(content, dtype=object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=np.array(content, dtype=object))
    torch.save(content, tmp_path / "a.pt")
    torch.save(content, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(ValueError):
            read(path, flame)
        assert not (tmp_path / "ran").exists(), path


# -- the command ----------------------------------------------------------------------------
def test_command(tmp_path: Path, flame: HeadModel, capsys: pytest.CaptureFixture[str]) -> None:
    flame.save(tmp_path / "flame.npz")
    save(tmp_path / "in.npz", vhap())
    out = tmp_path / "clip.npz"
    assert command("convert", tmp_path / "in.npz", "-o", out, "--head", tmp_path / "flame.npz", "--fps", 30) == 0
    assert "recognised: VHAP" in capsys.readouterr().out
    assert FaceSequence.load(out, flame.ref).fps == 30
    save(tmp_path / "in.json", [{n: 0.1 for n in ARKIT_52}] * 3)
    assert command("convert", tmp_path / "in.json", "-o", out, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["frames"] == 3 and told["format"].startswith("ARKit") and any("25 fps" in w for w in told["warnings"])
    with pytest.raises(ValueError, match="another name"):
        command("convert", out, "-o", out)
