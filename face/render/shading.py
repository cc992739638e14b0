"""What a head looks like: colours and materials by part, eyes, lights.

Works on any head. The default head labels its parts; a FLAME or converted head without teeth,
tongue or labels gets what its masks and landmarks can tell (lips from the mouth landmarks,
eyeballs from the skinning weights of the eye joints).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import coo_matrix

from ..head.model import IBUG, HeadModel
from ..head.surface import ibug, sphere

SKIN, EYE, TOOTH, WET, HAIR = 0, 1, 2, 3, 4
"""Material of a face for ``raster.shade``: how light meets it. Its colour is a vertex attribute."""

RGB = tuple[float, float, float]

PARTS: tuple[str, ...] = ("skin", "lips", "eyes", "teeth", "tongue", "gums", "mouth", "brows",
                          "lashes")
"""Parts as the renderer and the glTF writer know them; see ``part_of``."""

_WORDS: tuple[tuple[str, str], ...] = (
    # (word in a head's own part or mask name, part): the first that matches wins
    ("lash", "lashes"), ("brow", "brows"), ("sclera", "eyes"), ("eyeball", "eyes"),
    ("iris", "eyes"), ("pupil", "eyes"), ("cornea", "eyes"), ("teeth", "teeth"),
    ("tooth", "teeth"), ("tongue", "tongue"), ("gum", "gums"), ("cavity", "mouth"),
    ("inner_mouth", "mouth"), ("mouth_inside", "mouth"), ("lip", "lips"),
)

MATERIALS: dict[str, int] = {
    "skin": SKIN, "lips": SKIN, "eyes": EYE, "teeth": TOOTH, "tongue": WET, "gums": WET,
    "mouth": WET, "brows": HAIR, "lashes": HAIR,
}


@dataclass(frozen=True)
class Palette:
    """Colours, sRGB in [0,1]."""

    skin: RGB = (0.87, 0.67, 0.56)
    cheeks: RGB = (0.87, 0.56, 0.49)
    lips: RGB = (0.76, 0.42, 0.39)
    brows: RGB = (0.28, 0.18, 0.13)
    lashes: RGB = (0.12, 0.08, 0.07)
    sclera: RGB = (0.95, 0.94, 0.93)
    iris: RGB = (0.33, 0.47, 0.55)
    teeth: RGB = (0.95, 0.92, 0.86)
    tongue: RGB = (0.85, 0.45, 0.47)
    gums: RGB = (0.72, 0.36, 0.35)
    mouth: RGB = (0.52, 0.19, 0.18)
    """The cavity, where it begins; it darkens towards the throat."""
    background: RGB = (0.16, 0.17, 0.19)
    """Colour behind the head; it gets a faint glow so that the silhouette stands out."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if len(value) != 3 or not all(0.0 <= c <= 1.0 for c in value):
                raise ValueError(f"palette colour {name}={value}: three numbers in [0,1] wanted")


@dataclass(frozen=True)
class Eyes:
    """Proportions of the procedural eye, degrees seen from the eyeball's centre.

    An adult iris is 11.7 mm across (Hashemi et al. 2015, the white-to-white distance,
    https://pubmed.ncbi.nlm.nih.gov/26412892/) on a 24 mm globe: 29 degrees from centre to edge.
    """

    iris: float = 29.0
    pupil: float = 11.0

    def __post_init__(self) -> None:
        if not 0.0 < self.pupil < self.iris < 90.0:
            raise ValueError(f"eye angles pupil={self.pupil}, iris={self.iris}: 0 < pupil < iris < 90")


@dataclass(frozen=True, eq=False)
class Appearance:
    """Per-vertex and per-face drawing data of one head; see ``appearance``."""

    faces: np.ndarray
    """(F,3) int32, opaque parts."""
    material: np.ndarray
    """(F,) uint8, ``raster`` materials."""
    part: np.ndarray
    """(V,) int index into ``PARTS``."""
    albedo: np.ndarray
    """(V,3) float32 linear RGB."""
    extra: np.ndarray
    """(V,4) float32: rest direction on the eyeball (or zeros), opacity."""
    palette: Palette = field(default_factory=Palette)
    eyes: Eyes = field(default_factory=Eyes)
    corners: np.ndarray = field(default_factory=lambda: np.zeros((0, 3, 2), np.float32))
    """(F,3,2) float32 place of each corner in the texture, its px; empty without one."""
    texture: np.ndarray = field(default_factory=lambda: np.zeros((1, 1, 3), np.float32))
    """(T,T,3) float32 linear RGB, in the place of ``albedo`` where there are ``corners``."""


def linear(rgb: RGB | np.ndarray) -> np.ndarray:
    """Convert sRGB in [0,1] to linear RGB, float32 (IEC 61966-2-1)."""
    c = np.asarray(rgb, np.float32)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LINEAR = linear(np.arange(256, dtype=np.float32) / 255)


def linear_picture(picture: np.ndarray) -> np.ndarray:
    """A picture of 8 bits as linear RGB, float32."""
    return _LINEAR[picture]


def srgb(colour: np.ndarray) -> np.ndarray:
    """Linear RGB as sRGB of 8 bits; what lies outside 0 to 1 is cut."""
    c = np.clip(colour, 0.0, 1.0)
    return np.rint(np.where(c <= 0.0031308, c * 12.92, 1.055 * c ** (1 / 2.4) - 0.055) * 255).astype(np.uint8)


def part_of(name: str) -> str:
    """The drawing part (one of ``PARTS``) of a head's own part or mask name; skin when unknown."""
    low = name.lower()
    for word, part in _WORDS:
        if word in low:
            return part
    return "skin"


def _spread(values: np.ndarray, faces: np.ndarray, rounds: int) -> np.ndarray:
    """Average each vertex's value (V,) with its neighbours' ``rounds`` times: softens label borders."""
    i, j = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).T
    near = coo_matrix((np.ones(2 * len(i), np.float32), (np.r_[i, j], np.r_[j, i])), (len(values),) * 2).tocsr()
    degree = np.asarray(near.sum(1)).ravel()
    out = values.astype(np.float32)
    for _ in range(rounds):
        out = np.where(degree > 0, 0.5 * out + 0.5 * (near @ out) / np.maximum(degree, 1), out)
    return out


def vertex_parts(head: HeadModel) -> np.ndarray:
    """(V,) index into ``PARTS`` from the head's part labels, masks and skinning weights."""
    out = np.zeros(len(head.v_template), np.int64)
    if head.part.any():
        out = np.array([PARTS.index(part_of(name)) for name in head.part_names])[head.part]
    else:  # an imported head without labels
        for name, index in head.masks.items():
            part = part_of(name)
            if part in ("eyes", "teeth", "tongue", "gums", "lashes", "lips"):
                out[index] = PARTS.index(part)
    eyes = PARTS.index("eyes")
    if not (out == eyes).any():
        out[(head.weights[:, 3] > 0.99) | (head.weights[:, 4] > 0.99)] = eyes
    return out


def eye_directions(head: HeadModel, part: np.ndarray) -> np.ndarray:
    """(V,3) rest-space unit directions of the eyeballs' vertices; +z is the way the eye looks.

    Directions are taken from the centre of the eyeball, turned so that the eye's front pole (the
    ``pupil_*`` landmark where the head has one, else straight ahead) is +z.
    """
    v = head.v_template
    out = np.zeros_like(v, dtype=np.float32)
    names = list(head.lmk_names)
    for joint, side in ((3, "left"), (4, "right")):
        own = (part == PARTS.index("eyes")) & (head.weights[:, joint] > 0.5)
        if not own.any():
            continue
        box = v[own]
        # not the eye joint, which is placed for the lids' motion; vertices may crowd at the front
        centre = sphere(box.astype(np.float64))[0].astype(np.float32)
        forward = np.array([0.0, 0.0, 1.0], np.float32)
        if f"pupil_{side}" in names:
            k = names.index(f"pupil_{side}")
            pole = head.lmk_bary[k] @ v[head.faces[head.lmk_faces[k]]] - centre
            forward = pole / max(float(np.linalg.norm(pole)), 1e-9)
        right = np.cross([0.0, 1.0, 0.0], forward)
        right /= np.linalg.norm(right)
        basis = np.stack([right, np.cross(forward, right), forward])
        d = (box - centre) @ basis.T
        out[own] = d / np.maximum(np.linalg.norm(d, axis=1, keepdims=True), 1e-9)
    return out


def _to_line(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """(N,) distance of points (N,3) to a polyline (M,3)."""
    best = np.full(len(points), np.inf)
    for a, b in zip(line[:-1], line[1:], strict=True):
        along = b - a
        t = np.clip((points - a) @ along / max(float(along @ along), 1e-18), 0.0, 1.0)
        best = np.minimum(best, np.linalg.norm(points - a - t[:, None] * along, axis=1))
    return best


_DARKENS: dict[str, tuple[float, float, float]] = {
    "mouth": (0.015, 0.03, 0.35), "gums": (0.01, 0.02, 0.2), "tongue": (0.013, 0.017, 0.2), "teeth": (0.009, 0.009, 0.2)}
"""How far behind the lips a part is fully lit, over what further distance it darkens, in metres, and what share of its colour
remains: a throat is dark red, and black beside teeth looks like a hole."""


def _behind_lips(head: HeadModel, own: np.ndarray) -> np.ndarray:
    """(N,) distance of the vertices ``own`` from the lips' inner rim at rest; without landmarks, behind the foremost one."""
    v = head.v_template
    if {f"ibug_{k:02d}" for k in range(IBUG)} <= set(head.lmk_names):
        rim = ibug(head)[60:68]
        return _to_line(v[own], np.concatenate([rim, rim[:1]]))
    return v[own, 2].max() - v[own, 2]


def _lash_weight(head: HeadModel) -> np.ndarray:
    """(V,) how much lash line a vertex carries: the rims of the lids, the upper one stronger.

    The rims are iBUG landmarks 36-47; without them nothing is drawn.
    """
    out = np.zeros(len(head.v_template), np.float32)
    if not {f"ibug_{k:02d}" for k in range(IBUG)} <= set(head.lmk_names):
        return out
    at = ibug(head)
    for start in (36, 42):
        for line, strength in ((at[start:start + 4], 1.0), (at[[start + 3, start + 4, start + 5, start]], 0.45)):
            gap = _to_line(head.v_template, line)
            out = np.maximum(out, strength * np.clip(1.6 - gap / 0.0012, 0.0, 1.0))
    return out


def appearance(head: HeadModel, palette: Palette | None = None, eyes: Eyes | None = None) -> Appearance:
    """Colours, materials and eye directions for drawing ``head``.

    Args:
        head: any head in the HeadModel layout.
        palette: colours; the default is a light-brown skin under neutral light.
        eyes: iris and pupil size.
    """
    palette, eyes = palette or Palette(), eyes or Eyes()
    faces = np.array(head.faces, np.int32)  # writable: numba compiles read-only arrays separately
    part = vertex_parts(head)
    v = head.v_template
    extra = np.zeros((len(v), 4), np.float32)
    extra[:, :3] = eye_directions(head, part)
    low, high = float(v[:, 1].min()), float(v[:, 1].max())
    # the cut edge of the neck dissolves into the background
    extra[:, 3] = np.clip((v[:, 1] - low) / (0.10 * (high - low)), 0.0, 1.0)
    kind = np.array([MATERIALS[p] for p in PARTS], np.uint8)[part]
    corner = kind[faces]
    # a face on a border takes the material of skin, so that lips and skin stay one surface
    material = np.where((corner == corner[:, :1]).all(1), corner[:, 0], corner.min(1))
    colour = np.ascontiguousarray(_colours(head, part, palette), np.float32)
    look = Appearance(faces, material.astype(np.uint8), part, colour, extra, palette, eyes)
    if head.texture is None or head.layout is None:
        return look
    layout = head.layout
    return replace(look, corners=np.ascontiguousarray(layout.uv[layout.faces] * np.float32(len(head.texture))),
                   texture=linear_picture(head.texture))


def eye_colours(direction: np.ndarray, palette: Palette, eyes: Eyes) -> np.ndarray:
    """(N,3) linear RGB of an eyeball in directions (N,3) from its middle, +z its front pole; as ``lighting.shade`` draws it."""
    x, y, z = (direction / np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-9)).T
    angle, phi = np.degrees(np.arccos(np.clip(z, -1, 1))), np.arctan2(y, x)
    rad = np.clip(angle / eyes.iris, 0.0, 1.0)
    fibre = 1 + 0.18 * np.sin(phi * 23) * np.sin(phi * 7 + 1.3)
    ring = 1 - 0.8 * np.clip((rad - 0.76) / 0.24, 0, 1)
    pupil = np.clip((angle - eyes.pupil) / (0.07 * eyes.iris) + 0.5, 0, 1)
    iris = linear(palette.iris) * ((0.8 + 0.45 * rad) * fibre * ring * pupil)[..., None] + 0.004
    away = np.clip((np.radians(angle - eyes.iris)) * 0.9, 0, 1)
    grey = 1 - 0.35 * np.clip(1 - np.maximum(angle - eyes.iris, 0) / (0.25 * eyes.iris), 0, 1)
    white = linear(palette.sclera) * (grey[..., None] * (1 - away[..., None] * [0.10, 0.28, 0.26]))
    mix = np.clip((eyes.iris - angle) / (0.08 * eyes.iris) + 0.5, 0, 1)[..., None]
    return np.clip(white + (iris - white) * mix, 0, 1).astype(np.float32)


def _colours(head: HeadModel, part: np.ndarray, palette: Palette) -> np.ndarray:
    """(V,3) linear RGB of the head's parts, with cheeks, nose, lips, brows and lash lines on its skin."""
    v, faces = head.v_template, head.faces
    flat = vars(palette) | {"eyes": palette.sclera}
    colour = np.stack([linear(flat[p]) for p in PARTS])[part]
    # light hardly reaches the back of the mouth, less than screen-space occlusion can tell
    for name, (lit, depth, darkest) in _DARKENS.items():
        own = part == PARTS.index(name)
        if own.any():
            shade = np.exp(-np.clip(_behind_lips(head, own) - lit, 0.0, None) / depth)[:, None]
            colour[own] *= darkest + (1.0 - darkest) * shade
    surface = (part == PARTS.index("skin")) | (part == PARTS.index("lips"))

    def tint(weight: np.ndarray, rgb: RGB) -> None:
        w = np.where(surface, np.clip(weight, 0.0, 1.0), 0.0)[:, None]
        colour[:] = colour * (1 - w) + linear(rgb) * w

    def mask_weight(name: str, rounds: int) -> np.ndarray:
        w = np.zeros(len(v), np.float32)
        w[np.asarray(head.masks.get(name, ()), np.int64)] = 1.0
        return _spread(w, faces, rounds) if rounds else w

    tint(0.55 * mask_weight("cheeks", 6), palette.cheeks)
    tint(0.35 * mask_weight("nose", 3), palette.cheeks)
    lips = (part == PARTS.index("lips")).astype(np.float32)
    if not lips.any():
        lips = mask_weight("lips", 0)
    # the label's border is one edge wide: soften it without spilling onto the skin
    soft = _spread(lips, faces, 1)
    colour[part == PARTS.index("lips")] = linear(palette.skin)
    tint(np.clip(soft * 1.35 - 0.2, 0.0, 1.0), palette.lips)
    if head.brow_weight.any():
        tint(0.88 * head.brow_weight, palette.brows)
    elif not (part == PARTS.index("brows")).any():
        tint(0.85 * mask_weight("brows", 1), palette.brows)
    tint(0.85 * _lash_weight(head), palette.lashes)
    return colour


def studio_lights() -> np.ndarray:
    """(L+1,7) float32 lights in view space as ``raster.shade`` wants: key, fill, rim, rim, ambient."""
    rows = [
        # direction to the light,   linear RGB,          specular share
        (-0.55, 0.55, 0.75, 0.78, 0.74, 0.68, 1.0),  # warm key from the viewer's upper left
        (0.80, 0.05, 0.60, 0.20, 0.22, 0.26, 0.4),   # cool fill from the right
        (0.75, 0.35, -0.70, 0.34, 0.38, 0.46, 0.8),  # cool rim from behind
        (-0.80, 0.25, -0.60, 0.20, 0.19, 0.18, 0.6),  # faint warm rim
        (0.0, 0.0, 1.0, 0.20, 0.20, 0.215, 0.0),     # ambient
    ]
    lights = np.array(rows, np.float32)
    lights[:, :3] /= np.linalg.norm(lights[:, :3], axis=1, keepdims=True)
    return lights
