"""Express4D as distributed: recordings of Live Link Face, each with the sentences that were performed.

https://arxiv.org/abs/2508.12438. The layout is that which its own loader reads (https://github.com/jaron1990/Express4D)::

    data/NAME.csv        a recording of the app, with time codes; or
    data/NAME.npy        the same without them: (frames, 61), 60 frames a second
    texts/NAME.txt       lines "sentence#word/TAG word/TAG ..."
    train.txt, test.txt  names, one a line
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...common.files import read_text
from ...face.clip.normalise import normalise
from ...face.clip.sequence import FaceSequence
from ...face.io.convert import read

SPLITS = ("train", "test")
FPS = 60.0
"""Of recordings without time codes."""
_FORMS = (".csv", ".npy")


def is_express4d(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is laid out like this."""
    path = Path(folder)
    return (path / "data").is_dir() and (path / "texts").is_dir() and any((path / f"{s}.txt").is_file() for s in SPLITS)


def iter_express4d(folder: str | os.PathLike[str], split: str) -> Iterator[dict[str, Any]]:
    """A row for each recording of a split: ``clip_id``, ``split``, ``captions``, as in a corpus; there is no script.

    Raises:
        FileNotFoundError: the list of the split is missing.
        ValueError: an unknown split, a name that leads out of the folder, or a file that is not text.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; Express4D has {' and '.join(SPLITS)}")
    root = Path(folder)
    listed = root / f"{split}.txt"
    for name in dict.fromkeys(line.strip() for line in read_text(listed).splitlines()):
        if not name:
            continue
        if Path(name).name != name or "\\" in name or name.startswith("."):
            raise ValueError(f"{listed} has {name[:80]!r}; allowed: the name of a file of {root / 'data'} without its ending")
        words = root / "texts" / f"{name}.txt"
        lines = read_text(words).splitlines() if words.is_file() else []
        yield {"clip_id": name, "split": split, "captions": [said for line in lines if (said := line.split("#")[0].strip())]}


def load_express4d(row: Mapping[str, Any], folder: str | os.PathLike[str]) -> FaceSequence:
    """The motion of a row on the default head, as a corpus has it: 25 frames a second, from the resting face.

    Raises:
        ValueError: no recording of that name, or a damaged one.
    """
    places = [Path(folder) / "data" / f"{row['clip_id']}{form}" for form in _FORMS]
    found = next((p for p in places if p.is_file()), None)
    if found is None:
        raise ValueError(f"there is no recording {places[0]} (nor {_FORMS[1]})")
    return normalise(read(found, fps=None if found.suffix == ".csv" else FPS).sequence, filmed=True).seq
