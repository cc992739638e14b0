"""Identity columns: principal components of random mixtures of MakeHuman's own head targets.

They span what a MakeHuman user can model, sampled evenly; they are not statistics of any population.
"""

from __future__ import annotations

import re

import numpy as np
from mesh import HM08, TARGETS
from parts import MIRROR, Assembly

SAMPLES = 3000
SEED = 20250601
AGES, SEXES, PEOPLES, WEIGHTS = ("young", "old"), ("male", "female"), ("african", "asian", "caucasian"), ("min", "average", "max")


def align(shapes: np.ndarray, template: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Takes rigid motion out of the offsets (N,V,3), by least squares over the vertices ``frame``."""
    out = np.empty_like(shapes)
    for i, d in enumerate(shapes):  # not parts.rigid: its other order of sums would move the file's last digits
        q = template + d
        a, b = q[frame].mean(0), template[frame].mean(0)
        u, _, vt = np.linalg.svd((q[frame] - a).T @ (template[frame] - b))
        r = vt.T @ np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
        out[i] = (q - a) @ r.T + b - template
    return out


def _samples(assembly: Assembly) -> tuple[np.ndarray, np.ndarray]:
    """Targets (K, V*3) m and how much of each a random face has (SAMPLES, K)."""
    rng = np.random.default_rng(SEED)
    columns: list[np.ndarray] = []

    def column(*names: str) -> int:
        moved = [assembly.apply(assembly.base.target(f"{TARGETS}/{name}.target.gz")) for name in names]
        columns.append(np.sum(moved, 0).astype(np.float32).ravel())
        return len(columns) - 1

    macro = {}
    for age in AGES:
        for sex in SEXES:
            macro |= {(p, sex, age): column(f"macrodetails/{p}-{sex}-{age}") for p in PEOPLES}
            macro |= {(w, sex, age): column(f"macrodetails/universal-{sex}-{age}-averagemuscle-{w}weight") for w in WEIGHTS}
    # the left end of a slider brings the right one along
    sliders = [[column(*(f"{folder}/{n}" for n in dict.fromkeys((end, re.sub("^l-", "r-", end))))) for end in ends]
               for folder, all_ends in HM08["sliders"].items() for ends in all_ends]

    mix = np.zeros((SAMPLES, len(columns)))
    for row in mix:
        sex, old = rng.uniform(), rng.uniform(0, 0.9)
        shares = dict(zip(PEOPLES, rng.dirichlet((0.7, 0.7, 0.7)), strict=True))
        heavy = np.clip(rng.normal(0.5, 0.14), 0.15, 0.9)
        shares |= {"min": max(0.0, 1 - 2 * heavy), "max": max(0.0, 2 * heavy - 1)}
        shares["average"] = 1 - shares["min"] - shares["max"]
        of = {"male": sex, "female": 1 - sex, "young": 1 - old, "old": old}
        for (what, s, a), k in macro.items():
            row[k] = of[s] * of[a] * shares[what]
        for plus, *minus in sliders:
            t = rng.normal(0, 0.15)
            if t > 0:
                row[plus] = min(t, 1)
            elif minus:
                row[minus[0]] = min(-t, 1)
    return np.array(columns), mix


def components(assembly: Assembly, template: np.ndarray, frame: np.ndarray, mirror: np.ndarray, count: int,
               ) -> tuple[np.ndarray, dict[str, float]]:
    """(V,3,count) m, each scaled so that the samples have unit variance along it; and a report."""
    basis, mix = _samples(assembly)
    shapes = mix @ basis
    shapes = align((shapes - shapes.mean(0)).reshape(SAMPLES, -1, 3), template, frame)
    # Every face and its mirror image: components come out symmetric or antisymmetric, the mean symmetric.
    even = ((shapes + shapes[:, mirror] * MIRROR) / 2).reshape(SAMPLES, -1)
    even -= even.mean(0)
    values, vectors = np.linalg.eigh(even @ even.T / SAMPLES)
    order = np.argsort(values)[::-1][:count]
    out = np.empty((len(template), 3, count))
    for k, i in enumerate(order):
        # direction times standard deviation: a coefficient of one is one standard deviation of the samples
        direction = vectors[:, i] @ even
        direction = (direction / np.linalg.norm(direction) * np.sqrt(values[i])).reshape(-1, 3)
        out[:, :, k] = -direction if direction[np.argmax(np.abs(direction).max(1))].sum() < 0 else direction
    return out, {"identity_targets": float(len(basis)), "identity_samples": float(SAMPLES),
                 "identity_variance_kept": float(values[order].sum() / values.clip(0).sum())}
