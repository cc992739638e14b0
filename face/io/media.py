"""Pictures out of anything that holds them: a video, an image, a folder of frames.

Video is decoded by ffmpeg's libraries (PyAV) frame by frame, so that an hour takes as much memory as a second. What a
file is, its content decides, never its suffix.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import av
import av.filter
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image, ImageOps

MIN_SIDE = 64
"""Pixels; in a smaller picture no face can be measured."""
MAX_SIDE = 16384
STILL_FPS = 25.0
"""Frame rate given to an image and to a folder of frames."""
PICTURES: tuple[str, ...] = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")

_STILL = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "TIFF", "PPM")
_LIST_ALL = 256 << 20
"""Bytes; the packets of a bigger file are not all listed."""
_LIST_SOME = 900
_RATES = (Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30), Fraction(48),
          Fraction(50), Fraction(60000, 1001), Fraction(60))
_MAX_FPS = 240.0
# containers that hold one recording; playlists, which name other files, are not among them
_FORMATS = ("mov,mp4,3gp,3g2,matroska,webm,avi,flv,mpegts,mpeg,mpegvideo,ogg,asf,gif,apng,h264,hevc,"
            "m4v,ivf,obu,mxf,nut,yuv4mpegpipe,dv,rm,wtv,mjpeg,mp3,wav,flac,aac,aiff,caf,ac3,amr,w64,au")


@dataclass(frozen=True)
class MediaInfo:
    """What ``probe`` found; sizes are those of the upright picture with square pixels."""

    path: Path
    kind: str
    """``video``, ``image`` or ``folder``."""
    width: int
    height: int
    fps: float
    """The constant frame rate at which ``read_frames`` gives the frames."""
    frames: int
    """Frames to expect; exact for images and folders, for a video what its index says."""
    codec: str = ""
    notes: tuple[str, ...] = ()
    """What was unusual: a variable frame rate, a turned picture, an incomplete file."""
    files: tuple[Path, ...] = field(default=(), repr=False)
    """The pictures of an image or a folder, in order."""
    variable: bool = False
    """The frame rate of the file varies and is made constant."""
    seekable: bool = field(default=False, repr=False)

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.frames / self.fps

    def scaled(self, max_side: int | None) -> tuple[int, int]:
        """(width, height) of the frames when their longer side may be ``max_side`` pixels at most.

        Raises:
            ValueError: ``max_side`` is below 16.
        """
        if max_side is None or max(self.width, self.height) <= max_side:
            return self.width, self.height
        if max_side < 16:
            raise ValueError(f"max_side {max_side}: at least 16 wanted")
        ratio = max_side / max(self.width, self.height)
        return max(1, round(self.width * ratio)), max(1, round(self.height * ratio))


# -- what is it --------------------------------------------------------------------------
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
    if fps is not None and not 0 < fps <= _MAX_FPS:
        raise ValueError(f"fps {fps}: above 0 and at most {_MAX_FPS:g} wanted")
    if path.is_dir():
        return _probe_folder(path, fps or STILL_FPS)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; a video, an image or a folder of frames is needed")
    if not path.is_file():
        raise ValueError(f"{path}: not a regular file; save the recording first")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty")
    info = _probe_image(path, fps or STILL_FPS) or _probe_video(path)
    return _check_size(info)


def _check_size(info: MediaInfo) -> MediaInfo:
    if min(info.width, info.height) < MIN_SIDE or max(info.width, info.height) > MAX_SIDE:
        raise ValueError(f"{info.path}: {info.width}x{info.height} pixels; sides of {MIN_SIDE} to {MAX_SIDE} are needed")
    return info


def _picture_size(path: Path) -> tuple[str, int, int, int, bool] | None:
    """(format, width, height, frames, turned) of an upright picture; None when PIL does not know the file."""
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(274, 1)
            width, height = image.size if turned < 5 else image.size[::-1]
            return str(image.format), width, height, int(getattr(image, "n_frames", 1)), turned > 1
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: too many pixels ({error}); sides of at most {MAX_SIDE} are read") from error
    except (OSError, SyntaxError, ValueError):
        return None


def _probe_image(path: Path, fps: float) -> MediaInfo | None:
    found = _picture_size(path)
    if found is None or (found[0] not in _STILL and found[3] == 1 and found[0] != "GIF"):
        return None
    name, width, height, frames, turned = found
    if frames > 1 and name == "WEBP":
        times = np.array([frame.time for frame in _webp_frames(path)])
        rate, variable, frames = _rate(times, frames, 0.0)
        return MediaInfo(path, "video", width, height, rate, frames, "webp_anim", _rate_notes(rate, variable), (), variable)
    if frames > 1 and name in ("GIF", "PNG"):
        return None  # an animation: ffmpeg's business
    notes = ("turned upright as its EXIF says",) if turned else ()
    return MediaInfo(path, "image", width, height, fps, 1, name.lower(), notes, (path,))


def natural_key(path: Path) -> tuple[tuple[int, int | str], ...]:
    """Sort key under which ``frame10`` follows ``frame9``."""
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"([0-9]+)", path.name.lower()))


def _probe_folder(path: Path, fps: float) -> MediaInfo:
    files = sorted((p for p in path.iterdir()
                    if p.is_file() and p.suffix.lower() in PICTURES and not p.name.startswith(".")), key=natural_key)
    if not files:
        raise ValueError(f"{path}: no pictures in this folder; frames named *{', *'.join(PICTURES)} are needed")
    first: tuple[int, int] | None = None
    for file in files:
        found = _picture_size(file)
        if found is None:
            raise ValueError(f"{file}: not a picture; remove it or give a folder of frames only")
        if first is None:
            first = found[1:3]
        elif found[1:3] != first:
            raise ValueError(f"{path}: frames of different sizes: {files[0].name} is {first[0]}x{first[1]}, "
                             f"{file.name} is {found[1]}x{found[2]}; one clip has one size")
    assert first is not None
    return _check_size(MediaInfo(path, "folder", *first, fps, len(files), "pictures",
                                 (f"a folder of frames, taken as {fps:g} fps",), tuple(files)))


# -- video -------------------------------------------------------------------------------
@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A local file and its first video stream that is no cover picture; nothing that the file names is opened."""
    try:
        container = av.open(f"file:{path.resolve()}", metadata_errors="replace",
                            container_options={"protocol_whitelist": "file", "format_whitelist": _FORMATS})
    except (av.FFmpegError, ValueError) as error:
        with path.open("rb") as file:
            begins_as_mp4 = file.read(12)[4:8] in (b"ftyp", b"mdat", b"wide", b"free", b"skip", b"moov")
        raise ValueError(f"{path}: a truncated video: its index, which stands at the end, is missing; copy or record it again"
                         if begins_as_mp4 else f"{path}: not a video or picture that can be read") from error
    with container:
        stream = next((s for s in container.streams.video if not s.disposition & Disposition.attached_pic), None)
        if stream is None:
            lacks = "sound only, no picture" if container.streams.audio else "no video stream"
            raise ValueError(f"{path}: {lacks} in this file")
        yield container, stream


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """The packets of a stream up to where the file ends, be it early; the last, empty one flushes the decoder."""
    packets = container.demux(stream)
    try:
        yield from packets
    except av.FFmpegError:
        return


def _decoded(packet: Packet[VideoStream]) -> list[VideoFrame]:
    """The frames that a packet completes; a damaged packet completes none."""
    try:
        return packet.decode()
    except av.FFmpegError:
        return []


def _probe_video(path: Path) -> MediaInfo:
    most = _LIST_SOME if path.stat().st_size > _LIST_ALL else None
    first: VideoFrame | None = None
    stamps: list[int | None] = []
    cut = False
    with _opened(path) as (container, stream):
        # one picture through the decoder gives the true size; the packets' times give the rate
        for packet in _packets(container, stream):
            first = first or next(iter(_decoded(packet)), None)
            if packet.size and not packet.is_discard:
                stamps.append(packet.pts if packet.pts is not None else packet.dts)
                cut |= packet.is_corrupt
            if most and first and len(stamps) >= most:
                break
        if first is None:
            raise ValueError(f"{path}: a video without a single readable frame")
        codec = stream.codec.canonical_name
        unit = float(stream.time_base or 1)
        times = np.unique([t * unit for t in stamps if t is not None])
        rate, variable, frames = _rate(times, len(stamps), float(stream.average_rate or stream.guessed_rate or 0))
        stated = (container.duration or 0) / av.time_base * rate
        seekable = container.format.name.startswith(("mov", "matroska")) and not variable
        pixel = stream.sample_aspect_ratio or Fraction(1)
    notes: list[str] = []
    width, height = first.width, first.height
    if first.rotation % 360:
        notes.append("turned upright as its rotation metadata says")
        if first.rotation % 180 == 90:
            width, height, pixel = height, width, 1 / pixel
    if pixel != 1:
        notes.append(f"pixels made square (they are {pixel.numerator}:{pixel.denominator})")
    if most:
        frames = max(frames, round(stated))
    elif cut or frames < 0.9 * stated - 2:
        notes.append(f"the file is incomplete: about {frames} of {max(frames, round(stated))} frames are there")
    return MediaInfo(path, "video", max(1, round(width * pixel)), height, rate, max(1, frames), codec,
                     (*notes, *_rate_notes(rate, variable)), (), variable, seekable)


def _rate_notes(rate: float, variable: bool) -> tuple[str, ...]:
    return (f"variable frame rate: frames repeated or left out to give {rate:g} fps",) if variable else ()


def _snap(fps: float, within: float) -> float:
    """The common or whole rate nearest to ``fps``, when it is that near (a share), else ``fps``."""
    near = min((*_RATES, Fraction(max(1, round(fps)))), key=lambda rate: abs(float(rate) - fps))
    return float(near) if abs(float(near) - fps) <= within * fps else round(fps, 3)


def _rate(times: NDArray[np.float64], packets: int, nominal: float) -> tuple[float, bool, int]:
    """(constant rate, whether the file's own varies, frames at that rate) from the times of the packets, s.

    A rate is constant when every frame lies within half a frame of its place on the even grid.
    """
    n = len(times)
    nominal = nominal if 0 < nominal <= _MAX_FPS else 0.0
    if n < 3:
        return _snap(nominal, 0.0005) if nominal else STILL_FPS, False, max(n, packets)
    even = (n - 1) / (times[-1] - times[0])
    # the times of a short file in whole milliseconds give the rate less exactly than the file's own figure
    rate = _snap(nominal if nominal and abs(nominal - even) < 0.01 * even else even, 0.0005)
    drift = np.abs(times - times[0] - np.arange(n) / rate)
    if drift.max() < 0.5 / rate and rate <= _MAX_FPS:
        return rate, False, n
    usual = 1.0 / float(np.median(np.diff(times)))
    rate = min(max(_snap(usual if even <= 1.05 * usual < 2.1 * even else even, 0.02), 1.0), 120.0)
    return rate, True, round((times[-1] - times[0]) * rate) + 1


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
    if fps is not None and not 0 < fps <= _MAX_FPS:
        raise ValueError(f"fps {fps}: above 0 and at most {_MAX_FPS:g} wanted")
    size = info.scaled(max_side)
    if info.kind == "video":
        return _decode(info, size, start, stop, fps)
    return _pictures(info, size, start, stop, fps)


def _pictures(
    info: MediaInfo, size: tuple[int, int], start: int, stop: int | None, fps: float | None
) -> Iterator[NDArray[np.uint8]]:
    step = info.fps / (fps or info.fps)
    total = max(1, round(len(info.files) / step))
    for k in range(start, total if stop is None else min(stop, total)):
        yield read_picture(info.files[min(int(k * step + 1e-6), len(info.files) - 1)], size)


def read_picture(path: Path, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """(H,W,3) uint8 RGB of an image file, upright; alpha is laid over grey.

    Raises:
        ValueError: the file ends early or is damaged.
    """
    try:
        with Image.open(path) as opened:
            if size is not None:
                opened.draft("RGB", (max(size), max(size)))  # a JPEG decodes small when a small one is wanted
            image: Image.Image = ImageOps.exif_transpose(opened) or opened
            if image.mode.startswith(("I", "F")):  # 16 bits: PIL would clip instead of scaling
                image = Image.fromarray((np.asarray(image, np.float64) / 257.0).clip(0, 255).astype(np.uint8))
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                rgba = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", rgba.size, (128, 128, 128, 255)), rgba)
            image = image.convert("RGB")
            if size is not None and image.size != size:
                image = image.resize(size, Image.Resampling.BOX if size[0] < image.width else Image.Resampling.BICUBIC)
            return np.array(image, np.uint8)
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{path}: a damaged or truncated picture ({error})") from error


def _decode(
    info: MediaInfo, size: tuple[int, int], start: int, stop: int | None, fps: float | None
) -> Iterator[NDArray[np.uint8]]:
    rates = [info.fps] if info.variable else []
    if fps is not None and fps != info.fps:
        rates.append(fps)
    filters = [("fps", str(Fraction(rate).limit_denominator(100000))) for rate in rates]
    seek = start if info.seekable and not rates else 0
    if start > seek:
        filters.append(("trim", f"start_frame={start}"))
    filters += [("scale", f"{size[0]}:{size[1]}:flags={'area' if size[0] < info.width else 'bilinear'}"), ("format", "rgb24")]
    got = False
    frames = _webp_frames(info.path) if info.codec == "webp_anim" else _video_frames(info, seek)
    for picture in islice(_filtered(frames, filters), None if stop is None else stop - start):
        got = True
        yield picture
    if not got and start == 0 and stop != 0:
        raise ValueError(f"{info.path}: no frame could be decoded")


def _video_frames(info: MediaInfo, start: int) -> Iterator[VideoFrame]:
    with _opened(info.path) as (container, stream):
        stream.thread_type = "AUTO"
        unit, begin = stream.time_base or Fraction(1), -math.inf
        if start:
            # half a frame early: rounding may not lose the frame, and the one before it is over by then
            begin = float((stream.start_time or 0) * unit) + (start - 0.5) / info.fps
            container.seek(math.floor(begin / unit), stream=stream)
        for k, frame in enumerate(f for packet in _packets(container, stream) for f in _decoded(packet)):
            if frame.pts is None:  # a bare stream, without a container, states no times
                frame.pts = round(k / info.fps / unit)
            if frame.pts * unit >= begin:
                yield frame


def _webp_frames(path: Path) -> Iterator[VideoFrame]:
    """The frames of an animated WebP, which ffmpeg's libraries do not decode."""
    with Image.open(path) as image:
        at = 0
        for k in range(getattr(image, "n_frames", 1)):
            image.seek(k)
            frame = VideoFrame.from_image(image.convert("RGB"))
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            yield frame
            at += int(image.info["duration"])


def _filtered(frames: Iterator[VideoFrame], filters: list[tuple[str, str]]) -> Iterator[NDArray[np.uint8]]:
    """Frames turned upright and put through ffmpeg's filters (https://ffmpeg.org/ffmpeg-filters.html)."""
    graph: av.filter.Graph | None = None
    for frame in chain(frames, [None]):
        if graph is None:
            if frame is None:
                return
            graph = av.filter.Graph()
            source = (f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base={frame.time_base}"
                      f":colorspace={int(frame.colorspace)}:range={int(frame.color_range)}")
            nodes = [("buffer", source), *_turn(frame.rotation % 360), *filters, ("buffersink", None)]
            graph.link_nodes(*(graph.add(name, value) for name, value in nodes)).configure()
        try:
            graph.vpush(frame)
            while True:
                yield np.array(graph.vpull().to_ndarray())  # a copy: ffmpeg may share the memory
        except (BlockingIOError, EOFError):
            continue


def _turn(degrees: int) -> list[tuple[str, str | None]]:
    """ffmpeg's filters that turn a picture counterclockwise."""
    if degrees in (90, 270):
        return [("transpose", "cclock" if degrees == 90 else "clock")]
    return [("rotate", f"-{degrees}*PI/180")] if degrees else []
