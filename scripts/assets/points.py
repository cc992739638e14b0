"""Where MediaPipe's points lie on the head: solved from pictures, held on lid edges, lip lines and eyeballs."""

from __future__ import annotations

import json

import numpy as np
from facelm.face.head.model import HeadModel
from facelm.face.landmarks import points as mp
from facelm.face.render import raster
from renders import Seen, draw_and_detect, random_poses
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from scores import fit_prior

RENDERS, SIZE = 700, 512  # pictures that the points are solved on, and their side in px; a fifth more is held out
POINTS = 478
EDGE_STEPS = 12
HUBER = 0.003  # m: beyond it a detection counts by its distance, not its square
OVAL_FACTOR = 1.5  # outline points slide over the surface as the head turns, and under hair on real people
Spots = tuple[np.ndarray, np.ndarray]
"""Points on the head's surface: faces (L,) and barycentric coordinates (L,3)."""

# (MediaPipe points from the subject's right to left, the head's landmarks along the same edge)
CURVES: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    (mp.LID_RIGHT_UPPER, (36, 37, 38, 39)), (mp.LID_RIGHT_LOWER, (36, 41, 40, 39)),
    (mp.LID_LEFT_UPPER[::-1], (42, 43, 44, 45)), (mp.LID_LEFT_LOWER[::-1], (42, 47, 46, 45)),
    (mp.OUTER_LIP_UPPER, (48, 49, 50, 51, 52, 53, 54)), (mp.OUTER_LIP_LOWER, (48, 59, 58, 57, 56, 55, 54)),
    (mp.INNER_LIP_UPPER, (60, 61, 62, 63, 64)), (mp.INNER_LIP_LOWER, (60, 67, 66, 65, 64)),
)
REGIONS = {"oval": mp.OVAL, "brow_left": mp.BROW_LEFT, "brow_right": mp.BROW_RIGHT,
           "eye_left": mp.LID_LEFT_UPPER + mp.LID_LEFT_LOWER, "eye_right": mp.LID_RIGHT_UPPER + mp.LID_RIGHT_LOWER,
           "lips_outer": mp.OUTER_LIP_UPPER + mp.OUTER_LIP_LOWER, "lips_inner": mp.INNER_LIP_UPPER + mp.INNER_LIP_LOWER,
           "iris_left": mp.IRIS_LEFT, "iris_right": mp.IRIS_RIGHT}


def place(head: HeadModel, spots: Spots) -> np.ndarray:
    """(L,3) m on the template."""
    return (head.v_template[head.faces[spots[0]]] * spots[1][..., None]).sum(1)


def nearest(head: HeadModel, allowed: np.ndarray, goals: np.ndarray) -> Spots:
    """The points of the template's allowed faces that are nearest to ``goals`` (L,3)."""
    corners = head.v_template[head.faces[allowed]].astype(float)
    middle = corners.mean(1)
    faces, bary = [], []
    for goal in goals:
        near = np.argsort(((middle - goal) ** 2).sum(1))[:60]
        b, cost = in_triangles(corners[None, near], goal[None], np.ones(1))
        faces.append(int(allowed[near[cost.argmin()]]))
        bary.append(b[cost.argmin()])
    return np.array(faces), np.array(bary)


def edge_curve(head: HeadModel, keys: tuple[int, ...]) -> list[int]:
    """Mesh vertices of a lid edge or lip line through the head's iBUG landmarks ``keys``.

    Shortest path from landmark to landmark; lengths to the power 0.7 keep it on one ring of the mesh.
    """
    v = head.v_template.astype(float)
    edges = np.unique(np.sort(np.concatenate([head.faces[:, [0, 1]], head.faces[:, [1, 2]], head.faces[:, [2, 0]]]), 1), axis=0)
    edges = edges[(head.part[edges] <= 1).all(1)]  # skin and lips
    graph = csr_matrix((np.linalg.norm(v[edges[:, 0]] - v[edges[:, 1]], axis=1) ** 0.7, (edges[:, 0], edges[:, 1])),
                       (len(v), len(v)))
    stops: list[int] = []
    for key in keys:
        row = head.landmark_index(f"ibug_{key}")
        corners = head.faces[head.lmk_faces[row]][head.lmk_bary[row] > 1e-6]
        stops += sorted((int(c) for c in corners), key=lambda c: v[c, 0])
    path = stops[:1]
    for goal in stops[1:]:
        before = dijkstra(graph, False, indices=path[-1], return_predecessors=True)[1]
        back = [goal]
        while back[-1] != path[-1]:
            back.append(int(before[back[-1]]))
        path += back[-2::-1]
    return path


def edge_line(head: HeadModel, path: list[int]) -> Spots:
    """Points close to each other along a path of edges."""
    faces, bary = [], []
    for a, b in zip(path[:-1], path[1:], strict=True):
        face = int(np.flatnonzero((head.faces == a).any(1) & (head.faces == b).any(1))[0])
        for t in np.arange(EDGE_STEPS) / EDGE_STEPS:
            faces.append(face)
            bary.append((head.faces[face] == a) * (1 - t) + (head.faces[face] == b) * t)
    faces.append(faces[-1])
    bary.append((head.faces[faces[-1]] == path[-1]) * 1.0)
    return np.array(faces), np.array(bary, float)


def inner_lip_lines(head: HeadModel, inner: Spots, outer: Spots, lip: np.ndarray, steps: int = 5) -> list[Spots]:
    """``inner``, where the lips touch, and lines up to a fifth of the way to ``outer`` on the lip's faces.

    The head's lips overlap a little at rest, so that the line where they are seen to meet lies outside the line where
    they touch; MediaPipe marks the former.
    """
    a, b = place(head, inner), place(head, outer)
    there = np.stack([np.interp(np.linspace(0, 1, len(a)), np.linspace(0, 1, len(b)), b[:, c]) for c in range(3)], 1)
    return [inner, *(nearest(head, lip, (1 - share) * a + share * there) for share in np.arange(1, steps) * 0.2 / (steps - 1))]


def in_triangles(corners: np.ndarray, target: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Barycentric coordinates (K,3) and costs (K,) of the weighted least-squares point of each triangle.

    corners (M,K,3,d), target (M,d), weight (M,): the point of triangle k whose M images meet the M targets best.
    """
    side = corners[:, :, 1:] - corners[:, :, :1]
    rest = target[:, None] - corners[:, :, 0]
    g = np.einsum("m,mkid,mkjd->kij", weight, side, side)
    h = np.einsum("m,mkid,mkd->ki", weight, side, rest)
    const = np.einsum("m,mkd,mkd->k", weight, rest, rest)
    tiny = 1e-18
    det = g[:, 0, 0] * g[:, 1, 1] - g[:, 0, 1] ** 2
    inner = np.stack([g[:, 1, 1] * h[:, 0] - g[:, 0, 1] * h[:, 1], g[:, 0, 0] * h[:, 1] - g[:, 0, 1] * h[:, 0]], 1)
    inner /= np.maximum(det, tiny)[:, None]
    inside = (inner >= 0).all(1) & (inner.sum(1) <= 1) & (det > tiny)
    zero = np.zeros(len(g))
    first = np.clip(h[:, 0] / np.maximum(g[:, 0, 0], tiny), 0, 1)
    second = np.clip(h[:, 1] / np.maximum(g[:, 1, 1], tiny), 0, 1)
    span = np.maximum(g[:, 0, 0] - 2 * g[:, 0, 1] + g[:, 1, 1], tiny)
    third = np.clip((h[:, 0] - h[:, 1] - g[:, 0, 1] + g[:, 1, 1]) / span, 0, 1)
    options = np.stack([np.where(inside[:, None], inner, 0), np.stack([first, zero], 1), np.stack([zero, second], 1),
                        np.stack([third, 1 - third], 1)])
    cost = const - 2 * np.einsum("oki,ki->ok", options, h) + np.einsum("oki,kij,okj->ok", options, g, options)
    best = cost.argmin(0)
    uv = options[best, np.arange(len(g))]
    return np.concatenate([1 - uv.sum(1, keepdims=True), uv], 1), cost.min(0)


def visible_faces(head: HeadModel) -> np.ndarray:
    """Faces of skin and lips that can be seen on the resting head from the front or 40 degrees aside."""
    seen = np.zeros(len(head.faces), bool)
    size = 1400
    for yaw in (-40.0, 0.0, 40.0):
        v = head.vertices(rotation=np.array([0, np.radians(yaw), 0]))[0]
        screen = np.stack([size / 2 + v[:, 0] * 5000, size / 2 - (v[:, 1] + 0.03) * 5000, 1 / (1 - v[:, 2])], 1)
        near, face = np.empty((size, size), np.float32), np.empty((size, size), np.int32)
        raster.depth_buffer(np.ascontiguousarray(screen, np.float32), head.faces, -1, False, near, face,
                            np.empty((size, size, 2), np.float32))
        seen[np.unique(face[face >= 0])] = True
    middle = head.v_template[head.faces].mean(1)
    return np.flatnonzero(seen & (head.part[head.faces] <= 1).all(1) & (middle[:, 2] > -0.02) & (middle[:, 1] > -0.14))


def _huber(squared: np.ndarray) -> np.ndarray:
    r = np.sqrt(squared)
    return np.where(r < HUBER, squared, HUBER * (2 * r - HUBER))


class Fit:
    """The pictures in metres at the face's depth, so that every picture counts alike."""

    def __init__(self, head: HeadModel, seen: Seen) -> None:
        self.head = head
        rows = np.flatnonzero(seen.found)
        depth = -seen.vertices[rows][:, head.masks["face"], 2].mean(1)
        scale = (depth / seen.focal[rows])[:, None, None]
        pixels = seen.project(seen.vertices)[rows]
        self.projected = pixels * scale
        self.found = seen.points[rows].astype(float) * scale
        self.rotation = Rotation.from_rotvec(seen.poses.rotation[rows]).as_matrix()
        self.pixel = scale[:, 0, 0]

    def points(self, faces: np.ndarray, bary: np.ndarray) -> np.ndarray:
        """(N,L,2) m: where points of the surface fall."""
        return np.einsum("nlkc,lk->nlc", self.projected[:, self.head.faces[faces]], bary)

    def free(self, allowed: np.ndarray, index: np.ndarray) -> Spots:
        """Best points of the allowed faces for MediaPipe's points ``index``."""
        corners = self.head.faces[allowed]
        vertices = np.unique(corners)
        cost = np.zeros((len(index), len(vertices)))
        for p, d in zip(self.projected, self.found, strict=True):
            cost += _huber(((d[index, None] - p[None, vertices]) ** 2).sum(-1))
        faces, bary = [], []
        for row, i in enumerate(index):
            best = vertices[np.argsort(cost[row])[:8]]
            near = allowed[np.isin(corners, best).any(1)]
            tri = self.projected[:, self.head.faces[near]]
            at = self.projected[:, best[0]]
            for _ in range(4):
                r = np.linalg.norm(self.found[:, i] - at, axis=1)
                b, score = in_triangles(tri, self.found[:, i], HUBER / np.maximum(r, HUBER))
                k = int(score.argmin())
                at = np.einsum("nkc,k->nc", tri[:, k], b[k])
            faces.append(int(near[k]))
            bary.append(b[k])
        return np.array(faces), np.array(bary)

    def along(self, lines: list[Spots], index: tuple[int, ...]) -> Spots:
        """Points on the best of some neighbouring lines, in order; the first and last are the ends of ``lines[0]``."""
        middle, faces, bary = list(index[1:-1]), np.stack([f for f, _ in lines]), np.stack([b for _, b in lines])
        cost = np.zeros((len(lines), len(middle), faces.shape[1]))
        for k, line in enumerate(lines):
            for p, d in zip(self.points(*line), self.found, strict=True):
                cost[k] += _huber(((d[middle, None] - p[None]) ** 2).sum(-1))
        at = np.maximum.accumulate(cost.min(0).argmin(1))
        which = cost[:, np.arange(len(middle)), at].argmin(0)
        which, at = np.array([0, *which, 0]), np.array([0, *at, faces.shape[1] - 1])
        return faces[which, at], bary[which, at]

    def bias(self, faces: np.ndarray, bary: np.ndarray) -> np.ndarray:
        """(L,3) m in the head's own axes: how far detections lie from the points on average, robustly."""
        r = self.residual(faces, bary)
        axes = self.rotation[:, :2]  # rows: what a head-frame offset does to the picture's x and y
        out = np.zeros((r.shape[1], 3))
        for _ in range(4):
            left = r - np.einsum("nij,lj->nli", axes, out) * (1, -1)
            weight = HUBER / np.maximum(np.linalg.norm(left, axis=-1), HUBER)
            seen = r * (1, -1)  # picture y is down
            g = np.einsum("nl,nij,nik->ljk", weight, axes, axes) + 1e4 * np.diag([0.0, 0.0, 1.0])  # depth is hardly seen
            out = np.linalg.solve(g, np.einsum("nl,nij,nli->lj", weight, axes, seen)[..., None])[..., 0]
        return out

    def residual(self, faces: np.ndarray, bary: np.ndarray, index: tuple[int, ...] | slice = slice(None)) -> np.ndarray:
        """(N,L,2) m: detections less points, without the picture's common offset where all points are given."""
        r = self.found[:, index] - self.points(faces, bary)
        return r - np.median(r, axis=1, keepdims=True) if isinstance(index, slice) else r


def _iris(head: HeadModel, side: str, angle: float) -> Spots:
    """Pupil, then the iris' edge at MediaPipe's order: picture's right, top, left, bottom.

    ``angle``: from the eye's axis to the ring, radians.
    """
    row = head.landmark_index(f"pupil_{side}")
    vertices = head.masks[f"eyeball_{side}"]
    on_ball = np.flatnonzero(np.isin(head.faces, vertices).all(1))
    middle = head.joints()[3 if side == "left" else 4].astype(float)
    pole = head.lmk_bary[row] @ head.v_template[head.faces[head.lmk_faces[row]]]
    radius = float(np.linalg.norm(pole - middle))
    axis = (pole - middle) / radius
    right = np.cross([0.0, 1.0, 0.0], axis)
    right /= np.linalg.norm(right)
    up = np.cross(axis, right)
    ring = [middle + radius * (np.cos(angle) * axis + np.sin(angle) * d) for d in (right, up, -right, -up)]
    return nearest(head, on_ball, np.array([pole, *ring]))


def _mirror_map(points: np.ndarray) -> np.ndarray:
    distance = np.linalg.norm(points[:, None] * (-1, 1, 1) - points[None], axis=-1)
    mirror = linear_sum_assignment(distance + distance.T)[1]
    if (mirror[mirror] != np.arange(len(points))).any():
        raise ValueError(f"{int((mirror[mirror] != np.arange(len(points))).sum())} points have no mirror image")
    return mirror


def _regions(head: HeadModel, points: np.ndarray) -> np.ndarray:
    within = lambda mask, reach: cKDTree(head.v_template[head.masks[mask]]).query(points)[0] < reach  # noqa: E731
    region = np.full(POINTS, "cheeks", dtype="U12")
    region[within("nose", 0.003)] = "nose"
    region[points[:, 1] > points[list(mp.BROW_RIGHT), 1].min()] = "forehead"
    region[points[:, 1] < points[[78, 308], 1].mean() - 0.004] = "chin"  # the corners of the mouth
    region[within("lips", 0.0015)] = "lips_outer"
    for name, index in REGIONS.items():
        region[list(index)] = name
    return region


def _lines(head: HeadModel) -> list[list[Spots]]:
    """For each of ``CURVES`` the lines that its points may lie on."""
    plain = [edge_line(head, edge_curve(head, keys)) for _, keys in CURVES]
    out = [[line] for line in plain]
    for inner, outer, mask in ((6, 4, "lips_upper"), (7, 5, "lips_lower")):
        lip = np.flatnonzero(np.isin(head.faces, head.masks[mask]).all(1))
        out[inner] = inner_lip_lines(head, plain[inner], plain[outer], lip)
    return out


def solve(head: HeadModel, seen: Seen) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Place all 478 points (see the module's first line): the arrays of the file, and figures for the report."""
    fit = Fit(head, seen)
    allowed = visible_faces(head)
    faces, bary = np.zeros(POINTS, np.int64), np.zeros((POINTS, 3))
    skin = np.arange(468)
    faces[skin], bary[skin] = fit.free(allowed, skin)
    free = place(head, (faces, bary))
    angles = np.radians(np.arange(14.0, 32.0, 1.0))
    sides = ((mp.IRIS_LEFT, "left"), (mp.IRIS_RIGHT, "right"))
    irises = [(index, [_iris(head, side, a) for a in angles]) for index, side in sides]
    # one angle for all: MediaPipe draws irises of human size, the default head's eyeballs are larger
    best = int(np.argmin([sum(_huber((fit.residual(*rings[k], index) ** 2).sum(-1)).sum() for index, rings in irises)
                          for k in range(len(angles))]))
    for index, rings in irises:
        faces[list(index)], bary[list(index)] = rings[best]
    lines = _lines(head)
    on_curve = np.zeros(POINTS, bool)
    for (index, _), options in zip(CURVES, lines, strict=True):
        faces[list(index)], bary[list(index)] = fit.along(options, index)
        on_curve[list(index)] = True

    rest = place(head, (faces, bary))
    mirror = _mirror_map(rest)
    both = (rest + rest[mirror] * (-1, 1, 1)) / 2
    plain = np.flatnonzero(~on_curve & (np.arange(POINTS) < 468))
    faces[plain], bary[plain] = nearest(head, allowed, both[plain])
    for (index, _), options in zip(CURVES, lines, strict=True):
        at = np.stack([place(head, line) for line in options])
        for i, goal in zip(index[1:-1], both[list(index[1:-1])], strict=True):
            k, n = np.unravel_index(((at - goal) ** 2).sum(-1).argmin(), at.shape[:2])
            faces[i], bary[i] = options[k][0][n], options[k][1][n]
    length = np.linalg.norm(fit.residual(faces, bary), axis=-1)
    spread = np.sqrt((np.minimum(length, 4 * np.median(length, axis=0)) ** 2).mean(0) / 2)
    spread = (spread + spread[mirror]) / 2
    bias = fit.bias(faces, bary)
    bias = (bias + bias[mirror] * (-1, 1, 1)) / 2
    rest = place(head, (faces, bary))
    region = _regions(head, rest)
    spread[region == "oval"] *= OVAL_FACTOR
    moved = np.linalg.norm(free - rest, axis=1)
    notes = {f"snapped_by_mm_{r}": float(1e3 * np.median(moved[region == r])) for r in
             ("eye_left", "eye_right", "lips_outer", "lips_inner")}
    return ({"faces": faces.astype(np.int32), "bary": bary.astype(np.float32), "region": region,
             "spread": spread.astype(np.float32), "bias": bias.astype(np.float32), "mirror": mirror.astype(np.int16),
             "index": np.arange(POINTS, dtype=np.int16)}, notes | {"iris_ring_degrees": float(np.degrees(angles[best]))})


def report(head: HeadModel, marks: dict[str, np.ndarray], seen: Seen) -> dict[str, object]:
    """Errors on other pictures, by region: mean px, % of the inter-ocular distance, mm, and the constant part."""
    fit = Fit(head, seen)
    residual = fit.found - fit.points(marks["faces"], marks["bary"])
    length = np.linalg.norm(residual, axis=-1)
    eyes = fit.points(marks["faces"][[468, 473]], marks["bary"][[468, 473]])
    between = np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=1)
    # in the picture's plane; views are within 30 degrees, so this is nearly the head's plane
    constant = np.linalg.norm(np.median(residual, axis=0), axis=-1)
    rows: dict[str, object] = {}
    for name in dict.fromkeys(["all", *sorted(set(marks["region"].tolist()))]):
        cols = np.flatnonzero(marks["region"] == name) if name != "all" else np.arange(POINTS)
        off = length[:, cols]
        found = {"px": (off / fit.pixel[:, None]).mean(), "percent": (off / between[:, None]).mean() * 100,
                 "mm": off.mean() * 1e3, "constant_mm": constant[cols].mean() * 1e3,
                 "spread_mm": marks["spread"][cols].mean() * 1e3}
        rows[name] = {"points": len(cols)} | {k: round(float(x), 2) for k, x in found.items()}
    return rows | {"found": round(float(seen.found.mean()), 3), "pictures": len(seen.found)}


def build() -> dict[str, np.ndarray]:
    """The arrays of the file; prints the figures of held-out pictures."""
    head, rng = HeadModel.default(), np.random.default_rng(0)
    train, test = (draw_and_detect(head, random_poses(head, n, rng), SIZE, rng) for n in (RENDERS, RENDERS // 5))
    arrays, notes = solve(head, train)
    summary: dict[str, object] = {"renders": len(train.found), "found": float(train.found.mean()), "size": SIZE,
                                  "held_out": report(head, arrays, test) | {k: round(v, 2) for k, v in notes.items()}}
    prior, summary["prior"] = fit_prior(head, rng)
    print(json.dumps(summary, indent=1))
    return arrays | prior | {"head_sha256": np.array(head.sha256), "report": np.array(json.dumps(summary))}
