"""What a cue needs and what it explains, in the names of a measurement."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..script import Cue, Never, sided
from ..vocabulary import (
    ACTION,
    BEHAVIOUR,
    DIRECTIONS,
    EMOTION_ACTIONS,
    EMOTIONS,
    FEELING,
    GROUPS,
    SPOKEN_SHAPES,
    USUAL_STRENGTH,
    Behaviour,
    Side,
    allowed_with,
    part_strength,
)

WEAK_PART = 0.35
"""A part of a blend that is weaker than this may stay below the thresholds of the measurement; it is not asked for."""
_SAME = {"eye_close": {"blink"}, "mouth_open": {"talking"}}
"""What cannot be done, either, by a face that should not do this."""
_SMILES = frozenset({"smile", "happiness", "contempt"})
IN_SMILES = frozenset({"upper_lip_raise", "lower_lip_depress", "cheek_raise", "dimple"})
"""What a smile brings along (signals.py); beside one it is not seen by itself."""
HIDDEN_BY: dict[str, frozenset[str]] = {"dimple": _SMILES, "cheek_raise": _SMILES | {"squint"}}
"""What cannot be told from another cue at the same time; seeing that one is then enough."""
WEAK_LIDS = 0.45
"""The same of closing lids, which follow a lowered gaze without being closed."""


@dataclass(frozen=True)
class Part:
    """One thing that a cue needs: any of these names, on this side, so often at least."""

    names: tuple[str, ...]
    side: Side | None = None
    """None: any."""
    times: int = 1
    hidden: bool = False
    """Whether the other side does the same at that time: what both do answers it, too."""


def parts_of(cue: Cue, without: frozenset[str] = frozenset(), grouped: bool = False) -> tuple[tuple[Part, ...], ...]:
    """Groups of parts; of each group one should be there.

    Args:
        cue: the cue.
        without: actions that should never happen; parts that are one of them are left out.
        grouped: other cues happen at the same time.
    """
    groups = _parts_of(cue, grouped)
    if cue.kind in ("action", "emotion"):
        return groups
    made = _performing(cue)
    kept = (tuple(p for p in group if not _forbidden(p, without)) for group in groups
            if not (own := made & {n for p in group for n in p.names}) or not all(_forbidden(Part((n,)), without) for n in own))
    return tuple(group for group in kept if group)


def _performing(cue: Cue) -> frozenset[str]:
    """The actions and emotions that perform a behaviour; others in its ``must`` are what these may be measured as."""
    if cue.kind != "behaviour":
        return frozenset()
    names = [p.name for p in BEHAVIOUR[cue.name].parts]
    return frozenset(names) | {f"{n}_{s}" for n in names if n in DIRECTIONS for s in ("left", "right")}


def _forbidden(part: Part, without: frozenset[str]) -> bool:
    """Whether nothing of a part is left when some actions should not happen."""
    return all(n in without or n in EMOTION_ACTIONS and without.issuperset(EMOTION_ACTIONS[n]) for n in part.names)


def restful(groups: tuple[tuple[Part, ...], ...]) -> bool:
    """Whether a cue asks for rest, as ``neutral`` or ``calm`` do."""
    return any("neutral" in p.names for group in groups for p in group)


def never_actions(nevers: tuple[Never, ...]) -> frozenset[str]:
    """The actions and emotions that should not happen on either side."""
    out: set[str] = set()
    for n in nevers:
        if n.name in GROUPS and n.side == "both":
            out |= GROUPS[n.name]
        elif n.name in DIRECTIONS:
            out |= {f"{n.name}_{s}" for s in ("left", "right") if n.side in ("both", s)}
        elif n.side == "both" and (n.name in ACTION or n.name in EMOTIONS):
            out.add(sided(n.name, n.side))
    return frozenset(out.union(*(_SAME.get(n, set()) for n in out)))


def _parts_of(cue: Cue, grouped: bool) -> tuple[tuple[Part, ...], ...]:
    if cue.kind == "action":
        return ((Part(_action_names(cue, grouped), cue.side if ACTION[cue.action].paired else None),),)
    if cue.kind == "emotion":
        return ((Part((cue.name,)),),)
    if cue.kind == "feeling":
        degree = cue.strength or USUAL_STRENGTH
        blend = FEELING[cue.name].blend
        hidden = IN_SMILES if _SMILES.intersection(k.partition(".")[0] for k in blend) else frozenset()
        level = {k: part_strength(k.partition(".")[0], v, degree) for k, v in blend.items()}
        strong = [k for k, v in level.items() if v >= (WEAK_LIDS if k == "eye_close" else WEAK_PART)
                  and k.partition(".")[0] not in hidden]
        # of a blend too faint for that, whatever is seen of it
        return tuple((_feeling_part(k, blend),) for k in strong) or (tuple(_feeling_part(k, blend) for k in blend),)
    b = BEHAVIOUR[cue.name]
    loose = {p.name for p in b.parts if p.side == "any"}
    return tuple(tuple(_stated(text, cue.side, loose, _flaps(b)) for text in group) for group in b.must)


def _flaps(b: Behaviour) -> bool:
    """Whether the jaw opens several times in a row; when it does so fast enough, that is measured as talking."""
    return any(p.name == "mouth_open" and p.count[1] > 1 for p in b.parts)


def _action_names(cue: Cue, grouped: bool = False) -> tuple[str, ...]:
    """The action, and what the same movement is called when it is slower or quicker than usual."""
    until = cue.end is not None and cue.start is None  # from whenever it begins
    long = cue.held or until or max(cue.seconds or 0.0, cue.hold or 0.0, (cue.end or 0.0) - (cue.start or cue.end or 0.0)) >= 0.6
    slow = (cue.speed or 1.0) < 1.0 or (cue.seconds or 0.0) / (cue.count or 1) >= (0.5 if cue.name == "talking" else 1.0)
    more: tuple[str, ...] = ()
    few = (cue.count or 0) in (1, 2, 3)
    if cue.action.startswith("wink") and (long or slow or grouped):
        more = (f"eye_close.{cue.side}",)
    elif cue.name == "eye_close" and not long:
        more = ("blink",) if cue.side == "both" else (f"wink_{cue.side}",)
    elif cue.name == "blink" and (long or slow):
        more = ("eye_close",)
    elif cue.name == "nod" and slow:
        more = ("look_down",)
    elif cue.name == "look_down" and cue.count:
        more = ("nod",)
    elif cue.name == "talking" and (few or slow):
        more = ("mouth_open",)  # too few syllables, or too slow ones, to be told from a mouth that opens
    elif cue.name == "mouth_open" and (cue.count or 1) > 1:
        more = ("talking",)  # a jaw that opens and closes fast enough
    return (cue.action, *more)


def _feeling_part(text: str, blend: dict[str, float]) -> Part:
    """One part of a blend, or another part that entails it: raised brows hide that the inner ones rise by themselves."""
    name, _, side = text.partition(".")
    return Part((name, *(k for k in blend if k in ACTION and name in ACTION[k].entails)), _side(side))


def _side(word: str) -> Side | None:
    return word if word in ("left", "right", "both") else None  # type: ignore[return-value]


def _stated(text: str, side: Side, loose: set[str], flaps: bool) -> Part:
    """One entry of a behaviour's ``must``: ``NAME``, ``NAME*3``, ``NAME.left``."""
    match = re.fullmatch(r"([a-z_]+)(?:\.([a-z]+))?(?:\*(\d+))?", text)
    if match is None:
        raise ValueError(f"{text!r} is no NAME, NAME*3 or NAME.left")
    name, own, times = match[1], _side(match[2] or ""), int(match[3] or 1)
    stem = re.sub(r"_(left|right)$", "", name)
    if side != "both" and (name in loose or stem in loose):
        own = side
    if stem in DIRECTIONS:
        own = own or _side(name.removeprefix(stem + "_"))
        names = tuple(f"{stem}_{s}" for s in ("left", "right") if own in (None, s))
        return Part(names, None, times)
    return Part((name, "talking") if flaps and name == "mouth_open" else (name,), own, times)


def explains(cue: Cue) -> frozenset[str]:
    """Every action that may be measured while a cue is performed."""
    if cue.kind == "action":
        spoken = SPOKEN_SHAPES if cue.name == "talking" else ()
        return allowed_with(cue.action) | {n.partition(".")[0] for n in _action_names(cue)} | set(spoken)
    if cue.kind == "emotion":
        return allowed_with(cue.name)
    if cue.kind == "feeling":
        names: list[str] = [k.partition(".")[0] for k in FEELING[cue.name].blend]
    else:
        b = BEHAVIOUR[cue.name]
        names = [*(p.name for p in b.parts), *b.may, *["talking"] * _flaps(b)]
    out: set[str] = set()
    for name in names:
        both = [f"{name}_{s}" for s in ("left", "right")] if name in DIRECTIONS else [name]
        out |= frozenset().union(*(allowed_with(n) for n in both))
    if cue.kind == "behaviour" and BEHAVIOUR[cue.name].sided:  # a part that may go to either side
        stems = {re.sub("_(left|right)$", "", n) for n in out if n.endswith(("_left", "_right"))}
        out |= {f"{n}_{s}" for n in stems for s in ("left", "right")}
    return frozenset(out)
