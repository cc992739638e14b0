"""What of a line its edits leave out or turn round: names, numbers, sides and directions are there to see."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ...data_gen.reading.questions import read_things, spelled
from ...data_gen.text.quantities import find_quantities, find_spans
from ...face.facs.script import Script
from ...face.facs.vocabulary import sideless
from ...llm.grammar.plans import SLOTS, Step
from ..editing.operations import ALIKE, Edit

_KEPT = re.compile(r"\b(?:don'?t|do not|leave|keep|without touching|but not|not)\b[^,.;]*"
                   r"|\b\w+ (?:should )?(?:stays?|remains?)\b")
"""What should stay as it is."""
_WAYS: tuple[tuple[str, str, Callable[[Edit], float]], ...] = (
    (r"\b(?:fast\w*|quick\w*|brisk\w*|snapp\w+|speed (?:it |\w+ )?up)\b", r"\bslow\w*\b",
     lambda e: (e.op == "speed") * (e.factor - 1)),
    (r"\b(?:longer|stretch\w*|linger\w*|draw\w* out)\b", r"\b(?:shorter|briefer|cut (?:it )?short)\b",
     lambda e: (e.op == "duration") * (e.factor - 1)),
    (r"\b(?:later|delay\w*)\b", r"\b(?:earlier|sooner)\b", lambda e: (e.op == "shift") * (e.value or 0.0)),
    (r"\b(?:stronger|bigger|harder|intenser|more intense|\w+ier)\b",
     r"\b(?:weak\w*|soft\w*|small\w*|mild\w*|faint\w*|halve|reduce|less|subtle\w*|gentl\w*|tone (?:it )?down|calm\w*|ease off)\b",
     lambda e: (e.op == "strength" and e.value is None) * (e.factor - 1)))
"""Words of more, words of less, and which of the two an edit does."""
_BY = re.compile(r"\b(?:by|another|extra|additional|further)\s*$")
_MORE = re.compile(r".*\bmore\b|(?:more|longer|shorter|earlier|later|sooner|extra|less|off)\b")
_TO = re.compile(r"\b(?:at|to|exactly|until|for|lasts?|be|from)\s*(?:exactly |just |only )?$")
_LASTS = re.compile(r"(?:long|mark|in total|altogether|overall|only|exactly|sharp)\b")
_BIT = re.compile(r"\b(?:a (?:wee |tiny |little )?(?:bit|touch|tad|smidge)|slightly)\b(?! of)")
_ABSOLUTE, _RELATIVE = frozenset(("lasts", "starts", "length")), frozenset(
    ("longer", "shorter", "earlier", "later", "length-longer", "length-shorter"))


def doubts(text: str, edits: Sequence[Edit]) -> int:
    """How many of a line's names, numbers, sides and directions do not show in its edits.

    Args:
        text: the line.
        edits: what was read in it.
    """
    plain = spelled(text).lower()
    return _unnamed(_KEPT.sub(" ", plain), edits) + _uncounted(plain, edits) + _turned(plain, edits)


def not_there(text: str, edits: Sequence[Edit], script: Script) -> str:
    """What a line names that is neither in its edits nor in the script that they change; empty where there is no such thing."""
    done = {sideless(n) for e in edits for n in (*e.names, *e.anchor, *(c.name for c in e.script.cues))}
    there = {sideless(c.name) for c in script.cues}
    there |= {n for alike in ALIKE if alike & there for n in alike}
    return next((t.names[0] for t in read_things(_KEPT.sub(" ", spelled(text).lower()))
                 if not (done | there) & {sideless(n) for n in t.names}), "")


def turned_values(text: str, steps: Sequence[Step]) -> int:
    """How many numbers of a line a plan takes for a change by so much where they say how much it should be, or the reverse.

    So is "a bit" that is left out.
    """
    plain = spelled(text).lower()
    scaled = [s for s in steps if "amount?" in SLOTS[s.do]]
    out = int(bool(scaled) and bool(_BIT.search(plain)) and not any(s.words or s.values for s in scaled))
    for span in find_spans(plain):
        before, said, after = plain[:span.start], plain[span.start:span.end], plain[span.end:]
        by = bool(_BY.search(before) or _MORE.search(said) or _MORE.match(after.lstrip()))
        to = not by and bool(_TO.search(before) or _LASTS.match(after.lstrip()))
        for step in steps:
            if not any(k in "tc" and abs(v - span.value) < 0.01 for k, v in step.values):
                continue
            out += by and step.do in _ABSOLUTE or to and step.do in _RELATIVE
    return out


def _unnamed(plain: str, edits: Sequence[Edit]) -> int:
    if any(not e.names and not e.script.cues for e in edits):
        return 0  # of all there is
    done = {sideless(n) for e in edits for n in (*e.names, *e.anchor, *(c.name for c in e.script.cues))}
    return sum(not done & {sideless(n) for n in t.names} for t in read_things(plain))


def _uncounted(plain: str, edits: Sequence[Edit]) -> int:
    marked = find_quantities(re.sub(r"\b(?:clip|version|number|take)s? (?:\d+|one|two|three|four)\b", " ", plain))
    done = [abs(v) for e in edits for v in (e.value, e.which + 1 if e.which is not None else None) if v is not None]
    cues = [c for e in edits for c in e.script.cues]
    done += [v for c in cues for v in (c.start, c.end, c.pause, c.seconds, c.hold, c.count) if v is not None]
    done += [e.script.seconds for e in edits if e.script.seconds]
    shared = [s for s in marked.p if not any(abs(e.factor - f) < 0.02 for e in edits for f in (s, 1 - s, 1 + s))
              and not any(abs((e.value or 0) - s) < 0.02 for e in edits)
              and not any(abs((c.strength or 0) - s) < 0.02 for c in cues)]
    counted = [v for v in (*marked.t, *marked.c) if not any(abs(v - d) < 0.05 for d in done)
               and not any(e.op in ("speed", "strength", "duration") and e.factor != 1 for e in edits)]
    return len(shared) + len(counted)


def _turned(plain: str, edits: Sequence[Edit]) -> int:
    out = 0
    for more, less, way in _WAYS:
        up, down = re.search(more, plain), re.search(less, plain)
        if bool(up) != bool(down):
            out += any(way(e) * (1 if up else -1) < 0 for e in edits)
    sides = {s for e in edits for s in (e.side, *(c.side for c in e.script.cues)) if s in ("left", "right")}
    said = set(re.findall(r"\b(left|right(?! (?:at|after|before|now|away)))\b", plain))
    return out + (len(said) == 1 and len(sides) == 1 and said != sides)
