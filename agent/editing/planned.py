"""Steps of plans (``llm/grammar/plans.py``) as edits of a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ...face.facs.script import STRENGTHS, Script
from ...face.facs.vocabulary import EMOTIONS, FEELING, GROUPS
from ...llm.grammar.plans import SLOTS, Step
from .operations import Edit, same_name

_FACTORS = {"bit": 1.15, "": 1.35, "much": 1.7, "double": 2.0, "half": 2.0, "full": 3.0}
_SHIFTS = {"bit": 0.25, "": 0.5, "much": 1.0, "double": 1.0, "half": 0.25, "full": 2.0}
"""Seconds by which something moves when none are said."""
_PAUSE = 1.0
_COUNTED = frozenset(("nod", "shake", "blink", "wink"))
"""Of which one less is a number."""
_UNEDITED = ("perform", "transition", "describe")


def is_edit(step: Step) -> bool:
    """Whether a step changes the clip at hand by an edit of its script."""
    return bool(SLOTS[step.do]) and not step.do.startswith("ask") and step.do not in _UNEDITED or step.do in ("reverse", "again")


def edits_of(plan: Sequence[Step], script: Script) -> tuple[Edit, ...]:
    """The edits of a plan's steps, in order.

    Args:
        plan: steps for which :func:`is_edit` holds.
        script: what was performed.

    Raises:
        ValueError: a step is about what is not there.
    """
    return tuple(edit for step in plan for edit in _edits(step, script))


def absent(name: str, script: Script) -> ValueError:
    """That something is not in a script."""
    there = ", ".join(c.name for c in script.cues) or "nothing"
    return ValueError(f"there is no {name.replace('_', ' ')} in what was performed: {there}")


def _edits(step: Step, script: Script) -> list[Edit]:
    if step.do != "never":
        for name in step.names:
            if not any(same_name(c, name) for c in script.cues):
                raise absent(name, script)
    make = _MAKE[step.do]
    if step.do in _TOGETHER or step.words == ("until",):
        return make(step, step.names, step.things[0][1] if len(step.things) == 1 else None, script)
    groups: dict[int | None, list[str]] = {}
    for name, which in step.things:
        groups.setdefault(which, []).append(name)
    return [e for which, names in (groups or {None: []}).items() for e in make(step, tuple(names), which, script)]


_Make = Callable[[Step, tuple[str, ...], int | None, Script], list[Edit]]


def _scaled(op: str, up: bool) -> _Make:
    def make(step: Step, names: tuple[str, ...], which: int | None, script: Script) -> list[Edit]:
        amount, share, seconds = step.said("amount"), step.value("p"), step.value("t")
        over = "length" if op == "duration" and not names and len(script.cues) > 1 or op == "length" else op
        if seconds is not None:
            return [Edit(over, names, which, factor=0.0, value=seconds if up else -seconds)]  # type: ignore[arg-type]
        if op == "strength" and amount == "full":
            return [Edit("strength", names, which, value=1.0 if up else 0.15)]
        if share is not None:
            factor = 1.0 + share if up else max(1.0 - share, 0.05)
        else:
            factor = _FACTORS[amount] if up else 1.0 / _FACTORS[amount]
        return [Edit(over, names, which, factor=factor)]  # type: ignore[arg-type]
    return make


def _shifted(sign: float) -> _Make:
    def make(step: Step, names: tuple[str, ...], which: int | None, script: Script) -> list[Edit]:
        seconds = step.value("t")
        return [Edit("shift", names, which, value=sign * (_SHIFTS[step.said("amount")] if seconds is None else seconds))]
    return make


def _valued(op: str, kind: str) -> _Make:
    def make(step: Step, names: tuple[str, ...], which: int | None, script: Script) -> list[Edit]:
        value = step.value(kind)
        if op == "strength":
            value = next((STRENGTHS[w] for w in step.words if w in STRENGTHS), value)
        return [Edit(op, names, which, value=value)]  # type: ignore[arg-type]
    return make


def _hold(step: Step, names: tuple[str, ...], which: int | None, script: Script) -> list[Edit]:
    if step.words:
        until = names[-1:] if step.value("t") is None and len(names) > 1 else ()
        held = names[:-1] if until else names or tuple(c.name for c in script.cues[-1:])
        if step.value("t") is None and not until:
            raise ValueError(f"until when? there are: {', '.join(c.name for c in script.cues)}")
        return [Edit("until", held, step.things[0][1] if step.things else None, value=step.value("t"), anchor=until)]
    names = names or tuple(c.name for c in script.cues[-1:])
    if (seconds := step.value("t")) is not None:
        return [Edit("duration", names, which, value=seconds)]
    several = sum(same_name(c, names[0]) for c in script.cues) > 1
    return [Edit("hold", names, -1 if several and which is None else which)]


def _side(step: Step, names: tuple[str, ...], which: int | None, script: Script) -> list[Edit]:
    names = names or tuple(c.name for c in script.cues if c.side != "both")
    return [Edit("side", names, which, side=step.said("side"))]


def _counted(value: float | None) -> _Make:
    def make(step: Step, names: tuple[str, ...], which: int | None, script: Script) -> list[Edit]:
        said = step.value("c")
        own = [c for c in script.cues if c.name in names]
        once = len(own) == 1 and own[0].count is None and not _COUNTED & set(names)
        if value == -1.0 and said is None and which is None and once:
            return [Edit("strength", names, None, factor=1.0 / _FACTORS[""])]  # "less frowning" where there is one frown
        counted = tuple(c.name for c in script.cues if c.count is not None)[:1] or tuple(c.name for c in script.cues[-1:])
        if value is None:
            return [Edit("count", names or counted, which, value=said)]
        return [Edit("count", names or counted, which, factor=said or 1.0, value=value)]
    return make


def _never(step: Step, names: tuple[str, ...], which: int | None, script: Script) -> list[Edit]:
    in_groups = {n for g in names if g in GROUPS and g != "anything" for n in GROUPS[g]}
    there = tuple(dict.fromkeys(c.name for c in script.cues if c.action in in_groups or any(same_name(c, n) for n in names)))
    return [Edit("remove", there, which)] * bool(there) + [Edit("never", names)]


def _added(where: str) -> _Make:
    def make(step: Step, names: tuple[str, ...], which: int | None, script: Script) -> list[Edit]:
        return [Edit("add", names, which, script=step.script, where=where)]  # type: ignore[arg-type]
    return make


def _moved(where: str) -> _Make:
    def make(step: Step, names: tuple[str, ...], which: int | None, script: Script) -> list[Edit]:
        if where in ("start", "end"):
            return [Edit("move", (n,), which, where=where) for n in (names[::-1] if where == "start" else names)]  # type: ignore[arg-type]
        if len(names) < 2:
            raise ValueError(f"before or after what? there are: {', '.join(c.name for c in script.cues)}")
        return [Edit("move", (names[0],), step.things[0][1], where=where, anchor=(names[-1],))]  # type: ignore[arg-type]
    return make


def _swapped(step: Step, names: tuple[str, ...], which: int | None, script: Script) -> list[Edit]:
    order = [c.name for c in script.cues]
    if len(names) < 2:
        if len(order) != 2:
            raise ValueError(f"which two? there are: {', '.join(order)}")
        return [Edit("reverse")]
    at = sorted(next(k for k, c in enumerate(script.cues) if same_name(c, n)) for n in names[:2])
    first, second = order[at[0]], order[at[1]]
    back = Edit("move", (second,), where="after", anchor=(order[at[0] - 1],)) if at[0] else Edit("move", (second,), where="start")
    anchor = order[at[1] + 1:at[1] + 2]
    return [back, Edit("move", (first,), where="before" if anchor else "end", anchor=tuple(anchor))]


def _plain(op: str) -> _Make:
    def make(step: Step, names: tuple[str, ...], which: int | None, script: Script) -> list[Edit]:
        if op == "blend" and not any(c.name in EMOTIONS or c.name in FEELING for c in script.cues):
            first = step.script.cues[0]
            return [Edit("add", tuple(c.name for c in script.cues[:1]), None, where="with",
                         script=replace(step.script, cues=(replace(first, join="then"), *step.script.cues[1:])))]
        return [Edit(op, names, which, script=step.script)]  # type: ignore[arg-type]
    return make


def _pause(step: Step, names: tuple[str, ...], which: int | None, script: Script) -> list[Edit]:
    return [Edit("pause", names or tuple(c.name for c in script.cues[-1:]), which, value=step.value("t") or _PAUSE)]


_TOGETHER = frozenset(("only", "together", "swap", "move-before", "move-after"))
"""What is about several things at once."""
_MAKE: dict[str, _Make] = {
    "stronger": _scaled("strength", True), "weaker": _scaled("strength", False), "faster": _scaled("speed", True),
    "slower": _scaled("speed", False), "longer": _scaled("duration", True), "shorter": _scaled("duration", False),
    "length-longer": _scaled("length", True), "length-shorter": _scaled("length", False), "length": _valued("length", "t"),
    "strength": _valued("strength", "p"), "lasts": _valued("duration", "t"), "starts": _valued("start", "t"),
    "continue": _valued("continue", "t"), "earlier": _shifted(-1.0), "later": _shifted(1.0), "hold": _hold, "side": _side,
    "count": _counted(None), "more": _counted(0.0), "fewer": _counted(-1.0), "never": _never, "swap": _swapped, "pause": _pause,
    "add-end": _added("end"), "add-start": _added("start"), "add-with": _added("with"), "add-after": _added("after"),
    "add-before": _added("before"), "move-first": _moved("start"), "move-last": _moved("end"), "move-before": _moved("before"),
    "move-after": _moved("after"),
    **{op: _plain(op) for op in ("remove", "only", "replace", "together", "blend", "reverse", "again")}}
