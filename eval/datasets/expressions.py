"""Labelled expressions as parameters of a head: what the transition baselines train on and are measured against.

A set has one row for each labelled frame (an apex frame of CK+, a representative frame of a CelebV-HQ clip) and, beside
them, the neutral faces that these rows started from. Vo et al., "Instruction-Driven 3D Facial Expression Generation and
Transition", Sec. IV-A, https://arxiv.org/abs/2601.08179, describes the two data sets that this represents.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...common.files import atomic_file
from ...face.clip.canonical import orientation
from ...face.clip.sequence import FaceSequence, HeadRef

FORMAT, FORMAT_VERSION = "facelm-expressions", 1
CKPLUS: tuple[str, ...] = ("happiness", "disgust", "anger", "fear", "surprise", "contempt", "sadness")
"""Labels of CK+ in the paper's order (Table I)."""
CELEBVHQ: tuple[str, ...] = (*CKPLUS, "neutral")
"""Labels of CelebV-HQ in the paper's order."""
DATASETS: tuple[str, ...] = ("ckplus", "celebvhq", "surrogate-ckplus", "surrogate-celebvhq")
Array = NDArray[np.float32]


def dataset_name(name: str) -> str:
    """One of DATASETS; their former spellings ``standin-...`` are read as well.

    Raises:
        ValueError: another name.
    """
    found = name.replace("standin-", "surrogate-", 1)
    if found not in DATASETS:
        raise ValueError(f"data set {name!r} is not known; allowed: {', '.join(DATASETS)}")
    return found


class Skip(NamedTuple):
    """Something that was left out."""

    what: str
    """A sequence, a clip or a subject."""
    reason: str


class Pose(NamedTuple):
    """One frame as the baselines take it."""

    expr: Array
    """(E,) expression coefficients."""
    pose: Array
    """(6,) orientation of the head in the camera's frame (axis-angle, rad; the global and neck rotation together), then
    the jaw (axis-angle, rad)."""


def frame_pose(seq: FaceSequence, index: int) -> Pose:
    """Expression and pose of one frame of a clip; gaze and place in space are left out."""
    one = seq.slice(index % len(seq), index % len(seq) + 1)
    turn = orientation(one).as_rotvec()[0]
    return Pose(one.expr[0], np.concatenate([turn, one.jaw_pose[0]]).astype(np.float32))


@dataclass(frozen=True, eq=False)
class ExpressionSet:
    """Labelled frames as parameters of one head. N rows, M neutral faces, E expression columns, S identity components.

    Drawing a row: ``head.vertices(expr, rotation=pose[:, :3], jaw_pose=pose[:, 3:], shape=shape)`` with everything else at 0.

    Raises:
        ValueError: arrays that do not fit each other; an index out of range.
    """

    name: str
    """One of DATASETS."""
    title: str
    """What tables say of this data."""
    labels: tuple[str, ...]
    """Emotion names; ``label`` indexes them."""
    head: str
    """The head that the parameters drive, ``str(HeadRef)``."""
    subject: NDArray[np.str_]
    """(N,)."""
    label: NDArray[np.int64]
    """(N,) index into ``labels``."""
    expr: Array
    """(N, E)."""
    pose: Array
    """(N, 6): head orientation in the camera's frame, then jaw; axis-angle, rad."""
    shape: Array
    """(N, S) identity coefficients."""
    neutral: NDArray[np.int64]
    """(N,) row of ``neutral_expr`` and ``neutral_pose`` that holds the record's own neutral face; -1 where none is known."""
    neutral_expr: Array
    """(M, E)."""
    neutral_pose: Array
    """(M, 6)."""
    image: NDArray[np.str_]
    """(N,) picture relative to the data's folder; a frame of a video is ``clip.mp4#12``."""
    record: NDArray[np.str_]
    """(N,) the sequence or clip that the row was taken from."""
    skipped: tuple[Skip, ...] = ()
    notes: tuple[str, ...] = ()
    """What was assumed, one sentence each."""
    settings: dict[str, Any] = field(default_factory=dict)
    """How the set was made; plain values."""

    def __post_init__(self) -> None:
        n, m = len(self.subject), len(self.neutral_expr)
        wanted = {"label": (n,), "neutral": (n,), "image": (n,), "record": (n,), "expr": (n, self.expr.shape[-1]), "pose": (n, 6),
                  "shape": (n, self.shape.shape[-1]), "neutral_expr": (m, self.expr.shape[-1]), "neutral_pose": (m, 6)}
        for key, shape in wanted.items():
            if getattr(self, key).shape != shape:
                raise ValueError(f"expression set: {key} has shape {getattr(self, key).shape}; needed: {shape}")
        if n and (self.label.min() < 0 or self.label.max() >= len(self.labels)):
            raise ValueError(f"expression set: label runs from {self.label.min()} to {self.label.max()}; allowed: 0 to "
                             f"{len(self.labels) - 1}")
        if n and (self.neutral.min() < -1 or self.neutral.max() >= m):
            raise ValueError(f"expression set: neutral runs from {self.neutral.min()} to {self.neutral.max()}; allowed: "
                             f"-1 to {m - 1}")

    def __len__(self) -> int:
        return len(self.subject)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Their names, sorted."""
        return tuple(sorted({str(s) for s in self.subject}))

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each emotion, in the order of ``labels`` (Fig. 5)."""
        return {name: int((self.label == k).sum()) for k, name in enumerate(self.labels)}

    def subset(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> ExpressionSet:
        """Some rows; all neutral faces stay."""
        picked = {k: getattr(self, k)[rows] for k in ("subject", "label", "expr", "pose", "shape", "neutral", "image", "record")}
        return replace(self, **picked)

    def summary(self) -> str:
        """Counts of each emotion, of subjects, and what was skipped for which reason, as a text of a few lines."""
        most = max(self.counts.values(), default=0) or 1
        lines = [f"{self.title}: {len(self)} expressions of {len(self.subjects)} subjects, head {self.head}"]
        for name, count in self.counts.items():
            lines.append(f"  {name:<10} {count:>6}  {'#' * round(30 * count / most)}")
        reasons: dict[str, list[str]] = {}
        for skip in self.skipped:
            reasons.setdefault(skip.reason, []).append(skip.what)
        if reasons:
            lines.append(f"  skipped: {len(self.skipped)}")
        for reason, what in sorted(reasons.items(), key=lambda r: -len(r[1])):
            shown = ", ".join(what[:4]) + (f" and {len(what) - 4} more" if len(what) > 4 else "")
            lines.append(f"    {len(what)} x {reason} ({shown})")
        lines += [f"  note: {n}" for n in self.notes]
        return "\n".join(lines)

    # -- files ----------------------------------------------------------------------------
    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write one ``.npz`` without pickled objects; it appears whole or not at all.

        Raises:
            ValueError: another suffix than .npz.
            FileNotFoundError: the folder does not exist.
        """
        path = Path(path)
        if path.suffix.lower() != ".npz":
            raise ValueError(f"an expression set is saved as .npz, not {path.name!r}")
        head = json.dumps({"format": FORMAT, "version": FORMAT_VERSION, "name": self.name, "title": self.title,
                           "labels": self.labels, "head": self.head, "skipped": self.skipped, "notes": self.notes,
                           "settings": self.settings})
        with atomic_file(path) as partial, open(partial, "wb") as handle:
            np.savez_compressed(handle, about=np.array(head), **{k: getattr(self, k) for k in _ARRAYS})
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ExpressionSet:
        """Read a set; nothing in the file is unpickled.

        Raises:
            FileNotFoundError: no such file.
            ValueError: damaged or something else.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no such expression set: {path}")
        try:
            with np.load(path, allow_pickle=False) as npz:
                about = json.loads(str(npz["about"]))
                arrays = {k: npz[k] for k in _ARRAYS}
            if (tag := [about["format"], about["version"]]) != [FORMAT, FORMAT_VERSION]:
                raise ValueError(f"format is {tag}; this version reads {[FORMAT, FORMAT_VERSION]}")
            return cls(name=dataset_name(about["name"]), title=about["title"], labels=tuple(about["labels"]),
                       head=HeadRef.stored_text(about["head"]), skipped=tuple(Skip(*s) for s in about["skipped"]),
                       notes=tuple(about["notes"]), settings=about["settings"], **arrays)
        except (KeyError, TypeError, ValueError, OSError, EOFError, zipfile.BadZipFile) as err:
            raise ValueError(f"{path} is not an expression set written by facelm, or is damaged ({err})") from err


_ARRAYS = ("subject", "label", "expr", "pose", "shape", "neutral", "neutral_expr", "neutral_pose", "image", "record")


@dataclass(frozen=True)
class Row:
    """One labelled frame on its way into a set."""

    subject: str
    emotion: str
    frame: Pose
    shape: Array
    image: str
    record: str
    rest: Pose | None = None
    """The record's own neutral face; rows may share the object."""


def assemble(rows: Sequence[Row], skipped: Sequence[Skip], *, name: str, title: str, labels: tuple[str, ...], head: str,
             notes: Sequence[str] = (), settings: dict[str, Any] | None = None) -> ExpressionSet:
    """Rows as a set. Subjects that show one expression only stay in the set and are reported: they make no tuples.

    Raises:
        ValueError: no row at all; the text says what was skipped most.
    """
    if not rows:
        why = Counter(s.reason for s in skipped).most_common(3)
        raise ValueError(f"{title}: no labelled expression could be read" + (
            "; skipped: " + "; ".join(f"{count} x {reason}" for reason, count in why) if why else ""))
    rests: dict[int, int] = {}
    faces: list[Pose] = []
    for row in rows:
        if row.rest is not None and id(row.rest) not in rests:
            rests[id(row.rest)] = len(faces)
            faces.append(row.rest)
    alone = [Skip(s, "a single expression: no pair can be made") for s in sorted({r.subject for r in rows} - with_pairs(
        (r.subject, r.emotion) for r in rows))]
    width = rows[0].frame.expr.shape[0]
    return ExpressionSet(
        name=name, title=title, labels=labels, head=head,
        subject=np.array([r.subject for r in rows]), label=np.array([labels.index(r.emotion) for r in rows], np.int64),
        expr=np.stack([r.frame.expr for r in rows]).astype(np.float32),
        pose=np.stack([r.frame.pose for r in rows]).astype(np.float32),
        shape=np.stack([r.shape for r in rows]).astype(np.float32),
        neutral=np.array([rests[id(r.rest)] if r.rest is not None else -1 for r in rows], np.int64),
        neutral_expr=np.array([f.expr for f in faces], np.float32).reshape(-1, width),
        neutral_pose=np.array([f.pose for f in faces], np.float32).reshape(-1, 6),
        image=np.array([r.image for r in rows]), record=np.array([r.record for r in rows]),
        skipped=(*skipped, *alone), notes=tuple(notes), settings=settings or {})


def with_pairs(shown: Iterable[tuple[str, str]]) -> set[str]:
    """Of (subject, emotion) the subjects that show two emotions or more."""
    emotions: dict[str, set[str]] = {}
    for subject, emotion in shown:
        emotions.setdefault(subject, set()).add(emotion)
    return {s for s, e in emotions.items() if len(e) > 1}


def chosen(subjects: Iterable[str], count: int | None) -> set[str]:
    """Up to ``count`` subjects (None: all), the same ones every time and not by their order: by a digest of the name."""
    ranked = sorted(set(subjects), key=lambda s: hashlib.sha256(s.encode()).digest())
    return set(ranked[:count])
