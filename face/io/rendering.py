"""Clips as files of pictures: MP4, GIF, or a contact sheet as PNG."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ...common.progress import Progress, silent
from ..clip.sequence import FaceSequence
from ..head.model import HeadModel
from ..render.camera import check_size
from ..render.render import contact_sheet, render_frames
from ..render.shading import Palette
from . import video
from .photo import marked

MADE = "made with facelm"
SUFFIXES: tuple[str, ...] = (".mp4", ".gif", ".png")


def render(
    seq: FaceSequence,
    path: str | os.PathLike[str],
    head: HeadModel | None = None,
    size: int | tuple[int, int] | None = None,
    fps: float | None = None,
    *,
    title: str | None = None,
    timeline: Sequence[tuple[str, float, float]] | None = None,
    palette: Palette | None = None,
    visible: bool = False,
    progress: Progress = silent,
) -> Path:
    """Draw a clip into a file; the suffix says what: .mp4 (H.264), .gif, .png (contact sheet).

    The file appears when it is complete; a failed run leaves nothing behind. A head made from photos has a mark
    (``meta["mark"]``), which goes to the file's metadata.

    Args:
        seq: the clip.
        path: where to write; its folder must exist.
        head: the clip's head; the default head when None.
        size: pixels of a frame; 512 for a video, 320 for a GIF, 256 for a sheet's frame when None.
        fps: frame rate of the file; the clip's own when None.
        title: line(s) above the sheet, or caption of the video.
        timeline: measured actions (name, onset s, offset s), drawn below a contact sheet.
        palette: colours.
        visible: write "made with facelm" into the corner of every picture.
        progress: called with (done, total).

    Returns:
        The path.

    Raises:
        ValueError: unknown suffix, bad size or fps, another head.
        FileNotFoundError: the folder does not exist.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"cannot render to {path.name!r}: the suffix must be one of {', '.join(SUFFIXES)}")
    head = head or HeadModel.default()
    seq.require_head(head.ref)
    mark = head.meta.get("mark")
    if fps is not None:
        seq = seq.resample(fps)
    if suffix == ".png":
        sheet = contact_sheet(seq, head, size=size or 256, title=title, timeline=timeline,
                              palette=palette, progress=progress)
        return video.write_png(marked(sheet, MADE) if visible else sheet, path, mark)
    size = check_size(size or (512 if suffix == ".mp4" else 320))
    pictures = render_frames(seq, head, size, palette=palette)
    if visible:
        pictures = (marked(p, MADE) for p in pictures)
    if suffix == ".mp4":
        return video.write_mp4(pictures, path, size, seq.fps, len(seq), title=title, progress=progress, comment=mark)
    return video.write_gif(pictures, path, seq.fps, len(seq), progress, mark)
