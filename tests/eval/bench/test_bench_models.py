"""What the command hands to the benchmark: model alone, agent, untuned base, descriptions, conversations, on tiny weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from facelm.agent.options import Model
from facelm.cli.bench import Beside, command_line, models
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.eval.bench.run import Asked, Bench
from facelm.eval.bench.suite import AGENT, ALONE, UNTUNED, CountPart, SpeedPart, Suite, WordsPart
from facelm.eval.features.model import Matcher, MatcherConfig
from facelm.face.facs.script_text import read_script
from facelm.face.head.model import HeadModel
from facelm.llm.model import load_model, untuned_model
from tiny_agent import write_base, write_weights


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("weights")
    clips = [perform(lay_out(read_script(line))) for line in ("smile; nod x2", "wink left; anger")]
    return write_weights(folder / "w", clips), write_base(folder / "base")


def test_the_untuned_model_has_new_rows_and_no_adapter(made: tuple[Path, Path]) -> None:
    weights, base = made
    untuned, trained = untuned_model(weights / "llm", base), load_model(weights / "llm", base)
    assert untuned.lora is None and not untuned.adapted and trained.adapted
    assert untuned.vocabulary == trained.vocabulary and untuned.rows.shape == trained.rows.shape


@pytest.mark.slow
def test_every_system_of_the_command_gets_its_row(made: tuple[Path, Path], tmp_path: Path) -> None:
    weights, base = made
    torch.manual_seed(0)
    matcher = Matcher(MatcherConfig(width=16, out=8, rows=64, piece=8, heads=2)).eval()
    suite = Suite("Tiny", known=6, systems=(UNTUNED, ALONE, AGENT), words=(WordsPart("templates", count=2),),
                  descriptions=CountPart(2), speed=SpeedPart(1))
    handed = models(Beside(), Model(str(weights), str(base)))
    bench = Bench(Asked(suite, tmp_path, "facelm bench x"), handed, HeadModel.default(), matcher)
    sheets = {s.name: s for s in bench.run()}
    words = {r.name: r.figures for r in sheets["words: template prompts"].rows}
    assert list(words) == [UNTUNED, ALONE, AGENT]
    assert all(f["wholly right"].n == 2 and 0.0 <= f["wholly right"].value <= 1.0 for f in words.values())
    told = {r.name for r in sheets["descriptions"].rows}
    assert {"reference texts", ALONE, "agent, by measurement"} <= told


def test_the_command_of_a_run() -> None:
    beside = Beside(peer=("runs/my mdm",), model="python3 mine.py")
    assert command_line("quick", "out/b", 3, beside, Model(weights="w")) == (
        "facelm bench quick -o out/b --seed 3 --peer 'runs/my mdm' --model 'python3 mine.py' --weights w")
