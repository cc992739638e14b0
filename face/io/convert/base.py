"""What every converter needs: arrays in shape, frames that are bad marked, a head that fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ...clip.channels import MOTION_FIELDS
from ...clip.sequence import MAX_EXPR, MAX_FRAMES, FaceSequence
from ...head.model import HeadModel

DEFAULT_FPS = 25.0
MAX_ANGLE = 4 * np.pi


@dataclass(frozen=True)
class Imported:
    """A converted clip."""

    seq: FaceSequence
    format: str
    """The format that was recognised, in words."""
    notes: tuple[str, ...] = ()
    """What was assumed, left out or marked, one sentence each."""


@dataclass
class Channels:
    """A clip under way: (T, width) arrays by FaceSequence's names; what is missing is zero."""

    arrays: dict[str, np.ndarray]
    shape: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    valid: np.ndarray | None = None
    fps: float | None = None
    notes: list[str] = field(default_factory=list)


def rows(value: Any, name: str, widths: tuple[int, ...] | range, frames: int | None = None) -> np.ndarray:
    """``(T, W)`` float64 of an array, a list of per-frame arrays, or one frame; axes of length 1 in between are dropped."""
    if isinstance(value, list):
        try:
            value = np.stack([np.asarray(v, np.float64).reshape(-1) for v in value]) if value else np.zeros((0, 1))
        except (TypeError, ValueError):
            raise ValueError(f"{name} is a list whose frames differ in length or are no numbers") from None
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} holds {array.dtype}; needed: numbers")
    shape = array.shape
    while array.ndim > 2:
        if 1 not in array.shape[:-1]:
            raise ValueError(f"{name} has shape {shape}; needed (frames, values)")
        array = array.squeeze(array.shape.index(1))
    array = np.atleast_2d(array)
    if array.shape[1] not in widths:
        allowed = ", ".join(map(str, widths)) if isinstance(widths, tuple) else f"{widths.start} to {widths.stop - 1}"
        raise ValueError(f"{name} has {array.shape[1]} values a frame (shape {shape}); allowed: {allowed}")
    if not 1 <= len(array) <= MAX_FRAMES:
        raise ValueError(f"{name} has {len(array)} frames; from 1 to {MAX_FRAMES} are read: cut it into parts")
    if frames is not None and len(array) == 1:
        array = np.repeat(array, frames, 0)
    if frames is not None and len(array) != frames:
        raise ValueError(f"{name} has {len(array)} frames, the others have {frames}")
    return array.astype(np.float64)


def columns(array: np.ndarray, width: int, name: str) -> np.ndarray:
    """Padded with zeros to ``width`` columns; more are refused unless they are zero."""
    if array.shape[-1] > width and np.any(array[..., width:]):
        raise ValueError(f"{name} has {array.shape[-1]} coefficients, the head has {width}; use a head with as many")
    array = array[..., :width]
    return np.concatenate([array, np.zeros((*array.shape[:-1], width - array.shape[-1]))], -1)


def axis_angle(array: np.ndarray, name: str) -> np.ndarray:
    """``(T, 3)`` axis-angle from axis-angle, or from 6D rotations (the first two rows of the matrix).

    6D: Zhou et al., CVPR 2019, https://arxiv.org/abs/1812.07035, in PyTorch3D's order.
    """
    if array.shape[1] == 3:
        return array
    a, b = array[:, :3], array[:, 3:6]
    size = np.linalg.norm(a, axis=1)
    flat = np.linalg.norm(np.cross(a, b), axis=1)
    good = np.isfinite(array).all(1)
    if not good.any() or (size[good] < 1e-3).any() or (flat[good] < 1e-4).any():
        raise ValueError(f"{name} has 6 values a frame that are no 6D rotation; needed: axis-angle (3) or 6D")
    out = np.full((len(array), 3), np.nan)
    x = a[good] / size[good, None]
    y = b[good] - (x * b[good]).sum(1, keepdims=True) * x
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    out[good] = Rotation.from_matrix(np.stack([x, y, np.cross(x, y)], 1)).as_rotvec()
    return out


def one_identity(value: Any, name: str, width: int, notes: list[str]) -> np.ndarray:
    """``(S,)`` of ``(S,)`` or of one row a frame, whose mean over the usable rows is taken."""
    array = rows(value, name, range(1, 4097))
    good = np.isfinite(array).all(1) & (np.abs(np.nan_to_num(array)).max(1) <= MAX_EXPR)
    if not good.any():
        raise ValueError(f"{name} has no row of finite values up to {MAX_EXPR:g}")
    array = array[good]
    if len(array) > 1 and (spread := float(array.std(0).max())) > 1e-4:
        notes.append(f"{name} differs from frame to frame (standard deviation up to {spread:.2g}); a clip has one identity: "
                     "its mean is kept")
    return columns(array.mean(0), width, name).astype(np.float32)


def finish(channels: Channels, head: HeadModel, fps: float | None) -> tuple[FaceSequence, tuple[str, ...]]:
    """The clip: unusable frames marked invalid and filled from their neighbours, missing channels zero."""
    frames = len(channels.arrays["expr"])
    arrays = {"expr": channels.arrays["expr"]} | {
        k: channels.arrays.get(k, np.zeros((frames, w))) for k, w in MOTION_FIELDS.items()}
    notes = list(channels.notes)
    valid = np.ones(frames, bool) if channels.valid is None else np.asarray(channels.valid, bool)
    usable = np.ones(frames, bool)
    for name, array in arrays.items():
        limit = {"expr": MAX_EXPR, "translation": 1000.0}.get(name, MAX_ANGLE)
        with np.errstate(invalid="ignore"):
            usable &= np.isfinite(array).all(1) & (np.abs(array).max(1, initial=0.0) <= limit)
    if not usable.any():
        raise ValueError("no frame has finite values within the limits")
    if not usable.all():
        notes.append(f"{int((~usable).sum())} of {frames} frames hold values that are not finite or absurd; they are marked "
                     "invalid and repeat their nearest neighbour")
        good = np.flatnonzero(usable)
        after = np.searchsorted(good, np.arange(frames)).clip(0, len(good) - 1)
        before = (after - 1).clip(0)
        nearest = np.where(np.abs(good[before] - np.arange(frames)) <= np.abs(good[after] - np.arange(frames)), before, after)
        arrays = {k: v[good[nearest]] for k, v in arrays.items()}
    rate = fps if fps is not None else channels.fps
    if rate is None:
        rate = DEFAULT_FPS
        notes.append(f"the file states no frame rate; {DEFAULT_FPS:g} fps is assumed (--fps changes it)")
    seq = FaceSequence(shape=channels.shape, valid=valid & usable, fps=float(rate), head=head.ref,
                       **{k: v.astype(np.float32) for k, v in arrays.items()})
    return seq, tuple(notes)


def stated_fps(content: Mapping[str, Any]) -> float | None:
    """A frame rate that the file gives, under one of its usual names."""
    for key in ("fps", "frame_rate", "frameRate", "exportFps", "video_fps"):
        value = content.get(key)
        array = np.ravel(value) if isinstance(value, (int, float, np.generic, np.ndarray)) else np.zeros(0)
        if array.size == 1 and array.dtype.kind in "fiu" and 1 <= array[0] <= 1000:
            return float(array[0])
    return None
