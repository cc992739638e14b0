"""Questions about several clips: which has something or more of it, whether both do, by how much."""

from __future__ import annotations

from pathlib import Path

import pytest
from facelm.agent.learning.plans import written_lines
from facelm.agent.requests import Sampling
from facelm.agent.talk.agent import Agent
from facelm.agent.talk.comparing import read_comparing
from scripted_agent import needs_tokenizer, rule_agent

pytestmark = needs_tokenizer


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Agent:
    """A strong smile and two nods; a slight smile, four nods and a wink; what is asked changes nothing."""
    agent = Agent(tmp_path_factory.mktemp("talk") / "two", rule_agent(), Sampling(idle=False))
    agent.say("She smiles broadly at 1 second for one second, then nods twice.")
    agent.say("Another clip: she smiles slightly at 3 seconds for two seconds, nods four times and winks with her left eye.")
    return agent


@pytest.mark.parametrize(("line", "value"), [
    ("which clip has the bigger smile?", 1), ("which has the weaker smile", 2), ("in which of the two does she nod more", 2),
    ("which one got fewer nods", 1), ("which of them has a wink", 2), ("which clip winks?", 2), ("which ones longer", 2),
    ("which is the shortest", 1), ("in which clip does the smile come earlier", 1), ("which clip smiles longer", 2),
    ("where are more nods", 2), ("whos smile is bigger, 1 or 2", 1), ("which one has the smile", "same"),
    ("is it longer than clip 1?", True), ("does it have fewer nods than the other clip?", False), ("is this one shorter in"
                                                                                                   " total?", False),
    ("is it still the longest one", True), ("is the smile weaker than in clip 1?", True), ("do both clips have a wink?", False),
    ("do both of them nod?", True), ("same number of nods in both?", False), ("how many nods in each?", [2.0, 4.0])])
def test_questions_about_clips_are_answered_by_what_they_show(agent: Agent, line: str, value: object) -> None:
    reply = agent.say(line)
    assert [c.tool for c in reply.calls] == ["compare"], reply.text
    assert reply.value == value, reply.text
    assert "clip 1" in reply.text.lower() and "clip 2" in reply.text.lower()


def test_questions_that_go_on_are_about_the_same_clips(agent: Agent) -> None:
    agent.say("which clip has more nods?")
    assert agent.say("by how much?").value == 2.0
    assert agent.say("which one is longer?").value == 2
    assert agent.say("and the shortest?").value == 1
    assert agent.say("which clip has a wink?").value == 2
    assert agent.say("and a smile?").value == "same"
    agent.say("how often does she nod in clip 1?")
    reply = agent.say("and clip 2?")
    assert reply.value == 4 and [c.tool for c in reply.calls] == ["ask"]


def test_yes_and_no_are_said(agent: Agent) -> None:
    assert agent.say("is it shorter than clip 1?").text.startswith("No: clip 2 ")
    assert agent.say("is it longer than clip 1?").text.startswith("Yes: clip 2 ")


@pytest.mark.parametrize("line", [
    "which is longer, the smile or the nod?", "which of the two nods is bigger?", "make it longer than before",
    "both eyes please", "which eye winks?", "which comes first?", "is the smile on both sides?", "what changed?",
    "how many nods?", "a smile, or a smirk?", "five nods in all?",
    "jaded is what film noir needs; he'd be cynical where he's amused"])
def test_other_lines_are_about_one_clip(agent: Agent, line: str) -> None:
    assert read_comparing(line, agent.memory) is None


def test_with_one_clip_there_is_nothing_to_compare(tmp_path: Path) -> None:
    alone = Agent(tmp_path / "one", rule_agent(), Sampling(idle=False))
    alone.say("She smiles.")
    assert read_comparing("which clip has the bigger smile?", alone.memory) is None


def test_what_does_nothing_but_blink_begins_with_it(tmp_path: Path) -> None:
    two = Agent(tmp_path / "two", rule_agent(), Sampling(idle=False))
    two.say("He blinks twice.")
    two.say("New clip: he blinks once.")
    assert two.say("which one starts with a blink?").value == "same"
    assert two.say("which one starts with a nod?").value is None


def test_lines_that_say_something_else_are_not_taken(agent: Agent) -> None:
    agent.say("thanks!")
    others = [line.say for line in written_lines() if line.plan[0].do != "compare-clips"]
    taken = [say for say in others if read_comparing(say, agent.memory)]
    assert len(taken) <= 0.001 * len(others), taken


@pytest.mark.parametrize("line", ["second clip pls: she yawns", "one more clip: she yawns", "Clip two: she yawns.",
                                  "I'd like an alternative. Clip 2: she yawns.", "now another take, please: she yawns"])
def test_another_clip_is_announced_in_many_ways(tmp_path: Path, line: str) -> None:
    agent = Agent(tmp_path / "talk", rule_agent(), Sampling(idle=False))
    agent.say("She smiles.")
    reply = agent.say(line)
    assert [c.tool for c in reply.calls] == ["perform"] and reply.clip is not None and reply.clip.number == 2


def test_a_question_about_one_clip_that_is_planned_as_a_comparison_is_asked_of_it(tmp_path: Path) -> None:
    agent = Agent(tmp_path / "talk", rule_agent({"has clip 2 got a smile?": "compare-clips"}), Sampling(idle=False))
    agent.say("She smiles, then nods twice.")
    agent.say("Another clip: she yawns.")
    reply = agent.say("has clip 2 got a smile?")
    assert [c.tool for c in reply.calls] == ["ask"] and reply.value is False
