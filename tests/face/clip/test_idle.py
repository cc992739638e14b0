"""The idle layer: at published rates, and gone again after filtering."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.sampler import sample_script
from facelm.face.clip.channels import EXPR_INDEX, EXPR_NAMES
from facelm.face.clip.sequence import FaceSequence, HeadRef
from facelm.face.clip.spontaneous import IdleConfig, add_idle, filter_idle
from facelm.face.facs.poses import ACTION_POSES
from facelm.face.facs.schedule import Event, Schedule
from hypothesis import given, settings
from hypothesis import strategies as st


@dataclass(frozen=True)
class ArkitHead:
    ref: HeadRef = HeadRef("test", "1", "0" * 64)
    n_shape: int = 8
    expr_names: tuple[str, ...] = EXPR_NAMES


HEAD = ArkitHead()
LID = EXPR_INDEX["eyeBlinkLeft"]
seeds = st.integers(0, 2**31)


def rest(seconds: float, n_expr: int = len(EXPR_NAMES), fps: float = 25.0) -> FaceSequence:
    return FaceSequence.rest(round(seconds * fps), HEAD.ref, n_expr=n_expr, fps=fps)


def one(name: str, intensity: float, rise: float = 0.48, hold: float = 0.6, cycles: int = 0) -> FaceSequence:
    event = Event(name, 0.8, rise, hold, rise, intensity, cycles)
    return perform(Schedule(round(1.6 + 2 * rise + hold, 2), (event,), seed=2), HEAD)


def worst(a: FaceSequence, b: FaceSequence) -> tuple[float, float, float, float]:
    """Largest differences: expression (share), jaw, head and gaze (degrees)."""
    jaw, head, gaze = (float(np.degrees(np.abs(getattr(a, k) - getattr(b, k)).max()))
                       for k in ("jaw_pose", "neck_pose", "eyes_pose"))
    return float(np.abs(a.expr - b.expr).max()), jaw, head, gaze


def blinks_in(seq: FaceSequence) -> int:
    return int(np.sum(np.diff((seq.expr[:, LID] > 0.5).astype(int)) == 1))


# -- adding ------------------------------------------------------------------------------------
def test_blinks_come_at_the_published_rate():
    clips = [add_idle(rest(300), seed) for seed in range(4)]
    rate = sum(blinks_in(c) for c in clips) / 20
    assert 15.0 <= rate <= 20.0  # Bentivoglio et al. 1997: 17 a minute
    lids = clips[0].expr[:, LID]
    starts = np.flatnonzero(np.diff((lids > 0.3).astype(int)) == 1)
    lengths = np.flatnonzero(np.diff((lids > 0.3).astype(int)) == -1)[: len(starts)] - starts
    assert lengths.min() >= 3 and lengths.max() <= 10  # 0.1 to 0.4 s
    gaps = np.diff(starts) / 25.0
    assert gaps.min() >= 0.5 and gaps.std() > 0.35 * gaps.mean()  # neither bursts nor a metronome
    assert lids.max() > 0.97


def test_eyes_jump_at_the_configured_rates_and_stay_near():
    config = IdleConfig(saccade_rate=0.0)
    gaze = np.degrees(add_idle(rest(240, fps=100.0), 1, config).eyes_pose)
    jumps = np.linalg.norm(np.diff(gaze[:, :2], axis=0), axis=1) > 0.02
    starts = int(np.sum(np.diff(jumps.astype(int)) == 1))
    assert 1.0 <= starts / 240 <= 2.0  # Martinez-Conde et al. 2004: 1 to 2 a second
    assert np.linalg.norm(gaze[:, :2], axis=1).max() < 1.0
    whole = np.degrees(add_idle(rest(240), 1).eyes_pose)
    assert 1.0 < np.linalg.norm(whole[:, :2], axis=1).max() <= IdleConfig().saccade_limit + 1e-4
    assert np.array_equal(whole[:, :3], whole[:, 3:])


def test_head_drift_is_slow_and_small():
    head = np.degrees(add_idle(rest(120), 5).neck_pose)
    assert 0.3 < np.abs(head).max() < 1.5
    assert np.abs(np.diff(head, axis=0)).max() * 25.0 < 2.5  # degrees a second


@settings(max_examples=15, deadline=None)
@given(seeds, seeds)
def test_idle_depends_on_its_seed_only_and_keeps_limits(clip_seed, seed):
    clip = perform(sample_script(np.random.default_rng(clip_seed)), HEAD)
    a, b = add_idle(clip, seed), add_idle(clip, seed)
    assert np.array_equal(a.expr, b.expr) and np.array_equal(a.eyes_pose, b.eyes_pose)
    assert not np.array_equal(a.eyes_pose, add_idle(clip, seed + 1).eyes_pose)
    assert a.expr.min() >= 0.0 and a.expr.max() <= 1.0
    assert len(a) == len(clip) and a.head == clip.head
    assert np.array_equal(a.jaw_pose, clip.jaw_pose) and np.array_equal(a.translation, clip.translation)


def test_no_blink_falls_on_closed_eyes():
    shut = one("eye_close", 1.0, rise=0.32, hold=30.0)
    for seed in range(5):
        alive = add_idle(shut, seed, IdleConfig(noise=0.0))
        during = shut.expr[:, LID] > 0.05
        assert np.array_equal(alive.expr[during], shut.expr[during])


def test_directed_gaze_stays_directed():
    look = one("gaze_left", 1.0, rise=0.08, hold=20.0)
    apex = slice(25, 25 + 20 * 25 - 5)
    away = np.degrees(np.abs(add_idle(look, 3).eyes_pose - look.eyes_pose)[apex])
    assert 0.0 < away.max() < 1.0


def test_every_part_can_be_switched_off():
    none = IdleConfig(blink_rate=0, saccade_rate=0, microsaccade_rate=0, head_drift=0, noise=0)
    clip = one("smile", 0.7)
    assert worst(add_idle(clip, 1, none), clip) == (0.0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="blink_rate"):
        IdleConfig(blink_rate=-1)


def test_foreign_columns_get_eye_and_head_movement_only():
    clip = rest(20, n_expr=100)
    alive = add_idle(clip, 1)
    assert not alive.expr.any() and alive.eyes_pose.any() and alive.neck_pose.any()
    quiet = filter_idle(alive)
    assert not quiet.eyes_pose.any() and not quiet.neck_pose.any()


def test_one_frame_is_enough():
    assert len(filter_idle(add_idle(rest(0.04), 0))) == 1


# -- filtering -----------------------------------------------------------------------------------
@settings(max_examples=15, deadline=None)
@given(seeds)
def test_a_resting_face_is_exactly_at_rest(seed):
    quiet = filter_idle(add_idle(rest(20), seed), IdleConfig(blinks=True))
    for name in ("expr", "jaw_pose", "neck_pose", "eyes_pose", "rotation", "translation"):
        assert not getattr(quiet, name).any()
    kept = filter_idle(add_idle(rest(20), seed))
    others = [i for i, n in enumerate(EXPR_NAMES) if not n.startswith("eyeBlink")]
    assert not kept.expr[:, others].any() and not kept.eyes_pose.any()


def test_blinks_stay_unless_they_are_to_go():
    alive = add_idle(rest(120), 9)
    assert blinks_in(filter_idle(alive)) == blinks_in(alive) > 20
    assert blinks_in(filter_idle(alive, IdleConfig(blinks=True))) == 0


def test_removing_blinks_keeps_winks_and_closed_eyes():
    config = IdleConfig(blinks=True)
    for clip in (one("wink_left", 1.0, rise=0.16, hold=0.2), one("eye_close", 1.0, rise=0.3, hold=1.0)):
        assert np.abs(filter_idle(clip, config).expr - clip.expr).max() < 0.02


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_commanded_motion_passes_unchanged(seed):
    clip = perform(sample_script(np.random.default_rng(seed)), HEAD)
    expr, jaw, head, gaze = worst(filter_idle(clip), clip)
    assert expr < 0.08 and jaw < 0.6 and head < 0.6 and gaze < 1.5


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_what_remains_of_a_living_clip_is_close_to_what_was_commanded(seed):
    clip = perform(sample_script(np.random.default_rng(seed)), HEAD)
    config = IdleConfig(blink_rate=0.0)
    quiet = filter_idle(add_idle(clip, seed % 97, config))
    expr, jaw, head, gaze = worst(quiet, clip)
    assert expr < 0.2 and jaw < 2.2 and head < 3.0 and gaze < 4.0
    assert np.abs(quiet.expr - clip.expr).mean() < 0.004


@pytest.mark.parametrize("name", sorted(set(ACTION_POSES) - {"talking", "nod", "shake", "blink"}))
def test_slow_slight_actions_survive(name):
    clip = one(name, 0.45 if name != "eye_close" and "wink" not in name else 1.0, rise=1.0)
    quiet = filter_idle(add_idle(clip, 4, IdleConfig(blink_rate=0.0)))
    middle = len(clip) // 2
    for field in ("expr", "jaw_pose", "neck_pose", "eyes_pose"):
        a, b = getattr(clip, field)[middle], getattr(quiet, field)[middle]
        main = np.abs(a).argmax()
        assert b[main] == pytest.approx(a[main], rel=0.15, abs=0.05)
    assert not quiet.expr[:12].any() and not quiet.neck_pose[:12].any()


@pytest.mark.parametrize(("name", "field", "axis"), [
    ("nod", "neck_pose", 0), ("shake", "neck_pose", 1), ("talking", "jaw_pose", 0)])
def test_oscillations_survive(name, field, axis):
    cycles = 8 if name == "talking" else 3
    clip = one(name, 0.45, rise=0.15, hold=cycles * (0.28 if name == "talking" else 0.6) - 0.3, cycles=cycles)
    quiet = filter_idle(add_idle(clip, 6, IdleConfig(blink_rate=0.0)))
    a, b = getattr(clip, field)[:, axis], getattr(quiet, field)[:, axis]
    assert np.corrcoef(a, b)[0, 1] > 0.97
    assert np.ptp(b) == pytest.approx(np.ptp(a), rel=0.2)


def test_filtering_twice_changes_little():
    clip = add_idle(perform(sample_script(np.random.default_rng(8)), HEAD), 1, IdleConfig(blink_rate=0.0))
    once = filter_idle(clip)
    expr, jaw, head, gaze = worst(filter_idle(once), once)
    assert expr < 0.05 and jaw < 0.5 and head < 0.8 and gaze < 2.0
