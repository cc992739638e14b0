"""Videos and pictures for the language model: fitted, cut into windows, freed of camera and resting face."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import radians, tan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..common.progress import Progress, silent
from ..face.avatar.worn import wears, worn
from ..face.clip.normalise import Normalised, PrepareConfig, is_filmed, normalise
from ..face.clip.sequence import FaceSequence
from ..face.clip.windows import recent, windows
from ..face.facs.measure import measure
from ..face.facs.measured import Measurement
from ..face.head.model import HeadModel
from .requests import NOTE

if TYPE_CHECKING:
    from ..data_gen.fit.fit import FitResult, FittedFace
    from ..face.render.camera import PinholeCamera

log = logging.getLogger(__name__)
WINDOW = 8.0
"""Seconds of the longest clip that the language model was trained on (data_gen/performer/sampler.py)."""
SLACK = 2.0
"""A film this much longer than a window is still read in one piece."""
LONGEST = 40.0
"""Seconds of the longest clip that the language model reads."""
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
FOREIGN = (".csv", ".tsv", ".json", ".jsonl", ".npy", ".mat", ".pkl", ".pt", ".txt", ".frame", ".vrma")
"""Endings of files that only other tools write."""
SHORTEST = 0.5
"""Shorter stretches between frames without a face are left out, s."""


class Reader(Protocol):
    """What describes clips and answers questions about them (:class:`facelm.FaceLM`)."""

    def describe_many(self, clips: Sequence[FaceSequence | Normalised | Measurement], /) -> list[str]: ...

    def ask(self, clip: FaceSequence | Normalised | Measurement, question: str, /) -> str: ...


@dataclass(frozen=True)
class Part:
    """A window of what was loaded, ready for the language model."""

    start: float
    """When it begins in the file, s."""
    end: float
    clip: FaceSequence | Normalised
    """What was filmed is normalised, once; a clip of parameters is as it was."""
    facts: Measurement | None = None
    """What the whole film shows in the window's seconds; None of a clip of parameters."""

    @property
    def shown(self) -> FaceSequence | Normalised | Measurement:
        """What descriptions and answers are made from."""
        return self.facts or self.clip

    @property
    def seq(self) -> FaceSequence:
        """The motion of the window."""
        return self.clip.seq if isinstance(self.clip, Normalised) else self.clip

    def mapped(self, change: Callable[[FaceSequence], FaceSequence]) -> Part:
        """The window with another sequence, as clean as this one."""
        seq = change(self.seq)
        return replace(self, clip=replace(self.clip, seq=seq) if isinstance(self.clip, Normalised) else seq)

    @property
    def label(self) -> str:
        """Its times in words."""
        return f"{self.start:.1f}-{self.end:.1f} s"


@dataclass(frozen=True)
class Shot:
    """A stretch of a film without cuts, as it was fitted."""

    start: float
    """When it begins in the film, s."""
    clip: FaceSequence
    measured: Measurement
    """What it shows, on its own clock."""
    fit: FitResult | None = None
    """The fit, where it was made now."""

    @property
    def end(self) -> float:
        """When it ends in the film, s."""
        return self.start + self.clip.seconds


@dataclass(frozen=True)
class Loaded:
    """A file for the language model."""

    parts: tuple[Part, ...]
    """At least one, in order of time."""
    note: str = ""
    """What was done to the file, in words; empty when nothing was."""
    shots: tuple[Shot, ...] = ()
    """What came from a camera; none of a clip of parameters."""
    frames: int = 0
    """Frames of the film."""
    face: int | None = None
    """Which of its faces this is, counted from the left; None where there is one, or the largest was taken."""

    @cached_property
    def measured(self) -> Measurement | None:
        """What a film shows, on its clock; None of a clip of parameters."""
        fps = self.shots[0].clip.fps if self.shots else 1.0
        return Measurement.joined([(s.start, s.measured) for s in self.shots], self.frames / fps) if self.shots else None

    @property
    def found(self) -> float:
        """Share of the film's frames with a trusted fit."""
        return sum(int(s.clip.valid.sum()) for s in self.shots) / max(self.frames, 1)

    @property
    def seq(self) -> FaceSequence:
        """The first window (the whole file when it has one)."""
        return self.parts[0].seq


def is_clip(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds parameters (by its name), not a video or a picture: a clip, or motion of another tool."""
    return Path(path).suffix.lower() in (".npz", *FOREIGN)


def opened(path: str | os.PathLike[str], head: HeadModel) -> tuple[FaceSequence, list[str]]:
    """A file of parameters as a clip of a head: ``CLIP.npz``, or what `facelm convert` reads, and then what was assumed.

    Raises:
        FileNotFoundError: no such file.
        ValueError: of another head or number of columns, or no such file; the message names it.
    """
    try:
        if Path(path).suffix.lower() == ".npz":
            clip = FaceSequence.load(path)
            if wears(head, clip):
                return worn(clip, head), []
            head.require(clip, str(path))
            return clip, []
    except ValueError as err:
        if f"{path} is not a clip: " not in str(err):
            raise
    from ..face.io.convert import read as read_foreign

    found = read_foreign(path, None if head.ref == HeadModel.default().ref else head)
    head.require(found.sequence, str(path))
    return found.sequence, [f"read as {found.format}", *found.warnings, *found.notes]


def load_motion(path: str | os.PathLike[str], head: HeadModel | None = None, progress: Progress = silent,
                face: int | None = None) -> Loaded:
    """A clip, a video, a picture or a folder of frames, as the language model reads it.

    A clip that was not filmed stays as it is. What was filmed (a video, or the clip that `facelm fit` made of one) is
    cut into windows of up to 8 s, at moments at rest, and each loses the head's resting orientation, gaze that only
    meets the camera, small constant expression, and the camera's distance; see ``face/clip/normalise.py``.

    Args:
        path: ``.npz``, another tool's parameters, or anything that ``facelm fit`` reads.
        head: the head; None is the default one.
        progress: called with (frames done, frames in all, "detect" or "fit").
        face: which face of several, counted from the left; None is the largest.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a clip, video or picture; of another head; no face in it.
        ImportError: a video, and MediaPipe is not installed.
    """
    model = head or HeadModel.default()
    if is_clip(path):
        clip, notes = opened(path, model)
        if not is_filmed(clip):
            return Loaded((Part(0.0, clip.seconds, clip),), "; ".join(notes))
        return from_shots([Shot(0.0, clip, measure(clip, model, filmed=True))], len(clip), "; ".join(notes), path)
    fitted, = fit_film(path, model, progress, face)
    return _of_face(fitted, path, model)


def load_faces(path: str | os.PathLike[str], head: HeadModel, face: int | None = None, progress: Progress = silent
               ) -> list[Loaded]:
    """The same for every face of a video or a picture, from the left, or for the one that is asked for; errors the same."""
    if is_clip(path) or face is not None:
        return [load_motion(path, head, progress, face)]
    out, refused = [], None
    for fitted in fit_film(path, head, progress, every=True):
        try:
            out.append(_of_face(fitted, path, head))
        except ValueError as err:  # of one face; the others may be seen well
            refused = err
    if refused is not None and not out:
        raise refused
    return out


def _of_face(fitted: FittedFace, path: str | os.PathLike[str], head: HeadModel) -> Loaded:
    shots = [Shot(f.start / f.seq.fps, f.seq, measure(f.seq, head, filmed=True), f) for f in fitted.shots]
    return from_shots(shots, fitted.frames, _about(fitted), path, fitted.number)


def read(path: str, head: HeadModel, face: int | None = None, progress: Progress = silent) -> Loaded:
    """Load a file as :func:`load_motion` does, and log what was done to it."""
    loaded = load_motion(path, head, progress, face)
    if loaded.note:
        log.log(NOTE, "%s: %s", path, loaded.note)
    return loaded


def fit_file(path: str | os.PathLike[str], head: HeadModel, progress: Progress = silent, **options: Any) -> FitResult:
    """Fit a video, a picture or a folder of frames (:func:`facelm.data_gen.fit.fit.fit_media`)."""
    from ..data_gen.fit.fit import fit_media

    return fit_media(path, head, progress=progress, **options)


def fit_film(path: str | os.PathLike[str], head: HeadModel, progress: Progress = silent, face: int | None = None,
             every: bool = False) -> list[FittedFace]:
    """Fit one face of a film or picture, or every one, shot by shot (:func:`facelm.data_gen.fit.fit.fit_faces`)."""
    if not Path(path).exists():
        raise FileNotFoundError(f"no such clip, video, picture or folder: {path}")
    from ..data_gen.fit.fit import fit_faces

    return fit_faces(path, head, face=face, every=every, progress=progress)


def camera(path: str | os.PathLike[str], fov: float | None) -> PinholeCamera | None:
    """The camera of a file whose vertical field of view is known, degrees."""
    if fov is None:
        return None
    from ..face.io.media import probe
    from ..face.render.camera import PinholeCamera

    size = probe(path)
    return PinholeCamera(size.height / 2 / tan(radians(fov) / 2), size.width, size.height)


def whole(path: str | os.PathLike[str], head: HeadModel, face: int | None = None, progress: Progress = silent) -> FaceSequence:
    """A file in one piece, as it is; a video as it was fitted, with the head where it rests straight ahead."""
    if is_clip(path):
        clip, notes = opened(path, head)
        if notes:
            log.log(NOTE, "%s: %s", path, "; ".join(notes))
        return clip
    from ..face.clip.canonical import CanonicalConfig, canonical

    fitted = fit_file(path, head, progress, face=face).seq
    return canonical(fitted, fitted.fps, CanonicalConfig(filtered=False))


def start_frame(path: str, at: float | None, loaded: Loaded) -> tuple[FaceSequence, str]:
    """A clip that ends with the frame ``at`` seconds (None: the last one) of a loaded file, and its place in words.

    Raises:
        ValueError: a time outside the file, or without a face.
    """
    part = loaded.parts[-1]
    if at is not None:
        if not 0.0 <= at <= part.end:
            raise ValueError(f"--at is {at:g} s; allowed: 0 to {part.end:g} s, the length of {path}")
        inside = [p for p in loaded.parts if p.start - 1e-6 <= at <= p.end + 1e-6]
        if not inside:
            raise ValueError(f"at {at:g} s no face was found in {path}; it shows one at "
                             + ", ".join(p.label for p in loaded.parts))
        part = inside[0]
    clip = recent(part.seq, None if at is None else at - part.start)
    picture = len(part.seq) == 1 or Path(path).suffix.lower() in PICTURES
    return clip, path if picture else f"{path} at {part.end if at is None else at:.2f} s"


def check_clip(clip: FaceSequence, head: HeadModel) -> FaceSequence:
    """A clip that the model can read, or a refusal before anything is loaded.

    Raises:
        ValueError: a clip of another head, or longer than 40 s.
    """
    clip.require_head(head.ref)
    if clip.seconds > LONGEST:
        raise ValueError(f"the clip is {clip.seconds:.1f} s long; the model reads up to {LONGEST:g} s: cut it first")
    return clip


def _about(face: FittedFace) -> str:
    """The fit in one sentence."""
    first, trusted = face.shots[0], sum(int(f.seq.valid.sum()) for f in face.shots)
    note = "fitted to a picture" if face.frames == 1 else (
        f"fitted to {trusted} of {face.frames} frames ({face.frames / first.seq.fps:.1f} s)")
    if len(face.shots) > 1:
        note += f" in {len(face.shots)} shots"
    if first.detections.faces_seen > 1 and face.number is None:
        note += (f"; {first.detections.faces_seen} faces were seen, of which one is read (the largest, or that of --face, "
                 "counted from the left)")
    if first.info and first.info.notes:
        note += f"; {'; '.join(first.info.notes)}"
    for f in face.shots:
        if not f.quality.ok:
            place = f" from {f.start / f.seq.fps:.1f} s" if len(face.shots) > 1 else ""
            note += f"; not to be relied on{place}: {'; '.join(f.quality.reasons)}"
    return note


def from_shots(shots: Sequence[Shot], frames: int, note: str, path: str | os.PathLike[str], face: int | None = None) -> Loaded:
    """A film for the language model from its shots.

    Raises:
        ValueError: no stretch of it shows the face for long enough.
    """
    config, fps = PrepareConfig(), shots[0].clip.fps
    longest = WINDOW if frames / fps > WINDOW + SLACK else WINDOW + SLACK
    parts, rests = [], []
    for shot in shots:
        clip = shot.clip
        for start, stop in [(0, 1)] if len(clip) == 1 else [(w.start, w.stop) for w in windows(
                clip, min(SHORTEST, clip.seconds), longest, config.canonical.bridge)] if clip.valid.any() else []:
            done = normalise(clip.slice(start, stop), config, filmed=True)
            parts.append(Part(shot.start + start / fps, shot.start + stop / fps, done,
                              shot.measured.between(start / fps, stop / fps)))
            rests.append(done.rest_degrees)
    loaded = Loaded(tuple(parts), note, tuple(shots), frames, face)
    if not parts:
        raise ValueError(f"{path}: no stretch of {SHORTEST:g} s shows a face that could be fitted "
                         f"({loaded.found:.0%} of {frames / fps:.1f} s do); use another recording")
    if frames > 1 and (said := _rests(*rests[0][:2])):
        note = "; ".join(filter(None, (note, f"the head rests {said}, which is not told as motion")))
    if len(parts) > 1:
        note = "; ".join(filter(None, (note, f"read in {len(parts)} windows")))
    return replace(loaded, note=note)


def _rests(pitch: float, yaw: float) -> str:
    """How far a head rests off the camera's axis, in words; empty below 5 degrees."""
    said = []
    if abs(yaw) >= 5.0:
        said.append(f"{abs(yaw):.0f} degrees to its {'left' if yaw > 0 else 'right'}")
    if abs(pitch) >= 5.0:
        said.append(f"{abs(pitch):.0f} degrees {'down' if pitch > 0 else 'up'}")
    return " and ".join(said)


def describe_parts(agent: Reader, loaded: Loaded) -> list[str]:
    """What each window shows, in words."""
    return agent.describe_many([p.shown for p in loaded.parts])


def lines(loaded: Loaded, texts: list[str]) -> list[str]:
    """Texts of windows as lines, with times where there are several."""
    if len(loaded.parts) == 1:
        return texts
    return [f"{p.label}: {t}" for p, t in zip(loaded.parts, texts, strict=True)]

