"""ICT-FaceKit (and heads laid out like it) in FLAME's layout, with ARKit-named expressions and joints.

ICT-FaceKit is a morphable head of USC's Institute for Creative Technologies, MIT licence
(https://github.com/ICT-VGL/ICT-FaceKit; Li et al., "Learning Formation of Physically-Based Face Attributes",
CVPR 2020, https://arxiv.org/abs/2004.03458). Its 53 expressions are ARKit's, some split into sides, and everything
is a blend shape; here the jaw and the eyes become joints (face/io/heads/ict_rig.py), and what the file lacks, eyeballs,
teeth and a tongue, is the default head's (CC0), placed by landmarks (face/io/heads/ict_parts.py).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...clip.arrays import read_npz
from ...clip.channels import ARKIT_52, EXPR_NAMES
from ...head.correspond import Correspondence, correspondence
from ...head.file import MAX_VERTICES
from ...head.model import IBUG, PART_NAMES, HeadModel
from ...head.surface import labels
from .ict_parts import AddedParts, added_parts
from .ict_rig import OwnParts, Rig, fit_rig, own_parts, regressor

Floats = NDArray[np.float64]

_KEYS = ("v_template", "faces", "expression", "expression_names", "landmarks68")
_EYES = (0.04, 0.2)
"""m between the outer eye corners of a believable head."""


@dataclass(frozen=True)
class IctFile:
    """The arrays of an ICT file in metres, y up, facing +z, the origin as the default head's."""

    v: Floats
    """(V, 3) m."""
    faces: NDArray[np.int32]
    """(F, 3)."""
    identity: Floats
    """(S, V, 3) m a unit."""
    shapes: dict[str, Floats]
    """ARKit name -> (V, 3) m; sides that ARKit does not know are summed."""
    marks: NDArray[np.int64]
    """(68,) vertices of the iBUG points."""


def arkit_name(name: str) -> str:
    """ARKit's name of an ICT expression: ``browDown_L`` is ``browDownLeft``, ``browInnerUp_L`` is ``browInnerUp``.

    Raises:
        ValueError: ARKit has no such shape.
    """
    base, _, side = name.partition("_")
    word = {"L": "Left", "R": "Right", "": ""}.get(side)
    for candidate in (name, base + (word or ""), base):
        if word is not None and candidate in ARKIT_52:
            return candidate
    raise ValueError(f"expression {name!r} is no ARKit shape; known: ARKit's 52 names, or split ones such as browDown_L")


def read_ict(path: str | os.PathLike[str]) -> IctFile:
    """Read and check an ICT-style ``.npz``: ``v_template (V,3)``, ``faces (F,3)``, ``expression (K,V,3)``,
    ``expression_names (K,)``, ``landmarks68 (68,)`` vertex numbers, and optionally ``identity (S,V,3)``.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: arrays are missing or do not fit each other, or the head does not stand upright facing +z.
    """
    data = read_npz(path, "ICT-style head")
    missing = [k for k in _KEYS if k not in data]
    if missing:
        raise ValueError(f"{path}: no ICT-style head, {', '.join(missing)} missing (needed: {', '.join(_KEYS)})")
    v = _numbers(path, data, "v_template")
    n = len(v) if v.ndim else 0
    if v.ndim != 2 or v.shape[1] != 3 or not 100 <= n <= MAX_VERTICES:
        raise ValueError(f"{path}: v_template has shape {v.shape}; needed (V, 3) with V from 100 to {MAX_VERTICES}")
    names = [str(x) for x in np.atleast_1d(data["expression_names"])]
    expression = _numbers(path, data, "expression")
    if expression.shape != (len(names), n, 3):
        raise ValueError(f"{path}: expression has shape {expression.shape}; needed ({len(names)}, {n}, 3), as there are "
                         f"{len(names)} expression_names and {n} vertices")
    identity = _numbers(path, data, "identity") if "identity" in data else np.zeros((0, n, 3))
    if identity.ndim != 3 or identity.shape[1:] != (n, 3):
        raise ValueError(f"{path}: identity has shape {identity.shape}; needed (S, {n}, 3)")
    faces, marks = _whole(path, data, "faces", n), _whole(path, data, "landmarks68", n)
    if faces.ndim != 2 or faces.shape[1] != 3 or marks.shape != (IBUG,):
        raise ValueError(f"{path}: faces has shape {faces.shape} and landmarks68 {marks.shape}; needed (F, 3) and ({IBUG},)")
    if len(set(np.unique(faces)) & set(marks.tolist())) < len(set(marks.tolist())):
        raise ValueError(f"{path}: some of landmarks68 lie on vertices that no face uses")
    scale = _scale(path, v[marks])
    shapes: dict[str, Floats] = {}
    for name, shape in zip(names, expression, strict=True):
        try:
            key = arkit_name(name)
        except ValueError as err:
            raise ValueError(f"{path}: {err}") from None
        shapes[key] = shapes.get(key, 0.0) + scale * shape
    if "jawOpen" not in shapes:
        raise ValueError(f"{path}: there is no jawOpen expression; the jaw joint is fitted to it")
    return IctFile(scale * v, faces.astype(np.int32), scale * identity, shapes, marks)


def _numbers(path: object, data: dict[str, np.ndarray], key: str) -> Floats:
    if data[key].dtype.kind not in "fiu":
        raise ValueError(f"{path}: {key} holds {data[key].dtype}; needed: numbers")
    out = data[key].astype(np.float64)
    if not np.isfinite(out).all():
        raise ValueError(f"{path}: {key} holds values that are not finite")
    return np.asarray(out)


def _whole(path: object, data: dict[str, np.ndarray], key: str, top: int) -> NDArray[np.int64]:
    if data[key].dtype.kind not in "iu":
        raise ValueError(f"{path}: {key} holds {data[key].dtype}; needed: whole numbers")
    out = data[key].astype(np.int64)
    if out.size and (out.min() < 0 or out.max() >= top):
        raise ValueError(f"{path}: {key} holds {int(out.min())}..{int(out.max())}; allowed: 0..{top - 1}")
    return out


def _scale(path: object, marks: Floats) -> float:
    """Metres per unit of the file (ICT uses centimetres), and a check of the axes."""
    size = float(np.linalg.norm(marks[45] - marks[36]))
    units = [s for s in (1.0, 0.01, 0.001) if _EYES[0] <= s * size <= _EYES[1]]
    if not units:
        raise ValueError(f"{path}: {size:.4g} units between the outer eye corners fit neither metres, centimetres "
                         "nor millimetres")
    left, up, ahead = marks[45, 0] - marks[36, 0], marks[27, 1] - marks[8, 1], marks[30, 2] - marks[[0, 16], 2].mean()
    if min(left, up, ahead) < 0.3 * size:
        raise ValueError(f"{path}: the landmarks do not stand upright facing +z with the subject's left at +x; "
                         "turn the head to these axes first")
    return units[0]


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
    marks = _landmarks(file, own, parts, mesh, default)
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


def _landmarks(file: IctFile, own: OwnParts, parts: AddedParts, mesh: HeadModel, default: HeadModel,
               ) -> dict[str, tuple[int, Floats]]:
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
