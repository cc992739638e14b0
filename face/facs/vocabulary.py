"""The facial actions and emotions that facelm names, and what each one entails.

Actions follow the Facial Action Coding System (Ekman & Friesen 1978; Ekman, Friesen &
Hager 2002, the FACS manual); ``au`` gives the action unit or action descriptor that an
action corresponds to. Left and right are the subject's own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    name: str
    region: str
    """brows | lids | mouth | jaw | head | gaze"""
    au: str
    unit: str
    """Unit of the physical value: mm, deg, or Hz for oscillations."""
    label: str
    """Short English noun phrase, used in reports."""
    entails: frozenset[str] = frozenset()
    """Actions that this one may show as a side effect; never counted against a clip."""
    cyclic: bool = False


def _a(name: str, region: str, au: str, unit: str, label: str, *entails: str, cyclic: bool = False) -> Action:
    return Action(name, region, au, unit, label, frozenset(entails), cyclic)


_SPEECH = ("mouth_open", "lip_pucker", "lip_press", "lip_stretch", "upper_lip_raise")

ACTION_TABLE: tuple[Action, ...] = (
    _a("smile", "mouth", "AU12", "mm", "smile", "squint", "lip_stretch"),
    _a("lip_corner_depress", "mouth", "AU15", "mm", "lip corners down", "chin_raise"),
    _a("brow_raise", "brows", "AU1+2", "mm", "raised brows", "inner_brow_raise", "eye_widen"),
    _a("inner_brow_raise", "brows", "AU1", "mm", "raised inner brows", "brow_raise"),
    _a("brow_lower", "brows", "AU4", "mm", "lowered brows", "squint"),
    _a("eye_close", "lids", "AU43", "mm", "closed eyes", "squint"),
    _a("blink", "lids", "AU45", "mm", "blink"),
    _a("wink_left", "lids", "AU46", "mm", "wink of the left eye", "squint", "smile"),
    _a("wink_right", "lids", "AU46", "mm", "wink of the right eye", "squint", "smile"),
    _a("eye_widen", "lids", "AU5", "mm", "widened eyes"),
    _a("squint", "lids", "AU6+7", "mm", "squint"),
    _a("nose_wrinkle", "mouth", "AU9", "mm", "wrinkled nose", "upper_lip_raise", "brow_lower", "squint"),
    _a("upper_lip_raise", "mouth", "AU10", "mm", "raised upper lip", "nose_wrinkle", "mouth_open"),
    _a("mouth_open", "jaw", "AU26/27", "mm", "open mouth"),
    _a("lip_pucker", "mouth", "AU18", "mm", "puckered lips"),
    _a("lip_press", "mouth", "AU24", "mm", "pressed lips"),
    _a("lip_stretch", "mouth", "AU20", "mm", "stretched lips"),
    _a("cheek_puff", "mouth", "AD34", "mm", "puffed cheeks", "lip_press"),
    _a("chin_raise", "mouth", "AU17", "mm", "raised chin", "lip_press", "lip_corner_depress"),
    _a("tongue_out", "jaw", "AD19", "mm", "tongue out", "mouth_open"),
    _a("jaw_left", "jaw", "AD30L", "mm", "jaw to the left"),
    _a("jaw_right", "jaw", "AD30R", "mm", "jaw to the right"),
    _a("talking", "jaw", "AD50", "Hz", "talking", *_SPEECH, cyclic=True),
    _a("nod", "head", "AD85", "Hz", "nod", "look_down", "look_up", cyclic=True),
    _a("shake", "head", "AD84", "Hz", "head shake", "turn_left", "turn_right", cyclic=True),
    _a("tilt_left", "head", "AU55", "deg", "head tilt to the left"),
    _a("tilt_right", "head", "AU56", "deg", "head tilt to the right"),
    _a("turn_left", "head", "AU51", "deg", "head turn to the left"),
    _a("turn_right", "head", "AU52", "deg", "head turn to the right"),
    _a("look_up", "head", "AU53", "deg", "head up"),
    _a("look_down", "head", "AU54", "deg", "head down"),
    _a("gaze_left", "gaze", "AU61", "deg", "gaze to the left"),
    _a("gaze_right", "gaze", "AU62", "deg", "gaze to the right"),
    _a("gaze_up", "gaze", "AU63", "deg", "gaze up", "eye_widen"),
    _a("gaze_down", "gaze", "AU64", "deg", "gaze down", "eye_close", "squint", "blink"),
)

ACTIONS: tuple[str, ...] = tuple(a.name for a in ACTION_TABLE)
ACTION: dict[str, Action] = {a.name: a for a in ACTION_TABLE}

EMOTIONS: tuple[str, ...] = (
    "neutral", "happiness", "sadness", "anger", "fear", "surprise", "disgust", "contempt",
)

EMOTION_ACTIONS: dict[str, tuple[str, ...]] = {
    # The actions that a full-strength prototype shows (EMFACS; Friesen & Ekman 1983, and
    # Table 1 of Matsumoto & Ekman, "Facial expression analysis", Scholarpedia 3(5):4237, 2008,
    # http://www.scholarpedia.org/article/Facial_expression_analysis).
    "neutral": (),
    "happiness": ("smile", "squint"),
    "sadness": ("inner_brow_raise", "lip_corner_depress"),
    "anger": ("brow_lower", "squint", "lip_press"),
    "fear": ("brow_raise", "eye_widen", "lip_stretch"),
    "surprise": ("brow_raise", "eye_widen", "mouth_open"),
    "disgust": ("nose_wrinkle", "upper_lip_raise"),
    "contempt": ("smile",),
}

EMOTION_MAY_SHOW: dict[str, tuple[str, ...]] = {
    # Beyond EMOTION_ACTIONS and what these entail: accompaniments that are in character.
    "neutral": (),
    "happiness": ("mouth_open", "lip_stretch"),
    "sadness": ("brow_lower", "chin_raise", "brow_raise", "look_down", "squint"),
    "anger": ("nose_wrinkle", "chin_raise", "lip_corner_depress", "eye_widen"),
    "fear": ("inner_brow_raise", "mouth_open", "brow_lower"),
    "surprise": ("inner_brow_raise",),
    "disgust": ("brow_lower", "squint", "chin_raise", "lip_corner_depress", "smile", "mouth_open"),
    "contempt": ("lip_stretch", "squint", "lip_press", "tilt_left", "tilt_right"),
}


def allowed_with(name: str) -> frozenset[str]:
    """Every action that may be measured when ``name`` (an action or an emotion) is performed."""
    if name in ACTION:
        return ACTION[name].entails | {name}
    if name not in EMOTION_ACTIONS:
        raise ValueError(f"unknown action or emotion {name!r}; known: {', '.join(ACTIONS + EMOTIONS)}")
    out: set[str] = set(EMOTION_ACTIONS[name]) | set(EMOTION_MAY_SHOW[name])
    for action in EMOTION_ACTIONS[name]:
        out |= ACTION[action].entails
    return frozenset(out)
