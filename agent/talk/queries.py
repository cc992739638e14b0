"""Questions of plans (``llm/grammar/plans.py``) as queries of what was measured, and answers to questions about several clips."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ...common.text import often
from ...data_gen.reading.comparing import claimed
from ...data_gen.reading.questions import ALL_OF, PEAK, pace_of, thing_of
from ...data_gen.reading.spelling import spelled
from ...data_gen.reading.tags import is_tagged
from ...face.facs.evidence.answers import ask
from ...face.facs.evidence.happenings import SLACK, Thing, happenings, meant, shown_as, side_of
from ...face.facs.evidence.query import Answer, Asked, Query
from ...face.facs.vocabulary import DIRECTIONS, Side
from ...llm.grammar.plans import SLOTS, Step
from .references import ORDINALS
from .session import Clip

INSTANT = 0.1
"""Seconds on both sides of a moment that is asked about."""
_ASKED: dict[str, Asked] = {"long": "how_long", "strong": "how_strong", "fast": "how_fast", "either": "which"}


YES_OR_NO = re.compile(r"^\W*(?:(?:and|but|so|hey|ok(?:ay)?|well)[, ]+)*(?:is|are|was|were|does|do|did|has|have)\b"
                       r"|\b(?:yes or no|y/n)\b|^would (?:you|u) (?:say|call)\b"
                       r"|\b(?:do|does|did) (?:they|it|s?he|(?:the |her |his )?\w+) (?:move|change)")
"""A question in lower case that wants yes or no."""


_ALL_PARTS = re.compile(r"\b(?:expressions? and|and (?:\w+ )?expressions?|everything|all (?:that|the things))\b")
_EDGE_OF = re.compile(r"\bhow (?:does|do|did) (?:it|s?he|they|the \w+)(?: all)? "
                      r"(?:start|begin|open|(?P<last>end|finish|close|conclude))\b"
                      r"|\b(?:starts?|begins?|opens?|(?P<last2>ends?|finish(?:es)?|closes?)) (?:with|on|by) ")
_CLAIMED = re.compile(r"\b(?:is|are|was|were|does|did) (?:the |that )?(?P<nth>first|second|third|last)\b")
_SIDED = re.compile(r"\b(left|right)(?:wards?)?\b(?! (?:after|before|now|away|at|when|until))")


def _wants_yes(plain: str) -> bool:
    return bool(YES_OR_NO.search(plain)) or is_tagged(plain.strip())


def query_of(step: Step, text: str) -> Query:
    """The query of a question's step.

    Args:
        step: one whose command begins with ``ask``.
        text: the question, for whether a comparison is a claim.
    """
    kind, text = step.do.removeprefix("ask-"), spelled(text)
    asked: Asked = _ASKED.get(kind, kind)  # type: ignore[arg-type, assignment]
    side: Side = "left" if "left" in step.words else "right" if "right" in step.words else "both"
    if side == "both" and kind != "side" and (said := set(_SIDED.findall(text.lower()))) and len(said) == 1 and all(
            name in DIRECTIONS for name in step.names):
        side = said.pop()  # "how many left turns"
    ordinal = side == "both" or re.search(rf"\b(?:{'|'.join(ORDINALS)})\b", text.lower())
    meant_ones = [(name, which if ordinal else None) for name, which in step.things]
    things = tuple(t for name, which in meant_ones if (t := thing_of(name, side, which)) is not None)
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
    if asked in ("after", "before") and ALL_OF.search(text.lower()):
        return Query(asked, things[:1], between, degree="all")
    if asked == "how_fast" and things and _wants_yes(text.lower()) and (pace := pace_of(text.lower())):
        return Query("how_fast", things[:1], between, part=part, degree=pace)  # type: ignore[arg-type]
    if asked == "which" and len(things) > 1 and (edge := _EDGE_OF.search(text.lower())):
        return Query("last" if edge["last"] or edge["last2"] else "first")  # "how does it end, with a nod or a shake"
    if asked == "which" and len({t.names for t in things}) == 1:
        asked = "whether"  # "nod or no nod"
        things = things[:1]
    if asked == "list" and not things and YES_OR_NO.search(text.lower()):
        asked = "whether"  # "is there any movement of the head?"
    if asked == "compare":
        by = step.said("by") or "strength"
        claim, least = claimed(text, step.names)
        pair = things if len(things) > 1 else _two(things)
        first = _CLAIMED.search(text.lower()) if claim else None
        if first and len(pair) == 2 and pair[0].names == pair[1].names and pair[1].which == ORDINALS.get(first["nth"]):
            pair = pair[::-1]  # "is the second one quicker?"
        return Query("compare", pair[:2], between, by, least=least, claim=claim)  # type: ignore[arg-type]
    if asked == "order" and len(things) == 1:
        asked = "when"
    if asked == "when" and things and PEAK.search(text.lower()):
        return Query("when", things[:1], between, part=part, degree="most")  # type: ignore[arg-type]
    region = step.said("region") if "region?" in SLOTS[step.do] and not _ALL_PARTS.search(text.lower()) else ""
    return Query(asked, things, between, part=part, limit=limit, negated="not" in step.words, region=region)  # type: ignore[arg-type]


def _two(things: tuple[Thing, ...]) -> tuple[Thing, ...]:
    """The first and the second of one thing, which "the two nods" are."""
    return tuple(replace(t, which=k, whole=True) for t in things for k in (0, 1))


# -- several clips ---------------------------------------------------------------------------
Kind = Literal["has", "most", "least", "more", "less", "same", "each", "gap"]
Measure = Literal["strength", "count", "length", "start", "speed", "side", "presence", "first", "last", "feeling"]
_ALIKE = {"strength": 0.03, "count": 0.5, "length": 0.06, "start": 0.05, "speed": 0.1}
"""Shares, times, seconds and hertz by which two clips may differ and are alike."""


_QUERIED: dict[str, str] = {"presence": "count", "first": "start", "last": "start", "feeling": "strength"}
"""What questions about one clip have in place of a measure."""


@dataclass(frozen=True)
class Comparing:
    """A question about clips.

    Attributes:
        kind: which has it (``has``), has most or least of it; whether the first has more or less of it than the others; whether
            all are the same; its value in each; by how much two differ.
        by: what counts.
        things: what it is about; nothing is the whole clip, of which the length or the emotions count.
    """

    kind: Kind
    by: Measure = "presence"
    things: tuple[Thing, ...] = ()

    @property
    def query(self) -> Query:
        """The question in the terms of questions about one clip."""
        by = _QUERIED.get(self.by, self.by)
        return Query("compare", self.things, by=by,  # type: ignore[arg-type]
                     least=self.kind in ("least", "less"), claim=self.kind in ("more", "less", "same"))

    @property
    def label(self) -> str:
        """What it is about, in words."""
        return self.things[0].label if self.things else "clip"


def size_of(clip: Clip, by: Measure, things: Sequence[Thing]) -> float | str | None:
    """How much of something a clip has, or on which side; None where it has nothing of it.

    Seconds, shares of full scale, times, or times a second; of what does not repeat, the speed is one over its seconds.
    """
    measured = clip.measured()
    if by == "feeling":
        return " and ".join(ask(measured, Query("emotion")).value)
    if not things:
        return measured.seconds
    rows = happenings(measured)
    own = shown_as(rows, things[0])
    if by in ("first", "last"):
        edge = (min if by == "first" else max)((s.start for s in meant(rows)), default=0.0)
        return float(any(abs(s.start - edge) <= SLACK for s in own))
    if by in ("count", "presence"):
        return float(sum(s.times for s in own))
    if not own:
        return None
    if by == "side":
        sides = set(map(side_of, own))
        return " and ".join(sorted(sides))
    if by == "start":
        return own[0].start
    if by == "length":
        return max(s.end - s.start for s in own)
    if by == "speed":
        return max(s.hertz or 1.0 / max(s.end - s.start, 1e-3) for s in own)
    return max(s.strength for s in own)


def told(value: float | str | None, by: Measure) -> str:
    """What :func:`size_of` says, in words."""
    if value is None:
        return "has none"
    if isinstance(value, str):
        return value
    if by in ("first", "last"):
        return f"{'has' if value else 'has not'} it {by}"
    if by in ("count", "presence"):
        return often(round(value))
    if by == "strength":
        return f"{100 * value:.0f} %"
    if by == "speed":
        return f"{value:.1f} times a second" if value >= 1 else f"{1 / value:.1f} s"
    return f"{value:.1f} s"


def answer(asked: Comparing, clips: Sequence[Clip]) -> Answer:
    """The answer to a question about clips, computed from what each shows.

    Its value is the number or version of the clip that has it, or most of it; whether the first has more; "same"; or each one's.
    """
    sizes = [size_of(c, asked.by, asked.things) for c in clips]
    if asked.by == "strength" and asked.kind in ("most", "least", "more", "less"):
        for by in ("count", "length"):  # "more winking", where all winks are full ones
            if _alike(sizes, asked.by):
                other = [size_of(c, by, asked.things) for c in clips]  # type: ignore[arg-type]
                if not _alike(other, by):
                    asked, sizes = replace(asked, by=by), other  # type: ignore[arg-type]
    said = ", ".join(f"{c.label} {told(s, asked.by)}" for c, s in zip(clips, sizes, strict=True))
    if not any(sizes):
        none = f"There is no {asked.label} in {' or '.join(c.label for c in clips)}."
        return Answer(False if asked.kind == "same" else None, none)
    if asked.kind == "each":
        return Answer([round(s, 2) if isinstance(s, float) else s for s in sizes], f"{said[:1].upper()}{said[1:]}.")
    if asked.kind == "same":
        yes = all(sizes) if asked.by == "presence" else _alike(sizes, asked.by)
        return Answer(yes, f"{'Yes' if yes else 'No'}: {said}.")
    if asked.kind == "has":
        return _having(clips, sizes, said)
    if asked.kind == "gap":
        return _gap(clips, sizes, asked, said)
    rank = [_rank(s, asked) for s in sizes]
    order = sorted(range(len(clips)), key=lambda k: -rank[k])
    alike = len(order) > 1 and _alike([sizes[order[0]], sizes[order[1]]], asked.by)
    top = "same" if alike else _id(clips[order[0]], clips)
    if asked.kind in ("more", "less"):
        yes = not alike and order[0] == 0
        return Answer(yes, f"{'Yes' if yes else 'No'}: {said}.")
    if alike:
        return Answer(top, f"{'Both' if len(clips) == 2 else 'Several are'} alike: {said}.")
    return Answer(top, f"{_capital(clips[order[0]])}: {said}.")


def _rank(value: float | str | None, asked: Comparing) -> float:
    if not isinstance(value, float):
        return float("-inf")
    most = asked.kind in ("most", "more")
    return value if most is (asked.by != "start") else -value


def _alike(sizes: Sequence[float | str | None], by: str) -> bool:
    known = [s for s in sizes if isinstance(s, float)]
    if len(known) < len(sizes):
        return len(set(map(str, sizes))) == 1
    return max(known) - min(known) <= _ALIKE.get(by, 0.0)


def _having(clips: Sequence[Clip], sizes: Sequence[float | str | None], said: str) -> Answer:
    own = [c for c, s in zip(clips, sizes, strict=True) if s]
    if len(own) == 1:
        return Answer(_id(own[0], clips), f"{_capital(own[0])}: {said}.")
    if len(own) == len(clips):
        return Answer("same", f"{'Both' if len(clips) == 2 else 'All'}: {said}.")
    names = " and ".join(c.label for c in own)
    return Answer([_id(c, clips) for c in own], f"{names[:1].upper()}{names[1:]}: {said}.")


def _gap(clips: Sequence[Clip], sizes: Sequence[float | str | None], asked: Comparing, said: str) -> Answer:
    known = [s for s in sizes if isinstance(s, float)]
    if len(known) < 2:
        return Answer(None, f"{said[:1].upper()}{said[1:]}.")
    by = max(known) - min(known)
    return Answer(round(by, 2), f"By {told(by, asked.by).replace('none', 'nothing')}: {said}.")


def _capital(clip: Clip) -> str:
    return f"{clip.label[:1].upper()}{clip.label[1:]}"


def _id(clip: Clip, clips: Sequence[Clip]) -> int:
    return clip.version if len({c.number for c in clips}) == 1 else clip.number
