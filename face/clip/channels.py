"""Names and order of the motion channels.

The 41 expression columns are Apple's ARKit blend shapes without the eleven that a
joint performs: ``jawOpen/jawLeft/jawRight`` live in the jaw joint and the eight
``eyeLook*`` in the eye joints, so that no motion is ever stored twice.

ARKit names: https://developer.apple.com/documentation/arkit/arfaceanchor/blendshapelocation
"""

from __future__ import annotations

from dataclasses import dataclass
from math import radians

ARKIT_52: tuple[str, ...] = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "eyeBlinkLeft", "eyeBlinkRight",
    "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight", "tongueOut",
)

JOINT_SHAPES: frozenset[str] = frozenset(
    {"jawOpen", "jawLeft", "jawRight"} | {n for n in ARKIT_52 if n.startswith("eyeLook")}
)

EXPR_NAMES: tuple[str, ...] = tuple(n for n in ARKIT_52 if n not in JOINT_SHAPES)
EXPR_INDEX: dict[str, int] = {n: i for i, n in enumerate(EXPR_NAMES)}

JAW_SCALE = radians(15.0)
"""Opening of the jaw, rad, that counts as much as one full expression coefficient."""

JOINTS: tuple[str, ...] = ("global", "neck", "jaw", "eye_left", "eye_right")
PARENTS: tuple[int, ...] = (-1, 0, 1, 1, 1)

MOTION_FIELDS: dict[str, int] = {
    # per-frame pose fields of a FaceSequence and their widths; expr's width is the head's E
    "rotation": 3, "neck_pose": 3, "jaw_pose": 3, "eyes_pose": 6, "translation": 3,
}

_BROWS = ("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight")
_LIDS = ("cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight",
         "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight")
_TONGUE = ("jawForward", "tongueOut")
_MOUTH = tuple(n for n in EXPR_NAMES if n not in _BROWS + _LIDS + _TONGUE)


@dataclass(frozen=True)
class Stream:
    """A region of the face that moves as one and has its own code in the tokenizer."""

    name: str
    expr: tuple[str, ...] = ()
    """Expression columns, by name."""
    pose: tuple[str, ...] = ()
    """Pose features, by name: jaw_x/y/z, head_x/y/z (axis-angle, rad), gaze_pitch/yaw (rad)."""

    @property
    def width(self) -> int:
        """Number of its channels."""
        return len(self.expr) + len(self.pose)


STREAMS: tuple[Stream, ...] = (
    Stream("brows", expr=_BROWS),
    Stream("lids", expr=_LIDS),
    Stream("mouth", expr=_MOUTH),
    Stream("jaw", expr=_TONGUE, pose=("jaw_x", "jaw_y", "jaw_z")),
    Stream("head", pose=("head_x", "head_y", "head_z")),
    Stream("gaze", pose=("gaze_pitch", "gaze_yaw")),
)

MOUTH_PARTS: dict[str, tuple[str, ...]] = {
    "corners": tuple(n for n in _MOUTH if n.startswith(("mouthSmile", "mouthFrown", "mouthDimple", "mouthStretch"))),
    "lips": tuple(n for n in _MOUTH if n.startswith(("mouthUpperUp", "mouthLowerDown", "noseSneer"))),
}
"""The mouth's channels in parts that move independently, for tokenizers that code them apart; the rest is its shape."""
MOUTH_PARTS["shape"] = tuple(n for n in _MOUTH if n not in MOUTH_PARTS["corners"] + MOUTH_PARTS["lips"])


def mirror_name(name: str) -> str:
    """The channel or action name on the other side of the face."""
    for a, b in (("Left", "Right"), ("_left", "_right")):
        if name.endswith(a):
            return name[: -len(a)] + b
        if name.endswith(b):
            return name[: -len(b)] + a
    return {"mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}.get(name, name)
