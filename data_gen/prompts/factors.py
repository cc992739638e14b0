"""The factors of a prompt, their allowed values, and which values exclude each other.

The factors follow the control categories that the Open3DFaceVid corpus names (emotion and head
motion, with identity and speaking style varied; TDMM-LM, https://arxiv.org/abs/2603.16936),
extended with facial actions, gaze, light and background.

Each rule is a symmetric statement about two factors, so that factors can be drawn in any order and
the balance report can separate a designed dependence from an accidental one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS, parse
from ...face.facs.vocabulary import ACTION, ACTIONS, EMOTION_ACTIONS, EMOTIONS
from ..performer.sampler import FELT, compatible
from ..tables import read_table
from ..text.lexicon import LEVEL_NAMES, NONE, OTHER, UNGRADED, WORDS, WORDS_OF, Words

Verb = tuple[str, str, str]


@dataclass(frozen=True, config=SETTINGS)
class _Prompts:
    people: dict[str, dict[str, Words]]
    pronouns: dict[str, tuple[str, str, str]]
    skins: Words
    hairs: Words
    glasses: Words
    beards: dict[str, str]
    framings: dict[str, Words]
    lights: dict[str, Words]
    backgrounds: dict[str, Words]
    needs: dict[str, dict[str, dict[str, Words]]]
    opposite: tuple[tuple[str, str], ...]
    after_verb_only: frozenset[str]
    adverbs: dict[str, Words]
    be: tuple[Verb, ...]
    have: tuple[Verb, ...]
    keep: tuple[Verb, ...]
    speak: Words
    speak_participle: Words
    silent: Words
    notes: Words


TABLE = read_table(__package__, "words/prompts.yaml", _Prompts)
"""People and picture: the values of each factor with their words; the values that exclude each other; parts of sentences."""
FACIAL: Words = tuple(a for a in ACTIONS if ACTION[a].region in ("mouth", "jaw", "brows", "lids") and a != "talking")
HEAD: Words = tuple(a for a in ACTIONS if ACTION[a].region == "head")
GAZE: Words = tuple(a for a in ACTIONS if ACTION[a].region == "gaze")
SILENT, SPEAKING = "silent", "speaking"


@dataclass(frozen=True, config=SETTINGS)
class Attributes:
    """What a prompt asks for, in the names of face/facs/vocabulary.py."""

    emotion: str | None = None
    """One of EMOTIONS; None when no emotion, or one outside the eight, is asked for."""
    emotion_word: str | None = None
    """The word used for it (also for families outside the eight, such as confusion)."""
    intensity: str = "medium"
    """slight | medium | strong, of the emotion and of the facial actions; medium where nothing is graded."""
    actions: Words = ()
    """Facial actions (brows, lids, mouth, jaw)."""
    head: Words = ()
    """Head motion."""
    gaze: Words = ()
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
        for key, known in (("emotion", EMOTIONS), ("intensity", LEVEL_NAMES), ("actions", FACIAL), ("head", HEAD),
                           ("gaze", GAZE)):
            value = getattr(self, key)
            if not {*(value if isinstance(value, tuple) else (value,))} <= {*known, *((None,) if key == "emotion" else ())}:
                raise ValueError(f"{key} is {value!r}; allowed: {', '.join(known)}")

    def as_dict(self) -> dict[str, Any]:
        """Plain values; tuples become lists."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Attributes:
        """The inverse of :meth:`as_dict`; unknown keys and values are a ValueError."""
        return parse(cls, dict(raw), "attributes")


DRAWN: Words = (
    "age", "gender", "skin", "beard", "hair", "glasses", "emotion", "word", "intensity", "speaking", "action", "action2",
    "head", "gaze", "framing", "light", "background")
"""The factors in the order in which they are drawn. ``action2`` is a second facial action."""
KNOWN: dict[str, Words] = {
    "age": tuple(TABLE.people), "gender": tuple(TABLE.pronouns), "skin": TABLE.skins, "beard": tuple(TABLE.beards),
    "hair": TABLE.hairs, "glasses": TABLE.glasses, "emotion": (*EMOTIONS, OTHER, NONE), "word": (*WORDS, NONE),
    "intensity": LEVEL_NAMES, "speaking": (SILENT, SPEAKING), "action": (NONE, *FACIAL), "action2": (NONE, *FACIAL),
    "head": (NONE, *HEAD), "gaze": (NONE, *GAZE), "framing": tuple(TABLE.framings), "light": tuple(TABLE.lights),
    "background": tuple(TABLE.backgrounds)}

# -- which values exclude each other ------------------------------------------------------------
Rule = Callable[[str, str], bool]
_OPPOSITE = frozenset(map(frozenset, TABLE.opposite))
_ANYTIME = frozenset({NONE, "blink"})
"""Fits every expression: a blink is over in a third of a second."""


def emotion_of_word(word: str) -> str:
    """The value of the factor emotion that a value of the factor word has."""
    return NONE if word == NONE else WORDS[word].emotion


def _needs(factor: str, other: str) -> Rule:
    """A rule of the table of words: a value of ``factor`` allows some values of ``other`` only."""
    allowed = {value: needs[other] for value, needs in TABLE.needs[factor].items() if other in needs}
    return lambda value, against: value not in allowed or against in allowed[value]


def _word_intensity(word: str, intensity: str) -> bool:
    return word == NONE or intensity in (WORDS[word].levels if WORDS[word].graded else ("medium",))


@cache
def _emotion_intensity(emotion: str, intensity: str) -> bool:
    return emotion == NONE or any(_word_intensity(w, intensity) for w in WORDS_OF[emotion])


def _emotion_action(emotion: str, action: str) -> bool:
    return action in _ANYTIME or emotion in (NONE, OTHER) or emotion in FELT and (
        action in EMOTION_ACTIONS[emotion] or compatible(emotion, action))


def _emotion_gaze(emotion: str, gaze: str) -> bool:
    return gaze == NONE or emotion not in FELT or compatible(emotion, gaze)


def _word_action(word: str, action: str) -> bool:
    return word == NONE or action in _ANYTIME or all(action == s or compatible(s, action) for s in WORDS[word].shows)


def _speaking_action(speaking: str, action: str) -> bool:
    return speaking == SILENT or action == NONE or ACTION[action].region in ("brows", "lids")


def _same_moment(a: str, b: str) -> bool:
    return NONE in (a, b) or (frozenset({a, b}) not in _OPPOSITE and compatible(a, b))


RULES: dict[tuple[str, str], Rule] = {
    **{(f, o): _needs(f, o) for f, o in (("beard", "age"), ("beard", "gender"), ("hair", "age"), ("hair", "gender"),
                                         ("background", "light"))},
    ("word", "emotion"): lambda word, emotion: emotion == emotion_of_word(word), ("word", "intensity"): _word_intensity,
    ("emotion", "intensity"): _emotion_intensity,
    # a prompt without an emotion asks for an action
    ("emotion", "action"): lambda emotion, action: (emotion, action) != (NONE, NONE) and _emotion_action(emotion, action),
    ("emotion", "action2"): _emotion_action, ("word", "action"): _word_action, ("word", "action2"): _word_action,
    ("speaking", "action"): _speaking_action, ("speaking", "action2"): _speaking_action,
    ("action", "action2"): lambda first, second: second == NONE or (first != NONE and compatible(first, second)),
    ("action", "gaze"): _same_moment, ("action2", "gaze"): _same_moment, ("head", "gaze"): _same_moment,
    ("emotion", "gaze"): _emotion_gaze, ("word", "gaze"): _word_action}
"""Pairs of factors with the question whether two of their values go together."""
LINKED: dict[str, Words] = {f: (*(b for a, b in RULES if a == f), *(a for a, b in RULES if b == f)) for f in DRAWN}
"""The factors that a factor has a rule with."""


@cache
def _fits(factor: str, value: str, other: str, against: str) -> bool:
    rule = RULES.get((factor, other))
    return rule(value, against) if rule else RULES[other, factor](against, value)


def admissible(factor: str, value: str, context: Mapping[str, str]) -> bool:
    """Whether ``value`` contradicts nothing that ``context`` (factor -> value) has settled."""
    return all(_fits(factor, value, other, context[other]) for other in LINKED[factor] if other in context)


def parents(factor: str, order: Words = DRAWN) -> frozenset[str]:
    """Factors drawn before ``factor`` on which its distribution depends, directly or not."""
    found = frozenset(LINKED[factor]).intersection(order[: order.index(factor)])
    return found.union(*(parents(f, order) for f in found))


_SAME = ("age", "gender", "skin", "hair", "glasses", "beard", "framing", "light", "background")


def attributes_of(values: Mapping[str, str]) -> Attributes:
    """The attributes of settled factor values."""
    emotion, word = values["emotion"], values["word"]
    actions, head, gaze = (tuple(values[f] for f in factors if values[f] != NONE)
                           for factors in (("action", "action2"), ("head",), ("gaze",)))
    return Attributes(
        emotion=emotion if emotion in EMOTIONS else None, emotion_word=None if word == NONE else word,
        intensity=values["intensity"] if has_strength(values) else "medium", actions=actions, head=head, gaze=gaze,
        speaking=values["speaking"] == SPEAKING, **{f: values[f] for f in _SAME})


def values_of(a: Attributes) -> dict[str, str]:
    """The inverse of :func:`attributes_of` (an unspoken intensity comes back as medium)."""
    word = a.emotion_word or NONE
    action, action2, *_ = (*a.actions, NONE, NONE)
    found = {"emotion": a.emotion or (OTHER if word in WORDS else NONE), "word": word, "intensity": a.intensity,
             "speaking": SPEAKING if a.speaking else SILENT, "action": action, "action2": action2,
             "head": (*a.head, NONE)[0], "gaze": (*a.gaze, NONE)[0], **{f: getattr(a, f) for f in _SAME}}
    return {f: found[f] for f in DRAWN}


def has_strength(values: Mapping[str, str]) -> bool:
    """Whether anything that the settled values ask for has a strength that words name."""
    word = values["word"]
    return word != NONE and WORDS[word].graded or any(values[f] not in (NONE, *UNGRADED) for f in ("action", "action2"))
