"""A posed mesh in a part of a photo: which face each pixel shows, and what of the vertices lies there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..head.model import HeadModel
from ..render.camera import PinholeCamera
from ..render.raster import depth_buffer, jit, vertex_normals
from ..render.shading import PARTS, vertex_parts

Image = NDArray[np.float32]

SKIN, LIPS, EYES, MOUTH = 0, 1, 2, 3
"""Kinds of surface: what one kind hides of another is seen when either moves."""
_KINDS = {"skin": SKIN, "brows": SKIN, "lashes": SKIN, "lips": LIPS, "eyes": EYES}


@dataclass(frozen=True)
class Window:
    """A part of a photo and its camera, drawn with ``scale`` samples a pixel along each side."""

    x: int
    y: int
    width: int
    height: int
    scale: int
    camera: PinholeCamera

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of samples."""
        return self.height * self.scale, self.width * self.scale

    def cut(self, picture: NDArray[Any]) -> NDArray[Any]:
        """This part of a picture."""
        return picture[self.y:self.y + self.height, self.x:self.x + self.width]

    def project(self, points: NDArray[np.floating]) -> Image:
        """Pixels of the window of points in metres."""
        return np.asarray(self.camera.project(points) - np.array([self.x, self.y], np.float32), np.float32)


def kinds_of(head: HeadModel) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """``(F,)`` kind of each face (teeth, tongue, gums and the cavity are ``MOUTH``), and a finer one that tells those apart."""
    part = vertex_parts(head)
    kind = np.array([_KINDS.get(name, MOUTH) for name in PARTS], np.uint8)[part][head.faces].max(1)
    return kind, np.where(kind == MOUTH, MOUTH + part[head.faces].max(1), kind).astype(np.uint8)


@jit
def _spread(face: np.ndarray, bary: np.ndarray, faces: np.ndarray, values: np.ndarray, out: np.ndarray) -> None:
    """Values (V,C) of vertices at each sample, ``out (H,W,C)``; a sample beside the mesh takes the first face's."""
    for y in range(face.shape[0]):
        for x in range(face.shape[1]):
            k = max(face[y, x], 0)
            b1, b2 = bary[y, x, 0], bary[y, x, 1]
            b0 = np.float32(1.0) - b1 - b2
            i, j, l = faces[k, 0], faces[k, 1], faces[k, 2]  # noqa: E741
            for c in range(values.shape[1]):
                out[y, x, c] = b0 * values[i, c] + b1 * values[j, c] + b2 * values[l, c]


class Layer:
    """A mesh drawn into a window.

    Attributes:
        face: (H,W) int32 at the window's samples; -1 where there is none.
        bary: (H,W,2) weights of the second and third corner.
        near: (H,W) 1/distance, 1/m.
        pixels: (V,2) px of the window.
        depth: (V,) m from the camera's plane.

    Args:
        window: where.
        vertices: (V,3) m.
        faces: (F,3).
        back: (V,) m that vertices are drawn further away: an eyeball never comes through its lids.
    """

    def __init__(self, window: Window, vertices: NDArray[np.floating], faces: NDArray[np.int32],
                 back: NDArray[np.floating] | None = None) -> None:
        self.window, self.faces = window, faces
        self.vertices = np.asarray(vertices, np.float32)
        self.pixels = window.project(self.vertices)
        screen = np.empty_like(self.vertices)
        screen[:, :2] = self.pixels * window.scale
        self.depth = np.maximum(-self.vertices[:, 2], 1e-3) + (0 if back is None else np.asarray(back, np.float32))
        screen[:, 2] = 1 / self.depth
        self.near = np.empty(window.shape, np.float32)
        self.face = np.empty(window.shape, np.int32)
        self.bary = np.empty((*window.shape, 2), np.float32)
        # in a picture whose rows run down, faces seen from outside turn the other way
        depth_buffer(screen, faces, -1, False, self.near, self.face, self.bary)
        self.seen = self.face >= 0
        self.bary[~self.seen] = 0
        self._face = np.maximum(self.face, 0)

    def of(self, values: NDArray[np.floating]) -> Image:
        """(H,W,C) of vertices' ``(V,C)``; meaningless where nothing is seen."""
        v = np.ascontiguousarray(values, np.float32)
        out = np.empty((*self.face.shape, v.shape[1]), np.float32)
        _spread(self.face, self.bary, self.faces, v, out)
        return out

    def per_face(self, values: NDArray[Any]) -> NDArray[Any]:
        """(H,W) of faces' ``(F,)``; meaningless where nothing is seen."""
        return np.asarray(values[self._face])

    def normals(self) -> Image:
        """``(V,3)`` unit normals."""
        out = np.empty((len(self.vertices), 3), np.float32)
        vertex_normals(self.vertices, self.faces, out)
        return out
