"""Transitions: a face goes from what it shows through the named expressions, and stays the same face.

The language model writes the movement; this module hands it the source frame as tokens, and makes the result
faithful to the source: identity, head, gaze and every channel by which no emotion shows are the source's, and
the first frame is the source frame to the bit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from ..data_gen.performer.animator import FPS
from ..data_gen.performer.dynamics import minimum_jerk
from ..data_gen.performer.transitions import EMOTION_CHANNELS, state, transition_keys
from ..data_gen.text.parser import actions_in_text
from ..data_gen.text.transition_text import TransitionRequest, find_emotions, is_transition, parse_instruction
from ..face.clip.channels import EXPR_INDEX, EXPR_NAMES, MOTION_FIELDS
from ..face.clip.normalise import Normalised
from ..face.clip.sequence import FaceSequence
from ..face.clip.spontaneous import IdleConfig, add_idle, filter_idle
from ..face.clip.trajectory import anchor_frames, transition_clip
from ..face.facs.poses import ACTION_POSES, POSE_CHANNELS
from ..face.facs.vocabulary import ACTION
from ..face.head.model import HeadModel
from .pipeline import MAX_SECONDS, check_request, to_length
from .transition_curves import anchors, check_curve, retime

if TYPE_CHECKING:
    from .pipeline import FaceLM

CANDIDATES = 4
"""Transitions written for an instruction: the likeliest, with a source also the likeliest from rest, and samples; the one is
kept that the model itself reads as it."""
TEMPERATURE = 0.5
"""Of the samples; 0 leaves the likeliest transition alone."""
STAGE_SECONDS = 0.2
"""Shortest time for one expression."""
BASELINE_SECONDS = 3.0
"""Length of a baseline's transition when none is asked for."""
FADE_IN = 0.4
"""The idle layer grows over this time, so that the first frame is the source, s."""
RIPPLE = 0.08
"""Width (standard deviation) of the smoothing of a decoded transition, s. On the performer's transitions, written in tokens
and read back, it leaves the error as it is (0.0088 for 0.0089 of a full action) and takes the ripples away."""
_BLINK_FADE = 0.24
"""A spontaneous blink that the source frame is caught in ends within this time, s."""
_AROUND = 2.0
"""How much of the source before and after its frame tells a blink from closed eyes, s."""
_MOVED = 0.05
"""A movement of the state (share of a full action) that is one."""
_FROM_TO = re.compile(r"\bfrom\s+([^.;]{2,60}?)\s+(?:in)?to\s", re.IGNORECASE)
_CLAUSE = re.compile(r"[,.;!?]")
_AGAIN = r"^(?:(?:and|then|now|next|please|ok|okay),?\s+)*"
_VERB = r"(?:change|turn|make|transform|morph|shift|fade|bring|convert|take|modify)\s+"
_THIS_FACE = re.compile(_AGAIN + _VERB + r"this (?:face|expression)\b", re.IGNORECASE)
_CHANGE_IT = re.compile(
    _AGAIN + _VERB + r"(?:(?:it|(?:this|the|her|his|their) (?:face|expression))\b|(?:her|him|them)\s+(?:over\s+)?(?:in)?to\s)",
    re.IGNORECASE)
_BLINKS = [EXPR_INDEX["eyeBlinkLeft"], EXPR_INDEX["eyeBlinkRight"]]


@dataclass(frozen=True)
class Transition:
    """A performed transition.

    Attributes:
        clip: the motion; its first frame is the source (or the face at rest).
        keys: frames at which the named expressions are fully there, in order.
        names: the emotions of these expressions; the strongest one of a blend.
        warnings: one sentence each: words that were replaced, what is not part of a transition.
        text: what the language model read.
    """

    clip: FaceSequence
    keys: tuple[int, ...]
    names: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Asked:
    """A checked request."""

    text: str
    """For the language model."""
    names: tuple[str, ...]
    seconds: float | None
    warnings: tuple[str, ...]
    channels: frozenset[str] = frozenset()
    """Channels beyond those of the emotions that the instruction asks to move."""


class Baseline(Protocol):
    """What a trained baseline offers (``eval/baselines/i2fet``)."""

    def generate(self, instructions: list[str], seed: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]: ...


# -- what is asked ------------------------------------------------------------------------
def check_transition(instruction: str, seconds: float | None = None, via: str | None = None) -> Asked:
    """Read an instruction; no model is needed.

    Args:
        instruction: English, e.g. "Turn this face from anger to happiness".
        seconds: wanted duration; it goes before one that the instruction says.
        via: ``neutral`` puts a neutral face before the last expression.

    Raises:
        ValueError: an instruction that names no known expression, another ``via``, or a duration outside 0.2 to
            20 s or too short for the expressions.
    """
    if via is not None and via != "neutral":
        raise ValueError(f"via is {via!r}; allowed: neutral")
    check_request(["any"], seconds)
    request = parse_instruction(instruction)
    if via and not request.via_neutral and "neutral" not in request.names[:-1]:
        request = _through_neutral(request)
    wanted = request.seconds if seconds is None else seconds
    least = max(0.2, STAGE_SECONDS * len(request.names))
    if wanted is not None and wanted < least - 1e-9:
        raise ValueError(f"seconds is {wanted:g} for {len(request.names)} expressions ({', '.join(request.names)}); "
                         f"allowed: {least:g} to {MAX_SECONDS:g}")
    others = [n for n in dict.fromkeys(actions_in_text(request.text)) if n in ACTION]
    warnings = list(request.warnings)
    if others:
        labels = ", ".join(ACTION[n].label for n in others)
        warnings.append(f"a transition is between expressions; not learned with it, and perhaps left out: {labels}")
    channels = frozenset(c for n in others for c in ACTION_POSES[n]) - EMOTION_CHANNELS
    return Asked(request.text, request.names, wanted, tuple(warnings), channels)


def _through_neutral(request: TransitionRequest) -> TransitionRequest:
    """The same request with a neutral face on the way."""
    first, mark, rest = request.text.partition(".")
    again = parse_instruction(f"{first.rstrip(' ?!')} via neutral{mark or '.'}{rest}")
    return replace(again, seconds=request.seconds, warnings=request.warnings)


def asks_for_transition(text: str, clip: bool = False) -> bool:
    """Whether a line of a conversation asks for a transition, and not for an ordinary performance.

    Args:
        text: the line.
        clip: whether there is a clip at hand, to which "change it to sad" may refer.
    """
    if any(n in ACTION for n in actions_in_text(text)):
        return False  # "She turns her head from left to right, then looks sad"
    if _FROM_TO.search(text):
        return is_transition(text) or _half_known(text)
    found = (_THIS_FACE if not clip else _CHANGE_IT).search(text)
    return found is not None and bool(find_emotions(text[found.end():])) and is_readable(text)


def is_readable(text: str) -> bool:
    """Whether an instruction can be carried out."""
    try:
        parse_instruction(text)
    except ValueError:
        return False
    return True


def _half_known(text: str) -> bool:
    """Whether one side of "from X to Y" is an expression: the refusal of the other side is then the answer."""
    match = _FROM_TO.search(text)
    if match is None:
        return False
    following = _CLAUSE.split(text[match.end():])[0].split()[:2]
    return bool(find_emotions(match[1]) or find_emotions(" ".join(following)))


# -- the way there ------------------------------------------------------------------------
def transition_many(agent: FaceLM, instructions: Sequence[str], sources: Sequence[FaceSequence | None] | None = None,
                    seconds: float | Sequence[float | None] | None = None, via: str | None = None, curve: str = "learned",
                    seed: int = 0, idle: bool = False, candidates: int | None = None,
                    progress: Callable[[int, int], None] | None = None, at: float | Sequence[float | None] | None = None,
                    temperature: float | None = None) -> list[Transition]:
    """Carry out several instructions, batched.

    Args:
        agent: the loaded agent.
        instructions: see :func:`check_transition`.
        sources: for each a clip whose last frame (or frame ``at``) is the source, or None for the face at rest.
        seconds: wanted durations, exact to the frame; None lets the instruction, else the model choose.
        via: ``neutral`` or None.
        curve: ``learned``, ``linear`` or ``minjerk`` (``agent/transition_curves.py``).
        seed: instruction ``i`` is carried out with ``seed + i``.
        idle: put the idle layer on the result; it grows from nothing in the first 0.4 s.
        candidates: transitions written for each, the likeliest and samples, of which the one is kept that the model reads
            as the instruction (``llm/rerank.py``); ``CANDIDATES`` when None. With 1 it is the likeliest.
        progress: called with (done, of).
        at: seconds into each source at which its frame is taken; None is the last.
        temperature: of the samples; ``TEMPERATURE`` when None.

    Raises:
        ValueError: see :func:`check_transition`, :func:`source_frame`; other numbers of sources, times or durations.
    """
    count = len(instructions)
    durations = _for_each(seconds, count, "durations")
    times = _for_each(at, count, "times")
    given = [None] * count if sources is None else list(sources)
    if len(given) != count:
        raise ValueError(f"{len(given)} sources for {count} instructions; give one for each, or None")
    tries = candidates or CANDIDATES
    heat = TEMPERATURE if temperature is None else temperature
    check_request(["any"], None, seed, heat, candidates)
    check_curve(curve)
    asked = [check_transition(*x, via) for x in zip(instructions, durations, strict=True)]
    frames = [source_frame(c, agent.head, t) for c, t in zip(given, times, strict=True)]
    tokens = [None if c is None else _tokens(agent, f) for c, f in zip(given, frames, strict=True)]
    tries = 1 if heat == 0 else tries  # without chance they would all be the same
    out: list[Transition] = []
    chunk = max(1, agent.lm.batch_size // tries)
    for low in range(0, count, chunk):
        part = range(low, min(low + chunk, count))
        # a face unlike any that was learned from (a fitted one) may throw the model off: with a source one candidate
        # starts from rest, and what the source shows then leaves with the first movement
        first = [(i, 0, tokens[i]) for i in part] + [(i, 0, None) for i in part if tries > 1 and tokens[i] is not None]
        more = [(i, t, tokens[i]) for i in part for t in range(1, tries - (tokens[i] is not None))]
        written: dict[int, list[NDArray[np.int32]]] = {i: [] for i in part}
        for wanted, warm in ((first, 0.0), (more, heat)):
            for (i, _, _), ids in zip(wanted, _write(agent, asked, wanted, seed, warm) if wanted else [], strict=True):
                written[i].append(ids)
        several = [written[i] for i in part]
        kept = agent.lm.choose_transitions([asked[i].text for i in part], several) if tries > 1 else [w[0] for w in several]
        for i, ids in zip(part, kept, strict=True):
            best = agent.tokenizer.decode(ids, head=agent.head)
            out.append(finish(best, frames[i], asked[i], curve, seed + i if idle else None))
        if progress:
            progress(len(out), count)
    return out


def _write(agent: FaceLM, asked: Sequence[Asked], wanted: Sequence[tuple[int, int, NDArray[np.int32] | None]], seed: int,
           temperature: float) -> list[NDArray[np.int32]]:
    """The model's motions for (instruction, try, source tokens)."""
    return agent.lm.transition([asked[i].text for i, _, _ in wanted], [start for _, _, start in wanted],
                               seconds=[asked[i].seconds for i, _, _ in wanted], seed=[(seed + i, t) for i, t, _ in wanted],
                               temperature=temperature)


def _for_each(value: float | Sequence[float | None] | None, count: int, what: str) -> list[float | None]:
    many = [value] * count if value is None or isinstance(value, (int, float)) else list(value)
    if len(many) != count:
        raise ValueError(f"{len(many)} {what} for {count} instructions; give one for each")
    return many


@dataclass(frozen=True)
class Source:
    """The frame that a transition starts from.

    Attributes:
        frame: as it is in the clip, one frame.
        meant: the same without idle motion (a spontaneous blink that it is caught in).
    """

    frame: FaceSequence
    meant: FaceSequence


def around(clip: FaceSequence, at: float | None = None) -> FaceSequence:
    """What matters of a source: up to 2 s that end with the frame ``at`` seconds (None: the last frame).

    Raises:
        ValueError: a time outside the clip.
    """
    if at is not None and not 0.0 <= at <= clip.seconds + 1e-6:
        raise ValueError(f"at is {at:g} s; allowed: 0 to {clip.seconds:g} s, the source's length")
    index = len(clip) - 1 if at is None else min(round(at * clip.fps), len(clip) - 1)
    return clip.slice(max(0, index - round(_AROUND * clip.fps)), index + 1)


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
    past = around(clip, at)
    frame = past.slice(len(past) - 1).replace(valid=np.ones(1, bool))
    if len(past) == 1:
        return Source(frame, frame)
    # only the lids: what else is idle is small, and belongs to the frame that is to be kept
    calm = filter_idle(past, IdleConfig(blinks=True)).expr[-1, _BLINKS]
    expr = frame.expr.copy()
    caught = expr[0, _BLINKS] - calm > IdleConfig().dead_expr
    expr[0, _BLINKS] = np.where(caught, calm, expr[0, _BLINKS])
    return Source(frame, frame.replace(expr=expr))


def _tokens(agent: FaceLM, source: Source) -> NDArray[np.int32]:
    """The source frame, held for one tokenizer step; head and gaze, which it keeps anyway, look straight ahead."""
    config = agent.tokenizer.config
    still = source.meant.replace(**{n: np.zeros((1, w), np.float32) for n, w in MOTION_FIELDS.items() if n != "jaw_pose"},
                                 fps=config.fps)
    return agent.tokenizer.encode(Normalised(to_length(still, config.frames_per_step))).ids


def finish(made: FaceSequence, source: Source, asked: Asked, curve: str = "learned", idle_seed: int | None = None) -> Transition:
    """What the model wrote, as a transition of the source face.

    Args:
        made: the decoded motion, T frames.
        source: where it starts.
        asked: what was asked.
        curve: the way between the key poses.
        idle_seed: of the idle layer; None leaves it out.
    """
    if asked.seconds is not None:  # a tokenizer step is several frames: cut or hold to the very frame
        made = to_length(made, max(1, round(asked.seconds * made.fps)))
    made = steady(made)
    keys = transition_keys(made, len(asked.names))
    clip = faithful(made, source, keys, asked.channels)
    moving = ("neck_pose", "eyes_pose") if asked.channels else ()
    clip = retime(clip, keys, curve, keep=moving)
    if idle_seed is not None:
        clip = _alive(clip, idle_seed)
    return Transition(clip, keys, asked.names, asked.warnings, asked.text)


def steady(clip: FaceSequence) -> FaceSequence:
    """Expression and jaw without the ripples of decoded tokens: a Gaussian of ``RIPPLE`` seconds."""
    width = RIPPLE * clip.fps
    return clip.replace(**{n: gaussian_filter1d(getattr(clip, n), width, axis=0, mode="nearest") for n in ("expr", "jaw_pose")})


def faithful(made: FaceSequence, source: Source, keys: Sequence[int], asked: frozenset[str] = frozenset()) -> FaceSequence:
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


# -- a baseline -----------------------------------------------------------------------------
def baseline_transition(model: Baseline, instruction: str, source: FaceSequence | None = None, head: HeadModel | None = None, *,
                        seconds: float | None = None, seed: int = 0, at: float | None = None,
                        curve: str = "linear") -> Transition:
    """The paper's way: two key poses of a trained baseline, interpolated from the source (FET, eq. 16).

    Identity, place, neck and gaze are the source's; expression, global rotation and jaw go to the predicted ones.

    Args:
        model: ``generate([instruction], seed)`` -> expression ``(1, 2, E)`` and pose ``(1, 2, 6)`` (global
            rotation, then jaw; axis-angle, rad).
        instruction: from one expression to another.
        source: a clip; None is the face at rest.
        head: the head; None is the default one.
        seconds: duration, 3 s when None and the instruction says none.
        seed: of the latent draw.
        at: seconds into the source; None is its last frame.
        curve: ``linear`` or ``minjerk``.

    Raises:
        ValueError: another number of expressions than two, or wrong values.
    """
    model_head = head or HeadModel.default()
    asked = check_transition(instruction, seconds)
    if len(asked.names) != 2:
        raise ValueError(f"the instruction names {len(asked.names)} expressions ({', '.join(asked.names)}); "
                         "the baseline goes from one to another: use --model lm")
    check_request(["any"], None, seed)
    first = source_frame(source, model_head, at).frame
    expr, pose = model.generate([asked.text], seed)
    expr, pose = np.asarray(expr, np.float32)[0], np.asarray(pose, np.float32)[0]
    frames = max(3, round((asked.seconds or BASELINE_SECONDS) * FPS))
    keys = anchor_frames(3, frames)[1:]
    clip = transition_clip(first.replace(fps=FPS), expr, pose, frames)
    if curve != "linear":
        rows = [0, *keys]
        poses = clip.replace(**{n: getattr(clip, n)[rows] for n in ("expr", *MOTION_FIELDS, "valid")})
        clip = anchors(poses, keys, frames, curve)
    return Transition(clip, keys, asked.names, asked.warnings, asked.text)


__all__: Sequence[str] = (
    "Asked", "Source", "Transition", "asks_for_transition", "baseline_transition", "check_transition", "transition_many")
