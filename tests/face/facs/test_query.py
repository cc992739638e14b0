"""Questions read by rules and answered with values that are computed from the measurement."""

from typing import Any

import pytest
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.data_gen.reading.questions import names_only, read_question
from facelm.face.facs.evidence.answers import ask
from facelm.face.facs.evidence.happenings import Thing
from facelm.face.facs.evidence.query import Query
from facelm.face.facs.measure import measure
from facelm.face.facs.measured import Measurement
from facelm.face.facs.script_text import read_script

LINE = "8 s; brow_raise at 0.5 s for 1 s; nod x2 at 2.5 s; wink left at 5 s; smile strong at 6 s until 7.5 s; never blink"


@pytest.fixture(scope="module")
def shown() -> Measurement:
    return measure(perform(lay_out(read_script(LINE), 0)))


@pytest.mark.parametrize(("question", "asked", "value"), [
    ("Does it nod?", "whether", True), ("does he shake his head", "whether", False), ("Is she happy?", "whether", True),
    ("Does she raise her left eyebrow?", "whether", True), ("Are her eyes closed?", "whether", False),
    ("Does she frown?", "whether", False), ("Has he opened his mouth?", "whether", False),
    ("How often does it nod?", "count", 2), ("How many times does she wink with her right eye?", "count", 0),
    ("How many winks are there?", "count", 1), ("How often does he blink?", "count", 0),
    ("When does she smile?", "when", [6.0]), ("At what time does he nod?", "when", [2.5]),
    ("When does the second nod begin?", "when", [3.1]), ("When is she happy?", "when", [6.2]),
    ("When does the smile end?", "until", [7.5]), ("Until when does she smile?", "until", [7.5]),
    ("How long does the smile last?", "how_long", [1.5]), ("How strong is the smile?", "how_strong", 1.0),
    ("How fast does he nod?", "how_fast", 1.6), ("Which eye winks?", "side", ["left"]), ("Which brow goes up?", "side", ["both"]),
    ("What happens first?", "first", ["brow_raise"]), ("What happens after the nod?", "after", ["wink_left"]),
    ("What does she do before she winks?", "before", ["nod"]), ("What is she doing at 2.7 s?", "list", ["nod"]),
    ("What happens between 2 and 4 seconds?", "list", ["nod"]), ("what happens in the first 2 seconds", "list", ["brow_raise"]),
    ("Does she smile all the time?", "always", False), ("Is the smile stronger than the brow raise?", "compare", True),
    ("Which lasts longer, the smile or the brow raise?", "compare", "smile"),
    ("Does she nod before she smiles?", "order", True), ("Does she smile before she nods?", "order", False),
    ("Does she smile after nodding?", "order", True), ("Does she look up after the nod?", "order", False),
    ("Which comes first, the smile or the nod?", "compare", "nod"), ("Does he wink or nod first?", "compare", "nod"),
    ("Did the smile last longer than the wink?", "compare", True), ("Does she smile at the beginning?", "whether", False),
    ("Is she smiling at the end?", "whether", True), ("Does she laugh?", "whether", None),
    ("Does she nod while smiling?", "together", False), ("Does she smile and wink at the same time?", "together", False),
    ("is it a big smile?", "how_strong", True), ("how big is the smile", "how_strong", 1.0),
    ("Does she smile or frown?", "which", ["smile"]),
    ("how many seconds pass between the nods and the wink?", "gap", 1.2),
    ("What lasts longer, the smile or the nod?", "compare", "smile"),
    ("Which side does she wink on?", "side", ["left"]), ("Does she tilt her head?", "whether", False),
    ("whats going on at 4.5 s?", "list", []),
    ("Apart from the nod, what else is in it?", "list", ["brow_raise", "wink_left", "smile", "happiness"]),
    ("what is between the brow raise and the wink", "list", ["nod"]), ("what's the third thing she does?", "list", ["wink_left"]),
    ("which action is second in line", "list", ["nod"]), ("does she smile before 2 seconds?", "whether", False),
    ("is she happier at 7 s than at 3 s?", "compare", True),
    ("does she smile less at the end than at the start?", "compare", False),
    ("brows at 1 s vs 4 s, higher?", "compare", True), ("compared with 7 s, does she smile more at 3 s?", "compare", False),
    ("wink, smile, nod: in what order do they come?", "order", ["nod", "wink_left", "smile"]),
    ("does she wink and frown?", "whether", False), ("When is the smile strongest?", "when", [6.6]),
    ("when are the raised brows highest", "when", [0.9]), ("are her eyes closed at 5.2 s?", "whether", False),
    ("is she smiling more at 3 s or at 7 s?", "compare", 7.0), ("where is the smile stronger... 3 s or 7 s", "compare", 7.0),
    ("the smile, it's bigger at 7 s than what it was at 3 s right", "compare", True),
    ("compare 3 s with 7 s please, is the smile bigger at 3 s", "compare", False),
    ("more of a smile at 7 s than there is at 3 s?", "compare", True),
    ("does she smile for longer than 3 s", "how_long", False), ("does she ever stop smiling", "until", True),
    ("is the smile over by 6.5 s", "until", False), ("is the smile done before 7.9 s?", "until", True),
    ("at what second does the smile go away", "until", [7.5]),
    ("she's nodding pretty slowly there, isn't she", "how_fast", False),
    ("it's the eyebrows first and then the smile, is that how it goes", "order", True),
    ("she smiles nonstop in this one or", "always", False), ("he winks right", "whether", False),
    ("he winks, right", "whether", True), ("For how long does she smile in total?", "how_long", 1.5),
    ("does the head move?", "whether", True), ("does his head stay still", "whether", False),
    ("is the head moving at 6.8 s?", "whether", False), ("does the head stay still at 6.8 s?", "whether", True),
    ("What emotion does it show?", "emotion", ["happiness"]), ("How does she feel?", "emotion", ["happiness"]),
    ("How long is the clip?", "length", 8.0), ("Can you tell me how long the video is?", "length", 8.0)])
def test_values(shown: Measurement, question: str, asked: str, value: Any) -> None:
    query = read_question(question)
    assert query is not None and query.asked == asked
    found = ask(shown, query)
    assert found.value == (pytest.approx(value, abs=0.2) if isinstance(value, list) and value and isinstance(value[0], float) else
                           pytest.approx(value, abs=0.1) if isinstance(value, float) else value), found
    assert found.text.endswith(".") and found.text[0] == found.text[0].upper()


@pytest.mark.parametrize("question", [
    "How old is this person?", "Is this person lying?", "Why does she smile?", "What is his name?", "What does he say?",
    "Is she a woman?", "What colour is her hair?", "Is he ill?", "What is she thinking of right now?", "Where is he from?",
    "Who is that?", "Does a hand cover her face?", "What is the weather like?", "Is the smile genuine?", "What does she want?"])
def test_what_no_motion_shows_is_never_answered(shown: Measurement, question: str) -> None:
    query = read_question(question)
    assert query is not None and query.asked == "unseen"
    found = ask(shown, query)
    assert found.value is None and found.text.endswith("cannot be seen in the motion of a face.")


def test_false_premises_are_named(shown: Measurement) -> None:
    for question, words in (("When does he frown?", "There are no lowered brows."), ("How strong is the yaw?", ""),
                            ("How long does she close her eyes?", "There are no closed eyes.")):
        query = read_question(question)
        assert (query is None) if not words else query is not None and ask(shown, query).text == words


def test_a_query_is_typed_and_needs_no_words(shown: Measurement) -> None:
    nod = Query("count", (Thing(("nod",), "nod"),), (0.0, 2.0))
    assert ask(shown, nod).value == 0 and ask(shown, Query("count", nod.things)).value == 2
    assert nod.to_dict()["things"] == ({"names": ("nod",), "label": "nod", "side": "both", "which": None, "at": None, "part": "",
                                     "whole": False, "made_of": ""},)
    assert ask(shown, Query("when", (Thing(("nod",), "nod", which=5),))).text == "There is no nod."


def test_what_does_not_swing_has_a_speed_as_well() -> None:
    seen = measure(perform(lay_out(read_script("9 s; smile at 1 s for 2 s; wink left at 4 s; wink left at 6 s; never blink"), 0)))
    winks = ask(seen, Query("how_fast", (Thing(("wink_left",), "wink"),)))
    assert winks.value == pytest.approx(0.9, abs=0.15) and winks.text.startswith("2 times within 2.")
    smile = ask(seen, Query("how_fast", (Thing(("smile",), "smile"),)))
    assert 0.1 < smile.value < 1.5 and smile.text.startswith(f"It takes {smile.value:.1f} s to come up, and lasts 2.")


@pytest.mark.parametrize(("line", "fast", "slow"), [
    ("smile fast", True, False), ("smile", False, False), ("turn left slow", False, True), ("turn left fast", True, False),
    ("brow_raise", False, False)])
def test_a_movement_is_fast_or_slow_by_how_it_comes_up(line: str, fast: bool, slow: bool) -> None:
    seen = measure(perform(lay_out(read_script(f"{line}; never blink"), 0)))
    thing = Thing((line.split()[0] + ("_left" if "left" in line else ""),), "it")
    assert [ask(seen, Query("how_fast", (thing,), degree=d)).value for d in ("fast", "slow")] == [fast, slow]


def test_closed_eyes_at_a_moment_may_be_a_blink() -> None:
    blinking = measure(perform(lay_out(read_script("4 s; blink at 2 s"), 0)))
    for moment, shut in ((2.1, True), (3.0, False)):
        query = read_question(f"are his eyes closed at {moment} s?")
        assert query is not None and ask(blinking, query).value is shut


def test_a_bare_name_is_no_matter_of_opinion() -> None:
    assert all(map(names_only, ("Is he talking?", "did she laugh, i might of missed it", "any smile in the clip")))
    assert not any(map(names_only, ("is he talking sense", "does it hurt him", "Does she love me?", "when does he talk",
                                    "is that his mum he's kissing")))


def test_yes_or_no_of_several_and_of_parts_of_the_face(shown: Measurement) -> None:
    several = ask(shown, Query("whether", tuple(Thing((n,), n) for n in ("smile", "yawn"))))
    assert several.value is False and several.text == "No: there is a smile, but there is no yawn."
    assert ask(shown, Query("whether", (), region="head")).text == "Yes: a nod (2 times) at 2.5 s."
    assert ask(shown, Query("whether", (), (3.9, 4.8))).value is False


def test_what_is_unsure_in_a_film_is_no_yes() -> None:
    from facelm.face.facs.schedule import Event, Schedule

    clip = perform(Schedule(6.0, (Event("brow_raise", 2.0, 0.4, 1.0, 0.4, 0.33),)))
    m = measure(clip, filmed=True)
    query = read_question("Does she raise her brows?")
    assert query is not None and ask(m, query).text.startswith("Not clearly; perhaps at ") and ask(m, query).value is None


BOUTS = "14 s; nod x2 at 1 s; smile 40% for 2 s at 3.5 s; nod x3 fast at 7 s; smile strong for 2 s at 10 s; never blink"


@pytest.mark.parametrize(("question", "value"), [
    ("When does the second nod begin?", [7.0]), ("Is there more than one smile?", True), ("more than two smiles?", False),
    ("Is the smile wider at 4.5 s or at 11 s?", 11.0), ("smile bigger at 4.5 s or 11 s?", 11.0),
    ("Does she keep her mouth shut the whole time?", True), ("Are her lips closed at 8 s?", True), ("Is her mouth shut at 11"
                                                                                                    " s?", True),
    ("Is the second nod a quick one?", True), ("Is he nodding slowly?", False), ("is she cheerful?", True),
    ("Which things come after the second nod?", ["smile", "happiness"]), ("nods: #2 faster than #1?", True),
    ("Does the sleepy man nod before smiling?", True), ("Which precedes the other, the nod or the smile?", "nod"),
    ("Is the smile bigger at the start or towards the finish?", 2)])
def test_bouts_moments_shut_mouths_and_paces(question: str, value: Any) -> None:
    query = read_question(question)
    assert query is not None
    answer = ask(measure(perform(lay_out(read_script(BOUTS), 0))), query)
    assert answer.value == (pytest.approx(value, abs=0.1) if question.startswith("When") else value), answer.text
