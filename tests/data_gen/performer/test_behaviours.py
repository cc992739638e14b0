"""Every behaviour and feeling, laid out and performed, is measured as what it is."""

from __future__ import annotations

import pytest
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.face.facs.check import CheckList, check
from facelm.face.facs.measure import measure
from facelm.face.facs.script import Cue, Script
from facelm.face.facs.vocabulary import BEHAVIOUR, DIRECTIONS, FEELING
from facelm.face.head.model import HeadModel

SIDED = [(name, side) for name, b in BEHAVIOUR.items() if b.sided for side in ("left", "right")]


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.default()


def checked(cue: Cue, head: HeadModel, seed: int, asked: Script | None = None) -> CheckList:
    schedule = lay_out(Script((cue,)), seed)
    return check(asked or Script((cue,)), measure(perform(schedule, head), head), schedule)


@pytest.mark.parametrize("name", [*BEHAVIOUR, *FEELING])
def test_it_is_measured_and_nothing_else(name: str, head: HeadModel) -> None:
    for seed in (3, 4):
        found = checked(Cue(name), head, seed)
        assert found.ok, [c.sentence for c in found.failed]


@pytest.mark.parametrize(("name", "side"), SIDED)
def test_a_behaviour_is_done_to_the_side_that_is_said(name: str, side: str, head: HeadModel) -> None:
    cue = Cue(name, side=side)  # type: ignore[arg-type]
    schedule = lay_out(Script((cue,)), 5)
    found = measure(perform(schedule, head), head)
    assert check(Script((cue,)), found, schedule).ok
    loose = {p.name for p in BEHAVIOUR[name].parts if p.side == "any"}
    directed = {f"{n}_{s}": s for n in loose & DIRECTIONS for s in ("left", "right")}
    assert {directed.get(a.name, a.side) for a in found.everything if a.name in loose or a.name in directed} == {side}


@pytest.mark.parametrize("name", ["sneeze", "yawn", "eye_roll", "double_take", "jealous", "pleading"])
def test_a_smile_is_no_other_behaviour_or_feeling(name: str, head: HeadModel) -> None:
    assert not checked(Cue("smile"), head, 1, asked=Script((Cue(name),))).ok


@pytest.mark.parametrize("name", [name for name, b in BEHAVIOUR.items() if b.counted])
@pytest.mark.parametrize("count", [1, 2, 5, 15])
def test_a_count_of_something_with_a_voice_is_its_syllables(name: str, count: int, head: HeadModel) -> None:
    cue = Cue(name, count=count)
    for seed in (3, 4):
        found = checked(cue, head, seed)
        assert found.ok, [c.sentence for c in found.failed]
        assert lay_out(Script((cue,)), seed).seconds < 3.5 + 0.8 * count
    assert not checked(Cue(name, count=5), head, 3, asked=Script((Cue(name, count=12),))).ok
