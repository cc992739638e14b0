"""Video through ffmpeg's libraries (PyAV, https://pyav.basswood.io): what a file holds, and its frames one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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
from PIL import Image

STILL_FPS = 25.0
"""Frame rate given to what states none."""
MAX_FPS = 240.0
WEBP = "webp_anim"
"""Codec of an animated WebP."""
_LIST_ALL, _LIST_SOME = 256 << 20, 900
"""Of a file of more bytes than the former, only so many packets are listed."""
_RATES = (Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30), Fraction(48),
          Fraction(50), Fraction(60000, 1001), Fraction(60))
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

    def scaled(self, max_side: int | None) -> tuple[int, int]:
        """(width, height) of the frames when their longer side may be ``max_side`` pixels, 16 or more, at most."""
        if max_side is None or max(self.width, self.height) <= max_side:
            return self.width, self.height
        if max_side < 16:
            raise ValueError(f"max_side {max_side}: at least 16 wanted")
        ratio = max_side / max(self.width, self.height)
        return max(1, round(self.width * ratio)), max(1, round(self.height * ratio))


@dataclass(frozen=True)
class _Rate:
    """The constant frame rate at which a file is read, and the frames at that rate."""

    fps: float
    variable: bool
    frames: int

    def info(self, path: Path, size: tuple[int, int], codec: str, notes: list[str], seekable: bool = False) -> MediaInfo:
        if self.variable:
            notes = [*notes, f"variable frame rate: frames repeated or left out to give {self.fps:g} fps"]
        return MediaInfo(path, "video", *size, self.fps, max(1, self.frames), codec, tuple(notes), (), self.variable, seekable)


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
    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        return


def _decoded(packet: Packet[VideoStream]) -> list[VideoFrame]:
    """The frames that a packet completes; a damaged one completes none."""
    try:
        return packet.decode()
    except av.FFmpegError:
        return []


def probe_video(path: Path) -> MediaInfo:
    """What a video holds: one picture is decoded for the true size, the packets' times give the rate."""
    most = _LIST_SOME if path.stat().st_size > _LIST_ALL else None
    first: VideoFrame | None = None
    stamps: list[int | None] = []
    cut = False
    with _opened(path) as (container, stream):
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
        rate = _rate(times, len(stamps), float(stream.average_rate or stream.guessed_rate or 0))
        stated = (container.duration or 0) / av.time_base * rate.fps
        seekable = container.format.name.startswith(("mov", "matroska")) and not rate.variable
        pixel = stream.sample_aspect_ratio or Fraction(1)
    notes: list[str] = []
    width, height = first.width, first.height
    if first.rotation % 360:
        notes.append("turned upright as its rotation metadata says")
        if first.rotation % 180 == 90:
            width, height, pixel = height, width, 1 / pixel
    if pixel != 1:
        notes.append(f"pixels made square (they are {pixel.numerator}:{pixel.denominator})")
    frames = rate.frames
    if most:
        frames = max(frames, round(stated))
    elif cut or frames < 0.9 * stated - 2:
        notes.append(f"the file is incomplete: about {frames} of {max(frames, round(stated))} frames are there")
    return replace(rate, frames=frames).info(path, (max(1, round(width * pixel)), height), codec, notes, seekable)


def _snap(fps: float, within: float) -> float:
    """The common or whole rate nearest to ``fps``, when it is that near (a share), else ``fps``."""
    near = min((*_RATES, Fraction(max(1, round(fps)))), key=lambda rate: abs(float(rate) - fps))
    return float(near) if abs(float(near) - fps) <= within * fps else round(fps, 3)


def _rate(times: NDArray[np.float64], packets: int, nominal: float) -> _Rate:
    """The constant rate, from the times of the packets, s, their number, and the rate that the file states.

    A rate is constant when every frame lies within half a frame of its place on the even grid.
    """
    n = len(times)
    nominal = nominal if 0 < nominal <= MAX_FPS else 0.0
    if n < 3:
        return _Rate(_snap(nominal, 0.0005) if nominal else STILL_FPS, False, max(n, packets))
    even = (n - 1) / (times[-1] - times[0])
    # the times of a short file in whole milliseconds give the rate less exactly than the file's own figure
    rate = _snap(nominal if nominal and abs(nominal - even) < 0.01 * even else even, 0.0005)
    drift = np.abs(times - times[0] - np.arange(n) / rate)
    if drift.max() < 0.5 / rate and rate <= MAX_FPS:
        return _Rate(rate, False, n)
    usual = 1.0 / float(np.median(np.diff(times)))
    rate = min(max(_snap(usual if even <= 1.05 * usual < 2.1 * even else even, 0.02), 1.0), 120.0)
    return _Rate(rate, True, round((times[-1] - times[0]) * rate) + 1)


def decode(
    info: MediaInfo, size: tuple[int, int], start: int, stop: int | None, fps: float | None
) -> Iterator[NDArray[np.uint8]]:
    """Frames ``start`` to ``stop`` at the constant rate, or at another, as (H,W,3) uint8 RGB of ``size`` (width, height)."""
    rates = [info.fps] if info.variable else []
    if fps is not None and fps != info.fps:
        rates.append(fps)
    filters = [("fps", str(Fraction(rate).limit_denominator(100000))) for rate in rates]
    seek = start if info.seekable and not rates else 0
    if start > seek:
        filters.append(("trim", f"start_frame={start}"))
    filters += [("scale", f"{size[0]}:{size[1]}:flags={'area' if size[0] < info.width else 'bilinear'}"), ("format", "rgb24")]
    got = False
    frames = _webp_frames(info.path) if info.codec == WEBP else _video_frames(info, seek)
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


def probe_webp(path: Path, width: int, height: int) -> MediaInfo:
    """An animated WebP, of which PIL tells the size."""
    rate = _rate(np.array([frame.time for frame in _webp_frames(path)]), 1, 0.0)
    return rate.info(path, (width, height), WEBP, [])


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
    """Ffmpeg's filters that turn a picture counterclockwise."""
    if degrees in (90, 270):
        return [("transpose", "cclock" if degrees == 90 else "clock")]
    return [("rotate", f"-{degrees}*PI/180")] if degrees else []
