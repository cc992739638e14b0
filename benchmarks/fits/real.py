"""Real clips (no truth: agreement with the landmarks), and speed and memory of the fit."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict
from itertools import chain, count, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from tqdm import tqdm

from ...data_gen.fit.detect import detect
from ...data_gen.fit.fit import FitResult, fit_detections, fit_media
from ...data_gen.fit.quality import jitter
from ...data_gen.performer.sampler import sample_script
from ...data_gen.video.footage import FootageConfig, film
from ...face.facs.measure import measure
from ...face.facs.schedule import Schedule
from ...face.facs.timeline import hysteresis
from ...face.head.model import HeadModel
from ...face.io.media import probe, read_frames
from ...face.io.video import write_mp4
from ...face.landmarks.points import embedding_for, interocular, lid_aperture
from ..report import Counts, Row, Tables, seconds
from .truth import embedded_points

SPEED_SIZE, SPEED_FRAMES, SPEED_FPS = (1280, 704), 201, 24.0
"""The text-to-video clips of Open3DFaceVid are of this size and length."""
SLACK = 0.1
"""Blinks may miss each other by this many seconds and be the same blink."""
CLOSED, OPEN = 0.45, 0.65
"""Landmarks' lids close below the first share of their open aperture, and are open again above the second."""
Span = tuple[float, float]


def closures(aperture: NDArray[np.floating], use: NDArray[np.bool_], fps: float) -> list[Span]:
    """Times (begin, end in s) in which a lid aperture ``(T,)`` is below ``CLOSED`` of its open level, up to ``OPEN``."""
    if use.sum() < 5:
        return []
    at = np.arange(len(aperture))
    known = np.interp(at, at[use], aperture[use])
    share = (known / max(float(np.quantile(known, 0.85)), 1e-6)).astype(np.float32)
    return [(a / fps, b / fps) for a, b in hysteresis(1 - share, 1 - CLOSED, 1 - OPEN)]


def pair_spans(a: list[Span], b: list[Span], slack: float = SLACK) -> int:
    """How many spans of ``a`` have a partner of their own in ``b`` that overlaps them (within ``slack`` seconds)."""
    free, hit = sorted(b), 0
    for low, high in sorted(a):
        near = [s for s in free if min(high, s[1]) - max(low, s[0]) > -slack]
        if near:
            free.remove(max(near, key=lambda s: min(high, s[1]) - max(low, s[0])))
            hit += 1
    return hit


def lip_gap(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """(T,) opening between the inner lips as ``lip_aperture``, negative where a mesh's lips pass through each other."""
    down = points[:, 152] - points[:, 168]  # from between the eyes to the chin
    gap = np.mean([points[:, b] - points[:, a] for a, b in ((82, 87), (13, 14), (312, 317))], axis=0)
    return np.asarray((gap * down).sum(-1) / np.linalg.norm(down, axis=-1) / interocular(points))


def _mesh_agreement(fit: FitResult, head: HeadModel, use: NDArray[np.bool_]) -> Row:
    """The bare mesh against the landmarks: no part of the fit that explains the detector's bias takes part.

    Returns:
        reprojection (mean over frames of the median point's distance) and jitter (mean second difference) in % of the
        detected distance between the outer eye corners, its largest in the second around a frame (turning away shortens
        it); correlation of the lips' opening.
    """
    embedding, seen = embedding_for(head), fit.detections
    shown = np.full_like(seen.points, np.nan)
    for start in range(0, len(seen), 256):  # a long clip's vertices do not fit in memory at once
        part = fit.seq.slice(start, min(start + 256, len(seen)))
        shown[start:start + 256, embedding.index] = fit.camera.project(embedded_points(part, embedding, head))
    raw = np.where(np.isfinite(shown), seen.points, np.nan)
    eyes = maximum_filter1d(np.nan_to_num(interocular(seen.points)), max(1, round(seen.fps)))
    eyes = np.where(eyes > 0, eyes, np.nan)
    apart = np.nanmedian(np.linalg.norm(shown - raw, axis=-1)[use], axis=1) / eyes[use] if use.any() else np.array([np.nan])
    a, b = lip_gap(shown)[use], lip_gap(raw)[use]
    still = len(a) < 5 or float(np.nanstd(b)) < 0.005
    return {"reprojection, %": 100 * float(np.nanmean(apart)),
            "jitter, %": jitter(shown, use, eyes.astype(np.float32)),
            "landmarks' jitter, %": jitter(raw, use, eyes.astype(np.float32)),
            "mouth correlation": None if still else float(np.corrcoef(a, b)[0, 1])}


def _fit_one(path: Path, head: HeadModel) -> Row:
    start = time.perf_counter()
    fit = fit_media(path, head)
    spent = time.perf_counter() - start
    seen, q = fit.detections, fit.quality
    use = fit.seq.valid & seen.valid
    found = measure(fit.seq, head)
    from_fit = [(a.onset, a.offset) for a in found.actions if a.name in ("blink", "eye_close")]
    from_points = closures(lid_aperture(seen.points).mean(1), use, seen.fps)
    hit = pair_spans(from_points, from_fit)
    return {
        "clip": path.name, "size": f"{seen.width}x{seen.height}", "frames": q.frames, "found": q.found / q.frames,
        "trusted": q.trusted / q.frames, **_mesh_agreement(fit, head, use), "reprojection with bias, %": q.reprojection,
        "blinks: landmarks": len(from_points), "fit": len(from_fit), "both": hit,
        "blink F1": Counts(hit, len(from_fit) - hit, len(from_points) - hit).f1, "frames/s": q.frames / spent,
        "fov": fit.camera.fov, "actions": {n: len(found.of(n)) for n in found.names}, "quality": q.to_dict(),
        "camera": asdict(fit.camera), "closures": {"landmarks": from_points, "fit": from_fit}}


def fit_real(videos: tuple[Path, ...]) -> Tables:
    """Fits of real clips or pictures: how well they agree with their landmarks.

    Reprojection and jitter are of the bare mesh, where no part of the fit that explains the detector's bias takes part.

    Parameters
    ----------
    videos
        Clips, pictures or folders of frames.
    """
    head = HeadModel.default()
    return {"real clips": [_fit_one(path, head) for path in tqdm(videos, desc="real", file=sys.stderr)]}


# -- speed and memory -------------------------------------------------------------------
def _speed_clip(folder: Path, frames: int) -> Path:
    """A performance at the size of text-to-video clips; longer ones repeat it."""
    folder.mkdir(parents=True, exist_ok=True)
    base = folder / f"speed_{SPEED_FRAMES}.mp4"
    if not base.is_file():
        script = sample_script(np.random.default_rng(5), required=("talking", "smile"))
        events = tuple(e for e in script.events if e.start < 8)
        script = Schedule(SPEED_FRAMES / SPEED_FPS, events, script.subject, script.style, 5)
        film(script, base, FootageConfig(size=SPEED_SIZE, fps=SPEED_FPS, share=(0.6, 0.7)), seed=5)
    if frames <= SPEED_FRAMES:
        return base
    long = folder / f"speed_{frames}.mp4"
    if not long.is_file():
        info = probe(base)
        repeated = islice(chain.from_iterable(read_frames(info) for _ in count()), frames)
        write_mp4(repeated, long, (info.width, info.height), info.fps, frames)
    return long


def _peak_mib() -> float:
    """Most memory that this process has held, MiB."""
    try:  # ru_maxrss of a child begins at its parent's: the kernel's own mark does not
        text = Path("/proc/self/status").read_text(encoding="ascii")
        return int(text.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError, ValueError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _stages(path: Path) -> Row:
    """Stage times and peak memory of one fit in this process."""
    head = HeadModel.default()
    start = time.perf_counter()
    info = probe(path)
    probed = time.perf_counter()
    seen = detect(info)
    found = time.perf_counter()
    fit = fit_detections(seen, head, info=info)
    end = time.perf_counter()
    peak, frames = _peak_mib(), len(seen)
    decoding = seconds(lambda: sum(1 for _ in read_frames(info)))
    each = {"probe": probed - start, "detection with decoding": found - probed, "fit": end - found, "decoding alone": decoding}
    return {"clip": path.name, "frames": frames, "frames/s": frames / (end - start), "peak memory, MiB": peak,
            "trusted": float(fit.seq.valid.mean()), **{f"{k}, ms a frame": 1000 * v / frames for k, v in each.items()}}


def fit_speed(cache: Path = Path("runs/fit_clips"), long: int = 4800, one: Path | None = None) -> Tables:
    """Frames a second and memory of the fit at 1280x704, each clip in a process of its own.

    Parameters
    ----------
    cache
        Folder of the filmed clip; it is kept.
    long
        Frames of the long clip; the short one has 201.
    one
        Only this clip, in this process.
    """
    if one:
        return {"speed": [_stages(one)]}
    rows = []
    for frames in (SPEED_FRAMES, long):
        clip = _speed_clip(cache, frames)
        done = subprocess.run([sys.executable, "-m", "facelm.benchmarks", "fit-speed", "--one", str(clip), "--json"], check=True,
                              capture_output=True, text=True)
        rows += json.loads(done.stdout.strip().splitlines()[-1])["speed"]
    return {f"speed and memory, {SPEED_SIZE[0]}x{SPEED_SIZE[1]}": rows}
