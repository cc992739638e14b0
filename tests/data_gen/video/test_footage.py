"""Performances on film: the same seed gives the same bytes, and the truth is where the picture shows it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from facelm.benchmarks.fits.truth import truth_detections
from facelm.data_gen.performer.sampler import sample_script
from facelm.data_gen.video.footage import FootageConfig, film, load_footage, prepare, sidecar_path, truth_path
from facelm.data_gen.video.scene import SceneRenderer, Sensor
from facelm.face.clip.rotation import rotation_matrices
from facelm.face.facs.measure import measure
from facelm.face.facs.schedule import Event, Schedule
from facelm.face.head.model import HeadModel
from facelm.face.landmarks.points import embedding_for

SMILE = Schedule(0.4, (Event("smile", 0.0, 0.2, 0.2, 0.0, 0.7),), seed=3)
SMALL = FootageConfig(size=64)


# -- files ------------------------------------------------------------------------------
def test_one_seed_gives_one_file(tmp_path: Path) -> None:
    a, b, c = (film(SMILE, tmp_path / f"{name}.mp4", SMALL, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    for where in (lambda p: p, truth_path, sidecar_path):
        assert where(a.path).read_bytes() == where(b.path).read_bytes()
        assert where(a.path).read_bytes() != where(c.path).read_bytes()


def test_loading_returns_what_was_filmed(tmp_path: Path) -> None:
    made = film(SMILE, tmp_path / "a.mp4", replace(SMALL, size=(96, 64)), 5)
    read = load_footage(made.path)
    assert read.camera == made.camera and read.script == SMILE and read.attributes == made.attributes
    assert (read.camera.width, read.camera.height) == (96, 64)
    assert np.array_equal(read.truth.expr, made.truth.expr) and np.array_equal(read.truth.translation, made.truth.translation)
    sidecar_path(made.path).write_text(json.dumps({"format": "other"}))
    with pytest.raises(ValueError, match="not a footage sidecar"):
        load_footage(made.path)
    sidecar_path(made.path).unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.json"):
        load_footage(made.path)


def test_bad_wishes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.mp4"):
        film(SMILE, tmp_path / "a.avi", SMALL)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        film(SMILE, tmp_path / "nowhere" / "a.mp4", SMALL)
    for wrong in ({"size": 4}, {"fov": (30.0, 20.0)}, {"share": (0.2, 1.4)}, {"fps": 0.0}, {"noise": (-1.0, 2.0)},
                  {"yaw": 100.0}, {"quality": 70}, {"shape_components": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            FootageConfig(**wrong)


# -- truth ------------------------------------------------------------------------------
def test_every_pixel_is_where_the_truth_says(head: HeadModel) -> None:
    """The point of the mesh that the renderer saw in a pixel projects into the middle of that pixel's sample."""
    take = prepare(SMILE, FootageConfig(size=(120, 96)), 4)
    renderer = SceneRenderer(head, take.placement, take.scene)
    vertices = head.sequence_vertices(take.truth)[-1]
    renderer.draw(vertices)
    rows, columns = np.nonzero(renderer.samples.face >= 0)
    assert len(rows) > 1000
    flat = take.placement.camera.project(vertices)
    corners = flat[renderer.look.faces[renderer.samples.face[rows, columns]]]
    two = renderer.samples.bary[rows, columns]
    weights = np.concatenate([1 - two.sum(1, keepdims=True), two], 1)
    at = (corners * weights[..., None]).sum(1)
    assert np.abs(at - np.stack([columns + 0.5, rows + 0.5], 1) / 2).max() < 0.02


def test_irises_and_lips_are_found_where_they_project(head: HeadModel) -> None:
    still = Schedule(0.2, ())
    take = prepare(still, FootageConfig(size=320, share=(0.7, 0.7), yaw=0.0, pitch=0.0, roll=0.0, idle=False), 11)
    pure = {"iris": (1.0, 0.0, 0.0), "lips": (0.0, 1.0, 0.0), "skin": (0.6, 0.6, 0.6), "cheeks": (0.6, 0.6, 0.6)}
    take = replace(take, scene=replace(take.scene, palette=replace(take.scene.palette, **pure, background=(0.5, 0.5, 0.5)),
                                       background=np.full_like(take.scene.background, 0.2)))
    picture = next(take.frames(sensor=False)).astype(float)
    red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
    points = take.placement.camera.project(head.sequence_landmarks(take.truth))[0]
    y, x = np.mgrid[0:320, 0:320] + 0.5
    for side in ("left", "right"):
        px, py = points[head.landmark_index(f"pupil_{side}")]
        iris = (red > 1.6 * green) & (red > 1.6 * blue) & (np.hypot(x - px, y - py) < 25)
        assert iris.sum() > 30
        assert abs(x[iris].mean() - px) < 1.0 and abs(y[iris].mean() - py) < 2.5  # the upper lid hides its top
    lips = (green > 1.3 * red) & (green > 1.3 * blue)
    mouth = points[[head.landmark_index(f"ibug_{k}") for k in range(48, 60)]]
    for axis, at in ((0, x[lips]), (1, y[lips])):
        assert abs(at.min() - mouth[:, axis].min()) < 4 and abs(at.max() - mouth[:, axis].max()) < 4
        assert abs(at.mean() - (mouth[:, axis].min() + mouth[:, axis].max()) / 2) < 3


def test_the_head_is_in_the_picture_and_turned_within_limits(head: HeadModel) -> None:
    yaws, shares = [], []
    for seed in range(24):
        take = prepare(sample_script(np.random.default_rng(seed)), FootageConfig(size=(256, 192)), seed)
        seq, camera = take.truth, take.placement.camera
        at = camera.project(head.sequence_landmarks(seq))
        assert np.isfinite(at).all()
        assert at[..., 0].min() > 0 and at[..., 0].max() < 256 and at[..., 1].min() > 0 and at[..., 1].max() < 192
        assert seq.translation[:, 2].min() > -4.0
        ahead = (rotation_matrices(seq.rotation) @ rotation_matrices(seq.neck_pose))[..., 2]
        yaws.append(np.abs(np.degrees(np.arctan2(ahead[:, 0], ahead[:, 2]))).max())
        shares.append(take.placement.share)
    assert max(yaws) < 45 and np.median(yaws) > 8 and min(shares) >= 0.35 and max(shares) <= 0.7


def test_filming_changes_nothing_but_pose_and_identity(head: HeadModel) -> None:
    script = sample_script(np.random.default_rng(2), required=("smile", "turn_left"))
    take = prepare(script, FootageConfig(idle=False), 9)
    from facelm.data_gen.performer.animator import perform

    plain = perform(script, head)
    assert np.array_equal(take.truth.expr, plain.expr) and np.array_equal(take.truth.neck_pose, plain.neck_pose)
    assert take.truth.shape.std() > 0.2 and not take.truth.shape[20:].any()
    assert {a.name for a in measure(take.truth, head).actions} >= {"smile"}
    blinking = prepare(script, FootageConfig(idle=True), 9).truth
    assert not np.array_equal(blinking.eyes_pose, plain.eyes_pose)


def test_sensor_adds_noise_of_the_stated_size() -> None:
    take = prepare(SMILE, replace(SMALL, noise=(3.0, 3.0), blur=(0.25, 0.25)), 1)
    sensor = Sensor(np.random.default_rng(0), (64, 64), take.scene)
    grey = np.full((64, 64, 3), 128, np.uint8)
    first, second = sensor(grey).astype(float), sensor(grey).astype(float)
    assert 2.5 < first.std() < 3.6 and abs(first.mean() - 128) < 0.5 and not np.array_equal(first, second)
    edge = np.zeros((64, 64, 3), np.uint8)
    edge[:, 32:] = 200
    soft = Sensor(np.random.default_rng(0), (64, 64), replace(take.scene, noise=0.0))(edge)
    assert soft[20, 31, 0] == 50 and soft[20, 32, 0] == 150 and soft[20, 30, 0] == 0


def test_true_landmarks_as_detections(tmp_path: Path, head: HeadModel) -> None:
    made, embedding = film(SMILE, tmp_path / "a.mp4", SMALL, 3), embedding_for(head)
    exact, noisy = (truth_detections(made, embedding, noise_px=n, seed=1) for n in (0.0, 1.0))
    vertices = head.sequence_vertices(made.truth)
    wanted = made.camera.project(embedding.positions(vertices, head.faces))
    assert np.abs(exact.points[:, embedding.index] - wanted).max() < 1e-3
    absent = np.setdiff1d(np.arange(478), embedding.index)
    assert np.isnan(exact.points[:, absent]).all() and np.isnan(exact.depth[:, absent]).all() and exact.valid.all()
    assert 0.9 < np.nanstd(noisy.points - exact.points) < 1.1
    nose, ear = embedding.row[4], embedding.row[234]
    assert nose >= 0 and ear >= 0 and (exact.depth[:, 4] < exact.depth[:, 234]).all(), "the nose is nearer"
