"""Settings as pydantic models, read from YAML files that may build on others through ``base:``."""

from __future__ import annotations

import json
import os
import re
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from .files import read_text

T = TypeVar("T")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


LARGEST = 100_000
"""Values of a config file; aliases of aliases, and merges of merges, would otherwise fill the memory or take for ever."""
LONGEST = 4 << 20
"""Bytes of a config file."""
SETTINGS = ConfigDict(extra="forbid", allow_inf_nan=False)
"""For ``@pydantic.dataclasses.dataclass(frozen=True, config=SETTINGS)``: no unknown entries, finite numbers."""


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same YAML, ten times as fast where libyaml is there."""


def load_yaml(text: str) -> Any:
    """The plain values of a YAML text that ships with the package."""
    return _LOADER(text).get_single_data()


def read_yaml_values(path: str | os.PathLike[str], most: int = LARGEST) -> Any:
    """The plain values of a user's YAML file, of any kind.

    The values are counted on the nodes, with aliases and merges written out, before any of them is made. libyaml is not used:
    it crashes on lists nested some ten thousand times.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not YAML, not UTF-8, nested too deeply, or more than ``most`` values; one line that names the file.
    """
    text = read_text(path, LONGEST)
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is not None and _values(node, {}) > most:
            raise ValueError(f"it holds more than {most:,} values")
        return None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError, TypeError) as err:  # not YAML's own: an impossible date, number or key
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(err).split())}") from None
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply for YAML that can be read") from None


def parse(cls: type[T], raw: Any, where: str = "config") -> T:
    """Make settings (a pydantic dataclass with ``SETTINGS``, or a model) from plain values; wrong names and types are refused.

    Raises:
        ValueError: one line naming the entry, the value and what is allowed.
    """
    try:  # strict JSON rules: lists become tuples, but "3" is not a number and 1 is not true
        return TypeAdapter(cls).validate_json(json.dumps(raw, default=str), strict=True)
    except ValidationError as err:
        raise ValueError(explain(err, cls, where)) from err
    except TypeError as err:  # YAML's names may be dates or bytes
        raise ValueError(f"{where}: names of entries must be texts ({err})") from None


def explain(err: ValidationError, cls: type | None = None, where: str = "") -> str:
    """The first fault of a validation in one line."""
    fault = err.errors(include_url=False)[0]
    names = [str(part) for part in fault["loc"]]
    place = ".".join([where, *names] if where else names)
    if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _entries(cls, names[:-1])
        return f"{'.'.join([where, *names[:-1]]).strip('.') or 'settings'}: unknown entry {names[-1]!r}" + (
            f"; known: {', '.join(known)}" if known else "")
    if fault["type"] == "value_error":  # a validator of ours: its text says everything
        text = str(fault["ctx"]["error"])
        return f"{place}: {text}" if place else text
    if fault["type"] == "missing":
        return f"{place} is missing"
    allowed = fault["msg"].removeprefix("Input should be ")
    return f"{place} is {reprlib.repr(fault['input'])}; allowed: {allowed}"


def _entries(cls: Any, names: list[str]) -> list[str]:
    """The entries of the (nested) model that ``names`` leads to."""
    for name in names:
        field = getattr(cls, "model_fields", getattr(cls, "__pydantic_fields__", {})).get(name)
        cls = field.annotation if field else None
    return list(getattr(cls, "model_fields", getattr(cls, "__dataclass_fields__", {})))


def read_yaml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a YAML mapping with its ``base:`` chain merged underneath (deep for mappings).

    Raises:
        FileNotFoundError: the file or its base does not exist.
        ValueError: not a mapping, not YAML, or a circle of bases.
    """
    return _read(Path(path), ())


def read_settings(cls: type[T], path: str | os.PathLike[str]) -> T:
    """Read settings from a YAML file and what it is based on.

    Raises:
        FileNotFoundError, ValueError: see :func:`read_yaml` and :func:`parse`.
    """
    return parse(cls, read_yaml(path), str(path))


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in seen:
        raise ValueError(f"{path}: its base files form a circle")
    raw = _numbers(read_yaml_values(path))
    if raw is None:
        raise ValueError(f"{path} is empty; state at least one value, or name another file under base:")
    if not isinstance(raw, dict):
        raise ValueError(f"{path} must be a mapping of names to values, not {type(raw).__name__}")
    base = raw.pop("base", None)
    return raw if base is None else merge(_read(path.parent / str(base), (*seen, path)), raw)


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for with aliases written out, found without writing them out.

    Raises:
        ValueError: a node holds itself.
    """
    if (count := known.get(id(node))) == 0:
        raise ValueError("an alias stands within what it names")
    if count is None:
        known[id(node)] = 0
        inner = (n for pair in node.value for n in pair) if isinstance(node, yaml.MappingNode) else (
            node.value if isinstance(node, yaml.SequenceNode) else ())
        count = known[id(node)] = 1 + sum(_values(n, known) for n in inner)
    return count


def _numbers(value: Any) -> Any:
    """Plain values with numbers such as 1e-3, which YAML 1.1 reads as strings, made numbers."""
    if isinstance(value, dict):
        return {k: _numbers(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_numbers(v) for v in value]
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings with ``over`` laid on ``under``, deep."""
    out = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merge(out[key], value) if both else value
    return out
