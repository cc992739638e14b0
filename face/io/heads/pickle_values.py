"""What the records of ``face/io/heads/pickle_ops.py`` stand for: the list of constructors that are rebuilt, and how.

Nothing here calls what a file names: arrays are made from their bytes, sparse matrices from their triplets, and the
few chumpy and torch objects from the arrays that they hold.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .pickle_ops import Call, Name, PickleLimits, check_key

_NUMPY_CORE = r"numpy\.(?:core|_core)\."
_TYPE = re.compile(r"[<>=|]?(?:[?bBhHiIlLqQefd]|[biuf](?:1|2|4|8)|[SUa]\d{1,6}|c8|c16)")
_CHUMPY_MOVES = {"Select", "transpose", "Reshape", "reshape"}


@dataclass(frozen=True, eq=False)
class SparseMatrix:
    """A two-dimensional sparse matrix as triplets; what scipy's csc, csr and coo matrices become."""

    shape: tuple[int, int]
    rows: np.ndarray
    """(n,) int64"""
    columns: np.ndarray
    """(n,) int64"""
    values: np.ndarray
    """(n,) numbers; those of one place add up"""

    def dense(self, longest: int = 1 << 28) -> np.ndarray:
        """(rows, columns) float64; refuses more than ``longest`` entries."""
        if self.shape[0] * self.shape[1] > longest:
            raise ValueError(f"a sparse matrix of {self.shape[0]} x {self.shape[1]} is too large to write out")
        out = np.zeros(self.shape, np.float64)
        np.add.at(out, (self.rows, self.columns), self.values)
        return out


class Resolver:
    """Turns what the machine built into plain values, once for each shared object."""

    def __init__(self, limits: PickleLimits) -> None:
        self.limits = limits
        self.done: dict[int, tuple[Any, int]] = {}
        self.busy: set[int] = set()
        self.sizes: list[int] = [0]
        """How many values the objects under way unfold to; the list is as long as they are nested."""
        self.bytes = 0

    def visit(self, raw: Any) -> Any:
        """The value of one thing; makers call it for their arguments."""
        if isinstance(raw, Name):
            raise ValueError(f"refused: {raw} stands as a value; only data is read")
        if not isinstance(raw, (list, tuple, dict, Call)):
            self.sizes[-1] += 1
            return raw
        key = id(raw)
        if key not in self.done:
            if key in self.busy:
                raise ValueError("refused: an object contains itself")
            if len(self.sizes) > self.limits.depth:
                raise ValueError(f"refused: more than {self.limits.depth} containers within each other")
            self.busy.add(key)
            self.sizes.append(1)
            value = self.made(raw)
            self.busy.discard(key)
            self.done[key] = value, self.sizes.pop()
        value, size = self.done[key]
        self.sizes[-1] += size
        if self.sizes[-1] > self.limits.nodes:
            raise ValueError(f"refused: unfolds to more than {self.limits.nodes} values")
        return value

    def made(self, raw: Any) -> Any:
        if isinstance(raw, Call):
            make = _maker(raw.target)
            if make is None:
                raise ValueError(f"refused: a call of {raw.target}")
            return make(self, raw)
        if isinstance(raw, dict):
            return {key: self.visit(value) for key, value in raw.items()}
        values = [self.visit(value) for value in raw]
        return tuple(values) if isinstance(raw, tuple) else values

    def count_bytes(self, size: int) -> None:
        self.bytes += size
        if self.bytes > self.limits.array_bytes:
            raise ValueError(f"refused: the arrays hold more than {self.limits.array_bytes >> 20} MiB")

    def array(self, shape: Any, dtype: Any, data: Any, fortran: Any) -> Any:
        """An array from raw bytes, or a (nested) list from a list of objects."""
        if not isinstance(shape, tuple) or not all(type(n) is int and 0 <= n < 1 << 40 for n in shape) or len(shape) > 16:
            raise ValueError(f"damaged: an array of shape {str(shape)[:80]}")
        if dtype is object:
            return _folded(data, shape, bool(fortran))
        if not isinstance(dtype, np.dtype):
            raise ValueError("damaged: an array without a type")
        if isinstance(data, str):
            data = data.encode("latin-1")
        count = math.prod(shape)
        if not isinstance(data, bytes) or count * dtype.itemsize != len(data):
            raise ValueError(f"damaged: an array of shape {shape} and type {dtype} comes with "
                             f"{len(data) if isinstance(data, bytes) else 'no'} bytes")
        self.count_bytes(len(data))
        flat = np.frombuffer(data, dtype) if count else np.zeros(0, dtype)
        return flat.reshape(shape, order="F" if fortran else "C").astype(dtype.newbyteorder("="))


def _folded(data: Any, shape: tuple[int, ...], fortran: bool) -> Any:
    """An array of objects as what it holds: the object, a list, lists of lists."""
    if not isinstance(data, list) or len(data) != math.prod(shape):
        raise ValueError(f"damaged: an array of objects of shape {shape} comes without them")
    if not shape:
        return data[0]
    if fortran and len(shape) > 1:
        raise ValueError("refused: an array of objects in Fortran order")
    for n in reversed(shape[1:]):
        data = [data[i: i + n] for i in range(0, len(data), n)] if n else []
    return data


# -- how each is rebuilt --------------------------------------------------------------------
def _plain(call: Call, *, state: bool = False) -> None:
    """Refuse extras that the constructor is never given by an honest file."""
    if call.keywords or call.items or call.pairs or (call.state is not None and not state):
        raise ValueError(f"refused: {call.target} comes with more than its arguments")


def _state(r: Resolver, call: Call) -> dict[str, Any]:
    """Attributes set on an object: a dict, or a pair of a dict and slots."""
    state = call.state
    if isinstance(state, tuple) and len(state) == 2 and isinstance(state[0], (dict, type(None))):
        state = {**(state[0] or {}), **(state[1] if isinstance(state[1], dict) else {})}
    if not isinstance(state, dict):
        raise ValueError(f"damaged: {call.target} comes without its attributes")
    return state


def _argument(call: Call, index: int) -> Any:
    if len(call.args) <= index:
        raise ValueError(f"damaged: {call.target} is given {len(call.args)} arguments")
    return call.args[index]


def _make_array(r: Resolver, call: Call) -> Any:
    _plain(call, state=True)
    state = call.state
    if not isinstance(state, tuple) or len(state) not in (4, 5):
        raise ValueError("damaged: an array without its data")
    shape, dtype, fortran, data = (r.visit(x) for x in state[-4:])
    return r.array(shape, dtype, data, fortran)


def _make_from_buffer(r: Resolver, call: Call) -> Any:
    _plain(call)
    data, dtype, shape, order = (r.visit(_argument(call, k)) for k in range(4))
    return r.array(shape, dtype, data, order == "F")


def _make_scalar(r: Resolver, call: Call) -> Any:
    _plain(call)
    dtype, data = r.visit(_argument(call, 0)), r.visit(_argument(call, 1))
    if not isinstance(dtype, np.dtype):
        raise ValueError("refused: a scalar that is an object")
    return r.array((), dtype, data, False)[()]


def _make_dtype(r: Resolver, call: Call) -> Any:
    _plain(call, state=True)
    code, state = _argument(call, 0), call.state
    if code in ("O", "O8", "O4", "|O"):
        return object
    if not isinstance(code, str) or not _TYPE.fullmatch(code):
        raise ValueError(f"refused: an array of type {ascii(code)[:40]}; plain numbers and text are read")
    dtype = np.dtype(code)
    if state is not None:
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in ("<", ">", "|", "=") or any(
                x is not None for x in state[2:5]):
            raise ValueError("refused: an array of records; plain numbers and text are read")
        dtype = dtype.newbyteorder(state[1])
    return dtype


def _make_encoded(r: Resolver, call: Call) -> bytes:
    _plain(call)
    text, code = r.visit(_argument(call, 0)), r.visit(_argument(call, 1))
    if not isinstance(text, str) or code not in ("latin1", "latin-1"):
        raise ValueError("damaged: bytes that are no latin-1 text")
    return text.encode("latin-1")


def _make_bytes(r: Resolver, call: Call) -> bytes:
    _plain(call)
    args = [r.visit(a) for a in call.args]
    if args and isinstance(args[0], str):
        return args[0].encode("latin-1")
    if len(args) > 1 or args and not isinstance(args[0], bytes):
        raise ValueError(f"refused: {call.target} of something else than bytes")
    return args[0] if args else b""


def _make_set(r: Resolver, call: Call) -> set[Any]:
    values = r.visit(_argument(call, 0)) if call.args else []
    if not isinstance(values, (list, tuple)):
        raise ValueError(f"refused: {call.target} of something else than a list")
    return {check_key(v) for v in values}


def _make_complex(r: Resolver, call: Call) -> complex:
    _plain(call)
    parts = [r.visit(a) for a in call.args]
    if len(parts) != 2 or not all(isinstance(p, (int, float)) for p in parts):
        raise ValueError("damaged: a complex number without two parts")
    return complex(*map(float, parts))


def _make_dict(r: Resolver, call: Call) -> dict[Any, Any]:
    """An OrderedDict (pairs as an argument in Python 2, set afterwards in Python 3) or a defaultdict."""
    pairs = list(call.pairs)
    for given in call.args:
        if isinstance(given, list):
            pairs = [(p[0], p[1]) for p in given if isinstance(p, (list, tuple)) and len(p) == 2] + pairs
        elif not isinstance(given, Name) and given is not None:
            raise ValueError(f"refused: {call.target} of a {type(given).__name__}")
    return {check_key(key): r.visit(value) for key, value in pairs}


def _make_object(r: Resolver, call: Call) -> Any:
    """``copy_reg._reconstructor(cls, object, None)``: how protocols 0 and 1 write objects."""
    target = _argument(call, 0)
    if not isinstance(target, Name) or (make := _maker(target)) is None or make is _make_object:
        raise ValueError(f"refused: an object of {str(target)[:80]}")
    return make(r, Call(target, (), {}, call.state, call.items, call.pairs))


def _make_sparse(r: Resolver, call: Call) -> SparseMatrix:
    kind = call.target.name[:3] if isinstance(call.target, Name) else ""
    state = _state(r, call)
    values = r.visit(state.get("data"))
    shape = r.visit(state.get("_shape", state.get("shape")))
    if kind == "coo":
        pair = r.visit(state["coords"]) if "coords" in state else (r.visit(state.get("row")), r.visit(state.get("col")))
    else:
        pair = (r.visit(state.get("indices")), r.visit(state.get("indptr")))
    if not isinstance(shape, tuple) or len(shape) != 2 or not all(isinstance(n, (int, np.integer)) and 0 <= n < 1 << 31
                                                               for n in shape):
        raise ValueError(f"damaged: a sparse matrix of shape {str(shape)[:80]}")
    if not isinstance(pair, tuple) or len(pair) != 2 or not all(
            isinstance(a, np.ndarray) and a.ndim == 1 and a.dtype.kind in "iuf" for a in (values, *pair)) or any(
            a.dtype.kind == "f" for a in pair):
        raise ValueError("damaged: a sparse matrix without its arrays")
    rows, columns = (np.asarray(a, np.int64) for a in pair)
    if kind in ("csc", "csr"):
        inner, start = rows, columns
        lines = int(shape[1] if kind == "csc" else shape[0])
        if len(start) != lines + 1 or start[0] != 0 or (np.diff(start) < 0).any() or start[-1] > len(inner):
            raise ValueError("damaged: the columns of a sparse matrix do not add up")
        inner, values = inner[: start[-1]], values[: start[-1]]
        outer = np.repeat(np.arange(lines), np.diff(start))
        rows, columns = (inner, outer) if kind == "csc" else (outer, inner)
    if not len(rows) == len(columns) == len(values):
        raise ValueError("damaged: the arrays of a sparse matrix differ in length")
    for index, top in ((rows, shape[0]), (columns, shape[1])):
        if len(index) and (index.min() < 0 or index.max() >= top):
            raise ValueError(f"damaged: a sparse matrix of shape {shape} has an entry outside of it")
    return SparseMatrix((int(shape[0]), int(shape[1])), rows, columns, values)


def _make_chumpy(r: Resolver, call: Call) -> np.ndarray:
    """A chumpy array (https://github.com/mattloper/chumpy): a leaf holds ``x``; some only reorder another one."""
    name, state = str(call.target), _state(r, call)
    if name == "chumpy.ch.Ch" and "x" in state:
        return _numbers(r.visit(state["x"]), name)
    last = name.rpartition(".")[2]
    if last not in _CHUMPY_MOVES or "a" not in state:
        raise ValueError(f"refused: {name} is a computation of chumpy; only its arrays and their reorderings are read: "
                         "save the model with plain arrays (np.array(x)) where chumpy is installed")
    inner = _numbers(r.visit(state["a"]), name)
    if last == "Select":
        index = np.asarray(r.visit(state.get("idxs")))
        if index.dtype.kind not in "iu" or index.size and (index.min() < 0 or index.max() >= inner.size):
            raise ValueError(f"damaged: {name} selects what is not there")
        r.count_bytes(index.size * inner.itemsize)
        picked, shape = inner.ravel()[index], r.visit(state.get("preferred_shape"))
        return picked if shape is None else picked.reshape(shape)
    if last == "transpose":
        return np.ascontiguousarray(np.transpose(inner, r.visit(state.get("axes"))))
    return inner.reshape(r.visit(state.get("newshape")))


def _numbers(value: Any, name: str) -> np.ndarray:
    if not isinstance(value, (np.ndarray, np.generic, int, float)) or np.asarray(value).dtype.kind not in "biuf":
        raise ValueError(f"damaged: {name} holds no numbers")
    return np.asarray(value)


def _make_storage(r: Resolver, call: Call) -> np.ndarray:
    """The bytes of a torch storage as a flat array; torch's own restricted reader takes them apart."""
    _plain(call)
    data = r.visit(_argument(call, 0))
    if not isinstance(data, bytes):
        raise ValueError("damaged: a torch tensor without its bytes")
    import torch

    try:
        storage = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        flat = torch.tensor([], dtype=storage.dtype).set_(storage)
        out = flat.float().numpy() if flat.dtype in (torch.bfloat16, torch.float16) else flat.numpy()
    except Exception as err:  # torch raises pickle's, zipfile's and its own errors here
        raise ValueError(f"a torch tensor cannot be read ({type(err).__name__}: {' '.join(str(err).split())[:160]})") from None
    r.count_bytes(out.nbytes)
    return out


def _make_tensor(r: Resolver, call: Call) -> np.ndarray:
    _plain(call, state=True)
    flat, offset, size, stride = (r.visit(_argument(call, k)) for k in range(4))
    whole = [offset, *(size if isinstance(size, tuple) else (None,)), *(stride if isinstance(stride, tuple) else (None,))]
    if not isinstance(flat, np.ndarray) or len(size) != len(stride) or not all(
            type(n) is int and 0 <= n < 1 << 40 for n in whole):
        raise ValueError("damaged: a torch tensor without size and stride")
    count = math.prod(size)
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if count and last >= len(flat):
        raise ValueError(f"damaged: a torch tensor of size {size} reaches beyond its storage")
    r.count_bytes(count * flat.itemsize)
    steps = tuple(s * flat.itemsize for s in stride)
    return np.lib.stride_tricks.as_strided(flat[offset:], size, steps).copy() if count else np.zeros(size, flat.dtype)


def _make_first(r: Resolver, call: Call) -> Any:
    return r.visit(_argument(call, 0))


_Maker = Callable[[Resolver, Call], Any]
_ALLOWED: tuple[tuple[re.Pattern[str], _Maker], ...] = tuple((re.compile(p), m) for p, m in (
    (_NUMPY_CORE + r"multiarray\._reconstruct", _make_array),
    (_NUMPY_CORE + r"multiarray\.scalar", _make_scalar),
    (_NUMPY_CORE + r"numeric\._frombuffer", _make_from_buffer),
    (r"numpy\.dtype", _make_dtype),
    (r"_codecs\.encode", _make_encoded),
    (r"(?:__builtin__|builtins)\.(?:bytes|bytearray)", _make_bytes),
    (r"(?:__builtin__|builtins)\.(?:set|frozenset)", _make_set),
    (r"(?:__builtin__|builtins)\.complex", _make_complex),
    (r"collections\.(?:OrderedDict|defaultdict)", _make_dict),
    (r"(?:copy_reg|copyreg)\._reconstructor", _make_object),
    (r"scipy\.sparse\._?(?:csc|csr|coo)\.(?:csc|csr|coo)_(?:matrix|array)", _make_sparse),
    (r"chumpy(?:\.\w+)*\.\w+", _make_chumpy),
    (r"torch\.storage\._load_from_bytes", _make_storage),
    (r"torch\._utils\._rebuild_tensor(?:_v2)?", _make_tensor),
    (r"torch\._utils\._rebuild_parameter", _make_first),
))
_MARKERS = frozenset({"numpy.ndarray"} | {f"{b}.{n}" for b in ("__builtin__", "builtins")
                                          for n in ("object", "list", "dict", "int", "float", "str")})
"""Names that honest files pass as arguments (of which class an array is); never a value, never called."""


def _maker(name: Name) -> Callable[[Resolver, Call], Any] | None:
    """How a named constructor is rebuilt; None for everything that the list does not hold."""
    full = str(name)
    for pattern, make in _ALLOWED:
        if pattern.fullmatch(full):
            return make
    return None


def allow(name: Name) -> None:
    if _maker(name) is None and str(name) not in _MARKERS:
        raise ValueError(f"refused: the pickle names {name}, which is not plain data; nothing of it was run")
