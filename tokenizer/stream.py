"""Decoding while the symbols are still being written: frames come a few steps behind them.

The decoder sees ``CONTEXT`` steps to either side (two convolutions over steps and less than
one step of frames), so a step's frames are final once the ``CONTEXT`` steps after it are known.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..face.clip.sequence import FaceSequence
from ..face.head.model import HeadModel
from .changes import ChangeLayout
from .features import N_FEATURES, to_sequence
from .model import CONTEXT


class MotionStream:
    """Feed symbols, take frames. All frames together equal the one-shot decode.

    Args:
        layout: the alphabet.
        decode: ``(T, K)`` codes -> ``(T * frames a step, F)`` features.
        fps: frames a second.
        head: the default head when None; shape: identity ``(S,)``, the mean face when None.

    Example:
        >>> stream = tokenizer.stream()                    # doctest: +SKIP
        >>> for symbol in symbols:
        ...     if (part := stream.push(symbol)) is not None:
        ...         show(part)
        >>> show(stream.finish())
    """

    def __init__(self, layout: ChangeLayout, decode: Callable[[NDArray[np.int64]], NDArray[np.float32]], fps: float,
                 head: HeadModel | None = None, shape: NDArray[np.float32] | None = None) -> None:
        self._layout, self._decode, self._fps = layout, decode, fps
        self._head = head or HeadModel.default()
        self._shape = np.zeros(self._head.n_shape, np.float32) if shape is None else shape
        self._state = layout.start()
        self._codes: list[tuple[int, ...]] = []
        self._sent = 0
        self._finished = False

    @property
    def latency(self) -> float:
        """Seconds between the end of a step and its frames."""
        return CONTEXT * self._layout.step_seconds

    def push(self, symbol: int) -> FaceSequence | None:
        """Take one symbol; return the frames that became final, if any.

        Raises:
            ValueError: the symbol breaks the motion grammar, or the stream is finished.
        """
        if self._finished:
            raise ValueError("this stream is finished; open a new one with tokenizer.stream()")
        before, self._state = self._state, self._state.take(symbol)
        self._codes += [before.codes] * (self._state.elapsed - before.elapsed)
        return self._emit(len(self._codes) - CONTEXT)

    def push_codes(self, codes: NDArray[np.integer]) -> FaceSequence | None:
        """Take ``(steps, K)`` codes in place of symbols; return the frames that became final, if any."""
        self._codes += [tuple(int(c) for c in row) for row in codes]
        return self._emit(len(self._codes) - CONTEXT)

    def end(self) -> FaceSequence | None:
        """The remaining frames of a stream of codes; None when all are out."""
        self._finished = True
        return self._emit(len(self._codes))

    def finish(self) -> FaceSequence | None:
        """The remaining frames; None when all are out.

        Raises:
            ValueError: the motion is not closed by a time step.
        """
        if not self._state.may_end:
            raise ValueError("the motion is not closed by a time step yet")
        return self.end()

    def _emit(self, until: int) -> FaceSequence | None:
        if until <= self._sent:
            return None
        first = max(0, self._sent - CONTEXT)
        codes = np.array(self._codes[first:until + CONTEXT])
        frames = self._decode(codes)
        step = len(frames) // len(codes)
        frames = frames[(self._sent - first) * step:(until - first) * step].reshape(-1, N_FEATURES)
        self._sent = until
        return to_sequence(frames, self._head.ref, self._shape, self._fps)
