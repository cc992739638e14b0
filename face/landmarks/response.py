"""How MediaPipe's points answer a face: what the detector does, as against where the points lie on the mesh.

A landmark detector is a regressor with a bias: it closes lids less than they close, moves brows by half, bends an
unusual face towards the average. ``scripts/assets/build.py response`` draws the default head with known
parameters, runs the detector, and regresses what the points did beyond the mesh (Embedding) on what was shown. The
result is a linear correction in the head's own x and y, small against the motion itself, that the fit adds to the
mesh before comparing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ..head.model import HeadModel
from .points import Embedding, packaged

Array = NDArray[np.float32]
ASSET = "mediapipe_response"


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


def response_for(head: HeadModel, embedding: Embedding) -> Response | None:
    """The detector's response on ``head`` in the order of ``embedding``; None where it was not measured.

    It is measured on the default head; another head is fitted without one.

    Raises:
        ValueError: the packaged response lacks points of the embedding (it must be built again).
    """
    found = packaged(ASSET)
    if found is None or str(found["head_sha256"]) != head.sha256:
        return None
    place = {int(p): i for i, p in enumerate(found["index"])}
    if lacking := [int(p) for p in embedding.index if int(p) not in place]:
        raise ValueError(f"face/assets/{ASSET}.npz lacks {len(lacking)} points of the embedding (first: {lacking[0]}); "
                         "rebuild it with scripts/assets/build.py response")
    order = np.array([place[int(p)] for p in embedding.index])
    step = float(found["step"])
    arrays = {f.name: found[f.name].astype(np.float32) * step for f in fields(Response)}
    return Response(**{name: array[..., order, :] if name != "sigma" else array[order] for name, array in arrays.items()})
