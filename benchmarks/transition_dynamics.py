"""Curves against the dynamics of the performer's real transitions: ``python benchmarks/transition_dynamics.py [--model]``.

Random transitions of two expressions are performed. ``linear`` and ``minjerk`` keep their key poses, onsets and ends
and replace the way in between; ``decoded`` is the performance written in tokens and read back, the best that a language
model on these tokens can do. With ``--model`` the language model carries out the same instructions from the same source
faces with the same durations, with each curve. Measured on the movement from the first expression to the second, with
``eval/transitions/quality.py``: correlation of the speed profiles, log dimensionless jerk, when the speed peaks, how
uneven the halves are in time; and here the asymmetry of the face: the gap of (left - right) / (left + right) of the
expression coefficients in the middle of the movement.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

import numpy as np
from facelm.agent.transition import steady
from facelm.agent.transition_curves import retime
from facelm.data_gen.performer.transitions import (
    Plan,
    TransitionSpec,
    perform_transition,
    realise_plan,
    sample_plan,
    transition_keys,
)
from facelm.data_gen.text.transition_text import word_plan
from facelm.eval.transitions.quality import compare_dynamics, dynamics
from facelm.face.clip.channels import EXPR_NAMES
from facelm.face.clip.sequence import FaceSequence

_PAIRS = [(i, EXPR_NAMES.index(n[:-4] + "Right")) for i, n in enumerate(EXPR_NAMES) if n.endswith("Left") and n != "mouthLeft"]
LEFT, RIGHT = (list(x) for x in zip(*_PAIRS, strict=True))


def plans(count: int, seed: int) -> list[tuple[Plan, TransitionSpec]]:
    """Transitions from one expression to another, without blends or holds that were asked for."""
    rng = np.random.default_rng(seed)
    out = []
    while len(out) < count:
        plan = sample_plan(rng)
        if len(plan.blends) == 2 and all(len(b) == 1 for b in plan.blends) and not (plan.via_neutral or plan.half or plan.holds):
            out.append((plan, realise_plan(plan, rng)))
    return out


def lopsided(clip: FaceSequence, keys: Sequence[int]) -> float:
    """(left - right) / (left + right) of the coefficients between two key frames; 0 where nothing is sided."""
    middle = clip.expr[keys[0]:keys[1] + 1].astype(np.float64)
    left, right = np.abs(middle[:, LEFT]).sum(), np.abs(middle[:, RIGHT]).sum()
    return float((left - right) / (left + right)) if left + right > 1e-6 else 0.0


def score(made: list[tuple[FaceSequence, tuple[int, ...]]], real: list[tuple[FaceSequence, tuple[int, ...]]]) -> dict[str, float]:
    dynamic = compare_dynamics([dynamics(c, *k) for c, k in made], [dynamics(c, *k) for c, k in real])
    sided = np.mean([abs(lopsided(*m) - lopsided(*r)) for m, r in zip(made, real, strict=True)])
    apex = np.mean([abs(m[1][0] - r[1][0]) / m[0].fps for m, r in zip(made, real, strict=True)])
    return {"velocity correlation": dynamic.correlation, "log jerk": dynamic.smoothness, "log jerk gap": dynamic.jerk_gap,
            "peak time gap": dynamic.peak_gap, "time asymmetry gap": dynamic.asymmetry_gap,
            "left/right gap": float(sided), "first apex gap, s": float(apex), "pairs": dynamic.count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=100, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", action="store_true", help="the language model as well")
    parser.add_argument("--weights", metavar="DIR")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    from facelm.agent.pipeline import weights_dir
    from facelm.tokenizer.codec import FaceTokenizer

    asked = plans(args.clips, args.seed)
    clips = [perform_transition(spec) for _, spec in asked]
    keyed = [(c, transition_keys(c, 2)) for c in clips]
    rows = {"performer": keyed}
    for curve in ("linear", "minjerk"):
        rows[f"performer's key poses, {curve}"] = [(retime(c, k, curve), k) for c, k in keyed]
    tokenizer = FaceTokenizer.from_pretrained(weights_dir(args.weights) / "tokenizer")
    decoded = [tokenizer.decode(tokenizer.encode(c, filtered=True)).slice(0, len(c)) for c in clips]
    rows["performer, decoded from tokens"] = [(c, transition_keys(c, 2)) for c in decoded]
    rows["the same, steadied"] = [(c, transition_keys(c, 2)) for c in map(steady, decoded)]
    if args.model:
        from facelm.agent.pipeline import FaceLM

        agent = FaceLM.from_pretrained(args.weights)
        rng = np.random.default_rng(args.seed)
        texts = [word_plan(plan, rng) for plan, _ in asked]
        sources = [c.slice(0, 1) if plan.sourced else None for c, (plan, _) in zip(clips, asked, strict=True)]
        for curve in ("learned", "linear", "minjerk"):
            done = agent.transition_many(texts, sources, [c.seconds for c in clips], curve=curve)
            rows[f"language model, {curve}"] = [(d.clip, (d.keys[0], d.keys[-1])) for d in done]
    table = {name: score(some, keyed) for name, some in rows.items()}
    if args.json:
        print(json.dumps(table))
        return
    columns = list(next(iter(table.values())))
    print("| | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
    for name, values in table.items():
        print(f"| {name} | " + " | ".join(f"{values[c]:.3f}" if c != "pairs" else str(values[c]) for c in columns) + " |")


if __name__ == "__main__":
    main()
