"""Descriptions scored: right ones pass, and each kind of mistake is found."""

from __future__ import annotations

import pytest
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.data_gen.wording.telling import tell_measured
from facelm.eval.dialogue.descriptions import evaluate_descriptions, score_text
from facelm.face.facs.measure import measure
from facelm.face.facs.measured import Measurement
from facelm.face.facs.script_text import read_script


@pytest.fixture(scope="module")
def shown() -> Measurement:
    return measure(perform(lay_out(read_script("smile; nod x2; wink left"))))


def test_a_right_description_passes(shown: Measurement) -> None:
    told = score_text("Smiles, then nods twice, then winks with the left eye.", shown)
    assert told.read and not (told.untrue or told.missing or told.repeated or told.contrary)


@pytest.mark.parametrize(("text", "untrue", "missing", "repeated", "contrary"), [
    ("Smiles, then nods twice, then winks with the right eye.", True, True, False, False),
    ("Smiles, then nods three times, then winks with the left eye.", True, False, False, True),
    ("Smiles, then nods twice.", False, True, False, False),
    ("Smiles, then nods twice, then winks with the left eye, then raises the brows.", True, False, False, False),
    ("Smiles, then nods twice, then nods twice, then winks with the left eye.", True, False, True, False),
    ("Winks with the left eye, then smiles, then nods twice.", True, False, False, True),
    ("Never smiles, nods twice, then winks with the left eye.", True, True, False, True),
    ("Smiles on the left side, then nods twice, then winks with the left eye.", True, False, False, True)])
def test_what_is_wrong_is_found(shown: Measurement, text: str, untrue: bool, missing: bool, repeated: bool,
                                contrary: bool) -> None:
    told = score_text(text, shown)
    assert (bool(told.untrue), bool(told.missing), bool(told.repeated)) == (untrue, missing, repeated), told
    assert told.contrary == contrary or not contrary and told.untrue, told


def test_the_wording_of_measurements_is_true_complete_and_without_repetition() -> None:
    out = evaluate_descriptions(tell_measured, 25, seed=7)
    shares = out.shares()
    assert shares["true and complete"] >= 24 and shares["without repetition"] == 25 and out.to_dict()["descriptions"] == 25
    silent = evaluate_descriptions(lambda m: "Smiles.", 10, seed=7)
    assert silent.shares()["true and complete"] <= 2 and len(silent.failures()) >= 8 and "of 10" in silent.table()
