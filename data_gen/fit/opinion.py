"""The second opinion (face/landmarks/opinion.py) in the fit's terms: beliefs on expression, jaw and eyes of each frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...face.landmarks.opinion import Found, Opinion
from .energy import LIDS, Energy, Observed, Person, Pose


def what_was_found(energy: Energy, observed: Observed, person: Person, pose: Pose, good: NDArray[np.bool_]) -> Found:
    """A finished fit as the network sees it.

    Raises:
        ValueError: the fit has no detector's response, which the opinion builds on.
    """
    model, n = energy.model, energy.model.n_expr
    if model.response is None:
        raise ValueError("a second opinion needs a fit with the detector's response")
    miss = energy.residuals(observed, pose, person)
    roll = np.arctan2(pose.rot[:, 1, 0], pose.rot[:, 1, 1])
    c, s = np.cos(roll), np.sin(roll)
    upright = miss @ np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)
    habits = (pose.expr[:, n:] @ model.response.habits.reshape(model.n_habits, -1)).reshape(upright.shape)
    ahead = pose.rot[:, :, 2]
    view = np.stack([-np.arcsin(np.clip(ahead[:, 1], -1, 1)), np.arctan2(ahead[:, 0], ahead[:, 2])], 1)
    beyond = np.where(observed.seen[..., None], habits + upright, 0)
    gaze = ((pose.eyes[:, :2] + pose.eyes[:, 3:5]) / 2).astype(np.float32)
    return Found(pose.expr[:, :n], pose.jaw, gaze, beyond.astype(np.float32),
                 view.astype(np.float32), observed.open, good)


def with_opinion(opinion: Opinion, found: Found, observed: Observed, factor: float,
                 gaze: float = 1.0) -> Observed:
    """What was observed, and with it what the second opinion says.

    How far the lids close is left to the landmarks, which tell it directly.

    Args:
        opinion, found: the network and what it looks at.
        observed: the landmarks.
        factor: on the opinion's sigmas; gaze: on those of gaze besides, 0 to leave it to the landmarks.
    """
    told, trust = opinion.read(found)
    n = found.expr.shape[1]
    weight = 1 / (factor * opinion.sigma) ** 2
    order = np.array([*range(n, n + 3), n + 3, n + 4, n + 3, n + 4, *range(n)])  # jaw, both eyes, expression
    believed = (trust * found.known)[:, None] * weight[order]
    believed[:, 7 + np.array(LIDS)] = 0
    believed[:, 3:7] *= 1 / gaze**2 if gaze > 0 else 0.0
    return replace(observed, told=told[:, order], told_weight=believed.astype(np.float32))
