"""Parameters of other tools: recognised by content, carried over exactly, refused in one line when they do not fit."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command import command
from facelm.face.clip.channels import ARKIT_52, EXPR_NAMES
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.face.io.convert import FORMATS, read_parameters
from facelm.face.io.convert.arkit import MEDIAPIPE_52, perform
from facelm.face.io.convert.livelink import timing
from facelm.face.io.heads.flame import EYELIDS, import_head
from flame_files import export_flame_layout
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat
from scipy.spatial.transform import Rotation

T = 7
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def flame(tmp_path_factory: pytest.TempPathFactory) -> HeadModel:
    """The default head in FLAME's layout: 300 identity and 100 expression columns."""
    files = export_flame_layout(HeadModel.default(), tmp_path_factory.mktemp("flame") / "m.pkl")
    return import_head(files.model, files.landmarks)


@pytest.fixture(scope="module")
def lidded(flame: HeadModel) -> HeadModel:
    """The same with eyelid columns."""
    lids = RNG.normal(0, 1e-3, (flame.n_vertices, 3, 2)).astype(np.float32)
    return replace(flame, shapedirs=np.concatenate([flame.shapedirs, lids], 2), expr_names=(*flame.expr_names, *EYELIDS))


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


def save(path: Path, content: Any) -> Path:
    """By suffix."""
    if path.suffix == ".npz":
        np.savez(path, **content)
    elif path.suffix == ".npy":
        np.save(path, np.array(content, dtype=object), allow_pickle=True)
    elif path.suffix == ".mat":
        savemat(path, content)
    elif path.suffix == ".pt":
        torch.save({k: torch.from_numpy(np.asarray(v)) for k, v in content.items()}, path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(content))
    else:
        path.write_bytes(pickle.dumps(content))
    return path


# -- FLAME parameters -----------------------------------------------------------------------
@pytest.mark.parametrize("suffix", [".npz", ".npy", ".pkl", ".mat", ".pt"])
@pytest.mark.parametrize(("make", "name"), [(vhap, FORMATS[0]), (smirk, "SMIRK"), (deca, "DECA")])
def test_every_container(tmp_path: Path, flame: HeadModel, suffix: str, make: Callable[[], dict[str, Any]], name: str) -> None:
    content = make()
    got = read_parameters(save(tmp_path / f"in{suffix}", content), flame)
    assert got.format == name and len(got.seq) == T and got.seq.head == flame.ref and got.seq.fps == 25
    expr = content.get("expr", content.get("exp", content.get("expression_params")))
    assert np.array_equal(got.seq.expr[:, : expr.shape[1]], expr) and not got.seq.expr[:, expr.shape[1]:].any()
    assert any("frame rate" in n for n in got.notes)


def test_vhap_is_kept_exactly(tmp_path: Path, flame: HeadModel) -> None:
    content = vhap()
    got = read_parameters(save(tmp_path / "a.npz", content), flame).seq
    for name in ("expr", "rotation", "neck_pose", "jaw_pose", "eyes_pose", "translation", "shape"):
        assert np.array_equal(getattr(got, name), content[name]), name
    noted = read_parameters(save(tmp_path / "b.npz", content | {"static_offset": some(1, 5143, 3)}), flame)
    assert any("static_offset" in n for n in noted.notes)


def test_a_folder_of_frames(tmp_path: Path, flame: HeadModel) -> None:
    whole = vhap(12)
    (tmp_path / "data" / "flame_param").mkdir(parents=True)
    for t in range(12):  # without leading zeros: 10 comes after 9, not after 1
        frame = {k: v if k in ("shape", "static_offset") else v[t: t + 1] for k, v in whole.items()}
        np.savez(tmp_path / "data" / "flame_param" / f"{t}.npz", **frame)
    for folder in (tmp_path / "data", tmp_path / "data" / "flame_param"):
        got = read_parameters(folder, flame).seq
        assert np.array_equal(got.expr, whole["expr"]) and np.allclose(got.shape, whole["shape"], atol=1e-6)


def test_deca_pose_is_the_head_then_the_jaw(tmp_path: Path, flame: HeadModel) -> None:
    """Axis-angle in FLAME's own frame: a turn about +y moves the nose to the subject's left, +x of the jaw opens it."""
    content = deca(2)
    content["exp"][:], content["pose"][:] = 0, 0
    content["pose"][0, 1], content["pose"][1, 3] = 0.5, 0.3
    seq = read_parameters(save(tmp_path / "a.pkl", content), flame).seq
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
    got = read_parameters(path, flame)
    assert got.format == "EMOCA" and np.array_equal(got.seq.expr[:, :50], exp) and np.array_equal(got.seq.jaw_pose, pose[:, 3:])
    assert np.allclose(got.seq.shape[:100], shape.mean(0), atol=1e-6)
    assert any("differs from frame to frame" in n for n in got.notes)


@pytest.mark.parametrize("protocol", range(6))
def test_tdmm_pickles(tmp_path: Path, flame: HeadModel, lidded: HeadModel, protocol: int) -> None:
    content = tdmm()
    path = tmp_path / "0000_happy.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    got = read_parameters(path, flame, fps=24)
    assert got.format.startswith("TDMM-LM") and got.seq.fps == 24
    assert np.array_equal(got.seq.expr[:, :50], np.stack(content["expression"]))
    assert np.array_equal(got.seq.rotation, np.stack(content["pose"]))
    assert np.array_equal(got.seq.jaw_pose, np.stack(content["jaw"]))
    assert any("eyelid" in n for n in got.notes) and any("camera" in n for n in got.notes)
    kept = read_parameters(path, lidded)
    assert np.array_equal(kept.seq.expr[:, -2:], np.stack(content["eyelid"])) and not any("eyelid" in n for n in kept.notes)


def test_six_numbers_of_a_rotation(tmp_path: Path, flame: HeadModel) -> None:
    content = tdmm()
    turn = Rotation.from_rotvec(np.stack(content["jaw"]))
    content["jaw"] = list(turn.as_matrix()[:, :2].reshape(T, 6).astype(np.float32))
    got = read_parameters(save(tmp_path / "a.pkl", content), flame).seq
    assert np.allclose(got.jaw_pose, turn.as_rotvec(), atol=1e-5)
    content["jaw"] = [np.zeros(6, np.float32)] * T
    with pytest.raises(ValueError, match="no 6D rotation"):
        read_parameters(save(tmp_path / "a.pkl", content), flame)


def test_flame_needs_its_head(tmp_path: Path, flame: HeadModel) -> None:
    path = save(tmp_path / "a.npz", deca())
    with pytest.raises(ValueError, match=r"DECA.*facelm head import.*--head"):
        read_parameters(path)
    with pytest.raises(ValueError, match="is not one"):
        read_parameters(path, HeadModel.default())


@pytest.mark.parametrize(("change", "word"), [
    ({"exp": some(T, 101)}, "101 coefficients"), ({"pose": some(T, 5)}, "5 values"),
    ({"pose": some(T + 1, 6)}, f"{T + 1} frames"),
    ({"exp": some(0, 50)}, "0 frames"), ({"shape": some(1, 301)}, "301 coefficients"), ({"exp": np.array(["a"])}, "numbers"),
    ({"exp": some(T, 2, 50)}, "shape"), ({"exp": np.full((T, 50), np.nan)}, "no frame"),
    ({"shape": np.full((T, 100), np.inf)}, "finite"), ({"exp": np.zeros((1_000_001, 1))}, "cut it")])
def test_what_does_not_fit(tmp_path: Path, flame: HeadModel, change: dict[str, Any], word: str) -> None:
    path = save(tmp_path / "a.npz", deca() | change)
    with pytest.raises(ValueError, match=word) as caught:
        read_parameters(path, flame)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_bad_frames_are_marked_and_bridged(tmp_path: Path, flame: HeadModel) -> None:
    content = vhap(9)
    content["expr"][3, 5], content["jaw_pose"][4, 0], content["expr"][8] = np.nan, np.inf, 1e6
    got = read_parameters(save(tmp_path / "a.npz", content), flame)
    assert got.seq.valid.tolist() == [True] * 3 + [False] * 2 + [True] * 3 + [False]
    assert np.array_equal(got.seq.expr[3], content["expr"][2]) and np.array_equal(got.seq.expr[4], content["expr"][5])
    assert np.array_equal(got.seq.expr[8], content["expr"][7]) and any("3 of 9" in n for n in got.notes)


@given(st.lists(st.integers(0, 29), min_size=1, max_size=29))
@settings(max_examples=25, deadline=None)
def test_any_pattern_of_bad_frames(tmp_path_factory: pytest.TempPathFactory, flame: HeadModel, bad: list[int]) -> None:
    content = vhap(30)
    content["rotation"][bad] = np.nan
    got = read_parameters(save(tmp_path_factory.mktemp("x") / "a.npz", content), flame).seq
    assert np.array_equal(~got.valid, np.isin(np.arange(30), bad)) and np.isfinite(got.rotation).all()
    assert np.array_equal(got.rotation[got.valid], content["rotation"][got.valid])


# -- blend shapes ---------------------------------------------------------------------------
def scores(frames: int = T) -> dict[str, np.ndarray]:
    return {n: RNG.uniform(0, 1, frames) for n in ARKIT_52}


def expected(s: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return perform(s, HeadModel.default())


def as_categories(s: dict[str, np.ndarray], frames: int = T) -> list[list[dict[str, Any]]]:
    return [[{"index": k, "categoryName": n, "displayName": "", "score": float(s[n][t])} for k, n in enumerate(s)]
            for t in range(frames)]


@pytest.mark.parametrize("form", ["list of dicts", "frames", "categories", "results", "columns", "audio2face", "npz",
                                  "npz columns", "csv", "snake csv"])
def test_forms_of_named_shapes(tmp_path: Path, form: str) -> None:
    s = scores()
    rows = [{n: float(v[t]) for n, v in s.items()} for t in range(T)]
    matrix = np.stack([s[n] for n in ARKIT_52], 1)
    path = tmp_path / ("a.csv" if "csv" in form else "a.npz" if "npz" in form else "a.json")
    if "csv" in form:
        spell = (lambda n: "".join(f"_{c.lower()}" if c.isupper() else c for c in n)) if form == "snake csv" else str
        lines = ["time," + ",".join(spell(n) for n in ARKIT_52)]
        lines += [f"{t / 50:.4f}," + ",".join(repr(float(x)) for x in matrix[t]) for t in range(T)]
        path.write_text("\ufeff" + "\n".join(lines) + "\n")
    elif form == "npz":
        np.savez(path, names=np.array(ARKIT_52), blendshapes=matrix, fps=50)
    elif form == "npz columns":
        np.savez(path, fps=50.0, **s)
    else:
        save(path, {"list of dicts": rows, "frames": {"fps": 50, "frames": [{"blendshapes": r} for r in rows]},
                    "categories": as_categories(s),
                    "results": [{"faceBlendshapes": [{"categories": c}]} for c in as_categories(s)],
                    "columns": {n: v.tolist() for n, v in s.items()},
                    "audio2face": {"exportFps": 50, "facsNames": list(ARKIT_52), "weightMat": matrix.tolist()}}[form])
    got = read_parameters(path)
    want = expected(s)
    assert got.format == "ARKit / MediaPipe blend shapes" and got.seq.head == HeadModel.default().ref
    for name, value in want.items():
        assert np.allclose(getattr(got.seq, name), value, atol=1e-6), name
    assert got.seq.fps == (25 if form in ("list of dicts", "categories", "results", "columns") else 50)


def test_shapes_that_are_joints() -> None:
    head = HeadModel.default()
    one = {n: np.ones(1) for n in ("jawOpen", "eyeLookUpLeft", "eyeLookInLeft", "eyeLookInRight", "eyeLookDownRight")}
    got = perform(one, head)
    assert got["jaw_pose"][0, 0] == pytest.approx(math.radians(24.39), abs=1e-3) and not got["expr"].any()
    left, right = got["eyes_pose"][0, :3], got["eyes_pose"][0, 3:]
    assert left[0] < 0 < right[0], "the left eye looks up, the right one down"
    assert left[1] < 0 < right[1], "both look to the nose"
    side = perform({"jawLeft": np.ones(1)}, head)
    assert side["jaw_pose"][0, 1] > 0 and side["expr"][0, EXPR_NAMES.index("jawForward")] == pytest.approx(0.505, abs=1e-3)


def test_matrices_without_names(tmp_path: Path) -> None:
    s = scores()
    mediapipe = np.stack([np.full(T, 1e-6) if n == "_neutral" else s[n] for n in MEDIAPIPE_52], 1)
    alphabetical = np.stack([s[n] for n in ARKIT_52], 1)
    for matrix, word in ((mediapipe, "MediaPipe's order"), (alphabetical, "alphabetical"), (mediapipe[:, 1:], "51 columns")):
        np.save(tmp_path / "a.npy", matrix)
        got = read_parameters(tmp_path / "a.npy")
        assert any(word in n for n in got.notes)
        assert np.allclose(got.seq.expr[:, : EXPR_NAMES.index("tongueOut")], expected(s)["expr"][:, :-1], atol=1e-6)


def test_head_pose_of_mediapipe(tmp_path: Path) -> None:
    """The eyes of the head land where the matrix puts those of MediaPipe's canonical face."""
    head, s = HeadModel.default(), scores(2)
    s = {n: np.zeros(2) for n in s}
    turn = Rotation.from_rotvec([[0, 0, 0], [0.1, 0.5, -0.2]])
    pose = np.tile(np.eye(4), (2, 1, 1))
    pose[:, :3, :3], pose[:, :3, 3] = turn.as_matrix(), [[0, 0, -50], [3, 4, -60]]
    frames = [{**{n: 0.0 for n in s}, "facial_transformation_matrix": p.tolist()} for p in pose]
    seq = read_parameters(save(tmp_path / "a.json", frames)).seq
    assert np.allclose(seq.rotation, turn.as_rotvec(), atol=1e-5)
    order = [head.landmark_index(f"ibug_{k}") for k in (36, 39, 42, 45)]
    eyes = head.sequence_landmarks(seq)[:, order].mean(1)
    want = turn.apply([0, 0.0262, 0.0347]) + 0.01 * pose[:, :3, 3]
    assert np.abs(eyes - want).max() < 1e-5


def test_frames_without_a_face(tmp_path: Path) -> None:
    rows: list[dict[str, float]] = [{n: 0.5 for n in ARKIT_52} for _ in range(4)]
    rows[2] = {}
    got = read_parameters(save(tmp_path / "a.json", rows)).seq
    assert got.valid.tolist() == [True, True, False, True] and np.array_equal(got.expr[2], got.expr[1])


def test_our_own_detections(tmp_path: Path) -> None:
    from facelm.data_gen.fit.detect import FORMAT

    s = scores()
    matrix = np.stack([s[n] for n in ARKIT_52], 1).astype(np.float32)
    np.savez(tmp_path / "d.npz", format=np.array(FORMAT), blendshapes=matrix, points=np.zeros((T, 478, 2)), fps=np.array(30.0),
             pose=np.tile(np.eye(4, dtype=np.float32), (T, 1, 1)), valid=np.arange(T) != 1)
    got = read_parameters(tmp_path / "d.npz").seq
    assert got.fps == 30 and got.valid.sum() == T - 1 and np.allclose(got.expr, expected(s)["expr"], atol=1e-6)


# -- Live Link Face -------------------------------------------------------------------------
def livelink(path: Path, s: dict[str, np.ndarray], codes: list[str], angles: dict[str, np.ndarray] | None = None,
             shuffle: bool = False) -> Path:
    names = [n[0].upper() + n[1:] for n in s]
    if shuffle:
        names = [names[k] for k in np.random.default_rng(1).permutation(len(names))]
    extra = angles or {}
    lines = [",".join(["Timecode", "BlendshapeCount", *names, *extra])]
    for t, code in enumerate(codes):
        values = [s[n[0].lower() + n[1:]][t] for n in names] + [v[t] for v in extra.values()]
        lines.append(",".join([code, "61", *(repr(float(v)) for v in values)]))
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


def codes(frames: int, fps: int, start: int = 0) -> list[str]:
    at = range(start, start + frames)
    return [f"14:{k // fps // 60:02d}:{k // fps % 60:02d}:{k % fps:02d}.{k % 1000:03d}" for k in at]


@pytest.mark.parametrize("fps", [24, 30, 60])
@pytest.mark.parametrize("shuffle", [False, True])
def test_livelink(tmp_path: Path, fps: int, shuffle: bool) -> None:
    frames = 3 * fps
    s = scores(frames)
    yaw = np.linspace(-0.5, 0.5, frames)
    angles = {"HeadYaw": yaw, "HeadPitch": np.full(frames, 0.1), "HeadRoll": np.zeros(frames), "LeftEyeYaw": yaw}
    got = read_parameters(livelink(tmp_path / "a.csv", s, codes(frames, fps, start=17), angles, shuffle))
    assert got.format == "Live Link Face CSV" and got.seq.fps == fps and len(got.seq) == frames and got.seq.valid.all()
    # the time codes carry fractions of a frame, which are rounded away: every line keeps its frame
    for name, value in expected(s).items():
        assert np.allclose(getattr(got.seq, name), value, atol=1e-6), name
    assert np.allclose(got.seq.rotation, Rotation.from_euler("YXZ", np.stack([yaw, angles["HeadPitch"], 0 * yaw], 1)).as_rotvec(),
                       atol=1e-5)
    nose = HeadModel.default().sequence_landmarks(got.seq)[:, 30, 0]
    assert nose[0] < -0.02 < 0.02 < nose[-1], "positive yaw turns to the subject's left"


def test_livelink_gaps_doubles_and_jumps(tmp_path: Path) -> None:
    s = scores(180)
    full = codes(180, 60)
    keep = [k for k in range(180) if k not in (50, 51)] + [179]
    part = {n: v[keep] for n, v in s.items()}
    got = read_parameters(livelink(tmp_path / "a.csv", part, [full[k] for k in keep]))
    assert len(got.seq) == 180 and got.seq.fps == 60 and np.flatnonzero(~got.seq.valid).tolist() == [50, 51]
    assert any("2 frames are missing" in n for n in got.notes) and any("1 frames come twice" in n for n in got.notes)
    assert np.allclose(got.seq.expr[52], expected(s)["expr"][52], atol=1e-6)
    jump = full[:3] + codes(3, 60, start=30_000)
    got = read_parameters(livelink(tmp_path / "b.csv", {n: v[:6] for n, v in s.items()}, jump))
    assert len(got.seq) == 6 and any("jump" in n for n in got.notes)
    notes: list[str] = []
    assert timing(["23:59:59:58.0", "23:59:59:59.0", "00:00:00:00.0", "00:00:00:01.0"], notes)[1].tolist() == [0, 1, 2, 3]
    assert notes and timing(["00:00:00:40.0"], [])[0] == 60


def test_livelink_eyes_when_the_shapes_are_silent(tmp_path: Path) -> None:
    s = {n: np.zeros(60) if n.startswith("eyeLook") else v for n, v in scores(60).items()}
    angles = {f"{side}Eye{a}": np.full(60, x) for side in ("Left", "Right") for a, x in (("Yaw", 0.2), ("Pitch", 0.1))}
    got = read_parameters(livelink(tmp_path / "a.csv", s, codes(60, 60), angles))
    assert np.allclose(got.seq.eyes_pose, [0.1, 0.2, 0, 0.1, 0.2, 0]) and any("gaze" in n for n in got.notes)


def test_livelink_damage(tmp_path: Path) -> None:
    path = livelink(tmp_path / "a.csv", scores(3), ["00:00:00:01.0", "soon", "00:00:00:03.0"])
    with pytest.raises(ValueError, match="time code 'soon'"):
        read_parameters(path)
    livelink(path, scores(3), codes(3, 60))
    text = path.read_text().splitlines()
    path.write_text("\n".join([text[0], text[1], text[2][:200], text[3]]))  # a line cut short
    assert read_parameters(path).seq.valid.tolist() == [True, False, True]
    path.write_text(text[0] + "\n")
    with pytest.raises(ValueError, match="0 frames"):
        read_parameters(path)


# -- unknown and hostile --------------------------------------------------------------------
@pytest.mark.parametrize(("name", "content", "word"), [
    ("a.json", b'{"a": 1}', "keys a"), ("a.json", b"[[[[", "not valid JSON"), ("a.json", b"[1, 2]", "a list of 2"),
    ("a.csv", b"x,y\n1,2\n", "columns x, y"), ("a.csv", b"1,2,3\n", "3 columns"), ("a.csv", b"\n\n", "no rows"),
    ("a.npz", b"", "empty"),
    ("a.npz", b"PK\x03\x04junk", "damaged"), ("a.mat", b"MATLAB 5.0 MAT-file" + b"\0" * 200, "damaged"),
    ("a.mat", b"\x89HDF\r\n", "7.3"), ("a.pkl", b"\x80\x04]\x94.", "list"), ("a.bin", b"\xff" * 50, "not a pickle"),
    ("a.json", b"[" * 100_000, "not valid JSON"), ("a.csv", b"\xff\xfe,\n" * 9, "UTF-8")])
def test_unknown_content(tmp_path: Path, name: str, content: bytes, word: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=word) as caught:
        read_parameters(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_unknown_keys_name_the_known_formats(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", poses=np.zeros((3, 156)), betas=np.zeros(10))
    with pytest.raises(ValueError, match="keys poses, betas") as caught:
        read_parameters(tmp_path / "a.npz")
    assert all(f in str(caught.value) for f in FORMATS)
    with pytest.raises(FileNotFoundError):
        read_parameters(tmp_path / "none")
    (tmp_path / "e").mkdir()
    with pytest.raises(ValueError, match="folder without"):
        read_parameters(tmp_path / "e")
    with pytest.raises(ValueError, match="fps is 0"):
        read_parameters(tmp_path / "a.npz", fps=0)


def test_a_clip_is_no_foreign_format(tmp_path: Path) -> None:
    head = HeadModel.default()
    FaceSequence.rest(3, head.ref).save(tmp_path / "clip.npz")
    with pytest.raises(ValueError, match="clip already"):
        read_parameters(tmp_path / "clip.npz")


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
            read_parameters(path, flame)
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
    assert told["frames"] == 3 and told["format"].startswith("ARKit") and told["notes"]
    with pytest.raises(ValueError, match="another name"):
        command("convert", out, "-o", out)
