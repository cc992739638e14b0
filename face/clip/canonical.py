"""From a fitted clip, as the camera saw it, to the motion that the rest of facelm reads.

A fit gives the head's orientation and place in front of one camera. What the words are about is
motion relative to how this head rests in this clip: a face filmed from the side has not turned.
:func:`canonical` bridges frames without a fit, resamples, takes the resting orientation out and
removes what is too small to be meant (face/clip/spontaneous.py).
"""

from __future__ import annotations

from dataclasses import field
from math import radians
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass
from scipy.ndimage import binary_dilation
from scipy.spatial.transform import Rotation

from ...common.config import SETTINGS
from .channels import EXPR_INDEX, EXPR_NAMES, MOTION_FIELDS
from .curves import filled, runs
from .rotation import slerp
from .sequence import FaceSequence
from .spontaneous import IdleConfig, filter_idle

Array = NDArray[np.float64]
_MOST = 1200
"""Frames that the search for the resting orientation compares; more are thinned out."""


@dataclass(frozen=True, config=SETTINGS)
class CanonicalConfig:
    """How a fitted clip is made comparable to a performed one."""

    bridge: Annotated[float, Field(ge=0, le=60)] = 0.5
    """Longest gap that counts as seen after interpolation, s; longer ones are interpolated but stay invalid."""
    quiet: Annotated[float, Field(ge=0.01, le=90)] = 2.0
    """A frame is quiet when the head stays within this of its median over 0.28 s, degrees."""
    spread: Annotated[float, Field(ge=0.01, le=90)] = 4.0
    """Orientations this close to each other are one pose, degrees."""
    start: Annotated[float, Field(ge=0, le=1e6)] = 4.0
    """What a quiet beginning is worth, in seconds of staying in one pose: short clips begin at rest."""
    centre_gaze: Annotated[float, Field(ge=0, le=90)] = 15.0
    """A gaze offset up to this is the eyes' resting position in this clip, degrees; 0 leaves gaze alone."""
    closed: Annotated[float, Field(ge=0, le=1)] = 0.35
    """Lids closed further than this hide the gaze, which then goes on from before to after; 1 leaves it alone."""
    idle: IdleConfig = field(default_factory=IdleConfig)
    """Dead zones of the filter."""
    filtered: bool = True
    """Whether motion within the dead zones is removed."""



def canonical(seq: FaceSequence, fps: float = 25.0, config: CanonicalConfig | None = None) -> FaceSequence:
    """A clip whose head motion is relative to how the head rests in it.

    Args:
        seq: a fitted or filmed clip in the camera's frame; its orientation is ``R(rotation) R(neck_pose)``.
        fps: of the result.
        config: see :class:`CanonicalConfig`; None is the default.

    Returns:
        A clip of ``round(seconds * fps)`` frames: ``rotation`` and ``translation`` 0, head motion in
        ``neck_pose``; ``valid`` False only inside gaps longer than ``bridge``.

    Raises:
        ValueError: no frame of the clip is valid.
    """
    cfg = config or CanonicalConfig()
    clip = bridge(seq, cfg.bridge).resample(fps)
    turned = orientation(clip)
    rest = resting_orientation(turned, clip.fps, cfg)
    zero = np.zeros_like(clip.rotation)
    eyes = _behind_lids(clip, cfg.closed)
    if cfg.centre_gaze:
        eyes = _centred(eyes, radians(cfg.centre_gaze))
    clip = clip.replace(rotation=zero, translation=zero, eyes_pose=eyes,
                        neck_pose=(rest.inv() * turned).as_rotvec().astype(np.float32))
    return filter_idle(clip, cfg.idle) if cfg.filtered else clip


def orientation(seq: FaceSequence) -> Rotation:
    """The head's orientation in each frame, global and neck rotation together."""
    return Rotation.from_rotvec(seq.rotation.astype(np.float64)) * Rotation.from_rotvec(seq.neck_pose.astype(np.float64))


def bridge(seq: FaceSequence, longest: float = 0.5) -> FaceSequence:
    """Frames that are not valid, filled in between their neighbours (rotations by slerp).

    Args:
        seq: the clip.
        longest: gaps up to this many seconds become valid.

    Raises:
        ValueError: no frame is valid.
    """
    good = np.flatnonzero(seq.valid)
    if not len(good):
        raise ValueError("no frame of the clip has a fit (valid is False throughout); fit it again, or use another recording")
    if len(good) == len(seq):
        return seq
    at = np.clip(np.arange(len(seq), dtype=np.float64), good[0], good[-1])
    low = good[np.clip(np.searchsorted(good, at, side="right") - 1, 0, len(good) - 1)]
    high = good[np.clip(np.searchsorted(good, at, side="left"), 0, len(good) - 1)]
    mix = ((at - low) / np.maximum(high - low, 1))[:, None]
    out: dict[str, np.ndarray] = {}
    for name in ("expr", *MOTION_FIELDS):
        value = np.asarray(getattr(seq, name), np.float64)
        if name in ("expr", "translation"):
            out[name] = value[low] * (1.0 - mix) + value[high] * mix
        else:
            out[name] = slerp(value[good], at, good)
        out[name] = np.where(seq.valid[:, None], value, out[name]).astype(np.float32)
    valid = seq.valid.copy()
    for a, b in runs(~seq.valid):
        if (b - a) / seq.fps <= longest:
            valid[a:b] = True
    return seq.replace(valid=valid, **out)


def resting_orientation(turned: Rotation, fps: float, config: CanonicalConfig | None = None) -> Rotation:
    """The pose that the head of a clip comes from and goes back to.

    It is the mode of the orientations over quiet frames (a mean would follow every turn), where the
    pose of a quiet beginning counts as ``config.start`` seconds more. A clip in which the head never
    comes to rest has its mode over all frames.

    Args:
        turned: one orientation a frame.
        fps: frames a second.
        config: see :class:`CanonicalConfig`.
    """
    cfg = config or CanonicalConfig()
    middle = turned[len(turned) // 2]
    local = (middle.inv() * turned).as_rotvec()  # one chart for all frames, so that medians make sense
    still = _quiet(local, max(1, round(0.14 * fps)), radians(cfg.quiet))
    if still.sum() < max(2, 0.12 * fps):
        still = np.ones(len(local), bool)
    kept = np.flatnonzero(still)
    step = -(-len(kept) // _MOST)
    seconds = step / fps
    kept = kept[::step]
    near = np.cos(radians(cfg.spread) / 2)  # |q1 . q2| of two rotations that far apart
    quats = turned[kept].as_quat()
    close = np.abs(quats @ quats.T) >= near
    dwell = close.sum(axis=1) * seconds
    beginning = max(2, round(0.12 * fps))
    if still[:beginning].all():
        dwell = dwell + cfg.start * close[:, 0]
    best = int(np.argmax(dwell))
    members = close[best]
    if cfg.start and still[:beginning].all() and close[best, 0]:
        members = close[0]
    return turned[kept[members]].mean()


def _quiet(local: Array, reach: int, limit: float) -> NDArray[np.bool_]:
    """Frames within ``limit`` of the median of their surroundings, all of which are."""
    frames = len(local)
    if frames == 1:
        return np.ones(1, bool)
    padded = np.pad(local, ((reach, reach), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)  # (T, 3, W)
    away = np.linalg.norm(windows - np.median(windows, axis=2, keepdims=True), axis=1)
    return np.asarray(away.max(axis=1) <= limit)


def _behind_lids(clip: FaceSequence, closed: float) -> NDArray[np.float32]:
    """Eye angles with those that closed lids hide bridged; what a fit says of them there is the lids' doing."""
    if clip.expr.shape[1] != len(EXPR_NAMES) or closed >= 1.0:
        return clip.eyes_pose
    lids = clip.expr[:, [EXPR_INDEX["eyeBlinkLeft"], EXPR_INDEX["eyeBlinkRight"]]].max(axis=1)
    hidden = lids > closed
    if not hidden.any() or hidden.all():
        return clip.eyes_pose
    around = binary_dilation(hidden, iterations=max(1, round(0.04 * clip.fps)))
    return filled(clip.eyes_pose, ~(around if not around.all() else hidden))


def _centred(eyes: NDArray[np.float32], limit: float) -> NDArray[np.float32]:
    """Eye angles without the offset at which they rest, when that is small."""
    gaze = (eyes[:, :3] + eyes[:, 3:]) / 2
    thin = gaze[:: -(-len(gaze) // _MOST)]
    close = np.abs(thin[:, None] - thin[None]).max(axis=2) <= radians(2.0)
    rest = thin[close[int(np.argmax(close.sum(axis=1)))]].mean(axis=0)
    if np.abs(rest).max() > limit:
        return eyes
    return (eyes - np.tile(rest, 2)).astype(np.float32)
