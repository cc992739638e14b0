"""Questions about what a clip shows, answered from its measurement."""

from __future__ import annotations

import re
from dataclasses import replace

from ...data_gen.reading.questions import read_question, read_things
from ...face.facs.evidence.answers import ask
from ...face.facs.evidence.query import Answer, Query
from ...face.facs.measured import Measurement

NOT_READ = ("I can't read that question; ask whether, when, how often, how long, how strongly or on which side something "
            "happens, what comes first, after or at a time, or which emotion shows.")


def answered(measured: Measurement, question: str, before: Query | None = None) -> tuple[Query | None, Answer]:
    """A question as a query, None where it cannot be read, and the answer computed from the measurement.

    Args:
        measured: of the clip.
        question: in English.
        before: the question before, to which "and the second one?" or "and when?" refers.
    """
    if before is not None and (query := _follows(question, before)) is not None:
        return query, ask(measured, query)
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


_LEADS = re.compile(r"^(?:(?:and|ok(?:ay)?|so|but|then|hm+|oh|what about|how about|also)[, ]+)+", re.IGNORECASE)
_WHICH = re.compile(r"^(?:the )?(first|second|third|fourth|last|1st|2nd|3rd|other)(?: (?:one|time))?\W*$")
_ORDINALS = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "other": 1, "third": 2, "3rd": 2, "fourth": 3, "last": -1}
_BARE = re.compile(r"^(?:(?:and )?(?:when|until when|for how long|how long|how often|how many(?: times)?|which side|on which side"
                   r"|what side|how strong(?:ly)?|how (?:big|wide|fast|intense|much)|at what time|where)"
                   r"(?: (?:exactly|is|was|does|did|that|it|this|the|she|he|they|start|begin|stop|end|last|over|happen|for|s))*)"
                   r"\W*$", re.IGNORECASE)


def _follows(question: str, before: Query) -> Query | None:
    """The query of a question that goes on from the one before; None of one that stands for itself."""
    lead = _LEADS.match(question.strip())
    rest = question.strip()[lead.end():] if lead else question.strip()
    if (m := _WHICH.match(rest.lower())) and before.things:
        return replace(before, things=(replace(before.things[0], which=_ORDINALS[m[1]]), *before.things[1:]))
    if _BARE.match(rest) and before.things:
        asked = read_question(f"{rest.rstrip(' ?!.')} blink")
        return replace(asked, things=before.things[:1]) if asked is not None and asked.things else None
    if re.search(r"\b(?:it|they|them|that|this|those|these|s?he)\b", rest.lower()) and before.things:
        asked = read_question(question)
        if asked is None or not asked.things and asked.asked not in ("unseen", "length", "emotion", "first", "last"):
            asked = read_question(f"{rest.rstrip(' ?!.')} blink")
            if asked is not None and asked.things and all("blink" in t.names for t in asked.things):
                return replace(asked, things=before.things[:1])
    if lead and not re.match(
            r"(?:is|are|does|do|did|was|were|has|have|how|when|what|which|who|why|where|until|can|will)\b", rest.lower()):
        things = read_things(rest)
        if things and before.asked not in ("list", "emotion", "length", "first", "last"):
            return replace(before, things=things[:max(len(before.things), 1)])
    return None


_PARTS = re.compile(r"(?:,|;)? (?:and|plus|also)(?: also)? (?=(?:when|how|which|where|at what|until|for how|on which|on what|what"
                    r"|does|is|the number of|with which|in which)\b)|, (?=(?:what|which|how|when)\b)", re.IGNORECASE)
"""Where another question begins."""


def answer(measured: Measurement, question: str) -> str:
    """The answer in words; :data:`NOT_READ` where the question cannot be read."""
    return answered(measured, question)[1].text
