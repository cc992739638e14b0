"""Real faces: what is measured on annotated footage against what was seen in it, and whether a clip survives being told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....common.progress import Progress, silent
from ....face.facs.measure import measure
from ....face.facs.measured import Measurement
from ....face.head.model import HeadModel
from ...metrics import Counts
from ...seeing.annotations import annotated_clips
from ...seeing.footage import known_footage, measured
from ...seeing.score import Score, claims_of, felt_times, score_clip, total
from ..report.figures import Column, Row, Sheet, figure_of, ratio_of, rows_of
from ..systems import System

COLUMNS = (Column("events found"), Column("claims true"), Column("F1"), Column("emotion, seconds told right"),
           Column("self-consistency, F1"))


@dataclass(frozen=True)
class Footage:
    """Where annotated clips lie, and where their fits are kept."""

    paths: tuple[Path, ...]
    fits: Path
    split: str = "judge"


def sheet(footage: Footage, head: HeadModel, command: str, describe: Callable[[Measurement], str] | None = None,
          system: System | None = None, progress: Progress = silent) -> Sheet:
    """Measure the footage, score it, and perform what is told of it.

    Args:
        footage: the annotated clips that are there.
        head: the head that is fitted.
        command: prints the row again.
        describe, system: with both, self-consistency: the actions measured in a fit against those measured after they were
            told and performed again.
        progress: called with (done, of, what).

    Raises:
        FileNotFoundError: none of the clips is there.
    """
    clips = annotated_clips(footage.split)
    paths = known_footage(footage.paths, {c.sha256 for c in clips})
    there = [c for c in clips if c.sha256 in paths]
    scores: list[Score] = []
    felt: list[tuple[float, float]] = []
    again: list[Counts] = []
    for k, clip in enumerate(there):
        found = measured(clip, paths[clip.sha256], head, footage.fits)
        scores.append(total(score_clip(clip, claims_of(found.everything))))
        times = felt_times(clip, found.emotion.timeline)
        felt.append((sum(s for (true, said), s in times.items() if true == said), sum(times.values())))
        if describe and system:
            again.append(told_again(found, describe, system, head))
        progress(k + 1, len(there), "real faces")
    figures = {"events found": ratio_of([(s.found, s.events) for s in scores]),
               "claims true": ratio_of([(s.true, s.claims) for s in scores]), "F1": _f1(scores),
               "emotion, seconds told right": ratio_of(felt),
               "self-consistency, F1": figure_of(_table(again), lambda t: Counts(*map(int, t.sum(0))).f1) if again else None}
    missing = len(clips) - len(there)
    return Sheet("faces", "Real faces", COLUMNS, (Row("measurement", rows_of(figures), command,
                 notes=(f"{missing} annotated clips are not there",) if missing else ()),),
                 f"{len(there)} annotated clips; intervals over clips.")


def told_again(found: Measurement, describe: Callable[[Measurement], str], system: System, head: HeadModel) -> Counts:
    """Actions of a measurement against those of the clip that is performed from its description."""
    before = {a.name for a in found.actions}
    try:
        clip, = system.perform([describe(found)], [None], 0)
    except ValueError:
        return Counts(0, len(before), 0)
    after = {a.name for a in measure(clip, head).actions}
    return Counts(len(before & after), len(before - after), len(after - before))


def _table(counts: Sequence[Counts]) -> Any:
    import numpy as np

    return np.array([(c.hits, c.missed, c.invented) for c in counts])


def _f1(scores: Sequence[Score]) -> Any:
    import numpy as np

    rows = np.array([(s.found, s.events, s.true, s.claims) for s in scores], np.float64)

    def f1(t: Any) -> float:
        found, events, true, claims = t.sum(0)
        recall, precision = found / max(events, 1), true / max(claims, 1)
        return float(2 * recall * precision / max(recall + precision, 1e-12))

    return figure_of(rows, f1)
