"""What every frame of a clip shows, from geometry alone: one signal per facial action.

Steps: (1) the points of the clip's mesh are seen from the skull (rigid alignment of points that
no expression moves), which gives the head's angles; (2) the jaw's rotation is read from the
points that move with it, the gaze from the eyeballs; (3) what the jaw does to the face is taken
away; (4) the remaining landmark displacements are unmixed into the head's blend shapes by
regularised least squares, the way a face tracker solves for blend shapes (Lewis et al.,
"Practice and Theory of Blendshape Facial Models", Eurographics STAR 2014,
https://doi.org/10.2312/egst.20141042); (5) the shapes' amounts combine into action signals.

No coefficient of the clip is read: only its mesh. A head whose expression columns have no
names (FLAME) is unmixed with the default head's landmark displacements, scaled to its size,
and what that says of brows and mouth corners must agree with their plain movement.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..clip.channels import EXPR_INDEX, EXPR_NAMES
from ..clip.curves import filled
from ..clip.rotation import rigid, rotation_matrices, rotation_vector
from ..clip.sequence import FaceSequence
from ..head.model import HeadModel
from ..head.probe import HeadProbe, Neutral, forward, probe_for
from .poses import POSE_CHANNELS
from .unmix import unmix
from .vocabulary import ACTION

Array = NDArray[np.float32]

# Full scale of each action: how much of each shape makes intensity 1. Where two shapes share
# an action, their sum counts. "Mean" rows average the two sides, "either" rows take the larger.
_MEAN: dict[str, dict[str, float]] = {
    "lip_corner_depress": {"mouthFrown": 1.0},
    "brow_raise": {"browOuterUp": 1.0},
    "brow_lower": {"browDown": 1.0},
    "eye_widen": {"eyeWide": 1.0},
    "squint": {"eyeSquint": 0.85, "cheekSquint": 0.4},
    "nose_wrinkle": {"noseSneer": 1.0},
    "upper_lip_raise": {"mouthUpperUp": 1.05},
    "lip_press": {"mouthPress": 0.65, "mouthRollLower": 0.4, "mouthRollUpper": 0.4},
    "lip_stretch": {"mouthStretch": 1.0},
    # AU1 alone: what the inner brow rises beyond the outer one (AU1+2 is brow_raise)
    "inner_brow_raise": {"browInnerUp": 1.0, "browOuterUp": -0.95},
    "lip_pucker": {"mouthPucker": 1.0},
    "cheek_puff": {"cheekPuff": 1.0},
    "chin_raise": {"mouthShrugLower": 0.85, "mouthShrugUpper": 0.3},
    "tongue_out": {"tongueOut": 1.0},
    "left_lid": {"eyeBlinkLeft": 1.0},
    "right_lid": {"eyeBlinkRight": 1.0},
    "smile_left": {"mouthSmileLeft": 1.05},
    "smile_right": {"mouthSmileRight": 1.05},
    "lips_together": {"mouthClose": 1.0},
    # Minor actions: what a shape does beyond its share in the actions above, so that a smile is no
    # dimple and pressed lips are not drawn in. Divided by what is left of the action's own pose.
    "cheek_raise": {"cheekSquint": 1.48, "eyeSquint": -1.92, "eyeBlink": -1.0},  # a closing lid takes the squint with it
    "dimple": {"mouthDimple": 1.0, "mouthSmile": -0.85, "mouthStretch": -0.35},
    "lower_lip_depress": {"mouthLowerDown": 1.0},
    "lip_funnel": {"mouthFunnel": 1.0},
    "lip_suck": {"mouthRollLower": 0.525, "mouthRollUpper": 0.525, "mouthPress": -1.23},
    "mouth_shift_left": {"mouthLeft": 1.0},
    "mouth_shift_right": {"mouthRight": 1.0},
}
_SMILE_BRINGS = {"mouthUpperUp": 0.72, "mouthLowerDown": 0.67, "cheekSquint": 0.32}
"""Shares of the mouth's smile by which it alone parts the lips and raises the cheeks (face/assets/facs.yaml)."""
_SIDED = tuple(name for name in _MEAN if name in ACTION and ACTION[name].paired)
ONE_SIDED = 0.5
"""A side that does less than this share of what the other one does takes no part: people's two sides differ by a few
percent (data_gen's styles: up to 15), a command to one side leaves the other at rest."""
DEGREES: dict[str, float] = {
    name: abs(a.pose[joint]) for name, a in ACTION.items() for joint in a.pose
    if joint in POSE_CHANNELS and len(a.pose) == 1}
"""Full scale of the joint-driven actions, degrees."""


@dataclass(frozen=True)
class Signals:
    """Per-frame measurements of one clip.

    Attributes:
        fps: frames a second.
        head: (T, 3) head angles, deg: pitch (+ down), yaw (+ subject's left), roll (+ subject's right).
        jaw: (T, 3) jaw angles in the head's frame, deg: opening, to the subject's left, roll.
        gaze: (T, 2) deg relative to the head: pitch (+ down), yaw (+ subject's left); None without eyes.
        amounts: (T, K) blend-shape amounts found by the unmixing, columns in EXPR_NAMES order.
        landmarks: (T, L, 3) m, seen from the skull.
        soft: the same minus what the jaw does.
        neutral: the identity's neutral face.
        measurable: actions that this head has the points for.
    """

    fps: float
    head: Array
    jaw: Array
    gaze: Array | None
    amounts: Array
    landmarks: Array
    soft: Array
    neutral: Neutral
    probe: HeadProbe
    measurable: frozenset[str]

    def __len__(self) -> int:
        return int(self.head.shape[0])

    @cached_property
    def mean(self) -> dict[str, Array]:
        """The signals that blend shapes make, paired actions as the mean of their sides: what an emotion is seen in."""
        raw = _beyond_smile(self.amounts) @ _MIX
        out = {name: raw[:, i] for i, name in enumerate(_MEAN)}
        return out if self.probe.named else out | self._plain(out)

    @cached_property
    def intensity(self) -> dict[str, Array]:
        """(T,) signal of every measurable action and helper; 1 is full scale, values may exceed it."""
        out = dict(self.mean)
        for name in _SIDED:
            left, right = self.sides[name]
            # what one side does alone counts in full; of both the mean. Sides that go against each other are a head that is not
            # quite straight
            high = np.maximum(left, right) + np.minimum(np.minimum(left, right), 0.0)
            apart = np.abs(left - right) / np.maximum(high, 0.15)
            alone = np.clip((apart - ONE_SIDED) / 0.25, 0.0, 1.0)
            more = alone * np.maximum(high - out[name], 0.0)
            out[name] = out[name] + more
            if name == "brow_raise":  # the inner brow has one shape for both sides
                out["inner_brow_raise"] = out["inner_brow_raise"] - 0.95 * more
        out["smile"] = np.maximum(out["smile_left"], out["smile_right"])
        out["closure"] = np.minimum(out["left_lid"], out["right_lid"])
        out["wink_left"] = out["left_lid"] - np.maximum(out["right_lid"], 0.0)
        out["wink_right"] = out["right_lid"] - np.maximum(out["left_lid"], 0.0)
        # lips held together over a dropped jaw are not an open mouth
        out["mouth_open"] = self.jaw[:, 0] / DEGREES["mouth_open"] - np.maximum(out["lips_together"], 0.0)
        for name, (angles, axis, sign) in self._angles().items():
            out[name] = sign * angles[:, axis] / DEGREES[name]
        return out

    @cached_property
    def sides(self) -> dict[str, tuple[Array, Array]]:
        """(T,) signals of the left and of the right side of every paired action."""
        amounts = _beyond_smile(self.amounts)
        left, right = amounts @ _MIX_LEFT, amounts @ _MIX_RIGHT
        out: dict[str, tuple[Array, Array]] = {}
        for name in _SIDED:
            i = _NAMES.index(name)
            raw = np.maximum(0.5 * (left[:, i] + right[:, i]), 1e-3)
            # what another head's landmarks take from the mean they take from both sides
            kept = (self.mean[name] / raw if name in _PLAIN and not self.probe.named else np.ones_like(raw)).astype(np.float32)
            out[name] = (left[:, i] * kept, right[:, i] * kept)
        out["smile"] = (self.mean["smile_left"], self.mean["smile_right"])
        out["eye_close"] = (left[:, _NAMES.index("left_lid")], right[:, _NAMES.index("right_lid")])
        return out

    def _plain(self, found: dict[str, Array]) -> dict[str, Array]:
        """Corrections for a head unmixed with another's shapes, from where single landmarks go.

        Heads differ most in how far a smile lifts the middle of the lip and a frown the outer
        brow; no head smiles without its mouth corners going up and out.
        """
        size = np.float32(0.1 / self.neutral.scale)  # millimetres on a face with 100 mm between the outer eye corners
        up = {side: size * self._moved((i,), 1) for side, i in (("right", 48), ("left", 54))}
        out = {side: size * sign * self._moved((i,), 0) for side, i, sign in (("right", 48, -1.0), ("left", 54, 1.0))}
        lip, corners = size * self._moved((50, 51, 52), 1), 0.5 * (up["left"] + up["right"])
        brows = size * self._moved((17, 18, 25, 26), 1)
        smiles = {f"smile_{s}": np.maximum(found[f"smile_{s}"], np.minimum((up[s] - 2.0) / 8.0, out[s] / 6.0)) for s in up}
        return smiles | {
            "brow_raise": np.minimum(found["brow_raise"], np.maximum(brows / 2.5, 0.0)),
            "brow_lower": np.minimum(found["brow_lower"], np.maximum(-size * self._moved((19, 24), 1) / 1.5, 0.0)),
            "upper_lip_raise": np.minimum(found["upper_lip_raise"], np.maximum((lip - 0.6 * corners) / 1.5, 0.0)),
            # corners that are well up are not down
            "lip_corner_depress": np.where(corners > 1.0, np.float32(0.0), found["lip_corner_depress"]),
        }

    def _angles(self) -> dict[str, tuple[Array, int, float]]:
        out: dict[str, tuple[Array, int, float]] = {
            "jaw_left": (self.jaw, 1, 1.0),
            "jaw_right": (self.jaw, 1, -1.0),
            "look_up": (self.head, 0, -1.0),
            "look_down": (self.head, 0, 1.0),
            "turn_left": (self.head, 1, 1.0),
            "turn_right": (self.head, 1, -1.0),
            "tilt_left": (self.head, 2, -1.0),
            "tilt_right": (self.head, 2, 1.0),
        }
        if self.gaze is not None:
            out |= {
                "gaze_up": (self.gaze, 0, -1.0),
                "gaze_down": (self.gaze, 0, 1.0),
                "gaze_left": (self.gaze, 1, 1.0),
                "gaze_right": (self.gaze, 1, -1.0),
            }
        return out

    # -- physical values --------------------------------------------------------------------
    def physical(self, action: str) -> Array:
        """(T,) the action's physical quantity, mm or deg, positive in the action's direction.

        Distances are between landmarks of the mesh, at the head's metric scale, against the
        identity's neutral face.
        """
        if action in ("wink_left", "wink_right"):
            return -self._aperture("left" if action == "wink_left" else "right")
        angles = self._angles()
        if action in angles and not action.startswith("jaw"):
            array, axis, sign = angles[action]
            return sign * array[:, axis]
        return _PHYSICAL[action](self)

    def _moved(self, points: tuple[int, ...], axis: int, soft: bool = True) -> Array:
        """(T,) mean displacement of landmarks along an axis of the head, mm."""
        at = self.soft if soft else self.landmarks
        index = list(points)
        return 1000.0 * (at[:, index, axis] - self.neutral.landmarks[index, axis]).mean(axis=1)

    def _gap(self, a: tuple[int, ...], b: tuple[int, ...], soft: bool = True) -> Array:
        """(T,) change of the mean distance between landmark pairs, mm."""
        at = self.soft if soft else self.landmarks
        now = np.linalg.norm(at[:, list(a)] - at[:, list(b)], axis=-1)
        rest = np.linalg.norm(self.neutral.landmarks[list(a)] - self.neutral.landmarks[list(b)], axis=-1)
        return 1000.0 * (now - rest).mean(axis=1)

    def _aperture(self, side: str) -> Array:
        """(T,) change of the lid opening, mm."""
        return self._gap((43, 44), (47, 46)) if side == "left" else self._gap((37, 38), (41, 40))

    def _extra(self, names: tuple[str, ...], axis: int) -> Array:
        return self._moved(tuple(self.probe.index[n] for n in names), axis)


def _both_lids(s: Signals) -> Array:
    return 0.5 * (s._aperture("left") + s._aperture("right"))


_PHYSICAL = {
    "smile": lambda s: np.maximum(s._moved((48,), 1), s._moved((54,), 1)),
    "lip_corner_depress": lambda s: -s._moved((48, 54), 1),
    "brow_raise": lambda s: s._moved(tuple(range(17, 27)), 1),
    "inner_brow_raise": lambda s: s._moved((20, 21, 22, 23), 1),
    "brow_lower": lambda s: -s._moved((19, 20, 21, 22, 23, 24), 1),
    "eye_close": lambda s: -_both_lids(s),
    "blink": lambda s: -_both_lids(s),
    "eye_widen": _both_lids,
    "squint": lambda s: -_both_lids(s),
    "nose_wrinkle": lambda s: s._moved((31, 35), 1),
    "upper_lip_raise": lambda s: s._moved((50, 51, 52), 1),
    "mouth_open": lambda s: s._gap((61, 62, 63), (67, 66, 65), soft=False),
    "lip_pucker": lambda s: -s._gap((48,), (54,)),
    "lip_press": lambda s: -s._gap((51, 62), (57, 66)),
    "lip_stretch": lambda s: s._gap((48,), (54,)),
    "cheek_puff": lambda s: s._extra(("cheek_left", "cheek_right"), 2),
    "chin_raise": lambda s: s._moved((56, 57, 58), 1),
    "tongue_out": lambda s: s._extra(("tongue_tip",), 2),
    "cheek_raise": lambda s: -_both_lids(s),
    "dimple": lambda s: 0.5 * (s._moved((54,), 0) - s._moved((48,), 0)),
    "lower_lip_depress": lambda s: -s._moved((56, 57, 58), 1),
    "lip_funnel": lambda s: s._moved((51, 57), 2),
    "lip_suck": lambda s: -s._moved((51, 57), 2),
    "mouth_shift_left": lambda s: s._moved((48, 54), 0),
    "mouth_shift_right": lambda s: -s._moved((48, 54), 0),
    "jaw_left": lambda s: s._moved((7, 8, 9), 0, soft=False),
    "jaw_right": lambda s: -s._moved((7, 8, 9), 0, soft=False),
}


def _mix_matrix(sides: tuple[str, ...]) -> Array:
    mix = np.zeros((len(EXPR_NAMES), len(_MEAN)), np.float32)
    for j, shapes in enumerate(_MEAN.values()):
        for shape, weight in shapes.items():
            if shape in EXPR_NAMES:
                mix[EXPR_NAMES.index(shape), j] = weight
            else:
                for side in sides:
                    mix[EXPR_NAMES.index(shape + side), j] = weight / len(sides)
    return mix


_PLAIN = ("brow_raise", "brow_lower", "upper_lip_raise")
_NAMES = tuple(_MEAN)
_MIX = _mix_matrix(("Left", "Right"))
_MIX_LEFT, _MIX_RIGHT = _mix_matrix(("Left",)), _mix_matrix(("Right",))


def _beyond_smile(amounts: Array) -> Array:
    """Shape amounts (..., 41) less what the smile brings along: the raised lip of a smile is no sneer.

    What is left counts as a share of what was left to do, so that a fully raised lip is one with and without a smile.
    """
    out = amounts.copy()
    for side in ("Left", "Right"):
        smile = amounts[..., EXPR_INDEX[f"mouthSmile{side}"]].clip(0.0, 1.0)
        for name, share in _SMILE_BRINGS.items():
            shape, brought = EXPR_INDEX[name + side], share * smile
            found = amounts[..., shape]
            out[..., shape] = np.where(found > 0.0, np.maximum(found - brought, 0.0) / (1.0 - brought), found)
    return out


def pose_signals(pose: dict[str, float]) -> dict[str, float]:
    """What :attr:`Signals.intensity` is for a pose (see poses.py), without the head and the eyes."""
    amounts = np.array([pose.get(n, 0.0) for n in EXPR_NAMES], np.float32)
    raw = _beyond_smile(amounts) @ _MIX
    out = {name: float(raw[i]) for i, name in enumerate(_MEAN)}
    out["smile"] = max(out["smile_left"], out["smile_right"])
    return out | {"mouth_open": float(np.degrees(pose.get("jaw_x", 0.0))) / DEGREES["mouth_open"]}


def signals_of(seq: FaceSequence, head: HeadModel) -> Signals:
    """Measure every frame of a clip.

    Args:
        seq: the clip; its parameters only drive the head's mesh.
        head: the head that the clip belongs to.

    Raises:
        ValueError: the clip is of another head, or the head has no 68 landmarks.
    """
    seq.require_head(head.ref)
    probe = probe_for(head)
    neutral = probe.neutral(seq.shape)
    seen = probe.track(**{k: v for k, v in seq.parameters().items() if k != "translation"})
    rot, trans = rigid(seen.anchors, neutral.anchors)
    to_head = lambda p: ((p - trans[:, None]) @ rot).astype(np.float32)  # noqa: E731
    landmarks, jaw_points = to_head(seen.landmarks), to_head(seen.jaw)
    head_deg = np.degrees(rotation_vector(rot)).astype(np.float32)
    jaw_rad = probe.jaw_pose(jaw_points, neutral)
    gaze = _gaze(neutral, [to_head(e) for e in seen.eyes])
    soft = _without_jaw(probe, neutral, landmarks, jaw_rad, gaze, seq.shape)
    amounts = unmix(probe, neutral, soft)
    good = seq.valid
    if not good.all() and good.any():
        # a fit marked the others invalid
        head_deg, jaw_rad, amounts = (filled(a, good) for a in (head_deg, jaw_rad, amounts))
        gaze = None if gaze is None else filled(gaze, good)
    return Signals(
        fps=seq.fps,
        head=head_deg,
        jaw=np.degrees(jaw_rad),
        gaze=None if gaze is None else np.degrees(gaze),
        amounts=amounts,
        landmarks=landmarks,
        soft=soft,
        neutral=neutral,
        probe=probe,
        measurable=_measurable(probe, gaze),
    )


def _gaze(neutral: Neutral, eyes: list[Array]) -> Array | None:
    """(T, 2) mean gaze pitch and yaw against the neutral face, rad; eyes: (T, N, 3) in the head's frame."""
    if not eyes:
        return None
    ahead = np.mean([forward(now, rest) for now, rest in zip(eyes, neutral.eyes, strict=True)], axis=0)
    pitch = -np.arctan2(ahead[:, 1], np.hypot(ahead[:, 0], ahead[:, 2]))
    return np.stack([pitch, np.arctan2(ahead[:, 0], ahead[:, 2])], axis=1).astype(np.float32)


def _without_jaw(
    probe: HeadProbe, neutral: Neutral, landmarks: Array, jaw_rad: Array, gaze: Array | None, shape: Array
) -> Array:
    """(T, L, 3) landmarks with the effect of the jaw (and of the eyes on the lids) taken away."""
    eyes = np.zeros((len(landmarks), 6), np.float32)
    if gaze is not None:
        eyes[:, 0:2] = eyes[:, 3:5] = gaze
    moves = np.flatnonzero(np.maximum(np.abs(jaw_rad).max(axis=1), np.abs(eyes).max(axis=1)) > 1e-3)
    if len(moves) == 0:
        return landmarks
    out = landmarks.copy()
    jaw = jaw_rad[moves]
    rest = landmarks[moves] - probe.track(jaw_pose=jaw, eyes_pose=eyes[moves], shape=shape).landmarks
    # An expression offset on the jaw turns with it; turn it back by the jaw's share of the skinning.
    turned = rest @ rotation_matrices(jaw)
    out[moves] = neutral.landmarks + rest + probe.jaw_weight[None, :, None] * (turned - rest)
    return out


def _measurable(probe: HeadProbe, gaze: Array | None) -> frozenset[str]:
    """Actions that the head has landmarks for."""
    out = set(_PHYSICAL) | set(DEGREES) | {"wink_left", "wink_right"}
    if gaze is None:
        out -= {"gaze_left", "gaze_right", "gaze_up", "gaze_down"}
    if "cheek_left" not in probe.index or "cheek_right" not in probe.index:
        out.discard("cheek_puff")
    if "tongue_tip" not in probe.index:
        out.discard("tongue_out")
    return frozenset(out)
