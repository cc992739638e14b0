"""Filmed clips lose camera, resting face and idle motion; long ones are cut at rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.text.from_facts import explain
from facelm.face.clip.normalise import PrepareConfig, is_filmed, normalise
from facelm.face.clip.sequence import FaceSequence
from facelm.face.clip.spontaneous import add_idle, filter_idle
from facelm.face.clip.windows import windows
from facelm.face.facs.measure import measure
from facelm.face.facs.schedule import Event, Schedule
from scipy.spatial.transform import Rotation


def names(clip: FaceSequence) -> list[str]:
    """The events of the script that explains what a clip shows."""
    return [e.name for e in explain(measure(clip), clip.seconds).script.events]


def filmed(script: Schedule, degrees: tuple[float, float, float], gaze: tuple[float, float] = (0.0, 0.0)) -> FaceSequence:
    clip = perform(script)
    turn = Rotation.from_euler("yxz", np.radians(degrees)).as_rotvec()
    eyes = clip.eyes_pose + np.radians([gaze[0], gaze[1], 0.0, gaze[0], gaze[1], 0.0]).astype(np.float32)
    return clip.replace(rotation=np.tile(turn, (len(clip), 1)), translation=np.tile([0.02, 0.0, -0.7], (len(clip), 1)),
                        eyes_pose=eyes)


SMILE_AND_TURN = Schedule(5.0, (Event("smile", 0.6, 0.4, 0.6, 0.4), Event("turn_left", 2.6, 0.5, 0.6, 0.5)))


def test_a_face_past_the_camera_is_not_turned() -> None:
    # turned 15 degrees to its right all the time, while the eyes meet the camera
    clip = filmed(SMILE_AND_TURN, (-15.0, 4.0, 3.0), gaze=(-4.0, 15.0))
    raw = set(measure(clip, filmed=False).names)
    assert "turn_right" in raw and "gaze_left" in raw
    done = normalise(clip)
    assert done.filmed and done.seq.fps == 25.0 and not done.seq.translation.any() and not done.seq.rotation.any()
    assert done.rest_degrees[1] == pytest.approx(-15.0, abs=1.5)
    assert names(done.seq) == ["smile", "turn_left"]


def test_gaze_that_is_not_at_the_camera_stays() -> None:
    done = normalise(filmed(SMILE_AND_TURN, (0.0, 0.0, 0.0), gaze=(0.0, 25.0)))
    assert "gaze_left" in measure(done.seq).names


def test_a_long_turn_away_is_a_turn_when_the_face_also_looked_ahead() -> None:
    held = Schedule(4.0, (Event("turn_right", 1.2, 0.5, 1.0, 0.0, 1.0),))
    assert "turn_right" in measure(normalise(filmed(held, (3.0, 0.0, 0.0))).seq).names


def test_a_clip_that_was_not_filmed_keeps_its_motion() -> None:
    clip = perform(SMILE_AND_TURN)
    assert not is_filmed(clip)
    done = normalise(clip)
    assert not done.filmed and names(done.seq) == ["smile", "turn_left"]
    assert max(np.abs(done.seq.expr - clip.expr).max(), np.abs(done.seq.neck_pose - clip.neck_pose).max()) < 0.06
    alive = add_idle(clip, seed=3)
    assert np.array_equal(normalise(alive).seq.expr, filter_idle(alive).expr)


def test_a_constant_small_expression_is_the_resting_face_and_a_large_one_is_held() -> None:
    clip = filmed(SMILE_AND_TURN, (0.0, 0.0, 0.0))
    low, high = clip.expr.copy(), clip.expr.copy()
    low[:, :2] += 0.35  # browDown
    high[:, :2] = 0.95
    assert "brow_lower" in measure(clip.replace(expr=low), filmed=False).names
    assert "brow_lower" not in measure(normalise(clip.replace(expr=low)).seq).names
    kept = normalise(clip.replace(expr=high))
    assert "brow_lower" in measure(kept.seq).names and kept.seq.expr[:, 0].max() == pytest.approx(0.95, abs=1e-5)
    assert "brow_lower" in measure(normalise(clip.replace(expr=low).slice(0, 30)).seq).names, "too short to tell rest"


def test_invalid_frames_are_bridged_and_a_picture_is_a_short_clip() -> None:
    clip = filmed(SMILE_AND_TURN, (0.0, 0.0, 0.0))
    valid = np.ones(len(clip), bool)
    valid[20:26] = valid[:2] = False
    expr = clip.expr.copy()
    expr[~valid] = 0.9
    done = normalise(replace(clip, expr=expr, valid=valid))
    assert done.seq.valid.all() and names(done.seq) == ["smile", "turn_left"]
    with pytest.raises(ValueError, match="no frame"):
        normalise(replace(clip, valid=np.zeros(len(clip), bool)))
    picture = normalise(filmed(SMILE_AND_TURN, (20.0, 0.0, 0.0)).slice(30, 31))  # smiling, turned 20 degrees to its left
    assert picture.seq.seconds == 1.0 and set(measure(picture.seq).names) == {"smile", "turn_left"}


def test_resting_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="quantile"):
        PrepareConfig(quantile=0.0)
    with pytest.raises(ValueError, match="fps"):
        PrepareConfig(fps=0.0)


def test_long_videos_are_cut_at_rest() -> None:
    clip = perform(Schedule(12.0, (Event("smile", 0.5, 0.4, 3.0, 0.4), Event("turn_left", 6.0, 0.4, 4.0, 0.4))))
    found = windows(clip, 1.0, 8.0)
    assert [p.stop for p in found[:-1]] == [p.start for p in found[1:]] and found[-1].stop == len(clip)
    assert 4.3 <= found[0].stop / clip.fps <= 6.1  # between the smile and the turn
    lost = clip.valid.copy()
    lost[100:140] = False
    assert [(p.start, p.stop) for p in windows(clip.replace(valid=lost), 1.0, 8.0)] == [(0, 100), (140, 300)]
    assert windows(clip.slice(0, 20), 1.0, 8.0) == []
