"""What a line takes up from the turns before it: a number corrected, the same for something else, one thing as it was."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ....data_gen.reading.questions import read_question, read_things
from ....data_gen.reading.rules import read_rules
from ....data_gen.reading.spelling import spelled
from ....data_gen.text.quantities import find_quantities, find_spans
from ....face.facs.evidence.happenings import Thing
from ....face.facs.script import Cue, Script
from ....llm.grammar.plans import Step, parse_plan
from ...editing.operations import edited, same_name
from ...editing.planned import edits_of, is_edit
from ..dialogue import clip_of
from ..references import ORDINALS, mentions
from ..session import Clip, Session, Turn
from ..tools import Call, Toolbox
from .doubts import KEPT, as_step

NUMBER = r"(?:\d+(?:\.\d+)?|one|two|three|four|five|six|seven|eight|nine|ten)"
_ONLY_NUMBER = re.compile(
    rf"^\W*(?:(?:no|nah|nope|wait|sorry|oops|er+m?|hm+|typo|argh|actually|ok|okay|i mean(?:t)?|make (?:that|it)|should be"
    rf"|more like|rather"
    rf"|only|just)[,:. ]+)*(?P<new>{NUMBER})(?: ?(?:s|sec|secs|seconds?|times|x|%|percent))?(?: (?:then|rather|please"
    rf"|instead))?\W*$")
_ONLY_A_CLIP = re.compile(r"^\W*(?:(?:and|what about|how about|n|then|now|ok|so|in|for|the|with|on|same|question|is it)\b\W*)*$")
_FOLLOWS = re.compile(
    r"^\W*(?:(?:uh huh|uh|um|ok(?:ay)?|so|and|then|now|what about|how about|what of|same for)[, ]+)+(?:the |her |his |their "
    r"|that )?"
    r"(?:(?P<nth>first|second|third|fourth|last)(?: one| time)?|(?P<what>(?!one\b|other\b|.*\b(?:when|how|which|what|end|stop"
    r"|start|begin|last|finish|over)s?\b)"
    r"[a-z' ]{3,25}?))(?: then| now)?\W*$")
_MEANT = re.compile(r"^(?=.*\b(?:not|wrong|leave|no|nah|nope|other)\b).*\b(?:i |we )?(?:meant|mean)(?: to say)? "
                    r"(?:the |her |his |that )?(?P<new>\w+(?: \w+)?)\W*$")
_FOLLOWED = frozenset(f"ask-{a}" for a in ("when", "until", "long", "strong", "fast", "side", "count"))
"""Questions that are asked again of something else."""
_X = r"(?:(?:the|her|his|their|that) )?(?P<x>(?!(?:it|that|this|them|everything|all)\b)[a-z]+(?: [a-z]+){0,2}?)"
_WAS = r"(?:(?:it|they|that) )?(?:was|were|had been|used to be|did)"
_BEFORE = r"(?: (?:before|at first|originally|initially|in the beginning|to begin with|earlier|previously))?"
_SHOULD = r"(?:,? (?:(?:should|must|can|could|needs? to|has to|have to|ought to) )?(?:be |go |come |stay )?(?:back )?)"
_GET = r"(?:(?:i )?(?:want|need|get|have|make|put|bring|give me) )?"
_RESTORED = tuple(re.compile(pattern) for pattern in (
    rf"\b(?:(?:go )?back to )?(?:how|the way) {_X} (?:was|were|used to be){_BEFORE}",
    rf"{_GET}\b{_X}{_SHOULD}(?:to )?(?:exactly |just )?(?:like|as|the way|how|as \w+ as) {_WAS}{_BEFORE}",
    rf"{_GET}\b{_X}{_SHOULD}(?:like|as) before",
    rf"\b(?:bring|put|get|have|want|need|give me|give|return|add|take) {_X} back(?: in(?: again)?| again)?"
    r"(?! (?:to|by|a|an|half|one|two|three|\d|home|at|after|before|in)\b)",
    rf"\b(?:bring|put|give|get)(?: me| us)? back {_X}(?= again| in\b| please| now|[,.;!]|$)",
    rf"\b(?:restore|reset|revert|reinstate|unremove) {_X}(?= again| please| to\b| now|[,.;!]|$)(?: to (?:how|what) it was)?",
    rf"\b{_X} (?:must|should|needs? to|has to|have to|can|may|ought to) (?:come|go|be|return)? ?back(?: in| again)?(?! to\b)",
))
_KEEPS = re.compile(r"\b(?:keep|keeps|leave|stays?|kept|left|remains?)\b")
_AT_FIRST = re.compile(r"\b(?:at first|original(?:ly)?|initial(?:ly)?|in the beginning|to begin with)\b")
_INTERROGATIVE = re.compile(r"^\W*(?:is|was|were|are|does|did|do|which|what|when|who|why|how (?!the\b|her\b|his\b)\w+)\b")
_PAIRS = (("stronger", "weaker"), ("faster", "slower"), ("longer", "shorter"), ("later", "earlier"), ("more", "fewer"),
          ("length-longer", "length-shorter"))
_OPPOSITE = {a: b for pair in _PAIRS for a, b in (pair, pair[::-1])}
_OTHER_WAY = re.compile(
    r"^\W*(?:(?:no|nah|nope|oops|hm+|wait|sorry|oh|um+|i (?:meant|mean|want(?:ed)?|said)|do|please|make it|quite)[, ]+)*"
    r"(?:the |in the |that'?s the |it'?s the )?(?:(?:other|opposite|wrong) (?:way|direction)(?: a?round)?|(?:exact )?opposite"
    r"|reverse|other way a?round)(?: of (?:that|it))?(?:,? (?:please|pls|i mean|thanks|sorry))*\W*$")
_NOTCH = re.compile(
    r"\b(?:take|bring|dial|pull|scale|rein|knock|wind|ease|tone) (?:it|that|this) (?:back|down|in)(?: down)? "
    r"(?:an? (?:\w+ )?(?:notch|bit|touch|tad|little|peg|hair|smidge)|slightly|somewhat)\b")
_BESIDE_THAT = re.compile(r"^\W*(?:(?:and|then|now|ok(?:ay)?|also|please)[, ]+)*(?:the )?(?:one|thing|move) (?:right |just )?"
                          r"(?P<where>before|after) (?:that|it|this)(?:,? (?:please|pls|too|as well|also|now))*\W*$")
_SAME_FOR = re.compile(
    r"^\W*(?:(?:and|then|now|ok(?:ay)?|so|also|please|could you|can you|yes|yeah)[, ]+)*"
    r"(?:(?:do |make |apply |give )?(?:the |exactly the )?same(?: thing| change| treatment| again)?(?: goes| applies| please)?"
    r" (?:for|with|to|on)|ditto(?: for| with)?|likewise(?: for| with)?)"
    r" (?:the |her |his |their )?(?P<new>[a-z]+(?: [a-z]+){0,2}?)(?:,? (?:please|pls|too|as well|then|also|now))*\W*$")


def renumbered(text: str, session: Session, meant: tuple[str, str] = ("", "")) -> tuple[str, bool] | None:
    """The change before with another number, where a line is nothing else ("nah, 4"); and whether to undo it first.

    Args:
        text: the line.
        session: with the change.
        meant: the line before, and what it was taken for.
    """
    m = _ONLY_NUMBER.match(spelled(text).lower())
    last = session.turns[-1] if session.turns else None
    if m is None or last is None or [c.get("tool") for c in last.calls] != ["edit"]:
        return None
    said = spelled(meant[1] if meant[0] == last.said else last.said)
    spans = find_spans(said)
    number = re.search(rf"\b{NUMBER}\b", said[spans[0].start:spans[0].end], re.IGNORECASE) if len(spans) == 1 else None
    if number is None:
        return None
    at = spans[0].start
    return (f"{said[:at + number.start()]}{m['new']}{said[at + number.end():]}",
            bool(re.search(r"\b(?:more|longer|shorter|earlier|later|sooner|less|fewer|another|extra|by)\b", said.lower())))


def _changed(session: Session, alone: bool = True) -> tuple[Step, ...]:
    """The steps of the change that the turn before made, and ``alone`` nothing else; none where it made none."""
    calls = session.turns[-1].calls if session.turns else ()
    if not calls or calls[-1].get("tool") != "edit" or alone and len(calls) > 1:
        return ()
    planned = calls[-1]["arguments"].get("plan")
    return parse_plan(planned) if planned else ()


def _there(things: Sequence[Thing], script: Script) -> tuple[str, int | None] | None:
    """The name that some words mean in a script, and which of several; None where it is not just one."""
    names = {c.name for c in script.cues if len(things) == 1 and any(same_name(c, n) for n in things[0].names)}
    return (names.pop(), things[0].which) if len(names) == 1 else None


def meant_instead(text: str, tools: Toolbox) -> Step | None:
    """The change before, done to something else: "not that one, I meant the shake"."""
    m, here, steps = _MEANT.match(spelled(text).lower()), tools.session.current, _changed(tools.session)
    if m is None or here is None or len(steps) != 1 or len(steps[0].things) != 1 or steps[0].script.cues:
        return None
    new = _there(read_things(m["new"])[:1], tools.shown(here)[0])
    return None if new is None or new[0] in steps[0].names else replace(steps[0], things=(new,))


def restored(text: str, tools: Toolbox) -> tuple[tuple[Step, ...], str] | None:
    """One thing of the clip at hand as it was in the version before, or at first, and what else the line says.

    Args:
        text: the line: "back to how the smile was, but with four nods", "bring the wink back".
        tools: with the conversation.

    Returns:
        The steps; and the rest of the line, empty where it says nothing more.
    """
    plain, here = spelled(text).lower().rstrip(" .!?"), tools.session.current
    if here is None or here.script is None or here.parent is None or _INTERROGATIVE.search(plain):
        return None
    for pattern in _RESTORED:
        for m in pattern.finditer(plain):
            things = read_things(m["x"])
            if len(things) != 1 or _KEEPS.search(m[0]) or _KEEPS.search(plain[:m.start()].split(",")[-1]):
                continue
            steps = _as_before(here, things[0].names, tools.session, bool(_AT_FIRST.search(plain)))
            if steps is None:
                continue
            rest = KEPT.sub(" ", f"{plain[:m.start()]}, {plain[m.end():]}")
            return steps, rest if read_things(rest) else ""
    return None


def _as_before(here: Clip, names: Sequence[str], session: Session, at_first: bool) -> tuple[Step, ...] | None:
    """Steps that make something as it was in the last version in which it differed."""
    assert here.script is not None
    now = _own(here.script, names)
    found: Script | None = None
    clip = session.find(here.parent)
    while clip is not None and clip.script is not None:
        if _own(clip.script, names) != now and _own(clip.script, names):
            found = clip.script
            if not at_first:
                break
        clip = session.find(clip.parent)
    if found is None:
        return None
    old = _own(found, names)
    if len(old) == len(now):
        return tuple(Step("replace", ((was.name, k if len(old) > 1 else None),), script=Script((replace(was, join="then"),)))
                     for k, (was, cue) in enumerate(zip(old, now, strict=True)) if was != cue)
    return None if now else tuple(_back(cue, found, here.script) for cue in old)


def _back(cue: Cue, was: Script, now: Script) -> Step:
    """The step that puts something that is gone back in its place."""
    at = was.cues.index(cue)
    before = next((c.name for c in reversed(was.cues[:at]) if any(c.name == d.name for d in now.cues)), "")
    script = Script((replace(cue, join="then"),))
    if not before:
        return Step("add-start", script=script)
    return Step("add-with" if cue.join == "with" else "add-after", ((before, None),), script=script)


def _own(script: Script, names: Sequence[str]) -> list[Cue]:
    return [c for c in script.cues if any(same_name(c, n) for n in names)]


def undoes(steps: Sequence[Step], session: Session) -> bool:
    """Whether steps make of the clip at hand what the version before it was."""
    here = session.current
    parent = session.find(here.parent) if here is not None else None
    if here is None or here.script is None or here.schedule is None or parent is None or parent.script is None:
        return False
    return edited(here.script, edits_of(steps, here.script), here.schedule).script.cues == parent.script.cues


def turned_round(text: str, tools: Toolbox) -> tuple[tuple[Step, ...], bool]:
    """The change before, the other way: "the opposite, please", "take it back a notch"; and whether to undo it first."""
    plain = spelled(text).lower()
    notch = _NOTCH.search(plain)
    steps = _changed(tools.session, alone=False) if notch or _OTHER_WAY.match(plain) else ()
    if len(steps) != 1 or (do := _OPPOSITE.get(steps[0].do)) is None:
        return (), False
    if notch:
        do = "weaker" if do == "stronger" else do  # further back
        return (replace(steps[0], do=do, words=("bit",), values=()),), False
    return (replace(steps[0], do=do),), True


def same_for(text: str, tools: Toolbox) -> tuple[Step, ...]:
    """The change before, of something else too: "same for the wink", "the one before that as well"."""
    plain, here = spelled(text).lower(), tools.session.current
    named, beside = _SAME_FOR.match(plain), _BESIDE_THAT.match(plain)
    steps = _changed(tools.session) if named or beside else ()
    about = {t for s in steps for t in s.things}
    if here is None or len(about) != 1 or any(s.script.cues for s in steps):
        return ()
    script, _ = tools.shown(here)
    new = _there(read_things(named["new"]), script) if named else None
    if beside:
        parent = tools.session.find(here.parent)
        was = tools.shown(parent)[0].cues if parent is not None else ()
        at = [k for k, c in enumerate(was) if same_name(c, next(iter(about))[0])]
        k = (at[0] - 1 if beside["where"] == "before" else at[-1] + 1) if at else -1
        new = (was[k].name, None) if 0 <= k < len(was) else None
    if new is None or not any(c.name == new[0] for c in script.cues):
        return ()
    return tuple(replace(s, things=(new,)) for s in steps if is_edit(s))


def asked_of_another(plain: str, session: Session) -> Call | None:
    """The last question, asked of another clip: "and clip 2?"."""
    if not session.turns or [c.get("tool") for c in session.turns[-1].calls] != ["ask"]:
        return None
    try:
        found = mentions(plain, session)
    except ValueError:
        return None
    if len(found) != 1 or not _ONLY_A_CLIP.match(f"{plain[:found[0][0]]}{plain[found[0][1]:]}"):
        return None
    return Call("ask", {**session.turns[-1].calls[-1]["arguments"], **clip_of(found)})


def follow_up(text: str, session: Session) -> Call | None:
    """The last question, asked of another thing or another one of several: "and the wink?", "what of the second one?"."""
    last = session.turns[-1] if session.turns else None
    m = _FOLLOWS.match(spelled(text).lower())
    if m is None or last is None or [c.get("tool") for c in last.calls] != ["ask"]:
        return None
    planned, asked = last.calls[0]["arguments"].get("plan"), read_question(last.said)
    steps = parse_plan(planned) if planned else (as_step(asked),) if asked and asked.asked != "unseen" else ()
    if len(steps) != 1 or steps[0].do not in _FOLLOWED or len(steps[0].things) != 1:
        return None
    if m["nth"]:
        if len(session.numbers) > 1:
            return None  # perhaps a clip
        things: tuple[tuple[str, int | None], ...] = ((steps[0].names[0], ORDINALS.get(m["nth"], -1)),)
    else:
        found = read_rules(find_quantities(m["what"]), 0.99)
        if found is None or len(found.script.cues) != 1 or found.script.cues[0].strength is not None:
            return None
        things = ((found.script.cues[0].name, None),)
    clip = {k: v for k, v in last.calls[0]["arguments"].items() if k == "clip"}
    return Call("ask", {"question": text, "plan": str(replace(steps[0], things=things)), **clip})


def spoken_before(tools: Toolbox) -> str:
    """The line before, with what it points at by its name, and what the answer to it was: "it" may be that."""
    turns = tools.session.turns
    if not turns:
        return ""
    said = tools.meant[1] if tools.meant[0] == turns[-1].said else turns[-1].said
    if (about := _about(turns[-1])) and not read_things(spelled(said)):
        said = f"{said} The {about.replace('_', ' ')}."  # "a bit more", after "shorten those"
    told = tools.answered if [c.get("tool") for c in turns[-1].calls] == ["ask"] else ""
    return f"{said} The {told.replace('_', ' ')}." if told else said


def _about(turn: Turn) -> str:
    """The one name that the plan of a turn is about."""
    plans = [c["arguments"]["plan"] for c in turn.calls if "plan" in c.get("arguments", {})]
    names = {n for p in plans for s in parse_plan(p) for n in s.names}
    return names.pop() if len(names) == 1 else ""
