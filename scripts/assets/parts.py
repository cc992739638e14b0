"""The parts that hang in the head: eyeballs, teeth with gums, tongue; and their assembly with the skin."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from mesh import (
    EYE_LOOPS,
    SCALE,
    BaseMesh,
    Loops,
    Patch,
    average_adult,
    close_lips,
    cut_skin,
    plane_side,
    refine,
    socket_vertices,
    triangulate,
)

# Polar angles of the eyeball's rings, degrees from the pupil.  Iris radius 5.9 mm and pupil radius
# 2 mm on a ball of 12-15 mm put their edges near 24 and 8 degrees; two close rings keep edges crisp.
EYE_RINGS = (4.0, 8.0, 9.5, 14.0, 20.0, 24.0, 26.0, 34.0, 46.0, 60.0, 78.0, 100.0)
EYE_SECTORS = 24
TOOTH_COLUMNS = 4
# Widths of the teeth along the arch relative to each other (mesio-distal crown widths, central
# incisor to second molar; Wheeler's Dental Anatomy: upper 8.5 6.5 7.5 7 7 10 9, lower 5 5.5 7 7 7 11 10.5 mm).
UPPER_WIDTHS = (8.5, 6.5, 7.5, 7.0, 7.0, 10.0, 9.0)
LOWER_WIDTHS = (5.0, 5.5, 7.0, 7.0, 7.0, 11.0, 10.5)


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


@dataclass
class Assembly:
    """The head before rigging: linear maps from base-mesh offsets to head vertices."""

    base: BaseMesh
    adult: np.ndarray  # (N,3) dm, the template on the base mesh
    patches: dict[str, Patch] = field(default_factory=dict)
    eye_normals: np.ndarray | None = None
    eye_radius: float = 0.0

    def slices(self) -> dict[str, slice]:
        out, at = {}, 0
        for name, count in self.sizes().items():
            out[name] = slice(at, at + count)
            at += count
        return out

    def sizes(self) -> dict[str, int]:
        assert self.eye_normals is not None
        k = len(self.eye_normals)
        return {"skin": len(self.patches["skin"].index), "eye_left": k, "eye_right": k,
                "teeth_upper": len(self.patches["teeth_upper"].index),
                "teeth_lower": len(self.patches["teeth_lower"].index),
                "tongue": len(self.patches["tongue"].index)}

    def eye(self, side: str) -> np.ndarray:
        return np.unique(self.base.groups["helper-l-eye" if side == "eye_left" else "helper-r-eye"])

    def apply(self, offsets: np.ndarray, *, template: bool = False, expression: bool = False) -> np.ndarray:
        """Head vertices (V,3) m of base-mesh offsets (N,3) dm; ``template`` adds constants.

        ``expression`` moves the teeth as rigid bodies and leaves the eyeballs to the eye joints.
        """
        out = []
        for name in self.sizes():
            if name.startswith("eye"):
                ring = self.eye(name)
                moved = offsets[ring]
                rest = self.adult[ring]
                out_dir = rest - rest.mean(0)
                out_dir /= np.linalg.norm(out_dir, axis=1, keepdims=True)
                normals = self.eye_normals * (np.array([1, 1, 1]) if name == "eye_left" else np.array([-1, 1, 1]))
                if template:
                    out.append(moved.mean(0) + self.eye_radius * normals)
                elif not expression:
                    grow = float((moved * out_dir).sum(1).mean())
                    out.append(moved.mean(0) + grow * normals)
                else:
                    out.append(np.zeros_like(normals))
            elif expression and name.startswith("teeth"):
                group = np.unique(self.patches[name].index)
                r, t = rigid(self.adult[group], self.adult[group] + offsets[group])
                rest = self.patches[name].apply(self.adult, with_offset=True)
                out.append(rest @ r.T + t - rest)
            else:
                out.append(self.patches[name].apply(offsets, with_offset=template))
        return np.concatenate(out) * SCALE

    def faces(self) -> np.ndarray:
        parts = []
        for name, at in self.slices().items():
            if name.startswith("eye"):
                f = ball_faces()
                parts.append((f if name == "eye_left" else f[:, ::-1]) + at.start)
            else:
                parts.append(self.patches[name].faces + at.start)
        return np.concatenate(parts).astype(np.int32)


def rigid(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares R, t with q = R p + t (Kabsch)."""
    a, b = p.mean(0), q.mean(0)
    u, _, vt = np.linalg.svd((p - a).T @ (q - b))
    fix = np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))])
    r = vt.T @ fix @ u.T
    return r, b - r @ a


def ball_normals() -> np.ndarray:
    """Unit directions of the eyeball's vertices; the first is the pupil's centre (+z)."""
    rows = [np.array([[0.0, 0.0, 1.0]])]
    for polar in np.radians(EYE_RINGS):
        turn = 2 * np.pi * (np.arange(EYE_SECTORS) + 0.5) / EYE_SECTORS
        rows.append(np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn),
                              np.full(EYE_SECTORS, np.cos(polar))], 1))
    return np.concatenate(rows)


def ball_faces() -> np.ndarray:
    n, faces = EYE_SECTORS, []
    for s in range(n):
        faces.append([0, 1 + s, 1 + (s + 1) % n])
    for r in range(len(EYE_RINGS) - 1):
        a, b = 1 + r * n, 1 + (r + 1) * n
        for s in range(n):
            t = (s + 1) % n
            faces += [[a + s, b + s, b + t], [a + s, b + t, a + t]]
    return np.array(faces)


@dataclass(frozen=True)
class Arch:
    """A row of teeth seen from below: the curve that their outer faces follow, and their heights along it, dm."""

    ids: np.ndarray  # base vertices of the helper
    mid_z: float
    outer: np.ndarray  # (17,3)
    length: np.ndarray  # (17,) along the curve
    edges: np.ndarray  # (15,) where one tooth ends and the next begins
    tip_y: np.ndarray
    root_y: np.ndarray


def dental_arch(base: BaseMesh, adult: np.ndarray, group: str, upper: bool) -> Arch:
    """Read the arch off MakeHuman's tooth helper, made symmetric."""
    ids = np.unique(base.groups[group])
    pts = adult[ids]
    # The helper is a strip of 17 columns; a column is the set of vertices at one arc position.
    mid_z = pts[:, 2].min()
    angle = np.arctan2(pts[:, 0], pts[:, 2] - mid_z + 0.12)
    knots = np.linspace(angle.min(), angle.max(), 17)
    columns = [ids[np.abs(angle - k) <= (knots[1] - knots[0]) * 0.75] for k in knots]
    widths = np.array(UPPER_WIDTHS if upper else LOWER_WIDTHS)
    widths = np.concatenate([widths[::-1], widths])
    # outer (labial) curve in x,z from the columns' outermost points
    outer = np.array([adult[c][np.argmax(np.hypot(adult[c][:, 0], adult[c][:, 2] - mid_z + 0.12))] for c in columns])
    outer[:, 0] = (outer[:, 0] - outer[::-1, 0]) / 2
    outer[:, 2] = (outer[:, 2] + outer[::-1, 2]) / 2
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(outer[:, [0, 2]], axis=0), axis=1))])
    edges = np.concatenate([[0], np.cumsum(widths)]) / widths.sum() * length[-1]
    tip_y = np.array([adult[c][:, 1].min() if upper else adult[c][:, 1].max() for c in columns])
    root_y = np.array([adult[c][:, 1].max() if upper else adult[c][:, 1].min() for c in columns])
    tip_y, root_y = (tip_y + tip_y[::-1]) / 2, (root_y + root_y[::-1]) / 2
    return Arch(ids, mid_z, outer, length, edges, tip_y, root_y)


def teeth(base: BaseMesh, adult: np.ndarray, group: str, upper: bool) -> tuple[Patch, np.ndarray]:
    """A row of separate-looking teeth with gum along MakeHuman's tooth helper; (patch, gum flag per vertex)."""
    arch = dental_arch(base, adult, group, upper)
    ids, mid_z, outer, length, edges = arch.ids, arch.mid_z, arch.outer, arch.length, arch.edges
    teeth_count = len(edges) - 1
    sign = -1.0 if upper else 1.0  # direction from root to tip
    # rows: (fraction of the way from root to tip, inward depth dm, bulge share, gum?)
    rows = ((0.00, 0.030, 0.0, True), (0.02, 0.004, 0.0, True), (0.40, -0.004, 0.15, True), (0.46, 0.004, 0.6, False),
            (0.70, 0.000, 1.0, False), (0.90, 0.004, 1.0, False), (1.0, 0.020, 0.8, False), (0.85, 0.050, 0.0, False))
    index, weight, offset, gum = [], [], [], []
    count = 0
    for t in range(teeth_count):
        for c in range(TOOTH_COLUMNS + (1 if t == teeth_count - 1 else 0)):
            u = c / TOOTH_COLUMNS
            s = edges[t] + u * (edges[t + 1] - edges[t])
            x = np.interp(s, length, outer[:, 0])
            z = np.interp(s, length, outer[:, 2])
            x2, z2 = np.interp(s + 1e-3, length, outer[:, 0]), np.interp(s + 1e-3, length, outer[:, 2])
            x1, z1 = np.interp(s - 1e-3, length, outer[:, 0]), np.interp(s - 1e-3, length, outer[:, 2])
            tangent = np.array([x2 - x1, 0, z2 - z1])
            tangent /= np.linalg.norm(tangent)
            inward = np.array([tangent[2], 0, -tangent[0]])
            if inward @ np.array([x, 0, z - mid_z]) > 0:
                inward = -inward
            ytip, yroot = np.interp(s, length, arch.tip_y), np.interp(s, length, arch.root_y)
            bulge = 1 - (2 * u - 1) ** 4  # flat face, quick fall into the gap between two teeth
            tooth = min(t, teeth_count - 1 - t)
            # canines reach a little further, upper lateral incisors a little less
            canine = {4: 0.004, 5: -0.004 if upper else 0.0}.get(tooth, 0.0)
            round_tip = -0.009 * (1 - bulge)
            near = np.argsort(np.hypot(adult[ids][:, 0] - x, adult[ids][:, 2] - z))[:4]
            for along, depth, share, is_gum in rows:
                y = yroot + (ytip - yroot) * along
                if along > 0.85:
                    y += sign * (canine + round_tip) * (along - 0.5) * 2
                p = np.array([x, y, z]) + inward * (depth + 0.016 * (1 - bulge) * share)
                base_point = adult[ids[near]].mean(0)
                index.append(ids[near])
                weight.append(np.full(4, 0.25))
                shift = TEETH_SHIFT["upper" if upper else "lower"]
                forward = max(0.0, 1 - (x / 0.22) ** 2)  # the arch stays narrow at the corners of the mouth
                offset.append(p - base_point + shift * np.array([1, 1, forward]))
                gum.append(is_gum)
            count += 1
    r = len(rows)
    faces = []
    for c in range(count - 1):
        for k in range(r - 1):
            a, b = c * r + k, (c + 1) * r + k
            quad = [[a, b, b + 1], [a, b + 1, a + 1]]
            faces += [q[::-1] for q in quad] if not upper else quad
    faces_arr = np.array(faces)
    pts_new = adult[np.array(index)].mean(1) + np.array(offset)
    # outward winding: the labial row must face away from the arch's middle
    tri = pts_new[faces_arr]
    normal = np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0])
    centre = np.array([0, pts_new[:, 1].mean(), mid_z])
    labial = np.array([k % (2 * (r - 1)) // 2 in (3, 4) for k in range(len(faces_arr))])
    if ((normal * (tri.mean(1) - centre)).sum(1)[labial]).sum() < 0:
        faces_arr = faces_arr[:, ::-1]
    return Patch(np.array(index), np.array(weight), faces_arr, np.array(offset)), np.array(gum)


def assemble(base: BaseMesh) -> tuple[Assembly, dict[str, np.ndarray], Loops]:
    """Cut and put together; returns the assembly, per-part flags (gums), and the loops of the skin."""
    adult = base.vertices + average_adult(base)
    adult = (adult + base.flip(adult)) / 2
    loops = Loops(base.groups["body"])
    adult = close_lips(adult, loops)
    out = Assembly(base, adult)
    skin = cut_skin(base, adult, socket_vertices(base, loops, adult))
    centre = skin.apply(adult)[skin.faces].mean(1)
    # Twice the resolution where the eyebrows are painted.
    out.patches["skin"] = refine(skin, adult, (centre[:, 2] > 0.9) & (brow_reach(centre) < 2.6))
    upper, gum_u = teeth(base, adult, "helper-upper-teeth", True)
    lower, gum_l = teeth(base, adult, "helper-lower-teeth", False)
    ids = np.unique(base.groups["helper-tongue"])
    remap = np.full(base.n, -1)
    remap[ids] = np.arange(len(ids))
    tongue = Patch(ids[:, None], np.ones((len(ids), 1)), remap[triangulate(base.groups["helper-tongue"], adult)],
                   np.tile(TONGUE_SHIFT, (len(ids), 1)))
    out.patches.update(teeth_upper=upper, teeth_lower=lower, tongue=tongue)
    out.eye_normals = ball_normals()
    # The ball just touches the inside of the lids: the inner lid edge less half a millimetre.
    ring = out.eye("eye_left")
    centre = adult[ring].mean(0)
    inner = loops.ring(EYE_LOOPS["inner"], 28, adult)
    out.eye_radius = float(np.quantile(np.linalg.norm(adult[inner] - centre, axis=1), 0.05)) - 0.004
    assert (plane_side(adult[ids]) > 0).all()
    return out, {"gum_upper": gum_u, "gum_lower": gum_l}, loops
