"""The benchmarks of prompts: what they count as foreign, wrong, or fine, and that they go on where they stopped."""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest
from facelm.agent.pipeline import FaceLM
from facelm.agent.tools import DEMO_PROMPT
from facelm.benchmarks import prompts
from facelm.benchmarks.prompts import SIMPLE, demo, fuzz, memory, outcome, random_prompts, simple, speed
from facelm.common.store import Journal
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.script_text import read_script
from facelm.llm.generate import Reading
from tiny_agent import AnimatedAgent, tiny_agent, write_weights


@pytest.fixture()
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "rows.jsonl")


def test_what_nobody_asked_for_is_counted_by_length(monkeypatch: pytest.MonkeyPatch, journal: Journal) -> None:
    monkeypatch.setattr(prompts, "LENGTHS", (3.0, 12.0))
    monkeypatch.setattr(prompts, "SIMPLE", {"smile": "smile", "nod": "nod"})
    rows = simple(AnimatedAgent({"smile": "smile", "nod": "nod; wink left"}), journal, "k")
    assert [(r["length, s"], r["clips"], r["nothing foreign"], r["wholly right"]) for r in rows] == [
        ("3", 4, 2, 2), ("12", 4, 2, 2), ("all", 8, 4, 4)]
    assert any("wink left" in s for s in rows[-1]["missed"])
    assert simple(AnimatedAgent({}), journal, "k") == rows, "kept, so nothing is performed again"
    with pytest.raises(KeyError):
        simple(AnimatedAgent({}), journal, "another model")


def test_two_hundred_simple_clips() -> None:
    assert len(prompts.LENGTHS) * len(SIMPLE) * prompts.SEEDS == 200


def test_the_demo_nods_twice_or_not(journal: Journal) -> None:
    found = demo(AnimatedAgent({DEMO_PROMPT: "smile strong; nod x2"}), journal, "k", seeds=3)[0]
    assert (found["two nods"], found["wholly right"], found["other seeds"]) == (3, 3, [])
    found = demo(AnimatedAgent({DEMO_PROMPT: "smile strong; nod x3"}), journal, "k2", seeds=2)[0]
    assert (found["two nods"], found["other seeds"]) == (0, [0, 1])


def test_speed_and_memory_are_measured() -> None:
    agent = AnimatedAgent(dict(SIMPLE))
    rows = speed(agent, tries=2)
    assert all(0 < r["median"] <= r["slowest"] for r in rows) and len(rows) == 2
    rows = memory(agent, 0.5)
    assert len(rows) == 10 and rows[-1]["streamed, s"] == pytest.approx(30)
    assert all(r["peak traced, MB"] > 0 for r in rows)


def test_random_prompts_are_of_every_kind_and_the_same_each_time() -> None:
    some = list(islice(random_prompts(1), 56))
    assert some == list(islice(random_prompts(1), 56)) != list(islice(random_prompts(2), 56))
    assert len({kind for kind, _ in some}) == 14
    longest = max((text for kind, text in some if kind == "5,000 words"), key=len)
    assert len(longest.split()) == 5000
    assert all(any(t in text for t in prompts._SPECIAL) for k, text in some if k == "special tokens")


class Broken(AnimatedAgent):
    """Performs what is wrong in the way that its prompt names."""

    def perform_many(self, scripts, seconds=None, seed=0, **options):
        from dataclasses import replace

        made = super().perform_many(scripts, seed)[0]
        name = scripts[0].cues[0].name
        if name == "blink":
            return [replace(made, clip=made.clip.slice(0, len(made.clip) - 1))]
        if name == "shake":
            raise KeyError("a fault")
        if name == "wink":
            broken = made.clip.expr.copy()
            broken[0, 0] = np.nan
            object.__setattr__(made.clip, "expr", broken)
        if name == "gaze":
            other = super().perform_many([self.read("nod")], seed)[0]
            return [replace(made, clip=other.clip)]
        return [made]


def test_outcomes() -> None:
    lines: dict[str, str | Exception] = {
        "nod": "nod", "blink": "blink", "shake": "shake", "wink": "wink left", "gaze": "gaze left",
        "empty": ValueError("the prompt is empty"),
        "two": ValueError("one\ntwo"), "none": ValueError("")}
    agent = Broken(lines)
    assert outcome(agent, "nod", None, 0) == "clip" and outcome(agent, "empty", None, 0) == "refused"
    assert outcome(agent, "blink", 3.0, 0) == "a clip of another length"
    assert outcome(agent, "shake", None, 0).startswith("KeyError")
    assert outcome(agent, "wink", None, 0) == "a clip that is not finite"
    assert outcome(agent, "gaze", None, 0) == "a check list that is not true"
    assert all(outcome(agent, bad, None, 0).startswith("bad refusal") for bad in ("two", "none"))


def reads(agent: FaceLM, *lines: str) -> FaceLM:
    """The agent, with readings from a queue in place of its untrained model's, which are hundreds of cues long."""
    queue = cycle(map(read_script, lines))
    agent.lm.read = lambda texts, *_: [Reading(next(queue), 0.0) for _ in texts]  # type: ignore[method-assign]
    return agent


def test_a_whole_model_survives_the_fuzz(clips: list[FaceSequence], journal: Journal) -> None:
    agent = reads(tiny_agent(clips), "0.6 s; smile", "0.4 s; blink x9", "wink left", "unknown fly", "never blink")
    rows = fuzz(agent, 14, 3, journal, "k")
    assert len(rows) == 15 and rows[-1]["kind"] == "all"
    assert rows[-1]["wrong"] == 0 and rows[-1]["valid clips"] + rows[-1]["refused"] == 14, rows
    assert rows[-1]["valid clips"] >= 6 and next(r for r in rows if r["kind"] == "5,000 words")["refused"] == 1, rows


def test_one_whole_run(clips: list[FaceSequence], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "LENGTHS", (1.0,))
    monkeypatch.setattr(prompts, "SIMPLE", {"smile": "smile"})
    agent = reads(tiny_agent(clips), "smile")
    monkeypatch.setattr(prompts.FaceLM, "from_pretrained", lambda weights, base: agent)
    write_weights(tmp_path / "w", clips)
    found = prompts.prompts(weights=tmp_path / "w", count=3, minutes=0.1, rows=tmp_path / "deep" / "rows.jsonl",
                            only=("simple", "memory", "fuzz"))
    assert len(found) == 3 and all(found.values())
