"""MediaPipe's 478 face points on a head: where they lie, what region they are of, how far they can be trusted.

MediaPipe Face Landmarker (https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker) gives 478 points of
a face: 468 of its mesh (Kartynnik et al. 2019, https://arxiv.org/abs/1907.06724) and five on each iris (Ablavatski
et al. 2020, https://arxiv.org/abs/2006.11341).  ``embedding_for`` says where they are on a head;
``scripts/assets/build.py landmarks`` makes the packaged embedding of the default head.  Left and right are the
subject's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from ..clip.arrays import read_npz
from ..clip.sequence import HeadRef
from ..head.model import HeadModel

Floats = NDArray[np.floating]

N_POINTS = 478
REGIONS: tuple[str, ...] = (
    "oval", "forehead", "brow_left", "brow_right", "eye_left", "eye_right", "iris_left", "iris_right", "nose",
    "lips_outer", "lips_inner", "cheeks", "chin",
)
"""``eye_*`` are the points on the edges of the lids only; the skin around counts as cheeks or forehead."""

# Lid edges from the outer to the inner corner; both arcs include the corners.
LID_RIGHT_UPPER = (33, 246, 161, 160, 159, 158, 157, 173, 133)
LID_RIGHT_LOWER = (33, 7, 163, 144, 145, 153, 154, 155, 133)
LID_LEFT_UPPER = (263, 466, 388, 387, 386, 385, 384, 398, 362)
LID_LEFT_LOWER = (263, 249, 390, 373, 374, 380, 381, 382, 362)
# Lips from the subject's right corner to the left one, corners included.
OUTER_LIP_UPPER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
OUTER_LIP_LOWER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
INNER_LIP_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LIP_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
BROW_RIGHT = (46, 53, 52, 65, 55, 70, 63, 105, 66, 107)
BROW_LEFT = (276, 283, 282, 295, 285, 300, 293, 334, 296, 336)
IRIS_RIGHT = (468, 469, 470, 471, 472)
"""Centre, then the edge at the picture's right, top, left, bottom (of an upright face)."""
IRIS_LEFT = (473, 474, 475, 476, 477)
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
        136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)



@dataclass(frozen=True, eq=False)
class Embedding:
    """L of MediaPipe's points on a head's surface.

    Raises:
        ValueError: arrays that do not fit each other, unknown regions, points outside 0..477.
    """

    index: NDArray[np.int64]
    """(L,) which of the 478 points, ascending."""
    faces: NDArray[np.int32]
    """(L,) triangle of the head."""
    bary: NDArray[np.float32]
    """(L, 3) barycentric coordinates in it."""
    region: NDArray[np.str_]
    """(L,) name in ``REGIONS``."""
    spread: NDArray[np.float32]
    """(L,) m, 1 sigma along one picture axis of detections around the point, on renders of the default head after
    removing each picture's common offset; the face's outline counts 1.5 times."""
    bias: NDArray[np.float32]
    """(L, 3) m in the head's axes: where the detector puts the point on average, less the point, on the same renders.
    Not part of the anatomy: add it to the posed point (turned with the head) only to explain detections."""
    head: HeadRef
    """Whose surface."""

    def __post_init__(self) -> None:
        rows = len(self.index)
        shapes = {"faces": (rows,), "bary": (rows, 3), "region": (rows,), "spread": (rows,), "bias": (rows, 3)}
        for name, shape in shapes.items():
            if np.shape(getattr(self, name)) != shape:
                raise ValueError(f"embedding: {name} has shape {np.shape(getattr(self, name))}, needed {shape}")
        index = np.asarray(self.index)
        if rows and (index.min() < 0 or index.max() >= N_POINTS or (np.diff(index) <= 0).any()):
            raise ValueError(f"embedding: index must be ascending numbers in 0..{N_POINTS - 1}")
        unknown = sorted(set(self.region.tolist()) - set(REGIONS))
        if unknown:
            raise ValueError(f"embedding: unknown region {unknown[0]!r}; known: {', '.join(REGIONS)}")
        if not (np.isfinite(self.bary).all() and np.abs(self.bary.sum(1) - 1).max(initial=0) < 1e-3):
            raise ValueError("embedding: barycentric coordinates must be finite and sum to 1")
        if not (np.isfinite(self.spread).all() and (self.spread > 0).all()):
            raise ValueError("embedding: spread must be above 0")

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def row(self) -> NDArray[np.int64]:
        """(478,) row of each of MediaPipe's points, -1 where the embedding has none."""
        out = np.full(N_POINTS, -1, np.int64)
        out[self.index] = np.arange(len(self.index))
        return out

    def rows(self, *regions: str) -> NDArray[np.int64]:
        """Rows of the named regions.

        Raises:
            ValueError: a name that is not in ``REGIONS``.
        """
        for name in regions:
            if name not in REGIONS:
                raise ValueError(f"region {name!r}; known: {', '.join(REGIONS)}")
        return np.flatnonzero(np.isin(self.region, regions))

    def positions(self, vertices: Floats, faces: NDArray[np.int32]) -> Floats:
        """(..., L, 3) points of vertices ``(..., V, 3)`` with the head's ``faces`` (F,3)."""
        corners = vertices[..., faces[self.faces], :]
        return np.einsum("...lkc,lk->...lc", corners, self.bary)


@lru_cache(maxsize=4)
def packaged(name: str) -> dict[str, NDArray] | None:
    """The arrays of ``face/assets/NAME.npz``; None where it is not there."""
    asset = resources.files("facelm").joinpath("face", "assets", f"{name}.npz")
    if not asset.is_file():
        return None
    with resources.as_file(asset) as path:
        return read_npz(path, name)


def _asset() -> dict[str, NDArray]:
    data = packaged("mediapipe_default")
    assert data is not None
    return data


@lru_cache(maxsize=1)
def _default_embedding() -> Embedding:
    head = HeadModel.default()
    data = _asset()
    if str(data["head_sha256"]) != head.sha256:
        raise ValueError("face/assets/mediapipe_default.npz is of another head than head_default.npz: rebuild it with "
                         "scripts/assets/build.py landmarks")
    return Embedding(data["index"].astype(np.int64), data["faces"], data["bary"], data["region"], data["spread"],
                     data["bias"], head.ref)


@lru_cache(maxsize=8)
def embedding_for(head: HeadModel) -> Embedding:
    """MediaPipe's points on ``head``: measured for the default head, carried over for any other.

    Raises:
        ValueError: a head that cannot be brought into correspondence (see face/head/correspond.py).
    """
    own = _default_embedding()
    if head == HeadModel.default():
        return own
    if head.layout is not None:  # the same mesh, with another form: an avatar
        return replace(own, head=head.ref)
    from ..head.correspond import correspondence  # needs scipy; only other heads do

    faces, bary = correspondence(HeadModel.default(), head).carry_points(own.faces, own.bary)
    return replace(own, faces=np.asarray(faces, np.int32), bary=np.asarray(bary, np.float32), head=head.ref)


def mirror_index() -> NDArray[np.int64]:
    """(478,) the point on the other side of the face."""
    return _asset()["mirror"].astype(np.int64)


# -- apertures measured on detected points ---------------------------------------------------------------------------


def _points(points: Floats) -> Floats:
    points = np.asarray(points, np.float64)
    if points.ndim != 3 or points.shape[1] != N_POINTS or points.shape[2] < 2:
        raise ValueError(f"points have shape {points.shape}, needed (T, {N_POINTS}, 2)")
    return points[..., :2]


def interocular(points: Floats) -> Floats:
    """(T,) px: distance between the outer eye corners of points (T,478,2); what errors are given as a share of.

    The outer corners, as in the 300-W challenge (Sagonas et al. 2013, https://ibug.doc.ic.ac.uk/resources/300-W/);
    NaN rows stay NaN.

    Raises:
        ValueError: another shape.
    """
    p = _points(points)
    return np.linalg.norm(p[:, 33] - p[:, 263], axis=-1)


def lid_aperture(points: Floats) -> Floats:
    """(T,2) opening of the left and the right eye, as a share of ``interocular``.

    Mean distance of three pairs of facing lid points, as the eye aspect ratio of Soukupova and Cech 2016
    (https://vision.fe.uni-lj.si/cvww2016/proceedings/papers/05.pdf) but not over the eye's own width, which
    shrinks when the head turns.  Detected on renders of the default head: 0.10 open, 0.01 closed, and steeper in between
    than the lids themselves (docs/mediapipe_points.md).

    Raises:
        ValueError: another shape.
    """
    p = _points(points)
    pairs = (((385, 380), (386, 374), (387, 373)), ((158, 153), (159, 145), (160, 144)))
    gaps = [np.mean([np.linalg.norm(p[:, a] - p[:, b], axis=-1) for a, b in side], axis=0) for side in pairs]
    return np.stack(gaps, 1) / interocular(p)[:, None]


def lip_aperture(points: Floats) -> Floats:
    """(T,) opening between the inner lips (mean of three pairs in the middle), as a share of ``interocular``.

    Raises:
        ValueError: another shape.
    """
    p = _points(points)
    gaps = [np.linalg.norm(p[:, a] - p[:, b], axis=-1) for a, b in ((82, 87), (13, 14), (312, 317))]
    return np.mean(gaps, axis=0) / interocular(p)


# -- blendshape scores as a prior ------------------------------------------------------------------------------------

_SHORT = 8
"""Clips of fewer frames show too little to tell the person's resting scores from an expression."""


@dataclass(frozen=True, eq=False)
class PriorMap:
    """A linear map from blendshape scores above their resting level to the default head's parameters."""

    weights: Floats
    """(52, 50): scores in ``ARKIT_52`` order to expression (41), jaw (3), eyes (6)."""
    sigma: Floats
    """(50,) its error, 1 sigma, on held-out renders; the unit of each parameter."""
    rest: Floats
    """(52,) mean score of resting faces; what a short clip's scores are taken above."""
    rest_limit: Floats
    """(52,) the most that a clip's own low quantile may count as rest."""
    quantile: float = 0.25
    """Which quantile of a clip's scores is its resting level."""

    def inputs(self, scores: Floats) -> Floats:
        """(T,52) scores above rest of one person's clip ``(T,52)``; rows without a face (NaN) stay NaN."""
        scores = np.asarray(scores, np.float64)
        seen = np.isfinite(scores).all(-1)
        rest = self.rest
        if seen.sum() >= _SHORT:
            rest = np.minimum(np.quantile(scores[seen], self.quantile, axis=0), self.rest_limit)
        return scores - rest


@dataclass(frozen=True, eq=False)
class Prior:
    """What blendshape scores suggest, and how far to trust it (1 sigma); the default head's parameters."""

    expr: NDArray[np.float32]
    """(T, 41) in [0, 1]."""
    expr_sigma: NDArray[np.float32]
    """(41,)"""
    jaw: NDArray[np.float32]
    """(T, 3) rad."""
    jaw_sigma: NDArray[np.float32]
    """(3,) rad"""
    eyes: NDArray[np.float32]
    """(T, 6) rad, left then right."""
    eyes_sigma: NDArray[np.float32]
    """(6,) rad"""


@lru_cache(maxsize=1)
def _prior_map() -> PriorMap:
    data = _asset()
    return PriorMap(data["prior_weights"].astype(np.float64), data["prior_sigma"].astype(np.float64),
                    data["prior_rest"].astype(np.float64), data["prior_rest_limit"].astype(np.float64))


def blendshape_prior(scores: Floats, use: PriorMap | None = None) -> Prior:
    """The default head's parameters suggested by MediaPipe's blendshape scores of one person's clip.

    A resting face scores far from zero on some shapes (browInnerUp 0.7 on the default head) and each face otherwise,
    so scores count from the clip's own resting level.  Channels that the scores do not tell are zero, with the
    channel's own spread as sigma.

    Args:
        scores: (T,52) in ``ARKIT_52`` order; NaN rows where no face was found give NaN.
        use: another map than the packaged one.

    Raises:
        ValueError: another shape.
    """
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 2 or scores.shape[1] != 52:
        raise ValueError(f"blendshape scores have shape {scores.shape}, needed (T, 52)")
    use = use or _prior_map()
    out = (use.inputs(scores) @ use.weights).astype(np.float32)
    sigma = use.sigma.astype(np.float32)
    jaw = out[:, 41:44].copy()
    jaw[:, 0] = np.maximum(jaw[:, 0], 0.0)
    return Prior(np.clip(out[:, :41], 0.0, 1.0), sigma[:41], jaw, sigma[41:44], out[:, 44:], sigma[44:])
