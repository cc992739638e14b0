"""Clips read as scripts: performing, measuring and reading gives the script again."""

from __future__ import annotations

from functools import cache

import pytest
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.face.clip.spontaneous import add_idle
from facelm.face.facs.check import check
from facelm.face.facs.evidence.read_back import read_back
from facelm.face.facs.measure import measure
from facelm.face.facs.measured import Measurement
from facelm.face.facs.script import Script
from facelm.face.facs.script_text import read_script, write_script

SCRIPTS = (
    "smile strong; nod x2",
    "happiness strong held; with nod x3; wink left",
    "anger strong; into happiness strong held",
    "brow_raise left strong; eye_close right for 2 s; turn right strong",
    "tongue_out strong x3; gaze_up strong",
    "brow_raise strong x3; blink x2",
    "fear slight; sadness strong",
    "talking x6; shake x2; lip_suck strong; mouth_shift left strong",
    "contempt strong x2; jaw right strong",
    "cheek_raise right strong; look_down strong; lower_lip_depress strong",
    "surprise strong; upper_lip_raise strong; gaze_down strong x2",
    "disgust strong; into surprise strong",
)


@cache
def performed(text: str) -> tuple[Script, Measurement]:
    script = read_script(text)
    return script, measure(perform(lay_out(script, seed=3)))


def essence(script: Script) -> list[tuple[str, str, int | None, str]]:
    """Names, sides, counts and joins; what is cyclic always has a count."""
    return [(c.name, c.side, c.count, c.join) for c in script.cues]


@pytest.mark.parametrize("text", SCRIPTS)
def test_reading_a_performance_gives_its_script(text: str) -> None:
    script, m = performed(text)
    told = read_back(m, times=False)
    assert essence(told) == essence(script), write_script(told)
    for asked, found in zip(script.cues, told.cues, strict=True):
        assert found.held == asked.held
        if asked.strength is not None:
            assert found.strength == pytest.approx(asked.strength, abs=0.15)
    assert told.seconds == pytest.approx(m.seconds)


@pytest.mark.parametrize("text", SCRIPTS)
def test_what_is_read_performs_the_clip_again(text: str) -> None:
    _, m = performed(text)
    told = read_back(m)
    assert read_script(write_script(told)) == told, "the line format holds all of it"
    assert check(told, m).ok, [i.sentence for i in check(told, m).failed]
    schedule = lay_out(told)
    again = measure(perform(schedule))
    found = check(told, again, schedule)
    assert found.ok, [i.sentence for i in found.failed]
    assert essence(read_back(again, times=False)) == essence(read_back(m, times=False))


def test_blinks_of_the_idle_layer_can_be_left_out() -> None:
    clip = perform(lay_out(read_script("10 s; smile strong")))
    m = measure(add_idle(clip, 2))
    assert m.of("blink")
    assert [c.name for c in read_back(m, blinks=False).cues] == ["smile"]
    assert "blink" in [c.name for c in read_back(m).cues]


def test_a_resting_face_is_an_empty_script() -> None:
    m = measure(perform(lay_out(read_script("2 s"))))
    assert read_back(m) == Script(seconds=2.0)
