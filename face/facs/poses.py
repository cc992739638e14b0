"""What each action and emotion does to the channels at intensity 1.

Channel names are the head's expression columns (ARKit), plus ``jaw_x/y/z``,
``head_x/y/z`` and ``gaze_pitch/yaw`` in radians (+x down or open, +y to the subject's
left, +z tilt to the subject's right; gaze pitch is positive downwards).

The action-unit to blend-shape correspondence follows the descriptions in the FACS manual
and Apple's documentation of each shape; emotions follow EMFACS (see face/facs/vocabulary.py).
"""

from __future__ import annotations

from math import radians

POSE_CHANNELS: tuple[str, ...] = (
    "jaw_x", "jaw_y", "jaw_z", "head_x", "head_y", "head_z", "gaze_pitch", "gaze_yaw",
)


def _both(**weights: float) -> dict[str, float]:
    return {f"{k}{side}": v for k, v in weights.items() for side in ("Left", "Right")}


ACTION_POSES: dict[str, dict[str, float]] = {
    # AU12 alone; the Duchenne smile (with AU6) is the emotion happiness
    "smile": {**_both(mouthSmile=0.95, mouthDimple=0.15)},
    "lip_corner_depress": {**_both(mouthFrown=1.0), "mouthShrugLower": 0.15},
    "brow_raise": {**_both(browOuterUp=0.95), "browInnerUp": 0.9},
    "inner_brow_raise": {"browInnerUp": 1.0},
    "brow_lower": {**_both(browDown=1.0)},
    "eye_close": {**_both(eyeBlink=1.0)},
    "blink": {**_both(eyeBlink=1.0)},
    "wink_left": {"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.5},
    "wink_right": {"eyeBlinkRight": 1.0, "cheekSquintRight": 0.5},
    "eye_widen": {**_both(eyeWide=1.0)},
    "squint": {**_both(eyeSquint=1.0, cheekSquint=0.35)},
    "nose_wrinkle": {**_both(noseSneer=1.0, mouthUpperUp=0.15)},
    "upper_lip_raise": {**_both(mouthUpperUp=0.95, noseSneer=0.15)},
    "mouth_open": {"jaw_x": radians(20.0)},
    "lip_pucker": {"mouthPucker": 1.0},
    "lip_press": {**_both(mouthPress=0.6), "mouthRollLower": 0.7, "mouthRollUpper": 0.7},
    "lip_stretch": {**_both(mouthStretch=1.0, mouthDimple=0.3)},
    "cheek_puff": {"cheekPuff": 1.0},
    "chin_raise": {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.5},
    "tongue_out": {"tongueOut": 1.0, "jaw_x": radians(9.0)},
    "jaw_left": {"jaw_y": radians(9.0)},
    "jaw_right": {"jaw_y": radians(-9.0)},
    "talking": {"jaw_x": radians(8.0)},  # amplitude of the jaw; lip shapes come from the speech model
    "nod": {"head_x": radians(11.0)},
    "shake": {"head_y": radians(16.0)},
    "tilt_left": {"head_z": radians(-18.0)},
    "tilt_right": {"head_z": radians(18.0)},
    "turn_left": {"head_y": radians(35.0)},
    "turn_right": {"head_y": radians(-35.0)},
    "look_up": {"head_x": radians(-20.0)},
    "look_down": {"head_x": radians(20.0)},
    "gaze_left": {"gaze_yaw": radians(28.0)},
    "gaze_right": {"gaze_yaw": radians(-28.0)},
    "gaze_up": {"gaze_pitch": radians(-20.0)},
    "gaze_down": {"gaze_pitch": radians(22.0)},
}

EMOTION_POSES: dict[str, dict[str, float]] = {
    "neutral": {},
    "happiness": {**_both(mouthSmile=0.9, cheekSquint=0.7, eyeSquint=0.55, mouthDimple=0.15)},
    "sadness": {"browInnerUp": 0.95, **_both(mouthFrown=0.9, browDown=0.15), "mouthShrugLower": 0.3},
    "anger": {**_both(browDown=1.0, eyeSquint=0.7, mouthPress=0.4, mouthFrown=0.3, noseSneer=0.2),
              "mouthRollLower": 0.6, "mouthRollUpper": 0.6},
    "fear": {"browInnerUp": 0.95, **_both(browOuterUp=0.6, browDown=0.2, eyeWide=0.95, mouthStretch=0.9),
             "jaw_x": radians(6.0)},
    "surprise": {"browInnerUp": 0.9, **_both(browOuterUp=1.0, eyeWide=0.9), "jaw_x": radians(15.0)},
    "disgust": {**_both(noseSneer=1.0, mouthUpperUp=0.75, browDown=0.3), "mouthShrugLower": 0.15},
    "contempt": {"mouthSmileLeft": 0.85, "mouthDimpleLeft": 0.7},
}
