"""Networks that look at an edit beside its photo: LPIPS and a recogniser of persons, from weights that a script fetches.

LPIPS: Zhang et al. 2018, https://arxiv.org/abs/1801.03924 (AlexNet). Identity: dlib's ResNet of 128 numbers a face, King 2017,
http://blog.dlib.net/2017/02/high-quality-face-recognition-with-deep.html, by whose own
threshold two faces are one person up to a distance of 0.6.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file

from ...common.optional import require

Rgb = NDArray[np.uint8]

_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_ALEX = ((4, 2, False), (1, 2, True), (1, 1, True), (1, 1, False), (1, 1, False))
"""Stride, padding, and whether the maximum of 3x3 is taken first, of AlexNet's five convolutions."""
_MEAN = (122.782, 117.001, 104.298)
_CHIP, _PAD = 150, 0.25
_FIVE = ((263, 0.8595674595992, 0.2134981538014), (362, 0.6460604764104, 0.2289674387677), (33, 0.1205750620789, 0.2137274526848),
         (133, 0.3340858113712, 0.2290642403242), (2, 0.4901123135679, 0.6277975316475))
"""MediaPipe's points for dlib's five, and where those lie in its aligned face."""
FETCH = "python scripts/fetch_judges.py -o FOLDER"


def _weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weights; fetch them with {FETCH}")
    return load_file(path)


class Lpips:
    """LPIPS on AlexNet.

    Args:
        folder: with ``lpips_alex.safetensors``.

    Raises:
        FileNotFoundError: it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.weights = _weights(folder, "lpips_alex")

    @torch.inference_mode()
    def __call__(self, first: Rgb, second: Rgb) -> float:
        """Distance of two pictures (H,W,3) uint8 of one size; 0 for the same."""
        return float(self.distance(*(_tensor(p) / 127.5 - 1 for p in (first, second)))[0])

    def distance(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """``(B,)`` of pictures (B,3,H,W) in [-1,1]; differentiable."""
        total = first.new_zeros(len(first))
        for k, (a, b) in enumerate(zip(self._features(first), self._features(second), strict=True)):
            a, b = (x / (x.pow(2).sum(1, keepdim=True) + 1e-20).sqrt() for x in (a, b))
            weight = self.weights[f"NetLinLayer_{k}/Conv_0/kernel"].reshape(1, -1, 1, 1).to(first)
            total = total + ((a - b) ** 2 * weight).sum(1).mean((1, 2))
        return total

    def _features(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        x = (pictures - pictures.new_tensor(_SHIFT)[None, :, None, None]) / pictures.new_tensor(_SCALE)[None, :, None, None]
        out = []
        for k, (stride, pad, pool) in enumerate(_ALEX):
            kernel = self.weights[f"AlexNet_0/Conv_{k}/kernel"].permute(3, 2, 0, 1).to(x)
            x = F.max_pool2d(x, 3, 2) if pool else x
            x = F.relu(F.conv2d(x, kernel, self.weights[f"AlexNet_0/Conv_{k}/bias"].to(x), stride, pad))
            out.append(x)
        return out


def _tensor(picture: Rgb) -> torch.Tensor:
    """(1,3,H,W) float32 of a picture."""
    return torch.from_numpy(np.array(picture)).float().permute(2, 0, 1)[None]


class Recogniser:
    """dlib's face recognition network.

    Args:
        folder: with ``face_recognition.safetensors``.

    Raises:
        FileNotFoundError: it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.weights = _weights(folder, "face_recognition")

    @torch.inference_mode()
    def __call__(self, picture: Rgb, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """``(128,)`` of the face at MediaPipe's ``points (478,2)`` px in a picture (H,W,3) uint8."""
        return np.asarray(self.numbers(_tensor(_chip(picture, points)))[0].numpy(), np.float32)

    def numbers(self, chips: torch.Tensor) -> torch.Tensor:
        """``(B,128)`` of aligned faces (B,3,150,150), 0 to 255; differentiable."""
        x = (chips - torch.tensor(_MEAN)[None, :, None, None]) / 256
        x = F.max_pool2d(self._conv(x, "conv32_down", 2, whole=False), 3, 2)
        for name in ("conv32_1", "conv32_2", "conv32_3", "conv64_down", "conv64_1", "conv64_2", "conv64_3", "conv128_down",
                     "conv128_1", "conv128_2", "conv256_down", "conv256_1", "conv256_2", "conv256_down_out"):
            x = self._block(x, name, "down" in name)
        return x.mean((2, 3)) @ self.weights["fc"]

    def _conv(self, x: torch.Tensor, name: str, stride: int = 1, positive: bool = True, whole: bool = True) -> torch.Tensor:
        kernel = self.weights[f"{name}/conv/filters"].permute(3, 2, 0, 1)
        x = F.conv2d(x, kernel, self.weights[f"{name}/conv/bias"], stride, kernel.shape[-1] // 2 if whole else 0)
        scale, shift = (self.weights[f"{name}/scale/{what}"][None, :, None, None] for what in ("weights", "biases"))
        x = x * scale + shift
        return F.relu(x) if positive else x

    def _block(self, x: torch.Tensor, name: str, down: bool) -> torch.Tensor:
        out = self._conv(x, f"{name}/conv1", 2 if down else 1, whole=not down)
        out = self._conv(out, f"{name}/conv2", positive=False)
        own = F.avg_pool2d(x, 2, 2) if down else x
        high, wide = (max(out.shape[k], own.shape[k]) for k in (2, 3))
        out, own = (F.pad(a, (0, wide - a.shape[3], 0, high - a.shape[2])) for a in (out, own))
        if own.shape[1] < out.shape[1]:
            own = torch.cat([own, torch.zeros(own.shape[0], out.shape[1] - own.shape[1], high, wide)], 1)
        return F.relu(out + own)


def _chip(picture: Rgb, points: NDArray[np.floating]) -> Rgb:
    """(150,150,3) the face as dlib aligns it, by a similarity of five points (Umeyama 1991)."""
    cv2 = require("cv2", "photo", "aligning faces needs OpenCV")
    source = np.array([points[k] for k, _, _ in _FIVE], np.float64)
    target = (_PAD + np.array([(x, y) for _, x, y in _FIVE])) / (2 * _PAD + 1) * _CHIP
    a, b = source - source.mean(0), target - target.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1, np.sign(np.linalg.det(u @ vt))])
    turn = u @ np.diag(sign) @ vt
    scale = (s * sign).sum() / (a**2).sum()
    move = target.mean(0) - scale * turn @ source.mean(0)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.warpAffine(picture, np.c_[scale * turn, move], (_CHIP, _CHIP), flags=how,
                                     borderMode=cv2.BORDER_REPLICATE), np.uint8)


def judges_in(folder: Path) -> tuple[Lpips, Recogniser]:
    """Both networks of a folder that the script filled.

    Raises:
        FileNotFoundError: one of them is not there; the message says how to fetch it.
    """
    return Lpips(folder), Recogniser(folder)
