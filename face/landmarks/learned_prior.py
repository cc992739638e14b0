"""A learned prior on what MediaPipe's points show: a small network from a finished fit to what the face truly does.

The detector's answer to a face is not linear, and neither is what a fit makes of it. ``scripts/assets/learned.py``
films the default head with known parameters, fits each clip without the prior, and trains a network from what the
fit found, and could not explain, to the truth. The fit then weighs it by its error on clips held out
(data_gen/fit/learned_prior.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..clip.channels import EXPR_NAMES, mirror_name
from ..head.model import HeadModel
from .points import Embedding, mirror_index, packaged

Array = NDArray[np.float32]
ASSET = "mediapipe_learned"
OUTPUTS = len(EXPR_NAMES) + 5
"""Expression, the jaw's three angles, gaze pitch and yaw."""
_FAR = 6.0
"""Features are cut off at so many standard deviations."""
_RARELY = 0.15
"""Quantile of a clip that stands for rest."""


MIRRORED = np.array([EXPR_NAMES.index(mirror_name(n)) for n in EXPR_NAMES])
"""(E,) the expression column of the other side."""


@dataclass(frozen=True)
class Found:
    """What a fit found in T frames, L points.

    Attributes:
        expr: ``(T, E)``; jaw: ``(T, 3)`` rad; gaze: ``(T, 2)`` rad, pitch and yaw of both eyes' mean.
        beyond: ``(T, L, 2)`` m in the head's upright x and y: detected points minus what expression, jaw and gaze explain.
        view: ``(T, 2)`` rad, pitch (+ down) and yaw (+ subject's left) of the head to the camera.
        open: ``(T, 2)`` in 0..1, how far the left and the right eye are open.
        known: ``(T,)`` bool, frames with a face.
    """

    expr: Array
    jaw: Array
    gaze: Array
    beyond: Array
    view: Array
    open: Array
    known: NDArray[np.bool_]

    def mirrored(self, other: NDArray[np.int64]) -> Found:
        """The same face in a mirror; ``other (L,)`` is each point's place on the other side."""
        return replace(self, expr=self.expr[:, MIRRORED], jaw=self.jaw * np.array([1, -1, -1], np.float32),
                       gaze=self.gaze * np.array([1, -1], np.float32),
                       beyond=self.beyond[:, other] * np.array([-1, 1], np.float32),
                       view=self.view * np.array([1, -1], np.float32), open=self.open[:, ::-1])


def features(found: Found, axes: Array) -> Array:
    """``(T, F)`` the network's inputs: the fit, the fit against this clip's usual and resting face, and the remainder.

    Args:
        found: of one clip.
        axes: ``(K, L, 2)`` unit directions in which the remainder is given (in 1/300 m), against the clip's median.
    """
    fit = np.concatenate([np.clip(found.expr, -0.1, 1.1), found.jaw, found.gaze], 1).astype(np.float32)
    usual, rest = np.median(fit[found.known], 0), np.quantile(fit[found.known], _RARELY, axis=0)
    flat = found.beyond.reshape(len(fit), -1)
    beyond = (flat - np.median(flat[found.known], 0)) @ (300 * axes.reshape(len(axes), -1).T)
    return np.concatenate([fit, fit - usual, fit - rest, beyond, found.view, found.open], 1).astype(np.float32)


@dataclass(frozen=True)
class LearnedPrior:
    """The network: one hidden layer of H units beside a linear path.

    Attributes:
        axes: ``(K, L, 2)``, see :func:`features`; mean, scale: ``(F,)`` of the features.
        hidden: ``(F, H)``; hidden_bias: ``(H,)``; out: ``(H, O)``; linear: ``(F, O)``; bias: ``(O,)``; O is OUTPUTS.
        sigma: ``(O,)`` error on clips held out, one standard deviation.
        reach: mean square of the features that 99 % of the frames it was trained on stay below.
    """

    axes: Array
    mean: Array
    scale: Array
    hidden: Array
    hidden_bias: Array
    out: Array
    linear: Array
    bias: Array
    sigma: Array
    reach: Array
    other: NDArray[np.int64]
    """(L,) each point's place on the other side."""

    def read(self, found: Found) -> tuple[Array, Array]:
        """Expression, jaw and gaze ``(T, O)``, and the weight of each frame ``(T,)``, 0 to 1.

        The mean of what is read from the face and from its mirror image. Frames whose features lie outside of what the
        network was trained on weigh less.
        """
        seen = np.clip((features(found, self.axes) - self.mean) / self.scale, -_FAR, _FAR)
        mirror = np.clip((features(found.mirrored(self.other), self.axes) - self.mean) / self.scale, -_FAR, _FAR)
        back = self._run(mirror)
        n = len(EXPR_NAMES)
        flip = np.array([1, -1, -1, 1, -1], np.float32)
        predicted = (self._run(seen) + np.concatenate([back[:, MIRRORED], back[:, n:] * flip], 1)) / 2
        predicted[:, :n] = np.clip(predicted[:, :n], 0, 1)
        trust = np.minimum(1, self.reach / np.maximum((seen**2).mean(1), 1e-6))
        return predicted.astype(np.float32), trust.astype(np.float32)

    def _run(self, x: Array) -> Array:
        h = x @ self.hidden + self.hidden_bias
        return np.asarray((h / (1 + np.exp(-h))) @ self.out + x @ self.linear + self.bias)


def learned_prior_for(head: HeadModel, embedding: Embedding) -> LearnedPrior | None:
    """The learned prior on ``head`` in the order of ``embedding``; None where it was not learned.

    It is learned on the default head with all of its points; other heads are fitted without one.
    """
    data = packaged(ASSET)
    if data is None or str(data["head_sha256"]) != head.sha256 or set(embedding.index.tolist()) != set(data["index"].tolist()):
        return None
    place = {int(p): i for i, p in enumerate(data["index"])}
    order = np.array([place[int(p)] for p in embedding.index])
    arrays = {k: v.astype(np.float32) for k, v in data.items() if k not in ("head_sha256", "index")}
    return LearnedPrior(**(arrays | {"axes": arrays["axes"][:, order]}), other=other_side(embedding))


def other_side(embedding: Embedding) -> NDArray[np.int64]:
    """``(L,)`` where the mirror image of each point of the embedding stands in it.

    Raises:
        ValueError: the embedding has points whose mirror images it lacks.
    """
    mirror, place = mirror_index(), {int(p): i for i, p in enumerate(embedding.index)}
    if lacking := [int(p) for p in embedding.index if int(mirror[p]) not in place]:
        raise ValueError(f"the embedding lacks the mirror images of {len(lacking)} points (first: {lacking[0]})")
    return np.array([place[int(mirror[p])] for p in embedding.index])
