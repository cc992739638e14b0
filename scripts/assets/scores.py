"""A linear map from MediaPipe's 52 blendshape scores to the default head's expression, jaw and gaze, with its errors."""

from __future__ import annotations

import numpy as np
from facelm.face.clip.channels import ARKIT_52, mirror_name
from facelm.face.head.model import HeadModel
from facelm.face.landmarks.points import PriorMap, blendshape_prior
from renders import Seen, clip_poses, draw_and_detect, ridge

CLIPS, SIZE = 200, 256  # drawn clips of 15 frames that the map is fitted on, and their side in px; a fifth more is held out
RIDGE = 300.0
USELESS = 0.05  # a channel explained less than this on held-out clips is left at rest
FLOOR = np.array([0.05] * 41 + [0.02] * 3 + [0.03] * 6)  # smallest sigma: expression; jaw and eyes, rad
SCORE_SWAP = np.array([ARKIT_52.index(mirror_name(n)) for n in ARKIT_52])
TURN_SIGNS = np.array([1.0, -1.0, -1.0])


def _targets(seen: Seen) -> np.ndarray:
    """(N,50): expression, jaw, eyes of the pictures in which a face was found."""
    return np.concatenate([seen.poses.expr, seen.poses.jaw, seen.poses.eyes], 1)[seen.found]


def _mirrored(head: HeadModel, targets: np.ndarray) -> np.ndarray:
    swap = np.array([head.expr_names.index(mirror_name(n)) for n in head.expr_names])
    eyes = targets[:, 44:].reshape(-1, 2, 3)[:, ::-1] * TURN_SIGNS
    return np.concatenate([targets[:, :41][:, swap], targets[:, 41:44] * TURN_SIGNS, eyes.reshape(-1, 6)], 1)


def _predict(scores: np.ndarray, clips: np.ndarray, use: PriorMap) -> np.ndarray:
    out = np.empty((len(scores), 50))
    for clip in np.unique(clips):
        prior = blendshape_prior(scores[clips == clip], use)
        out[clips == clip] = np.concatenate([prior.expr, prior.jaw, prior.eyes], 1)
    return out


def _score(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """(50,) R2 about rest (zero), which is what a fit without the prior would assume."""
    return 1 - ((truth - predicted) ** 2).sum(0) / np.maximum((truth ** 2).sum(0), 1e-9)


def fit_prior(head: HeadModel, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """The arrays of the asset, and R2 per channel on the held-out clips."""
    train, test = (draw_and_detect(head, clip_poses(head, n, rng), SIZE, rng) for n in (CLIPS, CLIPS // 5))
    scores, clip = train.scores[train.found], train.poses.clip[train.found]
    rests = np.array([np.quantile(scores[clip == c], PriorMap.quantile, axis=0) for c in np.unique(clip)])
    rests = np.concatenate([rests, rests[:, SCORE_SWAP]])
    plain = PriorMap(np.zeros((52, 50)), np.ones(50), rests.mean(0), np.quantile(rests, 0.95, axis=0))
    inputs = np.concatenate([plain.inputs(scores[clip == c]) for c in np.unique(clip)])
    order = np.concatenate([np.flatnonzero(clip == c) for c in np.unique(clip)])
    targets = _targets(train)[order]
    inputs = np.concatenate([inputs, inputs[:, SCORE_SWAP]])
    targets = np.concatenate([targets, _mirrored(head, targets)])
    scale = np.sqrt((inputs ** 2).mean(0)) + 1e-2
    a = inputs / scale
    weights = ridge(a, targets, RIDGE) / scale[:, None]
    # brows read from brow and eye scores alone: R2 of browInnerUp 0.15 instead of -0.15, the others alike
    above = np.array([n.startswith(("brow", "eye")) for n in ARKIT_52])
    brows = np.array([n.startswith("brow") for n in head.expr_names] + [False] * 9)
    b = a[:, above]
    weights[:, brows] = 0.0
    weights[np.ix_(above, brows)] = ridge(b, targets[:, brows], RIDGE) / scale[above, None]

    truth, held, held_clip = _targets(test), test.scores[test.found], test.poses.clip[test.found]
    r2 = _score(truth, _predict(held, held_clip, PriorMap(weights, np.ones(50), plain.rest, plain.rest_limit)))
    swapped = np.array([head.expr_names.index(mirror_name(n)) for n in head.expr_names])
    r2[:41] = (r2[:41] + r2[swapped]) / 2
    r2[44:] = np.tile((r2[44:47] + r2[47:]) / 2, 2)
    weights[:, r2 < USELESS] = 0.0
    use = PriorMap(weights, np.ones(50), plain.rest, plain.rest_limit)
    sigma = np.maximum(np.sqrt(((truth - _predict(held, held_clip, use)) ** 2).mean(0)), FLOOR)
    sigma[:41] = (sigma[:41] + sigma[swapped]) / 2
    sigma[44:] = np.tile((sigma[44:47] + sigma[47:]) / 2, 2)
    names = [*head.expr_names, *(f"{joint}_{axis}" for joint in ("jaw", "left_eye", "right_eye") for axis in "xyz")]
    arrays = {"weights": weights, "sigma": sigma, "rest": plain.rest, "rest_limit": plain.rest_limit}
    moving = np.abs(truth).max(0) > 1e-6
    return {f"prior_{k}": v.astype(np.float32) for k, v in arrays.items()}, {"frames": len(scores), "held_out": len(held),
                    "r2": {n: round(float(r), 2) for n, r, m in zip(names, r2, moving, strict=True) if m},
                    "sigma": {n: round(float(s), 3) for n, s, m in zip(names, sigma, moving, strict=True) if m},
                    "left_at_rest": [n for n, r, m in zip(names, r2, moving, strict=True) if m and r < USELESS]}
