"""What makes a picture of a texture code and an expression code: the slot, and the default, a differentiable textured head.

He et al. 2026 (https://arxiv.org/abs/2603.14781) take Next3D: T = G_tex(w), a picture = R(T, M(psi)) (their eq. 3 and 4, whose
symbols our copy of the paper has lost). Here w weighs a basis of expression textures (folds of the skin, flushed cheeks, lips),
psi is the head's expression and the jaw's opening, and R draws triangles; gradients reach both codes, but not silhouettes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....data_gen.video.scene import draw_palette
from ....face.facs.poses import ACTION_POSES
from ....face.facs.vocabulary import ACTION
from ....face.head.layer import HeadLayer
from ....face.head.model import HeadModel
from ....face.render.atlas import painted
from ....face.render.folds import fold_drives, fold_maps
from ....face.render.raster import depth_buffer
from ....face.render.shading import linear

_FINE, _TEXTURE = 1024, 256
"""Sides at which folds are drawn, and of the textures, px."""
_SHAPES, _SPREAD = 20, 0.7
_DISTANCE, _WIDTH = 1.2, 0.21
"""m: from the camera to the face, and what a picture shows of it."""
_SLIVER = 0.02
"""px^2: twice the area of triangles seen edge-on, whose weights jump within a hundredth of a pixel: they give no gradient."""
_LIGHTS = ((0.35, 0.35, 0.87, 0.55), (-0.45, 0.2, 0.87, 0.3), (0.0, -0.3, 0.95, 0.1))
_AMBIENT, _WALL = 0.3, 0.25


@dataclass(frozen=True, eq=False)
class People:
    """A batch of identities, whatever a generator needs of them."""

    shape: Tensor
    """(B,S)."""
    texture: Tensor
    """(B,3,T,T) linear RGB at rest."""

    def of(self, index: Tensor) -> People:
        """Some of them."""
        return People(self.shape[index], self.texture[index])

    def __len__(self) -> int:
        return len(self.shape)


class Generator(Protocol):
    """Pictures of two codes."""

    codes: tuple[int, int]
    """Tokens and width of w."""
    expressions: int
    """Numbers of psi."""
    limits: tuple[float, float]
    """What a number of psi may be."""

    def picture(self, w: Tensor, psi: Tensor, people: People) -> Tensor:
        """(B,3,H,W) in [0,1] of w (B,N,C) and psi (B,E); differentiable in both."""
        ...


class TexturedHeadGenerator:
    """The default generator.

    Args:
        head: with the packaged head's faces and ARKit columns; None: the packaged one.
        size: side of the pictures, px.
    """

    def __init__(self, head: HeadModel | None = None, size: int = 64) -> None:
        self.head, self.size = head or HeadModel.default(), size
        if self.head.layout is None:
            raise ValueError(f"head {self.head.name!r} has no texture coordinates: only heads with the default head's faces do")
        self.layer = HeadLayer(self.head)
        self.names = (*fold_maps(_FINE), "flush", "lips")
        self.codes, self.expressions, self.limits = (len(self.names), 1), self.head.n_expr + 1, (0.0, 1.15)
        self.faces = torch.from_numpy(self.head.faces.astype(np.int64))
        self._faces = np.ascontiguousarray(self.head.faces, np.int32)
        layout = self.head.layout
        self.corners = torch.from_numpy(layout.uv[layout.faces].astype(np.float32)) * 2 - 1
        marks = self.head.landmarks(self.head.vertices())[0]
        eyes, mouth = (marks[[self.head.landmark_index(f"ibug_{k}") for k in pair]].mean(0) for pair in ((36, 45), (48, 54)))
        self.middle = torch.tensor((0.55 * eyes + 0.45 * mouth).astype(np.float32))

    @cached_property
    def basis(self) -> Tensor:
        """(K,3,T,T) changes of a texture, relative to it, at weight 1."""
        maps = [np.repeat(_shrunk(m)[None], 3, 0) for m in fold_maps(_FINE).values()]
        near = self._region("cheeks")[None] * np.array([0.12, -0.18, -0.15])[:, None, None]
        lips = self._region("lips")[None] * np.array([0.05, -0.25, -0.2])[:, None, None]
        return torch.from_numpy(np.stack([*maps, near, lips]).astype(np.float32))

    def _region(self, name: str) -> np.ndarray:
        """(T,T) in [0,1], soft, of one of the head's regions."""
        from scipy.ndimage import gaussian_filter

        from ....face.render.atlas import Atlas

        atlas = Atlas(self.head, _TEXTURE)
        inside = atlas.where(np.isin(atlas.faces, self.head.masks[name]).all(1)).astype(float)
        return np.asarray(gaussian_filter(inside, 2.0) * atlas.inside)

    def people(self, count: int, seed: int) -> People:
        """Made-up persons: identities, and colours as of this project's footage."""
        shapes, textures = [], []
        for k in range(count):
            rng = np.random.default_rng([seed, k, 0xB0D])
            shape = np.zeros(self.head.n_shape, np.float32)
            n = min(_SHAPES, self.head.n_shape)
            shape[:n] = np.clip(rng.normal(0, _SPREAD, n), -2, 2)
            palette, eyes, _ = draw_palette(rng)
            shapes.append(shape)
            textures.append(linear(painted(self.head, _TEXTURE, palette, eyes).astype(np.float32) / 255).transpose(2, 0, 1))
        return People(torch.from_numpy(np.stack(shapes)), torch.from_numpy(np.stack(textures)))

    def folded(self, psi: np.ndarray) -> np.ndarray:
        """(B,K,1) the texture code that goes with expressions (B,E) by the rules of the renderer's folds."""
        rows = [fold_drives(p[:-1], self.head.expr_names) for p in np.atleast_2d(psi)]
        return np.array([[*(r[n] for n in self.names[:-2]), 0.0, 0.0] for r in rows], np.float32)[..., None]

    def vertices(self, psi: Tensor, people: People) -> Tensor:
        """(B,V,3) m."""
        jaw = torch.cat([psi[:, -1:], torch.zeros_like(psi[:, :2])], 1)
        return self.layer(expr=psi[:, :-1], jaw_pose=jaw, shape=people.shape)

    def texture(self, w: Tensor, people: People) -> Tensor:
        """(B,3,T,T) linear RGB: eq. 3's T = G_tex(w)."""
        change = torch.einsum("bk,kctu->bctu", w[..., 0], self.basis)
        return people.texture * (1 + change).clamp(0.2, 2.0)

    def picture(self, w: Tensor, psi: Tensor, people: People) -> Tensor:
        """See :class:`Generator`."""
        at = self.vertices(psi, people) - self.middle
        scale = self.size / _WIDTH * _DISTANCE / (_DISTANCE - at[..., 2])
        screen = torch.stack([self.size / 2 + at[..., 0] * scale, self.size / 2 - at[..., 1] * scale, scale], -1)
        face, inside = self._seen(screen)
        corner = self.faces[face]  # (B,H,W,3)
        rows = torch.arange(len(at))[:, None, None, None]
        share = self._shares(screen[rows, corner])
        place = (share[..., None] * self.corners[face]).sum(-2)
        albedo = F.grid_sample(self.texture(w, people), place, align_corners=False, padding_mode="border")
        normal = F.normalize((share[..., None] * self._normals(at)[rows, corner]).sum(-2), dim=-1)
        bright = torch.full_like(normal[..., 0], _AMBIENT)
        for x, y, z, power in _LIGHTS:
            bright = bright + power * (normal @ normal.new_tensor([x, y, z])).clamp_min(0)
        lit = (albedo * bright[:, None]).clamp(1e-4, 1) ** (1 / 2.2)
        return torch.where(inside[:, None], lit, lit.new_tensor(_WALL))

    def _seen(self, screen: Tensor) -> tuple[Tensor, Tensor]:
        """(B,H,W) the face that each pixel shows (0 where none), and whether there is one."""
        out = np.empty((len(screen), self.size, self.size), np.int32)
        near, bary = np.empty(out.shape[1:], np.float32), np.empty((*out.shape[1:], 2), np.float32)
        for k, points in enumerate(screen.detach().numpy()):
            depth_buffer(np.ascontiguousarray(points, np.float32), self._faces, -1, False, near, out[k], bary)
        return torch.from_numpy(np.maximum(out, 0)).long(), torch.from_numpy(out >= 0)

    def _shares(self, corners: Tensor) -> Tensor:
        """(B,H,W,3) barycentric weights of pixel centres in triangles (B,H,W,3,3); differentiable in the corners."""
        steps = torch.arange(self.size) + 0.5
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        a, b, c = (corners[..., k, :2] for k in range(3))
        p = torch.stack([x, y], -1) - a
        u, v = b - a, c - a
        area = u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
        area = torch.where(area.abs() < 1e-6, torch.full_like(area, 1e-6), area)
        second = ((p[..., 0] * v[..., 1] - p[..., 1] * v[..., 0]) / area).clamp(-1, 2)
        third = ((u[..., 0] * p[..., 1] - u[..., 1] * p[..., 0]) / area).clamp(-1, 2)
        shares = torch.stack([1 - second - third, second, third], -1)
        return torch.where(area.abs()[..., None] < _SLIVER, shares.detach(), shares)

    def _normals(self, at: Tensor) -> Tensor:
        """(B,V,3) area-weighted normals."""
        a, b, c = (at[:, self.faces[:, k]] for k in range(3))
        normal = torch.cross(b - a, c - a, dim=-1)
        out = torch.zeros_like(at)
        for k in range(3):
            out = out.index_add(1, self.faces[:, k], normal)
        return F.normalize(out, dim=-1)

    def actions(self) -> Tensor:
        """(A,E) rows of psi: what each action of the face does, both sides; the subspace that the emotion mapper stays in."""
        column = {n: k for k, n in enumerate(self.head.expr_names)} | {"jaw_x": self.expressions - 1}
        rows = []
        for name, pose in ACTION_POSES.items():
            known = {column[c]: v for c, v in pose.items() if c in column}
            if known and ACTION[name].region not in ("head", "gaze") and not name.endswith(("_left", "_right")):
                row = np.zeros(self.expressions, np.float32)
                row[list(known)] = list(known.values())
                rows.append(row)
        return torch.from_numpy(np.unique(np.stack(rows), axis=0))


def _shrunk(fine: np.ndarray) -> np.ndarray:
    """A map of the fine side averaged to the textures'."""
    step = _FINE // _TEXTURE
    return fine.reshape(_TEXTURE, step, _TEXTURE, step).mean((1, 3))


