"""Inference: words -> script, schedule -> motion, motion -> schedule, motion -> words, and questions.

``MotionLM`` merges the adapter into the base, pads a batch on the left, and decodes with a
key-value cache. In a motion span only the motion rows are scored (a few hundred products
instead of the whole vocabulary) and the grammar of ``tokenizer/changes.py`` masks what may not follow; in a
script only the script rows, bound by the grammars of ``grammar/script_tokens.py`` and ``grammar/windows.py``.
A grammar on text would be a trap: a model spells ``<m3>`` out of ordinary pieces.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache as once
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..face.facs.script import Script
from ..tokenizer.changes import GrammarState
from .examples import collate, perform_turn, plan_turn
from .grammar.plans import PlanGrammar, Step, read_plan
from .grammar.script_tokens import CLOSE, COMMANDS, OPEN, Grammar, Item, Quantities
from .grammar.script_tokens import read as read_script
from .grammar.windows import Window, WindowGrammar, read_window
from .model import MotionModel, load_model
from .prompts import DESCRIBE, Turn

T = TypeVar("T")
Symbols = NDArray[np.integer]
MAX_SCRIPT, MAX_WORDS = 400, 8
"""Most tokens of a script, and of the words after "unknown"."""
_SPARE = 16
"""A script has fewer than twice as many tokens as what it is read from, and these; of 8,000 readings none has as many and 2."""


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


@dataclass(frozen=True)
class Reading:
    """A text read as a script.

    Attributes:
        script: what it asks for.
        nats: log-probability of the script's tokens.
    """

    script: Script
    nats: float


class MotionLM:
    """A trained model, ready to read words as scripts, to perform them, and to put motion into words."""

    def __init__(self, model: MotionModel, batch_size: int = 32) -> None:
        """Take a model.

        Args:
            model: merged or not; it is merged here.
            batch_size: sequences decoded at a time.
        """
        self.model = model.merge()
        self.vocabulary, self.template = model.vocabulary, model.template
        self.tasks = model.tasks
        self.batch_size = batch_size

    @classmethod
    def from_pretrained(cls, weights_dir: str | os.PathLike[str], base: str | os.PathLike[str] | None = None,
                        device: str = "cpu", dtype: torch.dtype | None = None, exact: bool = False) -> MotionLM:
        """Load a saved adapter on its base; see ``llm.model.load_model``.

        ``exact``: one sequence at a time in 32-bit floats, whatever ``dtype`` says. In a batch sums are rounded in another
        order, and where two tokens are nearly as likely, another may be taken.
        """
        return cls(load_model(weights_dir, base, device, torch.float32 if exact else dtype), 1 if exact else 32)

    # -- scripts ----------------------------------------------------------------------
    def read(self, texts: Sequence[str], quantities: Sequence[Quantities], sampling: Sampling = Sampling(0.0),
             draws: Sequence[int] | None = None) -> list[Reading]:
        """What each text asks for.

        Args:
            texts: words whose quantities are marks (``script_tokens.mark``).
            quantities: the values of the marks of each text.
            sampling: the likeliest script by default.
            draws: a number for each text, from which its draws come; its place when None.

        Returns:
            Scripts, always valid, with their log-probabilities. Words that follow ``unknown`` are words of the text.
        """
        lines = [[*self.template.encode([Turn(text)]).ids, *self.vocabulary.script_ids([OPEN])] for text in texts]

        def work(part: list[list[int]], at: list[int]) -> list[Reading]:
            states = [Grammar(frozenset(quantities[i].marks())) for i in at]
            found = self._scripts(part, states, sampling, at if draws is None else [draws[i] for i in at])
            return [Reading(read_script([t for t in items if isinstance(t, str) or t[1].lower() in texts[i].lower()],
                                        quantities[i]), nats) for (items, nats), i in zip(found, at, strict=True)]

        return self._in_batches(lines, work)

    def plan(self, texts: Sequence[str], clips: Sequence[Sequence[str]], quantities: Sequence[Quantities],
             sampling: Sampling = Sampling(0.0)) -> list[tuple[tuple[Step, ...], float]]:
        """What each line of a conversation asks for.

        Args:
            texts: lines whose quantities are marks.
            clips: the script of the clip at hand of each, as tokens (``grammar/plans.context``).
            quantities: the values of the marks of each line.
            sampling: the likeliest plan by default; a line that is given several times is drawn as often.

        Returns:
            Plans that the grammar allows, with their log-probabilities.

        Raises:
            ValueError: the model was made before there were plans.
        """
        lines = [[*self.template.encode([plan_turn(t, c)]).ids, *self.vocabulary.script_ids([OPEN])]
                 for t, c in zip(texts, clips, strict=True)]
        self.vocabulary.script_ids(sorted(COMMANDS))

        def work(part: list[list[int]], at: list[int]) -> list[tuple[tuple[Step, ...], float]]:
            found = self._scripts(part, [PlanGrammar(frozenset(quantities[i].marks())) for i in at], sampling, at)
            return [(read_plan(items, quantities[i]), nats) for (items, nats), i in zip(found, at, strict=True)]

        return self._in_batches(lines, work)

    @torch.inference_mode()
    def likelihoods(self, texts: Sequence[str], items: Sequence[Sequence[Item]]) -> NDArray[np.float64]:
        """Log-probability (nats) of each script, as tokens (``script_tokens.write``), as the reading of its text, ``(N,)``."""
        encoded = [self.template.encode([Turn(t, answer_script=i)]) for t, i in zip(texts, items, strict=True)]
        total = np.zeros(len(encoded))
        for low in range(0, len(encoded), self.batch_size):
            part = encoded[low:low + self.batch_size]
            batch = collate(self.template, part).to(self.model.rows.device)
            hidden, width = self.model.hidden(batch.ids).flatten(0, 1), batch.ids.shape[1]
            for at, target, logits in ((batch.script_at, batch.script_target, self.model.script_logits),
                                       (batch.text_at, batch.text_target, self.model.text_logits)):
                if len(at):
                    nats = -torch.nn.functional.cross_entropy(logits(hidden[at]), target, reduction="none")
                    np.add.at(total, low + torch.div(at, width, rounding_mode="floor").cpu().numpy(), nats.double().cpu().numpy())
        return total

    def perform_windows(self, windows: Sequence[Window], before: Sequence[Sequence[int] | None],
                        seeds: Sequence[tuple[int, int]], sampling: Sampling = Sampling(0.5)) -> list[NDArray[np.int64]]:
        """The motion of one window of each of several schedules.

        Args:
            windows: what to do (``windows.cut``).
            before: ``(K,)`` codes of the step before each window; None is the resting face.
            seeds: a pair for each, from which its draws come.

        Returns:
            ``(steps, K)`` codes of each window, exactly as long as it.
        """
        layout = self.vocabulary.layout
        turns = [perform_turn(layout, w.tokens(), b) for w, b in zip(windows, before, strict=True)]
        lines = [[*self.template.encode([turn]).ids, self.vocabulary.begin] for turn in turns]

        def work(part: list[list[int]], at: list[int]) -> list[NDArray[np.int32]]:
            states = [layout.start(windows[i].steps, before=turns[i].before) for i in at]
            return self._motions(part, states, sampling, [seeds[i] for i in at])

        made = self._in_batches(lines, work)
        return [layout.decode(symbols, turn.before) for symbols, turn in zip(made, turns, strict=True)]

    def see(self, motions: Sequence[Symbols]) -> list[Window]:
        """What each motion of a few seconds does, read as a schedule window."""
        lines = [[*self.template.encode([Turn(motion=m)]).ids, *self.vocabulary.script_ids([OPEN])] for m in motions]

        def work(part: list[list[int]], at: list[int]) -> list[Window]:
            found = self._scripts(part, [WindowGrammar()] * len(at), Sampling(0.0), at)
            return [read_window([t for t in items if isinstance(t, str)]) for items, _ in found]

        return self._in_batches(lines, work)

    # -- words ------------------------------------------------------------------------
    def describe(self, motions: Sequence[Symbols], temperature: float = 0.0, seed: int = 0, max_tokens: int = 120) -> list[str]:
        """One description for each motion."""
        turns = [[Turn(DESCRIBE, motion=motion)] for motion in motions]
        return self.answer(turns, Sampling(temperature, 0.95, seed), max_tokens)

    def ask(self, motion: Symbols, question: str, temperature: float = 0.0, seed: int = 0) -> str:
        """The answer to a question on a motion."""
        return self.answer([[Turn(question.strip(), motion=motion)]], Sampling(temperature, 0.95, seed))[0]

    def answer(self, conversations: Sequence[Sequence[Turn]], sampling: Sampling = Sampling(0.0),
               max_tokens: int = 120) -> list[str]:
        """Answers in words to conversations whose last turn is open."""
        lines = [self.template.encode(turns).ids for turns in conversations]
        return self._in_batches(lines, lambda part, at: self._texts(part, sampling, at, max_tokens))

    # -- decoding ---------------------------------------------------------------------
    def _in_batches(self, lines: list[list[int]], work: Callable[[list[list[int]], list[int]], list[T]]) -> list[T]:
        """Results of ``work(lines, places)`` on groups of like length, in the order of ``lines``."""
        order = sorted(range(len(lines)), key=lambda i: len(lines[i]))
        out: dict[int, T] = {}
        for start in range(0, len(order), self.batch_size):
            at = order[start : start + self.batch_size]
            out.update(zip(at, work([lines[i] for i in at], at), strict=True))
        return [out[place] for place in range(len(lines))]

    @torch.inference_mode()
    def _prefill(self, lines: Sequence[Sequence[int]]) -> tuple[Tensor, _Cache]:
        """Left-padded ids -> hidden state at the last position ``(B, H)`` and the cache."""
        width = max(map(len, lines))
        device = self.model.rows.device
        ids = torch.full((len(lines), width), self.template.stop, dtype=torch.long)
        real = torch.zeros(len(lines), width, dtype=torch.bool)
        for row, line in enumerate(lines):
            ids[row, width - len(line) :] = torch.tensor(line)
            real[row, width - len(line) :] = True
        cache = _Cache(self.model, real.to(device))
        return cache.step(ids.to(device)), cache

    @torch.inference_mode()
    def _motions(self, lines: list[list[int]], states: list[GrammarState], sampling: Sampling,
                 seeds: Sequence[tuple[int, int]]) -> list[NDArray[np.int32]]:
        """Motions after ``lines``, each from a state of the grammar, which also ends it."""
        draws = [np.random.default_rng(pair) for pair in seeds]
        hidden, cache = self._prefill(lines)
        end, first = self.vocabulary.layout.n_symbols, self.vocabulary.first_symbol
        out: list[list[int]] = [[] for _ in lines]
        alive = np.arange(len(lines))  # rows of the cache that still write
        while len(alive):
            logits = self.model.motion_logits(hidden).cpu().numpy()
            masked = [np.where(states[place].allowed(), row, -np.inf) for place, row in zip(alive, logits, strict=True)]
            chosen = np.array([_choose(row, sampling, draws[place]) for place, row in zip(alive, masked, strict=True)])
            for place, symbol in zip(alive, chosen, strict=True):
                if symbol != end:
                    out[place].append(int(symbol))
                    states[place] = states[place].advance(int(symbol))
            still = chosen != end
            alive = cache.keep(alive, still)
            if len(alive):
                hidden = cache.step(torch.from_numpy(chosen[still] + first)[:, None].to(hidden.device))
        return [np.array(line, np.int32) for line in out]

    @torch.inference_mode()
    def _scripts(self, lines: list[list[int]], states: Sequence[Grammar | WindowGrammar | PlanGrammar], sampling: Sampling,
                 places: Sequence[int]) -> list[tuple[list[Item], float]]:
        """Script tokens after ``lines``, bound by a grammar, with their log-probability; what becomes too long is closed."""
        draws = [np.random.default_rng((sampling.seed + place, 0)) for place in places]
        tokens, first, stop = self.vocabulary.script, self.vocabulary.first_script, self.template.stop
        state = list(states)
        out: list[list[Item]] = [[] for _ in lines]
        nats = [0.0] * len(lines)
        words: list[list[int] | None] = [None] * len(lines)  # words after "unknown", while they are written
        hidden, cache = self._prefill(lines)
        alive = np.arange(len(lines))
        most = np.array([min(MAX_SCRIPT, _SPARE + 2 * len(line)) for line in lines])
        for step in range(MAX_SCRIPT):
            scripts = self.model.script_logits(hidden).cpu().numpy()
            texts = self.model.text_logits(hidden)[:, :self.vocabulary.n_text].cpu().numpy() if any(
                words[i] is not None for i in alive) else scripts
            chosen = np.zeros(len(alive), np.int64)
            for row, i in enumerate(alive):
                spoken = words[i]
                if spoken is not None:
                    logits = texts[row].copy()
                    logits[self.template.start] = -np.inf
                    token = int(logits.argmax()) if len(spoken) < MAX_WORDS else stop
                    if token == stop:
                        out[i].append(("text", str(self.template.tokenizer.decode(spoken)).strip()))
                        words[i] = None
                    else:
                        spoken.append(token)
                    chosen[row] = token
                    continue
                legal = np.where(tokens.mask(state[i].allowed()), scripts[row], -np.inf)
                token = _choose(legal, sampling, draws[i])
                nats[i] += float(legal[token]) - float(np.logaddexp.reduce(legal))
                chosen[row] = first + token
                name = tokens.names[token]
                if name == CLOSE:
                    continue
                out[i].append(name)
                state[i] = state[i].take(name)
                if name == "unknown":
                    words[i] = []
            still = (chosen != first + tokens.at[CLOSE]) & (step < most[alive])
            alive = cache.keep(alive, still)
            if not len(alive):
                break
            hidden = cache.step(torch.from_numpy(chosen[still])[:, None].to(hidden.device))
        return [(self._whole(items, states[i]), nats[i]) for i, items in enumerate(out)]

    @staticmethod
    def _whole(items: list[Item], state: Grammar | WindowGrammar | PlanGrammar) -> list[Item]:
        """The longest beginning of a script after which it may end."""
        good = 0
        for k, item in enumerate(items):
            if isinstance(item, str):
                state = state.take(item)
            if CLOSE in state.allowed():
                good = k + 1
        return items[:good]

    @torch.inference_mode()
    def _texts(self, lines: list[list[int]], sampling: Sampling, places: Sequence[int], max_tokens: int) -> list[str]:
        draws = [np.random.default_rng((sampling.seed + place, 0)) for place in places]
        hidden, cache = self._prefill(lines)
        out: list[list[int]] = [[] for _ in lines]
        alive = np.arange(len(lines))
        for _ in range(max_tokens):
            logits = self.model.text_logits(hidden)[:, :self.vocabulary.n_text]  # an answer in words holds no motion
            logits[:, self.template.start] = float("-inf")
            if sampling.temperature == 0:
                chosen = logits.argmax(-1).cpu().numpy()
            else:
                table = logits.cpu().numpy()
                chosen = np.array([_choose(table[row], sampling, draws[place]) for row, place in enumerate(alive)])
            still = chosen != self.template.stop
            for place, token in zip(alive[still], chosen[still], strict=True):
                out[place].append(int(token))
            alive = cache.keep(alive, still)
            if not len(alive):
                break
            hidden = cache.step(torch.from_numpy(chosen[still])[:, None].to(hidden.device))
        return [str(self.template.tokenizer.decode(line)).strip() for line in out]


@once
def _cache_argument(model: type) -> str:
    """How a model calls its cache: ``past_key_values`` has been deprecated since transformers 5.24."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"  # type: ignore[attr-defined]


class _Cache:
    """Keys and values of left-padded sequences."""

    def __init__(self, model: MotionModel, real: Tensor) -> None:
        from transformers import DynamicCache

        self.model, self.real = model, real
        self.cache = DynamicCache()
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

    def keep(self, alive: NDArray[np.int64], still: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Drop the sequences that have ended; those of ``alive`` that have not."""
        if still.any() and not still.all():
            rows = torch.from_numpy(np.flatnonzero(still)).to(self.real.device)
            self.real = self.real[rows]
            self.cache.batch_select_indices(rows)
        return alive[still]


def _choose(logits: NDArray[np.floating], sampling: Sampling, rng: np.random.Generator) -> int:
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
