"""Schedules cut into windows of a few seconds, and windows as tokens.

A long performance is written window by window, each from the state that the one before ended in. Windows end where nothing
moves if there is such a moment, so that a movement is not cut in two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...face.facs.schedule import Event, Schedule
from ...face.facs.vocabulary import ACTION, DIRECTIONS, EMOTION
from .script_tokens import LEVELS, MAX_COUNT, MAX_STEPS

SHORTEST, LONGEST, WHOLE = 12, 32, 40
"""Tokenizer steps of a window; what is not longer than ``WHOLE`` is not cut."""
_CHUNK = 18
"""Most steps of one repeated movement; longer ones are written as several."""


@dataclass(frozen=True)
class WindowEvent:
    """One primitive event, times in tokenizer steps from the window's beginning."""

    name: str
    """An action with its direction (``turn_left``), or an emotion."""
    start: int
    rise: int
    hold: int
    fall: int
    """0 where it lasts beyond the window."""
    level: int
    """Strength in 20ths of full scale."""
    count: int = 0
    side: str = "both"
    on: bool = False
    """Whether it began before the window."""

    def tokens(self) -> list[str]:
        """The event's tokens."""
        stem, _, direction = self.name.rpartition("_")
        directed = stem in DIRECTIONS and direction in ("left", "right")
        name, side = (stem, direction) if directed else (self.name, self.side)
        return [f"@{name}", *([side] if side != "both" else []), f"s{self.level}", *([f"x{self.count}"] if self.count else []),
                *(["on"] if self.on else []), *(f"n{v}" for v in (self.start, self.rise, self.hold, self.fall))]


@dataclass(frozen=True)
class Window:
    """A stretch of a schedule."""

    start: int
    """Steps from the clip's beginning."""
    steps: int
    events: tuple[WindowEvent, ...]

    def tokens(self) -> list[str]:
        """The window's tokens, without ``OPEN`` and ``CLOSE``."""
        return ["length", f"n{self.steps}", *(t for e in self.events for t in e.tokens())]


@dataclass(frozen=True)
class _Placed:
    """An event with its times in steps from the clip's beginning."""

    event: Event
    start: int
    apex: int
    release: int
    end: int
    """-1 where it stays to the end of the clip."""

    @property
    def moving(self) -> tuple[tuple[int, int], ...]:
        if self.event.cycles:
            return ((self.start, self.end),)
        return ((self.start, self.apex),) + (((self.release, self.end),) if self.end >= 0 else ())


def _placed(schedule: Schedule, step: float) -> list[_Placed]:
    out: list[_Placed] = []
    for event in schedule.events:
        if event.name == "neutral":
            continue
        for part in _chunks(event, step):
            at = [part.start, part.start + part.rise, part.start + part.rise + part.hold,
                  part.start + part.rise + part.hold + part.fall]
            start, apex, release, end = (round(t / step + 1e-6) for t in at)
            end = max(end, start + 1)
            out.append(_Placed(part, start, min(apex, end), min(release, end), -1 if part.stays and not part.cycles else end))
    return out


def _chunks(event: Event, step: float) -> list[Event]:
    """A repeated event as several of at most ``_CHUNK`` steps."""
    whole = event.rise + event.hold + event.fall
    if not event.cycles or whole <= _CHUNK * step and event.cycles <= MAX_COUNT:
        return [event]
    each = whole / event.cycles
    most = max(1, min(MAX_COUNT, int(_CHUNK * step / each)))
    counts = [most] * (event.cycles // most) + ([event.cycles % most] if event.cycles % most else [])
    out, start = [], event.start
    for count in counts:
        length = count * each
        rise, fall = min(event.rise, length / 3), min(event.fall, length / 3)
        out.append(replace(event, start=start, rise=rise, hold=length - rise - fall, fall=fall, cycles=count))
        start += length
    return out


def cut(schedule: Schedule, step: float) -> list[Window]:
    """The windows of a schedule, one after another, of all its steps.

    Args:
        step: seconds of a tokenizer step.
    """
    total = max(1, round(schedule.seconds / step))
    placed = _placed(schedule, step)
    moving = {t for p in placed for a, b in p.moving for t in range(a + 1, b)}
    active = {t for p in placed for t in range(p.start + 1, total if p.end < 0 else p.end)}
    out: list[Window] = []
    low = 0
    while low < total:
        if total - low <= WHOLE:
            high = total
        else:
            choices = range(low + SHORTEST, min(low + LONGEST, total - 4) + 1)
            high = next((c for kind in (active, moving) for c in reversed(choices) if c not in kind), choices[-1])
        out.append(Window(low, high - low, tuple(_within(placed, low, high))))
        low = high
    return out


def _within(placed: Sequence[_Placed], low: int, high: int) -> list[WindowEvent]:
    out = []
    for p in placed:
        end = high if p.end < 0 else p.end
        if p.start >= high or end <= low:
            continue
        at = [min(max(t, low), high) - low for t in (p.start, p.apex, high if p.end < 0 else p.release, end)]
        # what goes on beyond the window is held at its end
        fall = 0 if p.end < 0 or p.end > high and p.release >= high else at[3] - at[2]
        level = min(LEVELS, max(1, round(p.event.intensity * LEVELS)))
        count = min(p.event.cycles, MAX_COUNT)
        out.append(WindowEvent(p.event.name, at[0], at[1] - at[0], at[2] - at[1], fall, level, count,
                               getattr(p.event, "side", "both"), p.start < low))
    return sorted(out, key=lambda e: (e.start, e.name))


def read_window(tokens: Sequence[str], start: int = 0) -> Window:
    """The window that tokens say; the inverse of :meth:`Window.tokens`.

    Raises:
        ValueError: tokens that the grammar does not allow.
    """
    state = WindowGrammar()
    events: list[dict] = []
    for token in tokens:
        before, state = state, state.take(token)
        if token.startswith("@"):
            events.append({"name": token[1:], "numbers": []})
        elif before.phase == "length" or not events:
            continue
        elif token in ("left", "right"):
            name = events[-1]["name"]
            events[-1] |= {"name": f"{name}_{token}"} if name in DIRECTIONS else {"side": token}
        elif token == "on":
            events[-1]["on"] = True
        elif token[0] == "s":
            events[-1]["level"] = int(token[1:])
        elif token[0] == "x":
            events[-1]["count"] = int(token[1:])
        else:
            events[-1]["numbers"].append(int(token[1:]))
    made = []
    for e in events:
        numbers = e.pop("numbers")
        if len(numbers) != 4:
            raise ValueError(f"the event {e['name']} has {len(numbers)} times; 4 are needed")
        made.append(WindowEvent(**e, **dict(zip(("start", "rise", "hold", "fall"), numbers, strict=True))))
    return Window(start, int(tokens[1][1:]), tuple(made))


_STEMS = frozenset(f"@{n.removesuffix('_left').removesuffix('_right')}" for n in ACTION) | {f"@{n}" for n in EMOTION}
_NUMBERS = frozenset(f"n{k}" for k in range(MAX_STEPS + 1))


@dataclass(frozen=True)
class WindowGrammar:
    """What may follow in a window; immutable. ``</script>`` ends it."""

    phase: str = "start"
    """start | length | event | side | level | count | times"""
    name: str = ""
    left: int = 0
    """Times that the event still needs."""

    def allowed(self) -> set[str]:
        """Tokens that may come next."""
        name = self.name.removeprefix("@")
        levels = {f"s{k}" for k in range(1, LEVELS + 1)}
        if self.phase == "start":
            return {"length"}
        if self.phase == "length":
            return set(_NUMBERS) - {"n0"}
        if self.phase == "event":
            return set(_STEMS) | {"</script>"}
        if self.phase == "side":
            if name in DIRECTIONS:
                return {"left", "right"}
            return levels | ({"left", "right"} if name in ACTION and ACTION[name].paired else set())
        if self.phase == "level":
            return levels
        if self.phase == "count":
            return {f"x{k}" for k in range(1, MAX_COUNT + 1)} | {"on"} | set(_NUMBERS)
        return set(_NUMBERS) | ({"on"} if self.phase == "on" else set())

    def take(self, token: str) -> WindowGrammar:
        """The state after a token.

        Raises:
            ValueError: it is not allowed here.
        """
        if token not in self.allowed():
            raise ValueError(f"{token!r} may not follow in a window here ({self.phase} {self.name})")
        if self.phase == "start":
            return replace(self, phase="length")
        if self.phase == "length":
            return replace(self, phase="event")
        if self.phase == "event":
            return WindowGrammar("side", token)
        if self.phase == "side" and token in ("left", "right"):
            return replace(self, phase="level")
        if self.phase in ("side", "level"):
            return replace(self, phase="count")
        if token[0] == "x":
            return replace(self, phase="on")
        if token == "on":
            return replace(self, phase="times", left=4)
        left = (self.left or 4) - 1
        return replace(self, phase="times" if left else "event", left=left)
