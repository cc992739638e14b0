"""Speed of the language model on this machine (loading, training steps, generation), and motion tokenizers compared."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..agent.learning.training import tokenizer_clips
from ..common.files import write_json
from ..eval.features.train import train_matcher
from ..eval.items import fresh_items
from ..eval.reconstruction import evaluate_tokenizer
from ..face.facs.schedule import Event, Schedule
from ..face.head.model import HeadModel
from ..llm.base import load_base
from ..llm.config import OptimConfig
from ..llm.examples import Batch
from ..llm.generate import MotionLM
from ..llm.grammar.script_tokens import ScriptTokens
from ..llm.grammar.windows import cut
from ..llm.lora import LoraConfig
from ..llm.model import MotionModel, compute_dtype
from ..llm.train import make_optimizer
from ..llm.vocabulary import MotionVocabulary
from ..tokenizer.changes import ChangeLayout
from ..tokenizer.config import TokenizerConfig, TokenizerRecipe, TokenizerTrainConfig
from ..tokenizer.train import train_tokenizer
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
    none = torch.zeros(0, dtype=torch.long)
    return Batch(ids, text, torch.randint(0, 1000, (len(text),)), motion, torch.randint(0, n, (len(motion),)), legal, none, none)


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
    vocabulary = MotionVocabulary(len(base.model.get_input_embeddings().weight), LAYOUT, ScriptTokens.default())
    model = MotionModel(base, vocabulary, LoraConfig(rank, rank))
    rows: list[Row] = [{"what": "load", "s": time.perf_counter() - started}]
    for count, width in ((8, 64), (8, 100), (16, 64)):
        rows.append({"what": f"train {count} x {width}", "tokens/s": _training_speed(model, count, width)})
    lm = MotionLM(model)
    events = (Event("smile", 0.0, 0.4, 0.5, 0.3), Event("turn_left", 0.6, 0.3, 0.3, 0.3),
              Event("nod", 1.2, 0.2, 0.3, 0.2, 0.7, 2))
    short, window = (cut(Schedule(s, e), LAYOUT.step_seconds)[0] for s, e in ((0.5, ()), (2.0, events)))
    for count in (1, 8, 32):
        lm.perform_windows([short] * count, [None] * count, [(0, i) for i in range(count)])
        started = time.perf_counter()
        made = lm.perform_windows([window] * count, [None] * count, [(0, i) for i in range(count)])
        spent = time.perf_counter() - started
        tokens = sum(len(LAYOUT.encode(codes)) for codes in made)
        rows.append({"what": f"perform {count} windows of 2 s", "s": spent, "tokens/s": tokens / spent})
    return {f"language model, {layers} layers, rank {rank}, {model.dtype}": rows}


BASE = TokenizerConfig()
SHIPPED = replace(BASE, grouping="eight", small_levels=(5, 5, 5, 5), wide=("lids", "corners"))
ONE = replace(BASE, grouping="one", quantizer="vq", codebook_size=512, hidden=96)
VARIANTS: dict[str, tuple[TokenizerConfig, dict[str, Any]]] = {
    "eight streams, FSQ, 4 frames (shipped)": (SHIPPED, {}),
    "six streams, FSQ, 4 frames": (BASE, {}),
    "six streams, VQ 256": (replace(BASE, quantizer="vq", codebook_size=256), {}),
    "one stream, VQ 512 (as T2M-GPT)": (ONE, {}),
    "one stream, VQ 512, 2 frames": (replace(ONE, frames_per_step=2), {}),
    "one stream, VQ 512, 1 frame": (replace(ONE, frames_per_step=1), {}),
    "one stream, RVQ 2 x 512": (replace(ONE, quantizer="rvq"), {}),
    "one stream, VQ 1024": (replace(ONE, codebook_size=1024), {}),
    "one stream, FSQ 8 x 8 x 8": (replace(ONE, quantizer="fsq", wide_levels=(8, 8, 8)), {}),
    "two streams, FSQ": (replace(BASE, grouping="two", hidden=72), {}),
    "three streams, FSQ": (replace(BASE, grouping="three", hidden=60), {}),
    "six streams, FSQ, 2 frames": (replace(BASE, frames_per_step=2), {}),
    "six streams, FSQ, 5 frames": (replace(BASE, frames_per_step=5), {}),
    "six streams, FSQ, 8 frames": (replace(BASE, frames_per_step=8), {}),
    "no change penalty, no dead zone": (BASE, {"change_penalty": 0.0, "dead_zone": 0.0, "dead_zone_mm": 0.0}),
    "change penalty x 5": (BASE, {"change_penalty": 0.1}),
    "four mouth latents": (replace(BASE, wide_levels=(5, 5, 5, 5)), {}),
}


def tokenizers(results: Path = Path("runs/tokenizers.json"), steps: int = 1200, clips: int = 3000, items: int = 300,
               only: tuple[str, ...] = ()) -> Tables:
    """Compare motion tokenizers: error, action recall, tokens and bits a second.

    Every variant is trained on the same animated clips for the same number of steps and scored on the same fresh test clips.

    Parameters
    ----------
    results
        JSON file to which results are added as they come, so that the run can be stopped and continued.
    steps
        Training steps a variant.
    clips, items
        Training and test clips.
    only
        Names of variants.
    """
    if unknown := [name for name in only if name not in VARIANTS]:
        raise ValueError(f"no tokenizer {unknown[0]!r}; known: {', '.join(VARIANTS)}")
    torch.set_num_threads(1)
    results.parent.mkdir(parents=True, exist_ok=True)
    done = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else {}
    head, test = HeadModel.default(), fresh_items(items)
    training = None
    for name, (model, changes) in VARIANTS.items():
        if name in done or (only and name not in only):
            continue
        train = replace(TokenizerTrainConfig(steps=steps, clips=clips), **changes)
        # a window of the same number of frames whatever the step
        train = replace(train, window_steps=max(6, 48 // model.frames_per_step))
        recipe = TokenizerRecipe(model, train)
        training = training or tokenizer_clips(recipe, None)
        started = time.monotonic()
        report = evaluate_tokenizer(train_tokenizer(recipe, training, head), [i.clip for i in test])
        done[name] = {**report.to_dict(), "minutes": (time.monotonic() - started) / 60, "steps": steps}
        write_json(results, done, 1)
        print(name, "\n" + report.table(), file=sys.stderr, flush=True)
    return {"tokenizers": [
        {"tokenizer": name, "symbols": r["symbols"], "lips, mm": r["mm"]["lips"], "lids, mm": r["mm"]["lids"],
         "head, degrees": r["head_deg"], "jitter": r["jitter"], "action recall": r["action_recall"],
         "precision": r["action_precision"], "tokens/s": r["tokens_per_second"], "bits/s": r["bits_per_second"],
         "every code, tokens/s": r["every_code"][0], "every code, bits/s": r["every_code"][1]}
        for name, r in done.items()]}


def retrieval(folder: Path = Path("runs/retrieval"), pairs: int = 10000, steps: int = 900, minutes: float = 0.0, seed: int = 0,
              workers: int = 2) -> Tables:
    """Train the text-motion retrieval model and measure it on held-out pairs.

    Parameters
    ----------
    folder
        Where it goes; a run that was stopped goes on.
    pairs
        Texts with motions to train on.
    steps, minutes
        Budget of training; 0 is none.
    seed
        Of data and weights.
    workers
        Processes that make the data.
    """
    about = train_matcher(folder, pairs, minutes, steps, seed, workers).about
    return {"retrieval": [{**about["held_out"], "held-out pairs": about["held_out_pairs"], "steps": about["steps"],
                           "minutes": about["minutes"]}]}
