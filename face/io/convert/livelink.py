"""CSV files of Epic's Live Link Face app: ARKit's shapes, head and eye angles, one line a frame.

Columns are matched by name, since their order and their count (51, 52 or 61) differ between versions.  ``Timecode`` is
``HH:MM:SS:FF.mmm``, FF counting frames.

Epic documents neither units nor signs of the angles.  Unreal's ARKit plug-in makes them from the rotator of the face's
transform, with yaw and roll negated unless the face is mirrored; worked through ARKit's axes (x to the face's left, y up,
z out of the face, https://developer.apple.com/documentation/arkit/arfaceanchor) that is: yaw positive to the subject's
left, pitch positive downwards, roll about +z, turned in the order yaw, pitch, roll.  Open importers use the numbers as
radians, and so does this one.  In landscape recordings the app inverts yaw and pitch
(https://github.com/nmfisher/blender_livelinkface).
"""

from __future__ import annotations

import re

import numpy as np
from scipy.spatial.transform import Rotation

from ...head.model import HeadModel
from .arkit import perform, scores_of
from .base import Channels
from .files import Table

USUAL_FPS = 60.0
"""The app's default."""
_RATES = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 120.0)
_TIMECODE = re.compile(r"(\d+):(\d+):(\d+)[:;](\d+(?:\.\d+)?)")


def is_livelink(content: object) -> bool:
    """A table with a ``Timecode`` column and blend shapes."""
    return isinstance(content, Table) and "timecode" in {h.lower() for h in content.header}


def livelink_channels(table: Table, head: HeadModel) -> Channels:
    """One clip of a Live Link Face file; missing frames are interpolated and marked invalid."""
    values = table.values()
    names = {h.lower(): k for k, h in enumerate(table.header)}
    notes: list[str] = []
    fps, frames = timing([line[names["timecode"]] if len(line) > names["timecode"] else "" for line in table.cells], notes)
    scores = scores_of(table.header, values)
    if not scores:
        raise ValueError("the table has a Timecode column but no blend shapes")
    angles = {n: values[:, names[n.lower()]] for n in (
        *(f"Head{a}" for a in ("Yaw", "Pitch", "Roll")), *(f"{s}Eye{a}" for s in ("Left", "Right") for a in ("Yaw", "Pitch")))
        if n.lower() in names}
    arrays = perform(scores, head)
    zero = np.zeros(len(values))
    if any(n.startswith("Head") for n in angles):
        yaw, pitch, roll = (angles.get(f"Head{a}", zero) for a in ("Yaw", "Pitch", "Roll"))
        turn = np.stack([yaw, pitch, roll], 1)
        good = np.isfinite(turn).all(1)
        arrays["rotation"] = np.full((len(values), 3), np.nan)
        arrays["rotation"][good] = Rotation.from_euler("YXZ", turn[good]).as_rotvec()
    looks = [v for n, v in scores.items() if n.startswith("eyeLook")]
    if not any(np.nan_to_num(v).any() for v in looks) and any(np.nan_to_num(v).any() for n, v in angles.items() if "Eye" in n):
        arrays["eyes_pose"] = np.stack([w for s in ("Left", "Right") for w in (
            angles.get(f"{s}EyePitch", zero), angles.get(f"{s}EyeYaw", zero), zero)], 1)
        notes.append("the eyeLook shapes are all zero; the gaze is taken from the eye angles")
    arrays, valid = _on_grid(arrays, frames, notes)
    return Channels(arrays, np.zeros(head.n_shape, np.float32), valid, fps, notes)


def timing(codes: list[str], notes: list[str]) -> tuple[float, np.ndarray]:
    """Frame rate and frame number (T,) of time codes.

    The rate is the number of different frame counts within the fullest second, or, in a file shorter than that, the
    smallest usual rate above the highest count. A take at half the rate of its time codes counts every second frame.
    """
    parts = [_TIMECODE.fullmatch(c) for c in codes]
    if not all(parts):
        bad = next(c for c, p in zip(codes, parts, strict=True) if p is None)
        raise ValueError(f"the time code {bad[:40]!r} cannot be read; needed HH:MM:SS:FF.mmm")
    fields = np.array([[float(g) for g in p.groups()] for p in parts if p is not None])
    seconds = fields[:, 0] * 3600 + fields[:, 1] * 60 + fields[:, 2]
    seconds = np.where(seconds < seconds[0] - 43200, seconds + 86400, seconds)  # past midnight
    counts = np.floor(fields[:, 3])
    inside = (seconds > seconds[0]) & (seconds < seconds[-1])
    top = counts.max() + 1
    full = max((len(np.unique(counts[seconds == s])) for s in np.unique(seconds[inside])), default=0)
    same = np.rint(np.diff(fields[:, 3])[np.diff(seconds) == 0]).astype(np.int64)
    every = int(np.bincount(same[same > 0]).argmax()) if (same > 0).any() else 1
    rate = next((r for r in _RATES if r >= top and full * every > 0.8 * r), None)
    if rate is None:
        rate = next((r for r in (30.0, 60.0, 120.0) if r >= top), USUAL_FPS) if top > 25 else USUAL_FPS
        notes.append(f"the time codes do not fix the frame rate; {rate:g} fps is assumed (--fps changes it)")
    at = np.rint(((seconds - seconds[0]) * rate + fields[:, 3] - fields[0, 3]) / every).astype(np.int64)
    rate /= every
    step = np.diff(at)
    if len(at) > 1 and ((step < 0).any() or at[-1] + 1 > 4 * len(at)):
        notes.append("the time codes jump; the frames are taken one after another")
        return rate, np.arange(len(at))
    return rate, at


def _on_grid(arrays: dict[str, np.ndarray], at: np.ndarray, notes: list[str]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Frames at their numbers; of doubles the last one counts, gaps are interpolated and marked."""
    unique, last = np.unique(at[::-1], return_index=True)
    last = len(at) - 1 - last
    grid = np.arange(unique[-1] + 1)
    valid = np.isin(grid, unique)
    if len(unique) < len(at):
        notes.append(f"{len(at) - len(unique)} frames come twice; the later ones are kept")
    if not valid.all():
        lost = int((~valid).sum())
        notes.append(f"{lost} frame{'s are' if lost > 1 else ' is'} missing in the recording, interpolated and marked invalid")
    out = {k: np.stack([np.interp(grid, unique, v[last][:, c]) for c in range(v.shape[1])], 1) for k, v in arrays.items()}
    return out, valid
