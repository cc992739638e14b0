"""Cameras: the pinhole camera of fits and footage, and the portrait camera of the renderer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..clip.sequence import FaceSequence
from ..head.model import HeadModel

MAX_SIDE = 4096


@dataclass(frozen=True)
class PinholeCamera:
    """A camera at the origin, looking along -z, y up: focal length and image size in pixels; no lens distortion.

    A point ``(x, y, z)`` in metres with ``z < 0`` falls on ``(cx - f x / z, cy + f y / z)``, x to the right and
    y down, where whole numbers are the borders between pixels (a picture covers ``0..width``, ``0..height``).

    Raises:
        ValueError: when a number is not positive.
    """

    focal: float
    """Focal length, px."""
    width: int
    """Picture width, px."""
    height: int
    """Picture height, px."""

    def __post_init__(self) -> None:
        for name in ("focal", "width", "height"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"camera {name} is {getattr(self, name)}; needed: a number above 0")

    @property
    def centre(self) -> tuple[float, float]:
        """The principal point, px: the middle of the picture."""
        return self.width / 2, self.height / 2

    @property
    def fov(self) -> float:
        """Vertical field of view, degrees."""
        return float(np.degrees(2 * np.arctan(self.height / 2 / self.focal)))

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Pixels ``(..., 2)`` of points ``(..., 3)`` in metres; points at or behind the camera give NaN."""
        points = np.asarray(points, np.float64)
        depth = -points[..., 2]
        scale = np.where(depth > 1e-6, self.focal / np.where(depth > 1e-6, depth, 1.0), np.nan)
        x = self.centre[0] + points[..., 0] * scale
        y = self.centre[1] - points[..., 1] * scale
        return np.stack([x, y], -1).astype(np.float32)


@dataclass(frozen=True)
class Camera:
    """A camera that looks along -z at a point, and the ball that the key light's shadow covers."""

    target: tuple[float, float, float]
    """Point in the middle of the picture, metres."""
    distance: float
    """From the eye to the target, metres."""
    fov: float = 16.0
    """Vertical field of view, degrees; 16 is a portrait lens."""
    radius: float = 0.2
    """Metres around the target that hold the head in every frame."""

    def __post_init__(self) -> None:
        if not 1.0 <= self.fov <= 120.0:
            raise ValueError(f"camera fov {self.fov}: 1 to 120 degrees wanted")
        if not (self.distance > 0 and self.radius > 0):
            raise ValueError(f"camera distance {self.distance} and radius {self.radius} must be > 0")


def check_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """``size`` as (width, height).

    Raises:
        ValueError: not one or two whole numbers from 16 to ``MAX_SIDE``.
    """
    pair = (size, size) if isinstance(size, (int, np.integer)) else tuple(size)
    if len(pair) != 2 or not all(isinstance(s, (int, np.integer)) and 16 <= s <= MAX_SIDE for s in pair):
        raise ValueError(f"picture size {size!r}: one or two whole numbers from 16 to {MAX_SIDE} wanted")
    return int(pair[0]), int(pair[1])


def _head_vertices(head: HeadModel) -> np.ndarray:
    """Vertices to frame: what the neck joint carries, down to a little below the chin."""
    keep = head.weights[:, 0] < 0.5
    if "ibug_08" in head.lmk_names:
        chin = head.landmarks(head.v_template[None])[0, head.landmark_index("ibug_08"), 1]
        height = float(head.v_template[:, 1].max() - chin)
        keep &= head.v_template[:, 1] > chin - 0.06 * height
    index = np.flatnonzero(keep)
    return index if len(index) else np.arange(len(head.v_template))


def portrait(
    seq: FaceSequence, head: HeadModel, size: int | tuple[int, int] = 256, fov: float = 16.0
) -> Camera:
    """One camera for the whole clip: the head with some air, wherever it turns or moves.

    The head at rest gives the scale, so that clips of one person are drawn alike; frames where
    the head leaves that frame widen it.
    """
    width, height = check_size(size)
    index = _head_vertices(head)
    frames = np.unique(np.linspace(0, len(seq) - 1, min(len(seq), 24)).astype(int))
    moving = head.vertices(**seq.parameters(frames))[:, index]
    rest = head.vertices(shape=seq.shape, translation=np.median(seq.translation, 0, keepdims=True))[0, index]
    low = np.minimum(rest.min(0), np.quantile(moving, 0.0005, axis=(0, 1)))
    high = np.maximum(rest.max(0), np.quantile(moving, 0.9995, axis=(0, 1)))
    target = (low + high) / 2
    half = (high - low) / 2 * 1.07
    reach = max(half[1], half[0] * height / width)
    distance = reach / math.tan(math.radians(fov) / 2) + half[2]
    radius = float(np.linalg.norm(half))
    return Camera((float(target[0]), float(target[1]), float(target[2])), float(distance), fov, radius)
