"""Imports a user's FLAME file (2020, 2023, 2023 Open) and other heads in its layout as a HeadModel.

FLAME: Li et al., "Learning a model of facial shape and expression from 4D scans", SIGGRAPH Asia 2017,
https://doi.org/10.1145/3130800.3130813; files from https://flame.is.tue.mpg.de under its licences.  No FLAME file
belongs to facelm; the imported head stays under the licence of the download.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ....common.files import file_digest, naming
from ...clip.channels import PARENTS
from ...head.file import FORMAT, MAX_VERTICES
from ...head.model import IBUG, PART_NAMES, HeadModel
from .checks import indices, numbers
from .flame_landmarks import Embedding68, read_embedding, read_masks
from .ict import convert_ict
from .safe_pickle import read_data

FLAME_VERTICES, FLAME_FACES = 5023, 9976
FLAME_SHAPE, FLAME_COLUMNS = 300, 400
"""Identity columns, and all columns, of every public FLAME file."""
KEYS = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
EYELIDS = ("eyelid_left", "eyelid_right")
"""Names of the two extra expression columns that ``eyelids`` adds."""
EDITIONS = {"2023open": "FLAME 2023 Open", "2023": "FLAME 2023", "2020": "FLAME 2020", "2019": "FLAME 2019", "2017": "FLAME 2017"}
"""By what the name of the file or of its folder holds, in lower case without separators."""
LICENCE = "https://flame.is.tue.mpg.de/modellicense.html"
NEEDS_LANDMARKS = "measure, describe, fit, retarget, and everything built on them"


Source = str | os.PathLike[str]


class _Edition(NamedTuple):
    name: str
    licence: str
    known_by: str


def import_head(path: Source, landmarks: Source | None = None, masks: Source | None = None,
                eyelids: tuple[Source, Source] | None = None, edition: str | None = None) -> HeadModel:
    """Take over a head of any known kind, recognised by content: FLAME, ICT-FaceKit, or a facelm head.

    The options are for FLAME files; the others bring all they need.

    Args:
        path: ``generic_model.pkl``, ``flame2023.pkl``, ``flame2023_Open.pkl``, or the same keys in an ``.npz``;
            an ICT-style ``.npz``; a head file of facelm.
        landmarks: ``landmark_embedding.npy`` or ``flame_static_embedding.pkl`` (face/io/heads/flame_landmarks.py). Without it
            the head has no landmarks, and what measures or fits faces refuses it.
        masks: ``FLAME_masks.pkl``.
        eyelids: the blend shapes of the left and the right lid, ``(V, 3)`` each (``l_eyelid.npy``, ``r_eyelid.npy``
            of SMIRK or metrical-tracker); they become two expression columns, since FLAME itself has no blink.
        edition: what to call it; default: read off the names of the file and its folder.

    Returns:
        The head; of FLAME with columns ``expr_000...`` and identity columns as in the file, source and sha256 in ``meta``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no head that is known, damaged, or hostile; nothing in it is run.
    """
    with naming(path), np.errstate(all="ignore"):
        return _import(Path(path), landmarks, masks, eyelids, edition)


def _import(where: Path, landmarks: Source | None, masks: Source | None, eyelids: tuple[Source, Source] | None,
            edition: str | None) -> HeadModel:
    content = read_data(where)
    if not isinstance(content, dict):
        raise ValueError(f"{where}: no head but a {type(content).__name__}; known: FLAME files (.pkl), ICT-FaceKit (.npz)")
    kind = ("a facelm head" if str(content.get("format")) == FORMAT else
            "an ICT-FaceKit head" if {"v_template", "faces", "expression", "expression_names"} <= set(content) else "")
    if not kind:
        return _flame(where, content, landmarks, masks, eyelids, edition)
    given = [n for n, v in (("landmarks", landmarks), ("masks", masks), ("eyelids", eyelids), ("edition", edition)) if v]
    if given:
        raise ValueError(f"{where} is {kind}, which brings its own; --{given[0]} is for FLAME files")
    return HeadModel.load(where) if kind == "a facelm head" else convert_ict(where)


def _flame(where: Path, content: dict[Any, Any], landmarks: Source | None, masks: Source | None,
           eyelids: tuple[Source, Source] | None, edition: str | None) -> HeadModel:
    missing = [k for k in KEYS if k not in content]
    if missing:
        known = ", ".join(sorted(str(k)[:30] for k in content)[:10]) or "(none)"
        raise ValueError(f"{where}: not a FLAME model: {', '.join(missing)} missing; its keys are {known}")
    notes: list[str] = []
    v = numbers(where, content, "v_template")
    if v.ndim != 2 or v.shape[1] != 3 or not 4 <= len(v) <= MAX_VERTICES:
        raise ValueError(f"{where}: v_template has shape {v.shape}; needed (V, 3)")
    n = len(v)
    faces = indices(where, content, "f", n)
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(f"{where}: f has shape {faces.shape}; needed (F, 3)")
    shapedirs = numbers(where, content, "shapedirs")
    if shapedirs.shape != (n, 3, FLAME_COLUMNS):
        raise ValueError(f"{where}: shapedirs has shape {shapedirs.shape}; needed ({n}, 3, {FLAME_COLUMNS}): {FLAME_SHAPE} "
                         f"identity and {FLAME_COLUMNS - FLAME_SHAPE} expression columns. SMPL and SMPL-X bodies are no heads")
    posedirs = numbers(where, content, "posedirs")
    if posedirs.size != n * 108:
        raise ValueError(f"{where}: posedirs has {posedirs.size} entries; needed ({n}, 3, 36)")
    _check_tree(where, content)
    weights = _rows(where, "weights", numbers(where, content, "weights"), (n, 5), notes)
    if weights.min() < -1e-3:
        raise ValueError(f"{where}: weights go down to {weights.min():.3g}; skinning weights are not negative")
    weights = _rows(where, "weights", weights.clip(0), (n, 5), notes)
    regressor = _rows(where, "J_regressor", numbers(where, content, "J_regressor"), (5, n), notes)
    _check_joints(where, content, regressor @ v, v, notes)
    names = [f"expr_{k:03d}" for k in range(FLAME_COLUMNS - FLAME_SHAPE)]
    if eyelids is not None:
        shapedirs = np.concatenate([shapedirs, *(_lid(p, n) for p in eyelids)], 2)
        names += EYELIDS
    marks = (read_embedding(landmarks, v, faces) if landmarks is not None
             else Embedding68(np.zeros(0, np.int32), np.zeros((0, 3), np.float32), "none"))
    regions = read_masks(masks, n) if masks is not None else {}
    for joint, name in ((3, "eyeball_left"), (4, "eyeball_right")):
        regions.setdefault(name, np.flatnonzero(weights[:, joint] > 0.5).astype(np.int32))
    part = np.zeros(n, np.uint8)
    if "lips" in regions:
        part[regions["lips"]] = PART_NAMES.index("lips")
    for name in ("eyeball_left", "eyeball_right"):
        part[regions[name]] = PART_NAMES.index("eyeball")
    called, licence, known_by = _edition(where, n, len(faces), edition)
    meta = {"license": licence, "source": where.name, "source_sha256": file_digest(where),
            "edition_known_by": known_by, "landmarks": marks.source, "notes": notes}
    return HeadModel(
        name="flame" if (n, len(faces)) == (FLAME_VERTICES, FLAME_FACES) else "flame_layout", edition=called,
        v_template=v, faces=faces, shapedirs=shapedirs, posedirs=posedirs.reshape(n, 3, 36), J_regressor=regressor,
        weights=weights, n_shape=FLAME_SHAPE, expr_names=tuple(names),
        lmk_names=tuple(f"ibug_{k:02d}" for k in range(len(marks.faces))),
        lmk_faces=marks.faces, lmk_bary=marks.bary, masks=regions, part=part, meta=meta)


# -- checks ---------------------------------------------------------------------------------
def _rows(where: Path, key: str, array: np.ndarray, shape: tuple[int, int], notes: list[str]) -> np.ndarray:
    """Rows that sum to 1; small rounding is undone and noted."""
    if array.shape != shape:
        raise ValueError(f"{where}: {key} has shape {array.shape}; needed {shape}")
    total = array.sum(1, keepdims=True)
    worst = float(np.abs(total - 1).max())
    if worst > 0.05:
        raise ValueError(f"{where}: {key} has a row that sums to {float(total[np.abs(total - 1).argmax(), 0]):.3g}; needed 1")
    if worst > 1e-3:
        notes.append(f"the rows of {key} missed a sum of 1 by up to {worst:.2g} and were scaled")
    return array / total


def _check_tree(where: Path, content: dict[Any, Any]) -> None:
    table = np.asarray(content["kintree_table"])
    if table.shape != (2, 5) or table.dtype.kind not in "iuf":
        raise ValueError(f"{where}: kintree_table has shape {table.shape}; needed (2, 5): global, neck, jaw, two eyes")
    parents = tuple(int(p) for p in table[0, 1:])
    if parents != PARENTS[1:]:
        raise ValueError(f"{where}: the joints hang on {list(parents)}; needed {list(PARENTS[1:])}: neck on the root, "
                         "jaw and eyes on the neck")


def _check_joints(where: Path, content: dict[Any, Any], joints: np.ndarray, v: np.ndarray, notes: list[str]) -> None:
    """Units and axes: metres, y up, the left eye at +x in front of the neck."""
    size = float(np.ptp(v[:, 1]))
    if not 0.1 <= size <= 1.0:
        raise ValueError(f"{where}: the head is {size:.3g} units high; needed metres (0.1 to 1)")
    if joints[3, 0] <= joints[4, 0] or joints[3:, 1].min() <= joints[1, 1]:
        raise ValueError(f"{where}: the eye joints do not stand above the neck with the left one at +x; turn the head to y up, "
                         "facing +z first")
    stored = content.get("J")
    if isinstance(stored, np.ndarray) and stored.shape == (5, 3) and stored.dtype.kind == "f" and np.isfinite(stored).all():
        off = float(np.abs(stored - joints).max())
        if off > 2e-3:
            notes.append(f"J_regressor gives joints {1000 * off:.1f} mm off the J that the file stores; J_regressor is used")


def _lid(path: Source, n: int) -> np.ndarray:
    array = read_data(path)
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or array.size != n * 3 or not np.isfinite(array).all():
        raise ValueError(f"{path}: no eyelid blend shape; needed an array of shape ({n}, 3)")
    return array.reshape(n, 3, 1).astype(np.float64)


def _edition(where: Path, vertices: int, faces: int, given: str | None) -> _Edition:
    """Which FLAME: the files carry no version, so the names tell, and the record says so."""
    if given:
        return _Edition(given, "that of the download", "the user")
    if (vertices, faces) != (FLAME_VERTICES, FLAME_FACES):
        return _Edition("FLAME layout", "that of the source", f"{vertices} vertices and {faces} faces, which is not FLAME's mesh")
    for name in (where.name, where.resolve().parent.name):
        plain = "".join(c for c in name.lower() if c.isalnum())
        for word, edition in EDITIONS.items():
            if word in plain:
                return _Edition(edition, "CC-BY-4.0" if word == "2023open" else f"FLAME licence (non-commercial), {LICENCE}",
                                f"the name {name!r}")
    return _Edition("FLAME, unknown edition", f"FLAME licence, {LICENCE}", "the mesh; no name tells the year")


def describe_import(head: HeadModel) -> list[str]:
    """Say in a few lines what was imported and what it lacks."""
    known = head.meta.get("edition_known_by", "its file")
    lines = [f"{head.name}, {head.edition} (known by {known}): {head.n_vertices} vertices, {len(head.faces)} faces, "
             f"{head.n_shape} identity and {head.n_expr} expression columns",
             f"sha256 of the head {head.sha256[:16]}..., of the source {str(head.meta.get('source_sha256', 'unknown'))[:16]}...",
             f"licence: {head.meta.get('license', 'unknown')}"]
    if len(head.lmk_names) < IBUG:
        lines.append(f"no landmarks: {NEEDS_LANDMARKS} need them; import again with --landmarks landmark_embedding.npy "
                     "(beside DECA, SMIRK or VHAP) or flame_static_embedding.pkl")
    lines += [str(note) for note in head.meta.get("notes", [])]
    return lines
