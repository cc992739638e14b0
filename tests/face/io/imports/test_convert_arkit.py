"""Blend shapes and Live Link takes: joints apart, names by order, gaps and doubles mended."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from facelm.face.clip.channels import ARKIT_52, EXPR_NAMES
from facelm.face.head.model import HeadModel
from facelm.face.io.convert import read
from facelm.face.io.convert.arkit import MEDIAPIPE_52, perform
from facelm.face.io.convert.shapes.orders import LIVELINK_52
from inputs import save
from scipy.spatial.transform import Rotation
from shared_data import shared

T = 7
RNG = np.random.default_rng(0)


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
    got = read(path)
    want = expected(s)
    assert got.format == "ARKit / MediaPipe blend shapes" and got.sequence.head == HeadModel.default().ref
    for name, value in want.items():
        assert np.allclose(getattr(got.sequence, name), value, atol=1e-6), name
    assert got.sequence.fps == (25 if form in ("list of dicts", "categories", "results", "columns") else 50)


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


def faces(frames: int = 120) -> dict[str, np.ndarray]:
    """Scores of which left and right sides move together, as on a face."""
    rng = np.random.default_rng(4)
    common = {n: rng.uniform(0, 0.8, frames) for n in {m.removesuffix("Left").removesuffix("Right") for m in ARKIT_52}}
    return {n: (common[n.removesuffix("Left").removesuffix("Right")] if not n.startswith(("jaw", "mouthLeft", "mouthRight"))
                else rng.uniform(0, 0.1, frames)) + rng.uniform(0, 0.1, frames) for n in ARKIT_52}


@pytest.mark.parametrize(("order", "names"), [
    ("mediapipe", MEDIAPIPE_52), ("arkit", ARKIT_52), ("livelink", LIVELINK_52), ("mediapipe", MEDIAPIPE_52[1:]),
    ("livelink", LIVELINK_52[:-1]), ("arkit", tuple(n for n in ARKIT_52 if n != "tongueOut"))])
def test_matrices_without_names_are_read_where_left_and_right_agree(tmp_path: Path, order: str, names: tuple[str, ...]) -> None:
    s = faces()
    s = s if "tongueOut" in names else s | {"tongueOut": np.zeros(120)}
    np.save(tmp_path / "a.npy", np.stack([np.full(120, 1e-6) if n == "_neutral" else s[n] for n in names], 1))
    got = read(tmp_path / "a.npy")
    for name, value in expected(s).items():
        assert np.allclose(getattr(got.sequence, name), value, atol=1e-6), name
    assert any("without names" in w and "--order" in w for w in got.warnings)


def test_an_order_that_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    s = scores()
    np.save(tmp_path / "a.npy", np.stack([s[n] for n in LIVELINK_52], 1))
    with pytest.raises(ValueError, match="cannot be told.*--order.*--names"):
        read(tmp_path / "a.npy")
    for told in ({"order": "livelink"}, {"names": LIVELINK_52}):
        got = read(tmp_path / "a.npy", **told)
        assert np.allclose(got.sequence.expr, expected(s)["expr"], atol=1e-6)
    with pytest.raises(ValueError, match="azure has 55 columns, the file 52"):
        read(tmp_path / "a.npy", order="azure")
    with pytest.raises(ValueError, match="3 names for 52 columns"):
        read(tmp_path / "a.npy", names=("a", "b", "c"))
    with pytest.raises(ValueError, match="allowed: arkit, mediapipe"):
        read(tmp_path / "a.npy", order="alphabet")
    (tmp_path / "b.csv").write_text("0.5,0.25,0.1\n0.5,0.25,0.2\n")  # a table of three columns, named by hand
    got = read(tmp_path / "b.csv", names=("jawOpen", "mouthSmileLeft", "eyeBlinkLeft"), fps=30)
    assert got.sequence.expr[1, EXPR_NAMES.index("eyeBlinkLeft")] == pytest.approx(0.2)
    (tmp_path / "c.csv").write_text("a,b,c\n0.5,0.25,0.1\n0.5,0.25,0.2\n")  # names that mean nothing are replaced
    with pytest.raises(ValueError, match="columns a, b, c.*--names"):
        read(tmp_path / "c.csv")
    again = read(tmp_path / "c.csv", names=("jawOpen", "mouthSmileLeft", "eyeBlinkLeft"), fps=30)
    assert np.array_equal(again.sequence.expr, got.sequence.expr)


def test_head_pose_of_mediapipe(tmp_path: Path) -> None:
    """The eyes of the head land where the matrix puts those of MediaPipe's canonical face."""
    head, s = HeadModel.default(), scores(2)
    s = {n: np.zeros(2) for n in s}
    turn = Rotation.from_rotvec([[0, 0, 0], [0.1, 0.5, -0.2]])
    pose = np.tile(np.eye(4), (2, 1, 1))
    pose[:, :3, :3], pose[:, :3, 3] = turn.as_matrix(), [[0, 0, -50], [3, 4, -60]]
    frames = [{**{n: 0.0 for n in s}, "facial_transformation_matrix": p.tolist()} for p in pose]
    seq = read(save(tmp_path / "a.json", frames)).sequence
    assert np.allclose(seq.rotation, turn.as_rotvec(), atol=1e-5)
    order = [head.landmark_index(f"ibug_{k}") for k in (36, 39, 42, 45)]
    eyes = head.sequence_landmarks(seq)[:, order].mean(1)
    want = turn.apply([0, 0.0262, 0.0347]) + 0.01 * pose[:, :3, 3]
    assert np.abs(eyes - want).max() < 1e-5


def test_frames_without_a_face(tmp_path: Path) -> None:
    rows: list[dict[str, float]] = [{n: 0.5 for n in ARKIT_52} for _ in range(4)]
    rows[2] = {}
    got = read(save(tmp_path / "a.json", rows)).sequence
    assert got.valid.tolist() == [True, True, False, True] and np.array_equal(got.expr[2], got.expr[1])


def test_our_own_detections(tmp_path: Path) -> None:
    from facelm.data_gen.fit.detect import FORMAT

    s = scores()
    matrix = np.stack([s[n] for n in ARKIT_52], 1).astype(np.float32)
    np.savez(tmp_path / "d.npz", format=np.array(FORMAT), blendshapes=matrix, points=np.zeros((T, 478, 2)), fps=np.array(30.0),
             pose=np.tile(np.eye(4, dtype=np.float32), (T, 1, 1)), valid=np.arange(T) != 1)
    got = read(tmp_path / "d.npz").sequence
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
    got = read(livelink(tmp_path / "a.csv", s, codes(frames, fps, start=17), angles, shuffle))
    assert got.format == "Live Link Face" and got.sequence.fps == fps and len(got.sequence) == frames and got.sequence.valid.all()
    # the time codes carry fractions of a frame, which are rounded away: every line keeps its frame
    for name, value in expected(s).items():
        assert np.allclose(getattr(got.sequence, name), value, atol=1e-6), name
    assert np.allclose(got.sequence.rotation, Rotation.from_euler("YXZ",
                                                                  np.stack([-yaw, angles["HeadPitch"], 0 * yaw], 1)).as_rotvec(),
                       atol=1e-5)
    nose = HeadModel.default().sequence_landmarks(got.sequence)[:, 30, 0]
    assert nose[0] > 0.02 > -0.02 > nose[-1], "positive yaw turns to the subject's right, as that of the eyes does"


def test_livelink_gaps_doubles_and_jumps(tmp_path: Path) -> None:
    s = scores(180)
    full = codes(180, 60)
    keep = [k for k in range(180) if k not in (50, 51)] + [179]
    part = {n: v[keep] for n, v in s.items()}
    path = livelink(tmp_path / "a.csv", part, [full[k] for k in keep])
    got = read(path)
    assert len(got.sequence) == 179 and got.sequence.fps == 60 and got.sequence.valid.all()
    assert any("leave out 2 frames in 1 place (first after row 50)" in w and "--fill" in w for w in got.warnings)
    assert any("repeat" in n for n in got.notes)
    assert np.allclose(got.sequence.expr, expected(part)["expr"], atol=1e-6), "every row is a frame"
    filled = read(path, fill=True).sequence
    assert len(filled) == 181 and np.flatnonzero(~filled.valid).tolist() == [50, 51]
    assert np.allclose(filled.expr[52], expected(s)["expr"][52], atol=1e-6)
    jump = full[:3] + codes(3, 60, start=30_000)
    got = read(livelink(tmp_path / "b.csv", {n: v[:6] for n, v in s.items()}, jump))
    assert len(got.sequence) == 6 and any("jump" in w for w in got.warnings)


def test_livelink_eyes_when_the_shapes_are_silent(tmp_path: Path) -> None:
    s = {n: np.zeros(60) if n.startswith("eyeLook") else v for n, v in scores(60).items()}
    angles = {f"{side}Eye{a}": np.full(60, x) for side in ("Left", "Right")
              for a, x in (("Yaw", 0.2), ("Pitch", 0.1), ("Roll", 0.02))}
    got = read(livelink(tmp_path / "a.csv", s, codes(60, 60), angles))
    # an eye without torsion has a roll of yaw times pitch in the app's files, about half of which is left in a rotation vector
    assert np.allclose(got.sequence.eyes_pose, [0.1, -0.2, -0.01] * 2, atol=2e-3) and any("gaze" in n for n in got.notes)


@pytest.mark.parametrize("name", ["range_of_motion_30fps", "speech_60fps"])
def test_eye_angles_of_real_takes_go_with_their_shapes(tmp_path: Path, name: str) -> None:
    path = shared(f"recordings/{name}.csv")
    if path is None:
        pytest.skip("no recordings here")
    with open(path) as handle:
        rows = list(csv.DictReader(handle))
    silent = tmp_path / "silent.csv"
    with open(silent, "w", newline="") as handle:
        out = csv.DictWriter(handle, rows[0])
        out.writeheader()
        out.writerows({n: "0" if n.startswith("EyeLook") else v for n, v in row.items()} for row in rows)
    shapes, angles = read(path).sequence.eyes_pose, read(silent).sequence.eyes_pose
    for k, what in ((0, "left pitch"), (1, "left yaw"), (3, "right pitch"), (4, "right yaw")):
        assert np.corrcoef(shapes[:, k], angles[:, k])[0, 1] > 0.95, what
    wide = {n: np.array([float(r[n]) for r in rows]) for n in rows[0] if "Eye" in n}
    for side in ("Left", "Right"):  # Epic's roll agrees with yaw and pitch: the three are of one rotation
        yaw, pitch, roll = (wide[f"{side}Eye{a}"] for a in ("Yaw", "Pitch", "Roll"))
        assert np.polyfit(yaw * pitch, roll, 1)[0] == pytest.approx(1, abs=0.05)


def test_roll_of_the_head_goes_to_the_left_shoulder(tmp_path: Path) -> None:
    still = {n: np.zeros(60) for n in scores(60)} | {"jawOpen": np.linspace(0, 1, 60)}
    got = read(livelink(tmp_path / "a.csv", still, codes(60, 60), {"HeadYaw": np.zeros(60), "HeadRoll": np.full(60, 0.3)}))
    ears = HeadModel.default().sequence_landmarks(got.sequence)[0, [0, 16], 1]
    assert ears[0] > ears[1] + 0.02, "the subject's right ear (point 0) is the higher one"


def test_livelink_damage(tmp_path: Path) -> None:
    path = livelink(tmp_path / "a.csv", scores(3), ["00:00:00:01.0", "soon", "00:00:00:03.0"])
    with pytest.raises(ValueError, match="time code 'soon'"):
        read(path)
    livelink(path, scores(3), codes(3, 60))
    text = path.read_text().splitlines()
    path.write_text("\n".join([text[0], text[1], text[2][:200], text[3]]))  # a line cut short
    assert read(path).sequence.valid.tolist() == [True, False, True]
    path.write_text(text[0] + "\n")
    with pytest.raises(ValueError, match="0 frames"):
        read(path)


def test_a_file_of_a_few_shapes_is_one_of_shapes(tmp_path: Path) -> None:
    table, frames, mixed = tmp_path / "few.csv", tmp_path / "few.json", tmp_path / "mixed.csv"
    table.write_text("time,jawOpen,mouthSmileLeft\n0,0.1,0\n0.1,0.5,0.2\n0.2,0.3,0.4\n")
    frames.write_text('[{"time": 0, "blendShapes": {"jawOpen": 0.1, "mouthSmileLeft": 0}},'
                      ' {"time": 0.1, "blendShapes": {"jawOpen": 0.5, "mouthSmileLeft": 0.2}}]')
    mixed.write_text("time,jawOpen,mouthSmileLeft,height,weight\n0,0.1,0,2,3\n")
    smile = EXPR_NAMES.index("mouthSmileLeft")
    assert read(str(table)).sequence.expr[:, smile].tolist() == pytest.approx([0.0, 0.2, 0.4])
    assert read(str(frames)).sequence.expr[:, smile].tolist() == pytest.approx([0.0, 0.2])
    with pytest.raises(ValueError, match="unknown parameters"):
        read(str(mixed))
