"""Time of `generate`: the first call of a process, and later calls.

    python benchmarks/generate_speed.py [--json]

Prints seconds for loading, for the first 4 s clip, for further 4 s clips (median of 5), the
ratio of motion to computing time, and for 16 prompts in one batch.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time

PROMPTS = (
    "She smiles broadly, then nods twice.", "He raises his brows and looks surprised.", "Wink with your left eye, then grin.",
    "They shake their head while frowning.", "A man talks, then presses his lips together.", "She looks sad and tilts her head.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--weights")
    args = parser.parse_args()
    started = time.perf_counter()
    from facelm.agent.pipeline import FaceLM

    agent = FaceLM.from_pretrained(args.weights)
    loaded = time.perf_counter()
    agent.generate(PROMPTS[0], seconds=4.0, seed=0)
    first = time.perf_counter()
    times = []
    for i, prompt in enumerate(PROMPTS[1:]):
        begin = time.perf_counter()
        agent.generate(prompt, seconds=4.0, seed=i)
        times.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    agent.generate_many([PROMPTS[i % len(PROMPTS)] for i in range(16)], seconds=4.0)
    batch = time.perf_counter() - begin
    warm = statistics.median(times)
    result = {
        "cores": os.cpu_count(), "load_s": loaded - started, "first_call_s": first - loaded, "warm_4s_clip_s": warm,
        "realtime_ratio": 4.0 / warm, "batch_of_16_s": batch, "batch_realtime_ratio": 64.0 / batch}
    print(json.dumps(result) if args.json else "\n".join(f"{k:<22s}{v:.2f}" for k, v in result.items()))


if __name__ == "__main__":
    main()
