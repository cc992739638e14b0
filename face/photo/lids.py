"""Lids that close over an eye: skin where a fold was, the lashes' line where the lids meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..head.model import HeadModel
from ..landmarks.points import LID_LEFT_LOWER, LID_LEFT_UPPER, LID_RIGHT_LOWER, LID_RIGHT_UPPER, Embedding, embedding_for
from .fields import blur, cv, sample, smoothstep
from .surface import Layer

Image = NDArray[np.float32]

_EYES = ((LID_LEFT_UPPER, LID_LEFT_LOWER), (LID_RIGHT_UPPER, LID_RIGHT_LOWER))
_BOLD, _BAND = 0.05, 0.16
"""Thickness of the lashes' line and of what lies along it, shares of the eye's width."""


@dataclass(frozen=True, eq=False)
class _Eye:
    upper: NDArray[np.int64]
    lower: NDArray[np.int64]
    """Rows of the embedding, from the outer corner to the inner one."""
    gap: float
    """Opening on the photo, m."""
    shut: float
    """What is left of it between the same points when the lids are closed, m."""
    lashes: Image
    """(3,) linear, the darkest of what lies along the upper lid's edge."""


class Lids:
    """The lids of one photo.

    Args:
        head: the head.
        layer: its mesh on the photo.
        photo: (H,W,3) linear, the window at one sample a pixel.
    """

    def __init__(self, head: HeadModel, layer: Layer, photo: Image) -> None:
        self.embedding: Embedding = embedding_for(head)
        self.faces = head.faces
        self.eyes: list[_Eye] = []
        points = self.points(layer)
        shut = np.zeros((1, head.n_expr), np.float32)
        shut[0, [k for k, name in enumerate(head.expr_names) if name.startswith("eyeBlink")]] = 1
        closed = self.embedding.positions(head.vertices(expr=shut)[0], self.faces)
        for upper, lower in _EYES:
            up, low = (self.embedding.row[np.array(side)] for side in (upper, lower))
            if min(up.min(), low.min()) < 0:
                continue
            edge = points[up[1:-1]]
            width = max(float(np.linalg.norm(points[up[0]] - points[up[-1]])), 1.0)
            around = edge[:, None] + np.array([[0.0, k * 0.02 * width] for k in range(-3, 2)])
            seen = sample(photo, around.astype(np.float32), smooth=False).reshape(-1, 3)
            dark = seen[np.argsort(seen.mean(1))[:max(3, len(seen) // 5)]]
            self.eyes.append(_Eye(up, low, self._gap(self._places(layer), up, low), self._gap(closed, up, low),
                                  np.median(dark, axis=0)))

    def points(self, layer: Layer) -> Image:
        """(L,2) px of the landmarks in the window."""
        return layer.window.project(self._places(layer))

    def _places(self, layer: Layer) -> Image:
        return np.asarray(self.embedding.positions(layer.vertices, self.faces), np.float32)

    @staticmethod
    def _gap(points: Image, up: NDArray[np.int64], low: NDArray[np.int64]) -> float:
        return max(float(np.linalg.norm(points[up[3:6]] - points[low[3:6]], axis=1).mean()), 0.0)

    def closed(self, layer: Layer) -> tuple[float, ...]:
        """How far the left and the right eye, open on the photo, are closed: 0 open, 1 closed."""
        places = self._places(layer)
        return tuple(self._closed(eye, places) for eye in self.eyes)

    def bands(self, layer: Layer) -> list[Image]:
        """(H,W) of the left and the right eye: 1 along the line where its lids meet."""
        points, scale = self.points(layer), layer.window.scale
        out = []
        for eye in self.eyes:
            width = float(np.linalg.norm(points[eye.upper[0]] - points[eye.upper[-1]]))
            out.append(self._stroke((points[eye.upper] + points[eye.lower])[1:-1] / 2 * scale, layer.window.shape,
                                    _BAND * width * scale))
        return out

    def _closed(self, eye: _Eye, places: Image) -> float:
        width = max(float(np.linalg.norm(places[eye.upper[0]] - places[eye.upper[-1]])), 1e-3)
        open_ = max(eye.gap - eye.shut, 0.02 * width)
        left = (self._gap(places, eye.upper, eye.lower) - eye.shut) / open_
        was_open = float(smoothstep(np.array(open_ / width), 0.03, 0.1))
        return float(smoothstep(np.array(1 - left), 0.6, 0.92)) * was_open

    def line(self, layer: Layer, old: Layer, linear: Image) -> Image:
        """(H,W,3) with a fold and a line of lashes where lids have come together that were apart on the photo.

        Args:
            layer: the new mesh.
            old: the mesh on the photo.
            linear: (H,W,3) the picture so far.
        """
        points, places, scale = self.points(layer), self._places(layer), layer.window.scale
        before = layer.window.project(self.embedding.positions(old.vertices, self.faces))
        out = linear
        for eye in self.eyes:
            width = float(np.linalg.norm(points[eye.upper[0]] - points[eye.upper[-1]]))
            closed = self._closed(eye, places)
            if closed < 0.02 or width < 4:
                continue
            edge = (points[eye.upper] + points[eye.lower]) / 2
            # the fold is where the open lid's edge was, a little higher
            crease = before[eye.upper] + (before[eye.upper] - before[eye.lower]) * 0.22
            bold = _BOLD * width * scale
            fold = blur(self._stroke(crease[1:-1] * scale, linear.shape, 0.5 * bold), 0.9 * bold)
            out = out * (1 - np.clip(fold, 0, 1) * np.float32(0.3 * closed))[..., None]
            mask = self._stroke(edge * scale, linear.shape, bold)
            soft = np.clip(blur(mask, 1.8 * bold), 0, 1)[..., None] * np.float32(0.2 * closed)
            alpha = (np.clip(blur(mask, 0.25 * bold), 0, 1) * np.float32(0.8 * closed))[..., None]
            out = out * (1 - soft)
            out = out * (1 - alpha) + np.minimum(eye.lashes, out) * alpha
        return np.asarray(out, np.float32)

    @staticmethod
    def _stroke(points: NDArray[np.floating], shape: tuple[int, ...], bold: float) -> Image:
        """(H,W) a curve through points that thins out at its ends; ``bold`` px thick."""
        mask = np.zeros(shape[:2], np.float32)
        fine = _curve(points, 40) - 0.5
        for k in range(len(fine) - 1):
            thick = max(1, round(bold * (0.4 + 0.6 * np.sin(np.pi * (k + 0.5) / (len(fine) - 1)) ** 0.5)))
            a, b = (tuple(int(round(c * 16)) for c in fine[j]) for j in (k, k + 1))
            cv().line(mask, a, b, 1.0, thick, cv().LINE_AA, 4)
        return mask


def _curve(points: Image, count: int) -> NDArray[np.float64]:
    """``(count,2)`` along a smooth curve through points."""
    from scipy.interpolate import CubicSpline

    step = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1) + 1e-6)]
    return np.asarray(CubicSpline(step, points)(np.linspace(0, step[-1], count)))
