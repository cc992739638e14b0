"""FLAME parameters of trackers as clips of a FLAME head.

All of them pose FLAME as ``face/head/lbs.py`` does (axis-angle, joints of the shaped template), in a frame with y up in which
an unturned face looks along +z; DECA's relatives flip y and z after projecting
(https://github.com/yfeng95/DECA/blob/master/decalib/deca.py), which concerns their camera only, so angles are kept as they are.
Their weak-perspective camera (scale and shift of a crop) says nothing in metres: their clips stay at the origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...head.model import HeadModel
from ..heads.flame import EYELIDS
from .base import Channels, axis_angle, columns, one_identity, rows, stated_fps

EXPR_WIDTH = range(1, 401)


@dataclass(frozen=True)
class FlameFormat:
    """How one tool names FLAME's parameters."""

    name: str
    url: str
    expr: str
    rotation: str
    """Axis-angle of the whole head (3), or with the jaw behind it (6)."""
    shape: str = ""
    jaw: str = ""
    eyelids: str = ""
    camera: str = ""
    others: tuple[str, ...] = ()
    """Keys that must be there as well for the format to be recognised."""

    @property
    def needed(self) -> tuple[str, ...]:
        """Keys that a file of this format has."""
        return tuple(k for k in (self.expr, self.rotation, self.jaw) if k) + self.others


VHAP = FlameFormat("VHAP / GaussianAvatars", "https://github.com/ShenhanQian/VHAP", "expr", "rotation", "shape", "jaw_pose",
                   others=("neck_pose", "eyes_pose", "translation"))
SMIRK = FlameFormat("SMIRK", "https://github.com/georgeretsi/smirk", "expression_params", "pose_params", "shape_params",
                    "jaw_params", "eyelid_params", "cam")
TDMM = FlameFormat("TDMM-LM / Open3DFaceVid", "https://github.com/Songluchuan/TDMM-LM_data", "expression", "pose", "identity",
                   "jaw", "eyelid", "camera_pose")
EMOCA = FlameFormat("EMOCA", "https://github.com/radekd91/emoca", "expcode", "posecode", "shapecode", camera="cam")
DECA = FlameFormat("DECA", "https://github.com/yfeng95/DECA", "exp", "pose", "shape", camera="cam")
FLAME_FORMATS: tuple[FlameFormat, ...] = (VHAP, SMIRK, TDMM, EMOCA, DECA)


def flame_format(content: Mapping[Any, Any]) -> FlameFormat | None:
    """The format whose keys are there; the formats' key sets exclude each other except for DECA's short names, tried last."""
    return next((f for f in FLAME_FORMATS if set(f.needed) <= set(content)), None)


def flame_channels(content: Mapping[Any, Any], kind: FlameFormat, head: HeadModel) -> Channels:
    """Parameters in FaceSequence's channels; fewer coefficients than the head's are padded with zeros.

    DECA and EMOCA estimate 100 identity and 50 expression coefficients, SMIRK and TDMM-LM 300 and 50, VHAP 300 and 100: the
    first columns of FLAME's in each case.
    """
    notes: list[str] = []
    given = rows(content[kind.expr], kind.expr, EXPR_WIDTH)
    frames = len(given)
    plain = head.n_expr - sum(n in head.expr_names for n in EYELIDS)
    if any(f"expr_{k:03d}" != n for k, n in enumerate(head.expr_names[:plain])):
        raise ValueError(f"{kind.name} parameters drive FLAME; the head {head.ref} is not one: give --head FLAME.npz, made "
                         "by `facelm head import`")
    expr = np.concatenate([columns(given, plain, kind.expr), np.zeros((frames, head.n_expr - plain))], 1)
    arrays = {"expr": expr}
    pose = rows(content[kind.rotation], kind.rotation, (3,) if kind is VHAP else (6,) if not kind.jaw else (3, 6), frames)
    arrays["rotation"] = pose[:, :3] if not kind.jaw else axis_angle(pose, kind.rotation)
    arrays["jaw_pose"] = pose[:, 3:] if not kind.jaw else axis_angle(
        rows(content[kind.jaw], kind.jaw, (3,) if kind is VHAP else (3, 6), frames), kind.jaw)
    if kind is VHAP:
        for name, width in (("neck_pose", 3), ("eyes_pose", 6), ("translation", 3)):
            arrays[name] = rows(content[name], name, (width,), frames)
        if left := [k for k in ("static_offset", "dynamic_offset") if k in content and np.any(np.asarray(content[k]))]:
            notes.append(f"{' and '.join(left)} (offsets of single vertices) are left out; a clip holds parameters only")
    if kind.eyelids and kind.eyelids in content:
        _lids(rows(content[kind.eyelids], kind.eyelids, (2,), frames), kind, head, expr, notes)
    if kind.camera and kind.camera in content:
        notes.append(f"the weak-perspective camera ({kind.camera}) is left out; the head stays at the origin")
    shape = np.zeros(head.n_shape, np.float32)
    if kind.shape and kind.shape in content:
        shape = one_identity(content[kind.shape], kind.shape, head.n_shape, notes)
    return Channels(arrays, shape, None, stated_fps(content), notes)


def _lids(lids: np.ndarray, kind: FlameFormat, head: HeadModel, expr: np.ndarray, notes: list[str]) -> None:
    """Left lid first, as SMIRK's FLAME layer reads them."""
    if set(EYELIDS) <= set(head.expr_names):
        for k, name in enumerate(EYELIDS):
            expr[:, head.expr_names.index(name)] = lids[:, k]
    elif np.nan_to_num(lids).any():
        notes.append(f"{kind.eyelids} is left out: FLAME has no blink; import the head with --eyelids l_eyelid.npy r_eyelid.npy "
                     "to keep it")
