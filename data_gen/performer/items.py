"""Primitive events before they have a place in a clip: natural durations, and how they become longer or shorter.

How long things take, how much shorter they can be and how they are repeated is in timing.yaml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import degrees
from typing import Literal

import numpy as np
from pydantic.dataclasses import dataclass as settings

from ...common.config import SETTINGS
from ...face.facs.poses import ACTION_POSES
from ...face.facs.script import Side
from ...face.facs.vocabulary import ACTION, EMOTIONS, sideless
from ..tables import read_table
from .dynamics import main_sequence

Times = tuple[float, float, float]


@settings(frozen=True, config=SETTINGS)
class _Kind:
    rise: tuple[float, ...]
    hold: tuple[float, ...]
    fall: tuple[float, ...]
    least: Times
    again: Times
    least_rest: float
    rest: float | None = None


@settings(frozen=True, config=SETTINGS)
class _Cycles:
    period: float
    least: float
    most: float
    count: int
    least_count: int
    least_strength: float


@settings(frozen=True, config=SETTINGS)
class _Timing:
    kinds: dict[str, _Kind]
    cycles: dict[str, _Cycles]
    gaps: dict[Literal["other", "region", "same"], tuple[float, float]]
    lead: tuple[float, ...]
    tail: tuple[float, ...]


TIMING = read_table(__package__, "timing.yaml", _Timing)
CYCLES = TIMING.cycles
_TO_AND_FRO = 0.12
"""Rest between a look to and fro and the next, s."""
_AGAIN = 5
"""So many parts of one name in a behaviour come again and again."""
FULL = frozenset({"blink", "wink_left", "wink_right"})
"""What is done or not done, at no other strength."""


@dataclass(frozen=True)
class Item:
    """One primitive event of a cue; ``at`` counts from the cue's start, and durations are those of each repetition. Seconds."""

    name: str
    side: Side
    strength: float
    at: float
    rise: float
    hold: float
    fall: float
    count: int = 1
    rest: float = 0.0
    """Between two repetitions."""
    period: float = 0.0
    """Of one cycle of a nod, shake or speech; 0 for what does not oscillate."""
    stretch: bool = False
    said: frozenset[str] = frozenset()
    """Of ``rise, hold, fall, count``: what the script states."""

    @property
    def seconds(self) -> float:
        """Duration of all repetitions."""
        if self.period:
            return self.count * self.period
        return self.count * (self.rise + self.hold + self.fall) + (self.count - 1) * self.rest

    @property
    def end(self) -> float:
        """When it is over, seconds from the cue's start."""
        return self.at + self.seconds


Items = tuple[Item, ...]


def kind_of(name: str) -> _Kind:
    """The row of timing.yaml for an action or emotion."""
    region = "emotion" if name in EMOTIONS else ACTION[name].region
    own = sideless(name)
    return TIMING.kinds[own if own in TIMING.kinds else region]


def _drawn(rng: np.random.Generator, values: Sequence[float]) -> float:
    return float(values[int(rng.integers(len(values)))])


def natural(rng: np.random.Generator, name: str, side: Side, strength: float, count: int = 0) -> Item:
    """One action or emotion with the durations that it usually has; ``count`` 0 is the usual number."""
    if name in CYCLES:
        c = CYCLES[name]
        return Item(name, side, max(strength, c.least_strength), 0.0, 0.0, 0.0, 0.0, count or c.count, period=c.period,
                    said=frozenset({"count"} if count else ()))
    kind = kind_of(name)
    if count > 1:
        rise, hold, fall = kind.again
        rest = hold if kind.rest is None else kind.rest
    else:
        rise, hold, fall, rest = _drawn(rng, kind.rise), _drawn(rng, kind.hold), _drawn(rng, kind.fall), 0.0
    if name in ACTION and ACTION[name].region == "gaze":
        rise = fall = round(main_sequence(degrees(max(map(abs, ACTION_POSES[name].values()))) * strength), 3)
    return Item(name, side, strength, 0.0, rise, hold, fall, max(count, 1), rest)


def faster(item: Item, speed: float) -> Item:
    """An item at another speed; oscillations stay within what is still one."""
    if item.period:
        c = CYCLES[item.name]
        return replace(item, period=float(np.clip(item.period / speed, c.least, c.most)))
    if item.count > 1:
        kind = kind_of(item.name)
        rise, hold, fall = (x / speed for x in (item.rise, item.hold, item.fall))
        return replace(item, rise=rise, hold=max(hold, kind.least[1]), fall=fall, rest=max(item.rest / speed, kind.least_rest))
    return replace(item, rise=item.rise / speed, fall=item.fall / speed)


def eased(item: Item, ease: float) -> Item:
    """An item in a clip with more room (``ease`` down to -1) or less.

    Up to 1 holds and rests become shorter, up to 2 movements faster, up to 3 as short as can still be told apart.
    """
    if ease == 0.0:
        return item
    if ease < 0.0:
        short = item.count > 1 or item.period or item.name in FULL or "hold" in item.said
        return item if short else replace(item, hold=item.hold * (1.0 - 0.5 * ease))
    shorter, quicker, hardest = (float(np.clip(ease - below, 0.0, 1.0)) for below in (0.0, 1.0, 2.0))
    if item.period:
        c = CYCLES[item.name]
        fewer = 0 if "count" in item.said else max(item.count - c.least_count, 0)
        return replace(item, period=item.period + quicker * (min(item.period, c.least) - item.period),
                       count=item.count - round(quicker * fewer))
    kind = kind_of(item.name)

    def toward(key: str, least: float, share: float, shortest: float) -> float:
        value: float = getattr(item, key)
        if key in item.said:
            return value
        value += share * (min(value, least) - value)
        return value + hardest * (min(value, shortest) - value)

    return replace(item, rise=toward("rise", kind.least[0], quicker, 0.12), hold=toward("hold", kind.least[1], shorter, 0.08),
                   fall=toward("fall", kind.least[2], quicker, 0.12), rest=toward("rest", kind.least_rest, shorter, 0.12))


def fitted(item: Item, seconds: float) -> Items:
    """An item (or, of slow oscillations, several single ones) that takes ``seconds`` in all.

    Raises:
        ValueError: onset, hold and offset are stated and leave no such duration.
    """
    n = item.count
    if item.period:
        if seconds / n <= CYCLES[item.name].most:
            return (replace(item, period=seconds / n),)
        period = CYCLES[item.name].period
        apart = (seconds - period) / (n - 1) if n > 1 else 0.0
        if n == 1 or apart < period + 0.4:
            return (replace(item, period=min(seconds / n, CYCLES[item.name].most)),)
        return tuple(replace(item, at=item.at + k * apart, count=1, period=period) for k in range(n))
    moving = n * (item.rise + item.fall)
    if n > 1 and kind_of(item.name).rest is not None:  # blinks and winks close for their own time
        rest = (seconds - moving - n * item.hold) / (n - 1)
        if rest >= 0.08:
            return (replace(item, rest=rest),)
    free = seconds - moving
    fixed = sum(getattr(item, key) for key in item.said)
    if n == 1 and (fixed > seconds + 1e-6 or item.said >= {"rise", "hold", "fall"} and abs(fixed - seconds) > 1e-6):
        raise ValueError(f"{item.name}: its onset, hold and offset take {fixed:g} s, and {seconds:g} s were asked for in all")
    if n > 1:
        least = min(0.08, 0.3 * seconds / (2 * n - 1))
        share = max(free / (2 * n - 1), least)
        scale = min(1.0, (seconds - (2 * n - 1) * share) / moving)
        return (replace(item, rise=item.rise * scale, fall=item.fall * scale, hold=share, rest=share),)
    if "hold" in item.said:
        loose = [k for k in ("rise", "fall") if k not in item.said]
        scale = (seconds - fixed) / max(sum(getattr(item, k) for k in loose), 1e-9)
        return (replace(item, **{k: getattr(item, k) * scale for k in loose}),)
    least = min(item.hold, 0.25 * seconds)
    if free < least:
        loose = [k for k in ("rise", "fall") if k not in item.said]
        scale = max((seconds - fixed - least) / max(sum(getattr(item, k) for k in loose), 1e-9), 0.0)
        item = replace(item, **{k: getattr(item, k) * min(scale, 1.0) for k in loose})
    return (replace(item, hold=max(seconds - item.rise - item.fall, 0.0)),)


def warped(items: Items, factor: float) -> Items:
    """All times of a behaviour by a factor; single movements stay slower than a blink, oscillations what they are.

    Where little time is left, what is repeated is repeated less often.
    """
    out = []
    for i in items:
        if factor < 0.6:
            i = replace(i, count=max(min(i.count, 2 if factor > 0.3 else 1), round(i.count * factor / 0.6)))
        if i.period:
            c = CYCLES[i.name]
            period = float(np.clip(i.period * factor, min(i.period, c.least), max(i.period, c.most)))
            out.append(replace(i, at=i.at * factor, period=period))
        else:
            rise, fall = (max(x * factor, min(x, 0.1)) for x in (i.rise, i.fall))
            out.append(replace(i, at=i.at * factor, rise=rise, hold=i.hold * factor, fall=fall, rest=i.rest * factor))
    return tuple(out)


def longer(items: Items, extra: float) -> Items:
    """A behaviour that lasts longer: what can be held is held, what is repeated is repeated, and what follows comes later.

    Looks to and fro go on and on.
    """
    row = _in_parts(items)
    if row and len(row) < len(items):
        return longer(tuple(i for i in items if i not in row), extra) + _more_often(row, extra)
    can = [i for i in items if i.stretch]
    if not can:
        now, sides = span(items), {i.name.rpartition("_")[2] for i in items}
        if extra > 0.5 * now and {"left", "right"} <= sides:
            times = round((now + extra) / now)
            one = (now + extra - (times - 1) * _TO_AND_FRO) / times
            again = warped(items, one / now)
            return tuple(replace(i, at=i.at + k * (one + _TO_AND_FRO)) for k in range(times) for i in again)
        can = [max([i for i in items if i.count == 1 and not i.period] or items, key=lambda i: i.hold)]
    turn = min(i.end - i.fall for i in can)
    out = []
    for i in items:
        if any(i is c for c in can):
            if i.period or i.count > 1:
                one = i.period or i.rise + i.hold + i.fall + i.rest
                out.append(replace(i, count=i.count + round(extra / one)))
            else:
                out.append(replace(i, hold=i.hold + extra))
        else:
            out.append(replace(i, at=i.at + extra) if i.at >= turn - 1e-6 else i)
    return tuple(out)


def _in_parts(items: Items) -> Items:
    """What comes again and again in parts of their own, as the open mouths of a laugh."""
    for name in dict.fromkeys(i.name for i in items):
        row = sorted((i for i in items if i.name == name), key=lambda i: i.at)
        if len(row) >= _AGAIN and not any(i.period or i.count > 1 for i in row):
            return tuple(row)
    return ()


def _more_often(row: Items, extra: float) -> Items:
    """What comes again and again as often as there is time for; a strong one and a weak one are done in turn."""
    one = row[-2].at - row[-4].at
    times = max(round(extra / one), 0)
    again = tuple(replace(i, at=i.at + k * one) for k in range(1, times + 1) for i in row[-3:-1])
    return row[:-1] + again + (replace(row[-1], at=row[-1].at + times * one, stretch=False),)


def span(items: Sequence[Item]) -> float:
    """Seconds from a cue's start until all of it is over."""
    return max((i.end for i in items), default=0.0)
