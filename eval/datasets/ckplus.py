"""CK+ as distributed: picture sequences from a neutral face to the apex of a posed emotion, some of them labelled.

P. Lucey, J. F. Cohn, T. Kanade, J. Saragih, Z. Ambadar, I. Matthews, "The Extended Cohn-Kanade Dataset (CK+)", CVPR
Workshops 2010, https://doi.org/10.1109/CVPRW.2010.5543262. Layout::

    cohn-kanade-images/S005/001/S005_001_00000001.png ...   first picture neutral, last one the apex
    Emotion/S005/001/S005_001_00000011_emotion.txt          one number; many folders hold none

The zip files of the distribution unpack into ``extended-cohn-kanade-images/`` and ``Emotion_labels/``; both are looked into.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from ...common.progress import Progress, silent
from ...face.io.media import PICTURES, natural_key
from .expressions import CKPLUS, ExpressionSet, Row, Skip, assemble, chosen, frame_pose
from .sources import Record, Source, Unusable, title_of

CODES: dict[int, str] = {0: "neutral", 1: "anger", 2: "contempt", 3: "disgust", 4: "fear", 5: "happiness", 6: "sadness",
                         7: "surprise"}
"""Numbers of the emotion files."""
FPS = 30.0
"""CK+ was filmed at NTSC's rate."""
_IMAGES = ("cohn-kanade-images", "extended-cohn-kanade-images")
_LABELS = ("Emotion", "Emotion_labels", "emotion")
_SUBJECT, _SEQUENCE = re.compile(r"S\d+", re.I), re.compile(r"\d+")


def find_folders(root: Path) -> tuple[Path | None, Path]:
    """(folder of pictures, folder of labels) of a copy of CK+; pictures may be absent where parameters are given.

    Raises:
        FileNotFoundError: no labels; the text says what was looked for.
    """
    found = [_holding(root, names) for names in (_IMAGES, _LABELS)]
    if found[1] is None:
        inside = ", ".join(sorted(p.name for p in root.iterdir())[:6]) or "nothing"
        raise FileNotFoundError(
            f"{root} is not a copy of CK+: looked for {_LABELS[0]}/SXXX/NNN/*_emotion.txt (also under {_LABELS[1]}/) and "
            f"{_IMAGES[0]}/SXXX/NNN/*.png (also under {_IMAGES[1]}/), found {inside}; unpack the images' and the emotion labels' "
            "zip files into one folder and give that")
    return found[0], found[1]


def _holding(root: Path, names: tuple[str, ...]) -> Path | None:
    """The folder under ``root``, at most two levels of ``names`` down, that holds folders of subjects."""
    places = [root, *(root / a for a in names), *(root / a / b for a in names for b in names)]
    return next((p for p in places if p.name in names and p.is_dir() and any(
        s.is_dir() and _SUBJECT.fullmatch(s.name) for s in p.iterdir())), None)


def read_label(folder: Path) -> str:
    """The emotion of a sequence, from its folder of labels.

    Raises:
        Unusable: no file, more than one, not a number, or a number without a meaning.
    """
    files = [p for p in folder.glob("*.txt") if not p.name.startswith(".")] if folder.is_dir() else []
    if not files:
        raise Unusable("no emotion label")
    if len(files) > 1:
        raise Unusable("more than one emotion label")
    try:
        value = float(files[0].read_text(encoding="ascii").strip())
    except (ValueError, OSError):
        raise Unusable("its emotion label is not a number") from None
    if not math.isfinite(value) or value != int(value) or int(value) not in CODES:
        raise Unusable(f"emotion label {value:g} is not known (0 to 7)")
    return CODES[int(value)]


def find_sequences(root: Path) -> list[tuple[Record, Path]]:
    """Every sequence of a copy of CK+, sorted, with the folder where its label would be."""
    images, labels = find_folders(root)
    names = {f"{s.name}/{n.name}" for base in (images, labels) if base is not None
             for s in base.iterdir() if s.is_dir() and _SUBJECT.fullmatch(s.name)
             for n in s.iterdir() if n.is_dir() and _SEQUENCE.fullmatch(n.name)}
    out = []
    for name in sorted(names):
        folder = images / name if images is not None else None
        media = [p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in PICTURES and not p.name.startswith(".")] \
            if folder is not None and folder.is_dir() else []
        out.append((Record(name, tuple(sorted(media, key=natural_key)), FPS), labels / name))
    return out


def load(root: Path, source: Source, *, frames: int = 3, name: str = "ckplus", subjects: int | None = None,
         progress: Progress = silent) -> ExpressionSet:
    """The labelled sequences of a copy of CK+.

    Of each sequence the last ``frames`` frames become rows (the last one is the apex) and the first frame is their neutral
    face; of a parameter file with one frame only that frame is a row, without a neutral face.

    Args:
        root: the folder that holds the pictures' and the labels' folders.
        source: gives the parameters.
        frames: rows of a sequence, at most half of it.
        name: ``ckplus`` or ``surrogate-ckplus``.
        subjects: at most so many subjects; None takes all.
        progress: its stage is ``sequences``.

    Raises:
        FileNotFoundError: not a copy of CK+.
        ValueError: nothing usable in it.
    """
    found = find_sequences(root)
    wanted = chosen((r.name.split("/")[0] for r, _ in found), subjects)
    found = [(r, where) for r, where in found if r.name.split("/")[0] in wanted]
    rows: list[Row] = []
    skipped: list[Skip] = []
    for done, (record, where) in enumerate(found, 1):
        try:
            rows += _rows(root, record, where, source, frames)
        except Unusable as err:
            skipped.append(Skip(record.name, str(err)))
        progress(done, len(found), "sequences")
    return assemble(rows, skipped, name=name, title=title_of("CK+", name == "ckplus", source), labels=CKPLUS, head=source.head,
                    settings={"frames": frames, "params": source.name, "subjects": subjects})


def _rows(root: Path, record: Record, where: Path, source: Source, frames: int) -> list[Row]:
    emotion = read_label(where)
    if emotion not in CKPLUS:
        raise Unusable(f"labelled {emotion}, which is not one of the seven expressions")
    if source.needs_media and not record.media:
        raise Unusable("no pictures")
    seq = source.clip(record)
    count = len(seq)
    picked = range(max(count - frames, (count + 1) // 2), count) if count > 1 else range(1)
    usable = [k for k in picked if seq.valid[k]]
    if not usable:
        raise Unusable("no trusted fit at the apex")
    rest = frame_pose(seq, 0) if count > 1 and seq.valid[0] else None
    subject = record.name.split("/")[0]
    out = []
    for k in usable:
        at = k if len(record.media) == count else -1
        image = record.media[at].relative_to(root).as_posix() if record.media else ""
        out.append(Row(subject, emotion, frame_pose(seq, k), seq.shape, image, record.name, rest))
    return out
