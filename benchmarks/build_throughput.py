"""What each stage of a build costs, by number of workers, and what 80 and 10,000 hours would.

    python benchmarks/build_throughput.py --recipe configs/data/performer_2000.yaml --clips 24 --workers 1 2 --ray 1 2

Each run starts in an empty folder. Costs are processor-seconds of the worker processes and of the video
encoders they start; wall time includes starting the workers.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from facelm.data_gen.corpus.build import build_corpus
from facelm.data_gen.corpus.recipe import Recipe, load_recipe
from facelm.data_gen.corpus.synth import iter_corpus

HOURS = (80, 10_000)


def measure(recipe: Recipe, workers: int, ray: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        report = build_corpus(recipe, Path(folder) / "c", workers=workers, ray="local" if ray else None, progress=False)
        seconds = [r["seconds"] for s, n in report.counts.items() if n
                   for r in iter_corpus(report.path, s, columns=("seconds",))]
        size = sum(p.stat().st_size for p in (report.path / "data").glob("*.parquet"))
        work = sum(p.stat().st_size for p in (report.path / "build").rglob("*") if p.is_file())
    footage = sum(seconds) / len(seconds) * report.clips
    return {"how": f"{'ray' if ray else 'processes'} {workers}", "clips": report.clips, "packed": report.packed,
            "wall_s": round(report.seconds, 2), "clips_per_s": round(report.clips / report.seconds, 3),
            "video_seconds": round(footage, 1), "times_real_time": round(footage / report.seconds, 3),
            "stage_s_per_clip": {k: round(v / report.clips, 4) for k, v in report.stage_seconds.items()},
            "core_s_per_video_s": round(sum(report.stage_seconds.values()) / footage, 4),
            "parquet_kb_per_clip": round(size / max(report.packed, 1) / 1000, 2),
            "work_kb_per_clip": round(work / report.clips / 1000, 2)}


def table(rows: list[dict[str, Any]], fps: float) -> str:
    stages = list(rows[0]["stage_s_per_clip"])
    lines = ["stages: core-seconds a clip", f"{'':14s}{'wall s':>8s}{'clips/s':>9s}{'x real':>8s}  "
             + "".join(f"{s:>10s}" for s in stages)]
    for r in rows:
        lines.append(f"{r['how']:14s}{r['wall_s']:8.1f}{r['clips_per_s']:9.2f}{r['times_real_time']:8.2f}  "
                     + "".join(f"{r['stage_s_per_clip'][s]:10.3f}" for s in stages))
    cost = rows[0]["core_s_per_video_s"]
    lines.append(f"core-seconds a second of video ({fps:g} frames): {cost:.2f}")
    lines += [f"{h:,} hours of video: {h * cost:,.0f} core-hours ({h * cost / 24:,.1f} days on one core, "
              f"{h * cost / 24 / 64:,.2f} on 64)" for h in HOURS]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default=str(Path(__file__).resolve().parents[1] / "configs" / "data" / "performer_2000.yaml"))
    parser.add_argument("--videos", help="a folder of videos instead of the performer")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--ray", type=int, nargs="*", default=[1, 2], help="workers of a local Ray cluster; none to leave it out")
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    recipe = load_recipe(args.recipe, clips=args.clips, folder=args.videos, backend="videos" if args.videos else None)
    rows = []
    for ray, counts in ((False, args.workers), (True, args.ray)):
        for workers in counts:
            rows.append(measure(recipe, workers, ray))
            print(json.dumps(rows[-1]), file=sys.stderr)
    print(table(rows, recipe.video.footage.fps))
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
