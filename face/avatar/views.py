"""A photo for an avatar: the part that shows the head, at a resolution that the texture can hold, with the mesh on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..head.model import HeadModel
from ..head.surface import vertex_normals
from ..landmarks.personal import field_for
from ..render.camera import PinholeCamera
from ..render.raster import depth_buffer

Floats = NDArray[np.float32]

_AROUND = 0.35
"""Of the head's size that is kept around it: hair stands out."""
DENSITY = 2.18
"""Texels a metre of the face for one texel of the texture's side (the packaged layout)."""


def on_points(vertices: Floats, points: Floats, camera: PinholeCamera, turn: Floats) -> Floats:
    """(V,3) m: the head's vertices moved in the picture's plane, smoothly, until its landmarks lie where they are seen.

    A personal head explains its landmarks but for a millimetre or two of every expression; on lips and lids that is a lip's or
    a lid's edge in the wrong place.

    Args:
        vertices: (V,3) m of a head with the packaged head's faces, in the camera's frame.
        points: (478,2) px, MediaPipe's; NaN where not seen.
        camera: of the photo.
        turn: (3,3) rotation of the head into the camera's frame.
    """
    field = field_for(HeadModel.default())
    embedding = field.embedding
    at = embedding.positions(vertices.astype(np.float64), field.head.faces)
    shown = at + embedding.bias @ turn.T
    miss = (points[embedding.index] - camera.project(shown)) / camera.focal * -shown[:, 2:] * [1, -1]
    offset = np.nan_to_num(np.concatenate([miss, np.zeros((len(miss), 1))], 1))
    return (vertices + field.moved(offset)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class View:
    """One photo of the person, cut to the head.

    Attributes:
        rgb: (H,W,3) uint8 sRGB.
        person: (H,W) in 0..1: which pixels are the person's.
        vertices: (V,3) m, the personal head as it is on the photo, in the camera's frame (it looks along -z).
        turn: (3,3) rotation of the head into that frame.
        focal: px of ``rgb``.
        centre: (2,) px, the principal point; it may lie outside.
        name: what it was made from.
        folded: (V,) 0..1, how far the expression on it folds the skin; None: not known, and its folds stay.
    """

    rgb: NDArray[np.uint8]
    person: Floats
    vertices: Floats
    turn: Floats
    focal: float
    centre: Floats
    name: str = ""
    folded: Floats | None = None

    @classmethod
    def of(cls, rgb: NDArray[np.uint8], person: Floats, camera: PinholeCamera, vertices: Floats, turn: Floats, texture: int,
           name: str = "", folded: Floats | None = None) -> View:
        """Cut a photo to its head, and shrink it where it is finer than a texture of ``texture`` px a side.

        Raises:
            ValueError: the head lies outside the photo.
        """
        at = camera.project(vertices)
        low, high = np.nanmin(at, 0), np.nanmax(at, 0)
        room = _AROUND * (high - low).max()
        x0, y0 = np.maximum(np.floor(low - room), 0).astype(int)
        x1, y1 = np.minimum(np.ceil(high + room), [rgb.shape[1], rgb.shape[0]]).astype(int)
        if min(x1 - x0, y1 - y0) < 16:
            raise ValueError(f"{name or 'the photo'}: the head lies outside of it")
        wanted = 1.5 * DENSITY * texture * float(np.median(-vertices[:, 2])) / camera.focal
        scale = min(1.0, wanted)
        size = max(16, round((x1 - x0) * scale)), max(16, round((y1 - y0) * scale))
        part, mask = Image.fromarray(rgb[y0:y1, x0:x1]), Image.fromarray(person[y0:y1, x0:x1])
        if scale < 1:
            part, mask = (p.resize(size, Image.Resampling.BOX) for p in (part, mask))
        scale = size[0] / (x1 - x0)
        centre = (np.array(camera.centre) - [x0, y0]) * scale
        return cls(np.asarray(part), np.asarray(mask, np.float32), np.ascontiguousarray(vertices, np.float32),
                   np.asarray(turn, np.float32), camera.focal * scale, centre.astype(np.float32), name, folded)

    def project(self, points: np.ndarray) -> NDArray[np.float64]:
        """Pixels (...,2) of points (...,3) in the camera's frame."""
        scale = self.focal / np.maximum(-points[..., 2:], 1e-6)
        return np.asarray(points[..., :2] * scale * [1, -1] + self.centre, np.float64)

    def moved(self, offsets: np.ndarray) -> View:
        """The same with the head's vertices moved by ``offsets`` (V,3) m in the head's own axes."""
        return replace(self, vertices=(self.vertices + offsets @ self.turn.T).astype(np.float32))

    def normals(self, head: HeadModel) -> Floats:
        """(V,3) unit normals in the camera's frame."""
        return vertex_normals(self.vertices.astype(np.float64), head.faces).astype(np.float32)

    def screen(self) -> Floats:
        """(V,3) pixel x, y and a depth key, 1 / distance."""
        return np.concatenate([self.project(self.vertices), 1 / np.maximum(-self.vertices[:, 2:], 1e-3)], 1).astype(np.float32)

    def buffer(self, faces: NDArray[np.int32]) -> tuple[Floats, NDArray[np.int32], Floats]:
        """Depth key, face and barycentric coordinates of each pixel; see ``raster.depth_buffer``."""
        shape = self.rgb.shape[:2]
        near, face, bary = np.empty(shape, np.float32), np.empty(shape, np.int32), np.empty((*shape, 2), np.float32)
        depth_buffer(self.screen(), faces, -1, False, near, face, bary)
        return near, face, bary
