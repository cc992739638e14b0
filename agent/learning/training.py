"""From a corpus and a tokenizer to training data for the language model, and the training itself."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.files import write_json
from ...common.progress import Progress, silent
from ...data_gen.corpus.synth import iter_corpus, load_clip, read_manifest
from ...data_gen.performer.animator import perform
from ...data_gen.performer.mixture import sample_schedule
from ...data_gen.text.written import written_digest
from ...face.clip.sequence import FaceSequence
from ...face.clip.spontaneous import add_idle, filter_idle
from ...face.head.model import HeadModel
from ...llm.base import find_base
from ...llm.config import load_config
from ...llm.data import prepare_tokens, write_pieces, write_plan_lines, write_readings
from ...llm.train import Sources, train
from ...tokenizer.codec import FaceTokenizer
from ...tokenizer.config import TokenizerRecipe
from ...tokenizer.features import to_features
from .pieces import make_pieces
from .plans import held_out_plans, lines_digest, make_plans
from .readings import WRITTEN, held_out_readings, make_readings

KEPT = ("clip_id", "split", "seconds", "captions", "questions", "answers", "kinds")
CHUNK = 2048
HELD_OUT = 200
"""Schedules whose windows are kept for validation."""
IDLE_EVERY = 4
"""One clip in so many is also tokenized as a camera would see it; filtering idle motion costs more than encoding."""


def tokenizer_clips(recipe: TokenizerRecipe, corpus: str | os.PathLike[str] | None,
                    progress: Progress = silent) -> list[NDArray[np.float32]]:
    """Feature matrices to train a tokenizer on: a corpus' training split, or fresh clips of the procedural animator.

    A share of them (``idle_share``) gets idle motion that is then filtered out again, as a captured clip would.
    """
    rng = np.random.default_rng(recipe.train.seed)
    head, total = HeadModel.default(), recipe.train.clips
    clips: Iterator[FaceSequence]
    if corpus is None:
        clips = (perform(sample_schedule(np.random.default_rng([recipe.train.seed, i])), head) for i in range(total))
    else:
        clips = (load_clip(row, corpus) for row in islice(iter_corpus(corpus, "train"), total))
    out = []
    for i, clip in enumerate(clips):
        if rng.random() < recipe.train.idle_share:
            clip = filter_idle(add_idle(clip, seed=i))
        out.append(to_features(clip))
        progress(i + 1, total)
    return out


def tokenize_corpus(corpus: str | os.PathLike[str], tokenizer: FaceTokenizer, path: Path, progress: Progress = silent) -> int:
    """Write the corpus' train and val rows with their motion symbols to one Parquet file; returns how many rows.

    ``symbols`` are those of the commanded motion; ``symbols_idle`` (one clip in ``IDLE_EVERY``) those of the same clip after
    idle motion was added and filtered out again, as in a clip from a camera.
    """
    rows: list[dict[str, Any]] = []
    symbols: list[NDArray[np.int32]] = []
    count = int(read_manifest(Path(corpus)).get("clips", 0))
    for part in _chunks(row for split in ("train", "val") for row in iter_corpus(corpus, split)):
        clips = [load_clip(r, corpus) for r in part]
        idle = [filter_idle(add_idle(c, seed=len(rows) + i)) for i, c in enumerate(clips[::IDLE_EVERY])]
        lines = _symbols(tokenizer, [to_features(c) for c in (*clips, *idle)])
        for i, row in enumerate(part):
            seen = lines[len(part) + i // IDLE_EVERY].tolist() if i % IDLE_EVERY == 0 else None
            rows.append({**{k: row[k] for k in KEPT}, "description": row["describe"][0], "symbols_idle": seen})
        symbols += lines[:len(part)]
        progress(len(rows), max(len(rows) + 1, count))
    return prepare_tokens(rows, symbols, path)


def _chunks(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rows = iter(rows)
    while part := list(islice(rows, CHUNK)):
        yield part


def _symbols(tokenizer: FaceTokenizer, features: list[NDArray[np.float32]]) -> list[NDArray[np.int32]]:
    return [tokenizer.layout.encode(c) for c in tokenizer.encode_features(features)]


def _once(path: Path, stamp: dict[str, str], make: Callable[[Path], object]) -> bool:
    """Make a file unless it was made from the same before; whether it was made now."""
    record = path.with_suffix(".json")
    try:
        if path.is_file() and json.loads(record.read_text(encoding="utf-8")) == stamp:
            return False
    except (OSError, ValueError):  # missing or damaged: it is made again
        pass
    make(path)
    write_json(record, stamp)
    return True


def train_language_model(config_path: str | os.PathLike[str], tokenizer_dir: str | os.PathLike[str], out: str | os.PathLike[str],
                         corpus: str | os.PathLike[str] | None = None, base: str | None = None, restart: bool = False,
                         progress: Progress = silent, init: str | os.PathLike[str] | None = None) -> None:
    """Make the training data (once) and train by a recipe; ``out`` becomes a weights folder.

    A second call goes on from the newest checkpoint; ``init`` is a saved adapter to start from instead of nothing. ``corpus``
    is that of ``facelm data synth``, which a recipe with ``data.understand`` needs.

    Raises:
        FileNotFoundError, ValueError: a missing or unusable recipe, corpus, tokenizer or base.
    """
    out = Path(out)
    config = load_config(config_path)
    if base:
        config = replace(config, model=replace(config.model, name=base))
    tokenizer = FaceTokenizer.from_pretrained(tokenizer_dir)
    find_base(config.model.name)  # making the data takes minutes: what is missing is said before
    data, made, seed = config.data, config.make, config.run.seed
    if data.understand and corpus is None:
        raise ValueError(f"{config_path} trains descriptions and answers (data.understand is {data.understand:g}); "
                         "make a corpus with `facelm data synth -o DIR` and give --corpus DIR")
    kinds = ("tokens", *(f"{kind}{of}" for kind in ("readings", "plans", "pieces") for of in ("", "_held_out")))
    files = {name: out / f"{name}.parquet" for name in kinds}
    fresh = False
    if data.understand and corpus is not None:
        read_manifest(corpus)
        fresh |= _once(files["tokens"], {"tokenizer": tokenizer.hash, "corpus": os.fspath(Path(corpus).resolve())},
                       lambda path: tokenize_corpus(corpus, tokenizer, path, progress))
    if data.read:
        stamp = {"count": str(made.readings), "seed": str(seed), "prompts": written_digest()}
        if made.by_hand != WRITTEN:
            stamp["by_hand"] = str(made.by_hand)
        fresh |= _once(files["readings"], stamp,
                       lambda path: write_readings(make_readings(made.readings, seed, progress, made.by_hand), path))
        _once(files["readings_held_out"], stamp, lambda path: write_readings(held_out_readings(), path))
    if data.plan:
        stamp = {"count": str(made.plans), "seed": str(seed), "lines": lines_digest(), "prompts": written_digest()}
        if made.recent:
            stamp["recent"] = " ".join(made.recent)
        fresh |= _once(files["plans"], stamp,
                       lambda path: write_plan_lines(make_plans(made.plans, seed, progress, made.recent), path))
        _once(files["plans_held_out"], stamp, lambda path: write_plan_lines(held_out_plans(), path))
    if data.perform or data.see:
        idle = made.spontaneous
        stamp = {"count": str(made.schedules), "seed": str(seed), "tokenizer": tokenizer.hash}
        if idle:
            stamp["spontaneous"] = "yes"
        fresh |= _once(files["pieces"], stamp, lambda path: write_pieces(
            make_pieces(tokenizer, made.schedules, seed, progress=progress, spontaneous=idle), path))
        _once(files["pieces_held_out"], stamp, lambda path: write_pieces(
            make_pieces(tokenizer, HELD_OUT, seed + 1, "dev", spontaneous=idle), path))
    if Path(tokenizer_dir).resolve() != (out / "tokenizer").resolve():
        shutil.copytree(tokenizer_dir, out / "tokenizer", dirs_exist_ok=True)
    there = {name: path if path.is_file() else None for name, path in files.items()}
    train(config, Sources(clips=there.pop("tokens"), **there), tokenizer.layout, out / "llm", resume=not (restart or fresh),
          info={"recipe": Path(config_path).name, "tokenizer": tokenizer.hash}, init=init)
