"""Rotations and rigid alignment in NumPy; axis-angle in radians."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

Floats = NDArray[np.float64]


def rotation_matrices(axis_angle: np.ndarray) -> np.ndarray:
    """Rodrigues' formula: ``(..., 3)`` axis-angle to ``(..., 3, 3)`` matrices of the same precision."""
    aa = np.asarray(axis_angle)
    x, y, z = aa[..., 0], aa[..., 1], aa[..., 2]
    sq = x * x + y * y + z * z
    angle = np.sqrt(sq)
    small = sq < 1e-8
    safe = np.where(small, 1.0, angle)
    # Taylor series below 1e-4 rad, where the quotients lose digits.
    a = np.where(small, 1.0 - sq / 6.0, np.sin(safe) / safe)
    b = np.where(small, 0.5 - sq / 24.0, (1.0 - np.cos(safe)) / (safe * safe))
    out = np.empty((*aa.shape[:-1], 3, 3), aa.dtype)
    out[..., 0, 0] = 1 - b * (y * y + z * z)
    out[..., 0, 1] = b * x * y - a * z
    out[..., 0, 2] = b * x * z + a * y
    out[..., 1, 0] = b * x * y + a * z
    out[..., 1, 1] = 1 - b * (x * x + z * z)
    out[..., 1, 2] = b * y * z - a * x
    out[..., 2, 0] = b * x * z - a * y
    out[..., 2, 1] = b * y * z + a * x
    out[..., 2, 2] = 1 - b * (x * x + y * y)
    return out


def rotation_vector(rot: Floats) -> Floats:
    """Axis-angle (T, 3) of rotation matrices (T, 3, 3) below half a turn."""
    skew = np.stack([rot[:, 2, 1] - rot[:, 1, 2], rot[:, 0, 2] - rot[:, 2, 0], rot[:, 1, 0] - rot[:, 0, 1]], axis=1) / 2
    sine = np.linalg.norm(skew, axis=1)
    cosine = (np.trace(rot, axis1=1, axis2=2) - 1) / 2
    angle = np.arctan2(sine, cosine)
    return np.asarray(skew * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 1.0)[:, None])


def slerp(axis_angle: np.ndarray, at: np.ndarray, known: np.ndarray | None = None) -> Floats:
    """Rotations between given ones, at constant speed along the shortest way.

    Args:
        axis_angle: ``(K, 3 n)``, n joints side by side.
        at: ``(T,)`` where, within the range of ``known``.
        known: ``(K,)`` rising; where the given ones are, 0, 1, 2, ... when None.

    Returns:
        ``(T, 3 n)``.
    """
    value = np.asarray(axis_angle, np.float64)
    if len(value) == 1:
        return np.repeat(value, len(at), axis=0)
    known = np.arange(len(value)) if known is None else known
    return np.concatenate([Slerp(known, Rotation.from_rotvec(value[:, i:i + 3]))(at).as_rotvec()
                           for i in range(0, value.shape[1], 3)], axis=1)


@dataclass(frozen=True)
class Similarity:
    """``x -> scale * rotation @ x + translation``."""

    scale: float
    rotation: Floats
    translation: Floats

    def __call__(self, points: np.ndarray) -> Floats:
        """Apply to ``(..., 3)`` points."""
        return np.asarray(self.scale * (np.asarray(points, np.float64) @ self.rotation.T) + self.translation)


def similarity(points: np.ndarray, reference: np.ndarray, scaled: bool = True) -> Similarity:
    """The least-squares similarity (a rigid motion if not ``scaled``) that takes ``points (N, 3)`` to ``reference (N, 3)``.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns", TPAMI 13(4), 1991,
    https://doi.org/10.1109/34.88573.
    """
    p, r = np.asarray(points, np.float64), np.asarray(reference, np.float64)
    rot = rigid(r[None], p)[0][0]
    a, b = p - p.mean(0), r - r.mean(0)
    scale = float((b * (a @ rot.T)).sum() / max(float((a * a).sum()), 1e-12)) if scaled else 1.0
    return Similarity(scale, rot, r.mean(0) - scale * (rot @ p.mean(0)))


def rigid(points: np.ndarray, reference: np.ndarray) -> tuple[Floats, Floats]:
    """Best rotation (T, 3, 3) and translation (T, 3) that bring ``reference (N, 3)`` to ``points (T, N, 3)``.

    Kabsch, "A solution for the best rotation to relate two sets of vectors", Acta Cryst. A32,
    1976, https://doi.org/10.1107/S0567739476001873.
    """
    p, r = points.astype(np.float64), reference.astype(np.float64)
    mp, mr = p.mean(axis=1), r.mean(axis=0)
    u, _, vt = np.linalg.svd(np.einsum("tni,nj->tij", p - mp[:, None], r - mr))
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    rot = u @ vt
    return rot, mp - rot @ mr
