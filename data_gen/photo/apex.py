"""The one moment of a script that a photo can show, and how strongly a pose shows an action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...face.clip.sequence import FaceSequence
from ...face.facs.schedule import Schedule
from ...face.facs.script import Cue, Script
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
BROWS, LIDS, SQUINT, MOUTH = "brows", "lids", "squint", "mouth"
REGIONS = (BROWS, LIDS, SQUINT, MOUTH)
"""Parts of a face whose expression is replaced, or left, as one."""
_STARTS = {"brow": BROWS, "eyeSquint": SQUINT, "cheekSquint": SQUINT, "eye": LIDS}
"""How the names of the columns of a region begin, the first that fits; all others are the mouth's."""
_OF = {"brows": BROWS, "lids": LIDS, "mouth": MOUTH, "jaw": MOUTH}
_SQUINTS = frozenset({"squint", "cheek_raise"})
_SLIGHT = 0.25, 0.5
"""Of a coefficient: up to where it stays, and from where on it is replaced, though nothing asked for moves its region:
the brows of every face are a little off the model's."""
_ALREADY = 0.88
"""Share of what is asked for that a photo must show for a region to be left as it is."""
_WHOLE = frozenset({"smile"})
"""Actions that a frown or narrow eyes contradict: they replace the whole expression, as emotions do."""


@dataclass(frozen=True, eq=False)
class Moment:
    """What a script asks of a photo.

    Attributes:
        clip: the script performed, on the head's mean identity.
        frame: the strongest moment of it.
        asked: actions that the moment shows, with their intensity (1 is full scale).
        notes: what a photo cannot show of the script.
        regions: whose expression the script is about; that of the others is the photo's own.
    """

    clip: FaceSequence
    frame: int
    asked: dict[str, float]
    notes: tuple[str, ...]
    regions: frozenset[str] = frozenset(REGIONS)

    @property
    def pose(self) -> FaceSequence:
        """The moment, one frame."""
        return self.clip.slice(self.frame, self.frame + 1)


def moment_of(script: Script, head: HeadModel | None = None, seed: int = 0) -> Moment:
    """Perform a script and find its strongest moment.

    What follows another without a time of its own, in another region of the face, is done with it: a photo has one moment.

    Raises:
        ValueError: a script that moves nothing of the face, or contradicts itself.
    """
    head = head or HeadModel.default()
    schedule = lay_out(_at_once(script), seed)
    clip = perform(schedule, head)
    shown = intensities(clip, head)
    one_eyed = {e.name: f"wink_{e.side}" for e in schedule.events if e.name in _LIDS and e.side != "both"}
    names = [one_eyed.get(n) or _LIDS.get(n, n) for n in schedule.expected_actions()]
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
    return Moment(clip, frame, asked, tuple(notes), _regions(schedule, clip.expr[frame], head))


def _at_once(script: Script) -> Script:
    cues: list[Cue] = []
    for cue in script.cues:
        here = {_place(c) for c in cues}
        apart = cues and cue.start is None and cue.pause is None and cue.join == "then" and not {"", _place(cue)} & here
        cues.append(replace(cue, join="with") if apart and _place(cue) else cue)
    return replace(script, cues=tuple(cues))


def _place(cue: Cue) -> str:
    """The region of an action; empty of what moves several."""
    return region_of(cue.action) if cue.kind == "action" and ACTION[cue.action].region in _OF else ""


def region_of(action: str) -> str:
    """The region of an action, or of the lids' closure."""
    return SQUINT if action in _SQUINTS else LIDS if action == "closure" else _OF.get(ACTION[action].region, MOUTH)


def columns_of(head: HeadModel) -> NDArray[np.str_]:
    """``(E,)`` the region of each of a head's columns."""
    return np.array([next((r for start, r in _STARTS.items() if name.startswith(start)), MOUTH) for name in head.expr_names])


def _regions(schedule: Schedule, expr: NDArray[np.floating], head: HeadModel) -> frozenset[str]:
    """What a script is about. "Close your eyes" leaves a smile; "smile", and every emotion, leaves no frown."""
    names = [e.name for e in schedule.events if e.is_emotion or ACTION[e.name].region in _OF]
    if any(n in _WHOLE or n not in ACTION for n in names):
        moved = columns_of(head)[np.abs(expr) > _ASKED]
        return frozenset({BROWS, SQUINT, MOUTH} | set(moved.tolist()))  # eyes stay as open as they are, unless it moves them
    return frozenset(region_of(n) for n in names) | (frozenset({SQUINT}) if any(n == "eye_widen" for n in names) else frozenset())


def intensities(clip: FaceSequence, head: HeadModel) -> dict[str, NDArray[np.float32]]:
    """``(T,)`` intensity of every action by geometry; the identity is left out."""
    still = FaceSequence.rest(len(clip), head.ref, n_expr=head.n_expr, fps=clip.fps)
    return signals_of(still.replace(expr=clip.expr, jaw_pose=clip.jaw_pose, eyes_pose=clip.eyes_pose), head).intensity


def as_it_is(moment: Moment, own: FaceSequence, amount: float, head: HeadModel) -> Moment:
    """The same without the regions in which a photo's pose already shows what is asked for: those stay its own."""
    found = intensities(own, head)
    wants: dict[str, list[bool]] = {}
    for name, want in moment.asked.items():
        wants.setdefault(region_of(name), []).append(name in found and bool(found[name][0] >= _ALREADY * amount * want))
    return replace(moment, regions=moment.regions - {r for r, there in wants.items() if all(there)})


def turned_to(own: FaceSequence, moment: Moment, clip: FaceSequence, amounts: Mapping[str, float], head: HeadModel, keep: bool
              ) -> FaceSequence:
    """The photo's pose with a moment's expression instead of its own where the script is about it, or on top of it.

    Args:
        own: the photo's pose, one frame.
        moment: what is asked.
        clip: its pose or its clip; the result has as many frames.
        amounts: factors on the script's expression by region.
        head: whose columns these are.
        keep: add to the photo's expression everywhere.
    """
    frames, column = len(clip), columns_of(head)
    factor = np.array([amounts[r] for r in column], np.float32)
    asked = set(column[np.abs(moment.pose.expr[0]) > _ASKED].tolist())
    low, high = _SLIGHT
    slight = 1 - np.clip((own.expr[0] - low) / (high - low), 0, 1)
    left = np.array([1.0 if keep or r not in moment.regions else 0.0 if r in asked else s
                     for r, s in zip(column, slight, strict=True)], np.float32)
    moves = np.array([r in moment.regions or keep for r in column], np.float32)
    expr = np.clip(own.expr * left + moves * factor * clip.expr, 0, 1).astype(np.float32)
    mouth = float(keep or MOUTH in moment.regions)
    jaw = own.jaw_pose * (1.0 if keep else 1 - mouth) + mouth * amounts[MOUTH] * clip.jaw_pose
    jaw[:, 0] = np.clip(jaw[:, 0], 0, 0.55)
    rows = {name: np.repeat(getattr(own, name), frames, 0) for name in ("rotation", "neck_pose", "translation")}
    return own.replace(expr=expr, jaw_pose=jaw.astype(np.float32), eyes_pose=own.eyes_pose + clip.eyes_pose,
                       valid=np.ones(frames, bool), fps=clip.fps, **rows)
