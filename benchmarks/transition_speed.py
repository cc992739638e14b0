"""Time of one transition of 75 frames, on two idle cores: ``python benchmarks/transition_speed.py [--i2fet DIR] [--json]``.

Prints seconds for loading, for the first transition of the process (cold) and for later ones (median and slowest of
``--tries``), by the language model with the default settings, from a source face and from rest, and with each curve;
and, with ``--i2fet DIR`` (a folder that ``facelm eval transitions`` trained), the same for I2FET and FET, without rendering.
Targets: below 3 s, and below 0.1 s.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

from facelm.data_gen.text.transition_text import instruction
from facelm.face.facs.vocabulary import EMOTIONS

SECONDS = 3.0
PAIRS = [(a, b) for a in EMOTIONS[1:] for b in EMOTIONS[1:] if a != b]


def measured(work: Callable[[int], object], tries: int) -> dict[str, float]:
    """Seconds of the first call, and of the ``tries`` calls after it."""
    times = []
    for i in range(tries + 1):
        begin = time.perf_counter()
        work(i)
        times.append(time.perf_counter() - begin)
    return {"cold_s": times[0], "warm_s": statistics.median(times[1:]), "slowest_warm_s": max(times[1:])}


def text_of(i: int) -> str:
    return instruction(*PAIRS[i * 11 % len(PAIRS)], template=i % 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=10, metavar="K")
    parser.add_argument("--i2fet", metavar="DIR", help="a trained I2FET")
    parser.add_argument("--weights", metavar="DIR")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    import torch

    torch.set_num_threads(min(2, os.cpu_count() or 1))
    result: dict[str, object] = {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "frames": round(SECONDS * 25),
                                 "load_average": round(os.getloadavg()[0], 2)}
    begin = time.perf_counter()
    from facelm.agent.pipeline import FaceLM

    agent = FaceLM.from_pretrained(args.weights)
    result["load_s"] = time.perf_counter() - begin
    result["language model, from rest"] = measured(lambda i: agent.transition(text_of(i), seconds=SECONDS), args.tries)
    source = agent.transition(text_of(3), seconds=SECONDS).clip
    for curve in ("learned", "linear", "minjerk"):
        result[f"language model, from a source, {curve}"] = measured(
            lambda i, curve=curve: agent.transition(text_of(i), source, SECONDS, curve=curve), args.tries)
    if args.i2fet:
        from facelm.agent.transition import baseline_transition
        from facelm.eval.baselines.i2fet.train import TrainedI2FET

        begin = time.perf_counter()
        model = TrainedI2FET.load(args.i2fet)
        result["i2fet_load_s"] = time.perf_counter() - begin
        result["I2FET and FET"] = measured(
            lambda i: baseline_transition(model, text_of(i), source, seconds=SECONDS, seed=i), args.tries)
    if args.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        shown = ", ".join(f"{k} {v:.3f}" for k, v in value.items()) if isinstance(value, dict) else f"{value:.4g}"
        print(f"{name:<42s}{shown}")


if __name__ == "__main__":
    main()
