"""Calibrations kept on disk, by the hashes of both heads, the settings and the code that made them."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from ...common.files import atomic_file, cache_dir, digest, file_digest
from ..clip.arrays import read_npz
from ..head import correspond
from ..head.model import HeadModel
from . import fit
from .fit import JawMap, Pair, Points, Solver

log = logging.getLogger(__name__)
Calibration = tuple[Pair, JawMap, Solver]


def place(a: HeadModel, b: HeadModel, settings: object) -> Path:
    """The file of a calibration."""
    code = [file_digest(m.__file__) for m in (fit, correspond) if m.__file__]
    return cache_dir() / "retarget" / f"{digest([a.sha256, b.sha256, repr(settings), code])[:32]}.npz"


def load(path: Path, a: HeadModel, b: HeadModel) -> Calibration | None:
    """A calibration that was kept; None where there is none, or it cannot be read."""
    try:
        d = read_npz(path, "calibration")
        pair = Pair(Points(a, d["faces_a"], d["bary_a"]), Points(b, d["faces_b"], d["bary_b"]), d["region"], d["weight"])
        low, high = (float(v) for v in d["box"])
        return (pair, JawMap(d["knots"], d["opening"], d["side"]),
                Solver(d["gram"], d["from_expr"], d["from_joints"], low, high))
    except (OSError, ValueError, KeyError):
        return None


def keep(path: Path, made: Calibration) -> None:
    """Keep a calibration; where the folder cannot be written it is only made again next time."""
    pair, jaws, solve = made
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as partial, open(partial, "wb") as handle:
            np.savez(handle, faces_a=pair.a.faces, bary_a=pair.a.bary, faces_b=pair.b.faces, bary_b=pair.b.bary,
                     region=pair.region, weight=pair.weight, knots=jaws.knots, opening=jaws.opening, side=jaws.side,
                     gram=solve.gram, from_expr=solve.from_expr, from_joints=solve.from_joints,
                     box=np.array([solve.low, solve.high]))
    except OSError as err:
        log.info("the calibration is not kept: %s", err)
