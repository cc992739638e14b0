"""Clips with words, whatever keeps them: a corpus of this project, or a published data set as distributed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...data_gen.corpus.shards import iter_corpus, load_clip, read_manifest
from ...data_gen.corpus.splits import SPLITS
from ...face.clip.sequence import FaceSequence
from . import express4d


@dataclass(frozen=True)
class Corpus:
    """What can be read of a folder.

    Attributes:
        splits: their names.
        rows: rows of a split, with ``clip_id`` and ``captions`` at least.
        clip: the motion of a row; a ValueError says why there is none.
        texts: columns of texts that every row should have.
        clips: how many there are; 0 when that is not known before.
    """

    splits: tuple[str, ...]
    rows: Callable[[str], Iterator[Mapping[str, Any]]]
    clip: Callable[[Mapping[str, Any]], FaceSequence]
    texts: tuple[str, ...]
    clips: int = 0


def open_corpus(folder: str | os.PathLike[str]) -> Corpus:
    """A corpus of `facelm data synth` or `facelm data build`, or the folder of Express4D.

    Raises:
        FileNotFoundError, ValueError: there is neither.
    """
    if express4d.is_express4d(folder):
        return Corpus(express4d.SPLITS, partial(express4d.iter_express4d, folder),
                      partial(express4d.load_express4d, folder=folder), ("captions",))
    total = int(read_manifest(folder).get("clips", 0))
    return Corpus(SPLITS, partial(iter_corpus, folder), partial(load_clip, corpus=folder), ("captions", "describe"), total)
