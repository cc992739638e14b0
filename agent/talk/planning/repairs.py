"""What a line says for certain and a step of its plan has wrong, put right one by one."""

from __future__ import annotations

import re
from dataclasses import replace

from ....data_gen.reading.questions import read_things
from ....data_gen.text.quantities import find_quantities, find_spans
from ....face.facs.script import STRENGTHS, Cue, Script
from ....face.facs.vocabulary import ACTION, DIRECTIONS, NAMES
from ....llm.grammar.plans import SLOTS, Step
from ...editing.operations import same_name
from .doubts import GONE, KEPT, NOT_SO_MANY, TOO
from .several import places_of

_TIMES = {"double": 2.0, "twice": 2.0, "triple": 3.0, "three times": 3.0, "halve": 0.5, "half": 0.5}
_MULTIPLE = re.compile(rf"\b(?P<by>{'|'.join(_TIMES)})\b (?:up )?(?:the )?"
                       r"(?:number|amount|count|as (?:many|often)|how (?:many|often))\b"
                       r"|\b(?P<half>half) of (?:it|them|that|those)\b")
_UNTIL = re.compile(r"\b(?:until+|till?|up to)(?: (?:about|around|roughly|second|the|exactly|at least))*\s*$")
_EXCESS = re.compile(r"\b(?P<n>\d+|one|two|three|four|five) (?:\w+ )?(?:\w+ )?too many\b")
_AT = re.compile(r"(?:\b(?:at|on|around|about)|@)\s*(?:the |second )?$")
_RANGE = re.compile(r"(?:->|→|-->|=>|\bto\b|\buntil\b|\binto\b)\s*(?:second |the )?$")
_MOVES = re.compile(r"\b(?:move|shift|push|put|start|bring|drag|slide)\b")
_FURTHER = re.compile(r"\b(?:more|longer|extra|additional|further|on top)\b")
_FURTHER_BEFORE = re.compile(r"\b(?:another|an? (?:extra|additional|further)|extra|additional)\s*$")
_LATER = re.compile(r"\bwait (?:(?:just |a |an? )?(?:bit|touch|tad|little|moment|while|second|sec|beat)?) ?(?:longer|more)\b")
_OPENED = re.compile(r"\b(?:opens? (?:her|his|their|the) eyes|eyes (?:re-?)?open)\b"
                     r"|\b(?:opens?|closes?|shuts?|goes|go|comes?) (?:\w+ ){0,3}?(?:again|back)\b")
_OVER = re.compile(r"\bto (?:which|what) (?:second|time|moment|point)\b"
                   r"|\b(?:over|done|finished|gone|ends?|stops?) (?:at )?(?:when|what time|which second)\W*$"
                   r"|\b(?:when|what time|(?:which|what) (?:second|moment|point))\b[^,;]*\b(?:(?:over|done|finished|ends?|stops?"
                   r"|finish(?:es)?)\W*$|(?:(?:go(?:es)?|went|gone) away|vanish(?:es)?|disappears?|fades?|wears? off|lets? go"
                   r"|ceases?)\b)")
_SO = re.compile(r"^(?!.*\b(?:add|another|also|append|end with|finish with|extra)\b).*(?:\b(?:make|have|get|turn) (?:that|it"
                 r"|those|them)\b"
                 r"|\b(?:should|ought to) (?:be|have been)\b|\bonly\b|\bjust\b)", re.DOTALL)
_REST_STAYS = re.compile(r"\b(?:everything|all|the rest|the others?|anything)(?: else)? (?:stands?|stays?|remains?|is (?:fine"
                         r"|ok|good)|as (?:it )?is|untouched)\b|\b(?:leave|keep) the (?:others?|rest|other (?:two|three|one))\b")
_PACE = re.compile(r"\b(?:(?P<slow>slow(?:ly|er)?|leisurely|sluggish)|brisk(?:ly|er)?|fast(?:er)?|quick(?:ly|er)?|snappy"
                   r"|snappier|rapid(?:ly)?)\b")
_AT_EDGE = re.compile(r"\b(?:at|to) the (?:very |absolute )?(?:(?P<start>start|beginning|front)|end|finish)\b"
                      r"(?! of (?!(?:it|the clip|all)\b))")
_SINGLE = re.compile(r"\b(?:(?:just |only )?(?:a )?single|(?:just|only) (?:one|once)|one (?:nod|shake)|once|one time)\b")
_WAYS: dict[tuple[str, str], tuple[str, str]] = {
    ("stronger", "weaker"): (
        r"\b(?:stronger|bigger|harder|more intense|intensify|amplify|boost|beef up|ramp up|crank (?:it )?up|turn up"
        r"|exaggerate)\b",
        r"\b(?:weaker|softer|smaller|milder|fainter|subtler|gentler|tone (?:\w+ ){0,3}down|calm (?:\w+ ){0,3}down|moderate"
        r"|attenuate|dampen|temper|mute|diminish|lessen|soften|weaken|less(?! than))\b"),
    ("faster", "slower"): (r"\b(?:faster|quicker|snappier|brisker|speed (?:\w+ ){0,3}up|hurry|quicken)\b",
                           r"\b(?:slower|slow (?:\w+ ){0,3}down|more slowly|calmer|unhurried)\b"),
    ("longer", "shorter"): (r"\b(?:longer|lengthen|prolong|extend|stretch(?:ed)?(?: out)?|drag (?:\w+ )?out)\b",
                            r"\b(?:shorter|shorten|briefer|cut (?:\w+ ){0,2}short|curtail|so long|drags on|too long)\b"),
    ("later", "earlier"): (r"\b(?:later|delay|postpone|put off|push back)\b", r"\b(?:earlier|sooner|bring forward)\b")}
"""Words that say which way round, of two."""
_HURRY = re.compile(r"\b(?:chop[- ]chop|get a move on|hurry|step on it|pick up the pace|speed (?:it )?up|get going|zippier)\b")
_EACH = re.compile(r"\b(?:each|every|all(?: the)?|both) (?:\w+ )?\w+")
_RELATIVE = re.compile(r"\b(?:by|more|less|another|extra|than|of)\W*$")
_N_MORE = re.compile(r"\b(?P<n>\d+|one|two|three|four|five) (?:more|extra|additional|further)\b")
_SAME_MOMENT = re.compile(r"\b(?:at |on )?the (?:very |exact |same )+(?:instant|moment|second|time)(?: as| that| when)?\b"
                          r"|\b(?:exactly|right|just) (?:when|as)\b|\bin sync with\b")
_AMID = re.compile(r"\bbetween (?:the )?([\w ]{2,25}?) and (?:the )?([\w ]{2,25})")
_ABSOLUTE = {"longer": "lasts", "shorter": "lasts", "length-longer": "length", "length-shorter": "length", "earlier": "starts",
             "later": "starts"}
"""Steps that change a time by so much, and those that say what it should be."""
_UP_TO = re.compile(r", of\s*$|(?<!closer )(?<!next )\bto(?: be)?(?: exactly| just| only| about| around)?(?: second)?\s*$")
_RESIZED = re.compile(r"\b(?:reduc|shorten|cut|trim|lengthen|extend|increas|stretch)\w*\b.*\bfrom\b")
"""So that of two times the second is how long it should last: "reduced from 4 to 2 seconds"."""
_LENGTH = re.compile(r"\b(?:duration|length|lasts?|lasting|long)\b")
_MAKE_IT = re.compile(r"\bto continue(?: for)?\s*$"
                      r"|\b(?:make (?:it|that|them|this)|(?:it|that|this) (?:should|must|to) be)(?: just| only| exactly)?\s*$")
_BY_THEN = re.compile(r"\b(?:over|done|finished|gone|ended?|stop(?:s|ped)?|out|through)\b[^,;.]{0,20}\bby\s*$")
_NTH = re.compile(r"\b(?:first|second|third|fourth|last|1st|2nd|3rd|former|latter|other|number)\b|#")
_COUNTING = frozenset(("count", "more", "fewer", "stronger", "weaker", "longer", "shorter", "faster", "slower"))


def _further(step: Step, plain: str, script: Script) -> Step:
    """"Hold it for two more seconds": so much longer."""
    at = step.value("t")
    if step.do not in ("hold", "lasts") or at is None or step.words:
        return step
    more = any(abs(s.value - at) < 0.01 and (_FURTHER_BEFORE.search(plain[:s.start]) or _FURTHER.search(plain[s.start:s.end + 8]))
               for s in find_spans(plain))
    return replace(step, do="longer") if more else step


def _postponed(step: Step, plain: str, script: Script) -> Step:
    """"Wait a bit longer before the wink": later than it is, not after a pause of so long."""
    if step.do != "pause" or step.values or not step.things or not _LATER.search(plain):
        return step
    return replace(step, do="later")


def _from_to(step: Step, plain: str, script: Script) -> Step:
    """"Move the wink, 4 s -> 5 s": from then on, however long it is."""
    spans = [s for s in find_spans(plain) if s.kind in ("t", "c")]
    if step.do not in ("lasts", "starts", "hold") or len(step.things) != 1 or not 1 <= len(spans) <= 2 or not (
            _MOVES.search(plain) or len(spans) == 2):
        return step
    ranged = _RANGE.search(plain[:spans[-1].start])
    if len(spans) == 2 and (_RESIZED.search(plain) or ranged and _LENGTH.search(plain)):
        return Step("lasts", step.things, values=(("t", spans[-1].value),))
    if not ranged or re.search(r"\buntil\b|\blong\b", plain):
        return step
    return Step("starts", step.things, values=(("t", spans[-1].value),))


def _numbered(step: Step, plain: str, script: Script) -> Step:
    """Which of several is meant, where the line says it: "the second nod is followed by what"; where it does not, all."""
    order = {n: t.which for t in read_things(plain) if t.which is not None for n in t.names}
    each = len(step.things) == 1 and not step.do.startswith("ask-") and _EACH.search(plain)
    if (step.do == "ask-count" or each) and not order and not _NTH.search(plain):
        return replace(step, things=tuple(dict.fromkeys((n, None) for n, _ in step.things)))
    things = tuple((n, order[n] if k is None and n in order and sum(same_name(c, n) for c in script.cues) > 1 else k)
                   for n, k in step.things)
    return replace(step, things=things)


def _at_share(step: Step, plain: str, script: Script) -> Step:
    """"Smile 80 %": so strong, not so much stronger."""
    spans = [s for s in find_spans(plain) if s.kind == "p"]
    ranged = len(spans) == 2 and re.search(r"\bto (?:about )?$", plain[:spans[1].start])
    if step.do in ("strength", "stronger", "weaker") and ranged:
        return Step("strength", step.things, values=(("p", spans[1].value),))  # "from 40 to 90 %"
    if step.do not in ("stronger", "weaker") or len(step.things) != 1 or len(spans) != 1:
        return step
    before, after = plain[:spans[0].start].rstrip(" :=-–,"), plain[spans[0].end:]
    said = step.value("p")
    if said is not None and abs(said - spans[0].value) > 0.01 or _RELATIVE.search(before) or re.match(
            r" ?(?:more|less|stronger|weaker|bigger|smaller|down|up|off|of)\b", after):
        return step
    named = named_in(before, script) or not before and named_in(" ".join(after.split()[:4]), script)
    return Step("strength", step.things, values=(("p", spans[0].value),)) if named else step


def _more(step: Step, plain: str, script: Script) -> Step:
    """"Two more nods": so many more, however many there are then."""
    value = step.value("c")
    if step.do != "count" or value is None or not (m := _N_MORE.search(plain)):
        return step
    return replace(step, do="more") if times_in(m["n"]) == value else step


def _between(step: Step, plain: str, script: Script) -> Step:
    """"Put the shake, or a shake, between the nod and the smile": right after the earlier of the two."""
    adds = step.do.startswith("add-") and len(step.script.cues) == 1
    if not (adds or step.do in ("move-after", "move-before")) or not (m := _AMID.search(plain)):
        return step
    order = [c.name for c in script.cues]
    if adds:
        near = sorted({order.index(n) for words in (m[1], m[2]) for n in (named_in(words, script) or [
            c.name for c in script.cues if words.split()[-1] in c.name.split("_")])[:1]})
        return replace(step, do="add-after", things=((order[near[0]], None),)) if len(near) == 2 else step
    ends = sorted(order.index(n) for n in named_in(m[1] + ", " + m[2], script))
    moved = [n for n in step.names if n not in {order[i] for i in ends}]
    return Step("move-after", ((moved[0], None), (order[ends[0]], None))) if len(ends) == 2 and len(moved) == 1 else step


def _aside(step: Step, plain: str, script: Script) -> Step:
    """A turn to the left at the time of one to the right is another one, after it."""
    cues = step.script.cues
    opposite = len(cues) == 1 and len(step.names) == 1 and cues[0].name in DIRECTIONS and cues[0].name == step.names[0]
    return replace(step, do="add-after") if step.do == "add-with" and opposite else step


def _sided_part(step: Step, plain: str, script: Script) -> Step:
    """"The other side of the mouth": of what is done on one side with that part of the face."""
    m = re.search(r"\bside of (?:the|her|his) (?P<part>mouth|lips?|eyes?|brows?|face)\b", plain)
    if step.do != "side" or m is None or named_in(plain[:m.start()], script):
        return step
    places = places_of(m["part"]) or set()
    own = [i for i, c in enumerate(script.cues)
           if c.side != "both" and c.action in ACTION and ACTION[c.action].region in places]
    return replace(step, things=(thing_at(own[0], script),)) if len(own) == 1 else step


def _at_once(step: Step, plain: str, script: Script) -> Step:
    """"The wink at the very instant that the smile begins"."""
    m = _SAME_MOMENT.search(plain)
    if m is None or step.do not in ("starts", "earlier", "later", "move-first", "move-last", "move-before", "move-after"):
        return step
    moved, anchor = named_in(plain[:m.start()], script), named_in(plain[m.end():], script)
    if step.values or len(moved) != 1 or len(anchor) != 1 or moved == anchor:
        return step
    order = [c.name for c in script.cues]
    if (start := script.cues[order.index(anchor[0])].start) is not None:
        return Step("starts", ((moved[0], None),), values=(("t", start),))
    if order.index(anchor[0]) > order.index(moved[0]):
        return step
    return Step("together", ((anchor[0], None), (moved[0], None)))


def _in_all(step: Step, plain: str, script: Script) -> Step:
    """"Three seconds of it", "make it 3", "extended to 3 s", "done with by 6 s": how long, or until when, not by how much."""
    at = step.value("t")
    if step.do not in (*_ABSOLUTE, "lasts", "hold") or at is None or step.words:
        return step
    for s in find_spans(plain):
        before, after = plain[:s.start], plain[s.end:]
        if abs(s.value - at) > 0.01:
            continue
        if _BY_THEN.search(before):
            return replace(step, do="hold", words=("until",))
        whole = _MAKE_IT.search(before) or re.match(r" (?:of|in total|altogether)\b", after)
        if step.do in _ABSOLUTE and (whole or _UP_TO.search(before)) and not re.search(
                r"\b(?:more|another|extra|further|longer|shorter|less)\b", plain[max(s.start - 12, 0):s.end + 8]):
            return replace(step, do=_ABSOLUTE[step.do], words=())
    return step


def _too_many(step: Step, plain: str, script: Script) -> Step:
    """"Two shakes too many": so many fewer."""
    m = _EXCESS.search(plain)
    if m is None or step.do not in ("fewer", "count") or len(step.things) != 1:
        return step
    number = times_in(m["n"])
    return Step("fewer", step.things, values=(("c", number),)) if number else step


def _at_moment(step: Step, plain: str, script: Script) -> Step:
    """"Smile or puffed cheeks, second 8.5": at the one moment that a question names."""
    spans = [s for s in find_spans(plain) if s.kind == "t"]
    if not step.do.startswith("ask-") or "when?" not in SLOTS[step.do] or step.values or len(spans) != 1 or step.said("when"):
        return step
    if not re.search(r"(?:\b(?:at|around|about)|@)(?: the)?(?: second| sec)?\s*$|(?:^|[,;:] ?)(?:at )?(?:second|sec) $",
                     plain[:spans[0].start]) and not re.match(r"second|sec", plain[spans[0].start:spans[0].end]):
        return step
    return replace(step, words=(*step.words, "at"), values=(("t", spans[0].value),))


def _over(step: Step, plain: str, script: Script) -> Step:
    """"The pout is over when", "when do the eyes open again": until when."""
    opened = bool({"eye_close", "mouth_open", "tongue_out"} & set(step.names)) and bool(_OPENED.search(plain))
    if step.do == "ask-long" and re.search(r"\bwhere (?:is|are|does|do)\b", plain):
        return replace(step, do="ask-when")  # "where is the tilt, in seconds?"
    return replace(step, do="ask-until") if step.do == "ask-when" and (_OVER.search(plain) or opened) else step


def _not_only(step: Step, plain: str, script: Script) -> Step:
    """"Strike the nod, everything else stands": without it, not it alone."""
    return replace(step, do="remove") if step.do == "only" and _REST_STAYS.search(plain) and re.search(GONE, plain) else step


def _begun(step: Step, plain: str, script: Script) -> Step:
    """"Tongue out at 6 s", where there is none yet: added there."""
    at = step.value("t")
    name = step.names[0] if len(step.things) == 1 else ""
    there = any(same_name(c, name) for c in script.cues)
    taken = there or re.search(r"\b(?:the|that|this)\b", plain)
    if step.do != "starts" or at is None or taken or name not in NAMES or name in DIRECTIONS:
        return step
    return Step("add-end", script=Script((Cue(name, start=at),)))


def _paced(step: Step, plain: str, script: Script) -> Step:
    """"The nods brisk": a number that is not said is none, where the words say how fast."""
    if step.do != "count" or len(step.things) != 1 or find_quantities(plain).c or re.search(
            r"\b(?:one|once|single|an?)\b", plain) or not (m := _PACE.search(plain)):
        return step
    return Step("slower" if m["slow"] else "faster", step.things)


def _reversed(step: Step, plain: str, script: Script) -> Step:
    """"Moderate the surprise": the way that the words say, of two."""
    pair = next((do for do in _WAYS if step.do in do), None)
    if pair is None or step.values:
        return step
    plain = TOO.sub(" ", KEPT.sub(" ", plain))
    up, down = (bool(re.search(words, plain)) for words in _WAYS[pair])
    return replace(step, do=pair[0 if up else 1]) if up != down else step


def _placed(step: Step, plain: str, script: Script) -> Step:
    """"Then at the start I want a wink"."""
    if not step.do.startswith("add-") or len(step.script.cues) != 1 or step.script.cues[0].start is not None:
        return step
    at = _AT_EDGE.search(plain)
    if at is None or len(_AT_EDGE.findall(plain)) > 1:
        return step
    return replace(step, do="add-start" if at["start"] else "add-end", things=())


def _singled(step: Step, plain: str, script: Script) -> Step:
    """"A nod after the wink, just a single one"."""
    cues = step.script.cues
    if len(cues) != 1 or cues[0].count is not None or cues[0].name not in ("nod", "shake") or not _SINGLE.search(plain):
        return step
    return replace(step, script=replace(step.script, cues=(replace(cues[0], count=1),)))


def _lasting(step: Step, plain: str, script: Script) -> Step:
    """"The second smile, make it last 3 seconds", taken for something else."""
    spans = [s for s in find_spans(plain) if s.kind == "t"]
    lasts = len(spans) == 1 and re.search(r"\blast(?:s|ing)?(?: for)?\s*$", plain[:spans[0].start])
    if not lasts or step.do not in ("stronger", "weaker", "faster", "slower", "hold", "later", "earlier") or not step.things:
        return step
    return Step("lasts", step.things, values=(("t", spans[0].value),))


def _said_count(step: Step, plain: str, script: Script) -> Step:
    """"Nod 500 times": the number that is said, also where it is too large to be done."""
    said = find_quantities(plain).c or [int(n) for n in re.findall(r"\b(\d{2,4}) (?:times|x)\b", plain)]
    if step.do != "count" or len(said) != 1 or step.value("c") in (None, float(said[0])) or said[0] < 10:
        return step
    return replace(step, values=(("c", float(said[0])),))


def _in_place_of(step: Step, plain: str, script: Script) -> Step:
    """"7 s instead of 5 s": when, or for how long, by which of the two it is now; and what lasts so long is shortened."""
    own = [c for c in script.cues if step.names and c.name == step.names[0]]
    spans = [s for s in find_spans(plain) if s.kind == "t"]
    if step.do not in ("lasts", "starts", "hold") or len(own) != 1 or not spans:
        return step
    if len(spans) == 2 and re.search(r"\b(?:instead of|rather than|not)\s*$", plain[:spans[1].start]):
        for do, now in (("starts", own[0].start), ("lasts", own[0].seconds)):
            if now is not None and abs(now - spans[1].value) < 0.05:
                return Step(do, step.things, values=(("t", spans[0].value),))
    now = own[0].seconds
    if step.do == "lasts" and len(spans) == 1 and now is not None and abs(now - spans[0].value) < 0.05 and re.search(
            _WAYS["longer", "shorter"][1], plain):
        return Step("shorter", step.things)
    return step


def _hurried(step: Step, plain: str, script: Script) -> Step:
    """"Just the nods need to get a move on"."""
    hurries = step.do in ("only", "remove", "count", "hold") and _HURRY.search(plain) and not re.search(GONE, plain)
    return Step("faster", step.things) if hurries and step.things else step


def _held_for(step: Step, plain: str, script: Script) -> Step:
    """"Have the smile stay for three seconds": as long as the line's one time says."""
    spans = [s for s in find_spans(plain) if s.kind == "t"]
    if step.do != "hold" or step.values or step.words or len(step.things) != 1 or len(spans) != 1:
        return step
    if not re.search(r"\bfor (?:about |around |exactly )?$", plain[:spans[0].start]):
        return step
    return Step("lasts", step.things, values=(("t", spans[0].value),))


def _denied(step: Step, plain: str, script: Script) -> Step:
    """"Just one nod, not three": the number that is not denied."""
    m = NOT_SO_MANY.search(plain)
    if m is None or step.do != "count":
        return step
    single = re.search(r"\b(?:one|an?|single|once)\b", plain[:m.start()])
    said = find_quantities(NOT_SO_MANY.sub(" ", plain)).c or ((1.0,) if single else ())
    return Step("count", step.things, values=(("c", float(said[0])),)) if len(said) == 1 else step


def _made_so(step: Step, plain: str, script: Script) -> Step:
    """"And the smile at the end, make that tiny", "it ought to be a big smile": what is there is changed, nothing added."""
    cues = step.script.cues
    replaces = step.do == "replace" and not set(step.names) & {n for t in read_things(plain) for n in t.names}
    if not (replaces or step.do.startswith("add-")) or len(cues) != 1 or cues[0].strength is None or not _SO.search(plain):
        return step
    level = next((w for w, v in STRENGTHS.items() if abs(v - cues[0].strength) < 0.01), "")
    there = [c for c in script.cues if same_name(c, cues[0].name)]
    return Step("strength", ((there[0].name, None),), (level,)) if level and len(there) == 1 else step


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


def _multiplied(step: Step, plain: str, script: Script) -> Step:
    """"Twice as many nods" as their number."""
    m = _MULTIPLE.search(plain)
    if m is None or step.do not in _COUNTING or len(step.things) != 1:
        return step
    own = [c for c in script.cues if same_name(c, step.names[0])]
    count = sum(c.count or (2 if c.name in ("nod", "shake") else 1) for c in own) * _TIMES[m["by"] or m["half"]]
    return Step("count", step.things, values=(("c", float(round(count))),)) if own and count >= 1 else step


def times_in(word: str) -> float | None:
    """The number that a word says ("two", "3"), if it is one."""
    number = find_quantities(f"{word} times").c
    return float(number[0]) if number else None


def thing_at(index: int, script: Script) -> tuple[str, int | None]:
    """The name of a cue, and which of several of that name it is; None where there is only one."""
    name = script.cues[index].name
    same = [k for k, c in enumerate(script.cues) if c.name == name]
    return name, same.index(index) if len(same) > 1 else None


def named_in(text: str, script: Script) -> list[str]:
    """The names of the script that some words say, each once, in the order of the script."""
    said = {n for t in read_things(text) for n in t.names}
    return list(dict.fromkeys(c.name for c in script.cues if any(same_name(c, n) for n in said)))


REPAIRS = (_not_only, _begun, _paced, _held_for, _ending, _denied, _made_so, _further, _postponed, _from_to, _numbered,
           _multiplied, _too_many, _timed, _at_share, _more, _between, _in_all, _at_once, _aside, _sided_part)
"""In this order; each gives a step as it should be."""
OF_ONE = (_over, _at_moment, _reversed, _placed, _singled, _lasting, _said_count, _in_place_of, _hurried)
"""Of a plan of one step only."""
