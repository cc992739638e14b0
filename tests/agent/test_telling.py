"""Descriptions and answers: what a clip shows, by its measurement."""

from __future__ import annotations

import pytest
from facelm.agent.motion.answering import NOT_READ, answer
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.data_gen.wording.telling import tell_measured as tell
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.measure import measure
from facelm.face.facs.measured import Measurement
from facelm.face.facs.script_text import read_script
from facelm.face.head.model import HeadModel


def shown(line: str) -> Measurement:
    return measure(perform(lay_out(read_script(line), 0)))


@pytest.fixture(scope="module")
def nods() -> Measurement:
    return shown("6 s; brow_raise at 0.5 s for 1 s; nod x2 at 2.5 s; wink left at 5 s")


@pytest.mark.parametrize(("line", "words", "others"), [
    ("nod x2", ("nod", "twice"), ("shak", "smil")),
    ("turn left", ("turn", "left"), ("right", "nod")),
    ("happiness", ("happ|joy|smil",), ("angry", "sad")),
    ("wink right", ("wink", "right"), ("left",)),
])
def test_a_description_says_what_is_there_and_nothing_else(line: str, words: tuple[str, ...], others: tuple[str, ...]) -> None:
    said = tell(shown(line)).lower()
    assert all(any(w in said for w in word.split("|")) for word in words), said
    assert not any(w in said for w in others), said


def test_what_comes_first_is_said_first(nods: Measurement) -> None:
    said = tell(nods).lower()
    assert 0 <= said.index("brow") < said.index("nod") < said.index("wink"), said
    assert tell(nods) == tell(nods), "without chance"


def test_a_face_at_rest_shows_nothing() -> None:
    rest = measure(FaceSequence.rest(50, HeadModel.default().ref))
    said = tell(rest).lower()
    assert said and not any(w in said for w in ("smil", "nod", "brow", "wink", "blink"))
    assert answer(rest, "Does she nod?") == "No." and answer(rest, "How often does he blink?") == "Not at all."


@pytest.mark.parametrize(("question", "reply"), [
    ("Does it nod?", "Yes."), ("does she nod", "Yes."), ("Do they shake their head?", "No."), ("Does he smile?", "No."),
    ("How often does it nod?", "Twice."), ("How many times does the woman nod?", "Twice."),
    ("How often does she wink?", "Once."), ("How often does she shake her head?", "Not at all."),
    ("Does she wink?", "Yes."), ("Does she wink with the right eye?", "No."),
    ("Does she nod and shake her head?", "No: there is a nod, but there is no head shake."),
])
def test_answers_are_true(nods: Measurement, question: str, reply: str) -> None:
    assert answer(nods, question) == reply


@pytest.mark.parametrize(("side", "reply"), [("right", "Yes."), ("left", "No.")])
def test_answers_know_the_side(side: str, reply: str) -> None:
    assert answer(shown("smile right"), f"Does she smile on the {side} side?") == reply
    assert answer(shown("wink right"), "Does he wink?") == "Yes."


def test_a_question_of_two_parts_is_answered_in_two(nods: Measurement) -> None:
    assert answer(nods, "How often does she nod, and when?") == "Twice. At 2.5 s."
    assert answer(nods, "Which eye winks and at what time?").startswith("The left. At ")


def test_times_are_those_of_the_measurement(nods: Measurement) -> None:
    onset = next(a.onset for a in nods.actions if a.name == "nod")
    assert f"{onset:.1f}" in answer(nods, "When does she nod?")
    assert "no" in answer(nods, "When does she shake her head?").lower()


@pytest.mark.parametrize("question", [
    "What colour is her hair?", "Who is she?", "How old is the man?", "Where was this filmed?", "What is the capital of France?"])
def test_what_cannot_be_seen_is_said_to_be_unseen(nods: Measurement, question: str) -> None:
    assert answer(nods, question).endswith("cannot be seen in the motion of a face.")


def test_a_question_that_cannot_be_read_is_said_to_be_one(nods: Measurement) -> None:
    assert answer(nods, "Blorp the quandle?") == NOT_READ
