"""Nearest-neighbour references: what copying the closest training example would score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..common.optional import require


def nearest(known: Sequence[str], asked: Sequence[str]) -> list[int]:
    """For each text of ``asked`` the index of the most similar of ``known``.

    Cosine similarity over word uni- and bigrams (or over symbols given as words), weighted by term and inverse document
    frequency (Salton & Buckley 1988, "Term-weighting approaches in automatic text retrieval").
    """
    text = require("sklearn.feature_extraction.text", "eval", "the nearest training example is found by scikit-learn")
    terms = text.TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"[\w']+")
    rows = terms.fit_transform(known)
    scores = terms.transform(asked) @ rows.T
    return [int(i) for i in np.asarray(scores.argmax(axis=1)).ravel()]
