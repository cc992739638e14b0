"""Metrics, image measures, quality of movements and tables of the transition evaluation, by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.dynamics import minimum_jerk
from facelm.eval.table import Table
from facelm.eval.transitions import images, quality
from facelm.eval.transitions.bench import Entry
from facelm.eval.transitions.images import Likeness, likeness
from facelm.eval.transitions.metrics import (
    Score,
    Spread,
    accuracy,
    confusion,
    g_mean,
    pair_accuracy,
    recalls,
    score,
    separation,
    tsne,
)
from facelm.eval.transitions.options import TransitionOptions, load_recipe, tables_of
from facelm.eval.transitions.tables import Results, build, paper, percent
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.schedule import Event, Schedule
from facelm.face.head.model import HeadModel

TRUE = np.array([[0, 1], [1, 2], [2, 0], [0, 2]])
FOUND = np.array([[0, 1], [1, 0], [2, 0], [1, 2]])


# -- metrics ------------------------------------------------------------------------------
def test_accuracy_of_one_and_of_both_by_hand() -> None:
    assert accuracy(TRUE, FOUND) == 6 / 8
    assert pair_accuracy(TRUE, FOUND) == 2 / 4
    with pytest.raises(ValueError, match=r"\(T, 2\)"):
        pair_accuracy(TRUE[:, 0], FOUND[:, 0])


def test_confusion_recalls_and_g_mean_by_hand() -> None:
    assert confusion(TRUE, FOUND, 3).tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 2]]
    assert recalls(TRUE, FOUND, 3) == pytest.approx([2 / 3, 1.0, 2 / 3])
    assert g_mean(TRUE, FOUND, 3) == pytest.approx((2 / 3 * 1.0 * 2 / 3) ** (1 / 3))
    assert score(TRUE, FOUND, 3) == Score(0.75, 0.5, g_mean(TRUE, FOUND, 3))


def test_a_class_never_recognised_makes_g_mean_zero_and_one_never_asked_for_does_not_count() -> None:
    assert g_mean(np.array([0, 1, 1]), np.array([0, 0, 0]), 2) == 0.0
    assert g_mean(np.array([0, 1]), np.array([0, 1]), 5) == 1.0


def test_refused_instructions_are_wrong_and_in_no_column() -> None:
    true, found = np.array([0, 1, 1]), np.array([0, -1, 1])
    assert confusion(true, found, 2).tolist() == [[1, 0], [0, 1]]
    assert recalls(true, found, 2) == pytest.approx([1.0, 0.5])
    assert accuracy(true, found) == pytest.approx(2 / 3)


def test_spread_is_the_populations() -> None:
    assert Spread.of([0.2, 0.4]) == Spread(pytest.approx(0.3), pytest.approx(0.1), 2)
    assert math.isnan(Spread.of([]).mean)
    assert percent(Spread.of([0.9144])) == "91.44" and percent(Spread.of([0.2, 0.4])) == "30.00 ± 10.00"


def test_tsne_and_silhouette_see_what_lies_apart() -> None:
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 20)
    apart = rng.normal(size=(40, 6)) * 0.1 + label[:, None] * 5.0
    assert separation(apart, label) > 0.9 > 0.2 > separation(rng.normal(size=(40, 6)), label)
    places, rows = tsne(apart, limit=30)
    assert places.shape == (30, 2) and len(set(rows.tolist())) == 30
    with pytest.raises(ValueError, match="at least 5"):
        tsne(apart[:3])


# -- pictures -----------------------------------------------------------------------------
def test_l1_and_psnr_by_hand() -> None:
    a, b = np.zeros((4, 4), np.uint8), np.full((4, 4), 51, np.uint8)  # a fifth of full scale apart
    assert images.l1(a, b) == pytest.approx(0.2)
    assert images.psnr(a, b) == pytest.approx(-10 * math.log10(0.04))
    assert images.psnr(a, a) == images.CAP_DB
    with pytest.raises(ValueError, match="one shape"):
        images.l1(a, b[:2])


def test_likeness_of_equal_and_of_changed_pictures() -> None:
    pytest.importorskip("torchmetrics")
    rng = np.random.default_rng(0)
    smooth = np.repeat(np.repeat(rng.integers(0, 255, (2, 12, 12, 3)), 15, 1), 15, 2).astype(np.uint8)
    same = likeness(smooth, smooth)
    assert same.l1 == 0 and same.psnr == images.CAP_DB and same.ms_ssim == pytest.approx(1.0, abs=1e-5)
    noisy = np.clip(smooth + rng.normal(0, 40, smooth.shape), 0, 255).astype(np.uint8)
    other = likeness(noisy, smooth)
    assert other.l1 > 0.05 and other.psnr < 25 and other.ms_ssim is not None and other.ms_ssim < 0.98


def test_small_pictures_and_a_missing_backbone_give_a_dash_and_its_reason() -> None:
    small = np.zeros((1, 64, 64, 3), np.uint8)
    found = likeness(small, small)
    assert found.ms_ssim is None and any("161" in r for r in found.reasons)
    if (why := images.lpips_missing()) is not None:
        assert found.lpips is None and why in found.reasons


# -- movements ----------------------------------------------------------------------------
def clip_of(share: np.ndarray, fps: float = 25.0) -> FaceSequence:
    """A clip in which two coefficients go from 0 to 0.8 as ``share`` says."""
    head = HeadModel.default()
    rest = FaceSequence.rest(len(share), head.ref, n_expr=head.n_expr, n_shape=head.n_shape, fps=fps)
    expr = rest.expr.copy()
    expr[:, [3, 7]] = 0.8 * np.asarray(share)[:, None]
    return rest.replace(expr=expr)


def test_minimum_jerk_has_the_smoothness_of_the_formula() -> None:
    # integral of squared jerk 720, peak speed 1.875; the duration is that of the speed 30 u^2 (1 - u)^2 above 2 % of its peak
    clip = clip_of(minimum_jerk(np.linspace(0, 1, 401)), fps=100.0)
    u = np.linspace(0, 1, 100_001)
    on = 30 * u**2 * (1 - u) ** 2 > 0.02 * 1.875
    assert quality.smoothness(clip, 0, 400) == pytest.approx(-math.log(on.mean() ** 3 * 720 / 1.875**2), abs=0.05)
    rng = np.random.default_rng(0)
    shaky = clip_of(np.clip(minimum_jerk(np.linspace(0, 1, 401)) + rng.normal(0, 0.01, 401), 0, 1), fps=100.0)
    assert quality.smoothness(shaky, 0, 400) < quality.smoothness(clip, 0, 400) - 3
    straight, curved = (clip_of(np.concatenate([np.zeros(4), s, np.ones(4)])) for s in
                        (np.linspace(0, 1, 20), minimum_jerk(np.linspace(0, 1, 20))))
    assert quality.smoothness(straight, 0, 27) < quality.smoothness(curved, 0, 27) - 1, "corners are jerk"
    assert quality.smoothness(straight, 4, 23) == pytest.approx(quality.smoothness(straight, 0, 27))
    assert math.isnan(quality.smoothness(clip_of(np.zeros(30)), 0, 29))


def test_progress_and_its_setbacks() -> None:
    clip = clip_of(np.array([0, 0.5, 0.3, 0.8, 1.0]))
    assert quality.progress(clip, 0, 4) == pytest.approx([0, 0.5, 0.3, 0.8, 1.0], abs=1e-6)
    assert quality.monotonic(clip, 0, 4) == 3 / 4
    assert quality.monotonic(clip, 0, 4, tolerance=0.25) == 1.0
    with pytest.raises(ValueError, match="frames 0 to 4"):
        quality.progress(clip, 0, 5)


def test_identity_head_and_timing() -> None:
    source = clip_of(np.zeros(1))
    turned = clip_of(np.linspace(0, 1, 10))
    turned = turned.replace(neck_pose=np.linspace(0, math.radians(2), 10, dtype=np.float32)[:, None] * np.float32([0, 1, 0]))
    assert quality.identity_kept(turned, source) and not quality.identity_kept(turned.replace(shape=turned.shape + 1), source)
    assert quality.head_drift(turned, source) == pytest.approx(2.0, abs=0.01)
    assert quality.head_drift(clip_of(np.linspace(0, 1, 5)), source) == 0
    assert quality.timing_error((10, 30), 25.0, ((0.5, 0.8), (1.1, 1.3))) == pytest.approx(0.05)


def test_actions_at_a_frame() -> None:
    clip = perform(Schedule(2.0, (Event("happiness", 0.2, 0.4, 1.4, 0.0, 1.0),)))
    first, last = quality.facs_check(clip, (0, 45), ("neutral", "happiness"))
    assert first.found == 1.0 and first.shown == ()
    assert last.found == 1.0 and last.foreign == 0 and "smile" in last.shown
    wrong, = quality.facs_check(clip, (45,), ("sadness",))
    assert wrong.found == 0.0 and wrong.foreign >= 1


def test_curves_are_told_apart_by_their_dynamics() -> None:
    real = clip_of(np.concatenate([np.zeros(5), minimum_jerk(np.linspace(0, 1, 20)), np.ones(5)]))
    reference = quality.dynamics(real, 0, 29)
    assert reference is not None and reference.peak == pytest.approx(0.5, abs=0.06) and abs(reference.asymmetry) < 0.02
    made = {c: quality.course(real, 0, 29, c) for c in ("linear", "minjerk")}
    assert np.array_equal(made["linear"].expr[[0, -1]], real.expr[[0, -1]])
    linear, minjerk = (quality.compare_dynamics([quality.dynamics(made[c], 0, 29)], [reference]) for c in ("linear", "minjerk"))
    assert minjerk.correlation > 0.98 > 0.2 > abs(linear.correlation)
    assert minjerk.jerk_gap < linear.jerk_gap
    assert quality.dynamics(clip_of(np.zeros(20)), 0, 19) is None
    with pytest.raises(ValueError, match="linear, minjerk"):
        quality.course(real, 0, 29, "cubic")


# -- tables -------------------------------------------------------------------------------
def made_up() -> Results:
    entry = Entry([Score(0.9, 0.8, 0.7), Score(0.8, 0.7, 0.6)], 30, 1, [[1, 0], [0, 1]])
    r = Results("surrogate-ckplus", "CK+ surrogate (made up)", "some encoder", {"train": 81, "val": 9, "test": 10}, "ResNet-10")
    r.main = {"ground truth": entry, "I2FET": entry, "MotionCLIP": entry, "I2FET, paraphrased": entry}
    r.variants = dict.fromkeys(("full", "no_ifed", "e_p", "e"), entry)
    r.rendered = {"I2FET": Likeness(0.01, 30.5, None, None, ("MS-SSIM is missing",))}
    r.rotation = {"rfl": {a: (0.9, 0.5) for a in paper().angles}}
    r.missing["lm"] = "no language model was given"
    return r


def test_accuracy_table_keeps_the_papers_figures_apart() -> None:
    table, = build(made_up(), ["II"])
    head, rows = table.columns, {r[0]: r for r in table.rows}
    assert "CK+ surrogate (made up)" in table.title and "some encoder" in table.title
    i2fet = dict(zip(head, rows["I2FET"], strict=True))
    assert i2fet["Acc1, paper"] == "91.44 ± 0.0024" and i2fet["Acc1, ours"] == "85.00 ± 5.00"
    assert i2fet["items x repeats"] == "30 x 2"
    assert set(rows["language model"][1:]) == {"-"} and set(rows["I2FET, paraphrased"][1:4]) == {"-"}
    assert any("no language model was given" in n for n in table.notes) and any("surrogate" in n for n in table.notes)


def test_every_table_prints_as_text_markdown_and_json() -> None:
    for data in ("surrogate-ckplus", "surrogate-celebvhq"):
        r = made_up()
        r.name = data
        tables = build(r, tables_of(data))
        assert [t.name for t in tables] == list(tables_of(data))
        for t in tables:
            assert t.title in t.text() and all(c in t.text() for c in t.columns)
            assert t.markdown().count("|") >= (len(t.columns) + 1) * (len(t.rows) + 2)
            assert json.loads(json.dumps(t.to_dict()))["columns"] == list(t.columns)
    with pytest.raises(ValueError, match="2 cells"):
        Table("II", "x", ("a", "b"), (("1",),))


def test_dashes_have_their_reasons() -> None:
    pictures, rotation = build(made_up(), ["IV", "X"])
    own = next(r for r in pictures.rows if r[0] == "I2FET")
    assert own[-4:] == ("0.0100", "30.50", "-", "-") and any("MS-SSIM is missing" in n for n in pictures.notes)
    mek = next(r for r in rotation.rows if r[0] == "MEK")
    assert mek[3:5] == ("-", "-") and any("not reproduced" in n for n in rotation.notes)


# -- options ------------------------------------------------------------------------------
@pytest.mark.parametrize(("change", "match"), [
    ({"data": "affectnet"}, "allowed: ckplus"), ({"tables": ("XI",)}, "not known"), ({"tables": ("III",)}, "other data set"),
    ({"tables": ()}, "no table"), ({"items": 0}, "1 or more"), ({"repeats": -1}, "1 or more"),
])
def test_bad_options_are_refused(tmp_path, change, match) -> None:  # noqa: ANN001
    with pytest.raises(ValueError, match=match):
        TransitionOptions(**{"data": "ckplus", "work": tmp_path, **change})


def test_recipes_parse_and_bad_ones_are_refused(tmp_path) -> None:  # noqa: ANN001
    from facelm.eval.transitions.options import RECIPES

    for path in sorted(RECIPES.glob("*.yaml")):
        recipe, base = load_recipe(path)
        assert recipe.classifier.size >= 32 and base.fit.epochs >= 1
    assert load_recipe(RECIPES / "paper.yaml")[0].classifier.title == "ResNet-101 with RFL"
    assert load_recipe()[0] == load_recipe(RECIPES / "cpu.yaml")[0]
    bad = tmp_path / "bad.yaml"
    bad.write_text("classifier: {gamma: -1}\n")
    with pytest.raises(ValueError, match="gamma"):
        load_recipe(bad)
    bad.write_text("itmes: 3\n")
    with pytest.raises(ValueError, match="unknown entry 'itmes'"):
        load_recipe(bad)
