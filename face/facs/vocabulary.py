"""The facial actions and emotions that facelm names, and what each one entails (face/assets/facs.yaml).

Actions follow the Facial Action Coding System (Ekman & Friesen 1978; Ekman, Friesen &
Hager 2002, the FACS manual); ``au`` gives the action unit or action descriptor that an
action corresponds to. Left and right are the subject's own.
"""

from __future__ import annotations

from importlib import resources
from typing import Literal

import yaml
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS, parse


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


@dataclass(frozen=True, config=SETTINGS)
class Emotion:
    """One emotion: the actions of its prototype, those that may accompany them, and its pose as an action's."""

    shows: tuple[str, ...]
    may_show: tuple[str, ...]
    pose: dict[str, float]


@dataclass(frozen=True, config=SETTINGS)
class _Table:
    actions: dict[str, Action]
    emotions: dict[str, Emotion]


def _read() -> _Table:
    text = resources.files("facelm").joinpath("face", "assets", "facs.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same YAML, ten times as fast where libyaml is there
    return parse(_Table, loader(text).get_single_data(), "facs.yaml")


_TABLE = _read()
ACTION: dict[str, Action] = _TABLE.actions
ACTIONS: tuple[str, ...] = tuple(ACTION)
EMOTION: dict[str, Emotion] = _TABLE.emotions
EMOTIONS: tuple[str, ...] = tuple(EMOTION)
EMOTION_ACTIONS: dict[str, tuple[str, ...]] = {name: e.shows for name, e in EMOTION.items()}
"""The actions that a full-strength prototype shows."""
EMOTION_MAY_SHOW: dict[str, tuple[str, ...]] = {name: e.may_show for name, e in EMOTION.items()}
"""Beyond EMOTION_ACTIONS and what these entail: accompaniments that are in character."""


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
