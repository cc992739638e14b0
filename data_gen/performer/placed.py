"""A cue with its place in a clip, and the events that perform it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...face.facs.poses import pose_of
from ...face.facs.schedule import Event
from ...face.facs.vocabulary import ACTION
from .expand import Move
from .items import FULL, Item, Items, fitted, span

REST = 0.32
"""Shortest rest at the end of a clip, s; not after what is held or said to last to the end."""
FRAME = 0.04
AXES = ("head", "gaze", "jaw_y")
"""Beginnings of the channels that have a direction."""
_EPS = 1e-6


@dataclass
class Placed:
    """A cue with its start; ``seconds`` is its duration where that is not its natural one."""

    move: Move
    start: float
    ease: float
    seconds: float | None = None
    stays: bool = False
    release: tuple[float, float] | None = None
    """When what is held is let go, and how long that takes."""

    @property
    def items(self) -> Items:
        return self.move.items(self.ease, self.seconds)

    @property
    def end(self) -> float:
        """When it is over; of what stays, when it is fully there and has been seen."""
        if self.stays:
            return self.apex + REST
        return self.start + span(self.items)

    @property
    def apex(self) -> float:
        """When its last part is fully there."""
        return self.start + max(i.at + min(i.rise, i.seconds) for i in self.move.items(self.ease))

    @property
    def counted(self) -> Item | None:
        """The only item, where it is done a number of times or in no time."""
        item = self.move.single
        return item if item and (item.period or item.count > 1 or item.name in FULL) else None

    @property
    def letting_go(self) -> float:
        """When its last part begins to go."""
        return self.start + max(i.end - i.fall for i in self.items)


def events_of(p: Placed, seconds: float) -> list[Event]:
    """A placed cue as events."""
    items = p.items
    if p.release is not None:
        until = p.release[0]
    elif p.stays:
        until = seconds
    else:
        return [e for i in items if (e := _event(i, p.start + i.at, p.move.index, seconds))]
    length = until - p.start
    fall = 0.0 if p.release is None else p.release[1]
    out = []
    if len(items) > 1:
        most = max(i.fall for i in items)
        items = p.move.items(p.ease, max(length + most, span(items))) if p.stays else items
    for i in items:
        start = p.start + i.at
        over = i.end > length + fall - REST if len(items) > 1 else True
        if start >= until - FRAME:
            continue
        if i.period or i.count > 1 or i.name == "blink":
            if p.stays or over:
                one = i.period or i.rise + i.hold + i.fall + (i.rest or 0.4)
                count = max(1, round((until - start) / one)) if p.stays else i.count
                i = fitted(replace(i, count=count, rest=i.rest or 0.4), until - start)[0]
            out.append(_event(i, start, p.move.index, seconds, stays=p.stays and p.release is None))
        elif not over or len(items) > 1 and p.stays and not i.stretch and i.end < length:
            out.append(_event(i, start, p.move.index, seconds))
        else:
            rise = min(i.rise, until - start)
            out.append(Event(i.name, _r(start), _r(rise), _r(max(until - start - rise, 0.0)), _r(fall), _s(i.strength),
                             side=i.side, cue=p.move.index))
    return [e for e in out if e is not None]


def _event(item: Item, start: float, cue: int, seconds: float, stays: bool = False) -> Event | None:
    """An item as an event; None where the clip is over before it."""
    if start >= seconds - _EPS:
        return None
    once = int(item.name in ("blink", "wink_left", "wink_right"))
    count = item.count if item.period or item.count > 1 else once
    edge = item.period / (4 if item.name == "shake" else 2)
    rise, fall = (edge, edge) if item.period else (item.rise, item.fall)
    hold = max(item.seconds - rise - fall, 0.0)
    return Event(item.name, _r(start), _r(rise), _r(hold), 0.0 if stays else max(_r(fall), 0.001), _s(item.strength), count,
                 item.side, cue)


def _r(seconds: float) -> float:
    return round(seconds, 3)


def _s(strength: float) -> float:
    return round(min(max(strength, 0.01), 1.0), 3)


def _axis(event: Event) -> frozenset[str]:
    """The angles that an event holds."""
    if event.is_emotion or ACTION[event.name].cyclic or event.cycles > 1:
        return frozenset()
    return frozenset(c for c in pose_of(event.name) if c.startswith(AXES))


def interrupted(events: Sequence[Event], seconds: float) -> list[Event]:
    """Events on one axis of the head, gaze or jaw: what lasts is left for what happens during it, and taken up again."""
    out = []
    for event in events:
        axis = _axis(event)
        rest: Event | None = event
        over = seconds if event.stays else event.apex + event.hold
        for other in sorted(events, key=lambda e: e.start):
            if rest is None or not axis & _axis(other) or other.cue == event.cue or not rest.apex < other.start < over - _EPS:
                continue
            out.append(replace(rest, hold=_r(other.start - rest.apex), fall=max(other.rise, 0.001)))
            begin = other.apex + other.hold
            rest = None if other.stays or begin >= over - _EPS else replace(
                event, start=_r(begin), rise=other.fall, hold=_r(max(over - begin - other.fall, 0.0)))
        if rest is not None:
            out.append(rest)
    return out
