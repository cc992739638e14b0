"""The synthetic corpus: scripts performed, measured and put into words, as Parquet shards.

Clip ``i`` of seed ``s`` depends on nothing but ``(s, i)``, a shard appears whole or not at
all, and a second run does what is missing and ends with the same bytes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass as settings
from tqdm import tqdm

from ...common.config import SETTINGS, parse
from ...common.files import write_json
from ...common.store import sweep
from ...face.clip.sequence import FaceSequence
from ...face.facs.measure import measure as measure_clip
from ...face.facs.schedule import Schedule
from ..performer.animator import perform
from ..performer.sampler import sample_script
from ..text.captions import caption, describe, draw_register
from ..text.questions import as_facts, questions
from .card import synth_card
from .shards import (
    FORMAT,
    MOTION,
    VERSION,
    Shard,
    arrow,
    check_folder,
    is_complete,
    iter_corpus,
    load_clip,
    motion_columns,
    plan_shards,
    read_manifest,
    shard_paths,
    write_rows,
)
from .splits import SPLITS, split_of
from .workers import WorkerPool

CAPTIONS, QUESTIONS = 4, 6
Measure = Callable[[FaceSequence], Any]


@settings(frozen=True, config=SETTINGS)
class CorpusConfig:
    """What determines a corpus."""

    clips: Annotated[int, Field(ge=1, le=10_000_000)]
    """Number of clips, all splits together."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of the corpus."""
    shard_size: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Most clips in one file."""


@dataclass(frozen=True)
class CorpusReport:
    """What ``synth`` did."""

    path: Path
    counts: dict[str, int]
    """Clips in each split."""
    written: int
    """Clips written by this run (the rest was there already)."""
    seconds: float


def script_of(config: CorpusConfig, index: int) -> Schedule:
    """The script of clip ``index``."""
    return sample_script(np.random.default_rng([config.seed, index]))


def make_row(config: CorpusConfig, index: int, measure: Measure) -> dict[str, Any]:
    """One clip with its words, as a row of the corpus."""
    script = script_of(config, index)
    rng = np.random.default_rng([config.seed, index, 1])
    return script_row(script, f"{config.seed}-{index:07d}", split_of(script), rng, measure)


def script_row(script: Schedule, clip_id: str, split: str, rng: np.random.Generator, measure: Measure) -> dict[str, Any]:
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


def _write_shard(config: CorpusConfig, folder: Path, measure: Measure, on_clip: Callable[[int], Any] | None,
                 shard: Shard) -> int:
    """Make one shard; returns its number of clips."""
    rows = []
    for index in shard.clips:
        rows.append(make_row(config, index, measure))
        if on_clip:
            on_clip(1)
    write_rows(folder / shard.name, rows)
    return len(rows)


def _died(shard: Shard) -> int:
    raise RuntimeError(f"the process that wrote {shard.name} died each time (out of memory?); use fewer workers")


def _claim(folder: Path, config: CorpusConfig) -> None:
    """Take the folder: new, empty, or holding this very corpus."""
    manifest = folder / "corpus.json"
    check_folder(folder, manifest, "facelm corpus")
    wanted = {"format": FORMAT, "version": VERSION, **asdict(config)}
    if manifest.is_file():
        have = read_manifest(folder)
        differing = [k for k, v in wanted.items() if have.get(k) != v]
        if differing:
            there = ", ".join(f"{k} {have.get(k)}" for k in differing)
            asked = ", ".join(f"{k} {wanted[k]}" for k in differing)
            raise ValueError(f"{folder} holds another corpus ({there}; asked: {asked}); "
                             "use a new folder or the same settings")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    sweep(folder, ".*.part*", "*/.*.part*")
    write_json(manifest, wanted)


def synth(clips: int, out_dir: str | os.PathLike[str], seed: int = 0, shard_size: int = 1000, workers: int = 1,
          measure: Measure = measure_clip, progress: bool = True) -> CorpusReport:
    """Write a corpus.

    Args:
        clips: number of clips, about 90/5/5 % train/val/test.
        out_dir: a new or empty folder, or one in which the same corpus was begun.
        seed: seed of the corpus.
        shard_size: most clips in a file.
        workers: processes.
        measure: ``FaceSequence -> Measurement``. With several workers it must be importable (a function of a module).
        progress: show a progress bar on stderr.

    Raises:
        ValueError: numbers out of range, or a folder that holds something else.
    """
    began = time.monotonic()
    config = parse(CorpusConfig, {"clips": clips, "seed": seed, "shard_size": shard_size}, "")
    if not 1 <= workers <= 256:
        raise ValueError(f"workers is {workers}; allowed: 1 to 256")
    arrow()
    folder = Path(out_dir)
    _claim(folder, config)
    members: dict[str, list[int]] = {s: [] for s in SPLITS}
    for index in range(clips):  # scripts are cheap to draw, so all of them are drawn first
        members[split_of(script_of(config, index))].append(index)
    missing = [s for s in plan_shards(members, shard_size) if not is_complete(folder / s.name, len(s.clips))]
    todo = sum(len(s.clips) for s in missing)
    workers = 0 if workers == 1 or len(missing) < 2 else min(workers, len(missing))
    with tqdm(total=clips, initial=clips - todo, unit="clip", disable=not progress or None) as bar, WorkerPool(workers) as pool:
        make = partial(_write_shard, config, folder, measure, None if workers else bar.update)
        for rows in pool.run(make, missing, _died):
            bar.update(rows if workers else 0)
    counts = {s: len(members[s]) for s in SPLITS}
    synth_card(folder, clips, seed, counts)
    return CorpusReport(folder, counts, todo, time.monotonic() - began)


__all__ = ["MOTION", "CorpusConfig", "CorpusReport", "iter_corpus", "load_clip", "make_row", "read_manifest", "script_of",
           "script_row", "shard_paths", "synth"]
