"""Instructions with pairs of expressions of one subject: the samples of instruction-driven transition.

Vo et al., Sec. IV-A and Table I, https://arxiv.org/abs/2601.08179: each sample is an instruction that names two different
expressions, and the parameters of both, of one subject; one of five sentences is drawn for each. 10 % of the samples are for
testing, and 10 % of the rest for validation (Sec. IV-B): 81/9/10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...data_gen.corpus.splits import SPLITS
from ...data_gen.text.transition_text import TEMPLATES, instruction
from .expressions import ExpressionSet, Skip

Split = Literal["random", "subject"]
SHARES: tuple[float, ...] = (0.81, 0.09, 0.10)


@dataclass(frozen=True, eq=False)
class Tuples:
    """T samples.

    Attributes:
        instructions: T sentences.
        first, second: (T,) int, rows of the expression set.
        split: (T,) ``train``, ``val`` or ``test``.
        template: (T,) int, which of Table I's sentences.
        possible: how many ordered pairs the set allows.
        skipped: subjects that make no pair.
    """

    instructions: list[str]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    split: NDArray[np.str_]
    template: NDArray[np.int64]
    possible: int
    skipped: tuple[Skip, ...] = ()

    def __len__(self) -> int:
        return len(self.instructions)

    def rows(self, split: str) -> NDArray[np.int64]:
        """Indices of a split's samples.

        Raises:
            ValueError: no such split.
        """
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}; allowed: {', '.join(SPLITS)}")
        return np.flatnonzero(self.split == split)


def make_tuples(data: ExpressionSet, count: int | None = None, seed: int = 0, split: Split = "random") -> Tuples:
    """Draw samples: ordered pairs of different expressions of one subject, each with one of Table I's sentences.

    Pairs are drawn without replacement and every possible pair is as likely as any other; the sentence of each is drawn
    evenly of the five. Splits are exact to a sample (``random``), or by subjects whose samples come near the shares.

    Args:
        data: the expressions.
        count: samples; None takes every pair up to the paper's number for that data (26,352 or 28,335). More than there are
            pairs is cut to all of them.
        seed: of everything drawn.
        split: ``random`` as the paper's, where a row may be in several splits, or ``subject``, where no subject is.

    Raises:
        ValueError: no pair at all, fewer than one sample asked for, an unknown split, or too few subjects to split.
    """
    if split not in ("random", "subject"):
        raise ValueError(f"split is {split!r}; allowed: random, subject")
    if count is not None and count < 1:
        raise ValueError(f"count is {count}; allowed: 1 or more")
    rng = np.random.default_rng([seed, 0x7091])
    first, second, alone = _pairs(data)
    possible = len(first)
    if not possible:
        raise ValueError(f"{data.title}: no subject shows two different expressions, so there is no pair to make; "
                         f"{len(data)} expressions of {len(data.subjects)} subjects were given")
    wanted = min(possible, count if count is not None else PAPER[data.name.removeprefix("surrogate-")])
    picked = rng.choice(possible, wanted, replace=False)
    first, second = first[picked], second[picked]
    template = rng.integers(0, len(TEMPLATES), wanted)
    names = data.labels
    texts = [instruction(names[data.label[a]], names[data.label[b]], int(k))
             for a, b, k in zip(first, second, template, strict=True)]
    parts = _random(wanted, rng) if split == "random" else _by_subject(data.subject[first], rng)
    return Tuples(texts, first, second, parts, template, possible, alone)


PAPER: dict[str, int] = {"ckplus": 26_352, "celebvhq": 28_335}
"""Samples in the paper (Sec. IV-A)."""


def _pairs(data: ExpressionSet) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[Skip, ...]]:
    """Every ordered pair of rows of one subject with different labels."""
    firsts, seconds, alone = [], [], []
    for subject in data.subjects:
        rows = np.flatnonzero(data.subject == subject)
        a, b = np.meshgrid(rows, rows, indexing="ij")
        differ = data.label[a] != data.label[b]
        if not differ.any():
            alone.append(Skip(subject, "a single expression: no pair can be made"))
        firsts.append(a[differ])
        seconds.append(b[differ])
    none = np.zeros(0, np.int64)
    return np.concatenate(firsts or [none]), np.concatenate(seconds or [none]), tuple(alone)


def _random(count: int, rng: np.random.Generator) -> NDArray[np.str_]:
    test = round(SHARES[2] * count)
    val = round(SHARES[1] * count)
    out = np.full(count, "train", "<U5")
    order = rng.permutation(count)
    out[order[:test]] = "test"
    out[order[test:test + val]] = "val"
    return out


def _by_subject(subjects: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.str_]:
    """Whole subjects to test, then to validation, until their samples reach the shares; each split gets one at least."""
    names, counts = np.unique(subjects, return_counts=True)
    if len(names) < 3:
        raise ValueError(f"a split by subject needs at least 3 subjects with pairs; there are {len(names)}: use split='random'")
    order = rng.permutation(len(names))
    part: dict[str, str] = {}
    at = 0
    for name, share in (("test", SHARES[2]), ("val", SHARES[1])):
        filled = 0
        # a subject is taken while half of it or more is still missing
        while at < len(names) - 1 and (filled == 0 or filled + counts[order[at]] / 2 <= share * len(subjects)):
            if name == "test" and at >= len(names) - 2:
                break
            part[str(names[order[at]])] = name
            filled += int(counts[order[at]])
            at += 1
    return np.array([part.get(str(s), "train") for s in subjects], "<U5")
