"""The procedural animator: a performance script becomes facial motion.

Only what is commanded is performed; the idle layer (face/clip/spontaneous.py) is added afterwards or
left out. Between events the face is exactly at rest, and one action at one strength always
goes to the same target: what differs between two performances is timing and a few percent
of style. A motion language that small models can learn needs that parsimony.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import radians
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...face.clip.channels import EXPR_NAMES
from ...face.clip.sequence import FaceSequence, HeadRef
from ...face.facs.poses import ACTION_POSES, EMOTION_POSES, POSE_CHANNELS
from ...face.facs.script import Event, Script
from ...face.facs.vocabulary import ACTION
from ...face.head.model import HeadModel
from .dynamics import BLINK, RATES, WINK, minimum_jerk, stroke, strokes
from .speech import speak, syllables

FPS = 25.0
LIMITS: dict[str, tuple[float, float]] = {
    # radians; about the range of motion of an adult
    "jaw_x": (0.0, radians(28.0)), "jaw_y": (-radians(14.0), radians(14.0)), "jaw_z": (-radians(8.0), radians(8.0)),
    "head_x": (-radians(50.0), radians(50.0)), "head_y": (-radians(75.0), radians(75.0)),
    "head_z": (-radians(40.0), radians(40.0)),
    "gaze_pitch": (-radians(30.0), radians(32.0)), "gaze_yaw": (-radians(40.0), radians(40.0)),
}
_SUMMED = frozenset(POSE_CHANNELS) - {"jaw_x"}  # signed angles add up; expression takes the stronger
_NORM = 4.0  # exponent of the smooth maximum
_BLINKS = {"blink": BLINK, "wink_left": WINK, "wink_right": WINK}
_LID_FOLLOWS = {"down": 0.35 / radians(22.0), "up": 0.30 / radians(20.0)}
# Upper lids follow the eye: Becker & Fuchs, "Lid-eye coordination during vertical gaze changes in
# man and monkey", J. Neurophysiol. 60(4), 1988, https://doi.org/10.1152/jn.1988.60.4.1227.


@dataclass(frozen=True)
class _Part:
    """One event's contribution: channel targets times a track."""

    track: str
    pose: dict[str, float]
    curve: NDArray[np.float64]


class Performing(Protocol):
    """What the animator needs of a head; a HeadModel has it."""

    @property
    def ref(self) -> HeadRef:
        """Which head it is."""

    @property
    def n_shape(self) -> int:
        """Number of identity coefficients."""

    @property
    def expr_names(self) -> tuple[str, ...]:
        """Names of the expression columns."""


@cache
def _default_head() -> HeadModel:
    return HeadModel.default()


def n_frames(script: Script, fps: float = FPS) -> int:
    """Frames of the script's performance; at least 1."""
    return max(1, round(script.seconds * fps))


def perform(script: Script, head: Performing | None = None, *, shape: NDArray[np.float32] | None = None,
            fps: float = FPS) -> FaceSequence:
    """Perform a script: the commanded layer only, the same for the same script.

    Args:
        script: what to do and when.
        head: the head that moves; its expression columns must carry ARKit names. None is the
            default head.
        shape: identity coefficients, (S,) with S up to the head's; None is the mean face.
        fps: frames per second.

    Returns:
        A clip of ``round(seconds * fps)`` frames; every channel is exactly 0 outside its events.

    Raises:
        ValueError: the head has no such expression columns, or the identity is too long.
    """
    return realise(channels(script, fps), n_frames(script, fps), head, shape=shape, fps=fps)


def realise(motion: dict[str, NDArray[np.float64]], frames: int, head: Performing | None = None, *,
            shape: NDArray[np.float32] | None = None, fps: float = FPS) -> FaceSequence:
    """Named channels as a clip of a head.

    Args:
        motion: ARKit expression names and POSE_CHANNELS, each ``(frames,)``; what is missing stays at rest.
        frames: length.
        head, shape, fps: see :func:`perform`.

    Raises:
        ValueError: the head has no such expression columns, or the identity is too long.
    """
    model = _default_head() if head is None else head
    missing = [n for n in EXPR_NAMES if n not in model.expr_names]
    if missing:
        raise ValueError(f"the head {model.ref} has no expression columns {', '.join(missing[:4])}...; the animator "
                         "needs ARKit names: perform on the default head, then facelm retarget")
    identity = np.zeros(model.n_shape, np.float32)
    if shape is not None:
        if len(shape) > model.n_shape:
            raise ValueError(f"shape has {len(shape)} identity coefficients; the head {model.ref} has {model.n_shape}")
        identity[: len(shape)] = shape
    columns = {n: i for i, n in enumerate(model.expr_names)}
    rest = FaceSequence.rest(frames, model.ref, n_expr=len(columns), fps=fps)
    expr, jaw, neck, eyes = (np.zeros_like(a) for a in (rest.expr, rest.jaw_pose, rest.neck_pose, rest.eyes_pose))
    for name, curve in motion.items():
        if name in columns:
            expr[:, columns[name]] = curve
        elif name.startswith("gaze"):
            axis = 0 if name == "gaze_pitch" else 1
            eyes[:, axis] = eyes[:, 3 + axis] = curve
        else:
            (jaw if name.startswith("jaw") else neck)[:, "xyz".index(name[-1])] = curve
    return replace(rest, expr=expr, jaw_pose=jaw, neck_pose=neck, eyes_pose=eyes, shape=identity)


def channels(script: Script, fps: float = FPS) -> dict[str, NDArray[np.float64]]:
    """The performance as named channels.

    Returns:
        ARKit expression names (0..1) and POSE_CHANNELS (radians), each (T,); channels that never
        move are left out.
    """
    t = np.arange(n_frames(script, fps)) / fps
    rng = np.random.default_rng(script.seed)
    jitter = np.clip(rng.normal(0.0, 0.012, len(script.events)), -0.03, 0.03)
    speech_seeds = rng.integers(0, 2**32, len(script.events))
    parts: list[_Part] = []
    for i, event in enumerate(script.events):
        if event.name == "neutral":
            continue
        level = event.intensity * script.style.expressiveness * (1.0 + jitter[i])
        if event.name == "talking":
            parts.append(_talking(script, event, level, t, int(speech_seeds[i])))
        else:
            parts.extend(_parts(script, i, level, t))
    out = _combine(parts)
    _asymmetry(out, script.style.asymmetry)
    _couple_lids(out)
    return finish(out)


def finish(out: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Channels clipped, in place, to what a face can do."""
    for name, curve in out.items():
        low, high = LIMITS.get(name, (0.0, 1.0))
        np.clip(curve, low, high, out=curve)
    return out


def _pose(name: str) -> dict[str, float]:
    return ACTION_POSES[name] if name in ACTION_POSES else EMOTION_POSES[name]


def _is_cyclic(event: Event) -> bool:
    return event.name in ACTION and ACTION[event.name].cyclic


def _takes_over(first: Event, second: Event) -> bool:
    """Whether ``second`` ends ``first`` when it begins before ``first`` is over."""
    if second.name == "neutral":
        return True
    if first.is_emotion and second.is_emotion or first.name == second.name:
        return True
    if first.is_emotion or second.is_emotion or _is_cyclic(first) or _is_cyclic(second):
        return False
    return bool(_SUMMED & set(_pose(first.name)) & set(_pose(second.name)))


def _release(script: Script, index: int) -> tuple[float, float] | None:
    """When an event's offset begins and how long it takes; None when it stays to the end."""
    event, tempo = script.events[index], script.style.tempo
    begin = np.inf if event.stays else event.apex + event.hold
    fall = event.fall
    for later in script.events[index + 1:]:
        if later.start < begin and _takes_over(event, later):
            begin, fall = later.start, later.rise
    return None if np.isinf(begin) else (begin, fall / tempo)


def _cycle_count(event: Event, seconds: float) -> tuple[int, float]:
    """Cycles and duration of a cyclic or repeated event."""
    duration = max(event.end(seconds) - event.start, 1e-3)
    if event.cycles:
        return event.cycles, duration
    if event.name in _BLINKS:
        return 1, duration
    return max(1, round(RATES[event.name] * duration)), duration


def _parts(script: Script, index: int, level: float, t: NDArray[np.float64]) -> list[_Part]:
    event = script.events[index]
    pose = {k: v * level for k, v in _pose(event.name).items()}
    track = "emotion" if event.is_emotion else event.name
    if event.name in ("nod", "shake"):
        return [_Part(track, pose, _oscillation(event, *_cycle_count(event, script.seconds), t))]
    if event.name in _BLINKS and event.cycles > 1:
        return [_Part(track, pose, _repeated(event, *_cycle_count(event, script.seconds), t))]
    rise = event.rise if event.name in _BLINKS else event.rise / script.style.tempo
    release = _release(script, index)
    curve = stroke(t, event.start, rise)
    if release is not None:
        curve = curve - stroke(t, *release)
    return [_Part(track, pose, curve)]


def _oscillation(event: Event, cycles: int, duration: float, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nods go down and back up; shakes swing to the left, to the right, and end in the middle."""
    if event.name == "nod":
        values = np.concatenate([[0.0], np.tile([1.0, 0.0], cycles)])
        times = event.start + duration * np.arange(2 * cycles + 1) / (2 * cycles)
        return strokes(t, times, values)
    # quarter-cycle strokes at both ends, half-cycle swings between the extremes
    values = np.concatenate([[0.0], np.tile([1.0, -1.0], cycles), [0.0]])
    quarter = duration / (4 * cycles)
    times = event.start + np.concatenate([[0.0], quarter * (1 + 2 * np.arange(2 * cycles)), [duration]])
    return strokes(t, times, values)


def _repeated(event: Event, count: int, duration: float, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Several blinks or winks, evenly spread over the event's duration."""
    once = np.array(_BLINKS[event.name])
    once *= min(1.0, duration / count / once.sum())
    period = (duration - once.sum()) / (count - 1)
    starts = event.start + period * np.arange(count)
    up = minimum_jerk(np.round((t[:, None] - starts) / once[0], 6))
    down = minimum_jerk(np.round((t[:, None] - starts - once[0] - once[1]) / once[2], 6))
    return np.asarray((up - down).sum(axis=1))


def _talking(script: Script, event: Event, level: float, t: NDArray[np.float64], seed: int) -> _Part:
    """Speech moves many channels by tracks of its own; they travel as one part of stacked curves."""
    count, duration = _cycle_count(event, script.seconds)
    tracks = speak(t, event.start, duration, syllables(np.random.default_rng(seed), count))
    names = [n for n in tracks if n != "jaw"]
    pose = {"jaw_x": ACTION_POSES["talking"]["jaw_x"] * level, **{n: level for n in names}}
    return _Part("talking", pose, np.stack([tracks["jaw"], *(tracks[n] for n in names)], axis=1))


def _combine(parts: list[_Part]) -> dict[str, NDArray[np.float64]]:
    """Tracks of all parts into channels.

    Parts of one track add up (superposed submovements: a hand-over from one emotion to the next
    is then itself a minimum-jerk movement); different tracks on one expression channel
    give a smooth maximum; head and gaze angles add up.
    """
    by_channel: dict[str, dict[str, NDArray[np.float64]]] = {}
    for part in parts:
        for i, (name, amount) in enumerate(part.pose.items()):
            curve = amount * (part.curve if part.curve.ndim == 1 else part.curve[:, i])
            tracks = by_channel.setdefault(name, {})
            tracks[part.track] = tracks[part.track] + curve if part.track in tracks else curve
    out = {}
    for name, tracks in by_channel.items():
        curves = list(tracks.values())
        if len(curves) == 1:
            total = curves[0].copy()
        elif name in _SUMMED:
            total = np.sum(curves, axis=0)
        else:
            stack = np.maximum(np.stack(curves), 0.0)
            total = (stack**_NORM).sum(axis=0) ** (1.0 / _NORM)
        total[np.abs(total) < 1e-9] = 0.0  # rounding left over from rises minus falls
        out[name] = total
    return out


def _asymmetry(out: dict[str, NDArray[np.float64]], asymmetry: float) -> None:
    """Weaken one side of the face; lids that close still close."""
    side = "Left" if asymmetry > 0.0 else "Right"
    for name in out:
        if name.endswith(side) and not name.startswith("eyeBlink"):
            out[name] = out[name] * (1.0 - abs(asymmetry))


def _couple_lids(out: dict[str, NDArray[np.float64]]) -> None:
    """Lids follow vertical gaze, and a closing lid takes squint and widening with it."""
    pitch = out.get("gaze_pitch")
    for side in ("Left", "Right"):
        blink, wide = f"eyeBlink{side}", f"eyeWide{side}"
        if pitch is not None:
            for name, follow in ((blink, _LID_FOLLOWS["down"] * np.maximum(pitch, 0.0)),
                                 (wide, _LID_FOLLOWS["up"] * np.maximum(-pitch, 0.0))):
                if follow.any():
                    own = out.get(name)
                    out[name] = follow if own is None else (own**_NORM + follow**_NORM) ** (1.0 / _NORM)
        if blink in out:
            for name, share in ((wide, 1.0), (f"eyeSquint{side}", 0.7)):
                if name in out:
                    out[name] = out[name] * (1.0 - share * np.minimum(out[blink], 1.0))
