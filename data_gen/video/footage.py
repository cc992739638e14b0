"""The performer on film: a script becomes a video whose every parameter is known.

``film`` performs a script with a random identity, stands it before a random camera under random
light, renders, adds sensor noise and compresses. The clip that was drawn is kept in the camera's
frame (origin at the camera, looking along -z, y up): ``camera.project(head.sequence_vertices(truth))``
is where every vertex is in the picture. That is what a fitter of real video is tested against, and
what stands in for text-to-video where none is at hand.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...common.files import atomic_file
from ...face.clip.channels import ARKIT_52
from ...face.clip.sequence import FaceSequence
from ...face.clip.spontaneous import IdleConfig, add_idle
from ...face.facs.script import Script
from ...face.head.lbs import rotation_matrices
from ...face.head.model import HeadModel
from ...face.io.video import write_mp4
from ...face.render.camera import PinholeCamera, check_size
from ..performer.animator import perform
from .scene import Placement, Scene, SceneRenderer, Sensor, draw_scene, head_frame, place

if TYPE_CHECKING:
    from ...face.landmarks.points import Embedding
    from ..fit.detect import Detections

FORMAT = "facelm-footage"
FORMAT_VERSION = 1
_CHUNK = 32
"""Frames whose vertices are held at once."""
Range = tuple[float, float]


@dataclass(frozen=True)
class FootageConfig:
    """How performers are filmed. Ranges are drawn from uniformly, once a clip."""

    size: int | tuple[int, int] = (256, 256)
    """Picture, px: one side or (width, height); even numbers keep the picture as it is."""
    fps: float = 25.0
    """Frames a second."""
    fov: Range = (14.0, 40.0)
    """Vertical field of view, degrees."""
    share: Range = (0.35, 0.70)
    """Head height (chin to crown) over picture height."""
    pitch: float = 12.0
    """Largest constant pitch of the subject to the camera, degrees."""
    yaw: float = 20.0
    """Largest constant yaw."""
    roll: float = 8.0
    """Largest constant roll."""
    turn_limit: float = 32.0
    """The constant turn is drawn so that performed motion stays within this of the camera, degrees, where it can."""
    sway: float = 0.003
    """Amplitude of the slow movement of the whole subject, metres."""
    shape_std: float = 0.7
    """Standard deviation of the identity coefficients; see docs/head.md."""
    shape_components: int = 20
    """Identity components drawn; the others are 0."""
    noise: Range = (0.5, 3.5)
    """Standard deviation of the sensor's noise, levels of 255."""
    blur: Range = (0.0, 0.18)
    """Weight of either neighbour in the softening filter, at most 0.25."""
    idle: bool = True
    """Whether spontaneous blinks, drift and micro-movement are added (face/clip/spontaneous.py)."""
    quality: int = 20
    """x264's constant rate factor; higher is smaller and worse."""

    def __post_init__(self) -> None:
        check_size(self.size)
        for name, low, high in (("fov", 1.0, 120.0), ("share", 0.05, 1.0), ("noise", 0.0, 50.0), ("blur", 0.0, 0.25)):
            value = getattr(self, name)
            if len(value) != 2 or not low <= value[0] <= value[1] <= high:
                raise ValueError(f"footage: {name} is {value}; needed: two rising numbers from {low:g} to {high:g}")
        most = {"pitch": 60.0, "yaw": 80.0, "roll": 90.0, "turn_limit": 90.0, "sway": 0.1, "shape_std": 3.0}
        for name, high in most.items():
            if not 0.0 <= getattr(self, name) <= high:
                raise ValueError(f"footage: {name} is {getattr(self, name)}; allowed: 0 to {high:g}")
        if not 1.0 <= self.fps <= 120.0:
            raise ValueError(f"footage: fps is {self.fps}; allowed: 1 to 120")
        if self.shape_components < 0:
            raise ValueError(f"footage: shape_components is {self.shape_components}; allowed: 0 or more")
        if not 0 <= self.quality <= 51:
            raise ValueError(f"footage: quality is {self.quality}; allowed: 0 to 51")


@dataclass(frozen=True, eq=False)
class Footage:
    """A filmed performance and what is true of it."""

    path: Path
    """The video."""
    truth: FaceSequence
    """The clip that was drawn, in the camera's frame."""
    camera: PinholeCamera
    script: Script
    attributes: dict[str, Any] = field(default_factory=dict)
    """Skin, light, background, framing...: what was drawn, in words and numbers."""


def truth_path(path: str | os.PathLike[str]) -> Path:
    """Where the true clip of a video lies."""
    return Path(path).with_suffix(".truth.npz")


def sidecar_path(path: str | os.PathLike[str]) -> Path:
    """Where camera, script and attributes of a video lie."""
    return Path(path).with_suffix(".json")


def film(script: Script, out_path: str | os.PathLike[str], config: FootageConfig | None = None, seed: int = 0,
         head: HeadModel | None = None, progress: Callable[[int, int], None] | None = None) -> Footage:
    """Film a performance: ``out_path`` (.mp4), ``<stem>.truth.npz`` and ``<stem>.json``.

    The same script, configuration and seed give the same bytes on one machine.

    Args:
        script: what is performed.
        out_path: the video.
        config: how it is filmed; None is the default.
        seed: of identity, camera, light, background, noise and idle motion.
        head: who performs; needs ARKit-named expression columns. None is the default head.
        progress: called with (frames done, frames in all).

    Raises:
        ValueError: not an .mp4 name, or a head that the performer cannot move.
        FileNotFoundError: the folder does not exist.
    """
    out = Path(out_path)
    if out.suffix.lower() != ".mp4":
        raise ValueError(f"footage is written as .mp4, not {out.name!r}")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"the folder {out.parent} does not exist; create it first")
    take = prepare(script, config, seed, head)
    size = (take.placement.camera.width, take.placement.camera.height)
    write_mp4(take.frames(), out, size, take.truth.fps, len(take.truth), progress=progress, quality=take.config.quality)
    take.truth.save(truth_path(out))
    row = {"format": FORMAT, "version": FORMAT_VERSION, "seed": seed, "camera": asdict(take.placement.camera),
           "head": asdict(take.head.ref), "script": json.loads(script.to_json()), "attributes": take.attributes,
           "config": asdict(take.config)}
    with atomic_file(sidecar_path(out)) as partial:
        partial.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    return Footage(out, take.truth, take.placement.camera, script, take.attributes)


@dataclass(frozen=True, eq=False)
class Take:
    """Everything of a filmed performance but the pictures, which ``frames`` draws."""

    head: HeadModel
    truth: FaceSequence
    placement: Placement
    scene: Scene
    config: FootageConfig
    seed: int
    attributes: dict[str, Any]

    def frames(self, sensor: bool = True) -> Iterator[NDArray[np.uint8]]:
        """(H, W, 3) uint8 sRGB each; without ``sensor`` clean, as rendered."""
        size = (self.placement.camera.width, self.placement.camera.height)
        renderer = SceneRenderer(self.head, self.placement, self.scene)
        record = Sensor(_rng(self.seed, 4), size, self.scene) if sensor else None
        for start in range(0, len(self.truth), _CHUNK):
            pick = np.arange(start, min(start + _CHUNK, len(self.truth)))
            for vertices in self.head.sequence_vertices(self.truth, pick):
                picture = renderer.draw(vertices)
                yield picture if record is None else record(picture)


def prepare(script: Script, config: FootageConfig | None = None, seed: int = 0, head: HeadModel | None = None) -> Take:
    """Draw identity, camera and scene, and perform; see :func:`film`."""
    cfg, model = config or FootageConfig(), head or HeadModel.default()
    if seed < 0:
        raise ValueError(f"seed is {seed}; allowed: 0 or more")
    size = check_size(cfg.size)
    rng = _rng(seed, 0)
    shape = np.zeros(model.n_shape, np.float32)
    count = min(cfg.shape_components, model.n_shape)
    shape[:count] = np.clip(rng.normal(0.0, cfg.shape_std, count), -2.5 * cfg.shape_std, 2.5 * cfg.shape_std)
    motion = perform(script, model, shape=shape, fps=cfg.fps)
    if cfg.idle:
        motion = add_idle(motion, int(rng.integers(0, 2**31)), IdleConfig())
    turn = _constant_turn(_rng(seed, 1), motion, cfg)
    middle, height = head_frame(model, shape)
    placement = place(_rng(seed, 2), size, height, cfg.fov, cfg.share, turn)
    scene = draw_scene(_rng(seed, 3), size, cfg.noise, cfg.blur)
    truth = _in_camera(motion, model, placement, middle, _sway(_rng(seed, 5), motion, cfg.sway))
    share = placement.share
    attributes = {
        **scene.attributes, "framing": "close" if share > 0.58 else "medium" if share > 0.45 else "wide",
        "share": round(share, 3), "fov": round(placement.camera.fov, 2), "distance": round(-placement.centre[2], 3),
        "pitch": round(turn[0], 2), "yaw": round(turn[1], 2), "roll": round(turn[2], 2), "idle": cfg.idle,
    }
    return Take(model, truth, placement, scene, cfg, seed, attributes)


def _rng(seed: int, stream: int) -> np.random.Generator:
    """One stream for each concern, so that a change in one leaves the others as they were."""
    return np.random.default_rng([seed, stream, 0xF117])


def _constant_turn(rng: np.random.Generator, motion: FaceSequence, cfg: FootageConfig) -> tuple[float, float, float]:
    """Pitch, yaw, roll in degrees that keep base plus performed angle within the limit where possible."""
    out = []
    for axis, largest in enumerate((cfg.pitch, cfg.yaw, cfg.roll)):
        performed = np.degrees(motion.neck_pose[:, axis])
        low = max(-largest, -cfg.turn_limit - min(0.0, float(performed.min())))
        high = min(largest, cfg.turn_limit - max(0.0, float(performed.max())))
        at = float(rng.uniform())
        if low > high:  # the performance alone is wider than the limit: as near to the middle of it as allowed
            low = high = float(np.clip((low + high) / 2, -largest, largest))
        out.append(low + (high - low) * at)
    return out[0], out[1], out[2]


def _sway(rng: np.random.Generator, motion: FaceSequence, amplitude: float) -> NDArray[np.float64]:
    """(T, 3) metres: slow movement of the whole subject, below 0.4 Hz."""
    t = np.arange(len(motion)) / motion.fps
    hertz, phase = rng.uniform(0.05, 0.35, (3, 3)), rng.uniform(0.0, 2 * np.pi, (3, 3))
    waves = np.sin(2 * np.pi * hertz * t[:, None, None] + phase).sum(1) / 3.0
    return np.asarray(amplitude * waves)


def _in_camera(motion: FaceSequence, head: HeadModel, placement: Placement, middle: NDArray[np.float64],
               sway: NDArray[np.float64]) -> FaceSequence:
    """The performance turned and moved so that the resting head's middle is at the placement's centre."""
    rotation = np.tile(np.asarray(placement.rotation, np.float32), (len(motion), 1))
    root = head.joints(motion.shape)[0].astype(np.float64)
    turned = rotation_matrices(rotation[:1])[0].astype(np.float64) @ (middle - root) + root
    translation = np.asarray(placement.centre) - turned + sway
    return motion.replace(rotation=rotation, translation=translation.astype(np.float32))


def load_footage(path: str | os.PathLike[str]) -> Footage:
    """A filmed performance with its truth.

    Args:
        path: the video; its sidecars lie beside it.

    Raises:
        FileNotFoundError: the video or a sidecar is missing.
        ValueError: a sidecar is damaged or of another kind.
    """
    video = Path(path)
    for needed in (video, truth_path(video), sidecar_path(video)):
        if not needed.is_file():
            raise FileNotFoundError(f"no such file: {needed}; film() writes the video, .truth.npz and .json together")
    try:
        row = json.loads(sidecar_path(video).read_text(encoding="utf-8"))
        if row["format"] != FORMAT or row["version"] != FORMAT_VERSION:
            raise ValueError(f"{row['format']} version {row['version']}")
        camera = PinholeCamera(float(row["camera"]["focal"]), int(row["camera"]["width"]), int(row["camera"]["height"]))
        script = Script.from_json(json.dumps(row["script"]))
        attributes = dict(row["attributes"])
    except (KeyError, TypeError, ValueError) as err:
        raise ValueError(f"{sidecar_path(video)} is not a footage sidecar ({err}); film the clip again") from err
    return Footage(video, FaceSequence.load(truth_path(video)), camera, script, attributes)


def embedded_points(seq: FaceSequence, embedding: Embedding, head: HeadModel | None = None) -> NDArray[np.float32]:
    """(T, L, 3) metres: the embedding's points on a clip's mesh, without evaluating the whole mesh."""
    model = head or HeadModel.default()
    seq.require_head(model.ref)
    corners = model.faces[embedding.faces]
    needed, where = np.unique(corners, return_inverse=True)
    vertices = model.subset(needed).vertices(seq.expr, seq.rotation, seq.neck_pose, seq.jaw_pose, seq.eyes_pose,
                                             seq.translation, seq.shape if len(seq.shape) else None)
    return np.einsum("tlkc,lk->tlc", vertices[:, where.reshape(corners.shape)], embedding.bary).astype(np.float32)


def truth_detections(footage: Footage, embedding: Embedding, noise_px: float = 1.0, seed: int = 0,
                     head: HeadModel | None = None) -> Detections:
    """What a perfect detector with ``noise_px`` of white noise would have seen of a filmed performance.

    Points that the embedding lacks are NaN. Depth is relative, in pixels, negative towards the
    camera, as MediaPipe's. Blendshapes are NaN: the landmarks must tell all. Pose is the true one,
    in centimetres as MediaPipe's, without the origin of its canonical face.

    Args:
        footage: the clip.
        embedding: where MediaPipe's points lie on the head.
        noise_px: standard deviation in both directions, px.
        seed: of the noise.
        head: the head of the clip; None is the default head.
    """
    from ..fit.detect import Detections

    truth, camera = footage.truth, footage.camera
    on_head = embedded_points(truth, embedding, head)
    frames = len(truth)
    noise = np.random.default_rng([seed, 0xDE7EC7]).normal(0.0, noise_px, (*on_head.shape[:2], 2))
    points = np.full((frames, 478, 2), np.nan, np.float32)
    points[:, embedding.index] = camera.project(on_head) + noise
    depth = np.full((frames, 478), np.nan, np.float32)
    middle = on_head[..., 2].mean(1, keepdims=True)
    depth[:, embedding.index] = (middle - on_head[..., 2]) * camera.focal / -middle
    blendshapes = np.full((frames, len(ARKIT_52)), np.nan, np.float32)
    pose = np.tile(np.eye(4, dtype=np.float32), (frames, 1, 1))
    pose[:, :3, :3] = rotation_matrices(truth.rotation) @ rotation_matrices(truth.neck_pose)
    pose[:, :3, 3] = 100 * on_head.mean(1)
    return Detections(points=points, depth=depth, blendshapes=blendshapes, pose=pose, valid=np.ones(frames, bool),
                      width=camera.width, height=camera.height, fps=truth.fps, events=(), faces_seen=1)
