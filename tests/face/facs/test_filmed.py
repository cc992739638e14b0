"""What is measured of a filmed face: against its own rest, with a confidence, and not what speech, a smile or a turn explains."""

import numpy as np
import pytest
from facelm.data_gen.performer.animator import perform
from facelm.face.clip.channels import EXPR_INDEX, EXPR_NAMES
from facelm.face.clip.normalise import is_recorded
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.emotions import UNCLEAR, estimate_emotion
from facelm.face.facs.evidence.filmed import CLAIMED, MENTIONED, USUAL
from facelm.face.facs.measure import measure
from facelm.face.facs.measured import Measurement
from facelm.face.facs.schedule import Event, Schedule


def filmed(*events: Event, seconds: float = 6.0, noise: float = 0.0, **rest: float) -> FaceSequence:
    """A performance before a camera, on a face whose shapes rest at ``rest``."""
    clip = perform(Schedule(seconds, events))
    expr = clip.expr.astype(np.float64)
    for name, level in rest.items():
        for column in (k for k, n in enumerate(EXPR_NAMES) if n.startswith(name)):
            expr[:, column] = level + (1.0 - level) * expr[:, column]
    expr += noise * np.random.default_rng(0).standard_normal(expr.shape)
    return clip.replace(expr=np.clip(expr, 0.0, 1.0).astype(np.float32), translation=np.tile([0.0, 0.0, -0.7], (len(clip), 1)))


def names(m: Measurement) -> set[str]:
    return {a.name for a in m.everything}


SMILE = Event("smile", 2.0, 0.4, 1.0, 0.5)


def test_the_resting_face_is_no_action_and_an_action_is_sure() -> None:
    m = measure(filmed(SMILE, noise=0.01, noseSneer=0.3, browDown=0.25))
    assert names(m) - {"cheek_raise"} == {"smile"} and not m.notes
    smile, = m.of("smile")
    assert CLAIMED <= smile.confidence < 1.0 and abs(smile.onset - 2.0) < 0.2
    assert {"nose_wrinkle", "brow_lower"} <= names(measure(filmed(SMILE, noseSneer=0.3, browDown=0.25), filmed=False))


def test_a_weak_action_is_mentioned_and_no_fact() -> None:
    m = measure(filmed(Event("brow_raise", 2.0, 0.4, 1.0, 0.4, 0.33)))
    assert "brow_raise" not in names(m)
    found, = (a for a in m.unsure if a.name == "brow_raise")
    assert MENTIONED <= found.confidence < CLAIMED
    assert [a["name"] for a in m.to_dict("x")["unsure"]] == ["brow_raise"]  # type: ignore[attr-defined]


def test_a_strong_resting_expression_is_noted_and_a_known_rest_tells() -> None:
    clip = filmed(seconds=4.0, mouthSmile=0.6)
    held = measure(clip)
    assert [n.partition(" of ")[0] for n in held.notes] == ["smile"] and not held.actions
    rest = filmed(seconds=1.0).concat(clip)
    known = measure(rest, quiet=np.arange(len(rest)) < 20)
    smile, = known.of("smile")
    assert smile.onset == pytest.approx(1.0, abs=0.3) and smile.offset == pytest.approx(5.0, abs=0.1)


def test_shapes_of_speech_and_of_smiles_are_no_actions() -> None:
    talk = Event("talking", 1.0, 0.0, 3.0, 0.0, cycles=10)
    spoken = measure(filmed(talk, Event("lip_pucker", 2.0, 0.15, 0.1, 0.15, 0.6)))
    assert "talking" in names(spoken) and "lip_pucker" not in names(spoken)
    assert "lip_pucker" in names(measure(filmed(Event("lip_pucker", 2.0, 0.3, 0.4, 0.3, 0.8))))
    folds = Event("nose_wrinkle", 2.1, 0.3, 0.8, 0.4, 0.7)
    assert "nose_wrinkle" not in names(measure(filmed(SMILE, folds))) and "nose_wrinkle" in names(measure(filmed(folds)))


def test_eyes_that_stay_on_something_while_the_head_turns_do_not_look_aside() -> None:
    clip = filmed(Event("turn_left", 2.0, 0.5, 1.5, 0.5, 0.7))
    assert names(measure(clip)) == {"turn_left"}
    yaw = clip.neck_pose[:, 1]
    staying = clip.eyes_pose.copy()
    staying[:, [1, 4]] -= yaw[:, None]
    assert "gaze_right" not in names(measure(clip.replace(eyes_pose=staying)))
    assert "gaze_left" in names(measure(filmed(Event("gaze_left", 2.0, 0.2, 1.5, 0.2, 1.0))))


def test_a_picture_is_measured_against_what_fits_find_in_resting_faces() -> None:
    clip = filmed(seconds=1.0).slice(0, 1)
    expr = clip.expr.copy()
    for name, level in (("noseSneer", USUAL["nose_wrinkle"]), ("browDown", USUAL["brow_lower"])):
        expr[:, [EXPR_INDEX[f"{name}{s}"] for s in ("Left", "Right")]] = level
    assert not names(measure(clip.replace(expr=expr))) & {"nose_wrinkle", "brow_lower"}
    expr[:, [EXPR_INDEX[f"browDown{s}"] for s in ("Left", "Right")]] = 0.95
    assert "brow_lower" in names(measure(clip.replace(expr=expr)))


def test_nothing_is_claimed_where_no_face_was_seen() -> None:
    clip = filmed(SMILE)
    valid = np.ones(len(clip), bool)
    valid[45:95] = False
    assert "smile" not in names(measure(clip.replace(valid=valid)))


def test_emotions_that_fit_as_well_are_unclear_and_bared_teeth_are_no_smile() -> None:
    flat = {n: np.full(50, v, np.float32) for n, v in {
        "smile_left": 0.7, "smile_right": 0.7, "brow_raise": 0.6, "eye_widen": 0.5, "mouth_open": 0.6}.items()}
    assert estimate_emotion(flat, 25.0, close=0.3).dominant == UNCLEAR
    assert estimate_emotion(flat, 25.0).dominant != UNCLEAR
    bared = measure(filmed(Event("smile", 2.0, 0.3, 2.0, 0.3, 0.8), Event("brow_lower", 2.0, 0.3, 2.0, 0.3, 1.0)))
    assert "happiness" not in {s.name for s in bared.emotion.timeline}
    assert "happiness" in {s.name for s in measure(filmed(Event("smile", 2.0, 0.3, 2.0, 0.3, 0.8))).emotion.timeline}


def test_a_part_of_a_clip_has_its_own_clock() -> None:
    whole = measure(filmed(SMILE, Event("blink", 4.5, 0.1, 0.0, 0.2)))
    part = whole.between(1.5, 4.0)
    assert [a.name for a in part.actions] == ["smile"] and part.seconds == 2.5
    assert part.actions[0].onset == pytest.approx(whole.of("smile")[0].onset - 1.5)
    assert sum(s.end - s.start for s in part.emotion.timeline) == pytest.approx(2.5)
    assert not whole.between(0.0, 1.5).actions


def test_a_recording_is_known_by_shapes_that_never_rest_at_zero() -> None:
    clip = perform(Schedule(4.0, (Event("happiness", 0.0, 0.1, 3.0, 0.1),)))
    assert not is_recorded(clip)
    assert is_recorded(clip.replace(expr=np.clip(clip.expr + 0.03, 0.0, 1.0).astype(np.float32)))


@pytest.mark.parametrize(("peak", "name"), [(0.2, "turn_left"), (-0.2, "turn_right")])
def test_a_head_that_begins_ahead_and_turns_for_most_of_the_clip_turns_from_there(peak: float, name: str) -> None:
    clip = filmed(seconds=3.0)
    t = np.arange(len(clip)) / clip.fps
    turned = measure(clip.replace(rotation=np.stack([0 * t, peak * np.sin(t), 0 * t], 1).astype(np.float32)))
    found = {a.name: a for a in turned.everything if a.name.startswith("turn")}
    assert set(found) == {name} and found[name].value == pytest.approx(np.degrees(0.2), abs=1.0)
    assert found[name].apex == pytest.approx(np.pi / 2, abs=0.2)


def test_a_head_that_sits_turned_all_through_does_not_turn() -> None:
    clip = filmed(seconds=3.0)
    held = np.tile([0.0, 0.3, 0.0], (len(clip), 1)).astype(np.float32)
    assert not any(a.name.startswith("turn") for a in measure(clip.replace(rotation=held)).everything)
