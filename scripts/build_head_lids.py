"""The lids: makes the blink shape close the eye exactly."""

from __future__ import annotations

import numpy as np
from build_head_mesh import EYE_LOOPS, Loops
from build_head_parts import Assembly

# How much of the correction each ring takes, walking outwards from the lid's edge over the lid's skin.
OUTER_SEEDS = (6787, 6789, 11515, 6874, 6930, 6947)
OUTER_SHARE = (0.95, 0.80, 0.60, 0.40, 0.22, 0.08)
EDGE = ("inner", "margin", "rim")
GAP = 1e-4  # m left between closed lids so that the two surfaces do not flicker


def head_index(assembly: Assembly) -> np.ndarray:
    """Head vertex of each base vertex, -1 where the head has none."""
    patch = assembly.patches["skin"]
    out = np.full(assembly.base.n, -1)
    whole = patch.index[:, 0] == patch.index[:, 1]
    out[patch.index[whole, 0]] = np.where(whole)[0]
    return out


def lid_arcs(ring: list[int], points: np.ndarray, skip_corners: bool = True) -> tuple[list[int], list[int]]:
    """(upper, lower) arcs of an eye loop between its corners, corners included in the lower arc only."""
    x = points[ring, 0]
    a, b = sorted((int(np.argmin(x)), int(np.argmax(x))))
    one, two = ring[a:b + 1], ring[b:] + ring[:a + 1]
    if points[one, 1].mean() < points[two, 1].mean():
        one, two = two, one
    return (one[1:-1] if skip_corners else one), two


def rings(assembly: Assembly, loops: Loops, side: str) -> dict[str, list[int]]:
    """Named eye loops (base vertex numbers) of one side."""
    base, points = assembly.base, assembly.adult
    seeds = dict(EYE_LOOPS) | {f"outer{i}": s for i, s in enumerate(OUTER_SEEDS)}
    out = {name: loops.ring(seed, 28, points) for name, seed in seeds.items()}
    if side == "right":
        out = {name: [int(base.mirror[v]) for v in ring] for name, ring in out.items()}
    return out


def along(curve: list[int], where: np.ndarray, x: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Points of ``where`` on a lid arc at the fractions of its width given by ``x`` (its rest abscissa)."""
    order = np.argsort(rest[curve, 0])
    ids = np.array(curve)[order]
    xs = rest[ids, 0]
    t = (xs - xs[0]) / (xs[-1] - xs[0])
    return np.stack([np.interp(x, t, where[ids, c]) for c in range(3)], 1)


def fraction(ring: list[int], ids: list[int], rest: np.ndarray) -> np.ndarray:
    xs = rest[ring, 0]
    return (rest[ids, 0] - xs.min()) / (xs.max() - xs.min())


def close_lids(assembly: Assembly, loops: Loops, v: np.ndarray, blink: np.ndarray, side: str) -> np.ndarray:
    """The blink shape (V,3) m with the upper lid's edge landing on the lower lid's edge.

    MakeHuman's blink carries the upper lid up to 4 mm past the lower one; measured as a distance between
    the two edges that is an eye which never closes.
    """
    named = {k: [int(head_index(assembly)[b]) for b in r] for k, r in rings(assembly, loops, side).items()}
    out = blink.copy()
    edge_delta: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name in EDGE:
        upper, lower = lid_arcs(named[name], v)
        t = fraction(named[name], upper, v)
        goal = along(lower, v + blink, t, v)
        goal[:, 1] += GAP * np.sin(np.pi * t)
        delta = goal - (v + blink)[upper]
        out[upper] += delta
        order = np.argsort(t)
        edge_delta[name] = (t[order], delta[order])

    def spread(ring: list[int], source: str, share: float) -> None:
        upper, _ = lid_arcs(ring, v)
        t = fraction(ring, upper, v)
        ts, ds = edge_delta[source]
        ts = np.concatenate([[0.0], ts, [1.0]])
        ds = np.concatenate([np.zeros((1, 3)), ds, np.zeros((1, 3))])
        out[upper] += share * np.stack([np.interp(t, ts, ds[:, c]) for c in range(3)], 1)

    for i, share in enumerate(OUTER_SHARE):
        spread(named[f"outer{i}"], "rim", share)
    spread(named["lining"], "inner", 0.9)
    spread(named["socket"], "inner", 0.5)
    return out


def aperture_mm(assembly: Assembly, loops: Loops, v: np.ndarray, shape: np.ndarray, side: str) -> tuple[float, float]:
    """(mean, max) distance in mm between the upper and lower lid edge with ``shape`` added in full."""
    named = {k: [int(head_index(assembly)[b]) for b in r] for k, r in rings(assembly, loops, side).items()}
    upper, lower = lid_arcs(named["margin"], v)
    t = fraction(named["margin"], upper, v)
    gap = np.linalg.norm((v + shape)[upper] - along(lower, v + shape, t, v), axis=1) * 1000
    return float(gap.mean()), float(gap.max())
