"""Models that are trained alike: the data that they share, peers beside ours, and ablations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from facelm.agent.pipeline import weights_dir
from facelm.benchmarks.compared.ablations import ALL, CONFIGS, Ablation, ablations
from facelm.benchmarks.compared.pairs import Told, kept_told, make_told, motion_of, performed, readings_of
from facelm.benchmarks.compared.peers import peers
from facelm.common.config import merge, read_settings, read_yaml
from facelm.eval.baselines.motion import load
from facelm.face.facs.check import check
from facelm.face.facs.measure import measure
from facelm.face.facs.schedule import Schedule
from facelm.face.facs.script_text import read_script
from facelm.llm.config import load_config, parse_config
from facelm.llm.grammar.windows import cut
from facelm.tokenizer.codec import FaceTokenizer
from facelm.tokenizer.features import to_features
from llm_tiny import tiny_base

OURS = ("model: {keep_first: 0, keep_last: 0}\nlora: {rank: 2, alpha: 2}\noptim: {warmup_steps: 2}\n"
        "data: {batch_tokens: 256, window: 16}\nrun: {val_examples: 2}\n")
needs_weights = pytest.mark.skipif(not (weights_dir() / "tokenizer" / "config.json").is_file(), reason="no released tokenizer")


@pytest.fixture(scope="module")
def told() -> list[Told]:
    return make_told(60, 3, 6.0)


@pytest.fixture()
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe of our model, with a tiny base in the place of the usual one."""
    base = tiny_base()
    base.model.save_pretrained(tmp_path / "base")
    base.tokenizer.save_pretrained(tmp_path / "base")
    monkeypatch.setenv("FACELM_BASE", str(tmp_path / "base"))
    (tmp_path / "ours.yaml").write_text(f"base: {CONFIGS / 'lm_peers_cpu.yaml'}\n{OURS}")
    return tmp_path / "ours.yaml"


def test_texts_scripts_and_motions_belong_together(told: list[Told]) -> None:
    assert told == make_told(60, 3, 6.0) and told != make_told(60, 4, 6.0)
    assert len(told) == 60 and len({t.texts for t in told}) > 40
    right = 0
    for one, (texts, clip) in zip(told, performed(told), strict=True):
        assert texts == one.texts and clip.seconds <= 6.0 + 0.04
        right += check(read_script(one.line), measure(clip)).ok
    assert right >= 50, f"{right} of 60 motions show what their text's script asks for"


@needs_weights
def test_our_model_learns_the_same_motions(told: list[Told]) -> None:
    tokenizer = FaceTokenizer.from_pretrained(weights_dir() / "tokenizer")
    pieces = list(motion_of(told[:5], tokenizer))
    windows = [len(cut(Schedule.from_json(t.schedule), tokenizer.step_seconds)) for t in told[:5]]
    assert len(pieces) == sum(windows) and len(readings_of(told[:5])) == 5
    clip = next(performed(told[:1]))[1]
    codes = tokenizer.encode_features([to_features(clip)])[0]
    first = tokenizer.layout.decode(pieces[0].symbols)
    both = min(len(first), len(codes))
    np.testing.assert_array_equal(first[:both], codes[:both])


def test_what_was_made_is_kept_and_made_again_for_other_settings(told: list[Told], tmp_path: Path) -> None:
    calls = []

    def make() -> list[Told]:
        calls.append(1)
        return told

    assert kept_told(tmp_path, make, {"seed": 1}) == told == kept_told(tmp_path, make, {"seed": 1})
    assert len(calls) == 1
    kept_told(tmp_path, make, {"seed": 2})
    assert len(calls) == 2


@needs_weights
@pytest.mark.slow
def test_peers_and_ours_are_trained_alike(small: Path, tmp_path: Path) -> None:
    tiny = CONFIGS / "peers" / "tiny.yaml"

    def run(**more: object) -> list[dict]:
        tables = peers(out=tmp_path / "out", count=600, recipe=tiny, ours=small, device="cpu", steps=2, **more)
        return next(iter(tables.values()))

    rows = run(only=("ours", "mdm", "motiongpt"))
    assert [r["model"] for r in rows] == ["facelm", "MDM", "MotionGPT"] and all(r["clips seen"] > 0 for r in rows)
    again = run(only=("ours", "mdm", "motiongpt"))
    assert again == rows, "a second run takes what is there"
    equal = run(only=("mdm",), equal="parameters")[0]
    assert 0.6 < equal["parameters"] / rows[0]["parameters"] < 1.6 and equal["folder"] == "parameters/mdm"
    assert json.loads((tmp_path / "out" / "peers-time.json").read_text())["models"] == rows
    assert load(tmp_path / "out" / "time" / "mdm").training_facts["parameters"] == rows[1]["parameters"]
    with pytest.raises(ValueError, match="there are 0 texts"):
        peers(out=tmp_path / "none", count=0, recipe=tiny, ours=small, device="cpu", steps=2)


@pytest.mark.parametrize("name", ALL)
def test_every_ablation_changes_one_thing(name: str) -> None:
    one, full = (read_settings(Ablation, CONFIGS / "ablations" / f"{n}.yaml") for n in (name, "full"))
    changed = [f for f in ("way", "train", "peer") if getattr(one, f) != getattr(full, f)]
    assert len(changed) == (name != "full"), changed
    recipe = read_yaml(CONFIGS / "lm_peers.yaml")
    assert parse_config(merge(recipe, one.train)) != parse_config(recipe) or not one.train
    if name != "full":
        assert len((CONFIGS / "ablations" / f"{name}.yaml").read_text().splitlines()) == 3


def test_a_wrong_ablation_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("what: x\ntrain: {lora: {rnk: 3}}\n")
    with pytest.raises(ValueError, match="unknown entry 'rnk'"):
        read_settings(Ablation, tmp_path / "a.yaml")
    with pytest.raises(ValueError, match="no ablation 'nothing'; known: full, "):
        ablations(only=("nothing",))


def test_the_recipes_beside_the_peers_read_and_perform_alone() -> None:
    for name in ("lm_peers", "lm_peers_cpu"):
        data = load_config(CONFIGS / f"{name}.yaml").data
        assert data.read + data.perform == 1 and data.see == data.understand == data.plan == 0


@needs_weights
@pytest.mark.slow
def test_ablations_are_trained_scored_and_taken_up_again(small: Path, tmp_path: Path) -> None:
    small.write_text(small.read_text() + "make: {readings: 60, schedules: 20}\n")
    given = dict(out=tmp_path / "out", only=("no_check", "no_script"), recipe=small, templates=2, templates_only=True, steps=2,
                 peer=CONFIGS / "peers" / "tiny.yaml", texts=400)
    rows = next(iter(ablations(**given).values()))
    assert [r["name"] for r in rows] == ["no_check", "no_script"] and all(r["templates, prompts"] == 2 for r in rows)
    assert next(iter(ablations(**given).values())) == rows
