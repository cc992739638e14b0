"""Landmark embeddings and region masks that come beside FLAME, in the forms in which people have them.

- ``landmark_embedding.npy`` of DECA (https://github.com/yfeng95/DECA, used by SMIRK, EMOCA and VHAP too): a pickled
  dict in an array, with all 68 points (``full_lmk_faces_idx``) and the contour for each head angle (``dynamic_*``).
- ``flame_static_embedding.pkl`` (https://github.com/soubhiksanyal/FLAME_PyTorch): the 51 points without the contour.
- ``FLAME_masks.pkl`` (https://flame.is.tue.mpg.de): vertex numbers of regions.

All are read by the allow-list reader; nothing in them runs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import RBFInterpolator

from ...clip.rotation import similarity
from ...head.model import IBUG, HeadModel
from ...head.surface import closest_on_triangles
from .safe_pickle import read_data

INNER = 51
"""iBUG points without the contour of the face, 17..67."""
MASK_NAMES: dict[str, str] = {
    "left_eyeball": "eyeball_left", "right_eyeball": "eyeball_right", "left_ear": "ear_left", "right_ear": "ear_right",
    "left_eye_region": "eye_region_left", "right_eye_region": "eye_region_right",
}
"""FLAME's mask names that have another one here; the others (lips, nose, neck, forehead, face, ...) are kept."""


@dataclass(frozen=True)
class Embedding68:
    """The 68 iBUG points on a mesh."""

    faces: np.ndarray
    """(68,) int32"""
    bary: np.ndarray
    """(68, 3) float32"""
    source: str
    """In words: which file, and where the contour comes from."""


def read_embedding(path: str | os.PathLike[str], v_template: np.ndarray, faces: np.ndarray) -> Embedding68:
    """The 68 points of a landmark file on the mesh ``v_template (V,3)``, ``faces (F,3)``.

    A file with the 51 inner points only gets its 17 contour points from the default head's, carried over by a smooth
    warp between the inner points and laid on the nearest surface: 2.7 mm off on average over random identities of the
    default head. Annotators differ more than that: ICT-FaceKit's own contour lies 6 mm away seen from the front, and
    20 mm further forward on the cheek.
    """
    content = read_data(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path}: no landmark embedding but a {type(content).__name__}")
    if {"full_lmk_faces_idx", "full_lmk_bary_coords"} <= set(content):
        index, bary = _pair(path, content, "full_lmk_faces_idx", "full_lmk_bary_coords", len(faces))
        if len(index) < IBUG:
            raise ValueError(f"{path}: full_lmk_faces_idx has {len(index)} points; needed {IBUG}")
        return Embedding68(index[:IBUG].astype(np.int32), bary[:IBUG].astype(np.float32), "68 points of the given file")
    if {"lmk_faces_idx", "lmk_bary_coords"} <= set(content) or {"static_lmk_faces_idx", "static_lmk_bary_coords"} <= set(content):
        prefix = "static_" if "static_lmk_faces_idx" in content else ""
        names = (f"{prefix}lmk_faces_idx", f"{prefix}lmk_bary_coords")
    elif {"lmk_face_idx", "lmk_b_coords"} <= set(content):
        names = ("lmk_face_idx", "lmk_b_coords")
    else:
        raise ValueError(f"{path}: no landmark embedding; its keys are {_keys(content)}; known: full_lmk_faces_idx and "
                         "full_lmk_bary_coords (landmark_embedding.npy), lmk_face_idx and lmk_b_coords (static embedding)")
    if "landmark_indices" in content:
        raise ValueError(f"{path}: this is the MediaPipe embedding; give the 68-point landmark_embedding.npy or "
                         "flame_static_embedding.pkl")
    index, bary = _pair(path, content, *names, len(faces))
    if len(index) == IBUG:
        return Embedding68(index.astype(np.int32), bary.astype(np.float32), "68 points of the given file")
    if len(index) != INNER:
        raise ValueError(f"{path}: {len(index)} landmarks; needed {INNER} (without the contour) or {IBUG}")
    inner = np.einsum("lkc,lk->lc", v_template[faces[index]], bary)
    rim_index, rim_bary = contour(inner, v_template, faces)
    return Embedding68(np.r_[rim_index, index].astype(np.int32), np.r_[rim_bary, bary].astype(np.float32),
                       "51 points of the given file, the 17 contour points carried over from the default head")


def contour(inner: np.ndarray, v_template: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 17 contour points on a mesh, from its 51 inner landmarks ``(51, 3)``: faces (17,), barycentric (17, 3)."""
    default = HeadModel.default()
    order = [default.landmark_index(f"ibug_{k:02d}") for k in range(IBUG)]
    own = default.landmarks(default.v_template[None])[0][order].astype(np.float64)
    fit = similarity(own[IBUG - INNER:], inner)
    moved = fit(own)
    # Stiff, so that the warp follows the proportions of the face and not the details of the lips.
    warp = RBFInterpolator(moved[IBUG - INNER:], inner - moved[IBUG - INNER:], kernel="linear", smoothing=0.05)
    rim = moved[: IBUG - INNER] + warp(moved[: IBUG - INNER])
    tri = v_template[faces].astype(np.float64)
    centres, reach = tri.mean(1), np.linalg.norm(tri - tri.mean(1, keepdims=True), axis=2).max(1)
    index, bary = np.zeros(len(rim), np.int64), np.zeros((len(rim), 3))
    for k, point in enumerate(rim):
        far = np.linalg.norm(centres - point, axis=1)
        near = np.flatnonzero(far - reach <= (far + reach).min())
        weights = closest_on_triangles(np.repeat(point[None], len(near), 0), tri[near])
        gap = np.linalg.norm(np.einsum("fk,fkc->fc", weights, tri[near]) - point, axis=1)
        best = int(np.argmin(gap))
        index[k], bary[k] = near[best], weights[best]
    return index, bary


def read_masks(path: str | os.PathLike[str], vertices: int) -> dict[str, np.ndarray]:
    """Region name -> vertex numbers ``(n,)`` int32 of a mask file."""
    content = read_data(path)
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path}: no region masks; needed: a dict of region names and vertex numbers (FLAME_masks.pkl)")
    out = {}
    for name, index in content.items():
        found = np.asarray(index)
        if not isinstance(name, str) or found.ndim != 1 or found.dtype.kind not in "iu":
            raise ValueError(f"{path}: mask {str(name)[:40]!r} is no list of vertex numbers")
        if found.size and (found.min() < 0 or found.max() >= vertices):
            raise ValueError(f"{path}: mask {name!r} names vertex {int(found.max())}; the head has {vertices}")
        out[MASK_NAMES.get(name, name)] = np.unique(found).astype(np.int32)
    return out


def _pair(path: object, content: dict[str, Any], index_name: str, bary_name: str, top: int) -> tuple[np.ndarray, np.ndarray]:
    """Face numbers (L,) and barycentric coordinates (L, 3), without a leading axis of one."""
    index, bary = np.asarray(content[index_name]), np.asarray(content[bary_name])
    if index.dtype.kind not in "iuf" or bary.dtype.kind not in "iuf":
        raise ValueError(f"{path}: {index_name} and {bary_name} hold no numbers")
    index, bary = index.reshape(-1), bary.reshape(-1, 3) if bary.size % 3 == 0 else bary
    if bary.shape != (len(index), 3) or not len(index):
        raise ValueError(f"{path}: {index_name} has {index.size} entries and {bary_name} {bary.size}; needed L and 3 L")
    if (index != np.floor(index)).any() or index.min() < 0 or index.max() >= top:
        raise ValueError(f"{path}: {index_name} names face {index.max():g}; the head has {top}: it belongs to another mesh")
    if not np.isfinite(bary).all() or np.abs(bary.sum(1) - 1).max() > 0.02:
        raise ValueError(f"{path}: {bary_name} holds barycentric coordinates that do not sum to 1")
    return index.astype(np.int64), bary / bary.sum(1, keepdims=True)


def _keys(content: dict[Any, Any]) -> str:
    names = sorted(str(k)[:40] for k in content)
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "") or "(none)"
