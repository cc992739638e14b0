"""What can be read off the default head: a tongue that is out, lips that part, cheeks and brows that move."""

from __future__ import annotations

import numpy as np
import pytest
from facelm.face.clip.channels import EXPR_NAMES
from facelm.face.facs.poses import ACTION_POSES, pose_of
from facelm.face.head.model import HeadModel
from head_variants import expr, mark


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.default()


def inside(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(N,) which points a closed surface goes round, by its solid angle (van Oosterom & Strackee 1983)."""
    a, b, c = (vertices[faces[:, i]][None] - points[:, None] for i in range(3))
    la, lb, lc = (np.linalg.norm(x, axis=2) for x in (a, b, c))
    top = np.einsum("nfi,nfi->nf", a, np.cross(b, c))
    angle = np.arctan2(top, la * lb * lc + (a * b).sum(2) * lc + (b * c).sum(2) * la + (c * a).sum(2) * lb).sum(1)
    return np.abs(angle) > np.pi


@pytest.mark.parametrize("others", [{}, {"smile": 0.7}, {"mouth_open": 0.6}, {"lip_stretch": 0.7}])
def test_a_tongue_that_is_out_goes_over_teeth_and_lip(head: HeadModel, others: dict[str, float]) -> None:
    pose = {k: max(ACTION_POSES[n].get(k, 0.0) * s for n, s in {"tongue_out": 1.0, **others}.items())
            for n in ("tongue_out", *others) for k in ACTION_POSES[n]}
    v = head.vertices(expr=expr(head, **{k: x for k, x in pose.items() if k in EXPR_NAMES}),
                      jaw_pose=np.array([[pose["jaw_x"], 0, 0]]))[0].astype(np.float64)
    tongue = np.isin(head.faces, head.masks["tongue"]).all(1)
    for part in ("teeth_lower", "gums_lower", "lips_lower", "lips_upper", "teeth_upper"):
        assert not inside(v[head.masks[part]], v, head.faces[tongue]).any(), part
    skin = np.isin(head.faces, np.concatenate([head.masks["lips"], head.masks["skin"], head.masks["mouth_inside"]])).all(1)
    out = head.masks["tongue"][v[head.masks["tongue"], 2] > v[head.masks["lips_lower"], 2].max() + 1e-3]
    assert len(out) > 20, "the tip is out"
    # a tongue's front does not go through the skin: none of its edges meets a triangle of it
    start, end = v[head.faces[tongue]].reshape(-1, 3), v[head.faces[tongue][:, [1, 2, 0]]].reshape(-1, 3)
    ahead = np.maximum(start[:, 2], end[:, 2]) > v[head.masks["lips_lower"], 2].mean()
    assert not crossings(start[ahead], end[ahead], v[head.faces[skin]])


def crossings(start: np.ndarray, end: np.ndarray, triangles: np.ndarray) -> int:
    """How often segments (N,3) pass through triangles (M,3,3) (Möller & Trumbore 1997)."""
    a, u, w = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    way = (end - start)[:, None]
    p, s = np.cross(way, w[None]), start[:, None] - a[None]
    det = (u[None] * p).sum(2)
    det = np.where(np.abs(det) < 1e-18, np.nan, det)
    q = np.cross(s, u[None])
    b, c, t = (s * p).sum(2) / det, (way * q).sum(2) / det, (w[None] * q).sum(2) / det
    return int(((b >= 0) & (c >= 0) & (b + c <= 1) & (t >= 0) & (t <= 1)).sum())


def test_the_tongue_rests_behind_the_teeth(head: HeadModel) -> None:
    v, tongue = head.v_template.astype(np.float64), np.isin(head.faces, head.masks["tongue"]).all(1)
    for part in ("teeth_lower", "teeth_upper", "lips", "gums_lower", "gums_upper"):
        assert not inside(v[head.masks[part]], v, head.faces[tongue]).any(), part


def test_strong_smiles_part_the_lips_and_slight_ones_do_not(head: HeadModel) -> None:
    def gap(name: str, strength: float) -> float:
        """Between the middles of the inner rims, mm."""
        moved = expr(head, **{k: strength * x for k, x in pose_of(name).items()})
        return float((mark(head, "ibug_62", expr=moved) - mark(head, "ibug_66", expr=moved))[1] * 1000)

    for name in ("smile", "happiness"):
        assert gap(name, 1.0) > 2.0 > 1.0 > gap(name, 0.4), name


def test_winks_and_strong_smiles_raise_the_cheeks(head: HeadModel) -> None:
    def lifted(name: str) -> tuple[float, float]:
        """How far the left and the right cheek rise on average, mm."""
        moved, cheeks = (head.vertices(expr=expr(head, **pose_of(name))) - head.vertices())[0], head.masks["cheeks"]
        left = head.v_template[cheeks, 0] > 0
        return float(moved[cheeks[left], 1].mean() * 1000), float(moved[cheeks[~left], 1].mean() * 1000)

    left, right = lifted("wink_left")
    assert left > 3.0 > 0.1 > abs(right)
    for name, least in (("smile", 3.0), ("happiness", 6.0)):
        left, right = lifted(name)
        assert left > least and left == pytest.approx(right, abs=0.1), name
    brows = (head.landmark_positions(expr(head, **pose_of("wink_right"))) - head.landmark_positions())[0, 17:27, 1] * 1000
    assert brows[:5].max() < -1.0 and np.abs(brows[5:]).max() < 0.1
