"""From any clip to one as the words and the language model expect it: :func:`normalise`, once.

The synthetic corpus moves a face that rests exactly at zero and looks straight ahead. A filmed
face rests where its owner sits: a little off the camera, eyes on it, brows a little low, lids a
little narrow. What stays the same over a clip is not what happens in it. ``canonical.py``
takes the head's resting orientation away, its place and what is too small to be meant; this
adds two things: gaze that only meets the camera, and small constant expression.
"""

from __future__ import annotations

import dataclasses
from dataclasses import field
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass
from scipy.spatial.transform import Rotation

from ...common.config import SETTINGS
from .canonical import CanonicalConfig, bridge, canonical, orientation, resting_orientation
from .channels import EXPR_NAMES
from .sequence import FaceSequence
from .spontaneous import filter_idle

Array = NDArray[np.float64]
_LIDS = [EXPR_NAMES.index("eyeBlinkLeft"), EXPR_NAMES.index("eyeBlinkRight")]
_UPPER = np.array([n.startswith(("brow", "eye", "cheekSquint")) for n in EXPR_NAMES])
_NEVER, _ZERO, _MOST = 0.05, 0.005, 0.55
"""Of the frames of a recording all but this share are above this value in more than this share of the channels: 0.66 and 0.68 in
two Live Link takes, at most 0.46 in performed clips that hold a feeling from the first frame on."""
STILL_SECONDS = 1.0
"""A picture becomes a clip of this length."""
Positive = Annotated[float, Field(gt=0, le=1000)]
Limit = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=SETTINGS)
class PrepareConfig:
    """What counts as the resting face of a filmed person."""

    fps: Positive = 25.0
    """Frame rate of the result (the tokenizer's)."""
    meets: Positive = 10.0
    """Gaze this close to the camera's direction looks at the camera, degrees."""
    calm: Positive = 10.0
    """Gaze at rest is read while the head is this close to its resting orientation, degrees."""
    quantile: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    """Share of frames in which a channel is at rest at least."""
    resting: Limit = 0.25
    """Constant expression up to this is the resting face, share of full action; beyond it, less and less is."""
    resting_upper: Limit = 0.4
    """The same for brows and lids, which differ more from person to person."""
    resting_jaw: Limit = 3.0
    """The same for the open jaw, degrees."""
    least_seconds: Positive = 2.0
    """In shorter clips nothing tells resting from held expression, and none is taken away."""
    canonical: CanonicalConfig = field(default_factory=CanonicalConfig)
    """Orientation, gaps and idle motion."""


@dataclasses.dataclass(frozen=True)
class Normalised:
    """A clip whose face rests at zero and that holds commanded motion only, and what was taken away.

    The tokenizer encodes it as it is, while it cleans a plain FaceSequence first. ``Normalised(clip)`` marks a clip
    that never had anything else, such as a performed one.
    """

    seq: FaceSequence
    filmed: bool = False
    """Whether the clip was in a camera's frame."""
    rest_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Resting pitch, yaw and roll of the head in the camera's frame (a rotation vector)."""


def is_filmed(seq: FaceSequence) -> bool:
    """Whether a clip is in a camera's frame: the head is well in front of the camera (z < -0.1 m)."""
    return float(np.median(seq.translation[:, 2])) < -0.1


def is_recorded(seq: FaceSequence) -> bool:
    """Whether the shapes are those of a real face: most never are at zero, at which a performed face rests."""
    return float((np.quantile(seq.expr[seq.valid], _NEVER, axis=0) > _ZERO).mean()) > _MOST if seq.valid.any() else False


def is_real(seq: FaceSequence) -> bool:
    """Whether a clip is of a real face: filmed, or recorded."""
    return is_filmed(seq) or is_recorded(seq)


def normalise(seq: FaceSequence, config: PrepareConfig | None = None, *, filmed: bool | None = None) -> Normalised:
    """Make a clip like those of the corpus; one that was not filmed only loses its idle motion.

    Args:
        seq: a clip; of a filmed one, the head is in the camera's frame (camera at the origin, looking along -z).
        config: what counts as resting; None is the default.
        filmed: whether ``seq`` is in a camera's frame; None finds out (:func:`is_filmed`).

    Returns:
        Of a filmed clip: one at ``config.fps`` with head motion in ``neck_pose``, no translation and the identity kept.
        A single frame (a picture) becomes a still clip of a second, whose head is relative to facing the camera.

    Raises:
        ValueError: no frame of the clip is valid.
    """
    cfg = config or PrepareConfig()
    if not (is_filmed(seq) if filmed is None else filmed):
        return Normalised(filter_idle(seq, cfg.canonical.idle))
    clip = bridge(seq, cfg.canonical.bridge)
    facing, camera = _towards_camera(clip.translation.astype(np.float64))
    head = orientation(clip)
    rest = facing if len(clip) == 1 else resting_orientation(head, clip.fps, cfg.canonical)
    eyes = _gaze(clip, head, rest, camera, cfg)
    expr, jaw = _expression(clip, cfg)
    clip = clip.replace(expr=expr, jaw_pose=jaw, eyes_pose=eyes)
    if len(clip) == 1:
        neck = (rest.inv() * head).as_rotvec().astype(np.float32)
        still = clip.replace(rotation=np.zeros_like(neck), translation=np.zeros_like(neck), neck_pose=neck, fps=cfg.fps)
        out = still.concat(*[still] * (round(STILL_SECONDS * cfg.fps) - 1))
    else:
        out = canonical(clip, cfg.fps, cfg.canonical)
    pitch, yaw, roll = (float(v) for v in np.degrees(rest.as_rotvec()))
    return Normalised(out, True, (pitch, yaw, roll))


def _towards_camera(translation: Array) -> tuple[Rotation, Array]:
    """The rotation of a head that faces the camera, and the direction of the camera from it."""
    at = np.median(translation, axis=0)
    direction = -at / max(float(np.linalg.norm(at)), 1e-6)
    yaw, pitch = np.arctan2(direction[0], direction[2]), -np.arcsin(np.clip(direction[1], -1.0, 1.0))
    return Rotation.from_euler("YX", [yaw, pitch]), direction


def _gaze(clip: FaceSequence, head: Rotation, rest: Rotation, camera: Array, cfg: PrepareConfig) -> NDArray[np.float32]:
    """Eye angles without the resting gaze where that meets the camera."""
    # read while the head rests and the eyes are open
    calm = np.degrees((rest.inv() * head).magnitude()) < cfg.calm
    if clip.expr.shape[1] == len(EXPR_NAMES):
        lids = clip.expr[:, _LIDS].mean(axis=1)
        calm &= lids <= np.median(lids) + 0.15
    if not calm.any():
        calm[:] = True
    usual = np.median(clip.eyes_pose[calm].astype(np.float64), axis=0)
    mean = 0.5 * (usual[:3] + usual[3:])
    ahead = (rest * Rotation.from_rotvec(mean)).apply([0.0, 0.0, 1.0])
    off = np.degrees(np.arccos(np.clip(ahead @ camera, -1.0, 1.0)))
    if off > cfg.meets:
        return clip.eyes_pose
    return (clip.eyes_pose - usual).astype(np.float32)


def _fading(level: Array, limit: Array) -> Array:
    """How much of a constant level is resting: all of it up to the limit, nothing from twice the limit on."""
    return np.clip(np.minimum(level, 2.0 * limit - level), 0.0, None)


def _expression(clip: FaceSequence, cfg: PrepareConfig) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Expression and jaw without what is small and constant."""
    if clip.expr.shape[1] != len(EXPR_NAMES) or clip.seconds < cfg.least_seconds:
        return clip.expr, clip.jaw_pose
    limit = np.where(_UPPER, cfg.resting_upper, cfg.resting)
    taken = _fading(np.quantile(clip.expr.astype(np.float64), cfg.quantile, axis=0), limit)
    # what lies below the resting level (a fit's noise) is rest; values that were negative before stay
    expr = np.where(taken > 0.0, np.maximum(clip.expr - taken, np.minimum(clip.expr, 0.0)), clip.expr)
    jaw = clip.jaw_pose.copy()
    opened = float(np.quantile(jaw[:, 0], cfg.quantile))
    share = _fading(np.array([opened]), np.radians([cfg.resting_jaw]))[0]
    if share > 0.0:
        jaw[:, 0] = np.maximum(jaw[:, 0] - share, np.minimum(jaw[:, 0], 0.0))
    return expr.astype(np.float32), jaw.astype(np.float32)
