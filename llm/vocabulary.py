"""The new rows beside the base model's words.

Ids from ``n_text`` on are new: ``<motion>``, ``</motion>``, then one for each symbol of the motion tokenizer
(``tokenizer/changes.py``), then one for each token of scripts and plans (``grammar/script_tokens.py``). The base's own rows are
never touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ..tokenizer.changes import STEP_SECONDS, ChangeLayout
from .grammar.script_tokens import ScriptTokens


@dataclass(frozen=True)
class MotionVocabulary:
    """Where the motion rows lie.

    Attributes:
        n_text: number of rows of the base vocabulary; the first new id.
        layout: the motion tokenizer's alphabet and grammar.
        script: the tokens of scripts; none in models that know no scripts.
    """

    n_text: int
    layout: ChangeLayout
    script: ScriptTokens = ScriptTokens()

    @property
    def begin(self) -> int:
        """Id of ``<motion>``."""
        return self.n_text

    @property
    def end(self) -> int:
        """Id of ``</motion>``."""
        return self.n_text + 1

    @property
    def first_symbol(self) -> int:
        """Id of the first motion symbol."""
        return self.n_text + 2

    @property
    def n_new(self) -> int:
        """Number of new rows."""
        return self.layout.n_symbols + 2 + len(self.script)

    @property
    def first_script(self) -> int:
        """Id of the first script token."""
        return self.first_symbol + self.layout.n_symbols

    def script_ids(self, names: Iterable[str]) -> list[int]:
        """Script tokens -> ids.

        Raises:
            ValueError: a token that this vocabulary lacks.
        """
        return [self.first_script + row for row in self.script.rows(list(names))]

    @property
    def size(self) -> int:
        """Number of rows with the new ones."""
        return self.n_text + self.n_new

    def span(self, symbols: Iterable[int]) -> list[int]:
        """Symbols -> ids, with ``<motion>`` and ``</motion>`` around them.

        Raises:
            ValueError: a symbol outside the alphabet.
        """
        array = np.asarray(list(symbols), np.int64)
        if array.size and (array.min() < 0 or array.max() >= self.layout.n_symbols):
            raise ValueError(f"motion symbols run from {array.min()} to {array.max()}; "
                             f"this vocabulary has 0..{self.layout.n_symbols - 1}")
        return [self.begin, *(array + self.first_symbol).tolist(), self.end]

    def symbols(self, ids: Sequence[int]) -> NDArray[np.int32]:
        """The symbols among ``ids`` (markers left out) -> ``(N,)`` int32."""
        array = np.asarray(ids, np.int64)
        return (array[(array >= self.first_symbol) & (array < self.first_script)] - self.first_symbol).astype(np.int32)

    def to_json(self) -> dict[str, object]:
        """Plain values for ``motion_lm.json``."""
        return {"n_text": self.n_text, **asdict(self.layout), **({"script": list(self.script.names)} if len(self.script) else {})}

    @classmethod
    def from_json(cls, data: dict) -> MotionVocabulary:
        """The inverse of ``to_json``; models saved before steps of other lengths were possible say nothing about theirs."""
        n_text = int(data["n_text"])
        step = float(data.get("step_seconds", STEP_SECONDS))
        layout = ChangeLayout(tuple(data["stream_sizes"]), tuple(data["rest_codes"]), int(data["max_step"]), step)
        return cls(n_text, layout, ScriptTokens(tuple(str(name) for name in data.get("script", ()))))
