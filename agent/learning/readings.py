"""From prompts and scripts to readings: texts with marks for their quantities, and scripts as tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from ...common.progress import Progress, silent
from ...data_gen.asked import sample
from ...data_gen.text.multiply import Pair, multiply
from ...data_gen.text.quantities import find_quantities
from ...data_gen.text.say import say
from ...data_gen.text.written import written
from ...data_gen.wording.clauses import Unsayable
from ...data_gen.wording.noise import noisy
from ...face.facs.script import Script
from ...llm.data import Reading
from ...llm.grammar.script_tokens import Quantities, write

WRITTEN, AS_WRITTEN, NOISE = 0.7, 0.35, 0.3
"""Shares: of readings from prompts written by hand, of those that stay as they were written, and of texts with noise."""


def reading(text: str, script: Script) -> Reading:
    """A text and its script as a training example.

    Raises:
        ValueError: the script says a quantity that the text does not.
    """
    marked = find_quantities(text)
    return Reading(marked.text, tuple(write(script, Quantities(marked.t, marked.p, marked.c))))


def make_readings(count: int, seed: int, progress: Progress = silent, by_hand: float = WRITTEN) -> Iterator[Reading]:
    """The readings of :func:`make_pairs`."""
    return (reading(pair.text, pair.script) for pair in make_pairs(count, seed, progress, by_hand))


def make_pairs(count: int, seed: int, progress: Progress = silent, by_hand: float = WRITTEN) -> Iterator[Pair]:
    """Random texts with their scripts, all of which make readings; the same seed gives the same ones.

    Kinds of written prompts are drawn by the square root of their number, so that small ones are not forgotten.

    Args:
        by_hand: share that comes from prompts written by hand; the rest is worded by templates.
    """
    pools = defaultdict(list)
    for w in written("train"):
        pools[w.kind].append(w)
    kinds = list(pools)
    shares = np.sqrt([len(pools[k]) for k in kinds])
    shares /= shares.sum()
    made = tried = 0
    while made < count:
        rng = np.random.default_rng([seed, tried])
        tried += 1
        if rng.random() < by_hand:
            pool = pools[str(rng.choice(kinds, p=shares))]
            one = pool[int(rng.integers(len(pool)))]
            text, script = one.text, one.script
            if rng.random() >= AS_WRITTEN:
                for other in multiply(Pair(text, script), rng, 1):
                    text, script = other.text, other.script
        else:
            script = sample(rng)
            try:
                text = say(script, rng)
            except Unsayable:  # a combination that the realiser has no words for
                continue
        if rng.random() < NOISE:
            text = noisy(text, rng, keep=script.unknown)
        try:
            reading(text, script)
        except ValueError:  # a quantity in words that the exact rules do not find
            continue
        yield Pair(text, script)
        made += 1
        if made % 1000 == 0 or made == count:
            progress(made, count)


def held_out_readings() -> list[Reading]:
    """The development prompts as readings."""
    out = []
    for w in written("dev"):
        try:
            out.append(reading(w.text, w.script))
        except ValueError:
            continue
    return out
