"""Which clip somebody means: "clip 2", "the first one", "the version before", "the one with the wink", a name."""

from __future__ import annotations

import re
from contextlib import suppress

from ...data_gen.reading.questions import PERSON, read_things
from ...data_gen.reading.rules import read_rules
from ...data_gen.text.quantities import Marked
from ..editing.operations import same_name
from .session import Clip, Session

ORDINALS = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4, "5th": 4}
_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_N = r"(?:\d+|one|two|three|four|five)"
CLIP_WORD = r"(?:clips?|takes?|videos?|animations?|performances?|films?|stimul(?:us|i))"
_SAID = (
    ("version", re.compile(rf"\bversions?,? (?:(?:number|no\.?|nr\.?) )?#?(?P<n>{_N})\b(?: of (?P<of>.+))?")),
    ("version", re.compile(rf"\b(?P<ord>{'|'.join(ORDINALS)}) version(?: of (?P<of>.+))?")),
    ("clip", re.compile(rf"\b(?:{CLIP_WORD}|number|no\.?|#) ?#?(?P<n>{_N})\b(?! ?s\b| ?sec| ?seconds?)")),
    ("clip", re.compile(rf"(?<!\d )(?<!\d-)\b(?P<ord>{'|'.join(ORDINALS)}) (?:{CLIP_WORD}|one)\b")),
    ("clip", re.compile(rf"\bthe (?P<ord>{'|'.join(ORDINALS)})(?= (?:or|and|with|to|vs\.?|versus) (?:the )?"
                        rf"(?:{'|'.join(ORDINALS)}) (?:{CLIP_WORD}|one)\b)")),
    ("last", re.compile(rf"\b(?:last|latest|newest|most recent) (?:{CLIP_WORD}|one)\b")),
    ("newest", re.compile(r"\b(?:latest|newest|most recent|final) version\b")),
    ("original", re.compile(r"\b(?:original|unedited|untouched)\b"
                            r"|\b(?:beginning|starting|initial) (?:version|one)\b|\bas (?:it was )?(?:first )?performed\b"
                            r"|\bbefore (?:the|any|my) (?:edit|change)s?\b")),
    ("before", re.compile(r"\b(?:previous|prior|earlier|old|last) version\b|\bversion before\b"
                          r"|\b(?:one|version) before (?:that|this|it)\b|\bbefore (?:that|the last) (?:change|edit)\b")),
    ("other", re.compile(rf"\b(?:other|previous|earlier|prior) (?:{CLIP_WORD}|one)\b|\b{CLIP_WORD} before\b|\bthe one before\b")),
    ("with", re.compile(rf"\b(?:{CLIP_WORD}|one) (?:with|where|that has|in which) (?P<what>.+)")),
)
_SHOWING = re.compile(
    r"\bthe (?P<what>(?!(?:other|same|new|old|last|next|first|only|right|left|previous|whole)\b)\w+(?: \w+)?) one\b")
"""A clip by what it shows: "the yawning one"."""
_SIZED = {"long": True, "longer": True, "longest": True, "short": False, "shorter": False, "shortest": False}
_AND_N = re.compile(rf",? ?(?:and|with|to|or|&|,) ?#?(?P<n>{_N})\b(?! ?s\b| ?sec| ?times)")
_OF_CLIP = re.compile(r"(?:^|[^\w\s]|\b(?:clip|take|video|in|of|to|and|with|use|on|for|than|or|from)) *$")
"""What stands before the number of a clip."""
THIS = re.compile(rf"^(?:it|this|that|the clip|this (?:{CLIP_WORD}|one)|that (?:{CLIP_WORD}|one)|here|current(?: one| clip)?"
                  r"|the current (?:one|clip)|the (?:new|edited|changed) (?:one|version|clip)|now)?$")


ROLES = (rf"(?:{PERSON}|gal|lad|lass(?:ie)?|chap|fella|mate|boyfriend|girlfriend|groom|bride|mime|robber|thief|witch|wizard"
          r"|professor|rapper|singer|clown|pirate|cop|officer|soldier|pilot|nurse|doctor|teacher|pupil|student|boss|colleague|friend|enemy"
          r"|villain|hero|brother|sister|twin|mother|mum|mom|father|dad|son|daughter|wife|husband|uncle|aunt|cousin|gran\w*"
          r"|neighbou?r|teen|toddler|presenter|speaker|rival|player|customer|waiter|king|queen|host|cohost|npc|people|someone|somebody)")
_NEW = (r"(?:new|an?other|nother|anotehr|next|different|other|else|second|third|fourth|2nd|3rd|4th|further|instead|fresh"
        r"|separate|this time)")
_ANOTHER = (
    re.compile(r"^(?P<lead>[^:;?!]{0,50}?)\b(?P<what>(?:an?|another|her|his|my|our|some) "
               r"(?:(?!an?\b|the\b)[\w-]+ ){0,3}?[\w-]+,? who (?!is\b|it\b).+)$", re.IGNORECASE),
    re.compile(rf"^(?P<lead>[^;?]{{0,80}}?)\b(?P<what>(?:an?|another) (?:(?!an?\b|the\b)[\w-]+ ){{0,3}}?{ROLES}"
               r"(?:,? who(?:['’]s)?| with)\b.+)$", re.IGNORECASE),
    re.compile(rf"^(?P<lead>[^:;?!]{{0,60}}?\b{_NEW}\b[^:;?!]{{0,40}}?"
               rf"|(?:now|next|and|then|ok|okay|lovely|bring (?:on|in)|here comes|enter|meet|,| )*"
               rf"\b(?:an?|the|his|her|my) (?:\w+ )?{ROLES}[^:;?!]{{0,20}}?)"
               r"(?:: |[,.] (?=(?:s?he|they|this one|\w+s|\w+ \w+s|smile|nod|wink)\b)| (?=(?:s?he|they) )|\. )"
               r"(?P<what>.+)$", re.IGNORECASE))
_NO_LEAD = re.compile(r"\b(?:as (?!a (?:separate|new|second|further)\b)|is|are|was|were|which|what|how|when|why|whether|add"
                      r"|remove|than|like|same|put|does|did)\b", re.IGNORECASE)
_OF_ANOTHER = re.compile(rf"\b(?:{ROLES}|{CLIP_WORD}|face|subject|variations?|variants?)\b", re.IGNORECASE)


def another_does(said: str) -> str:
    """What somebody else is said to do, who is another clip: "now a gal who winks", "different lad, he nods"; else nothing."""
    if said.rstrip().endswith("?"):
        return ""
    for pattern in _ANOTHER:
        m = pattern.match(said)
        if m is None or read_things(m["lead"].lower()) or _NO_LEAD.search(m["lead"]) or not read_things(m["what"].lower()):
            continue
        if pattern is _ANOTHER[2] and not _OF_ANOTHER.search(m["lead"]):
            continue
        return m["what"]
    return ""


def number_of(word: str) -> int:
    """The number that a digit or a word stands for."""
    return _NUMBERS.get(word) or int(word)


def resolve(text: str, session: Session) -> Clip:
    """The clip that some words mean.

    Args:
        text: e.g. "clip 2", "the first one", "version 1", "the one with the wink", a name; empty is the clip at hand.
        session: the conversation.

    Raises:
        ValueError: there is no clip yet, or none such.
    """
    here = session.current
    plain = re.sub(r"^(?:in|of|on|from|to|the|a|with|for)\s+", "", text.strip().lower().rstrip(" .!?"))
    if here is None and not session.clips:
        raise ValueError("there is no clip yet; say what the face should do, or open a file")
    if THIS.match(text.strip().lower().rstrip(" .!?")) or THIS.match(plain):
        if here is None:
            raise ValueError(f"there is no clip at hand any more; there {_there(session)}")
        return here
    for clip in reversed(session.clips):
        if clip.name and clip.name.lower() in (plain, re.sub(r"^the ", "", plain)):
            return session.latest(clip.number)
    if plain.isdigit() or plain in _NUMBERS:
        return _numbered(session, number_of(plain))
    if (bare := re.sub(r"^the ", "", plain)) in ORDINALS:
        return _numbered(session, ORDINALS[bare] + 1)
    for kind, pattern in _SAID:
        if (m := pattern.search(plain)) and (found := _meant(kind, m, session)) is not None:
            return found
    m = _SHOWING.search(text.lower()) if len(session.numbers) > 1 else None
    if m and (found := _containing(m["what"], session)) is not None:
        return found
    raise ValueError(f"I don't know which clip {text.strip()!r} is; there {_there(session)}")


def mentions(text: str, session: Session) -> list[tuple[int, int, Clip]]:
    """Places of a text that name a clip, and which: not "it" or "this"."""
    plain = text.lower()
    out: list[tuple[int, int, Clip]] = []
    for clip in session.clips:
        if clip.name and clip.version == session.versions(clip.number)[0].version:
            out += [(m.start(), m.end(), session.latest(clip.number))
                    for m in re.finditer(rf"\b{re.escape(clip.name.lower())}\b", plain)]
    for kind, pattern in _SAID:
        if kind == "with":
            continue
        for m in pattern.finditer(plain):
            if any(m.start() < high and low < m.end() for low, high, _ in out):
                continue
            if m[0].endswith("one") and len(session.numbers) < 2:
                continue  # "the other one" is an eye or a wink
            if m[0].startswith(("n", "#")) and not _OF_CLIP.search(plain[:m.start()]):
                continue  # "smile number 2"
            if (found := _meant(kind, m, session)) is not None:
                out.append((m.start(), m.end(), found))
                if m[0].startswith(("clips", "versions")) and (more := _AND_N.match(plain, m.end())):  # "clips 1 and 2"
                    n, here = number_of(more["n"]), session.current
                    of = session.versions(here.number) if kind == "version" and here is not None else []
                    out.append((*more.span(), of[n - 1] if 0 < n <= len(of) else _numbered(session, n)))
    if len(session.numbers) > 1 and not out:
        out += _of_person(plain, session)
    for m in _SHOWING.finditer(plain) if len(session.numbers) > 1 and not out else ():
        if m["what"] in _SIZED and m["what"] not in ("long", "short"):
            continue  # "is it still the longest one"
        with suppress(ValueError):
            if (one := _containing(m["what"], session)) is not None:
                out.append((m.start(), m.end(), one))
    return sorted(out, key=lambda row: row[0])


_ASKS = re.compile(r"\?\W*$|^(?:(?:and|so|but|ok|okay|now|then|also|um|please)[, ]+)*(?:does|do|did|is|are|was|which|who|how|when"
                   r"|what|has|make|let|have|give)\b")
_THE_PERSON = re.compile(rf"\b(?:the|that|this) (?:\w+ )?(?P<who>{ROLES})\b(?:['’]s)?")


def _of_person(plain: str, session: Session) -> list[tuple[int, int, Clip]]:
    """"The kid", where one clip alone was performed of a kid."""
    if not _ASKS.search(plain):
        return []
    told = {n: session.versions(n)[0].said.lower() for n in session.numbers}
    out = []
    for m in _THE_PERSON.finditer(plain):
        own = [n for n, said in told.items() if re.search(rf"\b{re.escape(m['who'])}\b", said)]
        if len(own) == 1:
            out.append((*m.span(), session.latest(own[0])))
    return out


_NTH_OF_CLIPS = re.compile(rf"^(?:(?:the|our|my|your|that|very) )*(?P<ord>{'|'.join(ORDINALS)}|last) (?P<noun>[a-z]+)"
                           r"(?:,? [a-z]+)?$")
_SOMEBODY = re.compile(rf"^(?:(?:the|our|my|that|this) )+(?:\w+ )?(?P<who>{ROLES})$")


def called_clip(words: str, session: Session) -> str:
    """The clip that words call by its place or by whom it shows, as "clip 2": "our first face", "the girl"; else nothing."""
    words = words.lower().strip(" .!?")
    if len(session.numbers) < 2:
        return ""
    m = _NTH_OF_CLIPS.match(words)
    if m and m["noun"] not in ("version", "one", "change", "edit", "step") and not read_things(
            m["noun"]) and not re.fullmatch(CLIP_WORD, m["noun"]):
        at = ORDINALS.get(m["ord"], len(session.numbers) - 1)
        return f"clip {session.numbers[at]}" if at < len(session.numbers) else ""
    if m := _SOMEBODY.match(words):
        own = [n for n in session.numbers if re.search(rf"\b{re.escape(m['who'])}\b", session.versions(n)[0].said.lower())]
        return f"clip {own[0]}" if len(own) == 1 else ""
    return ""


def _there(session: Session) -> str:
    names = [session.versions(n)[0].name or f"clip {n}" for n in session.numbers]
    return ("is " if len(names) == 1 else "are ") + ", ".join(names)


def _numbered(session: Session, number: int) -> Clip:
    if number not in session.numbers:
        raise ValueError(f"there is no clip {number}; there {_there(session)}")
    return session.latest(number)


def _meant(kind: str, m: re.Match[str], session: Session) -> Clip | None:
    here = session.current
    if kind == "clip":
        if m.groupdict().get("ord"):
            at = ORDINALS[m["ord"]]
            if at >= len(session.numbers):
                raise ValueError(f"there is no {m['ord']} clip; there {_there(session)}")
            return session.latest(session.numbers[at])
        n = number_of(m["n"])
        if here is not None and m[0].startswith("take") and n not in session.numbers and n <= len(session.versions(here.number)):
            return session.versions(here.number)[n - 1]  # takes of one clip are versions of it
        return _numbered(session, n)
    if kind == "version":
        of = resolve(m["of"], session) if m.groupdict().get("of") else here
        wanted = ORDINALS[m["ord"]] + 1 if m.groupdict().get("ord") else number_of(m["n"])
        versions = session.versions(of.number) if of else []
        if not 1 <= wanted <= len(versions):
            raise ValueError(f"there is no version {wanted}; {of.label if of else 'it'} has {len(versions)}")
        return versions[wanted - 1]
    if kind == "last":
        return session.latest(session.numbers[-1])
    if kind == "newest":
        return session.versions(here.number)[-1] if here else None
    if kind == "original":
        return session.versions(here.number)[0] if here else None
    if kind == "before":
        parent = session.find(here.parent) if here else None
        if parent is None:
            raise ValueError("there is no version before this one")
        return parent
    if kind == "other":
        others = [n for n in session.numbers if here is None or n != here.number]
        if not others:
            raise ValueError("there is no other clip")
        return session.latest(others[-1])
    return _containing(m["what"], session)


def _containing(words: str, session: Session) -> Clip | None:
    """The newest clip whose script, or measurement, has what some words name."""
    if (sized := _SIZED.get(words.strip())) is not None:
        return (max if sized else min)((session.latest(n) for n in session.numbers), key=lambda c: c.measured().seconds)
    found = read_rules(Marked(words), 0.2)
    names = [c.name for c in found.script.cues] if found else []
    scripts = [c.script for c in session.clips if c.script]
    names = names or [cue.name for script in scripts for cue in script.cues if words.strip() in cue.name.split("_")]
    if not names:
        return None
    latest = [session.latest(number) for number in reversed(session.numbers)]
    for means in (lambda c, n: n in (c.name, c.action), same_name):  # its own name, before what users say for it
        for clip in latest:
            cues = clip.script.cues if clip.script else ()
            shown = () if clip.script else clip.measured().names
            if any(means(c, n) for c in cues for n in names) or any(
                    s == n or s.startswith(f"{n}_") for s in shown for n in names):
                return clip
    raise ValueError(f"no clip has {words.strip()}; there {_there(session)}")
