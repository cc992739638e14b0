"""The transitions themselves: the language model's, FET's and the procedural animator's, measured by ``quality``."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...data_gen.performer.transitions import (
    Plan,
    TransitionSpec,
    perform_transition,
    realise_plan,
    transition_keys,
)
from ...face.clip.sequence import FaceSequence
from ..datasets.expressions import Pose, frame_pose
from .bench import Bench, Items
from .quality import (
    Dynamics,
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
Keyed = tuple[FaceSequence, tuple[int, ...]]
"""A clip and the frames at which its expressions are fully there."""
_CHUNK = 8


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


def carry_out(bench: Bench, lm: TransitionModel, instructions: Sequence[str], what: str,
              sources: Sequence[FaceSequence] | None = None, seconds: float | None = None, seed: int = 0) -> list[Made | None]:
    """The language model's transitions; None for an instruction that it refuses (ValueError).

    Raises:
        ValueError: a clip of another head than the data's, or without key frames.
    """
    out: list[Made | None] = []
    for k in range(0, len(instructions), _CHUNK):
        part, given = instructions[k:k + _CHUNK], None if sources is None else sources[k:k + _CHUNK]
        try:
            out += lm.transition_many(part, given, seconds=seconds, seed=seed + k)
        except ValueError:  # one of them is refused: which?
            for i, text in enumerate(part):
                try:
                    out += lm.transition_many([text], None if given is None else [given[i]], seconds=seconds, seed=seed + k + i)
                except ValueError:
                    out.append(None)
        bench.progress(len(out), len(instructions), what)
    for made in out:
        if made is not None:
            made.clip.require_head(bench.head.ref, "the language model's transition")
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


def measured(bench: Bench, clips: Sequence[Keyed | None], items: Items,
          sources: Sequence[FaceSequence], seconds: float | None,
          wanted: Sequence[Sequence[tuple[float, float]]] | None = None) -> dict[str, float]:
    """Means of every measure of ``quality`` over transitions ``(clip, keys)``; refused ones (None) are left out.

    Args:
        seconds: length that was asked for; None where none was.
        wanted: times from and to which the expressions were due; None where none were.
    """
    names = bench.data.labels
    rows: list[dict[str, float]] = []
    ends: list[tuple[Pose, Pose]] = []
    kept = [i for i, c in enumerate(clips) if c is not None]
    for i in kept:
        clip, keys = clips[i]  # type: ignore[misc]
        first, last = int(keys[0]), int(keys[-1])
        checks = facs_check(clip, (first, last), [names[k] for k in items.labels[i]], bench.head)
        ends.append((frame_pose(clip, first), frame_pose(clip, last)))
        rows.append({
            "facs": float(np.mean([c.found for c in checks])), "foreign": float(np.mean([c.foreign for c in checks])),
            "monotonic": monotonic(clip, first, last), "smoothness": smoothness(clip, first, last),
            "identity": float(identity_kept(clip, sources[i])), "drift": head_drift(clip, sources[i]),
            "seconds": math.nan if seconds is None else abs(clip.seconds - seconds),
            "apex": math.nan if wanted is None else timing_error((first, last), clip.fps, wanted[i])})
    if not rows:
        return {}
    expr, pose = (np.array([[getattr(p, name) for p in pair] for pair in ends]) for name in ("expr", "pose"))
    found = bench.classify(expr, pose, items.rows[kept], "movement")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing known is NaN
        means = {k: float(np.nanmean([r[k] for r in rows])) for k in rows[0]}
    return means | {"emotion": float((found == items.labels[kept]).mean()), "count": float(len(rows))}


def measure_all(bench: Bench, items: Items, lm: TransitionModel | None,
                lm_name: str) -> tuple[dict[str, dict[str, float]], dict[str, DynamicsScore]]:
    """The table on the movement, and the one on its course."""
    from ...face.clip.trajectory import anchor_frames, transition_clip

    sources = [source_of(bench, int(r)) for r in items.rows[:, 0]]
    quality: dict[str, dict[str, float]] = {}
    frames = round(SECONDS * sources[0].fps)
    at = anchor_frames(3, frames)[1:]
    due = [[(k / sources[0].fps, k / sources[0].fps) for k in at]] * len(items)
    expr, pose = bench.trained("full").generate(items.instructions, seed=0)
    paths = [(transition_clip(s.replace(rotation=s.neck_pose, neck_pose=s.rotation), e, p, frames), at)
             for s, e, p in zip(sources, expr, pose, strict=True)]
    quality["I2FET with FET (linear)"] = measured(bench, paths, items, sources, SECONDS, due)
    made: list[Made | None] = []
    if lm is not None:
        made = carry_out(bench, lm, items.instructions, f"{lm_name}: movement", sources, SECONDS)
        quality[lm_name] = measured(bench, [None if m is None else (m.clip, m.keys) for m in made], items, sources, SECONDS)
    real = _animated(bench, items, sources, 0xD7)
    keyed = [(r.clip, r.keys) for r in real]
    held = [[(a, a + stage.hold + r.spec.tail) for a, stage in zip(r.spec.apexes, r.spec.stages, strict=True)] for r in real]
    quality["procedural animator"] = measured(bench, keyed, items, [c.slice(0, 1) for c, _ in keyed], None, held)
    reference = _courses(keyed)
    # the curves replace the course between the same expressions: of the language model's clips where there are any
    basis = [None if m is None else (m.clip, m.keys) for m in made] if lm is not None else keyed
    courses = {curve: compare_dynamics(_courses([None if b is None else (course(b[0], b[1][0], b[1][-1], curve), b[1])
                                                 for b in basis]), reference) for curve in ("linear", "minjerk")}
    if lm is not None:
        courses[f"learned ({lm_name})"] = compare_dynamics(_courses(basis), reference)
    again = [(r.clip, r.keys) for r in _animated(bench, items, sources, 0xA6)]
    courses["procedural animator, second clip"] = compare_dynamics(_courses(again), reference)
    return quality, courses


def _courses(clips: Sequence[Keyed | None]) -> list[Dynamics | None]:
    return [None if c is None else dynamics(c[0], c[1][0], c[1][-1]) for c in clips]


@dataclass(frozen=True)
class _Animated:
    """A transition of the procedural animator."""

    spec: TransitionSpec
    clip: FaceSequence
    keys: tuple[int, ...]


def _animated(bench: Bench, items: Items, sources: Sequence[FaceSequence], salt: int) -> list[_Animated]:
    """The items' pairs of expressions on the sources' identities; another salt gives other timing and strength."""
    rng, names, out = np.random.default_rng([bench.recipe.seed, salt]), bench.data.labels, []
    for (a, b), source in zip(items.labels, sources, strict=True):
        spec = realise_plan(Plan((((names[a], "medium"),), ((names[b], "medium"),))), rng)
        clip = perform_transition(spec, bench.head, shape=source.shape)
        out.append(_Animated(spec, clip, transition_keys(clip, 2)))
    return out
