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
from .detect import Detections, detect
from .quality import Gate, Quality, assess
from .solve import fit_landmarks


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
    """

    seq: FaceSequence
    camera: PinholeCamera
    quality: Quality
    detections: Detections
    info: MediaInfo | None
    points: np.ndarray
    index: np.ndarray

    def report(self) -> dict[str, Any]:
        """For JSON: camera, quality and source."""
        return {"format": "facelm-fit", "version": 1, "camera": asdict(self.camera), "quality": self.quality.to_dict(),
                "fps": self.seq.fps, "head": asdict(self.seq.head),
                "source": self.info.path.name if self.info else None,
                "notes": list(self.info.notes) if self.info else []}

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


def fit_detections(seen: Detections, head: HeadModel | None = None, *, config: FitConfig | None = None,
                   gate: Gate | None = None, camera: PinholeCamera | None = None, info: MediaInfo | None = None,
                   progress: Progress = silent) -> FitResult:
    """The same from landmarks; of a film with cuts the longest shot is fitted, the others are not valid."""
    head = head or HeadModel.default()
    whole = seen
    shots = shots_of(seen)
    if len(shots) > 1:
        low, high = max(shots, key=lambda s: int(seen.valid[s[0]:s[1]].sum()))
        valid = np.zeros_like(seen.valid)
        valid[low:high] = seen.valid[low:high]
        seen = replace(seen, valid=valid)
    fitted = fit_landmarks(seen, head, config, camera, lambda done, of, stage="": progress(done, of, "fit"))
    quality = assess(seen, fitted, head, gate)
    return FitResult(fitted.seq.replace(valid=quality.valid), fitted.camera, quality, whole, info, fitted.points, fitted.index)


def shots_of(seen: Detections) -> list[tuple[int, int]]:
    """Frame ranges between cuts and swapped faces: within one, the face is one person's."""
    edges = sorted({e.frame for e in seen.events if e.kind in ("cut", "swap")} - {0, len(seen.valid)})
    bounds = [0, *edges, len(seen.valid)]
    return list(zip(bounds[:-1], bounds[1:], strict=True))
