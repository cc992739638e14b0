"""How MediaPipe's points respond to the default head (face/landmarks/response.py): draw, detect, regress.

Clips of random identities in random views (pictures as renders.py draws them) with known
parameters; what the detected points do beyond the embedding's projection is regressed, ridge, on expression, jaw,
gaze and view within a clip, and on identity between clips. A fifth as many clips again are held out for the figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from facelm.data_gen.fit.points import PointModel
from facelm.face.clip.rotation import rotation_matrices
from facelm.face.head.model import HeadModel
from facelm.face.landmarks.points import embedding_for
from renders import Seen, clip_poses, draw_and_detect, ridge

STIFF = ("nose", "forehead", "eye_left", "eye_right", "cheeks")
CLIPS, SIZE = 200, 256
"""Drawn clips of 15 frames, and their side in px."""
RIDGE_MOTION, RIDGE_SHAPE = 0.5, 30.0
"""Found on the held-out clips: 0.1 to 3 and 10 to 100 are as good to 3 %."""
MODES = 20
"""Ways in which the points err together; a fifth of these explain half of what the regression leaves, all of them 87 %."""
STEP = 2e-6
"""The file keeps multiples of this, m."""


@dataclass(frozen=True)
class Samples:
    """Per picture: ``beyond (N, 2L)`` m, ``shown (N, E + 7)``, ``shape (N, S)``, ``clip (N,)``."""

    beyond: np.ndarray
    shown: np.ndarray
    shape: np.ndarray
    clip: np.ndarray


def samples(seen: Seen, model: PointModel) -> Samples:
    """What the points of each picture do beyond the mesh, once the head is where the stiff points say."""
    poses, pivot = seen.poses, model.template.mean(0)
    rot = rotation_matrices(poses.rotation.astype(np.float32)).astype(np.float64)
    stiff = np.isin(np.array(model.embedding.region), STIFF)
    rows = np.flatnonzero(seen.found)
    beyond, views = np.zeros((len(rows), model.n_points, 2)), np.zeros((len(rows), 2))
    for k, i in enumerate(rows):
        shape = poses.shape[i].astype(np.float32)
        pose = [getattr(poses, n)[i:i + 1].astype(np.float32) for n in ("expr", "jaw", "eyes")]
        head = (model.local(model.neutral(shape), model.joints(shape), *pose).at[0] - pivot) @ rot[i].T
        uv, focal = (seen.points[i, model.embedding.index] - seen.size / 2) * [1, -1], seen.focal[i]
        # the position is linear: f (x + px) = -u (z + pz), the same for y
        m, zero = stiff, np.zeros(stiff.sum())
        system = np.concatenate([np.stack([zero + focal, zero, uv[m, 0]], 1), np.stack([zero, zero + focal, uv[m, 1]], 1)])
        right = np.concatenate([-uv[m, 0] * head[m, 2] - focal * head[m, 0], -uv[m, 1] * head[m, 2] - focal * head[m, 1]])
        pos = np.linalg.lstsq(system, right, rcond=None)[0]
        world = head + pos
        miss = (uv - focal * world[:, :2] / -world[:, 2:]) * -pos[2] / focal
        roll = np.arctan2(rot[i][1, 0], rot[i][1, 1])
        beyond[k] = miss @ np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        ahead = rot[i][:, 2]
        views[k] = -np.arcsin(ahead[1]), np.arctan2(ahead[0], ahead[2])
    gaze = (poses.eyes[rows, :2] + poses.eyes[rows, 3:5]) / 2
    shown = np.concatenate([poses.expr[rows], poses.jaw[rows], gaze, views], 1)
    return Samples(beyond.reshape(len(rows), -1), shown, poses.shape[rows], poses.clip[rows])


def centred(values: np.ndarray, clip: np.ndarray) -> np.ndarray:
    """Each clip's rows minus their mean."""
    out = values.copy()
    for c in np.unique(clip):
        out[clip == c] -= out[clip == c].mean(0)
    return out


def resting(s: Samples, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Identity ``(C, S)`` and what remains at rest ``(C, 2L)`` of each clip."""
    clips = np.unique(s.clip)
    left = s.beyond - s.shown @ motion
    return (np.array([s.shape[s.clip == c][0] for c in clips]), np.array([left[s.clip == c].mean(0) for c in clips]))


def rms(x: np.ndarray) -> float:
    return float(1e3 * np.sqrt((x**2).mean()))


def build() -> dict[str, np.ndarray]:
    """The arrays of the file; prints the figures of the held-out clips."""
    head, rng = HeadModel.default(), np.random.default_rng(1)
    model = PointModel(head, embedding_for(head), None)
    train, test = (samples(draw_and_detect(head, clip_poses(head, n, rng), SIZE, rng), model) for n in (CLIPS, CLIPS // 5))
    x, y = centred(train.shown, train.clip), centred(train.beyond, train.clip)
    motion = ridge(x, y, RIDGE_MOTION)
    who, rest = resting(train, motion)
    mean = rest.mean(0)
    identity = ridge(who, rest - mean, RIDGE_SHAPE)
    moved = centred(test.beyond, test.clip)
    left = moved - centred(test.shown, test.clip) @ motion
    who2, rest2 = resting(test, motion)
    print(f"held out, mm a coordinate: motion beyond the mesh {rms(moved):.2f} -> {rms(left):.2f}; "
          f"rest {rms(rest2):.2f} -> {rms(rest2 - mean):.2f} (mean) -> {rms(rest2 - mean - who2 @ identity):.2f} (identity)")
    points, e = model.n_points, head.n_expr
    _, spread, axes = np.linalg.svd(y - x @ motion, full_matrices=False)
    modes = axes[:MODES] * (spread[:MODES, None] / np.sqrt(len(y)))
    unit = axes[:MODES]
    fine = left - left @ unit.T @ unit
    print(f"{MODES} modes: {rms(left):.2f} -> {rms(fine):.2f}")
    sigma = np.sqrt((fine.reshape(-1, points, 2) ** 2).mean((0, 2)))
    parts = motion.reshape(-1, points, 2)
    arrays = {"mean": mean.reshape(points, 2), "shape": identity.reshape(-1, points, 2), "expr": parts[:e],
              "jaw": parts[e:e + 3], "gaze": parts[e + 3:e + 5], "view": parts[e + 5:],
              "habits": modes.reshape(-1, points, 2), "sigma": sigma}
    packed = {k: np.clip(np.round(v / STEP), -32767, 32767).astype(np.int16) for k, v in arrays.items()}
    return {"step": np.float64(STEP), "head_sha256": np.array(head.sha256), "index": model.embedding.index.astype(np.int16),
            **packed}
