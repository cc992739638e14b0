"""Transitions in a conversation: they go on from the clip at hand."""

# ruff: noqa: F811 (fixtures are imported by name)
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from facelm.agent.requests import Sampling
from facelm.agent.talk.agent import Agent
from scripted_agent import needs_tokenizer, scripted_agent, what_windows_mean  # noqa: F401

TURN = "Turn this face from anger to happiness"


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path / "chat", scripted_agent(), Sampling(idle=False))


@needs_tokenizer
def test_a_conversation_goes_on_from_the_clip_at_hand(agent: Agent) -> None:
    first = agent.say(TURN)
    assert first.clip is not None and first.text.startswith("From the face at rest: anger, then happiness (")
    made = first.clip.sequence()
    assert not made.expr[0].any()
    agent.seconds = 2.4
    second = agent.say("now change it to sad, slowly, via neutral")
    assert second.clip is not None and second.clip.number == 2
    assert second.text.startswith("From the last frame of clip 1: neutral, then sadness (2.4 s")
    went_on = second.clip.sequence()
    assert np.array_equal(went_on.expr[0], made.expr[-1]) and len(went_on) == 60
    assert "Note: " in agent.say("Could you turn this face from sleepy to angry?").text


@needs_tokenizer
def test_what_is_no_transition_is_performed_as_before(agent: Agent) -> None:
    for line in ("She turns her head from left to right.", "She looks surprised, then angry."):
        assert agent.say(line).calls[0].tool == "perform", line


@needs_tokenizer
def test_an_unknown_expression_is_answered_with_those_that_are_known(agent: Agent) -> None:
    reply = agent.say("Turn this face from xyzzy to angry")
    assert reply.refused and "contempt" in reply.text and not agent.clips
