"""The field's learned scores: of sets of features (FID, KID, diversity) and of features beside those of their texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating[Any]]
POOL = 32
"""Texts among which a motion's own is looked for, as in Guo et al. 2022."""


def frechet(a: Features, b: Features) -> float:
    """Squared Fréchet distance of two sets of features taken for Gaussians (FID).

    ``|mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))`` (Heusel et al. 2017, https://arxiv.org/abs/1706.08500).

    Args:
        a, b: ``(N, D)`` and ``(M, D)``, at least two rows each.

    Raises:
        ValueError: fewer rows.
    """
    _enough(a, b)
    return frechet_of(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))


def frechet_of(mean_a: Features, cov_a: Features, mean_b: Features, cov_b: Features) -> float:
    """The same of means ``(D,)`` and covariances ``(D, D)``."""
    cov_a, cov_b = np.atleast_2d(cov_a), np.atleast_2d(cov_b)
    own, axes = np.linalg.eigh(cov_a)
    root = (axes * np.sqrt(np.clip(own, 0.0, None))) @ axes.T  # symmetric, so that the product under the next root is as well
    values = np.linalg.eigvalsh(root @ cov_b @ root)
    shared = np.sqrt(np.clip(values, 0.0, None)).sum()
    return float(max(((mean_a - mean_b) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2.0 * shared, 0.0))


def kernel_distance(a: Features, b: Features) -> float:
    """Squared maximum mean discrepancy with the kernel ``(x . y / D + 1)^3``, unbiased (KID); may be a little below 0.

    Binkowski et al. 2018, https://arxiv.org/abs/1801.01401.

    Raises:
        ValueError: fewer than two rows.
    """
    _enough(a, b)

    def kernel(x: Features, y: Features) -> Features:
        return np.asarray((x @ y.T / x.shape[1] + 1.0) ** 3)

    def within(x: Features) -> float:
        k = kernel(x, x)
        return float((k.sum() - np.trace(k)) / (len(x) * (len(x) - 1)))

    return within(a) + within(b) - 2.0 * float(kernel(a, b).mean())


def match_ranks(texts: Features, motions: Features, same: Sequence[object] | None = None, pool: int = POOL,
                seed: int = 0) -> NDArray[np.int64]:
    """For each motion the rank of its own text, 0 is first, among ``pool`` texts: its own and others drawn at random.

    R-precision at k is the share of ranks below k.

    Args:
        texts, motions: ``(N, D)``.
        same: values that are equal where two texts mean the same; such a text is not drawn.
        pool: fewer than ``N`` + 1.

    Raises:
        ValueError: too few texts for a pool.
    """
    names = list(range(len(texts)) if same is None else same)
    rng = np.random.default_rng(seed)
    out = []
    for i, motion in enumerate(motions):
        others = np.array([j for j in range(len(texts)) if names[j] != names[i]])
        if len(others) < pool - 1:
            raise ValueError(f"R-precision needs {pool} different texts; here are {len(others) + 1}")
        drawn = rng.choice(others, pool - 1, replace=False)
        own = np.linalg.norm(motion - texts[i])
        away = np.linalg.norm(motion - texts[drawn], axis=1)
        out.append(int((away < own).sum() + ((away == own).sum() + 1) // 2))
    return np.array(out, np.int64)


def matched_distances(texts: Features, motions: Features) -> Features:
    """``(N,)`` distance of each motion from its own text; their mean is the multimodal distance."""
    return np.asarray(np.linalg.norm(texts - motions, axis=1))


def pair_distances(features: Features, seed: int = 0, pairs: int = 300) -> Features:
    """Distances of rows drawn in pairs; their mean is the diversity.

    Raises:
        ValueError: fewer than two rows.
    """
    _enough(features)
    rng = np.random.default_rng(seed)
    first = rng.integers(len(features), size=pairs)
    second = (first + rng.integers(1, len(features), size=pairs)) % len(features)
    return np.asarray(np.linalg.norm(features[first] - features[second], axis=1))


def spread(features: Features) -> Features:
    """``(T,)`` mean distance between the motions of one text, of ``(T, S, D)``; their mean is the multimodality.

    Raises:
        ValueError: fewer than two motions a text.
    """
    count = features.shape[1]
    if count < 2:
        raise ValueError("multimodality needs two or more motions of each text")
    away = np.linalg.norm(features[:, :, None] - features[:, None], axis=-1)
    return np.asarray(away.sum((1, 2)) / (count * (count - 1)))


def _enough(*sets: Features) -> None:
    if any(len(s) < 2 for s in sets):
        raise ValueError("a distribution of features needs two or more rows")
