"""Where a fitted video is cut into windows: at frames without a fit, and at rest where it is too long; a source's last part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canonical import bridge, orientation
from .channels import JAW_SCALE
from .curves import runs
from .sequence import FaceSequence

_RECENT = 2.0
"""How much of the source before its frame distinguishes a blink from closed eyes, s."""


@dataclass(frozen=True)
class Window:
    """Frames ``start`` to ``stop`` (half open) of a fitted video."""

    start: int
    stop: int


def windows(seq: FaceSequence, min_seconds: float, max_seconds: float, gap: float = 0.5) -> list[Window]:
    """The windows of a fitted video.

    Args:
        seq: the fit; gaps up to ``gap`` seconds do not interrupt a window.
        min_seconds: shorter stretches are left out.
        max_seconds: longer ones are cut at their quietest moment, so that no movement is torn where that can be.

    Raises:
        ValueError: no frame is valid.
    """
    whole = bridge(seq, gap)
    restless = _restlessness(whole)
    shortest, longest = max(1, round(min_seconds * seq.fps)), max(2, round(max_seconds * seq.fps))
    out = []
    for start, stop in runs(whole.valid):
        while stop - start > longest:
            low, high = start + max(longest // 2, shortest), min(start + longest, stop - shortest)
            if high <= low:
                low, high = start + longest // 2, start + longest
            cut = low + int(np.argmin(restless[low:high]))
            out.append(Window(start, cut))
            start = cut
        out.append(Window(start, stop))
    return [w for w in out if w.stop - w.start >= shortest]


def _restlessness(seq: FaceSequence) -> NDArray[np.float64]:
    """(T,) how much moves around each frame and how far it is from rest, where 1 is about a full action."""
    turned = orientation(seq)
    step = np.zeros(len(seq))
    if len(seq) > 1:
        head = (turned[:-1].inv() * turned[1:]).magnitude() / 0.35
        jaw = np.linalg.norm(np.diff(seq.jaw_pose, axis=0), axis=1) / JAW_SCALE
        step[1:] = (head + jaw + np.abs(np.diff(seq.expr, axis=0)).max(axis=1)) * seq.fps
    width = max(1, round(0.2 * seq.fps)) | 1
    moving = np.convolve(np.pad(step, width // 2, mode="edge"), np.ones(width) / width, mode="valid")
    return moving + 0.5 * np.abs(seq.expr).max(axis=1)


def recent(clip: FaceSequence, at: float | None = None) -> FaceSequence:
    """What matters of a source: up to 2 s that end with the frame ``at`` seconds (None: the last frame).

    Raises:
        ValueError: a time outside the clip.
    """
    if at is not None and not 0.0 <= at <= clip.seconds + 1e-6:
        raise ValueError(f"at is {at:g} s; allowed: 0 to {clip.seconds:g} s, the source's length")
    index = len(clip) - 1 if at is None else min(round(at * clip.fps), len(clip) - 1)
    return clip.slice(max(0, index - round(_RECENT * clip.fps)), index + 1)
