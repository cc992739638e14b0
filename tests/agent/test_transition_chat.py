"""Transitions in a conversation: they go on from the clip at hand."""

# ruff: noqa: F811 (fixtures are imported by name)
from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from facelm.agent.chat import ChatSession, loop
from facelm.agent.requests import Sampling
from facelm.face.clip.sequence import FaceSequence
from scripted_agent import needs_tokenizer, scripted_agent, what_windows_mean  # noqa: F401

TURN = "Turn this face from anger to happiness"


@pytest.fixture()
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ChatSession:
    agent = scripted_agent()
    monkeypatch.setattr(agent, "describe", lambda clip: "A face.")
    return ChatSession(agent, tmp_path / "chat", Sampling(idle=False))


@needs_tokenizer
def test_a_conversation_goes_on_from_the_clip_at_hand(session: ChatSession) -> None:
    first = session.reply(TURN)
    assert first.clip is not None and first.text.startswith("From the face at rest: anger, then happiness (")
    made = FaceSequence.load(first.clip)
    assert not made.expr[0].any()
    session.reply("/seconds 2.4")
    second = session.reply("now change it to sad, slowly, via neutral")
    assert second.clip is not None and second.clip != first.clip
    assert second.text.startswith("From the last frame of the clip at hand: neutral, then sadness (2.4 s")
    went_on = FaceSequence.load(second.clip)
    assert np.array_equal(went_on.expr[0], made.expr[-1]) and len(went_on) == 60
    assert session.clip is not None and np.array_equal(session.clip.expr, went_on.expr)
    assert "Note: " in session.reply("Could you turn this face from sleepy to angry?").text


@needs_tokenizer
def test_what_is_no_transition_is_performed_as_before(session: ChatSession) -> None:
    for line in ("She turns her head from left to right.", "Make her smile", "She looks surprised, then angry."):
        assert session.reply(line).text.startswith("A face. ("), line


@needs_tokenizer
def test_an_unknown_expression_is_answered_with_those_that_are_known(session: ChatSession) -> None:
    sink = io.StringIO()
    loop(session, io.StringIO("Turn this face from xyzzy to angry\n/quit\n"), sink)
    assert "cannot do that:" in sink.getvalue() and "contempt" in sink.getvalue()
    assert not session.out.exists()
