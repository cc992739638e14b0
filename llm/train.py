"""Training of the language model: setup -> main -> fit -> validate, on the loop of ``common/training.py``.

Runs through ``accelerate``: the same call trains on CPU cores, one GPU or several (under ``accelerate launch``). A run
may be bound by steps or by wall-clock time; the schedule follows whichever is further on, so that a time-bound run
ends fully decayed. Batches are a function of (seed, position) and nothing else is random.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..common.files import digest
from ..common.optional import require
from ..common.progress import Progress
from ..common.training import CHECKPOINT, Every, Losses, Plan, Reached, Run, Task, cosine, fit
from ..tokenizer.changes import ChangeLayout
from .base import load_base
from .config import DataConfig, OptimConfig, TrainConfig
from .data import read_clips, read_pieces, read_plan_lines, read_readings
from .examples import Examples, Position, Stream, validation_batches
from .grammar.script_tokens import ScriptTokens
from .lora import PeftLayout
from .model import Batch, MotionModel, compute_dtype, read_adapter, read_card
from .vocabulary import MotionVocabulary

KINDS = ("motion", "text", "script")
"""Kinds of loss."""


@dataclass(frozen=True)
class Sources:
    """Files of training data; each holds a kind of sequence (``examples.py``)."""

    clips: str | os.PathLike[str] | None = None
    """Parquet file or folder with symbols (``prepare_tokens``); splits ``train`` and ``val``."""
    readings: str | os.PathLike[str] | None = None
    readings_held_out: str | os.PathLike[str] | None = None
    pieces: str | os.PathLike[str] | None = None
    pieces_held_out: str | os.PathLike[str] | None = None
    plans: str | os.PathLike[str] | None = None
    plans_held_out: str | os.PathLike[str] | None = None

    def train(self, layout: ChangeLayout) -> Examples:
        """What is learned from."""
        return Examples(read_clips(self.clips, "train", layout) if self.clips else (),
                        read_readings(self.readings) if self.readings else (),
                        read_pieces(self.pieces, layout) if self.pieces else (),
                        read_plan_lines(self.plans) if self.plans else ())

    def held_out(self, layout: ChangeLayout, limit: int) -> Examples:
        """What is kept for validation."""
        return Examples(read_clips(self.clips, "val", layout, limit, needed=False) if self.clips else (),
                        read_readings(self.readings_held_out) if self.readings_held_out else (),
                        read_pieces(self.pieces_held_out, layout) if self.pieces_held_out else (),
                        read_plan_lines(self.plans_held_out) if self.plans_held_out else ())


@dataclass(frozen=True)
class TrainResult:
    """Where the adapter lies and what the run reached (``validation``: nats by task and kind)."""

    directory: Path
    reached: Reached
    validation: dict[str, float]


def train(
    config: TrainConfig,
    sources: Sources,
    layout: ChangeLayout,
    out: str | os.PathLike[str],
    resume: bool = True,
    progress: Progress | None = None,
    info: dict[str, Any] | None = None,
    init: str | os.PathLike[str] | None = None,
) -> TrainResult:
    """Train an adapter.

    Args:
        config: the recipe.
        sources: the files of training data.
        layout: of the motion tokenizer that made the symbols.
        out: directory of the adapter, its checkpoint and ``log.jsonl``.
        resume: go on from the checkpoint there is.
        progress: see ``common.training.fit``.
        info: written into the adapter's card.
        init: directory of a saved adapter to start from (same base, layers and rank); script tokens that it lacks start from
            what they mean, the motion rows of another motion tokenizer anew. A checkpoint in ``out`` wins over it.

    Raises:
        FileNotFoundError, ValueError: see ``read_clips``, ``load_base``, ``read_adapter``; a checkpoint of another configuration.
    """
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    data, held_out = sources.train(layout), sources.held_out(layout, 8 * config.run.val_examples)
    base = load_base(config.model.name, config.model.keep_first, config.model.keep_last, compute_dtype(_device()))
    network: Any = base.model
    network.to(_device())  # before MotionModel, which chooses the attention by device
    vocabulary = MotionVocabulary(len(network.get_input_embeddings().weight), layout, ScriptTokens.default())
    model = MotionModel(base, vocabulary, config.lora, config.run.seed)
    if init is not None:
        known = MotionVocabulary.from_json(read_card(init)["vocabulary"])
        model.load_adapter_state(_with_rows(read_adapter(init), known, model))
    return main(setup(config, model, data, held_out, Path(out), resume), progress, info)


def _with_rows(state: dict[str, Tensor], known: MotionVocabulary, model: MotionModel) -> dict[str, Tensor]:
    """An adapter's tensors with the rows of the model's vocabulary; those that the adapter lacks are the model's own.

    The motion rows of another tokenizer mean other movements and are left out.
    """
    rows, own = model.rows.detach().clone(), model.vocabulary
    old, new = 2 + known.layout.n_symbols, 2 + own.layout.n_symbols
    kept = old if known.layout == own.layout else 2
    rows[:kept] = state[PeftLayout.ROWS][:kept].to(rows)
    for name, at in known.script.at.items():
        if name in own.script.at:
            rows[new + own.script.at[name]] = state[PeftLayout.ROWS][old + at].to(rows)
    return {**state, PeftLayout.ROWS: rows}


def setup(config: TrainConfig, model: MotionModel, data: Examples, held_out: Examples, out: Path, resume: bool = True) -> Run:
    """A run with optimiser, stream and validation batches, and with the checkpoint's state when there is one."""
    task, settings = MotionTask(config, model, data, held_out), config.run
    plan = Plan(settings.max_steps, settings.max_minutes, config.optim.clip, Every(minutes=settings.save_minutes),
                Every(minutes=settings.val_minutes), Every(steps=20))
    out.mkdir(parents=True, exist_ok=True)
    run = Run(task, plan, out)
    if not resume:
        return run
    if not (out / CHECKPOINT).is_file() and (old := next(out.glob("checkpoint-*"), None)):
        raise ValueError(f"{old} is a checkpoint of an earlier facelm, which this one does not read; delete it, or use --restart")
    return run.resume()


def main(run: Run, progress: Progress | None = None, info: dict[str, Any] | None = None) -> TrainResult:
    """Fit, validate and write the adapter."""
    task, reached = run.task, run.reached
    assert isinstance(task, MotionTask) and run.folder is not None
    fit(run, progress)
    final = task.validate()
    run.save()
    if task.first:
        counts = {"sequences": 0, "answers": 0, "tokens": 0, **reached.counts}
        facts = {
            "config": asdict(task.config),
            "steps": reached.step,
            "minutes": round(reached.seconds / 60, 2),
            "sequences": counts["sequences"],
            "answer_tokens": counts["answers"],
            "tokens": counts["tokens"],
            "data": {kind: len(items) for kind, items in vars(task.stream.data).items()},
            "validation": final,
            **(info or {}),
        }
        task.model.save_adapter(run.folder, facts)
    return TrainResult(run.folder, reached, final)


class MotionTask(Task):
    """Next tokens of the sequences of ``examples.Stream``."""

    title = "language model"
    model: MotionModel

    def __init__(self, config: TrainConfig, model: MotionModel, data: Examples, held_out: Examples) -> None:
        accelerate = require("accelerate", "train", "training the language model needs accelerate")
        self.accelerator: Any = accelerate.Accelerator(mixed_precision="no", cpu=_device() == "cpu")
        self.config = config
        self.model = model.train().to(self.accelerator.device)
        self.optimizer = make_optimizer(self.model, config.optim)
        self.wrapped: Any = self.accelerator.prepare(self.model)
        seed = config.run.seed
        self.stream = Stream(data, model.template, config.data, seed)
        self.held_out = validation_batches(held_out, model.template, config.data, config.run.val_examples, seed)
        self.key = {"model": asdict(config.model), "lora": asdict(config.lora)}
        self.first = self.accelerator.is_main_process

    def batches(self, reached: Reached) -> Iterator[tuple[Batch, dict[str, Any]]]:
        """Of each ``num_processes`` batches this process's one, with the position after them all."""
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        stream = self.stream.batches(_position(reached.position, self.config.data), self.config.run.workers)
        data = digest(asdict(self.config.data))
        while True:
            group = [next(stream) for _ in range(world)]
            yield group[rank][0], {**asdict(group[-1][1]), "data": data}

    def losses(self, batch: Batch) -> Losses:
        found, world = self.wrapped(batch.to(self.accelerator.device)), self.accelerator.num_processes
        tokens = int((batch.ids != self.model.template.stop).sum()) + len(batch.ids)
        answers = int(sum(found[f"n_{kind}"] for kind in KINDS))
        counts = {"sequences": len(batch.ids) * world, "answers": answers * world, "tokens": tokens * world}
        return Losses(found["loss"], sums={k: v for k, v in found.items() if k != "loss"}, counts=counts)

    def rate(self, share: float, step: int) -> float:
        return learning_rate_factor(self.config.optim, share, step)

    def line(self, sums: Mapping[str, float], seconds: float) -> dict[str, float]:
        return {
            **{kind: round(sums[kind] / max(1, sums[f"n_{kind}"]), 4) for kind in KINDS},
            "tokens_per_second": round(sums["tokens"] / seconds, 1),
            "answers_per_second": round(sums["answers"] / seconds, 1),
        }

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean nats per answer token on the held-out batches, by task and kind, and nats per answer of scripts and motions."""
        self.model.eval()
        found: dict[str, float] = {}
        for name, batches in self.held_out.items():
            losses = [self.model(batch.to(self.accelerator.device)) for batch in batches]
            total = {k: sum(float(x[k]) for x in losses) for k in losses[0] if k != "loss"}
            shown = [k for k in KINDS if total[f"n_{k}"] and (k != "text" or name == "understand")]
            found |= {f"{name}/{k}": total[k] / total[f"n_{k}"] for k in shown}
            if name != "understand":
                found[f"{name}/nats_an_answer"] = sum(total[k] for k in KINDS) / sum(len(batch.ids) for batch in batches)
        self.model.train()
        return {name: round(value, 4) for name, value in found.items()}

    def state(self) -> dict[str, Tensor]:
        return {name: value.float() for name, value in self.model.adapter_state().items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.model.load_adapter_state(state)

    def agree(self, share: float) -> float:
        if self.accelerator.num_processes == 1:
            return share
        from accelerate.utils import broadcast

        return float(broadcast(torch.tensor(share, device=self.accelerator.device)))


def learning_rate_factor(config: OptimConfig, done: float, step: int) -> float:
    """Factor on the highest rate at share ``done`` of the run, in (0, 1]."""
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    if config.schedule == "cosine":
        return warm * cosine(done, config.floor)
    shape = 1 - done if config.schedule == "linear" else min(1.0, (1 - done) / config.decay)
    return warm * (config.floor + (1 - config.floor) * shape)


def make_optimizer(model: MotionModel, config: OptimConfig) -> torch.optim.AdamW:
    """AdamW with a group each for A matrices, B matrices and motion rows (which do not decay)."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    groups = [
        {"params": [p for name, p in named if name.endswith(kind)], "lr": config.lr * ratio, "weight_decay": decay}
        for kind, ratio, decay in (("lora_A", 1.0, config.weight_decay), ("lora_B", config.b_ratio, config.weight_decay),
                                   ("rows", config.rows_ratio, 0.0))
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], betas=config.betas, fused=True)


def _position(saved: dict[str, Any] | None, config: DataConfig) -> Position:
    """Where the stream goes on; with other settings of the data in a new window, since windows are cut by them."""
    if saved is None:
        return Position()
    if saved["data"] != digest(asdict(config)):
        return Position(saved["window"] + 1)
    return Position(saved["window"], saved["batch"])


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
