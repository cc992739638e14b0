"""Training data on disk, each kind in Parquet files of its own.

Clips have the columns ``clip_id, split, seconds, captions, questions, answers, kinds, symbols`` and optionally ``description``
(the answer to "Describe.", else one of ``captions``). Readings are texts with their scripts, plans are lines of conversations
with what they ask for, and pieces are schedule windows with their motion.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.files import atomic_file
from ..common.optional import require
from ..tokenizer.changes import ChangeLayout
from .grammar.script_tokens import Item


@dataclass(frozen=True)
class Clip:
    """One corpus row.

    Attributes:
        clip_id: its name.
        captions: wordings of the same motion.
        questions, answers: pairs, same length.
        symbols: ``(N,)`` int32, the change-coded motion.
        steps: its length in tokenizer steps.
        description: the preferred description; empty when any caption will do.
    """

    clip_id: str
    captions: tuple[str, ...]
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    symbols: NDArray[np.int32]
    steps: int
    description: str = ""
    idle_symbols: NDArray[np.int32] | None = None
    """The same motion after idle motion was added and filtered out again; when there is one, three
    in four of the sequences that read the motion read it."""


_TEXT = ("clip_id", "split", "description")
_TEXTS = ("captions", "questions", "answers", "kinds")
_SYMBOLS = ("symbols", "symbols_idle")
_NEEDED = {"clip_id", "split", "captions", "questions", "answers", "symbols"}


def read_clips(path: str | os.PathLike[str], split: str, layout: ChangeLayout, limit: int = 0, needed: bool = True) -> list[Clip]:
    """Clips of one split from a Parquet file or a folder of them.

    Args:
        limit: stop after so many; 0 reads all.
        needed: whether it is an error that there are none.

    Raises:
        FileNotFoundError: no Parquet file there.
        ValueError: a missing column, no clip, or symbols of another tokenizer.
    """
    source = Path(path)
    files = [source] if source.is_file() else sorted(source.rglob("*.parquet"))
    if not files:
        raise FileNotFoundError(f"no Parquet file at {source}; make a corpus with `facelm data synth`")
    clips: list[Clip] = []
    for file in files:
        for row in _rows(file):
            if row["split"] != split or not row["symbols"] or not row["captions"]:
                continue
            clips.append(_clip(row, layout, file))
            if limit and len(clips) >= limit:
                return clips
    if needed and not clips:
        raise ValueError(f"{source} holds no clip of the split {split!r}")
    return clips


def _rows(file: Path) -> list[dict[str, Any]]:
    parquet = require("pyarrow.parquet", "data", "the tokenized corpus is stored as Parquet")
    try:
        table = parquet.read_table(file)
    except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
        raise ValueError(f"{file} is damaged ({error}); delete it and run the command again") from error
    if missing := _NEEDED - set(table.column_names):
        raise ValueError(f"{file} lacks the columns {sorted(missing)}; tokenize the corpus first")
    known = [name for name in (*_TEXT, *_TEXTS, *_SYMBOLS) if name in table.column_names]
    rows: list[dict[str, Any]] = table.select(known).to_pylist()
    return rows


def _clip(row: dict[str, Any], layout: ChangeLayout, file: Path) -> Clip:
    symbols, idle = (np.asarray(row[name], np.int32) if row.get(name) else None for name in _SYMBOLS)
    assert symbols is not None
    if symbols.min() < 0 or symbols.max() >= layout.n_symbols:
        raise ValueError(f"{file}: clip {row['clip_id']} has symbol {symbols.max()}; "
                         f"this tokenizer has 0..{layout.n_symbols - 1}")
    captions, questions, answers = (tuple(row[name]) for name in ("captions", "questions", "answers"))
    return Clip(row["clip_id"], captions, questions, answers, symbols, layout.steps(symbols), row.get("description") or "", idle)


def prepare_tokens(rows: Iterable[dict[str, Any]], symbols: Iterable[NDArray[np.integer]], path: str | os.PathLike[str]) -> int:
    """Write rows with their symbols as one Parquet file that ``read_clips`` reads; return how many.

    Args:
        rows: dictionaries with the corpus columns; ``symbols`` is added to each, other columns than the
            known ones are left out.
        symbols: one array for each row.
        path: the file; appears whole.
    """
    parquet = require("pyarrow.parquet", "data", "the tokenized corpus is stored as Parquet")
    import pyarrow as pa

    columns = {**dict.fromkeys(_TEXT, pa.string()), "seconds": pa.float32(), **dict.fromkeys(_TEXTS, pa.list_(pa.string())),
               **dict.fromkeys(_SYMBOLS, pa.list_(pa.int32()))}
    made = [{**{name: row.get(name) for name in columns}, "symbols": np.asarray(line, np.int32).tolist()}
            for row, line in zip(rows, symbols, strict=True)]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        parquet.write_table(pa.Table.from_pylist(made, pa.schema(list(columns.items()))), partial)
    return len(made)


# -- readings, plans and pieces --------------------------------------------------------------
@dataclass(frozen=True)
class Reading:
    """A text, its quantities as marks, and the script that it asks for, as tokens."""

    text: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Piece:
    """A schedule window and the motion that performs it.

    Attributes:
        tokens: of the window.
        symbols: the motion, written as changes from ``before``.
        before: ``(K,)`` codes of the step before it.
    """

    tokens: tuple[str, ...]
    symbols: tuple[int, ...]
    before: tuple[int, ...]


@dataclass(frozen=True)
class PlanLine:
    """A line of a conversation and its plan.

    Attributes:
        text: what the user says, its quantities as marks.
        clip: the script of the clip at hand as tokens (``grammar/plans.context``); empty where there is none.
        items: the plan as tokens.
    """

    text: str
    clip: tuple[str, ...]
    items: tuple[Item, ...]


_WORDS = "words:"
"""Before the words of a script in a file of readings."""


def write_readings(readings: Iterable[Reading], path: str | os.PathLike[str]) -> int:
    """Write readings as one Parquet file; return how many."""
    rows = [{"text": r.text, "items": [i if isinstance(i, str) else _WORDS + i[1] for i in r.items]} for r in readings]
    return _write_rows(rows, {"text": "string", "items": "strings"}, path)


def read_readings(path: str | os.PathLike[str]) -> list[Reading]:
    """The readings of :func:`write_readings`.

    Raises:
        FileNotFoundError, ValueError: a missing or damaged file.
    """
    return [Reading(r["text"], tuple(("text", i.removeprefix(_WORDS)) if i.startswith(_WORDS) else i for i in r["items"]))
            for r in _read_rows(path, ("text", "items"))]


def write_plan_lines(lines: Iterable[PlanLine], path: str | os.PathLike[str]) -> int:
    """Write lines with their plans as one Parquet file; return how many."""
    rows = [{"text": r.text, "clip": list(r.clip), "items": [str(i) for i in r.items]} for r in lines]
    return _write_rows(rows, {"text": "string", "clip": "strings", "items": "strings"}, path)


def read_plan_lines(path: str | os.PathLike[str]) -> list[PlanLine]:
    """The lines of :func:`write_plan_lines`.

    Raises:
        FileNotFoundError, ValueError: a missing or damaged file.
    """
    return [PlanLine(r["text"], tuple(r["clip"]), tuple(r["items"])) for r in _read_rows(path, ("text", "clip", "items"))]


def write_pieces(pieces: Iterable[Piece], path: str | os.PathLike[str]) -> int:
    """Write pieces as one Parquet file; return how many."""
    rows = [{"tokens": list(p.tokens), "symbols": list(p.symbols), "before": list(p.before)} for p in pieces]
    return _write_rows(rows, {"tokens": "strings", "symbols": "ints", "before": "ints"}, path)


def read_pieces(path: str | os.PathLike[str], layout: ChangeLayout) -> list[Piece]:
    """The pieces of :func:`write_pieces`.

    Raises:
        FileNotFoundError, ValueError: a missing or damaged file, or one of another tokenizer.
    """
    columns = ("tokens", "symbols", "before")
    out = [Piece(*(tuple(r[name]) for name in columns)) for r in _read_rows(path, columns)]
    if any(max(p.symbols) >= layout.n_symbols or len(p.before) != len(layout.rest_codes) for p in out):
        raise ValueError(f"{path} was made with another motion tokenizer; make it again")
    return out


def _write_rows(rows: list[dict[str, Any]], columns: dict[str, str], path: str | os.PathLike[str]) -> int:
    parquet = require("pyarrow.parquet", "data", "training data is stored as Parquet")
    import pyarrow as pa

    types = {"string": pa.string(), "strings": pa.list_(pa.string()), "ints": pa.list_(pa.int32())}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        parquet.write_table(pa.Table.from_pylist(rows, pa.schema([(n, types[t]) for n, t in columns.items()])), partial)
    return len(rows)


def _read_rows(path: str | os.PathLike[str], needed: Sequence[str]) -> list[dict[str, Any]]:
    parquet = require("pyarrow.parquet", "data", "training data is stored as Parquet")
    if not Path(path).is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        rows: list[dict[str, Any]] = parquet.read_table(path, columns=list(needed)).to_pylist()
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({str(error).splitlines()[0]}); delete it and run the command again") from error
    return rows
