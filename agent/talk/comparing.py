"""Questions about several clips or versions: which of them has something, or more of it; whether both do; by how much.

Here it is read from its words; ``queries.py`` answers it by what is measured of each clip.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...data_gen.reading.questions import read_things
from ...data_gen.reading.spelling import spelled
from ...data_gen.tables import read_table
from ...face.facs.evidence.happenings import Thing
from .queries import Comparing, Kind, Measure
from .references import CLIP_WORD, ROLES, mentions
from .session import Clip, Session, Turn


@dataclass(frozen=True)
class _Rules:
    measures: tuple[tuple[Measure, bool, str], ...]
    named: str
    bare: str
    elsewhere: str
    than: str
    degree: str
    several: str
    both: str
    each: str
    gap: str
    yes_no: str
    goes_on: str
    idle: str
    claims: str
    of_all: str


_CLIPS = rf"(?:{CLIP_WORD}|versions?|recordings?|{ROLES})"
Asked = tuple[Comparing, tuple[Clip, ...]]
"""A question, and the clips that it is about."""
_TABLE = read_table(__package__, "comparing.yaml", _Rules)
RULES = {name: re.compile(str(words).replace("{clips}", _CLIPS)) for name, words in vars(_TABLE).items() if name != "measures"}
_MEASURE_WORDS = re.compile("|".join(words for _, _, words in _TABLE.measures))
_ON_CLIPS = frozenset(("perform", "edit", "transition", "again", "compare", "go_to", "undo", "redo", "list_clips", "name", "join",
                       "open", "changed"))
"""Tools after which "which is longer" asks for a clip."""
_LONGEST = 18
"""Words of a line; longer ones say more than one thing."""
_ADJECTIVE = re.compile(r"\b(\w{2,}?)(ier|iest|er|est)\b")


def compares(session: Session) -> bool:
    """Whether there is more than one clip or version to ask about."""
    here = session.current
    return len(session.numbers) > 1 or here is not None and len(session.versions(here.number)) > 1


def about_clips(plain: str) -> bool:
    """Whether a line in lower case asks for a clip by that word."""
    return bool(RULES["named"].search(plain))


def compared_by(plain: str) -> bool:
    """Whether a line in lower case has a word that compares: longer, weaker, most ..."""
    return _measure(plain)[0] is not None and bool(RULES["degree"].search(plain))


def read_comparing(text: str, session: Session, turns: int | None = None) -> Asked | None:
    """A question about several clips and the clips that it is about; None of any other line.

    Args:
        text: the line.
        session: the conversation; a line that goes on with a question ("and the nod?") is read after the one before.
        turns: how many of its turns were before the line; None for all.
    """
    plain = _plain(text)
    if not compares(session) or RULES["several"].search(plain) or len(plain.split()) > _LONGEST:
        return None
    said = session.turns if turns is None else session.turns[:turns]
    if said and [c.get("tool") for c in said[-1].calls] == ["compare"] and (before := read_comparing(
            said[-1].said, session, len(said) - 1)) is not None and (on := _goes_on(plain, before, session)) is not None:
        return on
    found = _named_in(plain, session)
    several = tuple(session.latest(n) for n in session.numbers)
    here = session.current
    by, least = _measure(_without_clips(plain, session))
    of_clips = not said or bool(_ON_CLIPS & {c.get("tool") for c in said[-1].calls}) or bool(_named_in(said[-1].said, session))
    asks = RULES["named"].search(plain) or (RULES["bare"].search(plain) if of_clips else None)
    if (which := asks) and not RULES["elsewhere"].search(plain) and not _within(plain, found):
        of_versions = "version" in plain or "take" in plain and len(session.numbers) == 1 or len(session.numbers) == 1
        clips = tuple(found) if len(found) > 1 else tuple(session.versions(here.number)) if of_versions and here else several
        rest = _THIS.sub(" ", _without_clips(plain, session)) if found else f"{plain[:which.start()]} {plain[which.end():]}"
        return _which(rest, by, least, clips)
    if here is None:
        return None
    paired = len(several) == 2 and of_clips and bool(_FIRST_SECOND.search(plain))
    if by is not None and (found or paired or RULES["named"].search(plain)) and _HOW_MUCH.search(plain):
        pair = tuple(found) if len(found) == 2 else several
        things = _more_of(plain, session)
        if len(pair) == 2 and (things or by == "length"):
            return Comparing("gap", by, things), pair
    if RULES["each"].search(plain) and by is not None:
        return Comparing("each", by, _things(RULES["each"].sub(" ", plain)) or _last_things(said)), several
    if (found or len(several) > 1) and RULES["both"].search(plain) and RULES["claims"].search(plain):
        of_eyes = read_things("wink") if by == "side" and re.search(r"\beye", plain) else ()
        things = _things(RULES["both"].sub(" ", plain)) or of_eyes or (_last_things(said) if by == "side" else ())
        clips = tuple(found) if len(found) > 1 else several if len(several) > 1 else tuple(session.versions(here.number))
        if things and by is not None and re.search(r"\b(?:same|equal\w*|as|different|other)\b", plain):
            return Comparing("same", by, things), clips
        if things and by is None:
            return Comparing("same", "presence", things), clips
        if by == "length" and not things:
            return Comparing("same", by), clips
        return (Comparing("same", "feeling"), clips) if not things and _FEELINGS.search(plain) else None
    return _against(plain, by, least, session, here) or _of_nth(plain, by, least, session)


def read_loosely(text: str, session: Session) -> Asked | None:
    """The same of a line that is known to compare clips; None where all that differs is asked for."""
    plain = _plain(text)
    if not compares(session) or session.current is None:
        return None
    by, least = _measure(plain)
    found = _named_in(plain, session)
    things = _things(plain)
    if not things and by != "length" or by == "side" or by is not None and not RULES["degree"].search(plain):
        return None
    here = session.current
    if len(found) < 2:
        others = [session.latest(n) for n in session.numbers if n != here.number] or [
            c for c in session.versions(here.number) if c.id in (here.parent, here.id)]
        found = [here, *(c for c in found or others if c.id != here.id)]
    if len(found) < 2:
        return None
    if by is None and len(_named_in(plain, session)) == 1 and not re.search(r"\b(?:which|who|what)\b", plain):
        return None  # "clip 1 nods too?"
    if by is None:
        return Comparing("has", "presence", things), tuple(sorted(found, key=lambda c: c.id))
    if RULES["yes_no"].search(plain):
        return Comparing("less" if least else "more", by, things), tuple(found[:2])
    return Comparing("least" if least else "most", by, things), tuple(sorted(found, key=lambda c: c.id))


def _against(plain: str, by: Measure | None, least: bool, session: Session, here: Clip) -> Asked | None:
    """Whether one clip has more of something than another: "is it sadder than before", "is it still the longest one"."""
    asks = RULES["yes_no"].search(plain) or plain.endswith("?") or re.search(r"\bstill\b", plain)
    if by is None or by == "side" or not asks or not RULES["degree"].search(plain):
        return None
    kind: Kind = "less" if least else "more"
    than = RULES["than"].search(plain)
    others = tuple(session.latest(n) for n in session.numbers if n != here.number)
    if than is None:
        if not others or not RULES["of_all"].search(_without_clips(plain, session)):
            return None
        things = _things(plain)
        return (Comparing(kind, by, things), (here, *others)) if things or by == "length" else None
    subject, target = _named_in(plain[:than.start()], session), _named_in(plain[than.start():], session)
    parent = session.find(here.parent)
    if not target and than["other"] and others:
        target = [others[-1]]
    elif not target and parent is not None and (than["before"] or than["clip"] is None and not than["other"]):
        target = [parent]
    if not target:
        return None
    things = _things(plain[:than.start()])
    if not things and by == "strength" and here.how == "edited":
        things = read_things(here.said)[:1]
    if not things and by != "length" and not (things := _last_things(session.turns)):
        return None
    first = subject[0] if subject else here
    return None if first.id == target[0].id else (Comparing(kind, by, things), (first, target[0]))


def _of_nth(plain: str, by: Measure | None, least: bool, session: Session) -> Asked | None:
    """"2nd smile weaker?", of two clips with a smile each."""
    m = _NTH_OF.match(plain)
    if m is None or by is None or len(session.numbers) != 2 or not plain.endswith("?") or len(plain.split()) > 7:
        return None
    if re.search(r"\b(?:than|or|vs|versus)\b|[,:]", plain) or not RULES["degree"].search(plain[m.end():]):
        return None
    things = _things(plain[m.end():])
    clips = [session.latest(n) for n in session.numbers]
    if not things or any(c.script is None or sum(c.name in things[0].names for c in c.script.cues) > 1 for c in clips):
        return None
    first, other = clips if m["nth"] in ("first", "1st") else clips[::-1]
    return Comparing("less" if least else "more", by, things), (first, other)


_LED = re.compile(rf"^(?:(?:and|so|ok|okay|now)[, ]+)*(?:between|of|out of|among) (?:(?:the|these|those|both|all|my|our) )?"
                  rf"(?:two |three |both )?{CLIP_WORD},? (?=(?:which|who|whose)\b)")


def _plain(text: str) -> str:
    return _LED.sub("", " ".join(spelled(text).lower().split()))


def _named_in(text: str, session: Session) -> list[Clip]:
    """The clips that a line names, each once; none where it names one that is not there."""
    return list({f[2].id: f[2] for f in _mentions(text.lower(), session)}.values())


def _mentions(plain: str, session: Session) -> list[tuple[int, int, Clip]]:
    try:
        return mentions(plain, session)
    except ValueError:
        return []


def _without_clips(plain: str, session: Session) -> str:
    for low, high, _ in reversed(_mentions(plain, session)):
        plain = f"{plain[:low]} {plain[high:]}"
    return plain


def _more_of(plain: str, session: Session) -> tuple[Thing, ...]:
    """Of what one clip has more, in "how many more nods are in the first than in the second"."""
    return _things(_MORE_THAN.sub(" ", _HOW_MUCH.sub(" ", _without_clips(plain, session))))


_FEELINGS = re.compile(r"\b(?:same|equal\w*|different)\b.*\b(?:emotions?|moods?|feelings?)\b"
                       r"|\b(?:emotions?|moods?|feelings?)\b.*\b(?:same|equal\w*)\b|\bfeel(?:ing)? the same\b")
_HOW_MUCH = re.compile(r"\bhow (?:many|much) (?:more|fewer|less|longer|shorter|stronger|weaker|bigger|smaller|faster|slower)\b")
_NTH_OF = re.compile(r"^(?:(?:and|so|is|was|but|then)[, ]+)*(?:the )?(?P<nth>first|1st|second|2nd)(?: one)?(?:['’]s)? ")
_FIRST_SECOND = re.compile(r"\b(?:in|on|of|than)(?: in| on)? the (?:first|second)\b.*\bthan (?:in |on )?the (?:first|second)\W*$")
_MORE_THAN = re.compile(r"\b(?:than|vs\.?|versus|compared)\b.*$")
_OF_THINGS = re.compile(r"\bwhich (?:of|one of) the (?:\w+ )?(?!(?:two|2|three|3) (?:does|do|is|has|did|was)\b)(?:\w+ )?"
                        r"(?!(?:does|is|has|was|this)\b)\w+s\b")
_THIS = re.compile(r"\b(?:this|it|that)(?: one| clip)? or\b|\bor (?:this|that)(?: one| clip)?\W*$")


def _within(plain: str, found: Sequence[Clip]) -> bool:
    """Whether a question compares two things of one clip: "which is longer, the smile or the nod", "which of the two smiles"."""
    if len(found) > 1 or found and _THIS.search(plain):
        return False
    if re.search(r"\bor\b|\bvs\b|\bversus\b|,? not\b", plain) and not re.search(r"\b(?:1|one) or (?:2|two)\b", plain):
        return True
    if RULES["named"].search(plain):
        return False
    names = {t.names for t in read_things(_MEASURE_WORDS.sub(" ", plain)) if t.names}
    return len(names) > 1 or bool(_OF_THINGS.search(plain))


def _measure(plain: str) -> tuple[Measure | None, bool]:
    """What is compared by, and whether the least is asked for."""
    for by, least, words in _TABLE.measures:
        if re.search(words, plain):
            return by, least
    for m in _ADJECTIVE.finditer(plain):
        if read_things(_base(m)):
            return "strength", False
    return None, False


def _base(m: re.Match[str]) -> str:
    stem, end = m[1], m[2]
    if end.startswith("i"):
        return f"{stem}y"
    return stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "ls" else stem  # sadder: sad


def _things(plain: str) -> tuple[Thing, ...]:
    """What some words name, where clips and measures are left out of them; at most one."""
    words = _ADJECTIVE.sub(lambda m: m[0] if RULES["idle"].fullmatch(m[0]) or _MEASURE_WORDS.search(m[0]) or not read_things(
        _base(m)) else _base(m), plain)
    words = _MEASURE_WORDS.sub(lambda m: f" {m[0].split()[-1]} " if m[0].startswith(("more ", "most ")) else " ", words)
    words = re.sub(rf"\bthan\b.*$|\b(?:in|of|on) (?:the )?(?:\w+ )?{_CLIPS}(?: \d)?\b|\b(?:{CLIP_WORD}|version) \w+\b",
                   " ", words)
    words = " ".join(RULES["idle"].sub(" ", words).split()).strip(" ,.?!")
    for name, region in (("brow raise", r"^(?:eye)?brows?$"), ("mouth open", r"^(?:open )?(?:mouth|jaw)$"),
                         ("eyes closed", r"^eyes? closed$")):
        if re.search(region, words):
            words = name
    return read_things(words)[:1] if words else ()


def _last_things(turns: Sequence[Turn]) -> tuple[Thing, ...]:
    """What one of the last three turns was about."""
    return next((things for turn in reversed(turns[-3:]) if (things := _things(_plain(turn.said)))), ())


def _which(rest: str, by: Measure | None, least: bool, clips: tuple[Clip, ...]) -> Asked | None:
    if (edge := _EDGE.search(rest)) and (things := _things(_EDGE.sub(" ", rest))):
        return Comparing("has", "last" if edge["end"] else "first", things), clips
    things = _things(rest)
    if by is None:
        return (Comparing("has", "presence", things), clips) if things else None
    if not things and by != "length":
        return None
    return Comparing("least" if least else "most", _how_often(rest, by, things) or by, things), clips


def _how_often(plain: str, by: Measure | None, things: Sequence[Thing]) -> Measure | None:
    """More of what is done several times is more often: "who nods more"."""
    often = bool(things) and bool(set(things[0].names) & _REPEATED) and not _ADJECTIVE.search(plain)
    return "count" if by == "strength" and often and not re.search(r"\b(?:strong|big|wide|hard|deep|intens)", plain) else by


_EDGE = re.compile(r"\b(?:(?:starts?|begins?|kicks? off|opens?|kick(?:ed|s)? it off|leads?)(?: off)? (?:with|by|on)"
                   r"|(?P<end>ends?|finish(?:es)?|closes?|wraps? up) (?:with|by|on))\b")
_WINS = re.compile(r"\b(?:wins?|won|(?:is |the )winner|takes (?:it|the (?:prize|crown|lead))|beats|on top|is ahead)\b")
_REPEATED = frozenset(("nod", "shake", "blink", "wink_left", "wink_right"))
_GOES_ON = re.compile(r"^(?:(?:ok|okay|so|but|n)[, ]+)*(?:and|(?:what|how) about(?! (?:\w+ing|s?he|they)\b)|now|then)\b"
                      r"(?=.*\?\W*$)"
                      r"|^(?:and )?the \w+(?:est|most|least)(?= |\W*$)")
_ASKS_ANEW = re.compile(r"\b(?:how|which|what|when|where|why|who|or)\b")


def _goes_on(plain: str, before: Asked, session: Session) -> Asked | None:
    """A question that goes on with the one before: "by how much?", "and the wink?", "and the longest?"."""
    old, clips = before
    clips = tuple(session.latest(c.number) for c in clips) if len({c.number for c in clips}) > 1 else clips
    if _WINS.search(plain) and len(won := _named_in(plain, session)) == 1 and old.kind in ("most", "least", "more", "less"):
        rest = tuple(c for c in clips if c.number != won[0].number)
        return (replace(old, kind="less" if old.kind in ("least", "less") else "more"), (won[0], *rest)) if rest else None
    if RULES["gap"].search(plain):
        by, things = _measure(plain)[0], _more_of(plain, session)
        if by is None or not things:
            by, things = "count" if old.by == "presence" else old.by, old.things
        return replace(old, kind="gap", by=by, things=things), clips
    asks = _GOES_ON.search(plain) and not _ASKS_ANEW.search(_GOES_ON.sub("", plain))
    if not asks or len(plain.split()) > 6 or any(RULES[of].search(plain) for of in ("named", "each", "yes_no")):
        return None
    if not (m := RULES["goes_on"].match(plain)) or _mentions(plain, session):
        return None
    by, least = _measure(m["what"])
    things = _things(m["what"])
    if by is None and not things:
        return None
    by = _how_often(m["what"], by, things or old.things)
    kind = old.kind if by is None else "least" if least else "most"
    return replace(old, kind=kind, by=by or old.by, things=things or old.things), clips
