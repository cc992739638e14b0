"""Folds of the skin: where they belong, on the side that acts, as deep as asked, and gone at rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.poses import pose_of
from facelm.face.head.model import HeadModel
from facelm.face.render.atlas import Atlas
from facelm.face.render.folds import Folds, fold_lines, folded
from facelm.face.render.render import render_frames

HEAD, SIZE = HeadModel.default(), 256
GREY = np.full((SIZE, SIZE, 3), 0.4, np.float32)
PLACE = 1e3 * Atlas(HEAD, SIZE).of(HEAD.v_template)


def change(action: str, side: str = "both", strength: float = 1.0) -> np.ndarray:
    """(T,T) what an action changes in an even texture."""
    expr = np.zeros(HEAD.n_expr, np.float32)
    for name, value in pose_of(action, side).items():
        if name in HEAD.expr_names:
            expr[HEAD.expr_names.index(name)] = value
    return Folds(HEAD, GREY, strength).at(expr)[..., 0] / 0.4 - 1


def middle(action: str) -> np.ndarray:
    """Where an action's grooves lie: x outwards and y, mm, weighted by their depth."""
    dark = np.clip(-change(action), 0, None)
    return np.array([(dark * np.abs(PLACE[..., 0])).sum(), (dark * PLACE[..., 1]).sum()]) / dark.sum()


def test_every_column_that_drives_is_one_of_the_head():
    for fold in fold_lines().values():
        for name in fold.drives:
            assert name in HEAD.expr_names or f"{name}Left" in HEAD.expr_names and f"{name}Right" in HEAD.expr_names, name


def test_skin_at_rest_is_smooth_and_becomes_so_again():
    folds = Folds(HEAD, GREY, 1.0)
    expr = np.zeros(HEAD.n_expr, np.float32)
    assert (folds.at(expr) == GREY).all()
    expr[:] = 1
    assert np.abs(folds.at(expr) - GREY).max() > 0.05
    expr[:] = 0
    assert (folds.at(expr) == GREY).all()


@pytest.mark.parametrize(("action", "x", "y"), [
    ("brow_raise", (10, 40), (33, 60)), ("brow_lower", (2, 12), (0, 35)), ("smile", (20, 60), (-85, 5)),
    ("nose_wrinkle", (2, 40), (-60, 10))])
def test_folds_lie_where_the_action_is(action, x, y):
    at = middle(action)
    assert x[0] < at[0] < x[1] and y[0] < at[1] < y[1]


def test_one_side_folds_alone_and_strength_scales():
    left = change("smile", "left")
    aside = np.abs(PLACE[..., 0]) > 8
    assert np.abs(left[aside & (PLACE[..., 0] > 0)]).max() > 0.1 and np.abs(left[aside & (PLACE[..., 0] < 0)]).max() < 1e-6
    assert np.abs(change("smile", strength=0.5)).max() == pytest.approx(0.5 * np.abs(change("smile")).max(), rel=0.05)


def test_films_of_a_head_with_folds_show_them():
    textured = replace(HEAD, texture=np.full((SIZE, SIZE, 3), 160, np.uint8))
    clip = FaceSequence.rest(2, HEAD.ref, n_expr=HEAD.n_expr, n_shape=HEAD.n_shape)
    expr = clip.expr.copy()
    expr[1, [HEAD.expr_names.index(n) for n in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")]] = 1
    clip = clip.replace(expr=expr)
    folded = replace(textured, meta={**HEAD.meta, "folds": 1.0})
    plain, drawn = (list(render_frames(clip, h, 128)) for h in (textured, folded))
    assert (plain[0] == drawn[0]).all()
    rows = np.abs(plain[1].astype(int) - drawn[1]).max((1, 2))
    assert rows[:64].max() > 8 and rows[80:].max() == 0  # on the forehead


@pytest.mark.parametrize(("columns", "inside", "outside"), [  # mm on the packaged head: x outwards, y up
    (("mouthSmileLeft", "mouthSmileRight"), (31, -61), (0, 45)), (("browDownLeft", "browDownRight"), (7, 19), (31, -61)),
    (("browInnerUp", "browOuterUpLeft", "browOuterUpRight"), (20, 47), (7, -60))])
def test_where_an_expression_folds_the_skin(columns, inside, outside):
    expr = np.zeros(HEAD.n_expr, np.float32)
    expr[[HEAD.expr_names.index(c) for c in columns]] = 1
    found, v = folded(HEAD, expr), HEAD.v_template
    assert not folded(HEAD, expr * 0).any() and found.max() <= 1
    for place, many in ((inside, True), (outside, False)):
        for side in (1, -1):
            front = v[:, 2] > 0.03
            far = np.where(front, np.hypot(1e3 * v[:, 0] - side * place[0], 1e3 * v[:, 1] - place[1]), np.inf)
            assert (found[np.argsort(far)[:3]].max() > 0.25) == many
    one = folded(HEAD, expr * np.array([not n.endswith("Right") for n in HEAD.expr_names]))
    if "browInnerUp" not in columns:
        assert one[v[:, 0] > 0.01].max() > 0.2 and one[v[:, 0] < -0.01].max() < 0.01
