"""No prompt that is evaluated on is worded as one that is trained on; messages name places, never texts."""

from __future__ import annotations

import pytest
from facelm.data_gen.text.written import written
from facelm.eval.prompts.suite import load_prompts
from facelm.eval.prompts.wording import alike


@pytest.mark.parametrize(("one", "other", "same"), [
    ("Smile, then nod twice.", "smile then NOD twice", True), ("no-one smiles", "noone smiles", True), ("😀", "🙄", False),
    ("She smiles, then slowly nods her head twice.", "He smiles, then slowly nods her head twice", True),
    ("nod and smile", "smile and nod", False), ("She smiles", "She nods", False), ("", "nod", False),
    ("nod nod nod nod", "nod", False), ("😀 ", "😀", True),
])
def test_alike(one: str, other: str, same: bool) -> None:
    assert alike([one], ["something else altogether", other]) == ([(0, 1)] if same else [])




def test_heldout_prompts_are_in_no_training_or_development_file() -> None:
    held = [p.text for p in load_prompts()]
    for split in ("train", "dev"):
        rows = written(split)
        found = [f"{split} prompt number {j} ({rows[j].kind})" for _, j in alike(held, [w.text for w in rows])]
        assert found == [], "delete these from the files of data_gen/text/prompts"


def test_development_prompts_are_in_no_training_file() -> None:
    train, dev = written("train"), written("dev")
    found = [(dev[i].text, train[j].text) for i, j in alike([w.text for w in dev], [w.text for w in train])]
    assert found == [], "delete the second ones from the training files"
