"""Joints, skinning weights and pose correctives, fitted to the ARKit jaw and gaze shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from facelm.face.io.heads.ict_rig import Hinge, error_mm, odd_corrective, regress, turn
from mesh import FACE_UNITS, SCALE, plane_side
from parts import EYE_RINGS, EYE_SECTORS, Assembly, rigid


@dataclass(frozen=True)
class Rig:
    regressor: np.ndarray  # (5,V)
    weights: np.ndarray  # (V,5)
    posedirs: np.ndarray  # (V,3,36)
    angles: dict[str, float]  # joint angle (rad) that performs each ARKit joint shape in full
    report: dict[str, float]


def smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def unit(assembly: Assembly, name: str) -> np.ndarray:
    """An ARKit shape as head offsets (V,3) m; eyeballs stay."""
    return assembly.apply(assembly.base.target(f"{FACE_UNITS}/{name}.target"), expression=True)


def fit(assembly: Assembly, v: np.ndarray, origin: np.ndarray) -> Rig:
    """``v`` (V,3) m is the centred template; ``origin`` (3) m was subtracted from the mesh's own frame."""
    at = assembly.slices()
    # Jaw joint: the jawOpen shape moves the lower teeth by an exact rotation; its axis is the joint.
    low = at["teeth_lower"]
    opened = unit(assembly, "jawOpen")
    r, t = rigid(v[low], v[low] + opened[low])
    jaw = np.zeros(3)
    jaw[1:] = np.linalg.solve((np.eye(3) - r)[1:, 1:], t[1:])
    height = plane_side((v + origin) / SCALE)

    # Skinning: how far each vertex follows the jaw is read off the jawOpen shape.
    turn = (v - jaw) @ (r - np.eye(3)).T
    w_jaw = (opened * turn).sum(1) / ((turn * turn).sum(1) + 1e-8)
    w_jaw = np.clip(w_jaw, 0, 1)
    w_jaw[w_jaw < 2e-3] = 0
    w_jaw[low] = 1
    w_jaw[at["teeth_upper"]] = 0
    w_neck = np.maximum(smoothstep(height, 0.10, 0.70), w_jaw)
    weights = np.stack([1 - w_neck, w_neck - w_jaw, w_jaw, 0 * w_jaw, 0 * w_jaw], 1)
    for joint, name in ((3, "eye_left"), (4, "eye_right")):
        weights[at[name]] = np.eye(5)[joint]
    rig = Rig(_regressor(at, v, origin, height, jaw), weights, np.zeros((len(v), 3, 36)), {}, {})
    _jaw_correctives(assembly, rig, v, jaw, r)
    _lid_correctives(assembly, rig)
    return rig


def _regressor(at: dict[str, slice], v: np.ndarray, origin: np.ndarray, height: np.ndarray, jaw: np.ndarray) -> np.ndarray:
    """(5,V) the joints' positions as weighted vertices: global, neck, jaw, left and right eye."""
    skin = np.arange(at["skin"].start, at["skin"].stop)
    reg = np.zeros((5, len(v)))
    edge = skin[height[skin] < 1e-4]
    reg[0] = regress(v, edge, v[edge].mean(0) * np.array([0, 1, 1]))
    neck_ring = skin[(height[skin] > 0.05) & (height[skin] < 0.45)]
    reg[1] = regress(v, neck_ring, np.array([0.0, 5.92, 0.12]) * SCALE - origin)
    beside = skin[(np.hypot(v[skin, 1] - jaw[1], v[skin, 2] - jaw[2]) < 0.03) & (np.abs(v[skin, 0]) > 0.05)]
    reg[2] = regress(v, beside, jaw)
    # Two rings of the ball on either side of its equator, weighted so that their mean is the centre.
    front, back = np.cos(np.radians(EYE_RINGS[-2])), -np.cos(np.radians(EYE_RINGS[-1]))
    for joint, name in ((3, "eye_left"), (4, "eye_right")):
        first = at[name].start + 1 + (len(EYE_RINGS) - 2) * EYE_SECTORS
        reg[joint, first:first + EYE_SECTORS] = back / (front + back) / EYE_SECTORS
        reg[joint, first + EYE_SECTORS:first + 2 * EYE_SECTORS] = front / (front + back) / EYE_SECTORS
    return reg


def _jaw_correctives(assembly: Assembly, rig: Rig, v: np.ndarray, jaw: np.ndarray, r: np.ndarray) -> None:
    """Fill in the jaw's pose correctives and angles, and measure how well the ARKit jaw shapes are met."""
    at, report, bare = assembly.slices(), rig.report, np.zeros(len(v), bool)
    for name in ("eye_left", "eye_right", "teeth_upper"):
        bare[at[name]] = True
    hinge = Hinge(v, jaw, rig.weights[:, 2], rig.posedirs, bare)

    # jawOpen: a rotation about +x; the corrective rides on R21 = sin(angle).
    opened = unit(assembly, "jawOpen")
    theta = rig.angles["jawOpen"] = float(np.arctan2(r[2, 1], r[1, 1]))
    hinge.keep(7, hinge.corrective(r, v + opened), np.sin(theta))
    report["jaw_open_error_mm_skinning_only"] = error_mm(hinge.skinned(r, v), v + opened, opened)

    # jawLeft/jawRight: about +y, odd part only (the even part would grow with the square of the angle).
    left, right = unit(assembly, "jawLeft"), unit(assembly, "jawRight")
    trial = np.radians(np.linspace(1, 12, 221))
    cost = [np.linalg.norm(hinge.weight[:, None] * ((v - jaw) @ (turn(1, a) - np.eye(3)).T) - left) for a in trial]
    side = float(trial[int(np.argmin(cost))])
    rig.angles["jawLeft"], rig.angles["jawRight"] = side, -side
    hinge.keep(2, (hinge.corrective(turn(1, side), v + left) - hinge.corrective(turn(1, -side), v + right)) / 2, np.sin(side))
    report["jaw_left_error_mm_skinning_only"] = error_mm(hinge.skinned(turn(1, side), v), v + left, left)
    report["jaw_open_error_mm"] = error_mm(hinge.posed(turn(0, theta)), v + opened, opened)
    report["jaw_half_open_error_mm"] = error_mm(hinge.posed(turn(0, theta / 2)), v + opened / 2, opened)
    # The pack's jawLeft also slides the jaw forward, exactly along its own jawForward shape.
    forward = unit(assembly, "jawForward")
    share = report["jaw_side_forward_share"] = float((((left + right) / 2) * forward).sum() / (forward * forward).sum())
    for name, shape, angle in (("left", left, side), ("right", right, -side)):
        plain = hinge.posed(turn(1, angle))
        report[f"jaw_{name}_error_mm_joint_only"] = error_mm(plain, v + shape, left)
        report[f"jaw_{name}_error_mm"] = error_mm(plain + share * forward, v + shape, left)


def _lid_correctives(assembly: Assembly, rig: Rig) -> None:
    """Lids follow the gaze: odd in pitch on R21, odd in yaw on R02."""
    base, at, eyes = assembly.base, assembly.slices(), np.zeros(len(rig.weights), bool)
    eyes[at["eye_left"].start:at["eye_right"].stop] = True
    for joint, name, label, yaw in ((3, "eye_left", "Left", ("Out", "In")), (4, "eye_right", "Right", ("In", "Out"))):
        ring = assembly.eye(name)
        start = base.vertices[ring]  # the pack was made on the base mesh, where the eyes are round
        turned = {}
        for way in ("Up", "Down", "In", "Out"):
            d = base.target(f"{FACE_UNITS}/eyeLook{way}{label}.target")
            q, _ = rigid(start, start + d[ring])
            turned[way] = float(np.arctan2(q[2, 1], q[1, 1]) if way in ("Up", "Down") else np.arctan2(q[0, 2], q[0, 0]))
            rig.angles[f"eyeLook{way}{label}"] = turned[way]
        for (a, b), column in ((("Down", "Up"), 7), (yaw, 2)):
            lids = [unit(assembly, f"eyeLook{way}{label}") for way in (a, b)]
            sines = np.sin(turned[a]), np.sin(turned[b])
            p = rig.posedirs[:, :, 9 * (joint - 1) + column] = odd_corrective(*lids, *sines, eyes)
            rig.report[f"lid_{'pitch' if column == 7 else 'yaw'}_{label.lower()}_error_mm"] = error_mm(
                np.concatenate([p * s for s in sines]), np.concatenate(lids), np.concatenate(lids))
