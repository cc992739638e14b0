"""The factors of a prompt, their allowed values, and which values exclude each other.

The factors follow the control categories that the Open3DFaceVid corpus names (emotion and head
motion, with identity and speaking style varied; TDMM-LM, https://arxiv.org/abs/2603.16936),
extended with facial actions, gaze, light and background.

Each rule is a symmetric statement about two factors, so that factors can be drawn in any order and
the balance report can tell a designed dependence from an accidental one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any

from ...face.facs.vocabulary import ACTION, ACTIONS, EMOTION_ACTIONS, EMOTIONS
from ..performer.sampler import FELT, compatible
from ..text.lexicon import UNGRADED
from ..text.phrases import LEVEL_NAMES
from .words import (
    AGES,
    BACKGROUNDS,
    BEARDS,
    FRAMINGS,
    GENDERS,
    GLASSES,
    HAIRS,
    INDOOR_LIGHT,
    LIGHTS,
    NONE,
    OTHER,
    OUTDOOR_LIGHT,
    OUTDOORS,
    SKINS,
    STUDIO,
    WORDS,
    WORDS_OF,
)

FACIAL: tuple[str, ...] = tuple(a for a in ACTIONS if ACTION[a].region in ("mouth", "jaw", "brows", "lids") and a != "talking")
HEAD: tuple[str, ...] = tuple(a for a in ACTIONS if ACTION[a].region == "head")
GAZE: tuple[str, ...] = tuple(a for a in ACTIONS if ACTION[a].region == "gaze")
SILENT, SPEAKING = "silent", "speaking"


@dataclass(frozen=True)
class Attributes:
    """What a prompt asks for, in the names of face/facs/vocabulary.py."""

    emotion: str | None = None
    """One of EMOTIONS; None when no emotion, or one outside the eight, is asked for."""
    emotion_word: str | None = None
    """The word used for it (also for families outside the eight, such as confusion)."""
    intensity: str = "medium"
    """slight | medium | strong, of the emotion and of the facial actions; medium where nothing is graded."""
    actions: tuple[str, ...] = ()
    """Facial actions (brows, lids, mouth, jaw)."""
    head: tuple[str, ...] = ()
    """Head motion."""
    gaze: tuple[str, ...] = ()
    """Gaze direction; empty is towards the camera."""
    speaking: bool = False
    age: str = "young adult"
    """child | teenager | young adult | middle-aged | older"""
    gender: str = "person"
    """woman | man | person; a girl is a woman of age child"""
    skin: str = "light"
    hair: str = "short brown"
    glasses: str = NONE
    beard: str = NONE
    framing: str = "close-up"
    light: str = "soft daylight"
    background: str = "plain grey"

    def __post_init__(self) -> None:
        if self.emotion is not None and self.emotion not in EMOTIONS:
            raise ValueError(f"emotion is {self.emotion!r}; allowed: None or one of {', '.join(EMOTIONS)}")
        if self.intensity not in LEVEL_NAMES:
            raise ValueError(f"intensity is {self.intensity!r}; allowed: {', '.join(LEVEL_NAMES)}")
        for key, known in (("actions", FACIAL), ("head", HEAD), ("gaze", GAZE)):
            values = getattr(self, key)
            if not isinstance(values, tuple) or any(v not in known for v in values):
                raise ValueError(f"{key} is {values!r}; allowed: a tuple of {', '.join(known)}")

    def as_dict(self) -> dict[str, Any]:
        """Plain values; tuples become lists."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def to_json(self) -> str:
        return json.dumps(self.as_dict(), separators=(",", ":"))

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Attributes:
        """The inverse of :meth:`as_dict`.

        Raises:
            ValueError: unknown keys or values.
        """
        names = {f.name: f.type for f in fields(cls)}
        if unknown := [k for k in raw if k not in names]:
            raise ValueError(f"unknown attribute {unknown[0]!r}; known: {', '.join(names)}")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, (list, tuple)) else v for k, v in raw.items()}
        for key, value in values.items():
            kind = "bool" if key == "speaking" else "tuple" if key in ("actions", "head", "gaze") else "str"
            optional = key in ("emotion", "emotion_word") and value is None
            if not optional and type(value).__name__ != kind:
                raise ValueError(f"attribute {key} is {value!r}; a {kind} is needed")
        return cls(**values)

    @classmethod
    def from_json(cls, text: str) -> Attributes:
        """The inverse of :meth:`to_json`."""
        try:
            raw = json.loads(text)
        except json.JSONDecodeError as err:
            raise ValueError(f"attributes are not JSON: {err}") from err
        if not isinstance(raw, dict):
            raise ValueError("attributes must be a JSON object")
        return cls.from_dict(raw)


DRAWN: tuple[str, ...] = (
    "age", "gender", "skin", "beard", "hair", "glasses", "emotion", "word", "intensity", "speaking", "action", "action2",
    "head", "gaze", "framing", "light", "background")
"""The factors in the order in which they are drawn. ``action2`` is a second facial action."""
KNOWN: dict[str, tuple[str, ...]] = {
    "age": AGES, "gender": GENDERS, "skin": SKINS, "beard": BEARDS, "hair": HAIRS, "glasses": GLASSES,
    "emotion": (*EMOTIONS, OTHER, NONE), "word": (*WORDS, NONE), "intensity": LEVEL_NAMES, "speaking": (SILENT, SPEAKING),
    "action": (NONE, *FACIAL), "action2": (NONE, *FACIAL), "head": (NONE, *HEAD), "gaze": (NONE, *GAZE),
    "framing": tuple(FRAMINGS), "light": tuple(LIGHTS), "background": tuple(BACKGROUNDS)}

# -- which values exclude each other ------------------------------------------------------------
_OPPOSITE = {frozenset(p) for p in (("turn_left", "gaze_right"), ("turn_right", "gaze_left"), ("look_up", "gaze_down"),
                                    ("look_down", "gaze_up"))}
_ANYTIME = frozenset({"blink"})
"""Fits every expression: it is over in a third of a second."""


def _beard_age(beard: str, age: str) -> bool:
    return beard == NONE or age in ("young adult", "middle-aged", "older")


def _beard_gender(beard: str, gender: str) -> bool:
    return beard == NONE or gender == "man"


def _hair_age(hair: str, age: str) -> bool:
    if "grey" in hair:
        return age in ("middle-aged", "older")
    if hair == "white":
        return age == "older"
    return hair != "bald" or age in ("young adult", "middle-aged", "older")


def _hair_gender(hair: str, gender: str) -> bool:
    return hair != "bald" or gender == "man"


def _word_emotion(word: str, emotion: str) -> bool:
    return emotion == NONE if word == NONE else WORDS[word].emotion == emotion


def _word_intensity(word: str, intensity: str) -> bool:
    if word == NONE:
        return True
    return intensity == "medium" if not WORDS[word].graded else intensity in WORDS[word].levels


@cache
def _emotion_intensity(emotion: str, intensity: str) -> bool:
    return emotion == NONE or any(_word_intensity(w, intensity) for w in WORDS_OF[emotion])


def _emotion_action(emotion: str, action: str) -> bool:
    if action == NONE:
        return emotion != NONE
    if action in _ANYTIME or emotion in (NONE, OTHER):
        return True
    return emotion in FELT and (action in EMOTION_ACTIONS[emotion] or compatible(emotion, action))


def _emotion_action2(emotion: str, action: str) -> bool:
    return action == NONE or _emotion_action(emotion, action)


def _word_action(word: str, action: str) -> bool:
    if word == NONE or action == NONE or action in _ANYTIME:
        return True
    return all(action == s or compatible(s, action) for s in WORDS[word].shows)


def _speaking_action(speaking: str, action: str) -> bool:
    return speaking == SILENT or action == NONE or ACTION[action].region in ("brows", "lids")


def _two_actions(first: str, second: str) -> bool:
    return second == NONE or (first != NONE and compatible(first, second))


def _same_moment(a: str, b: str) -> bool:
    return NONE in (a, b) or (frozenset({a, b}) not in _OPPOSITE and compatible(a, b))


def _emotion_gaze(emotion: str, gaze: str) -> bool:
    return gaze == NONE or emotion not in FELT or compatible(emotion, gaze)


def _word_gaze(word: str, gaze: str) -> bool:
    return NONE in (word, gaze) or all(compatible(s, gaze) for s in WORDS[word].shows)


def _light_background(light: str, background: str) -> bool:
    if background in OUTDOORS:
        return light not in INDOOR_LIGHT
    if light in OUTDOOR_LIGHT:
        return False
    return background not in STUDIO or light in ("studio", "soft daylight", "window", "warm lamp", "dim")


RULES: dict[tuple[str, str], Callable[[str, str], bool]] = {
    ("beard", "age"): _beard_age, ("beard", "gender"): _beard_gender, ("hair", "age"): _hair_age,
    ("hair", "gender"): _hair_gender, ("word", "emotion"): _word_emotion, ("word", "intensity"): _word_intensity,
    ("emotion", "intensity"): _emotion_intensity, ("emotion", "action"): _emotion_action,
    ("emotion", "action2"): _emotion_action2, ("word", "action"): _word_action, ("word", "action2"): _word_action,
    ("speaking", "action"): _speaking_action, ("speaking", "action2"): _speaking_action, ("action", "action2"): _two_actions,
    ("action", "gaze"): _same_moment, ("action2", "gaze"): _same_moment, ("head", "gaze"): _same_moment,
    ("emotion", "gaze"): _emotion_gaze, ("word", "gaze"): _word_gaze, ("light", "background"): _light_background}
"""Pairs of factors with the question whether two of their values go together."""

_BY_FACTOR: dict[str, tuple[tuple[str, Callable[[str, str], bool], bool], ...]] = {
    f: tuple((b, rule, False) for (a, b), rule in RULES.items() if a == f)
    + tuple((a, rule, True) for (a, b), rule in RULES.items() if b == f) for f in DRAWN}


@cache
def _fits(factor: str, value: str, other: str, against: str) -> bool:
    for name, rule, swapped in _BY_FACTOR[factor]:
        if name == other:
            return rule(against, value) if swapped else rule(value, against)
    return True


LINKED: dict[str, tuple[str, ...]] = {f: tuple(name for name, _, _ in _BY_FACTOR[f]) for f in DRAWN}
"""The factors that a factor has a rule with."""


def admissible(factor: str, value: str, context: Mapping[str, str]) -> bool:
    """Whether ``value`` contradicts nothing that ``context`` (factor -> value) has settled."""
    for other in LINKED[factor]:
        against = context.get(other)
        if against is not None and not _fits(factor, value, other, against):
            return False
    return True


def parents(factor: str, order: tuple[str, ...] = DRAWN) -> frozenset[str]:
    """Factors drawn before ``factor`` on which its distribution depends, themselves included indirectly."""
    before = order[: order.index(factor)]
    found = {f for f in LINKED[factor] if f in before}
    return frozenset(found).union(*(parents(f, order) for f in found)) if found else frozenset()


def attributes_of(values: Mapping[str, str]) -> Attributes:
    """The attributes of settled factor values."""
    emotion, word = values["emotion"], values["word"]
    actions = tuple(v for v in (values["action"], values["action2"]) if v != NONE)
    graded = (word != NONE and WORDS[word].graded) or any(is_graded(a) for a in actions)
    return Attributes(
        emotion=emotion if emotion in EMOTIONS else None,
        emotion_word=None if word == NONE else word,
        intensity=values["intensity"] if graded else "medium",
        actions=actions,
        head=() if values["head"] == NONE else (values["head"],),
        gaze=() if values["gaze"] == NONE else (values["gaze"],),
        speaking=values["speaking"] == SPEAKING,
        age=values["age"], gender=values["gender"], skin=values["skin"], hair=values["hair"], glasses=values["glasses"],
        beard=values["beard"], framing=values["framing"], light=values["light"], background=values["background"])


def values_of(a: Attributes) -> dict[str, str]:
    """The inverse of :func:`attributes_of` (an unspoken intensity comes back as medium)."""
    word = a.emotion_word or NONE
    emotion = a.emotion or (OTHER if word in WORDS else NONE)
    actions = (*a.actions, NONE, NONE)
    return {
        "age": a.age, "gender": a.gender, "skin": a.skin, "beard": a.beard, "hair": a.hair, "glasses": a.glasses,
        "emotion": emotion, "word": word, "intensity": a.intensity, "speaking": SPEAKING if a.speaking else SILENT,
        "action": actions[0], "action2": actions[1], "head": a.head[0] if a.head else NONE,
        "gaze": a.gaze[0] if a.gaze else NONE, "framing": a.framing, "light": a.light, "background": a.background}


def is_graded(action: str) -> bool:
    """Whether an action has a strength that words name."""
    return action not in UNGRADED


def contradictions(a: Attributes) -> list[str]:
    """What contradicts itself, one line each; empty for a consistent prompt."""
    values = values_of(a)
    return [f"{x} {values[x]!r} with {y} {values[y]!r}" for (x, y) in RULES if not _fits(x, values[x], y, values[y])]

