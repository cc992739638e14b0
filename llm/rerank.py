"""Choosing among several motions for a prompt: the one that the model itself describes best as the prompt.

A model that turns words into motion and motion into words can score its own samples. Of K
motions the one is kept under which the prompt is likeliest as a description, the noisy-channel
score of Yu et al. 2017 (https://arxiv.org/abs/1611.02554). The geometric measurement is not
used here, so that it stays an independent evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from .examples import collate
from .model import MotionModel
from .prompts import CAPTION, Turn


class Reader(Protocol):
    """What scores a description: anything that holds a model, as ``generate.MotionLM`` does."""

    model: MotionModel


@torch.inference_mode()
def description_scores(
    lm: Reader, motions: Sequence[NDArray[np.integer]], texts: Sequence[str], batch_size: int = 16, question: str = CAPTION
) -> NDArray[np.float64]:
    """Mean log-probability (nats a token) of each text as the answer to ``question`` about its motion, ``(N,)``."""
    if len(motions) != len(texts):
        raise ValueError(f"{len(motions)} motions for {len(texts)} texts")
    model, template = lm.model, lm.model.template
    encoded = [template.encode([Turn(question, motion=m, answer=t)]) for m, t in zip(motions, texts, strict=True)]
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i].ids))
    scores = np.zeros(len(encoded))
    for low in range(0, len(order), batch_size):
        part = order[low : low + batch_size]
        batch = collate(template, [encoded[i] for i in part]).to(model.rows.device)
        hidden = model.hidden(batch.ids).flatten(0, 1)[batch.text_at]
        nats = -F.cross_entropy(model.text_logits(hidden), batch.text_target, reduction="none")
        row = torch.div(batch.text_at, batch.ids.shape[1], rounding_mode="floor")
        total = torch.zeros(len(part), device=nats.device).index_add_(0, row, nats)
        count = torch.zeros(len(part), device=nats.device).index_add_(0, row, torch.ones_like(nats))
        scores[part] = (total / count.clamp(min=1)).double().cpu().numpy()
    return scores


def best_of(
    lm: Reader, prompts: Sequence[str], candidates: Sequence[Sequence[NDArray[np.integer]]], question: str = CAPTION
) -> list[NDArray[np.int32]]:
    """For each prompt the candidate under which it is likeliest.

    Args:
        candidates: ``candidates[i]`` are the motions sampled for ``prompts[i]``.
        question: what a prompt answers: ``CAPTION``, or ``INSTRUCTION`` for transitions.
    """
    flat = [(m, p) for p, motions in zip(prompts, candidates, strict=True) for m in motions]
    scores = description_scores(lm, [m for m, _ in flat], [p for _, p in flat], question=question)
    chosen, at = [], 0
    for motions in candidates:
        chosen.append(np.asarray(motions[int(scores[at : at + len(motions)].argmax())], np.int32))
        at += len(motions)
    return chosen
