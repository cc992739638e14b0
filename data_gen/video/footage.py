"""Performances on film: a script becomes a video whose every parameter is known.

``film`` performs a script with a random identity, stands it before a random camera under random
light, renders, adds sensor noise and compresses. The clip that was drawn is kept in the camera's
frame (origin at the camera, looking along -z, y up): ``camera.project(head.sequence_vertices(truth))``
is where every vertex is in the picture. That is what a fitter of real video is tested against, and
what replaces text-to-video where none is at hand.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass as settings

from ...common.config import SETTINGS
from ...common.files import write_text
from ...common.progress import Progress, silent
from ...face.clip.rotation import rotation_matrices
from ...face.clip.sequence import FaceSequence
from ...face.clip.spontaneous import IdleConfig, add_idle
from ...face.facs.schedule import Schedule
from ...face.head.model import HeadModel
from ...face.io.video import write_mp4
from ...face.render.camera import PinholeCamera, check_size
from ..performer.animator import perform
from .scene import Placement, Scene, SceneRenderer, Sensor, draw_scene, head_frame, place

FORMAT = "facelm-footage"
FORMAT_VERSION = 1
_CHUNK = 32
"""Frames whose vertices are held at once."""
Range = tuple[float, float]


def _rising(low: float, high: float) -> AfterValidator:
    def check(pair: Range) -> Range:
        if not low <= pair[0] <= pair[1] <= high:
            raise ValueError(f"{pair} is not two rising numbers from {low:g} to {high:g}")
        return pair

    return AfterValidator(check)


@settings(frozen=True, config=SETTINGS)
class FootageConfig:
    """How performances are filmed. Ranges are drawn from uniformly, once a clip."""

    size: int | tuple[int, int] = (256, 256)
    """Picture, px: one side or (width, height); even numbers keep the picture as it is."""
    fps: Annotated[float, Field(ge=1, le=120)] = 25.0
    """Frames a second."""
    fov: Annotated[Range, _rising(1.0, 120.0)] = (14.0, 40.0)
    """Vertical field of view, degrees."""
    share: Annotated[Range, _rising(0.05, 1.0)] = (0.35, 0.70)
    """Head height (chin to crown) over picture height."""
    pitch: Annotated[float, Field(ge=0, le=60)] = 12.0
    """Largest constant pitch of the subject to the camera, degrees."""
    yaw: Annotated[float, Field(ge=0, le=80)] = 20.0
    """Largest constant yaw."""
    roll: Annotated[float, Field(ge=0, le=90)] = 8.0
    """Largest constant roll."""
    turn_limit: Annotated[float, Field(ge=0, le=90)] = 32.0
    """The constant turn is drawn so that performed motion stays within this of the camera, degrees, where it can."""
    sway: Annotated[float, Field(ge=0, le=0.1)] = 0.003
    """Amplitude of the slow movement of the whole subject, metres."""
    shape_std: Annotated[float, Field(ge=0, le=3)] = 0.7
    """Standard deviation of the identity coefficients; see docs/head.md."""
    shape_components: Annotated[int, Field(ge=0)] = 20
    """Identity components drawn; the others are 0."""
    noise: Annotated[Range, _rising(0.0, 50.0)] = (0.5, 3.5)
    """Standard deviation of the sensor's noise, levels of 255."""
    blur: Annotated[Range, _rising(0.0, 0.25)] = (0.0, 0.18)
    """Weight of either neighbour in the softening filter, at most 0.25."""
    idle: bool = True
    """Whether spontaneous blinks, drift and micro-movement are added (face/clip/spontaneous.py)."""
    quality: Annotated[int, Field(ge=0, le=51)] = 20
    """x264's constant rate factor; higher is smaller and worse."""

    def __post_init__(self) -> None:
        check_size(self.size)


@dataclass(frozen=True, eq=False)
class Footage:
    """A filmed performance and what is true of it."""

    path: Path
    """The video."""
    truth: FaceSequence
    """The clip that was drawn, in the camera's frame."""
    camera: PinholeCamera
    script: Schedule
    attributes: dict[str, Any] = field(default_factory=dict)
    """Skin, light, background, framing...: what was drawn, in words and numbers."""


def truth_path(path: str | os.PathLike[str]) -> Path:
    """Where the true clip of a video lies."""
    return Path(path).with_suffix(".truth.npz")


def sidecar_path(path: str | os.PathLike[str]) -> Path:
    """Where camera, script and attributes of a video lie."""
    return Path(path).with_suffix(".json")


def film(script: Schedule, out_path: str | os.PathLike[str], config: FootageConfig | None = None, seed: int = 0,
         head: HeadModel | None = None, progress: Progress = silent) -> Footage:
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
        ValueError: not an .mp4 name, or a head that the animator cannot move.
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
    write_text(sidecar_path(out), json.dumps(row, indent=1) + "\n")
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


def prepare(script: Schedule, config: FootageConfig | None = None, seed: int = 0, head: HeadModel | None = None) -> Take:
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
    _, height = head_frame(model, shape)
    placement = place(_rng(seed, 2), size, height, cfg.fov, cfg.share, turn)
    scene = draw_scene(_rng(seed, 3), size, cfg.noise, cfg.blur)
    truth = in_camera(motion, model, placement, _sway(_rng(seed, 5), motion, cfg.sway))
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


def in_camera(motion: FaceSequence, head: HeadModel, placement: Placement,
              sway: NDArray[np.float64] | float = 0.0) -> FaceSequence:
    """A clip turned and moved so that the resting head's middle is at the placement's centre.

    Args:
        sway: (T, 3) metres of slow movement.
    """
    middle, _ = head_frame(head, motion.shape)
    rotation = np.tile(np.asarray(placement.rotation, np.float32), (len(motion), 1))
    root = head.joints(motion.shape)[0].astype(np.float64)
    turned = rotation_matrices(rotation[:1])[0].astype(np.float64) @ (middle - root) + root
    translation = np.zeros((len(motion), 1)) + (np.asarray(placement.centre) - turned) + sway
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
        script = Schedule.from_json(json.dumps(row["script"]))
        attributes = dict(row["attributes"])
    except (KeyError, TypeError, ValueError) as err:
        raise ValueError(f"{sidecar_path(video)} is not a footage sidecar ({err}); film the clip again") from err
    return Footage(video, FaceSequence.load(truth_path(video)), camera, script, attributes)
