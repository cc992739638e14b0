"""Surrogates of CK+ and CelebV-HQ, made by the procedural animator in the folder layout of the real data set.

CK+ and CelebV-HQ may only be used by those who signed their forms. With these folders the same commands run without them.
Every table made on a surrogate says so in its title; nothing in one is a photograph of a person.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from ....common.progress import Progress, silent
from ....face.head.model import HeadModel
from ..expressions import dataset_name
from ..sources import TRUTH
from . import celebvhq, ckplus
from .files import write_once
from .sizes import CelebVSize, CKPlusSize

VERSION = 1
"""Of the recipe; a change of anything that changes the bytes raises it."""
NOTE = """This folder is SYNTHETIC. It was made by facelm's procedural animator and renderer and has the folder layout of {real};
it holds no picture, video, label or measurement of {real} and no person's face. The heads are drawn from the CC0 head that
facelm ships. It may be used under facelm's licence (Apache-2.0). It says nothing about how well anything works on {real}.
"""


def build(name: str, work: Path, size: CKPlusSize | CelebVSize | None = None, seed: int = 0, *, pictures: bool = True,
          progress: Progress = silent) -> Path:
    """Make a surrogate, or what is missing of it; the same size and seed give the same bytes on one machine.

    Args:
        name: ``surrogate-ckplus`` or ``surrogate-celebvhq``.
        work: the folder in which it is made; the name of its own folder there holds a digest of size and seed.
        size: None is the default of that name.
        seed: of everything.
        pictures: False makes labels and true parameters only, in seconds; a later call adds the pictures.
        progress: stages ``animated clips`` or ``pictures``.

    Returns:
        The folder, in the layout of the real data, with ``truth/`` beside.

    Raises:
        ValueError: an unknown name, or a size of the other surrogate.
    """
    name = dataset_name(name)
    if not name.startswith("surrogate-"):
        raise ValueError(f"{name!r} is not a surrogate; allowed: surrogate-ckplus, surrogate-celebvhq")
    if seed < 0:
        raise ValueError(f"seed is {seed}; allowed: 0 or more")
    lab = name == "surrogate-ckplus"
    wanted = size if size is not None else CKPlusSize() if lab else CelebVSize()
    if lab != isinstance(wanted, CKPlusSize):
        raise ValueError(f"size of {name} is a {type(wanted).__name__}; needed: {'CKPlusSize' if lab else 'CelebVSize'}")
    head = HeadModel.default()
    about = {"format": "facelm-surrogate", "version": VERSION, "name": name, "seed": seed, "head": head.ref.sha256,
             "size": asdict(wanted)}
    text = json.dumps(about, indent=1, sort_keys=True) + "\n"
    folder = work / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
    write_once(folder / "surrogate.json", text)
    write_once(folder / "LICENSE-SYNTHETIC.txt", NOTE.format(real="CK+" if lab else "CelebV-HQ"))
    (folder / TRUTH).mkdir(exist_ok=True)
    if isinstance(wanted, CKPlusSize):
        ckplus.make(folder, wanted, seed, head, pictures, progress)
    else:
        celebvhq.make(folder, wanted, seed, head, pictures, progress)
    return folder
