"""Reads foreign pickles without running them: plain data, arrays, sparse matrices, chumpy and torch tensors.

A pickle is a program that may import and call anything. Three steps keep it data: a pass over the opcodes bounds their
number and what they may claim; Python's own unpickler then runs with a ``find_class`` that answers names on an allow-list
with inert records and refuses every other name; last, the records are rebuilt from the arrays they hold. Nothing that a
file names is imported or called. See https://docs.python.org/3/library/pickle.html#restricting-globals.
"""

from __future__ import annotations

import io
import math
import os
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from . import pickle_values
from .pickle_values import MARKERS, MAX_KEY, Record, Resolver, maker, shown

MAX_FILE = 1 << 30
"""Bytes; FLAME 2020 needs 53 MB and about 200 operations."""
MAX_OPERATIONS = 5_000_000
"""Opcodes; also bounds the memo and the number of objects."""
MAX_NAMES = 500
"""Different classes that one file may name."""
_LONGEST_INT = 1024
"""Bytes of one integer."""
_COUNT_BYTES = {pickletools.TAKEN_FROM_ARGUMENT1: 1, pickletools.TAKEN_FROM_ARGUMENT4: 4,
                pickletools.TAKEN_FROM_ARGUMENT4U: 4, pickletools.TAKEN_FROM_ARGUMENT8U: 8}
_OPCODES = {op.code: op for op in pickletools.opcodes}
_OUTSIDE = {"PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"}
_OTHERS = (
    (b"\x1f\x8b", "is compressed with gzip, not a pickle: unpack it first"),
    (b"<!doctype", "is a web page, not a pickle: downloads that ask for a login often end like this"),
    (b"<html", "is a web page, not a pickle: downloads that ask for a login often end like this"),
    (b"version https://git", "is a Git LFS pointer, not the file itself: run `git lfs pull`"))


def read_data(source: str | os.PathLike[str] | bytes) -> Any:
    """Read a pickle (Python 2 or 3, protocols 0 to 5), ``.npy`` or ``.npz``, recognised by content.

    Args:
        source: a file or its bytes.

    Returns:
        dict, list, tuple, set, numbers, text, bytes and None; NumPy arrays (native byte order) and scalars, torch
        tensors and chumpy leaves as arrays, scipy matrices as COO, arrays of objects as lists. Text of Python 2 is
        latin-1. An ``.npz`` is a dict, an ``.npy`` the array or the object in it.

    Raises:
        FileNotFoundError: no such file.
        ValueError: damaged, over a limit, or naming anything that could run code; the message says which name.
    """
    where, data = ("the data", source) if isinstance(source, bytes) else (str(source), b"")
    if not isinstance(source, bytes):
        if not Path(source).exists():
            raise FileNotFoundError(f"no such file: {source}")
        if not Path(source).is_file():
            raise ValueError(f"{source} is {'a folder' if Path(source).is_dir() else 'a device or a pipe'}, not a file")
        if (size := Path(source).stat().st_size) > MAX_FILE:
            raise ValueError(f"{where} holds {size} bytes; at most {MAX_FILE} are read")
        data = Path(source).read_bytes()
    if not data:
        raise ValueError(f"{where} is empty")
    try:
        for start, hint in _OTHERS:
            if data[:512].lstrip().lower().startswith(start):
                raise ValueError(hint)
        return _npz(data) if data.startswith(b"PK") else _npy(data)
    except (ValueError, pickle.UnpicklingError) as err:
        raise ValueError(f"{where}: {shown(err, 400)}") from None
    except MemoryError:
        raise ValueError(f"{where}: does not fit into memory") from None
    except Exception as err:  # pickle, zipfile, zlib, struct, torch and numpy raise types of their own
        raise ValueError(f"{where}: damaged and cannot be read ({type(err).__name__}: {shown(err)})") from None


def _npz(data: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(data)) as box:
        entries = [e for e in box.infolist() if e.filename.endswith(".npy")]
        size = sum(e.file_size for e in entries)
        if size > pickle_values.MAX_BYTES or len(entries) > 10_000:
            raise ValueError(f"unpacks to {size >> 20} MiB in {len(entries)} members; at most "
                             f"{pickle_values.MAX_BYTES >> 20} MiB in 10000 are read")
        if not entries:
            raise ValueError("a zip archive without arrays: unpack it first")
        return {e.filename.removesuffix(".npy"): _npy(box.read(e)) for e in entries}


def _npy(data: bytes) -> Any:
    if not data.startswith(b"\x93NUMPY"):
        return _unpickled(data)
    handle = io.BytesIO(data)
    version = np.lib.format.read_magic(handle)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = reader(handle)
    rest = data[handle.tell():]
    if dtype.hasobject:
        return _unpickled(rest)
    need = math.prod(shape) * dtype.itemsize
    if need > len(rest) or need > pickle_values.MAX_BYTES:
        raise ValueError(f"an array claims shape {shape} of {dtype} and the file holds {len(rest)} bytes")
    return np.frombuffer(rest[:need], dtype).reshape(shape, order="F" if fortran else "C")


def _unpickled(data: bytes) -> Any:
    _check_opcodes(data)
    return Resolver().visit(_Unpickler(data).load())


# -- first pass: nothing is built -------------------------------------------------------------
def _check_opcodes(data: bytes) -> None:
    """Bound what the unpickler would do: opcodes, claimed sizes, memo, and the tuples that it would have to hash.

    Hashing a tuple recurses through it without limit (deep nests overflow the stack of C) and without memory (shared
    nests take for ever), so the pass follows the stack with the size of each tuple in place of its value.
    """
    stream = io.BytesIO(data)
    stack: list[int] = []
    marks: list[int] = []
    memo: dict[int, int] = {}
    for _ in range(MAX_OPERATIONS):
        at, code = stream.tell(), stream.read(1)
        op = _OPCODES.get(code.decode("latin-1"))
        if op is None:
            raise ValueError(f"not a pickle or damaged: byte {at} is {code!r}, no operation that is read")
        if op.name in _OUTSIDE:
            raise ValueError("refused: the pickle refers to an object outside of it (a persistent id, an extension or a buffer)")
        argument = _argument_of(op, stream, len(data))
        if op.name == "STOP":
            return
        if op.name == "MARK":
            marks.append(len(stack))
        elif op.name == "POP" and marks and marks[-1] == len(stack):
            marks.pop()
        elif op.name.endswith("PUT") or op.name == "MEMOIZE":
            index = len(memo) if argument is None else argument
            if not 0 <= index <= MAX_OPERATIONS:
                raise ValueError(f"damaged: memo entry {index}")
            memo[index] = stack[-1]
        elif op.name.endswith("GET"):
            stack.append(memo[argument or 0])
        else:
            stack += _effect(op, stack, marks)
    raise ValueError(f"refused: more than {MAX_OPERATIONS} operations")


def _argument_of(op: pickletools.OpcodeInfo, stream: io.BytesIO, length: int) -> int | None:
    """Step over an opcode's argument; the memo index where it is one."""
    if op.arg is None:
        return None
    indexed = op.name.endswith(("PUT", "GET"))
    size = op.arg.n
    if size == pickletools.UP_TO_NEWLINE:
        lines = [stream.readline() for _ in range(2 if op.name in ("GLOBAL", "INST") else 1)]
        if not lines[-1].endswith(b"\n"):
            raise ValueError(f"cut short or damaged: no end of line before byte {length}")
        return int(lines[0]) if indexed else None
    if size < 0:
        width = _COUNT_BYTES[size]
        size = int.from_bytes(stream.read(width), "little", signed=op.arg.n == pickletools.TAKEN_FROM_ARGUMENT4)
        if op.name in ("LONG1", "LONG4") and size > _LONGEST_INT:
            raise ValueError(f"refused: a number of {size} bytes")
    if not 0 <= size <= length - stream.tell():
        raise ValueError(f"cut short or damaged: {size} bytes announced at byte {stream.tell()}, "
                         f"{length - stream.tell()} left")
    if indexed:
        return int.from_bytes(stream.read(size), "little")
    stream.seek(size, io.SEEK_CUR)
    return None


def _effect(op: pickletools.OpcodeInfo, stack: list[int], marks: list[int]) -> list[int]:
    """Take an opcode's values off the stack; the sizes of what it puts there."""
    before = op.stack_before
    if pickletools.markobject in before:
        start = marks.pop()
        taken = stack[start:]
        del stack[start - before.index(pickletools.markobject):]
    else:
        taken = stack[len(stack) - len(before):] if before else []
        del stack[len(stack) - len(taken):]
    keys = {"SETITEM": taken[1:2], "SETITEMS": taken[::2], "DICT": taken[::2], "ADDITEMS": taken, "FROZENSET": taken}
    if max(keys.get(op.name, ()), default=0) > MAX_KEY + 1:
        raise ValueError(f"refused: a key that is a tuple of more than {MAX_KEY} values")
    if op.name.startswith("TUPLE"):
        return [min(1 + sum(taken), 1000)]
    return taken * 2 if op.name == "DUP" else [1] * len(op.stack_after)


# -- second pass: Python's unpickler builds inert records -------------------------------------
class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin-1")
        self.names: dict[str, type[Record]] = {}

    def find_class(self, module: str, name: str) -> type[Record]:
        """A record type of its own for each allowed name; nothing is imported."""
        full = f"{module}.{name}"
        if full not in self.names:
            if maker(full) is None and full not in MARKERS:
                raise ValueError(f"refused: the pickle names {shown(full)}, which is not plain data; nothing of it was run")
            if len(self.names) >= MAX_NAMES:
                raise ValueError(f"refused: more than {MAX_NAMES} different classes")
            self.names[full] = type("Record", (Record,), {"name": full, "__slots__": ()})
        return self.names[full]
