"""Training data -> batches, a pure function of (data, seed, position).

``position`` counts windows and batches, so training resumes where it stopped without
replaying anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, count
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..common.threads import interrupts_blocked
from ..tokenizer.changes import ChangeLayout
from .config import DataConfig
from .data import Clip, Piece, PlanLine, Reading
from .model import Batch
from .prompts import DESCRIBE, MOTION, SCRIPT, TEXT, Encoded, MotionAnswer, Template, Turn


# -- one sequence ---------------------------------------------------------------------
def _caption(clip: Clip, rng: np.random.Generator) -> str:
    return clip.captions[rng.integers(len(clip.captions))]


def read_example(template: Template, reading: Reading) -> Encoded:
    """A text as the request, its script as the answer."""
    return template.encode([Turn(reading.text, answer_script=reading.items)])


def plan_turn(text: str, clip: Sequence[str]) -> Turn:
    """The request of a plan: the script of the clip at hand, which may be empty, and the line."""
    return Turn(text, script=clip)


def plan_example(template: Template, line: PlanLine) -> Encoded:
    """A line as the request, its plan as the answer."""
    return template.encode([replace(plan_turn(line.text, line.clip), answer_script=line.items)])


def perform_turn(layout: ChangeLayout, tokens: Sequence[str], before: Sequence[int] | None) -> Turn:
    """The request of a window's motion: the state before it, unless that is rest, and the window."""
    rest = before is None or tuple(before) == tuple(layout.rest_codes)
    state = None if rest else layout.encode(np.array([before]))
    return Turn(motion=state, script=tokens, before=None if rest else before, steps=int(tokens[1][1:]))


def perform_example(template: Template, piece: Piece) -> Encoded:
    """A schedule window as the request, the motion as the answer."""
    turn = perform_turn(template.vocabulary.layout, piece.tokens, piece.before)
    return template.encode([replace(turn, answer_motion=piece.symbols)])


def see_example(template: Template, piece: Piece) -> Encoded:
    """The motion of a window as the request, the window as the answer."""
    layout = template.vocabulary.layout
    motion = layout.encode(layout.decode(piece.symbols, piece.before))
    return template.encode([Turn(motion=motion, answer_script=piece.tokens)])


def understand_example(template: Template, clip: Clip, config: DataConfig, rng: np.random.Generator) -> Encoded:
    """The motion, then a description and questions on it, in turns that share its tokens."""
    symbols = clip.symbols if clip.idle_symbols is None or rng.random() < 0.25 else clip.idle_symbols
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


def legal_masks(layout: ChangeLayout, symbols: Sequence[int], answer: MotionAnswer) -> NDArray[np.bool_]:
    """What the grammar allows before each symbol and before the end -> ``(N + 1, n_symbols + 1)``."""
    start = layout.start(answer.steps, before=answer.before)
    states = accumulate(symbols, lambda state, symbol: state.advance(int(symbol)), initial=start)
    return np.array([state.allowed() for state in states])


def collate(template: Template, examples: Sequence[Encoded]) -> Batch:
    """Sequences -> one right-padded batch."""
    vocabulary = template.vocabulary
    width = max(len(e.ids) for e in examples)
    ids = np.full((len(examples), width), template.stop, np.int64)
    places: dict[int, list[NDArray[np.int64]]] = {TEXT: [], MOTION: [], SCRIPT: []}
    legal: list[NDArray[np.bool_]] = []
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = example.ids
        kinds = np.asarray(example.kinds)
        for kind, found in places.items():
            found.append(row * width + np.flatnonzero(kinds[1:] == kind))
        for answer in example.answers:
            last = example.ids.index(vocabulary.end, answer.first)
            legal.append(legal_masks(vocabulary.layout, vocabulary.symbols(example.ids[answer.first:last]).tolist(), answer))
    text, motion, script = (np.concatenate(places[kind]) for kind in (TEXT, MOTION, SCRIPT))
    flat = ids.reshape(-1)
    n = vocabulary.layout.n_symbols
    motion_target = flat[motion + 1] - vocabulary.first_symbol
    motion_target[motion_target < 0] = n  # </motion>
    text_target = flat[text + 1]
    text_target[text_target == vocabulary.first_script] = vocabulary.n_text + 1  # after the words: <motion>, then <script>
    mask = np.concatenate(legal) if legal else np.zeros((0, n + 1), bool)
    tensors = (torch.from_numpy(x) for x in (ids, text, text_target, motion, motion_target, mask, script,
                                             flat[script + 1] - vocabulary.first_script))
    return Batch(*tensors)


# -- the stream of batches ------------------------------------------------------------
@dataclass(frozen=True)
class Position:
    """Where the stream stands: window, and batch within it."""

    window: int = 0
    batch: int = 0


@dataclass(frozen=True)
class Examples:
    """What is learned from; a task with a weight above 0 needs its kind."""

    clips: Sequence[Clip] = ()
    readings: Sequence[Reading] = ()
    pieces: Sequence[Piece] = ()
    plans: Sequence[PlanLine] = ()


_KINDS = {"read": "readings", "perform": "pieces", "see": "pieces", "understand": "clips", "plan": "plans"}
TASKS = tuple(_KINDS)


def _make(task: str, template: Template, data: Examples, config: DataConfig, rng: np.random.Generator) -> Encoded:
    pool: Sequence[Any] = getattr(data, _KINDS[task])
    item = pool[int(rng.integers(len(pool)))]
    if task == "read":
        return read_example(template, item)
    if task == "plan":
        return plan_example(template, item)
    if task == "understand":
        return understand_example(template, item, config, rng)
    return perform_example(template, item) if task == "perform" else see_example(template, item)


@dataclass(frozen=True)
class Stream:
    """Endless batches; the same seed gives the same batches.

    Attributes:
        data, template, config: what the batches are made of.
        seed: of order, wordings and tasks.
    """

    data: Examples
    template: Template
    config: DataConfig
    seed: int

    def __post_init__(self) -> None:
        for task in TASKS:
            kind = _KINDS[task]
            if getattr(self.config, task) and not getattr(self.data, kind):
                raise ValueError(f"data.{task} is {getattr(self.config, task):g} but there are no {kind} to learn it from; "
                                 "make them, or set it to 0")

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        weights = np.array([getattr(self.config, task) for task in TASKS])
        return np.asarray(weights / weights.sum())

    def example(self, k: int) -> Encoded | None:
        """The ``k``-th sequence; None when it is too long."""
        rng = np.random.default_rng([self.seed, 1, k])
        task = TASKS[int(rng.choice(len(TASKS), p=self._shares))]
        encoded = _make(task, self.template, self.data, self.config, rng)
        return encoded if len(encoded.ids) <= self.config.max_tokens else None

    def window(self, number: int) -> list[list[Encoded]]:
        """The batches of one window, each of sequences of like length, in random order."""
        size = self.config.window
        made = [e for k in range(number * size, (number + 1) * size) if (e := self.example(k)) is not None]
        batches = by_length(made, self.config.batch_tokens)
        order = np.random.default_rng([self.seed, 2, number]).permutation(len(batches))
        return [batches[i] for i in order]

    def collated(self, number: int) -> list[Batch]:
        """The batches of one window as tensors."""
        return [collate(self.template, group) for group in self.window(number)]

    def batches(self, start: Position | None = None, workers: int = 0) -> Iterator[tuple[Batch, Position]]:
        """Batches from ``start`` on, each with the position after it.

        Args:
            workers: processes that make windows ahead; the batches and their order are the same with any number.
        """
        start = start or Position()
        skip, empty = start.batch, 0
        for number, window in self._windows(start.window, workers):
            empty = 0 if window else empty + 1
            if empty > 20:
                raise ValueError(f"no sequence fits in data.max_tokens = {self.config.max_tokens}; raise it")
            for index in range(skip, len(window)):
                yield window[index], Position(number, index + 1)
            skip = 0

    def _windows(self, first: int, workers: int) -> Iterator[tuple[int, list[Batch]]]:
        if not workers:
            for number in count(first):
                yield number, self.collated(number)
        # processes are forked, so that they share the data; they only make arrays
        with ProcessPoolExecutor(workers, get_context("fork"), _share, (self,)) as pool:
            with interrupts_blocked():  # the processes start here
                ahead = deque((n, pool.submit(_made, n)) for n in range(first, first + 2 * workers))
            while True:
                number, window = ahead.popleft()
                ahead.append((number + 2 * workers, pool.submit(_made, number + 2 * workers)))
                yield number, window.result()


_shared: list[Stream] = []


def _share(stream: Stream) -> None:
    """In a worker: what it makes batches of."""
    torch.set_num_threads(1)
    _shared[:] = [stream]


def _made(number: int) -> list[Batch]:
    return _shared[0].collated(number)


def by_length(examples: Sequence[Encoded], budget: int) -> list[list[Encoded]]:
    """Sort by length and cut where padded tokens would pass ``budget``; every batch has at least one."""
    batches: list[list[Encoded]] = []
    for example in sorted(examples, key=lambda e: len(e.ids)):
        if batches and (len(batches[-1]) + 1) * len(example.ids) <= budget:
            batches[-1].append(example)
        else:
            batches.append([example])
    return batches


def validation_batches(data: Examples, template: Template, config: DataConfig, examples: int,
                       seed: int) -> dict[str, list[Batch]]:
    """Fixed batches of each task that has held-out data."""
    out: dict[str, list[Batch]] = {}
    for task in TASKS:
        if not getattr(data, _KINDS[task]):
            continue
        made = [_make(task, template, data, config, np.random.default_rng([seed, 4, i])) for i in range(examples)]
        made = [e for e in made if len(e.ids) <= config.max_tokens]
        if made:
            out[task] = [collate(template, group) for group in by_length(made, 2 * config.batch_tokens)]
    return out
