"""Which of several a line means: "the shorter of the two smiles", "the left wink", "the one that lasts longest"."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

from ....data_gen.reading.questions import read_things
from ....data_gen.reading.spelling import spelled
from ....face.facs.evidence.happenings import Thing
from ....face.facs.schedule import Schedule
from ....face.facs.script import Script
from ....face.facs.vocabulary import ACTION, EMOTIONS, FEELING, USUAL_STRENGTH
from ...editing.operations import same_name

MOVE = r"(?:moves?|things?|actions?|movements?|bits?|parts?|cues?|steps?|gestures?|expressions?)\b"
NUMBERS = {"one": 0, "two": 1, "three": 2, "four": 3, "five": 4, "six": 5}
_NAMED = ("first", "second", "third", "fourth", "fifth", "sixth")
ENDS = re.compile(r"[,.;:!?]| [-–—]+ | (?:and|but|or|should|can|could|must|may|might|has|have|needs?|is|are|was|gets?|goes|go"
                  r"|done|made|out|away|off|gone|please|pls|to|for|at|by|twice|once|thrice|(?:\w+ )?times"
                  r"|(?:much |a bit )?(?:stronger|weaker|longer|shorter|faster|slower|earlier|later|bigger|smaller))\b")
"""Where the words end that say what something is beside."""
_APART = re.compile(r"\bthe (?P<x>\w+(?: \w+)?) (?:(?:that|which) (?:comes|is|happens|goes) )?"
                    r"(?:right |just |directly |straight )?(?P<where>after|before|following) (?P<y>[\w ]{3,30})")
"""One of several by what is beside it: "the nod that comes after the smile"."""
_MOST = re.compile(rf"\bthe (?:one|{MOVE})(?: (?:that|which))?(?: (?:s?he|it))? (?:takes|lasts|goes on|does|holds|is|lasting"
                   rf"|taking)(?: for)? (?:the )?"
                   r"(?P<most>longest|shortest)\b")
_NTH = re.compile(rf"\b(?:the )?(?P<x>\w+) (?:number|numero|no\.?|nr\.?|#) ?(?P<n>{'|'.join(NUMBERS)}|uno|dos|tres|[1-6])\b")
PLACES = {r"head|neck": {"head"}, r"(?:eye)?brows?|forehead": {"brows"}, r"eyes?|(?:eye)?lids?": {"lids", "gaze"},
           r"mouth|lips?|jaw": {"mouth", "jaw"}, r"nose": {"nose"}}
_ORDINALS = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "last": -1}
_NTH_ONE = re.compile(rf"(?:\bthe |^)(?P<nth>{'|'.join(_ORDINALS)}) one\b(?! of)")
_FOREIGN = {"uno": 0, "dos": 1, "tres": 2}
_QUALITIES: tuple[tuple[str, str, str], ...] = (
    ("strength", r"strong|big(?:g)?|bold|broad|large?|huge|clear|intens|hard|deep|heav[yi]|wide?|powerful|pronounced|high",
     r"weak|small|faint|slight|soft|mild|subtle?|gentl|feeble?|timid|tiny|tini|little?|light|modest|weedy|shy|low"),
    ("length", r"long|lengthy|lengthi|drawn-out|drawn out|extended|prolonged|lasting", r"short|brief|fleeting"),
    ("speed", r"fast|quick|rapid|hurried|rushed|brisk|swift|speedy|hasty", r"slow|leisurely|sluggish"),
    ("order", r"later|latter", r"earlier|former"))
"""What several differ in, and adjectives for much of it and for little."""
_QUALITY = {rf"(?:{words})(?:e?st|e?r)?": (by, more) for by, much, little in _QUALITIES
            for words, more in ((much, True), (little, False))}
_SIDED = r"(?:left|right)(?:[- ]?(?:eyed?|hand(?:ed)?|sided?))?(?:[- ](?:eye|side|hand))?"
_WORDS = rf"(?:{'|'.join(_QUALITY)}|{_SIDED})"
_OF = r"of (?:the|those|these|her|his) (?:(?:two|three|2|3) )?"
_ONE = re.compile(rf"\b{_OF}(?P<of>[\w-]+s\b),? (?:the )?(?P<q1>{_WORDS})(?: one)?\b"
                  rf"|\bthe (?P<q2>{_WORDS}) (?:one )?{_OF}(?P<x2>(?:\w+ )?[\w-]+s)\b"
                  rf"|\bthe (?P<q3>{_WORDS}) one\b"
                  rf"|\b(?:the|her|his) (?P<q4>{_WORDS}) (?P<x4>[\w-]+(?: (?:lift|raise|shake|turn|tilt|out|up|down))?)\b"
                  rf"|\bthe (?P<x5>[\w-]+) (?:with|on|to) (?:the |her |his )?(?P<q5>{_SIDED})\b")
"""One of several by how it is."""
_MANY = re.compile(r"\bthe (?P<x>[\w-]+)(?: one)?(?: (?:that|which)(?:'s| has| is)(?: got)?| with)? (?:the )?"
                   r"(?P<more>more|most|fewer|fewest|less|least) (?:\w+ in it|\w+|in it)\b")
_GOES_TO = re.compile(r"\b(?:the|that|her|his) (?P<x>(?:head )?(?:look|turn|tilt|glance|gaze|lean|wink)) "
                      r"(?:to|towards|on|at|with) (?:the |her |his )?(?P<side>left|right)\b(?! eye)")
_OTHER = re.compile(r"\b(?:the|that) other (?P<x>one|[\w-]+)\b")
_FELT = re.compile(r"\b(?:the|that|her|his) (?P<x>[\w-]+) one\b")
_CLIPS = re.compile(r"\b(?:clips?|versions?|takes?|videos?|go(?:ing)? (?:back|to)|back|switch|return|jump|compare|same)\b")


def places_of(part: str | None) -> set[str] | None:
    """The regions of a part of the face, by its word; None of no such part."""
    return next((p for words, p in PLACES.items() if part and re.fullmatch(words, part)), None)


def called(index: int, script: Script) -> str:
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


def named(words: str, script: Script) -> list[int]:
    """The cues that some words name; the one of them that is meant, where the words say it: "the second nod"."""
    things = read_things(spelled(words).lower())
    return of_thing(things[0], script) if things else []


def of_thing(thing: Thing, script: Script) -> list[int]:
    """The cues that a thing is; the one of them that it is where it says which."""
    own = [i for i, c in enumerate(script.cues) if any(same_name(c, n) for n in thing.names)]
    return own if thing.which is None or not -len(own) <= thing.which < len(own) else [own[thing.which]]


def lasts(index: int, schedule: Schedule) -> float:
    """Seconds from a cue's first event to the end of its last one."""
    own = schedule.of_cue(index)
    return max((e.end(schedule.seconds) for e in own), default=0.0) - min((e.start for e in own), default=0.0)


def one_of_several(text: str, script: Script, schedule: Schedule | None, before: str = "", clips: int = 1,
                   asks: Callable[[str], bool] = lambda words: False) -> str:
    """A line with the one of several that it means by its number: "the shorter nod" as "the second nod".

    Args:
        text: what somebody said.
        script: what is performed.
        schedule: when; None where it is not known.
        before: what was said before it.
        clips: how many there are; of several, "the other one" is a clip.
        asks: whether the words before something ask what it is, or say what becomes it.
    """
    text = _by_quality(_apart(_by_number(text), script), script, schedule, asks)
    text = _by_side(_by_count(text, script), script)
    m = _MOST.search(text.lower())
    if m and len(script.cues) > 1 and schedule is not None and not text.rstrip().endswith("?") and not asks(text[:m.start()]):
        at = _extreme(range(len(script.cues)), lambda i: lasts(i, schedule), m["most"] == "longest", 0.0)
        text = text if at is None else f"{text[:m.start()]}{called(at, script)}{text[m.end():]}"
    if clips > 1 or _CLIPS.search(text.lower()):
        return text
    return _nth_of_before(_other(_by_feeling(text, script), script, before), script, before)


def _nth_of_before(text: str, script: Script, before: str) -> str:
    """"The second one", of several that were spoken of before."""
    m = _NTH_ONE.search(text.lower())
    one = len(re.findall(rf"\b(?:{'|'.join(_ORDINALS)})\b", text.lower())) == 1
    things = read_things(spelled(before).lower()) if m and one and not read_things(spelled(text).lower()) else ()
    if m is None or not things:
        return text
    own = of_thing(replace(things[-1], which=None), script)
    at = _ORDINALS[m["nth"]]
    return f"{text[:m.start()]}{called(own[at], script)}{text[m.end():]}" if len(own) > 1 and -len(own) <= at < len(own) else text


def _by_number(text: str) -> str:
    """"Nod number two"."""
    m = _NTH.search(text.lower())
    if m is None or not read_things(spelled(m["x"])):
        return text
    at = int(m["n"]) - 1 if m["n"].isdigit() else (NUMBERS | _FOREIGN)[m["n"]]
    return f"{text[:m.start()]}the {_NAMED[at]} {m['x']}{text[m.end():]}"


def _apart(text: str, script: Script) -> str:
    m = _APART.search(text.lower())
    if m is None or len(own := named(m["x"], script)) < 2:
        return text
    words = ENDS.split(m["y"], maxsplit=1)[0]
    sign = -1 if m["where"] == "before" else 1
    near = [(sign * (i - b), i) for i in own for b in named(words, script) if sign * (i - b) > 0]
    if not near:
        return text
    return f"{text[:m.start()]}{called(min(near)[1], script)}{text[m.start('y') + len(words):]}"


def _extreme(own: Sequence[int], size: Callable[[int], float], most: bool, least: float = 0.02) -> int | None:
    """The one that has most or least of something; None where two are alike."""
    order = sorted(own, key=size, reverse=most)
    return order[0] if len(order) > 1 and abs(size(order[0]) - size(order[1])) > least else None


def _by_quality(text: str, script: Script, schedule: Schedule | None, asks: Callable[[str], bool]) -> str:
    for m in reversed(list(_ONE.finditer(text.lower()))):
        word = next(m[g] for g in ("q1", "q2", "q3", "q4", "q5") if m[g])
        what = next((m[g] for g in ("of", "x2", "x4", "x5") if m[g]), "")
        own = named(what, script) if what else _repeated(text[:m.start()] + text[m.end():], script)
        before = text[:m.start()].split()
        if len(own) < 2 or asks(text[:m.start()]) or before and named(before[-1], script):
            continue  # "make the nod the longer one"
        at = _of_quality(word, own, script, schedule)
        if at is not None:
            text = f"{text[:m.start()]}{called(at, script)}{text[m.end():]}"
    return text


def _repeated(text: str, script: Script) -> list[int]:
    """The cues of the one thing that occurs several times: which the line names, or else the script's only such thing."""
    several = [n for n in dict.fromkeys(c.name for c in script.cues) if sum(c.name == n for c in script.cues) > 1]
    said = [n for t in read_things(spelled(text).lower()) for n in several if any(same_name(c, m) for m in t.names
                                                                                 for c in script.cues if c.name == n)]
    name = next(iter(said or several), "") if len(set(said) or several) == 1 else ""
    return [i for i, c in enumerate(script.cues) if c.name == name]


def _of_quality(word: str, own: Sequence[int], script: Script, schedule: Schedule | None) -> int | None:
    if re.match(_SIDED, word) and (side := re.match(r"left|right", word)):
        sided = [i for i in own if script.cues[i].side == side[0]]
        return sided[0] if len(sided) == 1 else None
    by, more = next(v for k, v in _QUALITY.items() if re.fullmatch(k, word))

    def size(i: int) -> float:
        cue = script.cues[i]
        if by == "strength":
            return cue.strength if cue.strength is not None else USUAL_STRENGTH
        if by == "speed":
            return cue.speed or 1.0
        if by == "order":
            return float(i)
        return cue.seconds or (lasts(i, schedule) if schedule is not None else 0.0)
    return _extreme(own, size, more)


def _by_side(text: str, script: Script) -> str:
    """"The look to the left", of two looks."""
    m = _GOES_TO.search(text.lower())
    own = [i for i in named(m["x"], script) if script.cues[i].side == m["side"]] if m else []
    others = [i for i in named(m["x"], script) if i not in own] if m else []
    return f"{text[:m.start()]}{called(own[0], script)}{text[m.end():]}" if m and len(own) == 1 and others else text


def _by_count(text: str, script: Script) -> str:
    """"The nodding with more nods in it"."""
    m = _MANY.search(text.lower())
    own = named(m["x"], script) if m else []
    if m is None or len(own) < 2:
        return text
    at = _extreme(own, lambda i: float(script.cues[i].count or 1), m["more"] in ("more", "most"))
    return text if at is None else f"{text[:m.start()]}{called(at, script)}{text[m.end():]}"


def _by_feeling(text: str, script: Script) -> str:
    """"The gloomy one", where one thing that is performed is called so."""
    for m in reversed(list(_FELT.finditer(text.lower()))):
        own = [i for i in named(m["x"], script) if script.cues[i].name in EMOTIONS or script.cues[i].name in FEELING]
        if len(own) == 1:
            text = f"{text[:m.start()]}{called(own[0], script)}{text[m.end():]}"
    return text


def _other(text: str, script: Script, before: str) -> str:
    """"The other one", of two one of which is named, in the line or in the one before it."""
    m = _OTHER.search(text.lower())
    if m is None:
        return text
    pairs = [own for n in dict.fromkeys(c.name for c in script.cues)
             if len(own := [i for i, c in enumerate(script.cues) if c.name == n]) == 2]
    if m["x"] != "one":
        pairs = [own for own in pairs if set(own) == set(named(m["x"], script))]
    elif len(script.cues) == 2:
        pairs = [[0, 1]]
    for said in (text[:m.start()], before):
        told = [i for t in read_things(spelled(said).lower()) for i in [of_thing(t, script)] if len(i) == 1]
        for own in pairs:
            known = [i[0] for i in told if i[0] in own]
            if known:
                left = own[1 - own.index(known[-1])]
                return f"{text[:m.start()]}{called(left, script)}{text[m.end():]}"
    return text
