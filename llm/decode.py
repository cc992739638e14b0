"""Decoding: sequences that are written side by side, each by its own rules, whoever asks for them.

One batch runs at a time. Callers in other threads do not wait for its end: their sequences join it at the next token, and leave
it when they have ended (continuous batching, https://www.usenix.org/conference/osdi22/presentation/yu). There is no thread of its
own: one of those who wait leads, and hands over when its own sequences have ended.

What is promised: a row has its own rules and its own draws, so that others beside it change nothing but the last bits of its
logits, as products of another size round in another way (docs/decisions.md has how much that is).
"""

from __future__ import annotations

import inspect
import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad as _pad

from ..tokenizer.changes import GrammarState
from .grammar.plans import PlanGrammar
from .grammar.script_tokens import CLOSE, Grammar, Item
from .grammar.windows import WindowGrammar
from .model import MotionModel

MAX_SCRIPT, MAX_WORDS = 400, 8
"""Most tokens of a script, and of the words after "unknown"."""
_SPARE = 16
"""A script has fewer than twice as many tokens as what it is read from, and these; of 8,000 readings none has as many and 2."""
_SLACK = 16
"""Columns of the cache that nobody needs any more before they are cut off."""
_KERNELS = 32
"""Kernels that are kept for other sizes; a step of decoding uses about ten."""
Kind = Literal["script", "motion", "text"]
Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: 0 takes the likeliest.
        top_p: smallest set of tokens with this much probability (https://arxiv.org/abs/1904.09751).
        seed: sequence ``i`` of a call draws as the first one does with ``seed + i``, whatever else is in the batch.
    """

    temperature: float = 0.7
    top_p: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; 0 or more is needed")
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ValueError(f"temperature {self.temperature} must not be negative, top_p {self.top_p} must lie in (0, 1]")


class Row(ABC):
    """A sequence that is being written.

    Attributes:
        line: ids of the prompt.
        fault: what ended it before its time.
    """

    def __init__(self, line: Sequence[int], sampling: Sampling, seed: tuple[int, int]) -> None:
        self.line, self.sampling, self.draws = line, sampling, np.random.default_rng(seed)
        self.done, self.fault = False, None  # type: bool, BaseException | None

    @property
    @abstractmethod
    def kind(self) -> Kind:
        """Which logits the next token is chosen from."""

    @abstractmethod
    def take(self, logits: Logits) -> int | None:
        """Choose the next token; its id, None at the end."""


class MotionRow(Row):
    """A motion, from a state of the grammar, which also ends it.

    Attributes:
        out: symbols.
    """

    kind = "motion"

    def __init__(self, line: Sequence[int], model: MotionModel, state: GrammarState, sampling: Sampling,
                 seed: tuple[int, int]) -> None:
        super().__init__(line, sampling, seed)
        self.end, self.first, self.state = model.vocabulary.layout.n_symbols, model.vocabulary.first_symbol, state
        self.out: list[int] = []

    def take(self, logits: Logits) -> int | None:
        """Choose a symbol that the grammar allows."""
        symbol = choose(np.where(self.state.allowed(), logits, -np.inf), self.sampling, self.draws)
        if symbol == self.end:
            return None
        self.out.append(symbol)
        self.state = self.state.advance(symbol)
        return symbol + self.first


class ScriptRow(Row):
    """Script tokens, bound by a grammar; what becomes too long is closed.

    Attributes:
        out: tokens, and words after "unknown".
        nats: log-probability of the tokens.
    """

    def __init__(self, line: Sequence[int], model: MotionModel, state: Grammar | WindowGrammar | PlanGrammar, sampling: Sampling,
                 seed: tuple[int, int]) -> None:
        super().__init__(line, sampling, seed)
        self.model, self.state, self.begun = model, state, state
        self.most = min(MAX_SCRIPT - 1, _SPARE + 2 * len(line))
        self.steps, self.nats = 0, 0.0
        self.out: list[Item] = []
        self._words: list[int] | None = None  # after "unknown", while they are written

    @property
    def kind(self) -> Kind:
        """Words after "unknown", else script tokens."""
        return "script" if self._words is None else "text"

    def take(self, logits: Logits) -> int | None:
        """Choose a token that the grammar allows, or a word."""
        self.steps += 1
        token = self._script(logits) if self._words is None else self._word(logits, self._words)
        return None if token is None or self.steps > self.most else token

    def _script(self, logits: Logits) -> int | None:
        tokens = self.model.vocabulary.script
        legal = np.where(tokens.mask(self.state.allowed()), logits, -np.inf)
        token = choose(legal, self.sampling, self.draws)
        self.nats += float(legal[token]) - float(np.logaddexp.reduce(legal))
        name = tokens.names[token]
        if name == CLOSE:
            return None
        self.out.append(name)
        self.state = self.state.take(name)
        if name == "unknown":
            self._words = []
        return self.model.vocabulary.first_script + token

    def _word(self, logits: Logits, spoken: list[int]) -> int:
        template = self.model.template
        legal = logits[:self.model.vocabulary.n_text].copy()
        legal[template.start] = -np.inf
        token = int(legal.argmax()) if len(spoken) < MAX_WORDS else template.stop
        if token == template.stop:
            self.out.append(("text", str(template.tokenizer.decode(spoken)).strip()))
            self._words = None
        else:
            spoken.append(token)
        return token

    def whole(self) -> list[Item]:
        """The longest beginning after which the script may end."""
        good, state = 0, self.begun
        for k, item in enumerate(self.out):
            if isinstance(item, str):
                state = state.take(item)
            if CLOSE in state.allowed():
                good = k + 1
        return self.out[:good]


class TextRow(Row):
    """An answer in words, which holds no motion.

    Attributes:
        out: ids.
    """

    kind = "text"

    def __init__(self, line: Sequence[int], model: MotionModel, sampling: Sampling, seed: tuple[int, int], most: int) -> None:
        super().__init__(line, sampling, seed)
        self.model, self.most = model, most
        self.out: list[int] = []

    def take(self, logits: Logits) -> int | None:
        """Choose a word."""
        legal = logits[:self.model.vocabulary.n_text].copy()
        legal[self.model.template.start] = -np.inf
        token = choose(legal, self.sampling, self.draws)
        if token == self.model.template.stop:
            return None
        self.out.append(token)
        return token if len(self.out) < self.most else None


class Decoder(ABC):
    """Writes rows, those of all callers together.

    Args:
        model: merged.
        most: rows at a time; others wait until one has ended.
    """

    def __init__(self, model: MotionModel, most: int) -> None:
        self.model, self.most = model, most
        self._turn = threading.Condition()
        self._led = False
        self._waiting: deque[Row] = deque()
        self._rows: list[Row] = []
        self.steps = self.tokens = 0
        """Forward passes, and tokens that were written."""

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows to their ends.

        Raises:
            Exception: what the model or a row's rules raised.
        """
        with self._turn:
            self._waiting.extend(rows)
            while not all(r.done for r in rows) and self._led:
                self._turn.wait()
            if all(r.done for r in rows):
                lead = False
            else:
                lead = self._led = True
        try:
            while lead and not all(r.done for r in rows):
                self._step()
        finally:
            if lead:
                with self._turn:
                    self._led = False
                    self._turn.notify_all()
        if fault := next((r.fault for r in rows if r.fault is not None), None):
            raise fault

    def _step(self) -> None:
        """Take in who waits, and write one token of each row."""
        try:
            with self._turn:
                room = self.most - len(self._rows) if self.joins else 0
                new = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
                self._rows += new  # first: a fault while their prompts are read is theirs too
            ended = self._written(new)
            self._rows = [r for r in self._rows if r not in ended]
        except BaseException as err:  # whoever waits must not wait for ever
            ended, self._rows = self._rows, []
            for row in ended:
                row.fault = err
            self._reset()
        if ended:
            with self._turn:
                for row in ended:
                    row.done = True
                self._turn.notify_all()

    @property
    @abstractmethod
    def joins(self) -> bool:
        """Whether rows can join those that are being written."""

    @abstractmethod
    def _written(self, new: Sequence[Row]) -> list[Row]:
        """Begin new rows, and write a token of every one; those that have ended."""

    @abstractmethod
    def _reset(self) -> None:
        """Forget what was being written."""


class TorchDecoder(Decoder):
    """The decoder on the model itself."""

    def __init__(self, model: MotionModel, most: int) -> None:
        super().__init__(model, most)
        self._hidden: Tensor | None = None
        self._cache: Cache | None = None

    @property
    def joins(self) -> bool:
        """Whether rows can join those that are being written."""
        return self._cache is None or self._cache.joins

    def _reset(self) -> None:
        self._cache = self._hidden = None

    @torch.inference_mode()
    def _written(self, new: Sequence[Row]) -> list[Row]:
        self._admit(new)
        assert self._cache is not None and self._hidden is not None
        chosen = self._chosen(self._hidden)
        still = np.array([token is not None for token in chosen])
        self._cache.keep(still)
        if still.any():
            ids = torch.tensor([t for t in chosen if t is not None], device=self._hidden.device)
            self._hidden = self._cache.step(ids[:, None])
            self.steps, self.tokens = self.steps + 1, self.tokens + int(still.sum())
        else:
            self._reset()
        return [r for r, on in zip(self._rows, still, strict=True) if not on]

    def _admit(self, new: Sequence[Row]) -> None:
        if not new:
            return
        hidden, cache = prefill(self.model, [r.line for r in new])
        if self._cache is None or self._hidden is None:
            self._hidden, self._cache = hidden, cache
        else:
            self._hidden = torch.cat([self._hidden, hidden])
            self._cache.join(cache)

    def _chosen(self, hidden: Tensor) -> list[int | None]:
        heads: dict[Kind, Callable[[Tensor], Tensor]] = {
            "script": self.model.script_logits, "motion": self.model.motion_logits, "text": self.model.text_logits}
        out: list[int | None] = [None] * len(self._rows)
        kinds = [r.kind for r in self._rows]  # before any has chosen: what it takes may change what it needs next
        for kind, head in heads.items():
            at = [k for k, needed in enumerate(kinds) if needed == kind]
            if at:
                table = head(hidden if len(at) == len(hidden) else hidden[at]).cpu().numpy()
                for k, logits in zip(at, table, strict=True):
                    out[k] = self._rows[k].take(logits)
        return out


def few_kernels() -> None:
    """Let PyTorch and oneDNN keep fewer of the kernels that they write for every size of a bf16 product.

    One takes 0.6 MB, each prompt's length and each number of rows has its own, and 1,024 are kept twice (docs/decisions.md). Both
    read these names when they are first used; what is set already is left.
    """
    for name in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
        os.environ.setdefault(name, str(_KERNELS))


def prefill(model: MotionModel, lines: Sequence[Sequence[int]]) -> tuple[Tensor, Cache]:
    """Prompts, padded on the left -> hidden state at the last position ``(B, H)`` and the cache."""
    width, device = max(map(len, lines)), model.rows.device
    ids = torch.full((len(lines), width), model.template.stop, dtype=torch.long)
    real = torch.zeros(len(lines), width, dtype=torch.bool)
    for row, line in enumerate(lines):
        ids[row, width - len(line):] = torch.tensor(line)
        real[row, width - len(line):] = True
    cache = Cache(model, real.to(device))
    return cache.step(ids.to(device)), cache


@cache
def _cache_argument(model: type) -> str:
    """How a model calls its cache: ``past_key_values`` has been deprecated since transformers 5.24."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"  # type: ignore[attr-defined]


class Cache:
    """Keys and values of left-padded sequences."""

    def __init__(self, model: MotionModel, real: Tensor) -> None:
        from transformers import DynamicCache

        self.model, self.real = model, real
        self.cache: Any = DynamicCache()
        self.padded = not bool(real.all())
        self.seen = 0

    def step(self, ids: Tensor) -> Tensor:
        """``(B, T)`` next ids -> hidden state at the last ``(B, H)``."""
        new = ids.shape[1]
        if self.seen:
            self.real = torch.cat([self.real, self.real.new_ones(len(ids), new)], 1)
        positions = (self.real.long().cumsum(1) - 1).clamp(min=0)[:, self.seen :]
        mask = None
        if self.padded or self.seen:
            span = self.real.shape[1]
            ahead = torch.ones(new, span, dtype=torch.bool, device=ids.device).triu(span - new + 1)
            hide = ahead[None] | ~self.real[:, None]
            # the lowest number instead of -inf: a padding row that sees nothing must not become NaN
            mask = torch.zeros(hide.shape, dtype=self.model.dtype, device=ids.device)
            mask = mask.masked_fill(hide, torch.finfo(self.model.dtype).min)[:, None]
        out = self.model.lm.model(inputs_embeds=self.model.embed(ids), attention_mask=mask, position_ids=positions,
                                  use_cache=True, **{_cache_argument(self.model.lm.model.__class__): self.cache})
        self.seen += new
        last: Tensor = out.last_hidden_state[:, -1]
        return last

    @property
    def joins(self) -> bool:
        """Whether other sequences can be put beside these: every layer keeps keys and values of all positions, and no more."""
        from transformers.cache_utils import DynamicLayer

        return all(type(layer) is DynamicLayer for layer in self.cache.layers)

    def join(self, other: Cache) -> None:
        """Put other sequences beside these, padded on the left to one length."""
        width = max(self.seen, other.seen)
        for one, new in zip(self.cache.layers, other.cache.layers, strict=True):
            one.keys = torch.cat([_led(one.keys, width), _led(new.keys, width)])
            one.values = torch.cat([_led(one.values, width), _led(new.values, width)])
        self.real = torch.cat([_pad(self.real, (width - self.seen, 0)), _pad(other.real, (width - other.seen, 0))])
        self.seen, self.padded = width, True

    def keep(self, still: NDArray[np.bool_]) -> None:
        """Drop the sequences that have ended, and columns that none of the others needs."""
        if not still.any() or still.all():
            return
        rows = torch.from_numpy(np.flatnonzero(still)).to(self.real.device)
        self.real = self.real[rows]
        self.cache.batch_select_indices(rows)
        spare = int(self.real.any(0).int().argmax())
        if spare >= _SLACK and self.joins:
            self.real, self.seen = self.real[:, spare:], self.seen - spare
            for layer in self.cache.layers:
                layer.keys, layer.values = layer.keys[:, :, spare:], layer.values[:, :, spare:]


def _led(values: Tensor, width: int) -> Tensor:
    """``(B, heads, T, D)`` -> ``(B, heads, width, D)``, zeros first."""
    return _pad(values, (0, 0, width - values.shape[2], 0))


def choose(logits: NDArray[np.floating], sampling: Sampling, rng: np.random.Generator) -> int:
    """One draw from ``(V,)`` logits."""
    if sampling.temperature == 0:
        return int(logits.argmax())
    scaled = logits.astype(np.float64) / sampling.temperature
    share = np.exp(scaled - scaled.max())
    share /= share.sum()
    order = np.argsort(-share, kind="stable")
    total = np.cumsum(share[order])
    count = int(np.searchsorted(total, sampling.top_p)) + 1
    kept = share[order[:count]]
    return int(order[rng.choice(len(kept), p=kept / kept.sum())])
