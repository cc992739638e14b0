"""Shading of shape images: one compiled kernel beside the rasteriser's (``face/render/raster.py``)."""

from __future__ import annotations

import math

import numpy as np

from ...face.render.raster import _jit, depth_buffer, vertex_normals


@_jit(fastmath=True, nogil=True)
def _shade(
    face: np.ndarray, bary: np.ndarray, faces: np.ndarray, normals: np.ndarray, tone: np.ndarray, out: np.ndarray
) -> None:
    """Light the 2x2 samples of every pixel and average them into ``out`` (H,W) uint8; what nothing covers is black.

    A key light from above the viewer's left, a fill from the right, and a little from everywhere: light from the side
    shows the folds that an expression makes.
    """
    h, w = out.shape
    for y in range(h):
        for x in range(w):
            total = 0.0
            for s in range(4):
                sy, sx = 2 * y + s // 2, 2 * x + s % 2
                k = face[sy, sx]
                if k < 0:
                    continue
                b1, b2 = bary[sy, sx, 0], bary[sy, sx, 1]
                b0 = 1.0 - b1 - b2
                i, j, l = faces[k, 0], faces[k, 1], faces[k, 2]  # noqa: E741
                nx = b0 * normals[i, 0] + b1 * normals[j, 0] + b2 * normals[l, 0]
                ny = b0 * normals[i, 1] + b1 * normals[j, 1] + b2 * normals[l, 1]
                nz = b0 * normals[i, 2] + b1 * normals[j, 2] + b2 * normals[l, 2]
                size = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
                if nz < 0.0:
                    size = -size
                key = max(0.0, (nx * -0.42 + ny * 0.63 + nz * 0.65) / size)
                fill = max(0.0, (nx * 0.80 + ny * 0.05 + nz * 0.60) / size)
                t = b0 * tone[i] + b1 * tone[j] + b2 * tone[l]
                total += t * (0.10 + 0.72 * key + 0.22 * fill)
            out[y, x] = np.uint8(min(255.0, total * 63.75 + 0.5))


def draw(
    vertices: np.ndarray, faces: np.ndarray, tone: np.ndarray, distance: float, focal: float, near: np.ndarray,
    face: np.ndarray, bary: np.ndarray, normals: np.ndarray, out: np.ndarray,
) -> None:
    """Draw one head.

    Args:
        vertices: (V,3) m, the picture's middle at 0, z towards the camera.
        faces: (F,3) int32. tone: (V,) brightness, 1 for skin.
        distance: from the camera to the middle, m. focal: px of the 2x grid for one unit of x/distance.
        near, face, bary: z-buffer at twice the size, overwritten. normals: (V,3), overwritten.
        out: (H,W) uint8, overwritten.
    """
    h, w = out.shape
    depth = np.maximum(np.float32(distance) - vertices[:, 2], np.float32(1e-3))
    screen = np.empty_like(vertices)
    screen[:, 0] = np.float32(w) + np.float32(focal) * vertices[:, 0] / depth
    screen[:, 1] = np.float32(h) - np.float32(focal) * vertices[:, 1] / depth
    screen[:, 2] = np.float32(1.0) / depth
    vertex_normals(vertices, faces, normals)
    depth_buffer(screen, faces, -1, True, near, face, bary)
    _shade(face, bary, faces, normals, tone, out)
