"""The chat format: as few tokens as a turn can have, since each one costs training time.

A turn is ``<|im_start|>`` what the user says ``<|im_end|>`` the answer ``<|im_end|>``; role
names are left out. What the user says is text, a motion, a script, or one after the other; an
answer is a motion, a script or text. Turns follow one another without a separator.

Tasks: *read* (words, their quantities as marks -> script), *perform* (the state before, unless it is rest, as a motion of one
step, and a schedule window -> motion), *see* (motion -> schedule window; both forms of script in ``grammar/script_tokens.py``),
*describe* (motion and ``DESCRIBE`` -> words), *ask* (motion and a question -> words; later
questions on the same motion are further turns, so that its tokens are shared).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .grammar.script_tokens import CLOSE, OPEN, Item, mark_pattern, slot_of
from .vocabulary import MotionVocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_MARK = mark_pattern()
DESCRIBE = "Describe."
NONE, TEXT, MOTION, SCRIPT = 0, 1, 2, 3
"""Kind of loss at a position: none, over words, over motion symbols, over script tokens."""


@dataclass(frozen=True)
class Turn:
    """One exchange.

    Attributes:
        text: what the user says; may be empty when a motion is handed over.
        motion: symbols handed over with it, or None.
        answer: the answer in words, or None.
        answer_motion: the answer as symbols, or None. An open turn (generation) has neither.
        steps: exact length of the answered motion, or None.
        script: tokens of a script or schedule window handed over, or None.
        answer_script: the answer as a script; words among them as ``("text", words)``.
        before: codes of the step before the answered motion; None is the resting face.
    """

    text: str = ""
    motion: Sequence[int] | NDArray[np.integer] | None = None
    answer: str | None = None
    answer_motion: Sequence[int] | NDArray[np.integer] | None = None
    steps: int | None = None
    script: Sequence[str] | None = None
    answer_script: Sequence[Item] | None = None
    before: Sequence[int] | None = None


@dataclass(frozen=True)
class MotionAnswer:
    """Where a motion answer lies.

    Attributes:
        first: position of its first symbol.
        steps: its exact length, or None.
        before: codes of the step before it; None is the resting face.
    """

    first: int
    steps: int | None = None
    before: Sequence[int] | None = None


@dataclass(frozen=True)
class Encoded:
    """Token ids of a conversation.

    Attributes:
        ids: the tokens.
        kinds: kind of the loss for predicting each id from those before it: ``NONE``, ``TEXT``, ``MOTION`` or ``SCRIPT``.
        answers: the motion answers.
    """

    ids: list[int]
    kinds: list[int]
    answers: tuple[MotionAnswer, ...] = ()


@dataclass(frozen=True)
class Template:
    """Writes turns as token ids.

    Attributes:
        tokenizer: the base's text tokenizer.
        vocabulary: the motion rows.
        start, stop: ids of ``<|im_start|>`` and ``<|im_end|>`` (or the base's own bos and eos).
    """

    tokenizer: PreTrainedTokenizerFast
    vocabulary: MotionVocabulary
    start: int
    stop: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerFast, vocabulary: MotionVocabulary) -> Template:
        """The template of a tokenizer.

        Raises:
            ValueError: the tokenizer has neither ``<|im_start|>``/``<|im_end|>`` nor bos/eos tokens.
        """
        known = tokenizer.get_vocab()
        start = known.get("<|im_start|>", tokenizer.bos_token_id)
        stop = known.get("<|im_end|>", tokenizer.eos_token_id)
        if start is None or stop is None:
            raise ValueError("the base's tokenizer has no <|im_start|>/<|im_end|> and no bos/eos; use a chat model as base")
        return cls(tokenizer, vocabulary, int(start), int(stop))

    def words(self, text: str) -> list[int]:
        """Ids of text: marks of quantities (``script_tokens.mark``) become their rows, everything else is plain text.

        Special tokens spelled in it stay plain text, so that a prompt cannot end its turn.
        """
        for special in self.tokenizer.all_special_tokens:
            text = text.replace(special, special.replace("<", "< "))
        ids: list[int] = []
        for part in _MARK.split(text):
            if _MARK.fullmatch(part):
                ids += self.vocabulary.script_ids([slot_of(part)])
            elif part:
                ids += self.tokenizer.encode(part, add_special_tokens=False)
        return ids

    def script(self, items: Sequence[Item]) -> list[tuple[int, int]]:
        """A script with its brackets as pairs of id and kind of loss; words end with ``stop``."""
        out = [(self.vocabulary.script_ids([OPEN])[0], TEXT)]
        for item in items:
            if isinstance(item, tuple):
                out += [(i, TEXT) for i in [*self.tokenizer.encode(" " + item[1], add_special_tokens=False), self.stop]]
            else:
                out.append((self.vocabulary.script_ids([item])[0], SCRIPT))
        return [*out, (self.vocabulary.script_ids([CLOSE])[0], SCRIPT)]

    def encode(self, turns: Sequence[Turn]) -> Encoded:
        """Turns -> ids and loss kinds. The last turn may be open: its ids then end where the answer begins."""
        ids: list[int] = []
        kinds: list[int] = []
        answers: list[MotionAnswer] = []

        def put(new: list[int], kind: int) -> None:
            ids.extend(new)
            kinds.extend([kind] * len(new))

        for turn in turns:
            put([self.start], NONE)
            if turn.motion is not None:
                put(self.vocabulary.span(turn.motion), NONE)
            if turn.script is not None:
                put(self.vocabulary.script_ids([OPEN, *turn.script, CLOSE]), NONE)
            put([*self.words(turn.text), self.stop], NONE)
            if turn.answer_motion is not None:
                # that the answer is a motion is a choice among words; then only motion symbols can follow
                put([self.vocabulary.begin], TEXT)
                answers.append(MotionAnswer(len(ids), turn.steps, turn.before))
                put(self.vocabulary.span(turn.answer_motion)[1:], MOTION)
                put([self.stop], NONE)  # nothing else can follow: no loss is spent on it
            elif turn.answer_script is not None:
                for one, kind in self.script(turn.answer_script):
                    put([one], kind)
                put([self.stop], NONE)
            elif turn.answer is not None:
                put([*self.words(turn.answer), self.stop], TEXT)
        return Encoded(ids, kinds, tuple(answers))
