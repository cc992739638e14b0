"""How a face gets from one key pose to the next: as the model timed it, linearly, or by minimum jerk.

The key poses (source, expressions) and the times at which a movement between two of them begins and ends
come from a clip; what differs is the way in between. ``linear`` is eq. 16 of Vo et al.,
"Instruction-Driven 3D Facial Expression Generation and Transition", IEEE TMM 2025,
https://arxiv.org/abs/2601.08179: expression and pose parameters are mixed with a share that grows evenly.
``minjerk`` takes the share from the minimum-jerk law (Flash & Hogan, J. Neurosci. 5(7), 1985,
https://doi.org/10.1523/JNEUROSCI.05-07-01688.1985) and turns joints on the shortest arc (slerp; Shoemake,
SIGGRAPH 1985, https://doi.org/10.1145/325334.325242). ``learned`` leaves the clip as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data_gen.performer.dynamics import minimum_jerk
from ...data_gen.performer.transitions import state
from ...face.clip.channels import MOTION_FIELDS
from ...face.clip.rotation import slerp
from ...face.clip.sequence import FaceSequence
from ..requests import CURVES

_LOW, _HIGH = 0.1, 0.9
_EARLY = 0.246_636_45
"""Share of a minimum-jerk stroke's time at which a tenth of its way is done; nine tenths are done at 1 minus it."""
_NOTHING = 0.02
"""A movement smaller than this, share of a full action, has no times of its own."""


@dataclass(frozen=True)
class Stroke:
    """One movement between two key poses; frames, with fractions."""

    start: float
    stop: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.start <= self.stop:
            raise ValueError(f"a movement from frame {self.start:g} to {self.stop:g} is not possible; "
                             "it must begin at 0 or later and end after its beginning")


def check_curve(curve: str) -> str:
    """The curve's name.

    Raises:
        ValueError: not one of :data:`CURVES`.
    """
    if curve not in CURVES:
        raise ValueError(f"curve is {curve!r}; allowed: {', '.join(CURVES)}")
    return curve


def check_keys(keys: Sequence[int], frames: int) -> tuple[int, ...]:
    """Key frames of a clip of ``frames`` frames.

    Raises:
        ValueError: none, not rising, or outside the clip.
    """
    out = tuple(int(k) for k in keys)
    if not out or out[0] < 0 or out[-1] >= frames or any(b < a for a, b in zip(out, out[1:], strict=False)):
        raise ValueError(f"the key frames are {out}; needed: at least one, rising, from 0 to {frames - 1}")
    return out


def strokes(clip: FaceSequence, keys: Sequence[int]) -> tuple[Stroke, ...]:
    """When the movement to each key pose begins and ends.

    The times at which a tenth and nine tenths of the way are done are found in the clip; begin and end are those of the
    minimum-jerk stroke through both, inside the frames between the two keys. What lies outside a stroke is a hold.

    Args:
        clip: a transition.
        keys: frames of its key poses, rising; the source is frame 0 and not among them.

    Returns:
        One stroke a key; where nothing moves, it takes all the frames from key to key.
    """
    keys = check_keys(keys, len(clip))
    x = state(clip)
    out = []
    for low, high in zip((0, *keys), keys, strict=False):
        way = x[high] - x[low]
        size = float(way @ way)
        if high - low < 2 or size < _NOTHING**2:
            out.append(Stroke(float(low), float(high)))
            continue
        share = (x[low:high + 1] - x[low]) @ way / size
        middle = int(np.argmax(share >= 0.5))
        before = _crossing(share[:middle + 1][::-1], _LOW)
        first, last = middle - before, middle + _crossing(1.0 - share[middle:], 1.0 - _HIGH)
        length = (last - first) / (1.0 - 2.0 * _EARLY)
        start = max(0.0, first - _EARLY * length)
        stop = min(float(high - low), last + _EARLY * length)
        out.append(Stroke(low + start, low + max(stop, start)))
    return tuple(out)


def _crossing(falling: NDArray[np.float64], level: float) -> float:
    """Where a curve that begins above ``level`` first falls to it, in samples; its end if it never does."""
    below = np.flatnonzero(falling <= level)
    if not len(below):
        return float(len(falling) - 1)
    at = int(below[0])
    if at == 0:
        return 0.0
    return at - 1 + float((falling[at - 1] - level) / max(falling[at - 1] - falling[at], 1e-12))


def through(poses: FaceSequence, moves: Sequence[Stroke], frames: int, curve: str) -> FaceSequence:
    """A clip that goes from pose to pose.

    Args:
        poses: the key poses as ``K + 1`` frames: the source, then each expression.
        moves: the K movements, one after the other.
        frames: length of the clip.
        curve: ``linear`` or ``minjerk``.

    Returns:
        ``frames`` frames; before, between and after the movements the poses are held exactly.

    Raises:
        ValueError: another curve, another number of poses, movements that overlap, or no frames.
    """
    if curve not in CURVES[1:]:
        raise ValueError(f"curve is {curve!r}; allowed between key poses: {', '.join(CURVES[1:])}")
    if len(poses) != len(moves) + 1 or not moves:
        raise ValueError(f"{len(poses)} poses for {len(moves)} movements; one pose more than movements is needed")
    if any(b.start < a.stop - 1e-9 for a, b in zip(moves, moves[1:], strict=False)):
        raise ValueError("the movements overlap; each must begin when the one before it has ended")
    if frames < 1:
        raise ValueError(f"frames is {frames}; at least 1 is needed")
    t = np.arange(frames, dtype=np.float64)
    share = np.zeros(frames)  # 1.25: a quarter of the way from pose 1 to pose 2
    for move in moves:
        length = move.stop - move.start
        done = np.clip((t - move.start) / length, 0.0, 1.0) if length > 1e-9 else (t >= move.stop).astype(np.float64)
        share += minimum_jerk(done) if curve == "minjerk" else done
    low = np.minimum(share.astype(int), len(moves) - 1)
    mix = (share - low)[:, None]
    fields: dict[str, object] = {"valid": poses.valid[low] & poses.valid[low + 1]}
    for name in ("expr", *MOTION_FIELDS):
        value = getattr(poses, name).astype(np.float64)
        if curve == "minjerk" and name not in ("expr", "translation"):
            mixed = np.concatenate([_arc(value[:, i:i + 3], share) for i in range(0, value.shape[1], 3)], axis=1)
        else:
            mixed = (1.0 - mix) * value[low] + mix * value[low + 1]  # the paper's delta is 1 - mix
        for index in range(len(poses)):  # a pose that is held is held to the bit
            mixed[share == index] = value[index]
        fields[name] = mixed.astype(np.float32)
    return poses.replace(**fields)


def _arc(axis_angle: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    if np.ptp(axis_angle, axis=0).max() == 0.0:
        return np.repeat(axis_angle[:1], len(share), axis=0)
    return slerp(axis_angle, share)


def retime(clip: FaceSequence, keys: Sequence[int], curve: str, keep: Sequence[str] = ()) -> FaceSequence:
    """The same key poses and holds with another way in between.

    Args:
        clip: a transition of T frames; frame 0 is its source.
        keys: frames of the key poses, rising.
        curve: see :data:`CURVES`; ``learned`` returns the clip as it is.
        keep: fields that stay as they are in the clip (``neck_pose`` of a face that nods meanwhile).

    Returns:
        T frames; after the last key, the last key pose is held.

    Raises:
        ValueError: another curve, or key frames outside the clip.
    """
    check_curve(curve)
    keys = check_keys(keys, len(clip))
    if curve == "learned":
        return clip
    at = [0, *keys]
    poses = clip.replace(**{n: getattr(clip, n)[at] for n in ("expr", *MOTION_FIELDS, "valid")})
    out = through(poses, strokes(clip, keys), len(clip), curve)
    return out.replace(**{name: getattr(clip, name) for name in keep})


def anchors(poses: FaceSequence, keys: Sequence[int], frames: int, curve: str = "linear") -> FaceSequence:
    """Move all the time from each pose to the next.

    This is the FET of the paper, whose poses are source, first and second expression.

    Args:
        poses: ``K + 1`` frames: the source, then each expression.
        keys: the K frames at which the expressions are reached, rising.
        frames: length of the clip.
        curve: ``linear`` (the paper) or ``minjerk``.
    """
    keys = check_keys(keys, frames)
    moves = [Stroke(float(a), float(b)) for a, b in zip((0, *keys), keys, strict=False)]
    return through(poses, moves, frames, curve)
