"""The learned prior (face/landmarks/learned_prior.py) in the fit's terms: Gaussians on expression, jaw and eyes of each frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...face.landmarks.learned_prior import Found, LearnedPrior
from .energy import LIDS, Energy, Observed, Person, Pose
from .points import view_angles


def prior_inputs(energy: Energy, observed: Observed, person: Person, pose: Pose, good: NDArray[np.bool_]) -> Found:
    """A finished fit as the network reads it.

    Raises:
        ValueError: the fit has no detector's response, which the prior builds on.
    """
    model, n = energy.model, energy.model.n_expr
    if model.response is None:
        raise ValueError("a learned prior needs a fit with the detector's response")
    miss = energy.residuals(observed, pose, person)
    roll = np.arctan2(pose.rot[:, 1, 0], pose.rot[:, 1, 1])
    c, s = np.cos(roll), np.sin(roll)
    upright = miss @ np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)
    bias = (pose.expr[:, n:] @ model.response.habits.reshape(model.n_bias, -1)).reshape(upright.shape)
    beyond = np.where(observed.seen[..., None], bias + upright, 0)
    gaze = ((pose.eyes[:, :2] + pose.eyes[:, 3:5]) / 2).astype(np.float32)
    return Found(pose.expr[:, :n], pose.jaw, gaze, beyond.astype(np.float32), view_angles(pose.rot).astype(np.float32),
                 observed.open, good)


def with_prior(prior: LearnedPrior, found: Found, observed: Observed, factor: float, gaze: float = 1.0) -> Observed:
    """The landmarks with the learned prior beside them.

    How far the lids close is left to the landmarks, which show it directly.

    Args:
        prior, found: the network and its input.
        observed: the landmarks.
        factor: on the prior's sigmas; gaze: on those of gaze besides, 0 to leave it to the landmarks.
    """
    mean, trust = prior.read(found)
    n = found.expr.shape[1]
    precision = 1 / (factor * prior.sigma) ** 2
    order = np.array([*range(n, n + 3), n + 3, n + 4, n + 3, n + 4, *range(n)])  # jaw, both eyes, expression
    weight = (trust * found.known)[:, None] * precision[order]
    weight[:, 7 + np.array(LIDS)] = 0
    weight[:, 3:7] *= 1 / gaze**2 if gaze > 0 else 0.0
    return replace(observed, prior=mean[:, order], prior_weight=weight.astype(np.float32))
