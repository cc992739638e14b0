"""Faces of single pictures joined to persons over time.

A face continues the track whose last box it overlaps most and whose looks it shares: a small grey picture of the face,
warped so that eyes and mouth lie in fixed places, is compared by correlation. After a cut, and after a face was lost,
looks alone decide, so that another person in the same place never continues a track.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .landmarker import Box, Face, overlap

PATCH = 20
"""Side of the aligned grey picture of a face, samples."""
SAME_NEXT = 0.70
"""Least correlation of looks between neighbouring frames of one face."""
SAME_LATER = 0.80
"""Least correlation with a track's looks for a face to be taken up again after a cut or a gap."""
TURNED = 18.0
"""Degrees between two poses of the head from which on looks say nothing of who it is; the place does."""
OVERLAP = 0.25
"""Least intersection over union of boxes from frame to frame."""
CUT_SHARE = 4.0
CUT_LEAST = 14.0
CUT_SURE = 42.0
"""A cut: the mean grey difference is above ``CUT_SURE`` of 255, or above ``CUT_LEAST`` and ``CUT_SHARE`` times usual."""

JUMP_LEAST = 0.05
JUMP_SHARE = 8.0
"""A cut within one scene: all points move by ``JUMP_LEAST`` face widths and ``JUMP_SHARE`` times as far as usual."""

_EYES = ((33, 133, 159, 145), (362, 263, 386, 374))  # outer and inner corner, upper and lower lid: right, left
_MOUTH = (61, 291, 13, 14)
_MEMORY = 12


@dataclass(frozen=True)
class Look:
    """A face with what tracking needs of it."""

    face: Face
    box: Box
    """x0, y0, x1, y1 in shares of the picture."""
    patch: NDArray[np.float32]
    """(PATCH*PATCH,) zero mean, unit length."""


@dataclass(frozen=True)
class Scene:
    """One picture: its faces, and a tiny grey copy for finding cuts."""

    looks: tuple[Look, ...]
    tiny: NDArray[np.float32]


@dataclass
class Track:
    """One person: the frames in which the face is seen."""

    last: Look
    frames: list[int] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)
    area: float = 0.0
    """Sum over the frames, shares of the picture."""
    memory: list[NDArray[np.float32]] = field(default_factory=list)
    """Looks kept for recognition, unlike each other."""
    first: Box = (0.0, 0.0, 0.0, 0.0)

    def add(self, frame: int, look: Look) -> None:
        if not self.frames:
            self.first = look.box
        if len(self.memory) < _MEMORY and (not self.memory or self.likeness(look) < 0.93):
            self.memory.append(look.patch)
        self.frames.append(frame)
        self.faces.append(look.face)
        self.area += (look.box[2] - look.box[0]) * (look.box[3] - look.box[1])
        self.last = look

    def likeness(self, look: Look, near: bool = False) -> float:
        """Correlation of a face's looks with the most alike that this track remembers, its last ones too if ``near``."""
        known = [*self.memory, self.last.patch] if near else self.memory
        return max(float(patch @ look.patch) for patch in known)

    @property
    def left(self) -> float:
        """Horizontal middle of the face where it first appeared, a share of the width."""
        return (self.first[0] + self.first[2]) / 2


def scene(picture: NDArray[np.uint8], faces: list[Face]) -> Scene:
    """What tracking keeps of a picture (H,W,3) uint8."""
    h, w = picture.shape[:2]
    looks = []
    for face in faces:
        looks.append(Look(face, face.box, _patch(picture, face.points[:, :2] * (w, h))))
    step_y, step_x = max(1, h // 54), max(1, w // 96)
    grey = picture[::step_y, ::step_x].astype(np.float32) @ np.array([0.3, 0.59, 0.11], np.float32)
    rows, columns = grey.shape[0] // 3 * 3, grey.shape[1] // 3 * 3
    tiny = grey[:rows, :columns].reshape(rows // 3, 3, columns // 3, 3).mean((1, 3))
    return Scene(tuple(looks), tiny.astype(np.float32))


def _turn(a: Face, b: Face) -> float:
    """Degrees between the poses of two faces."""
    share = (np.trace(a.pose[:3, :3].T @ b.pose[:3, :3]) - 1.0) / 2.0
    return float(np.degrees(np.arccos(np.clip(share, -1.0, 1.0))))


def _patch(picture: NDArray[np.uint8], xy: NDArray[np.floating]) -> NDArray[np.float32]:
    """The face in grey with eyes and mouth in fixed places, (PATCH*PATCH,), zero mean and unit length."""
    right, left, mouth = (xy[list(k)].mean(0) for k in (*_EYES, _MOUTH))
    across, down = left - right, mouth - (left + right) / 2
    n = PATCH * 2  # 2x2 samples a value
    u, v = np.meshgrid(np.linspace(-1.0, 1.0, n), np.linspace(-0.75, 1.45, n))
    place = (left + right) / 2 + u[..., None] * across + v[..., None] * down
    h, w = picture.shape[:2]
    x = np.clip(place[..., 0].astype(int), 0, w - 1)
    y = np.clip(place[..., 1].astype(int), 0, h - 1)
    grey = picture[y, x].astype(np.float32) @ np.array([0.3, 0.59, 0.11], np.float32)
    small = grey.reshape(PATCH, 2, PATCH, 2).mean((1, 3)).ravel()
    small -= small.mean()
    return np.asarray(small / (np.linalg.norm(small) + 1e-6), np.float32)


class Tracker:
    """Takes scenes in order and keeps one track a person."""

    def __init__(self, gap: int = 24) -> None:
        """Start without tracks.

        Args:
            gap: frames for which a lost face may come back in the same place by overlap.
        """
        self.tracks: list[Track] = []
        self.cuts: list[int] = []
        self.swaps: list[tuple[int, Track]] = []
        """Frames at which another face stands where that track's was."""
        self.frames = 0
        self._gap = gap
        self._shot = 0  # first frame of this shot
        self._tiny: NDArray[np.float32] | None = None
        self._usual: list[float] = []

    def add(self, now: Scene) -> None:
        """The next picture."""
        if self._is_cut(now):
            self.cuts.append(self.frames)
            self._shot = self.frames
        live = [t for t in self.tracks if t.frames[-1] >= max(self._shot, self.frames - 1 - self._gap)]
        free = dict(enumerate(now.looks))
        pairs = []
        for i, track in enumerate(live):
            for k, look in free.items():
                if (share := overlap(track.last.box, look.box)) >= OVERLAP:
                    pairs.append((share + track.likeness(look, True), i, k))
        joined: set[int] = set()
        foreign: dict[int, Track] = {}
        for _, i, k in sorted(pairs, reverse=True):
            if i in joined or k not in free:
                continue
            if live[i].likeness(free[k], True) < SAME_NEXT and _turn(live[i].last.face, free[k].face) < TURNED:
                if live[i].frames[-1] == self.frames - 1:
                    foreign[k] = live[i]
                continue
            joined.add(i)
            live[i].add(self.frames, free.pop(k))
        for k, look in free.items():
            self._take_up(look)
            # a face that took the place of one that is gone
            if k in foreign and foreign[k].frames[-1] != self.frames:
                self.swaps.append((self.frames, foreign[k]))
        self.frames += 1

    def _take_up(self, look: Look) -> None:
        """A face that continues no present track: someone seen before, else a new track."""
        known = [(t.likeness(look), -i) for i, t in enumerate(self.tracks) if t.frames[-1] != self.frames]
        if known and max(known)[0] >= SAME_LATER:
            self.tracks[-max(known)[1]].add(self.frames, look)
            return
        self.tracks.append(Track(look))
        self.tracks[-1].add(self.frames, look)

    def _is_cut(self, now: Scene) -> bool:
        before, self._tiny = self._tiny, now.tiny
        if before is None or before.shape != now.tiny.shape:
            return False
        # a change of light alone is no cut: levels are matched first
        change = float(np.abs(before - before.mean() - now.tiny + now.tiny.mean()).mean())
        usual = float(np.median(self._usual)) if self._usual else 0.0
        cut = change > CUT_SURE or (change > CUT_LEAST and len(self._usual) >= 3 and change > CUT_SHARE * usual)
        self._usual = [] if cut else [*self._usual[-11:], change]
        return cut


def jump_cuts(points: NDArray[np.floating], valid: NDArray[np.bool_]) -> list[int]:
    """Frames at which one face jumps between two frames and is calm on both sides: a cut to the same scene.

    Args:
        points: (T,L,2) px of one face. valid: (T,).
    """
    if len(points) < 4 or not valid.any():
        return []
    width = float(np.median(np.ptp(points[valid][:, :, 0], axis=1)))
    both = valid[1:] & valid[:-1]
    move = np.full(len(points) - 1, np.nan)
    move[both] = np.linalg.norm(points[1:][both] - points[:-1][both], axis=-1).mean(1) / max(width, 1e-6)
    found = []
    for k in np.flatnonzero(np.nan_to_num(move) > JUMP_LEAST):
        around = np.concatenate([move[max(0, k - 6):k], move[k + 1:k + 7]])
        around = around[np.isfinite(around)]
        # the least that counts as usual is what noise alone moves
        if len(around) >= 4 and move[k] > JUMP_SHARE * max(float(np.quantile(around, 0.75)), 0.004):
            found.append(int(k) + 1)
    return found
