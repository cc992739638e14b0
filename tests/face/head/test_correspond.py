"""The dense map between heads: against heads whose true correspondence is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from facelm.face.clip.rotation import similarity
from facelm.face.head.correspond import Correspondence, correspondence
from facelm.face.head.model import HeadModel
from facelm.face.head.surface import SKIN, closest_on_triangles, ibug, labels
from head_variants import another, real_ict, renumbered


@pytest.fixture(scope="module")
def pair(head: HeadModel) -> tuple[Correspondence, np.ndarray]:
    target, new = another(head, 1)
    return correspondence(head, target), new


def off(found: Correspondence, new: np.ndarray) -> np.ndarray:
    """(V,) mm between where each vertex was put and where it is."""
    return 1e3 * np.linalg.norm(found.points - found.target.v_template[new], axis=1)


def test_another_person_with_other_numbers_is_matched(pair: tuple[Correspondence, np.ndarray], head: HeadModel) -> None:
    found, new = pair
    gap = off(found, new)
    limits = {"lips": 0.8, "lids": 0.4, "brows": 0.3, "nose": 0.5, "cheeks": 1.5, "face": 0.8, "eyeball_left": 1.2, "tongue": 1.5}
    assert {k: v for k, v in limits.items() if gap[head.masks[k]].mean() > v} == {}
    assert found.alike.mean() > 0.99
    assert found.quality["landmarks"] < 0.4 and found.quality["skin"] < 0.4


def test_lips_and_lids_keep_to_their_side(pair: tuple[Correspondence, np.ndarray], head: HeadModel) -> None:
    found, new = pair
    for own, other in (("lips_upper", "lips_lower"), ("lips_lower", "lips_upper")):
        corners = found.target.faces[found.faces[head.masks[own]]]
        assert not np.isin(corners, found.target.masks[other]).all(1).any()
    margin = head.faces[head.lmk_faces[[head.landmark_index(f"ibug_{k}") for k in (37, 38, 43, 44)]]].ravel()
    assert off(found, new)[margin].max() < 1.5  # the lids are 9 mm apart


def test_every_part_goes_to_its_own(pair: tuple[Correspondence, np.ndarray], head: HeadModel) -> None:
    found, _ = pair
    there = labels(found.target)[found.target.faces[found.faces[:]][:, 0]]
    assert (there == labels(head)).all()


def test_points_are_carried_like_vertices(pair: tuple[Correspondence, np.ndarray], head: HeadModel) -> None:
    found, _ = pair
    corner = {int(k): (f, c) for f, tri in enumerate(head.faces.tolist()) for c, k in enumerate(tri)}
    vertices = head.masks["lips"][::7]
    faces, bary = found.carry_points(np.array([corner[int(k)][0] for k in vertices]),
                                     np.eye(3)[[corner[int(k)][1] for k in vertices]])
    assert faces.dtype == np.int32 and np.allclose(bary.sum(1), 1) and bary.min() > -1e-9
    at = np.einsum("nkc,nk->nc", found.target.v_template[found.target.faces[faces]], bary)
    assert np.abs(at - found.points[vertices]).max() < 1e-6


def test_regions_are_carried(pair: tuple[Correspondence, np.ndarray], head: HeadModel) -> None:
    found, _ = pair
    for name in ("lips_upper", "brows", "lids"):
        mine, carried = set(head.masks[name].tolist()), set(found.carry_mask(found.target.masks[name]).tolist())
        assert len(mine & carried) > 0.9 * len(mine | carried), name


def test_a_part_that_the_target_lacks_is_said(head: HeadModel) -> None:
    bare, _ = renumbered(head, ~np.isin(head.part, [head.part_names.index("tongue")]))
    found = correspondence(head, bare)
    tongue = labels(head) == labels(head)[head.masks["tongue"][0]]
    assert not found.alike[tongue].any()
    assert found.alike[(labels(head) == SKIN)].mean() > 0.99


def test_the_same_pair_is_matched_once(pair: tuple[Correspondence, np.ndarray]) -> None:
    found, _ = pair
    assert correspondence(found.source, found.target) is found


def test_heads_without_landmarks_are_refused(head: HeadModel) -> None:
    bare = replace(head, lmk_names=head.lmk_names[17:], lmk_faces=head.lmk_faces[17:], lmk_bary=head.lmk_bary[17:])
    with pytest.raises(ValueError, match="17 of the 68 iBUG landmarks are missing"):
        correspondence(head, bare)


def test_points_off_the_mesh_are_refused(pair: tuple[Correspondence, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        pair[0].carry_points(np.zeros(2, int), np.zeros((3, 3)))
    with pytest.raises(ValueError, match="face numbers reach"):
        pair[0].carry_points(np.array([10**6]), np.array([[1.0, 0, 0]]))


def test_similarity_is_found_again() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    goal = 1.7 * points @ turn.T + [1, 2, 3]
    found = similarity(points, goal)
    assert np.isclose(found.scale, 1.7) and np.allclose(found(points), goal)


def test_closest_point_of_a_triangle() -> None:
    rng = np.random.default_rng(0)
    points, tri = rng.normal(size=(200, 3)), rng.normal(size=(200, 3, 3))
    bary = closest_on_triangles(points, tri)
    assert bary.min() >= 0 and np.allclose(bary.sum(1), 1)
    gap = np.linalg.norm(np.einsum("nkc,nk->nc", tri, bary) - points, axis=1)
    grid = np.array([(i, j, 40 - i - j) for i in range(41) for j in range(41 - i)]) / 40
    tried = np.linalg.norm(np.einsum("gk,nkc->ngc", grid, tri) - points[:, None], axis=2).min(1)
    assert (gap <= tried + 1e-9).all() and (gap > tried - 0.1).all()


@pytest.mark.skipif(real_ict() is None, reason="no ICT-FaceKit file")
def test_the_real_head_is_matched(head: HeadModel) -> None:
    from facelm.face.io.heads.ict import convert_ict

    target = convert_ict(real_ict())  # type: ignore[arg-type]
    found = correspondence(head, target)
    assert found.quality["landmarks"] < 1.0 and found.quality["skin"] < 1.0 and found.alike.mean() > 0.95
    for own, other in (("lips_upper", "lips_lower"), ("lips_lower", "lips_upper")):
        assert np.isin(target.faces[found.faces[head.masks[own]]], target.masks[other]).all(1).mean() < 0.03
    assert (found.points[head.masks["brows"], 1] > ibug(target)[36:48, 1].max()).all()
