"""`facelm transition` and transitions in `facelm chat`: files, messages, and nothing half-written."""

# ruff: noqa: F811 (fixtures are imported by name)
from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import numpy as np
import pytest
from cli_fixtures import Refuse, in_a_folder_of_its_own, no_model, refuse, tree  # noqa: F401
from facelm.agent.chat import ChatSession, loop
from facelm.cli import commands
from facelm.cli.main import build_parser, main
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from transition_fakes import needs_tokenizer, performing_agent, still

TURN = "Turn this face from anger to happiness"

pytestmark = pytest.mark.skipif(
    "transition" not in next(a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction)).choices,
    reason="the command is not registered")


@pytest.fixture()
def performing(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = performing_agent()
    monkeypatch.setattr(commands, "load_agent", lambda args: agent)


@pytest.fixture()
def source(tmp_path: Path) -> Path:
    return still(30, mouthSmileLeft=0.4, cheekPuff=0.3).save(tmp_path / "source.npz")


@needs_tokenizer
def test_one_line_says_what_was_done(performing: None, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transition", TURN, "--source", str(source), "--seconds", "3", "-o", "a.npz"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1 and err == ""
    assert out.startswith("a.npz: 3.00 s, 75 frames: anger at ") and ", happiness at " in out
    assert out.endswith(f"learned curve, from {source} at 1.20 s\n")
    clip, given = FaceSequence.load("a.npz"), FaceSequence.load(source)
    assert np.array_equal(clip.expr[0], given.expr[-1]) and np.array_equal(clip.shape, given.shape)
    assert (clip.neck_pose == given.neck_pose[-1]).all()


@needs_tokenizer
def test_json_files_and_warnings(performing: None, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["transition", "Turn this face from sleepy to angry", "--source", str(source), "--at", "0.4", "--via", "neutral",
                 "--curve", "minjerk", "--idle", "--json", "--seconds", "2", "-o", "a.npz", "--render", "a.png",
                 "--glb", "a.glb"])
    out, err = capsys.readouterr()
    assert code == 0 and "sleepy" in err and err.startswith("facelm: warning: ")
    record = json.loads(out)
    assert record["clip"] == "a.npz" and record["frames"] == 50 and record["curve"] == "minjerk"
    assert [e["name"] for e in record["expressions"]][-1] == "anger" and len(record["warnings"]) == 1
    assert record["source"].endswith("at 0.40 s") and {"a.npz", "a.png", "a.glb"} <= set(tree(Path()))
    assert not [n for n in tree(Path()) if n.endswith(".part")]


@needs_tokenizer
def test_a_source_on_another_head_comes_back_on_it(performing: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = HeadModel.default()
    bigger = HeadModel(**{**{f: getattr(head, f) for f in head.__dataclass_fields__}, "v_template": head.v_template * 1.1,
                          "name": "bigger"})
    bigger.save(tmp_path / "bigger.npz")
    clip = still(5, mouthSmileLeft=0.4).replace(head=bigger.ref)
    clip.save(tmp_path / "s.npz")
    assert main(["transition", TURN, "--source", "s.npz", "--head", "bigger.npz", "--seconds", "2", "-o", "a.npz"]) == 0
    out = FaceSequence.load("a.npz", bigger.ref)
    assert np.array_equal(out.expr[0], clip.expr[-1]) and np.array_equal(out.shape, clip.shape)
    assert (out.translation == clip.translation[-1]).all() and np.allclose(out.neck_pose, clip.neck_pose[-1], atol=1e-5)
    assert out.expr[-1].max() > 0.3


@pytest.mark.parametrize(("argv", "words"), [
    ([""], "instruction is empty"),
    (["Open the door"], "names no expression"),
    (["Turn this face from xyzzy to anger"], "xyzzy"),
    ([TURN, "--seconds=0.1"], "allowed: 0.2 to 20"),
    ([TURN, "--seconds=nan"], "allowed: 0.2 to 20"),
    ([TURN, "--seconds=0.3"], "allowed: 0.4 to 20"),
    ([TURN, "--via", "anger"], "allowed: neutral"),
    ([TURN, "--curve", "cubic"], "allowed: learned, linear, minjerk"),
    ([TURN, "--seed=-1"], "seed is -1"),
    ([TURN, "--temperature=nan"], "temperature is nan"),
    ([TURN, "--at", "1"], "no --source"),
    ([TURN, "--source", "SOURCE", "--at", "9"], "--at is 9 s; allowed: 0 to 1.2 s"),
    ([TURN, "--source", "SOURCE", "--at=nan"], "--at is nan s"),
    ([TURN, "--source", "none.npz"], "no such clip"),
    ([TURN, "--source", "none.png"], "no such clip, video, picture"),
    ([TURN, "--source", "text.npz"], "not an .npz file"),
    ([TURN, "--head", "none.npz"], "none.npz"),
    ([TURN, "--model", "gpt"], "allowed: lm, or i2fet:DIR"),
    ([TURN, "--model", "i2fet:none"], "no trained baseline in none"),
    ([TURN, "--model", "i2fet:none", "--curve", "learned"], "allowed: linear, minjerk"),
    ([TURN, "--model", "i2fet:none", "--idle"], "--idle is for the language model"),
    ([TURN, "--render", "a.avi"], "must end in .mp4"),
    ([TURN, "--glb", "none/a.glb"], "folder none does not exist"),
])
def test_wrong_requests_are_one_line_and_cost_nothing(argv: list[str], words: str, source: Path, refuse: Refuse,
                                                      no_model: None) -> None:
    Path("text.npz").write_text("no clip")
    assert words in refuse("transition", *(str(source) if a == "SOURCE" else a for a in argv), "-o", "a.npz")


@pytest.mark.parametrize(("out", "words"), [("a.mp4", "must end in .npz"), ("none/a.npz", "folder none does not exist")])
def test_the_target_is_checked_first(out: str, words: str, refuse: Refuse, no_model: None) -> None:
    assert words in refuse("transition", TURN, "-o", out)


# -- conversation -------------------------------------------------------------------------
@pytest.fixture()
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ChatSession:
    agent = performing_agent()
    monkeypatch.setattr(agent, "describe", lambda clip: "A face.")
    monkeypatch.setattr(agent, "generate", lambda *a, **k: FaceSequence.rest(50, agent.head.ref))
    return ChatSession(agent, tmp_path / "chat", idle=False)


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
