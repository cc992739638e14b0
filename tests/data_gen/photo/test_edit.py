"""Edits of a photo: what was asked is measured on it, the rest keeps its bits, pictures and films say what they are."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from facelm.data_gen.fit.photo import fit_photos
from facelm.data_gen.photo.apex import REGIONS, as_it_is, moment_of, turned_to
from facelm.data_gen.photo.edit import Edited, PhotoEditor
from facelm.face.clip.channels import EXPR_INDEX
from facelm.face.facs.script_text import read_script
from facelm.face.io.photo import EDITED, load_picture, marked, save_picture
from facelm.face.io.video import write_mp4
from photos import astronaut
from PIL import Image


@pytest.fixture(scope="module")
def editor() -> PhotoEditor:
    return PhotoEditor(fit_photos(astronaut()))


@pytest.fixture(scope="module")
def edits(editor: PhotoEditor) -> dict[str, Edited]:
    scripts = {"sad": "sadness strong", "closed": "eye_close strong", "surprise": "surprise strong"}
    return {name: editor.edit(read_script(line), calibrate=False) for name, line in scripts.items()}


def near(editor: PhotoEditor, points: tuple[int, ...], share: float = 0.02) -> tuple[slice, slice]:
    """The pixels around the middle of some of MediaPipe's points."""
    at = editor.photo.points[list(points)].mean(0)
    size = max(1, round(share * np.ptp(editor.photo.points[:, 0])))
    x, y = at.astype(int)
    return slice(y - size, y + size + 1), slice(x - size, x + size + 1)


def measured(editor: PhotoEditor, edit: Edited, *actions: str) -> dict[str, float]:
    return editor.measured(edit.rgb, actions)[1]


def test_the_rest_of_the_photo_keeps_its_bits(editor: PhotoEditor, edits: dict[str, Edited]) -> None:
    photo, points = editor.photo.picture.rgb, editor.photo.points
    low, high = points.min(0), points.max(0)
    size = high - low
    around = np.zeros(photo.shape[:2], bool)
    x0, y0 = (low - [0.2, 0.25] * size).astype(int)
    x1, y1 = (high + [0.2, 0.45] * size).astype(int)
    around[y0:y1, x0:x1] = True
    for edit in edits.values():
        differs = (edit.rgb != photo).any(-1)
        assert differs.any() and not (differs & ~edit.changed).any() and not (edit.changed & ~around).any()


def test_the_photos_own_pose_changes_nothing(editor: PhotoEditor) -> None:
    drawn = editor.face.draw(editor.fit.vertices())
    assert np.array_equal(drawn.rgb, editor.photo.picture.rgb) and not drawn.changed.any()


def test_a_smile_asked_to_be_sad_is_replaced(editor: PhotoEditor, edits: dict[str, Edited]) -> None:
    found = measured(editor, edits["sad"], "smile", "lip_corner_depress", "inner_brow_raise")
    assert found["smile"] < 0.2 and found["lip_corner_depress"] > 0.4 and found["inner_brow_raise"] > 0.4
    own = editor.measured(edits["sad"].rgb, ("smile",))[0]
    assert own["smile"] > 0.7, "the photo smiles"


def test_closed_lids_cover_the_iris(editor: PhotoEditor, edits: dict[str, Edited]) -> None:
    photo, edit = editor.photo.picture.rgb, edits["closed"].rgb
    for iris, cheek in ((468, 50), (473, 280)):
        place = near(editor, (iris,))
        skin = photo[near(editor, (cheek,))].mean()
        assert photo[place].mean() < 0.6 * skin < 0.75 * skin < edit[place].mean()
    assert measured(editor, edits["closed"], "closure")["closure"] > 0.55


def test_an_opened_mouth_has_an_inside(editor: PhotoEditor, edits: dict[str, Edited]) -> None:
    edit = edits["surprise"]
    assert measured(editor, edit, "mouth_open", "brow_raise")["mouth_open"] > 0.5
    seen = editor.meter.points(edit.rgb)
    assert seen is not None
    row = editor.meter.embedding.row
    x, y = ((seen[row[13]] + seen[row[14]]) / 2).astype(int)
    inside = edit.rgb[y - 1:y + 2, x - 2:x + 3].astype(float)
    skin = edit.rgb[near(editor, (50,))].mean()
    assert inside.mean() < 0.6 * skin and inside[..., 0].mean() >= inside[..., 2].mean(), "dark, and no bluer than red"


def test_more_is_more(editor: PhotoEditor) -> None:
    script = read_script("brow_raise")
    weak, strong = (editor.edit(script, amount=a, calibrate=False) for a in (0.5, 1.5))
    assert strong.shown == {} and weak.amount == 0.5
    shown = [measured(editor, e, "brow_raise")["brow_raise"] for e in (weak, strong)]
    assert shown[0] + 0.15 < shown[1]


def test_calibration_comes_nearer_and_says_so(editor: PhotoEditor) -> None:
    script = read_script("brow_lower strong")
    plain = editor.edit(script, calibrate=False)
    calm = editor.edit(script)
    want = calm.asked["brow_lower"]
    before = measured(editor, plain, "brow_lower")["brow_lower"]
    assert abs(calm.shown["brow_lower"] - want) <= abs(before - want) + 1e-3
    assert calm.missing == () and 0.6 <= calm.amount <= 1.6
    assert calm.before["brow_lower"] < calm.shown["brow_lower"]


def test_keep_adds_to_the_own_expression(editor: PhotoEditor) -> None:
    kept = editor.edit(read_script("brow_raise strong"), keep=True, calibrate=False)
    assert kept.pose.expr[0, EXPR_INDEX["mouthSmileLeft"]] > 0.5
    assert measured(editor, kept, "smile")["smile"] > 0.6


def test_only_what_the_words_are_about_changes(editor: PhotoEditor, edits: dict[str, Edited]) -> None:
    """Eyes that close leave the smile; a smile takes a frown away; what is there already stays to the bit."""
    photo, index = editor.photo, EXPR_INDEX
    closed = edits["closed"].pose.expr[0]
    smile = index["mouthSmileLeft"]
    assert closed[smile] == photo.pose.expr[0, smile] > 0.5 and closed[index["eyeBlinkLeft"]] == 1
    mouth = near(editor, (13, 14), 0.1)
    assert np.array_equal(edits["closed"].rgb[mouth], photo.picture.rgb[mouth])
    smiles = editor.edit(read_script("smile strong"), calibrate=False)
    assert np.array_equal(smiles.rgb[mouth], photo.picture.rgb[mouth]), "the astronaut smiles"
    head, moment = editor.fit.base, moment_of(read_script("smile strong"), editor.fit.base)
    frowning = photo.pose.expr * 0
    frowning[0, [index["browDownLeft"], index["browDownRight"], index["eyeBlinkLeft"]]] = 0.7, 0.2, 0.3
    own = photo.pose.replace(expr=frowning, jaw_pose=photo.pose.jaw_pose * 0)
    shown = turned_to(own, moment, moment.pose, dict.fromkeys(REGIONS, 1.0), head, keep=False).expr[0]
    assert shown[index["browDownLeft"]] == 0 and shown[index["mouthSmileLeft"]] > 0.8
    assert shown[index["browDownRight"]] == pytest.approx(0.2), "every face's brows are a little off"
    assert shown[index["eyeBlinkLeft"]] == pytest.approx(0.3), "eyes stay as open as they are"
    assert as_it_is(moment, own, 1.0, head).regions == moment.regions


def test_what_a_photo_cannot_show_is_said() -> None:
    assert moment_of(read_script("smile; with turn left")).notes == (
        "the head of a photo stays where it is: its movement is left out",)
    late = moment_of(read_script("smile; mouth_open at 3 s"))
    assert any("a photo shows one moment: without" in n for n in late.notes)
    both = moment_of(read_script("brow_raise; eye_close left"))
    assert set(both.asked) == {"brow_raise", "wink_left"} and both.notes == (), "one eye is closed while the brows are up"
    assert set(moment_of(read_script("smile; eye_close")).asked) >= {"smile", "closure"}
    with pytest.raises(ValueError, match='"nod x2" moves nothing of the face that a photo can show'):
        moment_of(read_script("nod x2"))
    with pytest.raises(ValueError, match="amount is 3; allowed: 0.1 to 2"):
        PhotoEditor.edit(object(), read_script("smile"), amount=3)  # type: ignore[arg-type]


def test_a_film_goes_from_the_photo_to_the_edit(editor: PhotoEditor, tmp_path: Path) -> None:
    script = read_script("brow_raise strong")
    done = editor.edit(script, calibrate=False)
    frames = list(editor.film(script, done))
    photo = editor.photo.picture.rgb
    assert len(frames) >= 30 and np.array_equal(frames[0], photo) and np.array_equal(frames[-1], done.rgb)
    write_mp4(frames[:3], tmp_path / "a.mp4", editor.photo.picture.size, 25, 3, comment=EDITED)
    with av.open(str(tmp_path / "a.mp4")) as film:
        assert film.metadata["comment"] == EDITED


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_pictures_say_what_they_are(suffix: str, tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (80, 100, 3), np.uint8)
    alpha = np.full((80, 100), 255, np.uint8)
    alpha[:10] = 0
    path = save_picture(picture, tmp_path / f"a{suffix}", alpha=alpha)
    with Image.open(path) as image:
        assert image.getexif()[0x010E] == EDITED and image.getexif()[0x0131] == "facelm"
        raw = path.read_bytes()
        assert b"compositeSynthetic" in raw and EDITED.encode() in raw
        assert ("A" in image.mode) == (suffix != ".jpg")
    back = load_picture(path)
    if suffix == ".png":
        assert np.array_equal(back.rgb[10:], picture[10:]) and back.alpha is not None and (back.alpha == alpha).all()
    with pytest.raises(ValueError, match="must end in .png or .jpg or .jpeg or .webp"):
        save_picture(picture, tmp_path / "a.bmp")
    shown = marked(np.zeros((200, 300, 3), np.uint8))
    assert shown[-40:, -150:].max() > 200 and not shown[:150].any()
