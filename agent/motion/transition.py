"""Transitions: a face goes from what it shows through the named expressions, and stays the same face.

A transition is a script of expressions that take over from one another; this module keeps in its performance what is the
source's: identity, head, gaze and every channel by which no emotion shows. The first frame is the source frame to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from ...common.progress import Progress, silent
from ...data_gen.performer.dynamics import minimum_jerk
from ...data_gen.performer.transitions import EMOTION_CHANNELS, state
from ...data_gen.text.transition_text import Instruction
from ...face.clip.channels import EXPR_INDEX, EXPR_NAMES, MOTION_FIELDS
from ...face.clip.sequence import FaceSequence
from ...face.clip.spontaneous import IdleConfig, add_idle, filter_idle
from ...face.clip.windows import recent
from ...face.facs.poses import POSE_CHANNELS
from ...face.facs.script import Cue, Join, Script
from ...face.facs.vocabulary import DIRECTIONS
from ...face.head.model import HeadModel
from ..requests import Sampling
from .checked import Performance, perform_scripts
from .curves import retime
from .windows import Performer

FADE_IN = 0.4
"""The idle layer grows over this time, so that the first frame is the source, s."""
RIPPLE = 0.08
"""Width (standard deviation) of the smoothing of a decoded transition, s. On the procedural animator's transitions, written
in tokens and read back, it leaves the error as it is (0.0088 for 0.0089 of a full action) and takes the ripples away."""
_BLINK_FADE = 0.24
"""A spontaneous blink that the source frame is caught in ends within this time, s."""
_LEAST = 0.5
"""Seconds for an expression below which a transition is performed in more time, and then made faster."""
_MOVED = 0.05
"""A movement of the state (share of a full action) that is one."""
_BLINKS = [EXPR_INDEX["eyeBlinkLeft"], EXPR_INDEX["eyeBlinkRight"]]


@dataclass(frozen=True)
class Transition:
    """A performed transition.

    Attributes:
        clip: the motion; its first frame is the source (or the face at rest).
        keys: frames at which the named expressions are fully there, in order.
        names: the emotions of these expressions; the strongest one of a blend.
        warnings: one sentence for each word that was replaced.
        text: the instruction.
    """

    clip: FaceSequence
    keys: tuple[int, ...]
    names: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Source:
    """The frame that a transition starts from.

    Attributes:
        frame: as it is in the clip, one frame.
        meant: the same without idle motion (a spontaneous blink that it is caught in).
    """

    frame: FaceSequence
    meant: FaceSequence


# -- performing it ------------------------------------------------------------------------
def perform(performer: Performer, asked: Sequence[Instruction], sources: Sequence[Source], sampling: Sampling,
            curve: str = "learned", progress: Progress = silent) -> list[Transition]:
    """Carry out several instructions: each is a script whose expressions take over from one another.

    Args:
        performer: tokenizer, language model and head.
        asked: the checked instructions.
        sources: where each starts. The expressions are performed from rest; what the source shows leaves with the first
            movement.
        sampling: instruction ``i`` is carried out with its seed plus ``i``; see ``perform_scripts``.
            Its idle layer grows from nothing in the first 0.4 s.
        curve: ``learned``, ``linear`` or ``minjerk`` (``agent/motion/curves.py``).
        progress: called with (done, of).
    """
    scripts = [script_of(a) for a in asked]
    made = perform_scripts(performer, scripts, replace(sampling, idle=False), texts=[a.text for a in asked], progress=progress)
    out = []
    for i, (p, source, one) in enumerate(zip(made, sources, asked, strict=True)):
        clip, keys = _in_time(p.clip, key_frames(p), one.seconds)
        out.append(finish(clip, source, one, keys, curve, sampling.seed + i if sampling.idle else None))
    return out


def script_of(asked: Instruction) -> Script:
    """The script of an instruction: its expressions from the first frame on, the last one held to the end.

    Actions that are named beside the expressions come together with the last one.
    """
    cues: list[Cue] = []
    for expression in asked.expressions:
        for k, (name, share) in enumerate(expression.blend):
            join: Join = "with" if k else "into" if cues else "then"
            last = expression is asked.expressions[-1]
            cues.append(Cue(name, join=join, strength=share, held=last and name != "neutral", hold=expression.hold,
                            speed=asked.speed, start=0.0 if not cues else None))
    for action in asked.actions:
        stem, _, side = action.rpartition("_")
        cues.append(Cue(stem, side, "with") if stem in DIRECTIONS else Cue(action, join="with"))  # type: ignore[arg-type]
    shortest = _LEAST * len(asked.expressions)
    return Script(tuple(cues), None if asked.seconds is None else max(asked.seconds, shortest))


def _in_time(clip: FaceSequence, keys: tuple[int, ...], seconds: float | None) -> tuple[FaceSequence, tuple[int, ...]]:
    """A performance of a transition that was asked for in less time than it is performed in, faster; others as they are."""
    frames = len(clip) if seconds is None else round(seconds * clip.fps)
    if frames == len(clip):
        return clip, keys
    faster = clip.resample(clip.fps * frames / len(clip)).replace(fps=clip.fps)
    return faster, tuple(min(frames - 1, round(k * frames / len(clip))) for k in keys)


def key_frames(made: Performance) -> tuple[int, ...]:
    """For each expression the frame at which it is first fully there, in order; of a neutral one, at which the face rests."""
    keys: list[int] = []
    fps, last = made.clip.fps, len(made.clip) - 1
    groups = [i for i, c in enumerate(made.script.cues) if c.join != "with"]
    over = 0.0
    for i in groups:
        events = made.schedule.of_cue(i)
        at = max((e.apex for e in events), default=over)
        over = max((e.end(made.schedule.seconds) for e in events), default=over)
        keys.append(min(last, max(round(at * fps), keys[-1] if keys else 0)))
    return tuple(keys)


# -- the source ---------------------------------------------------------------------------
def source_frame(clip: FaceSequence | None, head: HeadModel, at: float | None = None) -> Source:
    """The source of a transition.

    Args:
        clip: any clip of the head, or None for the face at rest.
        head: the head.
        at: seconds into the clip; None is its last frame.

    Raises:
        ValueError: a clip of another head, or a time outside the clip.
    """
    if clip is None:
        if at is not None:
            raise ValueError(f"at is {at:g} s, but there is no source; give one, or leave the time out")
        rest = FaceSequence.rest(1, head.ref, n_expr=head.n_expr, n_shape=head.n_shape)
        return Source(rest, rest)
    clip.require_head(head.ref, "the source")
    past = recent(clip, at)
    frame = past.slice(len(past) - 1).replace(valid=np.ones(1, bool))
    if len(past) == 1:
        return Source(frame, frame)
    # only the lids: what else is idle is small, and belongs to the frame that is to be kept
    calm = filter_idle(past, IdleConfig(blinks=True)).expr[-1, _BLINKS]
    expr = frame.expr.copy()
    caught = expr[0, _BLINKS] - calm > IdleConfig().dead_expr
    expr[0, _BLINKS] = np.where(caught, calm, expr[0, _BLINKS])
    return Source(frame, frame.replace(expr=expr))


# -- the face stays the same --------------------------------------------------------------
def finish(made: FaceSequence, source: Source, asked: Instruction, keys: tuple[int, ...], curve: str = "learned",
           idle_seed: int | None = None) -> Transition:
    """A performance from rest, as a transition of the source face.

    Args:
        made: the performance, T frames.
        source: where it starts.
        asked: what was asked.
        keys: frames at which the expressions are fully there.
        curve: the way between the key poses.
        idle_seed: of the idle layer; None leaves it out.
    """
    made = smooth(made)
    clip = keep_source(made, source, keys, asked.channels)
    moving = ("neck_pose", "eyes_pose") if asked.channels else ()
    clip = retime(clip, keys, curve, keep=moving)
    if idle_seed is not None:
        clip = _alive(clip, idle_seed)
    return Transition(clip, keys, asked.names, asked.warnings, asked.text)


def smooth(clip: FaceSequence) -> FaceSequence:
    """Expression and jaw without the ripples of decoded tokens: a Gaussian of ``RIPPLE`` seconds."""
    width = RIPPLE * clip.fps
    return clip.replace(**{n: gaussian_filter1d(getattr(clip, n), width, axis=0, mode="nearest") for n in ("expr", "jaw_pose")})


def keep_source(made: FaceSequence, source: Source, keys: Sequence[int], asked: frozenset[str] = frozenset()) -> FaceSequence:
    """A decoded transition on the source's identity, head and gaze, starting at the source's very frame.

    What tokens could not say of the source's expression is added at the start and leaves with the first movement.
    Channels by which no emotion shows stay the source's, unless ``asked`` names them.

    Args:
        made: T frames on the default head (ARKit columns).
        source: the frame to start from.
        keys: frames of the expressions in ``made``.
        asked: more channels that may move (ARKit names and ``POSE_CHANNELS``).

    Returns:
        T frames; the first is ``source.frame``, exactly.
    """
    first, meant, frames = source.frame, source.meant, len(made)
    left = leaving(made, keys)[:, None]
    free = EMOTION_CHANNELS | asked
    columns = np.array([n in free for n in EXPR_NAMES])
    expr = np.repeat(meant.expr.astype(np.float64), frames, axis=0)
    expr[:, columns] = made.expr[:, columns] + left * (meant.expr - made.expr[0])[:, columns]
    bounds = (np.minimum(first.expr, 0.0), np.maximum(first.expr, 1.0))
    expr = np.clip(expr, *bounds)
    blink = 1.0 - minimum_jerk(np.arange(frames) / made.fps / _BLINK_FADE)[:, None]
    expr += blink * (first.expr - meant.expr)
    jaw = np.repeat(first.jaw_pose.astype(np.float64), frames, axis=0)
    axes = [i for i, axis in enumerate("xyz") if f"jaw_{axis}" in free]
    jaw[:, axes] = made.jaw_pose[:, axes] + left * (first.jaw_pose - made.jaw_pose[0])[:, axes]
    expr[0], jaw[0] = first.expr[0], first.jaw_pose[0]
    fields = {n: np.repeat(getattr(first, n), frames, axis=0) for n in MOTION_FIELDS}
    fields |= {"expr": expr.astype(np.float32), "jaw_pose": jaw.astype(np.float32)}
    fields |= _turning(made, first, asked)
    return made.replace(shape=first.shape, head=first.head, valid=np.ones(frames, bool), **fields)


def _turning(made: FaceSequence, first: FaceSequence, asked: frozenset[str]) -> dict[str, NDArray[np.float32]]:
    """Head and gaze of a transition that was asked to move them: the movement on top of the source's."""
    moved = set(asked) & set(POSE_CHANNELS)
    out: dict[str, NDArray[np.float32]] = {}
    if any(n.startswith("head") for n in moved):
        turn = Rotation.from_rotvec(made.neck_pose[0].astype(np.float64)).inv() * Rotation.from_rotvec(made.neck_pose)
        neck = (Rotation.from_rotvec(first.neck_pose[0].astype(np.float64)) * turn).as_rotvec().astype(np.float32)
        neck[0] = first.neck_pose[0]
        out["neck_pose"] = neck
    if any(n.startswith("gaze") for n in moved):
        out["eyes_pose"] = first.eyes_pose + made.eyes_pose - made.eyes_pose[0]
    return out


def leaving(clip: FaceSequence, keys: Sequence[int]) -> NDArray[np.float64]:
    """``(T,)`` how much of the start is still there: 1 at first, 0 once the first movement has arrived; never rising.

    A clip that never moves keeps its start.
    """
    x = state(clip)
    for key in keys:
        way = x[key] - x[0]
        size = float(way @ way)
        if size > _MOVED**2:
            share = np.clip((x - x[0]) @ way / size, 0.0, 1.0)
            share[key:] = 1.0
            return np.asarray(1.0 - np.maximum.accumulate(share))
    return np.ones(len(clip))


def on_other_head(done: Transition, carried: FaceSequence, frame: FaceSequence | None) -> Transition:
    """A transition that was made on the default head, on the head of its source.

    Args:
        done: on the default head.
        carried: its clip after retargeting.
        frame: the source frame as it was on that head, one frame; None was the face at rest.

    Returns:
        The clip starts at ``frame`` exactly; what retargeting there and back changed leaves with the first movement.
        Identity and place are the frame's, head and gaze those of ``done``.
    """
    if frame is None:
        return replace(done, clip=carried)
    left = leaving(done.clip, done.keys)[:, None]
    still = {n: np.repeat(getattr(frame, n), len(carried), axis=0) for n in ("rotation", "translation")}
    mixed = {n: (getattr(carried, n) + left * (getattr(frame, n) - getattr(carried, n)[0])).astype(np.float32)
             for n in ("expr", "jaw_pose")}
    for name, value in mixed.items():
        value[0] = getattr(frame, name)[0]
    return replace(done, clip=carried.replace(shape=frame.shape, neck_pose=done.clip.neck_pose, eyes_pose=done.clip.eyes_pose,
                                              **still, **mixed))


def _alive(clip: FaceSequence, seed: int) -> FaceSequence:
    """With the idle layer, which grows from nothing."""
    alive = add_idle(clip, seed=seed)
    share = minimum_jerk(np.arange(len(clip)) / clip.fps / FADE_IN)[:, None]
    return clip.replace(**{n: (getattr(clip, n) + share * (getattr(alive, n) - getattr(clip, n))).astype(np.float32)
                           for n in ("expr", "neck_pose", "eyes_pose")})
