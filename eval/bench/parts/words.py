"""Words to motion: every system performs the same texts; geometry first, then the field's learned scores."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....common.files import digest
from ....common.progress import Progress, silent
from ....common.store import Journal
from ....face.clip.sequence import FaceSequence
from ...features.scores import frechet, kernel_distance, match_ranks, matched_distances, pair_distances, spread
from ...metrics import Counts
from ..cases import Case
from ..report.figures import Column, Figure, Floats, Row, Sheet, figure_of, mean_of, ratio_of, rows_of
from ..report.page import clip_path
from ..systems import System
from .clips import FACTS, Judge

BATCH = 8
TIMES = 3
"""How often a text is performed for multimodality."""
FID_ROUNDS = 100
LEAST = 32
"""Clips below which there are no learned scores."""
COLUMNS = (
    Column("wholly right"), Column("facts"), *(Column(f) for f in FACTS), Column("F1"),
    Column("FID", "less", 4), Column("KID", "less", 4), Column("R-precision@1"), Column("R-precision@2"), Column("R-precision@3"),
    Column("multimodal distance", "less"), Column("diversity", ""), Column("multimodality", ""),
    Column("lips into each other, mm", "less"), Column("lids into the eyes, mm", "less"), Column("refused", "less"))


@dataclass(frozen=True)
class Asked:
    """One part's work: cases, seeds, and where results are kept."""

    title: str
    cases: Sequence[Case]
    seed: int
    varied: int = 0
    journal: Journal | None = None
    clips: Path | None = None
    """Folder of the clips that the page shows."""
    shown: frozenset[int] = frozenset()
    """Cases whose clips are kept there."""

    @property
    def jobs(self) -> list[tuple[int, int]]:
        """(case, seed) of every performance; the first of each case comes first."""
        first = [(i, self.seed + i) for i in range(len(self.cases))]
        again = range(min(self.varied, len(self.cases)))
        return first + [(i, self.seed + 100_000 * k + i) for k in range(1, TIMES) for i in again]


def perform_all(system: System, asked: Asked, judge: Judge, key: str, progress: Progress = silent) -> list[dict[str, Any]]:
    """A row for each of ``asked.jobs``; rows of an earlier run with the same key are taken from the journal.

    Args:
        system: what performs.
        asked: what is performed.
        judge: what scores.
        key: a digest of the system, so that another one's rows are not taken for its own.
        progress: called with (done, of).
    """
    jobs = asked.jobs
    keys = [digest([key, system.name, asked.cases[i].key, seed]) for i, seed in jobs]
    kept = {r["key"]: r["row"] for r in (asked.journal.rows() if asked.journal else []) if "row" in r}
    missing = [k for k, name in enumerate(keys) if name not in kept]
    for run in _runs(missing, jobs):
        cases = [asked.cases[jobs[k][0]] for k in run]
        started = time.perf_counter()
        made = _perform(system, cases, jobs[run[0]][1])
        spent = (time.perf_counter() - started) / len(run)
        for k, case, clip in zip(run, cases, made, strict=True):
            row = judge.refusal(case, str(clip)) if isinstance(clip, Exception) else judge.score(case, clip, spent)
            at = jobs[k][0]
            if asked.clips and k == at and at in asked.shown and isinstance(clip, FaceSequence):
                path = clip_path(asked.clips, asked.title, system.name, at)
                path.parent.mkdir(parents=True, exist_ok=True)
                clip.save(path)
            kept[keys[k]] = row
            if asked.journal:
                asked.journal.add({"key": keys[k], "row": row})
        progress(sum(n in kept for n in keys), len(keys), f"{asked.title}: {system.name}")
    return [kept[name] for name in keys]


def _runs(at: Sequence[int], jobs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Batches of jobs whose seeds follow each other: a system gives each text the next seed."""
    out: list[list[int]] = []
    for k in at:
        if out and len(out[-1]) < BATCH and jobs[k][1] == jobs[out[-1][-1]][1] + 1:
            out[-1].append(k)
        else:
            out.append([k])
    return out


def _perform(system: System, cases: Sequence[Case], seed: int) -> list[FaceSequence | Exception]:
    """Clips; where a batch is refused, each text alone, with the refusals in their places."""
    try:
        clips = system.perform([c.text for c in cases], [c.seconds for c in cases], seed)
    except ValueError as err:
        return [err] if len(cases) == 1 else [_perform(system, [c], seed + i)[0] for i, c in enumerate(cases)]
    if len(clips) != len(cases):
        raise ValueError(f"{system.name} gave {len(clips)} clips for {len(cases)} texts")
    return list(clips)


# -- figures ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Beside:
    """What the learned scores compare with: features of the texts and of the true clips."""

    texts: Floats
    truth: Floats
    meanings: Sequence[str]


def figures(rows: Sequence[Mapping[str, Any]], asked: Asked, beside: Beside) -> dict[str, Figure]:
    """One system's figures of the rows of :func:`perform_all`."""
    first = rows[:len(asked.cases)]
    totals = {f: [tuple(r["facts"].get(f, (0, 0))) for r in first] for f in FACTS}
    out: dict[str, Figure | None] = {
        "wholly right": mean_of([r["ok"] for r in first]),
        "facts": ratio_of([(sum(a for a, _ in r["facts"].values()), sum(b for _, b in r["facts"].values())) for r in first]),
        **{f: ratio_of([(float(a), float(b)) for a, b in pairs]) for f, pairs in totals.items()},
        "F1": figure_of(np.array([r["counts"] for r in first]), lambda t: Counts(*map(int, t.sum(0))).f1),
        "refused": mean_of([r["refused"] is not None for r in first])}
    made = [i for i, r in enumerate(first) if r["refused"] is None]
    out |= {"lips into each other, mm": mean_of([first[i]["lips"] for i in made]),
            "lids into the eyes, mm": mean_of([first[i]["lids"] for i in made])}
    if len(made) >= LEAST:
        out |= _learned(np.array([first[i]["feature"] for i in made]), made, beside)
    several = _several(rows, asked)
    if several is not None:
        out["multimodality"] = mean_of(spread(several).tolist())
    return rows_of(out)


def _learned(features: Floats, made: Sequence[int], beside: Beside) -> dict[str, Figure | None]:
    texts, truth = beside.texts[list(made)], beside.truth
    out: dict[str, Figure | None] = {
        "FID": figure_of(features, lambda f: frechet(f, truth), rounds=FID_ROUNDS, biased=True),
        "KID": figure_of(features, lambda f: kernel_distance(f, truth), rounds=FID_ROUNDS, biased=True),
        "multimodal distance": mean_of(matched_distances(texts, features).tolist()),
        "diversity": mean_of(pair_distances(features).tolist())}
    try:
        ranks = match_ranks(texts, features, [beside.meanings[i] for i in made])
    except ValueError:  # fewer different texts than a pool has
        return out
    return out | {f"R-precision@{k}": mean_of((ranks < k).tolist()) for k in (1, 2, 3)}


def _several(rows: Sequence[Mapping[str, Any]], asked: Asked) -> Floats | None:
    """``(texts, TIMES, D)`` features of the texts that were performed several times and never refused."""
    jobs = asked.jobs
    by_case: dict[int, list[Any]] = {}
    for (i, _), row in zip(jobs, rows, strict=True):
        if i < asked.varied and row["refused"] is None:
            by_case.setdefault(i, []).append(row["feature"])
    whole = [f for f in by_case.values() if len(f) == TIMES]
    return np.array(whole) if whole else None


def sheet(asked: Asked, found: Mapping[str, Sequence[Mapping[str, Any]]], beside: Beside, command: Callable[[str], str],
          about: str) -> list[Sheet]:
    """The part's table of all figures, and that of what is wholly right by kind of prompt.

    Args:
        asked: the part.
        found: rows by system.
        beside: what the learned scores compare with.
        command: prints a system's row again.
        about: what is measured, in a sentence.
    """
    rows = tuple(Row(name, figures(r, asked, beside), command(name), asked.seed) for name, r in found.items())
    confused = {name: confusion(r[:len(asked.cases)]) for name, r in found.items()}
    out = [Sheet(f"words: {asked.title}", f"Words to motion: {asked.title}", COLUMNS, rows, about, {"confusion": confused})]
    kinds = list(dict.fromkeys(c.kind for c in asked.cases))
    if len(kinds) > 1:
        by_kind = tuple(Row(name, rows_of({k: mean_of([x["ok"] for x in r[:len(asked.cases)] if x["kind"] == k]) for k in kinds}),
                            command(name), asked.seed) for name, r in found.items())
        out.append(Sheet(f"kinds: {asked.title}", f"Wholly right by kind: {asked.title}",
                         tuple(Column(k, digits=2) for k in kinds), by_kind))
    return out


def confusion(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """For each action that was asked for: how often it was found, and what was there in its place when it was missing.

    The entry ``nothing`` counts clips in which it is missing and nothing foreign is there.
    """
    out: dict[str, dict[str, int]] = {}
    for row in rows:
        asked, found = set(row["asked"]), set(row["found"])
        foreign = found - asked - set(row.get("allowed", ())) - {"blink"}
        for name in sorted(asked):
            seen = out.setdefault(name, {})
            for other in ([name] if name in found else sorted(foreign) or ["nothing"]):
                seen[other] = seen.get(other, 0) + 1
    return out
