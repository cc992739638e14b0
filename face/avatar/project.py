"""What a photo shows of each texel: its colour, how well it is seen, and the light that was on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, minimum_filter

from ..head.model import HeadModel
from ..photo.light import Light
from ..render.atlas import Atlas
from ..render.raster import jit
from ..render.shading import linear_picture
from .colour import lab
from .hair import ears, scalp
from .neutral import unfolded
from .views import View

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

_BEHIND = 0.004
"""A texel this far behind what the photo shows there is hidden, m."""
_EDGE, _FULL = 0.12, 0.57
"""Cosine to the line of sight from which on a texel counts, and fully."""
_SPREAD = np.array([3.2, 3.0, 3.0], np.float32)
"""Least standard deviation of skin in L*, a* and b*."""
_LIGHTNESS, _OUT, _IN = 0.47, 7.0, 4.5
"""Weight of lightness, which shadows change, and standard deviations beyond and within which a colour is no skin, is skin."""
_LID_GAIN = (0.85, 1.15)
"""Least and largest factor on lids."""
INSIDE = ("teeth_upper", "teeth_lower", "gums_upper", "gums_lower", "tongue", "mouth_inside")
"""Regions that a closed mouth hides."""
_DELIGHT, _GAIN = 0.7, (0.45, 2.2)
"""Power with which light is divided out (the estimate is not exact), and the least and largest factor."""


@jit
def _look(
    face: np.ndarray, bary: np.ndarray, faces: np.ndarray, pos: np.ndarray, normals: np.ndarray, lens: np.ndarray,
    near: np.ndarray, picture: np.ndarray, person: np.ndarray, behind: float, colour: np.ndarray, normal: np.ndarray,
    cosine: np.ndarray, own: np.ndarray
) -> None:
    """Colour (T,T,3), normal (T,T,3), cosine to the line of sight (T,T; 0 where hidden), share of person (T,T).

    ``lens`` is focal length and principal point, px.
    """
    h, w = near.shape
    for y in range(face.shape[0]):
        for x in range(face.shape[1]):
            cosine[y, x] = 0.0
            own[y, x] = 0.0
            for c in range(3):
                colour[y, x, c] = 0.0
                normal[y, x, c] = 0.0
            k = face[y, x]
            if k < 0:
                continue
            b1, b2 = bary[y, x, 0], bary[y, x, 1]
            b0 = 1.0 - b1 - b2
            i, j, l = faces[k, 0], faces[k, 1], faces[k, 2]  # noqa: E741
            px = b0 * pos[i, 0] + b1 * pos[j, 0] + b2 * pos[l, 0]
            py = b0 * pos[i, 1] + b1 * pos[j, 1] + b2 * pos[l, 1]
            pz = b0 * pos[i, 2] + b1 * pos[j, 2] + b2 * pos[l, 2]
            nx = b0 * normals[i, 0] + b1 * normals[j, 0] + b2 * normals[l, 0]
            ny = b0 * normals[i, 1] + b1 * normals[j, 1] + b2 * normals[l, 1]
            nz = b0 * normals[i, 2] + b1 * normals[j, 2] + b2 * normals[l, 2]
            size = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
            nx, ny, nz = nx / size, ny / size, nz / size
            normal[y, x, 0], normal[y, x, 1], normal[y, x, 2] = nx, ny, nz
            d = -pz
            u, v = lens[1] + lens[0] * px / d, lens[2] - lens[0] * py / d
            if u < 1.0 or v < 1.0 or u > w - 2.0 or v > h - 2.0:
                continue
            fu, fv = u - 0.5, v - 0.5
            q, p = int(fu), int(fv)
            s, t = fu - q, fv - p
            for c in range(3):
                top = picture[p, q, c] * (1 - s) + picture[p, q + 1, c] * s
                low = picture[p + 1, q, c] * (1 - s) + picture[p + 1, q + 1, c] * s
                colour[y, x, c] = top * (1 - t) + low * t
            own[y, x] = person[int(v), int(u)]
            hides = 0.0
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    hides = max(hides, near[int(v) + dy, int(u) + dx])
            if hides > 0.0 and d > 1.0 / hides + behind:
                continue
            away = np.sqrt(px * px + py * py + pz * pz)
            cosine[y, x] = max(0.0, -(nx * px + ny * py + nz * pz) / away)


@dataclass(eq=False)
class Seen:
    """What one photo shows, texel by texel (T,T).

    Attributes:
        albedo: (T,T,3) linear RGB with the light divided out.
        weight: how well it is seen, 0..1.
        skin: how sure its colour is that of skin, 0..1.
        light: that was on the photo's skin, by normals in the camera's frame.
    """

    albedo: Floats
    weight: Floats
    skin: Floats
    light: Light


def skin_likeness(colour: np.ndarray, sample: np.ndarray, lightness: float = _LIGHTNESS) -> Floats:
    """(...) in 0..1: how much linear colours (...,3) look like most of a ``sample`` (N,3), of a person's skin for instance."""
    known = lab(sample)
    middle = np.median(known, 0)
    spread = np.maximum(1.48 * np.median(np.abs(known - middle), 0), _SPREAD)
    off = (lab(colour) - middle) / spread * np.array([lightness, 1, 1], np.float32)
    return np.clip((_OUT - np.sqrt((off * off).sum(-1))) / (_OUT - _IN), 0, 1).astype(np.float32)


def shading(light: Light, normal: np.ndarray) -> Floats:
    """(...) how much brighter than most skin a normal (...,3) was lit, as far as it is divided out."""
    low, high = _GAIN
    return np.asarray(np.clip(light.at(normal) ** _DELIGHT, 1 / high, 1 / low), np.float32)


@dataclass(frozen=True, eq=False)
class Regions:
    """Texels (T,T) of parts of the packaged head's mesh."""

    lips: Bools
    scalp: Floats
    """0..1: how surely hair grows there."""
    skin: Bools
    eyes: Bools
    lids: Bools
    features: Bools
    covered: Bools
    """Neck and ears: clothes or hair lie over them as often as not, so only what has the face's colour is theirs."""
    plain: Bools
    """Cheeks and nose: skin for sure."""

    @classmethod
    def of(cls, head: HeadModel, atlas: Atlas) -> Regions:
        """The regions of a head's atlas."""
        def texels(*names: str, whole: bool = True) -> Bools:
            within = np.isin(atlas.faces, np.concatenate([head.masks[n] for n in names]))
            return atlas.where(within.all(1) if whole else within.any(1))

        eyes = texels("eyeball_left", "eyeball_right")
        return cls(texels("lips"), atlas.spread(atlas.of(scalp()[:, None]))[..., 0],
                   atlas.inside & ~texels(*INSIDE) & ~eyes, eyes, texels("lids", whole=False),
                   texels("lips", "lids", "brows", "nose", whole=False),
                   texels("neck", whole=False) | atlas.where(ears()[atlas.faces].any(1)), texels("cheeks", "nose"))


def look(view: View, head: HeadModel, atlas: Atlas, regions: Regions) -> Seen:
    """Project a photo onto the atlas, and divide its light out.

    Raises:
        ValueError: hardly any skin of the face is seen.
    """
    size = atlas.size
    near, _, _ = view.buffer(atlas.faces)
    person = minimum_filter((np.clip(view.person, 0, 1) > 0.8).astype(np.float32), 3)
    colour, normal = np.empty((size, size, 3), np.float32), np.empty((size, size, 3), np.float32)
    cosine, own = np.empty((size, size), np.float32), np.empty((size, size), np.float32)
    _look(atlas.face, atlas.bary, atlas.faces, view.vertices, view.normals(head),
          np.array([view.focal, *view.centre], np.float32), near, linear_picture(view.rgb), person, _BEHIND, colour,
          normal, cosine, own)
    weight = np.clip((cosine - _EDGE) / (_FULL - _EDGE), 0, 1) * np.where(regions.features | regions.eyes, 1, own)
    sure = regions.plain & (weight > 0.5)
    if sure.sum() < 50:
        raise ValueError(f"{view.name or 'the photo'}: too little of the face is seen")
    skin = np.zeros((size, size), np.float32)
    skin[atlas.inside] = skin_likeness(colour[atlas.inside], colour[sure])
    lips = regions.lips & (weight > 0)
    if lips.sum() > 50:  # parted lips end where teeth begin
        near_lips = np.zeros_like(skin)
        red = lab(colour[lips])[:, 1]
        near_lips[lips] = skin_likeness(colour[lips], colour[lips][red > np.median(red)], 0.8)
        weight[lips] *= minimum_filter(np.where(lips, near_lips, 1), 3)[lips]
    bare = minimum_filter(np.where(regions.skin, skin, 1), max(3, size // 40))
    weight[regions.covered] *= gaussian_filter(bare, size / 150)[regions.covered]  # no line where a collar was
    lit = np.flatnonzero((regions.skin & (weight > 0.5) & (skin > 0.8)).ravel())
    lit = lit[:: max(1, len(lit) // 20000)]
    light = Light.of(normal.reshape(-1, 3)[lit], colour.reshape(-1, 3)[lit].mean(1))
    gain = 1 / shading(light, normal)
    gain[regions.eyes] = 1
    low, high = _LID_GAIN
    gain[regions.lids] = np.clip(gain[regions.lids], low, high)  # an open eye's lid is folded: its normals are no guide
    gain **= 1 - regions.scalp  # what skin says of the light from above says little of hair, which shines
    colour *= gain[..., None]
    if view.folded is not None:
        bare = regions.skin & ~regions.features & (regions.scalp < 0.3)
        colour = unfolded(colour, atlas.of(view.folded[:, None])[..., 0], bare, (weight * skin).astype(np.float32))
    return Seen(colour, weight.astype(np.float32), skin, light)
