"""How faces move in time: the procedural animator, and clips from elsewhere, beside what recordings show.

The recorded figures are the quartiles of 627 s of ARKit takes (15 takes of at least four people, 60 frames a second; mostly
posed or acted, speech and expression mixed) or come from the literature; ``data_gen/performer/dynamics.py`` has the sources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from ..data_gen.performer.animator import FPS, perform
from ..data_gen.performer.layout import lay_out
from ..data_gen.performer.sampler import FELT
from ..face.clip.channels import EXPR_NAMES
from ..face.clip.sequence import FaceSequence
from ..face.clip.trajectory import state
from ..face.facs.script import Cue, Script
from ..face.facs.signals import Signals, signals_of
from ..face.facs.timeline import find_segments, turning_points
from ..face.facs.vocabulary import ACTIONS, DIRECTIONS
from ..face.head.model import HeadModel
from .report import Row, Tables

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
Values = NDArray[np.float64]


@dataclass
class _Found:
    """Everything measured in a set of clips, by quantity."""

    values: dict[str, list[float]] = field(default_factory=dict)
    pairs: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Peak velocity and amplitude."""
    nods: list[list[float]] = field(default_factory=list)

    def add(self, key: str, value: float) -> None:
        self.values.setdefault(key, []).append(value)


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


def _events(found: _Found, signals: Signals) -> None:
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


def _clip(found: _Found, clip: FaceSequence) -> None:
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


def _nods(found: _Found, signals: Signals) -> None:
    """Amplitudes of a series of nods."""
    pitch = signals.head[:, 0]
    tops = [float(pitch[i]) for i in turning_points(pitch, 3.0) if pitch[i] > 2.0]
    if len(tops) > 1:
        found.nods.append(tops)


def _performed(clips: int, seed: int, fps: float, head: HeadModel) -> _Found:
    """The animator's clips: blinks, smiles, brows and nods alone at all strengths, and scripts of one to three cues."""
    rng = np.random.default_rng(seed)
    found = _Found()

    def each(cues: Callable[[], tuple[Cue, ...]]) -> Iterable[FaceSequence]:
        for i in range(clips):
            yield perform(lay_out(Script(cues()), i), head, fps=fps)

    strength = lambda: float(rng.uniform(0.35, 1.0))  # noqa: E731
    for make in (lambda: (Cue("blink", count=int(rng.integers(1, 4))),), lambda: (Cue("smile", strength=strength()),),
                 lambda: (Cue("inner_brow_raise", strength=strength()),)):
        for clip in each(make):
            _events(found, signals_of(clip, head))
    for clip in each(lambda: (Cue("nod", count=4, strength=float(rng.uniform(0.5, 1.0))),)):
        _nods(found, signals_of(clip, head))
    names = [n for n in (*ACTIONS, *FELT) if n.rpartition("_")[0] not in DIRECTIONS]
    for clip in each(lambda: tuple(Cue(str(n)) for n in rng.choice(names, int(rng.integers(1, 4)), replace=False))):
        _clip(found, clip)
    return found


def _given(folder: Path, head: HeadModel) -> _Found:
    """Clips of a folder."""
    found = _Found()
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise ValueError(f"{folder} has no clips; it should hold .npz files as facelm generate writes them")
    for file in files:
        clip = FaceSequence.load(file)
        signals = signals_of(clip, head)
        _events(found, signals)
        _nods(found, signals)
        _clip(found, clip)
    return found


def _cell(found: _Found, key: str) -> str:
    """A quantity as text: median and quartiles, a correlation, ratios or a share."""
    if key in found.pairs:
        pairs = np.array(found.pairs[key])
        return f"{np.corrcoef(pairs.T)[0, 1]:.2f} (n = {len(pairs)})" if len(pairs) > 2 else "-"
    if key.startswith("nod"):
        if not found.nods:
            return "-"
        most = max(set(map(len, found.nods)), key=[len(n) for n in found.nods].count)
        rows = np.array([n for n in found.nods if len(n) == most])
        return " ".join(f"{v:.2f}" for v in np.median(rows / rows[:, :1], axis=0)) + f" (n = {len(rows)})"
    values = found.values.get(key)
    if not values:
        return "-"
    if key.startswith("clips"):
        return f"{100 * np.mean(values):.0f} % (n = {len(values)})"
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    digits = 5 if "SD" in key else 3
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f}; n = {len(values)})"


def kinematics(clips: int = 100, seed: int = 0, folder: Path | None = None) -> Tables:
    """Compare the timing and velocity of movements with recorded figures.

    Parameters
    ----------
    clips
        Performances of each kind.
    seed
        Of what is drawn.
    folder
        Generated clips (.npz of the default head) to compare as well.
    """
    head = HeadModel.default()
    sets = {"animator, 60 fps": _performed(clips, seed, 60.0, head), f"animator, {FPS:g} fps": _performed(clips, seed, FPS, head)}
    if folder is not None:
        sets[folder.name] = _given(folder, head)
    rows: list[Row] = [{"quantity": key, "recorded": told, **{name: _cell(found, key) for name, found in sets.items()}}
                       for key, told in RECORDED.items()]
    return {"kinematics: median (quartiles)": rows}
