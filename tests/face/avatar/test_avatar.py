"""Avatars from pictures whose truth is known: renders of a painted head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from facelm.face.avatar.build import build
from facelm.face.avatar.colour import difference, lab
from facelm.face.avatar.complete import _strands
from facelm.face.avatar.hair import ears, hair_shell, scalp
from facelm.face.avatar.neutral import unfolded
from facelm.face.avatar.project import Regions, look, skin_likeness
from facelm.face.avatar.store import read_about, save_textured
from facelm.face.avatar.views import View, on_points
from facelm.face.avatar.worn import wears, worn
from facelm.face.clip.sequence import FaceSequence, HeadRef
from facelm.face.head.model import HeadModel
from facelm.face.head.surface import vertex_normals
from facelm.face.io.export import export
from facelm.face.landmarks.points import embedding_for
from facelm.face.photo.light import harmonics
from facelm.face.render.atlas import Atlas, painted
from facelm.face.render.camera import Camera, PinholeCamera
from facelm.face.render.render import Renderer
from facelm.face.render.shading import linear, linear_picture, srgb
from scipy.spatial.transform import Rotation

HEAD, SIDE, TEXTURE, AWAY = HeadModel.default(), 384, 256, 0.75
PINHOLE = PinholeCamera(SIDE / 2 / np.tan(np.radians(14)), SIDE, SIDE)
ATLAS = Atlas(HEAD, TEXTURE)
REGIONS = Regions.of(HEAD, ATLAS)
LANDMARKS = dict(zip(HEAD.lmk_names, HEAD.landmarks(HEAD.v_template[None])[0], strict=True))


def texel(place: np.ndarray) -> tuple[int, int]:
    """Where the vertex nearest to a place is in the texture: row, column."""
    near = int(np.linalg.norm(HEAD.v_template - place, axis=1).argmin())
    u, v = HEAD.layout.uv[np.flatnonzero(HEAD.layout.vertex == near)[0]] * TEXTURE
    return int(v), int(u)


CHEEKS = texel(LANDMARKS["cheek_left"]), texel(LANDMARKS["cheek_right"])


def spotted() -> HeadModel:
    """The packaged head with a dark spot on its left cheek."""
    picture = painted(HEAD, TEXTURE).copy()
    away = np.linalg.norm(ATLAS.of(HEAD.v_template) - LANDMARKS["cheek_left"], axis=2)
    picture[ATLAS.inside & (away < 0.008)] = (70, 40, 30)
    return replace(HEAD, texture=picture)


def seen(head: HeadModel, yaw: float = 0.0, light: float = 1.0, expr: np.ndarray | None = None) -> View:
    """A head, turned by ``yaw`` degrees, as a camera shows it, and its exact mesh on the picture."""
    turn = Rotation.from_euler("y", yaw, degrees=True).as_matrix()
    v = (head.vertices(expr=expr)[0] @ turn.T + [0, -0.02, -AWAY]).astype(np.float32)
    renderer = Renderer(head, Camera((0.0, 0.0, -AWAY), AWAY, PINHOLE.fov, 0.25), SIDE)
    rgb = renderer.draw(v)
    if light != 1:
        rgb = srgb(linear_picture(rgb) * light)
    person = renderer.cover(v, np.array(head.faces, np.int32))
    return View.of(rgb, person, PINHOLE, v, turn, TEXTURE, "render")


def brightness(picture: np.ndarray, at: tuple[int, int]) -> float:
    return float(linear_picture(picture)[at].mean())


@pytest.fixture(scope="module")
def frontal():
    return build(HEAD, [seen(spotted())], TEXTURE)


# -- what is seen -------------------------------------------------------------------------
def test_the_texture_shows_what_the_picture_shows(frontal):
    left, right = (brightness(frontal.head.texture, at) for at in CHEEKS)
    assert left < 0.5 * right  # the spot, and only where it is
    quality = frontal.about["quality"]
    assert quality["skin_difference"] < 2 and quality["seam_ratio"] < 2 and 0.3 < quality["seen"] < 0.8
    assert quality["seen"] + quality["mirrored"] + quality["filled"] == pytest.approx(1, abs=0.01)
    lips = texel(HEAD.v_template[HEAD.masks["lips_lower"]].mean(0) + [0, 0, 0.01])
    red, green, _ = frontal.head.texture[lips].astype(int)
    assert red > 1.3 * green  # lips are lips


def test_the_other_side_completes_what_is_turned_away():
    turned = build(HEAD, [seen(spotted(), -50)], TEXTURE)  # the left cheek is seen, the right one is not
    left, right = (brightness(turned.head.texture, at) for at in CHEEKS)
    assert left < 0.15 and right == pytest.approx(left, abs=0.05) and turned.about["quality"]["mirrored"] > 0.1
    both = build(HEAD, [seen(spotted(), -50), seen(spotted(), 50)], TEXTURE)
    left, right = (brightness(both.head.texture, at) for at in CHEEKS)
    assert left < 0.5 * right and both.about["quality"]["seen"] > turned.about["quality"]["seen"] + 0.1


def test_exposures_are_made_equal():
    made = build(HEAD, [seen(spotted(), 30), seen(spotted(), -30, light=0.6)], TEXTURE)
    assert made.about["views"][0]["gain"] == [1, 1, 1]
    assert np.mean(made.about["views"][1]["gain"]) == pytest.approx(1 / 0.6, rel=0.15)


def test_light_is_divided_out():
    view, light = seen(HEAD), np.array([0.6, 0.3, 0.1, 0.2, 0, 0, 0, 0, 0])
    normals = view.normals(HEAD)
    _, face, bary = view.buffer(np.array(HEAD.faces, np.int32))
    bary[face < 0] = 0
    share = np.concatenate([1 - bary.sum(2, keepdims=True), bary], 2)
    n = np.einsum("hwk,hwkc->hwc", share, normals[HEAD.faces[np.maximum(face, 0)]])
    bright = np.where(face >= 0, harmonics(n / np.maximum(np.linalg.norm(n, axis=2, keepdims=True), 1e-9)) @ light, 0)
    shaded = replace(view, rgb=srgb(linear((0.8, 0.6, 0.5)) * np.clip(bright, 0, 1.4)[..., None]))
    found = look(shaded, HEAD, ATLAS, REGIONS)
    clear, at = REGIONS.plain & (found.weight > 0.6), ATLAS.of(normals)
    before = harmonics(at / np.maximum(np.linalg.norm(at, axis=2, keepdims=True), 1e-9))[clear] @ light
    after = found.albedo[clear].mean(1)
    assert after.std() / after.mean() < 0.5 * before.std() / before.mean()


def test_folds_of_the_expression_are_smoothed_out_and_nothing_else():
    size = 256
    skin, folds = np.ones((size, size), bool), np.zeros((size, size), np.float32)
    albedo = np.full((size, size, 3), (0.5, 0.35, 0.3), np.float32)
    albedo[:, 60:62] *= (0.6, 0.5, 0.5)  # a fold, darker and of another colour
    albedo[:, 180:182] *= 0.4  # a scar where nothing folds
    folds[:, 45:77] = 1
    done = unfolded(albedo, folds, skin, np.ones((size, size), np.float32))
    assert albedo[128, 60].mean() < 0.25 and done[128, 60] == pytest.approx(albedo[128, 20], rel=0.25)
    assert np.array_equal(done[:, 120:], albedo[:, 120:]) and np.abs(done[:, :40] - albedo[:, :40]).max() < 0.01
    assert unfolded(albedo, folds * 0, skin, np.ones((size, size), np.float32)) is albedo
    bare = skin.copy()
    bare[100:150] = False  # lips: left as they are
    assert np.array_equal(unfolded(albedo, folds, bare, np.ones((size, size), np.float32))[100:150], albedo[100:150])


def test_hair_runs_down_from_the_crown():
    strands = _strands(Atlas(HEAD, 512))
    place = Atlas(HEAD, 512).of(HEAD.v_template)
    back = (place[..., 2] < -0.08) & (np.abs(place[..., 0]) < 0.03) & (place[..., 1] > -0.02) & (place[..., 1] < 0.06)
    level = lambda axis, width: np.std([strands[back & (np.abs(place[..., axis] - c) < width)].mean()  # noqa: E731
                                        for c in np.linspace(-0.02, 0.02, 21) + (0.02 if axis == 1 else 0)])
    assert level(0, 0.0012) > 2 * level(1, 0.0012), "columns differ, rows do not"
    from_middle = place - [0, 0.03, -0.02]
    far = np.linalg.norm(from_middle, axis=2)
    crown = (from_middle @ [0, 0.876, -0.482] > 0.9962 * far) & (far > 0)
    assert crown.sum() > 10 and not strands[crown].any(), "no ring where the strands begin"


def test_closed_eyes_get_eyes():
    expr = np.zeros((1, HEAD.n_expr), np.float32)
    expr[0, [HEAD.expr_names.index(f"eyeBlink{s}") for s in ("Left", "Right")]] = 1
    made = build(HEAD, [seen(HEAD, expr=expr)], TEXTURE)
    own, usual = (linear_picture(h.texture) for h in (made.head, replace(HEAD, texture=painted(HEAD, TEXTURE))))
    assert np.abs(own - usual)[REGIONS.eyes].mean() < 0.03


def test_a_face_that_is_hardly_seen_is_refused():
    with pytest.raises(ValueError, match="render: too little of the face is seen"):
        build(HEAD, [seen(HEAD, 150)], TEXTURE)
    view = seen(HEAD)
    with pytest.raises(ValueError, match="lies outside"):
        View.of(view.rgb, view.person, PINHOLE, view.vertices + [3, 0, 0], np.eye(3), TEXTURE)


# -- mesh ---------------------------------------------------------------------------------
def test_hair_stands_out_as_far_as_the_person_does():
    bald, v = seen(HEAD), HEAD.v_template
    assert hair_shell([bald]).max() < 0.004
    normals = vertex_normals(v.astype(np.float64), HEAD.faces).astype(np.float32)
    grown = replace(HEAD, v_template=v + 0.03 * scalp()[:, None].astype(np.float32) * normals)
    camera = Renderer(HEAD, Camera((0.0, 0.0, -AWAY), AWAY, PINHOLE.fov, 0.25), SIDE)
    placed = (grown.v_template + [0, -0.02, -AWAY]).astype(np.float32)
    person = camera.cover(placed, np.array(HEAD.faces, np.int32))
    view = View.of(camera.draw(placed), person, PINHOLE, (v + [0, -0.02, -AWAY]).astype(np.float32), np.eye(3), TEXTURE)
    shell = hair_shell([view])
    top = (v[:, 1] > v[:, 1].max() - 0.02) & (scalp() > 0.9) & (v[:, 2] > -0.03)
    assert shell[top].mean() == pytest.approx(0.03, abs=0.008)
    assert shell[HEAD.masks["nose"]].max() < 1e-4 and shell[ears()].max() < 0.004


def test_the_mesh_moves_onto_the_points():
    view, embedding = seen(HEAD), embedding_for(HEAD)
    points = np.full((478, 2), np.nan, np.float32)
    placed = view.vertices
    points[embedding.index] = PINHOLE.project(embedding.positions(placed, HEAD.faces) + embedding.bias)
    turn = np.eye(3, dtype=np.float32)
    assert np.abs(on_points(placed, points, PINHOLE, turn) - placed).max() < 1e-5
    points[embedding.index[embedding.rows("lips_outer", "lips_inner")], 1] += 4.0  # px downwards
    moved = on_points(placed, points, PINHOLE, turn) - placed
    one = 4.0 / PINHOLE.focal * AWAY
    assert moved[HEAD.masks["lips"], 1].mean() == pytest.approx(-one, rel=0.25)
    assert moved[HEAD.masks["teeth_lower"], 1].std() < 1e-6 and np.abs(moved[HEAD.masks["forehead"]]).max() < 0.2 * one


# -- colours ------------------------------------------------------------------------------
@pytest.mark.parametrize(("a", "b", "expected"), [  # Sharma et al. 2005, table 1
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425), ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0),
    ((50, 0, 0), (50, -1, 2), 2.3669), ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
    ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082)])
def test_colour_differences_are_the_published_ones(a, b, expected):
    assert difference(np.array(a), np.array(b)) == pytest.approx(expected, abs=1e-4)


def test_lab_and_likeness():
    assert lab(np.array([[1.0, 1, 1], [0, 0, 0]]))[:, 0] == pytest.approx([100, 0], abs=1e-3)
    skin = linear(np.random.default_rng(0).normal((0.85, 0.65, 0.55), 0.02, (500, 3)))
    other = linear(np.array([[0.85, 0.66, 0.55], [0.7, 0.53, 0.45], [0.1, 0.08, 0.07], [0.2, 0.3, 0.8]]))
    assert skin_likeness(other, skin).round(2).tolist() == [1, 1, 0, 0]


# -- as a head ----------------------------------------------------------------------------
def test_clips_of_the_packaged_head_play_on_it(frontal, tmp_path):
    made = replace(frontal.head, name="me", v_template=HEAD.v_template * np.float32(1.02),
                   meta={**HEAD.meta, "base": HEAD.sha256, "mark": "made with facelm: test"})
    head = save_textured(made, tmp_path / "me.avatar", frontal.about)
    assert read_about(tmp_path / "me.avatar")["quality"] == frontal.about["quality"]
    clip = FaceSequence.rest(3, HEAD.ref, n_expr=HEAD.n_expr, n_shape=HEAD.n_shape)
    clip = clip.replace(shape=np.ones(HEAD.n_shape, np.float32), expr=np.full_like(clip.expr, 0.3))
    on = worn(clip, head)
    assert on.head == head.ref and not on.shape.any() and (on.expr == clip.expr).all() and wears(head, clip)
    with pytest.raises(ValueError, match="is of the head"):
        worn(clip.replace(head=HeadRef("other", "1", "0" * 64)), head)
    assert embedding_for(head).head == head.ref and (embedding_for(head).bary == embedding_for(HEAD).bary).all()
    raw = export(on, head, tmp_path / "a.glb").path.read_bytes()
    assert b'"made_with":"made with facelm: test"' in raw
