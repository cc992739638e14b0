"""Real clips (no truth: agreement with the landmarks), speed and memory of the fit. Used by ``fit.py``.

    python benchmarks/fit_real.py --one clip.mp4     # stage times and peak memory of one fit, as JSON
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from facelm.data_gen.fit.detect import detect
from facelm.data_gen.fit.fit import FitResult, fit_detections, fit_media
from facelm.data_gen.fit.quality import jitter
from facelm.data_gen.performer.sampler import sample_script
from facelm.data_gen.video.footage import FootageConfig, film
from facelm.face.facs.measure import measure
from facelm.face.facs.script import Script
from facelm.face.facs.timeline import hysteresis
from facelm.face.head.model import HeadModel
from facelm.face.io.media import ffmpeg_exe, probe, read_frames
from facelm.face.landmarks.points import embedding_for, interocular, lid_aperture
from fit_truth import embedded_points
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

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


def measure_media(path: Path, head: HeadModel) -> dict[str, Any]:
    """Fit one real clip or picture and say how well the fit agrees with its landmarks."""
    start = time.perf_counter()
    fit = fit_media(path, head)
    seconds = time.perf_counter() - start
    seen, q = fit.detections, fit.quality
    use = fit.seq.valid & seen.valid
    found = measure(fit.seq, head)
    from_fit = [(a.onset, a.offset) for a in found.actions if a.name in ("blink", "eye_close")]
    from_points = closures(lid_aperture(seen.points).mean(1), use, seen.fps)
    hit = pair_spans(from_points, from_fit)
    total = len(from_points) + len(from_fit)
    mesh = mesh_agreement(fit, head, use)
    return {
        "clip": path.name, "frames": q.frames, "size": [seen.width, seen.height], "found": q.found / q.frames,
        "trusted": q.trusted / q.frames, **mesh, "reprojection_model": q.reprojection, "reprojection_model_px": q.reprojection_px,
        "blinks_landmarks": len(from_points), "blinks_fit": len(from_fit), "blinks_both": hit,
        "blink_f1": 1.0 if total == 0 else 2 * hit / total, "blinks_of_points_f1": q.blinks.f1,
        "jitter_model": _number(q.jitter), "mouth_model": _number(q.mouth),
        "fov": fit.camera.fov, "actions": {n: len(found.of(n)) for n in found.names},
        "fps": q.frames / seconds, "quality": q.to_dict(), "camera": asdict(fit.camera),
        "at_landmarks": from_points, "at_fit": from_fit,
    }


def lip_gap(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """(T,) opening between the inner lips as ``lip_aperture``, negative where a mesh's lips pass through each other."""
    down = points[:, 152] - points[:, 168]  # from between the eyes to the chin
    gap = np.mean([points[:, b] - points[:, a] for a, b in ((82, 87), (13, 14), (312, 317))], axis=0)
    return np.asarray((gap * down).sum(-1) / np.linalg.norm(down, axis=-1) / interocular(points))


def mesh_agreement(fit: FitResult, head: HeadModel, use: NDArray[np.bool_]) -> dict[str, Any]:
    """The bare mesh against the landmarks: no part of the fit that explains the detector's habits takes part.

    Returns:
        ``reprojection`` (mean over frames of the median point's distance), ``jitter`` and ``raw_jitter`` (mean second
        difference), all in % of the detected distance between the outer eye corners, its largest in the second around
        a frame (turning away shortens it); ``mouth``: correlation of the lips' opening.
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
    return {"reprojection": _number(100 * float(np.nanmean(apart))),
            "jitter": _number(jitter(shown, use, eyes.astype(np.float32))),
            "raw_jitter": _number(jitter(raw, use, eyes.astype(np.float32))),
            "mouth": None if still else float(np.corrcoef(a, b)[0, 1])}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def video_table(rows: list[dict[str, Any]]) -> str:
    """Markdown of ``measure_media`` results."""
    lines = ["### Real clips", "",
             "| clip | size | frames | found | reprojection: mesh / with habits, % | blinks: landmarks / fit / both | blink F1 | "
             "jitter: mesh / landmarks, % | mouth correlation | frames/s |", "|---|---|---|---|---|---|---|---|---|---|"]
    show = lambda v: "-" if v is None else f"{v:.3f}"  # noqa: E731
    for r in rows:
        lines.append(
            f"| {r['clip']} | {r['size'][0]}x{r['size'][1]} | {r['frames']} | {r['found']:.1%} | "
            f"{show(r['reprojection'])} / {show(r['reprojection_model'])} | "
            f"{r['blinks_landmarks']} / {r['blinks_fit']} / {r['blinks_both']} | {r['blink_f1']:.2f} | "
            f"{show(r['jitter'])} / {show(r['raw_jitter'])} | {show(r['mouth'])} | {r['fps']:.1f} |")
    return "\n".join(lines)


# -- speed and memory -------------------------------------------------------------------
def speed_clip(folder: Path, frames: int) -> Path:
    """A performer at the size of text-to-video clips; longer ones repeat it (copied, not encoded again)."""
    folder.mkdir(parents=True, exist_ok=True)
    base = folder / f"speed_{SPEED_FRAMES}.mp4"
    if not base.is_file():
        script = sample_script(np.random.default_rng(5), required=("talking", "smile"))
        script = Script(SPEED_FRAMES / SPEED_FPS, tuple(e for e in script.events if e.start < 8), script.subject, script.style, 5)
        film(script, base, FootageConfig(size=SPEED_SIZE, fps=SPEED_FPS, share=(0.6, 0.7)), seed=5)
    if frames <= SPEED_FRAMES:
        return base
    long = folder / f"speed_{frames}.mp4"
    if not long.is_file():
        loops = -(-frames // SPEED_FRAMES) - 1
        subprocess.run([ffmpeg_exe(), "-v", "error", "-y", "-stream_loop", str(loops), "-i", str(base), "-c", "copy",
                        "-frames:v", str(frames), str(long)], check=True)
    return long


def peak_mib() -> float:
    """Most memory that this process has held, MiB."""
    try:  # ru_maxrss of a child begins at its parent's: the kernel's own mark does not
        text = Path("/proc/self/status").read_text(encoding="ascii")
        return int(text.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError, ValueError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one(path: Path) -> dict[str, Any]:
    """Stage times and peak memory of one fit in this process."""
    head = HeadModel.default()
    start = time.perf_counter()
    info = probe(path)
    probed = time.perf_counter()
    seen = detect(info)
    found = time.perf_counter()
    fit = fit_detections(seen, head, info=info)
    end = time.perf_counter()
    peak = peak_mib()
    decode = time.perf_counter()
    frames = sum(1 for _ in read_frames(info))
    decode = time.perf_counter() - decode
    return {"clip": path.name, "frames": frames, "fps": frames / (end - start), "peak_mib": peak,
            "seconds": {"probe": probed - start, "detect (with decoding)": found - probed, "fit": end - found},
            "decoding_alone": decode, "trusted": float(fit.seq.valid.mean())}


def measure_speed(folder: Path, long: int) -> list[dict[str, Any]]:
    """The short and the long clip, each in a process of its own."""
    out = []
    for frames in (SPEED_FRAMES, long):
        clip = speed_clip(folder, frames)
        done = subprocess.run([sys.executable, __file__, "--one", str(clip)], check=True, capture_output=True, text=True)
        out.append(json.loads(done.stdout.strip().splitlines()[-1]))
    return out


def speed_table(rows: list[dict[str, Any]]) -> str:
    """Markdown of ``measure_speed``."""
    stages = list(rows[0]["seconds"])
    lines = [f"### Speed and memory, {SPEED_SIZE[0]}x{SPEED_SIZE[1]}", "",
             f"| frames | frames/s | {' | '.join(f'{s}, ms a frame' for s in stages)} | decoding alone, ms a frame | "
             "peak memory, MiB |",
             "|---" * (len(stages) + 4) + "|"]
    for r in rows:
        cells = " | ".join(f"{1000 * r['seconds'][s] / r['frames']:.1f}" for s in stages)
        decoding = 1000 * r["decoding_alone"] / r["frames"]
        lines.append(f"| {r['frames']} | {r['fps']:.1f} | {cells} | {decoding:.1f} | {r['peak_mib']:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", type=Path, required=True, help="the clip")
    print(json.dumps(one(parser.parse_args().one)))
