"""Shape images and the expression classifier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from facelm.common.progress import silent
from facelm.common.store import Store
from facelm.data_gen.performer.animator import perform
from facelm.eval.datasets.expressions import frame_pose
from facelm.eval.transitions.classifier import (
    Classifier,
    Labelled,
    class_weights,
    focal_loss,
    rotated,
    rotation_study,
    train_classifier,
    varied,
)
from facelm.eval.transitions.metrics import accuracy
from facelm.eval.transitions.options import ClassifierConfig
from facelm.eval.transitions.shapes import Faces, ShapeRenderer, cached
from facelm.face.facs.schedule import Event, Schedule
from facelm.face.head.model import HeadModel

LABELS = ("happiness", "surprise", "sadness")
SMALL = ClassifierConfig(size=48, embedding=8, hidden=(8, 16), depths=(1, 1), epochs=16, batch=12, lr=5e-3, shift=1)


@pytest.fixture(scope="module")
def renderer() -> ShapeRenderer:
    return ShapeRenderer(HeadModel.default(), 48)


def faces_of(count: int, seed: int) -> tuple[Faces, np.ndarray]:
    """``count`` faces of each of LABELS, of as many people."""
    head, rng = HeadModel.default(), np.random.default_rng(seed)
    expr, pose, shape, label = [], [], [], []
    for k, emotion in enumerate(LABELS):
        for _ in range(count):
            clip = perform(Schedule(0.8, (Event(emotion, 0.0, 0.3, 0.5, 0.0, float(rng.uniform(0.8, 1.0))),)))
            e, p = frame_pose(clip, -1)
            s = np.zeros(head.n_shape, np.float32)
            s[:10] = rng.normal(0, 0.6, 10)
            expr.append(e)
            pose.append(p + np.concatenate([rng.normal(0, 0.05, 3), np.zeros(3)]))
            shape.append(s)
            label.append(k)
    return Faces(np.array(expr), np.array(pose), np.array(shape)), np.array(label)


# -- shape images -------------------------------------------------------------------------
def test_pictures_are_deterministic_and_centred(renderer: ShapeRenderer) -> None:
    faces, _ = faces_of(2, 0)
    pictures = renderer.draw(faces)
    for threads in (1, 2):
        other = ShapeRenderer(HeadModel.default(), 48)
        other.threads = threads
        assert np.array_equal(pictures, other.draw(faces))
    assert (pictures > 0).mean() > 0.5 and pictures.std() > 20
    # an identity moves the face, the crop follows: the middle of the landmarks stays in the middle of the picture
    still = Faces(np.zeros((2, 41)), np.zeros((2, 6)), np.stack([np.zeros(50), np.eye(50)[0] * 2]))
    middle = renderer.head.landmarks(renderer.head.vertices(shape=still.shape[1]))[0, :68]
    drawn = renderer.vertices(still)
    whole = renderer.head.vertices(shape=still.shape[1])[0][renderer._keep]
    moved = (whole - drawn[1])[0]
    rest = renderer.head.landmarks(renderer.head.vertices())[0, :68]
    expected = (rest.min(0) + rest.max(0)) / 2 + middle.mean(0) - rest.mean(0)
    assert moved == pytest.approx(expected, abs=1e-4)


def test_an_expression_changes_the_picture_and_a_turn_turns_it(renderer: ShapeRenderer) -> None:
    faces = Faces(np.zeros((2, 41)), np.array([[0] * 6, [0, 0, 0, 0.3, 0, 0]]), np.zeros((2, 50)))
    rest, opened = renderer.draw(faces).astype(int)
    assert np.abs(rest - opened)[28:].max() > 60 > np.abs(rest - opened)[:16].max()


def test_cache_is_read_and_a_damaged_one_drawn_again(renderer: ShapeRenderer, tmp_path) -> None:  # noqa: ANN001
    faces, _ = faces_of(1, 1)
    store = Store(tmp_path)
    first = cached(renderer, faces, store)
    file, = tmp_path.rglob("*.npy")
    np.save(file, first + 1)
    assert np.array_equal(cached(renderer, faces, store), first + 1)
    file.write_bytes(file.read_bytes()[:50])
    assert np.array_equal(cached(renderer, faces, store), first)
    other = Faces(faces.expr, faces.pose + np.float32(0.01), faces.shape)
    cached(renderer, other, store)
    assert len(list(tmp_path.rglob("*.npy"))) == 2


def test_bad_faces_are_refused() -> None:
    with pytest.raises(ValueError, match="6"):
        Faces(np.zeros((2, 41)), np.zeros((2, 3)), np.zeros((2, 50)))
    with pytest.raises(ValueError, match="not finite"):
        Faces(np.full((1, 41), np.nan), np.zeros((1, 6)), np.zeros((1, 50)))
    with pytest.raises(ValueError, match="16 to 1024"):
        ShapeRenderer(HeadModel.default(), 8)


# -- losses -------------------------------------------------------------------------------
def test_class_weights_follow_the_effective_number() -> None:
    counts, beta = np.array([10, 100, 0]), 0.99
    raw = np.array([(1 - beta) / (1 - beta**10), (1 - beta) / (1 - beta**100), 0.0])
    assert class_weights(counts, beta) == pytest.approx(raw * 3 / raw.sum())
    assert class_weights(np.array([3, 50]), 0.0) == pytest.approx([1.0, 1.0])


def test_focal_loss_without_focus_is_cross_entropy_and_by_hand_with_it() -> None:
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    assert focal_loss(logits, labels, 0.0).item() == pytest.approx(torch.nn.functional.cross_entropy(logits, labels).item())
    p = torch.softmax(logits, 1)[range(6), labels]
    weights = torch.tensor([0.5, 1.0, 2.0, 0.1])
    expected = -(weights[labels] * (1 - p) ** 2 * p.log()).mean()
    assert focal_loss(logits, labels, 2.0, weights).item() == pytest.approx(expected.item(), rel=1e-5)


# -- pictures turned and varied -----------------------------------------------------------
def test_rotation_is_by_the_angle_and_keeps_the_middle() -> None:
    picture = np.zeros((1, 33, 33), np.uint8)
    picture[0, 16, 26:29] = 255  # to the right of the middle
    up = rotated(picture, 90.0)[0]
    y, x = np.argwhere(up > 100).mean(0)
    assert (y, x) == pytest.approx((5, 16), abs=0.6)  # counter-clockwise: now above
    assert np.array_equal(rotated(picture, 0.0), picture)
    back = rotated(rotated(picture, 30.0), -30.0)[0]
    assert np.average(np.indices(back.shape).reshape(2, -1), axis=1, weights=back.ravel()) == pytest.approx((16, 27), abs=0.3)


def test_variation_is_a_flip_and_a_shift() -> None:
    picture = np.arange(64 * 16 * 16, dtype=np.uint32).reshape(64, 16, 16).astype(np.uint8)
    config = replace(SMALL, shift=0)
    out = varied(picture, config, np.random.default_rng(0))
    flipped = (out == picture[:, :, ::-1]).all((1, 2))
    assert 16 < flipped.sum() < 48 and (out == picture).all((1, 2)).sum() == 64 - flipped.sum()
    assert np.array_equal(varied(picture, replace(config, flip=False), np.random.default_rng(0)), picture)
    moved = varied(picture, replace(SMALL, flip=False, shift=2), np.random.default_rng(0))
    assert moved.shape == picture.shape and not np.array_equal(moved, picture)


# -- training -----------------------------------------------------------------------------
def test_classifier_learns_resumes_exactly_and_is_kept(renderer: ShapeRenderer, tmp_path) -> None:  # noqa: ANN001
    faces, label = faces_of(12, 2)
    test_faces, test_label = faces_of(4, 3)
    pictures, test_pictures = renderer.draw(faces), renderer.draw(test_faces)

    def train(folder: str, **more):  # noqa: ANN003, ANN202
        return train_classifier(SMALL, Labelled(pictures, label), Labelled(test_pictures, test_label), LABELS,
                                tmp_path / folder, **{"progress": silent, **more})

    def stop_after_three(done: int, of: int, stage: str = "") -> None:
        if done == 3:
            raise KeyboardInterrupt

    whole = train("whole")
    assert accuracy(test_label, whole.predict(test_pictures)) > 0.8
    assert whole.history[-1]["train_loss"] < 0.5 * whole.history[0]["train_loss"]
    with pytest.raises(KeyboardInterrupt):
        train("parts", progress=stop_after_three)
    assert not (tmp_path / "parts/config.json").exists() and (tmp_path / "parts/checkpoint.safetensors").is_file()
    parts = train("parts")
    assert parts.history == whole.history
    assert np.array_equal(parts.logits(test_pictures), whole.logits(test_pictures))
    assert not (tmp_path / "parts/checkpoint.safetensors").exists()
    again = Classifier.load(tmp_path / "whole")
    assert again.config == SMALL and np.array_equal(again.logits(test_pictures), whole.logits(test_pictures))
    study = rotation_study(whole, test_pictures, test_label)
    assert list(study) == [0.0, 10.0, 15.0, 30.0] and study[0.0][0] == accuracy(test_label, whole.predict(test_pictures))
    (tmp_path / "new").mkdir()
    (tmp_path / "new/checkpoint.safetensors").write_bytes(b"junk")
    with pytest.raises(ValueError, match="damaged.*delete it"):
        train("new")
    (tmp_path / "whole/model.safetensors").write_bytes(b"junk")
    with pytest.raises(ValueError, match="does not hold this model's weights"):
        Classifier.load(tmp_path / "whole")


def test_bad_training_data_and_configs_are_refused(tmp_path) -> None:  # noqa: ANN001
    pictures = np.zeros((4, 48, 48), np.uint8)
    none = Labelled(np.zeros((0, 48, 48), np.uint8), np.zeros(0, int))
    with pytest.raises(ValueError, match="0 to 2"):
        train_classifier(SMALL, Labelled(pictures, np.array([0, 1, 2, 3])), none, LABELS)
    with pytest.raises(ValueError, match="2 or more pictures"):
        train_classifier(SMALL, Labelled(pictures[:1], np.array([0])), none, LABELS)
    with pytest.raises(FileNotFoundError, match="no facelm-expression-classifier"):
        Classifier.load(tmp_path)
    for change, match in (({"loss": "hinge"}, "'ce' or 'rfl'"), ({"beta": 1.0}, "beta"), ({"depths": (1,)}, "as many"),
                          ({"layer": "wide"}, "bottleneck"), ({"epochs": 0}, "epochs"), ({"shift": 30}, "shift")):
        with pytest.raises(ValueError, match=match):
            replace(SMALL, **change)


def test_few_pictures_are_read_more_often() -> None:
    config = replace(SMALL, epochs=3, steps=100, batch=12)
    assert [config.for_pictures(n).epochs for n in (5, 120, 12_000)] == [100, 10, 3]
    assert replace(config, steps=0).for_pictures(5).epochs == 3
    with pytest.raises(ValueError, match="steps"):
        replace(config, steps=-1)
