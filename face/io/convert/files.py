"""Opens parameter files of any kind by content: pickle, npy, npz, torch, MATLAB, JSON, CSV, or a folder of frames."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..heads.safe_pickle import read_data
from ..media import natural_key

MAX_BYTES = 1 << 28
"""Of a JSON, CSV or MATLAB file."""
MAX_FOLDER = 100_000
_FRAME_FILES = {".npz", ".npy", ".pkl", ".pickle", ".mat", ".pt", ".pth"}


@dataclass(frozen=True)
class Table:
    """A CSV file: its header (empty without one) and its cells."""

    header: tuple[str, ...]
    cells: list[list[str]]

    def values(self) -> np.ndarray:
        """(T, W) float64, as wide as the header or the longest row; cells that hold no number are not a number."""
        if not self.cells:
            raise ValueError("the table has 0 frames; at least 1 is needed")
        width = len(self.header) or max(map(len, self.cells))
        return np.array([[_number(c) for c in line[:width]] + [np.nan] * (width - len(line)) for line in self.cells])


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def open_content(path: Path) -> Any:
    """What a file or folder holds: usually a dict of arrays; a :class:`Table` for CSV."""
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    if path.is_dir():
        return _folder(path)
    with open(path, "rb") as handle:
        start = handle.read(512)
    if not start:
        raise ValueError(f"{path} is empty")
    if start.startswith(b"PK"):
        return _zip(path)
    if start.startswith(b"MATLAB 5.0"):
        return _matlab(path)
    if start.startswith((b"MATLAB 7.3", b"\x89HDF")):
        raise ValueError(f"{path} is an HDF5 file (MATLAB 7.3); save it with -v7, or as .npz")
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] in (b"{", b"["):  # no pickle starts with these; those of protocol 0 are text as well
        return _json(path)
    first = text.split(b"\n", 1)[0]
    table = first.count(b",") + first.count(b";") + first.count(b"\t") >= 10 or path.suffix.lower() in (".csv", ".tsv", ".txt")
    printable = not any(b < 9 or 13 < b < 32 for b in start)
    return _csv(path) if table and printable else read_data(path)


def _limit(path: Path) -> None:
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(f"{path} holds {size >> 20} MiB; at most {MAX_BYTES >> 20} MiB are read of this kind of file")


def _zip(path: Path) -> Any:
    """A file of ``torch.save``, or an ``.npz``."""
    try:
        with zipfile.ZipFile(path) as box:
            names, size = box.namelist(), sum(e.file_size for e in box.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as err:
        raise ValueError(f"{path} is damaged and cannot be read ({type(err).__name__}: {err})") from None
    if not any(n.endswith("/data.pkl") or n == "data.pkl" for n in names):
        return read_data(path)
    if size > 4 * MAX_BYTES:
        raise ValueError(f"{path} unpacks to more than {4 * MAX_BYTES >> 20} MiB")
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as err:  # torch raises pickle's, zipfile's and its own errors here
        text = " ".join(str(err).split())[:160]
        raise ValueError(f"{path}: torch refuses to read it without running code in it ({text}); save plain tensors, or a "
                         ".npz with numpy.savez") from None
    return _plain(content, 0)


def _plain(value: Any, depth: int) -> Any:
    """Tensors to arrays."""
    if depth > 20:
        raise ValueError("more than 20 containers within each other")
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        return (value.float() if value.dtype.is_floating_point else value).numpy()
    if isinstance(value, dict):
        return {str(k): _plain(v, depth + 1) for k, v in value.items()}
    return [_plain(v, depth + 1) for v in value] if isinstance(value, (list, tuple)) else value


def _matlab(path: Path) -> dict[str, Any]:
    _limit(path)
    from scipy.io import loadmat

    try:
        content = loadmat(path)
    except Exception as err:  # scipy raises zlib's, struct's and its own errors here
        raise ValueError(f"{path} is damaged and cannot be read ({type(err).__name__}: {err})") from None
    return {k: v for k, v in content.items() if not k.startswith("__")}


def _json(path: Path) -> Any:
    _limit(path)
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as err:
        raise ValueError(f"{path} is not valid JSON: {' '.join(str(err).split())[:120]}") from None


def _csv(path: Path) -> Table:
    _limit(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        mark = max(",;\t", key=text.split("\n", 1)[0].count)
        lines = [[c.strip() for c in line] for line in csv.reader(io.StringIO(text), delimiter=mark)]
    except (UnicodeDecodeError, csv.Error) as err:
        raise ValueError(f"{path} is not a readable CSV file in UTF-8: {err}") from None
    lines = [line for line in lines if any(line)]
    if not lines:
        raise ValueError(f"{path} holds no rows")
    named = any(re.fullmatch(r"[A-Za-z_]\w*", c) for c in lines[0])
    return Table(tuple(lines[0]) if named else (), lines[1:] if named else lines)


def _folder(path: Path) -> dict[str, Any]:
    """Frames of a folder joined: a file each, or (EMOCA) a folder each with ``exp.npy``, ``pose.npy``, ``shape.npy``."""
    if (path / "flame_param").is_dir():  # a GaussianAvatars data set
        path = path / "flame_param"
    entries = sorted(path.iterdir(), key=natural_key)
    if len(entries) > MAX_FOLDER:
        raise ValueError(f"{path} holds {len(entries)} files; at most {MAX_FOLDER} are read")
    if (path / "exp.npy").is_file():
        return _emoca(path)
    frames = [_emoca(p) for p in entries if p.is_dir() and (p / "exp.npy").is_file()]
    if not frames:
        files = [p for p in entries if p.is_file() and p.suffix.lower() in _FRAME_FILES]
        kinds = {p.suffix.lower() for p in files}
        if not files or len(kinds) > 1:
            raise ValueError(f"{path} is a folder without parameter files of one kind; known: a file a frame "
                             f"({', '.join(sorted(_FRAME_FILES))}), or EMOCA's folders with exp.npy, pose.npy and shape.npy")
        frames = [open_content(file) for file in files]
        if odd := next((file for file, frame in zip(files, frames, strict=True) if not isinstance(frame, dict)), None):
            raise ValueError(f"{odd} holds no named arrays")
    return _joined(path, frames)


def _emoca(path: Path) -> dict[str, Any]:
    names = ("exp", "pose", "shape")
    if missing := [n for n in names if not (path / f"{n}.npy").is_file()]:
        raise ValueError(f"{path} has exp.npy but no {missing[0]}.npy; EMOCA writes both")
    return {f"{n}code": np.atleast_2d(np.asarray(read_data(path / f"{n}.npy"))) for n in names}


def _joined(path: Path, frames: list[dict[str, Any]]) -> dict[str, Any]:
    keys = set(frames[0])
    odd = next((k for k, f in enumerate(frames) if set(f) != keys), None)
    if odd is not None:
        differ = ", ".join(sorted(str(k) for k in set(frames[odd]) ^ keys)[:5])
        raise ValueError(f"{path}: frame {odd} has other arrays than the first ({differ})")
    out: dict[str, Any] = {}
    for key in frames[0]:
        values = [np.asarray(f[key]) for f in frames]
        if any(v.dtype.kind not in "fiu" for v in values):
            continue
        if any(v.shape != values[0].shape for v in values):
            raise ValueError(f"{path}: {key} changes its shape from frame to frame")
        out[key] = np.stack([v.reshape(-1) for v in values])
    return out
