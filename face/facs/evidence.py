"""What a measurement holds that can answer a cue: spans of actions and emotions, and which of them a cue names.

Used by check.py; no face is looked at here, only the timeline that measure.py found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .measure import MeasuredAction, Measurement
from .script import Cue
from .vocabulary import ACTION, BEHAVIOUR, DIRECTIONS, EMOTION_ACTIONS, EMOTIONS, FEELING, Behaviour, Side, allowed_with

REST_SECONDS = 0.08
"""A rest shorter than two frames at 25 a second cannot be told from a change of direction."""
WEAK_PART = 0.35
"""A part of a blend that is weaker than this may stay below the thresholds of the measurement; it is not asked for."""
WEAK_LIDS = 0.45
"""The same of closing lids, which follow a lowered gaze without being closed."""
TOGETHER_SHARE = 0.5
"""Two spans are at the same time when this share of the shorter one lies in the other."""
SPOKEN = 0.78
"""The mean opening of the jaw between its closures, as a share of the strength of talking: syllables open it to 0.65 to 1."""
IDLE = frozenset({"blink"})
"""What the idle layer does that is measured (face/clip/spontaneous.py); its gaze stays below the thresholds."""


@dataclass(frozen=True)
class Span:
    """One stretch of time in which something was measured. Times in seconds."""

    name: str
    start: float
    apex: float
    end: float
    strength: float
    """Share of full scale."""
    side: Side = "both"
    count: int = 1
    actions: frozenset[int] = frozenset()
    """Indices in ``Measurement.everything``."""

    @property
    def seconds(self) -> float:
        """Its duration."""
        return self.end - self.start

    def shared(self, start: float, end: float) -> float:
        """Seconds of it between two times; negative is the distance to them."""
        return min(self.end, end) - max(self.start, start)

    def together(self, other: Span) -> bool:
        """Whether the two are at the same time."""
        shorter = min(self.seconds, other.seconds)
        return self.shared(other.start, other.end) >= max(TOGETHER_SHARE * shorter, 1e-3)


def span_of(index: int, a: MeasuredAction) -> Span:
    """A measured action as a span."""
    strength = min(a.intensity / SPOKEN, 1.0) if a.name == "talking" else a.intensity
    return Span(a.name, a.onset, a.apex, a.offset, strength, a.side, a.cycles or 1, frozenset({index}))


def joined(spans: Iterable[Span], name: str = "") -> Span:
    """Several spans as one, from the first one's start to the last one's end; counts add up."""
    rows = sorted(spans, key=lambda s: s.start)
    sides = {s.side for s in rows}
    return Span(name or rows[0].name, rows[0].start, rows[0].apex, max(s.end for s in rows), max(s.strength for s in rows),
                sides.pop() if len(sides) == 1 else "both", sum(s.count for s in rows),
                frozenset().union(*(s.actions for s in rows)))


def all_spans(m: Measurement) -> dict[str, list[Span]]:
    """The spans of every measured action and emotion by name, in order of their start."""
    out: dict[str, list[Span]] = {}
    acts = [span_of(i, a) for i, a in enumerate(m.everything)]
    for s in acts:
        out.setdefault(s.name, []).append(s)
    for e in m.emotion.timeline:
        if e.name != "neutral":
            out.setdefault(e.name, []).append(_emotion_span(e.name, e.start, e.end, e.strength, acts))
    for name in EMOTIONS:
        for s in _shown_by_actions(name, acts):
            if not any(s.shared(o.start, o.end) > 0 for o in out.get(name, [])):
                out.setdefault(name, []).append(s)
    out["neutral"] = _rests(acts, m.seconds)
    return {name: sorted(rows, key=lambda s: s.start) for name, rows in out.items()}


def _emotion_span(name: str, start: float, end: float, strength: float, acts: list[Span]) -> Span:
    """An estimated emotion with the actions that show it; it begins and ends with them."""
    own = [a for a in acts if a.name in EMOTION_ACTIONS[name] and a.shared(start, end) > 0.5 * min(a.seconds, end - start)]
    # an action that was there before or stays on afterwards does not make the emotion last as long
    begin = min([max(a.start, start - 0.6) for a in own], default=start)
    until = max([min(a.end, end + 0.6) for a in own], default=end)
    apex = max([a.apex for a in own if a.apex <= end], default=start)
    return Span(name, min(begin, start), min(max(apex, begin), until), max(until, end), strength,
                actions=frozenset().union(*(a.actions for a in own)))


def _shown_by_actions(name: str, acts: list[Span]) -> list[Span]:
    """Where every defining action of an emotion is measured at once."""
    names = EMOTION_ACTIONS[name]
    if len(names) < 2:  # contempt is a smile of one side, which the estimate sees
        return []
    out = []
    for first in (a for a in acts if a.name == names[0] and a.side == "both"):
        others = [next((a for a in acts if a.name == n and a.side == "both" and a.together(first)), None) for n in names[1:]]
        rows = [first, *(o for o in others if o is not None)]
        if len(rows) == len(names):
            out.append(Span(name, min(r.start for r in rows), max(r.apex for r in rows), max(r.end for r in rows),
                            min(r.strength for r in rows), actions=frozenset().union(*(r.actions for r in rows))))
    return out


def _rests(acts: list[Span], seconds: float) -> list[Span]:
    """Stretches in which nothing but idle blinks is measured, as spans of ``neutral``."""
    out, at = [], 0.0
    for s in sorted((a for a in acts if a.name not in IDLE), key=lambda s: s.start):
        if s.start - at >= REST_SECONDS:
            out.append(Span("neutral", at, at, s.start, 1.0))
        at = max(at, s.end)
    if seconds - at >= 0.5 * REST_SECONDS:
        out.append(Span("neutral", at, at, seconds, 1.0))
    return out


# -- what a cue names -------------------------------------------------------------------
@dataclass(frozen=True)
class Part:
    """One thing that a cue needs: any of these names, on this side, so often at least."""

    names: tuple[str, ...]
    side: Side | None = None
    """None: any."""
    times: int = 1


def parts_of(cue: Cue) -> tuple[tuple[Part, ...], ...]:
    """Groups of parts; of each group one should be there."""
    if cue.kind == "action":
        return ((Part(_action_names(cue), cue.side if ACTION[cue.action].paired else None),),)
    if cue.kind == "emotion":
        return ((Part((cue.name,)),),)
    if cue.kind == "feeling":
        degree = cue.strength or 1.0
        blend = FEELING[cue.name].blend
        strong = [k for k, v in blend.items() if v * degree >= (WEAK_LIDS if k == "eye_close" else WEAK_PART)]
        return tuple((_feeling_part(k, blend),) for k in strong or [max(blend, key=lambda k: blend[k])])
    b = BEHAVIOUR[cue.name]
    loose = {p.name for p in b.parts if p.side == "any"}
    return tuple(tuple(_stated(text, cue.side, loose, _flaps(b)) for text in group) for group in b.must)


def _flaps(b: Behaviour) -> bool:
    """Whether the jaw opens several times in a row; when it does so fast enough, that is measured as talking."""
    return any(p.name == "mouth_open" and p.count[1] > 1 for p in b.parts)


def _action_names(cue: Cue) -> tuple[str, ...]:
    """The action, and what the same movement is called when it is slower or quicker than usual."""
    long = cue.held or max(cue.seconds or 0.0, cue.hold or 0.0) >= 0.6
    slow = (cue.speed or 1.0) < 1.0 or (cue.seconds or 0.0) / (cue.count or 1) >= 1.0
    more: tuple[str, ...] = ()
    if cue.action.startswith("wink") and (long or slow):
        more = (f"eye_close.{cue.side}",)
    elif cue.name == "eye_close" and not long:
        more = ("blink",) if cue.side == "both" else (f"wink_{cue.side}",)
    elif cue.name == "blink" and (long or slow):
        more = ("eye_close",)
    elif cue.name == "nod" and slow:
        more = ("look_down",)
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
        return allowed_with(cue.action) | {n.partition(".")[0] for n in _action_names(cue)}
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
    if cue.kind == "behaviour":  # a part that may go to either side
        out |= {f"{n.rpartition('_')[0]}_{s}" for n in tuple(out) if n.rpartition("_")[0] in DIRECTIONS for s in ("left", "right")
                } if BEHAVIOUR[cue.name].sided else set()
    return frozenset(out)
