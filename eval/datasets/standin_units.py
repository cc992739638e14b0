"""Which action units people show when asked for an emotion, and what each does to the face.

People who pose one emotion do not all move the same muscles. Two published tables say what they do move:

- CK+ labels a sequence only if the units that make the emotion are there (Lucey et al., "The Extended Cohn-Kanade Dataset (CK+)",
  CVPRW 2010, https://doi.org/10.1109/CVPRW.2010.5543262, Table 1): ``NEEDED``.
- Of 230 people who posed six emotions, nearly all show certain units ("more than 70 %": 85 % here) and known shares of them
  others (Du, Tao & Martinez, "Compound facial expressions of emotion", PNAS 111(15), 2014,
  https://doi.org/10.1073/pnas.1322355111, Table 1): ``SHARE``.

Contempt is not among the six. On one side, unit 12 may come with its 14 (Matsumoto & Ekman, "Facial expression analysis",
Scholarpedia 3(5):4237, 2008); how often one side, and how often 12, is not published: half of the time each.
"""

from __future__ import annotations

from math import radians

import numpy as np

Pose = dict[str, float]


def _both(**weights: float) -> Pose:
    return {f"{k}{side}": v for k, v in weights.items() for side in ("Left", "Right")}


UNITS: dict[int, Pose] = {
    1: {"browInnerUp": 0.95},
    2: {**_both(browOuterUp=0.95)},
    4: {**_both(browDown=0.95)},
    5: {**_both(eyeWide=0.95)},
    6: {**_both(cheekSquint=0.7, eyeSquint=0.4)},
    7: {**_both(eyeSquint=0.75)},
    9: {**_both(noseSneer=0.95)},
    10: {**_both(mouthUpperUp=0.75)},
    12: {**_both(mouthSmile=0.9, mouthDimple=0.15)},
    14: {**_both(mouthDimple=0.8)},
    15: {**_both(mouthFrown=0.9)},
    17: {"mouthShrugLower": 0.8, "mouthShrugUpper": 0.35},
    20: {**_both(mouthStretch=0.9, mouthDimple=0.2)},
    23: {"mouthRollLower": 0.6, "mouthRollUpper": 0.6},
    24: {**_both(mouthPress=0.5), "mouthRollLower": 0.5, "mouthRollUpper": 0.5},
    25: {**_both(mouthLowerDown=0.3), "jaw_x": radians(3.0)},
    26: {"jaw_x": radians(14.0)},
}
"""Channels of a unit at full strength: ARKit's columns, ``jaw_x`` in radians; as face/facs/poses.py."""
BROWS_OPPOSED = 0.4
"""Unit 4's share of the brow's columns when 1 raises it at the same time: the brow slants instead of coming down."""
NEEDED: dict[str, tuple[int, ...]] = {
    "happiness": (12,), "sadness": (15,), "fear": (1, 2, 4), "anger": (23, 24), "surprise": (1, 2), "disgust": (),
    "contempt": (14,),
}
"""Units without which CK+ gives no label. Beside: sadness needs 1 and 4 as well, unless 6 is there; disgust 9 or 10."""
_NEARLY_ALL = 0.85
SHARE: dict[str, dict[int, float]] = {
    # unit 11 of sadness (26 %) has no column on ARKit's faces and is left out
    "happiness": {25: _NEARLY_ALL, 6: 0.51},
    "sadness": {4: _NEARLY_ALL, 1: 0.60, 6: 0.50, 17: 0.67},
    "fear": {20: _NEARLY_ALL, 25: _NEARLY_ALL, 5: 0.63, 26: 0.33},
    "anger": {4: _NEARLY_ALL, 7: _NEARLY_ALL, 10: 0.26, 17: 0.52},
    "surprise": {25: _NEARLY_ALL, 26: _NEARLY_ALL, 5: 0.66},
    "disgust": {9: _NEARLY_ALL, 10: _NEARLY_ALL, 17: _NEARLY_ALL, 4: 0.31, 24: 0.26},
    "contempt": {},
}
"""Share of people who show a unit that is not needed."""
ONE_SIDED = 0.5
"""Share of people whose contempt is on one side of the face; half of them raise the lip's corner (12) on that side as well."""


def draw_pose(rng: np.random.Generator, emotion: str) -> Pose:
    """The units that one person shows with an emotion, as channels at full strength.

    Args:
        rng: draws the units, and whether contempt has one side (the left).
        emotion: a key of ``NEEDED``.

    Raises:
        ValueError: another emotion.
    """
    if emotion not in NEEDED:
        raise ValueError(f"no action units are known for {emotion!r}; known: {', '.join(NEEDED)}")
    units = list(NEEDED[emotion]) + [unit for unit, share in SHARE[emotion].items() if rng.random() < share]
    one_sided = emotion == "contempt" and rng.random() < ONE_SIDED
    if one_sided and rng.random() < 0.5:
        units.append(12)
    if emotion == "sadness" and 6 not in units:
        units += [unit for unit in (1, 4) if unit not in units]
    if emotion == "disgust" and not {9, 10} & set(units):
        units.append(int(rng.choice([9, 10])))
    pose: Pose = {}
    for unit in units:
        weight = BROWS_OPPOSED if unit == 4 and 1 in units else 1.0
        for channel, value in UNITS[unit].items():
            if not (one_sided and channel.endswith("Right")):
                pose[channel] = max(pose.get(channel, 0.0), weight * value)
    return pose
