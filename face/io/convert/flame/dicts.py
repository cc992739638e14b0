"""FLAME parameters of trackers, a dict of arrays each, as clips of a FLAME head.

All of them pose FLAME as ``face/head/lbs.py`` does (axis-angle, joints of the shaped template), in a frame with y up in which
an unturned face looks along +z; DECA's relatives flip y and z after projecting
(https://github.com/yfeng95/DECA/blob/master/decalib/deca.py), which concerns their camera only, so angles are kept as they are.
Their weak-perspective camera (scale and shift of a crop) says nothing in metres: their clips stay at the origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ....head.model import HeadModel
from ...heads.flame import EYELIDS
from ..base import Channels, Format, Options, axis_angle, columns, listed, one_identity, rows, timed
from ..files import FRAMES
from ..timing import is_time, of_columns

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
    neck: str = ""
    eyes: str = ""
    """Left, then right eye."""
    translation: str = ""
    others: tuple[str, ...] = ()
    """Keys that must be there as well for the format to be recognised."""
    fps: float | None = None
    """At which the tool always runs."""
    plain: tuple[str, ...] = ()
    """Other keys it writes that hold no motion."""

    @property
    def needed(self) -> tuple[str, ...]:
        """Keys that a file of this format has."""
        return tuple(k for k in (self.expr, self.rotation, self.jaw) if k) + self.others


_NO_MOTION = ("tex", "texture", "light", "light_code", "lightcode", "texcode", "texture_code", "detail", "detailcode", "img",
              "images", "static_offset", "dynamic_offset", "fov", "K", "lmks_68", "lmks_dense", "vertices", "valid", "fps",
              FRAMES,
              "img_rendered", "mesh_rendered", "img_aligned", "parsing", "parsing_aligned", "blendshape_scores", "lmks_eyes",
              "eye_landmarks", "focal_length", "frame_rate", "video_fps", "original_img", "cam", "camera", "K_img")
VHAP = FlameFormat("VHAP / GaussianAvatars", "https://github.com/ShenhanQian/VHAP", "expr", "rotation", "shape", "jaw_pose",
              neck="neck_pose", eyes="eyes_pose", translation="translation", others=("neck_pose", "eyes_pose", "translation"))
SMIRK = FlameFormat("SMIRK", "https://github.com/georgeretsi/smirk", "expression_params", "pose_params", "shape_params",
               "jaw_params", "eyelid_params", "cam")
TDMM = FlameFormat("TDMM-LM / Open3DFaceVid", "https://github.com/Songluchuan/TDMM-LM_data", "expression", "pose", "identity",
              "jaw", "eyelid", "camera_pose")
EMOCA = FlameFormat("EMOCA", "https://github.com/radekd91/emoca", "expcode", "posecode", "shapecode", camera="cam")
HEAD_TRACKER = FlameFormat("flame-head-tracker", "https://github.com/PeizhiYan/flame-head-tracker", "exp", "head_pose", "shape",
                           "jaw_pose",
                      camera="cam", neck="neck_pose", eyes="eye_pose")
DECA = FlameFormat("DECA / SPECTRE / DiffPoseTalk", "https://github.com/yfeng95/DECA", "exp", "pose", "shape", camera="cam",
                   eyes="eye_pose")
LAYOUTS: tuple[FlameFormat, ...] = (VHAP, SMIRK, TDMM, EMOCA, HEAD_TRACKER, DECA)


def layout_of(content: Any) -> FlameFormat | None:
    """The layout whose keys are there; the key sets exclude each other except for DECA's short names, tried last."""
    return next((f for f in LAYOUTS if isinstance(content, Mapping) and set(f.needed) <= set(content)), None)


def has_layout(kind: FlameFormat, content: Any) -> bool:
    """Whether a file is of this layout."""
    return layout_of(content) is kind


def flame_columns(given: np.ndarray, head: HeadModel, name: str, form: str) -> np.ndarray:
    """Expression columns (T, E) of a FLAME head, padded with zeros.

    Raises:
        ValueError: the head is no FLAME, or has fewer columns.
    """
    plain = head.n_expr - sum(n in head.expr_names for n in EYELIDS)
    if any(f"expr_{k:03d}" != n for k, n in enumerate(head.expr_names[:plain])):
        raise ValueError(f"{form} parameters drive FLAME; the head {head.ref} is not one: give --head FLAME.npz, made "
                         "by `facelm head import`")
    return np.concatenate([columns(given, plain, name), np.zeros((len(given), head.n_expr - plain))], 1)


def channels(kind: FlameFormat, content: Mapping[Any, Any], head: HeadModel, options: Options) -> Channels:
    """Parameters in FaceSequence's channels; fewer coefficients than the head's are padded with zeros.

    DECA and EMOCA estimate 100 identity and 50 expression coefficients, SMIRK and TDMM-LM 300 and 50, VHAP and
    flame-head-tracker 300 and 100: the first columns of FLAME's in each case.
    """
    given = rows(content[kind.expr], kind.expr, EXPR_WIDTH)
    frames = len(given)
    expr = flame_columns(given, head, kind.expr, kind.name)
    out = Channels({"expr": expr}, timing=timed(content, times_of(content, frames)))
    wide = (3,) if kind is VHAP else (3, 6)
    pose = rows(content[kind.rotation], kind.rotation, wide if kind.jaw else (6,), frames)
    out.arrays["rotation"] = axis_angle(pose, kind.rotation) if kind.jaw else pose[:, :3]
    out.arrays["jaw_pose"] = pose[:, 3:] if not kind.jaw else axis_angle(rows(content[kind.jaw], kind.jaw, wide, frames),
                                                                         kind.jaw)
    for name, key, width in (("neck_pose", kind.neck, 3), ("eyes_pose", kind.eyes, 6), ("translation", kind.translation, 3)):
        if key and key in content:
            out.arrays[name] = rows(content[key], key, (width,), frames)
    if left := [k for k in ("static_offset", "dynamic_offset") if np.any(np.asarray(content.get(k, 0)))]:
        out.warnings.append(f"{' and '.join(left)} (offsets of single vertices) are left out; a clip holds parameters only")
    if kind.eyelids and kind.eyelids in content:
        lids(rows(content[kind.eyelids], kind.eyelids, (2,), frames), kind.eyelids, head, out)
    if kind.camera and kind.camera in content:
        camera(content[kind.camera], kind, out)
    out.shape = np.zeros(head.n_shape, np.float32)
    if kind.shape and kind.shape in content:
        out.shape = one_identity(content[kind.shape], kind.shape, head.n_shape, out.notes)
    used = {kind.expr, kind.rotation, kind.jaw, kind.neck, kind.eyes, kind.translation, kind.eyelids, kind.camera, kind.shape}
    if unread := sorted(str(k) for k in content if k not in used and k not in _NO_MOTION and not is_time(str(k))
                        and not str(k).startswith("__")):
        out.notes.append(f"not read: {listed(unread)}")
    valid = content.get("valid")
    if isinstance(valid, np.ndarray) and valid.shape == (frames,) and valid.dtype.kind in "biu":
        out.valid = valid.astype(bool)
    return out


def times_of(content: Mapping[Any, Any], frames: int) -> Any:
    """Timing of a dict's arrays of times, or of the numbers in a folder's file names."""
    arrays = {str(k): np.asarray(v, np.float64) for k, v in content.items()
              if is_time(str(k)) and isinstance(v, (np.ndarray, list)) and np.shape(v) == (frames,)
              and np.asarray(v).dtype.kind in "fiu"}
    if FRAMES in content:
        arrays["frame"] = np.asarray(content[FRAMES], np.float64)
    return of_columns(arrays)


def camera(value: Any, kind: FlameFormat, out: Channels) -> None:
    """Say that the camera is left out, and whether motion goes with it."""
    array = np.asarray(value, np.float64) if np.asarray(value).dtype.kind in "fiu" else np.zeros(1)
    array = array.reshape(len(out.arrays["expr"]), -1) if array.size % max(len(out.arrays["expr"]), 1) == 0 else array[None]
    if kind is HEAD_TRACKER and len(array) > 1 and np.ptp(array, 0).max(initial=0.0) > 1e-3:
        out.warnings.append(f"the camera's own motion ({kind.camera}: yaw, pitch, roll, x, y, z) is left out; the head turns by "
                            "head_pose alone")
    else:
        out.notes.append(f"the camera ({kind.camera}) is left out; the head stays at the origin")


def lids(values: np.ndarray, name: str, head: HeadModel, out: Channels) -> None:
    """Left lid first, as SMIRK's FLAME layer reads them."""
    if set(EYELIDS) <= set(head.expr_names):
        for k, column in enumerate(EYELIDS):
            out.arrays["expr"][:, head.expr_names.index(column)] = values[:, k]
    elif np.nan_to_num(values).any():
        out.warnings.append(f"{name} is left out: FLAME has no blink; import the head with --eyelids l_eyelid.npy r_eyelid.npy "
                            "to keep it")


_TEXT = {VHAP: ("file, or folder `flame_param/*.npz`", "axis-angle, rad; m", "offsets of single vertices, textures, lights"),
         SMIRK: ("npz, npy, pkl, mat, pt; or a folder with a file a frame",
                 "axis-angle or 6D; eyelids with a head that has them", "camera"),
         TDMM: ("pkl and as SMIRK", "axis-angle or 6D; eyelids with a head that has them", "camera"),
         EMOCA: ("as SMIRK; or folders with `exp.npy, pose.npy, shape.npy`", "axis-angle, rad: head, then jaw",
                 "camera, details"),
         HEAD_TRACKER: ("folder with an npz a frame", "axis-angle, rad", "camera with its motion, pictures"),
         DECA: ("as SMIRK", "axis-angle, rad: head, then jaw", "camera, textures, lights")}
DICT_FORMATS: tuple[Format, ...] = tuple(Format(
    kind.name, kind.url, ", ".join(f"`{k}`" for k in kind.needed), *_TEXT[kind][:2], "stated, times, else asked for",
    _TEXT[kind][2],
    partial(has_layout, kind), partial(channels, kind), flame=True) for kind in LAYOUTS)
