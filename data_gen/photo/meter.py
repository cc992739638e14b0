"""What a picture that was made of a photo shows, measured on its landmarks against the photo's own.

Both pictures are of one person under one camera: what the detector says of the difference, with its known response taken into
account, is explained by the personal head's expression. Nothing is read but pixels.
"""

from __future__ import annotations

import weakref
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...face.clip.sequence import FaceSequence
from ...face.landmarks.apart import bounded
from ...face.landmarks.points import INNER_LIP_LOWER, INNER_LIP_UPPER, embedding_for
from ...face.landmarks.response import response_for
from ..fit.landmarker import Landmarker, landmarker_model
from ..fit.photo import PhotoFit
from ..fit.points import LID_PAIRS

_STEPS, _STEP = 4, 0.04
_POINT, _SHARE, _GAP = 8e-4, 0.2, 5e-4
"""m: how exact a landmark is and what one counts among its neighbours; how exact the openings of lids and lips are."""
_PRIOR, _LIDS, _JAW = 0.4, 1.5, 0.3
"""Change of a coefficient, of the blink, and of the jaw (rad) that is likely, 1 sigma."""
_MOVE = 0.01
"""Head movement between the two pictures that is likely, rad and m."""


class Meter:
    """Measures edits of one photo.

    Args:
        fit: the person.
        photo: which photo.
    """

    def __init__(self, fit: PhotoFit, photo: int = 0) -> None:
        self.fit, self.photo = fit, fit.photos[photo]
        self.embedding = embedding_for(fit.base)
        response = response_for(fit.base, self.embedding)
        n, points = fit.head.n_expr, len(self.embedding)
        self.response = np.zeros((n + 1, points, 2)) if response is None else np.concatenate(
            [response.expr[:n], response.jaw[:1]]).reshape(n + 1, points, 2).astype(np.float64)
        low, high = self.photo.points.min(0), self.photo.points.max(0)
        pad = 0.5 * (high - low)
        self._box = (*np.maximum(low - pad, 0).astype(int), *np.minimum(high + pad, self.photo.picture.size).astype(int))
        self._task = Landmarker(landmarker_model(), 1)
        weakref.finalize(self, self._task.close)
        self._own = self.points(self.photo.picture.rgb)
        row = self.embedding.row
        pairs = [*LID_PAIRS, *zip(INNER_LIP_UPPER[2:-2], INNER_LIP_LOWER[2:-2], strict=True)]
        self._pairs = np.array([(row[a], row[b]) for a, b in pairs if min(row[a], row[b]) >= 0])

    def points(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """``(L,2)`` px, the head's landmarks in a picture of the photo's size; None where no face is found."""
        found = self.all_points(rgb)
        return None if found is None else found[self.embedding.index]

    def all_points(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """``(478,2)`` px, MediaPipe's; None where no face is found."""
        x0, y0, x1, y1 = self._box
        found = self._task.look(np.ascontiguousarray(rgb[y0:y1, x0:x1]), retry=False)
        if not found:
            return None
        at = found[0].points[:, :2] * (x1 - x0, y1 - y0) + (x0, y0)
        self.blendshapes = found[0].blendshapes
        """(52,) the detector's scores of the picture looked at last."""
        return np.asarray(at, np.float32)

    def pose(self, rgb: NDArray[np.uint8]) -> FaceSequence | None:
        """The pose, one frame, that a picture of the photo's size shows; None where no face is found."""
        seen = self.points(rgb)
        if seen is None or self._own is None:
            return None
        own, camera, head = self.photo.pose, self.photo.camera, self.fit.head
        depth = -float(self.fit.vertices(self.fit.photos.index(self.photo))[:, 2].mean())
        metre = depth / camera.focal
        change = (seen - self._own).astype(np.float64) * metre * np.array([1, -1])
        start = np.concatenate([own.expr[0], own.jaw_pose[0, :1]]).astype(np.float64)
        n = len(start)
        spread = np.full(n + 6, _PRIOR)
        spread[[k for k, name in enumerate(head.expr_names) if name.startswith("eyeBlink")]] = _LIDS
        spread[n - 1], spread[n:] = _JAW, _MOVE
        low = np.concatenate([-start - 1e-6, np.full(6, -0.1)])
        high = np.concatenate([np.maximum(1.0 - start[:-1], 0) + 1e-6, [0.6 - start[-1]], np.full(6, 0.1)])
        found = np.zeros(n + 6)
        first, slope = self._start
        for _ in range(_STEPS):  # the slope hardly changes: shapes are linear, and the jaw turns little
            shown = self._shown((start + found[:n])[None])[0]
            miss = change - (shown - first) - np.tensordot(found[n:], slope[n:], 1)
            own_rows = np.sqrt(_SHARE) / _POINT
            gaps = lambda a: a[..., self._pairs[:, 0], 1] - a[..., self._pairs[:, 1], 1]  # noqa: E731
            rows = np.concatenate([own_rows * slope.reshape(n + 6, -1).T, gaps(slope).T / _GAP, np.diag(1 / spread)])
            right = np.concatenate([own_rows * miss.ravel(), gaps(miss) / _GAP, -found / spread])
            step = bounded(rows, right, low - found, np.maximum(high - found, low - found + 1e-9))
            found = found + step
            if np.abs(step[:n]).max() < 5e-3:
                break
        final = start + found[:n]
        jaw = own.jaw_pose.copy()
        jaw[0, 0] = max(final[-1], 0.0)
        return own.replace(expr=np.clip(final[:-1], 0, 1)[None].astype(np.float32), jaw_pose=jaw)

    @cached_property
    def _start(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``(L,2)`` m, of the landmarks in the photo's own pose, and ``(E+7,L,2)`` how coefficients and movements move them."""
        own = self.photo.pose
        start = np.concatenate([own.expr[0], own.jaw_pose[0, :1]]).astype(np.float64)
        shown = self._shown(np.concatenate([start[None], start + _STEP * np.eye(len(start))]))
        return shown[0], np.concatenate([(shown[1:] - shown[0]) / _STEP, self._rigid(shown[0])])

    def _shown(self, poses: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(N,L,2)`` m in the picture's axes, where the detector puts the landmarks of poses ``(N,E+1)``."""
        own, head = self.photo.pose, self.fit.head
        jaw = np.repeat(own.jaw_pose, len(poses), 0)
        jaw[:, 0] = poses[:, -1]
        at = self.embedding.positions(head.vertices(expr=poses[:, :-1].astype(np.float32), jaw_pose=jaw).astype(np.float64),
                                      head.faces)
        at[..., :2] += np.tensordot(poses, self.response, 1)
        return np.asarray((at @ Rotation.from_rotvec(own.rotation[0]).as_matrix().T)[..., :2])

    @staticmethod
    def _rigid(shown: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(6,L,2)`` what small movements of the head do in the picture: shifts, growth, roll, and shears for turns."""
        x, y = (shown - shown.mean(0)).T
        one, none = np.ones_like(x), np.zeros_like(x)
        return np.stack([np.stack(p, -1) for p in ((one, none), (none, one), (x, y), (-y, x), (x, none), (none, y))])
