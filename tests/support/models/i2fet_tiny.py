"""Synthetic transitions for the tests of the baselines: Gaussian clouds around the emotions' poses, and a word encoder."""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from facelm.common.config import read_settings
from facelm.eval.baselines.i2fet.arrays import Samples
from facelm.eval.baselines.i2fet.config import Recipe
from facelm.face.clip.channels import EXPR_NAMES
from facelm.face.facs.poses import EMOTION_POSES
from facelm.face.facs.vocabulary import EMOTIONS
from facelm.face.head.model import HeadModel

CONFIGS = Path(__file__).resolve().parents[3] / "configs" / "i2fet"


class WordText:
    """Each word's features: a random vector of the word plus one of the word and its forerunner, as context would add."""

    name, dim, tokens = "words", 24, 10

    def _vector(self, word: str) -> np.ndarray:
        return np.random.default_rng(zlib.crc32(word.encode())).normal(size=self.dim)

    def encode(self, sentences):
        features, mask = torch.zeros(len(sentences), self.tokens, self.dim), torch.zeros(len(sentences), self.tokens).bool()
        for i, sentence in enumerate(sentences):
            words = sentence.lower().strip(".").split()[:self.tokens]
            for j, word in enumerate(words):
                before = words[j - 1] if j else ""
                features[i, j] = torch.from_numpy(self._vector(word) + self._vector(f"{before} {word}")).float()
            mask[i, :len(words)] = True
        return features, mask


@dataclass
class Clouds:
    """Tuples of two expressions, drawn around the centres ``(C, E + 6)`` of the named emotions."""

    names: tuple[str, ...]
    centres: np.ndarray
    labels: np.ndarray
    expr: np.ndarray
    pose: np.ndarray
    shape: np.ndarray
    instructions: list[str]
    split: np.ndarray

    def train_arguments(self, head: HeadModel, encoder=None):
        return Samples.of(self.expr, self.pose, self.shape, self.instructions, self.split, encoder or WordText()), head

    def classify(self, expr: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """Nearest centre of expression and jaw, ``(B, 2)``."""
        x = np.concatenate([expr, pose[..., 3:]], -1)[..., None, :]
        centres = np.concatenate([self.centres[:, :-6], self.centres[:, -3:]], 1)
        return ((x - centres) ** 2).sum(-1).argmin(-1)


def clouds(head: HeadModel, count: int = 240, seed: int = 0, noise: float = 0.08) -> Clouds:
    rng = np.random.default_rng(seed)
    names = tuple(n for n in EMOTIONS if n != "neutral")
    columns = [*EXPR_NAMES, "head_x", "head_y", "head_z", "jaw_x", "jaw_y", "jaw_z"]
    centres = np.array([[EMOTION_POSES[n].get(c, 0.0) for c in columns] for n in names], np.float32)
    pairs = np.array(list(itertools.permutations(range(len(names)), 2)))
    labels = pairs[np.arange(count) % len(pairs)]
    spread = noise * np.r_[np.ones(41), np.full(6, 0.2)]
    rows = (centres[labels] + spread * rng.normal(size=(count, 2, len(columns)))).astype(np.float32)
    words = ("Turn", "Change", "Transform")
    said = [f"{words[rng.integers(3)]} this face from {names[a]} to {names[b]}." for a, b in labels]
    split = np.array([*["train"] * 8, "val", "test"])[rng.integers(0, 10, count)]
    shape = rng.normal(0, 0.5, (count, head.n_shape)).astype(np.float32)
    return Clouds(names, centres, labels, rows[..., :41], rows[..., 41:], shape, said, split)


def tiny(**changes) -> Recipe:
    """The tiny recipe on the CPU with some entries changed."""
    return read_settings(Recipe, CONFIGS / "tiny.yaml").change(**changes)
