"""Typed questions about what was measured, and their answers: values computed from facts, with their units.

A :class:`Query` says what is asked (:data:`Asked`) of which occurrences, and maybe when; :func:`ask` computes. Nothing here
reads words: ``data_gen/reading/questions.py`` does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from .happenings import Thing

Asked = Literal["whether", "count", "when", "until", "how_long", "how_strong", "how_fast", "side", "first", "last", "after",
                "before", "during", "list", "always", "compare", "order", "together", "which",
                "gap", "emotion", "length", "unseen"]
Part = Literal["", "start", "middle", "end"]
By = Literal["strength", "length", "count", "start", "speed", "side"]


@dataclass(frozen=True)
class Query:
    """A question.

    Attributes:
        asked: what about it.
        things: the things that it names.
        between: seconds that it is limited to.
        by: what things are compared by.
        part: or to the clip's beginning, middle or end; of emotions, to the middle one.
        why: of what cannot be seen, what it is.
        limit: whether a count, or a duration or an end in seconds, is "more" or "less" than a number, or the "same".
        degree: whether something is "strong" or "slight", of ``how_fast`` "fast" or "slow"; of ``when``, "most": when it is
            strongest; of ``until``, "ever": whether it stops; of ``how_long``, "all": all occurrences together; of ``before``
            and ``after``, "all": everything, not only what comes next; of ``whether``,
            "state": whether eyes or mouth are open, "amid": whether the first begins between the two others.
        negated: whether it is not there.
        least: of a comparison, whether less of it is meant.
        claim: whether a comparison is stated, and is true or not.
        region: head, eyes, brows or mouth, to which it is limited.
    """

    asked: Asked
    things: tuple[Thing, ...] = ()
    between: tuple[float, float] | None = None
    by: By = "strength"
    part: Part = ""
    why: str = ""
    limit: tuple[str, float] | None = None
    degree: str = ""
    negated: bool = False
    least: bool = False
    claim: bool = False
    region: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        usual = Query(self.asked)
        return {k: v for k, v in asdict(self).items() if k in ("asked", "things", "between") or v != getattr(usual, k)}


@dataclass(frozen=True)
class Answer:
    """A value, and the words for it."""

    value: Any
    """Count, seconds, share, name, list or truth; None where there is none."""
    text: str
