"""Inference: words -> script, schedule -> motion, motion -> schedule, motion -> words, and questions.

``MotionLM`` merges the adapter into the base; ``decode.py`` writes with a key-value cache, what several threads ask for
together. In a motion span only the motion rows are scored (a few hundred products
instead of the whole vocabulary) and the grammar of ``tokenizer/changes.py`` masks what may not follow; in a
script only the script rows, bound by the grammars of ``grammar/script_tokens.py`` and ``grammar/windows.py``.
A grammar on text would be a trap: a model spells ``<m3>`` out of ordinary pieces.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from ..face.facs.script import Script
from .backends import Backend, decoder_of
from .decode import MAX_SCRIPT, MotionRow, Row, Sampling, ScriptRow, TextRow, few_kernels
from .examples import collate, perform_turn, plan_turn
from .grammar.plans import PlanGrammar, Step, read_plan
from .grammar.script_tokens import COMMANDS, OPEN, Grammar, Item, Quantities
from .grammar.script_tokens import read as read_script
from .grammar.windows import Window, WindowGrammar, read_window
from .model import MotionModel, load_model
from .prompts import DESCRIBE, Turn

__all__ = ["MAX_SCRIPT", "MotionLM", "Reading", "Sampling"]
R = TypeVar("R", bound=Row)
LIKELIEST, _WARM = Sampling(0.0), Sampling(0.5)
Symbols = NDArray[np.integer]


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

    def __init__(self, model: MotionModel, batch_size: int = 32, backend: Backend = "torch") -> None:
        """Take a model.

        Args:
            model: merged or not; it is merged here.
            batch_size: sequences decoded at a time.
            backend: what decodes: the model itself, or vLLM with its merged weights.

        Raises:
            ImportError: vLLM is not installed.
        """
        self.model = model.merge()
        self.vocabulary, self.template = model.vocabulary, model.template
        self.tasks, self.performer = model.tasks, model.performer
        self.batch_size = batch_size
        self.decoder = decoder_of(backend, self.model, batch_size)

    @classmethod
    def from_pretrained(cls, weights_dir: str | os.PathLike[str], base: str | os.PathLike[str] | None = None,
                        device: str = "cpu", dtype: torch.dtype | None = None, exact: bool = False,
                        backend: Backend = "torch") -> MotionLM:
        """Load a saved adapter on its base; see ``llm.model.load_model``.

        ``exact``: one sequence at a time in 32-bit floats, whatever ``dtype`` says. In a batch sums are rounded in another
        order, and where two tokens are nearly as likely, another may be taken.
        """
        few_kernels()
        return cls(load_model(weights_dir, base, device, torch.float32 if exact else dtype), 1 if exact else 32, backend)

    # -- scripts ----------------------------------------------------------------------
    def read(self, texts: Sequence[str], quantities: Sequence[Quantities], sampling: Sampling = LIKELIEST,
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

        places = range(len(lines)) if draws is None else draws
        found = self._written([ScriptRow(line, self.model, Grammar(frozenset(q.marks())), sampling, (sampling.seed + place, 0))
                               for line, q, place in zip(lines, quantities, places, strict=True)])
        return [Reading(read_script([t for t in row.whole() if isinstance(t, str) or t[1].lower() in text.lower()], q), row.nats)
                for row, text, q in zip(found, texts, quantities, strict=True)]

    def plan(self, texts: Sequence[str], clips: Sequence[Sequence[str]], quantities: Sequence[Quantities],
             sampling: Sampling = LIKELIEST, names: Iterable[str] | None = None) -> list[tuple[tuple[Step, ...], float]]:
        """What each line of a conversation asks for.

        Args:
            texts: lines whose quantities are marks.
            clips: the script of the clip at hand of each, as tokens (``grammar/plans.context``).
            quantities: the values of the marks of each line.
            sampling: the likeliest plan by default; a line that is given several times is drawn as often.
            names: all that plans may be about; what they add is not bound by it.

        Returns:
            Plans that the grammar allows, with their log-probabilities.

        Raises:
            ValueError: the model was made before there were plans.
        """
        lines = [[*self.template.encode([plan_turn(t, c)]).ids, *self.vocabulary.script_ids([OPEN])]
                 for t, c in zip(texts, clips, strict=True)]
        self.vocabulary.script_ids(sorted(COMMANDS))
        about = PlanGrammar() if names is None else PlanGrammar(names=frozenset(f"@{n}" for n in names))
        found = self._written([
            ScriptRow(line, self.model, replace(about, marks=frozenset(q.marks())), sampling, (sampling.seed + k, 0))
            for k, (line, q) in enumerate(zip(lines, quantities, strict=True))])
        return [(read_plan(row.whole(), q), row.nats) for row, q in zip(found, quantities, strict=True)]

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
                        seeds: Sequence[tuple[int, int]], sampling: Sampling = _WARM) -> list[NDArray[np.int64]]:
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

        made = self._written([MotionRow(line, self.model, layout.start(w.steps, before=t.before), sampling, pair)
                              for line, w, t, pair in zip(lines, windows, turns, seeds, strict=True)])
        return [layout.decode(np.array(row.out, np.int32), turn.before) for row, turn in zip(made, turns, strict=True)]

    def see(self, motions: Sequence[Symbols]) -> list[Window]:
        """What each motion of a few seconds does, read as a schedule window."""
        lines = [[*self.template.encode([Turn(motion=m)]).ids, *self.vocabulary.script_ids([OPEN])] for m in motions]

        found = self._written([ScriptRow(line, self.model, WindowGrammar(), LIKELIEST, (0, 0)) for line in lines])
        return [read_window([t for t in row.whole() if isinstance(t, str)]) for row in found]

    # -- words ------------------------------------------------------------------------
    def describe(self, motions: Sequence[Symbols], temperature: float = 0.0, seed: int = 0, max_tokens: int = 120) -> list[str]:
        """One description for each motion."""
        turns = [[Turn(DESCRIBE, motion=motion)] for motion in motions]
        return self.answer(turns, Sampling(temperature, 0.95, seed), max_tokens)

    def ask(self, motion: Symbols, question: str, temperature: float = 0.0, seed: int = 0) -> str:
        """The answer to a question on a motion."""
        return self.answer([[Turn(question.strip(), motion=motion)]], Sampling(temperature, 0.95, seed))[0]

    def answer(self, conversations: Sequence[Sequence[Turn]], sampling: Sampling = LIKELIEST,
               max_tokens: int = 120) -> list[str]:
        """Answers in words to conversations whose last turn is open."""
        lines = [self.template.encode(turns).ids for turns in conversations]
        found = self._written([TextRow(line, self.model, sampling, (sampling.seed + k, 0), max_tokens)
                               for k, line in enumerate(lines)])
        return [str(self.template.tokenizer.decode(row.out)).strip() for row in found]

    # -- decoding ---------------------------------------------------------------------
    def _written(self, rows: list[R]) -> list[R]:
        """Rows that have been written, in groups of like length."""
        order = sorted(range(len(rows)), key=lambda i: len(rows[i].line))
        for start in range(0, len(order), self.batch_size):
            self.decoder.write([rows[i] for i in order[start : start + self.batch_size]])
        return rows
