"""What a line of a conversation asks for: set phrases by rule, else the plan that the language model reads in it.

What a plan cannot know (which clip, what name), and what it gets wrong in a way that shows (a change that cannot be done), is
left to the rules of ``dialogue.py``, and so is every line where the model knows no plans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ...data_gen.reading.questions import about_clips, read_question, spelled
from ...face.facs.script import Script
from ...llm.grammar.plans import Step, context, plan_text
from ..editing.operations import Edit, edited
from ..editing.planned import edits_of, is_edit
from ..editing.wishes import read_edits
from ..motion.reading import plan_request
from .dialogue import ABLE, UNREAD, clip_of, phrase, plan, question_call, said_plainly, segments, talk
from .references import mentions
from .tools import Call, Toolbox

_TOOLS = {"undo": "undo", "redo": "redo", "clips": "list_clips", "changed": "changed", "describe": "describe", "again": "again"}
_RULED = frozenset(("goto", "name", "compare-clips", "join", "export", "perform"))
"""Steps whose clips, names and prompts the rules find."""
_OF_CLIPS = frozenset(f"ask-{a}" for a in ("compare", "count", "long", "strong", "fast", "length", "whether", "when", "until"))
"""Questions that may be about which clip has more of something."""
_THAN_BEFORE = re.compile(r"\bthan (?:before|it was)\b")


class _Unplanned(Exception):
    """The rules should read the line."""


def calls(text: str, tools: Toolbox) -> Iterator[Call]:
    """The calls that a line asks for, in order; each is thought of when those before it have been made.

    Raises:
        ValueError: it names a clip that is not there, or changes what is not known.
    """
    pieces = segments(text)
    said, plain = said_plainly(pieces[0])
    if len(pieces) == 1 and (call := phrase(said, plain, tools.session)):
        yield call
        return
    try:
        yield from _Line(text, tools).calls(read_plan(text, tools))
    except _Unplanned:  # before anything is called
        for piece in pieces:
            yield plan(piece, tools)


def read_plan(text: str, tools: Toolbox) -> tuple[Step, ...]:
    """The plan that the model reads in a line; empty where it knows none."""
    here, turns = tools.session.current, tools.session.turns
    script = tools.shown(here)[0] if here is not None else None
    words, quantities = plan_request(spelled(text), turns[-1].said if turns else "")
    try:
        (steps, _), = tools.agent.lm.plan([words], [context(script) if script is not None else ()], [quantities])
    except ValueError:
        return ()
    return steps


class _Line:
    """One line, with the clips that it names."""

    def __init__(self, text: str, tools: Toolbox) -> None:
        self.text, self.tools = text, tools
        self.said, self.plain = said_plainly(text)
        self.found = mentions(self.plain, tools.session) if tools.session.clips else []

    def calls(self, steps: Sequence[Step]) -> Iterator[Call]:
        """The calls of a plan.

        Raises:
            ValueError: a change that cannot be done.
        """
        kinds = [s.do for s in steps]
        if kinds == ["goto"] and len(self.found) == 1:
            yield Call("go_to", clip_of(self.found))
            return
        if not kinds or _RULED & set(kinds) or self.tools.session.current is None and kinds[0] not in ("talk", "refuse", "undo"):
            raise _Unplanned
        if kinds == ["talk"]:
            yield talk(self.text)
        if kinds in (["refuse"], ["unclear"]):
            yield Call("refuse", {"reason": ABLE if kinds == ["refuse"] else UNREAD})
            return
        edits: list[Step] = []
        for step in (*steps, None):
            if step is not None and is_edit(step) and step.do != "again":
                edits.append(step)
                continue
            if edits:
                yield self._edit(edits)
                edits = []
            if step is None:
                continue
            if step.do.startswith("ask-"):
                yield self._ask(step)
            elif step.do == "transition":
                yield Call("transition", {"instruction": f"to {step.script.cues[0].name.replace('_', ' ')}"})
            elif step.do in _TOOLS:
                yield Call(_TOOLS[step.do], clip_of(self.found) if step.do == "describe" else {})
        if len(kinds) > 1 and "refuse" in kinds:  # what is possible is done, and the rest named
            yield Call("say", {"text": ABLE})

    def _ask(self, step: Step) -> Call:
        if step.do == "ask-unseen":
            known = read_question(self.plain)
            if known is not None and known.asked == "unseen":
                return Call("ask", {"question": self.said})  # the rules know what it is
        if step.do in _OF_CLIPS and about_clips(self.plain) or len(self.found) > 1 or _THAN_BEFORE.search(self.plain):
            ruled = question_call(self.said, self.plain, self.tools)
            if ruled.tool == "compare":
                return ruled
        return Call("ask", {"question": self.text, "plan": str(step), **clip_of(self.found)})

    def _edit(self, steps: Sequence[Step]) -> Call:
        session = self.tools.session
        target = self.found[0][2] if self.found else session.current
        assert target is not None
        script, _ = self.tools.shown(target)
        edits: tuple[Edit, ...] = ()
        try:
            edits = edits_of(steps, script)
            if target.schedule is not None:
                edited(script, edits, target.schedule)
        except ValueError:
            if not edits and any(_possible(s, script) for s in steps):
                raise  # one of several wishes is about what is not there
            ruled = plan(self.text, self.tools)
            if ruled.tool == "edit":
                read = {e.op for e in read_edits(ruled.arguments["wish"], script, self.tools.agent.read)}
                if read and (not edits or read & {e.op for e in edits}):
                    return ruled
            raise
        return Call("edit", {"wish": self.text, "plan": plan_text(steps), **clip_of(self.found)})


def _possible(step: Step, script: Script) -> bool:
    try:
        edits_of((step,), script)
    except ValueError:
        return False
    return True
