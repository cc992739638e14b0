"""The surface of a head texel by texel, and pictures that are made in it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..head.model import HeadModel
from ..head.texture import Layout, Picture
from .pyramid import filled
from .raster import depth_buffer, jit
from .shading import Eyes, Palette, appearance, eye_colours, srgb

Floats = NDArray[np.float32]
PAINTED = 1024
"""Side of a texture that is painted from a palette, px."""


@jit
def _interpolate(values: np.ndarray, faces: np.ndarray, face: np.ndarray, bary: np.ndarray, out: np.ndarray) -> None:
    for y in range(face.shape[0]):
        for x in range(face.shape[1]):
            k = face[y, x]
            for c in range(values.shape[1]):
                out[y, x, c] = 0.0
            if k < 0:
                continue
            b1, b2 = bary[y, x, 0], bary[y, x, 1]
            b0 = np.float32(1.0) - b1 - b2
            i, j, l = faces[k, 0], faces[k, 1], faces[k, 2]  # noqa: E741
            for c in range(values.shape[1]):
                out[y, x, c] = b0 * values[i, c] + b1 * values[j, c] + b2 * values[l, c]


@jit
def sample(picture: np.ndarray, place: np.ndarray, out: np.ndarray) -> None:
    """``picture`` (H,W,C) float32, linear between texels, at places (...,2) px of (N,M) texels into ``out`` (N,M,C)."""
    h, w = picture.shape[:2]
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            u = min(max(place[y, x, 0] - 0.5, 0.0), w - 1.001)
            v = min(max(place[y, x, 1] - 0.5, 0.0), h - 1.001)
            i, j = int(v), int(u)
            s, t = u - j, v - i
            for c in range(out.shape[2]):
                top = picture[i, j, c] * (1 - s) + picture[i, j + 1, c] * s
                low = picture[i + 1, j, c] * (1 - s) + picture[i + 1, j + 1, c] * s
                out[y, x, c] = top * (1 - t) + low * t


class Atlas:
    """Which point of the surface each texel of a texture is; T texels a side.

    Raises:
        ValueError: a head without texture coordinates.
    """

    def __init__(self, head: HeadModel, size: int) -> None:
        if head.layout is None:
            raise ValueError(f"head {head.name!r} has no texture coordinates: only heads with the default head's faces do")
        self.layout: Layout = head.layout
        self.size = size
        self.faces = np.array(head.faces, np.int32)
        screen = np.concatenate([self.layout.uv * np.float32(size), np.ones((len(self.layout.uv), 1), np.float32)], 1)
        near = np.empty((size, size), np.float32)
        self.face = np.empty((size, size), np.int32)
        """(T,T) face of each texel, -1 outside."""
        self.bary = np.empty((size, size, 2), np.float32)
        depth_buffer(screen, np.array(self.layout.faces, np.int32), 1, False, near, self.face, self.bary)
        self.inside: NDArray[np.bool_] = self.face >= 0

    def of(self, values: np.ndarray) -> Floats:
        """(T,T,K) values of the vertices (V,K), linear between them; 0 outside."""
        values = np.ascontiguousarray(values, np.float32)
        out = np.empty((self.size, self.size, values.shape[1]), np.float32)
        _interpolate(values, self.faces, self.face, self.bary, out)
        return out

    def where(self, chosen: ArrayLike) -> NDArray[np.bool_]:
        """(T,T) the texels of chosen faces (F,) bool."""
        return self.inside & np.asarray(chosen)[np.maximum(self.face, 0)]

    @cached_property
    def _opposite(self) -> Floats:
        out = np.empty((self.size, self.size, 2), np.float32)
        there = self.layout.uv[self.layout.mirror] * np.float32(self.size)
        _interpolate(there, np.array(self.layout.faces, np.int32), self.face, self.bary, out)
        return out

    def mirrored(self, picture: Floats) -> Floats:
        """A picture (T,T,C) of the other side of the face."""
        out = np.empty_like(picture)
        sample(picture, self._opposite, out)
        return out

    def spread(self, picture: Floats) -> Floats:
        """A picture (T,T,C) with what lies outside the surface taken from its borders, so that none shows at a seam."""
        return filled(picture, self.inside.astype(np.float32))


def painted(head: HeadModel, size: int = PAINTED, palette: Palette | None = None, eyes: Eyes | None = None) -> Picture:
    """(T,T,3) uint8 sRGB: the colours that a head without a texture is drawn with, as a texture.

    Raises:
        ValueError: a head without texture coordinates.
    """
    atlas, look = Atlas(head, size), appearance(head, palette, eyes)
    colour = atlas.of(look.albedo)
    material = (look.extra[:, :3] != 0).any(1)
    ball = atlas.where(material[atlas.faces].all(1))
    colour[ball] = eye_colours(atlas.of(look.extra[:, :3])[ball], look.palette, look.eyes)
    return srgb(atlas.spread(colour))
