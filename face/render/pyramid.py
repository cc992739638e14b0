"""Image pyramids: filling holes from coarser levels, and blending band by band.

Push-pull filling after Gortler et al., "The Lumigraph" (SIGGRAPH 1996, https://doi.org/10.1145/237170.237200); blending after
Burt and Adelson, "A Multiresolution Spline With Application to Image Mosaics" (ACM Transactions on Graphics 1983,
https://doi.org/10.1145/245.247).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .raster import jit

Image = NDArray[np.float32]
_SMALLEST = 4
"""Side at which a pyramid ends."""


@jit
def _halve(picture: np.ndarray, weight: np.ndarray, out: np.ndarray, out_weight: np.ndarray) -> None:
    """Weighted means of 2x2 texels, and their mean weight."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            total = 0.0
            for c in range(out.shape[2]):
                out[y, x, c] = 0.0
            for s in range(4):
                i, j = 2 * y + s // 2, 2 * x + s % 2
                w = weight[i, j]
                total += w
                for c in range(out.shape[2]):
                    out[y, x, c] += w * picture[i, j, c]
            out_weight[y, x] = 0.25 * total
            for c in range(out.shape[2]):
                out[y, x, c] = out[y, x, c] / total if total > 0.0 else 0.0


@jit
def _doubled(low: np.ndarray, out: np.ndarray) -> None:
    """``low`` at twice the size, linear between its texels."""
    h, w = low.shape[:2]
    for y in range(out.shape[0]):
        i = y // 2
        k = min(max(i + 2 * (y % 2) - 1, 0), h - 1)
        for x in range(out.shape[1]):
            j = x // 2
            m = min(max(j + 2 * (x % 2) - 1, 0), w - 1)
            for c in range(out.shape[2]):
                out[y, x, c] = (9.0 * low[i, j, c] + 3.0 * low[k, j, c] + 3.0 * low[i, m, c] + low[k, m, c]) / 16.0


def halved(picture: Image, weight: Image) -> tuple[Image, Image]:
    """A picture (H,W,C) of even sides and its weights (H,W) at half the size."""
    h, w, channels = picture.shape
    out, out_weight = np.empty((h // 2, w // 2, channels), np.float32), np.empty((h // 2, w // 2), np.float32)
    _halve(picture, weight, out, out_weight)
    return out, out_weight


def doubled(low: Image) -> Image:
    """A picture (H,W,C) at twice the size."""
    h, w, channels = low.shape
    out = np.empty((2 * h, 2 * w, channels), np.float32)
    _doubled(low, out)
    return out


def _even(picture: np.ndarray) -> bool:
    return min(picture.shape[:2]) > _SMALLEST and picture.shape[0] % 2 == 0 and picture.shape[1] % 2 == 0


def filled(picture: Image, weight: Image) -> Image:
    """``picture`` (H,W,C) where ``weight`` (H,W) is 1; where it is 0, what lies around, smoother the further away."""
    picture, weight = np.ascontiguousarray(picture, np.float32), np.ascontiguousarray(weight, np.float32)
    if not _even(picture):
        total = float(weight.sum())
        mean = np.tensordot(weight, picture, 2) / total if total > 0 else np.zeros(picture.shape[2], np.float32)
        return np.asarray(picture * weight[..., None] + mean * (1 - weight[..., None]), np.float32)
    low, there = halved(picture, weight)
    back = doubled(filled(low, np.minimum(1.0, 4.0 * there)))
    share = np.minimum(weight, 1.0)[..., None]
    back *= 1 - share
    back += picture * share
    return back


def blended(layers: Sequence[Image], weights: Sequence[Image], levels: int = 5) -> Image:
    """Layers (H,W,C) mixed by weights (H,W) that sum to 1: the coarser a band, the softer its borders."""
    if levels == 0 or not _even(layers[0]):
        out = layers[0] * weights[0][..., None]
        for layer, weight in zip(layers[1:], weights[1:], strict=True):
            out += layer * weight[..., None]
        return np.asarray(out, np.float32)
    fine = np.zeros_like(layers[0])
    lows, masks = [], []
    every = np.ones(layers[0].shape[:2], np.float32)
    for layer, weight in zip(layers, weights, strict=True):
        low, _ = halved(layer, every)
        band = doubled(low)
        np.subtract(layer, band, out=band)
        band *= weight[..., None]
        fine += band
        lows.append(low)
        masks.append(halved(np.ascontiguousarray(weight[..., None], np.float32), every)[0][..., 0])
    fine += doubled(blended(lows, masks, levels - 1))
    return fine
