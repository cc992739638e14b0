"""What a cue of a script is made of: primitive actions and emotions with their natural durations.

Behaviours, feelings and counts are expanded here, what must not happen is left out, and the result can be made longer or
shorter as a whole. Where each cue stands in the clip is decided by layout.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import degrees
from typing import Any, Literal

import numpy as np
from pydantic.dataclasses import dataclass as settings

from ...common.config import SETTINGS
from ...face.facs.poses import ACTION_POSES, EMOTION_POSES
from ...face.facs.script import Cue, Never, Side, sided
from ...face.facs.vocabulary import ACTION, BEHAVIOUR, DIRECTIONS, EMOTION_ACTIONS, EMOTIONS, FEELING, GROUPS, Part
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


@settings(frozen=True, config=SETTINGS)
class _Timing:
    kinds: dict[str, _Kind]
    cycles: dict[str, _Cycles]
    gaps: dict[Literal["other", "region", "same"], tuple[float, float]]
    lead: tuple[float, ...]
    tail: tuple[float, ...]


TIMING = read_table(__package__, "timing.yaml", _Timing)
CYCLES = TIMING.cycles
_USUAL = {"action": 0.7, "emotion": 0.8, "feeling": 0.7, "behaviour": 0.7}
"""Strength of a cue that doesn't say; the parts of feelings and behaviours are listed for that."""
_FULL = frozenset({"blink", "wink_left", "wink_right"})
"""What is done or not done, at no other strength."""
_SEEN = 0.3
"""A part that shows is not scaled below this: what cannot be seen at all would make another feeling or behaviour of it."""
_BETWEEN = 0.56
"""Rest between repetitions of an emotion, feeling or behaviour, s."""


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
    own = name.removesuffix("_left").removesuffix("_right")
    return TIMING.kinds[own if own in TIMING.kinds else region]


# -- what may happen ------------------------------------------------------------------------
Banned = frozenset[tuple[str, str]]


def banned(never: Sequence[Never]) -> Banned:
    """(action or emotion, side) of everything that should not happen as a part of something else."""
    out: set[tuple[str, str]] = set()
    for n in never:
        if n.name in GROUPS and not (n.name in DIRECTIONS and n.side != "both"):
            if n.name != "anything":  # beside cues that means: nothing else
                out |= {(a, "both") for a in GROUPS[n.name]}
        elif n.name in DIRECTIONS:
            out |= {(f"{n.name}_{side}", "both") for side in (("left", "right") if n.side == "both" else (n.side,))}
        elif n.name in ACTION or n.name in EMOTIONS:
            out.add((n.name, n.side))
    return frozenset(out)


def _shows(emotion: str, action: str) -> bool:
    """Whether an emotion's pose has a good share of an action in it."""
    if action in EMOTION_ACTIONS[emotion]:
        return True
    main, full = max(ACTION_POSES[action].items(), key=lambda item: abs(item[1]))
    return EMOTION_POSES[emotion].get(main, 0.0) / full > 0.2


def permitted(name: str, side: Side, without: Banned) -> list[tuple[str, Side]]:
    """An action or emotion, or what is left of it when some things should not happen."""
    if (name, "both") in without or (name, side) in without:
        return []
    if name in EMOTIONS:
        if any(_shows(name, a) for a, _ in without if a in ACTION):
            return [kept for a in EMOTION_ACTIONS[name] for kept in permitted(a, "both", without)]
        return [(name, side)]
    others: dict[str, Side] = {"left": "right", "right": "left"}
    for one, other in others.items():
        if side == "both" and (name, one) in without:
            return [(name, other)]
    return [(name, side)]


# -- one action or emotion ------------------------------------------------------------------
def _drawn(rng: np.random.Generator, values: Sequence[float]) -> float:
    return float(values[int(rng.integers(len(values)))])


def natural(rng: np.random.Generator, name: str, side: Side, strength: float, count: int = 0) -> Item:
    """One action or emotion with the durations that it usually has; ``count`` 0 is the usual number."""
    if name in CYCLES:
        c = CYCLES[name]
        return Item(name, side, strength, 0.0, 0.0, 0.0, 0.0, count or c.count, period=c.period,
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
        short = item.count > 1 or item.period or item.name in _FULL or "hold" in item.said
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


# -- behaviours and feelings ----------------------------------------------------------------
def _blend(rng: np.random.Generator, cue: Cue, without: Banned) -> Items:
    """A feeling: all of its blend at once."""
    usual = _USUAL["feeling"]
    factor = (cue.strength or usual) / usual
    times = natural(rng, "happiness", "both", 0.5)
    out = []
    for key, share in FEELING[cue.name].blend.items():
        name, _, side = key.partition(".")
        for kept, where in permitted(name, side or "both", without):  # type: ignore[arg-type]
            item = natural(rng, kept, where, _scaled(share, factor))
            if not item.period and kept not in _FULL:
                gaze = kept in ACTION and ACTION[kept].region == "gaze"
                rise, fall = (item.rise, item.fall) if gaze else (times.rise, times.fall)
                item = replace(item, rise=rise, hold=times.rise + times.hold - rise, fall=fall, stretch=True)
            out.append(item)
    return tuple(out)


def _scaled(share: float, factor: float) -> float:
    """A part's strength, visible where it was meant to be."""
    return float(np.clip(share * factor, min(share, _SEEN), 1.0))


def _part(rng: np.random.Generator, part: Part, side: Side, factor: float, without: Banned) -> Items:
    """One part of a behaviour, drawn from its ranges."""
    at, strength, rise, hold, fall = (float(rng.uniform(*r)) for r in (part.at, part.strength, part.rise, part.hold, part.fall))
    count = int(rng.integers(part.count[0], part.count[1] + 1))
    where: Side = side if part.side == "any" else part.side
    name = part.name
    if name in DIRECTIONS:
        name, where = sided(name, "left" if where == "both" else where), "both"
    out = []
    for kept, kept_side in permitted(name, where, without):
        item = Item(kept, kept_side, _scaled(strength, factor) if kept not in _FULL else 1.0, at, rise, hold, fall, max(count, 1),
                    stretch=part.stretch)
        if kept in CYCLES:
            item = replace(item, count=count or CYCLES[kept].count, period=rise + hold + fall or CYCLES[kept].period)
        elif count > 1:  # the durations are those of one repetition, rest included
            item = replace(item, hold=hold / 2, rest=hold / 2)
        out.append(item)
    return tuple(out)


def _behaviour(rng: np.random.Generator, cue: Cue, without: Banned) -> Items:
    chosen = cue.side if cue.side != "both" else ("left", "right")[int(rng.integers(2))]
    factor = (cue.strength or _USUAL["behaviour"]) / _USUAL["behaviour"]
    parts = [item for part in BEHAVIOUR[cue.name].parts for item in _part(rng, part, chosen, factor, without)]
    first = min((item.at for item in parts), default=0.0)
    return tuple(replace(item, at=item.at - first) for item in parts)


def _warped(items: Items, factor: float) -> Items:
    """All times of a behaviour by a factor; single movements stay slower than a blink, oscillations what they are.

    Where little time is left, what is repeated is repeated less often.
    """
    out = []
    for i in items:
        if factor < 0.6:
            i = replace(i, count=max(min(i.count, 2), round(i.count * factor / 0.6)))
        if i.period:
            c = CYCLES[i.name]
            period = float(np.clip(i.period * factor, min(i.period, c.least), max(i.period, c.most)))
            out.append(replace(i, at=i.at * factor, period=period))
        else:
            rise, fall = (max(x * factor, min(x, 0.1)) for x in (i.rise, i.fall))
            out.append(replace(i, at=i.at * factor, rise=rise, hold=i.hold * factor, fall=fall, rest=i.rest * factor))
    return tuple(out)


def _longer(items: Items, extra: float) -> Items:
    """A behaviour that lasts longer: what can be held is held, what is repeated is repeated, and what follows comes later."""
    can = [i for i in items if i.stretch] or [i for i in items if i.count == 1 and not i.period] or list(items)
    if not any(i.stretch for i in items):
        longest = max(can, key=lambda i: i.hold)
        can = [longest]
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


def span(items: Sequence[Item]) -> float:
    """Seconds from a cue's start until all of it is over."""
    return max((i.end for i in items), default=0.0)


# -- cues ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Move:
    """What performs one cue: one action or emotion, or several parts; ``copies`` are its repetitions."""

    index: int
    cue: Cue
    copies: tuple[Items, ...]

    @property
    def single(self) -> Item | None:
        """The only item of an action or emotion."""
        return self.copies[0][0] if len(self.copies) == 1 and len(self.copies[0]) == 1 and self.cue.kind in (
            "action", "emotion") else None

    @property
    def lasts(self) -> bool:
        """Whether it stays at its apex for as long as something else takes: nothing that is said limits it."""
        item, c = self.single, self.cue
        said = c.seconds is not None or c.end is not None or c.hold is not None or c.count is not None
        if said or len(self.copies) > 1:
            return False
        if item is None:
            return self.cue.kind == "feeling"
        return item.name not in ("nod", "shake", "blink") and ACTION.get(item.name, ACTION["smile"]).region != "gaze"

    @property
    def names(self) -> frozenset[str]:
        """Actions and emotions in it."""
        return frozenset(i.name for i in self.copies[0])

    def items(self, ease: float = 0.0, seconds: float | None = None) -> Items:
        """Its parts in a clip with room or without (see :func:`eased`), in exactly ``seconds`` where they are given."""
        if (item := self.single) is not None:
            own = eased(item, ease)
            return (own,) if seconds is None else self._in(own, seconds)
        out: list[Item] = []
        at, n = 0.0, len(self.copies)
        for copy in self.copies:
            rest = _BETWEEN * (1.0 - 0.3 * float(np.clip(ease, 0.0, 1.0)))
            parts = self._whole(copy, ease, None if seconds is None else max((seconds - (n - 1) * rest) / n, 0.2))
            out += [replace(i, at=i.at + at) for i in parts]
            at += span(parts) + rest
        return tuple(out)

    def _in(self, item: Item, seconds: float) -> Items:
        if self.cue.count is None:  # as many as there is time for
            if item.period:
                item = replace(item, count=max(1, round(seconds / item.period)))
            elif item.name == "blink" and seconds > 0.9:
                item = natural(np.random.default_rng(0), "blink", "both", 1.0, max(2, round(seconds / 0.72)))
        return fitted(item, seconds)

    def _whole(self, parts: Items, ease: float, seconds: float | None) -> Items:
        factor = float(np.interp(ease, [0.0, 1.0, 2.0, 3.0], [1.0, 0.8, 0.45, 0.2]))
        parts = _warped(parts, factor) if self.cue.kind == "behaviour" else tuple(eased(i, ease) for i in parts)
        if seconds is None:
            return parts
        now = span(parts)
        if seconds > now:
            parts = _longer(parts, seconds - now)
            return tuple(replace(i, hold=i.hold + seconds - span(parts)) if i.end == span(parts) and i.count == 1
                         and not i.period else i for i in parts)
        return _warped(parts, seconds / now)


def expand(index: int, cue: Cue, rng: np.random.Generator, without: Banned) -> Move:
    """The primitive actions and emotions of one cue.

    Raises:
        ValueError: nothing is left of it when what must not happen is left out.
    """
    times = {k: v for k, v in (("rise", cue.onset), ("hold", cue.hold), ("fall", cue.offset)) if v is not None}
    count = cue.count or 0
    copies: list[Items] = []
    for _ in range(1 if cue.kind == "action" else max(count, 1)):
        if cue.kind in ("action", "emotion"):
            strength = 1.0 if cue.action in _FULL else cue.strength or (1.0 if cue.name == "eye_close" else _USUAL[cue.kind])
            side: Side = "both" if cue.name in DIRECTIONS else cue.side
            if cue.kind == "emotion":
                kept = permitted(cue.name, side, without) or [(cue.name, side)]
            else:  # asked for by name, though perhaps of one side only
                kept = (side == "both" and permitted(cue.action, side, without)) or [(cue.action, side)]
            parts: Items = tuple(natural(rng, n, s, strength, count if cue.kind == "action" else 0) for n, s in kept)
        else:
            parts = (_blend if cue.kind == "feeling" else _behaviour)(rng, cue, without)
        if not parts:
            raise ValueError(f"{cue.name} cannot be done without {', '.join(sorted({n for n, _ in without}))}; "
                             f"leave out {cue.name}, or allow one of these")
        if cue.kind == "behaviour":
            parts = _warped(parts, 1.0 / (cue.speed or 1.0))
        else:
            parts = tuple(_stated(faster(i, cue.speed or 1.0), times) for i in parts)
        copies.append(parts)
    return Move(index, cue, tuple(copies))


def _stated(item: Item, times: dict[str, Any]) -> Item:
    """An item with the durations that the script states; those of an oscillation add up to the whole of it."""
    if item.period:
        return item
    rest = {"rest": max(times["hold"], 0.08)} if "hold" in times and item.count > 1 else {}
    return replace(item, **times, **rest, said=frozenset(times))
