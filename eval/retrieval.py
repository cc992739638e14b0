"""Nearest-neighbour references: what copying the closest training example would score."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix


class TfIdf:
    """Cosine similarity over word uni- and bigrams (or over symbols given as words).

    Salton & Buckley 1988, "Term-weighting approaches in automatic text retrieval".
    """

    def __init__(self, texts: Sequence[str]) -> None:
        docs = [Counter(_terms(t)) for t in texts]
        self._column = {w: i for i, w in enumerate(sorted({w for d in docs for w in d}))}
        frequency = np.zeros(len(self._column))
        for d in docs:
            for w in d:
                frequency[self._column[w]] += 1
        self._idf = np.log((1 + len(texts)) / (1 + frequency)) + 1
        self._matrix = self._rows(docs)

    def _rows(self, docs: Sequence[Counter[str]]) -> csr_matrix:
        data: list[float] = []
        columns: list[int] = []
        starts = [0]
        for d in docs:
            known = [(self._column[w], n) for w, n in d.items() if w in self._column]
            values = np.array([n * self._idf[c] for c, n in known])
            data.extend(values / max(1e-9, float(np.linalg.norm(values))))
            columns.extend(c for c, _ in known)
            starts.append(len(columns))
        return csr_matrix((data, columns, starts), shape=(len(docs), len(self._column)))

    def nearest(self, texts: Sequence[str]) -> list[int]:
        """For each text the index of the most similar training text."""
        scores = self._rows([Counter(_terms(t)) for t in texts]) @ self._matrix.T
        return [int(i) for i in np.asarray(scores.argmax(axis=1)).ravel()]


def _terms(text: str) -> list[str]:
    words = re.findall(r"[\w']+", text.lower())
    return words + [f"{a} {b}" for a, b in zip(words, words[1:], strict=False)]
