"""From random schedules to pieces: windows and the motion that performs them, to train the language model on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ..common.progress import Progress, silent
from ..data_gen.performer.animator import perform
from ..data_gen.performer.layout import lay_out
from ..data_gen.performer.mixture import sample_mixture
from ..data_gen.performer.sampler import SamplerConfig, sample_script
from ..data_gen.text.sampling import sample_asked
from ..face.facs.schedule import Schedule, Style
from ..face.head.model import HeadModel
from ..llm.examples import Piece
from ..llm.windows import cut
from ..tokenizer.codec import FaceTokenizer
from ..tokenizer.features import to_features

_CHUNK = 512
_SHARES = {"asked": 0.5, "mixture": 0.35, "sampled": 0.15}
"""Where schedules come from: laid out from random scripts, any events together, events that words can tell apart."""


def sample_schedule(rng: np.random.Generator, step: float) -> Schedule:
    """A random schedule to perform, in the usual style."""
    kind = str(rng.choice(list(_SHARES), p=list(_SHARES.values())))
    while True:
        if kind == "mixture":
            made = sample_mixture(rng, step)
        elif kind == "sampled":
            made = sample_script(rng, config=SamplerConfig(step=step))
        else:
            try:
                made = lay_out(sample_asked(rng), int(rng.integers(2**31)), step)
            except ValueError:  # a script that cannot be done in its length
                continue
        if made.seconds <= 40:
            return replace(made, style=Style())


def pieces_of(schedules: Sequence[Schedule], tokenizer: FaceTokenizer, head: HeadModel) -> Iterator[Piece]:
    """The windows of schedules with their motion, as the procedural animator performs it."""
    layout, step = tokenizer.layout, tokenizer.step_seconds
    codes = tokenizer.encode_features([to_features(perform(s, head)) for s in schedules])
    for schedule, whole in zip(schedules, codes, strict=True):
        windows = cut(schedule, step)
        total = windows[-1].start + windows[-1].steps
        whole = np.concatenate([whole, np.repeat(whole[-1:], max(0, total - len(whole)), axis=0)])
        for w in windows:
            before = whole[w.start - 1] if w.start else np.array(layout.rest_codes)
            symbols = layout.encode(whole[w.start:w.start + w.steps], before)
            yield Piece(tuple(w.tokens()), tuple(symbols.tolist()), tuple(before.tolist()))


def make_pieces(tokenizer: FaceTokenizer, count: int, seed: int, progress: Progress = silent) -> Iterator[Piece]:
    """The pieces of ``count`` random schedules; the same seed gives the same ones."""
    head = HeadModel.default()
    for low in range(0, count, _CHUNK):
        part = [sample_schedule(np.random.default_rng([seed, i]), tokenizer.step_seconds) for i in range(low, min(count, low + _CHUNK))]
        yield from pieces_of(part, tokenizer, head)
        progress(min(count, low + _CHUNK), count)
