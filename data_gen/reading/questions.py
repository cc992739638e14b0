"""Questions in English about what a face does, read into typed queries by rules (``questions.yaml``)."""

from __future__ import annotations

import re
from dataclasses import replace

from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from ...face.facs.evidence.happenings import Thing
from ...face.facs.evidence.query import Asked, Part, Query
from ...face.facs.script import Cue, mark
from ...face.facs.vocabulary import ACTION, BEHAVIOUR, DIRECTIONS, EMOTIONS, FEELING, Side
from ..tables import read_table
from ..text.quantities import Marked, find_quantities
from .comparing import claimed, limited_to, measured_by, region_of, two_moments
from .rules import read_rules
from .spelling import COMPARED, spelled
from .tags import untagged

Patterns = tuple[str, ...]
_LEAST = 0.2
"""Share of a question's words that what it names explains at least."""
_PARTS: tuple[tuple[Part, str], ...] = (("start", r"\bat the (?:start|beginning|very start)\b|\binitially\b"),
                                        ("end", r"\bat the (?:very )?end\b|\bfinally\b"),
                                        ("middle", r"\bin the (?:very )?middle\b(?! of (?!the (?:clip|video)))|\bmidway\b"))
_DIRECTED = re.compile(r"\b(tilt|turn|wink|lean)(?:s|ed|ing)?\b")
"""What goes to either side, where none is said."""
_BROWS = re.compile(r"(?:(?:'?s|the|her|his|its) )*(?:eye)?brows?")
_OPEN_EYES = re.compile(r"\beyes? (?:\w+ )?open\b")
_SHUT = r"(?:open|closed|shut)"
_STATE = re.compile(rf"\b(?P<part>eyes?|eyelids|mouth|lips)\W+(?:\w+ )?{_SHUT} or (?:are they |is it )?{_SHUT}\b"
                    rf"|\b{_SHUT} or {_SHUT}\b.*\b(?P<part2>eyes?|eyelids|mouth|lips)\b")
_SHUT_MOUTH = re.compile(r"\b(?:mouth|lips) (?:\w+ ){0,2}?(?:closed|shut)\b|\b(?:closed|shut) (?:mouth|lips)\b")
_PACED = {"fast": re.compile(r"\b(?:fast|quick(?:ly)?|rapid(?:ly)?|brisk(?:ly)?|speedy|swift(?:ly)?|hurried(?:ly)?)\b"),
          "slow": re.compile(r"\b(?:slow(?:ly)?|leisurely|unhurried(?:ly)?|sluggish(?:ly)?)\b")}
ALL_OF = re.compile(r"\b(?:things|moves|actions|movements|everything|all|whatever|what else|list|the rest)\b")
"""Of what comes before or after something: all of it."""
_APART = re.compile(r"[,;?]|\b(?:and|before|after|while|during|or|vs|versus|than|following|prior to|between|thru|through|as"
                    r"|for the (?:whole|entire)(?: of)?|plus|compared (?:to|with))\b")
"""Between one thing that a question names and the next."""
PERSON = (r"(?:(?:wo)?man|person|face|lady|girl|boy|guy|child|kid|gentleman|actor|actress|bloke|teenager|baby|dude|subject"
          r"|performer)")
"""Nouns for whom a clip shows."""


@dataclass(frozen=True, config=SETTINGS)
class _Questions:
    unseen: dict[str, Patterns]
    described: Patterns
    asked: dict[Asked, Patterns]
    limits: dict[str, str]
    degrees: dict[str, str]
    negated: Patterns
    always: Patterns
    polite: Patterns
    asking: Patterns
    ordinals: dict[str, int]


_TABLE = read_table(__package__, "questions.yaml", _Questions)


def read_question(text: str) -> Query | None:
    """What a question asks of a measurement.

    Args:
        text: English.

    Returns:
        The query; None where the question is about nothing that is measured, and about nothing that is known to be unseen.
    """
    marked = find_quantities(spelled(text))
    plain = _asked_plainly(marked.text)
    if plain != (plain := untagged(plain)):
        plain += "?"
    if state := _STATE.search(plain):
        thing = thing_of("eye_close" if (state["part"] or state["part2"]).startswith("eye") else "mouth_open")
        return Query("whether", (thing,) * (thing is not None), limited_to(plain, marked), degree="state")  # type: ignore[arg-type]
    opened = _OPEN_EYES.search(plain)
    if opened:  # open eyes are eyes that are not closed
        plain = _OPEN_EYES.sub("eyes closed", plain)
    elif opened := _SHUT_MOUTH.search(plain):  # and a shut mouth one that is not open
        plain = _SHUT_MOUTH.sub("mouth open", plain)
    asked = next((kind for kind, patterns in _TABLE.asked.items() if _has(plain, patterns)), None)
    things = _things(plain, marked)
    if asked == "length" and things:  # "closed for the entire duration of the clip?", "how long in total are they closed?"
        asked = "whether" if _has(plain, _TABLE.always) else "how_long"
    if asked == "length":
        return Query("length")
    if _OF_CLIPS.search(plain) and len({t.names for t in things}) < 2:
        return None  # a question about several clips
    reading = _Reading(plain, marked, things)
    if moments := reading.moments():
        return moments
    for why, patterns in _TABLE.unseen.items():
        if _has(plain, patterns) and not (things and why in _TABLE.described):
            return Query("unseen", why=why)
    if asked is None:
        return None
    query = reading.query(asked)
    return replace(query, negated=True) if opened and query is not None and query.asked in ("whether", "always") else query


def _asked_plainly(text: str) -> str:
    """A question in lower case without what only leads to it or follows it."""
    plain = re.sub(r"\s+", " ", text.lower()).strip()
    plain = re.sub(r"\b(what|when|where|who|how|which)(?:'?s)\b(?! the same)", r"\1 is", plain)
    plain = re.sub(r"\bsec(?:ond)?s? (?=[\ue000-\uf8ff])", "", plain)  # "at second 9" is not the second of something
    plain = re.sub(r"\b(which|what|who)\b(.*?)\bthe (slow|fast|strong|weak|big|small|long|short|quick|wide|early|late) one\b",
                   lambda m: f"{m[1]}{m[2]}{COMPARED[m[3]]}", plain)
    plain = re.sub(r"\bbrows? (?:\w+ )?(?:come|go|are|drop|fall)s? (?:back )?down again\b", "brow raise stops",
                   plain.replace("eyebrow", "brow"))
    plain = re.sub(r"#([1-4])\b", lambda m: ("first", "second", "third", "fourth")[int(m[1]) - 1], plain)
    plain = re.sub(rf"\b(the|this|that) (?!first|second|third|last|other|same)\w+ (?={PERSON}\b)", r"\1 ", plain)
    for _ in range(3):
        before = plain
        for words in _TABLE.polite:
            plain = re.sub(words, "", plain).strip()
        if plain == before:
            break
    return plain


@dataclass(frozen=True)
class _Reading:
    """A question with what it names."""

    plain: str
    marked: Marked
    things: list[Thing]

    def query(self, asked: Asked) -> Query | None:
        """The query of a kind of question; None where it needs something that is not named."""
        plain, things = self.plain, self.things
        between = limited_to(plain, self.marked)
        part: Part = next((p for p, words in _PARTS if not between and re.search(words, plain)), "")
        earlier = re.search(r"\b(?:first|1st|earlier|sooner|precedes|leads)\b", plain) and not re.search(
            r"\b(?:first|1st) (?:time|one|\w+)\b.*\bsecond\b", plain)
        if len(things) == 1 and asked in ("whether", "list", "first", "last") and (edge := _EDGE.search(plain)):
            return Query("last" if any(v for v in edge.groupdict().values()) else "first", (replace(things[0], which=None),))
        if len(things) >= 2 and asked in ("compare", "first", "whether", "order", "when") and earlier:
            loose = tuple(replace(t, which=None) for t in things)
            if not re.search(r"\b(?:what|which|who|or)\b", plain):
                return Query("order", loose[:2], between)
            return Query("compare", loose, between, "start")
        if asked == "compare":
            if compared := self._compared(between):
                return compared
            asked = "whether"
        if asked == "gap":
            return Query("gap", tuple(things), between) if len(things) >= 2 else None
        if asked == "whether":
            return self._whether(between, part)
        if asked == "side" and not things:
            region = next((r for r, words in _REGIONS if re.search(words, plain)), "")
            return Query("side", (), between, part=part, region=region)
        if asked == "side":
            things = things[-1:]
        if asked == "after" and re.search(r"\bbecame\b", plain) and things:
            return Query("after", tuple(things[:1]), between, region="emotion")
        if asked in ("after", "before", "during") and not things:
            asked = "list"
        if asked in ("first", "last") and things and not re.search(r"\b(?:what|which|thing|move|action)\b", plain):
            asked = "when"
        if asked == "emotion":
            order = next((_TABLE.ordinals[w] for w in re.findall(r"[\w']+", plain) if w in _TABLE.ordinals), None)
            if things and re.search(r"\bafter\b|\bbecame\b", plain):
                return Query("after", tuple(things[:1]), between, region="emotion")
            which = () if order is None else (Thing((), "emotion", which=order),)
            if len(things) >= 2 and re.search(r"\bor\b", plain):
                return Query("which", tuple(things), between)
            return Query("emotion", which, between, part=part)
        amid = _AMID.search(plain) or re.search(r"\bbetween\b", plain) and re.search(r"\b(?:what|something|anything)\b", plain)
        if not things and (told := self._told(between)):
            return told
        if amid and asked != "gap" and (told := self._told(between)):
            return told
        if asked == "order" or len(things) > 2 and re.search(r"\b(?:what|which) (?:order|sequence)\b", plain):
            return Query("order", tuple(things), between)
        if asked == "list" and len(things) == 1 and (beside := re.search(r"\b(before|after)\b", plain)):
            return Query(beside[1], tuple(things), between, degree="all")  # type: ignore[arg-type]
        if asked in ("list", "first", "last", "after") and (told := self._told(between)):
            return told
        if asked in ("list", "first", "last"):
            region = next((r for r, words in _REGIONS if re.search(words, plain)), "")
            return Query("list" if between else asked, (), between, part="" if asked == "last" else part, region=region)
        limit = self._limit(asked)
        if asked == "count" and self.marked.c and len(self.marked.c) == 1 and limit is None and re.match(
                r"(?:is|are|does|do|did|was|were)\b", plain):
            limit = ("same", float(self.marked.c[0]))
        if asked == "when" and things and PEAK.search(plain):
            return Query("when", tuple(things[:1]), between, part=part, degree="most")
        if asked in ("before", "after") and things and ALL_OF.search(plain):
            return Query(asked, tuple(things), between, part=part, degree="all")
        if asked == "how_long" and things and limit is None and _IN_ALL.search(plain):
            return Query("how_long", tuple(things[:1]), between, part=part, degree="all")
        if limit and limit[1] in self.marked.t or asked == "how_long" and not re.search(
                r"\b(?:at|between|from|before|after)\b", plain):
            between = None
        if asked == "count" and not things and _ALL_THINGS.search(plain):
            return Query("count", (), between, part=part)
        return Query(asked, tuple(things), between, part=part, limit=limit) if things else None

    def _told(self, between: tuple[float, float] | None) -> Query | None:
        """A list of all but what is named, of what lies between two things, or the second, third ... of all that happens."""
        if self.things and _EXCEPT.search(self.plain):
            return Query("list", tuple(self.things), between, negated=True)
        if len(self.things) == 2 and re.search(r"\b(?:between|in between)\b|\bseparat\w+\b.*\bfrom\b", self.plain):
            return Query("list", tuple(self.things))
        if len(self.things) == 1 and _AMID.search(self.plain):
            return Query("list", tuple(replace(self.things[0], which=k) for k in (0, 1)))
        if not self.things and (m := _NTH.search(self.plain)):
            return Query("list", (Thing((), "action", which=_TABLE.ordinals[m[1] or m[2]]),), between)
        return None

    def _limit(self, asked: str) -> tuple[str, float] | None:
        for how, words in _TABLE.limits.items():
            if m := re.search(words, self.plain):
                rest = self.plain[m.end():]
                if asked in ("how_long", "whether") and self.marked.t and mark("t", 0) in rest:
                    return how, self.marked.t[0]
                if self.marked.c and mark("c", 0) in rest:
                    return how, float(self.marked.c[0])
                if word := re.match(r"\W*(once|one|an?(?: single)?|twice|a couple)\b(?! sec)", rest):
                    return how, 2.0 if word[1] in ("twice", "a couple") else 1.0
        return None

    def _whether(self, between: tuple[float, float] | None, part: Part) -> Query | None:
        plain, things = self.plain, tuple(self.things)
        region = next((r for r, words in _REGIONS if re.search(words, plain)), "")
        if not things and region and (still := _STILL.search(plain) or _MOVES.search(plain)):
            return Query("whether", (), between, part=part, region=region, negated=still.re is _STILL)
        if not things:
            return None
        if between and len(things) == 1 and _ENDED.search(plain):
            return Query("until", things, limit=("less", self.marked.t[0]))
        if limit := self._limit("whether"):
            asked: Asked = "how_long" if self.marked.t and limit[1] == self.marked.t[0] else "count"
            return Query(asked, things[:1], None if asked == "how_long" else between, part=part, limit=limit)
        if len(self.marked.c) > 1 and len(things) == 1:
            return Query("count", things, between, part=part)
        if self.marked.c and len(things) == 1:
            return Query("count", things, between, part=part, limit=("same", float(self.marked.c[0])))
        if len(things) == 3 and between is None and " between " in f" {plain}":
            last = not re.search(r"\b(?:is|does|do|did|was)\b", plain[:plain.index("between")])
            own, ends = (things[2], things[:2]) if last else (things[0], things[1:])
            return Query("whether", (own, *ends), degree="amid")
        lasting = re.search(r"\b(?:stays?|remains?|keeps?|still|throughout|thru|through|whole|entire|all)\b", plain)
        if len(things) >= 2 and lasting and re.search(
                r"\b(?:while|during|as|when|thru|through(?:out)?|for the (?:whole|entire))\b", plain):
            return Query("always" if _has(plain, _TABLE.always) else "together", things[:2], between)
        if len(things) >= 2 and re.search(r"\b(?:while|during|at the same time|together|as|when|simultaneously)\b", plain):
            return Query("together", things, between)
        if len(things) >= 2 and re.search(r"\b(?:before|after|earlier|later|prior|following|first)\b", plain):
            late = re.search(r"\b(?:after|later|following)\b", plain)
            return Query("order", (things[1], things[0]) if late else (things[0], things[1]), between)
        if len(things) >= 2 and re.search(r"\bor\b(?! (?:not|no|yes|n)\b)", plain):
            return Query("which", things, between)
        if _has(plain, _TABLE.always):
            return Query("always", things, between, part=part)
        if _STOPS.search(plain):
            return Query("until", things[:1], degree="ever")
        negated = _has(plain, _TABLE.negated)
        if len(things) == 1 and not negated and (pace := pace_of(plain)):
            return Query("how_fast", things, between, part=part, degree=pace)
        for degree, words in _TABLE.degrees.items():
            if re.search(words, plain) and len(things) == 1 and not negated and not _has(plain, _TABLE.always):
                return Query("how_strong", things, between, part=part, degree=degree)
        return Query("whether", things, between, part=part, negated=negated)

    def moments(self) -> Query | None:
        """A comparison of one thing at two moments."""
        times = list(self.marked.t)
        if len(times) == 1 and len(self.marked.c) == 1:
            times.append(float(self.marked.c[0]))
        things = self.things or self._region()
        found = two_moments(self.marked.text.lower(), times)
        limited = any(re.search(rf"(?:{words}) {mark('t', 0)}", self.plain) for words in _TABLE.limits.values())
        if found is None or len({t.names for t in things}) != 1 or limited or re.search(
                r"\b(?:between|from|until|till)\b", self.plain):
            return None
        at, claim = found
        by, (_, least) = measured_by(self.plain), claimed(self.plain, things[0].names)
        return Query("compare", tuple(replace(things[0], which=None, at=t) for t in at), None,
                     by if by in ("length", "speed") else "strength", least=least, claim=claim)

    def _region(self) -> list[Thing]:
        return [t for t in [thing_of(region_of(self.plain))] if t]

    def _compared(self, between: tuple[float, float] | None) -> Query | None:
        """A comparison of two things, of two occurrences, or of two moments."""
        plain, things = self.plain, self.things
        by = measured_by(plain)
        if by is None or self._limit("whether"):
            return None
        claim, least = claimed(plain, [n for t in things for n in t.names])
        claim &= not re.search(r"\b(?:start|beginning|end|finish|close)\b.* or .*\b(?:start|beginning|end|finish|close)\b", plain)
        things = things or self._region()
        parts: list[Part] = re.findall(r"\b(?:at|towards?|near|by|in|or|than|with) the (?:very )?(start|end)\b", re.sub(
            r"\b(?:finish|close)\b", "end", re.sub(r"\b(?:beginning|opening)\b", "start", plain)))
        if len({t.names for t in things}) == 1 and len(set(parts)) == 2:
            pair = [replace(things[0], which=None, part=p) for p in parts[:2]]
            if re.match(r"\W*(?:compared (?:with|to)|than)\b", plain):
                pair.reverse()
            return Query("compare", tuple(pair), None, "strength" if by in ("start", "side") else by, least=least, claim=claim)
        names = {t.names for t in things}
        if len(names) == 1:
            said = [_TABLE.ordinals[w] for w in re.findall(r"[\w']+", plain) if w in _TABLE.ordinals]
            order = list(dict.fromkeys(said)) or [0, 1]
            if len(order) == 1:
                order.append(1 if order[0] == 0 else 0)
            if re.search(r"\b(?:speed(?:s|ed)? up|slow(?:s|ed)? down|get(?:s|ting)?)\b", plain):
                order, claim = [1, 0], True
            things = [replace(things[0], which=k, whole=True) for k in order[:2]]
        if len(things) < 2:
            return None
        return Query("compare", tuple(things[:2]), between, by, least=least, claim=claim)


def pace_of(plain: str) -> str:
    """"fast" or "slow", where a question in lower case asks whether something is so; else empty."""
    return next((pace for pace, words in _PACED.items() if words.search(plain)), "")


_EXCEPT = re.compile(r"\b(?:apart from|besides?|other than|except(?: for)?|aside from|excluding|not counting|but (?:for )?the)\b")
_AMID = re.compile(r"\bbetween (?:them|(?:the|those|these|her|his|both) (?:two|2|\w+s)|both)\b")
_NTH = re.compile(r"\b(second|third|fourth|2nd|3rd) (?:thing|action|move|movement|event|bit)\b"
                  r"|\b(?:is|comes|happens) (?:the )?(second|third|fourth|2nd|3rd)\b")


_ALL_THINGS = re.compile(r"\bhow many (?:\w+ )?(?:things|moves|actions|movements|events|gestures|bits|expressions)\b")
_IN_ALL = re.compile(r"\b(?:in total|in all|altogether|all together|all told|overall|total time)\b")
_BEGINS = r"(?:begins?|starts?|opens?|kicks? off|leads?)(?: off| out)?"
_ENDS = r"(?:ends?|finish(?:es)?|closes?|wraps? up|concludes?)(?: off)?"
_YES_NO = r"^(?:so |and )?(?:is|was|does|do|did)\b.*"
_EDGE = re.compile(rf"{_YES_NO}\b(?:{_BEGINS}|(?P<last>{_ENDS})) (?:with|on|by)\b"
                   rf"|{_YES_NO}\bwith .*\bthat (?:it|everything|all)(?: all)? (?:{_BEGINS}|(?P<last2>{_ENDS}))\b"
                   rf"|{_YES_NO}\b(?:the )?(?:very )?(?:first|(?P<last3>last))(?: thing| move| one| action)?\W*$"
                   r"|^(?!.*\b(?:what|which|who|when|where|how)\b).*\b(?:comes?|goes|is|are) (?:the )?(?:very )?"
                   r"(?:first|(?P<last4>last))\W*$")
"""Whether something is what comes first or last."""
_MOVES = re.compile(r"\b(?:move|moves|moving|moved|do anything|does anything|active|any movement)\b")
_STILL = re.compile(r"\b(?:still|motionless|unmoving|not move|n['’]t move)\b")
_STOPS = re.compile(r"\b(?:ever|at any (?:point|time|stage)|at some point|any ?time)\b.*\b(?:stops?|quits?|ceases?|lets? go)\b"
                    r"|\b(?:stops?|quits?|ceases?|lets? go)\b.*\b(?:ever|at any (?:point|time|stage)|at some point|any ?time)\b")
_ENDED = re.compile(r"\b(?:done|over|finish(?:ed)?|gone|ended|ends?|stopped|stops?)\b.*\b(?:by|before)\b")
PEAK = re.compile(r"\b(?:widest|strongest|biggest|broadest|highest|lowest|deepest|furthest|farthest|fullest|hardest|most|peaks?"
                  r"|maxim\w+|at (?:its|the|their) (?:peak|height|apex|strongest|widest|most))\b")
"""When something is strongest."""
_REGIONS = (("head", r"\b(?:head|facing)\b"), ("eyes", r"\b(?:eyes?|lids?|gaze|look(?:s|ing)?)\b"),
            ("brows", r"\b(?:eye)?brows?\b"), ("mouth", r"\b(?:mouth|lips?|jaw|smile)\b"))


_OF_CLIPS = re.compile(r"\b(?:which|what)(?: of \w+){0,3} (?:clips?|versions?|takes?|videos?|animations?)\b")


_WHETHER = re.compile(r"^(?:so |and |but )?(?:is|are|was|were|does|do|did|has|have|any|is there(?: an?| any)?)\b"
                      r"(?: (?:s?he|they|it|(?:the|this|that|her|his|their) (?:" + PERSON + r"|eyes?"
                      r"|mouth|lips|brows?|head)))?(?: ever| even| just)?\b")
_AT_ALL = re.compile(r"(?:,? (?:at all|anywhere|there|in (?:there|it|this|here|(?:the|this) (?:clip|video))|at any (?:time|point)"
                     r"|present|visible|meant to be|or not|lol|,.*|here|once|ever))+\W*$")


def names_only(text: str) -> bool:
    """Whether a yes-or-no question has nothing in it but a name of what can be seen: not "is he talking sense"."""
    plain = re.sub(r"\bmeant to be\b", "", text.lower()).strip(" ?.!")
    if not (m := _WHETHER.match(plain)):
        return False
    rest = _AT_ALL.sub("", plain[m.end():].split(",")[0]).strip()
    found = read_rules(find_quantities(rest), 0.5) if 0 < len(rest.split()) <= 2 else None
    return found is not None and found.explained > 0.99 and len(found.script.cues) == 1 and found.script.cues[0].kind != "feeling"


def read_things(text: str) -> tuple[Thing, ...]:
    """What some words name."""
    marked = find_quantities(text)
    return tuple(_things(re.sub(r"\s+", " ", marked.text.lower()).strip(), marked))


def _made_of(name: str) -> str:
    """That a behaviour or feeling is several actions, and which."""
    parts = [g[0] for g in BEHAVIOUR[name].must] if name in BEHAVIOUR else list(FEELING[name].blend)
    said = ", ".join(dict.fromkeys(ACTION[n].label if n in ACTION else n for n in (re.split(r"[.*]", p)[0] for p in parts)))
    return f"{name.replace('_', ' ').capitalize()} is several actions together ({said})"


def _named(plain: str) -> str:
    """A question without the words that only ask."""
    for words in _TABLE.asking:
        plain = re.sub(words, " ", plain)
    return plain


def _has(text: str, patterns: Patterns) -> bool:
    return any(re.search(p, text) for p in patterns)


def _things(plain: str, marked: Marked) -> list[Thing]:
    """What a question names, in the order of its words."""
    out: list[Thing] = []
    for piece in _APART.split(plain):
        piece = re.sub(r"\b(?:what|which|per|each|a|this|that)\s+second\b", " ", piece)
        words_ = re.findall(r"[\w'\ue000-\uf8ff]+", piece)
        order = next((_TABLE.ordinals[w] for w in words_ if w in _TABLE.ordinals), None)
        felt = re.sub(r"\bsadder\b", "sad", re.sub(r"\bangrier\b", "angry", piece))
        named = " ".join(_named(re.sub(r"\b(?:happier|happiest)\b", "happy", felt)).split())
        kept = " ".join(w for w in named.split() if w not in _TABLE.ordinals).strip(" .!'\"")
        if not kept:
            continue
        found = read_rules(Marked(kept, marked.t, marked.p, marked.c), _LEAST)
        cues = [*found.script.cues, *(Cue(n.name) for n in found.script.never if n.name in ACTION)] if found else []
        own = [t for cue in cues if (t := _thing(cue, order, piece))]
        if not own and _BROWS.fullmatch(kept):
            own = [Thing(("brow_raise", "brow_lower"), "eyebrow movement", "both", order)]
        if not own and (m := _DIRECTED.search(piece)):
            own = [t for t in [_thing(Cue("tilt" if m[1] == "lean" else m[1], "left"), order, piece)] if t]
        out += own
    return out


def _thing(cue: Cue, order: int | None, words: str) -> Thing | None:
    said = re.search(r"\b(left|right)(?:wards?)?\b", words)
    side: Side = cue.side if cue.name not in DIRECTIONS else said[1] if said else "both"  # type: ignore[assignment]
    return thing_of(cue.name, side, order)


def thing_of(name: str, side: Side = "both", which: int | None = None) -> Thing | None:
    """What a name means in a question; None of a neutral face and of what no name stands for."""
    if name in EMOTIONS and name != "neutral":
        return Thing((name,), name, "both", which)
    if name in DIRECTIONS:
        names = tuple(f"{name}_{s}" for s in ((side,) if side != "both" else ("left", "right")))
        label = ACTION[names[0]].label
        return Thing(names, label if side != "both" else re.sub(r" (?:to|of) the .*", "", label), "both", which)
    if name in ACTION:
        return Thing((name,), ACTION[name].label, side, which)
    if name in BEHAVIOUR or name in FEELING:
        return Thing((name,), name.replace("_", " "), side, which, made_of=_made_of(name))
    return None
