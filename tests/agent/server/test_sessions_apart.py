"""Many conversations at once over one server and one model: none hears of another."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest

pytest.importorskip("fastapi")
from browser import serving_app
from facelm.agent.pipeline import FaceLM, weights_dir
from facelm.agent.talk.agent import Agent
from facelm.agent.talk.session import Session

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not (weights_dir() / "llm").is_dir(), reason="needs the released weights")]
SHOWN = (("wink", "left", "nod", 2), ("smirk", "right", "shake", 3), ("wink", "right", "nod", 4), ("smirk", "left", "blink", 5),
         ("brow raise", "left", "nod", 3), ("wink", "left", "shake", 4), ("brow raise", "right", "blink", 2),
         ("smirk", "left", "nod", 5), ("wink", "right", "shake", 2), ("smirk", "right", "nod", 6))
"""Of each conversation an action and its side, and another and how often."""
VERBS = {"wink": "winks with the {} eye", "smirk": "smirks on the {} side", "brow raise": "raises the {} eyebrow",
         "nod": "nods {} times", "shake": "shakes her head {} times", "blink": "blinks {} times"}


def dialogue(action: str, side: str, repeated: str, count: int) -> list[str]:
    """The lines of one conversation."""
    other = "left" if side == "right" else "right"
    return [f"She {VERBS[action].format(side)}, then {VERBS[repeated].format(count)}.", f"how often does she {repeated}?",
            f"make the {action} on the {other} side", f"on which side is the {action}?", "undo"]


@pytest.fixture(scope="module")
def model() -> FaceLM:
    return FaceLM.from_pretrained()


def alone(model: FaceLM, folder: Path, lines: list[str]) -> list[dict[str, Any]]:
    agent = Agent(Session(folder), model)
    agent.tools.files = False
    return [json.loads(json.dumps(agent.say(line).to_dict())) for line in lines]


def test_ten_conversations_at_once_are_what_each_is_alone(model, tmp_path) -> None:
    talks = [dialogue(*shown) for shown in SHOWN]
    meet = threading.Barrier(len(talks))

    def held(k: int, address: str) -> list[dict[str, Any]]:
        def post(path: str, body: dict[str, str]) -> Any:
            request = Request(f"http://{address}{path}", json.dumps(body).encode(), {"content-type": "application/json"})
            with urlopen(request, timeout=300) as answer:
                return json.loads(answer.read())

        post("/api/sessions", {"name": f"talk-{k}"})
        heard = []
        for line in talks[k]:
            meet.wait(300)  # all say their line at once
            heard.append(post(f"/api/sessions/talk-{k}/say", {"text": line}))
        return heard

    with serving_app(tmp_path / "served", lambda: model) as address, ThreadPoolExecutor(len(talks)) as pool:
        together = list(pool.map(held, range(len(talks)), [address] * len(talks)))
    for k, (shown, lines, heard) in enumerate(zip(SHOWN, talks, together, strict=True)):
        apart = alone(model, tmp_path / f"alone-{k}", lines)
        for line, own, other in zip(lines, apart, heard, strict=True):
            assert [other[f] for f in ("answer", "value", "query", "edits", "refused")] == [
                own[f] for f in ("answer", "value", "query", "edits", "refused")], (k, line)
        assert heard[1]["value"] == shown[3] and heard[3]["value"] != shown[1], "each has its own count and side"
        mine, its = Session(tmp_path / f"alone-{k}"), Session(tmp_path / "served" / f"talk-{k}")
        assert [c.script for c in mine.clips] == [c.script for c in its.clips] and mine.current.id == its.current.id
        assert all(np.array_equal(a.sequence().expr, b.sequence().expr) for a, b in zip(mine.clips, its.clips, strict=True))
