"""What a line says for certain and its plan has wrong, put right: names of what is added, and multiples of a count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ....data_gen.reading.questions import read_things, spelled
from ....data_gen.reading.rules import read_rules
from ....data_gen.text.quantities import find_quantities, find_spans
from ....face.facs.script import Script
from ....face.facs.vocabulary import DIRECTIONS, NAMES, sideless
from ....llm.grammar.plans import Step
from ...editing.operations import same_name

_TIMES = {"double": 2.0, "twice": 2.0, "triple": 3.0, "three times": 3.0, "halve": 0.5, "half": 0.5}
_MULTIPLE = re.compile(rf"\b(?P<by>{'|'.join(_TIMES)})\b (?:up )?(?:the )?"
                       r"(?:number|amount|count|as (?:many|often)|how (?:many|often))\b")
_MEANT = re.compile(r"\b(?:i |we )?(?:meant|mean)(?: to say)?[: ]+(?P<new>(?:(?!\bnot\b)[^,.;!])+)")
_UNTIL = re.compile(r"\b(?:until+|till?|up to)(?: (?:about|around|roughly|second|the|exactly|at least))*\s*$")
_UNTIL_WHAT = re.compile(r"\b(?:until+|till?|up to)\b")
_EXCESS = re.compile(r"\b(?P<n>\d+|one|two|three|four|five) (?:\w+ )?(?:\w+ )?too many\b")
_AT = re.compile(r"(?:\b(?:at|on|around|about)|@)\s*(?:the |second )?$")
_COUNTING = frozenset(("count", "more", "fewer", "stronger", "weaker", "longer", "shorter", "faster", "slower"))


def repaired(text: str, steps: Sequence[Step], script: Script) -> tuple[Step, ...]:
    """A plan with what its line says for certain.

    Args:
        text: the line.
        steps: its plan.
        script: what is performed.
    """
    plain = spelled(text).lower()
    if corrected := _corrected(plain, script):
        return (corrected,)
    if len(steps) == 1 and (until := _until(steps[0], plain, script)):
        return (until,)
    repairs = (_ending, _numbered, _multiplied, _too_many, _timed)
    out = []
    for step in steps:
        for repair in repairs:
            step = repair(step, plain, script)
        out.append(_renamed(step, plain, script, steps))
    return tuple(out)


def _named(text: str, script: Script) -> list[str]:
    """The names of the script that some words say, each once, in the order of the script."""
    said = {n for t in read_things(text) for n in t.names}
    return list(dict.fromkeys(c.name for c in script.cues if any(same_name(c, n) for n in said)))


def _until(step: Step, plain: str, script: Script) -> Step | None:
    """"Keep looking down till she smiles": until something else begins."""
    m = _UNTIL_WHAT.search(plain)
    if m is None or step.do not in ("hold", "longer", "lasts") or step.value("t") is not None or step.words == ("until",):
        return None
    held, then = _named(plain[:m.start()], script), _named(plain[m.end():], script)
    if len(held) != 1 or len(then) != 1 or held == then or find_spans(plain[m.end():]):
        return None
    which = next((k for n, k in step.things if n == held[0]), None)
    return Step("hold", ((held[0], which), (then[0], None)), ("until",))


def _numbered(step: Step, plain: str, script: Script) -> Step:
    """Which of several is meant, where the line says it: "the second nod is followed by what"."""
    order = {n: t.which for t in read_things(plain) if t.which is not None for n in t.names}
    things = tuple((n, order[n] if k is None and n in order and sum(same_name(c, n) for c in script.cues) > 1 else k)
                   for n, k in step.things)
    return replace(step, things=things)


def _too_many(step: Step, plain: str, script: Script) -> Step:
    """"Two shakes too many": so many fewer."""
    m = _EXCESS.search(plain)
    if m is None or step.do not in ("fewer", "count") or len(step.things) != 1:
        return step
    number = find_quantities(m["n"] + " times").c
    return Step("fewer", step.things, values=(("c", number[0]),)) if number else step


def _timed(step: Step, plain: str, script: Script) -> Step:
    """"A left wink at 6 s": when something is added, where the line's one time is not in the plan."""
    cues = step.script.cues
    if not step.do.startswith("add-") or len(cues) != 1 or cues[0].start is not None:
        return step
    spans = [s for s in find_spans(plain) if s.kind in ("t", "c")]
    if len(spans) != 1 or not _AT.search(plain[:spans[0].start]) or cues[0].count == spans[0].value and spans[0].kind == "c":
        return step
    return Step("add-end", script=replace(step.script, cues=(replace(cues[0], start=spans[0].value, pause=None, join="then"),)))


def _ending(step: Step, plain: str, script: Script) -> Step:
    """"Hold it until 4 s": a time at which it ends, not for so long."""
    at = step.value("t")
    if step.do not in ("hold", "lasts") or at is None or step.words:
        return step
    ends = any(abs(s.value - at) < 0.01 and _UNTIL.search(plain[:s.start]) for s in find_spans(plain))
    return replace(step, do="hold", words=("until",)) if ends else step


def _corrected(plain: str, script: Script) -> Step | None:
    """"I said look down but I meant look up": one thing in place of another."""
    m = _MEANT.search(plain)
    if m is None:
        return None
    new = [c for r in [read_rules(find_quantities(m["new"]), 0.3)] if r for c in r.script.cues]
    old = {c.name for t in read_things(plain[:m.start("new")] + ", " + plain[m.end("new"):]) for n in t.names
           for c in script.cues if same_name(c, n)}
    if len(new) != 1 or len(old) != 1 or new[0].name in old:
        return None
    return Step("replace", ((old.pop(), None),), script=Script((replace(new[0], join="then"),)))


def _multiplied(step: Step, plain: str, script: Script) -> Step:
    """"Twice as many nods" as their number."""
    m = _MULTIPLE.search(plain)
    if m is None or step.do not in _COUNTING or len(step.things) != 1:
        return step
    own = [c for c in script.cues if same_name(c, step.names[0])]
    count = sum(c.count or (2 if c.name in ("nod", "shake") else 1) for c in own) * _TIMES[m["by"]]
    return Step("count", step.things, values=(("c", float(round(count))),)) if own and count >= 1 else step


def _renamed(step: Step, plain: str, script: Script, steps: Sequence[Step]) -> Step:
    """What is added by the one name that the line says and no step has, where the plan's own name is not in the line."""
    if len(step.script.cues) != 1:
        return step
    added, said = step.script.cues[0], {sideless(n) for t in read_things(plain) for n in t.names}
    known = {sideless(n) for s in steps for n in s.names} | {sideless(c.name) for s in steps for c in s.script.cues}
    missing = {n for n in said - known if n in NAMES and not any(same_name(c, n) for c in script.cues)}
    if sideless(added.name) in said or not said or len(missing) != 1 or added.name in DIRECTIONS:
        return step
    name = missing.pop()
    if name in DIRECTIONS and added.side == "both":
        return step
    return replace(step, script=replace(step.script, cues=(replace(added, name=name),)))
