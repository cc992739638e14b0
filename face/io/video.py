"""Files of pictures: MP4, GIF, PNG.

Every writer works on a hidden file beside the target and renames it when it is complete.
"""

from __future__ import annotations

import errno
import platform
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from ...common.files import atomic_file
from ...common.progress import Progress, silent
from .mark import png_info

_REPEATABLE = {"x264-params": "asm=MMX2,SSE2Fast,SSSE3,SSE4.2"} if platform.machine() in ("x86_64", "AMD64") else {}
"""Without AVX-512, with which x264 writes other bytes in some runs (320x256: 16 of 25); the time is the same."""


def write_png(picture: np.ndarray, path: Path, comment: str | None = None) -> Path:
    """Write (H,W,3) uint8 as PNG; ``comment``, a mark (mark.py), goes to its metadata."""
    with atomic_file(path) as partial:
        Image.fromarray(picture).save(partial, format="PNG", optimize=False, compress_level=6, pnginfo=png_info(comment))
    return Path(path)


def write_mp4(
    pictures: Iterable[np.ndarray], path: Path, size: tuple[int, int], fps: float, total: int,
    title: str | None = None, progress: Progress = silent, quality: int = 18, comment: str | None = None,
) -> Path:
    """Write H.264 in MP4 as every player takes it: yuv420p, even sides, index at the front.

    Args:
        pictures: (H,W,3) uint8 each, all of ``size``.
        path: the file.
        size: (width, height); an odd side gets one more row or column.
        fps: frames a second.
        total: number of pictures, for ``progress``.
        title: stored as the file's title.
        progress: called with (done, total).
        quality: x264's constant rate factor; 18 is visually lossless, higher is smaller.
        comment: stored as the file's comment.

    Raises:
        ValueError: no pictures.
    """
    width, height = size[0] + size[0] % 2, size[1] + size[1] % 2
    bt709 = 1  # the number of BT.709 among ffmpeg's colour spaces, primaries and transfer curves
    front = {"movflags": "+faststart"}
    with atomic_file(path) as partial, av.open(str(partial), "w", format="mp4", container_options=front) as out:
        if title:
            out.metadata["title"] = title
        if comment:
            out.metadata["comment"] = comment
        rate = Fraction(fps).limit_denominator(100000)
        stream = out.add_stream("libx264", rate=rate, options={"crf": str(quality), "preset": "veryfast", **_REPEATABLE})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_type = "FRAME"  # slices, PyAV's default, make larger files
        stream.colorspace = stream.color_primaries = stream.color_trc = bt709
        done = 0
        for done, picture in enumerate(pictures, 1):
            pad = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.pad(picture, pad, mode="edge")))
            out.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709", interpolation="BICUBIC")))
            progress(done, total)
        if not done:
            raise ValueError("no frames to write")
        out.mux(stream.encode(None))
        out.close()  # ffmpeg reports no error of writing its last blocks and of moving the index to the front
        _require_whole(partial, done)
    return Path(path)


def _require_whole(path: Path, frames: int) -> None:
    """Read a video's packets again.

    Raises:
        OSError: fewer than ``frames`` of them are there.
    """
    try:
        with av.open(str(path)) as video:
            there = sum(1 for packet in video.demux(video=0) if packet.size)
    except av.FFmpegError:
        there = 0
    if there != frames:
        raise OSError(errno.ENOSPC, f"only {there} of {frames} frames could be written; is the disk full?")


def write_gif(pictures: Iterable[np.ndarray], path: Path, fps: float, total: int, progress: Progress = silent,
              comment: str | None = None) -> Path:
    """Write a looping GIF with one palette for all frames.

    GIF times are hundredths of a second and players slow down anything under 2, so frames are
    left out above 50 fps and delays are rounded so that the sum stays exact. ``comment`` is the file's.
    """
    step = max(1, int(np.ceil(fps / 50.0)))
    frames: list[Image.Image] = []
    palette: Image.Image | None = None
    for i, picture in enumerate(pictures):
        if i % step == 0:
            image = Image.fromarray(picture)
            if palette is None:
                palette = image.quantize(128, method=Image.Quantize.MEDIANCUT)
            frames.append(image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG))
        progress(i + 1, total)
    if not frames:
        raise ValueError("no frames to write")
    edges = np.round(np.arange(len(frames) + 1) * step / fps * 100).astype(int) * 10
    with atomic_file(path) as partial:
        frames[0].save(partial, format="GIF", save_all=True, append_images=frames[1:],
                       duration=[int(d) for d in np.maximum(np.diff(edges), 20)], loop=0,
                       optimize=False, disposal=1, **({"comment": comment.encode()} if comment else {}))
    return Path(path)
