"""From scripts to schedules, and that the motion shows what the schedule says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from facelm.data_gen.performer.animator import channels, perform
from facelm.data_gen.performer.dynamics import BLINK, WINK, decline, repetitions
from facelm.data_gen.performer.layout import REST, lay_out
from facelm.data_gen.performer.sampler import STEP
from facelm.face.facs.measure import measure
from facelm.face.facs.poses import ACTION_POSES, pose_of
from facelm.face.facs.schedule import Event, Schedule
from facelm.face.facs.script import Cue, Never, Script
from facelm.face.facs.script_text import read_script
from facelm.face.facs.vocabulary import ACTION, BEHAVIOUR, DIRECTIONS, EMOTIONS, FEELING, GROUPS, NAMES, PAIRED
from hypothesis import given, settings
from hypothesis import strategies as st


def laid(line: str, seed: int = 0) -> Schedule:
    return lay_out(read_script(line), seed)


def measured(schedule: Schedule, name: str) -> list:
    return [a for a in measure(perform(schedule)).actions if a.name == name]


def times(schedule: Schedule, name: str) -> int:
    return sum(a.cycles or 1 for a in measured(schedule, name))


def of(schedule: Schedule, cue: int) -> list[Event]:
    return [e for e in schedule.events if e.cue == cue]


def ends(schedule: Schedule) -> list[float]:
    return [e.end(schedule.seconds) for e in schedule.events if not e.stays]


# -- schedules ---------------------------------------------------------------------------
def test_schedules_keep_sides_and_cues_and_read_old_json():
    s = Schedule(3.0, (Event("smile", 0.2, 0.4, 0.4, 0.4, side="left", cue=2),
                       Event("tongue_out", 1.6, 0.2, 0.6, 0.2, cycles=2)))
    assert Schedule.from_json(s.to_json()) == s
    assert '"side"' not in replace(s, events=s.events[1:]).to_json()
    old = ('{"seconds":1.4,"events":[{"name":"blink","start":0.2,"rise":0.12,"hold":0.04,"fall":0.16,"intensity":1.0,'
           '"cycles":1}],"subject":"man","style":{"tempo":1.0,"asymmetry":0.0,"expressiveness":1.0},"seed":3}')
    assert Schedule.from_json(old).events == (Event("blink", 0.2, 0.12, 0.04, 0.16, 1.0, 1),)
    for name, side, message in (("happiness", "left", "no sides"), ("mouth_open", "right", "no sides"), ("smile", "up", "'up'")):
        with pytest.raises(ValueError, match=message):
            Event(name, 0.0, 0.1, 0.1, 0.1, side=side)


def test_one_side_moves_that_side_only():
    for name in (n for n, a in ACTION.items() if a.paired):
        pose = pose_of(name, "left")
        assert not any(c.endswith("Right") for c in pose) and any(c.endswith("Left") for c in pose)
        for channel, value in pose.items():
            full = ACTION_POSES[name][channel]
            assert value == full if channel.endswith("Left") else 0.2 * full < value < 0.5 * full
    out = channels(Schedule(1.6, (Event("brow_raise", 0.16, 0.4, 0.4, 0.4, 1.0, side="right"),)))
    assert out["browOuterUpRight"].max() > 0.9 and "browOuterUpLeft" not in out and 0.2 < out["browInnerUp"].max() < 0.4


@pytest.mark.parametrize("name", sorted(set(ACTION) - {"nod", "shake", "talking"}))
@pytest.mark.parametrize("count", [2, 5])
def test_repetitions_can_be_counted(name, count):
    stem, _, side = name.rpartition("_")
    line = f"{stem} {side} x{count}" if stem in DIRECTIONS and side in ("left", "right") else f"{name} x{count}"
    schedule = laid(line, count)
    channel, _ = max(ACTION_POSES[name].items(), key=lambda item: abs(item[1]))
    curve = np.abs(channels(schedule)[channel])
    on = curve > 0.9 * curve.max()
    tops = np.flatnonzero(np.diff(np.concatenate([[False], on]).astype(int)) == 1)
    assert len(tops) == count
    for a, b in zip(tops[:-1], tops[1:], strict=True):
        assert curve[a:b].min() < 0.1 * curve.max()
    assert curve[-round(REST * 25):].max() == 0.0


@pytest.mark.parametrize("name", ["blink", "tongue_out", "brow_raise", "mouth_open", "smile", "wink left", "turn left",
                                  "gaze right", "squint", "nod", "shake", "talking", "cheek_puff", "look_up"])
def test_the_measurement_counts_what_was_asked(name):
    for count in (2, 3, 5):
        if name == "talking" and count == 2:
            continue  # two syllables are no speech to the measurement
        assert times(laid(f"{name} x{count}", count), name.replace(" ", "_")) == count


# -- kinematics ---------------------------------------------------------------------------
def test_blinks_close_faster_than_they_open():
    for closing, _, opening in (BLINK, WINK):
        assert 0.05 <= closing <= 0.1 and 1.4 <= opening / closing <= 2.2
    out = channels(laid("wink left"))
    assert out["cheekSquintLeft"].max() > 0.3 and out["browDownLeft"].max() > 0.1 and "browDownRight" not in out


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_nods_decline_and_end_small(count):
    w = decline(count, 1.0, 0.1)
    assert np.all(np.diff(w) < 0) and w.mean() == pytest.approx(1.0) and w[-1] < w[-2] + (w[-2] - w[-3] if count > 2 else 0)
    assert decline(count, 1.0, 0.95).min() == pytest.approx(0.95)  # a measurement still counts them
    for strength in ("slight", "strong"):
        assert times(laid(f"nod x{count} {strength}"), "nod") == count


@given(st.integers(2, 8), st.floats(0.05, 8.0))
def test_repetitions_fill_their_time(count, seconds):
    t = np.linspace(-0.5, seconds + 0.5, 2000)
    y = repetitions(t, 0.0, seconds, count, (0.2, np.inf, 0.2))
    assert y.min() >= -1e-9 and y.max() <= 1.0 + 1e-9
    assert not y[t < 0].any() and np.abs(y[t > seconds + 1e-6]).max(initial=0.0) < 1e-9


# -- joins and times ---------------------------------------------------------------------
def test_cues_follow_one_another_on_the_grid():
    for seed in range(5):
        s = laid("nod x2; smile; wink left; smile", seed)
        starts = [of(s, k)[0].start for k in range(4)]
        assert starts == sorted(starts) and all(abs(x / STEP - round(x / STEP)) < 1e-3 for x in starts)
        for k in range(3):
            assert starts[k + 1] >= of(s, k)[-1].end(s.seconds) + 0.079
        assert s.seconds - max(ends(s)) >= REST and s == laid("nod x2; smile; wink left; smile", seed)
        seen = [a.name for a in measure(perform(s)).actions if a.name not in ACTION["wink_left"].entails - {"smile"}]
        assert seen == ["nod", "smile", "wink_left", "smile"]


def test_with_is_at_the_same_time():
    s = laid("smile; with nod x3")
    smile, nod = of(s, 0)[0], of(s, 1)[0]
    assert smile.start <= nod.start and smile.apex + smile.hold >= nod.end(s.seconds) - 1e-6
    s = laid("nod x3; with smile")
    assert of(s, 0)[0].start == of(s, 1)[0].start and of(s, 1)[0].end(s.seconds) > of(s, 0)[0].end(s.seconds)
    s = laid("happiness 60%; with sadness 60%")
    assert of(s, 0)[0].start == of(s, 1)[0].start
    names = measure(perform(s)).names
    assert {"smile", "inner_brow_raise", "lip_corner_depress"} <= set(names)


def test_what_is_held_lasts_while_others_happen():
    s = laid("smile held; with nod x2; wink left")
    smile, nod, wink = (of(s, k)[0] for k in range(3))
    assert smile.stays and nod.start >= smile.apex - 1e-6 and wink.start > nod.end(s.seconds)
    assert measured(s, "smile")[0].offset == pytest.approx(s.seconds, abs=0.05)
    s = laid("anger held; with blink x3")
    assert times(s, "blink") == 3 and measured(s, "brow_lower")[0].offset == pytest.approx(s.seconds, abs=0.05)
    assert times(laid("smile held; with mouth_open x3"), "mouth_open") == 3
    s = laid("8 s; laugh held")
    assert sum(e.name == "happiness" and e.stays for e in s.events) == 1 and times(s, "talking") + times(s, "mouth_open") >= 10


def test_into_hands_over_and_neutral_lets_go():
    s = laid("anger; into happiness held")
    anger, happy = s.events
    assert happy.start == pytest.approx(anger.apex + anger.hold) and anger.fall == happy.rise and happy.stays
    s = laid("8 s; happiness held; with brow_raise left held; nod; neutral at 4 s")
    assert not any(e.stays for e in s.events if e.name != "neutral")
    motion = channels(s)
    assert all(np.abs(curve[round(25 * 5.2):]).max() == 0.0 for curve in motion.values())
    assert motion["mouthSmileLeft"][round(3.9 * 25)] > 0.5
    s = laid("happiness; pause 2 s neutral")
    assert of(s, 1)[0].start >= of(s, 0)[0].apex + 2.0


@pytest.mark.parametrize(("line", "cue", "wanted"), [
    ("smile at 1.23 s", 0, {"start": 1.23}),
    ("nod x2; smile at 4.5 s for 2 s", 1, {"start": 4.5, "end": 6.5}),
    ("smile at 1 s until 3.3 s", 0, {"start": 1.0, "end": 3.3}),
    ("smile until 5 s", 0, {"end": 5.0}),
    ("nod; blink; smile until 7 s", 2, {"end": 7.0}),
    ("smile onset 0.55 s hold 1.1 s offset 0.85 s", 0, {"rise": 0.55, "hold": 1.1, "fall": 0.85}),
    ("sadness for 3.3 s", 0, {"seconds": 3.3}),
    ("nod x3 for 2.1 s", 0, {"seconds": 2.1}),
    ("nod x2 for 6 s", 0, {"seconds": 6.0}),
    ("talking for 2.5 s", 0, {"seconds": 2.5}),
    ("tongue_out x3 for 5 s", 0, {"seconds": 5.0}),
    ("yawn for 5 s", 0, {"seconds": 5.0}),
    ("jealous for 3 s", 0, {"seconds": 3.0}),
    ("smile; pause 1.7 s nod", 1, {"pause": 1.7}),
])
def test_stated_times_are_exact(line, cue, wanted):
    for seed in range(3):
        s = laid(line, seed)
        mine = of(s, cue)
        got = {"start": mine[0].start, "end": max(e.end(s.seconds) for e in mine), "rise": mine[0].rise, "hold": mine[0].hold,
               "fall": mine[0].fall}
        got["seconds"] = got["end"] - got["start"]
        got["pause"] = got["start"] - max([e.end(s.seconds) for e in of(s, cue - 1)], default=0.0)
        for key, value in wanted.items():
            assert got[key] == pytest.approx(value, abs=0.011), key


def test_strengths_are_exact_and_scale_what_is_expanded():
    for percent in (30, 55, 100):
        for name in ("smile", "brow_raise", "happiness", "sadness"):
            assert laid(f"{name} {percent}%").events[0].intensity == pytest.approx(percent / 100)
        assert measured(laid(f"smile {percent}%"), "smile")[0].intensity == pytest.approx(percent / 100, abs=0.04)
    for name in ("laugh", "bittersweet", "yawn"):
        made = [laid(f"{name} {word}", 1).events for word in ("slight", "", "strong")]
        weak, usual, strong = (np.mean([e.intensity for e in events]) for events in made)
        assert weak < usual < strong


def test_speed_changes_how_fast():
    slow, usual, fast = (laid(f"smile {word}", 2).events[0] for word in ("slow", "", "fast"))
    assert slow.rise > usual.rise > fast.rise
    slow, usual, fast = (e.end(99) - e.start for e in (laid(f"shake x4 {word}", 2).events[0] for word in ("slow", "", "fast")))
    assert slow > usual > fast


# -- sides, expansions, what must not happen -----------------------------------------------
def test_sides_reach_the_events():
    assert laid("brow_raise left; smile right").events[0].side == "left"
    assert {e.side for e in laid("smirk right").events if ACTION.get(e.name) and ACTION[e.name].paired} & {"right"}
    assert any(e.name == "turn_right" for e in laid("turn right").events)
    assert laid("brow_raise; never brow_raise left").events[0].side == "right"


def test_what_must_not_happen_is_left_out():
    s = laid("laugh; never mouth_open")
    assert s.events and not any(e.name == "mouth_open" for e in s.events)
    assert not any(a.name in ("mouth_open", "talking") for a in measure(perform(s)).actions)
    s = laid("surprise; never mouth_open")
    assert {e.name for e in s.events} == {"brow_raise", "eye_widen"} and "mouth_open" not in measure(perform(s)).names
    assert "smile" not in measure(perform(laid("happiness; never smile"))).names
    s = laid("laugh; never head")
    assert not any(e.name in GROUPS["head"] for e in s.events)
    with pytest.raises(ValueError, match="cannot be done without"):
        laid("hang_head; never anything; never head; never eyes; never mouth; never brows")
    with pytest.raises(ValueError, match="cannot be done without talking"):  # what it counts may not appear
        laid("whisper x2; never talking")


@pytest.mark.parametrize("name", sorted([*BEHAVIOUR, *FEELING]))
def test_everything_expands_and_fits(name):
    cue = Cue(name, "left" if name in PAIRED else "both")
    for seconds in (None, 2.0, 30.0):
        s = lay_out(Script((cue,), seconds), 4)
        assert s.events and all(e.name in ACTION or e.name in EMOTIONS for e in s.events)
        assert s.seconds - max(ends(s)) >= REST - 0.002
        assert max(ends(s)) < 12.0  # the rest of a long clip is rest
    held = lay_out(Script((replace(cue, held=True),), 9.0), 4)
    assert any(e.stays for e in held.events)


# -- lengths ------------------------------------------------------------------------------
def test_short_clips_shorten_holds_first_and_speeds_last():
    usual, tight, tightest = (laid(f"{n} smile; brow_raise; turn left", 1) for n in ("", "4.4 s;", "3.2 s;"))
    assert tight.seconds == 4.4 and tight.events[0].rise == usual.events[0].rise and tight.events[0].hold < usual.events[0].hold
    assert tightest.events[0].rise < usual.events[0].rise
    for s in (tight, tightest):
        assert [a.name for a in measure(perform(s)).actions] == ["smile", "brow_raise", "turn_left"]
        assert s.seconds - max(ends(s)) >= REST - 0.002


@pytest.mark.parametrize(("line", "message"), [
    ("1 s; smile; nod x3; laugh; shake x5", "at least .* s, and the clip has 1 s"),
    ("3 s; smile for 2 s; pause 3 s nod", "at least .* s"),
    ("3 s; smile at 5 s", "3 s"),
    ("smile x3; nod x9; laugh until 1 s", "should be over at 1 s"),
    ("smile onset 2 s hold 3 s for 2 s", "onset, hold and offset"),
    ("talking for 600 s; pause 60 s nod", "at most 600"),
    ("nod; smile; never smile", "asks for 'smile' and says 'never smile'"),
    ("turn left; never turn", "asks for 'turn left' and says 'never turn'"),
    ("brow_raise left; never brow_raise left", "says 'never brow_raise left'"),
    ("nod; never head", "says 'never head'"),
    ("laugh; never laugh", "says 'never laugh'"),
])
def test_what_cannot_be_done_is_said(line, message):
    with pytest.raises(ValueError, match=message) as caught:
        laid(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", [
    "neutral; never smile", "brow_raise right; never brow_raise left", "gaze right; never gaze left", "smile; never anything",
    "wink left; never wink right", "poker_face; never mouth"])
def test_what_only_looks_like_a_contradiction_is_done(line):
    assert laid(line).events


@pytest.mark.parametrize("seconds", [1.0, 4.0, 12.0, 20.0, 60.0])
def test_one_cue_alone_fits_any_length(seconds):
    for name in NAMES:
        if name == "neutral":
            continue
        s = lay_out(Script((Cue(name, "right" if name in DIRECTIONS else "both"),), seconds), 0)
        assert s.seconds == seconds and s.events
        assert max(e.end(seconds) for e in s.events) <= seconds - (REST if seconds > 1.0 else 0.04) + 0.002


def test_long_scripts():
    line = "600 s; " + "; ".join(["smile; nod x2; laugh; wink left"] * 50)
    s = laid(line)
    assert s.seconds == 600.0 and {e.cue for e in s.events} == set(range(200))
    assert len(channels(s)["head_x"]) == 15000


def test_nothing_asked_is_rest():
    assert laid("5 s; still").events == () and laid("5 s").seconds == 5.0
    assert lay_out(Script(never=(Never("smile"),))).events == ()


def test_opposite_directions_take_turns():
    s = laid("turn left held; turn right; nod")
    yaw = channels(s)["head_y"]
    assert yaw.max() > 0.3 and yaw.min() < -0.3 and yaw[-1] > 0.3
    assert [a.name for a in measure(perform(s)).actions] == ["turn_left", "turn_right", "turn_left", "nod"]


def _cues() -> st.SearchStrategy[Cue]:
    @st.composite
    def cue(draw):
        name = draw(st.sampled_from(NAMES))
        side = draw(st.sampled_from(["left", "right"])) if name in DIRECTIONS else "both"
        join = draw(st.sampled_from(["then", "then", "with", "into"]))
        return Cue(name, side, join, strength=draw(st.sampled_from([None, 0.4, 1.0])),
                   count=draw(st.sampled_from([None, None, 2, 3])), hold=draw(st.sampled_from([None, None, 0.7])),
                   start=draw(st.sampled_from([None, None, None, 2.5])), pause=draw(st.sampled_from([None, None, 0.8])),
                   held=draw(st.sampled_from([False, False, False, True])))
    return cue()


@settings(max_examples=80, deadline=None)
@given(st.lists(_cues(), min_size=1, max_size=5), st.sampled_from([None, 6.0, 15.0]), st.integers(0, 99))
def test_every_cue_is_performed_within_the_clip(cues, seconds, seed):
    script = Script(tuple(cues), seconds)
    try:
        s = lay_out(script, seed)
    except ValueError as err:
        assert seconds is not None and ("the clip has" in str(err) or "cannot begin" in str(err))
        return
    assert s.seconds == (seconds or s.seconds) and s == lay_out(script, seed)
    assert {e.cue for e in s.events} == set(range(len(cues)))
    for e in s.events:
        assert e.start < s.seconds and e.end(s.seconds) <= s.seconds + 1e-6
        assert not e.stays or cues[e.cue].held
    channels(s)
