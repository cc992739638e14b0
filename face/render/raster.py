"""A small triangle rasteriser for faces: CPU only, no GPU, no display, nothing beyond pip.

One frame is a few compiled kernels: vertex normals, a z-buffer for the key light's shadow, a
z-buffer for the camera (2x2 samples a pixel), and one shading pass (lighting.py). The kernels are few
and monomorphic (float32/int32) because numba compiles each on its first use; the result is cached on
disk, beside the source or, when that place is read-only, in the user's cache directory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """``numba.njit`` cached on disk where some directory can be written, else without a cache.

    numba tries ``NUMBA_CACHE_DIR``, the source's ``__pycache__`` and the user's cache directory,
    and raises RuntimeError when none is writable (a locked-down container).
    """
    options: dict[str, Any] = {"fastmath": True, "nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        return numba.njit(**options)(function)


class Samples:
    """A z-buffer of 2x2 samples a pixel; ``near``, ``face`` and ``bary`` as :func:`depth_buffer` fills them."""

    def __init__(self, width: int, height: int) -> None:
        self.size = width, height
        self.near = np.empty((2 * height, 2 * width), np.float32)
        self.face = np.empty((2 * height, 2 * width), np.int32)
        self.bary = np.empty((2 * height, 2 * width, 2), np.float32)

    def see(self, pos: np.ndarray, faces: np.ndarray, focal: float, only: bool = False) -> None:
        """Fill the buffer with what a camera at the origin that looks along -z sees.

        Args:
            pos: (V,3) float32, m.
            faces: (F,3) int32.
            focal: pixels of the 2x grid for one unit of x/distance.
            only: leave out the faces that are seen from inside.
        """
        w, h = self.size
        depth = np.maximum(-pos[:, 2], np.float32(1e-3))
        screen = np.empty_like(pos)
        screen[:, 0] = w + focal * pos[:, 0] / depth
        screen[:, 1] = h - focal * pos[:, 1] / depth
        screen[:, 2] = np.float32(1.0) / depth
        depth_buffer(screen, faces, -1, only, self.near, self.face, self.bary)

    @property
    def covered(self) -> np.ndarray:
        """(H,W) float32: the share of each pixel's samples where something is."""
        w, h = self.size
        return np.asarray((self.face >= 0).reshape(h, 2, w, 2).mean((1, 3), dtype=np.float32))


@jit
def vertex_normals(v: np.ndarray, faces: np.ndarray, out: np.ndarray) -> None:
    """Area-weighted unit vertex normals of ``v`` (V,3) float32 into ``out`` (V,3)."""
    out[:] = 0.0
    for k in range(faces.shape[0]):
        a, b, c = faces[k, 0], faces[k, 1], faces[k, 2]
        ux, uy, uz = v[b, 0] - v[a, 0], v[b, 1] - v[a, 1], v[b, 2] - v[a, 2]
        wx, wy, wz = v[c, 0] - v[a, 0], v[c, 1] - v[a, 1], v[c, 2] - v[a, 2]
        nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        for i in (a, b, c):
            out[i, 0] += nx
            out[i, 1] += ny
            out[i, 2] += nz
    for i in range(v.shape[0]):
        s = math.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2) + 1e-20
        out[i, 0] /= s
        out[i, 1] /= s
        out[i, 2] /= s


@jit
def depth_buffer(
    screen: np.ndarray, faces: np.ndarray, front: int, only: bool, near: np.ndarray,
    face: np.ndarray, bary: np.ndarray
) -> None:
    """Fill a z-buffer.

    Args:
        screen: (V,3) float32: pixel x, pixel y (down) and a depth key that grows towards the viewer.
        faces: (F,3) int32.
        front: 1 or -1: sign of the signed area of faces that are seen from outside.
        only: leave out the faces that are seen from inside.
        near: (H,W) float32, filled with the nearest key; cleared here to -1e30.
        face: (H,W) int32, filled with the index of the visible face; cleared here to -1.
        bary: (H,W,2) float32, weights of the face's second and third corner.
    """
    near[:] = -1e30
    face[:] = -1
    h, w = near.shape
    # faces seen from outside first: what lies behind them then fails the test and writes nothing
    for phase in range(1 if only else 2):
        for k in range(faces.shape[0]):
            a, b, c = faces[k, 0], faces[k, 1], faces[k, 2]
            ax, ay, az = screen[a, 0], screen[a, 1], screen[a, 2]
            bx, by, bz = screen[b, 0], screen[b, 1], screen[b, 2]
            cx, cy, cz = screen[c, 0], screen[c, 1], screen[c, 2]
            area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
            if abs(area) < 1e-9 or (area * front < 0.0) != (phase == 1):
                continue
            x0 = max(0, int(math.ceil(min(ax, bx, cx) - 0.5)))
            x1 = min(w - 1, int(math.floor(max(ax, bx, cx) - 0.5)))
            y0 = max(0, int(math.ceil(min(ay, by, cy) - 0.5)))
            y1 = min(h - 1, int(math.floor(max(ay, by, cy) - 0.5)))
            inv = 1.0 / area
            w1x, w1y = (cy - ay) * inv, -(cx - ax) * inv
            w2x, w2y = -(by - ay) * inv, (bx - ax) * inv
            for y in range(y0, y1 + 1):
                py = y + 0.5 - ay
                px = x0 + 0.5 - ax
                w1 = px * w1x + py * w1y
                w2 = px * w2x + py * w2y
                for x in range(x0, x1 + 1):
                    if w1 >= 0.0 and w2 >= 0.0 and w1 + w2 <= 1.0:
                        z = az + w1 * (bz - az) + w2 * (cz - az)
                        if z > near[y, x]:
                            near[y, x] = z
                            face[y, x] = k
                            bary[y, x, 0] = w1
                            bary[y, x, 1] = w2
                    w1 += w1x
                    w2 += w2x


@jit
def mixed(values: np.ndarray, faces: np.ndarray, k: int, b1: float, b2: float) -> tuple[float, float, float]:
    """The first three columns of ``values`` (V,3+) at a point of face ``k``."""
    b0 = 1.0 - b1 - b2
    i, j, l = faces[k, 0], faces[k, 1], faces[k, 2]  # noqa: E741
    return (b0 * values[i, 0] + b1 * values[j, 0] + b2 * values[l, 0],
            b0 * values[i, 1] + b1 * values[j, 1] + b2 * values[l, 1],
            b0 * values[i, 2] + b1 * values[j, 2] + b2 * values[l, 2])
