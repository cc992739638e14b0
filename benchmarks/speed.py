"""How fast things are: drawing, measuring, animating, generating, transitions."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..data_gen.performer.animator import perform
from ..data_gen.performer.sampler import sample_script
from ..face.clip.sequence import FaceSequence
from ..face.clip.spontaneous import add_idle, filter_idle
from ..face.facs.measure import measure, measure_signals
from ..face.facs.signals import signals_of
from ..face.facs.vocabulary import EMOTIONS
from ..face.head.model import HeadModel
from .report import Row, Tables, seconds

PROMPTS = (
    "She smiles broadly, then nods twice.", "He raises his brows and looks surprised.", "Wink with your left eye, then grin.",
    "They shake their head while frowning.", "A man talks, then presses his lips together.", "She looks sad and tilts her head.")
FIRST_FRAME = (
    "import time; t = time.perf_counter(); from facelm.face.head.model import HeadModel; "
    "from facelm.face.clip.sequence import FaceSequence; from facelm.face.render.render import render_frames; "
    "h = HeadModel.default(); s = FaceSequence.rest(1, h.ref, n_expr=h.n_expr); "
    "next(iter(render_frames(s, h, 256))); print(time.perf_counter() - t)"
)


# -- drawing ----------------------------------------------------------------------------
def _performance(head: HeadModel, length: float = 4.0) -> FaceSequence:
    """A smile with a turn, a look aside and an opening jaw."""
    n = int(25 * length)
    seq = FaceSequence.rest(n, head.ref, n_expr=head.n_expr)
    wave = np.sin(np.linspace(0.0, np.pi, n, dtype=np.float32))[:, None]
    expr = seq.expr.copy()
    for name in ("mouthSmileLeft", "mouthSmileRight", "browInnerUp", "cheekSquintLeft", "cheekSquintRight"):
        if name in head.expr_names:
            expr[:, head.expr_names.index(name)] = wave[:, 0]
    return seq.replace(expr=expr, neck_pose=wave * np.float32([0.1, 0.5, 0.05]),
                       jaw_pose=wave * np.float32([0.2, 0, 0]),
                       eyes_pose=wave * np.float32([0, -0.3, 0, 0, -0.3, 0]))


def _first_frame(cache: str) -> float:
    """Seconds from starting to import to the first picture, in a fresh process."""
    done = subprocess.run([sys.executable, "-c", FIRST_FRAME], env={**os.environ, "NUMBA_CACHE_DIR": cache},
                          capture_output=True, text=True, check=True)
    return float(done.stdout)


def render_speed(cold: bool = False) -> Tables:
    """How long drawing takes: one frame, a clip as MP4, GIF, sheet and GLB.

    Parameters
    ----------
    cold
        Also time the first frame of a process with an empty numba cache, and of the next process.
    """
    from ..face.io.gltf import write_glb
    from ..face.io.rendering import render
    from ..face.render.camera import portrait
    from ..face.render.render import Renderer

    head = HeadModel.default()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        if cold:
            rows += [{"what": f"first frame, {name}", "s": _first_frame(folder)} for name in ("empty cache", "again")]
        seq = _performance(head)
        for size in (256, 512):
            renderer = Renderer(head, portrait(seq, head, size), size)
            renderer.draw(head.v_template)
            times = [seconds(lambda r=renderer: r.draw(head.v_template)) for _ in range(20)]
            rows.append({"what": f"one frame, {size} px, one thread, median", "s": statistics.median(times)})
        for name in ("clip.mp4", "clip.gif", "clip.png", "clip.glb"):
            path = Path(folder) / name
            spent = seconds(lambda p=path: write_glb(seq, head, p) if p.suffix == ".glb" else render(seq, p, head))
            rows.append({"what": f"{name} of {seq.seconds:g} s", "s": spent, "kB": path.stat().st_size / 1e3})
    return {f"drawing, {head.n_vertices} vertices, {len(head.faces)} faces, {os.cpu_count()} cores": rows}


def export_speed(length: float = 60.0) -> Tables:
    """How long a clip takes to write in every format and target that the packaged head has.

    Parameters
    ----------
    length
        Seconds of motion, at 25 frames a second.
    """
    from ..face.io.export import FORMATS, export

    head = HeadModel.default()
    seq = _performance(head, length)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in FORMATS:
            for target in kind.targets:
                if target == "flame" or kind.suffix.startswith(".usd") and not find_spec("pxr"):
                    continue
                path = Path(folder) / f"clip{kind.suffix}"
                spent = seconds(lambda k=kind, t=target, p=path: export(seq, head, p, format=k.name, target=t))
                files = list(path.iterdir()) if path.is_dir() else [path]
                rows.append({"format": kind.name, "target": target, "s": spent, "MB": sum(f.stat().st_size for f in files) / 1e6})
    return {f"exporting {length:g} s, {len(seq)} frames, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}": rows}


def exchange_speed(head: Path, length: float = 60.0) -> Tables:
    """How long the commands between tools take, each in a process of its own with an empty cache, for a minute of motion.

    Parameters
    ----------
    head
        Another head's file, as its makers ship it (ICT-FaceKit, FLAME).
    length
        Seconds of motion, at 25 frames a second.
    """
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        _performance(HeadModel.default(), length).save(Path(folder) / "clip.npz")
        for name, line in (
                ("head import", f"head import {head.resolve()} -o head.npz"),
                ("retarget", "retarget clip.npz --to head.npz -o there.npz"),
                ("retarget again (calibration kept)", "retarget clip.npz --to head.npz -o there.npz"),
                ("export", "export clip.npz -o take.csv"), ("convert", "convert take.csv -o back.npz"),
                ("export GLB", "export clip.npz -o clip.glb")):
            before, start = os.times(), time.perf_counter()
            subprocess.run([sys.executable, "-m", "facelm", *line.split()], cwd=folder, check=True, capture_output=True,
                           env={**os.environ, "FACELM_CACHE": folder})
            spent, after = time.perf_counter() - start, os.times()
            processor = after.children_user + after.children_system - before.children_user - before.children_system
            rows.append({"command": name, "s": spent, "processor s": processor})
    return {f"{length:g} s of motion, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}": rows}


# -- measuring and animating ------------------------------------------------------------
def measure_speed(clips: int = 200, seed: int = 0) -> Tables:
    """Processor time of measuring a clip (so that a busy machine does not matter), for one identity and for new ones.

    Parameters
    ----------
    clips
        Sampled clips to measure.
    """
    head, rng = HeadModel.default(), np.random.default_rng(seed)
    rows = []
    for label in ("one identity", "an identity for each clip"):
        some = [perform(sample_script(rng), head,
                        shape=np.zeros(head.n_shape, np.float32) if label.startswith("one")
                        else rng.normal(size=head.n_shape).clip(-2, 2).astype(np.float32)) for _ in range(clips)]
        measure(some[0], head)
        whole = [seconds(lambda c=clip: measure(c, head), time.process_time) for clip in some]
        start = time.process_time()
        signals = [signals_of(clip, head) for clip in some]
        between = time.process_time()
        for s in signals:
            measure_signals(s)
        end = time.process_time()
        frames = float(np.mean([len(c) for c in some]))
        rows.append({"clips": label, "median, ms a clip": 1e3 * np.median(whole), "mean, ms a clip": 1e3 * np.mean(whole),
                     "frames": frames, "frames/s": frames / np.mean(whole), "signals, ms": 1e3 * (between - start) / clips,
                     "timeline, ms": 1e3 * (end - between) / clips})
    return {"measuring": rows}


def animator_speed(clips: int = 500) -> Tables:
    """Frames a second of the procedural animator and of spontaneous motion on one core."""
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    scripts = [sample_script(rng) for _ in range(clips)]
    spent = time.perf_counter() - start
    rows: list[Row] = [{"what": "sample_script", "scripts/s": clips / spent, "ms a clip": 1e3 * spent / clips,
                        "mean length, s": np.mean([s.seconds for s in scripts])}]
    perform(scripts[0])  # loads the head

    def timed(name: str, work: Callable[[int], FaceSequence]) -> list[FaceSequence]:
        start = time.perf_counter()
        out = [work(i) for i in range(clips)]
        spent = time.perf_counter() - start
        rows.append({"what": name, "frames/s": sum(map(len, out)) / spent, "ms a clip": 1e3 * spent / clips})
        return out

    made = timed("perform", lambda i: perform(scripts[i]))
    alive = timed("add_idle", lambda i: add_idle(made[i], i))
    timed("filter_idle", lambda i: filter_idle(alive[i]))
    return {"procedural animator": rows}


# -- the agent --------------------------------------------------------------------------
def generate_speed(weights: Path | None = None) -> Tables:
    """Time of `generate`: loading, the first call of a process, later calls (median of 5), and 16 prompts in one batch."""
    start = time.perf_counter()
    from ..agent.pipeline import FaceLM

    agent = FaceLM.from_pretrained(weights)
    loaded = time.perf_counter() - start
    first = seconds(lambda: agent.generate(PROMPTS[0], seconds=4.0, seed=0))
    warm = statistics.median(seconds(lambda p=p, i=i: agent.generate(p, seconds=4.0, seed=i))
                             for i, p in enumerate(PROMPTS[1:]))
    batch = seconds(lambda: agent.generate_many([PROMPTS[i % len(PROMPTS)] for i in range(16)], seconds=4.0))
    values = {"cores": os.cpu_count(), "load_s": loaded, "first_call_s": first, "warm_4s_clip_s": warm,
              "realtime_ratio": 4.0 / warm, "batch_of_16_s": batch, "batch_realtime_ratio": 64.0 / batch}
    return {"generating": [{"what": k, "value": v} for k, v in values.items()]}


def transition_speed(tries: int = 10, i2fet: Path | None = None, weights: Path | None = None) -> Tables:
    """Time of one transition of 75 frames, by the language model and by I2FET and FET, without rendering.

    The first transition of the process (cold) and later ones (median and slowest), from rest and from a source face with
    each curve. Targets: below 3 s, and below 0.1 s for I2FET.

    Parameters
    ----------
    tries
        Timed calls after the first.
    i2fet
        A folder that `facelm eval transitions` trained.
    """
    import torch

    from ..data_gen.text.transition_text import instruction

    torch.set_num_threads(min(2, os.cpu_count() or 1))
    pairs = [(a, b) for a in EMOTIONS[1:] for b in EMOTIONS[1:] if a != b]
    texts = [instruction(*pairs[i * 11 % len(pairs)], template=i % 5) for i in range(max(tries + 1, 4))]
    length, rows = 3.0, []

    def timed(name: str, work: Callable[[int], object]) -> None:
        times = [seconds(lambda i=i: work(i)) for i in range(tries + 1)]
        rows.append({"what": name, "cold_s": times[0], "warm_s": statistics.median(times[1:]), "slowest_warm_s": max(times[1:])})

    start = time.perf_counter()
    from ..agent.pipeline import FaceLM

    agent = FaceLM.from_pretrained(weights)
    rows.append({"what": "loading the language model", "cold_s": time.perf_counter() - start})
    timed("language model, from rest", lambda i: agent.motion.transition(texts[i], seconds=length))
    source = agent.motion.transition(texts[3], seconds=length).clip
    for curve in ("learned", "linear", "minjerk"):
        timed(f"language model, from a source, {curve}",
              lambda i, curve=curve: agent.motion.transition(texts[i], source, length, curve=curve))
    if i2fet:
        from ..agent.requests import transition_request
        from ..cli.baseline import baseline_transition
        from ..eval.baselines.i2fet.train import TrainedI2FET

        start = time.perf_counter()
        model = TrainedI2FET.load(i2fet)
        rows.append({"what": "loading I2FET", "cold_s": time.perf_counter() - start})
        timed("I2FET and FET", lambda i: baseline_transition(model, transition_request(texts[i], length), source, seed=i))
    return {f"transitions of {round(length * 25)} frames, {torch.get_num_threads()} threads of {os.cpu_count()} cores, "
            f"load {os.getloadavg()[0]:.2f}": rows}
