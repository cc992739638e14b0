"""How long drawing takes: first use (compilation), one frame, a clip as MP4, GIF, sheet, GLB.

    python benchmarks/render_speed.py            # warm figures
    python benchmarks/render_speed.py --cold     # and the first frame with an empty numba cache
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.face.io.gltf import write_glb
from facelm.face.io.rendering import render
from facelm.face.render.camera import portrait
from facelm.face.render.render import Renderer

FIRST_FRAME = (
    "import time; t = time.perf_counter(); from facelm.face.head.model import HeadModel; "
    "from facelm.face.clip.sequence import FaceSequence; from facelm.face.render.render import render_frames; "
    "h = HeadModel.default(); s = FaceSequence.rest(1, h.ref, n_expr=h.n_expr); "
    "next(iter(render_frames(s, h, 256))); print(time.perf_counter() - t)"
)


def performance(head: HeadModel, seconds: float = 4.0) -> FaceSequence:
    """A smile with a turn, a look aside and an opening jaw."""
    n = int(25 * seconds)
    seq = FaceSequence.rest(n, head.ref, n_expr=head.n_expr)
    wave = np.sin(np.linspace(0.0, np.pi, n, dtype=np.float32))[:, None]
    expr = seq.expr.copy()
    for name in ("mouthSmileLeft", "mouthSmileRight", "browInnerUp", "cheekSquintLeft", "cheekSquintRight"):
        if name in head.expr_names:
            expr[:, head.expr_names.index(name)] = wave[:, 0]
    return seq.replace(expr=expr, neck_pose=wave * np.float32([0.1, 0.5, 0.05]),
                       jaw_pose=wave * np.float32([0.2, 0, 0]),
                       eyes_pose=wave * np.float32([0, -0.3, 0, 0, -0.3, 0]))


def first_frame(cache: str | None) -> float:
    """Seconds from starting to import to the first picture, in a fresh process."""
    env = dict(os.environ)
    if cache is not None:
        env["NUMBA_CACHE_DIR"] = cache
    done = subprocess.run([sys.executable, "-c", FIRST_FRAME], env=env, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cold", action="store_true", help="also time the first frame with an empty cache")
    arguments = parser.parse_args()
    head = HeadModel.default()
    print(f"head: {head.n_vertices} vertices, {len(head.faces)} faces; cores: {os.cpu_count()}")
    with tempfile.TemporaryDirectory() as folder:
        if arguments.cold:
            print(f"first frame, empty cache: {first_frame(folder):.1f} s; again: {first_frame(folder):.1f} s")
        seq = performance(head)
        for size in (256, 512):
            renderer = Renderer(head, portrait(seq, head, size), size)
            renderer.draw(head.v_template)
            times = []
            for _ in range(20):
                start = time.perf_counter()
                renderer.draw(head.v_template)
                times.append(time.perf_counter() - start)
            print(f"one frame, {size} px, one thread: median {np.median(times) * 1e3:.1f} ms")
        for name in ("clip.mp4", "clip.gif", "clip.png"):
            start = time.perf_counter()
            path = render(seq, Path(folder) / name, head)
            spent = time.perf_counter() - start
            print(f"{name} of {seq.seconds:g} s: {spent:.2f} s, {path.stat().st_size / 1e3:.0f} kB")
        start = time.perf_counter()
        path = write_glb(seq, head, Path(folder) / "clip.glb")
        print(f"clip.glb: {time.perf_counter() - start:.2f} s, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
