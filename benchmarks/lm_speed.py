"""Speed of the language model on this machine: training steps, generation, loading.

    python benchmarks/lm_speed.py [--layers 15] [--rank 64] [--threads 2]

Uses the base model that facelm finds and random motions: speed does not depend on what was learned.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from facelm.llm.base import load_base
from facelm.llm.config import OptimConfig
from facelm.llm.examples import Batch
from facelm.llm.generate import MotionLM
from facelm.llm.lora import LoraConfig
from facelm.llm.model import MotionModel, compute_dtype
from facelm.llm.train import make_optimizer
from facelm.llm.vocabulary import MotionVocabulary
from facelm.tokenizer.changes import ChangeLayout

LAYOUT = ChangeLayout((80, 60, 140, 60, 90, 50), (0, 0, 0, 0, 0, 0))


def batch_of(rows: int, width: int, model: MotionModel, text_share: float = 0.15) -> Batch:
    """Random ids; the second half of each row carries a loss."""
    rng = np.random.default_rng(0)
    ids = torch.from_numpy(rng.integers(3, model.vocabulary.n_text, (rows, width)))
    at = torch.arange(rows * width).view(rows, width)[:, width // 2 : -1].flatten()
    n_text = int(len(at) * text_share)
    text, motion = at[:n_text], at[n_text:]
    n = LAYOUT.n_symbols
    legal = torch.ones(len(motion), n + 1, dtype=torch.bool)
    return Batch(ids, text, torch.randint(0, 1000, (len(text),)), motion, torch.randint(0, n, (len(motion),)), legal)


def training_speed(model: MotionModel, rows: int, width: int, steps: int = 5) -> float:
    """Tokens a second of whole optimiser steps."""
    optimizer = make_optimizer(model, OptimConfig(lr=1e-9))
    batch = batch_of(rows, width, model)

    def step() -> None:
        model(batch)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()
    started = time.perf_counter()
    for _ in range(steps):
        step()
    return steps * rows * width / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=15)
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    started = time.perf_counter()
    first = (args.layers + 1) // 2
    base = load_base(None, first, args.layers - first, compute_dtype())
    vocabulary = MotionVocabulary(len(base.model.get_input_embeddings().weight), LAYOUT)
    model = MotionModel(base, vocabulary, LoraConfig(args.rank, args.rank))
    print(f"load {time.perf_counter() - started:.1f} s; {args.layers} layers, rank {args.rank}, {model.dtype}")
    for rows, width in ((8, 64), (8, 100), (16, 64)):
        print(f"train {rows} x {width}: {training_speed(model, rows, width):.0f} tokens/s")
    lm = MotionLM(model)
    for count in (1, 8, 32):
        lm.perform(["smile"] * count, [0.5] * count)
        started = time.perf_counter()
        made = lm.perform(["smile, then turn the head to the left and nod twice"] * count, [2.0] * count)
        elapsed = time.perf_counter() - started
        tokens = sum(map(len, made))
        print(f"generate {count} motions of 2 s: {elapsed:.2f} s, {tokens / elapsed:.0f} tokens/s")


if __name__ == "__main__":
    main()
