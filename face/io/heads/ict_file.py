"""ICT-style head files: their arrays, read and checked."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...clip.arrays import read_npz
from ...clip.channels import ARKIT_52
from ...head.file import MAX_VERTICES
from ...head.model import IBUG
from .checks import indices, numbers

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_KEYS = ("v_template", "faces", "expression", "expression_names", "landmarks68")
_EYES = (0.04, 0.2)
"""m between the outer eye corners that a head can have."""


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
    marks: NDArray[np.int32]
    """(68,) vertices of the iBUG points."""


def arkit_name(name: str) -> str:
    """ARKit's name of an ICT expression: ``browDown_L`` is ``browDownLeft``, ``browInnerUp_L`` is ``browInnerUp``."""
    base, _, side = name.partition("_")
    word = {"L": "Left", "R": "Right", "": ""}.get(side)
    for candidate in (name, base + (word or ""), base):
        if word is not None and candidate in ARKIT_52:
            return candidate
    raise ValueError(f"expression {name!r} is no ARKit shape; known: ARKit's 52 names, or split ones such as browDown_L")


def read_ict(path: str | os.PathLike[str]) -> IctFile:
    """Read and check an ICT-style ``.npz``.

    It holds ``v_template (V,3)``, ``faces (F,3)``, ``expression (K,V,3)``, ``expression_names (K,)``, ``landmarks68 (68,)``
    vertex numbers, and optionally ``identity (S,V,3)``.
    """
    data = read_npz(path, "ICT-style head")
    missing = [k for k in _KEYS if k not in data]
    if missing:
        raise ValueError(f"{path}: no ICT-style head, {', '.join(missing)} missing (needed: {', '.join(_KEYS)})")
    v = numbers(path, data, "v_template")
    n = len(v) if v.ndim else 0
    if v.ndim != 2 or v.shape[1] != 3 or not 100 <= n <= MAX_VERTICES:
        raise ValueError(f"{path}: v_template has shape {v.shape}; needed (V, 3) with V from 100 to {MAX_VERTICES}")
    names = [str(x) for x in np.atleast_1d(data["expression_names"])]
    expression = numbers(path, data, "expression")
    if expression.shape != (len(names), n, 3):
        raise ValueError(f"{path}: expression has shape {expression.shape}; needed ({len(names)}, {n}, 3), as there are "
                         f"{len(names)} expression_names and {n} vertices")
    identity = numbers(path, data, "identity") if "identity" in data else np.zeros((0, n, 3))
    if identity.ndim != 3 or identity.shape[1:] != (n, 3):
        raise ValueError(f"{path}: identity has shape {identity.shape}; needed (S, {n}, 3)")
    faces, marks = indices(path, data, "faces", n), indices(path, data, "landmarks68", n)
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
    return IctFile(scale * v, faces, scale * identity, shapes, marks)


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
