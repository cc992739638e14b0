"""Transitions between expressions: what is asked, and its performance on the default head.

A transition leads from a source face through one or more expressions and stays at the last one.
Each movement is one minimum-jerk stroke from key pose to key pose, all channels together, as in the
animator's hand-over from one emotion to the next (superposed submovements, see dynamics.py).
Channels that no emotion uses (head, gaze, lids that close, cheeks, tongue, lateral jaw) keep the
source's values throughout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from ...face.clip.curves import runs
from ...face.clip.sequence import FaceSequence
from ...face.clip.trajectory import state
from ...face.facs.poses import ACTION_POSES, EMOTION_POSES
from ...face.facs.schedule import LEVELS, MAX_SECONDS, Style
from ...face.facs.vocabulary import EMOTIONS
from ...face.head.model import HeadModel
from .animator import FPS, close_lids, finish, n_frames, realise
from .dynamics import strokes
from .sampler import MIN_SECONDS, SOURCES, STEP, sample_style, snap

EMOTION_CHANNELS: frozenset[str] = frozenset(name for pose in EMOTION_POSES.values() for name in pose)
"""Channels by which emotions show; a transition may change these and no others."""
_INSTANT = 1e-3  # shortest time between two key poses, s


@dataclass(frozen=True)
class Stage:
    """One expression on the way.

    Attributes:
        blend: emotions with their intensities, 0 to 1; ``(("happiness", 0.7),)``. Neutral is ``(("neutral", 1.0),)``.
        rise: seconds of the movement that leads there.
        hold: seconds that it is held before the next movement; the last stage stays to the end.
    """

    blend: tuple[tuple[str, float], ...]
    rise: float = 0.64
    hold: float = 0.64

    def __post_init__(self) -> None:
        if not self.blend:
            raise ValueError("a stage of a transition needs at least one emotion")
        for name, share in self.blend:
            if name not in EMOTIONS:
                raise ValueError(f"unknown emotion {name!r}; known: {', '.join(EMOTIONS)}")
            if not 0.0 < share <= 1.0:
                raise ValueError(f"{name} has intensity {share:g}; allowed: above 0, up to 1")
        if self.rise < 0.04 or self.hold < 0.0:
            raise ValueError(f"a stage rises in {self.rise:g} s and holds for {self.hold:g} s; "
                             "allowed: at least 0.04 s and 0 s")

    @property
    def name(self) -> str:
        """The stage's strongest emotion."""
        return max(self.blend, key=lambda item: item[1])[0]

    def pose(self, expressiveness: float = 1.0) -> dict[str, float]:
        """Channel targets; blended emotions add up."""
        out: dict[str, float] = {}
        for name, share in self.blend:
            for channel, value in EMOTION_POSES[name].items():
                out[channel] = out.get(channel, 0.0) + share * expressiveness * value
        return out


@dataclass(frozen=True)
class TransitionSpec:
    """A transition, exactly.

    Attributes:
        stages: the expressions, in order.
        source: channel values at the start (ARKit names and ``POSE_CHANNELS``); empty is the face at rest.
        lead: seconds that the source is held before the first movement.
        tail: seconds after the last stage's hold.
        style: how the person moves.
    """

    stages: tuple[Stage, ...]
    source: Mapping[str, float] = field(default_factory=dict)
    lead: float = STEP
    tail: float = 0.0
    style: Style = field(default_factory=Style)

    def __post_init__(self) -> None:
        if not self.stages:
            raise ValueError("a transition needs at least one expression to go to")
        if self.seconds > MAX_SECONDS:
            raise ValueError(f"the transition lasts {self.seconds:g} s; at most {MAX_SECONDS:g} s are allowed")

    @property
    def seconds(self) -> float:
        """Length of the whole."""
        return self.lead + sum(s.rise + s.hold for s in self.stages) + self.tail

    @property
    def apexes(self) -> tuple[float, ...]:
        """When each stage is reached, seconds."""
        return tuple(accumulate((x for s in self.stages for x in (s.rise, s.hold)), initial=self.lead))[1::2]


def transition_channels(spec: TransitionSpec, fps: float = FPS) -> dict[str, NDArray[np.float64]]:
    """The transition as named channels, each ``(T,)``: ARKit expression names and angles in radians."""
    t = np.arange(n_frames(spec.seconds, fps)) / fps
    poses, times = [dict(spec.source)], [max(spec.lead, _INSTANT)]
    kept = {n: v for n, v in spec.source.items() if n not in EMOTION_CHANNELS}
    for stage, apex in zip(spec.stages, spec.apexes, strict=True):
        felt = {**kept, **one_sided(stage.pose(spec.style.expressiveness), spec.style.asymmetry)}
        close_lids(felt)
        poses += [poses[-1], felt]
        times.append(max(apex - stage.rise, times[-1] + _INSTANT))
        times.append(max(apex, times[-1] + _INSTANT))  # a hold of no length would divide by zero
    out: dict[str, NDArray[np.float64]] = {}
    for name in sorted({n for p in poses for n in p}):
        values = np.array([p.get(name, 0.0) for p in poses])
        if np.abs(values).max() > 1e-9:
            out[name] = strokes(t, times, values)
    return finish(out)


def one_sided(pose: dict[str, float], asymmetry: float) -> dict[str, float]:
    """Channels at full strength with one side weaker: the left of a positive asymmetry, the right of a negative one."""
    side = "Left" if asymmetry > 0.0 else "Right"
    return {n: v * (1.0 - abs(asymmetry)) if n.endswith(side) else v for n, v in pose.items()}


def perform_transition(spec: TransitionSpec, head: HeadModel | None = None, *, shape: NDArray[np.float32] | None = None
                       ) -> FaceSequence:
    """Perform a transition: the commanded layer only. The first frame is the source; arguments and errors as of ``perform``."""
    return realise(transition_channels(spec), n_frames(spec.seconds), head, shape=shape)


# -- where the expressions are ----------------------------------------------------------
def transition_keys(clip: FaceSequence, count: int) -> tuple[int, ...]:
    """Frames at which ``count`` successive expressions are held, found from the motion alone.

    The speed of the expression and jaw, over a window of a quarter of a second so that jitter cancels, is cut
    into movements (runs above a sixth of its peak that lead somewhere). Between them the face rests; an
    expression is held in the middle of its rest. One movement fewer than asked means that the source already
    showed the first expression; of more rests than asked those nearest to a neutral face are passed over.

    Returns:
        ``count`` (at least 1) rising frames; the last is the clip's last. Where movements are missing beyond the first,
        frames repeat the last one.
    """
    if count < 1:
        raise ValueError(f"count is {count}; allowed: 1 and more")
    frames = len(clip)
    x = state(clip)
    padded = np.concatenate([x[:1].repeat(3, 0), x, x[-1:].repeat(3, 0)])
    speed = np.linalg.norm(padded[6:] - padded[:-6], axis=1)
    if speed.max() < 1e-3:
        return (frames - 1,) * count
    fast = speed > speed.max() / 6.0
    fast[1:-1] |= fast[:-2] & fast[2:]  # a movement that is interrupted for a frame is one
    moves = [(a, b - 1) for a, b in runs(fast)]
    size = np.array([np.linalg.norm(x[b] - x[a]) for a, b in moves])
    moves = [move for move, s in zip(moves, size, strict=True) if s > 0.12 * size.max()]
    ends = [*(a for a, _ in moves[1:]), frames - 1]
    rests = [(b + end) // 2 for (_, b), end in zip(moves, ends, strict=True)]
    if len(rests) == count - 1:
        rests.insert(0, moves[0][0] // 2)
    while len(rests) > count:
        rests.pop(int(np.argmin([np.linalg.norm(x[k]) for k in rests[:-1]])))
    return (*rests, *[frames - 1] * count)[:count - 1] + (frames - 1,)


# -- random transitions -----------------------------------------------------------------
def _time(rng: np.random.Generator, low: int, high: int) -> float:
    """A time on the grid, drawn as a number of ``STEP``."""
    return round(snap(STEP * int(rng.integers(low, high + 1))), 3)


def sample_source(rng: np.random.Generator, first: str) -> dict[str, float]:
    """A source face: often the first expression itself, else another one, single actions, a turned head, a gaze."""
    def some(pose: Mapping[str, float]) -> dict[str, float]:
        amount = float(rng.choice(list(LEVELS.values())))
        return {n: v * amount for n, v in pose.items()}

    pose: dict[str, float] = {}
    kind = rng.random()
    if kind < 0.6:
        pose = some(EMOTION_POSES[first if kind < 0.35 and first != "neutral" else str(rng.choice(EMOTIONS[1:]))])
    elif kind < 0.8:
        pose = some(ACTION_POSES[str(rng.choice(SOURCES["face"]))])
    for part, share in (("head", 0.35), ("eyes", 0.2)):
        if rng.random() < share:
            pose.update(some(ACTION_POSES[str(rng.choice(SOURCES[part]))]))
    return pose


@dataclass(frozen=True)
class Plan:
    """What a random transition is, before words and numbers: the stages' blends and what was said of them.

    Attributes:
        blends: emotions and the strength that is said of each: ``slight | medium | strong`` or a percentage.
        via_neutral: a neutral face stands between the first and the last.
        half: the last is only half-way reached.
        speed: ``""``, ``slow`` or ``quick``.
        holds: seconds that a stage is to be held, by index.
        sourced: a source face is handed over.
    """

    blends: tuple[tuple[tuple[str, str | int], ...], ...]
    via_neutral: bool = False
    half: bool = False
    speed: str = ""
    holds: Mapping[int, float] = field(default_factory=dict)
    sourced: bool = False

    @property
    def plain(self) -> bool:
        """Single emotions at medium strength, and nothing said of the way."""
        mild = all(len(b) == 1 and b[0][1] == "medium" for b in self.blends)
        return mild and not (self.via_neutral or self.half or self.speed or self.holds)


def sample_plan(rng: np.random.Generator) -> Plan:
    """Draw what a transition should be: mostly one expression to another."""
    count = int(rng.choice([1, 2, 3], p=[0.12, 0.76, 0.12]))
    names: list[str] = []
    while len(names) < count:
        name = str(rng.choice(EMOTIONS))
        if not names or names[-1] != name:
            names.append(name)
    sourced = count == 1 and rng.random() < 0.8 or rng.random() < 0.45
    if count == 1 and not sourced and names[0] == "neutral":
        names = [str(rng.choice(EMOTIONS[1:]))]
    blends: list[tuple[tuple[str, str | int], ...]] = [
        ((n, "medium" if n == "neutral" else str(rng.choice(list(LEVELS), p=[0.15, 0.65, 0.2]))),) for n in names]
    via = (count == 2 or count == 1 and sourced) and "neutral" not in names and rng.random() < 0.15
    half, holds = False, {}
    if not via and names[-1] != "neutral" and rng.random() < 0.16:
        kind = rng.random()
        if kind < 0.4:
            blends[-1] = ((names[-1], int(rng.choice([30, 40, 50, 60, 70, 80, 90]))),)
        elif kind < 0.75:
            share = int(rng.choice([50, 60, 70, 80]))
            other = str(rng.choice([e for e in EMOTIONS[1:] if e != names[-1]]))
            blends[-1] = ((names[-1], share), (other, 100 - share))
        elif count == 2 and "neutral" not in names:
            half = True
            blends[-1] = ((names[-1], "medium"),)
    speed = str(rng.choice(["", "slow", "quick"], p=[0.84, 0.08, 0.08]))
    if rng.random() < 0.12:
        holds = {int(rng.integers(0, count)): float(rng.choice([0.5, 1.0, 1.5, 2.0]))}
    return Plan(tuple(blends), via, half, speed, holds, sourced)


def realise_plan(plan: Plan, rng: np.random.Generator) -> TransitionSpec:
    """Numbers for a plan: timing on a grid of :data:`STEP` seconds, style, source."""
    low, high = {"": (3, 5), "slow": (7, 10), "quick": (2, 2)}[plan.speed]

    def stage(blend: Sequence[tuple[str, str | int]], index: int) -> Stage:
        hold = snap(plan.holds[index]) if index in plan.holds else _time(rng, 3, 6)
        felt = tuple((n, 1.0 if n == "neutral" else LEVELS[said] if isinstance(said, str) else said / 100.0)
                     for n, said in blend)
        return Stage(felt, _time(rng, low, high), round(hold, 3))

    stages = [stage(b, i) for i, b in enumerate(plan.blends)]
    if plan.half:
        stages[-1] = replace(stages[-1], blend=tuple((n, x / 2) for n, x in (*stages[-2].blend, *stages[-1].blend)))
    if plan.via_neutral:
        stages.insert(len(stages) - 1, Stage((("neutral", 1.0),), _time(rng, low, high), _time(rng, 1, 3)))
    lead = _time(rng, 1, 2)
    source = sample_source(rng, plan.blends[0][0][0]) if plan.sourced else {}
    spec = TransitionSpec(tuple(stages), source, lead, 0.0, sample_style(rng))
    return replace(spec, tail=max(0.0, snap(MIN_SECONDS - spec.seconds)))
