"""Change coding: write a code only when its stream changes, then how long nothing changes.

A motion of ``T`` tokenizer steps in ``K`` streams is written as one line of symbols: at
time 0 the codes that differ from the resting face, in stream order; then a time-step
symbol (1 to ``max_step`` steps, repeated for longer); then the codes of the streams that
change, in stream order; a time step; and so on. The time steps add up to ``T``, so a
duration is exact by counting. The idea of writing changes instead of states so that a
language model cannot win by copying is that of FAST (https://arxiv.org/abs/2501.09747).

Symbols are integers: stream ``s``'s code ``c`` is ``offset[s] + c``; the last ``max_step``
symbols are the time steps 1..``max_step``. The coding is canonical (a code that is written
differs from the one before, pauses are filled greedily with the longest step), so that
``encode`` and ``decode`` are each other's inverse in both directions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

MAX_STEP = 8
STEP_SECONDS = 0.16
"""4 frames at 25 fps, what a tokenizer has by default; nothing else may copy it: read ``ChangeLayout.step_seconds``."""


@dataclass(frozen=True)
class ChangeLayout:
    """The symbol alphabet of a tokenizer.

    Attributes:
        stream_sizes: number of codes of each stream.
        rest_codes: the code of the resting face in each stream.
        max_step: longest time-step symbol.
        step_seconds: duration of one step.
    """

    stream_sizes: tuple[int, ...]
    rest_codes: tuple[int, ...]
    max_step: int = MAX_STEP
    step_seconds: float = STEP_SECONDS

    def __post_init__(self) -> None:
        if not self.stream_sizes or min(self.stream_sizes) < 1:
            raise ValueError(f"stream_sizes is {self.stream_sizes}; each stream needs at least one code")
        if len(self.rest_codes) != len(self.stream_sizes):
            raise ValueError(f"{len(self.rest_codes)} rest codes for {len(self.stream_sizes)} streams")
        for size, rest in zip(self.stream_sizes, self.rest_codes, strict=True):
            if not 0 <= rest < size:
                raise ValueError(f"rest code {rest} is outside its stream's 0..{size - 1}")
        if self.max_step < 1:
            raise ValueError(f"max_step is {self.max_step}; at least 1 is needed")
        if not 0 < self.step_seconds <= 16:
            raise ValueError(f"step_seconds is {self.step_seconds:g}; allowed: above 0, up to 16")

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """First symbol of each stream, and the number of codes."""
        return tuple(int(x) for x in np.concatenate([[0], np.cumsum(self.stream_sizes)]))

    @property
    def n_codes(self) -> int:
        """Number of codes, which is the first time-step symbol."""
        return self.offsets[-1]

    @property
    def n_symbols(self) -> int:
        """Number of codes and time steps."""
        return self.n_codes + self.max_step

    @cached_property
    def _stream_of(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.stream_sizes)), self.stream_sizes)

    def steps(self, symbols: NDArray[np.integer]) -> int:
        """Length of a line of symbols in steps."""
        pauses = symbols[symbols >= self.n_codes] - self.n_codes + 1
        return int(pauses.sum())

    # -- coding -----------------------------------------------------------------------
    def encode(self, codes: NDArray[np.integer], before: Sequence[int] | None = None) -> NDArray[np.int32]:
        """``(T, K)`` codes -> ``(N,)`` symbols.

        Args:
            before: ``(K,)`` codes of the step before the first, from which changes are written; None is the resting face.

        Raises:
            ValueError: wrong width, no steps, or a code outside its stream.
        """
        codes = np.asarray(codes)
        if codes.ndim != 2 or codes.shape[1] != len(self.stream_sizes) or len(codes) == 0:
            raise ValueError(f"codes have shape {codes.shape}; needed: (steps >= 1, {len(self.stream_sizes)})")
        sizes = np.array(self.stream_sizes)
        if (codes < 0).any() or (codes >= sizes).any():
            raise ValueError("a code is outside its stream; re-encode with this tokenizer")
        out: list[int] = []
        current = np.array(self.rest_codes if before is None else before)
        pause = 0
        for row in codes:
            changed = np.flatnonzero(row != current)
            if len(changed) and pause:
                out.extend(self._pause(pause))
                pause = 0
            out.extend(self.offsets[s] + int(row[s]) for s in changed)
            current = row
            pause += 1
        out.extend(self._pause(pause))
        return np.array(out, np.int32)

    def _pause(self, steps: int) -> Iterable[int]:
        full, rest = divmod(steps, self.max_step)
        return [self.n_symbols - 1] * full + ([self.n_codes + rest - 1] if rest else [])

    def decode(self, symbols: Iterable[int], before: Sequence[int] | None = None) -> NDArray[np.int64]:
        """``(N,)`` symbols -> ``(T, K)`` codes; ``before`` as in :meth:`encode`.

        Raises:
            ValueError: a line that breaks the grammar, with the place and the reason.
        """
        state = self.start(before=before)
        rows: list[tuple[int, ...]] = []
        for raw in symbols:
            symbol = int(raw)
            try:
                after = state.take(symbol)
            except ValueError as error:
                raise ValueError(f"after {state.elapsed} steps: {error}") from error
            rows += [state.codes] * (after.elapsed - state.elapsed)
            state = after
        if not state.may_end:
            raise ValueError(f"the motion stops after {state.elapsed} steps without a closing time step")
        return np.array(rows, np.int64)

    # -- grammar ----------------------------------------------------------------------
    def start(self, duration: int | None = None, max_steps: int = 10_000, before: Sequence[int] | None = None) -> GrammarState:
        """The state before the first symbol.

        Args:
            duration: exact number of steps that the motion must have, or None.
            max_steps: most steps allowed when no duration is asked for.
            before: as in :meth:`encode`.
        """
        if duration is not None and duration < 1:
            raise ValueError(f"duration is {duration} steps; at least 1 is needed")
        codes = tuple(int(c) for c in (self.rest_codes if before is None else before))
        return GrammarState(self, codes, duration, max_steps if duration is None else duration)


@dataclass(frozen=True)
class GrammarState:
    """Where a motion stands; immutable. ``END`` is the index ``layout.n_symbols``."""

    layout: ChangeLayout
    codes: tuple[int, ...]
    duration: int | None
    limit: int
    elapsed: int = 0
    last_stream: int = -1
    """The last stream written since the last time step, -1 when none."""
    last_step: int = 0
    """The last symbol if it was a time step (its length), else 0; 0 at the start."""

    @property
    def may_end(self) -> bool:
        """Whether the motion may stop here."""
        return self.last_step > 0 and (self.duration is None or self.elapsed == self.duration)

    def allowed(self) -> NDArray[np.bool_]:
        """``(n_symbols + 1,)`` mask of what may come next; the last entry is the end."""
        layout = self.layout
        mask = np.zeros(layout.n_symbols + 1, bool)
        mask[-1] = self.may_end
        left = self.limit - self.elapsed
        if left <= 0:
            return mask
        # a code: of a later stream, and not the one that is showing
        first = layout.offsets[self.last_stream + 1]
        mask[first:layout.n_codes] = True
        for stream in range(self.last_stream + 1, len(self.codes)):
            mask[layout.offsets[stream] + self.codes[stream]] = False
        # a time step: not after a shorter pause (pauses are filled greedily)
        if not 0 < self.last_step < layout.max_step:
            mask[layout.n_codes:layout.n_codes + min(left, layout.max_step)] = True
            if self.duration is not None and max(layout.stream_sizes) == 1:
                # nothing can ever change, so a short pause would have to be the last
                mask[layout.n_codes:layout.n_symbols - 1] &= np.arange(1, layout.max_step) == left
        return mask

    def advance(self, symbol: int) -> GrammarState:
        """The state after ``symbol`` (which must be allowed)."""
        layout = self.layout
        if symbol >= layout.n_codes:
            step = symbol - layout.n_codes + 1
            return replace(self, elapsed=self.elapsed + step, last_stream=-1, last_step=step)
        stream = int(layout._stream_of[symbol])
        codes = list(self.codes)
        codes[stream] = symbol - layout.offsets[stream]
        return replace(self, codes=tuple(codes), last_stream=stream, last_step=0)

    def take(self, symbol: int) -> GrammarState:
        """The state after ``symbol``.

        Raises:
            ValueError: it is not allowed here.
        """
        if not 0 <= symbol < self.layout.n_symbols or not self.allowed()[symbol]:
            raise ValueError(f"symbol {symbol} breaks the motion grammar: {self.explain()}")
        return self.advance(symbol)

    def explain(self) -> str:
        """What may come next."""
        if self.limit - self.elapsed <= 0:
            return f"the motion has its {self.limit} steps and must end"
        if 0 < self.last_step < self.layout.max_step:
            return f"after the {self.last_step}-step pause only a changed code or the end may follow"
        return (f"only codes of streams after {self.last_stream} that differ from those showing, "
                f"or a time step of at most {min(self.layout.max_step, self.limit - self.elapsed)}")
