"""How faces move in time: clips of any source beside what recordings show.

The recorded figures are the quartiles of 627 s of ARKit takes (15 takes of at least four people, 60 frames a second; mostly
posed or acted, speech and expression mixed) or come from the literature; ``data_gen/performer/dynamics.py`` has the sources.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from ....common.progress import Progress, silent
from ....data_gen.performer.layout import lay_out
from ....face.clip.channels import EXPR_NAMES
from ....face.clip.sequence import FaceSequence
from ....face.clip.trajectory import state
from ....face.facs.schedule import Schedule
from ....face.facs.script import Cue, Script
from ....face.facs.signals import Signals, signals_of
from ....face.facs.timeline import find_segments, turning_points
from ....face.head.model import HeadModel
from ..report.figures import Column, Figure, Row, Sheet, figure_of, mean_of, rows_of
from ..systems import System

RECORDED: dict[str, str] = {
    "blink: closing, s": "0.067 (0.067-0.083); 0.066-0.078 by search coil",
    "blink: opening, s": "0.117 (0.100-0.183)",
    "blink: opening / closing": "1.7-1.9 (closing 40-47 % faster)",
    "smile: onset, s": "0.37 (0.18-0.88)",
    "smile: offset, s": "0.28 (0.15-1.08)",
    "smile: peak velocity and amplitude, r": "0.44",
    "inner brow raise: peak velocity and amplitude, r": "0.69",
    "nod: each amplitude / the first": "declines; the last below the trend",
    "SD above 5 Hz at rest or held": "0.0005 (smile 0.0014, jaw 0.0009)",
    "clips that end in mid-movement": "-",
}
"""Quantity -> median and quartiles of the recordings, or the literature's."""
_QUIET = [i for i, n in enumerate(EXPR_NAMES) if n.startswith(("mouth", "brow"))]
_STILL, _MARGIN = 0.25, 0.2
"""Movement below this share of full scale a second is none; seconds around one that are left out."""
Values = NDArray[np.float32]


@dataclass
class Found:
    """Everything measured in a set of clips, by quantity."""

    values: dict[str, list[float]] = field(default_factory=dict)
    pairs: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Peak velocity and amplitude."""
    nods: list[list[float]] = field(default_factory=list)

    def add(self, key: str, value: float) -> None:
        """One more value of a quantity."""
        self.values.setdefault(key, []).append(value)

    def events(self, signals: Signals) -> None:
        """Durations and velocities of a clip's blinks, smiles and brows."""
        _events(self, signals)

    def nodding(self, signals: Signals) -> None:
        """Amplitudes of a clip's series of nods."""
        _nods(self, signals)

    def whole(self, clip: FaceSequence) -> None:
        """Noise and the end of a clip."""
        _clip(self, clip)

    def all(self, clip: FaceSequence, head: HeadModel) -> None:
        """All of a clip."""
        signals = signals_of(clip, head)
        self.events(signals)
        self.nodding(signals)
        self.whole(clip)

    def series(self) -> NDArray[np.float64]:
        """``(N, n)`` amplitudes of the most frequent number of nods, each as a share of the first of its series."""
        if not self.nods:
            return np.zeros((0, 0))
        most = max(set(map(len, self.nods)), key=[len(n) for n in self.nods].count)
        rows = np.array([n for n in self.nods if len(n) == most])
        return np.asarray(rows / rows[:, :1])


def _phases(signal: Values, fps: float, on: float) -> list[tuple[float, float, float, float]]:
    """Onset, apex, offset durations (s) and peak of every event that begins and ends within the clip."""
    out = []
    back = find_segments(np.ascontiguousarray(signal[::-1]), fps, on, 0.13)
    for s in find_segments(signal, fps, on, 0.13):
        mirrored = next((b for b in back if b.start == len(signal) - s.stop), None)
        if s.start > 0 and s.stop < len(signal) and mirrored is not None:
            leaves = (len(signal) - 1) / fps - mirrored.apex
            out.append((s.apex - s.onset, max(leaves - s.apex, 0.0), s.offset - leaves, s.peak))
    return out


def _events(found: Found, signals: Signals) -> None:
    """Durations and velocities of blinks, smiles and brows."""
    intensity, fps = signals.intensity, signals.fps
    for closing, _, opening, peak in _phases(intensity["closure"], fps, 0.5):
        if peak > 0.7 and closing + opening < 0.5:
            found.add("blink: closing, s", closing)
            found.add("blink: opening, s", opening)
            found.add("blink: opening / closing", opening / max(closing, 1.0 / fps))
    for name, key in (("smile", "smile"), ("inner_brow_raise", "inner brow raise")):
        speed = np.gradient(intensity[name]) * fps
        for s in find_segments(intensity[name], fps, 0.24, 0.13):
            if s.start > 0:
                found.pairs.setdefault(f"{key}: peak velocity and amplitude, r", []).append(
                    (float(speed[max(s.start - 5, 0):s.stop].max()), s.peak))
        if name == "smile":
            for onset, _, offset, _ in _phases(intensity[name], fps, 0.24):
                found.add("smile: onset, s", onset)
                found.add("smile: offset, s", offset)


def _clip(found: Found, clip: FaceSequence) -> None:
    """Noise and the end of a clip."""
    quiet = clip.expr[:, _QUIET].astype(np.float64)
    x = state(clip)
    fps = clip.fps
    moving = np.abs(np.gradient(quiet, axis=0)).max(axis=1) * fps > _STILL
    width = round(_MARGIN * fps)
    near = np.convolve(moving, np.ones(2 * width + 1), "same") > 0
    if len(clip) > 2 * width and fps > 10.0 and (~near).sum() > width:
        high = sosfiltfilt(butter(4, 5.0, "highpass", fs=fps, output="sos"), quiet, axis=0, padlen=min(27, len(clip) - 1))
        found.add("SD above 5 Hz at rest or held", float(high[~near].std(axis=0).max()))
    last = max(round(0.08 * fps), 1)
    found.add("clips that end in mid-movement", float(np.abs(x[-1] - x[-1 - last]).max() > 0.04))


def _nods(found: Found, signals: Signals) -> None:
    """Amplitudes of a series of nods."""
    pitch = signals.head[:, 0]
    tops = [float(pitch[i]) for i in turning_points(pitch, 3.0) if pitch[i] > 2.0]
    if len(tops) > 1:
        found.nods.append(tops)

# -- the benchmark's table ------------------------------------------------------------------
TEXTS = {"blink": ("She blinks {}.", ("once", "twice", "three times")),
         "smile": ("He smiles {}.", ("slightly", "a little", "clearly", "broadly", "as broadly as possible")),
         "inner brow raise": ("She raises her inner brows {}.", ("slightly", "a little", "clearly", "strongly")),
         "nod": ("He nods four times{}.", ("", " clearly", " strongly"))}
"""Prompts of movements alone, at several strengths."""
_SCRIPTS = {"blink": ("blink", (1, 2, 3)), "smile": ("smile", (0.3, 0.4, 0.7, 0.9, 1.0)),
            "inner brow raise": ("inner_brow_raise", (0.3, 0.4, 0.7, 0.9)), "nod": ("nod", (0.7, 0.7, 0.95))}
COLUMNS = tuple(Column(name, "") for name in RECORDED if not name.startswith("nod")) + (Column("last nod / the first", ""),)
_RECORDED = {"blink: closing, s": (0.067, 0.067, 0.083), "blink: opening, s": (0.117, 0.1, 0.183),
             "blink: opening / closing": (1.8, 1.7, 1.9), "smile: onset, s": (0.37, 0.18, 0.88),
             "smile: offset, s": (0.28, 0.15, 1.08),
             "SD above 5 Hz at rest or held": (0.0005, 0.0005, 0.0014)}


def prompts(count: int) -> list[tuple[str, Script]]:
    """``count`` prompts of each movement, with the scripts that they say."""
    out = []
    for name, (text, ways) in TEXTS.items():
        cue, values = _SCRIPTS[name]
        for k in range(count):
            value = values[k % len(values)]
            made = Cue(cue, count=int(value)) if name == "blink" else Cue(cue, strength=value, count=4 if name == "nod" else None)
            out.append((text.format(ways[k % len(ways)]), Script((made,))))
    return out


def scheduled(count: int) -> list[tuple[str, Schedule]]:
    """The same with the schedules of their scripts, once for each text."""
    return [(text, lay_out(script)) for text, script in dict(prompts(count)).items()]


def sheet(systems: Sequence[System], count: int, seed: int, head: HeadModel, command: Callable[[str], str],
          progress: Progress = silent) -> Sheet:
    """How each system's blinks, smiles, brows and nods move, beside recordings (their quartiles in brackets).

    Args:
        systems: what performs.
        count: prompts of each movement.
        seed: of the performances.
        head: the head.
        command: prints a system's row again.
        progress: called with (done, of, what).
    """
    texts = [t for t, _ in prompts(count)]
    rows = [Row("recorded faces", {k: Figure(*v) for k, v in _RECORDED.items()} | {
        "smile: peak velocity and amplitude, r": Figure(0.44, n=61),
        "inner brow raise: peak velocity and amplitude, r": Figure(0.69, n=37)})]
    for k, system in enumerate(systems):
        found = Found()
        for low in range(0, len(texts), 8):
            part = texts[low:low + 8]
            for clip in system.perform(part, [None] * len(part), seed + low):
                found.all(clip, head)
        rows.append(Row(system.name, figures(found), command(system.name), seed))
        progress(k + 1, len(systems), "kinematics")
    return Sheet("kinematics", "How movements go: kinematics beside recorded faces", COLUMNS, tuple(rows),
                 f"Medians over {count} prompts of each movement; brackets: 95 % intervals, of recordings the quartiles.")


def figures(found: Found) -> dict[str, Figure]:
    """What was found, by column."""
    out: dict[str, Figure | None] = {k: figure_of(np.array(v), lambda r: float(np.median(r))) for k, v in found.values.items()}
    out["clips that end in mid-movement"] = mean_of(found.values.get("clips that end in mid-movement", []))
    for key, pairs in found.pairs.items():
        if len(pairs) > 4 and np.ptp(np.array(pairs), axis=0).min() > 1e-6:
            out[key] = figure_of(np.array(pairs), _correlation)
    series = found.series()
    if series.size:
        out["last nod / the first"] = figure_of(series[:, -1], lambda r: float(np.median(r)))
    return rows_of(out)


def _correlation(pairs: NDArray[np.floating]) -> float:
    return float(np.corrcoef(pairs.T)[0, 1]) if np.ptp(pairs, axis=0).min() > 1e-9 else 0.0
