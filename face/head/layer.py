"""HeadLayer: the head in PyTorch, batched and differentiable; equal to ``HeadModel.vertices`` to 1e-5 m."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .lbs import JOINTS, PARENTS
from .model import HeadModel


def rotation_matrices(axis_angle: Tensor) -> Tensor:
    """Rodrigues' formula: ``(..., 3)`` rad to ``(..., 3, 3)``; smooth at zero, so that gradients exist at rest."""
    sq = (axis_angle * axis_angle).sum(-1)
    small = sq < 1e-8
    safe = torch.where(small, torch.ones_like(sq), sq)  # keeps sqrt's gradient finite in the unused branch
    angle = safe.sqrt()
    a = torch.where(small, 1 - sq / 6, angle.sin() / angle)
    b = torch.where(small, 0.5 - sq / 24, (1 - angle.cos()) / safe)
    x, y, z = axis_angle.unbind(-1)
    rows = [
        1 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y,
        b * x * y + a * z, 1 - b * (x * x + z * z), b * y * z - a * x,
        b * x * z - a * y, b * y * z + a * x, 1 - b * (x * x + y * y),
    ]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


class HeadLayer(nn.Module):
    """A head as a module without parameters of its own.

    Args:
        head: the head.
        vertex_idx: evaluate only these vertices (indices into the head's V), in this order; None: all.
        landmarks: instead of vertices, evaluate only what the head's landmarks need and return those.

    Buffers move with ``.to(device)`` and are not saved in state dicts (the head file is the source).
    """

    def __init__(self, head: HeadModel, vertex_idx: Sequence[int] | np.ndarray | None = None,
                 *, landmarks: bool = False) -> None:
        super().__init__()
        if landmarks and vertex_idx is not None:
            raise ValueError("give vertex_idx or landmarks=True, not both")
        corners: np.ndarray | None = None
        if landmarks:
            triples = head.faces[head.lmk_faces]
            vertex_idx, inverse = np.unique(triples, return_inverse=True)
            corners = inverse.reshape(triples.shape)
        skin = head.subset(vertex_idx).skin if vertex_idx is not None else head.subset(np.arange(head.n_vertices)).skin
        self.n_shape, self.n_expr = head.n_shape, head.n_expr
        self.n_out = len(skin.template)
        arrays = {"template": skin.template.reshape(-1), "basis": skin.basis, "pose_basis": skin.pose_basis,
                  "joints": skin.joints.reshape(-1), "joint_basis": skin.joint_basis, "weights": skin.weights,
                  "pose_rows": skin.pose_rows.astype(np.int64)}
        if corners is not None:
            arrays |= {"corners": corners.astype(np.int64), "bary": head.lmk_bary}
        self.has_landmarks = corners is not None
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.array(array)), persistent=False)

    template: Tensor
    basis: Tensor
    pose_basis: Tensor
    joints: Tensor
    joint_basis: Tensor
    weights: Tensor
    pose_rows: Tensor
    corners: Tensor
    bary: Tensor

    def _argument(self, name: str, value: Tensor | None, width: int, frames: int) -> Tensor:
        if value is None:
            return self.template.new_zeros(frames, width)
        if value.ndim == 1:
            value = value[None]
        if value.ndim != 2 or value.shape[1] != width or value.shape[0] not in (1, frames):
            raise ValueError(f"{name} has shape {tuple(value.shape)}, needed ({frames}, {width})")
        return value.to(self.template.dtype).expand(frames, width)

    def forward(
        self, expr: Tensor | None = None, rotation: Tensor | None = None, neck_pose: Tensor | None = None,
        jaw_pose: Tensor | None = None, eyes_pose: Tensor | None = None, translation: Tensor | None = None,
        shape: Tensor | None = None,
    ) -> Tensor:
        """Posed vertices.

        Args:
            expr: ``(T, E)``; rotation, neck_pose, jaw_pose: ``(T, 3)`` axis-angle, rad; eyes_pose ``(T, 6)``;
            translation ``(T, 3)`` m; shape ``(S,)`` for all frames or ``(T, S)``.  Missing ones are zero.

        Returns:
            ``(T, N, 3)`` m: all vertices, or ``vertex_idx``, or the landmarks.

        Raises:
            ValueError: when an argument has the wrong shape.
        """
        given = [v for v in (expr, rotation, neck_pose, jaw_pose, eyes_pose, translation, shape) if v is not None]
        frames = max((v.shape[0] if v.ndim == 2 else 1 for v in given), default=1)
        e = self._argument("expr", expr, self.n_expr, frames)
        s = self._argument("shape", shape, self.n_shape, frames)
        poses = [self._argument(n, v, w, frames) for n, v, w in (
            ("rotation", rotation, 3), ("neck_pose", neck_pose, 3), ("jaw_pose", jaw_pose, 3),
            ("eyes_pose", eyes_pose, 6))]
        move = self._argument("translation", translation, 3, frames)
        rot = rotation_matrices(torch.cat(poses, 1).unflatten(1, (JOINTS, 3)))
        feature = (rot[:, 1:] - torch.eye(3, dtype=rot.dtype, device=rot.device)).flatten(1)
        if shape is None:
            coeff, basis, joint_basis = e, self.basis[self.n_shape:], self.joint_basis[self.n_shape:]
        else:
            coeff, basis, joint_basis = torch.cat([s, e], 1), self.basis, self.joint_basis
        shaped = self.template + coeff @ basis
        if len(self.pose_rows):
            shaped = shaped + feature[:, self.pose_rows] @ self.pose_basis
        shaped = shaped.unflatten(1, (self.n_out, 3))
        joints = (self.joints + coeff @ joint_basis).unflatten(1, (JOINTS, 3))
        world_r: list[Tensor] = []
        place: list[Tensor] = []
        for j, parent in enumerate(PARENTS):
            if parent < 0:
                world_r.append(rot[:, j])
                place.append(joints[:, j])
            else:
                world_r.append(world_r[parent] @ rot[:, j])
                bone = (joints[:, j] - joints[:, parent])[..., None]
                place.append((world_r[parent] @ bone)[..., 0] + place[parent])
        r = torch.stack(world_r, 1)
        t = torch.stack(place, 1) - (r @ joints[..., None])[..., 0]
        blend_r = (self.weights @ r.flatten(2)).unflatten(2, (3, 3))
        out = (blend_r @ shaped[..., None])[..., 0] + self.weights @ t + move[:, None]
        if self.has_landmarks:
            return (out[:, self.corners] * self.bary[..., None]).sum(2)
        return out
