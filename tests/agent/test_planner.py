"""Planning by a model of the user's own: native tool calls over the same tools."""

from __future__ import annotations

import pytest

pytest.importorskip("openai")
from chat_server import calls, chat, serving
from facelm.agent.talk.agent import Agent
from facelm.agent.talk.native import NativePlanner
from scripted_agent import needs_tokenizer, rule_agent

pytestmark = needs_tokenizer
START = "She smiles, then nods twice."


@pytest.fixture(scope="module")
def model():
    return rule_agent()


def test_its_calls_are_run_one_after_the_other_and_their_results_go_back(model) -> None:
    asked = ("ask", {"question": "How often does she nod?"})
    rounds = iter([calls(("perform", {"prompt": START})), calls(("edit", {"wish": "nod three times"}), asked),
                   chat("She nods 40 times and is happy.")])
    with serving(lambda _: next(rounds)) as server:
        agent = Agent(None, model, planner=NativePlanner(server.url, "tiny"))
        reply = agent.say("let her smile and nod three times, how often is it?")
    assert [c.tool for c in reply.calls] == ["perform", "edit", "ask"] and reply.value == 3
    assert "40" not in reply.text, "the model's own words are never shown"
    first, second, third = server.requests
    assert {t["function"]["name"] for t in first["tools"]} >= {"perform", "edit", "ask", "undo"}
    assert "There is no clip yet" in first["messages"][0]["content"] and first["model"] == "tiny"
    assert [m["role"] for m in third["messages"]] == ["system", "user", "assistant", "tool", "assistant", "tool", "tool"]
    assert "nods three times" in third["messages"][-2]["content"]
    assert all("authorization" not in h and "openai-organization" not in h for h in server.headers)


def test_it_knows_what_was_said_and_what_there_is(model) -> None:
    rounds = iter([calls(("perform", {"prompt": START})), chat("done"), calls(("undo", {"times": 1})), chat("")])
    with serving(lambda _: next(rounds)) as server:
        agent = Agent(None, model, planner=NativePlanner(server.url, "tiny"))
        agent.say("smile and nod")
        agent.say("take it back")
    told = server.requests[2]["messages"]
    assert "smile" in told[0]["content"] and "at hand" in told[0]["content"]
    assert [m["content"] for m in told if m["role"] == "user"] == ["smile and nod", "take it back"]
    assert agent.memory.current is None


@pytest.mark.parametrize(("answer", "words"), [
    (chat("The face is 40 years old."), "that is not among it"), ((500, b"no"), "gives no answer"),
    ((200, b"{}"), "no chat completion"),
    (calls(("rm", {"path": "x"})), "there is no tool 'rm'"), (calls(("undo", {"times": "many"})), "times"),
    ((200, calls(("undo", {}))[1].replace(b"{}", b"[1")), "no JSON object")])
def test_what_is_no_call_is_refused_in_one_line(model, answer, words) -> None:
    with serving(lambda _: answer) as server:
        agent = Agent(None, model, planner=NativePlanner(server.url, "tiny", timeout=5.0, retries=0))
        reply = agent.say("do something")
    assert reply.refused and words in reply.text and "\n" not in reply.text


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="needed: the base of a chat endpoint"):
        NativePlanner("localhost", "tiny")
    with pytest.raises(ValueError, match="FACELM_NO_KEY is not set"):
        NativePlanner("http://localhost:1/v1", "tiny", "FACELM_NO_KEY")
