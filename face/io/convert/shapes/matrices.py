"""Pose matrices as files hold them: rows, sixteen numbers, or MediaPipe's web objects, in either order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

POSES = ("facial_transformation_matrixes", "facial_transformation_matrix", "facialTransformationMatrixes",
         "facialTransformationMatrix", "facial_transformation_matrices", "transformation_matrix", "transform", "pose", "matrix")


def poses_of(frames: list[Any] | Any, notes: list[str]) -> np.ndarray | None:
    """``(T, 4, 4)`` row-major matrices of frames (or of an array of them), cm; None when no frame has one.

    MediaPipe's web package gives ``{rows, columns, data}`` with the columns one after another, its Python package rows.
    Which one sixteen numbers or rows are is read off the place of the 0 0 0 1 that every such matrix has.

    Raises:
        ValueError: matrices of which that cannot be told.
    """
    found = [_one(f) for f in frames]
    if not any(f is not None for f in found):
        return None
    matrices = np.stack([np.full((4, 4), np.nan) if f is None else f for f in found])
    good = matrices[np.isfinite(matrices).all((1, 2))]
    if not len(good):
        return None
    last = np.array([0.0, 0.0, 0.0, 1.0])
    row = np.abs(good[:, 3] - last).max(initial=0.0) < 1e-4
    column = np.abs(good[:, :, 3] - last).max(initial=0.0) < 1e-4
    if row and column:  # pure rotations: the holder says it
        turned = any(isinstance(_holder(f), Mapping) or _flat(f) for f in frames)
        if turned:
            notes.append("the pose matrices hold no translation; sixteen numbers are read column by column, as MediaPipe's web "
                         "package writes them")
    elif not row and not column:
        raise ValueError("the pose matrices have 0 0 0 1 neither as last row nor as last column; needed: 4 x 4 rigid transforms")
    else:
        turned = column
        if turned:
            notes.append("the pose matrices are written column by column and are read so")
    return matrices.transpose(0, 2, 1) if turned else matrices


def _holder(value: Any) -> Any:
    """The matrix itself in lists of one face."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _flat(value: Any) -> bool:
    value = _holder(value)
    return isinstance(value, (list, np.ndarray)) and np.ndim(value) == 1


def _one(value: Any) -> np.ndarray | None:
    """One matrix (4, 4) as it lies; None for what is none."""
    value = _holder(value)
    if isinstance(value, Mapping):
        data = value.get("data", value.get("packedData", value.get("packed_data")))
        if isinstance(data, Mapping):  # a Float32Array that went through JSON
            data = list(data.values())
        value = data
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return None
    return array.reshape(4, 4) if array.size == 16 else None
