"""What the fit's noise does: to the facts, and to a language model that is trained or tested on fitted motion.

    facelm data build --recipe configs/data/performer_2000.yaml -o out/fitted --truth-out out/true --workers 2
    python benchmarks/fit_noise.py out/fitted                                # facts: precision, recall, F1
    python benchmarks/fit_noise.py out/fitted --true out/true --minutes 20   # and the language model, both ways

The second trains the released language model a little further on each corpus (``--minutes`` or ``--steps``
each) and tests both on the test split of both: Motion2Language, where what is said of a clip is compared with
its true script, and Language2Motion, where the performance is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from facelm.data_gen.corpus.splits import SPLITS
from facelm.data_gen.corpus.synth import iter_corpus, load_clip
from facelm.face.facs.script import Script
from facelm.face.facs.vocabulary import ACTION, ACTIONS

NEAR = 0.4
"""Seconds between onsets of the same action in truth and fit."""


@dataclass
class Tally:
    """True, fitted and shared occurrences of one action, and the errors of the shared ones."""

    true: int = 0
    fitted: int = 0
    shared: int = 0
    onset: float = 0.0
    strength: float = 0.0

    @property
    def precision(self) -> float:
        return self.shared / self.fitted if self.fitted else float("nan")

    @property
    def recall(self) -> float:
        return self.shared / self.true if self.true else float("nan")

    @property
    def f1(self) -> float:
        total = self.true + self.fitted
        return 2 * self.shared / total if total else float("nan")

    def row(self) -> dict[str, Any]:
        shared = max(self.shared, 1)
        values = {"precision": self.precision, "recall": self.recall, "f1": self.f1, "onset_error_s": self.onset / shared,
                  "intensity_error": self.strength / shared}
        return {"true": self.true, "fitted": self.fitted} | {k: None if np.isnan(v) else round(v, 4) for k, v in values.items()}


def compare(true: list[dict[str, Any]], fitted: list[dict[str, Any]], tallies: dict[str, Tally]) -> None:
    """Match occurrences of the same action that begin within NEAR of each other, nearest first."""
    free = list(fitted)
    for fact in fitted:
        tallies.setdefault(fact["name"], Tally()).fitted += 1
    for fact in true:
        tally = tallies.setdefault(fact["name"], Tally())
        tally.true += 1
        near = [f for f in free if f["name"] == fact["name"] and abs(f["onset"] - fact["onset"]) <= NEAR]
        if near:
            best = min(near, key=lambda f: abs(f["onset"] - fact["onset"]))
            free.remove(best)
            tally.shared += 1
            tally.onset += abs(best["onset"] - fact["onset"])
            tally.strength += abs(best["intensity"] - fact["intensity"])


def total(tallies: dict[str, Tally], names: tuple[str, ...]) -> Tally:
    """All of ``names`` together."""
    out = Tally()
    for name in names:
        t = tallies.get(name, Tally())
        out.true, out.fitted, out.shared = out.true + t.true, out.fitted + t.fitted, out.shared + t.shared
        out.onset, out.strength = out.onset + t.onset, out.strength + t.strength
    return out


def facts_report(folder: Path) -> dict[str, Any]:
    """The facts of a built corpus against the true ones."""
    tallies: dict[str, Tally] = {}
    script_found: Counter[str] = Counter()
    script_asked: Counter[str] = Counter()
    clips = frames = 0
    for split in SPLITS:
        columns = ("facts", "true_facts", "true_script", "n_frames")
        for row in iter_corpus(folder, split, columns=columns):
            if not row["true_facts"]:
                raise ValueError(f"{folder} has no true facts; build it with the backend performer")
            fitted, true = json.loads(row["facts"]), json.loads(row["true_facts"])
            compare(true, fitted, tallies)
            names = {f["name"] for f in fitted}
            for action in Script.from_json(row["true_script"]).expected_actions():
                script_asked[action] += 1
                script_found[action] += action in names
            clips, frames = clips + 1, frames + row["n_frames"]
    region = {r: tuple(a for a in ACTIONS if ACTION[a].region == r) for r in dict.fromkeys(a.region for a in ACTION.values())}
    return {"clips": clips, "frames": frames, "all": total(tallies, ACTIONS).row(),
            "regions": {r: total(tallies, names).row() for r, names in region.items()},
            "actions": {n: tallies[n].row() for n in ACTIONS if n in tallies},
            "commanded_recall": round(sum(script_found.values()) / max(sum(script_asked.values()), 1), 4)}


def facts_table(report: dict[str, Any]) -> str:
    lines = [f"{report['clips']} clips; commanded actions found: {report['commanded_recall']:.3f}",
             f"{'':22s}{'true':>6s}{'fitted':>8s}{'precision':>11s}{'recall':>8s}{'F1':>7s}{'onset s':>9s}{'strength':>10s}"]
    rows = [("all", report["all"]), *report["regions"].items(), *report["actions"].items()]
    for name, r in rows:
        cells = "".join(f"{'-' if r[k] is None else format(r[k], '.3f'):>{w}s}"
                        for k, w in (("precision", 11), ("recall", 8), ("f1", 7), ("onset_error_s", 9), ("intensity_error", 10)))
        lines.append(f"{name:22s}{r['true']:6d}{r['fitted']:8d}{cells}")
    return "\n".join(lines)


# -- the language model ---------------------------------------------------------------------
def items_of(corpus: Path, scripts: dict[str, str], prompts: dict[str, tuple[str, str]], most: int) -> list[Any]:
    """Test items of one corpus: its motion, with the true script and the same words for both corpora."""
    from facelm.eval.items import Item

    out = []
    for row in iter_corpus(corpus, "test"):
        if row["clip_id"] in scripts and len(out) < most:
            prompt, description = prompts[row["clip_id"]]
            out.append(Item(Script.from_json(scripts[row["clip_id"]]), load_clip(row), prompt, description))
    return out


def train_and_test(fitted: Path, true: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Train on each corpus, test on each."""
    from facelm.agent.pipeline import FaceLM, weights_dir
    from facelm.agent.training import train_language_model
    from facelm.eval.evaluate import evaluate
    from tqdm import tqdm

    scripts = {r["clip_id"]: r["true_script"] for r in iter_corpus(fitted, "test", columns=("clip_id", "true_script"))}
    words = {r["clip_id"]: (r["captions"][0], r["describe"][0]) for r in iter_corpus(true, "test")}
    both = sorted(set(scripts) & set(words))[: args.items]
    if not both:
        raise ValueError("the two corpora share no test clip; build them together with --truth-out")
    scripts = {k: scripts[k] for k in both}
    tests = {"true": items_of(true, scripts, words, args.items), "fitted": items_of(fitted, scripts, words, args.items)}
    tokenizer, out = weights_dir() / "tokenizer", Path(args.out)
    start = Path(args.init) if args.init else weights_dir() / "llm"
    models: dict[str, Path] = {"released": weights_dir()}
    for name, corpus in (("true", true), ("fitted", fitted)):
        models[name] = out / name
        run = {"max_minutes": 0 if args.steps else args.minutes, "max_steps": args.steps}
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "lm_noise.yaml"
            config.write_text(yaml.safe_dump({"base": str(Path(args.config).resolve()), "run": run}))
            train_language_model(config, corpus, tokenizer, models[name], base=args.base, init=start)
    report: dict[str, Any] = {"test_items": len(both), "steps": args.steps, "minutes": args.minutes, "rows": []}
    for trained, folder in models.items():
        agent = FaceLM.from_pretrained(folder, args.base)
        for tested, items in tests.items():
            bar = tqdm(desc=f"{trained} on {tested}", total=1, disable=None)
            known = [i for i in tests["true"]]
            # words to motion does not read the test motion: once a model is enough
            only = "m2l" if tested == "fitted" else None
            result = evaluate(agent, items, known, only, args.seed, 0.5, None, args.candidates)
            for kind, rows in (("m2l", result.m2l), ("l2m", result.l2m)):
                if rows:
                    best = rows[0]
                    report["rows"].append({"trained_on": trained, "tested_on": tested, "direction": kind,
                                           "recall": round(best.recall, 4), "precision": round(best.precision, 4),
                                           "f1": round(best.f1, 4), "f1_interval": [round(v, 4) for v in best.f1_interval]})
            bar.update()
            bar.close()
    return report


def model_table(report: dict[str, Any]) -> str:
    lines = [f"{report['test_items']} test clips", f"{'trained on':12s}{'tested on':12s}{'direction':12s}{'recall':>8s}"
             f"{'precision':>11s}{'F1':>8s}  95 % interval"]
    for r in report["rows"]:
        lines.append(f"{r['trained_on']:12s}{r['tested_on']:12s}{r['direction']:12s}{r['recall']:8.3f}{r['precision']:11.3f}"
                     f"{r['f1']:8.3f}  {r['f1_interval'][0]:.3f} to {r['f1_interval'][1]:.3f}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fitted", help="a corpus of `facelm data build` with the backend performer")
    parser.add_argument("--true", help="the corpus that --truth-out wrote; with it the language model is trained and tested")
    parser.add_argument("--config", default=str(Path(__file__).resolve().parents[1] / "configs" / "lm_cpu.yaml"))
    parser.add_argument("--init", help="adapter to start from (default: the released one)")
    parser.add_argument("--base")
    parser.add_argument("--steps", type=int, default=0, help="training steps a corpus; 0: by --minutes")
    parser.add_argument("--minutes", type=float, default=10.0, help="training minutes a corpus")
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--candidates", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="out/fit_noise", help="weights go there")
    parser.add_argument("--json", metavar="FILE", help="write everything there as well")
    args = parser.parse_args()
    report: dict[str, Any] = {"facts": facts_report(Path(args.fitted))}
    print(facts_table(report["facts"]))
    if args.true:
        report["language_model"] = train_and_test(Path(args.fitted), Path(args.true), args)
        print(model_table(report["language_model"]))
    if args.json:
        Path(args.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
