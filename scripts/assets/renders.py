"""Random pictures of the default head and what MediaPipe finds on them."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from facelm.data_gen.fit.landmarker import Landmarker, landmarker_model
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.sampler import sample_script
from facelm.face.facs.poses import ACTION_POSES, EMOTION_POSES
from facelm.face.head.model import HeadModel
from facelm.face.render.camera import Camera
from facelm.face.render.render import Renderer
from facelm.face.render.shading import Palette, appearance
from scipy.spatial.transform import Rotation
from tqdm import tqdm

SKINS = ((0.87, 0.67, 0.56), (0.94, 0.78, 0.68), (0.76, 0.55, 0.43), (0.58, 0.39, 0.29), (0.42, 0.28, 0.21))


@dataclass(frozen=True)
class Poses:
    """N poses of the head; every array has N rows. Angles in radians, metres."""

    shape: np.ndarray
    expr: np.ndarray
    jaw: np.ndarray
    eyes: np.ndarray
    rotation: np.ndarray
    fov: np.ndarray
    clip: np.ndarray  # which clip a row is of; -1 for single pictures

    def __len__(self) -> int:
        return len(self.expr)


@dataclass(frozen=True)
class Seen:
    """Pictures with their detections."""

    poses: Poses
    vertices: np.ndarray  # (N,V,3) m, camera frame
    focal: np.ndarray  # (N,) px
    found: np.ndarray  # (N,) bool
    points: np.ndarray  # (N,478,2) px, NaN where nothing was found
    scores: np.ndarray  # (N,52) blendshape scores
    size: int

    def project(self, points: np.ndarray) -> np.ndarray:
        """(N,...,3) m -> (N,...,2) px."""
        scale = self.focal.reshape(-1, *(1,) * (points.ndim - 2)) / -points[..., 2]
        return np.stack([self.size / 2 + scale * points[..., 0], self.size / 2 - scale * points[..., 1]], -1)


def _views(n: int, rng: np.random.Generator, yaw: float, pitch: float) -> np.ndarray:
    """(N,3) axis-angle rotations: yaw, pitch and a little roll, degrees."""
    angles = np.stack([rng.uniform(-yaw, yaw, n), rng.uniform(-pitch, pitch, n), rng.uniform(-8, 8, n)], 1)
    return Rotation.from_euler("YXZ", angles, degrees=True).as_rotvec()


def random_poses(head: HeadModel, n: int, rng: np.random.Generator) -> Poses:
    """Single pictures: a third at rest, the others with one or two actions or an emotion."""
    column = {name: i for i, name in enumerate(head.expr_names)}
    expr, jaw, eyes = np.zeros((n, head.n_expr)), np.zeros((n, 3)), np.zeros((n, 6))
    names = [k for k, p in ACTION_POSES.items() if set(p) & set(column) or "jaw_x" in p or "jaw_y" in p]
    shown = [ACTION_POSES[k] for k in names] + list(EMOTION_POSES.values())
    for i in range(n):
        if i % 3:
            for k in rng.choice(len(shown), rng.integers(1, 3), replace=False):
                level = rng.uniform(0.3, 1.0)
                for channel, value in shown[k].items():
                    if channel in column:
                        expr[i, column[channel]] = max(expr[i, column[channel]], value * level)
                    elif channel in ("jaw_x", "jaw_y"):
                        jaw[i, "xy".index(channel[-1])] += value * level
            eyes[i] = np.tile([*rng.uniform(-0.3, 0.3, 2), 0.0], 2)
    return Poses(rng.normal(0, 0.7, (n, head.n_shape)), expr, jaw, eyes, _views(n, rng, 28, 20),
                 rng.uniform(14, 40, n), np.full(n, -1))


def clip_poses(head: HeadModel, clips: int, rng: np.random.Generator, frames: int = 15) -> Poses:
    """Clips of one identity and one view each: performed scripts and, every third, random channels one to three at once.

    A performed script moves channels together as faces do; the random ones separate the channels.
    """
    rows: dict[str, list[np.ndarray]] = {k: [] for k in ("shape", "expr", "jaw", "eyes", "rotation", "fov", "clip")}
    for c in range(clips):
        view = _views(1, rng, 20, 12)
        if c % 3:
            seq = perform(sample_script(rng), head)
            pick = np.linspace(0, len(seq) - 1, frames).astype(int)
            expr, jaw, eyes = seq.expr[pick], seq.jaw_pose[pick], seq.eyes_pose[pick]
            turned = np.clip(seq.neck_pose[pick] + seq.rotation[pick], -0.45, 0.45)
        else:
            expr, jaw, eyes = np.zeros((frames, head.n_expr)), np.zeros((frames, 3)), np.zeros((frames, 6))
            turned = rng.normal(0, 0.05, (frames, 3))
            for i in range(frames // 4, frames):
                expr[i, rng.choice(head.n_expr, rng.integers(1, 4), replace=False)] = rng.uniform(0.2, 1.0)
                if rng.random() < 0.4:
                    jaw[i, :2] = rng.uniform(0, 0.4), rng.normal(0, 0.05)
                if rng.random() < 0.4:
                    eyes[i] = np.tile([*rng.uniform(-0.4, 0.4, 2), 0.0], 2)
        for name, value in (("expr", expr), ("jaw", jaw), ("eyes", eyes), ("rotation", view + turned),  # small angles add
                            ("shape", np.repeat(rng.normal(0, 0.7, (1, head.n_shape)), frames, 0)),
                            ("fov", np.full(frames, rng.uniform(14, 40))), ("clip", np.full(frames, c))):
            rows[name].append(value)
    return Poses(**{k: np.concatenate(v) for k, v in rows.items()})


def _palette(rng: np.random.Generator) -> Palette:
    skin = np.array(SKINS[rng.integers(len(SKINS))]) * rng.uniform(0.92, 1.06)
    colour = lambda rgb, low, high: tuple(float(x) for x in np.clip(np.array(rgb) * rng.uniform(low, high), 0, 1))  # noqa: E731
    background = tuple(float(x) for x in rng.uniform(0.05, 0.7, 3))
    return Palette(skin=colour(skin, 1, 1), cheeks=colour(skin * (1, 0.84, 0.87), 1, 1),
                   lips=colour(skin * (0.88, 0.63, 0.68), 0.9, 1.05), brows=colour((0.28, 0.18, 0.13), 0.5, 1.6),
                   iris=colour(((0.33, 0.47, 0.55), (0.35, 0.22, 0.12), (0.34, 0.42, 0.25))[rng.integers(3)], 0.7, 1.2),
                   background=(background[0], background[1], background[2]))


def _relight(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, a lateral gradient of light and sensor noise."""
    h, w = picture.shape[:2]
    y, x = np.mgrid[0:h, 0:w] / max(h, w) - 0.5
    gain = rng.uniform(0.65, 1.15) * np.exp(rng.normal(0, 0.35) * x + rng.normal(0, 0.25) * y)
    out = 255 * (picture / 255.0) ** rng.uniform(0.85, 1.2) * gain[..., None]
    return np.clip(out + rng.normal(0, rng.uniform(0, 4), picture.shape), 0, 255).astype(np.uint8)


def draw_and_detect(head: HeadModel, poses: Poses, size: int, rng: np.random.Generator) -> Seen:
    """Draw every pose with its own colours and light, and find the points on it."""
    n = len(poses)
    vertices = np.empty((n, head.n_vertices, 3), np.float32)
    points = np.full((n, 478, 2), np.nan, np.float32)
    scores = np.zeros((n, 52), np.float32)
    focal = size / 2 / np.tan(np.radians(poses.fov) / 2)
    look, of_clip = None, None
    with closing(Landmarker(landmarker_model(), 1)) as landmarker:
        for i in tqdm(range(n), desc="renders", unit="picture"):
            posed = head.vertices(poses.expr[i], rotation=poses.rotation[i], jaw_pose=poses.jaw[i], eyes_pose=poses.eyes[i],
                                  shape=poses.shape[i])[0]
            middle = (posed[head.masks["face"]].max(0) + posed[head.masks["face"]].min(0)) / 2
            reach = rng.uniform(0.125, 0.19) / math.tan(math.radians(poses.fov[i]) / 2)
            shift = np.array([*rng.uniform(-0.02, 0.02, 2), -reach]) - middle
            vertices[i] = posed + shift
            if look is None or poses.clip[i] < 0 or poses.clip[i] != of_clip:
                look, of_clip = appearance(head, _palette(rng)), poses.clip[i]
            renderer = Renderer(head, Camera((0.0, 0.0, 0.0), float(reach), float(poses.fov[i]), 0.2), size, look=look)
            picture = _relight(renderer.draw(vertices[i] + np.array([0, 0, reach], np.float32)), rng)
            for face in landmarker.look(picture, retry=False):
                points[i], scores[i] = face.points[:, :2] * size, face.blendshapes
    return Seen(poses, vertices, focal, np.isfinite(points[:, 0, 0]), points, scores, size)


def ridge(x: np.ndarray, y: np.ndarray, stiffness: float) -> np.ndarray:
    """Ridge regression of ``y (N, M)`` on ``x (N, K)``: (K, M)."""
    return np.linalg.solve(x.T @ x + stiffness * np.eye(x.shape[1]), x.T @ y)
