"""The input, the fitted head over it, and the points, side by side, to check a fit by eye.

As a video, frame by frame in constant memory, or as one picture of a clip's key frames.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ...common.progress import Progress, silent
from ...face.head.model import HeadModel
from ...face.io import video
from ...face.io.media import MediaInfo, read_frames
from ...face.landmarks.points import REGIONS, embedding_for
from ...face.render.camera import Camera, PinholeCamera
from ...face.render.render import Renderer, key_frames
from .detect import cores
from .fit import FitResult

PANELS: tuple[str, ...] = ("input", "fitted head", "points: white detected, coloured fitted")
PANEL_SIDE = 640
"""Longer side of one panel of a video, px."""
SHEET_PANEL = 320
SHEET_FRAMES = 6
_CLOSE_SIDE = 256
ALPHA = 0.82
"""Opacity of the fitted head."""

_COLOURS: dict[str, tuple[int, int, int]] = {
    "oval": (255, 214, 64), "forehead": (210, 160, 60), "brow_left": (255, 128, 32), "brow_right": (255, 128, 32),
    "eye_left": (64, 208, 255), "eye_right": (64, 208, 255), "iris_left": (255, 64, 224), "iris_right": (255, 64, 224),
    "nose": (96, 232, 96), "lips_outer": (255, 72, 88), "lips_inner": (255, 150, 160), "cheeks": (170, 150, 255),
    "chin": (64, 216, 176),
}
_GAP = 4


@dataclass(frozen=True)
class _View:
    """A part of the picture at some scale."""

    scale: float
    """Drawn pixels a pixel of the input."""
    size: tuple[int, int]
    """Drawn (width, height) of the whole picture."""
    crop: tuple[int, int, int, int]
    """x0, y0, x1, y1 of the part that is kept, drawn px."""


# -- parts of a picture ------------------------------------------------------------------
def render_camera(camera: PinholeCamera, vertices: NDArray[np.floating]) -> Camera:
    """The renderer's camera that sees as ``camera`` does: eye at the origin, along -z.

    Args:
        camera: the fitted one.
        vertices: (...,3) metres, what it looks at; gives the depth of the ball that the key light's shadow covers.
    """
    flat = vertices.reshape(-1, 3)
    distance = max(0.05, float(-np.median(flat[:, 2])))
    reach = float(np.quantile(np.linalg.norm(flat + np.array([0.0, 0.0, distance]), axis=1), 0.999))
    return Camera((0.0, 0.0, -distance), distance, float(np.clip(camera.fov, 1.0, 120.0)), max(0.05, reach * 1.05))


def draw_points(
    picture: NDArray[np.uint8], points: NDArray[np.floating], colours: NDArray[np.integer], radius: float
) -> None:
    """Lay soft discs over a picture, in place.

    Args:
        picture: (H,W,3) uint8.
        points: (L,2) px; those that are NaN or outside are left out.
        colours: (L,3) or (3,), 0 to 255.
        radius: px.
    """
    h, w = picture.shape[:2]
    colours = np.broadcast_to(colours, (len(points), 3))
    seen = np.isfinite(points).all(1)
    points, colours = points[seen], colours[seen].astype(np.float32)
    reach = int(np.ceil(radius + 0.5))
    base = np.floor(points).astype(int)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            at = base + (dx, dy)
            near = np.linalg.norm(at + 0.5 - points, axis=1)
            cover = np.clip(radius + 0.5 - near, 0.0, 1.0)
            use = (cover > 0) & (at >= 0).all(1) & (at[:, 0] < w) & (at[:, 1] < h)
            x, y, k = at[use, 0], at[use, 1], cover[use, None].astype(np.float32)
            picture[y, x] = (picture[y, x] * (1 - k) + colours[use] * k).astype(np.uint8)


def region_colours(index: NDArray[np.integer], head: HeadModel) -> NDArray[np.uint8]:
    """(L,3) colour of each of MediaPipe's points by its region; grey for those that the head does not carry."""
    embedding = embedding_for(head)
    row = embedding.row[np.asarray(index, int)]
    table = np.array([_COLOURS[name] for name in REGIONS], np.uint8)
    where = np.array([REGIONS.index(str(name)) for name in embedding.region])
    return np.where((row >= 0)[:, None], table[where[np.maximum(row, 0)]], np.uint8(170))


# -- whole overlays ----------------------------------------------------------------------
class _Overlay:
    """Three panels for any frame of a fit."""

    def __init__(self, result: FitResult, head: HeadModel, view: _View) -> None:
        self._result, self._head, self._view = result, head, view
        self._colours = region_colours(result.index, head)
        sample = np.unique(np.linspace(0, len(result.seq) - 1, min(24, len(result.seq))).astype(int))
        camera = render_camera(result.camera, head.sequence_vertices(result.seq, sample))
        first = Renderer(head, camera, view.size)
        self._renderers = [first, *(Renderer(head, camera, view.size, look=first.look) for _ in range(cores(4) - 1))]
        # the neck's end and the shoulders belong to the body, which the picture shows better
        self._faces = np.array(head.faces[(head.weights[:, 0] < 0.5)[head.faces].all(1)], np.int32)

    def frames(self, pictures: Iterator[NDArray[np.uint8]], frames: NDArray[np.integer]) -> Iterator[NDArray[np.uint8]]:
        """The panels of ``frames`` whose input is ``pictures``, in order, one thread a renderer."""
        pairs = zip(frames.tolist(), pictures, strict=False)
        with ThreadPoolExecutor(len(self._renderers)) as pool:
            while some := list(islice(pairs, len(self._renderers))):
                vertices = self._head.sequence_vertices(self._result.seq, [frame for frame, _ in some])
                yield from pool.map(self._compose, self._renderers, *zip(*some, strict=True), vertices)

    def _covered(self, renderer: Renderer, picture: NDArray[np.uint8], vertices: NDArray[np.floating]) -> NDArray[np.uint8]:
        """``picture`` (H,W,3) with the head of ``vertices`` (V,3) laid over it."""
        drawn = renderer.draw(vertices)
        cover = np.float32(ALPHA) * renderer.cover(vertices, self._faces)[..., None]
        return (picture + cover * (drawn.astype(np.float32) - picture)).round().astype(np.uint8)

    def _compose(
        self, renderer: Renderer, frame: int, picture: NDArray[np.uint8], vertices: NDArray[np.floating]
    ) -> NDArray[np.uint8]:
        result, view = self._result, self._view
        trusted = bool(result.seq.valid[frame])
        mesh = self._covered(renderer, picture, vertices) if trusted else picture.copy()
        points = picture.copy()
        seen = result.detections.points[frame] * view.scale
        fitted = np.asarray(result.points[frame], np.float64) * view.scale
        width = float(np.linalg.norm(fitted.max(0) - fitted.min(0))) if np.isfinite(fitted).all() else 200.0
        radius = float(np.clip(width / 260, 0.6, 2.2))
        draw_points(points, seen, np.array([255, 255, 255]), radius * 1.25)
        if trusted:
            draw_points(points, fitted, self._colours, radius)
        x0, y0, x1, y1 = view.crop
        parts: list[NDArray[np.uint8]] = []
        for panel in (picture, mesh, points):
            parts += [panel[y0:y1, x0:x1], np.full((y1 - y0, _GAP, 3), 20, np.uint8)]
        row = np.concatenate(parts[:-1], 1)
        return row if trusted else _labelled(row, "no trusted fit in this frame", (x1 - x0 + _GAP, 4))


def _labelled(picture: NDArray[np.uint8], text: str, place: tuple[int, int]) -> NDArray[np.uint8]:
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).text(place, text, fill=(255, 230, 120), font=ImageFont.load_default(size=14), stroke_width=2,
                               stroke_fill=(0, 0, 0))
    return np.array(image)


def _titled(rows: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """A strip above that names the panels."""
    image = Image.new("RGB", (rows.shape[1], 22), (24, 25, 28))
    draw = ImageDraw.Draw(image)
    for k, name in enumerate(PANELS):
        draw.text((k * (width + _GAP) + 6, 3), name, fill=(236, 236, 238), font=ImageFont.load_default(size=13))
    return np.concatenate([np.asarray(image), rows])


def _view(info: MediaInfo, side: int) -> _View:
    size = info.scaled(side)
    return _View(size[0] / info.width, size, (0, 0, *size))


def _close_view(result: FitResult, info: MediaInfo, side: int) -> _View:
    """The part of the picture in which the face is, over the whole clip, at a scale that makes it ``side`` px."""
    points = np.asarray(result.points, np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        return _view(info, PANEL_SIDE)
    low, high = np.quantile(points, 0.002, axis=0), np.quantile(points, 0.998, axis=0)
    middle, half = (low + high) / 2 - [0, 0.06 * (high - low)[1]], float((high - low).max()) * 0.68
    low = np.clip(middle - half, 0, [info.width, info.height])
    high = np.clip(middle + half, 0, [info.width, info.height])
    wanted = min(side / max(1.0, float((high - low).max())), 4.0, 4096 / max(info.width, info.height))
    size = max(16, round(info.width * wanted)), max(16, round(info.height * wanted))
    scale = size[0] / info.width
    x0, y0 = (int(v) for v in np.floor(low * scale))
    x1, y1 = min(size[0], int(high[0] * scale)), min(size[1], int(high[1] * scale))
    if x1 - x0 < 16 or y1 - y0 < 16:  # the fit is outside the picture
        return _view(info, PANEL_SIDE)
    return _View(scale, size, (x0, y0, x1, y1))


def _picture_of(info: MediaInfo, frame: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    picture = next(read_frames(info, max(size), frame, frame + 1), None)
    if picture is None:
        raise ValueError(f"{info.path}: frame {frame} cannot be read")
    if picture.shape[1::-1] != size:
        picture = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    return picture


def sheet(result: FitResult, head: HeadModel | None = None, frames: int = SHEET_FRAMES) -> NDArray[np.uint8]:
    """A clip's key frames below each other, close to the face: input, fitted head, points.

    Args:
        result: the fit.
        head: its head; the default head when None.
        frames: how many.

    Returns:
        (H,W,3) uint8.

    Raises:
        ValueError: the fit has no input, or another head.
    """
    info, head = _checked(result, head)
    known = np.flatnonzero(result.seq.valid)
    known = known if len(known) else np.arange(len(result.seq))
    part = result.seq.replace(**result.seq.parameters(known), valid=result.seq.valid[known])
    chosen = known[key_frames(part, frames)]
    view = _close_view(result, info, SHEET_PANEL if len(chosen) > 1 else PANEL_SIDE)
    overlay = _Overlay(result, head, view)
    rows = []
    pictures = (_picture_of(info, int(k), view.size) for k in chosen)
    for k, row in zip(chosen, overlay.frames(pictures, chosen), strict=True):
        rows += [_labelled(row, f"{k / result.seq.fps:.2f} s", (6, row.shape[0] - 20)) if len(chosen) > 1 else row,
                 np.full((_GAP, row.shape[1], 3), 20, np.uint8)]
    return _titled(np.concatenate(rows[:-1]), view.crop[2] - view.crop[0])


def close_frames(result: FitResult, frames: Sequence[int], head: HeadModel | None = None) -> list[NDArray[np.uint8]]:
    """Single frames close to the face, with the fitted landmarks on them where the fit is trusted.

    Args:
        result: the fit.
        frames: which of its own.
        head: its head; the default head when None.

    Raises:
        ValueError: the fit has no input, or another head.
    """
    info, head = _checked(result, head)
    view, colours = _close_view(result, info, _CLOSE_SIDE), region_colours(result.index, head)
    x0, y0, x1, y1 = view.crop
    out = []
    for frame in frames:
        picture = _picture_of(info, result.start + int(frame), view.size).copy()
        if result.seq.valid[frame]:
            draw_points(picture, np.asarray(result.points[frame], np.float64) * view.scale, colours, 1.0)
        out.append(picture[y0:y1, x0:x1])
    return out


def _checked(result: FitResult, head: HeadModel | None) -> tuple[MediaInfo, HeadModel]:
    if result.info is None:
        raise ValueError("this fit does not know its video; fit the file itself to see an overlay")
    head = head or HeadModel.default()
    result.seq.require_head(head.ref)
    if len(result.seq) != len(result.detections):
        raise ValueError(f"{len(result.seq)} frames fitted, {len(result.detections)} detected: one fit of one clip wanted")
    return result.info, head


def write_overlay(
    result: FitResult, path: str | os.PathLike[str], head: HeadModel | None = None, *,
    progress: Progress = silent,
) -> Path:
    """Write a fit beside its input: ``.mp4`` every frame, ``.png`` a sheet of key frames close to the face.

    Args:
        result: a ``FitResult``.
        path: the file; its folder must exist.
        head: the fit's head; the default head when None.
        progress: called with (done, total).

    Raises:
        ValueError: another suffix or head, or a fit without its video.
        FileNotFoundError: the folder or the video is gone.
    """
    path = Path(path)
    if path.suffix.lower() not in (".mp4", ".png"):
        raise ValueError(f"cannot write an overlay to {path.name!r}: the suffix must be .mp4 or .png")
    info, head = _checked(result, head)
    if not info.path.exists():
        raise FileNotFoundError(f"{info.path}: the fitted video is gone; the overlay shows it again")
    if path.suffix.lower() == ".png":
        return video.write_png(sheet(result, head), path)
    view = _view(info, PANEL_SIDE)
    total = len(result.seq)
    panels = _Overlay(result, head, view).frames(iter(read_frames(info, PANEL_SIDE, 0, total)), np.arange(total))
    width, height = view.size
    pictures = (_titled(row, width) for row in panels)
    return video.write_mp4(pictures, path, (3 * width + 2 * _GAP, height + 22), result.seq.fps, total, progress=progress,
                           quality=21)
