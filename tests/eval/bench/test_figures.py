"""Figures and intervals, tables, and scores of texts, against values computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from facelm.eval.bench.parts.texts import bleu, cider, rouge_l
from facelm.eval.bench.report.figures import Column, Figure, Row, Sheet, figure_of, mean_of, ratio_of
from facelm.eval.bench.report.plots import bars
from facelm.eval.features.scores import frechet


def test_intervals_of_a_share_are_those_of_the_binomial() -> None:
    found = mean_of([True] * 80 + [False] * 20)
    assert found is not None and found.value == 0.8 and found.n == 100
    spread = 1.96 * math.sqrt(0.8 * 0.2 / 100)
    assert found.low == pytest.approx(0.8 - spread, abs=0.02) and found.high == pytest.approx(0.8 + spread, abs=0.02)
    assert mean_of([]) is None and mean_of([1.0]) == Figure(1.0, None, None, 1)


def test_shares_of_all_or_nothing_have_wilsons_interval() -> None:
    every, none = mean_of([True] * 19), mean_of([False] * 19)
    assert every is not None and none is not None
    assert (every.value, every.high, none.low) == (1.0, 1.0, 0.0)
    assert every.low == pytest.approx(19 / (19 + 1.96 ** 2)) and none.high == pytest.approx(1 - 19 / (19 + 1.96 ** 2))
    assert mean_of([1.0, 1.0]) == Figure(1.0, 1.0, 1.0, 2)  # no share


def test_ratios_are_of_sums() -> None:
    found = ratio_of([(1, 2), (3, 6), (0, 0)])
    assert found is not None and found.value == 0.5 and found.low == found.high == 0.5
    assert found.n == 2  # of the third nothing was asked
    assert ratio_of([(0, 0)]) is None


def test_the_interval_of_a_biased_statistic_holds_its_value() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(60, 8)), rng.normal(size=(400, 8))
    plain = figure_of(a, lambda x: frechet(x, b), rounds=100)
    moved = figure_of(a, lambda x: frechet(x, b), rounds=100, biased=True)
    assert plain.low is not None and moved.low is not None and moved.high is not None
    assert plain.value < plain.low  # what repeats in a resample makes it larger
    assert 0.0 <= moved.low < moved.value < moved.high


def test_a_table_survives_json_and_prints_what_is_there() -> None:
    sheet = Sheet("x", "Title", (Column("a"), Column("b", "less", 1), Column("c")),
                  (Row("one", {"a": Figure(0.5, 0.25, 0.75, 9)}, "facelm bench x", 3),
                   Row("two", {"b": Figure(2.0)}, notes=("short",))))
    assert Sheet.from_dict(sheet.to_dict()) == sheet
    assert sheet.markdown().splitlines() == [
        "## Title", "", "| | a | b |", "|---|---:|---:|", "| one | 0.500 (0.250 to 0.750) | - |", "| two | - | 2.0 |", "",
        "two: short"]


# -- texts ----------------------------------------------------------------------------------
def test_rouge_and_bleu_by_hand() -> None:
    # longest common subsequence of 3 words: recall 3/4, precision 3/3
    assert rouge_l("the cat sat", ["the cat sat down"]) == pytest.approx(2 * 0.75 / 1.75)
    assert rouge_l("a b c", ["x", "a c"]) == pytest.approx(2 * (2 / 3) / (2 / 3 + 1))
    assert bleu("she smiles and then nods", ["She smiles and then nods"]) == pytest.approx(1.0)
    assert bleu("he frowns", ["she smiles and then nods twice"]) < 0.1


def test_cider_by_hand() -> None:
    references = [["a smile"], ["a nod"], ["one long wink"]]
    same = cider(["a smile", "a nod", "one long wink"], references)
    # equal texts score 1 for each n that they have n-grams of: 2 of 4, and 3 of 4
    assert same == pytest.approx([5.0, 5.0, 7.5])
    # only "a" is shared: in two of three texts, so log(3/2); the other words are in one text: log 3
    shared, rare = math.log(1.5), math.log(3)
    one_gram = shared ** 2 / (shared ** 2 + rare ** 2)
    assert cider(["a nod", "a", "x"], references)[0] == pytest.approx(10 * one_gram / 4)
    assert cider(["zzz", "", "x"], references).tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="1 texts"):
        cider(["a"], references)


def test_plots_leave_the_users_backend_alone() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    before = matplotlib.rcParams["backend"]
    try:
        matplotlib.rcParams["backend"] = "svg"
        sheet = Sheet("x", "Title", (Column("a"),), (Row("one", {"a": Figure(0.5, 0.25, 0.75, 9)}),))
        assert bars(sheet, ("a",)).startswith("<svg") and bars(sheet, ("b",)) == ""
        assert matplotlib.rcParams["backend"] == "svg"
    finally:
        matplotlib.rcParams["backend"] = before
