"""The parts that hang in the head: eyeballs, teeth with gums, tongue; and their assembly with the skin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from mesh import HM08, SCALE, BaseMesh, Patch, average_adult, close_lips, cut_skin, refine, triangulate

PARTS = ("skin", "eye_left", "eye_right", "teeth_upper", "teeth_lower", "tongue")
MIRROR = np.array([-1.0, 1.0, 1.0])

# Polar angles of the eyeball's rings, degrees from the pupil.  Iris radius 5.9 mm and pupil radius
# 2 mm on a ball of 12-15 mm put their edges near 24 and 8 degrees; two close rings keep edges crisp.
EYE_RINGS = (4.0, 8.0, 9.5, 14.0, 20.0, 24.0, 26.0, 34.0, 46.0, 60.0, 78.0, 100.0)
EYE_SECTORS = 24
# Widths of the teeth along the arch relative to each other (mesio-distal crown widths, central
# incisor to second molar; Wheeler's Dental Anatomy: upper 8.5 6.5 7.5 7 7 10 9, lower 5 5.5 7 7 7 11 10.5 mm).
TOOTH_WIDTHS = {"upper": (8.5, 6.5, 7.5, 7.0, 7.0, 10.0, 9.0), "lower": (5.0, 5.5, 7.0, 7.0, 7.0, 11.0, 10.5)}
TOOTH_COLUMNS = 4
# Rows of vertices of a tooth: share of the way from root to tip, inward depth in dm, bulge share, whether it is gum.
TOOTH_ROWS = np.array([(0.00, 0.030, 0.0, 1), (0.02, 0.004, 0.0, 1), (0.40, -0.004, 0.15, 1), (0.46, 0.004, 0.6, 0),
                       (0.70, 0.000, 1.0, 0), (0.90, 0.004, 1.0, 0), (1.0, 0.020, 0.8, 0), (0.85, 0.050, 0.0, 0)])
# MakeHuman's tongue lies against the palate and its upper teeth end above the lip; dm.
TONGUE_SHIFT = np.array([0.0, -0.028, -0.012])
TEETH_SHIFT = {"upper": np.array([0.0, -0.012, 0.014]), "lower": np.array([0.0, -0.008, 0.010])}

# The left eyebrow's centre line, x and y in dm, from the inner to the outer end, with its half width.
BROW_LINE = np.array([[0.120, 7.548], [0.20, 7.578], [0.29, 7.606], [0.38, 7.612], [0.455, 7.588], [0.525, 7.543]])
BROW_HALF = np.array([0.030, 0.034, 0.033, 0.028, 0.021, 0.011])


def brow_reach(points: np.ndarray) -> np.ndarray:
    """(N,) distance of points (N,3) dm from the nearer eyebrow's centre line, seen from the front, in half widths."""
    fine = np.linspace(0, len(BROW_LINE) - 1, 120)
    grid = np.arange(len(BROW_LINE))
    x, y, half = (np.interp(fine, grid, c) for c in (BROW_LINE[:, 0], BROW_LINE[:, 1], BROW_HALF))
    return np.min(np.hypot(np.abs(points[:, 0])[:, None] - x, points[:, 1][:, None] - y) / half, axis=1)


@dataclass(frozen=True)
class Assembly:
    """The head before rigging: linear maps from base-mesh offsets to head vertices."""

    base: BaseMesh
    adult: np.ndarray  # (N,3) dm, the template on the base mesh
    patches: dict[str, Patch]
    eye_radius: float  # dm

    def slices(self) -> dict[str, slice]:
        sizes = [len(self.patches[n].index) if n in self.patches else len(BALL) for n in PARTS]
        return {n: slice(int(end) - k, int(end)) for n, k, end in zip(PARTS, sizes, np.cumsum(sizes), strict=True)}

    @cached_property
    def index(self) -> np.ndarray:
        """(N,) head vertex of each base vertex, -1 where the head has none."""
        corners, out = self.patches["skin"].index, np.full(self.base.n, -1)
        whole = corners[:, 0] == corners[:, 1]
        out[corners[whole, 0]] = np.flatnonzero(whole)
        return out

    def eye(self, name: str) -> np.ndarray:
        """Base vertices of an eyeball."""
        return np.unique(self.base.groups["helper-l-eye" if name == "eye_left" else "helper-r-eye"])

    def apply(self, offsets: np.ndarray, *, template: bool = False, expression: bool = False) -> np.ndarray:
        """Head vertices (V,3) m of base-mesh offsets (N,3) dm; ``template`` adds constants.

        ``expression`` moves the teeth as rigid bodies and leaves the eyeballs to the eye joints.
        """
        out = []
        for name in PARTS:
            if name.startswith("eye"):
                moved, rest = offsets[self.eye(name)], self.adult[self.eye(name)]
                normals = BALL if name == "eye_left" else BALL * MIRROR
                outward = rest - rest.mean(0)
                outward /= np.linalg.norm(outward, axis=1, keepdims=True)
                radius = self.eye_radius if template else float((moved * outward).sum(1).mean())
                out.append(np.zeros_like(normals) if expression else moved.mean(0) + radius * normals)
            elif expression and name.startswith("teeth"):
                group = np.unique(self.patches[name].index)
                r, t = rigid(self.adult[group], self.adult[group] + offsets[group])
                rest = self.patches[name].apply(self.adult, with_offset=True)
                out.append(rest @ r.T + t - rest)
            else:
                out.append(self.patches[name].apply(offsets, with_offset=template))
        return np.concatenate(out) * SCALE

    def faces(self) -> np.ndarray:
        own = {n: p.faces for n, p in self.patches.items()} | {"eye_left": ball_faces(), "eye_right": ball_faces()[:, ::-1]}
        return np.concatenate([own[name] + at.start for name, at in self.slices().items()]).astype(np.int32)


def rigid(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares R, t with q = R p + t (Kabsch)."""
    a, b = p.mean(0), q.mean(0)
    u, _, vt = np.linalg.svd((p - a).T @ (q - b))
    r = vt.T @ np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
    return r, b - r @ a


def ball_normals() -> np.ndarray:
    """Unit directions of the eyeball's vertices; the first is the pupil's centre (+z)."""
    polar, turn = np.radians(EYE_RINGS)[:, None], 2 * np.pi * (np.arange(EYE_SECTORS) + 0.5) / EYE_SECTORS
    rings = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar) + 0 * turn], -1)
    return np.concatenate([[[0.0, 0.0, 1.0]], rings.reshape(-1, 3)])


BALL = ball_normals()


def ball_faces() -> np.ndarray:
    s = np.arange(EYE_SECTORS)
    t, a = np.roll(s, -1), 1 + EYE_SECTORS * np.arange(len(EYE_RINGS) - 1)[:, None]
    b = a + EYE_SECTORS
    bands = np.stack([a + s, b + s, b + t, a + s, b + t, a + t], -1)
    return np.concatenate([np.stack([0 * s, 1 + s, 1 + t], 1), bands.reshape(-1, 3)])


def teeth(base: BaseMesh, adult: np.ndarray, jaw: str) -> Patch:
    """A row of separate-looking teeth with gum along MakeHuman's tooth helper, made symmetric; ``jaw`` is upper or lower.

    The row is seen from below: the curve that the outer faces follow, and heights along it.
    """
    ids = np.unique(base.groups[f"helper-{jaw}-teeth"])
    pts = adult[ids]
    # The helper is a strip of 17 columns; a column is the set of vertices at one arc position.
    middle = np.array([0, pts[:, 2].min()])  # x, z
    angle = np.arctan2(pts[:, 0], pts[:, 2] - middle[1] + 0.12)
    knots = np.linspace(angle.min(), angle.max(), 17)
    columns = [pts[np.abs(angle - k) <= (knots[1] - knots[0]) * 0.75] for k in knots]
    # outer (labial) curve in x,z from the columns' outermost points
    outer = np.array([c[np.argmax(np.hypot(c[:, 0], c[:, 2] - middle[1] + 0.12))] for c in columns])[:, [0, 2]]
    outer = (outer + outer[::-1] * [-1, 1]) / 2
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(outer, axis=0), axis=1))])
    heights = np.array([(c[:, 1].min(), c[:, 1].max()) for c in columns])
    heights = (heights + heights[::-1]) / 2
    tip_y, root_y = heights.T if jaw == "upper" else heights.T[::-1]
    widths = np.array(TOOTH_WIDTHS[jaw][::-1] + TOOTH_WIDTHS[jaw])
    edges = np.concatenate([[0], np.cumsum(widths)]) / widths.sum() * length[-1]  # where one tooth ends and the next begins

    column = np.arange(len(widths) * TOOTH_COLUMNS + 1)
    tooth = np.minimum(column // TOOTH_COLUMNS, len(widths) - 1)
    u = (column - tooth * TOOTH_COLUMNS) / TOOTH_COLUMNS
    s = edges[tooth] + u * (edges[tooth + 1] - edges[tooth])
    curve = lambda at: np.stack([np.interp(at, length, c) for c in outer.T], 1)  # noqa: E731
    here, tangent = curve(s), curve(s + 1e-3) - curve(s - 1e-3)
    tangent = np.array([t / np.linalg.norm(t) for t in tangent])
    inward = np.stack([tangent[:, 1], -tangent[:, 0]], 1)
    inward[(inward * (here - middle)).sum(1) > 0] *= -1
    y_tip, y_root = np.interp(s, length, tip_y), np.interp(s, length, root_y)
    bulge = 1 - (2 * u - 1) ** 4  # flat face, quick fall into the gap between two teeth
    # canines reach a little further, upper lateral incisors a little less
    more = np.array([0.0, 0.0, 0.0, 0.0, 0.004, -0.004 if jaw == "upper" else 0.0, 0.0])
    reach = more[np.minimum(tooth, len(widths) - 1 - tooth)] - 0.009 * (1 - bulge)
    near = np.argsort(np.hypot(pts[:, 0] - here[:, :1], pts[:, 2] - here[:, 1:]), axis=1)[:, :4]

    along, depth, share, gum = TOOTH_ROWS.T
    y = y_root[:, None] + (y_tip - y_root)[:, None] * along
    y += np.where(along > 0.85, (-1.0 if jaw == "upper" else 1.0) * reach[:, None] * (along - 0.5) * 2, 0.0)
    xz = here[:, None] + inward[:, None] * (depth + (0.016 * (1 - bulge))[:, None] * share)[..., None]
    point = np.stack([xz[..., 0], y, xz[..., 1]], -1)
    forward = np.maximum(0.0, 1 - (here[:, 0] / 0.22) ** 2)  # the arch stays narrow at the corners of the mouth
    shift = TEETH_SHIFT[jaw] * np.stack([1 + 0 * forward, 1 + 0 * forward, forward], 1)
    offset = point - pts[near].mean(1)[:, None] + shift[:, None]
    rows = len(along)
    a = (np.arange(len(column) - 1)[:, None] * rows + np.arange(rows - 1)).reshape(-1, 1)
    faces = np.concatenate([a, a + rows, a + rows + 1, a, a + rows + 1, a + 1], 1).reshape(-1, 3)
    index = np.repeat(ids[near], rows, axis=0)
    return Patch(index, np.full(index.shape, 0.25), faces[:, ::-1] if jaw == "upper" else faces, offset.reshape(-1, 3))


def gums(patch: Patch) -> np.ndarray:
    """(K,) which vertices of a row of teeth are gum."""
    return np.tile(TOOTH_ROWS[:, 3] > 0, len(patch.index) // len(TOOTH_ROWS))


def assemble(base: BaseMesh) -> Assembly:
    """Cut and put together."""
    adult = base.vertices + average_adult(base)
    adult = close_lips((adult + base.flip(adult)) / 2)
    skin = cut_skin(base, adult)
    centre = skin.apply(adult)[skin.faces].mean(1)
    # Twice the resolution where the eyebrows are painted.
    skin = refine(skin, (centre[:, 2] > 0.9) & (brow_reach(centre) < 2.6))
    ids = np.unique(base.groups["helper-tongue"])
    remap = np.full(base.n, -1)
    remap[ids] = np.arange(len(ids))
    tongue = Patch(ids[:, None], np.ones((len(ids), 1)), remap[triangulate(base.groups["helper-tongue"], adult)],
                   np.tile(TONGUE_SHIFT, (len(ids), 1)))
    # The ball just touches the inside of the lids: the inner lid edge less half a millimetre.
    centre = adult[np.unique(base.groups["helper-l-eye"])].mean(0)
    inner = HM08["eyes"]["inner"]
    reach = np.linalg.norm(adult[inner["upper"] + inner["lower"]] - centre, axis=1)
    return Assembly(base, adult, {"skin": skin, "teeth_upper": teeth(base, adult, "upper"),
                                  "teeth_lower": teeth(base, adult, "lower"), "tongue": tongue},
                    float(np.quantile(reach, 0.05)) - 0.004)
