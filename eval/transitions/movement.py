"""The transitions themselves: the language model's, FET's and the performer's own, measured by ``quality``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ...data_gen.performer.transitions import Plan, perform_transition, realise_plan, transition_keys
from ...face.clip.sequence import FaceSequence
from ...face.head.model import HeadModel
from ..datasets.expressions import frame_pose
from .bench import Bench, Items
from .quality import (
    DynamicsScore,
    compare_dynamics,
    course,
    dynamics,
    facs_check,
    head_drift,
    identity_kept,
    monotonic,
    smoothness,
    timing_error,
)

SECONDS = 3.0
"""Asked of the language model, and FET's length: the paper's 75 frames."""


class Made(Protocol):
    """A transition: what ``lm.transition_many`` returns a list of."""

    @property
    def clip(self) -> FaceSequence: ...
    @property
    def keys(self) -> tuple[int, ...]: ...


class TransitionModel(Protocol):
    """The language model, as far as this evaluation knows it."""

    def transition_many(self, instructions: Sequence[str], sources: Sequence[FaceSequence | None] | None = ..., *,
                        seconds: float | None = ..., seed: int = ...) -> list[Any]: ...


Progress = Callable[[str, int, int], None]


def carry_out(lm: TransitionModel, instructions: Sequence[str], head: HeadModel, progress: Progress, what: str,
              sources: Sequence[FaceSequence | None] | None = None, seconds: float | None = None, seed: int = 0,
              chunk: int = 8) -> list[Made | None]:
    """The language model's transitions; None for an instruction that it refuses (ValueError).

    Raises:
        ValueError: a clip of another head than the data's, or without key frames.
    """
    out: list[Made | None] = []
    for k in range(0, len(instructions), chunk):
        part = list(instructions[k:k + chunk])
        given = None if sources is None else list(sources[k:k + chunk])
        try:
            out += lm.transition_many(part, given, seconds=seconds, seed=seed + k)
        except ValueError:  # one of them is refused: which?
            for i, text in enumerate(part):
                try:
                    out += lm.transition_many([text], None if given is None else [given[i]], seconds=seconds, seed=seed + k + i)
                except ValueError:
                    out.append(None)
        progress(what, len(out), len(instructions))
    for made in out:
        if made is not None:
            made.clip.require_head(head.ref, "the language model's transition")
            if not made.keys:
                raise ValueError("a transition of the language model has no key frames")
    return out


def endpoints(made: Sequence[Made | None], width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expression ``(T, 2, E)`` and pose ``(T, 2, 6)`` at the first and the last key frame, and ``(T,)`` which were refused."""
    expr, pose = np.zeros((len(made), 2, width), np.float32), np.zeros((len(made), 2, 6), np.float32)
    for i, m in enumerate(made):
        if m is not None:
            for j, key in enumerate((m.keys[0], m.keys[-1])):
                expr[i, j], pose[i, j] = frame_pose(m.clip, key)
    return expr, pose, np.array([m is None for m in made], bool)


def source_of(bench: Bench, row: int) -> FaceSequence:
    """One frame: the subject's neutral face (a face at rest where none is known) with its identity and head pose."""
    d = bench.data
    at = int(d.neutral[row])
    expr = d.neutral_expr[at] if at >= 0 else np.zeros_like(d.expr[row])
    pose = d.neutral_pose[at] if at >= 0 else np.concatenate([d.pose[row, :3], np.zeros(3, np.float32)])
    rest = FaceSequence.rest(1, bench.head.ref, n_expr=bench.head.n_expr, n_shape=bench.head.n_shape)
    # the head's turn goes where our clips keep it: the neck
    return rest.replace(expr=np.clip(expr, 0.0, 1.0)[None], neck_pose=pose[None, :3], jaw_pose=pose[None, 3:], shape=d.shape[row])


def judge(bench: Bench, clips: Sequence[tuple[FaceSequence, tuple[int, ...]] | None], items: Items,
          sources: Sequence[FaceSequence], seconds: float | None,
          wanted: Sequence[Sequence[tuple[float, float]]] | None = None) -> dict[str, float]:
    """Means of every measure of ``quality`` over transitions ``(clip, keys)``; refused ones (None) are left out.

    Args:
        seconds: length that was asked for; None where none was.
        wanted: times from and to which the expressions were due; None where none were.
    """
    names = bench.data.labels
    rows: list[dict[str, float]] = []
    kept = [i for i, c in enumerate(clips) if c is not None]
    ends: list[tuple[np.ndarray, np.ndarray]] = []
    for i in kept:
        pair = clips[i]
        assert pair is not None
        clip, keys = pair
        first, last = int(keys[0]), int(keys[-1])
        checks = facs_check(clip, (first, last), [names[k] for k in items.labels[i]], bench.head)
        a, b = frame_pose(clip, first), frame_pose(clip, last)
        ends.append((np.stack([a.expr, b.expr]), np.stack([a.pose, b.pose])))
        rows.append({
            "facs": float(np.mean([c.found for c in checks])), "foreign": float(np.mean([c.foreign for c in checks])),
            "monotonic": monotonic(clip, first, last), "smoothness": smoothness(clip, first, last),
            "identity": float(identity_kept(clip, sources[i])), "drift": head_drift(clip, sources[i]),
            "seconds": math.nan if seconds is None else abs(clip.seconds - seconds),
            "apex": math.nan if wanted is None else timing_error((first, last), clip.fps, wanted[i])})
    if not rows:
        return {}
    found = bench.classify(np.stack([e for e, _ in ends]), np.stack([p for _, p in ends]), items.rows[kept], "movement")
    out = {k: _mean([r[k] for r in rows]) for k in rows[0]}
    return out | {"emotion": float((found == items.labels[kept]).mean()), "count": float(len(rows))}


def _mean(values: Sequence[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return float(np.mean(known)) if known else math.nan


def measure_all(bench: Bench, items: Items, lm: TransitionModel | None, lm_name: str, progress: Progress) -> tuple[
        dict[str, dict[str, float]], dict[str, DynamicsScore]]:
    """The table on the movement, and the one on its course."""
    from ...face.clip.trajectory import anchor_frames, transition_clip

    head, names = bench.head, bench.data.labels
    sources = [source_of(bench, int(r)) for r in items.rows[:, 0]]
    quality: dict[str, dict[str, float]] = {}
    frames = round(SECONDS * sources[0].fps)
    at = anchor_frames(3, frames)[1:]
    due = [[(k / sources[0].fps, k / sources[0].fps) for k in at]] * len(items)
    expr, pose = bench.trained("full").generate(items.instructions, seed=0)
    paths = [(transition_clip(s.replace(rotation=s.neck_pose, neck_pose=s.rotation), e, p, frames), at)
             for s, e, p in zip(sources, expr, pose, strict=True)]
    quality["I2FET with FET (linear)"] = judge(bench, paths, items, sources, SECONDS, due)
    made: list[Made | None] = []
    if lm is not None:
        made = carry_out(lm, items.instructions, head, progress, f"{lm_name}: movement", sources, SECONDS)
        quality[lm_name] = judge(bench, [None if m is None else (m.clip, m.keys) for m in made], items, sources, SECONDS)
    rng = np.random.default_rng([bench.recipe.seed, 0xD7])
    specs = [realise_plan(Plan((((names[a], "medium"),), ((names[b], "medium"),))), rng) for a, b in items.labels]
    real = [perform_transition(s, head, shape=src.shape) for s, src in zip(specs, sources, strict=True)]
    keyed = [(c, transition_keys(c, 2)) for c in real]
    held = [[(a, a + stage.hold + s.tail) for a, stage in zip(s.apexes, s.stages, strict=True)] for s in specs]
    quality["performer"] = judge(bench, keyed, items, [c.slice(0, 1) for c in real], None, held)
    reference = [dynamics(c, k[0], k[-1]) for c, k in keyed]
    # the curves replace the course between the same expressions: of the language model's clips where there are any
    basis = [(m.clip, m.keys) if m is not None else None for m in made] if lm is not None else list(keyed)
    courses = {c: compare_dynamics([None if b is None else dynamics(course(b[0], b[1][0], b[1][-1], c), b[1][0], b[1][-1])
                                    for b in basis], reference) for c in ("linear", "minjerk")}
    if lm is not None:
        own = [None if b is None else dynamics(b[0], b[1][0], b[1][-1]) for b in basis]
        courses[f"learned ({lm_name})"] = compare_dynamics(own, reference)
    courses["performer, another performance"] = compare_dynamics(_again(bench, items, sources), reference)
    return quality, courses


def _again(bench: Bench, items: Items, sources: Sequence[FaceSequence]) -> list[Any]:
    """The same pairs performed once more: how much two real transitions differ."""
    rng = np.random.default_rng([bench.recipe.seed, 0xA6])
    names = bench.data.labels
    out = []
    for (a, b), source in zip(items.labels, sources, strict=True):
        clip = perform_transition(realise_plan(Plan((((names[a], "medium"),), ((names[b], "medium"),))), rng), bench.head,
                                  shape=source.shape)
        keys = transition_keys(clip, 2)
        out.append(dynamics(clip, keys[0], keys[-1]))
    return out
