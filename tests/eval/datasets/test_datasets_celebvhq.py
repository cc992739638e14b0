"""The loader of CelebV-HQ: its JSON file, the pose filter, which frames stand for a clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from datasets_fixtures import FakeSource, celeb, entry, ramp
from facelm.eval.datasets import celebvhq
from facelm.eval.datasets.expressions import ExpressionSet


def two(times: tuple[float, float, float, float] = (0.0, 0.4, 0.6, 1.2)) -> list[dict[str, object]]:
    return [{"emotion": "neutral", "start_sec": times[0], "end_sec": times[1]},
            {"emotion": "happy", "start_sec": times[2], "end_sec": times[3]}]


def reasons(data: ExpressionSet) -> dict[str, str]:
    return {s.what: s.reason for s in data.skipped}


def test_words_become_our_emotions_and_frames_stand_for_the_clips(tmp_path: Path) -> None:
    celeb(tmp_path, {"a_0": entry("a", "happy"), "a_1": entry("a", "neutral"), "b_0": entry("b", "sad"),
                     "b_1": entry("b", "anger")})
    clips = {n: ramp(20, fps=25.0) for n in ("a_0", "a_1", "b_0", "b_1")}
    data = celebvhq.load(tmp_path, FakeSource(clips), frames=3)
    assert data.counts == {**dict.fromkeys(data.labels, 0), "happiness": 3, "neutral": 3, "sadness": 3, "anger": 3}
    strongest = data.expr[data.record == "a_0"].max(1)
    assert np.allclose(strongest, np.array([19, 16, 13]) / 19)  # at least 0.12 s apart
    weakest = data.expr[data.record == "a_1"].max(1)
    assert np.allclose(weakest, np.array([0, 3, 6]) / 19)
    assert data.image[data.record == "a_0"][0] == "processed_vid/a_0.mp4#19"
    # the neutral face of every row of a subject is its weakest neutral frame
    assert (data.neutral_expr[data.neutral[data.subject == "a"]] == 0).all() and set(data.neutral[data.subject == "b"]) == {-1}


def test_times_of_two_emotions_are_kept_to(tmp_path: Path) -> None:
    celeb(tmp_path, {"a_0": entry("a", two())})
    data = celebvhq.load(tmp_path, FakeSource({"a_0": ramp(40, fps=25.0)}), frames=1)
    at = {data.labels[k]: int(str(i).split("#")[1]) for k, i in zip(data.label, data.image, strict=True)}
    assert at == {"neutral": 0, "happiness": 30}


def test_only_frames_that_face_the_camera_count(tmp_path: Path) -> None:
    celeb(tmp_path, {"a_0": entry("a", "happy"), "a_1": entry("a", "sad"), "a_2": entry("a", "fear")})
    turning = ramp(20, fps=25.0, yaw=np.linspace(0.0, 38.0, 20))  # 14 degrees at frame 7, 16 at frame 8
    away = ramp(20, fps=25.0, yaw=np.full(20, 16.0))
    data = celebvhq.load(tmp_path, FakeSource({"a_0": turning, "a_1": ramp(20, fps=25.0), "a_2": away}), frames=1)
    assert [str(i) for i in data.image[data.record == "a_0"]] == ["processed_vid/a_0.mp4#7"]
    assert reasons(data) == {"a_2": "the head is never within 15 degrees of the camera"}


def test_pitch_and_roll_are_filtered_too(tmp_path: Path) -> None:
    clip = ramp(3)
    for axis in (0, 2):
        rotation = np.zeros((3, 3), np.float32)
        rotation[:, axis] = np.radians([0.0, 14.0, 20.0])
        angles = celebvhq.head_angles(clip.replace(rotation=rotation))
        assert ((np.abs(angles) <= 15).all(1) == [True, True, False]).all()
        assert np.allclose(angles[:, {0: 1, 2: 2}[axis]], [0.0, 14.0, 20.0], atol=1e-3)


def test_blinks_are_no_strength(tmp_path: Path) -> None:
    from facelm.eval.datasets.expressions import Pose

    rest = Pose(np.zeros(41, np.float32), np.zeros(6, np.float32))
    assert celebvhq.strength(ramp(5, "eyeBlinkLeft"), rest).max() == 0.0
    assert celebvhq.strength(ramp(5, "browInnerUp"), rest).argmax() == 4


def test_labels_clips_and_entries_that_cannot_be_used_are_reported(tmp_path: Path) -> None:
    celeb(tmp_path, {
        "a_0": entry("a", "happy"), "a_1": entry("a", "sad"), "a_2": entry("a", "confused"), "a_3": entry("a", []),
        "a_4": {"ytb_id": "a"}, "a_5": entry("a", [{"emotion": "fear", "start_sec": 2, "end_sec": 1}]), "a_6": entry("a", "fear"),
        "../a_7": entry("a", "fear"), "a_8": entry("a", [{"emotion": "fear", "start_sec": 5.0, "end_sec": 9.0}]),
        "a_9": entry("a", 3),
        "b_0": entry("b", "happy"), "b_1": entry("b", "happy"), "c_0": entry("c", "happy"), "c_1": entry("c", "sad")},
        ["a_0", "a_1", "a_8", "b_0", "c_0", "c_1"])
    source = FakeSource({n: ramp(20, fps=25.0) for n in ("a_0", "a_1", "a_8", "c_0")} | {"c_1": "no face found"})
    told = reasons(celebvhq.load(tmp_path, source))
    assert told == {
        "a_2": "emotion 'confused' is none of the eight", "a_3": "no emotion label",
        "a_4": "its entry lacks ytb_id or attributes.emotion.labels", "a_5": "a label's times are not in order",
        "a_6": "no clip of that name", "../a_7": "its id is not a file name", "a_8": "no trusted fit within the labelled times",
        "a_9": "emotion 'None' is none of the eight", "b": "a single expression: not fitted", "c_1": "no face found",
        "c": "fewer than two expressions are left"}
    assert "b_0" not in source.seen


@pytest.mark.parametrize(("text", "reason"), [
    ("{", "not JSON"), ("[]", "no object named clips"), ('{"clips": []}', "no object named clips"),
    ('{"clips": {}}', "no labelled expression")])
def test_a_broken_file_of_labels_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "celebvhq_info.json").write_text(text)
    with pytest.raises(ValueError, match=reason):
        celebvhq.load(tmp_path, FakeSource())


def test_a_wrong_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(FileNotFoundError, match=r"looked for celebvhq_info.json .*found notes.txt"):
        celebvhq.load(tmp_path, FakeSource())
