"""Scores of Vo et al., Sec. IV-D (https://arxiv.org/abs/2601.08179): Acc1, Acc2, G-mean, confusion matrices, repeats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gmean

from ...common.optional import require

measures = require("sklearn.metrics", "eval", "the scores of transitions need scikit-learn")

Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Spread:
    """A mean and the standard deviation of its repeats (of the population, 0 for one repeat)."""

    mean: float
    std: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of one or more numbers; NaN when there are none."""
        if not len(values):
            return cls(math.nan, math.nan, 0)
        array = np.asarray(values, np.float64)
        return cls(float(array.mean()), float(array.std()), len(array))


@dataclass(frozen=True)
class Score:
    """One evaluation of one method. Shares in [0, 1]."""

    acc1: float
    """Share of all expressions that are recognised as the one that was asked for."""
    acc2: float
    """Share of instructions of which both are."""
    g_mean: float
    """Geometric mean of the classes' recalls."""


def accuracy(true: Ints, found: Ints) -> float:
    """Share of equal labels (Acc1)."""
    return float(measures.accuracy_score(np.ravel(true), np.ravel(found)))


def pair_accuracy(true: Ints, found: Ints) -> float:
    """Acc2: share of the rows of ``(T, 2)`` labels that are right in both places.

    Raises:
        ValueError: other shapes, or none.
    """
    a, b = np.asarray(true), np.asarray(found)
    if a.shape != b.shape or a.ndim != 2 or a.shape[1] != 2 or not len(a):
        raise ValueError(f"labels of pairs have shapes {a.shape} and {b.shape}; needed: (T, 2) both, T at least 1")
    return float((a == b).all(1).mean())


def confusion(true: Ints, found: Ints, classes: int) -> NDArray[np.int64]:
    """``(C, C)`` counts: row is the label that was asked for, column the one that was found; -1 found is in no column."""
    return measures.confusion_matrix(np.ravel(true), np.ravel(found), labels=np.arange(classes))


def recalls(true: Ints, found: Ints, classes: int) -> NDArray[np.float64]:
    """``(C,)`` share of each class that is recognised; NaN for a class that was never asked for."""
    return measures.recall_score(np.ravel(true), np.ravel(found), labels=np.arange(classes), average=None, zero_division=np.nan)


def g_mean(true: Ints, found: Ints, classes: int) -> float:
    """Geometric mean of the recalls of the classes that occur in ``true`` (Kubat & Matwin 1997, for C classes).

    One class that is never recognised makes it 0, as in Table X.
    """
    return float(gmean(recalls(true, found, classes), nan_policy="omit"))


def score(true: Ints, found: Ints, classes: int) -> Score:
    """All three of ``(T, 2)`` labels."""
    return Score(accuracy(true, found), pair_accuracy(true, found), g_mean(true, found, classes))


def tsne(latents: NDArray[np.floating[Any]], seed: int = 0, limit: int = 600) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """t-SNE (van der Maaten & Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html) with perplexity 30.

    Args:
        latents: ``(N, D)``; more than ``limit`` rows are thinned by a seeded draw. The perplexity is lowered for few rows.
        seed: of the draw and the embedding.

    Returns:
        ``(n, 2)`` places and ``(n,)`` the rows they belong to.

    Raises:
        ValueError: fewer than 5 rows.
    """
    from sklearn.manifold import TSNE

    if len(latents) < 5:
        raise ValueError(f"t-SNE of {len(latents)} points; at least 5 are needed")
    rows = np.arange(len(latents))
    if len(rows) > limit:
        rows = np.sort(np.random.default_rng(seed).choice(len(rows), limit, replace=False))
    places = TSNE(2, perplexity=min(30.0, (len(rows) - 1) / 3), random_state=seed, init="pca").fit_transform(
        np.asarray(latents, np.float64)[rows])
    return places.astype(np.float32), rows.astype(np.int64)


def separation(latents: NDArray[np.floating[Any]], label: Ints) -> float:
    """Mean silhouette of the labelled latents (Rousseeuw 1987), -1 to 1: how far the classes lie apart; NaN for one class.

    A number beside the t-SNE pictures, which only show.
    """
    if not 2 <= len(np.unique(label)) < len(label):
        return math.nan
    return float(measures.silhouette_score(np.asarray(latents, np.float64), np.asarray(label)))
