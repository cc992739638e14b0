"""Shape images: grey pictures of a head's geometry, what the expression classifier looks at.

The paper classifies "shape images", the untextured head that DECA draws (Vo et al., Sec. IV-A and Fig. 6,
https://arxiv.org/abs/2601.08179; DECA: https://arxiv.org/abs/2012.04012). So are these: one grey surface without painted
brows or lips under two fixed lights, the mouth's inside dark, the face in the middle at one scale for all. The rasteriser
is the project's own (``face/render/raster.py``); shadows and occlusion are left out, which makes a picture several times cheaper.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...common.progress import Progress, silent
from ...common.store import Store
from ...face.head.layer import HeadLayer
from ...face.head.model import HeadModel
from ...face.render.shading import PARTS, vertex_parts
from ..baselines.i2fet.loop import fingerprint

Pictures = NDArray[np.uint8]

VERSION = 1
"""Of the drawing; raised by any change of the pixels, so that caches are not mixed."""
_CHUNK = 64
_MARGIN = 1.15
"""Side of the picture over the larger extent of the 68 landmarks of the average face."""
_FOV = 10.0
"""Vertical field of view, degrees: nearly parallel, so that a turned face is not distorted."""
_DARK = 0.22
"""Brightness of the mouth's inside as a share of the skin's."""


@dataclass(frozen=True, eq=False)
class Faces:
    """Parameters of N faces to draw.

    Attributes:
        expr: ``(N, E)``.
        pose: ``(N, 6)`` head orientation, then jaw; axis-angle, rad.
        shape: ``(N, S)`` identity coefficients.

    Raises:
        ValueError: arrays of different lengths or widths, or values that are not finite.
    """

    expr: NDArray[np.float32]
    pose: NDArray[np.float32]
    shape: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name in ("expr", "pose", "shape"):
            array = np.ascontiguousarray(getattr(self, name), np.float32)
            if array.ndim != 2 or len(array) != len(self.expr):
                raise ValueError(f"faces: {name} has shape {array.shape}; needed: ({len(self.expr)}, columns)")
            if not np.isfinite(array).all():
                raise ValueError(f"faces: {name} has values that are not finite")
            object.__setattr__(self, name, array)
        if self.pose.shape[1] != 6:
            raise ValueError(f"faces: pose has {self.pose.shape[1]} columns; needed: 6 (head, then jaw)")

    def __len__(self) -> int:
        return len(self.expr)

    def rows(self, index: NDArray[np.integer[Any]] | slice) -> Faces:
        """Some of them, in the order of ``index``."""
        return Faces(self.expr[index], self.pose[index], self.shape[index])


class ShapeRenderer:
    """Draws shape images of one head at one size.

    Args:
        head: the head.
        size: side of the square picture, px.

    Attributes:
        threads: pictures drawn at once; as many as the cores that this process may use.

    Raises:
        ValueError: a size below 16 or above 1024.
    """

    def __init__(self, head: HeadModel, size: int = 96) -> None:
        if not 16 <= size <= 1024:
            raise ValueError(f"size of a shape image is {size}; allowed: 16 to 1024 px")
        self.head, self.size = head, int(size)
        self.threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        points = head.landmarks(head.v_template[None])[0][:68]
        middle = (points.min(0) + points.max(0)) / 2
        side = float((points.max(0) - points.min(0))[:2].max()) * _MARGIN
        # what lies far from the face is out of the picture for any pose: leave it out from the start
        near = np.linalg.norm(head.v_template[:, :2] - middle[:2], axis=1) < side * 1.05
        # the inner head and the back are hidden by the face at the poses that occur
        near &= head.v_template[:, 2] > middle[2] - 0.75 * side
        self._keep = np.flatnonzero(near)
        number = np.full(head.n_vertices, -1, np.int64)
        number[self._keep] = np.arange(len(self._keep))
        faces = number[np.asarray(head.faces)]
        self._faces = np.ascontiguousarray(faces[(faces >= 0).all(1)], np.int32)
        part = vertex_parts(head)[self._keep]
        dark = np.isin(part, [PARTS.index(p) for p in ("mouth", "gums", "tongue")])
        self._tone = np.where(dark, _DARK, 1.0).astype(np.float32)
        self._layer = HeadLayer(head, vertex_idx=self._keep)
        # the point of the rigid head that the picture is centred on
        self._middle = torch.from_numpy(middle.astype(np.float32))
        self._distance = side / 2 / math.tan(math.radians(_FOV) / 2)

    @cached_property
    def about(self) -> dict[str, Any]:
        """What the pixels depend on beside the faces."""
        return {"version": VERSION, "size": self.size, "head": self.head.sha256}

    def vertices(self, faces: Faces) -> NDArray[np.float32]:
        """``(N, V', 3)`` m, of the part of the head that is drawn, the face's middle at 0.

        Raises:
            ValueError: other widths than the head has.
        """
        from ...face.head.layer import rotation_matrices

        e, p, s = (torch.from_numpy(a) for a in (faces.expr, faces.pose, faces.shape))
        with torch.no_grad():
            out = self._layer(expr=e, rotation=p[:, :3], jaw_pose=p[:, 3:], shape=s)
            # identities move the face's middle a little: follow the mean of their own landmarks at rest
            root = self._layer.joints[:3] + s @ self._layer.joint_basis[:self.head.n_shape, :3]
            middle = self._middle + self._offsets(s)
            at = (rotation_matrices(p[:, :3]) @ (middle - root)[..., None])[..., 0] + root
            return (out - at[:, None]).numpy()

    @cached_property
    def _landmark_basis(self) -> torch.Tensor:
        corners = np.asarray(self.head.faces[self.head.lmk_faces[:68]])
        dirs = self.head.shapedirs[:, :, :self.head.n_shape]
        points = np.einsum("lkcs,lk->lcs", dirs[corners], self.head.lmk_bary[:68])
        return torch.from_numpy(points.mean(0).astype(np.float32).copy())

    def _offsets(self, shape: torch.Tensor) -> torch.Tensor:
        return shape @ self._landmark_basis.T

    def draw(self, faces: Faces, progress: Progress = silent, what: str = "shape images") -> Pictures:
        """``(N, size, size)`` uint8 grey; the same faces give the same bytes.

        Args:
            faces: what to draw.
            progress: called with ``what`` as the stage.
        """
        from ...face.render import lighting, raster  # numba takes half a second to import

        out = np.zeros((len(faces), self.size, self.size), np.uint8)
        workers = [raster.Samples(self.size, self.size) for _ in range(min(self.threads, max(1, len(faces))))]
        focal = self.size / math.tan(math.radians(_FOV) / 2)
        back = np.array([0.0, 0.0, self._distance], np.float32)

        def some(worker: int, vertices: NDArray[np.float32], start: int) -> None:
            samples, normals = workers[worker], np.empty((len(self._keep), 3), np.float32)
            for k in range(worker, len(vertices), len(workers)):
                raster.vertex_normals(vertices[k], self._faces, normals)
                samples.see(vertices[k] - back, self._faces, focal, only=True)
                lighting.shade_plain(samples.face, samples.bary, self._faces, normals, self._tone, out[start + k])

        with ThreadPoolExecutor(len(workers)) as pool:
            for start in range(0, len(faces), _CHUNK):
                part = self.vertices(faces.rows(slice(start, start + _CHUNK)))
                list(pool.map(lambda w, part=part, start=start: some(w, part, start), range(len(workers))))  # type: ignore[misc]
                progress(min(start + _CHUNK, len(faces)), len(faces), what)
        return out


def cached(renderer: ShapeRenderer, faces: Faces, store: Store, progress: Progress = silent) -> Pictures:
    """:meth:`ShapeRenderer.draw`, kept in a store under a digest of everything the pixels depend on."""
    name = fingerprint(renderer.about, faces.expr, faces.pose, faces.shape)
    kept = store.read("shapes", name)
    if kept is None or not store.has_files(kept):
        with store.scratch("shapes", name) as folder:
            np.save(folder / "pictures.npy", renderer.draw(faces, progress), allow_pickle=False)
            store.commit("shapes", name, name, {}, folder)
    pictures: Pictures = np.load(store.place("shapes", name) / "pictures.npy", allow_pickle=False)
    return pictures
