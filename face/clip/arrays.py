"""Reading ``.npz`` files that strangers made: nothing is unpickled, and nothing large is allocated on their word."""

from __future__ import annotations

import os
import threading
import zipfile
from pathlib import Path

import numpy as np

LIMIT = 1 << 29
"""Bytes that a file may unpack to: FLAME needs 30 MB, a clip of a million frames 240 MB."""
_ONE_AT_A_TIME = threading.Lock()
"""numpy reads a header with ``ast``, which in some releases of Python 3.11 and 3.12 fails now and then where two threads do so at
once (cpython issue 106905)."""
_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: str | os.PathLike[str], what: str) -> dict[str, np.ndarray]:
    """All arrays of an ``.npz`` by name.

    Args:
        path: the file.
        what: it should hold ("clip"), for messages.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a folder, another kind of file, a damaged one, or pickled objects in it.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no such {what}: {path}")
    if not path.is_file():
        raise ValueError(f"{path} is a {'folder' if path.is_dir() else 'device or pipe'}, not a {what} (.npz)")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty; a {what} is an .npz file written by facelm")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not an .npz file (or is cut short); a {what} is an .npz file written by facelm")
    try:
        _refuse_absurd_sizes(path)
        with _ONE_AT_A_TIME, np.load(path, allow_pickle=False) as data:
            return {key: _read(data, key) for key in data.files}
    except ValueError as err:
        raise ValueError(f"{path} is not a {what}: {err}") from err
    except Exception as err:  # zipfile, zlib and numpy's header parsers raise types of their own
        raise ValueError(f"{path} is damaged and cannot be read ({type(err).__name__}: {err})") from err


def _read(data: np.lib.npyio.NpzFile, key: str) -> np.ndarray:
    try:
        array = np.asarray(data[key])
    except ValueError as err:
        if "allow_pickle" in str(err) or "Object arrays" in str(err):
            raise ValueError(f"{key} holds pickled Python objects, which are never read; store plain numbers") from err
        raise ValueError(f"{key} cannot be read ({err})") from err
    if array.dtype.kind in "VmM":
        raise ValueError(f"{key} is of type {str(array.dtype)[:60]}; store plain numbers")
    return array


def _refuse_absurd_sizes(path: Path) -> None:
    """Before anything is decompressed: a small archive may claim terabytes."""
    with zipfile.ZipFile(path) as archive:
        if (size := sum(entry.file_size for entry in archive.infolist())) > LIMIT:
            raise ValueError(f"it claims {size} bytes; at most {LIMIT} are read")
        for entry in archive.infolist():
            with archive.open(entry) as handle:
                version = np.lib.format.read_magic(handle)
                with _ONE_AT_A_TIME:
                    shape, _, dtype = _READERS.get(version, np.lib.format.read_array_header_2_0)(handle)
            claimed = int(np.prod(shape, dtype=object)) * dtype.itemsize
            if not dtype.hasobject and claimed > entry.file_size:
                raise ValueError(f"{entry.filename} claims shape {shape}, more than the file holds")
