"""Requests side by side: tokens a second, time to the first frame and memory at 1, 8 and 32 of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from ..agent.pipeline import weights_dir
from ..common.optional import require
from ..data_gen.text.quantities import find_quantities
from ..llm.backends import Backend
from ..llm.generate import LIKELIEST, MotionLM, Reading, Sampling
from ..llm.grammar.script_tokens import Quantities
from .report import Row, Tables
from .server import Client, resident, served

TEXTS = ("She smiles broadly, then nods twice.", "He raises his brows and looks surprised.", "Wink with your left eye and grin.",
         "They shake their head while frowning.", "She looks sad and tilts her head.", "A tired man yawns, then looks up.",
         "He purses his lips for two seconds, then puffs his cheeks.", "She blinks three times quickly and smirks on the right.")
COUNTS = (1, 8, 32)


def batching(backend: Backend = "torch", lanes: int = 8, rounds: int = 3, threads: int = 0) -> Tables:
    """Readings of many threads with one decoder, and prompts of many clients at one server.

    Parameters
    ----------
    backend
        What decodes: torch or vllm.
    lanes
        Requests that the server works on side by side; 1 is one after another; 0 leaves the server out.
    rounds
        Repetitions; the fastest one counts for speed, all of them for times.
    threads
        Of the processor; 0 leaves it to torch.
    """
    if threads:
        torch.set_num_threads(threads)
    tables = {f"decoder, {backend}": _decoder(backend, rounds)}
    return {**tables, f"server, {lanes} lanes": _server(backend, lanes, rounds)} if lanes else tables


def _decoder(backend: Backend, rounds: int) -> list[Row]:
    lm = MotionLM.from_pretrained(weights_dir() / "llm", backend=backend)

    def read(k: int, sampling: Sampling = LIKELIEST) -> Reading:
        marked = find_quantities(TEXTS[k % len(TEXTS)])
        return lm.read([marked.text], [Quantities(marked.t, marked.p, marked.c)], sampling, [k])[0]

    rows: list[Row] = []
    for k in range(len(TEXTS)):
        read(k)  # warm
    for count in COUNTS:
        alone, apart = _timed(lm, lambda n=count: [read(k) for k in range(n)], rounds)
        with ThreadPoolExecutor(count) as pool:
            together, beside = _timed(lm, lambda n=count: list(pool.map(read, range(n))), rounds)  # noqa: B023
            drawn = [read(k, Sampling(0.8)) for k in range(count)]
            besides = list(pool.map(lambda k: read(k, Sampling(0.8)), range(count)))
        pairs = [*zip(apart, beside, strict=True), *zip(drawn, besides, strict=True)]
        rows.append({
            "requests": count, "one after another": f"{alone['rate']:.0f} tokens/s",
            "together": f"{together['rate']:.0f} tokens/s, {together['width']:.1f} a step",
            "per second of a core": f"{alone['core']:.0f} -> {together['core']:.0f} tokens",
            "all done after": f"{alone['s']:.2f} -> {together['s']:.2f} s",
            "same reading": f"{sum(a.script == b.script for a, b in pairs)} of {len(pairs)}",
            "largest difference": f"{max(abs(a.nats - b.nats) for a, b in pairs):.4f} nats", "memory": f"{resident():.0f} MB"})
    return rows


def _timed(lm: MotionLM, work: Callable[[], list[Reading]], rounds: int) -> tuple[dict[str, float], list[Reading]]:
    best: dict[str, float] = {}
    out: list[Reading] = []
    for _ in range(rounds):
        tokens, steps, began, worked = lm.decoder.tokens, lm.decoder.steps, time.perf_counter(), time.process_time()
        out = work()
        spent, worked = time.perf_counter() - began, time.process_time() - worked
        written = lm.decoder.tokens - tokens
        if not best or spent < best["s"]:
            best = {"s": spent, "rate": written / spent, "core": written / worked,
                    "width": written / max(1, lm.decoder.steps - steps)}
    return best, out


def _server(backend: Backend, lanes: int, rounds: int) -> list[Row]:
    require("websockets", "app")
    rows: list[Row] = []
    with served(options=("--lanes", str(lanes), "--backend", backend)) as server:
        clients = [Client(server, f"c{k}") for k in range(max(COUNTS))]
        for k in range(4):
            clients[k].ask(TEXTS[k])  # warm
        for count in COUNTS:
            first: list[float] = []
            spent, tokens = 0.0, _metric(server, "facelm_tokens_total")
            with ThreadPoolExecutor(count) as pool:
                for round_ in range(rounds):
                    began = time.perf_counter()
                    asked = [pool.submit(clients[k].ask, TEXTS[(k + round_) % len(TEXTS)]) for k in range(count)]
                    first += [shown or whole for _, shown, whole in (a.result() for a in asked)]
                    spent += time.perf_counter() - began
            rows.append({"requests": count, "first frame, median": f"{statistics.median(first):.2f} s",
                         "worst": f"{max(first):.2f} s",
                         "replies": f"{count * rounds / spent:.1f} /s",
                         "tokens": f"{(_metric(server, 'facelm_tokens_total') - tokens) / spent:.0f} /s",
                         "memory": f"{server.memory:.0f} MB"})
    return rows


def _metric(server: Any, name: str) -> float:
    lines = server.get("/metrics").decode().splitlines()
    return next(float(x.split()[1]) for x in lines if x.startswith(f"{name} "))
