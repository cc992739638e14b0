"""The learned prior on what a fit finds: its symmetry, its weight far from its training set, and that the fit follows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from facelm.data_gen.fit.config import FitConfig
from facelm.data_gen.fit.energy import EXPR, Energy, Observed, Person, Pose
from facelm.data_gen.fit.learned_prior import prior_inputs, with_prior
from facelm.data_gen.fit.points import PointModel
from facelm.data_gen.fit.solve import _all_frames
from facelm.face.clip.channels import EXPR_INDEX, EXPR_NAMES
from facelm.face.head.model import HeadModel
from facelm.face.landmarks.learned_prior import MIRRORED, OUTPUTS, Found, LearnedPrior, learned_prior_for
from facelm.face.landmarks.points import embedding_for
from facelm.face.landmarks.response import response_for

HEAD = HeadModel.default()
EMBEDDING = embedding_for(HEAD)


@pytest.fixture(scope="module")
def prior() -> LearnedPrior:
    found = learned_prior_for(HEAD, EMBEDDING)
    assert found is not None
    return found


def random_found(prior: LearnedPrior, frames: int, size: float = 1.0) -> Found:
    rng = np.random.default_rng(3)
    draw = lambda *shape, by: rng.normal(0, by * size, (frames, *shape)).astype(np.float32)  # noqa: E731
    return Found(np.abs(draw(len(EXPR_NAMES), by=0.1)), draw(3, by=0.02), draw(2, by=0.1),
                 draw(len(prior.other), 2, by=0.0003), draw(2, by=0.1), np.ones((frames, 2), np.float32),
                 np.arange(frames) != 2)


def test_a_face_and_its_mirror_image_are_read_alike(prior: LearnedPrior) -> None:
    assert MIRRORED[EXPR_INDEX["mouthLeft"]] == EXPR_INDEX["mouthRight"]
    assert MIRRORED[EXPR_INDEX["jawForward"]] == EXPR_INDEX["jawForward"]
    found = random_found(prior, 20)
    read, _ = prior.read(found)
    back, _ = prior.read(found.mirrored(prior.other))
    assert read.shape == (20, OUTPUTS) and np.isfinite(read).all()
    n = len(EXPR_NAMES)
    assert read[:, :n].min() >= 0 and read[:, :n].max() <= 1
    assert np.allclose(read[:, :n], back[:, MIRRORED], atol=1e-5)
    assert np.allclose(read[:, n:], back[:, n:] * [1, -1, -1, 1, -1], atol=1e-5)


def test_a_face_unlike_the_training_set_has_less_weight(prior: LearnedPrior) -> None:
    rest = replace(random_found(prior, 20, 0.1), beyond=np.zeros((20, len(prior.other), 2), np.float32))
    assert prior.read(rest)[1].min() == 1.0
    assert prior.read(random_found(prior, 20, 30))[1].max() < 0.5


def test_the_fit_follows_the_prior_as_far_as_its_weight(prior: LearnedPrior) -> None:
    model = PointModel(HEAD, EMBEDDING, response_for(HEAD, EMBEDDING))
    energy, frames, e = Energy(model, FitConfig(), 1200.0), 20, len(EXPR_NAMES)
    person = Person(np.zeros(model.n_shape, np.float32), np.zeros((model.n_points, 3), np.float32), float(np.log(1200)))
    pose = Pose(np.tile(np.eye(3, dtype=np.float32), (frames, 1, 1)), np.tile(np.array([0, 0, -0.8], np.float32), (frames, 1)),
                np.zeros((frames, 3), np.float32), np.zeros((frames, 6), np.float32),
                np.zeros((frames, model.n_columns), np.float32))
    seen = Observed(np.zeros((frames, model.n_points, 2), np.float32), np.ones((frames, model.n_points), bool),
                    np.full(frames, 1500, np.float32), np.ones((frames, 2), np.float32), np.zeros((frames, e), np.float32),
                    np.full(e, np.inf, np.float32))
    shown = energy.residuals(seen, pose, person)
    seen = replace(seen, points=-shown * seen.scale[:, None, None])  # the head at rest, seen exactly
    good = np.ones(frames, bool)
    found = prior_inputs(energy, seen, person, pose, good)
    assert np.abs(found.beyond).max() < 1e-6
    smile, n = EXPR_INDEX["mouthSmileLeft"], len(EXPR_NAMES)
    sure = replace(prior, bias=prior.bias + np.eye(OUTPUTS, dtype=np.float32)[smile] * 3)
    reached = []
    for factor in (100.0, 0.05):
        read = with_prior(sure, found, seen, factor)
        assert read.prior is not None and read.prior.shape == (frames, 7 + n) and read.part(slice(0, 4)).prior is not None
        assert np.allclose(read.prior[:, 7:], sure.read(found)[0][:, :n])
        after = _all_frames(energy, read, person, pose, 25.0, 4)
        reached.append(float(after.expr[:, smile].mean()))
    assert reached[0] < 0.1 < 0.6 < reached[1]
    assert EXPR + n <= EXPR + model.n_columns


def test_other_heads_are_fitted_without_it() -> None:
    part = replace(EMBEDDING, **{k: getattr(EMBEDDING, k)[:100] for k in ("index", "faces", "bary", "region", "spread", "bias")})
    assert learned_prior_for(HEAD, part) is None
