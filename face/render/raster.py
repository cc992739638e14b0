"""A small triangle rasteriser for faces: CPU only, no GPU, no display, nothing beyond pip.

One frame is four compiled kernels: vertex normals, a z-buffer for the key light's shadow, a
z-buffer for the camera (2x2 samples a pixel), and one shading pass. The kernels are few and
monomorphic (float32/int32) because numba compiles each on its first use; the result is cached on
disk, beside the source or, when that place is read-only, in the user's cache directory.

Screen-space occlusion follows the normal-oriented hemisphere estimate of McGuire et al., "The
Alchemy Screen-Space Ambient Obscurance Algorithm", HPG 2011,
https://casual-effects.com/research/McGuire2011AlchemyAO/ (here with fixed taps and a small blur).
The wrapped, reddened diffuse term is the cheap skin model of Green, "Real-Time Approximations to
Subsurface Scattering", GPU Gems ch. 16, 2004,
https://developer.nvidia.com/gpugems/gpugems/part-iii-materials/chapter-16-real-time-approximations-subsurface-scattering
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from .shading import EYE, HAIR, SKIN, TOOTH, WET


def _jit(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``numba.njit`` cached on disk where some directory can be written, else without a cache.

    numba tries ``NUMBA_CACHE_DIR``, the source's ``__pycache__`` and the user's cache directory,
    and raises RuntimeError when none is writable (a locked-down container).
    """

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return numba.njit(cache=True, error_model="numpy", **options)(function)
        except RuntimeError:
            return numba.njit(error_model="numpy", **options)(function)

    return wrap


@_jit(fastmath=True, nogil=True)
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


@_jit(fastmath=True, nogil=True)
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


@_jit(fastmath=True, nogil=True)
def occlusion(
    near: np.ndarray, face: np.ndarray, bary: np.ndarray, faces: np.ndarray, normals: np.ndarray,
    focal: float, radius: float, taps: np.ndarray, out: np.ndarray
) -> None:
    """Screen-space ambient occlusion, one value for 2x2 pixels.

    Args:
        near: (2H,2W) depth keys, 1/distance. face, bary, faces, normals: as in ``shade``.
        focal: pixels of the 2x grid for one unit of x/distance.
        radius: metres within which geometry occludes.
        taps: (N,2) offsets in the unit disc.
        out: (ceil(H/2),ceil(W/2)) float32: occlusion in [0,1], 0 = open; -1 where nothing is.
    """
    hs, ws = near.shape
    mx, my = ws / 2, hs / 2
    reach = 1.0 / (4.0 * radius * radius)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            out[y, x] = -1.0
            sy, sx = min(4 * y + 2, hs - 1), min(4 * x + 2, ws - 1)
            k = face[sy, sx]
            if k < 0:
                continue
            d = 1.0 / near[sy, sx]
            px, py = (sx + 0.5 - mx) * d / focal, (my - sy - 0.5) * d / focal
            b1, b2 = bary[sy, sx, 0], bary[sy, sx, 1]
            b0 = 1.0 - b1 - b2
            i0, i1, i2 = faces[k, 0], faces[k, 1], faces[k, 2]
            nx = b0 * normals[i0, 0] + b1 * normals[i1, 0] + b2 * normals[i2, 0]
            ny = b0 * normals[i0, 1] + b1 * normals[i1, 1] + b2 * normals[i2, 1]
            nz = b0 * normals[i0, 2] + b1 * normals[i1, 2] + b2 * normals[i2, 2]
            if nz < 0.0:
                nx, ny, nz = -nx, -ny, -nz
            r = radius * focal / d
            acc = 0.0
            for t in range(taps.shape[0]):
                tx, ty = int(sx + taps[t, 0] * r), int(sy + taps[t, 1] * r)
                if tx < 0 or ty < 0 or tx >= ws or ty >= hs or face[ty, tx] < 0:
                    continue
                e = 1.0 / near[ty, tx]
                qx = (tx + 0.5 - mx) * e / focal - px
                qy = (my - ty - 0.5) * e / focal - py
                qz = d - e
                q2 = qx * qx + qy * qy + qz * qz + 1e-10
                c = qx * nx + qy * ny + qz * nz
                fall = 1.0 - q2 * reach
                if c > 0.0 and fall > 0.0:
                    acc += max(0.0, c / math.sqrt(q2) - 0.12) * fall
            out[y, x] = min(1.0, acc * 2.0 / taps.shape[0])


@_jit(fastmath=True, nogil=True)
def _key_visible(shadow: np.ndarray, m: np.ndarray, x: float, y: float, z: float) -> float:
    """Share of the key light that reaches a point: 4x4 shadow samples, weighted to be smooth."""
    n = shadow.shape[0]
    fx = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3] - 0.5
    fy = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3] - 0.5
    key = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3] + 0.0025
    ix, iy = int(math.floor(fx)), int(math.floor(fy))
    if ix < 1 or iy < 1 or ix >= n - 2 or iy >= n - 2:
        return 1.0
    tx, ty = fx - ix, fy - iy
    lit = 0.0
    for dy in range(-1, 3):
        wy = (1.0 - ty) if dy == -1 else (ty if dy == 2 else 1.0)
        for dx in range(-1, 3):
            if shadow[iy + dy, ix + dx] < key:
                lit += wy * ((1.0 - tx) if dx == -1 else (tx if dx == 2 else 1.0))
    return lit / 9.0


@_jit(fastmath=True, nogil=True)
def _openness(ao: np.ndarray, y: int, x: int) -> float:
    """1 - occlusion at a pixel: bilinear in the half-resolution map, over a 3x3 blur."""
    h, w = ao.shape
    cy, cx = y // 2, x // 2
    total, weight = 0.0, 1e-6
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            yy, xx = cy + dy, cx + dx
            if 0 <= yy < h and 0 <= xx < w and ao[yy, xx] >= 0.0:
                ey, ex = (2 * yy + 0.5 - y) * 0.4, (2 * xx + 0.5 - x) * 0.4
                wt = max(0.0, 1.0 - ey * ey) * max(0.0, 1.0 - ex * ex)
                total += wt * ao[yy, xx]
                weight += wt
    return 1.0 - total / weight


@_jit(fastmath=True, nogil=True)
def _eye_colour(
    x: float, y: float, z: float, red: float, green: float, blue: float, eye: np.ndarray
) -> tuple[float, float, float, float]:
    """Colour and strength of the catch-light of an eyeball in its rest direction (x, y, z)."""
    angle = math.acos(min(1.0, max(-1.0, z / (math.sqrt(x * x + y * y + z * z) + 1e-12))))
    limbus, pupil = eye[0], eye[1]
    # sclera: pinker towards the corners, grey where the cornea begins
    away = min(1.0, max(0.0, (angle - limbus) * 0.9))
    near_limbus = max(0.0, 1.0 - max(0.0, angle - limbus) / (0.25 * limbus))
    grey = 1.0 - 0.35 * near_limbus
    sr, sg, sb = red * grey * (1.0 - 0.10 * away), green * grey * (1.0 - 0.28 * away), 0.0
    sb = blue * grey * (1.0 - 0.26 * away)
    rad = min(1.0, angle / limbus)
    phi = math.atan2(y, x)
    fibre = 1.0 + 0.18 * math.sin(phi * 23.0) * math.sin(phi * 7.0 + 1.3)
    ring = 1.0 - 0.80 * max(0.0, (rad - 0.76) / 0.24)  # the dark limbal ring
    lift = (0.80 + 0.45 * rad) * fibre * ring
    hole = min(1.0, max(0.0, (angle - pupil) / (limbus * 0.07) + 0.5))
    ir, ig, ib = eye[2] * lift * hole + 0.004, eye[3] * lift * hole + 0.004, eye[4] * lift * hole + 0.004
    mix = min(1.0, max(0.0, (limbus - angle) / (limbus * 0.08) + 0.5))
    return sr + (ir - sr) * mix, sg + (ig - sg) * mix, sb + (ib - sb) * mix, 0.35 + 0.65 * mix


@_jit(fastmath=True, nogil=True)
def shade(
    near: np.ndarray, face: np.ndarray, bary: np.ndarray, faces: np.ndarray, material: np.ndarray,
    pos: np.ndarray, normals: np.ndarray, albedo: np.ndarray, extra: np.ndarray,
    shadow: np.ndarray, to_shadow: np.ndarray, ao: np.ndarray, lights: np.ndarray,
    eye: np.ndarray, background: np.ndarray, tone: np.ndarray, out: np.ndarray
) -> None:
    """Light every pixel and average its samples.

    A pixel whose samples lie on one smooth surface is lit once; silhouettes, part borders and
    eyes (fine detail) are lit sample by sample.

    Args:
        near, face, bary: the camera's z-buffer at 2x, see ``depth_buffer``.
        faces: (F,3) int32. material: (F,) uint8.
        pos: (V,3) view space, metres, the camera at the origin, z towards the viewer.
        normals: (V,3) view space. albedo: (V,3) linear RGB.
        extra: (V,4): rest-space direction of an eyeball's vertex (+z forward) or zeros, opacity.
        shadow: (N,N) key light's z-buffer; to_shadow: (3,4) view space -> its pixels and key.
        ao: half-resolution occlusion from ``occlusion``.
        lights: (L+1,7): unit direction to the light in view space, linear RGB, share of gloss;
            the first is the key light (it alone casts a shadow), the last row the ambient light.
        eye: (6,): radii of iris and pupil, radians; iris linear RGB; then how far the lips are
            parted, 0..0.7: how much light reaches the teeth.
        background: (H,W,3) linear RGB.
        tone: (N,) uint8: output for sqrt(linear) / 1.5 in [0,1].
        out: (H,W,3) uint8 sRGB.
    """
    h, w = out.shape[:2]
    n_lights = lights.shape[0] - 1
    last = tone.shape[0] - 1
    for y in range(h):
        for x in range(w):
            back_r, back_g, back_b = background[y, x, 0], background[y, x, 1], background[y, x, 2]
            first = face[2 * y, 2 * x]
            covered, split, low, high = 0, False, 1e30, 0.0
            for s in range(4):
                k = face[2 * y + s // 2, 2 * x + s % 2]
                if k >= 0:
                    covered += 1
                    low = min(low, near[2 * y + s // 2, 2 * x + s % 2])
                    high = max(high, near[2 * y + s // 2, 2 * x + s % 2])
                    split = split or first < 0 or material[k] != material[first] or material[k] == EYE
                else:
                    split = True
            cr, cg, cb = 0.0, 0.0, 0.0
            if covered == 0:
                cr, cg, cb = back_r, back_g, back_b
            else:
                split = split or high > low * 1.006
                passes = 4 if split else 1
                opened = _openness(ao, y, x)
                for s in range(passes):
                    ax, ay, az, nx, ny, nz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
                    r, g, b, ex, ey, ez, alpha = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
                    sy, sx = 2 * y + s // 2, 2 * x + s % 2
                    k = face[sy, sx]
                    if k < 0:
                        cr += back_r
                        cg += back_g
                        cb += back_b
                        continue
                    for j in range(3):
                        i = faces[k, j]
                        wt = bary[sy, sx, j - 1] if j > 0 else 1.0 - bary[sy, sx, 0] - bary[sy, sx, 1]
                        ax += wt * pos[i, 0]
                        ay += wt * pos[i, 1]
                        az += wt * pos[i, 2]
                        nx += wt * normals[i, 0]
                        ny += wt * normals[i, 1]
                        nz += wt * normals[i, 2]
                        r += wt * albedo[i, 0]
                        g += wt * albedo[i, 1]
                        b += wt * albedo[i, 2]
                        alpha += wt * extra[i, 3]
                    m = material[k]
                    if m == EYE:
                        for j in range(3):
                            i = faces[k, j]
                            wt = bary[sy, sx, j - 1] if j > 0 else 1.0 - bary[sy, sx, 0] - bary[sy, sx, 1]
                            ex += wt * extra[i, 0]
                            ey += wt * extra[i, 1]
                            ez += wt * extra[i, 2]
                    ln = 1.0 / (math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12)
                    nx, ny, nz = nx * ln, ny * ln, nz * ln
                    vl = -1.0 / math.sqrt(ax * ax + ay * ay + az * az)
                    vx, vy, vz = ax * vl, ay * vl, az * vl
                    facing = nx * vx + ny * vy + nz * vz
                    inside = False
                    if facing < 0.0:
                        # Smooth normals lean over at grazing angles; a face truly seen from
                        # behind (an open mouth in a head without a mouth cavity) is dark.
                        i0, i1, i2 = faces[k, 0], faces[k, 1], faces[k, 2]
                        ux, uy = pos[i1, 0] - pos[i0, 0], pos[i1, 1] - pos[i0, 1]
                        uz, wz = pos[i1, 2] - pos[i0, 2], pos[i2, 2] - pos[i0, 2]
                        wx, wy = pos[i2, 0] - pos[i0, 0], pos[i2, 1] - pos[i0, 1]
                        inside = ((uy * wz - uz * wy) * vx + (uz * wx - ux * wz) * vy
                                  + (ux * wy - uy * wx) * vz) < 0.0
                        nx, ny, nz = nx - facing * vx, ny - facing * vy, nz - facing * vz
                        facing = 0.0
                    gloss, wrap, glint, edge = 0.16, 0.30, 0.0, 0.08
                    if m == EYE:
                        gloss, wrap = 0.10, 0.35
                        r, g, b, glint = _eye_colour(ex, ey, ez, r, g, b, eye)
                    elif m == TOOTH:
                        gloss, wrap = 0.30, 0.50
                    elif m == WET:
                        damp = min(1.0, 4.0 * r)  # the throat neither shines nor glows
                        gloss, wrap, edge = 0.30 * damp, 0.35, 0.08 * damp
                    elif m == HAIR:
                        gloss, wrap = 0.03, 0.35
                    # looked up a little outside the surface, so that it does not shade itself
                    lit = _key_visible(shadow, to_shadow, ax + nx * 0.003, ay + ny * 0.003,
                                       az + nz * 0.003)
                    ao_here = opened
                    if m in (EYE, TOOTH):
                        # bright and wet: light from lids and parted lips fills their shade
                        fill = 0.35 if m == EYE else eye[5]
                        ao_here = opened + (1.0 - opened) * fill
                        lit = max(lit, 0.55 * ao_here if m == EYE else fill)
                    ambient = (0.72 + 0.28 * ny) * ao_here * ao_here
                    lr, lg, lb = (lights[n_lights, 3] * ambient, lights[n_lights, 4] * ambient,
                                  lights[n_lights, 5] * ambient)
                    sr, sg, sb = 0.0, 0.0, 0.0
                    # red light travels furthest in skin: it wraps further round the form
                    wr, wg, wb = wrap, wrap, wrap
                    if m == SKIN:
                        wr, wg, wb = wrap * 1.25, wrap * 0.75, wrap * 0.5
                    for li in range(n_lights):
                        dx, dy, dz = lights[li, 0], lights[li, 1], lights[li, 2]
                        dot = nx * dx + ny * dy + nz * dz
                        if dot < -wr:
                            continue
                        seen = lit if li == 0 else ao_here
                        seen_r = 0.2 + 0.8 * seen if m == SKIN else seen
                        kr, kg, kb = lights[li, 3], lights[li, 4], lights[li, 5]
                        lr += kr * max(0.0, (dot + wr) / (1.0 + wr)) * seen_r
                        lg += kg * max(0.0, (dot + wg) / (1.0 + wg)) * seen
                        lb += kb * max(0.0, (dot + wb) / (1.0 + wb)) * seen
                        hx, hy, hz = dx + vx, dy + vy, dz + vz
                        nh = nx * hx + ny * hy + nz * hz
                        if nh > 0.0 and dot > -0.1:
                            p = nh * nh / (hx * hx + hy * hy + hz * hz + 1e-9)  # cos^2
                            p *= p
                            p *= p
                            p8 = p
                            p *= p  # cos^16
                            shine = gloss * (p if m != HAIR else p8)
                            if m in (TOOTH, WET, EYE):
                                shine = gloss * p * p
                            if glint > 0.0:
                                p *= p
                                p *= p
                                p *= p
                                p *= p  # cos^256
                                shine += glint * 2.6 * p
                            shine *= lights[li, 6] * seen
                            sr += shine * kr
                            sg += shine * kg
                            sb += shine * kb
                    rim = 1.0 - facing
                    rim = rim * rim * rim * rim * edge * opened
                    if inside:
                        r, g, b = r * 0.08, g * 0.04, b * 0.04
                        sr, sg, sb, rim = 0.0, 0.0, 0.0, 0.0
                    cr += back_r + (r * lr + sr + rim - back_r) * alpha
                    cg += back_g + (g * lg + sg + rim - back_g) * alpha
                    cb += back_b + (b * lb + sb + rim - back_b) * alpha
                cr, cg, cb = cr / passes, cg / passes, cb / passes
            out[y, x, 0] = tone[min(last, int(math.sqrt(max(0.0, cr)) / 1.5 * last + 0.5))]
            out[y, x, 1] = tone[min(last, int(math.sqrt(max(0.0, cg)) / 1.5 * last + 0.5))]
            out[y, x, 2] = tone[min(last, int(math.sqrt(max(0.0, cb)) / 1.5 * last + 0.5))]


def tone_table(n: int = 2048) -> np.ndarray:
    """(n,) uint8: sRGB of linear light by its square root over 1.5, with a soft shoulder."""
    value = (np.linspace(0.0, 1.0, n) * 1.5) ** 2
    value = np.where(value > 0.7, 0.7 + 0.3 * (1.0 - np.exp(-(value - 0.7) / 0.3)), value)
    srgb = np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)
    return np.round(np.clip(srgb, 0.0, 1.0) * 255.0).astype(np.uint8)
