"""Identity columns: principal components of random mixtures of MakeHuman's own head targets.

They span what a MakeHuman user can model, sampled evenly; they are not statistics of any population.
"""

from __future__ import annotations

import re

import numpy as np
from mesh import TARGETS
from parts import Assembly

FOLDERS = ("head", "forehead", "eyebrows", "eyes", "nose", "mouth", "cheek", "chin", "ears", "neck")
# Targets of the head that belong to pose, not to identity.
LEFT_OUT = ("head-angle-in", "head-angle-out", "head-trans", "neck-trans", "measure-neck", "neck-double")
SAMPLES = 3000
SEED = 20250601
_OPPOSITE = {"incr": "decr", "up": "down", "in": "out", "forward": "backward", "convex": "concave",
             "compress": "uncompress"}


def local_pairs(assembly: Assembly) -> list[tuple[list[str], list[str]]]:
    """Sliders as (plus files, minus files); the left one of a left/right pair brings the right one along."""
    data = assembly.base.data / TARGETS
    out = []
    for folder in FOLDERS:
        names = sorted(p.name.removesuffix(".target.gz") for p in (data / folder).glob("*.target.gz"))
        names = [x for x in names if not any(k in x for k in LEFT_OUT)]
        seen: set[str] = set()
        for name in names:
            if name in seen or name.startswith("r-"):
                continue
            stem, _, end = name.rpartition("-")
            minus = next((f"{stem}-{b}" for a, b in _OPPOSITE.items() if end == a and f"{stem}-{b}" in names), None)
            if minus is None and any(end == b and f"{stem}-{a}" in names for a, b in _OPPOSITE.items()):
                continue
            seen |= {name, minus or name}

            out.append((_files(folder, name), _files(folder, minus)))
    return out


def _files(folder: str, name: str | None) -> list[str]:
    """The target files of one end of a slider: both sides of a left/right pair."""
    if name is None:
        return []
    both = [name, re.sub("^l-", "r-", name)] if name.startswith("l-") else [name]
    return [f"{folder}/{x}" for x in both]


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
    base, rng = assembly.base, np.random.default_rng(SEED)
    columns: list[np.ndarray] = []

    def column(name: str) -> np.ndarray:
        return assembly.apply(base.target(f"{TARGETS}/{name}.target.gz"))

    macro: dict[str, int] = {}
    for age in ("young", "old"):
        for sex in ("male", "female"):
            for people in ("african", "asian", "caucasian"):
                macro[f"{people}-{sex}-{age}"] = len(columns)
                columns.append(column(f"macrodetails/{people}-{sex}-{age}"))
            for weight in ("min", "average", "max"):
                key = f"universal-{sex}-{age}-averagemuscle-{weight}weight"
                macro[key] = len(columns)
                columns.append(column(f"macrodetails/{key}"))
    sliders = []
    for plus, minus in local_pairs(assembly):
        here = []
        for files in (plus, minus):
            here.append(len(columns) if files else -1)
            if files:
                columns.append(np.sum([column(f) for f in files], 0))
        sliders.append(tuple(here))
    basis = np.array([c.astype(np.float32).ravel() for c in columns])

    mix = np.zeros((SAMPLES, len(columns)))
    for row in mix:
        sex = rng.uniform()
        old = rng.uniform(0, 0.9)
        people = rng.dirichlet((0.7, 0.7, 0.7))
        heavy = np.clip(rng.normal(0.5, 0.14), 0.15, 0.9)
        bounds = {"min": max(0.0, 1 - 2 * heavy), "max": max(0.0, 2 * heavy - 1)}
        bounds["average"] = 1 - bounds["min"] - bounds["max"]
        for s, ws in (("male", sex), ("female", 1 - sex)):
            for a, wa in (("young", 1 - old), ("old", old)):
                for p, wp in zip(("african", "asian", "caucasian"), people, strict=True):
                    row[macro[f"{p}-{s}-{a}"]] = ws * wa * wp
                for w, ww in bounds.items():
                    row[macro[f"universal-{s}-{a}-averagemuscle-{w}weight"]] = ws * wa * ww
        for plus, minus in sliders:
            t = rng.normal(0, 0.15)
            if t > 0:
                row[plus] = min(t, 1)
            elif minus >= 0:
                row[minus] = min(-t, 1)
    return basis, mix


def components(assembly: Assembly, template: np.ndarray, frame: np.ndarray, mirror: np.ndarray, count: int,
               ) -> tuple[np.ndarray, dict[str, float]]:
    """(V,3,count) m, each scaled so that the samples have unit variance along it; and a report."""
    basis, mix = _samples(assembly)
    n, columns = len(template), len(basis)
    centred = mix @ basis
    del basis
    shapes = align((centred - centred.mean(0)).reshape(SAMPLES, n, 3), template, frame)
    # Every face and its mirror image: components come out symmetric or antisymmetric, the mean symmetric.
    flipped = shapes[:, mirror] * np.array([-1.0, 1.0, 1.0])
    even = ((shapes + flipped) / 2).reshape(SAMPLES, -1)
    even -= even.mean(0)
    gram = even @ even.T / SAMPLES
    values, vectors = np.linalg.eigh(gram)
    order = np.argsort(values)[::-1][:count]
    out = np.empty((n, 3, count))
    for k, i in enumerate(order):
        # direction times standard deviation: a coefficient of one is one standard deviation of the samples
        direction = vectors[:, i] @ even
        direction = direction / np.linalg.norm(direction) * np.sqrt(values[i])
        direction = direction.reshape(n, 3)
        if direction[np.argmax(np.abs(direction).max(1))].sum() < 0:
            direction = -direction
        out[:, :, k] = direction
    report = {"identity_targets": float(columns), "identity_samples": float(SAMPLES),
              "identity_variance_kept": float(values[order].sum() / values.clip(0).sum())}
    return out, report
