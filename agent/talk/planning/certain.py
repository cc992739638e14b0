"""Wishes that a line says so plainly that no plan is needed: "ditch the eye roll", "the nods I don't want", "2 winks then"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ....data_gen.reading.rules import read_rules
from ....data_gen.text.quantities import find_quantities, find_spans
from ....face.facs.script import Script
from ....llm.grammar.plans import Step
from .repairs import named_in, thing_at, times_in

_LEADS = (r"^(?:(?:ok(?:ay)?|so|and|now|then|please|pls|just|hm+|um+|nah|no|yeah|oh|also|actually|fair play|right|in this one"
          r"|can (?:you|we|u)|could (?:you|we|u)|let'?s|you can)[,.! ]+)*")
_THE = r"(?:the|that|this|her|his|their|all(?: the)?|any|those|these)"
_CUT = re.compile(
    rf"{_LEADS}(?:ditch|drop|remove|scrap|lose|delete|axe|nix|kill|bin|scratch|chuck(?: out)?|lop|strip(?: out)?|get rid of"
    rf"|take out|throw out|kick out|cut out|leave out|omit|erase|banish|we can lose|do away with) {_THE} (?P<what>[a-z' ]+?)"
    r"(?=(?: off| out| away| from)?(?: the front| the end| the start)?(?:[,.;!]|$| please| pls| completely| entirely| altogether"
    r"| it'?s| its| that'?s| and keep| but keep| too\b| as well| again))")
_UNWANTED = re.compile(rf"{_LEADS}(?:{_THE} )?(?P<what>[a-z ]+?),? (?:i |we )(?:really )?(?:don'?t|do not|no longer)"
                       r" (?:want|need|like)(?: it| that| them)?(?: any ?more| at all| in there| please)*\W*$")
_ENOUGH = re.compile(rf"\benough (?:of|with) (?:{_THE} )?(?P<what>[a-z ]+?)(?: already| now| please)*\W*$")
_SO_MANY = re.compile(r"^\W*(?:(?:ok(?:ay)?|so|and|now|no|make it|just)[, ]+)*(?P<n>\d+|one|two|three|four|five|six|seven|eight"
                      r"|nine|ten|a single) (?P<what>[a-z]+(?: [a-z]+)?)"
                      r"(?:,? (?:then|please|pls|instead|not \w+|thx|thanks))*\W*$")
_FEWER = re.compile(rf"{_LEADS}(?P<n>\d+|one|two|three|four|five) (?P<what>[a-z]+) (?:fewer|less)(?: please| pls)?\W*$")
_IN_MIDDLE = re.compile(r"\b(?:put|add|insert|stick|pop|throw|squeeze|want|have|with|give (?:me|her|him)) (?:an? |one |some )?"
                        r"(?P<what>[a-z]+(?: [a-z]+)?) (?:right )?in the (?:very )?middle\b(?! of)(?P<rest>.*)$")
_ALL = re.compile(r"\b(?:(?:make|have|do|run|play) (?:it )?all(?: of (?:it|that))?(?: together)?|all of it|everything"
                  r"|the (?:whole|entire) (?:thing|clip|performance|video|lot))\b")
_SCALES = frozenset(("stronger", "weaker", "faster", "slower"))


def certain(plain: str, steps: Sequence[Step], script: Script) -> tuple[Step, ...]:
    """The plan of a line in lower case that says it for certain; none where it does not.

    Args:
        plain: the line.
        steps: the plan that the model read in it.
        script: what is performed.
    """
    return (_fewer(plain, script) or _without(plain, steps, script) or _so_many(plain, steps, script)
            or _amid(plain, steps, script) or _of_all(plain, steps, script))


def _fewer(plain: str, script: Script) -> tuple[Step, ...]:
    """"Two nods fewer"."""
    m = _FEWER.match(plain)
    own = named_in(m["what"], script) if m else []
    number = times_in(m["n"]) if m else None
    return (Step("fewer", ((own[0], None),), values=(("c", number),)),) if len(own) == 1 and number else ()


def _without(plain: str, steps: Sequence[Step], script: Script) -> tuple[Step, ...]:
    """"Ditch the eye roll", "eyes closing I don't want", "enough with the nodding"."""
    m = _CUT.match(plain) or _UNWANTED.match(plain) or _ENOUGH.search(plain)
    own = named_in(m["what"], script) if m else []
    if m is None or len(own) != 1 or plain.rstrip().endswith("?") or len(script.cues) < 2:
        return ()
    if re.search(r"\b(?:one|two|three|\d|first|second|third|last|left|right|speed|pace|strength|intensity)\b|'s\b", m["what"]):
        return ()
    gone = {n for s in steps if s.do in ("remove", "never", "replace") for n in s.names}
    if own[0] in gone or len(steps) > 1 and m.re is _CUT:
        return ()
    return (Step("remove", ((own[0], None),)),)


def _so_many(plain: str, steps: Sequence[Step], script: Script) -> tuple[Step, ...]:
    """"2 winks then", where it was taken for a question."""
    m = _SO_MANY.match(plain)
    own = named_in(m["what"], script) if m and "?" not in plain else []
    if m is None or len(own) != 1 or not steps or not all(s.do.startswith("ask-") for s in steps):
        return ()
    number = 1.0 if m["n"] == "a single" else times_in(m["n"])
    return (Step("count", ((own[0], None),), values=(("c", number),)),) if number else ()


def _amid(plain: str, steps: Sequence[Step], script: Script) -> tuple[Step, ...]:
    """"Put a nod in the middle", of what has none yet."""
    m = _IN_MIDDLE.search(plain)
    new = read_rules(find_quantities(f"{m['what']} {m['rest']}"), 0.5) if m else None
    if m is None or new is None or len(new.script.cues) != 1 or len(script.cues) < 2 or named_in(m["what"], script):
        return ()
    cue = replace(new.script.cues[0], join="then", start=None)
    return (Step("add-after", (thing_at((len(script.cues) - 1) // 2, script),), script=Script((cue,))),)


def _of_all(plain: str, steps: Sequence[Step], script: Script) -> tuple[Step, ...]:
    """"Make all together faster": not only what was spoken of last."""
    if len(steps) != 1 or steps[0].do not in _SCALES or not steps[0].things or not _ALL.search(plain) or find_spans(plain):
        return ()
    return () if named_in(_ALL.sub(" ", plain), script) else (replace(steps[0], things=()),)
