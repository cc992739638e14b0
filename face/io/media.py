"""Pictures out of anything that holds them: a video, an image, a folder of frames.

Video is decoded frame by frame (face/io/decode.py), so that an hour takes as much memory as a second. The content of a
file, and never its suffix, says what it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from .decode import MAX_FPS, STILL_FPS, MediaInfo, decode, probe_video, probe_webp

MIN_SIDE = 64
"""Pixels; in a smaller picture no face can be measured."""
MAX_SIDE = 16384
PICTURES: tuple[str, ...] = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")

_STILL = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "TIFF", "PPM")


# -- what is it --------------------------------------------------------------------------
def _check_fps(fps: float | None) -> None:
    if fps is not None and not 0 < fps <= MAX_FPS:
        raise ValueError(f"fps {fps}: above 0 and at most {MAX_FPS:g} wanted")


def probe(path: str | os.PathLike[str], fps: float | None = None) -> MediaInfo:
    """Look at a video, an image or a folder of frames.

    Args:
        path: the file or folder.
        fps: frame rate of a folder of frames or an image, 25 when None; a video knows its own.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: nothing that can be measured is in it; the text says what is wrong.
    """
    path = Path(path)
    _check_fps(fps)
    if path.is_dir():
        return _probe_folder(path, fps or STILL_FPS)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; a video, an image or a folder of frames is needed")
    if not path.is_file():
        raise ValueError(f"{path}: not a regular file; save the recording first")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty")
    return _check_size(_probe_image(path, fps or STILL_FPS) or probe_video(path))


def _check_size(info: MediaInfo) -> MediaInfo:
    if min(info.width, info.height) < MIN_SIDE or max(info.width, info.height) > MAX_SIDE:
        raise ValueError(f"{info.path}: {info.width}x{info.height} pixels; sides of {MIN_SIDE} to {MAX_SIDE} are needed")
    return info


class _Picture(NamedTuple):
    format: str
    size: tuple[int, int]  # width and height, upright
    frames: int
    turned: bool


def _picture(path: Path) -> _Picture | None:
    """None when PIL does not know the file."""
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(274, 1)
            size = image.size if turned < 5 else image.size[::-1]
            return _Picture(str(image.format), size, int(getattr(image, "n_frames", 1)), turned > 1)
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: too many pixels ({error}); sides of at most {MAX_SIDE} are read") from error
    except (OSError, SyntaxError, ValueError):
        return None


def _probe_image(path: Path, fps: float) -> MediaInfo | None:
    found = _picture(path)
    if found is None or (found.format not in (*_STILL, "GIF") and found.frames == 1):
        return None
    if found.frames > 1 and found.format == "WEBP":
        return probe_webp(path, *found.size)
    if found.frames > 1 and found.format in ("GIF", "PNG"):
        return None  # an animation, which is decoded as a video
    notes = ("turned upright as its EXIF says",) if found.turned else ()
    return MediaInfo(path, "image", *found.size, fps, 1, found.format.lower(), notes, (path,))


def natural_key(path: Path) -> tuple[tuple[int, int | str], ...]:
    """Sort key under which ``frame10`` follows ``frame9``."""
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"([0-9]+)", path.name.lower()))


def _probe_folder(path: Path, fps: float) -> MediaInfo:
    files = sorted((p for p in path.iterdir()
                    if p.is_file() and p.suffix.lower() in PICTURES and not p.name.startswith(".")), key=natural_key)
    if not files:
        raise ValueError(f"{path}: no pictures in this folder; frames named *{', *'.join(PICTURES)} are needed")
    sizes: list[tuple[int, int]] = []
    for file in files:
        if (found := _picture(file)) is None:
            raise ValueError(f"{file}: not a picture; remove it or give a folder of frames only")
        sizes.append(found.size)
        if sizes[-1] != sizes[0]:
            raise ValueError(f"{path}: frames of different sizes: {files[0].name} is {sizes[0][0]}x{sizes[0][1]}, "
                             f"{file.name} is {found.size[0]}x{found.size[1]}; one clip has one size")
    return _check_size(MediaInfo(path, "folder", *sizes[0], fps, len(files), "pictures",
                                 (f"a folder of frames, taken as {fps:g} fps",), tuple(files)))


# -- frames ------------------------------------------------------------------------------
def read_frames(
    info: MediaInfo, max_side: int | None = None, start: int = 0, stop: int | None = None, fps: float | None = None
) -> Iterator[NDArray[np.uint8]]:
    """The frames, one after another, in constant memory.

    Args:
        info: from ``probe``.
        max_side: longer side of the frames at most, px; the full size when None.
        start: first frame, counted at the constant rate.
        stop: frame before which to end; the end when None.
        fps: another constant rate; frames are then repeated or left out.

    Yields:
        (H,W,3) uint8 RGB, upright, square pixels, each an array of its own.

    Raises:
        ValueError: a bad range or rate, or a video of which no frame decodes.
    """
    if start < 0 or (stop is not None and stop < start):
        raise ValueError(f"frames {start} to {stop}: a range from 0 up wanted")
    _check_fps(fps)
    size = info.scaled(max_side)
    if info.kind == "video":
        return decode(info, size, start, stop, fps)
    step = info.fps / (fps or info.fps)
    total = max(1, round(len(info.files) / step))
    return (_read_picture(info.files[min(int(k * step + 1e-6), len(info.files) - 1)], size)
            for k in range(start, total if stop is None else min(stop, total)))


def _read_picture(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H,W,3) uint8 RGB of an image file, upright; alpha is laid over grey."""
    try:
        with Image.open(path) as opened:
            opened.draft("RGB", (max(size), max(size)))  # a JPEG decodes small when a small one is wanted
            image: Image.Image = ImageOps.exif_transpose(opened) or opened
            if image.mode.startswith(("I", "F")):  # 16 bits: PIL would clip instead of scaling
                image = Image.fromarray((np.asarray(image, np.float64) / 257.0).clip(0, 255).astype(np.uint8))
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                rgba = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", rgba.size, (128, 128, 128, 255)), rgba)
            image = image.convert("RGB")
            if image.size != size:
                image = image.resize(size, Image.Resampling.BOX if size[0] < image.width else Image.Resampling.BICUBIC)
            return np.array(image, np.uint8)
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{path}: a damaged or truncated picture ({error})") from error
