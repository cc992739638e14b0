"""The training data of the transition baselines, checked once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ....face.head.model import HeadModel
from .model import POSE

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Arrays:
    """Tuples as tensors on the training's device.

    Attributes:
        expr: ``(T, m, E)``; pose: ``(T, m, 6)`` rad; shape: ``(T, S)``.
        text: ``(T,)`` index of each tuple's sentence; features ``(U, L, dim)``, mask ``(U, L)`` of the sentences,
            cut to the longest of them.
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


def unique_sentences(instructions: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Each sentence once, in order of appearance, and the index ``(T,)`` of every instruction among them."""
    sentences = list(dict.fromkeys(instructions))
    number = {s: i for i, s in enumerate(sentences)}
    return sentences, np.array([number[s] for s in instructions], np.int64)


def _numbers(name: str, value: ArrayLike, shape: tuple[int | None, ...]) -> np.ndarray:
    array = np.asarray(value, np.float32)
    fits = array.ndim == len(shape) and all(want is None or have == want for have, want in zip(array.shape, shape, strict=True))
    if not fits:
        raise ValueError(f"{name} has shape {array.shape}; needed: {tuple('any' if s is None else s for s in shape)}")
    if not np.isfinite(array).all():
        bad = int(np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(1))[0])
        raise ValueError(f"{name} holds values that are not finite, first in row {bad}; leave such rows out")
    return array


def check_arrays(expr: ArrayLike, pose: ArrayLike, shape: ArrayLike, text: ArrayLike, features: Tensor, mask: Tensor,
                 head: HeadModel, split: ArrayLike, device: torch.device) -> Arrays:
    """Check shapes, values and indices, and move all to the device.

    Raises:
        ValueError: naming the argument, what it is and what is needed.
    """
    rows = len(np.asarray(expr))
    if not rows:
        raise ValueError("there are no tuples to train on")
    e = _numbers("expr", expr, (rows, None, head.n_expr) if np.ndim(expr) == 3 else (rows, 2, head.n_expr))
    p = _numbers("pose", pose, (rows, e.shape[1], POSE))
    s = _numbers("shape", shape, (rows, head.n_shape))
    f = torch.as_tensor(features, dtype=torch.float32)
    m = torch.as_tensor(mask, dtype=torch.bool)
    if f.ndim != 3 or m.shape != f.shape[:2] or not m.any(1).all() or not f.isfinite().all():
        raise ValueError(f"features {tuple(f.shape)} and mask {tuple(m.shape)} must be (U, tokens, dim) and (U, tokens), finite, "
                         "with a token in every sentence")
    t = np.asarray(text)
    if t.shape != (rows,) or t.dtype.kind not in "iu" or t.min() < 0 or t.max() >= len(f):
        raise ValueError(f"text must be {rows} whole numbers from 0 to {len(f) - 1}, the sentence of each tuple")
    names = np.asarray(split)
    if names.shape != (rows,) or set(names.tolist()) - set(SPLITS):
        raise ValueError(f"split must be {rows} words, each one of {', '.join(SPLITS)}")
    if not (names == "train").any():
        raise ValueError("split has no 'train'; there is nothing to learn from")
    longest = int(m.any(0).nonzero().max()) + 1

    def there(array: np.ndarray | Tensor) -> Tensor:
        return torch.as_tensor(array).to(device)

    return Arrays(there(e), there(p), there(s), there(t.astype(np.int64)), there(f[:, :longest]), there(m[:, :longest]),
                  there(np.flatnonzero(names == "train")), there(np.flatnonzero(names == "val")))


def identity_of(arrays: Arrays) -> Iterable[np.ndarray]:
    """What a run's fingerprint is taken of."""
    for value in (arrays.expr, arrays.pose, arrays.shape, arrays.text, arrays.features, arrays.train, arrays.val):
        yield value.cpu().numpy()


def check_rows(expr: ArrayLike, pose: ArrayLike, n_expr: int) -> tuple[np.ndarray, np.ndarray]:
    """``(N, E)`` and ``(N, 6)`` as float32.

    Raises:
        ValueError: other shapes, none, or values that are not finite.
    """
    e = _numbers("expr", expr, (None, n_expr))
    if not len(e):
        raise ValueError("there are no expressions")
    return e, _numbers("pose", pose, (len(e), POSE))
