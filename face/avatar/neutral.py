"""Folds that the expression on a photo drew into the skin, smoothed out: a texture is of the face at rest.

What is finer than a fold is wide is replaced by its surroundings, as far as the photo's expression folds the skin there (the
lines of FACS, see ``face.render.folds``); in the logarithm, so that light and colour are treated alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from .views import DENSITY

Floats = NDArray[np.float32]

_FINE, _WIDE = 0.9e-3, 8e-3
"""m: pores and stubble, which stay, are finer; what lies around a fold is as far away."""
_DARKER, _LIGHTER = 0.3, 1.2
"""Most that a place may lose and gain, of the logarithm."""
_WHOLLY = 1.6
"""How much less than a full expression folds as deep as can be."""


def unfolded(albedo: Floats, folded: Floats, skin: NDArray[np.bool_], weight: Floats) -> Floats:
    """A texture without the folds of its photo's expression.

    Args:
        albedo: (T,T,3) linear.
        folded: (T,T) 0..1, how far the expression folds the skin.
        skin: (T,T) where there is bare skin: nothing else is smoothed or looked at.
        weight: (T,T) how well each texel is seen.
    """
    share = np.clip(_WHOLLY * folded, 0, 1) * skin
    rows, columns = np.flatnonzero(share.max(1) > 0.02), np.flatnonzero(share.max(0) > 0.02)
    if not len(rows):
        return albedo
    texel = DENSITY * len(albedo)  # px a metre
    room = int(3 * _WIDE * texel)
    box = np.s_[max(rows[0] - room, 0):rows[-1] + room + 1, max(columns[0] - room, 0):columns[-1] + room + 1]
    sure = (weight[box] * skin[box]).astype(np.float32)
    tone = np.log(np.maximum(albedo[box], 1e-3))
    fine, wide = (_around(tone, sure, s * texel) for s in (_FINE, _WIDE))
    change = np.clip(wide - fine, -_DARKER, _LIGHTER) * gaussian_filter(share[box], _FINE * texel)[..., None]
    out = albedo.copy()
    out[box] = np.where(sure[..., None] > 0, albedo[box] * np.exp(change), albedo[box])
    return out


def _around(tone: Floats, sure: Floats, sigma: float) -> Floats:
    """(T,T,3) the mean around each texel, of what is sure."""
    total = np.maximum(gaussian_filter(sure, sigma), 1e-3)[..., None]
    return np.asarray(gaussian_filter(tone * sure[..., None], (sigma, sigma, 0)) / total, np.float32)
