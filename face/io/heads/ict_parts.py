"""Eyeballs, teeth, gums and tongue for a head that has none: the default head's (CC0), placed by landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...clip.channels import EXPR_NAMES
from ...clip.rotation import similarity
from ...head.model import HeadModel
from ...head.surface import EYE_LEFT, EYE_RIGHT, LOWER_TEETH, TONGUE, UPPER_TEETH, ibug, labels
from .ict_file import Floats, IctFile
from .ict_rig import OwnParts, Rig

_INSIDE = 0.985
"""Radius of an added eyeball as a share of its socket's."""
_JAW_YAW = 9 + 2
"""Pose feature R02 of the jaw: the sine of its angle to the side."""


@dataclass(frozen=True)
class AddedParts:
    """Vertices appended to the file's, all of them copies of vertices of the default head."""

    origin: NDArray[np.int64]
    """(N,) the default head's vertex that each one is."""
    v: Floats  # (N, 3) m
    faces: NDArray[np.int32]  # (F, 3) into the N vertices
    identity: Floats  # (S, N, 3) m
    expression: Floats  # (41, N, 3) m
    weights: Floats  # (N, 5)
    posedirs: Floats  # (N, 3, 36)


def added_parts(file: IctFile, rig: Rig, own: OwnParts, default: HeadModel) -> AddedParts:
    """What the file lacks of eyeballs, and of teeth, gums and tongue (added together when it has no lower teeth).

    They follow identity by the linear motion (translation, turn, size) of the skin around them.
    """
    label = labels(default)
    wanted = [part for part, there in ((EYE_LEFT, own.eyes[0]), (EYE_RIGHT, own.eyes[1])) if not there.any()]
    if not own.lower.any():
        wanted += [UPPER_TEETH, LOWER_TEETH, TONGUE]
    origin = np.flatnonzero(np.isin(label, wanted))
    count, source = len(origin), default.v_template.astype(np.float64)
    v, identity = np.zeros((count, 3)), np.zeros((len(file.identity), count, 3))
    expression = np.zeros((len(EXPR_NAMES), count, 3))
    weights, posedirs = default.weights[origin].astype(np.float64), np.zeros((count, 3, 36))
    marks = file.v[file.marks]
    mouth = list(range(31, 36)) + list(range(48, 68))
    fit = similarity(ibug(default)[mouth], marks[mouth])
    for part in wanted:
        rows = label[origin] == part
        if part in (EYE_LEFT, EYE_RIGHT):
            joint = 3 if part == EYE_LEFT else 4
            arm = source[origin[rows]] - default.joints()[joint]
            radius = float(np.linalg.norm(arm, axis=1).mean())
            v[rows] = rig.joints[joint] + _INSIDE * rig.eye_radius / radius * arm
            around = np.linalg.norm(file.v - rig.joints[joint], axis=1) < 1.1 * rig.eye_radius
        else:
            v[rows] = fit(source[origin[rows]])
            near = marks[48:60].mean(0)
            side = rig.weights[:, 2] > 0.5 if part != UPPER_TEETH else rig.weights[:, 2] < 0.2
            around = own.skin & side & (np.linalg.norm(file.v - near, axis=1) < 0.035)
            moves = default.shapedirs[origin[rows], :, default.n_shape:].astype(np.float64)
            expression[:, rows] = fit.scale * np.einsum("nck,dc->knd", moves, fit.rotation)
            # A jaw that goes sideways also slides: the lower teeth and the tongue take the slide of the chin's skin.
            slide = rig.posedirs[own.skin & (rig.weights[:, 2] > 0.9)][:, :, _JAW_YAW]
            posedirs[rows, :, _JAW_YAW] = weights[rows, 2][:, None] * slide.mean(0) if len(slide) else 0.0
        identity[:, rows] = _follow(file.v[around], file.identity[:, around], v[rows])
    index = np.full(default.n_vertices, -1)
    index[origin] = np.arange(count)
    faces = index[default.faces]
    return AddedParts(origin, v, faces[(faces >= 0).all(1)].astype(np.int32), identity, expression, weights, posedirs)


def _follow(points: Floats, moves: Floats, where: Floats) -> Floats:
    """(S, M, 3): the motion ``moves (S, N, 3)`` of ``points (N, 3)``, as translation, turn and size, at ``where (M, 3)``."""
    def system(p: Floats) -> Floats:
        x, y, z = (p - middle).T
        o, i = np.zeros_like(x), np.ones_like(x)
        rows = [[i, o, o, o, z, -y, x], [o, i, o, -z, o, x, y], [o, o, i, y, -x, o, z]]
        return np.stack([np.stack(r, 1) for r in rows], 1).reshape(-1, 7)

    if not len(moves) or not len(points):
        return np.zeros((len(moves), len(where), 3))
    middle = points.mean(0)
    solved = np.linalg.lstsq(system(points), moves.reshape(len(moves), -1).T, rcond=None)[0]
    return np.asarray((system(where) @ solved).T.reshape(len(moves), len(where), 3))
