"""FET: from the source's face through the generated expressions, by linear interpolation (eq. 16, arXiv 2601.08179)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .channels import JAW_SCALE
from .sequence import FaceSequence

FloatArray = NDArray[np.float32]


def anchor_frames(anchors: int, frames: int) -> tuple[int, ...]:
    """Frames of evenly spaced anchors: the first and the last frame, and between them."""
    if anchors < 1 or frames < anchors:
        raise ValueError(f"{frames} frames cannot hold {anchors} anchors; at least one frame for each is needed")
    return tuple(int(round(f)) for f in np.linspace(0, frames - 1, anchors))


def trajectory(source: ArrayLike | None, keys: ArrayLike, frames: int) -> FloatArray:
    """Parameters of every frame: source, then the keys, evenly spaced, linear in between (eq. 16).

    Args:
        source: ``(W,)`` the source's parameters (expression and pose), or None to begin with the first key.
        keys: ``(K, W)`` the successive expressions.
        frames: of the whole.

    Returns:
        ``(frames, W)``; the anchors themselves are hit exactly.

    Raises:
        ValueError: other shapes, values that are not finite, or fewer frames than anchors.
    """
    points = np.asarray(keys, np.float32)
    if points.ndim != 2 or not len(points):
        raise ValueError(f"keys have shape {points.shape}; needed: (keys, columns)")
    if source is not None:
        first = np.asarray(source, np.float32)
        if first.shape != points.shape[1:]:
            raise ValueError(f"the source has shape {first.shape}; needed: {points.shape[1:]}, as the keys")
        points = np.concatenate([first[None], points])
    if not np.isfinite(points).all():
        raise ValueError("source and keys must be finite numbers")
    at = anchor_frames(len(points), frames)
    out = np.empty((frames, points.shape[1]), np.float32)
    out[0] = points[0]
    for i in range(len(at) - 1):
        share = np.linspace(0, 1, at[i + 1] - at[i] + 1, dtype=np.float32)[:, None]  # 1 - delta
        out[at[i]:at[i + 1] + 1] = (1 - share) * points[i] + share * points[i + 1]
    return out


def transition_clip(source: FaceSequence, expr: ArrayLike, pose: ArrayLike, frames: int, frame: int = -1) -> FaceSequence:
    """A clip from a source's frame through the keys; its identity, place, gaze and neck are kept.

    Args:
        source: its ``frame`` is the first anchor.
        expr: ``(K, E)``; pose: ``(K, 6)`` global rotation and jaw, rad.

    Raises:
        ValueError: keys of another head, or fewer frames than anchors.
    """
    expr, pose = np.asarray(expr, np.float32), np.asarray(pose, np.float32)
    if expr.ndim != 2 or expr.shape[1] != source.expr.shape[1] or pose.shape != (len(expr), 6):
        raise ValueError(f"keys have shapes {expr.shape} and {pose.shape}; needed: (K, {source.expr.shape[1]}) and (K, 6) for "
                         f"the source's head {source.head}")
    start = np.concatenate([source.expr[frame], source.rotation[frame], source.jaw_pose[frame]])
    path = trajectory(start, np.concatenate([expr, pose], 1), frames)
    e = expr.shape[1]
    still = {name: np.repeat(getattr(source, name)[frame][None], frames, 0)
             for name in ("neck_pose", "eyes_pose", "translation")}
    return FaceSequence(expr=path[:, :e], rotation=path[:, e:e + 3], jaw_pose=path[:, e + 3:], shape=source.shape,
                        valid=np.ones(frames, np.bool_), head=source.head, fps=source.fps, **still)


def state(clip: FaceSequence) -> NDArray[np.float64]:
    """``(T, E + 3)`` expression and jaw, scaled so that 1 is about a full action."""
    return np.concatenate([clip.expr, clip.jaw_pose / JAW_SCALE], axis=1).astype(np.float64)
