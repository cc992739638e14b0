"""Which texts are the same, or nearly, in two sets of prompts, so that none is both trained and evaluated on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np
from scipy.sparse import csr_array

NEAR = 0.85
"""Share of their words that two texts must have in common, as a bag and in their order, to be nearly the same."""


def bare(text: str) -> str:
    """A text in lower case without punctuation and spaces; one of signs alone, such as emoji, without spaces."""
    return "".join(c for c in text.lower() if c.isalnum()) or "".join(text.split())


def alike(texts: Sequence[str], others: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs (place in ``texts``, place in ``others``) of the same or nearly the same wording, in order."""
    words = [re.findall(r"\w+", t.lower()) for t in (*texts, *others)]
    known = {w: k for k, w in enumerate(dict.fromkeys(w for ws in words for w in ws))}
    bags = [Counter(f"{known[w]}" for w in ws) for ws in words]
    # the n-th occurrence of a word is a word of its own, so that a product counts words in common
    columns = {c: k for k, c in enumerate(dict.fromkeys((w, n) for b in bags for w, m in b.items() for n in range(m)))}
    rows = [(i, columns[w, n]) for i, b in enumerate(bags) for w, m in b.items() for n in range(m)]
    at = np.array(rows, np.int64).reshape(-1, 2).T
    table = csr_array((np.ones(len(rows), np.float32), (at[0], at[1])), shape=(len(words), max(1, len(columns))))
    size = np.array([len(ws) for ws in words])
    one, other = table[:len(texts)], table[len(texts):]
    common = (one @ other.T).tocoo()
    found = set()
    for i, j, shared in zip(*common.coords, common.data, strict=True):
        total = int(size[i] + size[len(texts) + j])
        if 2 * shared >= NEAR * total and SequenceMatcher(None, words[i], words[len(texts) + j], False).ratio() >= NEAR:
            found.add((int(i), int(j)))
    plain: dict[str, list[int]] = {}
    for j, text in enumerate(others):
        plain.setdefault(bare(text), []).append(j)
    return sorted(found | {(i, j) for i, text in enumerate(texts) for j in plain.get(bare(text), [])})
