"""Retargeting: exact where it must be, close where it can be, and refused in one line where it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from facelm.data_gen.corpus.splits import split_of
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.sampler import sample_script
from facelm.face.clip.channels import EXPR_INDEX
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.measure import measure
from facelm.face.head.bounded import box_least_squares
from facelm.face.head.model import HeadModel
from facelm.face.io.heads.ict import convert_ict
from facelm.face.retarget.retarget import RetargetConfig, Retargeting
from head_variants import another, real_ict, unnamed
from inputs import command
from scipy.optimize import lsq_linear


@pytest.fixture(scope="module")
def other(head: HeadModel) -> HeadModel:
    return another(head, 1)[0]


@pytest.fixture(scope="module")
def there(head: HeadModel, other: HeadModel) -> Retargeting:
    return Retargeting.between(head, other)


@pytest.fixture(scope="module")
def back(head: HeadModel, other: HeadModel) -> Retargeting:
    return Retargeting.between(other, head)


def still(clip: FaceSequence) -> FaceSequence:
    return clip.replace(neck_pose=np.zeros_like(clip.neck_pose))


def apart(head: HeadModel, a: FaceSequence, b: FaceSequence, region: str) -> np.ndarray:
    """mm between two clips of one head, over the vertices of a region."""
    at = head.masks[region]
    gap = head.sequence_vertices(still(a))[:, at] - head.sequence_vertices(still(b))[:, at]
    return 1e3 * np.linalg.norm(gap, axis=-1)


def test_there_and_back(there: Retargeting, back: Retargeting, head: HeadModel, clips: list[FaceSequence]) -> None:
    for clip in clips[:6]:
        again = back.apply(there.apply(clip))
        assert apart(head, clip, again, "lips").mean() < 0.4
        assert apart(head, clip, again, "lids").mean() < 0.3
        assert again.head == head.ref


def test_the_same_face_is_mapped_by_name(there: Retargeting, clips: list[FaceSequence]) -> None:
    """The target has the same shapes in its own proportions, so its coefficients stay nearly the same."""
    for clip in clips[:6]:
        done = there.apply(clip)
        assert np.abs(done.expr - clip.expr).mean() < 0.02 and np.abs(done.jaw_pose - clip.jaw_pose).max() < 0.03


def test_angles_are_exact_and_rest_stays_rest(there: Retargeting, random_clip: FaceSequence, head: HeadModel) -> None:
    done = there.apply(random_clip)
    for name in ("rotation", "neck_pose", "eyes_pose", "valid"):
        assert np.array_equal(getattr(done, name), getattr(random_clip, name))
    assert done.fps == random_clip.fps and done.head == there.b.ref
    rest = there.apply(FaceSequence.rest(4, head.ref, n_expr=head.n_expr))
    assert not rest.expr.any() and not rest.jaw_pose.any() and not rest.translation.any() and not rest.shape.any()


def test_a_placed_clip_keeps_its_place(there: Retargeting, head: HeadModel) -> None:
    rng = np.random.default_rng(0)
    clip = FaceSequence.rest(8, head.ref, n_expr=head.n_expr, n_shape=head.n_shape).replace(
        rotation=rng.normal(0, 0.3, (8, 3)), translation=rng.normal(0, 0.1, (8, 3)) + [0, 0, -0.8])
    done = there.apply(clip, "average")

    def eyes(model: HeadModel, seq: FaceSequence) -> np.ndarray:
        pose = {"rotation": seq.rotation, "translation": seq.translation}
        balls = [model.vertices(**pose)[:, model.masks[f"eyeball_{s}"]].mean(1) for s in ("left", "right")]
        return np.asarray((balls[0] + balls[1]) / 2)

    assert np.abs(eyes(head, clip) - eyes(there.b, done)).max() < 2e-3  # the balls' vertices are not their centres


def test_frames_are_independent_and_results_repeat(there: Retargeting, clips: list[FaceSequence]) -> None:
    clip = clips[3]
    whole, part = there.apply(clip), there.apply(clip.slice(10, 20))
    assert np.abs(whole.expr[10:20] - part.expr).max() < 1e-5
    assert np.array_equal(there.apply(clip).expr, whole.expr)


def test_it_is_as_smooth_as_the_clip(there: Retargeting, clips: list[FaceSequence]) -> None:
    for clip in clips[:6]:
        done = there.apply(clip)
        before, after = (np.abs(np.diff(c.expr, 2, axis=0)).sum() for c in (clip, done))
        assert after < 1.3 * before + 1e-3


def test_named_coefficients_stay_in_range(there: Retargeting, head: HeadModel) -> None:
    rng = np.random.default_rng(0)
    clip = FaceSequence.rest(50, head.ref, n_expr=head.n_expr).replace(expr=rng.uniform(0, 1, (50, head.n_expr)))
    done = there.apply(clip)
    assert done.expr.min() >= 0 and done.expr.max() <= 1


def test_a_head_without_names(head: HeadModel, clips: list[FaceSequence]) -> None:
    mixed = unnamed(head)
    go, back = Retargeting.between(head, mixed), Retargeting.between(mixed, head)
    clip = max(clips[:8], key=lambda c: float(np.abs(c.expr).sum()))
    gone = go.apply(clip)
    gap = (head.sequence_vertices(clip) - mixed.sequence_vertices(gone))[:, head.masks["face"]]
    assert 1e3 * np.linalg.norm(gap, axis=-1).mean() < 0.2
    assert apart(head, clip, back.apply(gone), "lips").mean() < 0.3


def test_lids_and_lips_still_meet(there: Retargeting, head: HeadModel) -> None:
    clip = FaceSequence.rest(2, head.ref, n_expr=head.n_expr)
    expr = np.zeros_like(clip.expr)
    expr[1, [EXPR_INDEX["eyeBlinkLeft"], EXPR_INDEX["eyeBlinkRight"]]] = 1
    marks = there.b.sequence_landmarks(there.apply(clip.replace(expr=expr)))
    opening = np.linalg.norm(marks[:, [37, 38, 43, 44]] - marks[:, [41, 40, 47, 46]], axis=-1)
    assert opening[1].max() < 0.2 * opening[0].min()


def test_identity(there: Retargeting, head: HeadModel) -> None:
    shape = np.zeros(head.n_shape, np.float32)
    shape[:3] = [1.0, -0.8, 0.5]
    clip = FaceSequence.rest(2, head.ref, n_expr=head.n_expr, n_shape=head.n_shape).replace(shape=shape)
    carried = there.apply(clip).shape
    assert np.abs(carried - shape).max() < 0.35  # the same components, on the same kind of head
    assert not there.apply(clip, "average").shape.any()
    assert np.array_equal(there.apply(clip, shape).shape, shape)
    for bad, sentence in (("mean", "identity is 'mean'"), (np.zeros(3), "identity has shape")):
        with pytest.raises(ValueError, match=sentence):
            there.apply(clip, bad)


def test_reports(there: Retargeting, clips: list[FaceSequence]) -> None:
    report = there.report(clips[0])
    assert set(report.regions) == {"lips_upper", "lips_lower", "lids", "brows", "nose", "cheeks", "forehead", "jaw", "face"}
    assert all(e.mean < 1.0 and e.mean <= e.p95 + 1e-9 for e in report.regions.values())
    assert json.dumps(report.to_dict())


def test_other_clips_and_settings_are_refused(there: Retargeting, other: HeadModel) -> None:
    with pytest.raises(ValueError, match="is of the head variant"):
        there.apply(FaceSequence.rest(2, other.ref, n_expr=other.n_expr))
    for name in ("trust", "ridge", "limit"):
        with pytest.raises(ValueError, match=name):
            RetargetConfig(**{name: -1.0})


def test_box_least_squares() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 6)), rng.normal(size=(30, 4))
    found = box_least_squares(a.T @ a, a.T @ b, np.full((6, 4), 0.5), 0.0, 1.0)
    true = np.stack([lsq_linear(a, y, (0, 1), tol=1e-12).x for y in b.T], 1)
    assert np.abs(found - true).max() < 1e-4


# -- the command ------------------------------------------------------------------------
def run(*words: str) -> int:
    return command("retarget", *words)


def test_command(tmp_path: Path, other: HeadModel, clips: list[FaceSequence], capsys: pytest.CaptureFixture[str]) -> None:
    other.save(tmp_path / "other.npz")
    for k in (0, 1):
        clips[k].save(tmp_path / f"{k}.npz")
    source = [str(tmp_path / f"{k}.npz") for k in (0, 1)]
    assert run(*source, "--to", str(tmp_path / "other.npz"), "-o", str(tmp_path / "out"), "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["frames"] for row in rows] == [len(clips[0]), len(clips[1])]
    assert rows[0]["regions_mm"]["lids"]["mean"] < 1.0
    gone = str(tmp_path / "out" / "0.npz")
    assert FaceSequence.load(gone).head == other.ref
    assert run(gone, "--from", str(tmp_path / "other.npz"), "--to", "default", "-o", str(tmp_path / "again.npz")) == 0
    assert "lips_upper" in capsys.readouterr().out
    assert FaceSequence.load(tmp_path / "again.npz", HeadModel.default().ref).head == HeadModel.default().ref
    wrong = [([gone, "--to", str(tmp_path / "other.npz"), "-o", str(tmp_path / "x.npz")], "give the clip's own head with --from"),
             ([*source, "--to", str(tmp_path / "other.npz"), "-o", str(tmp_path / "x.npz")], "give a folder"),
             ([source[0], source[0], "--to", str(tmp_path / "other.npz"), "-o", str(tmp_path / "out")], "inputs are named"),
             ([source[0], "--to", "default", "-o", str(tmp_path / "x.npz")], "the same head"),
             ([source[0], "--to", str(tmp_path / "other.npz"), "-o", str(tmp_path)], "written over its own input")]
    for words, sentence in wrong:
        with pytest.raises(ValueError, match=sentence):
            run(*words)
    with pytest.raises(FileNotFoundError):
        run(source[0], "--to", str(tmp_path / "none.npz"), "-o", str(tmp_path / "x.npz"))


@pytest.mark.skipif(real_ict() is None, reason="no ICT-FaceKit file")
def test_the_real_head_there_and_back(head: HeadModel) -> None:
    target = convert_ict(real_ict())  # type: ignore[arg-type]
    go, back = Retargeting.between(head, target), Retargeting.between(target, head)
    rng, kept = np.random.default_rng(0), 0
    hits = wanted = 0
    while kept < 8:
        script = sample_script(rng)
        if split_of(script) != "test":
            continue
        kept += 1
        clip = perform(script)
        gone = go.apply(clip)
        again = back.apply(gone)
        assert apart(head, clip, again, "lips").mean() < 1.0 and apart(head, clip, again, "lids").mean() < 0.5
        seen = [a.name for a in measure(gone, target).actions]
        truth = [a.name for a in measure(clip, head).actions]
        wanted, hits = wanted + len(truth), hits + sum(n in seen for n in truth)
    assert hits > 0.9 * wanted
