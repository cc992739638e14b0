"""Pictures of a face, headless: frames, contact sheets, and ``render`` for a file of any kind.

No GPU, no display, no system library: see ``raster`` for how a frame is drawn and ``shading``
for what a head looks like.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .shading import Appearance, Eyes, Palette, appearance, linear, studio_lights

if TYPE_CHECKING:
    from ..clip.sequence import FaceSequence
    from ..head.model import HeadModel

Progress = Callable[[int, int], None]
"""Called with (frames done, frames in all)."""

SUFFIXES: tuple[str, ...] = (".mp4", ".gif", ".png")
MAX_SIDE = 4096
_SHADOW_SIDE = 224
_CHUNK = 32
"""Frames whose vertices are held at once."""


@dataclass(frozen=True)
class Camera:
    """A camera that looks along -z at a point, and the ball that the key light's shadow covers."""

    target: tuple[float, float, float]
    """Point in the middle of the picture, metres."""
    distance: float
    """From the eye to the target, metres."""
    fov: float = 16.0
    """Vertical field of view, degrees; 16 is a portrait lens."""
    radius: float = 0.2
    """Metres around the target that hold the head in every frame."""

    def __post_init__(self) -> None:
        if not 1.0 <= self.fov <= 120.0:
            raise ValueError(f"camera fov {self.fov}: 1 to 120 degrees wanted")
        if not (self.distance > 0 and self.radius > 0):
            raise ValueError(f"camera distance {self.distance} and radius {self.radius} must be > 0")


def check_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """``size`` as (width, height).

    Raises:
        ValueError: not one or two whole numbers from 16 to ``MAX_SIDE``.
    """
    pair = (size, size) if isinstance(size, (int, np.integer)) else tuple(size)
    if len(pair) != 2 or not all(isinstance(s, (int, np.integer)) and 16 <= s <= MAX_SIDE for s in pair):
        raise ValueError(f"picture size {size!r}: one or two whole numbers from 16 to {MAX_SIDE} wanted")
    return int(pair[0]), int(pair[1])


def clip_vertices(seq: FaceSequence, head: HeadModel, frames: np.ndarray) -> np.ndarray:
    """(N,V,3) float32 vertices of the given frames, metres."""
    return np.asarray(head.vertices(
        expr=seq.expr[frames], rotation=seq.rotation[frames], neck_pose=seq.neck_pose[frames],
        jaw_pose=seq.jaw_pose[frames], eyes_pose=seq.eyes_pose[frames],
        translation=seq.translation[frames], shape=seq.shape if len(seq.shape) else None,
    ), np.float32)


def _head_of(seq: FaceSequence, head: HeadModel | None) -> HeadModel:
    if head is None:
        from ..head.model import HeadModel

        head = HeadModel.default()
    seq.require_head(head.ref)
    return head


def _head_vertices(head: HeadModel) -> np.ndarray:
    """Vertices to frame: what the neck joint carries, down to a little below the chin."""
    keep = head.weights[:, 0] < 0.5
    if "ibug_08" in head.lmk_names:
        chin = head.landmarks(head.v_template[None])[0, head.landmark_index("ibug_08"), 1]
        height = float(head.v_template[:, 1].max() - chin)
        keep &= head.v_template[:, 1] > chin - 0.06 * height
    index = np.flatnonzero(keep)
    return index if len(index) else np.arange(len(head.v_template))


def portrait(
    seq: FaceSequence, head: HeadModel, size: int | tuple[int, int] = 256, fov: float = 16.0
) -> Camera:
    """One camera for the whole clip: the head with some air, wherever it turns or moves.

    The head at rest gives the scale, so that clips of one person are drawn alike; frames where
    the head leaves that frame widen it.
    """
    width, height = check_size(size)
    index = _head_vertices(head)
    frames = np.unique(np.linspace(0, len(seq) - 1, min(len(seq), 24)).astype(int))
    moving = clip_vertices(seq, head, frames)[:, index]
    rest = np.asarray(head.vertices(shape=seq.shape if len(seq.shape) else None,
                                    translation=np.median(seq.translation, 0, keepdims=True)))[0, index]
    low = np.minimum(rest.min(0), np.quantile(moving, 0.0005, axis=(0, 1)))
    high = np.maximum(rest.max(0), np.quantile(moving, 0.9995, axis=(0, 1)))
    target = (low + high) / 2
    half = (high - low) / 2 * 1.07
    reach = max(half[1], half[0] * height / width)
    distance = reach / math.tan(math.radians(fov) / 2) + half[2]
    radius = float(np.linalg.norm(half))
    return Camera((float(target[0]), float(target[1]), float(target[2])), float(distance), fov, radius)


def _workers(frames: int) -> int:
    """Threads worth starting: the cores that this process may use, at most 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, 8, frames))


class Renderer:
    """Draws vertices of one head at one size; holds the buffers between frames."""

    def __init__(
        self, head: HeadModel, camera: Camera, size: int | tuple[int, int] = 256,
        palette: Palette | None = None, eyes: Eyes | None = None, look: Appearance | None = None,
    ) -> None:
        """
        Args:
            head: gives faces, parts and colours.
            camera: see ``portrait``.
            size: pixels, one number or (width, height).
            palette: colours.
            eyes: iris and pupil.
            look: a ready ``appearance`` to share between renderers of one head.
        """
        from . import raster  # numba takes half a second to import

        self._raster = raster
        self.size = check_size(size)
        self.camera = camera
        self.look = look or appearance(head, palette, eyes)
        w, h = self.size
        self._near = np.empty((2 * h, 2 * w), np.float32)
        self._face = np.empty((2 * h, 2 * w), np.int32)
        self._bary = np.empty((2 * h, 2 * w, 2), np.float32)
        self._ao = np.empty((-(-h // 2), -(-w // 2)), np.float32)
        self._shadow = np.empty((_SHADOW_SIDE, _SHADOW_SIDE), np.float32)
        self._shadow_face = np.empty((_SHADOW_SIDE, _SHADOW_SIDE), np.int32)
        self._shadow_bary = np.empty((_SHADOW_SIDE, _SHADOW_SIDE, 2), np.float32)
        self._normals = np.empty((len(head.v_template), 3), np.float32)
        self._lights = studio_lights()
        self._focal = h / math.tan(math.radians(camera.fov) / 2)  # pixels of the 2x grid
        self._to_shadow = self._shadow_matrix()
        self._background = self._backdrop()
        self._tone = raster.tone_table()
        self._taps = np.array([(r * math.cos(a + 3 * r), r * math.sin(a + 3 * r)) for r in (0.3, 0.6, 1.0)
                               for a in np.arange(4) * (math.pi / 2)], np.float32)
        look_eyes, colours = self.look.eyes, self.look.palette
        self._eye = np.array([math.radians(look_eyes.iris), math.radians(look_eyes.pupil),
                              *linear(colours.iris), 0.0], np.float32)
        self._head = head
        self._lips = [head.landmark_index(f"ibug_{k}") for k in (62, 66)] if "ibug_66" in head.lmk_names else []

    def _shadow_matrix(self) -> np.ndarray:
        light = self._lights[0, :3].astype(np.float64)
        side = np.cross([0.0, 1.0, 0.0], light)
        side /= np.linalg.norm(side)
        up = np.cross(light, side)
        scale = _SHADOW_SIDE / (2.2 * self.camera.radius)
        centre = np.array([0.0, 0.0, -self.camera.distance])
        rows = np.stack([side * scale, up * scale, light])
        offset = -rows @ centre + np.array([_SHADOW_SIDE / 2, _SHADOW_SIDE / 2, 0.0])
        return np.concatenate([rows, offset[:, None]], 1).astype(np.float32)

    def _backdrop(self) -> np.ndarray:
        w, h = self.size
        y, x = np.mgrid[0:h, 0:w].astype(np.float32)
        r = np.hypot((x / w - 0.5) * 1.1, (y / h - 0.45) * 0.9)
        glow = np.clip(1.0 - r / 0.75, 0.0, 1.0) ** 1.5
        base = linear(self.look.palette.background)
        return np.ascontiguousarray(base * (0.65 + 0.9 * glow[..., None]), np.float32)

    def _parted(self, v: np.ndarray) -> float:
        """0 for lips that touch or nearly do (2.5 mm between the inner rims) to 0.7 from 6 mm on."""
        if not self._lips:
            return 0.35
        corners = v[self._head.faces[self._head.lmk_faces[self._lips]]]
        upper, lower = (self._head.lmk_bary[self._lips][:, :, None] * corners).sum(1)
        return float(np.clip((np.linalg.norm(upper - lower) - 0.0025) / 0.0035, 0.0, 1.0) * 0.7)

    def draw(self, vertices: np.ndarray) -> np.ndarray:
        """One picture, (H,W,3) uint8 sRGB, of ``vertices`` (V,3), metres.

        Raises:
            ValueError: another number of vertices than the head has.
        """
        raster = self._raster
        v = np.asarray(vertices, np.float32)
        if v.shape != self._normals.shape:
            raise ValueError(f"vertices {v.shape}: {self._normals.shape} wanted, as the head has")
        target = np.array(self.camera.target, np.float32)
        pos = np.ascontiguousarray(v - target - np.array([0, 0, self.camera.distance], np.float32))
        w, h = self.size
        depth = np.maximum(-pos[:, 2], 1e-3)
        screen = np.empty_like(pos)
        screen[:, 0] = w + self._focal * pos[:, 0] / depth
        screen[:, 1] = h - self._focal * pos[:, 1] / depth
        screen[:, 2] = 1.0 / depth
        look = self.look
        raster.vertex_normals(pos, look.faces, self._normals)
        m = self._to_shadow
        lit = np.ascontiguousarray(pos @ m[:, :3].T + m[:, 3])
        raster.depth_buffer(lit, look.faces, 1, True, self._shadow, self._shadow_face, self._shadow_bary)
        # every face: an open mouth may show the head's inside, which is drawn dark
        raster.depth_buffer(screen, look.faces, -1, False, self._near, self._face, self._bary)
        raster.occlusion(self._near, self._face, self._bary, look.faces, self._normals,
                         self._focal, 0.012, self._taps, self._ao)
        self._eye[5] = self._parted(v)
        out = np.empty((h, w, 3), np.uint8)
        raster.shade(self._near, self._face, self._bary, look.faces, look.material, pos,
                     self._normals, look.albedo, look.extra, self._shadow, m, self._ao,
                     self._lights, self._eye, self._background, self._tone, out)
        return out


def render_frames(
    seq: FaceSequence,
    head: HeadModel | None = None,
    size: int | tuple[int, int] = 256,
    *,
    frames: Sequence[int] | None = None,
    camera: Camera | None = None,
    palette: Palette | None = None,
    eyes: Eyes | None = None,
) -> Iterator[np.ndarray]:
    """Draw a clip frame by frame.

    Args:
        seq: the clip.
        head: its head; the default head when None.
        size: pixels, one number or (width, height).
        frames: indices to draw; all of them when None.
        camera: the same for every frame; ``portrait`` when None.
        palette: colours.
        eyes: iris and pupil.

    Yields:
        (H,W,3) uint8 sRGB.

    Raises:
        ValueError: the clip is of another head, a bad size, or a frame that the clip has not.
    """
    head = _head_of(seq, head)
    pick = np.arange(len(seq)) if frames is None else np.asarray(list(frames), int)
    if len(pick) and not (pick.min() >= 0 and pick.max() < len(seq)):
        raise ValueError(f"frames {pick.min()}..{pick.max()}: the clip has frames 0..{len(seq) - 1}")
    camera = camera or portrait(seq, head, size)
    look = appearance(head, palette, eyes)
    # the kernels release the GIL: threads draw neighbouring frames at once
    crew = [Renderer(head, camera, size, look=look) for _ in range(_workers(len(pick)))]

    def draw() -> Iterator[np.ndarray]:
        with ThreadPoolExecutor(len(crew)) as pool:
            for start in range(0, len(pick), _CHUNK):
                vertices = clip_vertices(seq, head, pick[start:start + _CHUNK])
                for k in range(0, len(vertices), len(crew)):
                    group = vertices[k:k + len(crew)]
                    yield from pool.map(Renderer.draw, crew[:len(group)], group)

    return draw()  # errors above are raised at the call, not at the first frame


def key_frames(seq: FaceSequence, n: int) -> list[int]:
    """``n`` frames that tell the clip: spread over time, and including its extremes.

    Farthest-point sampling (Gonzalez 1985, https://doi.org/10.1016/0304-3975(85)90224-5) in the
    space of pose and time: starting with the first and the last frame, each next one is the frame
    most unlike those chosen. Short events (a blink) are extremes and are found; where nothing
    happens, time alone spreads the frames.

    Raises:
        ValueError: n < 1.
    """
    if n < 1:
        raise ValueError(f"{n} frames: at least 1 wanted")
    if n >= len(seq):
        return list(range(len(seq)))
    if n == 1:
        return [len(seq) // 2]
    expr = seq.expr / max(1.0, float(np.abs(seq.expr).max(initial=0.0)))
    features = np.concatenate([
        expr, seq.jaw_pose / 0.25, seq.eyes_pose / 0.6, seq.neck_pose / 0.4, seq.rotation / 0.4,
        np.linspace(0.0, 1.6, len(seq))[:, None],
    ], 1)
    chosen = [0, len(seq) - 1]
    gap = np.minimum(*(np.linalg.norm(features - features[i], axis=1) for i in chosen))
    while len(chosen) < n:
        best = int(gap.argmax())
        if best in chosen:  # nothing differs any more: fill the widest hole in time
            best = next(i for i in range(len(seq)) if i not in chosen)
        chosen.append(best)
        gap = np.minimum(gap, np.linalg.norm(features - features[best], axis=1))
    return sorted(chosen)


def render(
    seq: FaceSequence,
    path: str | os.PathLike[str],
    head: HeadModel | None = None,
    size: int | tuple[int, int] | None = None,
    fps: float | None = None,
    *,
    title: str | None = None,
    timeline: Sequence[tuple[str, float, float]] | None = None,
    palette: Palette | None = None,
    progress: Progress | None = None,
) -> Path:
    """Draw a clip into a file; the suffix says what: .mp4 (H.264), .gif, .png (contact sheet).

    The file appears when it is complete; a failed run leaves nothing behind.

    Args:
        seq: the clip.
        path: where to write; its folder must exist.
        head: the clip's head; the default head when None.
        size: pixels of a frame; 512 for a video, 320 for a GIF, 256 for a sheet's frame when None.
        fps: frame rate of the file; the clip's own when None.
        title: line(s) above the sheet, or caption of the video.
        timeline: measured actions (name, onset s, offset s), drawn below a contact sheet.
        palette: colours.
        progress: called with (done, total).

    Returns:
        The path.

    Raises:
        ValueError: unknown suffix, bad size or fps, another head.
        FileNotFoundError: the folder does not exist.
    """
    from ..io import video

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"cannot render to {path.name!r}: the suffix must be one of {', '.join(SUFFIXES)}")
    head = _head_of(seq, head)
    if fps is not None:
        seq = seq.resample(fps)
    if suffix == ".png":
        sheet = contact_sheet(seq, head, size=size or 256, title=title, timeline=timeline,
                              palette=palette, progress=progress)
        return video.write_png(sheet, path)
    size = check_size(size or (512 if suffix == ".mp4" else 320))
    pictures = render_frames(seq, head, size, palette=palette)
    if suffix == ".mp4":
        return video.write_mp4(pictures, path, size, seq.fps, len(seq), title=title, progress=progress)
    return video.write_gif(pictures, path, seq.fps, len(seq), progress=progress)


def contact_sheet(
    seq: FaceSequence,
    head: HeadModel | None = None,
    *,
    frames: int | Sequence[int] = 10,
    size: int | tuple[int, int] = 256,
    columns: int = 5,
    title: str | None = None,
    timeline: Sequence[tuple[str, float, float]] | None = None,
    palette: Palette | None = None,
    camera: Camera | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """A clip at a glance: frames with their times, a title, and the timeline of its actions.

    Args:
        seq: the clip.
        head: its head; the default head when None.
        frames: how many (chosen by ``key_frames``) or which.
        size: pixels of one frame.
        columns: frames in a row.
        title: text above, wrapped.
        timeline: (name, onset s, offset s) bars below.
        palette: colours.
        camera: ``portrait`` when None.
        progress: called with (done, total).

    Returns:
        (H,W,3) uint8 sRGB.
    """
    from ..io import video

    if columns < 1:
        raise ValueError(f"columns {columns}: at least 1 wanted")
    head = _head_of(seq, head)
    pick = key_frames(seq, frames) if isinstance(frames, int) else sorted(int(i) for i in frames)
    pictures = []
    for picture in render_frames(seq, head, size, frames=pick, camera=camera, palette=palette):
        pictures.append(picture)
        if progress:
            progress(len(pictures), len(pick))
    times = [i / seq.fps for i in pick]
    return video.lay_out(pictures, times, columns, title, timeline, len(seq) / seq.fps)
