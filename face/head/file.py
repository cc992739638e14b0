"""Reading, writing and checking head files: one ``.npz``, nothing pickled.

A head's fields are the constructor arguments of :class:`facelm.face.head.model.HeadModel`, by name.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...common.files import atomic_file
from ..clip.arrays import read_npz

FORMAT = "facelm-head-1"
MAX_VERTICES, MAX_COLUMNS = 200_000, 2_000
_TENSORS = ("shapedirs", "posedirs")
_PLAIN = ("v_template", "faces", "weights", "J_regressor", "lmk_faces", "lmk_bary", "part", "brow_weight")
_TEXTS = ("expr_names", "lmk_names", "part_names")
Fields = Mapping[str, Any]


def content_hash(head: Fields) -> str:
    """sha256 (hex) of the head's canonical bytes: every array as little-endian C order, with names and shapes.

    It does not depend on how the file was compressed, so a rebuilt or re-saved head keeps its identity.
    """
    digest = hashlib.sha256()

    def add(name: str, value: np.ndarray) -> None:
        little = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name}:{little.dtype.str}:{little.shape};".encode())
        digest.update(little.tobytes())

    digest.update(json.dumps([FORMAT, head["name"], head["edition"], head["n_shape"], *(list(head[k]) for k in _TEXTS)]).encode())
    for name in ("v_template", "faces", "shapedirs", "posedirs", "J_regressor", "weights",
                 "lmk_faces", "lmk_bary", "part", "brow_weight"):
        add(name, head[name])
    for name in sorted(head["masks"]):
        add(name, head["masks"][name])
    return digest.hexdigest()


def _pack(name: str, tensor: np.ndarray, step: float) -> dict[str, np.ndarray]:
    """Columns of ``(V,3,K)`` as the vertices they move and int16 multiples of a step per column."""
    index: list[np.ndarray] = []
    values: list[np.ndarray] = []
    start, scale = [0], []
    for k in range(tensor.shape[2]):
        column = tensor[:, :, k].astype(np.float64)
        unit = np.float32(max(step, np.abs(column).max(initial=0.0) / 32767))
        whole = np.rint(column / float(unit)).astype(np.int16)
        rows = np.flatnonzero(whole.any(1))
        index.append(rows)
        values.append(whole[rows])
        start.append(start[-1] + len(rows))
        scale.append(unit)
    kind = np.uint16 if tensor.shape[0] <= 65536 else np.uint32
    return {
        f"{name}_index": np.concatenate([np.zeros(0, np.int64), *index]).astype(kind),
        f"{name}_values": np.concatenate([np.zeros((0, 3), np.int16), *values]).T.copy(),
        f"{name}_start": np.array(start, np.int32),
        f"{name}_scale": np.array(scale, np.float32),
    }


def _unpack(name: str, data: dict[str, np.ndarray], vertices: int, where: str) -> np.ndarray:
    index, values = data[f"{name}_index"], data[f"{name}_values"]
    start, scale = data[f"{name}_start"].astype(np.int64), data[f"{name}_scale"]
    columns = len(scale)
    if (start.ndim != 1 or len(start) != columns + 1 or (np.diff(start) < 0).any() or start[0] != 0
            or start[-1] != len(index) or values.shape != (3, len(index)) or columns > MAX_COLUMNS
            or index.ndim != 1 or (len(index) and int(index.max()) >= vertices)):
        raise ValueError(f"{where}: packed {name} is inconsistent; the file is damaged")
    out = np.zeros((vertices, 3, columns), np.float32)
    for k in range(columns):
        part = slice(start[k], start[k + 1])
        out[index[part], :, k] = values[:, part].T.astype(np.float32) * np.float32(scale[k])
    return out


def write_head(head: Fields, path: str | os.PathLike[str], step: float | None = None) -> None:
    """Write a head file.

    Args:
        head: the head's fields.
        path: where to; ends in ``.npz``.
        step: None keeps float32 exactly; a length in metres rounds identity, expression and pose
            offsets to multiples of it (or of the column's maximum / 32767 if that is coarser).
    """
    target = Path(path)
    if target.suffix != ".npz":
        raise ValueError(f"a head file ends in .npz, not {target.name!r}")
    arrays: dict[str, Any] = {name: head[name] for name in (*_PLAIN, *_TEXTS, "name", "edition", "n_shape")}
    arrays |= {"format": FORMAT, "meta": json.dumps(head["meta"], sort_keys=True)}
    arrays |= {f"mask_{k}": v for k, v in head["masks"].items()}
    for name in _TENSORS:
        arrays |= {name: head[name]} if step is None else _pack(name, head[name], step)
    # np.savez stamps the time of writing; a fixed date makes the same head the same file. Floats hardly shrink: level 1 takes a
    # third of the time of zlib's usual 6 for a tenth more bytes, which only the packaged heads (packed) are worth.
    with atomic_file(target) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as box:
        for key in sorted(arrays):
            info = zipfile.ZipInfo(f"{key}.npy", (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asarray(arrays[key], order="C"), allow_pickle=False)
            box.writestr(info, data.getvalue(), compresslevel=1 if step is None else None)


def read_head_fields(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The fields of a head file; the constructor of HeadModel validates them.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: not a head file, or damaged.
    """
    where = str(path)
    data = read_npz(path, "head file")
    kind = str(data["format"]) if "format" in data else None
    if kind != FORMAT:
        raise ValueError(f"{where}: format is {kind!r}, needed {FORMAT!r}; "
                         "make one of a FLAME or ICT-FaceKit file with facelm head import")
    needed = ["name", "edition", "n_shape", "meta", *_PLAIN, *_TEXTS]
    for name in _TENSORS:
        if name not in data:
            needed += [f"{name}_{part}" for part in ("index", "values", "start", "scale")]
    if missing := [k for k in needed if k not in data]:
        raise ValueError(f"{where}: not a whole head file; missing {', '.join(missing)}")
    vertices = len(data["v_template"]) if data["v_template"].ndim else 0
    if vertices > MAX_VERTICES:
        raise ValueError(f"{where}: {vertices} vertices; at most {MAX_VERTICES} are read")
    fields: dict[str, Any] = {k: data[k] for k in _PLAIN}
    for name in _TENSORS:
        fields[name] = data[name] if name in data else _unpack(name, data, vertices, where)
    try:
        fields |= {"meta": json.loads(str(data["meta"])), "n_shape": int(data["n_shape"])}
    except (ValueError, TypeError) as err:
        raise ValueError(f"{where}: unreadable meta or n_shape ({err})") from None
    fields |= {key: str(data[key]) for key in ("name", "edition")}
    fields |= {key: tuple(str(x) for x in np.atleast_1d(data[key])) for key in _TEXTS}
    fields["masks"] = {k[5:]: v for k, v in data.items() if k.startswith("mask_")}
    return fields


def check_head(head: Fields) -> None:
    """Raise a ValueError sentence for the first array that does not fit the others."""
    v, dirs, n_shape = head["v_template"], head["shapedirs"], head["n_shape"]
    if v.ndim != 2 or v.shape[1:] != (3,) or not 4 <= len(v) <= MAX_VERTICES:
        raise _unfit(head, f"v_template has shape {v.shape}, needed (V, 3)")
    n, k = len(v), dirs.shape[-1] if dirs.ndim == 3 else -1
    if not 0 <= n_shape <= k:
        raise _unfit(head, f"n_shape is {n_shape}, but shapedirs has {k} columns")
    names, marks = head["expr_names"], len(head["lmk_names"])
    if len(names) != k - n_shape or len(set(names)) != len(names):
        raise _unfit(head, f"{len(names)} expression names for {k - n_shape} expression columns (names must be unique)")
    if len(set(head["lmk_names"])) != marks:
        raise _unfit(head, "landmark names must be unique")
    shapes = {"faces": (len(head["faces"]), 3), "shapedirs": (n, 3, k), "posedirs": (n, 3, 36),
              "J_regressor": (5, n), "weights": (n, 5), "lmk_faces": (marks,), "lmk_bary": (marks, 3),
              "part": (n,), "brow_weight": (n,)}
    for name, shape in shapes.items():
        if head[name].shape != shape:
            raise _unfit(head, f"{name} has shape {head[name].shape}, needed {shape}")
    for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "lmk_bary", "brow_weight"):
        if not np.isfinite(head[name]).all():
            raise _unfit(head, f"{name} holds values that are not finite")
    _check_indices(head, n)
    if not np.allclose(head["weights"].sum(1), 1, atol=1e-3) or head["weights"].min() < -1e-6:
        raise _unfit(head, "skinning weights must be positive and sum to 1 at every vertex")
    if not np.allclose(head["J_regressor"].sum(1), 1, atol=1e-3):
        raise _unfit(head, "each row of J_regressor must sum to 1")
    if marks and not np.allclose(head["lmk_bary"].sum(1), 1, atol=1e-3):
        raise _unfit(head, "barycentric coordinates of each landmark must sum to 1")


def _check_indices(head: Fields, vertices: int) -> None:
    """Index arrays must stay within what they index."""
    indices = [("faces", head["faces"], vertices), ("lmk_faces", head["lmk_faces"], len(head["faces"])),
               ("part", head["part"], len(head["part_names"]))]
    for name, index in head["masks"].items():
        if index.ndim != 1:
            raise _unfit(head, f"mask {name} has shape {index.shape}, needed (n,)")
        indices.append((f"mask {name}", index, vertices))
    for name, array, top in indices:
        if array.size and (int(array.min()) < 0 or int(array.max()) >= top):
            raise _unfit(head, f"{name} holds {int(array.min())}..{int(array.max())}, allowed 0..{top - 1}")


def _unfit(head: Fields, what: str) -> ValueError:
    return ValueError(f"head {head['name']!r}: {what}")
