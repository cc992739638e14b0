"""Blend shapes with ARKit's names, in the forms that tools write them: frames, columns, or a matrix with its names.

MediaPipe (Python and web), Audio2Face (JSON and Audio2Face-3D's CSV), LAM_Audio2Expression, BEAT and many scripts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....clip.channels import ARKIT_52
from ....head.model import HeadModel
from ..arkit import LEAST_NAMES, arkit_name, ignored, known_names, scores_of, shape_channels
from ..base import Channels, Options, rows, sparse, timed
from ..tables import Table, number
from ..timing import is_time, of_columns
from .matrices import POSES, poses_of
from .orders import named

_NAMES = ("names", "blendshape_names", "blendshapeNames", "blendShapeNames", "facsNames", "columns")
_MATRIX = ("blendshapes", "values", "weights", "weightMat", "scores", "data", "bs", "animation")
_FRAMES = ("frames", "results", "data", "animation", "blendshapes", "faceBlendshapes")
_SCORES = ("weights", "blendshapes", "faceBlendshapes", "face_blendshapes", "blendShapes", "categories", "scores")
_BESIDES = {"blendshapecount", "index", "displayname", "valid", "names", "rotation", "", "unnamed:0"}
"""Columns that are no weights and that nothing is lost with."""


@dataclass
class Shapes:
    """Named columns of scores (T, N), what goes with them, and what was assumed."""

    names: Sequence[str]
    values: np.ndarray
    poses: list[Any] | None = None
    """A matrix of MediaPipe, in any form, for each frame."""
    times: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    fps: float | None = None


def matches(content: Any) -> bool:
    """At least ten names of ARKit's shapes, or a matrix with as many columns as some tool's."""
    return _parts(content, Options(), peek=True) is not None


def channels(content: Any, head: HeadModel, options: Options) -> Channels:
    """Named shapes and pose matrices in FaceSequence's channels; ``content`` may state validity and frame rate."""
    found = _parts(content, options)
    if found is None:
        raise ValueError("there are too few names of ARKit's blend shapes")
    scores = scores_of(found.names, found.values)
    poses = None if found.poses is None else poses_of(found.poses, found.notes)
    out = shape_channels(scores, head, poses)
    out.timing = timed(content, of_columns(found.times))
    if out.timing.fps is None:
        out.timing.fps = found.fps
    unknown = {n: found.values[:, k] for k, n in enumerate(found.names)
               if not arkit_name(n) and not is_time(n) and n.lower() not in _BESIDES and n != "_neutral"}
    notes, warnings = ignored(unknown)
    out.notes = [*found.notes, *out.notes, *notes]
    out.warnings = [*found.warnings, *out.warnings, *warnings]
    if isinstance(content, dict):
        given = content.get("valid")
        if isinstance(given, np.ndarray) and given.shape == (len(found.values),) and given.dtype.kind in "biu":
            out.valid = given.astype(bool)
    return out


def _parts(content: Any, options: Options, peek: bool = False) -> Shapes | None:
    """The shapes in a file's content; None when it holds none. ``peek`` only asks whether it does."""
    if isinstance(content, Table):
        return _table(content, options, peek)
    if isinstance(content, dict):
        frames = next((content[k] for k in _FRAMES if _has_frames(content.get(k))), None)
        if frames is not None and not any(_is_matrix(content.get(k)) for k in _MATRIX):
            return _frames(frames, _names_of(content))
    if isinstance(content, list) and _has_frames(content):
        return _frames(content, ())
    if isinstance(content, np.ndarray) or isinstance(content, list) and _is_matrix(content):
        content = {"blendshapes": content}
    return _dict(content, options, peek) if isinstance(content, dict) else None


def _table(table: Table, options: Options, peek: bool) -> Shapes | None:
    if table.header and not peek and options.names and not _are_shapes(table.header):
        return _bare(table.values(), options, peek)
    if table.header:
        if not _are_shapes(table.header):
            return None
        values = table.values() if not peek else np.zeros((1, len(table.header)))
        return Shapes(table.header, values, times={n: values[:, k] for k, n in enumerate(table.header) if is_time(n)})
    return _bare(table.values(), options, peek)


def _are_shapes(names: Sequence[str]) -> bool:
    """Whether columns are blend shapes: many of them are, or all but the times."""
    known = known_names(names)
    return known >= LEAST_NAMES or 2 <= known == sum(not is_time(n) for n in names)


def _dict(content: Mapping[str, Any], options: Options, peek: bool) -> Shapes | None:
    """A matrix with or without its names, or a dict of columns."""
    values = next((content[k] for k in _MATRIX if _is_matrix(content.get(k))), None)
    names = _names_of(content)
    poses = next((list(content[k]) for k in POSES if isinstance(content.get(k), (list, np.ndarray)) and np.ndim(content[k])),
                 None)
    times = {str(k): np.asarray(v, float) for k, v in content.items() if is_time(str(k)) and _is_vector(v)}
    if values is not None and known_names(names) >= LEAST_NAMES:
        return Shapes(names, rows(values, "the blend shapes", (len(names),)), poses, times)
    columns = {str(k): v for k, v in content.items() if arkit_name(str(k)) is not None}
    if len(columns) >= LEAST_NAMES:
        if peek:
            return Shapes((), np.zeros((1, 0)))
        beside = {str(k): v for k, v in content.items() if str(k) not in columns and _is_vector(v)}
        table = {k: rows(np.reshape(np.asarray(_no_nulls(v)), (-1, 1)), k, (1,)) for k, v in columns.items()}
        if len({len(c) for c in table.values()}) > 1:
            raise ValueError("the blend shapes differ in their number of frames")
        frames = len(next(iter(table.values())))
        table |= {k: np.reshape(np.asarray(v, float), (-1, 1)) for k, v in beside.items() if len(v) == frames and k != "valid"}
        return Shapes(list(table), np.concatenate(list(table.values()), 1), poses, times)
    if values is None:
        return None
    if str(np.ravel(np.asarray(content.get("format", "")))[:1]).find("facelm.detections") >= 0:
        return Shapes(ARKIT_52, rows(values, "the blend shapes", (len(ARKIT_52),)), poses, times)
    found = _bare(rows(values, "the blend shapes", range(1, 4097)), options, peek)
    return None if found is None else Shapes(found.names, found.values, poses, times, found.notes, found.warnings)


def _bare(values: np.ndarray, options: Options, peek: bool) -> Shapes | None:
    """A matrix without names: as asked, or in the order in which left and right agree."""
    if peek:
        return Shapes((), values) if values.shape[1] in (51, 52) else None
    got = named(values, options)
    if got is None:
        return None
    asked = bool(options.names or options.order)
    return Shapes(got[0], values, notes=[got[1]] if asked else [], warnings=[] if asked else [got[1]])


# -- frames ---------------------------------------------------------------------------------
def _frames(frames: list[Any], listed: Sequence[str]) -> Shapes | None:
    """Frames of a JSON file; shapes that a frame does not name are 0 in it, which is said.

    A frame without any, or with one that is null, is marked invalid.
    """
    several = [0]
    scores = [_scores(f, listed, several) for f in frames]
    names = list(dict.fromkeys(n for s in scores for n in s))
    if not _are_shapes(names):
        return None
    at = {n: k for k, n in enumerate(names)}
    values = np.full((len(frames), len(names)), np.nan)
    for line, found in zip(values, scores, strict=True):
        if found:
            line[:] = 0.0
            for name, score in found.items():
                line[at[name]] = score
    times: dict[str, np.ndarray] = {}
    dicts = [f for f in frames if isinstance(f, dict)]
    for key in (k for k in (dicts[0] if dicts else ()) if is_time(str(k))):
        column = [f.get(key) if isinstance(f, dict) else None for f in frames]
        times[str(key)] = np.array([float(v) if isinstance(v, (int, float)) else number(v) if isinstance(v, str) else np.nan
                                    for v in column])
    given = [next((f[k] for k in POSES if k in f), None) if isinstance(f, dict) else None for f in frames]
    warnings = [f"{several[0]} frames show more than one face; the first of each is read"] if several[0] else []
    turned = [f for f in dicts if isinstance(f.get("rotation"), list) and any(f["rotation"])]
    if turned:
        warnings.append("the frames' rotation is left out: its unit and order are not documented")
    notes = sparse({n: sum(n not in s for s in scores if s) for n in names if arkit_name(n)}, len(frames))
    return Shapes(names, values, given if any(g is not None for g in given) else None, times, notes, warnings)


def _scores(frame: Any, listed: Sequence[str], several: list[int]) -> dict[str, float]:
    """The scores of one frame: a dict of them, a list of MediaPipe's categories, or either under a usual name."""
    if isinstance(frame, dict):
        frame = next((frame[k] for k in _SCORES if k in frame), frame)
        frame = frame.get("categories", frame) if isinstance(frame, dict) else frame
    if isinstance(frame, list):
        first = frame[0] if frame else None
        if isinstance(first, list) or isinstance(first, dict) and not {"score", "value"} & set(first):
            several[0] += len(frame) > 1
            return _scores(first, listed, several)
        if listed and len(frame) == len(listed):
            frame = dict(zip(listed, frame, strict=True))
        elif listed and frame and not isinstance(first, dict):
            raise ValueError(f"a frame has {len(frame)} weights for {len(listed)} names")
        else:
            frame = dict((str(c.get("categoryName", c.get("category_name", c.get("name")))), c.get("score", c.get("value")))
                         for c in frame if isinstance(c, dict))
    return {name: np.nan if score is None else float(score) for name, score in (frame.items() if isinstance(frame, dict) else ())
            if isinstance(name, str) and not is_time(name) and (
                isinstance(score, (int, float)) and not isinstance(score, bool) or score is None and arkit_name(name))}


def _names_of(content: Mapping[str, Any]) -> list[str]:
    """Column names of a matrix or of frames' weights, at the top or in the metadata."""
    for holder in (content, *(v for k, v in content.items() if k in ("metadata", "meta", "info") and isinstance(v, Mapping))):
        for key in _NAMES:
            value = holder.get(key)
            if isinstance(value, (list, tuple)) and all(isinstance(n, str) for n in value) or (
                    isinstance(value, np.ndarray) and value.dtype.kind == "U"):
                return [str(n) for n in np.ravel(np.asarray(value, dtype=str))] if len(value) else []
    return []


def _has_frames(value: Any) -> bool:
    """A list of frames: dicts or lists of dicts, some of which may be null."""
    if not isinstance(value, list) or not value:
        return False
    there = [f for f in value if f is not None]
    return bool(there) and all(isinstance(f, (dict, list)) for f in there) and any(
        isinstance(f, dict) or f and isinstance(f[0], (dict, list)) and not _is_matrix(f) for f in there)


def _no_nulls(value: Any) -> Any:
    """A list whose nulls are no numbers."""
    return [np.nan if v is None else v for v in value] if isinstance(value, list) and None in value else value


def _is_vector(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) > 1 and all(isinstance(v, (int, float)) for v in value)
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "fiu" and len(value) > 1


def _is_matrix(value: Any) -> bool:
    """Rows of numbers, some of which may be null."""
    if isinstance(value, list):
        there = [v for v in value if v is not None]
        return bool(there) and all(isinstance(v, (list, np.ndarray)) and len(v) and isinstance(v[0], (int, float, np.number))
                                   for v in there)
    return isinstance(value, np.ndarray) and value.ndim >= 2 and value.dtype.kind in "fiu"
