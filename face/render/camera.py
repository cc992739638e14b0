"""A pinhole camera in the frame that fits and footage use: at the origin, looking along -z, y up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PinholeCamera:
    """Focal length and image size in pixels; no lens distortion.

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
