"""Source faces of transitions, and where the released tokenizer is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from facelm.face.clip.channels import EXPR_NAMES
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.poses import POSE_CHANNELS
from facelm.face.head.model import HeadModel

WEIGHTS = Path(__file__).resolve().parents[2] / "weights/tokenizer"
needs_tokenizer = pytest.mark.skipif(not (WEIGHTS / "config.json").is_file(), reason="needs the released tokenizer")


def still(frames: int = 10, fps: float = 25.0, seed: int = 0, **channels: float) -> FaceSequence:
    """A person who holds channel values (ARKit names, angles in radians), with a head and a gaze of their own."""
    head = HeadModel.default()
    rng = np.random.default_rng(seed)
    clip = FaceSequence.rest(frames, head.ref, n_expr=head.n_expr, n_shape=head.n_shape, fps=fps)
    expr, jaw = clip.expr.copy(), clip.jaw_pose.copy()
    for name, value in channels.items():
        if name in POSE_CHANNELS:
            assert name.startswith("jaw")
            jaw[:, "xyz".index(name[-1])] = value
        else:
            expr[:, EXPR_NAMES.index(name)] = value
    field = {n: np.repeat(rng.normal(0, 0.15, (1, getattr(clip, n).shape[1])), frames, axis=0).astype(np.float32)
             for n in ("rotation", "neck_pose", "eyes_pose", "translation")}
    field["translation"] = np.abs(field["translation"])  # well behind z = -0.1 it would be in a camera's frame
    return clip.replace(expr=expr, jaw_pose=jaw, shape=rng.normal(0, 1, head.n_shape).astype(np.float32), **field)
