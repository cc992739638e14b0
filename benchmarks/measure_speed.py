"""How long measuring a clip takes: ``python -m facelm.benchmarks.measure_speed`` or run this file.

Prints milliseconds of processor time a clip (so that a busy machine does not matter) over sampled
performances, for clips of one identity and of new identities, and the share of the steps.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.sampler import sample_script
from facelm.face.facs.measure import measure, measure_signals
from facelm.face.facs.signals import signals_of
from facelm.face.head.model import HeadModel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=200, help="sampled clips to measure")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    head = HeadModel.default()
    rng = np.random.default_rng(args.seed)
    one = np.zeros(head.n_shape, np.float32)
    for label in ("one identity", "an identity for each clip"):
        clips = [
            perform(
                sample_script(rng),
                head,
                shape=one
                if label.startswith("one")
                else rng.normal(size=head.n_shape).clip(-2, 2).astype(np.float32),
            )
            for _ in range(args.clips)
        ]
        measure(clips[0], head)
        whole, frames = [], []
        for clip in clips:
            start = time.process_time()
            measure(clip, head)
            whole.append(time.process_time() - start)
            frames.append(len(clip))
        start = time.process_time()
        signals = [signals_of(clip, head) for clip in clips]
        per_frame = (time.process_time() - start) / len(clips)
        start = time.process_time()
        for s in signals:
            measure_signals(s)
        timeline = (time.process_time() - start) / len(clips)
        print(
            f"{label}: median {1e3 * np.median(whole):.2f} ms, mean {1e3 * np.mean(whole):.2f} ms a clip of "
            f"{np.mean(frames):.0f} frames ({np.mean(frames) / np.mean(whole):.0f} frames/s); "
            f"signals {1e3 * per_frame:.2f} ms, timeline {1e3 * timeline:.2f} ms"
        )


if __name__ == "__main__":
    main()
