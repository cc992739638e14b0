"""CSV files of Epic's Live Link Face app: ARKit's shapes, head and eye angles, one line a frame.

Columns are matched by name, since their order and their count (51, 52 or 61) differ between versions.  ``Timecode`` is
``HH:MM:SS:FF.mmm``, FF counting frames.  Express4D (https://github.com/jaron1990/Express4D) stores the same 61 columns
without names and time codes.

Epic documents neither units nor signs of the angles. Real takes tell those of the eyes, beside which stand the ``eyeLook``
shapes: radians, yaw positive to the subject's right (0.6 rad for a full ``eyeLookInLeft``, correlation beyond 0.98), pitch
positive downwards, and a roll of yaw times pitch, which is what an eye that is turned about x last has in the order yaw, pitch,
roll if roll is negative about the axis out of the face. Unreal's ARKit plug-in (``ToBlendShapeMap`` in
AppleARKitFaceMeshConversion.h) makes the head's three angles by the same expressions as the eyes', so they have the same signs;
where a face is mirrored, it turns the shapes' sides around with them. In landscape recordings the app inverts the head's yaw and
pitch (https://github.com/nmfisher/blender_livelinkface).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....head.model import HeadModel
from ..arkit import arkit_name, ignored, known_names, scores_of, shape_channels
from ..base import Channels, Options, turned
from ..tables import Table
from ..timing import is_time, of_codes
from .orders import ANGLES, LIVELINK_52

SIGNS = np.array([-1.0, 1.0, -1.0])
"""Of the app's yaw, pitch and roll about our y (up), x (to the subject's left) and z (out of the face)."""
EXPRESS_WIDTH = len(LIVELINK_52) + len(ANGLES)


def matches(content: Any) -> bool:
    """A table with a ``Timecode`` column of codes and blend shapes."""
    return isinstance(content, Table) and content.has("timecode") and known_names(content.header) > 0 and any(
        ":" in c for c in content.column("timecode")[:1] or [":"])


def channels(table: Table, head: HeadModel, options: Options) -> Channels:
    """One clip of a Live Link Face file; every row is a frame."""
    values = table.values()
    codes = table.column("timecode")
    out = _read(table.header, values, head)
    out.timing = of_codes(codes)
    return out


def is_express(content: Any) -> bool:
    """A matrix of Live Link Face's 61 columns."""
    if isinstance(content, Table):
        return not content.header and bool(content.cells) and len(content.cells[0]) == EXPRESS_WIDTH
    return isinstance(content,
                      np.ndarray) and content.ndim == 2 and content.shape[1] == EXPRESS_WIDTH and content.dtype.kind in "fiu"


def express_channels(content: Any, head: HeadModel, options: Options) -> Channels:
    """One clip of an Express4D sequence."""
    values = content.values() if isinstance(content, Table) else np.asarray(content, np.float64)
    out = _read((*LIVELINK_52, *ANGLES), values, head)
    out.notes.append("61 columns without names are read in Live Link Face's order, as Express4D writes them")
    return out


def _read(names: Sequence[str], values: np.ndarray, head: HeadModel) -> Channels:
    scores = scores_of(names, values)
    if not scores:
        raise ValueError("the table has a Timecode column but no blend shapes")
    out = shape_channels(scores, head)
    at = {h.lower(): k for k, h in enumerate(names)}
    angles = {n: values[:, at[n.lower()]] for n in ANGLES if n.lower() in at}
    zero = np.zeros(len(values))

    def turn(of: str) -> np.ndarray:
        return turned("YXZ", SIGNS * np.stack([angles.get(f"{of}{a}", zero) for a in ("Yaw", "Pitch", "Roll")], 1))

    if any(n.startswith("Head") for n in angles):
        out.arrays["rotation"] = turn("Head")
    looks = [v for n, v in scores.items() if n.startswith("eyeLook")]
    if not any(np.nan_to_num(v).any() for v in looks) and any(np.nan_to_num(v).any() for n, v in angles.items() if "Eye" in n):
        out.arrays["eyes_pose"] = np.concatenate([turn("LeftEye"), turn("RightEye")], 1)
        out.notes.append("the eyeLook shapes are all zero; the gaze is taken from the eye angles")
    known = {a.lower() for a in ANGLES} | {"blendshapecount"}
    notes, warnings = ignored({n: values[:, k] for k, n in enumerate(names)
                               if not arkit_name(n) and not is_time(n) and n.lower() not in known})
    out.notes += notes
    out.warnings += warnings
    return out
