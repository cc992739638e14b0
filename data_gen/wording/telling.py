"""What a clip shows, worded from the script that was read back from its measurement.

Every sentence is made from one cue, with its side, strength and count; nothing is said twice and nothing that is not a cue. A
test reads the plain style back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

from pydantic.dataclasses import dataclass as checked

from ...common.config import SETTINGS
from ...common.text import listed
from ...face.facs.evidence.read_back import read_back
from ...face.facs.measured import Measurement
from ...face.facs.script import Cue, Join
from ...face.facs.vocabulary import ACTION, BEHAVIOUR, EMOTIONS, FEELING, Side, allowed_with, sideless
from ..tables import read_table
from .phrases import felt, inflect, verbs

Style = Literal["plain", "timed", "clinical", "director", "caption"]
STYLES: tuple[Style, ...] = ("plain", "timed", "clinical", "director", "caption")
Detail = Literal["brief", "full"]
DETAILS: tuple[Detail, ...] = ("brief", "full")
_LEAST = 0.3
"""Weaker actions are told in full detail only, and so are minor ones."""
_MOST = 14
"""Of more cues than this, what happens is summed up."""
_SHORT = 0.35
"""Two cues that begin nearer than this are told as together."""
_TWO_SIDES = 0.25
"""Difference of the two sides that is told."""


@checked(frozen=True, config=SETTINGS)
class _Words:
    verbs: dict[str, str]
    one: dict[str, str]
    feelings: dict[str, str]
    degrees: dict[float, str]
    degrees_own: dict[str, dict[float, str]]
    degrees_felt: dict[float, str]
    letters: dict[float, str]
    counts: list[str]


_WORDS = read_table(__package__, "telling.yaml", _Words)


@dataclass(frozen=True)
class _Told:
    """One thing that happens."""

    cue: Cue
    start: float
    end: float
    strength: float
    beside: str = ""
    """What else is said of it."""


def tell_measured(measured: Measurement, style: Style = "plain", detail: Detail = "brief") -> str:
    """What was measured, in words.

    Args:
        measured: of a clip.
        style: sentences; lines with times; FACS codes with intensities A to E; instructions to an actor; or a few words.
        detail: brief, or also durations, faint and minor actions, differences of the sides, and what is not sure.
    """
    if style == "clinical":  # codes are of actions, not of behaviours
        measured = replace(measured, named=None)
    rows, blinks = _rows(measured, detail)
    if style == "clinical":
        return _clinical(rows, blinks)
    if style == "timed":
        return _timed(rows, blinks, measured.seconds)
    if style == "caption":
        return _caption(rows, blinks)
    if style == "director":
        return _director(rows)
    text = _summed(rows, blinks, measured) if len(rows) > _MOST else _plain(rows, blinks, detail)
    return f"{text}{_more(measured)}" if detail == "full" else text


def _rows(measured: Measurement, detail: Detail) -> tuple[list[_Told], int]:
    """What is told in order, and how many blinks there are beside it."""
    out: list[_Told] = []
    blinks = 0
    for cue in _seen(measured) if any(a.confidence < 1.0 for a in measured.everything) else read_back(measured).cues:
        if cue.name == "blink":
            blinks += cue.count or 1
            continue
        strength = 1.0 if cue.strength is None else cue.strength
        minor = cue.action in ACTION and ACTION[cue.action].minor
        if detail == "brief" and (strength < _LEAST and cue.count is None or minor and strength < 2 * _LEAST):
            continue
        start, end = cue.start or 0.0, measured.seconds if cue.end is None else cue.end
        smile = next((a for a in measured.everything if cue.name == "contempt" and a.name in ("smile", "dimple")
                      and a.side != "both" and a.onset < end and a.offset > start), None)
        if any(n.covers(cue.action, start, end) for n in measured.named or ()):
            continue
        out.append(_Told(cue, start, end, strength, f"with a one-sided smile on the {smile.side}" if smile else ""))
    known = [_Told(Cue(n.name, n.side, strength=n.intensity, count=n.count if n.count > 1 else None), n.onset, n.offset,
                   n.intensity) for n in measured.named or ()]
    out = sorted([*out, *known], key=lambda t: t.start)
    joins: list[Join] = ["with" if k and t.start < max(o.end for o in out[:k]) - _SHORT else "then" for k, t in enumerate(out)]
    return [replace(t, cue=replace(t.cue, join=join)) for t, join in zip(out, joins, strict=True)] if known else out, blinks


def _seen(measured: Measurement) -> list[Cue]:
    """What a film shows, above the bar of evidence: emotions that are shown, and actions that are no part of them."""
    felt = [s for s in measured.emotion.timeline if s.name in EMOTIONS and s.name != "neutral"]
    rows: list[tuple[float, Cue]] = [(s.start, Cue(s.name, strength=min(max(s.strength, 0.05), 1.0), start=round(s.start, 2),
                                                   end=round(max(s.end, s.start + 0.05), 2))) for s in felt]
    for a in measured.everything:
        part = any(a.name in allowed_with(s.name) and min(a.offset, s.end) - max(a.onset, s.start) > 0.6 * (a.offset - a.onset)
                   for s in felt)
        if part and a.name not in ("mouth_open", "blink"):
            continue
        stem, _, way = a.name.rpartition("_")
        directed = way in ("left", "right")
        side: Side = way if directed else a.side  # type: ignore[assignment]
        full = a.name == "blink" or a.name.startswith("wink")
        rows.append((a.onset, Cue(stem if directed else a.name, side, strength=None if full else min(max(a.intensity, 0.05), 1.0),
                                  count=a.cycles or (1 if a.name == "blink" else None), start=round(a.onset, 2),
                                  end=round(max(a.offset, a.onset + 0.05), 2))))
    cues = [cue for _, cue in sorted(rows, key=lambda r: r[0])]
    return [replace(c, join="with") if k and (c.start or 0.0) < (cues[k - 1].end or 0.0) - _SHORT else c
            for k, c in enumerate(cues)]


def _degree(cue: Cue, strength: float) -> str:
    if cue.strength is None and cue.name not in EMOTIONS:
        return ""
    table = _WORDS.degrees_felt if cue.name in EMOTIONS or cue.name in FEELING else (
        _WORDS.degrees | _WORDS.degrees_own.get(cue.name, {}))
    return table[max(low for low in table if low <= strength)]


class _Slots(dict[str, str]):
    """Words for the slots of a phrase; of others none."""

    def __missing__(self, key: str) -> str:
        return ""


def _times(count: int | None) -> str:
    if not count or count == 1:
        return ""
    return _WORDS.counts[count - 1] if count <= len(_WORDS.counts) else f"{count} times"


def _clause(t: _Told, form: str) -> str:
    """A cue as a verb phrase: base, third or ger."""
    cue, degree = t.cue, _degree(t.cue, t.strength)
    if cue.name in EMOTIONS:
        head, rest = "look", " ".join(filter(None, (degree, _WORDS.feelings.get(cue.name, cue.name))))
        return " ".join(filter(None, (inflect(head, form), rest, t.beside, _times(cue.count))))
    if cue.name in FEELING:
        word = next(iter(felt(cue.name)[0]), cue.name.replace("_", " "))
        return " ".join(filter(None, (inflect("look", form), degree, word, _times(cue.count))))
    if cue.name in BEHAVIOUR:
        said = (verbs(cue.name, cue.side != "both") or verbs(cue.name, False))[0]
        rest = said.rest.format_map(_Slots(p="the", s=cue.side if cue.side != "both" else "one"))
        return " ".join(filter(None, (inflect(said.head, form), rest, _times(cue.count))))
    stem = sideless(cue.name)
    side = cue.side if cue.side != "both" else cue.name.rpartition("_")[2]
    phrase = _WORDS.one[stem] if cue.side != "both" and stem in _WORDS.one else _WORDS.verbs[stem]
    head, _, rest = phrase.format(side=side).partition(" ")
    count = "" if cue.name == "talking" else _times(cue.count)
    return " ".join(filter(None, (inflect(head, form), rest, degree, count)))


def _grouped(rows: list[_Told]) -> list[list[_Told]]:
    """Things that happen together, in order."""
    out: list[list[_Told]] = []
    for t in rows:
        if out and t.cue.join == "with" and t.start < max(o.end for o in out[-1]):
            out[-1].append(t)
        else:
            out.append([t])
    return out


def _plain(rows: list[_Told], blinks: int, detail: Detail) -> str:
    parts = []
    for group in _grouped(rows):
        first = _clause(group[0], "third") + (f" for {group[0].end - group[0].start:.1f} s" if detail == "full" else "")
        beside = [_clause(t, "ger") for t in group[1:]]
        parts.append(first + (f" while {listed(beside)}" if beside else ""))
    text = ""
    for k, part in enumerate(parts):
        text += part if not k else f", then {part}" if k % 4 else f". Then {part}"
    if not parts:
        return f"The face stays at rest and blinks {_WORDS.counts[blinks - 1] if 0 < blinks <= 10 else f'{blinks} times'}." if (
            blinks) else "The face stays at rest."
    return _sentence(text) + (f" Blinks {_times(blinks) or 'once'}." if blinks else "")


def _summed(rows: list[_Told], blinks: int, measured: Measurement) -> str:
    """How often what happens, where it is much."""
    names = Counter(_clause(_Told(Cue(t.cue.name, t.cue.side), 0.0, 0.0, 0.7), "third") for t in rows for _ in range(
        1 if t.cue.name in ("talking", "nod", "shake") else t.cue.count or 1))
    said = [f"{verb} {_times(n) or 'once'}" for verb, n in names.most_common()]
    if blinks:
        said.append(f"blinks {_times(blinks) or 'once'}")
    return _sentence(f"in {measured.seconds:.0f} s {listed(said)}")


def _timed(rows: list[_Told], blinks: int, seconds: float) -> str:
    lines = [f"{t.start:.1f}-{t.end:.1f} s: {_clause(t, 'third')}" for t in rows]
    if blinks:
        lines.append(f"in all: blinks {_times(blinks) or 'once'}")
    return "\n".join(lines) if lines else f"0.0-{seconds:.1f} s: stays at rest"


def _clinical(rows: list[_Told], blinks: int) -> str:
    out = []
    for t in rows:
        cue = t.cue
        if cue.name in EMOTIONS:
            code = f"{cue.name} display"
        else:
            code = ACTION[cue.action].au or ACTION[cue.action].label
            sided = {"left": "L", "right": "R"}.get(cue.side, "")
            code = (sided if not code.endswith(sided) and cue.action == cue.name else "") + code
        letter = _WORDS.letters[max(low for low in _WORDS.letters if low <= t.strength)] if cue.strength else ""
        graded = letter if code[-1:].isdigit() and letter else f" ({letter})" if letter else ""
        out.append(f"{code}{graded}{f' x{cue.count}' if (cue.count or 1) > 1 else ''} [{t.start:.1f}-{t.end:.1f} s]")
    if blinks:
        out.append(f"AU45 x{blinks}")
    return "; ".join(out) + "." if out else "No action units."


def _director(rows: list[_Told]) -> str:
    if not rows:
        return "Stay at rest."
    said: list[str] = []
    over = 0.0
    for group in _grouped(rows):
        first = group[0]
        pause = first.start - over
        text = f"wait {pause:.1f} s, then " if said and pause >= 0.5 else ""
        text += _clause(first, "base")
        if (first.cue.count or 1) == 1 and first.end - first.start >= 0.8:
            text += f" for {first.end - first.start:.1f} s"
        if group[1:]:
            text += f"; meanwhile {listed([_clause(t, 'base') for t in group[1:]])}"
        said.append(_sentence(text))
        over = max(t.end for t in group)
    return " ".join(said)


def _caption(rows: list[_Told], blinks: int) -> str:
    def weight(t: _Told) -> float:
        return t.strength * (1.5 if t.cue.name in EMOTIONS else 1.0) + 0.1 * min(t.end - t.start, 3.0)

    most = sorted(rows, key=lambda t: -weight(t))[:2]
    if not most:
        return "At rest" if not blinks else "Blinking"
    ordered = [t for t in rows if t in most]
    return _sentence(" then ".join(_clause(t, "ger") for t in ordered)).rstrip(".")


def _more(measured: Measurement) -> str:
    """What full detail adds: sides that differ, what is perhaps there, and what limits it."""
    out = [f"The {'left' if a.sides[0] > a.sides[1] else 'right'} side of the {ACTION[a.name].label} is stronger "
           f"({100 * max(a.sides):.0f} % against {100 * min(a.sides):.0f} %)." for a in measured.everything
           if a.sides is not None and a.side == "both" and abs(a.sides[0] - a.sides[1]) > _TWO_SIDES]
    if measured.unsure:
        out.append("Perhaps also: " + ", ".join(dict.fromkeys(ACTION[a.name].label for a in measured.unsure)) + ".")
    out += [f"{n[:1].upper()}{n[1:]}." for n in measured.notes]
    return "".join(f" {t}" for t in out)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
