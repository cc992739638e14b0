"""Video, picture or frames in, a clip of face parameters with its quality out."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...common.files import write_json
from ...common.progress import Progress, silent
from ...face.clip.sequence import FaceSequence
from ...face.head.model import HeadModel
from ...face.io.media import MediaInfo, probe
from ...face.render.camera import PinholeCamera
from .config import FitConfig
from .detect import Detections, detect, detect_faces
from .quality import Gate, Quality, assess
from .solve import Fitted, fit_landmarks

_LEAST_SECONDS = 0.5
"""A shot must show the face for so long to be fitted."""


@dataclass(frozen=True, eq=False)
class FitResult:
    """A fitted clip with what it was made from.

    Attributes:
        seq: in the camera's frame; ``valid`` is False where no face was found or the fit is not trusted.
        camera: fitted pinhole camera at full resolution.
        quality: see :class:`Quality`.
        detections: the landmarks.
        info: the file; None when only landmarks were given.
        points: ``(T, L, 2)`` px, the fitted head's landmarks; ``index (L,)`` says which of MediaPipe's 478.
        start: frame of the film that is the clip's first.
        left_out: seconds of other shots of the film that show the face too.
    """

    seq: FaceSequence
    camera: PinholeCamera
    quality: Quality
    detections: Detections
    info: MediaInfo | None
    points: np.ndarray
    index: np.ndarray
    start: int = 0
    left_out: float = 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the file, and what of it is not in the clip, in words."""
        own = self.info.notes if self.info else ()
        return (*own, f"the film has cuts: {self.left_out:.1f} s of other shots with a face are not in the clip"
                ) if self.left_out else own

    def report(self) -> dict[str, Any]:
        """For JSON: camera, quality and source."""
        return {"format": "facelm-fit", "version": 1, "camera": asdict(self.camera), "quality": self.quality.to_dict(),
                "fps": self.seq.fps, "head": asdict(self.seq.head),
                "source": self.info.path.name if self.info else None,
                "notes": list(self.notes)}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the clip (``.npz``) and its report beside it (``<stem>.fit.json``)."""
        out = self.seq.save(path)
        write_json(out.with_suffix(".fit.json"), self.report(), 1)
        return out


def fit_media(path: str | os.PathLike[str], head: HeadModel | None = None, *, config: FitConfig | None = None,
              gate: Gate | None = None, face: int | None = None, model: str | os.PathLike[str] | None = None,
              camera: PinholeCamera | None = None, progress: Progress = silent) -> FitResult:
    """Fit a head to every frame of a video, a picture or a folder of frames.

    Args:
        path: the file or folder.
        head: the head; None: the default one.
        config, gate: settings of the fit, and of what counts as good enough.
        face: which face when there are several, counted from the left; None: the largest.
        model: a ``face_landmarker.task`` file; None: see ``detect.landmarker_model``.
        camera: a known focal length.
        progress: called with (frames done, frames in all, "detect" or "fit").

    Raises:
        FileNotFoundError: no such file, or no landmark model.
        ValueError: not a video or picture, or no face in it.
        ImportError: MediaPipe is not installed.
    """
    config = config or FitConfig()
    info = probe(path)
    seen = detect(info, face=face, model=model, max_side=config.max_side or None,
                  progress=lambda done, of, stage="": progress(done, of, "detect"))
    return fit_detections(seen, head, config=config, gate=gate, camera=camera, info=info, progress=progress)


@dataclass(frozen=True)
class FittedFace:
    """One person of a film.

    Attributes:
        shots: the shots that show the face, in order, each fitted for itself.
        frames: how many frames the film has.
        number: which face it is, counted from the left; None where it was not asked for.
    """

    shots: tuple[FitResult, ...]
    frames: int
    number: int | None = None


def fit_faces(path: str | os.PathLike[str], head: HeadModel | None = None, *, face: int | None = None, every: bool = False,
              progress: Progress = silent) -> list[FittedFace]:
    """Fit a film shot by shot; arguments and errors as of :func:`fit_media`.

    Args:
        path, head, face, progress: see there.
        every: fit every person, from the left, instead of one; those who are hardly seen are left out.
    """
    head, info, config = head or HeadModel.default(), probe(path), FitConfig()

    def watch(done: int, of: int, stage: str = "") -> None:
        progress(done, of, "detect")

    people = detect_faces(info, progress=watch) if every else [detect(info, face=face, progress=watch)]
    least = min(_LEAST_SECONDS * info.fps, max(int(p.valid.sum()) for p in people))
    return [FittedFace(tuple(fit_shots(seen, head, config=config, info=info, progress=progress)), len(seen),
                       k if len(people) > 1 else face)
            for k, seen in enumerate(people, 1) if seen.valid.sum() >= least]


def fit_detections(seen: Detections, head: HeadModel | None = None, *, config: FitConfig | None = None,
                   gate: Gate | None = None, camera: PinholeCamera | None = None, info: MediaInfo | None = None,
                   progress: Progress = silent) -> FitResult:
    """The same from landmarks; of a film with cuts the longest shot is fitted, the others are not valid."""
    head = head or HeadModel.default()
    shots = shots_of(seen)
    shown = [int(seen.valid[low:high].sum()) for low, high in shots]
    low, high = shots[int(np.argmax(shown))]
    if config and config.rest and low:  # its seconds are the film's
        config = replace(config, rest=(max(config.rest[0] - low / seen.fps, 0.0), config.rest[1] - low / seen.fps))
    fitted = _fit(seen.part(low, high), head, config, camera, progress).padded(low, len(seen))
    mask = np.zeros_like(seen.valid)
    mask[low:high] = seen.valid[low:high]
    quality = assess(replace(seen, valid=mask), fitted, head, gate)
    least = _LEAST_SECONDS * seen.fps
    others = sum(n for n, shot in zip(shown, shots, strict=True) if shot != (low, high) and n >= least)
    return FitResult(fitted.seq.replace(valid=quality.valid), fitted.camera, quality, seen, info, fitted.points, fitted.index,
                     left_out=others / seen.fps)


def fit_shots(seen: Detections, head: HeadModel | None = None, *, config: FitConfig | None = None,
              info: MediaInfo | None = None, progress: Progress = silent) -> list[FitResult]:
    """Every shot of a film as a clip of its own, in order; those that show the face for less than half a second are left out.

    Raises:
        ValueError: no frame with a face.
    """
    head = head or HeadModel.default()
    shots = shots_of(seen)
    shown = [int(seen.valid[low:high].sum()) for low, high in shots]
    least = min(_LEAST_SECONDS * seen.fps, max(shown))
    out = []
    for (low, high), frames in zip(shots, shown, strict=True):
        if not frames or frames < least:
            continue
        part = seen.part(low, high)
        fitted = _fit(part, head, config, None, lambda done, of, stage="", first=low: progress(first + done, len(seen), stage))
        quality = assess(part, fitted, head, None)
        out.append(FitResult(fitted.seq.replace(valid=quality.valid), fitted.camera, quality, part, info, fitted.points,
                             fitted.index, low))
    return out or [fit_detections(seen, head, config=config, info=info)]


def _fit(seen: Detections, head: HeadModel, config: FitConfig | None, camera: PinholeCamera | None, progress: Progress) -> Fitted:
    return fit_landmarks(seen, head, config or FitConfig(), camera, lambda done, of, stage="": progress(done, of, "fit"))


def shots_of(seen: Detections) -> list[tuple[int, int]]:
    """Frame ranges between cuts and swapped faces: within one, the face is one person's."""
    edges = sorted({e.frame for e in seen.events if e.kind in ("cut", "swap")} - {0, len(seen.valid)})
    bounds = [0, *edges, len(seen.valid)]
    return list(zip(bounds[:-1], bounds[1:], strict=True))
