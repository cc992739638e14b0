"""What a line of a conversation asks for: set phrases by rule, else the plan that the language model reads in it.

What a plan cannot know (which clip, what name), and what it gets wrong in a way that shows (a change that cannot be done), is
left to the rules of ``dialogue.py``, and so is every line where the model knows no plans.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches

from ....data_gen.reading.questions import read_question, read_things, spelled
from ....data_gen.reading.rules import read_rules
from ....data_gen.text.quantities import find_quantities, find_spans
from ....face.facs.script import Script
from ....llm.generate import Sampling
from ....llm.grammar.plans import Step, context, parse_plan
from ...editing.operations import Edit, same_name
from ...editing.planned import edits_of, is_edit
from ...editing.wishes import read_edits
from ...motion.reading import plan_request
from ..comparing import read_comparing
from ..dialogue import (
    ABLE,
    RULES,
    UNREAD,
    announced,
    clip_of,
    phrase,
    plan,
    question_call,
    said_plainly,
    segments,
)
from ..references import ORDINALS, mentions
from ..session import Session, Turn
from ..tools import Call, Toolbox
from .doubts import as_step
from .line import ASKED, NEVER, NEW_FACE, Line, Unplanned
from .pointing import pointed
from .repaired import repaired

_REGRETS = re.compile(r"\b(?:wrong|not what|wanted|meant|mistake|oops|argh|ugh|didn'?t|shouldn'?t|rather|keep|better|before)\b")
"""Before an "undo that", only why."""
_KINDLY = re.compile(
    r"^kindly\b|(?<=[,.;:!] )kindly\b|(\b(?:could|can|would|will|please)\b[^,.;]{1,30}?) kindly\b", re.IGNORECASE)
"""Politeness, not a feeling."""
_NUMBER = r"(?:\d+(?:\.\d+)?|one|two|three|four|five|six|seven|eight|nine|ten)"
_MORE = r"(?:(?:less|more) \w+|(?!(?:her|over|never|after|other|another|either|under|ever|whatever|however|together)\b)\w{2,}er)"
_SLIP = (r"(?:(?:,|\.{2,}| ?[-–—]+) (?:(?:no|nah|wait|sorry|er+m?|uh+|um+|oops|hang on|i mean(?:t)?|rather|make (?:that|it)"
         r"|scratch that"
         r"|actually)[,. ]+)+| (?:(?:no|nah|wait|sorry|i mean(?:t)?|scratch that)[,. ]+)+)")
_DICTATED = ((r",?\s+comma\b", ","), (r"\.?\s+(?:period|full stop)(?=\W|$)", "."), (r"\??\s+question mark\b", "?"),
             (r"\s+new line\b", "\n"))
_ONLY_NUMBER = re.compile(
    rf"^\W*(?:(?:no|nah|nope|wait|sorry|oops|er+m?|hm+|typo|argh|actually|ok|okay|i mean(?:t)?|make (?:that|it)|should be"
    rf"|more like|rather"
    rf"|only|just)[,:. ]+)*(?P<new>{_NUMBER})(?: ?(?:s|sec|secs|seconds?|times|x|%|percent))?(?: (?:then|rather|please"
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
_LIKELIEST, _DRAWN, _DRAWS = Sampling(0.0), Sampling(0.7), 4
"""How plans are read, and drawn where the likeliest leaves something out."""


def calls(text: str, tools: Toolbox) -> Iterator[Call]:
    """The calls that a line asks for, in order; each is thought of when those before it have been made.

    Raises:
        ValueError: it names a clip that is not there, or changes what is not known.
    """
    whole, text = text, amended(_KINDLY.sub(lambda m: m[1] or "please", text))
    if renewed := renumbered(text, tools.session, tools.meant):
        text, undoes = renewed
        if undoes:
            yield Call("undo")
    if step := meant_instead(text, tools):
        yield from (Call("undo"), Call("edit", {"wish": text, "plan": str(step)}))
        return
    if tools.session.current is not None:
        text = respelled(text, tools.shown(tools.session.current)[0])
    pieces = segments(text)
    said, plain = said_plainly(pieces[0])
    if announced(said, tools.session):
        for piece in pieces:
            yield plan(piece, tools)
        return
    if call := _asked_of_another(plain, tools.session):
        yield call
        return
    if len(pieces) == 1 and (call := phrase(said, plain, tools.session)):
        yield call
        return
    if len(pieces) > 1 and _REGRETS.search(pieces[0].lower()):
        last, plain = said_plainly(pieces[-1])
        if (call := phrase(last, plain, tools.session)) and call.tool == "undo":
            yield call
            return
    here = tools.session.current
    if read_comparing(text, tools.session):
        yield Call("compare", {"question": text})
        return
    if here is not None and _of_moments(plain):
        yield question_call(said, plain, tools)
        return
    if call := follow_up(text, tools.session):
        yield call
        return
    if here is not None:
        text = pointed(text, tools.shown(here)[0], here.schedule, _before(tools), len(tools.session.numbers))
        pieces = segments(text)
    try:
        yield from _chosen(text, pieces, tools)
        tools.meant = (whole, text)
    except Unplanned:  # before anything is called
        for piece in pieces:
            yield plan(piece, tools)


def amended(text: str) -> str:
    """A line without its slips ("less high, wait, higher"), with its marks where they were dictated."""
    for words, mark in _DICTATED:
        text = re.sub(words, mark, text, flags=re.IGNORECASE)
    for word in (_NUMBER, r"(?:left|right|both)", _MORE):
        text = re.sub(rf"\b{word}(?: \w+)?{_SLIP}(?P<new>{word})\b", lambda m: m["new"], text, flags=re.IGNORECASE)
    return text


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
    number = re.search(rf"\b{_NUMBER}\b", said[spans[0].start:spans[0].end], re.IGNORECASE) if len(spans) == 1 else None
    if number is None:
        return None
    at = spans[0].start
    return (f"{said[:at + number.start()]}{m['new']}{said[at + number.end():]}",
            bool(re.search(r"\b(?:more|longer|shorter|earlier|later|sooner|less|fewer|another|extra|by)\b", said.lower())))


def meant_instead(text: str, tools: Toolbox) -> Step | None:
    """The change before, done to something else: "not that one, I meant the shake"."""
    last, here = tools.session.turns[-1] if tools.session.turns else None, tools.session.current
    m = _MEANT.match(spelled(text).lower())
    if m is None or last is None or here is None or [c.get("tool") for c in last.calls] != ["edit"]:
        return None
    planned = last.calls[0]["arguments"].get("plan")
    steps = parse_plan(planned) if planned else ()
    script, _ = tools.shown(here)
    things = read_things(m["new"])
    own = [c for c in script.cues if things and any(same_name(c, n) for n in things[0].names)]
    if len(steps) != 1 or len(steps[0].things) != 1 or steps[0].script.cues or not own or own[0].name in steps[0].names:
        return None
    return replace(steps[0], things=((own[0].name, things[0].which),))


def respelled(text: str, script: Script) -> str:
    """A line that names nothing known, with what is nearly a name of what is performed written as it: "puker longr"."""
    if len(text.split()) > 6 or read_things(spelled(text).lower()):
        return text
    known = [w for c in script.cues for w in c.name.split("_") if len(w) > 3]
    for word in re.findall(r"[A-Za-z]{4,}", text):
        near = next(iter(get_close_matches(word.lower(), known, 1, 0.85)), "")
        if near[:1] == word[0].lower() and abs(len(near) - len(word)) < 2:
            text = re.sub(rf"\b{word}\b", near, text)
    return text


def change_of(wish: str, tools: Toolbox) -> tuple[Edit, ...]:
    """The edits of the clip at hand that a wish asks for, read as in a conversation; none where it is no change.

    Raises:
        ValueError: it cannot be done, or is about what is not there.
    """
    assert tools.session.current is not None
    call = next(iter(calls(wish, tools)), None)
    if call is not None and call.tool == "refuse":
        raise ValueError(call.arguments["reason"])
    if call is None or call.tool != "edit":
        return ()
    script, _ = tools.shown(tools.session.current)
    planned = call.arguments.get("plan")
    return edits_of(parse_plan(planned), script) if planned else read_edits(call.arguments["wish"], script, tools.agent.read)


def _of_moments(plain: str) -> bool:
    """Whether a line compares one thing at two moments, which no plan says: "is the smile bigger at 2 s than at 5 s?"."""
    query = None if RULES["command"].match(plain) and not RULES["sure"].search(plain) else read_question(plain)
    return query is not None and query.asked == "compare" and all(t.at is not None for t in query.things)


def _asked_of_another(plain: str, session: Session) -> Call | None:
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


def _before(tools: Toolbox) -> str:
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


def _chosen(text: str, pieces: Sequence[str], tools: Toolbox) -> Iterator[Call]:
    """The calls of the likeliest plan; where it leaves something of the line out, of a drawn one or of the rules that do not."""
    line = Line(text, tools)
    another = NEW_FACE.match(line.plain) and not line.asks and read_things(spelled(line.plain))
    steps, *_ = [()] if another else read_plans(text, tools) or [()]
    if (known := line.known(steps)) is not None:
        steps, *_ = read_plans(text, tools, names=known) or [steps]
    if another or line.tells_anew(steps):
        yield Call("perform", {"prompt": text})
        return
    if line.new([s.do for s in steps]):
        raise Unplanned
    if [s.do for s in steps] == ["lasts"] and not read_things(spelled(text)) and tools.session.turns and (
            tools.session.turns[-1].performed):
        steps, *_ = read_plans(text, tools, with_before=False)  # "it" is the clip, not what its prompt ends with
    if line.outside and not line.asks and [s.do for s in steps] != ["talk"]:
        yield Call("refuse", {"reason": ABLE})
        return
    if line.unfounded(steps) and (call := plan(text, tools)).tool in ("refuse", "perform"):
        yield call if call.tool == "refuse" else Call("refuse", {"reason": UNREAD})
        return
    doubted = line.doubts(steps)
    if not doubted:
        yield from line.calls(steps)
        return
    drawn = read_plans(text, tools, _DRAWN, _DRAWS)
    fewest, _, best = min((line.doubts(s), k, s) for k, s in enumerate([steps, *drawn]))
    if doubted < NEVER:  # of what is not there the plan says so
        # whatever is drawn, it is this plan
        asked = line.asks and line.tagged
        sure = all(s == steps for s in drawn) and (all(map(is_edit, steps)) and not asked or doubted < ASKED)
        try:
            ruled = [plan(p, tools) for p in pieces]
        except ValueError:
            if not sure:
                raise
            ruled = []
        if not sure and line.doubts_of(ruled, steps) < min(doubted, fewest + 1):
            yield from ruled
            return
        if fewest and all(is_edit(s) for s in best) and (refused := line.absent(ruled, best)):
            raise refused
    yield from line.calls(steps if doubted >= NEVER and fewest else best)


def read_plans(text: str, tools: Toolbox, sampling: Sampling = _LIKELIEST, draws: int = 1,
               with_before: bool = True, names: Iterable[str] | None = None) -> list[tuple[Step, ...]]:
    """The plans that the model reads in a line, after the one before it, about some names or any; none where it knows none."""
    here = tools.session.current
    shown = context(tools.shown(here)[0]) if here is not None else ()
    words, quantities = plan_request(spelled(text), _before(tools) if with_before else "")
    try:
        found = tools.agent.lm.plan([words] * draws, [shown] * draws, [quantities] * draws, sampling, names)
    except ValueError:
        return []
    script = tools.shown(here)[0] if here is not None else Script()
    return [repaired(text, steps, script) for steps, _ in found]
