"""The fit: its derivatives, its linear algebra, and what it recovers from landmarks whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from facelm.benchmarks.fits.truth import truth_detections
from facelm.common.config import parse
from facelm.data_gen.fit.config import DataTerms, FitConfig, Priors
from facelm.data_gen.fit.detect import Detections, TrackEvent
from facelm.data_gen.fit.energy import EXPR, Energy, Observed, Person, Pose, solve_window
from facelm.data_gen.fit.fit import fit_detections, fit_shots, shots_of
from facelm.data_gen.fit.points import PointModel
from facelm.data_gen.fit.quality import Gate, assess, blink_agreement
from facelm.data_gen.fit.solve import _joined, _windows, fit_landmarks
from facelm.data_gen.video.footage import Footage, FootageConfig, prepare
from facelm.face.clip.channels import EXPR_INDEX
from facelm.face.facs.schedule import Event, Schedule
from facelm.face.head.model import HeadModel
from facelm.face.landmarks.points import embedding_for
from facelm.face.landmarks.response import response_for
from facelm.face.render.camera import PinholeCamera
from scipy.spatial.transform import Rotation


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.default()


@pytest.fixture(scope="module")
def model(head: HeadModel) -> PointModel:
    embedding = embedding_for(head)
    return PointModel(head, embedding, response_for(head, embedding))


def random_pose(model: PointModel, frames: int, rng: np.random.Generator) -> Pose:
    eyes = rng.normal(0, 0.1, (frames, 6)).astype(np.float32)
    eyes[:, [2, 5]] = 0
    jaw = rng.normal(0, 0.03, (frames, 3)).astype(np.float32) + np.array([0.15, 0, 0], np.float32)
    rot = Rotation.from_rotvec(rng.normal(0, 0.15, (frames, 3))).as_matrix().astype(np.float32)
    pos = np.tile(np.array([[0.02, 0.01, -0.8]], np.float32), (frames, 1))
    return Pose(rot, pos, jaw, eyes, rng.uniform(0, 0.6, (frames, model.n_columns)).astype(np.float32))


def observed(model: PointModel, frames: int) -> Observed:
    e = model.n_expr
    return Observed(np.zeros((frames, model.n_points, 2), np.float32), np.ones((frames, model.n_points), bool),
                    np.full(frames, 1500, np.float32), np.ones((frames, 2), np.float32), np.zeros((frames, e), np.float32),
                    np.full(e, np.inf, np.float32))


def test_points_are_the_head_s_own(head: HeadModel) -> None:
    plain = PointModel(head, embedding_for(head), None)
    rng = np.random.default_rng(0)
    pose, shape = random_pose(plain, 5, rng), rng.normal(0, 0.7, head.n_shape).astype(np.float32)
    found = plain.local(plain.neutral(shape), plain.joints(shape), pose.expr, pose.jaw, pose.eyes).at
    vertices = head.vertices(pose.expr, None, None, pose.jaw, pose.eyes, None, shape)
    corners = vertices[:, head.faces[plain.embedding.faces]]
    true = np.einsum("tlkc,lk->tlc", corners, plain.embedding.bary)
    assert np.abs(found - true).mean() < 2e-5 and np.abs(found - true).max() < 5e-4


def test_derivatives_are_those_of_the_residuals(model: PointModel) -> None:
    rng, frames, step = np.random.default_rng(1), 3, 1e-3
    energy, seen, pose = Energy(model, FitConfig(), 1200.0), observed(model, 3), random_pose(model, 3, rng)
    person = Person(rng.normal(0, 0.5, model.n_shape).astype(np.float32), np.zeros((model.n_points, 3), np.float32), 7.0)
    caught: dict[str, np.ndarray] = {}
    plain = energy._normal

    def spy(*args: object) -> object:
        caught["slope"] = args[4]  # type: ignore[assignment]
        return plain(*args)  # type: ignore[arg-type]

    energy._normal = spy  # type: ignore[assignment, method-assign]
    energy.build(seen, pose, person)
    for k in (0, 1, 2, 3, 5, 6, 7, 8, 9, 12, EXPR, EXPR + 20, EXPR + model.n_expr):
        move = np.zeros((frames, EXPR + model.n_columns))
        move[:, k] = step
        ends = [energy.residuals(seen, pose.moved(sign * move), person) for sign in (1, -1)]
        numeric = (ends[1] - ends[0]) / (2 * step)
        # the view's own correction is left out of the rotation's derivative
        assert np.abs(numeric - caught["slope"][..., k]).max() < (0.02 if k < 3 else 3e-4), k


def test_banded_solve_equals_the_dense_one() -> None:
    rng, frames, size = np.random.default_rng(2), 6, 4
    root = rng.normal(size=(frames, size, size))
    hessian = root @ root.transpose(0, 2, 1) + np.eye(size)
    gradient, stiff = rng.normal(size=(frames, size)), rng.uniform(1, 9, size)
    dense = np.zeros((frames * size, frames * size))
    for t in range(frames):
        dense[t * size:(t + 1) * size, t * size:(t + 1) * size] = hessian[t]
    second = np.zeros((frames - 2, frames))
    for t in range(frames - 2):
        second[t, t:t + 3] = 1, -2, 1
    dense += np.kron(second.T @ second, np.diag(stiff))
    want = np.linalg.solve(dense, gradient.ravel()).reshape(frames, size)
    assert np.allclose(solve_window(hessian, gradient, stiff, damping=0.0), want, atol=1e-9)


@pytest.mark.parametrize(("frames", "window", "overlap"), [(10, 256, 24), (600, 256, 24), (257, 256, 24), (1000, 64, 8)])
def test_windows_cover_the_clip_and_overlap(frames: int, window: int, overlap: int) -> None:
    edges = _windows(frames, window, overlap)
    assert edges[0][0] == 0 and edges[-1][1] == frames
    assert all(low < before for (_, before), (low, _) in zip(edges[:-1], edges[1:], strict=True))
    assert max(b - a for a, b in edges) <= window + overlap


def test_joining_equal_windows_changes_nothing(model: PointModel) -> None:
    whole = random_pose(model, 40, np.random.default_rng(3))
    edges = [(0, 20), (14, 32), (26, 40)]
    again = _joined([whole.part(slice(*e)) for e in edges], edges)
    assert np.allclose(again.rot, whole.rot, atol=1e-5) and np.allclose(again.expr, whole.expr, atol=1e-6)


EXACT = FitConfig(detector=False)
SCRIPT = Schedule(3.2, (Event("smile", 0.5, 0.3, 0.5, 0.4, 0.9), Event("turn_left", 1.8, 0.4, 0.3, 0.4, 0.7)), seed=4)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Footage, Detections]:
    take = prepare(SCRIPT, FootageConfig(size=(512, 512), idle=False), seed=3)
    clip = Footage(tmp_path_factory.mktemp("f") / "x.mp4", take.truth, take.placement.camera, SCRIPT)
    seen = truth_detections(clip, embedding_for(take.head), 1.0, 5)
    return clip, replace(seen, blendshapes=np.full_like(seen.blendshapes, np.nan))


def beginning(seen: Detections, frames: int) -> Detections:
    return replace(seen, **{k: getattr(seen, k)[:frames] for k in ("points", "depth", "blendshapes", "pose", "valid")})


def test_motion_is_recovered_from_points_with_noise(filmed: tuple[Footage, Detections], head: HeadModel) -> None:
    clip, seen = filmed
    result = fit_detections(seen, head, config=EXACT)
    true, found = clip.truth, result.seq
    smile = EXPR_INDEX["mouthSmileLeft"]
    assert np.corrcoef(true.expr[:, smile], found.expr[:, smile])[0, 1] > 0.95
    turned = [(Rotation.from_rotvec(s.rotation) * Rotation.from_rotvec(s.neck_pose)) for s in (true, found)]
    apart = np.degrees((turned[0].inv() * turned[1]).as_rotvec())
    assert np.linalg.norm(apart - np.median(apart, 0), axis=1).mean() < 1.0
    assert result.quality.ok and result.quality.reprojection < 3 and result.quality.jitter < result.quality.raw_jitter
    shown = result.camera.project(head.sequence_landmarks(found)[:, head.landmark_index("ibug_30")])
    nose = clip.camera.project(head.sequence_landmarks(true)[:, head.landmark_index("ibug_30")])
    assert np.linalg.norm(shown - nose, axis=1).mean() < 8  # px of 512: the mesh is where the face is


def test_the_same_landmarks_give_the_same_fit(filmed: tuple[Footage, Detections], head: HeadModel) -> None:
    first, second = (fit_landmarks(beginning(filmed[1], 30), head) for _ in range(2))
    assert np.array_equal(first.seq.expr, second.seq.expr) and first.camera == second.camera


def test_windows_hardly_change_the_fit(filmed: tuple[Footage, Detections], head: HeadModel) -> None:
    whole = fit_landmarks(filmed[1], head).seq
    parts = fit_landmarks(filmed[1], head, FitConfig(window=40, overlap=12)).seq
    assert np.abs(whole.expr - parts.expr).mean() < 0.02 and np.abs(whole.rotation - parts.rotation).max() < 0.03


def test_frames_without_a_face_are_bridged_and_marked(filmed: tuple[Footage, Detections], head: HeadModel) -> None:
    seen = filmed[1]
    valid = seen.valid.copy()
    valid[20:24] = False
    points = np.where(valid[:, None, None], seen.points, np.nan).astype(np.float32)
    result = fit_detections(replace(seen, valid=valid, points=points), head)
    assert not result.seq.valid[20:24].any() and result.seq.valid[:20].all()
    whole = fit_detections(seen, head).seq
    assert np.abs(result.seq.rotation[20:24] - whole.rotation[20:24]).max() < 0.05


def test_a_known_focal_length_is_kept(filmed: tuple[Footage, Detections], head: HeadModel) -> None:
    camera = PinholeCamera(900.0, 512, 512)
    assert fit_landmarks(beginning(filmed[1], 20), head, camera=camera).camera.focal == pytest.approx(900.0, rel=1e-4)


def test_the_longest_shot_is_fitted(filmed: tuple[Footage, Detections], head: HeadModel) -> None:
    seen = replace(filmed[1], events=(TrackEvent("cut", 15),))
    assert shots_of(seen) == [(0, 15), (15, len(seen.valid))]
    result = fit_detections(seen, head)
    assert not result.seq.valid[:15].any() and result.seq.valid[15:].all() and len(result.seq) == len(seen)
    assert any("0.6 s of other shots" in n for n in result.notes)  # 15 frames


def test_every_shot_is_fitted_for_itself(filmed: tuple[Footage, Detections], head: HeadModel) -> None:
    seen = replace(filmed[1], events=(TrackEvent("cut", 30),))
    first, second = fit_shots(seen, head)
    assert (first.start, second.start) == (0, 30) and (len(first.seq), len(second.seq)) == (30, len(seen) - 30)
    alone = fit_detections(seen, head).seq
    assert np.array_equal(alone.expr[30:], second.seq.expr) and not alone.valid[:30].any()
    assert len(fit_shots(replace(seen, events=(TrackEvent("cut", 5),)), head)) == 1  # too short to be fitted


def test_what_a_face_does_while_it_rests_is_its_look(filmed: tuple[Footage, Detections], head: HeadModel) -> None:
    clip, seen = filmed
    smile = EXPR_INDEX["mouthSmileLeft"]
    apex = int(np.argmax(clip.truth.expr[:, smile])) / seen.fps
    found = fit_detections(seen, head, config=replace(EXACT, rest=(apex - 0.1, apex + 0.1))).seq
    usual = fit_detections(seen, head, config=EXACT).seq
    assert found.expr[:, smile].max() < 0.5 * usual.expr[:, smile].max()
    with pytest.raises(ValueError, match="rest is 90-91 s"):
        fit_detections(seen, head, config=replace(EXACT, rest=(90.0, 91.0)))
    with pytest.raises(ValueError, match="earlier second first"):
        FitConfig(rest=(2.0, 1.0))


def test_no_face_is_said(filmed: tuple[Footage, Detections]) -> None:
    nobody = replace(filmed[1], valid=np.zeros_like(filmed[1].valid))
    with pytest.raises(ValueError, match="no face in any of the"):
        fit_landmarks(nobody)


def test_the_gate_says_why(filmed: tuple[Footage, Detections], head: HeadModel) -> None:
    seen = beginning(filmed[1], 25)
    fitted = fit_landmarks(seen, head)
    quality = assess(seen, fitted, head, Gate(reprojection=0.1))
    assert not quality.ok and "reprojection" in quality.reasons[0] and "0.1" in quality.reasons[0]


def test_blinks_are_counted_from_apertures() -> None:
    time = np.arange(100) / 25
    one = np.where(np.abs(time - 1.0) < 0.1, 0.01, 0.09)
    two = np.where(np.abs(time - 3.0) < 0.1, 0.01, one)
    every = np.ones(100, bool)
    found = blink_agreement(np.stack([two, two], 1), np.stack([one, one], 1), every, 25.0)
    assert (found.seen, found.fitted, found.matched) == (2, 1, 1) and found.f1 == pytest.approx(2 / 3)


@pytest.mark.parametrize(("kind", "values", "text"), [
    (FitConfig, {"window": 20, "overlap": 12}, "overlap is 12"), (DataTerms, {"share": 0.0}, "share is 0.0"),
    (Priors, {"together": 1.5}, "together is 1.5"), (Gate, {"valid": 2.0}, "valid is 2.0"),
    (FitConfig, {"data": {"lip_gap": "wide"}}, r"data.lip_gap is 'wide'"), (FitConfig, {"stops": 3}, "unknown entry 'stops'"),
])
def test_settings_out_of_range_are_named(kind: type, values: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse(kind, values)
    with pytest.raises(ValueError, match="focal is 0.0"):
        PinholeCamera(0.0, 10, 10)
