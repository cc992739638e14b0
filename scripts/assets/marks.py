"""Closing lids, the tongue's way out, region masks, part labels and the soft eyebrows of the default head."""

from __future__ import annotations

import numpy as np
from facelm.face.head.model import PART_NAMES
from mesh import HM08, SCALE, TARGETS, numbered
from parts import Assembly, brow_reach, gums
from rig import smoothstep

# How much of the upper lid's correction each ring takes, and of which edge, walking outwards and inwards from the lid's edge.
SPREAD = {"outer0": ("rim", 0.95), "outer1": ("rim", 0.80), "outer2": ("rim", 0.60), "outer3": ("rim", 0.40),
          "outer4": ("rim", 0.22), "outer5": ("rim", 0.08), "lining": ("inner", 0.9), "socket": ("inner", 0.5)}
EDGE = ("inner", "margin", "rim")
# How much higher the tongue's tip lies at rest; how far its shape goes beyond that of the pack; m.
TONGUE_REST, TONGUE_REACH, TONGUE_LIFT, TONGUE_HANG = 0.0045, 0.010, 0.0095, 0.005
GAP = 1e-4  # m left between closed lids so that the two surfaces do not flicker


def lid_arcs(assembly: Assembly, side: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Head vertices of the upper arc (without corners) and the lower arc (with them) of each ring around an eye."""
    other = assembly.base.mirror if side == "right" else np.arange(assembly.base.n)
    return {name: (assembly.index[other[ring["upper"]]], assembly.index[other[ring["lower"]]])
            for name, ring in HM08["eyes"].items()}


def fraction(ids: np.ndarray, lower: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Where vertices lie along the width of a ring, 0 to 1, by its lower arc."""
    x = rest[lower, 0]
    return (rest[ids, 0] - x.min()) / (x.max() - x.min())


def along(lower: np.ndarray, where: np.ndarray, t: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Points of ``where`` on a lower arc at fractions of its width at rest."""
    ids = lower[np.argsort(rest[lower, 0])]
    return np.stack([np.interp(t, fraction(ids, lower, rest), where[ids, c]) for c in range(3)], 1)


def close_lids(assembly: Assembly, v: np.ndarray, blink: np.ndarray, side: str) -> np.ndarray:
    """The blink shape (V,3) m with the upper lid's edge landing on the lower lid's edge.

    MakeHuman's blink carries the upper lid up to 4 mm past the lower one; measured as a distance between
    the two edges that is an eye which never closes.
    """
    arcs, out = lid_arcs(assembly, side), blink.copy()
    moved: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name in EDGE:
        upper, lower = arcs[name]
        t = fraction(upper, lower, v)
        goal = along(lower, v + blink, t, v)
        goal[:, 1] += GAP * np.sin(np.pi * t)
        delta = goal - (v + blink)[upper]
        out[upper] += delta
        order = np.argsort(t)
        moved[name] = np.r_[0.0, t[order], 1.0], np.pad(delta[order], ((1, 1), (0, 0)))
    for name, (edge, share) in SPREAD.items():
        upper, lower = arcs[name]
        out[upper] += share * np.stack([np.interp(fraction(upper, lower, v), moved[edge][0], d) for d in moved[edge][1].T], 1)
    return out


def aperture_mm(assembly: Assembly, v: np.ndarray, shape: np.ndarray, side: str) -> float:
    """Largest distance in mm between the upper and lower lid edge with ``shape`` added in full."""
    upper, lower = lid_arcs(assembly, side)["margin"]
    goal = along(lower, v + shape, fraction(upper, lower, v), v)
    return float((np.linalg.norm((v + shape)[upper] - goal, axis=1) * 1000).max())


def free_tongue(v: np.ndarray, put_out: np.ndarray, masks: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The template (V,3) m and the ``tongueOut`` shape (V,3) m with a tongue that goes over teeth and lip.

    The *Face Units* shape pushes the tongue straight through the lower incisors and the lip. Here its tip lies higher at
    rest, and the shape lifts it over both, reaches further, and lets it hang over the lip.
    """
    tongue, teeth = masks["tongue"], v[masks["teeth_lower"]]
    v, put_out = v.copy(), put_out.copy()
    z = v[tongue, 2]
    put_out[tongue, 2] += TONGUE_REACH * smoothstep(z, z.max() - 0.030, z.max())
    end = z + put_out[tongue, 2]
    behind, lip = teeth[np.abs(teeth[:, 0]) < 0.01, 2].min(), v[masks["lips_lower"], 2].max()
    put_out[tongue, 1] += TONGUE_LIFT * smoothstep(end, behind - 0.030, behind - 0.006)
    put_out[tongue, 1] -= TONGUE_HANG * smoothstep(end, lip - 0.004, lip + 0.012)
    v[tongue, 1] += TONGUE_REST * smoothstep(z, z.max() - 0.035, z.max() - 0.012)
    return v, put_out


def regions(assembly: Assembly, v: np.ndarray, origin: np.ndarray, weights: np.ndarray,
            ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """(masks, part label (V,), brow weight (V,): 1 on the eyebrow's centre line, falling off over its width)."""
    at, n, dmv = assembly.slices(), len(v), (v + origin) / SCALE

    def flagged(ids: np.ndarray | slice) -> np.ndarray:
        out = np.zeros(n, bool)
        out[ids] = True
        return out

    lips = flagged(assembly.index[sum((r["upper"] + r["lower"] for r in HM08["mouth"] if r["lips"]), [])])
    mouth_inside = flagged(assembly.index[numbered(HM08["mouth_bag"])])
    face_skin = flagged(at["skin"]) & ~mouth_inside
    brow = np.where(face_skin & (v[:, 2] > 0.045), np.clip(1.7 - brow_reach(dmv), 0, 1), 0.0)
    lids = flagged(np.concatenate([ids for side in ("left", "right") for name, arcs in lid_arcs(assembly, side).items()
                                   if name not in ("socket", "outer5") for ids in arcs]))

    def reach(*names: str, share: float = 0.4) -> np.ndarray:
        """Skin that a target moves by more than a share of its maximum."""
        hit = np.zeros(n, bool)
        for name in names:
            d = np.linalg.norm(assembly.apply(assembly.base.target(f"{TARGETS}/{name}.target.gz")), axis=1)
            hit |= d > share * d[face_skin].max()
        return hit & face_skin

    behind = np.interp(dmv[:, 1], [6.2, 6.45, 6.7, 7.4, 8.1], [0.95, 0.62, 0.42, 0.42, 0.75])
    teeth = {which: flagged(at[f"teeth_{which}"]) for which in ("upper", "lower")}
    gum = {which: np.zeros(n, bool) for which in teeth}
    for which in teeth:
        gum[which][at[f"teeth_{which}"]] = gums(assembly.patches[f"teeth_{which}"])
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
        "eyeball_left": flagged(at["eye_left"]),
        "eyeball_right": flagged(at["eye_right"]),
        "teeth_upper": teeth["upper"] & ~gum["upper"],
        "teeth_lower": teeth["lower"] & ~gum["lower"],
        "tongue": flagged(at["tongue"]),
        "lips_upper": lips & (weights[:, 2] < 0.35),
        "lips_lower": lips & (weights[:, 2] >= 0.35),
        "face": face_skin & (dmv[:, 2] > behind) & (dmv[:, 1] > 6.24) & (dmv[:, 1] < 8.1),
        "gums_upper": gum["upper"],
        "gums_lower": gum["lower"],
    }
    part = np.zeros(n, np.uint8)
    eyes = flags["eyeball_left"] | flags["eyeball_right"]
    for flag, name in ((lips, "lips"), (mouth_inside, "mouth_inside"), (eyes, "eyeball"), (flags["tongue"], "tongue"),
                       (teeth["upper"] | teeth["lower"], "teeth"), (gum["upper"] | gum["lower"], "gums")):
        part[flag] = PART_NAMES.index(name)
    return {k: np.flatnonzero(f).astype(np.int32) for k, f in flags.items()}, part, brow
