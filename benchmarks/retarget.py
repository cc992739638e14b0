"""How exactly clips go from one head to another and back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..data_gen.corpus.splits import split_of
from ..data_gen.performer.animator import perform
from ..data_gen.performer.sampler import sample_script
from ..face.clip.sequence import FaceSequence
from ..face.facs.measure import measure
from ..face.facs.measured import Measurement
from ..face.head.model import HeadModel
from ..face.io.heads.ict import convert_ict
from ..face.retarget.retarget import RetargetConfig, Retargeting
from .report import Counts, Row, Tables

REGIONS = ("lips", "lips_upper", "lips_lower", "lids", "brows", "cheeks", "nose", "jaw", "face")


def _test_clips(count: int, seed: int) -> list[FaceSequence]:
    rng = np.random.default_rng(seed)
    clips: list[FaceSequence] = []
    while len(clips) < count:
        script = sample_script(rng)
        if split_of(script) == "test":
            clips.append(perform(script))
    return clips


def _actions(truth: Sequence[Measurement], found: Sequence[Measurement]) -> Counts:
    """The actions' names, with their number, clip by clip."""
    total = Counts()
    for a, b in zip(truth, found, strict=True):
        one, two = (Counter(x.name for x in m.actions) for m in (a, b))
        total += Counts((one & two).total(), (two - one).total(), (one - two).total())
    return total


def _still(clip: FaceSequence) -> FaceSequence:
    """Without head motion: the face alone is compared."""
    return clip.replace(rotation=np.zeros_like(clip.rotation), neck_pose=np.zeros_like(clip.neck_pose),
                        translation=np.zeros_like(clip.translation))


def _round_trip(head: HeadModel, clips: Sequence[FaceSequence], back: Sequence[FaceSequence]) -> dict[str, np.ndarray]:
    """Region -> distances, mm, over all frames in which the clip's face is not at rest."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in REGIONS}
    for a, b in zip(clips, back, strict=True):
        moving = (np.abs(a.expr).max(1) > 0) | (np.abs(a.jaw_pose).max(1) > 0) | (np.abs(a.eyes_pose).max(1) > 0)
        gap = 1e3 * np.linalg.norm(head.sequence_vertices(_still(a)) - head.sequence_vertices(_still(b)), axis=-1)
        for name in REGIONS:
            found[name].append(gap[moving][:, head.masks[name]].ravel())
    return {name: np.concatenate(rows) for name, rows in found.items()}


def retarget(ict: Path | None = None, head: Path | None = None, clips: int = 200, seed: int = 0,
             trust: tuple[float, ...] = (RetargetConfig().trust,)) -> Tables:
    """Test-split clips go default -> target -> default.

    By region: the distance between the vertices of the clip and of what came back (mm), the distance between where the
    clip's motion belongs on the target and where the target's shapes take it (mm, every tenth clip); the F1 of the measured
    actions one way and back; frames a second.

    Parameters
    ----------
    ict
        An ICT-FaceKit file as the target head; it is converted first.
    head
        Any other target head.
    clips
        Test-split clips.
    """
    if (ict is None) == (head is None):
        raise ValueError("name one target head: --ict ICT.npz or --head HEAD.npz")
    default = HeadModel.default()
    target = convert_ict(ict) if ict else HeadModel.load(str(head))
    some = _test_clips(clips, seed)
    frames, truth = sum(map(len, some)), [measure(c, default) for c in some]
    regions: list[Row] = []
    actions: list[Row] = []
    for value in trust:
        config = replace(RetargetConfig(), trust=value)
        start = time.perf_counter()
        there, again = (Retargeting.between(a, b, config) for a, b in ((default, target), (target, default)))
        built = time.perf_counter()
        gone = [there.apply(c) for c in some]
        spent = time.perf_counter() - built
        returned = [again.apply(c) for c in gone]
        parts = [there.report(c, g).regions for c, g in zip(some[::10], gone[::10], strict=True)]
        for name, e in _round_trip(default, some, returned).items():
            one = [p[name] for p in parts if name in p]
            regions.append({"trust": value, "region": name, "back: mean": e.mean(), "back: p95": np.quantile(e, 0.95),
                            "back: max": e.max(), "one way: mean": np.mean([o.mean for o in one]) if one else None,
                            "one way: p95": np.mean([o.p95 for o in one]) if one else None})
        turned = max(float(np.abs(c.neck_pose - g.neck_pose).max() + np.abs(c.eyes_pose - g.eyes_pose).max())
                     for c, g in zip(some, gone, strict=True))
        for label, made, on in (("one way", gone, target), ("there and back", returned, default)):
            score = _actions(truth, [measure(c, on) for c in made])
            actions.append({"trust": value, "actions": label, "F1": score.f1, "recall": score.recall,
                            "largest angle gap, degrees": np.degrees(turned), "built in, s": built - start,
                            "frames/s one way": frames / spent})
    return {f"{target.ref}, {target.n_vertices} vertices, {len(some)} clips, {frames} frames: distances, mm": regions,
            "actions and speed": actions}
