"""Pictures of a face, headless: frames and contact sheets (face/io/rendering.py writes files).

No GPU, no display, no system library: see ``raster`` for how a frame is drawn and ``shading``
for what a head looks like.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ...common.progress import Progress, silent
from ..clip.sequence import FaceSequence
from ..head.model import HeadModel
from ..head.surface import farthest
from .camera import Camera, check_size, portrait
from .shading import Appearance, Eyes, Palette, appearance, linear, studio_lights
from .sheet import lay_out

_SHADOW_SIDE = 224
_CHUNK = 32
"""Frames whose vertices are held at once."""


def _workers(frames: int) -> int:
    """Threads worth starting: the cores that this process may use, at most 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, 8, frames))


class Renderer:
    """Draws vertices of one head at one size; holds the buffers between frames.

    Args:
        head: gives faces, parts and colours.
        camera: see ``portrait``.
        size: pixels, one number or (width, height).
        palette: colours.
        eyes: iris and pupil.
        look: a ready ``appearance`` to share between renderers of one head.
    """

    def __init__(
        self, head: HeadModel, camera: Camera, size: int | tuple[int, int] = 256,
        palette: Palette | None = None, eyes: Eyes | None = None, look: Appearance | None = None,
    ) -> None:
        from . import lighting, raster  # numba takes half a second to import
        from .folds import Folds

        self._raster, self._lighting = raster, lighting
        self.size = check_size(size)
        self.camera = camera
        self.look = look or appearance(head, palette, eyes)
        w, h = self.size
        self.samples = raster.Samples(w, h)  # of the last picture
        self._shadow = raster.Samples(_SHADOW_SIDE // 2, _SHADOW_SIDE // 2)
        self._ao = np.empty((-(-h // 2), -(-w // 2)), np.float32)
        self._normals = np.empty((len(head.v_template), 3), np.float32)
        self._lights = studio_lights()
        self._focal = h / math.tan(math.radians(camera.fov) / 2)  # pixels of the 2x grid
        self._to_shadow = self._shadow_matrix()
        self._background = self._backdrop()
        self._tone = lighting.tone_table()
        self._taps = np.array([(r * math.cos(a + 3 * r), r * math.sin(a + 3 * r)) for r in (0.3, 0.6, 1.0)
                               for a in np.arange(4) * (math.pi / 2)], np.float32)
        look_eyes, colours = self.look.eyes, self.look.palette
        self._eye = np.array([math.radians(look_eyes.iris), math.radians(look_eyes.pupil),
                              *linear(colours.iris), 0.0], np.float32)
        self._head = head
        strength = float(head.meta.get("folds", 0.0)) if head.texture is not None else 0.0
        self._folds = Folds(head, self.look.texture, strength) if strength > 0 else None
        # the inner rims' middles, nose and chin
        self._lips = [head.landmark_index(f"ibug_{k}") for k in (62, 66, 33, "08")] if "ibug_66" in head.lmk_names else []

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
        """-0.7 for closed lips, 0 for lips that touch, to 0.7 from 2.5 mm between the inner rims on."""
        if not self._lips:
            return 0.35
        corners = v[self._head.faces[self._head.lmk_faces[self._lips]]]
        upper, lower, nose, chin = (self._head.lmk_bary[self._lips][:, :, None] * corners).sum(1)
        gap = (upper - lower) @ (nose - chin) / max(float(np.linalg.norm(nose - chin)), 1e-9)
        return float(np.clip(gap / (0.0025 if gap > 0.0 else 0.0007), -1.0, 1.0) * 0.7)

    def _placed(self, vertices: np.ndarray) -> np.ndarray:
        """(V,3) float32 in the camera's frame."""
        v = np.asarray(vertices, np.float32)
        if v.shape != self._normals.shape:
            raise ValueError(f"vertices {v.shape}: {self._normals.shape} wanted, as the head has")
        target = np.array(self.camera.target, np.float32)
        return np.ascontiguousarray(v - target - np.array([0, 0, self.camera.distance], np.float32))

    def draw(self, vertices: np.ndarray, expr: np.ndarray | None = None) -> np.ndarray:
        """One picture, (H,W,3) uint8 sRGB, of ``vertices`` (V,3), metres.

        Args:
            vertices: of the head.
            expr: (E,) the expression that they show, for the skin's folds where the head has some (``meta["folds"]``).

        Raises:
            ValueError: another number of vertices than the head has.
        """
        pos, look, seen, m = self._placed(vertices), self.look, self.samples, self._to_shadow
        w, h = self.size
        self._raster.vertex_normals(pos, look.faces, self._normals)
        lit = np.ascontiguousarray(pos @ m[:, :3].T + m[:, 3])
        shadow = self._shadow
        self._raster.depth_buffer(lit, look.faces, 1, True, shadow.near, shadow.face, shadow.bary)
        # every face: an open mouth may show the head's inside, which is drawn dark
        seen.see(pos, look.faces, self._focal)
        self._lighting.occlusion(seen.near, seen.face, seen.bary, look.faces, self._normals, self._focal, 0.012, self._taps,
                                 self._ao)
        self._eye[5] = self._parted(np.asarray(vertices, np.float32))
        out = np.empty((h, w, 3), np.uint8)
        self._lighting.shade(seen.near, seen.face, seen.bary, look.faces, look.material, pos,
                             self._normals, look.albedo, look.extra, shadow.near, m, self._ao,
                             self._lights, self._eye, self._background, self._tone, look.corners,
                             look.texture if self._folds is None or expr is None else self._folds.at(expr), out)
        return out

    def cover(self, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """(H,W) float32: the share of each pixel that some ``faces`` (F,3) int32 of the head cover."""
        self.samples.see(self._placed(vertices), faces, self._focal)
        return self.samples.covered


def render_frames(
    seq: FaceSequence,
    head: HeadModel | None = None,
    size: int | tuple[int, int] = 256,
    *,
    frames: Sequence[int] | None = None,
    camera: Camera | None = None,
    palette: Palette | None = None,
) -> Iterator[np.ndarray]:
    """Draw a clip frame by frame.

    Args:
        seq: the clip.
        head: its head; the default head when None.
        size: pixels, one number or (width, height).
        frames: indices to draw; all of them when None.
        camera: the same for every frame; ``portrait`` when None.
        palette: colours.

    Yields:
        (H,W,3) uint8 sRGB.

    Raises:
        ValueError: the clip is of another head, a bad size, or a frame that the clip has not.
    """
    head = head or HeadModel.default()
    seq.require_head(head.ref)
    pick = np.arange(len(seq)) if frames is None else np.asarray(list(frames), int)
    if len(pick) and not (pick.min() >= 0 and pick.max() < len(seq)):
        raise ValueError(f"frames {pick.min()}..{pick.max()}: the clip has frames 0..{len(seq) - 1}")
    camera = camera or portrait(seq, head, size)
    look = appearance(head, palette)
    # the kernels release the GIL: threads draw neighbouring frames at once
    renderers = [Renderer(head, camera, size, look=look) for _ in range(_workers(len(pick)))]

    def draw() -> Iterator[np.ndarray]:
        with ThreadPoolExecutor(len(renderers)) as pool:
            for start in range(0, len(pick), _CHUNK):
                vertices = head.sequence_vertices(seq, pick[start:start + _CHUNK])
                for k in range(0, len(vertices), len(renderers)):
                    group = vertices[k:k + len(renderers)]
                    shown = seq.expr[pick[start + k:start + k + len(group)]]
                    yield from pool.map(Renderer.draw, renderers[:len(group)], group, shown)

    return draw()  # errors above are raised at the call, not at the first frame


def key_frames(seq: FaceSequence, n: int) -> list[int]:
    """``n`` frames that tell the clip: spread over time, and including its extremes.

    Farthest-point sampling in the space of pose and time: starting with the first and the last frame, each next one
    is the frame most unlike those chosen. Short events (a blink) are extremes and are found; where nothing
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
    return sorted(farthest(features, n, [0, len(seq) - 1]))


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
    progress: Progress = silent,
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
        progress: called with (done, total).

    Returns:
        (H,W,3) uint8 sRGB.
    """
    if columns < 1:
        raise ValueError(f"columns {columns}: at least 1 wanted")
    pick = key_frames(seq, frames) if isinstance(frames, int) else sorted(int(i) for i in frames)
    pictures = []
    for picture in render_frames(seq, head, size, frames=pick, palette=palette):
        pictures.append(picture)
        progress(len(pictures), len(pick))
    times = [i / seq.fps for i in pick]
    return lay_out(pictures, times, columns, title, timeline, len(seq) / seq.fps)
