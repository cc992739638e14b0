"""A tiny expression set, a text encoder and a language model for tests of the transition evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.transitions import Stage, TransitionSpec, perform_transition, transition_keys
from facelm.data_gen.text.transition_text import parse
from facelm.eval.datasets.expressions import CKPLUS, ExpressionSet, frame_pose
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.schedule import Event, Schedule
from facelm.face.head.model import HeadModel


def tiny_set(subjects: int = 4, frames: int = 2, labels: tuple[str, ...] = CKPLUS, seed: int = 0) -> ExpressionSet:
    """Every subject shows every emotion, ``frames`` nearly equal frames of each."""
    head, rng = HeadModel.default(), np.random.default_rng(seed)
    rows: dict[str, list] = {k: [] for k in ("subject", "label", "expr", "pose", "shape", "neutral", "image", "record")}
    for s in range(subjects):
        shape = np.zeros(head.n_shape, np.float32)
        shape[:10] = rng.normal(0, 0.6, 10)
        for label, emotion in enumerate(labels):
            level = float(rng.uniform(0.75, 1.0))
            clip = perform(Schedule(1.0, (Event(emotion, 0.1, 0.4, 0.5, 0.0, level),)), head, shape=shape)
            for k in range(frames):
                expr, pose = frame_pose(clip, len(clip) - 1 - k)
                pose = pose + np.concatenate([rng.normal(0, 0.03, 3), np.zeros(3)])
                for key, value in (("subject", f"S{s:03d}"), ("label", label), ("expr", expr), ("pose", pose), ("shape", shape),
                                   ("neutral", s), ("image", ""), ("record", f"S{s:03d}/{label:03d}")):
                    rows[key].append(value)
    return ExpressionSet(
        name="surrogate-ckplus", title="CK+ surrogate (tiny, made in a test)", labels=labels, head=str(head.ref),
        subject=np.array(rows["subject"]), label=np.array(rows["label"], np.int64), expr=np.array(rows["expr"], np.float32),
        pose=np.array(rows["pose"], np.float32), shape=np.array(rows["shape"], np.float32),
        neutral=np.array(rows["neutral"], np.int64), neutral_expr=np.zeros((subjects, head.n_expr), np.float32),
        neutral_pose=rng.normal(0, 0.05, (subjects, 6)).astype(np.float32) * [1, 1, 1, 0, 0, 0], image=np.array(rows["image"]),
        record=np.array(rows["record"]))


class WordText:
    """Token features from hashes of words: no language model is loaded."""

    name, dim, tokens = "hashed words (test)", 12, 16

    def encode(self, sentences: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        features = torch.zeros(len(sentences), self.tokens, self.dim)
        mask = torch.zeros(len(sentences), self.tokens, dtype=torch.bool)
        for i, sentence in enumerate(sentences):
            for k, word in enumerate(sentence.lower().split()[:self.tokens]):
                seed = int.from_bytes(hashlib.sha256(word.strip(".,").encode()).digest()[:4], "big")
                features[i, k] = torch.randn(self.dim, generator=torch.Generator().manual_seed(seed))
                mask[i, k] = True
        return features, mask


@dataclass
class Done:
    """As the agent's Transition."""

    clip: FaceSequence
    keys: tuple[int, ...]


class PerformerLM:
    """Carries out instructions by the procedural animator; refuses those with ``refuse`` in them."""

    def __init__(self, refuse: str = "\0") -> None:
        self.refuse, self.calls = refuse, 0

    def transition_many(self, instructions, sources=None, *, seconds=None, seed=0):  # noqa: ANN001, ANN201
        self.calls += len(instructions)
        out = []
        for i, text in enumerate(instructions):
            if self.refuse in text:
                raise ValueError(f"cannot read {text!r}")
            names = parse(text).names
            spec = TransitionSpec(tuple(Stage(((n, 0.9),), 0.24, 0.24) for n in (names[0], names[-1])))
            source = None if sources is None else sources[i]
            clip = perform_transition(spec, HeadModel.default(), shape=None if source is None else source.shape)
            if source is not None:
                clip = clip.replace(neck_pose=np.repeat(source.neck_pose, len(clip), 0))
            out.append(Done(clip, transition_keys(clip, 2)))
        return out
