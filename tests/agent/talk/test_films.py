"""Edits of a film with cuts act on the shot that shows what is meant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from facelm.agent.media import Loaded, Shot, from_shots
from facelm.agent.requests import Sampling
from facelm.agent.talk.agent import Agent
from facelm.face.clip.channels import MOTION_FIELDS
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.measure import measure
from scripted_agent import needs_tokenizer, rule_agent

pytestmark = needs_tokenizer
SHOTS = ("smile at 0.5 s for 2 s; 4 s", "nod x2 at 0.5 s; 3 s", "wink left at 0.5 s; smile at 2 s for 1.5 s; 5 s")
GAP = 10
"""Frames without a face before the last shot."""


@pytest.fixture(scope="module")
def model():  # type: ignore[no-untyped-def]
    return rule_agent()


@pytest.fixture
def agent(model, tmp_path: Path) -> Agent:  # type: ignore[no-untyped-def]
    talk = Agent(tmp_path, model, Sampling(idle=False))
    made = [p.clip for p in model.perform_many(list(SHOTS), None, 0, False)]
    starts = np.cumsum([0, *(len(c) for c in made)])[:3] + [0, 0, GAP]
    filmed = [c.replace(translation=np.tile(np.array([0.0, 0.0, -0.6], np.float32), (len(c), 1)), rotation=c.neck_pose,
                        neck_pose=np.zeros_like(c.neck_pose)) for c in made]  # as a fit has them
    shots = [Shot(n / c.fps, c, measure(c, filmed=True)) for n, c in zip(starts, filmed, strict=True)]
    film: Loaded = from_shots(shots, sum(map(len, made)) + GAP, "", "film.mp4")
    with talk.memory.turn():
        talk.memory.add([s.clip for s in film.shots], "opened", "film.mp4", film=film)
    return talk


def same(a: FaceSequence, b: FaceSequence) -> bool:
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("expr", *MOTION_FIELDS, "valid"))


@pytest.mark.parametrize(("line", "touched"), [
    ("without the wink", [2]), ("make the nods faster", [1]), ("make the smile weaker", [0, 2]),
    ("make the second smile weaker", [2]), ("make the first smile weaker", [0]), ("make it weaker", [0, 1, 2]),
    ("with the other eye", [2]), ("add a yawn at the end", [2]), ("add a wink at the start", [0]),
    ("add a wink after the nods", [1]),
    ("the nod at 4.2 seconds", [1]), ("only the nods", [0, 2])])
def test_only_the_shot_that_is_meant_is_changed(agent: Agent, line: str, touched: list[int]) -> None:
    before = agent.memory.current.sequences()  # type: ignore[union-attr]
    reply = agent.say(line)
    assert not reply.refused and reply.clip is not None and reply.clip.version == 2, reply.text
    after = reply.clip.sequences()
    assert [k for k in range(3) if not same(before[k], after[k])] == touched, reply.text
    film = reply.clip.film
    assert film is not None
    ends = [n + len(c) for n, c in zip(film["first"], after, strict=True)]
    assert film["first"] == [0, ends[0], ends[1] + GAP] and film["frames"] == ends[2]


def test_what_is_measured_changes_there_alone(agent: Agent) -> None:
    at = {a.name: a.onset for a in agent.memory.current.measured().actions}  # type: ignore[union-attr]
    reply = agent.say("without the second smile")
    assert reply.clip is not None
    now = reply.clip.measured()
    assert len(now.of("smile")) == 1 and now.of("smile")[0].onset < 1.0 and len(now.of("nod")) == 1
    assert now.of("nod")[0].onset == pytest.approx(at["nod"]) and "smile" in reply.text
    longer = agent.say("add a yawn before the nod")
    assert longer.clip is not None
    assert longer.clip.measured().of("wink_left")[0].onset > at["wink_left"] + 2.0  # the last shot begins later
    assert agent.say("undo").clip.measured().of("wink_left")[0].onset == pytest.approx(at["wink_left"])  # type: ignore[union-attr]


@pytest.mark.parametrize(("line", "words"), [
    ("without the yawn", "no yawn"), ("make the clip 5 seconds long", "3 shots"), ("in reverse", "3 shots"),
    ("start the nod at 9 seconds", "another shot"), ("make the third smile weaker", "only 2")])
def test_what_a_cut_is_in_the_way_of_is_refused(agent: Agent, line: str, words: str) -> None:
    reply = agent.say(line)
    assert reply.refused and words in reply.text and "\n" not in reply.text and len(agent.clips) == 1, reply.text


def test_a_film_of_one_shot_that_begins_late_stays_late(agent: Agent) -> None:
    late = agent.memory.current.loaded()  # type: ignore[union-attr]
    assert late is not None
    one = replace(late.shots[0], start=1.0)
    with agent.memory.turn():
        agent.memory.add([one.clip], "opened", "late.mp4", film=from_shots([one], len(one.clip) + 25, "", "late.mp4"))
    reply = agent.say("make the smile weaker")
    assert reply.clip is not None and reply.clip.film == {"first": [25], "frames": len(one.clip) + 25, "note": ""}
    assert reply.clip.measured().of("smile")[0].onset == pytest.approx(1.5, abs=0.3)
