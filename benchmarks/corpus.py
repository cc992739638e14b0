"""Corpus builds: what each stage costs, and whether a killed build ends with the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..common.files import file_digest
from ..data_gen.corpus.build import build_corpus
from ..data_gen.corpus.recipe import Recipe, load_recipe
from ..data_gen.corpus.synth import iter_corpus
from .report import Row, Tables

RECIPES = Path(__file__).resolve().parents[1] / "configs" / "data"
HOURS = (80, 10_000)


def _build(recipe: Recipe, workers: int, ray: bool) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        report = build_corpus(recipe, Path(folder) / "c", workers=workers, ray="local" if ray else None, progress=False)
        lengths = [r["seconds"] for s, n in report.counts.items() if n
                   for r in iter_corpus(report.path, s, columns=("seconds",))]
        size = sum(p.stat().st_size for p in (report.path / "data").glob("*.parquet"))
        work = sum(p.stat().st_size for p in (report.path / "build").rglob("*") if p.is_file())
    footage = sum(lengths) / len(lengths) * report.clips
    return {"how": f"{'ray' if ray else 'processes'} {workers}", "clips": report.clips, "packed": report.packed,
            "wall_s": round(report.seconds, 2), "clips_per_s": round(report.clips / report.seconds, 3),
            "video_seconds": round(footage, 1), "times_real_time": round(footage / report.seconds, 3),
            **{f"{k}, s a clip": round(v / report.clips, 4) for k, v in report.stage_seconds.items()},
            "core_s_per_video_s": round(sum(report.stage_seconds.values()) / footage, 4),
            "parquet_kb_per_clip": round(size / max(report.packed, 1) / 1000, 2),
            "work_kb_per_clip": round(work / report.clips / 1000, 2)}


def build_throughput(recipe: Path = RECIPES / "performer_2000.yaml", videos: Path | None = None, clips: int = 24,
                     workers: tuple[int, ...] = (1, 2), ray: tuple[int, ...] = (1, 2)) -> Tables:
    """What each stage of a build costs, by number of workers, and what 80 and 10,000 hours of video would.

    Each run starts in an empty folder. Costs are processor-seconds of the worker processes and of the video encoders that
    they start; wall time includes starting the workers.

    Parameters
    ----------
    videos
        A folder of videos instead of the procedural animator.
    ray
        Workers of a local Ray cluster; 0 leaves it out.
    """
    loaded = load_recipe(recipe, clips=clips, folder=videos and str(videos), backend="videos" if videos else None)
    rows = [_build(loaded, count, on_ray) for on_ray, counts in ((False, workers), (True, ray)) for count in counts if count]
    cost = rows[0]["core_s_per_video_s"]
    return {"builds": rows, f"whole corpora, {loaded.video.footage.fps:g} frames a second": [
        {"hours of video": h, "core-hours": h * cost, "days on one core": h * cost / 24, "days on 64": h * cost / 24 / 64}
        for h in HOURS]}


# -- killed builds ----------------------------------------------------------------------
def _records(out: Path) -> int:
    # a walk, unlike rglob, passes over a folder that is renamed meanwhile
    return sum(name.endswith(".json") for _, _, names in os.walk(out / "fitted" / "build") for name in names)


def _digests(out: Path) -> dict[str, str]:
    return {str(p.relative_to(out)): file_digest(p) for p in sorted(out.rglob("*"))
            if p.is_file() and "logs" not in p.parts and p.name != ".lock"}


def build_kill(recipe: Path = RECIPES / "performer_tiny.yaml", clips: int | None = None, kills: int = 3, workers: int = 2,
               seed: int = 0, work: Path | None = None, against: Path | None = None) -> Tables:
    """A build that is killed at random moments ends with the same bytes as one that was left alone.

    Runs the real command in a process group of its own and kills the whole group (SIGKILL) when a drawn number of records
    is on disk; then lets it finish and compares every file but the logs. Exit code 1 where any differs.

    Parameters
    ----------
    clips
        Instead of the recipe's number.
    work
        Folder of the builds, kept; it must not hold one (default: a temporary one).
    against
        Compare with this finished build instead of making one (its truth in DIR/../true).
    """
    draw = random.Random(seed)

    def command(out: Path) -> list[str]:
        line = [sys.executable, "-m", "facelm.cli", "data", "build", "--recipe", str(recipe), "-o", str(out / "fitted"),
                "--truth-out", str(out / "true"), "--workers", str(workers)]
        return line + (["--clips", str(clips)] if clips else [])

    with tempfile.TemporaryDirectory() as temporary:
        folder = work or Path(temporary)
        if (folder / "killed").exists():
            raise ValueError(f"{folder} holds a build; name another folder")
        calm, killed = against.parent if against else folder / "calm", folder / "killed"
        if not against:
            subprocess.run(command(calm), check=True, stdout=sys.stderr)
        total, rows = _records(calm), []
        for moment in sorted(draw.sample(range(1, max(total, kills + 1)), kills)):
            process = subprocess.Popen(command(killed), start_new_session=True, stdout=subprocess.DEVNULL)
            while process.poll() is None:
                began = time.perf_counter()
                if _records(killed) >= moment:
                    break
                time.sleep(max(0.02, 50 * (time.perf_counter() - began)))  # counting must not slow a large build down
            at = _records(killed)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            rows.append({"killed at record": at, "of": total, "exit code": process.wait()})
        subprocess.run(command(killed), check=True, stdout=sys.stderr)
        a, b = _digests(calm), _digests(killed)
    if differing := sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k)):
        sys.exit(f"of {len(a)} files {len(differing)} differ: {', '.join(differing[:5])}")
    return {"kills": rows, "files": [{"files": len(a), "identical": True}]}
