"""The inside of a mouth that opens: the photo's own teeth where it shows them, else the head's in the photo's light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..head.model import HeadModel
from ..render.shading import PARTS, Palette, linear, vertex_parts
from .fields import blur, smoothstep
from .light import Light
from .surface import MOUTH, Layer

Image = NDArray[np.float32]

_TEETH = PARTS.index("teeth")
_THROAT = 0.028
"""m behind the lips at which it is dark."""
_LEAST_TEETH = 25
"""Pixels of teeth that tell their colour."""


class Mouth:
    """The inside of one person's mouth under one light.

    Args:
        head: the head.
        light: of the skin.
        white: ``(3,)`` linear, what white would be in this photo.
        width: of the face, px.
    """

    def __init__(self, head: HeadModel, light: Light, white: Image, width: float) -> None:
        palette = Palette()
        part = vertex_parts(head)
        colours = {name: linear(getattr(palette, name)) for name in ("teeth", "tongue", "gums", "mouth")}
        self.albedo = np.zeros((head.n_vertices, 3), np.float32)
        for name, colour in colours.items():
            self.albedo[part == PARTS.index(name)] = colour
        self.light, self.white, self.width = light, white, width
        self.teeth = (part[head.faces] == _TEETH).any(1)
        self.lips = head.masks.get("lips", np.zeros(0, np.int32))
        self.gain = np.ones(3, np.float32)

    def drawn(self, layer: Layer, inside: NDArray[np.bool_], gap: float) -> Image:
        """(H,W,3) linear; meaningful ``inside``. ``gap``: opening of the lips, samples."""
        normals = layer.of(layer.normals())
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-6
        front = float(layer.vertices[self.lips, 2].max()) if len(self.lips) else 0.0
        deep = smoothstep((front - 0.008 - layer.of(layer.vertices[:, 2:])[..., 0]) / _THROAT, 0.0, 1.0)
        shade = np.clip(self.light.at(normals), 0.6, 1.25) ** 0.7 * (1 - 0.85 * deep)
        # lips shade what lies right behind them, less the further they part
        cover = blur((~inside & layer.seen).astype(np.float32), max(0.22 * gap, 1.0))
        parted = float(smoothstep(np.array(gap / max(layer.window.scale * self.width, 1.0)), 0.0, 0.05))
        shade = shade * (1 - (0.9 - 0.55 * parted) * smoothstep(cover, 0.05, 0.8))
        tooth = layer.per_face(self.teeth)
        gain = np.where(tooth[..., None], self.gain, np.float32(0.85))
        return np.asarray(layer.of(self.albedo) * self.white * gain * shade[..., None], np.float32)

    def learn(self, layer: Layer, kinds: NDArray[np.uint8], photo: Image, gap: float) -> bool:
        """Take the teeth's colour from a photo ``(H,W,3)`` linear that shows them; whether it does."""
        inside = layer.seen & (layer.per_face(kinds) == MOUTH)
        shown = inside & layer.per_face(self.teeth)
        if shown.sum() < _LEAST_TEETH * layer.window.scale**2:
            return False
        drawn = self.drawn(layer, inside, gap)[shown].mean(0)
        seen = np.median(photo[shown], axis=0)
        if seen.mean() < 0.25 * self.white.mean():  # the photo shows a gap, not teeth
            return False
        self.gain = np.clip(seen / np.maximum(drawn, 1e-3), 0.4, 2.5).astype(np.float32)
        return True
