"""The subjects of the surrogate data sets: each with a face, colours and individual variation, all drawn from a seed.

Real subjects who are asked for one emotion do not make one face. Beside timing and strength, these subjects differ by gains
on every channel, by small movements of their own that come with an emotion, by accompaniments that may come with it
(face/facs/vocabulary.py, EMOTION_MAY_SHOW) and by a resting face that is not exactly at rest. The sizes are choices,
not statistics.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....data_gen.performer.animator import perform
from ....data_gen.performer.dynamics import envelope
from ....data_gen.performer.transitions import one_sided
from ....data_gen.video.scene import Placement, Scene, SceneRenderer, Sensor, draw_palette
from ....face.clip.channels import EXPR_INDEX, EXPR_NAMES
from ....face.clip.sequence import FaceSequence
from ....face.clip.spontaneous import IdleConfig, add_idle
from ....face.facs.schedule import Event, Schedule, Style
from ....face.facs.vocabulary import EMOTION_MAY_SHOW, EMOTIONS
from ....face.head.model import HeadModel
from ....face.render.shading import Eyes, Palette
from .sizes import Variation
from .units import Pose

Array = NDArray[np.float64]
_SHAPES, _SHAPE_STD = 20, 0.7  # as FootageConfig's
_QUIET = ("browDown", "browInnerUp", "browOuterUp", "cheekSquint", "eyeSquint", "mouthDimple", "mouthFrown", "mouthPress",
          "mouthShrug", "mouthSmile", "mouthStretch", "noseSneer", "mouthRoll", "mouthUpperUp")
_MOVABLE = [i for i, n in enumerate(EXPR_NAMES) if n.startswith(_QUIET)]
"""Columns that individual variation and a resting face may move."""


@dataclass(frozen=True, eq=False)
class Person:
    """One subject."""

    shape: NDArray[np.float32]
    palette: Palette
    eyes: Eyes
    style: Style
    gains: Array
    """(E,) factor on each expression column."""
    resting: Array
    """(E,)."""
    own: dict[str, Array]
    """(E,) by emotion, at full strength."""
    mirrored: bool
    """Shows contempt on the right."""


def draw_person(rng: np.random.Generator, head: HeadModel, variation: Variation) -> Person:
    """A subject; the head needs ARKit columns."""
    shape = np.zeros(head.n_shape, np.float32)
    count = min(_SHAPES, head.n_shape)
    shape[:count] = np.clip(rng.normal(0.0, _SHAPE_STD, count), -2.5 * _SHAPE_STD, 2.5 * _SHAPE_STD)
    palette, eyes, _ = draw_palette(rng)
    style = Style(asymmetry=float(np.clip(rng.normal(0.0, variation.asymmetry), -0.15, 0.15)),
                  expressiveness=float(rng.uniform(0.88, 1.1)))
    gains = np.exp(np.clip(rng.normal(0.0, variation.gain, len(EXPR_NAMES)), -0.3, 0.3))
    for name, i in EXPR_INDEX.items():  # the two sides differ by the style's asymmetry, not by chance
        if name.endswith("Right"):
            gains[i] = gains[EXPR_INDEX[name[:-5] + "Left"]]
    own = {}
    for emotion in EMOTIONS:
        own[emotion] = np.zeros(len(EXPR_NAMES))
        if emotion != "neutral":
            own[emotion][rng.choice(_MOVABLE, 3, replace=False)] = rng.uniform(0.2, 1.0, 3) * variation.own
    resting = np.zeros(len(EXPR_NAMES))
    resting[rng.choice(_MOVABLE, 6, replace=False)] = rng.uniform(0.0, variation.resting, 6)
    return Person(shape, palette, eyes, style, gains, resting, own, bool(rng.random() < variation.other_side))


@dataclass(frozen=True)
class Act:
    """One emotion of a clip: begins at ``start``, is at its apex ``rise`` seconds later and stays until ``until``."""

    emotion: str
    intensity: float
    start: float
    rise: float
    until: float
    pose: Pose | None = None
    """Channels of the apex at full strength, in place of the animator's prototype of the emotion."""


def act(person: Person, acts: tuple[Act, ...], seconds: float, fps: float, rng: np.random.Generator, head: HeadModel,
        variation: Variation, more: tuple[Event, ...] = (), idle: IdleConfig | None = None) -> FaceSequence:
    """A person's animated clip, before it is placed in a camera's frame.

    Args:
        person: who.
        acts: the emotions, in order of time.
        seconds, fps: length and rate.
        rng: draws accompaniments and idle motion.
        head: the person's head model.
        variation: how often accompaniments come.
        more: events beside the emotions (talking, a turn of the head).
        idle: the idle layer; None leaves it out.
    """
    events, t = list(more), np.arange(max(1, round(seconds * fps))) / fps
    extra, jaw = np.tile(person.resting, (len(t), 1)), np.zeros(len(t))
    for a in acts:
        if a.emotion == "neutral":
            continue
        lasts = a.until < seconds - 1e-6
        hold = max(0.0, a.until - a.start - a.rise)
        fall = min(0.24, seconds - a.until) if lasts else 0.0
        curve = envelope(t, a.start, a.rise, hold, fall or None)
        extra += a.intensity * curve[:, None] * person.own[a.emotion]
        if a.pose is not None:
            for channel, value in one_sided(a.pose, person.style.asymmetry).items():
                moved = a.intensity * person.style.expressiveness * value * curve
                if channel == "jaw_x":
                    jaw += moved
                else:
                    extra[:, EXPR_INDEX[channel]] += moved * person.gains[EXPR_INDEX[channel]]
            continue
        events.append(Event(a.emotion, a.start, a.rise, hold, fall, a.intensity))
        usual = EMOTION_MAY_SHOW[a.emotion]
        if usual and rng.random() < variation.accompany:
            level = float(rng.uniform(0.15, 0.4) * a.intensity)
            events.append(Event(str(rng.choice(usual)), a.start, a.rise, hold, fall, level))
    events.sort(key=lambda e: e.start)
    script = Schedule(seconds, tuple(events), "person", person.style, int(rng.integers(0, 2**31)))
    clip = perform(script, head, shape=person.shape, fps=fps)
    expr = np.clip(clip.expr * person.gains + extra, 0.0, 1.0).astype(np.float32)
    clip = clip.replace(expr=expr)
    if jaw.any():
        clip = clip.replace(jaw_pose=(clip.jaw_pose + jaw[:, None] * [1.0, 0.0, 0.0]).astype(np.float32))
    if person.mirrored and any(a.emotion == "contempt" for a in acts):
        clip = clip.mirror()
    seed = int(rng.integers(0, 2**31))
    return add_idle(clip, seed, idle) if idle is not None else clip


def pictures(clip: FaceSequence, head: HeadModel, placement: Placement, scene: Scene,
             rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """(H, W, 3) uint8 sRGB each, as a camera would record the clip."""
    renderer = SceneRenderer(head, placement, scene)
    record = Sensor(rng, (placement.camera.width, placement.camera.height), scene)
    for start in range(0, len(clip), 32):
        for vertices in head.sequence_vertices(clip, np.arange(start, min(start + 32, len(clip)))):
            yield record(renderer.draw(vertices))
