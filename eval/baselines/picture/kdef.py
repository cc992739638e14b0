"""KDEF by its file names, and a stand-in of made-up persons with the same names.

D. Lundqvist, A. Flykt, A. Öhman, "The Karolinska Directed Emotional Faces - KDEF", 1998, https://kdef.se. A name such as
``AF01HAS.JPG`` says session (A, B), sex (F, M), person, emotion (AF afraid, AN angry, DI disgusted, HA happy, NE neutral,
SA sad, SU surprised) and angle (FL, HL, S straight, HR, FR). The pictures need an application to their authors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from ....common.files import atomic_folder
from ....common.progress import Progress, silent
from ....data_gen.video.footage import in_camera
from ....data_gen.video.scene import Scene, head_frame, place
from ....face.head.model import HeadModel
from ....face.render.shading import linear
from ...datasets.surrogate.people import Act, act, draw_person, pictures
from ...datasets.surrogate.sizes import Variation

EMOTIONS: dict[str, tuple[str, str, str]] = {
    "AF": ("afraid", "fear", "fear strong"), "AN": ("angry", "anger", "anger strong"),
    "DI": ("disgusted", "disgust", "disgust strong"), "HA": ("happy", "happiness", "happiness strong"),
    "NE": ("neutral", "neutral", ""), "SA": ("sad", "sadness", "sadness strong"),
    "SU": ("surprised", "surprise", "surprise strong")}
"""Code -> the word of the prompts, the name of the emotion here, and its script."""
SIZE = (562, 762)
"""Width and height of KDEF's pictures, px."""
_NAME = re.compile(r"([AB])([FM])(\d\d)(AF|AN|DI|HA|NE|SA|SU)(FL|HL|HR|FR|S)\.(?:jpe?g|png)", re.I)


@dataclass(frozen=True)
class Photograph:
    """A picture of KDEF."""

    path: Path
    session: str
    person: str
    """Sex and number, e.g. ``F01``."""
    emotion: str
    """A code of ``EMOTIONS``."""
    angle: str


@dataclass(frozen=True)
class Pair:
    """A neutral picture and an emotional one of the same person and session, with what the prompt calls it."""

    neutral: Path
    target: Path
    person: str
    prompt: str
    """As in the thesis: "happy face"."""


def read_kdef(root: Path) -> list[Photograph]:
    """Every picture under a folder that is named as KDEF's are, sorted by name.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: no picture in it is named so.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder; needed: KDEF's pictures")
    found = []
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        if match := _NAME.fullmatch(path.name):
            session, sex, number, emotion, angle = (g.upper() for g in match.groups())
            found.append(Photograph(path, session, sex + number, emotion, angle))
    if not found:
        raise ValueError(f"{root}: no picture is named as KDEF's are; needed: e.g. AF01HAS.JPG")
    return found


def pairs_of(photographs: Sequence[Photograph], angle: str = "S") -> list[Pair]:
    """Each emotional picture with the neutral one of its person and session; of one angle, as in the thesis.

    Raises:
        ValueError: no such pair.
    """
    seen = [p for p in photographs if p.angle == angle]
    neutral = {(p.person, p.session): p.path for p in seen if p.emotion == "NE"}
    out = [Pair(neutral[p.person, p.session], p.path, p.person, f"{EMOTIONS[p.emotion][0]} face")
           for p in seen if p.emotion != "NE" and (p.person, p.session) in neutral]
    if not out:
        raise ValueError(f"no pair of a neutral and an emotional picture of one person at angle {angle}; needed: e.g. "
                         f"AF01NE{angle}.JPG and AF01HA{angle}.JPG")
    return out


def held_out(pairs: Sequence[Pair], share: float = 0.1) -> tuple[list[Pair], list[Pair]]:
    """Pairs to train on and to validate with; no person is in both, the last ones by name are held out."""
    people = sorted({p.person for p in pairs})
    last = set(people[len(people) - max(1, round(share * len(people))):]) if len(people) > 1 else set()
    return [p for p in pairs if p.person not in last], [p for p in pairs if p.person in last]


def make_stand_in(folder: Path, people: int = 4, seed: int = 0, size: tuple[int, int] = SIZE, sessions: str = "A",
                  progress: Progress = silent) -> None:
    """Draw made-up persons with KDEF's seven emotions and its file names; straight, in even light.

    Args:
        folder: appears whole; must not exist.
        people: 1 to 99 of each sex's numbers, alternating (the letters are names only).
        seed: of who they are.
        size: of the pictures, px.
        sessions: letters of A and B.

    Raises:
        ValueError: too many or too few people.
    """
    if not 1 <= people <= 140:
        raise ValueError(f"people is {people}; allowed: 1 to 140")
    head, variation = HeadModel.default(), Variation(other_side=0.0)
    with atomic_folder(folder) as part:
        for k in range(people):
            rng = np.random.default_rng([seed, k, 0x4DEF])
            person = draw_person(rng, head, variation)
            still = act(person, (Act("neutral", 1.0, 0.0, 0.1, 0.2),), 0.2, 10.0, rng, head, variation)
            spot = place(rng, size, head_frame(head, person.shape)[1], (18.0, 20.0), (0.62, 0.68), (0.0, 0.0, 0.0))
            spot = replace(spot, centre=(0.0, 0.0, spot.centre[2]))
            grey = linear(np.full(3, 0.62, np.float32))
            wall = np.ascontiguousarray(np.broadcast_to(grey, (size[1], size[0], 3)), np.float32)
            scene = Scene(person.palette, person.eyes, _studio(), wall, 0.5, 0.01, {})
            for session in sessions:
                for code, (_, emotion, _) in EMOTIONS.items():
                    level = float(rng.uniform(0.8, 1.0))
                    clip = act(person, (Act(emotion, level, 0.0, 0.4, 1.0),), 0.8, 10.0, rng, head, variation)
                    clip = clip.slice(len(clip) - 1, len(clip)) if code != "NE" else still.slice(0, 1)
                    shown = next(iter(pictures(in_camera(clip, head, spot), head, spot, scene, rng)))
                    name = f"{session}{'FM'[k % 2]}{k // 2 + 1:02d}{code}S.JPG"
                    Image.fromarray(shown).save(part / name, quality=95)
            progress(k + 1, people, "stand-in for KDEF")


def _studio() -> np.ndarray:
    """Two soft lamps and an even room; rows as ``Scene.lights``."""
    rows = []
    for azimuth, height, power, gloss in ((25.0, 20.0, 0.45, 1.0), (-25.0, 20.0, 0.42, 0.6), (0.0, 0.0, 0.34, 0.0)):
        a, e = np.radians([azimuth, height])
        rows.append([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e), *[power] * 3, gloss])
    return np.array(rows, np.float32)
