"""The files of a corpus: Parquet shards by split, beside ``corpus.json``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...common.files import atomic_file
from ...common.optional import require
from ...face.clip.channels import MOTION_FIELDS
from ...face.clip.sequence import FaceSequence, HeadRef
from .splits import SPLITS

FORMAT, VERSION = "facelm-corpus", 1
MOTION = ("expr", "neck_pose", "jaw_pose", "eyes_pose")
"""The commanded motion; a column is empty in a clip where it is zero throughout."""
COLUMNS: tuple[tuple[str, str], ...] = (
    ("clip_id", "string"), ("split", "string"), ("seconds", "float"), ("fps", "float"), ("n_frames", "int"), ("n_events", "int"),
    ("script", "string"), *((name, "strings") for name in ("captions", "registers", "describe", "questions", "answers", "kinds")),
    ("facts", "string"), ("head", "string"), *((name, "halves") for name in MOTION))
EXTRAS: tuple[tuple[str, str], ...] = (
    # what a built corpus has beyond the columns of a synthetic one; json columns are strings of JSON
    ("prompt", "string"), ("attributes", "string"), ("agreement", "string"), ("emotion", "string"),
    ("true_script", "string"), ("true_facts", "string"), ("quality", "string"), ("camera", "string"),
    ("source", "string"), ("licence", "string"), ("start", "float"), ("valid", "float"), ("shape", "floats"),
    ("camera_rotation", "floats"), ("camera_translation", "floats"))


def arrow() -> Any:
    """The module pyarrow, with its Parquet reader loaded.

    Raises:
        ImportError: it is not installed.
    """
    require("pyarrow.parquet", "data", "the corpus is stored as Parquet")
    return require("pyarrow", "data")


@dataclass(frozen=True)
class Shard:
    """One file to write."""

    split: str
    name: str
    clips: tuple[Any, ...]


def check_folder(folder: Path, mark: Path, what: str) -> None:
    """Refuse a folder that holds something else: neither new, nor empty, nor with ``mark``, the file that every ``what`` has.

    Raises:
        ValueError: it is a file, or holds something else.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder for the corpus")
    if not mark.is_file() and folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty and holds no {what}; give a new or an empty folder")


def plan_shards(members: Mapping[str, Sequence[Any]], size: int) -> list[Shard]:
    """Which clip goes into which file: the clips of each split in their order, at most ``size`` a file."""
    out = []
    for split in SPLITS:
        mine = members.get(split, ())
        total = -(-len(mine) // size)
        out += [Shard(split, f"data/{split}-{k:05d}-of-{total:05d}.parquet", tuple(mine[k * size:(k + 1) * size]))
                for k in range(total)]
    return out


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], extras: bool = False) -> None:
    """Write one shard, whole or not at all; the same rows give the same bytes."""
    pa = arrow()
    kinds = {"string": pa.string(), "strings": pa.list_(pa.string()), "int": pa.int32(), "float": pa.float32(),
             "floats": pa.list_(pa.float32()), "halves": pa.list_(pa.float16())}
    schema = pa.schema([(name, kinds[kind]) for name, kind in (*COLUMNS, *(EXTRAS if extras else ()))])
    table = pa.Table.from_pydict({f.name: [r[f.name] for r in rows] for f in schema}, schema=schema)
    with atomic_file(path) as partial:
        pa.parquet.write_table(table, partial, compression="zstd", row_group_size=250)


def is_complete(path: Path, rows: int) -> bool:
    """Whether a shard is there and whole."""
    try:
        return int(arrow().parquet.ParquetFile(path).metadata.num_rows) == rows
    except (OSError, ValueError):  # no file, or a damaged one (ArrowInvalid is a ValueError): it is written again
        return False


def motion_columns(seq: FaceSequence) -> dict[str, Any]:
    """The motion of a clip as columns of a row: half precision, flattened, empty where it is zero throughout."""
    return {name: values.astype(np.float16).ravel() if (values := getattr(seq, name)).any() else np.zeros(0, np.float16)
            for name in MOTION}


# -- reading --------------------------------------------------------------------------------
def read_manifest(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The settings of a corpus.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: the folder holds no facelm corpus.
    """
    path = Path(folder)
    if not path.is_dir():
        raise FileNotFoundError(f"no such corpus folder: {path}; make one with: facelm data synth --clips N -o {path}")
    manifest = path / "corpus.json"
    if not manifest.is_file():
        raise ValueError(f"{path} holds no facelm corpus (corpus.json is missing)")
    try:
        out = json.loads(manifest.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as err:
        raise ValueError(f"{manifest} cannot be read ({err})") from err
    if not isinstance(out, dict) or out.get("format") != FORMAT or out.get("version") != VERSION:
        raise ValueError(f"{manifest} is not a {FORMAT} of version {VERSION}; make the corpus again")
    return out


def shard_paths(folder: str | os.PathLike[str], split: str) -> list[Path]:
    """The files of one split, in order."""
    read_manifest(folder)
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; allowed: {', '.join(SPLITS)}")
    paths = sorted((Path(folder) / "data").glob(f"{split}-*-of-*.parquet"))
    for p in paths:
        total = int(p.stem.rsplit("-", 1)[1])
        if len(paths) != total:
            raise ValueError(f"{folder}: {len(paths)} of {total} {split} files are there; "
                             "make the corpus again to finish")
    return paths


def iter_corpus(folder: str | os.PathLike[str], split: str, columns: tuple[str, ...] | None = None,
                ) -> Iterator[dict[str, Any]]:
    """Rows of one split, in order; motion columns as float16 arrays.

    Args:
        folder: what ``facelm data synth`` or ``facelm data build`` wrote.
        split: train | val | test.
        columns: read only these; None reads all.

    Raises:
        FileNotFoundError, ValueError: no corpus, not complete, or unknown split or columns.
    """
    pa = arrow()
    for path in shard_paths(folder, split):
        try:
            file = pa.parquet.ParquetFile(path)
            there = file.schema_arrow.names
            if columns is not None and (unknown := [c for c in columns if c not in there]):
                raise ValueError(f"unknown columns {', '.join(unknown)}; known: {', '.join(there)}")
            if lacking := [c for c, _ in COLUMNS if c not in there]:
                raise ValueError(f"{path} lacks the columns {', '.join(lacking[:4])}; delete it and make the corpus again")
            for batch in file.iter_batches(batch_size=250, columns=columns):
                plain = [c for c in batch.schema.names if c not in MOTION]
                rows = batch.select(plain).to_pylist() if plain else [{} for _ in range(batch.num_rows)]
                for name in (c for c in batch.schema.names if c in MOTION):
                    column = batch.column(name)
                    for k, row in enumerate(rows):
                        values = column[k].values
                        row[name] = None if values is None else values.to_numpy(zero_copy_only=False)
                yield from rows
        except (OSError, pa.ArrowException, UnicodeDecodeError) as err:
            raise ValueError(f"{path} is damaged ({err}); delete it and make the corpus again") from err


def load_clip(row: Mapping[str, Any], corpus: str | os.PathLike[str] = "corpus") -> FaceSequence:
    """The commanded motion of a row, from :func:`iter_corpus` or from ``datasets``.

    Args:
        row: of the corpus.
        corpus: where it is from, for messages.

    Returns:
        A clip of the mean identity; values are those of the animator to half precision.

    Raises:
        ValueError: columns are missing or do not fit together.
    """
    try:
        frames, fps = int(row["n_frames"]), float(row["fps"])
        head = HeadRef.stored(**json.loads(row["head"]))
        flat = {name: np.asarray(row[name], np.float32) for name in MOTION}
        motion = {}
        for name, values in flat.items():
            if values.size and values.size % max(frames, 1):
                raise ValueError(f"{name} has {values.size} values, not a multiple of n_frames ({frames})")
            if values.size:
                motion[name] = values.reshape(frames, -1)
        for name, width in MOTION_FIELDS.items():
            if name in motion and motion[name].shape[1] != width:
                raise ValueError(f"{name} has {motion[name].shape[1]} values a frame; needed: {width}")
        return FaceSequence.rest(frames, head, fps=fps).replace(**motion)
    except (KeyError, TypeError, ValueError, RecursionError) as err:
        said = err if isinstance(err, ValueError) else f"{type(err).__name__} {err}"
        raise ValueError(f"{corpus}: clip {row.get('clip_id')!r} is damaged or no row of a facelm corpus: {said}") from err
