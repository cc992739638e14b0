"""An example of each format of the table gives what is in it; and what is unusual about each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from facelm.face.clip.channels import ARKIT_52, EXPR_INDEX
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.face.io.convert import FORMATS, Imported, format_table, read
from facelm.face.io.convert.shapes.orders import LIVELINK_52
from foreign_files import EXAMPLES, EXP, JAW, SMILE, TURN, WEIGHTS, T, head_tracker, openface, six
from inputs import command, save
from scipy.spatial.transform import Rotation

RATES = {"metrical-tracker": None, "flame-head-tracker": None, "BEAT2 / EMAGE": 30, "ARTalk": 25, "Live Link Face": 25,
         "Azure visemes": 60,
         "Face Cap": 60, "OpenFace": 30, "MetaHuman controls": 24, "VRM expressions": 30, "Oculus visemes": 50}
NO_TURN = {"Azure visemes", "Face Cap", "py-feat", "MetaHuman controls", "ARKit / MediaPipe blend shapes", "VRM expressions",
           "Oculus visemes"}


def test_every_format_has_an_example() -> None:
    assert list(EXAMPLES) and set(EXAMPLES) == {f.name for f in FORMATS}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory, flame: HeadModel) -> dict[str, Imported]:
    """Each example, read once."""
    drives = {f.name: flame if f.flame else None for f in FORMATS}
    return {name: read(write(tmp_path_factory.mktemp("example")), drives[name]) for name, write in EXAMPLES.items()}


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_example(name: str, imported: dict[str, Imported]) -> None:
    got = imported[name]
    seq = got.sequence
    assert got.format == name and len(seq) == T
    rate = RATES.get(name)
    assert seq.fps == (rate or 25) and any("no frame rate" in w for w in got.warnings) == (rate is None)
    if next(f for f in FORMATS if f.name == name).flame:
        assert np.allclose(seq.expr[:, :50], EXP, atol=1e-6) and np.allclose(seq.jaw_pose, JAW, atol=1e-5)
    elif name == "Oculus visemes":
        assert np.allclose(seq.jaw_pose[:, 0], 0.65 * np.radians(24.39) * SMILE, atol=1e-3)
    else:
        smile = seq.expr[:, EXPR_INDEX["mouthSmileLeft"]]
        good = seq.valid
        assert np.allclose(smile[good], (SMILE * (0.9 if name == "VRM expressions" else 1))[good], atol=2e-5)
        blink = seq.expr[:, EXPR_INDEX["eyeBlinkLeft"]]
        assert blink.argmax() == 12 and blink[12] == pytest.approx(1)
        assert bool(seq.expr[12, EXPR_INDEX["eyeBlinkRight"]]) == (name != "VRM expressions")
    assert np.allclose(seq.rotation, 0 if name in NO_TURN else TURN, atol=2e-5)


def test_openface_gaze_place_and_lost_frames(imported: dict[str, Imported]) -> None:
    got = imported["OpenFace"]
    assert np.abs(got.sequence.eyes_pose).max() < 1e-5, "both eyes look straight ahead of the head"
    assert np.flatnonzero(~got.sequence.valid).tolist() == [7] and any("lost the face" in w for w in got.warnings)
    head = HeadModel.default()
    middle = head.sequence_landmarks(got.sequence)[:, :68].mean(1)
    rest = head.landmark_positions()[0][:68].mean(0) - head.landmarks(head.v_template[None])[0][:68].mean(0)
    assert np.abs(middle - [0.01, -0.02, -0.6] - rest).max() < 0.01, "mm to m, y up, before the camera"


def test_metrical_tracker_places_the_head_before_the_camera(imported: dict[str, Imported], flame: HeadModel) -> None:
    seq = imported["metrical-tracker"].sequence
    got = flame.vertices(**{k: v[:1] for k, v in seq.parameters().items() if k != "shape"})[0]
    rest = flame.vertices(expr=seq.expr[:1], jaw_pose=seq.jaw_pose[:1])[0]
    want = Rotation.from_rotvec(TURN[0]).apply(rest) + [0.01, -0.02, -0.9]
    assert np.abs(got - want).max() < 1e-5


def test_metrical_tracker_by_its_pytorch3d_camera(tmp_path: Path, flame: HeadModel) -> None:
    """Without the opencv block: PyTorch3D's camera of row vectors, x to the left."""
    content = {"flame": {"exp": EXP[:1], "jaw": six(JAW[:1]), "eyes": np.tile(six(np.zeros((1, 3))), (1, 2))}}
    own = Rotation.from_rotvec(TURN[0]).as_matrix()
    view = np.diag([-1.0, 1.0, -1.0]) @ own  # our camera frame to PyTorch3D's (x left, y up, z away), column vectors
    content["camera"] = {"R": view.T[:2].reshape(1, 6), "t": np.array([[0.0, 0.0, 1.0]])}
    torch.save(content, tmp_path / "0.frame")
    assert np.allclose(read(tmp_path / "0.frame", flame).sequence.rotation[0], TURN[0], atol=1e-5)


def test_what_is_left_out_is_said(imported: dict[str, Imported]) -> None:
    said = {name: " | ".join((*got.warnings, *got.notes)) for name, got in imported.items()}
    for name, word in (("BEAT2 / EMAGE", "body's motion"), ("BEAT2 / EMAGE", "betas"),
                       ("Face Cap", "turn and place are left out"),
                       ("py-feat", "Pitch, Roll and Yaw"), ("py-feat", "action units 11"), ("MetaHuman controls", "earUpL"),
                       ("VRM expressions", "usual shapes"), ("Express4D", "Express4D writes"), ("SMIRK", "camera")):
        assert word in said[name], (name, said[name])
    assert any("earUpL" in w for w in imported["MetaHuman controls"].warnings), "a control that moves and is lost is a warning"


def test_frames_that_a_folder_lacks(tmp_path: Path, flame: HeadModel) -> None:
    head_tracker(tmp_path)
    for t in (20, 21):
        (tmp_path / f"{t}.npz").unlink()
    got = read(tmp_path, flame)
    assert len(got.sequence) == T - 2 and any("leave out 2 frames" in w for w in got.warnings)
    filled = read(tmp_path, flame, fill=True).sequence
    assert len(filled) == T and np.flatnonzero(~filled.valid).tolist() == [20, 21] and np.allclose(filled.expr[22, :50], EXP[22])
    assert np.allclose(filled.eyes_pose, 0.1)


def test_unknown_columns_are_listed(tmp_path: Path) -> None:
    lines = [",".join([*ARKIT_52, "mouthTwist", "quality"])] + [",".join(["0.1"] * 52 + [str(t / 10), "1"]) for t in range(9)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    got = read(tmp_path / "a.csv")
    assert any("mouthTwist" in w and "quality" not in w for w in got.warnings) and any("quality" in n for n in got.notes)
    save(tmp_path / "a.json", [{**{n: 0.1 for n in ARKIT_52}, "mouthTwist": t / 10} for t in range(9)])
    assert any("mouthTwist" in w for w in read(tmp_path / "a.json").warnings)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_decimal_commas(tmp_path: Path, mark: str) -> None:
    lines = [mark.join(["time", *ARKIT_52])]
    lines += [mark.join([f"{t / 24:.4f}".replace(".", ","), *["0,25"] * 52]) for t in range(30)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    got = read(tmp_path / "a.csv").sequence
    assert got.fps == 24 and np.allclose(got.expr, 0.25 + 0.0 * got.expr, atol=0.3) and got.expr[0, 0] == pytest.approx(0.25)
    (tmp_path / "b.csv").write_text("\n".join([",".join(ARKIT_52), ",".join(["0,25"] * 52)]))
    with pytest.raises(ValueError, match="104 cells.*semicolons"):
        read(tmp_path / "b.csv")


def test_percent_is_said(tmp_path: Path) -> None:
    save(tmp_path / "a.json", [{n: 40.0 + t for n in ARKIT_52} for t in range(9)])
    got = read(tmp_path / "a.json")
    assert got.sequence.expr[0, 0] == pytest.approx(0.4) and any("percent" in w for w in got.warnings)


@pytest.mark.parametrize(("content", "word"), [
    ([{"audioOffset": 100, "visemeId": 3}] * 5, "FacialExpression"),
    ({"FrameIndex": 0, "BlendShapes": [[0.0] * 54]}, "54 numbers"),
    ({"FrameIndex": 0, "BlendShapes": [["a"] * 55]}, "something else than numbers"),
    ({f"CTRL_{s}_brow_down": [0.0, 0.1] for s in "LRC"}, "control board")])
def test_what_cannot_be_read_says_what_to_do(tmp_path: Path, content: Any, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        read(save(tmp_path / "a.json", content))


def test_two_faces(tmp_path: Path) -> None:
    path = openface(tmp_path)
    lines = path.read_text().splitlines()
    other = [", ".join([f[0], "1.000000", *f[2:]]) for f in (line.split(", ") for line in lines[1:20])]
    path.write_text("\n".join([*lines, *other]))
    got = read(path)
    assert len(got.sequence) == T and any("2 faces" in w for w in got.warnings)
    face = {"categories": [{"categoryName": n, "score": 0.2} for n in ARKIT_52]}
    got = read(save(tmp_path / "a.json", [{"faceBlendshapes": [face, face]}] * 4))
    assert len(got.sequence) == 4 and any("more than one face" in w for w in got.warnings)


def test_matrices_in_any_holder(tmp_path: Path) -> None:
    """Rows, columns one after another, as an object and as a typed array that went through JSON give one turn."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("YXZ", [20, 10, 5], degrees=True).as_matrix()
    for place in ([1.0, 2.0, -40.0], [0.0, 0.0, 0.0]):
        matrix[:3, 3] = place
        flat = matrix.T.ravel().tolist()
        for holder in (matrix.tolist(), flat, {"rows": 4, "columns": 4, "data": flat},
                       {"rows": 4, "columns": 4, "data": {str(k): v for k, v in enumerate(flat)}}, [flat]):
            frames = [{**{n: 0.0 for n in ARKIT_52}, "facialTransformationMatrix": holder}] * 3
            seq = read(save(tmp_path / "a.json", frames)).sequence
            assert Rotation.from_rotvec(seq.rotation[0]).as_euler("YXZ", degrees=True) == pytest.approx([20, 10, 5],
                                                                                                        abs=1e-3), holder
    matrix[:3, 3], matrix[3] = 5.0, [0.1, 0.2, 0.3, 1]
    with pytest.raises(ValueError, match="neither as last row"):
        read(save(tmp_path / "a.json", [{**{n: 0.0 for n in ARKIT_52}, "facialTransformationMatrix": matrix.tolist()}] * 3))


def test_the_table_is_that_of_the_documentation() -> None:
    page = (Path(__file__).resolve().parents[4] / "docs" / "formats.md").read_text(encoding="utf-8")
    assert format_table() in page, "python scripts/format_table.py writes it"


def test_list_names_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("convert", "--list") == 0
    said = capsys.readouterr().out
    assert all(f.name in said for f in FORMATS)
    assert command("convert", "--list", "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [t["format"] for t in told] == [f.name for f in FORMATS]
    with pytest.raises(ValueError, match="needs a file"):
        command("convert")


def test_names_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(LIVELINK_52))
    np.save(tmp_path / "a.npy", np.stack([WEIGHTS[n] for n in LIVELINK_52], 1))
    for names in (tmp_path / "names.txt", ",".join(LIVELINK_52)):
        assert command("convert", tmp_path / "a.npy", "-o", tmp_path / "c.npz", "--names", names, "--fps", "29.97") == 0
        clip = FaceSequence.load(tmp_path / "c.npz")
        assert clip.fps == 29.97 and np.allclose(clip.expr[:, EXPR_INDEX["mouthSmileLeft"]], SMILE)
