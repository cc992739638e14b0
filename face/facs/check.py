"""Does a clip show what a script asks for? A list of checks, each with what was expected and what was found.

The script is compared with a measurement of the clip's geometry (measure.py), so a performance is
never checked by what made it. Only what the script says is checked; what a cue entails, what is in
character of an emotion and what a behaviour may show is no error, anything else is foreign.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .evidence import IDLE, Part, Span, all_spans, explains, joined, parts_of
from .measure import Measurement
from .schedule import Schedule
from .script import Cue, Never, Script, sided
from .vocabulary import ACTION, BEHAVIOUR, DIRECTIONS, EMOTIONS, FEELING, GROUPS, allowed_with

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
PHASE, PHASE_SHARE = 0.25, 0.35
"""The same of an onset."""
HELD = 0.25
"""What stays to the clip's end may end this long before it (the last movement of the filter at the edge)."""
ORDER = 0.15
"""Something that comes after may begin this long before the former's apex."""
GAP = 0.3
"""Something that takes over begins at most this long after the former is over."""
LATE = 0.75
"""A cue is looked for from its window's start to this long after it."""
AROUND = 0.45
"""Seconds around a cue's time in which what it entails is explained."""
REPEAT = 0.5
"""Occurrences of one action nearer than this belong to one cue that has no count."""
PERIOD = 1.2
"""The same of one that has a count: repetitions are seldom farther apart."""
TALK_SHARE = 0.25
"""Syllables run into each other: their count may be off by this share."""
FOREIGN = 0.3
"""The weakest strength that has a name; less is no action that a viewer would name."""
LENGTH = 0.1
"""Seconds: a clip has whole frames, and motion tokens are several frames each."""
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
    """One comparison; ``found[i]`` is what answers cue ``i``, None when nothing does."""

    def __init__(self, script: Script, m: Measurement, schedule: Schedule | None) -> None:
        self.script, self.m = script, m
        self.acts = m.everything
        self.spans = all_spans(m)
        self.windows = [_window(i, schedule) for i in range(len(script.cues))]
        self.taken: set[int] = set()
        """Actions that answer a cue."""
        self.answers: dict[str, set[int]] = {}
        """The same by what the cue asks for."""
        self.found: list[Span | None] = []
        for i in range(len(script.cues)):
            self.found.append(self._look(i))
            if (span := self.found[-1]) is not None:
                self.taken |= span.actions
                self.answers.setdefault(script.cues[i].action, set()).update(span.actions)

    def run(self) -> Iterator[Check]:
        for i, cue in enumerate(self.script.cues):
            span = self.found[i]
            yield self._present(i, cue, span)
            if span is None:
                continue
            yield from self._side(i, cue, span)
            yield from self._count(i, cue, span)
            yield from self._times(i, cue, span)
            yield from self._strength(i, cue, span)
            yield from self._joins(i, cue, span)
        yield from self._strengths_in_order()
        for never in self.script.never:
            yield self._never(never)
        yield from self._whole_clip()

    # -- looking for a cue ---------------------------------------------------------------
    def _look(self, i: int) -> Span | None:
        cue, window = self.script.cues[i], self.windows[i]
        groups = parts_of(cue)
        if window is not None:
            return self._within(cue, groups, *window)
        after = self._cursor(i)
        longest = cue.seconds or _longest(cue)
        # the first place from here on that has everything, else any place
        anchors = [s for p in groups[0] for s in self._matching(p)] if groups else []
        anchors.sort(key=lambda s: (s.start < after, bool(s.actions & self.taken), s.start))
        for anchor in anchors:
            same = sum(c.action == cue.action for c in self.script.cues[i + 1:]) > 0
            until = anchor.end if cue.kind != "action" else self.m.seconds
            if (span := self._within(cue, groups, anchor.start - longest, until + longest, anchor, same)) is not None:
                return span
        return None

    def _cursor(self, i: int) -> float:
        """The time from which a cue is looked for: not before the one that it follows."""
        cue = self.script.cues[i]
        before = [s for s in self.found[:i] if s is not None]
        if cue.start is not None:
            return cue.start - START
        if not before:
            return 0.0
        return before[-1].start - GAP if cue.join == "with" else before[-1].apex - ORDER

    def _matching(self, part: Part) -> list[Span]:
        """Spans of a part's names, those of its side first in time; another side only where there is none."""
        rows = []
        for text in part.names:
            name, _, own = text.partition(".")
            side = own or part.side
            spans = self.spans.get(name, [])
            rows += [s for s in spans if side is None or s.side == side or name not in ACTION] if own else spans
        right = [s for s in rows if part.side in (None, s.side)]
        return sorted(right or rows, key=lambda s: s.start)

    def _within(self, cue: Cue, groups: tuple[tuple[Part, ...], ...], start: float, end: float, anchor: Span | None = None,
                same: bool = False) -> Span | None:
        """What answers every group of a cue between two times, as one span."""
        rows: list[Span] = []
        # what answers one cue cannot answer another of the same name, unless that one takes over from it
        used = self.answers.get(cue.action, set()) if cue.join != "into" else set()
        for group in groups:
            best: list[Span] = []
            for part in group:
                near = [s for s in self._matching(part) if _inside(s, start, end) and not s.actions & used]
                if cue.kind == "action":
                    near = self._run_of(cue, near, start, anchor, same)
                elif anchor is not None and group is groups[0]:
                    near = [s for s in near if s.start >= anchor.start]
                if sum(s.count for s in near) >= part.times and (not best or part.side == near[0].side):
                    best = near if part.times > 1 or cue.count else near[:1]
            if not best:
                return None
            rows += best
        return joined(rows, cue.action) if rows else None

    def _run_of(self, cue: Cue, near: list[Span], start: float, anchor: Span | None, same: bool) -> list[Span]:
        """The occurrences of an action that belong to one cue."""
        if anchor is not None:
            near = [s for s in near if s.start >= anchor.start and (s is anchor or not self._of_emotion(s))]
        elif near and near[0].start > start + LATE and cue.count is None:
            return []
        if cue.count is not None and anchor is None:
            return near
        run = near[:1]
        for s in near[1:]:
            if s.start - run[-1].end >= (REPEAT if cue.count is None else PERIOD):
                break
            if same and cue.count is not None and sum(r.count for r in run) >= cue.count:
                break  # the next cue of that name begins here
            run.append(s)
        return run

    def _of_emotion(self, span: Span) -> bool:
        """Whether an action is part of an emotion that the script asks for, too."""
        felt = [e for c in self.script.cues if c.kind == "emotion" and c.name != "neutral" for e in self.spans.get(c.name, [])]
        return any(span.name in allowed_with(e.name) and span.together(e) and span.start > e.start - AROUND for e in felt)

    # -- single checks -------------------------------------------------------------------
    def _present(self, i: int, cue: Cue, span: Span | None) -> Check:
        name, window = says(cue), self.windows[i]
        if span is not None:
            return Check("present", i, True, name, f"{span.start:.2f} to {span.end:.2f} s", None,
                         f"{name}: found from {span.start:.2f} to {span.end:.2f} s")
        elsewhere = [s for group in parts_of(cue) for p in group for s in self._matching(p)]
        opposite = [s for s in self.spans.get(_mirror(cue.action), []) if cue.name in DIRECTIONS]
        where = "" if window is None else f" between {window[0]:.1f} and {window[1]:.1f} s"
        found = (f"to the {_other(cue.side)} at {opposite[0].start:.2f} s" if opposite and not elsewhere else
                 f"{elsewhere[0].name.replace('_', ' ')} at {elsewhere[0].start:.2f} s" if elsewhere else "nothing")
        return Check("present", i, False, name + where, found, None, f"{name}{where}: found {found}")

    def _side(self, i: int, cue: Cue, span: Span) -> Iterator[Check]:
        if cue.kind == "action" and ACTION[cue.action].paired and cue.name != "blink":
            yield _made("side", i, span.side == cue.side, says(cue), f"on {_sides(cue.side)}", f"on {_sides(span.side)}")

    def _count(self, i: int, cue: Cue, span: Span) -> Iterator[Check]:
        if cue.count is None or cue.name == "neutral":
            return
        found = span.count if cue.kind in ("action", "emotion") else self._rounds(cue, span)
        slack = max(1, round(TALK_SHARE * cue.count)) if cue.name == "talking" else 0
        ok = found >= cue.count if cue.kind in ("feeling", "behaviour") else abs(found - cue.count) <= slack
        yield _made("count", i, ok, says(cue), _times(cue.count), _times(found), slack or None)

    def _rounds(self, cue: Cue, span: Span) -> int:
        """How often a behaviour was done: as often as its most frequent part allows."""
        most = 1
        for group in parts_of(cue):
            for part in group:
                n = sum(s.count for s in self._matching(part) if s.shared(span.start, span.end) > 0)
                most = max(most, n // part.times)
        return most

    def _times(self, i: int, cue: Cue, span: Span) -> Iterator[Check]:
        def timed(kind: Kind, what: str, want: float, got: float, slack: float, within: bool | None = None) -> Check:
            ok = abs(got - want) <= slack if within is None else within
            return _made(kind, i, ok, f"{says(cue)}: {what}", f"{want:g} s", f"{got:.2f} s", round(slack, 3))

        if cue.start is not None:
            yield timed("start", "start at", cue.start, span.start, START)
        if cue.pause is not None and i and (before := self.found[i - 1]) is not None:
            yield timed("start", "after a rest of", cue.pause, span.start - before.end, START)
        if cue.end is not None and cue.end < self.m.seconds:
            yield timed("end", "end at", cue.end, span.end, END)
        if cue.held:
            yield timed("end", "stay until", round(self.m.seconds, 2), span.end, HELD, span.end >= self.m.seconds - HELD)
        if cue.seconds is not None and not cue.held:
            yield timed("duration", "last", cue.seconds, span.seconds, max(DURATION, DURATION_SHARE * cue.seconds))
        elif cue.hold is not None and not cue.held and cue.kind != "behaviour":
            # an apex of that length lies within the span, with an onset and an offset around it
            fits = cue.hold - DURATION <= span.end - span.apex
            yield timed("duration", "hold at least", cue.hold, max(span.end - span.apex, 0.0), DURATION, fits)
        if cue.onset is not None and cue.kind in ("action", "emotion"):
            yield timed("duration", "onset of", cue.onset, span.apex - span.start, max(PHASE, PHASE_SHARE * cue.onset))

    def _strength(self, i: int, cue: Cue, span: Span) -> Iterator[Check]:
        if cue.strength is None or cue.name == "neutral":
            return
        slack = STRENGTH if cue.kind in ("action", "emotion") and cue.name != "talking" else LOOSE_STRENGTH
        got = self._strength_of(cue, span)
        yield _made("strength", i, abs(got - cue.strength) <= slack, f"{says(cue)}: strength", f"{100 * cue.strength:.0f} %",
                    f"{100 * got:.0f} %", slack)

    def _strength_of(self, cue: Cue, span: Span) -> float:
        """Strength of a cue: of an action or emotion its own, else the median share of the parts' usual strengths."""
        if cue.kind in ("action", "emotion"):
            return span.strength
        usual = (FEELING[cue.name].blend if cue.kind == "feeling" else
                 {p.name: sum(p.strength) / 2 for p in reversed(BEHAVIOUR[cue.name].parts)})
        shares = []
        for text, full in usual.items():
            name = text.partition(".")[0]
            rows = [s.strength for s in self.spans.get(name, []) if s.shared(span.start, span.end) > 0]
            if rows:
                shares.append(min(max(rows) / full, 1.0))
        return sorted(shares)[len(shares) // 2] if shares else span.strength

    def _joins(self, i: int, cue: Cue, span: Span) -> Iterator[Check]:
        if i == 0:
            return
        before, former = self.found[i - 1], self.script.cues[i - 1]
        if before is None:
            return
        if cue.join == "with":
            group = [s for k in range(_group(self.script.cues, i), i) if (s := self.found[k]) is not None]
            lasting = self.script.cues[_group(self.script.cues, i)].held
            ok = any(span.together(s) for s in (group if lasting else [before]))
            yield _made("together", i, ok, f"{says(cue)} together with {says(former)}", "at the same time",
                        f"{span.start:.2f} to {span.end:.2f} s and {before.start:.2f} to {before.end:.2f} s")
        elif cue.join == "into":
            gap = span.start - before.end
            ok = gap <= GAP and span.start >= before.start + ORDER and span.end > before.end - ORDER
            yield _made("order", i, ok, f"{says(former)} turns into {says(cue)} without a rest", "no rest between",
                        f"{max(gap, 0.0):.2f} s between" if span.start > before.start else "the other order", GAP)
        elif cue.start is None or former.start is None:
            same = bool(span.actions) and span.actions == before.actions
            ok = span.start >= before.apex - ORDER and span.start > before.start and not same
            yield _made("order", i, ok, f"{says(cue)} after {says(former)}", "later",
                        f"{span.start:.2f} s after {before.start:.2f} s" if span.start > before.start
                        else f"{span.start:.2f} s, before {before.start:.2f} s", ORDER)

    def _strengths_in_order(self) -> Iterator[Check]:
        rows = [(c.strength, i, c, s) for i, (c, s) in enumerate(zip(self.script.cues, self.found, strict=True))
                if c.strength is not None and s is not None and c.kind in ("action", "emotion")]
        rows.sort(key=lambda r: r[:2])
        for (weak, _, a, sa), (strong, i, b, sb) in zip(rows, rows[1:], strict=False):
            if strong - weak >= DIFFERENT:
                yield _made("strength_order", i, sb.strength > sa.strength, f"{says(b)} stronger than {says(a)}", "stronger",
                            f"{100 * sb.strength:.0f} % and {100 * sa.strength:.0f} %")

    # -- the whole clip --------------------------------------------------------------------
    def _never(self, never: Never) -> Check:
        name = f"{_sides(never.side)} " * (never.side != "both") + never.name.replace("_", " ")
        rows = self._breaks(never)
        found = "none" if not rows else f"{rows[0].name.replace('_', ' ')} at {rows[0].start:.2f} s"
        return _made("absent", None, not rows, f"no {name}", "none", found)

    def _breaks(self, never: Never) -> list[Span]:
        """What should not be there; a cue that asks for it itself is no breach of a whole region's rest."""
        if never.name in GROUPS and never.side == "both":
            return [s for n in GROUPS[never.name] for s in self.spans.get(n, []) if not s.actions & self.taken]
        name = sided(never.name, never.side) if never.side != "both" else never.name
        if name in ACTION or name in EMOTIONS or name in DIRECTIONS:
            names = [f"{name}_left", f"{name}_right"] if name in DIRECTIONS else [name]
            return [s for n in names for s in self.spans.get(n, [])
                    if never.side == "both" or n.endswith(never.side) or s.side in ("both", never.side)]
        cue = Cue(never.name, never.side)
        groups = parts_of(cue)
        anchors = [s for p in groups[0] for s in self._matching(p)]
        far = _longest(cue)
        spans = (self._within(cue, groups, a.start - far, a.end + far, a) for a in anchors)
        return [s for s in spans if s is not None and not s.actions <= self.taken]

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
            idle = [s for s in self._unexplained() if s.name in ACTION]
            yield _made("still", None, not idle, "no other movement", "none",
                        f"{idle[0].name.replace('_', ' ')} at {idle[0].start:.2f} s" if idle else "none")

    def _unexplained(self) -> list[Span]:
        """Measured actions that answer no cue and that no cue entails at that time."""
        allowed = []
        for i, cue in enumerate(self.script.cues):
            span, window = self.found[i], self.windows[i]
            times = [t for t in (span and (span.start, span.end), window) if t]
            if times:
                allowed.append((explains(cue), min(t[0] for t in times) - AROUND, max(t[1] for t in times) + AROUND,
                                cue.action if cue.kind == "action" else ""))
        rows = [s for name, spans in self.spans.items() if name in ACTION for s in spans if not s.actions & self.taken]
        return [s for s in rows if not any(s.name in names and s.name != own and _inside(s, a, b)
                                           for names, a, b, own in allowed)]

    def _foreign(self) -> list[Span]:
        return sorted((s for s in self._unexplained() if s.name not in IDLE and s.strength >= FOREIGN), key=lambda s: s.start)


# -- words and times ----------------------------------------------------------------------
def says(cue: Cue) -> str:
    """A cue's name and side in words."""
    name = cue.name.replace("_", " ")
    return name if cue.side == "both" else f"{name} {cue.side}"


def _made(kind: Kind, cue: int | None, ok: bool, what: str, expected: str, found: str, tolerance: float | None = None) -> Check:
    return Check(kind, cue, bool(ok), expected, found, tolerance,
                 f"{what}: {expected}" if ok and expected == found else f"{what}: expected {expected}, found {found}")


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")


def _sides(side: str) -> str:
    return "both sides" if side == "both" else f"the {side}"


def _other(side: str) -> str:
    return "left" if side == "right" else "right"


def _mirror(action: str) -> str:
    stem, _, side = action.rpartition("_")
    return f"{stem}_{_other(side)}"


def _window(i: int, schedule: Schedule | None) -> tuple[float, float] | None:
    """First start and last end of the events of a cue."""
    own = [e for e in schedule.events if e.cue == i] if schedule is not None else []
    if schedule is None or not own:
        return None
    return min(e.start for e in own), max(e.end(schedule.seconds) for e in own)


def _inside(s: Span, start: float, end: float) -> bool:
    """Whether more than half of a span lies between two times, or it fills more than half of them."""
    return s.shared(start - AROUND, end + AROUND) >= 0.5 * min(s.seconds, max(end - start, 0.1))


def _group(cues: tuple[Cue, ...], i: int) -> int:
    """The first cue of those that are done together with cue ``i``."""
    while i and cues[i].join == "with":
        i -= 1
    return i


def _longest(cue: Cue) -> float:
    """Seconds that a cue's parts may be apart from the first one."""
    if cue.kind != "behaviour":
        return 0.3
    return max(p.at[1] + p.rise[1] + p.hold[1] + p.fall[1] for p in BEHAVIOUR[cue.name].parts)
