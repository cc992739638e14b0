"""One photo of a face, drawn again with another expression of its mesh.

Every pixel of the new mesh takes the pixel that the same point of the surface had on the photo; where the surface turned, its
brightness changes as the fitted light says; what was hidden is filled from its surroundings, and the mouth's inside is drawn.
Outside of what moves the photo's pixels stay as they are, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..head.model import HeadModel
from ..render.camera import PinholeCamera
from ..render.folds import folded
from .fields import blur, cv, fill, grow, sample, smoothstep, to_linear, to_srgb
from .lids import Lids
from .light import Light
from .mouth import Mouth
from .surface import EYES, LIPS, MOUTH, SKIN, Layer, Window, kinds_of

Image = NDArray[np.float32]

_FINE = 160_000
"""Pixels of a window up to which four samples a pixel are drawn."""
_BEHIND, _EYE_BACK = 0.004, 0.003
"""m that a point may lie behind what is seen there, and that eyeballs are drawn further away than they are."""
_STRETCH = (1.7, 4.0)
"""Growth of a face's area from which on its pixels are filled in part, and altogether."""
_FOLD = 1.3
"""Exponent of a line's depth by the skin's growth."""
_PARTED = 0.015, 0.05
"""Opening of the lips, share of the face's width, from which on teeth are seen between them as they are on the photo."""
_UNFOLD = 1.6
"""How soon a fold is gone when its expression is."""
_WIDE = 0.08
"""Opening of the lips, share of the face's width, from which on the photo shows a tongue."""
_REACH, _THROAT = 0.12, 0.35
"""How far the flow goes on beyond the face at most, share of its width; and down the throat."""
_STILL = 0.06
"""px; what moves by less is left as it is."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A photo with another expression: ``rgb (H,W,3)`` uint8, and ``changed (H,W)``, where it may differ from the photo."""

    rgb: NDArray[np.uint8]
    changed: NDArray[np.bool_]


class PhotoFace:
    """A photo that can be drawn with other expressions.

    Args:
        rgb: (H,W,3) uint8 sRGB.
        head: the personal head.
        vertices: (V,3) m in the camera's frame, as the face is on the photo.
        camera: of the photo.
        expr: (E,) the expression on the photo; None: not known, and its folds stay.
    """

    def __init__(self, rgb: NDArray[np.uint8], head: HeadModel, vertices: NDArray[np.floating], camera: PinholeCamera,
                 expr: NDArray[np.floating] | None = None) -> None:
        self._folded = None if expr is None else folded(head, expr)
        self.rgb, self.head, self.faces = rgb, head, head.faces
        self.kinds, self.parts = kinds_of(head)
        self.window = _window(head, vertices, camera, rgb.shape[1], rgb.shape[0])
        self.photo = np.asarray(self.window.cut(rgb))
        self._back = _EYE_BACK * (self._mask("eyeball_left") + self._mask("eyeball_right"))
        self._eyes = [(self._mask(f"eyeball_{side}")[self.faces] > 0).all(1) for side in ("left", "right")]
        self.old = Layer(self.window, vertices, self.faces, self._back)
        self.old_normals = self.old.normals()
        self.width = float(np.ptp(self.old.pixels[head.masks["face"], 0]))
        self._float = self.photo.astype(np.float32)
        linear = to_linear(self.photo)
        fine = self._fine(linear)
        kind = np.where(self.old.seen, self.old.per_face(self.kinds), 255)
        self.old_kind = kind
        skin = self._skin(kind)
        self.light = Light.of(self._unit(self.old.of(self.old_normals))[skin], fine[skin].mean(-1))
        self.white = self._white(fine, kind, skin)
        self.lids = Lids(head, self.old, linear)
        self.mouth = Mouth(head, self.light, self.white, self.width)
        self.mouth.learn(self.old, self.kinds, fine, self._gap(self.old))
        self.old_part = np.where(self.old.seen, self.old.per_face(self.parts), 255)
        self.marks = np.stack([self._mask("lids"), self._throat(), self._mask("brows")], 1)
        """(V,3) how far a vertex is of the lids, the throat and neck, the brows."""

    # -- drawing -----------------------------------------------------------------------------
    def draw(self, vertices: NDArray[np.floating], expr: NDArray[np.floating] | None = None) -> Drawn:
        """The photo with the face as ``vertices (V,3)`` say, in the camera's frame.

        Args:
            vertices: the mesh.
            expr: (E,) its expression: folds of the photo's own that it does not have are smoothed out.
        """
        part = self._part(vertices)
        if part is None:
            return Drawn(self.rgb.copy(), np.zeros(self.rgb.shape[:2], bool))
        new = Layer(part, vertices, self.faces, self._back)
        kind = np.where(new.seen, new.per_face(self.kinds), 255)
        y, x = np.mgrid[0:part.shape[0], 0:part.shape[1]].astype(np.float32)
        shift = np.array([part.x - self.window.x, part.y - self.window.y], np.float32)
        here = np.stack([(x + 0.5) / part.scale, (y + 0.5) / part.scale], -1) + shift
        source = new.of(self.old.pixels)
        gone = np.zeros(len(self.marks), np.float32)
        if expr is not None and self._folded is not None:
            gone = np.clip(_UNFOLD * (self._folded - folded(self.head, expr)), 0, 1)
        marks = new.of(np.concatenate([self.marks, gone[:, None]], 1))
        lid, throat = marks[..., 0], new.seen * marks[..., 1]
        inside = kind == MOUTH
        hidden = self._unseen(new, source)
        # skin that the photo hides (under the chin) and the neck go along with what is seen beside them
        known = new.seen & ~inside & ((kind != SKIN) | ~hidden | (lid > 0)) & (throat < 0.5)
        flow = self._beyond(np.where(known[..., None], source - here, 0).astype(np.float32), known, inside, throat, part.scale)
        growth = self._growth(new)
        out = self._seen_at(here + flow)
        out = self._light(out, new, kind, lid)
        out = self._folds(out, kind, growth, marks, part.scale)
        unknown = np.maximum(hidden, smoothstep(growth, *_STRETCH)) * np.where(kind == SKIN, smoothstep(lid, 0.1, 0.6), 1)
        for eye, closed, band in zip(self._eyes, self.lids.closed(new), self.lids.bands(new), strict=False):
            between = (new.seen & new.per_face(eye)) | (band > 0.5)  # what shows of an eye between lids that meet is lid
            unknown = np.where(between, np.maximum(closed, unknown), unknown)
            if closed > 0.5:
                kind, lid = np.where(between, SKIN, kind), np.where(between, 1, lid)
        out = self._hidden(out, kind, unknown, lid, part.scale)
        out = self.lids.line(new, self.old, out)
        out = self._inside(out, new, inside, source, hidden)
        was = sample(self.old_kind.astype(np.float32), here * self.window.scale, smooth=False) == MOUTH
        moved = (np.abs(flow).max(-1) > _STILL) | (inside & (np.abs(source - here).max(-1) > _STILL)) | (was != inside)
        return self._joined(out, moved, part)

    def _part(self, vertices: NDArray[np.floating]) -> Window | None:
        """The part of the window in which something moves, at a scale that its size allows; None where all is still."""
        new = self.window.project(np.asarray(vertices, np.float32))
        moving = np.abs(new - self.old.pixels).max(1) > _STILL
        if not moving.any():
            return None
        at = np.concatenate([new[moving], self.old.pixels[moving]])
        pad = np.array([0.16, 0.16]) * self.width
        low = np.maximum(np.floor(at.min(0) - pad), 0).astype(int)
        high = np.minimum(np.ceil(at.max(0) + pad + [0, 0.2 * self.width]), [self.window.width, self.window.height]).astype(int)
        w, h = (max(int(v), 8) for v in high - low)
        scale = 2 if w * h <= _FINE else 1
        return Window(self.window.x + int(low[0]), self.window.y + int(low[1]), w, h, scale, self.window.camera)

    def _seen_at(self, at: Image) -> Image:
        """Linear light of the photo at ``at (H,W,2)`` px of the window."""
        return to_linear(np.clip(sample(self._float, at), 0, 255))

    def _beyond(self, flow: Image, known: NDArray[np.bool_], inside: NDArray[np.bool_], throat: Image,
                scale: int) -> Image:
        """The flow with its continuation over the mouth and, fading, beyond the mesh."""
        outside = ~(known | inside)
        far = cv().distanceTransform(outside.astype(np.uint8), cv().DIST_L2, 5) / scale
        rim = known & (cv().dilate(outside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
        most = float(np.abs(flow[rim]).max(initial=0.0))
        limit = (_REACH + (_THROAT - _REACH) * blur(throat, 0.03 * self.width * scale)) * self.width
        reach = np.clip(np.float32(3 * most), 2.0, limit)
        anchors = known | (far > reach)
        small = 4 if min(flow.shape[:2]) > 200 else 1
        size = (flow.shape[1] // small, flow.shape[0] // small)
        weight = cv().resize(anchors.astype(np.float32), size, interpolation=cv().INTER_AREA)
        coarse = cv().resize(np.where(anchors[..., None], flow, 0), size, interpolation=cv().INTER_AREA)
        coarse = fill(coarse / np.maximum(weight, 1e-3)[..., None], (weight > 0.05).astype(np.float32))
        smooth = cv().resize(coarse, flow.shape[1::-1], interpolation=cv().INTER_LINEAR)
        fade = np.clip(1 - far / reach, 0, 1)[..., None]
        return np.asarray(np.where(known[..., None], flow, smooth * np.where(outside[..., None], fade, 1)), np.float32)

    def _unseen(self, new: Layer, source: Image) -> NDArray[np.bool_]:
        """(H,W) what of the new picture's surface something else hides on the photo."""
        place = source * self.window.scale
        there = sample(self.old_part.astype(np.float32), place, smooth=False)
        depth = sample(self.old.near, place, smooth=False)
        own = new.of(self.old.depth[:, None])[..., 0]
        return np.asarray((there != new.per_face(self.parts)) | (own > 1 / np.maximum(depth, 1e-3) + _BEHIND))

    def _light(self, linear: Image, new: Layer, kind: NDArray[np.integer], lid: Image) -> Image:
        before = self._unit(new.of(self.old_normals))
        after = self._unit(new.of(new.normals()))
        ratio = np.where((kind == SKIN) | (kind == LIPS), self.light.ratio(before, after), 1.0)
        ratio = np.where(new.seen, ratio * (1 - lid) + np.clip(ratio, 0.88, 1.05) * lid, 1.0)
        return np.asarray(linear * blur(ratio, 1.2 * new.window.scale)[..., None], np.float32)

    def _folds(self, linear: Image, kind: NDArray[np.integer], growth: Image, marks: Image, scale: int) -> Image:
        """Lines of the skin, deeper where it is pushed together and shallower where it is stretched."""
        skin = ((kind == SKIN) & (marks[..., 0] < 0.05) & (marks[..., 2] < 0.05)).astype(np.float32)
        width = self.width * scale
        tone = np.log(np.maximum(linear.mean(-1), 1e-3))
        near = lambda sigma: blur(tone * skin, sigma) / np.maximum(blur(skin, sigma), 1e-2)  # noqa: E731
        line = np.clip(near(0.004 * width) - near(0.03 * width), -0.5, 0.15)
        pushed = blur(np.clip(np.log(np.maximum(growth, 0.2)), -0.7, 0.7) * skin, 0.012 * width)
        gain = np.exp(np.clip(-_FOLD * pushed, -0.9, 0.7)) - 1
        share = blur(cv().erode(skin, np.ones((5, 5), np.uint8)), 0.006 * width) * skin
        change = (line * gain * share)[..., None]
        gone = marks[..., 3] * share
        if gone.max(initial=0) > 0.02:  # a fold has another colour as well
            colour = np.log(np.maximum(linear, 1e-3))
            level = lambda sigma: blur(colour * skin[..., None], sigma) / np.maximum(blur(skin, sigma), 1e-2)[..., None]  # noqa: E731
            fine, wide = level(0.004 * width), level(0.05 * width)
            change = change * (1 - gone[..., None]) + np.clip(wide - fine, -0.25, 1.0) * gone[..., None]
        return np.asarray(linear * np.exp(change), np.float32)

    def _hidden(self, linear: Image, kind: NDArray[np.integer], unknown: Image, lid: Image, scale: int) -> Image:
        """What the photo does not show, or shows in too few pixels, filled from the same kind of surface around it."""
        out = linear
        for which in (SKIN, LIPS, EYES):
            mine = kind == which
            lost = mine & (unknown > 0.02)
            if lost.sum() < 4:
                continue
            rows, columns = np.flatnonzero(lost.any(1)), np.flatnonzero(lost.any(0))
            pad = int(0.1 * self.width * scale) + 4
            box = np.s_[max(0, rows[0] - pad):rows[-1] + pad, max(0, columns[0] - pad):columns[-1] + pad]
            good = mine[box] & (unknown[box] < 0.3)
            if which == SKIN:  # of the eye's surroundings only bare skin: neither lashes nor brows
                tone = linear[box].mean(-1)
                around = good & (lid[box] < 0.5)
                usual = float(np.median(tone[around])) if around.any() else 0.0
                bare = good & (tone > 0.62 * usual) & (tone < 1.25 * usual) & (unknown[box] < 0.06)
                good = bare if bare.sum() > 20 else good
            weight = cv().erode(good.astype(np.float32), np.ones((3, 3), np.uint8))
            filled = blur(fill(linear[box] * weight[..., None], weight), 1.2 * scale)
            soft = (0.008 if which == SKIN else 0.002) * self.width * scale
            share = np.clip(blur(unknown[box] * mine[box], soft) / np.maximum(blur(mine[box], soft), 0.1), 0, 1) * mine[box]
            out = out.copy() if out is linear else out
            out[box] = out[box] * (1 - share[..., None]) + filled * share[..., None]
        return out

    def _growth(self, new: Layer) -> Image:
        """(H,W) area of the surface against the photo's; where it was turned away, large."""
        before, after = (_areas(layer.pixels, self.faces) for layer in (self.old, new))
        grown = np.where(before < 0, np.clip(after / np.minimum(before, -1e-3), 0, 10), np.where(after < 0, 10, 0))
        total = np.zeros(self.head.n_vertices)
        count = np.zeros(self.head.n_vertices)
        for k in range(3):
            np.add.at(total, self.faces[:, k], grown)
            np.add.at(count, self.faces[:, k], 1)
        return new.of((total / np.maximum(count, 1))[:, None])[..., 0]

    def _inside(self, linear: Image, new: Layer, inside: NDArray[np.bool_], source: Image, hidden: NDArray[np.bool_]) -> Image:
        if not inside.any():
            return linear
        scale = new.window.scale
        drawn = self.mouth.drawn(new, inside, self._gap(new) * scale)
        seen = inside & ~hidden  # the photo's own teeth, and its tongue where the mouth is wide open
        if self._gap(self.old) < _WIDE * self.width:
            seen = seen & (new.per_face(self.mouth.teeth) > 0)
        if seen.any():
            core = cv().erode(seen.astype(np.float32), np.ones((3, 3), np.uint8))
            parted = float(smoothstep(np.array(self._gap(new) / max(self.width, 1.0)), *_PARTED))
            share = (blur(core, 0.8 * scale) * seen)[..., None] * np.float32(parted)
            drawn = drawn * (1 - share) + self._seen_at(source) * share
        shown = inside.astype(np.float32)
        soft = max(0.6 * scale, 0.0025 * self.width * scale)
        edge = blur(shown, soft)[..., None]
        known = np.maximum(blur(shown, 0.6 * soft), 1e-3)
        drawn = np.asarray(blur(drawn * shown[..., None], 0.6 * soft) / known[..., None], np.float32)
        return np.asarray(linear * (1 - edge) + drawn * edge, np.float32)

    def _joined(self, linear: Image, moved: NDArray[np.bool_], part: Window) -> Drawn:
        """Samples back to pixels, and into the photo where something moved."""
        scale, height, width = part.scale, part.height, part.width
        small = linear if scale == 1 else cv().resize(linear, (width, height), interpolation=cv().INTER_AREA)
        touched = np.asarray(moved.reshape(height, scale, width, scale).any((1, 3)), np.bool_)
        soft = max(1.0, 0.004 * self.width)
        alpha = blur(grow(touched, 2 * soft).astype(np.float32), soft)
        alpha = np.where(alpha > 0.02, alpha, 0)[..., None]
        photo = part.cut(self.rgb)
        mixed = photo * (1 - alpha) + to_srgb(small) * alpha
        out = self.rgb.copy()
        changed = np.zeros(out.shape[:2], bool)
        box = np.s_[part.y:part.y + height, part.x:part.x + width]
        out[box] = np.where(alpha > 0, np.clip(mixed.round(), 0, 255), photo).astype(np.uint8)
        changed[box] = alpha[..., 0] > 0
        return Drawn(out, changed)

    # -- what the photo shows ----------------------------------------------------------------
    def _fine(self, picture: Image) -> Image:
        """The window's picture at its samples."""
        scale = self.window.scale
        return picture if scale == 1 else picture.repeat(scale, 0).repeat(scale, 1)

    @staticmethod
    def _unit(normals: Image) -> Image:
        return np.asarray(normals / (np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-6), np.float32)

    def _skin(self, kind: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Samples of bare skin of the face's front: no lids, brows, mouth, and no hair by its colour."""
        face = np.zeros(self.head.n_vertices, np.float32)
        face[self.head.masks["face"]] = 1
        for name in ("lids", "lips", "brows"):
            if name in self.head.masks:
                face[self.head.masks[name]] = 0
        front = self._unit(self.old.of(self.old_normals))[..., 2] > 0.35
        found = (kind == SKIN) & (self.old.of(face[:, None])[..., 0] > 0.99) & front
        if found.sum() > 200:
            lab = cv().cvtColor(self.photo, cv().COLOR_RGB2LAB).astype(np.float32)
            lab = self._fine(lab)
            middle = np.median(lab[found], 0)
            spread = np.maximum(1.48 * np.median(np.abs(lab[found] - middle), 0), [10, 4, 4])
            found &= (np.abs(lab - middle) / spread)[..., 1:].max(-1) < 3.5
        return np.asarray(found)

    def _white(self, fine: Image, kind: NDArray[np.integer], skin: NDArray[np.bool_]) -> Image:
        """(3,) linear: the brightest of the eyes' whites, bounded by what skin of any colour says of the light."""
        tone = np.median(fine[skin], 0) if skin.sum() > 50 else np.array([0.35, 0.25, 0.2], np.float32)
        bright = float(np.quantile(fine[skin].mean(-1), 0.9)) if skin.sum() > 50 else 0.4
        grey = tone / tone.mean()
        tint = grey ** 0.35
        level = 1.35 * bright
        eyes = fine[kind == EYES]
        if len(eyes) > 60:
            lum = eyes.mean(-1)
            whites = eyes[(lum > np.quantile(lum, 0.8)) & (lum < np.quantile(lum, 0.97))]
            if len(whites):
                tint = 0.5 * tint + 0.5 * whites.mean(0) / whites.mean()
                level = float(np.clip(1.35 * whites.mean(), 1.25 * bright, 2.5 * bright))
        return np.asarray(np.clip(level * tint / tint.mean(), 0, 1.05), np.float32)

    def _gap(self, layer: Layer) -> float:
        """Opening of the lips, px."""
        points = self.lids.points(layer)
        row = self.lids.embedding.row
        return float(np.linalg.norm(points[row[13]] - points[row[14]]))

    def _throat(self) -> Image:
        """``(V,)`` 1 on the skin below the face: it follows the chin in the picture, and is not moved by itself."""
        at = self.head.v_template
        low = float(at[self.head.masks["lips"], 1].min()) if "lips" in self.head.masks else float(np.median(at[:, 1]))
        return np.asarray((self._mask("face") == 0) & (at[:, 1] < low), np.float32)

    def _mask(self, name: str) -> Image:
        """``(V,)`` 1 on a region of the head."""
        out = np.zeros(self.head.n_vertices, np.float32)
        out[self.head.masks.get(name, np.zeros(0, np.int32))] = 1
        return out


def _areas(pixels: Image, faces: NDArray[np.int32]) -> NDArray[np.float64]:
    """``(F,)`` twice the signed areas on the picture; below 0 for faces seen from outside."""
    a, b, c = (pixels[faces[:, k]].astype(np.float64) for k in range(3))
    return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])


def _window(head: HeadModel, vertices: NDArray[np.floating], camera: PinholeCamera, width: int, height: int) -> Window:
    """The face with its surroundings, within the photo."""
    at = camera.project(vertices[head.masks["face"]])
    low, high = at.min(0), at.max(0)
    size = high - low
    x0, x1 = max(0, int(low[0] - 0.3 * size[0])), min(width, int(np.ceil(high[0] + 0.3 * size[0])))
    y0, y1 = max(0, int(low[1] - 0.25 * size[1])), min(height, int(np.ceil(high[1] + 0.5 * size[1])))
    w, h = max(x1 - x0, 16), max(y1 - y0, 16)
    return Window(x0, y0, w, h, 2 if w * h <= _FINE else 1, camera)
