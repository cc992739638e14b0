"""What a line points at gets its name; what a plan leaves out of a question is seen; what is said for certain is done."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from facelm.agent.talk.planning.doubts import question_doubts
from facelm.agent.talk.planning.planned import amended, respelled
from facelm.agent.talk.planning.pointing import pointed
from facelm.agent.talk.planning.recalled import meant_instead, renumbered
from facelm.agent.talk.planning.repaired import repaired
from facelm.agent.talk.session import Turn
from facelm.data_gen.performer.layout import lay_out
from facelm.face.facs.script_text import read_script
from facelm.llm.grammar.plans import parse_plan, plan_text

SCRIPT = read_script("turn left at 1 s; grin_teeth at 3 s; wink left at 5 s; nod x2 at 7 s")
SCHEDULE = lay_out(SCRIPT, 0)


@pytest.mark.parametrize(("line", "meant"), [
    ("the last one should only happen once", "the nod should only happen once"),
    ("the thing she does at 5 s, get rid of it", "the wink, get rid of it"),
    ("that thing around second five shouldn't be in there", "the wink shouldn't be in there"),
    ("put a sigh in place of number two", "put a sigh in place of the grin teeth"),
    ("that thing with the mouth, a bit less of it", "the grin teeth, a bit less of it"),
    ("how long does the third action last?", "how long does the wink last?"),
    ("make the first two things faster", "make the turn and the grin teeth faster"), ("last two out", "the wink and the nod out"),
    ("the opening head movement three times", "the turn three times"),
    ("remove everything after the grin", "remove the wink and the nod"),
    ("all that comes before the wink faster", "the turn and the grin teeth faster"),
    ("what she does right after grinning, more of that", "the wink, more of that"),
    ("swap the first one and the last one", "swap the turn and the nod")])
def test_what_is_pointed_at_gets_its_name(line: str, meant: str) -> None:
    assert pointed(line, SCRIPT, SCHEDULE) == meant


TWICE = read_script("smile 40% at 1 s for 1 s; nod x2 at 3 s; smile strong at 5 s for 2 s; nod x4 at 8 s; 11 s")


@pytest.mark.parametrize(("line", "meant"), [
    ("of the two smiles the weaker one may go", "the first smile may go"), ("the longer smile slower", "the second smile slower"),
    ("scrap the nod that comes after the second smile", "scrap the second nod"),
    ("the nod which comes right before the smile is fine, slower please", "the first nod is fine, slower please"),
    ("slow down nod number two", "slow down the second nod"), ("the penultimate action weaker", "the second smile weaker"),
    ("have what he does right before the first nod done twice", "have the first smile done twice"),
    ("what follows on the first nod can be thrown away", "the second smile can be thrown away"),
    ("the finishing move three times", "the second nod three times"),
    ("get the feeble one of the smiles up", "get the first smile up"), ("the timid smile can go", "the first smile can go"),
    ("there's a brief smile and a long one; the brief one out",
     "there's a brief smile and a long one; the first smile out"),
    ("the nodding that's got more bobs in it should be slower", "the second nod should be slower"),
    ("the earlier of the nods faster", "the first nod faster"),
    ("the nod before the second smile faster", "the first nod faster"), ("nod numero uno: slower", "the first nod: slower"),
    ("keep the first nod, the other one can go", "keep the first nod, the second nod can go"),
    ("the last but one is too timid", "the second smile is too timid"),
    ("make the nod the longer one", "make the nod the longer one"), ("the small smile and the big smile",
                                                                    "the first smile and the second smile"),
    ("the smile bigger", "the smile bigger"),
    ("a longer smile", "a longer smile"), ("make the smile longer", "make the smile longer")])
def test_of_several_that_one_which_is_told_apart(line: str, meant: str) -> None:
    assert pointed(line, TWICE, lay_out(TWICE, 0)) == meant


@pytest.mark.parametrize(("start", "before", "line", "meant"), [
    ("wink left; wink right; nod", "", "I like the right-eyed wink, the other one bores me",
     "I like the second wink, the first wink bores me"),
    ("wink left; wink right; nod", "the first wink slower", "and the other wink faster", "and the second wink faster"),
    ("happiness; wink left; sadness", "", "two moods.. the gloomy one stronger", "two moods.. the sadness stronger"),
    ("nod; smile", "is there a wink in it? The wink.", "put one at the end then", "put a wink at the end then"),
    ("wink left; nod; smile", "", "what sits right behind the wink - not needed", "the nod - not needed"),
    ("wink left; nod; smile", "", "I'd like to know what comes right before the smile", None)])
def test_the_other_one_and_what_was_spoken_of(start: str, before: str, line: str, meant: str | None) -> None:
    assert pointed(line, read_script(start), None, before) == (meant or line)


@pytest.mark.parametrize("line", [
    "what does she do at 5 s?", "what's the third thing she does?", "which action is the second one?",
    "go back to the second one", "remove the first nod, keep the second one",
    "the sigh should be the last thing we see", "what comes after the wink?",
    "the first two nods", "the second nod bigger", "very first thing in the video is?"])
def test_what_asks_or_names_is_left_alone(line: str) -> None:
    assert pointed(line, SCRIPT, SCHEDULE) == line


def test_the_former_and_it_are_what_was_spoken_of() -> None:
    two = read_script("disgust; turn left")
    assert pointed("extend the latter", two) == "extend the turn" and pointed("the former weaker", two) == "the disgust weaker"
    assert pointed("what comes before it, bigger", SCRIPT, SCHEDULE, before="make the wink longer") == "the grin teeth, bigger"


@pytest.mark.parametrize(("line", "meant"), [
    ("brows less high, wait, higher", "brows higher"), ("nod three times, no, four times", "nod four times"),
    ("wink with the left... sorry, right eye", "wink with the right eye"), ("nod, wait for 2 s, nod", "nod, wait for 2 s, nod"),
    ("make her, no, never mind", "make her, no, never mind"), ("no, three times", "no, three times"),
    ("smile and, no, frown", "smile and, no, frown")])
def test_a_line_that_corrects_itself_means_the_second(line: str, meant: str) -> None:
    assert amended(line) == meant


@pytest.mark.parametrize(("before", "line", "meant"), [
    ("happy bit 5 secs", "nah 4", ("happy bit 4 seconds", False)), ("nod 3 times", "typo, make that 2", ("nod 2 times", False)),
    ("the smile 2 s longer", "sorry, 1.5", ("the smile 1.5 s longer", True)), ("stronger", "no, 4", None),
    ("nod 3 times", "no, the smile", None)])
def test_a_bare_number_is_another_one_for_the_change_before(before: str, line: str, meant: tuple[str, bool] | None) -> None:
    session = SimpleNamespace(turns=[Turn(before, "", [{"tool": "edit", "arguments": {}}], 1)])
    assert renumbered(line, session) == meant  # type: ignore[arg-type]
    session = SimpleNamespace(turns=[Turn("nah 4", "", [{"tool": "edit", "arguments": {}}], 1)])
    again = renumbered("5", session, ("nah 4", "smile for 4 s"))  # type: ignore[arg-type]
    assert again == ("smile for 5 s", False)


@pytest.mark.parametrize(("line", "plan", "start", "meant"), [
    ("not that one! leave the nod as it was, i meant the shake", "slower nod", "nod x2; shake", "slower shake"),
    ("I meant the shake", "slower nod", "nod x2; shake", None), ("no, I meant the yawn", "slower nod", "nod x2; shake", None),
    ("no, I meant the nod", "slower nod", "nod x2; shake", None)])
def test_the_change_before_is_done_to_something_else(line: str, plan: str, start: str, meant: str | None) -> None:
    turn = Turn("slow it down", "", [{"tool": "edit", "arguments": {"plan": plan}}], 1)
    tools = SimpleNamespace(session=SimpleNamespace(turns=[turn], current=1), shown=lambda clip: (read_script(start), None))
    step = meant_instead(line, tools)  # type: ignore[arg-type]
    assert (step and str(step)) == meant


def test_what_is_nearly_a_name_is_one() -> None:
    script = read_script("lip_pucker; nod")
    assert respelled("puker longer", script) == "pucker longer" and respelled("poker face", script) == "poker face"
    assert respelled("the neutrality", read_script("neutral; nod")) == "the neutrality"


def test_of_several_clips_the_second_one_is_a_clip() -> None:
    assert pointed("make the second one slower", SCRIPT, SCHEDULE, clips=2) == "make the second one slower"
    assert pointed("make the second one slower", SCRIPT, SCHEDULE, before="nod twice please") == "make the second one slower"


@pytest.mark.parametrize(("line", "plan", "start", "meant"), [
    ("look down and stay like that right until she starts to smile", "hold smile", "look_down; smile",
     "hold look_down until smile"),
    ("let go of the pucker too quickly, hold it up to where the nodding begins", "longer lip_pucker", "lip_pucker; nod",
     "hold lip_pucker until nod"),
    ("keep the smile until 4 s", "lasts smile 4s", "smile; nod", "hold smile until 4s"),
    ("hold the smile for 4 s", "hold smile 4s", "smile; nod", "hold smile 4s"),
    ("the smile longer until it feels right", "longer smile", "smile; nod", "longer smile"),
    ("the second nod is followed by what", "ask-after nod", "nod; smile; nod; kiss", "ask-after nod#2"),
    ("the second nod weaker", "weaker nod", "nod x3; smile", "weaker nod"),
    ("a left wink at 6 s as well", "add-end: wink left", "nod x2; pout", "add-end: wink left at 6 s"),
    ("two winks at 6 s", "add-after nod: wink left x2 at 6 s", "nod; pout", "add-after nod: wink left x2 at 6 s"),
    ("two shakes too many there", "count shake 2", "shake x5", "fewer shake 2"),
    ("drop the yawn as well as the sigh", "remove yawn", "yawn; sigh; nod", "remove yawn, sigh"),
    ("remove the yawn and make the sigh longer", "remove yawn ; longer sigh", "yawn; sigh", "remove yawn; longer sigh"),
    ("once more but without the head shake", "count shake 1", "surprise; shake x2", "remove shake"),
    ("without the second wink", "remove wink#2", "wink left; smile; wink left", "remove wink#2"),
    ("stronger, without changing the nod", "stronger smile", "smile; nod", "stronger smile"),
    ("move the wink, 4s -> 5s", "lasts wink 4s", "smile; wink left at 4 s", "starts wink 5s"),
    ("stay on the surprise for two more seconds", "hold surprise 2s", "nod; surprise for 1 s", "longer surprise 2s"),
    ("wait a touch longer before she smiles", "pause smile", "sneeze; smile at 5 s", "later smile"),
    ("just one nod, not three of them", "count nod 3", "nod x3", "count nod 1"),
    ("smile 80%, nod twice", "weaker smile half", "smile 40%; nod", "strength smile 80%"),
    ("smile 20% weaker", "weaker smile 20%", "smile; nod", "weaker smile 20%"),
    ("tongue first", "remove tongue_out", "wink left; tongue_out", "move-first tongue_out"),
    ("no. angry first after all", "move-after anger, shake", "shake; anger", "move-first anger"),
    ("tilt 1st, wink 2nd, smile 3rd", "count tilt 1", "wink left; smile; tilt right",
     "move-last tilt; move-last wink; move-last smile"),
    ("the first smile weaker", "weaker smile#1", "smile; nod; smile", "weaker smile#1"),
    ("also 2 more nods so it's 4", "count nod 2", "smile; nod x2", "more nod 2"),
    ("sandwich the shake between the nod and the smile", "move-after shake, nod, smile", "nod; smile; wink left; shake",
     "move-after shake, nod"),
    ("sadness out, happiness in", "remove sadness", "sadness; nod", "replace sadness: happiness"),
    ("I'd like three whole seconds of it", "longer smile 3s", "smile for 1 s; nod", "lasts smile 3s"),
    ("three seconds more of it", "longer smile 3s", "smile for 1 s; nod", "longer smile 3s"),
    ("the tilt should be over and done with by 6 s", "longer tilt 6s", "nod; tilt right for 4 s", "hold tilt until 6s"),
    ("the wink at the very instant the smile begins", "move-first wink", "smile at 2 s; wink left at 7 s", "starts wink 2s"),
    ("the length of the clip is to be extended to 12 seconds", "length-longer 12s", "nod; smile", "length 12s"),
    ("two seconds later", "later smile 2s", "nod; smile", "later smile 2s"),
    ("move it up to 2 s", "earlier smile 2s", "nod; smile at 4 s", "starts smile 2s"),
    ("smile duration: 2s -> 4s", "starts smile 4s", "nod; smile for 2 s", "lasts smile 4s"),
    ("tilt goes wrong way, flip", "swap nod, tilt", "nod; tilt left", "side tilt other"),
    ("each wink wants the opposite eye", "side wink#1 other", "wink right; smile; wink left", "side wink other"),
    ("it ought to have been a big smile", "replace tongue_out: smile strong", "tongue_out; smile slight",
     "strength smile strong"),
    ("have him turn left as well", "add-with turn: turn left", "turn right; nod", "add-after turn: turn left"),
    ("the smile at the end, make that really tiny", "add-end: smile slight", "nod; smile", "strength smile slight")])
def test_until_which_one_and_how_many_too_many_are_done_as_said(line: str, plan: str, start: str, meant: str) -> None:
    assert plan_text(repaired(line, parse_plan(plan), read_script(start))) == meant


@pytest.mark.parametrize(("line", "why"), [
    ("the fifth move can be skipped", "no fifth move"), ("drop everything after the nod", "nothing is performed after nod"),
    ("lose what she does at 20 s", "at 20 s")])
def test_what_is_not_there_is_said(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        pointed(line, SCRIPT, SCHEDULE)


@pytest.mark.parametrize(("line", "right", "wrong"), [
    ("is there a yawn? and a wink?", "ask whether yawn wink", "ask whether yawn"),
    ("what eye's the wink, what second", "ask side wink ; ask when wink", "ask side wink"),
    ("is she smiling at 6 s", "ask whether smile at 6s", "ask whether smile at 2s"),
    ("how often does she nod", "ask count nod", "ask when nod"), ("until when does he pout", "ask until pout", "ask count pout"),
    ("did she laugh, i might of missed it", "ask whether laugh", "ask unseen"),
    ("how long is the smile", "ask long smile", "ask strong smile"), ("what happens, in order?", "ask list", "ask first")])
def test_what_a_question_loses_is_seen(line: str, right: str, wrong: str) -> None:
    assert question_doubts(line, parse_plan(right)) == 0 < question_doubts(line, parse_plan(wrong))


@pytest.mark.parametrize(("line", "plan", "done"), [
    ("double the number of nods", "more nod", "count nod 4"), ("nod half as often", "fewer nod", "count nod 1"),
    ("I said grin but I meant wink right, sorry", "stronger grin_teeth", "replace grin_teeth: wink right"),
    ("add a sneeze at the end", "add-end: cough", "add-end: sneeze"),
    ("add a sneeze at the end", "add-end: sneeze", "add-end: sneeze"),
    ("more nods", "more nod", "more nod")])
def test_what_the_words_say_for_certain_is_done(line: str, plan: str, done: str) -> None:
    assert plan_text(repaired(line, parse_plan(plan), SCRIPT)) == done
