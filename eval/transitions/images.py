"""Likeness of pictures: L1, PSNR, MS-SSIM and, where its backbone is installed, LPIPS (Tables IV and IX).

MS-SSIM and LPIPS are torchmetrics' (Apache-2.0, https://github.com/Lightning-AI/torchmetrics). LPIPS (Zhang et al. 2018,
https://arxiv.org/abs/1801.03924) compares features of AlexNet, whose weights torchvision would fetch; they are used only
where they already lie in torch's cache, and nothing is fetched here.
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...common.optional import require

MS_SSIM_LEAST = 161
"""Smallest side for MS-SSIM's five scales with a window of 11: (11 - 1) 2^4 + 1."""
CAP_DB = 100.0
"""PSNR of identical pictures, which has no bound; so that means stay finite."""


@dataclass(frozen=True)
class Likeness:
    """Means over pairs of pictures."""

    l1: float
    """Mean absolute difference, of values in [0, 1]."""
    psnr: float
    """dB, at most ``CAP_DB`` a pair."""
    ms_ssim: float | None
    """None: torchmetrics is missing, or the pictures are too small."""
    lpips: float | None
    """None: its backbone is not installed."""
    reasons: tuple[str, ...] = ()
    """Why something is None."""


def l1(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean absolute difference of two pictures, values in [0, 1]."""
    return float(np.abs(_difference(a, b)).mean())


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio in dB with peak 1: -10 log10 of the mean squared difference, at most ``CAP_DB``."""
    error = float(np.square(_difference(a, b)).mean())
    return CAP_DB if error <= 0 else min(CAP_DB, -10.0 * math.log10(error))


def _difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    if a.shape != b.shape or a.dtype != np.uint8 or b.dtype != np.uint8 or not a.size:
        raise ValueError(f"pictures are {a.dtype} {a.shape} and {b.dtype} {b.shape}; needed: uint8 of one shape")
    return a.astype(np.float64) / 255.0 - b.astype(np.float64) / 255.0


def _tensor(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """(N,C,H,W) float32 in [0,1] of (N,H,W) or (N,H,W,3)."""
    array = torch.from_numpy(np.ascontiguousarray(pictures)).float() / 255.0
    return array[:, None] if array.ndim == 3 else array.permute(0, 3, 1, 2)


def ms_ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean MS-SSIM (Wang et al. 2003) of N pairs ``(N, H, W)`` or ``(N, H, W, 3)``, five scales.

    Raises:
        ImportError: torchmetrics is missing. ValueError: pictures below ``MS_SSIM_LEAST`` px.
    """
    _difference(a, b)
    if min(a.shape[1:3]) < MS_SSIM_LEAST:
        raise ValueError(f"MS-SSIM of pictures of {a.shape[1:3]} px; at least {MS_SSIM_LEAST} px a side are needed")
    image = require("torchmetrics.functional.image", "eval", "MS-SSIM needs torchmetrics")
    measure = image.multiscale_structural_similarity_index_measure
    # one pair at a time keeps the pyramid small; the relu keeps negative contrast terms from becoming NaN
    values = [float(measure(_tensor(a[k:k + 1]), _tensor(b[k:k + 1]), data_range=1.0, normalize="relu")) for k in range(len(a))]
    return float(np.mean(values))


def lpips_missing() -> str | None:
    """Why LPIPS cannot be computed here; None when it can."""
    if importlib.util.find_spec("torchmetrics") is None:
        return "LPIPS needs torchmetrics: pip install 'facelm[eval]'"
    if importlib.util.find_spec("torchvision") is None:
        return "LPIPS needs torchvision's AlexNet, which is not installed"
    if not list(Path(torch.hub.get_dir(), "checkpoints").glob("alexnet-*.pth")):
        return "LPIPS needs torchvision's AlexNet weights in torch's cache; they are not there, and nothing is fetched here"
    return None


def lpips(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean LPIPS (AlexNet) of N colour pairs ``(N, H, W, 3)``.

    Raises:
        ImportError: its backbone is not installed (:func:`lpips_missing`).
    """
    if (why := lpips_missing()) is not None:
        raise ImportError(why)
    from torchmetrics.functional.image import learned_perceptual_image_patch_similarity as measure

    with torch.inference_mode():
        return float(measure(_tensor(a).expand(-1, 3, -1, -1), _tensor(b).expand(-1, 3, -1, -1), net_type="alex", normalize=True))


def likeness(made: NDArray[np.uint8], target: NDArray[np.uint8]) -> Likeness:
    """All measures of N pairs ``(N, H, W)`` or ``(N, H, W, 3)`` uint8; what cannot be had is None with its reason."""
    if not len(made):
        raise ValueError("there are no pictures to compare")
    reasons: list[str] = []
    values: dict[str, Any] = {"ms_ssim": None, "lpips": None}
    for name, measure in (("ms_ssim", ms_ssim), ("lpips", lpips)):
        try:
            values[name] = measure(made, target)
        except (ImportError, ValueError) as err:
            reasons.append(str(err))
    return Likeness(float(np.mean([l1(x, y) for x, y in zip(made, target, strict=True)])),
                    float(np.mean([psnr(x, y) for x, y in zip(made, target, strict=True)])), **values, reasons=tuple(reasons))
