"""Configuration files: YAML that states only what differs from its ``base:`` file."""

from __future__ import annotations

import dataclasses
import math
import os
import reprlib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

T = TypeVar("T")


def read_yaml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A YAML mapping with its ``base:`` chain merged underneath (deep for mappings).

    Raises:
        FileNotFoundError: the file or its base does not exist.
        ValueError: not a mapping, not YAML, or a circle of bases.
    """
    return _read(Path(path), ())


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in seen:
        raise ValueError(f"{path}: its base files form a circle")
    if not path.is_file():
        raise FileNotFoundError(f"no such config file: {path}")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as err:  # a ValueError: not UTF-8, an impossible date or number
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(err).split())}") from err
    except RecursionError as err:
        raise ValueError(f"{path} is nested too deeply for a config file") from err
    if raw is None:
        raise ValueError(f"{path} is empty; state at least one value, or name another file under base:")
    if not isinstance(raw, dict):
        raise ValueError(f"{path} must be a mapping of names to values, not {type(raw).__name__}")
    base = raw.pop("base", None)
    return raw if base is None else _merge(_read(path.parent / str(base), (*seen, path)), raw)


def _merge(under: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = _merge(out[key], value) if both else value
    return out


def build(cls: type[T], raw: Mapping[str, Any], where: str = "config") -> T:
    """A (nested) dataclass from plain values; unknown names and wrong types are refused.

    Raises:
        ValueError: naming the entry, the value and what is allowed.
    """
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    if not isinstance(raw, Mapping):
        raise ValueError(f"{where} must be a mapping with some of: {', '.join(names)}")
    if unknown := [k for k in raw if k not in names]:
        raise ValueError(f"{where}: unknown entry {unknown[0]!r}; known: {', '.join(names)}")
    values = {}
    for key, value in raw.items():
        hint = hints[key]
        if dataclasses.is_dataclass(hint):
            values[key] = build(hint, value, f"{where}.{key}")  # type: ignore[arg-type]
        else:
            values[key] = _coerce(hint, value, f"{where}.{key}")
    return cls(**values)


def _coerce(hint: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin is tuple and isinstance(value, (list, tuple)):
        inner = typing.get_args(hint)[0]
        return tuple(_coerce(inner, v, where) for v in value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} is {value}; a finite number is needed")
    options = typing.get_args(hint) if origin is not None and origin is not tuple else (hint,)
    if float in options and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if float in options and isinstance(value, str):
        try:
            return float(value)  # YAML reads 1e-3 as a string
        except ValueError:
            pass
    plain = tuple(o for o in options if isinstance(o, type))
    if plain and (not isinstance(value, plain) or (isinstance(value, bool) and bool not in plain)):
        raise ValueError(f"{where} is {reprlib.repr(value)}; needed: {' or '.join(p.__name__ for p in plain)}")
    return value
