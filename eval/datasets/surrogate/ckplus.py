"""The surrogate of CK+: 117 people pose seven emotions each before a laboratory's camera, in grey pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ....common.files import atomic_folder
from ....common.progress import Progress
from ....data_gen.video.footage import in_camera
from ....data_gen.video.scene import Placement, Scene, head_frame, place
from ....face.clip.sequence import FaceSequence
from ....face.clip.spontaneous import IdleConfig
from ....face.head.model import HeadModel
from ....face.render.shading import linear
from ..ckplus import CODES, FPS
from ..expressions import CKPLUS
from ..sources import TRUTH
from .files import write_once, write_truth
from .people import Act, Person, act, draw_person, pictures
from .sizes import CKPlusSize
from .units import draw_pose

_CODE = {name: code for code, name in CODES.items()}
_IDLE = IdleConfig(blink_rate=0.0)
"""Pictures with a blink at the apex were not kept by those who made CK+."""
LABELLED = {"anger": 45, "contempt": 18, "disgust": 59, "fear": 25, "happiness": 69, "sadness": 28, "surprise": 83}
"""Sequences of CK+ with an emotion label (Lucey et al., "The Extended Cohn-Kanade Dataset (CK+)", CVPRW 2010,
https://doi.org/10.1109/CVPRW.2010.5543262); the others show something else, or not clearly enough."""
_SUBJECTS = 117


@dataclass(frozen=True, eq=False)
class _Take:
    """A sequence that can be drawn."""

    name: str
    emotion: str
    clip: FaceSequence
    person: Person
    placement: Placement
    scene: Scene


def make(folder: Path, size: CKPlusSize, seed: int, head: HeadModel, drawn: bool, progress: Progress) -> None:
    """Write what is missing of ``Emotion/``, ``truth/`` and, when ``drawn``, ``cohn-kanade-images/``; see ``build.build``."""
    total = size.subjects * len(CKPLUS)
    images, labelled = folder / "cohn-kanade-images", _labelled(size, seed)
    for done in range(total):
        subject, number = done // len(CKPLUS), done % len(CKPLUS)
        name = f"S{subject + 1:03d}/{number + 1:03d}"
        truth, frames = folder / TRUTH / f"{name}.npz", images / name
        if not truth.is_file() or (drawn and not frames.is_dir()):
            take = _take(subject, number, size, seed, head)
            stem = f"{name.replace('/', '_')}_{len(take.clip):08d}"
            # CK+ writes its numbers with three blanks in front
            if subject in labelled[take.emotion]:
                write_once(folder / "Emotion" / name / f"{stem}_emotion.txt", f"   {_CODE[take.emotion]:.7e}\n")
            if drawn and not frames.is_dir():
                _draw(take, frames, head, np.random.default_rng([seed, subject, number, 0xD4A3]))
            write_truth(truth, take.clip)
        progress(done + 1, total, "pictures" if drawn else "animated clips")


def _labelled(size: CKPlusSize, seed: int) -> dict[str, frozenset[int]]:
    """By emotion, the subjects whose sequence has a label; CK+'s counts, drawn until every subject has one if that can be."""
    everyone = range(size.subjects)
    if size.labels == "all":
        return {name: frozenset(everyone) for name in CKPLUS}
    rng, drawn = np.random.default_rng([seed, 0x1AB]), {}
    for _ in range(200):
        counts = {name: max(1, round(size.subjects * count / _SUBJECTS)) for name, count in LABELLED.items()}
        drawn = {name: frozenset(rng.choice(size.subjects, n, replace=False).tolist()) for name, n in counts.items()}
        if len(frozenset().union(*drawn.values())) == size.subjects:
            break
    return drawn


def _take(subject: int, number: int, size: CKPlusSize, seed: int, head: HeadModel) -> _Take:
    """The sequence ``number`` of a subject; depends on nothing but the seed and these two."""
    own = np.random.default_rng([seed, subject, 0xC4])
    person = draw_person(own, head, size.variation)
    order = own.permutation(len(CKPLUS))
    emotion = CKPLUS[int(order[number])]
    rng = np.random.default_rng([seed, subject, number, 0xC4])
    frames = int(rng.integers(size.frames[0], size.frames[1] + 1))
    # the first picture is at rest, the last three at the apex
    start = 0.5 / FPS
    doing = Act(emotion, float(rng.uniform(*size.intensity)), start, (frames - 3) / FPS - start, frames / FPS,
                draw_pose(np.random.default_rng([seed, subject, number, 0xA0]), emotion) if size.units else None)
    motion = act(person, (doing,), frames / FPS, FPS, rng, head, size.variation, idle=_IDLE)
    pitch, yaw, roll = np.clip(rng.normal(0.0, size.turn, 3), -3 * size.turn, 3 * size.turn)
    turn = (float(pitch), float(yaw), float(roll))
    placement = _seated(place(rng, size.size, head_frame(head, motion.shape)[1], (14.0, 20.0), (0.74, 0.84), turn))
    scene = Scene(person.palette, person.eyes, _lights(rng), _wall(rng, size.size), float(rng.uniform(0.5, 1.5)),
                  float(rng.uniform(0.0, 0.1)), {})
    return _Take(f"S{subject + 1:03d}/{number + 1:03d}", emotion, in_camera(motion, head, placement), person, placement, scene)


def _seated(placement: Placement) -> Placement:
    """Nearly in the middle of the picture: the camera was put up for the person."""
    x, y, z = placement.centre
    return replace(placement, centre=(0.2 * x, 0.2 * y, z))


def _lights(rng: np.random.Generator) -> NDArray[np.float32]:
    """Two soft lamps in front and an even room; rows as ``footage_scene.Scene.lights``."""
    exposure = float(rng.uniform(0.9, 1.05))
    rows = []
    for azimuth, height, power, gloss in ((rng.uniform(10, 30), 20.0, 0.52, 1.0), (rng.uniform(-40, -20), 15.0, 0.34, 0.4),
                                          (150.0, 20.0, 0.1, 0.5), (-150.0, 20.0, 0.1, 0.5), (0.0, 0.0, 0.32, 0.0)):
        a, e = np.radians([azimuth, height])
        rows.append([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e), *[exposure * power] * 3, gloss])
    return np.array(rows, np.float32)


def _wall(rng: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    grey = linear(np.full(3, rng.uniform(0.25, 0.6)))
    return np.ascontiguousarray(np.broadcast_to(grey, (size[1], size[0], 3)), np.float32)


def _draw(take: _Take, frames: Path, head: HeadModel, rng: np.random.Generator) -> None:
    """A folder of grey pictures; it appears whole."""
    with atomic_folder(frames) as partial:
        for k, picture in enumerate(pictures(take.clip, head, take.placement, take.scene, rng), 1):
            grey = np.round(picture @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
            # a noisy picture hardly shrinks further, and level 6 would take as long as the drawing
            Image.fromarray(grey).save(partial / f"{take.name.replace('/', '_')}_{k:08d}.png", compress_level=1)
