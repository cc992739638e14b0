"""Whether a reply is right: the tool that was called, what the clip shows then, what changed and what did not, and the answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...face.facs.check import check
from ...face.facs.evidence.happenings import Shown, happenings, side_of
from ...face.facs.measured import Measurement
from ...face.facs.script import Script
from ...face.facs.vocabulary import DIRECTIONS, sideless
from ..metrics import Counts, bootstrap_interval
from .suite import Change, Dialogue, Turn, scripts_of


class Reply(Protocol):
    """A reply (:class:`facelm.Reply`)."""

    @property
    def text(self) -> str: ...
    @property
    def calls(self) -> Sequence[Any]: ...
    @property
    def value(self) -> Any: ...
    @property
    def query(self) -> dict[str, Any] | None: ...
    @property
    def refused(self) -> bool: ...


class Agent(Protocol):
    """A conversation (:class:`facelm.Agent`), with a memory of its own."""

    @property
    def tools(self) -> Any: ...
    @property
    def sampling(self) -> Any: ...
    @property
    def memory(self) -> Any: ...

    def say(self, text: str, /) -> Reply: ...


TIME, STRENGTH = 0.2, 0.08
"""Seconds and share of full scale by which a value may be off."""
_TOOLS = {"perform": {"perform"}, "edit": {"edit"}, "ask": {"ask", "compare", "describe", "changed", "list_clips"},
          "tell": {"describe", "ask"}, "unseen": {"ask"}, "compare": {"compare", "ask", "changed"},
          "undo": {"undo", "go_to"}, "redo": {"redo", "go_to"},
          "goto": {"go_to", "undo", "redo"}, "name": {"name"}, "list": {"list_clips"}, "changed": {"changed", "compare"},
          "repeat": {"again", "perform", "edit"}, "talk": {"say"}, "transition": {"transition", "edit", "perform"}}
_PART_KINDS = frozenset({"present", "absent", "count", "side", "strength", "start", "duration", "length"})


@dataclass(frozen=True)
class Before:
    """What was at hand before a turn."""

    facts: Measurement | None
    clip: tuple[int, int] | None


@dataclass(frozen=True)
class Scored:
    """A turn's outcome: nothing wrong, or what."""

    dialogue: str
    kind: str
    turn: int
    said: str
    reply: str
    wrong: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether everything that was expected is so."""
        return not self.wrong


def play(dialogue: Dialogue, agent: Callable[[], Agent]) -> list[Scored]:
    """Hold a conversation and score its turns.

    Args:
        dialogue: with what is right.
        agent: makes an agent without a past.

    Raises:
        ValueError: its start cannot be performed.
    """
    talk = agent()
    if dialogue.start is not None:
        made, = talk.tools.agent.perform_many([scripts_of(dialogue.start)[0]], None, 0, talk.sampling.idle)
        with talk.memory.turn():
            talk.memory.add([made.clip], "performed", dialogue.start, made=made)
    out = []
    for number, turn in enumerate(dialogue.turns, 1):
        before = _before(talk)
        reply = talk.say(turn.say)
        out.append(Scored(dialogue.id, dialogue.kind, number, turn.say, reply.text, tuple(_wrong(turn, reply, before, talk))))
    talk.memory.close()
    return out


def _before(talk: Agent) -> Before:
    here = talk.memory.current
    return Before(here.measured() if here else None, (here.number, here.version) if here else None)


def _wrong(turn: Turn, reply: Reply, before: Before, talk: Agent) -> Iterable[str]:
    """What is not as expected."""
    tools = {c.tool for c in reply.calls}
    after = _before(talk)
    if turn.want in ("false", "refuse"):
        if turn.want == "refuse" and not reply.refused:
            yield f"not refused ({', '.join(sorted(tools))})"
        denied = "ask" in tools and (reply.value in (False, None, 0, []) or _denies(reply))
        if turn.want == "false" and not (reply.refused or denied or "compare" in tools):
            yield f"a false premise is not named: {reply.value!r}"
        if after.clip != before.clip:
            yield "the clip is another one"
    else:
        if reply.refused:
            yield "refused"
        if not tools & _TOOLS[turn.want]:
            yield f"{turn.want} wanted, done: {', '.join(sorted(tools)) or 'nothing'}"
        if turn.want == "unseen" and (reply.query or {}).get("asked") != "unseen":
            yield "it does not say that this cannot be seen"
        if turn.want in ("ask", "tell", "unseen", "compare", "list", "changed", "talk", "name") and after.clip != before.clip:
            yield "the clip is another one"
    if turn.shows is not None and after.facts is not None and after.clip is not None:
        tried = [[c.sentence for c in check(s, after.facts).failed if c.kind in _PART_KINDS] for s in scripts_of(turn.shows)]
        yield from (f"shows: {sentence}" for sentence in min(tried, key=len))
        yield from _out_of_order(scripts_of(turn.shows)[0], after.facts)
    if after.facts is not None and before.facts is not None:
        for change in turn.change:
            if not _changed(change, before.facts, after.facts):
                yield f"{change.what} is not {change.becomes}"
        for name in turn.kept:
            if not _kept(name, before.facts, after.facts):
                yield f"{name} is not as it was"
    elif turn.change:
        yield "there is no clip to compare"
    if turn.value is not None and turn.want not in ("false", "refuse") and not _is(turn.value, reply, before.facts):
        yield f"value {reply.value!r}, right is {_computed(turn.value, before.facts)!r}"
    if turn.clip is not None and (after.clip is None or after.clip[0] != turn.clip):
        yield f"clip {after.clip and after.clip[0]}, right is {turn.clip}"
    if turn.version is not None and (after.clip is None or after.clip[1] != turn.version):
        yield f"version {after.clip and after.clip[1]}, right is {turn.version}"
    if turn.says and not any(w.lower() in reply.text.lower() for w in turn.says):
        yield f"none of {', '.join(turn.says)} is said"


def _denies(reply: Reply) -> bool:
    return reply.text.lower().startswith(("no", "there is no", "there are no", "neither", "not "))


def _out_of_order(script: Script, facts: Measurement) -> Iterable[str]:
    """Cues that should come one after the other and do not."""
    before: tuple[str, float] | None = None
    for cue in script.cues:
        starts = [s.start for s in _rows(facts, cue.name)]
        if not starts:
            continue
        if cue.join == "then" and before is not None and max(starts) < before[1] - TIME:
            yield f"{cue.name} is not after {before[0]}"
        before = cue.name, min(starts)


# -- what a clip shows -----------------------------------------------------------------------------
_ALIKE = {"happiness": ("smile",), "smile": ("happiness",), "anger": ("brow_lower",), "sadness": ("lip_corner_depress",)}


def _own(facts: Measurement, name: str) -> list[Shown]:
    """Occurrences of something, or of what is called the same; not what others bring along (a laugh nods)."""
    seen = happenings(facts)
    own = [s for s in seen if s.name == name or (name in (*DIRECTIONS, "wink") and s.name.startswith(f"{name}_"))]
    return own or next((rows for other in _ALIKE.get(name, ()) if (rows := [s for s in seen if s.name == other])), [])


def _rows(facts: Measurement, name: str) -> list[Shown]:
    """The same, with its parts' ones where it is part of something else."""
    return _own(facts, name) or [
        Shown(a.name, a.name, a.onset, a.offset, a.intensity, a.cycles or 1, a.side) for a in facts.everything
        if a.name == name or name in (*DIRECTIONS, "wink") and a.name.startswith(f"{name}_")]


def _changed(change: Change, before: Measurement, after: Measurement) -> bool:
    word, _, number = change.becomes.partition(" ")
    if change.what == "clip":
        was, now = before.seconds, after.seconds
        return {"longer": now > was + 0.1, "shorter": now < was - 0.1, "faster": now < was - 0.1, "slower": now > was + 0.1,
                "lasts": bool(number) and abs(now - float(number or 0)) <= 0.1}.get(word, False)
    old, new = _rows(before, change.what), _rows(after, change.what)
    if word == "gone":
        left = _own(after, change.what)
        return not left if change.nth is None else sum(s.times for s in left) < sum(s.times for s in _own(before, change.what))
    if word == "count":
        return sum(s.times for s in (new if change.nth is None else new[change.nth - 1:change.nth])) == int(float(number))
    if not new:
        return False
    if word in ("first", "last"):
        rows = [s for s in happenings(after) if s.name != "blink"]
        edge = min(s.start for s in rows) if word == "first" else max(s.start for s in rows)
        own = min(s.start for s in new) if word == "first" else max(s.start for s in new)
        return abs(own - edge) <= 2 * TIME
    k = (change.nth or 1) - 1
    b = new[min(k, len(new) - 1)]
    if word in ("left", "right", "both"):
        return side_of(b) == word
    if word == "strength":
        return abs(b.strength - float(number)) <= STRENGTH
    if word == "starts":
        return abs(b.start - float(number)) <= TIME
    if word == "lasts":
        return abs((b.end - b.start) - float(number)) <= 2 * TIME
    if not old:
        return False
    a = old[min(k, len(old) - 1)]
    x, y = a.end - a.start, b.end - b.start
    return {"stronger": b.strength > a.strength + 0.01 or a.strength > 0.97, "weaker": b.strength < a.strength - 0.01,
            "faster": y / b.times < x / a.times - 0.02 or b.hertz > a.hertz + 0.05, "slower": y / b.times > x / a.times + 0.02,
            "longer": y > x + 0.04, "shorter": y < x - 0.04, "earlier": b.start < a.start - 0.04,
            "later": b.start > a.start + 0.04}.get(word, False)


def _kept(name: str, before: Measurement, after: Measurement) -> bool:
    """Whether something is as it was, wherever it has been moved to."""
    old, new = _rows(before, name), _rows(after, name)
    return len(old) == len(new) and bool(old) and all(
        abs(a.strength - b.strength) <= STRENGTH and a.times == b.times and side_of(a) == side_of(b)
        and abs((a.end - a.start) - (b.end - b.start)) <= 2 * TIME for a, b in zip(old, new, strict=True))


# -- values --------------------------------------------------------------------------------------
def _computed(value: Any, facts: Measurement | None) -> Any:
    """A value that is said by how it is computed from the clip."""
    if isinstance(value, list):
        return [_computed(v, facts) for v in value]
    if not isinstance(value, dict) or facts is None:
        return value
    what, name = next((k, v) for k, v in value.items() if k != "nth")
    if what == "length":
        return facts.seconds
    if what in ("first", "last"):
        rows = [s for s in happenings(facts) if s.name != "blink"]
        if not rows:
            return None
        edge = min(s.start for s in rows) if what == "first" else max(s.start for s in rows)
        return {s.name for s in rows if abs(s.start - edge) <= 2 * TIME}
    rows = _rows(facts, str(name))
    if what == "count":
        return sum(s.times for s in rows)
    k = int(value.get("nth", 1)) - 1
    if not rows or k >= len(rows):
        return None
    s = rows[k]
    return {"start": s.start, "end": s.end, "lasts": s.end - s.start, "strength": s.strength}.get(what)


def _is(value: Any, reply: Reply, facts: Measurement | None) -> bool:
    """Whether a reply gives a value."""
    right, given = _computed(value, facts), reply.value
    if isinstance(right, list) and not isinstance(given, list):
        given = [given]
    if isinstance(right, list):
        given = [v for g in given for v in (g if isinstance(g, list) else [g])]
        if right and all(isinstance(r, str) for r in right):
            names = [sideless(str(g)) for g in given]
            return [sideless(r) for r in right] == names or set(map(sideless, right)) <= set(names)
        if len(right) > 1 and len(right) == len(given):
            return all(_one(r, g, reply) for r, g in zip(right, given, strict=True))
        return bool(right) and _one(right[0], given, reply)
    return _one(right, given, reply)




def _one(right: Any, given: Any, reply: Reply) -> bool:
    if isinstance(right, set):
        got = given if isinstance(given, list) else [given]
        return any(sideless(str(g)) in {sideless(r) for r in right} for g in got)
    if isinstance(right, bool):
        return given is right or isinstance(given, (int, float)) and not isinstance(given, bool) and bool(given) is right or (
            isinstance(given, str) and right)
    if isinstance(given, list) and not isinstance(right, list):
        return any(_one(right, g, reply) for g in given)
    if isinstance(right, (int, float)) and isinstance(given, (int, float)) and not isinstance(given, bool):
        measured = isinstance(right, float) and not float(right).is_integer() or given % 1
        return math.isclose(right, given, abs_tol=TIME if measured else 1e-6)
    if isinstance(right, str):
        return sideless(right).lower() in str(given).lower() or right.lower() in reply.text.lower()
    return bool(right == given)


# -- reports -------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Report:
    """A set's outcome."""

    name: str
    rows: tuple[Scored, ...]

    @property
    def dialogues(self) -> dict[str, bool]:
        """Of each conversation whether every turn is right."""
        out: dict[str, bool] = {}
        for r in self.rows:
            out[r.dialogue] = out.get(r.dialogue, True) and r.right
        return out

    def shares(self) -> dict[str, tuple[int, int]]:
        """Right turns and turns of each kind."""
        out: dict[str, tuple[int, int]] = {}
        for r in self.rows:
            right, of = out.get(r.kind, (0, 0))
            out[r.kind] = (right + r.right, of + 1)
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        whole = self.dialogues
        return {"set": self.name, "turns": len(self.rows), "right": sum(r.right for r in self.rows),
                "conversations": len(whole), "all turns right": sum(whole.values()),
                "kinds": {k: {"right": a, "of": b} for k, (a, b) in self.shares().items()}}

    def table(self) -> str:
        """For people."""
        whole, right = list(self.dialogues.values()), sum(r.right for r in self.rows)
        low, high = bootstrap_interval([Counts(int(r.right), int(not r.right)) for r in self.rows], "recall")
        lines = [f"{self.name}: {right} of {len(self.rows)} turns right, {right / len(self.rows):.3f} ({low:.2f} to {high:.2f}); "
                 f"{sum(whole)} of {len(whole)} conversations with every turn right, {sum(whole) / len(whole):.3f}"]
        lines += [f"  {kind:<18s}{a:4d} of {b:<4d}{a / b:6.2f}" for kind, (a, b) in sorted(self.shares().items())]
        return "\n".join(lines)


def evaluate_dialogues(name: str, dialogues: Sequence[Dialogue], agent: Callable[[], Agent],
                       progress: Callable[[int, int], None] = lambda done, of: None) -> Report:
    """Hold all conversations of a set and score them."""
    rows: list[Scored] = []
    for k, d in enumerate(dialogues, 1):
        try:
            rows += play(d, agent)
        except ValueError as err:
            rows.append(Scored(d.id, d.kind, 0, d.start or "", "", (f"cannot be begun: {err}",)))
        progress(k, len(dialogues))
    return Report(name, tuple(rows))
