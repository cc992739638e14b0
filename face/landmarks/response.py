"""How MediaPipe's points answer a face: what the detector does, as against where the points lie on the mesh.

A landmark detector is a regressor with habits: it closes lids less than they close, moves brows by half, bends an
unusual face towards the average. ``scripts/assets/build.py response`` draws the default head with known
parameters, runs the detector, and regresses what the points did beyond the mesh (Embedding) on what was shown. The
result is a linear correction in the head's own x and y, small against the motion itself, that the fit adds to the
mesh before comparing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from ..head.model import HeadModel
from .points import Embedding

Array = NDArray[np.float32]
ASSET = "mediapipe_response.npz"


@dataclass(frozen=True)
class Response:
    """Corrections of L points, metres in the head's x and y, each for a unit of what it is named after.

    Attributes:
        mean: ``(L, 2)`` of the average face at rest; shape: ``(S, L, 2)``; expr: ``(E, L, 2)``.
        jaw: ``(3, L, 2)`` a radian of the jaw's angles; gaze: ``(2, L, 2)`` a radian of pitch and yaw.
        view: ``(2, L, 2)`` a radian of the head's pitch (+ down) and yaw (+ subject's left) to the camera.
        habits: ``(K, L, 2)`` m: ways in which the points err together, one standard deviation each.
        sigma: ``(L,)`` m: what remains, one standard deviation a coordinate, on identities not used.
    """

    mean: Array
    shape: Array
    expr: Array
    jaw: Array
    gaze: Array
    view: Array
    habits: Array
    sigma: Array


@lru_cache(maxsize=1)
def _packaged() -> tuple[str, NDArray[np.int64], Response] | None:
    asset = resources.files("facelm").joinpath("face", "assets", ASSET)
    if not asset.is_file():
        return None
    with resources.as_file(asset) as path, np.load(path, allow_pickle=False) as data:
        step = float(data["step"])
        arrays = {f.name: data[f.name].astype(np.float32) * step for f in fields(Response)}
        return str(data["head_sha256"]), data["index"].astype(np.int64), Response(**arrays)


def response_for(head: HeadModel, embedding: Embedding) -> Response | None:
    """The detector's response on ``head`` in the order of ``embedding``; None where it was not measured.

    It is measured on the default head; another head is fitted without one.

    Raises:
        ValueError: the packaged response lacks points of the embedding (it must be built again).
    """
    found = _packaged()
    if found is None or found[0] != head.sha256:
        return None
    place = {int(p): i for i, p in enumerate(found[1])}
    if lacking := [int(p) for p in embedding.index if int(p) not in place]:
        raise ValueError(f"face/assets/{ASSET} lacks {len(lacking)} points of the embedding (first: {lacking[0]}); "
                         "rebuild it with scripts/assets/build.py response")
    order = np.array([place[int(p)] for p in embedding.index])
    r = found[2]
    return Response(r.mean[order], r.shape[:, order], r.expr[:, order], r.jaw[:, order], r.gaze[:, order], r.view[:, order],
                    r.habits[:, order], r.sigma[order])
