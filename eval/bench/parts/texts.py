"""Scores of generated texts against references: BLEU and ROUGE-L from torchmetrics, CIDEr by its equations."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ....common.optional import require

_WORD = re.compile(r"[a-z0-9']+")
NEED = "BLEU and ROUGE come from torchmetrics"


def bleu(text: str, references: Sequence[str]) -> float:
    """BLEU-4 of one text, smoothed (Lin & Och 2004): means of texts can be taken, as of every score here."""
    metric = require("torchmetrics.functional.text", "eval", NEED)
    return float(metric.bleu_score([text.lower()], [[r.lower() for r in references]], smooth=True))


def rouge_l(text: str, references: Sequence[str]) -> float:
    """F1 of the longest common subsequence of words (Lin 2004), of the reference that fits best."""
    metric = require("torchmetrics.functional.text", "eval", NEED)
    return max(float(metric.rouge_score([text], [r], rouge_keys="rougeL")["rougeL_fmeasure"]) for r in references)


def cider(texts: Sequence[str], references: Sequence[Sequence[str]], sigma: float = 6.0) -> NDArray[np.float64]:
    """CIDEr-D of each text, 0 to 10 (Vedantam et al. 2015, https://arxiv.org/abs/1411.5726, eqs. 1, 2 and 5).

    n-grams of 1 to 4 words, weighted by how rare they are among the references; counts are clipped, and texts of another
    length than the reference's score less.

    Args:
        texts: ``N`` texts.
        references: those of each text; their document frequencies are the corpus'.
        sigma: of the length penalty, words.

    Raises:
        ValueError: another number of references than texts.
    """
    if len(texts) != len(references):
        raise ValueError(f"{len(texts)} texts and references of {len(references)}")
    known: Counter[tuple[str, ...]] = Counter(
        g for refs in references for g in {gram for r in refs for n in range(1, 5) for gram in _grams(r, n)})
    rarity = partial(_rarity, known=known, documents=len(references))
    out = []
    for text, refs in zip(texts, references, strict=True):
        scores = []
        for ref in refs:
            away = len(_words(text)) - len(_words(ref))
            penalty = math.exp(-away ** 2 / (2 * sigma ** 2))
            scores.append(np.mean([penalty * _cosine(_grams(text, n), _grams(ref, n), rarity) for n in range(1, 5)]))
        out.append(10.0 * float(np.mean(scores)))
    return np.array(out)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _grams(text: str, n: int) -> Counter[tuple[str, ...]]:
    words = _words(text)
    return Counter(tuple(words[i:i + n]) for i in range(len(words) - n + 1))


def _rarity(gram: tuple[str, ...], known: Counter[tuple[str, ...]], documents: int) -> float:
    return math.log(documents) - math.log(max(1, known[gram]))


def _cosine(a: Counter[tuple[str, ...]], b: Counter[tuple[str, ...]], rarity: partial[float]) -> float:
    weight = {g: rarity(g) for g in (*a, *b)}
    norms = [math.sqrt(sum((c * weight[g]) ** 2 for g, c in x.items())) for x in (a, b)]
    if 0.0 in norms:
        return 0.0
    return sum(min(c, b[g]) * b[g] * weight[g] ** 2 for g, c in a.items()) / (norms[0] * norms[1])
