"""What a line points at instead of naming it: "the fourth move", "what she does at 5 s", "the bit with the mouth"."""

from __future__ import annotations

import re
from dataclasses import replace

from ....data_gen.reading.questions import read_things
from ....data_gen.reading.spelling import spelled
from ....data_gen.text.quantities import find_spans
from ....face.facs.evidence.happenings import Thing
from ....face.facs.evidence.parts import explains
from ....face.facs.schedule import Schedule
from ....face.facs.script import Cue, Script
from ....face.facs.vocabulary import ACTION
from ...editing.operations import same_name
from .several import ENDS, MOVE, NUMBERS, PLACES, called, named, of_thing, one_of_several, places_of

_ORDER = {"first": 0, "1st": 0, "opening": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4,
          "5th": 4, "sixth": 5, "6th": 5, "last": -1, "final": -1, "closing": -1, "finishing": -1, "penultimate": -2,
          "second to last": -2, "second-to-last": -2, "next to last": -2, "last but one": -2, "second last": -2}
_WHO = r"(?: (?:that )?(?:s?he|they|it) (?:do(?:es)?|did|makes?|shows?))?"
_AT = re.compile(r"\b(?:what(?:ever)?|(?:the|that|this) (?:\w+ )?(?:thing|bit|part|move|action|one|movement))(?: that)?"
                 r"(?: it is)?(?: (?:s?he|they|it)(?:'s| is)?)?"
                 r"(?: (?:do(?:es)?|did|happens?|is doing|doing|comes?|goes on|is|up to))? (?:at|around|about)(?: around"
                 r"| about)?(?: the)?(?= )")
_NTH = re.compile(rf"\b(?:the |her |his |their )?(?:very )?(?P<nth>{'|'.join(_ORDER)})"
                  rf"(?: (?P<part>head|eye|lid|mouth|lip|brow|eyebrow|nose))? {MOVE}{_WHO}\b")
_ONE = re.compile(rf"(?:\bthe |^)(?P<nth>{'|'.join(_ORDER)}) one\b(?! of)|\bthe (?P<but>last but one)\b"
                  rf"|(?<!clip )(?<!version )\bnumber (?P<n>{'|'.join(NUMBERS)}|[1-6])\b")
_ONE_OF = re.compile(r"\b(?:go(?:ing)?|back|switch|return|jump|compare|between)\b.*\bone\b")
"""Clips, not cues."""
_MIDDLE = re.compile(rf"\b(?:the )?(?:middle (?:one|{MOVE})|(?:one|{MOVE}) in the middle){_WHO}\b")
_SEVERAL = re.compile(rf"\b(?:the )?(?P<nth>first|last) (?P<n>two|three|2|3)(?: {MOVE}{_WHO}\b"
                      r"|(?=\W*$|,? (?:out|off|away|can|should|go|gone|are|need|must|both|please|pls)\b))")
_BESIDE = re.compile(rf"\b(?:what(?:ever)?(?: it is)?|the (?:{MOVE}|one))"
                     r"(?: (?:that )?(?:s?he|they|it) (?:do(?:es)?|did)| (?:that )?(?:comes|happens|is|sits|lies|stands|goes))?"
                     r" (?:right |just |directly |straight |immediately )?"
                     r"(?P<where>after|before|following|preceding|behind|ahead of)\b"
                     r"|\bwhat(?:ever)? (?:follows|succeeds|comes next to)(?: on(?: from)?| after| from)?(?= )"
                     r"|\bwhat(?:ever)? (?P<leads>precedes)\b")
_EDGE = re.compile(rf"\bthe (?:one|{MOVE}) (?:right )?at the (?:very )?(?P<at>end|finish|start|beginning)\b", re.IGNORECASE)
_BETWEEN = re.compile(rf"\b(?:what(?:ever)?|the (?:one|{MOVE}))(?: (?:that|which))?(?: (?:s?he|it))?(?: (?:is|does|comes?"
                      rf"|coming|happens|happening|goes|sits|lies|stands))*"
                      r" (?:in )?between (?P<x>[\w ]{2,25}?) and (?P<y>[\w ]{2,25})")
_ONE_MORE = re.compile(r"\b(?:put|add|stick|throw|insert|include|chuck|pop|give (?:her|him|it|them|me))(?: in| on| also)? "
                       r"(?P<one>one)\b(?! of\b| more\b| second\b| \w+ing\b)", re.IGNORECASE)
_ALL_BESIDE = re.compile(r"\b(?:everything|anything|all|whatever else)(?: else)?(?: (?:that|which))?(?: (?:s?he|it) does"
                         r"| (?:comes|happens|follows|is))? (?P<where>after|before|following|preceding)\b(?: the)?(?= )")
_AMID = re.compile(r"\b(?:in )?between (?:(?:those|these|the) (?:two|2)(?: of them)?|them|both(?: of them)?)\b"
                   r"(?! (?:clips|takes|versions|videos))")
_THING_AMID = re.compile(rf"\b(?:what(?:ever)?|the (?:one|{MOVE}))(?: (?:that|which))?(?: (?:is|comes?|happens|lies|sits))?"
                         r" (?:in )?between (?:(?:those|these|the) (?:two|2)(?: of them)?|them|both(?: of them)?)\b")
_BOTH = re.compile(r"\b(?:both of (?:those|these|them|'?em|the two)|(?:both|the two of them|the pair)"
                   r"(?= (?:could|should|can|must|need|are|a bit|a little|much|stronger|weaker|faster|slower|longer|shorter"
                   r"|bigger|smaller|more|less|gone|out)\b))"
                   rf"|\bboth (?:the )?(?P<part>head|eye|mouth|lip|brow|eyebrow) {MOVE}")
_BECOMES = re.compile(r"\b(?:be|is|as|becomes?|comes?|goes|go|was|been|it|happens?)\s*$")
"""What should be the last thing is not the last thing."""
EDGE_ALONE = re.compile(rf"^\W*(?:the )?(?:very )?(?:first|last|final|opening|closing) {MOVE}(?: (?:of|in) (?:the|this|that|it)"
                        r"(?: clip| video)?)?(?:,? (?:please|pls|plz))?(?: ?=| is)?\W*$")
"""A line that asks what comes first or last, by naming it."""
_IS = re.compile(r"(?: (?:in|of) (?:the|this|it)(?: \w+)?)? (?:is|was|would be|will be)(?: what| which)?\W*")
"""After what is pointed at: it is asked what it is."""
_ASKED = re.compile(r"\b(?:what|which|whats|what's)\b(?:(?! s?he ).)*$")
"""A question after what the thing is, before the words that point at it."""
_CLAIMS = re.compile(r"\W*(?:(?:so|and|but|ok|okay|now|then)[, ]+)*(?:is|was|isn['’]?t|wasn['’]?t)\b")
"""A question whether something is what it points at."""
_TOLD = re.compile(r"\b(?:know|tell(?: me| us)?|remind(?: me| us)?|wonder|curious|say|remember|forget|forgot|see|sure|clue|idea"
                   r"|explain|describe|list|name|report|state|asking|missed)(?: about| of)?,?\s*$")
"""Before a question with "what" in a sentence."""


def pointed(text: str, script: Script, schedule: Schedule | None = None, before: str = "", clips: int = 1) -> str:
    """A line with what it points at by its name.

    Args:
        text: what somebody said.
        script: what is performed.
        schedule: when; None where it is not known, and nothing is found by its time then.
        before: what was said before it, which "the second one" may be one of.
        clips: how many there are; of several, "the second one" is a clip.

    Raises:
        ValueError: it points at something that is not there.
    """
    text = _named_before(text, script, before)
    text = _one_more(text, before)
    text = _EDGE.sub(lambda m: f"the {'last' if m['at'] in ('end', 'finish') else 'first'} thing", text) if script.cues else text
    text = one_of_several(text, script, schedule, before, clips, _asks)
    text = _thing_amid(text, script, before)
    for step in (_both, _amid, _timed, _grouped, _placed, _all_beside, _beside):
        text = step(text, script, schedule)
    ones = clips == 1 and len(script.cues) > 1 and not _ONE_OF.search(text.lower()) and not _repeated(f"{before} {text}", script)
    return _numbered(text, script, ones)


def _asks(before: str) -> bool:
    """Whether the words before ask what the thing is, or say what becomes it."""
    return bool(_ASKED.search(before.lower()) or _BECOMES.search(before.lower()))


def _named_before(text: str, script: Script, before: str) -> str:
    """"The former", "the latter", and "what comes before it", where it is what was spoken of before."""
    said = [i for t in read_things(spelled(before).lower()) for i in of_thing(t, script)]
    pair = said if len(set(said)) == 2 else list(range(len(script.cues)))
    if len(set(pair)) == 2:
        for word, at in (("former", pair[0]), ("latter", pair[-1])):
            text = re.sub(rf"\bthe {word}(?: one)?\b", called(at, script), text, flags=re.IGNORECASE)
    if said and (m := _BESIDE.search(text.lower())) and (it := re.match(r" (?:it|that|this)\b", text[m.end():])):
        text = f"{text[:m.end()]} {called(said[-1], script)}{text[m.end() + it.end():]}"
    return text


def _one_more(text: str, before: str) -> str:
    """"Put one at the end", of what was asked about before."""
    m, things = _ONE_MORE.search(text), read_things(spelled(before).lower())
    if m is None or not things or read_things(spelled(f"{text[:m.start()]} {text[m.end():]}").lower()):
        return text
    return f"{text[:m.start('one')]}a {_spoken_of(things[-1])}{text[m.end('one'):]}"


def _spoken_of(thing: Thing) -> str:
    return thing.names[0].replace("_", " ") if len(thing.names) == 1 else thing.label


def _amid(text: str, script: Script, schedule: Schedule | None) -> str:
    """"The one that comes between the smile and the wink"."""
    m = _BETWEEN.search(text.lower())
    if m is None or text.rstrip().endswith("?") or _asks(text[:m.start()]) or re.search(
            r"\b(?:what|which)\b", text[m.end():].lower()):
        return text
    second = ENDS.split(m["y"], maxsplit=1)[0]
    ends = sorted(i for words in (m["x"], second) for i in named(words, script)[:1])
    if len(ends) != 2 or ends[1] - ends[0] != 2:
        return text
    return f"{text[:m.start()]}{called(ends[0] + 1, script)}{text[m.start('y') + len(second):]}"


def _thing_amid(text: str, script: Script, before: str) -> str:
    """"The thing between the two of them", of two that were spoken of before, or of three cues."""
    m = _THING_AMID.search(text.lower())
    if m is None or text.rstrip().endswith("?") and m[0].startswith("what") or _asks(text[:m.start()]):
        return text
    said = sorted({i for t in read_things(spelled(before).lower()) for i in of_thing(replace(t, which=None), script)})
    at = said[0] + 1 if len(said) == 2 and said[1] - said[0] == 2 else 1 if len(script.cues) == 3 else None
    return text if at is None else f"{text[:m.start()]}{called(at, script)}{text[m.end():]}"


def _both(text: str, script: Script, schedule: Schedule | None) -> str:
    """"Both of those", of two cues or of two with a part of the face."""
    m = _BOTH.search(text.lower())
    if m is None or text.rstrip().endswith("?"):
        return text
    places = places_of(m["part"])
    own = [i for i, c in enumerate(script.cues) if places is None or _moves(c, places)]
    return f"{text[:m.start()]}{called(own[0], script)} and {called(own[1], script)}{text[m.end():]}" if len(own) == 2 else text


def _timed(text: str, script: Script, schedule: Schedule | None) -> str:
    if re.match(r"\W*(?:what|how) about\b", text.lower()):
        return text
    if schedule is None or not (m := _AT.search(text.lower())) or _asks(text[:m.start()]):
        return text
    span = next((s for s in find_spans(text.lower()) if s.start > m.end() and text.lower()[m.end():s.start].strip() in (
        "", "second", "the")), None)
    told = _TOLD.search(text[:m.start()].lower()) and m[0].startswith("what")
    if span is None or told or text.rstrip().endswith("?") and m[0].startswith("what"):
        return text
    for i in range(len(script.cues)):
        own = schedule.of_cue(i)
        if own and min(e.start for e in own) - 0.3 <= span.value <= max(e.end(schedule.seconds) for e in own):
            return f"{text[:m.start()]}{called(i, script)}{text[span.end:]}"
    raise ValueError(f"nothing is performed at {span.value:g} s; there {_there(script)}")


def _grouped(text: str, script: Script, schedule: Schedule | None) -> str:
    m = _SEVERAL.search(text.lower())
    if m is None or _asks(text[:m.start()]):
        return text
    n = 2 if m["n"] in ("two", "2") else 3
    if n > len(script.cues):
        raise ValueError(f"there are only {len(script.cues)}: {_there(script)}")
    own = range(n) if m["nth"] == "first" else range(len(script.cues) - n, len(script.cues))
    return f"{text[:m.start()]}{' and '.join(called(i, script) for i in own)}{text[m.end():]}"


def _placed(text: str, script: Script, schedule: Schedule | None) -> str:
    """What is done with a part of the face, where only one thing is."""
    for words, places in PLACES.items():
        pattern = (r"\b(?:the|that|this|her|his) (?:(?:thing|bit|part|stuff|move|movement)"
                   r"(?: (?:that )?(?:s?he|they) do(?:es)?)?"
                   rf" (?:with|of|around|in|on) (?:the|her|his|their) (?:{words})"
                   rf"|(?:{words})(?: |-)(?:thing|bit|part|stuff|move|movement))\b")
        m = re.search(pattern, text.lower())
        if m is None or _asks(text[:m.start()]):
            continue
        own = [i for i, c in enumerate(script.cues) if _moves(c, places)]
        exact = [i for i in own if script.cues[i].kind == "action"]
        if len(exact or own) == 1:
            return f"{text[:m.start()]}{called((exact or own)[0], script)}{text[m.end():]}"
    return text


def _all_beside(text: str, script: Script, schedule: Schedule | None) -> str:
    """"Everything after the smile"."""
    m = _ALL_BESIDE.search(text.lower())
    listed = m is not None and re.search(r"\b(?:(?:give|tell|show) (?:me|us)|name|list|enumerate)\s*$", text[:m.start()].lower())
    if m is None or listed or text.rstrip().endswith("?") or _asks(text[:m.start()]):
        return text
    after = ENDS.split(text[m.end():], maxsplit=1)[0]
    own = named(after, script)
    if not own:
        return text
    rest = range(own[-1] + 1, len(script.cues)) if m["where"] in ("after", "following") else range(own[0])
    if not rest:
        raise ValueError(f"nothing is performed {m['where']} {after.strip()}; there {_there(script)}")
    names = list(dict.fromkeys(called(i, script) for i in rest))
    return f"{text[:m.start()]}{' and '.join(names)}{text[m.end() + len(after):]}"


def _beside(text: str, script: Script, schedule: Schedule | None) -> str:
    """What comes right before or after something that is named, and "between those two" of two cues."""
    m = _BESIDE.search(text.lower())
    named_all = re.match(r"\W*(?:name|list|enumerate)\b", text.lower())
    asked = named_all or text.rstrip().endswith("?") and m is not None and m[0].startswith("what")
    if m is not None and not asked and not _asks(text[:m.start()]):
        after = ENDS.split(text[m.end():], maxsplit=1)[0]
        own = named(after, script)
        leads = m["where"] in ("before", "preceding", "ahead of") or bool(m["leads"])
        at = own[0 if leads else -1] + (-1 if leads else 1) if own else -1
        told = m[0].startswith("what") and _TOLD.search(text[:m.start()].lower())
        asks = told or m[0].startswith("what ") and not f"{text[:m.start()]}{text[m.end() + len(after):]}".strip(" .!")
        if 0 <= at < len(script.cues) and not asks:
            return f"{text[:m.start()]}{called(at, script)}{text[m.end() + len(after):]}"
    m = _AMID.search(text.lower())
    if m is not None and len(script.cues) == 2 and not text.rstrip().endswith("?"):
        return f"{text[:m.start()]}after {called(0, script)}{text[m.end():]}"
    return text


def _moves(cue: Cue, places: set[str]) -> bool:
    names = (cue.action,) if cue.kind == "action" else explains(cue)
    return any(n in ACTION and ACTION[n].region in places for n in names)


def _numbered(text: str, script: Script, ones: bool) -> str:
    """Every place of the order that is named; "the second one" too where that is nothing else."""
    for pattern in [_NTH, _MIDDLE] + [_ONE] * ones:
        for m in reversed(list(pattern.finditer(text.lower()))):
            before = text[:m.start()]
            claimed = _CLAIMS.match(text.lower()) and not text[m.end():].strip(" ?.!")
            if claimed or _asks(before) or _IS.fullmatch(text[m.end():].lower()):
                continue
            if EDGE_ALONE.match(text.lower()) or m[0] == text.lower().strip(" .?!") or re.search(r"\b(?:that|this)\s*$", before):
                continue
            found = m.groupdict()
            if pattern is _MIDDLE:
                if len(script.cues) % 2 == 0:
                    continue
                at = len(script.cues) // 2
            elif found.get("but"):
                at = -2
            elif found.get("n"):
                at = NUMBERS.get(found["n"], int(found["n"]) - 1 if found["n"].isdigit() else 0)
            else:
                at = _ORDER[found["nth"]]
            places = places_of(found.get("part"))
            own = [i for i, c in enumerate(script.cues) if places is None or _moves(c, places)]
            if not -len(own) <= at < len(own):
                raise ValueError(f"there is no {m[0].removeprefix('the ')}; there {_there(script)}")
            text = f"{text[:m.start()]}{called(own[at], script)}{text[m.end():]}"
    return text


def _repeated(text: str, script: Script) -> bool:
    """Whether a line names something that occurs more than once, of which "the second one" may be."""
    several = {c.name for c in script.cues if (c.count or 1) > 1 or sum(d.name == c.name for d in script.cues) > 1}
    return any(same_name(c, n) for t in read_things(spelled(text)) for n in t.names for c in script.cues if c.name in several)


def _there(script: Script) -> str:
    names = [c.name.replace("_", " ") for c in script.cues]
    return ("is " if len(names) == 1 else "are ") + ", ".join(names)
