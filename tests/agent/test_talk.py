"""Conversations: what a line asks for, what is remembered, and what the terminal shows."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from facelm.agent.pipeline import FaceLM
from facelm.agent.requests import Sampling
from facelm.agent.talk.agent import Agent, Reply
from facelm.agent.talk.session import FILE, Session, SessionError
from facelm.agent.talk.terminal import command, loop, sparkline
from facelm.agent.talk.tools import TOOLS, Call, schemas
from facelm.face.clip.sequence import FaceSequence
from scripted_agent import needs_tokenizer, rule_agent

pytestmark = needs_tokenizer


@pytest.fixture(scope="module")
def model() -> FaceLM:
    return rule_agent()


@pytest.fixture
def agent(model: FaceLM, tmp_path: Path) -> Agent:
    return Agent(tmp_path / "talk", model, Sampling(idle=False))


def tools(reply: Reply) -> list[str]:
    return [c.tool for c in reply.calls]


# -- what a line asks for ------------------------------------------------------------------
@pytest.mark.parametrize(("line", "tool"), [
    ("She smiles, then nods twice.", "perform"), ("Have her smile.", "perform"), ("Can you raise the brows and yawn?", "perform"),
    ("When the yawn fades, she sighs.", "perform"), ("another clip: he frowns", "perform"), ("please look up", "perform"),
    ("make it stronger", "edit"), ("no, three times", "edit"), ("without the wink", "edit"), ("bit slower pls", "edit"),
    ("could you make her nod more slowly?", "edit"), ("other eye", "edit"), ("and a yawn after that", "edit"),
    ("she ought to nod twice as fast", "edit"), ("smile less", "edit"), ("get rid of the nods", "edit"),
    ("How often does she blink", "ask"), ("what happens first", "ask"), ("Is the head turning?", "ask"), ("nods, total?", "ask"),
    ("Tell me when she smiles", "ask"), ("yawn starts when", "ask"), ("a nod is in there somewhere right", "ask"),
    ("The left eye or the right one?", "ask"), ("how old is he?", "ask"), ("and when?", "ask"), ("does she smile or not", "ask"),
    ("describe the clip", "describe"), ("what does it show", "describe"),
    ("Can you describe it?", "describe"), ("describe it in FACS codes", "describe"),
    ("undo", "undo"), ("meh, revert", "undo"), ("ctrl z", "undo"), ("take that change back", "undo"),
    ("what changed?", "changed"), ("what did you just do", "changed"), ("which clips do we have?", "list_clips"),
    ("again", "again"), ("another take please", "again"), ("call it winky", "name"), ("go back to clip 1", "go_to"),
    ("thanks, that's great", "say"), ("hi there!", "say"), ("sorry, my mistake", "say"), ("what can you do", "say"),
    ("export it as out.glb", "export"), ("Now turn it into sadness", "transition"),
    ("change it to sad, via neutral", "transition")])
def test_lines_become_calls(model: FaceLM, tmp_path: Path, line: str, tool: str) -> None:
    from facelm.agent.talk.dialogue import plan, segments

    agent = Agent(tmp_path, model, Sampling(idle=False))
    agent.call(Call("perform", {"prompt": "She smiles, then nods twice and winks with her left eye."}))
    piece, = segments(line)
    assert plan(piece, agent.tools).tool == tool


def test_several_wishes_in_one_line_are_several_calls(agent: Agent) -> None:
    agent.say("She smiles, then nods twice.")
    reply = agent.say("make the smile stronger and tell me how long the clip is")
    assert tools(reply) == ["edit", "ask"] and reply.value == pytest.approx(agent.memory.current.sequence().seconds, abs=0.01)  # type: ignore[union-attr]
    both = agent.say("how many nods and which side is the smile on?")
    assert both.value == [2, ["both"]]


@pytest.mark.parametrize("line", ["order me a pizza", "put sunglasses on her", "make her hair blond", "book a taxi for 6"])
def test_what_no_face_does_is_refused_and_changes_nothing(agent: Agent, line: str) -> None:
    agent.say("a smile")
    reply = agent.say(line)
    assert reply.refused and len(agent.clips) == 1 and "\n" not in reply.text


def test_what_is_not_understood_is_no_random_performance(agent: Agent) -> None:
    agent.say("a smile")
    reply = agent.say("the quarterly figures look to me like somebody nodded them through the back door of the bank")
    assert reply.refused and len(agent.clips) == 1


# -- remembering ----------------------------------------------------------------------------
def test_versions_undo_redo_branches_and_names(agent: Agent) -> None:
    agent.say("She smiles, then nods twice.")
    stronger = agent.say("make the smile stronger")
    assert stronger.edits[0]["op"] == "strength" and stronger.clip is not None
    assert (stronger.clip.number, stronger.clip.version) == (1, 2)
    changed = agent.say("what changed?")
    assert [d["what"] for d in changed.value] == ["strength"] and "smile 70 % -> 94 %" in changed.text
    assert agent.say("undo").clip.version == 1 and agent.say("redo").clip.version == 2  # type: ignore[union-attr]
    agent.say("undo")
    branch = agent.say("without the nods")
    assert branch.clip is not None and branch.clip.version == 3 and branch.clip.parent == agent.clips[0].id
    assert agent.say("redo").refused  # what was undone is no longer ahead
    agent.say("another clip: a wink with the left eye")
    assert agent.say("call it winky").text == "Clip 2 is called winky."
    assert agent.say("which clip is longer?").value == 1
    assert agent.say("go back to clip 1").clip.version == 3  # type: ignore[union-attr]
    assert agent.say("go back to version 2").clip.version == 2  # type: ignore[union-attr]
    assert agent.say("back to winky").clip.number == 2  # type: ignore[union-attr]
    assert agent.say("in the first clip make the nod faster").clip.number == 1  # type: ignore[union-attr]
    assert agent.say("which clip has more nods?").value == 1
    assert "only in the first" in agent.say("compare clip 1 and winky").text
    assert agent.say("which clips are there?").value == [1, 2]
    for wrong in ("go to clip 7", "back to version 9"):
        assert agent.say(wrong).refused


def test_only_what_an_edit_touches_is_performed_again(model: FaceLM, tmp_path: Path) -> None:
    agent = Agent(tmp_path, model)  # with idle motion
    agent.say("She smiles, then nods twice, then winks with her left eye.")
    before = agent.clips[0].sequence()
    for line, free in (("make the nod slower", slice(0, 45)), ("other eye", slice(0, 80)),
                       ("make the smile a bit weaker", slice(60, 90))):
        after = agent.say(line).clip
        assert after is not None
        for name in ("expr", "neck_pose", "eyes_pose", "jaw_pose"):
            assert np.array_equal(getattr(after.sequence(), name)[free], getattr(before, name)[free]), (line, name)
        agent.say("undo")


def test_what_was_asked_for_is_known_by_its_name(agent: Agent) -> None:
    agent.say("She yawns, then looks relieved.")
    assert agent.say("does she yawn?").value is True and agent.say("does she sneeze?").value is False
    start, = agent.say("when does the yawn start?").value
    assert 0.0 <= start < 1.0 and agent.say("and how long does it last?").value[0] > 2.0
    assert agent.say("what does she do after the yawn?").value == ["relieved"]
    assert agent.say("describe it").text == "Yawns, then looks relieved."


def test_a_conversation_is_gone_on_with(model: FaceLM, tmp_path: Path) -> None:
    first = Agent(tmp_path / "monday", model, Sampling(idle=False))
    first.say("She smiles, then nods twice.")
    first.say("make the smile stronger")
    first.say("undo")
    first.memory.close()
    then = Agent(tmp_path / "monday", model, Sampling(idle=False))
    assert [t.said for t in then.memory.turns] == ["She smiles, then nods twice.", "make the smile stronger", "undo"]
    assert then.memory.current is not None and then.memory.current.version == 1
    assert then.say("redo").clip.version == 2 and then.say("no, three times").clip.version == 3  # type: ignore[union-attr]


def test_a_turn_that_breaks_leaves_nothing(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    agent.say("a smile")
    monkeypatch.setattr(Session, "remember", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        agent.say("a nod")
    monkeypatch.undo()
    assert len(agent.clips) == 1 and len(agent.memory.turns) == 1
    assert len(Session(agent.memory.folder).clips) == 1 and agent.say("a nod").clip.number == 2  # type: ignore[union-attr]


def test_a_damaged_session_is_one_line_and_its_clips_are_whole(agent: Agent) -> None:
    agent.say("a smile")
    agent.memory.close()
    file = agent.memory.folder / FILE
    whole = file.read_bytes()
    for broken in (b"no database at all" * 100, whole[:3000], whole[:100] + b"\xff" * 5000 + whole[5100:]):
        file.write_bytes(broken)
        with pytest.raises(SessionError, match="1 whole clips are the files") as caught:
            Session(agent.memory.folder)
        assert "\n" not in str(caught.value)
    assert len(FaceSequence.load(agent.memory.folder / "clip-1.npz")) > 10


def test_sessions_do_not_mix_and_one_folder_has_one_writer(model: FaceLM, tmp_path: Path) -> None:
    def talk(k: int) -> tuple[list[str], int, list[str]]:
        one = Agent(tmp_path / str(k), model, Sampling(idle=False))
        said = [one.say("She nods twice.").text for _ in range(k % 3 + 1)]
        return said, one.say("how often does she nod?").value, [c.path.parent.name for c in one.clips]

    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(talk, range(10)))
    for k, (said, value, folders) in enumerate(done):
        assert (value, folders) == (2, [str(k)] * (k % 3 + 1)), said
    first, second = Session(tmp_path / "0"), Session(tmp_path / "0")
    with first.turn():
        first.remember("hi", "hello", [])
    with pytest.raises(SessionError, match="another program"), second.turn():
        pass


_TALKER = """
import sys
from facelm.agent.requests import Sampling
from facelm.agent.talk.agent import Agent
from scripted_agent import rule_agent
agent = Agent(sys.argv[1], rule_agent(), Sampling(idle=False))
print("ready", flush=True)
k = 0
while True:
    for line in ("She smiles, then nods twice.", "make the smile stronger", "no, three times", "undo"):
        agent.say(line)
        k += 1
        print(k, flush=True)
"""


@pytest.mark.slow
def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "support/models")}
    for number in range(20):
        folder = tmp_path / str(number)
        with subprocess.Popen([sys.executable, "-c", _TALKER, str(folder)], stdout=subprocess.PIPE, text=True, env=env) as talker:
            assert talker.stdout is not None and talker.stdout.readline() == "ready\n"
            time.sleep(float(rng.uniform(0.05, 1.0)))
            talker.send_signal(signal.SIGKILL)
            shown = talker.stdout.read().split()
        session = Session(folder)
        assert len(session.turns) >= int(shown[-1] if shown else 0)
        assert all(len(c.sequence()) > 5 for c in session.clips)
        session.close()


# -- recordings -----------------------------------------------------------------------------
def test_a_clip_of_which_no_script_is_known_is_changed_in_place(agent: Agent, tmp_path: Path) -> None:
    agent.say("She smiles, then nods twice.")
    path = agent.clips[0].sequence().save(tmp_path / "mine.npz")
    opened = agent.call(Call("open", {"path": str(path)}))
    assert opened.clip is not None and opened.clip.script is None
    weaker = agent.say("make the smile weaker")
    assert weaker.clip is not None and "smile 70 % -> 52 %" in weaker.text
    assert np.array_equal(weaker.clip.sequence().neck_pose, opened.clip.sequence().neck_pose)
    gone = agent.say("without the nods")
    assert gone.clip is not None and not gone.clip.measured().of("nod") and gone.clip.measured().of("smile")
    assert agent.say("another take").refused and agent.say("make the wink longer").refused


# -- the terminal -------------------------------------------------------------------------------
def test_the_terminal_answers_and_ends(agent: Agent) -> None:
    sink = io.StringIO()
    loop(agent, io.StringIO("how often?\n\n/dance\nShe smiles.\nDoes she nod?\n/measure\n/quit\nShe nods.\n"), sink)
    text = sink.getvalue()
    assert "there is no clip yet" in text and "unknown command /dance" in text and "Smiles." in text and "No." in text
    assert "  0 s |" in text and "smile" in text.split("No.")[1] and len(agent.clips) == 1
    loop(agent, io.StringIO("/help"), sink)  # the end of input is an end as well


def test_each_line_is_one_json_object(agent: Agent) -> None:
    sink = io.StringIO()
    loop(agent, io.StringIO("a smile\nis it stronger?\n/seconds x\n/clips\n"), sink, as_json=True)
    rows = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert rows[0]["clip"]["number"] == 1 and rows[0]["calls"][0]["tool"] == "perform"
    assert "error" in rows[2] and rows[3]["value"] == [1]


@pytest.mark.parametrize("line", ["/dance", "/seconds", "/seconds x", "/seconds 999", "/seconds nan", "/open", "/open none.npz",
                                  "/export", "/export x.doc", "/compare", "/describe odd", "/measure", "/undo"])
def test_wrong_commands_are_refused(model: FaceLM, tmp_path: Path, line: str) -> None:
    agent = Agent(tmp_path, model)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        command(agent, line)
    assert "\n" not in str(caught.value) and not agent.memory.turns and agent.seconds is None


def test_files_are_written_and_compared(agent: Agent, tmp_path: Path) -> None:
    agent.say("She smiles, then nods twice.")
    for name in ("a.npz", "a.glb", "a.png"):
        command(agent, f"/export {tmp_path / name}")
        assert (tmp_path / name).stat().st_size > 1000
    agent.say("make it 6 seconds long")
    assert "lasts" in agent.call(Call("compare")).text
    assert len(sparkline(agent.memory.current.measured())) == 48  # type: ignore[union-attr]


# -- tools -------------------------------------------------------------------------------------
def test_tools_are_typed(agent: Agent) -> None:
    assert {s["function"]["name"] for s in schemas()} == set(TOOLS)
    ask = next(s["function"] for s in schemas() if s["function"]["name"] == "ask")
    assert ask["parameters"]["required"] == ["question"] and ask["description"]
    for call, words in ((Call("fly"), "no tool 'fly'"), (Call("ask", {"q": 1}), "has no q"), (Call("ask"), "needs question"),
                        (Call("undo", {"times": "often"}), "times is 'often'")):
        with pytest.raises(ValueError, match=words):
            call.run(agent.tools)


def test_a_planner_calls_the_same_tools(model: FaceLM, tmp_path: Path) -> None:
    calls = iter([[Call("perform", {"prompt": "a smile"}), Call("ask", {"question": "does she smile?"})],
                  [Call("refuse", {"reason": "no"})]])
    agent = Agent(tmp_path, model, planner=lambda text, box: next(calls))
    assert agent.say("anything").value is True
    assert agent.say("anything else").refused
