"""Curves between key poses: eq. 16, minimum jerk, slerp; holds and key poses are kept."""

from __future__ import annotations

import numpy as np
import pytest
from facelm.agent.motion.curves import Stroke, anchors, retime, strokes, through
from facelm.data_gen.performer.dynamics import minimum_jerk
from facelm.data_gen.performer.transitions import Stage, TransitionSpec, perform_transition, state, transition_keys
from facelm.face.clip.channels import EXPR_INDEX, MOTION_FIELDS
from facelm.face.clip.sequence import FaceSequence
from scipy.spatial.transform import Rotation

SMILE = EXPR_INDEX["mouthSmileLeft"]


@pytest.fixture(scope="module")
def clip() -> FaceSequence:
    """Anger at 0.8 s (held to 1.4 s), happiness at 2.2 s, held."""
    spec = TransitionSpec((Stage((("anger", 0.9),), 0.6, 0.6), Stage((("happiness", 0.9),), 0.8, 0.8)), lead=0.2)
    return perform_transition(spec)


@pytest.fixture()
def poses(random_clip: FaceSequence) -> FaceSequence:
    return random_clip.slice(0, 3)


def test_strokes_are_found_where_the_performer_put_them(clip: FaceSequence) -> None:
    keys = transition_keys(clip, 2)
    first, second = strokes(clip, keys)
    assert [first.start, first.stop, second.start, second.stop] == pytest.approx([5, 20, 35, 55], abs=0.6)


def test_keys_lie_in_the_holds_whatever_ripples_the_motion_has(clip: FaceSequence) -> None:
    rng = np.random.default_rng(0)
    ripple = clip.replace(expr=clip.expr + (0.02 * rng.normal(size=clip.expr.shape)).astype(np.float32))
    for one in (clip, ripple):
        first, second = transition_keys(one, 2)
        assert 20 <= first <= 35 and 55 <= second < len(clip)
    assert 55 <= transition_keys(clip.slice(25), 1)[0] + 25 < len(clip)
    held, moved = transition_keys(clip.slice(22), 2)
    assert held <= 13 and moved >= 33, "the clip begins with the first expression"
    assert transition_keys(FaceSequence.rest(1, clip.head), 3) == (0, 0, 0)
    assert transition_keys(FaceSequence.rest(30, clip.head), 2) == (29, 29)
    with pytest.raises(ValueError, match="count is 0"):
        transition_keys(clip, 0)


def test_linear_is_equation_16(poses: FaceSequence) -> None:
    """e(k) = delta e(l) + (1 - delta) e(n), and the same for the pose parameters."""
    out = anchors(poses, (10, 30), 31)
    for at, low, high, delta in ((4, 0, 1, 0.6), (25, 1, 2, 0.25)):
        for name in ("expr", *MOTION_FIELDS):
            value = getattr(poses, name).astype(np.float64)
            assert np.allclose(getattr(out, name)[at], delta * value[low] + (1 - delta) * value[high], atol=1e-6), (at, name)
    for frame, index in ((0, 0), (10, 1), (30, 2)):
        assert all(np.array_equal(getattr(out, n)[frame], getattr(poses, n)[index]) for n in ("expr", *MOTION_FIELDS))


def test_minjerk_takes_its_timing_from_the_law_and_rotates_on_the_shortest_arc(poses: FaceSequence) -> None:
    neck = poses.neck_pose.copy()
    neck[0], neck[1] = (0.0, 1.2, 0.0), (0.0, -1.0, 0.9)
    out = through(poses.replace(neck_pose=neck), (Stroke(2, 12), Stroke(20, 25)), 30, "minjerk")
    share = minimum_jerk(np.arange(11) / 10)[:, None]
    e = poses.expr.astype(np.float64)
    assert np.allclose(out.expr[2:13], e[0] + share * (e[1] - e[0]), atol=1e-6)
    turned = Rotation.from_rotvec(out.neck_pose[2:13].astype(np.float64))
    ends = Rotation.from_rotvec(neck[:2].astype(np.float64))
    whole = (ends[0].inv() * ends[1]).magnitude()
    assert np.allclose((turned[0].inv() * turned).magnitude(), share[:, 0] * whole, atol=1e-5), "constant axis, the law's angle"
    assert (out.expr[12:21] == poses.expr[1]).all() and (out.neck_pose[25:] == poses.neck_pose[2]).all()
    chord = (1 - share[5]) * neck[0] + share[5] * neck[1]
    assert np.abs(out.neck_pose[7] - chord).max() > 0.02, "not the line between the vectors"


def test_minjerk_between_the_performers_key_poses_is_the_performance(clip: FaceSequence) -> None:
    """The performer moves by minimum jerk; linear is off by up to a tenth of the way, and jerks where it starts."""
    keys = transition_keys(clip, 2)
    way = np.ptp(state(clip), axis=0).max()
    apart = {c: np.abs(state(retime(clip, keys, c)) - state(clip)).max() / way for c in ("learned", "minjerk", "linear")}
    assert apart["learned"] == 0 and apart["minjerk"] < 0.03 and 0.08 < apart["linear"] < 0.25
    jerk = {c: np.abs(np.diff(retime(clip, keys, c).expr[:, SMILE].astype(float), 3)).max() for c in ("minjerk", "linear")}
    assert jerk["linear"] > 2 * jerk["minjerk"]


@pytest.mark.parametrize("curve", ["linear", "minjerk"])
def test_key_poses_and_holds_are_kept(clip: FaceSequence, curve: str) -> None:
    keys = transition_keys(clip, 2)
    out = retime(clip, keys, curve)
    assert len(out) == len(clip)
    for low, high, key in ((0, 4, 0), (21, 34, keys[0]), (56, len(clip) - 1, keys[1])):
        assert all((getattr(out, n)[low:high + 1] == getattr(clip, n)[key]).all() for n in ("expr", "jaw_pose")), (low, high)
    assert np.array_equal(out.shape, clip.shape)


def test_fields_can_be_left_alone(clip: FaceSequence) -> None:
    nodding = clip.replace(neck_pose=np.sin(np.arange(len(clip)) / 3)[:, None].astype(np.float32) * [0.2, 0, 0])
    keys = transition_keys(clip, 2)
    assert np.array_equal(retime(nodding, keys, "linear", keep=("neck_pose",)).neck_pose, nodding.neck_pose)
    assert not np.array_equal(retime(nodding, keys, "linear").neck_pose, nodding.neck_pose)


def test_nothing_moves_and_a_key_at_the_start(clip: FaceSequence) -> None:
    rest = FaceSequence.rest(20, clip.head)
    for curve in ("linear", "minjerk"):
        assert not retime(rest, (19, 19), curve).expr.any()
        out = retime(clip, (0, len(clip) - 1), curve)
        assert np.array_equal(out.expr[-1], clip.expr[-1]) and np.array_equal(out.expr[0], clip.expr[0])
        assert len(retime(clip.slice(0, 1), (0,), curve)) == 1


@pytest.mark.parametrize(("call", "words"), [
    (lambda c: retime(c, (5,), "cubic"), "curve is 'cubic'; allowed: learned, linear, minjerk"),
    (lambda c: retime(c, (), "linear"), "key frames"),
    (lambda c: retime(c, (9, 5), "linear"), "rising"),
    (lambda c: retime(c, (5000,), "linear"), "from 0 to"),
    (lambda c: through(c.slice(0, 2), (Stroke(0, 1),), 5, "learned"), "allowed between key poses: linear, minjerk"),
    (lambda c: through(c.slice(0, 2), (Stroke(0, 1), Stroke(1, 2)), 5, "linear"), "2 poses for 2 movements"),
    (lambda c: through(c.slice(0, 3), (Stroke(0, 3), Stroke(2, 4)), 5, "linear"), "overlap"),
    (lambda c: through(c.slice(0, 2), (Stroke(0, 1),), 0, "linear"), "frames is 0"),
    (lambda c: Stroke(4, 3), "not possible"),
])
def test_what_cannot_be_is_refused(clip: FaceSequence, call, words: str) -> None:  # noqa: ANN001
    with pytest.raises(ValueError, match=words):
        call(clip)
