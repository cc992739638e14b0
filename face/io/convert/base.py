"""What every reader needs: arrays in shape, frames that are bad marked, a head that fits, what is to be said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ...clip.channels import MOTION_FIELDS
from ...clip.sequence import MAX_EXPR, MAX_FRAMES, FaceSequence
from ...head.model import HeadModel
from .timing import Timing

DEFAULT_FPS = 25.0
MAX_NUMBERS = 30_000_000
"""Of one array: an hour at 60 fps with 130 columns. Keeps a reading under 2 GB of memory."""
MAX_ANGLE = 4 * np.pi


@dataclass(frozen=True)
class Imported:
    """A clip that was read from another tool's file.

    Attributes:
        sequence: the clip.
        notes: what was read, assumed and left out, one sentence each.
        warnings: what of this changes the motion or its timing.
        format: the format that was recognised, in words.
    """

    sequence: FaceSequence
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    format: str = ""


@dataclass(frozen=True)
class Options:
    """What the user says about a file.

    Attributes:
        fps: frames per second; wins over the file.
        names: of the columns of a matrix or table without names.
        order: the known order of such columns (orders.py).
        fill: put interpolated frames where times or time codes leave some out.
    """

    fps: float | None = None
    names: tuple[str, ...] = ()
    order: str | None = None
    fill: bool = False
    used: list[str] = field(default_factory=list, compare=False)
    """Which of ``--names`` and ``--order`` a reader followed."""


@dataclass
class Channels:
    """A clip under way: (T, width) arrays by FaceSequence's names; what is missing is zero."""

    arrays: dict[str, np.ndarray]
    shape: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    valid: np.ndarray | None = None
    absent: np.ndarray | None = None
    """(T,) frames that hold nothing, as a tracker writes them that found no face."""
    timing: Timing = field(default_factory=Timing)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Format:
    """One format of other tools' files: how it is known, what it holds and how it is read."""

    name: str
    url: str
    known_by: str
    """Names or layout by which content is recognised; Markdown."""
    container: str
    values: str
    """Units and conventions."""
    time: str
    """Where the frame rate comes from."""
    lost: str
    """What a clip does not keep of it."""
    matches: Callable[[Any], bool]
    channels: Callable[[Any, HeadModel, Options], Channels]
    flame: bool = False
    """Whether it drives a FLAME head, which has to be given; else any head with ARKit columns, the default one too."""


def rows(value: Any, name: str, widths: tuple[int, ...] | range, frames: int | None = None) -> np.ndarray:
    """``(T, W)`` float64 of an array, a list of per-frame arrays, or one frame; axes of length 1 in between are dropped.

    A frame that is None is not a number.
    """
    if isinstance(value, list):
        try:
            width = next((np.size(v) for v in value if v is not None), 1)
            value = np.stack([np.full(width, np.nan) if v is None else np.asarray(v, np.float64).reshape(-1) for v in value]
                             ) if value else np.zeros((0, 1))
        except (TypeError, ValueError):
            raise ValueError(f"{name} is a list whose frames differ in length or are no numbers") from None
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
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
    if array.size > MAX_NUMBERS:
        raise ValueError(f"{name} has {array.size} numbers; at most {MAX_NUMBERS} are read: cut it into parts")
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


def turned(order: str, angles: np.ndarray) -> np.ndarray:
    """Axis-angle (T, 3) of Euler angles (T, N), rad, in scipy's notation; frames that are not finite stay not a number."""
    out = np.full((len(angles), 3), np.nan)
    good = np.isfinite(angles).all(1)
    if good.any():
        out[good] = Rotation.from_euler(order, angles[good]).as_rotvec()
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


def finish(channels: Channels, head: HeadModel, options: Options, form: str) -> Imported:
    """The clip: unusable frames marked invalid and filled from their neighbours, missing channels zero."""
    frames = len(channels.arrays["expr"])
    if frames > MAX_FRAMES:
        raise ValueError(f"there are {frames} frames; at most {MAX_FRAMES} are read: cut it into parts")
    arrays = {"expr": channels.arrays["expr"]} | {
        k: channels.arrays.get(k, np.zeros((frames, w))) for k, w in MOTION_FIELDS.items()}
    timing = channels.timing
    notes, warnings = [*timing.notes, *channels.notes], [*timing.warnings, *channels.warnings]
    valid = np.ones(frames, bool) if channels.valid is None else np.asarray(channels.valid, bool)
    usable = np.ones(frames, bool)
    for name, array in arrays.items():
        limit = {"expr": MAX_EXPR, "translation": 1000.0}.get(name, MAX_ANGLE)
        with np.errstate(invalid="ignore"):
            usable &= np.isfinite(array).all(1) & (np.abs(array).max(1, initial=0.0) <= limit)
    if not usable.any():
        raise ValueError("no frame has finite values within the limits")
    if not usable.all():
        nothing = np.zeros(frames, bool) if channels.absent is None else channels.absent & ~usable
        for count, what in ((int(nothing.sum()), "no values, as where no face was found"),
                            (int((~usable & ~nothing).sum()), "values that are missing, not finite or absurd")):
            if count:
                warnings.append(f"{count} of {frames} frames hold {what}; they are marked invalid and repeat their nearest "
                                "neighbour")
        good = np.flatnonzero(usable)
        after = np.searchsorted(good, np.arange(frames)).clip(0, len(good) - 1)
        before = (after - 1).clip(0)
        nearest = np.where(np.abs(good[before] - np.arange(frames)) <= np.abs(good[after] - np.arange(frames)), before, after)
        arrays = {k: v[good[nearest]] for k, v in arrays.items()}
    valid &= usable
    if options.fill and timing.at is not None:
        arrays, valid = _filled(arrays, valid, timing.at)
        warnings = [w for w in warnings if "--fill" not in w]
        notes.append(f"{len(valid) - frames} interpolated frames fill the gaps; they are marked invalid")
    rate = options.fps if options.fps is not None else timing.fps
    if rate is None:
        rate = DEFAULT_FPS
        warnings.append(f"{'' if timing.warnings else 'the file states no frame rate; '}{DEFAULT_FPS:g} fps is assumed: give the "
                        "right one with --fps")
    elif options.fps is not None and timing.fps is not None and abs(timing.fps - rate) > 1e-3 * rate:
        notes.append(f"the file says {timing.fps:.5g} fps; {rate:.5g} fps is taken, as asked")
    seq = FaceSequence(shape=channels.shape, valid=valid, fps=float(rate), head=head.ref,
                       **{k: v.astype(np.float32) for k, v in arrays.items()})
    return Imported(seq, tuple(notes), tuple(warnings), form)


def _filled(arrays: dict[str, np.ndarray], valid: np.ndarray, at: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Rows at their frame numbers; the frames between them are interpolated and invalid."""
    if at[-1] >= MAX_FRAMES:
        raise ValueError(f"filled, the clip would have {at[-1] + 1} frames; at most {MAX_FRAMES} are read")
    grid = np.arange(at[-1] + 1)
    there = np.zeros(len(grid), bool)
    there[at] = valid
    return {k: np.stack([np.interp(grid, at, v[:, c]) for c in range(v.shape[1])], 1) if v.shape[1] else np.zeros((len(grid), 0))
            for k, v in arrays.items()}, there


RATE_NAMES = ("fps", "frame_rate", "frameRate", "framerate", "exportFps", "video_fps", "mocap_frame_rate", "mocap_framerate")


def stated_fps(content: Mapping[Any, Any]) -> float | None:
    """A frame rate that the file gives, under one of its usual names, at the top or in its metadata."""
    inner = [v for k, v in content.items() if k in ("metadata", "meta", "info", "config") and isinstance(v, Mapping)]
    for holder in (content, *inner):
        for key in RATE_NAMES:
            value = holder.get(key)
            array = np.ravel(value) if isinstance(value, (int, float, np.generic, np.ndarray)) else np.zeros(0)
            if array.size == 1 and array.dtype.kind in "fiu" and 1 <= array[0] <= 1000:
                return float(array[0])
    return None


def sparse(missing: Mapping[str, int], frames: int) -> list[str]:
    """One sentence on names that some of so many frames leave out; none where there are none."""
    short = {n: k for n, k in missing.items() if k}
    if not short:
        return []
    said = [f"{n} ({k})" for n, k in sorted(short.items(), key=lambda item: item[1])]
    return [f"some of the {frames} frames leave out names that others have, which are 0 there: {listed(said, 4)}"]


def timed(content: Any, times: Timing) -> Timing:
    """Times with the stated rate where they have none; where both are there and differ, times win and it is said."""
    said = stated_fps(content) if isinstance(content, Mapping) else None
    if said is not None and times.fps is not None and abs(said - times.fps) > 0.01 * said:
        times.warnings.append(f"the file states {said:.5g} fps, but its times run at {times.fps:.5g} fps, which is taken")
    elif said is not None:
        times.fps = said
    return times


def listed(names: list[str], most: int = 8) -> str:
    """A few names, and how many more."""
    return ", ".join(n[:40] for n in names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
