"""What moves in a GLB: morph targets with their weights, and joints.

Several importers cut morph weights to 0 to 1 (Blender's sliders, Unity's clamp): :func:`within_sliders` says the same with
weights in that range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.spatial.transform import Rotation

from ...clip.channels import ARKIT_52, JOINT_SHAPES, PARENTS
from ...clip.sequence import FaceSequence
from ...head.lbs import world_transforms
from ...head.model import HeadModel
from ..convert.arkit import perform, weights

MOVES = 1e-6
"""A movement smaller than this, metres, is none."""
REACH = 4.0
"""Coefficient of a column without an ARKit name at which its morph target's weight is 1."""


@dataclass(frozen=True, eq=False)
class Motion:
    """What moves: morph targets with their weights, and the joints' local transforms."""

    names: list[str]
    deltas: np.ndarray  # (M,V,3) metres
    weights: np.ndarray  # (T,M)
    rotations: np.ndarray  # (T,5,4) quaternions x, y, z, w
    translations: np.ndarray  # (T,5,3) metres, local to the parent
    joints: np.ndarray  # (5,3) bind positions, metres
    base: np.ndarray  # (V,3) bind pose, metres


def features_of(local: Rotation, frames: int) -> np.ndarray:
    """(T,36) entries of ``R - I`` of the joints but the root, which FLAME's pose correctives are linear in."""
    return (local.as_matrix().reshape(frames, 5, 9)[:, 1:] - np.eye(3).ravel()).reshape(frames, 36)


def corrective_basis(head: HeadModel, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pose correctives as few morph targets: (R,V,3) deltas, and (36,R) what makes their weights of features.

    The exact offset is ``posedirs @ (R - I)``. Weighted by what each of its 36 entries moves, the matrix ``features`` (T,36) has
    low rank (a jaw that opens and shuts: 2); directions that move no vertex by more than 10 micrometres are dropped.
    """
    v = len(head.v_template)
    posedirs = np.asarray(head.posedirs, np.float64).reshape(v * 3, -1)
    strength = np.linalg.norm(posedirs, axis=0)
    u, s, vt = np.linalg.svd(features * strength, full_matrices=False)
    deltas, makes = [np.zeros((0, v, 3))], [np.zeros((36, 0))]
    for k in range(len(s)):
        delta = (posedirs @ (vt[k] / np.where(strength > 0, strength, np.inf))).reshape(v, 3)
        peak = np.abs(u[:, k]).max() * s[k]
        if peak * np.linalg.norm(delta, axis=1).max() >= 1e-5:
            deltas.append(delta[None] * peak)  # weights within [-1, 1], as viewers' sliders expect
            makes.append((strength * vt[k] / peak)[:, None])
    return np.concatenate(deltas), np.concatenate(makes, 1)


@lru_cache(maxsize=4)
def usual_basis(head: HeadModel) -> tuple[np.ndarray, np.ndarray]:
    """Pose correctives for usual poses of jaw, neck and eyes: the same for all clips of a head."""
    reach = np.array([[0.1, 0.2, 0.1], [0.3, 0.5, 0.3], [0.0, 0.15, 0.15], [0.4, 0.6, 0.1], [0.4, 0.6, 0.1]])
    poses = np.random.default_rng(0).uniform(-reach, reach, (256, 5, 3))
    poses[:, 2, 0] = np.linspace(0.0, 0.55, len(poses))  # jaws only open
    return corrective_basis(head, features_of(Rotation.from_rotvec(poses.reshape(-1, 3)), len(poses)))


def motion_of(seq: FaceSequence, head: HeadModel, basis: tuple[np.ndarray, np.ndarray]) -> Motion:
    """Bind pose, morph targets and tracks that reproduce the head model's equations; correctives of a basis."""
    n = len(seq)
    base_dirs = np.asarray(head.shapedirs, np.float64)
    shape = np.zeros(head.n_shape)
    shape[: len(seq.shape)] = seq.shape
    base = np.asarray(head.v_template, np.float64) + base_dirs[..., : head.n_shape] @ shape
    expr_dirs = np.moveaxis(base_dirs[..., head.n_shape:], -1, 0)
    regressor = np.asarray(head.J_regressor, np.float64)
    joints = regressor @ base
    # FLAME's joints follow the expression: J(t) = J + sum_e expr_e * (J_regressor @ dir_e)
    shift = np.einsum("jv,evc->ejc", regressor, expr_dirs)
    moved = joints[None] + np.einsum("te,ejc->tjc", seq.expr.astype(np.float64), shift)
    pose = np.stack([seq.rotation, seq.neck_pose, seq.jaw_pose, seq.eyes_pose[:, :3],
                     seq.eyes_pose[:, 3:]], 1).astype(np.float64)
    local = Rotation.from_rotvec(pose.reshape(-1, 3))
    # World transform of joint j maps a bind-pose point v to  A_j v + b_j;  glTF gives  A_j (v - J_j) + q_j.
    world, offset = world_transforms(local.as_matrix().reshape(n, 5, 3, 3), moved)
    q = offset + np.einsum("tjab,jb->tja", world, joints) + seq.translation[:, None]
    parents = list(PARENTS[1:])
    steps = np.einsum("tjba,tjb->tja", world[:, parents], q[:, 1:] - q[:, parents])
    translations = np.concatenate([q[:, :1], steps], 1)
    quaternions = local.as_quat().reshape(n, 5, 4)
    turns = np.where((quaternions[1:] * quaternions[:-1]).sum(-1) < 0, -1, 1)
    quaternions[1:] *= np.cumprod(turns, 0)[..., None]  # the short way round between key frames
    features = features_of(local, n)
    extra, makes = basis
    return Motion(
        [*head.expr_names, *(f"poseCorrective_{k}" for k in range(len(extra)))],
        np.concatenate([expr_dirs, extra]),
        np.concatenate([seq.expr, features @ makes], 1),
        quaternions, translations, joints, base)


def within_sliders(motion: Motion, signed: np.ndarray) -> tuple[Motion, list[str]]:
    """The same movement with weights within 0 to 1, and the targets that this clip needs beyond those of every clip.

    A target that works both ways gets a twin, ``NAME_minus``, for its negative weights, and one whose weight exceeds 1 one for
    the rest, ``NAME_more``.

    Args:
        motion: what moves.
        signed: (M,) bool: targets that always have their twin, so that the list is the same for every clip.
    """
    size = np.linalg.norm(motion.deltas, axis=2).max(1, initial=0.0)
    names, deltas, columns, added = [], [], [], []

    def put(name: str, delta: np.ndarray, column: np.ndarray) -> None:
        names.append(name)
        deltas.append(delta)
        columns.append(column)

    for k, name in enumerate(motion.names):
        for sign, twin in ((1.0, name), (-1.0, f"{name}_minus")):
            weight, delta = np.maximum(sign * motion.weights[:, k], 0.0), sign * motion.deltas[k]
            usual = sign > 0 or bool(signed[k])
            if not usual and weight.max() * size[k] < MOVES:
                continue
            put(twin, delta, np.minimum(weight, 1.0))
            added += [] if usual else [twin]
            if (over := weight.max() - 1.0) * size[k] >= MOVES:
                scale = math.ceil(over)
                put(f"{twin}_more", scale * delta, np.maximum(weight - 1.0, 0.0) / scale)
                added.append(f"{twin}_more")
    return replace(motion, names=names, deltas=np.stack(deltas), weights=np.stack(columns, 1)), added


def head_motion(seq: FaceSequence, head: HeadModel) -> tuple[Motion, list[str]]:
    """A clip in the head's own columns, exactly, with weights within 0 to 1; and the targets that only this clip needs."""
    own = motion_of(seq, head, usual_basis(head))
    arkit = np.array([n in ARKIT_52 for n in own.names])
    scale = np.where([n in head.expr_names and n not in ARKIT_52 for n in own.names], REACH, 1.0)
    own = replace(own, deltas=own.deltas * scale[:, None, None], weights=own.weights / scale)
    return within_sliders(own, ~arkit)


def arkit_motion(seq: FaceSequence, head: HeadModel) -> Motion:
    """A clip in ARKit's 52 shapes as morph targets, weights cut to 0 to 1; jaw and eyes are shapes, head and neck joints.

    A turn is a straight line here: half an opening is not quite where the joint would take it (:func:`arkit_error`).
    """
    still = seq.replace(jaw_pose=np.zeros_like(seq.jaw_pose), eyes_pose=np.zeros_like(seq.eyes_pose))
    own = motion_of(still, head, (np.zeros((0, head.n_vertices, 3)), np.zeros((36, 0))))
    deltas = np.zeros((len(ARKIT_52), head.n_vertices, 3))
    for k, name in enumerate(ARKIT_52):
        if name in head.expr_names:
            deltas[k] = own.deltas[head.expr_names.index(name)]
    joints = [k for k, n in enumerate(ARKIT_52) if n in JOINT_SHAPES]
    posed = perform({ARKIT_52[k]: np.eye(len(joints))[i] for i, k in enumerate(joints)}, head)
    shape = seq.shape if len(seq.shape) else None
    deltas[joints] = head.vertices(**posed, shape=shape).astype(np.float64) - own.base
    return replace(own, names=list(ARKIT_52), deltas=deltas, weights=weights(seq, head))


def arkit_error(seq: FaceSequence, head: HeadModel, motion: Motion, frames: int = 48) -> np.ndarray:
    """``(K, V)`` m: how far off the shapes of :func:`arkit_motion` are in some frames, the head's own turn aside."""
    at = np.unique(np.linspace(0, len(seq) - 1, min(frames, len(seq))).round().astype(int))
    true = head.vertices(seq.expr[at], jaw_pose=seq.jaw_pose[at], eyes_pose=seq.eyes_pose[at],
                         shape=seq.shape if len(seq.shape) else None)
    made = motion.base + np.tensordot(motion.weights[at], motion.deltas, 1)
    return np.asarray(np.linalg.norm(true - made, axis=2))
