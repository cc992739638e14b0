"""From a corpus and a tokenizer to training data for the language model, and the training itself."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data_gen.corpus.synth import iter_corpus, load_clip, read_manifest
from ..data_gen.corpus.transitions import FILE, read_transitions
from ..data_gen.performer.animator import perform
from ..data_gen.performer.sampler import sample_script
from ..data_gen.performer.transitions import perform_transition
from ..face.clip.sequence import FaceSequence
from ..face.clip.spontaneous import add_idle, filter_idle
from ..face.head.model import HeadModel
from ..llm.base import find_base
from ..llm.config import load_config
from ..llm.examples import prepare_tokens
from ..llm.train import train
from ..tokenizer.codec import FaceTokenizer
from ..tokenizer.config import TokenizerRecipe
from ..tokenizer.features import to_features

KEPT = ("clip_id", "split", "seconds", "captions", "questions", "answers", "kinds", "n_events")
Progress = Callable[[int, int], None]
CHUNK = 2048
IDLE_EVERY = 4
"""One clip in so many is also tokenized as a camera would see it; filtering idle motion costs more than encoding."""


def tokenizer_clips(recipe: TokenizerRecipe, corpus: str | os.PathLike[str] | None,
                    progress: Progress | None = None) -> list[NDArray[np.float32]]:
    """Feature matrices to train a tokenizer on: a corpus' training split, or fresh performer clips.

    A share of them (``idle_share``) gets idle motion that is then filtered out again, as a
    captured clip would.
    """
    rng = np.random.default_rng(recipe.train.seed)
    head = HeadModel.default()
    total = recipe.train.clips

    def clips() -> Iterator[FaceSequence]:
        if corpus is None:
            for i in range(total):
                yield perform(sample_script(np.random.default_rng([recipe.train.seed, i])), head)
        else:
            for i, row in enumerate(iter_corpus(corpus, "train")):
                if i >= total:
                    return
                yield load_clip(row)

    out = []
    for i, clip in enumerate(clips()):
        if rng.random() < recipe.train.idle_share:
            clip = filter_idle(add_idle(clip, seed=i))
        out.append(to_features(clip))
        if progress:
            progress(i + 1, total)
    return out


def tokenize_corpus(corpus: str | os.PathLike[str], tokenizer: FaceTokenizer, path: Path,
                    progress: Progress | None = None) -> int:
    """Write the corpus' train and val rows with their motion symbols to one Parquet file.

    ``symbols`` are those of the commanded motion; ``symbols_idle`` (one clip in ``IDLE_EVERY``)
    those of the same clip after idle motion was added and filtered out again, as in a clip
    from a camera.

    Returns:
        The number of rows.
    """
    rows: list[dict[str, Any]] = []
    symbols: list[NDArray[np.int32]] = []

    def flush(part: list[dict[str, Any]]) -> None:
        clips = [load_clip(r) for r in part]
        idle = [filter_idle(add_idle(c, seed=len(rows) + i)) for i, c in enumerate(clips[::IDLE_EVERY])]
        codes = tokenizer.encode_features([to_features(c) for c in (*clips, *idle)])
        lines = [tokenizer.layout.encode(c) for c in codes]
        for i, row in enumerate(part):
            seen = lines[len(part) + i // IDLE_EVERY].tolist() if i % IDLE_EVERY == 0 else None
            rows.append({**{k: row[k] for k in KEPT}, "description": row["describe"][0], "symbols_idle": seen})
        symbols.extend(lines[:len(part)])
        if progress:
            progress(len(rows), max(len(rows) + 1, _count(corpus)))

    part: list[dict[str, Any]] = []
    for split in ("train", "val"):
        for row in iter_corpus(corpus, split):
            part.append(row)
            if len(part) == CHUNK:
                flush(part)
                part = []
    if part:
        flush(part)
    return prepare_tokens(rows, symbols, path)


def tokenize_transitions(source: str | os.PathLike[str], tokenizer: FaceTokenizer, path: Path,
                         progress: Progress | None = None) -> int:
    """Perform and tokenize the train and val rows of a transition corpus; returns how many.

    ``captions`` are the instructions, ``source`` the first frame held for one tokenizer step (none where
    the transition starts at rest without a source).
    """
    rows = [r for r in read_transitions(source) if r["split"] in ("train", "val")]
    made: list[dict[str, Any]] = []
    symbols: list[NDArray[np.int32]] = []
    head = HeadModel.default()
    for low in range(0, len(rows), CHUNK):
        part = rows[low:low + CHUNK]
        features = [to_features(perform_transition(r["spec"], head)) for r in part]
        starts = [np.repeat(f[:1], tokenizer.config.frames_per_step, axis=0) for f, r in zip(features, part, strict=True)]
        lines = [tokenizer.layout.encode(c) for c in tokenizer.encode_features([*features, *starts])]
        for i, row in enumerate(part):
            made.append({"clip_id": row["clip_id"], "split": row["split"], "seconds": row["seconds"], "questions": [],
                         "answers": [], "kinds": [], "captions": row["instructions"], "n_events": row["stages"],
                         "source": lines[len(part) + i].tolist() if row["sourced"] else None})
        symbols += lines[:len(part)]
        if progress:
            progress(len(made), len(rows))
    return prepare_tokens(made, symbols, path)


def _count(corpus: str | os.PathLike[str]) -> int:
    return int(read_manifest(Path(corpus)).get("clips", 0))


def _content(transitions: str | os.PathLike[str]) -> str:
    path = Path(transitions)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"no transitions at {path}; make them with `facelm data transitions -o DIR`")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_stamp(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # missing or damaged: the corpus is tokenized again
        return None


def train_language_model(config_path: str | os.PathLike[str], corpus: str | os.PathLike[str],
                         tokenizer_dir: str | os.PathLike[str], out: str | os.PathLike[str], base: str | None = None,
                         restart: bool = False, progress: Progress | None = None,
                         init: str | os.PathLike[str] | None = None,
                         transitions: str | os.PathLike[str] | None = None) -> None:
    """Tokenize the corpus (once) and train by a recipe; ``out`` becomes a weights folder.

    A second call goes on from the newest checkpoint; ``init`` is a saved adapter to start from instead of
    nothing. ``transitions`` is a corpus of ``facelm data transitions``, which a recipe with ``data.transition`` needs.

    Raises:
        FileNotFoundError, ValueError: a missing or unusable recipe, corpus, tokenizer or base.
    """
    out = Path(out)
    config = load_config(config_path)
    if base:
        config = replace(config, model=replace(config.model, name=base))
    tokenizer = FaceTokenizer.from_pretrained(tokenizer_dir)
    find_base(config.model.name)  # tokenizing a corpus takes minutes: what is missing is said before
    read_manifest(corpus)
    if config.data.transition and transitions is None:
        raise ValueError(f"{config_path} trains transitions (data.transition is {config.data.transition:g}); "
                         "make them with `facelm data transitions -o DIR` and give --transitions DIR")
    stamp = {"tokenizer": tokenizer.hash, "corpus": os.fspath(Path(corpus).resolve())}
    tokens, stamp_file = out / "tokens.parquet", out / "tokens.json"
    fresh = not (tokens.is_file() and _read_stamp(stamp_file) == stamp)
    if fresh:
        tokenize_corpus(corpus, tokenizer, tokens, progress)
        stamp_file.write_text(json.dumps(stamp))
    changes = None
    if transitions is not None:
        changes = out / "transitions.parquet"
        theirs = {"tokenizer": tokenizer.hash, "transitions": _content(transitions)}
        if not (changes.is_file() and _read_stamp(out / "transitions.json") == theirs):
            fresh = True
            tokenize_transitions(transitions, tokenizer, changes, progress)
            (out / "transitions.json").write_text(json.dumps(theirs))
    if Path(tokenizer_dir).resolve() != (out / "tokenizer").resolve():
        shutil.copytree(tokenizer_dir, out / "tokenizer", dirs_exist_ok=True)
    train(config, tokens, tokenizer.layout, out / "llm", resume=not (restart or fresh),
          info={"recipe": Path(config_path).name, "tokenizer": tokenizer.hash}, init=init, transitions=changes)
