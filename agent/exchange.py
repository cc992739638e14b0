"""Clips to other tools: as files, and live."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..common.progress import Progress, silent
from ..common.text import counted
from ..face.clip.sequence import FaceSequence
from ..face.head.model import HeadModel
from ..face.io.export import FORMATS
from ..face.io.export import export as write
from ..face.io.export.formats import chosen, prepared, table
from ..face.io.export.obj import vacant
from .file_tools import load_head
from .options import READING, ReadingOptions, Result, Watch
from .requests import not_over_its_input, output_file, output_folder, ready


def loaded(path: str, reading: ReadingOptions, progress: Progress) -> tuple[FaceSequence, HeadModel, list[str]]:
    """A clip, a video, a picture or another tool's parameters as a clip with its head, and what was assumed."""
    from .media import is_clip, opened, whole

    head = load_head(reading.head)
    if not is_clip(path):
        return whole(path, head, reading.face, progress), head, []
    clip, notes = opened(path, head)
    return clip, head, notes


def export(clip: str | None = None, /, *, out: Annotated[str | None, Parameter(name=("--out", "-o"))] = None,
           format: str | None = None, target: Annotated[str | None, Parameter(name=("--target", "--targets"))] = None,
           to: str | None = None, fps: float | None = None, clamp: bool = False,
           list_formats: Annotated[bool, Parameter(name="--list")] = False, reading: ReadingOptions = READING,
           progress: Watch = silent) -> Result:
    """A clip as another tool's file; what is changed or lost on the way is said.

    Args:
        clip: CLIP.npz, or a video or picture, which is fitted first, or a file that `facelm convert` reads.
        out: FILE; its ending says the format where --format does not. OBJ goes to a folder.
        format: One of those that --list shows.
        target: What the file holds: head (the head's own channels), arkit52, flame, vrm, viseme, or actions (measured).
        to: Go to this head first, HEAD.npz; "default" is the packaged one. FLAME's formats need a FLAME head.
        fps: Resample to so many frames a second.
        clamp: Cut ARKit's weights to 0 to 1, in every format; a head without ARKit's names has none.
        list_formats: Show the formats.
    """
    if list_formats:
        return Result({"formats": [{"name": f.name, "label": f.label, "suffix": f.suffix, "targets": list(f.targets),
                                    "units": f.units, "keeps": f.keeps, "loses": f.loses, "read_back": f.back}
                                   for f in FORMATS]}, table().rstrip())
    if clip is None or out is None:
        raise ValueError(f"{'CLIP' if clip is None else '--out'} is missing: facelm export CLIP.npz -o FILE (--list shows the "
                         "formats)")
    kind = chosen(Path(out), format, target)
    path = not_over_its_input(output_file(out, kind.suffix) if kind.suffix else output_folder(out), clip)
    if fps is not None and not 1 <= fps <= 1000:
        raise ValueError(f"--fps is {fps:g}; allowed: 1 to 1000")
    goal = load_head(to) if to else None
    seq, head, read = loaded(clip, reading, progress)
    if not kind.suffix:
        vacant(path)
    done = write(seq, head, ready(path), format=kind.name, target=target, to=goal, fps=fps, clamp=clamp, title=Path(clip).stem)
    notes = [*read, *done.notes]
    text = [f"{path}: {kind.label}, {counted(len(done.seq), 'frame')} at {done.seq.fps:g} fps ({done.target})",
            *([f"on {done.seq.head}: {done.report}"] if done.report else []), *(f"note: {n}" for n in notes)]
    return Result({"out": str(path), "format": kind.name, "target": done.target, "frames": len(done.seq), "fps": done.seq.fps,
                   "head": str(done.seq.head), "notes": notes, **(done.report.to_dict() if done.report else {})},
                  "\n".join(text))


def stream(clip: str, /, *, livelink: str | None = None, vmc: str | None = None, loop: bool = False, fps: float | None = None,
           subject: str = "facelm", target: str = "arkit52", reading: ReadingOptions = READING,
           progress: Watch = silent) -> Result:
    """A clip, live: to Unreal as the Live Link Face app sends it, or to an avatar program by the VMC protocol.

    Args:
        clip: CLIP.npz, or a video or picture, which is fitted first, or a file that `facelm convert` reads.
        livelink: Where Unreal listens, HOST:PORT; "11111" is this computer.
        vmc: Where the avatar program listens, HOST:PORT; "39539" is this computer.
        loop: Begin again at the end, until Ctrl-C.
        fps: Send so many frames a second (default: the clip's).
        subject: The name that Unreal shows.
        target: For VMC: arkit52 (avatars with all 52 shapes) or vrm (the expressions of VRM).
    """
    from ..face.io.live import livelink as unreal
    from ..face.io.live import vmc as avatar
    from ..face.io.live.play import address, play, reachable

    if (livelink is None) == (vmc is None):
        raise ValueError("give either --livelink HOST:PORT or --vmc HOST:PORT")
    if target not in ("arkit52", "vrm"):
        raise ValueError(f"--target is {target!r}; allowed: arkit52, vrm")
    if fps is not None and not 1 <= fps <= 1000:
        raise ValueError(f"--fps is {fps:g}; allowed: 1 to 1000")
    place = (address(livelink, unreal.PORT, "--livelink") if livelink is not None
             else address(vmc or "", avatar.PORT, "--vmc"))
    reachable(place, livelink or vmc or "", "--livelink" if livelink is not None else "--vmc")
    seq, head, read = loaded(clip, reading, progress)
    job, report = prepared(seq, head, target if vmc is not None else "arkit52", fps=fps, clamp=vmc is not None)
    job.notes += read
    names, arkit, rate, count = job.curves.names, target == "arkit52", job.seq.fps, len(job.seq)
    if livelink is not None:
        rows, now = unreal.rows(job), datetime.now()
        first = round((now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds() * rate)
        done = play(lambda k, n: [unreal.packet(rows[k], first + n, rate, subject)], count, rate, place, loop)
    else:
        rows = avatar.rows(job)
        done = play(lambda k, n: avatar.packets(names, rows[k], n / rate, arkit), count, rate, place, loop)
    said = [f"{counted(done.frames, 'frame')} sent to {place[0]}:{place[1]} in {done.seconds:.2f} s at {rate:g} fps"
            + (f", {done.skipped} left out to keep time" if done.skipped else ""), *(f"note: {n}" for n in job.notes)]
    return Result({"to": f"{place[0]}:{place[1]}", "frames": done.frames, "skipped": done.skipped,
                   "seconds": round(done.seconds, 3), "fps": rate, "notes": job.notes,
                   **(report.to_dict() if report else {})}, "\n".join(said))
