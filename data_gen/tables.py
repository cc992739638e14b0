"""Tables as YAML files beside the code, read once and checked against a schema."""

from __future__ import annotations

from importlib.resources import files
from typing import TypeVar

from ..common.config import load_yaml, parse

T = TypeVar("T")


def read_table(package: str, path: str, schema: type[T]) -> T:
    """Read a YAML file of a package.

    Args:
        package: the package that the file lies in, ``__package__`` of the caller.
        path: the file's place in it.
        schema: a pydantic dataclass; values of other types are refused, so that a bare ``no`` is not taken for a word.

    Raises:
        ValueError: the file does not fit the schema.
    """
    text = files(package).joinpath(path).read_text(encoding="utf-8")
    return parse(schema, load_yaml(text), path)
