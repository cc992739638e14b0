"""CelebV-HQ as distributed: ``celebvhq_info.json`` with labels, and a folder of clips.

H. Zhu, W. Wu, W. Zhu, L. Jiang, S. Tang, L. Zhang, Z. Liu, C. C. Loy, "CelebV-HQ: A Large-Scale Video Facial Attributes
Dataset", ECCV 2022; the JSON's structure is documented at https://github.com/CelebV-HQ/CelebV-HQ. A clip's emotion is one
word (``"sep_flag": false``) or a list of words with times in seconds from the clip's start. The subject of a clip is its
``ytb_id``, the video that it was cut from.

As in Vo et al., Sec. IV-A, https://arxiv.org/abs/2601.08179, a frame counts only while yaw, pitch and roll of the head are within
15 degrees of the camera, and a subject only with two expressions or more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.files import parse_json, read_text
from ...common.progress import Progress, silent
from ...face.clip.canonical import orientation
from ...face.clip.channels import EXPR_NAMES
from ...face.clip.sequence import FaceSequence
from .expressions import CELEBVHQ, ExpressionSet, Pose, Row, Skip, assemble, chosen, frame_pose, with_pairs
from .sources import Record, Source, Unusable, title_of

INFO = "celebvhq_info.json"
SPELLED: dict[str, str] = {"neutral": "neutral", "happy": "happiness", "sad": "sadness", "anger": "anger", "fear": "fear",
                           "surprise": "surprise", "disgust": "disgust", "contempt": "contempt"}
"""CelebV-HQ's words and ours; ours are read as well."""
LIMIT = 15.0
"""Largest yaw, pitch and roll, degrees."""
APART = 0.12
"""Two rows of one stretch are at least this far apart, s."""
_CLIPS = ("processed_vid", "clips", "videos", "35666")
_VIDEOS = (".mp4", ".mkv", ".webm", ".avi", ".mov")
_WORDS = SPELLED | {name: name for name in CELEBVHQ}
_LIDS = [i for i, n in enumerate(EXPR_NAMES) if n.startswith("eyeBlink")]


@dataclass(frozen=True)
class Stretch:
    """A labelled part of a clip; ``end`` None is the clip's end. Seconds."""

    emotion: str
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class ClipInfo:
    """A clip's entry."""

    name: str
    subject: str
    stretches: tuple[Stretch, ...]
    skipped: tuple[Skip, ...] = ()
    """Labels of this clip that are left out."""


def find_info(root: Path) -> Path:
    """The JSON file of a copy of CelebV-HQ.

    Raises:
        FileNotFoundError: the text says what was looked for.
    """
    for found in (root / INFO, *sorted(root.glob(f"*/{INFO}"))):
        if found.is_file():
            return found
    inside = ", ".join(sorted(p.name for p in root.iterdir())[:6]) or "nothing"
    raise FileNotFoundError(f"{root} is not a copy of CelebV-HQ: looked for {INFO} there and one level down, found {inside}; put "
                            f"it beside the clips' folder ({_CLIPS[0]}/ or {_CLIPS[1]}/)")


def read_info(path: Path) -> tuple[list[ClipInfo], list[Skip]]:
    """The clips of ``celebvhq_info.json``, and the entries that cannot be used.

    Raises:
        ValueError: not JSON, or without clips.
    """
    content = parse_json(read_text(path, 1 << 30), path)
    clips = content.get("clips") if isinstance(content, dict) else None
    if not isinstance(clips, dict):
        raise ValueError(f"{path} has no object named clips, as CelebV-HQ's file has; fetch it again")
    out, skipped = [], []
    for name, entry in sorted(clips.items()):
        try:
            out.append(_clip(str(name), entry))
        except Unusable as err:
            skipped.append(Skip(str(name), str(err)))
    return out, skipped


def _clip(name: str, entry: Any) -> ClipInfo:
    if "/" in name or "\\" in name or name.startswith("."):
        raise Unusable("its id is not a file name")
    try:
        subject, labels = str(entry["ytb_id"]), entry["attributes"]["emotion"]["labels"]
    except (KeyError, TypeError):
        raise Unusable("its entry lacks ytb_id or attributes.emotion.labels") from None
    skipped, stretches = [], []
    for item in [labels] if isinstance(labels, (str, dict)) else labels if isinstance(labels, list) else [None]:
        word = item.get("emotion") if isinstance(item, dict) else item
        if not isinstance(word, str) or word.lower() not in _WORDS:
            skipped.append(Skip(name, f"emotion {str(word)[:30]!r} is none of the eight"))
            continue
        start, end = (item.get("start_sec", 0.0), item.get("end_sec")) if isinstance(item, dict) else (0.0, None)
        if not _is_time(start) or not (end is None or _is_time(end) and end > start):
            skipped.append(Skip(name, "a label's times are not in order"))
            continue
        stretches.append(Stretch(_WORDS[word.lower()], float(start), None if end is None else float(end)))
    if not stretches and not skipped:
        raise Unusable("no emotion label")
    return ClipInfo(name, subject, tuple(stretches), tuple(skipped))


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def find_clip(root: Path, name: str) -> Path | None:
    """A clip's video, in the root or in a folder of clips."""
    for folder in (root, *(root / n for n in _CLIPS)):
        for suffix in _VIDEOS:
            if (found := folder / f"{name}{suffix}").is_file():
                return found
    return None


def head_angles(seq: FaceSequence) -> NDArray[np.float64]:
    """(T, 3) yaw, pitch, roll of the head in the camera's frame, degrees."""
    return np.degrees(orientation(seq).as_euler("YXZ"))


def strength(seq: FaceSequence, rest: Pose) -> NDArray[np.float64]:
    """(T,) how far each frame is from a resting face: root of the summed squares over expression (blinks left out) and jaw."""
    expr = np.asarray(seq.expr, np.float64) - rest.expr
    if expr.shape[1] == len(EXPR_NAMES):
        expr[:, _LIDS] = 0.0
    jaw = (np.asarray(seq.jaw_pose, np.float64) - rest.pose[3:]) / 0.35  # about a full opening, rad
    return np.sqrt((expr**2).sum(1) + (jaw**2).sum(1))


def load(root: Path, source: Source, *, frames: int = 3, name: str = "celebvhq", subjects: int | None = None,
         progress: Progress = silent) -> ExpressionSet:
    """The labelled clips of a copy of CelebV-HQ.

    Of each labelled stretch up to ``frames`` frames become rows: those of strongest expression (for neutral: of weakest) among
    the frames with a trusted fit and the head within ``LIMIT``. A row's neutral face is the weakest frame of the subject's
    neutral clips; a subject without one has none.

    Args:
        root: the folder that holds the JSON file and the clips.
        source: gives the parameters.
        frames: rows of a stretch.
        name: ``celebvhq`` or ``surrogate-celebvhq``.
        subjects: at most so many of the subjects with two expressions; None takes all.
        progress: its stage is ``clips``.

    Raises:
        FileNotFoundError: not a copy of CelebV-HQ.
        ValueError: the JSON file is broken, or nothing usable is in it.
    """
    info = find_info(root)
    clips, skipped = read_info(info)
    skipped += [skip for clip in clips for skip in clip.skipped]
    # what cannot make a pair is not worth a fit
    able = with_pairs((c.subject, s.emotion) for c in clips for s in c.stretches)
    skipped += [Skip(s, "a single expression: not fitted") for s in sorted({c.subject for c in clips} - able)]
    people = chosen(able, subjects)
    wanted = [c for c in clips if c.stretches and c.subject in people]
    rows: list[Row] = []
    for done, clip in enumerate(wanted, 1):
        try:
            rows += _rows(root, info.parent, clip, source, frames, skipped)
        except Unusable as err:
            skipped.append(Skip(clip.name, str(err)))
        progress(done, len(wanted), "clips")
    left = with_pairs((r.subject, r.emotion) for r in rows)
    skipped += [Skip(s, "fewer than two expressions are left") for s in sorted({r.subject for r in rows} - left)]
    return assemble(_with_rest([r for r in rows if r.subject in left]), skipped, name=name,
                    title=title_of("CelebV-HQ", name == "celebvhq", source),
                    labels=CELEBVHQ, head=source.head,
                    settings={"frames": frames, "params": source.name, "limit": LIMIT, "subjects": subjects})


def _rows(root: Path, beside: Path, clip: ClipInfo, source: Source, frames: int, skipped: list[Skip]) -> list[Row]:
    video = find_clip(root, clip.name) or find_clip(beside, clip.name)
    if video is None and source.needs_media:
        raise Unusable("no clip of that name")
    seq = source.clip(Record(clip.name, (video,) if video else ()))
    front = (np.abs(head_angles(seq)) <= LIMIT).all(axis=1)
    image = video.relative_to(root).as_posix() if video else f"{clip.name}.mp4"
    out = []
    for stretch in clip.stretches:
        times = np.arange(len(seq)) / seq.fps
        inside = (times >= stretch.start - 1e-6) & (times <= (stretch.end if stretch.end is not None else np.inf))
        if not (inside & seq.valid).any():
            skipped.append(Skip(clip.name, "no trusted fit within the labelled times"))
            continue
        usable = inside & seq.valid & front
        if not usable.any():
            skipped.append(Skip(clip.name, f"the head is never within {LIMIT:g} degrees of the camera"))
            continue
        for k in _strongest(seq, usable, stretch.emotion == "neutral", frames):
            out.append(Row(clip.subject, stretch.emotion, frame_pose(seq, k), seq.shape, f"{image}#{k}", clip.name))
    return out


def _strongest(seq: FaceSequence, usable: NDArray[np.bool_], weakest: bool, frames: int) -> list[int]:
    """The frames to keep, apart from each other, strongest first (or weakest)."""
    zero = Pose(np.zeros(seq.expr.shape[1], np.float32), np.zeros(6, np.float32))
    level = strength(seq, zero)
    order = [int(k) for k in np.argsort(level if weakest else -level, kind="stable") if usable[k]]
    kept: list[int] = []
    for k in order:
        if len(kept) < frames and all(abs(k - other) >= APART * seq.fps - 1e-6 for other in kept):
            kept.append(k)
    return kept


def _with_rest(rows: list[Row]) -> list[Row]:
    """Each row with its subject's first neutral row as neutral face; those are in order of clips, weakest frame first."""
    rest: dict[str, Pose] = {}
    for row in rows:
        if row.emotion == "neutral":
            rest.setdefault(row.subject, row.frame)
    return [replace(r, rest=rest.get(r.subject)) for r in rows]
