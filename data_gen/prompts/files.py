"""Prompts as files: Parquet, JSON lines or CSV, by suffix. One row a prompt, one column an attribute."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ...common.files import atomic_file, parse_json, read_text, write_text
from ...common.optional import require
from .factors import Attributes

SUFFIXES: tuple[str, ...] = (".parquet", ".jsonl", ".csv")
_LISTS = ("actions", "head", "gaze")
_OPTIONAL = ("emotion", "emotion_word")
COLUMNS: tuple[str, ...] = ("id", "text", *(f.name for f in fields(Attributes)))


@dataclass(frozen=True)
class Prompt:
    """One prompt and what it asks for."""

    text: str
    attributes: Attributes
    id: str
    """``SEED-NUMBER``: the number of the candidate, so that any prompt can be made again alone."""

    def row(self) -> dict[str, Any]:
        """Plain values by column."""
        return {"id": self.id, "text": self.text, **self.attributes.as_dict()}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Prompt:
        """The inverse of :meth:`row`."""
        for key in ("id", "text"):
            if not isinstance(row.get(key), str) or not row[key]:
                raise ValueError(f"{key} is {row.get(key)!r}; a text is needed")
        return cls(row["text"], Attributes.from_dict({k: v for k, v in row.items() if k not in ("id", "text")}), row["id"])


def _parquet() -> tuple[Any, Any]:
    needs = "Parquet files need pyarrow (or use .jsonl or .csv)"
    return require("pyarrow", "data", needs), require("pyarrow.parquet", "data", needs)


def check_suffix(path: str | os.PathLike[str]) -> str:
    """The suffix of a path, if it is one of SUFFIXES."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{str(path)!r} must end in {', '.join(SUFFIXES)}")
    return suffix


def write_prompts(prompts: Sequence[Prompt], path: str | os.PathLike[str]) -> Path:
    """Write prompts; the file appears whole or not at all, and the same prompts give the same bytes.

    Raises:
        ValueError: another suffix than .parquet, .jsonl or .csv.
        FileNotFoundError: the folder does not exist.
        ImportError: Parquet without pyarrow.
    """
    suffix, rows = check_suffix(path), [p.row() for p in prompts]
    if suffix == ".jsonl":
        write_text(path, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
        return Path(path)
    with atomic_file(path) as partial:
        if suffix == ".parquet":
            pa, pq = _parquet()
            kinds = {**dict.fromkeys(_LISTS, pa.list_(pa.string())), "speaking": pa.bool_()}
            schema = pa.schema([(c, kinds.get(c, pa.string())) for c in COLUMNS])
            pq.write_table(pa.Table.from_pylist(rows, schema=schema), partial, compression="zstd")
        else:
            with partial.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(COLUMNS)
                writer.writerows([_cell(r[c]) for c in COLUMNS] for r in rows)
    return Path(path)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ";".join(value)
    return str(value).lower() if isinstance(value, bool) else value or ""


def _uncell(name: str, text: str) -> Any:
    if name in _LISTS:
        return [v for v in text.split(";") if v]
    if name == "speaking":
        return {"true": True, "false": False}.get(text.lower(), text)
    return None if name in _OPTIONAL and not text else text


def read_rows(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The rows of a table by suffix, lists and booleans of CSV cells restored.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a table.
    """
    suffix, path = check_suffix(path), Path(path)
    if suffix == ".parquet":
        if not path.is_file():
            raise FileNotFoundError(f"no such file: {path}")
        pa, pq = _parquet()
        try:
            yield from pq.read_table(path).to_pylist()
        except (pa.lib.ArrowException, OSError) as err:
            raise ValueError(f"{path} is not a Parquet file: {err}") from err
        return
    text = read_text(path)
    if suffix == ".csv":
        try:
            for row in csv.DictReader(io.StringIO(text)):
                if None in row or None in row.values():
                    raise ValueError(f"{path}: a row has not as many cells as the header")
                yield {k: _uncell(k, v) for k, v in row.items() if v or k in (*_LISTS, *_OPTIONAL)}
        except csv.Error as err:  # a cell of more than 131,072 characters, a line break where none may be
            raise ValueError(f"{path} is not a readable CSV file: {err}") from None
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            row = parse_json(line, f"{path}, line {number}")
            if not isinstance(row, dict):
                raise ValueError(f"{path}, line {number}: a JSON object is needed")
            yield row


def read_prompts(path: str | os.PathLike[str]) -> list[Prompt]:
    """Read what :func:`write_prompts` wrote, or a user's own file with at least ``id`` and ``text``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file, unknown attributes or two prompts with one id.
    """
    out: dict[str, Prompt] = {}
    for number, row in enumerate(read_rows(path), 1):
        try:
            prompt = Prompt.from_row(row)
        except (ValueError, TypeError) as err:
            raise ValueError(f"{path}, prompt {number}: {err}") from err
        if prompt.id in out:
            raise ValueError(f"{path}, prompt {number}: the id {prompt.id!r} is there twice")
        out[prompt.id] = prompt
    if not out:
        raise ValueError(f"{path} holds no prompts")
    return list(out.values())
