"""Epic's Live Link Face: the app's CSV with time codes, and the 61 values of a frame, which its UDP packets hold as well.

Column order of the CSV as the app writes it. Angles as ``face/io/convert/shapes/livelink.py`` reads them and says why: radians,
yaw to the subject's right, pitch downwards, roll towards the left shoulder. Time codes count frames as SMPTE 12M does; 29.97 and
59.94 fps are counted with dropped numbers, marked by ``;``; 23.976, 47.952 and 119.88 fps as 24, 48 and 120.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ....common.files import write_text
from ..convert.shapes.livelink import SIGNS
from .base import Job

SHAPES: tuple[str, ...] = (
    *(f"Eye{n}{side}" for side in ("Left", "Right")
      for n in ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")),
    "JawForward", "JawRight", "JawLeft", "JawOpen", "MouthClose", "MouthFunnel", "MouthPucker", "MouthRight", "MouthLeft",
    *(f"Mouth{n}{side}" for n in ("Smile", "Frown", "Dimple", "Stretch") for side in ("Left", "Right")),
    "MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper",
    *(f"Mouth{n}{side}" for n in ("Press", "LowerDown", "UpperUp") for side in ("Left", "Right")),
    "BrowDownLeft", "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight", "CheekPuff",
    "CheekSquintLeft", "CheekSquintRight", "NoseSneerLeft", "NoseSneerRight", "TongueOut")
"""The 52 shapes in the app's order."""
ANGLES: tuple[str, ...] = tuple(f"{of}{axis}" for of in ("Head", "LeftEye", "RightEye") for axis in ("Yaw", "Pitch", "Roll"))
_COUNTED = (24, 25, 30, 48, 50, 60, 120)
_DROPPED = (30, 60)
_SLOWED = (24, 48, 120)
"""Counted in full, though frames come at 1000/1001 of the rate: 23.976 fps and the like drop no numbers."""


def values(job: Job) -> np.ndarray:
    """``(T, 61)``: the shapes in the app's order, then the angles, rad."""
    column = {n: k for k, n in enumerate(job.curves.names)}
    shapes = job.curves.values[:, [column[n[0].lower() + n[1:]] for n in SHAPES]]
    turns = (job.turns, *(Rotation.from_rotvec(job.seq.eyes_pose[:, at:at + 3]) for at in (0, 3)))
    return np.c_[shapes, *(SIGNS * turn.as_euler("YXZ") for turn in turns)]


def counting(fps: float) -> tuple[int, int, bool]:
    """Frame numbers a second of the time code, numbers a frame, and whether numbers are dropped.

    Raises:
        ValueError: no time code counts this rate.
    """
    for nominal in _DROPPED:
        if abs(fps - nominal * 1000 / 1001) < 5e-3:
            return nominal, 1, True
    for nominal in _SLOWED:
        if abs(fps - nominal * 1000 / 1001) < 5e-3:
            return nominal, 1, False
    for nominal in _COUNTED:
        every = round(nominal / fps)
        if every >= 1 and abs(nominal / every - fps) < 1e-3:
            return nominal, every, False
    raise ValueError(f"no time code counts {fps:g} fps; give --fps with one of 24, 25, 29.97, 30, 50, 59.94, 60 or 23.976")


def timecode(frame: int, nominal: int, drop: bool = False) -> str:
    """``HH:MM:SS:FF`` of a frame number; with dropped numbers ``HH:MM:SS;FF``.

    Two numbers (four at 59.94) are left out at the start of each minute that is not a multiple of ten, so that the code
    stays with the clock.
    """
    if drop:
        lost = nominal // 15
        ten, minute = 600 * nominal - 9 * lost, 60 * nominal - lost
        tens, rest = divmod(frame, ten)
        frame += 9 * lost * tens + lost * max(0, (rest - lost) // minute)
    seconds, count = divmod(frame, nominal)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours % 24:02d}:{minute:02d}:{second:02d}{';' if drop else ':'}{count:02d}"


def write_livelink(job: Job, path: Path) -> None:
    """Write the CSV."""
    nominal, every, drop = counting(job.seq.fps)
    if every > 1:
        job.notes.append(f"{job.seq.fps:g} fps is counted by time codes of {nominal} fps, every {every} numbers")
    elif not drop and abs(job.seq.fps - nominal) > 1e-3:
        job.notes.append(f"{job.seq.fps:g} fps is counted by time codes of {nominal} fps, which drop no numbers: read it back "
                         f"with --fps {job.seq.fps:g}")
    job.leave_out("identity", "place")
    rows = [f"{timecode(k * every, nominal, drop)}.000,61," + ",".join([f"{v:.10f}" for v in row])
            for k, row in enumerate(values(job).tolist())]
    write_text(path, "\n".join([",".join(("Timecode", "BlendShapeCount", *SHAPES, *ANGLES)), *rows]) + "\n")
