"""Small operations on pictures that the parts of this package share: colour spaces, filling, blending. Needs OpenCV."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.optional import require

Image = NDArray[np.float32]


def cv() -> Any:
    """OpenCV.

    Raises:
        ImportError: it is not installed.
    """
    return require("cv2", "photo", "editing photos needs OpenCV")


@cache
def _table() -> Image:
    x = np.arange(256, dtype=np.float32) / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_linear(rgb: NDArray[np.floating] | NDArray[np.uint8]) -> Image:
    """Linear light in 0..1 of sRGB in 0..255."""
    if rgb.dtype == np.uint8:
        return np.asarray(_table()[rgb])
    x = np.clip(np.asarray(rgb, np.float32), 0, 255) / np.float32(255)
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_srgb(linear: NDArray[np.floating]) -> Image:
    """SRGB in 0..255, not rounded, of linear light."""
    x = np.clip(np.asarray(linear, np.float32), 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.power(np.maximum(x, 1e-8), 1 / 2.4) - 0.055).astype(np.float32) * 255


def blur(picture: NDArray[Any], sigma: float) -> Image:
    """Gaussian blur, sigma in px."""
    return np.asarray(cv().GaussianBlur(np.asarray(picture, np.float32), (0, 0), max(sigma, 0.05)), np.float32)


def grow(mask: NDArray[np.bool_], pixels: float) -> NDArray[np.bool_]:
    """A mask grown by a disc."""
    if pixels < 0.5:
        return mask
    far = cv().distanceTransform((~mask).astype(np.uint8), cv().DIST_L2, 5)
    return np.asarray(far <= pixels)


def sample(picture: NDArray[Any], at: NDArray[np.floating], smooth: bool = True) -> NDArray[Any]:
    """A picture at ``at (...,2)`` px, whose whole numbers are the borders between pixels."""
    mode = cv().INTER_CUBIC if smooth else cv().INTER_NEAREST
    x, y = (np.ascontiguousarray(at[..., k] - 0.5, np.float32) for k in (0, 1))
    return np.asarray(cv().remap(picture, x, y, mode, borderMode=cv().BORDER_REPLICATE))


def fill(picture: Image, weight: Image) -> Image:
    """Known pixels kept, the others from coarser levels (push-pull; Gortler et al. 1996, "The Lumigraph").

    Args:
        picture: (H,W,C).
        weight: (H,W) in 0..1, how far a pixel is known.
    """
    height, width = weight.shape
    if min(height, width) <= 4:
        total = float(weight.sum())
        mean = (picture * weight[..., None]).sum((0, 1)) / max(total, 1e-6)
        return np.where(weight[..., None] > 0.01, picture, mean).astype(np.float32)
    small = (max(1, (width + 1) // 2), max(1, (height + 1) // 2))
    half = cv().resize(picture * weight[..., None], small, interpolation=cv().INTER_AREA)
    share = cv().resize(weight, small, interpolation=cv().INTER_AREA)
    half = half.reshape(share.shape + (-1,))
    low = fill(half / np.maximum(share, 1e-4)[..., None], np.minimum(1, share * 4).astype(np.float32))
    up = cv().resize(low, (width, height), interpolation=cv().INTER_LINEAR).reshape(picture.shape)
    keep = np.clip(weight, 0, 1)[..., None]
    return np.asarray(picture * keep + up * (1 - keep), np.float32)


def smoothstep(x: NDArray[np.floating], low: float, high: float) -> Image:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
