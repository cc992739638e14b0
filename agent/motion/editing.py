"""Wishes about what was just performed ("make it stronger", "without the wink"), as typed edits of its script.

:func:`read_edits` reads them by rules, :func:`edited` applies them; the script that comes out is performed like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ...data_gen.reading.rules import read_rules
from ...data_gen.text.quantities import Marked, find_quantities
from ...face.facs.script import Cue, Never, Script, mark
from ...face.facs.vocabulary import DIRECTIONS, PAIRED, USUAL_STRENGTH, Side

Op = Literal["strength", "speed", "duration", "shift", "start", "length", "side", "count", "remove", "add", "replace", "reverse",
             "again", "never", "pause", "together"]


@dataclass(frozen=True)
class Edit:
    """One change of a script.

    Attributes:
        op: what is changed.
        names: of these cues; none: of all that it can be done to.
        factor: of strength, speed or duration.
        value: a strength (share), duration, time or length (s), or count, in place of what it was.
        side: a side, or ``other``.
        script: what is added, or stands in place of something.
        where: where it is added: in all, or to what ``names`` says.
    """

    op: Op
    names: tuple[str, ...] = ()
    factor: float = 1.0
    value: float | None = None
    side: str = ""
    script: Script = Script()
    where: Literal["end", "start", "with", "after", "before"] = "end"


_MUCH, _LITTLE, _SOME = 1.7, 1.15, 1.35
_MORE: tuple[tuple[Op, float, str], ...] = (
    ("speed", 1.0, r"\b(?:faster|quicker|more quickly|speed(?= .{0,20}\bup)|too slow(?:ly)?)\b"),
    ("speed", -1.0, r"\b(?:slower|more slowly|slow(?= .{0,20}\bdown)|too (?:fast|quick(?:ly)?))\b"),
    ("strength", -1.0, r"\b(?:weaker|smaller|softer|subtler|gentler|fainter|tone(?=\b.{0,25}\bdown)|more (?:subtle|subtly|gently)"
     r"|too (?:much|strong|big|intense)"
     r"|less(?: (?:intense(?:ly)?|strong(?:ly)?|obvious))?)\b"),
    ("strength", 1.0, r"\b(?:stronger|bigger|larger|broader|wider|harder|deeper|exaggerate"
     r"|more(?: (?:intense(?:ly)?|strongly|clearly|obvious))?)\b"),
    ("duration", 1.0, r"\b(?:longer|stretch|too (?:short|brief))\b"), ("duration", -1.0, r"\b(?:shorter|briefer|too long)\b"),
    ("shift", -1.0, r"\b(?:earlier|sooner|too late)\b"), ("shift", 1.0, r"\b(?:later|too early)\b"))
_FILLERS = (r"^(?:no|nah|oh|ugh|wait|hm+|sorry|yeah|yes)(?:,| wait,?) *", r"^(?:no|nah|oh|ugh|wait|hm+|sorry)(?:,| wait,?) *",
            r"^(?:ok(?:ay)?|now|please|but|and|great|good|nice|hm+|well|actually)[, ]+(?=\w)",
            r"^(?:please|(?:can|could|would) you(?: please)?|i said|i meant|i want|let'?s)[, ]+", r"^keep .+? but ",
            r",? (?:please|i mean|i meant)$", r"^let (?:him|her|them|it) ")
_TOO = re.compile(r"^(?:that'?s|it'?s|that is|it is|this is)?\W*(?:way |a bit |far |much )?too \w+$")
"""A comment that a wish explains."""
_MEANT = re.compile(r"^(?:no|nah|wait|sorry)\b|\bi (?:said|mean|meant)\b|\binstead\b|\brather\b")
_NOUN = re.compile(r"\b(?:the|his|her|their|its) (?!clip|whole|thing|end|start|beginning|side|face|other|same|left|right|two|way"
                   r"|opposite|time|head\b|very)([a-z]+)")
_DIRECTED = re.compile(r"\b(tilt|turn|wink|gaze|glanc)(?:e?s|ed|ing|e)?\b")
_GREATLY = re.compile(r"\b(?:much|a lot|way|far|twice as)\b")
_SLIGHTLY = re.compile(r"\b(?:a (?:little|bit|touch|tad)|slightly)\b")
_SIDE = re.compile(r"\b(?:left|right|other|both|opposite)\b"
                   r"(?= (?:sides?|eyes?|brows?|eyebrows?|way|corners?|direction|one)\b|\W*$)")
_TIMES = {"once": 1, "twice": 2, "thrice": 3}
_ONLY_EDITS = re.compile(r"\b(?:make|much|a (?:little|bit|touch|tad|lot)|slightly|keep|do|start|begin|move|hold|side|the|other"
                         r"|opposite|by)\b")
_SUBJECT = re.compile(r"^(?:she|he|they|the (?:woman|man|girl|boy|person|avatar|character)|an? (?!bit|little|touch|tad))\b")
_IT = re.compile(r"\b(?:it|that|this|them|everything|all of it|the (?:clip|whole thing))\b")
_REMOVE = re.compile(r"^(?:remove|drop|delete|leave out|skip|cut(?: out)?|take (?:out|away)|lose|without|no more|no)\b"
                     r"(?P<what>.*)")
_DONT = re.compile(r"^(?:don'?t|do not|stop|never)\b(?P<what>.*)")
_INSTEAD = re.compile(r"^(?:(?:make (?:it|her|him|them)|do|use|put|rather) )?(?P<new>.+?),? "
                      r"(?:instead of|rather than|in place of|and not) (?P<old>.+)")
_REPLACE = re.compile(r"^(?:replace|exchange|swap|change|turn) (?P<old>.+?) (?:with|by|for|into|to) (?P<new>.+)")
_ADD = re.compile(r"^(?:and |but |now )?(?:add|also|append|include|plus|then also|and then|then)\b(?P<new>.*)")
_AGAIN = re.compile(r"^(?:(?:do|perform|show|play|try)(?: (?:it|that|this))? )?"
                    r"(?:again|once more|another (?:take|version|one)|repeat(?: it| that)?)\W*$")
_PAUSE = re.compile(r"^(?:pause|wait|rest|hold on)\b.*\bbefore (?P<what>.+)")
_TOGETHER = re.compile(r"\b(?:both|them|everything|all|do it|do that)\b.*\b(?:at once|at the same time|together|simultaneously)\b"
                       r"|^(?:all )?(?:at once|at the same time|together)$")
_RELATIVE = re.compile(r"\b(after|before|during|while|with|together with) (?:the |his |her |their )?(?P<what>[^,]+)$")
_BARE = re.compile(r"\w+ (?:your |the |his |her )?(?:head |eyes? )?(?:to the )?(?:left|right)")
_REVERSE = re.compile(r"\b(?:reverse|backwards?|other way r?ound|opposite order|swap the order)\b")
_WISHES = re.compile(r"(?:,? and|[,;]|,? then) (?=(?:make|add|remove|drop|delete|without|also|replace|leave out|start|move"
                     r"|hold|keep|don'?t|do not|tone|slow|speed)\b|the \w+ (?:more|less|(?:strong|weak|bigg|small|fast|slow|long"
                     r"|short|earli|lat)er)\b)", re.IGNORECASE)
"""Where another wish begins."""
_LENGTH = re.compile(r"\b(?:clip|whole|all|everything|video|total|altogether)\b|\blong\b")
_WITH = re.compile(r"\b(?:at the same time|meanwhile|together with (?:it|that)|while doing (?:it|that|so)|simultaneously"
                   r"|with it)\b")
_FIRST = re.compile(r"\b(?:at the (?:start|beginning)|first|before (?:it|that|everything))\b")
_LAST = re.compile(r"\b(?:at the (?:very )?end|afterwards?|after (?:it|that)|finally|then)\b")

Reader = Callable[[str], Script]


_CHANGES = re.compile(r"^(?:add|remove|drop|lose|keep|replace|swap|move|pause|without|tone|slow|speed|undo|redo|less|more)\b"
                      r"|\binstead\b|^(?:make|do|hold) (?:it|that|this|the)\b"
                      r"|\b(?:slow|fast|long|short|strong|weak|bigg|small)er\b")


def wants_change(text: str) -> bool:
    """Whether a line speaks of something to change rather than to perform."""
    return bool(_CHANGES.search(without_fillers(text)))


def without_fillers(text: str) -> str:
    """What a line asks for, in lower case, without the words that only lead to it."""
    plain = text.strip().lower().rstrip(" .!?")
    for words in _FILLERS:
        plain = re.sub(words, "", plain).strip()
    return plain


def read_edits(text: str, script: Script, read: Reader) -> tuple[Edit, ...]:
    """The edits that a line asks for; none where it asks for something of its own.

    Args:
        text: what a user says.
        script: what was performed.
        read: reads the words of what is added.

    Raises:
        ValueError: of several wishes, one that cannot be read.
    """
    if _SUBJECT.match(text.strip().lower()) and " instead of " not in text:
        return ()
    pieces = [p for p in _WISHES.split(text.strip()) if p.strip()]
    pieces = [p for p in pieces if not _TOO.match(p.strip().lower())] or pieces
    found = [_wish(p, script, read) for p in pieces]
    if any(found) and not all(found):
        raise ValueError(f"I don't know how to change it so: {pieces[[bool(f) for f in found].index(False)].strip()!r}")
    return tuple(e for edits in found for e in edits)


def _wish(text: str, script: Script, read: Reader) -> tuple[Edit, ...]:
    """The edits of one wish."""
    marked = find_quantities(text)
    plain = without_fillers(marked.text)
    if not script.cues:
        return ()
    said = marked.t[0] if marked.t else None

    def named(words: str) -> tuple[str, ...]:
        found = tuple(n for n in _names(words, marked) if any(_is(c, n) for c in script.cues))
        return found or tuple(dict.fromkeys(c.name for part, names in _PARTS.items() if re.search(rf"\b{part}", words)
                                            for c in script.cues if c.name in names and not _names(words, marked)))

    def absent(words: str) -> ValueError:
        there = ", ".join(c.name for c in script.cues)
        return ValueError(f"there is no {words.replace('_', ' ')} in what was performed: {there}")

    if _AGAIN.match(plain):
        return (Edit("again"),)
    if m := _INSTEAD.match(plain) or _REPLACE.match(plain):
        if old := named(m["old"]):
            return (Edit("replace", old, script=read(_back(m["new"], marked))),)
        if gone := _names(m["old"], marked):
            raise absent(gone[0])
    if (m := _PAUSE.search(plain)) and (before := named(m["what"])):
        return (Edit("pause", before, value=said or 1.0),)
    if _TOGETHER.search(plain):
        return (Edit("together"),)
    if (m := _REMOVE.match(plain) or _DONT.match(plain)) and (what := _names(m["what"], marked)):
        own = named(m["what"])
        return (Edit("remove", own),) if own else (Edit("never", what),)
    if (m := _ADD.match(plain)) and m["new"].strip():
        new = m["new"]
        if (r := _RELATIVE.search(new)) and (at := named(r["what"])):
            place = {"after": "after", "before": "before"}.get(r[1], "with")
            return (Edit("add", at, script=read(_back(new[:r.start()].strip(" ,"), marked)), where=place),)  # type: ignore[arg-type]
        where: Literal["end", "start", "with"] = "with" if _WITH.search(new) else "start" if _FIRST.search(new) else "end"
        for where_words in (_WITH, _FIRST, _LAST):
            new = where_words.sub(" ", new)
        return (Edit("add", script=read(_back(new.strip(" ,"), marked)), where=where),)
    own, meant = named(plain), bool(_IT.search(plain))
    others = [n for n in _names(plain, marked) if n not in own]
    again = bool(re.search(r"\b(?:once|one) more\b", plain))
    plain = re.sub(r"\b(?:once|one) more\b", " ", plain)
    compared = any(re.search(words, plain) for _, _, words in _MORE)
    if others and not compared or not own and not others and not meant and len(plain.split()) > 5:
        return ()
    if not own and (compared or said is not None) and (others or (noun := _NOUN.search(plain))):
        raise absent(others[0] if others else str(noun and noun[1]))
    if own and _BARE.fullmatch(plain) and not _MEANT.search(text.strip().lower()):
        return ()  # "turn left" is a performance of its own, "turn left, I mean" a correction
    if _REVERSE.search(plain):
        return (Edit("reverse"),)
    out: list[Edit] = []
    for op, sign, words in _MORE:
        if re.search(words, plain) and not any(e.op == op for e in out):
            step = _MUCH if _GREATLY.search(plain) else _LITTLE if _SLIGHTLY.search(plain) else _SOME
            if op == "shift":
                out.append(Edit(op, own, value=sign * (said if said is not None else 0.5)))
            elif op == "duration" and said is not None:
                out.append(Edit(op, own, factor=0.0, value=sign * said))
            else:
                out.append(Edit(op, own, factor=step if sign > 0 else 1 / step))
    if marked.p and not any(e.op == "strength" for e in out):
        out.append(Edit("strength", own, value=marked.p[0]))
    if m := _SIDE.search(plain):
        out.append(Edit("side", own or _sided(plain, script), side={"opposite": "other"}.get(m[0], m[0])))
    times = marked.c[0] if marked.c else next((n for w, n in _TIMES.items() if re.search(rf"\b{w}\b", plain)), None)
    if again or times is not None:
        counted = own or tuple(c.name for c in script.cues if c.count is not None)[:1] or (script.cues[-1].name,)
        out.append(Edit("count", counted, value=0.0 if again else float(times or 1)))
    if said is not None and not out:
        if re.search(r"\b(?:at|to|start|begin|move)\b", plain) and not re.search(r"\b(?:for|last|hold|long)\b", plain):
            out.append(Edit("start", own, value=said))
        else:
            out.append(Edit("length" if _LENGTH.search(plain) and not own else "duration", own, value=said))
    return tuple(out)


def _sided(plain: str, script: Script) -> tuple[str, ...]:
    """The cues whose side is meant where none is named: of the part of the face that is, or those that have one."""
    part = next((names for word, names in _PARTS.items() if re.search(rf"\b{word}", plain)), ())
    return tuple(c.name for c in script.cues if c.name in part) or tuple(c.name for c in script.cues if c.side != "both")


_PARTS = {"eye(?!brow)": ("wink", "eye_close", "squint", "eye_widen"), "(?:eye)?brow": ("brow_raise", "brow_lower"),
          "(?:corner|mouth)": ("smile", "lip_corner_depress", "dimple")}


def _back(words: str, marked: Marked) -> str:
    """Words with their quantities in place of the marks."""
    for kind, values, form in (("t", marked.t, "{:g} s"), ("p", marked.p, "{:.0%}"), ("c", marked.c, "{:g}")):
        for k, v in enumerate(values):
            words = words.replace(mark(kind, k), form.format(v))
    return words


def _names(words: str, marked: Marked) -> tuple[str, ...]:
    """What some words name."""
    words = re.sub(r"\b(?:tone|slow|speed)\b(.*?)\b(?:down|up)\b", r"\1", words)
    for _, _, pattern in _MORE:
        words = re.sub(pattern, " ", words)
    words = _ONLY_EDITS.sub(" ", words)
    found = read_rules(Marked(words, marked.t, marked.p, marked.c), 0.2) if words.strip(" ,.") else None
    own = [*(c.name for c in found.script.cues), *(n.name for n in found.script.never)] if found else []
    directed = [{"glanc": "gaze"}.get(m[1], m[1]) for m in _DIRECTED.finditer(words)]
    return tuple(dict.fromkeys([*own, *(d for d in directed if d not in own)]))


_ALIKE = ({"smile", "happiness", "grin_teeth"}, {"anger", "brow_lower"}, {"sadness", "lip_corner_depress"})
"""Names that users use for one another."""


def _is(cue: Cue, name: str) -> bool:
    return cue.name == name or any({cue.name, name} <= alike for alike in _ALIKE)


# -- applying ---------------------------------------------------------------------------------
def edited(script: Script, edits: Sequence[Edit], starts: Sequence[float]) -> Script:
    """A script with edits.

    Args:
        script: what was performed.
        edits: in order.
        starts: when each of its cues began, s.

    Raises:
        ValueError: an edit that nothing of the script can take, or what comes out cannot be done.
    """
    begun = list(starts)
    for edit in edits:
        script = _APPLY[edit.op](script, edit, begun)
        begun += [0.0] * (len(script.cues) - len(begun))
    return script


def _each(script: Script, edit: Edit, change: Callable[[int, Cue], Cue | None], what: str) -> Script:
    cues, done = [], 0
    for i, cue in enumerate(script.cues):
        new = change(i, cue) if not edit.names or any(_is(cue, n) for n in edit.names) else None
        cues.append(cue if new is None else new)
        done += new is not None
    if not done:
        raise ValueError(f"nothing of what was performed can be {what}; it was: {', '.join(c.name for c in script.cues)}")
    return replace(script, cues=tuple(cues))


def _strength(script: Script, edit: Edit, starts: Sequence[float]) -> Script:
    def change(i: int, cue: Cue) -> Cue | None:
        if cue.name in ("blink", "neutral"):
            return None
        level = edit.value if edit.value is not None else (cue.strength or USUAL_STRENGTH) * edit.factor
        return replace(cue, strength=min(max(round(level, 3), 0.05), 1.0))
    return _each(script, edit, change, "made stronger or weaker")


def _speed(script: Script, edit: Edit, starts: Sequence[float]) -> Script:
    def change(i: int, cue: Cue) -> Cue:
        return replace(cue, speed=min(max(round((cue.speed or 1.0) * edit.factor, 3), 0.2), 4.0))
    return _each(script, edit, change, "made faster or slower")


def _duration(script: Script, edit: Edit, starts: Sequence[float]) -> Script:
    def change(i: int, cue: Cue) -> Cue | None:
        if cue.name == "blink":
            return None
        usual = cue.seconds or (cue.end - cue.start if cue.end and cue.start is not None else 1.5)
        new = usual * edit.factor if edit.value is None else edit.value if edit.factor else usual + edit.value
        return replace(cue, seconds=round(max(new, 0.2), 3), end=None, held=False)
    return _each(script, edit, change, "made longer or shorter")


def _shift(script: Script, edit: Edit, starts: Sequence[float]) -> Script:
    def change(i: int, cue: Cue) -> Cue:
        at = edit.value if edit.op == "start" else (cue.start if cue.start is not None else starts[i]) + (edit.value or 0.0)
        moved = round(max(at or 0.0, 0.0), 3)
        return replace(cue, start=moved, pause=None, end=None if cue.end is None or cue.end <= moved else cue.end)
    return _each(script, edit, change, "moved")


_MIRRORED: dict[Side, Side] = {"left": "right", "right": "left", "both": "both"}


def _side(script: Script, edit: Edit, starts: Sequence[float]) -> Script:
    def change(i: int, cue: Cue) -> Cue | None:
        if cue.name not in PAIRED | DIRECTIONS or edit.side == "other" and cue.side == "both":
            return None
        side: Side = _MIRRORED[cue.side] if edit.side == "other" else edit.side  # type: ignore[assignment]
        return None if side == "both" and cue.name in DIRECTIONS else replace(cue, side=side)
    return _each(script, edit, change, "done on that side")


def _count(script: Script, edit: Edit, starts: Sequence[float]) -> Script:
    return _each(script, edit, lambda i, c: replace(c, count=int(edit.value) if edit.value else (c.count or 1) + 1), "counted")


def _remove(script: Script, edit: Edit, starts: Sequence[float]) -> Script:
    kept = [c for c in script.cues if not any(_is(c, n) for n in edit.names)]
    if not kept:
        raise ValueError("nothing would be left; say what the face should do instead")
    return replace(script, cues=(replace(kept[0], join="then"), *kept[1:]))


def _never(script: Script, edit: Edit, starts: Sequence[float]) -> Script:
    return replace(script, never=tuple(dict.fromkeys((*script.never, *(Never(n) for n in edit.names)))))


def _add(script: Script, edit: Edit, starts: Sequence[float]) -> Script:
    new = edit.script.cues
    if not new:
        raise ValueError("there is nothing in it that a face does")
    if edit.names:
        at = next(i for i, c in enumerate(script.cues) if any(_is(c, n) for n in edit.names))
        before = edit.where == "before"
        head, tail = script.cues[:at + (not before)], script.cues[at + (not before):]
        first = replace(new[0], join="with" if edit.where == "with" else script.cues[at].join if before else "then")
        if before:
            tail = (replace(tail[0], join="then"), *tail[1:])
        return replace(script, cues=(*head, first, *new[1:], *tail), seconds=None)
    if edit.where == "start":
        return replace(script, cues=(*new, *script.cues))
    first = replace(new[0], join="with" if edit.where == "with" else "then")
    return replace(script, cues=(*script.cues, first, *new[1:]), seconds=None if edit.where == "end" else script.seconds)


def _replace(script: Script, edit: Edit, starts: Sequence[float]) -> Script:
    at = next(i for i, c in enumerate(script.cues) if any(_is(c, n) for n in edit.names))
    old, new = script.cues[at], edit.script.cues
    if not new:
        raise ValueError("there is nothing in it that a face does")
    first = replace(new[0], join=old.join, start=old.start if new[0].start is None else new[0].start)
    rest = [c for i, c in enumerate(script.cues) if i > at and not any(_is(c, n) for n in edit.names)]
    return replace(script, cues=(*script.cues[:at], first, *new[1:], *rest))


def _pause(script: Script, edit: Edit, starts: Sequence[float]) -> Script:
    return _each(script, edit, lambda i, c: replace(c, pause=edit.value, join="then" if c.join == "with" else c.join, start=None),
                 "done after a pause")


def _together(script: Script, edit: Edit, starts: Sequence[float]) -> Script:
    if len(script.cues) < 2:
        raise ValueError(f"only one thing was performed ({script.cues[0].name}); say what to do with it")
    return replace(script, cues=(script.cues[0], *(replace(c, join="with", start=None, end=None, pause=None)
                                                   for c in script.cues[1:])))


def _reverse(script: Script, edit: Edit, starts: Sequence[float]) -> Script:
    cues = [replace(c, join="then", start=None, end=None, pause=None) for c in reversed(script.cues)]
    return replace(script, cues=tuple(cues))


_APPLY: dict[Op, Callable[[Script, Edit, Sequence[float]], Script]] = {
    "strength": _strength, "speed": _speed, "duration": _duration, "shift": _shift, "start": _shift, "side": _side,
    "count": _count, "remove": _remove, "never": _never, "add": _add, "replace": _replace, "reverse": _reverse,
    "pause": _pause, "together": _together,
    "again": lambda s, e, t: s, "length": lambda s, e, t: replace(s, seconds=e.value)}
