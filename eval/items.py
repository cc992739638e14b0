"""Test items: a script, its clip, a prompt and a description, from a corpus or fresh."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data_gen.captions import caption, describe
from ..data_gen.performer import perform
from ..data_gen.sampler import sample_script
from ..data_gen.script import Script
from ..face.head import HeadModel
from ..face.sequence import FaceSequence

FRESH_SEED = 900_000_000
"""Fresh test scripts draw from seeds that `facelm data synth` never reaches."""


@dataclass(frozen=True)
class Item:
    """One test clip and its words."""

    script: Script
    clip: FaceSequence
    prompt: str
    description: str


def fresh_items(n: int, split: str = "test", seed: int = 0, head: HeadModel | None = None) -> list[Item]:
    """``n`` newly sampled items, in the words of ``split`` (the test split has held-out phrasings)."""
    head = head or HeadModel.default()
    out = []
    for i in range(n):
        rng = np.random.default_rng([FRESH_SEED + seed, i, 1 if split == "test" else 0])
        script = sample_script(rng)
        out.append(Item(script, perform(script, head), caption(script, rng, split=split), describe(script, rng)))
    return out


def corpus_items(folder: str | os.PathLike[str], n: int, split: str = "test", seed: int = 0) -> list[Item]:
    """``n`` items of a corpus split, drawn without replacement; all of it when it is smaller.

    Raises:
        FileNotFoundError, ValueError: no corpus there, or an empty split.
    """
    from ..data_gen.corpus import iter_corpus, load_clip

    rows = list(iter_corpus(folder, split))
    if not rows:
        raise ValueError(f"the {split} split of {folder} is empty; make a larger corpus with `facelm data synth`")
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(rows))[:n]
    out = []
    for i in chosen:
        row = rows[int(i)]
        prompts: Sequence[str] = row["captions"]
        out.append(Item(Script.from_json(row["script"]), load_clip(row), prompts[int(rng.integers(len(prompts)))], row["describe"][0]))
    return out
