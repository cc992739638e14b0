"""What a clip shows, in words that a measurement makes: descriptions, and answers to questions about facts."""

from __future__ import annotations

import re
from dataclasses import replace

from ...data_gen.reading.questions import read_question
from ...data_gen.text.captions import describe
from ...data_gen.text.from_facts import explain
from ...face.facs.evidence.query import Answer, Query, ask
from ...face.facs.measured import Measurement

SHORTEST, LONGEST = 0.2, 60.0
"""Seconds of a clip whose facts are worded."""


def tell(measured: Measurement) -> str:
    """A description of what was measured."""
    return describe(explain(measured, _seconds(measured)).script)


NOT_READ = ("I can't read that question; ask whether, when, how often, how long, how strongly or on which side something "
            "happens, what comes first, after or at a time, or which emotion shows.")


def answered(measured: Measurement, question: str) -> tuple[Query | None, Answer]:
    """A question as a query, None where it cannot be read, and the answer computed from the measurement."""
    pieces = [p for p in _PARTS.split(question) if p.strip()]
    queries: list[Query | None] = []
    for piece in pieces:
        query = read_question(piece)
        if query is None and queries and queries[0] is not None and (asked := read_question(f"{piece} blink")):
            query = replace(asked, things=queries[0].things)  # "... and when?" asks about what was named before
        queries.append(query)
    if len(queries) < 2 or None in queries:
        query = read_question(question)
        return query, Answer(None, NOT_READ) if query is None else ask(measured, query)
    answers = [ask(measured, q) for q in queries if q is not None]
    return queries[0], Answer([a.value for a in answers], " ".join(a.text for a in answers))


_PARTS = re.compile(r",? and (?=(?:when|how|which|where|at what|until|for how|on which|on what)\b)", re.IGNORECASE)
"""Where another question begins."""


def answer(measured: Measurement, question: str) -> str:
    """The answer in words; :data:`NOT_READ` where the question cannot be read."""
    return answered(measured, question)[1].text


def _seconds(measured: Measurement) -> float:
    return min(max(measured.seconds, SHORTEST), LONGEST)
