"""What a line says of a number, by how much or how much, against what its plan does with it."""

from __future__ import annotations

import pytest
from facelm.agent.talk.planning.doubts import turned_values
from facelm.llm.grammar.plans import parse_plan


@pytest.mark.parametrize(("line", "plan", "turned"), [
    ("one more second of squinting", "lasts squint 1s", 1), ("one more second of squinting", "longer squint 1s", 0),
    ("the laugh should be at 5 not 4", "later laugh 5s", 1), ("the laugh should be at 5 not 4", "starts laugh 5s", 0),
    ("smile 3 s long", "longer smile 3s", 1), ("let it last for 2 s", "lasts nod 2s", 0),
    ("make the nod 2 s longer", "lasts nod 2s", 1), ("make the nod 2 s longer", "longer nod 2s", 0),
    ("hold the smile for another 1.5 s", "lasts smile 1.5s", 1), ("the whole thing 5 s shorter", "length 5s", 1),
    ("a bit slower with the nods", "slower nod; add-end: wink left", 1), ("a bit slower with the nods", "slower nod bit", 0),
    ("start it 1 s later", "starts nod 1s", 1), ("from 2 s on", "starts smile 2s", 0)])
def test_by_so_much_is_not_so_much(line: str, plan: str, turned: int) -> None:
    assert turned_values(line, parse_plan(plan)) == turned
