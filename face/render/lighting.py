"""Lighting of a drawn face: shadows, occlusion, eyes, skin, and the plain grey of shape images.

Screen-space occlusion follows the normal-oriented hemisphere estimate of McGuire et al., "The
Alchemy Screen-Space Ambient Obscurance Algorithm", HPG 2011,
https://casual-effects.com/research/McGuire2011AlchemyAO/ (here with fixed taps and a small blur).
The wrapped, reddened diffuse term is the cheap skin model of Green, "Real-Time Approximations to
Subsurface Scattering", GPU Gems ch. 16, 2004,
https://developer.nvidia.com/gpugems/gpugems/part-iii-materials/chapter-16-real-time-approximations-subsurface-scattering
"""

from __future__ import annotations

import math

import numpy as np

from .raster import jit, mixed
from .shading import EYE, HAIR, SKIN, TOOTH, WET


@jit
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
            nx, ny, nz = mixed(normals, faces, k, bary[sy, sx, 0], bary[sy, sx, 1])
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


@jit
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


@jit
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


@jit
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


@jit
def _from_behind(pos: np.ndarray, faces: np.ndarray, k: int, vx: float, vy: float, vz: float) -> bool:
    """Whether face ``k`` turns its inside to the viewer, who is in direction (vx, vy, vz)."""
    i, j, l = faces[k, 0], faces[k, 1], faces[k, 2]  # noqa: E741
    ux, uy, uz = pos[j, 0] - pos[i, 0], pos[j, 1] - pos[i, 1], pos[j, 2] - pos[i, 2]
    wx, wy, wz = pos[l, 0] - pos[i, 0], pos[l, 1] - pos[i, 1], pos[l, 2] - pos[i, 2]
    return (uy * wz - uz * wy) * vx + (uz * wx - ux * wz) * vy + (ux * wy - uy * wx) * vz < 0.0


@jit
def _finish(m: int, red: float) -> tuple[float, float, float]:
    """How a material meets light: gloss, how far diffuse light wraps round the form, and its bright rim."""
    if m == EYE:
        return 0.10, 0.35, 0.08
    if m == TOOTH:
        return 0.30, 0.50, 0.08
    if m == WET:
        damp = min(1.0, 4.0 * red)  # the throat neither shines nor glows
        return 0.30 * damp, 0.35, 0.08 * damp
    if m == HAIR:
        return 0.03, 0.35, 0.08
    return 0.16, 0.30, 0.08


@jit
def _shine(cosine: float, m: int, gloss: float, glint: float) -> float:
    """Strength of a highlight from the squared cosine between normal and half vector."""
    p = cosine * cosine
    p8 = p * p  # cos^8
    p = p8 * p8
    shine = gloss * (p8 if m == HAIR else p)
    if m in (TOOTH, WET, EYE):
        shine = gloss * p * p
    if glint > 0.0:
        p *= p
        p *= p
        p *= p
        p *= p  # cos^256
        shine += glint * 2.6 * p
    return shine


@jit
def _lit(
    m: int, nx: float, ny: float, nz: float, vx: float, vy: float, vz: float, lit: float, openness: float,
    wrap: float, gloss: float, glint: float, lights: np.ndarray
) -> tuple[float, float, float, float, float, float]:
    """Diffuse and specular light, linear RGB each, at a point with normal n seen from direction v."""
    n_lights = lights.shape[0] - 1
    ambient = (0.72 + 0.28 * ny) * openness * openness
    lr, lg, lb = lights[n_lights, 3] * ambient, lights[n_lights, 4] * ambient, lights[n_lights, 5] * ambient
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
        seen = lit if li == 0 else openness
        seen_r = 0.2 + 0.8 * seen if m == SKIN else seen
        kr, kg, kb = lights[li, 3], lights[li, 4], lights[li, 5]
        lr += kr * max(0.0, (dot + wr) / (1.0 + wr)) * seen_r
        lg += kg * max(0.0, (dot + wg) / (1.0 + wg)) * seen
        lb += kb * max(0.0, (dot + wb) / (1.0 + wb)) * seen
        hx, hy, hz = dx + vx, dy + vy, dz + vz
        nh = nx * hx + ny * hy + nz * hz
        if nh > 0.0 and dot > -0.1:
            shine = _shine(nh * nh / (hx * hx + hy * hy + hz * hz + 1e-9), m, gloss, glint) * lights[li, 6] * seen
            sr += shine * kr
            sg += shine * kg
            sb += shine * kb
    return lr, lg, lb, sr, sg, sb


@jit
def _texel(corners: np.ndarray, texture: np.ndarray, k: int, b1: float, b2: float) -> tuple[float, float, float]:
    """The texture (T,T,3), bilinear, at a point of face ``k``, whose corners (F,3,2) lie in it."""
    b0 = 1.0 - b1 - b2
    x = b0 * corners[k, 0, 0] + b1 * corners[k, 1, 0] + b2 * corners[k, 2, 0] - 0.5
    y = b0 * corners[k, 0, 1] + b1 * corners[k, 1, 1] + b2 * corners[k, 2, 1] - 0.5
    last = texture.shape[0] - 1
    i, j = min(max(int(math.floor(x)), 0), last - 1), min(max(int(math.floor(y)), 0), last - 1)
    s, t = min(max(x - i, 0.0), 1.0), min(max(y - j, 0.0), 1.0)
    p, q, u, v = (1 - s) * (1 - t), s * (1 - t), (1 - s) * t, s * t
    return (p * texture[j, i, 0] + q * texture[j, i + 1, 0] + u * texture[j + 1, i, 0] + v * texture[j + 1, i + 1, 0],
            p * texture[j, i, 1] + q * texture[j, i + 1, 1] + u * texture[j + 1, i, 1] + v * texture[j + 1, i + 1, 1],
            p * texture[j, i, 2] + q * texture[j, i + 1, 2] + u * texture[j + 1, i, 2] + v * texture[j + 1, i + 1, 2])


@jit
def _colour(
    k: int, b1: float, b2: float, faces: np.ndarray, material: np.ndarray, pos: np.ndarray, normals: np.ndarray,
    albedo: np.ndarray, extra: np.ndarray, shadow: np.ndarray, to_shadow: np.ndarray, opened: float,
    lights: np.ndarray, eye: np.ndarray, corners: np.ndarray, texture: np.ndarray
) -> tuple[float, float, float, float]:
    """Linear RGB and opacity of one sample; arguments as in :func:`shade`, ``opened`` is 1 - occlusion."""
    m = material[k]
    ax, ay, az = mixed(pos, faces, k, b1, b2)
    nx, ny, nz = mixed(normals, faces, k, b1, b2)
    painted = corners.shape[0] > 0
    if painted:
        r, g, b = _texel(corners, texture, k, b1, b2)
    else:
        r, g, b = mixed(albedo, faces, k, b1, b2)
    alpha = (1.0 - b1 - b2) * extra[faces[k, 0], 3] + b1 * extra[faces[k, 1], 3] + b2 * extra[faces[k, 2], 3]
    ln = 1.0 / (math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12)
    nx, ny, nz = nx * ln, ny * ln, nz * ln
    vl = -1.0 / math.sqrt(ax * ax + ay * ay + az * az)
    vx, vy, vz = ax * vl, ay * vl, az * vl
    facing, inside = nx * vx + ny * vy + nz * vz, False
    if facing < 0.0:
        # Smooth normals lean over at grazing angles; a face truly seen from
        # behind (an open mouth in a head without a mouth cavity) is dark.
        inside = _from_behind(pos, faces, k, vx, vy, vz)
        nx, ny, nz = nx - facing * vx, ny - facing * vy, nz - facing * vz
        facing = 0.0
    gloss, wrap, edge = _finish(m, r)
    glint = 0.0
    if m == EYE:
        ex, ey, ez = mixed(extra, faces, k, b1, b2)
        pr, pg, pb, glint = _eye_colour(ex, ey, ez, r, g, b, eye)
        if not painted:
            r, g, b = pr, pg, pb
    elif painted and m == SKIN:  # a photo has its own highlights
        gloss, edge = 0.4 * gloss, 0.4 * edge
    # looked up a little outside the surface, so that it does not shade itself
    lit = _key_visible(shadow, to_shadow, ax + nx * 0.003, ay + ny * 0.003, az + nz * 0.003)
    openness = opened
    if m in (EYE, TOOTH, WET):
        # bright and wet: light from lids and parted lips fills their shade
        parted = max(0.0, eye[5])
        fill = 0.35 if m == EYE else (parted if m == TOOTH else 0.25 * parted)
        openness = opened + (1.0 - opened) * fill
        lit = max(lit, 0.55 * openness if m == EYE else fill)
        if m == TOOTH and eye[5] < 0.0:  # teeth that show between closed lips would be specks
            r, g, b = r * (1.0 + eye[5]), g * (1.0 + 1.3 * eye[5]), b * (1.0 + 1.3 * eye[5])
            gloss *= 1.0 + 1.4 * eye[5]
    lr, lg, lb, sr, sg, sb = _lit(m, nx, ny, nz, vx, vy, vz, lit, openness, wrap, gloss, glint, lights)
    rim = 1.0 - facing
    rim = rim * rim * rim * rim * edge * opened
    if inside:
        return r * 0.08 * lr, g * 0.04 * lg, b * 0.04 * lb, alpha
    return r * lr + sr + rim, g * lg + sg + rim, b * lb + sb + rim, alpha


@jit
def shade(
    near: np.ndarray, face: np.ndarray, bary: np.ndarray, faces: np.ndarray, material: np.ndarray,
    pos: np.ndarray, normals: np.ndarray, albedo: np.ndarray, extra: np.ndarray,
    shadow: np.ndarray, to_shadow: np.ndarray, ao: np.ndarray, lights: np.ndarray,
    eye: np.ndarray, background: np.ndarray, tone: np.ndarray, corners: np.ndarray, texture: np.ndarray, out: np.ndarray
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
            parted, -0.7..0.7: how much light reaches the teeth and, less, the mouth behind them.
        background: (H,W,3) linear RGB.
        tone: (N,) uint8: output for sqrt(linear) / 1.5 in [0,1].
        corners: (F,3,2) place of each corner in the texture, its px; (0,3,2): vertices have colours.
        texture: (T,T,3) linear RGB.
        out: (H,W,3) uint8 sRGB.
    """
    h, w = out.shape[:2]
    last = tone.shape[0] - 1
    for y in range(h):
        for x in range(w):
            first = face[2 * y, 2 * x]
            covered, split, low, high = 0, False, 1e30, 0.0
            for s in range(4):
                sy, sx = 2 * y + s // 2, 2 * x + s % 2
                k = face[sy, sx]
                if k >= 0:
                    covered += 1
                    low, high = min(low, near[sy, sx]), max(high, near[sy, sx])
                    split = split or first < 0 or material[k] != material[first] or material[k] == EYE
                else:
                    split = True
            passes = 4 if covered > 0 and (split or high > low * 1.006) else 1
            opened = _openness(ao, y, x) if covered > 0 else 1.0
            total_r, total_g, total_b = 0.0, 0.0, 0.0
            for s in range(passes):
                r, g, b = background[y, x, 0], background[y, x, 1], background[y, x, 2]
                sy, sx = 2 * y + s // 2, 2 * x + s % 2
                k = face[sy, sx]
                if k >= 0:
                    cr, cg, cb, alpha = _colour(k, bary[sy, sx, 0], bary[sy, sx, 1], faces, material, pos, normals,
                                                albedo, extra, shadow, to_shadow, opened, lights, eye, corners, texture)
                    r, g, b = r + (cr - r) * alpha, g + (cg - g) * alpha, b + (cb - b) * alpha
                total_r, total_g, total_b = total_r + r, total_g + g, total_b + b
            out[y, x, 0] = tone[min(last, int(math.sqrt(max(0.0, total_r / passes)) / 1.5 * last + 0.5))]
            out[y, x, 1] = tone[min(last, int(math.sqrt(max(0.0, total_g / passes)) / 1.5 * last + 0.5))]
            out[y, x, 2] = tone[min(last, int(math.sqrt(max(0.0, total_b / passes)) / 1.5 * last + 0.5))]


@jit
def shade_plain(
    face: np.ndarray, bary: np.ndarray, faces: np.ndarray, normals: np.ndarray, tone: np.ndarray, out: np.ndarray
) -> None:
    """Light one grey surface: average the 2x2 samples of every pixel into ``out`` (H,W) uint8; nothing is black.

    A key light from above the viewer's left, a fill from the right, and a little from everywhere: light from the side
    shows the folds that an expression makes. ``tone`` (V,) is brightness, 1 for skin; the rest as in :func:`shade`.
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
                nx, ny, nz = mixed(normals, faces, k, b1, b2)
                size = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
                if nz < 0.0:
                    size = -size
                key = max(0.0, (nx * -0.42 + ny * 0.63 + nz * 0.65) / size)
                fill = max(0.0, (nx * 0.80 + ny * 0.05 + nz * 0.60) / size)
                t = (1.0 - b1 - b2) * tone[faces[k, 0]] + b1 * tone[faces[k, 1]] + b2 * tone[faces[k, 2]]
                total += t * (0.10 + 0.72 * key + 0.22 * fill)
            out[y, x] = np.uint8(min(255.0, total * 63.75 + 0.5))


def tone_table(n: int = 2048) -> np.ndarray:
    """(n,) uint8: sRGB of linear light by its square root over 1.5, with a soft shoulder."""
    value = (np.linspace(0.0, 1.0, n) * 1.5) ** 2
    value = np.where(value > 0.7, 0.7 + 0.3 * (1.0 - np.exp(-(value - 0.7) / 0.3)), value)
    srgb = np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)
    return np.round(np.clip(srgb, 0.0, 1.0) * 255.0).astype(np.uint8)
