"""What of a line its edits or questions leave out or turn round: names, numbers, sides and directions are there to see."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Set

from ....data_gen.reading.questions import read_question, read_things
from ....data_gen.reading.spelling import spelled
from ....data_gen.text.quantities import find_quantities, find_spans
from ....face.facs.evidence.query import Query
from ....face.facs.script import Script
from ....face.facs.vocabulary import sideless
from ....llm.grammar.plans import SLOTS, Step
from ...editing.operations import ALIKE, Edit, same_name

KEPT = re.compile(r"\b(?:don'?t|do not|leave|keep|without touching|but not|not)\b[^,.;]*"
                   r"|\b\w+ (?:should )?(?:stays?|remains?)\b")
"""What should stay as it is."""
_WAYS: tuple[tuple[str, str, str, Callable[[Edit], float]], ...] = (
    (r"\b(?:fast\w*|quick\w*|brisk\w*|snapp\w+|speed (?:it |\w+ )?up)\b", r"\bslow\w*\b", "speed duration length",
     lambda e: (e.op == "speed") * (e.factor - 1)),
    (r"\b(?:longer|stretch\w*|linger\w*|(?:draw|drag|spin)\w* (?:\w+ ){0,3}out)\b",
     r"\b(?:shorter|briefer|cut (?:it )?short)\b",
     "duration hold until length continue pause speed",
     lambda e: (e.op == "duration") * (e.factor - 1)),
    (r"\b(?:later|delay\w*)\b", r"\b(?:earlier|sooner)\b", "shift start move pause duration length speed",
     lambda e: (e.op == "shift") * (e.value or 0.0)),
    (r"\b(?:stronger|bigger|harder|intenser|more intense|\w+ier)\b",
     r"\b(?:weak\w*|soft\w*|small\w*|mild\w*|faint\w*|halve|reduce|less|not (?:as|so|that|quite as) (?:high|strong|big|wide"
     r"|hard|much|far|deep|intense|broad)|subtle\w*|gentl\w*|tone (?:it )?down|calm\w*|ease off)\b",
     "",
     lambda e: (e.op == "strength" and e.value is None) * (e.factor - 1)))
"""Words of more, words of less, operations one of which they ask for, and which of the two an edit does."""
_SIDE = re.compile(
    r"(?<!all )\b(left|right(?! (?:at|after|before|now|away|down|up|here|there|on|off|in|until|till|through|to the)))\b")
TOO = re.compile(r"\b(?:too|so|way too) \w+\b|\bin a blink\b")
"""A complaint names the opposite of what should become of it."""
GONE = (r"\b(?:str(?:ike|icken|uck)|do away with|scrap|axe|nix|omit|eliminate|erase|exclude|discard|lose|drop (?:the|that"
        r"|this|it|her|his)|remove|get(?:ting)? rid|delete|chuck|ditch|bin|(?:take|kick|throw) out"
        r"|(?:has|have|needs?|ought|got) to go|(?:must|should|can|gotta) go)\b"
         r"(?! (?:by|to|down|in)\b)")
_ALONE = r"\b(?:only|just|nothing|none|else|rest|others?|except|keep|leave|but|alone|solo|all you|strip)\b"
"""Words of a line after which all but one thing may go."""
_GOES = frozenset(("remove", "only", "never", "replace", "count"))
"""Words for what goes, and the operations that do it."""
_PLACES = {"end": r"\b(?:at|near|towards?) the (?:very )?end\b|\bto finish\b",
           "start": r"\bat the (?:very )?(?:start|beginning)\b"}
_BY = re.compile(r"\b(?:by|another|extra|additional|further)\s*$")
_MORE = re.compile(r".*\bmore\b|(?:more|longer|shorter|earlier|later|sooner|extra|less|off)\b")
_TO = re.compile(r"\b(?:at|to|make it|make that|make them|exactly|until|for|lasts?|be|from)\s*(?:exactly |just |only )?$")
_LASTS = re.compile(r"(?:long|mark|in total|altogether|overall|only|exactly|sharp)\b")
_BIT = re.compile(r"\b(?:a (?:wee |tiny |little )?(?:bit|touch|tad|smidge)|slightly)\b(?! of)")
_DEFINITE = re.compile(r"\b(?:the|that|this) ((?:(?:head|eye|eyebrow|brow|lip|cheek|nose) )?\w+)")
_ADDS = re.compile(r"\b(?:add\w*|also|too|another|put|insert|throw|stick|give|have|include|plus|extra|append|with|follow\w*"
                   r"|as well|then|a|an|want|like|love|bring|work in|get|see|chuck|pop|slip|squeeze|tack|missing|forgot"
                   r"|should (?:also )?be)\b")
"""Words of a line that something new is wished for in."""
_ABSOLUTE, _RELATIVE = frozenset(("lasts", "starts", "length")), frozenset(
    ("longer", "shorter", "earlier", "later", "length-longer", "length-shorter"))


def doubts(text: str, edits: Sequence[Edit]) -> int:
    """How many of a line's names, numbers, sides and directions do not show in its edits.

    Args:
        text: the line.
        edits: what was read in it.
    """
    plain = spelled(text).lower()
    return _unnamed(KEPT.sub(" ", plain), edits) + _uncounted(plain, edits) + _turned(plain, edits)


def not_there(text: str, edits: Sequence[Edit], script: Script) -> str:
    """What a line names that is neither in its edits nor in the script that they change; empty where there is no such thing."""
    done = {sideless(n) for e in edits for n in (*e.names, *e.anchor, *(c.name for c in e.script.cues))}
    there = {sideless(c.name) for c in script.cues}
    there |= {n for alike in ALIKE if alike & there for n in alike}
    return next((t.names[0] for t in read_things(KEPT.sub(" ", spelled(text).lower()))
                 if not (done | there) & {sideless(n) for n in t.names}), "")


def presumed(plain: str, steps: Sequence[Step], script: Script) -> str | None:
    """What a line in lower case takes for granted and its plan adds, for it is not there: "the anger should hit at 3 s"."""
    if len(steps) != 1 or not steps[0].do.startswith("add-") or len(steps[0].script.cues) != 1 or _ADDS.search(plain):
        return None
    name = steps[0].script.cues[0].name
    taken = any(name in {sideless(n) for n in t.names} for m in _DEFINITE.finditer(plain) for t in read_things(m[1])[:1])
    return name if taken and not any(same_name(c, name) for c in script.cues) else None


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
    """Names that the line says and no edit has."""
    if any(not e.names and not e.script.cues for e in edits):
        return 0  # of all there is
    for place, beside in (("start", "before"), ("end", "after")):
        if any(e.op == "add" and e.where == place for e in edits):  # "at the beginning, before the yawn"
            plain = re.sub(rf"\b{beside} (?:the|her|his) \w+", " ", plain)
    done = {sideless(n) for e in edits for n in (*e.names, *e.anchor, *(c.name for c in e.script.cues))}
    return sum(not done & {sideless(n) for n in t.names} for t in read_things(plain))


NOT_SO_MANY = re.compile(r"\b(?:and )?not (?P<n>\d+|one|two|three|four|five|six)(?: of (?:them|those))?(?: times)?(?=\W|$)")
"""A number that is not meant: "one nod, not three"."""


def _uncounted(plain: str, edits: Sequence[Edit]) -> int:
    plain = NOT_SO_MANY.sub(" ", plain)
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
    out, plain = 0, TOO.sub(" ", plain)
    for more, less, ops, way in _WAYS:
        up, down = re.search(more, plain), re.search(less, plain)
        if bool(up) != bool(down):
            out += any(way(e) * (1 if up else -1) < 0 for e in edits)
            out += bool(ops) and not any(e.op in ops.split() for e in edits)
    out += any(e.op == "only" for e in edits) and not re.search(_ALONE, plain)
    if re.search(GONE, plain) and not {e.op for e in edits} & _GOES:
        out += 1
    for where, words in _PLACES.items():  # where something is added
        added = [e.where for e in edits if e.op in ("add", "replace", "move")]
        out += bool(added) and bool(re.search(words, plain)) and where not in added
    out += bool(re.search(r"\b(?:other|opposite) (?:eye|side)\b", plain)) and all(
        e.side == "both" and e.op != "reverse" for e in edits)
    sides = {s for e in edits for s in (e.side, *(c.side for c in e.script.cues)) if s in ("left", "right")}
    said = set(_SIDE.findall(plain))
    return out + (len(said) == 1 and said != sides and len(sides) < 2 and not re.search(r"\bis left\b|\bleft in\b", plain))


# -- questions -------------------------------------------------------------------------------------------
_ASKED: tuple[tuple[str, frozenset[str]], ...] = tuple((words, frozenset(f"ask-{k}" for k in kinds.split())) for words, kinds in (
    (r"(?:^|[,;?.] ?|\band |\bat |\bsince )when(?:'?s)?\b|\b(?:what|which) (?:time|second|moment|point|frame|sec)\b|\bhow far in",
     "when until gap first last compare order"),
    (r"\b(?:until|till|up to) (?:when|what|which)\b|\b(?:when|which second|what second)\b.*\b(?:end|stop|finish|over)", "until"),
    (r"\bhow (?:many(?! sec)|often)\b|\bnumber of (?!sec)", "count compare fast list"),
    (r"\b(?:which|what) (?:side|eye|eyebrow|direction)\b|\bleft or right\b|\bright or left\b", "side whether compare either"),
    (r"\bhow (?:strong|big|wide|intense)\w*\b", "strong compare whether gap long"),
    (r"\bhow (?:fast|quick|slow|brisk)\w*\b|\bfrequency\b|\b(?:what|which) (?:speed|tempo|pace|rate)\b", "fast compare whether"),
    (r"\bhow long\b|\bhow many sec|\bin sec(?:ond)?s\b", "long length gap when until compare always")))
"""What asks for a value, and the questions that answer it."""


_BESIDES = re.compile(r"\b(?:after|before|while|during|when|once|as)\b[^,?.;]*,")
"""When it is, of what is asked about."""
_BARE = frozenset(("ask-list", "ask-first", "ask-last", "ask-emotion", "ask-length"))
_LIDS = {"wink", "blink", "eye_close"}
"""What shut lids may be."""
_EDGES = {"ask-first": r"\b(?:first|1st|begin\w*|start\w*|open\w*|kick\w*|initial\w*|earliest|lead\w*|prior|before|off)\b",
          "ask-last": r"\b(?:last|final\w*|end\w*|finish\w*|clos\w+|wrap\w*|conclu\w+|latest|ultimate\w*|over|stop\w*)\b"}
"""What asks for what comes first or last."""
_KINDS = {"how_long": "long", "how_strong": "strong", "how_fast": "fast", "which": "either"}


def question_doubts(text: str, steps: Sequence[Step]) -> int:
    """How much of a question its plan leaves out: names, moments, and what asks for a value.

    Args:
        text: the line.
        steps: questions only.
    """
    plain = spelled(text).lower()
    kinds = {s.do for s in steps}
    if kinds == {"ask-unseen"}:
        known = read_question(plain)
        return int(known is not None and known.asked == "whether" and bool(known.things))
    said = {sideless(n) for s in steps for n in s.names}
    values = [v for s in steps for _, v in s.values]
    named = read_things(_BESIDES.sub(" ", re.sub(r"\bgaps?\b", " ", plain)))
    out = 0 if kinds <= _BARE and not said else sum(not said & {n for m in t.names for n in _called(sideless(m))} for t in named)
    out += sum(not any(abs(v - w) < 0.05 for w in values) for v in find_quantities(plain).t)
    out += sum(do in kinds and not re.search(words, plain) for do, words in _EDGES.items())
    return out + len(unasked(plain, kinds))


def unasked(plain: str, kinds: Set[str]) -> list[frozenset[str]]:
    """For each thing that a line in lower case asks for and no step of these kinds answers: the kinds that would."""
    return [fitting for words, fitting in _ASKED if re.search(words, plain) and not kinds & fitting]


def as_step(query: Query) -> Step:
    """What a query that the rules read would be as a step, for its doubts."""
    times = [*(query.between or ()), *(t.at for t in query.things if t.at is not None)]
    times += [query.limit[1]] if query.limit else []
    times += [sum(query.between) / 2] if query.between else []
    return Step(f"ask-{_KINDS.get(query.asked, query.asked)}", tuple((n, None) for t in query.things for n in t.names[:1]),
                values=tuple(("t", t) for t in times))


def _called(name: str) -> set[str]:
    return {name}.union(*(alike for alike in (*ALIKE, _LIDS) if name in alike))
