"""Corpus rows -> training batches, a pure function of (rows, seed, position).

A row has the columns ``clip_id, split, seconds, captions, questions, answers, kinds,
symbols`` and optionally ``n_events`` and ``description`` (the answer to "Describe.", else one of
``captions``). ``position`` counts windows and batches, so training resumes where it
stopped without replaying anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..common.files import atomic_file
from ..common.optional import require
from ..tokenizer.changes import ChangeLayout
from .config import DataConfig
from .model import Batch
from .prompts import CAPTION, DESCRIBE, INSTRUCTION, MOTION, TEXT, Encoded, Template, Turn, perform_prompt


@dataclass(frozen=True)
class Clip:
    """One corpus row.

    Attributes:
        clip_id: its name.
        captions: wordings of the same motion.
        questions, answers: pairs, same length.
        symbols: ``(N,)`` int32, the change-coded motion.
        steps: its length in tokenizer steps.
        n_events: how many things happen; 0 when unknown.
        description: the preferred description; empty when any caption will do.
    """

    clip_id: str
    captions: tuple[str, ...]
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    symbols: NDArray[np.int32]
    steps: int
    n_events: int = 0
    description: str = ""
    idle_symbols: NDArray[np.int32] | None = None
    """The same motion after idle motion was added and filtered out again; when there is one, three
    in four of the sequences that read the motion read it."""
    source: NDArray[np.int32] | None = None
    """Of a transition that starts from a given face: that face, held for one step."""


_TEXT = ("clip_id", "split", "description")
_TEXTS = ("captions", "questions", "answers", "kinds")
_SYMBOLS = ("symbols", "symbols_idle", "source")
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
    known = [name for name in (*_TEXT, *_TEXTS, *_SYMBOLS, "n_events") if name in table.column_names]
    rows: list[dict[str, Any]] = table.select(known).to_pylist()
    return rows


def _clip(row: dict[str, Any], layout: ChangeLayout, file: Path) -> Clip:
    symbols, idle, source = (np.asarray(row[name], np.int32) if row.get(name) else None for name in _SYMBOLS)
    assert symbols is not None
    if symbols.min() < 0 or symbols.max() >= layout.n_symbols:
        raise ValueError(f"{file}: clip {row['clip_id']} has symbol {symbols.max()}; "
                         f"this tokenizer has 0..{layout.n_symbols - 1}")
    captions, questions, answers = (tuple(row[name]) for name in ("captions", "questions", "answers"))
    return Clip(row["clip_id"], captions, questions, answers, symbols, layout.steps(symbols), int(row.get("n_events") or 0),
                row.get("description") or "", idle, source)


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
               "n_events": pa.int32(), **dict.fromkeys(_SYMBOLS, pa.list_(pa.int32()))}
    made = [{**{name: row.get(name) for name in columns}, "symbols": np.asarray(line, np.int32).tolist()}
            for row, line in zip(rows, symbols, strict=True)]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        parquet.write_table(pa.Table.from_pylist(made, pa.schema(list(columns.items()))), partial)
    return len(made)


# -- one sequence ---------------------------------------------------------------------
def _caption(clip: Clip, rng: np.random.Generator) -> str:
    return clip.captions[rng.integers(len(clip.captions))]


def _request(template: Template, clip: Clip, text: str, stated: bool) -> Encoded:
    """A request whose answer is the clip's motion, with the length in front when it is stated."""
    steps = clip.steps if stated else None
    seconds = None if steps is None else steps * template.vocabulary.layout.step_seconds
    return template.encode([Turn(perform_prompt(text, seconds), clip.source, answer_motion=clip.symbols, steps=steps)])


def perform_example(template: Template, clip: Clip, config: DataConfig, rng: np.random.Generator) -> Encoded:
    """A caption as the request, the motion as the answer."""
    text = _caption(clip, rng)
    return _request(template, clip, text, rng.random() < config.seconds)


def understand_example(template: Template, clip: Clip, config: DataConfig, rng: np.random.Generator) -> Encoded:
    """The motion, then a description and questions on it, in turns that share its tokens."""
    symbols = clip.symbols if clip.idle_symbols is None or rng.random() < 0.25 else clip.idle_symbols
    if config.caption and rng.random() < config.caption:
        return template.encode([Turn(CAPTION, symbols, _caption(clip, rng))])
    pairs: list[tuple[str, str]] = []
    if rng.random() < config.describe or not clip.questions or not config.questions:
        pairs.append((DESCRIBE, clip.description or _caption(clip, rng)))
    chosen = rng.permutation(len(clip.questions))[: config.questions]
    pairs += [(clip.questions[i], clip.answers[i]) for i in chosen]
    while True:
        turns = [Turn(question, None if i else symbols, answer) for i, (question, answer) in enumerate(pairs)]
        encoded = template.encode(turns)
        if len(encoded.ids) <= config.max_tokens or len(pairs) == 1:
            return encoded
        pairs.pop()


def transition_example(template: Template, clip: Clip, config: DataConfig, rng: np.random.Generator) -> Encoded:
    """A source face (if there is one), an instruction, and the motion; or the motion, and the instruction as the answer.

    A model needs the latter to choose among its own transitions.
    """
    text = _caption(clip, rng)
    if rng.random() < config.transition_reading:
        return template.encode([Turn(INSTRUCTION, clip.symbols, text)])
    return _request(template, clip, text, rng.random() < config.seconds)


def legal_masks(layout: ChangeLayout, symbols: Sequence[int], steps: int | None) -> NDArray[np.bool_]:
    """What the grammar allows before each symbol and before the end -> ``(N + 1, n_symbols + 1)``."""
    states = accumulate(symbols, lambda state, symbol: state.advance(int(symbol)), initial=layout.start(steps))
    return np.array([state.allowed() for state in states])


def collate(template: Template, examples: Sequence[Encoded]) -> Batch:
    """Sequences -> one right-padded batch."""
    vocabulary = template.vocabulary
    width = max(len(e.ids) for e in examples)
    ids = np.full((len(examples), width), template.stop, np.int64)
    places: dict[int, list[NDArray[np.int64]]] = {TEXT: [], MOTION: []}
    legal: list[NDArray[np.bool_]] = []
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = example.ids
        kinds = np.asarray(example.kinds)
        for kind, found in places.items():
            found.append(row * width + np.flatnonzero(kinds[1:] == kind))
        for first, steps in example.answers:
            last = example.ids.index(vocabulary.end, first)
            legal.append(legal_masks(vocabulary.layout, vocabulary.symbols(example.ids[first:last]).tolist(), steps))
    text, motion = (np.concatenate(places[kind]) for kind in (TEXT, MOTION))
    flat = ids.reshape(-1)
    n = vocabulary.layout.n_symbols
    motion_target = flat[motion + 1] - vocabulary.first_symbol
    motion_target[motion_target < 0] = n  # </motion>
    text_target = np.minimum(flat[text + 1], vocabulary.n_text)  # <motion> is the row after the words
    mask = np.concatenate(legal) if legal else np.zeros((0, n + 1), bool)
    tensors = (torch.from_numpy(x) for x in (ids, text, text_target, motion, motion_target, mask))
    return Batch(*tensors)


# -- the stream of batches ------------------------------------------------------------
@dataclass(frozen=True)
class Position:
    """Where the stream stands: window, and batch within it."""

    window: int = 0
    batch: int = 0


@dataclass(frozen=True)
class Stream:
    """Endless batches from clips; the same seed gives the same batches.

    Attributes:
        clips, template, config: what the batches are made of.
        seed: of order, wordings and tasks.
        transitions: transition clips; their captions are instructions. Used when ``config.transition`` is above 0.
    """

    clips: Sequence[Clip]
    template: Template
    config: DataConfig
    seed: int
    transitions: Sequence[Clip] = ()

    def __post_init__(self) -> None:
        if not self.clips:
            raise ValueError("there are no clips to train on")
        if self.config.transition and not self.transitions:
            raise ValueError(f"data.transition is {self.config.transition:g} but no transitions were given; "
                             "make them with `facelm data transitions` and give --transitions DIR")

    @cached_property
    def _stages(self) -> list[tuple[int, NDArray[np.int64]]]:
        """(first example, clip indices) of the stages: clips of one event, of at most two, all."""
        events = np.array([clip.n_events for clip in self.clips])
        stages = [(0, np.arange(len(self.clips)))]
        if self.config.easy_examples and events.any():
            stages = [
                (i * self.config.easy_examples, np.flatnonzero(events <= limit))
                for i, limit in enumerate((1, 2, events.max()))
            ]
        return [(first, pool) for first, pool in stages if len(pool)]

    def example(self, k: int) -> Encoded | None:
        """The ``k``-th sequence; None when its clip is too long."""
        stage = max(i for i, (first, _) in enumerate(self._stages) if first <= k or i == 0)
        first, pool = self._stages[stage]
        epoch, place = divmod(max(0, k - first), len(pool))
        clip = self.clips[pool[_order(self.seed, stage, epoch, len(pool))[place]]]
        rng, config = np.random.default_rng([self.seed, 1, k]), self.config
        plain = config.perform + config.understand
        if config.transition and rng.random() < config.transition / (plain + config.transition):
            clip, make = self.transitions[int(rng.integers(len(self.transitions)))], transition_example
        else:
            make = perform_example if rng.random() < config.perform / plain else understand_example
        encoded = make(self.template, clip, config, rng)
        return encoded if len(encoded.ids) <= config.max_tokens else None

    def window(self, number: int) -> list[list[Encoded]]:
        """The batches of one window, each of sequences of like length, in random order."""
        size = self.config.window
        made = [e for k in range(number * size, (number + 1) * size) if (e := self.example(k)) is not None]
        batches = by_length(made, self.config.batch_tokens)
        order = np.random.default_rng([self.seed, 2, number]).permutation(len(batches))
        return [batches[i] for i in order]

    def batches(self, start: Position | None = None) -> Iterator[tuple[Batch, Position]]:
        """Batches from ``start`` on, each with the position after it."""
        start = start or Position()
        number, skip, empty = start.window, start.batch, 0
        while True:
            window = self.window(number)
            empty = 0 if window else empty + 1
            if empty > 20:
                raise ValueError(f"no clip fits in data.max_tokens = {self.config.max_tokens}; raise it")
            for index in range(skip, len(window)):
                yield collate(self.template, window[index]), Position(number, index + 1)
            number, skip = number + 1, 0


@lru_cache(maxsize=2)  # of one epoch, and of the next while a window lies across both
def _order(seed: int, stage: int, epoch: int, size: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, 0, stage, epoch]).permutation(size)


def by_length(examples: Sequence[Encoded], budget: int) -> list[list[Encoded]]:
    """Sort by length and cut where padded tokens would pass ``budget``; every batch has at least one."""
    batches: list[list[Encoded]] = []
    for example in sorted(examples, key=lambda e: len(e.ids)):
        if batches and (len(batches[-1]) + 1) * len(example.ids) <= budget:
            batches[-1].append(example)
        else:
            batches.append([example])
    return batches


def validation_batches(clips: Sequence[Clip], template: Template, config: DataConfig, examples: int, seed: int,
                       transitions: Sequence[Clip] = ()) -> dict[str, list[Batch]]:
    """Fixed batches of each task: ``perform``, ``understand``, and ``transition`` when there are any."""
    out: dict[str, list[Batch]] = {}
    tasks = (("perform", perform_example, clips), ("understand", understand_example, clips),
             ("transition", transition_example, transitions))
    for name, make, pool in tasks:
        picked = np.random.default_rng([seed, 3]).permutation(len(pool))[:examples]
        made = [make(template, pool[i], config, np.random.default_rng([seed, 4, int(i)])) for i in picked]
        made = [e for e in made if len(e.ids) <= config.max_tokens]
        if made:
            out[name] = [collate(template, group) for group in by_length(made, 2 * config.batch_tokens)]
    return out
