"""Photos of every kind become the same pixels; what is none is refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from facelm.face.io.photo import MAX_SIDE, load_picture
from PIL import Image


def ramp(width: int = 120, height: int = 90) -> np.ndarray:
    """Red grows to the right, green down; the corners tell every turn apart."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * x / (width - 1), 255 * y / (height - 1), np.full_like(x, 40)], -1).round().astype(np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_are_undone(orientation: int, tmp_path: Path) -> None:
    turn = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
              5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a), 7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
              8: lambda a: np.rot90(a, -1)}[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(np.ascontiguousarray(turn(ramp()))).save(tmp_path / "a.png", exif=exif)
    found = load_picture(tmp_path / "a.png")
    assert np.array_equal(found.rgb, ramp())
    assert any("EXIF" in n for n in found.notes) == (orientation > 1)


def test_cmyk_alpha_and_16_bits(tmp_path: Path) -> None:
    import cv2

    Image.fromarray(ramp()).convert("CMYK").save(tmp_path / "a.tif")
    found = load_picture(tmp_path / "a.tif")
    assert np.abs(found.rgb.astype(int) - ramp()).max() <= 1 and found.notes == ("CMYK made RGB",)

    alpha = np.full((90, 120), 255, np.uint8)
    alpha[:, :60] = 0
    Image.fromarray(np.dstack([ramp(), alpha])).save(tmp_path / "b.png")
    found = load_picture(tmp_path / "b.png")
    assert found.alpha is not None and np.array_equal(found.alpha, alpha)
    assert (found.rgb[:, :60] == 128).all() and np.array_equal(found.rgb[:, 60:], ramp()[:, 60:])

    Image.fromarray(ramp()[..., 0].astype(np.uint16) * 257).save(tmp_path / "c.png")
    found = load_picture(tmp_path / "c.png")
    assert np.array_equal(found.rgb, np.repeat(ramp()[..., :1], 3, 2)) and found.notes == ("16 bits made 8",)
    cv2.imwrite(str(tmp_path / "d.tiff"), ramp()[..., ::-1].astype(np.uint16) * 257)
    assert np.array_equal(load_picture(tmp_path / "d.tiff").rgb, ramp())


def test_a_wide_gamut_profile_is_applied(tmp_path: Path) -> None:
    from PIL import ImageCms

    if not hasattr(ImageCms, "createProfile"):
        pytest.skip("Pillow without LittleCMS")
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(ramp()).save(tmp_path / "a.png", icc_profile=lab)
    assert np.abs(load_picture(tmp_path / "a.png").rgb.astype(int) - ramp()).max() <= 1  # sRGB stays what it is


def test_40_megapixels_are_scaled(tmp_path: Path) -> None:
    Image.fromarray(ramp()).resize((7728, 5152)).save(tmp_path / "a.jpg")
    found = load_picture(tmp_path / "a.jpg")
    assert found.size == (MAX_SIDE, round(5152 * MAX_SIDE / 7728)) and found.scale == pytest.approx(MAX_SIDE / 7728)
    assert "scaled from 7728x5152" in found.notes[0]
    low, high = found.rgb[4, 4].astype(int), found.rgb[-5, -5].astype(int)
    assert low[0] < 10 and high[0] > 245 and high[1] > 245  # nothing cropped or turned


def test_heic_is_read_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heif = pytest.importorskip("pillow_heif")
    pytest.importorskip("pi_heif")
    heif.from_pillow(Image.fromarray(ramp(128, 96))).save(tmp_path / "a.heic", quality=100)
    assert np.abs(load_picture(tmp_path / "a.heic").rgb.astype(int) - ramp(128, 96)).mean() < 3
    import sys

    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(ImportError, match=r"a.heic: HEIC photos need pi-heif: pip install 'facelm\[photo\]'"):
        load_picture(tmp_path / "a.heic")


@pytest.mark.parametrize(("name", "said"), [
    ("small.png", "50x50 px; at least 64"), ("film.gif", "a film and no photo"), ("text.jpg", "not a readable photo"),
    ("cut.jpg", "not a readable photo"), ("none.png", "the file is empty"), (".", "not a file")])
def test_what_is_no_photo_is_refused_in_one_line(name: str, said: str, tmp_path: Path) -> None:
    Image.fromarray(ramp(50, 50)).save(tmp_path / "small.png")
    Image.fromarray(ramp()).save(tmp_path / "film.gif", save_all=True, append_images=[Image.fromarray(ramp()[::-1])])
    (tmp_path / "text.jpg").write_text("not a photo")
    Image.fromarray(ramp()).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:400])
    (tmp_path / "none.png").touch()
    with pytest.raises(ValueError, match=said) as err:
        load_picture(tmp_path / name)
    assert "\n" not in str(err.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file; a photo is needed"):
        load_picture(tmp_path / "x.jpg")
