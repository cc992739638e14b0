"""The surrogate data sets: layout, bytes, resuming, and that classes are classes without being points."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from facelm.eval.datasets.ckplus import find_sequences, read_label
from facelm.eval.datasets.expressions import CKPLUS, ExpressionSet, dataset_name, frame_pose
from facelm.eval.datasets.load import load_dataset
from facelm.eval.datasets.surrogate import ckplus as lab_maker
from facelm.eval.datasets.surrogate.build import build
from facelm.eval.datasets.surrogate.sizes import CelebVSize, CKPlusSize
from facelm.eval.datasets.surrogate.units import draw_pose, unit_tables
from facelm.face.clip.sequence import FaceSequence
from PIL import Image

LAB = CKPlusSize(subjects=1, frames=(8, 8), size=(64, 64))
WILD = CelebVSize(subjects=2, clips=(2, 2), seconds=(0.4, 0.4), size=64)


def digests(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("surrogate-ckplus", tmp_path_factory.mktemp("lab"), LAB, seed=3)


def test_the_layout_is_ckplus_own(lab: Path) -> None:
    found = find_sequences(lab)
    assert [r.name for r, _ in found] == [f"S001/{k:03d}" for k in range(1, 8)]
    assert {read_label(where) for _, where in found} == set(CKPLUS)
    with Image.open(found[0][0].media[-1]) as picture:
        assert picture.mode == "L" and picture.size == (64, 64) and picture.getextrema()[0] < picture.getextrema()[1]
    assert found[0][0].media[0].name == "S001_001_00000001.png" and all(len(r.media) == 8 for r, _ in found)
    assert "SYNTHETIC" in (lab / "LICENSE-SYNTHETIC.txt").read_text()
    emotion = next((lab / "Emotion").rglob("*.txt")).read_text()
    assert emotion.startswith("   ") and emotion.strip().endswith("e+00")


def test_same_seed_same_bytes_another_seed_others(lab: Path, tmp_path: Path) -> None:
    again = build("surrogate-ckplus", tmp_path, LAB, seed=3)
    assert digests(again) == digests(lab) and again.name == lab.name
    other = build("surrogate-ckplus", tmp_path, LAB, seed=4, pictures=False)
    assert other.name != lab.name and not (other / "cohn-kanade-images").exists()


def test_a_killed_build_goes_on_to_the_same_bytes(lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, drawn = lab_maker.pictures, []

    def dies(*args: Any) -> Iterator[Any]:
        for picture in real(*args):
            if len(drawn) == 11:
                raise KeyboardInterrupt
            drawn.append(1)
            yield picture

    with monkeypatch.context() as patched:
        patched.setattr(lab_maker, "pictures", dies)
        with pytest.raises(KeyboardInterrupt):
            build("surrogate-ckplus", tmp_path, LAB, seed=3)
    half = next(tmp_path.glob("surrogate-ckplus-*"))
    assert len(list((half / "cohn-kanade-images").glob("*/[0-9]*"))) == 1
    assert digests(build("surrogate-ckplus", tmp_path, LAB, seed=3)) == digests(lab)


def test_true_parameters_are_read_back_as_performed(lab: Path, tmp_path: Path) -> None:
    data = load_dataset("surrogate-ckplus", lab, tmp_path, params="true", frames=2)
    assert len(data) == 14 and "procedural animator's own parameters" in data.title
    for i in range(len(data)):
        clip = FaceSequence.load(lab / "truth" / f"{data.record[i]}.npz")
        k = int(str(data.image[i]).rsplit("_", 1)[1][:8]) - 1
        assert (data.expr[i] == clip.expr[k]).all() and (data.pose[i] == frame_pose(clip, k).pose).all()
        assert (data.shape[i] == clip.shape).all()
        assert data.labels[data.label[i]] == read_label(lab / "Emotion" / str(data.record[i]))
    again = ExpressionSet.load(data.save(tmp_path / "set.npz"))
    for name in ("subject", "label", "expr", "pose", "shape", "neutral", "neutral_expr", "neutral_pose", "image", "record"):
        assert (getattr(again, name) == getattr(data, name)).all()
    assert (again.title, again.labels, again.head, again.skipped) == (data.title, data.labels, data.head, data.skipped)


def test_true_parameters_need_no_pictures(tmp_path: Path) -> None:
    data = load_dataset("surrogate-ckplus", None, tmp_path, params="true", size=LAB, seed=3)
    assert len(data) == 21 and set(data.image) == {""} and not list(tmp_path.rglob("*.png"))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> ExpressionSet:
    size = CKPlusSize(subjects=10, labels="all", units=False)
    return load_dataset("surrogate-ckplus", None, tmp_path_factory.mktemp("people"), params="true", frames=1, size=size)


def test_labels_are_as_uneven_as_those_of_ckplus(tmp_path: Path) -> None:
    drawn = lab_maker._labelled(CKPlusSize(), 0)
    assert {name: len(who) for name, who in drawn.items()} == lab_maker.LABELLED
    assert frozenset().union(*drawn.values()) == frozenset(range(117)) and sum(map(len, drawn.values())) == 327
    few = CKPlusSize(subjects=20)
    data = load_dataset("surrogate-ckplus", None, tmp_path, params="true", frames=1, size=few)
    counts = np.bincount(data.label, minlength=7)
    assert counts.tolist() == [len(lab_maker._labelled(few, 0)[name]) for name in CKPLUS]
    assert counts[CKPLUS.index("contempt")] == 3 and counts[CKPLUS.index("surprise")] == 14
    assert len(list(tmp_path.glob("*/truth/*/*.npz"))) == 140  # the others pose as well; only their labels are missing


def test_people_show_the_units_of_an_emotion_as_often_as_published() -> None:
    rng, tables = np.random.default_rng(0), unit_tables()
    units = {number: unit.pose() for number, unit in tables.units.items()}
    for emotion in tables.needed:
        poses = [draw_pose(rng, emotion) for _ in range(600)]
        shares = {**dict.fromkeys(tables.needed[emotion], 1.0), **tables.share[emotion]}
        for unit, share in shares.items():
            if emotion == "sadness" and unit in (1, 4) or emotion == "disgust" and unit in (9, 10):
                continue  # these depend on others
            for channel in units[unit]:
                shared = channel == "jaw_x" or any(channel in units[u] for u in shares if u != unit)
                if not shared and not channel.endswith("Right"):
                    assert abs(np.mean([channel in p for p in poses]) - share) < 0.08, (emotion, unit, channel)
    for _ in range(200):
        sad, disgusted = draw_pose(rng, "sadness"), draw_pose(rng, "disgust")
        assert "cheekSquintLeft" in sad or {"browInnerUp", "browDownLeft"} <= set(sad)
        assert {"noseSneerLeft", "mouthUpperUpLeft"} & set(disgusted)
        weight = tables.brows_opposed if "browInnerUp" in sad else 1.0
        assert sad.get("browDownLeft", 0.0) in (0.0, units[4]["browDownLeft"] * weight)
    contempt = [draw_pose(rng, "contempt") for _ in range(400)]
    assert 0.4 < np.mean(["mouthDimpleRight" not in p for p in contempt]) < 0.6
    assert not any("mouthSmileLeft" in p and "mouthDimpleRight" in p for p in contempt)
    with pytest.raises(ValueError, match="'neutral'; known: happiness"):
        draw_pose(rng, "neutral")


def test_units_move_face_and_jaw_and_stay_in_their_class(tmp_path: Path) -> None:
    size = CKPlusSize(subjects=10, labels="all")
    data = load_dataset("surrogate-ckplus", None, tmp_path, params="true", frames=1, size=size)
    x, y = data.expr, data.label
    right = [int(np.linalg.norm(np.stack([x[(data.subject != data.subject[i]) & (y == k)].mean(0) for k in range(7)]) - x[i],
                                axis=1).argmin() == y[i]) for i in range(len(data))]
    assert np.mean(right) > 0.85
    jaw = data.pose[:, 3]
    assert (jaw[y == CKPLUS.index("surprise")] > 0.1).mean() > 0.5 and (jaw[y == CKPLUS.index("anger")] < 0.02).all()


def test_expressions_of_others_tell_the_class_and_are_no_point(people: ExpressionSet) -> None:
    x, y = people.expr, people.label
    right = 0
    for i in range(len(people)):
        others = people.subject != people.subject[i]
        centres = np.stack([x[others & (y == k)].mean(0) for k in range(7)])
        right += int(np.linalg.norm(centres - x[i], axis=1).argmin() == y[i])
    assert right / len(people) > 0.9
    for k in range(7):
        own = x[y == k]
        assert own.std(0).max() > 0.08 and len({tuple(row) for row in own.round(3).tolist()}) == len(own)


def test_faces_start_near_rest_and_end_at_the_apex(people: ExpressionSet) -> None:
    apex = np.linalg.norm(people.expr, axis=1)
    start = np.linalg.norm(people.neutral_expr[people.neutral], axis=1)
    assert (start < 0.25).all() and (apex > 3 * start).all() and (apex > 0.45).all()
    # a subject is the same person in all sequences
    shapes = people.shape[people.subject == "S002"]
    assert (shapes == shapes[0]).all() and (shapes[0] != people.shape[people.subject == "S003"][0]).any()
    assert np.degrees(np.abs(people.pose[:, :3])).max() < 25.0


def test_contempt_is_one_sided_and_can_change_sides(people: ExpressionSet, tmp_path: Path) -> None:
    from facelm.face.clip.channels import EXPR_INDEX

    left, right = EXPR_INDEX["mouthSmileLeft"], EXPR_INDEX["mouthSmileRight"]
    own = people.expr[people.label == CKPLUS.index("contempt")]
    assert (own[:, left] > own[:, right] + 0.2).all()
    size = replace(LAB, subjects=2, units=False, variation=replace(LAB.variation, other_side=1.0))
    data = load_dataset("surrogate-ckplus", None, tmp_path, params="true", frames=1, size=size)
    other = data.expr[data.label == CKPLUS.index("contempt")]
    assert (other[:, right] > other[:, left] + 0.2).all()


def test_the_wild_one_has_celebvs_layout_and_the_same_bytes(tmp_path: Path) -> None:
    first = build("surrogate-celebvhq", tmp_path / "a", WILD)
    info = json.loads((first / "celebvhq_info.json").read_text())
    assert len(info["clips"]) == 4 and {p.stem for p in (first / "processed_vid").glob("*.mp4")} == set(info["clips"])
    assert digests(build("surrogate-celebvhq", tmp_path / "b", WILD)) == digests(first)
    from facelm.face.io.media import probe

    name, clip = next(iter(info["clips"].items()))
    seen = probe(first / "processed_vid" / f"{name}.mp4")
    assert (seen.width, seen.height, seen.fps) == (64, 64, 25.0)
    assert seen.frames == len(FaceSequence.load(first / "truth" / f"{name}.npz")) and clip["ytb_id"] == name.rsplit("_", 1)[0]


@pytest.mark.slow
def test_the_wild_one_is_uneven_turned_and_reported(tmp_path: Path) -> None:
    data = load_dataset("surrogate-celebvhq", None, tmp_path, params="true", size=CelebVSize(subjects=25, clips=(4, 5)))
    counts = data.counts
    assert min(counts["neutral"], counts["happiness"]) > 3 * counts["fear"] and sum(c > 0 for c in counts.values()) >= 6
    assert any("within 15 degrees" in s.reason for s in data.skipped)
    shown = [set(data.label[data.subject == s].tolist()) for s in data.subjects]
    assert min(len(s) for s in shown) >= 2
    assert data.expr[data.label == data.labels.index("happiness")].max(1).std() > 0.1


@pytest.mark.parametrize(("make", "reason"), [
    (lambda: CKPlusSize(subjects=0), "greater than or equal to 1"), (lambda: CKPlusSize(frames=(3, 9)), "two rising numbers"),
    (lambda: CelebVSize(seconds=(0.9, 0.5)), "two rising numbers"), (lambda: CelebVSize(talking=2.0), "less than or equal to 1"),
    (lambda: build("surrogate-x", Path()), "'surrogate-x' is not known"), (lambda: build("ckplus", Path()), "is not a surrogate"),
    (lambda: build("surrogate-ckplus", Path(), CelebVSize()), "needed: CKPlusSize")])
def test_sizes_that_make_no_sense_are_refused(make: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make()


def test_former_names_are_read(lab: Path, tmp_path: Path) -> None:
    assert dataset_name("standin-celebvhq") == "surrogate-celebvhq" and dataset_name("ckplus") == "ckplus"
    old = load_dataset("standin-ckplus", lab, tmp_path, params="true", frames=1)
    assert old.name == "surrogate-ckplus" and "CK+ surrogate" in old.title


@pytest.mark.slow
def test_the_real_fitter_reads_the_pictures(tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    size = CKPlusSize(subjects=1)
    root = build("surrogate-ckplus", tmp_path, size)
    for extra in sorted((root / "Emotion" / "S001").iterdir())[2:]:
        for file in extra.iterdir():
            file.unlink()
    data = load_dataset("surrogate-ckplus", root, tmp_path)
    true = load_dataset("surrogate-ckplus", root, tmp_path, params="true")
    assert len(data) == 6 and "rendered and fitted" in data.title
    assert np.degrees(np.abs(data.pose - true.pose)).max() < 8.0
    likeness = [np.corrcoef(a, b)[0, 1] for a, b in zip(data.expr, true.expr, strict=True)]
    assert min(likeness) > 0.5
