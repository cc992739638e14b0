"""Reading, writing and checking head files: one ``.npz``, nothing pickled."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .model import HeadModel

FORMAT = "facelm-head-1"
LIMIT = 1 << 29
"""Bytes of unpacked arrays that a head file may hold; FLAME needs 30 MB."""
MAX_VERTICES, MAX_COLUMNS = 200_000, 2_000
_TENSORS = ("shapedirs", "posedirs")


def content_hash(head: HeadModel) -> str:
    """sha256 (hex) of the head's canonical bytes: every array as little-endian C order, with names and shapes.

    It does not depend on how the file was compressed, so a rebuilt or re-saved head keeps its identity.
    """
    digest = hashlib.sha256()

    def add(name: str, value: np.ndarray) -> None:
        little = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name}:{little.dtype.str}:{little.shape};".encode())
        digest.update(little.tobytes())

    digest.update(json.dumps([FORMAT, head.name, head.edition, head.n_shape, list(head.expr_names),
                              list(head.lmk_names), list(head.part_names)]).encode())
    for name in ("v_template", "faces", "shapedirs", "posedirs", "J_regressor", "weights",
                 "lmk_faces", "lmk_bary", "part", "brow_weight"):
        add(name, getattr(head, name))
    for name in sorted(head.masks):
        add(name, head.masks[name])
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


def write_head(head: HeadModel, path: str | os.PathLike[str], step: float | None = None) -> None:
    """Write a head file.

    Args:
        head: the head.
        path: where to; ends in ``.npz``.
        step: None keeps float32 exactly; a length in metres rounds identity, expression and pose
            offsets to multiples of it (or of the column's maximum / 32767 if that is coarser).
    """
    target = Path(path)
    if target.suffix != ".npz":
        raise ValueError(f"a head file ends in .npz, not {target.name!r}")
    arrays: dict[str, Any] = {
        "format": np.array(FORMAT), "name": np.array(head.name), "edition": np.array(head.edition),
        "n_shape": np.array(head.n_shape), "expr_names": np.array(head.expr_names),
        "v_template": head.v_template, "faces": head.faces, "weights": head.weights,
        "J_regressor": head.J_regressor, "lmk_names": np.array(head.lmk_names), "lmk_faces": head.lmk_faces,
        "lmk_bary": head.lmk_bary, "part": head.part, "part_names": np.array(head.part_names),
        "brow_weight": head.brow_weight, "meta": np.array(json.dumps(head.meta, sort_keys=True)),
    }
    arrays |= {f"mask_{k}": v for k, v in head.masks.items()}
    for name in _TENSORS:
        arrays |= {name: getattr(head, name)} if step is None else _pack(name, getattr(head, name), step)
    # np.savez stamps the time of writing; a fixed date makes the same head the same file.
    partial = target.with_name(target.name + ".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as box:
        for key in sorted(arrays):
            info = zipfile.ZipInfo(f"{key}.npy", (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            with box.open(info, "w") as handle:
                np.lib.format.write_array(handle, np.ascontiguousarray(arrays[key])
                                          if np.ndim(arrays[key]) else np.asarray(arrays[key]), allow_pickle=False)
    os.replace(partial, target)


def read_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """All arrays of an ``.npz`` by name, refusing pickles, damaged files and absurd sizes."""
    where = Path(path)
    if not where.is_file():
        raise FileNotFoundError(f"no head file at {where}")
    try:
        with zipfile.ZipFile(where) as box:
            size = sum(i.file_size for i in box.infolist())
        if size > LIMIT:
            raise ValueError(f"{where}: unpacks to {size >> 20} MiB; a head file holds at most {LIMIT >> 20} MiB")
        with np.load(where, allow_pickle=False) as data:
            return {k: data[k] for k in data.files}
    except ValueError as err:
        if str(where) in str(err):
            raise
        raise ValueError(f"{where}: not a head file ({err}); head files are .npz written by HeadModel.save") from None
    except Exception as err:  # zipfile, zlib and numpy's header parser raise types of their own
        raise ValueError(f"{where}: not a head file or damaged ({type(err).__name__}: {err})") from None


def read_head_fields(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The constructor arguments of a HeadModel from a file; the constructor validates them."""
    where = str(path)
    data = read_arrays(path)
    kind = str(data["format"]) if "format" in data else None
    if kind != FORMAT:
        raise ValueError(f"{where}: format is {kind!r}, needed {FORMAT!r}; "
                         "make one of a FLAME or ICT-FaceKit file with facelm head import")
    needed = ("name", "edition", "n_shape", "expr_names", "v_template", "faces", "weights", "J_regressor",
              "lmk_names", "lmk_faces", "lmk_bary", "part", "part_names", "brow_weight", "meta")
    missing = [k for k in needed if k not in data]
    for name in _TENSORS:
        if name not in data:
            missing += [k for k in (f"{name}_index", f"{name}_values", f"{name}_start", f"{name}_scale")
                        if k not in data]
    if missing:
        raise ValueError(f"{where}: not a whole head file; missing {', '.join(missing)}")
    vertices = len(data["v_template"]) if data["v_template"].ndim else 0
    if vertices > MAX_VERTICES:
        raise ValueError(f"{where}: {vertices} vertices; at most {MAX_VERTICES} are read")
    fields: dict[str, Any] = {k: data[k] for k in ("v_template", "faces", "weights", "J_regressor",
                                                    "lmk_faces", "lmk_bary", "part", "brow_weight")}
    for name in _TENSORS:
        fields[name] = data[name] if name in data else _unpack(name, data, vertices, where)
    try:
        meta = json.loads(str(data["meta"]))
        n_shape = int(data["n_shape"])
    except (ValueError, TypeError) as err:
        raise ValueError(f"{where}: unreadable meta or n_shape ({err})") from None
    fields |= {"name": str(data["name"]), "edition": str(data["edition"]), "n_shape": n_shape, "meta": meta}
    for key in ("expr_names", "lmk_names", "part_names"):
        fields[key] = tuple(str(x) for x in np.atleast_1d(data[key]))
    fields["masks"] = {k[5:]: v for k, v in data.items() if k.startswith("mask_")}
    return fields


def check_head(head: HeadModel) -> None:
    """Raise a ValueError sentence for the first array that does not fit the others."""
    v = head.v_template
    if v.ndim != 2 or v.shape[1:] != (3,) or not 4 <= len(v) <= MAX_VERTICES:
        raise ValueError(f"head {head.name!r}: v_template has shape {v.shape}, needed (V, 3)")
    n, k = len(v), head.shapedirs.shape[-1] if head.shapedirs.ndim == 3 else -1
    if not 0 <= head.n_shape <= k:
        raise ValueError(f"head {head.name!r}: n_shape is {head.n_shape}, but shapedirs has {k} columns")
    if len(head.expr_names) != k - head.n_shape or len(set(head.expr_names)) != len(head.expr_names):
        raise ValueError(f"head {head.name!r}: {len(head.expr_names)} expression names for "
                         f"{k - head.n_shape} expression columns (names must be unique)")
    marks = len(head.lmk_names)
    if len(set(head.lmk_names)) != marks:
        raise ValueError(f"head {head.name!r}: landmark names must be unique")
    shapes = {"faces": (len(head.faces), 3), "shapedirs": (n, 3, k), "posedirs": (n, 3, 36),
              "J_regressor": (5, n), "weights": (n, 5), "lmk_faces": (marks,), "lmk_bary": (marks, 3),
              "part": (n,), "brow_weight": (n,)}
    for name, shape in shapes.items():
        array = getattr(head, name)
        if array.shape != shape:
            raise ValueError(f"head {head.name!r}: {name} has shape {array.shape}, needed {shape}")
    for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "lmk_bary", "brow_weight"):
        if not np.isfinite(getattr(head, name)).all():
            raise ValueError(f"head {head.name!r}: {name} holds values that are not finite")
    ranges = {"faces": n, "lmk_faces": len(head.faces), "part": len(head.part_names)}
    ranges_arrays = {name: getattr(head, name) for name in ranges}
    for name, index in head.masks.items():
        ranges[f"mask {name}"], ranges_arrays[f"mask {name}"] = n, index
        if index.ndim != 1:
            raise ValueError(f"head {head.name!r}: mask {name} has shape {index.shape}, needed (n,)")
    for name, top in ranges.items():
        array = ranges_arrays[name]
        if array.size and (int(array.min()) < 0 or int(array.max()) >= top):
            raise ValueError(f"head {head.name!r}: {name} holds {int(array.min())}..{int(array.max())}, "
                             f"allowed 0..{top - 1}")
    if not np.allclose(head.weights.sum(1), 1, atol=1e-3) or head.weights.min() < -1e-6:
        raise ValueError(f"head {head.name!r}: skinning weights must be positive and sum to 1 at every vertex")
    if not np.allclose(head.J_regressor.sum(1), 1, atol=1e-3):
        raise ValueError(f"head {head.name!r}: each row of J_regressor must sum to 1")
    if marks and not np.allclose(head.lmk_bary.sum(1), 1, atol=1e-3):
        raise ValueError(f"head {head.name!r}: barycentric coordinates of each landmark must sum to 1")
