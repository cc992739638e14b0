"""The whole line with real code, small: corpus, tokenizer, language model, performance, evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from facelm.agent.learning.training import train_language_model
from facelm.agent.pipeline import FaceLM
from facelm.cli import evaluate as eval_command
from facelm.cli.main import main
from facelm.common.training import Run
from facelm.eval.evaluate import evaluate
from facelm.eval.items import corpus_items
from facelm.face.clip.sequence import FaceSequence
from facelm.llm.model import read_card
from facelm.tokenizer.codec import FaceTokenizer
from llm_tiny import tiny_base

ROOT = Path(__file__).resolve().parents[2]


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    assert main([str(a) for a in argv]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def steps(weights: Path) -> int:
    return int(read_card(weights / "llm")["info"]["steps"])


@pytest.mark.slow
def test_from_nothing_to_an_evaluated_model(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eval_command, "KNOWN", 8)
    resumed, resume = [], Run.resume

    def resume_and_note(started: Run) -> Run:
        if resume(started).reached.step:
            resumed.append(started.reached.step)
        return started

    monkeypatch.setattr(Run, "resume", resume_and_note)
    corpus, tokenizer, weights, base = (tmp_path / n for n in ("corpus", "tokenizer", "weights", "base"))
    tiny = tiny_base(layers=3)
    tiny.model.save_pretrained(base)
    tiny.tokenizer.save_pretrained(base)

    run(capsys, "data", "synth", "--clips", 40, "-o", corpus)
    run(capsys, "tokenizer", "train", ROOT / "configs/tokenizer_tiny.yaml", "--corpus", corpus, "-o", tokenizer)
    trained = FaceTokenizer.from_pretrained(tokenizer)
    item = corpus_items(corpus, 1)[0]
    tokens = trained.encode(item.clip)
    assert len(trained.decode(tokens)) >= len(item.clip)
    assert tokens.steps == round(item.clip.seconds / trained.layout.step_seconds)

    recipe = tmp_path / "lm.yaml"  # the shipped tiny recipe, with room for the tiny base's spelled-out words
    recipe.write_text(f"base: {ROOT / 'configs/lm_tiny.yaml'}\ndata: {{max_tokens: 600, batch_tokens: 600}}\n"
                      "run: {max_steps: 3, threads: 1}\n")
    train_language_model(recipe, tokenizer, weights, corpus, str(base))
    assert steps(weights) == 3 and read_card(weights / "llm")["layers"] == [0, 2], "the first layer and the last one"
    made = (weights / "tokens.parquet").stat().st_mtime_ns
    capsys.readouterr()

    agent = FaceLM.from_pretrained(weights, str(base))
    clip = agent.generate("She smiles, then nods twice.", seconds=30.0, seed=1)  # room for whatever it reads
    assert len(clip) == 750 and np.isfinite(clip.expr).all()
    assert isinstance(agent.describe(clip), str)
    report = evaluate(agent, corpus_items(corpus, 2), corpus_items(corpus, 8, "train"), only="l2m")
    truth = next(r for r in report.l2m if r.name == "ground truth")
    assert truth.recall >= 0.9 and truth.precision >= 0.9 and report.l2m[0].name == "language model"

    # a second call goes on where the first one stopped, with the corpus as it was tokenized
    recipe.write_text(recipe.read_text().replace("max_steps: 3", "max_steps: 5"))
    out = run(capsys, "train", recipe, "--corpus", corpus, "--tokenizer", tokenizer, "-o", weights, "--base", base)
    assert steps(weights) == 5 and (weights / "tokens.parquet").stat().st_mtime_ns == made
    assert f"--weights {weights}" in out
    assert resumed == [3]

    model = ("--weights", weights, "--base", base)
    run(capsys, "generate", "nod", "-o", tmp_path / "a.npz", "--seconds", 0.8, *model)
    assert len(FaceSequence.load(tmp_path / "a.npz")) == 20
    facts = json.loads(run(capsys, "eval", "--corpus", corpus, "--items", 2, "--only", "l2m", "--json", "-o", tmp_path / "r.json",
                           *model))
    assert facts == json.loads((tmp_path / "r.json").read_text())
    assert (facts["items"], facts["train_items"], facts["m2l"]) == (2, 8, [])
    assert {r["name"] for r in facts["l2m"]} >= {"language model", "ground truth", "nearest training text"}

    # --restart starts anew
    recipe.write_text(recipe.read_text().replace("max_steps: 5", "max_steps: 1"))
    run(capsys, "train", recipe, "--corpus", corpus, "--tokenizer", tokenizer, "-o", weights, "--base", base, "--restart")
    assert steps(weights) == 1 and resumed == [3]
