"""Typed edits of a script: what each does to its cues, and which cue came from which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from ...data_gen.performer.items import FULL
from ...data_gen.performer.layout import lay_out
from ...face.facs.schedule import Schedule
from ...face.facs.script import MAX_SECONDS, Cue, Never, Script
from ...face.facs.vocabulary import DIRECTIONS, EMOTIONS, FEELING, PAIRED, USUAL_STRENGTH, Side

Op = Literal["strength", "speed", "duration", "shift", "start", "length", "side", "count", "remove", "add", "replace", "reverse",
             "again", "never", "pause", "together", "hold", "until", "only", "blend", "continue", "move"]
_USUAL_SECONDS = 1.5
Where = Literal["end", "start", "with", "after", "before"]


@dataclass(frozen=True)
class Edit:
    """One change.

    Attributes:
        op: what is changed.
        names: of these cues; none: of all that it can be done to.
        which: of these the first (0), second (1), last (-1); None is all of them.
        factor: of strength, speed or duration.
        value: a strength (share), duration, time or length (s), or count, in place of what it was; seconds to shift or pause.
        side: a side, or ``other``.
        script: what is added, or stands in place of something.
        where: where it is added: in all, or to what ``names`` says.
    """

    op: Op
    names: tuple[str, ...] = ()
    which: int | None = None
    factor: float = 1.0
    value: float | None = None
    side: str = ""
    script: Script = Script()
    where: Where = "end"
    anchor: tuple[str, ...] = ()
    """What something is moved before or after, or lasts until."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without what says nothing."""
        usual = Edit(self.op)
        out = {k: v for k, v in asdict(self).items() if k == "op" or v != getattr(usual, k) and k != "script"}
        return out | ({"script": self.script.to_dict()} if self.script.cues else {})


@dataclass(frozen=True)
class Edited:
    """A script after edits.

    Attributes:
        script: what it says now.
        origins: for each of its cues which one of the script before it was, None for a new one.
        places: for each which one stood in its place: as ``origins``, or what a new one replaces.
        afresh: whether all of it is performed anew, because the edits touch all of it.
    """

    script: Script
    origins: tuple[int | None, ...]
    places: tuple[int | None, ...]
    afresh: bool = False


@dataclass
class _Row:
    cue: Cue
    origin: int | None = None
    place: int | None = None


@dataclass
class _Draft:
    """A script while it is edited."""

    rows: list[_Row]
    script: Script
    before: Schedule
    afresh: bool = False

    def start(self, row: _Row) -> float:
        """When a cue began, s."""
        if row.cue.start is not None or row.place is None:
            return row.cue.start or 0.0
        return min((e.start for e in self.before.of_cue(row.place)), default=0.0)

    def lasts(self, row: _Row) -> float:
        """How long a cue took, s."""
        own = self.before.of_cue(row.origin) if row.origin is not None else []
        if row.cue.seconds is not None or not own:
            return row.cue.seconds or _USUAL_SECONDS
        return max(e.end(self.before.seconds) for e in own) - own[0].start

    def times(self, row: _Row) -> int:
        """How often a cue was done: a nod that does not say so is more than one."""
        own = self.before.of_cue(row.origin) if row.origin is not None else []
        return row.cue.count or max((e.cycles for e in own if e.name == row.cue.action), default=0) or 1

    @property
    def said(self) -> str:
        return ", ".join(r.cue.name for r in self.rows)


def edited(script: Script, edits: Sequence[Edit], before: Schedule) -> Edited:
    """A script with edits.

    Args:
        script: what was performed.
        edits: in order.
        before: when.

    Raises:
        ValueError: an edit that nothing of the script can take, or what comes out cannot be done.
    """
    draft = _Draft([_Row(c, i, i) for i, c in enumerate(script.cues)], script, before)
    for edit in edits:
        _APPLY[edit.op](draft, edit)
    first = draft.rows[0] if draft.rows else None
    if first is not None and first.cue.join != "then":
        first.cue = replace(first.cue, join="then")
    cues = tuple(r.cue for r in draft.rows)
    return Edited(replace(draft.script, cues=cues), tuple(r.origin for r in draft.rows), tuple(r.place for r in draft.rows),
                  draft.afresh)


ALIKE = ({"smile", "happiness", "grin_teeth", "joyful", "cheerful"}, {"anger", "brow_lower"}, {"sadness", "lip_corner_depress"},
         {"laugh", "giggle", "chuckle"}, {"kiss", "blow_kiss", "lip_pucker"}, {"eye_roll", "roll_head"}, {"gaze_up", "look_up"},
         {"gaze_down", "look_down"}, {"puff_out", "cheek_puff"})
"""Names that users use for one another."""


def same_name(cue: Cue, name: str) -> bool:
    """Whether a word for ``name`` may mean a cue: another word for it, or an emotion for a feeling that is mostly it."""
    if name in (cue.name, cue.action) or any({cue.name, name} <= alike for alike in ALIKE):
        return True
    emotion = emotion_in(name)
    return emotion != "" and emotion in (cue.name, name) and emotion_in(cue.name) == emotion


def emotion_in(name: str) -> str:
    """An emotion itself, or the one that makes up most of a feeling; empty for other names."""
    if name in EMOTIONS:
        return name
    blend = {n: share for n, share in FEELING[name].blend.items() if n in EMOTIONS} if name in FEELING else {}
    return max(blend, key=lambda n: blend[n]) if blend else ""


def _chosen(draft: _Draft, edit: Edit) -> list[int]:
    """Indices of the cues that an edit is about."""
    exact = [i for i, r in enumerate(draft.rows) if r.cue.name in edit.names or r.cue.action in edit.names]
    found = exact or [i for i, r in enumerate(draft.rows) if not edit.names or any(same_name(r.cue, n) for n in edit.names)]
    if edit.which is None or not edit.names:
        return found
    if not -len(found) <= edit.which < len(found):
        there = {0: "no such one", 1: "only one"}.get(len(found), f"only {len(found)}")
        raise ValueError(f"there is {there}: {draft.said}")
    return [found[edit.which]]


def _each(draft: _Draft, edit: Edit, change: Callable[[_Row], Cue | None], what: str) -> None:
    done = False
    for i in _chosen(draft, edit):
        if (new := change(draft.rows[i])) is not None:
            draft.rows[i].cue, done = new, True
    if not done:
        raise ValueError(f"nothing of what was performed can be {what}; it was: {draft.said}")


def _strength(draft: _Draft, edit: Edit) -> None:
    def change(row: _Row) -> Cue | None:
        if row.cue.action in FULL or row.cue.name in ("neutral", *FULL):
            return None
        level = edit.value if edit.value is not None else (row.cue.strength or USUAL_STRENGTH) * edit.factor
        return replace(row.cue, strength=min(max(round(level, 3), 0.05), 1.0))
    _each(draft, edit, change, "made stronger or weaker")


def _speed(draft: _Draft, edit: Edit) -> None:
    if not edit.names and len(draft.rows) > 1:  # the rests between them, and what times are stated, too
        draft.afresh = True
        for row in draft.rows:
            row.cue = _closer(row.cue, 1 / edit.factor)
        if draft.script.seconds is not None:
            draft.script = replace(draft.script, seconds=min(round(draft.script.seconds / edit.factor, 2), MAX_SECONDS))
    _each(draft, edit, lambda r: replace(r.cue, speed=min(max(round((r.cue.speed or 1.0) * edit.factor, 3), 0.2), 4.0)),
          "made faster or slower")


def _duration(draft: _Draft, edit: Edit) -> None:
    def change(row: _Row) -> Cue | None:
        cue = row.cue
        if cue.name == "blink":
            return None
        usual = draft.lasts(row)
        new = usual * edit.factor if edit.value is None else edit.value if edit.factor else usual + edit.value
        return replace(cue, seconds=round(max(new, 0.2), 3), end=None, held=False)
    _each(draft, edit, change, "made longer or shorter")


def _hold(draft: _Draft, edit: Edit) -> None:
    def change(row: _Row) -> Cue | None:
        cue = row.cue
        if cue.name == "blink" or cue.count is not None and edit.value is None:
            return None
        if edit.value is not None:
            return replace(cue, hold=round(max(edit.value, 0.1), 3), seconds=None, end=None, held=False)
        return replace(cue, held=True, seconds=None, end=None, hold=None, offset=None)
    _each(draft, edit, change, "held")


def _until(draft: _Draft, edit: Edit) -> None:
    """Up to a moment, or until the next cue of another name begins."""
    found = [draft.rows[i] for i in _chosen(draft, edit) if draft.rows[i].cue.name != "blink"]
    begin = [draft.start(draft.rows[i]) for i in _chosen(draft, Edit("until", edit.anchor))] if edit.anchor else []
    ends = [min((b for b in begin if b > draft.start(r)), default=0.0) if edit.value is None else edit.value for r in found]
    if not any(end - draft.start(r) >= 0.2 for r, end in zip(found, ends, strict=True)):
        until = f"{edit.value:g} s" if edit.value is not None else f"the {' or '.join(edit.anchor)}".replace("_", " ")
        begins = f"it begins at {draft.start(found[0]):.1f} s" if found else f"there are {draft.said}"
        raise ValueError(f"nothing can be kept until {until}: {begins}")
    for row, end in zip(found, ends, strict=True):
        if (seconds := round(end - draft.start(row), 3)) >= 0.2:
            row.cue = replace(row.cue, seconds=seconds, end=None, held=False)


def _shift(draft: _Draft, edit: Edit) -> None:
    draft.afresh |= not edit.names and len(draft.rows) > 1
    def change(row: _Row) -> Cue:
        at = edit.value if edit.op == "start" else draft.start(row) + (edit.value or 0.0)
        moved = round(max(at or 0.0, 0.0), 3)
        return replace(row.cue, start=moved, pause=None, end=None if row.cue.end is None or row.cue.end <= moved else row.cue.end)
    _each(draft, edit, change, "moved")


_MIRRORED: dict[Side, Side] = {"left": "right", "right": "left", "both": "both"}


def _side(draft: _Draft, edit: Edit) -> None:
    def change(row: _Row) -> Cue | None:
        cue = row.cue
        if cue.name not in PAIRED | DIRECTIONS or edit.side == "other" and cue.side == "both":
            return None
        side: Side = _MIRRORED[cue.side] if edit.side == "other" else edit.side  # type: ignore[assignment]
        return None if side == "both" and cue.name in DIRECTIONS else replace(cue, side=side)
    _each(draft, edit, change, "done on that side")


def _count(draft: _Draft, edit: Edit) -> None:
    """So often, or ``factor`` times more (0) or less (-1); what is there in several cues of one name counts as them."""
    found = _chosen(draft, edit)
    one_name = len({draft.rows[i].cue.name for i in found}) == 1 and all(draft.rows[i].cue.count is None for i in found)
    by = (1 if edit.value == 0.0 else -1) * int(edit.factor)
    if edit.value is not None and edit.value <= 0 and edit.which is None and len(found) > 1:
        edit = replace(edit, value=float(len(found) + by)) if one_name and len(found) + by > 0 else replace(edit, which=-1)
    if edit.value and edit.value > 0 and edit.which is None and len(found) > 1 and one_name:
        wanted = int(edit.value)
        for i in reversed(found[wanted:]):
            del draft.rows[i]
        if wanted <= len(found):
            return
        edit = replace(edit, value=float(wanted - len(found) + 1), which=-1)
    def change(row: _Row) -> Cue | None:
        wanted = int(edit.value) if edit.value and edit.value > 0 else draft.times(row) + by
        return replace(row.cue, count=wanted) if wanted >= 1 else None
    _each(draft, edit, change, "counted so")


def _remove(draft: _Draft, edit: Edit) -> None:
    several = [r for r in draft.rows if (r.cue.count or 1) > 1 and any(same_name(r.cue, n) for n in edit.names)]
    if edit.which is not None and len(several) == 1:  # one of several nods
        count = several[0].cue.count or 2
        if not -count <= edit.which < count:
            raise ValueError(f"there are only {count} of them")
        several[0].cue = replace(several[0].cue, count=count - 1)
        return
    gone = set(_chosen(draft, edit))
    kept = [r for i, r in enumerate(draft.rows) if i not in gone]
    if not kept:
        raise ValueError("nothing would be left; say what the face should do instead")
    draft.rows = kept
    if "blink" in edit.names and edit.which is None:  # then there are none at all: not those of a living face either
        _never(draft, Edit("never", ("blink",)))


def _only(draft: _Draft, edit: Edit) -> None:
    kept = set(_chosen(draft, edit))
    if not kept:
        raise ValueError(f"there is no such thing in what was performed: {draft.said}")
    draft.rows = [r for i, r in enumerate(draft.rows) if i in kept]


def _never(draft: _Draft, edit: Edit) -> None:
    never = tuple(dict.fromkeys((*draft.script.never, *(Never(n) for n in edit.names))))
    draft.script, draft.afresh = replace(draft.script, never=never), True


def _new(edit: Edit) -> list[Cue]:
    if not edit.script.cues:
        raise ValueError("there is nothing in it that a face does")
    return list(edit.script.cues)


def _add(draft: _Draft, edit: Edit) -> None:
    new = [_Row(c) for c in _new(edit)]
    if edit.where in ("with", "after", "before") and edit.names:
        at = _chosen(draft, edit)[0 if edit.where == "before" else -1]
        join = draft.rows[at].cue.join
        new[0].cue = replace(new[0].cue, join="with" if edit.where == "with" else join if edit.where == "before" else "then")
        if edit.where == "before" and join == "with":
            new[0].cue = replace(new[0].cue, join="then")
        if edit.where == "with":  # inside the group, with its start
            new[0].place = draft.rows[at].place if draft.rows[at].cue.join != "with" else None
        where = at + (edit.where != "before")
        draft.rows[where:where] = new
    elif edit.where == "start":
        draft.rows[:0] = new
    else:
        new[0].cue = replace(new[0].cue, join="with" if edit.where == "with" else "then")
        draft.rows += new
    if edit.where != "with" and draft.script.seconds is not None:
        draft.script = replace(draft.script, seconds=None)


def _replace(draft: _Draft, edit: Edit) -> None:
    found = _chosen(draft, edit)
    if not found:
        raise ValueError(f"there is no such thing in what was performed: {draft.said}")
    old = draft.rows[found[0]]
    new = [_Row(c) for c in _new(edit)]
    new[0].cue = replace(new[0].cue, join=old.cue.join, start=old.cue.start if new[0].cue.start is None else new[0].cue.start)
    new[0].place = old.place
    rows = [r for i, r in enumerate(draft.rows) if i not in found[1:]]
    at = rows.index(old)
    draft.rows = [*rows[:at], *new, *rows[at + 1:]]


def _pause(draft: _Draft, edit: Edit) -> None:
    def change(row: _Row) -> Cue:
        return replace(row.cue, pause=edit.value, join="then" if row.cue.join == "with" else row.cue.join, start=None)
    _each(draft, edit, change, "done after a pause")


def _together(draft: _Draft, edit: Edit) -> None:
    found = _chosen(draft, edit)
    if len(found) < 2:
        raise ValueError(f"only one thing was performed ({draft.said}); say what to do with it"
                         if len(draft.rows) < 2 else f"two things are needed to do together; there are: {draft.said}")
    first = draft.rows[found[0]]
    rest = [draft.rows[i] for i in found[1:]]
    for row in rest:
        row.cue = replace(row.cue, join="with", start=None, end=None, pause=None)
    rows = [r for r in draft.rows if r not in rest]
    at = rows.index(first) + 1
    draft.rows, draft.afresh = [*rows[:at], *rest, *rows[at:]], True


def _reverse(draft: _Draft, edit: Edit) -> None:
    for row in draft.rows:
        row.cue = replace(row.cue, join="then", start=None, end=None, pause=None)
    draft.rows, draft.afresh = draft.rows[::-1], True


def _blend(draft: _Draft, edit: Edit) -> None:
    """Two emotions or feelings at once, each at a part of its strength."""
    new = _new(edit)
    felt = [i for i in _chosen(draft, edit) if draft.rows[i].cue.name in EMOTIONS or draft.rows[i].cue.name in FEELING]
    at = (felt or list(range(len(draft.rows))))[0]
    row = draft.rows[at]
    share = round(0.65 * (row.cue.strength or USUAL_STRENGTH) / USUAL_STRENGTH, 3)
    row.cue = replace(row.cue, strength=share)
    draft.rows.insert(at + 1, _Row(replace(new[0], join="with", strength=new[0].strength or share)))


def _continue(draft: _Draft, edit: Edit) -> None:
    """What was done last, once more after it."""
    last = draft.rows[-1].cue
    draft.rows.append(_Row(replace(last, join="then", start=None, end=None, pause=None, seconds=edit.value or last.seconds)))
    draft.script = replace(draft.script, seconds=None)


def _move(draft: _Draft, edit: Edit) -> None:
    chosen = _chosen(draft, edit)
    rows = [draft.rows[i] for i in chosen]
    rest = [r for i, r in enumerate(draft.rows) if i not in chosen]
    if not rows or not rest:
        raise ValueError(f"nothing of what was performed can be moved there; it was: {draft.said}")
    for row in rows:
        row.cue = replace(row.cue, join="then", start=None, end=None, pause=None)
    at = {"start": 0, "end": len(rest)}.get(edit.where, -1)
    if at < 0:
        near = [i for i, r in enumerate(rest) if any(same_name(r.cue, n) for n in edit.anchor)]
        if not near:
            raise ValueError(f"there is no {', '.join(edit.anchor)} in what was performed: {draft.said}")
        at = near[0] if edit.where == "before" else near[-1] + 1
    while 0 < at < len(rest) and rest[at].cue.join == "with":
        at += 1
    draft.rows, draft.afresh = [*rest[:at], *rows, *rest[at:]], True


def _again(draft: _Draft, edit: Edit) -> None:
    draft.afresh = True


def _length(draft: _Draft, edit: Edit) -> None:
    now = draft.before.seconds
    seconds = now * edit.factor if edit.value is None else edit.value if edit.factor else now + edit.value
    seconds = round(seconds, 2)
    if not 0.2 <= seconds <= MAX_SECONDS:
        raise ValueError(f"a clip cannot last {seconds:g} s; allowed: 0.2 to {MAX_SECONDS:g} s")
    draft.script, draft.afresh = replace(draft.script, seconds=seconds), True
    if seconds < now:
        _squeeze(draft, seconds / now)


def _closer(cue: Cue, by: float, faster: float = 1.0) -> Cue:
    """A cue with all its stated times by a factor."""
    new: dict[str, Any] = {
        n: round(v * by, 3) for n in ("start", "end", "pause", "seconds", "hold") if (v := getattr(cue, n)) is not None}
    if faster > 1:
        new["speed"] = min(round((cue.speed or 1.0) * faster, 3), 4.0)
    return replace(cue, **new)


def _squeeze(draft: _Draft, share: float) -> None:
    """Times and durations that are stated closer together, then everything faster, where a shorter clip has no room for them."""
    cues = [r.cue for r in draft.rows]

    for by, faster in ((1.0, 1.0), (share, 1.0), (0.85 * share, 1.0), (0.85 * share, 1 / share), (0.7 * share, 1.3 / share)):
        made = tuple(_closer(c, by, faster) for c in cues)
        try:
            lay_out(replace(draft.script, cues=made), 0)
        except ValueError:
            continue
        for row, cue in zip(draft.rows, made, strict=True):
            row.cue = cue
        return


_APPLY: dict[Op, Callable[[_Draft, Edit], None]] = {
    "strength": _strength, "speed": _speed, "duration": _duration, "shift": _shift, "start": _shift, "side": _side,
    "count": _count, "remove": _remove, "never": _never, "add": _add, "replace": _replace, "reverse": _reverse,
    "pause": _pause, "together": _together, "again": _again, "length": _length, "hold": _hold, "until": _until, "only": _only,
    "blend": _blend,
    "continue": _continue, "move": _move}
