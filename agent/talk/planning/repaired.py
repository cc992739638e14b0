"""What a line says for certain and its plan has wrong, put right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ....data_gen.reading.questions import read_things
from ....data_gen.reading.rules import read_rules
from ....data_gen.reading.spelling import spelled
from ....data_gen.text.quantities import find_quantities, find_spans
from ....face.facs.script import Script
from ....face.facs.vocabulary import DIRECTIONS, NAMES, sideless
from ....llm.grammar.plans import SLOTS, Step
from ...editing.operations import same_name
from .certain import certain
from .repairs import OF_ONE, REPAIRS, named_in

_MEANT = re.compile(r"\b(?:i |we )?(?:meant|mean)(?: to say)?[: ]+(?P<new>(?:(?!\bnot\b)[^,.;!])+)")
_UNTIL_WHAT = re.compile(r"\b(?:until+|till?|up to)\b")
_WITHOUT = re.compile(r"\b(?:without|minus|sans)(?: any| all)?(?: of)? (?P<what>(?!touching|changing|affecting|losing)[\w' -]+)")
_JOINED = re.compile(r",? (?:and(?: also)?|as well as|along with|plus|&|n)(?: the| that| those| her| his| their)? "
                     r"(?P<other>(?:(?:head|eye|brow|eyebrow|mouth|lip|cheek|nose|chin|jaw|tongue|left|right) )?\w+)")
_FROM_UNTIL = re.compile(r"\b(?:from|since) when\b.*\b(?:to|until|till?) when\b|\b(?:starts?|begins?) and (?:ends?|stops?"
                         r"|finish(?:es)?)\b")
_AS_IS = re.compile(r"\b(?:keep|leave)\b(?P<what>[^,.;]*?)\b(?:(?:like|as|the way|how) (?:it|they) (?:is|are|was|were)"
                    r"|as (?:is|are)|unchanged|untouched|alone|the same|in peace)\b")
_THERE = re.compile(r"\b(?:there|instead|in (?:its|their|that) (?:place|spot|stead))\b")
_OUT_IN = re.compile(r"^\W*(?P<old>[\w ]{3,20}) out,? (?:and )?(?P<new>[\w ]{3,30}) in\b")
_PLACED = re.compile(r"(?:^|[,;.:!] ?|\b(?:no|and|then|put|want|have|do|the|with) )(?:the )?(?P<what>\w+(?: \w+)?),? "
                     r"(?:goes |comes |is |to go )?(?P<nth>first|1st|second|2nd|third|3rd|fourth|4th|last)(?=\W|$)"
                     r"(?! (?:one|nod|wink|shake|smile|time|of|is|was|looks?|feels?|seems?)\b)")
_WRONG_WAY = re.compile(r"\b(?:wrong (?:way|direction|side|eye)|(?:flip|mirror|reverse) (?:its|the) (?:direction|side))\b")


def repaired(text: str, steps: Sequence[Step], script: Script) -> tuple[Step, ...]:
    """A plan with what its line says for certain.

    Args:
        text: the line.
        steps: its plan.
        script: what is performed.
    """
    plain = spelled(text).lower()
    if sure := certain(plain, steps, script):
        return sure
    if corrected := _corrected(plain, script) or _exchanged(plain, script):
        return (corrected,)
    if (turned := _turned(plain, script)) and not any(s.do.startswith("ask-") or s.do == "side" for s in steps):
        return (turned,)
    if ordered := _ordered(plain, steps, script):
        return ordered
    if len(steps) == 1 and (until := _until(steps[0], plain, script)):
        return (until,)
    if len(steps) == 1 and steps[0].do in ("ask-when", "ask-until") and _FROM_UNTIL.search(plain):
        return tuple(replace(steps[0], do=do) for do in ("ask-when", "ask-until"))
    repairs = REPAIRS + OF_ONE * (len(steps) == 1)
    out = []
    for step in steps:
        for repair in repairs:
            step = repair(step, plain, script)
        out.append(_renamed(step, plain, script, steps))
    return _left_out(_instead(_unchanged(_with_others(out, plain, script), plain, script), plain), plain, script)


def _unchanged(steps: Sequence[Step], plain: str, script: Script) -> list[Step]:
    """"And keep the nods as they are": nothing is done to them."""
    kept = {n for m in _AS_IS.finditer(plain) for n in named_in(m["what"], script)}
    done = [s for s in steps if s.do not in ("hold", "only") or not set(s.names) <= kept or not kept]
    return done if done else list(steps)


def _instead(steps: Sequence[Step], plain: str) -> list[Step]:
    """"Lose that and make her happy there": one thing in place of another."""
    if [s.do for s in steps] in (["remove", "transition"], ["remove", "add-end"]) and _THERE.search(plain) and (
            len(steps[0].things) == len(steps[1].script.cues) == 1):
        return [Step("replace", steps[0].things, script=steps[1].script)]
    return list(steps)


def _exchanged(plain: str, script: Script) -> Step | None:
    """"Sadness out, happiness in"."""
    m = _OUT_IN.match(plain)
    gone = named_in(m["old"], script) if m else []
    new = read_rules(find_quantities(m["new"]), 0.5) if m else None
    if len(gone) != 1 or new is None or len(new.script.cues) != 1:
        return None
    return Step("replace", ((gone[0], None),), script=Script((replace(new.script.cues[0], join="then"),)))


def _turned(plain: str, script: Script) -> Step | None:
    """"The tilt goes the wrong way"."""
    names = named_in(plain, script) if _WRONG_WAY.search(plain) and not re.search(r"\b(?:left|right)\b", plain) else []
    return Step("side", ((names[0], None),), ("other",)) if len(names) == 1 and (
        names[0] in DIRECTIONS or any(c.side != "both" for c in script.cues if c.name == names[0])) else None


def _ordered(plain: str, steps: Sequence[Step], script: Script) -> tuple[Step, ...]:
    """"Tilt first, wink second", "no, angry first after all": things in the order that is said."""
    said = [(names[0], m["nth"]) for m in _PLACED.finditer(plain) if len(names := named_in(m["what"], script)) == 1]
    names = [n for n, _ in said]
    if not said or said[0][1] not in ("first", "1st") or len(set(names)) < len(names) or any(
            s.do.startswith("ask-") for s in steps):
        return ()
    if len(said) > 1:
        return tuple(Step("move-last", ((n, None),)) for n in names) if len(names) == len(script.cues) else ()
    moved = len(steps) == 1 and not steps[0].script.cues and not steps[0].values and steps[0].do not in ("move-first", "swap")
    return (Step("move-first", ((names[0], None),)),) if moved and set(steps[0].names) & set(names) else ()


def _left_out(steps: Sequence[Step], plain: str, script: Script) -> tuple[Step, ...]:
    """"Once more, without the shake": what is performed and should not be, whatever a plan does with it."""
    m = _WITHOUT.search(plain)
    if m is None or not steps or any(s.do.startswith("ask-") for s in steps) or plain.rstrip().endswith("?"):
        return tuple(steps)
    named = [t for t in read_things(m["what"]) if t.which is None][:1]
    gone = [c.name for c in script.cues if named and any(same_name(c, n) for n in named[0].names)]
    going = {n for s in steps if s.do in ("remove", "never", "only", "replace") for n in s.names}
    if len(set(gone)) != 1 or going or len(gone) == len(script.cues):
        return tuple(steps)
    kept = [s for s in steps if gone[0] not in s.names and s.do not in ("again", "perform")]
    return (*kept, Step("remove", ((gone[0], None),)))


def _with_others(steps: Sequence[Step], plain: str, script: Script) -> list[Step]:
    """"Drop the yawn as well as the sigh": of two things that are joined, the one that no step is about."""
    out = list(steps)
    for m in _JOINED.finditer(plain):
        done = {n for s in out for n in s.names} | {c.name for s in out for c in s.script.cues}
        first, second = named_in(" ".join(plain[:m.start()].split()[-2:]), script), named_in(m["other"], script)
        ends = re.search(r"\bbetween (?:the |her |his )?\w+(?: \w+)?$", plain[:m.start()])
        if ends or len(first) != 1 or len(second) != 1 or second[0] in done or first[0] not in done:
            continue
        k = next((k for k, s in enumerate(out) if s.names and s.names[-1] == first[0] and not s.values
                  and not s.do.startswith("ask-") and SLOTS[s.do].startswith("things")), None)
        if k is not None:
            out[k] = replace(out[k], things=(*out[k].things, (second[0], None)))
    return out


def _until(step: Step, plain: str, script: Script) -> Step | None:
    """"Keep looking down till she smiles": until something else begins."""
    m = _UNTIL_WHAT.search(plain)
    if m is None or step.do not in ("hold", "longer", "lasts") or step.value("t") is not None or step.words == ("until",):
        return None
    held, then = named_in(plain[:m.start()], script), named_in(plain[m.end():], script)
    if len(held) != 1 or len(then) != 1 or held == then or find_spans(plain[m.end():]):
        return None
    which = next((k for n, k in step.things if n == held[0]), None)
    return Step("hold", ((held[0], which), (then[0], None)), ("until",))


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
