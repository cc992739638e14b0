"""FaceSequence <-> the tokenizer's feature matrix.

Features are the 41 expression columns, then jaw, head and gaze angles, ordered stream by
stream and scaled so that 1 is a full action (expression coefficient 1, or the angle in
``ANGLE_SCALE``). The head's orientation is global and neck rotation together; a decoded
clip carries it in ``neck_pose``. The eyes move together: gaze is their mean direction.
Identity and translation are not motion that words ask for and are not tokenized.
"""

from __future__ import annotations

from itertools import accumulate
from math import radians

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..face.clip.channels import EXPR_INDEX, EXPR_NAMES, MOUTH_PARTS, STREAMS
from ..face.clip.sequence import FaceSequence, HeadRef

ANGLE_SCALE: dict[str, float] = {
    "jaw_x": radians(15), "jaw_y": radians(8), "jaw_z": radians(8),
    "head_x": radians(20), "head_y": radians(25), "head_z": radians(18),
    "gaze_pitch": radians(20), "gaze_yaw": radians(25),
}

FEATURE_NAMES: tuple[str, ...] = tuple(n for s in STREAMS for n in (*s.expr, *s.pose))
_ENDS = list(accumulate(s.width for s in STREAMS))
STREAM_SLICES: dict[str, slice] = {s.name: slice(end - s.width, end) for s, end in zip(STREAMS, _ENDS, strict=True)}
N_FEATURES = len(FEATURE_NAMES)
STREAM_COLUMNS: dict[str, tuple[int, ...]] = {
    **{name: tuple(range(at.start, at.stop)) for name, at in STREAM_SLICES.items()},
    **{name: tuple(FEATURE_NAMES.index(n) for n in channels) for name, channels in MOUTH_PARTS.items()}}
"""Columns of each stream, and of the parts of the mouth."""

_EXPR_AT = np.array([i for i, n in enumerate(FEATURE_NAMES) if n in EXPR_INDEX])
_EXPR_COLUMN = np.array([EXPR_INDEX[n] for n in FEATURE_NAMES if n in EXPR_INDEX])
_AT = {n: FEATURE_NAMES.index(n) for n in ANGLE_SCALE}
_ANGLE_AT = np.array(list(_AT.values()))
_ANGLE_SCALE = np.array(list(ANGLE_SCALE.values()), np.float32)


def to_features(seq: FaceSequence) -> NDArray[np.float32]:
    """``(T, N_FEATURES)`` features of a clip on an ARKit-named head.

    Raises:
        ValueError: the clip's head has other expression columns.
    """
    if seq.expr.shape[1] != len(EXPR_NAMES):
        raise ValueError(
            f"the tokenizer reads the default head's {len(EXPR_NAMES)} ARKit columns; this clip is of {seq.head} with "
            f"{seq.expr.shape[1]}; bring it to the default head first: "
            "facelm retarget CLIP.npz --from HEAD.npz --to default -o OUT.npz")
    out = np.zeros((len(seq), N_FEATURES), np.float32)
    out[:, _EXPR_AT] = seq.expr[:, _EXPR_COLUMN]
    if np.any(seq.rotation):
        head = (Rotation.from_rotvec(seq.rotation) * Rotation.from_rotvec(seq.neck_pose)).as_rotvec()
    else:
        head = seq.neck_pose
    gaze = (seq.eyes_pose[:, :3] + seq.eyes_pose[:, 3:]) / 2
    angles = np.concatenate([seq.jaw_pose, head, gaze[:, :2]], axis=1)
    out[:, _ANGLE_AT] = angles / _ANGLE_SCALE
    return out


def to_sequence(features: NDArray[np.float32], head: HeadRef, shape: NDArray[np.float32], fps: float) -> FaceSequence:
    """The clip that a feature matrix describes; the inverse of :func:`to_features` on generated clips."""
    frames = len(features)
    clip = FaceSequence.rest(frames, head, fps=fps)
    expr = np.zeros((frames, len(EXPR_NAMES)), np.float32)
    expr[:, _EXPR_COLUMN] = np.clip(features[:, _EXPR_AT], -0.2, 1.2)
    angles = features[:, _ANGLE_AT] * _ANGLE_SCALE
    gaze = np.concatenate([angles[:, 6:8], np.zeros((frames, 1), np.float32)], axis=1)
    return clip.replace(expr=expr, jaw_pose=angles[:, :3], neck_pose=angles[:, 3:6],
                        eyes_pose=np.concatenate([gaze, gaze], axis=1), shape=np.asarray(shape, np.float32))
