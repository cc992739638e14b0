"""A corpus in memory: motion features, captions and their embeddings."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ....common.progress import Progress, silent
from ....face.clip.channels import STREAMS
from ....face.clip.sequence import FaceSequence
from ....llm.base import BaseModel
from ....tokenizer.features import N_FEATURES, STREAM_SLICES, to_features
from ...datasets.corpora import open_corpus
from .config import DataConfig

FPS = 25.0
LEAST = 0.02
"""Smallest deviation that features are divided by."""


@dataclass(frozen=True)
class Clips:
    """The clips of one split, one after another.

    Attributes:
        frames: ``(N, F)`` features of all clips (``tokenizer/features.py``), on the training's device.
        start, length: ``(C,)`` first frame and number of frames of each clip, on the CPU.
        captions: for each clip, indices of its captions among ``sentences``.
        sentences: every caption once.
    """

    frames: Tensor
    start: Tensor
    length: Tensor
    captions: tuple[tuple[int, ...], ...]
    sentences: tuple[str, ...]

    @classmethod
    def read(cls, corpus: str | os.PathLike[str], split: str, config: DataConfig, device: torch.device | str = "cpu",
             progress: Progress = silent) -> Clips:
        """The clips of a corpus' split.

        Raises:
            FileNotFoundError, ValueError: no corpus, a damaged one, an empty split, or clips without captions.
        """
        opened = open_corpus(corpus)

        def rows() -> Iterator[tuple[Sequence[str], FaceSequence]]:
            for row in islice(opened.rows(split), config.clips or None):
                said = [c for c in row["captions"] if c.strip()]
                if not said:
                    raise ValueError(f"clip {row['clip_id']} of {corpus} has no words; make the corpus again")
                yield said, opened.clip(row)

        clips = cls.of(rows(), config, device, progress)
        if clips is None:
            raise ValueError(f"the {split} split of {corpus} is empty; make a larger corpus with `facelm data synth`")
        return clips

    @classmethod
    def of(cls, rows: Iterable[tuple[Sequence[str], FaceSequence]], config: DataConfig, device: torch.device | str = "cpu",
           progress: Progress = silent) -> Clips | None:
        """Captions and clips of the default head; None when there are none."""
        parts, captions = [], []
        known: dict[str, int] = {}
        most = round(config.seconds * FPS)
        for said, clip in rows:
            parts.append(to_features(clip.resample(FPS))[:most])
            captions.append(tuple(known.setdefault(text, len(known)) for text in said[:config.captions]))
            progress(len(parts), len(parts) + 1, "reading")
        if not parts:
            return None
        length = torch.tensor([len(p) for p in parts])
        frames = torch.from_numpy(np.concatenate(parts)).to(device)
        return cls(frames, length.cumsum(0) - length, length, tuple(captions), tuple(known))

    def digest(self) -> str:
        """Identifies the clips and their words."""
        found = hashlib.sha256(repr((self.captions, self.sentences, self.length.tolist())).encode())
        found.update(self.frames.cpu().numpy().tobytes())
        return found.hexdigest()[:16]

    def padded(self, index: Tensor, step: int = 1) -> Tensor:
        """``(B, T, F)`` whole clips, each extended by its last frame; T is the longest, rounded up to a multiple of ``step``."""
        longest = -(-int(self.length[index].max()) // step) * step
        at = torch.minimum(torch.arange(longest)[None], self.length[index][:, None] - 1) + self.start[index][:, None]
        return self.frames[at.to(self.frames.device)]

    def windows(self, index: Tensor, frames: int) -> Tensor:
        """``(B, frames, F)`` windows at random places (torch's generator); short clips are extended by their last frame."""
        room = (self.length[index] - frames).clamp(min=0)
        first = (torch.rand(len(index)) * (room + 1)).long().clamp(max=room)
        at = torch.minimum(first[:, None] + torch.arange(frames), self.length[index][:, None] - 1)
        return self.frames[(self.start[index][:, None] + at).to(self.frames.device)]


class Scale(nn.Module):
    """Mean and deviation of training values; saved with a model. ``(..., F)`` in and out."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    def measure(self, values: Tensor, by_stream: bool = False) -> None:
        """Take mean and deviation of ``(N, F)`` values.

        Args:
            by_stream: one deviation for all columns of a face region (``STREAMS``), as HumanML3D has one for each group of its
                features: a column that seldom moves is not blown up.
        """
        self.mean.copy_(values.mean(0))
        spread = values.var(0, correction=0)
        if by_stream:
            for stream in STREAMS:
                at = STREAM_SLICES[stream.name]
                spread[at] = spread[at].mean()
        self.deviation.copy_(spread.sqrt().clamp(min=LEAST))

    def forward(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.deviation

    def back(self, values: Tensor) -> Tensor:
        """The inverse."""
        return values * self.deviation + self.mean


def feature_scale() -> Scale:
    """An unmeasured scale of motion features."""
    return Scale(N_FEATURES)


@torch.no_grad()
def embed(sentences: Sequence[str], base: BaseModel, batch: int = 256, progress: Progress = silent) -> Tensor:
    """``(S, H)`` float32: the mean of the base's last hidden states over each sentence's tokens, on the base's device.

    Right padding: a causal model's states do not see it.

    Raises:
        ValueError: a sentence in which the tokenizer finds nothing.
    """
    model: Any = base.model.model
    device = next(model.parameters()).device
    ids = [base.tokenizer(s, add_special_tokens=True)["input_ids"] for s in sentences]
    if empty := [s for s, row in zip(sentences, ids, strict=True) if not row]:
        raise ValueError(f"{base.name} finds no words in {empty[0][:40]!r}")
    out = torch.empty(len(ids), int(base.model.config.hidden_size), device=device)
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    for low in range(0, len(order), batch):
        part = order[low:low + batch]
        longest = len(ids[part[-1]])
        table = torch.tensor([ids[i] + [0] * (longest - len(ids[i])) for i in part], device=device)
        mask = torch.tensor([[1] * len(ids[i]) + [0] * (longest - len(ids[i])) for i in part], device=device)
        states = model(input_ids=table, attention_mask=mask, use_cache=False).last_hidden_state.float()
        out[torch.tensor(part, device=device)] = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        progress(low + len(part), len(ids), "sentences")
    return out


class Draws:
    """Random numbers of several performances, each from its own seed: what stands beside one in a batch does not change it."""

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        self.rows = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.device = device

    def normal(self, *shape: int) -> Tensor:
        """``(B, *shape)`` standard normal."""
        return torch.stack([torch.randn(shape, generator=g) for g in self.rows]).to(self.device)

    def uniform(self, *shape: int) -> Tensor:
        """``(B, *shape)`` in [0, 1)."""
        return torch.stack([torch.rand(shape, generator=g) for g in self.rows]).to(self.device)

    def gumbel(self, *shape: int) -> Tensor:
        """``(B, *shape)``: the greatest of logits plus this is a draw by their softmax."""
        return -(-self.uniform(*shape).clamp(min=1e-9).log()).log()
