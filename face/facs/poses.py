"""What each action and emotion does to the channels at intensity 1 (face/assets/facs.yaml)."""

from __future__ import annotations

from math import radians

from ..clip.channels import EXPR_INDEX
from .vocabulary import ACTION, EMOTION

POSE_CHANNELS: tuple[str, ...] = (
    "jaw_x", "jaw_y", "jaw_z", "head_x", "head_y", "head_z", "gaze_pitch", "gaze_yaw",
)


def _pose(stated: dict[str, float]) -> dict[str, float]:
    """A pose by channel: both sides named, angles in radians."""
    out: dict[str, float] = {}
    for name, value in stated.items():
        if name in POSE_CHANNELS:
            out[name] = radians(value)
        else:
            out |= dict.fromkeys([name] if name in EXPR_INDEX else [name + side for side in ("Left", "Right")], value)
    return out


ACTION_POSES: dict[str, dict[str, float]] = {name: _pose(a.pose) for name, a in ACTION.items()}
"""Shares of the head's ARKit columns, and POSE_CHANNELS in radians (+x down or open, +y to the subject's left, +z tilt to
the subject's right; gaze pitch is positive downwards)."""
EMOTION_POSES: dict[str, dict[str, float]] = {name: _pose(e.pose) for name, e in EMOTION.items()}
"""The same of each emotion."""
_CENTRAL_SHARE = 0.35
"""Of a channel that has no sides (the inner brows, the chin), where one side acts: a brow that rises takes the inner brows
along a little, and still reads as one."""


def pose_of(name: str, side: str = "both") -> dict[str, float]:
    """The channels of an action or emotion at intensity 1; of one ``side`` (left or right) of a paired action."""
    pose = EMOTION_POSES[name] if name in EMOTION_POSES else ACTION_POSES[name]
    if side == "both":
        return dict(pose)
    other = "Right" if side == "left" else "Left"
    return {c: v if c.endswith(side.capitalize()) else _CENTRAL_SHARE * v for c, v in pose.items() if not c.endswith(other)}
