"""How exactly clips go from one head to another and back: ``python benchmarks/retarget.py --ict ICT.npz``.

Test-split performer clips go default -> target -> default. Printed, by region: the distance between the vertices of the
clip and of what came back (mm), the distance between where the clip's motion belongs on the target and where the
target's shapes take it (mm), the F1 of the measured actions one way and back, and frames a second.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from facelm.data_gen.corpus.splits import split_of
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.sampler import sample_script
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.measure import Measurement, measure
from facelm.face.head.model import HeadModel
from facelm.face.io.heads.ict import convert_ict
from facelm.face.retarget.retarget import RetargetConfig, Retargeting

REGIONS = ("lips", "lips_upper", "lips_lower", "lids", "brows", "cheeks", "nose", "jaw", "face")


def test_clips(count: int, seed: int) -> list[FaceSequence]:
    rng = np.random.default_rng(seed)
    clips: list[FaceSequence] = []
    while len(clips) < count:
        script = sample_script(rng)
        if split_of(script) == "test":
            clips.append(perform(script))
    return clips


def f1(truth: Sequence[Measurement], found: Sequence[Measurement]) -> tuple[float, float]:
    """(F1, recall) of the actions' names, with their number, clip by clip."""
    hits = wanted = given = 0
    for a, b in zip(truth, found, strict=True):
        one, two = (Counter(x.name for x in m.actions) for m in (a, b))
        hits += (one & two).total()
        wanted, given = wanted + one.total(), given + two.total()
    return 2 * hits / max(wanted + given, 1), hits / max(wanted, 1)


def still(clip: FaceSequence) -> FaceSequence:
    """Without head motion: the face alone is compared."""
    return clip.replace(rotation=np.zeros_like(clip.rotation), neck_pose=np.zeros_like(clip.neck_pose),
                        translation=np.zeros_like(clip.translation))


def round_trip(head: HeadModel, clips: Sequence[FaceSequence], back: Sequence[FaceSequence]) -> dict[str, np.ndarray]:
    """Region -> distances, mm, over all frames in which the clip's face is not at rest; ``"at rest"`` the others."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in REGIONS}
    for a, b in zip(clips, back, strict=True):
        moving = (np.abs(a.expr).max(1) > 0) | (np.abs(a.jaw_pose).max(1) > 0) | (np.abs(a.eyes_pose).max(1) > 0)
        gap = 1e3 * np.linalg.norm(head.sequence_vertices(still(a)) - head.sequence_vertices(still(b)), axis=-1)
        for name in REGIONS:
            found[name].append(gap[moving][:, head.masks[name]].ravel())
    return {name: np.concatenate(rows) for name, rows in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--ict", metavar="ICT.npz", help="an ICT-FaceKit file; converted first")
    where.add_argument("--head", metavar="HEAD.npz", help="any other target head")
    parser.add_argument("--clips", type=int, default=200, help="test-split clips")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trust", type=float, nargs="+", default=[RetargetConfig().trust])
    args = parser.parse_args()
    default = HeadModel.default()
    start = time.perf_counter()
    target = convert_ict(args.ict) if args.ict else HeadModel.load(args.head)
    print(f"target: {target.ref}, {target.n_vertices} vertices, read in {time.perf_counter() - start:.1f} s")
    clips = test_clips(args.clips, args.seed)
    truth = [measure(c, default) for c in clips]
    print(f"{len(clips)} clips of the test split, {sum(map(len, clips))} frames")
    for trust in args.trust:
        config = replace(RetargetConfig(), trust=trust)
        start = time.perf_counter()
        there = Retargeting.between(default, target, config)
        back = Retargeting.between(target, default, config)
        built = time.perf_counter() - start
        start = time.perf_counter()
        gone = list(there.apply_many(clips))
        rate = sum(map(len, clips)) / (time.perf_counter() - start)
        returned = list(back.apply_many(gone))
        print(f"\ntrust {trust:g}: calibrated both ways in {built:.1f} s, {rate:.0f} frames/s one way")
        errors = round_trip(default, clips, returned)
        parts = [there.report(c, g).regions for c, g in zip(clips[::10], gone[::10], strict=True)]
        print(f"  {'region':<11s} {'there and back, moving frames (mm)':<38s} one way, every tenth clip (mm)")
        for name, e in errors.items():
            one = [p[name] for p in parts if name in p]
            text = f"{np.mean([o.mean for o in one]):.2f}  p95 {np.mean([o.p95 for o in one]):.2f}" if one else ""
            print(f"  {name:<11s} mean {e.mean():.2f}  p95 {np.quantile(e, 0.95):.2f}  max {e.max():.2f}".ljust(52), text)
        for label, made, head in (("one way", gone, target), ("there and back", returned, default)):
            score, recall = f1(truth, [measure(c, head) for c in made])
            print(f"  actions {label}: F1 {score:.3f}, recall {recall:.3f}")
        turned = max(float(np.abs(c.neck_pose - g.neck_pose).max() + np.abs(c.eyes_pose - g.eyes_pose).max())
                     for c, g in zip(clips, gone, strict=True))
        print(f"  head and gaze angles: largest difference {np.degrees(turned):.4f} degrees")


if __name__ == "__main__":
    main()
