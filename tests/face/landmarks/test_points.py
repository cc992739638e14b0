"""MediaPipe's points on the default head: anatomy, symmetry, apertures, the blendshape map."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from facelm.face.clip.channels import ARKIT_52
from facelm.face.head.model import HeadModel
from facelm.face.landmarks import points as mp

HEAD = HeadModel.default()
POINTS = mp.embedding_for(HEAD)


def at(**pose: np.ndarray) -> np.ndarray:
    """(478, 3) m of the default head in a pose."""
    return POINTS.positions(HEAD.vertices(**pose), HEAD.faces)[0]


def expression(**values: float) -> np.ndarray:
    out = np.zeros(HEAD.n_expr, np.float32)
    for name, value in values.items():
        out[HEAD.expr_names.index(name)] = value
    return out


def pixels(points: np.ndarray) -> np.ndarray:
    """(1, 478, 2) px of points on the subject, seen from the front."""
    return np.stack([points[:, 0] * 2000 + 300, 300 - points[:, 1] * 2000], -1)[None]


def test_all_points_and_regions_are_there() -> None:
    assert len(POINTS) == mp.N_POINTS and (POINTS.row == np.arange(mp.N_POINTS)).all()
    assert set(POINTS.region.tolist()) == set(mp.REGIONS)
    assert POINTS.head == HEAD.ref
    assert POINTS.bary.min() >= -1e-6
    assert 0.0004 < np.median(POINTS.spread) < 0.003
    assert POINTS.spread[POINTS.rows("oval")].mean() > 1.5 * POINTS.spread[POINTS.rows("eye_left", "eye_right")].mean()
    with pytest.raises(ValueError, match="region 'ear'"):
        POINTS.rows("ear")


def test_left_is_the_mirror_image_of_right() -> None:
    mirror = mp.mirror_index()
    assert (mirror[mirror] == np.arange(mp.N_POINTS)).all()
    assert mirror[33] == 263 and mirror[61] == 291 and mirror[468] == 473 and mirror[10] == 10
    p = at()
    assert np.abs(p[mirror] * (-1, 1, 1) - p).max() < 5e-4
    swapped = [n.replace("left", "X").replace("right", "left").replace("X", "right") for n in POINTS.region.tolist()]
    assert np.mean(np.array(swapped)[mirror] == POINTS.region) > 0.99


def test_lid_and_lip_points_lie_on_the_heads_own_edges() -> None:
    p = at()
    marks = HEAD.landmarks(HEAD.v_template[None])[0]
    for index, keys in (((33, 133), (36, 39)), ((263, 362), (45, 42)), ((61, 291), (48, 54)), ((78, 308), (60, 64))):
        for i, k in zip(index, keys, strict=True):
            assert np.linalg.norm(p[i] - marks[HEAD.landmark_index(f"ibug_{k}")]) < 1e-5
    for index, key, limit in ((0, 51, 1e-3), (17, 57, 1e-3), (13, 62, 4e-3), (14, 66, 4e-3)):
        assert np.linalg.norm(p[index] - marks[HEAD.landmark_index(f"ibug_{key}")]) < limit
    for arc in (mp.LID_LEFT_UPPER, mp.LID_RIGHT_UPPER, mp.OUTER_LIP_LOWER, mp.INNER_LIP_UPPER):
        assert (np.abs(np.diff(np.sign(np.diff(p[list(arc), 0])))) == 0).all()  # in order along the edge


def test_points_move_with_their_own_side() -> None:
    rest, blink = at(), at(expr=expression(eyeBlinkLeft=1.0))
    upper = list(mp.LID_LEFT_UPPER[2:-2])
    lower = list(mp.LID_LEFT_LOWER[2:-2])
    assert (rest[upper, 1] - blink[upper, 1]).min() > 0.003
    assert np.abs(rest[lower, 1] - blink[lower, 1]).max() < 0.003
    assert np.abs(rest - blink)[list(mp.LID_RIGHT_UPPER)].max() < 1e-4
    opened = at(jaw_pose=np.array([0.3, 0, 0], np.float32))
    assert np.abs(rest - opened)[list(mp.INNER_LIP_UPPER[3:-3]), 1].max() < 0.003
    assert (rest - opened)[list(mp.INNER_LIP_LOWER[3:-3]), 1].min() > 0.012
    looked = at(eyes_pose=np.array([0, 0.3, 0, 0, 0, 0], np.float32))
    moved = np.linalg.norm(looked - rest, axis=1)
    assert moved[list(mp.IRIS_LEFT)].min() > 0.002 and moved[list(mp.IRIS_RIGHT)].max() < 1e-6


def test_irises_are_where_the_picture_shows_them() -> None:
    p = at()
    assert p[468, 0] < 0 < p[473, 0]  # 468 is the subject's right eye
    for centre in (468, 473):
        right, top, left, bottom = p[centre + 1:centre + 5] - p[centre]
        assert right[0] > 0.004 and top[1] > 0.004 and left[0] < -0.004 and bottom[1] < -0.004


def test_apertures_follow_the_face() -> None:
    rest = pixels(at())
    both = np.concatenate([rest, pixels(at(expr=expression(eyeBlinkLeft=1.0, mouthSmileLeft=1.0, mouthSmileRight=1.0),
                                           jaw_pose=np.array([0.3, 0, 0], np.float32)))])
    lids = mp.lid_aperture(both)
    assert lids.shape == (2, 2) and lids[1, 0] < 0.35 * lids[0, 0] and abs(lids[1, 1] - lids[0, 1]) < 0.02
    lips = mp.lip_aperture(both)
    assert lips[0] < 0.03 and lips[1] > 0.15
    assert 100 < mp.interocular(rest)[0] < 240
    # sizes and turns of the picture do not count
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    for measure in (mp.lid_aperture, mp.lip_aperture):
        assert np.allclose(measure(both), measure(3 * both @ turn.T + 7), atol=1e-6)
    gone = np.full((1, 478, 2), np.nan)
    assert np.isnan(mp.lid_aperture(gone)).all() and np.isnan(mp.lip_aperture(gone)).all()
    with pytest.raises(ValueError, match="478"):
        mp.lip_aperture(np.zeros((4, 68, 2)))


def test_prior_reads_blendshapes() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 0.05, (60, 52)).astype(np.float32)
    scores[:, ARKIT_52.index("browInnerUp")] += 0.7  # a resting face scores this much on some people
    scores[40:, ARKIT_52.index("jawOpen")] = 0.7
    scores[40:, ARKIT_52.index("mouthSmileLeft")] = 0.8
    scores[40:, ARKIT_52.index("mouthSmileRight")] = 0.8
    prior = mp.blendshape_prior(scores)
    names = list(HEAD.expr_names)
    assert prior.expr.shape == (60, 41) and prior.jaw.shape == (60, 3) and prior.eyes.shape == (60, 6)
    assert prior.expr_sigma.shape == (41,) and prior.jaw_sigma.shape == (3,) and prior.eyes_sigma.shape == (6,)
    assert prior.expr.min() >= 0 and prior.expr.max() <= 1 and (prior.expr_sigma > 0).all()
    smile = prior.expr[:, [names.index("mouthSmileLeft"), names.index("mouthSmileRight")]].mean(1)
    assert smile[45:].mean() > smile[:35].mean() + 0.3
    assert prior.jaw[45:, 0].mean() > 0.1 > prior.jaw[:35, 0].mean() + 0.05
    assert prior.expr[:35, names.index("browInnerUp")].mean() < 0.3
    scores[5] = np.nan  # a frame without a face
    assert np.isnan(mp.blendshape_prior(scores).expr[5]).all() and np.isfinite(mp.blendshape_prior(scores).expr[6]).all()
    with pytest.raises(ValueError, match="52"):
        mp.blendshape_prior(np.zeros((3, 51)))


def test_embedding_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="ascending"):
        replace(POINTS, index=POINTS.index[::-1])
    with pytest.raises(ValueError, match="sum to 1"):
        replace(POINTS, bary=POINTS.bary * 2)
    with pytest.raises(ValueError, match="shape"):
        replace(POINTS, spread=POINTS.spread[:5])


def _ict() -> Path | None:
    data = Path(os.environ.get("FACELM_TEST_DATA") or Path(__file__).resolve().parents[3].parent / "shared" / "data")
    path = data / "heads" / "ict_facekit_light.npz"
    return path if path.is_file() else None


def test_another_head_gets_the_points_carried_over() -> None:
    # the same head, another identity as its average: the points must stay on the same anatomy
    v = HEAD.vertices(shape=np.full(HEAD.n_shape, 0.4, np.float32))[0]
    other = replace(HEAD, name="other", v_template=v)
    carried = mp.embedding_for(other)
    assert mp.embedding_for(replace(other)) is carried  # remembered by hash
    assert carried.head == other.ref and carried.head != HEAD.ref
    same = POINTS.positions(v, HEAD.faces)
    distance = np.linalg.norm(carried.positions(v, other.faces) - same, axis=1)
    assert np.median(distance) < 0.002
    lids = [*mp.LID_LEFT_UPPER, *mp.LID_RIGHT_LOWER, *mp.INNER_LIP_LOWER]
    assert distance[lids].max() < 0.004


def test_ict_head_gets_the_points() -> None:
    path = _ict()
    if path is None:
        pytest.skip("needs ict_facekit_light.npz; see FACELM_TEST_DATA")
    ict = pytest.importorskip("facelm.face.io.heads.ict")
    head = ict.convert_ict(path)
    points = mp.embedding_for(head)
    p = points.positions(head.v_template, head.faces)
    assert p[468, 0] < p[473, 0]
    assert p[159, 1] > p[145, 1] and p[10, 1] > p[168, 1] > p[4, 1] > p[17, 1] > p[152, 1]
