"""Plans carried out: as edits, as queries, and as the lines that they are learned from."""

from itertools import islice

import pytest
from facelm.agent.editing.operations import edited
from facelm.agent.editing.planned import _MAKE, edits_of, is_edit
from facelm.agent.learning.plans import held_out_plans, make_plans, vary, written_lines
from facelm.agent.requests import Sampling
from facelm.agent.talk.agent import Agent
from facelm.agent.talk.planning.doubts import doubts
from facelm.agent.talk.planning.planned import change_of
from facelm.agent.talk.queries import query_of
from facelm.agent.talk.session import Session
from facelm.agent.talk.tools import Call, Toolbox
from facelm.data_gen.performer.layout import lay_out
from facelm.data_gen.reading.questions import read_question
from facelm.face.facs.script_text import read_script, write_script
from facelm.llm.grammar.plans import SLOTS, Step, parse_plan
from scripted_agent import needs_tokenizer, rule_agent

START = "smile; nod x2; wink left"


def changed(plan: str, start: str = START) -> str:
    script = read_script(start)
    return write_script(edited(script, edits_of(parse_plan(plan), script), lay_out(script)).script)


@pytest.mark.parametrize(("plan", "after"), [
    ("stronger smile double", "smile strong; nod x2; wink left"), ("weaker smile half", "smile 35%; nod x2; wink left"),
    ("strength smile 40%", "smile 40%; nod x2; wink left"), ("stronger smile 20%", "smile 84%; nod x2; wink left"),
    ("faster nod double", "smile; nod x2 speed 2; wink left"), ("side wink other", "smile; nod x2; wink right"),
    ("count nod 3", "smile; nod x3; wink left"), ("more nod", "smile; nod x3; wink left"),
    ("fewer nod", "smile; nod x1; wink left"),
    ("remove nod", "smile; wink left"), ("only nod", "nod x2"), ("never blink", "smile; nod x2; wink left; never blink"),
    ("never nod", "smile; wink left; never nod"), ("add-end: yawn", "smile; nod x2; wink left; yawn"),
    ("add-start: yawn", "yawn; smile; nod x2; wink left"), ("add-with nod: yawn", "smile; nod x2; with yawn; wink left"),
    ("add-after smile: yawn; sigh", "smile; yawn; sigh; nod x2; wink left"),
    ("replace nod: shake x3", "smile; shake x3; wink left"),
    ("move-first wink", "wink left; smile; nod x2"), ("move-after smile wink", "nod x2; wink left; smile"),
    ("swap smile wink", "wink left; nod x2; smile"), ("reverse", "wink left; nod x2; smile"),
    ("together smile nod", "smile; with nod x2; wink left"), ("length 5s", "smile; nod x2; wink left; 5 s"),
    ("hold smile 3s", "smile for 3 s; nod x2; wink left"), ("pause wink 2s", "smile; nod x2; pause 2 s wink left"),
    ("more nod 3", "smile; nod x5; wink left"), ("hold smile until wink", "smile for 3.52 s; nod x2; wink left"),
    ("stronger smile full; remove wink", "smile strong; nod x2")])
def test_a_step_changes_what_it_says(plan, after):
    assert changed(plan) == write_script(read_script(after))


def test_what_is_not_there_is_named():
    with pytest.raises(ValueError, match="there is no yawn in what was performed: smile, nod, wink"):
        changed("weaker yawn")
    with pytest.raises(ValueError, match="only one"):
        changed("remove nod#2", "nod; smile")


def test_one_of_several_is_meant():
    assert changed("weaker smile#last half", "smile; nod; smile") == "smile; nod; smile 35%"


@pytest.mark.parametrize(("plan", "start", "after"), [
    ("fewer nod", "nod; smile", "nod x1; smile"), ("more nod", "nod; smile", "nod x3; smile"),
    ("fewer wink 2", "wink left x3", "wink left x1"), ("more smile", "smile; nod; smile", "smile; nod; smile x2"),
    ("fewer smile", "smile; nod; smile", "smile; nod"),
    ("hold smile until 3.5s", "8 s; smile at 1 s; nod at 6 s", "8 s; smile at 1 s for 2.5 s; nod at 6 s"),
    ("hold tilt until wink", "9 s; tilt left at 1 s for 1 s; wink right at 5 s",
     "9 s; tilt left at 1 s for 4 s; wink right at 5 s"),
    ("hold smile until 3s", "9 s; smile at 1 s for 1 s; nod at 3.5 s; smile at 6 s for 1 s",
     "9 s; smile at 1 s for 2 s; nod at 3.5 s; smile at 6 s for 1 s")])
def test_so_many_and_until(plan, start, after):
    assert changed(plan, start) == write_script(read_script(after))


@pytest.mark.parametrize(("plan", "why"), [
    ("hold smile until 0.5s", "until 0.5 s: it begins at 1.0 s"),
    ("hold nod until smile", "until the smile: it begins at 6.0 s")])
def test_what_begins_no_earlier_is_not_kept_until_then(plan, why):
    with pytest.raises(ValueError, match=why):
        changed(plan, "8 s; smile at 1 s; nod at 6 s")


def test_a_plan_about_what_is_neither_there_nor_said_is_read_again():
    plans = {"snip snip, sigh out": "remove sniff", "drop the sniff": "remove sniff"}
    agent = Agent(None, rule_agent(plans), Sampling(idle=False))
    agent.say("He sighs, then looks around.")
    plan = agent.tools.agent.lm.plan

    def bound(texts, clips, quantities, sampling=None, names=None):
        return plan(texts, clips, quantities) if names is None else [(parse_plan("remove sigh"), 0.0)] * len(texts)

    agent.tools.agent.lm.plan = bound
    assert "no sniff" in agent.say("drop the sniff").text, "it was said"
    reply = agent.say("snip snip, sigh out")
    assert [(e["op"], e["names"]) for e in reply.edits] == [("remove", ("sigh",))], reply.text


def test_it_may_be_what_was_answered():
    agent = Agent(None, rule_agent(), Sampling(idle=False))
    agent.say("She smiles, then yawns, then winks with her left eye.")
    read = []
    plan = agent.tools.agent.lm.plan
    agent.tools.agent.lm.plan = lambda texts, *rest: read.extend(texts) or plan(texts, *rest)
    assert agent.say("What comes after the smile?").value == ["yawn"]
    agent.say("stretch that out")
    assert read[-1].startswith("What comes after the smile? The yawn.") and read[-1].endswith("stretch that out")


def test_every_command_that_changes_has_an_edit():
    edits = {do for do in SLOTS if is_edit(Step(do))}
    assert edits == set(_MAKE) and not {"undo", "ask-count", "perform"} & edits


@pytest.mark.parametrize(("plan", "question"), [
    ("ask-count nod", "How often does she nod?"), ("ask-when nod#2", "When is the second nod?"),
    ("ask-until smile", "When does the smile end?"),
    ("ask-long smile", "How long is the smile?"), ("ask-side wink", "Which eye winks?"), ("ask-whether nod", "Does she nod?"),
    ("ask-count nod more 2", "Does she nod more than twice?"), ("ask-order nod smile", "Does she nod before she smiles?"),
    ("ask-first", "What happens first?"), ("ask-after smile", "What comes after the smile?"),
    ("ask-length", "How long is the clip?"),
    ("ask-either smile nod", "Does she smile or nod?"), ("ask-list at 2s", "What happens at 2 s?"),
    ("ask-emotion", "Which emotion is it?"),
    ("ask-always smile", "Does she smile the whole time?")])
def test_a_question_means_the_same_as_a_plan_and_by_the_rules(plan, question):
    assert query_of(parse_plan(plan)[0], question.lower()) == read_question(question)


def test_lines_for_training_are_whole_apart_and_the_same_each_time():
    train, dev = written_lines("train"), written_lines("dev")
    assert len(train) > 3900 and len(dev) > 150 and len(held_out_plans()) == len(dev)
    assert not {(x.say.lower(), x.start) for x in train} & {(x.say.lower(), x.start) for x in dev}
    assert {s.do for x in train for s in x.plan} == set(SLOTS)
    assert list(make_plans(40, 1)) == list(make_plans(40, 1)) != list(make_plans(40, 2))


def test_variants_say_other_things_and_their_plans_do():
    import numpy as np

    line = next(x for x in written_lines() if "40%" in x.say and "40%" in str(x.plan[0]))
    made = {(v.say, str(v.plan[0])) for k in range(40) for v in [vary(line, np.random.default_rng(k))]}
    assert len(made) > 5 and all(plan.split()[-1].rstrip("%") in say for say, plan in made)
    assert all(isinstance(x, type(line)) for x in islice(written_lines(), 3))


@pytest.mark.parametrize(("line", "clip", "right", "wrong"), [
    ("angrier, 4 shakes, no sigh. go", "anger; shake; sigh", "stronger anger; count shake 4; remove sigh",
     "stronger anger; count shake 4"),
    ("do the shaking more slow but the nodding stay same", "nod; shake", "slower shake", "faster shake"),
    ("smile starting from 2 secs, nod from 6", "smile; nod", "starts smile 2s; starts nod 6s", "starts smile 6s; starts nod 5s"),
    ("head shake half a sec earlier pls", "shake", "earlier shake 0.5s", "earlier shake 1s"),
    ("just the wink, on the left", "smile; wink right", "only wink; side wink left", "only wink; side wink right"),
    ("flip which side the head tilts to, don't touch the wink", "tilt left; wink left", "side tilt other", "side wink other"),
    ("make the smile 20% stronger", "smile", "stronger smile 20%", "weaker smile 20%")])
def test_what_a_plan_leaves_out_or_turns_round_is_seen(line, clip, right, wrong):
    script = read_script(clip)
    assert doubts(line, edits_of(parse_plan(right), script)) == 0 < doubts(line, edits_of(parse_plan(wrong), script))


@needs_tokenizer
def test_a_wish_is_read_as_in_a_conversation(tmp_path):
    plans = {"she's not a wet dog": "weaker nod", "how often does she nod?": "ask-count nod"}
    tools = Toolbox(rule_agent(plans), Session(tmp_path))
    first, = tools.agent.perform_many([read_script(START)], None, 0, False)
    tools.session.add([first.clip], "performed", START, made=first)
    edit, = change_of("she's not a wet dog", tools)
    assert (edit.op, edit.names) == ("strength", ("nod",)) and edit.factor < 1
    assert [e.op for e in change_of("without the wink", tools)] == ["remove"]
    assert change_of("how often does she nod?", tools) == ()
    with pytest.raises(ValueError, match="no yawn"):
        change_of("make the yawn longer", tools)


@needs_tokenizer
def test_a_correction_of_the_first_performance_has_nothing_to_undo(tmp_path):
    agent = Agent(tmp_path / "talk", rule_agent({"argh the wink i meant": "undo ; remove wink"}),
                  Sampling(idle=False))
    agent.say("She smiles, nods twice and winks with her left eye.")
    reply = agent.say("argh the wink i meant")
    assert [c.tool for c in reply.calls] == ["edit"] and reply.edits[0]["names"] == ("wink",)
    agent.call(Call("undo"))
    agent.call(Call("undo"))
    assert agent.memory.current is None
    assert agent.say("make the nod stronger").refused
