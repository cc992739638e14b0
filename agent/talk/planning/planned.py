"""What a line of a conversation asks for: set phrases by rule, else the plan that the language model reads in it.

What a plan cannot know (which clip, what name), and what it gets wrong in a way that shows (a change that cannot be done), is
left to the rules of ``dialogue.py``, and so is every line where the model knows no plans.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches

from ....data_gen.reading.questions import read_question, read_things
from ....data_gen.reading.spelling import spelled
from ....face.facs.script import Script
from ....llm.generate import Sampling
from ....llm.grammar.plans import Step, context, parse_plan, plan_text
from ...editing.operations import Edit
from ...editing.planned import edits_of, is_edit
from ...editing.wishes import read_edits
from ...motion.reading import plan_request
from ..comparing import read_comparing
from ..dialogue import (
    ABLE,
    RULES,
    UNREAD,
    announced,
    phrase,
    plan,
    question_call,
    said_plainly,
    segments,
)
from ..tools import Call, Toolbox
from .line import ASKED, NEVER, NEW_FACE, Line, Unplanned
from .pointing import EDGE_ALONE, pointed
from .recalled import (
    NUMBER,
    asked_of_another,
    follow_up,
    meant_instead,
    renumbered,
    restored,
    same_for,
    spoken_before,
    turned_round,
    undoes,
)
from .repaired import repaired

_REGRETS = re.compile(r"\b(?:wrong|not what|wanted|meant|mistake|oops|argh|ugh|didn'?t|shouldn'?t|rather|keep|better|before)\b")
"""Before an "undo that", only why."""
_KINDLY = re.compile(
    r"^kindly\b|(?<=[,.;:!] )kindly\b|(\b(?:could|can|would|will|please)\b[^,.;]{1,30}?) kindly\b", re.IGNORECASE)
"""Politeness, not a feeling."""
_MORE = r"(?:(?:less|more) \w+|(?!(?:her|over|never|after|other|another|either|under|ever|whatever|however|together)\b)\w{2,}er)"
_SLIP = (r"(?:(?:,|\.{2,}| ?[-–—]+) (?:(?:no|nah|wait|sorry|er+m?|uh+|um+|oops|hang on|i mean(?:t)?|rather|make (?:that|it)"
         r"|scratch that"
         r"|actually)[,. ]+)+|\. (?:scratch that|make (?:that|it)|no wait|no,|wait,)[,. ]+"
         r"| (?:(?:no|nah|wait|sorry|i mean(?:t)?|scratch that)[,. ]+)+)")
_NOUN = r" (?!(?:no|nah|wait|sorry|i|scratch|or|to)\b)\w+"
_GOES_ON = re.compile(r" (?:and|then|but|please|pls|plz|at|in|after|before|with|while|for|too|instead|rather)\b", re.IGNORECASE)
_NAME_SLIP = re.compile(rf"\b(?P<old>(?:the|her|his|that|a) \w+(?: \w+)?){_SLIP}(?P<new>(?:the|her|his|that|a) \w+)\b"
                        r"(?!,? (?:goes|comes))", re.IGNORECASE)
_SIDE_SLIP = re.compile(rf"\b(?:left|right|both)(?: (?P<noun>(?!(?:no|nah|wait|sorry|i|scratch|or|to)\b)\w+))?{_SLIP}"
                        r"(?:(?:her|his|their|its|the) )?(?P<new>left|right|both)\b"
                        r"(?P<again>(?P<one> one\b)|(?: (?:eye|eyebrow|brow|side|cheek|corner|ear|hand)s?\b)?)", re.IGNORECASE)
"""A side that is taken back: "the left eye, no, her right one"."""
_ANNOUNCED = re.compile(r"^\W*(?:(?:my|i have|just|here are|ok(?:ay)?,?) )?(?:\d|one|two|three|four|a (?:couple|few)(?: of)?"
                        r"|some|several) (?:small |quick )?"
                        r"(?:wish(?:es)?|things?|changes?|requests?|edits?|tweaks?|fix(?:es)?) ?[:–—-]+ *", re.IGNORECASE)
"""How wishes are counted before they are made: "two wishes: ..."."""
_NUMBERED = re.compile(r"(?:(?<=[\s,;.])|^)\(?[1-9][.)]\s+")
"""Before each of several wishes: "1) two nods 2) no wink"."""
_DICTATED = ((r",?\s+comma\b", ","), (r"\.?\s+(?:period|full stop)(?=\W|$)", "."), (r"\??\s+question mark\b", "?"),
             (r"\s+new line\b", "\n"))
_AFTER_THAT = re.compile(r"\bafter (?:that|this|it|all that)(?: please| pls| too)?\W*$")
_CLAUSES = re.compile(r"[,;.] (?:and |then |also )*| (?:and|n|&|plus|then) (?:also |then )?", re.IGNORECASE)
_LIKELIEST, _DRAWN, _DRAWS = Sampling(0.0), Sampling(0.7), 4
"""How plans are read, and drawn where the likeliest leaves something out."""


def calls(text: str, tools: Toolbox) -> Iterator[Call]:
    """The calls that a line asks for, in order; each is thought of when those before it have been made.

    Raises:
        ValueError: it names a clip that is not there, or changes what is not known.
    """
    whole, text = text, amended(_KINDLY.sub(lambda m: m[1] or "please", text))
    if renewed := renumbered(text, tools.session, tools.meant):
        text, first_undone = renewed
        if first_undone:
            yield Call("undo")
    if step := meant_instead(text, tools):
        yield from (Call("undo"), Call("edit", {"wish": text, "plan": str(step)}))
        return
    opposite, first_undone = turned_round(text, tools)
    if opposite:
        yield from [Call("undo")] * first_undone
        yield Call("edit", {"wish": text, "plan": plan_text(opposite)})
        return
    if found := restored(text, tools):
        steps, rest = found
        besides = next(iter(read_plans(rest, tools)), ()) if rest else ()
        if all(map(is_edit, besides)):
            undone = not besides and undoes(steps, tools.session)
            yield Call("undo") if undone else Call("edit", {"wish": text, "plan": plan_text((*steps, *besides))})
            return
    if again := same_for(text, tools):
        yield Call("edit", {"wish": text, "plan": plan_text(again)})
        return
    if tools.session.current is not None:
        text = respelled(text, tools.shown(tools.session.current)[0])
    pieces = segments(text)
    said, plain = said_plainly(pieces[0])
    if announced(said, tools.session):
        for piece in pieces:
            yield plan(piece, tools)
        return
    if call := asked_of_another(plain, tools.session):
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
    if here is not None and (_of_moments(plain) or EDGE_ALONE.match(plain)):
        yield question_call(said, plain, tools)
        return
    if call := follow_up(text, tools.session):
        yield call
        return
    if here is not None:
        text = pointed(text, tools.shown(here)[0], here.schedule, spoken_before(tools), len(tools.session.numbers))
        pieces = segments(text)
    try:
        yield from _chosen(text, pieces, tools)
        tools.meant = (whole, text)
    except Unplanned:  # before anything is called
        for piece in pieces:
            yield plan(piece, tools)


def amended(text: str) -> str:
    """A line without its slips ("less high, wait, higher"), its marks where they were dictated, its numbered wishes in turn."""
    for words, mark in _DICTATED:
        text = re.sub(words, mark, text, flags=re.IGNORECASE)
    text = _ANNOUNCED.sub("", text)
    if len(_NUMBERED.findall(text)) > 1 and _NUMBERED.match(text.lstrip()):
        text = _NUMBERED.sub("; ", text).lstrip("; ")
    text = _SIDE_SLIP.sub(lambda m: m["new"] + ("" if m["again"] and not m["one"] else f" {m['noun']}" if m["noun"] else "")
                          + ("" if m["one"] else m["again"]), text)
    for word in (NUMBER, r"(?:once|twice|thrice)", _MORE):
        slip = rf"\b{word}(?P<noun>{_NOUN})?{_SLIP}(?P<new>{word})\b(?P<next> [a-z]+)?"
        text = re.sub(slip, _set_right, text, flags=re.IGNORECASE)
    return _NAME_SLIP.sub(lambda m: m["new"] if read_things(m["old"]) and read_things(m["new"]) else m[0], text)


def _set_right(m: re.Match[str]) -> str:
    """What is meant, with the noun that was said of what is not: "two nods, I mean three"."""
    noun, following = m["noun"] or "", m["next"] or ""
    again = not noun or following and (following == noun or not _GOES_ON.match(following))
    return f"{m['new']}{'' if again else noun}{following}"


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
    performed = bool(tools.session.turns) and tools.session.turns[-1].performed
    if performed and [s.do for s in steps] == ["add-after"] and _AFTER_THAT.search(line.plain) and not (
            {n for t in read_things(line.plain) for n in t.names} & set(steps[0].names)):
        steps = (replace(steps[0], do="add-end", things=()),)  # after all that was performed
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
    if apart := _by_clauses(text, line, steps, doubted, tools):
        yield from line.calls(apart)
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
            if not sure and fewest:
                raise
            ruled = []
        if not sure and line.doubts_of(ruled, steps) < min(doubted, fewest + 1):
            yield from ruled
            return
        if fewest and all(is_edit(s) for s in best) and (refused := line.absent(ruled, best)):
            raise refused
    yield from line.calls(steps if doubted >= NEVER and fewest else best)


def _by_clauses(text: str, line: Line, steps: Sequence[Step], doubted: int, tools: Toolbox) -> tuple[Step, ...]:
    """The plans of a line's clauses one by one, where they leave out less than its plan: "smile stronger, brows 40 %"."""
    clauses = [c for c in _CLAUSES.split(text) if c and c.strip(" .!")]
    if len(clauses) < 2 or not all(map(is_edit, steps)) or not all(read_things(spelled(c).lower()) for c in clauses):
        return ()
    out: tuple[Step, ...] = ()
    for clause in clauses:
        found = next(iter(read_plans(clause, tools)), ())
        if not found or not all(map(is_edit, found)):
            return ()
        out += found
    return out if line.doubts(out) < min(doubted, ASKED) else ()


def read_plans(text: str, tools: Toolbox, sampling: Sampling = _LIKELIEST, draws: int = 1,
               with_before: bool = True, names: Iterable[str] | None = None) -> list[tuple[Step, ...]]:
    """The plans that the model reads in a line, after the one before it, about some names or any; none where it knows none."""
    here = tools.session.current
    shown = context(tools.shown(here)[0]) if here is not None else ()
    words, quantities = plan_request(spelled(text), spoken_before(tools) if with_before else "")
    try:
        found = tools.agent.lm.plan([words] * draws, [shown] * draws, [quantities] * draws, sampling, names)
    except ValueError:
        return []
    script = tools.shown(here)[0] if here is not None else Script()
    return [repaired(text, steps, script) for steps, _ in found]
