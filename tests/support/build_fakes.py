"""Small fakes of the two slow stages of a build: a film without pictures, and a fit that reads the truth."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
from facelm.common.store import Store
from facelm.data_gen.corpus import build as building
from facelm.data_gen.corpus import stages
from facelm.data_gen.corpus.recipe import Recipe
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.video.footage import truth_path
from facelm.face.clip.sequence import FaceSequence
from facelm.face.render.camera import PinholeCamera
from scipy.spatial.transform import Rotation

CAMERA = PinholeCamera(300.0, 64, 64)


def film(script: Any, out: Path, config: Any, seed: int) -> SimpleNamespace:
    """A performance turned against the camera, and a file in place of its pictures."""
    clip = perform(script, fps=config.fps)
    rng = np.random.default_rng(seed)
    pan = Rotation.from_euler("yxz", rng.uniform(-15, 15, 3), degrees=True)
    turned = (pan * Rotation.from_rotvec(clip.neck_pose.astype(np.float64))).as_rotvec()
    truth = clip.replace(rotation=turned.astype(np.float32), neck_pose=np.zeros_like(clip.neck_pose),
                         translation=np.full_like(clip.translation, -0.6))
    Path(out).write_bytes(rng.bytes(2000))
    truth.save(truth_path(out))
    return SimpleNamespace(attributes={"framing": "close", "yaw": round(float(rng.uniform()), 3)}, camera=CAMERA)


def fit_media(path: Path, *, config: Any, gate: Any, model: Any) -> SimpleNamespace:
    """The truth with a little noise; clip number 5 has no face in it, number 7 lost it half-way."""
    name = Path(path).parent.name
    if not Path(path).is_file():
        raise FileNotFoundError(f"no such file: {path}")
    if name.endswith("5"):
        raise ValueError(f"{path}: no face was found in any of its frames")
    truth = FaceSequence.load(truth_path(path))
    rng = np.random.default_rng(len(truth))
    valid = np.ones(len(truth), bool)
    if name.endswith("7"):
        valid[len(truth) // 3:] = False
    seq = truth.replace(expr=truth.expr + rng.normal(0, 0.005, truth.expr.shape).astype(np.float32), valid=valid)
    quality = {"ok": True, "reasons": [], "reprojection": 1.0, "confidence": 0.9}
    head = {"name": seq.head.name, "edition": seq.head.edition, "sha256": seq.head.sha256}
    report = {"camera": {"focal": 300.0, "width": 64, "height": 64}, "quality": quality, "notes": [], "head": head}
    return SimpleNamespace(seq=seq, report=lambda: report)


def clip(store: Store, recipe: Recipe, retry: bool, item: stages.Item) -> stages.Done:
    """In place of ``build._clip``, in this process or another."""
    with patch.object(stages, "film", film), patch.object(stages, "fit_media", fit_media):
        return stages.run_clip(store, recipe, item, retry=retry)


def build(recipe: Recipe, out: Path, **options: Any) -> building.BuildReport:
    """A build with the fakes."""
    with patch.object(building, "_clip", clip), patch.object(building, "_check_machine", lambda recipe: None):
        return building.build_corpus(recipe, out, progress=False, **{"workers": 0, **options})


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the logs and the lock."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*"))
            if p.is_file() and "logs" not in p.parts and p.name != ".lock"}


if __name__ == "__main__":  # python build_fakes.py RECIPE.json OUT TRUTH KILL_AT: kills itself at the n-th rename
    from facelm.common.config import parse

    recipe_ = parse(Recipe, json.loads(Path(sys.argv[1]).read_text()))
    count, last = 0, int(sys.argv[4])
    replace = os.replace

    def counted(source: Any, target: Any) -> None:
        """Every write ends in a rename: die before or after one of them."""
        global count
        count += 1
        if count == last and last % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = counted  # type: ignore[assignment]
    build(recipe_, Path(sys.argv[2]), truth_out=Path(sys.argv[3]))
    print(count)
