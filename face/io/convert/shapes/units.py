"""Action units of video analysis as blend shapes: OpenFace and py-feat.

OpenFace (https://github.com/TadasBaltrusaitis/OpenFace/wiki/Output-Format) gives intensities ``AU01_r`` from 0 to 5 and
presences ``AU01_c``, head pose in a frame with x right, y down, z away from the camera (``R = Rx Ry Rz``, rad; mm), and the
gaze of both eyes in the same frame, the eye that is on the left of the picture first. py-feat (https://py-feat.org) gives
``AU01`` from 0 to 1; the unit of its Pitch, Roll and Yaw changed between versions, so they are left out.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ....clip.channels import ARKIT_52
from ....head.model import HeadModel
from ..arkit import shape_channels
from ..base import Channels, Options, turned
from ..tables import Table
from ..timing import is_time, of_columns

UNITS: dict[int, dict[str, float]] = {
    1: {"browInnerUp": 1}, 2: {"browOuterUp": 1}, 4: {"browDown": 1}, 5: {"eyeWide": 1}, 6: {"cheekSquint": 1},
    7: {"eyeSquint": 1},
    9: {"noseSneer": 1}, 10: {"mouthUpperUp": 1}, 12: {"mouthSmile": 1}, 14: {"mouthDimple": 1}, 15: {"mouthFrown": 1},
    16: {"mouthLowerDown": 1}, 19: {"tongueOut": 1}, 29: {"jawForward": 1}, 34: {"cheekPuff": 1},
    17: {"mouthShrugLower": 1, "mouthShrugUpper": 0.5}, 18: {"mouthPucker": 1}, 20: {"mouthStretch": 1}, 22: {"mouthFunnel": 1},
    23: {"mouthPress": 0.5}, 24: {"mouthPress": 1}, 25: {"mouthLowerDown": 0.4, "mouthUpperUp": 0.2}, 26: {"jawOpen": 0.6},
    27: {"jawOpen": 1}, 28: {"mouthRollLower": 1, "mouthRollUpper": 1}, 43: {"eyeBlink": 1}, 45: {"eyeBlink": 1}}
"""Shares of ARKit's shapes (both sides where they have sides) of each action unit at full intensity, by the FACS manual's and
Apple's descriptions."""
_NAME = re.compile(r"AU(\d{1,2})(_r|_c)?", re.IGNORECASE)
_LEAST = 5
_FULL = 5.0
"""OpenFace's highest intensity."""
_FLIP = np.array([1.0, -1.0, -1.0])


def _units(content: Any, end: str) -> dict[int, int]:
    """Action unit -> column, of the columns that end so."""
    found = [(k, _NAME.fullmatch(h)) for k, h in enumerate(content.header)] if isinstance(content, Table) else []
    return {int(m[1]): k for k, m in found if m and (m[2] or "").lower() == end}


def is_openface(content: Any) -> bool:
    """At least five columns like ``AU01_r``."""
    return len(_units(content, "_r")) >= _LEAST or bool(_units(content, "_c")) and len(_units(content, "_c")) >= _LEAST


def is_pyfeat(content: Any) -> bool:
    """At least five columns like ``AU01``, without an ending."""
    return len(_units(content, "")) >= _LEAST


def openface_channels(content: Table, head: HeadModel, options: Options) -> Channels:
    """One clip of one face: intensities by 5, head pose and gaze; frames without success are invalid."""
    table, picked = _one_face(content, "face_id")
    values = table.values()
    units, scale = _units(table, "_r"), _FULL
    if not units:
        units, scale = _units(table, "_c"), 1.0
    out = shape_channels(scores(values, units, scale), head)
    out.warnings += picked
    out.notes.append(f"action units {', '.join(map(str, sorted(units)))} are read as shapes of ARKit, " + (
        "intensity 5 as full" if scale == _FULL else "present as full: the file has no intensities"))
    if unknown := sorted(set(units) - set(UNITS)):
        out.warnings.append(f"no shape is known for action units {', '.join(map(str, unknown))}; they are left out")
    column = {h.lower(): values[:, k] for k, h in enumerate(table.header)}
    out.timing = of_columns({h: v for h, v in column.items() if is_time(h)})
    if "success" in column:
        out.valid = column["success"] > 0.5
        if not out.valid.all():
            out.warnings.append(f"{int((~out.valid).sum())} frames in which OpenFace lost the face are marked invalid")
    turn = _stack(column, "pose_rx", "pose_ry", "pose_rz")
    if turn is not None:
        out.arrays["rotation"] = turned("XYZ", turn * _FLIP)
    place = _stack(column, "pose_tx", "pose_ty", "pose_tz")
    if turn is not None and place is not None:
        spin = Rotation.from_rotvec(np.nan_to_num(out.arrays["rotation"]))
        root, centre = head.joints()[0].astype(np.float64), _centre(head)
        out.arrays["translation"] = 1e-3 * place * _FLIP - spin.apply(centre - root) - root
    _gaze(column, out)
    return out


def pyfeat_channels(content: Table, head: HeadModel, options: Options) -> Channels:
    """One clip of one face: action units from 0 to 1."""
    table, picked = _one_face(content, "Identity" if content.has("Identity") else "face_id")
    values, units = table.values(), _units(table, "")
    out = shape_channels(scores(values, units, 1.0), head)
    out.warnings += picked
    out.notes.append(f"action units {', '.join(map(str, sorted(units)))} are read as shapes of ARKit, 1 as full")
    if unknown := sorted(set(units) - set(UNITS)):
        out.warnings.append(f"no shape is known for action units {', '.join(map(str, unknown))}; they are left out")
    if table.has("Pitch", "Yaw"):
        out.warnings.append("Pitch, Roll and Yaw are left out: their unit changed between versions of py-feat")
    out.timing = of_columns({h: values[:, k] for k, h in enumerate(table.header) if is_time(h)})
    return out


def scores(values: np.ndarray, units: dict[int, int], full: float) -> dict[str, np.ndarray]:
    """Shape -> (T,) of the columns of action units; a shape that several units move takes the strongest."""
    out: dict[str, np.ndarray] = {}
    for unit, column in units.items():
        for shape, share in UNITS.get(unit, {}).items():
            for name in (shape,) if shape in ARKIT_52 else (shape + "Left", shape + "Right"):
                value = share * values[:, column] / full
                out[name] = np.maximum(out[name], value) if name in out else value
    return out


def _one_face(table: Table, key: str) -> tuple[Table, list[str]]:
    """The rows of the face that is seen most often."""
    if not table.has(key):
        return table, []
    faces = table.column(key)
    found = {f: faces.count(f) for f in dict.fromkeys(faces)}
    most = max(found, key=lambda f: found[f])
    if len(found) == 1:
        return table, []
    kept = Table(table.header, [line for line, face in zip(table.cells, faces, strict=True) if face == most])
    return kept, [f"the file shows {len(found)} faces; the one in most frames ({key} {most[:20]}) is read, "
                  f"{len(faces) - found[most]} rows of others are not"]


def _stack(column: dict[str, np.ndarray], *names: str) -> np.ndarray | None:
    return np.stack([column[n] for n in names], 1) if all(n in column for n in names) else None


def _centre(head: HeadModel) -> np.ndarray:
    """m: middle of the 68 landmarks, about which OpenFace places its face; else of the eyes."""
    if len(head.lmk_names) >= 68:
        return np.asarray(head.landmarks(head.v_template[None])[0][:68].mean(0), np.float64)
    return head.joints()[3:].mean(0).astype(np.float64)


def _gaze(column: dict[str, np.ndarray], out: Channels) -> None:
    """Both eyes' directions, relative to the head."""
    eyes = []
    for eye in (1, 0):  # the subject's left eye is the right one in the picture
        ray = _stack(column, *(f"gaze_{eye}_{a}" for a in "xyz"))
        if ray is None:
            return
        own = ray * _FLIP
        if "rotation" in out.arrays:
            own = Rotation.from_rotvec(np.nan_to_num(out.arrays["rotation"])).inv().apply(np.nan_to_num(own))
        x, y, z = own.T
        eyes.append(turned("YX", np.stack([np.arctan2(x, z), np.arctan2(-y, np.hypot(x, z))], 1)))
    out.arrays["eyes_pose"] = np.concatenate(eyes, 1)
