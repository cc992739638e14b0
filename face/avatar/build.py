"""An avatar from photos: the personal head with its hair and its texture, and how good they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..head.model import HeadModel
from ..head.surface import vertex_normals
from ..render.atlas import Atlas, sample
from ..render.raster import jit
from ..render.shading import appearance, linear_picture, srgb
from .colour import difference, lab
from .complete import Completed, complete, merged, paint_eyes, paint_mouth
from .hair import hair_shell
from .project import INSIDE, Regions, Seen, look, shading, skin_likeness
from .views import View

Floats = NDArray[np.float32]

_LIPS, _THROAT, _PARTED, _DARK = 0.008, 0.028, 0.7, 0.85
"""m behind the lips from where on it gets darker, and over which; light between parted lips; how dark it gets."""


@dataclass(frozen=True, eq=False)
class Avatar:
    """A textured head, and what is known of it.

    Attributes:
        head: an ordinary head; rest is the person without expression.
        about: the light and camera of each photo, and the quality, as plain values.
    """

    head: HeadModel
    about: dict[str, Any]


def build(head: HeadModel, views: Sequence[View], texture: int = 2048, hair: bool = True) -> Avatar:
    """Give a personal head its hair shell and its texture.

    Args:
        head: the personal head, with the packaged head's faces.
        views: photos with that head on them, the most frontal one first.
        texture: side of the texture, px.
        hair: whether to measure how far hair stands out; without it the head's own form is kept.

    Raises:
        ValueError: a head with other faces, or too little of the face is seen.
    """
    if hair:
        thick = hair_shell(views)
        offsets = vertex_normals(head.v_template.astype(np.float64), head.faces) * thick[:, None]
        head = replace(head, v_template=(head.v_template + offsets).astype(np.float32))
        views = [v.moved(offsets) for v in views]
    atlas = Atlas(head, texture)
    regions = Regions.of(head, atlas)
    seen = [look(v, head, atlas, regions) for v in views]
    found = merged(seen, regions)
    done = complete(found, head, atlas, regions)
    whole, own = done.albedo, appearance(replace(head, texture=None))
    paint_eyes(whole, found, head, atlas, own)
    paint_mouth(whole, head, atlas, own)
    picture = srgb(atlas.spread(whole))
    made = replace(head, texture=picture)
    about = {"views": [_about(v, s, g) for v, s, g in zip(views, seen, found.gains, strict=True)],
             "quality": quality(made, views[0], seen[0], done, atlas, regions)}
    return Avatar(made, about)


def _about(view: View, seen: Seen, gain: tuple[float, ...]) -> dict[str, Any]:
    def plain(values: Any, digits: int) -> Any:
        return np.round(np.asarray(values, np.float64), digits).tolist()

    return {"source": view.name, "focal_px": plain(view.focal, 2), "centre_px": plain(view.centre, 2),
            "turn": plain(view.turn, 5), "light": plain(seen.light.weights / seen.light.usual, 4), "gain": plain(gain, 4)}


def quality(head: HeadModel, view: View, seen: Seen, done: Completed, atlas: Atlas, regions: Regions) -> dict[str, float]:
    """How true and how even a texture is.

    ``skin_difference``: CIEDE2000 between the photo and the head drawn into it, mean over the skin that is seen; ``seam_ratio``:
    gradient of lightness where layers meet against that within what was seen, medians; ``seen``, ``mirrored``, ``filled``:
    shares of the face.
    """
    drawn, covered, place = redrawn(head, view, seen, atlas, regions)
    own = _at(done.own, place)
    photo = linear_picture(view.rgb)
    plain = np.asarray(np.isin(atlas.faces, np.concatenate([head.masks[n] for n in ("cheeks", "nose", "forehead")])).all(1))
    skin = (covered >= 0) & plain[np.maximum(covered, 0)] & (own > 0.5)
    if skin.any():  # hair and hands before the face are none of its skin
        skin[skin] = skin_likeness(photo[skin], photo[skin]) > 0.8
    off = difference(lab(drawn[skin]), lab(photo[skin])) if skin.any() else np.array([np.nan])
    light = lab(linear_picture(head.texture))[..., 0] if head.texture is not None else np.zeros((2, 2))
    dy, dx = np.gradient(light)
    steep = np.hypot(dx, dy)
    layer = np.argmax(np.stack([done.own, done.mirror, done.filled]), 0)
    border = np.zeros_like(regions.skin)
    for axis in (0, 1):
        change = np.diff(layer, axis=axis) != 0
        border |= np.concatenate([change, np.zeros_like(change.take([0], axis))], axis)
    within = regions.skin & (done.own > 0.5) & ~regions.features
    face = atlas.where(np.isin(atlas.faces, head.masks["face"]).all(1))
    border &= regions.skin & face
    ratio = float(np.median(steep[border]) / max(float(np.median(steep[within])), 1e-6)) if border.any() else 0.0
    shares = {n: round(float(x[face].mean()), 3) for n, x in (("seen", done.own), ("mirrored", done.mirror),
                                                             ("filled", done.filled))}
    return {"skin_difference": round(float(off.mean()), 2), "seam_ratio": round(ratio, 2), **shares}


@jit
def _corners(face: np.ndarray, bary: np.ndarray, corners: np.ndarray, out: np.ndarray) -> None:
    """Places in the texture (H,W,2) of points on faces."""
    for y in range(face.shape[0]):
        for x in range(face.shape[1]):
            k = max(face[y, x], 0)
            b1, b2 = bary[y, x, 0], bary[y, x, 1]
            for c in range(2):
                out[y, x, c] = (1.0 - b1 - b2) * corners[k, 0, c] + b1 * corners[k, 1, c] + b2 * corners[k, 2, c]


def _at(values: Floats, place: Floats) -> Floats:
    """(H,W) values of a texture (T,T) at places (H,W,2) in it."""
    out = np.empty((*place.shape[:2], 1), np.float32)
    sample(np.ascontiguousarray(values[..., None], np.float32), place, out)
    return out[..., 0]


def _shadow(view: View, head: HeadModel) -> Floats:
    """(V,) share of the light that reaches the mouth's inside: less the further behind the lips."""
    out = np.ones(head.n_vertices, np.float32)
    inside = np.concatenate([head.masks[n] for n in INSIDE])
    behind = view.vertices[head.masks["lips"], 2].max() - view.vertices[inside, 2]
    deep = np.clip((behind - _LIPS) / _THROAT, 0, 1)
    out[inside] = _PARTED * (1 - _DARK * deep * deep * (3 - 2 * deep))
    return out


def redrawn(head: HeadModel, view: View, seen: Seen, atlas: Atlas, regions: Regions) -> tuple[Floats, NDArray[np.int32], Floats]:
    """The head drawn into a photo in the photo's own light.

    Returns:
        Linear RGB (H,W,3), the face of each pixel (H,W), -1 beside the head, and its place in the texture (H,W,2), px.
    """
    _, face, bary = view.buffer(atlas.faces)
    bary[face < 0] = 0
    shape = face.shape
    place, out = np.empty((*shape, 2), np.float32), np.empty((*shape, 3), np.float32)
    _corners(face, bary, atlas.layout.uv[atlas.layout.faces] * np.float32(atlas.size), place)
    assert head.texture is not None
    sample(linear_picture(head.texture), place, out)
    normals = view.normals(head)
    corner = atlas.faces[np.maximum(face, 0)]
    shares = np.concatenate([1 - bary.sum(2, keepdims=True), bary], 2)
    normal = np.einsum("hwk,hwkc->hwc", shares, normals[corner])
    normal /= np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-9)
    bright = shading(seen.light, normal) ** (1 - _at(regions.scalp, place))
    bright *= np.einsum("hwk,hwk->hw", shares, _shadow(view, head)[corner])
    return np.asarray(out * bright[..., None], np.float32), face, place
