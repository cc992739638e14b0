"""Whatever a user hands in: every kind of good and bad video, image and folder, made here with ffmpeg's libraries."""

from __future__ import annotations

import os
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from facelm.face.io.media import natural_key, probe, read_frames
from PIL import Image


def make(path: Path, source: str = "testsrc=s=160x120:r=25:d=2", codec: str = "libx264", *, pixels: str = "yuv420p",
         keep: Callable[[int], bool] = lambda k: True, aspect: int = 1, **container: str) -> Path:
    """A video of ffmpeg's test pictures, of which ``keep`` says by number which are kept."""
    options = {"libx264": {"preset": "ultrafast", "g": "240"}, "libvpx": {"deadline": "realtime"}}.get(codec, {})
    with av.open(source, format="lavfi") as pictures, av.open(str(path), "w", container_options=container) as out:
        shown = pictures.streams.video[0]
        stream = out.add_stream(codec, rate=shown.average_rate, options=options)
        stream.width, stream.height, stream.pix_fmt = shown.width, shown.height, pixels
        stream.sample_aspect_ratio = aspect
        out.start_encoding()
        for k, frame in enumerate(pictures.decode(video=0)):
            if keep(k):
                out.mux(stream.encode(frame.reformat(format=pixels)))
        out.mux(stream.encode(None))
    return path


def sound(path: Path, codec: str) -> Path:
    with av.open("sine=d=1", format="lavfi") as tone, av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=44100)
        for frame in tone.decode(audio=0):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def clip(folder: Path) -> Path:
    return make(folder / "clip.mp4")


# -- good ones ---------------------------------------------------------------------------
def test_a_plain_video(clip: Path) -> None:
    info = probe(clip)
    assert (info.kind, info.width, info.height, info.fps, info.frames) == ("video", 160, 120, 25.0, 50)
    assert info.notes == () and not info.variable and info.codec == "h264" and info.frames / info.fps == 2.0
    frames = list(read_frames(info))
    assert len(frames) == 50 and frames[0].shape == (120, 160, 3) and frames[0].dtype == np.uint8
    assert not np.shares_memory(frames[0], frames[1])


def test_a_range_equals_the_same_part_of_the_whole(clip: Path) -> None:
    info = probe(clip)
    whole = list(read_frames(info))
    part = list(read_frames(info, start=17, stop=31))
    assert len(part) == 14 and all(np.array_equal(a, b) for a, b in zip(whole[17:31], part, strict=True))
    assert len(list(read_frames(info, start=45, stop=90))) == 5
    assert list(read_frames(info, start=3, stop=3)) == []
    for start, stop in ((-1, 4), (5, 2)):
        with pytest.raises(ValueError, match="range"):
            read_frames(info, start=start, stop=stop)


def open_files(path: Path) -> int:
    """How often this process has a file open."""
    links = [Path("/proc/self/fd", n) for n in os.listdir("/proc/self/fd")]
    return sum(link.is_symlink() and os.path.realpath(link) == str(path.resolve()) for link in links)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="reads the kernel's list of open files")
def test_stopping_early_closes_the_file(clip: Path) -> None:
    info = probe(clip)
    assert open_files(clip) == 0
    frames = read_frames(info)
    first = next(frames)
    assert open_files(clip) == 1
    frames.close()  # type: ignore[attr-defined]
    assert open_files(clip) == 0
    first[:] = 0  # the frame is the caller's own
    assert next(read_frames(info)).any()


def test_smaller_frames_and_another_rate(clip: Path) -> None:
    info = probe(clip)
    assert next(read_frames(info, max_side=80)).shape == (60, 80, 3)
    assert next(read_frames(info, max_side=4000)).shape == (120, 160, 3)
    assert len(list(read_frames(info, fps=10))) == 20 and len(list(read_frames(info, fps=50))) in (99, 100)
    with pytest.raises(ValueError, match="max_side 4"):
        read_frames(info, max_side=4)
    with pytest.raises(ValueError, match="fps 0"):
        read_frames(info, fps=0)


@pytest.mark.parametrize(("name", "codec", "pixels"), [
    ("clip.webm", "libvpx", "yuv420p"), ("clip.avi", "mpeg4", "yuv420p"), ("clip.mkv", "libx264", "yuv420p"),
    ("clip.mov", "mjpeg", "yuvj420p"), ("clip.gif", "gif", "rgb8"), ("clip.mpg", "mpeg1video", "yuv420p"),
    ("clip.h264", "libx264", "yuv420p"),
])
def test_containers(folder: Path, name: str, codec: str, pixels: str) -> None:
    info = probe(make(folder / f"of_{name}", "testsrc=s=96x80:r=25:d=0.8", codec, pixels=pixels))
    assert (info.width, info.height, info.fps, info.frames) == (96, 80, 25.0, 20), info
    assert len(list(read_frames(info))) == 20
    # a delay of 4 hundredths of a second is all that a GIF can say of 25 fps
    assert len(list(read_frames(info, fps=12.5, start=2))) == 8


def test_an_animated_webp(folder: Path) -> None:
    pictures = [Image.new("RGB", (96, 80), (20 * k, 0, 0)) for k in range(10)]
    pictures[0].save(folder / "moves.webp", save_all=True, append_images=pictures[1:], duration=50, lossless=True)
    info = probe(folder / "moves.webp")
    assert (info.kind, info.width, info.height, info.fps, info.frames) == ("video", 96, 80, 20.0, 10)
    assert [int(f[0, 0, 0]) for f in read_frames(info)] == [20 * k for k in range(10)]
    assert [int(f[0, 0, 0]) for f in read_frames(info, start=3, stop=5)] == [60, 80]


def test_a_wrong_suffix_does_not_matter(clip: Path, folder: Path) -> None:
    for name in ("clip.jpg", "clip.txt", "noext"):
        copy = folder / name
        copy.write_bytes(clip.read_bytes())
        assert probe(copy).kind == "video"
    Image.new("RGB", (96, 80), (9, 200, 9)).save(folder / "picture.mp4", format="PNG")
    assert probe(folder / "picture.mp4").kind == "image"


def test_a_name_that_looks_like_an_address_is_a_file(clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    Path("concat:a.mp4").write_bytes(clip.read_bytes())
    Path("-i.mp4").write_bytes(clip.read_bytes())
    for name in ("concat:a.mp4", "-i.mp4"):
        assert len(list(read_frames(probe(name)))) == 50


def test_rotated_metadata_is_applied(clip: Path, folder: Path) -> None:
    turned, data = folder / "turned.mp4", clip.read_bytes()
    one, upright = 1 << 16, struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    at = data.rindex(upright)  # the track's matrix; the movie's stands before it
    turned.write_bytes(data[:at] + struct.pack(">9i", 0, -one, 0, one, 0, 0, 0, 0, 1 << 30) + data[at + len(upright):])
    info = probe(turned)
    assert (info.width, info.height) == (120, 160) and "turned upright" in info.notes[0]
    upright, source = next(read_frames(info)), next(read_frames(probe(clip)))
    assert upright.shape == (160, 120, 3)
    assert np.abs(upright.astype(int) - np.rot90(source)).mean() < 3


def test_pixels_are_made_square(folder: Path) -> None:
    info = probe(make(folder / "sar.mp4", "testsrc=s=160x120:r=25:d=0.2", aspect=2))
    assert (info.width, info.height) == (320, 120) and "square" in info.notes[0]
    assert next(read_frames(info)).shape == (120, 320, 3)


def test_a_variable_frame_rate_becomes_constant(folder: Path) -> None:
    # 30 fps for a second, then every third frame only: as a webcam in the dark
    path = make(folder / "vfr.mkv", "testsrc=s=96x80:r=30:d=3", keep=lambda k: k < 30 or k % 3 == 0)
    info = probe(path)
    assert info.variable and "variable frame rate" in info.notes[0]
    frames = list(read_frames(info))
    assert abs(len(frames) / info.fps - 3.0) < 0.15 and abs(len(frames) - info.frames) <= 1
    part = list(read_frames(info, start=10, stop=20))
    assert len(part) == 10 and np.array_equal(part[3], frames[13])


def test_ntsc_rates_are_exact(folder: Path) -> None:
    info = probe(make(folder / "ntsc.mp4", "testsrc=s=96x80:r=30000/1001:d=1"))
    assert info.fps == 30000 / 1001 and not info.variable
    # whole milliseconds, as webm keeps them, are no variable rate
    info = probe(make(folder / "ms.mkv", "testsrc=s=96x80:r=24000/1001:d=1"))
    assert info.fps == pytest.approx(24000 / 1001, abs=1e-6) and not info.variable


def test_8k_frames_stream_in_little_memory(folder: Path) -> None:
    path = make(folder / "8k.mp4", "color=c=gray:s=7680x4320:r=25:d=0.12", "mjpeg", pixels="yuvj420p")
    info = probe(path)
    assert (info.width, info.height, info.frames) == (7680, 4320, 3)
    tracemalloc.start()
    shapes = [frame.shape for frame in read_frames(info, max_side=640)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert shapes == [(360, 640, 3)] * 3 and peak < 20e6


def test_an_hour_is_probed_in_a_moment(folder: Path) -> None:
    path = make(folder / "hour.mp4", "color=c=gray:s=96x80:r=1:d=3600")
    start = time.perf_counter()
    info = probe(path)
    assert info.frames == 3600 and info.fps == 1 and time.perf_counter() - start < 30
    tracemalloc.start()
    frames = read_frames(info)
    for _ in range(1000):
        next(frames)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
    start = time.perf_counter()
    assert len(list(read_frames(info, start=3500, stop=3505))) == 5 and time.perf_counter() - start < 30


# -- images and folders ------------------------------------------------------------------
def test_images(folder: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (80, 96, 3)).astype(np.uint8)
    for name in ("a.png", "a.webp", "a.jpg"):
        Image.fromarray(pixels).save(folder / name, lossless=True, quality=95)
        info = probe(folder / name)
        assert (info.kind, info.width, info.height, info.frames, info.fps) == ("image", 96, 80, 1, 25.0)
        frame = next(read_frames(info))
        assert frame.shape == (80, 96, 3)
        if name != "a.jpg":
            assert np.array_equal(frame, pixels)
    exif = Image.Exif()
    exif[274] = 6  # taken with the camera on its side
    Image.fromarray(pixels).save(folder / "side.png", exif=exif)
    info = probe(folder / "side.png")
    assert (info.width, info.height) == (80, 96) and "EXIF" in info.notes[0]
    assert np.array_equal(next(read_frames(info)), np.rot90(pixels, -1))
    Image.fromarray(np.dstack([pixels, np.zeros((80, 96), np.uint8)])).save(folder / "clear.png")
    assert (next(read_frames(probe(folder / "clear.png"))) == 128).all()
    assert next(read_frames(probe(folder / "a.png"), max_side=48)).shape == (40, 48, 3)


def test_a_damaged_picture_is_one_line(folder: Path) -> None:
    data = (folder / "a.jpg").read_bytes() if (folder / "a.jpg").exists() else b""
    Image.new("RGB", (96, 80)).save(folder / "b.jpg")
    data = data or (folder / "b.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(data[:len(data) // 2])
    with pytest.raises(ValueError, match="damaged or truncated"):
        list(read_frames(probe(folder / "cut.jpg")))


def test_a_folder_of_frames(tmp_path: Path) -> None:
    for k in (10, 9, 2, 1):
        Image.new("RGB", (96, 80), (k, 0, 0)).save(tmp_path / f"frame{k}.png")
    (tmp_path / "notes.txt").write_text("not a frame")
    (tmp_path / ".hidden.png").write_bytes(b"x")
    info = probe(tmp_path, fps=10)
    assert (info.kind, info.frames, info.fps) == ("folder", 4, 10)
    assert [int(f[0, 0, 0]) for f in read_frames(info)] == [1, 2, 9, 10]
    assert [int(f[0, 0, 0]) for f in read_frames(info, start=1, stop=3)] == [2, 9]
    assert [int(f[0, 0, 0]) for f in read_frames(info, fps=5)] == [1, 9]
    assert natural_key(Path("a9.png")) < natural_key(Path("a10.png")) < natural_key(Path("b1.png"))
    Image.new("RGB", (96, 88)).save(tmp_path / "frame11.png")
    with pytest.raises(ValueError, match=r"different sizes: frame1.png is 96x80, frame11.png is 96x88"):
        probe(tmp_path)


# -- bad ones: one line that says what is wrong -------------------------------------------
def one_line(path: Path, text: str, error: type[Exception] = ValueError) -> None:
    with pytest.raises(error, match=text) as caught:
        list(read_frames(probe(path)))
    assert "\n" not in str(caught.value) and path.name in str(caught.value)


def test_nothing_there(tmp_path: Path) -> None:
    one_line(tmp_path / "missing.mp4", "no such file", FileNotFoundError)
    (tmp_path / "empty.mp4").touch()
    one_line(tmp_path / "empty.mp4", "empty")
    (tmp_path / "frames").mkdir()
    one_line(tmp_path / "frames", "no pictures in this folder")
    (tmp_path / "frames" / "a.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="a.png: not a picture"):
        probe(tmp_path / "frames")


@pytest.mark.parametrize("content", [
    b"just some words\n" * 50, bytes(range(256)) * 40, b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n",
    b"ffconcat version 1.0\nfile 'clip.mp4'\n", b"PK\x03\x04" + b"\0" * 200,
])
def test_not_a_media_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "thing.mp4").write_bytes(content)
    one_line(tmp_path / "thing.mp4", "not a video or picture")


def test_sound_only(folder: Path) -> None:
    one_line(sound(folder / "sound.m4a", "aac"), "sound only")
    one_line(sound(folder / "sound.wav", "pcm_s16le"), "sound only")


def test_too_small(folder: Path) -> None:
    one_line(make(folder / "tiny.avi", "color=s=1x1:r=25:d=0.2", "rawvideo"), "1x1 pixels; sides of 64")
    Image.new("RGB", (1, 1)).save(folder / "tiny.png")
    one_line(folder / "tiny.png", "1x1 pixels")


def test_zero_frames(folder: Path) -> None:
    path = make(folder / "zero.mkv", "testsrc=s=96x80:r=25:d=1", keep=lambda k: False)
    one_line(path, "without a single readable frame|no video stream|not a video")


def test_truncated(clip: Path, folder: Path) -> None:
    data = clip.read_bytes()
    (folder / "cut.mp4").write_bytes(data[:len(data) // 2])  # the index stands at the end of this one
    one_line(folder / "cut.mp4", "truncated")
    fast = make(folder / "fast.mp4", "testsrc=s=160x120:r=25:d=4", movflags="+faststart")
    part = folder / "part.mp4"
    part.write_bytes(fast.read_bytes()[:fast.stat().st_size * 6 // 10])
    info = probe(part)
    assert any("incomplete" in note for note in info.notes)
    frames = list(read_frames(info))
    assert 30 < len(frames) < 80 and abs(len(frames) - info.frames) <= 2
