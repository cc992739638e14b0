"""What a filmed face does against its own rest, and how sure that is.

A fit of a real face carries what an animated one has not: a rest of the person's own that drifts, noise, speech, and what the
fit mistakes for an action (a raised head lowers the brows, a smile wrinkles the nose, a turned head bends the lips). So the
signals of a filmed clip are taken against its quiet frames, thresholds lie above what such frames show, what speech, a smile or a
turned head explains is not claimed, and each claim has a confidence. The thresholds were chosen on the tuning clips of
``eval/seeing`` (``python -m facelm.benchmarks seeing FOLDER --split tune``), where weaker signals are false more often than true.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, percentile_filter, uniform_filter1d

from ...clip.channels import EXPR_INDEX
from ..signals import DEGREES, Signals
from ..timeline import Oscillation, Segment, find_oscillations
from ..vocabulary import ACTION, SPOKEN_SHAPES

Array = NDArray[np.float32]

ON: dict[str, float] = {
    "smile": 0.42, "mouth_open": 0.33, "brow_raise": 0.35, "inner_brow_raise": 0.66, "brow_lower": 0.52, "nose_wrinkle": 0.6,
    "squint": 0.52, "eye_widen": 0.5, "lip_press": 0.44, "upper_lip_raise": 0.6, "lip_stretch": 0.52, "lip_pucker": 0.48,
    "lip_corner_depress": 0.42, "chin_raise": 0.4, "cheek_puff": 0.65, "tongue_out": 0.5, "jaw_left": 0.45, "jaw_right": 0.45,
    "cheek_raise": 0.17, "dimple": 0.6, "lower_lip_depress": 0.5, "lip_funnel": 0.55, "lip_suck": 0.55, "mouth_shift_left": 0.45,
    "mouth_shift_right": 0.45, "gaze_up": 0.65, "gaze_down": 0.65, "gaze_left": 0.65, "gaze_right": 0.65, "look_up": 0.4,
    "look_down": 0.42, "turn_left": 0.22, "turn_right": 0.22, "tilt_left": 0.42, "tilt_right": 0.42}
"""A filmed action must reach this share of full scale above rest; animated ones are seen from a third of it on."""
LEAST_SECONDS, LEAST_HEAD_SECONDS = 0.2, 0.4
"""Shortest sustained action, and shortest posture of the head."""
CLAIMED = 0.5
"""Least confidence of what is told as a fact."""
MENTIONED = 0.2
"""Least confidence of what is listed at all."""
_STEEP, _MOST_SURE = 8.0, 0.9
"""How fast the confidence of a claim grows with the logarithm of its strength over its threshold, and up to what: of the
strongest claims on the tuning clips nine of ten are true."""
_REST_SECONDS, _LID_SECONDS = 30.0, 10.0
"""A rest is that of so long around each frame; of the lids, whose rest follows the gaze."""
_MEASURED_SECONDS = 2.0
"""In a shorter clip, or a picture, nothing tells rest from a held expression; that of other people is taken."""
_MIDDLE, _BRIEF_SHARE = 50.0, 15.0
"""Percentile of what moves to both sides of its rest, and that of what rises above it in a short clip."""
USUAL: dict[str, float] = {"brow_lower": 0.39, "squint": 0.22, "nose_wrinkle": 0.47, "upper_lip_raise": 0.08, "lip_press": 0.19,
                            "cheek_puff": 0.25, "left_lid": 0.06, "right_lid": 0.05, "gaze_up": 0.38, "look_up": 0.29}
"""What the fit of a single picture finds in a neutral face: medians of eight people (first frames of posed sequences, quiet
frames of the tuning clips). Where a clip is too short to have a rest of its own, that is its rest."""
_MOST_REST, _DRIFT = 0.35, 0.15
"""Most of an action that is a person's resting face, and how far that may drift within a clip."""
_HELD = 0.3
"""A constant expression of more than this is perhaps held, not the person's rest; the result says so."""
_TALK_DEGREES, _TALK_SWINGS, _TALK_HALF, _TALK_SWING, _TALK_SECONDS, _TALK_GAP = 0.5, 4, 0.36, 1.2, 0.3, 0.6
"""Speech: smallest and mean swing of the jaw (degrees), number and longest half cycle (s) of the swings, shortest utterance,
longest pause in one."""
_NOD_SWING, _NOD_DEGREES = 0.36, 4.0
_SMILING, _TURNED, _SPOKEN = 0.3, 15.0, 0.5
"""From this smile on its folds are its own; from so many degrees on a turned head bends what is seen; more than this share of an
action in speech makes it speech."""
_STRONG, _BENT = 0.8, 1.3
"""A fold of a smile this strong is an action beside it; so much more than usual is wanted of a turned face."""
_IN_SMILES = frozenset({"nose_wrinkle", "upper_lip_raise", "squint", "lip_stretch", "lip_press", "brow_lower", "dimple",
                        "lower_lip_depress"})
_BENT_BY_TURNS = frozenset({"brow_raise", "brow_lower", "nose_wrinkle", "lip_press", "lip_stretch", "lip_pucker",
                            "upper_lip_raise", "jaw_left", "jaw_right", "mouth_shift_left", "mouth_shift_right",
                            "lip_corner_depress", "dimple"})
_POSTURES = {"look_up": (0, -1.0), "look_down": (0, 1.0), "turn_left": (1, 1.0), "turn_right": (1, -1.0), "tilt_left": (2, -1.0),
             "tilt_right": (2, 1.0)}
_BEGINNING, _FACING = 0.12, 3.0
"""A head that stays this close to straight ahead (degrees) for the first so many seconds rests there."""
_GAZES = {"gaze_up": ("look_up", 0, -1.0), "gaze_down": ("look_down", 0, 1.0), "gaze_left": ("turn_left", 1, 1.0),
          "gaze_right": ("turn_right", 1, -1.0)}
_CLEAR = 0.85
"""An action from this share of its threshold on is a part of an emotion."""
_PARTS = ("brow_raise", "inner_brow_raise", "brow_lower", "nose_wrinkle", "upper_lip_raise", "lip_corner_depress", "squint",
          "lip_stretch", "eye_widen")
"""Actions that are parts of emotions and of little else."""
_OTHERWISE = 0.3
"""Share of its confidence that is left of a claim that something else explains."""
_OPPOSITE = {"gaze_down": "gaze_up", "look_down": "look_up"}
_SHUT = 0.3
"""A closure from here on hides where the eyes look."""


@dataclass(frozen=True)
class FilmedSignals(Signals):
    """Signals of a filmed person as distances from the person's own rest.

    Attributes:
        seen: ``(T,)`` frames with a trusted fit; None: all.
        quiet: ``(T,)`` frames in which the face is known to rest; None finds them in the clip.
    """

    seen: NDArray[np.bool_] | None = None
    quiet: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, signals: Signals, seen: NDArray[np.bool_], quiet: NDArray[np.bool_] | None = None) -> FilmedSignals:
        """The same signals, seen against their rest."""
        own: dict[str, Any] = {f.name: getattr(signals, f.name) for f in fields(Signals)}
        return cls(**own, seen=seen, quiet=quiet)

    @cached_property
    def resting(self) -> dict[str, float]:
        """Mean level of the rest of what blend shapes make, for those that are no small ones."""
        if self._brief or self.quiet is not None:
            return {}
        levels = {name.replace("smile_left", "smile"): float(self.rest(name, x, most=np.inf).mean())
                  for name, x in self._raw.items()}
        return {name: level for name, level in levels.items() if level > _HELD and name in ACTION}

    @cached_property
    def mean(self) -> dict[str, Array]:
        """What blend shapes make, as a share of what is left above rest."""
        return {name: self._above(name, x) for name, x in self._raw.items()}

    @cached_property
    def sides(self) -> dict[str, tuple[Array, Array]]:
        """The two sides of every paired action, each above its own rest."""
        raw = Signals.sides.func(self)  # type: ignore[attr-defined]
        return {name: (left, right) if name == "smile" else (self._above(lids.get(name, name), left), self._above(
            lids.get(name, name), right)) for lids in ({"eye_close": "left_lid"},) for name, (left, right) in raw.items()}

    @cached_property
    def intensity(self) -> dict[str, Array]:
        """(T,) signal of every measurable action above rest."""
        out: dict[str, Array] = Signals.intensity.func(self)  # type: ignore[attr-defined]
        out["mouth_open"] = out["mouth_open"] - self.rest("mouth_open", out["mouth_open"], most=np.inf)
        for name in ("jaw_left", "jaw_right"):
            out[name] = out[name] - self.rest(name, out[name], _MIDDLE, most=np.inf)
        for name, (axis, sign) in _POSTURES.items():
            own = self.facing
            rest = self.rest(name, out[name], _MIDDLE, most=np.inf) if own is None else sign * own[axis] / DEGREES[name]
            out[name] = (out[name] - rest).astype(np.float32)
        # a smile that lifts the cheeks narrows the eyes from below; what the lids do alone is no sign of it
        lifted = 0.5 * (self.amounts[:, EXPR_INDEX["cheekSquintLeft"]] + self.amounts[:, EXPR_INDEX["cheekSquintRight"]])
        out["cheek_raise"] = self._above("cheek_raise", lifted) * (out["smile"] > _SMILING)
        if self.gaze is not None:
            out |= {name: self._gaze_signal(out, name) for name in _GAZES}
        return out

    @cached_property
    def facing(self) -> Array | None:
        """Angles (3,), deg, of a head that begins quiet and facing the camera in a short clip: its rest, whatever it does then.

        None of another clip, whose head rests where it is most of the time.
        """
        n = len(self)
        if self.quiet is not None or self._brief or n > _REST_SECONDS / 3 * self.fps:
            return None
        if self.seen is not None and not self.seen.all():
            return None
        first = self.head[: max(2, round(_BEGINNING * self.fps))]
        level = np.median(first, axis=0)
        ahead = float(np.abs(level).max()) < _FACING and float(np.ptp(first, axis=0).max()) < _FACING
        return level.astype(np.float32) if ahead else None

    def physical(self, action: str) -> Array:
        """(T,) the action's quantity, mm or deg; the turns of a head from its rest."""
        if action in _POSTURES:
            return (DEGREES[action] * self.intensity[action]).astype(np.float32)
        return super().physical(action)

    @cached_property
    def _raw(self) -> dict[str, Array]:
        raw: dict[str, Array] = Signals.mean.func(self)  # type: ignore[attr-defined]
        return raw

    def _gaze_signal(self, intensity: dict[str, Array], name: str) -> Array:
        """Eyes that turn in the head and in the world: those that stay on something while the head turns are no action."""
        posture, axis, sign = _GAZES[name]
        assert self.gaze is not None
        own = sign * self.gaze[:, axis]
        open_ = intensity["closure"] < _SHUT
        if open_.any():
            at = np.arange(len(own))
            own = np.interp(at, at[open_], own[open_]).astype(np.float32)
        own = median_filter(own, size=max(3, int(0.2 * self.fps) | 1), mode="nearest")
        own = own - DEGREES[name] * self.rest(name, own / DEGREES[name], _MIDDLE, most=np.inf)
        world = own + DEGREES[posture] * intensity[posture]
        return (np.minimum(own, np.maximum(world, 0.0)) / DEGREES[name]).astype(np.float32)

    @property
    def _brief(self) -> bool:
        seen = len(self) if self.seen is None else int(self.seen.sum())
        return self.quiet is None and seen < _MEASURED_SECONDS * self.fps

    def _above(self, name: str, signal: Array) -> Array:
        rest = self.rest(name, signal, seconds=_LID_SECONDS if name.endswith("_lid") else _REST_SECONDS)
        return ((signal - rest) / (1.0 - np.maximum(rest, 0.0))).astype(np.float32)

    def rest(self, name: str, signal: Array, share: float = 25.0, seconds: float = _REST_SECONDS,
             most: float = _MOST_REST) -> Array:
        """``(T,)`` level at which a signal rests.

        Args:
            name: what it is the signal of.
            signal: ``(T,)``, as a share of full scale.
            share: percentile of the frames that are at rest or below it.
            seconds: the rest is that of so long around each frame.
            most: the highest rest.
        """
        n = len(signal)
        if self.quiet is not None:
            return np.full(n, np.median(signal[self.quiet]), np.float32)
        if self.seen is None or self.seen.all() or not self.seen.any():
            return self._own_rest(name, signal, share, seconds, most)
        level = self._own_rest(name, signal[self.seen], share, seconds, most)  # what bridges a gap shows nothing of the rest
        return np.interp(np.arange(n), np.flatnonzero(self.seen), level).astype(np.float32)

    def _own_rest(self, name: str, signal: Array, share: float, seconds: float, most: float) -> Array:
        n = len(signal)
        if self._brief and share == _MIDDLE and n > 2 and not name.startswith("gaze"):
            return np.full(n, np.median(signal), np.float32)  # a head is at rest where it is, in a second of film as in a minute
        if self._brief:
            return np.full(n, USUAL.get(name, -USUAL.get(_OPPOSITE.get(name, ""), 0.0)), np.float32)
        if n <= seconds / 3 * self.fps:  # most of a short clip may be the expression
            return np.full(n, min(float(np.percentile(signal, share if share == _MIDDLE else _BRIEF_SHARE)), most), np.float32)
        whole = float(np.percentile(signal, share))
        step = max(1, int(self.fps / 6))
        rolling = percentile_filter(signal[::step], share, size=max(3, int(seconds * self.fps / step) | 1), mode="nearest")
        level = np.interp(np.arange(n), np.arange(0, n, step), rolling)
        level = uniform_filter1d(level, max(3, int(self.fps) | 1), mode="nearest")
        return np.minimum(np.minimum(level, whole + _DRIFT if np.isfinite(most) else np.inf), most).astype(np.float32)

    @cached_property
    def felt(self) -> dict[str, Array]:
        """What an emotion is seen in: clear actions in full, what lies below their thresholds hardly, and no speech.

        Teeth that are bared under lowered brows are no smile.
        """
        out = dict(self.intensity) | self.mean
        for name, x in out.items():
            on = ON.get(name, ON["smile"] if name.startswith("smile_") else 0.0)
            out[name] = np.where(x >= _CLEAR * on, x, np.float32(_OTHERWISE) * x).astype(np.float32)
            if name in SPOKEN_SHAPES:
                out[name] = np.where(self._talking, np.float32(0.0), out[name])
        # disgust is seen at the lip, anger at the brows: a nose that is wrinkled alone is neither
        lip = np.clip(self.intensity["upper_lip_raise"] / ON["upper_lip_raise"], 0.0, 1.0)
        smiling = np.clip(self.intensity["smile"] / ON["smile"], 0.0, 1.0)
        out["nose_wrinkle"] = (out["nose_wrinkle"] * lip * (1.0 - smiling)).astype(np.float32)
        out["lip_press"] = (out["lip_press"] * (1.0 - smiling)).astype(np.float32)
        bared = np.clip((self.intensity["brow_lower"] - _SMILING) / 0.25, 0.0, 1.0)
        both = np.minimum(out["smile_left"], out["smile_right"])
        # a corner of the mouth that goes up in speech is no contempt
        return out | {side: np.where(self._talking, both, out[side]) * (1.0 - bared) for side in ("smile_left", "smile_right")}

    @cached_property
    def moved(self) -> NDArray[np.bool_]:
        """Frames in which something clear happens that an emotion may be part of."""
        return np.any([(self.intensity[n] >= ON[n]) & ~(self._talking & (n in SPOKEN_SHAPES)) for n in _PARTS], axis=0)

    # -- evidence -----------------------------------------------------------------------------
    @cached_property
    def speech(self) -> list[Oscillation]:
        """Utterances: swings of the jaw that follow one another."""
        chains = [o for o in find_oscillations(self.jaw[:, 0], self.fps, _TALK_DEGREES, _TALK_HALF, _TALK_SWINGS)
                  if o.amplitude >= _TALK_SWING]
        out: list[Oscillation] = []
        for o in chains:
            if out and o.onset - out[-1].offset < _TALK_GAP:
                out[-1] = _joined(out[-1], o)
            else:
                out.append(o)
        return [o for o in out if o.offset - o.onset >= _TALK_SECONDS]

    @cached_property
    def nods(self) -> list[Oscillation]:
        """Nods that a viewer would call so: a dip and its return, more than once or deep."""
        return [o for o in find_oscillations(self.head[:, 0], self.fps, _NOD_DEGREES, 0.54, 2)
                if o.amplitude >= _NOD_SWING * DEGREES["nod"] and (o.swings > 4 or o.first > 0 and o.swings >= 3)]

    def shown(self, start: float, end: float) -> bool:
        """Whether a face was seen in most of the frames between two times, s."""
        inside = slice(int(start * self.fps), max(int(np.ceil(end * self.fps)), int(start * self.fps) + 1))
        return self.seen is None or float(self.seen[inside].mean()) > 0.5

    def confidence(self, name: str, segment: Segment) -> float:
        """How sure a claim is, 0 to 1: by its strength over its threshold, and by what else explains it."""
        inside = slice(segment.start, segment.stop)
        share = _STEEP * float(np.log(max(segment.peak, 1e-3) / ON[name]))
        sure = _MOST_SURE * float(1.0 / (1.0 + np.exp(-np.clip(share, -20.0, 20.0))))
        if self._explained(name, segment, inside):
            return min(sure, CLAIMED) * _OTHERWISE
        return sure

    def _explained(self, name: str, segment: Segment, inside: slice) -> bool:
        seconds = (segment.stop - segment.start) / self.fps
        if ACTION[name].region in ("mouth", "jaw") and float(self._talking[inside].mean()) > _SPOKEN:
            held = seconds > 0.8 and float(np.quantile(self.intensity[name][inside], 0.25)) > 0.8 * ON[name]
            if not held:
                return True
            if name not in ("smile", "mouth_open"):
                return segment.peak <= _BENT * ON[name]
        if name in _IN_SMILES and float((self.intensity["smile"][inside] > _SMILING).mean()) > 0.4 and segment.peak < _STRONG:
            return True
        if name == "nose_wrinkle" and self._peak("brow_lower", inside) > _CLEAR * ON["brow_lower"] and self._peak(
                "upper_lip_raise", inside) < _CLEAR * ON["upper_lip_raise"]:
            return True  # lowered brows wrinkle the root of the nose
        return name in _BENT_BY_TURNS and segment.peak < _BENT * ON[name] and bool(self._turned[inside].any())

    def _peak(self, name: str, inside: slice) -> float:
        return float(self.intensity[name][inside].max())

    @cached_property
    def _talking(self) -> NDArray[np.bool_]:
        at = np.arange(len(self)) / self.fps
        out = np.zeros(len(self), np.bool_)
        for o in self.speech:
            out |= (at > o.onset - 0.15) & (at < o.offset + 0.15)
        return out

    @cached_property
    def _turned(self) -> NDArray[np.bool_]:
        return np.maximum(self.intensity["turn_left"], self.intensity["turn_right"]) * DEGREES["turn_left"] > _TURNED


def _joined(a: Oscillation, b: Oscillation) -> Oscillation:
    swings = a.swings + b.swings
    mean = (a.amplitude * a.swings + b.amplitude * b.swings) / swings
    return Oscillation(a.onset, a.apex, b.offset, mean, swings, swings / 2 / max(b.offset - a.onset, 1e-3), a.first)
