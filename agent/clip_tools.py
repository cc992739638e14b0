"""What is done to whole clips without any model: joined, cut, resampled, mirrored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..common.text import counted
from ..face.clip.sequence import FaceSequence
from ..face.head.model import HeadModel
from .file_tools import load_head
from .options import Out, Result
from .requests import not_over_its_input, output_file, output_files, ready


def concat(clips: list[str], /, *, out: Out, fps: float | None = None) -> Result:
    """Clips one after another, as one.

    Args:
        clips: Two or more clips of one head and identity, CLIP.npz, in their order.
        out: The result, CLIP.npz.
        fps: Bring all to this frame rate first; needed where they differ.
    """
    if len(clips) < 2:
        raise ValueError(f"concat joins two or more clips; {len(clips)} was given")
    target = output_file(out, ".npz")
    for path in clips:
        not_over_its_input(target, path)
    parts = [_loaded(path) for path in clips]
    if fps is not None:
        parts = [part.resample(fps) for part in parts]
    for path, part in zip(clips[1:], parts[1:], strict=True):
        if part.fps != parts[0].fps:
            raise ValueError(f"{path} has {part.fps:g} fps and {clips[0]} {parts[0].fps:g}; --fps brings all to one rate")
        try:
            parts[0].slice(0, 1).concat(part.slice(0, 1))
        except ValueError as err:
            raise ValueError(f"{path}: {err}") from None
    done = parts[0].concat(*parts[1:])
    done.save(ready(target))
    return _said(done, target, inputs=list(clips), starts=[sum(p.seconds for p in parts[:k]) for k in range(len(parts))])


def cut(clips: list[str], /, *, out: Out, start: Annotated[float | None, Parameter(name="--from")] = None,
        end: Annotated[float | None, Parameter(name="--to")] = None, frames: str | None = None) -> Iterator[Result]:
    """A part of clips, by seconds or frames.

    Args:
        clips: Clips, CLIP.npz.
        out: The part, CLIP.npz; a folder when there are several clips.
        start: First second (default: the beginning).
        end: Second at which the part ends (default: the end of the clip).
        frames: Frames in place of seconds, FIRST:END with END left out, e.g. 0:25; 0 is the first.
    """
    if frames is not None and (start is not None or end is not None):
        raise ValueError("--frames goes without --from and --to")
    if frames is None and start is None and end is None:
        raise ValueError("slice needs --from or --to in seconds, or --frames FIRST:END")
    yield from _each(clips, out, lambda clip: clip.slice(*_span(clip, start, end, frames)))


def resample(clips: list[str], /, *, out: Out, fps: float) -> Iterator[Result]:
    """Clips at another frame rate: the same motion, linear between frames, rotations on their shortest way.

    Args:
        clips: Clips, CLIP.npz.
        out: The result, CLIP.npz; a folder when there are several clips.
        fps: Frames per second, 1 to 1000, e.g. 29.97.
    """
    yield from _each(clips, out, lambda clip: clip.resample(fps))


def mirror(clips: list[str], /, *, out: Out, head: str | None = None) -> Iterator[Result]:
    """Clips with left and right exchanged; identity is kept.

    Args:
        clips: Clips, CLIP.npz.
        out: The result, CLIP.npz; a folder when there are several clips.
        head: The head that the clips are of, HEAD.npz (default: the packaged one).
    """
    model = load_head(head)

    def turned(clip: FaceSequence) -> FaceSequence:
        clip.require_head(model.ref)
        if not any(n.endswith("Left") for n in model.expr_names):
            raise ValueError(f"the head {model.ref} has no columns named for left and right; `facelm retarget` brings the clip "
                             "to one that has")
        return clip.mirror(model.expr_names)

    yield from _each(clips, out, turned)


def _span(clip: FaceSequence, start: float | None, end: float | None, frames: str | None) -> tuple[int, int]:
    """First frame and the one after the last."""
    count = len(clip)
    if frames is not None:
        first, colon, last = frames.partition(":")
        try:
            low, high = int(first or 0), int(last) if last else count
        except ValueError:
            low, colon = -1, ""
        if not colon or not 0 <= low < high <= count:
            raise ValueError(f"--frames is {frames}; allowed: FIRST:END within 0:{count}, e.g. 0:{min(25, count)}")
        return low, high
    begin, stop = 0.0 if start is None else start, clip.seconds if end is None else end
    low, high = (round(t * clip.fps) if abs(t) < 1e9 else -1 for t in (begin, stop))
    if not (0.0 <= begin < stop <= clip.seconds + 1e-6 and low < high):
        raise ValueError(f"--from {begin:g} --to {stop:g} is no part of it; allowed: 0 to {clip.seconds:.3f} s, at least one "
                         "frame")
    return low, min(high, count)


def _loaded(path: str) -> FaceSequence:
    """A clip; one of the packaged head has as many columns as that head."""
    clip, default = FaceSequence.load(path), HeadModel.default()
    if clip.head == default.ref:
        default.require(clip, path)
    return clip


def _each(clips: list[str], out: str, change: Callable[[FaceSequence], FaceSequence]) -> Iterator[Result]:
    """Change each clip; those after one that fails go on where there are several."""
    for path, target in zip(clips, output_files(clips, out), strict=True):
        try:
            clip = _loaded(path)
            try:
                done = change(clip)
            except ValueError as err:
                raise ValueError(f"{path}: {err}") from None
        except (ValueError, OSError) as err:
            if len(clips) == 1:
                raise
            yield Result({"input": path, "error": str(err)}, error=str(err))
            continue
        done.save(ready(target))
        yield _said(done, target, input=path)


def _said(clip: FaceSequence, target: Path, **facts: object) -> Result:
    return Result({**facts, "clip": str(target), "frames": len(clip), "fps": clip.fps, "seconds": clip.seconds},
                  f"{target}: {counted(len(clip), 'frame')}, {clip.seconds:.2f} s at {clip.fps:g} fps", clip)
