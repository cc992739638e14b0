"""From records to the files that a reader gets: Parquet shards, optionally tar files, and their manifest."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ....common.files import canonical_json, digest, file_digest, write_text
from ....common.store import Record, Store
from ....face.clip.canonical import bridge
from ....face.clip.sequence import FaceSequence
from ....face.facs.measure import measure
from ....face.facs.script import Script
from ...text.captions import SPLITS
from ..synth import FORMAT, MOTION, motion_columns, schema_of, script_row
from ..synth import VERSION as CORPUS_VERSION
from .recipe import Recipe
from .stages import FIT, Item, default_head, part_name

VERSION = 1
"""Counted up when a row or a shard is written differently."""
EXTRAS: tuple[tuple[str, str], ...] = (
    # beyond the columns of data_gen/corpus/synth.py; json columns are strings of JSON
    ("prompt", "string"), ("attributes", "string"), ("agreement", "string"), ("emotion", "string"),
    ("true_script", "string"), ("true_facts", "string"), ("quality", "string"), ("camera", "string"),
    ("source", "string"), ("licence", "string"), ("start", "float32"), ("valid", "float32"), ("shape", "floats"),
    ("camera_rotation", "floats"), ("camera_translation", "floats"),
)


@dataclass(frozen=True)
class Kept:
    """One clip that goes into the corpus."""

    clip_id: str
    item: str
    part: int
    split: str
    digest: str
    """Hash of the records that its row is made from."""


@dataclass(frozen=True)
class Shard:
    """One file to write."""

    name: str
    key: str
    clips: tuple[Kept, ...]


@dataclass(frozen=True)
class Written:
    """A file that was written, or was there."""

    name: str
    key: str
    rows: int
    sha256: str
    size: int
    fresh: bool = True


def kept_clips(item: Item, records: dict[str, Record], clip_id: str) -> list[Kept]:
    """The clips of one item that passed the filter; every record is there and none failed."""
    parts = records["filter"].data["parts"]
    mark = digest([clip_id, *(records[s].output for s in ("prompts", "video", "fit", "facts", "captions", "split"))])
    return [Kept(clip_id if len(parts) == 1 else f"{clip_id}-{k:03d}", item.id, k, records["split"].data["split"], mark)
            for k, part in enumerate(parts) if part["kept"]]


def plan_shards(clips: Iterable[Kept], shard_size: int, mark: str, folder: str = "data") -> list[Shard]:
    """Which clip goes into which file: by split, in the order of the clips' names."""
    members: dict[str, list[Kept]] = {s: [] for s in SPLITS}
    for clip in sorted(clips, key=lambda c: c.clip_id):
        members[clip.split].append(clip)
    out = []
    for split, mine in members.items():
        total = -(-len(mine) // shard_size)
        for k in range(total):
            part = tuple(mine[k * shard_size:(k + 1) * shard_size])
            key = digest([mark, VERSION, split, [[c.clip_id, c.part, c.digest] for c in part]])
            out.append(Shard(f"{folder}/{split}-{k:05d}-of-{total:05d}.parquet", key, part))
    return out


# -- rows -----------------------------------------------------------------------------------
def fitted_row(store: Store, clip: Kept) -> dict[str, Any]:
    """What was fitted, measured and worded, with what was asked for and what is true beside it."""
    records = {}
    for stage in ("prompts", "video", "fit", "facts", "captions"):
        record = store.read(stage, clip.item)
        if record is None:
            raise ValueError(f"the record of {clip.item} for {stage} is damaged; run the build again")
        records[stage] = record.data
    seq = FaceSequence.load(store.place("facts", clip.item) / part_name(clip.part), default_head().ref)
    seen, words = records["facts"]["parts"][clip.part], records["captions"]["parts"][clip.part]
    asked, filmed, fitted = records["prompts"], records["video"], records["fit"]
    row: dict[str, Any] = {
        "clip_id": clip.clip_id, "split": clip.split, "seconds": seq.seconds, "fps": seq.fps, "n_frames": len(seq),
        "n_events": len(json.loads(words["script"])["events"]), "facts": _json(seen["facts"]), "head": _json(asdict(seq.head)),
        **{k: words[k] for k in ("script", "captions", "registers", "describe", "questions", "answers", "kinds")},
        "prompt": asked["prompt"], "attributes": _json(asked["attributes"] | filmed.get("filmed", {})),
        "agreement": _json(words["agreement"]), "emotion": seen["emotion"], "true_script": asked["script"],
        "true_facts": _json(seen["true_facts"]) if "true_facts" in seen else "", "quality": _json(fitted["quality"]),
        "camera": _json(fitted["camera"]), "source": filmed["source"], "licence": filmed["licence"], "start": seen["start"],
        "valid": seen["valid"], "shape": seq.shape.astype(np.float32),
    }
    return row | motion_columns(seq) | _camera_side(store, clip, seq, seen)


def _camera_side(store: Store, clip: Kept, seq: FaceSequence, seen: dict[str, Any]) -> dict[str, Any]:
    """Where the head was before the camera, at the stored clip's frames; training does not read it."""
    raw = FaceSequence.load(store.place("fit", clip.item) / FIT)
    first = round(seen["start"] * raw.fps)
    raw = bridge(raw.slice(first, first + max(1, round(seq.seconds * raw.fps)))).resample(seq.fps)
    at = np.minimum(np.arange(len(seq)), len(raw) - 1)
    return {"camera_rotation": raw.rotation[at].ravel(), "camera_translation": raw.translation[at].ravel()}


def true_row(store: Store, clip: Kept) -> dict[str, Any]:
    """The same clip as it was commanded: the script performed and put into words, as `facelm data synth` does."""
    asked = store.read("prompts", clip.item)
    if asked is None:
        raise ValueError(f"the record of {clip.item} for prompts is damaged; run the build again")
    name = int(digest(clip.item)[:8], 16)
    rng = np.random.default_rng([name, 3])
    return script_row(Script.from_json(asked.data["script"]), clip.clip_id, clip.split, rng,
                      lambda seq: measure(seq, default_head()))


def _json(value: Any) -> str:
    return canonical_json(value)


# -- files ----------------------------------------------------------------------------------
def _schema(extras: bool) -> Any:
    import pyarrow as pa

    kinds = {"string": pa.string(), "float32": pa.float32(), "floats": pa.list_(pa.float32())}
    base = schema_of(pa)
    return pa.schema([*base, *((n, kinds[k]) for n, k in EXTRAS)]) if extras else base


def write_shard(store: Store, out: Path, true: bool, tar: bool, shard: Shard) -> Written:
    """Write one Parquet file, and its tar when asked for; a file with the same key is left alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, note = out / shard.name, out / "build" / "pack" / f"{Path(shard.name).stem}.json"
    tar_path = out / "webdataset" / f"{path.stem}.tar"
    if (known := _known(note, shard.key, path)) and (not tar or tar_path.is_file()):
        return known
    note.unlink(missing_ok=True)
    for folder in (path.parent, note.parent, *([tar_path.parent] if tar else [])):
        folder.mkdir(parents=True, exist_ok=True)
    rows = [(true_row if true else fitted_row)(store, clip) for clip in shard.clips]
    schema = _schema(not true)
    table = pa.Table.from_pydict({f.name: [r[f.name] for r in rows] for f in schema}, schema=schema)
    _whole(path, lambda partial: pq.write_table(table, partial, compression="zstd", row_group_size=250))
    if tar:
        _whole(tar_path, lambda partial: write_tar(partial, rows))
    done = Written(shard.name, shard.key, len(rows), file_digest(path), path.stat().st_size)
    write_text(note, canonical_json({k: v for k, v in asdict(done).items() if k != "fresh"}) + "\n")
    return done


def _whole(path: Path, write: Callable[[Path], Any]) -> None:
    partial_ = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(partial_)
        os.replace(partial_, path)
    finally:
        partial_.unlink(missing_ok=True)


def _known(note: Path, key: str, path: Path) -> Written | None:
    try:
        raw = json.loads(note.read_text(encoding="utf-8"))
        if raw["key"] == key and path.stat().st_size == raw["size"] and file_digest(path) == raw["sha256"]:
            return Written(**raw, fresh=False)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def write_tar(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Samples for webdataset: ``<clip_id>.json`` with the words and facts, ``<clip_id>.npz`` with the motion.

    The archive depends on its content alone: no times, no owners, one order.
    """
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for row in rows:
            arrays = {k: np.asarray(v) for k, v in row.items() if isinstance(v, np.ndarray)}
            motion = {k: v.reshape(row["n_frames"], -1) if k in MOTION or k.startswith("camera_") else v
                      for k, v in arrays.items()}
            packed = io.BytesIO()
            np.savez_compressed(packed, allow_pickle=False, **motion)
            words = {k: v for k, v in row.items() if k not in arrays}
            name = row["clip_id"].replace(".", "_")
            for ending, content in (("json", canonical_json(words).encode()), ("npz", packed.getvalue())):
                info = tarfile.TarInfo(f"{name}.{ending}")
                info.size, info.mode, info.mtime = len(content), 0o644, 0
                archive.addfile(info, io.BytesIO(content))


def pack(store: Store, recipe: Recipe, clips: Sequence[Kept], out: Path, true: bool,
         run: Callable[[Callable[[Shard], Written], Sequence[Shard]], Iterator[Written]], facts: dict[str, Any]) -> list[Written]:
    """Write all shards and, last, ``corpus.json``, without which a folder is no corpus.

    Args:
        store: of the build.
        recipe: its recipe.
        clips: what goes in.
        out: the corpus' folder (the build's own, or that of the true corpus).
        true: write the commanded motion instead of the fitted one.
        run: applies a function to all shards, wherever.
        facts: further entries of ``corpus.json``.

    Raises:
        ValueError: no clip is left.
    """
    if not clips:
        raise ValueError("no clip is left to pack; see build/failures in the corpus' folder for the reasons")
    tar = recipe.pack.webdataset and not true
    shards = plan_shards(clips, recipe.pack.shard_size, digest([true]))
    (out / "corpus.json").unlink(missing_ok=True)
    _remove_strangers(out, {s.name for s in shards}, tar)
    done = sorted(run(partial(write_shard, store, out, true, tar), shards), key=lambda w: w.name)
    counts = {s: sum(len(x.clips) for x in shards if x.clips[0].split == s) for s in SPLITS}
    manifest = {"format": FORMAT, "version": CORPUS_VERSION, "clips": len(clips), "counts": counts, **facts,
                "files": [{"name": w.name, "rows": w.rows, "sha256": w.sha256, "bytes": w.size} for w in done]}
    write_text(out / "corpus.json", json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    return done


def _remove_strangers(out: Path, names: set[str], tar: bool) -> None:
    """Shards of an earlier plan: a reader would take them for part of the corpus."""
    stems = {Path(n).stem for n in names}
    for path in [*(out / "data").glob("*-of-*.parquet"), *(out / "webdataset").glob("*-of-*.tar"),
                 *(out / "build" / "pack").glob("*-of-*.json")]:
        if path.stem not in stems or (path.suffix == ".tar" and not tar):
            path.unlink()
