"""What a line says for certain, whatever its plan."""

from __future__ import annotations

import pytest
from facelm.agent.editing.operations import edited
from facelm.agent.editing.planned import edits_of
from facelm.agent.talk.planning.planned import amended
from facelm.agent.talk.planning.repaired import repaired
from facelm.data_gen.performer.layout import lay_out
from facelm.face.facs.script_text import read_script
from facelm.llm.grammar.plans import parse_plan, plan_text

SCRIPT = read_script("smile at 1 s for 2 s; nod x4 at 5 s; eye_roll at 9 s; gaze left at 12 s; gaze right at 14 s")


@pytest.mark.parametrize(("line", "plan", "meant"), [
    ("ditch the eye roll it's giving cringe", "replace nod: flinch", "remove eye_roll"),
    ("fair play. lop the smile off the front", "move-first smile", "remove smile"),
    ("drop the nods, keep the rest", "fewer nod", "remove nod"),
    ("cut the smile down to 1 s", "lasts smile 1s", "lasts smile 1s"),
    ("drop two of the nods", "fewer nod 2", "fewer nod 2"),
    ("rolling the eyes I don't want", "undo; slower smile", "remove eye_roll"),
    ("enough with the nodding already", "only nod", "remove nod"),
    ("2 smiles then", "ask-count smile", "count smile 2"),
    ("how many smiles?", "ask-count smile", "ask-count smile"),
    ("two nods fewer", "count nod 2", "fewer nod 2"),
    ("put a yawn in the middle, slowly", "move-last eye_roll", "add-after eye_roll: yawn slow"),
    ("make it all faster", "faster smile", "faster all"),
    ("make the nods faster, all of them", "faster nod", "faster nod"),
    ("moderate the smile considerably", "stronger smile much", "weaker smile much"),
    ("the smile isn't big enough, make it bigger", "stronger smile", "stronger smile"),
    ("then at the start I want a wink", "add-end: wink", "add-start: wink left"),
    ("a nod at the end of the smile", "add-after smile: nod", "add-after smile: nod"),
    ("a shake after the nod, just a single one", "add-after nod: shake", "add-after nod: shake x1"),
    ("the smile, make it last 3 seconds", "weaker smile", "lasts smile 3s"),
    ("nod 500 times", "count nod 6", "count nod 500"),
    ("smile: 3 s instead of 1 s", "lasts smile 3s", "starts smile 3s"),
    ("smile: 3 s instead of 2 s", "starts smile 3s", "lasts smile 3s"),
    ("two seconds of smile is too long, shorten that", "lasts smile 2s", "shorter smile"),
    ("half of it is enough", "count nod 1", "count nod 2"),
    ("just the nods need to get a move on", "only nod", "faster nod"),
    ("have the smile stay for three seconds", "hold smile", "lasts smile 3s"),
    ("crank the smile from 40 % to 90 %", "strength smile 40%", "strength smile 90%"),
    ("lose the smile and have a yawn there", "remove smile; add-end: yawn", "replace smile: yawn"),
    ("tone the smile down, bring the nods up", "weaker smile; stronger nod", "weaker smile; stronger nod"),
    ("a wink after the nod, and a yawn at the end", "add-after nod: wink left; add-end: yawn",
     "add-after nod: wink left; add-end: yawn"),
    ("slower nods and keep the smile as it is", "slower nod; hold smile", "slower nod")])
def test_a_line_is_done_as_it_says(line: str, plan: str, meant: str) -> None:
    assert plan_text(repaired(line, parse_plan(plan), SCRIPT)) == meant


@pytest.mark.parametrize(("said", "meant"), [
    ("I said two nods I meant three", "I said three nods"), ("three nods, no, four nods", "four nods"),
    ("five nods. scratch that, three.", "three nods."), ("nods once, no, twice", "nods twice"),
    ("raises his left eyebrow, nah hang on his right one, then nods", "raises his right eyebrow, then nods"),
    ("make the nod, er, I mean the smile, stronger", "make the smile, stronger"), ("left eye, no, right", "right eye"),
    ("1) two nods 2) no wink", "two nods ; no wink"), ("two wishes: one nod, and no wink", "one nod, and no wink"),
    ("version 2. then nod", "version 2. then nod"), ("the smile, then the nod", "the smile, then the nod")])
def test_slips_and_numbers_of_wishes(said: str, meant: str) -> None:
    assert amended(said) == meant


@pytest.mark.parametrize("seconds", ["0s", "0.1s", "3600s"])
def test_a_clip_of_an_impossible_length_is_refused(seconds: str) -> None:
    with pytest.raises(ValueError, match=r"allowed: 0.2 to 600 s"):
        edited(SCRIPT, edits_of(parse_plan(f"length {seconds}"), SCRIPT), lay_out(SCRIPT, 0))
