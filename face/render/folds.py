"""Folds of the skin that come and go with the expression: the texture, frame by frame.

A head without wrinkles shows anger and smiles by half. The folds are drawn as a groove that loses light and the ridge beside it
that faces the light from above, along lines known from FACS (face/assets/folds.yaml).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass as settings
from scipy.ndimage import gaussian_filter

from ...common.config import SETTINGS, parse
from ..head.model import HeadModel
from .atlas import Atlas

Floats = NDArray[np.float32]

_LEAST, _RIDGE = 0.12, 0.35
"""Of a drive below which skin stays smooth; brightness of a ridge against the groove's depth."""
_MIDDLE = 6.0
"""mm from the face's middle within which one side's folds go over to the other's."""
_WOBBLE = 0.5
"""mm by which lines leave their course: none is straight."""
_NEAR = 8.0
"""mm around a line within which an expression's fold may lie on a face: nobody's are where they are drawn."""
_FRONT = 0.020
"""Texels further back than this, m on the packaged head, have none."""


@settings(frozen=True, config=SETTINGS)
class FoldLine:
    """A group of folds that come together; see face/assets/folds.yaml."""

    drives: dict[str, float]
    width: float = Field(gt=0, le=10)
    depth: float = Field(gt=0, le=1)
    lines: list[list[tuple[float, float]]] = Field(min_length=1)


@cache
def fold_lines() -> dict[str, FoldLine]:
    """The packaged folds by name."""
    text = resources.files("facelm").joinpath("face", "assets", "folds.yaml").read_text(encoding="utf-8")
    return {name: parse(FoldLine, row, f"folds.yaml: {name}") for name, row in yaml.safe_load(text).items()}


@lru_cache(maxsize=1)
def _fields() -> tuple[tuple[dict[str, float], dict[str, Floats]], ...]:
    """Of each group of folds its drives, and how near each vertex (V,) of the packaged head's mesh is to it, 0..1, by side."""
    v = HeadModel.default().v_template.astype(np.float64)
    xy, left = 1e3 * v[:, :2], np.clip(0.5 + 1e3 * v[:, 0] / (2 * _MIDDLE), 0, 1)
    shown = np.stack([np.abs(xy[:, 0]), xy[:, 1]], 1)
    out = []
    for fold in fold_lines().values():
        far = np.min([_off(shown, np.array(line, float))[0] for line in fold.lines], axis=0)
        near = np.exp(-((far / _NEAR) ** 2)) * (v[:, 2] > _FRONT)
        out.append((fold.drives, {"Left": (near * left).astype(np.float32), "Right": (near * (1 - left)).astype(np.float32)}))
    return tuple(out)


def folded(head: HeadModel, expr: np.ndarray) -> Floats:
    """(V,) 0..1: how far an expression (E,) folds the skin around each vertex of a head with the packaged head's mesh.

    Raises:
        ValueError: a head with other vertices.
    """
    column = {name: k for k, name in enumerate(head.expr_names)}
    out = np.zeros(head.n_vertices, np.float32)
    for drives, sides in _fields():
        for side, near in sides.items():
            if len(near) != len(out):
                raise ValueError(f"head {head.name!r} has {len(out)} vertices; folds are known of heads with {len(near)}")
            out = np.maximum(out, near * np.float32(_driven(drives, column, expr, side)))
    return out


def _driven(drives: dict[str, float], column: dict[str, int], expr: np.ndarray, side: str) -> float:
    """0..1: how far an expression (E,) drives a group of folds on a side."""
    columns = [(column.get(name, column.get(name + side)), share) for name, share in drives.items()]
    total = sum(share * float(expr[k]) for k, share in columns if k is not None)
    return min(max((total - _LEAST) / (1 - _LEAST), 0.0), 1.0)


def _off(places: NDArray[np.floating], line: NDArray[np.floating]) -> tuple[NDArray[np.float64], ...]:
    """Of places (N,2) beside a line (M,2): distance, share of the line's length, distance with a sign, slope; each (N,)."""
    starts, ends = line[:-1], line[1:]
    along = ends - starts
    length = np.linalg.norm(along, axis=1)
    before = np.r_[0, np.cumsum(length)]
    best = np.full(len(places), np.inf)
    share, signed, up = (np.zeros(len(places)) for _ in range(3))
    for k in range(len(starts)):
        off = places - starts[k]
        t = np.clip(off @ along[k] / length[k] ** 2, 0, 1)
        miss = off - t[:, None] * along[k]
        far = np.hypot(*miss.T)
        near = far < best
        normal = np.array([-along[k][1], along[k][0]]) / length[k]
        normal *= 1 if normal[1] >= 0 else -1
        best[near] = far[near]
        share[near] = ((before[k] + t * length[k]) / before[-1])[near]
        signed[near] = np.where(miss @ normal >= 0, far, -far)[near]
        up[near] = normal[1]
    return best, share, signed, up


def _groove(places: Floats, line: NDArray[np.floating], width: float) -> Floats:
    """(N,) change of brightness of a fold of depth 1 at places (N,2) mm beside a line (M,2)."""
    best, share, signed, up = _off(places, line)
    taper = np.cos(np.pi / 2 * share) if line[0, 0] == 0 else np.sin(np.pi * share)
    ridge = [np.exp(-(((signed - s * 2.0 * width) / (1.2 * width)) ** 2)) * (0.5 - 0.5 * s * up) for s in (1, -1)]
    shape = -np.exp(-((best / width) ** 2)) + _RIDGE * (ridge[0] + ridge[1])
    return np.asarray(shape * np.sqrt(np.clip(taper, 0, 1)), np.float32)


@dataclass(frozen=True, eq=False)
class _Fold:
    """Where a group of folds lies: flat texels (N,), and its change of brightness there on either side (N,)."""

    texels: NDArray[np.int64]
    sides: dict[str, Floats]
    drives: dict[str, float]


@lru_cache(maxsize=2)
def _folds(size: int) -> tuple[_Fold, ...]:
    """The folds of the packaged head's mesh in a texture of a side."""
    head = HeadModel.default()
    atlas = Atlas(head, size)
    inner = [n for n in head.masks if n.startswith(("teeth", "gums", "tongue", "mouth_inside", "eyeball"))]
    skin = ~atlas.where(np.isin(atlas.faces, np.concatenate([head.masks[n] for n in inner])).all(1)) & atlas.inside
    place = atlas.of(head.v_template)
    texels = np.flatnonzero((skin & (place[..., 2] > _FRONT)).ravel())
    xy = 1e3 * place.reshape(-1, 3)[texels, :2]
    noise = gaussian_filter(np.random.default_rng(1).standard_normal((2, size, size)), (0, size / 60, size / 60))
    wobble = (noise / noise.std()).reshape(2, -1)[:, texels].T * _WOBBLE
    left = np.clip(0.5 + xy[:, 0] / (2 * _MIDDLE), 0, 1).astype(np.float32)
    shown = np.stack([np.abs(xy[:, 0]), xy[:, 1]], 1) + wobble
    out = []
    for fold in fold_lines().values():
        value = np.zeros(len(texels), np.float32)
        for line in fold.lines:
            corners = np.array(line, float)
            reach = 5 * fold.width
            near = ((shown > corners.min(0) - reach) & (shown < corners.max(0) + reach)).all(1)
            value[near] += _groove(shown[near], corners, fold.width)
        keep = np.abs(value) > 0.01
        value = fold.depth * value[keep]
        out.append(_Fold(texels[keep], {"Left": value * left[keep], "Right": value * (1 - left[keep])}, fold.drives))
    return tuple(out)


class Folds:
    """A texture that folds with the expression.

    Args:
        head: names its columns as ARKit does, and has the packaged head's faces.
        texture: (T,T,3) linear RGB, at rest.
        strength: 1 for a grown-up face; 0 draws none.
    """

    def __init__(self, head: HeadModel, texture: Floats, strength: float) -> None:
        self._folds, self._strength = _folds(len(texture)), strength
        self._rest, self._now = texture.reshape(-1, 3), texture.copy()
        self._column = {name: k for k, name in enumerate(head.expr_names)}
        self._touched = np.unique(np.concatenate([f.texels for f in self._folds]))

    def at(self, expr: np.ndarray) -> Floats:
        """The texture (T,T,3) of an expression (E,); the same array every time."""
        now = self._now.reshape(-1, 3)
        now[self._touched] = self._rest[self._touched]
        for fold in self._folds:
            left, right = (_driven(fold.drives, self._column, expr, side) for side in ("Left", "Right"))
            if left + right > 0:
                change = self._strength * (left * fold.sides["Left"] + right * fold.sides["Right"])
                now[fold.texels] *= np.clip(1 + change, 0.2, 2)[:, None].astype(np.float32)
        return self._now


def fold_maps(size: int) -> dict[str, Floats]:
    """(T,T) change of brightness of each group of folds, both sides, in a texture of the packaged head of a side."""
    out = {}
    for name, fold in zip(fold_lines(), _folds(size), strict=True):
        flat = np.zeros(size * size, np.float32)
        flat[fold.texels] = sum(fold.sides.values())
        out[name] = flat.reshape(size, size)
    return out


def fold_drives(expr: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """How far each group of folds is driven, in [0,1], by an expression (E,) of named columns; the mean of both sides."""
    column = {name: k for k, name in enumerate(names)}
    out = {}
    for name, fold in fold_lines().items():
        both = [sum(share * float(expr[column.get(part, column.get(part + side, 0))]) for part, share in fold.drives.items()
                    if part in column or part + side in column) for side in ("Left", "Right")]
        out[name] = float(np.mean([min(max((v - _LEAST) / (1 - _LEAST), 0.0), 1.0) for v in both]))
    return out
