"""The landmarks that a perfect detector would have found, from performances whose truth is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data_gen.fit.detect import Detections
from ...data_gen.video.footage import Footage
from ...face.clip.channels import ARKIT_52
from ...face.clip.rotation import rotation_matrices
from ...face.clip.sequence import FaceSequence
from ...face.head.model import HeadModel
from ...face.landmarks.points import Embedding


def embedded_points(seq: FaceSequence, embedding: Embedding, head: HeadModel | None = None) -> NDArray[np.float32]:
    """(T, L, 3) metres: the embedding's points on a clip's mesh, without evaluating the whole mesh."""
    model = head or HeadModel.default()
    seq.require_head(model.ref)
    corners = model.faces[embedding.faces]
    needed, where = np.unique(corners, return_inverse=True)
    vertices = model.subset(needed).vertices(**seq.parameters())
    return np.einsum("tlkc,lk->tlc", vertices[:, where.reshape(corners.shape)], embedding.bary).astype(np.float32)


def truth_detections(footage: Footage, embedding: Embedding, noise_px: float = 1.0, seed: int = 0,
                     head: HeadModel | None = None) -> Detections:
    """What a perfect detector with ``noise_px`` of white noise would have seen of a filmed performance.

    Points that the embedding lacks are NaN. Depth is relative, in pixels, negative towards the
    camera, as MediaPipe's. Blendshapes are NaN: the landmarks are all there is. Pose is the true one,
    in centimetres as MediaPipe's, without the origin of its canonical face.

    Args:
        footage: the clip.
        embedding: where MediaPipe's points lie on the head.
        noise_px: standard deviation in both directions, px.
        seed: of the noise.
        head: the head of the clip; None is the default head.
    """
    truth, camera = footage.truth, footage.camera
    on_head = embedded_points(truth, embedding, head)
    frames = len(truth)
    noise = np.random.default_rng([seed, 0xDE7EC7]).normal(0.0, noise_px, (*on_head.shape[:2], 2))
    points = np.full((frames, 478, 2), np.nan, np.float32)
    points[:, embedding.index] = camera.project(on_head) + noise
    depth = np.full((frames, 478), np.nan, np.float32)
    middle = on_head[..., 2].mean(1, keepdims=True)
    depth[:, embedding.index] = (middle - on_head[..., 2]) * camera.focal / -middle
    blendshapes = np.full((frames, len(ARKIT_52)), np.nan, np.float32)
    pose = np.tile(np.eye(4, dtype=np.float32), (frames, 1, 1))
    pose[:, :3, :3] = rotation_matrices(truth.rotation) @ rotation_matrices(truth.neck_pose)
    pose[:, :3, 3] = 100 * on_head.mean(1)
    return Detections(points=points, depth=depth, blendshapes=blendshapes, pose=pose, valid=np.ones(frames, bool),
                      width=camera.width, height=camera.height, fps=truth.fps, events=(), faces_seen=1)
