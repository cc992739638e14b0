"""FLAME parameters in layouts of their own: metrical-tracker's frames, SMPL-X sequences of BEAT2, ARTalk's motion codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ....head.model import HeadModel
from ..base import Channels, Format, Options, axis_angle, one_identity, rows, timed
from ..files import FRAMES
from ..timing import Timing, of_columns
from .dicts import EXPR_WIDTH, flame_columns, lids

_CAMERA = np.diag([1.0, -1.0, -1.0])
"""From OpenCV's camera frame (x right, y down, z away) to one with y up that looks along -z."""


# -- metrical-tracker -------------------------------------------------------------------------
def is_metrical(content: Any) -> bool:
    """Parameters under ``flame`` beside ``camera`` or ``opencv``, rotations in 6D."""
    flame = content.get("flame") if isinstance(content, Mapping) else None
    return isinstance(flame, Mapping) and {"exp", "jaw", "eyes"} <= set(flame) and bool({"camera", "opencv"} & set(content))


def metrical_channels(content: Mapping[str, Any], head: HeadModel, options: Options) -> Channels:
    """A ``checkpoint`` folder of https://github.com/Zielon/metrical-tracker, or one of its frames.

    The tool never turns FLAME itself: the head moves by its camera, whose inverse is the clip's rotation and place.
    """
    flame = content["flame"]
    expr = rows(flame["exp"], "exp", EXPR_WIDTH)
    frames = len(expr)
    numbers = {"frame": np.asarray(content[FRAMES], float)} if FRAMES in content else {}
    out = Channels({"expr": flame_columns(expr, head, "exp", "metrical-tracker")}, timing=timed(content, of_columns(numbers)))
    out.arrays["jaw_pose"] = axis_angle(rows(flame["jaw"], "jaw", (3, 6), frames), "jaw")
    eyes = rows(flame["eyes"], "eyes", (6, 12), frames)
    half = eyes.shape[1] // 2
    out.arrays["eyes_pose"] = np.concatenate([axis_angle(eyes[:, :half], "eyes"), axis_angle(eyes[:, half:], "eyes")], 1)
    if "eyelids" in flame:
        lids(rows(flame["eyelids"], "eyelids", (2,), frames), "eyelids", head, out)
    out.shape = np.zeros(head.n_shape, np.float32)
    if "shape" in flame:
        out.shape = one_identity(flame["shape"], "shape", head.n_shape, out.notes)
    turn, place = _placed(content, frames)
    turn = _CAMERA @ turn
    spin = Rotation.from_matrix(turn)
    root = head.joints(out.shape)[0].astype(np.float64)
    out.arrays["rotation"] = spin.as_rotvec()
    out.arrays["translation"] = place @ _CAMERA.T + spin.apply(root) - root
    out.notes.append("the head's turn and place come from the camera, which stays at the origin; texture and light are left out")
    return out


def _placed(content: Mapping[str, Any], frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (T, 3, 3) and place (T, 3) m of the head in OpenCV's camera frame."""
    if isinstance(content.get("opencv"), Mapping) and {"R", "t"} <= set(content["opencv"]):
        matrix = rows(_flat(content["opencv"]["R"], 9), "opencv R", (9,), frames).reshape(-1, 3, 3)
        return _orthogonal(matrix), rows(_flat(content["opencv"]["t"], 3), "opencv t", (3,), frames)
    camera = content["camera"]
    if not isinstance(camera, Mapping) or not {"R", "t"} <= set(camera):
        raise ValueError("neither opencv nor camera holds R and t; metrical-tracker writes both")
    # PyTorch3D: row vectors, x to the left, y up; its 6D holds the first two rows
    turn = Rotation.from_rotvec(axis_angle(rows(camera["R"], "camera R", (6,), frames), "camera R")).as_matrix()
    flip = np.diag([-1.0, -1.0, 1.0])
    return flip @ turn.transpose(0, 2, 1), rows(camera["t"], "camera t", (3,), frames) @ flip


def _flat(value: Any, width: int) -> np.ndarray:
    """(T, width) of matrices."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or not array.size or array.size % width:
        raise ValueError(f"a camera matrix has shape {array.shape}; needed: {width} numbers a frame")
    return array.reshape(-1, width)


def _orthogonal(matrix: np.ndarray) -> np.ndarray:
    """The nearest rotations."""
    if not np.isfinite(matrix).all() or (np.linalg.det(matrix) < 1e-6).any():
        raise ValueError("a camera rotation is none (its determinant is not positive)")
    u, _, v = np.linalg.svd(matrix)
    return np.asarray(u @ v)


# -- BEAT2 / EMAGE ----------------------------------------------------------------------------
def is_beat2(content: Any) -> bool:
    """SMPL-X: ``poses`` of 165 numbers and ``expressions``."""
    return isinstance(content, Mapping) and {"poses", "expressions"} <= set(content) and np.shape(content["poses"])[-1:] == (165,)


def beat2_channels(content: Mapping[str, Any], head: HeadModel, options: Options) -> Channels:
    """A sequence of BEAT2 or EMAGE (https://github.com/PantoMatrix/PantoMatrix), SMPL-X 2020 with FLAME's expressions.

    SMPL-X's joints: 12 neck, 15 head, 22 jaw, 23 and 24 eyes, three numbers each. The neck turns the clip's head as a
    whole and the head joint its neck: the trunk stands still.
    """
    poses = rows(content["poses"], "poses", (165,))
    frames = len(poses)
    out = Channels({"expr": flame_columns(rows(content["expressions"], "expressions", EXPR_WIDTH, frames), head, "expressions",
                                          "BEAT2"),
                    "rotation": poses[:, 36:39], "neck_pose": poses[:, 45:48], "jaw_pose": poses[:, 66:69],
                    "eyes_pose": poses[:, 69:75]}, np.zeros(head.n_shape, np.float32), timing=timed(content, Timing()))
    trunk = np.concatenate([poses[:, :36], poses[:, 39:45], poses[:, 48:66], poses[:, 75:]], 1)
    if np.nan_to_num(np.ptp(trunk, 0)).max(initial=0.0) > 1e-4:
        out.warnings.append("the body's motion (trunk, arms, hands) is left out; the head turns relative to the trunk")
    if np.any(np.asarray(content.get("betas", 0))):
        out.notes.append("betas (the shape of an SMPL-X body) are left out: they are no identity of FLAME")
    if np.any(np.asarray(content.get("trans", 0))):
        out.notes.append("trans (the body's place) is left out")
    return out


# -- ARTalk -----------------------------------------------------------------------------------
ARTALK_WIDTH = 106


def is_artalk(content: Any) -> bool:
    """A matrix of 106 columns."""
    return isinstance(content,
                      np.ndarray) and content.ndim >= 2 and content.shape[-1] == ARTALK_WIDTH and content.dtype.kind in "fiu"


def artalk_channels(content: np.ndarray, head: HeadModel, options: Options) -> Channels:
    """Motion codes of https://github.com/xg-chu/ARTalk: 100 expressions, head, jaw (axis-angle), at 25 fps."""
    codes = rows(content, "the motion", (ARTALK_WIDTH,))
    return Channels({"expr": flame_columns(codes[:, :100], head, "the motion", "ARTalk"), "rotation": codes[:, 100:103],
                     "jaw_pose": codes[:, 103:106]}, np.zeros(head.n_shape, np.float32),
                    timing=Timing(25.0, notes=["106 columns are read as ARTalk's motion codes, which run at 25 fps"]))


METRICAL = Format("metrical-tracker", "https://github.com/Zielon/metrical-tracker",
                  "`flame` (`exp, jaw, eyes`) beside `camera`, `opencv`",
                  "a `.frame`, or a folder `checkpoint/*.frame`", "6D rotations; m; eyelids with a head that has them",
                  "asked for; gaps by file numbers", "texture, light", is_metrical, metrical_channels, flame=True)
BEAT2 = Format("BEAT2 / EMAGE", "https://github.com/PantoMatrix/PantoMatrix", "`poses` (165), `expressions`", "npz",
               "SMPL-X, axis-angle, rad", "`mocap_frame_rate`", "body, `betas`, `trans`", is_beat2, beat2_channels, flame=True)
ARTALK = Format("ARTalk", "https://github.com/xg-chu/ARTalk", "a matrix of 106 columns", "pt, npy",
                "100 expressions, head, jaw; axis-angle, rad",
                "25 fps", "nothing", is_artalk, artalk_channels, flame=True)
OTHER_FORMATS: tuple[Format, ...] = (METRICAL, BEAT2, ARTALK)
