"""ICT-style heads: converted from files made of the default head, whose answer is known, and from the real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.sampler import sample_script
from facelm.face.clip.channels import EXPR_NAMES
from facelm.face.facs.measure import measure
from facelm.face.head.model import HeadModel
from facelm.face.io.heads.ict import convert_ict
from facelm.face.io.heads.ict_file import arkit_name
from head_variants import ict_arrays, real_ict


@pytest.fixture(scope="module")
def arrays(head: HeadModel) -> dict[str, np.ndarray]:
    return ict_arrays(head)


@pytest.fixture(scope="module")
def converted(arrays: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> HeadModel:
    path = tmp_path_factory.mktemp("ict") / "whole.npz"
    np.savez(path, **arrays)
    return convert_ict(path)


@pytest.fixture(scope="module")
def hollow(head: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> HeadModel:
    """Without eyeballs, teeth and tongue in the file, as in the Light edition."""
    path = tmp_path_factory.mktemp("ict") / "hollow.npz"
    np.savez(path, **ict_arrays(head, sockets=True))
    return convert_ict(path)


def test_names_units_and_joints(converted: HeadModel, head: HeadModel) -> None:
    assert converted.expr_names == EXPR_NAMES and converted.n_shape == 4 and converted.n_vertices == head.n_vertices
    assert np.allclose(converted.v_template.max(0) - converted.v_template.min(0), np.ptp(head.v_template, axis=0), atol=1e-5)
    mine, true = converted.joints(), head.joints()
    assert np.abs(mine[2:] - true[2:]).max() < 5e-4  # jaw and eyes
    assert np.abs(mine[:2] - true[:2]).max() < 5e-3  # the neck has no shape of its own
    angles = converted.meta["arkit_angles"]
    assert np.allclose([angles[k] for k in head.meta["arkit_angles"]], list(head.meta["arkit_angles"].values()), atol=0.004)


def test_lower_teeth_give_the_jaw(converted: HeadModel, arrays: dict[str, np.ndarray]) -> None:
    opened = arrays["expression"][list(arrays["expression_names"]).index("jawOpen")].astype(np.float32) / 100
    pose = np.array([[converted.meta["arkit_angles"]["jawOpen"], 0, 0]], np.float32)
    gap = converted.vertices(jaw_pose=pose)[0] - converted.v_template - opened
    assert 1e3 * np.linalg.norm(gap, axis=1).mean() < 0.05
    lower = converted.masks["teeth_lower"]
    assert len(lower) and (converted.weights[lower, 2] == 1).all()


def test_sides_are_merged_and_missing_columns_are_zero(converted: HeadModel, head: HeadModel) -> None:
    size = np.linalg.norm(converted.shapedirs[:, :, 4:], axis=1).max(0)
    true = np.linalg.norm(head.shapedirs[:, :, head.n_shape:], axis=1).max(0)
    there = np.array([n != "tongueOut" for n in EXPR_NAMES])
    assert np.allclose(size[there], true[there], atol=2e-5)
    assert converted.meta["missing"] == ["tongueOut"] and size[~there] == 0


def test_regions_and_landmarks_have_the_default_heads_names(converted: HeadModel, hollow: HeadModel, head: HeadModel) -> None:
    for other in (converted, hollow):
        assert other.lmk_names[:68] == head.lmk_names[:68] and set(other.lmk_names) == set(head.lmk_names)
        assert set(other.masks) == set(head.masks)
        assert all(len(other.masks[k]) for k in ("lips_upper", "lips_lower", "lids", "brows", "eyeball_left", "teeth_lower"))
        assert not set(other.masks["lips_upper"].tolist()) & set(other.masks["lips_lower"].tolist())
        marks = other.landmarks(other.v_template[None])[0]
        own = head.landmarks(head.v_template[None])[0][[head.landmark_index(n) for n in other.lmk_names]]
        gap = 1e3 * np.linalg.norm(marks - own, axis=1)
        assert gap.mean() < 3 and gap[[other.landmark_index("pupil_left"), other.landmark_index("tongue_tip")]].max() < 3


def test_what_the_file_lacks_is_added(hollow: HeadModel, head: HeadModel) -> None:
    assert np.abs(hollow.joints()[3:] - head.joints()[3:]).max() < 1e-3  # read off the sockets
    assert hollow.meta["missing"] == []  # tongueOut came with the tongue
    out = hollow.shapedirs[hollow.masks["tongue"], 2, hollow.n_shape + EXPR_NAMES.index("tongueOut")]
    assert out.max() > 0.005
    ball = hollow.masks["eyeball_left"]
    assert len(ball) == len(head.masks["eyeball_left"]) and (hollow.weights[ball, 3] == 1).all()
    moved = hollow.vertices(eyes_pose=np.array([[0.2, 0, 0, 0, 0, 0]], np.float32))[0] - hollow.v_template
    assert np.linalg.norm(moved[ball], axis=1).max() > 2e-3
    wide = np.zeros(4, np.float32)
    wide[0] = 1
    assert np.abs(hollow.joints(wide)[3:] - hollow.vertices(shape=wide)[0][ball].mean(0)).min() < 0.02


def test_the_same_script_shows_the_same_actions(converted: HeadModel, hollow: HeadModel, head: HeadModel) -> None:
    rng = np.random.default_rng(3)
    for _ in range(6):
        script = sample_script(rng)
        truth = [(a.name, a.cycles) for a in measure(perform(script, head), head).actions if a.name != "tongue_out"]
        for other in (converted, hollow):
            seen = [(a.name, a.cycles) for a in measure(perform(script, other), other).actions if a.name != "tongue_out"]
            assert sorted(seen, key=str) == sorted(truth, key=str)


def test_it_is_saved_and_loaded(hollow: HeadModel, tmp_path: Path) -> None:
    hollow.save(tmp_path / "head.npz")
    assert HeadModel.load(tmp_path / "head.npz").sha256 == hollow.sha256


@pytest.mark.parametrize(("name", "expected"), [
    ("browDown_L", "browDownLeft"), ("browInnerUp_R", "browInnerUp"), ("cheekPuff_L", "cheekPuff"), ("mouthLeft", "mouthLeft"),
    ("eyeBlinkRight", "eyeBlinkRight"), ("jawOpen", "jawOpen")])
def test_names(name: str, expected: str) -> None:
    assert arkit_name(name) == expected


def without(key: str) -> Callable[[dict[str, np.ndarray]], None]:
    return lambda a: a.pop(key)  # type: ignore[arg-type,return-value]


def put(key: str, value: Callable[[np.ndarray], np.ndarray]) -> Callable[[dict[str, np.ndarray]], None]:
    return lambda a: a.update({key: value(a[key])})


@pytest.mark.parametrize(("spoil", "sentence"), [
    (without("landmarks68"), "landmarks68 missing"),
    (without("faces"), "faces missing"),
    (put("v_template", lambda v: 1e3 * v), "between the outer eye corners"),
    (put("v_template", lambda v: v * [-1, 1, -1]), "stand upright facing"),
    (put("v_template", lambda v: v[:, [0, 2, 1]]), "stand upright facing"),
    (put("v_template", lambda v: v[:-5]), "expression has shape"),
    (put("v_template", lambda v: np.where(v > 8, np.nan, v)), "not finite"),
    (put("expression_names", lambda n: np.array(["frown"] + [str(x) for x in n[1:]])), "'frown' is no ARKit shape"),
    (put("expression_names", lambda n: np.array([str(x).replace("jawOpen", "jawForward") for x in n])), "no jawOpen"),
    (put("faces", lambda f: f + 1), "allowed: 0.."),
    (put("landmarks68", lambda m: m[:60]), "landmarks68"),
    (put("expression_names", lambda n: np.array([{"x": 1}] * len(n), object)), "expression_names holds pickled"),
])
def test_other_files_are_refused_in_one_line(arrays: dict[str, np.ndarray], spoil: Callable[[dict[str, np.ndarray]], None],
                                             sentence: str, tmp_path: Path) -> None:
    bad = dict(arrays)
    spoil(bad)
    np.savez(tmp_path / "bad.npz", **bad)
    with pytest.raises(ValueError, match=sentence) as err:
        convert_ict(tmp_path / "bad.npz")
    assert "\n" not in str(err.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        convert_ict(tmp_path / "none.npz")


@pytest.mark.skipif(real_ict() is None, reason="no ICT-FaceKit file")
def test_the_real_head(head: HeadModel) -> None:
    real = convert_ict(real_ict())  # type: ignore[arg-type]
    assert real.n_shape == 100 and real.expr_names == EXPR_NAMES and real.meta["missing"] == []
    angles = real.meta["arkit_angles"]
    assert np.degrees(angles["jawOpen"]) == pytest.approx(25.3, abs=0.01)
    assert 1e3 * np.linalg.norm(real.joints()[2] - head.joints()[2]) < 8  # where a jaw's hinge is
    assert real.meta["report"]["jaw_open_error_mm"] < 0.01
    rng = np.random.default_rng(0)
    for _ in range(5):
        script = sample_script(rng)
        assert ([a.name for a in measure(perform(script, real), real).actions]
                == [a.name for a in measure(perform(script, head), head).actions])
