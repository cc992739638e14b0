"""Which prompts repeat an earlier one, exactly or nearly.

Near duplicates are found by MinHash with banding (Broder, "On the resemblance and containment of
documents", 1997, https://doi.org/10.1109/SEQUEN.1997.666900) and confirmed with the true Jaccard
overlap of the sets of words, so the only error is a missed pair (1.4 % at an overlap of 0.9).
"""

from __future__ import annotations

import re
import zlib

import numpy as np
from numpy.typing import NDArray

ROWS, BANDS = 10, 10
"""Hashes in a band, and bands: a pair with overlap s is looked at with chance 1 - (1 - s^10)^10."""
_PRIME = (1 << 31) - 1
_FILLERS = frozenset(["a", "an", "the", "of", "in", "and", "with", "at", "is", "are", "on", "to", "it", "its", "by"])
_WORD = re.compile(r"[a-z0-9]+")


def tokens(text: str) -> frozenset[str]:
    """The words of a text without case, order, punctuation and fillers."""
    return frozenset(_WORD.findall(text.lower())) - _FILLERS


class Deduplicator:
    """Texts seen so far, about 2 kB each. ``near``: least overlap of a near duplicate; above 1 looks for exact ones only."""

    def __init__(self, near: float = 0.9) -> None:
        self.near = near
        self._texts: dict[bytes, None] = {}
        self._order: list[bytes] = []
        self._bands: dict[int, tuple[int, ...]] = {}
        rng = np.random.default_rng(20260316)
        self._factor, self._offset = (rng.integers(low, _PRIME, ROWS * BANDS) for low in (1, 0))
        self._ids: dict[str, int] = {}
        self._hashes: list[NDArray[np.uint32]] = []

    def __len__(self) -> int:
        return len(self._order)

    def _id(self, word: str) -> int:
        if word not in self._ids:
            self._ids[word] = len(self._hashes)
            # factor and value are below 2**31, so the product fits 64 bits
            value = zlib.crc32(word.encode()) % _PRIME
            self._hashes.append(((self._factor * value + self._offset) % _PRIME).astype(np.uint32))
        return self._ids[word]

    def _overlaps(self, words: set[int], other: int) -> bool:
        there = set(np.frombuffer(self._order[other], np.uint32).tolist())
        return len(words & there) >= self.near * len(words | there)

    def add(self, text: str) -> str:
        """Look at the next text: ``new`` (and from now on kept), ``exact`` or ``near``."""
        words = sorted({self._id(w) for w in tokens(text)})
        packed = np.array(words, np.uint32).tobytes()
        if packed in self._texts:
            return "exact"
        if self.near <= 1.0 and words:
            signature = np.min([self._hashes[w] for w in words], axis=0).reshape(BANDS, ROWS)
            # a hash in place of the band's bytes: if two bands collide, the overlap is looked at in vain, no more
            keys = [hash((k, row.tobytes())) for k, row in enumerate(signature)]
            have = set(words)
            if any(self._overlaps(have, other) for other in {o for key in keys for o in self._bands.get(key, ())}):
                return "near"
            for key in keys:
                self._bands[key] = (*self._bands.get(key, ()), len(self._order))
        self._texts[packed] = None
        self._order.append(packed)
        return "new"
