"""Fitted clips are told relative to how the head rests in them."""

from __future__ import annotations

import numpy as np
import pytest
from facelm.data_gen.performer.animator import perform
from facelm.face.clip.canonical import CanonicalConfig, bridge, canonical
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.measure import measure
from facelm.face.facs.schedule import Event, Schedule
from scipy.spatial.transform import Rotation

PAN = Rotation.from_euler("yxz", [24.0, 8.0, -6.0], degrees=True)


def filmed(clip: FaceSequence, pan: Rotation = PAN, noise: float = 0.0) -> FaceSequence:
    """The clip as a fit gives it: head motion in the camera's frame, nothing in the neck."""
    rng = np.random.default_rng(0)
    turned = pan * Rotation.from_rotvec(clip.neck_pose.astype(np.float64))
    turned = turned * Rotation.from_rotvec(rng.normal(0.0, np.radians(noise), (len(clip), 3)))
    return clip.replace(rotation=turned.as_rotvec().astype(np.float32), neck_pose=np.zeros_like(clip.neck_pose),
                        translation=np.full_like(clip.translation, -0.6))


def script(*events: Event, seconds: float = 3.0) -> Schedule:
    return Schedule(seconds, events)


@pytest.mark.parametrize(("events", "names"), [
    ((Event("smile", 0.5, 0.5, 0.8, 0.4),), {"smile"}),
    ((Event("turn_left", 0.4, 0.5, 0.0, 0.0),), {"turn_left"}),  # stays away from rest for most of the clip
    ((Event("turn_right", 0.4, 0.5, 1.0, 0.5), Event("smile", 1.0, 0.4, 0.6, 0.4)), {"turn_right", "smile"}),
    ((Event("nod", 0.5, 0.0, 1.5, 0.0, cycles=3),), {"nod"}),
])
@pytest.mark.parametrize("noise", [0.0, 0.25])
def test_what_is_measured_does_not_depend_on_the_camera(events: tuple[Event, ...], names: set[str], noise: float) -> None:
    clip = perform(script(*events))
    found = measure(canonical(filmed(clip, noise=noise)))
    assert names <= set(found.names)
    head = {"turn_left", "turn_right", "look_up", "look_down", "tilt_left", "tilt_right", "nod", "shake"}
    assert set(found.names) & head == names & head
    as_it_stands = measure(filmed(clip), filmed=False)
    assert set(as_it_stands.names) & head != names & head, "the camera's place is read as a turn"


def test_rest_is_exactly_rest_and_the_frame_rate_is_the_training_one() -> None:
    clip = perform(script(Event("smile", 0.5, 0.5, 0.8, 0.4)), fps=12.5)
    out = canonical(filmed(clip))
    assert out.fps == 25.0 and len(out) == 76
    assert not out.rotation.any() and not out.translation.any() and not out.neck_pose.any()
    plain = canonical(filmed(clip), config=CanonicalConfig(filtered=False))
    assert np.abs(plain.neck_pose).max() < 1e-5


def test_gaps_are_bridged_and_long_ones_stay_marked() -> None:
    clip = filmed(perform(script(Event("turn_left", 0.4, 0.5, 1.0, 0.5))))
    valid = np.ones(len(clip), bool)
    valid[[0, 20, 21, 74]] = False
    broken = clip.replace(valid=valid, rotation=np.where(valid[:, None], clip.rotation, 3.0).astype(np.float32))
    whole = bridge(broken)
    assert whole.valid.all()
    assert np.abs(whole.rotation - clip.rotation).max() < np.radians(3.0)
    assert (whole.rotation[valid] == clip.rotation[valid]).all()
    valid[30:60] = False
    assert list(np.flatnonzero(~bridge(clip.replace(valid=valid)).valid)) == list(range(30, 60))
    with pytest.raises(ValueError, match="no frame of the clip has a fit"):
        canonical(clip.replace(valid=np.zeros(len(clip), bool)))


def test_one_frame_is_a_picture() -> None:
    picture = filmed(perform(script(Event("smile", 0.0, 0.1, 0.2, 0.0), seconds=0.2))).slice(4)
    out = canonical(picture)
    assert len(out) == 1 and not out.neck_pose.any() and "smile" in measure(out).names


def test_a_long_clip_rests_where_it_stays_longest() -> None:
    clip = perform(Schedule(20.0, (Event("turn_left", 0.5, 0.5, 0.0, 0.0),)))
    out = canonical(filmed(clip))
    assert np.degrees(np.abs(out.neck_pose[-100:])).max() < 1.0
    with pytest.raises(ValueError, match="quiet"):
        CanonicalConfig(quiet=0.0)
