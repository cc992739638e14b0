"""Training of a peer, stage by stage, on the loop of ``common/training.py``; a run that was stopped goes on where it stood."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....common.files import canonical_json, locked
from ....common.progress import Progress, silent
from ....common.tensors import load_tensors, save_tensors
from ....common.training import Every, Losses, Plan, Reached, Run, Task, cosine, fit
from ....llm.model import base_check
from .codec import Codec
from .config import StageConfig
from .data import Clips, embed
from .peer import Batch, Peer, load_trained, n_trained, trained_state

EMBEDDED = "sentences.safetensors"
CODEC = "codec"
"""The stage that learns from windows, without words."""


@dataclass(frozen=True)
class Budget:
    """How long a peer is trained: minutes over all its stages (shared as the recipe says), or steps of each stage.

    With both, a stage ends with what is used up first.
    """

    minutes: float = 0.0
    steps: int = 0

    def __post_init__(self) -> None:
        if not (self.minutes >= 0 and self.steps >= 0 and self.minutes + self.steps > 0):
            raise ValueError(f"minutes is {self.minutes:g} and steps is {self.steps}; one of them must be positive")


@dataclass(frozen=True)
class Data:
    """Clips with scaled embeddings ``(S, D)`` of their sentences, and codes ``(C, T', layers)`` once there is a codec."""

    clips: Clips
    sentences: Tensor
    codes: Tensor

    def batch(self, peer: Peer, index: Tensor, stage: str, window: int) -> Batch:
        """The clips with these indices, each with a random one of its captions; of a codec's stage windows."""
        device, clips = self.clips.frames.device, self.clips
        if stage == CODEC:
            frames = peer.scale(clips.windows(index, window))
            nothing = frames.new_zeros(0)
            return Batch(frames, torch.full((len(index),), window), nothing, (), nothing, len(index) * window)
        draws = torch.rand(len(index)).tolist()
        said = [clips.captions[i][int(u * len(clips.captions[i]))] for i, u in zip(index.tolist(), draws, strict=True)]
        sentence = self.sentences[torch.tensor(said, device=device)] if len(self.sentences) else self.sentences
        texts = tuple(clips.sentences[i] for i in said)
        length = clips.length[index]
        if len(self.codes):
            steps = -(-length // peer.step())
            codes = self.codes[index.to(device), :int(steps.max())]
            return Batch(clips.frames[:0], length.to(device), sentence, texts, codes, int(steps.sum()) * codes.shape[-1])
        return Batch(peer.scale(clips.padded(index)), length.to(device), sentence, texts, self.codes, int(length.sum()))


class StageTask(Task):
    """One stage of a peer. Every step draws from torch's generator, seeded by recipe, stage and step, and from nothing else."""

    def __init__(self, peer: Peer, stage: str, data: Data, config: StageConfig, key: Mapping[str, Any]) -> None:
        self.peer, self.stage, self.data, self.config, self.key = peer, stage, data, config, key
        self.title = f"{peer.TITLE}, {stage.replace('_', ' ')}"
        self.model = peer.get_submodule(stage)
        self.optimizer = torch.optim.AdamW([p for p in self.model.parameters() if p.requires_grad], lr=config.lr,
                                           betas=(0.9, 0.99), weight_decay=config.weight_decay, fused=True)
        self.window = self.model.config.window if isinstance(self.model, Codec) else 0

    def batches(self, reached: Reached) -> Iterator[tuple[Batch, None]]:
        step, count = reached.step, len(self.data.clips.length)
        while True:
            torch.manual_seed(mixed(self.peer.recipe.seed, self.stage, step))
            index = torch.randint(count, (self.config.batch,))
            yield self.data.batch(self.peer, index, self.stage, self.window), None
            step += 1

    def losses(self, batch: Batch) -> Losses:
        device = self.peer.device.type
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            loss = self.peer.loss(self.stage, batch)
        count = len(batch.texts) or len(batch.frames)
        return Losses(loss, sums={"sum": loss.detach() * count}, counts={"clips": count, "tokens": batch.tokens})

    def rate(self, share: float, step: int) -> float:
        warm = min(1.0, (step + 1) / self.config.warmup) if self.config.warmup else 1.0
        return warm * cosine(share)

    def line(self, sums: Mapping[str, float], seconds: float) -> dict[str, float]:
        return {"loss": round(sums["sum"] / max(1.0, sums["clips"]), 5), "clips_per_second": round(sums["clips"] / seconds, 1)}

    def state(self) -> dict[str, Tensor]:
        return trained_state(self.model)

    def load_state(self, state: dict[str, Tensor]) -> None:
        load_trained(self.model, state)


def mixed(*parts: object) -> int:
    """A seed made of several values."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6], "big")


def train_stages(peer: Peer, clips: Clips, budget: Budget, out: Path, progress: Progress = silent,
                 embedded: Callable[[], Tensor] | None = None) -> Peer:
    """Train a peer and save it into a folder.

    Args:
        peer: new, on the training's device.
        clips: of the training split, on the same device.
        budget: how long.
        out: folder of the result, of checkpoints and of a log for each stage.
        embedded: gives the embeddings ``(S, D)`` of the clips' sentences; None computes them once and keeps them in the folder.

    Raises:
        ValueError: a checkpoint of another recipe or corpus, or a loss that is not finite.
    """
    recipe, corpus = peer.recipe, clips.digest()
    key = {"kind": peer.KIND, "recipe": recipe.to_dict(), "corpus": corpus, "base": base_check(peer.base.model)}
    peer.scale.measure(clips.frames, by_stream=True)
    sentences = clips.frames.new_zeros(0)
    with locked(out):
        if peer.EMBEDS:
            raw = (embedded or (lambda: sentences_of(peer, clips, corpus, out, progress)))()
            peer.sentence_scale.measure(raw.to(clips.frames))
            sentences = peer.sentence_scale(raw.to(clips.frames))
        shares = {stage: getattr(recipe.stages, stage).share for stage in peer.STAGES}
        facts: dict[str, Any] = {}
        for stage in peer.STAGES:
            config: StageConfig = getattr(recipe.stages, stage)
            codes = _codes(peer, clips, stage)
            task = StageTask(peer, stage, Data(clips, sentences, codes), config, key)
            minutes = budget.minutes * shares[stage] / sum(shares.values())
            plan = Plan(budget.steps, minutes, config.clip, save=Every(minutes=recipe.save_minutes), log=Every(steps=50))
            facts[stage] = _run_stage(task, plan, out / stage, progress)
        peer.training_facts = {
            "corpus": corpus, "clips": len(clips.length), "sentences": len(clips.sentences), "budget": vars(budget),
            "parameters": n_trained(peer), "minutes": round(sum(f["minutes"] for f in facts.values()), 3),
            "device": str(peer.device.type), "stages": facts}
        peer.eval()
        peer.save(out)
    return peer


def _run_stage(task: StageTask, plan: Plan, folder: Path, progress: Progress) -> dict[str, Any]:
    """Train a stage, or take what it came to before; its facts."""
    done = folder / "done.safetensors"
    if done.is_file():
        try:
            found = load_tensors(done)
            if found.about.get("key") != canonical_json(task.key):
                raise ValueError("it belongs to another recipe or corpus")
            task.load_state(found.tensors)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{done} cannot be used ({error}); delete the folder {folder.parent}, or use another") from error
        task.model.eval()
        return _facts(found.about)
    with torch.random.fork_rng(devices=[task.peer.device] if task.peer.device.type == "cuda" else []):
        run = Run(task, plan, folder).resume()
        reached = fit(run, progress)
    folder.mkdir(parents=True, exist_ok=True)
    about = {"key": canonical_json(task.key), "steps": str(reached.step), "minutes": f"{reached.seconds / 60:.3f}",
             **{name: str(count) for name, count in reached.counts.items()}, "parameters": str(n_trained(task.model))}
    save_tensors(done, task.state(), about)
    run.finish()
    return _facts(about)


def _facts(about: Mapping[str, str]) -> dict[str, Any]:
    return {name: float(value) if name == "minutes" else int(value) for name, value in about.items() if name != "key"}


@torch.no_grad()
def _codes(peer: Peer, clips: Clips, stage: str) -> Tensor:
    """Codes ``(C, T', layers)`` of all clips by the codec that was trained before this stage; empty when there is none."""
    nothing = clips.frames.new_zeros(0)
    if stage == CODEC or peer.step() == 1:
        return nothing
    peer.eval()
    steps = -(-clips.length // peer.step())
    table = None
    for count in steps.unique().tolist():  # clips of one length together, so that none is padded
        for index in torch.nonzero(steps == count).flatten().split(256):
            codes = peer.codes(peer.scale(clips.padded(index, peer.step())))
            assert codes is not None
            if table is None:
                table = torch.full((len(steps), int(steps.max()), codes.shape[-1]), -1, device=codes.device)
            table[index.to(codes.device), :count] = codes
    return nothing if table is None else table


def sentences_of(peer: Peer, clips: Clips, corpus: str, folder: Path, progress: Progress = silent) -> Tensor:
    """The sentences' embeddings, from the file in the folder when it was made of the same."""
    key, file = f"{base_check(peer.base.model)} {corpus}", folder / EMBEDDED
    if file.is_file():
        try:
            found = load_tensors(file)
            if found.about.get("key") == key:
                return found.tensors["sentences"]
        except (ValueError, KeyError):  # damaged: it is made again
            pass
    made = embed(clips.sentences, peer.base, progress=progress)
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors(file, {"sentences": made}, {"key": key})
    return made
