"""The training data of the transition baselines, checked once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ....data_gen.corpus.splits import SPLITS
from ....face.head.model import HeadModel
from .model import POSE
from .text import TextEncoder


def unique_sentences(instructions: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Each sentence once, in order of appearance, and the index ``(T,)`` of every instruction among them."""
    sentences = list(dict.fromkeys(instructions))
    number = {s: i for i, s in enumerate(sentences)}
    return sentences, np.array([number[s] for s in instructions], np.int64)


@dataclass(frozen=True, eq=False)
class Samples:
    """T tuples of an instruction, two expressions, two poses and an identity; U different sentences.

    Attributes:
        expr: ``(T, 2, E)``; pose: ``(T, 2, 6)`` global rotation and jaw, rad; shape: ``(T, S)`` identities.
        text: ``(T,)`` index of each tuple's sentence.
        features, mask: ``(U, tokens, dim)`` and ``(U, tokens)`` bool of a :class:`TextEncoder` for each sentence.
        split: ``(T,)`` of train, val, test; test is never read.
    """

    expr: ArrayLike
    pose: ArrayLike
    shape: ArrayLike
    text: ArrayLike
    features: Tensor
    mask: Tensor
    split: ArrayLike

    @classmethod
    def of(cls, expr: ArrayLike, pose: ArrayLike, shape: ArrayLike, instructions: Sequence[str], split: ArrayLike,
           encoder: TextEncoder) -> Samples:
        """The samples of T sentences, each different one encoded once."""
        sentences, text = unique_sentences(instructions)
        return cls(expr, pose, shape, text, *encoder.encode(sentences), split)


@dataclass(frozen=True)
class Arrays:
    """Checked samples as tensors on the training's device; features and mask are cut to the longest sentence.

    Attributes:
        train, val: indices of the tuples.
    """

    expr: Tensor
    pose: Tensor
    shape: Tensor
    text: Tensor
    features: Tensor
    mask: Tensor
    train: Tensor
    val: Tensor

    def values(self) -> Iterator[NDArray[np.generic]]:
        """What a run's fingerprint is taken of."""
        for value in (self.expr, self.pose, self.shape, self.text, self.features, self.train, self.val):
            yield value.cpu().numpy()


def _numbers(name: str, value: ArrayLike, shape: tuple[int | None, ...]) -> np.ndarray:
    array = np.asarray(value, np.float32)
    fits = array.ndim == len(shape) and all(want is None or have == want for have, want in zip(array.shape, shape, strict=True))
    if not fits:
        raise ValueError(f"{name} has shape {array.shape}; needed: {tuple('any' if s is None else s for s in shape)}")
    if not np.isfinite(array).all():
        bad = int(np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(1))[0])
        raise ValueError(f"{name} holds values that are not finite, first in row {bad}; leave such rows out")
    return array


def check_arrays(samples: Samples, head: HeadModel, device: torch.device) -> Arrays:
    """Check shapes, values and indices, and move all to the device.

    Raises:
        ValueError: naming the argument, what it is and what is needed.
    """
    rows = len(np.asarray(samples.expr))
    if not rows:
        raise ValueError("there are no tuples to train on")
    e = _numbers("expr", samples.expr, (rows, None, head.n_expr) if np.ndim(samples.expr) == 3 else (rows, 2, head.n_expr))
    p = _numbers("pose", samples.pose, (rows, e.shape[1], POSE))
    s = _numbers("shape", samples.shape, (rows, head.n_shape))
    f, m = torch.as_tensor(samples.features, dtype=torch.float32), torch.as_tensor(samples.mask, dtype=torch.bool)
    if f.ndim != 3 or m.shape != f.shape[:2] or not m.any(1).all() or not f.isfinite().all():
        raise ValueError(f"features {tuple(f.shape)} and mask {tuple(m.shape)} must be (U, tokens, dim) and (U, tokens), finite, "
                         "with a token in every sentence")
    t, names = np.asarray(samples.text), np.asarray(samples.split)
    if t.shape != (rows,) or t.dtype.kind not in "iu" or t.min() < 0 or t.max() >= len(f):
        raise ValueError(f"text must be {rows} whole numbers from 0 to {len(f) - 1}, the sentence of each tuple")
    if names.shape != (rows,) or set(names.tolist()) - set(SPLITS):
        raise ValueError(f"split must be {rows} words, each one of {', '.join(SPLITS)}")
    if not (names == "train").any():
        raise ValueError("split has no 'train'; there is nothing to learn from")
    longest = int(m.any(0).nonzero().max()) + 1
    return Arrays(*(torch.as_tensor(a).to(device) for a in (
        e, p, s, t.astype(np.int64), f[:, :longest], m[:, :longest], np.flatnonzero(names == "train"),
        np.flatnonzero(names == "val"))))


def check_rows(expr: ArrayLike, pose: ArrayLike, n_expr: int) -> tuple[np.ndarray, np.ndarray]:
    """``(N, E)`` and ``(N, 6)`` as float32.

    Raises:
        ValueError: other shapes, none, or values that are not finite.
    """
    e = _numbers("expr", expr, (None, n_expr))
    if not len(e):
        raise ValueError("there are no expressions")
    return e, _numbers("pose", pose, (len(e), POSE))
