"""From records to the files that a reader gets: Parquet shards, optionally tar files, and their manifest."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ...common.files import atomic_file, canonical_json, digest, write_text
from ...common.store import Record, Store, stamp, stamped
from ...face.clip.canonical import bridge
from ...face.clip.sequence import FaceSequence
from ...face.facs.measure import measure
from ...face.facs.schedule import Schedule
from .recipe import Recipe
from .shards import FORMAT, MOTION, Shard, motion_columns, plan_shards, write_rows
from .shards import VERSION as CORPUS_VERSION
from .splits import SPLITS
from .stages import FIT, Item, default_head, part_name
from .synth import script_row
from .workers import WorkerPool

VERSION = 1
"""Counted up when a row or a shard is written differently."""


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
class Written:
    """A file that was written, or was there."""

    name: str
    rows: int
    sha256: str
    size: int
    fresh: bool


def kept_clips(item: Item, records: dict[str, Record], clip_id: str) -> list[Kept]:
    """The clips of one item that passed the filter; every record is there and none failed."""
    parts = records["filter"].data["parts"]
    mark = digest([clip_id, *(records[s].output for s in ("prompts", "video", "fit", "facts", "captions", "split"))])
    return [Kept(clip_id if len(parts) == 1 else f"{clip_id}-{k:03d}", item.id, k, records["split"].data["split"], mark)
            for k, part in enumerate(parts) if part["kept"]]


# -- rows -----------------------------------------------------------------------------------
def fitted_row(store: Store, clip: Kept) -> dict[str, Any]:
    """What was fitted, measured and worded, with what was asked for and what is true beside it."""
    records = {stage: _data(store, clip, stage) for stage in ("prompts", "video", "fit", "facts", "captions")}
    seq = FaceSequence.load(store.place("facts", clip.item) / part_name(clip.part), default_head().ref)
    seen, words = records["facts"]["parts"][clip.part], records["captions"]["parts"][clip.part]
    asked, filmed, fitted = records["prompts"], records["video"], records["fit"]
    objects = {"facts": seen["facts"], "head": asdict(seq.head), "agreement": words["agreement"], "quality": fitted["quality"],
               "attributes": asked["attributes"] | filmed.get("filmed", {}), "camera": fitted["camera"]}
    row: dict[str, Any] = {
        "clip_id": clip.clip_id, "split": clip.split, "seconds": seq.seconds, "fps": seq.fps, "n_frames": len(seq),
        "n_events": len(json.loads(words["script"])["events"]),
        **{k: words[k] for k in ("script", "captions", "registers", "describe", "questions", "answers", "kinds")},
        **{k: canonical_json(v) for k, v in objects.items()},
        "prompt": asked["prompt"], "emotion": seen["emotion"], "true_script": asked["script"],
        "true_facts": canonical_json(seen["true_facts"]) if "true_facts" in seen else "",
        "source": filmed["source"], "licence": filmed["licence"], "start": seen["start"], "valid": seen["valid"],
        "shape": seq.shape.astype(np.float32),
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
    asked = _data(store, clip, "prompts")
    name = int(digest(clip.item)[:8], 16)
    rng = np.random.default_rng([name, 3])
    return script_row(Schedule.from_json(asked["script"]), clip.clip_id, clip.split, rng,
                      lambda seq: measure(seq, default_head()))


def _data(store: Store, clip: Kept, stage: str) -> dict[str, Any]:
    record = store.read(stage, clip.item)
    if record is None:
        raise ValueError(f"the record of {clip.item} for {stage} is damaged; run the build again")
    return record.data


# -- files ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Target:
    """A corpus to write."""

    store: Store
    """Of the build."""
    recipe: Recipe
    out: Path
    """The corpus' folder: the build's own, or that of the true corpus."""
    true: bool = False
    """Write the commanded motion instead of the fitted one."""
    progress: bool = True

    @property
    def tar(self) -> bool:
        """Whether tar files are written as well."""
        return self.recipe.pack.webdataset and not self.true


def write_shard(target: Target, shard: Shard) -> Written:
    """Write one Parquet file, and its tar when asked for; a file with the same key is left alone."""
    path, note = target.out / shard.name, target.out / "build" / "pack" / f"{Path(shard.name).stem}.json"
    tar_path = target.out / "webdataset" / f"{path.stem}.tar"
    key = digest([digest([target.true]), VERSION, shard.split, [[c.clip_id, c.part, c.digest] for c in shard.clips]])
    known = stamped(note, key, path)
    fresh = known is None or (target.tar and not tar_path.is_file())
    if known is None or fresh:
        note.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [(true_row if target.true else fitted_row)(target.store, clip) for clip in shard.clips]
        write_rows(path, rows, extras=not target.true)
        if target.tar:
            tar_path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(tar_path) as partial_:
                write_tar(partial_, rows)
        known = stamp(note, key, path, name=shard.name, rows=len(rows))
    return Written(shard.name, known["rows"], known["sha256"], known["size"], fresh)


def _died(shard: Shard) -> Written:
    raise RuntimeError(f"the process that wrote {shard.name} died each time (out of memory?); make pack.shard_size smaller")


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


def pack(target: Target, clips: Sequence[Kept], pool: WorkerPool, about: dict[str, Any]) -> list[Written]:
    """Write all shards and, last, ``corpus.json``, without which a folder is no corpus.

    Args:
        target: what is written, and where.
        clips: what goes in.
        pool: who writes the shards.
        about: further entries of ``corpus.json``.

    Raises:
        ValueError: no clip is left.
    """
    if not clips:
        raise ValueError("no clip is left to pack; see build/failures in the corpus' folder for the reasons")
    members = {s: sorted((c for c in clips if c.split == s), key=lambda c: c.clip_id) for s in SPLITS}
    shards = plan_shards(members, target.recipe.pack.shard_size)
    (target.out / "corpus.json").unlink(missing_ok=True)
    _remove_strangers(target.out, {s.name for s in shards}, target.tar)
    with tqdm(total=len(shards), desc="pack", unit="file", disable=None if target.progress else True) as bar:
        done = []
        for written in pool.run(partial(write_shard, target), shards, _died):
            done.append(written)
            bar.update()
    done.sort(key=lambda w: w.name)
    manifest = {"format": FORMAT, "version": CORPUS_VERSION, "clips": len(clips), "counts": count_splits(clips), **about,
                "files": [{"name": w.name, "rows": w.rows, "sha256": w.sha256, "bytes": w.size} for w in done]}
    write_text(target.out / "corpus.json", json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    return done


def count_splits(clips: Sequence[Kept]) -> dict[str, int]:
    """Clips in each split."""
    return {s: sum(c.split == s for c in clips) for s in SPLITS}


def first_parts(clips: Sequence[Kept]) -> list[Kept]:
    """One clip of each video: a script is performed once, whole."""
    seen: dict[str, Kept] = {}
    for clip in clips:
        seen.setdefault(clip.item, clip)
    return list(seen.values())


def _remove_strangers(out: Path, names: set[str], tar: bool) -> None:
    """Shards of an earlier plan: a reader would take them for part of the corpus."""
    stems = {Path(n).stem for n in names}
    for path in [*(out / "data").glob("*-of-*.parquet"), *(out / "webdataset").glob("*-of-*.tar"),
                 *(out / "build" / "pack").glob("*-of-*.json")]:
        if path.stem not in stems or (path.suffix == ".tar" and not tar):
            path.unlink()
