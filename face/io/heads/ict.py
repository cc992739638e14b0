"""ICT-FaceKit (and heads laid out like it) in FLAME's layout, with ARKit-named expressions and joints.

ICT-FaceKit is a morphable head of USC's Institute for Creative Technologies, MIT licence
(https://github.com/ICT-VGL/ICT-FaceKit; Li et al., "Learning Formation of Physically-Based Face Attributes",
CVPR 2020, https://arxiv.org/abs/2004.03458). Its 53 expressions are ARKit's, some split into sides, and everything
is a blend shape; here the jaw and the eyes become joints (face/io/heads/ict_rig.py), and what the file lacks, eyeballs,
teeth and a tongue, is the default head's (CC0), placed by landmarks (face/io/heads/ict_parts.py).
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...clip.channels import EXPR_NAMES
from ...head.correspond import Correspondence, correspondence
from ...head.model import IBUG, PART_NAMES, HeadModel
from ...head.surface import labels
from .ict_file import Floats, IctFile, read_ict
from .ict_parts import AddedParts, added_parts
from .ict_rig import OwnParts, Rig, fit_rig, own_parts, regressor


def convert_ict(path: str | os.PathLike[str]) -> HeadModel:
    """ICT-FaceKit as a HeadModel: metres, five joints, the 41 expression columns of ``EXPR_NAMES`` in their order.

    Shapes that the file lacks are columns of zeros, so that any clip with ARKit names plays; ``tongueOut``, which ICT
    does not have, is the default head's on the default head's tongue. ``meta["arkit_angles"]`` holds the joint angles
    that perform the shapes which are joints here, ``meta["missing"]`` the names of columns that are zero, and
    ``meta["report"]`` the errors of the rig in mm.

    Args:
        path: an ICT-style ``.npz``, see :func:`read_ict`.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: not an ICT-style head; the sentence says what does not fit.
    """
    file = read_ict(path)
    default = HeadModel.default()
    own = own_parts(file)
    same = correspondence(_mesh(file, own), default)
    rig = fit_rig(file, own, same, default)
    # The default head's origin: the eyes' centres lie where its own do, so that clips keep their place.
    shift = default.joints()[3:].astype(np.float64).mean(0) - rig.joints[3:].mean(0)
    file, rig = replace(file, v=file.v + shift), replace(rig, joints=rig.joints + shift)
    return _assemble(file, own, rig, added_parts(file, rig, own, default), default)


def _mesh(file: IctFile, own: OwnParts, rig: Rig | None = None) -> HeadModel:
    """The file's own mesh as a head without expressions: enough to be matched with another."""
    n = len(file.v)
    if rig is None:
        moved = np.linalg.norm(file.shapes["jawOpen"], axis=1)
        weights = np.zeros((n, 5))
        weights[:, 2] = (moved / max(float(np.quantile(moved[own.skin], 0.99)), 1e-9)).clip(0, 1)
        weights[:, 1] = 1 - weights[:, 2]
    else:
        weights = rig.weights
    for joint, eye in ((3, own.eyes[0]), (4, own.eyes[1])):
        weights[eye] = np.eye(5)[joint]
    faces, bary = _on_vertices(file.faces, file.marks)
    part = np.zeros(n, np.uint8)
    for flags, name in ((own.lower | own.upper, "teeth"), (own.tongue, "tongue")):
        part[flags] = PART_NAMES.index(name)
    return HeadModel(
        name="mesh", edition="0", v_template=file.v, faces=file.faces, shapedirs=np.zeros((n, 3, 1), np.float32),
        posedirs=np.zeros((n, 3, 36), np.float32), J_regressor=np.full((5, n), 1 / n), weights=weights, n_shape=0,
        expr_names=("nothing",), lmk_names=tuple(f"ibug_{k:02d}" for k in range(IBUG)), lmk_faces=faces, lmk_bary=bary, part=part)


def _on_vertices(faces: NDArray[np.int32], vertices: np.ndarray) -> tuple[NDArray[np.int64], Floats]:
    """Face and barycentric coordinates of points that are vertices."""
    order = np.argsort(faces.ravel(), kind="stable")
    at = order[np.searchsorted(faces.ravel()[order], vertices)]
    bary = np.zeros((len(vertices), 3))
    bary[np.arange(len(vertices)), at % 3] = 1
    return at // 3, bary


def _assemble(file: IctFile, own: OwnParts, rig: Rig, parts: AddedParts, default: HeadModel) -> HeadModel:
    n, extra, s = len(file.v), len(parts.v), len(file.identity)
    mesh = _mesh(file, own, rig)
    same = correspondence(mesh, default)
    shapedirs = np.zeros((n + extra, 3, s + len(EXPR_NAMES)))
    shapedirs[:n, :, :s], shapedirs[n:, :, :s] = file.identity.transpose(1, 2, 0), parts.identity.transpose(1, 2, 0)
    shapedirs[n:, :, s:] = parts.expression.transpose(1, 2, 0)
    for k, name in enumerate(EXPR_NAMES):
        if name in file.shapes:
            shapedirs[:n, :, s + k] = file.shapes[name]
    still = np.abs(shapedirs[:, :, s:]).max((0, 1)) == 0
    weights = np.concatenate([rig.weights, parts.weights])
    joints = np.concatenate([regressor(file, rig, own), np.zeros((5, extra))], 1)
    for joint, eye in ((3, own.eyes[0]), (4, own.eyes[1])):
        if not eye.any():
            joints[joint] = np.r_[np.zeros(n), default.J_regressor[joint, parts.origin]]
    part = np.r_[_parts(own, same, default), default.part[parts.origin]].astype(np.uint8)
    marks = _landmarks(file, parts, mesh, default)
    brow = same.carry_values(default.brow_weight) * (part[:n] == 0)
    return HeadModel(
        name="ict-facekit", edition="light" if n == 14062 else "ict-style", v_template=np.concatenate([file.v, parts.v]),
        faces=np.concatenate([file.faces, parts.faces + n]), shapedirs=shapedirs,
        posedirs=np.concatenate([rig.posedirs, parts.posedirs]), J_regressor=joints, weights=weights, n_shape=s,
        expr_names=EXPR_NAMES, lmk_names=tuple(marks), lmk_faces=np.array([f for f, _ in marks.values()]),
        lmk_bary=np.stack([b for _, b in marks.values()]), masks=_masks(part, weights, same, parts, default), part=part,
        brow_weight=np.r_[brow, np.zeros(extra)],
        meta={"source": "ICT-FaceKit, https://github.com/ICT-VGL/ICT-FaceKit" + (
                  "; eyeballs, teeth or tongue of the facelm default head (CC0)" if extra else ""),
              "license": "MIT", "arkit_angles": rig.angles, "jaw_side_forward": rig.forward_share,
              "missing": [name for name, zero in zip(EXPR_NAMES, still, strict=True) if zero],
              "report": {k: round(float(x), 4) for k, x in rig.report.items()}})


def _parts(own: OwnParts, same: Correspondence, default: HeadModel) -> NDArray[np.int64]:
    """(V,) index into PART_NAMES of the file's own vertices."""
    carried = same.carry_values(np.eye(len(PART_NAMES))[default.part]).argmax(1)
    soft = np.isin(carried, [PART_NAMES.index("lips"), PART_NAMES.index("mouth_inside")])
    out = np.where(soft, carried, 0)
    for flags, name in ((own.eyes[0] | own.eyes[1], "eyeball"), (own.lower | own.upper, "teeth"), (own.tongue, "tongue")):
        out[flags] = PART_NAMES.index(name)
    return np.asarray(out)


def _masks(part: NDArray[np.uint8], weights: Floats, same: Correspondence, parts: AddedParts, default: HeadModel,
           ) -> dict[str, NDArray[np.int32]]:
    """The default head's regions, carried over; lips are told apart by the jaw."""
    n = len(same.faces)
    out: dict[str, NDArray[np.int32]] = {}
    index = np.full(default.n_vertices, -1)
    index[parts.origin] = n + np.arange(len(parts.origin))
    for name, region in default.masks.items():
        added = index[region]
        out[name] = np.r_[same.carry_mask(region), added[added >= 0]].astype(np.int32)
    lips = out["lips"] = np.flatnonzero(part == PART_NAMES.index("lips")).astype(np.int32)
    out["mouth_inside"] = np.flatnonzero(part == PART_NAMES.index("mouth_inside")).astype(np.int32)
    out["lips_upper"], out["lips_lower"] = lips[weights[lips, 2] < 0.35], lips[weights[lips, 2] >= 0.35]
    return out


def _landmarks(file: IctFile, parts: AddedParts, mesh: HeadModel, default: HeadModel) -> dict[str, tuple[int, Floats]]:
    """The 68 iBUG points of the file, then the default head's extras: carried over the skin, or on the added parts."""
    out = {f"ibug_{k:02d}": at for k, at in enumerate(zip(*_on_vertices(file.faces, file.marks), strict=True))}
    index = np.full(default.n_vertices, -1)
    index[parts.origin] = np.arange(len(parts.origin))
    where = {tuple(sorted(f)): k for k, f in enumerate(parts.faces.tolist())}
    same = correspondence(default, mesh)
    label = labels(default)
    there = set(labels(mesh).tolist())
    for name, face, bary in zip(default.lmk_names, default.lmk_faces, default.lmk_bary.astype(np.float64), strict=True):
        corners = default.faces[face]
        if name in out:
            continue
        if name == "nose_tip":
            out[name] = out["ibug_30"]
        elif (index[corners] >= 0).all():
            k = where[tuple(sorted(index[corners].tolist()))]
            out[name] = (len(file.faces) + k, bary)
        elif int(label[corners[0]]) in there:
            faces, at = same.carry_points(np.array([face]), bary[None])
            out[name] = (int(faces[0]), at[0])
    return out
