"""Stand-ins for CK+ and CelebV-HQ, made by the performer in the folder layout of the real thing.

CK+ and CelebV-HQ may only be used by those who signed their forms. With these folders the same commands run without them.
Every table made on a stand-in says so in its title; nothing in one is a photograph of a person.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from ...common.files import atomic_file
from ...data_gen.video.scene import head_frame
from ...face.clip.sequence import FaceSequence
from ...face.head.model import HeadModel
from ...face.render.camera import check_size
from .expressions import Progress
from .sources import TRUTH
from .standin_people import Manner

VERSION = 1
"""Of the recipe; a change of anything that changes the bytes raises it."""
NOTE = """This folder is SYNTHETIC. It was made by facelm's performer and renderer and has the folder layout of {real};
it holds no picture, video, label or measurement of {real} and no person's face. The heads are drawn from the CC0 head that
facelm ships. It may be used under facelm's licence (Apache-2.0). It says nothing about how well anything works on {real}.
"""
Range = tuple[float, float]


@dataclass(frozen=True)
class CKPlusSize:
    """The CK+ stand-in: posed emotions in a laboratory. Ranges are drawn from uniformly."""

    subjects: int = 117
    """As many as CK+ has with a label (Sec. IV-A of the paper)."""
    frames: tuple[int, int] = (8, 11)
    """Pictures of a sequence, least and most."""
    size: tuple[int, int] = (320, 240)
    """Picture, px (CK+: 640x490)."""
    intensity: Range = (0.6, 1.0)
    """Of the apex."""
    turn: float = 3.0
    """Standard deviation of the head's pitch, yaw and roll, degrees."""
    manner: Manner = field(default_factory=Manner)
    """How much the subjects differ."""
    labels: Literal["ckplus", "all"] = "ckplus"
    """``ckplus``: as many sequences of each emotion have a label as in CK+ (327 of 117 subjects); ``all``: every one."""
    units: bool = True
    """People show the action units published for an emotion, each as often (``standin_units``); False: the performer's."""

    def __post_init__(self) -> None:
        _check("subjects", self.subjects, 1, 999)
        _check_range("frames", self.frames, 8, 100)
        _check_range("intensity", self.intensity, 0.05, 1.0)
        if self.labels not in ("ckplus", "all"):
            raise ValueError(f"stand-in: labels is {self.labels!r}; allowed: ckplus, all")
        _check("turn", self.turn, 0.0, 20.0)
        check_size(self.size)


@dataclass(frozen=True)
class CelebVSize:
    """The CelebV-HQ stand-in: clips as found in the wild. Ranges are drawn from uniformly."""

    subjects: int = 200
    """The paper keeps 614."""
    clips: tuple[int, int] = (3, 6)
    """Of a subject, least and most."""
    seconds: Range = (0.6, 1.0)
    """Of a clip with one emotion; one with two is twice as long."""
    size: int = 256
    """Side of the square picture, px (CelebV-HQ: at least 512)."""
    intensity: Range = (0.35, 0.95)
    """Of the emotion."""
    pitch: float = 8.0
    """Standard deviation of the head's pitch, degrees."""
    yaw: float = 12.0
    """Of its yaw."""
    roll: float = 6.0
    """Of its roll."""
    talking: float = 0.4
    """Share of clips in which the subject talks."""
    two: float = 0.15
    """Share of clips with two emotions, each with its times."""
    manner: Manner = field(default_factory=lambda: Manner(0.18, 0.18, 0.1, 0.08, 0.5, 0.25))
    """How much the subjects differ."""

    def __post_init__(self) -> None:
        _check("subjects", self.subjects, 1, 100_000)
        _check_range("clips", self.clips, 1, 100)
        _check_range("seconds", self.seconds, 0.3, 10.0)
        _check_range("intensity", self.intensity, 0.05, 1.0)
        for name in ("pitch", "yaw", "roll"):
            _check(name, getattr(self, name), 0.0, 30.0)
        for name in ("talking", "two"):
            _check(name, getattr(self, name), 0.0, 1.0)
        check_size(self.size)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"stand-in: {name} is {value}; allowed: {low:g} to {high:g}")


def _check_range(name: str, value: tuple[float, float], low: float, high: float) -> None:
    if len(value) != 2 or not low <= value[0] <= value[1] <= high:
        raise ValueError(f"stand-in: {name} is {value}; allowed: two rising numbers from {low:g} to {high:g}")


def build(name: str, work: Path, size: CKPlusSize | CelebVSize | None = None, seed: int = 0, *, pictures: bool = True,
          progress: Progress | None = None) -> Path:
    """Make a stand-in, or what is missing of it; the same size and seed give the same bytes on one machine.

    Args:
        name: ``standin-ckplus`` or ``standin-celebvhq``.
        work: the folder in which it is made; the name of its own folder there holds a digest of size and seed.
        size: None is the default of that name.
        seed: of everything.
        pictures: False makes labels and true parameters only, in seconds; a later call adds the pictures.
        progress: called with ("performances" or "pictures", done, in all).

    Returns:
        The folder, in the layout of the real data, with ``truth/`` beside.

    Raises:
        ValueError: an unknown name, or a size of the other stand-in.
    """
    from . import standin_celebvhq, standin_ckplus

    if name not in ("standin-ckplus", "standin-celebvhq"):
        raise ValueError(f"stand-in {name!r} is not known; allowed: standin-ckplus, standin-celebvhq")
    if seed < 0:
        raise ValueError(f"seed is {seed}; allowed: 0 or more")
    lab = name == "standin-ckplus"
    wanted = size if size is not None else CKPlusSize() if lab else CelebVSize()
    if lab != isinstance(wanted, CKPlusSize):
        raise ValueError(f"size of {name} is a {type(wanted).__name__}; needed: {'CKPlusSize' if lab else 'CelebVSize'}")
    head = HeadModel.default()
    about = {"format": "facelm-standin", "version": VERSION, "name": name, "seed": seed, "head": head.ref.sha256,
             "size": asdict(wanted)}
    text = json.dumps(about, indent=1, sort_keys=True) + "\n"
    folder = work / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
    (folder / TRUTH).mkdir(parents=True, exist_ok=True)
    write_text(folder / "standin.json", text)
    write_text(folder / "LICENSE-SYNTHETIC.txt", NOTE.format(real="CK+" if lab else "CelebV-HQ"))
    if isinstance(wanted, CKPlusSize):
        standin_ckplus.make(folder, wanted, seed, head, pictures, progress)
    else:
        standin_celebvhq.make(folder, wanted, seed, head, pictures, progress)
    return folder


def write_text(path: Path, text: str) -> None:
    """A small text file, whole or not at all; left alone when it is there."""
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_truth(path: Path, clip: FaceSequence) -> None:
    """A clip's own parameters."""
    path.parent.mkdir(parents=True, exist_ok=True)
    clip.save(path)


def finish_folder(partial: Path, final: Path) -> None:
    """A folder that was written under another name gets its own."""
    final.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, final)


def head_height(head: HeadModel, clip: FaceSequence) -> float:
    """Chin to crown, metres."""
    return head_frame(head, clip.shape)[1]
