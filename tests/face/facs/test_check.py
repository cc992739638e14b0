"""Checks of a clip against a script: what was asked for is found, and anything else is noticed."""

from __future__ import annotations

import json
from functools import cache

import pytest
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.face.clip.spontaneous import add_idle
from facelm.face.facs.check import CheckList, check
from facelm.face.facs.measure import measure
from facelm.face.facs.measured import Measurement
from facelm.face.facs.schedule import Event, Schedule
from facelm.face.facs.script import Cue, Script
from facelm.face.facs.script_text import read_script
from facelm.face.facs.vocabulary import BEHAVIOUR, FEELING


def act(name: str, start: float, cue: int, strength: float = 0.8, rise: float = 0.4, hold: float = 0.8, fall: float = 0.4,
        cycles: int = 0, side: str = "both") -> Event:
    return Event(name, start, rise, hold, fall, strength, cycles, side=side, cue=cue)  # type: ignore[arg-type]


def nods(start: float, cue: int, cycles: int, name: str = "nod") -> Event:
    return act(name, start, cue, 0.8, 0.15, 0.6 * cycles - 0.3, 0.15, cycles)


# script, length and events of a clip that does what the script says
CLIPS: dict[str, tuple[float, tuple[Event, ...]]] = {
    "smile strong; nod x2": (5.0, (act("smile", 0.4, 0, 1.0), nods(2.4, 1, 2))),
    "happiness held; with nod x3; wink left": (
        6.0, (act("happiness", 0.3, 0, hold=2.0, fall=0.0), nods(1.5, 1, 3), act("wink_left", 4.0, 2, 1.0, 0.16, 0.16, 0.16))),
    "anger; into happiness held": (5.0, (act("anger", 0.2, 0), act("happiness", 1.6, 1, fall=0.0))),
    "brow_raise left; eye_close right for 1.5 s; turn right": (
        6.0, (act("brow_raise", 0.3, 0, side="left"), act("eye_close", 2.0, 1, 1.0, 0.2, 1.1, 0.2, side="right"),
              act("turn_right", 4.0, 2))),
    "tongue_out x3; never smile": (6.0, (act("tongue_out", 0.4, 0, 0.9, 0.3, 3.0, 0.3, 3),)),
    "brow_raise x3; blink x2": (
        6.0, (act("brow_raise", 0.4, 0, 0.9, 0.2, 2.0, 0.2, 3), act("blink", 3.5, 1, 1.0, 0.12, 0.5, 0.16, 2))),
    "surprise at 1 s for 1.6 s; neutral; gaze left slight": (
        6.0, (act("surprise", 1.0, 0), act("neutral", 2.6, 1, rise=0.1, hold=0.1, fall=0.1),
              act("gaze_left", 4.0, 2, 0.45, 0.1, 0.8, 0.1))),
    "6 s; fear slight; sadness strong": (6.0, (act("fear", 0.4, 0, 0.45), act("sadness", 2.5, 1, 1.0))),
    "talking x6; shake x2; lip_suck; mouth_shift left": (
        9.0, (act("talking", 0.4, 0, 0.8, 0.1, 1.0, 0.1, 6), nods(2.5, 1, 2, "shake"), act("lip_suck", 5.0, 2),
              act("mouth_shift_left", 7.0, 3))),
    "smile slight; into smile strong": (5.0, (act("smile", 0.4, 0, 0.45), act("smile", 1.6, 1, 1.0))),
    "anger strong; into anger 40%": (5.0, (act("anger", 0.4, 0, 1.0), act("anger", 1.6, 1, 0.4))),
    "contempt; with tilt right": (4.0, (act("contempt", 0.5, 0), act("tilt_right", 0.6, 1))),
    "squint; pause 2 s cheek_puff": (6.0, (act("squint", 0.2, 0), act("cheek_puff", 3.8, 1))),
}


@cache
def performed(text: str) -> tuple[Schedule, Measurement]:
    seconds, events = CLIPS[text]
    schedule = Schedule(seconds, events)
    return schedule, measure(perform(schedule))


def compared(asked: str, shown: str, scheduled: bool = False) -> CheckList:
    """The clip of one script checked against another; a schedule is that of the clip."""
    schedule, m = performed(shown)
    return check(read_script(asked), m, schedule if scheduled else None)


@pytest.mark.parametrize("scheduled", [True, False])
@pytest.mark.parametrize("text", CLIPS)
def test_a_clip_that_does_what_was_asked_passes(text: str, scheduled: bool) -> None:
    found = compared(text, text, scheduled)
    assert found.ok and found.score() == 1.0, [i.sentence for i in found.failed]
    assert all(found.cues_ok(i) for i in range(len(read_script(text).cues)))


@pytest.mark.parametrize("scheduled", [True, False])
@pytest.mark.parametrize(("shown", "asked", "kind"), [
    ("smile strong; nod x2", "nod x2; smile strong", "order"),
    ("smile strong; nod x2", "smile strong; nod x3", "count"),
    ("smile strong; nod x2", "smile strong; nod x1", "count"),
    ("smile strong; nod x2", "smile slight; nod x2", "strength"),
    ("smile strong; nod x2", "smile 60%; nod x2", "strength"),
    ("smile strong; nod x2", "smile strong", "foreign"),
    ("smile strong; nod x2", "nod x2", "foreign"),
    ("smile strong; nod x2", "smile strong; with nod x2", "together"),
    ("smile strong; nod x2", "smile strong; into nod x2", "order"),
    ("smile strong; nod x2", "smile strong at 2 s; nod x2", "start"),
    ("smile strong; nod x2", "smile strong for 3 s; nod x2", "duration"),
    ("smile strong; nod x2", "smile strong held; nod x2", "end"),
    ("smile strong; nod x2", "smile strong until 3 s; nod x2", "end"),
    ("smile strong; nod x2", "smile strong; nod x2; wink left", "present"),
    ("smile strong; nod x2", "smile strong; shake x2", "present"),
    ("smile strong; nod x2", "smile left strong; nod x2", "side"),
    ("smile strong; nod x2", "smile strong; nod x2; never smile", "absent"),
    ("smile strong; nod x2", "smile strong; never head", "absent"),
    ("smile strong; nod x2", "8 s; smile strong; nod x2", "length"),
    ("smile strong; nod x2", "smile strong; pause 2 s nod x2", "start"),
    ("happiness held; with nod x3; wink left", "happiness held; with nod x3; wink right", "present"),
    ("happiness held; with nod x3; wink left", "happiness held; with wink left; nod x3", "order"),
    ("happiness held; with nod x3; wink left", "sadness held; with nod x3; wink left", "present"),
    ("anger; into happiness held", "happiness; into anger held", "order"),
    ("anger; into happiness held", "anger; into sadness held", "present"),
    ("anger; into happiness held", "anger held; with happiness held", "end"),
    ("brow_raise left; eye_close right for 1.5 s; turn right", "brow_raise right; eye_close right for 1.5 s; turn right", "side"),
    ("brow_raise left; eye_close right for 1.5 s; turn right", "brow_raise; eye_close right for 1.5 s; turn right", "side"),
    ("brow_raise left; eye_close right for 1.5 s; turn right", "brow_raise left; eye_close left for 1.5 s; turn right", "side"),
    ("brow_raise left; eye_close right for 1.5 s; turn right", "brow_raise left; eye_close right for 1.5 s; turn left",
     "present"),
    ("brow_raise left; eye_close right for 1.5 s; turn right", "brow_raise left; wink right; turn right", "present"),
    ("tongue_out x3; never smile", "tongue_out x2", "count"),
    ("tongue_out x3; never smile", "tongue_out x3; never mouth", "absent"),
    ("brow_raise x3; blink x2", "brow_raise x2; blink x2", "count"),
    ("brow_raise x3; blink x2", "brow_raise x3; blink x3", "count"),
    ("surprise at 1 s for 1.6 s; neutral; gaze left slight", "surprise at 2 s; neutral; gaze left slight", "start"),
    ("surprise at 1 s for 1.6 s; neutral; gaze left slight", "surprise at 1 s for 1.6 s; neutral; gaze right slight", "present"),
    ("surprise at 1 s for 1.6 s; neutral; gaze left slight", "surprise at 1 s for 1.6 s; neutral; gaze left strong", "strength"),
    ("6 s; fear slight; sadness strong", "fear strong; sadness slight", "strength_order"),
    ("6 s; fear slight; sadness strong", "sadness strong; fear slight", "order"),
    ("6 s; fear slight; sadness strong", "6 s; fear slight", "foreign"),
    ("talking x6; shake x2; lip_suck; mouth_shift left", "talking x3; shake x2; lip_suck; mouth_shift left", "count"),
    ("talking x6; shake x2; lip_suck; mouth_shift left", "talking x6; shake x2; lip_suck; mouth_shift right", "present"),
    ("smile slight; into smile strong", "smile strong; into smile slight", "strength_order"),
    ("smile strong; nod x2", "smile slight; into smile strong; nod x2", "present"),
    ("anger strong; into anger 40%", "anger strong; into anger strong", "strength"),
    ("contempt; with tilt right", "contempt; tilt right", "order"),
    ("contempt; with tilt right", "happiness; with tilt right", "present"),
    ("squint; pause 2 s cheek_puff", "squint; into cheek_puff", "order"),
])
def test_a_clip_that_does_something_else_fails_for_that_reason(shown: str, asked: str, kind: str, scheduled: bool) -> None:
    found = compared(asked, shown, scheduled)
    assert not found.ok and found.score() < 1.0
    # with a schedule, what comes in another order is not in its own time
    kinds = {kind, "present"} if scheduled and kind == "order" else {kind}
    assert kinds & {i.kind for i in found.failed}, [(i.kind, i.sentence) for i in found.items]


def test_a_cue_is_looked_for_in_its_own_time() -> None:
    text = "smile strong; nod x2"
    _, m = performed(text)
    late = Schedule(5.0, (act("smile", 0.4, 0, 1.0), nods(3.6, 1, 2)))
    found = check(read_script(text), m, late)
    assert [i.kind for i in found.failed][:1] == ["present"] and found.cues_ok(0) and not found.cues_ok(1)
    assert "nod at" in found.failed[0].found


def test_still_takes_idle_motion_for_movement() -> None:
    schedule = Schedule(12.0, (act("smile", 0.4, 0),))
    plain = perform(schedule)
    idle = measure(add_idle(plain, 1))
    assert idle.of("blink"), "the idle layer blinks in 12 s"
    loose, still = read_script("smile"), read_script("smile; still")
    assert check(loose, idle).ok and check(still, measure(plain)).ok
    assert [i.kind for i in check(still, idle).failed] == ["still"]
    assert [i.kind for i in check(read_script("smile; never blink"), idle).failed] == ["absent"]


def test_behaviours_are_found_by_what_they_must_show() -> None:
    schedule = lay_out(read_script("laugh"), seed=1)
    m = measure(perform(schedule))
    assert check(read_script("laugh"), m).ok and check(read_script("laugh"), m, schedule).ok
    assert not check(read_script("smile"), m).ok, "a smile does not explain the jaw"
    assert not check(read_script("sadness; laugh"), m).ok
    assert "present" in {i.kind for i in check(read_script("laugh"), performed("smile strong; nod x2")[1]).failed}
    assert [i.kind for i in check(read_script("laugh; never laugh"), m).failed] == []
    assert "absent" in {i.kind for i in check(read_script("happiness; never laugh"), m).failed}


def test_feelings_are_found_by_the_strong_parts_of_their_blend() -> None:
    schedule = Schedule(4.0, (act("happiness", 0.5, 0, 0.45), act("inner_brow_raise", 0.5, 0, 0.7)))
    m = measure(perform(schedule))
    assert check(read_script("bittersweet"), m).ok and check(read_script("bittersweet"), m, schedule).ok
    assert not check(read_script("bittersweet"), performed("smile strong; nod x2")[1]).ok


def test_the_list_is_plain_data() -> None:
    found = compared("smile strong; nod x3", "smile strong; nod x2")
    raw = json.loads(json.dumps(found.to_dict()))
    assert raw["ok"] is False and raw["score"] == pytest.approx(found.score(), abs=1e-4)
    count = next(i for i in raw["items"] if i["kind"] == "count")
    assert count == {"kind": "count", "cue": 1, "ok": False, "expected": "3 times", "found": "twice", "tolerance": None,
                     "sentence": "nod: expected 3 times, found twice"}


def test_an_empty_script_asks_for_nothing_to_happen() -> None:
    assert check(read_script("still"), measure(perform(Schedule(1.0, ())))).ok
    assert not compared("still", "smile strong; nod x2").ok


def test_behaviours_and_feelings_that_are_laid_out_pass() -> None:
    """Every behaviour and feeling, performed by the procedural animator, is found by its own check."""
    found = {}
    for name in (*BEHAVIOUR, *FEELING):
        script = Script((Cue(name),))
        schedule = lay_out(script, seed=1)
        found[name] = check(script, measure(perform(schedule)), schedule)
    failed = {name: [i.sentence for i in c.failed] for name, c in found.items() if not c.ok}
    assert len(failed) <= 0.02 * len(found), failed


def test_one_behaviour_seldom_passes_for_another() -> None:
    names = list(BEHAVIOUR)[::4]
    performed = {n: lay_out(Script((Cue(n),)), seed=1) for n in names}
    shown = {n: (s, measure(perform(s))) for n, s in performed.items()}
    wrong = [(a, b) for a, (s, m) in shown.items() for b in names if a != b and check(Script((Cue(b),)), m, s).ok]
    assert len(wrong) <= 0.03 * len(names) * (len(names) - 1), wrong


@pytest.mark.parametrize(("asked", "wrong", "kind"), [
    ("smirk left", "smirk right", "side"),
    ("lopsided_grin right", "lopsided_grin left", "side"),
    ("smug medium", "smug 40%", "strength"),
    ("side_eye x2", "side_eye x3", "count"),
    ("mouth_words x3", "mouth_words x6", "count"),
    ("brow_raise left 40%; with brow_raise right strong", "brow_raise left strong; with brow_raise right 40%", "strength"),
    ("smile; neutral for 2 s; nod x2", "smile; neutral for 4 s; nod x2", "duration"),
])
def test_what_is_laid_out_passes_and_something_else_does_not(asked: str, wrong: str, kind: str) -> None:
    script, other = read_script(asked), read_script(wrong)
    schedule = lay_out(script, seed=1)
    m = measure(perform(schedule))
    found = check(script, m, schedule)
    assert found.ok, [i.sentence for i in found.failed]
    assert kind in {i.kind for i in check(other, m, schedule).failed}


@pytest.mark.parametrize("text", [
    "calm x2", "poker_face for 2 s", "sleepy faint", "wake_up; into smile", "wink left until 2 s",
    "gaze_down for 4 s; with blink x3", "sneer_laugh; never smile",
    "eye_close left held; with eye_close right held; neutral", "flirt; never wink", "cough; never nod", "sigh; never yawn",
    "cheek_raise; with squint", "smile 20%; into smile 60%; into smile 100%", "shy; into giggle; into laugh",
    "shout x1; with nod x2", "laugh; with talking x2", "talking x1",
])
def test_what_hides_or_ends_a_cue_is_granted(text: str) -> None:
    script = read_script(text)
    for seed in (0, 1):
        schedule = lay_out(script, seed)
        found = check(script, measure(perform(schedule)), schedule)
        assert found.ok, [i.sentence for i in found.failed]
