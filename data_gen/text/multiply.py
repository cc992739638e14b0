"""Variants of labelled texts: text and script changed together, so that the label stays right.

A variant exchanges the sides, a number, a name for another of its kind, or who is spoken of. Where it is not certain that the
label of the changed text is the changed script, there is no variant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ...face.facs.script import BRIEF, LONG, STRENGTHS, Never, Script
from ...face.facs.vocabulary import NAMES
from ..asked import counted, graded
from ..wording.exchange import HE, SHE, TABLES, has, kind, redo, refeel, to_men, to_women
from . import lexicon
from .quantities import Span, find_spans

TIMES = ("start", "end", "seconds", "pause", "onset", "hold", "offset")


@dataclass(frozen=True)
class Pair:
    """A text and its script."""

    text: str
    script: Script


# -- sides ------------------------------------------------------------------------------
_SIDE = re.compile(r"(?<![a-z])(left|right)(?=wards?\b|-?hand(?:ed)?\b|most\b|-|ie?s?\b|\b)", re.IGNORECASE)
_LETTER = re.compile(r"(?<=\bAU\d)[LR]\b|(?<=\bAU\d\d)[LR]\b|(?<=\bAD\d\d)[LR]\b|(?<![\w'’])[LR](?![\w'’])")
_PAIRED_CODES = {"51": "52", "55": "56", "61": "62", "M60": "M60"}
_CODE = re.compile(r"(?<=AU)\s?(51|52|55|56|61|62)\b", re.IGNORECASE)
_NOT_SIDES = re.compile("|".join(TABLES.not_sides), re.IGNORECASE)
_UNNAMED = re.compile(TABLES.unnamed_side, re.IGNORECASE)
_OTHER = {"left": "right", "right": "left", "L": "R", "R": "L", "port": "starboard", "starboard": "port",
          **_PAIRED_CODES, **{v: k for k, v in _PAIRED_CODES.items()}}
_VIEWED = re.compile(r"\b(?:viewer['’]?s?|camera|screen|frame|picture|image|audience['’]?s?)[ -](?:['’]s )?(left|right)\b",
                     re.IGNORECASE)


def _swap(word: str) -> str:
    other = _OTHER.get(word) or _OTHER[word.lower()]
    return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other


def mirror(pair: Pair) -> Pair | None:
    """The text and the script with left and right exchanged, or None where a side is not said by left or right."""
    text, script = pair.text, pair.script
    sides = [c.side for c in script.cues if c.side != "both"] + [n.side for n in script.never if n.side != "both"]
    if not sides or _NOT_SIDES.search(text):
        return None
    viewed = [m.span(1) for m in _VIEWED.finditer(text)]
    said = [m[1].lower() if m.span(1) not in viewed else _OTHER[m[1].lower()] for m in _SIDE.finditer(text)]
    said += [{"L": "left", "R": "right"}[m[0]] for m in _LETTER.finditer(text)]
    said += [{"1": "left", "5": "left", "2": "right", "6": "right"}[m[1][1]] for m in _CODE.finditer(text)]
    free = not any(c.name == "wink" for c in script.cues) and not _UNNAMED.search(text)
    if not said or sorted(said) != sorted(sides) and not free:
        return None
    for pattern in (_SIDE, _LETTER):
        text = pattern.sub(lambda m: _swap(m[0]), text)
    text = _CODE.sub(lambda m: m[0].replace(m[1], _OTHER[m[1]]), text)

    def turned(side: str) -> str:
        return _OTHER.get(side, side)

    cues = tuple(replace(c, side=turned(c.side)) for c in script.cues)  # type: ignore[arg-type]
    never = tuple(Never(n.name, turned(n.side)) for n in script.never)  # type: ignore[arg-type]
    unknown = tuple(_SIDE.sub(lambda m: _swap(m[0]), w) for w in script.unknown)
    return Pair(text, replace(script, cues=cues, never=never, unknown=unknown))


# -- numbers ----------------------------------------------------------------------------
_RELATED = re.compile(r"\b(?:so|middle|half ?way|halfway|every|each|apart|altogether|total|another|more|next|last|rather|"
                      r"instead|not|no|"
                      r"don['’]?t|actually|sorry|fps|again|same|double|per|rest|remaining|midpoint|spread|whole|"
                      r"first|scale|over|half|quarter|third|as (?:much|strong|strongly|big|hard))\b|=|fps|i\.e", re.IGNORECASE)
_NUMBER = re.compile(r"^(?P<number>\d+(?:\.\d+)?|[a-z]+(?:-[a-z]+)?)(?P<sep>[ -]?)"
                     r"(?P<unit>s|secs?|seconds?|ms|%|percent|per cent)$", re.IGNORECASE)
_BARE = re.compile(r"^\d+(?:\.\d+)?$")
_CLOCK = re.compile(r"^\d?\d:\d\d$")
_TIMES = re.compile(r"^(?:(?P<number>\d+|[a-z]+)(?P<unit> times)|x(?P<after>\d+)|(?P<before>\d+)x|(?P<word>twice|thrice))$",
                    re.IGNORECASE)
_SECONDS = (0.5, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 25, 30)
_WORDS = {w: i for i, w in enumerate(lexicon.NUMBERS)}


def _write_time(old: str, value: float) -> str | None:
    """A time in the form of another ("2 seconds" as "4 seconds"), or None where it has no such form."""
    if _BARE.match(old):
        return f"{value:g}"
    if _CLOCK.match(old):
        return f"{int(value) // 60}:{int(value) % 60:02d}" if value == int(value) else None
    m = _NUMBER.match(old)
    if not m or m["unit"].lower() in ("%", "percent", "per cent"):
        return None
    unit = m["unit"]
    if unit.lower() == "ms":
        return f"{round(1000 * value)}{m['sep']}{unit}" if m["number"].isdigit() and value < 2 else None
    if m["number"].lower() in ("one", "1") and unit.lower() == "second" and m["sep"] == " ":
        unit += "s"
    if m["number"][0].isdigit():
        number = f"{value:g}"
    elif m["number"].lower() in _WORDS and value == int(value) and value < len(lexicon.NUMBERS):
        number = lexicon.NUMBERS[int(value)]
    else:
        return None
    return f"{number}{m['sep']}{unit}"


def _write_share(old: str, value: float) -> str | None:
    m = _NUMBER.match(old)
    if not m or m["unit"].lower() not in ("%", "percent", "per cent") or not m["number"][0].isdigit():
        return None
    return f"{round(100 * value):d}{m['sep']}{m['unit']}"


def _write_count(old: str, value: float) -> str | None:
    count = int(value)
    word = lexicon.NUMBERS[count] if count < len(lexicon.NUMBERS) else str(count)
    if old.isdigit():
        return str(count)
    if old.lower() in _WORDS:
        return word
    m = _TIMES.match(old)
    if not m:
        return None
    if m["after"]:
        return f"{old[0]}{count}"
    if m["before"]:
        return f"{count}{old[-1]}"
    if m["word"]:
        return "twice" if count == 2 else f"{word} times"
    return f"{count if m['number'].isdigit() else word}{m['unit']}"


def _changed(text: str, spans: Sequence[Span], new: dict[float, float], write: Callable[[str, float], str | None]) -> str | None:
    """The text with the values of spans exchanged, each in its own form; None where one has no such form or none changes."""
    if all(k == v for k, v in new.items()):
        return None
    out, at = [], 0
    for span in sorted(spans, key=lambda s: s.start):
        said = write(text[span.start:span.end], new[span.value])
        if said is None:
            return None
        old = text[span.start:span.end]
        said = said.upper() if old.isupper() and len(old) > 3 else said[0].upper() + said[1:] if old[0].isupper() else said
        out += [text[at:span.start], said]
        at = span.end
    return "".join(out) + text[at:]


def _same_number(spans: Iterable[Span], values: Sequence[float]) -> bool:
    """Whether text and script hold the same values equally often."""
    return sorted(round(s.value, 3) for s in spans) == sorted(round(v, 3) for v in values)


def recount(pair: Pair, rng: np.random.Generator) -> Pair | None:
    """Other counts, in the text and in the script."""
    spans = [s for s in find_spans(pair.text) if s.kind == "c"]
    values = [float(c.count) for c in pair.script.cues if c.count is not None and c.count > 1]
    if not spans or not _same_number(spans, values) or _RELATED.search(pair.text):
        return None
    new = {v: float(2 + int(rng.random() * rng.random() * 11)) for v in values}
    text = _changed(pair.text, spans, new, _write_count)
    if text is None:
        return None
    cues = tuple(c if c.count is None or c.count < 2 else replace(c, count=int(new[float(c.count)])) for c in pair.script.cues)
    return _checked(pair, Pair(text, replace(pair.script, cues=cues)))


def retime(pair: Pair, rng: np.random.Generator) -> Pair | None:
    """Other times in the same order of size, in the text and in the script."""
    spans = [s for s in find_spans(pair.text) if s.kind == "t"]
    script = pair.script
    said = {s.value for s in spans}
    values = [getattr(c, f) for c in script.cues for f in TIMES if getattr(c, f) is not None]
    values += [script.seconds] if script.seconds is not None else []
    values = [v for v in values if v in said or v not in (BRIEF, LONG, 0.0)]
    if not spans or not _same_number(spans, values) or _RELATED.search(pair.text):
        return None
    old = sorted({v for v in values if v > 0})
    limit = 10 if max(old, default=0) <= 10 else len(_SECONDS)
    grid = list(_SECONDS[:max(limit, len(old))])
    drawn = sorted(rng.choice(len(grid), len(old), replace=False)) if len(old) <= len(grid) else []
    if not drawn:
        return None
    new = dict(zip(old, (float(grid[i]) for i in drawn), strict=True)) | {0.0: 0.0}
    text = _changed(pair.text, spans, new, _write_time)
    if text is None:
        return None
    cues = [replace(c, **{f: new.get(v, v) if v in said else v for f in TIMES if (v := getattr(c, f)) is not None})
            for c in script.cues]
    seconds = new.get(script.seconds, script.seconds) if script.seconds is not None else None
    try:
        return _checked(pair, Pair(text, replace(script, cues=tuple(cues), seconds=seconds)))
    except ValueError:
        return None


def reshare(pair: Pair, rng: np.random.Generator) -> Pair | None:
    """Other percentages, in the text and in the script."""
    spans = [s for s in find_spans(pair.text) if s.kind == "p"]
    said = {s.value for s in spans}
    values = [c.strength for c in pair.script.cues if c.strength is not None and c.strength in said]
    if not spans or not _same_number(spans, values) or _RELATED.search(pair.text):
        return None
    old = sorted(set(values))
    drawn = sorted(rng.choice(20, len(old), replace=False))
    new = {v: round(0.05 * (int(i) + 1), 2) for v, i in zip(old, drawn, strict=True)}
    text = _changed(pair.text, spans, new, _write_share)
    if text is None:
        return None
    cues = tuple(replace(c, strength=new[c.strength]) if c.strength in new else c for c in pair.script.cues)
    return _checked(pair, Pair(text, replace(pair.script, cues=cues)))


def _checked(old: Pair, new: Pair) -> Pair | None:
    """The new pair, where its text has quantities of the same kinds in the same order, and as many of the script's numbers."""
    spans = [find_spans(p.text) for p in (old, new)]
    alike = [s.kind for s in spans[0]] == [s.kind for s in spans[1]]
    return new if alike and _unsaid(old, spans[0]) == _unsaid(new, spans[1]) and new.text != old.text else None


def _unsaid(pair: Pair, spans: Sequence[Span]) -> int:
    """How many numbers of a script are not among the quantities of its text."""
    said = {(s.kind, round(s.value, 3)) for s in spans}
    script = pair.script
    numbers = [("t", v) for c in script.cues for f in TIMES if (v := getattr(c, f)) is not None]
    numbers += [("c", float(c.count)) for c in script.cues if c.count] + [("t", script.seconds)] * (script.seconds is not None)
    numbers += [("p", c.strength) for c in script.cues if c.strength is not None and c.strength not in STRENGTHS.values()]
    return sum((kind, round(v, 3)) not in said for kind, v in numbers)


# -- names ------------------------------------------------------------------------------
@cache
def _alike(name: str, many: bool, strong: bool) -> tuple[str, ...]:
    """Names that can take the place of another where a count and a strength are said or not."""
    kinds = {"action": ("action", "behaviour"), "behaviour": ("action", "behaviour")}.get(kind(name), (kind(name),))
    return tuple(n for n in NAMES if n != name and n != "neutral" and kind(n) in kinds and (not many or counted(n)) and
                 (not strong or graded(n)))


def rename(pair: Pair, rng: np.random.Generator) -> Pair | None:
    """One cue's name exchanged where the text holds a phrase of exactly that name, in the same form."""
    cues = pair.script.cues
    order = rng.permutation(len(cues))
    forbidden = {n.name for n in pair.script.never}
    for i in order:
        cue = cues[int(i)]
        if sum(c.name == cue.name for c in cues) != 1 or cue.name in forbidden or cue.name == "neutral":
            continue
        options = [n for n in _alike(cue.name, (cue.count or 0) > 0, cue.strength is not None)
                   if n not in forbidden and all(n != c.name for c in cues)]
        if not options or cue.speed is not None and kind(cue.name) == "feeling":
            continue
        other = options[int(rng.random() * len(options))]
        text = (refeel if kind(cue.name) == "feeling" else redo)(pair.text, cue, other, rng)
        if text is not None:
            new = replace(pair.script, cues=(*cues[:int(i)], replace(cue, name=other), *cues[int(i) + 1:]))
            return _checked(pair, Pair(text, new))
    return None


# -- who --------------------------------------------------------------------------------
def resubject(pair: Pair, rng: np.random.Generator) -> Pair | None:
    """Who is spoken of exchanged: "she" for "he" or "the woman", with the pronouns."""
    text = pair.text
    women, men = bool(SHE.search(text)) or has(text, TABLES.female), bool(HE.search(text)) or has(text, TABLES.male)
    if women == men or pair.script.unknown:
        return None
    if rng.random() < 0.5:
        named = re.match(r"(?:she|he) (?=[a-z])", text, re.IGNORECASE)
        if not named:
            return None
        options = TABLES.women if women else TABLES.men
        said = options[int(rng.random() * len(options))]
        start = text[0]
        said = said if start.isupper() else said[0].lower() + said[1:]
        said = said.upper() if text[:3].isupper() else said
        new = f"{said} {text[named.end():]}"
    else:
        changed = to_men(text) if women else to_women(text)
        if changed is None:
            return None
        new = changed
    return _checked(pair, Pair(new, pair.script)) if new != text else None


# -- all --------------------------------------------------------------------------------
CHANGES: dict[str, Callable[[Pair, np.random.Generator], Pair | None]] = {
    "mirror": lambda pair, rng: mirror(pair), "recount": recount, "retime": retime, "reshare": reshare, "rename": rename,
    "resubject": resubject}


def multiply(pair: Pair, rng: np.random.Generator, count: int = 4) -> list[Pair]:
    """Up to ``count`` different variants of a labelled text, each by one to three changes."""
    out: dict[str, Pair] = {}
    for _ in range(2 * count):
        made, left = pair, 1 + int(3 * rng.random() ** 2)
        for name in rng.permutation(list(CHANGES)):
            changed = CHANGES[str(name)](made, rng) if left else None
            made, left = (changed, left - 1) if changed else (made, left)
        if made.text != pair.text:
            out.setdefault(made.text, made)
        if len(out) == count:
            break
    return list(out.values())


WRITERS: dict[str, Callable[[str, float], str | None]] = {"t": _write_time, "p": _write_share, "c": _write_count}
"""What writes a value of each kind in the form of another; None where it has no such form."""
