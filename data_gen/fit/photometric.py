"""Optional: move lips, lids and expression a little so that the drawn head looks like the pictures.

Landmarks say where edges are; pictures say it in every pixel.  The head is drawn with colours that are read off the
clip itself, by a rasteriser whose edges are differentiable (DEODR: de La Gorce, Fleet and Paragios 2011, "Model-Based
3D Hand Pose Estimation from Monocular Video", https://doi.org/10.1109/TPAMI.2011.33), and expression, jaw and gaze
follow the gradient of the difference, held near the landmark fit.  Off by default: see docs/mediapipe_points.md for
what it changes on clips whose truth is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ...face.clip.sequence import FaceSequence
from ...face.head.layer import HeadLayer
from ...face.head.model import HeadModel
from ...face.render.camera import PinholeCamera

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]
_Params = tuple[torch.Tensor, ...]
"""expression (T,E), jaw (T,3), eyes (T,6)."""

_NEAR_DEPTH = 0.004
"""m behind the drawn surface up to which a vertex counts as seen."""


@dataclass(frozen=True)
class PhotometricConfig:
    """How far pictures are followed.

    Raises:
        ValueError: a number out of range.
    """

    side: int = 128
    """Side of the square crop around the face that is compared, px."""
    rounds: int = 2
    """How often the head's colours are read anew."""
    steps: int = 12
    """Gradient steps a round."""
    rate: float = 0.15
    """Step of Adam, in units of the sigmas below."""
    colour_sigma: float = 0.08
    """Difference of colour that counts as one, with 1 the whole range."""
    pixels: float = 60.0
    """Independent pixels that a crop counts as: neighbours err together."""
    expr_sigma: float = 0.1
    """How far a coefficient may be from the landmark fit, 1 sigma."""
    jaw_sigma: float = 0.03
    """The same of the jaw, rad."""
    gaze_sigma: float = 0.06
    """The same of the eyes, rad."""
    smooth: float = 0.5
    """Weight of second differences of the corrections, in sigmas."""

    def __post_init__(self) -> None:
        if not (32 <= self.side <= 512 and 1 <= self.rounds <= 10 and 1 <= self.steps <= 500):
            raise ValueError(f"photometric side {self.side}, rounds {self.rounds}, steps {self.steps}; "
                             "allowed: 32 to 512, 1 to 10, 1 to 500")
        for name in ("rate", "colour_sigma", "pixels", "expr_sigma", "jaw_sigma", "gaze_sigma"):
            if not getattr(self, name) > 0:
                raise ValueError(f"photometric {name} is {getattr(self, name)}; needed: a number above 0")
        if self.smooth < 0:
            raise ValueError(f"photometric smooth is {self.smooth}; needed: 0 or more")


@dataclass(frozen=True)
class Refined:
    """A refined clip."""

    seq: FaceSequence
    before: NDArray[np.float32]
    """(T,) root mean square colour difference around lips, lids and brows before, with 1 the whole range."""
    after: NDArray[np.float32]
    """(T,) and after."""


def _scene_type() -> Any:
    try:
        from deodr.differentiable_renderer import Scene2D
    except ImportError as error:
        raise ImportError("photometric refinement needs DEODR: pip install 'facelm[photometric]'") from error
    return Scene2D


class _Mesh:
    """The front of the head as DEODR wants it, and which of its edges are outlines."""

    def __init__(self, head: HeadModel) -> None:
        keep = np.zeros(head.n_vertices, bool)
        for name in ("face", "lips", "lids", "eyeball_left", "eyeball_right", "teeth_upper", "teeth_lower", "tongue",
                     "mouth_inside"):
            if name in head.masks:
                keep[head.masks[name]] = True
        if not keep.any():
            raise ValueError(f"head {head.name!r} has no region masks; photometric refinement needs face, lips and lids")
        faces = head.faces[keep[head.faces].all(1)]
        self.vertices, inverse = np.unique(faces, return_inverse=True)
        self.faces = inverse.reshape(faces.shape).astype(np.uint32)
        weight = np.full(head.n_vertices, 0.15)
        for name in ("lips", "lids", "brows"):
            if name in head.masks:
                weight[head.masks[name]] = 1.0
        for name in ("eyeball_left", "eyeball_right", "teeth_upper", "teeth_lower", "tongue", "mouth_inside"):
            if name in head.masks:
                weight[head.masks[name]] = 0.7
        self.weight = weight[self.vertices]
        corners = self.faces.astype(np.int64)
        ends = np.sort(np.stack([corners, np.roll(corners, -1, 1)], -1), -1)  # edges 01, 12, 20
        key = (ends[..., 0] * len(self.vertices) + ends[..., 1]).ravel()
        order = np.argsort(key, kind="stable")
        same = key[order][1:] == key[order][:-1]
        self.other = np.full(key.shape, -1, np.int64)  # the face across each edge
        a, b = order[:-1][same], order[1:][same]
        self.other[a], self.other[b] = b // 3, a // 3

    def outlines(self, at: Array) -> NDArray[np.bool_]:
        """(F,3): edges between a face seen from the front and one from behind; ``at`` (V,2) px, y down."""
        p = at[self.faces]
        u, v = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
        front = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0] < 0  # counter-clockwise, mirrored by y pointing down
        across = np.where(self.other >= 0, front[self.other], True).reshape(-1, 3)
        return front[:, None] & ~across


class _Drawing(torch.autograd.Function):
    """Colours (H,W,3) of one frame from places (V,2) px; only places have gradients."""

    @staticmethod
    def forward(ctx: Any, at: torch.Tensor, depth: Array, colours: Array, behind: Array, mesh: _Mesh) -> torch.Tensor:
        scene = _scene(mesh, at.detach().numpy(), depth, colours, behind)
        image, _ = scene.render(sigma=1.0)
        ctx.scene = scene
        return torch.from_numpy(image.copy())

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None, None, None]:  # type: ignore[override]
        ctx.scene.clear_gradients()
        ctx.scene.render_backward(np.ascontiguousarray(grad.numpy()))
        return torch.from_numpy(ctx.scene.ij_b.copy()), None, None, None, None


def _scene(mesh: _Mesh, at: Array, depth: Array, colours: Array, behind: Array) -> Any:
    n, f = len(mesh.vertices), len(mesh.faces)
    h, w = behind.shape[:2]
    at = np.ascontiguousarray(at, np.float64)
    return _scene_type()(
        faces=mesh.faces, faces_uv=mesh.faces, ij=at, depths=np.ascontiguousarray(depth, np.float64),
        textured=np.zeros(f, bool), uv=np.zeros((n, 2)), shade=np.zeros(n), colors=np.ascontiguousarray(colours),
        shaded=np.zeros(f, bool), edgeflags=mesh.outlines(at), height=h, width=w, nb_colors=colours.shape[1],
        texture=np.zeros((0, 0)), background_image=np.ascontiguousarray(behind), clockwise=False, backface_culling=True,
        integer_pixel_centers=False)


@dataclass
class _Clip:
    """What stays the same while a clip is refined."""

    mesh: _Mesh
    layer: HeadLayer
    crops: NDArray[np.float32]
    """(T,side,side,3) in [0,1]."""
    box: Array
    """(T,3): left, top, width of the crop, px of the video."""
    camera: PinholeCamera
    fixed: dict[str, torch.Tensor]
    """rotation, neck_pose, translation, shape."""

    def place(self, params: _Params, frame: int) -> tuple[torch.Tensor, Array]:
        """Places (V,2) px in the crop, and depths (V,) m, of one frame."""
        expr, jaw, eyes = (p[frame] for p in params)
        v = self.layer(expr[None], self.fixed["rotation"][frame], self.fixed["neck_pose"][frame], jaw[None], eyes[None],
                       self.fixed["translation"][frame], self.fixed["shape"])[0].double()
        depth = -v[:, 2]
        cx, cy = self.camera.centre
        x = cx + self.camera.focal * v[:, 0] / depth
        y = cy - self.camera.focal * v[:, 1] / depth
        left, top, width = self.box[frame]
        scale = self.crops.shape[1] / width
        return torch.stack([(x - left) * scale, (y - top) * scale], 1), depth.detach().numpy()


def _crops(frames: Iterable[NDArray[np.uint8]], seq: FaceSequence, camera: PinholeCamera, head: HeadModel, mesh: _Mesh,
           side: int) -> tuple[NDArray[np.float32], Array]:
    inner = mesh.vertices[mesh.weight > 0.5]
    at = camera.project(head.subset(inner).vertices(seq.expr, seq.rotation, seq.neck_pose, seq.jaw_pose, seq.eyes_pose,
                                                    seq.translation, seq.shape if len(seq.shape) else None))
    low, high = at.min(1), at.max(1)
    width = 1.2 * float(np.median((high - low).max(1)))
    box = np.concatenate([(low + high) / 2 - width / 2, np.full((len(at), 1), width)], 1).astype(np.float64)
    crops = np.zeros((len(seq), side, side, 3), np.float32)
    count = 0
    for t, frame in enumerate(frames):
        if t >= len(seq):
            raise ValueError(f"more frames than the fit has ({len(seq)})")
        picture = Image.fromarray(frame)
        left, top, w = box[t]
        # resampled with a filter as wide as the reduction, so that small faces and large ones look alike
        grown = picture.transform((int(np.ceil(w)) + 1,) * 2, Image.Transform.AFFINE, (1, 0, left, 0, 1, top),
                                  Image.Resampling.BILINEAR)
        crops[t] = np.asarray(grown.resize((side, side), Image.Resampling.BILINEAR, (0, 0, w, w)), np.float32) / 255
        count += 1
    if count != len(seq):
        raise ValueError(f"{count} frames for a fit of {len(seq)}; give every frame of the clip")
    return crops, box


def _bilinear(picture: Array, at: Array) -> Array:
    """(N,C) of a picture (H,W,C) at places (N,2), pixel centres at halves."""
    h, w = picture.shape[:2]
    x, y = np.clip(at[:, 0] - 0.5, 0, w - 1.001), np.clip(at[:, 1] - 0.5, 0, h - 1.001)
    i, j = y.astype(int), x.astype(int)
    a, b = (y - i)[:, None], (x - j)[:, None]
    return ((1 - a) * ((1 - b) * picture[i, j] + b * picture[i, j + 1])
            + a * ((1 - b) * picture[i + 1, j] + b * picture[i + 1, j + 1]))


def _read_colours(clip: _Clip, params: _Params, sample: NDArray[np.int64]) -> Array:
    """(V,3) colour of each vertex: the median over frames in which it is seen; unseen ones the darkest seen."""
    n = len(clip.mesh.vertices)
    seen = np.full((len(sample), n, 3), np.nan)
    for row, t in enumerate(sample):
        with torch.no_grad():
            place, depth = clip.place(params, int(t))
        at = place.numpy()
        picture = clip.crops[t].astype(np.float64)
        scene = _scene(clip.mesh, at, depth, np.zeros((n, 3)), picture)
        _, near = scene.render(sigma=1.0)
        inside = ((at > 1) & (at < len(picture) - 1)).all(1)
        front = _bilinear(np.where(np.isfinite(near), near, 0)[..., None], at)[:, 0]
        ok = inside & (depth < front + _NEAR_DEPTH)
        seen[row, ok] = _bilinear(picture, at[ok])
    known = np.isfinite(seen[..., 0]).sum(0) >= 1
    out = np.full((n, 3), 0.1)
    out[known] = np.nanmedian(seen[:, known], axis=0)
    if known.any():
        out[~known] = np.quantile(out[known], 0.05, axis=0)
    return out


def refine(seq: FaceSequence, camera: PinholeCamera, frames: Iterable[NDArray[np.uint8]], head: HeadModel | None = None,
           config: PhotometricConfig | None = None, progress: Progress | None = None) -> Refined:
    """Follow the pictures from a landmark fit.

    Head rotation, position and identity stay; frames that are not ``valid`` stay as they are.  About
    rounds x steps x 17 ms a frame on one core; crops and weights of the whole clip are kept (0.3 MB a frame).

    Args:
        seq: the fit, in the camera's frame.
        camera: of the fit, for pictures of the size of ``frames``.
        frames: (H,W,3) uint8, as many as ``seq`` has.
        head: the head of the fit; None: the default head.
        config: see :class:`PhotometricConfig`.
        progress: called with (steps done, steps in all).

    Raises:
        ImportError: DEODR is not installed.
        ValueError: another head, another number of frames, a head without region masks.
    """
    _scene_type()
    head, cfg = head or HeadModel.default(), config or PhotometricConfig()
    seq.require_head(head.ref)
    mesh = _Mesh(head)
    crops, box = _crops(frames, seq, camera, head, mesh, cfg.side)
    fixed = {n: torch.from_numpy(np.array(getattr(seq, n))) for n in ("rotation", "neck_pose", "translation")}
    fixed["shape"] = torch.from_numpy(np.array(seq.shape if len(seq.shape) else np.zeros(head.n_shape, np.float32)))
    clip = _Clip(mesh, HeadLayer(head, mesh.vertices), crops, box, camera, fixed)
    start = (torch.from_numpy(np.array(seq.expr)), torch.from_numpy(np.array(seq.jaw_pose)),
             torch.from_numpy(np.array(seq.eyes_pose)))
    sigmas = (torch.tensor(cfg.expr_sigma), torch.tensor(cfg.jaw_sigma), torch.tensor([1, 1, 0] * 2) * cfg.gaze_sigma)
    moves = [torch.zeros_like(s, requires_grad=True) for s in start]
    rows = np.flatnonzero(seq.valid)
    before, after = np.full((2, len(seq)), np.nan, np.float32)
    if len(rows) == 0:
        return Refined(seq, before, after)
    sample = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), 48)).astype(int))]
    optimiser = torch.optim.Adam(moves, lr=cfg.rate)
    total = cfg.rounds * cfg.steps

    def now() -> _Params:
        expr, jaw, eyes = (s + m * g for s, m, g in zip(start, moves, sigmas, strict=True))
        return expr.clamp(0, 1), jaw, eyes

    for step in range(total):
        if step % cfg.steps == 0:
            with torch.no_grad():
                params = now()
                colours = _read_colours(clip, params, sample)
                weights = np.zeros((*crops.shape[:3], 1))
                for t in rows:
                    place, depth = clip.place(params, int(t))
                    weights[t] = _weight(clip, place.numpy(), depth)
        errors = _step(clip, now, moves, optimiser, colours, weights, rows, cfg)
        if step == 0:
            before = errors
        if progress:
            progress(step + 1, total)
    after = _step(clip, now, moves, None, colours, weights, rows, cfg)
    with torch.no_grad():
        expr, jaw, eyes = (p.numpy() for p in now())
    keep = seq.valid[:, None]
    out = seq.replace(expr=np.where(keep, expr, seq.expr), jaw_pose=np.where(keep, jaw, seq.jaw_pose),
                      eyes_pose=np.where(keep, eyes, seq.eyes_pose))
    return Refined(out, before, after)


def _step(clip: _Clip, now: Callable[[], _Params], moves: list[torch.Tensor],
          optimiser: torch.optim.Optimizer | None, colours: Array, weights: Array, rows: NDArray[np.int64],
          cfg: PhotometricConfig) -> NDArray[np.float32]:
    """One step on all frames (none without an optimiser); colour differences (T,) before it."""
    errors = np.full(len(clip.crops), np.nan, np.float32)
    if optimiser:
        optimiser.zero_grad()
    for t in rows:
        place, depth = clip.place(now(), int(t))
        picture = torch.from_numpy(clip.crops[t].astype(np.float64))
        image = _Drawing.apply(place, depth, colours, picture.numpy(), clip.mesh)
        with torch.no_grad():
            weight = torch.from_numpy(weights[t])
            # light changes as the head turns: one gain a channel, robust because most pixels agree
            gain = ((weight * image * picture).sum((0, 1)) / (weight * image * image).sum((0, 1)).clamp(min=1e-9)).clamp(0.7, 1.4)
        difference = (image * gain - picture) / cfg.colour_sigma
        squared = (difference ** 2).mean(-1)
        loss = cfg.pixels * (weight[..., 0] * squared / (1 + squared / 9)).sum() / weight.sum()  # Geman-McClure at 3 sigma
        errors[t] = float((weight[..., 0] * squared.detach()).sum().div(weight.sum()).sqrt() * cfg.colour_sigma)
        if optimiser:
            loss.backward()
    if optimiser:
        held = sum(((m ** 2).sum() for m in moves), torch.zeros(()))
        if len(clip.crops) > 2:
            held = held + cfg.smooth * sum((((m[2:] - 2 * m[1:-1] + m[:-2]) ** 2).sum() for m in moves), torch.zeros(()))
        held.backward()
        optimiser.step()
    return errors


def _weight(clip: _Clip, at: Array, depth: Array) -> Array:
    """(side,side,1) how much each pixel counts: lips, lids and brows most, what the head does not cover nothing."""
    side = clip.crops.shape[1]
    scene = _scene(clip.mesh, at, depth, clip.mesh.weight[:, None], np.zeros((side, side, 1)))
    image, _ = scene.render(sigma=0.0)
    return np.asarray(image)
