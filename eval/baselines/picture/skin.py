"""Skin tone of an edited picture brought to that of the neutral one, in CIELAB.

As written in A. Syed, "From Words to 3D Faces" (University of Oulu, 2025), section 3.3: mean skin from an ellipse in the middle,
threshold on the distance to it, histogram matching by channel, feathered blend. Its thresholds are not given: those here are
ours. And in its place an optimal-transport map between the two skins (F. Pitié, A. Kokaram, "The linear Monge-Kantorovitch
linear colour mapping for example-based colour transfer", 2007, https://doi.org/10.1049/cp:20070055).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from scipy.ndimage import gaussian_filter

from ....face.avatar.colour import difference, lab
from ....face.render.shading import linear, srgb

Floats = NDArray[np.float64]
Rgb = NDArray[np.uint8]
Method = Literal["histogram", "transport"]
_TO_RGB = np.linalg.inv(np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                                  [0.0193339, 0.1191920, 0.9503041]]))
_WHITE = np.array([0.95047, 1.0, 1.08883])
_ELLIPSE = (0.22, 0.30)
"""Half axes of the face in the middle, shares of the picture's width and height."""


@dataclass(frozen=True)
class SkinOptions:
    """What the thesis leaves open.

    Raises:
        ValueError: a number out of range.
    """

    reach: float = 22.0
    """Largest distance of a pixel to the mean skin, CIELAB."""
    lightness: float = 0.35
    """Share of the matching that lightness gets ("treated gently"); a and b get all of it."""
    feather: float = 0.008
    """Softness of the mask's border, share of the picture's height."""
    intensity: float = 1.0
    """Share of the correction that is blended in."""

    def __post_init__(self) -> None:
        for name, low, high in (("reach", 1, 200), ("lightness", 0, 1), ("feather", 0, 0.2), ("intensity", 0, 1)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value:g}; allowed: {low:g} to {high:g}")


@dataclass(frozen=True, eq=False)
class Toned:
    """A picture with its skin corrected.

    Attributes:
        rgb: (H,W,3).
        mask: (H,W) bool, the pixels that were taken for skin.
        heat: (H,W) CIEDE2000 between before and after.
    """

    rgb: Rgb
    mask: NDArray[np.bool_]
    heat: Floats


def to_lab(rgb: Rgb) -> Floats:
    """CIELAB (H,W,3) of sRGB."""
    return lab(linear(rgb.astype(np.float32) / 255)).astype(np.float64)


def from_lab(values: Floats) -> Rgb:
    """SRGB (H,W,3) of CIELAB, clipped to what sRGB can show."""
    y = (values[..., 0] + 16) / 116
    f = np.stack([y + values[..., 1] / 500, y, y - values[..., 2] / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, (f - 4 / 29) * (108 / 841)) * _WHITE
    return srgb(np.clip(xyz @ _TO_RGB.T, 0, 1).astype(np.float32))


def skin_mask(picture: Floats, mean: Floats, reach: float) -> NDArray[np.bool_]:
    """(H,W) the pixels of a CIELAB picture within ``reach`` of a mean skin."""
    return np.asarray(np.linalg.norm(picture - mean, axis=-1) <= reach)


def mean_skin(picture: Floats) -> Floats:
    """(3,) mean CIELAB of the ellipse in the middle, without its darkest and lightest quarter (eyes, mouth, shine)."""
    high, wide = picture.shape[:2]
    y, x = np.mgrid[0:high, 0:wide]
    inside = ((x + 0.5 - wide / 2) / (_ELLIPSE[0] * wide)) ** 2 + ((y + 0.5 - high / 2) / (_ELLIPSE[1] * high)) ** 2 <= 1
    values = picture[inside]
    low, top = np.quantile(values[:, 0], [0.25, 0.75])
    return np.asarray(values[(values[:, 0] >= low) & (values[:, 0] <= top)].mean(0))


def matched(source: Floats, reference: Floats) -> Floats:
    """Values (N,) mapped so that they are distributed as ``reference`` (M,): each to that of its own quantile."""
    values, place, counts = np.unique(source, return_inverse=True, return_counts=True)
    aims, times = np.unique(reference, return_counts=True)
    share, goal = np.cumsum(counts) / source.size, np.cumsum(times) / reference.size
    return np.asarray(np.interp(share, goal, aims)[place])


def transport(source: Floats, reference: Floats) -> tuple[Floats, Floats, Floats]:
    """The optimal map between two normal distributions of colours (N,3), (M,3): x -> A (x - from) + to.

    Returns:
        A (3,3), from (3,), to (3,).
    """
    a, b = (np.cov(x.T) + 1e-6 * np.eye(3) for x in (source, reference))
    root = np.real(sqrtm(a))
    back = np.linalg.inv(root)
    return np.asarray(back @ np.real(sqrtm(root @ b @ root)) @ back), source.mean(0), reference.mean(0)


def match_skin(edited: Rgb, neutral: Rgb, method: Method = "histogram", options: SkinOptions | None = None) -> Toned:
    """Give an edited picture's skin the tone of the neutral picture's.

    Args:
        edited, neutral: (H,W,3) sRGB of one size, the face about in the middle.
        method: ``histogram`` as in the thesis; ``transport``: one linear map for all three channels.
        options: thresholds.

    Raises:
        ValueError: sizes differ, an unknown method, or no skin is found.
    """
    if edited.shape != neutral.shape or edited.ndim != 3 or edited.shape[2] != 3:
        raise ValueError(f"the pictures are {edited.shape} and {neutral.shape}; needed: two (H, W, 3) of one size")
    if method not in ("histogram", "transport"):
        raise ValueError(f"method is {method!r}; allowed: histogram, transport")
    ask = options or SkinOptions()
    own, wanted = to_lab(edited), to_lab(neutral)
    mask, aim = skin_mask(own, mean_skin(own), ask.reach), skin_mask(wanted, mean_skin(wanted), ask.reach)
    if mask.sum() < 16 or aim.sum() < 16:
        raise ValueError("no skin is found in the middle of the pictures; crop them to the face, or raise reach")
    new = own.copy()
    if method == "histogram":
        for channel, share in enumerate((ask.lightness, 1.0, 1.0)):
            values = own[mask][:, channel]
            new[mask, channel] = values + share * (matched(values, wanted[aim][:, channel]) - values)
    else:
        turn, start, end = transport(own[mask], wanted[aim])
        new[mask] = (own[mask] - start) @ turn.T + end
    soft = mask.astype(np.float64)
    if ask.feather:
        soft = gaussian_filter(soft, ask.feather * len(mask)) * mask
    weight = (ask.intensity * soft)[..., None]
    out = from_lab(own + weight * (new - own))
    rgb = np.where(weight > 0, out, edited).astype(np.uint8)
    return Toned(rgb, mask, difference(to_lab(rgb), own))


def skin_distance(first: Rgb, second: Rgb) -> float:
    """CIEDE2000 between the mean skins of two pictures."""
    return float(difference(mean_skin(to_lab(first)), mean_skin(to_lab(second))))
