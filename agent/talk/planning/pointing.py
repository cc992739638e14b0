"""What a line points at instead of naming it: "the fourth move", "what she does at 5 s", "the bit with the mouth"."""

from __future__ import annotations

import re
from functools import cache

from ....data_gen.reading.questions import read_things, spelled
from ....data_gen.text.quantities import find_spans
from ....face.facs.evidence.happenings import Thing
from ....face.facs.evidence.parts import explains
from ....face.facs.schedule import Schedule
from ....face.facs.script import Cue, Script
from ....face.facs.vocabulary import ACTION, USUAL_STRENGTH
from ...editing.operations import same_name

_ORDER = {"first": 0, "1st": 0, "opening": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4,
          "5th": 4, "sixth": 5, "6th": 5, "last": -1, "final": -1, "closing": -1, "finishing": -1, "penultimate": -2,
          "second to last": -2, "second-to-last": -2, "next to last": -2}
_NAMED = ("first", "second", "third", "fourth", "fifth", "sixth")
_NUMBERS = {"one": 0, "two": 1, "three": 2, "four": 3, "five": 4, "six": 5}
_MOVE = r"(?:moves?|things?|actions?|movements?|bits?|parts?|cues?|steps?|gestures?|expressions?)\b"
_WHO = r"(?: (?:that )?(?:s?he|they|it) (?:do(?:es)?|did|makes?|shows?))?"
_AT = re.compile(r"\b(?:what(?:ever)?|(?:the|that|this) (?:\w+ )?(?:thing|bit|part|move|action|one|movement))(?: that)?"
                 r"(?: it is)?(?: (?:s?he|they|it)(?:'s| is)?)?"
                 r"(?: (?:do(?:es)?|did|happens?|is doing|doing|comes?|goes on|is|up to))? (?:at|around|about)(?: around"
                 r"| about)?(?: the)?(?= )")
_NTH = re.compile(rf"\b(?:the |her |his |their )?(?:very )?(?P<nth>{'|'.join(_ORDER)})"
                  rf"(?: (?P<part>head|eye|lid|mouth|lip|brow|eyebrow|nose))? {_MOVE}{_WHO}\b")
_ONE = re.compile(rf"\bthe (?P<nth>{'|'.join(_ORDER)}) one\b(?! of)"
                  rf"|(?<!clip )(?<!version )\bnumber (?P<n>{'|'.join(_NUMBERS)}|[1-6])\b")
_ONE_OF = re.compile(r"\b(?:go(?:ing)?|back|switch|return|jump|compare|between)\b.*\bone\b")
"""Clips, not cues."""
_MIDDLE = re.compile(rf"\b(?:the )?(?:middle (?:one|{_MOVE})|(?:one|{_MOVE}) in the middle){_WHO}\b")
_SEVERAL = re.compile(rf"\b(?:the )?(?P<nth>first|last) (?P<n>two|three|2|3)(?: {_MOVE}{_WHO}\b"
                      r"|(?=\W*$|,? (?:out|off|away|can|should|go|gone|are|need|must|both|please|pls)\b))")
_BESIDE = re.compile(rf"\b(?:what(?:ever)?(?: it is)?|the (?:{_MOVE}|one))"
                     r"(?: (?:that )?(?:s?he|they|it) (?:do(?:es)?|did)| (?:that )?(?:comes|happens|is))?"
                     r" (?:right |just |directly |straight |immediately )?(?P<where>after|before|following|preceding)\b"
                     r"|\bwhat(?:ever)? (?:follows|succeeds|comes next to)(?: on(?: from)?| after| from)?(?= )"
                     r"|\bwhat(?:ever)? (?P<leads>precedes)\b")
_ENDS = re.compile(r"[,.;:!?]| (?:and|but|or|should|can|could|must|may|might|has|have|needs?|is|are|was|gets?|goes|go|done|made"
                   r"|out|away|off|gone|please|pls|to|for|at|by|twice|once|thrice|(?:\w+ )?times"
                   r"|(?:much |a bit )?(?:stronger|weaker|longer|shorter|faster|slower|earlier|later|bigger|smaller))\b")
"""Where the words end that say what something is beside."""
_APART = re.compile(r"\bthe (?P<x>\w+(?: \w+)?) (?:that|which) (?:comes|is|happens|goes) (?:right |just |directly |straight )?"
                    r"(?P<where>after|before|following) (?P<y>[\w ]{3,30})")
"""One of several by what is beside it: "the nod that comes after the smile"."""
_MORE_OF = r"strong|big|bold|broad|large|clear|intens|hard|deep"
_LESS_OF = r"weak|small|faint|slight|soft|mild|subtle|subtl|gentl"
_RANK = rf"(?P<rank>{_MORE_OF}|{_LESS_OF}|long|short)(?:est|st|er|r)"
_OF = r"of (?:the|those|these|her|his) (?:(?:two|three|2|3) )?"
_RANKED = re.compile(rf"\b{_OF}(?P<of>\w+s),? (?:the )?{_RANK}(?: one)?\b"
                     rf"|\bthe {_RANK.replace('rank', 'rank2')} (?:one )?(?:{_OF})?(?P<x>\w+)\b")
"""One of several by which is more of it: "of the two smiles the weaker one"."""
_NAMED_NTH = re.compile(rf"\b(?:the )?(?P<x>\w+) (?:number|no\.?|nr\.?|#) ?(?P<n>{'|'.join(_NUMBERS)}|[1-6])\b")
_EDGE = re.compile(rf"\bthe (?:one|{_MOVE}) (?:right )?at the (?:very )?(?P<at>end|finish|start|beginning)\b", re.IGNORECASE)
_MOST = re.compile(rf"\bthe (?:one|{_MOVE})(?: (?:that|which))?(?: (?:s?he|it))? (?:takes|lasts|goes on|does|holds|is|lasting"
                   rf"|taking)(?: for)? (?:the )?"
                   r"(?P<most>longest|shortest)\b")
_BETWEEN = re.compile(rf"\b(?:what(?:ever)?|the (?:one|{_MOVE}))(?: (?:that|which))?(?: (?:s?he|it))?(?: (?:is|does|comes?"
                      rf"|coming|happens|happening|goes))*"
                      r" (?:in )?between (?P<x>[\w ]{2,25}?) and (?P<y>[\w ]{2,25})")
_AMID = re.compile(r"\b(?:in )?between (?:(?:those|these|the) (?:two|2)|them|both)\b")
_PLACES = {r"head|neck": {"head"}, r"(?:eye)?brows?|forehead": {"brows"}, r"eyes?|(?:eye)?lids?": {"lids", "gaze"},
           r"mouth|lips?|jaw": {"mouth", "jaw"}, r"nose": {"nose"}}
_BECOMES = re.compile(r"\b(?:be|is|as|becomes?|comes?|goes|go|was|been|it|happens?)\s*$")
"""What should be the last thing is not the last thing."""
_IS = re.compile(r"(?: (?:in|of) (?:the|this|it)(?: \w+)?)? (?:is|was|would be|will be)(?: what| which)?\W*")
"""After what is pointed at: it is asked what it is."""
_ASKED = re.compile(r"\b(?:what|which|whats|what's)\b(?:(?! s?he ).)*$")
"""A question after what the thing is, before the words that point at it."""


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
    text = _EDGE.sub(lambda m: f"the {'last' if m['at'] in ('end', 'finish') else 'first'} thing", text) if script.cues else text
    for step in (_nth_of_name, _most, _amid, _apart, _ranked, _timed, _grouped, _placed, _beside):
        text = step(text, script, schedule)
    ones = clips == 1 and len(script.cues) > 1 and not _ONE_OF.search(text.lower()) and not _repeated(f"{before} {text}", script)
    return _numbered(text, script, ones)


def _name(index: int, script: Script) -> str:
    """How a cue is called so that no other one is meant."""
    cue = script.cues[index]
    same = [k for k, c in enumerate(script.cues) if c.name == cue.name]
    order = f"{_NAMED[same.index(index)]} " if 1 < len(same) <= len(_NAMED) else ""
    return f"the {order}{_spoken(cue.name, cue.action)}"


@cache
def _spoken(name: str, action: str) -> str:
    """A name in words that are read as the same."""
    plain = name.replace("_", " ")
    label = ACTION[action].label if action in ACTION and name in ACTION else plain
    return next((w for w in (plain, label) if any(name in t.names or action in t.names for t in read_things(f"the {w}"))), plain)


def _asks(before: str) -> bool:
    """Whether the words before ask what the thing is, or say what becomes it."""
    return bool(_ASKED.search(before.lower()) or _BECOMES.search(before.lower()))


def _named(words: str, script: Script) -> list[int]:
    """The cues that some words name; the one of them that is meant, where the words say it: "the second nod"."""
    things = read_things(spelled(words).lower())
    return _of_thing(things[0], script) if things else []


def _named_before(text: str, script: Script, before: str) -> str:
    """"The former", "the latter", and "what comes before it", where it is what was spoken of before."""
    said = [i for t in read_things(spelled(before).lower()) for i in _of_thing(t, script)]
    pair = said if len(set(said)) == 2 else list(range(len(script.cues)))
    if len(set(pair)) == 2:
        for word, at in (("former", pair[0]), ("latter", pair[-1])):
            text = re.sub(rf"\bthe {word}(?: one)?\b", _name(at, script), text, flags=re.IGNORECASE)
    if said and (m := _BESIDE.search(text.lower())) and (it := re.match(r" (?:it|that|this)\b", text[m.end():])):
        text = f"{text[:m.end()]} {_name(said[-1], script)}{text[m.end() + it.end():]}"
    return text


def _of_thing(thing: Thing, script: Script) -> list[int]:
    own = [i for i, c in enumerate(script.cues) if any(same_name(c, n) for n in thing.names)]
    return own if thing.which is None or not -len(own) <= thing.which < len(own) else [own[thing.which]]


def _nth_of_name(text: str, script: Script, schedule: Schedule | None) -> str:
    """"Nod number two"."""
    m = _NAMED_NTH.search(text.lower())
    at = -1 if m is None else _NUMBERS[m["n"]] if m["n"] in _NUMBERS else int(m["n"]) - 1
    if m is None or not read_things(spelled(m["x"])) or at >= len(_NAMED):
        return text
    return f"{text[:m.start()]}the {_NAMED[at]} {m['x']}{text[m.end():]}"


def _apart(text: str, script: Script, schedule: Schedule | None) -> str:
    m = _APART.search(text.lower())
    if m is None or len(own := _named(m["x"], script)) < 2:
        return text
    words = _ENDS.split(m["y"], maxsplit=1)[0]
    sign = -1 if m["where"] == "before" else 1
    near = [(sign * (i - b), i) for i in own for b in _named(words, script) if sign * (i - b) > 0]
    if not near:
        return text
    return f"{text[:m.start()]}{_name(min(near)[1], script)}{text[m.start('y') + len(words):]}"


def _ranked(text: str, script: Script, schedule: Schedule | None) -> str:
    m = _RANKED.search(text.lower())
    if m is None or len(own := _named(m["of"] or m["x"], script)) < 2:
        return text
    rank = m["rank"] or m["rank2"]

    def size(i: int) -> float:
        cue = script.cues[i]
        if rank not in ("long", "short"):
            return cue.strength if cue.strength is not None else USUAL_STRENGTH
        return cue.seconds or (_lasts(i, schedule) if schedule is not None else 0.0)
    more = rank == "long" or bool(re.fullmatch(_MORE_OF, rank))
    order = sorted(own, key=size, reverse=more)
    if abs(size(order[0]) - size(order[1])) < 0.02:
        return text
    return f"{text[:m.start()]}{_name(order[0], script)}{text[m.end():]}"


def _lasts(index: int, schedule: Schedule) -> float:
    """Seconds from a cue's first event to the end of its last one."""
    own = schedule.of_cue(index)
    return max((e.end(schedule.seconds) for e in own), default=0.0) - min((e.start for e in own), default=0.0)


def _most(text: str, script: Script, schedule: Schedule | None) -> str:
    """"The one that takes the longest"."""
    m = _MOST.search(text.lower())
    if m is None or schedule is None or len(script.cues) < 2 or text.rstrip().endswith("?") or _asks(text[:m.start()]):
        return text
    order = sorted(range(len(script.cues)), key=lambda i: _lasts(i, schedule), reverse=m["most"] == "longest")
    return f"{text[:m.start()]}{_name(order[0], script)}{text[m.end():]}"


def _amid(text: str, script: Script, schedule: Schedule | None) -> str:
    """"The one that comes between the smile and the wink"."""
    m = _BETWEEN.search(text.lower())
    if m is None or text.rstrip().endswith("?") or _asks(text[:m.start()]):
        return text
    second = _ENDS.split(m["y"], maxsplit=1)[0]
    ends = sorted(i for words in (m["x"], second) for i in _named(words, script)[:1])
    if len(ends) != 2 or ends[1] - ends[0] != 2:
        return text
    return f"{text[:m.start()]}{_name(ends[0] + 1, script)}{text[m.start('y') + len(second):]}"


def _timed(text: str, script: Script, schedule: Schedule | None) -> str:
    if schedule is None or not (m := _AT.search(text.lower())) or _asks(text[:m.start()]):
        return text
    span = next((s for s in find_spans(text.lower()) if s.start > m.end() and text.lower()[m.end():s.start].strip() in (
        "", "second", "the")), None)
    if span is None or text.rstrip().endswith("?") and m[0].startswith("what"):
        return text
    for i in range(len(script.cues)):
        own = schedule.of_cue(i)
        if own and min(e.start for e in own) - 0.3 <= span.value <= max(e.end(schedule.seconds) for e in own):
            return f"{text[:m.start()]}{_name(i, script)}{text[span.end:]}"
    raise ValueError(f"nothing is performed at {span.value:g} s; there {_there(script)}")


def _grouped(text: str, script: Script, schedule: Schedule | None) -> str:
    m = _SEVERAL.search(text.lower())
    if m is None or _asks(text[:m.start()]):
        return text
    n = 2 if m["n"] in ("two", "2") else 3
    if n > len(script.cues):
        raise ValueError(f"there are only {len(script.cues)}: {_there(script)}")
    own = range(n) if m["nth"] == "first" else range(len(script.cues) - n, len(script.cues))
    return f"{text[:m.start()]}{' and '.join(_name(i, script) for i in own)}{text[m.end():]}"


def _placed(text: str, script: Script, schedule: Schedule | None) -> str:
    """What is done with a part of the face, where only one thing is."""
    for words, places in _PLACES.items():
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
            return f"{text[:m.start()]}{_name((exact or own)[0], script)}{text[m.end():]}"
    return text


def _beside(text: str, script: Script, schedule: Schedule | None) -> str:
    """What comes right before or after something that is named, and "between those two" of two cues."""
    m = _BESIDE.search(text.lower())
    if m is not None and not _asks(text[:m.start()]) and not (text.rstrip().endswith("?") and m[0].startswith("what")):
        after = _ENDS.split(text[m.end():], maxsplit=1)[0]
        own = _named(after, script)
        leads = m["where"] in ("before", "preceding") or bool(m["leads"])
        at = own[0 if leads else -1] + (-1 if leads else 1) if own else -1
        asks = m[0].startswith("what ") and not f"{text[:m.start()]}{text[m.end() + len(after):]}".strip(" .!")
        if 0 <= at < len(script.cues) and not asks:
            return f"{text[:m.start()]}{_name(at, script)}{text[m.end() + len(after):]}"
    m = _AMID.search(text.lower())
    if m is not None and len(script.cues) == 2 and not text.rstrip().endswith("?"):
        return f"{text[:m.start()]}after {_name(0, script)}{text[m.end():]}"
    return text


def _moves(cue: Cue, places: set[str]) -> bool:
    names = (cue.action,) if cue.kind == "action" else explains(cue)
    return any(n in ACTION and ACTION[n].region in places for n in names)


def _numbered(text: str, script: Script, ones: bool) -> str:
    """Every place of the order that is named; "the second one" too where that is nothing else."""
    for pattern in [_NTH, _MIDDLE] + [_ONE] * ones:
        for m in reversed(list(pattern.finditer(text.lower()))):
            before = text[:m.start()]
            if _asks(before) or _IS.fullmatch(text[m.end():].lower()):
                continue
            if m[0] == text.lower().strip(" .?!") or re.search(r"\b(?:that|this)\s*$", before):
                continue
            found = m.groupdict()
            if pattern is _MIDDLE:
                if len(script.cues) % 2 == 0:
                    continue
                at = len(script.cues) // 2
            elif found.get("n"):
                at = _NUMBERS.get(found["n"], int(found["n"]) - 1 if found["n"].isdigit() else 0)
            else:
                at = _ORDER[found["nth"]]
            places = next((p for words, p in _PLACES.items() if found.get("part") and re.fullmatch(words, found["part"])), None)
            own = [i for i, c in enumerate(script.cues) if places is None or _moves(c, places)]
            if not -len(own) <= at < len(own):
                raise ValueError(f"there is no {m[0].removeprefix('the ')}; there {_there(script)}")
            text = f"{text[:m.start()]}{_name(own[at], script)}{text[m.end():]}"
    return text


def _repeated(text: str, script: Script) -> bool:
    """Whether a line names something that occurs more than once, of which "the second one" may be."""
    several = {c.name for c in script.cues if (c.count or 1) > 1 or sum(d.name == c.name for d in script.cues) > 1}
    return any(same_name(c, n) for t in read_things(spelled(text)) for n in t.names for c in script.cues if c.name in several)


def _there(script: Script) -> str:
    names = [c.name.replace("_", " ") for c in script.cues]
    return ("is " if len(names) == 1 else "are ") + ", ".join(names)
