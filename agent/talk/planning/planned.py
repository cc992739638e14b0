"""What a line of a conversation asks for: set phrases by rule, else the plan that the language model reads in it.

What a plan cannot know (which clip, what name), and what it gets wrong in a way that shows (a change that cannot be done), is
left to the rules of ``dialogue.py``, and so is every line where the model knows no plans.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ....data_gen.reading.questions import read_things, spelled
from ....face.facs.script import Script
from ....llm.generate import Sampling
from ....llm.grammar.plans import Step, context, parse_plan
from ...editing.operations import Edit
from ...editing.planned import edits_of, is_edit
from ...editing.wishes import read_edits
from ...motion.reading import plan_request
from ..comparing import read_comparing
from ..dialogue import (
    announced,
    clip_of,
    phrase,
    plan,
    said_plainly,
    segments,
)
from ..references import mentions
from ..session import Session
from ..tools import Call, Toolbox
from .line import NEVER, NEW_FACE, Line, Unplanned
from .pointing import pointed
from .repaired import repaired

_REGRETS = re.compile(r"\b(?:wrong|not what|wanted|meant|mistake|oops|argh|ugh|didn'?t|shouldn'?t|rather|keep|better|before)\b")
"""Before an "undo that", only why."""
_KINDLY = re.compile(
    r"^kindly\b|(?<=[,.;:!] )kindly\b|(\b(?:could|can|would|will|please)\b[^,.;]{1,30}?) kindly\b", re.IGNORECASE)
"""Politeness, not a feeling."""
_ONLY_A_CLIP = re.compile(r"^\W*(?:(?:and|what about|how about|n|then|now|ok|so|in|for|the|with|on|same|question|is it)\b\W*)*$")
_LIKELIEST, _DRAWN, _DRAWS = Sampling(0.0), Sampling(0.7), 4
"""How plans are read, and drawn where the likeliest leaves something out."""


def calls(text: str, tools: Toolbox) -> Iterator[Call]:
    """The calls that a line asks for, in order; each is thought of when those before it have been made.

    Raises:
        ValueError: it names a clip that is not there, or changes what is not known.
    """
    whole, text = text, _KINDLY.sub(lambda m: m[1] or "please", text)
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
    if here is not None:
        text = pointed(text, tools.shown(here)[0], here.schedule, _before(tools), len(tools.session.numbers))
        pieces = segments(text)
    try:
        yield from _chosen(text, pieces, tools)
        tools.meant = (whole, text)
    except Unplanned:  # before anything is called
        for piece in pieces:
            yield plan(piece, tools)


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
    told = tools.answered if [c.get("tool") for c in turns[-1].calls] == ["ask"] else ""
    return f"{said} The {told.replace('_', ' ')}." if told else said


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
    if line.unfounded(steps) and (call := plan(text, tools)).tool == "refuse":
        yield call
        return
    doubted = line.doubts(steps)
    if not doubted:
        yield from line.calls(steps)
        return
    fewest, _, best = min((line.doubts(s), k, s) for k, s in enumerate([steps, *read_plans(text, tools, _DRAWN, _DRAWS)]))
    if doubted < NEVER:  # of what is not there the plan says so
        ruled = [plan(p, tools) for p in pieces]
        if line.doubts_of(ruled, steps) < min(doubted, fewest + 1):
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
