"""Videos and clips as tables, pictures and annotation files of what a face does: measured, with evidence."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.progress import Progress, silent
from ..face.clip.normalise import is_real
from ..face.clip.sequence import FaceSequence
from ..face.facs.evidence.filmed import FilmedSignals
from ..face.facs.measure import measure as measure_clip
from ..face.facs.measured import MeasuredAction, Measurement
from ..face.facs.signals import signals_of
from ..face.head.model import HeadModel
from ..face.io.export.actions import EVENT_COLUMNS, event_rows, write_csv
from ..face.io.export.actions import elan as write_elan
from .file_tools import draw, load_head
from .media import Loaded, is_clip, load_faces, opened, read
from .options import READING, ReadingOptions, Result, Watch
from .requests import NOTE, not_over_its_input, output_file, ready, rest_seconds

log = logging.getLogger(__name__)
STRIP, COLUMNS = 18, 6
"""Most frames of a film strip, and of one of its rows."""
_APART = 0.2
"""Least time between two frames of a film strip, s."""
_HUNDRED = 100.0


def measure(clips: list[str], /, *, rest: str | None = None, table: bool = False, csv: str | None = None,
            frames: str | None = None, elan: str | None = None, picture: str | None = None, reading: ReadingOptions = READING,
            progress: Watch = silent) -> Iterator[Result]:
    """The timeline of facial actions, by geometry; of a film with how sure each is.

    Args:
        clips: CLIP.npz, or videos and pictures, which are fitted first, or files that `facelm convert` reads.
        rest: Where the face is at rest: seconds of the film ("0-0.6"), or a film or clip of the same person at rest.
        table: One line a file: its length and how much of what happens in a minute.
        csv: Write all events, one a row: EVENTS.csv.
        frames: Write every frame's signals: FRAMES.csv; of several faces one file each (FRAMES-face1.csv).
        elan: Write the events as tiers for ELAN: EVENTS.eaf; of several faces one file each.
        picture: Draw the frames in which most happens above a timeline: STRIP.png; of several faces one file each.
    """
    wanted = (("csv", csv, ".csv"), ("frames", frames, ".csv"), ("elan", elan, ".eaf"), ("picture", picture, ".png"))
    outs = {name: output_file(path, suffix) for name, path, suffix in wanted if path is not None}
    for path in (*clips, *([rest] if rest else [])):
        outs = {name: not_over_its_input(out, path, f"--{name}") for name, out in outs.items()}
    if len(set(map(Path.absolute, outs.values()))) < len(outs):
        raise ValueError(f"two outputs have one name ({', '.join(map(str, outs.values()))}); give each a name of its own")
    if len(clips) > 1 and (several := sorted(set(outs) - {"csv"})):
        raise ValueError(f"--{several[0]} is of one file, but {len(clips)} are given; measure one at a time, or use --csv")
    head = load_head(reading.head)
    known = _rest(rest, head, reading.face)
    events: list[list[Any]] = []
    files: list[Path] = []
    for path in clips:
        try:
            faces = _loaded(path, head, reading.face, progress)
            seen = [_against(loaded, path, head, known) for loaded in faces]
        except (ValueError, OSError) as err:
            if len(clips) == 1:
                raise
            yield Result({"clip": path, "error": str(err)}, error=str(err) if path in str(err) else f"{path}: {err}")
            continue
        for loaded, found in zip(faces, seen, strict=True):
            number = loaded.face if len(faces) > 1 else None
            name = f"{path} face {number}" if number else path
            events += [[path, number or "", *row] for row in event_rows(found)]
            text = _line(name, loaded, found) if table else "\n".join(
                [_title(name, loaded, found), *fact_lines(found, minor=is_real(loaded.seq) or bool(loaded.shots)), *_more(found)])
            yield Result({**found.to_dict(path), **({"face": number} if number else {}),
                          "rates": rates(found) if found.seconds >= _LEAST else {},
                          **({"found": round(loaded.found, 4)} if loaded.shots else {})}, text)
            to = {k: out.with_stem(f"{out.stem}-face{number}") if number else out for k, out in outs.items() if k != "csv"}
            if "frames" in to:
                write_csv(ready(to["frames"]), *_frames(loaded, head, known))
            if "elan" in to:
                write_elan(ready(to["elan"]), found, None if is_clip(path) else Path(path))
            if "picture" in to:
                _draw(ready(to["picture"]), path, loaded, found, head)
            files += to.values()
    if "csv" in outs:
        write_csv(ready(outs["csv"]), ["file", "face", *EVENT_COLUMNS], events)
        files.insert(0, outs["csv"])
    if files:
        yield Result({"files": [str(p) for p in files]}, "written: " + ", ".join(map(str, files)))


# -- measuring ----------------------------------------------------------------------------
Rest = tuple[float, float] | FaceSequence | None


def _rest(text: str | None, head: HeadModel, face: int | None) -> Rest:
    """Seconds of each file, or a clip of the face at rest."""
    if text is None:
        return None
    if (span := rest_seconds(text)) is not None:
        return span
    if not Path(text).exists():
        raise FileNotFoundError(f"--rest is {text!r}; wanted: seconds such as 0-0.6, or a file of the face at rest")
    if is_clip(text):
        return opened(text, head)[0]
    return max((shot.clip for shot in read(text, head, face).shots), key=len)


def _loaded(path: str, head: HeadModel, face: int | None, progress: Progress) -> list[Loaded]:
    """The faces of a file; what was done to it is logged."""
    if not Path(path).exists():
        raise FileNotFoundError(f"no such clip, video, picture or folder: {path}")
    faces = load_faces(path, head, face, progress)
    for loaded in faces:
        if loaded.note:
            log.log(NOTE, "%s%s: %s", path, f" face {loaded.face}" if len(faces) > 1 else "", loaded.note)
    return faces


def _clips(loaded: Loaded) -> list[tuple[float, FaceSequence]]:
    """When each shot begins, s, and its clip; a clip of parameters is one shot."""
    return [(shot.start, shot.clip) for shot in loaded.shots] or [(0.0, loaded.seq)]


def _against(loaded: Loaded, path: str, head: HeadModel, rest: Rest) -> Measurement:
    """What a file shows on its own clock, against a known rest where there is one."""
    if rest is None:
        return loaded.measured or measure_clip(loaded.seq, head, filmed=is_real(loaded.seq))
    parts = []
    for start, clip, joined, quiet in _with_rest(loaded, path, rest):
        found, before = measure_clip(joined, head, filmed=True, quiet=quiet), (len(joined) - len(clip)) / clip.fps
        parts.append((start, found.between(before, found.seconds) if before else found))
    return Measurement.joined(parts, max(start + m.seconds for start, m in parts) if not loaded.shots else (
        loaded.frames / loaded.shots[0].clip.fps))


def _with_rest(loaded: Loaded, path: str, rest: tuple[float, float] | FaceSequence
               ) -> list[tuple[float, FaceSequence, FaceSequence, NDArray[np.bool_]]]:
    """Of each shot its start, its clip, that after its rest where the rest is not in it, and the frames that rest."""
    clips, known = _clips(loaded), rest
    if isinstance(rest, tuple):
        end = max(start + clip.seconds for start, clip in clips)
        if rest[1] > end + 1.0 / clips[0][1].fps or len(clips[0][1]) == 1:
            raise ValueError(f"--rest is {rest[0]:g}-{rest[1]:g}; allowed: seconds within the film, which lasts {end:.2f} s")
        inside = [(clip, quiet) for start, clip in clips if (quiet := _quiet(clip, start, rest)).any()]
        if not inside:
            raise ValueError(f"--rest is {rest[0]:g}-{rest[1]:g}, where no face was found in {path}; choose other seconds of it")
        known = inside[0][0].replace(**inside[0][0].parameters(inside[0][1]), valid=inside[0][0].valid[inside[0][1]])
    assert isinstance(known, FaceSequence)
    out = []
    for start, clip in clips:
        quiet = _quiet(clip, start, rest) if isinstance(rest, tuple) else np.zeros(len(clip), np.bool_)
        joined = clip
        if not quiet.any():
            first = known.resample(clip.fps) if known.fps != clip.fps else known
            joined = first.replace(shape=clip.shape).concat(clip)
            quiet = np.arange(len(joined)) < len(first)
        out.append((start, clip, joined, quiet))
    return out


def _quiet(clip: FaceSequence, start: float, rest: tuple[float, float]) -> NDArray[np.bool_]:
    """The frames of a shot that lie in some seconds of the film and show the face."""
    at = start + np.arange(len(clip)) / clip.fps
    return np.asarray((at >= rest[0]) & (at <= rest[1]) & clip.valid)


# -- words and rows -----------------------------------------------------------------------
_LEAST = 2.0
"""Seconds from which on a rate a minute means anything."""


def named(a: MeasuredAction) -> str:
    """An action with its side."""
    return f"{a.name} {a.beside}".rstrip()


def fact_lines(measured: Measurement, minor: bool = False) -> list[str]:
    """The measured actions, and maybe the minor ones, one readable line each."""
    out = []
    for a in measured.everything if minor else measured.actions:
        # of a real face strengths are above its own rest, sizes are not
        size = f"{a.value:.1f} {a.unit}" if a.value >= 0.5 and (a.confidence == 1.0 or a.cycles) else ""
        said = ", ".join(filter(None, (size, "once" if a.cycles == 1 else f"{a.cycles:g} times" if a.cycles else "",
                                       f"sure to {_HUNDRED * a.confidence:.0f} %" if a.confidence < 1.0 else "")))
        out.append(f"  {a.onset:5.2f} - {a.offset:5.2f} s  {named(a):<20s} intensity {a.intensity:.2f}"
                   + f" ({said})" * bool(said))
    return out or ["  nothing: the face stays at rest"]


def rates(measured: Measurement) -> dict[str, dict[str, float]]:
    """Of each action how often it happens in a minute (a chain of nods is one), and its share of the time."""
    out = {}
    for name in dict.fromkeys(a.name for a in measured.actions):
        own = measured.of(name)
        out[name] = {"a_minute": round(60.0 * len(own) / measured.seconds, 2),
                     "share": round(min(sum(a.offset - a.onset for a in own) / measured.seconds, 1.0), 4)}
    return out


def mood(found: Measurement) -> str:
    """What emotion shows for how much of the time, most first."""
    shares: dict[str, float] = {}
    for s in found.emotion.timeline:
        shares[s.name] = shares.get(s.name, 0.0) + (s.end - s.start) / max(found.seconds, 1e-6)
    order = sorted(shares, key=lambda n: -shares[n])
    if not order:
        return found.emotion.dominant
    more = [f"{n} {_HUNDRED * shares[n]:.0f} %" for n in order[1:] if shares[n] >= 0.01]
    return ", ".join([order[0] if shares[order[0]] > 0.995 else f"{order[0]} {_HUNDRED * shares[order[0]]:.0f} %", *more])


def _seen(loaded: Loaded) -> float:
    return loaded.found if loaded.shots else float(loaded.seq.valid.mean())


def _title(path: str, loaded: Loaded, found: Measurement) -> str:
    share = _seen(loaded)
    lost = "" if share > 0.995 else f", a face that could be fitted in {_HUNDRED * share:.0f} % of it"
    return f"{path}: {found.seconds:.2f} s at {found.fps:g} fps{lost}, {mood(found)}"


def _more(found: Measurement) -> list[str]:
    """What is not sure, and what limits all of it."""
    perhaps = [f"{named(a)} at {a.onset:.2f} s ({_HUNDRED * a.confidence:.0f} %)" for a in found.unsure]
    often = _often(found) if found.seconds >= 10.0 else []
    return ([f"  perhaps: {', '.join(perhaps)}"] if perhaps else []) + (
        [f"  a minute: {', '.join(often)}"] if often else []) + [f"  note: {n}" for n in found.notes]


def _often(found: Measurement) -> list[str]:
    return [f"{name} {r['a_minute']:g}" + f" ({_HUNDRED * r['share']:.0f} % of the time)" * (r["share"] >= 0.05)
            for name, r in rates(found).items()]


def _line(path: str, loaded: Loaded, found: Measurement) -> str:
    said = f"{path}: {found.seconds:.1f} s, face {_HUNDRED * _seen(loaded):.0f} %, {mood(found)}"
    if not found.actions:
        return f"{said}; at rest"
    return said + (f"; a minute: {', '.join(_often(found))}" if found.seconds >= _LEAST else f"; {', '.join(found.names)}")


# -- files --------------------------------------------------------------------------------
def _frames(loaded: Loaded, head: HeadModel, rest: Rest) -> tuple[list[str], list[list[Any]]]:
    """Every frame's signals: angles of the head in degrees, actions as shares of full scale (above rest in a film)."""
    shots = [(start, clip, clip, None) for start, clip in _clips(loaded)] if rest is None else _with_rest(loaded, "it", rest)
    fps, names, tables = shots[0][1].fps, [], {}
    for start, clip, joined, quiet in shots:
        signals = signals_of(joined, head)
        if loaded.shots or quiet is not None or is_real(clip):
            signals = FilmedSignals.of(signals, joined.valid, quiet)
        names = [n for n in signals.intensity if n in signals.measurable]
        table = np.column_stack([signals.head, *(signals.intensity[n] for n in names)])[len(joined) - len(clip):]
        for k, row in enumerate(table, round(start * fps)):
            tables[k] = (int(clip.valid[k - round(start * fps)]), row)
    rows: list[list[Any]] = []
    for k in range(max(loaded.frames, len(tables))):
        ok, values = tables.get(k, (0, ()))
        rows.append([f"{k / fps:.4f}", ok, *([f"{v:.4f}" for v in values] or [""] * (len(names) + 3))])
    return ["time", "valid", "pitch_down_deg", "yaw_left_deg", "roll_right_deg", *names], rows


def _draw(path: Path, media: str, loaded: Loaded, found: Measurement, head: HeadModel) -> None:
    """The frames in which most happens, with the timeline below."""
    shots = [(round(s.start * s.clip.fps), s.fit) for s in loaded.shots if s.fit is not None]
    if not shots:
        draw(_clips(loaded)[0][1], path, title=Path(media).name, head=head)
        return
    from ..data_gen.fit.overlay import close_frames
    from ..face.io.video import write_png
    from ..face.render.sheet import lay_out

    strongest = sorted(found.actions, key=lambda a: (a.name != "blink", a.confidence * a.intensity), reverse=True)
    at = [shots[0][0]]
    for a in strongest:
        frame = round(a.apex * found.fps)
        if len(at) < STRIP and all(abs(frame - k) >= _APART * found.fps for k in at):
            at.append(frame)
    times, pictures = [], []
    for first, fit in shots:
        inside = sorted({min(k - first, len(fit.seq) - 1) for k in at if 0 <= k - first <= len(fit.seq)})
        pictures += close_frames(fit, inside, head)
        times += [(first + k) / found.fps for k in inside]
    timeline = [(named(a), a.onset, a.offset) for a in found.actions]
    write_png(lay_out(pictures, times, COLUMNS, Path(media).name, timeline, found.seconds), path)
