"""Transitions performed: the numbers behind an instruction, and where its expressions are found again."""

import numpy as np
import pytest
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.transitions import (
    EMOTION_CHANNELS,
    Stage,
    TransitionSpec,
    perform_transition,
    realise_plan,
    sample_plan,
    transition_channels,
    transition_keys,
)
from facelm.face.clip.channels import EXPR_INDEX
from facelm.face.facs.schedule import Event, Schedule
from facelm.face.head.model import HeadModel
from facelm.tokenizer.features import to_features

HEAD = HeadModel.default()


def pair(a, b, **kw):
    return TransitionSpec((Stage(((a, 1.0),), 0.48, 0.64), Stage(((b, 1.0),), 0.64, 0.96)), **kw)


def test_a_plain_transition_is_the_performers_own_hand_over():
    spec = pair("anger", "happiness")
    script = Schedule(spec.seconds, (Event("anger", 0.16, 0.48, 0.64, 0.64, 1.0), Event("happiness", 1.28, 0.64, 0.96, 0.0, 1.0)))
    ours, theirs = perform_transition(spec, HEAD), perform(script, HEAD)
    assert len(ours) == len(theirs)
    # the performer varies an event's strength by up to 3 %
    assert np.abs(ours.expr - theirs.expr).max() < 0.035
    flat = ours.expr[16:31]
    assert np.abs(flat - flat[0]).max() < 1e-6  # held between 0.64 and 1.24 s


def test_the_first_frame_is_the_source_and_untouched_channels_stay():
    source = {"head_y": 0.4, "gaze_yaw": -0.2, "cheekPuff": 0.8, "mouthSmileLeft": 0.9}
    clip = perform_transition(pair("anger", "surprise", source=source), HEAD)
    assert np.allclose(clip.neck_pose[:, 1], 0.4) and np.allclose(clip.eyes_pose[:, 1], -0.2)
    assert np.allclose(clip.expr[:, EXPR_INDEX["cheekPuff"]], 0.8)
    smile = clip.expr[:, EXPR_INDEX["mouthSmileLeft"]]
    assert smile[0] == pytest.approx(0.9) and smile[-1] == pytest.approx(0.0, abs=1e-6)
    assert "cheekPuff" not in EMOTION_CHANNELS and "mouthSmileLeft" in EMOTION_CHANNELS


def test_blends_add_up_and_neutral_clears():
    spec = TransitionSpec((Stage((("happiness", 0.7), ("surprise", 0.3))), Stage((("neutral", 1.0),))))
    clip = perform_transition(spec, HEAD)
    at = round(spec.apexes[0] * 25) + 2
    assert clip.expr[at, EXPR_INDEX["mouthSmileLeft"]] == pytest.approx(0.665, abs=1e-3)
    assert clip.expr[at, EXPR_INDEX["browOuterUpLeft"]] == pytest.approx(0.3, abs=1e-3)
    assert np.abs(clip.expr[-1]).max() < 1e-6
    assert spec.stages[0].name == "happiness"


def test_a_stage_without_hold_moves_on_at_once():
    spec = TransitionSpec((Stage((("fear", 1.0),), 0.32, 0.0), Stage((("anger", 1.0),), 0.32, 0.32)), lead=0.0)
    curves = transition_channels(spec)
    assert all(np.isfinite(c).all() for c in curves.values())
    assert curves["browInnerUp"].max() > 0.9


def test_keys_are_found_in_random_transitions():
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(150):
        spec = realise_plan(sample_plan(rng), rng)
        keys = transition_keys(perform_transition(spec, HEAD), len(spec.stages))
        assert list(keys) == sorted(keys)
        for i, (key, stage, apex) in enumerate(zip(keys, spec.stages, spec.apexes, strict=True)):
            wrong += not (-0.01 if i == 0 else apex - 0.1) <= key / 25 <= apex + stage.hold + 0.3
    assert wrong <= 2


def test_keys_of_a_still_clip_and_bad_counts():
    clip = perform_transition(TransitionSpec((Stage((("neutral", 1.0),)),)), HEAD)
    assert transition_keys(clip, 2) == (len(clip) - 1,) * 2
    with pytest.raises(ValueError, match="count is 0"):
        transition_keys(clip, 0)


@pytest.mark.parametrize(("make", "says"), [
    (lambda: Stage((("joy", 1.0),)), "unknown emotion 'joy'; known: neutral"),
    (lambda: Stage((("anger", 1.5),)), "intensity 1.5; allowed"),
    (lambda: Stage(()), "at least one emotion"),
    (lambda: Stage((("anger", 1.0),), 0.0), "rises in 0 s"),
    (lambda: TransitionSpec(()), "at least one expression"),
    (lambda: TransitionSpec((Stage((("anger", 1.0),), 1.0, 700.0),)), "at most 600 s"),
])
def test_impossible_transitions_are_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_features_of_a_transition_fit_the_tokenizer():
    features = to_features(perform_transition(pair("disgust", "happiness"), HEAD))
    assert features.ndim == 2 and np.isfinite(features).all() and np.abs(features).max() <= 1.5
