"""Plans: what one line of a conversation asks for, as typed steps, and as tokens bound by a grammar.

A language model reads a line and the script of the clip at hand, and writes a plan: changes (``stronger smile``), questions
(``ask-count nod``) or what else a conversation needs (``undo``). It writes no value that it could get wrong: quantities are
marks of the line (``data_gen/text/quantities.py``), and what is added is a script. ``agent/talk/planning/`` carries plans out.

Written out, a step is a command, what it is about, and the rest: ``stronger smile bit``, ``starts nod#2 2.5s``,
``add-after smile: wink left``, ``ask-count nod more 2``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ...face.facs.script import STRENGTHS, Script
from ...face.facs.script_text import read_script as parse_script
from ...face.facs.script_text import write_script
from ...face.facs.vocabulary import DIRECTIONS, GROUPS, NAMES
from .script_tokens import CLOSE, COMMANDS, MAX_COUNT, ORDINALS, Grammar, Item, Quantities
from .script_tokens import read as read_items
from .script_tokens import write as write_items

MAX_STEPS = 5
"""Steps in a plan."""
LEVELS = {f"={w}": v for w, v in STRENGTHS.items()}
_ASK = "whether count when until long strong fast side first last after before during list always order together either " \
       "compare gap emotion length"
SLOTS: dict[str, str] = {
    **dict.fromkeys(("stronger", "weaker", "faster", "slower"), "things amount?"), "strength": "things share",
    **dict.fromkeys(("longer", "shorter", "earlier", "later"), "things amount? time?"), "lasts": "things time",
    "hold": "things until? time?", "pause": "things time?",
    "starts": "things time",
    "side": "things side", "count": "things number", **dict.fromkeys(("more", "fewer"), "things number?"),
    **dict.fromkeys(("remove", "only", "never", "move-first", "move-last", "move-before", "move-after", "swap",
                     "together"), "things"),
    **dict.fromkeys(("add-end", "add-start", "blend", "transition"), "script"),
    **dict.fromkeys(("add-with", "add-after", "add-before", "replace"), "thing script"),
    "continue": "time?", "length": "time", **dict.fromkeys(("length-longer", "length-shorter"), "amount? time?"),
    **{f"ask-{a}": "things when?" for a in _ASK.split()},
    "ask-whether": "things side? degree? not? when?", "ask-count": "things limit? when?", "ask-long": "things limit? when?",
    **dict.fromkeys(("ask-first", "ask-last", "ask-list"), "region? when?"), "ask-compare": "things by? when?",
    **dict.fromkeys(("ask-emotion", "ask-length"), "when?"),
    **dict.fromkeys(("ask-unseen", "reverse", "again", "perform", "describe", "undo", "redo", "clips", "changed", "goto", "name",
                     "compare-clips", "join", "export", "talk", "refuse", "unclear"), "")}
"""Each command's arguments in their order; those with ``?`` may be left out."""
_WORDS: dict[str, frozenset[str]] = {slot: frozenset(words.split()) for slot, words in {
    "amount": "bit much full double half", "side": "left right both other", "degree": "strong slight", "not": "not",
    "limit": "more less same", "when": "at between start end", "by": "strength length count start speed",
    "region": "head eyes brows mouth", "share": " ".join(STRENGTHS), "until": "until"}.items()}
_TOKENS = {"left": "left", "right": "right", "at": "at", "until": "until", **{w: f"={w}" for w in STRENGTHS}}
"""Words whose rows scripts have already."""
_TAKES = {"time": "tc", "share": "p", "number": "c", "amount": "p", "bound": "ct"}
"""Kinds of quantities that an argument may be; a time may lack its unit."""
_COUNTS = frozenset(f"x{k}" for k in range(1, MAX_COUNT + 1))
_TIMED = frozenset(do for do, slots in SLOTS.items() if "time" in slots.replace("?", "").split())
_ALL = "all"


def _token(word: str) -> str:
    return _TOKENS.get(word, f"~{word}")


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        do: the command, one of :data:`SLOTS`.
        things: names, each with which of its occurrences (0 the first, -1 the last; None all of them). No name is the whole clip.
        words: amounts, sides, parts and the like, in their order.
        values: seconds, shares or counts, in their order.
        script: what is added.
    """

    do: str
    things: tuple[tuple[str, int | None], ...] = ()
    words: tuple[str, ...] = ()
    values: tuple[tuple[str, float], ...] = ()
    """Each a kind (``t``, ``p``, ``c``) and a number."""
    script: Script = Script()

    @property
    def names(self) -> tuple[str, ...]:
        """The names alone."""
        return tuple(n for n, _ in self.things)

    def said(self, slot: str) -> str:
        """The word of a slot; empty where there is none."""
        return next((w for w in self.words if w in _WORDS[slot]), "")

    def value(self, kind: str) -> float | None:
        """The first value of a kind."""
        return next((v for k, v in self.values if k == kind), None)

    def __str__(self) -> str:
        units = {"t": "s", "p": "%", "c": ""}
        things = [n + ("" if k is None else "#last" if k < 0 else f"#{k + 1}") for n, k in self.things]
        every = _ALL if "things" in SLOTS[self.do] and not things and not self.do.startswith("ask") else ""
        values = [f"{100 * v if k == 'p' else v:g}{units[k]}" for k, v in self.values]
        awaits = self.words == ("until",) and not values and len(things) > 1
        point = [f"until {things.pop()}"] if awaits else [*self.words, *values]
        head = " ".join(filter(None, (self.do, ", ".join(things) or every, *point)))
        return f"{head}: {write_script(self.script)}" if self.script.cues else head


def plan_text(plan: Sequence[Step]) -> str:
    """A plan written out."""
    return "; ".join(map(str, plan))


# -- from text, in training data -----------------------------------------------------------------------
_FIRST = re.compile(r"[\w-]+")
_VALUE = re.compile(r"(\d+(?:\.\d+)?)(s|%|)")


def parse_plan(text: str) -> tuple[Step, ...]:
    """A plan as written out by hand: also ``ask count`` for ``ask-count``, ``add end:`` for ``add-end:``.

    Raises:
        ValueError: it is none.
    """
    text = re.sub(r"\b(ask|add|move|length) (?!\d)(?=[a-z])", r"\1-", text)
    text = re.sub(r"\bmove-([\w#]+) (first|last|before|after)\b", r"move-\2 \1", text)
    text = re.sub(r"(?<!-)\bcompare\b(?!-clips)", "compare-clips", text)
    pieces: list[str] = []
    for piece in (p.strip() for p in text.split(";")):
        first = _FIRST.match(piece)
        if first and first[0] in SLOTS and not (pieces and ":" in pieces[-1] and ":" not in piece and first[0] == "never"):
            pieces.append(piece)
        elif pieces:
            pieces[-1] += f"; {piece}"
        else:
            raise ValueError(f"{piece!r} is no command; allowed: {', '.join(SLOTS)}")
    return tuple(map(_parse_step, pieces))


def _parse_step(text: str) -> Step:
    head, _, script = text.partition(":")
    do, *rest = head.replace(",", " ").split()
    if do not in SLOTS:
        raise ValueError(f"{do!r} is no command; allowed: {', '.join(SLOTS)}")
    slots = {s.rstrip("?") for s in SLOTS[do].split()}
    things: list[tuple[str, int | None]] = []
    words: list[str] = []
    values: list[tuple[str, float]] = []
    if do == "ask-unseen":
        return Step(do)
    for word in rest:
        name, _, which = word.partition("#")
        if m := _VALUE.fullmatch(word):
            kind = {"s": "t", "%": "p", "": "c"}[m[2]]
            values.append((kind, float(m[1]) / (100 if kind == "p" else 1)))
        elif any(word in _WORDS.get(s, ()) for s in slots):
            words.append(word)
        elif name in NAMES or name in GROUPS:
            things.append((name, None if not which else -1 if which == "last" else int(which) - 1))
        elif word not in (_ALL, "and", "by", "to"):
            raise ValueError(f"{word!r} in {text!r}: no name, amount or value that {do} takes")
    step = Step(do, tuple(things), tuple(words), tuple(values), parse_script(sided_line(script.strip())) if script else Script())
    if "script" in slots and not step.script.cues:
        raise ValueError(f"{do} needs a script after a colon")
    return step


_ASIDE = re.compile(rf"(?<![\w-])({'|'.join(sorted(DIRECTIONS))})(?![\w-])(?! (?:left|right))")


def sided_line(script: str) -> str:
    """A script line in which what needs a side and has none gets the left one, and ``&`` stands for ``; with``."""
    return _ASIDE.sub(r"\1 left", re.sub(r"\s*&\s*", "; with ", script))


# -- tokens ----------------------------------------------------------------------------------------------
def context(script: Script) -> list[str]:
    """A clip's script as tokens that a line is read beside: its names, sides, strengths and counts, without times."""
    out: list[str] = []
    for k, cue in enumerate(script.cues[:12]):
        out += [cue.join] * (k > 0 and cue.join != "then") + [f"@{cue.name}"] + [cue.side] * (cue.side != "both")
        if cue.strength is not None:
            out.append(min(LEVELS, key=lambda w: abs(LEVELS[w] - cue.strength)))  # type: ignore[operator]
        if cue.count is not None and cue.count <= MAX_COUNT:
            out.append(f"x{cue.count}")
    return out


def write_plan(plan: Sequence[Step], quantities: Quantities) -> list[Item]:
    """A plan as tokens.

    Raises:
        ValueError: a value that is no quantity of the line, or steps that the grammar does not allow.
    """
    out: list[Item] = []
    used: set[str] = set()
    for step in plan:
        out.append(f"!{step.do}")
        values, words = list(step.values), list(step.words)
        for slot in (s.rstrip("?") for s in SLOTS[step.do].split()):
            if slot in ("things", "thing"):
                point = "until" in words and not values and len(step.things) > 1
                for name, which in step.things[:-1 if point else None] or (
                        () if step.do.startswith("ask") else ((_ALL, None),)):
                    out.append("~all" if name == _ALL else f"@{name}")
                    out += [] if which is None else ["#last" if which < 0 else f"#{which + 1}"]
            elif slot == "script":
                out += write_items(step.script, quantities)
            elif slot in _WORDS:
                said = [_token(words.pop(0))] if words and words[0] in _WORDS[slot] else []
                out += said
                if slot == "until" and said and not values:
                    out.append(f"@{step.names[-1]}")
                if not said and slot in ("when", "limit"):
                    continue
            takes = {"number": "c", "amount": "p", "when": "t", "until": "t", "limit": "ct"}.get(slot, _TAKES.get(slot, ""))
            while values and values[0][0] in takes:
                out.append(_mark(*values.pop(0), quantities, used))
        if words or values:
            raise ValueError(f"{step}: {words or values} have no place")
    state = PlanGrammar(frozenset(quantities.marks()))
    for item in out:
        if isinstance(item, str):
            state = state.take(item)
    if CLOSE not in state.allowed():
        raise ValueError(f"{plan_text(plan)}: something is missing at the end")
    return out


def _mark(kind: str, value: float, quantities: Quantities, used: set[str]) -> str:
    found = quantities.find(kind, value, used)
    if kind == "t" and found is None:  # "at 3": a number without a unit
        found = "zero" if value == 0 else quantities.find("c", value, used)
    if found is None and kind == "c" and 1 <= value <= MAX_COUNT:
        return f"x{int(value)}"
    if found is None:
        raise ValueError(f"{value:g} is no quantity of the line")
    used.add(found)
    return found


def read_plan(items: Sequence[Item], quantities: Quantities) -> tuple[Step, ...]:
    """The steps that tokens say; the inverse of :func:`write_plan`."""
    starts = [k for k, item in enumerate(items) if isinstance(item, str) and item.startswith("!")]
    return tuple(_read_step(items[low:high], quantities) for low, high in pairwise([*starts, len(items)]))


def _read_step(items: Sequence[Item], quantities: Quantities) -> Step:
    step = Step(str(items[0])[1:])
    slots = SLOTS[step.do].split()
    rest = list(items[1:])
    named = 0
    while rest:
        if "script" in slots and (named or "thing" not in slots):
            return replace(step, script=read_items(rest, quantities))
        item = str(rest.pop(0))
        if item.startswith("@"):
            which = None
            if rest and rest[0] in ORDINALS:
                order = str(rest.pop(0))
                which = -1 if order == "#last" else int(order[1:]) - 1
            step, named = replace(step, things=(*step.things, (item[1:], which))), named + 1
        elif item == "~all":
            named += 1
        elif item[0] in "tpc" and item[1:].isdigit():
            kind = "t" if item[0] == "c" and step.do in _TIMED else item[0]
            step = replace(step, values=(*step.values, (kind, quantities.value(item))))
        elif item == "zero":
            step = replace(step, values=(*step.values, ("t", 0.0)))
        elif item in _COUNTS:
            step = replace(step, values=(*step.values, ("c", float(item[1:]))))
        else:
            step = replace(step, words=(*step.words, item.lstrip("~=")))
    return step


_NAMES = frozenset(f"@{n}" for n in (*NAMES, *(g for g in GROUPS if g not in NAMES)))
_FOLLOWS = {"until": "point", "thing": "order?", "order?": "", "things": "things*", "things*": "things*", "at": "time",
            "between": "time time", "more": "bound", "less": "bound", "same": "bound"}


@dataclass(frozen=True)
class PlanGrammar:
    """What may follow in a plan; immutable. ``CLOSE`` ends it."""

    marks: frozenset[str] = frozenset()
    slots: tuple[str, ...] = ()
    """Arguments that may still come."""
    script: Grammar | None = None
    """Inside a script that is added."""
    steps: int = 0
    ordered: bool = True
    """Whether an ordinal may not follow."""
    names: frozenset[str] = _NAMES
    """Tokens of the names that things may have; what is added may be anything."""

    def _kind(self, kind: str) -> set[str]:
        return {m for m in self.marks if m[0] == kind}

    def _first(self, slot: str) -> set[str]:
        """Tokens that an argument begins with."""
        bare = slot.rstrip("?*")
        if bare == "point":
            return self._first("time") | self.names
        if bare in ("things", "thing", "order"):
            order: set[str] = set() if self.ordered or slot == "things" else set(ORDINALS)
            return order if bare == "order" else {*self.names, "~all", *order}
        if bare == "script":
            return Grammar(self.marks).allowed() - {CLOSE, "still", "unknown", "never", "length"}
        own = {_token(w) for w in _WORDS.get(bare, ())}
        extra = set(_COUNTS) if bare in ("number", "bound") else {"zero"} if bare == "time" else set()
        return own.union(*(self._kind(k) for k in _TAKES.get(bare, "")), extra)

    def _possible(self) -> set[str]:
        """Commands whose arguments the line has the quantities for."""
        timed = self._kind("t") | self._kind("c")
        return {c for c in COMMANDS if timed or c == "!starts" or "time" not in SLOTS[c[1:]].split()}

    def allowed(self) -> set[str]:
        """Tokens that may come next."""
        after = {CLOSE} | (self._possible() if self.steps < MAX_STEPS else set())
        if not self.steps:
            return after - {CLOSE}
        if self.script is not None:
            inner = self.script.allowed()
            return inner - {CLOSE, "unknown"} | (after if CLOSE in inner else set())
        out: set[str] = set()
        for slot in self.slots:
            out |= self._first(slot)
            if slot[-1] not in "?*":
                return out
        return out | after

    def take(self, token: str) -> PlanGrammar:
        """The state after a token.

        Raises:
            ValueError: it is not allowed here.
        """
        if token not in self.allowed():
            raise ValueError(f"{token!r} may not follow in a plan here ({' '.join(self.slots)})")
        if token.startswith("!"):
            slots = tuple(SLOTS[token[1:]].split())
            asks = token.startswith("!ask") and slots[:1] == ("things",)
            return PlanGrammar(self.marks, ("things*", *slots[1:]) if asks else slots, None, self.steps + 1, names=self.names)
        if self.script is not None:
            return replace(self, script=self.script.take(token))
        for k, slot in enumerate(self.slots):
            if token not in self._first(slot):
                continue
            bare, rest = slot.rstrip("?"), self.slots[k + 1:]
            if bare == "script":
                return replace(self, slots=(), script=Grammar(self.marks).take(token))
            word = token.lstrip("~")
            follows = _FOLLOWS.get(bare) or (_FOLLOWS.get(word, "") if bare in ("when", "limit") else "")
            return replace(self, slots=(*follows.split(), *rest), ordered=not token.startswith("@"))
        raise AssertionError(token)
