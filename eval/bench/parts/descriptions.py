"""Motion to words: what texts about test clips say, against the clips' scripts and against reference texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ...evaluate import text_scores
from ...features.model import Matcher
from ...features.scores import match_ranks, matched_distances
from ...items import Item
from ...metrics import Counts
from ..report.figures import Column, Figure, Floats, Row, Sheet, figure_of, mean_of, rows_of
from . import texts as scores

COLUMNS = (Column("recall"), Column("precision"), Column("F1"), Column("order"), Column("all facts right"), Column("BLEU"),
           Column("ROUGE-L"), Column("CIDEr", digits=2), Column("text similarity"), Column("R-precision@1"),
           Column("R-precision@3"), Column("multimodal distance", "less"))


def sheet(items: Sequence[Item], said: Mapping[str, Sequence[str]], matcher: Matcher, command: Callable[[str], str],
          seed: int = 0) -> Sheet:
    """One row a source of texts.

    Args:
        items: test clips with their scripts and reference texts.
        said: texts of the clips, by source; that of the references themselves shows how well the parser reads.
        matcher: for similarity and retrieval.
        command: prints a row again.
        seed: of the pools.
    """
    motions = matcher.of_clips([i.clip for i in items])
    rows = [Row(name, figures(items, words, motions, matcher, seed), command(name), seed) for name, words in said.items()]
    return Sheet("descriptions", "Motion to words", COLUMNS, tuple(rows),
                 f"{len(items)} test clips. Facts are read from the texts by rules; the row of the references shows what the "
                 "rules lose. Similarity: cosine of the retrieval model's features of text and reference.")


def figures(items: Sequence[Item], words: Sequence[str], motions: Floats, matcher: Matcher, seed: int) -> dict[str, Figure]:
    """Figures of one source's texts."""
    read = [text_scores(i.script, w) for i, w in zip(items, words, strict=True)]
    counts = np.array([(c.hits, c.missed, c.invented) for c, _ in read])
    refs = [[i.description] for i in items]
    own, true = matcher.of_texts(list(words)), matcher.of_texts([i.description for i in items])
    out: dict[str, Figure | None] = {
        **{name: figure_of(counts, lambda t, what=what: getattr(Counts(*map(int, t.sum(0))), what))  # type: ignore[misc]
           for name, what in (("recall", "recall"), ("precision", "precision"), ("F1", "f1"))},
        "order": mean_of([o.right for _, o in read if o is not None and o.scored]),
        "all facts right": mean_of([not c.missed and not c.invented and (o is None or o.right) for c, o in read]),
        "BLEU": mean_of([scores.bleu(w, r) for w, r in zip(words, refs, strict=True)]),
        "ROUGE-L": mean_of([scores.rouge_l(w, r) for w, r in zip(words, refs, strict=True)]),
        "CIDEr": mean_of(scores.cider(words, refs).tolist()),
        "text similarity": mean_of((own * true).sum(1).tolist()),
        "multimodal distance": mean_of(matched_distances(own, motions).tolist())}
    try:
        ranks = match_ranks(own, motions, [i.script.to_json() for i in items], seed=seed)
    except ValueError:  # fewer texts than a pool
        return rows_of(out)
    return rows_of(out | {f"R-precision@{k}": mean_of((ranks < k).tolist()) for k in (1, 3)})
