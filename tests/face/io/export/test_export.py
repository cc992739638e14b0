"""Files for other tools: what each keeps comes back, what it loses is said."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from facelm.face.clip.channels import ARKIT_52
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.face.io.convert import read
from facelm.face.io.convert.arkit import perform
from facelm.face.io.export import FORMATS, export, table
from facelm.face.io.export.livelink import counting, timecode
from facelm.face.io.export.targets import recipes
from facelm.face.io.heads.flame import import_head
from flame_files import export_flame_layout
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

HEAD = HeadModel.default()
ROOT = Path(__file__).resolve().parents[4]
PAIRS = [("jawLeft", "jawRight"), *((f"eyeLook{a}{s}", f"eyeLook{b}{s}") for s in ("Left", "Right")
                                    for a, b in (("In", "Out"), ("Up", "Down")))]
"""Shapes that turn one joint both ways: only their difference is motion."""


def scored(scores: dict[str, np.ndarray], fps: float = 25.0, **pose: np.ndarray) -> FaceSequence:
    """A clip of the default head that performs scores (T,)."""
    frames = len(next(iter(scores.values())))
    arrays = {k: v.astype("f4") for k, v in perform(scores, HEAD).items()}
    return FaceSequence.rest(frames, HEAD.ref, n_expr=HEAD.n_expr, fps=fps).replace(**arrays, **pose)


@st.composite
def clips(draw) -> FaceSequence:
    frames = draw(st.integers(2, 5))
    values = draw(arrays(np.float32, (frames, 52), elements=st.floats(0, 1, width=32)))
    scores = dict(zip(ARKIT_52, values.T.astype(np.float64), strict=True))
    for a, b in PAIRS:
        keep = scores[a] >= scores[b]
        scores[a], scores[b] = np.where(keep, scores[a], 0), np.where(keep, 0, scores[b])
    turn = draw(arrays(np.float32, (frames, 3), elements=st.floats(-0.5, 0.5, width=32)))
    place = draw(arrays(np.float32, (frames, 3), elements=st.floats(-0.5, 0.5, width=32)))
    return scored(scores, draw(st.sampled_from([24.0, 25.0, 30.0, 60.0])), rotation=turn, translation=place)


KEEPS = {"livelink": ("expr", "jaw_pose", "eyes_pose", "rotation"), "arkit-csv": ("expr", "jaw_pose", "eyes_pose"),
         "arkit-json": ("expr", "jaw_pose", "eyes_pose", "rotation", "translation"),
         "names-json": ("expr", "jaw_pose", "eyes_pose"), "audio2face": ("expr", "jaw_pose", "eyes_pose")}


@pytest.mark.parametrize("name", KEEPS)
@settings(max_examples=15, deadline=None)
@given(seq=clips())
def test_what_a_format_keeps_comes_back(name, seq, tmp_path_factory):
    kind = next(f for f in FORMATS if f.name == name)
    path = tmp_path_factory.mktemp("back") / f"clip{kind.suffix}"
    done = export(seq, HEAD, path, format=name)
    again = read(path, fps=seq.fps).sequence
    assert len(again) == len(seq) and again.fps == seq.fps
    for field in KEEPS[name]:
        assert np.abs(getattr(again, field) - getattr(seq, field)).max() < (1e-5 if name == "arkit-json" else 1e-6), field
    said = " ".join(done.notes)
    for field, words in (("rotation", "head's turn is left out"), ("translation", "head's place is left out")):
        assert (words in said) == (field not in KEEPS[name] and bool(np.any(getattr(seq, field)))), said


def test_the_neck_is_part_of_the_turn(tmp_path):
    rng = np.random.default_rng(0)
    seq = FaceSequence.rest(4, HEAD.ref, n_expr=HEAD.n_expr).replace(
        **{k: rng.normal(0, 0.2, (4, 3)).astype("f4") for k in ("rotation", "neck_pose", "translation")})
    whole = (Rotation.from_rotvec(seq.rotation) * Rotation.from_rotvec(seq.neck_pose)).as_rotvec()
    for name in ("a.csv", "a.json"):
        again = read(export(seq, HEAD, tmp_path / name).path, fps=25).sequence
        assert np.abs(again.rotation - whole).max() < 1e-5 and not again.neck_pose.any()
    # with the matrices the eyes are where they were, in spite of the neck
    skull = HEAD.masks["eyeball_left"]
    there, here = (HEAD.vertices(**s.parameters())[:, skull] for s in (again, seq))
    assert np.linalg.norm(there - here, axis=2).max() < 1e-4


def recordings() -> list[Path]:
    """Live Link takes of real people, where there are any."""
    roots = [os.environ.get("FACELM_TEST_DATA"), str(ROOT.parent / "shared" / "data")]
    return next((sorted(Path(r, "recordings").glob("*.csv")) for r in roots if r and Path(r, "recordings").is_dir()), [])


@pytest.mark.skipif(not recordings(), reason="no recordings here")
@pytest.mark.parametrize("path", recordings(), ids=lambda p: p.stem)
def test_real_takes_go_in_out_and_in_again(path, tmp_path):
    first = read(path).sequence
    again = read(export(first, HEAD, tmp_path / "take.csv").path).sequence
    assert again.fps == first.fps == float(path.stem.split("_")[-1].removesuffix("fps")) and len(again) == len(first)
    for field in ("expr", "rotation", "neck_pose", "jaw_pose", "eyes_pose", "translation"):
        assert np.abs(getattr(again, field) - getattr(first, field)).max() < 1e-7, field
    with open(path) as a, open(tmp_path / "take.csv") as b:
        real, ours = csv.DictReader(a), csv.DictReader(b)
        assert real.fieldnames == ours.fieldnames  # the app's columns in the app's order
        rows = [(r, o) for r, o in zip(real, ours, strict=False)]
    if len(rows) == len(first):  # no frame is missing: the eyes' angles go the way that the app's go
        for name in ("LeftEyeYaw", "LeftEyePitch", "RightEyeYaw", "RightEyePitch"):
            a, b = (np.array([float(x[k][name]) for x in rows]) for k in (0, 1))
            assert np.corrcoef(a, b)[0, 1] > 0.95, name


@pytest.mark.parametrize("fps", [15.0, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0])
def test_the_rate_of_a_take_comes_back_from_its_time_codes(fps, tmp_path):
    seq = scored({"jawOpen": np.linspace(0, 1, 160)}, fps)
    again = read(export(seq, HEAD, tmp_path / "a.csv").path).sequence
    assert len(again) == 160 and again.fps == pytest.approx(fps, abs=5e-3)
    assert np.abs(again.jaw_pose - seq.jaw_pose).max() < 1e-6


# -- time codes ---------------------------------------------------------------------------
@pytest.mark.parametrize(("frame", "code"), [
    (0, "00:00:00;00"), (1799, "00:00:59;29"), (1800, "00:01:00;02"), (17981, "00:09:59;29"), (17982, "00:10:00;00"),
    (107892, "01:00:00;00")])
def test_dropped_numbers_follow_the_clock(frame, code):
    assert timecode(frame, 30, True) == code


def test_time_codes_are_those_of_a_library():
    library = pytest.importorskip("timecode").Timecode
    for rate, nominal, drop in (("24", 24, False), ("25", 25, False), ("29.97", 30, True), ("30", 30, False), ("59.94", 60, True),
                                ("60", 60, False)):
        for frame in (0, 59, 60, 1799, 1800, 3599, 3600, 35963, 35964, 100_000):
            assert timecode(frame, nominal, drop) == str(library(rate, frames=frame + 1)), (rate, frame)


@pytest.mark.parametrize("fps", [12.5, 15.0, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0, 120.0])
def test_every_usual_rate_is_counted(fps, tmp_path):
    seq = scored({"jawOpen": np.linspace(0, 1, 200)}, fps)
    with open(export(seq, HEAD, tmp_path / "a.csv").path) as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 200 and len({r["Timecode"] for r in rows}) == 200
    nominal, every, drop = counting(fps)
    assert nominal / every * (1000 / 1001 if drop else 1) == pytest.approx(fps, abs=1e-3)
    assert rows[-1]["Timecode"] == f"{timecode(199 * every, nominal, drop)}.000" and (";" in rows[0]["Timecode"]) == drop
    assert float(rows[-1]["JawOpen"]) == pytest.approx(1, abs=1e-6) and rows[0]["BlendShapeCount"] == "61"


def test_a_rate_that_no_time_code_counts_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"23\.5 fps; give --fps with one of 24"):
        export(scored({"jawOpen": np.zeros(3)}, 23.5), HEAD, tmp_path / "a.csv")
    assert not list(tmp_path.iterdir())
    done = export(scored({"jawOpen": np.linspace(0, 1, 48)}, 23.5), HEAD, tmp_path / "a.csv", fps=24)
    assert done.seq.fps == 24 and "resampled from 23.5 to 24 fps" in done.notes[0]


# -- weights ------------------------------------------------------------------------------
def test_weights_outside_their_range_are_said_and_cut_on_request(tmp_path):
    seq = scored({"mouthSmileLeft": np.array([-0.061, 0.5, 1.058]), "jawOpen": np.array([-0.1, 0.0, 0.4])})
    done = export(seq, HEAD, tmp_path / "a.csv", format="arkit-csv")
    (said,) = done.notes
    assert "jawOpen -0.100 to 1.000" in said and "mouthSmileLeft -0.061 to 1.058" in said and "--clamp" in said
    with open(tmp_path / "a.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(r["mouthSmileLeft"]) for r in rows] == pytest.approx([-0.061, 0.5, 1.058], abs=1e-6)
    assert float(rows[0]["jawOpen"]) == pytest.approx(-0.1, abs=1e-6)
    done = export(seq, HEAD, tmp_path / "a.csv", format="arkit-csv", clamp=True)
    with open(tmp_path / "a.csv") as file:
        assert [float(r["mouthSmileLeft"]) for r in csv.DictReader(file)] == pytest.approx([0, 0.5, 1])
    assert "are cut to it" in done.notes[0]


@pytest.mark.parametrize("target", ["vrm", "viseme"])
def test_an_expression_alone_is_found_again(target, tmp_path):
    names, rows = recipes(target)
    for name, row in zip(names, rows, strict=True):
        seq = scored({n: np.array([0.0, 0.6 * w, w]) for n, w in zip(ARKIT_52, row, strict=True)})
        content = json.loads(export(seq, HEAD, tmp_path / "a.json", target=target).path.read_text())
        assert content["fps"] == 25 and [f["time"] for f in content["frames"]] == [0.0, 0.04, 0.08]
        found = [f["blendshapes"] for f in content["frames"]]
        assert [f[name] for f in found] == pytest.approx([0.0, 0.6, 1.0], abs=0.15), name
        assert all(v < 0.2 for f in found for n, v in f.items() if n not in (name, "sil")), (name, found)
        if target == "viseme":
            assert found[0]["sil"] == 1.0 and found[2]["sil"] < 0.1


# -- FLAME --------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def flame(tmp_path_factory) -> HeadModel:
    files = export_flame_layout(HEAD, tmp_path_factory.mktemp("flame") / "m.pkl")
    return import_head(files.model, files.landmarks)


@pytest.mark.parametrize("name", ["vhap", "deca", "emoca", "smirk"])
def test_flame_parameters_come_back_exactly(name, flame, tmp_path):
    rng = np.random.default_rng(1)
    seq = FaceSequence.rest(5, flame.ref, n_expr=100, n_shape=300, fps=30.0)
    changes = {k: rng.normal(0, 0.2, getattr(seq, k).shape).astype("f4")
               for k in ("expr", "rotation", "neck_pose", "jaw_pose", "eyes_pose", "translation", "shape")}
    if name != "vhap":
        changes["expr"][:, 50:] = 0
        changes["shape"][100:] = 0
        for k in ("neck_pose", "eyes_pose", "translation"):
            changes[k][:] = 0
    seq = seq.replace(**changes)
    done = export(seq, flame, tmp_path / "a.npz", format=name)
    found = read(tmp_path / "a.npz", flame)
    assert found.format.lower().startswith(name) and found.sequence.fps == 30 and not done.notes
    for k in changes:
        assert np.abs(getattr(found.sequence, k) - getattr(seq, k)).max() < (2e-7 if k in ("rotation", "shape") else 1e-12), k


def test_what_deca_cannot_hold_is_said(flame, tmp_path):
    rng = np.random.default_rng(2)
    seq = FaceSequence.rest(3, flame.ref, n_expr=100, n_shape=300)
    seq = seq.replace(**{k: rng.normal(0, 0.3, getattr(seq, k).shape).astype("f4")
                         for k in ("expr", "shape", "neck_pose", "eyes_pose", "translation")})
    said = " | ".join(export(seq, flame, tmp_path / "a.npz", format="deca").notes)
    lost = np.abs(seq.expr[:, 50:]).max()
    for words in (f"expression has 100 coefficients, the format 50: the rest (up to {lost:.2f})", "identity has 300",
                  "the turn of the eyes and the head's place are left out", "neck's turn is part of the global"):
        assert words in said
    with pytest.raises(ValueError, match="give --to FLAME.npz"):
        export(scored({"jawOpen": np.zeros(2)}), HEAD, tmp_path / "b.npz", target="flame")


def test_between_heads_with_errors_by_region_and_shape(flame, tmp_path):
    """From ARKit to FLAME's layout of the same head, and back: the columns are the same, without their names."""
    seq = scored({"mouthSmileLeft": np.linspace(0, 0.8, 5), "jawOpen": np.linspace(0, 0.5, 5)})
    done = export(seq, HEAD, tmp_path / "a.npz", target="flame", to=flame)
    assert done.format.name == "vhap" and done.report is not None and done.seq.head == flame.ref
    assert max(e.mean for e in done.report.regions.values()) < 0.2 and set(done.report.shapes) == {"mouthSmileLeft", "jaw"}
    back = export(done.seq, flame, tmp_path / "a.csv")
    assert back.report is not None and back.seq.head == HEAD.ref and "by shape expr_" in str(back.report)
    again = read(tmp_path / "a.csv").sequence
    column = HEAD.expr_names.index("mouthSmileLeft")
    assert again.expr[-1, column] == pytest.approx(0.8, abs=0.15)
    assert again.jaw_pose[-1, 0] == pytest.approx(seq.jaw_pose[-1, 0], abs=0.01)


@pytest.mark.skipif(not recordings(), reason="no cases here")
def test_tracked_flame_parameters_become_arkit_weights(flame, tmp_path):
    """DECA parameters whose first 41 columns are ARKit weights: blink 1.0, smile 0.8 and jaw 0.57 at their strongest."""
    deca = recordings()[0].parents[1] / "cases" / "10-flame-to-arkit" / "deca.npz"
    seq = read(deca, flame).sequence
    done = export(seq, flame, tmp_path / "a.json")
    assert done.report is not None and done.report.regions["lips_lower"].mean < 0.5 and list(done.report.shapes)[0] == "expr_009"
    frames = [f["blendshapes"] for f in json.loads(done.path.read_text())["frames"]]
    most = {n: max(f[n] for f in frames) for n in ("eyeBlinkLeft", "mouthSmileLeft", "jawOpen")}
    names = [HEAD.expr_names.index(n) for n in ("eyeBlinkLeft", "mouthSmileLeft")]
    assert seq.expr[:, names].max(0) == pytest.approx([1.0, 0.8], abs=1e-6)
    assert most["eyeBlinkLeft"] == pytest.approx(0.94, abs=0.02) and most["mouthSmileLeft"] == pytest.approx(0.70, abs=0.02)
    assert most["jawOpen"] == pytest.approx(seq.jaw_pose[:, 0].max() / HEAD.meta["arkit_angles"]["jawOpen"], abs=0.01)


# -- the table ----------------------------------------------------------------------------
def test_the_documented_table_is_that_of_the_code():
    assert table() in (ROOT / "docs" / "formats.md").read_text(encoding="utf-8"), "paste what `facelm export --list` prints"


@pytest.mark.parametrize(("name", "options", "words"), [
    ("a.xyz", {}, "must end in .npz, .csv"), ("a.csv", {"format": "vhap"}, r"must end in \.npz"),
    ("a.csv", {"format": "word"}, "allowed: clip, "), ("a.glb", {"target": "face"}, "allowed: head, arkit52"),
    ("a.csv", {"target": "flame"}, "cannot hold flame; --target may be arkit52"), ("a.npz", {"format": "obj"}, "have no ending")])
def test_what_cannot_be_written_is_refused_in_one_line(name, options, words, tmp_path):
    with pytest.raises(ValueError, match=words) as caught:
        export(scored({"jawOpen": np.zeros(2)}), HEAD, tmp_path / name, **options)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_a_folder_with_something_else_is_not_replaced(tmp_path):
    seq = scored({"jawOpen": np.zeros(2)})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear")
    with pytest.raises(FileExistsError, match="diary.txt"):
        export(seq, HEAD, tmp_path / "mine")
    for _ in range(2):
        assert len(list(export(seq, HEAD, tmp_path / "frames").path.iterdir())) == 2
