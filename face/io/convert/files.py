"""Opens parameter files of any kind by content: pickle, npy, npz, torch, MATLAB, JSON, CSV, glTF, or a folder of frames."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ....common.files import read_text
from ....common.text import encoding_of, one_line
from ..heads.safe_pickle import read_data
from ..media import natural_key
from .matlab import read_matlab
from .tables import MAX_BYTES, Table, first_line, read_table

MAX_UNPACKED = 1 << 29
"""Of an archive."""
MAX_VALUES = 20_000_000
"""Of a JSON file."""
MAX_FOLDER = 100_000
_FRAME_FILES = {".npz", ".npy", ".pkl", ".pickle", ".mat", ".pt", ".pth", ".frame"}
_LARGEST = 40_000
"""Numbers of one frame's array that is joined: pictures and vertices are no parameters."""
FRAMES = "__frames__"
"""Key under which a folder's content holds the numbers in its files' names."""


def open_content(path: Path) -> Any:
    """What a file or folder holds: usually a dict of arrays; a :class:`Table` for CSV, a list or dict for JSON.

    Raises:
        FileNotFoundError: no such file.
        ValueError: empty, damaged, hostile, or no regular file; the message names it.
    """
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise ValueError(f"{path} is a device or a pipe, not a file")
    with open(path, "rb") as handle:
        start = handle.read(512)
    if not start:
        raise ValueError(f"{path} is empty")
    if start.startswith(b"PK"):
        return _zip(path)
    if start.startswith(b"MATLAB 5.0"):
        return read_matlab([_limit(path)])[0]
    if start.startswith((b"MATLAB 7.3", b"\x89HDF")):
        raise ValueError(f"{path} is an HDF5 file (MATLAB 7.3); save it with -v7, or as .npz")
    if start.startswith(b"glTF"):
        from .shapes.expressions import read_vrma

        return read_vrma(_limit(path))
    text = start.decode(encoding_of(start), "replace").lstrip("\ufeff \t\r\n")
    if text[:1] in ("{", "["):  # no pickle starts with these; those of protocol 0 are text as well
        return _json(_limit(path))
    first = first_line(text)
    table = sum(map(first.count, ",;\t")) >= 10 or path.suffix.lower() in (".csv", ".tsv", ".txt")
    printable = not any(c < " " and c not in "\t\n\v\f\r" for c in text)
    if table and printable:
        return read_table(_limit(path))
    try:
        return _plain(path, read_data(path), 0)
    except ValueError as err:
        if printable and "\ufffd" not in text[:-1] and "refused" not in str(err):
            raise ValueError(f"{path} is a text that holds neither JSON nor a table of at least 10 columns; a table is known by "
                             "its separators or by a name that ends in .csv") from None
        raise


def _limit(path: Path) -> Path:
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(f"{path} holds {size >> 20} MiB; at most {MAX_BYTES >> 20} MiB are read of this kind of file")
    return path


def _zip(path: Path) -> Any:
    """A file of ``torch.save``, or an ``.npz``."""
    try:
        with zipfile.ZipFile(path) as box:
            names, size = box.namelist(), sum(e.file_size for e in box.infolist())
            program = next((n for n in names if n.endswith("/data.pkl") or n == "data.pkl"), None)
            if size > MAX_UNPACKED:
                raise ValueError(f"{path} unpacks to more than {MAX_UNPACKED >> 20} MiB; cut it into parts")
            if program is None:
                return _plain(path, read_data(path), 0)
            pickled = box.read(program)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, zlib.error) as err:
        raise ValueError(f"{path} is damaged and cannot be read ({type(err).__name__}: {err})") from None
    try:
        return _plain(path, read_data(pickled), 0)  # plain values and NumPy arrays
    except ValueError as err:
        if "persistent id" not in str(err):
            raise ValueError(f"{path}: {str(err).removeprefix('the data: ')}; save plain tensors, or a .npz with numpy.savez"
                             ) from None
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as err:  # torch raises pickle's, zipfile's and its own errors here
        text = "".join(c if c.isprintable() else "?" for c in re.sub(r"\x1b\[[0-9;]*m", "", one_line(err))[:160])
        raise ValueError(f"{path}: torch refuses to read it without running code in it ({text}); save plain tensors, or a "
                         ".npz with numpy.savez") from None
    return _plain(path, content, 0)


def _plain(path: Path, value: Any, depth: int) -> Any:
    """Tensors to arrays, keys to text.

    Raises:
        ValueError: nested too deeply, or an array of records or dates.
    """
    if depth > 20:
        raise ValueError(f"{path}: more than 20 containers within each other")
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = (value.float() if value.dtype.is_floating_point else value).numpy()
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "VmM":
        raise ValueError(f"{path} holds an array of type {str(value.dtype)[:60]}; plain numbers are read")
    if isinstance(value, dict):
        return {str(k): _plain(path, v, depth + 1) for k, v in value.items()}
    return [_plain(path, v, depth + 1) for v in value] if isinstance(value, (list, tuple)) else value


def _json(path: Path) -> Any:
    """A JSON document, or one a line."""
    text = read_text(path, MAX_BYTES)
    if text.count(",") > MAX_VALUES:
        raise ValueError(f"{path} holds more than {MAX_VALUES} values; cut it into parts")
    try:
        return json.loads(text, parse_int=_whole)
    except (ValueError, RecursionError) as err:
        said = one_line(err, 120)
    if said.startswith("Extra data") and text.count("\n") > 0:
        try:
            return [json.loads(line, parse_int=_whole) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            pass
    raise ValueError(f"{path} is not valid JSON: {said}")


def _whole(digits: str) -> int | float:
    """A whole number; one that no float can hold is infinite, like 1e999."""
    return int(digits) if len(digits) < 19 else float(digits)


def _folder(path: Path) -> dict[str, Any]:
    """Frames of a folder joined: a file each, or (EMOCA) a folder each with ``exp.npy``, ``pose.npy``, ``shape.npy``."""
    for inner in ("flame_param", "checkpoint"):  # a GaussianAvatars data set, an output of metrical-tracker
        if (path / inner).is_dir():
            path = path / inner
            break
    entries = sorted(path.iterdir(), key=natural_key)
    if len(entries) > MAX_FOLDER:
        raise ValueError(f"{path} holds {len(entries)} files; at most {MAX_FOLDER} are read")
    if (path / "exp.npy").is_file():
        return _emoca(path)
    places = [p for p in entries if p.is_dir() and (p / "exp.npy").is_file()]
    if places:
        return _joined(places, _emoca)
    files = [p for p in entries if p.is_file() and p.suffix.lower() in _FRAME_FILES]
    kinds = {p.suffix.lower() for p in files}
    if not files or len(kinds) > 1:
        raise ValueError(f"{path} is a folder without parameter files of one kind; known: a file a frame "
                         f"({', '.join(sorted(_FRAME_FILES))}), or EMOCA's folders with exp.npy, pose.npy and shape.npy")
    if kinds == {".mat"}:
        contents = dict(zip(files, read_matlab([_limit(f) for f in files]), strict=True))
        return _joined(files, contents.__getitem__)
    return _joined(files, open_content)


def _emoca(path: Path) -> dict[str, Any]:
    names = ("exp", "pose", "shape")
    if missing := [n for n in names if not (path / f"{n}.npy").is_file()]:
        raise ValueError(f"{path} has exp.npy but no {missing[0]}.npy; EMOCA writes both")
    return {f"{n}code": np.atleast_2d(np.asarray(read_data(path / f"{n}.npy"))) for n in names}


def _joined(files: list[Path], read: Callable[[Path], Any]) -> dict[str, Any]:
    """The small arrays of all frames, each (T, values), under their names; nested dicts stay nested."""
    parts: dict[tuple[str, ...], list[np.ndarray]] = {}
    for k, file in enumerate(files):
        frame = read(file)
        if not isinstance(frame, dict):
            raise ValueError(f"{file} holds no named arrays")
        flat = {key: v for key, v in _flat(frame, ()).items() if v.size <= _LARGEST}
        if k and set(flat) != set(parts):
            differ = ", ".join(sorted(".".join(key) for key in set(flat) ^ set(parts))[:5])
            raise ValueError(f"{file} has other arrays than the first frame ({differ})")
        for key, value in flat.items():
            if k and value.size != parts[key][0].size:
                raise ValueError(f"{file}: {'.'.join(key)} has {value.size} values, the first frame {parts[key][0].size}")
            parts.setdefault(key, []).append(value.reshape(-1))
    out: dict[str, Any] = {}
    for key, values in parts.items():
        holder = out
        for name in key[:-1]:
            holder = holder.setdefault(name, {})
        holder[key[-1]] = np.stack(values)
    numbers = [re.findall(r"\d+", f.stem)[:1] for f in files]
    if all(numbers) and len(files) > 1:
        out[FRAMES] = np.array([int(n[0][:15]) for n in numbers])
    return out


def _flat(value: dict[str, Any], above: tuple[str, ...]) -> dict[tuple[str, ...], np.ndarray]:
    out: dict[tuple[str, ...], np.ndarray] = {}
    for name, v in value.items():
        if isinstance(v, dict):
            out |= _flat(v, (*above, name))
        elif isinstance(v, (np.ndarray, np.generic, int, float)) and np.asarray(v).dtype.kind in "fiu":
            out[*above, name] = np.asarray(v)
        elif isinstance(v, list) and len(v) and all(isinstance(x, (int, float)) for x in v):
            out[*above, name] = np.asarray(v, float)
    return out


__all__ = ["FRAMES", "Table", "open_content"]
