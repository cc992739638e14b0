"""Curves of MetaHuman's facial controls (``CTRL_expressions_*``), in a CSV or JSON of columns or frames.

Which control is which shape of ARKit: as public rigs connect the two. Controls that ARKit has no shape for are listed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ....head.model import HeadModel
from ..arkit import ignored, shape_channels
from ..base import Channels, Options, timed
from ..timing import of_columns
from .curves import Curves, curves_of

_PREFIX = "ctrlexpressions"
_SIDED = {
    "browDown": "browDown", "browRaiseOuter": "browOuterUp", "eyeBlink": "eyeBlink", "eyeWiden": "eyeWide",
    "eyeSquintInner": "eyeSquint",
    "eyeCheekRaise": "cheekSquint", "eyeLookUp": "eyeLookUp", "eyeLookDown": "eyeLookDown", "noseWrinkle": "noseSneer",
    "mouthCornerPull": "mouthSmile", "mouthCornerDepress": "mouthFrown", "mouthDimple": "mouthDimple",
    "mouthStretch": "mouthStretch",
    "mouthUpperLipRaise": "mouthUpperUp", "mouthLowerLipDepress": "mouthLowerDown"}
_SINGLE = {
    "jawOpen": "jawOpen", "jawLeft": "jawLeft", "jawRight": "jawRight", "jawFwd": "jawForward", "mouthLeft": "mouthLeft",
    "mouthRight": "mouthRight", "tongueOut": "tongueOut", "eyeLookLeftL": "eyeLookOutLeft", "eyeLookLeftR": "eyeLookInRight",
    "eyeLookRightL": "eyeLookInLeft", "eyeLookRightR": "eyeLookOutRight"}
_SPLIT = {
    "browInnerUp": ("browRaiseInL", "browRaiseInR"), "cheekPuff": ("mouthCheekBlowL", "mouthCheekBlowR"),
    "mouthShrugLower": ("jawChinRaiseDL", "jawChinRaiseDR"), "mouthShrugUpper": ("jawChinRaiseUL", "jawChinRaiseUR"),
    "mouthRollLower": ("mouthLowerLipRollInL", "mouthLowerLipRollInR"),
    "mouthRollUpper": ("mouthUpperLipRollInL", "mouthUpperLipRollInR"),
    "mouthPressLeft": ("mouthPressUL", "mouthPressDL"), "mouthPressRight": ("mouthPressUR", "mouthPressDR"),
    **{shape: tuple(name + q for q in ("UL", "UR", "DL", "DR")) for shape, name in (
        ("mouthFunnel", "mouthFunnel"), ("mouthPucker", "mouthLipsPurse"), ("mouthClose", "mouthLipsTogether"))}}
CONTROLS: dict[str, tuple[str, ...]] = {
    **{shape + side: (control + side[0],) for control, shape in _SIDED.items() for side in ("Left", "Right")},
    **{shape: (control,) for control, shape in _SINGLE.items()}, **_SPLIT}
"""Shape of ARKit -> the controls whose mean it is."""
_KNOWN = {c.lower() for controls in CONTROLS.values() for c in controls}
_LEAST = 3


def _control(name: str) -> str | None:
    """``eyeblinkl`` of ``CTRL_expressions_eyeBlinkL`` or ``CTRL_expressions.eyeBlinkL``, at the end of any path."""
    plain = re.sub(r"[^a-z]", "", name.lower())
    return plain.rpartition(_PREFIX)[2] if _PREFIX in plain else None


def matches(content: Any) -> bool:
    """At least three columns named ``CTRL_expressions_...``, or the control board's, which are refused."""
    found = curves_of(content, lambda n: _control(n) is not None or n.startswith(("CTRL_L_", "CTRL_R_", "CTRL_C_")))
    return found is not None and len(found.used) >= _LEAST


def channels(content: Any, head: HeadModel, options: Options) -> Channels:
    """The controls as shapes of ARKit: paired and quartered ones by their mean.

    Raises:
        ValueError: curves of the control board.
    """
    found = curves_of(content, lambda n: _control(n) is not None)
    if found is None or len(found.used) < _LEAST:
        raise ValueError("these are curves of MetaHuman's control board (CTRL_L_..., CTRL_C_...), which drive the controls in a "
                         "way of the rig's own: bake them to CTRL_expressions_ curves in Unreal (Bake Animation Sequence) first")
    return from_controls(found, head, content)


def from_controls(found: Curves, head: HeadModel, content: Any) -> Channels:
    """Channels of named controls."""
    controls = {str(_control(n)): v for n, v in found.used.items()}
    zero = np.zeros(len(next(iter(controls.values()))))
    scores = {shape: np.mean([controls.get(p.lower(), zero) for p in parts], 0)
              for shape, parts in CONTROLS.items() if any(p.lower() in controls for p in parts)}
    if not scores:
        raise ValueError("none of the MetaHuman controls has a counterpart among ARKit's shapes")
    out = shape_channels(scores, head)
    out.timing = timed(content if isinstance(content, Mapping) else {}, of_columns(found.times))
    rest: dict[str, np.ndarray] = {n: v for n, v in found.used.items() if _control(n) not in _KNOWN} | found.others
    notes, warnings = ignored(rest)
    out.notes += ["MetaHuman's controls are read as the nearest shapes of ARKit", *found.notes, *notes]
    out.warnings += warnings
    return out
