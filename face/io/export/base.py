"""What every exporter gets: a clip on the format's head, at the wanted rate, with its curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ...clip.sequence import FaceSequence
from ...head.lbs import world_transforms
from ...head.model import HeadModel
from ...retarget.retarget import Report
from .targets import Curves, arkit_curves, expression_curves


@dataclass(eq=False)
class Job:
    """A clip that is being exported."""

    seq: FaceSequence
    head: HeadModel
    target: str
    title: str
    clamp: bool = False
    """Cut curves to 0 to 1."""
    notes: list[str] = field(default_factory=list)

    @cached_property
    def curves(self) -> Curves:
        """The named weights of the target, ``(T, N)``; what lies outside 0 to 1 is said."""
        arkit = arkit_curves(self.seq, self.head)
        found = arkit if self.target == "arkit52" else expression_curves(arkit, self.target, self.notes)
        self.notes += found.outside(self.clamp)
        return found.cut() if self.clamp else found

    def cut_to_sliders(self) -> None:
        """Of ARKit's shapes as morph targets: say which weights are cut to 0 to 1."""
        if self.target == "arkit52":
            self.notes += arkit_curves(self.seq, self.head).outside(cut=True)

    def leave_out(self, *what: str) -> None:
        """Say which of ``identity``, ``turn`` (of the head) and ``place`` the clip has and the file will not."""
        there = {"identity": self.seq.shape.any(), "turn": self.seq.rotation.any() or self.seq.neck_pose.any(),
                 "place": self.seq.translation.any()}
        self.notes += [f"the {'clip' if n == 'identity' else 'head'}'s {n} is left out: the format has none"
                       for n in what if there[n]]

    @cached_property
    def turns(self) -> Rotation:
        """How the whole head is turned in each frame: the global rotation, then the neck's."""
        return Rotation.from_rotvec(self.seq.rotation) * Rotation.from_rotvec(self.seq.neck_pose)

    def placed(self, point: np.ndarray) -> np.ndarray:
        """``(T, 3)`` m: where a point (3,) of the head at rest is in each frame."""
        pose = np.stack([self.seq.rotation, self.seq.neck_pose], 1).astype(np.float64)
        local = np.tile(np.eye(3), (len(self.seq), 5, 1, 1))
        local[:, :2] = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(-1, 2, 3, 3)
        joints = self.head.joints(self.seq.shape if len(self.seq.shape) else None).astype(np.float64)
        turn, offset = world_transforms(local, np.broadcast_to(joints, (len(self.seq), 5, 3)))
        return np.asarray(turn[:, 1] @ point + offset[:, 1] + self.seq.translation)


@dataclass(frozen=True)
class Format:
    """A file format, and what it holds of a clip."""

    name: str
    """What ``--format`` takes."""
    label: str
    suffix: str
    """Of the file; empty for a folder of files."""
    targets: tuple[str, ...]
    """What it can hold, the usual one first."""
    units: str
    keeps: str
    loses: str
    write: Callable[[Job, Path], None]
    back: str = ""
    """How exactly ``facelm convert`` reads it again; empty where it does not."""


@dataclass(frozen=True)
class Exported:
    """A written file."""

    path: Path
    format: Format
    target: str
    seq: FaceSequence
    """The clip as it was written: on the format's head, at its rate."""
    notes: tuple[str, ...] = ()
    """What was changed, assumed or lost, one sentence each."""
    report: Report | None = None
    """Of a clip that went to another head: its errors."""
