"""Speed of the language model on this machine: loading, training steps, generation."""

from __future__ import annotations

import time

import numpy as np
import torch

from ..llm.base import load_base
from ..llm.config import OptimConfig
from ..llm.examples import Batch
from ..llm.generate import MotionLM
from ..llm.lora import LoraConfig
from ..llm.model import MotionModel, compute_dtype
from ..llm.train import make_optimizer
from ..llm.vocabulary import MotionVocabulary
from ..tokenizer.changes import ChangeLayout
from .report import Row, Tables

LAYOUT = ChangeLayout((80, 60, 140, 60, 90, 50), (0, 0, 0, 0, 0, 0))


def _batch(rows: int, width: int, model: MotionModel, text_share: float = 0.15) -> Batch:
    """Random ids; the second half of each row carries a loss."""
    rng = np.random.default_rng(0)
    ids = torch.from_numpy(rng.integers(3, model.vocabulary.n_text, (rows, width)))
    at = torch.arange(rows * width).view(rows, width)[:, width // 2 : -1].flatten()
    n_text = int(len(at) * text_share)
    text, motion = at[:n_text], at[n_text:]
    n = LAYOUT.n_symbols
    legal = torch.ones(len(motion), n + 1, dtype=torch.bool)
    return Batch(ids, text, torch.randint(0, 1000, (len(text),)), motion, torch.randint(0, n, (len(motion),)), legal)


def _training_speed(model: MotionModel, rows: int, width: int, steps: int = 5) -> float:
    """Tokens a second of whole optimiser steps."""
    optimizer = make_optimizer(model, OptimConfig(lr=1e-9))
    batch = _batch(rows, width, model)

    def step() -> None:
        model(batch)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()
    started = time.perf_counter()
    for _ in range(steps):
        step()
    return steps * rows * width / (time.perf_counter() - started)


def lm_speed(layers: int = 15, rank: int = 64, threads: int = 0) -> Tables:
    """Training steps, generation and loading of the base model with random motions: speed is not a matter of what it learned."""
    if threads:
        torch.set_num_threads(threads)
    started = time.perf_counter()
    first = (layers + 1) // 2
    base = load_base(None, first, layers - first, compute_dtype())
    vocabulary = MotionVocabulary(len(base.model.get_input_embeddings().weight), LAYOUT)
    model = MotionModel(base, vocabulary, LoraConfig(rank, rank))
    rows: list[Row] = [{"what": "load", "s": time.perf_counter() - started}]
    for count, width in ((8, 64), (8, 100), (16, 64)):
        rows.append({"what": f"train {count} x {width}", "tokens/s": _training_speed(model, count, width)})
    lm = MotionLM(model)
    for count in (1, 8, 32):
        lm.perform(["smile"] * count, [0.5] * count)
        started = time.perf_counter()
        made = lm.perform(["smile, then turn the head to the left and nod twice"] * count, [2.0] * count)
        spent = time.perf_counter() - started
        rows.append({"what": f"generate {count} motions of 2 s", "s": spent, "tokens/s": sum(map(len, made)) / spent})
    return {f"language model, {layers} layers, rank {rank}, {model.dtype}": rows}
