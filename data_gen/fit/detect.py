"""Landmarks of one face in every frame of a clip: MediaPipe's 478 points, 52 blendshapes and head pose.

Decoding, detection and tracking overlap: the decoder and MediaPipe work in threads outside Python's lock, MediaPipe on
one picture each, and the tracker takes their results in order.
"""

from __future__ import annotations

import os
import threading
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from ...common.files import atomic_file
from ...common.progress import Progress, silent
from ...face.clip.channels import ARKIT_52
from ...face.io.media import MediaInfo, read_frames
from .landmarker import POINTS, Landmarker, landmarker_model, model_sha256
from .tracks import Scene, Track, Tracker, jump_cuts, scene

__all__ = ["Detections", "TrackEvent", "detect", "detect_frames", "landmarker_model"]

FORMAT = "facelm.detections/1"
EVENTS: tuple[str, ...] = ("cut", "lost", "found", "swap")
MAX_SIDE = 1920
"""Longer side of the pictures looked at, px; the model sees a face at 256 px."""
MAX_FACES = 4
_AHEAD = 4
"""Pictures waiting for each thread; more would only take memory."""
_BRIEF = 0.02
"""Share of the longest track below which another one is taken for a false alarm."""
_ARRAYS = ("points", "depth", "blendshapes", "pose", "valid", "boxes")


@dataclass(frozen=True)
class TrackEvent:
    """Something that breaks the followed face's continuity, at the frame where it begins."""

    kind: str
    """``cut``: the picture changes to another shot; ``lost``/``found``: the face is gone or back; ``swap``: another
    person's face stands where it was."""
    frame: int


@dataclass(frozen=True)
class Detections:
    """One face over a clip of T frames, in pixels of the full-size picture (x right, y down, 0 at its left/top edge)."""

    points: NDArray[np.float32]
    """(T,478,2) px; NaN where the face was not found."""
    depth: NDArray[np.float32]
    """(T,478) MediaPipe's relative z, px, smaller is nearer; NaN where absent."""
    blendshapes: NDArray[np.float32]
    """(T,52) scores 0 to 1 in the order of ``ARKIT_52``; tongueOut is not given by MediaPipe: 0. NaN where absent."""
    pose: NDArray[np.float32]
    """(T,4,4) MediaPipe's canonical face to its own camera, centimetres; NaN where absent."""
    valid: NDArray[np.bool_]
    """(T,) whether the followed face was found."""
    width: int
    height: int
    fps: float
    events: tuple[TrackEvent, ...] = ()
    faces_seen: int = 1
    """Persons that were seen in the clip, brief false alarms left out."""
    model: str = ""
    """sha256 of the landmarker's model file."""
    boxes: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32), repr=False)
    """(faces_seen,4) px: x0, y0, x1, y1 of each person's first appearance, from the left."""

    def __post_init__(self) -> None:
        t = len(self.valid)
        for name, shape in (("points", (t, POINTS, 2)), ("depth", (t, POINTS)), ("blendshapes", (t, len(ARKIT_52))),
                            ("pose", (t, 4, 4)), ("valid", (t,))):
            if getattr(self, name).shape != shape:
                raise ValueError(f"detections {name}: shape {getattr(self, name).shape}, {shape} wanted")

    def __len__(self) -> int:
        return len(self.valid)

    def part(self, low: int, high: int) -> Detections:
        """Frames ``low`` to ``high`` (half open)."""
        if (low, high) == (0, len(self)):
            return self
        inside = tuple(replace(e, frame=e.frame - low) for e in self.events if low <= e.frame < high)
        return replace(self, **{k: getattr(self, k)[low:high] for k in _ARRAYS if k != "boxes"}, events=inside)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write one npz file; it appears when it is complete."""
        path = Path(path)
        if path.suffix != ".npz":
            raise ValueError(f"{path.name!r}: detections are saved as .npz")
        with atomic_file(path) as partial, partial.open("wb") as file:
            np.savez_compressed(
                file, format=FORMAT, size=[self.width, self.height], fps=self.fps, faces_seen=self.faces_seen, model=self.model,
                event_kind=np.array([EVENTS.index(e.kind) for e in self.events], np.int64),
                event_frame=np.array([e.frame for e in self.events], np.int64), **{k: getattr(self, k) for k in _ARRAYS})
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Detections:
        """Read what ``save`` wrote.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not a file of detections, or of another version.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file of detections")
        if not zipfile.is_zipfile(path):
            raise ValueError(f"{path}: not a readable npz file of detections")
        try:
            with np.load(path, allow_pickle=False) as npz:
                found = str(npz["format"]) if "format" in npz else "another kind of npz"
                if found != FORMAT:
                    raise ValueError(f"{path}: {found}; {FORMAT} wanted")
                events = zip(npz["event_kind"], npz["event_frame"], strict=True)
                return cls(**{k: npz[k] for k in _ARRAYS}, width=int(npz["size"][0]), height=int(npz["size"][1]),
                           fps=float(npz["fps"]), events=tuple(TrackEvent(EVENTS[k], int(f)) for k, f in events),
                           faces_seen=int(npz["faces_seen"]), model=str(npz["model"]))
        except (OSError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path}: not a readable file of detections ({error})") from error


# -- detection ---------------------------------------------------------------------------
def detect(
    info: MediaInfo, *, face: int | None = None, model: str | os.PathLike[str] | None = None,
    max_side: int | None = None, progress: Progress = silent,
) -> Detections:
    """Find and follow one face through a video, an image or a folder of frames.

    Args:
        info: from ``media.probe``.
        face: which person: 1 is the one who first appears farthest left; the largest and longest seen when None.
        model: landmarker model file, see ``landmarker_model``.
        max_side: longer side of the pictures looked at; at most 1920 when None.
        progress: called with (frames done, frames expected).

    Raises:
        ImportError: MediaPipe is missing.
        FileNotFoundError: the model file is missing.
        ValueError: no face anywhere, or fewer than ``face``.
    """
    frames = read_frames(info, max_side or MAX_SIDE)
    return detect_frames(frames, info.width, info.height, info.fps, face=face, model=model, progress=progress,
                         total=info.frames, name=str(info.path))


def detect_faces(info: MediaInfo, *, progress: Progress = silent) -> list[Detections]:
    """Every person in it, from the left; arguments and errors as of ``detect``."""
    file = landmarker_model(None)
    tracker = _follow(read_frames(info, MAX_SIDE), info.fps, file, info.frames, progress)
    people, sha256 = _people(tracker, info.width, info.height, str(info.path)), model_sha256(file)
    return [_of_track(tracker, track, people, info.width, info.height, info.fps, sha256) for track in people]


def detect_frames(
    frames: Iterable[NDArray[np.uint8]], width: int, height: int, fps: float, *, face: int | None = None,
    model: str | os.PathLike[str] | None = None, progress: Progress = silent, total: int | None = None,
    name: str = "the frames",
) -> Detections:
    """As ``detect``, of pictures (H,W,3) uint8 RGB that may be smaller than the ``width`` x ``height`` they stand for."""
    if face is not None and face < 1:
        raise ValueError(f"face {face}: faces are counted from 1, the one farthest left")
    file = landmarker_model(model)
    tracker = _follow(frames, fps, file, total, progress)
    people = _people(tracker, width, height, name)
    return _of_track(tracker, _chosen(people, face, width, name), people, width, height, fps, model_sha256(file))


def _follow(frames: Iterable[NDArray[np.uint8]], fps: float, model: Path, total: int | None, progress: Progress) -> Tracker:
    """All pictures' faces joined to persons."""
    tracker = Tracker(max(1, round(fps)))
    for done, now in enumerate(_scenes(frames, model), 1):
        tracker.add(now)
        progress(done, max(total or done, done))
    return tracker


def cores(most: int) -> int:
    """Cores that this process may use, at most ``most``."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(count, most))


def _scenes(frames: Iterable[NDArray[np.uint8]], model: Path) -> Iterator[Scene]:
    """The scene of every picture, in order, on all cores, with a bounded number in memory."""
    threads, made, lock = cores(8), [], threading.Lock()
    idle: SimpleQueue[Landmarker] = SimpleQueue()

    def look(picture: NDArray[np.uint8]) -> Scene:
        try:
            task = idle.get_nowait()
        except Empty:  # there are never more of them than threads
            with lock:  # one at a time: making one redirects stderr
                task = Landmarker(model, MAX_FACES)
                made.append(task)
        try:
            return scene(picture, task.look(picture))
        finally:
            idle.put(task)

    waiting: deque[Future[Scene]] = deque()
    pool = ThreadPoolExecutor(threads, "landmarks")
    try:
        for picture in frames:
            waiting.append(pool.submit(look, picture))
            if len(waiting) >= threads * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for task in made:
            task.close()


def _people(tracker: Tracker, width: int, height: int, name: str) -> list[Track]:
    """Persons from the left, without brief false alarms."""
    t = tracker.frames
    if t == 0:
        raise ValueError(f"{name}: no frames to look at")
    if not tracker.tracks:
        raise ValueError(f"{name}: no face in any of {t} frames ({width}x{height}); the face must be in view from the "
                         "front or half from the side, and at least about a fifteenth of the picture's longer side wide")
    longest = max(len(track.frames) for track in tracker.tracks)
    return sorted((x for x in tracker.tracks if len(x.frames) >= _BRIEF * longest), key=lambda x: x.left)


def _chosen(people: list[Track], face: int | None, width: int, name: str) -> Track:
    """The person asked for, else the largest and longest seen."""
    if face is None:
        return max(people, key=lambda x: x.area)
    if face > len(people):
        where = ", ".join(f"{k} at x = {x.left * width:.0f}" for k, x in enumerate(people, 1))
        raise ValueError(f"{name}: face {face} wanted, {len(people)} seen; from the left: {where} px")
    return people[face - 1]


def _of_track(
    tracker: Tracker, track: Track, people: list[Track], width: int, height: int, fps: float, sha256: str
) -> Detections:
    """One person's arrays and events."""
    t = tracker.frames
    points = np.full((t, POINTS, 3), np.nan, np.float32)
    shapes = np.full((t, len(ARKIT_52)), np.nan, np.float32)
    pose = np.full((t, 4, 4), np.nan, np.float32)
    valid = np.zeros(t, bool)
    index = np.array(track.frames)
    valid[index] = True
    points[index] = np.stack([f.points for f in track.faces]) * np.array([width, height, width], np.float32)
    shapes[index] = np.stack([f.blendshapes for f in track.faces])
    pose[index] = np.stack([f.pose for f in track.faces])
    boxes = np.array([x.first for x in people], np.float32) * np.array([width, height] * 2, np.float32)
    return Detections(np.ascontiguousarray(points[..., :2]), np.ascontiguousarray(points[..., 2]), shapes, pose, valid,
                      width, height, float(fps), _events(tracker, track, points[..., :2], valid), len(people), sha256, boxes)


def _events(
    tracker: Tracker, track: Track, points: NDArray[np.float32], valid: NDArray[np.bool_]
) -> tuple[TrackEvent, ...]:
    """Cuts of the whole clip; losses, returns and swaps of the followed face."""
    change = np.flatnonzero(np.diff(valid.astype(np.int8))) + 1
    cuts = set(tracker.cuts)
    # a jump beside a cut is that cut, seen by the points
    cuts |= {k for k in jump_cuts(points, valid) if not cuts & {k - 1, k, k + 1}}
    found = [TrackEvent("cut", k) for k in cuts]
    found += [TrackEvent("found" if valid[k] else "lost", int(k)) for k in change]
    found += [TrackEvent("swap", k) for k, whose in tracker.swaps if whose is track]
    return tuple(sorted(found, key=lambda e: (e.frame, EVENTS.index(e.kind))))
