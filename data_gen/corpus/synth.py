"""The synthetic corpus: scripts performed, measured and put into words, as Parquet shards.

Clip ``i`` of seed ``s`` depends on nothing but ``(s, i)``, a shard appears whole or not at
all, and a second run does what is missing and ends with the same bytes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ...face.clip.channels import MOTION_FIELDS
from ...face.clip.sequence import FaceSequence, HeadRef
from ...face.facs.script import Script
from ..performer.animator import perform
from ..performer.sampler import sample_script
from ..text.captions import SPLITS, caption, describe, draw_register
from ..text.questions import as_facts, questions
from .card import write_card
from .pipeline.workers import single_threaded
from .splits import split_of

FORMAT, VERSION = "facelm-corpus", 1
CAPTIONS, QUESTIONS = 4, 6
MOTION = ("expr", "neck_pose", "jaw_pose", "eyes_pose")
"""The commanded motion; a column is empty in a clip where it is zero throughout."""
Measure = Callable[[FaceSequence], Any]


@dataclass(frozen=True)
class CorpusConfig:
    """What determines a corpus."""

    clips: int
    """Number of clips, all splits together."""
    seed: int = 0
    """Seed of the corpus."""
    shard_size: int = 1000
    """Most clips in one file."""

    def __post_init__(self) -> None:
        for key, low, high in (("clips", 1, 10_000_000), ("seed", 0, 2**31 - 1), ("shard_size", 1, 100_000)):
            if not low <= getattr(self, key) <= high:
                raise ValueError(f"{key} is {getattr(self, key)}; allowed: {low} to {high}")


@dataclass(frozen=True)
class CorpusReport:
    """What ``synth`` did."""

    path: Path
    counts: dict[str, int]
    """Clips in each split."""
    written: int
    """Clips written by this run (the rest was there already)."""
    seconds: float


@dataclass(frozen=True)
class _Shard:
    split: str
    name: str
    clips: tuple[int, ...]


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet  # noqa: F401
    except ImportError as err:
        raise ImportError("the corpus is stored as Parquet: pip install 'facelm[data]'") from err
    return pyarrow


def script_of(config: CorpusConfig, index: int) -> Script:
    """The script of clip ``index``."""
    return sample_script(np.random.default_rng([config.seed, index]))


def make_row(config: CorpusConfig, index: int, measure: Measure) -> dict[str, Any]:
    """One clip with its words, as a row of the corpus."""
    script = script_of(config, index)
    rng = np.random.default_rng([config.seed, index, 1])
    return script_row(script, f"{config.seed}-{index:07d}", split_of(script), rng, measure)


def script_row(script: Script, clip_id: str, split: str, rng: np.random.Generator, measure: Measure) -> dict[str, Any]:
    """The performance of a script with its words, as a row of a corpus.

    Args:
        script: what is performed.
        clip_id: the row's name.
        split: train | val | test; test rows have held-out phrases.
        rng: draws the wordings.
        measure: see :func:`synth`.
    """
    seq = perform(script)
    facts = as_facts(measure(seq))
    texts: dict[str, str] = {}
    for attempt in range(24):
        register = draw_register(rng)
        texts.setdefault(caption(script, rng, register, split), register)
        if len(texts) == CAPTIONS or (attempt > 11 and len(texts) >= 2):
            break
    canonical = describe(script)
    other = next((t for t in (describe(script, rng) for _ in range(6)) if t != canonical), canonical)
    asked = questions(script, facts, rng, QUESTIONS, split)
    row: dict[str, Any] = {
        "clip_id": clip_id, "split": split, "seconds": len(seq) / seq.fps, "fps": seq.fps,
        "n_frames": len(seq), "n_events": len(script.events), "script": script.to_json(),
        "captions": list(texts), "registers": list(texts.values()), "describe": [canonical, other],
        "questions": [q.question for q in asked], "answers": [q.answer for q in asked],
        "kinds": [q.kind for q in asked],
        "facts": json.dumps(facts, separators=(",", ":")), "head": json.dumps(asdict(seq.head), separators=(",", ":")),
    }
    return row | motion_columns(seq)


def motion_columns(seq: FaceSequence) -> dict[str, Any]:
    """The motion of a clip as columns of a row: half precision, flattened, empty where it is zero throughout."""
    return {name: values.astype(np.float16).ravel() if (values := getattr(seq, name)).any() else np.zeros(0, np.float16)
            for name in MOTION}


def schema_of(pa: Any) -> Any:
    """The columns of a corpus (``pa`` is pyarrow); a built corpus has more (build/pack.py)."""
    words = pa.list_(pa.string())
    fields = [("clip_id", pa.string()), ("split", pa.string()), ("seconds", pa.float32()), ("fps", pa.float32()),
              ("n_frames", pa.int32()), ("n_events", pa.int32()), ("script", pa.string()), ("captions", words),
              ("registers", words), ("describe", words), ("questions", words), ("answers", words), ("kinds", words),
              ("facts", pa.string()), ("head", pa.string()), *((m, pa.list_(pa.float16())) for m in MOTION)]
    return pa.schema(fields)


def _default_measure() -> Measure:
    from ...face.facs.measure import measure
    return measure


def _write_shard(config: CorpusConfig, folder: str, shard: _Shard, measure: Measure | None,
                 on_clip: Callable[[int], Any] | None = None) -> int:
    """Make one shard; returns its number of clips."""
    pa = _arrow()
    call = measure or _default_measure()
    rows = []
    for index in shard.clips:
        rows.append(make_row(config, index, call))
        if on_clip:
            on_clip(1)
    schema = schema_of(pa)
    table = pa.Table.from_pydict({f.name: [r[f.name] for r in rows] for f in schema}, schema=schema)
    path = Path(folder) / shard.name
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        pa.parquet.write_table(table, partial, compression="zstd", row_group_size=250)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return len(rows)


def _is_complete(path: Path, rows: int) -> bool:
    if not path.is_file():
        return False
    try:
        return int(_arrow().parquet.ParquetFile(path).metadata.num_rows) == rows
    except (OSError, ValueError):  # a damaged file is written again (ArrowInvalid is a ValueError)
        return False


def _plan(config: CorpusConfig) -> list[_Shard]:
    """Which clip goes into which file: scripts are cheap to draw, so all of them are drawn first."""
    members: dict[str, list[int]] = {s: [] for s in SPLITS}
    for index in range(config.clips):
        members[split_of(script_of(config, index))].append(index)
    shards = []
    for split, clips in members.items():
        total = -(-len(clips) // config.shard_size)
        for k in range(total):
            part = tuple(clips[k * config.shard_size:(k + 1) * config.shard_size])
            shards.append(_Shard(split, f"data/{split}-{k:05d}-of-{total:05d}.parquet", part))
    return shards


def _claim(folder: Path, config: CorpusConfig) -> None:
    """Take the folder: new, empty, or holding this very corpus."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder for the corpus")
    manifest = folder / "corpus.json"
    wanted = {"format": FORMAT, "version": VERSION, **asdict(config)}
    if manifest.is_file():
        have = read_manifest(folder)
        differing = [k for k, v in wanted.items() if have.get(k) != v]
        if differing:
            there = ", ".join(f"{k} {have.get(k)}" for k in differing)
            asked = ", ".join(f"{k} {wanted[k]}" for k in differing)
            raise ValueError(f"{folder} holds another corpus ({there}; asked: {asked}); "
                             "use a new folder or the same settings")
    elif folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty and holds no facelm corpus; give a new or an empty folder")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for stale in (folder / "data").glob(".*.part"):
        stale.unlink(missing_ok=True)
    manifest.write_text(json.dumps(wanted, indent=2) + "\n")


def synth(clips: int, out_dir: str | os.PathLike[str], seed: int = 0, shard_size: int = 1000, workers: int = 1,
          measure: Measure | None = None, progress: bool = True) -> CorpusReport:
    """Write a corpus.

    Args:
        clips: number of clips, about 90/5/5 % train/val/test.
        out_dir: a new or empty folder, or one in which the same corpus was begun.
        seed: seed of the corpus.
        shard_size: most clips in a file.
        workers: processes.
        measure: ``FaceSequence -> Measurement``; None is :func:`facelm.face.facs.measure.measure`. With
            several workers it must be importable (a function of a module).
        progress: show a progress bar on stderr.

    Raises:
        ValueError: numbers out of range, or a folder that holds something else.
    """
    began = time.monotonic()
    config = CorpusConfig(clips, seed, shard_size)
    if not 1 <= workers <= 256:
        raise ValueError(f"workers is {workers}; allowed: 1 to 256")
    _arrow()
    folder = Path(out_dir)
    _claim(folder, config)
    shards = _plan(config)
    missing = [s for s in shards if not _is_complete(folder / s.name, len(s.clips))]
    todo = sum(len(s.clips) for s in missing)
    with tqdm(total=clips, initial=clips - todo, unit="clip", disable=not progress or None) as bar:
        if workers == 1 or len(missing) < 2:
            for shard in missing:
                _write_shard(config, str(folder), shard, measure, bar.update)
        else:
            _in_parallel(config, folder, missing, min(workers, len(missing)), measure, bar)
    counts = {s: sum(len(x.clips) for x in shards if x.split == s) for s in SPLITS}
    write_card(folder, asdict(config), counts)
    return CorpusReport(folder, counts, todo, time.monotonic() - began)


def _in_parallel(config: CorpusConfig, folder: Path, shards: list[_Shard], workers: int, measure: Measure | None,
                 bar: Any) -> None:
    with single_threaded(), ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_write_shard, config, str(folder), s, measure) for s in shards]
        try:
            for job in as_completed(jobs):
                bar.update(job.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


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
        out = json.loads(manifest.read_text())
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
        folder: what ``synth`` wrote.
        split: train | val | test.
        columns: read only these; None reads all.

    Raises:
        FileNotFoundError, ValueError: no corpus, not complete, or unknown split or columns.
    """
    pa = _arrow()
    known = schema_of(pa).names
    for path in shard_paths(folder, split):
        try:
            file = pa.parquet.ParquetFile(path)
            there = file.schema_arrow.names
            if columns is not None and (unknown := [c for c in columns if c not in there]):
                raise ValueError(f"unknown columns {', '.join(unknown)}; known: {', '.join(there)}")
            if lacking := [c for c in known if c not in there]:
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
        except OSError as err:
            raise ValueError(f"{path} is damaged ({err}); delete it and make the corpus again") from err
        except pa.ArrowInvalid as err:
            raise ValueError(f"{path} is damaged ({err}); delete it and make the corpus again") from err


def load_clip(row: Mapping[str, Any]) -> FaceSequence:
    """The commanded motion of a row, from :func:`iter_corpus` or from ``datasets``.

    Returns:
        A clip of the mean identity; values are those of the performer to half precision.

    Raises:
        ValueError: columns are missing or do not fit together.
    """
    try:
        frames, fps = int(row["n_frames"]), float(row["fps"])
        head = HeadRef(**json.loads(row["head"]))
        flat = {name: np.asarray(row[name], np.float32) for name in MOTION}
    except (KeyError, TypeError, ValueError) as err:
        raise ValueError(f"not a row of a facelm corpus: {type(err).__name__} {err}") from err
    motion = {}
    for name, values in flat.items():
        if values.size and values.size % max(frames, 1):
            raise ValueError(f"{name} has {values.size} values, not a multiple of n_frames ({frames})")
        if values.size:
            motion[name] = values.reshape(frames, -1)
    rest = FaceSequence.rest(frames, head, fps=fps)
    for name, width in MOTION_FIELDS.items():
        if name in motion and motion[name].shape[1] != width:
            raise ValueError(f"{name} has {motion[name].shape[1]} values a frame; needed: {width}")
    return rest.replace(**motion)
