"""Does a clip show what a script asks for? A list of checks, each with what was expected and what was found.

The script is compared with a measurement of the clip's geometry (measure.py), so a performance is
never checked by what made it. Only what the script says is checked; what a cue entails, what is in
character of an emotion and what a behaviour may show is no error, anything else is foreign.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from ...common.text import often
from .evidence.match import GAP, LATE, ORDER, Match, late
from .evidence.parts import WEAK_PART, restful
from .evidence.spans import IDLE, Span
from .measured import Measurement
from .schedule import Schedule
from .script import Cue, Never, Script
from .vocabulary import ACTION, BEHAVIOUR, DIRECTIONS, FEELING, USUAL_STRENGTH, part_strength

Kind = Literal["present", "absent", "count", "side", "order", "start", "end", "duration", "strength", "strength_order",
               "together", "still", "length", "foreign"]

STRENGTH = 0.15
"""Share of full scale; a performance differs by style (10 %) and a few percent from command to command."""
LOOSE_STRENGTH = 0.27
"""The same for behaviours and feelings, whose parts have ranges, and for talking, whose jaw opens as far as the sounds go."""
START = 0.35
"""Seconds between a stated time and the measured one: a slow onset is seen late, and people hear of a second in tenths."""
END = 0.4
"""Of ends, which fade."""
DURATION, DURATION_SHARE = 0.35, 0.2
"""Seconds, and share of a long duration, whichever is more."""
FADE = 0.7
"""What another cue takes over from fades while that one rises, up to this many seconds after its time."""
PHASE, PHASE_SHARE = 0.25, 0.35
"""The same of an onset."""
SLOW, UNSEEN_ENDS = 1.5, 0.6
"""Of an onset of more than so many seconds up to this share, at its ends, is too slow to be told from rest."""
HELD = 0.25
"""What stays to the clip's end may end this long before it (the last movement of the filter at the edge)."""
TALK_SHARE = 0.25
"""Syllables run into each other: their count may be off by this share."""
FOREIGN = 0.3
"""The weakest strength that has a name; less is no action that a viewer would name."""
LENGTH = 0.041
"""Seconds: a clip has whole frames, at 25 a second."""
_ROUND = 0.3
"""Seconds of rest that divide one round of a behaviour from the next."""
_DONE_OR_NOT = frozenset({"blink", "wink_left", "wink_right"})
"""Parts of behaviours that are done or not done, at no other strength."""
DIFFERENT = 0.12
"""Two stated strengths nearer than this have no order that could be seen."""


@dataclass(frozen=True)
class Check:
    """One thing that was asked for, and whether it is there."""

    kind: Kind
    cue: int | None
    """Index of the script's cue; None for what holds for the whole clip."""
    ok: bool
    expected: str
    found: str
    tolerance: float | None
    """In the unit of ``expected``; None where nothing is measured on a scale."""
    sentence: str
    """What was asked for and what was found, in plain English."""


@dataclass(frozen=True)
class CheckList:
    """Every check of one clip."""

    items: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether everything that was asked for is there, and nothing else."""
        return all(i.ok for i in self.items)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not hold."""
        return tuple(i for i in self.items if not i.ok)

    def cues_ok(self, cue: int) -> bool:
        """Whether everything that was asked of one cue is there."""
        return all(i.ok for i in self.items if i.cue == cue)

    def score(self) -> float:
        """Share of the checks that hold, 1 for an empty list; to choose among candidates."""
        return sum(i.ok for i in self.items) / len(self.items) if self.items else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"ok": self.ok, "score": round(self.score(), 4), "items": [asdict(i) for i in self.items]}


def check(script: Script, measurement: Measurement, schedule: Schedule | None = None) -> CheckList:
    """Compare a clip's measurement with what was asked for.

    Args:
        script: what was asked for.
        measurement: what the clip shows.
        schedule: the script's times, where it was laid out; every cue is then looked for in its own time. Without one
            the cues are matched in their order.

    Returns:
        The checks in the order of the cues, then those of the whole clip.
    """
    return CheckList(tuple(_Checker(script, measurement, schedule).run()))


class _Checker:
    """One comparison."""

    def __init__(self, script: Script, m: Measurement, schedule: Schedule | None) -> None:
        self.script, self.m = script, m
        self.match = Match(script, m, schedule)
        self.found, self.windows, self.spans = self.match.found, self.match.windows, self.match.spans

    def run(self) -> Iterator[Check]:
        for i, cue in enumerate(self.script.cues):
            span = self.found[i]
            yield self._present(i, cue, span)
            if span is None:
                continue
            yield from self._side(i, cue, span)
            yield from self._count(i, cue, span)
            yield from self.times(i, cue, span)
            yield from self._strength(i, cue, span)
            yield from self._joins(i, cue, span)
        yield from self._strengths_in_order()
        for never in self.script.never:
            yield self._never(never)
        yield from self._whole_clip()

    # -- single checks -------------------------------------------------------------------
    def _present(self, i: int, cue: Cue, span: Span | None) -> Check:
        name, window = says(cue), self.windows[i]
        if span is not None:
            return Check("present", i, True, name, f"{span.start:.2f} to {span.end:.2f} s", None,
                         f"{name}: found from {span.start:.2f} to {span.end:.2f} s")
        if not self.match.parts[i]:
            return Check("present", i, True, name, "nothing to look for", None,
                         f"{name}: nothing to look for, since what would show it is ruled out")
        if self.match.too_faint(i):
            return Check("present", i, True, name, "nothing", None, f"{name}: too faint to be measured")
        elsewhere = [s for group in self.match.parts[i] for p in group for s in self.match.matching(p)]
        opposite = [s for s in self.spans.get(_mirror(cue.action), []) if cue.name in DIRECTIONS]
        where = "" if window is None else f" between {window[0]:.1f} and {window[1]:.1f} s"
        found = (f"to the {_other(cue.side)} at {opposite[0].start:.2f} s" if opposite and not elsewhere else
                 f"{elsewhere[0].name.replace('_', ' ')} at {elsewhere[0].start:.2f} s" if elsewhere else "nothing")
        return Check("present", i, False, name + where, found, None, f"{name}{where}: found {found}")

    def _side(self, i: int, cue: Cue, span: Span) -> Iterator[Check]:
        if cue.kind == "action" and ACTION[cue.action].paired and cue.name != "blink":
            side = span.side
        elif cue.kind == "behaviour" and cue.side != "both" and (own := self.match.of_side(i, span)):
            side = own[0].side
        else:
            return
        hidden = side == "both" and self.match.shared(i, span)  # another cue moves the other side
        beside = ", where another cue moves the other side" * hidden
        yield _made("side", i, side == cue.side or hidden, says(cue), f"on {_sides(cue.side)}", f"on {_sides(side)}{beside}")

    def _count(self, i: int, cue: Cue, span: Span) -> Iterator[Check]:
        if cue.count is None or restful(self.match.parts[i]):  # a rest cannot be counted
            return
        behaviour = cue.kind == "behaviour"
        voiced = behaviour and bool(BEHAVIOUR[cue.name].counted)
        found = self._voiced(span) if voiced else self._rounds(i, span) if behaviour or cue.kind == "feeling" else span.count
        slack = max(1, round(TALK_SHARE * cue.count)) if voiced or cue.name == "talking" else 0
        ok = abs(found - cue.count) <= slack if voiced or cue.kind in ("action", "emotion") else found >= cue.count
        yield _made("count", i, ok, says(cue), often(cue.count), often(found), slack or None)

    def _voiced(self, span: Span) -> int:
        """Openings of the mouth while a behaviour with a voice lasts; quick ones are measured as talking."""
        quick, wide = ([s for s in self.spans.get(n, []) if s.shared(span.start, span.end) > 0]
                       for n in ("talking", "mouth_open"))
        return sum(s.count for s in (*quick, *(w for w in wide if not any(w.shared(q.start, q.end) > 0 for q in quick))))

    def _rounds(self, i: int, span: Span) -> int:
        """How often a behaviour was done: as often as its most frequent part allows."""
        most = 1
        for group in self.match.parts[i]:
            for part in group:
                rows = [s for s in self.match.matching(part) if s.shared(span.start, span.end) > 0]
                if part.times > 1:
                    most = max(most, sum(s.count for s in rows) // part.times)
                else:  # nods or syllables of one round follow one another without a rest
                    most = max(most, 1 + sum(b.start - a.end >= _ROUND for a, b in zip(rows, rows[1:], strict=False)))
        return most

    def times(self, i: int, cue: Cue, span: Span) -> Iterator[Check]:
        def timed(kind: Kind, what: str, want: float, got: float, slack: float, within: bool | None = None) -> Check:
            ok = abs(got - want) <= slack if within is None else within
            return _made(kind, i, ok, f"{says(cue)}: {what}", f"{want:g} s", f"{got:.2f} s", round(slack, 3))

        if cue.kind != "emotion" and restful(self.match.parts[i]):
            return  # nobody can say when a rest begins that looks like the rest before it
        span = self.match.extent(i, span)
        fading = FADE if i + 1 < len(self.found) and self.script.cues[i + 1].join == "into" else 0.0
        if cue.start is not None:
            yield timed("start", "start at", cue.start, span.start,
                        START + late(cue) - LATE + FADE * (cue.name == "neutral"))
        if cue.pause is not None and i and cue.name != "neutral" and (before := self.found[i - 1]) is not None:
            yield timed("start", "after a rest of", cue.pause, span.start - before.end, START)
        if cue.end is not None and cue.end < self.m.seconds:
            late_end = cue.end - END <= span.end and (span.end <= cue.end + END + fading or cue.name == "neutral")
            yield timed("end", "end at", cue.end, span.end, END + fading, late_end)
        if cue.held:
            until = self._held_until(i)
            yield timed("end", "stay until", round(until, 2), span.end, HELD, span.end >= until - HELD)
        if cue.seconds is not None and not cue.held:
            slack = max(DURATION, DURATION_SHARE * cue.seconds) + fading
            yield timed("duration", "last", cue.seconds, span.seconds, slack)
        elif cue.hold is not None and not cue.held and cue.kind != "behaviour":
            # an apex of that length lies within the span, with an onset and an offset around it
            fits = cue.hold - DURATION <= span.end - span.apex
            yield timed("duration", "hold at least", cue.hold, max(span.end - span.apex, 0.0), DURATION, fits)
        if cue.onset is not None and cue.kind in ("action", "emotion") and cue.name != "neutral":
            got, slack = span.apex - span.start, max(PHASE, PHASE_SHARE * cue.onset)
            seen = cue.onset - max(slack, UNSEEN_ENDS * cue.onset * (cue.onset > SLOW)) <= got <= cue.onset + slack
            yield timed("duration", "onset of", cue.onset, got, slack, seen)

    def _held_until(self, i: int) -> float:
        """The end of the clip, or the time at which a neutral face or a transition ends what is held."""
        for k in range(i + 1, len(self.script.cues)):
            cue, found, window = self.script.cues[k], self.found[k], self.windows[k]
            if cue.name == "neutral" or cue.join == "into" and k - 1 in self.match.group(i):
                return min(window[0] if window else self.m.seconds, found.start if found else self.m.seconds)
        return self.m.seconds

    def _strength(self, i: int, cue: Cue, span: Span) -> Iterator[Check]:
        if cue.strength is None or cue.name == "blink" or restful(self.match.parts[i]):
            return  # a blink closes the eyes whatever its strength
        slack = STRENGTH if cue.kind in ("action", "emotion") and cue.name != "talking" else LOOSE_STRENGTH
        if (got := self._strength_of(i, cue, span)) is None:
            return
        # another cue at the same time may make it stronger
        ok = got >= cue.strength - slack if self.match.shared(i, span) else abs(got - cue.strength) <= slack
        yield _made("strength", i, ok, f"{says(cue)}: strength", f"{100 * cue.strength:.0f} %", f"{100 * got:.0f} %", slack)

    def _strength_of(self, i: int, cue: Cue, span: Span) -> float | None:
        """Strength of a cue: of an action or emotion its own, else the median share of the parts' usual strengths.

        None where it cannot be told: too faint, or other cues have to do with it.
        """
        if cue.kind in ("action", "emotion"):
            return span.on(cue.side) if self.match.shared(i, span) else span.strength
        degree = cue.strength or USUAL_STRENGTH
        handed_over = i + 1 < len(self.found) and self.script.cues[i + 1].join == "into"
        if self.match.in_group(i) or cue.join == "into" or handed_over or degree < WEAK_PART:
            return None
        usual = (FEELING[cue.name].blend if cue.kind == "feeling" else
                 {p.name: sum(p.strength) / 2 for p in reversed(BEHAVIOUR[cue.name].parts)})
        shares = []
        for text, full in usual.items():
            name = text.partition(".")[0]
            if (want := part_strength(name, full, degree)) >= WEAK_PART and name not in _DONE_OR_NOT:
                rows = [s.strength for s in self.spans.get(name, []) if s.shared(span.start, span.end) > 0]
                if rows or cue.kind == "feeling":  # a behaviour's parts may stand in for one another
                    # what is asked for in full can be no more than that, whatever the cue's strength
                    shares.append(float(np.clip(degree + USUAL_STRENGTH * (max(rows, default=0.0) - want) / full, 0.0, 1.0)))
        return sorted(shares)[len(shares) // 2] if shares else None

    def _joins(self, i: int, cue: Cue, span: Span) -> Iterator[Check]:
        if i == 0:
            return
        before, former = self.found[i - 1], self.script.cues[i - 1]
        if before is None:
            return
        resting = any(restful(self.match.parts[k]) for k in (i - 1, i))
        blends = {"feeling", "behaviour"} & {cue.kind, former.kind}
        if cue.join == "with":
            group = self.match.group(i)
            lasting = self.script.cues[group[0]].held
            others = [s for k in group if k < i and (s := self.found[k]) is not None]
            ok = any(span.together(s) for s in (others if lasting else [before]))
            # a rest is what others leave of it; a blend is found in its own time, which is that of the other
            ok = ok or resting or bool(blends and self.windows[i] and self.windows[i - 1])
            yield _made("together", i, ok, f"{says(cue)} together with {says(former)}", "at the same time",
                        f"{span.start:.2f} to {span.end:.2f} s and {before.start:.2f} to {before.end:.2f} s")
        elif cue.join == "into":
            gap = span.start - self.match.extent(i - 1, before).end
            takes_over = span.start >= before.start + ORDER and span.end > before.end - ORDER
            ok = (gap <= GAP + late(cue) - LATE or resting) and (bool(blends) or takes_over)
            yield _made("order", i, ok, f"{says(former)} turns into {says(cue)} without a rest", "no rest between",
                        f"{max(gap, 0.0):.2f} s between" if span.start > before.start else "the other order", GAP)
        elif (cue.start is None or former.start is None) and not (blends and self.windows[i] and self.windows[i - 1]):
            same = bool(span.actions) and span.actions == before.actions
            ok = span.start >= before.apex - ORDER and span.start > before.start and not same
            yield _made("order", i, ok, f"{says(cue)} after {says(former)}", "later",
                        f"{span.start:.2f} s after {before.start:.2f} s" if span.start > before.start
                        else f"{span.start:.2f} s, before {before.start:.2f} s", ORDER)

    def _strengths_in_order(self) -> Iterator[Check]:
        rows = [(c.strength, i, c, s.on(c.side) if self.match.shared(i, s) else s.strength)
                for i, (c, s) in enumerate(zip(self.script.cues, self.found, strict=True))
                if c.strength is not None and s is not None and c.kind in ("action", "emotion")]
        rows.sort(key=lambda r: r[:2])
        for (weak, _, a, less), (strong, i, b, more) in zip(rows, rows[1:], strict=False):
            if strong - weak >= DIFFERENT:
                yield _made("strength_order", i, more > less, f"{says(b)} stronger than {says(a)}", "stronger",
                            f"{100 * more:.0f} % and {100 * less:.0f} %")

    # -- the whole clip --------------------------------------------------------------------
    def _never(self, never: Never) -> Check:
        name = f"{_sides(never.side)} " * (never.side != "both") + never.name.replace("_", " ")
        rows = self.match.breaks(never)
        found = "none" if not rows else f"{rows[0].name.replace('_', ' ')} at {rows[0].start:.2f} s"
        return _made("absent", None, not rows, f"no {name}", "none", found)

    def _whole_clip(self) -> Iterator[Check]:
        if self.script.seconds is not None:
            off = abs(self.m.seconds - self.script.seconds)
            yield _made("length", None, off <= LENGTH, "length of the clip", f"{self.script.seconds:g} s",
                        f"{self.m.seconds:.2f} s", LENGTH)
        foreign = self._foreign()
        for s in foreign:
            side = f" of {_sides(s.side)}" * (s.side != "both")
            yield _made("foreign", None, False, "nothing that was not asked for", "nothing",
                        f"{s.name.replace('_', ' ')}{side} at {s.start:.2f} s")
        if not foreign:
            yield _made("foreign", None, True, "nothing that was not asked for", "nothing", "nothing")
        if self.script.still:
            idle = [s for s in self.match.unexplained() if s.name in ACTION]
            yield _made("still", None, not idle, "no other movement", "none",
                        f"{idle[0].name.replace('_', ' ')} at {idle[0].start:.2f} s" if idle else "none")

    def _foreign(self) -> list[Span]:
        rows = [s for s in self.match.unexplained() if s.name not in IDLE and s.strength >= FOREIGN]
        return sorted(rows, key=lambda s: s.start)


# -- words and times ----------------------------------------------------------------------
def says(cue: Cue) -> str:
    """A cue's name and side in words."""
    name = cue.name.replace("_", " ")
    return name if cue.side == "both" else f"{name} {cue.side}"


def _made(kind: Kind, cue: int | None, ok: bool, what: str, expected: str, found: str, tolerance: float | None = None) -> Check:
    held = found if expected == found else f"{found} (asked: {expected})"
    return Check(kind, cue, bool(ok), expected, found, tolerance,
                 f"{what}: {held}" if ok else f"{what}: expected {expected}, found {found}")


def _sides(side: str) -> str:
    return "both sides" if side == "both" else f"the {side}"


def _other(side: str) -> str:
    return "left" if side == "right" else "right"


def _mirror(action: str) -> str:
    stem, _, side = action.rpartition("_")
    return f"{stem}_{_other(side)}"
