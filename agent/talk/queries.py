"""Questions of plans (``llm/grammar/plans.py``) as queries of what was measured."""

from __future__ import annotations

import re
from dataclasses import replace

from ...common.text import often
from ...data_gen.reading.questions import PEAK, claimed, thing_of
from ...face.facs.evidence.happenings import Thing, happenings, occurrences
from ...face.facs.evidence.query import Asked, Query
from ...face.facs.vocabulary import Side
from ...llm.grammar.plans import SLOTS, Step
from .session import Clip

INSTANT = 0.1
"""Seconds on both sides of a moment that is asked about."""
_ASKED: dict[str, Asked] = {"long": "how_long", "strong": "how_strong", "fast": "how_fast", "either": "which"}


YES_OR_NO = re.compile(r"^\W*(?:(?:and|but|so|hey|ok(?:ay)?|well)[, ]+)*(?:is|are|was|were|does|do|did|has|have)\b"
                       r"|\b(?:yes or no|y/n)\b|\b(?:do|does|did) (?:they|it|s?he|(?:the |her |his )?\w+) (?:move|change)")
"""A question in lower case that wants yes or no."""


def query_of(step: Step, text: str) -> Query:
    """The query of a question's step.

    Args:
        step: one whose command begins with ``ask``.
        text: the question, for whether a comparison is a claim.
    """
    kind = step.do.removeprefix("ask-")
    asked: Asked = _ASKED.get(kind, kind)  # type: ignore[arg-type, assignment]
    side: Side = "left" if "left" in step.words else "right" if "right" in step.words else "both"
    things = tuple(t for name, which in step.things if (t := thing_of(name, side, which)) is not None)
    when = step.said("when") if "when?" in SLOTS[step.do] else ""
    times = [v for k, v in step.values if k == "t"]
    limit_word = step.said("limit") if "limit?" in SLOTS[step.do] else ""
    limit = None
    if limit_word and step.values:
        limit = limit_word, step.values[0][1]
        times = times[step.values[0][0] == "t":]
    between = None
    if when == "at" and times:
        between = max(times[0] - INSTANT, 0.0), times[0] + INSTANT
    elif when == "between" and len(times) > 1:
        between = min(times[:2]), max(times[:2])
    part = when if when in ("start", "end") else ""
    if asked == "whether" and "not" not in step.words and (degree := step.said("degree")):
        return Query("how_strong", things, between, part=part, degree=degree)  # type: ignore[arg-type]
    if asked in ("after", "before", "during") and not things:
        asked = "list"
    if asked == "which" and len({t.names for t in things}) == 1:
        asked = "whether"  # "nod or no nod"
        things = things[:1]
    if asked == "list" and not things and YES_OR_NO.search(text.lower()):
        asked = "whether"  # "is there any movement of the head?"
    if asked == "compare":
        by = step.said("by") or "strength"
        claim, least = claimed(text)
        pair = things if len(things) > 1 else _two(things)
        return Query("compare", pair[:2], between, by, least=least, claim=claim)  # type: ignore[arg-type]
    if asked == "order" and len(things) == 1:
        asked = "when"
    if asked == "when" and things and PEAK.search(text.lower()):
        return Query("when", things[:1], between, part=part, degree="most")  # type: ignore[arg-type]
    region = step.said("region") if "region?" in SLOTS[step.do] else ""
    return Query(asked, things, between, part=part, limit=limit, negated="not" in step.words, region=region)  # type: ignore[arg-type]


def _two(things: tuple[Thing, ...]) -> tuple[Thing, ...]:
    """The first and the second of one thing, which "the two nods" are."""
    return tuple(replace(t, which=k, whole=True) for t in things for k in (0, 1))


def size_of(clip: Clip, query: Query) -> float | None:
    """How much of something a clip has; None where it has nothing of it."""
    measured = clip.measured()
    if not query.things:
        return measured.seconds
    own = occurrences(happenings(measured), query.things[0])
    if query.by == "count":
        return float(sum(s.times for s in own))
    if not own:
        return None
    if query.by == "start":
        return -own[0].start
    return max(s.end - s.start if query.by == "length" else s.strength for s in own)


def in_unit(size: float | None, query: Query) -> str:
    """What :func:`size_of` says, in words."""
    if size is None:
        return "has none"
    if query.by == "count":
        return often(round(size))
    if query.by == "strength" and query.things:
        return f"{100 * size:.0f} %"
    return f"{abs(size):.1f} s"
