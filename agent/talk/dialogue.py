"""What a line of a conversation asks for: calls of the tools, by the rules of ``dialogue.yaml``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...data_gen.reading.questions import PERSON, read_question, read_things
from ...data_gen.reading.rules import read_rules
from ...data_gen.reading.spelling import spelled
from ...data_gen.reading.tags import SURELY_ASKED
from ...data_gen.tables import read_table
from ...data_gen.text.quantities import find_quantities
from ...data_gen.wording.telling import STYLES
from ...face.facs.script import Script
from ..editing.wishes import read_edits, wants_change, without_fillers
from .comparing import compared_by, read_comparing
from .intent import transition_in
from .references import CLIP_WORD, ORDINALS, another_does, called_clip, mentions, number_of, resolve
from .session import Clip, Session
from .tools import Call, Toolbox


@dataclass(frozen=True)
class _Rules:
    undo: str
    redo: str
    list: str
    changed: str
    again: str
    takes: str
    anew: str
    announced: str
    goes_on: str
    describe: str
    name: str
    goto: str
    export: str
    join: str
    between: str
    two: str
    compare: str
    mark: str
    settled: str
    talk: str
    unable: str
    outside: str
    asks: str
    signals: str
    sure: str
    command: str
    follows: str
    polite: str
    tell: str
    next: str
    lead: str
    another: str
    lasting: str


_TABLE = read_table(__package__, "dialogue.yaml", _Rules)
RULES = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in vars(_TABLE).items()}
HELLO = "All right. Say what the face should do, what to change, or ask about the clip; /help has more."
ABLE = ("I perform, describe, compare and change the motion of a face, and answer questions about it; that is not among it. "
         'Try "She smiles, then nods twice."')
UNREAD = ('I am not sure what is meant: say what the face should do ("She smiles, then nods twice."), what to change ("make the '
           'smile stronger", "without the nod"), or ask about the clip ("how often does she nod?")')
SUBJECT = re.compile(rf"^\W*(?:(?:s?he|they)(?!['’]?d\b| (?:would|wants?|likes?|says?|said|thinks?|asks?)\b)|(?:the"
                     rf"|a) {PERSON}|someone|somebody|her face|his face|looking|imagine)\b", re.IGNORECASE)
"""What a line begins with that tells what a face does, also where only the model can read it."""
_LEAST = 0.4
"""Share of a line's words that must mean something for it to be performed while a clip is at hand."""
_WHO = ('I perform the motion of a face from words, describe it, answer questions about it and change it: say "She smiles, then '
        'nods twice.", then "make it stronger" or "how often does she nod?".')
_TWICE = {"twice": 2, "two": 2, "three": 3, "thrice": 3}
_STYLED = (("timed", r"\btimes?(?:tamps?|line)?\b|\bseconds\b"), ("director", r"\b(?:actor|instructions?|direct)"),
           ("clinical", r"\b(?:facs|action units?|codes?|medical)\b"), ("caption", r"\b(?:one line|short|few words|title)\b"))
"""Words for a style of describing, beside its name."""


def segments(text: str) -> list[str]:
    """A line as the wishes of different kinds that it holds, in order; what is performed or changed stays in one piece."""
    led = RULES["lead"].match(text.strip())
    rest = text.strip()[led.end():] if led else text.strip()
    pieces = ([led[1]] if led else []) + [p.strip() for p in RULES["next"].split(rest) if p and p.strip(" .,!")]
    return pieces or [text.strip()]


def said_plainly(text: str) -> tuple[str, str]:
    """A line with its misspellings written out, and in lower case without the words that only lead to it."""
    said = spelled(" ".join(text.split()))
    return said, _plain(said)


def talk(said: str) -> Call:
    """A short reply to what wants none."""
    return Call("say", {"text": _WHO if re.search(r"\b(?:who|what) (?:are you|can you do)|^help\b", said.lower()) else HELLO})


def announced(said: str, session: Session) -> str:
    """What another clip should show, where a line announces one: "another one: he yawns", "clip 2: she nods"; else nothing."""
    if m := RULES["anew"].match(said):
        return "" if _is_this(re.sub(r",? (?:please|pls|then)$", "", m["what"].lower().strip(" .!"))) else m["what"]
    if session.clips and RULES["lasting"].match(said):
        return said
    if session.clips and (m := RULES["another"].match(said)) and not wants_change(m["what"]):
        ruled = read_rules(find_quantities(m["what"]), _LEAST)
        return m["what"] if ruled is not None and ruled.script.cues else ""
    if session.clips and (m := _A_NEW_CLIP.match(said)):
        return m["what"]
    if session.clips and (what := another_does(said)):
        return what
    m = RULES["announced"].match(said)
    if not m or not (m["nth"] or m["new"] or m["n"]):
        return ""
    at = number_of(m["n"]) if m["n"] else ORDINALS[m["nth"].lower()] + 1 if m["nth"] else None
    return "" if at in session.numbers else m["what"]


def phrase(said: str, plain: str, session: Session) -> Call | None:
    """The call of a set phrase: thanks, undo, a clip's name ..."""
    if RULES["mark"].search(said) and RULES["talk"].match(said.lower()) and not RULES["undo"].match(plain):
        return talk(said)
    if session.current is not None and RULES["settled"].match(plain):
        return talk(said)
    told = RULES["describe"].match(plain.rstrip("?").strip()) if session.current is not None else None
    if told and not (told["what"] or "").strip():
        return described(plain, "", session)
    return _about_session(plain, said, session)


def plan(text: str, tools: Toolbox) -> Call:
    """The call that one wish asks for, by the rules alone.

    Args:
        text: one of :func:`segments`.
        tools: the conversation's, with its memory.

    Raises:
        ValueError: it names a clip that is not there, or changes what is not known.
    """
    session = tools.session
    said, plain = said_plainly(text)
    if what := announced(said, session):
        return Call("perform", {"prompt": what})
    if call := phrase(said, plain, session):
        return call
    signals = session.current is not None and RULES["signals"].search(plain) and (
        not RULES["command"].match(plain) or RULES["sure"].search(plain))
    wish = session.current is not None and re.search(r"\?\W*$", said) and wants_change(said) and not re.match(
        r"(?:what|which|who|how|when|is|are|does|do|did|was|were|has|why|where)\b", plain)
    asks = not wish and not is_request(said, plain) and bool(
        RULES["asks"].search(plain) or RULES["tell"].match(plain) or signals)
    if asks and not session.clips and not _OF_SOMETHING.match(plain):  # "could I trouble you for a woman who nods?"
        read = read_rules(find_quantities(said), _LEAST)
        asks = read is None or not read.script.cues
    asks = asks or session.current is not None and bool(SURELY_ASKED.search(plain)) and read_question(plain) is not None
    if asks or RULES["follows"].match(plain):
        return question_call(said, plain, tools)
    if m := RULES["describe"].match(plain):
        return described(plain, m["what"] or "", session)
    here = session.current is not None
    if not re.search(r"\b(?:rather than|instead of)\b", plain) and transition_in(plain, here) is not None:
        return Call("transition", {"instruction": said if transition_in(said, here) is not None else plain})
    return _made(said, plain, tools)


def _plain(text: str) -> str:
    """A line in lower case without its end and the words that only lead to it; a question keeps its mark."""
    plain = re.sub(r"\s+", " ", text.strip()).lower().rstrip(" .!,")
    for _ in range(4):
        before = plain
        plain = RULES["polite"].sub("", plain).strip()
        if plain == before:
            break
    tagged = _TAG.sub("", plain)
    if tagged != plain and not RULES["asks"].search(tagged):
        plain = tagged  # "sooner, shall we?" asks nothing
    return re.sub(r",? (?:please|pls|plz|thanks|thank you|for me)(?=\??$)", "", plain)


_TAG = re.compile(r",? (?:shall we|would (?:you|u)|will (?:you|u)|could (?:you|u)|can (?:you|u)|won't (?:you|u)|ok(?:ay)?"
                  r"|alright|yeah|maybe"
                  r"|perhaps)\?$")


def is_request(said: str, plain: str) -> bool:
    """Whether something in the form of a question asks for motion: "can you smile?"."""
    low = said.lower()
    if re.search(r"^\W*(?:could|can) (?:that|the|this|his|her) .*\bbe\b", said.lower()):
        return True
    if re.search(r"\b(?:could|can) (?:we|you) (?:have|make|get|do|let)\b", low) and not re.match(
            r"(?:what|which|who|how|when)\b", plain):
        return True
    asked = re.search(r"(?:^|[.!,] )\W*(?:(?:hey|hi|ok|okay|and|so|but|please|great|cool|now|thanks)[, ]+)*"
                     r"(?:(?:can|could|would|will|might|may) (?:you|u|we|she|he|they)|would it be possible|is it possible) ", low)
    return bool(asked) and not RULES["tell"].match(low) and not re.match(
        r"(?:what|which|who|how|when|is|are|does|did|was|why|where|until)\b", plain)


# -- clips and versions ---------------------------------------------------------------------------
def _about_session(plain: str, said: str, session: Session) -> Call | None:
    bare = plain.rstrip("?").strip()
    if m := RULES["redo"].match(bare):
        return Call("redo", {"times": 0} if re.search(r"\bredo (?:everything|all)\b", m[0]) else {})
    again = bool(session.turns) and [c.get("tool") for c in session.turns[-1].calls] == ["undo"] and _BEFORE_THAT.match(bare)
    if again or RULES["undo"].match(bare) and not _TO_A_SIDE.search(bare):
        if re.match(r"undo both\W*$", bare):
            return Call("undo", {"times": 2})
        times = re.search(r"\b(twice|two|three|thrice|\d+)(?: (?:times|steps|changes|edits)|$)"
                          r"|\b(?:last|both) (two|three|\d+)", bare)
        word = next((g for g in times.groups() if g), "") if times else ""
        return Call("undo", {"times": _TWICE.get(word) or int(word)} if word else {})
    if RULES["changed"].match(bare) and not (RULES["compare"].search(bare) and mentions(bare, session)):
        return Call("changed")
    if RULES["list"].match(bare):
        return Call("list_clips")
    if session.clips and _ORIGINAL.search(bare):
        return Call("go_to", {"clip": "the original"})
    only = _FILLER.sub(" ", bare).strip()
    if any(c.name and c.name.lower() == only for c in session.clips):
        return Call("go_to", {"clip": only})
    if session.current is not None and RULES["again"].match(bare):
        return Call("again")
    if m := RULES["takes"].match(bare):
        original = re.search(re.escape(m["what"]), said, re.IGNORECASE) if m["what"] else None
        return _takes(m["count"], original[0] if original else m["what"] or "", session)
    if m := RULES["export"].match(bare):
        original = re.search(re.escape(m["path"]), said, re.IGNORECASE)
        named = mentions(bare[:m.start("path")], session)
        return Call("export", {"path": original[0] if original else m["path"], **clip_of(named)})
    opinion = bool(re.match(r"^\W*would (?:you|u) call\b", said.lower()))
    asked = opinion or plain.endswith("?") and (not is_request(said, plain) or re.match(r"^\W*would (?:you|u)\b", said.lower()))
    if session.clips and not asked and (m := RULES["name"].match(bare)) and not compared_by(bare):
        what, name = (m["what"] or m["what2"]), (m["name"] or m["name2"])
        if what and _names_clip(what, session):
            word = re.search(re.escape(name), said, re.IGNORECASE)
            return Call("name", {"name": word[0] if word else name, "clip": "" if _is_this(what) else what})
    m = _THIS_IS.match(bare) if any(c.name for c in session.clips) and not asked else None
    if m and not read_things(m["name"]) and not RULES["mark"].search(bare):
        return Call("name", {"name": said.rstrip(" .!").split()[-1], "clip": ""})
    if session.clips and (call := _in_between(bare, session)):
        return call
    if session.clips and RULES["compare"].search(bare) and not compared_by(
            _NTH_CLIP.sub(" ", _without(bare, named := mentions(bare, session)))):
        pair = [_word(f[2]) for f in named[:2]]
        if not pair and len(session.numbers) > 1:  # "compare the first and the third"
            nth = [ORDINALS[w] for w in _NTH_CLIP.findall(bare)]
            pair = [_word(session.latest(session.numbers[k])) for k in nth[:2] if k < len(session.numbers)]
        return Call("compare", {"first": pair[0], "second": pair[1]} if len(pair) == 2 else {"first": pair[0]} if pair else {})
    if session.clips and RULES["join"].match(bare) and len(found := mentions(bare, session)) >= 2:
        return Call("join", {"first": _word(found[0][2]), "second": _word(found[1][2])})
    if session.clips and (m := RULES["goto"].match(bare)):
        what = m["what"] or m["what2"]
        what = f"take {what}" if what.isdigit() else re.sub(r"^(?:the )?(?:number|no\.?|nr\.?) ?(\d)$", r"clip \1", what)
        what = called_clip(what, session) or what
        edits = re.search(r"\b(?:smil|nod|wink|blink|stronger|longer|shorter|faster|slower|bigger|weaker|earlier|later)", what)
        known = any(c.name and c.name.lower() == re.sub(r"^the ", "", what.strip()) for c in session.clips)
        if plain.endswith("?") and re.search(r"\bone\W*$", what):
            return None  # "and the second one?" goes on with a question
        of_clip = known or re.search(rf"\b(?:{CLIP_WORD}|one|version) (?:with|where)\b|^the \w+ one$", what)
        if (of_clip or not edits) and _names_clip(what, session) and not _is_this(what):
            return Call("go_to", {"clip": what})
    return None


_A_NEW_CLIP = re.compile(r"^[^:?]{0,30}\ban? (?:\w+ )?(?:new|separate|fresh|third|second) (?:\w+ )?(?:clip|take|video"
                         r"|animation)\b[^:?]{0,25}: ?"
                         r"(?P<what>.+)$", re.IGNORECASE)
"""However it is led to: "variant B as a new clip: he nods"."""
_BEFORE_THAT = re.compile(r"^(?:(?:uh|um|and|ok|okay|also|now|hm+)[, ]+)*(?:the (?:one|change) before(?: that| it)?|one more"
                          r"|another(?: one| step)?"
                          r"|again|once more|further|that one)(?: as well| too| also| back| please)*$")
"""What else is undone, after something was."""
_TO_A_SIDE = re.compile(r"\b(?:put|make|turn|set) (?:it|that|them)(?: back)? (?:to |on )?(?:the )?(?:left|right|both)\b")
_OF_SOMETHING = re.compile(r"^(?:what|which|who|whose|how|when|where|why|does|do|did|is|are|was|were|has|have)\b")
_FILLER = re.compile(r"\b(?:now|then|and|please|pls|again|back|ok|okay|show|me|see|the|to|go|let'?s)\b|[,.!]")
_ORIGINAL = re.compile(r"[,.;:!] (?:(?:give|show) (?:me|us) |i(?:'d)? (?:want|like) |back to )?the original"
                       r"(?: one| version| clip)?(?: back)?$")
_THIS_IS = re.compile(r"^(?:and |so |now )*th(?:is|at)(?: one)? is (?:called |named )?(?P<name>\w+)$")
_NTH_CLIP = re.compile(rf"\bthe ({'|'.join(ORDINALS)})\b(?= (?:and|with|to)\b|\W*$)")
_COUNTS = {w: k + 2 for k, w in enumerate(["two", "three", "four", "five", "six", "seven", "eight"])} | {"a few": 3, "several": 4}


def _takes(count: str, what: str, session: Session) -> Call | None:
    """The call for several performances to choose from: of words, or of the clip at hand."""
    takes = _COUNTS.get(count) or int(count)
    if what and not re.fullmatch(r"(?:it|this|that|(?:the|this) (?:clip|one))\W*", what):
        return Call("perform", {"prompt": what[:1].upper() + what[1:], "takes": takes})
    return Call("again", {"takes": takes}) if session.current is not None else None


_NO_MEAN = re.compile(r"\b(?:differ|compar|switch|toggle|go(?:ing)? back|add|insert|put|pop|stick|place|throw|squeeze|gap|pause"
                      r"|longer|shorter|more|less)")
_SHARES = {"quarter": 0.25, "third": 1 / 3, "half": 0.5, "two thirds": 2 / 3, "three quarters": 0.75, "tenth": 0.1}


def _in_between(bare: str, session: Session) -> Call | None:
    """The call for what would be between two clips."""
    asks = re.search(r"\b(?:which|who|whose|how|does|do|is|are)\b", bare)
    if not RULES["between"].search(bare) or _NO_MEAN.search(bare) or asks:
        return None
    found = mentions(bare, session)
    if len(found) < 2 and not RULES["two"].search(bare):
        return None
    if len(found) > 1 and re.search(r"\b(?:nearer|closer)\b", bare):  # "between 1 and 2 but closer to 2"
        near = found[2] if len(found) > 2 else found[1]
        share: float | None = 0.75 if near[2].id != found[0][2].id else 0.25
    else:
        percent = find_quantities(bare).p
        share = percent[0] if percent else next((v for w, v in sorted(_SHARES.items(), key=lambda r: -len(r[0]))
                                                 if re.search(rf"\b{w}\b of the way", bare)), None)
    pair = dict(zip(("first", "second"), (_word(f[2]) for f in found), strict=False)) if len(found) > 1 else {}
    return Call("between", {**pair, **({} if share is None else {"share": round(min(share, 1.0), 3)})})


def _is_this(words: str) -> bool:
    return bool(re.fullmatch(rf"(?:it|this|that|him|her|them|the clip|this (?:{CLIP_WORD}|one)|that (?:{CLIP_WORD}|one)"
                             r"|the (?:current|new|last) (?:one|clip|version))", words.strip()))


def _names_clip(words: str, session: Session) -> bool:
    if _is_this(words):
        return True
    if len(session.numbers) > 1 and re.sub(r"^the ", "", words.strip()) in ORDINALS:
        return True
    if not re.search(rf"\b(?:{CLIP_WORD}|one|version|original|before|#\d)\b", words) and not any(
            c.name and c.name.lower() in re.sub(r"^the ", "", words.strip()) for c in session.clips):
        return False
    try:
        resolve(words, session)
    except ValueError:
        if re.search(r"\b(?:clip|version|take) ?#?\d+\W*$", words) or re.search(
                r"\b(?:first|second|third|other|previous) (?:clip|version|one|take)\W*$", words):
            raise
        return False
    return True


def _word(clip: Clip) -> str:
    """A reference that always means this clip."""
    return f"version {clip.version} of clip {clip.number}"


def clip_of(found: list[tuple[int, int, Clip]]) -> dict[str, str]:
    """The argument for the clip that a line mentions."""
    return {"clip": _word(found[0][2])} if found else {}


def _without(text: str, found: list[tuple[int, int, Clip]]) -> str:
    """A line without the words that name a clip."""
    out = text
    for low, high, _ in reversed(found):
        before = re.sub(r"(?:,?\s*\b(?:in|of|for|on|from|to|with|about)\b)?(?:\s*\b(?:the|my|your|our)\b)?\s*$", "", out[:low])
        after = re.sub(r"^(?:'s)?\s*(?:,\s*)?", " ", out[high:])
        out = f"{before}{after}"
    return " ".join(out.split()).strip(" ,")


# -- questions -----------------------------------------------------------------------------------
def question_call(said: str, plain: str, tools: Toolbox) -> Call:
    """The call of a question, by the rules."""
    session = tools.session
    plain = RULES["tell"].sub("", plain).strip()
    question = re.sub(RULES["tell"], "", said).strip()
    found = mentions(plain, session) if session.clips else []
    if read_comparing(question, session):
        return Call("compare", {"question": question})
    if found and session.current is not None:
        ask = _without(plain, found[:1])
        return Call("ask", {"question": ask + ("?" if not ask.endswith("?") else ""), "clip": _word(found[0][2])})
    m = RULES["describe"].match(plain.rstrip("?").strip())
    if m and not (m["what"] or "").strip(" ?") and not re.search(r"\b(?:at|after|before|between|first|last)\b", plain):
        return Call("describe")
    return Call("ask", {"question": question})


def described(plain: str, what: str, session: Session) -> Call:
    """The call that describes a clip, in the style and the detail that the words ask for."""
    found = mentions(plain, session)
    style = next((s for s in STYLES if re.search(rf"\b{s}\b", what)), "")
    if not style:
        style = next((s for s, words in _STYLED if re.search(words, what)), "")
    detail = "full" if re.search(r"\b(?:detail|everything|full|fully|thorough)", what) else ""
    return Call("describe", {**clip_of(found), **({"style": style} if style else {}), **({"detail": detail} if detail else {})})


# -- performing and changing --------------------------------------------------------------------------
def _made(said: str, plain: str, tools: Toolbox) -> Call:
    session = tools.session
    here = session.current
    if RULES["unable"].search(plain):
        known = read_rules(find_quantities(plain), _LEAST)
        if known is None or not known.script.cues or known.explained < 0.6 and len(known.script.cues) < 2:
            return Call("refuse", {"reason": ABLE})
    found = mentions(plain, session) if session.clips else []
    target, wish = (found[0][2], _without(plain, found[:1])) if found else (here, said)
    if target is not None and wish:
        script, _ = tools.shown(target)
        wish_plain = without_fillers(wish)
        if script.cues and (found or _may_edit(wish_plain)) and read_edits(wish, script, tools.agent.read):
            return Call("edit", {"wish": wish, **clip_of(found)})
        if wants_change(wish) or found:
            return Call("edit", {"wish": wish, **clip_of(found)})
    if here is not None:
        ruled = read_rules(find_quantities(said), 0.2)
        if here.script is not None and ruled is not None and not SUBJECT.match(said) and (
                wish := _specified(ruled.script, here.script)):
            return Call("edit", {"wish": wish})
        if here.script is not None and (m := RULES["goes_on"].match(said.lower())) and ruled is not None and ruled.script.cues:
            return Call("edit", {"wish": f"add {m['what'].strip(' .!')}"})
        unread = ruled is None or not ruled.script.cues and not ruled.script.still or ruled.explained < _LEAST
        if unread and not tools.agent.read(said).cues:
            return Call("refuse", {"reason": UNREAD})
        unread = ruled is None or not (ruled.script.cues or ruled.script.still)
        vague = not unread and ruled is not None and ruled.explained < _LEAST and len(said.split()) > 2
        if vague or unread and not SUBJECT.match(said):
            return Call("refuse", {"reason": UNREAD})
    if is_request(said, plain):
        said = re.sub(r"^(?:(?:can|could|would|will) (?:you|u) (?:please )?|please )", "", said, flags=re.IGNORECASE).rstrip(" ?")
    return Call("perform", {"prompt": said})


def _specified(said: Script, script: Script) -> str:
    """The wish of a line that names one thing of the script as it should be: "a smirk on the left", "two nods"; else nothing."""
    if len(said.cues) != 1 or said.never or said.still:
        return ""
    new = said.cues[0]
    old = [c for c in script.cues if c.name == new.name]
    if len(old) != 1 or new.start is not None or new.seconds is not None:
        return ""
    name, wishes = new.name.replace("_", " "), []
    if new.side != "both" and new.side != old[0].side:
        wishes.append(f"the {name} on the {new.side} side")
    if new.count is not None and new.count != old[0].count:
        wishes.append(f"the {name} {new.count} times")
    if new.strength is not None and new.strength != old[0].strength:
        wishes.append(f"the {name} at {100 * new.strength:.0f} %")
    return " and make ".join(["make " + w if k == 0 else w for k, w in enumerate(wishes)])


def _may_edit(plain: str) -> bool:
    return bool(plain)
