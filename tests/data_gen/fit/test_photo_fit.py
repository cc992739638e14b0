"""A personal head from photos: it lies on the face, keeps expression apart, and refuses what shows none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from facelm.data_gen.fit.photo import PhotoFit, fit_photos
from facelm.face.clip.channels import EXPR_INDEX
from facelm.face.head.model import HeadModel
from facelm.face.landmarks.person import person_mask
from facelm.face.landmarks.personal import View, joint_offsets
from facelm.face.landmarks.points import embedding_for, mirror_index
from photos import astronaut, pixels
from PIL import Image, ImageDraw
from shared_data import shared


@pytest.fixture(scope="module")
def smiling() -> PhotoFit:
    return fit_photos(astronaut())


def save(picture: np.ndarray, path: Path) -> Path:
    Image.fromarray(np.ascontiguousarray(picture)).save(path)
    return path


def test_the_mesh_lies_on_the_face(smiling: PhotoFit) -> None:
    photo = smiling.photos[0]
    embedding = embedding_for(smiling.base)
    shown = photo.camera.project(embedding.positions(smiling.vertices(), smiling.head.faces))
    miss = np.linalg.norm(shown - photo.points[embedding.index], axis=1)
    eyes = np.linalg.norm(photo.points[33] - photo.points[263])
    assert np.median(miss) < 0.012 * eyes and np.quantile(miss, 0.95) < 0.08 * eyes


def test_a_smile_is_expression_and_no_identity(smiling: PhotoFit) -> None:
    """She smiles with open lips: the smile is in the pose, and without it the personal head's mouth is at rest."""
    expr = smiling.photos[0].pose.expr[0]
    assert min(expr[EXPR_INDEX["mouthSmileLeft"]], expr[EXPR_INDEX["mouthSmileRight"]]) > 0.5
    assert expr[EXPR_INDEX["cheekPuff"]] < 0.1 and expr[EXPR_INDEX["mouthPucker"]] < 0.1
    embedding = embedding_for(smiling.base)
    row = embedding.row
    rest = embedding.positions(smiling.head.v_template, smiling.head.faces)
    jaw = smiling.photos[0].pose.jaw_pose
    posed = embedding.positions(smiling.head.vertices(expr=expr[None], jaw_pose=jaw)[0], smiling.head.faces)
    width = lambda at: np.linalg.norm(at[row[61]] - at[row[291]])  # noqa: E731
    gap = lambda at: at[row[13], 1] - at[row[14], 1]  # noqa: E731
    assert width(posed) > width(rest) * 1.12
    assert gap(posed) > 0.004 and gap(rest) < 0.0015


def test_closed_lids_meet(smiling: PhotoFit) -> None:
    embedding, head = embedding_for(smiling.base), smiling.head
    closed = np.zeros((1, head.n_expr), np.float32)
    closed[0, [EXPR_INDEX["eyeBlinkLeft"], EXPR_INDEX["eyeBlinkRight"]]] = 1
    gap = {}
    for name, h in (("base", smiling.base), ("own", head)):
        at = embedding.positions(h.vertices(expr=closed)[0], h.faces)
        gap[name] = [np.linalg.norm(at[embedding.row[a]] - at[embedding.row[b]]) for a, b in ((159, 145), (386, 374))]
    assert np.allclose(gap["own"], gap["base"], atol=5e-4)


def test_the_person_is_found() -> None:
    mask = person_mask(pixels(astronaut()))
    assert mask.shape == (512, 512) and mask.dtype == np.float32
    assert mask[60:160, 190:240].min() > 0.9 and mask[:120, :60].max() < 0.1


def test_two_views_give_depth() -> None:
    """A point that lies 2 mm nearer is found from two sides, and from one side by the other half of the face."""
    head = embedding_for(HeadModel.default())
    nose = int(head.row[1])
    true = np.array([0.0, 0.001, 0.002])
    views = []
    for angle in (-0.4, 0.4):
        axes = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0]])
        offset = np.full((len(head), 2), np.nan)
        offset[nose] = axes @ true
        views.append(View(axes, offset))
    assert np.allclose(joint_offsets(views, head)[nose], true, atol=1e-4)
    cheek, other = int(head.row[50]), int(head.row[mirror_index()[50]])
    seen = np.full((len(head), 2), np.nan)
    seen[cheek] = 0.003
    found = joint_offsets([View(np.eye(3)[:2], seen)], head)
    assert found[cheek, 0] == pytest.approx(0.003, abs=5e-4) and -0.0031 < found[other, 0] < -0.001


def test_of_two_faces_the_largest_is_taken_and_said(tmp_path: Path) -> None:
    face = pixels(astronaut())[:300, 80:380]
    both = np.full((300, 520, 3), 255, np.uint8)
    both[:, 220:] = face
    both[60:260, :200] = np.asarray(Image.fromarray(face[:, ::-1]).resize((200, 200)))
    path = save(both, tmp_path / "two.png")
    found = fit_photos(path)
    assert any("2 faces; face 2 from the left is used" in note for note in found.notes)
    assert found.photos[0].points[:, 0].mean() > 260
    assert fit_photos(path, face=1).photos[0].points[:, 0].mean() < 200


def test_photos_of_other_sizes_share_one_person(tmp_path: Path) -> None:
    face = pixels(astronaut())
    paths = [save(face[:400], tmp_path / "a.png"),
             save(np.asarray(Image.fromarray(face).resize((1024, 1024))), tmp_path / "b.png")]
    both = fit_photos(paths)
    assert len(both.photos) == 2
    a, b = both.photos
    assert np.allclose(a.pose.expr, b.pose.expr, atol=0.15) and a.pose.head == b.pose.head == both.head.ref
    for k, photo in enumerate(both.photos):
        nose = embedding_for(both.base).row[1]
        shown = photo.camera.project(embedding_for(both.base).positions(both.vertices(k), both.head.faces)[nose])
        assert np.linalg.norm(shown - photo.points[1]) < 0.03 * np.ptp(photo.points[:, 0])


def test_sunglasses_and_no_face_are_refused(tmp_path: Path) -> None:
    picture = Image.open(astronaut()).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for x in (204, 246):
        draw.rounded_rectangle((x - 20, 86, x + 20, 126), 8, fill=(60, 50, 50))
    picture.save(tmp_path / "shades.png")
    with pytest.raises(ValueError, match=r"shades.png: something dark covers the eyes .* without sunglasses"):
        fit_photos(tmp_path / "shades.png")
    child = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(child)
    draw.ellipse((80, 60, 320, 340), outline="black", width=5)
    for x in (150, 250):
        draw.ellipse((x - 12, 140, x + 12, 164), fill="blue")
    draw.arc((140, 200, 260, 290), 10, 170, fill="red", width=6)
    child.save(tmp_path / "drawing.png")
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    with pytest.raises(ValueError, match=r"noise.png: no face found \(300x300 px\)"):
        fit_photos(save(noise, tmp_path / "noise.png"))
    with pytest.raises(ValueError, match=r"drawing.png: (no face found|a drawing and no photo)"):
        fit_photos(tmp_path / "drawing.png")


def test_a_film_gives_views_that_differ() -> None:
    film = shared("t2v/disappointed.mp4")
    if film is None:
        pytest.skip("no shared data")
    pytest.importorskip("mediapipe")
    found = fit_photos(film)
    turns = np.array([p.pose.rotation[0] for p in found.photos])
    assert 2 <= len(found.photos) <= 5 and np.ptp(turns, axis=0).max() > np.radians(6)
    assert {p.picture.size for p in found.photos} == {(1280, 704)}
