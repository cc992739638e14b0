"""ARKit's 52 blend shapes, from MediaPipe or elsewhere, as clips of a head with ARKit columns.

Names: https://developer.apple.com/documentation/arkit/arfaceanchor/blendshapelocation.  MediaPipe's Face Landmarker
gives 51 of them behind a ``_neutral`` score (https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker).
Eleven shapes are joints here: ``head.meta["arkit_angles"]`` says by how much.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from ...clip.channels import ARKIT_52, JOINT_SHAPES
from ...clip.sequence import FaceSequence
from ...head.model import HeadModel
from .base import Channels, listed

_LEAST_PERCENT = 4.0
"""Weights that never reach more are none in percent: a face at 4 % hardly moves."""
LEAST_NAMES = 10
"""So many ARKit names make a file one of blend shapes."""
MEDIAPIPE_52: tuple[str, ...] = ("_neutral", *(n for n in ARKIT_52 if n != "tongueOut"))
"""MediaPipe's order."""
_MEDIAPIPE_EYES = np.array([0.0, 0.0262, 0.0347])
"""m: middle of the four eye corners in MediaPipe's canonical face (canonical_face_model.obj of its repository)."""


def _plain(name: str) -> str:
    """Letters only, lower case, with L/R written out: ``EyeBlink_L``, ``eyeBlinkLeft`` and ``eye_blink_left`` are one."""
    name = re.sub(r"[_\-. ](l|L)$", "Left", name)
    name = re.sub(r"[_\-. ](r|R)$", "Right", name)
    return re.sub(r"[^a-z]", "", name.lower())


_BY_PLAIN = {_plain(n): n for n in ARKIT_52}


def arkit_name(name: str) -> str | None:
    """ARKit's spelling of a column name, also behind a prefix (``blendShapes.EyeBlinkLeft``), or None."""
    return _BY_PLAIN.get(_plain(name)) or _BY_PLAIN.get(_plain(re.split(r"[.:/|]", name)[-1]))


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
            turn = float(angles[name]) * value  # the net turn of opposite shapes
            if name.startswith("jaw"):
                jaw[:, 0 if name == "jawOpen" else 1] += turn
            else:
                axis = 0 if "Up" in name or "Down" in name else 1
                eyes[:, axis + (0 if name.endswith("Left") else 3)] += turn
    if "jawForward" in head.expr_names:
        expr[:, head.expr_names.index("jawForward")] += _slide(jaw[:, 1], head)
    return {"expr": expr, "jaw_pose": jaw, "eyes_pose": eyes}


def _slide(turn: np.ndarray, head: HeadModel) -> np.ndarray:
    """How much of jawForward (T,) goes with a jaw turned sideways (T,), rad, as the head's own shapes slide it forward.

    It follows the net turn, the same to both sides: opposite and negative weights move nothing else.
    """
    share = float(head.meta.get("jaw_side_forward", 0.0))
    angles: Mapping[str, float] = head.meta["arkit_angles"]
    return share * sum((np.maximum(turn / float(angles[n]), 0.0) for n in ("jawLeft", "jawRight") if n in angles),
                       np.zeros(len(turn)))


def weights(seq: FaceSequence, head: HeadModel, limit: bool = True) -> np.ndarray:
    """The 52 shapes of a clip, ``(T, 52)`` in ARKit's alphabetical order; the inverse of :func:`perform`.

    Args:
        seq: the clip.
        head: its head.
        limit: cut to 0 to 1; otherwise shapes may be negative, and above 1, as the clip has them.

    Raises:
        ValueError: the head has no ARKit columns, or the clip is of another head.
    """
    head.require(seq)
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
    out[:, at["jawForward"]] -= _slide(seq.jaw_pose[:, 1], head)
    return np.clip(out, 0.0, 1.0) if limit else out


def limited(seq: FaceSequence, head: HeadModel, notes: list[str]) -> FaceSequence:
    """The clip with the 52 shapes cut to 0 to 1, the joints that they turn too; what was cut is added to ``notes``.

    Raises:
        ValueError: the head has no ARKit columns.
    """
    try:
        found = weights(seq, head, limit=False)
    except ValueError as err:
        raise ValueError(f"--clamp cuts ARKit's weights to 0 to 1, but {err}") from None
    cut = found.clip(0.0, 1.0)
    over = sorted((k for k in range(len(ARKIT_52)) if np.abs(found[:, k] - cut[:, k]).max() > 1e-4),
                  key=lambda k: -float(np.abs(found[:, k] - cut[:, k]).max()))
    if not over:
        return seq
    notes.append("weights outside 0 to 1 are cut to it: " + listed(
        [f"{ARKIT_52[k]} {found[:, k].min():.3f} to {found[:, k].max():.3f}" for k in over], 4))
    before, after = (perform(dict(zip(ARKIT_52, values.T, strict=True)), head) for values in (found, cut))
    return seq.replace(**{n: (getattr(seq, n) + after[n] - before[n]).astype(np.float32) for n in after})


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


def shape_channels(scores: Mapping[str, np.ndarray], head: HeadModel, poses: np.ndarray | None = None) -> Channels:
    """Shapes ``(T,)`` and MediaPipe's pose matrices ``(T, 4, 4)`` in FaceSequence's channels, with what they lack said.

    Weights of which many lie far above 1 are percent: no tool exaggerates by so much, and in percent less is no motion.
    """
    notes: list[str] = []
    warnings: list[str] = []
    table = np.stack(list(scores.values()), 1)
    with np.errstate(invalid="ignore"):
        moving = np.abs(table) > 1e-3
        most = float(np.nanmax(np.abs(table), initial=0.0))
        if moving.any() and (np.abs(table) > 1.5).sum() > 0.2 * moving.sum() and _LEAST_PERCENT < most <= 101:
            scores = {n: v / 100 for n, v in scores.items()}
            warnings.append(f"the weights reach {most:.3g}; they are read as percent")
        elif 1.5 < most <= 101:
            warnings.append(f"the weights reach {most:.3g}; they are kept as they are, though full is 1")
    arrays = perform(scores, head)
    if poses is not None:
        if len(poses) != len(table):
            raise ValueError(f"there are {len(poses)} pose matrices for {len(table)} frames of blend shapes")
        arrays |= head_pose(poses, head)
    if missing := [n for n in ARKIT_52 if n not in scores]:
        notes.append(f"not in the file and left at rest: {listed(missing, 4)}")
    return Channels(arrays, np.zeros(head.n_shape, np.float32), absent=np.isnan(table).all(1), notes=notes, warnings=warnings)


def ignored(names: Mapping[str, np.ndarray]) -> tuple[list[str], list[str]]:
    """(notes, warnings) that list columns which are not read, (T,) each; one that changes is a warning."""
    moving = [n for n, v in names.items() if np.isfinite(v).any() and np.nanmax(v) - np.nanmin(v) > 1e-6]
    still = [n for n in names if n not in moving]
    notes = [f"columns without motion that no name is known for are left out: {listed(still)}"] if still else []
    return notes, [f"columns that move but that no name is known for are left out: {listed(moving, 12)}"] if moving else []
