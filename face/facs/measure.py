"""Facial actions of a clip, measured from geometry: what, when, how strong, in physical units.

``measure`` turns a clip into a timeline of the actions of ``vocabulary.ACTIONS`` and an
emotion estimate. It is code, not a learned model, and reads only the mesh (signals.py), so a
generated motion is never measured by what made it. What was filmed is measured against the
person's own rest, and each claim says how sure it is (filmed.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass as settings

from ...common.config import SETTINGS
from ..clip.curves import runs
from ..clip.normalise import is_filmed
from ..clip.sequence import FaceSequence
from ..head.model import HeadModel
from .emotions import estimate_emotion
from .evidence.filmed import CLAIMED, LEAST_HEAD_SECONDS, LEAST_SECONDS, MENTIONED, ON, FilmedSignals
from .measured import MeasuredAction, Measurement
from .signals import DEGREES, ONE_SIDED, Signals, signals_of
from .timeline import Oscillation, Segment, find_levels, find_oscillations, find_segments
from .vocabulary import ACTION, ACTIONS, SPOKEN_SHAPES, Side

Array = NDArray[np.float32]

_ON: dict[str, float] = {
    # Where the common threshold does not fit. Fear raises the outer brows to 0.6 of full scale
    # and happiness squints to 0.7, and both must be seen when they are slight.
    "brow_raise": 0.18,
    "squint": 0.20,
    "mouth_open": 0.22,
    "wink_left": 0.34,
    "wink_right": 0.34,
    # The upper lid follows a lowered gaze to 0.3 of a closure.
    "closure": 0.36,
}
_MIN_SECONDS: dict[str, float] = {"closure": 0.0, "wink_left": 0.1, "wink_right": 0.1}
_LEAST_SWING: dict[str, float] = {"nod": 0.3, "shake": 0.28, "talking": 0.15}
"""Smallest mean amplitude of an oscillation, share of full scale."""
_HIDDEN_BY_LIDS = ("squint", "eye_widen", "cheek_raise")
"""A closing lid undoes these for a moment; they go on behind it."""
_SHUT = 0.12
_ORDER = (*ACTIONS, *(a for a in ACTION if ACTION[a].minor))
_LIDS_FOLLOW = 0.42
"""A closure's share to which the lids are lowered by a gaze lowered in full."""
_SIDE_SECONDS = 0.24
"""Shorter differences between the sides are no action of one of them: two sides seldom begin in the same frame."""
_OWN_SIDE = 0.36
"""What one side does from here on is an action of that side, whatever the other one does."""
_CLOSE = 0.2
"""Emotions of a filmed face whose scores differ by less than this share of the higher one cannot be told apart."""
_SHOWN = 0.34
"""Score from which a filmed face shows an emotion; a faint one is not told."""
_WINK = 0.6
"""Of a filmed face, whose lids are measured one by one, the least difference that is a wink."""
_LR: tuple[Literal["left"], Literal["right"]] = ("left", "right")
_SUSTAINED = tuple(
    a for a in _ORDER if a not in ("eye_close", "blink", "wink_left", "wink_right", "talking", "nod", "shake")
)


Positive = Annotated[float, Field(gt=0)]


@settings(frozen=True, config=SETTINGS)
class MeasureConfig:
    """Thresholds of the measurement; intensities are shares of an action's full scale."""

    on: float = 0.24
    """An action must reach this intensity somewhere."""
    off: float = 0.13
    """It lasts while its intensity is above this."""
    min_seconds: Positive = 0.12
    """Shortest sustained action."""
    blink_seconds: Positive = 0.45
    """Lids that stay at least half closed for less than this blink, else the eyes are closed."""
    wink_seconds: Positive = 0.8
    """One lid that stays at least half closed for less than this winks, else that eye is closed."""
    nod_deg: Positive = 3.0
    """Smallest swing of a nod."""
    shake_deg: Positive = 4.0
    """Smallest swing of a head shake."""
    half_cycle: Positive = 0.54
    """Longest half cycle of a nod or shake, s."""
    talk_deg: Positive = 0.8
    """Smallest swing of the jaw while talking."""
    talk_half_cycle: Positive = 0.36
    """Longest half cycle of the jaw while talking, s."""
    syllable_half: Positive = 0.2
    """The same of a syllable or two, fewer than ``talk_swings``: a mouth that only opens takes longer."""
    talk_swings: Annotated[int, Field(ge=2)] = 5
    """Fewest swings of the jaw that are talking."""

    def __post_init__(self) -> None:
        if not 0.0 < self.off < self.on < 1.0:
            raise ValueError(f"thresholds are off={self.off}, on={self.on}; needed: 0 < off < on < 1")


def measure(seq: FaceSequence, head: HeadModel | None = None, config: MeasureConfig | None = None, *,
            filmed: bool | None = None, quiet: NDArray[np.bool_] | None = None) -> Measurement:
    """Measure a clip.

    Args:
        seq: the clip.
        head: the head it belongs to; None is the default head.
        config: thresholds; None is the default.
        filmed: whether it is of a real face, which rests in its own way; None: whether it is in a camera's frame.
        quiet: ``(T,)`` frames in which such a face is known to rest; None finds them.

    Returns:
        Actions (FACS, see vocabulary.py) with times in seconds, and the emotion over time.

    Raises:
        ValueError: the clip is of another head, that head has no 68 landmarks, or no frame is quiet.
    """
    signals = signals_of(seq, HeadModel.default() if head is None else head)
    if quiet is not None and (quiet.shape != (len(seq),) or not quiet.any()):
        raise ValueError(f"quiet has shape {quiet.shape} and {int(quiet.sum())} frames; needed: ({len(seq)},) with 1 and more")
    if is_filmed(seq) if filmed is None else filmed:
        signals = FilmedSignals.of(signals, seq.valid, quiet)
    return measure_signals(signals, config)


def measure_signals(signals: Signals, config: MeasureConfig | None = None) -> Measurement:
    """The timeline of already computed per-frame signals (see :func:`signals.signals_of`)."""
    cfg = config or MeasureConfig()
    if isinstance(signals, FilmedSignals):
        return _filmed(signals, cfg)
    intensity = _through_closures(signals.intensity)
    found: list[MeasuredAction] = []
    nods = _oscillations(signals, "nod", signals.head[:, 0], cfg.nod_deg, cfg.half_cycle, 2)
    # one dip is a nod only downwards, and within the time that a nod takes
    nods = [o for o in nods if o.first > 0 or o.swings > 3]
    shakes = _oscillations(signals, "shake", signals.head[:, 1], cfg.shake_deg, cfg.half_cycle, 3)
    talks = _oscillations(signals, "talking", signals.jaw[:, 0], cfg.talk_deg, cfg.talk_half_cycle, cfg.talk_swings)
    for name, chains in (("nod", nods), ("shake", shakes), ("talking", talks)):
        found += [_cyclic(name, o, signals) for o in chains]
    found += _lids(signals, intensity, cfg)
    syllables = [o for o in _oscillations(signals, "talking", signals.jaw[:, 0], cfg.talk_deg, cfg.syllable_half, 2)
                 if o.first > 0 and o.swings < cfg.talk_swings]
    covered = {"look_up": nods, "look_down": nods, "turn_left": shakes, "turn_right": shakes,
               **dict.fromkeys(SPOKEN_SHAPES, talks)}
    for name in _SUSTAINED:
        if name in signals.measurable:
            for s in _segments(name, intensity[name], signals.fps, cfg):
                if not _part_of(s, covered.get(name, []), intensity[name], signals.fps, name in SPOKEN_SHAPES):
                    found += _by_side(name, s, intensity, signals, cfg)
    found.sort(key=lambda a: (a.onset, _ORDER.index(a.name)))
    felt = _through_closures({**signals.intensity, **signals.mean})
    emotion = estimate_emotion(_without_speech(felt, talks, signals.fps), signals.fps)
    main, minor = ([a for a in found if ACTION[a.name].minor is m] for m in (False, True))
    # a jaw that moves fast within an utterance or a longer opening is no other word
    wide = [a for a in main if a.name == "talking" or a.name == "mouth_open" and a.offset - a.onset > 2.0 * cfg.talk_half_cycle]
    minor += [_cyclic("talking", o, signals) for o in syllables
              if not any(o.onset < a.offset and a.onset < o.offset for a in wide)]
    minor.sort(key=lambda a: (a.onset, _ORDER.index(a.name)))
    return Measurement(tuple(main), emotion, signals.fps, len(signals) / signals.fps, tuple(minor))


def _filmed(signals: FilmedSignals, cfg: MeasureConfig) -> Measurement:
    """The timeline of a filmed face: the same movements, above its own rest, each with a confidence."""
    intensity = _through_closures(signals.intensity)
    shakes = [o for o in _oscillations(signals, "shake", signals.head[:, 1], cfg.shake_deg, cfg.half_cycle, 4)]
    found = [_cyclic(name, o, signals) for name, chains in (("nod", signals.nods), ("shake", shakes), ("talking", signals.speech))
             for o in chains]
    found += _apart([a for a in _lids(signals, intensity, cfg) if not a.name.startswith("wink") or a.intensity > _WINK])
    swung = {"look_up": signals.nods, "look_down": signals.nods, "turn_left": shakes, "turn_right": shakes}
    for name in _SUSTAINED:
        if name not in signals.measurable:
            continue
        least = LEAST_HEAD_SECONDS if ACTION[name].region == "head" else LEAST_SECONDS
        on = 0.8 * ON[name]
        for s in find_segments(intensity[name], signals.fps, on, 0.5 * ON[name], least):
            if not _part_of(s, swung.get(name, []), intensity[name], signals.fps, False):
                sure = signals.confidence(name, s)
                found += [replace(a, confidence=sure) for a in _by_side(name, s, intensity, signals, cfg)]
    found = sorted((a for a in found if signals.shown(a.onset, a.offset)), key=lambda a: (a.onset, _ORDER.index(a.name)))
    told, unsure = ([a for a in found if (a.confidence >= CLAIMED) is k] for k in (True, False))
    main, minor = ([a for a in told if ACTION[a.name].minor is m] for m in (False, True))
    emotion = estimate_emotion(_through_closures(signals.felt), signals.fps, _CLOSE, _SHOWN, signals.moved)
    notes = [f"{name.replace('_', ' ')} of {100 * level:.0f} % all through: a resting face, or an expression that is held; "
             "give a rest to tell" for name, level in signals.resting.items()]
    return Measurement(tuple(main), emotion, signals.fps, len(signals) / signals.fps, tuple(minor),
                       tuple(a for a in unsure if a.confidence >= MENTIONED), tuple(notes))


def _apart(lids: list[MeasuredAction]) -> list[MeasuredAction]:
    """Closures of lids that overlap, as one: the longest; a filmed lid that flutters is closed or blinks, not both."""
    out: list[MeasuredAction] = []
    for a in sorted(lids, key=lambda a: (a.side != "both", a.onset - a.offset)):
        over = next((k for k, b in enumerate(out) if a.onset < b.offset and b.onset < a.offset), None)
        if over is None:
            out.append(a)
        elif a.side == "both":
            b = out[over]
            out[over] = replace(b, onset=min(a.onset, b.onset), offset=max(a.offset, b.offset))
    return out


def _by_side(name: str, segment: Segment, intensity: dict[str, Array], signals: Signals, cfg: MeasureConfig
             ) -> list[MeasuredAction]:
    """The action of a segment, or one for each side that does it in turn."""
    if name not in signals.sides:
        return [_action(name, segment, intensity[name], signals)]
    left, right = signals.sides[name]
    high, low = np.maximum(left, right), np.minimum(left, right)
    # 0 both, 1 left, 2 right; too weak, or behind a closing lid, is no sign of a side
    label = np.where(low >= np.minimum(ONE_SIDED * high, _OWN_SIDE), 0, np.where(left > right, 1, 2))
    seen = high > 0.5 * float(high[segment.start : segment.stop].max(initial=0.0))
    if name in _HIDDEN_BY_LIDS:
        open_ = seen & (np.maximum(intensity["left_lid"], intensity["right_lid"]) < _SHUT)
        seen = open_ if open_[segment.start : segment.stop].any() else seen
    out: list[MeasuredAction] = []
    for a, b, side in _side_runs(label, seen, segment, signals.fps):
        whole = a == segment.start and b == segment.stop
        piece = segment
        if not whole:
            body = intensity[name][a:b]
            apex = (a + int(np.argmax(body >= 0.95 * body.max()))) / signals.fps
            piece = Segment(a, b, float(body.max()), segment.onset if a == segment.start else a / signals.fps,
                            max(apex, segment.apex) if a == segment.start and segment.apex * signals.fps < b else apex,
                            segment.offset if b == segment.stop else b / signals.fps)
        if side == "both" or piece.peak >= cfg.on:
            out.append(replace(_action(name, piece, intensity[name], signals), side=side, sides=_sides_of(name, piece, signals)))
    return out


def _sides_of(name: str, segment: Segment, signals: Signals) -> tuple[float, float]:
    """The most that each side does in a segment."""
    left, right = (min(max(float(s[segment.start : segment.stop].max(initial=0.0)), 0.0), 1.0) for s in signals.sides[name])
    return left, right


def _side_runs(label: NDArray[np.int64], seen: NDArray[np.bool_], segment: Segment, fps: float) -> list[tuple[int, int, Side]]:
    """Frames and side of each stretch of a segment that one side, or both, does for long enough."""
    names: tuple[Side, ...] = ("both", "left", "right")
    inside = np.arange(segment.start, segment.stop)
    pieces = sorted((a, int(k)) for k in (0, 1, 2) for a, b in runs((label[inside] == k) & seen[inside])
                    if b - a >= _SIDE_SECONDS * fps)
    changes = [p for i, p in enumerate(pieces) if i == 0 or pieces[i - 1][1] != p[1]]
    if len(changes) < 2:
        counted = label[inside][seen[inside]]
        most = changes[0][1] if changes else int(np.bincount(counted, minlength=3).argmax()) if len(counted) else 0
        return [(segment.start, segment.stop, names[most])]
    starts = [segment.start, *(segment.start + a for a, _ in changes[1:])]
    return [(a, b, names[k]) for a, b, (_, k) in zip(starts, [*starts[1:], segment.stop], changes, strict=True)]


def _oscillations(
    signals: Signals, name: str, angle: Array, prominence: float, half: float, swings: int
) -> list[Oscillation]:
    chains = find_oscillations(angle, signals.fps, prominence, half, swings)
    return [o for o in chains if o.amplitude >= _LEAST_SWING[name] * DEGREES[name]]


def _segments(name: str, signal: Array, fps: float, cfg: MeasureConfig) -> list[Segment]:
    return find_segments(
        signal, fps, _ON.get(name, cfg.on), min(cfg.off, 0.7 * _ON.get(name, cfg.on)), _MIN_SECONDS.get(name, cfg.min_seconds)
    )


def _through_closures(intensity: dict[str, Array]) -> dict[str, Array]:
    """Signals that a closing lid hides are carried over the closure."""
    shut = np.maximum(intensity["left_lid"], intensity["right_lid"]) > _SHUT
    if not shut.any() or shut.all():
        return intensity
    at, seen = np.arange(len(shut)), np.flatnonzero(~shut)
    out = dict(intensity)
    for name in _HIDDEN_BY_LIDS:
        bridged = np.interp(at, seen, intensity[name][seen]).astype(np.float32)
        out[name] = np.where(shut, np.maximum(np.minimum(bridged, 1.0), intensity[name]), intensity[name])
    return out


def _part_of(segment: Segment, chains: list[Oscillation], signal: Array, fps: float, spoken: bool) -> bool:
    """Whether a segment is only a share of an oscillation's movement."""
    start, stop = segment.start / fps, segment.stop / fps
    for o in chains:
        margin = 0.15 if spoken else 0.08
        inside = min(stop, o.offset + margin) - max(start, o.onset - margin)
        if inside >= 0.6 * (stop - start):
            # a shape that is held through the utterance is an action of its own
            held = spoken and stop - start > 0.5 and float(np.quantile(signal[segment.start : segment.stop], 0.25)) > 0.3
            if not held:
                return True
    return False


def _lids(signals: Signals, intensity: dict[str, Array], cfg: MeasureConfig) -> list[MeasuredAction]:
    """Blinks and closed eyes (both lids), winks (one)."""
    out = []
    for s in _closures(signals, intensity["closure"], cfg):
        half = int((intensity["closure"][s.start : s.stop] > 0.5 * s.peak).sum()) / signals.fps
        found = _action("blink" if half < cfg.blink_seconds else "eye_close", s, intensity["closure"], signals)
        out.append(replace(found, sides=_sides_of("eye_close", s, signals)))
    for side in _LR:
        name = f"wink_{side}"
        for s in _segments(name, intensity[name], signals.fps, cfg):
            half = int((intensity[name][s.start : s.stop] > 0.5 * s.peak).sum()) / signals.fps
            if half < cfg.wink_seconds:
                out.append(_action(name, s, intensity[name], signals))
            else:
                out.append(replace(_action(name, s, intensity[name], signals), name="eye_close", side=side,
                                   sides=_sides_of("eye_close", s, signals)))
    return out


def _closures(signals: Signals, closure: Array, cfg: MeasureConfig) -> list[Segment]:
    """Stretches in which both lids are closed; over a lowered gaze, which the lids follow, each closure is one."""
    found = _segments("closure", closure, signals.fps, cfg)
    if signals.gaze is None or not found:
        return found
    follow = np.clip(signals.gaze[:, 0] / DEGREES["gaze_down"], 0.0, 1.0) * np.float32(_LIDS_FOLLOW)
    beyond = ((closure - follow) / (1.0 - follow)).astype(np.float32)
    out = []
    for s in found:
        own = [p for p in _segments("closure", beyond, signals.fps, cfg) if s.start <= p.start and p.stop <= s.stop]
        out += own if len(own) > 1 else [s]
    return out


def _action(name: str, segment: Segment, signal: Array, signals: Signals) -> MeasuredAction:
    best = segment.start + int(np.argmax(signal[segment.start : segment.stop]))
    return MeasuredAction(
        name=name,
        onset=segment.onset,
        apex=segment.apex,
        offset=segment.offset,
        intensity=float(min(segment.peak, 1.0)),
        value=float(signals.physical(name)[best]),
        unit=ACTION[name].unit,
        levels=find_levels(signal, segment.start, segment.stop, signals.fps),
    )


def _cyclic(name: str, o: Oscillation, signals: Signals) -> MeasuredAction:
    offset = min(o.offset, len(signals) / signals.fps)
    return MeasuredAction(
        name=name,
        onset=o.onset,
        apex=min(o.apex, offset),
        offset=offset,
        unit=ACTION[name].unit,
        intensity=float(min(o.amplitude / DEGREES[name], 1.0)),
        value=o.hertz,
        cycles=o.cycles,
    )


def _without_speech(intensity: dict[str, Array], talks: list[Oscillation], fps: float) -> dict[str, Array]:
    """Mouth signals without what talking does to them: an open jaw is then no surprise."""
    if not talks:
        return intensity
    out = dict(intensity)
    for o in talks:
        a, b = int(o.onset * fps), int(np.ceil(o.offset * fps)) + 1
        for name in SPOKEN_SHAPES:
            out[name] = out[name].copy()
            out[name][a:b] = 0.0
    return out
