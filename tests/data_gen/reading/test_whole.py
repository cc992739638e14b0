"""What a text says as a whole."""

from __future__ import annotations

import pytest
from facelm.data_gen.reading.whole import as_a_whole
from facelm.face.facs.script_text import read_script, write_script


@pytest.mark.parametrize(("text", "read", "meant"), [
    ("purses his lips like for a kiss", "lip_pucker; kiss", "lip_pucker"),
    ("then purse the lips as for a kiss for 1 s", "nose_wrinkle; pause 2 s lip_pucker; with kiss for 1 s",
     "nose_wrinkle; pause 2 s lip_pucker for 1 s"),
    ("puckers her lips, then kisses", "lip_pucker; kiss", "lip_pucker; kiss"),
    ("close both eyes, then open only the left one", "eye_close; eye_close left", "eye_close; into eye_close right"),
    ("closes his eyes and opens the right one", "eye_close; eye_widen right", "eye_close; into eye_close left"),
    ("opens the left eye wide", "eye_widen left", "eye_widen left"),
    ("looks up, then down, then to the right", "gaze_up; gaze_down; turn right", "gaze_up; gaze_down; gaze right"),
    ("looks up, then turns right", "gaze_up; turn right", "gaze_up; turn right"),
    ("smiles twice, with a pause of one second in between", "pause 1 s smile x2", "smile; pause 1 s smile"),
    ("nods three times, half a second apart", "pause 0.5 s nod x3", "nod x1; pause 0.5 s nod x1; pause 0.5 s nod x1"),
    ("after a second she smiles twice", "pause 1 s smile x2", "pause 1 s smile x2")])
def test_parts_are_read_as_the_whole_says(text: str, read: str, meant: str) -> None:
    assert write_script(as_a_whole(read_script(read), text)) == meant
