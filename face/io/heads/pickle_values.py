"""What the records of an unpickled file stand for: plain values, arrays from their bytes, sparse matrices from triplets.

Nothing here calls what a file names; the list at the end says which names are understood, and how each is rebuilt.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

MAX_KEY = 16
"""Values in a tuple that is a key."""
MAX_DENSE = 1 << 28
"""Entries of a sparse matrix, zeros included."""
MAX_BYTES = 1 << 30
"""Of all arrays together."""
MAX_DEPTH = 60
"""Containers within containers."""
MAX_NODES = 20_000_000
"""Values after every shared reference is written out: what a nest of lists would unfold to."""
_PLAIN = (str, bytes, int, float, bool, type(None))
_SPARSE = frozenset({"data", "indices", "indptr", "row", "col", "coords", "_shape", "shape"})
_TYPE = re.compile(r"[<>=|]?(?:[?bBhHiIlLqQefd]|[biuf](?:1|2|4|8)|[SUa]\d{1,6}|c8|c16)")


def shown(text: object, longest: int = 120) -> str:
    """Text out of the file, safe to print."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(str(text).split())[:longest]) or "(nothing)"


class Record:
    """An object as the file describes it: what it would call, with what, and what it would set afterwards."""

    __slots__ = ("args", "pairs", "state")
    name = ""
    args: tuple[Any, ...]
    state: Any
    pairs: list[tuple[Any, Any]]

    def __new__(cls, /, *args: Any, **_: Any) -> Record:
        """Record a call; keywords, which no data needs, are left out."""
        self = object.__new__(cls)
        self.args, self.state, self.pairs = args, None, []
        return self

    def __setstate__(self, state: Any) -> None:
        if self.state is not None:
            raise ValueError(f"refused: the state of {self.name} is set twice")
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.pairs.append((key, value))


class Resolver:
    """Turns records into plain values, once for each shared object."""

    def __init__(self) -> None:
        self.done: dict[int, tuple[Any, int]] = {}
        self.busy: set[int] = set()
        self.sizes: list[int] = [0]
        """How many values the objects under way unfold to; the list is as long as they are nested."""
        self.bytes = 0

    def visit(self, raw: Any) -> Any:
        """The value of one thing, with its depth and size counted."""
        if isinstance(raw, type):
            return getattr(raw, "name", "")  # a class is its name
        if not isinstance(raw, (list, tuple, dict, Record)):
            self.sizes[-1] += 1
            return _keys(raw) if isinstance(raw, (set, frozenset)) else bytes(raw) if isinstance(raw, bytearray) else raw
        key = id(raw)
        if key not in self.done:
            if key in self.busy:
                raise ValueError("refused: an object contains itself")
            if len(self.sizes) > MAX_DEPTH:
                raise ValueError(f"refused: more than {MAX_DEPTH} containers within each other")
            self.busy.add(key)
            self.sizes.append(1)
            value = self.made(raw)
            self.busy.discard(key)
            self.done[key] = value, self.sizes.pop()
        value, size = self.done[key]
        self.sizes[-1] += size
        if self.sizes[-1] > MAX_NODES:
            raise ValueError(f"refused: unfolds to more than {MAX_NODES} values")
        return value

    def made(self, raw: Any) -> Any:
        """The same, built anew."""
        if isinstance(raw, Record):
            make = maker(raw.name)
            if make is None:
                raise ValueError(f"refused: a call of {raw.name}")
            return make(self, raw, *(self.visit(a) for a in raw.args))
        if isinstance(raw, dict):
            _keys(raw)
            return {key: self.visit(value) for key, value in raw.items()}
        values = [self.visit(value) for value in raw]
        return tuple(values) if isinstance(raw, tuple) else values

    def count_bytes(self, size: int) -> None:
        """Add to the bytes of all arrays, which are limited."""
        self.bytes += size
        if self.bytes > MAX_BYTES:
            raise ValueError(f"refused: the arrays hold more than {MAX_BYTES >> 20} MiB")

    def array(self, shape: Any, dtype: Any, data: Any, fortran: Any) -> Any:
        """An array from raw bytes, or a (nested) list from a list of objects."""
        if not _counts(shape) or len(shape) > 16:
            raise ValueError(f"damaged: an array of shape {shown(shape)}")
        if dtype is object:
            return _folded(data, shape, bool(fortran))
        if not isinstance(dtype, np.dtype):
            raise ValueError("damaged: an array without a type")
        data = data.encode("latin-1") if isinstance(data, str) else data
        if not isinstance(data, bytes) or math.prod(shape) * dtype.itemsize != len(data):
            raise ValueError(f"damaged: an array of shape {shape} and type {dtype} comes with "
                             f"{len(data) if isinstance(data, bytes) else 'no'} bytes")
        self.count_bytes(len(data))
        flat = np.frombuffer(data, dtype) if data else np.zeros(math.prod(shape), dtype)
        return flat.reshape(shape, order="F" if fortran else "C").astype(dtype.newbyteorder("="))


def _counts(values: Any) -> bool:
    """Whether this is a tuple of lengths."""
    return isinstance(values, tuple) and all(type(n) is int and 0 <= n < 1 << 40 for n in values)


def _keys(keys: Any) -> Any:
    """Dict keys or set elements, checked: text, numbers, or short tuples of these."""
    for key in keys:
        short = isinstance(key, tuple) and len(key) <= MAX_KEY and all(isinstance(k, _PLAIN) for k in key)
        if not isinstance(key, _PLAIN) and not short:
            raise ValueError(f"refused: a key of type {type(key).__name__}; keys are text or numbers")
    return keys


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


# -- how each is rebuilt: from the call as recorded, and its arguments -------------------------
def _array(r: Resolver, call: Record, *_: Any) -> Any:
    if not isinstance(call.state, tuple):
        raise ValueError("damaged: an array without its data")
    shape, dtype, fortran, data = (r.visit(x) for x in call.state[-4:])
    return r.array(shape, dtype, data, fortran)


def _dtype(r: Resolver, call: Record, code: Any, *_: Any) -> Any:
    if code in ("O", "O8", "O4", "|O"):
        return object
    state: Any = call.state or (0, "=", None, None, None)
    _version, order, *record = state[:5]
    if not isinstance(code, str) or not _TYPE.fullmatch(code) or order not in ("<", ">", "|", "=") or record != [None] * 3:
        raise ValueError(f"refused: an array of type {shown(code, 40)} or of records; plain numbers and text are read")
    return np.dtype(code).newbyteorder(order) if call.state else np.dtype(code)


def _bytes(r: Resolver, call: Record, value: Any = b"", code: Any = "latin-1") -> bytes:
    """``bytes()``, ``bytes(b"...")``, ``bytearray("...", "latin-1")`` and ``_codecs.encode("...", "latin1")``."""
    if isinstance(value, str) and code in ("latin1", "latin-1"):
        return value.encode("latin-1")
    if not isinstance(value, bytes):
        raise ValueError(f"refused: {call.name} of something else than bytes")
    return value


def _set(r: Resolver, call: Record, values: Any = ()) -> set[Any]:
    if not isinstance(values, (list, tuple)):
        raise ValueError(f"refused: {call.name} of something else than a list")
    return set(_keys(values))


def _dict(r: Resolver, call: Record, *args: Any) -> dict[Any, Any]:
    """An OrderedDict (pairs as an argument in Python 2, set afterwards in Python 3) or a defaultdict."""
    pairs = [pair for a in args if isinstance(a, list) for pair in a] + [(key, r.visit(value)) for key, value in call.pairs]
    _keys(key for key, _ in pairs)
    return dict(pairs)


def _object(r: Resolver, call: Record, name: Any, *_: Any) -> Any:
    """``copy_reg._reconstructor(cls, object, None)``: how protocols 0 and 1 write objects."""
    make = maker(str(name))
    if make is None or make is _object:
        raise ValueError(f"refused: an object of {shown(name, 80)}")
    built = type("Record", (Record,), {"name": name, "__slots__": ()})()
    built.state, built.pairs = call.state, call.pairs
    return make(r, built)


def _state(call: Record) -> dict[str, Any]:
    """Attributes set on an object: a dict, or a pair of a dict and slots."""
    state = call.state
    if isinstance(state, tuple) and len(state) == 2 and isinstance(state[0], (dict, type(None))):
        state = {**(state[0] or {}), **(state[1] if isinstance(state[1], dict) else {})}
    if not isinstance(state, dict):
        raise ValueError(f"damaged: {call.name} comes without its attributes")
    return state


def _sparse(r: Resolver, call: Record, *_: Any) -> sparse.coo_matrix:
    """A scipy matrix; scipy checks that columns add up and that entries lie inside."""
    kind, state = call.name.rpartition(".")[2][:3], _state(call)
    parts = {name: r.visit(value) for name, value in state.items() if name in _SPARSE}
    keys = ("row", "col") if kind == "coo" else ("indices", "indptr")
    inner = parts["coords"] if kind == "coo" and "coords" in parts else tuple(parts.get(k) for k in keys)
    values: Any = parts.get("data")
    shape: Any = parts.get("_shape", parts.get("shape"))
    if not isinstance(inner, tuple) or len(inner) != 2 or not all(
            isinstance(a, np.ndarray) and a.ndim == 1 and a.dtype.kind in kinds
            for a, kinds in ((values, "iuf"), (inner[0], "iu"), (inner[1], "iu"))):
        raise ValueError("damaged: a sparse matrix without its arrays")
    shape = tuple(n.item() if isinstance(n, np.integer) else n for n in shape) if isinstance(shape, tuple) else shape
    if not _counts(shape) or len(shape) != 2:
        raise ValueError(f"damaged: a sparse matrix of shape {shown(shape)}")
    if math.prod(shape) > MAX_DENSE:
        raise ValueError(f"a sparse matrix of {shape[0]} x {shape[1]} is too large to write out")
    if kind == "coo":
        return sparse.coo_matrix((values, inner), shape=shape)
    matrix = (sparse.csc_matrix if kind == "csc" else sparse.csr_matrix)((values, *inner), shape=shape)
    matrix.check_format(full_check=True)
    return matrix.tocoo()


def _chumpy(r: Resolver, call: Record, *_: Any) -> np.ndarray:
    """A chumpy array (https://github.com/mattloper/chumpy): a leaf holds ``x``; some only reorder another one."""
    state, kind = _state(call), call.name.rpartition(".")[2]
    leaf = call.name == "chumpy.ch.Ch" and "x" in state
    if not leaf and (kind not in ("Select", "transpose", "Reshape", "reshape") or "a" not in state):
        raise ValueError(f"refused: {shown(call.name)} is a computation of chumpy; only its arrays and their reorderings are "
                         "read: save the model with plain arrays (np.array(x)) where chumpy is installed")
    inner = _numeric(call, r.visit(state["x" if leaf else "a"]), "biuf")
    if leaf:
        return inner
    if kind == "transpose":
        return np.ascontiguousarray(np.transpose(inner, r.visit(state.get("axes"))))
    if kind != "Select":
        return inner.reshape(r.visit(state.get("newshape")))
    index = _numeric(call, r.visit(state.get("idxs")), "iu")
    if (index < 0).any():
        raise ValueError(f"damaged: {call.name} selects what is not there")
    r.count_bytes(index.size * inner.itemsize)
    picked, shape = inner.ravel()[index], r.visit(state.get("preferred_shape"))
    return picked if shape is None else picked.reshape(shape)


def _numeric(call: Record, value: Any, kinds: str) -> np.ndarray:
    if not isinstance(value, (np.ndarray, np.generic, int, float)) or np.asarray(value).dtype.kind not in kinds:
        raise ValueError(f"damaged: {shown(call.name)} holds no numbers")
    return np.asarray(value)


def _storage(r: Resolver, call: Record, data: Any) -> np.ndarray:
    """The bytes of a torch storage as a flat array; torch's own restricted reader takes them apart."""
    import torch

    storage = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    flat = torch.tensor([], dtype=storage.dtype).set_(storage)
    out = (flat.float() if flat.dtype in (torch.bfloat16, torch.float16) else flat).numpy()
    r.count_bytes(out.nbytes)
    return out


def _tensor(r: Resolver, call: Record, flat: Any, offset: Any, size: Any, stride: Any, *_: Any) -> np.ndarray:
    if not isinstance(flat, np.ndarray) or not _counts(size) or not _counts(stride) or not _counts((offset,)):
        raise ValueError("damaged: a torch tensor without size and stride")
    import torch

    r.count_bytes(math.prod(size) * flat.itemsize)
    return torch.from_numpy(flat).as_strided(size, stride, offset).numpy().copy()  # torch checks the bounds


_NUMPY_CORE = r"numpy\.(?:core|_core)\."
_Maker = Callable[..., Any]
_ALLOWED: tuple[tuple[re.Pattern[str], _Maker], ...] = tuple((re.compile(p), m) for p, m in (
    (_NUMPY_CORE + r"multiarray\._reconstruct", _array),
    (_NUMPY_CORE + r"multiarray\.scalar", lambda r, call, dtype, data: r.array((), dtype, data, False)[()]),
    (_NUMPY_CORE + r"numeric\._frombuffer",
     lambda r, call, data, dtype, shape, order: r.array(shape, dtype, data, order == "F")),
    (r"numpy\.dtype", _dtype),
    (r"_codecs\.encode", _bytes),
    (r"(?:__builtin__|builtins)\.(?:bytes|bytearray)", _bytes),
    (r"(?:__builtin__|builtins)\.(?:set|frozenset)", _set),
    (r"(?:__builtin__|builtins)\.complex", lambda r, call, real, imag: complex(float(real), float(imag))),
    (r"collections\.(?:OrderedDict|defaultdict)", _dict),
    (r"(?:copy_reg|copyreg)\._reconstructor", _object),
    (r"scipy\.sparse\._?(?:csc|csr|coo)\.(?:csc|csr|coo)_(?:matrix|array)", _sparse),
    (r"chumpy(?:\.\w+)*\.\w+", _chumpy),
    (r"torch\.storage\._load_from_bytes", _storage),
    (r"torch\._utils\._rebuild_tensor(?:_v2)?", _tensor),
    (r"torch\._utils\._rebuild_parameter", lambda r, call, value, *_: value),
))
MARKERS = frozenset({"numpy.ndarray"} | {f"{b}.{n}" for b in ("__builtin__", "builtins")
                                          for n in ("object", "list", "dict", "int", "float", "str")})
"""Names that files pass as arguments (of which class an array is); never called."""


def maker(name: str) -> _Maker | None:
    """How a named constructor is rebuilt; None for everything that the list does not hold."""
    return next((make for pattern, make in _ALLOWED if pattern.fullmatch(name)), None)
