"""Pictures out of anything that holds them: a video, an image, a folder of frames.

Video is decoded by the ffmpeg binary that ``imageio-ffmpeg`` ships, frame by frame through a pipe, so that an hour
takes as much memory as a second. What a file is, its content decides, never its suffix.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np
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
_FORMATS = ("mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpegts,mpeg,mpegvideo,ogg,asf,gif,apng,webp_anim,h264,hevc,"
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
    if frames > 1 and name in ("GIF", "PNG", "WEBP"):
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
def ffmpeg_exe() -> str:
    """The ffmpeg program.

    Raises:
        RuntimeError: ``imageio-ffmpeg`` has none for this machine.
    """
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise RuntimeError("no ffmpeg program: pip install --force-reinstall imageio-ffmpeg, or set "
                           "IMAGEIO_FFMPEG_EXE to one") from error


def _input(path: Path) -> list[str]:
    """Arguments that open a local file and nothing else, whatever its name or content says."""
    return ["-protocol_whitelist", "file,pipe", "-format_whitelist", _FORMATS, "-i", f"file:{path.resolve()}"]


def _run(arguments: list[str], path: Path, seconds: float = 120.0) -> tuple[str, str]:
    """(stdout, stderr) of ffmpeg."""
    command = [ffmpeg_exe(), "-hide_banner", "-nostdin", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"{path}: ffmpeg gave no answer within {seconds:g} s; the file may be damaged") from error
    return done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


_SQUARE = "scale=w='max(1,round(iw*sar))':h=ih,setsar=1"


def _probe_video(path: Path) -> MediaInfo:
    listing = ["-frames:v", str(_LIST_SOME)] if path.stat().st_size > _LIST_ALL else []
    # one picture through the decoder gives the true size; the packets' times give the rate
    out, log = _run([*_input(path), "-map", "0:V:0", "-vf", _SQUARE, "-frames:v", "1", "-f", "framecrc",
                     "-pix_fmt", "rgb24", "-"], path)
    if "Input #0" not in log:
        with path.open("rb") as file:
            begins_as_mp4 = file.read(12)[4:8] in (b"ftyp", b"mdat", b"wide", b"free", b"skip", b"moov")
        raise ValueError(f"{path}: {_why(log) if begins_as_mp4 else _NOTHING}")
    stream = re.search(r"Stream #0:\d+.*?: Video: (\w+)(.*)", log)
    video = "\n".join(line for line in log.split("Output #0")[0].splitlines() if "attached pic" not in line)
    if "Video: " not in video:
        raise ValueError(f"{path}: {'sound only, no picture' if 'Audio: ' in log else 'no video stream'} in this file")
    size = re.search(r"^#dimensions 0: (\d+)x(\d+)", out, re.M)
    if size is None or not re.search(r"^0,", out, re.M):
        raise ValueError(f"{path}: a video without a single readable frame ({_why(log)})")
    # -map takes the first stream that is not a cover picture: its line is the one that says so
    line = next(x for x in video.splitlines() if "Video: " in x)
    codec = re.search(r"Video: (\w+)", line)
    notes: list[str] = []
    if re.search(r"rotation of -?(?!0\.00)[\d.]+ degrees", log):
        notes.append("turned upright as its rotation metadata says")
    if (sar := re.search(r"SAR (\d+):(\d+)", line)) and sar[1] != sar[2] and sar[1] != "0":
        notes.append(f"pixels made square (they are {sar[1]}:{sar[2]})")
    packets, complaint = _run([*_input(path), "-map", "0:V:0", "-c", "copy", *listing, "-f", "framecrc", "-"], path)
    declared = re.search(r"([\d.]+)(k?) fps", line)
    nominal = float(declared[1]) * (1000 if declared[2] else 1) if declared else 0.0
    rate, variable, frames = _rate(packets, nominal)
    length = re.search(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)", log)
    stated = (int(length[1]) * 3600 + int(length[2]) * 60 + float(length[3])) * rate if length else 0.0
    if listing:
        frames = max(frames, round(stated))
    elif re.search(r"partial file|truncat|Error reading|File ended prematurely", complaint, re.I) or frames < 0.9 * stated - 2:
        notes.append(f"the file is incomplete: about {frames} of {max(frames, round(stated))} frames are there")
    if variable:
        notes.append(f"variable frame rate: frames repeated or left out to give {rate:g} fps")
    container = re.search(r"Input #0, (\S+),", log)
    return MediaInfo(path, "video", int(size[1]), int(size[2]), rate, max(1, frames),
                     codec[1] if codec else str(stream[1] if stream else ""), tuple(notes), (), variable,
                     bool(container and container[1].startswith(("mov", "matroska"))) and not variable)


_NOTHING = "not a video or picture that can be read"


def _why(log: str) -> str:
    """ffmpeg's complaint in plain words."""
    if "moov atom not found" in log:
        return "a truncated video: its index, which stands at the end, is missing; copy or record it again"
    if "not on whitelist" in log.lower() or "Invalid data found" in log:
        return _NOTHING
    lines = [re.sub(r"^\[[^]]*\]\s*", "", x).strip() for x in log.splitlines() if x.strip()]
    return lines[-1][:160] if lines else "ffmpeg could not read it"


def _snap(fps: float, within: float) -> float:
    """The common or whole rate nearest to ``fps``, when it is that near (a share), else ``fps``."""
    near = min((*_RATES, Fraction(max(1, round(fps)))), key=lambda rate: abs(float(rate) - fps))
    return float(near) if abs(float(near) - fps) <= within * fps else round(fps, 3)


def _rate(packets: str, nominal: float) -> tuple[float, bool, int]:
    """(constant rate, whether the file's own varies, frames at that rate) from ffmpeg's list of packets.

    A rate is constant when every frame lies within half a frame of its place on the even grid.
    """
    base = re.search(r"^#tb 0: (\d+)/(\d+)", packets, re.M)
    unit = int(base[1]) / int(base[2]) if base else 1.0
    rows = re.findall(r"^0,\s*-?\d+,\s*(-?\d+),\s*(\d+),", packets, re.M)
    times = np.unique(np.array([int(pts) for pts, _ in rows], np.int64)) * unit
    n = len(times)
    nominal = nominal if 0 < nominal <= _MAX_FPS else 0.0
    if n < 3:
        return _snap(nominal, 0.0005) if nominal else STILL_FPS, False, max(n, len(rows))
    even = (n - 1) / (times[-1] - times[0])
    # the file's own figure has two decimals; the times of a short file in whole milliseconds have fewer
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
    width, height = size
    chain: list[str] = []
    before: list[str] = []
    if info.variable:
        chain.append(f"fps={Fraction(info.fps).limit_denominator(100000)}")
    if fps is not None and fps != info.fps:
        chain.append(f"fps={Fraction(fps).limit_denominator(100000)}")
        info = replace(info, fps=fps, seekable=False)
    skip = start
    if start and info.seekable:
        # half a frame early: rounding may not lose the frame, and the one before it is over by then
        before, skip = ["-ss", f"{(start - 0.5) / info.fps:.6f}"], 0
    if skip or stop is not None:
        end = "" if stop is None else f":end_frame={stop - (start - skip)}"
        chain.append(f"trim=start_frame={skip}{end}")
    flags = "area" if width < info.width else "bilinear"
    chain += [f"scale={width}:{height}:flags={flags}", "setsar=1"]
    command = [ffmpeg_exe(), "-hide_banner", "-nostdin", "-v", "error", *before, *_input(info.path), "-map", "0:V:0",
               "-vf", ",".join(chain), "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
    with tempfile.TemporaryFile() as errors:  # a file, not a pipe: nobody reads it while frames flow
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, bufsize=0)
        assert process.stdout is not None
        got = 0
        try:
            while stop is None or got < stop - start:
                frame = np.empty((height, width, 3), np.uint8)
                if not _fill(process.stdout, frame):
                    break
                got += 1
                yield frame
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
        if got == 0 and start == 0 and stop != 0:
            errors.seek(0)
            raise ValueError(f"{info.path}: no frame could be decoded ({_why(errors.read().decode('utf-8', 'replace'))})")


def _fill(pipe: IO[bytes], frame: NDArray[np.uint8]) -> bool:
    """Read one whole frame; False at the end, where the rest of a cut-off frame is dropped."""
    view = frame.reshape(-1).data
    at = 0
    while at < len(view):
        n = pipe.readinto(view[at:])  # type: ignore[attr-defined]
        if not n:
            return False
        at += n
    return True
