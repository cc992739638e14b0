"""A photo with the expression that a script asks for, as a picture or a film, checked by measurement.

In place of generating pixels as He et al. 2026 (https://arxiv.org/abs/2603.14781) and the thesis of Syed 2025 ("From Words to
3D Faces", University of Oulu) do, the photo's own pixels move, so that identity and background are kept by construction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...common.progress import Progress, silent
from ...face.clip.sequence import FaceSequence
from ...face.facs.script import Script
from ...face.photo.warp import PhotoFace
from ..fit.photo import PhotoFit
from .apex import BROWS, LIDS, MOUTH, REGIONS, SQUINT, Moment, as_it_is, intensities, moment_of, region_of, turned_to
from .meter import Meter

MOST, LEAST = {BROWS: 1.3, LIDS: 1.3, SQUINT: 1.3, MOUTH: 1.1}, 0.6
"""Bounds of what calibration makes of an amount: more than this a measurement may ask for, but no face does."""
_PREVIEW = 220.0
"""Width of the face, px, at which an amount is found; only the last drawing is of the photo's size."""
_NEAR = 0.12
"""A result this near to what was asked is kept."""
FPS = 25.0
_HOLD, _TURN = 1.0, 0.4
"""Seconds that a film stays at its end, and over which it leaves the photo's own expression."""


@dataclass(frozen=True, eq=False)
class Edited:
    """An edited photo.

    Attributes:
        rgb: (H,W,3) uint8.
        changed: (H,W) where it may differ from the photo; everywhere else it is the same to the bit.
        pose: the personal head's, one frame.
        amounts: factors on the script's expression by region, as calibrated.
        asked, before, shown: intensity of each action: asked for, measured on the photo, and on the result (a fit of it).
        notes: what a photo cannot show, in words.
    """

    rgb: NDArray[np.uint8]
    changed: NDArray[np.bool_]
    pose: FaceSequence
    amounts: dict[str, float]
    asked: dict[str, float]
    before: dict[str, float]
    shown: dict[str, float]
    notes: tuple[str, ...]

    @property
    def amount(self) -> float:
        """The factors' mean over the regions of what was asked."""
        return float(np.mean([self.amounts[r] for r in {region_of(n) for n in self.asked}]))

    @property
    def missing(self) -> tuple[str, ...]:
        """Actions that were asked for and are not measured on the result."""
        return tuple(n for n, want in self.asked.items() if n in self.shown and self.shown[n] < min(0.24, 0.6 * want))


class PhotoEditor:
    """Edits of one fitted photo; what does not depend on the expression is done once.

    Args:
        fit: the person.
        photo: which of the photos.
    """

    def __init__(self, fit: PhotoFit, photo: int = 0) -> None:
        self.fit, self.index, self.photo = fit, photo, fit.photos[photo]
        self.meter = Meter(fit, photo)
        self.face = PhotoFace(self.photo.picture.rgb, fit.head, fit.vertices(photo), self.photo.camera, self.photo.pose.expr[0])
        self._small = fit.scaled(photo, min(1.0, _PREVIEW / self.face.width))

    @cached_property
    def _preview(self) -> PhotoEditor:
        """The same on a smaller photo, which is drawn and measured sooner."""
        return self if self._small is self.fit else PhotoEditor(self._small)

    def edit(self, script: Script, *, amount: float = 1.0, keep: bool = False, calibrate: bool = True, seed: int = 0) -> Edited:
        """The photo at a script's strongest moment.

        Args:
            script: what the face does.
            amount: factor on what the script says; 1 is as said.
            keep: add to the photo's own expression instead of replacing it.
            calibrate: measure the result, and go on until it shows as much as was asked for (at most two more drawings).
            seed: of what a script leaves open.

        Raises:
            ValueError: a script that moves nothing of the face, or an amount out of range.
        """
        if not 0.1 <= amount <= 2.0:
            raise ValueError(f"amount is {amount:g}; allowed: 0.1 to 2 (1 is as the words say)")
        asked = moment_of(script, self.fit.base, seed)
        asked = asked if keep else as_it_is(asked, self.photo.pose, amount, self.fit.base)
        amounts = dict.fromkeys(REGIONS, amount)
        if calibrate:
            amounts = self._preview.calibrated(asked, amounts, amount, keep)
        return self._drawn(asked, amounts, amount, keep, calibrate)

    def calibrated(self, asked: Moment, amounts: dict[str, float], amount: float, keep: bool) -> dict[str, float]:
        """Factors by region with which a drawing shows as much as was asked for; at most two drawings."""
        for _ in range(2):
            shares = _shares(self._drawn(asked, amounts, amount, keep, True))
            if all(abs(s - 1) <= _NEAR for s in shares.values()):
                break
            found = {r: float(np.clip(amounts[r] / max(s, 0.3), LEAST * amount, MOST[r] * amount)) for r, s in shares.items()}
            if all(abs(f - amounts[r]) < 0.05 for r, f in found.items()):
                break
            amounts = {**amounts, **found}
        return amounts

    def film(self, script: Script, done: Edited | None = None, *, amount: float = 1.0, keep: bool = False, seed: int = 0,
             progress: Progress = silent) -> Iterator[NDArray[np.uint8]]:
        """The photo moving from its own expression into the script's, 25 frames a second; a script of one moment ends there.

        Args:
            script: what the face does.
            done: its edit, whose amounts are taken.
            amount, keep, seed: see :meth:`edit`.
            progress: called with (frames done, frames in all, "draw").
        """
        asked = moment_of(script, self.fit.base, seed)
        asked = asked if keep else as_it_is(asked, self.photo.pose, amount, self.fit.base)
        clip = asked.clip
        if all(cue.join != "then" for cue in script.cues[1:]):
            rows = np.minimum(np.arange(asked.frame + 1 + round(_HOLD * FPS)), asked.frame)
            clip = clip.replace(**clip.parameters(rows), valid=clip.valid[rows])
        amounts = done.amounts if done else dict.fromkeys(REGIONS, amount)
        poses = turned_to(self.photo.pose, asked, clip, amounts, self.fit.base, keep)
        end = max(1.0, min(_TURN * FPS, asked.frame))
        left = np.clip(1 - np.arange(len(poses)) / end, 0, 1)[:, None].astype(np.float32)
        left = left * left * (3 - 2 * left)
        if not keep:
            own = self.photo.pose
            poses = poses.replace(expr=poses.expr * (1 - left) + own.expr * left,
                                  jaw_pose=poses.jaw_pose * (1 - left) + own.jaw_pose * left)
        for k in range(len(poses)):
            yield self.face.draw(self.fit.vertices(self.index, poses.slice(k, k + 1)), poses.expr[k]).rgb
            progress(k + 1, len(poses), "draw")

    def _drawn(self, asked: Moment, amounts: dict[str, float], amount: float, keep: bool, measured: bool) -> Edited:
        pose = turned_to(self.photo.pose, asked, asked.pose, amounts, self.fit.base, keep)
        drawn = self.face.draw(self.fit.vertices(self.index, pose), pose.expr[0])
        want = {n: v * amount for n, v in asked.asked.items()}
        before, shown = self.measured(drawn.rgb, tuple(want)) if measured else ({}, {})
        return Edited(drawn.rgb, drawn.changed, pose, amounts, want, before, shown, asked.notes)

    def measured(self, rgb: NDArray[np.uint8], actions: tuple[str, ...]) -> tuple[dict[str, float], dict[str, float]]:
        """Intensity of actions on the photo and on another picture of it; nothing where that shows no face."""
        pose = self.meter.pose(rgb)
        if pose is None:
            return {}, {}
        found = intensities(pair_of(self.photo.pose, pose), self.fit.base)
        both = [{n: float(found[n][k]) for n in actions if n in found} for k in (0, 1)]
        return both[0], both[1]


def pair_of(own: FaceSequence, other: FaceSequence) -> FaceSequence:
    """Two poses as frames."""
    return own.concat(other)


def _shares(edited: Edited) -> dict[str, float]:
    """What is shown of what was asked for, by region, the mean over the actions; nothing of what could not be measured."""
    shares: dict[str, list[float]] = {}
    for name, want in edited.asked.items():
        if name in edited.shown and want > 0.05:
            shares.setdefault(region_of(name), []).append(float(np.clip(edited.shown[name] / want, 0.0, 1.6)))
    return {region: float(np.mean(values)) for region, values in shares.items()}
