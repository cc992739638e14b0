"""Clip files that hold the script that they perform."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from facelm.agent.motion.checked import load_performance
from facelm.agent.requests import Sampling
from facelm.agent.script_tools import edit
from facelm.agent.talk.agent import Agent
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.script_text import read_script, write_script
from scripted_agent import needs_tokenizer, rule_agent

pytestmark = needs_tokenizer


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made, = rule_agent().perform_many([read_script("smile strong; nod x2; wink left")], None, 3, False)
    return made.save(tmp_path_factory.mktemp("known") / "clip.npz")


def test_a_clip_file_holds_what_it_performs(clip: Path) -> None:
    made = load_performance(clip)
    assert made is not None and made.ok and made.seed == 3
    assert write_script(made.script) == "smile strong; nod x2; wink left"
    assert made.clip.digest == FaceSequence.load(clip).digest


@pytest.mark.parametrize("known", [
    "", "no json", "[]", "{}", 100000 * "[", '{"motion": 1}', json.dumps({"script": "smile", "motion": "OWN"})])
def test_what_is_said_of_no_script_is_not_believed(clip: Path, tmp_path: Path, known: str) -> None:
    motion = FaceSequence.load(clip)
    motion.save(tmp_path / "x.npz", known.replace("OWN", motion.digest))
    assert load_performance(tmp_path / "x.npz") is None


def test_motion_that_was_changed_elsewhere_is_no_longer_of_the_script(clip: Path, tmp_path: Path) -> None:
    motion = FaceSequence.load(clip)
    replace(motion, expr=0.9 * motion.expr).save(tmp_path / "x.npz", FaceSequence.known(clip))
    assert load_performance(tmp_path / "x.npz") is None


def test_objects_in_place_of_text_are_refused(clip: Path, tmp_path: Path) -> None:
    with np.load(clip) as found:
        np.savez(tmp_path / "x.npz", **{**found, "known": np.array([{"a": 1}], dtype=object)}, allow_pickle=True)
    with pytest.raises(ValueError, match="x.npz is not a clip"):
        load_performance(tmp_path / "x.npz")


def test_a_clip_is_changed_by_its_script(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facelm.agent.script_tools.load_agent", lambda options: rule_agent())
    done = next(iter(edit(str(clip), "swap the smile and the wink", out=tmp_path / "new.npz")))
    assert done.facts["line"] == "wink left; nod x2; smile strong"
    new = load_performance(tmp_path / "new.npz")
    assert new is not None and write_script(new.script) == done.facts["line"]


def test_a_conversation_opens_and_exports_what_is_known(clip: Path, tmp_path: Path) -> None:
    talk = Agent(tmp_path / "talk", rule_agent(), Sampling(idle=False))
    talk.tools.open(str(clip))
    here = talk.memory.current
    assert here is not None and here.script is not None and write_script(here.script) == "smile strong; nod x2; wink left"
    talk.tools.export(str(tmp_path / "out.npz"))
    assert load_performance(tmp_path / "out.npz") is not None
    talk.memory.close()
