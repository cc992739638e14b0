"""Frames a second of the performer and the idle layer on one core.

    python benchmarks/performer_speed.py [CLIPS]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.sampler import sample_script
from facelm.face.clip.sequence import FaceSequence
from facelm.face.clip.spontaneous import add_idle, filter_idle


def report(name: str, clips: list[FaceSequence], work: Callable[[int], FaceSequence]) -> list[FaceSequence]:
    begin = time.perf_counter()
    out = [work(i) for i in range(len(clips))] if clips else []
    spent = time.perf_counter() - begin
    print(f"{name:12s} {sum(map(len, out)) / spent:12,.0f} frames/s   {1e3 * spent / len(out):6.2f} ms/clip")
    return out


def main(count: int = 500) -> None:
    rng = np.random.default_rng(0)
    begin = time.perf_counter()
    scripts = [sample_script(rng) for _ in range(count)]
    spent = time.perf_counter() - begin
    print(f"{'sample':12s} {count / spent:12,.0f} scripts/s  mean length {np.mean([s.seconds for s in scripts]):.2f} s")
    perform(scripts[0])  # loads the head
    blank = [perform(scripts[0])] * count
    clips = report("perform", blank, lambda i: perform(scripts[i]))
    alive = report("add_idle", clips, lambda i: add_idle(clips[i], i))
    report("filter_idle", alive, lambda i: filter_idle(alive[i]))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
