"""FLAME parameters under the names of VHAP, DECA, EMOCA and SMIRK, as npz; the names are those of ``convert/flame.py``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ....common.files import atomic_file
from ...head.model import HeadModel
from ..convert.flame import DECA, EMOCA, SMIRK, FlameFormat
from ..heads.flame import EYELIDS
from .base import Job

_WIDTHS = {DECA.name: (50, 100), EMOCA.name: (50, 100), SMIRK.name: (50, 300)}
"""Expression and identity coefficients that each tool estimates."""


def is_flame(head: HeadModel) -> bool:
    """Whether a head's expression columns are FLAME's."""
    return head.n_expr > 0 and head.expr_names[0] == "expr_000"


def _fitted(array: np.ndarray, width: int, name: str, job: Job) -> np.ndarray:
    """Cut or padded with zeros to the tool's number of coefficients; what is cut off is said."""
    if (lost := float(np.abs(array[..., width:]).max(initial=0.0))) > 0:
        job.notes.append(f"{name} has {array.shape[-1]} coefficients, the format {width}: the rest (up to {lost:.2f}) is cut off")
    array = array[..., :width]
    return np.concatenate([array, np.zeros((*array.shape[:-1], width - array.shape[-1]))], -1).astype(np.float32)


def _save(path: Path, content: dict[str, Any]) -> None:
    with atomic_file(path) as partial, open(partial, "wb") as handle:
        np.savez_compressed(handle, **content)


def write_vhap(job: Job, path: Path) -> None:
    """VHAP and GaussianAvatars: every channel of a clip has its place."""
    seq = job.seq
    plain = [k for k, n in enumerate(job.head.expr_names) if n not in EYELIDS]
    if len(plain) < job.head.n_expr and seq.expr[:, len(plain):].any():
        job.notes.append("the eyelid columns are left out: VHAP has none")
    _save(path, {"expr": seq.expr[:, plain], "shape": _fitted(seq.shape, job.head.n_shape, "shape", job),
                 **{k: getattr(seq, k) for k in ("rotation", "neck_pose", "jaw_pose", "eyes_pose", "translation")},
                 "static_offset": np.zeros((1, job.head.n_vertices, 3), np.float32), "fps": np.float64(seq.fps)})


def write_tracked(kind: FlameFormat, job: Job, path: Path) -> None:
    """DECA, EMOCA or SMIRK: expression, identity, one turn of the whole head, and jaw."""
    seq, (expr_width, shape_width) = job.seq, _WIDTHS[kind.name]
    lost = [what for what, there in (("the turn of the eyes", seq.eyes_pose.any()), ("the head's place", seq.translation.any()))
            if there]
    if lost:
        job.notes.append(f"{' and '.join(lost)} {'are' if len(lost) > 1 else 'is'} left out: {kind.name} has none")
    if seq.neck_pose.any():
        job.notes.append("the neck's turn is part of the global rotation")
    plain = [k for k, n in enumerate(job.head.expr_names) if n not in EYELIDS]
    turn = job.turns.as_rotvec().astype(np.float32)
    content: dict[str, Any] = {
        kind.expr: _fitted(seq.expr[:, plain], expr_width, "expression", job),
        kind.shape: np.repeat(_fitted(seq.shape, shape_width, "identity", job)[None], len(seq), 0),
        kind.rotation: turn if kind.jaw else np.c_[turn, seq.jaw_pose], "fps": np.float64(seq.fps)}
    if kind.jaw:
        content[kind.jaw] = seq.jaw_pose
    if set(EYELIDS) <= set(job.head.expr_names):
        lids = seq.expr[:, [job.head.expr_names.index(n) for n in EYELIDS]]
        if kind.eyelids:
            content[kind.eyelids] = lids
        elif lids.any():
            job.notes.append(f"the eyelid columns are left out: {kind.name} has none")
    _save(path, content)


write_deca, write_emoca, write_smirk = (partial(write_tracked, kind) for kind in (DECA, EMOCA, SMIRK))
