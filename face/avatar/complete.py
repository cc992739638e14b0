"""A whole texture from what photos show: merged, then completed by the face's other side, by its own skin and hair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, minimum_filter
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import splu

from ..head.model import HeadModel
from ..render.atlas import Atlas
from ..render.pyramid import blended, filled
from ..render.shading import Appearance
from .project import INSIDE, Regions, Seen, skin_likeness

Floats = NDArray[np.float32]

_SHARP = 4.0
"""Power of a photo's weight among several: the one that sees a texel best shows it."""
_FADE, _HAIR_FADE = 12.0, 20.0
"""Edges of the mesh over which what is filled goes over to the median colour of skin, of hair."""
_STRANDS = 0.3
"""Most contrast of drawn strands, standard deviation of the logarithm."""
_SKULL, _CROWN = np.array([0.0, 0.03, -0.02]), np.array([0.0, 1.0, -0.55])
"""The skull's middle, m, and where from there hair begins."""
_AROUND = (900, 128)
"""Steps of strands around the crown, and away from it."""
_COARSE = 512
"""Side of the texture that vertices take their colours from, px."""
_IRIS, _RIM = 26, 30
"""Degrees from the pupil's middle within which an eye's colours are iris, and from which on they are white."""


@dataclass(frozen=True, eq=False)
class Merged:
    """What all photos show together: albedo (T,T,3), weight and likeness to skin (T,T)."""

    albedo: Floats
    weight: Floats
    skin: Floats
    gains: tuple[tuple[float, float, float], ...]
    """What each photo's colours were multiplied by, to agree with the first photo's."""


def merged(seen: Sequence[Seen], regions: Regions) -> Merged:
    """One photo out of several, their exposures and colours made equal where they overlap; ``seen`` is used up."""
    first = seen[0]
    if len(seen) == 1:
        return Merged(first.albedo, first.weight, first.skin, ((1.0, 1.0, 1.0),))
    gains = [(1.0, 1.0, 1.0)]
    for other in seen[1:]:
        both = regions.skin & (np.minimum(first.weight, other.weight) > 0.3) & (np.minimum(first.skin, other.skin) > 0.8)
        gain = np.ones(3)
        if both.sum() > 200:
            gain = np.median(first.albedo[both] / np.maximum(other.albedo[both], 1e-3), 0).clip(0.4, 2.5)
            other.albedo *= gain.astype(np.float32)
        gains.append((float(gain[0]), float(gain[1]), float(gain[2])))
    powers = np.stack([s.weight**_SHARP for s in seen])
    total = powers.sum(0)
    shares = powers / np.maximum(total, 1e-9)
    shares[0][total <= 1e-9] = 1
    holes = [filled(s.albedo, (s.weight > 0.02).astype(np.float32)) for s in seen]
    albedo = blended(holes, list(shares))
    skin = (shares * np.stack([s.skin for s in seen])).sum(0)
    return Merged(np.maximum(albedo, 0), np.max([s.weight for s in seen], 0), skin.astype(np.float32), tuple(gains))


class Mesh:
    """Colours on a head's vertices, which know nothing of the seams between the texture's islands."""

    def __init__(self, head: HeadModel, atlas: Atlas) -> None:
        self.atlas, n = atlas, head.n_vertices
        ends = np.concatenate([atlas.faces[:, [0, 1]], atlas.faces[:, [1, 2]], atlas.faces[:, [2, 0]]])
        ends = np.unique(np.sort(ends, 1), axis=0)
        near = coo_matrix((np.ones(2 * len(ends)), (ends.ravel("F"), ends[:, ::-1].ravel("F"))), (n, n)).tocsr()
        self._graph = diags(np.asarray(near.sum(1)).ravel()) - near
        self.mirror = np.arange(n)
        self.mirror[atlas.layout.vertex] = atlas.layout.vertex[atlas.layout.mirror]
        step = slice(None, None, max(1, atlas.size // _COARSE))
        self._rows = np.ix_(np.arange(atlas.size)[step], np.arange(atlas.size)[step])
        face, bary = atlas.face[self._rows].ravel(), atlas.bary[self._rows].reshape(-1, 2)
        self._texels = np.flatnonzero(face >= 0)
        bary = bary[self._texels]
        share = np.concatenate([1 - bary.sum(1, keepdims=True), bary], 1)
        corner = atlas.faces[face[self._texels]]
        self._take = coo_matrix((share.ravel(), (corner.ravel(), np.repeat(np.arange(len(corner)), 3))), (n, len(corner))).tocsr()

    def taken(self, picture: Floats, weight: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(V,3) weighted means of a texture around each vertex, and (V,) the sums of their weights."""
        w = weight[self._rows].ravel()[self._texels].astype(np.float64)
        colour = picture[self._rows].reshape(-1, 3)[self._texels]
        total = self._take @ w
        return self._take @ (colour * w[:, None]) / np.maximum(total, 1e-9)[:, None], total

    def spread(self, colour: NDArray[np.float64], weight: NDArray[np.float64], middle: NDArray[np.floating],
               fade: float) -> NDArray[np.float64]:
        """(V,3) colours (V,3) where they have weight (V,), smoothly over to one colour away from there, ``fade`` edges far."""
        matrix = diags(weight + 1 / fade**2) + self._graph
        return np.asarray(splu(matrix.tocsc()).solve(colour * weight[:, None] + np.asarray(middle) / fade**2))


def _strands(atlas: Atlas) -> Floats:
    """(T,T) noise of unit variance that runs down the packaged head from the crown, as hair does; none where it begins."""
    noise = gaussian_filter(np.random.default_rng(0).standard_normal(_AROUND), (0.8, _AROUND[1] / 24), mode="wrap")
    toward = atlas.of(HeadModel.default().v_template.astype(np.float64) - _SKULL)
    toward /= np.maximum(np.linalg.norm(toward, axis=2, keepdims=True), 1e-9)
    axis = _CROWN / np.linalg.norm(_CROWN)
    ahead = np.cross((1.0, 0.0, 0.0), axis)
    away = np.arccos(np.clip(toward @ axis, -1, 1)) / np.pi
    around = np.arctan2(toward[..., 0], toward @ ahead) / (2 * np.pi) + 0.5
    at = np.stack([around * _AROUND[0], away * _AROUND[1]])
    out = map_coordinates(noise / noise.std(), at, order=1, mode="grid-wrap")
    return np.asarray(out * np.clip((away - 0.03) / 0.12, 0, 1), np.float32)


def _hair(found: Merged, atlas: Atlas, mesh: Mesh, grows: Floats) -> Floats | None:
    """(T,T,3) hair for the whole scalp in the colours of what is seen there; None where nothing is."""
    top = (grows > 0.6) & (found.weight > 0.3)
    other = top & (found.skin < 0.4)
    if other.sum() > 0.4 * top.sum():  # hair, where it is not bald
        top = other
    if top.sum() < 0.001 * top.size:
        return None
    sure = top & (found.skin < 0.1) & (grows > 0.9)
    like = sure if sure.sum() > 0.2 * top.sum() else top
    top[top] = skin_likeness(found.albedo[top], found.albedo[like]) > 0.5  # what differs from most of it is none
    middle = np.median(found.albedo[top], 0)
    colour, weight = mesh.taken(found.albedo, top.astype(np.float32))
    weight = np.minimum(weight, 1)
    both = weight + 0.5 * weight[mesh.mirror]
    colour = (colour * weight[:, None] + 0.5 * (colour * weight[:, None])[mesh.mirror]) / np.maximum(both, 1e-9)[:, None]
    out = atlas.spread(atlas.of(mesh.spread(colour, both, middle, _HAIR_FADE)))
    green = found.albedo[..., 1]
    inner = minimum_filter(top, max(3, atlas.size // 200))
    fine = (green - gaussian_filter(green, atlas.size / 200))[inner]
    contrast = 1.48 * float(np.median(np.abs(fine))) / max(float(middle[1]), 1e-3) if len(fine) else 0.2
    return np.asarray(np.clip(out * np.exp(_strands(atlas) * min(contrast, _STRANDS))[..., None], 0.002, 1), np.float32)


def unseen(found: Merged, atlas: Atlas, mesh: Mesh, regions: Regions) -> tuple[Floats, NDArray[np.floating]]:
    """What is put where no photo shows anything: skin and lips around, and hair on the scalp; and the skin's median colour."""
    grows = regions.scalp
    sure = found.weight * np.where(regions.lips, 1, found.skin * (~regions.features & (grows < 0.3))) * regions.skin
    bare = (sure > 0.5) & ~regions.lips
    middle = np.median(found.albedo[bare], 0) if bare.sum() > 50 else np.full(3, 0.4)
    colour, weight = mesh.taken(found.albedo, np.where(sure > 0.3, sure, 0).astype(np.float32))
    base = atlas.spread(atlas.of(mesh.spread(colour, np.minimum(weight, 1), middle, _FADE)))
    hair = _hair(found, atlas, mesh, grows)
    if hair is not None:
        share = gaussian_filter(np.clip((grows - 0.3) / 0.4, 0, 1), atlas.size / 200)[..., None]
        base += (hair - base) * share
    return base, middle


@dataclass(frozen=True, eq=False)
class Completed:
    """A texture (T,T,3), linear RGB, and the shares (T,T) of the own side, the other side and what is filled."""

    albedo: Floats
    own: Floats
    mirror: Floats
    filled: Floats
    skin: NDArray[np.floating]
    """(3,) the skin's median colour."""


def complete(found: Merged, head: HeadModel, atlas: Atlas, regions: Regions) -> Completed:
    """The skin's texture: own side, else the other side, else what lies around, blended band by band."""
    size = atlas.size
    own = found.weight * regions.skin
    own *= minimum_filter(np.where(regions.skin, own > 0.02, True).astype(np.float32), max(3, size // 250))
    own = gaussian_filter(own, size / 700) * (own > 0)
    base, middle = unseen(found, atlas, Mesh(head, atlas), regions)
    first = np.clip(1.8 * own, 0, 1)
    opposite = atlas.mirrored(np.concatenate([found.albedo, own[..., None]], 2))
    second = (1 - first) * np.clip(1.6 * opposite[..., 3], 0, 1)
    third = 1 - first - second
    layers = [filled(found.albedo, (first > 0.05).astype(np.float32)),
              filled(np.ascontiguousarray(opposite[..., :3]), (second > 0.05).astype(np.float32)), base]
    return Completed(np.clip(blended(layers, [first, second, third]), 0, 1), first, second, third, middle)


def paint_eyes(albedo: Floats, found: Merged, head: HeadModel, atlas: Atlas, look: Appearance) -> None:
    """Eyeballs into a texture, in place: what is seen of the iris, the rest by its mean ring by ring; plain whites.

    Lids hide most of an eyeball, and their edges colour what is left: whites are never redder than the eye's own.
    """
    degrees = np.arange(110)
    direction = atlas.of(look.extra[:, :3])
    for side in ("left", "right"):
        ball = atlas.where(np.isin(atlas.faces, head.masks[f"eyeball_{side}"]).all(1))
        toward = direction[ball]
        angle = np.degrees(np.arccos(np.clip(toward[:, 2] / np.maximum(np.linalg.norm(toward, axis=1), 1e-9), -1, 1)))
        colour, weight = found.albedo[ball], found.weight[ball]
        red = colour[:, 0] / np.maximum(colour.mean(1), 1e-4)
        whites = (weight > 0.3) & (angle > _RIM) & (red < 1.25)
        bright = float(np.quantile(colour[whites].mean(1), 0.7)) if whites.sum() > 20 else 0.35
        white = np.array([0.55, 0.50, 0.47]) / 0.507 * np.clip(bright, 0.2, 0.7)
        profile = np.full((110, 3), np.nan)
        for k in degrees:
            ring = (weight > 0.3) & (np.abs(angle - k) < 1.5) & ((red < 1.22) | (angle < _IRIS + 1))
            if ring.sum() > 8:
                profile[k] = np.median(colour[ring], 0)
        known = np.flatnonzero(np.isfinite(profile[:, 0]))
        if not len(known) or known[0] > 12:  # closed: the palette's eyes
            albedo[ball] = look_colours(look, toward)
            continue
        profile = np.stack([np.interp(degrees, known, profile[known, c]) for c in range(3)], 1)
        profile[_RIM:] = np.maximum(profile[_RIM:], 0.8 * white)
        profile[45:] = white
        mean = np.stack([np.interp(angle, degrees, profile[:, c]) for c in range(3)], 1)
        trust = (np.clip(2 * (weight - 0.3), 0, 1) * np.clip((28 - angle) / 4, 0, 1) * 0.8)[:, None]
        albedo[ball] = mean + (colour - mean) * trust


def look_colours(look: Appearance, toward: np.ndarray) -> Floats:
    """(N,3) the palette's eye in directions (N,3)."""
    from ..render.shading import eye_colours

    return np.asarray(eye_colours(toward, look.palette, look.eyes), np.float32)


def paint_mouth(albedo: Floats, head: HeadModel, atlas: Atlas, look: Appearance) -> None:
    """Teeth, gums, tongue and the mouth's inside into a texture, in place, in the palette's colours."""
    inside = np.isin(atlas.faces, np.concatenate([head.masks[p] for p in INSIDE]))
    there = atlas.where(inside.all(1))
    albedo[there] = atlas.of(look.albedo)[there]
