"""Reading of files that strangers sent: in a process of its own, with limits of time and memory.

It is a fork of a process that waits with everything imported, so that a refusal takes no longer than reading. The child writes
what it read as clips and a JSON file into a folder of its own; nothing but those is taken over.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ...common import limited
from ...common.text import one_line
from ...face.clip.sequence import FaceSequence
from ...face.facs.measure import measure
from ..media import Loaded, Part, Shot, from_shots, load_motion

SUFFIXES = {"video": (".mp4", ".webm", ".mov", ".mkv", ".avi", ".m4v", ".gif"),
            "picture": (".png", ".jpg", ".jpeg", ".webp", ".bmp"),
            "parameters": (".npz", ".csv", ".json", ".npy", ".txt", ".frame")}
_MEMORY = 12 << 30
"""Bytes of address space: MediaPipe maps several GB and uses few of them."""
_BASE, _EACH = 120.0, 8.0
"""Seconds that a file may take, and more for each second of video."""
_REPORT = "report.json"
_MODULE = ("-m", "facelm.agent.server.intake")
_WARM = limited.Warm(_MODULE)


_UPLOADS = "facelm-upload-"


def place() -> Path:
    """A new folder for an upload, which its reader deletes."""
    return Path(tempfile.mkdtemp(prefix=f"{_UPLOADS}{os.getpid()}-"))


def sweep() -> None:
    """Delete what servers that were killed left of their uploads."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_UPLOADS}*"):
        owner = folder.name.removeprefix(_UPLOADS).partition("-")[0]
        if owner.isdigit() and not limited.alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


class Refused(ValueError):
    """A file that is not taken."""


def kind_of(name: str) -> str:
    """video, picture or parameters, by a file's suffix.

    Raises:
        Refused: another one.
    """
    suffix = Path(name).suffix.lower()
    for kind, suffixes in SUFFIXES.items():
        if suffix in suffixes:
            return kind
    allowed = sorted(s for suffixes in SUFFIXES.values() for s in suffixes)
    raise Refused(f"files ending in {suffix or 'nothing'!r} are not taken; allowed: {', '.join(allowed)}")


def take(source: Path, name: str, folder: Path, seconds: float, progress: Callable[[int, int, str], None]) -> Loaded:
    """Read a file in a child process.

    Args:
        source: the file.
        name: what the user calls it.
        folder: an empty folder for the results.
        seconds: longest video.
        progress: called with (done, of, stage); what it raises ends the child.

    Raises:
        Refused: the file cannot be read, in one line.
    """
    kind_of(name)
    task, limit = [str(source), str(folder), str(seconds)], _BASE + _EACH * seconds
    try:
        said_lines = _WARM.lines(json.dumps(task), limit) if _WARM.able else limited.lines([*_MODULE, *task], limit)
        with closing(said_lines):
            for line in said_lines:
                try:
                    done, of, stage = json.loads(line)
                except ValueError:
                    continue
                progress(int(done), int(of), str(stage)[:40])
    except TimeoutError:
        raise Refused(f"{name} took too long to read; use a shorter or smaller recording") from None
    except ChildProcessError:
        pass  # it left no report, which is said below
    report = folder / _REPORT
    if not report.is_file():
        raise Refused(f"{name} cannot be read: it is damaged, too large, or needs more than this server gives to one file")
    said: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    if "error" in said:
        raise Refused(str(said["error"]).replace(str(source), name).replace(source.name, name))
    clips = [FaceSequence.load(folder / f) for f in said["files"]]
    if said["frames"] is None:
        clip = clips[0]
        return Loaded((Part(0.0, clip.seconds, clip),), note=said["note"])
    shots = [Shot(first / c.fps, c, measure(c, filmed=True)) for first, c in zip(said["first"], clips, strict=True)]
    return replace(from_shots(shots, int(said["frames"]), "", name), note=said["note"])


def _read(source: Path, folder: Path, seconds: float) -> dict[str, Any]:
    """What the child finds."""
    def report(done: int, of: int, stage: str = "", /) -> None:
        print(json.dumps([done, of, stage or "fitting"]), flush=True)

    if kind_of(source.name) == "video":
        from ...face.io.media import probe

        info = probe(source)
        if info.frames / info.fps > seconds + 1:
            raise Refused(f"the video lasts {info.frames / info.fps:.0f} s; this server takes up to {seconds:.0f} s")
    loaded = load_motion(source, progress=report)
    files = []
    for k, clip in enumerate([s.clip for s in loaded.shots] or [loaded.seq]):
        files.append(f"part-{k}.npz")
        clip.save(folder / files[-1])
    shots = loaded.shots
    return {"files": files, "note": loaded.note, "frames": loaded.frames if shots else None,
            "first": [round(s.start * s.clip.fps) for s in shots]}


def main(source: str, folder: str, seconds: str) -> None:
    """Read one file, in the child."""
    limited.limit(_MEMORY, 2 * (_BASE + _EACH * float(seconds)))
    try:
        said = _read(Path(source), Path(folder), float(seconds))
    except (ValueError, OSError, ImportError, MemoryError, EOFError, KeyError) as err:
        said = {"error": one_line(err, 400) or type(err).__name__}
    (Path(folder) / _REPORT).write_text(json.dumps(said), encoding="utf-8")


def wait() -> None:
    """Import what files need, and read one after another, each in a fork."""
    for name in ("face.io.convert", "face.io.media", "data_gen.fit.fit"):
        with suppress(ImportError):  # an extra that is not installed is told by the file that needs it
            import_module(f"facelm.{name}")
    limited.forked(lambda line: main(*json.loads(line)))


if __name__ == "__main__":
    main(*sys.argv[1:4]) if len(sys.argv) > 1 else wait()
