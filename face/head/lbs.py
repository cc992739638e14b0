"""FLAME's equations in NumPy: blend shapes, pose correctives, linear blend skinning.

The model is the one of Li et al., "Learning a model of facial shape and expression from 4D scans"
(SIGGRAPH Asia 2017, https://flame.is.tue.mpg.de): vertices are a template plus linear identity,
expression and pose offsets, posed by linear blend skinning over five joints whose places are
regressed from the shaped vertices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..clip.channels import PARENTS
from ..clip.rotation import rotation_matrices

JOINTS = len(PARENTS)
WORKING_SET = 80000  # vertices posed at once; keeps the blended matrices in cache-sized pieces


@dataclass(frozen=True, eq=False)
class Skin:
    """A head's arrays arranged for evaluation, for all of its vertices or some of them.

    Attributes:
        template: ``(N, 3)`` m.
        basis: ``(S + E, N * 3)`` identity then expression offsets.
        pose_rows: indices into the 36 pose features that have any corrective.
        pose_basis: ``(len(pose_rows), N * 3)``.
        joints: ``(5, 3)`` template joints; ``joint_basis``: ``(S + E, 15)`` their offsets.
        weights: ``(N, 5)``.
    """

    n_shape: int
    template: np.ndarray
    basis: np.ndarray
    pose_rows: np.ndarray
    pose_basis: np.ndarray
    joints: np.ndarray
    joint_basis: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, v_template: np.ndarray, shapedirs: np.ndarray, posedirs: np.ndarray,
           j_regressor: np.ndarray, weights: np.ndarray, n_shape: int,
           vertex_idx: np.ndarray | None = None) -> Skin:
        """Arrange a head's arrays (HeadModel's shapes); ``vertex_idx`` keeps only those vertices."""
        regressor = j_regressor.astype(np.float64)
        joints = regressor @ v_template
        joint_basis = np.einsum("jv,vck->kjc", regressor, shapedirs, optimize=True)
        if vertex_idx is not None:
            v_template, shapedirs = v_template[vertex_idx], shapedirs[vertex_idx]
            posedirs, weights = posedirs[vertex_idx], weights[vertex_idx]
        rows = np.flatnonzero(np.abs(posedirs).max((0, 1), initial=0.0) > 0)
        k = shapedirs.shape[2]
        f32 = np.float32
        return cls(
            n_shape=n_shape,
            template=np.ascontiguousarray(v_template, f32),
            basis=np.ascontiguousarray(shapedirs.transpose(2, 0, 1).reshape(k, 3 * len(v_template)), f32),
            pose_rows=rows,
            pose_basis=np.ascontiguousarray(posedirs[:, :, rows].transpose(2, 0, 1).reshape(len(rows), 3 * len(v_template)), f32),
            joints=joints.astype(f32),
            joint_basis=np.ascontiguousarray(joint_basis.reshape(k, 3 * JOINTS), f32),
            weights=np.ascontiguousarray(weights, f32),
        )

    def pose(self, shape: np.ndarray, expr: np.ndarray, pose: np.ndarray, translation: np.ndarray) -> np.ndarray:
        """Posed vertices.

        Args:
            shape: ``(S,)``; expr: ``(T, E)``; pose: ``(T, 5, 3)`` axis-angle, rad, in joint order;
            translation: ``(T, 3)`` m.

        Returns:
            ``(T, N, 3)`` float32, m.
        """
        frames, n = len(expr), len(self.template)
        out = np.empty((frames, n, 3), np.float32)
        s = self.n_shape
        still = self.template.reshape(-1) + shape @ self.basis[:s]
        still_joints = self.joints.reshape(-1) + shape @ self.joint_basis[:s]
        step = max(1, WORKING_SET // max(n, 1))
        for start in range(0, frames, step):
            part = slice(start, min(start + step, frames))
            e = expr[part]
            shaped = still + e @ self.basis[s:]
            joints = (still_joints + e @ self.joint_basis[s:]).reshape(-1, JOINTS, 3)
            rot = rotation_matrices(pose[part])
            if len(self.pose_rows):
                feature = (rot[:, 1:] - np.eye(3, dtype=np.float32)).reshape(len(e), 36)
                shaped = shaped + feature[:, self.pose_rows] @ self.pose_basis
            shaped = shaped.reshape(len(e), n, 3)
            world_r, world_t = world_transforms(rot, joints)
            world = np.concatenate([world_r, (world_t + translation[part][:, None])[..., None]], -1)
            blend = (self.weights @ world.reshape(len(e), JOINTS, 12)).reshape(len(e), n, 3, 4)
            np.matmul(blend[..., :3], shaped[..., None], out=out[part][..., None])
            out[part] += blend[..., 3]
        return out


def world_transforms(rot: np.ndarray, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation ``(T,5,3,3)`` and offset ``(T,5,3)`` that take rest-pose points to posed ones, by joint.

    Args:
        rot: ``(T, 5, 3, 3)`` local rotations; joints: ``(T, 5, 3)`` rest-pose joints, m.
    """
    r: list[np.ndarray] = []
    place: list[np.ndarray] = []
    for j, parent in enumerate(PARENTS):
        if parent < 0:
            r.append(rot[:, j])
            place.append(joints[:, j])
        else:
            r.append(r[parent] @ rot[:, j])
            bone = (joints[:, j] - joints[:, parent])[..., None]
            place.append((r[parent] @ bone)[..., 0] + place[parent])
    world_r = np.stack(r, 1)
    posed = np.stack(place, 1)
    return world_r, posed - (world_r @ joints[..., None])[..., 0]
