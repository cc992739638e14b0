"""How well real video would be fitted, measured where the truth is known: performers on film.

    python benchmarks/fit.py --clips 60 --out runs/fit.json                    # detected landmarks
    python benchmarks/fit.py --clips 60 --condition both --out runs/fit.json   # and true ones with 1 px of noise
    python benchmarks/fit.py --clips 0 --videos clip.mp4 face.jpg              # real clips: reprojection, blinks, mouth
    python benchmarks/fit.py --clips 0 --speed                                 # frames a second and memory

Clips are filmed once into ``--cache`` and kept, as are their detected landmarks (``--redetect`` makes them new).
Millimetres are of vertices after rigid alignment, without scale, of the fitted face to the true one in each frame; the
error of the fitted identity is therefore part of them (``lips_motion`` and ``lids_motion`` leave it out).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from facelm.data_gen.fit.config import FitConfig
from facelm.data_gen.fit.detect import Detections, detect
from facelm.data_gen.fit.fit import fit_detections
from facelm.data_gen.performer.sampler import NAMES, sample_script
from facelm.data_gen.video.footage import Footage, FootageConfig, film, load_footage, sidecar_path, truth_path
from facelm.face.clip.canonical import canonical
from facelm.face.facs.measure import measure
from facelm.face.facs.script import Script
from facelm.face.facs.vocabulary import ACTIONS
from facelm.face.head.model import HeadModel
from facelm.face.io.media import probe
from facelm.face.landmarks.points import embedding_for
from fit_real import measure_media, measure_speed, speed_table, video_table
from fit_scores import ActionMatch, channel_gains, geometry, grouped, match_actions, merged
from fit_truth import truth_detections
from tqdm import tqdm

GATES: dict[str, tuple[str, float]] = {
    "expression F1": (">=", 0.85), "head rotation, degrees": ("<=", 2.0), "lips, mm": ("<=", 2.5), "lids, mm": ("<=", 1.5),
}
_SEED = 7000
_LENGTH = (2.8, 4.4)
"""Seconds of a clip."""


def script_of(index: int) -> Script:
    """The performance of clip ``index``: every action and emotion in turn begins one, the rest is sampled."""
    rng = np.random.default_rng([_SEED, index])
    while True:
        script = sample_script(rng, required=(NAMES[(index * 11) % len(NAMES)],))  # 11: every name, neighbours differ
        if _LENGTH[0] <= script.seconds <= _LENGTH[1]:
            return script


def config_of(size: int) -> FootageConfig:
    """How benchmark clips are filmed."""
    return FootageConfig(size=size)


def _film(job: tuple[int, int, str]) -> str:
    index, size, folder = job
    path = Path(folder) / f"clip{index:03d}.mp4"
    config, script = config_of(size), script_of(index)
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


def clips(count: int, size: int, folder: Path, workers: int) -> list[Footage]:
    """The benchmark's clips, filmed where they are missing."""
    folder = folder / str(size)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(i, size, str(folder)) for i in range(count)]
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            paths = list(tqdm(pool.map(_film, jobs), total=count, desc="film", file=sys.stderr))
    else:
        paths = [_film(j) for j in tqdm(jobs, desc="film", file=sys.stderr)]
    return [load_footage(p) for p in paths]


def detected(footage: Footage, again: bool) -> Detections | None:
    """The detector's landmarks of a clip; None when it finds no face in it."""
    stored = footage.path.with_suffix(".seen.npz")
    if again or not stored.is_file():
        try:
            detect(probe(footage.path)).save(stored)
        except ValueError as err:
            print(f"{footage.path.name}: {err}", file=sys.stderr)
            return None
    return Detections.load(stored)


def landmark_error(seen: Detections, ideal: Detections) -> float:
    """Median distance of detected from true landmarks, % of the distance between the outer eye corners."""
    apart = np.linalg.norm(seen.points - ideal.points, axis=-1)
    eyes = np.linalg.norm(ideal.points[:, 33] - ideal.points[:, 263], axis=-1)
    share = 100 * apart[seen.valid] / eyes[seen.valid, None]
    return float(np.nanmedian(share)) if np.isfinite(share).any() else float("nan")


def run_condition(condition: str, shots: list[Footage], head: HeadModel, again: bool) -> dict[str, Any]:
    """Fit every clip under one condition and score it."""
    embedding = embedding_for(head)
    rows: list[dict[str, Any]] = []
    raw: list[ActionMatch] = []
    rested: list[ActionMatch] = []
    pairs = []
    frames = found = 0
    for k, shot in enumerate(tqdm(shots, desc=condition, file=sys.stderr)):
        frames += len(shot.truth)
        if condition == "projected":
            seen: Detections | None = truth_detections(shot, embedding, noise_px=1.0, seed=k, head=head)
        else:
            seen = detected(shot, again)
        found += 0 if seen is None else int(seen.valid.sum())
        row: dict[str, Any] = {"clip": shot.path.stem, "attributes": shot.attributes,
                               "script": [e.name for e in shot.script.events]}
        truth = measure(shot.truth, head)
        if seen is None or not seen.valid.any():
            raw.append(match_actions(truth, type(truth)((), truth.emotion, truth.fps, truth.seconds), shot.path.stem))
            rows.append(row | {"found": 0.0})
            continue
        start = time.perf_counter()
        # exact points have none of the detector's habits
        fit = fit_detections(seen, head, config=FitConfig(detector=condition != "projected"))
        row["seconds"] = time.perf_counter() - start
        use = seen.valid & fit.seq.valid
        match = match_actions(truth, measure(fit.seq, head), shot.path.stem)
        raw.append(match)
        if use.any():
            rested.append(match_actions(measure(canonical(shot.truth), head), measure(canonical(fit.seq), head), shot.path.stem))
            row["geometry"] = asdict(geometry(shot.truth, shot.camera, fit.seq, fit.camera, head, use))
            pairs.append((shot.truth, fit.seq))
        if condition != "projected":
            row["landmarks"] = landmark_error(seen, truth_detections(shot, embedding, noise_px=0.0, head=head))
        rows.append(row | {"found": float(seen.valid.mean()), "trusted": float(fit.seq.valid.mean()),
                           "quality": fit.quality.to_dict(), "wrong": match.wrong})
    return _summary(condition, rows, merged(raw), merged(rested), frames, found) | {
        "channels": channel_gains(pairs, head.expr_names) if pairs else {}, "clips": rows}


def _summary(condition: str, rows: list[dict[str, Any]], raw: ActionMatch, rested: ActionMatch, frames: int, found: int
             ) -> dict[str, Any]:
    scored = [r["geometry"] for r in rows if "geometry" in r]
    mean = {k: float(np.nanmean([g[k] for g in scored])) for k in scored[0]} if scored else {}
    mean |= {f"{k}_abs": float(np.mean([abs(g[k]) for g in scored])) for k in ("focal", "depth")} if scored else {}
    groups = grouped(raw.counts)
    values = {"expression F1": groups["expression"].f1, "head rotation, degrees": mean.get("rotation", np.inf),
              "lips, mm": mean.get("lips", np.inf), "lids, mm": mean.get("lids", np.inf)}
    quality = [r["quality"] for r in rows if "quality" in r]
    landmarks = [r["landmarks"] for r in rows if "landmarks" in r]
    fitted = sum(q["frames"] for q in quality)
    of = lambda key: [q[key] for q in quality if q[key] is not None]  # noqa: E731
    return {
        "condition": condition, "clips_in_all": len(rows), "frames": frames, "found": found / max(frames, 1),
        "trusted": float(np.mean([r.get("trusted", 0.0) for r in rows])) if rows else 0.0,
        "landmarks": float(np.nanmean(landmarks)) if landmarks else None,
        "gates": {k: {"value": v, "wanted": f"{GATES[k][0]} {GATES[k][1]}",
                      "passed": bool(v >= GATES[k][1] if GATES[k][0] == ">=" else v <= GATES[k][1])} for k, v in values.items()},
        "groups": {k: c.row() for k, c in groups.items()},
        "groups_clear": {k: c.row() for k, c in grouped(raw.clear).items()},
        "groups_rested": {k: c.row() for k, c in grouped(rested.counts).items()},
        "actions": {n: raw.counts[n].row() for n in ACTIONS if n in raw.counts},
        "onset": float(np.mean(raw.onset)) if raw.onset else None,
        "intensity": float(np.mean(raw.intensity)) if raw.intensity else None,
        "geometry": mean, "reprojection": float(np.mean(of("reprojection"))) if quality else None,
        "jitter": float(np.mean(of("jitter"))) if quality else None,
        "raw_jitter": float(np.mean(of("raw_jitter"))) if quality else None,
        "fit_fps": fitted / max(sum(r.get("seconds", 0.0) for r in rows), 1e-9),
    }


# -- tables -----------------------------------------------------------------------------
def condition_table(result: dict[str, Any]) -> str:
    """Markdown of one condition."""
    g = result["geometry"]
    lines = [f"### {result['condition']} landmarks: {result['clips_in_all']} clips, {result['frames']} frames", "",
             f"Face found in {result['found']:.2%} of frames, fit trusted in {result['trusted']:.2%}."]
    if result["landmarks"] is not None:
        lines[-1] += f" Detected landmarks lie {result['landmarks']:.2f} % of the eye distance from the true ones (median)."
    lines += ["", "| gate | wanted | measured | |", "|---|---|---|---|"]
    lines += [f"| {k} | {v['wanted']} | {v['value']:.3f} | {'passed' if v['passed'] else 'missed'} |"
              for k, v in result["gates"].items()]
    lines += ["", "| actions | hit | missed | invented | precision | recall | F1 | F1, clear ones | F1 after `canonical` |",
              "|---|---|---|---|---|---|---|---|---|"]
    for name, c in result["groups"].items():
        lines.append(f"| {name} | {c['hit']} | {c['missed']} | {c['invented']} | {c['precision']:.3f} | {c['recall']:.3f} | "
                     f"{c['f1']:.3f} | {result['groups_clear'][name]['f1']:.3f} | {result['groups_rested'][name]['f1']:.3f} |")
    if g:
        lines += ["", "| error | mean | | error | mean |", "|---|---|---|---|---|"]
        cells = [("head rotation, degrees", "rotation", 1), ("head rotation, 95th percentile", "rotation_p95", 1),
                 ("head rotation without the clip's mean", "turn", 1), ("lips, mm", "lips", 1), ("lids, mm", "lids", 1),
                 ("whole face, mm", "face", 1), ("lips, motion only, mm", "lips_motion", 1),
                 ("lids, motion only, mm", "lids_motion", 1), ("identity at rest, mm", "identity", 1),
                 ("jaw opening, degrees", "jaw", 1), ("gaze, degrees", "gaze", 1), ("focal length, %", "focal_abs", 100),
                 ("distance, %", "depth_abs", 100), ("jitter, mm", "jitter", 1),
                 ("jitter of the true clip, mm", "jitter_true", 1)]
        cells += [("", "", 1)] * (len(cells) % 2)
        half = len(cells) // 2
        text = lambda c: f"{c[0]} | {g[c[1]] * c[2]:.2f}" if c[1] else " | "  # noqa: E731
        lines += [f"| {text(a)} | | {text(b)} |" for a, b in zip(cells[:half], cells[half:], strict=True)]
    return "\n".join(lines)


def action_table(result: dict[str, Any]) -> str:
    """Markdown: one row an action."""
    lines = ["| action | hit | missed | invented | F1 |", "|---|---|---|---|---|"]
    for name, c in sorted(result["actions"].items(), key=lambda item: item[1]["f1"]):
        lines.append(f"| {name} | {c['hit']} | {c['missed']} | {c['invented']} | {c['f1']:.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=60, help="performer clips; 0 for none")
    parser.add_argument("--size", type=int, default=512, help="side of their pictures, px")
    parser.add_argument("--condition", choices=("detected", "projected", "both"), default="detected")
    parser.add_argument("--cache", type=Path, default=Path("runs/fit_clips"), help="folder of the filmed clips")
    parser.add_argument("--redetect", action="store_true", help="do not reuse stored landmarks")
    parser.add_argument("--workers", type=int, default=1, help="processes that film")
    parser.add_argument("--videos", nargs="*", default=[], help="real clips or pictures to fit")
    parser.add_argument("--speed", action="store_true", help="frames a second at 1280x704, memory over 201 and 4,800 frames")
    parser.add_argument("--long", type=int, default=4800, help="frames of the long clip of --speed")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    parser.add_argument("--json", action="store_true", help="print JSON, not tables")
    args = parser.parse_args()
    head = HeadModel.default()
    report: dict[str, Any] = {}
    if args.clips:
        shots = clips(args.clips, args.size, args.cache, args.workers)
        for condition in ("detected", "projected") if args.condition == "both" else (args.condition,):
            report[condition] = run_condition(condition, shots, head, args.redetect)
    if args.videos:
        report["videos"] = [measure_media(Path(v), head) for v in tqdm(args.videos, desc="real", file=sys.stderr)]
    if args.speed:
        report["speed"] = measure_speed(args.cache, args.long)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if args.json:
        print(json.dumps(report))
        return
    for condition in ("detected", "projected"):
        if condition in report:
            print(condition_table(report[condition]), end="\n\n")
            print(action_table(report[condition]), end="\n\n")
    if "videos" in report:
        print(video_table(report["videos"]), end="\n\n")
    if "speed" in report:
        print(speed_table(report["speed"]))


if __name__ == "__main__":
    main()
