"""One line of a conversation beside its plans: what they leave out of it, and the calls that they come to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from ....data_gen.reading.questions import PERSON, names_only, read_question, read_things
from ....data_gen.reading.spelling import spelled
from ....data_gen.reading.tags import SURELY_ASKED, is_tagged
from ....face.facs.script import Script
from ....face.facs.vocabulary import GROUPS, sideless
from ....llm.grammar.plans import Step, plan_text
from ...editing.operations import Edit, edited, same_name
from ...editing.planned import absent, edits_of, is_edit
from ...editing.wishes import read_edits, wants_change
from ..comparing import about_clips, compares, read_comparing, read_loosely
from ..dialogue import (
    ABLE,
    RULES,
    SUBJECT,
    UNREAD,
    clip_of,
    described,
    is_request,
    plan,
    question_call,
    said_plainly,
    talk,
)
from ..queries import YES_OR_NO
from ..references import mentions, resolve
from ..session import Clip
from ..tools import Call, Toolbox
from .doubts import as_step, doubts, not_there, presumed, question_doubts, turned_values, unasked

_TOOLS = {"undo": "undo", "redo": "redo", "clips": "list_clips", "changed": "changed", "again": "again"}
_RULED = frozenset(("goto", "name", "compare-clips", "join", "export", "perform"))
"""Steps whose clips, names and prompts the rules find."""
_OF_CLIPS = frozenset(f"ask-{a}" for a in ("compare", "count", "long", "strong", "fast", "length", "whether", "when", "until"))
"""Questions that may be about which clip has more of something."""
_VALUES = frozenset(f"ask-{a}" for a in ("list", "count", "when", "long", "first", "last", "either"))
"""Questions that yes or no does not answer."""
_BACKWARDS = re.compile(r"\b(?:revers\w*|back\w*|rewind\w*|invert\w*|inverse\w*|opposite|flip\w*|(?:other|wrong) way"
                        r"|end to start|mirror\w*|order)\b")
_AROUND = frozenset(("ask-before", "ask-after", "ask-during"))
_ASKING = re.compile(r"\b(?:which|when|how|what|who|where|why|whether|until|yes or no|y/n|tell|count|duration|length)\b")
_INTERROGATIVE = re.compile(
    r"^(?:and |so )?(?:what|which|when|how|until when|at what|at which)(?:'?s)? (?!about\b)(?!s?he |they )"
    r"|, (?:and )?which (?:one |of (?:them|the two) )?(?:is|was|comes|goes|happens|lasts|starts|ends|takes|gets)\b[^,;]*$")
_SOMEBODY = re.compile(rf"\b(?:s?he|her|hers|him|his|they|them|their|this|that|it|its|{PERSON}|clip|video|one|someone|somebody"
                       r"|smil\w+|expression)(?:'?s)?\b")
"""Who or what a question about a clip is about; others are about the world."""
NEW_FACE = re.compile(
    r"^(?:(?:now|next|and|then|ok(?:ay)?|n|so|please|kindly|yeah|yes|finally|lastly|last but not least)[,: ]+)*"
    r"(?:(?:show|give|do|make|create|generate|animate|perform|get|let'?s (?:see|have)|(?:i|we) (?:want|need)|can (?:i|we) have)"
    r"(?: me| us)? )?(?:someone(?: else)?|somebody(?: else)?|(?:an?|another|one more|the next|next|(?:an?|the) (?:different"
    r"|new|second|third"
    r"|2nd|3rd))(?: \w+){0,3} " + PERSON + r")\b(?! (?:could|would|can) )")
"""Whoever has not been spoken of before is another face."""
_TELLS = re.compile(
    r"^\W*(?:s?he|they|(?:the|an?)(?: [\w-]+){0,3}? " + PERSON + r"|someone|somebody) "
    r"(?!(?:should|could|would|must|ought|can|may|might|will|shall|needs?|has|have|had|is to|are to|then|also|always|never|just"
    r"|still|only|does|do|did|was|were|it|\w+n['’]?t)\b)[a-z]+",
    re.IGNORECASE)
"""A line that tells what a face does, in the present."""
_OF_THE_CLIP = re.compile(
    r"[?:]|,? (?:right|correct)\W*$|\b(?:too|also|as well|in addition|on top|again|instead|next|first|last|earlier|later|longer"
    r"|shorter|faster|slower|stronger|weaker|more|less|even|already|afterwards?|beforehand|after that|(?:this|same) time"
    r"|(?:at|near|until|in) the (?:very )?(?:end|start|beginning|finish)|(?:before|until) (?:the|it|that|anything|everything)"
    r"|it ends|to (?:begin|start|finish|end)|right (?:at|before|after|from|when)|rather than|should|must|could|would|ought|make"
    r"|cut|tone|please|pls|i|i['’][md]|you|me|us|let|not|\w+n['’]t|dont|doesnt|isnt|how|what|which|when|where|who|why|whether|or)\b",
    re.IGNORECASE)
"""Words of a line that is about the clip at hand, or to somebody."""
_TAIL_ASKS = re.compile(r", (?:is|are|does|do|did|was|were) (?:it|the|s?he|they|there|that)\b[^,;]*$")
"""A question at the end of what is told."""
_STATED = re.compile(r"\b(?:(?:it|that|s?he|there)(?:['’]s| is| was| does| did)|they(?:['’]re| are| were| do)|there are)\b")
"""What is told, before a tag, rather than wished for."""
_WISHES = re.compile(r"\b(?:make|let|have|get|give|put|move|add|remove|take|change|turn|should|must|ought|could|can|want|need|too"
                     r"|enough|only if|rather)\b")
_THEN = re.compile(r",|\b(?:then|and)\b")
_BACK = re.compile(r"\b(?:undo\w*|back|rever\w+|restore\w*|return\w*|before|was|were|previous|old|orig\w+|last|never ?mind"
                   r"|scratch|forget|cancel|no(?=[,.! ]*$|[,.!])|nah|nope|not|wrong|mistake|oops|regret|un\w+|again|prefer\w*"
                   r"|liked?|better|had|keep|without|take|didn['’]?t|shouldn['’]?t|rather|strike|scrap|changed?)\b")
"""Words of an undo that names something."""
_THAN_BEFORE = re.compile(r"\bthan (?:before|it was)\b")


ASKED = 5
"""Doubts in a change that answers a question."""
NEVER = 99
"""Doubts in what cannot be done."""


class Unplanned(Exception):
    """The rules should read the line."""


class Line:
    """One line, with the clips that it names."""

    def __init__(self, text: str, tools: Toolbox) -> None:
        self.text, self.tools = text, tools
        self.said, self.plain = said_plainly(text)
        self.found = mentions(self.plain, tools.session) if tools.session.clips else []

    @property
    def target(self) -> Clip:
        """The clip that a change is made to.

        Raises:
            ValueError: there is none at hand.
        """
        return self.found[0][2] if self.found else resolve("", self.tools.session)

    @cached_property
    def tagged(self) -> bool:
        """Whether a line ends with words that make a question of it: "it's the nod first, right"."""
        return is_tagged(self.plain)

    @cached_property
    def stated(self) -> bool:
        """Whether a line tells something and asks whether it is so: "it's kinda slow, right"."""
        return self.tagged and bool(_STATED.search(self.plain)) and not _WISHES.search(self.plain)

    @cached_property
    def outside(self) -> bool:
        """Whether a line is about what no face has or does, and names nothing that one does."""
        return (self.tools.session.current is not None and not SUBJECT.match(self.said) and not self.found
                and bool(RULES["outside"].search(self.plain))
                and not read_things(spelled(self.plain)))

    @cached_property
    def asks(self) -> bool:
        """Whether a line only asks, by its form: not "is she chewing? take that out"."""
        if re.search(r"\?\W+\w", self.plain) and not self.plain.endswith("?"):
            return False
        if self.tagged and SURELY_ASKED.search(self.plain):
            return read_question(self.plain) is not None
        if self.stated:
            return True
        form = self.plain.endswith("?") or YES_OR_NO.search(self.plain) or _INTERROGATIVE.search(self.plain) or self.tagged or (
            _TAIL_ASKS.search(self.plain))
        return bool(form) and not (
            wants_change(self.said) or is_request(self.said, self.plain)) and read_question(self.plain) is not None

    def doubts(self, steps: Sequence[Step]) -> int:
        """How much of the line a plan of changes leaves out or turns round; none where it is no such plan."""
        if not steps or self.tools.session.current is None:
            return 0
        if [s.do for s in steps] == ["undo"] and read_things(spelled(self.plain)) and not RULES["undo"].match(self.plain) and (
                self.tools.session.current.parent is None or not _BACK.search(self.plain)):
            return ASKED  # "spped the nods up", "no more blinking"
        if all(s.do.startswith("ask-") for s in steps):
            about = about_clips(self.plain) or self.found or _THAN_BEFORE.search(self.plain)
            return 0 if about else question_doubts(self.text, steps) + is_request(self.said, self.plain)
        if self.asks and any(is_edit(s) for s in steps):
            return ASKED
        if not all(is_edit(s) and s.do != "again" for s in steps):
            return 0
        script, _ = self.tools.shown(self.target)
        try:
            edits, nothing = edits_of(steps, script), False
            if self.target.schedule is not None:
                nothing = edited(script, edits, self.target.schedule).script == script
            return doubts(self.text, edits) + turned_values(self.text, steps) + nothing
        except ValueError:
            return NEVER

    def known(self, steps: Sequence[Step]) -> set[str] | None:
        """The names that are performed or said, where a plan is about one that is neither; else None."""
        if self.tools.session.current is None:
            return None
        script, _ = self.tools.shown(self.target)
        about = {n for s in steps for n in s.names} - set(GROUPS)
        there = {n for n in about if any(same_name(c, n) for c in script.cues)}
        said = {n for t in read_things(spelled(self.plain)) for m in t.names for n in (m, sideless(m))}
        if not script.cues or about <= there | said:
            return None
        return {c.name for c in script.cues} | said | set(GROUPS)

    def tells_anew(self, steps: Sequence[Step]) -> bool:
        """Whether a line tells what a face does, and not of the clip at hand: of what is not in it, or of several things.

        A plan of changes is not followed then: "He yawns, then sighs." begins another performance, "he also yawns" does not.
        """
        if self.tools.session.current is None or self.found or not _TELLS.match(self.text) or not all(
                is_edit(s) or s.do in ("transition", "perform") for s in steps):
            return False
        if _OF_THE_CLIP.search(self.text) or self.tagged or wants_change(self.text):
            return False
        things = [set(t.names) for t in read_things(spelled(self.plain))]
        if [s.do for s in steps] == ["perform"]:
            return bool(things or self.tools.agent.read(self.text).cues)
        script, _ = self.tools.shown(self.target)
        there = {n for c in script.cues for n in (c.name, sideless(c.name))}
        return any(not names & there for names in things) or len(things) > 1 and bool(_THEN.search(self.plain))

    def unfounded(self, steps: Sequence[Step]) -> bool:
        """Whether a plan reverses or adds something that neither the words say nor, as a prompt, the model reads in them."""
        if any(s.do == "reverse" for s in steps) and not _BACKWARDS.search(self.plain):
            return True
        added = {c.name for s in steps for c in s.script.cues}
        if not added or self.tools.session.current is None:
            return False
        read = {n for t in read_things(spelled(self.plain)) for n in t.names}
        if not read and RULES["unable"].search(self.plain):
            return True
        return not added & set(map(sideless, read)) and not added & {
            c.name for c in self.tools.agent.read(self.text).cues}

    def doubts_of(self, ruled: Sequence[Call], steps: Sequence[Step]) -> int:
        """The same of what the rules found, where it is a change or a question of the plan's kind."""
        if all(s.do.startswith("ask-") for s in steps) or self.asks:
            known = read_question(self.plain)
            if known is None or known.asked == "unseen" or {s.do for s in steps} == {"ask-unseen"} or {
                    c.tool for c in ruled} != {"ask"}:
                return NEVER
            return question_doubts(self.text, [as_step(known)])
        if any(c.tool != "edit" for c in ruled):
            return NEVER
        script, _ = self.tools.shown(self.target)
        try:
            read = [e for c in ruled for e in read_edits(c.arguments["wish"], script, self.tools.agent.read)]
        except ValueError:
            return NEVER
        if not all(map(is_edit, steps)):
            return doubts(self.text, read) if read else NEVER
        return doubts(self.text, read) if {e.op for e in read} & {e.op for e in edits_of(steps, script)} else NEVER

    def absent(self, ruled: Sequence[Call], steps: Sequence[Step]) -> ValueError | None:
        """The rules' refusal, where a line is about what is not there and its plan about something else."""
        script, _ = self.tools.shown(self.target)
        name = not_there(self.text, edits_of(steps, script), script)
        try:
            for call in ruled if name else ():
                if call.tool == "edit":
                    read_edits(call.arguments["wish"], script, self.tools.agent.read)
        except ValueError as err:
            return err if name.replace("_", " ") in str(err) else None
        return None

    def calls(self, steps: Sequence[Step]) -> Iterator[Call]:
        """The calls of a plan.

        Raises:
            ValueError: a change that cannot be done.
        """
        here = self.tools.session.current
        first = here is not None and here.parent is None and len(self.tools.session.numbers) == 1
        if first and len(steps) > 1 and steps[0].do == "undo":
            steps = steps[1:]  # "no, I meant the wink": nothing has been changed yet
        if self.asks:  # nothing is changed by a question
            if steps and all(map(is_edit, steps)) and self.tagged:
                if self.stated and read_question(self.plain) is None:
                    yield Call("refuse", {"reason": UNREAD})
                    return
                raise Unplanned
            steps = [s for s in steps if not is_edit(s)] or steps
        kinds = [s.do for s in steps]
        if kinds == ["goto"] and len(self.found) == 1 and not read_things(spelled(self.plain)):
            yield Call("go_to", clip_of(self.found))
            return
        alone = self.tools.session.current is None and kinds[:1] not in (["talk"], ["refuse"], ["undo"])
        if kinds == ["compare-clips"] and compares(self.tools.session):
            pair = dict(zip(("first", "second"), (clip_of([f])["clip"] for f in self.found), strict=False))
            one = len(self.found) == 1 and read_question(self.plain) is not None  # "does clip 2 have a glare?"
            yield self._comparison() or (question_call(self.said, self.plain, self.tools) if one else Call("compare", pair))
            return
        if not kinds or alone or _RULED & set(kinds) or kinds == ["clips"] and self.found:
            raise Unplanned
        if kinds == ["talk"]:
            yield talk(self.text)
        if all(k.startswith("ask-") for k in kinds):
            if self._asked_by_rule(steps):
                yield question_call(self.said, self.plain, self.tools)
                return
            if len(kinds) == 1 and (second := self._second_part(steps[0])):
                yield from (self._ask(steps[0]), second)
                return
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
            elif step.do == "describe":
                yield described(self.plain, self.plain, self.tools.session)
            elif step.do in _TOOLS:
                yield Call(_TOOLS[step.do])
        if len(kinds) > 1 and "refuse" in kinds:  # what is possible is done, and the rest named
            yield Call("say", {"text": ABLE})

    def new(self, kinds: Sequence[str]) -> bool:
        """Whether a line begins another performance: of a new face, or told without asking or wishing anything."""
        told = all(k.startswith("ask-") for k in kinds) and bool(SUBJECT.match(self.said)) and not (
            self.text.rstrip().endswith("?") or self.tagged or _ASKING.search(self.plain))
        if _TAIL_ASKS.search(self.plain):
            return False
        return (told or bool(NEW_FACE.match(self.plain))) and plan(self.text, self.tools).tool == "perform"

    def _asked_by_rule(self, steps: Sequence[Step]) -> bool:
        """Whether the rules see in a question what its plan does not: a comparison, or that yes, no or a number is the answer."""
        ruled = read_question(self.plain)
        if ruled is None or about_clips(self.plain) or len(self.found) > 1:
            return False
        if "ask-unseen" in {s.do for s in steps}:
            return len(steps) == 1 and (ruled.asked == "emotion" or ruled.asked == "whether" and names_only(self.plain))
        if ruled.asked == "unseen":
            return ruled.why.startswith("a thought") and {s.do for s in steps} <= {"ask-during", "ask-list", "ask-together"}
        if ruled.asked == "order" and [s.do for s in steps] == ["ask-order"] and (
                re.search(r"\b(?:before|after|(?:later|earlier|sooner) than)\b", self.plain)) and (
                [sideless(t.names[0]) for t in ruled.things] == [sideless(n) for n in steps[0].names][::-1]):
            return True  # the words say which way round
        if ruled.asked in ("before", "after") and len(steps) == 1 and steps[0].do in _AROUND - {f"ask-{ruled.asked}"} and (
                re.search(rf"\b{ruled.asked}\b", self.plain)):
            return True
        if ruled.asked in ("first", "last") and ruled.things or ruled.asked == "count" and not ruled.things:
            return True
        if ruled.degree in ("state", "amid") or ruled.part == "middle" or (
                ruled.asked == "list" and ruled.between is not None and ruled.between[1] > 1e6):
            return True
        if ruled.asked == "until" and (ruled.degree or ruled.limit) or (
                ruled.asked == "list" and {s.do for s in steps} <= {"ask-first", "ask-last"}):
            return True
        if ruled.negated and ruled.asked in ("whether", "always") and not any("not" in s.words for s in steps):
            return True
        if ruled.asked == "compare" or ruled.asked == "order" and len(ruled.things) > 2 or (
                ruled.things and ruled.asked in ("list", "emotion")):
            return True
        if ruled.asked == "whether":
            kinds = {s.do for s in steps}
            return bool(YES_OR_NO.search(self.plain)) and (
                kinds <= _VALUES and not any(s.said("limit") for s in steps)
                or len(ruled.things) == len(steps) > 1 and kinds == {"ask-whether"})
        return ruled.asked == "count" and ruled.limit is None and any(s.do == "ask-count" and s.said("limit") for s in steps)

    def _second_part(self, step: Step) -> Call | None:
        """The question that a line asks besides its plan's one, where the rules read it: "what eye's the wink, what second"."""
        ruled = read_question(self.plain)
        missing = unasked(spelled(self.text).lower(), {step.do})
        if ruled is None or len(missing) != 1 or as_step(ruled).do not in missing[0] or step.do == "ask-unseen":
            return None
        return Call("ask", {"question": self.said, **clip_of(self.found)})

    def _ask(self, step: Step) -> Call:
        if step.do == "ask-unseen":
            if about_clips(self.plain) and (comparison := self._comparison()):
                return comparison
            known = read_question(self.plain)
            if known is not None and known.asked == "unseen" and (known.why or _SOMEBODY.search(self.said.lower())):
                return Call("ask", {"question": self.said})  # the rules know what it is
            if not _SOMEBODY.search(self.said.lower()):
                return Call("refuse", {"reason": ABLE})
        lone = step.do == "ask-compare" and len(self.tools.session.numbers) > 1 and self.alone(step)
        of_clips = lone or step.do in _OF_CLIPS and about_clips(self.plain) or len(self.found) > 1 or bool(
            _THAN_BEFORE.search(self.plain))
        if of_clips and (comparison := self._comparison()):
            return comparison
        return Call("ask", {"question": self.text, "plan": str(step), **clip_of(self.found)})

    def alone(self, step: Step) -> bool:
        """Whether a comparison is of something that the clip at hand has once, or not at all: it may be of clips."""
        script, _ = self.tools.shown(self.target)
        return any(sum(same_name(c, n) for c in script.cues) < max(step.names.count(n), 1) for n in step.names)

    def _comparison(self) -> Call | None:
        """The call that compares clips, where the line asks for something of them."""
        asked = read_comparing(self.text, self.tools.session) or read_loosely(self.text, self.tools.session)
        return Call("compare", {"question": self.text}) if asked else None

    def _edit(self, steps: Sequence[Step]) -> Call:
        target = self.target
        script, _ = self.tools.shown(target)
        edits: tuple[Edit, ...] = ()
        try:
            if (name := presumed(self.plain, steps, script)) is not None:
                raise absent(name, script)
            edits = edits_of(steps, script)
            if target.schedule is not None:
                edited(script, edits, target.schedule)
        except ValueError:
            if not edits and any(_possible(s, script) for s in steps):
                raise  # one of several wishes is about what is not there
            ruled = plan(self.text, self.tools)
            if ruled.tool == "edit":
                read = {e.op for e in read_edits(ruled.arguments["wish"], script, self.tools.agent.read)}
                said = {sideless(n) for t in read_things(spelled(self.plain)) for n in t.names}
                gone = said & {sideless(n) for s in steps for n in s.names} - {sideless(c.name) for c in script.cues}
                if read and (not edits and (not gone or read & {"add", "replace"}) or read & {e.op for e in edits}):
                    return ruled
            raise
        return Call("edit", {"wish": self.text, "plan": plan_text(steps), **clip_of(self.found)})


def _possible(step: Step, script: Script) -> bool:
    try:
        edits_of((step,), script)
    except ValueError:
        return False
    return True
