"""What one side of the face does alone, minor actions, repetitions, levels, and how strong an emotion is."""

from __future__ import annotations

import numpy as np
import pytest
from facelm.data_gen.performer.animator import perform, realise
from facelm.data_gen.performer.dynamics import envelope
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.measure import measure
from facelm.face.facs.measured import Measurement
from facelm.face.facs.poses import ACTION_POSES
from facelm.face.facs.schedule import Event, Schedule, Style
from facelm.face.facs.vocabulary import ACTION, EMOTIONS, allowed_with
from facelm.face.head.model import HeadModel
from head_variants import unnamed

PAIRED = [n for n, a in ACTION.items() if a.paired]
MINOR = [n for n, a in ACTION.items() if a.minor]
SIDES = ("left", "right")
T = np.arange(75) / 25.0


def moved(name: str, curve: np.ndarray, side: str = "both") -> dict[str, np.ndarray]:
    """The channels of an action, of one side where asked."""
    other = {"left": "Right", "right": "Left"}.get(side, "-")
    return {k: v * curve for k, v in ACTION_POSES[name].items() if not k.endswith(other)}


def clip(*motions: dict[str, np.ndarray]) -> FaceSequence:
    """Channels of several actions; where two move one channel the stronger counts."""
    out: dict[str, np.ndarray] = {}
    for motion in motions:
        for k, v in motion.items():
            out[k] = np.where(np.abs(v) > np.abs(out[k]), v, out[k]) if k in out else v
    return realise(out, len(T))


def shown(m: Measurement) -> set[tuple[str, str]]:
    return {(a.name, a.side) for a in m.everything}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", PAIRED)
@pytest.mark.parametrize("strength", [0.35, 0.7, 1.0])
def test_one_side_alone_is_told_from_both(name: str, side: str, strength: float) -> None:
    m = measure(clip(moved(name, strength * envelope(T, 0.5, 0.4, 1.0, 0.4), side)))
    assert (name, side) in shown(m) and {n for n, _ in shown(m)} <= allowed_with(name)
    found, = m.of(name)
    assert found.intensity == pytest.approx(strength, abs=0.12)
    assert (found.onset, found.offset) == pytest.approx((0.5, 2.3), abs=0.12)
    key = "minor" if ACTION[name].minor else "actions"
    row = next(r for r in m.to_dict("x")[key] if r["name"] == name)  # type: ignore[attr-defined]
    assert row["side"] == side


@pytest.mark.parametrize("name", PAIRED)
@pytest.mark.parametrize("asymmetry", [-0.15, 0.0, 0.15])
def test_natural_asymmetry_is_both_sides(name: str, asymmetry: float) -> None:
    schedule = Schedule(3.0, (Event(name, 0.5, 0.4, 1.0, 0.4, 0.8),), style=Style(asymmetry=asymmetry))
    m = measure(perform(schedule))
    assert [a.side for a in m.of(name)] == ["both"]
    assert all("side" not in row for row in m.to_dict("x")["actions"])  # type: ignore[attr-defined]


def test_a_lasting_closed_eye_is_no_wink() -> None:
    for hold, name in ((0.16, "wink_left"), (1.5, "eye_close")):
        m = measure(clip(moved("eye_close", envelope(T, 0.5, 0.16, hold, 0.16), "left")))
        assert shown(m) == {(name, "left" if name == "eye_close" else "both")}


def test_sides_that_take_turns_are_two_actions() -> None:
    first, second = envelope(T, 0.3, 0.3, 0.6, 0.3), envelope(T, 1.0, 0.3, 0.8, 0.3)
    m = measure(clip(moved("brow_raise", first, "left"), moved("brow_raise", second, "right")))
    found = m.of("brow_raise")
    assert [a.side for a in found][::len(found) - 1] == ["left", "right"]
    assert found[0].offset <= found[-1].onset + 0.1


def test_an_eye_that_opens_before_the_other_shows_no_side() -> None:
    slow, fast = envelope(T, 0.5, 0.4, 1.0, 0.4), envelope(T, 0.58, 0.4, 1.0, 0.4)
    m = measure(clip(moved("smile", slow, "left"), moved("smile", fast, "right")))
    assert [a.side for a in m.of("smile")] == ["both"]


@pytest.mark.parametrize("name", MINOR)
def test_minor_actions_are_measured_but_listed_apart(name: str) -> None:
    m = measure(clip(moved(name, 0.8 * envelope(T, 0.5, 0.4, 1.0, 0.4))))
    assert [a.name for a in m.minor] == [name] and name not in m.names
    assert m.of(name)[0].intensity == pytest.approx(0.8, abs=0.12)


@pytest.mark.parametrize("name", [*(n for n, a in ACTION.items() if not a.minor), *(e for e in EMOTIONS if e != "neutral")])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_other_actions_contain_no_minor_ones(name: str, strength: float) -> None:
    cycles = 5 if name in ACTION and ACTION[name].cyclic else 0
    m = measure(perform(Schedule(3.5, (Event(name, 0.5, 0.4, 1.2, 0.4, strength, cycles),))))
    assert not {a.name for a in m.minor} - allowed_with(name)


@pytest.mark.parametrize("name", ["tongue_out", "brow_raise", "mouth_open", "smile", "nose_wrinkle", "turn_left", "gaze_up"])
@pytest.mark.parametrize("times", [2, 3])
def test_repetitions_are_counted_when_the_face_comes_to_rest_between(name: str, times: int) -> None:
    m = measure(perform(Schedule(6.0, (Event(name, 0.4, 0.3, 1.4 * times - 0.6, 0.3, 0.8, times),))))
    assert len(m.of(name)) == times
    assert all(a.offset <= b.onset + 0.1 for a, b in zip(m.of(name), m.of(name)[1:], strict=False))


@pytest.mark.parametrize("emotion", [e for e in EMOTIONS if e != "neutral"])
def test_the_strength_of_an_emotion_follows_the_command(emotion: str) -> None:
    found = []
    for strength in (0.3, 0.45, 0.6, 0.8, 1.0):
        m = measure(perform(Schedule(3.0, (Event(emotion, 0.4, 0.5, 1.0, 0.5, strength),))))
        segment, = [s for s in m.emotion.timeline if s.name != "neutral"]
        assert segment.name == emotion
        assert segment.strength == pytest.approx(strength, abs=0.12)
        found.append(segment.strength)
    assert found == sorted(found) and m.to_dict("x")["emotion"]["timeline"][1]["strength"] == pytest.approx(1.0, abs=0.12)  # type: ignore[index]


def test_a_smile_that_widens_has_two_levels() -> None:
    curve = 0.4 * envelope(T, 0.2, 0.3, 2.0, 0.3) + 0.6 * envelope(T, 1.2, 0.3, 0.7, 0.3)
    smile, = measure(clip(moved("smile", curve))).of("smile")
    assert [round(v.value, 1) for v in smile.levels][:2] == [0.4, 1.0]
    plain, = measure(clip(moved("smile", 0.8 * envelope(T, 0.2, 0.3, 2.0, 0.3)))).of("smile")
    assert plain.levels == ()


@pytest.mark.parametrize("name", PAIRED)
def test_sides_are_told_on_a_head_without_named_columns(name: str) -> None:
    head = HeadModel.default()
    other = unnamed(head, seed=0)
    mix = np.linalg.qr(np.random.default_rng(0).normal(size=(head.n_expr, head.n_expr)))[0].astype(np.float32)
    for side in ("left", "right", "both"):
        plain = clip(moved(name, 0.8 * envelope(T, 0.5, 0.4, 1.0, 0.4), side))
        m = measure(plain.replace(head=other.ref, expr=plain.expr @ mix), other)
        assert (name, side) in shown(m) and {n for n, _ in shown(m)} <= allowed_with(name)
