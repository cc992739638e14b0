"""The head at the points that a detector sees, with the derivatives that Gauss-Newton needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...face.clip.rotation import rotation_matrices
from ...face.head.lbs import JOINTS
from ...face.head.model import HeadModel
from ...face.landmarks.points import Embedding
from ...face.landmarks.response import Response

Array = NDArray[np.float32]

JAW = 2
LID_PAIRS = ((159, 145), (158, 153), (160, 144), (386, 374), (385, 380), (387, 373))
"""MediaPipe's upper and lower points of the lids' edges, three of the right eye, then three of the left."""
_LID_SHAPES = ("eyeBlink", "eyeSquint", "eyeWide")
_STEP = 1e-2
"""Step of the central differences in joint angles, rad."""


def view_angles(rot: Array) -> NDArray[np.floating]:
    """``(T, 2)`` rad: pitch and yaw of heads turned by ``rot (T, 3, 3)``."""
    ahead = rot[:, :, 2]
    return np.stack([-np.arcsin(np.clip(ahead[:, 1], -1, 1)), np.arctan2(ahead[:, 0], ahead[:, 2])], 1)


@dataclass(frozen=True)
class Posed:
    """Points in the head's own frame (global rotation and translation left out).

    Attributes:
        at: ``(T, L, 3)`` m.
        blend: ``(T, L, 3, 3)`` the rotation that the jaw and eye joints give each point.
        shaped: ``(T, L, 3)`` m, before the joints turn anything.
    """

    at: Array
    blend: Array
    shaped: Array


class PointModel:
    """A head evaluated at L landmarks only.

    Barycentric weights are applied to the arrays of the head beforehand (template, bases, skinning weights), so
    that a frame costs L points instead of 3 L vertices; the difference from interpolating skinned vertices is
    below 0.02 mm on the default head.

    Args:
        head: any head.
        embedding: where the L points lie on it.
        response: the detector's bias on that; None: exact points.
    """

    def __init__(self, head: HeadModel, embedding: Embedding, response: Response | None) -> None:
        corners = head.faces[embedding.faces]
        keep, inverse = np.unique(corners, return_inverse=True)
        skin = head.subset(keep).skin
        where, bary = inverse.reshape(corners.shape), embedding.bary.astype(np.float32)
        n, points = len(keep), len(corners)

        def mix(rows: Array) -> Array:
            """(K, n * 3) offsets of vertices to (K, L, 3) offsets of points."""
            at = rows.reshape(len(rows), n, 3)[:, where]
            return np.einsum("klcd,lc->kld", at, bary, optimize=True).astype(np.float32)

        self.head, self.embedding, self.skin = head, embedding, skin
        self.n_points, self.n_shape, self.n_expr = points, head.n_shape, head.n_expr
        self.template = mix(skin.template.reshape(1, -1))[0]
        basis = mix(skin.basis)
        self.shape_basis, self.expr_basis = basis[: self.n_shape], basis[self.n_shape:]
        self.response = response
        self.n_bias = 0
        """Columns after the expression's: the detector's own, fitted along and thrown away."""
        if response is not None:  # a detector's response to a shape is as good as a shape
            self.template[:, :2] += response.mean
            self.shape_basis[..., :2] += response.shape
            self.expr_basis[..., :2] += response.expr
            bias = np.pad(response.habits, ((0, 0), (0, 0), (0, 1)))
            self.expr_basis = np.concatenate([self.expr_basis, bias])
            self.n_bias = len(bias)
            self.angle_response = np.concatenate([response.jaw, response.gaze]).reshape(5, -1)
            self.view_response = response.view.reshape(2, -1)
        self.n_columns = self.n_expr + self.n_bias
        self.expr_by_point = np.ascontiguousarray(self.expr_basis.transpose(1, 2, 0))
        """(L, 3, E + K)"""
        self.shape_by_point = np.ascontiguousarray(self.shape_basis.transpose(1, 2, 0))
        self.pose_rows = skin.pose_rows
        self.pose_basis = mix(skin.pose_basis) if len(skin.pose_rows) else np.zeros((0, points, 3), np.float32)
        self.weights = np.einsum("lcj,lc->lj", skin.weights[where], bary).astype(np.float32)

    def joints(self, shape: Array) -> Array:
        """``(5, 3)`` m: joints of an identity ``(S,)``."""
        return (self.skin.joints.reshape(-1) + shape @ self.skin.joint_basis[: self.n_shape]).reshape(JOINTS, 3)

    def neutral(self, shape: Array, offset: Array | None = None) -> Array:
        """``(L, 3)`` m: the points of an identity at rest."""
        out = self.template + np.tensordot(shape, self.shape_basis, 1).astype(np.float32)
        return out if offset is None else out + offset

    def local(self, neutral: Array, joints: Array, expr: Array, jaw: Array, eyes: Array) -> Posed:
        """Points in the head's frame.

        Args:
            neutral: ``(L, 3)`` from :meth:`neutral`; joints: ``(5, 3)``.
            expr: ``(T, E + K)``, the head's columns and the detector's.
            jaw: ``(T, 3)`` rad; eyes: ``(T, 6)`` rad, left then right.
        """
        frames, n = len(expr), self.n_points
        shaped = neutral + (expr @ self.expr_basis.reshape(self.n_columns, -1)).reshape(frames, n, 3)
        rot = rotation_matrices(np.stack([jaw, eyes[:, :3], eyes[:, 3:]], 1).astype(np.float32))
        swing = rot - np.eye(3, dtype=np.float32)
        if len(self.pose_rows):  # rows: nine of the neck (always at rest here), nine each of jaw and eyes
            feature = np.concatenate([np.zeros((frames, 9), np.float32), swing.reshape(frames, 27)], 1)
            shaped = shaped + (feature[:, self.pose_rows] @ self.pose_basis.reshape(len(self.pose_rows), -1)).reshape(
                frames, n, 3)
        # sum_j w_j (R_j (v - J_j) + J_j) = v + sum_j w_j (R_j - I)(v - J_j), over the joints that turn
        w = self.weights[:, JAW:]
        blend = (w @ swing.reshape(frames, 3, 9)).reshape(frames, n, 3, 3)
        pull = np.einsum("tjab,jb->tja", swing, joints[JAW:])
        at = shaped + (blend @ shaped[..., None])[..., 0] - w @ pull
        if self.response is not None:
            gaze = (eyes[:, :2] + eyes[:, 3:5]) / 2
            at[..., :2] += (np.concatenate([jaw, gaze], 1) @ self.angle_response).reshape(frames, n, 2)
        return Posed(at.astype(np.float32), blend + np.eye(3, dtype=np.float32), shaped)

    def angle_slopes(self, posed: Posed, joints: Array, jaw: Array, eyes: Array) -> Array:
        """``(T, L, 3, 7)`` derivative of the points by the jaw's three angles and each eye's pitch and yaw, m/rad."""
        frames, n = len(jaw), self.n_points
        out = np.empty((frames, n, 3, 7), np.float32)
        angles = (jaw, eyes[:, :3], eyes[:, 3:])
        for k, (joint, axis) in enumerate(((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 1))):
            step = np.zeros(3, np.float32)
            step[axis] = _STEP
            d = (rotation_matrices(angles[joint] + step) - rotation_matrices(angles[joint] - step)) / (2 * _STEP)
            arm = (posed.shaped - joints[JAW + joint]) * self.weights[:, JAW + joint, None]
            move = arm @ d.transpose(0, 2, 1)
            rows = np.flatnonzero((self.pose_rows >= 9 * (joint + 1)) & (self.pose_rows < 9 * (joint + 2)))
            if len(rows):
                feature = d.reshape(frames, 9)[:, self.pose_rows[rows] - 9 * (joint + 1)]
                lift = feature @ self.pose_basis[rows].reshape(len(rows), -1)
                move = move + (posed.blend @ lift.reshape(frames, n, 3, 1))[..., 0]
            if self.response is not None:
                own = self.angle_response[k] if k < 3 else 0.5 * self.angle_response[3 + (k - 3) % 2]
                move[..., :2] += own.reshape(n, 2)
            out[..., k] = move
        return out

    def adapt_lids(self, neutral: Array, offset: Array) -> None:
        """Let lids move in proportion to how far this person's eyes are open, so that a full blink closes them.

        Args:
            neutral: ``(L, 3)`` m, the identity's points at rest; offset: ``(L, 3)`` m, this person's own.
        """
        region, place = np.array(self.embedding.region), {int(p): i for i, p in enumerate(self.embedding.index)}
        for side, pairs in (("left", LID_PAIRS[3:]), ("right", LID_PAIRS[:3])):
            if not all(a in place and b in place for a, b in pairs):
                continue
            upper, lower = np.array([[place[a], place[b]] for a, b in pairs]).T
            gap = lambda at, u=upper, w=lower: float((at[u] - at[w])[:, 1].mean())  # noqa: E731
            share = np.float32(np.clip(gap(neutral + offset) / max(gap(neutral), 1e-4), 0.4, 1.6))
            points = np.flatnonzero(region == f"eye_{side}")
            columns = np.array([i for i, n in enumerate(self.head.expr_names) if n.startswith(_LID_SHAPES)], np.int64)
            self.expr_basis[np.ix_(columns, points)] *= share
            self.pose_basis[:, points] *= share
        self.expr_by_point = np.ascontiguousarray(self.expr_basis.transpose(1, 2, 0))

    def viewed(self, at: Array, rot: Array) -> Array:
        """Points ``(T, L, 3)`` with what the detector adds because of the view ``rot (T, 3, 3)``."""
        if self.response is None:
            return at
        view = np.clip(view_angles(rot), -0.6, 0.6).astype(np.float32)  # measured up to about half a radian
        out = at.copy()
        out[..., :2] += (view @ self.view_response).reshape(len(at), -1, 2)
        return out
