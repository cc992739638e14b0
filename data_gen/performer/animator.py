"""The procedural animator: a performance script becomes facial motion.

Only what is commanded is performed; the idle layer (face/clip/spontaneous.py) is added afterwards or
left out. Between events the face is exactly at rest, and one action at one strength always
goes to the same target: what differs between two performances is timing and a few percent
of style. A motion language that small models can learn needs that parsimony.
"""

from __future__ import annotations

from dataclasses import replace
from math import radians
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...face.clip.channels import EXPR_NAMES
from ...face.clip.sequence import FaceSequence
from ...face.facs.poses import POSE_CHANNELS, pose_of
from ...face.facs.schedule import Event, Schedule
from ...face.facs.vocabulary import ACTION
from ...face.head.model import HeadModel
from .dynamics import BLINK, RATES, WINK, decline, repetitions, stroke, strokes
from .speech import speak, syllables

Curve = NDArray[np.float64]
_Part = tuple[str, dict[str, float], Curve]
"""One event's contribution: its track, channel targets, and the curve(s) that they follow, (T,) or (T, channels)."""
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
_LEAST_NOD = radians(3.9)  # the measurement counts nods from 3 degrees
_LID_FOLLOWS = {"eyeBlink": 0.35 / radians(22.0), "eyeWide": -0.30 / radians(20.0)}
# Upper lids follow the eye: Becker & Fuchs, "Lid-eye coordination during vertical gaze changes in
# man and monkey", J. Neurophysiol. 60(4), 1988, https://doi.org/10.1152/jn.1988.60.4.1227.


def n_frames(seconds: float, fps: float = FPS) -> int:
    """Frames of a performance; at least 1."""
    return max(1, round(seconds * fps))


def perform(script: Schedule, head: HeadModel | None = None, *, shape: NDArray[np.float32] | None = None,
            fps: float = FPS, frames: range | None = None) -> FaceSequence:
    """Perform a script: the commanded layer only, the same for the same script.

    Args:
        script: what to do and when.
        head: the head that moves; its expression columns must carry ARKit names. None is the default head.
        shape: identity coefficients, (S,) with S up to the head's; None is the mean face.
        fps: frames per second.
        frames: only these of its frames; None is all of them.

    Returns:
        A clip of ``round(seconds * fps)`` frames; every channel is exactly 0 outside its events.

    Raises:
        ValueError: the head has no such expression columns, or the identity is too long.
    """
    shown = frames if frames is not None else range(n_frames(script.seconds, fps))
    return realise(channels(script, fps, shown), len(shown), head, shape=shape, fps=fps)


def realise(motion: dict[str, Curve], frames: int, head: HeadModel | None = None, *,
            shape: NDArray[np.float32] | None = None, fps: float = FPS) -> FaceSequence:
    """Named channels (ARKit expression names and POSE_CHANNELS, each ``(frames,)``) as a clip; what is missing rests.

    Raises:
        ValueError: as :func:`perform`.
    """
    model = head or HeadModel.default()
    if missing := [n for n in EXPR_NAMES if n not in model.expr_names]:
        raise ValueError(f"the head {model.ref} has no expression columns {', '.join(missing[:4])}...; the animator "
                         "needs ARKit names: perform on the default head, then facelm retarget")
    identity = np.zeros(0, np.float32) if shape is None else np.asarray(shape, np.float32)
    if len(identity) > model.n_shape:
        raise ValueError(f"shape has {len(identity)} identity coefficients; the head {model.ref} has {model.n_shape}")
    rest = FaceSequence.rest(frames, model.ref, n_expr=len(model.expr_names), fps=fps)
    expr, jaw, neck, eyes = (np.zeros_like(a) for a in (rest.expr, rest.jaw_pose, rest.neck_pose, rest.eyes_pose))
    for name, curve in motion.items():
        if name in model.expr_names:
            expr[:, model.expr_names.index(name)] = curve
        elif name.startswith("gaze"):
            axis = 0 if name == "gaze_pitch" else 1
            eyes[:, axis] = eyes[:, 3 + axis] = curve
        else:
            (jaw if name.startswith("jaw") else neck)[:, "xyz".index(name[-1])] = curve
    return replace(rest, expr=expr, jaw_pose=jaw, neck_pose=neck, eyes_pose=eyes,
                   shape=np.pad(identity, (0, model.n_shape - len(identity))))


def channels(script: Schedule, fps: float = FPS, frames: range | None = None) -> dict[str, Curve]:
    """The performance as named channels, at all frames or only at ``frames``.

    Returns:
        ARKit expression names (0..1) and POSE_CHANNELS (radians), each (T,); channels that never
        move are left out.
    """
    t = np.array(frames if frames is not None else range(n_frames(script.seconds, fps))) / fps
    rng = np.random.default_rng(script.seed)
    jitter = np.clip(rng.normal(0.0, 0.012, len(script.events)), -0.03, 0.03)
    speech_seeds = rng.integers(0, 2**32, len(script.events))
    releases = [_release(script, i) for i in range(len(script.events))]
    layers = _layers(script, releases)
    parts = [_part(script, i, event.intensity * script.style.expressiveness * (1.0 + jitter[i]), t, int(speech_seeds[i]),
                   releases[i], layers[i]) for i, event in enumerate(script.events) if event.name != "neutral"]
    out = _combine(parts)
    weaker = "Left" if script.style.asymmetry > 0.0 else "Right"
    for name in out:
        if name.endswith(weaker) and not name.startswith("eyeBlink"):  # lids that close still close
            out[name] = out[name] * (1.0 - abs(script.style.asymmetry))
    _follow_gaze(out)
    close_lids(out)
    return finish(out)


def finish(out: dict[str, Curve]) -> dict[str, Curve]:
    """Channels clipped, in place, to what a face can do."""
    for name, curve in out.items():
        np.clip(curve, *LIMITS.get(name, (0.0, 1.0)), out=curve)
    return out


# -- single events ----------------------------------------------------------------------
_Release = tuple[float, float] | None
"""When an event's offset begins and how long it takes; None when it stays to the end."""


def _part(script: Schedule, index: int, level: float, t: Curve, seed: int, release: _Release, layer: int) -> _Part:
    event, name = script.events[index], script.events[index].name
    duration = max(event.end(script.seconds) - event.start, 1e-3)
    pose = {k: v * level for k, v in pose_of(name, event.side).items()}
    if name in RATES:
        cycles = event.cycles or max(1, round(RATES[name] * duration))
        if name != "talking":
            return name, pose, _oscillation(event, cycles, duration, t, abs(max(pose.values(), key=abs)))
        # speech moves many channels by curves of their own
        tracks = speak(t, event.start, duration, syllables(np.random.default_rng(seed), cycles))
        pose = {"jaw_x": pose["jaw_x"], **{n: level for n in tracks if n != "jaw"}}
        return name, pose, np.stack(list(tracks.values()), axis=1)
    tempo = 1.0 if name in _BLINKS else script.style.tempo
    track = f"{'emotion' if event.is_emotion else name} {layer}"
    if event.cycles > 1:
        apex = _BLINKS[name][1] if name in _BLINKS else np.inf
        return track, pose, repetitions(t, event.start, duration, event.cycles, (event.rise, apex, event.fall or event.rise))
    curve = stroke(t, event.start, event.rise / tempo)
    if release is not None:
        curve = curve - stroke(t, release[0], release[1] / tempo)
    return track, pose, curve


def _layers(script: Schedule, releases: list[_Release]) -> list[int]:
    """On which of several simultaneous tracks of the emotions, or of one action, each event is: 0 unless another is at its apex.

    A hand-over (one that begins as the other ends) stays on one track, where the two add up.
    """
    free: dict[str, list[float]] = {}
    out = []
    for event, release in zip(script.events, releases, strict=True):
        tracks = free.setdefault("emotion" if event.is_emotion else event.name, [])
        at = next((k for k, since in enumerate(tracks) if event.start >= since - 1e-6), len(tracks))
        tracks[at:at + 1] = [np.inf if release is None else release[0]]
        out.append(at)
    return out


def _takes_over(first: Event, second: Event) -> bool:
    """Whether ``second`` ends ``first`` when it begins before ``first`` is over.

    Not where both perform the cues of a script: what is laid out says when everything ends.
    """
    if first.cue >= 0 and second.cue >= 0:
        return False
    if second.name in ("neutral", first.name) or first.is_emotion and second.is_emotion:
        return True
    if any(e.is_emotion or ACTION[e.name].cyclic for e in (first, second)):
        return False
    return bool(_SUMMED.intersection(pose_of(first.name)).intersection(pose_of(second.name)))


def _release(script: Schedule, index: int) -> _Release:
    event = script.events[index]
    begin, fall = np.inf if event.stays else event.apex + event.hold, event.fall
    for later in script.events[index + 1:]:
        if later.start >= begin:
            break
        if later.start > event.start and _takes_over(event, later):
            begin, fall = later.start, later.rise
    return None if np.isinf(begin) else (begin, fall)


def _oscillation(event: Event, cycles: int, duration: float, t: Curve, size: float) -> Curve:
    """Nods go down and back up, each smaller than the one before; shakes swing left and right, and end in the middle."""
    if event.name == "nod":
        values = np.zeros(2 * cycles + 1)
        values[1::2] = decline(cycles, size, _LEAST_NOD)
        return strokes(t, event.start + duration * np.arange(2 * cycles + 1) / (2 * cycles), values)
    # quarter-cycle strokes at both ends, half-cycle swings between the extremes
    quarter = duration / (4 * cycles)
    times = event.start + np.concatenate([[0.0], quarter * (1 + 2 * np.arange(2 * cycles)), [duration]])
    return strokes(t, times, [0.0, *[1.0, -1.0] * cycles, 0.0])


# -- events together --------------------------------------------------------------------
def _combine(parts: list[_Part]) -> dict[str, Curve]:
    """Tracks of all parts into channels.

    Parts of one track add up (superposed submovements: a hand-over from one emotion to the next
    is then itself a minimum-jerk movement); different tracks on one expression channel
    give a smooth maximum; head and gaze angles add up.
    """
    by_channel: dict[str, dict[str, Curve]] = {}
    for track, pose, shape in parts:
        for i, (name, amount) in enumerate(pose.items()):
            curve = amount * (shape if shape.ndim == 1 else shape[:, i])
            tracks = by_channel.setdefault(name, {})
            tracks[track] = tracks[track] + curve if track in tracks else curve
    out = {}
    for name, tracks in by_channel.items():
        curves = list(tracks.values())
        if len(curves) == 1 or name in _SUMMED:
            total = np.sum(curves, axis=0)
        else:
            total = (np.maximum(np.stack(curves), 0.0)**_NORM).sum(axis=0) ** (1.0 / _NORM)
        total[np.abs(total) < 1e-9] = 0.0  # rounding left over from rises minus falls
        out[name] = total
    return out


def _follow_gaze(out: dict[str, Curve]) -> None:
    """Upper lids follow vertical gaze."""
    for side in ("Left", "Right"):
        for lid, share in _LID_FOLLOWS.items():
            follow = np.maximum(share * out.get("gaze_pitch", np.zeros(1)), 0.0)
            if follow.any():
                name = f"{lid}{side}"
                out[name] = (out[name]**_NORM + follow**_NORM) ** (1.0 / _NORM) if name in out else follow


def close_lids(out: dict[str, Any]) -> None:
    """A closing lid takes squint and widening with it; channels are curves or single values, changed in place."""
    for side in ("Left", "Right"):
        for name, share in ((f"eyeWide{side}", 1.0), (f"eyeSquint{side}", 0.7)):
            if name in out and f"eyeBlink{side}" in out:
                out[name] = out[name] * (1.0 - share * np.minimum(out[f"eyeBlink{side}"], 1.0))
