"""Decoding while the symbols are still being written: frames come a few steps behind them.

The decoder sees ``CONTEXT`` steps to either side (two convolutions over steps and less than
one step of frames), so a step's frames are final once the ``CONTEXT`` steps after it are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ..face.clip.sequence import FaceSequence
from ..face.head.model import HeadModel
from .features import N_FEATURES, to_sequence
from .model import CONTEXT

if TYPE_CHECKING:
    from .codec import FaceTokenizer



class MotionStream:
    """Feed symbols, take frames. All frames together equal the one-shot decode.

    Example:
        >>> stream = tokenizer.stream()                    # doctest: +SKIP
        >>> for symbol in symbols:
        ...     if (part := stream.push(symbol)) is not None:
        ...         show(part)
        >>> show(stream.finish())
    """

    def __init__(self, tokenizer: FaceTokenizer, head: HeadModel | None = None,
                 shape: NDArray[np.float32] | None = None) -> None:
        self._tokenizer = tokenizer
        self._head = head or HeadModel.default()
        self._shape = np.zeros(self._head.n_shape, np.float32) if shape is None else shape
        self._state = tokenizer.layout.start()
        self._codes: list[tuple[int, ...]] = []
        self._sent = 0
        self._finished = False

    @property
    def latency(self) -> float:
        """Seconds between the end of a step and its frames."""
        return CONTEXT * self._tokenizer.step_seconds

    def push(self, symbol: int) -> FaceSequence | None:
        """Take one symbol; return the frames that became final, if any.

        Raises:
            ValueError: the symbol breaks the motion grammar, or the stream is finished.
        """
        layout = self._tokenizer.layout
        if self._finished:
            raise ValueError("this stream is finished; open a new one with tokenizer.stream()")
        if not 0 <= symbol < layout.n_symbols or not self._state.allowed()[symbol]:
            raise ValueError(f"symbol {symbol} breaks the motion grammar: {self._state.explain()}")
        if symbol >= layout.n_codes:
            self._codes.extend([self._state.codes] * (symbol - layout.n_codes + 1))
        self._state = self._state.advance(symbol)
        return self._emit(len(self._codes) - CONTEXT)

    def finish(self) -> FaceSequence | None:
        """The remaining frames; None when all are out.

        Raises:
            ValueError: the motion is not closed by a time step.
        """
        if not self._state.may_end:
            raise ValueError("the motion is not closed by a time step yet")
        self._finished = True
        return self._emit(len(self._codes))

    def _emit(self, until: int) -> FaceSequence | None:
        if until <= self._sent:
            return None
        first = max(0, self._sent - CONTEXT)
        codes = np.array(self._codes[first:until + CONTEXT])
        full = np.stack([self._tokenizer.kept[s][codes[:, s]] for s in range(codes.shape[1])], axis=1)
        step = self._tokenizer.config.frames_per_step
        frames = self._tokenizer.model.decode(torch.from_numpy(full)[None])[0].numpy()
        frames = frames[(self._sent - first) * step:(until - first) * step].reshape(-1, N_FEATURES)
        self._sent = until
        return to_sequence(frames, self._head.ref, self._shape, self._tokenizer.config.fps)
