"""From a script (what is asked) to a schedule (primitive events with all their times).

Cues stand in their order on the grid of the motion tokens, and exactly where a time was said. In a clip whose length is
stated they get more room or less: holds and rests change first, speeds last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...face.facs.poses import pose_of
from ...face.facs.schedule import Schedule, Style
from ...face.facs.script import MAX_SECONDS, Cue, Script
from ...face.facs.vocabulary import ACTION, DIRECTIONS, GROUPS
from .expand import Banned, Move, banned, expand
from .items import TIMING, span
from .placed import AXES, FRAME, REST, Placed, events_of, interrupted
from .sampler import STEP, regions

_HARDEST = 3.0
"""The largest ease (see ``expand.eased``): everything as short as it can be."""
_DEFAULT_SECONDS = 2.4
_HELD = 1.28
"""Seconds that what is held is seen for, in a clip whose length isn't stated."""
_EPS = 1e-6
_SWINGS = {"nod": ("look_up", "look_down"), "shake": ("turn_left", "turn_right")}
"""Oscillations of the head and the movements on the same axis, which would make something else of them."""


class _NoRoom(ValueError):
    """A cue that should end at a stated time cannot begin late enough."""


@dataclass
class _State:
    """What is placed so far."""

    placed: list[Placed] = field(default_factory=list)
    group: list[Placed] = field(default_factory=list)
    free: float = 0.0
    """When everything that doesn't stay is over."""
    loose: float = 0.0
    """The same of all whose end is not stated."""
    during: bool = False
    """Whether the next ones may happen during those whose end is stated."""


def _groups(moves: Sequence[Move]) -> list[list[Move]]:
    """Cues that happen together."""
    out: list[list[Move]] = []
    for move in moves:
        if move.cue.join == "with" and out:
            out[-1].append(move)
        else:
            out.append([move])
    return out


def _cued(cues: Sequence[Cue], index: int) -> Banned:
    """What is done by cues of their own together with a feeling or behaviour, on one side or so often: no part of that."""
    first, last = index, index + 1
    while first > 0 and cues[first].join == "with":
        first -= 1
    while last < len(cues) and cues[last].join == "with":
        last += 1
    own = [c for c in cues[first:last] if c is not cues[index] and c.kind == "action"]
    out = {(c.action, "both") for c in own if c.side != "both" or c.count}
    out |= {(n, "both") for c in own for swings, ways in _SWINGS.items() if c.action in (swings, *ways) for n in (swings, *ways)}
    return frozenset(out | {(f"{c.name}_{side}", "both") for c in own if c.name in DIRECTIONS for side in ("left", "right")})


def _near(a: Move, b: Move) -> bool:
    """Whether two moves turn the same thing, so that one's return could be taken for a part of the other."""
    mine, other = ({ACTION[n].region for n in move.names if n in ACTION} for move in (a, b))
    return bool(mine & other & {"head", "gaze", "jaw"})


def _opposed(a: Move, b: Move) -> bool:
    """Whether two moves take head, eyes or jaw the opposite ways."""
    if not (a.single and b.single) or a.single.period or b.single.period:
        return False
    ways = ({c: v for c, v in pose_of(m.single.name).items() if c.startswith(AXES)} for m in (a, b) if m.single)
    mine, other = ways
    return any(v * other.get(c, 0.0) < 0.0 for c, v in mine.items())


def _stays(cue: Cue) -> bool:
    return cue.held and cue.count is None and cue.seconds is None and cue.end is None


def _ends(cue: Cue) -> bool:
    """Whether it is stated when it is over."""
    return cue.end is not None or cue.start is not None and cue.seconds is not None


class _Layout:
    """Places groups of cues one after the other."""

    def __init__(self, script: Script, seed: int, step: float) -> None:
        rng = np.random.default_rng([seed, 13])
        without = banned(script.never)
        self.script, self.seed, self.step = script, seed, step
        self.moves = [expand(i, cue, rng, without | _cued(script.cues, i), without) for i, cue in enumerate(script.cues)]
        self.groups = _groups(self.moves)
        self.more = rng.choice([0.0, 0.16], len(self.groups))  # beyond the usual rest before each
        self.lead, self.tail = (float(rng.choice(values)) for values in (TIMING.lead, TIMING.tail))
        self.trouble = ""
        self.style = Style(asymmetry=float(np.clip(round(rng.normal(0.0, 0.02), 3), -0.05, 0.05)))

    # -- one group --------------------------------------------------------------------------
    def _up(self, seconds: float, step: float) -> float:
        return round(step * float(np.ceil(round(seconds / step, 4))), 4)

    def _rest(self, before: Placed, names: frozenset[str], ease: float, more: float) -> float:
        """Rest between two cues, so that each can be told from the other."""
        old = before.move.names
        if "neutral" in old and before.seconds:
            return 0.0
        near = {r for n in old - {"neutral"} for r in regions(n)} & {r for n in names - {"neutral"} for r in regions(n)}
        usual, least = TIMING.gaps["same" if old & names else "region" if near else "other"]
        if ease <= 0.0:
            return (usual + more) * (1.0 - 1.5 * ease)
        return usual + more + min(ease, 1.0) * (least - usual - more)

    def _begin(self, at: int, state: _State, ease: float, step: float) -> float:
        """When a group starts."""
        host = self.groups[at][0]
        cue = host.cue
        if cue.start is not None:
            return cue.start
        before = state.group
        if (cue.join == "into" or cue.name == "neutral") and before:
            start = max(p.letting_go if not p.stays or p.release else p.apex + TIMING.kinds["emotion"].least[1] for p in before)
            if cue.pause is not None:
                return start + cue.pause
            return self._up(start, step)
        if cue.pause is not None:
            return (state.loose if state.during else state.free) + cue.pause
        if cue.name == "neutral":  # a face at rest to begin with
            return 0.0
        start = self._up(self.lead if ease <= 1.0 else min(self.lead, step), step)
        names = frozenset().union(*(m.names for m in self.groups[at]))
        for p in state.placed[-12:]:
            if state.during and _ends(p.move.cue):
                start = max(start, p.apex)
            else:
                start = max(start, p.end + (0.0 if p.stays else self._rest(p, names, ease, float(self.more[at]))))
        return self._up(max(start, state.loose if state.during else state.free), step)

    def _let_go(self, state: _State, host: Placed) -> None:
        """What a transition or a neutral face ends."""
        cue = host.move.cue
        if cue.name == "neutral":
            ended = [p for p in state.placed if p.stays or p in state.group]
        elif cue.join == "into":
            ended = state.group
        else:
            return
        item = host.items[0]
        rise = min(0.64, max(i.rise or i.period / 2 for i in host.items)) if host.items else item.rise
        for p in ended:
            if p.start < host.start - 2 * FRAME and p.release is None and (p.stays or p.move.lasts or p.move.single):
                p.release = (host.start, rise)
                if cue.name == "neutral" and cue.seconds is not None and cue.start is None and cue.end is None:
                    host.seconds = cue.seconds + rise  # a rest is seen once the face is at rest

    def group(self, at: int, state: _State, ease: float, step: float) -> None:
        """Place the next group.

        Raises:
            _NoRoom: it should end before it can begin.
        """
        members = self.groups[at]
        start = self._begin(at, state, ease, step)
        host = self._place(members[0], start, ease)
        self._let_go(state, host)
        group = [host]
        limited = not (host.stays or host.move.lasts)
        for move in members[1:]:
            cue, begin = move.cue, start
            brief = not (move.lasts or _stays(cue))
            if cue.start is not None:
                begin = cue.start
            elif cue.pause is not None:
                begin = start + cue.pause
            elif _opposed(host.move, move):  # the one, then the other
                begin = self._up(host.apex + REST, step)
            elif brief and (host.stays or host.move.lasts or self._contains(host, move, ease)):
                # during what lasts: once that is there
                late = self._up(host.apex + (REST if _near(host.move, move) else 0.0), step) - start
                room = host.end - start - span(move.items(ease, cue.seconds))
                begin = start + (late if not limited else float(np.clip(late, 0.0, max(room / 2, 0.0))))
            group.append(self._place(move, begin, ease))
        self._last_as_long(group)
        state.placed += group
        state.group = group
        state.free = max([state.free, *(p.end for p in group)])
        state.loose = max([state.loose, *(p.end for p in group if not _ends(p.move.cue))])

    def _contains(self, host: Placed, move: Move, ease: float) -> bool:
        item = host.move.single
        return item is not None and not item.period and item.count == 1 and span(host.items) > 2 * span(move.items(ease))

    def _place(self, move: Move, start: float, ease: float) -> Placed:
        cue, seconds = move.cue, move.cue.seconds
        if cue.end is not None:
            seconds = cue.end - start
            stated = sum(filter(None, (cue.onset, cue.hold, cue.offset)))
            least = max(span(move.items(ease)) * (1.0 if ease < 2.0 else 0.7), stated)
            if seconds < least - _EPS:
                raise _NoRoom(f"{cue.name} takes {least:.1f} s, cannot begin before {start:.1f} s, and should be over at "
                              f"{cue.end:g} s; let it end later")
        return Placed(move, start, ease, seconds, _stays(cue))

    def _last_as_long(self, group: list[Placed]) -> None:
        """What can be held lasts as long as what happens during it."""
        lasting = [p for p in group if p.move.lasts and not p.stays and p.counted is None]
        if len(group) < 2 or not lasting:
            return
        goes = max(p.letting_go for p in group if not p.stays and p.counted is None)
        for p in group:
            if p.counted is not None and not p.stays:
                goes = max(goes, p.end + max([0.48 for o in lasting if _near(o.move, p.move)], default=0.0))
        for p in lasting:
            fall = max(i.fall or i.period for i in p.items)
            p.seconds = goes + fall - p.start

    # -- all groups ---------------------------------------------------------------------------
    def _run(self, first: int, last: int, state: _State, ease: float, step: float) -> _State | None:
        """Groups ``first`` to ``last`` (exclusive) placed after ``state``; None where one has no room."""
        new = _copy(state)
        try:
            for at in range(first, last):
                self.group(at, new, ease, step)
        except _NoRoom as err:
            self.trouble = str(err)
            return None
        return new

    def _best(self, first: int, last: int, state: _State, limit: float, room: bool) -> _State | None:
        """The roomiest placement that is over at ``limit``; None where there is none."""
        def fits(ease: float, step: float) -> _State | None:
            new = self._run(first, last, state, ease, step)
            return new if new and new.loose <= limit + _EPS else None

        high = next((e for e in ([-1.0] if room else []) + [0.0, 1.0, 2.0] if fits(e, self.step)), None)
        if high is None:
            return fits(2.0, min(FRAME, self.step)) or fits(_HARDEST, min(FRAME, self.step))
        low = {-1.0: -1.0, 0.0: -1.0 if room else 0.0, 1.0: 0.0, 2.0: 1.0}[high]
        for _ in range(7 if low < high else 0):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if fits(middle, self.step) else (middle, high)
        return fits(high, self.step)

    def run(self) -> tuple[_State, float]:
        """All groups, and the clip's length.

        Raises:
            ValueError: the cues need a longer clip.
        """
        asked = self.script.seconds
        state, first = _State(), 0
        for at, members in enumerate(self.groups):
            cue = members[0].cue
            if cue.start is None and cue.end is None:
                continue
            last = at if cue.start is not None else at + 1
            if last > first:
                state = self._before(cue, first, last, state)
            first = last
        during = replace(state, during=True)
        limit = np.inf if asked is None else asked - REST
        best = (self._best(first, len(self.groups), state, limit, asked is not None)
                or self._best(first, len(self.groups), during, limit, False))
        if best is None and asked is not None:
            best = self._best(first, len(self.groups), during, asked - FRAME, False)
        if best is None:
            tight = self._run(first, len(self.groups), during, _HARDEST, min(FRAME, self.step))
            raise ValueError(self.trouble if tight is None else f"the cues need at least {tight.loose + REST:.1f} s, and the "
                             f"clip has {asked:g} s; make it longer, or leave something out")
        return best, self._seconds(best)

    def _before(self, cue: Cue, first: int, last: int, state: _State) -> _State:
        """Groups before a cue whose start is stated, or up to one whose end is; into it where they have no room."""
        limit = np.inf if cue.start is None else cue.start - TIMING.gaps["other"][1]
        for now in (state, replace(state, during=True)):
            if best := self._best(first, last, now, limit, False):
                return replace(best, during=False)
        tight = self._run(first, last, state, _HARDEST, min(FRAME, self.step))
        if tight is None:
            raise ValueError(self.trouble)
        return tight

    def _seconds(self, state: _State) -> float:
        """The clip's length: as asked, or as needed."""
        asked = self.script.seconds
        late = max([p.start for p in state.placed] + [0.0])
        hard = max([0.0, *(p.end for p in state.placed if not p.stays)])
        if asked is not None:
            for p in state.placed:
                if not p.stays and p.end > asked + 0.02 or p.start >= asked:
                    raise ValueError(f"{p.move.cue.name} lasts until {p.end:.1f} s, and the clip has {asked:g} s; make it longer")
            return asked
        held = [p.apex + (p.move.cue.hold or _HELD) for p in state.placed if p.stays and p.release is None]
        seconds = max([hard + self.tail] + held) if state.placed else _DEFAULT_SECONDS
        seconds = self._up(max(seconds, late + self.step, 9 * STEP), self.step)
        if seconds > MAX_SECONDS:
            raise ValueError(f"the cues need {seconds:.0f} s; a clip has at most {MAX_SECONDS:g} s: leave some out")
        return seconds


def _copy(state: _State) -> _State:
    """A copy whose placements can be changed; the moves are shared."""
    copies = {id(p): replace(p) for p in state.placed}
    return _State(list(copies.values()), [copies[id(p)] for p in state.group], state.free, state.loose, state.during)


def lay_out(script: Script, seed: int = 0, step: float = STEP) -> Schedule:
    """Give every cue of a script its times.

    Args:
        script: what is asked.
        seed: of durations, rests and whatever a behaviour leaves open; the same seed gives the same schedule.
        step: seconds between the points of the grid on which everything starts whose time is not said.

    Returns:
        A schedule of actions and emotions, each with the index of its cue, of exactly ``script.seconds`` where that is said.
        Everything is over 0.32 s before the end, unless it is held or said to last that long.

    Raises:
        ValueError: the cues don't fit (the message names the length that they need), or contradict one another.
    """
    _uncontradicted(script)
    state, seconds, style = _fitting(script, seed, step)
    events = [e for p in state.placed for e in events_of(p, seconds)]
    events = sorted(interrupted(events, seconds), key=lambda e: (e.start, e.cue))
    return Schedule(seconds, tuple(events), style=style, seed=seed)


def _uncontradicted(script: Script) -> None:
    """Refuse a cue that should never happen by the same script."""
    for never in script.never:
        group = GROUPS.get(never.name, frozenset()) if never.side == "both" and never.name != "anything" else ()
        for cue in script.cues:
            if never.name in (cue.name, cue.action) and never.side in ("both", cue.side) or cue.action in group:
                asked, refused = (f"{n.name}{f' {n.side}' * (n.side != 'both')}" for n in (cue, never))
                raise ValueError(f"the script asks for {asked!r} and says 'never {refused}', which holds for the whole clip; "
                                 "leave one of them out")


def _fitting(script: Script, seed: int, step: float) -> tuple[_State, float, Style]:
    """Everything placed, the clip's length, and the style.

    Stated durations that leave no room for onsets and rests (three times 20 s in a minute) give a little of their time.
    """
    error: ValueError | None = None
    for share in (1.0, 0.97, 0.93, 0.88, 0.83) if script.seconds else (1.0,):
        said = ("seconds", "onset", "hold", "offset", "pause")
        cues = tuple(replace(c, **{k: getattr(c, k) * share for k in said if getattr(c, k) is not None}) for c in script.cues)
        try:
            layout = _Layout(replace(script, cues=cues) if share < 1.0 else script, seed, step)
            return *layout.run(), layout.style
        except ValueError as err:
            error = error or err
    assert error is not None
    raise error
