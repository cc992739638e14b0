"""Does photometric refinement bring a landmark fit nearer to the truth?  Films performers, fits, refines, compares.

    python benchmarks/photometric.py --clips 6

Prints a table: lips and lids (mean distance of their vertices, mm, after rigid alignment of the upper face), the same
of the motion alone (identity taken from the truth), expression (mean absolute difference of the 41 coefficients) and
jaw (degrees), for the fit and the refined fit.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from facelm.data_gen.fit.fit import fit_media
from facelm.data_gen.fit.photometric import PhotometricConfig, refine
from facelm.data_gen.performer.sampler import sample_script
from facelm.data_gen.video.footage import FootageConfig, prepare
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.face.head.probe import rigid
from facelm.face.io.video import write_mp4
from tqdm import tqdm


def errors(head: HeadModel, fitted: FaceSequence, truth: FaceSequence) -> dict[str, float]:
    """Mean errors of a clip."""
    stiff = np.concatenate([head.masks["forehead"], head.masks["nose"]])
    out: dict[str, list[float]] = {"lips_mm": [], "lids_mm": [], "lips_motion_mm": [], "lids_motion_mm": []}
    for suffix, shape in (("", fitted.shape), ("_motion", truth.shape)):
        a = head.sequence_vertices(fitted.replace(shape=shape))
        b = head.sequence_vertices(truth)
        for p, q in zip(a, b, strict=True):
            turn, move = rigid(q[None, stiff], p[stiff])
            p = p @ turn[0].T + move[0]
            for name in ("lips", "lids"):
                distance = np.linalg.norm(p[head.masks[name]] - q[head.masks[name]], axis=1)
                out[f"{name}{suffix}_mm"].append(float(distance.mean() * 1e3))
    rows = {k: float(np.mean(v)) for k, v in out.items()}
    rows["expression"] = float(np.abs(fitted.expr - truth.expr).mean())
    rows["jaw_degrees"] = float(np.degrees(np.abs(fitted.jaw_pose[:, 0] - truth.jaw_pose[:, 0]).mean()))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--size", type=int, default=512, help="side of the videos, px")
    parser.add_argument("--frames", type=int, default=50, help="frames of each clip that are used")
    parser.add_argument("--rounds", type=int, default=PhotometricConfig.rounds)
    parser.add_argument("--steps", type=int, default=PhotometricConfig.steps)
    parser.add_argument("--pixels", type=float, nargs="+", default=[PhotometricConfig.pixels], help="weights to try")
    parser.add_argument("--fps", type=float, default=12.5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    head = HeadModel.default()
    kinds = {f"refined, pixels {p:g}": PhotometricConfig(rounds=args.rounds, steps=args.steps, pixels=p) for p in args.pixels}
    rows: list[dict[str, dict[str, float]]] = []
    spent = 0.0
    frames = 0
    for k in tqdm(range(args.clips), desc="clips"):
        seed = args.seed + k
        take = prepare(sample_script(np.random.default_rng([seed, 77])), FootageConfig(size=args.size, fps=args.fps), seed, head)
        pictures = [p for _, p in zip(range(args.frames), take.frames(), strict=False)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            write_mp4(iter(pictures), path, (args.size, args.size), take.truth.fps, len(pictures))
            fit = fit_media(path, head)
        n = min(len(pictures), len(fit.seq))
        truth, seq = take.truth.slice(0, n), fit.seq.slice(0, n)
        row = {"fit": errors(head, seq, truth)}
        for name, config in kinds.items():
            start = time.perf_counter()
            refined = refine(seq, fit.camera, pictures[:n], head, config)
            spent += time.perf_counter() - start
            frames += n
            row[name] = errors(head, refined.seq, truth) | {"colour": float(np.nanmean(refined.after - refined.before))}
        rows.append(row)
        print(json.dumps(row), flush=True)
    for kind in kinds:
        print(f"{kind}, {len(rows)} clips")
        for name in rows[0]["fit"]:
            before, after = (np.array([r[k][name] for r in rows]) for k in ("fit", kind))
            print(f"  {name:16s} fit {before.mean():7.3f}  refined {after.mean():7.3f}  "
                  f"better in {(after < before).sum()}/{len(rows)}")
    print(f"{1e3 * spent / max(frames, 1):.0f} ms a frame")


if __name__ == "__main__":
    main()
