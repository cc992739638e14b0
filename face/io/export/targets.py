"""The names and weights that other tools drive a face by: ARKit's 52, VRM's expressions, visemes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np
from scipy.optimize import nnls

from ....common.config import load_yaml
from ...clip.channels import ARKIT_52
from ...clip.sequence import FaceSequence
from ...head.model import HeadModel
from ..convert.arkit import weights

TARGETS = ("head", "arkit52", "flame", "vrm", "viseme", "actions")
"""The head's own channels; ARKit's shapes; FLAME's parameters; VRM's expressions; visemes; measured actions."""
_SEEN = 1e-4
"""A weight this far outside 0 to 1 is said."""
_PRIOR = 1e-2
"""Pull towards 0 where expressions overlap."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Named weights over time."""

    names: tuple[str, ...]
    values: np.ndarray
    """(T, N)"""

    def outside(self, cut: bool = False) -> list[str]:
        """One sentence on weights below 0 or above 1; none where there are none."""
        low, high = self.values.min(0, initial=0.0), self.values.max(0, initial=1.0)
        bad = np.flatnonzero((low < -_SEEN) | (high > 1 + _SEEN))
        if not len(bad):
            return []
        first = sorted(bad, key=lambda k: -max(-low[k], high[k] - 1))[:4]
        shown = ", ".join(f"{self.names[k]} {low[k]:.3f} to {high[k]:.3f}" for k in first)
        more = f" and {len(bad) - 4} more" if len(bad) > 4 else ""
        return [f"weights outside 0 to 1 ({shown}{more}) are " + ("cut to it" if cut else
                "kept, and some tools cut them (--clamp cuts them here)")]

    def cut(self) -> Curves:
        """The same within 0 to 1."""
        return replace(self, values=self.values.clip(0.0, 1.0))


def arkit_curves(seq: FaceSequence, head: HeadModel) -> Curves:
    """ARKit's 52 shapes as the clip has them, not cut to 0 to 1."""
    return Curves(ARKIT_52, weights(seq, head, limit=False))


@cache
def recipes(target: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the expressions of a target and their ARKit shapes ``(N, 52)`` (face/assets/expressions.yaml)."""
    text = resources.files("facelm").joinpath("face", "assets", "expressions.yaml").read_text(encoding="utf-8")
    table: Mapping[str, Mapping[str, float]] = load_yaml(text)[target]
    rows = np.zeros((len(table), len(ARKIT_52)))
    for row, shapes in zip(rows, table.values(), strict=True):
        for name, share in shapes.items():
            own = [name] if name in ARKIT_52 else [f"{name}Left", f"{name}Right"]
            row[[ARKIT_52.index(n) for n in own]] = share
    return tuple(table), rows


def expression_curves(arkit: Curves, target: str, notes: list[str]) -> Curves:
    """The weights, 0 to 1, of VRM's expressions or of visemes that come nearest to ARKit's shapes, frame by frame."""
    names, rows = recipes(target)
    system = np.concatenate([rows.T, _PRIOR * np.eye(len(rows))])
    goal = np.pad(arkit.values.clip(0.0, 1.0) * rows.any(0), ((0, 0), (0, len(rows))))
    found = np.stack([nnls(system, row)[0] for row in goal]).clip(0.0, 1.0)
    left = (np.abs(arkit.values - found @ rows) * rows.any(0)).max(0)
    worst = sorted(range(len(ARKIT_52)), key=lambda k: -left[k])[:3]
    differs = ", ".join(f"{ARKIT_52[k]} by up to {left[k]:.2f}" for k in worst if left[k] >= 0.005)
    notes.append(f"{len(names)} {'expressions' if target == 'vrm' else 'visemes'} stand for 52 shapes"
                 + (f"; the clip differs in {differs}" if differs else ""))
    if target == "viseme":  # silence is what the others leave
        return Curves(("sil", *names), np.c_[(1.0 - found.sum(1)).clip(0.0, 1.0), found])
    return Curves(names, found)
