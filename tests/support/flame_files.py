"""Writes any head in FLAME's own file layout, as FLAME files come and as tools made for FLAME load them."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from facelm.face.head.model import IBUG, HeadModel

FLAME_SHAPE, FLAME_EXPR = 300, 100
PARENT_TABLE = np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]], dtype=np.uint32)
"""FLAME's ``kintree_table``: parents (the root's is -1 as unsigned) and joint numbers."""


@dataclass(frozen=True)
class FlameExport:
    """The files written: the model and the landmark embedding that FLAME tools ask for beside it."""

    model: Path
    landmarks: Path


def export_flame_layout(head: HeadModel, path: str | os.PathLike[str]) -> FlameExport:
    """Write ``head`` as a FLAME model file.

    Identity columns are padded with zeros to 300 and expression columns to 100, as in FLAME 2020.  Beside the
    model goes ``flame_static_embedding.pkl`` with landmarks 17..67 (FLAME's 51 static ones).  Both are pickles
    of plain NumPy arrays, because that is what the readers expect (``smplx.FLAME``, DECA, VHAP).
    Layout: https://flame.is.tue.mpg.de and https://github.com/vchoutas/smplx.

    Args:
        head: at most 300 identity and 100 expression columns.
        path: the ``.pkl`` to write; for ``smplx.create(folder, model_type="flame")`` it has to be
            ``folder/flame/FLAME_NEUTRAL.pkl``.

    Raises:
        ValueError: more columns than FLAME's layout holds, or not a ``.pkl`` path.
    """
    target = Path(path)
    if target.suffix != ".pkl":
        raise ValueError(f"a FLAME file ends in .pkl, not {target.name!r}")
    if head.n_shape > FLAME_SHAPE or head.n_expr > FLAME_EXPR:
        raise ValueError(f"head {head.name!r} has {head.n_shape}+{head.n_expr} columns; FLAME's layout holds "
                         f"{FLAME_SHAPE}+{FLAME_EXPR}")
    shapedirs = np.zeros((head.n_vertices, 3, FLAME_SHAPE + FLAME_EXPR), np.float64)
    shapedirs[:, :, : head.n_shape] = head.shapedirs[:, :, : head.n_shape]
    shapedirs[:, :, FLAME_SHAPE: FLAME_SHAPE + head.n_expr] = head.shapedirs[:, :, head.n_shape:]
    model = {
        "v_template": head.v_template.astype(np.float64), "f": head.faces.astype(np.uint32),
        "shapedirs": shapedirs, "posedirs": head.posedirs.astype(np.float64),
        "J_regressor": head.J_regressor.astype(np.float64), "weights": head.weights.astype(np.float64),
        "kintree_table": PARENT_TABLE, "J": head.joints().astype(np.float64),
        "bs_style": "lbs", "bs_type": "lrotmin",
    }
    static = slice(17, IBUG) if len(head.lmk_names) >= IBUG else slice(0, 0)
    embedding = {"lmk_face_idx": head.lmk_faces[static].astype(np.int64),
                 "lmk_b_coords": head.lmk_bary[static].astype(np.float64)}
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name("flame_static_embedding.pkl")
    for where, content in ((target, model), (beside, embedding)):
        with open(where, "wb") as handle:
            pickle.dump(content, handle, protocol=4)
    return FlameExport(target, beside)
