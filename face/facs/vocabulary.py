"""The facial actions and emotions that facelm names, and what each one entails (face/assets/facs.yaml).

Actions follow the Facial Action Coding System (Ekman & Friesen 1978; Ekman, Friesen &
Hager 2002, the FACS manual); ``au`` gives the action unit or action descriptor that an
action corresponds to. Left and right are the subject's own.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal, TypeVar

from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS, load_yaml, parse

T = TypeVar("T")


@dataclass(frozen=True, config=SETTINGS)
class Action:
    """One facial action."""

    region: Literal["brows", "lids", "mouth", "jaw", "head", "gaze"]
    au: str
    unit: Literal["mm", "deg", "Hz"]
    """Unit of the physical value: mm, deg, or Hz for oscillations."""
    label: str
    """Short English noun phrase, used in reports."""
    pose: dict[str, float]
    """Channels at intensity 1 as in the file; joint angles in degrees. See poses.py."""
    entails: frozenset[str] = frozenset()
    """Actions that this one may show as a side effect; never counted against a clip."""
    cyclic: bool = False
    paired: bool = False
    """Whether each side of the face can do it alone."""
    minor: bool = False
    """A part of behaviours and feelings, with no words of its own in captions; scripts may name it."""


@dataclass(frozen=True, config=SETTINGS)
class Emotion:
    """One emotion: the actions of its prototype, those that may accompany them, and its pose as an action's."""

    shows: tuple[str, ...]
    may_show: tuple[str, ...]
    pose: dict[str, float]


Range = tuple[float, float]
Side = Literal["both", "left", "right"]
"""The subject's own side."""


@dataclass(frozen=True, config=SETTINGS)
class Part:
    """One action or emotion of a behaviour; each range is drawn from anew in every performance."""

    name: str
    """An action (with its direction: ``turn_left``; without it where ``side`` says it) or an emotion."""
    strength: Range
    """Share of full scale when the cue says no strength."""
    rise: Range
    hold: Range
    fall: Range
    """Durations of onset, apex and offset, s; with a count, of each repetition (a nod's, shake's or syllable's whole cycle)."""
    at: Range = (0.0, 0.0)
    """Start, seconds after the behaviour's."""
    side: Literal["both", "left", "right", "any"] = "both"
    """``any``: the cue's side, else one drawn for the whole behaviour; of a direction, in place of it (``turn``, ``gaze``)."""
    count: tuple[int, int] = (0, 0)
    """Cycles of a nod, shake or talk, or repetitions of another action, one after the other; 0 for once."""
    stretch: bool = False
    """Where the behaviour lasts longer than usual, this part is held longer (or, with a count, repeated more often)."""


@dataclass(frozen=True, config=SETTINGS)
class Behaviour:
    """Something that a face does with several actions, e.g. a yawn (face/facs/behaviours/*.yaml)."""

    words: tuple[str, ...]
    """Verbs and phrases in the notation of ``data_gen/text/words/actions.yaml``: ``laugh``, ``crack|up``."""
    parts: tuple[Part, ...]
    must: tuple[tuple[str, ...], ...]
    """What a measurement should find: of each group one action or emotion (``NAME*3`` for three times, ``NAME.left``)."""
    source: str
    """Where timing and composition come from."""
    nouns: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    """Actions and emotions that it may show beyond its parts and what these entail."""
    sided: bool = False
    """Whether it can be done to one side (a part has the side ``any``)."""
    counted: str = ""
    """The part that a cue's count counts (syllables of a whisper, openings of a shout); empty where it counts whole rounds."""


@dataclass(frozen=True, config=SETTINGS)
class Feeling:
    """A feeling word as a blend of emotions and actions (face/assets/feelings.yaml)."""

    blend: dict[str, float]
    """Emotion or action (``NAME.left`` for one side) and its strength at the feeling's usual degree."""
    words: tuple[str, ...] = ()
    """Other words for it; the name itself, with spaces, is one."""
    source: str = ""
    """Key of the table's ``sources``."""


@dataclass(frozen=True, config=SETTINGS)
class _Feelings:
    sources: dict[str, str]
    """Short name and full reference of each source."""
    feelings: dict[str, Feeling]


@dataclass(frozen=True, config=SETTINGS)
class _Behaviours:
    behaviours: dict[str, Behaviour]


@dataclass(frozen=True, config=SETTINGS)
class _Table:
    actions: dict[str, Action]
    emotions: dict[str, Emotion]


_FACE = resources.files("facelm").joinpath("face")


def _read(file: Traversable, cls: type[T]) -> T:
    return parse(cls, load_yaml(file.read_text(encoding="utf-8")), file.name)


_TABLE = _read(_FACE.joinpath("assets", "facs.yaml"), _Table)
ACTION: dict[str, Action] = _TABLE.actions
ACTIONS: tuple[str, ...] = tuple(name for name, action in ACTION.items() if not action.minor)
"""The actions that have words of their own."""
EMOTION: dict[str, Emotion] = _TABLE.emotions
EMOTIONS: tuple[str, ...] = tuple(EMOTION)
EMOTION_ACTIONS: dict[str, tuple[str, ...]] = {name: e.shows for name, e in EMOTION.items()}
"""The actions that a full-strength prototype shows."""
EMOTION_MAY_SHOW: dict[str, tuple[str, ...]] = {name: e.may_show for name, e in EMOTION.items()}
"""Beyond EMOTION_ACTIONS and what these entail: accompaniments that are in character."""


BEHAVIOUR: dict[str, Behaviour] = {
    name: b for file in sorted(_FACE.joinpath("facs", "behaviours").iterdir(), key=lambda f: f.name)
    if file.name.endswith(".yaml") for name, b in _read(file, _Behaviours).behaviours.items()}
_FEELINGS = _read(_FACE.joinpath("assets", "feelings.yaml"), _Feelings)
FEELING: dict[str, Feeling] = _FEELINGS.feelings
FEELING_SOURCES: dict[str, str] = _FEELINGS.sources
"""Short name and full reference of each source of the feelings."""


def sideless(name: str) -> str:
    """A name without its side: ``turn`` for ``turn_left``."""
    return name.removesuffix("_left").removesuffix("_right")


PAIRED: frozenset[str] = frozenset({n for n, a in ACTION.items() if a.paired} | {n for n, b in BEHAVIOUR.items() if b.sided})
"""What one side of the face can do alone."""
DIRECTIONS: frozenset[str] = frozenset(n.removesuffix("_left") for n in ACTION if n.endswith("_left"))
"""What is always done to one side: ``turn`` stands for ``turn_left`` and ``turn_right``."""
NAMES: tuple[str, ...] = tuple(dict.fromkeys(
    [*map(sideless, ACTION), *EMOTION, *BEHAVIOUR, *FEELING]))
"""Everything that a script can name."""
SPOKEN_SHAPES = ("mouth_open", "lip_pucker", "lip_press", "lip_stretch", "upper_lip_raise", "chin_raise", "lip_corner_depress",
                 "lower_lip_depress", "lip_funnel", "lip_suck", "dimple")
"""Mouth shapes that talking makes; inside an utterance they are no actions of their own."""
GROUPS: dict[str, frozenset[str]] = {
    "anything": frozenset(ACTION), "eyes": frozenset(n for n, a in ACTION.items() if a.region in ("lids", "gaze")),
    "mouth": frozenset(n for n, a in ACTION.items() if a.region in ("mouth", "jaw")),
    **{r: frozenset(n for n, a in ACTION.items() if a.region == r) for r in ("brows", "lids", "jaw", "head", "gaze")}}
"""Regions of which a script can say that they should not move."""


USUAL_STRENGTH = 0.7
"""Strength of a feeling's or behaviour's cue at which its parts have the strengths of the tables."""
_LEAST_PART = 0.3
_LEAST_PARTS: dict[str, float] = {"eye_close": 0.48, **dict.fromkeys(EMOTIONS, 0.36)}
"""Lids follow a lowered gaze to 0.3 of a closure, and an emotion has parts that are weaker than itself."""


def part_strength(name: str, usual: float, strength: float) -> float:
    """Strength of a part of a feeling or behaviour.

    Args:
        name: the part's action or emotion.
        usual: its strength in the table.
        strength: of the whole cue.

    Returns:
        A share of full scale. A part that shows is never scaled below what can be seen: without it, it would be another
        feeling or behaviour.
    """
    return min(max(usual * strength / USUAL_STRENGTH, min(usual, _LEAST_PARTS.get(name, _LEAST_PART))), 1.0)


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
