"""The development texts beside this file, for `facelm eval dialogue --prompts FILE.yaml --failures FILE.json`."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
from facelm.agent.requests import Sampling
from facelm.agent.talk.agent import Agent
from facelm.common.config import load_yaml
from facelm.eval.dialogue.score import play
from facelm.eval.dialogue.suite import Change, Dialogue, Turn, load_dialogues
from scripted_agent import needs_tokenizer, rule_agent

DEV = Path(__file__).parent / "dev"


@pytest.mark.parametrize(("name", "conversations"), [("edits", 670), ("questions", 640), ("dialogues", 390)])
def test_development_texts_are_well_formed_and_not_learned_from(name: str, conversations: int) -> None:
    found = load_dialogues(DEV / f"{name}.yaml")
    assert len({d.id for d in found}) == conversations

    def plain(text: str) -> str:
        return re.sub(r"\W+", " ", text.lower()).strip()
    lines = files("facelm").joinpath("data_gen", "text", "lines")
    learned = {plain(row["say"]) for f in lines.iterdir() if f.name.startswith("train_")
               for row in load_yaml(f.read_text(encoding="utf-8"))}
    said = [plain(t.say) for d in found for t in d.turns if len(t.say.split()) > 4]
    assert len(learned & set(said)) <= 1, "two people ask how fast she nods in the same words"


@needs_tokenizer
def test_what_a_laugh_brings_along_is_not_what_was_taken_out() -> None:
    dialogue = Dialogue("x", "remove", (Turn("without the nod", "edit", change=(Change("nod", "gone"),), kept=("wink",)),
                                        Turn("without the wink", "edit", change=(Change("laugh", "gone"),))),
                        "laugh; nod; wink left")
    right, wrong = play(dialogue, lambda: Agent(None, rule_agent(), Sampling(idle=False)))  # type: ignore[arg-type]
    assert right.right and wrong.wrong == ("laugh is not gone",)
