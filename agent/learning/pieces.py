"""From random schedules to pieces: windows and the motion that performs them, to train the language model on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...common.progress import Progress, silent
from ...data_gen.performer.animator import perform
from ...data_gen.performer.mixture import sample_schedule
from ...face.clip.spontaneous import add_idle
from ...face.facs.schedule import Schedule
from ...face.head.model import HeadModel
from ...llm.data import Piece
from ...llm.grammar.windows import cut
from ...tokenizer.codec import FaceTokenizer
from ...tokenizer.features import to_features

_CHUNK = 512


def pieces_of(schedules: Sequence[Schedule], tokenizer: FaceTokenizer, head: HeadModel,
              spontaneous: bool = False) -> Iterator[Piece]:
    """The windows of schedules with their motion, as the procedural animator performs it.

    Args:
        spontaneous: with drift, micro-saccades and blinks that nobody asked for, by the schedule's seed.
    """
    layout, step = tokenizer.layout, tokenizer.step_seconds
    clips = [add_idle(perform(s, head), seed=s.seed) if spontaneous else perform(s, head) for s in schedules]
    codes = tokenizer.encode_features([to_features(clip) for clip in clips])
    for schedule, whole in zip(schedules, codes, strict=True):
        windows = cut(schedule, step)
        total = windows[-1].start + windows[-1].steps
        whole = np.concatenate([whole, np.repeat(whole[-1:], max(0, total - len(whole)), axis=0)])
        for w in windows:
            before = whole[w.start - 1] if w.start else layout.rest_codes
            symbols = layout.encode(whole[w.start:w.start + w.steps], before)
            yield Piece(tuple(w.tokens()), tuple(symbols.tolist()), tuple(int(c) for c in before))


def make_pieces(tokenizer: FaceTokenizer, count: int, seed: int, split: str = "train",
                progress: Progress = silent, spontaneous: bool = False) -> Iterator[Piece]:
    """The pieces of ``count`` random schedules; the same seed gives the same ones. See :func:`pieces_of`."""
    head = HeadModel.default()
    for low in range(0, count, _CHUNK):
        part = [sample_schedule(np.random.default_rng([seed, i]), tokenizer.step_seconds, split)
                for i in range(low, min(count, low + _CHUNK))]
        yield from pieces_of(part, tokenizer, head, spontaneous)
        progress(min(count, low + _CHUNK), count)
