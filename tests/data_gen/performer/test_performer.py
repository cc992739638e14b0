"""The performer and the sampler: what a script promises, the motion shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from math import radians

import numpy as np
import pytest
from facelm.data_gen.performer.animator import LIMITS, channels, perform
from facelm.data_gen.performer.dynamics import BLINK, envelope, main_sequence, minimum_jerk, strokes
from facelm.data_gen.performer.items import FULL
from facelm.data_gen.performer.sampler import (
    COMPATIBLE,
    FELT,
    NAMES,
    STEP,
    SamplerConfig,
    compatible,
    regions,
    sample_event,
    sample_script,
)
from facelm.data_gen.performer.speech import speak, syllables
from facelm.face.clip.channels import EXPR_INDEX, EXPR_NAMES, STREAMS
from facelm.face.clip.sequence import HeadRef
from facelm.face.facs.poses import ACTION_POSES, EMOTION_POSES
from facelm.face.facs.schedule import LEVELS, Event, Schedule, Style, level_of
from facelm.face.facs.vocabulary import ACTIONS
from hypothesis import given, settings
from hypothesis import strategies as st


@dataclass(frozen=True)
class ArkitHead:
    """All that the performer asks of a head."""

    ref: HeadRef = HeadRef("test", "1", "0" * 64)
    n_shape: int = 8
    expr_names: tuple[str, ...] = EXPR_NAMES


HEAD = ArkitHead()
POSES = {**ACTION_POSES, **EMOTION_POSES}
seeds = st.integers(0, 2**32 - 1)


@cache
def corpus() -> tuple[Schedule, ...]:
    rng = np.random.default_rng(11)
    return tuple(sample_script(rng) for _ in range(2500))


def motion_of(seq) -> np.ndarray:
    return np.concatenate([seq.expr, seq.jaw_pose, seq.neck_pose, seq.eyes_pose], axis=1)


def neighbours(script: Schedule):
    return zip(script.events, script.events[1:], strict=False)


def over(e: Event) -> float:
    return e.start + e.rise + e.hold + e.fall


# -- dynamics ------------------------------------------------------------------------------
def test_minimum_jerk_profile():
    x = np.linspace(0.0, 1.0, 1001)
    y = minimum_jerk(x)
    assert y[0] == 0.0 and y[-1] == 1.0 and y[500] == pytest.approx(0.5)
    assert np.allclose(y + y[::-1], 1.0)
    speed = np.gradient(y, x)
    # Flash & Hogan: peak speed is 1.875 times the mean, halfway; at rest at both ends
    assert speed.max() == pytest.approx(1.875, abs=1e-3) and speed.argmax() == 500
    assert speed[0] < 0.01 and speed[-1] < 0.01
    assert np.array_equal(minimum_jerk([-3.0, 7.0]), [0.0, 1.0])


def test_strokes_pass_through_their_points():
    t = np.arange(101) / 100
    y = strokes(t, [0.1, 0.4, 0.9], [0.0, 2.0, -1.0])
    assert y[:11] == pytest.approx(0.0) and y[40] == pytest.approx(2.0) and y[90:] == pytest.approx(-1.0)


@given(st.floats(0, 1), st.floats(0.04, 1), st.floats(0, 1), st.floats(0.04, 1))
def test_envelope_is_zero_outside_and_one_at_the_apex(start, rise, hold, fall):
    t = np.array([start, start + rise, start + rise + hold, start + rise + hold + fall + 1e-6])
    assert envelope(t, start, rise, hold, fall) == pytest.approx([0, 1, 1, 0], abs=1e-4)


def test_larger_saccades_take_longer_and_stay_within_measured_durations():
    assert 0.02 < main_sequence(2) < main_sequence(12) < main_sequence(30) < 0.12


# -- performer ------------------------------------------------------------------------------
@settings(max_examples=40, deadline=None)
@given(seeds)
def test_performance_is_deterministic_and_within_limits(seed):
    script = sample_script(np.random.default_rng(seed))
    a, b = perform(script, HEAD), perform(Schedule.from_json(script.to_json()), HEAD)
    assert np.array_equal(motion_of(a), motion_of(b))
    assert len(a) == round(script.seconds * 25) and a.head == HEAD.ref and a.shape.shape == (8,)
    assert a.expr.min() >= 0.0 and a.expr.max() <= 1.0
    for field, names in (("jaw_pose", ("jaw_x", "jaw_y", "jaw_z")), ("neck_pose", ("head_x", "head_y", "head_z"))):
        for axis, name in enumerate(names):
            low, high = LIMITS[name]
            curve = getattr(a, field)[:, axis]
            assert low - 1e-6 <= curve.min() and curve.max() <= high + 1e-6
    assert not a.rotation.any() and not a.translation.any()
    assert np.array_equal(a.eyes_pose[:, :3], a.eyes_pose[:, 3:])


def test_rest_is_exactly_zero_outside_events():
    for script in corpus()[:300]:
        motion = motion_of(perform(script, HEAD))
        t = np.arange(len(motion)) / 25.0
        slack = 0.13  # an offset of a slow person takes a little longer than written
        busy = np.zeros(len(t), bool)
        for e in script.events:
            busy |= (t > e.start) & (t < e.end(script.seconds) + slack)
        assert not motion[~busy].any()
        assert busy.sum() < len(t)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"talking", "nod", "shake", "blink", "wink_left", "wink_right"}))
@pytest.mark.parametrize("level", LEVELS)
def test_an_event_reaches_its_target_and_returns(name, level):
    event = Event(name, 0.16, 0.48, 0.48, 0.48, LEVELS[level])
    out = channels(Schedule(2.4, (event,), seed=5))
    for channel, target in POSES[name].items():
        apex = out[channel][16:28]
        assert apex == pytest.approx(target * LEVELS[level], rel=0.035, abs=1e-6)
        assert out[channel][0] == 0.0 and not out[channel][42:].any()


@pytest.mark.parametrize("name", sorted(set(NAMES)))
def test_every_stream_that_an_action_moves_moves_visibly(name):
    """The smallest level stays above the idle filter's dead zones, so nothing commanded is lost."""
    zones = {"expr": 0.12, "jaw": radians(2.0), "head": radians(3.0), "gaze": radians(7.0)}
    least = 1.0 if name in FULL else 0.41
    for stream in STREAMS:
        sizes = [abs(POSES[name].get(c, 0.0)) * least / zones["expr"] for c in stream.expr]
        sizes += [abs(POSES[name].get(c, 0.0)) * least / zones[c.split("_")[0]] for c in stream.pose]
        assert max(sizes) == 0.0 or max(sizes) > 1.0


def test_emotions_hand_over_without_passing_through_rest():
    fall = 0.64
    anger = Event("anger", 0.0, 0.48, 0.48, fall, 1.0)
    out = channels(Schedule(3.0, (anger, Event("happiness", 0.96, fall, 0.5, 0.0, 1.0)), seed=1))
    shared = out["eyeSquintLeft"][24:41]  # 0.7 in anger, 0.55 in happiness
    assert np.all(np.diff(shared) < 1e-3) and shared[-1] == pytest.approx(0.55, rel=0.04)
    middle = round((0.96 + fall / 2) * 25)
    assert out["browDownLeft"][middle] > 0.4 and out["mouthSmileLeft"][middle] > 0.35
    assert out["browDownLeft"][-1] == 0.0


def test_a_new_emotion_ends_one_that_stays_and_neutral_relaxes():
    anger = Event("anger", 0.0, 0.48, 0.5, 0.0, 1.0)
    for name in ("happiness", "neutral"):
        out = channels(Schedule(3.0, (anger, Event(name, 1.2, 0.48, 0.4, 0.0, 1.0))))
        assert out["browDownLeft"][29] > 0.9 and not out["browDownLeft"][45:].any()
    turns = (Event("turn_left", 0.0, 0.4, 0.4, 0.0, 1.0), Event("turn_right", 1.2, 0.4, 0.4, 0.0, 1.0))
    head = channels(Schedule(2.4, turns))["head_y"]
    assert head[28] == pytest.approx(radians(35), rel=0.04) and head[-1] == pytest.approx(-radians(35), rel=0.04)


def test_overlapping_events_take_the_stronger_not_the_sum():
    both = Schedule(2.0, (Event("smile", 0.0, 0.4, 0.8, 0.4, 0.7), Event("happiness", 0.2, 0.4, 0.6, 0.4, 0.7)))
    smile = channels(both)["mouthSmileLeft"]
    assert 0.63 < smile.max() < 0.8
    nodding = Schedule(2.0, (Event("turn_left", 0.0, 0.4, 1.0, 0.4, 1.0), Event("nod", 0.4, 0.2, 0.4, 0.2, 1.0, 2)))
    assert channels(nodding)["head_y"][15:30] == pytest.approx(radians(35), rel=0.04)


@pytest.mark.parametrize(("name", "channel"), [("nod", "head_x"), ("shake", "head_y")])
@pytest.mark.parametrize("cycles", [1, 2, 4])
def test_nods_and_shakes_have_their_cycles(name, channel, cycles):
    event = Event(name, 0.2, 0.2, 0.64 * cycles - 0.4, 0.2, 1.0, cycles)
    curve = channels(Schedule(0.64 * cycles + 0.4, (event,)))[channel]
    size = ACTION_POSES[name][channel]
    peaks = 1 + np.flatnonzero((curve[1:-1] > 0.65 * size) & (curve[1:-1] >= curve[:-2]) & (curve[1:-1] > curve[2:]))
    assert len(peaks) == cycles and curve[peaks].mean() == pytest.approx(size, rel=0.04)
    if name == "nod" and cycles > 1:  # each is smaller than the one before, the last one more than the others
        falls = -np.diff(curve[peaks])
        assert falls.min() > 0.08 * size and falls[-1] == falls.max()
    assert curve[-1] == 0.0
    assert (curve.min() < -0.8 * size) == (name == "shake")


@pytest.mark.parametrize("cycles", [1, 2, 3])
def test_blinks_close_fully_once_per_cycle(cycles):
    event = sample_event(np.random.default_rng(0), "blink", 0.16)
    event = replace(event, cycles=cycles, hold=(cycles - 1) * 0.48 + BLINK[1])
    lids = channels(Schedule(2.0, (event,), style=Style(asymmetry=0.1)))["eyeBlinkRight"]
    shut = lids > 0.95
    assert np.sum(np.diff(shut.astype(int)) == 1) == cycles
    assert lids[round(event.end(2.0) * 25):].max() == 0.0


def test_a_wink_leaves_the_other_eye_open():
    out = channels(Schedule(1.0, (Event("wink_left", 0.2, 0.16, 0.16, 0.16, 1.0),)))
    assert out["eyeBlinkLeft"].max() > 0.95 and "eyeBlinkRight" not in out


@pytest.mark.parametrize(("count", "period"), [(6, 0.32), (10, 0.24), (12, 0.17)])
def test_talking_opens_the_jaw_once_per_syllable(count, period):
    event = Event("talking", 0.16, period / 2, (count - 1) * period, period / 2, 1.0, count)
    out = channels(Schedule(0.16 + count * period + 0.3, (event,), seed=9), fps=100.0)
    jaw = out["jaw_x"]
    peaks = np.flatnonzero((jaw[1:-1] >= jaw[:-2]) & (jaw[1:-1] > jaw[2:]) & (jaw[1:-1] > radians(2.0)))
    assert len(peaks) == count
    assert np.ptp(jaw[peaks + 1]) > radians(1.0)  # syllables differ in size
    assert jaw[:16].max() == 0.0 and jaw[-20:].max() == 0.0


def test_speech_rounds_the_lips_ahead_of_a_rounded_vowel():
    t = np.arange(200) / 200
    early = speak(t, 0.0, 1.0, [("t", "a"), ("t", "o")])["mouthPucker"]
    assert early[int(0.68 * 200)] > 0.05 and early.argmax() == 150
    with pytest.raises(ValueError, match="0 syllables"):
        speak(t, 0.0, 1.0, [])
    assert syllables(np.random.default_rng(1), 5) == syllables(np.random.default_rng(1), 5)


def test_lids_follow_the_gaze_and_closing_lids_undo_widening():
    down = channels(Schedule(1.0, (Event("gaze_down", 0.0, 0.06, 0.5, 0.06, 1.0),)))
    assert 0.2 < down["eyeBlinkLeft"].max() < 0.5
    shut = channels(Schedule(1.2, (Event("eye_widen", 0.0, 0.2, 0.7, 0.2, 1.0), Event("blink", 0.4, *BLINK, 1.0, 1))))
    assert shut["eyeWideLeft"][10] > 0.95 and shut["eyeWideLeft"][13] < 0.05


def test_style_changes_motion_by_a_few_percent():
    event = (Event("smile", 0.0, 0.4, 0.4, 0.4, 0.7),)
    plain = channels(Schedule(1.4, event))
    left_weak = channels(Schedule(1.4, event, style=Style(asymmetry=0.1)))
    assert left_weak["mouthSmileLeft"].max() == pytest.approx(0.9 * plain["mouthSmileLeft"].max())
    assert left_weak["mouthSmileRight"].max() == plain["mouthSmileRight"].max()
    fast = channels(Schedule(1.4, event, style=Style(tempo=1.25)))
    assert fast["mouthSmileLeft"][4] > plain["mouthSmileLeft"][4] and fast["mouthSmileLeft"][30] <= 0.01


def test_identity_and_foreign_heads():
    script = Schedule(3.2, (Event("anger", 0.0, 0.48, 0.8, 0.64), Event("happiness", 1.28, 0.64, 1.28, 0.0)))
    assert perform(script, HEAD, shape=np.ones(3, np.float32)).shape.tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    with pytest.raises(ValueError, match="9 identity"):
        perform(script, HEAD, shape=np.ones(9, np.float32))
    with pytest.raises(ValueError, match="ARKit"):
        perform(script, replace(HEAD, expr_names=tuple(f"e{i}" for i in range(100))))


# -- sampler ---------------------------------------------------------------------------------
def test_scripts_keep_their_promises():
    for script in corpus():
        assert 1.4 <= script.seconds <= 8.0 and 1 <= len(script.events) <= 4
        assert len({e.name for e in script.events}) == len(script.events)
        for i, a in enumerate(script.events):
            assert round(a.start / STEP, 6) % 1 == pytest.approx(0, abs=1e-3)
            assert a.end(script.seconds) <= script.seconds + 1e-6
            assert abs(a.intensity - LEVELS[level_of(a.intensity)]) <= 0.05
            for b in script.events[i + 1:]:
                if b.start < over(a) - 1e-6:  # simultaneous, or one emotion turning into the next
                    assert compatible(a.name, b.name) or (a.name in FELT and b.name in FELT)
                elif regions(a.name) & regions(b.name) and b is script.events[i + 1]:
                    assert b.start - over(a) >= 2 * STEP - 1e-6


def test_distribution_of_scripts():
    scripts = corpus()
    sizes = Counter(len(s.events) for s in scripts)
    for n, share in {1: 0.25, 2: 0.40, 3: 0.25, 4: 0.10}.items():
        assert sizes[n] / len(scripts) == pytest.approx(share, abs=0.06)
    assert np.mean([s.seconds for s in scripts]) == pytest.approx(3.6, abs=0.35)
    names = Counter(e.name for s in scripts for e in s.events)
    assert sum(names[e] for e in FELT) / sum(names.values()) == pytest.approx(0.25, abs=0.03)
    actions = np.array([names[a] for a in ACTIONS])
    assert actions.min() > 0.65 * actions.mean() and actions.max() < 1.5 * actions.mean()
    turns = sum(any(a.name in FELT and b.name in FELT and b.start < over(a) for a, b in neighbours(s))
                for s in scripts)
    assert turns / len(scripts) == pytest.approx(0.08, abs=0.025)
    several = [s for s in scripts if len(s.events) > 1]
    together = sum(any(compatible(a.name, b.name) and b.start < over(a) - 1e-6 for a, b in neighbours(s))
                   for s in several)
    assert together / len(several) == pytest.approx(0.33, abs=0.06)
    assert any(s.events[-1].stays for s in scripts)
    assert {level_of(e.intensity) for s in scripts for e in s.events} == set(LEVELS)


def test_compatibility_is_symmetric_and_keeps_hidden_pairs_apart():
    for a, b in combinations(NAMES, 2):
        assert (b in COMPATIBLE[a]) == (a in COMPATIBLE[b])
    for a, b in (("tongue_out", "lip_press"), ("squint", "eye_close"), ("cheek_puff", "mouth_open"),
                 ("blink", "eye_close"), ("talking", "smile"), ("talking", "mouth_open"), ("nod", "shake"),
                 ("gaze_down", "blink"), ("anger", "smile"), ("happiness", "sadness"), ("brow_raise", "brow_lower")):
        assert b not in COMPATIBLE[a]
    for a, b in (("smile", "nod"), ("wink_left", "smile"), ("brow_raise", "turn_left"), ("happiness", "tilt_left"),
                 ("talking", "nod"), ("surprise", "look_up")):
        assert b in COMPATIBLE[a]
    assert all(COMPATIBLE[name] for name in NAMES)
    with pytest.raises(ValueError, match="no action or emotion 'grin'"):
        regions("grin")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(combinations(NAMES, 2))), seeds)
def test_every_pair_can_be_required(pair, seed):
    script = sample_script(np.random.default_rng(seed), required=pair)
    assert tuple(e.name for e in script.events[:2]) == pair


def test_held_out_pairs_never_occur():
    held = frozenset({frozenset({"smile", n}) for n in NAMES if n != "smile"})
    rng = np.random.default_rng(3)
    config = SamplerConfig(avoid=held)
    for _ in range(600):
        names = {e.name for e in sample_script(rng, config=config).events}
        assert "smile" not in names or len(names) == 1


def test_same_state_same_script():
    assert sample_script(np.random.default_rng(4)) == sample_script(np.random.default_rng(4))
    assert sample_script(np.random.default_rng(4)) != sample_script(np.random.default_rng(5))


@pytest.mark.parametrize(("required", "message"), [(("grin",), "grin"), (NAMES[:5], "up to 4")])
def test_wrong_requests_are_refused(required, message):
    with pytest.raises(ValueError, match=message):
        sample_script(np.random.default_rng(0), required=required)


@pytest.mark.parametrize("step", [0.08, 0.16, 0.2])
def test_the_grid_is_the_tokenizers(step):
    config = SamplerConfig(step=step)
    scripts = [sample_script(np.random.default_rng(i), config=config) for i in range(200)]
    starts = np.array([e.start for s in scripts for e in s.events]) / step
    assert np.abs(starts - np.round(starts)).max() < 0.01
    assert np.mean([s.seconds for s in scripts]) == pytest.approx(3.9, abs=0.3)  # the resolution changes, not the tempo
    for script in scripts:
        perform(script, HEAD)
    with pytest.raises(ValueError, match="step"):
        SamplerConfig(step=0.0)


def test_channels_land_in_their_fields():
    seq = perform(Schedule(2.0, (Event("gaze_left", 0.0, 0.06, 1.0, 0.0, 1.0), Event("smile", 0.2, 0.4, 0.8, 0.0, 1.0),
                               Event("tilt_right", 0.2, 0.4, 0.8, 0.0, 1.0))), HEAD)
    assert seq.eyes_pose[-1, [1, 4]] == pytest.approx(radians(28), rel=0.04)
    assert seq.expr[-1, EXPR_INDEX["mouthSmileLeft"]] > 0.9
    assert seq.neck_pose[-1, 2] == pytest.approx(radians(18), rel=0.04)
