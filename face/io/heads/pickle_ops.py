"""Parses a pickle stream into plain data and inert records; imports nothing and calls nothing that it names.

Opcodes as documented in CPython's ``pickletools`` (https://docs.python.org/3/library/pickletools.html),
protocols 0 to 5.  A class or function in the stream becomes a :class:`Name`, a call or an object a
:class:`Call`; ``face/io/heads/safe_pickle.py`` decides what those stand for.
"""

from __future__ import annotations

import codecs
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

LONGEST_INT = 1024
"""Bytes of one integer."""
LONGEST_LINE = 1 << 16
"""Bytes of a text line of protocol 0, strings apart."""


@dataclass(frozen=True)
class PickleLimits:
    """What a foreign file may hold before reading stops; FLAME 2020 needs 53 MB and about 200 operations."""

    file_bytes: int = 1 << 30
    operations: int = 5_000_000
    """Opcodes; also bounds the memo and the number of objects."""
    array_bytes: int = 1 << 30
    """All arrays together."""
    depth: int = 60
    """Containers within containers."""
    nodes: int = 20_000_000
    """Values after every shared reference is written out: what a nest of lists would unfold to."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"PickleLimits.{name} is {value!r}; a whole number of at least 1 is needed")


@dataclass(frozen=True, eq=False)
class Name:
    """A class or function that the stream names; never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Call:
    """An object as the stream describes it: what it would call, with what, and what it would set afterwards."""

    target: Any
    args: tuple[Any, ...]
    keywords: dict[str, Any] = field(default_factory=dict)
    state: Any = None
    items: list[Any] = field(default_factory=list)
    pairs: list[tuple[Any, Any]] = field(default_factory=list)


class _Mark:
    pass


_MARK = _Mark()


def _shown(text: object) -> str:
    """A name out of the file, safe to print."""
    plain = ascii(str(text)[:120])[1:-1]
    return plain or "(nothing)"


def check_key(key: Any) -> Any:
    """A dict key or set element; nested tuples are not hashed, since hashing recurses without limit."""
    plain = (str, bytes, int, float, bool, type(None))
    if isinstance(key, plain) or isinstance(key, tuple) and len(key) <= 16 and all(isinstance(k, plain) for k in key):
        return key
    raise ValueError(f"refused: a key of type {type(key).__name__}; keys are text or numbers")


class Machine:
    """Reads one pickle from ``data``.

    Args:
        data: the whole file.
        limits: see :class:`PickleLimits`.
        allow: is asked for every class or function as soon as it is named; raises to refuse it.
    """

    def __init__(self, data: bytes, limits: PickleLimits, allow: Callable[[Name], None]) -> None:
        self.data, self.at, self.limits, self.allow = memoryview(data), 0, limits, allow
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    # -- bytes ----------------------------------------------------------------------------------
    def take(self, count: int) -> bytes:
        if count < 0 or count > len(self.data) - self.at:
            raise ValueError(f"cut short or damaged: {count} bytes announced at byte {self.at}, "
                             f"{len(self.data) - self.at} left")
        out = bytes(self.data[self.at: self.at + count])
        self.at += count
        return out

    def number(self, code: str) -> Any:
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def line(self, longest: int = LONGEST_LINE) -> bytes:
        step, end = 4096, self.at
        while end < len(self.data):
            where = bytes(self.data[end: end + step]).find(b"\n")
            if where >= 0:
                end += where
                if end - self.at > longest:
                    break
                out = bytes(self.data[self.at: end])
                self.at = end + 1
                return out
            end += step
            step = min(2 * step, 1 << 24)
            if end - self.at > longest:
                break
        raise ValueError(f"cut short or damaged: no end of line after byte {self.at}")

    # -- stack ----------------------------------------------------------------------------------
    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise ValueError("damaged: a value is missing on the stack")
        return self.stack.pop()

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise ValueError("damaged: a value is missing on the stack")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        for start in range(len(self.stack) - 1, -1, -1):
            if self.stack[start] is _MARK:
                out = self.stack[start + 1:]
                del self.stack[start:]
                return out
        raise ValueError("damaged: a mark is missing on the stack")

    # -- meaning --------------------------------------------------------------------------------
    def name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("damaged: a class is named by something that is not text")
        found = Name(_shown(module), _shown(name))
        self.allow(found)
        self.push(found)

    def call(self, target: Any, args: Any, keywords: Any = None) -> None:
        if not isinstance(target, Name):
            raise ValueError(f"refused: a call of a {type(target).__name__}; only named constructors are understood")
        if not isinstance(args, tuple) or keywords is not None and not isinstance(keywords, dict):
            raise ValueError(f"damaged: the arguments of {target} are no tuple")
        self.push(Call(target, args, keywords or {}))

    def build(self, state: Any) -> None:
        target = self.top()
        if not isinstance(target, Call):
            raise ValueError(f"refused: a state is set on a {type(target).__name__}")
        if target.state is not None:
            raise ValueError(f"refused: the state of {target.target} is set twice")
        target.state = state

    def extend(self, values: list[Any]) -> None:
        target = self.top()
        if isinstance(target, list):
            target.extend(values)
        elif isinstance(target, Call):
            target.items.extend(values)
        else:
            raise ValueError(f"refused: values are appended to a {type(target).__name__}")

    def set_items(self, flat: list[Any]) -> None:
        target = self.top()
        if len(flat) % 2:
            raise ValueError("damaged: a key without a value")
        for key, value in zip(flat[::2], flat[1::2], strict=True):
            if isinstance(target, dict):
                target[check_key(key)] = value
            elif isinstance(target, Call):
                target.pairs.append((check_key(key), value))
            else:
                raise ValueError(f"refused: items are set on a {type(target).__name__}")

    def add_items(self, values: list[Any]) -> None:
        target = self.top()
        if not isinstance(target, set):
            raise ValueError(f"refused: elements are added to a {type(target).__name__}")
        target.update(check_key(v) for v in values)

    def get(self, key: int) -> None:
        if key not in self.memo:
            raise ValueError(f"damaged: memo entry {key} does not exist")
        self.push(self.memo[key])

    def text(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise ValueError(f"damaged: text before byte {self.at} is not UTF-8") from None

    def whole(self, raw: bytes) -> int:
        if len(raw) > LONGEST_INT:
            raise ValueError(f"refused: a number of {len(raw)} bytes")
        return int.from_bytes(raw, "little", signed=True)

    def decimal(self, raw: bytes, kind: type[int] | type[float]) -> Any:
        if len(raw) > LONGEST_INT:
            raise ValueError(f"refused: a number of {len(raw)} characters")
        try:
            return kind(raw.decode("ascii").strip())
        except ValueError:
            raise ValueError(f"damaged: {_shown(raw[:40])} is not a number") from None

    def quoted(self) -> str:
        """Python 2's repr of a byte string, given back as latin-1 text."""
        raw = self.line(longest=len(self.data)).strip()
        if len(raw) < 2 or raw[:1] != raw[-1:] or raw[:1] not in b"'\"":
            raise ValueError(f"damaged: a string without quotes before byte {self.at}")
        try:
            return codecs.escape_decode(raw[1:-1])[0].decode("latin-1")  # type: ignore[attr-defined]
        except ValueError:
            raise ValueError(f"damaged: an escape before byte {self.at} cannot be read") from None

    # -- the loop -------------------------------------------------------------------------------
    def run(self) -> Any:
        """The value that the stream describes, calls still unresolved."""
        for _ in range(self.limits.operations):
            code = self.take(1)
            if code == b".":
                return self.pop()
            step = _OPCODES.get(code)
            if step is None:
                raise ValueError(f"not a pickle or damaged: byte {self.at - 1} is {code!r}, no operation that is read")
            step(self)
        raise ValueError(f"refused: more than {self.limits.operations} operations")


def _protocol(m: Machine) -> None:
    version = m.number("<B")
    if version > 5:
        raise ValueError(f"pickle protocol {version} is not known; 0 to 5 are read")


def _pop_any(m: Machine) -> None:
    if not m.stack:
        raise ValueError("damaged: a value is missing on the stack")
    m.stack.pop()


def _int_line(m: Machine) -> None:
    raw = m.line()
    m.push({b"00": False, b"01": True}[raw] if raw in (b"00", b"01") else m.decimal(raw, int))


def _float_line(m: Machine) -> None:
    value = m.decimal(m.line(), float)
    m.push(value if not math.isnan(value) else math.nan)


def _fixed_tuple(count: int) -> Callable[[Machine], None]:
    def step(m: Machine) -> None:
        m.push(tuple(reversed([m.pop() for _ in range(count)])))
    return step


def _stack_global(m: Machine) -> None:
    name, module = m.pop(), m.pop()
    m.name(module, name)


def _line_global(m: Machine) -> None:
    module = m.text(m.line())
    m.name(module, m.text(m.line()))


def _inst(m: Machine) -> None:
    args = tuple(m.since_mark())
    _line_global(m)
    m.call(m.pop(), args)


def _obj(m: Machine) -> None:
    values = m.since_mark()
    if not values:
        raise ValueError("damaged: an object without a class")
    m.call(values[0], tuple(values[1:]))


def _reduce(m: Machine) -> None:
    args = m.pop()
    m.call(m.pop(), args)


def _newobj_ex(m: Machine) -> None:
    keywords, args = m.pop(), m.pop()
    m.call(m.pop(), args, keywords)


def _build(m: Machine) -> None:
    state = m.pop()
    m.build(state)


def _append(m: Machine) -> None:
    value = m.pop()
    m.extend([value])


def _setitem(m: Machine) -> None:
    value, key = m.pop(), m.pop()
    m.set_items([key, value])


def _dict(m: Machine) -> None:
    flat = m.since_mark()
    m.push({})
    m.set_items(flat)


def _put(m: Machine, key: int) -> None:
    if key < 0:
        raise ValueError(f"damaged: memo entry {key}")
    m.memo[key] = m.top()


def _refuse(what: str) -> Callable[[Machine], None]:
    def step(m: Machine) -> None:
        raise ValueError(f"refused: the pickle refers to {what}")
    return step


_OPCODES: dict[bytes, Callable[[Machine], None]] = {
    b"\x80": _protocol, b"\x95": lambda m: (m.number("<Q"), None)[1],
    b"(": lambda m: m.push(_MARK), b"0": _pop_any, b"1": lambda m: (m.since_mark(), None)[1], b"2": lambda m: m.push(m.top()),
    b"N": lambda m: m.push(None), b"\x88": lambda m: m.push(True), b"\x89": lambda m: m.push(False),
    b"I": _int_line, b"J": lambda m: m.push(m.number("<i")), b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")), b"L": lambda m: m.push(m.decimal(m.line().rstrip(b"L"), int)),
    b"\x8a": lambda m: m.push(m.whole(m.take(m.number("<B")))), b"\x8b": lambda m: m.push(m.whole(m.take(m.number("<i")))),
    b"F": _float_line, b"G": lambda m: m.push(m.number(">d")),
    b"S": lambda m: m.push(m.quoted()),
    b"T": lambda m: m.push(m.take(m.number("<i")).decode("latin-1")),
    b"U": lambda m: m.push(m.take(m.number("<B")).decode("latin-1")),
    b"B": lambda m: m.push(m.take(m.number("<I"))), b"C": lambda m: m.push(m.take(m.number("<B"))),
    b"\x8e": lambda m: m.push(m.take(m.number("<Q"))), b"\x96": lambda m: m.push(m.take(m.number("<Q"))),
    b"V": lambda m: m.push(m.line(longest=len(m.data)).decode("raw-unicode-escape", "replace")),
    b"X": lambda m: m.push(m.text(m.take(m.number("<I")))), b"\x8c": lambda m: m.push(m.text(m.take(m.number("<B")))),
    b"\x8d": lambda m: m.push(m.text(m.take(m.number("<Q")))),
    b"]": lambda m: m.push([]), b"a": _append, b"e": lambda m: m.extend(m.since_mark()),
    b"l": lambda m: m.push(m.since_mark()), b")": lambda m: m.push(()), b"t": lambda m: m.push(tuple(m.since_mark())),
    b"\x85": _fixed_tuple(1), b"\x86": _fixed_tuple(2), b"\x87": _fixed_tuple(3),
    b"}": lambda m: m.push({}), b"d": _dict, b"s": _setitem, b"u": lambda m: m.set_items(m.since_mark()),
    b"\x8f": lambda m: m.push(set()), b"\x90": lambda m: m.add_items(m.since_mark()),
    b"\x91": lambda m: m.push(frozenset(check_key(v) for v in m.since_mark())),
    b"g": lambda m: m.get(m.decimal(m.line(), int)), b"h": lambda m: m.get(m.number("<B")), b"j": lambda m: m.get(m.number("<I")),
    b"p": lambda m: _put(m, m.decimal(m.line(), int)), b"q": lambda m: _put(m, m.number("<B")),
    b"r": lambda m: _put(m, m.number("<I")), b"\x94": lambda m: _put(m, len(m.memo)),
    b"c": _line_global, b"\x93": _stack_global, b"R": _reduce, b"b": _build, b"i": _inst, b"o": _obj,
    b"\x81": _reduce, b"\x92": _newobj_ex,
    b"P": _refuse("an object outside of it"), b"Q": _refuse("an object outside of it (a persistent id, as in torch files)"),
    **dict.fromkeys((b"\x82", b"\x83", b"\x84"), _refuse("an extension registry")),
    **dict.fromkeys((b"\x97", b"\x98"), _refuse("a buffer outside of it")),
}
