"""Test items: a script, its clip, a prompt and a description, from a corpus or fresh."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..common.files import naming
from ..data_gen.corpus.splits import split_of
from ..data_gen.performer.animator import perform
from ..data_gen.performer.sampler import sample_script
from ..data_gen.text.captions import caption, describe
from ..face.clip.sequence import FaceSequence
from ..face.facs.schedule import Schedule
from ..face.head.model import HeadModel

FRESH_SEED = 900_000_000
"""Fresh scripts draw from seeds that no corpus uses (its seed would have to be this large)."""


@dataclass(frozen=True)
class Item:
    """One test clip and its words."""

    script: Schedule
    clip: FaceSequence
    prompt: str
    description: str


def fresh_items(n: int, split: str = "test", seed: int = 0, head: HeadModel | None = None) -> list[Item]:
    """``n`` newly sampled items of a split.

    A script belongs to the split that a corpus would put it in (by its event structure), so
    that a test item's structure is in no training split; test items have held-out phrasings.
    """
    head = head or HeadModel.default()
    out: list[Item] = []
    i = 0
    while len(out) < n:
        rng = np.random.default_rng([FRESH_SEED + seed, i])
        i += 1
        script = sample_script(rng)
        if split_of(script) == split:
            out.append(Item(script, perform(script, head), caption(script, rng, split=split), describe(script, rng)))
    return out


def corpus_items(folder: str | os.PathLike[str], n: int, split: str = "test", seed: int = 0) -> list[Item]:
    """``n`` items of a corpus split, drawn without replacement; all of it when it is smaller.

    Raises:
        FileNotFoundError, ValueError: no corpus there, or an empty split.
    """
    from ..data_gen.corpus.synth import iter_corpus, load_clip

    # two passes: a large corpus' motion does not fit into memory at once
    size = sum(1 for _ in iter_corpus(folder, split, columns=("clip_id",)))
    if not size:
        raise ValueError(f"the {split} split of {folder} is empty; make a larger corpus with `facelm data synth`")
    rng = np.random.default_rng(seed)
    chosen = {int(i) for i in rng.permutation(size)[:n]}
    out = []
    for i, row in enumerate(iter_corpus(folder, split)):
        if i in chosen:
            prompts: Sequence[str] = row["captions"]
            if not prompts or not row["describe"]:
                raise ValueError(f"clip {row['clip_id']} of {folder} has no words; make the corpus again")
            prompt = prompts[int(rng.integers(len(prompts)))]
            with naming(folder):
                out.append(Item(Schedule.from_json(row["script"]), load_clip(row, folder), prompt, row["describe"][0]))
    return out
