"""Which pixels of a photo are the person: MediaPipe's selfie segmenter, run by OpenCV.

The model (MobileNetV3-like, 256x256, 249 kB, Apache-2.0) is described at
https://ai.google.dev/edge/mediapipe/solutions/vision/image_segmenter; its edges are brought onto the picture's own by a
guided filter (He et al. 2010, https://doi.org/10.1007/978-3-642-15549-9_1).
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.optional import require

_SIDE = 256


@cache
def _network() -> Any:
    cv2 = require("cv2", "photo", "finding the person on a photo needs OpenCV")
    asset = resources.files("facelm").joinpath("face", "assets", "selfie_segmentation.tflite")
    return cv2.dnn.readNetFromTFLite(np.frombuffer(asset.read_bytes(), np.uint8))


def person_mask(rgb: NDArray[np.uint8], work: int = 1280) -> NDArray[np.float32]:
    """How far each pixel belongs to a person.

    Args:
        rgb: (H,W,3) uint8.
        work: longer side at which the edges are refined, px.

    Returns:
        (H,W) float32 in 0..1.

    Raises:
        ImportError: OpenCV is not installed.
    """
    cv2 = require("cv2", "photo", "finding the person on a photo needs OpenCV")
    network = _network()
    height, width = rgb.shape[:2]
    network.setInput(cv2.dnn.blobFromImage(rgb, 1 / 255.0, (_SIDE, _SIDE)))
    raw = np.squeeze(network.forward()).astype(np.float32)
    scale = min(1.0, work / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    mask = cv2.resize(raw, size, interpolation=cv2.INTER_LINEAR)
    if hasattr(cv2, "ximgproc"):  # in opencv-contrib, which MediaPipe brings along
        guide = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
        mask = cv2.ximgproc.guidedFilter(guide, mask, max(4, size[1] // 80), 1e-4 * 255.0**2)
    return np.clip(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1).astype(np.float32)
