"""Samples of the transition task: pairs, sentences, splits."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from facelm.data_gen.text.transition_text import TEMPLATES, instruction
from facelm.eval.datasets.expressions import CELEBVHQ, CKPLUS, ExpressionSet, Pose, Row, Skip, assemble
from facelm.eval.datasets.tuples import PAPER, SPLITS, make_tuples


def expressions(subjects: int = 10, emotions: tuple[str, ...] = CKPLUS, frames: int = 3, name: str = "ckplus") -> ExpressionSet:
    """Each subject shows every emotion in ``frames`` rows."""
    rest = Pose(np.zeros(4, np.float32), np.zeros(6, np.float32))
    rows = [Row(f"S{s:03d}", e, Pose(np.full(4, k, np.float32), rest.pose), np.zeros(2, np.float32), "", f"S{s:03d}/{e}", rest)
            for s in range(subjects) for e in emotions for k in range(frames)]
    return assemble(rows, [], name=name, title="test", labels=CELEBVHQ if "celebvhq" in name else CKPLUS, head="h")


def test_pairs_are_of_one_subject_and_differ_and_say_what_they_are() -> None:
    data = expressions()
    made = make_tuples(data, 500, seed=1)
    assert len(made) == 500 and made.possible == 10 * 7 * 6 * 9
    assert (data.subject[made.first] == data.subject[made.second]).all()
    assert (data.label[made.first] != data.label[made.second]).all()
    assert len({(a, b) for a, b in zip(made.first.tolist(), made.second.tolist(), strict=True)}) == 500
    for text, a, b, k in zip(made.instructions, made.first, made.second, made.template, strict=True):
        assert text == instruction(data.labels[data.label[a]], data.labels[data.label[b]], int(k))


def test_sentences_emotions_and_order_are_drawn_without_bias() -> None:
    data = expressions(20)
    made = make_tuples(data, 6000, seed=2)
    used = Counter(made.template.tolist())
    assert set(used) == set(range(len(TEMPLATES))) and max(used.values()) - min(used.values()) < 200
    for rows in (made.first, made.second):
        counts = np.bincount(data.label[rows], minlength=7)
        assert counts.max() / counts.min() < 1.25
    # the sentence tells nothing of the pair: a chi-square test of independence stays far from rejecting
    table = np.zeros((5, 7))
    np.add.at(table, (made.template, data.label[made.first]), 1)
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    assert ((table - expected) ** 2 / expected).sum() < 50  # 24 degrees of freedom: beyond it one in a thousand


@pytest.mark.parametrize("count", [11, 100, 999])
def test_the_random_split_has_the_papers_shares(count: int) -> None:
    made = make_tuples(expressions(), count)
    sizes = [len(made.rows(s)) for s in SPLITS]
    assert sum(sizes) == count and np.abs(np.array(sizes) / count - (0.81, 0.09, 0.10)).max() <= 1.0 / count


def test_the_split_by_subject_shares_none() -> None:
    data = expressions(30)
    made = make_tuples(data, 4000, split="subject")
    people = {s: set(data.subject[made.first[made.rows(s)]].tolist()) for s in SPLITS}
    assert not (people["train"] & people["test"] or people["train"] & people["val"] or people["val"] & people["test"])
    assert abs(len(made.rows("test")) / 4000 - 0.10) < 0.03 and abs(len(made.rows("val")) / 4000 - 0.09) < 0.03
    random = make_tuples(data, 4000)
    assert set(data.subject[random.first[random.rows("test")]]) & set(data.subject[random.first[random.rows("train")]])


def test_three_subjects_are_enough_to_split_and_two_are_not() -> None:
    made = make_tuples(expressions(3), 50, split="subject")
    assert all(len(made.rows(s)) for s in SPLITS)
    with pytest.raises(ValueError, match="at least 3 subjects"):
        make_tuples(expressions(2), 50, split="subject")


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    data = expressions()
    one, two, three = make_tuples(data, 200, seed=5), make_tuples(data, 200, seed=5), make_tuples(data, 200, seed=6)
    assert one.instructions == two.instructions and (one.split == two.split).all()
    assert one.instructions != three.instructions


def test_the_number_is_the_papers_or_what_there_is() -> None:
    assert len(make_tuples(expressions(2))) == 2 * 42 * 9
    assert len(make_tuples(expressions(2), 10**6)) == 2 * 42 * 9
    assert len(make_tuples(expressions(117, frames=2), seed=0)) == 117 * 42 * 4 < PAPER["ckplus"]
    assert len(make_tuples(expressions(117))) == PAPER["ckplus"] == 26_352


def test_neutral_is_an_expression_of_celebvhq_only() -> None:
    made = make_tuples(expressions(5, ("neutral", "happiness"), name="surrogate-celebvhq"), 40)
    assert all("neutral" in t and "happiness" in t for t in made.instructions)
    assert "neutral" not in CKPLUS


def test_subjects_with_one_expression_are_left_out_and_named() -> None:
    data = expressions(3)
    alone = data.subset((data.subject != "S002") | (data.label == 0))
    made = make_tuples(alone)
    assert made.skipped == (Skip("S002", "a single expression: no pair can be made"),)
    assert "S002" not in alone.subject[made.first]
    with pytest.raises(ValueError, match="no subject shows two different expressions"):
        make_tuples(data.subset(data.label == 0))


def test_wrong_arguments_are_refused() -> None:
    data = expressions(2)
    with pytest.raises(ValueError, match="count is 0"):
        make_tuples(data, 0)
    with pytest.raises(ValueError, match="split is 'people'; allowed: random, subject"):
        make_tuples(data, 5, split="people")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="allowed: train, val, test"):
        make_tuples(data, 5).rows("dev")
