"""Constrained decoding on token ids: a motion span can only be a motion.

The rules are ``tokenizer/changes.py``'s; here they become masks over the motion rows, for a
batch, without anything of transformers or torch, so that another engine can use them too.
A grammar on text would be a trap: a model spells ``<m3>`` out of ordinary pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..tokenizer.changes import ChangeLayout, GrammarState


@dataclass
class MotionGrammar:
    """The states of a batch of motions that are being written.

    Attributes:
        layout: the alphabet.
        durations: exact number of steps of each motion, or None for a free length.
        max_steps: longest free length.
    """

    layout: ChangeLayout
    durations: Sequence[int | None]
    max_steps: int
    _states: list[GrammarState | None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._states = [self.layout.start(duration, self.max_steps) for duration in self.durations]

    def allowed(self) -> NDArray[np.bool_]:
        """``(B, n_symbols + 1)``; the last column is the end, and all that a finished motion may repeat."""
        ended = np.arange(self.layout.n_symbols + 1) == self.layout.n_symbols
        return np.array([ended if state is None else state.allowed() for state in self._states])

    def advance(self, chosen: Sequence[int]) -> None:
        """Take one choice for each motion (``n_symbols`` is the end).

        Raises:
            ValueError: a choice that is not allowed.
        """
        for index, (state, choice) in enumerate(zip(self._states, chosen, strict=True)):
            if state is not None:
                ends = choice == self.layout.n_symbols and state.may_end
                self._states[index] = None if ends else state.take(int(choice))
