"""When the frames of a file are: its rate and its gaps, from time codes, times or frame numbers.

Every row of a file is a frame; nothing is added or left out on its own. A rate is never rounded to a whole number: 29.97
stays 29.97.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .tables import number

USUAL_RATES = (15.0, 20.0, 24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 48.0, 50.0, 60000 / 1001, 60.0, 90.0, 120.0)
_NAMED = {"time", "times", "timestamp", "timestamps", "seconds", "timecode", "t", "timems", "timestampms", "timestampsms",
          "milliseconds", "timeinseconds", "timestampseconds", "timesec", "timestampus", "timestampns"}
_UNITS = {"ms": 1e-3, "us": 1e-6, "ns": 1e-9, "milliseconds": 1e-3, "seconds": 1.0, "sec": 1.0}
_FRAME_NAMES = {"frame", "frames", "frameindex", "framenumber", "frameid"}
_CODE = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2})([:;.])(\d{1,4}(?:[.,]\d{1,9})?)")
_CLOCK = re.compile(r"\d{1,2}:\d{1,2}:\d{1,2}[.,]\d{3,9}")
"""Seconds with thousandths, not frames."""
_GAP = 1.5
"""A step of so many usual ones is a gap."""
_LONGEST_GAP = 3
"""Gaps that would make a clip so many times as long are jumps, not gaps."""


@dataclass
class Timing:
    """When the rows of a file are.

    Attributes:
        fps: frames a second; None when the file does not say.
        at: (T,) frame number of each row, ascending, where rows have gaps between them; None where they follow one another.
        notes: what was read and assumed.
        warnings: what moves frames in time.
    """

    fps: float | None = None
    at: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def gaps(self, at: np.ndarray, what: str) -> None:
        """Take frame numbers over if they leave some out, and say so; equal and falling ones follow the row before."""
        step = np.diff(at)
        if not len(step):
            return
        again, back = int((step == 0).sum()), int((step < 0).sum())
        if again:
            self.notes.append(f"{what} of {again} row{'s' * (again > 1)} repeat that of the row before; every row is kept as a "
                              "frame")
        if back:
            self.warnings.append(f"{what} run backwards {back} time{'s' * (back > 1)} (first after row "
                                 f"{int((step < 0).argmax()) + 1}); the rows are taken one after another")
            return
        lost = int((step - 1).clip(0).sum())
        if not lost:
            return
        first = int((step > 1).argmax()) + 1
        places = int((step > 1).sum())
        if lost > _LONGEST_GAP * len(at):
            self.warnings.append(f"{what} jump by {lost} frames in all (first after row {first}); the rows are taken one after "
                                 "another")
            return
        self.at = np.concatenate([[0], np.cumsum(step.clip(1))])
        self.warnings.append(f"{what} leave out {lost} frame{'s' * (lost > 1)} in {places} place{'s' * (places > 1)} (first "
                             f"after row {first}); the rows are taken one after another, so what follows comes earlier: --fill "
                             "puts interpolated frames there, marked invalid")


def of_codes(codes: Sequence[str]) -> Timing:
    """Timing of ``HH:MM:SS:FF`` codes; ``;`` before the frames, or two numbers left out each minute, is drop-frame (29.97).

    The codes' own count of frames a second is what they turn over at. The rate of the rows is that count by their stride
    (a take at half the rate counts every second frame), or the rows of a second where all seconds hold equally many.

    Raises:
        ValueError: a code that cannot be read.
    """
    if codes and all(_CLOCK.fullmatch(c.strip()) for c in codes):
        return of_seconds(np.array([number(c.strip()) for c in codes]), "the time codes")
    parts = [_CODE.fullmatch(c.strip()) for c in codes]
    if not all(parts):
        bad = next(c for c, p in zip(codes, parts, strict=True) if p is None)
        raise ValueError(f"the time code {bad[:40]!r} cannot be read; needed HH:MM:SS:FF, e.g. 00:00:01:12.000")
    out = Timing()
    fields = np.array([[float(p[g].replace(",", ".")) for g in (1, 2, 3, 5)] for p in parts if p is not None])
    minutes = fields[:, 0] * 60 + fields[:, 1]
    seconds = minutes * 60 + fields[:, 2]
    day = np.cumsum(np.concatenate([[0], np.diff(seconds) < -43200])) * 86400.0  # past midnight
    seconds, minutes, counts = seconds + day, minutes + day / 60, np.floor(fields[:, 3]).astype(np.int64)
    dropping = any(p is not None and p[4] == ";" for p in parts)
    same = np.diff(seconds) == 0
    steps = np.diff(counts)
    stride = _most(steps[same & (steps > 0)]) or 1
    base = _most((counts[:-1] + stride - counts[1:])[np.diff(seconds) == 1])
    if base <= counts.max():
        base = 0
    times = _most(np.diff(np.flatnonzero(np.concatenate([[True], (steps != 0) | ~same, [True]])))) or 1  # rows with one code
    inner = seconds[(seconds > seconds[0]) & (seconds < seconds[-1])]
    held = np.unique(inner, return_counts=True)[1]
    if not base and not len(held):
        base = next((r for r in (30, 60, 120) if r > counts.max()), 60) if counts.max() > 24 else 60
        out.warnings.append(f"the time codes do not fix the frame rate; {base / stride:g} fps is assumed (--fps says otherwise)")
    elif not base:
        base = int(max(counts.max() + 1, np.median(held)))
    rate, usual = base * times / stride, float(np.median(held)) if len(held) else 0.0
    if len(held) >= 2 and (held == usual).mean() >= 0.8 and abs(usual - rate) > 0.1 * rate:
        out.fps = usual
        out.notes.append(f"the time codes count {base} frames a second, but each second holds {usual:g} rows: {usual:g} fps")
    else:
        out.fps = rate
        drop = _drops(minutes, seconds, counts, base, stride)
        dropping = dropping or drop
        first = seconds[0]
        place = (seconds - first) * base + fields[:, 3]  # with its fraction: a clock that drifts leaves nothing out
        if dropping:  # two numbers are left out at the start of each minute that is no tenth one, four at 60
            place = place - 2 * round(base / 30) * (minutes - minutes // 10 - (minutes[0] - minutes[0] // 10))
        if times == 1:
            step = np.rint(np.diff(place) / stride).astype(np.int64)
            out.gaps(np.concatenate([[0], np.cumsum(step)]), "the time codes")
    if dropping and base in (30, 60):
        out.fps = out.fps * 1000 / 1001
        out.notes.append(f"drop-frame time codes: {out.fps:.5g} fps")
    elif base in (24, 30, 60):
        out.notes.append(f"time codes of {out.fps:g} fps; where the recording ran at {out.fps / 1.001:.5g}, say so with --fps")
    return out


def _drops(minutes: np.ndarray, seconds: np.ndarray, counts: np.ndarray, base: int, stride: int) -> bool:
    """Whether each new minute but every tenth begins at frame 2 (of 30; 4 of 60), right after the last of the one before."""
    new = np.flatnonzero((np.diff(minutes) == 1) & (minutes[1:] % 10 != 0) & (np.diff(seconds) == 1))
    left = 2 * round(base / 30)
    return bool(left and base in (30, 60) and len(new) and (counts[new + 1] >= left).all()
                and (counts[new + 1] < left + stride).all()
                and (counts[new] >= base - stride).all())


def of_seconds(seconds: np.ndarray, what: str = "the times") -> Timing:
    """Timing of times in seconds (T,): even ones give the rate exactly, uneven ones their usual step and gaps."""
    out = Timing()
    finite = np.isfinite(seconds)
    if finite.sum() < 2:
        return out
    if not finite.all():
        out.warnings.append(f"{int((~finite).sum())} rows have no time; they are taken to follow the row before")
        index = np.arange(len(seconds))
        usual = np.median(np.diff(seconds[finite]) / np.diff(index[finite]))
        seconds = np.where(finite, seconds, np.interp(index, index[finite], seconds[finite]))
        seconds[: finite.argmax()] = seconds[finite.argmax()] - usual * np.arange(finite.argmax(), 0, -1)
    step = np.diff(seconds)
    forward = step[step > 0]
    if not len(forward):
        out.warnings.append(f"{what} do not move forward; they are not used")
        return out
    usual = float(np.median(forward))
    if (step <= 0).any() or step.max() > _GAP * usual:
        even = np.abs(forward - usual) <= 0.25 * usual
        if even.mean() < 0.5:
            rate = len(step) / max(float(seconds[-1] - seconds[0]), 1e-9)
            out.warnings.append(f"{what} are uneven; the rows are taken as even at their average of {rate:.4g} fps")
        else:
            rate = _nearest(1 / float(np.mean(forward[even])), 2e-3)
            out.gaps(np.concatenate([[0], np.cumsum(np.rint(np.clip(step * rate, -1e9, 1e9)).astype(np.int64))]), what)
    else:
        long = float(seconds[-1] - seconds[0])
        digits = float(np.max(np.abs(step - usual)))  # how finely the times are written
        rate = _nearest(len(step) / long, max(2e-4, min(digits / long * 1.5, 0.02)))
    if 1 <= rate <= 1000:
        out.fps = rate
    else:
        out.warnings.append(f"{what} would make {rate:.4g} fps, which is not possible; they are not used")
        out.at = None
    return out


def of_columns(columns: Mapping[str, np.ndarray]) -> Timing:
    """Timing by the first column that is named like times, with its gaps, or the gaps of frame numbers; empty without either."""
    plain = {re.sub(r"[^a-z]", "", name.lower()): column for name, column in columns.items()}
    for name, column in plain.items():
        if name in _NAMED and column.ndim == 1 and np.isfinite(column).any():
            scale = next((u for end, u in _UNITS.items() if name.endswith(end)), None)
            note = ""
            if scale is None:
                step = np.diff(column[np.isfinite(column)])
                usual = float(np.median(step[step > 0])) if (step > 0).any() else 0.0
                scale = 1.0 if usual < 2 else 1e-3 if usual < 2e3 else 1e-6 if usual < 2e6 else 1e-9
                if scale != 1.0:
                    unit = {1e-3: "milli", 1e-6: "micro"}.get(scale, "nano") + "seconds"
                    note = f"the times step by {usual:g}, so they are read as {unit}"
            out = of_seconds(column * scale)
            if out.fps is not None or out.warnings:
                out.notes += [note] if note else []
                return out
    unread = [n for n in columns if re.sub(r"[^a-z]", "", n.lower()) in _NAMED and not np.isfinite(columns[n]).any()]
    for name, column in plain.items():
        if name in _FRAME_NAMES and column.ndim == 1 and len(column) > 1 and np.isfinite(column).all():
            out = Timing()
            out.gaps(np.rint(column - column[0]).astype(np.int64), "the frame numbers")
            return _also_unread(out, unread)
    return _also_unread(Timing(), unread)


def _also_unread(out: Timing, names: list[str]) -> Timing:
    if names:
        out.warnings.append(f"the times of column {names[0][:40]} cannot be read; needed: numbers, or a clock as 00:01:02.500")
    return out


def is_time(name: str) -> bool:
    """Whether a column is named like times or frame numbers."""
    return re.sub(r"[^a-z]", "", name.lower()) in _NAMED | _FRAME_NAMES


def _nearest(rate: float, tolerance: float) -> float:
    """A usual or whole rate that lies within a relative tolerance, else the rate itself."""
    near = min((*USUAL_RATES, float(max(round(rate), 1))), key=lambda r: abs(r - rate))
    return near if abs(near - rate) <= tolerance * near else round(rate, 4)


def _most(values: np.ndarray) -> int:
    """The value that comes most often; 0 without any."""
    if not len(values):
        return 0
    found, count = np.unique(values, return_counts=True)
    return int(found[count.argmax()])
