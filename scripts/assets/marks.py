"""Closing lids, landmarks, region masks, part labels and the soft eyebrows of the default head."""

from __future__ import annotations

import numpy as np
from mesh import EYE_LOOPS, MOUTH_LOOPS, SCALE, TARGETS, Loops, plane_side
from parts import BROW_LINE, TOOTH_COLUMNS, Assembly, brow_reach

# How much of the correction each ring takes, walking outwards from the lid's edge over the lid's skin.
OUTER_SEEDS = (6787, 6789, 11515, 6874, 6930, 6947)
OUTER_SHARE = (0.95, 0.80, 0.60, 0.40, 0.22, 0.08)
EDGE = ("inner", "margin", "rim")
GAP = 1e-4  # m left between closed lids so that the two surfaces do not flicker
# Frontal polar angles (degrees from the subject's left, around the middle of the face) of the jaw
# contour from the ear (16) to the chin (8); even steps of arc in the 300-W annotation scheme.
JAW_ANGLES = (21.0, 5.0, -11.0, -25.5, -39.0, -52.0, -64.5, -77.0, -90.0)
FACE_MIDDLE = np.array([0.0, 7.05])  # dm
LIP_SEEDS = (455, 466, 467, 509, 468, 474, 520, 537, 554)


# -- lids -------------------------------------------------------------------------------
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


# -- landmarks --------------------------------------------------------------------------
class Surface:
    """The triangle mesh of the template, for putting landmarks on it."""

    def __init__(self, v: np.ndarray, faces: np.ndarray) -> None:
        self.v, self.faces = v, faces
        self.at_vertex: dict[int, int] = {}
        for f, tri in enumerate(faces.tolist()):
            for k in tri:
                self.at_vertex.setdefault(k, f)

    def vertex(self, k: int) -> tuple[int, np.ndarray]:
        f = self.at_vertex[k]
        return f, (self.faces[f] == k).astype(float)

    def edge(self, a: int, b: int, t: float) -> tuple[int, np.ndarray]:
        """Point ``(1-t) a + t b`` of a mesh edge."""
        rows = np.where((self.faces == a).any(1) & (self.faces == b).any(1))[0]
        if len(rows) == 0:
            raise ValueError(f"vertices {a} and {b} share no face")
        f = int(rows[0])
        return f, (self.faces[f] == a) * (1 - t) + (self.faces[f] == b) * t

    def front(self, x: float, y: float, allowed: np.ndarray) -> tuple[int, np.ndarray]:
        """The frontmost point over (x, y) m among the allowed faces."""
        tri = self.v[self.faces[allowed]]
        a, b, c = tri[:, 0], tri[:, 1], tri[:, 2]
        area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
        area = np.where(np.abs(area) < 1e-14, np.nan, area)
        wb = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (y - a[:, 1])) / area
        wc = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (x - a[:, 0]) * (b[:, 1] - a[:, 1])) / area
        wa = 1 - wb - wc
        inside = (np.minimum(np.minimum(wa, wb), wc) >= -1e-6)
        z = np.where(inside, wa * a[:, 2] + wb * b[:, 2] + wc * c[:, 2], -np.inf)
        k = int(np.argmax(z))
        if not np.isfinite(z[k]):
            raise ValueError(f"nothing lies over x={x:.4f} y={y:.4f} m")
        bary = np.clip([wa[k], wb[k], wc[k]], 0, 1)
        return int(allowed[k]), bary / bary.sum()


def arc_point(surface: Surface, arc: list[int], fraction: float) -> tuple[int, np.ndarray]:
    """The point at a fraction of the width (smallest to largest x) of an arc of neighbouring vertices."""
    x = surface.v[arc, 0]
    goal = x.min() + fraction * (x.max() - x.min())
    for a, b in zip(arc[:-1], arc[1:], strict=True):
        xa, xb = surface.v[a, 0], surface.v[b, 0]
        if min(xa, xb) - 1e-9 <= goal <= max(xa, xb) + 1e-9 and xa != xb:
            return surface.edge(a, b, float(np.clip((goal - xa) / (xb - xa), 0, 1)))
    raise ValueError("the arc does not reach that fraction")


def brow_weight(v: np.ndarray, origin: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """(V,) in [0,1]: 1 on the eyebrow's centre line, falling off over its width."""
    out = np.zeros(len(v))
    front = skin & (v[:, 2] > 0.045)
    out[front] = np.clip(1.7 - brow_reach((v[front] + origin) / SCALE), 0, 1)
    return out


def jaw_contour(surface: Surface, allowed: np.ndarray, origin: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Left half of the face's outline seen from the front, ear to chin."""
    tri = surface.v[surface.faces[allowed]]
    steps = [(i / 4, j / 4, 1 - (i + j) / 4) for i in range(5) for j in range(5 - i)]
    bary = np.array(steps)
    pts = np.einsum("kb,fbc->fkc", bary, tri).reshape(-1, 3)
    mid = FACE_MIDDLE * SCALE - origin[:2]
    rel = pts[:, :2] - mid
    angle, radius = np.degrees(np.arctan2(rel[:, 1], rel[:, 0])), np.linalg.norm(rel, axis=1)
    out = []
    for goal in JAW_ANGLES:
        near = np.abs(angle - goal) < 1.2
        k = int(np.argmax(np.where(near, radius, -1)))
        out.append((int(allowed[k // len(bary)]), bary[k % len(bary)]))
    return out


Spot = tuple[int, np.ndarray]
"""A face and barycentric coordinates on it."""


def landmarks(assembly: Assembly, loops: Loops, v: np.ndarray, faces: np.ndarray, origin: np.ndarray,
              ) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, faces (L,) and barycentric coordinates (L,3): 68 iBUG points, then the extras."""
    at, index, surface = assembly.slices(), head_index(assembly), Surface(v, faces)
    skin_faces = np.where((faces < at["skin"].stop).all(1))[0]

    def dm(x: float, y: float) -> Spot:
        return surface.front(x * SCALE - origin[0], y * SCALE - origin[1], skin_faces)

    marks = _outline(surface, skin_faces, origin)
    t = np.linspace(0, 1, len(BROW_LINE))
    for k, u in enumerate((0.0, 0.25, 0.5, 0.75, 1.0)):
        x, y = np.interp(u, t, BROW_LINE[:, 0]), np.interp(u, t, BROW_LINE[:, 1])
        marks[f"ibug_{22 + k}"] = dm(x, y)
        marks[f"ibug_{21 - k}"] = dm(-x, y)
    for k, y in enumerate((7.36, 7.24, 7.12)):
        marks[f"ibug_{27 + k}"] = dm(0.0, y)
    marks["ibug_30"] = surface.vertex(int(index[5054]))
    for k, (x, y) in enumerate(((-0.135, 6.895), (-0.07, 6.875), (0.0, 6.872), (0.07, 6.875), (0.135, 6.895))):
        marks[f"ibug_{31 + k}"] = dm(x, y)
    marks |= _eyes_and_mouth(assembly, loops, surface)

    for side, sign in (("right", -1), ("left", 1)):
        marks[f"cheek_{side}"] = dm(sign * 0.46, 6.98)
        marks[f"pupil_{side}"] = surface.vertex(at[f"eye_{side}"].start)
    tongue = np.arange(at["tongue"].start, at["tongue"].stop)
    mid = tongue[np.abs(v[tongue, 0]) < 1e-3]
    marks["tongue_tip"] = surface.vertex(int(mid[np.argmax(v[mid, 2])]))
    rows = assembly.patches["teeth_upper"].index.shape[0] // (14 * TOOTH_COLUMNS + 1)
    for name in ("upper", "lower"):
        first = at[f"teeth_{name}"].start + 7 * TOOTH_COLUMNS * rows
        marks[f"{name}_teeth"] = surface.vertex(first + 6)
    marks["nose_tip"] = marks["ibug_30"]
    marks["chin_tip"] = surface.vertex(int(index[5162]))
    marks["forehead"] = dm(0.0, 7.98)
    names = [f"ibug_{k:02d}" for k in range(68)] + [k for k in marks if not k.startswith("ibug")]
    return (names, np.array([marks[k][0] for k in names]), np.array([marks[k][1] for k in names], float))


def _outline(surface: Surface, skin_faces: np.ndarray, origin: np.ndarray) -> dict[str, Spot]:
    """The jaw's outline: the front of the head, without the ears and the neck."""
    v, faces = surface.v, surface.faces
    dmv = (v + origin) / SCALE
    under = np.interp(dmv[:, 1], [6.2, 6.30, 6.45, 6.7, 7.4], [1.24, 1.20, 0.80, 0.42, 0.40])
    ear = (dmv[:, 1] > 6.7) & (dmv[:, 2] < 0.56)
    ok = (dmv[:, 2] > under) & ~ear & (plane_side(dmv) > 0.4)
    allowed = skin_faces[ok[faces[skin_faces]].all(1)]
    marks = {}
    for k, (f, b) in enumerate(jaw_contour(surface, allowed, origin)):
        marks[f"ibug_{16 - k:02d}"] = (f, b)
        p = b @ v[faces[f]]
        marks[f"ibug_{k:02d}"] = surface.front(-p[0], p[1], allowed) if k < 8 else (f, b)
    return marks


def _eyes_and_mouth(assembly: Assembly, loops: Loops, surface: Surface) -> dict[str, Spot]:
    """Points on the edges of lids and lips, at fractions of their width."""
    index, v, marks = head_index(assembly), surface.v, {}
    for side, order in (("left", (42, 43, 44, 45, 46, 47)), ("right", (39, 38, 37, 36, 41, 40))):
        ring = [int(index[b]) for b in rings(assembly, loops, side)["margin"]]
        upper, lower = lid_arcs(ring, v, skip_corners=False)
        inner, outer = (0.0, 1.0) if side == "left" else (1.0, 0.0)
        third = 0.33 if side == "left" else 0.67
        for mark, arc, u in zip(order, (upper, upper, upper, upper, lower, lower),
                                (inner, third, 1 - third, outer, 1 - third, third), strict=True):
            marks[f"ibug_{mark}"] = arc_point(surface, arc, u)

    def mouth(seed: int) -> tuple[list[int], list[int]]:
        loop = [int(index[b]) for b in loops.ring(seed, 38, assembly.adult)]
        one, two = lid_arcs(loop, v, skip_corners=False)
        # The seeds lie on the upper lip; lips that touch cannot be told apart by height.
        return (one, two) if int(index[seed]) in one else (two, one)

    top, bottom = mouth(MOUTH_LOOPS["outer"])
    for first, arc, fractions in ((48, top, (0.0, 0.19, 0.375, 0.5, 0.625, 0.81, 1.0)),
                                  (55, bottom, (0.80, 0.64, 0.5, 0.36, 0.20)),
                                  (60, mouth(520)[0], (0.0, 0.28, 0.5, 0.72, 1.0)), (65, mouth(537)[1], (0.72, 0.5, 0.28))):
        for k, u in enumerate(fractions):
            marks[f"ibug_{first + k}"] = arc_point(surface, arc, u)
    return marks


def _mouth_bag(assembly: Assembly, loops: Loops, faces: np.ndarray, lip_ids: set[int]) -> set[int]:
    """The bag of the mouth: every vertex behind the innermost lip ring."""
    index = head_index(assembly)
    around: dict[int, set[int]] = {}
    for tri in faces[(faces < assembly.slices()["skin"].stop).all(1)].tolist():
        for i in range(3):
            around.setdefault(tri[i], set()).update((tri[(i + 1) % 3], tri[(i + 2) % 3]))
    inside = {int(index[b]) for b in loops.ring(MOUTH_LOOPS["back"], 38, assembly.adult)}
    queue = list(inside)
    while queue:
        for b in around[queue.pop()]:
            if b not in inside and b not in lip_ids:
                inside.add(b)
                queue.append(b)
    if len(inside) > 900:
        raise ValueError("the mouth bag's flood leaked: not the hm08 mesh")
    return inside


def regions(assembly: Assembly, loops: Loops, v: np.ndarray, faces: np.ndarray, origin: np.ndarray,
            weights: np.ndarray, gums: dict[str, np.ndarray], part_names: tuple[str, ...],
            ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """(masks, part label (V,), brow weight (V,))."""
    base, at = assembly.base, assembly.slices()
    index = head_index(assembly)
    n = len(v)
    dmv = (v + origin) / SCALE
    skin = np.zeros(n, bool)
    skin[at["skin"]] = True

    lip_ids = {int(index[b]) for s in LIP_SEEDS for b in loops.ring(s, 38, assembly.adult)}
    lips = np.isin(np.arange(n), sorted(lip_ids))
    mouth_inside = np.isin(np.arange(n), sorted(_mouth_bag(assembly, loops, faces, lip_ids)))
    face_skin = skin & ~mouth_inside

    def reach(*names: str, share: float = 0.4) -> np.ndarray:
        """Skin that a target moves by more than a share of its maximum."""
        hit = np.zeros(n, bool)
        for name in names:
            d = np.linalg.norm(assembly.apply(base.target(f"{TARGETS}/{name}.target.gz")), axis=1)
            hit |= d > share * d[face_skin].max()
        return hit & face_skin

    brow = brow_weight(v, origin, face_skin)
    lids = np.zeros(n, bool)
    for side in ("left", "right"):
        named = rings(assembly, loops, side)
        for name in ("lining", "inner", "margin", "rim", "outer0", "outer1", "outer2", "outer3", "outer4"):
            lids[[int(index[b]) for b in named[name]]] = True
    flags = {
        "lips": lips,
        "brows": face_skin & (brow > 0.3),
        "lids": lids,
        "cheeks": reach("cheek/l-cheek-trans-up", "cheek/r-cheek-trans-up") & ~lids & ~lips,
        "jaw": face_skin & (weights[:, 2] > 0.3) & ~lips,
        "nose": reach("nose/nose-trans-up", share=0.5) & (np.abs(dmv[:, 0]) < 0.2),
        "neck": face_skin & (weights[:, 0] > 0.02),
        "forehead": face_skin & (dmv[:, 1] > 7.70) & (dmv[:, 2] > 0.9),
        "skin": face_skin & ~lips,
        "mouth_inside": mouth_inside,
    }
    for mask, part in (("eyeball_left", "eye_left"), ("eyeball_right", "eye_right"), ("teeth_upper", "teeth_upper"),
                       ("teeth_lower", "teeth_lower"), ("tongue", "tongue")):
        flags[mask] = np.zeros(n, bool)
        flags[mask][at[part]] = True
    flags["lips_upper"] = lips & (weights[:, 2] < 0.35)
    flags["lips_lower"] = lips & (weights[:, 2] >= 0.35)
    behind = np.interp(dmv[:, 1], [6.2, 6.45, 6.7, 7.4, 8.1], [0.95, 0.62, 0.42, 0.42, 0.75])
    flags["face"] = face_skin & (dmv[:, 2] > behind) & (dmv[:, 1] > 6.24) & (dmv[:, 1] < 8.1)

    part = np.zeros(n, np.uint8)
    name_of = {p: k for k, p in enumerate(part_names)}
    part[lips] = name_of["lips"]
    part[mouth_inside] = name_of["mouth_inside"]
    part[at["eye_left"]] = part[at["eye_right"]] = name_of["eyeball"]
    part[at["tongue"]] = name_of["tongue"]
    for which in ("upper", "lower"):
        where = np.arange(at[f"teeth_{which}"].start, at[f"teeth_{which}"].stop)
        part[where] = name_of["teeth"]
        part[where[gums[f"gum_{which}"]]] = name_of["gums"]
        flags[f"gums_{which}"] = np.zeros(n, bool)
        flags[f"gums_{which}"][where[gums[f"gum_{which}"]]] = True
        flags[f"teeth_{which}"][where[gums[f"gum_{which}"]]] = False
    return {k: np.flatnonzero(f).astype(np.int32) for k, f in flags.items()}, part, brow
