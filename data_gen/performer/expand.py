"""What a cue of a script is made of: primitive actions and emotions with their natural durations.

Behaviours, feelings and counts are expanded here, what must not happen is left out, and the result can be made longer or
shorter as a whole. Where each cue stands in the clip is decided by layout.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...face.facs.poses import ACTION_POSES, EMOTION_POSES
from ...face.facs.script import Cue, Never, Side, sided
from ...face.facs.vocabulary import (
    ACTION,
    BEHAVIOUR,
    DIRECTIONS,
    EMOTION_ACTIONS,
    EMOTIONS,
    FEELING,
    GROUPS,
    USUAL_STRENGTH,
    Part,
    part_strength,
)
from .items import CYCLES, FULL, Item, Items, eased, faster, fitted, longer, natural, span, warped

_USUAL = {"action": 0.7, "emotion": 0.8}
"""Strength of a cue that doesn't say."""
_SUNG = 0.12
"""Most seconds that one of several sung or shouted syllables is held, and rests."""
_BETWEEN = 0.56
"""Rest between repetitions of an emotion, feeling or behaviour, s."""


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


# -- behaviours and feelings ----------------------------------------------------------------
def _blend(rng: np.random.Generator, cue: Cue, without: Banned) -> Items:
    """A feeling: all of its blend at once."""
    times = natural(rng, "happiness", "both", 0.5)
    out = []
    for key, share in FEELING[cue.name].blend.items():
        name, _, side = key.partition(".")
        for kept, where in permitted(name, side or "both", without):  # type: ignore[arg-type]
            item = natural(rng, kept, where, part_strength(kept, share, cue.strength or USUAL_STRENGTH))
            if not item.period and kept not in FULL:
                gaze = kept in ACTION and ACTION[kept].region == "gaze"
                rise, fall = (item.rise, item.fall) if gaze else (times.rise, times.fall)
                item = replace(item, rise=rise, hold=times.rise + times.hold - rise, fall=fall, stretch=True)
            out.append(item)
    return tuple(out)


def _part(rng: np.random.Generator, part: Part, side: Side, whole: float, without: Banned) -> Items:
    """One part of a behaviour, drawn from its ranges."""
    at, strength, rise, hold, fall = (float(rng.uniform(*r)) for r in (part.at, part.strength, part.rise, part.hold, part.fall))
    count = int(rng.integers(part.count[0], part.count[1] + 1))
    where: Side = side if part.side == "any" else part.side
    name = part.name
    if name in DIRECTIONS:
        name, where = sided(name, "left" if where == "both" else where), "both"
    out = []
    for kept, kept_side in permitted(name, where, without):
        level = 1.0 if kept in FULL else part_strength(kept, strength, whole)
        item = Item(kept, kept_side, level, at, rise, hold, fall, max(count, 1), stretch=part.stretch)
        if kept in CYCLES:
            item = replace(item, count=count or CYCLES[kept].count, period=rise + hold + fall or CYCLES[kept].period)
        elif count > 1:  # the durations are those of one repetition, rest included
            item = replace(item, hold=hold / 2, rest=hold / 2)
        out.append(item)
    return tuple(out)


def _behaviour(rng: np.random.Generator, cue: Cue, chosen: Side, without: Banned) -> Items:
    whole = cue.strength or USUAL_STRENGTH
    behaviour = BEHAVIOUR[cue.name]
    parts = [item for part in behaviour.parts for item in _part(rng, part, chosen, whole, without)]
    first = min((item.at for item in parts), default=0.0)
    items = tuple(replace(item, at=item.at - first) for item in parts)
    if not behaviour.counted or cue.count is None:
        return items
    usual = next((item.count for item in items if item.name == behaviour.counted), None)
    if usual is None:  # it may not appear
        return ()
    counted = tuple(_counted(item, cue.count) for item in items if item.name == behaviour.counted)
    others = tuple(item for item in items if item.name != behaviour.counted)
    more = span(counted) - span(tuple(i for i in items if i.name == behaviour.counted))
    return (*(longer(others, more) if cue.count > usual else others), *counted)


def _counted(item: Item, count: int) -> Item:
    """The part so often; a word or two is said clearly, since two small openings of the jaw would be none."""
    if item.period:
        return replace(item, count=count, strength=1.0 if count <= 2 else item.strength)
    brief = min(item.hold / 2, _SUNG)
    return replace(item, count=count, hold=brief, rest=brief) if count > 1 else replace(item, count=1)


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
        return item.name not in FULL | {"nod", "shake"} and ACTION.get(item.name, ACTION["smile"]).region != "gaze"

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
                item = natural(np.random.default_rng(0), "blink", "both", 1.0, max(2, int(np.ceil(seconds / 0.6))))
        return fitted(item, seconds)

    def _whole(self, parts: Items, ease: float, seconds: float | None) -> Items:
        factor = float(np.interp(ease, [0.0, 1.0, 2.0, 3.0], [1.0, 0.8, 0.45, 0.15]))
        parts = warped(parts, factor) if self.cue.kind == "behaviour" else tuple(eased(i, ease) for i in parts)
        if seconds is None:
            return parts
        now = span(parts)
        if seconds > now:
            parts = longer(parts, seconds - now)
            return tuple(replace(i, hold=i.hold + seconds - span(parts)) if i.end == span(parts) and i.count == 1
                         and not i.period else i for i in parts)
        return warped(parts, seconds / now)


def expand(index: int, cue: Cue, rng: np.random.Generator, rather_without: Banned, without: Banned) -> Move:
    """The primitive actions and emotions of one cue.

    Args:
        rather_without: what is left out of feelings and behaviours that have something else.
        without: what is left out of everything but a cue that asks for it by name.

    Raises:
        ValueError: nothing is left of it when what must not happen is left out.
    """
    times = {k: v for k, v in (("rise", cue.onset), ("hold", cue.hold), ("fall", cue.offset)) if v is not None}
    count = cue.count or 0
    copies: list[Items] = []
    # of what may go to either side all repetitions go to the same one
    chosen: Side = cue.side if cue.side != "both" else ("left", "right")[int(rng.integers(2))]
    once = cue.kind == "action" or cue.kind == "behaviour" and BEHAVIOUR[cue.name].counted
    for _ in range(1 if once else max(count, 1)):
        if cue.kind in ("action", "emotion"):
            # one word is said clearly: two small openings of the jaw would be none
            whole = cue.name == "eye_close" or cue.name == "talking" and count in (1, 2)
            strength = 1.0 if cue.action in FULL else cue.strength or (1.0 if whole else _USUAL[cue.kind])
            side: Side = "both" if cue.name in DIRECTIONS else cue.side
            if cue.kind == "emotion":
                kept = permitted(cue.name, side, without) or [(cue.name, side)]
            else:  # asked for by name, though perhaps of one side only
                kept = (side == "both" and permitted(cue.action, side, without)) or [(cue.action, side)]
            parts: Items = tuple(natural(rng, n, s, strength, count if cue.kind == "action" else 0) for n, s in kept)
        else:
            banned_here = (rather_without, without)
            parts = next((p for b in banned_here if (p := _blend(rng, cue, b) if cue.kind == "feeling"
                                                     else _behaviour(rng, cue, chosen, b))), ())
        if not parts:
            raise ValueError(f"{cue.name} cannot be done without {', '.join(sorted({n for n, _ in without}))}; "
                             f"leave out {cue.name}, or allow one of these")
        if cue.kind == "behaviour":
            parts = warped(parts, 1.0 / (cue.speed or 1.0))
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
