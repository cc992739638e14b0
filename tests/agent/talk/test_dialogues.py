"""Whole conversations, whose language model is scripted, with exactly the calls that each line leads to (``dialogues/*.yaml``).

A turn has what is said (``say``) and what is right then:

* ``plan``: what the model writes for the line; without one it knows none, and the rules read the line.
* ``call`` (or ``calls``): the tools with their arguments; LINE is the line, PLAN the plan written out, ABLE and the like what is
  said then. ``[]``: none is called.
* ``shows``: the script of the clip at hand afterwards. ``clip``: its number and version. ``name``: its name.
* ``value``: of an answer, to 0.2 s and 0.08 of a strength. ``text``: words of the reply. ``file``: one that is written.
* ``moved``: of what by how many seconds its measured start or duration changed.
* ``refused``: whether something could not be done; without it, nothing may be refused.

A dialogue may begin with a clip (``start``: its script).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from facelm.agent.motion.reading import plan_request
from facelm.agent.pipeline import FaceLM
from facelm.agent.requests import Sampling
from facelm.agent.talk.agent import Agent
from facelm.agent.talk.dialogue import ABLE, HELLO, UNREAD, talk
from facelm.agent.talk.planning.planned import calls
from facelm.agent.talk.tools import TOOLS, Call, Toolbox
from facelm.data_gen.reading.spelling import spelled
from facelm.face.facs.evidence.happenings import happenings
from facelm.face.facs.measured import Measurement
from facelm.face.facs.script_text import read_script, write_script
from facelm.llm.grammar.plans import SLOTS, parse_plan, plan_text
from scripted_agent import needs_tokenizer, rule_agent

pytestmark = needs_tokenizer
FOLDER = Path(__file__).parent / "dialogues"
DIALOGUES = [d for f in sorted(FOLDER.glob("*.yaml")) for d in yaml.safe_load(f.read_text())["dialogues"]]
NEVER_SAID = {"open", "script"}
"""Tools that no line leads to: files and scripts are asked for by slash commands."""
SAID = {"ABLE": ABLE, "HELLO": HELLO, "UNREAD": UNREAD, "WHO": talk("who are you").arguments["text"]}
SECONDS, SHARE = 0.2, 0.08


def expected(turn: dict[str, Any]) -> list[dict[str, Any]]:
    """The calls of a turn, with the shorthands written out."""
    said: Any = turn.get("call", turn.get("calls"))
    plan = plan_text(parse_plan(turn["plan"])) if "plan" in turn else ""
    out = []
    for one in said if isinstance(said, list) else [said]:
        (tool, arguments), = one.items()
        meant = {"LINE": turn["say"], "PLAN": plan, **SAID}
        out.append(Call(tool, {k: meant.get(v, v) if isinstance(v, str) else v for k, v in arguments.items()}).to_dict())
    return out


def size(measured: Measurement, name: str, what: str) -> float:
    first = next(s for s in happenings(measured) if s.name == name)
    return first.start if what == "start" else first.end - first.start


def close(value: Any) -> Any:
    """A value that others may be near to: shares of at most one are strengths."""
    if isinstance(value, list):
        return [close(v) for v in value]
    return pytest.approx(value, abs=SHARE if value <= 1 else SECONDS) if isinstance(value, float) else value


@pytest.fixture(scope="module")
def model() -> FaceLM:
    return rule_agent()


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=[d["id"] for d in DIALOGUES])
def test_every_turn_makes_its_calls(model: FaceLM, tmp_path: Path, dialogue: dict[str, Any]) -> None:
    made: list[dict[str, Any]] = []

    def noted(text: str, tools: Toolbox) -> Any:
        for call in calls(text, tools):
            made.append(call.to_dict())
            yield call

    dialogue = yaml.safe_load(yaml.safe_dump(dialogue).replace("FOLDER", str(tmp_path)))
    model.lm.plans = {plan_request(spelled(t["say"]))[0]: t["plan"] for t in dialogue["turns"] if "plan" in t}  # type: ignore[attr-defined]
    agent = Agent(tmp_path / "talk", model, Sampling(idle=False), planner=noted)
    if "start" in dialogue:
        first, = model.perform_many([read_script(dialogue["start"])], None, 0, False)
        with agent.memory.turn():
            agent.memory.add([first.clip], "performed", dialogue["start"], made=first)
    for turn in dialogue["turns"]:
        before = agent.memory.current.measured() if agent.memory.current and "moved" in turn else None
        made.clear()
        reply = agent.say(turn["say"])
        where = f"{turn['say']!r}: {reply.text}"
        assert made == expected(turn), where
        assert reply.refused == turn.get("refused", False), where
        here = agent.memory.current
        if "shows" in turn:
            assert here is not None and here.script is not None
            assert write_script(here.script) == write_script(read_script(turn["shows"])), where
        if "clip" in turn:
            assert (None if here is None else [here.number, here.version]) == turn["clip"], where
        if "name" in turn:
            assert here is not None and here.name == turn["name"]
        if "value" in turn:
            assert reply.value == close(turn["value"]), where
        if "text" in turn:
            assert turn["text"] in reply.text
        assert "file" not in turn or (tmp_path / turn["file"]).is_file()
        for name, changes in turn.get("moved", {}).items():
            assert before is not None and here is not None
            for what, by in changes.items():
                now = size(here.measured(), name, what)
                assert now - size(before, name, what) == pytest.approx(by, abs=SECONDS), (where, name, what)


def test_there_are_eighty_and_they_cover_every_tool_and_every_command() -> None:
    assert len(DIALOGUES) >= 80 and len({d["id"] for d in DIALOGUES}) == len(DIALOGUES)
    assert all(3 <= len(d["turns"]) <= 8 for d in DIALOGUES)
    turns = [t for d in DIALOGUES for t in d["turns"]]
    assert {c["tool"] for t in turns for c in expected(t)} == set(TOOLS) - NEVER_SAID
    assert {s.do for t in turns if "plan" in t for s in parse_plan(t["plan"])} == set(SLOTS)
