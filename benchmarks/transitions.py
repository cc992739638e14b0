"""Curves against the dynamics of the procedural animator's own transitions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..agent.motion.curves import retime
from ..agent.motion.transition import smooth
from ..data_gen.performer.transitions import (
    Plan,
    TransitionSpec,
    perform_transition,
    realise_plan,
    sample_plan,
    transition_keys,
)
from ..data_gen.text.transition_text import word_plan
from ..eval.transitions.quality import compare_dynamics, dynamics
from ..face.clip.channels import EXPR_NAMES
from ..face.clip.normalise import Normalised
from ..face.clip.sequence import FaceSequence
from .report import Row, Tables

_PAIRS = [(i, EXPR_NAMES.index(n[:-4] + "Right")) for i, n in enumerate(EXPR_NAMES) if n.endswith("Left") and n != "mouthLeft"]
LEFT, RIGHT = (list(x) for x in zip(*_PAIRS, strict=True))
Keyed = list[tuple[FaceSequence, tuple[int, ...]]]
"""Clips with the frames of their key poses."""


def _plans(count: int, seed: int) -> list[tuple[Plan, TransitionSpec]]:
    """Transitions from one expression to another, without blends or holds that were asked for."""
    rng = np.random.default_rng(seed)
    out = []
    while len(out) < count:
        plan = sample_plan(rng)
        if len(plan.blends) == 2 and all(len(b) == 1 for b in plan.blends) and not (plan.via_neutral or plan.half or plan.holds):
            out.append((plan, realise_plan(plan, rng)))
    return out


def _asymmetry(clip: FaceSequence, keys: Sequence[int]) -> float:
    """(left - right) / (left + right) of the coefficients between two key frames; 0 where nothing is sided."""
    middle = clip.expr[keys[0]:keys[1] + 1].astype(np.float64)
    left, right = np.abs(middle[:, LEFT]).sum(), np.abs(middle[:, RIGHT]).sum()
    return float((left - right) / (left + right)) if left + right > 1e-6 else 0.0


def _score(name: str, made: Keyed, real: Keyed) -> Row:
    dynamic = compare_dynamics([dynamics(c, *k) for c, k in made], [dynamics(c, *k) for c, k in real])
    sided = np.mean([abs(_asymmetry(*m) - _asymmetry(*r)) for m, r in zip(made, real, strict=True)])
    apex = np.mean([abs(m[1][0] - r[1][0]) / m[0].fps for m, r in zip(made, real, strict=True)])
    return {"": name, "velocity correlation": dynamic.correlation, "log jerk": dynamic.smoothness,
            "log jerk gap": dynamic.jerk_gap, "peak time gap": dynamic.peak_gap, "time asymmetry gap": dynamic.asymmetry_gap,
            "left/right gap": float(sided), "first apex gap, s": float(apex), "pairs": dynamic.count}


def transition_dynamics(clips: int = 100, seed: int = 0, model: bool = False, weights: Path | None = None) -> Tables:
    """Curves against the dynamics of performed transitions.

    Random transitions of two expressions are performed. ``linear`` and ``minjerk`` keep their key poses, onsets and ends
    and replace the way in between; ``decoded`` is the performance written in tokens and read back, the best that a language
    model on these tokens can do. Measured on the movement from the first expression to the second, with
    ``eval/transitions/quality.py``: correlation of the speed profiles, log dimensionless jerk, when the speed peaks, how
    uneven the halves are in time; and here the asymmetry of the face: the gap of (left - right) / (left + right) of the
    expression coefficients in the middle of the movement.

    Parameters
    ----------
    model
        The language model as well: the same instructions from the same source faces with the same durations, each curve.
    """
    from ..agent.pipeline import FaceLM, weights_dir
    from ..tokenizer.codec import FaceTokenizer

    asked = _plans(clips, seed)
    performed = [perform_transition(spec) for _, spec in asked]
    keyed: Keyed = [(c, transition_keys(c, 2)) for c in performed]
    found: dict[str, Keyed] = {"animator": keyed}
    for curve in ("linear", "minjerk"):
        found[f"animator's key poses, {curve}"] = [(retime(c, k, curve), k) for c, k in keyed]
    tokenizer = FaceTokenizer.from_pretrained(weights_dir(weights) / "tokenizer")
    decoded = [tokenizer.decode(tokenizer.encode(Normalised(c))).slice(0, len(c)) for c in performed]
    found["animator, decoded from tokens"] = [(c, transition_keys(c, 2)) for c in decoded]
    found["the same, smoothed"] = [(c, transition_keys(c, 2)) for c in map(smooth, decoded)]
    if model:
        agent, rng = FaceLM.from_pretrained(weights), np.random.default_rng(seed)
        texts = [word_plan(plan, rng) for plan, _ in asked]
        sources = [c.slice(0, 1) if plan.sourced else None for c, (plan, _) in zip(performed, asked, strict=True)]
        for curve in ("learned", "linear", "minjerk"):
            done = agent.transition_many(texts, sources, [c.seconds for c in performed], curve=curve)
            found[f"language model, {curve}"] = [(d.clip, (d.keys[0], d.keys[-1])) for d in done]
    return {"dynamics of transitions": [_score(name, some, keyed) for name, some in found.items()]}
