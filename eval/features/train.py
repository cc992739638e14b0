"""Training of the retrieval model: prompts of all kinds with the animator's clips of their scripts, by InfoNCE."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...common.progress import Progress, silent
from ...common.threads import interrupts_blocked, single_threaded
from ...common.training import Every, Losses, Plan, Reached, Run, Task, cosine, fit
from ...data_gen.asked import sample
from ...data_gen.corpus.splits import split_of
from ...data_gen.performer.animator import perform
from ...data_gen.performer.layout import lay_out
from ...data_gen.performer.sampler import sample_script
from ...data_gen.text.captions import caption
from ...data_gen.text.multiply import Pair, multiply
from ...data_gen.text.say import say
from ...data_gen.text.written import written
from ...face.facs.script_text import write_script
from ...face.head.model import HeadModel
from ...tokenizer.features import to_features
from .model import Matcher, MatcherConfig
from .scores import match_ranks

WRITTEN, SAID = 0.45, 0.3
"""Shares of prompts written by hand and of prompts worded by templates; the rest are captions of a corpus' scripts."""
LONGEST = 16.0
"""Seconds of motion; longer clips are left out."""
HELD_OUT_SEED = 1_900_000_000


@dataclass(frozen=True)
class Match:
    """A text and the motion that it asks for."""

    text: str
    motion: NDArray[np.float32]
    """``(T, N_FEATURES)`` at 25 frames a second."""
    meaning: str
    """Texts of one meaning are no wrong answers to each other's motion."""


def pair(k: int, seed: int, split: str) -> Match | None:
    """Pair ``k`` of a split (train or val); None where the draw has no words or no clip."""
    rng = np.random.default_rng([seed + HELD_OUT_SEED * (split != "train"), k])
    head = HeadModel.default()
    kind = rng.random()
    try:
        if kind < WRITTEN + SAID:
            if kind < WRITTEN:
                pool = written("train" if split == "train" else "dev")
                one = pool[int(rng.integers(len(pool)))]
                text, script = one.text, one.script
                if split == "train" and rng.random() < 0.65:
                    for other in multiply(Pair(text, script), rng, 1):
                        text, script = other.text, other.script
            else:
                script = sample(rng)
                text = say(script, rng)
            schedule, meaning = lay_out(script, int(rng.integers(1 << 30))), write_script(script)
        else:
            schedule = sample_script(rng)
            if split_of(schedule) != ("train" if split == "train" else "val"):
                return None
            text, meaning = caption(schedule, rng, split="train" if split == "train" else "val"), f"{schedule.to_json()}"
        if schedule.seconds > LONGEST:
            return None
        return Match(text, to_features(perform(schedule, head)), meaning)
    except ValueError:  # no words for it, or it cannot be done
        return None


def pairs(count: int, seed: int = 0, split: str = "train", workers: int = 1, progress: Progress = silent) -> list[Match]:
    """``count`` texts with their motions; the same for any number of workers."""
    out: list[Match] = []
    make = partial(pair, seed=seed, split=split)
    if workers > 1:
        with single_threaded(), interrupts_blocked(), get_context("spawn").Pool(workers) as pool:
            for made in pool.imap(make, range(4 * count), chunksize=32):
                if made is not None:
                    out.append(made)
                    progress(len(out), count, "performing")
                if len(out) == count:
                    return out
    for k in range(4 * count if workers == 1 else 0):
        if (made := make(k)) is not None:
            out.append(made)
            progress(len(out), count, "performing")
        if len(out) == count:
            break
    return out


class MatchTask(Task):
    """InfoNCE over batches of pairs."""

    title = "text-motion retrieval"

    def __init__(self, train: list[Match], val: list[Match], config: MatcherConfig, batch: int, lr: float, seed: int) -> None:
        self.train, self.val, self.batch, self.seed = train, val, batch, seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model: Matcher = Matcher(config)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=lr, weight_decay=0.01)
        self.key = {"config": asdict(config), "batch": batch, "lr": lr, "seed": seed, "pairs": len(train)}

    def batches(self, reached: Reached) -> Iterator[tuple[list[Match], None]]:
        steps = max(len(self.train) // self.batch, 1)
        step = reached.step
        while True:
            epoch, at = divmod(step, steps)
            torch.manual_seed(self.seed + step)
            chance = np.random.default_rng([self.seed, epoch])
            # motions of about one length in a batch: little padding, and the length alone gives no answer away
            order = np.argsort([len(m.motion) * chance.uniform(0.8, 1.25) for m in self.train])
            at = int(chance.permutation(steps)[at])
            yield [self.train[i] for i in order[at * self.batch:(at + 1) * self.batch]], None
            step += 1

    def losses(self, batch: list[Match]) -> Losses:
        self.model.train()
        texts = self.model.text_features([m.text for m in batch])
        motions = self.model.motion_features([m.motion for m in batch])
        return Losses(info_nce(texts, motions, self.model.scale.exp().clamp(max=100.0), [m.meaning for m in batch]))

    def rate(self, share: float, step: int) -> float:
        return min(1.0, (step + 1) / 50) * cosine(share)

    def validate(self) -> dict[str, float]:
        self.model.eval()
        return held_out(self.model, self.val) if self.val else {}


def info_nce(texts: Tensor, motions: Tensor, scale: Tensor, meanings: list[str]) -> Tensor:
    """Mean cross entropy of finding each text's motion and each motion's text in the batch.

    van den Oord et al. 2018, https://arxiv.org/abs/1807.03748; pairs of one meaning do not count as wrong.

    Args:
        texts, motions: ``(B, D)``, of length 1.
        scale: one over the temperature.
        meanings: of each pair.
    """
    scores = scale * texts @ motions.T
    names = {m: i for i, m in enumerate(meanings)}
    label = torch.tensor([names[m] for m in meanings])
    same = (label[:, None] == label[None]) & ~torch.eye(len(meanings), dtype=torch.bool)
    scores = scores.masked_fill(same, float("-inf"))
    own = torch.arange(len(meanings))
    return 0.5 * (nn.functional.cross_entropy(scores, own) + nn.functional.cross_entropy(scores.T, own))


def held_out(model: Matcher, val: list[Match]) -> dict[str, float]:
    """R-precision at 1, 2 and 3 (pool 32) of a model's own held-out pairs."""
    with torch.inference_mode():
        motions = torch.cat([model.motion_features([m.motion for m in val[i:i + 64]]) for i in range(0, len(val), 64)])
    ranks = match_ranks(model.of_texts([m.text for m in val]), motions.double().numpy(), [m.meaning for m in val])
    return {f"R-precision@{k}": float((ranks < k).mean()) for k in (1, 2, 3)}


def train_matcher(folder: str | os.PathLike[str], count: int = 12000, minutes: float = 4.0, steps: int = 0, seed: int = 0,
                  workers: int = 1, config: MatcherConfig | None = None, batch: int = 128, lr: float = 1e-3,
                  val: int = 600, progress: Progress = silent) -> Matcher:
    """Train a retrieval model and save it with its own held-out scores.

    Args:
        folder: where it goes; a run that was stopped goes on from its checkpoint there.
        count, val: pairs to train on and to measure on.
        minutes, steps: budget; what is used up first ends it, 0 is none.
        seed: of data and weights.
        workers: processes that make the data.
        config, batch, lr: sizes and rate.
        progress: its stages say what is made.
    """
    shown, unseen = (pairs(n, seed, split, workers, progress) for n, split in ((count, "train"), (val, "val")))
    task = MatchTask(shown, unseen, config or MatcherConfig(), batch, lr, seed)
    run = Run(task, Plan(steps, minutes, clip=1.0, save=Every(minutes=1.0)), Path(folder)).resume()
    fit(run, progress)
    reached = run.finish()
    about: dict[str, Any] = {"pairs": count, "steps": reached.step, "minutes": round(reached.seconds / 60, 2), "seed": seed,
                             "held_out_pairs": len(unseen), "held_out": held_out(task.model, unseen)}
    task.model.about = about
    task.model.save_pretrained(folder)
    return task.model
