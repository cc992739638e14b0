"""How well real video would be fitted, measured where the truth is known: filmed performances."""

from __future__ import annotations

import json
import operator
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from ...data_gen.fit.config import FitConfig
from ...data_gen.fit.detect import Detections, detect
from ...data_gen.fit.fit import fit_detections
from ...data_gen.performer.sampler import NAMES, sample_script
from ...data_gen.video.footage import Footage, FootageConfig, film, load_footage, sidecar_path, truth_path
from ...face.clip.canonical import canonical
from ...face.clip.sequence import FaceSequence
from ...face.facs.measure import measure
from ...face.facs.measured import Measurement
from ...face.facs.schedule import Schedule
from ...face.facs.vocabulary import ACTIONS
from ...face.head.model import HeadModel
from ...face.io.media import probe
from ...face.landmarks.points import embedding_for
from ..report import Row, Tables
from .scores import ActionMatch, channel_gains, geometry, grouped, match_actions
from .truth import truth_detections

GATES: dict[str, tuple[str, float]] = {
    "expression F1": (">=", 0.85), "rotation": ("<=", 2.0), "lips": ("<=", 2.5), "lids": ("<=", 1.5),
}
"""F1, degrees and mm that a condition should reach."""
_SEED = 7000
_LENGTH = (2.8, 4.4)
"""Seconds of a clip."""


# -- clips ------------------------------------------------------------------------------
def script_of(index: int) -> Schedule:
    """The performance of clip ``index``: every action and emotion in turn begins one, the rest is sampled."""
    rng = np.random.default_rng([_SEED, index])
    while True:
        script = sample_script(rng, required=(NAMES[(index * 11) % len(NAMES)],))  # 11: every name, neighbours differ
        if _LENGTH[0] <= script.seconds <= _LENGTH[1]:
            return script


def _film(job: tuple[int, int, str]) -> str:
    index, size, folder = job
    path = Path(folder) / f"clip{index:03d}.mp4"
    config, script = FootageConfig(size=size), script_of(index)
    wanted = json.loads(json.dumps({"config": asdict(config), "script": json.loads(script.to_json())}))
    try:
        row = json.loads(sidecar_path(path).read_text(encoding="utf-8"))
        if {k: row[k] for k in wanted} == wanted and path.is_file() and truth_path(path).is_file():
            return str(path)
    except (OSError, ValueError, KeyError):
        pass  # not there, or of an earlier version: film it again
    path.with_suffix(".seen.npz").unlink(missing_ok=True)
    film(script, path, config, seed=_SEED + index)
    return str(path)


def _clips(count: int, size: int, folder: Path, workers: int) -> list[Footage]:
    """The benchmark's clips, filmed where they are missing."""
    folder = folder / str(size)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(i, size, str(folder)) for i in range(count)]
    with ProcessPoolExecutor(workers) as pool:
        return [load_footage(p) for p in tqdm(pool.map(_film, jobs), total=count, desc="film", file=sys.stderr)]


def _detected(footage: Footage, again: bool) -> Detections | None:
    """The detector's landmarks of a clip; None when it finds no face in it."""
    stored = footage.path.with_suffix(".seen.npz")
    if again or not stored.is_file():
        try:
            detect(probe(footage.path)).save(stored)
        except ValueError as err:
            print(f"{footage.path.name}: {err}", file=sys.stderr)
            return None
    return Detections.load(stored)


# -- one condition ----------------------------------------------------------------------
def _landmark_error(seen: Detections, ideal: Detections) -> float:
    """Median distance of detected from true landmarks, % of the distance between the outer eye corners."""
    apart = np.linalg.norm(seen.points - ideal.points, axis=-1)
    eyes = np.linalg.norm(ideal.points[:, 33] - ideal.points[:, 263], axis=-1)
    share = 100 * apart[seen.valid] / eyes[seen.valid, None]
    return float(np.nanmedian(share)) if np.isfinite(share).any() else float("nan")


@dataclass
class _Found:
    """What the clips of one condition gave."""

    rows: list[Row] = field(default_factory=list)
    raw: ActionMatch = field(default_factory=ActionMatch)
    prepared: ActionMatch = field(default_factory=ActionMatch)
    """After ``canonical``."""
    pairs: list[tuple[FaceSequence, FaceSequence]] = field(default_factory=list)
    geometry: list[Row] = field(default_factory=list)
    quality: list[Row] = field(default_factory=list)


def _fit_clip(condition: str, shot: Footage, seen: Detections | None, head: HeadModel, into: _Found) -> None:
    truth = measure(shot.truth, head, filmed=False)
    row: Row = {"clip": shot.path.stem, "frames": len(shot.truth), "attributes": shot.attributes,
                "script": [e.name for e in shot.script.events]}
    into.rows.append(row)
    if seen is None or not seen.valid.any():
        into.raw += match_actions(truth, Measurement((), truth.emotion, truth.fps, truth.seconds))
        row |= {"found": 0.0, "trusted": 0.0}
        return
    start = time.perf_counter()
    # exact points have none of the detector's bias
    fit = fit_detections(seen, head, config=FitConfig(detector=condition != "projected"))
    row["seconds"] = time.perf_counter() - start
    use = seen.valid & fit.seq.valid
    match = match_actions(truth, measure(fit.seq, head, filmed=False))
    into.raw += match
    if use.any():
        into.prepared += match_actions(measure(canonical(shot.truth), head), measure(canonical(fit.seq), head))
        row["geometry"] = asdict(geometry(shot.truth, shot.camera, fit.seq, fit.camera, head, use))
        into.geometry.append(row["geometry"])
        into.pairs.append((shot.truth, fit.seq))
    if condition != "projected":
        row["landmarks, %"] = _landmark_error(seen, truth_detections(shot, embedding_for(head), noise_px=0.0, head=head))
    into.quality.append(fit.quality.to_dict())
    row |= {"found": float(seen.valid.mean()), "trusted": float(fit.seq.valid.mean()), "quality": into.quality[-1],
            "wrong": match.wrong}


def _mean(values: Iterable[float | None]) -> float:
    known = [v for v in values if v is not None and np.isfinite(v)]
    return float(np.mean(known)) if known else float("nan")


def _tables(condition: str, found: _Found, head: HeadModel) -> dict[str, list[Row]]:
    frames, spent = (sum(r.get(k, 0) for r in found.rows) for k in ("frames", "seconds"))
    groups, clear, prepared = grouped(found.raw.counts), grouped(found.raw.clear), grouped(found.prepared.counts)
    errors = {k: _mean(g[k] for g in found.geometry) for k in (found.geometry[0] if found.geometry else ())}
    errors |= {f"{k}_abs": _mean(abs(g[k]) for g in found.geometry) for k in ("focal", "depth") if found.geometry}
    reached = {**dict.fromkeys(GATES, float("inf")), **errors, "expression F1": groups["expression"].f1}
    summary = {"clips": len(found.rows), "frames": frames, "found": sum(r["found"] * r["frames"] for r in found.rows) / frames,
               "trusted": _mean(r["trusted"] for r in found.rows),
               "landmarks, %": _mean(r.get("landmarks, %") for r in found.rows),
               "onset, s": _mean(found.raw.onset), "intensity": _mean(found.raw.intensity),
               **{k: _mean(q[k] for q in found.quality) for k in ("reprojection", "jitter", "raw_jitter")},
               "fitted frames/s": sum(q["frames"] for q in found.quality) / max(spent, 1e-9)}
    tables = {
        "summary": [summary],
        "gates": [{"gate": k, "wanted": f"{sign} {bound}", "measured": reached[k],
                   "passed": (operator.ge if sign == ">=" else operator.le)(reached[k], bound)}
                  for k, (sign, bound) in GATES.items()],
        "actions": [{"actions": k, **c.row(), "f1, clear ones": clear[k].f1, "f1 after canonical": prepared[k].f1}
                    for k, c in groups.items()],
        "errors, mm and degrees": [{"error": k, "mean": v} for k, v in errors.items()],
        "single actions": sorted(({"action": n, **found.raw.counts[n].row()} for n in ACTIONS if n in found.raw.counts),
                                 key=lambda row: row["f1"]),
        "channels": [{"channel": n, **gains} for n, gains in channel_gains(found.pairs, head.expr_names).items()],
        "clips": found.rows}
    return {f"{condition} landmarks: {k}": rows for k, rows in tables.items()}


def fit(clips: int = 60, size: int = 512, condition: Literal["detected", "projected", "both"] = "detected",
        cache: Path = Path("runs/fit_clips"), redetect: bool = False, workers: int = 1) -> Tables:
    """Fits of filmed performances against the truth, from detected landmarks or from true ones with 1 px of noise.

    Millimetres are of vertices after rigid alignment, without scale, of the fitted face to the true one in each frame; the
    error of the fitted identity is therefore part of them (``lips_motion`` and ``lids_motion`` leave it out).

    Parameters
    ----------
    clips
        How many performances.
    size
        Side of their pictures, px.
    cache
        Folder of the filmed clips and their detected landmarks; they are kept.
    redetect
        Do not reuse stored landmarks.
    workers
        Processes that film.
    """
    head, shots = HeadModel.default(), _clips(clips, size, cache, workers)
    tables: dict[str, list[Row]] = {}
    for name in ("detected", "projected") if condition == "both" else (condition,):
        found = _Found()
        for k, shot in enumerate(tqdm(shots, desc=name, file=sys.stderr)):
            seen = (truth_detections(shot, embedding_for(head), noise_px=1.0, seed=k, head=head) if name == "projected"
                    else _detected(shot, redetect))
            _fit_clip(name, shot, seen, head, found)
        tables |= _tables(name, found, head)
    return tables
