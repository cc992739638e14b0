"""ARKit's 52 blend shapes, from MediaPipe or elsewhere, as clips of a head with ARKit columns.

Names: https://developer.apple.com/documentation/arkit/arfaceanchor/blendshapelocation.  MediaPipe's Face Landmarker
gives 51 of them behind a ``_neutral`` score (https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker).
Eleven shapes are joints here: ``head.meta["arkit_angles"]`` says by how much.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ...clip.channels import ARKIT_52, JOINT_SHAPES
from ...clip.sequence import FaceSequence
from ...head.model import HeadModel
from .base import Channels, rows, stated_fps
from .files import Table

LEAST_NAMES = 10
"""So many ARKit names make a file one of blend shapes."""
MEDIAPIPE_52: tuple[str, ...] = ("_neutral", *(n for n in ARKIT_52 if n != "tongueOut"))
"""MediaPipe's order."""
_MATRIX_NAMES = ("names", "blendshape_names", "blendshapeNames", "facsNames", "columns")
_MATRIX_VALUES = ("blendshapes", "values", "weights", "weightMat", "scores", "data")
_FRAME_KEYS = ("blendshapes", "faceBlendshapes", "face_blendshapes", "blendShapes", "categories")
_POSES = ("facial_transformation_matrixes", "facial_transformation_matrix", "facialTransformationMatrixes",
          "transformation_matrix", "transform", "pose")
_TIMES = {"timestamp_ms": 1e-3, "time_ms": 1e-3, "time": 1.0, "seconds": 1.0, "timestamp": 1.0}
"""Columns of a table that hold times, and their unit, s."""
_MEDIAPIPE_EYES = np.array([0.0, 0.0262, 0.0347])
"""m: middle of the four eye corners in MediaPipe's canonical face (canonical_face_model.obj of its repository)."""


@dataclass(frozen=True)
class Shapes:
    """Named columns of scores."""

    names: Sequence[str]
    values: np.ndarray
    """(T, N)"""
    poses: np.ndarray | None = None
    """(T, 4, 4) MediaPipe's facial transformation matrices, cm."""
    notes: tuple[str, ...] = ()


def _plain(name: str) -> str:
    """Letters only, lower case, with L/R written out: ``EyeBlink_L``, ``eyeBlinkLeft`` and ``eye_blink_left`` are one."""
    name = re.sub(r"[_\-. ](l|L)$", "Left", name)
    name = re.sub(r"[_\-. ](r|R)$", "Right", name)
    return re.sub(r"[^a-z]", "", name.lower())


_BY_PLAIN = {_plain(n): n for n in ARKIT_52}


def arkit_name(name: str) -> str | None:
    """ARKit's spelling of a column name, or None."""
    return _BY_PLAIN.get(_plain(name))


def known_names(names: Sequence[str]) -> int:
    """How many ARKit shapes are among the names."""
    return len({arkit_name(n) for n in names} - {None})


def scores_of(names: Sequence[str], values: np.ndarray) -> dict[str, np.ndarray]:
    """Shape -> (T,) of named columns."""
    out: dict[str, np.ndarray] = {}
    for name, column in zip(names, values.T, strict=True):
        if (key := arkit_name(name)) in out:
            raise ValueError(f"two columns are {key} (the second is {name!r})")
        if key is not None:
            out[key] = column
    return out


def perform(scores: Mapping[str, np.ndarray], head: HeadModel) -> dict[str, np.ndarray]:
    """Expression columns (T, E), jaw (T, 3) and eyes (T, 6) of shapes ``(T,)``; shapes of the jaw and the eyes turn joints."""
    angles = head.meta.get("arkit_angles")
    if known_names(head.expr_names) < LEAST_NAMES or not isinstance(angles, dict):
        raise ValueError(f"ARKit blend shapes drive a head with ARKit columns; the head {head.ref} has none: leave --head away "
                         "for the default head, or convert first and `facelm retarget` then")
    frames = len(next(iter(scores.values())))
    expr, jaw, eyes = np.zeros((frames, head.n_expr)), np.zeros((frames, 3)), np.zeros((frames, 6))
    for name, value in scores.items():
        if name in head.expr_names:
            expr[:, head.expr_names.index(name)] += value
        elif name in JOINT_SHAPES and name in angles:
            turn = float(angles[name]) * value
            if name.startswith("jaw"):
                jaw[:, 0 if name == "jawOpen" else 1] += turn
            else:
                axis = 0 if "Up" in name or "Down" in name else 1
                eyes[:, axis + (0 if name.endswith("Left") else 3)] += turn
    # A jaw that goes sideways slides forward by as much of jawForward as the head's own shapes say.
    share = float(head.meta.get("jaw_side_forward", 0.0))
    if share and "jawForward" in head.expr_names:
        for side in ("jawLeft", "jawRight"):
            if side in scores:
                expr[:, head.expr_names.index("jawForward")] += share * scores[side]
    return {"expr": expr, "jaw_pose": jaw, "eyes_pose": eyes}


def weights(seq: FaceSequence, head: HeadModel, limit: bool = True) -> np.ndarray:
    """The 52 shapes of a clip, ``(T, 52)`` in ARKit's alphabetical order; the inverse of :func:`perform`.

    Args:
        seq: the clip.
        head: its head.
        limit: cut to 0 to 1; otherwise shapes may be negative, and above 1, as the clip has them.

    Raises:
        ValueError: the head has no ARKit columns, or the clip is of another head.
    """
    seq.require_head(head.ref)
    angles = head.meta.get("arkit_angles")
    if known_names(head.expr_names) < LEAST_NAMES or not isinstance(angles, dict):
        raise ValueError(f"the head {head.ref} has no ARKit columns; `facelm retarget` takes clips of it to the default head")
    out = np.zeros((len(seq), len(ARKIT_52)), np.float64)
    at = {n: k for k, n in enumerate(ARKIT_52)}
    for k, name in enumerate(head.expr_names):
        if name in at:
            out[:, at[name]] = seq.expr[:, k]
    for name in JOINT_SHAPES & angles.keys():
        if name.startswith("jaw"):
            turn = seq.jaw_pose[:, 0 if name == "jawOpen" else 1]
        else:
            axis = 0 if "Up" in name or "Down" in name else 1
            turn = seq.eyes_pose[:, axis + (0 if name.endswith("Left") else 3)]
        # without a shape that does the opposite, a turn the other way is a negative weight
        out[:, at[name]] = turn / float(angles[name]) if name == "jawOpen" else np.maximum(turn / float(angles[name]), 0.0)
    share = float(head.meta.get("jaw_side_forward", 0.0))
    out[:, at["jawForward"]] -= share * (out[:, at["jawLeft"]] + out[:, at["jawRight"]])
    return np.clip(out, 0.0, 1.0) if limit else out


def head_pose(matrices: np.ndarray, head: HeadModel) -> dict[str, np.ndarray]:
    """Rotation (T, 3) and translation (T, 3) m of MediaPipe's facial transformation matrices (T, 4, 4), in cm.

    They place MediaPipe's canonical face before a camera at the origin that looks along -z, y up; the clip places the
    head so that the middle of its eye corners lies where that face's does.
    """
    good = np.isfinite(matrices).all((1, 2))
    rotation, translation = np.full((len(matrices), 3), np.nan), np.full((len(matrices), 3), np.nan)
    turn = matrices[good, :3, :3]
    det = np.linalg.det(turn)
    if (det < 1e-9).any():
        raise ValueError("a pose matrix is no rotation (its determinant is not positive)")
    if good.any():
        spin = Rotation.from_matrix(turn / np.cbrt(det)[:, None, None])
        root = head.joints()[0].astype(np.float64)
        corners = [f"ibug_{k}" for k in (36, 39, 42, 45)]
        own = (head.landmarks(head.v_template[None])[0][[head.landmark_index(c) for c in corners]].mean(0)
               if set(corners) <= set(head.lmk_names) else head.joints()[3:].mean(0))
        rotation[good] = spin.as_rotvec()
        translation[good] = 0.01 * matrices[good, :3, 3] - spin.apply(own - _MEDIAPIPE_EYES) + spin.apply(root) - root
    return {"rotation": rotation, "translation": translation}


# -- the forms it comes in ------------------------------------------------------------------
def shapes_of(content: Any) -> Shapes | None:
    """The blend shapes in a file's content; None when it holds none.

    Known: a list of frames (each a dict of scores, or MediaPipe's list of categories), the same under ``frames``; a dict of
    names and columns; a matrix with its names; a bare matrix of 52 columns in MediaPipe's or ARKit's alphabetical order.
    """
    if isinstance(content, Table):
        if not content.header:
            return _bare(content.values(), "", None)
        return Shapes(content.header, content.values()) if known_names(content.header) >= LEAST_NAMES else None
    if isinstance(content, dict) and isinstance(content.get("frames"), list):
        content = content["frames"]
    if isinstance(content, list) and content and all(isinstance(f, (dict, list)) for f in content):
        return _frames(content)
    if isinstance(content, np.ndarray):
        content = {"blendshapes": content}
    if not isinstance(content, dict):
        return None
    names = next((content[k] for k in _MATRIX_NAMES if k in content), None)
    values = next((content[k] for k in _MATRIX_VALUES if k in content and _is_matrix(content[k])), None)
    poses = next((_poses(content[k]) for k in _POSES if k in content), None)
    if names is not None and values is not None:
        listed = [str(n) for n in np.asarray(names).reshape(-1)]
        found = rows(values, "the blend shapes", (len(listed),)) if known_names(listed) >= LEAST_NAMES else None
        return None if found is None else Shapes(listed, found, poses)
    columns = {str(k): v for k, v in content.items() if arkit_name(str(k)) is not None}
    if len(columns) >= LEAST_NAMES:
        table = [rows(np.reshape(np.asarray(v), (-1, 1)), k, (1,)) for k, v in columns.items()]
        if len({len(c) for c in table}) > 1:
            raise ValueError("the blend shapes differ in their number of frames")
        return Shapes(list(columns), np.concatenate(table, 1), poses)
    if values is not None:
        return _bare(rows(values, "the blend shapes", range(1, 4097)), str(content.get("format", "")), poses)
    return None


def _is_matrix(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], (list, np.ndarray))
    return isinstance(value, np.ndarray) and value.ndim >= 2 and value.dtype.kind in "fiu"


def _bare(values: np.ndarray, tag: str, poses: np.ndarray | None) -> Shapes | None:
    width = values.shape[1]
    if tag.startswith("facelm.detections"):
        return Shapes(ARKIT_52, values, poses)
    if width == len(ARKIT_52) - 1:
        return Shapes(MEDIAPIPE_52[1:], values, poses, ("51 columns without names are read in MediaPipe's order",))
    if width != len(ARKIT_52):
        return None
    neutral = np.nanmax(np.abs(values[:, 0]), initial=0.0) < 1e-3
    note = ("52 columns without names: the first is almost zero, so they are read in MediaPipe's order (_neutral first)"
            if neutral else "52 columns without names are read in alphabetical order (browDownLeft first, tongueOut last)")
    return Shapes(MEDIAPIPE_52 if neutral else ARKIT_52, values, poses, (note,))


def _poses(value: Any) -> np.ndarray | None:
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return None
    return array.reshape(-1, 4, 4) if array.size and array.size % 16 == 0 and array.shape[-1] in (4, 16) else None


def _frames(frames: list[Any]) -> Shapes | None:
    """Frames of a JSON file; shapes that a frame does not name are 0 in it, a frame without any is marked invalid."""
    scores = [_scores(f) for f in frames]
    names = list(dict.fromkeys(n for s in scores for n in s))
    if known_names(names) < LEAST_NAMES:
        return None
    values = np.array([[s.get(n, 0.0) for n in names] if s else [np.nan] * len(names) for s in scores])
    given = [next((_poses(f[k]) for k in _POSES if k in f), None) if isinstance(f, dict) else None for f in frames]
    poses = np.stack([np.full((4, 4), np.nan) if m is None else m[0] for m in given])
    return Shapes(names, values, poses if np.isfinite(poses).any() else None)


def _scores(frame: Any) -> dict[str, float]:
    """The scores of one frame: a dict of them, a list of MediaPipe's categories, or either under a usual name."""
    if isinstance(frame, dict):
        frame = next((frame[k] for k in _FRAME_KEYS if k in frame), frame)
        frame = frame.get("categories", frame) if isinstance(frame, dict) else frame
    if isinstance(frame, list):
        first = frame[0] if frame else None
        if len(frame) == 1 and (isinstance(first, list) or isinstance(first, dict) and not {"score", "value"} & set(first)):
            return _scores(first)
        frame = dict((c.get("categoryName", c.get("category_name", c.get("name"))), c.get("score", c.get("value")))
                     for c in frame if isinstance(c, dict))
    return {name: float(score) for name, score in (frame.items() if isinstance(frame, dict) else ())
            if isinstance(name, str) and isinstance(score, (int, float)) and not isinstance(score, bool) and arkit_name(name)}


def arkit_channels(shapes: Shapes, content: Any, head: HeadModel) -> Channels:
    """Named shapes and pose matrices in FaceSequence's channels; ``content`` may state validity and frame rate."""
    values, poses, notes = shapes.values, shapes.poses, list(shapes.notes)
    scores = scores_of(shapes.names, values)
    arrays = perform(scores, head)
    if poses is not None:
        if len(poses) != len(values):
            raise ValueError(f"there are {len(poses)} pose matrices for {len(values)} frames of blend shapes")
        arrays |= head_pose(poses, head)
    missing = [n for n in ARKIT_52 if n not in scores]
    if missing:
        shown = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
        notes.append(f"not in the file and left at rest: {shown}")
    valid = None
    if isinstance(content, dict) and isinstance(content.get("valid"), np.ndarray) and content["valid"].shape == (len(values),):
        valid = content["valid"].astype(bool)
    fps = stated_fps(content) if isinstance(content, dict) else _table_fps(content)
    return Channels(arrays, np.zeros(head.n_shape, np.float32), valid, fps, notes)


def _table_fps(content: Any) -> float | None:
    """From a column of times (``time`` in seconds, ``timestamp_ms``), if it runs evenly enough."""
    if isinstance(content, Table) and len(content.cells) > 1:
        for name, column in zip(content.header, content.values().T, strict=False):
            step = np.diff(column) * _TIMES.get(name.lower(), np.nan)
            step = step[np.isfinite(step) & (step > 0)]
            if len(step) and 1 <= (rate := 1 / float(np.median(step))) <= 1000:
                return round(rate, 3)
    return None
