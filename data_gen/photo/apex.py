"""The one moment of a script that a photo can show, and how strongly a pose shows an action."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...face.clip.sequence import FaceSequence
from ...face.facs.script import Script
from ...face.facs.script_text import write_script
from ...face.facs.signals import signals_of
from ...face.facs.vocabulary import ACTION
from ...face.head.model import HeadModel
from ..performer.animator import perform
from ..performer.layout import lay_out

_HEAD = frozenset({"nod", "shake", "talking"})
_LIDS = {"eye_close": "closure", "blink": "closure"}
"""What is a matter of time in a clip, and the signal that a single picture shows of it."""
_ASKED = 0.12
"""Intensity of an action from which on a pose asks for it."""


@dataclass(frozen=True, eq=False)
class Moment:
    """What a script asks of a photo.

    Attributes:
        clip: the script performed, on the head's mean identity.
        frame: the strongest moment of it.
        asked: actions that the moment shows, with their intensity (1 is full scale).
        notes: what a photo cannot show of the script.
    """

    clip: FaceSequence
    frame: int
    asked: dict[str, float]
    notes: tuple[str, ...]

    @property
    def pose(self) -> FaceSequence:
        """The moment, one frame."""
        return self.clip.slice(self.frame, self.frame + 1)


def moment_of(script: Script, head: HeadModel | None = None, seed: int = 0) -> Moment:
    """Perform a script and find its strongest moment.

    Raises:
        ValueError: a script that moves nothing of the face, or contradicts itself.
    """
    head = head or HeadModel.default()
    schedule = lay_out(script, seed)
    clip = perform(schedule, head)
    shown = intensities(clip, head)
    names = [_LIDS.get(n, n) for n in schedule.expected_actions()]
    seen = [n for n in dict.fromkeys(names) if n in shown and n not in _HEAD]
    face = [n for n in seen if n == "closure" or ACTION[n].region != "head"]
    if not face:
        raise ValueError(f'"{write_script(script)}" moves nothing of the face that a photo can show; ask for an expression, '
                         'e.g. "smiling broadly, eyes nearly closed"')
    total = np.sum([np.clip(shown[n], 0, 1.2) for n in face], axis=0)
    frame = int(np.argmax(total))
    asked = {n: float(shown[n][frame]) for n in face if shown[n][frame] >= _ASKED}
    notes = []
    if left := [n for n in face if n not in asked]:
        notes.append(f"a photo shows one moment: without {', '.join(left)}")
    if any(ACTION[n].region == "head" for n in schedule.expected_actions() if n in ACTION):
        notes.append("the head of a photo stays where it is: its movement is left out")
    return Moment(clip, frame, asked, tuple(notes))


def intensities(clip: FaceSequence, head: HeadModel) -> dict[str, NDArray[np.float32]]:
    """``(T,)`` intensity of every action by geometry; the identity is left out."""
    still = FaceSequence.rest(len(clip), head.ref, n_expr=head.n_expr, fps=clip.fps)
    return signals_of(still.replace(expr=clip.expr, jaw_pose=clip.jaw_pose, eyes_pose=clip.eyes_pose), head).intensity


def turned_to(own: FaceSequence, moment: FaceSequence, amount: float, keep: bool) -> FaceSequence:
    """The photo's pose with a moment's expression instead of its own, or on top of it.

    Args:
        own: the photo's pose, one frame.
        moment: one frame or many; the result has as many.
        amount: factor on the moment's expression.
        keep: add to the photo's expression instead of replacing it.
    """
    frames = len(moment)
    base_expr = own.expr if keep else np.zeros_like(own.expr)
    base_jaw = own.jaw_pose if keep else np.zeros_like(own.jaw_pose)
    expr = np.clip(base_expr + amount * moment.expr, 0, 1.15).astype(np.float32)
    jaw = base_jaw + amount * moment.jaw_pose
    jaw[:, 0] = np.clip(jaw[:, 0], 0, 0.55)
    rows = {name: np.repeat(getattr(own, name), frames, 0) for name in ("rotation", "neck_pose", "translation")}
    return own.replace(expr=expr, jaw_pose=jaw.astype(np.float32), eyes_pose=own.eyes_pose + moment.eyes_pose,
                       valid=np.ones(frames, bool), fps=moment.fps, **rows)
