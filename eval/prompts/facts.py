"""Was a prompt read right? Scripts are compared as values and by what a measurement of their renditions shows.

A script is read *exactly* when it equals a right one in normal form (:func:`normal`). It is read *right* when all its facts are
right: what holds for the whole clip is the same, as many cues have a count and a time, and of each script the procedural
animator's rendition passes the check of the other. What no measurement can tell apart (happiness and a smile that lifts the
cheeks, an onset of 0.4 and 0.5 s) makes no difference then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from ...data_gen.performer.animator import perform
from ...data_gen.performer.layout import lay_out
from ...face.facs.check import LENGTH, check
from ...face.facs.evidence.read_back import read_back
from ...face.facs.measure import measure
from ...face.facs.measured import Measurement
from ...face.facs.schedule import Schedule
from ...face.facs.script import Cue, Script
from ...face.facs.vocabulary import GROUPS
from ...face.head.model import HeadModel

SEEDS = 3
"""Renditions of a script: what is not said, such as how often, differs from one to the next."""


# -- normal form ----------------------------------------------------------------------------
def normal(script: Script) -> tuple[object, ...]:
    """A value that is equal for scripts that say the same.

    Once is no count. Nothing comes before the first cue, so its join is none, a rest before it is its start, and a start at 0 s
    is none. A start and an end are a start and a duration; until the clip's end is held. Cues that are done together, none of
    them held, have no order, nor has what should not happen; unknown words have no order, case, punctuation.
    """
    groups: list[list[Cue]] = []
    for i, cue in enumerate(script.cues):
        if cue.join == "with" and groups:
            groups[-1].append(cue)
        else:
            groups.append([replace(cue, join="then") if i == 0 else cue])
    cues = [_group(g, k == 0, script.seconds) for k, g in enumerate(groups)]
    seconds = None if script.seconds is None else round(script.seconds, 2)
    return tuple(cues), seconds, frozenset((n.name, n.side) for n in script.never), script.still, frozenset(
        map(_plain, script.unknown))


def _group(cues: list[Cue], first: bool, seconds: float | None) -> tuple[object, ...]:
    """Cues that are done together: what joins them to what comes before, when, and what they are."""
    lead = cues[0]
    pause, start = lead.pause, lead.start
    if first:
        pause, start = None, start if pause is None else (start or 0.0) + pause
        start = start or None
    plain = [_cue(c, start if i == 0 or c.start == lead.start else c.start, seconds, first and i == 0)
             for i, c in enumerate(cues)]
    if not any(c.held for c in plain):
        plain.sort(key=repr)
    return lead.join, pause, start, tuple(plain)


def _cue(cue: Cue, start: float | None, seconds: float | None, opens: bool) -> Cue:
    """A cue without its join, rest and start, which are its group's."""
    length, end, held = cue.seconds, cue.end, cue.held
    if end is not None and seconds is not None and end >= seconds - LENGTH:
        end, held = None, True
    if end is not None and (start is not None or opens):
        length, end = round(end - (start or 0.0), 3), None
    return replace(cue, join="then", pause=None, start=None, end=end, seconds=length, held=held,
                   count=None if cue.count == 1 else cue.count)


def _plain(words: str) -> str:
    """Words without case, punctuation and double spaces."""
    return " ".join("".join(c if c.isalnum() else " " for c in words.lower()).split())


def aligned(a: Script, b: Script) -> bool:
    """Whether two scripts have the same cues in the same order, whatever else is said of them."""
    return [(c.name, c.side) for c in a.cues] == [(c.name, c.side) for c in b.cues]


# -- facts ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Rendition:
    """What the procedural animator makes of a script, measured."""

    schedule: Schedule
    measurement: Measurement


@dataclass
class Rendered:
    """A script and its renditions, made when they are needed.

    Raises:
        ValueError: from :attr:`renditions`, the script cannot be done.
    """

    script: Script
    head: HeadModel
    seeds: int = SEEDS
    misses: dict[int, Counter[str]] = field(default_factory=dict)

    @cached_property
    def renditions(self) -> list[Rendition]:
        """One for each seed."""
        schedules = [lay_out(self.script, seed) for seed in range(self.seeds)]
        return [Rendition(s, measure(perform(s, self.head), self.head)) for s in schedules]

    def own(self, k: int) -> Counter[str]:
        """Kinds of checks that a rendition of the script itself does not pass: no fault of a reading."""
        if k not in self.misses:
            shown = self.renditions[k]
            self.misses[k] = Counter(c.kind for c in check(self.script, shown.measurement, shown.schedule).failed)
        return self.misses[k]


def misread(expected: Rendered, read: Rendered) -> list[str]:
    """What of a script has been read wrong; empty where all facts are right."""
    if normal(expected.script) == normal(read.script):
        return []
    wrong = list(_whole_clip(expected.script, read.script))
    if wrong:
        return wrong
    try:
        read.renditions  # noqa: B018
    except ValueError as err:
        return [f"cannot be performed: {err}"]
    try:
        expected.renditions  # noqa: B018
    except ValueError:
        return ["another script, and the expected one cannot be performed"]
    return _shown(expected, read, "the expected clip is not what was read") + _shown(
        read, expected, "the clip of what was read is not as expected")


def _whole_clip(expected: Script, read: Script) -> Iterator[str]:
    """What differs of what a rendition cannot show, or need not."""
    a, b = expected.seconds, read.seconds
    if (a is None) != (b is None) or (a is not None and b is not None and abs(a - b) > LENGTH):
        yield f"length: {a} s expected, {b} s read"
    if _forbidden(expected) != _forbidden(read):
        yield f"never: {_names(expected)} expected, {_names(read)} read"
    if expected.still != read.still:
        yield f"still: {expected.still} expected, {read.still} read"
    if not _same_words(expected.unknown, read.unknown):
        yield f"unknown: {list(expected.unknown)} expected, {list(read.unknown)} read"
    if len(expected.cues) == len(read.cues):  # said to be what is usual is said nevertheless
        for what, said in (("counts", _counted), ("times", _timed)):
            if said(expected) != said(read):
                yield f"{what}: {said(expected)} expected, {said(read)} read"
    for what, one, other in (("speed", _tempos(expected), _tempos(read)), ("offset", _offsets(expected), _offsets(read))):
        if one != other:
            yield f"{what}: {sorted(one.elements())} expected, {sorted(other.elements())} read"


def _forbidden(script: Script) -> frozenset[tuple[str, str]]:
    return frozenset((n, never.side) for never in script.never for n in GROUPS.get(never.name, {never.name}))


def _names(script: Script) -> list[str]:
    return sorted(n.name for n in script.never)


def _same_words(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether each has the other's words, be it with a word more or less: "moonwalk" and "do the moonwalk"."""
    one, other = ([set(_plain(w).split()) for w in words] for words in (a, b))
    return all(any(x <= y or y <= x for y in other) for x in one) and all(any(x <= y or y <= x for y in one) for x in other)


def _tempos(script: Script) -> Counter[str]:
    """How often something is said to be slow or fast, which no check looks at."""
    return Counter("slow" if c.speed < 1 else "fast" for c in script.cues if c.speed not in (None, 1.0))  # type: ignore[operator]


def _counted(script: Script) -> int:
    """How many cues are said to be done several times."""
    return sum((c.count or 1) > 1 for c in script.cues)


def _timed(script: Script) -> int:
    """How many cues are said to have a time of any sort."""
    return sum(c.held or any(t is not None for t in (c.start or None, c.end, c.pause, c.seconds, c.onset, c.hold, c.offset))
               for c in script.cues)


def _offsets(script: Script) -> Counter[float]:
    return Counter(round(c.offset, 1) for c in script.cues if c.offset is not None)


def _shown(made: Rendered, other: Rendered, what: str) -> list[str]:
    """What the check of one script misses in the renditions of another, beside what those miss of their own."""
    for k, shown in enumerate(made.renditions):
        same = shown.schedule if aligned(made.script, other.script) else None
        failed = check(other.script, shown.measurement, same).failed
        # a script may miss as much of its own rendition, where several acts cannot be told apart
        if Counter[str](c.kind for c in failed) - made.own(k):
            return [f"{what}: {c.sentence}" for c in failed[:3]]
    return []


@dataclass(frozen=True)
class Seen:
    """How a clip was read back."""

    same: bool | None
    """The same names, sides, order, and counts where said; None where the script has more than actions and emotions, which is
    all that code reads from a clip."""
    right: bool
    """Performed again, what was read passes the check of the script."""


def seen(expected: Rendered) -> Seen:
    """Read the animator's clip of a script back by code alone (``face/facs/evidence/read_back.py``).

    Raises:
        ValueError: the script cannot be done.
    """
    shown = expected.renditions[0]
    script = expected.script
    back = read_back(shown.measurement, times=False)
    plain = all(c.kind in ("action", "emotion") for c in script.cues)
    asked, found = ([(c.name, c.side, c.count if (c.count or 1) > 1 else None) for c in s.cues if c.name != "neutral"]
                    for s in (script, back))
    same = len(asked) == len(found) and all(a[:2] == b[:2] and a[2] in (None, b[2]) for a, b in zip(asked, found, strict=True))
    try:
        again = lay_out(read_back(shown.measurement))
        ok = check(script, measure(perform(again, expected.head), expected.head)).ok
    except ValueError:
        ok = False
    return Seen(same if plain else None, ok)
