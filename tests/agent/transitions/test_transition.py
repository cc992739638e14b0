"""Transitions of the agent: the same face, from the source's very frame, through the named expressions, in time."""

# ruff: noqa: F811 (fixtures are imported by name)
from __future__ import annotations

import numpy as np
import pytest
from facelm.agent.motion.transition import Source, keep_source, leaving, script_of, source_frame
from facelm.agent.pipeline import FaceLM
from facelm.agent.requests import transition_request
from facelm.agent.talk.intent import transition_in
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.data_gen.performer.transitions import EMOTION_CHANNELS, Stage, TransitionSpec, perform_transition
from facelm.face.clip.channels import EXPR_INDEX, EXPR_NAMES, MOTION_FIELDS
from facelm.face.clip.sequence import FaceSequence, HeadRef
from facelm.face.clip.spontaneous import add_idle
from facelm.face.facs.measure import measure
from facelm.face.facs.schedule import Event, Schedule
from facelm.face.facs.script_text import write_script
from facelm.face.head.model import HeadModel
from scripted_agent import ScriptedLM, needs_tokenizer, scripted_agent, still, what_windows_mean  # noqa: F401

TURN = "Turn this face from anger to happiness."
KEPT = ("rotation", "neck_pose", "eyes_pose", "translation")


@pytest.fixture(scope="module")
def agent() -> FaceLM:
    return scripted_agent()


def draws(agent: FaceLM) -> list[tuple]:
    assert isinstance(agent.lm, ScriptedLM)
    return agent.lm.draws


def frame_of(clip: FaceSequence, index: int) -> FaceSequence:
    return clip.slice(index, index + 1)


def dominant(clip: FaceSequence, key: int) -> str:
    """What geometry says of the frame."""
    held = frame_of(clip, key).replace(shape=np.zeros_like(clip.shape))
    return measure(held.concat(*[held] * 24)).emotion.dominant


# -- the face stays the same --------------------------------------------------------------
@needs_tokenizer
def test_the_source_is_kept_and_the_expressions_come_in_order(agent: FaceLM) -> None:
    source = still(fps=30.0, mouthFrownLeft=0.63, mouthFrownRight=0.63, browInnerUp=0.66, cheekPuff=0.4, mouthPucker=0.21)
    done = agent.transition(TURN, source, 3.0)
    clip = done.clip
    assert done.names == ("anger", "happiness") and len(done.keys) == 2 and done.warnings == ()
    assert len(clip) == 75 and clip.fps == 25
    assert np.array_equal(clip.shape, source.shape) and clip.head == source.head
    for name in KEPT:
        assert (getattr(clip, name) == getattr(source, name)[-1]).all(), name
    for name in ("expr", *MOTION_FIELDS):
        assert np.array_equal(getattr(clip, name)[0], getattr(source, name)[-1]), f"{name}: the first frame is the source"
    untouched = [EXPR_INDEX[n] for n in EXPR_NAMES if n not in EMOTION_CHANNELS]
    assert (clip.expr[:, untouched] == source.expr[-1, untouched]).all() and source.expr[-1, untouched].max() > 0.2
    assert [dominant(clip, k) for k in done.keys] == ["anger", "happiness"]
    assert np.abs(clip.expr[-1, EXPR_INDEX["mouthFrownLeft"]]) < 0.1, "the source's sadness has left"
    assert np.abs(np.diff(clip.expr, axis=0)).max() < 0.25, "no jump"


@needs_tokenizer
def test_without_a_source_it_starts_at_rest(agent: FaceLM) -> None:
    clip = agent.transition(TURN).clip
    assert not clip.expr[0].any() and not clip.jaw_pose[0].any() and not clip.shape.any()
    assert not any(getattr(clip, n).any() for n in KEPT)


@needs_tokenizer
@pytest.mark.parametrize("seconds", [0.4, 1.0, 2.04, 3.0, 5.52])
def test_seconds_are_exact_to_the_frame(agent: FaceLM, seconds: float) -> None:
    for curve in ("learned", "linear", "minjerk"):
        done = agent.transition(TURN, still(browDownLeft=0.5), seconds, curve=curve)
        assert len(done.clip) == round(seconds * 25) and 0 <= done.keys[0] <= done.keys[-1] < len(done.clip)
        assert done.clip.expr[0, EXPR_INDEX["browDownLeft"]] == np.float32(0.5)


@needs_tokenizer
def test_a_duration_in_the_words_counts_and_the_argument_goes_before_it(agent: FaceLM) -> None:
    said = "Turn this face from anger to happiness over 2 seconds."
    assert len(agent.transition(said).clip) == 50
    assert len(agent.transition(said, seconds=1.2).clip) == 30
    assert "second" not in agent.transition(said).text


@needs_tokenizer
def test_via_neutral_is_said_once_and_is_a_stage(agent: FaceLM) -> None:
    for text in (TURN, "Turn this face from anger to happiness via neutral"):
        done = agent.transition(text, still(), 4.0, via="neutral")
        assert done.names == ("anger", "neutral", "happiness") and len(done.keys) == 3
        assert done.text.count("neutral") == 1
    said, wanted = transition_request("from anger to happiness via neutral."), transition_request("from anger to happiness.",
                                                                                                      via="neutral")
    assert said == wanted, "the option does what the words do"
    assert np.abs(done.clip.expr[done.keys[1]]).max() < 0.1 < done.clip.expr[done.keys[0]].max()


@needs_tokenizer
def test_a_source_that_shows_the_first_expression_is_its_key(agent: FaceLM) -> None:
    anger = {n: v for n, v in Stage((("anger", 0.7),)).pose().items()}
    done = agent.transition(TURN, still(**anger), 3.0)
    assert dominant(done.clip, done.keys[0]) == "anger" and done.keys[0] < done.keys[1]
    assert dominant(done.clip, done.keys[1]) == "happiness"


@needs_tokenizer
def test_a_list_is_carried_out_as_if_one_by_one(agent: FaceLM) -> None:
    texts = [TURN, "from fear to disgust", "go from sad to surprised", "turn this face from joy to rage", TURN]
    sources = [still(seed=i, mouthSmileLeft=0.1 * i) if i % 2 else None for i in range(5)]
    seen: list[tuple[int, int]] = []
    many = agent.transition_many(texts, sources, [2.0, None, 1.0, 3.0, None], seed=3, temperature=0.7,
                                 progress=lambda *x: seen.append(x))
    assert seen[-1] == (5, 5) and [d for d, _ in seen] == sorted(d for d, _ in seen)
    for i, one in enumerate(many):
        alone = agent.transition(texts[i], sources[i], [2.0, None, 1.0, 3.0, None][i], seed=3 + i, temperature=0.7)
        assert np.array_equal(one.clip.expr, alone.clip.expr) and one.keys == alone.keys, i


@needs_tokenizer
def test_only_what_the_likeliest_gets_wrong_is_sampled(agent: FaceLM) -> None:
    before = len(draws(agent))
    a, b = (agent.transition(TURN, seconds=2.0, seed=s, candidates=1) for s in (0, 1))
    assert {t for *_, t in draws(agent)[before:]} == {0.0} and a.names == b.names
    other = scripted_agent(right=lambda window, pair: pair[1] % 1000 >= 100)
    other.transition(TURN, seconds=2.0, candidates=3, seed=5)
    assert [(pair[0], pair[1], t) for _, pair, t in draws(other)] == [(5, 0, 0.0), (5, 100, 0.5), (5, 101, 0.5)]
    before = len(draws(other))
    other.transition(TURN, seconds=2.0, temperature=0.0)
    assert len(draws(other)[before:]) == 1, "without chance they would all be the same"


@needs_tokenizer
def test_idle_grows_from_nothing(agent: FaceLM) -> None:
    source = still(mouthSmileLeft=0.3)
    bare, alive = (agent.transition(TURN, source, 3.0, idle=i).clip for i in (False, True))
    assert all(np.array_equal(getattr(alive, n)[0], getattr(bare, n)[0]) for n in ("expr", *MOTION_FIELDS))
    assert not np.array_equal(alive.expr[-1], bare.expr[-1]) and not np.array_equal(alive.neck_pose[-1], bare.neck_pose[-1])


# -- the source's frame -------------------------------------------------------------------
def test_the_frame_is_the_last_one_or_that_of_a_time(head: HeadModel) -> None:
    clip = perform(Schedule(2.0, (Event("smile", 0.0, 0.5, 1.0, 0.4),)))
    assert np.array_equal(source_frame(clip, head).frame.expr[0], clip.expr[-1])
    for at, index in ((0.0, 0), (0.52, 13), (2.0, 49)):
        assert np.array_equal(source_frame(clip, head, at).frame.expr[0], clip.expr[index])
    long = FaceSequence.rest(25 * 100, head.ref)
    assert len(source_frame(long, head, 90.0).frame) == 1, "only a frame is read of a long clip"


def test_a_frame_in_the_middle_of_a_blink_opens_its_eyes(head: HeadModel) -> None:
    lids = [EXPR_INDEX["eyeBlinkLeft"], EXPR_INDEX["eyeBlinkRight"]]
    blinking = perform(Schedule(3.0, (Event("blink", 1.0, 0.12, 0.04, 0.16, 1.0),)))
    index = int(blinking.expr[:, lids[0]].argmax())
    found = source_frame(blinking, head, index / 25)
    assert found.frame.expr[0, lids].min() > 0.9 and np.abs(found.meant.expr[0, lids]).max() < 0.05
    made = FaceSequence.rest(50, head.ref)
    out = keep_source(made, found, (49,))
    assert np.array_equal(out.expr[0], found.frame.expr[0]) and (np.abs(out.expr[10:, lids]) < 0.05).all()
    closed = perform(Schedule(3.0, (Event("eye_close", 0.2, 0.3, 2.0, 0.0, 1.0),)))
    held = keep_source(made, source_frame(closed, head), (49,))
    assert (held.expr[:, lids] == closed.expr[-1, lids]).all() and held.expr[:, lids].min() > 0.9, "closed eyes stay closed"


def test_the_residual_leaves_with_the_first_movement() -> None:
    clip = perform_transition(TransitionSpec((Stage((("anger", 0.9),), 0.6, 0.6), Stage((("happiness", 0.9),), 0.6, 0.6)),
                                             lead=0.2))
    left = leaving(clip, (25, 50))
    assert (left[:6] == 1).all() and (left[20:] == 0).all() and (np.diff(left) <= 0).all()
    assert np.allclose(left[5:21], left[5:21][::-1][::1] * -1 + 1, atol=0.02), "symmetrical, as the stroke is"
    assert (leaving(FaceSequence.rest(9, clip.head), (8,)) == 1).all()
    source = still(1, mouthLeft=0.2, browDownLeft=0.37)
    out = keep_source(clip, Source(source, source), (25, 50))
    assert out.expr[0, EXPR_INDEX["browDownLeft"]] == np.float32(0.37)
    assert np.allclose(out.expr[21:, EXPR_INDEX["browDownLeft"]], clip.expr[21:, EXPR_INDEX["browDownLeft"]], atol=1e-6)


def test_the_head_moves_only_when_asked(head: HeadModel) -> None:
    made = perform(Schedule(2.0, (Event("nod", 0.4, 0.3, 0.6, 0.3, 0.7, 1), Event("smile", 0.5, 0.4, 0.4, 0.4))))
    source = source_frame(still(), head)
    kept, moved = keep_source(made, source, (49,)), keep_source(made, source, (49,), frozenset({"head_x"}))
    assert np.ptp(kept.neck_pose, axis=0).max() == 0
    assert np.array_equal(moved.neck_pose[0], source.frame.neck_pose[0]) and np.ptp(moved.neck_pose, axis=0).max() > 0.1
    asked = transition_request("Turn this face from anger to happiness while nodding.")
    assert "head_x" in asked.channels and asked.warnings == ()
    plain = transition_request(TURN)
    assert (plain.text, plain.names, plain.seconds, plain.warnings) == (TURN, ("anger", "happiness"), None, ())
    assert not plain.channels


@needs_tokenizer
def test_actions_beside_the_expressions_are_done_with_the_last(agent: FaceLM) -> None:
    source = still(cheekPuff=0.3)
    done = agent.transition("He goes from angry to happy while nodding.", source, seconds=4.0)
    assert done.names == ("anger", "happiness") and done.keys[0] < done.keys[1]
    turned = done.clip.neck_pose - source.neck_pose[-1]
    assert np.array_equal(done.clip.neck_pose[0], source.neck_pose[-1]) and np.ptp(turned[:, 0]) > 0.1
    assert (done.clip.eyes_pose == source.eyes_pose[-1]).all() and dominant(done.clip, len(done.clip) - 1) == "happiness"


@pytest.mark.parametrize(("text", "line"), [
    (TURN, "anger at 0 s; into happiness held"),
    ("Turn this face from anger to happiness over 3 s. Hold the anger for one second.",
     "3 s; anger at 0 s hold 1 s; into happiness held"),
    ("Slowly go from angry to 40% happy, via neutral", "anger slow at 0 s; into neutral slow; into happiness 40% slow held"),
    ("Hold the anger for 1.5 seconds, then turn it into happiness", "anger at 0 s hold 1.5 s; into happiness held"),
    ("From anger to fear to joy, holding each for half a second",
     "anger at 0 s hold 0.5 s; into fear hold 0.5 s; into happiness hold 0.5 s held"),
    ("Turn this face to joy. Hold it for 3 s", "happiness at 0 s hold 3 s held"),
    ("From furious to 60% sad and 40% happy, quickly",
     "anger strong fast at 0 s; into sadness 60% fast held; with happiness 40% fast held"),
    ("From very sad to slightly happy while nodding", "sadness strong at 0 s; into happiness slight held; with nod"),
    ("Turn this face from anger to happiness, turning the head to the left and winking with the right eye",
     "anger at 0 s; into happiness held; with turn left; with wink right"),
    ("Turn this face from joy to calm", "happiness at 0 s; into neutral"),
])
def test_an_instruction_is_a_script_of_all_that_it_says(text: str, line: str) -> None:
    made = script_of(transition_request(text))
    assert write_script(made) == line
    assert lay_out(made, 0).seconds == made.seconds or made.seconds is None


@needs_tokenizer
def test_what_is_held_is_there_for_as_long(agent: FaceLM) -> None:
    plain, held = (agent.transition(TURN + more) for more in ("", " Hold the anger for three seconds."))
    assert held.keys[1] - held.keys[0] > 75 > plain.keys[1] - plain.keys[0]
    assert all(dominant(held.clip, held.keys[0] + k) == "anger" for k in (0, 30, 60))
    slow = agent.transition("Slowly go from anger to happiness.")
    assert slow.keys[0] > plain.keys[0]


# -- what is wrong ------------------------------------------------------------------------
@needs_tokenizer
@pytest.mark.parametrize(("arguments", "words"), [
    ({"instructions": [""]}, "instruction is empty"),
    ({"instructions": ["Turn this face from xyzzy to anger."]}, "xyzzy.*happiness"),
    ({"instructions": ["Open the door."]}, "names no expression"),
    ({"seconds": 0.1}, "allowed: 0.2 to 600"),
    ({"seconds": 0.3}, "seconds is 0.3 for 2 expressions .*allowed: 0.4"),
    ({"seconds": float("nan")}, "allowed: 0.2 to 600"),
    ({"seconds": [1.0, 2.0]}, "2 durations for 1 instructions"),
    ({"sources": []}, "0 sources for 1 instructions"),
    ({"at": [1.0, 2.0]}, "2 times for 1 instructions"),
    ({"at": 1.0}, "no source"),
    ({"at": 9.0, "sources": [still()]}, "at is 9 s; allowed: 0 to 0.4 s"),
    ({"at": -1.0, "sources": [still()]}, "at is -1 s"),
    ({"at": float("nan"), "sources": [still()]}, "at is nan s"),
    ({"sources": [still().replace(head=HeadRef("flame", "2023", "0" * 64))]}, "of the head flame"),
    ({"via": "anger"}, "via is 'anger'; allowed: neutral"),
    ({"curve": "cubic"}, "curve is 'cubic'; allowed: learned"),
    ({"seed": -1}, "seed is -1"),
    ({"temperature": float("nan")}, "temperature is nan"),
    ({"candidates": 65}, "candidates is 65"),
])
def test_wrong_requests_are_refused_before_the_model_is_asked(agent: FaceLM, arguments: dict, words: str) -> None:
    before = len(draws(agent))
    with pytest.raises(ValueError, match=words):
        agent.transition_many(**{"instructions": [TURN], **arguments})
    assert len(draws(agent)) == before


def test_words_beyond_the_eight_are_replaced_with_a_warning() -> None:
    asked = transition_request("Turn this face from sleepy to angry")
    assert asked.names[-1] == "anger" and "sleepy" in asked.warnings[0] and "contempt" in asked.warnings[0]
    assert "sleepy" not in asked.text


# -- conversation -------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "clip", "wanted"), [
    ("Turn this face from anger to happiness", False, True),
    ("make her go from furious to relieved", False, True),
    ("from sleepy to angry", False, True),
    ("Turn this face from xyzzy to angry", False, True),
    ("now change it to sad, slowly, via neutral", True, True),
    ("now change it to sad, slowly, via neutral", False, False),
    ("change her to disgust", True, True),
    ("Make this face happy", False, True),
    ("She turns her head from left to right", True, False),
    ("She turns her head from left to right, then looks sad.", True, False),
    ("She looks from left to right, frightened.", True, False),
    ("Turn this face to the left", True, False),
    ("She looks surprised, then angry.", True, False),
    ("Make her smile", True, False),
    ("make her happy", True, False),
    ("Her eyebrows go from low to high in anger.", True, False),
    ("He goes from angry to happy while nodding.", True, False),
    ("Surprise gives way to happiness.", True, False),
    ("She smiles, then nods twice.", True, False),
])
def test_a_conversation_knows_a_transition_when_it_is_asked_for(text: str, clip: bool, wanted: bool) -> None:
    try:
        found = transition_in(text, clip) is not None
    except ValueError:  # one side of "from x to y" is unknown: the refusal is the answer
        found = "xyzzy" in text
    assert found == wanted


def test_add_idle_frames_are_still_sources(head: HeadModel) -> None:
    clip = add_idle(still(100, mouthSmileLeft=0.5, mouthSmileRight=0.5), seed=1)
    found = source_frame(clip, head)
    assert np.array_equal(found.frame.expr[0], clip.expr[-1])
