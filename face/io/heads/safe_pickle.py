"""Reads foreign pickles without running them: plain data, arrays, sparse matrices, chumpy and torch tensors.

A pickle is a program for a small machine, and Python's own readers import and call whatever it names.  This one
parses the program (``face/io/heads/pickle_ops.py``) and rebuilds only what the list below knows; the first name outside
of it stops the reading, and nothing has been imported or called.  See
https://docs.python.org/3/library/pickle.html#restricting-globals for why a list of forbidden names is not enough.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .pickle_ops import Machine, PickleLimits
from .pickle_values import Resolver, SparseMatrix, allow

__all__ = ["PickleLimits", "SparseMatrix", "load_arrays", "read_pickle"]

def read_pickle(source: str | os.PathLike[str] | bytes, limits: PickleLimits | None = None) -> Any:
    """The data in a pickle (Python 2 or 3, protocols 0 to 5).

    Args:
        source: a file or its bytes.
        limits: what the file may hold at most.

    Returns:
        dict, list, tuple, set, numbers, text, bytes and None; NumPy arrays (native byte order) and scalars, torch
        tensors and chumpy leaves as arrays, scipy matrices as :class:`SparseMatrix`, arrays of objects as lists.
        Text of Python 2 is latin-1.

    Raises:
        FileNotFoundError: no such file.
        ValueError: damaged, over a limit, or naming anything that could run code; the sentence says which name.
    """
    limits = limits or PickleLimits()
    data, where = _content(source, limits)
    if hint := _other_format(data):
        raise ValueError(f"{where}: {hint}")
    return _guarded(where, lambda: _value(data, limits))


def load_arrays(source: str | os.PathLike[str] | bytes, limits: PickleLimits | None = None) -> Any:
    """What a ``.npy`` (an array, or the object in it) or ``.npz`` (a dict) holds; objects are read as pickles are here.

    Raises:
        FileNotFoundError, ValueError: as :func:`read_pickle`.
    """
    limits = limits or PickleLimits()
    data, where = _content(source, limits)
    if data.startswith(b"\x93NUMPY"):
        return _guarded(where, lambda: _npy(data, limits))
    if not data.startswith(b"PK"):
        raise ValueError(f"{where}: neither .npy nor .npz; its first bytes are {data[:6]!r}")

    def members() -> dict[str, Any]:
        with zipfile.ZipFile(io.BytesIO(data)) as box:
            entries = [e for e in box.infolist() if not e.is_dir()]
            size = sum(e.file_size for e in entries)
            if size > limits.array_bytes or len(entries) > 10_000:
                raise ValueError(f"unpacks to {size >> 20} MiB in {len(entries)} members; at most "
                                 f"{limits.array_bytes >> 20} MiB in 10000 are read")
            return {e.filename.removesuffix(".npy"): _npy(box.read(e), limits) for e in entries if e.filename.endswith(".npy")}

    return _guarded(where, members)


# -- files ----------------------------------------------------------------------------------
def _content(source: str | os.PathLike[str] | bytes, limits: PickleLimits) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        if len(source) > limits.file_bytes:
            raise ValueError(f"the data holds {len(source)} bytes; at most {limits.file_bytes} are read")
        return source, "the data"
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    if not path.is_file():
        raise ValueError(f"{path} is not a file")
    if (size := path.stat().st_size) > limits.file_bytes:
        raise ValueError(f"{path} holds {size} bytes; at most {limits.file_bytes} are read")
    if size == 0:
        raise ValueError(f"{path} is empty")
    return path.read_bytes(), str(path)


def _other_format(data: bytes) -> str | None:
    start = data[:512].lstrip()[:15].lower()
    if data.startswith(b"PK"):
        return "is a zip archive (.npz, .pt or a download that is still packed), not a pickle: unpack it first"
    if data.startswith(b"\x1f\x8b"):
        return "is compressed with gzip, not a pickle: unpack it first"
    if data.startswith(b"\x93NUMPY"):
        return "is a .npy file, not a pickle"
    if start.startswith((b"<!doctype", b"<html")):
        return "is a web page, not a pickle: downloads that ask for a login often end like this"
    if data.startswith(b"version https://git"):
        return "is a Git LFS pointer, not the file itself: run `git lfs pull`"
    return None


def _guarded(where: str, work: Callable[[], Any]) -> Any:
    """Whatever goes wrong inside is one ValueError that names the file."""
    try:
        return work()
    except ValueError as err:
        raise ValueError(f"{where}: {err}") from None
    except MemoryError:
        raise ValueError(f"{where}: does not fit into memory") from None
    except Exception as err:  # zipfile, zlib, struct and numpy's parsers raise types of their own
        text = " ".join(str(err).split())[:160]
        raise ValueError(f"{where}: damaged and cannot be read ({type(err).__name__}: {text})") from None


def _npy(data: bytes, limits: PickleLimits) -> Any:
    handle = io.BytesIO(data)
    version = np.lib.format.read_magic(handle)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = reader(handle)
    rest = data[handle.tell():]
    if dtype.hasobject:
        return _value(rest, limits)
    need = math.prod(shape) * dtype.itemsize
    if need > len(rest) or need > limits.array_bytes:
        raise ValueError(f"an array claims shape {shape} of {dtype} and the file holds {len(rest)} bytes")
    return np.frombuffer(rest[:need], dtype).reshape(shape, order="F" if fortran else "C")


def _value(data: bytes, limits: PickleLimits) -> Any:
    return Resolver(limits).visit(Machine(data, limits, allow).run())
