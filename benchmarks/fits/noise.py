"""What the fit's noise does: to the facts, and to a language model that is trained or tested on fitted motion."""

from __future__ import annotations

import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ...data_gen.corpus.splits import SPLITS
from ...data_gen.corpus.synth import iter_corpus, load_clip
from ...face.facs.schedule import Schedule
from ...face.facs.vocabulary import ACTION, ACTIONS
from ..report import Counts, Row, Tables

RECIPE = Path(__file__).resolve().parents[2] / "configs" / "lm_cpu.yaml"
NEAR = 0.4
"""Seconds between onsets of the same action in truth and fit."""


@dataclass
class _Tally:
    """Occurrences of one action, and the errors of those in both truth and fit."""

    counts: Counts = Counts()
    onset: list[float] = field(default_factory=list)
    strength: list[float] = field(default_factory=list)


def _compare(true: list[Row], fitted: list[Row], tallies: dict[str, _Tally]) -> None:
    """Match occurrences of the same action that begin within NEAR of each other, nearest first."""
    free = list(fitted)
    for fact in true:
        tally = tallies[fact["name"]]
        near = [f for f in free if f["name"] == fact["name"] and abs(f["onset"] - fact["onset"]) <= NEAR]
        tally.counts += Counts(hit=1) if near else Counts(missed=1)
        if near:
            best = min(near, key=lambda f: abs(f["onset"] - fact["onset"]))
            free.remove(best)
            tally.onset.append(abs(best["onset"] - fact["onset"]))
            tally.strength.append(abs(best["intensity"] - fact["intensity"]))
    for fact in free:
        tallies[fact["name"]].counts += Counts(invented=1)


def _row(what: str, tallies: Iterable[_Tally]) -> Row:
    """All of these together."""
    some = list(tallies)
    c = sum((t.counts for t in some), Counts())
    means = [float(np.mean(v)) if (v := [x for t in some for x in getattr(t, name)]) else None for name in ("onset", "strength")]
    return {"": what, "true": c.hit + c.missed, "fitted": c.hit + c.invented,
            "precision": c.precision if c.hit + c.invented else None, "recall": c.recall if c.hit + c.missed else None,
            "f1": c.f1 if c.hit + c.invented + c.missed else None, "onset error, s": means[0], "intensity error": means[1]}


def _facts(folder: Path) -> dict[str, list[Row]]:
    """The facts of a built corpus against the true ones."""
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    found: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    clips = frames = 0
    for split in SPLITS:
        for row in iter_corpus(folder, split, columns=("facts", "true_facts", "true_script", "n_frames")):
            if not row["true_facts"]:
                raise ValueError(f"{folder} has no true facts; build it with the backend performer")
            fitted, true = json.loads(row["facts"]), json.loads(row["true_facts"])
            _compare(true, fitted, tallies)
            names = {f["name"] for f in fitted}
            expected = Schedule.from_json(row["true_script"]).expected_actions()
            asked.update(expected)
            found.update(a for a in expected if a in names)
            clips, frames = clips + 1, frames + row["n_frames"]
    regions = dict.fromkeys(a.region for a in ACTION.values())
    rows = [_row("all", tallies.values())]
    rows += [_row(r, (t for n, t in tallies.items() if ACTION[n].region == r)) for r in regions]
    rows += [_row(n, [tallies[n]]) for n in ACTIONS if n in tallies]
    return {"corpus": [{"clips": clips, "frames": frames, "recall of commanded": found.total() / max(asked.total(), 1)}],
            "facts": rows}


# -- the language model ---------------------------------------------------------------------
@dataclass(frozen=True)
class _Training:
    """How both models are trained and tested."""

    config: Path
    init: Path
    base: str | None
    run: dict[str, float]
    items: int
    candidates: int
    seed: int
    out: Path


def _items(corpus: Path, scripts: dict[str, str], prompts: dict[str, tuple[str, str]]) -> list[Any]:
    """Test items of one corpus: its motion, with the true script and the same words for both corpora."""
    from ...eval.items import Item

    return [Item(Schedule.from_json(scripts[row["clip_id"]]), load_clip(row), *prompts[row["clip_id"]])
            for row in iter_corpus(corpus, "test") if row["clip_id"] in scripts]


def _language_model(fitted: Path, true: Path, how: _Training) -> dict[str, list[Row]]:
    """Train on each corpus, test on each."""
    from ...agent.learning.training import train_language_model
    from ...agent.pipeline import FaceLM, weights_dir
    from ...eval.evaluate import evaluate

    scripts = {r["clip_id"]: r["true_script"] for r in iter_corpus(fitted, "test", columns=("clip_id", "true_script"))}
    words = {r["clip_id"]: (r["captions"][0], r["describe"][0]) for r in iter_corpus(true, "test")}
    both = sorted(set(scripts) & set(words))[:how.items]
    if not both:
        raise ValueError("the two corpora share no test clip; build them together with --truth-out")
    scripts = {k: scripts[k] for k in both}
    tests = {"true": _items(true, scripts, words), "fitted": _items(fitted, scripts, words)}
    models: dict[str, Path] = {"released": weights_dir()}
    for name, corpus in (("true", true), ("fitted", fitted)):
        models[name] = how.out / name
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "lm_noise.yaml"
            config.write_text(yaml.safe_dump({"base": str(how.config.resolve()), "run": how.run}))
            train_language_model(config, weights_dir() / "tokenizer", models[name], corpus, how.base, init=how.init)
    rows = []
    for trained, folder in models.items():
        agent = FaceLM.from_pretrained(folder, how.base)
        for tested, items in tests.items():
            # words to motion does not read the test motion: once a model is enough
            only = "m2l" if tested == "fitted" else None
            result = evaluate(agent, items, list(tests["true"]), only, how.seed, 0.5, None, how.candidates)
            for direction in ("m2l", "l2m"):
                for best in getattr(result, direction)[:1]:
                    rows.append({"trained on": trained, "tested on": tested, "direction": direction, "recall": best.recall,
                                 "precision": best.precision, "f1": best.f1, "95 % from": best.f1_interval[0],
                                 "to": best.f1_interval[1]})
    return {f"language model, {len(both)} test clips": rows}


def fit_noise(fitted: Path, *, true: Path | None = None, init: Path | None = None, base: str | None = None, steps: int = 0,
              minutes: float = 10.0, items: int = 200, candidates: int = 1, seed: int = 0,
              config: Path = RECIPE,
              weights_out: Path = Path("out/fit_noise")) -> Tables:
    """What the fit's noise does to the facts, and to a language model that is trained or tested on fitted motion.

    The second trains the released language model a little further on each corpus and tests both on the test split of both:
    Motion2Language, where what is said of a clip is compared with its true script, and Language2Motion, where the
    performance is measured.

        facelm data build --recipe configs/data/performer_2000.yaml -o out/fitted --truth-out out/true --workers 2

    Parameters
    ----------
    fitted
        A corpus of `facelm data build` with the backend performer.
    true
        The corpus that --truth-out wrote; with it the language model is trained and tested.
    init
        Adapter to start from (default: the released one).
    steps
        Training steps a corpus; 0: by --minutes.
    minutes
        Training minutes a corpus.
    weights_out
        Folder of the trained weights.
    """
    tables = _facts(fitted)
    if true:
        from ...agent.pipeline import weights_dir

        run = {"max_minutes": 0 if steps else minutes, "max_steps": steps}
        how = _Training(config, init or weights_dir() / "llm", base, run, items, candidates, seed, weights_out)
        tables |= _language_model(fitted, true, how)
    return tables
