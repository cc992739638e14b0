"""What is said about a performance, as edits of its script."""

from dataclasses import replace

import pytest
from facelm.agent.editing.operations import Edit, edited
from facelm.agent.editing.wishes import read_edits
from facelm.data_gen.performer.layout import lay_out
from facelm.data_gen.reading.rules import read_rules
from facelm.data_gen.text.quantities import find_quantities
from facelm.face.facs.schedule import Event, Schedule
from facelm.face.facs.script import Script
from facelm.face.facs.script_text import read_script, write_script

LINE = read_script("smile; nod x2; wink left")
TIMES = Schedule(5.0, (Event("smile", 0.0, 0.4, 0.5, 0.6, cue=0), Event("nod", 1.5, 0.3, 0.8, 0.3, cycles=2, cue=1),
                       Event("wink_left", 3.5, 0.1, 0.1, 0.2, cycles=1, cue=2)))


def read(text: str) -> Script:
    found = read_rules(find_quantities(text), 0.3)
    return found.script if found else Script()


def after(text: str, script: Script = LINE) -> str:
    edits = read_edits(text, script, read)
    return write_script(edited(script, edits, TIMES).script) if edits else ""


@pytest.mark.parametrize(("text", "line"), [
    ("Make it stronger.", "smile 94.5%; nod 94.5% x2; wink left"),
    ("make the smile bigger", "smile 94.5%; nod x2; wink left"),
    ("Make the smile much stronger", "smile strong; nod x2; wink left"),
    ("smile at 40 %", "smile 40%; nod x2; wink left"),
    ("a bit weaker please", "smile 60.9%; nod 60.9% x2; wink left"),
    ("nod faster", "smile; nod x2 speed 1.35; wink left"),
    ("could you make the nod slower?", "smile; nod x2 speed 0.741; wink left"),
    ("make the smile last 3 seconds", "smile for 3 s; nod x2; wink left"),
    ("hold the smile for 2 s", "smile for 2 s; nod x2; wink left"),
    ("start the wink at 5 s", "smile; nod x2; wink left at 5 s"),
    ("the wink earlier", "smile; nod x2; wink left at 3 s"),
    ("move the nod one second later", "smile; nod x2 at 2.5 s; wink left"),
    ("wink with the other eye", "smile; nod x2; wink right"),
    ("with the right eye", "smile; nod x2; wink right"),
    ("make her smile on the left side only", "smile left; nod x2; wink left"),
    ("no, three times", "smile; nod x3; wink left"),
    ("nod three times instead", "smile; nod x3; wink left"),
    ("make it nod once more", "smile; nod x3; wink left"),
    ("without the wink", "smile; nod x2"),
    ("remove the nod", "smile; wink left"),
    ("no smile", "nod x2; wink left"),
    ("don't blink", "smile; nod x2; wink left; never blink"),
    ("add a yawn at the end", "smile; nod x2; wink left; yawn"),
    ("then frown", "smile; nod x2; wink left; brow_lower"),
    ("also blink at the same time", "smile; nod x2; wink left; with blink"),
    ("add a raised brow at the beginning", "brow_raise; smile; nod x2; wink left"),
    ("shake the head instead of nodding", "smile; shake; wink left"),
    ("replace the wink with a blink", "smile; nod x2; blink"),
    ("make the smile bigger and add a yawn at the end", "smile 94.5%; nod x2; wink left; yawn"),
    ("remove the nod, and make it slower", "smile speed 0.741; wink left speed 0.741"),
    ("no wait, nod three times", "smile; nod x3; wink left"),
    ("keep the smile but lose the nods", "smile; wink left"),
    ("thats way too much, tone the smile down a bit", "smile 60.9%; nod x2; wink left"),
    ("slower wink", "smile; nod x2; wink left speed 0.741"),
    ("a shake of the head instead of the nod", "smile; shake; wink left"),
    ("do both at the same time", "smile; with nod x2; with wink left"),
    ("add a blink after the nod and dont let him yawn", "smile; nod x2; blink; wink left; never yawn"),
    ("pause for a second before the wink", "smile; nod x2; pause 1 s wink left"),
    ("wink right, i mean", "smile; nod x2; wink right"),
    ("make the nod faster and the smile bigger", "smile 94.5%; nod x2 speed 1.35; wink left"),
    ("in reverse", "wink left; nod x2; smile"),
    ("again", "smile; nod x2; wink left"),
    ("make it 8 seconds long", "8 s; smile; nod x2; wink left"),
])
def test_a_wish_changes_what_it_names_and_nothing_else(text: str, line: str) -> None:
    assert after(text) == line


def test_a_shorter_or_faster_clip_moves_stated_times_together() -> None:
    script = read_script("smile at 1 s for 2 s; nod x2 at 5 s")
    before = lay_out(script, 0)
    short = edited(script, [Edit("length", value=4.0)], before).script
    assert short.seconds == 4 and lay_out(short).seconds == 4 and 2 < short.cues[1].start < 4 and short.cues[0].seconds < 2
    trimmed = edited(script, [Edit("length", value=before.seconds + 0.5)], lay_out(replace(script, seconds=12.0), 0)).script
    assert [c.start for c in trimmed.cues] == [1, 5], "where there is room nothing moves"
    fast = edited(script, [Edit("speed", factor=2.0)], before).script
    assert [(c.start, c.speed) for c in fast.cues] == [(0.5, 2.0), (2.5, 2.0)] and fast.cues[0].seconds == 1


@pytest.mark.parametrize("text", ["She frowns and nods.", "He looks surprised.", "yawn", "A man raises his brows and sighs.",
                                  "The woman winks, then smiles broadly."])
def test_something_of_its_own_is_no_edit(text: str) -> None:
    assert after(text) == "" and read_edits("make it stronger", Script(), read) == ()


@pytest.mark.parametrize(("text", "said"), [
    ("make the frown stronger", "no brow lower in what was performed: smile, nod, wink"),
    ("with both sides", "done on that side"),
    ("add something entirely different, blorp", "nothing in it")])
def test_what_cannot_be_done_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        after(text, read_script("nod x2; wink left") if "sides" in text else LINE)
    with pytest.raises(ValueError, match="so: 'keep the hat on'"):
        after("make it bigger and keep the hat on")
    with pytest.raises(ValueError, match="nothing would be left"):
        after("without the nod", read_script("nod"))
