"""The procedural animator, and clips from elsewhere, beside what recordings show (``eval/bench/parts/kinematics.py``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from ..data_gen.performer.animator import FPS, perform
from ..data_gen.performer.layout import lay_out
from ..data_gen.performer.sampler import FELT
from ..eval.bench.parts.kinematics import RECORDED, Found
from ..face.clip.sequence import FaceSequence
from ..face.facs.script import Cue, Script
from ..face.facs.signals import signals_of
from ..face.facs.vocabulary import ACTIONS, DIRECTIONS
from ..face.head.model import HeadModel
from .report import Row, Tables


def _performed(clips: int, seed: int, fps: float, head: HeadModel) -> Found:
    """The animator's clips: blinks, smiles, brows and nods alone at all strengths, and scripts of one to three cues."""
    rng = np.random.default_rng(seed)
    found = Found()

    def each(cues: Callable[[], tuple[Cue, ...]]) -> Iterable[FaceSequence]:
        for i in range(clips):
            yield perform(lay_out(Script(cues()), i), head, fps=fps)

    strength = lambda: float(rng.uniform(0.35, 1.0))  # noqa: E731
    for make in (lambda: (Cue("blink", count=int(rng.integers(1, 4))),), lambda: (Cue("smile", strength=strength()),),
                 lambda: (Cue("inner_brow_raise", strength=strength()),)):
        for clip in each(make):
            found.events(signals_of(clip, head))
    for clip in each(lambda: (Cue("nod", count=4, strength=float(rng.uniform(0.5, 1.0))),)):
        found.nodding(signals_of(clip, head))
    names = [n for n in (*ACTIONS, *FELT) if n.rpartition("_")[0] not in DIRECTIONS]
    for clip in each(lambda: tuple(Cue(str(n)) for n in rng.choice(names, int(rng.integers(1, 4)), replace=False))):
        found.whole(clip)
    return found


def _given(folder: Path, head: HeadModel) -> Found:
    """Clips of a folder."""
    found = Found()
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise ValueError(f"{folder} has no clips; it should hold .npz files as facelm generate writes them")
    for file in files:
        found.all(FaceSequence.load(file), head)
    return found


def _cell(found: Found, key: str) -> str:
    """A quantity as text: median and quartiles, a correlation, ratios or a share."""
    if key in found.pairs:
        pairs = np.array(found.pairs[key])
        return f"{np.corrcoef(pairs.T)[0, 1]:.2f} (n = {len(pairs)})" if len(pairs) > 2 else "-"
    if key.startswith("nod"):
        if not found.nods:
            return "-"
        rows = found.series()
        return " ".join(f"{v:.2f}" for v in np.median(rows, axis=0)) + f" (n = {len(rows)})"
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
