"""How the things that a text asks for are joined: in turn, at once, or one taking over from another."""

from __future__ import annotations

from typing import Any

from ...face.facs.vocabulary import BEHAVIOUR
from .acts import Clause


def _all_together(clauses: list[Clause], k: int) -> bool:
    """Whether a clause's sentence says that its things are done at once, before it or after it with nothing between."""
    after = k
    while after + 1 < len(clauses) and clauses[after + 1].join in (",", "and") and not clauses[after].together:
        after += 1
    before = k
    while before > 0 and clauses[before].join in (",", "and"):
        before -= 1
    return clauses[after].together or clauses[before].together


def joined(clauses: list[Clause], k: int, j: int) -> Any:
    """How an act is joined to the one before it."""
    clause = clauses[k]
    if j:
        a, b = clause.acts[j - 1 : j + 1]
        return (
            "with" if a.felt or b.felt or b.going or a.part or b.part or a.at == b.at or a.cue.name == "talking" else "then"
        )
    if k == 0:
        return "then"
    before = clauses[k - 1]
    if clause.join in ("with", "into"):
        return clause.join
    if clauses[0].join == "with" and k == 1 and clauses[0].first and clause.join in (",", "and"):
        return "with"
    if any("start" in a.fields or "pause" in a.fields for a in clause.acts):
        return "then"
    if _all_together(clauses, k) and clause.join in (",", "and"):
        return "with"
    if k == 1 and before.acts[0].fields.get("held") and clause.join in (",", "and"):
        return "with"
    a, b = before.acts[-1], clause.acts[0]
    if clause.join == "and":
        if a.felt and b.felt or a.felt and not b.felt:
            return "with"
        if a.state and b.state:
            return "with"
        return "then"
    if clause.join == "but" and a.felt and b.felt:
        return "with"
    if clause.join in (",", "but"):
        if b.part and not (a.felt and k > 1) and (not a.part or len(clauses) < 4):
            return "with"
        if b.going and not a.going:
            return "with"
        if (
            k == 1
            and a.felt
            and not b.felt
            and before.units[0].tags.get("cue")
            and sum(x.felt for c in clauses for x in c.acts) == 1
        ):
            return "with"
        if len(clauses) == 2 and (a.felt != b.felt) and not (a.fields.get("seconds") or b.fields.get("seconds")):
            return "with"
        if (
            a.state
            and b.state
            and not (a.felt or b.felt or a.cue.name in BEHAVIOUR or b.cue.name in BEHAVIOUR)
            and len(clauses) < 4
        ):
            return "with"
    return "then"
