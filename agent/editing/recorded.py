"""Edits of a clip of which no script is known (a film, a recording, another tool's clip): its channels are changed in place.

What is measured as an action is lifted off what the face does without it: of the action's own channels, in its own time, the
way from a straight line between the two ends. That much is made larger, moved, stretched, mirrored or left out; every other
channel and frame stays as it is, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from ...data_gen.performer.layout import lay_out
from ...face.clip.channels import EXPR_NAMES
from ...face.clip.normalise import is_filmed
from ...face.clip.sequence import MOTION_FIELDS, FaceSequence
from ...face.facs.measured import MeasuredAction, Measurement
from ...face.facs.poses import EMOTION_POSES, pose_of
from ...face.facs.schedule import Schedule
from ...face.facs.script import MAX_CUES, Cue, Script
from ...face.facs.vocabulary import ACTION, DIRECTIONS, PAIRED, Side
from .operations import Edit

Perform = Callable[[Schedule], FaceSequence]
Array = NDArray[np.float64]
_MARGIN = 0.16
"""Seconds around a measured action that belong to it: measurement begins at a share of its strength."""
_PAUSE = 0.24
"""Rest between repetitions, s."""
_AXES = {"head_x": 0, "head_y": 1, "head_z": 2}
_JAW = {"jaw_x": 0, "jaw_y": 1, "jaw_z": 2}
_GAZE = {"gaze_pitch": (0, 3), "gaze_yaw": (1, 4)}
_TURNED = frozenset({"head_y", "head_z", "jaw_y", "jaw_z", "gaze_yaw"})
"""Channels that change their sign in a mirror."""
_BESIDE = {"smile": ("cheekSquintLeft", "cheekSquintRight")}
"""What a real face moves with an action beside its own channels."""
_CANNOT = {"again": "be performed again", "continue": "be gone on with", "blend": "be blended", "never": "be forbidden something"}


@dataclass(frozen=True)
class _Event:
    """An action or emotion of a recording: its frames and channels."""

    name: str
    side: str
    low: int
    apex: int
    high: int
    channels: frozenset[str]


Lifted = dict[str, Array]
"""What an action does to each of its channels, ``(frames,)``."""


def shown_script(measured: Measurement) -> Script:
    """What a recording shows, as a script to which wishes can refer."""
    cues = []
    for a in measured.everything[:MAX_CUES]:
        stem, _, end = a.name.rpartition("_")
        directed, wink = stem in DIRECTIONS and end in ("left", "right"), a.name.startswith("wink_")
        side = cast(Side, end) if directed or wink else a.side if a.name in PAIRED else "both"
        cues.append(Cue(stem if directed else "wink" if wink else a.name, side, count=a.cycles))
    felt = dict.fromkeys(s.name for s in measured.emotion.timeline if s.name in EMOTION_POSES and s.name != "neutral")
    return Script(tuple(cues) + tuple(Cue(n) for n in felt))


def edit_recorded(clip: FaceSequence, measured: Measurement, edits: Sequence[Edit], perform: Perform,
                  measure: Callable[[FaceSequence], Measurement]) -> FaceSequence:
    """A recording after edits.

    Args:
        clip: of the default head.
        measured: what it shows.
        edits: in order.
        perform: performs a schedule; for what is added.
        measure: measures the clip between edits.

    Raises:
        ValueError: an edit that a recording cannot take, or of something that it does not show.
    """
    if clip.expr.shape[1] != len(EXPR_NAMES):
        raise ValueError(f"clips of the head {clip.head} are not edited; retarget it to the default head first")
    for number, edit in enumerate(edits):
        if edit.op in _CANNOT:
            raise ValueError(f"what was recorded cannot {_CANNOT[edit.op]}; it can be made stronger, longer, earlier, mirrored, "
                             "left out, and have things added")
        clip = _Canvas(clip, measured if number == 0 else measure(clip), perform).edited(edit)
    return clip


def times_shown(clip: FaceSequence, measured: Measurement, names: tuple[str, ...]) -> int:
    """How many separate occurrences of some names an edit of a recording would find."""
    events = _Canvas(clip, measured, lambda schedule: clip).events()
    return sum(_means(e.name, names) for e in events)


def _means(name: str, names: tuple[str, ...]) -> bool:
    return any(name == n or n in (*DIRECTIONS, "wink") and name.startswith(f"{n}_") for n in names)


class _Canvas:
    """A recording while it is edited."""

    def __init__(self, clip: FaceSequence, measured: Measurement, perform: Perform) -> None:
        self.clip, self.measured, self.perform = clip, measured, perform
        self.fields: dict[str, NDArray[np.float32]] = {n: np.array(getattr(clip, n)) for n in ("expr", *MOTION_FIELDS)}
        self.valid = np.array(clip.valid)
        self.head = "rotation" if is_filmed(clip) else "neck_pose"

    def edited(self, edit: Edit) -> FaceSequence:
        """The clip after one edit."""
        whole = {"length": self._length, "reverse": self._reverse, "add": self._add, "together": self._together,
                 "pause": self._pause, "only": self._only, "replace": self._replace}
        if edit.op in whole:
            whole[edit.op](edit)
        elif edit.op == "speed" and not edit.names:
            self._stretch_all(1.0 / edit.factor)
        else:
            for event in self._chosen(edit):
                self._one(edit, event)
        return self.clip.replace(**self.fields, valid=self.valid)

    # -- what is there ------------------------------------------------------------------
    def events(self) -> list[_Event]:
        """All that an edit can be about."""
        fps, frames = self.clip.fps, len(self.clip)

        def event(name: str, side: str, start: float, apex: float, end: float, channels: frozenset[str]) -> _Event:
            low, high = int((start - _MARGIN) * fps), int(np.ceil((end + _MARGIN) * fps))
            return _Event(name, side, max(low, 0), min(max(round(apex * fps), 0), frames - 1), min(high, frames), channels)

        def own(a: MeasuredAction) -> frozenset[str]:
            return frozenset(c for c in (*pose_of(a.name), *_BESIDE.get(a.name, ()))
                             if a.side == "both" or not c.endswith(("Left", "Right")) or c.endswith(a.side.capitalize()))

        felt = [event(s.name, "both", s.start, 0.5 * (s.start + s.end), s.end, frozenset(EMOTION_POSES[s.name]))
                for s in self.measured.emotion.timeline if s.name in EMOTION_POSES and s.name != "neutral"]
        return [event(a.name, a.side, a.onset, a.apex, a.offset, own(a)) for a in self.measured.everything] + felt

    def _chosen(self, edit: Edit) -> list[_Event]:
        found = [e for e in self.events() if not edit.names or _means(e.name, edit.names)]
        if not edit.names:
            found = [e for e in found if e.name in ACTION and e.name != "blink"]
        if not found:
            there = ", ".join(self.measured.names) or "nothing"
            named = " or ".join(edit.names) or "action"
            raise ValueError(f"there is no {named} in the clip; it shows: {there}".replace("_", " "))
        if edit.which is None:
            return found
        if not -len(found) <= edit.which < len(found):
            raise ValueError(f"there {'is' if len(found) == 1 else 'are'} only {len(found)} of them in the clip")
        return [found[edit.which]]

    # -- lifting and placing -------------------------------------------------------------
    def _lift(self, low: int, high: int, channels: frozenset[str]) -> Lifted:
        """What happens in some frames and channels above a straight line between the ends; heads as rotation vectors, rad."""
        out: Lifted = {}
        for name in channels - _AXES.keys():
            rows = self._channel(name)[low:high].astype(np.float64)
            out[name] = rows - np.linspace(rows[0], rows[-1], len(rows))
        if turned := channels & _AXES.keys():
            way = Rotation.from_rotvec(self.fields[self.head][low:high].astype(np.float64))
            ends = Slerp([0, max(high - low - 1, 1)], way[[0, -1]])
            relative = (ends(np.arange(high - low)).inv() * way).as_rotvec()
            out |= {name: relative[:, _AXES[name]] for name in turned}
        return out

    def _channel(self, name: str) -> NDArray[np.float32]:
        if name in EXPR_NAMES:
            return self.fields["expr"][:, EXPR_NAMES.index(name)]
        if name in _JAW:
            return self.fields["jaw_pose"][:, _JAW[name]]
        return self.fields["eyes_pose"][:, _GAZE[name][0]]

    def _put(self, lifted: Lifted, low: int, scale: float = 1.0) -> None:
        """Add what was lifted to the frames from ``low`` on."""
        count = min(len(next(iter(lifted.values()))), len(self.valid) - low)
        if count <= 0:
            return
        rows, axes = slice(low, low + count), np.zeros((count, 3))
        for name, values in lifted.items():
            change = scale * values[:count]
            if not change.any():
                continue
            if name in _AXES:
                axes[:, _AXES[name]] = change
            elif name in EXPR_NAMES:
                own = self._channel(name)[rows]
                own[:] = np.clip(own + change, np.minimum(own, 0.0), np.maximum(own, 1.0))
            elif name in _JAW:
                self._channel(name)[rows] += change.astype(np.float32)
            else:
                for column in _GAZE[name]:
                    self.fields["eyes_pose"][rows, column] += change.astype(np.float32)
        if axes.any():
            own = self.fields[self.head][rows]
            own[:] = (Rotation.from_rotvec(own.astype(np.float64)) * Rotation.from_rotvec(axes)).as_rotvec()

    # -- edits of one action -----------------------------------------------------------------
    def _one(self, edit: Edit, event: _Event) -> None:
        fps, lifted = self.clip.fps, self._lift(event.low, event.high, event.channels)
        length = event.high - event.low
        if edit.op == "strength":
            peak = max((float(np.abs(v).max()) for n, v in lifted.items() if n in EXPR_NAMES), default=0.0)
            scale = edit.factor if edit.value is None else edit.value / max(self._strength(event), 0.05)
            self._put(lifted, event.low, scale - 1.0)
            if scale > 1.0 and peak > 0.98:
                raise ValueError(f"{event.name.replace('_', ' ')} is as strong as a face can do it already")
        elif edit.op == "remove":
            self._put(lifted, event.low, -1.0)
        elif edit.op in ("shift", "start"):
            onset = event.low + round(_MARGIN * fps)
            by = round((edit.value or 0.0) * fps) - (onset if edit.op == "start" else 0)
            to = max(event.low + by, 0)
            self._put(lifted, event.low, -1.0)
            self._room(to + length)
            self._put(lifted, to)
        elif edit.op in ("duration", "speed", "hold", "until"):
            self._last(edit, event, lifted)
        elif edit.op == "side":
            self._turn(edit.side, event, lifted)
        elif edit.op == "count":
            self._repeat(edit, event, lifted)
        else:
            raise ValueError(f"{edit.op!r} is not possible in a clip without its script: allowed are strength, speed, times, "
                             "sides, counts, leaving out and adding (facelm mirror swaps left and right); for all else change "
                             'the script ("smile; nod") in place of the clip, or perform and change it in facelm chat')

    def _strength(self, event: _Event) -> float:
        return max((a.intensity for a in self.measured.everything if a.name == event.name and abs(
            a.apex * self.clip.fps - event.apex) <= 1), default=0.7)

    def _last(self, edit: Edit, event: _Event, lifted: Lifted) -> None:
        """The action longer or shorter, in one piece; or held at its apex."""
        fps, length = self.clip.fps, event.high - event.low
        seconds = max(length / fps - 2.0 * _MARGIN, 0.04)
        self._put(lifted, event.low, -1.0)
        if edit.op == "hold":
            at = min(max(event.apex - event.low, 0), length - 1)
            more = round(edit.value * fps) if edit.value is not None else len(self.valid) - event.low - at
            if edit.value is not None:
                self._room(event.low + length + more)
            self._put({n: np.concatenate([v[:at], np.full(max(more, 0), v[at]), v[at:]]) for n, v in lifted.items()}, event.low)
            return
        onset = event.low / fps + _MARGIN
        wanted = seconds / edit.factor if edit.op == "speed" else self._until(edit, onset) - onset if edit.op == "until" else (
            seconds * edit.factor if edit.value is None else edit.value if edit.factor else seconds + edit.value)
        count = max(round((max(wanted, 0.1) + 2.0 * _MARGIN) * fps), 3)
        self._room(event.low + count)
        self._put({n: _resized(v, count) for n, v in lifted.items()}, event.low)

    def _until(self, edit: Edit, onset: float) -> float:
        """When something that begins at a time should end, s."""
        begins = [a.onset for a in self.measured.everything if a.name in edit.anchor and a.onset > onset]
        end = edit.value if edit.value is not None else min(begins, default=onset)
        if end <= onset:
            to = f"{end:.1f} s" if edit.value is not None else f"the {' or '.join(edit.anchor)}".replace("_", " ")
            raise ValueError(f"it begins at {onset:.1f} s and cannot last until {to}, which comes no later")
        return end

    def _turn(self, side: str, event: _Event, lifted: Lifted) -> None:
        mirrored = {_other(n): (-v if n in _TURNED else v) for n, v in lifted.items()}
        wrong = "Right" if side == "left" else "Left"
        if side == "both":
            self._put({n: v for n, v in mirrored.items() if n not in lifted}, event.low)
        elif side == "other" or event.name.endswith(f"_{wrong.lower()}") or event.side == wrong.lower():
            self._put(lifted, event.low, -1.0)
            self._put(mirrored, event.low)
        elif gone := {n: v for n, v in lifted.items() if n.endswith(wrong)}:
            self._put(gone, event.low, -1.0)
        elif not event.name.endswith(f"_{side}"):
            raise ValueError(f"{event.name.replace('_', ' ')} has no sides")

    def _repeat(self, edit: Edit, event: _Event, lifted: Lifted) -> None:
        own = [a for a in self.measured.everything if a.name == event.name]
        now = sum(a.cycles or 1 for a in own)
        wanted = int(edit.value) if edit.value and edit.value > 0 else now + (1 if edit.value == 0.0 else -1) * int(edit.factor)
        events = [e for e in self.events() if e.name == event.name]
        if event != events[-1] and edit.which is None:
            return  # the last one stands for all
        if wanted < now and len(events) >= now:
            for e in events[max(wanted, 0):]:
                self._put(self._lift(e.low, e.high, e.channels), e.low, -1.0)
            return
        if wanted < now:
            raise ValueError(f"{event.name.replace('_', ' ')} is one movement of {now} here; it can be left out, "
                             "not counted down")
        pause = _PAUSE
        one = len(next(iter(lifted.values()))) if (own[-1].cycles or 1) == 1 else None
        if one is None:  # one cycle of several
            one = max(3, round((event.high - event.low) / (own[-1].cycles or 1)))
            lifted = {n: v[:one] for n, v in lifted.items()}
            pause = -2.0 * _MARGIN  # they go on without a rest
        gap, at = round(pause * self.clip.fps), event.high
        for _ in range(wanted - now):
            self._room(at + gap + one)
            self._put(lifted, at + gap)
            at += gap + one

    # -- edits of the whole --------------------------------------------------------------------
    def _room(self, frames: int) -> None:
        """Let the clip have at least so many frames: the last one stays."""
        self._insert(len(self.valid), max(frames - len(self.valid), 0))

    def _insert(self, at: int, count: int) -> None:
        """Still frames before a frame."""
        index = np.concatenate([np.arange(at), np.full(count, max(at - 1, 0)), np.arange(at, len(self.valid))]).astype(int)
        self.fields = {n: v[index] for n, v in self.fields.items()}
        self.valid = self.valid[index]

    def _stretch_all(self, factor: float) -> None:
        fps = self.clip.fps
        slow = self.clip.replace(**self.fields, valid=self.valid, fps=fps / factor).resample(fps)
        self.fields = {n: np.array(getattr(slow, n)) for n in self.fields}
        self.valid = np.array(slow.valid)

    def _length(self, edit: Edit) -> None:
        now = self.clip.seconds
        wanted = now * edit.factor if edit.value is None else edit.value if edit.factor else now + edit.value
        self._stretch_all(max(wanted, 0.2) / now)

    def _reverse(self, edit: Edit) -> None:
        self.fields = {n: v[::-1].copy() for n, v in self.fields.items()}
        self.valid = self.valid[::-1].copy()

    def _only(self, edit: Edit) -> None:
        kept = self._chosen(edit)
        for event in self.events():
            own = event.channels - frozenset().union(*(k.channels for k in kept if k.low < event.high and event.low < k.high))
            if event not in kept and own:
                self._put(self._lift(event.low, event.high, own), event.low, -1.0)

    def _together(self, edit: Edit) -> None:
        events = self._chosen(edit)
        for event in events[1:]:
            lifted = self._lift(event.low, event.high, event.channels)
            self._put(lifted, event.low, -1.0)
            self._put(lifted, events[0].low)

    def _pause(self, edit: Edit) -> None:
        at = self._chosen(edit)[0].low
        self._insert(at, round((edit.value or 1.0) * self.clip.fps))

    def _replace(self, edit: Edit) -> None:
        event = self._chosen(edit)[0]
        self._put(self._lift(event.low, event.high, event.channels), event.low, -1.0)
        self._overlay(edit, event.low + round(_MARGIN * self.clip.fps))

    def _add(self, edit: Edit) -> None:
        fps = self.clip.fps
        if edit.where in ("with", "after", "before") and edit.names:
            events = self._chosen(edit)
            event = events[0 if edit.where == "before" else -1]
            if edit.where == "with":
                self._overlay(edit, event.low + round(_MARGIN * fps))
                return
            at = event.high if edit.where == "after" else event.low
        else:
            at = {"start": 0, "with": 0}.get(edit.where, len(self.valid))
        if edit.where != "with":
            self._insert(at, self._frames(edit))
        self._overlay(edit, at)

    def _frames(self, edit: Edit) -> int:
        return len(self._added(edit))

    def _added(self, edit: Edit) -> FaceSequence:
        if not edit.script.cues:
            raise ValueError("there is nothing in it that a face does")
        return self.perform(lay_out(edit.script)).resample(self.clip.fps)

    def _overlay(self, edit: Edit, at: int) -> None:
        """Add what a script does to the frames from ``at`` on."""
        new = self._added(edit)
        self._room(at + len(new))
        lifted: Lifted = {n: new.expr[:, k].astype(np.float64) for k, n in enumerate(EXPR_NAMES) if new.expr[:, k].any()}
        lifted |= {n: new.jaw_pose[:, k].astype(np.float64) for n, k in _JAW.items() if new.jaw_pose[:, k].any()}
        lifted |= {n: new.eyes_pose[:, k[0]].astype(np.float64) for n, k in _GAZE.items() if new.eyes_pose[:, k[0]].any()}
        lifted |= {n: new.neck_pose[:, k].astype(np.float64) for n, k in _AXES.items() if new.neck_pose[:, k].any()}
        if lifted:
            self._put(lifted, at)


def _resized(values: Array, count: int) -> Array:
    return np.interp(np.linspace(0, len(values) - 1, count), np.arange(len(values)), values)


def _other(channel: str) -> str:
    """The channel of the other side."""
    if channel.endswith("Left"):
        return channel.removesuffix("Left") + "Right"
    return channel.removesuffix("Right") + "Left" if channel.endswith("Right") else channel
