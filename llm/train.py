"""Training: ``train(config, corpus, out)``. Reads as setup -> fit -> validate.

Runs through ``accelerate``: the same call trains on CPU cores, one GPU or several (under
``accelerate launch``). A run may be bound by steps or by wall-clock time; the schedule
follows whichever is further on, so a time-bound run ends fully decayed. Batches are a
function of (seed, position) and nothing else is random, so a run that was stopped and
resumed gives the weights of one that was not.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from ..tokenizer.changes import ChangeLayout
from .base import load_base
from .config import OptimConfig, TrainConfig
from .examples import Clip, Position, Stream, read_clips, validation_batches
from .model import Batch, MotionModel, compute_dtype, read_adapter, read_card
from .vocabulary import MotionVocabulary


@dataclass
class Progress:
    """What a run has done; saved with each checkpoint.

    Attributes:
        step: optimiser steps.
        seconds: training time, of all the run's parts.
        position: of the batch stream.
        answers: answer tokens learned from.
        tokens: tokens processed, padding left out.
        sequences: sequences seen.
    """

    step: int = 0
    seconds: float = 0.0
    position: Position = Position()
    answers: int = 0
    tokens: int = 0
    sequences: int = 0


@dataclass(frozen=True)
class Setup:
    """Everything that ``fit`` works with."""

    config: TrainConfig
    out: Path
    accelerator: Any
    model: MotionModel
    wrapped: Any
    optimizer: Any
    stream: Stream
    validation: dict[str, list[Batch]]
    progress: Progress


@dataclass(frozen=True)
class TrainResult:
    """Where the adapter lies and what the run reached (``validation``: nats by task and kind)."""

    directory: Path
    progress: Progress
    validation: dict[str, float]


def train(
    config: TrainConfig,
    corpus: str | os.PathLike[str],
    layout: ChangeLayout,
    out: str | os.PathLike[str],
    resume: bool = True,
    quiet: bool = False,
    info: dict[str, Any] | None = None,
    init: str | os.PathLike[str] | None = None,
    transitions: str | os.PathLike[str] | None = None,
) -> TrainResult:
    """Trains an adapter.

    Args:
        config: the recipe.
        corpus: Parquet file or folder with symbols (``examples.prepare_tokens``); splits ``train`` and ``val``.
        layout: of the motion tokenizer that made the symbols.
        out: directory; the adapter is written to it, checkpoints to ``out/checkpoint``.
        resume: go on from the checkpoint there is.
        quiet: no progress bar.
        info: written into the adapter's card.
        init: directory of a saved adapter to start from (same base, layers, rank and motion tokenizer);
            a checkpoint in ``out`` wins over it.
        transitions: Parquet file of transitions, laid out as ``corpus``; needed when ``data.transition`` is above 0.

    Raises:
        FileNotFoundError, ValueError: see ``read_clips``, ``load_base``, ``read_adapter``; a checkpoint of another configuration.
    """
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    clips = read_clips(corpus, "train", layout)
    held_out = _validation_clips(corpus, layout, config)
    changes = read_clips(transitions, "train", layout) if transitions and config.data.transition else []
    changes_held_out = _validation_clips(transitions, layout, config) if transitions and changes else []
    base = load_base(config.model.name, config.model.keep_first, config.model.keep_last, compute_dtype(_device()))
    network: Any = base.model
    network.to(_device())  # before MotionModel, which chooses the attention by device
    vocabulary = MotionVocabulary(len(network.get_input_embeddings().weight), layout)
    model = MotionModel(base, vocabulary, config.lora, config.run.seed)
    if init is not None:
        card = read_card(init)
        if MotionVocabulary.from_json(card["vocabulary"]) != vocabulary:
            raise ValueError(f"{init} was trained on another motion tokenizer; start from one that was trained on this one")
        model.load_adapter_state(read_adapter(init))
    run = setup(config, model, clips, held_out, Path(out), resume, changes, changes_held_out)
    return main(run, quiet, info)


def _validation_clips(corpus: str | os.PathLike[str], layout: ChangeLayout, config: TrainConfig) -> list[Clip]:
    try:
        return read_clips(corpus, "val", layout, limit=8 * config.run.val_examples)
    except ValueError:
        return []


def setup(
    config: TrainConfig,
    model: MotionModel,
    clips: list[Clip],
    held_out: list[Clip],
    out: Path,
    resume: bool,
    transitions: Sequence[Clip] = (),
    transitions_held_out: Sequence[Clip] = (),
) -> Setup:
    """Optimiser, stream, validation batches; and the checkpoint's state when there is one."""
    from accelerate import Accelerator

    accelerator = Accelerator(mixed_precision="no", cpu=_device() == "cpu")
    model.train().to(accelerator.device)
    optimizer = make_optimizer(model, config.optim)
    progress = Progress()
    checkpoint = _newest_checkpoint(out)
    if resume and checkpoint is not None:
        progress = _load_checkpoint(checkpoint, config, model, optimizer)
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    stream = Stream(clips, model.template, config.data, config.run.seed, transitions)
    held = validation_batches(
        held_out, model.template, config.data, config.run.val_examples, config.run.seed, transitions_held_out
    )
    out.mkdir(parents=True, exist_ok=True)
    return Setup(config, out, accelerator, model, wrapped, optimizer, stream, held, progress)


def main(run: Setup, quiet: bool = False, info: dict[str, Any] | None = None) -> TrainResult:
    """Fits, validates and writes the adapter."""
    fit(run, quiet)
    final = validate(run)
    if run.accelerator.is_main_process:
        _save_checkpoint(run)
        facts = {
            "config": asdict(run.config),
            "steps": run.progress.step,
            "minutes": round(run.progress.seconds / 60, 2),
            "sequences": run.progress.sequences,
            "answer_tokens": run.progress.answers,
            "tokens": run.progress.tokens,
            "clips": len(run.stream.clips),
            "validation": final,
            **(info or {}),
        }
        run.model.save_adapter(run.out, facts)
    return TrainResult(run.out, run.progress, final)


def fit(run: Setup, quiet: bool = False) -> None:
    """Steps until the budget is used, with checkpoints and validations on the way."""
    from tqdm import tqdm

    config, progress = run.config.run, run.progress
    world, rank = run.accelerator.num_processes, run.accelerator.process_index
    started = time.monotonic() - progress.seconds
    next_save = progress.seconds + 60 * config.save_minutes
    next_validation = progress.seconds + 60 * config.val_minutes
    log = (run.out / "log.jsonl").open("a", encoding="utf-8") if run.accelerator.is_main_process else None
    bar = tqdm(
        total=config.max_steps or None,
        initial=progress.step,
        disable=quiet or not run.accelerator.is_main_process,
        unit="step",
        mininterval=5,
        maxinterval=30,
        file=sys.stderr,
    )
    recent = {"motion": 0.0, "text": 0.0, "n_motion": 0, "n_text": 0, "tokens": 0, "since": progress.seconds}
    try:
        for batch, position in _every(run.stream.batches(progress.position), world, rank):
            done = _agree(run, run_share(progress, config.max_steps, config.max_minutes))
            if done >= 1:
                break
            losses = training_step(run, batch, done)
            progress.step += 1
            progress.position = position
            progress.seconds = time.monotonic() - started
            progress.sequences += len(batch.ids) * world
            progress.answers += int(losses["n_motion"] + losses["n_text"]) * world
            tokens = int((batch.ids != run.model.template.stop).sum()) + len(batch.ids)
            progress.tokens += tokens * world
            for name in ("motion", "text", "n_motion", "n_text"):
                recent[name] += float(losses[name])
            recent["tokens"] += tokens * world
            bar.update()
            if progress.step % 20 == 0 and log is not None:
                line = _report(recent, progress, done, float(losses["grad_norm"]))
                log.write(json.dumps(line) + "\n")
                log.flush()
                bar.set_postfix_str(
                    f"motion {line['motion']:.3f} text {line['text']:.3f} nats/token, "
                    f"{line['tokens_per_second']:.0f} tokens/s, "
                    f"{100 * done:.0f}% done, {_left(progress, done)} left"
                )
                recent = {key: 0 for key in recent} | {"since": progress.seconds}
            if progress.seconds >= next_save and run.accelerator.is_main_process:
                _save_checkpoint(run)
                next_save = progress.seconds + 60 * config.save_minutes
            if progress.seconds >= next_validation:
                found = validate(run)
                if log is not None:
                    log.write(json.dumps({"step": progress.step, "validation": found}) + "\n")
                    bar.write(f"step {progress.step}: " + ", ".join(f"{k} {v:.3f}" for k, v in found.items()))
                progress.seconds = time.monotonic() - started
                next_validation = progress.seconds + 60 * config.val_minutes
    finally:
        bar.close()
        if log is not None:
            log.close()


def training_step(run: Setup, batch: Batch, done: float) -> dict[str, torch.Tensor]:
    """One optimiser step at share ``done`` of the run; returns ``MotionModel.forward``'s losses and ``grad_norm``."""
    factor = learning_rate_factor(run.config.optim, done, run.progress.step)
    for group in run.optimizer.param_groups:
        group["lr"] = group["peak"] * factor
    losses = run.wrapped(batch.to(run.accelerator.device))
    run.accelerator.backward(losses["loss"])
    norm = run.accelerator.clip_grad_norm_(run.model.parameters(), run.config.optim.clip)
    run.optimizer.step()
    run.optimizer.zero_grad(set_to_none=True)
    return {**losses, "grad_norm": torch.as_tensor(norm)}


@torch.no_grad()
def validate(run: Setup) -> dict[str, float]:
    """Mean nats per answer token on the held-out batches, by task and kind, and nats per motion."""
    run.model.eval()
    found: dict[str, float] = {}
    for task, batches in run.validation.items():
        total = {"motion": 0.0, "text": 0.0, "n_motion": 0, "n_text": 0}
        clips = 0
        for batch in batches:
            losses = run.model(batch.to(run.accelerator.device))
            clips += len(batch.ids)
            for name in total:
                total[name] += float(losses[name])
        if total["n_motion"]:
            found[f"{task}/motion"] = total["motion"] / total["n_motion"]
            found[f"{task}/nats_per_clip"] = total["motion"] / clips
        if task != "perform" and total["n_text"]:
            found[f"{task}/text"] = total["text"] / total["n_text"]
    run.model.train()
    return {name: round(value, 4) for name, value in found.items()}


# -- schedule and optimiser -----------------------------------------------------------
def run_share(progress: Progress, max_steps: int, max_minutes: float) -> float:
    """Share of the budget that is used, in [0, 1]."""
    by_steps = progress.step / max_steps if max_steps else 0.0
    by_time = progress.seconds / (60 * max_minutes) if max_minutes else 0.0
    return min(1.0, max(by_steps, by_time))


def learning_rate_factor(config: OptimConfig, done: float, step: int) -> float:
    """Factor on the highest rate, in (0, 1]."""
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    if config.schedule == "cosine":
        shape = 0.5 * (1 + math.cos(math.pi * done))
    elif config.schedule == "linear":
        shape = 1 - done
    else:
        shape = min(1.0, (1 - done) / config.decay)
    return warm * (config.floor + (1 - config.floor) * shape)


def make_optimizer(model: MotionModel, config: OptimConfig) -> torch.optim.AdamW:
    """AdamW with a group each for A matrices, B matrices and motion rows (which do not decay)."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    groups = [
        ("lora_A", config.lr, config.weight_decay, [p for name, p in named if name.endswith("lora_A")]),
        (
            "lora_B",
            config.lr * config.b_ratio,
            config.weight_decay,
            [p for name, p in named if name.endswith("lora_B")],
        ),
        ("rows", config.lr * config.rows_ratio, 0.0, [model.rows]),
    ]
    return torch.optim.AdamW(
        [
            {"params": params, "lr": peak, "peak": peak, "weight_decay": decay}
            for _, peak, decay, params in groups
            if params
        ],
        betas=config.betas,
        fused=True,
    )


# -- checkpoints ----------------------------------------------------------------------
def _save_checkpoint(run: Setup) -> None:
    """Writes ``checkpoint-<step>`` whole, then removes the older ones."""
    work = run.out / f".checkpoint-{os.getpid()}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    save_file(
        {key: value.float().cpu().contiguous() for key, value in run.model.adapter_state().items()},
        work / "adapter.safetensors",
    )
    torch.save(run.optimizer.state_dict(), work / "optimizer.pt")
    state = {"progress": asdict(run.progress), "config": asdict(run.config)}
    (work / "state.json").write_text(json.dumps(state), encoding="utf-8")
    target = run.out / f"checkpoint-{run.progress.step:07d}"
    shutil.rmtree(target, ignore_errors=True)
    os.replace(work, target)
    for old in run.out.glob("checkpoint-*"):
        if old != target:
            shutil.rmtree(old, ignore_errors=True)


def _newest_checkpoint(out: Path) -> Path | None:
    return max((p for p in out.glob("checkpoint-*") if (p / "state.json").is_file()), default=None)


def _load_checkpoint(path: Path, config: TrainConfig, model: MotionModel, optimizer: torch.optim.AdamW) -> Progress:
    try:
        state = json.loads((path / "state.json").read_text(encoding="utf-8"))
        adapter = load_file(path / "adapter.safetensors")
        moments = torch.load(path / "optimizer.pt", weights_only=True, map_location="cpu")
        then, done = state["config"], state["progress"]
        reached = Progress(**{**done, "position": Position(**done["position"])})
    except Exception as error:  # each file format raises kinds of its own
        raise ValueError(f"the checkpoint {path} is damaged ({type(error).__name__}: {error}); delete it") from error
    now = asdict(config)
    for section in ("model", "lora"):
        if json.loads(json.dumps(now[section])) != then[section]:
            raise ValueError(
                f"{path} was written with {section} {then[section]}; this configuration has {now[section]}. "
                "Use that configuration, another output directory, or resume=False"
            )
    model.load_adapter_state(adapter)
    peaks = [group["peak"] for group in optimizer.param_groups]
    optimizer.load_state_dict(moments)
    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
        group["peak"] = peak  # a resumed run may set another rate
    same = json.loads(json.dumps(now["data"])) == then["data"]
    return reached if same else replace(reached, position=Position(reached.position.window + 1))


# -- small helpers --------------------------------------------------------------------
def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _every(batches: Iterator[tuple[Batch, Position]], world: int, rank: int) -> Iterator[tuple[Batch, Position]]:
    """This process's share: of each ``world`` batches one, with the position after them all."""
    while True:
        group = [next(batches) for _ in range(world)]
        yield group[rank][0], group[-1][1]


def _agree(run: Setup, share: float) -> float:
    """The first process's clock, so that all stop at the same step."""
    if run.accelerator.num_processes == 1:
        return share
    from accelerate.utils import broadcast

    return float(broadcast(torch.tensor(share, device=run.accelerator.device)))


def _report(recent: dict[str, float], progress: Progress, done: float, norm: float) -> dict[str, float]:
    span = max(1e-9, progress.seconds - recent["since"])
    return {
        "step": progress.step,
        "seconds": round(progress.seconds, 1),
        "done": round(done, 4),
        "motion": round(recent["motion"] / max(1, recent["n_motion"]), 4),
        "text": round(recent["text"] / max(1, recent["n_text"]), 4),
        "tokens_per_second": round(recent["tokens"] / span, 1),
        "answers_per_second": round((recent["n_motion"] + recent["n_text"]) / span, 1),
        "grad_norm": round(norm, 3),
    }


def _left(progress: Progress, done: float) -> str:
    seconds = int(progress.seconds * (1 - done) / max(done, 1e-6))
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
