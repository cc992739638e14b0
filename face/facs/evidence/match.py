"""Which spans of a measurement answer which cue of a script, and what no cue explains."""

from __future__ import annotations

from dataclasses import replace

from ..measured import Measurement
from ..schedule import Schedule
from ..script import Cue, Never, Script, sided
from ..vocabulary import ACTION, BEHAVIOUR, DIRECTIONS, EMOTIONS, GROUPS, allowed_with
from .parts import HIDDEN_BY, IN_SMILES, WEAK_LIDS, Part, explains, never_actions, parts_of
from .spans import IDLE, Span, all_spans, at_levels, joined, shown_by

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
UNSEEN = 0.26
"""What is asked for weaker than this lies below the thresholds of the measurement."""
UNSEEN_SWING = 0.34
"""The same of nods and shakes, which grow smaller from swing to swing."""
PART = 0.5
"""Of an emotion, feeling or behaviour beside another at the same time, this share of what shows it; the rest may be hidden."""


class Match:
    """A script beside a measurement; ``found[i]`` is what answers cue ``i``, None when nothing does.

    With a schedule every cue is looked for in its own time, else the cues are matched in their order.
    """

    def __init__(self, script: Script, m: Measurement, schedule: Schedule | None = None) -> None:
        self.script, self.m, self.cues = script, m, script.cues
        self.without = never_actions(script.never)
        self.spans = all_spans(m, self.without)
        self.windows = [_window(i, schedule) for i in range(len(self.cues))]
        self.parts = [self._parts(i) for i in range(len(self.cues))]
        self.taken: set[int] = set()
        """Actions that answer a cue."""
        self._answers: dict[tuple[str, str], set[int]] = {}
        self.found: list[Span | None] = []
        for i, cue in enumerate(self.cues):
            self.found.append(self._look(i))
            if (span := self.found[-1]) is not None:
                self.taken |= span.actions
                self._answers.setdefault((cue.action, cue.side), set()).update(span.actions)
        self._split_levels()

    # -- the script ------------------------------------------------------------------------
    def group(self, i: int) -> range:
        """The cues that are done together with cue ``i``, itself included."""
        first, last = i, i + 1
        while first and self.cues[first].join == "with":
            first -= 1
        while last < len(self.cues) and self.cues[last].join == "with":
            last += 1
        return range(first, last)

    def in_group(self, i: int) -> bool:
        """Whether other cues happen at the same time."""
        return len(self.group(i)) > 1

    def shared(self, i: int, span: Span) -> bool:
        """Whether another cue at the same time does, or may do, the same action, or does it on the other side."""
        cue = self.cues[i]
        if cue.kind not in ("action", "behaviour"):
            return False
        others = [c for k, (c, s) in enumerate(zip(self.cues, self.found, strict=True))
                  if k != i and s is not None and (s.together(span) or k in self.group(i))]
        own = frozenset({cue.action}) if cue.kind == "action" else explains(cue)
        return any(c.name in HIDDEN_BY.get(cue.name, ()) or own & explains(c) and (
            c.kind != "action" or c.action == cue.action and c.side not in ("both", cue.side)) for c in others)

    def _parts(self, i: int) -> tuple[tuple[Part, ...], ...]:
        cue = self.cues[i]
        groups = parts_of(cue, self.without, self.in_group(i))
        others = [self.cues[k] for k in self.group(i) if k != i]
        if covers := tuple(c.action for c in others if c.name in HIDDEN_BY.get(cue.name, ())):
            return ((Part((cue.action, *covers), cue.side),),)
        sides = {c.side for c in (*others, cue) if c.action == cue.action}
        if not {"left", "right"} <= sides:
            return groups
        return tuple(tuple(replace(p, hidden=True) for p in group) for group in groups)

    # -- looking for a cue -----------------------------------------------------------------
    def _look(self, i: int) -> Span | None:
        cue, window, groups = self.cues[i], self.windows[i], self.parts[i]
        if not groups:
            return None
        if window is not None:
            found = self._within(i, *window)
            return found or self._blended(i, *window)
        after, longest = self._cursor(i), max(cue.seconds or 0.0, longest_of(cue))
        # the first place from here on that has everything, else any place
        anchors = [s for p in groups[0] for s in self.matching(p)]
        anchors.sort(key=lambda s: (s.start < after, bool(s.actions & self.taken), s.start))
        for anchor in anchors:
            until = self.m.seconds if cue.kind == "action" or cue.kind == "emotion" and cue.count else anchor.end
            if (span := self._within(i, anchor.start - longest, until + longest, anchor)) is not None:
                return span
        return self._blended(i, after - ORDER, self.m.seconds)

    def _split_levels(self) -> None:
        """Something that turns into more or less of the same is one movement with several levels."""
        i = 0
        while i < len(self.cues):
            j = i + 1
            while j < len(self.cues) and self.cues[j].join == "into" and self.cues[j].action == self.cues[i].action:
                j += 1
            span = next((s for s in self.found[i:j] if s is not None), None)
            if j - i > 1 and self.cues[i].kind in ("action", "emotion") and span is not None and all(
                    s.actions == span.actions if s is not None else self.too_faint(k)
                    for k, s in enumerate(self.found[i:j], i)):
                rows = at_levels(span)
                shown = [k for k in range(i, j) if len(rows) == j - i or not self.too_faint(k)]
                at = dict(zip(shown, rows, strict=False))
                self.found[i:j] = [at.get(k) for k in range(i, j)]
            i = j

    def too_faint(self, i: int) -> bool:
        """Whether what is asked for lies below the thresholds of the measurement."""
        cue = self.cues[i]
        return cue.name != "neutral" and (cue.strength or 1.0) < (UNSEEN_SWING if cue.name in ("nod", "shake") else UNSEEN)

    def _blended(self, i: int, start: float, end: float) -> Span | None:
        """An emotion that another one at the same time hides in part."""
        cue = self.cues[i]
        others = [self.cues[k] for k in self.group(i) if k != i]
        if cue.kind != "emotion" or cue.name == "neutral" or not any(c.kind in ("emotion", "feeling") for c in others):
            return None
        acts = [s for name, rows in self.spans.items() if name in ACTION for s in rows]
        return next((s for s in shown_by(cue.name, acts, self.without, PART) if _inside(s, start, end)), None)

    def _cursor(self, i: int) -> float:
        """The time from which a cue is looked for: not before the one that it follows."""
        cue = self.cues[i]
        before = [s for s in self.found[:i] if s is not None]
        if cue.start is not None:
            return cue.start - AROUND
        if not before:
            return 0.0
        return before[-1].start - GAP if cue.join == "with" else before[-1].apex - ORDER

    def matching(self, part: Part) -> list[Span]:
        """Spans of a part's names; those of another side only where there are none of its own."""
        rows: list[Span] = []
        for text in part.names:
            name, _, own = text.partition(".")
            # a movement that is measured under two names counts once
            rows += [s for s in self.spans.get(name, []) if (not own or s.side == own) and (
                name == part.names[0] or not any(s.shared(r.start, r.end) > 0 for r in rows))]
        both = [s for s in rows if s.side == "both"]
        right = [s for s in rows if part.side in (None, s.side) or part.hidden and s.side == "both"]
        return sorted(right or both or rows, key=lambda s: s.start)

    def of_side(self, i: int, span: Span) -> list[Span]:
        """What shows the parts of a cue that one side should do."""
        return [s for group in self.parts[i] for p in group if p.side in ("left", "right") for s in self.matching(p)
                if s.shared(span.start, span.end) > 0 and (s.side != "both" or ACTION.get(s.name, ACTION["nod"]).paired)]

    def _within(self, i: int, start: float, end: float, anchor: Span | None = None) -> Span | None:
        """What answers every group of a cue between two times, as one span."""
        cue, groups = self.cues[i], self.parts[i]
        rows: list[Span] = []
        # what answers one cue cannot answer another of the same name, unless that one takes over from it
        used = self._answers.get((cue.action, cue.side), set()) if cue.join != "into" else set()
        answered = 0
        for group in groups:
            best: list[Span] = []
            for part in group:
                near = [s for s in self.matching(part) if _inside(s, start, end) and not s.actions & used]
                if not near and cue.kind in ("feeling", "behaviour"):  # at one of several levels of a longer movement
                    near = [v for s in self.matching(part) for v in at_levels(s) if s.levels and _inside(v, start, end)]
                if cue.kind == "action" or cue.kind == "emotion" and cue.count:
                    near = self._run_of(i, near, start, anchor)
                elif anchor is not None and group is groups[0]:
                    near = [s for s in near if s.start >= anchor.start]
                if sum(s.count for s in near) >= part.times and (not best or part.side == near[0].side):
                    best = near if part.times > 1 or cue.count or part.hidden or cue.name == "blink" else near[:1]
            if not best and (cue.kind not in ("feeling", "behaviour") or not self.in_group(i)):
                return None
            answered += bool(best)
            rows += best
        # what is done at the same time may hide some of it
        return joined(rows, cue.action) if rows and answered >= PART * len(groups) else None

    def _run_of(self, i: int, near: list[Span], start: float, anchor: Span | None) -> list[Span]:
        """The occurrences of an action that belong to one cue."""
        cue = self.cues[i]
        if anchor is not None:
            near = [s for s in near if s.start >= anchor.start and (s is anchor or not self._of_emotion(s))]
        elif near and near[0].start > start + late(cue) and cue.count is None:
            return []
        if cue.count is not None and anchor is None:
            return near
        again = any(c.action == cue.action for c in self.cues[i + 1 :])
        run = near[:1]
        # what is counted, or done as often as there is time for
        apart = PERIOD if cue.count or cue.name == "blink" and (cue.end or cue.seconds) else REPEAT
        for s in near[1:]:
            if s.start - run[-1].end >= apart:
                break
            if again and cue.count is not None and sum(r.count for r in run) >= cue.count:
                break  # the next cue of that name begins here
            run.append(s)
        return run

    def _of_emotion(self, span: Span) -> bool:
        """Whether an action is part of an emotion that the script asks for, too."""
        felt = [e for c in self.cues if c.kind == "emotion" and c.name != "neutral" for e in self.spans.get(c.name, [])]
        return any(span.name in allowed_with(e.name) and span.together(e) and span.start > e.start - AROUND
                   and not e.actions <= span.actions for e in felt)

    def extent(self, i: int, span: Span) -> Span:
        """A cue's span with everything that it may show: a behaviour lasts longer than what it must show."""
        cue, window = self.cues[i], self.windows[i]
        if cue.kind != "behaviour":
            return span
        start, end = window or (span.start - longest_of(cue), span.end + longest_of(cue))
        others = frozenset().union(*(s.actions for k, s in enumerate(self.found) if k != i and s is not None))
        own = [s for n in explains(cue) for s in self.spans.get(n, [])
               if s.start > start - AROUND and s.end < end + AROUND and not s.actions & others
               and (s.name not in IDLE or any(p.name == s.name for p in BEHAVIOUR[cue.name].parts))]
        rows = [*own, span] if span.start > start - AROUND else own or [span]
        return replace(span, start=min(s.start for s in rows), end=max(s.end for s in rows))

    # -- what should not be there ------------------------------------------------------------
    def breaks(self, never: Never) -> list[Span]:
        """What should not be there; a cue that asks for it itself is no breach of a whole region's rest."""
        if never.name in GROUPS and never.side == "both":
            return [s for n in GROUPS[never.name] for s in self.spans.get(n, []) if not s.actions & self.taken]
        name = sided(never.name, never.side) if never.side != "both" else never.name
        if name in ACTION or name in EMOTIONS or name in DIRECTIONS:
            names = [f"{name}_left", f"{name}_right"] if name in DIRECTIONS else [name]
            return [s for n in names for s in self.spans.get(n, [])
                    if never.side == "both" or n.endswith(never.side) or s.side in ("both", never.side)]
        alone = Match(Script((Cue(never.name, never.side),)), self.m)
        loose = frozenset[int]().union(*(s.actions for s in self.unexplained()))
        return [s for s in alone.found if s is not None and s.actions & loose]

    def unexplained(self) -> list[Span]:
        """Measured actions that answer no cue and that no cue entails at that time."""
        allowed = []
        for i, cue in enumerate(self.cues):
            span, window = self.found[i], self.windows[i]
            times = [t for t in (span and (span.start, span.end), window) if t]
            if times:
                far = AROUND if window or cue.kind != "behaviour" else max(AROUND, longest_of(cue))
                allowed.append((explains(cue), min(t[0] for t in times) - far, max(t[1] for t in times) + far,
                                cue.action if cue.kind == "action" else ""))
        rows = [s for name, spans in self.spans.items() if name in ACTION for s in spans if not s.actions & self.taken]
        smiles = self.spans.get("smile", [])
        rows = [s for s in rows if not (s.name in IN_SMILES and s.strength < WEAK_LIDS and any(s.together(o) for o in smiles))]
        return [s for s in rows if not any(_named(s) & names and s.name != own and _inside(s, a, b)
                                           for names, a, b, own in allowed)]


def _named(s: Span) -> frozenset[str]:
    """What a movement can be called: a syllable or two is also a mouth that opens for a moment."""
    return frozenset({s.name, "mouth_open"}) if s.name == "talking" and s.count < 3 else frozenset({s.name})


def late(cue: Cue) -> float:
    """How long after its time a cue's movement may be seen first; a slow one is seen late."""
    return LATE + 0.4 * (cue.onset or 0.0)


def longest_of(cue: Cue) -> float:
    """Seconds that a cue's parts may be apart from the first one."""
    if cue.kind != "behaviour":
        return 0.3
    once = max(p.at[1] + p.rise[1] + p.hold[1] + p.fall[1] for p in BEHAVIOUR[cue.name].parts)
    return max(cue.seconds or 0.0, once * (cue.count or 1))


def _window(i: int, schedule: Schedule | None) -> tuple[float, float] | None:
    """First start and last end of the events of a cue."""
    own = schedule.of_cue(i) if schedule is not None else []
    if schedule is None or not own:
        return None
    return min(e.start for e in own), max(e.end(schedule.seconds) for e in own)


def _inside(s: Span, start: float, end: float) -> bool:
    """Whether more than half of a span lies between two times, or it fills more than half of them."""
    return s.shared(start - AROUND, end + AROUND) >= 0.5 * min(s.seconds, max(end - start, 0.1))
