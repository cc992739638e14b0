"""Orders in which tools write blend shapes without their names, and how one is chosen."""

from __future__ import annotations

import numpy as np

from ....clip.channels import ARKIT_52, mirror_name
from ..arkit import MEDIAPIPE_52, arkit_name, known_names
from ..base import Options, listed

LIVELINK_52: tuple[str, ...] = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft", "eyeWideLeft",
    "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight", "eyeSquintRight", "eyeWideRight",
    "jawForward", "jawRight", "jawLeft", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRight", "mouthLeft",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft",
    "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut")
"""Of the Live Link Face app's CSV, and of Audio2Face-3D."""
ANGLES: tuple[str, ...] = ("HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll", "RightEyeYaw",
                           "RightEyePitch", "RightEyeRoll")
AZURE_55: tuple[str, ...] = (
    *LIVELINK_52[:15], "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight",
    *LIVELINK_52[23:], "headRoll", "leftEyeRoll", "rightEyeRoll")
"""https://learn.microsoft.com/azure/ai-services/speech-service/how-to-speech-synthesis-viseme"""
ORDERS: dict[str, tuple[str, ...]] = {"arkit": ARKIT_52, "mediapipe": MEDIAPIPE_52, "livelink": LIVELINK_52, "azure": AZURE_55}
"""What ``--order`` names: alphabetical, MediaPipe's with ``_neutral`` first, Live Link Face's, Azure's."""
_CLEAR = 0.15
"""Lead in left-right agreement by which an order is taken."""


def named(values: np.ndarray, options: Options) -> tuple[list[str], str] | None:
    """Names for the columns of (T, W) values without any, and what was assumed; None for a width that no order has.

    An order is taken when it alone makes left and right columns move together, which on real faces they do.

    Raises:
        ValueError: names or an order that do not fit, or an order that cannot be told.
    """
    width = values.shape[1]
    if options.names:
        if len(options.names) != width:
            raise ValueError(f"--names gives {len(options.names)} names for {width} columns")
        if not known_names(options.names):
            raise ValueError(f"--names holds no blend shape of ARKit ({listed(list(options.names), 3)})")
        options.used.append("--names")
        return list(options.names), "columns are named as --names says"
    fitting = {name: fit for name, order in ORDERS.items() if (fit := _of_width(order, width))}
    if options.order is not None:
        if options.order not in fitting:
            raise ValueError(f"--order {options.order} has {len(ORDERS[options.order])} columns, the file {width}")
        options.used.append("--order")
        return list(fitting[options.order]), f"columns are read in the order {options.order}, as asked"
    if not fitting:
        return None
    with np.errstate(invalid="ignore"):
        if "mediapipe" in fitting and width == len(MEDIAPIPE_52) and np.nanmax(np.abs(values[:, 0]), initial=0.0) >= 1e-3:
            del fitting["mediapipe"]  # its first column, _neutral, is always about zero
    if len(fitting) == 1:
        name = next(iter(fitting))
        return list(fitting[name]), (f"{width} columns without names are read in the order {name} (--order or --names says "
                                     "otherwise)")
    score = {name: _agreement(order, values) for name, order in fitting.items()}
    best, *others = sorted(score, key=lambda n: -score[n])
    others = [n for n in others if fitting[n] != fitting[best]]
    if score[best] < 0.3 or any(score[best] - score[n] < _CLEAR for n in others):
        raise ValueError(f"{width} columns without names: their order cannot be told from the values; say it with --order "
                         f"({', '.join(fitting)}) or --names")
    return list(fitting[best]), (
        f"{width} columns without names are read in the order {best}, by which left and right sides move together (agreement "
        f"{score[best]:.2f}, next {max((score[n] for n in others), default=0.0):.2f}); --order or --names says otherwise")


def _of_width(order: tuple[str, ...], width: int) -> tuple[str, ...]:
    """The order with the width: whole, without the tongue, without MediaPipe's neutral, or with Live Link's angles."""
    options = [order, tuple(n for n in order if n != "tongueOut"), tuple(n for n in order if n != "_neutral")]
    if order is LIVELINK_52:
        options.append((*order, *ANGLES))
    return next((o for o in options if len(o) == width), ())


def _agreement(order: tuple[str, ...], values: np.ndarray) -> float:
    """Mean correlation of left and right columns, over the pairs of which one moves; 0 without any."""
    at = {n: k for k, n in enumerate(order)}
    out = []
    for name in order:
        other = mirror_name(name)
        if name.endswith("Left") and other in at and arkit_name(name) and not name.startswith(("jaw", "eyeLookIn", "eyeLookOut")):
            if name in ("mouthLeft",):
                continue
            a, b = values[:, at[name]], values[:, at[other]]
            good = np.isfinite(a) & np.isfinite(b)
            spread = [float(v[good].std()) if good.any() else 0.0 for v in (a, b)]
            if max(spread) > 1e-3:
                out.append(float(np.corrcoef(a[good], b[good])[0, 1]) if min(spread) > 1e-6 else 0.0)
    return float(np.mean(out)) if out else 0.0
